"""The verbs of the stock room: what they move, what they refuse, what a replay does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from commerce import stock
from commerce.infra.db import Database, Tx, constraint_of
from commerce.kernel.errors import Problem
from commerce.kernel.ids import uuid7
from commerce.kernel.paging import Page
from commerce.stock.tasks import sweep_expired
from tests.stock.shelves import (
    aside,
    checkout,
    demand,
    events_of,
    fresh,
    fulfillment,
    movements_of,
    posted,
    safety,
    shelf,
)
from tests.support import Item, Shop, Store, clock
from tests.support_statements import count_statements

pytestmark = pytest.mark.usefixtures("audited")


def line(variant: Any, quantity: int) -> stock.SaleLine:
    return stock.SaleLine(line_id=uuid7(), variant_id=variant.id, quantity=quantity)


async def test_promise_and_hand_over_and_their_replays(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5, unit_cost=1000)
    owner, wanted, cause, out = fulfillment(), demand(store, item, 2), fresh(), fresh()
    for _ in range(2):
        await db.write(stock.promise, shop.system, owner=owner, demands=[wanted], cause=cause)
        assert await shelf(db, store, item) == (3, 0, 2)
        assert await aside(db, owner) == [("committed", 2, 2, 0)]
    for _ in range(2):
        handed = await db.write(stock.hand_over, shop.system, owner=owner, cause=out)
        assert handed == [stock.HandedOver(line_id=wanted.line_id, variant_id=item.id, quantity=2, unit_cost=1000)]
        assert await shelf(db, store, item) == (3, 0, 0)
        assert await aside(db, owner) == [("fulfilled", 2, 0, 0)]
    assert await movements_of(db, cause) == [(2, "available", "committed")]
    assert await movements_of(db, out) == [(2, "committed", "customer")]
    with pytest.raises(stock.ReservationShort):
        await db.write(stock.hand_over, shop.system, owner=owner, cause=fresh())
    assert await shelf(db, store, item) == (3, 0, 0)


async def test_two_lines_of_one_variant_are_summed(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    owner, first, second = fulfillment(), demand(store, item, 2), demand(store, item, 3)
    await db.write(stock.promise, shop.system, owner=owner, demands=[first, second], cause=fresh())
    assert await shelf(db, store, item) == (0, 0, 5)
    handed = await db.write(stock.hand_over, shop.system, owner=owner, cause=fresh(), lines={second.line_id: 1})
    assert [(h.line_id, h.quantity) for h in handed] == [(second.line_id, 1)]
    assert await shelf(db, store, item) == (0, 0, 4)
    released = await db.write(stock.release, shop.system, owner=owner, cause=fresh())
    assert released == {first.line_id: 2, second.line_id: 2}
    assert await shelf(db, store, item) == (4, 0, 0)
    assert sorted(await aside(db, owner)) == [("released", 2, 0, 0), ("released", 3, 0, 0)]


async def test_all_or_none_and_each_short_line_is_named(db: Database, shop: Shop) -> None:
    store = await shop.store()
    plenty, scarce, never = [await shop.item() for _ in range(3)]
    await shop.stock(store, plenty, 10)
    await shop.stock(store, scarce, 3)
    owner, cause = fulfillment(), fresh()
    wanted = [demand(store, plenty, 1), demand(store, scarce, 2), demand(store, scarce, 2), demand(store, never, 1)]
    with pytest.raises(stock.InsufficientStock) as refusal:
        await db.write(stock.promise, shop.system, owner=owner, demands=wanted, cause=cause)
    assert {(s.line_id, s.variant_id, s.wanted, s.left) for s in refusal.value.short} == {
        (None, scarce.id, 4, 3),
        (wanted[3].line_id, never.id, 1, 0),
    }
    assert {(each["variant_id"], each["left"]) for each in refusal.value.members["lines"]} == {
        (str(scarce.id), 3),
        (str(never.id), 0),
    }
    assert await shelf(db, store, plenty) == (10, 0, 0)
    assert await aside(db, owner) == []
    assert await posted(db, cause) == 0


async def test_safety_stock_is_kept_from_promises_and_given_to_the_counter(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 3)
    await safety(shop, store, item, 2)
    [level] = await db.read(stock.levels, variant_ids=[item.id])
    assert (level.available, level.ats) == (3, 1)
    with pytest.raises(stock.InsufficientStock) as refusal:
        await db.write(stock.promise, shop.system, owner=fulfillment(), demands=[demand(store, item, 2)], cause=fresh())
    assert refusal.value.short[0].left == 1
    await db.write(stock.promise, shop.system, owner=fulfillment(), demands=[demand(store, item, 1)], cause=fresh())
    await db.write(stock.sell, shop.system, cause=fresh(), location_id=store.id, lines=[line(item, 2)])
    assert await shelf(db, store, item) == (0, 0, 1)
    [level] = await db.read(stock.levels, variant_ids=[item.id])
    assert level.ats == 0


async def test_reserve_commit_release(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    owner, until, wanted = checkout(), clock() + timedelta(minutes=10), demand(store, item, 3)
    await db.write(stock.reserve, shop.system, owner=owner, demands=[wanted], cause=fresh(), expires_at=until)
    assert await shelf(db, store, item) == (2, 3, 0)
    less = fresh()
    for _ in range(2):
        released = await db.write(
            stock.release, shop.system, owner=owner, cause=less, lines={wanted.line_id: 1, uuid7(): 4}, reason="fewer"
        )
        assert released == {wanted.line_id: 1}
        assert await shelf(db, store, item) == (3, 2, 0)
    cause = fresh()
    for _ in range(2):
        await db.write(stock.commit, shop.system, owner=owner, cause=cause)
        assert await shelf(db, store, item) == (3, 0, 2)
        assert await aside(db, owner) == [("committed", 3, 2, 0)]
    clock.travel(timedelta(minutes=11))
    await sweep_expired(db)
    assert await shelf(db, store, item) == (3, 0, 2)
    assert await db.write(stock.release, shop.system, owner=owner, cause=fresh(), lines={wanted.line_id: 9}) == {
        wanted.line_id: 2
    }
    assert await db.write(stock.release, shop.system, owner=owner, cause=fresh()) == {}
    assert await shelf(db, store, item) == (5, 0, 0)


async def test_an_expired_reservation_never_blocks_a_sale(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 3)
    old, older, live = checkout(), checkout(), checkout()
    at = clock()
    for owner, minutes in ((older, 1), (old, 2), (live, 60)):
        await db.write(
            stock.reserve, shop.system, owner=owner, demands=[demand(store, item, 1)], cause=fresh(),
            expires_at=at + timedelta(minutes=minutes),
        )  # fmt: skip
    clock.travel(timedelta(minutes=5))
    [level] = await db.read(stock.levels, variant_ids=[item.id])
    assert (level.available, level.reserved, level.ats) == (0, 3, 2)
    await db.write(stock.promise, shop.system, owner=fulfillment(), demands=[demand(store, item, 1)], cause=fresh())
    assert await aside(db, older) == [("expired", 1, 0, 1)]
    assert await aside(db, old) == [("reserved", 1, 1, 0)]
    cause = fresh()
    await db.write(stock.sell, shop.system, cause=cause, location_id=store.id, lines=[line(item, 1)])
    assert await aside(db, old) == [("expired", 1, 0, 1)]
    assert await events_of(db, cause) == []
    [held] = await db.read(stock.reservations_of, old)
    assert await movements_of(db, stock.Cause("reservation_expiry", held.id)) == [(1, "reserved", "available")]
    with pytest.raises(stock.InsufficientStock):
        await db.write(stock.promise, shop.system, owner=fulfillment(), demands=[demand(store, item, 1)], cause=fresh())
    assert await shelf(db, store, item) == (0, 1, 1)


async def test_commit_takes_again_what_expired_or_refuses(db: Database, shop: Shop) -> None:
    store, item, other = await shop.store(), await shop.item(), await shop.item()
    await shop.stock(store, item, 2)
    await shop.stock(store, other, 1)
    owner, until = checkout(), clock() + timedelta(minutes=1)
    wanted = [demand(store, item, 2), demand(store, other, 1)]
    await db.write(stock.reserve, shop.system, owner=owner, demands=wanted, cause=fresh(), expires_at=until)
    clock.travel(timedelta(minutes=2))
    await sweep_expired(db)
    assert await shelf(db, store, item) == (2, 0, 0)
    await db.write(stock.promise, shop.system, owner=fulfillment(), demands=[demand(store, item, 1)], cause=fresh())
    with pytest.raises(stock.InsufficientStock) as refusal:
        await db.write(stock.commit, shop.system, owner=owner, cause=fresh())
    assert [(s.line_id, s.wanted, s.left) for s in refusal.value.short] == [(wanted[0].line_id, 2, 1)]
    assert await shelf(db, store, other) == (1, 0, 0)
    await shop.stock(store, item, 1)
    await db.write(stock.commit, shop.system, owner=owner, cause=fresh())
    assert await shelf(db, store, item) == (0, 0, 3)
    assert await shelf(db, store, other) == (0, 0, 1)
    assert await aside(db, owner) == [("committed", 2, 2, 0), ("committed", 1, 1, 0)]
    await db.write(stock.commit, shop.system, owner=owner, cause=fresh())
    assert await shelf(db, store, item) == (0, 0, 3)


async def test_commit_of_what_expired_reclaims_what_others_let_expire(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 1)
    mine, other = checkout(), checkout()
    for owner in (mine, other):
        await db.write(
            stock.reserve, shop.system, owner=owner, demands=[demand(store, item, 1)], cause=fresh(),
            expires_at=clock() + timedelta(minutes=1),
        )  # fmt: skip
        clock.travel(timedelta(minutes=2))
    assert (await aside(db, mine), await aside(db, other)) == ([("expired", 1, 0, 1)], [("reserved", 1, 1, 0)])
    await db.write(stock.commit, shop.system, owner=mine, cause=fresh())
    assert (await aside(db, mine), await aside(db, other)) == ([("committed", 1, 1, 0)], [("expired", 1, 0, 1)])


async def test_commit_never_gives_back_its_own_to_take_again(db: Database, shop: Shop) -> None:
    """Of one checkout, one reservation was reclaimed by another buyer, its sister has expired and still stands."""
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 4)
    owner, other = checkout(), fulfillment()
    wanted = [demand(store, item, 2), demand(store, item, 2)]
    until = clock() + timedelta(minutes=1)
    await db.write(stock.reserve, shop.system, owner=owner, demands=wanted, cause=fresh(), expires_at=until)
    clock.travel(timedelta(minutes=2))
    await db.write(stock.promise, shop.system, owner=other, demands=[demand(store, item, 1)], cause=fresh())
    assert await aside(db, owner) == [("expired", 2, 0, 2), ("reserved", 2, 2, 0)]
    with pytest.raises(stock.InsufficientStock) as refusal:
        await db.write(stock.commit, shop.system, owner=owner, cause=fresh())
    assert [(s.wanted, s.left) for s in refusal.value.short] == [(2, 1)]
    assert await shelf(db, store, item) == (1, 2, 1)
    await db.write(stock.release, shop.system, owner=other, cause=fresh())
    await db.write(stock.commit, shop.system, owner=owner, cause=fresh())
    assert await aside(db, owner) == [("committed", 2, 2, 0), ("committed", 2, 2, 0)]
    assert await shelf(db, store, item) == (0, 0, 4)


async def test_a_line_from_two_stores_gives_back_the_newest_and_hands_over_the_oldest(db: Database, shop: Shop) -> None:
    first, second, item = await shop.store(), await shop.store(), await shop.item()
    for store in (first, second):
        await shop.stock(store, item, 3)
    owner, line_id = fulfillment(), uuid7()
    for store in (first, second):
        await db.write(
            stock.promise, shop.system, owner=owner, demands=[demand(store, item, 3, line_id)], cause=fresh()
        )
    assert await db.write(stock.release, shop.system, owner=owner, cause=fresh(), lines={line_id: 4}) == {line_id: 4}
    assert (await shelf(db, first, item), await shelf(db, second, item)) == ((1, 0, 2), (3, 0, 0))
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand(second, item, 2, line_id)], cause=fresh())
    handed = await db.write(stock.hand_over, shop.system, owner=owner, cause=fresh(), lines={line_id: 3})
    assert [(h.line_id, h.quantity) for h in handed] == [(line_id, 3)]
    assert (await shelf(db, first, item), await shelf(db, second, item)) == ((1, 0, 0), (1, 0, 1))


async def test_a_sale_breaks_promises_newest_first_reservations_before_commitments(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 6)
    first, second, basket = fulfillment(), fulfillment(), checkout()
    first_line, second_line, basket_line = (demand(store, item, n) for n in (2, 2, 1))
    start = clock()
    clock.stand_at(start)
    until = start + timedelta(hours=1)
    await db.write(stock.reserve, shop.system, owner=basket, demands=[basket_line], cause=fresh(), expires_at=until)
    clock.stand_at(start + timedelta(seconds=1))
    await db.write(stock.promise, shop.system, owner=first, demands=[first_line], cause=fresh())
    clock.stand_at(start + timedelta(seconds=2))
    await db.write(stock.promise, shop.system, owner=second, demands=[second_line], cause=fresh())
    assert await shelf(db, store, item) == (1, 1, 4)
    clock.stand_at(start + timedelta(seconds=3))
    cause, sold = fresh("sale"), line(item, 5)
    for _ in range(2):
        handed = await db.write(stock.sell, shop.system, cause=cause, location_id=store.id, lines=[sold])
        assert handed == [stock.HandedOver(line_id=sold.line_id, variant_id=item.id, quantity=5, unit_cost=50_000)]
        assert await shelf(db, store, item) == (0, 0, 1)
    assert await aside(db, basket) == [("short", 1, 0, 1)]
    assert await aside(db, second) == [("short", 2, 0, 2)]
    assert await aside(db, first) == [("committed", 2, 1, 1)]
    assert await movements_of(db, cause) == [
        (1, "reserved", "available"),
        (2, "committed", "available"),
        (1, "committed", "available"),
        (5, "available", "customer"),
    ]
    [(kind, payload)] = await events_of(db, cause)
    assert kind == "stock.promise_broken"
    assert payload["location_id"] == str(store.id)
    assert payload["fulfillment_ids"] == sorted([str(first.id), str(second.id)])
    assert payload["checkout_ids"] == [str(basket.id)]
    assert [(b["owner_id"], b["line_id"], b["variant_id"], b["quantity"]) for b in payload["lines"]] == [
        (str(basket.id), str(basket_line.line_id), str(item.id), 1),
        (str(second.id), str(second_line.line_id), str(item.id), 2),
        (str(first.id), str(first_line.line_id), str(item.id), 1),
    ]
    with pytest.raises(stock.ReservationShort) as refusal:
        await db.write(stock.hand_over, shop.system, owner=first, cause=fresh())
    assert refusal.value.members["lines"] == [{"line_id": str(first_line.line_id), "wanted": 2, "left": 1}]
    with pytest.raises(stock.ReservationShort):
        await db.write(stock.hand_over, shop.system, owner=second, cause=fresh())
    await db.write(stock.hand_over, shop.system, owner=first, cause=fresh(), lines={first_line.line_id: 1})
    assert await aside(db, first) == [("fulfilled", 2, 0, 1)]
    assert await shelf(db, store, item) == (0, 0, 0)


async def test_goods_that_the_books_do_not_know_are_corrected_and_counted(db: Database, shop: Shop) -> None:
    store, known, unknown = await shop.store(), await shop.item(), await shop.item()
    await shop.stock(store, known, 1, unit_cost=700)
    cause, lines = fresh("sale"), [line(known, 3), line(unknown, 2)]
    for _ in range(2):
        handed = await db.write(stock.sell, shop.system, cause=cause, location_id=store.id, lines=lines)
        assert [(h.variant_id, h.quantity, h.unit_cost) for h in handed] == [(known.id, 3, 700), (unknown.id, 2, None)]
    assert await shelf(db, store, known) == (0, 0, 0)
    assert await movements_of(db, cause) == [
        (2, "loss", "available"),
        (2, "loss", "available"),
        (3, "available", "customer"),
        (2, "available", "customer"),
    ]
    [(kind, payload)] = await events_of(db, cause)
    assert kind == "stock.count_needed"
    assert {each["variant_id"]: each["quantity"] for each in payload["lines"]} == {
        str(known.id): 2,
        str(unknown.id): 2,
    }


async def test_take_back_into_its_bucket(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    cause = fresh("return")
    lines = [
        stock.TakeBackLine(variant_id=item.id, quantity=2, bucket="available"),
        stock.TakeBackLine(variant_id=item.id, quantity=1, bucket="quality_control"),
        stock.TakeBackLine(variant_id=item.id, quantity=3, bucket="damaged"),
    ]
    for _ in range(2):
        await db.write(stock.take_back, shop.system, cause=cause, location_id=store.id, lines=lines)
        [level] = await db.read(stock.levels, variant_ids=[item.id])
        assert (level.available, level.quality_control, level.damaged, level.ats) == (2, 1, 3, 2)


async def test_moving_average_cost(db: Database, shop: Shop) -> None:
    here, there, item = await shop.store(), await shop.store(), await shop.item()

    async def next_cost() -> int | None:
        handed = await db.write(stock.sell, shop.system, cause=fresh(), location_id=here.id, lines=[line(item, 1)])
        return handed[0].unit_cost

    await shop.stock(here, item, 1, unit_cost=None)
    assert await next_cost() is None
    await shop.stock(here, item, 10, unit_cost=100)
    assert await next_cost() == 100
    await shop.stock(there, item, 3, unit_cost=200)
    assert await next_cost() == 125  # (9 x 100 + 3 x 200) / 12
    await shop.stock(there, item, 100, unit_cost=None)
    assert await next_cost() == 125
    cause = fresh()
    for _ in range(2):  # one receipt, two lines, replayed
        await db.write(
            stock.receive, shop.system, cause=cause, location_id=here.id,
            lines=[
                stock.ReceiptLine(variant_id=item.id, quantity=10, unit_cost=0),
                stock.ReceiptLine(variant_id=item.id, quantity=5, unit_cost=90, bucket="quality_control"),
            ],
        )  # fmt: skip
    # On hand were 8 - 1 here and 103 there: (110 x 125 + 450) / 125 = 113.6
    assert await next_cost() == 114


async def test_adjustments(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 10)

    async def adjust(delta: int, reason: Any, bucket: Any = "available") -> None:
        await db.write(
            stock.adjust, shop.system, cause=fresh(), location_id=store.id, variant_id=item.id, delta=delta,
            reason=reason, bucket=bucket,
        )  # fmt: skip

    async def buckets() -> tuple[int, int, int]:
        [level] = await db.read(stock.levels, variant_ids=[item.id])
        return level.available, level.quality_control, level.damaged

    await adjust(-2, "damage")
    assert await buckets() == (8, 0, 2)
    await adjust(-1, "theft")
    await adjust(2, "found")
    await adjust(1, "count", "quality_control")
    assert await buckets() == (9, 1, 2)
    await adjust(-1, "damage", "quality_control")
    await adjust(-3, "write_off", "damaged")
    assert await buckets() == (9, 0, 0)
    with pytest.raises(stock.BelowZero) as refusal:
        await adjust(-1, "write_off", "damaged")
    assert refusal.value.members == {"left": 0, "bucket": "damaged"}
    with pytest.raises(stock.BelowZero) as refusal:
        await adjust(-10, "count")
    assert refusal.value.members == {"left": 9, "bucket": "available"}
    for delta, reason, bucket in (
        (1, "theft", "available"), (-1, "found", "available"), (0, "count", "available"), (-1, "damage", "damaged"),
    ):  # fmt: skip
        with pytest.raises(stock.WrongDirection):
            await adjust(delta, reason, bucket)
    assert await buckets() == (9, 0, 0)


async def test_an_adjustment_breaks_promises_like_a_sale(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 3)
    owner = fulfillment()
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, item, 3)], cause=fresh())
    cause = fresh("adjustment")
    for _ in range(2):
        await db.write(
            stock.adjust, shop.system, cause=cause, location_id=store.id, variant_id=item.id, delta=-2, reason="damage"
        )
    [level] = await db.read(stock.levels, variant_ids=[item.id])
    assert (level.available, level.committed, level.damaged) == (0, 1, 2)
    assert await aside(db, owner) == [("committed", 3, 1, 2)]
    assert [kind for kind, _ in await events_of(db, cause)] == ["stock.promise_broken"]
    with pytest.raises(stock.BelowZero) as refusal:
        await db.write(
            stock.adjust, shop.system, cause=fresh(), location_id=store.id, variant_id=item.id, delta=-2, reason="theft"
        )
    assert refusal.value.members == {"left": 1, "bucket": "available"}
    assert await aside(db, owner) == [("committed", 3, 1, 2)]


async def test_a_level_that_would_not_fit_is_refused(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 2_000_000_000)
    with pytest.raises(stock.LevelTooHigh):
        await shop.stock(store, item, 147_483_648)
    lines = [stock.ReceiptLine(variant_id=item.id, quantity=2_000_000_000) for _ in range(2)]
    with pytest.raises(stock.LevelTooHigh):
        await db.write(stock.receive, shop.system, cause=fresh(), location_id=store.id, lines=lines)
    await shop.stock(store, item, 147_483_647)
    assert await shelf(db, store, item) == (2**31 - 1, 0, 0)


async def test_a_posting_says_when_where_and_who(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    yesterday = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)
    device = await shop.device("till", store.code)
    cause = fresh("sale")
    await db.write(
        stock.sell, device.actor, cause=cause, location_id=store.id, lines=[line(item, 1)], occurred_at=yesterday,
        business_date=date(2026, 3, 2),
    )  # fmt: skip
    page = await db.read(stock.history, item.id, [store.id])
    assert [(e.n, e.from_place, e.to_place) for e in page.items] == [
        (2, "available", "customer"),
        (1, "loss", "available"),
    ]
    entry = page.items[0]
    assert (entry.cause_kind, entry.cause_id, entry.occurred_at, entry.business_date) == (
        "sale", cause.id, yesterday, date(2026, 3, 2),
    )  # fmt: skip
    assert (entry.actor["kind"], entry.actor["device"], entry.actor["channel"]) == (
        "device", str(device.actor.device), "till",
    )  # fmt: skip
    assert entry.recorded_at > yesterday
    assert await db.read(stock.history, item.id, [uuid7()]) == Page(items=[])
    first = await db.read(stock.history, item.id, limit=1)
    assert first.next_cursor is not None
    second = await db.read(stock.history, item.id, limit=1, cursor=first.next_cursor)
    assert ([e.n for e in first.items], [e.n for e in second.items], second.next_cursor) == ([2], [1], None)


async def test_acts_that_move_nothing_leave_no_trace(db: Database, shop: Shop) -> None:
    store, cause = await shop.store(), fresh()
    await db.write(stock.promise, shop.system, owner=fulfillment(), demands=[], cause=cause)
    await db.write(stock.take_back, shop.system, cause=cause, location_id=store.id, lines=[])
    assert await db.write(stock.sell, shop.system, cause=cause, location_id=store.id, lines=[]) == []
    assert await db.write(stock.release, shop.system, owner=fulfillment(), cause=cause) == {}
    assert await posted(db, cause) == 0


async def test_the_sweeper_works_in_chunks(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 10)
    for n in range(7):
        await db.write(
            stock.reserve, shop.system, owner=checkout(), demands=[demand(store, item, 1)], cause=fresh(),
            expires_at=clock() + timedelta(minutes=n),
        )  # fmt: skip
    clock.travel(timedelta(minutes=5, seconds=30))
    assert [await db.write(stock.sweep, shop.system, limit=4) for _ in range(3)] == [4, 2, 0]
    assert await shelf(db, store, item) == (9, 1, 0)


async def test_the_constraints_hold_when_code_does_not(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 1)

    async def cheat(tx: Tx) -> None:
        await tx.execute("UPDATE stock.levels SET available = -1 WHERE variant_id = :id", id=item.id)

    with pytest.raises(asyncpg.CheckViolationError) as refusal:
        await db.write(cheat)
    assert constraint_of(refusal.value) == "ck_levels_available"


Act = Callable[[Tx], Awaitable[Any]]


async def test_budgets_do_not_depend_on_the_number_of_lines(db: Database, shop: Shop) -> None:
    """Statements per verb, counted at the driver, for 1 and for 30 lines."""
    store = await shop.store()
    items = [await shop.item() for _ in range(30)]
    for item in items:
        await shop.stock(store, item, 1000)
    counts: dict[str, set[int]] = {}
    for size in (1, 30):
        for name, act in acts_on(shop, store, items[:size]):
            async with count_statements(db) as statements:
                await db.write(act)
            counts.setdefault(name, set()).add(len(statements) - 2)  # without begin and commit
    assert counts == {
        "receive": {1}, "take back": {1}, "promise": {1}, "reserve": {1}, "commit": {2}, "release": {2}, "hand over": {2},
        "sell": {1}, "promise all": {1}, "refuse": {2}, "sell promised, and its event": {4}, "levels": {1},
    }  # fmt: skip


def acts_on(shop: Shop, store: Store, items: list[Item]) -> list[tuple[str, Act]]:
    """One of each verb, each possible after those before it."""
    actor, until, there = shop.system, clock() + timedelta(hours=1), store.id
    owner, basket = fulfillment(), checkout()
    two, many = [demand(store, item, 2) for item in items], [demand(store, item, 800) for item in items]
    came = [stock.ReceiptLine(variant_id=item.id, quantity=1, unit_cost=5) for item in items]
    back = [stock.TakeBackLine(variant_id=item.id, quantity=1, bucket="damaged") for item in items]
    few, lots = [line(item, 1) for item in items], [line(item, 400) for item in items]
    ids = [item.id for item in items]
    return [
        ("receive", lambda tx: stock.receive(tx, actor, cause=fresh(), location_id=there, lines=came)),
        ("take back", lambda tx: stock.take_back(tx, actor, cause=fresh(), location_id=there, lines=back)),
        ("promise", lambda tx: stock.promise(tx, actor, owner=owner, demands=two, cause=fresh())),
        ("reserve", lambda tx: stock.reserve(tx, actor, owner=basket, demands=two, cause=fresh(), expires_at=until)),
        ("commit", lambda tx: stock.commit(tx, actor, owner=basket, cause=fresh())),
        ("release", lambda tx: stock.release(tx, actor, owner=basket, cause=fresh())),
        ("hand over", lambda tx: stock.hand_over(tx, actor, owner=owner, cause=fresh())),
        ("sell", lambda tx: stock.sell(tx, actor, cause=fresh(), location_id=there, lines=few)),
        ("promise all", lambda tx: stock.promise(tx, actor, owner=owner, demands=many, cause=fresh())),
        ("refuse", lambda tx: _refused(stock.promise(tx, actor, owner=owner, demands=many, cause=fresh()))),
        ("sell promised, and its event", lambda tx: stock.sell(tx, actor, cause=fresh(), location_id=there, lines=lots)),
        ("levels", lambda tx: stock.levels(tx, variant_ids=ids)),
        ("receive", lambda tx: stock.receive(
            tx, actor, cause=fresh(), location_id=there,
            lines=[stock.ReceiptLine(variant_id=item.id, quantity=2000) for item in items])),
    ]  # fmt: skip


async def _refused(work: Awaitable[Any]) -> None:
    with pytest.raises(Problem):
        await work


async def test_safety_stock_is_promised_only_when_asked_for(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 3)
    await safety(shop, store, item, 2)
    owner, demands = fulfillment(), [demand(store, item, 2)]
    with pytest.raises(stock.InsufficientStock) as refused:
        await db.write(stock.promise, shop.system, owner=owner, demands=demands, cause=fresh())
    assert [short.left for short in refused.value.short] == [1]
    await db.write(stock.promise, shop.system, owner=owner, demands=demands, cause=fresh(), keep_safety=False)
    assert await shelf(db, store, item) == (1, 0, 2)
    with pytest.raises(stock.InsufficientStock) as refused:
        await db.write(
            stock.promise, shop.system, owner=owner, demands=[demand(store, item, 2)], cause=fresh(), keep_safety=False
        )
    assert [short.left for short in refused.value.short] == [1]
