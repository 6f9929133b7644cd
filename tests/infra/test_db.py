"""Who commits: write, write_once, kept refusals, retries, time-outs (DESIGN 3 and 4)."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from commerce.infra.db import Database, InProgress, KeyReused, Once, Tx
from commerce.infra.tables import audit_records, long_work
from commerce.kernel.errors import Busy, Conflict
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
from tests.support import clock, unique


class Refused(Conflict):
    code = "test-refused"


class Kept(Conflict):
    code = "test-kept"
    kept = True


class Answer(msgspec.Struct, frozen=True):
    key: str
    done: int


def once(
    key: str | None = None, *, principal: UUID | None = None, content: str = "same", operation: str = "test"
) -> Once:
    return Once(principal or uuid7(), operation, key or unique("key"), content)


async def add(tx: Tx, key: str, refusal: type[Exception] | None = None, queued: bool = False) -> Answer:
    if queued:
        tx.queue(long_work, kind="test", key=key, done=1, state={"a": [1, "б"]}, updated_at=tx.at)
        done = 1
    else:
        done = await tx.scalar(
            """INSERT INTO infra.long_work (kind, key, done, state, updated_at) VALUES ('test', :key, 1, '{}', :at)
               ON CONFLICT (kind, key) DO UPDATE SET done = long_work.done + 1 RETURNING done""",
            key=key,
            at=tx.at,
        )
    if refusal is not None:
        raise refusal
    return Answer(key, done)


async def done(tx: Tx, key: str) -> int | None:
    found: int | None = await tx.scalar("SELECT done FROM infra.long_work WHERE kind = 'test' AND key = :key", key=key)
    return found


@pytest.mark.parametrize("queued", [False, True])
async def test_a_refusal_undoes_everything(db: Database, queued: bool) -> None:
    key = unique("w")
    with pytest.raises(Refused):
        await db.write(add, key, Refused, queued)
    assert await db.read(done, key) is None


@pytest.mark.parametrize("queued", [False, True])
async def test_a_kept_refusal_is_committed_first(db: Database, queued: bool) -> None:
    key = unique("w")
    with pytest.raises(Kept):
        await db.write(add, key, Kept, queued)
    assert await db.read(done, key) == 1


async def test_the_same_key_gets_the_same_answer_and_one_effect(db: Database) -> None:
    key, claim = unique("w"), once()
    first = await db.write_once(claim, Answer, add, key)
    again = await db.write_once(claim, Answer, add, key)
    assert first == again == Answer(key, 1)
    assert await db.read(done, key) == 1


async def test_the_same_key_with_other_input_is_refused(db: Database) -> None:
    key, claim = unique("w"), once()
    await db.write_once(claim, Answer, add, key)
    with pytest.raises(KeyReused):
        await db.write_once(msgspec.structs.replace(claim, hash="other"), Answer, add, key)
    assert await db.read(done, key) == 1


async def test_a_refused_request_does_not_use_up_its_key(db: Database) -> None:
    key, claim = unique("w"), once()
    for refusal in (Refused, Kept):
        with pytest.raises(refusal):
            await db.write_once(claim, Answer, add, key, refusal)
    assert await db.write_once(claim, Answer, add, key) == Answer(key, 2)


async def test_keys_are_scoped_by_principal_and_operation(db: Database) -> None:
    key, claim = unique("w"), once()
    await db.write_once(claim, Answer, add, key)
    await db.write_once(msgspec.structs.replace(claim, operation="other"), Answer, add, key)
    await db.write_once(msgspec.structs.replace(claim, principal=uuid7()), Answer, add, key)
    assert await db.read(done, key) == 3


async def test_twins_in_parallel_have_one_effect(db: Database) -> None:
    key, claim = unique("w"), once()
    answers = await asyncio.gather(*(db.write_once(claim, Answer, add, key) for _ in range(8)))
    assert set(answers) == {Answer(key, 1)}


async def test_the_twin_of_slow_work_is_told_so(db: Database) -> None:
    claim, started, told = once(), asyncio.Event(), asyncio.Event()

    async def slow(tx: Tx) -> Answer:
        started.set()
        await told.wait()
        return Answer("slow", 1)

    first = asyncio.create_task(db.write_once(claim, Answer, slow))
    await started.wait()
    with pytest.raises(InProgress) as refused:
        await db.write_once(claim, Answer, slow)
    assert refused.value.retry_after_seconds == 1
    assert not first.done()
    told.set()
    assert await first == Answer("slow", 1)


async def test_a_deadlock_is_tried_again(db: Database) -> None:
    a, b = sorted((unique("a"), unique("b")))
    await db.write(add, a)
    await db.write(add, b)
    barrier = asyncio.Barrier(2)
    attempts = 0

    async def both(tx: Tx, first: str, second: str) -> None:
        nonlocal attempts
        attempts += 1
        await add(tx, first)
        if attempts <= 2:
            await barrier.wait()
        await add(tx, second)

    await asyncio.gather(db.write(both, a, b), db.write(both, b, a))
    assert attempts == 3
    assert (await db.read(done, a), await db.read(done, b)) == (3, 3)


async def test_a_lock_that_is_held_too_long_is_busy(db: Database) -> None:
    key, held, free = unique("w"), asyncio.Event(), asyncio.Event()
    await db.write(add, key)

    async def hold(tx: Tx) -> None:
        await add(tx, key)
        held.set()
        await free.wait()

    holder = asyncio.create_task(db.write(hold))
    await held.wait()
    with pytest.raises(Busy) as busy:
        await db.write(add, key)
    free.set()
    await holder
    assert busy.value.retry_after_seconds == 1
    assert await db.read(done, key) == 2


async def test_a_pool_without_a_free_connection_is_busy(settings: Settings) -> None:
    small = Database.open(msgspec.structs.replace(settings, write_connections=1, pool_wait_seconds=0.2), clock=clock)
    held, free = asyncio.Event(), asyncio.Event()

    async def hold(tx: Tx) -> None:
        await tx.scalar("SELECT 1")
        held.set()
        await free.wait()

    holder = asyncio.create_task(small.write(hold))
    await held.wait()
    with pytest.raises(Busy):
        await small.write(hold)
    free.set()
    await holder
    await small.close()


async def test_reads_cannot_write(db: Database) -> None:
    for lane in (db.read, db.browse, db.snapshot):
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await lane(add, unique("w"))


async def test_a_snapshot_agrees_with_itself(db: Database) -> None:
    key = unique("w")
    await db.write(add, key)

    async def twice(tx: Tx) -> tuple[int | None, int | None]:
        before = await done(tx, key)
        await db.write(add, key)
        return before, await done(tx, key)

    assert await db.snapshot(twice) == (1, 1)


async def test_queued_rows_of_several_tables_go_in_one_statement(db: Database) -> None:
    key = unique("w")

    async def work(tx: Tx) -> None:
        for n in range(3):
            tx.queue(
                long_work,
                kind="test",
                key=f"{key}-{n}",
                done=n,
                state={"n": n, "text": 'кавычка " и \\'},
                updated_at=tx.at,
            )
        tx.queue(
            audit_records, id=uuid7(), action="test.act", subject=uuid7(), subject_kind="system", channel="system", target="test",
            target_id=key, before=None, after={"ok": True}, occurred_at=tx.at,
        )  # fmt: skip

    await db.write(work)

    async def read(tx: Tx) -> tuple[list[Any], Any]:
        rows = await tx.rows(
            "SELECT key, done, state FROM infra.long_work WHERE key LIKE :like ORDER BY key", like=f"{key}-%"
        )
        record = await tx.one("SELECT before, after FROM infra.audit_records WHERE target_id = :key", key=key)
        return [tuple(row) for row in rows], tuple(record)

    rows, record = await db.read(read)
    assert rows == [(f"{key}-{n}", n, {"n": n, "text": 'кавычка " и \\'}) for n in range(3)]
    assert record == (None, {"ok": True})


async def test_a_savepoint_forgets_the_queue_of_its_block(db: Database) -> None:
    key = unique("w")

    async def work(tx: Tx) -> None:
        tx.queue(long_work, kind="test", key=f"{key}-kept", done=1, state={}, updated_at=tx.at)
        with contextlib.suppress(Refused):
            async with tx.savepoint():
                tx.queue(long_work, kind="test", key=f"{key}-lost", done=1, state={}, updated_at=tx.at)
                await add(tx, f"{key}-lost-too", Refused)

    await db.write(work)
    assert [await db.read(done, f"{key}-{what}") for what in ("kept", "lost", "lost-too")] == [1, None, None]


async def test_effects_run_after_the_commit_only(db: Database) -> None:
    seen: list[str] = []

    async def work(tx: Tx, what: str, refusal: type[Exception] | None = None) -> None:
        async def effect() -> None:
            seen.append(what)

        tx.after_commit(effect)
        assert seen == []
        if refusal:
            raise refusal

    with pytest.raises(Refused):
        await db.write(work, "refused", Refused)
    await db.write(work, "committed")
    assert seen == ["committed"]


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.InterfaceError("cannot call Connection.fetch(): connection has been released back to the pool"),
        asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
    ],
)
async def test_whatever_the_driver_says_of_a_lost_connection_is_a_reason_to_try_again(
    db: Database, error: Exception
) -> None:
    async def work(tx: Tx) -> None:
        await tx.scalar("SELECT 1")
        raise error

    for carry_out in (db.write, db.read, db.snapshot):
        with pytest.raises(Busy):
            await carry_out(work)
