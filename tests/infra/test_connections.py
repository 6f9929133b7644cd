"""The pool: no more connections than its size, in turn, none lost or left in a state, whatever becomes of those who wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest

from commerce.infra import connections
from commerce.infra.connections import Pool
from commerce.settings import Settings


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    settings = msgspec.structs.replace(settings, pool_wait_seconds=0.2)
    pool = Pool(settings.database_url, settings, size=2, name="pool-test")
    yield pool
    await pool.close()


async def backends(pool: Pool) -> int:
    """How many connections of the pool the server knows, the one that asks included."""
    async with pool.connection() as connection:
        found: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pool-test' AND datname = current_database()"
        )
        return found


async def pid(pool: Pool) -> int:
    async with pool.connection() as connection:
        return connection.get_server_pid()


async def test_one_after_the_other_share_one_connection(pool: Pool) -> None:
    assert len({await pid(pool) for _ in range(5)}) == 1
    assert pool.idle() == 1
    assert await backends(pool) == 1


async def test_no_more_than_its_size_and_all_come_to_their_turn(pool: Pool) -> None:
    at_once, most = 0, 0

    async def work(_: int) -> int:
        nonlocal at_once, most
        async with pool.connection() as connection:
            at_once += 1
            most = max(most, at_once)
            found: int = await connection.fetchval("SELECT pg_backend_pid() FROM pg_sleep(0.001)")
            at_once -= 1
            return found

    pids = await asyncio.gather(*map(work, range(40)))
    assert (most, len(set(pids))) == (2, 2)


async def test_who_waits_too_long_is_told_and_costs_nobody_a_connection(pool: Pool) -> None:
    first, second = await pool.take(), await pool.take()
    with pytest.raises(TimeoutError):
        await pool.take()
    given_up = asyncio.create_task(pool.take())
    await asyncio.sleep(0.01)
    given_up.cancel()
    waiting = asyncio.create_task(pool.take())
    await asyncio.sleep(0.01)
    pool.give(first)
    assert await waiting is first
    pool.give(first)
    pool.give(second)
    assert pool.idle() == 2


async def test_a_connection_that_comes_to_one_who_has_just_gone_is_free(pool: Pool) -> None:
    first, second = await pool.take(), await pool.take()
    waiting = asyncio.create_task(pool.take())
    await asyncio.sleep(0.01)
    pool.give(first)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert pool.idle() == 1
    # and so is the place of one that was closed
    again = await pool.take()
    waiting = asyncio.create_task(pool.take())
    await asyncio.sleep(0.01)
    await again.close()
    pool.give(again)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    third = await pool.take()
    assert await third.fetchval("SELECT 1") == 1
    pool.give(second)
    pool.give(third)


async def test_one_that_is_lost_makes_room(pool: Pool) -> None:
    first, second = await pool.take(), await pool.take()
    waiting = asyncio.create_task(pool.take())
    await asyncio.sleep(0.01)
    await second.execute("SELECT pg_terminate_backend($1)", first.get_server_pid())
    async with asyncio.timeout(5):
        while not first.is_closed():  # noqa: ASYNC110, the driver has no event for it
            await asyncio.sleep(0.01)
    pool.give(first)
    third = await waiting
    assert third not in (first, second)
    pool.give(third)
    # lost while nobody has it
    await second.execute("SELECT pg_terminate_backend($1)", third.get_server_pid())
    async with asyncio.timeout(5):
        while not third.is_closed():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    fourth = await pool.take()
    assert await fourth.fetchval("SELECT 1") == 1
    pool.give(fourth)
    pool.give(second)


@pytest.mark.parametrize(
    "error", [asyncpg.InternalClientError("cannot switch to state"), asyncpg.ConnectionDoesNotExistError("gone")]
)
async def test_one_whose_driver_has_lost_its_state_is_dropped(pool: Pool, error: Exception) -> None:
    before = await pid(pool)
    with pytest.raises(type(error)):
        async with pool.connection():
            raise error
    assert pool.idle() == 0
    assert await pid(pool) != before


async def test_one_that_comes_back_in_a_transaction_is_closed(pool: Pool) -> None:
    left = await pool.take()
    await left.execute("BEGIN")
    pool.give(left)
    assert pool.idle() == 0
    assert await pid(pool) != left.get_server_pid()
    assert await backends(pool) == 1


async def test_an_interrupted_statement_hurts_nobody_after_it(pool: Pool) -> None:
    async def slow() -> None:
        async with pool.connection() as connection:
            await connection.execute("SELECT pg_sleep(30)")

    running = asyncio.create_task(slow())
    await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    async with asyncio.timeout(5):
        assert await backends(pool) == 1


async def test_one_that_cannot_be_opened_leaves_room(settings: Settings) -> None:
    pool = Pool(settings.database_url + "-no-such", settings, size=1, name="pool-test")
    for _ in range(3):
        with pytest.raises(asyncpg.InvalidCatalogNameError):
            await pool.take()
    await pool.close()


async def test_closing_waits_for_who_is_nearly_done_and_refuses_others(pool: Pool) -> None:
    first, second = await pool.take(), await pool.take()
    waiting = asyncio.create_task(pool.take())
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0.05)
    with pytest.raises(asyncpg.InterfaceError, match="closing"):
        await waiting
    with pytest.raises(asyncpg.InterfaceError, match="closing"):
        await pool.take()
    assert await first.fetchval("SELECT 1") == 1
    pool.give(first)
    pool.give(second)
    await closing
    assert (first.is_closed(), second.is_closed()) == (True, True)
    assert await backends(pool) == 1  # used again, it opens anew


async def test_closing_does_not_wait_for_ever(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CLOSING_SECONDS", 0.1)
    first = await pool.take()
    await pool.close()
    assert first.is_closed()


async def test_what_nobody_needs_for_long_is_closed(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "INACTIVE_SECONDS", 0.05)
    first, second = await pool.take(), await pool.take()
    pool.give(first)
    pool.give(second)
    async with asyncio.timeout(5):
        while not (first.is_closed() and second.is_closed()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert pool.idle() == 0
    assert await backends(pool) == 1
