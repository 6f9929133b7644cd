"""Deferred changes: sent with the queue, in one statement, undone with it."""

from __future__ import annotations

import pytest

from commerce.infra.db import Database, Tx
from commerce.infra.tables import long_work
from commerce.kernel.errors import Conflict
from tests.support import unique
from tests.support_statements import count_statements

BUMP = "UPDATE infra.long_work SET done = CAST(:done AS bigint) WHERE kind = 'test' AND key = CAST(:key AS text)"


async def make(tx: Tx, *keys: str) -> None:
    for key in keys:
        tx.queue(long_work, kind="test", key=key, done=1, state={}, updated_at=tx.at)


async def done(db: Database, key: str) -> int | None:
    async def read(tx: Tx) -> int | None:
        value: int | None = await tx.scalar(
            "SELECT done FROM infra.long_work WHERE kind = 'test' AND key = :key", key=key
        )
        return value

    return await db.read(read)


async def test_changes_and_queued_rows_go_in_one_statement(db: Database) -> None:
    first, second, third = unique("key"), unique("key"), unique("key")
    await db.write(make, first, second)

    async def work(tx: Tx) -> None:
        tx.defer(BUMP, key=first, done=7)
        tx.queue(long_work, kind="test", key=third, done=3, state={}, updated_at=tx.at)
        tx.defer(BUMP, key=second, done=8)

    async with count_statements(db) as counted:
        await db.write(work)
    assert len(counted) == 3
    assert [await done(db, key) for key in (first, second, third)] == [7, 8, 3]


async def test_a_refusal_and_a_savepoint_undo_them(db: Database) -> None:
    key, other = unique("key"), unique("key")
    await db.write(make, key, other)

    async def refused(tx: Tx) -> None:
        tx.defer(BUMP, key=key, done=7)
        raise Conflict

    with pytest.raises(Conflict):
        await db.write(refused)

    async def inner(tx: Tx) -> None:
        async with tx.savepoint():
            tx.defer(BUMP, key=key, done=9)
            raise Conflict

    async def halfway(tx: Tx) -> None:
        tx.defer(BUMP, key=other, done=5)
        with pytest.raises(Conflict):
            await inner(tx)

    await db.write(halfway)
    assert await done(db, key) == 1
    assert await done(db, other) == 5
