"""An event is heard once by each subscriber: delivered twice, by two workers at once, or again after a worker has died in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from commerce import parts
from commerce.infra import outbox
from commerce.infra.db import Tx
from tests.concurrency.steps import Caller, done, tallies
from tests.concurrency.stories import STORIES, forget_rules, told
from tests.counts.test_counts import sell
from tests.support import Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
async def no_rules_left(racers: Shop) -> AsyncIterator[None]:
    yield
    await forget_rules(racers.db)


def test_every_subscriber_has_a_story() -> None:
    assert {name.partition(" ")[0] for name in STORIES} == {one.name for one in parts.subscribers()}


async def test_one_effect(racers: Shop, observer: asyncpg.Connection) -> None:
    """What one delivery does, two one after the other do, and two workers at once: whichever statement one of them stands before."""
    db = racers.db
    for name in STORIES:
        subscriber, event, rest = await told(racers, name)
        before = await db.read(tallies)
        assert await db.write(outbox.deliver, event, subscriber) is True
        once = done(before, await db.read(tallies))
        assert once, name
        assert await db.write(outbox.deliver, event, subscriber) is False
        assert done(before, await db.read(tallies)) == once, name
        await rest()
        await forget_rules(db)

        for at in (0, 99):  # before the event is taken; before the commit, when the other has waited all along
            subscriber, event, rest = await told(racers, name)
            before = await db.read(tallies)
            first, second = [Caller(observer, db.write(outbox.deliver, event, subscriber)) for _ in range(2)]
            await first.stop()
            await second.stop()
            for _ in range(at):
                if (await first.step()) == "ended" or first.statements[-1].startswith("COMMIT"):
                    break
            assert await second.run() == ("ended" if at == 0 else "waits")
            await first.run()
            assert (await first.task, await second.task) == (at > 0, at == 0), name
            assert done(before, await db.read(tallies)) == once, name
            await rest()
            await forget_rules(db)


async def test_what_was_heard_is_not_sent_again(racers: Shop) -> None:
    """The relay sends again what nobody has retired, and only that."""
    subscriber, event, rest = await told(racers, "counts.goods_unknown")
    await rest()
    clock.travel(timedelta(minutes=1))
    assert (event, subscriber.name) in await racers.db.write(outbox.overdue)
    assert await racers.db.write(outbox.deliver, event, subscriber) is True
    clock.travel(timedelta(hours=2))
    assert (event, subscriber.name) not in await racers.db.write(outbox.overdue)
    assert await racers.db.write(outbox.deliver, event, subscriber) is False


async def test_two_relays_publish_each_event_once(racers: Shop, observer: asyncpg.Connection) -> None:
    """Only one relay works at a time, by an advisory lock. Should it be lost for a moment, both number the same events alike, without a
    gap, and nobody hears one twice."""
    subscribers = parts.subscribers()
    await outbox.drain(racers.db, subscribers)
    store, items = await racers.store(), [await racers.item() for _ in range(3)]
    for item in items:
        await sell(racers, store, item, 1)

    async def numbers(tx: Tx) -> tuple[int, int]:
        row = await tx.one("SELECT count(published_no) AS n, coalesce(max(published_no), 0) AS top FROM infra.outbox")
        return row.n, row.top

    callers = [Caller(observer, racers.db.write(outbox.publish, subscribers)) for _ in range(2)]
    await callers[0].stop()
    await callers[0].step()
    await callers[1].run()
    await callers[0].run()
    for caller in callers:
        await caller.task
    count, top = await racers.db.read(numbers)
    assert count == top
    pairs = [pair for caller in callers for pair in caller.task.result() if pair[1] is not None]
    mine = {event for event, name in pairs if name == "counts.goods_unknown"}
    by_name = {one.name: one for one in subscribers}
    heard = [await racers.db.write(outbox.deliver, event, by_name[name]) for event, name in pairs]
    assert (len(mine), sum(heard)) == (3, len(set(pairs)))
