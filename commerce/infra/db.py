"""The only code that begins, commits, rolls back and retries (DESIGN 3 and 4).

`Database.write` and `write_once` run a verb in a READ COMMITTED transaction; `read`, `browse` and `snapshot` run reads.
A refusal undoes everything, except an error class declared `kept`, which is raised after the commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import Row, Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.base import Executable

from commerce.kernel.clock import Clock, system_clock
from commerce.kernel.errors import Busy, Conflict, Problem
from commerce.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 3
RETRIED = {"40001", "40P01"}
"""serialization_failure, deadlock_detected"""
BUSY = {"55P03", "57014", "53300", "53400", "57P01", "57P02", "57P03", "25P03"}
"""lock_not_available, query_canceled, too_many_connections, and a server that is going away"""


class KeyReused(Conflict):
    code = "idempotency-key-reused"
    title = "Idempotency-Key already used for something else"
    title_ru = "Idempotency-Key уже использован для другого запроса"
    detail = (
        "This key belongs to another request. Send a new key with new input; repeat the key only with the same input."
    )
    detail_ru = "Этот ключ принадлежит другому запросу. Для новых данных нужен новый ключ."


class InProgress(Conflict):
    code = "in-progress"
    title = "The same request is still running"
    title_ru = "Такой же запрос ещё выполняется"
    detail = "A request with this Idempotency-Key is being carried out. Ask again shortly with the same key."
    detail_ru = "Запрос с этим Idempotency-Key выполняется. Повторите его чуть позже с тем же ключом."


class Once(msgspec.Struct, frozen=True):
    """One claim of an Idempotency-Key: scoped by principal and operation, bound to the input by its hash."""

    principal: UUID
    operation: str
    key: str
    hash: str


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a database error, wrapped by SQLAlchemy or not."""
    origin = getattr(error, "orig", None) or error
    state = getattr(origin, "sqlstate", None) or getattr(origin, "pgcode", None)
    return str(state) if state else None


def constraint_of(error: BaseException) -> str | None:
    """The name of the constraint that refused a row, if that is what happened."""
    origin: Any = getattr(error, "orig", None) or error
    while origin is not None:
        name = getattr(origin, "constraint_name", None)
        if name:
            return str(name)
        origin = getattr(origin, "__cause__", None)
    return None


DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]


@lru_cache(maxsize=512)
def _insert_fragment(table: Table, columns: tuple[str, ...], first: int) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    arrays = ", ".join(
        f"${first + i}::{table.c[name].type.compile(dialect=DIALECT)}[]" for i, name in enumerate(columns)
    )
    return f'INSERT INTO "{table.schema}"."{table.name}" ({names}) SELECT * FROM unnest({arrays})'


def _is_json(table: Table, column: str) -> bool:
    return isinstance(table.c[column].type, postgresql.JSONB)


class Tx:
    """One transaction (or one read) of a verb: a SQLAlchemy AsyncConnection and the business time `at`.

    `at` is the same for the whole transaction and comes from the injected clock; rooms never ask for the time elsewhere.
    """

    __slots__ = ("_after_commit", "_queue", "at", "connection")

    def __init__(self, connection: AsyncConnection, at: datetime) -> None:
        self.connection = connection
        self.at = at
        self._queue: dict[tuple[Table, tuple[str, ...]], list[tuple[Any, ...]]] = {}
        self._after_commit: list[Callable[[], Awaitable[None]]] = []

    async def execute(
        self, statement: Executable | str, parameters: Mapping[str, Any] | None = None, **values: Any
    ) -> int:
        """Run a statement; the number of rows it touched."""
        result = await self.connection.execute(_statement(statement), {**(parameters or {}), **values})
        return result.rowcount

    async def rows(
        self, statement: Executable | str, parameters: Mapping[str, Any] | None = None, **values: Any
    ) -> Sequence[Row[Any]]:
        """All rows of a statement."""
        result = await self.connection.execute(_statement(statement), {**(parameters or {}), **values})
        return result.all()

    async def first(
        self, statement: Executable | str, parameters: Mapping[str, Any] | None = None, **values: Any
    ) -> Row[Any] | None:
        """The first row or None."""
        result = await self.connection.execute(_statement(statement), {**(parameters or {}), **values})
        return result.first()

    async def one(
        self, statement: Executable | str, parameters: Mapping[str, Any] | None = None, **values: Any
    ) -> Row[Any]:
        """Exactly one row. Raises sqlalchemy.exc.NoResultFound."""
        result = await self.connection.execute(_statement(statement), {**(parameters or {}), **values})
        return result.one()

    async def scalar(
        self, statement: Executable | str, parameters: Mapping[str, Any] | None = None, **values: Any
    ) -> Any:
        """The first column of the first row, or None."""
        result = await self.connection.execute(_statement(statement), {**(parameters or {}), **values})
        return result.scalar()

    def queue(self, table: Table, **values: Any) -> None:
        """Add one row to be inserted just before the commit, with all other queued rows, as ONE statement.

        For rows that nobody reads back in this transaction: outbox, timeline, audit record, lines. JSON columns take any value
        that msgspec encodes. Columns of an array type are not supported. Rows of one table should name the same columns.
        """
        columns = tuple(values)
        row = tuple(
            msgspec.json.encode(value).decode() if value is not None and _is_json(table, name) else value
            for name, value in values.items()
        )
        self._queue.setdefault((table, columns), []).append(row)

    def after_commit(self, effect: Callable[[], Awaitable[None]]) -> None:
        """Run an effect that may be lost (a live notice to open screens) once the transaction is committed."""
        self._after_commit.append(effect)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo what the block wrote, the queue included, when it raises."""
        kept = {key: list(rows) for key, rows in self._queue.items()}
        try:
            async with self.connection.begin_nested():
                yield
        except BaseException:
            self._queue = kept
            raise

    async def flush(self, once: Once | None = None, answer: bytes | None = None) -> None:
        """Send the queue, and the stored answer of an idempotent request, as one data-modifying statement."""
        fragments: list[str] = []
        arguments: list[Any] = []
        for (table, columns), rows in self._queue.items():
            fragments.append(_insert_fragment(table, columns, len(arguments) + 1))
            arguments.extend(list(values) for values in zip(*rows, strict=True))
        self._queue = {}
        if once is not None and answer is not None:
            n = len(arguments)
            fragments.append(
                f"UPDATE infra.idempotency_keys SET answer = ${n + 1}::jsonb"
                f" WHERE principal = ${n + 2}::uuid AND operation = ${n + 3}::text AND key = ${n + 4}::text"
            )
            arguments.extend((answer.decode(), once.principal, once.operation, once.key))
        if not fragments:
            return
        if len(fragments) == 1:
            statement = fragments[0]
        else:
            named = ", ".join(f"q{i} AS ({fragment})" for i, fragment in enumerate(fragments[:-1]))
            statement = f"WITH {named} {fragments[-1]}"
        await self.connection.exec_driver_sql(statement, tuple(arguments))


@lru_cache(maxsize=2048)
def _text(statement: str) -> Executable:
    return text(statement)


def _statement(statement: Executable | str) -> Executable:
    return _text(statement) if isinstance(statement, str) else statement


CLAIM = """
INSERT INTO infra.idempotency_keys AS k (principal, operation, key, hash, claimed_at)
VALUES (:principal, :operation, :key, :hash, :at)
ON CONFLICT (principal, operation, key) DO UPDATE SET key = excluded.key
RETURNING k.hash, k.answer::text AS answer
"""


class Database:
    """The pools of one process. Open with `Database.open`, close with `close`."""

    def __init__(self, writer: AsyncEngine, reader: AsyncEngine, browser: AsyncEngine, clock: Clock) -> None:
        self._writer = writer
        self._reader = reader
        self._browser = browser
        self.clock = clock

    @classmethod
    def open(cls, settings: Settings, *, clock: Clock = system_clock, name: str = "commerce") -> Database:
        """Make the pools; no connection is opened before the first use."""
        writer = engine(settings.database_url, settings, pool=settings.write_connections, name=name)
        reader = engine(
            settings.database_url, settings, pool=settings.read_connections, name=f"{name}-read", read_only=True
        )
        browser = reader
        if settings.reader_url:
            browser = engine(
                settings.reader_url, settings, pool=settings.read_connections, name=f"{name}-browse", read_only=True
            )
        return cls(writer, reader, browser, clock)

    async def close(self) -> None:
        """Close every pool."""
        for pool in {id(e): e for e in (self._writer, self._reader, self._browser)}.values():
            await pool.dispose()

    async def write(self, work: Callable[Concatenate[Tx, P], Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a verb in one transaction and commit. Again on deadlock, at most three times. Raises Busy."""
        return await self._write(None, None, work, *args, **kwargs)

    async def write_once(
        self,
        once: Once,
        returns: type[R],
        work: Callable[Concatenate[Tx, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """Like `write`, and the same key gets the same answer for 24 hours without doing the work again.

        Raises KeyReused for the same key with other input, InProgress while a slow twin runs, Busy.
        """
        return await self._write(once, returns, work, *args, **kwargs)

    async def _write(
        self,
        once: Once | None,
        returns: Any,
        work: Callable[Concatenate[Tx, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._attempt(once, returns, work, *args, **kwargs)
            except (DBAPIError, asyncpg.PostgresError, PoolTimeout, OSError, asyncpg.InterfaceError) as error:
                if sqlstate(error) in RETRIED and attempt < ATTEMPTS:
                    await asyncio.sleep(0.01 * attempt)
                    continue
                raise busy_or(error) from error
        raise AssertionError("unreachable")

    async def _attempt(
        self,
        once: Once | None,
        returns: Any,
        work: Callable[Concatenate[Tx, P], Awaitable[R]],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        async with self._writer.connect() as connection:
            tx = Tx(connection, self.clock())
            if once is not None:
                stored = await _claim(tx, once)
                if stored is not None:
                    await connection.rollback()
                    answer: R = msgspec.json.decode(stored, type=returns) if returns is not type(None) else None  # type: ignore[assignment]
                    return answer
            try:
                result = await work(tx, *args, **kwargs)
            except Problem as problem:
                if problem.kept:
                    if once is not None:
                        await tx.execute(
                            "DELETE FROM infra.idempotency_keys WHERE principal = :principal AND operation = :operation AND key = :key",
                            principal=once.principal, operation=once.operation, key=once.key,
                        )  # fmt: skip
                    await tx.flush()
                    await connection.commit()
                raise
            await tx.flush(once, msgspec.json.encode(result) if once is not None else None)
            await connection.commit()
        for effect in tx._after_commit:
            await effect()
        return result

    async def read(self, work: Callable[Concatenate[Tx, P], Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a read on the primary, each statement on its own snapshot; writing is refused by the server."""
        return await self._read(self._reader, work, *args, **kwargs)

    async def browse(self, work: Callable[Concatenate[Tx, P], Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a read that may lag behind: on the replica when one is given."""
        return await self._read(self._browser, work, *args, **kwargs)

    async def _read(
        self, pool: AsyncEngine, work: Callable[Concatenate[Tx, P], Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        try:
            async with pool.connect() as connection:
                return await work(Tx(connection, self.clock()), *args, **kwargs)
        except (DBAPIError, asyncpg.PostgresError, PoolTimeout, OSError, asyncpg.InterfaceError) as error:
            raise busy_or(error) from error

    async def snapshot(
        self, work: Callable[Concatenate[Tx, P], Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run several reads that agree: REPEATABLE READ, read only."""
        try:
            async with self._writer.connect() as connection:
                agreed = await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                return await work(Tx(agreed, self.clock()), *args, **kwargs)
        except (DBAPIError, asyncpg.PostgresError, PoolTimeout, OSError, asyncpg.InterfaceError) as error:
            raise busy_or(error) from error


async def _claim(tx: Tx, once: Once) -> str | None:
    try:
        row = await tx.one(
            CLAIM, principal=once.principal, operation=once.operation, key=once.key, hash=once.hash, at=tx.at
        )
    except DBAPIError as error:
        if sqlstate(error) == "55P03":
            raise InProgress(retry_after_seconds=1) from error
        raise
    if row.hash != once.hash:
        raise KeyReused
    stored: str | None = row.answer
    return stored


def busy_or(error: BaseException) -> BaseException:
    """Busy when the database is loaded or away; otherwise the error itself, which is a bug of ours."""
    if sqlstate(error) in BUSY | RETRIED or isinstance(error, PoolTimeout | OSError | asyncpg.InterfaceError):
        return Busy(retry_after_seconds=1)
    if isinstance(error, DBAPIError) and (error.connection_invalidated or isinstance(error.orig, OSError)):
        return Busy(retry_after_seconds=1)
    return error


def _encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def engine(
    url: str, settings: Settings, *, pool: int, name: str, read_only: bool = False, timeouts: bool = True
) -> AsyncEngine:
    """An engine with the house's time-outs. `read_only` pools run each statement on its own, without BEGIN and COMMIT."""
    server = {"application_name": name, "jit": "off", "timezone": "UTC"}
    if timeouts:
        server |= {
            "lock_timeout": str(settings.lock_timeout_ms),
            "statement_timeout": str(settings.statement_timeout_ms),
            "idle_in_transaction_session_timeout": "10000",
        }
    if read_only:
        server["default_transaction_read_only"] = "on"
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"} if read_only else {}
    return create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool,
        max_overflow=0,
        pool_timeout=settings.pool_wait_seconds,
        json_serializer=_encode,
        json_deserializer=msgspec.json.decode,
        connect_args={
            "server_settings": server,
            "prepared_statement_cache_size": 1000,
            "statement_cache_size": 300,
            "timeout": 5,
        },
        **options,
    )
