"""The baskets of tills and kiosks: several, parked and resumed, named, ordered; a shopper's carts saved aside."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from commerce.auth import tokens
from commerce.customers import tables as customer_tables
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from tests.orders.story import CONTACT, rub
from tests.support import Client, Item, Shop, Store, clock, tag, unique

pytestmark = pytest.mark.usefixtures("audited")


async def put(client: Client, item: Item, quantity: int = 1, cart: str = "current") -> Any:
    answer = await client.put(f"/v1/carts/{cart}/lines/{item.sku}", {"quantity": quantity})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def current(client: Client) -> Any:
    return (await client.get("/v1/carts/current")).json()


async def at_device(shop: Shop, device: Client, role: str = "associate") -> Client:
    """A member of staff working at the device."""
    staff = await shop.staff(role, device.actor.location or "")
    actor = Actor(
        kind="staff", subject=staff.actor.subject, channel=device.actor.channel, device=device.actor.device,
        location=device.actor.location, permissions=staff.actor.permissions,
    )  # fmt: skip
    token = tokens.issue(actor, secret_key=shop.settings.secret_key, at=clock(), seconds=600)
    return Client(shop.http, token, actor)


async def with_card(shop: Shop, name: str = "Анна Петрова") -> tuple[Client, str]:
    """A known shopper and the number of his loyalty card."""
    shopper, card = await shop.shopper(known=True), unique("290").upper()

    async def work(tx: Tx) -> None:
        tx.queue(
            customer_tables.identifiers, id=uuid7(), profile_id=shopper.actor.subject, kind="loyalty_card", system="",
            value=card, verified_at=tx.at, created_at=tx.at,
        )  # fmt: skip
        tx.queue(
            customer_tables.identifiers, id=uuid7(), profile_id=shopper.actor.subject, kind="phone", system="",
            value=f"+7900{uuid7().int % 10**7:07d}", verified_at=tx.at, created_at=tx.at,
        )  # fmt: skip
        await tx.execute(
            "UPDATE customers.profiles SET name = :name WHERE id = :id", name=name, id=shopper.actor.subject
        )

    await shop.db.write(work)
    return shopper, card


async def events_of(shop: Shop, cart: str) -> list[tuple[str, int]]:
    async def work(tx: Tx) -> list[tuple[str, int]]:
        rows = await tx.rows(
            "SELECT type, version FROM infra.outbox WHERE aggregate = 'cart' AND aggregate_id = :cart ORDER BY version",
            cart=UUID(cart),
        )
        return [(row.type, row.version) for row in rows]

    return await shop.db.read(work)


async def test_a_till_has_several_baskets(shop: Shop) -> None:
    store = await shop.store()
    till, other = await shop.device("till", store.code), await shop.device("till", store.code)
    associate = await at_device(shop, till)
    one, two = await shop.item(price=100), await shop.item(price=70)
    first = await put(till, one, 2)
    assert (first["owner"], first["version"], first["lines"][0]["added_by"]) == ("device", 1, None)
    assert first["lines"][0]["added_device"] == str(till.actor.device)
    opened = await associate.post("/v1/carts", {"label_parked": "lady with a pram"})
    assert opened.status_code == 201, opened.text
    second = opened.json()
    assert (second["version"], second["lines"], second["id"] != first["id"]) == (1, [], True)
    assert opened.headers["etag"] == tag(second)
    assert await current(till) == second
    second = await put(associate, two, 1)
    assert second["lines"][0]["added_by"] == str(associate.actor.subject)
    listed = (await till.get("/v1/carts")).json()["items"]
    assert [(one["id"], one["current"], one["label"], one["line_count"]) for one in listed] == [
        (second["id"], True, None, 1), (first["id"], False, "lady with a pram", 1),
    ]  # fmt: skip
    assert (await associate.get("/v1/carts")).json()["items"] == listed
    assert (await other.get("/v1/carts")).json()["items"] == []
    for answer in (
        await other.get(f"/v1/carts/{first['id']}"),
        await other.post(f"/v1/carts/{first['id']}/resume"),
        await other.delete(f"/v1/carts/{first['id']}"),
    ):
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-cart")

    resumed = await till.post(f"/v1/carts/{first['id']}/resume", headers={"If-Match": '"2"'})
    assert resumed.status_code == 200, resumed.text
    assert (resumed.json()["id"], resumed.json()["version"], resumed.json()["parked_at"]) == (first["id"], 3, None)
    assert await current(associate) == resumed.json()
    parked = (await till.get(f"/v1/carts/{second['id']}")).json()
    assert (parked["version"], parked["parked_at"] is not None) == (3, True)
    stale = await till.post(f"/v1/carts/{second['id']}/park", {"label": "x"}, headers={"If-Match": '"2"'})
    assert (stale.status_code, stale.json()["cart"]) == (412, parked)
    dropped = await till.delete(f"/v1/carts/{second['id']}")
    assert (dropped.json()["state"], dropped.json()["version"], dropped.json()["owner"]) == ("expired", 4, "device")
    assert (await till.delete(f"/v1/carts/{second['id']}")).json()["type"] == "/problems/cart-closed"
    assert await events_of(shop, second["id"]) == [
        ("cart.opened", 1), ("cart.changed", 2), ("cart.parked", 3), ("cart.expired", 4),
    ]  # fmt: skip
    assert await events_of(shop, first["id"]) == [("cart.changed", 1), ("cart.parked", 2), ("cart.resumed", 3)]


async def test_there_is_an_end_to_open_baskets(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from commerce.carts import baskets

    monkeypatch.setattr(baskets, "MOST_OPEN", 2)
    till = await shop.device("till", (await shop.store()).code)
    for _ in range(2):
        assert (await till.post("/v1/carts", {})).status_code == 201
    before = (await till.get("/v1/carts")).json()
    refused = await till.post("/v1/carts", {})
    assert (refused.status_code, refused.json()["type"], refused.json()["most"]) == (422, "/problems/too-many-carts", 2)
    assert (await till.get("/v1/carts")).json() == before


async def test_a_customer_is_named_and_his_own_cart_is_not_touched(shop: Shop) -> None:
    store = await shop.store()
    kiosk = await shop.device("kiosk", store.code)
    associate = await at_device(shop, kiosk)
    anna, card = await with_card(shop)
    item = await shop.item(price=100)
    own = await put(anna, item, 3)
    basket = await put(kiosk, item, 1)
    path = f"/v1/carts/{basket['id']}/customer"
    nobody = await kiosk.put(path, {"loyalty_card": "290-NOBODY"})
    assert (nobody.status_code, nobody.json()["type"], nobody.json()["by"]) == (
        422, "/problems/customer-not-found", "loyalty_card",
    )  # fmt: skip
    for body in ({}, {"loyalty_card": card, "token": anna.token}):
        assert (await kiosk.put(path, body)).json()["type"] == "/problems/cart-choice"
    by_id = await kiosk.put(path, {"customer": str(anna.actor.subject)})
    assert (by_id.status_code, by_id.json()["type"]) == (403, "/problems/naming-not-allowed")
    assert await current(kiosk) == basket

    named = await kiosk.put(path, {"loyalty_card": card})
    assert named.json()["customer"] == {"first_name": "Анна", "named_by": "card", "id": None}
    assert "Петрова" not in named.text
    assert str(anna.actor.subject) not in named.text
    seen_by_staff = await current(associate)
    assert seen_by_staff["customer"] == {"first_name": "Анна", "named_by": "card", "id": str(anna.actor.subject)}
    by_token = await kiosk.put(path, {"token": anna.token})
    assert by_token.json()["customer"]["named_by"] == "token"
    assert (await kiosk.put(path, {"token": kiosk.token})).json()["type"] == "/problems/customer-not-found"
    by_staff = await associate.put(path, {"customer": str(anna.actor.subject)})
    assert by_staff.json()["customer"]["named_by"] == "staff"
    assert await current(anna) == own
    nameless = await kiosk.delete(path)
    assert (nameless.json()["customer"], nameless.json()["version"]) == (None, 5)
    mine = await anna.put(f"/v1/carts/{own['id']}/customer", {"loyalty_card": card})
    assert (mine.status_code, mine.json()["type"]) == (409, "/problems/not-a-basket")
    assert [kind for kind, _ in await events_of(shop, basket["id"])] == ["cart.changed", *["cart.named"] * 4]


async def ordered(shop: Shop, device: Client, store: Store, basket: Any, **more: Any) -> Any:
    body = {"expected_total": basket["subtotal"], "pickup": {"location": store.code}, "cart": basket["id"], **more}
    return await device.post("/v1/orders", body)


async def test_an_order_from_a_basket_is_the_named_customers(shop: Shop) -> None:
    store = await shop.store()
    kiosk = await shop.device("kiosk", store.code)
    anna, card = await with_card(shop)
    item = await shop.item(price=100)
    await shop.stock(store, item, 9)
    basket = await put(kiosk, item, 2)
    refused = await ordered(shop, kiosk, store, basket)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/contact-needed")

    # A card found in the street names, and gives no contact away.
    await kiosk.put("/v1/carts/current/customer", {"loyalty_card": card})
    refused = await ordered(shop, kiosk, store, basket)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/contact-needed")
    await kiosk.put("/v1/carts/current/customer", {"token": anna.token})
    placed = await ordered(shop, kiosk, store, basket)
    assert placed.status_code == 201, placed.text
    order = placed.json()
    assert (order["customer_id"], order["channel"], order["contact"]) == (str(anna.actor.subject), "kiosk", None)
    assert order["lines"][0]["bought_at"] == store.code
    hers = (await anna.get(f"/v1/orders/{order['number']}")).json()
    assert hers["contact"]["name"] == "Анна Петрова"
    assert hers["contact"]["phone"].startswith("+7900")
    assert (await current(kiosk))["id"] is None

    # Nobody is named: whoever orders says whom to reach, and is nobody's customer.
    basket = await put(kiosk, item, 1)
    order = (await ordered(shop, kiosk, store, basket, contact=CONTACT)).json()
    assert (order["customer_id"], order["contact"]["name"], order["total"]) == (None, CONTACT["name"], rub(100))
    again = await ordered(shop, kiosk, store, basket, contact=CONTACT)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/cart-closed")


async def test_carts_saved_aside_are_resumed_merged_and_dropped(shop: Shop) -> None:
    anonymous, account = await shop.shopper("app"), await shop.shopper("site", known=True)
    item, other = await shop.item(price=100), await shop.item(price=7)
    mine, theirs = await put(account, other, 1), await put(anonymous, item, 2)
    answer = await account.post("/v1/carts/merge", {"token": anonymous.token, "policy": "separate"})
    told = {line["sku"]: (line["outcome"], line["quantity"]) for line in answer.json()["lines"]}
    assert told == {other.sku: ("untouched", 1), item.sku: ("saved_aside", 0)}
    assert (answer.json()["saved_aside"], answer.json()["cart"]) == (theirs["id"], mine)
    assert (await current(anonymous))["id"] is None
    assert (await anonymous.get(f"/v1/carts/{theirs['id']}")).status_code == 404
    listed = (await account.get("/v1/carts")).json()["items"]
    assert [(one["id"], one["current"]) for one in listed] == [(mine["id"], True), (theirs["id"], False)]

    resumed = (await account.post(f"/v1/carts/{theirs['id']}/resume")).json()
    assert (await current(account)) == resumed
    assert (resumed["id"], [line["sku"] for line in resumed["lines"]]) == (theirs["id"], [item.sku])
    merged = await account.post("/v1/carts/merge", {"cart": mine["id"]})
    assert merged.status_code == 200, merged.text
    assert {line["sku"]: line["outcome"] for line in merged.json()["lines"]} == {
        item.sku: "untouched",
        other.sku: "added",
    }
    assert merged.json()["cart"]["id"] == theirs["id"]
    assert len((await account.get("/v1/carts")).json()["items"]) == 1
    stranger = await shop.shopper(known=True)
    for body, code in (
        ({"cart": theirs["id"]}, "unknown-cart"),
        ({"cart": mine["id"]}, "unknown-cart"),
        ({}, "cart-choice"),
        ({"cart": theirs["id"], "token": anonymous.token}, "cart-choice"),
    ):
        assert (await stranger.post("/v1/carts/merge", body)).json()["type"] == f"/problems/{code}"
    again = await account.post("/v1/carts/merge", {"cart": mine["id"]})
    assert (again.status_code, again.json()["state"]) == (409, "merged")


async def test_beside_an_empty_cart_there_is_nothing_to_keep_apart(shop: Shop) -> None:
    """Whether the account has no cart, or one that was emptied: what was put before signing in is at hand."""
    item, other = await shop.item(price=100), await shop.item(price=7)
    for emptied in (False, True):
        anonymous, account = await shop.shopper("app"), await shop.shopper("site", known=True)
        if emptied:
            await put(account, other, 1)
            assert (await account.put("/v1/carts/current/checkout", {"note": "Bag"})).status_code == 200
            assert (await account.delete(f"/v1/carts/current/lines/{other.sku}")).status_code == 200
        theirs = await put(anonymous, item, 2)
        gift = {"gift": {"wrap": True}}
        assert (await anonymous.put(f"/v1/carts/current/lines/{item.sku}/fulfillment", gift)).status_code == 200
        answer = await account.post("/v1/carts/merge", {"token": anonymous.token, "policy": "separate"})
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert [(line["sku"], line["outcome"], line["quantity"]) for line in told["lines"]] == [(item.sku, "added", 2)]
        assert (told["saved_aside"], told["cart"]) == (None, await current(account))
        assert (told["cart"]["lines"][0]["gift"], told["cart"]["subtotal"]) == ({"wrap": True}, rub(200))
        assert (told["cart"]["checkout"] or {}).get("note") == ("Bag" if emptied else None)
        listed = (await account.get("/v1/carts")).json()["items"]
        assert [(one["id"], one["current"]) for one in listed] == [(told["cart"]["id"], True)]
        assert (await current(anonymous))["id"] is None
        assert (await events_of(shop, theirs["id"]))[-1] == ("cart.merged", 3)


@pytest.mark.parametrize("policy", ["sum", "separate"])
async def test_the_one_cart_of_merged_profiles_is_not_merged_with_itself(shop: Shop, policy: str) -> None:
    winner, loser = await shop.shopper(known=True), await shop.shopper(known=True)
    his = await put(loser, item := await shop.item(), 2)
    await shop.merge(loser, winner)
    assert (await current(winner)) == his
    answer = await winner.post("/v1/carts/merge", {"cart": his["id"], "policy": policy})
    assert [(line["outcome"], line["quantity"]) for line in answer.json()["lines"]] == [("untouched", 2)]
    assert (answer.json()["cart"], answer.json()["saved_aside"]) == (his, None)
    assert await current(winner) == his
    assert his["lines"][0]["sku"] == item.sku


async def test_the_open_cart_of_a_merged_profile_is_merged_by_its_id(shop: Shop) -> None:
    winner, loser = await shop.shopper(known=True), await shop.shopper(known=True)
    item, other = await shop.item(), await shop.item()
    hers, his = await put(winner, item, 1), await put(loser, other, 2)

    await shop.merge(loser, winner)
    listed = (await winner.get("/v1/carts")).json()["items"]
    assert {one["id"] for one in listed} == {hers["id"], his["id"]}
    merged = (await winner.post("/v1/carts/merge", {"cart": his["id"], "policy": "sum"})).json()
    assert {line["sku"]: line["quantity"] for line in merged["cart"]["lines"]} == {item.sku: 1, other.sku: 2}
    assert (await winner.get(f"/v1/carts/{his['id']}")).json()["state"] == "merged"


async def test_of_merged_profiles_one_cart_is_at_hand_and_any_other_is_resumed(shop: Shop) -> None:
    winner, loser = await shop.shopper(known=True), await shop.shopper(known=True)
    item, other, third = [await shop.item() for _ in range(3)]
    hers, his = await put(winner, item, 1), await put(loser, other, 2)
    await shop.merge(loser, winner)

    async def listed() -> list[tuple[str, bool]]:
        return [(one["id"], one["current"]) for one in (await winner.get("/v1/carts")).json()["items"]]

    assert await listed() == [(hers["id"], True), (his["id"], False)]
    resumed = (await winner.post(f"/v1/carts/{his['id']}/resume")).json()
    assert await current(winner) == resumed
    assert (resumed["id"], [line["sku"] for line in resumed["lines"]]) == (his["id"], [other.sku])
    assert await listed() == [(his["id"], True), (hers["id"], False)]
    assert (await put(winner, third, 1))["id"] == his["id"]
    opened = (await winner.post("/v1/carts", {})).json()
    assert (await current(winner))["id"] == opened["id"]
    assert [is_current for _, is_current in await listed()] == [True, False, False]
    again = (await winner.post(f"/v1/carts/{hers['id']}/resume")).json()
    assert (await current(winner))["id"] == again["id"] == hers["id"]


async def test_another_name_on_a_basket_forgets_what_came_from_a_phone(shop: Shop) -> None:
    store = await shop.store()
    kiosk, item = await shop.device("kiosk", store.code), await shop.item(price=100)
    await shop.stock(store, item, 9)
    anna, (boris, card) = await shop.shopper("app", known=True), await with_card(shop, "Борис Белов")
    said = {
        "contact": {"name": "Анна Иванова", "phone": "+79000000101"}, "note": "Код 1234",
        "fulfillment": {"method": "collect", "location": store.code},
    }  # fmt: skip
    wish = {
        "fulfillment": {"method": "deliver", "address": {"country": "RU", "city": "Казань", "street": "Баумана, 7"}},
        "gift": {"wrap": True, "message": "Мамочке"},
    }

    async def handed_over() -> Any:
        basket = await put(anna, item, 1)
        assert (await anna.put("/v1/carts/current/checkout", said)).status_code == 200
        assert (await anna.put(f"/v1/carts/current/lines/{item.sku}/fulfillment", wish)).status_code == 200
        code = (await anna.post(f"/v1/carts/{basket['id']}/hand-off", {"mode": "move"})).json()["code"]
        moved = (await kiosk.post("/v1/carts/claim", {"code": code})).json()["cart"]
        assert moved["checkout"]["discreet"] is True
        return moved

    basket = await handed_over()
    named = await kiosk.put("/v1/carts/current/customer", {"loyalty_card": card})
    assert named.json()["customer"] == {"first_name": "Борис", "named_by": "card", "id": None}
    assert named.json()["checkout"] == {
        "fulfillment": {"method": "collect", "location": store.code}, "contact": None, "recipient": None, "note": None,
        "gift": None, "discreet": False, "hidden": [],
    }  # fmt: skip
    assert (named.json()["lines"][0]["fulfillment"], named.json()["lines"][0]["gift"]) == (None, {"wrap": True})
    assert await current(kiosk) == named.json()
    placed = await ordered(shop, kiosk, store, basket, contact={"name": "Борис", "phone": "+79000000109"})
    mine = (await boris.get(f"/v1/orders/{placed.json()['number']}")).text
    assert all(secret not in mine for secret in ("Иванова", "0101", "1234", "Мамочке"))

    await handed_over()
    unnamed = await kiosk.delete("/v1/carts/current/customer")
    assert (unnamed.json()["customer"], unnamed.json()["checkout"]["contact"]) == (None, None)
    assert (await kiosk.delete("/v1/carts/current")).status_code == 200

    # Her own card says nothing new: what she has said stays.
    async def give_card(tx: Tx) -> None:
        await tx.execute(
            "UPDATE customers.identifiers SET profile_id = :id WHERE value = :card", id=anna.actor.subject, card=card
        )

    await shop.db.write(give_card)
    await handed_over()
    hers = await kiosk.put("/v1/carts/current/customer", {"loyalty_card": f"{card[:4]} {card[4:]}"})
    assert hers.json()["checkout"]["hidden"] == ["contact", "note", "address", "gift_message"]
