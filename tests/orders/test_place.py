"""Placing an order: what it snapshots, and every refusal with nothing changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar

from commerce import orders
from commerce.infra.db import Database, Tx
from commerce.orders import Charged
from commerce.prices import tables as price_tables
from tests.orders.story import CONTACT, levels, order_body, place, put, rub, step
from tests.support import Client, Shop, clock
from tests.support_statements import count_statements

pytestmark = pytest.mark.usefixtures("audited")


async def orders_of(client: Client) -> list[dict[str, Any]]:
    return list((await client.get("/v1/orders")).json()["items"])


async def refused(client: Client, body: dict[str, Any], status: int, kind: str, **kwargs: Any) -> dict[str, Any]:
    """The problem; and the cart is as it was, and there is no order."""
    before = (await client.get("/v1/carts/current")).json()
    answer = await client.post("/v1/orders", body, **kwargs)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}"), answer.text
    after = (await client.get("/v1/carts/current")).json()
    assert (after["version"], after["lines"]) == (before["version"], before["lines"])
    assert await orders_of(client) == []
    return dict(answer.json())


async def test_contact_and_language_come_from_the_profile(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 9)
    known = await shop.shopper(known=True)
    body = order_body(store, 100, recipient={"name": "Мама"}, note="Позвоните") | {
        "contact": {"email": "Anna@Example.org"}
    }
    await put(known, (item, 1))
    order = (await known.post("/v1/orders", body)).json()
    assert order["contact"] == {"name": "Test Person", "email": "anna@example.org", "phone": None}
    assert (order["recipient"], order["note"]) == ({"name": "Мама", "phone": None}, "Позвоните")
    assert order["language"] == "ru"
    await put(known, (item, 1))
    english = (await known.post("/v1/orders", body | {"language": "en"})).json()
    assert english["language"] == "en"


async def test_an_anonymous_shopper_must_be_reachable(shop: Shop) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 1)
    await put(shopper, (item, 1))
    for contact, missing in (
        ({}, "name, email or phone"),
        ({"name": "Анна"}, "email or phone"),
        ({"phone": "+79000000101"}, "name"),
    ):
        problem = await refused(shopper, order_body(store, 100) | {"contact": contact}, 422, "contact-needed")
        assert problem["missing"] == missing
    bad = await refused(
        shopper, order_body(store, 100) | {"contact": {"name": "A", "phone": "12345"}}, 422, "bad-phone"
    )
    assert bad["field"] == "contact.phone"


async def test_a_line_by_measure_is_rounded_once(shop: Shop) -> None:
    store = await shop.store()
    fabric = await shop.item(price=None, quantity_unit="MTR", quantity_scale=2, tax_class="reduced")

    async def price(tx: Tx) -> None:
        tx.queue(
            price_tables.prices, variant_id=fabric.id, valid_from=datetime(2026, 1, 1, tzinfo=UTC), amount=33_333,
            currency="RUB", set_by=shop.system.subject,
        )  # fmt: skip

    await shop.db.write(price)
    await shop.stock(store, fabric, 1000)
    shopper = await shop.shopper()
    await put(shopper, (fabric, 155))
    order = (await shopper.post("/v1/orders", order_body(store, 51_666))).json()
    assert order["total"] == rub(51_666)
    assert order["lines"][0]["tax"] == {"net": rub(46_969), "tax": rub(4_697), "basis_points": 1000}
    assert (await orders_of(shopper))[0]["units"] == 1


async def test_an_order_of_december_2025_is_taxed_at_20_percent(shop: Shop) -> None:
    clock.stand_at(datetime(2025, 12, 20, 9, tzinfo=UTC))
    store, item = await shop.store(), await shop.item(price=120_000)
    await shop.stock(store, item, 1)
    order = await place(await shop.shopper(), store, (item, 1))
    assert order["lines"][0]["tax"] == {"net": rub(100_000), "tax": rub(20_000), "basis_points": 2000}
    clock.back_to_present()


async def test_an_agreed_price_is_a_named_adjustment(shop: Shop) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=1_000), await shop.shopper()
    await shop.stock(store, item, 3)
    await put(shopper, (item, 3))
    command = orders.PlaceOrder(
        expected_total=orders.Amount(amount=2_700, currency="RUB"), pickup=orders.PickupChoice(location=store.code),
        contact=orders.Contact(name="Anna", phone="+79000000101"),
    )  # fmt: skip
    charged = Charged(prices={item.id: 900}, kind="invoice_price")
    order = await shop.db.write(orders.place, shopper.actor, command=command, currency="RUB", charged=charged)
    assert (order.subtotal.amount, order.adjustment_total.amount, order.total.amount) == (3_000, -300, 2_700)
    assert [(a.kind, a.amount.amount) for a in order.lines[0].adjustments] == [("invoice_price", -300)]
    seen = (await shopper.get(f"/v1/orders/{order.number}")).json()
    assert seen["lines"][0]["adjustments"] == [
        {"kind": "invoice_price", "amount": rub(-300), "reason": "charged 900 per unit"}
    ]


async def test_the_timeline_keeps_the_order_of_versions(shop: Shop) -> None:
    """An act that waited for another one began before it, and stands after it in the books and on the screen."""
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 3)
    clock.stand_at(now := clock())
    order = await place(shopper, store, (item, 2))
    staff = await shop.staff("associate", store.code)
    number = order["fulfillments"][0]["number"]
    for name, seconds in (("accept", -1), ("pick", -2), ("ready", 3)):
        clock.stand_at(now + timedelta(seconds=seconds))
        scans = {"scans": [{"sku": item.sku, "quantity": 2}]} if name == "pick" else None
        assert (await step(staff, store, number, name, scans)).status_code == 200
    clock.stand_at(now + timedelta(seconds=2))
    assert (await shopper.post(f"/v1/orders/{order['number']}/cancel", {"reason": "changed_mind"})).status_code == 200
    clock.stand_at(now)
    entries = (await shopper.get(f"/v1/orders/{order['number']}/timeline")).json()["entries"]
    assert [(entry["what"], entry["fulfillment"] is None) for entry in entries] == [
        ("placed", True), ("opened", False), ("accepted", False), ("picked", False), ("cancelled", True), ("ready_for_pickup", False),
        ("cancelled", False),
    ]  # fmt: skip


async def test_the_cart_must_be_there_and_as_it_was_seen(shop: Shop) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 1)
    answer = await shopper.post("/v1/orders", order_body(store, 100))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/cart-empty")
    await put(shopper, (item, 1))
    stale = await refused(shopper, order_body(store, 100), 412, "cart-changed", headers={"If-Match": '"7"'})
    now = (await shopper.get("/v1/carts/current")).json()
    assert (stale["seen"], stale["version"], stale["cart"]) == (7, 1, now)
    typed = await refused(shopper, order_body(store, 100, cart_version=9), 412, "cart-changed")
    assert (typed["seen"], typed["cart"]) == (9, now)
    # Another cart of the same version and total is not the one that was seen.
    first = (await shopper.get("/v1/carts/current")).headers["etag"]
    await shopper.post("/v1/carts", {})
    assert (await shopper.delete("/v1/carts/current")).status_code == 200
    await put(shopper, (item, 1))
    assert (await shopper.get("/v1/carts/current")).json()["version"] == 1
    another = await refused(shopper, order_body(store, 100), 412, "cart-changed", headers={"If-Match": first})
    assert another["cart"] == (await shopper.get("/v1/carts/current")).json() != now
    assert (await shopper.post("/v1/orders", order_body(store, 100), headers={"If-Match": '"1"'})).status_code == 201
    again = await shopper.post("/v1/orders", order_body(store, 100))
    assert again.json()["type"] == "/problems/cart-empty"


async def test_the_expected_total_must_hold(shop: Shop) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 5)
    await put(shopper, (item, 2))

    async def dearer(tx: Tx) -> None:
        tx.queue(
            price_tables.prices,
            variant_id=item.id,
            valid_from=tx.at,
            amount=150,
            currency="RUB",
            set_by=shop.system.subject,
        )

    await shop.db.write(dearer)
    problem = await refused(shopper, order_body(store, 200), 409, "total-changed")
    assert (problem["expected"], problem["total"]) == (rub(200), rub(300))
    assert problem["lines"] == [
        {"sku": item.sku, "quantity": 2, "unit_price_seen": rub(100), "unit_price": rub(150), "total": rub(300)}
    ]
    dollars = order_body(store, 300) | {"expected_total": {"amount": 300, "currency": "USD"}}
    await refused(shopper, dollars, 409, "total-changed")
    assert (await shopper.post("/v1/orders", order_body(store, 300))).status_code == 201


async def test_what_cannot_be_sold_is_named(shop: Shop) -> None:
    store = await shop.store()
    good, limited, stopped, ended = [await shop.item(price=100) for _ in range(4)]
    for item in (good, limited, stopped, ended):
        await shop.stock(store, item, 9)
    shopper = await shop.shopper()
    await put(shopper, *((item, 3) for item in (good, limited, stopped, ended)))

    async def change(tx: Tx) -> None:
        update = "UPDATE catalog.variants SET {} WHERE id = :id"
        await tx.execute(update.format("maximum_per_order = 2"), id=limited.id)
        await tx.execute(update.format("stop_sale_reason = 'Recalled'"), id=stopped.id)
        await tx.execute(update.format("sellable_until = :at"), id=ended.id, at=tx.at)

    await shop.db.write(change)
    problem = await refused(shopper, order_body(store, 1_200), 422, "lines-not-sellable")
    assert {(line["sku"], line["reason"], line["maximum"]) for line in problem["lines"]} == {
        (limited.sku, "over_maximum", 2),
        (stopped.sku, "stop_sale", None),
        (ended.sku, "ended", None),
    }
    assert await levels(shop, good, store) == (9, 0)


async def test_a_store_that_does_not_hand_out_orders(shop: Shop) -> None:
    item, shopper = await shop.item(price=100), await shop.shopper()
    await put(shopper, (item, 1))
    until = clock() + timedelta(days=2)
    for values, reason in (
        ({"roles": ("sells",)}, "no_role"),
        ({"closed_on": date(2025, 1, 1)}, "closed"),
        ({"opened_on": date(2100, 1, 1)}, "not_open_yet"),
        ({"paused_until": until, "paused_reason": "Flooded"}, "paused"),
        ({"hours": []}, "no_opening_hours"),
    ):
        store = await shop.store(**values)
        problem = await refused(shopper, order_body(store, 100), 422, "pickup-not-offered")
        assert (problem["location"], problem["reason"]) == (store.code, reason)
        assert (problem["until"] is not None) == (reason == "paused")
    body = order_body(store, 100) | {"pickup": {"location": "nowhere"}}
    assert (await refused(shopper, body, 422, "pickup-not-offered"))["reason"] == "unknown"


async def test_not_enough_stock_names_the_lines_and_near_stores(shop: Shop) -> None:
    store = await shop.store(latitude_e6=10_000_000, longitude_e6=10_000_000)
    near = await shop.store(latitude_e6=10_010_000, longitude_e6=10_000_000)
    farther = await shop.store(latitude_e6=10_200_000, longitude_e6=10_000_000)
    little = await shop.store(latitude_e6=10_001_000, longitude_e6=10_000_000)
    short, there = await shop.item(price=100), await shop.item(price=100)
    for place_, item, quantity in (
        (store, short, 1), (store, there, 9), (near, short, 3), (farther, short, 8), (little, short, 2)
    ):  # fmt: skip
        await shop.stock(place_, item, quantity)
    shopper = await shop.shopper()
    await put(shopper, (short, 3), (there, 1))
    problem = await refused(shopper, order_body(store, 400), 409, "insufficient-stock")
    assert problem["lines"] == [
        {
            "sku": short.sku, "location": store.code, "wanted": 3, "left": 1,
            "near": [
                {"location": near.code, "name": {"en": "Store", "ru": "Магазин"}, "distance_metres": 1112},
                {"location": farther.code, "name": {"en": "Store", "ru": "Магазин"}, "distance_metres": 22239},
            ],
        }
    ]  # fmt: skip
    assert problem["detail"].startswith(f"{short.sku}: 1 left at {store.code}, 3 wanted. Lower the quantity")
    assert await levels(shop, short, store) == (1, 0)
    assert await levels(shop, there, store) == (9, 0)


async def test_the_same_key_answers_the_same_order(shop: Shop) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 5)
    await put(shopper, (item, 1))
    body = order_body(store, 100)
    first = await shopper.post("/v1/orders", body, key="order-key-1")
    again = await shopper.post("/v1/orders", body, key="order-key-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = await shopper.post("/v1/orders", order_body(store, 100, note="x"), key="order-key-1")
    assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-key-reused")
    assert await levels(shop, item, store) == (4, 1)


async def test_who_may_see_an_order(shop: Shop) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 5)
    order = await place(shopper, store, (item, 1))
    path = f"/v1/orders/{order['number']}"
    for client, status in (
        (await shop.shopper(), 404),
        (await shop.staff("associate", "elsewhere"), 200),
        (await shop.staff("call_center"), 200),
        (await shop.device("till", store.code), 403),
        (await shop.client(), 403),
        (shop.anybody(), 401),
    ):
        for suffix in ("", "/timeline"):
            assert (await client.get(path + suffix)).status_code == status
    wrong = await shopper.get("/v1/orders/4821-3059-1766")
    assert (wrong.status_code, wrong.json()["hint"]) == (404, "mistyped_digit")
    typed = order["number"].replace("-", " ")
    assert (await shopper.get(f"/v1/orders/{typed}")).json()["number"] == order["number"]


async def test_whom_an_order_is_for_is_shown_where_it_is_handed_over(shop: Shop) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 5)
    order = await place(shopper, store, (item, 1))
    assert order["contact"]["name"]
    for client, shown in (
        (await shop.staff("associate", store.code), True),
        (await shop.staff("call_center"), True),
        (await shop.staff("associate", "elsewhere"), False),
    ):
        seen = (await client.get(f"/v1/orders/{order['number']}")).json()
        assert (seen["contact"] == order["contact"]) is shown
        assert (seen["contact"] is None) is not shown
        assert seen["lines"] == order["lines"]


async def test_mine_pages_newest_first_and_follows_merged_profiles(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 9)
    winner, loser = await shop.shopper(known=True), await shop.shopper(known=True)
    numbers = []
    for shopper in (winner, loser, winner):
        numbers.append((await place(shopper, store, (item, 1)))["number"])
        clock.travel(timedelta(seconds=1))

    await shop.merge(loser, winner)
    first = (await winner.get("/v1/orders?limit=2")).json()
    rest = (await winner.get(f"/v1/orders?limit=2&cursor={first['next_cursor']}")).json()
    assert [entry["number"] for entry in first["items"] + rest["items"]] == numbers[::-1]
    assert rest["next_cursor"] is None
    assert (await winner.get(f"/v1/orders/{numbers[1]}")).status_code == 200


async def test_at_a_kiosk_the_place_of_buying_is_known(shop: Shop) -> None:
    import msgspec

    kiosk_store, store, item = await shop.store(), await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 1)
    shopper = await shop.shopper("kiosk")
    await put(shopper, (item, 1))
    actor = msgspec.structs.replace(shopper.actor, location=kiosk_store.code)
    command = orders.PlaceOrder(
        expected_total=orders.Amount(amount=100, currency="RUB"), pickup=orders.PickupChoice(location=store.code),
        contact=orders.Contact(name="Anna", phone="+79000000101"),
    )  # fmt: skip
    order = await shop.db.write(orders.place, actor, command=command, currency="RUB")
    assert [(line.bought_at, line.fulfilled_at) for line in order.lines] == [(kiosk_store.code, None)]


async def test_bad_bodies_are_named(shop: Shop) -> None:
    store, shopper = await shop.store(), await shop.shopper()
    good = order_body(store, 100)
    for change, pointer in (
        ({"expected_total": {"amount": -1, "currency": "RUB"}}, "/expected_total/amount"),
        ({"expected_total": {"amount": 1.5, "currency": "RUB"}}, "/expected_total/amount"),
        ({"pickup": {"location": "BAD CODE"}}, "/pickup/location"),
        ({"payment": "card"}, "/payment"),
        ({"contact": {"name": "a\x00b"}}, "/contact/name"),
        ({"surprise": 1}, ""),
    ):
        answer = await shopper.post("/v1/orders", good | change)
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-input"), answer.text
        assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("count", [1, 20])
async def test_twelve_statements_whatever_the_number_of_lines(shop: Shop, app: Litestar, count: int) -> None:
    db: Database = app.state.db
    store, items = await shop.store(), [await shop.item(price=100) for _ in range(count)]
    for item in items:
        await shop.stock(store, item, 5)
    for _ in range(2):
        shopper = await shop.shopper(known=True)
        await put(shopper, *((item, 1) for item in items))
        async with count_statements(db) as counted:
            assert (await shopper.post("/v1/orders", order_body(store, 100 * count))).status_code == 201
    assert len(counted) == 12


async def test_a_person_can_be_exported_and_erased(shop: Shop) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 1)
    order = await place(shopper, store, (item, 1), note="Leave it at the desk")
    ids = [shopper.actor.subject]
    kept = (await shop.db.read(orders.export_person, ids=ids))["orders"]
    assert [(row["number"], row["contact"]["name"], row["note"]) for row in kept] == [
        (order["number"], CONTACT["name"], "Leave it at the desk")
    ]
    await shop.db.write(orders.erase_person, shop.system, ids=ids)
    after = (await shopper.get(f"/v1/orders/{order['number']}")).json()
    assert (after["contact"], after["recipient"], after["note"], after["total"]) == (None, None, None, rub(100))
