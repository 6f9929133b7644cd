"""The cart through HTTP: exact prices, versions and messages; the same cart from every client of a shopper."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from commerce import prices
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from tests.orders.story import order_body
from tests.support import Client, Item, Shop, clock, tag

pytestmark = pytest.mark.usefixtures("audited")


async def put(client: Client, item: Item | str, quantity: int, **kwargs: Any) -> Any:
    sku = item if isinstance(item, str) else item.sku
    return await client.put(f"/v1/carts/current/lines/{sku}", {"quantity": quantity}, **kwargs)


async def current(client: Client) -> Any:
    answer = await client.get("/v1/carts/current")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def change(shop: Shop, statement: str, **values: Any) -> None:
    async def work(tx: Tx) -> None:
        await tx.execute(statement, **values)

    await shop.db.write(work)


async def events_of(shop: Shop, cart: str) -> list[tuple[str, int]]:
    async def work(tx: Tx) -> list[tuple[str, int]]:
        rows = await tx.rows(
            "SELECT type, version FROM infra.outbox WHERE aggregate = 'cart' AND aggregate_id = :cart ORDER BY version",
            cart=UUID(cart),
        )
        return [(row.type, row.version) for row in rows]

    return await shop.db.read(work)


def messages(view: Any) -> list[tuple[str, str]]:
    return [(message["sku"], message["code"]) for message in view["messages"]]


async def test_nothing_yet(shop: Shop) -> None:
    client = await shop.shopper()
    answer = await client.get("/v1/carts/current")
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"0"'
    assert answer.json() == {
        "id": None,
        "version": 0,
        "state": "open",
        "owner": "shopper",
        "parked_at": None,
        "label": None,
        "customer": None,
        "checkout": None,
        "guests": [],
        "lines": [],
        "subtotal": {"amount": 0, "currency": "RUB"},
        "item_count": 0,
        "messages": [],
    }


async def test_a_line_is_answered_with_the_priced_cart(shop: Shop) -> None:
    clock.stand_at(datetime(2026, 3, 1, 12, tzinfo=UTC))
    client = await shop.shopper("app")
    item = await shop.item(
        price=129_900, options={"size": "m"}, option_texts={"en": {"size": "M"}, "ru": {"size": "М"}}
    )
    await shop.stock(await shop.store(), item, 4)
    await shop.stock(await shop.store(), item, 3)
    answer = await put(client, item, 2)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == tag(answer.json())
    view = answer.json()
    assert str(UUID(view["id"])) == view.pop("id")
    (line,) = view.pop("lines")
    assert line.pop("product").startswith("product-")
    assert view == {
        "version": 1,
        "state": "open",
        "owner": "shopper",
        "parked_at": None,
        "label": None,
        "customer": None,
        "checkout": None,
        "guests": [],
        "subtotal": {"amount": 259_800, "currency": "RUB"},
        "item_count": 2,
        "messages": [],
    }
    assert line == {
        "sku": item.sku,
        "variant_id": str(item.id),
        "title": {"en": "Thing", "ru": "Вещь"},
        "options": {"size": "m"},
        "option_texts": {"en": {"size": "M"}, "ru": {"size": "М"}},
        "media": None,
        "quantity": 2,
        "quantity_unit": None,
        "quantity_scale": 0,
        "unit_price": {"amount": 129_900, "currency": "RUB"},
        "unit_price_seen": None,
        "total": {"amount": 259_800, "currency": "RUB"},
        "sellable": True,
        "availability": "in_stock",
        "available": 6,
        "expected_on": None,
        "maximum_per_order": None,
        "added_at": "2026-03-01T12:00:00Z",
        "added_channel": "app",
        "added_device": None,
        "added_by": None,
        "fulfillment": None,
        "gift": None,
        "messages": [],
    }
    read = await client.get("/v1/carts/current")
    assert read.json() == answer.json()
    assert read.headers["etag"] == tag(read.json())


async def test_quantities_are_absolute_and_zero_removes(shop: Shop) -> None:
    client = await shop.shopper()
    one, two = await shop.item(price=100), await shop.item(price=7)
    assert (await put(client, one, 2)).json()["subtotal"]["amount"] == 200
    assert (await put(client, two, 3)).json()["subtotal"]["amount"] == 221
    view = (await put(client, one, 5)).json()
    assert (view["version"], view["subtotal"]["amount"], view["item_count"]) == (3, 521, 8)
    assert [line["sku"] for line in view["lines"]] == [one.sku, two.sku]
    view = (await put(client, one, 0)).json()
    assert (view["version"], [line["sku"] for line in view["lines"]]) == (4, [two.sku])
    answer = await client.delete(f"/v1/carts/current/lines/{two.sku}")
    assert answer.status_code == 200
    assert (answer.json()["version"], answer.json()["lines"]) == (5, [])
    assert answer.json() == await current(client)
    assert await events_of(shop, view["id"]) == [("cart.changed", version) for version in range(1, 6)]


async def test_many_at_once_all_or_none(shop: Shop) -> None:
    client = await shop.shopper()
    items = [await shop.item(price=100 + n) for n in range(4)]
    await put(client, items[0], 9)
    body = {"lines": [{"sku": item.sku, "quantity": n} for n, item in enumerate(items)]}
    answer = await client.put("/v1/carts/current/lines", body)
    assert answer.status_code == 200, answer.text
    view = answer.json()
    assert sorted((line["sku"], line["quantity"]) for line in view["lines"]) == sorted(
        (item.sku, n) for n, item in enumerate(items) if n
    )
    assert (view["version"], view["subtotal"]["amount"]) == (2, 101 + 2 * 102 + 3 * 103)
    refused = await client.put(
        "/v1/carts/current/lines", {"lines": [{"sku": items[1].sku, "quantity": 50}, {"sku": "NO-SUCH", "quantity": 1}]}
    )
    assert (refused.status_code, refused.json()["type"], refused.json()["sku"]) == (
        404, "/problems/unknown-sku", "NO-SUCH",
    )  # fmt: skip
    twice = await client.put("/v1/carts/current/lines", {"lines": [{"sku": items[1].sku, "quantity": 1}] * 2})
    assert (twice.status_code, twice.json()["type"]) == (422, "/problems/repeated-sku")
    assert await current(client) == view


async def test_clear(shop: Shop) -> None:
    client = await shop.shopper()
    empty = await client.delete("/v1/carts/current/lines")
    assert (empty.status_code, empty.json()["version"], empty.json()["id"]) == (200, 0, None)
    await put(client, await shop.item(), 1)
    await put(client, await shop.item(), 1)
    cleared = (await client.delete("/v1/carts/current/lines")).json()
    assert (cleared["version"], cleared["lines"], cleared["subtotal"]["amount"]) == (3, [], 0)
    assert await current(client) == cleared


async def test_removing_makes_no_cart(shop: Shop) -> None:
    client = await shop.shopper()
    item = await shop.item()
    assert (await put(client, item, 0)).json()["id"] is None
    assert (await client.delete(f"/v1/carts/current/lines/{item.sku}")).json()["id"] is None
    assert (await current(client))["version"] == 0


async def test_fabric_by_the_meter(shop: Shop) -> None:
    client = await shop.shopper()
    fabric = await shop.item(price=33_333, quantity_unit="MTR", quantity_scale=2)
    await shop.stock(await shop.store(), fabric, 400)
    view = (await put(client, fabric, 125)).json()
    (line,) = view["lines"]
    assert (line["quantity_unit"], line["quantity_scale"], line["quantity"]) == ("MTR", 2, 125)
    assert line["total"] == {"amount": 41_666, "currency": "RUB"}
    assert (line["availability"], line["available"]) == ("few", 400)
    assert (view["subtotal"]["amount"], view["item_count"]) == (41_666, 1)


async def test_messages(shop: Shop) -> None:
    client = await shop.shopper()
    store = await shop.store()
    scarce, gone, recalled, hidden, many, fine = [await shop.item(price=1_000) for _ in range(6)]
    for item in (scarce, recalled, hidden, many, fine):
        await shop.stock(store, item, 6)
    for item, quantity in ((scarce, 9), (gone, 1), (recalled, 1), (hidden, 1), (many, 5), (fine, 6)):
        assert (await put(client, item, quantity)).status_code == 200
    await change(
        shop, "UPDATE catalog.variants SET stop_sale_reason = 'recall', stop_sale_at = :at WHERE id = :id",
        id=recalled.id, at=clock(),
    )  # fmt: skip
    await change(shop, "UPDATE catalog.products SET published = false WHERE id = :id", id=hidden.product_id)
    await change(shop, "UPDATE catalog.variants SET maximum_per_order = 2 WHERE id = :id", id=many.id)
    view = await current(client)
    assert messages(view) == [
        (scarce.sku, "only_n_left"),
        (gone.sku, "sold_out"),
        (recalled.sku, "no_longer_sellable"),
        (hidden.sku, "no_longer_sellable"),
        (many.sku, "over_maximum"),
    ]
    assert view["messages"][0] == {"code": "only_n_left", "sku": scarce.sku, "available": 6}
    assert view["messages"][2] == {"code": "no_longer_sellable", "sku": recalled.sku, "reason": "stop_sale"}
    assert view["messages"][3] == {"code": "no_longer_sellable", "sku": hidden.sku, "reason": "unpublished"}
    assert view["messages"][4] == {"code": "over_maximum", "sku": many.sku, "maximum": 2}
    lines = {line["sku"]: line for line in view["lines"]}
    assert [lines[item.sku]["sellable"] for item in (scarce, gone, recalled, hidden)] == [True, True, False, False]
    assert lines[gone.sku]["availability"] == "sold_out"
    assert view["subtotal"]["amount"] == 1_000 * (9 + 1 + 5 + 6)
    assert view["item_count"] == 9 + 1 + 1 + 1 + 5 + 6


async def test_price_change_shows_both_prices_until_the_line_is_put_again(shop: Shop) -> None:
    client = await shop.shopper()
    item = await shop.item(price=1_000)
    await shop.stock(await shop.store(), item, 5)
    await put(client, item, 2)
    at = clock() + timedelta(hours=1)
    await shop.db.write(
        prices.set_prices, shop.system, prices=[prices.NewPrice(variant_id=item.id, amount=1_250, valid_from=at)],
        currency="RUB",
    )  # fmt: skip
    assert (await current(client))["messages"] == []
    clock.travel(timedelta(hours=2))
    client = await shop.shopper(person=client.actor.subject)
    view = await current(client)
    assert view["messages"] == [
        {
            "code": "price_changed",
            "sku": item.sku,
            "seen": {"amount": 1_000, "currency": "RUB"},
            "now": {"amount": 1_250, "currency": "RUB"},
        }
    ]
    assert view["lines"][0]["unit_price_seen"] == {"amount": 1_000, "currency": "RUB"}
    assert (view["version"], view["subtotal"]["amount"]) == (1, 2_500)
    view = (await put(client, item, 2)).json()
    assert (view["version"], view["messages"], view["lines"][0]["unit_price_seen"]) == (2, [], None)


async def test_the_same_cart_in_the_app_and_on_the_site(shop: Shop) -> None:
    app = await shop.shopper("app", known=True)
    site = await shop.shopper("site", known=True, person=app.actor.subject)
    one, two = await shop.item(), await shop.item()
    first = (await put(app, one, 1)).json()
    assert await current(site) == first
    second = (await put(site, two, 1)).json()
    assert (second["id"], second["version"]) == (first["id"], 2)
    assert [line["added_channel"] for line in second["lines"]] == ["app", "site"]
    again = (await put(site, one, 4)).json()
    assert again["lines"][0]["added_channel"] == "app"
    assert await current(app) == again


async def test_merged_profiles_see_one_cart(shop: Shop) -> None:
    winner, loser = await shop.shopper(known=True), await shop.shopper(known=True)
    one, two, three = [await shop.item() for _ in range(3)]
    before = (await put(loser, one, 1)).json()
    await shop.merge(loser, winner)
    assert (await current(winner))["id"] == before["id"]
    after = (await put(winner, two, 1)).json()
    assert (after["id"], after["version"], len(after["lines"])) == (before["id"], 2, 2)
    assert await current(loser) == after
    by_id = await winner.put(f"/v1/carts/{before['id']}/lines/{three.sku}", {"quantity": 1})
    assert (by_id.status_code, by_id.json()["version"]) == (200, 3)
    assert (await winner.get(f"/v1/carts/{before['id']}")).json() == by_id.json()


async def test_first_put_of_a_merged_profile_makes_the_winners_cart(shop: Shop) -> None:
    winner, loser = await shop.shopper(known=True), await shop.shopper(known=True)
    await shop.merge(loser, winner)
    item, other = await shop.item(), await shop.item()
    made = (await put(loser, item, 1)).json()
    assert made["version"] == 1
    assert await current(winner) == made
    again = (await put(winner, other, 1)).json()
    assert (again["id"], again["version"]) == (made["id"], 2)
    assert (await put(loser, other, 2)).json()["id"] == made["id"]


async def test_a_cart_by_id_is_its_owners_alone(shop: Shop) -> None:
    owner, other, known = await shop.shopper(), await shop.shopper(), await shop.shopper(known=True)
    item = await shop.item()
    cart = (await put(owner, item, 1)).json()
    path = f"/v1/carts/{cart['id']}"
    assert (await owner.get(path)).json() == cart
    for stranger in (other, known):
        for answer in (
            await stranger.get(path),
            await stranger.put(f"{path}/lines/{item.sku}", {"quantity": 3}),
            await stranger.put(f"{path}/lines", {"lines": [{"sku": item.sku, "quantity": 3}]}),
            await stranger.delete(f"{path}/lines/{item.sku}"),
            await stranger.delete(f"{path}/lines"),
            await stranger.get(f"{path}/events"),
        ):
            assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-cart")
            assert answer.json()["cart"] == cart["id"]
    assert (await owner.get(f"/v1/carts/{uuid4()}")).status_code == 404
    assert await current(owner) == cart
    assert (await current(other))["id"] is None
    changed = await owner.put(f"{path}/lines/{item.sku}", {"quantity": 2})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)


async def test_only_who_has_a_cart(shop: Shop) -> None:
    for caller, status, code in (
        (shop.anybody(), 401, "sign-in-required"),
        (await shop.client(), 403, "not-allowed"),
        (await shop.staff("admin"), 422, "no-cart-here"),
    ):
        for answer in (await caller.get("/v1/carts/current"), await caller.delete("/v1/carts/current/lines")):
            assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")


async def test_repeated_key(shop: Shop) -> None:
    client = await shop.shopper()
    item = await shop.item()
    key = str(uuid7())
    first = await put(client, item, 1, key=key)
    await put(client, item, 5)
    replay = await put(client, item, 1, key=key)
    assert (replay.status_code, replay.json(), replay.headers["etag"]) == (200, first.json(), tag(first.json()))
    assert (await current(client))["lines"][0]["quantity"] == 5
    other = await put(client, item, 2, key=key)
    assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-key-reused")
    assert (await current(client))["version"] == 2


async def test_if_match(shop: Shop) -> None:
    client = await shop.shopper()
    item, other = await shop.item(price=500), await shop.item(price=70)
    early = await put(client, item, 1, headers={"If-Match": '"3"'})
    assert (early.status_code, early.json()["cart"]["version"], early.json()["cart"]["id"]) == (412, 0, None)
    assert (await current(client))["id"] is None
    assert (await put(client, item, 1, headers={"If-Match": '"0"'})).json()["version"] == 1
    shown = await current(client)
    for answer in (
        await put(client, item, 2, headers={"If-Match": '"7"'}),
        await client.delete("/v1/carts/current/lines", headers={"If-Match": '"7"'}),
        await client.delete(f"/v1/carts/current/lines/{item.sku}", headers={"If-Match": '"7"'}),
        await client.put(
            "/v1/carts/current/lines", {"lines": [{"sku": other.sku, "quantity": 1}]}, headers={"If-Match": '"7"'}
        ),
    ):
        assert answer.status_code == 412
        problem = answer.json()
        assert (problem["type"], problem["seen"], problem["version"]) == ("/problems/stale-cart", 7, 1)
        assert problem["cart"] == shown
    assert await current(client) == shown
    assert (await put(client, other, 1, headers={"If-Match": '"1"'})).json()["version"] == 2
    assert (await put(client, other, 2, headers={"If-Match": "*"})).json()["version"] == 3
    assert (await put(client, other, 2, headers={"If-Match": "three"})).status_code == 400


async def test_every_change_says_what_it_has_seen(shop: Shop) -> None:
    client = await shop.shopper()
    item = await shop.item()
    shown = (await put(client, item, 1)).json()
    for method, path, body in (
        ("PUT", f"/v1/carts/current/lines/{item.sku}", {"quantity": 2}),
        ("PUT", f"/v1/carts/{shown['id']}/lines", {"lines": [{"sku": item.sku, "quantity": 2}]}),
        ("DELETE", f"/v1/carts/current/lines/{item.sku}", None),
        ("DELETE", "/v1/carts/current/lines", None),
    ):
        sent = {"Authorization": f"Bearer {client.token}", "Idempotency-Key": str(uuid7())}
        answer = await client.http.request(method, path, json=body, headers=sent)
        assert (answer.status_code, answer.json()["type"]) == (428, "/problems/version-required"), method
    assert await current(client) == shown


async def test_the_next_cart_is_not_mistaken_for_the_one_before(shop: Shop) -> None:
    """Both are version 1 under `current`: what was seen of the first allows no change of the second."""
    phone = await shop.shopper("app")
    laptop = await shop.shopper("site", person=phone.actor.subject)
    item, store = await shop.item(price=100), await shop.store()
    await shop.stock(store, item, 5)
    first = await put(phone, item, 1)
    assert (await laptop.post("/v1/orders", order_body(store, 100))).status_code == 201
    second = (await put(laptop, item, 4)).json()
    assert (second["version"], second["id"] != first.json()["id"]) == (1, True)
    late = await put(phone, item, 2, headers={"If-Match": first.headers["etag"]})
    assert (late.status_code, late.json()["cart"]) == (412, second)
    assert await current(phone) == second
    assert (await put(phone, item, 2, headers={"If-Match": tag(second)})).json()["version"] == 2


@pytest.mark.parametrize(
    ("values", "product_published", "reason"),
    [
        ({"stop_sale_reason": "recall", "stop_sale_at": datetime(2026, 1, 1, tzinfo=UTC)}, True, "stop_sale"),
        ({}, False, "unpublished"),
        ({"sellable_from": datetime(2999, 1, 1, tzinfo=UTC)}, True, "not_yet"),
        ({"sellable_until": datetime(2020, 1, 1, tzinfo=UTC)}, True, "ended"),
        ({"price": None}, True, "no_price"),
    ],
)
async def test_not_sellable(shop: Shop, values: dict[str, Any], product_published: bool, reason: str) -> None:
    client = await shop.shopper()
    item = await shop.item(published=product_published, **values)
    answer = await put(client, item, 1)
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["type"], problem["sku"], problem["reason"]) == ("/problems/not-sellable", item.sku, reason)
    assert problem["lines"] == [{"sku": item.sku, "reason": reason}]
    assert (await current(client))["id"] is None


async def test_maximum_per_order(shop: Shop) -> None:
    client = await shop.shopper()
    item = await shop.item(maximum_per_order=3)
    assert (await put(client, item, 3)).status_code == 200
    answer = await put(client, item, 4)
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["type"], problem["maximum"]) == ("/problems/over-maximum", 3)
    assert problem["lines"] == [{"sku": item.sku, "maximum": 3}]
    assert [line["quantity"] for line in (await current(client))["lines"]] == [3]


async def test_unknown_sku(shop: Shop) -> None:
    client = await shop.shopper()
    answer = await put(client, "NO-SUCH-SKU", 1)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-sku")
    assert (await current(client))["id"] is None
    russian = await put(client, "NO-SUCH-SKU", 1, headers={"Accept-Language": "ru"})
    assert russian.json()["title"] == "Нет такого артикула"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"quantity": "2"}, "/quantity"),
        ({"quantity": -1}, "/quantity"),
        ({"quantity": 1_000_001}, "/quantity"),
        ({"quantity": 1.5}, "/quantity"),
        ({"quantity": None}, "/quantity"),
        ({}, ""),
        ({"quantity": 1, "price": 1}, ""),
    ],
)
async def test_malformed_line(shop: Shop, body: Any, pointer: str) -> None:
    client = await shop.shopper()
    item = await shop.item()
    answer = await client.put(f"/v1/carts/current/lines/{item.sku}", body)
    assert answer.status_code == 400
    assert answer.json()["type"] == "/problems/bad-input"
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await current(client))["id"] is None


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"lines": []}, "/lines"),
        ({"lines": [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": "x"}]}, "/lines/1/quantity"),
        ({"lines": [{"sku": "A\u0000", "quantity": 1}]}, "/lines/0/sku"),
        ({"lines": [{"sku": f"A{n}", "quantity": 1} for n in range(501)]}, "/lines"),
        ({"lines": {"sku": "A"}}, "/lines"),
    ],
)
async def test_malformed_lines(shop: Shop, body: Any, pointer: str) -> None:
    client = await shop.shopper()
    answer = await client.put("/v1/carts/current/lines", body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("cart", ["mine", "00000000-0000-0000-0000-00000000000G", "1", "%00"])
async def test_malformed_cart_names(shop: Shop, cart: str) -> None:
    client = await shop.shopper()
    assert (await client.get(f"/v1/carts/{cart}")).status_code == 400
    assert (await client.put(f"/v1/carts/{cart}/lines/A", {"quantity": 1})).status_code == 400


async def test_at_most_500_lines(shop: Shop) -> None:
    client = await shop.shopper()
    first = await shop.item(price=10)
    items = [first] + [await shop.item(price=10, product=first.product_id) for _ in range(500)]
    lines = [{"sku": item.sku, "quantity": 1} for item in items]
    answer = await client.put("/v1/carts/current/lines", {"lines": lines[:500]})
    assert answer.status_code == 200
    assert (answer.json()["version"], answer.json()["subtotal"]["amount"], answer.json()["item_count"]) == (
        1,
        5_000,
        500,
    )
    full = await put(client, items[500], 1)
    assert (full.status_code, full.json()["type"]) == (422, "/problems/cart-full")
    assert (full.json()["maximum"], full.json()["lines"]) == (500, 501)
    swapped = await client.put(
        "/v1/carts/current/lines",
        {"lines": [{"sku": items[0].sku, "quantity": 0}, {"sku": items[500].sku, "quantity": 1}]},
    )
    assert (swapped.status_code, swapped.json()["version"], len(swapped.json()["lines"])) == (200, 2, 500)
