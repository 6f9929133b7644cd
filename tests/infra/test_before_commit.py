"""The last step of a verb: after the queue and the stored answer, before the commit; its refusal undoes both."""

from __future__ import annotations

import contextlib

import pytest

from commerce.infra.db import Database, Once, Tx
from commerce.infra.tables import long_work
from commerce.kernel.errors import Conflict
from commerce.kernel.ids import uuid7
from tests.support import unique
from tests.support_statements import count_statements

COUNT = "SELECT count(*) FROM infra.long_work WHERE kind = 'test' AND key = ANY(CAST(:keys AS text[]))"


def put(tx: Tx, key: str) -> None:
    tx.queue(long_work, kind="test", key=key, done=1, state={}, updated_at=tx.at)


async def counted_rows(tx: Tx, keys: list[str]) -> int:
    return int(await tx.scalar(COUNT, keys=keys))


async def count(db: Database, *keys: str) -> int:
    return await db.read(counted_rows, list(keys))


async def test_it_sees_the_queue_written_and_what_it_queues_is_written_too(db: Database) -> None:
    first, second = unique("key"), unique("key")
    seen: list[int] = []

    async def work(tx: Tx) -> str:
        async def last() -> None:
            seen.append(await counted_rows(tx, [first, second]))
            put(tx, second)

        tx.before_commit(last)
        put(tx, first)
        return "done"

    once = Once(uuid7(), "test", unique("once"), "hash")
    async with count_statements(db) as counted:
        assert await db.write_once(once, str, work) == "done"
    assert seen == [1]
    assert await count(db, first, second) == 2
    assert [text.split()[0] for text in counted] == ["BEGIN;", "INSERT", "WITH", "SELECT", "INSERT", "COMMIT;"]
    assert await db.write_once(once, str, work) == "done"
    assert seen == [1]


async def test_a_refusal_undoes_everything_and_stores_no_answer(db: Database) -> None:
    key = unique("key")
    once = Once(uuid7(), "test", unique("once"), "hash")
    sold_out = True

    class Kept(Conflict):
        kept = True

    async def work(tx: Tx) -> str:
        async def last() -> None:
            if sold_out:
                raise Kept

        tx.before_commit(last)
        put(tx, key)
        return "done"

    with pytest.raises(Kept):
        await db.write_once(once, str, work)
    assert await count(db, key) == 0
    sold_out = False
    assert await db.write_once(once, str, work) == "done"
    assert await count(db, key) == 1


async def test_a_savepoint_forgets_the_step_of_its_block(db: Database) -> None:
    async def work(tx: Tx) -> list[str]:
        ran: list[str] = []

        async def kept() -> None:
            ran.append("kept")

        async def forgotten() -> None:
            ran.append("forgotten")

        tx.before_commit(kept)
        with contextlib.suppress(Conflict):
            async with tx.savepoint():
                tx.before_commit(forgotten)
                raise Conflict
        return ran

    assert await db.write(work) == ["kept"]
