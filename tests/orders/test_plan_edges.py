"""Goods for one pickup come from several places, and something else happens before they are there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from commerce import stock
from commerce.infra.db import Database
from commerce.kernel.ids import uuid7
from tests.orders.story import place, step
from tests.orders.test_plan import bring, later, levels_at, linked, news, seen, transfer_of
from tests.support import Item, Shop, Store

pytestmark = pytest.mark.usefixtures("audited")


async def gone(shop: Shop, store: Store, item: Item, units: int) -> None:
    """A physical fact takes units of a shelf, promised or not."""
    await shop.db.write(
        stock.sell, shop.system, cause=stock.Cause("test_sale", uuid7()), location_id=store.id,
        lines=[stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=units)],
    )  # fmt: skip


async def transfers_of(shop: Shop, store: Store) -> dict[str, tuple[str, str]]:
    """Number and state of the transfers on their way to a store, by source."""
    manager = await shop.staff("store_manager", store.code)
    answer = await manager.get(f"/v1/stores/{store.code}/transfers")
    return {entry["source"]: (entry["number"], entry["state"]) for entry in answer.json()["items"]}


def left(work: dict[str, Any]) -> tuple[str, list[int]]:
    return work["state"], [line["quantity"] - line["passed_on"] - line["cancelled"] for line in work["lines"]]


@pytest.mark.parametrize("order_of_links", [1, -1])
@pytest.mark.parametrize("taken", ["nothing", "first", "second"])
async def test_what_stays_of_a_pickup_is_still_brought(
    db: Database, shop: Shop, taken: str, order_of_links: int
) -> None:
    first, second, store, item = await shop.store(), await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, *(first, second)[::order_of_links])
    await shop.stock(first, item, 1)
    await shop.stock(second, item, 1)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (item, 2), **later(store))
    if taken != "nothing":
        await gone(shop, {"first": first, "second": second}[taken], item, 1)
        await news(shop)
    number = order["fulfillments"][0]["number"]
    body = {"reason": "customer_cancelled", "lines": [{"sku": item.sku, "quantity": 1}]}
    answer = await step(staff, store, number, "cancel", body)
    assert answer.status_code == 200, answer.text
    found = await transfers_of(shop, store)
    (source,) = [one for one in (first, second) if (await levels_at(db, item, one))[0][1] == 1]
    other = second if source is first else first
    assert found[source.code][1] == "ready"
    assert found[other.code][1] == "cancelled"
    await bring(shop, source, store, found[source.code][0])
    assert left((await seen(customer, order))["fulfillments"][0]) == ("open", [1])
    assert (await levels_at(db, item, store))[0] == (0, 1, 0, 0)


async def test_what_is_left_of_a_pickup_stands_at_the_store(db: Database, shop: Shop) -> None:
    source, store, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, source)
    await shop.stock(store, item, 1)
    await shop.stock(source, item, 1)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (item, 2), **later(store))
    number = order["fulfillments"][0]["number"]
    body = {"reason": "customer_cancelled", "lines": [{"sku": item.sku, "quantity": 1}]}
    answer = await step(staff, store, number, "cancel", body)
    assert answer.status_code == 200, answer.text
    assert await levels_at(db, item, source, store) == [(1, 0, 0, 0), (0, 1, 0, 0)]
    assert left((await seen(customer, order))["fulfillments"][0]) == ("open", [1])
    assert (await step(staff, store, number, "accept")).status_code == 200


@pytest.mark.parametrize("hint", ["all", "half"])
async def test_what_is_missing_on_the_way_is_asked_about_in_any_order_of_news(
    shop: Shop, db: Database, hint: str
) -> None:
    source, store, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, source)
    await shop.stock(source, item, 2)
    customer = await shop.shopper()
    order = await place(customer, store, (item, 2), **later(store))
    number = await transfer_of(shop, store)
    sender, receiver = await shop.staff("store_manager", source.code), await shop.staff("store_manager", store.code)
    assert (await sender.post(f"/v1/stores/{source.code}/transfers/{number}/dispatch", {})).status_code == 200
    came = 0 if hint == "all" else 1
    line = {"sku": item.sku, "received": came, "missing": 2 - came, "reason": "lost"}
    answer = await receiver.post(f"/v1/stores/{store.code}/transfers/{number}/receive", {"lines": [line]})
    assert answer.status_code == 200, answer.text
    await news(shop)
    shown = await seen(customer, order)
    assert left(shown["fulfillments"][0]) == (("rejected", [0]) if came == 0 else ("open", [1]))
    assert [ask["units"] for ask in shown["choices"]] == [[{"sku": item.sku, "quantity": 2 - came}]]


async def test_what_was_found_before_the_news_is_not_asked_about(shop: Shop, db: Database) -> None:
    source, store, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, source)
    await shop.stock(source, item, 1)
    customer = await shop.shopper()
    order = await place(customer, store, (item, 1), **later(store))
    number = await transfer_of(shop, store)
    sender, receiver = await shop.staff("store_manager", source.code), await shop.staff("store_manager", store.code)
    assert (await sender.post(f"/v1/stores/{source.code}/transfers/{number}/dispatch", {})).status_code == 200
    body = {"lines": [{"sku": item.sku, "missing": 1, "reason": "lost"}]}
    answer = await receiver.post(f"/v1/stores/{store.code}/transfers/{number}/receive", body)
    assert answer.status_code == 200, answer.text
    await shop.stock(store, item, 1)
    work = order["fulfillments"][0]["number"]
    checked = await step(receiver, store, work, "check")
    assert (checked.status_code, checked.json()["found"]) == (200, [{"sku": item.sku, "quantity": 1}])
    await news(shop)
    shown = await seen(customer, order)
    assert (left(shown["fulfillments"][0]), shown["choices"]) == (("open", [1]), [])
    assert await levels_at(db, item, store) == [(0, 1, 0, 0)]


async def test_a_cancelled_transfer_takes_nothing_that_stands_at_the_store(db: Database, shop: Shop) -> None:
    source, store, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, source)
    await shop.stock(store, item, 1)
    await shop.stock(source, item, 2)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    sender = await shop.staff("store_manager", source.code)
    order = await place(customer, store, (item, 3), **later(store))
    number = await transfer_of(shop, store)
    answer = await sender.post(f"/v1/transfers/{number}/cancel", {"reason": "not here"})
    assert answer.status_code == 200, answer.text
    body = {"reason": "customer_cancelled", "lines": [{"sku": item.sku, "quantity": 1}]}
    assert (await step(staff, store, order["fulfillments"][0]["number"], "cancel", body)).status_code == 200
    await news(shop)
    shown = await seen(customer, order)
    assert left(shown["fulfillments"][0]) == ("open", [1])
    assert [ask["units"] for ask in shown["choices"]] == [[{"sku": item.sku, "quantity": 1}]]
    assert await levels_at(db, item, source, store) == [(2, 0, 0, 0), (0, 1, 0, 0)]


async def test_what_the_store_lost_is_not_what_its_source_left_behind(db: Database, shop: Shop) -> None:
    source, store, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, source)
    await shop.stock(store, item, 1)
    await shop.stock(source, item, 1)
    customer = await shop.shopper()
    sender = await shop.staff("store_manager", source.code)
    order = await place(customer, store, (item, 2), **later(store))
    await gone(shop, store, item, 1)
    number = await transfer_of(shop, store)
    answer = await sender.post(f"/v1/transfers/{number}/cancel", {"reason": "not here"})
    assert answer.status_code == 200, answer.text
    await news(shop)
    assert await levels_at(db, item, source, store) == [(1, 0, 0, 0), (0, 0, 0, 0)]
    assert left((await seen(customer, order))["fulfillments"][0]) == ("open", [1])


async def test_goods_lost_at_their_source_and_left_behind_are_no_risk_any_more(db: Database, shop: Shop) -> None:
    source, store, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, source)
    await shop.stock(source, item, 2)
    customer = await shop.shopper()
    order = await place(customer, store, (item, 2), **later(store))
    await gone(shop, source, item, 1)
    await news(shop)
    number = await transfer_of(shop, store)
    await bring(shop, source, store, number, lines=[{"sku": item.sku, "quantity": 1}], short="not_found")
    work = (await seen(customer, order))["fulfillments"][0]
    assert left(work) == ("open", [1])


async def test_a_bundle_at_the_store_stays_when_another_does_not_come(db: Database, shop: Shop) -> None:
    source, store = await shop.store(), await shop.store()
    cup, plate = await shop.item(price=1000), await shop.item(price=500)
    kit = await shop.bundle({cup: 2, plate: 1}, price=1400)
    await linked(shop, store, source)
    for place_, sets in ((store, 1), (source, 1)):
        await shop.stock(place_, cup, 2 * sets)
        await shop.stock(place_, plate, sets)
    customer = await shop.shopper()
    sender = await shop.staff("store_manager", source.code)
    order = await place(customer, store, (kit, 2), **later(store))
    number = await transfer_of(shop, store)
    answer = await sender.post(f"/v1/transfers/{number}/cancel", {"reason": "not here"})
    assert answer.status_code == 200, answer.text
    await news(shop)
    shown = await seen(customer, order)
    assert left(shown["fulfillments"][0]) == ("open", [1])
    assert await levels_at(db, cup, source, store) == [(2, 0, 0, 0), (0, 2, 0, 0)]
    assert await levels_at(db, plate, source, store) == [(1, 0, 0, 0), (0, 1, 0, 0)]


async def test_a_store_writes_down_only_what_it_had(db: Database, shop: Shop) -> None:
    source, store, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, source)
    await shop.stock(source, item, 2)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (item, 2), **later(store))
    await bring(
        shop, source, store, await transfer_of(shop, store), lines=[{"sku": item.sku, "quantity": 1}], short="not_found"
    )
    await shop.stock(store, item, 5)
    answer = await step(staff, store, order["fulfillments"][0]["number"], "reject", {"reason": "out_of_stock"})
    assert answer.status_code == 200, answer.text
    assert (await levels_at(db, item, store))[0][0] == 5


async def test_what_a_pickup_lost_is_not_written_down_again(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=1000)
    await shop.stock(store, item, 2)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (item, 2))
    await gone(shop, store, item, 1)
    await news(shop)
    await shop.stock(store, item, 5)
    answer = await step(staff, store, order["fulfillments"][0]["number"], "reject", {"reason": "out_of_stock"})
    assert answer.status_code == 200, answer.text
    assert (await levels_at(db, item, store))[0][0] == 5


@pytest.mark.parametrize("come", [0, 1])
async def test_a_transfer_that_waited_for_a_delivery_in_vain(db: Database, shop: Shop, come: int) -> None:
    source, store = await shop.store(), await shop.store()
    item = await shop.item(price=1000, when_out="backorder")
    await linked(shop, store, source)
    plan = stock.Expect(id=uuid7(), variant_id=item.id, quantity=2)
    await db.write(
        stock.expect, shop.system, kind="supply", document_id=uuid7(), location_id=source.id,
        expected_on=db.clock().date() + timedelta(days=7), lines=[plan],
    )  # fmt: skip
    customer = await shop.shopper()
    order = await place(customer, store, (item, 2), **later(store))
    if come:
        await db.write(
            stock.receive, shop.system, cause=stock.Cause("test_receipt", uuid7()), location_id=source.id,
            lines=[stock.ReceiptLine(variant_id=item.id, quantity=come, expected_id=plan.id)],
        )  # fmt: skip
    await news(shop)
    await db.write(
        stock.change_expected, shop.system, cause=stock.Cause("supply_changed", uuid7()),
        changes=[stock.ExpectedChange(id=plan.id, cancelled=2 - come)],
    )  # fmt: skip
    await news(shop)
    shown = await seen(customer, order)
    assert [ask["units"] for ask in shown["choices"]] == [[{"sku": item.sku, "quantity": 2 - come}]]
    found = await transfers_of(shop, store)
    if come:
        assert found[source.code][1] == "ready"
        await bring(shop, source, store, found[source.code][0])
        assert left((await seen(customer, order))["fulfillments"][0]) == ("open", [1])
    else:
        assert found[source.code][1] == "cancelled"
        assert left(shown["fulfillments"][0]) == ("rejected", [0])


@pytest.mark.parametrize("what", ["left_behind", "missing"])
async def test_a_bundle_of_which_a_part_does_not_come_is_given_up_whole(db: Database, shop: Shop, what: str) -> None:
    source, store = await shop.store(), await shop.store()
    cup, plate = await shop.item(price=1000), await shop.item(price=500)
    kit = await shop.bundle({cup: 2, plate: 1}, price=1400)
    await linked(shop, store, source)
    await shop.stock(source, cup, 4)
    await shop.stock(source, plate, 2)
    customer = await shop.shopper()
    sender, receiver = await shop.staff("store_manager", source.code), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (kit, 2), **later(store))
    number = await transfer_of(shop, store)
    body: dict[str, Any] = {}
    if what == "left_behind":
        lines = [{"sku": cup.sku, "quantity": 4}, {"sku": plate.sku, "quantity": 1}]
        body = {"lines": lines, "short_reason": "not_found"}
    answer = await sender.post(f"/v1/stores/{source.code}/transfers/{number}/dispatch", body)
    assert answer.status_code == 200, answer.text
    if what == "left_behind":
        await news(shop)
        assert await levels_at(db, cup, source, store) == [(0, 0, 0, 0), (0, 0, 2, 2)]
        assert await levels_at(db, plate, source, store) == [(1, 0, 0, 0), (0, 0, 0, 1)]
        body = {}
    else:
        body = {
            "lines": [
                {"sku": cup.sku, "received": 4},
                {"sku": plate.sku, "received": 1, "missing": 1, "reason": "lost"},
            ]
        }
    answer = await receiver.post(f"/v1/stores/{store.code}/transfers/{number}/receive", body)
    assert (answer.status_code, answer.json()["state"]) == (200, "received"), answer.text
    await news(shop)
    shown = await seen(customer, order)
    assert left(shown["fulfillments"][0]) == ("open", [1])
    assert [ask["units"] for ask in shown["choices"]] == [[{"sku": kit.sku, "quantity": 1}]]
    assert (await levels_at(db, cup, store), await levels_at(db, plate, store)) == ([(2, 2, 0, 0)], [(0, 1, 0, 0)])


@pytest.mark.parametrize("end", ["cancel", "reject", "customer"])
async def test_nothing_is_left_to_send_for_a_pickup_that_is_over(db: Database, shop: Shop, end: str) -> None:
    source, store, item = await shop.store(), await shop.store(), await shop.item(price=1000)
    await linked(shop, store, source)
    await shop.stock(source, item, 1)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (item, 1), **later(store))
    await gone(shop, source, item, 1)
    await news(shop)
    work = (await seen(customer, order))["fulfillments"][0]
    assert left(work) == ("open", [1])
    if end == "customer":
        answer = await customer.post(f"/v1/orders/{order['number']}/cancel", {"reason": "changed_mind"})
    else:
        answer = await step(staff, store, work["number"], end, {"reason": "out_of_stock"})
    assert answer.status_code == 200, answer.text
    assert (await transfers_of(shop, store))[source.code][1] == "cancelled"
