"""The worker: a dramatiq broker with one actor per event subscriber, and the rooms' periodic work; the relay that feeds it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from uuid import UUID

import dramatiq
import msgspec
import structlog
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO
from dramatiq.worker import Worker

from commerce import parts
from commerce.infra import outbox
from commerce.infra.db import Database
from commerce.infra.live import Live
from commerce.infra.outbox import AidedPeriodic, Aids, Periodic, Subscriber
from commerce.settings import Settings

log = structlog.get_logger()

QUEUE = "events"
WORKER_THREADS = 4
RETRIES = 3
ASIDES: dict[str, tuple[int, int]] = {"commerce-worker": (4, 2), "commerce-periodic": (2, 2), "commerce-relay": (2, 1)}
"""Write and read connections of the pools beside the API's."""


def connections() -> dict[str, int]:
    """The most connections that each process beside the API opens, by name; the relay holds one more for its lock."""
    return {name: write + read for name, (write, read) in ASIDES.items()} | {"commerce-relay-lock": 1}


def open_aside(settings: Settings, name: str) -> Database:
    """The small pools of a process beside the API."""
    write, read = ASIDES[name]
    return Database.open(msgspec.structs.replace(settings, write_connections=write, read_connections=read), name=name)


def broker_of(settings: Settings) -> RedisBroker:
    """The queue's broker on Valkey."""
    broker = RedisBroker(url=settings.redis_url)  # type: ignore[no-untyped-call]
    broker.add_middleware(AsyncIO())
    return broker


def actor_name(subscriber: Subscriber) -> str:
    """The dramatiq actor of a subscriber."""
    return f"deliver.{subscriber.name}"


def declare(broker: RedisBroker, settings: Settings) -> None:
    """Declare one actor per subscriber; messages carry the event's id only."""
    opened: list[Database] = []

    def db() -> Database:
        if not opened:
            opened.append(open_aside(settings, "commerce-worker"))
        return opened[0]

    def actor(subscriber: Subscriber) -> None:
        async def deliver(event_id: str) -> None:
            try:
                done = await db().write(outbox.deliver, UUID(event_id), subscriber)
            except Exception as error:
                await db().write(outbox.note_failure, UUID(event_id), subscriber.name, repr(error))
                raise
            log.debug("event.delivered", subscriber=subscriber.name, event_id=event_id, repeated=not done)

        declared = dramatiq.actor(
            actor_name=actor_name(subscriber),
            queue_name=QUEUE,
            broker=broker,
            max_retries=RETRIES,
            max_backoff=60_000,
        )
        declared(deliver)

    for subscriber in parts.subscribers():
        actor(subscriber)


async def repeat(db: Database, work: Periodic | AidedPeriodic, stop: asyncio.Event, aids: Aids) -> None:
    """Run one room's periodic work until stopped; a failure is logged and tried at the next turn."""
    while not stop.is_set():
        try:
            await (work.run(db, aids) if isinstance(work, AidedPeriodic) else work.run(db))
        except Exception as error:
            log.error("periodic.failed", work=work.name, error=repr(error))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), work.every_seconds)


async def run_periodic(settings: Settings, stop: asyncio.Event) -> None:
    """All periodic work of all rooms, until stopped."""
    db = open_aside(settings, "commerce-periodic")
    live = Live(settings.redis_url)
    await live.open()
    aids = Aids(settings, live.publish)
    try:
        async with asyncio.TaskGroup() as group:
            for work in parts.periodic():
                group.create_task(repeat(db, work, stop, aids), name=work.name)
    finally:
        await live.close()
        await db.close()


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def work(settings: Settings) -> int:
    """`commerce work`: deliver events and do periodic work until SIGINT or SIGTERM."""
    broker = broker_of(settings)
    declare(broker, settings)
    worker = Worker(broker, queues={QUEUE, f"{QUEUE}.DQ"}, worker_threads=WORKER_THREADS)
    worker.start()

    async def main() -> None:
        await run_periodic(settings, _stop_on_signals())

    try:
        asyncio.run(main())
    finally:
        worker.stop(timeout=5000)
        broker.close()
    return 0


def relay(settings: Settings) -> int:
    """`commerce relay`: publish the outbox and send what subscribers wait for, until SIGINT or SIGTERM."""
    broker = broker_of(settings)
    broker.declare_queue(QUEUE)
    subscribers = parts.subscribers()
    by_name = {subscriber.name: subscriber for subscriber in subscribers}

    async def send(event_id: UUID, name: str) -> None:
        subscriber = by_name.get(name)
        if subscriber is None:
            return
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=QUEUE, actor_name=actor_name(subscriber), args=(str(event_id),), kwargs={}, options={}
        )
        await asyncio.to_thread(broker.enqueue, message)

    async def main() -> None:
        db = open_aside(settings, "commerce-relay")
        try:
            await outbox.relay(db, settings.database_url, subscribers, send, _stop_on_signals())
        finally:
            await db.close()

    asyncio.run(main())
    broker.close()
    return 0


__all__ = ["broker_of", "declare", "relay", "repeat", "run_periodic", "work"]
