"""The shelf is empty: the goods are sent there, or are still expected; a store that cannot do it passes the work on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from commerce import parts, stock
from commerce.infra import outbox
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from commerce.locations import tables as location_tables
from tests.orders.story import cash, order_body, pickup_code, place, put, rub, step
from tests.support import Client, Item, Shop, Store

pytestmark = pytest.mark.usefixtures("audited")


async def linked(shop: Shop, store: Store, *sources: Store) -> None:
    """The store may draw on these, in this order."""

    async def work(tx: Tx) -> None:
        for n, source in enumerate(sources):
            tx.queue(
                location_tables.links, location_id=store.id, source_id=source.id, priority=n, transit_hours=24, departures=None, cost_amount=0
            )  # fmt: skip

    await shop.db.write(work)


async def levels_at(db: Database, item: Item, *stores: Store) -> list[tuple[int, int, int, int]]:
    """available, committed, in_transit and in_transit_committed at each store."""
    found = {
        level.location_id: (level.available, level.committed, level.in_transit, level.in_transit_committed)
        for level in await db.read(stock.levels, variant_ids=[item.id])
    }
    return [found.get(store.id, (0, 0, 0, 0)) for store in stores]


async def news(shop: Shop) -> None:
    """Everything published is heard."""
    await outbox.drain(shop.db, parts.subscribers())


def later(store: Store) -> dict[str, Any]:
    return {"pickup": {"location": store.code, "later": True}}


async def seen(client: Client, order: dict[str, Any]) -> dict[str, Any]:
    answer = await client.get(f"/v1/orders/{order['number']}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def bring(
    shop: Shop, source: Store, store: Store, number: str, lines: Any = None, short: str | None = None
) -> None:
    """A transfer leaves its source and arrives whole."""
    sender, receiver = await shop.staff("store_manager", source.code), await shop.staff("store_manager", store.code)
    body = {"lines": lines, "short_reason": short} if lines else None
    answer = await sender.post(f"/v1/stores/{source.code}/transfers/{number}/dispatch", body or {})
    assert answer.status_code == 200, answer.text
    answer = await receiver.post(f"/v1/stores/{store.code}/transfers/{number}/receive", {})
    assert answer.status_code == 200, answer.text
    await news(shop)


async def transfer_of(shop: Shop, store: Store, state: str = "ready") -> str:
    manager = await shop.staff("store_manager", store.code)
    answer = await manager.get(f"/v1/stores/{store.code}/transfers")
    found = [entry["number"] for entry in answer.json()["items"] if entry["state"] == state]
    assert len(found) == 1, answer.text
    return str(found[0])


async def test_an_empty_shelf_names_the_later_date_and_takes_nothing(db: Database, shop: Shop) -> None:
    warehouse, store, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, warehouse)
    await shop.stock(warehouse, item, 5)
    customer = await shop.shopper()
    await put(customer, (item, 2))
    refused = await customer.post("/v1/orders", order_body(store, 2000))
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/insufficient-stock")
    assert refused.json()["lines"][0]["left"] == 0
    assert refused.json()["later"]["from_at"] > (db.clock() + timedelta(hours=24)).isoformat()
    assert await levels_at(db, item, warehouse) == [(5, 0, 0, 0)]
    assert len((await customer.get("/v1/carts/current")).json()["lines"]) == 1


async def test_goods_are_sent_to_the_store_and_collected_there(db: Database, shop: Shop) -> None:
    warehouse, store, item, here = (
        await shop.store(),
        await shop.store(),
        await shop.item(price=1000),
        await shop.item(price=500),
    )
    await linked(shop, store, warehouse)
    await shop.stock(warehouse, item, 5)
    await shop.stock(store, here, 1)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (item, 2), (here, 1), **later(store))
    work = order["fulfillments"][0]
    assert (work["state"], work["location"]) == ("awaiting_transfer", store.code)
    assert work["promise"]["from_at"] > (db.clock() + timedelta(hours=24)).isoformat()
    assert await levels_at(db, item, warehouse, store) == [(3, 2, 0, 0), (0, 0, 0, 0)]
    assert (await step(staff, store, work["number"], "accept")).status_code == 409
    plans = (await staff.get(f"/v1/orders/{order['number']}/sourcing")).json()["items"]
    assert [(entry["location"], entry["quantity"]) for entry in plans[0]["allocations"]] == [
        (store.code, 1), (warehouse.code, 2),
    ] or [(entry["location"], entry["quantity"]) for entry in plans[0]["allocations"]] == [
        (warehouse.code, 2), (store.code, 1),
    ]  # fmt: skip

    await bring(shop, warehouse, store, await transfer_of(shop, store))
    assert await levels_at(db, item, warehouse, store) == [(3, 0, 0, 0), (0, 2, 0, 0)]
    assert (await seen(customer, order))["fulfillments"][0]["state"] == "open"
    number = work["number"]
    scans = [{"sku": line["sku"], "quantity": line["quantity"]} for line in order["lines"]]
    for name, body in (("accept", None), ("pick", {"scans": scans}), ("ready", None)):
        assert (await step(staff, store, number, name, body)).status_code == 200
    code = await pickup_code(customer, order)
    done = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(2500)]})
    assert (done.status_code, done.json()["order_state"], done.json()["paid"]) == (200, "completed", rub(2500))


async def test_what_may_wait_is_sold_before_it_is_there(db: Database, shop: Shop) -> None:
    warehouse, store = await shop.store(), await shop.store()
    item = await shop.item(price=1000, when_out="backorder")
    await linked(shop, store, warehouse)
    plan = stock.Expect(id=uuid7(), variant_id=item.id, quantity=3)
    await db.write(
        stock.expect, shop.system, kind="supply", document_id=uuid7(), location_id=warehouse.id,
        expected_on=db.clock().date() + timedelta(days=7), lines=[plan],
    )  # fmt: skip
    customer = await shop.shopper()
    order = await place(customer, store, (item, 2), **later(store))
    work = order["fulfillments"][0]
    assert work["state"] == "scheduled"
    assert work["promise"]["from_at"] > (db.clock() + timedelta(days=7)).isoformat()[:10]
    await put(customer, (item, 2))
    refused = await customer.post("/v1/orders", order_body(store, 2000, **later(store)))
    assert (refused.status_code, refused.json()["lines"][0]["left"]) == (409, 1)

    arrived = stock.ReceiptLine(variant_id=item.id, quantity=3, expected_id=plan.id)
    await db.write(
        stock.receive, shop.system, cause=stock.Cause("test_receipt", uuid7()), location_id=warehouse.id, lines=[arrived]
    )  # fmt: skip
    await news(shop)
    assert (await seen(customer, order))["fulfillments"][0]["state"] == "awaiting_transfer"
    await bring(shop, warehouse, store, await transfer_of(shop, store))
    assert (await seen(customer, order))["fulfillments"][0]["state"] == "open"
    assert await levels_at(db, item, warehouse, store) == [(1, 0, 0, 0), (0, 2, 0, 0)]


async def test_cancelling_frees_goods_wherever_they_are(db: Database, shop: Shop) -> None:
    warehouse, store, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, warehouse)
    await shop.stock(warehouse, item, 5)
    customer = await shop.shopper()
    order = await place(customer, store, (item, 2), **later(store))
    answer = await customer.post(f"/v1/orders/{order['number']}/cancel", {"reason": "changed_mind"})
    assert (answer.status_code, answer.json()["state"]) == (200, "cancelled")
    assert await levels_at(db, item, warehouse, store) == [(5, 0, 0, 0), (0, 0, 0, 0)]
    again = await place(customer, store, (item, 2), **later(store))
    sender = await shop.staff("store_manager", warehouse.code)
    number = await transfer_of(shop, store)
    assert (await sender.post(f"/v1/stores/{warehouse.code}/transfers/{number}/dispatch", {})).status_code == 200
    await news(shop)
    await customer.post(f"/v1/orders/{again['number']}/cancel", {"reason": "changed_mind"})
    assert await levels_at(db, item, warehouse, store) == [(3, 0, 0, 0), (0, 0, 2, 0)]
    receiver = await shop.staff("store_manager", store.code)
    assert (await receiver.post(f"/v1/stores/{store.code}/transfers/{number}/receive", {})).status_code == 200
    assert await levels_at(db, item, warehouse, store) == [(3, 0, 0, 0), (2, 0, 0, 0)]


async def test_a_store_that_cannot_passes_the_work_on(db: Database, shop: Shop) -> None:
    warehouse, store, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, warehouse)
    await shop.stock(warehouse, item, 5)
    await shop.stock(store, item, 2)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (item, 2))
    number = order["fulfillments"][0]["number"]
    rejected = await step(staff, store, number, "reject", {"reason": "out_of_stock", "note": "empty box"})
    assert rejected.status_code == 200, rejected.text
    body = rejected.json()
    assert (body["state"], body["units"], body["asked"], body["successor"]) == (
        "rejected",
        2,
        False,
        f"{order['number']}-2",
    )
    # What nobody found has left the shelf in the books, too.
    assert await levels_at(db, item, warehouse, store) == [(3, 2, 0, 0), (0, 0, 0, 0)]
    works = {work["number"]: work for work in (await seen(customer, order))["fulfillments"]}
    assert (works[number]["state"], works[body["successor"]]["state"]) == ("rejected", "awaiting_transfer")
    assert (await step(staff, store, number, "reject", {"reason": "other"})).status_code == 409
    await news(shop)
    tasks = (await staff.get(f"/v1/stores/{store.code}/count-tasks")).json()["items"]
    assert [(task["sku"], task["reason"], task["quantity"]) for task in tasks] == [(item.sku, "short_pick", 2)]
    await bring(shop, warehouse, store, await transfer_of(shop, store))
    assert (await seen(customer, order))["fulfillments"][1]["state"] == "open"


async def test_when_nobody_has_it_the_customer_is_asked(db: Database, shop: Shop) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await shop.stock(store, item, 2)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (item, 2))
    path = f"/v1/orders/{order['number']}/choice"
    assert (await customer.post(path, {"cancel": True})).json()["type"] == "/problems/nothing-to-choose"
    number = order["fulfillments"][0]["number"]
    rejected = (await step(staff, store, number, "reject", {"reason": "damaged"})).json()
    assert (rejected["asked"], rejected["successor"]) == (True, None)
    shown = await seen(customer, order)
    assert [(ask["reason"], ask["units"]) for ask in shown["choices"]] == [
        ("damaged", [{"sku": item.sku, "quantity": 2}])
    ]
    assert shown["state"] == "placed"
    assert (await customer.post(path, {})).status_code == 422
    assert (await (await shop.shopper()).post(path, {"cancel": True})).status_code == 404
    short = await customer.post(path, {"location": other.code})
    assert (short.status_code, short.json()["type"]) == (409, "/problems/insufficient-stock")
    await shop.stock(other, item, 2)
    chosen = await customer.post(path, {"location": other.code})
    assert (chosen.status_code, chosen.json()["successor"]) == (200, f"{order['number']}-2")
    shown = await seen(customer, order)
    assert (shown["choices"], shown["fulfillments"][1]["location"], shown["fulfillments"][1]["state"]) == (
        [],
        other.code,
        "open",
    )
    assert await levels_at(db, item, store, other) == [(0, 0, 0, 0), (0, 2, 0, 0)]


@pytest.mark.parametrize("by", ["answer", "cancel"])
async def test_the_customer_does_not_want_it_any_more(db: Database, shop: Shop, by: str) -> None:
    store, item, good = await shop.store(), await shop.item(price=1000), await shop.item(price=500)
    await shop.stock(store, item, 2)
    await shop.stock(store, good, 1)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (item, 2), (good, 1))
    await step(staff, store, order["fulfillments"][0]["number"], "reject", {"reason": "recalled"})
    if by == "answer":
        done = await customer.post(f"/v1/orders/{order['number']}/choice", {"cancel": True})
    else:
        done = await customer.post(f"/v1/orders/{order['number']}/cancel", {"reason": "changed_mind"})
    assert (done.status_code, done.json()["state"]) == (200, "cancelled"), done.text
    shown = await seen(customer, order)
    assert (shown["state"], shown["choices"], [line["cancelled"] for line in shown["lines"]]) == (
        "cancelled",
        [],
        [2, 1],
    )
    assert await levels_at(db, item, store) == [(2, 0, 0, 0)]


async def test_what_a_source_leaves_behind_comes_from_the_next(db: Database, shop: Shop) -> None:
    first, second, store, item = await shop.store(), await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, first, second)
    await shop.stock(first, item, 3)
    await shop.stock(second, item, 3)
    customer = await shop.shopper()
    order = await place(customer, store, (item, 3), **later(store))
    assert await levels_at(db, item, first, second) == [(0, 3, 0, 0), (3, 0, 0, 0)]
    number = await transfer_of(shop, store)
    await bring(shop, first, store, number, lines=[{"sku": item.sku, "quantity": 1}], short="not_found")
    works = (await seen(customer, order))["fulfillments"]
    assert [(work["state"], [line["quantity"] - line["passed_on"] for line in work["lines"]]) for work in works] == [
        ("open", [1]), ("awaiting_transfer", [2]),
    ]  # fmt: skip
    assert (await levels_at(db, item, second, store)) == [(1, 2, 0, 0), (0, 1, 0, 0)]
    await bring(shop, second, store, await transfer_of(shop, store))
    assert [work["state"] for work in (await seen(customer, order))["fulfillments"]] == ["open", "open"]


async def test_staff_answer_for_the_customer_at_the_store_that_could_not(db: Database, shop: Shop) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await shop.stock(store, item, 2)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    stranger, associate = await shop.staff("store_manager", other.code), await shop.staff("associate", store.code)
    order = await place(customer, store, (item, 2))
    await step(staff, store, order["fulfillments"][0]["number"], "reject", {"reason": "recalled"})
    path = f"/v1/orders/{order['number']}/choice"
    for nobody in (stranger, associate):
        refused = await nobody.post(path, {"cancel": True})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/order-not-allowed")
    shown = await seen(customer, order)
    assert (shown["state"], len(shown["choices"])) == ("placed", 1)
    assert (await staff.post(path, {"cancel": True})).json()["state"] == "cancelled"
    assert (await seen(customer, order))["choices"] == []


@pytest.mark.parametrize("by", ["check", "collect"])
async def test_what_the_store_makes_up_itself_is_not_sent_any_more(db: Database, shop: Shop, by: str) -> None:
    warehouse, store, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, warehouse)
    await shop.stock(warehouse, item, 2)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (item, 2), **later(store))
    number, transfer = order["fulfillments"][0]["number"], await transfer_of(shop, store)
    # All of it is stolen before it leaves; the store finds two on its own shelf.
    loss = stock.Cause("test_loss", uuid7())
    await db.write(
        stock.adjust, shop.system, cause=loss, location_id=warehouse.id, variant_id=item.id, delta=-2, reason="theft"
    )
    await news(shop)
    await shop.stock(store, item, 2)
    assert (await seen(customer, order))["fulfillments"][0]["state"] == "open"
    if by == "check":
        assert (await step(staff, store, number, "check")).json()["at_risk"] is False
    scans = [{"sku": item.sku, "quantity": 2}]
    for name, body in (("accept", None), ("pick", {"scans": scans}), ("ready", None)):
        assert (await step(staff, store, number, name, body)).status_code == 200
    code = await pickup_code(customer, order)
    done = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(2000)]})
    assert (done.status_code, done.json()["order_state"]) == (200, "completed")
    shown = (await staff.get(f"/v1/stores/{store.code}/transfers/{transfer}")).json()
    assert (shown["state"], shown["cancel_reason"], [line["cancelled"] for line in shown["lines"]]) == (
        "cancelled", "made_up", [2],
    )  # fmt: skip
    assert await levels_at(db, item, warehouse, store) == [(0, 0, 0, 0), (0, 0, 0, 0)]
