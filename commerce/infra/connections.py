"""Connections to PostgreSQL: how their rows are read, and the pool that keeps them.

The pool is ours because each request passes through it: the driver's starts a task and a timer for each release (decisions/0034).
"""

from __future__ import annotations

import asyncio
from collections import deque
from operator import itemgetter
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
from sqlalchemy.engine import make_url

from commerce.settings import Settings

INACTIVE_SECONDS = 300.0
"""A connection that nobody needed for so long is closed."""
CLOSING_SECONDS = 2.0
"""What whoever has a connection is given when the pool closes."""
CONNECT_SECONDS = 5
BROKEN = (asyncpg.InternalClientError, asyncpg.PostgresConnectionError)
"""After these nobody knows in which state the driver is: the connection is dropped, whether or not it has heard of its end."""


class Row(asyncpg.Record):
    """A row of an answer: by name (`row.sku`), by position, or unpacked."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        setattr(
            Row, name, property(itemgetter(name))
        )  # from now on without this detour: a page reads hundreds of columns
        return self[name]


if TYPE_CHECKING:
    Connection = asyncpg.Connection[Row]  # generic for type checkers alone
else:
    Connection = asyncpg.Connection


class Lease:
    """A connection for the block of an `async with`."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __aenter__(self) -> Connection:
        self._connection = await self._pool.take()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, BROKEN):
            self._connection.terminate()
        self._pool.give(self._connection)


class Pool:
    """Connections of one kind, opened on first use, at most so many. The one used last is used next.

    Nothing is reset between two uses: whoever takes a connection leaves no transaction, lock or setting behind. One that comes back in a
    transaction all the same is closed.
    """

    def __init__(
        self, url: str, settings: Settings, *, size: int, name: str, read_only: bool = False, timeouts: bool = True
    ) -> None:
        server = {"application_name": name, "jit": "off", "timezone": "UTC", "plan_cache_mode": "force_generic_plan"}
        # every statement of ours reads by key through arrays; planning anew at each bind would cost more than running it
        if timeouts:
            server |= {
                "lock_timeout": str(settings.lock_timeout_ms),
                "statement_timeout": str(settings.statement_timeout_ms),
                "idle_in_transaction_session_timeout": "10000",
            }
        if read_only:
            server["default_transaction_read_only"] = "on"
        self.size = size
        self._wait_seconds = settings.pool_wait_seconds
        self._options: dict[str, Any] = {
            "dsn": make_url(url).set(drivername="postgresql").render_as_string(hide_password=False),
            "record_class": Row,
            "connection_class": Connection,
            "server_settings": server,
            "statement_cache_size": 1000,
            "max_cached_statement_lifetime": 0,
            "timeout": CONNECT_SECONDS,
        }
        self._open: set[Connection] = set()
        """All that are open, whoever has them."""
        self._opening = 0
        self._idle: deque[tuple[Connection, float]] = deque()
        """With the moment since when; the one used last stands last."""
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        """Who waits is given a connection, or None: a place to open one, which is kept for him."""
        self._leaving: set[asyncio.Task[None]] = set()
        """Connections that are being closed."""
        self._sweep: asyncio.TimerHandle | None = None
        self._closing = False

    def connection(self) -> Lease:
        """A connection for the block. Raises TimeoutError when none is free within the configured wait, and what opening one raises."""
        return Lease(self)

    async def take(self) -> Connection:
        """A connection, to be given back with `give`. Raises like `connection`, and InterfaceError while the pool is closing."""
        if self._closing:
            raise asyncpg.InterfaceError("the pool is closing")
        while self._idle:
            connection, _ = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._open.discard(connection)
        if len(self._open) + self._opening >= self.size:
            given = await self._turn()
            if given is not None:
                return given
        else:
            self._opening += 1
        return await self._connect()

    def give(self, connection: Connection) -> None:
        """Give a connection back: to who waits the longest, else to be taken again."""
        if connection.is_closed():
            self._open.discard(connection)
            self._make_room()
        elif self._closing or connection.is_in_transaction():
            self._retire(connection)
        elif (turn := self._next()) is not None:
            turn.set_result(connection)
        else:
            self._idle.append((connection, monotonic()))

    def idle(self) -> int:
        """How many connections are open and free."""
        return len(self._idle)

    async def close(self) -> None:
        """Close all connections; those in use are given two seconds. A pool that is used again afterwards opens new ones."""
        self._closing = True
        try:
            if self._sweep is not None:
                self._sweep.cancel()
                self._sweep = None
            while (turn := self._next()) is not None:
                turn.set_exception(asyncpg.InterfaceError("the pool is closing"))
            while self._idle:
                self._retire(self._idle.pop()[0])
            until = monotonic() + CLOSING_SECONDS
            while (self._open or self._opening or self._leaving) and (left := until - monotonic()) > 0:
                if self._leaving:
                    await asyncio.wait(self._leaving, timeout=left)
                else:
                    await asyncio.sleep(0.01)
            for connection in self._open:
                connection.terminate()
            self._open.clear()
        finally:
            self._closing = False

    async def _turn(self) -> Connection | None:
        """Wait for a connection, or for a place to open one."""
        turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                # It came in the very moment in which the wait was over.
                connection = turn.result()
                if connection is not None:
                    self.give(connection)
                else:
                    self._opening -= 1
                    self._make_room()
            raise

    def _next(self) -> asyncio.Future[Connection | None] | None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                return turn
        return None

    def _make_room(self) -> None:
        """Let the next who waits open a connection, now that there may be one more."""
        if len(self._open) + self._opening < self.size and (turn := self._next()) is not None:
            self._opening += 1
            turn.set_result(None)

    async def _connect(self) -> Connection:
        """Open a connection in the place that is kept for it."""
        try:
            connection: Connection = await asyncpg.connect(**self._options)
            try:
                await _use_json(connection)
            except BaseException:
                connection.terminate()
                raise
        except BaseException:
            self._opening -= 1
            self._make_room()
            raise
        self._opening -= 1
        self._open.add(connection)
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(INACTIVE_SECONDS, self._close_inactive)
        return connection

    def _close_inactive(self) -> None:
        before = monotonic() - INACTIVE_SECONDS
        while self._idle and self._idle[0][1] < before:
            self._retire(self._idle.popleft()[0])
        self._sweep = (
            asyncio.get_running_loop().call_later(INACTIVE_SECONDS / 5, self._close_inactive) if self._open else None
        )

    def _retire(self, connection: Connection) -> None:
        self._open.discard(connection)
        task = asyncio.create_task(_leave(connection))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        self._make_room()


async def _leave(connection: Connection) -> None:
    """Close a connection; one that does not answer is dropped."""
    try:
        await connection.close(timeout=CLOSING_SECONDS / 2)
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        connection.terminate()


async def _use_json(connection: Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(
            kind, schema="pg_catalog", encoder=_encode, decoder=msgspec.json.decode, format="text"
        )


def _encode(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
