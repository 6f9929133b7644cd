"""Closings, levels as of an instant by either clock, and their value."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from commerce import parts, stock
from commerce.infra import audit
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
from commerce.stock import closings
from tests.stock.shelves import demand, fresh, fulfillment
from tests.support import Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")

CLEAN: dict[str, list[dict[str, Any]]] = {
    "every stock level equals the sum of all movements there ever were": [],
    "every closing equals the movements recorded up to it": [],
}


async def now(db: Database) -> datetime:
    """The server's moment, behind everything that is committed."""
    return await db.write(closings.settled_until)


async def as_of(
    db: Database, store: Store, item: Item, at: datetime, which: closings.WhichClock
) -> tuple[int, int, int]:
    """available, committed, damaged."""
    found = await db.read(stock.levels_as_of, location_ids=[store.id], at=at, clock=which)
    one = await db.read(stock.levels_as_of, location_ids=[store.id], variant_ids=[item.id], at=at, clock=which)
    assert [level for level in found if level.variant_id == item.id] == one
    return (one[0].available, one[0].committed, one[0].damaged) if one else (0, 0, 0)


async def sell(shop: Shop, store: Store, item: Item, quantity: int, occurred_at: datetime | None = None) -> None:
    line = stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=quantity)
    await shop.db.write(
        stock.sell, shop.system, cause=fresh("till_sale"), location_id=store.id, lines=[line], occurred_at=occurred_at
    )


async def full_audit(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    """Offending rows of the invariants that read everything, by name."""
    found = await audit.run(settings, [i for i in parts.invariants() if i.full], full=True)
    return {finding.name: finding.offending for finding in found}


async def test_a_late_sale_is_seen_by_the_clock_that_is_asked(db: Database, shop: Shop, settings: Settings) -> None:
    """Received at t0; a till sells 3 at t1 and reports it at t3; a closing is made at t2, in between; another after the report."""
    store, item = await shop.store(), await shop.item()
    start = await now(db)
    await shop.stock(store, item, 10)
    at_till = await now(db)
    await sell(shop, store, item, 1)
    first = await closings.close(db, until=await now(db))
    assert first.made
    booked = await now(db)
    await sell(shop, store, item, 3, occurred_at=at_till)
    second = await closings.close(db, until=await now(db))
    assert (second.number, second.made, second.movements) == (first.number + 1, True, 1)
    await sell(shop, store, item, 2)
    end = await now(db)
    expected = {
        "recorded": [(start, 0), (at_till, 10), (first.position, 9), (booked, 9), (second.position, 6), (end, 4)],
        "occurred": [(start, 0), (at_till, 7), (first.position, 6), (booked, 6), (second.position, 6), (end, 4)],
    }
    for which in closings.CLOCKS:
        seen = [(at, (await as_of(db, store, item, at, which))[0]) for at, _ in expected[which]]
        assert seen == expected[which], which
    assert await full_audit(settings) == CLEAN


async def test_what_was_booked_before_it_happened(db: Database, shop: Shop) -> None:
    """A till whose clock is ahead: in the books and in the closing before it has happened."""
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 10)
    ahead = await now(db) + timedelta(minutes=10)
    clock.travel(timedelta(hours=1))
    await sell(shop, store, item, 4, occurred_at=ahead)
    closing = await closings.close(db, until=await now(db))
    for at, recorded, occurred in (
        (closing.position, 6, 10),
        (ahead - timedelta(seconds=1), 6, 10),
        (ahead, 6, 6),
        (ahead + timedelta(minutes=20), 6, 6),
    ):
        assert (await as_of(db, store, item, at, "recorded"))[0] == recorded
        assert (await as_of(db, store, item, at, "occurred"))[0] == occurred


async def test_what_is_booked_days_late_reaches_back_over_closings(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    long_ago = await now(db) - timedelta(days=40)
    await closings.close(db, until=await now(db))
    before = await now(db)
    await db.write(
        stock.receive, shop.system, cause=fresh("receipt"), location_id=store.id,
        lines=[stock.ReceiptLine(variant_id=item.id, quantity=8, unit_cost=100)], occurred_at=long_ago,
    )  # fmt: skip
    after = await now(db)
    assert [
        (await as_of(db, store, item, at, "occurred"))[0] for at in (long_ago - closings.INSTANT, long_ago, before)
    ] == [0, 8, 8]
    assert [(await as_of(db, store, item, at, "recorded"))[0] for at in (long_ago, before, after)] == [0, 0, 8]


async def test_every_bucket_is_closed(db: Database, shop: Shop) -> None:
    store, item, owner = await shop.store(), await shop.item(), fulfillment()
    await shop.stock(store, item, 10)
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, item, 4)], cause=fresh())
    await closings.close(db, until=await now(db))
    then = await now(db)
    await db.write(
        stock.adjust, shop.system, cause=fresh("adjustment"), location_id=store.id, variant_id=item.id, delta=-1, reason="damage",
    )  # fmt: skip
    assert await as_of(db, store, item, then, "recorded") == (6, 4, 0)
    assert await as_of(db, store, item, await now(db), "recorded") == (5, 4, 1)


async def test_nobody_knows_the_future(db: Database, shop: Shop) -> None:
    store = await shop.store()
    clock.stand_at(clock())
    with pytest.raises(stock.NotPast):
        await db.read(stock.levels_as_of, location_ids=[store.id], at=clock() + closings.INSTANT, clock="recorded")
    assert await db.read(stock.levels_as_of, location_ids=[store.id], at=clock(), clock="recorded") == []


async def test_a_closing_is_made_in_chunks_and_goes_on_where_it_stopped(
    db: Database, shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await closings.close(db, until=await now(db))
    store, items = await shop.store(), [await shop.item(price=None) for _ in range(3)]
    for item in items * 3:
        await shop.stock(store, item, 5)
    until = await now(db)
    monkeypatch.setattr(closings, "CHUNK", 2)
    begun = await db.write(closings.begin, until=until)
    assert begun.now
    step = await db.write(closings.take_in)
    assert step == closings.Step(movements=2, last=False)
    assert await full_audit(settings) == CLEAN
    again = await db.write(closings.begin, until=until)
    assert again == closings.Begun(number=begun.number, position=begun.position, now=False)
    await shop.stock(store, items[0], 1)
    told: list[int] = []
    done = await closings.close(db, until=until, tell=told.append)
    assert (done.number, done.made, done.movements, told) == (begun.number, True, 7, [2, 4, 6, 7])
    assert await rows(db, begun.number, store) == {item.id: 15 for item in items}
    repeated = await closings.close(db, until=until)
    assert repeated == closings.Closing(number=begun.number, position=begun.position, made=False, movements=0)
    assert await full_audit(settings) == CLEAN


async def rows(db: Database, number: int, store: Store) -> dict[UUID, int]:
    async def read(tx: Tx) -> dict[UUID, int]:
        found = await tx.rows(
            "SELECT variant_id, available FROM stock.closing_levels WHERE closing = :number AND location_id = :store",
            number=number, store=store.id,
        )  # fmt: skip
        return {row.variant_id: row.available for row in found}

    return await db.read(read)


async def test_only_what_moved_is_written_again(db: Database, shop: Shop) -> None:
    store, still, moving = await shop.store(), await shop.item(), await shop.item()
    for item in (still, moving):
        await shop.stock(store, item, 5)
    first = await closings.close(db, until=await now(db))
    await sell(shop, store, moving, 2)
    second = await closings.close(db, until=await now(db))
    assert await rows(db, first.number, store) == {still.id: 5, moving.id: 5}
    assert await rows(db, second.number, store) == {moving.id: 3}
    assert (await as_of(db, store, still, second.position, "recorded"))[0] == 5


async def test_nothing_is_closed_over_an_open_transaction(db: Database, shop: Shop) -> None:
    """What a slow transaction has recorded is in no closing before it is committed."""
    store, item = await shop.store(), await shop.item()
    positions: list[datetime] = []

    async def slow(tx: Tx) -> None:
        await stock.receive(
            tx, shop.system, cause=fresh("receipt"), location_id=store.id,
            lines=[stock.ReceiptLine(variant_id=item.id, quantity=5)],
        )  # fmt: skip
        positions.append((await closings.close(db, until=clock() + timedelta(hours=9))).position)

    await db.write(slow)
    assert await as_of(db, store, item, positions[0], "recorded") == (0, 0, 0)
    closing = await closings.close(db, until=await now(db))
    assert (await as_of(db, store, item, closing.position, "recorded"))[0] == 5


async def test_daily_it_reaches_to_the_last_full_hour(db: Database) -> None:
    at = datetime.fromisoformat("2026-03-01T12:34:56.789+00:00")
    assert closings.last_full_hour(at) == datetime.fromisoformat("2026-03-01T11:00:00+00:00")
    before = await closings.close(db, until=await now(db))
    await closings.close_daily(db)
    assert (await closings.close(db, until=before.position)).number == before.number
