"""Who holds the lock, and what for: what PostgreSQL's backends were doing, looked at many times a second.

An order takes its level's lock in the statement that books the posting, and gives it back when the commit is on disk. In between
the connection is seen in one of the `HELD` stages; with one hot variant in exactly one connection at a time.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import asyncpg
import msgspec

from tests.bench.instance import BenchError

__all__ = ["HELD", "Seen", "Stages", "Watch", "stage_of"]

EVERY_SECONDS = 0.004
LOOK = """
SELECT state, wait_event_type, left(query, 60) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'commerce-api' AND backend_type = 'client backend'
"""
HELD = ("booking", "api", "commit")
"""Stages of a connection whose level is locked, in their order: the posting's own statement; the API, which has the answer and has
not sent the commit yet; the commit."""

Seen = tuple[str | None, str | None, str | None]
"""State of a backend, type of what it waits for, and the beginning of its statement."""


def stage_of(seen: Seen) -> str | None:
    """What a connection is doing for an order: one of `HELD`, `waiting` for a lock, `before` the posting, or nothing."""
    state, waits_for, query = seen
    statement = (query or "").split()
    first = statement[0].upper().rstrip(";") if statement else ""
    if state == "active":
        if waits_for == "Lock":
            return "waiting"
        if first == "COMMIT":
            return "commit"
        if first == "WITH" and statement[1].startswith("delta"):
            return "booking"
        return "before"
    if state == "idle in transaction":
        return "api" if first == "WITH" and statement[1].startswith("delta") else "before"
    return None


class Stages(msgspec.Struct, kw_only=True):
    """What was seen in all looks together."""

    looks: int = 0
    held: int = 0
    """Looks at which some connection held the lock, as far as can be told."""
    seen: Counter[str] = msgspec.field(default_factory=Counter)
    """Connections by stage, summed over the looks."""

    def add(self, backends: Iterable[Seen]) -> None:
        """One look."""
        stages = Counter(stage for seen in backends if (stage := stage_of(seen)) is not None)
        self.looks += 1
        self.held += any(stages[stage] for stage in HELD)
        self.seen.update(stages)

    def share(self, stage: str) -> float:
        """Of the time under the lock, how much was spent in a stage."""
        return self.seen[stage] / max(1, sum(self.seen[held] for held in HELD))

    @property
    def held_share(self) -> float:
        """Of the time, how much of it somebody held the lock."""
        return self.held / max(1, self.looks)

    @property
    def waiting_share(self) -> float:
        """Of the connections' time in transactions, how much was spent waiting for a lock."""
        return self.seen["waiting"] / max(1, self.seen.total())


class Watch:
    """Looks from a thread of its own while the block runs; a context manager that answers the Stages."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._look()), name="bench-watch", daemon=True)
        self.stages = Stages()
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._failure is not None and kind is None:
            raise BenchError(f"PostgreSQL could not be watched: {self._failure}") from self._failure

    async def _look(self) -> None:
        try:
            connection = await asyncpg.connect(self._url)
            try:
                while not self._stop.is_set():
                    began = time.perf_counter()
                    self.stages.add(tuple(row) for row in await connection.fetch(LOOK))
                    await asyncio.sleep(max(0.0, EVERY_SECONDS - (time.perf_counter() - began)))
            finally:
                await connection.close()
        except (asyncpg.PostgresError, OSError) as failure:
            self._failure = failure
