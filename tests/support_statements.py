"""Counts the SQL statements of a block: begin and commit included, as the budgets of DESIGN 11 do.

    async with count_statements(app.state.db) as counted:
        await client.put(...)
    assert len(counted) <= 8

The driver's query logger sees everything that a connection sends. Left out are what the key ring does in tasks of its own and its
refresh, which belong to no request, and what the driver asks a new connection about types, so that the count is that of a warm connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from typing import Any
from unittest.mock import patch

from commerce.infra.connections import Connection
from commerce.infra.db import Database

NOBODYS = (
    "FROM auth.client_keys k JOIN auth.clients c",
    "FROM auth.client_keys k JOIN seen",
    "typeinfo_tree",
    "set_config('jit'",
)

KEYRING = ("keyring", "keyring-seen")
"""Tasks of the application."""


@asynccontextmanager
async def count_statements(db: Database) -> AsyncIterator[list[str]]:
    """The statements that the pools of `db` send within the block, in order."""
    statements: list[str] = []

    def note(record: Any) -> None:
        if not any(part in record.query for part in NOBODYS):
            statements.append(" ".join(record.query.split()))

    def listening(
        connection_of: Callable[[], AbstractAsyncContextManager[Connection]],
    ) -> Callable[[], AbstractAsyncContextManager[Connection]]:
        @asynccontextmanager
        async def connection() -> AsyncIterator[Connection]:
            async with connection_of() as taken:
                task = asyncio.current_task()
                if task is not None and task.get_name() in KEYRING:
                    yield taken
                    return
                taken.add_query_logger(note)
                try:
                    yield taken
                finally:
                    await asyncio.sleep(0)  # the driver tells its loggers in the next turn of the loop
                    if not taken.is_closed():
                        taken.remove_query_logger(note)

        return connection

    with ExitStack() as patched:
        for pool in {id(pool): pool for pool in (db._writer, db._reader, db._browser)}.values():
            patched.enter_context(patch.object(pool, "connection", listening(pool.connection)))
        yield statements
        await asyncio.sleep(0.01)
