"""Transactional outbox, relay and inbox (DESIGN 9).

`record` writes an event in the caller's transaction. One relay at a time gives committed events their `published_no` and a
delivery row per subscriber; a subscriber retires its delivery row in its own transaction, so a lost queue loses nothing
and every effect happens once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import structlog
from sqlalchemy.engine import make_url

from commerce.infra.db import Database, Tx
from commerce.infra.tables import audit_records, outbox
from commerce.kernel.actor import Actor
from commerce.kernel.events import Event
from commerce.kernel.ids import uuid7
from commerce.settings import Settings

log = structlog.get_logger()

RELAY_LOCK = 0x636F6D6D
"""Advisory lock of the one relay."""
SEND_SECONDS = 5
WAITING = 10_000
"""Deliveries that wait to be sent; what does not fit is found again by `overdue`."""
BATCH = 500


Send = Callable[[UUID, str], Awaitable[None]]
"""Puts (event id, subscriber) into the queue."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A published event as a subscriber receives it. `payload` has the event's own fields."""

    id: UUID
    type: str
    aggregate: str
    aggregate_id: UUID
    version: int
    payload: dict[str, Any]
    channel: str


class Subscriber(msgspec.Struct, frozen=True):
    """A reaction to one type of event: runs in the transaction that retires its delivery. Any order, once."""

    name: str
    event: str
    run: Callable[[Tx, Recorded], Awaitable[None]]


class Periodic(msgspec.Struct, frozen=True):
    """Recurring work of a room: safe to run twice, safe to be killed."""

    name: str
    every_seconds: float
    run: Callable[[Database], Awaitable[None]]


class Aids(msgspec.Struct, frozen=True):
    """What some periodic work needs beside the database."""

    settings: Settings
    announce: Callable[[str], Awaitable[None]]
    """Tells open screens that a topic changed."""


class AidedPeriodic(msgspec.Struct, frozen=True):
    """Recurring work that goes by the settings, or that screens show at once."""

    name: str
    every_seconds: float
    run: Callable[[Database, Aids], Awaitable[None]]


def actor_record(actor: Actor) -> dict[str, Any]:
    """Who did it, as ids and codes, for event, timeline and audit record."""
    return {
        "kind": actor.kind,
        "subject": actor.subject,
        "channel": actor.channel,
        "device": actor.device,
        "location": actor.location,
        "on_behalf_of": actor.on_behalf_of,
        "approved_by": actor.approved_by,
        "reason": actor.reason,
        "request_id": actor.request_id,
    }


def record(tx: Tx, actor: Actor, event: Event) -> None:
    """Queue an event into the outbox of this transaction; what staff do for a customer is in the audit record, too."""
    if actor.on_behalf_of is not None:
        audit(tx, actor, event.type, event.aggregate, event.aggregate_id)
    payload = msgspec.to_builtins(event, builtin_types=(UUID,))
    payload.pop("aggregate_id")
    payload.pop("version")
    tx.queue(
        outbox,
        id=uuid7(),
        type=event.type,
        aggregate=event.aggregate,
        aggregate_id=event.aggregate_id,
        version=event.version,
        payload=payload,
        actor=actor_record(actor),
        occurred_at=tx.at,
    )


def audit(
    tx: Tx, actor: Actor, action: str, target: str, target_id: UUID | str, before: Any = None, after: Any = None
) -> None:
    """Queue an append-only record of a staff or machine action: ids and codes only, never personal data."""
    tx.queue(
        audit_records,
        id=uuid7(),
        action=action,
        subject=actor.subject,
        subject_kind=actor.kind,
        channel=actor.channel,
        device=actor.device,
        location=actor.location or actor.place,
        on_behalf_of=actor.on_behalf_of,
        approved_by=actor.approved_by,
        reason=actor.reason,
        request_id=actor.request_id,
        target=target,
        target_id=str(target_id),
        before=before,
        after=after,
        occurred_at=tx.at,
    )


async def note_read(
    tx: Tx, actor: Actor, action: str, target: str, target_id: UUID | str, customer: UUID | None, after: Any = None
) -> None:
    """Queue a record that staff or a machine reads about a person, by ids and codes: `customer`, when it is known whom. Nothing of what
    shoppers read of their own, and of what staff read of the very customer they act for: that this began is recorded with its reason."""
    if actor.kind == "shopper" or (customer is not None and customer == actor.on_behalf_of):
        return
    about = {"customer": customer} if target != "customer" and customer is not None else {}
    audit(tx, actor, action, target, target_id, after={**about, **(after or {})} or None)


async def publish(tx: Tx, subscribers: Sequence[Subscriber]) -> list[tuple[UUID, str]]:
    """Number up to a batch of committed events and make their delivery rows; (event, subscriber) pairs to send, in
    their order."""
    rows = await tx.rows(
        """
        WITH waiting AS MATERIALIZED (
            SELECT id, type, row_number() OVER (ORDER BY recorded_at, id) AS n
            FROM infra.outbox WHERE published_no IS NULL ORDER BY recorded_at, id LIMIT :batch
        ), head AS (SELECT coalesce(max(published_no), 0) AS no FROM infra.outbox WHERE published_no IS NOT NULL),
        numbered AS (
            UPDATE infra.outbox o SET published_no = head.no + waiting.n FROM waiting, head WHERE o.id = waiting.id
            RETURNING o.id, o.type
        ), wanted AS (
            SELECT n.id, s.subscriber FROM numbered n
            JOIN unnest(CAST(:names AS text[]), CAST(:types AS text[])) AS s(subscriber, type) ON s.type = n.type
        ), made AS (
            INSERT INTO infra.deliveries (event_id, subscriber, created_at, sent_at)
            SELECT id, subscriber, :at, :at FROM wanted ON CONFLICT DO NOTHING RETURNING event_id, subscriber
        ), joined AS (
            INSERT INTO infra.subscribers (name, since)
            SELECT s.name, head.no FROM unnest(CAST(:names AS text[])) AS s(name), head
            WHERE EXISTS (SELECT FROM waiting) AND NOT EXISTS (SELECT FROM infra.subscribers k WHERE k.name = s.name)
            ON CONFLICT (name) DO NOTHING
        )
        SELECT n.id AS event_id, m.subscriber
        FROM numbered n JOIN waiting w ON w.id = n.id LEFT JOIN made m ON m.event_id = n.id ORDER BY w.n, m.subscriber
        """,
        batch=BATCH, at=tx.at, names=[s.name for s in subscribers], types=[s.event for s in subscribers],
    )  # fmt: skip
    return [(row.event_id, row.subscriber) for row in rows]


async def overdue(tx: Tx) -> list[tuple[UUID, str]]:
    """Deliveries that nobody retired: marked as sent again, at most a batch; after 30 s, then twice as long each time, up to an hour."""
    rows = await tx.rows(
        """
        UPDATE infra.deliveries d SET sent_at = :at, attempts = d.attempts + 1
        FROM (SELECT event_id, subscriber FROM infra.deliveries
              WHERE delivered_at IS NULL AND sent_at + least(interval '30 s' * (1 << least(attempts, 7)), interval '1 h') < :at
              ORDER BY attempts, sent_at LIMIT :batch FOR UPDATE SKIP LOCKED) late
        WHERE d.event_id = late.event_id AND d.subscriber = late.subscriber
        RETURNING d.event_id, d.subscriber
        """,
        at=tx.at, batch=BATCH,
    )  # fmt: skip
    return [(row.event_id, row.subscriber) for row in rows]


async def deliver(tx: Tx, event_id: UUID, subscriber: Subscriber) -> bool:
    """Retire the delivery row and run the subscriber in the same transaction; False when it was retired before."""
    row = await tx.first(
        """
        WITH mine AS (
            UPDATE infra.deliveries SET delivered_at = :at, failure = NULL
            WHERE event_id = :event AND subscriber = :subscriber AND delivered_at IS NULL RETURNING event_id
        )
        SELECT o.id, o.type, o.aggregate, o.aggregate_id, o.version, o.payload, o.actor
        FROM infra.outbox o JOIN mine ON mine.event_id = o.id
        """,
        at=tx.at, event=event_id, subscriber=subscriber.name,
    )  # fmt: skip
    if row is None:
        return False
    event = Recorded(
        id=row.id, type=row.type, aggregate=row.aggregate, aggregate_id=row.aggregate_id, version=row.version,
        payload=row.payload, channel=row.actor["channel"],
    )  # fmt: skip
    await subscriber.run(tx, event)
    return True


async def note_failure(tx: Tx, event_id: UUID, subscriber: str, failure: str) -> None:
    """Keep the last reason why a delivery failed beside it; it is sent again until somebody retires it."""
    await tx.execute(
        "UPDATE infra.deliveries SET failure = :failure WHERE event_id = :event AND subscriber = :subscriber",
        failure=failure[:500], event=event_id, subscriber=subscriber,
    )  # fmt: skip


async def drain(db: Database, subscribers: Sequence[Subscriber]) -> int:
    """Publish and deliver everything that waits, in this process: for tests and short-lived commands. The number delivered."""
    by_name = {s.name: s for s in subscribers}
    count = 0
    while True:
        pairs = await db.write(publish, subscribers)
        if not pairs:
            return count
        for event_id, name in pairs:
            if name is not None:
                count += await db.write(deliver, event_id, by_name[name])


async def relay(
    db: Database, database_url: str, subscribers: Sequence[Subscriber], send: Send,
    stop: asyncio.Event, *, idle_seconds: float = 0.05,
) -> None:  # fmt: skip
    """Publish until stopped. One relay works at a time: the others wait for its advisory lock."""
    queue: asyncio.Queue[tuple[UUID, str]] = asyncio.Queue(WAITING)
    sender = asyncio.create_task(_send_all(queue, send), name="relay-sender")
    try:
        await _publish_all(db, database_url, subscribers, queue, stop, idle_seconds)
    finally:
        sender.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sender


async def _publish_all(
    db: Database, database_url: str, subscribers: Sequence[Subscriber], queue: asyncio.Queue[tuple[UUID, str]],
    stop: asyncio.Event, idle_seconds: float,
) -> None:  # fmt: skip
    dsn = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    while not stop.is_set():
        try:
            guard = await asyncpg.connect(dsn, server_settings={"application_name": "commerce-relay-lock"}, timeout=5)
        except (OSError, asyncpg.PostgresError) as error:
            log.warning("relay.database_away", error=str(error))
            await _pause(stop, 1.0)
            continue
        try:
            while not stop.is_set() and not await guard.fetchval("SELECT pg_try_advisory_lock($1)", RELAY_LOCK):
                await _pause(stop, 1.0)
            loop = asyncio.get_running_loop()
            late_at = 0.0
            while not stop.is_set():
                if guard.is_closed():
                    break
                pairs = await db.write(publish, subscribers)
                if loop.time() >= late_at:
                    late_at = loop.time() + 5
                    pairs += await db.write(overdue)
                for event_id, name in pairs:
                    if name is not None and not queue.full():
                        queue.put_nowait((event_id, name))
                if not pairs:
                    await _pause(stop, idle_seconds)
        except Exception as error:
            log.warning("relay.interrupted", error=repr(error))
            await _pause(stop, 1.0)
        finally:
            with contextlib.suppress(Exception):
                await guard.close(timeout=2)


async def _send_all(queue: asyncio.Queue[tuple[UUID, str]], send: Send) -> None:
    """Put what was published into the queue of the worker, beside the publishing: a queue that is away or slow never holds back
    the feed. What is not sent is found again by `overdue`."""
    while True:
        event_id, name = await queue.get()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await send(event_id, name)
        except Exception as error:
            log.warning("relay.not_sent", subscriber=name, event_id=str(event_id), error=repr(error))
            await asyncio.sleep(1.0)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
