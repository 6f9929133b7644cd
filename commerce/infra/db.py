"""The only code that begins, commits, rolls back and retries (DESIGN 3 and 4).

`Database.write` and `write_once` run a verb in a READ COMMITTED transaction; `read`, `browse` and `snapshot` run reads.
A refusal undoes everything, except an error class declared `kept`, which is raised after the commit.

Statements are written with SQLAlchemy Core or as constant SQL with `:names`, compiled once by its dialect, and run by asyncpg
directly (decisions/0002).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload
from uuid import UUID

import asyncpg
import msgspec
from asyncpg.transaction import Transaction
from sqlalchemy import Table, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement

from commerce.infra.connections import Connection, Pool, Row
from commerce.kernel.actor import NIL
from commerce.kernel.clock import Clock, system_clock
from commerce.kernel.errors import Busy, Conflict, Problem
from commerce.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")

ATTEMPTS = 3
RETRIED = {"40001", "40P01"}
"""serialization_failure, deadlock_detected"""
BUSY = {"55P03", "57014", "53300", "53400", "57P01", "57P02", "57P03", "25P03"}
"""lock_not_available, query_canceled, too_many_connections, and a server that is going away"""


MADE_BESIDE = {"uq_carts_shopper_id", "uq_carts_device_id"}
"""Unique indexes of rows of which an owner has one at a time, that verbs make or free for another."""
AWAY = (TimeoutError, OSError, asyncpg.PostgresConnectionError, asyncpg.InternalClientError)
"""No connection free in time, none to be had, or one that was lost between two statements: the driver's own state is broken then."""
FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, *AWAY)


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


ANSWERED: ContextVar[tuple[object, bytes] | None] = ContextVar("answered", default=None)
"""What `write_once` answered last in this task, and the bytes it stored of it: the edge sends these instead of encoding anew."""


class Once(msgspec.Struct, frozen=True):
    """One claim of an Idempotency-Key: scoped by principal and operation, bound to the input by its hash."""

    principal: UUID
    operation: str
    key: str
    hash: str


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of a database error."""
    state = getattr(error, "sqlstate", None)
    return str(state) if state else None


def constraint_of(error: BaseException) -> str | None:
    """The name of the constraint that refused a row, if that is what happened."""
    name = getattr(error, "constraint_name", None)
    return str(name) if name else None


DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1024)
def _insert_fragment(table: Table, columns: tuple[str, ...], first: int, *, one: bool) -> str:
    """One row travels as scalars, more as arrays: the driver looks at each element of an array."""
    names = ", ".join(f'"{name}"' for name in columns)
    kinds = [table.c[name].type.compile(dialect=DIALECT) for name in columns]
    if one:
        rows = "SELECT " + ", ".join(f"${first + i}::{kind}" for i, kind in enumerate(kinds))
    else:
        arrays = ", ".join(f"${first + i}::{kind}[]" for i, kind in enumerate(kinds))
        rows = f"SELECT * FROM unnest({arrays})"
    return f'INSERT INTO "{table.schema}"."{table.name}" ({names}) {rows}'


@lru_cache(maxsize=1024)
def _json_places(table: Table, columns: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(n for n, name in enumerate(columns) if isinstance(table.c[name].type, postgresql.JSONB))


@lru_cache(maxsize=4096)
def _of_text(statement: str) -> tuple[str, tuple[str, ...]]:
    compiled = text(statement).compile(dialect=DIALECT)
    return str(compiled), tuple(getattr(compiled, "positiontup", None) or ())


def _prepared(statement: Executable | str, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The statement in the server's form and its arguments in order. Constant texts are compiled once per process."""
    if isinstance(statement, str):
        string, order = _of_text(statement)
        return string, [values[name] for name in order]
    assert isinstance(statement, ClauseElement)
    compiled = statement.compile(dialect=DIALECT, column_keys=list(values) or None)
    parameters = compiled.construct_params(dict(values)) or {}
    return str(compiled), [parameters[name] for name in getattr(compiled, "positiontup", None) or ()]


@lru_cache(maxsize=4096)
def _shifted(statement: str, by: int) -> str:
    """The statement with its parameters numbered from `by` + 1."""
    return re.sub(r"\$(\d+)", lambda found: f"${int(found[1]) + by}", statement)


class Question(msgspec.Struct, Generic[R], frozen=True):
    """What a room can say with others in one statement: constant SQL for exactly one row of `columns` columns, and how to read them."""

    statement: str
    columns: int
    values: dict[str, Any]
    read: Callable[..., R]


@lru_cache(maxsize=256)
def _joined(*statements: str) -> str:
    names = [f"q{n}" for n in range(len(statements))]
    asked = " CROSS JOIN ".join(f"({statement}) AS {name}" for name, statement in zip(names, statements, strict=True))
    return f"SELECT {', '.join(f'{name}.*' for name in names)} FROM {asked}"


class Tx:
    """One transaction (or one read) of a verb, and its business time `at`.

    `at` is the same for the whole transaction and comes from the injected clock; rooms never ask for the time elsewhere.
    A statement is a Core expression over the rooms' tables, or constant SQL with `:names`.
    """

    __slots__ = (
        "_after_commit",
        "_before_commit",
        "_connection",
        "_deferred",
        "_queue",
        "at",
        "memory",
        "reads_only",
        "show_quantities",
    )

    def __init__(
        self,
        connection: Connection,
        at: datetime,
        memory: dict[str, Any],
        *,
        reads_only: bool,
        show_quantities: bool = False,
    ) -> None:
        self._connection = connection
        self.show_quantities = show_quantities
        """Whether this installation tells shoppers how many units there are (SHOW_QUANTITIES)."""
        self.at = at
        self.memory = memory
        """What rooms remember of this database in this process, under their names. Only for what the statement that uses it proves
        to be as it was; kept by transactions that read only, as one that writes may see what is never committed."""
        self.reads_only = reads_only
        self._queue: dict[tuple[Table, tuple[str, ...]], list[list[Any]]] = {}
        self._deferred: list[tuple[str, list[Any]]] = []
        self._before_commit: list[Callable[[], Awaitable[None]]] = []
        self._after_commit: list[Callable[[], Awaitable[None]]] = []

    async def execute(
        self, statement: Executable | str, parameters: Mapping[str, Any] | None = None, **values: Any
    ) -> int:
        """Run a statement; the number of rows it touched."""
        string, arguments = _prepared(statement, {**parameters, **values} if parameters else values)
        status = await self._connection.execute(string, *arguments)
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def rows(
        self, statement: Executable | str, parameters: Mapping[str, Any] | None = None, **values: Any
    ) -> list[Row]:
        """All rows of a statement."""
        string, arguments = _prepared(statement, {**parameters, **values} if parameters else values)
        return await self._connection.fetch(string, *arguments)

    async def first(
        self, statement: Executable | str, parameters: Mapping[str, Any] | None = None, **values: Any
    ) -> Row | None:
        """The first row or None."""
        string, arguments = _prepared(statement, {**parameters, **values} if parameters else values)
        return await self._connection.fetchrow(string, *arguments)

    async def one(self, statement: Executable | str, parameters: Mapping[str, Any] | None = None, **values: Any) -> Row:
        """The one row of a statement that always has one. Raises LookupError otherwise: a bug of ours."""
        rows = await self.rows(statement, parameters, **values)
        if len(rows) != 1:
            raise LookupError(f"one row expected, {len(rows)} found")
        return rows[0]

    async def scalar(
        self, statement: Executable | str, parameters: Mapping[str, Any] | None = None, **values: Any
    ) -> Any:
        """The first column of the first row, or None."""
        row = await self.first(statement, parameters, **values)
        return None if row is None else row[0]

    @overload
    async def together(self, one: Question[R], two: Question[S], /) -> tuple[R, S]: ...

    @overload
    async def together(self, one: Question[R], two: Question[S], three: Question[T], /) -> tuple[R, S, T]: ...

    async def together(self, *questions: Question[Any]) -> tuple[Any, ...]:
        """The answers to questions from one statement, so of one snapshot. What they name alike is the same."""
        values: dict[str, Any] = {}
        for question in questions:
            values |= question.values
        row = await self.one(_joined(*[question.statement for question in questions]), values)
        answers, first = [], 0
        for question in questions:
            answers.append(question.read(*row[first : first + question.columns]))
            first += question.columns
        return tuple(answers)

    def queue(self, table: Table, **values: Any) -> None:
        """Add one row to be inserted just before the commit, with all other queued rows, as ONE statement.

        For rows that nobody reads back in this transaction: outbox, timeline, audit record, lines. JSON columns take any value
        that msgspec encodes. Columns of an array type are not supported. Rows of one table should name the same columns.
        """
        columns, row = tuple(values), list(values.values())
        for place in _json_places(table, columns):
            if row[place] is not None:
                row[place] = msgspec.json.encode(row[place]).decode()
        self._queue.setdefault((table, columns), []).append(row)

    def defer(self, statement: str, **values: Any) -> None:
        """Run an UPDATE of rows that this transaction has locked just before the commit, within the queue's ONE statement.

        For changes that nobody reads back in this transaction: constant SQL with `:names`, every one with its type (CAST), and
        no WITH of its own. A row may be changed by one of them only, as all parts of a statement see the same snapshot.
        """
        self._deferred.append(_prepared(statement, values))

    def before_commit(self, step: Callable[[], Awaitable[None]]) -> None:
        """Run the last step of the verb once the queue has been sent, just before the commit: for the one that locks what many want.

        Its refusal undoes everything, `kept` or not. What it queues is sent after it. The commit lets the locks go before it is on
        disk; the caller is answered, and `after_commit` runs, when it is (decisions/0018).
        """
        self._before_commit.append(step)

    def after_commit(self, effect: Callable[[], Awaitable[None]]) -> None:
        """Run an effect that may be lost (a live notice to open screens) once the transaction is committed."""
        self._after_commit.append(effect)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """Undo what the block wrote, the queue included, when it raises."""
        kept = {key: list(rows) for key, rows in self._queue.items()}
        deferred, steps = list(self._deferred), list(self._before_commit)
        try:
            async with self._connection.transaction():
                yield
        except BaseException:
            self._queue, self._deferred, self._before_commit = kept, deferred, steps
            raise

    async def flush(self, once: Once | None = None, answer: bytes | None = None) -> None:
        """Send the queue, and the stored answer of an idempotent request, as one data-modifying statement."""
        await self._flush(once, answer)

    async def _flush(self, once: Once | None, answer: bytes | None, *, early: bool = False) -> None:
        fragments: list[str] = []
        arguments: list[Any] = []
        for (table, columns), rows in self._queue.items():
            one = len(rows) == 1
            fragments.append(_insert_fragment(table, columns, len(arguments) + 1, one=one))
            arguments.extend(rows[0] if one else (list(values) for values in zip(*rows, strict=True)))
        for string, values in self._deferred:
            fragments.append(_shifted(string, len(arguments)))
            arguments.extend(values)
        self._queue, self._deferred = {}, []
        if once is not None and answer is not None:
            n = len(arguments)
            packed = len(answer) > PACKED_BYTES
            fragments.append(
                f"UPDATE infra.idempotency_keys SET {'packed = $%d::bytea' if packed else 'answer = $%d::text'}"
                % (n + 1)
                + f" WHERE principal = ${n + 2}::uuid AND operation = ${n + 3}::text AND key = ${n + 4}::text"
            )
            stored = zlib.compress(answer, 1) if packed else answer.decode()
            arguments.extend((stored, once.principal, once.operation, once.key))
            if early:
                fragments[-1] += f" RETURNING {COMMIT_EARLY}"
        elif early:
            await self._connection.execute(f"SELECT {COMMIT_EARLY}")
        if not fragments:
            return
        if len(fragments) == 1:
            statement = fragments[0]
        else:
            named = ", ".join(f"q{i} AS ({fragment})" for i, fragment in enumerate(fragments[:-1]))
            statement = f"WITH {named} {fragments[-1]}"
        await self._connection.fetch(statement, *arguments)


def encoded(view: Any) -> bytes:
    """A view as JSON; one that knows parts of it already says so by a method `encoded`."""
    own = getattr(view, "encoded", None)
    return own() if own is not None else msgspec.json.encode(view)


CLAIM = """
INSERT INTO infra.idempotency_keys AS k (principal, operation, key, hash, claimed_at)
VALUES (:principal, :operation, :key, :hash, :at)
ON CONFLICT (principal, operation, key) DO UPDATE SET key = excluded.key
RETURNING k.hash, k.answer, k.packed
"""
PACKED_BYTES = 4096
"""A longer answer is stored compressed: a fifteenth of its bytes are then sent, written and logged, at a quarter of what PostgreSQL's
own compression takes."""


COMMIT_EARLY = "set_config('synchronous_commit', 'off', true)"
"""The commit of this transaction shall not wait for the disk: what it locked is free as soon as others can see what it wrote."""
ON_DISK = "SELECT pg_logical_emit_message(true, 'commerce', '')"
"""A commit that says nothing and waits for the disk (and the replica): everything committed before it is there, too."""


UNCLAIM = """
DELETE FROM infra.idempotency_keys WHERE principal = :principal AND operation = :operation AND key = :key
"""


class Database:
    """The pools of one process. Open with `Database.open`, close with `close`."""

    def __init__(
        self, writer: Pool, reader: Pool, browser: Pool, clock: Clock, *, show_quantities: bool = False
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._browser = browser
        self.clock = clock
        self.memory: dict[str, Any] = {}
        self._show_quantities = show_quantities

    @classmethod
    def open(
        cls, settings: Settings, *, clock: Clock = system_clock, name: str = "commerce", timeouts: bool = True
    ) -> Database:
        """Make the pools; no connection is opened before the first use."""
        writer = Pool(settings.database_url, settings, size=settings.write_connections, name=name, timeouts=timeouts)
        reader = Pool(
            settings.database_url, settings, size=settings.read_connections, name=f"{name}-read", read_only=True
        )
        browser = reader
        if settings.reader_url:
            browser = Pool(
                settings.reader_url, settings, size=settings.read_connections, name=f"{name}-browse", read_only=True
            )
        return cls(writer, reader, browser, clock, show_quantities=settings.show_quantities)

    async def close(self) -> None:
        """Close every pool."""
        for pool in {id(pool): pool for pool in (self._writer, self._reader, self._browser)}.values():
            await pool.close()

    def _tx(self, connection: Connection, *, reads_only: bool) -> Tx:
        return Tx(
            connection, self.clock(), self.memory, reads_only=reads_only, show_quantities=self._show_quantities
        )  # fmt: skip

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
            except FAILURES as error:
                if attempt < ATTEMPTS and (sqlstate(error) in RETRIED or _number_taken(error)):
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
        async with self._writer.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            tx = self._tx(connection, reads_only=False)
            try:
                if once is not None:
                    stored = await _claim(tx, once)
                    if stored is not None:
                        await transaction.rollback()
                        await connection.fetch(ON_DISK)
                        replayed: R = None if returns is type(None) else msgspec.json.decode(stored, type=returns)  # type: ignore[assignment]
                        ANSWERED.set((replayed, stored.encode()))
                        return replayed
                try:
                    result = await work(tx, *args, **kwargs)
                except Problem as problem:
                    if not problem.kept:
                        raise
                    if once is not None:
                        await tx.execute(UNCLAIM, principal=once.principal, operation=once.operation, key=once.key)
                    await tx.flush()
                    await transaction.commit()
                    raise
                early = bool(tx._before_commit)
                answer = encoded(result) if once is not None else None
                await tx._flush(once, answer, early=early)
                for step in tx._before_commit:
                    await step()
                await tx.flush()
                await transaction.commit()
                if early:
                    await connection.fetch(ON_DISK)
            except BaseException:
                await _undo(connection, transaction)
                raise
        for effect in tx._after_commit:
            await effect()
        if answer is not None:
            ANSWERED.set((result, answer))
        return result

    async def read(self, work: Callable[Concatenate[Tx, P], Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a read on the primary, each statement on its own snapshot; writing is refused by the server."""
        return await self._read(self._reader, work, *args, **kwargs)

    async def browse(self, work: Callable[Concatenate[Tx, P], Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a read that may lag behind: on the replica when one is given."""
        return await self._read(self._browser, work, *args, **kwargs)

    async def _read(
        self, pool: Pool, work: Callable[Concatenate[Tx, P], Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        try:
            async with pool.connection() as connection:
                return await work(self._tx(connection, reads_only=True), *args, **kwargs)
        except FAILURES as error:
            raise busy_or(error) from error

    async def snapshot(
        self, work: Callable[Concatenate[Tx, P], Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run several reads that agree: REPEATABLE READ, read only."""
        try:
            async with (
                self._writer.connection() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                return await work(self._tx(connection, reads_only=True), *args, **kwargs)
        except FAILURES as error:
            raise busy_or(error) from error


async def _undo(connection: Connection, transaction: Transaction) -> None:
    """Roll back. When the connection is lost the server has done so: what is raised stays what went wrong first."""
    try:
        if not connection.is_closed() and connection.is_in_transaction():
            await transaction.rollback()
    except (asyncpg.InternalClientError, asyncpg.InterfaceError, asyncpg.PostgresError, OSError):
        with contextlib.suppress(asyncpg.InterfaceError):
            connection.terminate()


def _number_taken(error: BaseException) -> bool:
    """A number that was drawn at random (of an order, a return) exists already: the verb draws another. Or somebody made, at the same
    time, the one row that there may be: the verb finds it when it runs again."""
    broken = constraint_of(error) or ""
    return sqlstate(error) == "23505" and (broken.endswith("_number") or broken in MADE_BESIDE)


async def _claim(tx: Tx, once: Once) -> str | None:
    try:
        row = await tx.one(
            CLAIM, principal=once.principal, operation=once.operation, key=once.key, hash=once.hash, at=tx.at
        )
    except asyncpg.LockNotAvailableError as error:
        raise InProgress(retry_after_seconds=1) from error
    if row.hash != once.hash:
        raise KeyReused
    if row.packed is not None:
        return zlib.decompress(row.packed).decode()
    stored: str | None = row.answer
    return stored


async def answered(tx: Tx, once: Once) -> bool:
    """Whether this very request has its answer already, so that its verb will not run again."""
    found: bool = await tx.scalar(
        """
        SELECT EXISTS (
            SELECT 1 FROM infra.idempotency_keys
            WHERE principal = :principal AND operation = :operation AND key = :key AND hash = :hash
                AND (answer IS NOT NULL OR packed IS NOT NULL)
        )
        """,
        principal=once.principal, operation=once.operation, key=once.key, hash=once.hash,
    )  # fmt: skip
    return found


def busy_or(error: BaseException) -> BaseException:
    """Busy when the database is loaded or away, or others were there before at every attempt; otherwise the error itself, which is a bug
    of ours."""
    # connection closed, pool closing, or taken back by the pool because it was lost; the rest is misuse
    lost = isinstance(error, asyncpg.InterfaceError) and any(sign in str(error) for sign in ("clos", "released back"))
    if lost or sqlstate(error) in BUSY | RETRIED or isinstance(error, AWAY) or _number_taken(error):
        return Busy(retry_after_seconds=1)
    return error


async def forget_answers(tx: Tx, principals: Sequence[UUID]) -> None:
    """Forget the stored answers to these principals: they may hold names and contacts."""
    await tx.execute(
        "DELETE FROM infra.idempotency_keys WHERE principal = ANY(CAST(:principals AS uuid[]))",
        principals=list(principals),
    )


KEPT_HOURS = 24
"""For how long the answers to idempotent requests are kept."""


async def forget_answers_naming(tx: Tx, words: Sequence[str]) -> int:
    """Forget the stored answers to whomever that name one of these ids or numbers; how many. One statement for each hour of a day, so
    that none of them runs long."""
    patterns = [f"%{word}%" for word in words]
    forgotten = 0
    for hour in range(KEPT_HOURS + 1):
        forgotten += await tx.execute(
            """
            DELETE FROM infra.idempotency_keys
            WHERE claimed_at > :since AND claimed_at <= :until AND answer LIKE ANY(CAST(:patterns AS text[]))
            """,
            since=tx.at - timedelta(hours=hour + 1), until=tx.at - timedelta(hours=hour), patterns=patterns,
        )  # fmt: skip
    return forgotten + await _forget_packed(tx, [word.encode() for word in words])


async def _forget_packed(tx: Tx, words: Sequence[bytes]) -> int:
    """The same of the answers that are stored compressed, which are read here."""
    forgotten = 0
    after: tuple[Any, ...] = (tx.at - timedelta(hours=KEPT_HOURS + 1), NIL, "", "")
    while rows := await tx.rows(
        PACKED, claimed_at=after[0], principal=after[1], operation=after[2], key=after[3], most=PACKED_AT_ONCE
    ):
        for row in rows:
            answer = zlib.decompress(row.packed)
            if any(word in answer for word in words):
                forgotten += await tx.execute(UNCLAIM, principal=row.principal, operation=row.operation, key=row.key)
        after = tuple(rows[-1])[:4]
    return forgotten


PACKED_AT_ONCE = 200
PACKED = """
SELECT claimed_at, principal, operation, key, packed FROM infra.idempotency_keys
WHERE packed IS NOT NULL AND (claimed_at, principal, operation, key)
    > (CAST(:claimed_at AS timestamptz), CAST(:principal AS uuid), CAST(:operation AS text), CAST(:key AS text))
ORDER BY claimed_at, principal, operation, key LIMIT :most
"""
