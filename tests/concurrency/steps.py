"""Callers whose transactions advance one statement at a time, and connections that die between two of them.

Nothing of ours is replaced: the driver's connection tells when a statement is to be sent and when its answer has come, and somebody may
stand in the way. Begin, savepoints and commit are statements too.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from typing import Any, ClassVar, Literal, Protocol, cast

import asyncpg
import httpx
from litestar import Litestar
from litestar.testing import AsyncTestClient

from commerce.app import create_app
from commerce.infra.connections import Connection
from commerce.infra.db import Database, Tx, sqlstate
from commerce.kernel.errors import Problem
from commerce.settings import Settings
from tests.support import Shop, clock

PATIENCE = 0.002
"""How often a caller that does not go on is looked at."""
LONGEST = 60.0


class Watch(Protocol):
    """Stands beside the connections of one caller."""

    async def before(self, connection: Connection, statement: str) -> None:
        """A statement is about to be sent."""

    async def after(self, connection: Connection, statement: str) -> None:
        """Its answer is there."""


WATCH: ContextVar[Watch | None] = ContextVar("watch", default=None)


class Watched(Connection):
    """A connection that tells the watch of the task that uses it, and counts what the server refused."""

    refused: ClassVar[Counter[str]] = Counter()
    """SQLSTATEs, of all such connections."""

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        return cast(str, await self._told(query, lambda: super(Watched, self).execute(query, *args, timeout=timeout)))

    async def fetch(self, query: str, *args: Any, timeout: float | None = None, record_class: Any = None) -> Any:
        return await self._told(
            query, lambda: super(Watched, self).fetch(query, *args, timeout=timeout, record_class=record_class)
        )

    async def fetchrow(self, query: str, *args: Any, timeout: float | None = None, record_class: Any = None) -> Any:
        return await self._told(
            query, lambda: super(Watched, self).fetchrow(query, *args, timeout=timeout, record_class=record_class)
        )

    async def _told(self, query: str, send: Callable[[], Awaitable[Any]]) -> Any:
        watch = WATCH.get()
        if watch is not None:
            await watch.before(self, query)
        try:
            answer = await send()
        except asyncpg.PostgresError as error:
            Watched.refused[sqlstate(error) or "lost"] += 1
            raise
        if watch is not None:
            await watch.after(self, query)
        return answer


def watch_connections(db: Database) -> None:
    """The pools of `db` open watched connections from now on: before their first use."""
    for pool in (db._writer, db._reader, db._browser):
        assert not pool._open
        pool._options["connection_class"] = Watched


@asynccontextmanager
async def at_once(shop: Shop, settings: Settings) -> AsyncIterator[Shop]:
    """The shop, whose callers' requests run beside each other over watched connections; and so do the verbs of its `db`."""
    app = create_app(settings, clock=clock)
    watch_connections(app.state.db)
    started, stop = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        # One task opens and closes: pytest may end a fixture in another one.
        async with app.lifespan():
            started.set()
            await stop.wait()

    serving = asyncio.create_task(serve())
    await started.wait()
    transport = httpx.ASGITransport(app=cast(Any, app))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop", timeout=600) as http:
        racing = Shop(app.state.db, cast(AsyncTestClient[Litestar], http), settings)
        racing.category = shop.category
        yield racing
    stop.set()
    await serving


@asynccontextmanager
async def observing(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside all pools."""
    connection = await asyncpg.connect(settings.database_url.replace("postgresql+asyncpg:", "postgresql:"))
    try:
        yield connection
    finally:
        await connection.close()


async def outcome(work: Awaitable[Any]) -> str:
    """`ok`, or the code of the refusal; of an answer by HTTP too. Anything else is a failure of the test."""
    try:
        answer = await work
    except Problem as problem:
        return problem.code
    if isinstance(answer, httpx.Response):
        if answer.is_success:
            return "ok"
        assert answer.status_code < 500, answer.text
        return str(answer.json()["type"]).removeprefix("/problems/")
    return "ok"


Stands = Literal["stands", "waits", "ended"]


class Caller:
    """One caller: stands before each statement until he is let go on."""

    def __init__(self, observer: asyncpg.Connection, work: Coroutine[Any, Any, Any]) -> None:
        self.statements: list[str] = []
        self._observer = observer
        self._free = False
        self._waits = False
        self._pid: int | None = None
        self._let = asyncio.Semaphore(0)
        self._standing = asyncio.Event()
        self._moved = asyncio.Event()
        context = copy_context()
        context.run(WATCH.set, self)
        self.task: asyncio.Task[Any] = asyncio.create_task(work, context=context)
        self.task.add_done_callback(lambda _: self._moved.set())

    async def before(self, connection: Connection, statement: str) -> None:
        self._pid = connection.get_server_pid()
        self.statements.append(statement)
        if self._free or statement.startswith("BEGIN"):
            return  # a transaction sees nothing by its beginning
        self._standing.set()
        self._moved.set()
        await self._let.acquire()

    async def after(self, connection: Connection, statement: str) -> None:
        """Goes on to the next."""

    async def stop(self) -> Stands:
        """Where he is once he does not move: before a statement, in a queue for a lock, or at the end."""
        deadline = time.monotonic() + LONGEST
        while time.monotonic() < deadline:
            if self.task.done():
                return "ended"
            if self._standing.is_set():
                return "stands"
            if self._waits and await self._blocked():
                return "waits"
            self._waits = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), PATIENCE)
            self._moved.clear()
            self._waits = not self.task.done() and not self._standing.is_set() and await self._blocked()
        raise AssertionError("a caller waits for something else than the database")

    async def step(self) -> Stands:
        """Let one statement go."""
        if await self.stop() == "stands":
            self._standing.clear()
            self._let.release()
        return await self.stop()

    async def run(self) -> Stands:
        """Let all of them go, as far as they come."""
        self._free = True
        if self._standing.is_set():
            self._standing.clear()
            self._let.release()
        return await self.stop()

    @property
    def about_to_end(self) -> bool:
        """He stands before his commit."""
        return self.statements[-1].startswith(("COMMIT", "ROLLBACK"))

    async def _blocked(self) -> bool:
        if self._pid is None:
            return False
        return bool(await self._observer.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", self._pid))


Check = Callable[[Sequence[str]], Awaitable[None]]
Scene = Callable[[], Awaitable[tuple[Sequence[Coroutine[Any, Any, Any]], Check]]]
"""Sets up a fresh scene: the works of its callers, and what to check of their outcomes afterwards."""


async def every_switch(observer: asyncpg.Connection, scene: Scene, *, alike: bool = False) -> Counter[tuple[str, ...]]:
    """Each of two callers is interrupted before each of his statements by the whole of the other: all single switches, both ways;
    one way when they do the same.

    Whoever has to wait for a lock goes on when he can. Locks are kept until the end: once the other has had to wait twice, all that can
    change is that he waits earlier, so the last switch, before the commit, stands for the rest. Answers how often which outcomes came.
    """
    ends: Counter[tuple[str, ...]] = Counter()
    for first in (0,) if alike else (0, 1):
        at = waited = 0
        last = False
        while not last:
            works, check = await scene()
            callers = [Caller(observer, outcome(work)) for work in works]
            leader, other = callers[first], callers[1 - first]
            stands, steps, last = await leader.stop(), 0, waited == 2
            while stands == "stands" and (steps < at or (last and not leader.about_to_end)):
                stands = await leader.step()
                steps += 1
            last = last or stands == "ended"
            waited += await other.run() == "waits"
            await leader.run()
            found = tuple([await caller.task for caller in callers])
            await check(found)
            ends[found] += 1
            at += 1
    return ends


async def every_interleaving(
    observer: asyncpg.Connection, scene: Scene, *, most: int = 400
) -> Counter[tuple[str, ...]]:
    """All orders in which the statements of the callers can follow each other, found depth first."""
    ends: Counter[tuple[str, ...]] = Counter()
    schedule: list[int] = []
    for _ in range(most):
        taken: list[tuple[int, list[int]]] = []

        def next_turn(
            ready: list[int], schedule: list[int] = schedule, taken: list[tuple[int, list[int]]] = taken
        ) -> int:
            wished = schedule[len(taken)] if len(taken) < len(schedule) else ready[0]
            turn = wished if wished in ready else ready[0]
            taken.append((turn, [n for n in ready if n > turn]))
            return turn

        ends[await _played(observer, scene, next_turn)] += 1
        while taken and not taken[-1][1]:
            taken.pop()
        if not taken:
            return ends
        schedule = [turn for turn, _ in taken[:-1]] + [taken[-1][1][0]]
    raise AssertionError(f"more than {most} interleavings")


async def some_interleavings(
    observer: asyncpg.Connection, scene: Scene, *, seed: int, runs: int
) -> Counter[tuple[str, ...]]:
    """Orders drawn at random, the same ones every time: where all are too many."""
    dice = random.Random(seed)
    ends: Counter[tuple[str, ...]] = Counter()
    for _ in range(runs):
        ends[await _played(observer, scene, dice.choice)] += 1
    return ends


async def _played(observer: asyncpg.Connection, scene: Scene, next_turn: Callable[[list[int]], int]) -> tuple[str, ...]:
    works, check = await scene()
    callers = [Caller(observer, outcome(work)) for work in works]
    while not all(caller.task.done() for caller in callers):
        ready = [n for n, caller in enumerate(callers) if await caller.stop() == "stands"]
        if ready:
            await callers[next_turn(ready)].step()
        else:
            await asyncio.sleep(PATIENCE)  # who was let go by a commit needs a moment
    found = tuple([await caller.task for caller in callers])
    await check(found)
    return found


class Killed(BaseException):
    """The process is no more."""


class Death:
    """The backend of a caller dies after his `at`-th statement (0: before any), and with `process` the caller too.

    Without `process` he goes on, and hears of it from the driver.
    """

    def __init__(self, observer: asyncpg.Connection, at: int, *, process: bool) -> None:
        self.at = at
        self.seen: list[str] = []
        self.happened = False
        self._observer = observer
        self._process = process

    async def before(self, connection: Connection, statement: str) -> None:
        if self.at == 0 and not self.seen:
            await self._strike(connection)

    async def after(self, connection: Connection, statement: str) -> None:
        self.seen.append(statement)
        if len(self.seen) == self.at:
            await self._strike(connection)

    async def _strike(self, connection: Connection) -> None:
        if self.happened:
            return
        self.happened = True
        pid = connection.get_server_pid()
        assert await self._observer.fetchval("SELECT pg_terminate_backend($1)", pid)
        while await self._observer.fetchval("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", pid):  # noqa: ASYNC110
            await asyncio.sleep(PATIENCE)
        if self._process:
            connection.terminate()
            raise Killed


async def dying(
    observer: asyncpg.Connection, at: int, work: Coroutine[Any, Any, Any], *, process: bool
) -> tuple[Death, Any]:
    """Run work that is struck after its `at`-th statement: how it went, and its answer, the refusal, or None when it was killed."""
    death = Death(observer, at, process=process)
    context = copy_context()
    context.run(WATCH.set, death)
    answer: list[Any] = []

    async def run() -> None:
        with contextlib.suppress(Killed):
            try:
                answer.append(await work)
            except Problem as problem:
                answer.append(problem)

    await asyncio.create_task(run(), context=context)
    return death, answer[0] if answer else None


async def deadlocks(observer: asyncpg.Connection) -> int:
    """Deadlocks and serialization failures that the watched connections were told of, and those that the server has counted."""
    counted: int = await observer.fetchval("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    return counted + Watched.refused["40P01"] + Watched.refused["40001"]


async def tallies(tx: Tx) -> dict[str, int]:
    """How much there is of everything that an act may leave behind: to compare what it did with what doing it once does."""
    row = await tx.one(
        """
        SELECT (SELECT jsonb_object_agg(type, n) FROM (SELECT type, count(*) AS n FROM infra.outbox GROUP BY type) t) AS events,
            (SELECT jsonb_object_agg(cause_kind, n) FROM (
                SELECT cause_kind, count(*) AS n FROM stock.postings GROUP BY cause_kind) t) AS postings,
            (SELECT jsonb_object_agg(place, n) FROM (
                SELECT from_place || ' -> ' || to_place AS place, sum(quantity) AS n FROM stock.movements GROUP BY 1) t) AS moved,
            (SELECT jsonb_object_agg(state, n) FROM (
                SELECT bucket || ' ' || state AS state, count(*) AS n FROM stock.reservations GROUP BY 1) t) AS aside,
            (SELECT jsonb_object_agg(what, n) FROM (SELECT what, count(*) AS n FROM fulfillment.steps GROUP BY what) t) AS steps,
            (SELECT jsonb_object_agg(what, n) FROM (SELECT what, count(*) AS n FROM orders.entries GROUP BY what) t) AS entries,
            (SELECT jsonb_object_agg(what, n) FROM (SELECT what, count(*) AS n FROM transfers.steps GROUP BY what) t) AS travels,
            (SELECT jsonb_object_agg(state, n) FROM (SELECT state, sum(quantity) AS n FROM counts.tasks GROUP BY state) t) AS tasks,
            (SELECT count(*) FROM orders.choices) AS choices, (SELECT count(*) FROM counts.task_sources) AS sources,
            (SELECT count(*) FROM orders.orders) AS orders, (SELECT count(*) FROM fulfillment.plans) AS plans,
            (SELECT count(*) FROM stock.safety_changes) AS safety_changes, (SELECT count(*) FROM infra.audit_records) AS records,
            (SELECT count(*) FROM people.order_touches) AS touches, (SELECT count(*) FROM customers.profiles WHERE guest) AS guests,
            (SELECT count(*) FROM carts.carts WHERE looked_at_version IS NULL) AS carts_to_look_at,
            (SELECT count(*) FROM infra.idempotency_keys) AS answers
        """
    )
    found: dict[str, int] = {}
    for group, value in row.items():
        if isinstance(value, int):
            found[group] = value
        else:
            found |= {f"{group}: {name}": int(n) for name, n in (value or {}).items()}
    return found


def done(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What became more, or less, of."""
    changes = {name: after.get(name, 0) - before.get(name, 0) for name in {*before, *after}}
    return {name: change for name, change in sorted(changes.items()) if change}
