"""Outbox, relay, inbox: nothing lost, every effect once (DESIGN 9)."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import msgspec
import pytest

from commerce.infra import outbox
from commerce.infra.db import Database, Tx
from commerce.infra.outbox import Recorded, Subscriber
from commerce.infra.tables import long_work
from commerce.kernel.actor import system
from commerce.kernel.errors import Conflict
from commerce.kernel.events import Event
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
from tests.support import clock


class ThingHappened(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "test.thing_happened"
    aggregate: ClassVar[str] = "test"
    lines: list[UUID]


class Unlucky(Conflict):
    code = "test-unlucky"


async def count(tx: Tx, event: Recorded) -> None:
    """An effect that shows if it runs twice: a second insert of the same key fails."""
    tx.queue(
        long_work,
        kind="seen",
        key=str(event.id),
        done=1,
        state={"version": event.version, **event.payload},
        updated_at=tx.at,
    )


COUNTS = Subscriber("test.counts", "test.thing_happened", count)


async def happen(tx: Tx, aggregate: UUID, version: int, refused: bool = False) -> None:
    outbox.record(tx, system(), ThingHappened(aggregate_id=aggregate, version=version, lines=[aggregate]))
    if refused:
        raise Unlucky


async def seen(tx: Tx, aggregate: UUID) -> list[tuple[int, str]]:
    rows = await tx.rows(
        """SELECT o.version, w.state->'lines'->>0 AS line FROM infra.outbox o JOIN infra.long_work w ON w.key = o.id::text AND w.kind = 'seen'
           WHERE o.aggregate_id = :id ORDER BY o.version""",
        id=aggregate,
    )
    return [(row.version, row.line) for row in rows]


async def open_deliveries(tx: Tx, aggregate: UUID) -> list[tuple[UUID, int]]:
    rows = await tx.rows(
        """SELECT d.event_id, d.attempts FROM infra.deliveries d JOIN infra.outbox o ON o.id = d.event_id
           WHERE o.aggregate_id = :id AND d.delivered_at IS NULL""",
        id=aggregate,
    )
    return [(row.event_id, row.attempts) for row in rows]


async def test_an_event_is_delivered_once_with_its_payload(db: Database) -> None:
    aggregate = uuid7()
    await db.write(happen, aggregate, 1)
    await outbox.drain(db, [COUNTS])
    await outbox.drain(db, [COUNTS])
    assert await db.read(seen, aggregate) == [(1, str(aggregate))]


async def test_a_refused_verb_publishes_nothing(db: Database) -> None:
    aggregate = uuid7()
    with pytest.raises(Unlucky):
        await db.write(happen, aggregate, 1, True)
    await outbox.drain(db, [COUNTS])
    assert await db.read(seen, aggregate) == []


async def test_a_delivery_that_comes_twice_has_one_effect(db: Database) -> None:
    aggregate = uuid7()
    await db.write(happen, aggregate, 1)
    pairs = [pair for pair in await db.write(outbox.publish, [COUNTS]) if pair[1]]
    results = await asyncio.gather(*(db.write(outbox.deliver, event, COUNTS) for event, _ in pairs for _ in range(4)))
    assert results.count(True) == len(pairs)
    assert await db.read(seen, aggregate) == [(1, str(aggregate))]


async def test_a_lost_message_is_sent_again_after_half_a_minute(db: Database) -> None:
    aggregate = uuid7()
    await db.write(happen, aggregate, 1)
    await db.write(outbox.publish, [COUNTS])
    ((event, attempts),) = await db.read(open_deliveries, aggregate)
    assert attempts == 0
    assert (event, COUNTS.name) not in await db.write(outbox.overdue)
    clock.travel(timedelta(seconds=31))
    assert (event, COUNTS.name) in await db.write(outbox.overdue)
    assert await db.read(open_deliveries, aggregate) == [(event, 1)]
    clock.travel(timedelta(seconds=50))
    assert (event, COUNTS.name) not in await db.write(outbox.overdue), "the second time after a minute"
    clock.travel(timedelta(seconds=11))
    assert (event, COUNTS.name) in await db.write(outbox.overdue)
    assert await db.write(outbox.deliver, event, COUNTS)
    assert await db.read(open_deliveries, aggregate) == []


async def test_a_failing_subscriber_leaves_its_delivery_open(db: Database) -> None:
    async def fail(tx: Tx, event: Recorded) -> None:
        await count(tx, event)
        raise Unlucky

    aggregate = uuid7()
    await db.write(happen, aggregate, 1)
    await db.write(outbox.publish, [COUNTS])
    ((event, _),) = await db.read(open_deliveries, aggregate)
    with pytest.raises(Unlucky):
        await db.write(outbox.deliver, event, msgspec.structs.replace(COUNTS, run=fail))
    assert await db.read(seen, aggregate) == []
    assert await db.write(outbox.deliver, event, COUNTS)


async def test_numbers_are_gapless_and_follow_commits(db: Database) -> None:
    """A slow transaction that recorded first but committed last gets a later number than what was published before."""
    slow, quick = uuid7(), uuid7()
    recorded, go = asyncio.Event(), asyncio.Event()

    async def slowly(tx: Tx) -> None:
        await happen(tx, slow, 1)
        await tx.flush()
        recorded.set()
        await go.wait()

    task = asyncio.create_task(db.write(slowly))
    await recorded.wait()
    await db.write(happen, quick, 1)
    await outbox.drain(db, [COUNTS])
    go.set()
    await task
    await outbox.drain(db, [COUNTS])

    async def numbers(tx: Tx) -> tuple[int, int, int, int]:
        row = await tx.one(
            """SELECT (SELECT published_no FROM infra.outbox WHERE aggregate_id = :quick) AS quick,
                      (SELECT published_no FROM infra.outbox WHERE aggregate_id = :slow) AS slow,
                      (SELECT count(*) FROM infra.outbox WHERE published_no IS NOT NULL) AS n,
                      (SELECT max(published_no) FROM infra.outbox) AS last""",
            quick=quick, slow=slow,
        )  # fmt: skip
        return row.quick, row.slow, row.n, row.last

    quick_no, slow_no, n, last = await db.read(numbers)
    assert quick_no < slow_no
    assert n == last


async def test_one_relay_works_at_a_time_and_the_next_takes_over(db: Database, settings: Settings) -> None:
    sent: list[tuple[str, UUID]] = []

    def sender(name: str) -> outbox.Send:
        async def send(event_id: UUID, subscriber: str) -> None:
            sent.append((name, event_id))
            await db.write(outbox.deliver, event_id, COUNTS)

        return send

    stops = [asyncio.Event(), asyncio.Event()]
    relays = [
        asyncio.create_task(outbox.relay(db, settings.database_url, [COUNTS], sender(name), stop))
        for name, stop in zip(("first", "second"), stops, strict=True)
    ]
    aggregate = uuid7()
    try:
        for version in range(1, 6):
            await db.write(happen, aggregate, version)
        for _ in range(100):
            if len(await db.read(seen, aggregate)) == 5:
                break
            await asyncio.sleep(0.05)
        assert [version for version, _ in await db.read(seen, aggregate)] == [1, 2, 3, 4, 5]
        (working,) = {name for name, _ in sent}
        stops[("first", "second").index(working)].set()
        await asyncio.sleep(0)
        await db.write(happen, aggregate, 6)
        for _ in range(100):
            if len(await db.read(seen, aggregate)) == 6:
                break
            await asyncio.sleep(0.05)
        assert len(await db.read(seen, aggregate)) == 6
    finally:
        for stop in stops:
            stop.set()
        await asyncio.gather(*relays)


async def test_a_queue_that_hangs_does_not_hold_back_the_feed(db: Database, settings: Settings) -> None:
    async def hang(event_id: UUID, subscriber: str) -> None:
        await asyncio.Event().wait()

    async def published(tx: Tx, aggregate: UUID) -> int:
        count: int = await tx.scalar(
            "SELECT count(*) FROM infra.outbox WHERE aggregate_id = :id AND published_no IS NOT NULL", id=aggregate
        )
        return count

    stop, aggregate = asyncio.Event(), uuid7()
    relay = asyncio.create_task(outbox.relay(db, settings.database_url, [COUNTS], hang, stop))
    try:
        for version in (1, 2, 3):
            await db.write(happen, aggregate, version)
            await asyncio.sleep(0.1)
        for _ in range(100):
            if await db.read(published, aggregate) == 3:
                break
            await asyncio.sleep(0.05)
        assert await db.read(published, aggregate) == 3
    finally:
        stop.set()
        await asyncio.wait_for(relay, 3)
    await outbox.drain(db, [COUNTS])
    for event, _ in await db.read(open_deliveries, aggregate):
        await db.write(outbox.deliver, event, COUNTS)
    assert len(await db.read(seen, aggregate)) == 3
