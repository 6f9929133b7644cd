"""The last step of a verb: after the queue and the stored answer, before a commit that frees its locks at once."""

from __future__ import annotations

import contextlib

import msgspec
import pytest

from commerce.infra.db import ON_DISK, Database, Once, Tx
from commerce.infra.tables import long_work
from commerce.kernel.errors import Conflict
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
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
    assert [text.split()[0] for text in counted] == [
        "BEGIN;",
        "INSERT",
        "WITH",
        "SELECT",
        "INSERT",
        "COMMIT;",
        "SELECT",
    ]
    assert counted[-1] == ON_DISK
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


@pytest.mark.parametrize("with_key", [True, False])
async def test_locks_are_free_before_the_disk_has_it_and_the_caller_is_answered_after(
    settings: Settings, with_key: bool
) -> None:
    key = unique("key")
    settings = msgspec.structs.replace(
        settings, database_url=f"{settings.database_url}?options=-c%20synchronous_commit%3Don"
    )
    seen: list[str] = []

    async def work(tx: Tx) -> str:
        async def last() -> None:
            seen.append(await tx.scalar("SELECT current_setting('synchronous_commit')"))
            seen.append(await tx.scalar("SELECT CAST(pg_current_wal_insert_lsn() AS text)"))

        tx.before_commit(last)
        put(tx, key)
        return await tx.scalar("SELECT current_setting('synchronous_commit')")  # type: ignore[no-any-return]

    async def on_disk(tx: Tx, at: str) -> bool:
        return bool(await tx.scalar("SELECT pg_current_wal_flush_lsn() > CAST(CAST(:at AS text) AS pg_lsn)", at=at))

    db = Database.open(settings)
    try:
        once = Once(uuid7(), "test", unique("once"), "hash")
        assert await (db.write_once(once, str, work) if with_key else db.write(work)) == "on"
        assert seen[0] == "off"
        assert await db.read(on_disk, seen[1])
        assert await count(db, key) == 1
        async with count_statements(db) as counted:
            if with_key:
                await db.write_once(once, str, work)
                assert counted[-2:] == ["ROLLBACK;", ON_DISK]
            assert await db.write(counted_rows, [key]) == 1
            assert counted[-3:] == ["BEGIN;", counted[-2], "COMMIT;"]
    finally:
        await db.close()
