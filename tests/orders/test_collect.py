"""Collecting: the code, the money, a part today and the rest tomorrow; and the other ends of a pickup."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar

from commerce import stock
from commerce.infra.db import Database, Tx
from commerce.orders import tables
from tests.orders.story import cash, levels, make_ready, pickup_code, place, put, rub, step
from tests.support import Client, Item, Shop, Store
from tests.support_statements import count_statements

pytestmark = pytest.mark.usefixtures("audited")


async def ready(shop: Shop, store: Store, *wanted: tuple[Item, int]) -> tuple[Client, Client, dict[str, Any], str]:
    """Customer, staff, order and code of a pickup that is ready."""
    for item, quantity in wanted:
        await shop.stock(store, item, quantity + 2)
    customer = await shop.shopper()
    order = await place(customer, store, *wanted)
    staff = await shop.staff("associate", store.code)
    await make_ready(staff, store, order)
    return customer, staff, order, await pickup_code(customer, order)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


async def test_a_wrong_code_counts_and_five_of_them_lock(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    customer, staff, order, code = await ready(shop, store, (item, 1))
    number = order["fulfillments"][0]["number"]
    before = (await customer.get(f"/v1/orders/{order['number']}")).json()
    for left in (4, 3, 2, 1, 0):
        refused = await step(staff, store, number, "collect", {"code": wrong(code), "tenders": [cash(100)]})
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/wrong-pickup-code")
        assert refused.json()["attempts_left"] == left
    locked = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(100)]})
    assert (locked.status_code, locked.json()["type"]) == (429, "/problems/pickup-code-locked")
    seen = (await customer.get(f"/v1/orders/{order['number']}")).json()
    assert seen["fulfillments"][0].pop("code_attempts_left") == 0
    assert before["fulfillments"][0].pop("code_attempts_left") == 5
    assert seen == before
    assert await levels(shop, item, store) == (2, 1)

    stranger = await shop.shopper()
    assert (await stranger.post(f"/v1/orders/{order['number']}/pickup-code/renew")).status_code == 404
    renewed = await customer.post(f"/v1/orders/{order['number']}/pickup-code/renew")
    assert (renewed.status_code, renewed.json()["renewed"], renewed.json()["version"]) == (200, 1, 2)
    new = await pickup_code(customer, order)
    assert new != code
    old = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(100)]})
    assert (old.status_code, old.json()["attempts_left"]) == (422, 4)
    done = await step(staff, store, number, "collect", {"code": new, "tenders": [cash(100)]})
    assert done.json()["order_state"] == "completed"
    nothing = await customer.post(f"/v1/orders/{order['number']}/pickup-code/renew")
    assert (nothing.status_code, nothing.json()["type"]) == (409, "/problems/nothing-ready")


async def test_a_wrong_code_counts_again_under_the_same_key(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    _, staff, order, code = await ready(shop, store, (item, 1))
    path = f"/v1/stores/{store.code}/fulfillments/{order['fulfillments'][0]['number']}/collect"
    body = {"code": wrong(code), "tenders": [cash(100)]}
    lefts = [(await staff.post(path, body, key="guess-guess")).json()["attempts_left"] for _ in range(3)]
    assert lefts == [4, 3, 2]


async def test_the_tenders_add_up_exactly(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    customer, staff, order, code = await ready(shop, store, (item, 3))
    number = order["fulfillments"][0]["number"]
    dollars = {"kind": "cash", "amount": {"amount": 300, "currency": "USD"}}
    for tenders, tendered in (([], 0), ([cash(299)], 299), ([cash(301)], 301), ([dollars], 300)):
        refused = await step(staff, store, number, "collect", {"code": code, "tenders": tenders})
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/wrong-tender")
        assert (refused.json()["owed"], refused.json()["tendered"]) == (rub(300), rub(tendered))
    card = {"kind": "card_terminal", "amount": rub(200), "reference": "RRN 4711"}
    pan = card | {"reference": "4111 1111 1111 1111"}
    assert (await step(staff, store, number, "collect", {"code": code, "tenders": [cash(100), pan]})).status_code == 422
    assert await levels(shop, item, store) == (2, 3)
    done = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(100), card]})
    assert done.status_code == 200, done.text
    paid = (await customer.get(f"/v1/orders/{order['number']}")).json()
    assert sorted((p["tender"], p["captured"]["amount"]) for p in paid["payments"]) == [
        ("card_terminal", 200),
        ("cash", 100),
    ]


async def test_a_part_today_the_rest_tomorrow_loses_no_kopeck(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=33_333, quantity_unit="MTR", quantity_scale=2)
    await shop.stock(store, item, 500)
    customer = await shop.shopper()
    await put(customer, (item, 101))
    body = {
        "expected_total": rub(33_666), "pickup": {"location": store.code},
        "contact": {"name": "Anna", "phone": "+79000000101"},
    }  # fmt: skip
    order = (await customer.post("/v1/orders", body)).json()
    staff = await shop.staff("associate", store.code)
    number = await make_ready(staff, store, order)
    code = await pickup_code(customer, order)
    many = [{"sku": item.sku, "quantity": 102}]
    refused = await step(staff, store, number, "collect", {"code": code, "tenders": [], "lines": many})
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/wrong-units")
    assert (refused.json()["left"], refused.json()["wanted"]) == (101, 102)
    paid = 0
    for units, owed in ((34, 11_333), (33, 11_000)):
        lines = [{"sku": item.sku, "quantity": units}]
        part = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(owed)], "lines": lines})
        assert part.status_code == 200, part.text
        assert (part.json()["state"], part.json()["order_state"]) == ("ready_for_pickup", "placed")
        paid += owed
    seen = (await customer.get(f"/v1/orders/{order['number']}")).json()
    assert (seen["payment_status"], seen["fulfillment_status"], seen["owed"]) == (
        "partially_paid", "partially_fulfilled", rub(33_666 - paid)
    )  # fmt: skip
    last = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(33_666 - paid)]})
    assert (last.json()["state"], last.json()["order_state"], last.json()["left"]) == ("collected", "completed", 0)
    assert last.json()["receipt"]["number"] == 3


async def test_only_what_is_ready_is_collected(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 1)
    order = await place(await shop.shopper(), store, (item, 1))
    staff = await shop.staff("associate", store.code)
    number = order["fulfillments"][0]["number"]
    early = await step(staff, store, number, "collect", {"code": "000000", "tenders": [cash(100)]})
    assert (early.status_code, early.json()["state"]) == (409, "open")
    elsewhere = await shop.store()
    stranger = await shop.staff("associate", elsewhere.code)
    body = {"code": "000000", "tenders": [cash(100)]}
    assert (await step(stranger, elsewhere, number, "collect", body)).json()["type"] == "/problems/other-store"
    assert (await step(stranger, store, number, "collect", body)).status_code == 403
    assert (await step(staff, store, "4821-3059-1761-1", "collect", body)).status_code == 404
    assert (await step(staff, store, "nonsense", "collect", body)).status_code == 404


async def test_what_the_line_cost_is_kept(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    _, staff, order, code = await ready(shop, store, (item, 2))
    number = order["fulfillments"][0]["number"]
    await step(staff, store, number, "collect", {"code": code, "tenders": [cash(200)]})

    async def cost(tx: Tx) -> Any:
        return await tx.first(tables.lines.select().where(tables.lines.c.id == order["lines"][0]["id"]))

    row = await shop.db.read(cost)
    assert (row.unit_cost, row.handed_over, row.fulfilled_location_id) == (50_000, 2, store.id)


async def test_the_customer_cancels_before_he_has_it(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    customer, staff, order, _ = await ready(shop, store, (item, 2))
    path = f"/v1/orders/{order['number']}/cancel"
    stranger = await shop.shopper()
    assert (await stranger.post(path, {"reason": "changed_mind"})).status_code == 404
    assert (await staff.post(path, {"reason": "changed_mind"})).status_code == 403
    assert (await customer.post(path, {"reason": "no such reason"})).status_code == 400
    stale = await customer.post(path, {"reason": "changed_mind"}, headers={"If-Match": '"9"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/order-changed")
    done = await customer.post(path, {"reason": "changed_mind"})
    assert (done.status_code, done.json()["state"], done.json()["units"]) == (200, "cancelled", 2)
    assert await levels(shop, item, store) == (4, 0)
    seen = (await customer.get(f"/v1/orders/{order['number']}")).json()
    assert (seen["state"], seen["payment_status"], seen["cancel_reason"]) == ("cancelled", "voided", "changed_mind")
    assert (seen["fulfillments"][0]["state"], seen["fulfillments"][0]["cancel_reason"]) == (
        "cancelled",
        "customer_cancelled",
    )
    again = await customer.post(path, {"reason": "changed_mind"})
    assert (again.status_code, again.json()["type"], again.json()["state"]) == (
        409,
        "/problems/not-cancellable",
        "cancelled",
    )


async def test_the_call_center_cancels_for_the_customer_and_it_shows(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    customer, _, order, _ = await ready(shop, store, (item, 1))
    path = f"/v1/orders/{order['number']}/cancel"
    other_manager = await shop.staff("store_manager", "elsewhere")
    refused = await other_manager.post(path, {"reason": "other"})
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/order-not-allowed")
    agent = await shop.staff("call_center", channel="call_center")
    assert (await agent.post(path, {"reason": "takes_too_long"})).status_code == 200
    timeline = (await customer.get(f"/v1/orders/{order['number']}/timeline")).json()["entries"]
    last = [entry for entry in timeline if entry["fulfillment"] is None][-1]
    assert (last["what"], last["who"], last["who_id"], last["channel"]) == (
        "cancelled", "staff", str(agent.actor.subject), "call_center"
    )  # fmt: skip
    assert last["data"] == {"reason": "takes_too_long", "units": {order["lines"][0]["id"]: 1}}


async def test_the_store_gives_up_one_line_and_hands_over_the_other(shop: Shop) -> None:
    store, broken, good = await shop.store(), await shop.item(price=100), await shop.item(price=700)
    customer, staff, order, code = await ready(shop, store, (broken, 2), (good, 1))
    number = order["fulfillments"][0]["number"]
    body = {"reason": "damaged", "note": "Fell off the shelf", "lines": [{"sku": broken.sku, "quantity": 2}]}
    part = await step(staff, store, number, "cancel", body)
    assert (part.status_code, part.json()["order_state"], part.json()["units"]) == (200, "placed", 2)
    assert await levels(shop, broken, store) == (4, 0)
    assert await levels(shop, good, store) == (2, 1)
    too_many = await step(staff, store, number, "cancel", body)
    assert (too_many.status_code, too_many.json()["left"]) == (422, 0)
    done = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(700)]})
    assert (done.json()["state"], done.json()["order_state"]) == ("collected", "completed")
    seen = (await customer.get(f"/v1/orders/{order['number']}")).json()
    assert (seen["payment_status"], seen["fulfillment_status"], seen["owed"]) == ("paid", "fulfilled", rub(0))
    closed = await step(staff, store, number, "cancel", {"reason": "other"})
    assert (closed.status_code, closed.json()["type"]) == (409, "/problems/wrong-step")


async def test_what_is_left_after_a_part_is_cancelled_completes_the_order(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    customer, staff, order, code = await ready(shop, store, (item, 3))
    number = order["fulfillments"][0]["number"]
    lines = [{"sku": item.sku, "quantity": 1}]
    await step(staff, store, number, "collect", {"code": code, "tenders": [cash(100)], "lines": lines})
    done = await customer.post(f"/v1/orders/{order['number']}/cancel", {"reason": "changed_mind"})
    assert (done.json()["state"], done.json()["units"]) == ("completed", 2)
    assert await levels(shop, item, store) == (4, 0)
    seen = (await customer.get(f"/v1/orders/{order['number']}")).json()
    assert (seen["payment_status"], seen["fulfillments"][0]["state"]) == ("paid", "collected")


async def test_a_thing_without_a_price_to_pay_is_handed_over_without_money(shop: Shop) -> None:
    store, gift = await shop.store(), await shop.item(price=0)
    customer, staff, order, code = await ready(shop, store, (gift, 1))
    number = order["fulfillments"][0]["number"]
    done = await step(staff, store, number, "collect", {"code": code, "tenders": []})
    assert (done.status_code, done.json()["paid"]) == (200, rub(0))
    seen = (await customer.get(f"/v1/orders/{order['number']}")).json()
    assert (seen["payment_status"], seen["payments"]) == ("paid", [])


async def test_a_broken_promise_is_not_handed_over(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    _, staff, order, code = await ready(shop, store, (item, 2))
    number = order["fulfillments"][0]["number"]

    async def theft(tx: Tx) -> None:
        await stock.sell(
            tx, shop.system, cause=stock.Cause("test_sale", store.id), location_id=store.id, occurred_at=tx.at,
            lines=[stock.SaleLine(line_id=item.id, variant_id=item.id, quantity=3)],
        )  # fmt: skip

    await shop.db.write(theft)
    refused = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(200)]})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/reservation-short")
    assert refused.json()["lines"] == [{"line_id": order["lines"][0]["id"], "wanted": 2, "left": 1}]
    lines = [{"sku": item.sku, "quantity": 1}]
    one = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(100)], "lines": lines})
    assert (one.status_code, one.json()["left"]) == (200, 1)
    rest = await step(staff, store, number, "cancel", {"reason": "out_of_stock"})
    assert (rest.json()["order_state"], rest.json()["units"]) == ("completed", 1)


@pytest.mark.parametrize("count", [1, 20])
async def test_nine_statements_whatever_the_number_of_lines(shop: Shop, app: Litestar, count: int) -> None:
    db: Database = app.state.db
    for _ in range(2):
        store = await shop.store()
        wanted = [(await shop.item(price=100), 1) for _ in range(count)]
        _, staff, order, code = await ready(shop, store, *wanted)
        number = order["fulfillments"][0]["number"]
        async with count_statements(db) as counted:
            done = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(100 * count)]})
        assert done.status_code == 200
    assert len(counted) == 9
