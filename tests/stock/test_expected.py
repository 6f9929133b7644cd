"""What is announced: promised before it is there, committed when it arrives, broken when it does not come."""

from __future__ import annotations

import asyncio
from datetime import date
from uuid import UUID

import pytest

from commerce import stock
from commerce.infra.db import Database
from commerce.kernel.ids import uuid7
from tests.stock.shelves import aside, events_of, fresh, fulfillment, movements_of, shelf
from tests.support import Item, Shop, Store

pytestmark = pytest.mark.usefixtures("audited")
SOON = date(2027, 3, 1)


async def announce(db: Database, shop: Shop, store: Store, item: Item, quantity: int, on: date = SOON) -> UUID:
    """Goods are announced; the plan row."""
    line = stock.Expect(id=uuid7(), variant_id=item.id, quantity=quantity, unit_cost=700)
    await db.write(
        stock.expect, shop.system, kind="supply", document_id=uuid7(), location_id=store.id, expected_on=on, lines=[line]
    )  # fmt: skip
    return line.id


async def stand_on(
    db: Database, shop: Shop, store: Store, item: Item, plan: UUID, quantity: int
) -> tuple[stock.Owner, UUID]:
    """An order stands on what is announced."""
    owner, line = fulfillment(), uuid7()
    demand = stock.Demand(line_id=line, location_id=store.id, variant_id=item.id, quantity=quantity, expected_id=plan)
    await db.write(
        stock.promise, shop.system, owner=owner, demands=[demand], cause=stock.Cause("order_placed", owner.id)
    )
    return owner, line


async def state_of(db: Database, store: Store, item: Item) -> list[tuple[int, int, int, int]]:
    """quantity, received, cancelled and promised of what is still to come."""
    found = await db.read(stock.inbound, variant_ids=[item.id], location_ids=[store.id])
    return [(plan.quantity, plan.received, plan.cancelled, plan.promised) for plan in found]


async def receive(
    db: Database,
    shop: Shop,
    store: Store,
    item: Item,
    plan: UUID,
    quantity: int,
    bucket: stock.ShelfBucket = "available",
) -> stock.Cause:
    cause = fresh("receipt")
    line = stock.ReceiptLine(variant_id=item.id, quantity=quantity, unit_cost=700, expected_id=plan, bucket=bucket)
    await db.write(stock.receive, shop.system, cause=cause, location_id=store.id, lines=[line])
    return cause


async def test_what_arrives_serves_those_who_waited_the_oldest_first(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    plan = await announce(db, shop, store, item, 10)
    first, _ = await stand_on(db, shop, store, item, plan, 4)
    second, _ = await stand_on(db, shop, store, item, plan, 3)
    assert await state_of(db, store, item) == [(10, 0, 0, 7)]
    assert await shelf(db, store, item) == (0, 0, 0)

    part = await receive(db, shop, store, item, plan, 5)
    assert await movements_of(db, part) == [(4, "supplier", "committed"), (1, "supplier", "committed")]
    assert [(kind, body["fulfillment_ids"]) for kind, body in await events_of(db, part)] == [
        ("stock.promise_arrived", sorted(map(str, (first.id, second.id))))
    ]
    assert await aside(db, first) == [("committed", 4, 4, 0)]
    assert sorted(await aside(db, second)) == [("committed", 1, 1, 0), ("committed", 2, 2, 0)]
    assert await state_of(db, store, item) == [(10, 5, 0, 2)]

    rest = await receive(db, shop, store, item, plan, 7)  # two more than announced
    assert await movements_of(db, rest) == [
        (2, "supplier", "committed"), (3, "supplier", "available"), (2, "supplier", "available"),
    ]  # fmt: skip
    assert await state_of(db, store, item) == []
    assert await shelf(db, store, item) == (5, 0, 7)
    handed = await db.write(stock.hand_over, shop.system, owner=second, cause=fresh())
    assert [(done.quantity, done.unit_cost) for done in handed] == [(3, 700)]


async def test_no_more_is_promised_than_is_announced(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    plan = await announce(db, shop, store, item, 5)

    async def one() -> list[tuple[int, int]]:
        try:
            await stand_on(db, shop, store, item, plan, 2)
        except stock.InsufficientStock as refusal:
            return [(short.wanted, short.left) for short in refusal.short]
        return []

    outcomes = await asyncio.gather(*(one() for _ in range(6)))
    assert sorted(outcomes) == [[], [], [(2, 1)], [(2, 1)], [(2, 1)], [(2, 1)]]
    assert await state_of(db, store, item) == [(5, 0, 0, 4)]


async def test_giving_up_frees_what_is_announced(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    plan = await announce(db, shop, store, item, 5)
    owner, line = await stand_on(db, shop, store, item, plan, 4)
    assert await db.write(stock.release, shop.system, owner=owner, cause=stock.Cause("fulfillment_cancelled", uuid7()), lines={line: 3}) == {line: 3}  # fmt: skip
    assert await state_of(db, store, item) == [(5, 0, 0, 1)]
    assert await aside(db, owner) == [("committed", 4, 1, 0)]


async def test_what_will_not_come_breaks_the_newest_promises(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    plan = await announce(db, shop, store, item, 10)
    first, _ = await stand_on(db, shop, store, item, plan, 4)
    second, line = await stand_on(db, shop, store, item, plan, 4)
    cause = stock.Cause("supply_changed", uuid7())
    change = stock.ExpectedChange(id=plan, cancelled=5, expected_on=date(2027, 4, 1))
    for _ in range(2):  # the second time is a replay
        await db.write(stock.change_expected, shop.system, cause=cause, changes=[change], reason="supplier short")
    assert await state_of(db, store, item) == [(10, 0, 5, 5)]
    assert await aside(db, first) == [("committed", 4, 4, 0)]
    assert sorted(await aside(db, second)) == [("committed", 1, 1, 0), ("short", 3, 0, 3)]
    assert await db.read(stock.lost, kind="fulfillment", ids=[second.id]) == {second.id: {line: 3}}
    assert [(kind, body["fulfillment_ids"]) for kind, body in await events_of(db, cause)] == [
        ("stock.promise_broken", [str(second.id)])
    ]
    # What is found otherwise heals it.
    await shop.stock(store, item, 3)
    assert await db.write(stock.promise_again, shop.system, owner=second, cause=fresh()) == {line: 3}
    await receive(db, shop, store, item, plan, 5)
    assert await shelf(db, store, item) == (0, 0, 8)
    with pytest.raises(stock.NotExpected):
        await db.write(
            stock.change_expected, shop.system, cause=stock.Cause("supply_changed", uuid7()), changes=[stock.ExpectedChange(id=plan, cancelled=1)]
        )  # fmt: skip


async def test_damaged_goods_serve_nobody(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    plan = await announce(db, shop, store, item, 5)
    owner, line = await stand_on(db, shop, store, item, plan, 4)
    part = await receive(db, shop, store, item, plan, 3, "damaged")
    assert await movements_of(db, part) == [(3, "supplier", "damaged")]
    assert await db.read(stock.lost, kind="fulfillment", ids=[owner.id]) == {owner.id: {line: 2}}
    assert await state_of(db, store, item) == [(5, 3, 0, 2)]
    await receive(db, shop, store, item, plan, 2)
    assert await shelf(db, store, item) == (0, 0, 2)


async def test_till_sales_take_nothing_that_is_not_there(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    plan = await announce(db, shop, store, item, 5)
    owner, _ = await stand_on(db, shop, store, item, plan, 5)
    cause = fresh("test_sale")
    sold = stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=1)
    await db.write(stock.sell, shop.system, cause=cause, location_id=store.id, lines=[sold])
    assert [kind for kind, _ in await events_of(db, cause)] == ["stock.count_needed"]
    assert await aside(db, owner) == [("committed", 5, 5, 0)]


async def test_what_must_be_inspected_first_is_promised_to_nobody(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    line = stock.Expect(id=uuid7(), variant_id=item.id, quantity=5, inspect=True)
    await db.write(
        stock.expect, shop.system, kind="supply", document_id=uuid7(), location_id=store.id, expected_on=SOON, lines=[line]
    )  # fmt: skip
    assert [(plan.open, plan.free) for plan in await db.read(stock.inbound, variant_ids=[item.id])] == [(5, 0)]
    with pytest.raises(stock.InsufficientStock):
        await stand_on(db, shop, store, item, line.id, 1)
    await receive(db, shop, store, item, line.id, 5, "quality_control")
    assert await state_of(db, store, item) == []
