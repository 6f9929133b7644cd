"""The simulator: one thing after the other happens to the chain, by a seed; now and then something goes wrong on the way.

Everything is asked for as a handler asks for it, with an idempotency key. Some requests come twice; some lose their connection, or the
process that carries them out, after the k-th statement, and are sent again or given up; events are delivered late, in any order, twice,
or to a worker that dies. After every step the levels must be what the documents say; at random moments, and at the end, every invariant
of the audit must hold; and when all tills have been heard and all shelves have been counted, the books must say what really is there.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from commerce import parts as product
from commerce.infra import audit, outbox
from commerce.infra.connections import Row
from commerce.infra.db import Database, Once, Tx
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy, Problem
from tests.concurrency.steps import Death, dying
from tests.simulation.chain import START, Chain
from tests.simulation.goods import BUCKETS, Goods
from tests.simulation.settled import SETTLED
from tests.support import clock

R = TypeVar("R")
RECENT = 12
"""Steps that a failure shows."""
LEVELS = """
SELECT location_id, variant_id, available + reserved + committed AS available, quality_control, damaged,
    in_transit + in_transit_committed AS way
FROM stock.levels
"""


def json(answer: Any) -> Any:
    """An answer as it is sent."""
    return answer if isinstance(answer, Problem) else msgspec.json.encode(answer)


class Failed(AssertionError):
    """The chain is not what it should be: the seed, the step, what was wrong, and the last steps."""

    def __init__(self, seed: int, step: int, what: str, recent: Sequence[str]) -> None:
        self.seed, self.step = seed, step
        lines = "\n".join(f"  {line}" for line in recent)
        super().__init__(
            f"seed {seed}, step {step}: {what}\nlast steps:\n{lines}\n"
            f"again: SIMULATION_SEED={seed} SIMULATION_STEPS={step} pytest tests/simulation"
        )


class Simulator:
    """One run by a seed."""

    def __init__(self, chain: Chain, seed: int) -> None:
        self.chain, self.seed = chain, seed
        self.db = chain.db
        self.dice = random.Random(seed)
        self.at = START
        self.goods = Goods()
        self.steps = 0
        self.recent: deque[str] = deque(maxlen=RECENT)
        self.said: list[str] = []
        self.tally: Counter[str] = Counter()
        """Steps by kind, requests by their outcome, faults by theirs."""
        self.trace = hashlib.sha256()
        self.subscribers = {one.name: one for one in product.subscribers()}
        self.waiting: list[tuple[UUID, str]] = []
        """Deliveries that nobody has made yet."""
        self.keys = 0
        self.place_of = {place.id: n for n, place in enumerate(chain.places)}
        self.item_of = {item.id: n for n, item in enumerate(chain.items)}
        self.faults = True
        self.busy = False
        from tests.simulation.acts import Acts

        self.acts = Acts(self)

    # One step

    async def run(self, steps: int, tell: Callable[[Simulator], None] | None = None) -> None:
        """So many steps, and the end: everything heard, everything counted. Raises Failed."""
        try:
            self.faults = False
            await self.acts.begin()
            self.faults = True
            for _ in range(steps):
                await self._step()
                if tell is not None:
                    tell(self)
            await self._finish()
        except Failed:
            raise
        except Exception as error:
            raise Failed(
                self.seed, self.steps, f"{type(error).__name__}: {error}", [*self.recent, self._line()]
            ) from error

    async def _step(self) -> None:
        self.steps += 1
        self.pass_time(timedelta(seconds=self.dice.choice([1, 5, 40, 300, 300, 1200])))
        self.busy, tries = False, 0
        while not self.busy and tries < 8:
            # Where there is nothing to do, something else is done.
            tries += 1
            name, act = self.acts.choose()
            self.said = [name]
            await act()
        self.tally[f"step {name}"] += 1
        if self.dice.random() < 0.3:
            await self.deliver_some()
        await self._compare()
        if self.dice.random() < 0.006:
            await self._audit()
        if self.dice.random() < 0.006:
            await self._settled()
        self.recent.append(self._line())
        # What was said of numbers that the shop draws itself is not part of it.
        self.trace.update(repr((self.steps, name, sorted(self.tally.items()), self._books())).encode())

    def pass_time(self, by: timedelta) -> None:
        """The virtual clock goes on."""
        self.at += by
        clock.stand_at(self.at)

    def say(self, text: str) -> None:
        """A part of the line that a failure shows."""
        self.said.append(text)

    def _line(self) -> str:
        return f"{self.steps} {self.at:%d %H:%M:%S} {'; '.join(self.said)}"

    def _books(self) -> list[tuple[Any, ...]]:
        return [(spot, *level.values()) for spot, level in sorted(self.goods.books.items()) if any(level.values())]

    async def _compare(self) -> None:
        """The levels are what the documents say."""
        rows = await self.look(LEVELS)
        shown = {
            (self.place_of[row.location_id], self.item_of[row.variant_id]): tuple(row[bucket] for bucket in BUCKETS)
            for row in rows
        }
        wrong = [
            f"place {spot[0]} item {spot[1]}: {dict(zip(BUCKETS, level, strict=True))} in the books, {self.goods.books[spot]} by the documents"
            for spot, level in shown.items()
            if level != tuple(self.goods.books[spot].values())
        ]
        wrong += [
            f"place {spot[0]} item {spot[1]}: no level, but {level} by the documents"
            for spot, level in self.goods.books.items()
            if spot not in shown and any(level.values())
        ]
        assert not wrong, "; ".join(wrong)

    async def _audit(self) -> None:
        self.tally["audits"] += 1
        for finding in await audit.run(self.chain.settings, product.invariants(), full=True):
            assert not finding.offending, f"invariant {finding.number} {finding.name}: {finding.offending[:3]}"

    async def _settled(self) -> None:
        """Everything is heard, and nothing waits in vain."""
        self.tally["settled"] += 1
        await self.deliver_all()
        for what, statement in SETTLED.items():
            found = [dict(row) for row in await self.look(statement)]
            assert not found, f"{what}: {found[:3]}"

    async def _finish(self) -> None:
        """The tills are heard, everything that waits is delivered, every shelf is counted: the books say what is there."""
        self.said, self.faults = ["the end"], False
        self.pass_time(timedelta(hours=1))
        await self.acts.come_online()
        await self._settled()
        await self._compare()
        await self._audit()
        await self.acts.count_everything()
        await self._settled()
        await self._compare()
        for spot, level in self.goods.books.items():
            assert level["available"] == self.goods.really[spot], (
                f"{spot}: {self.goods.really[spot]} are there, {level} in the books"
            )
        await self._audit()

    # Requests

    async def look(self, statement: str, **values: Any) -> list[Row]:
        """Rows of the database, to choose from."""

        async def rows(tx: Tx) -> list[Row]:
            return await tx.rows(statement, **values)

        return await self.db.read(rows)

    def once(self, actor: Actor, operation: str) -> Once:
        """A key of its own."""
        self.keys += 1
        return Once(actor.subject, operation, f"{self.seed}-{self.keys}", "")

    async def ask(
        self, returns: type[R], verb: Callable[..., Awaitable[R]], actor: Actor, may: Sequence[str] = (), **given: Any
    ) -> R | None:
        """One request with a key; None when it was refused with one of the codes that `may` be, or was given up."""
        once = self.once(actor, verb.__name__)
        return await self.send(lambda: self.db.write_once(once, returns, verb, actor, **given), may, verb.__name__)

    async def send(
        self, work: Callable[[], Awaitable[R]], may: Sequence[str] = (), name: str = "", again: bool = True
    ) -> R | None:
        """Carry out work that can be sent again, with what may happen to it on the way."""
        self.busy = True
        fate = self.dice.random() if self.faults else 1.0
        if fate < 0.04:
            answer, through = await self._struck(work)
            if not through:
                self.tally["given up"] += 1
                self.say("given up")
                return None
        else:
            answer = await self._plain(work)
        if fate > 0.92 and again and self.faults:
            self.tally["sent twice"] += 1
            second = await self._plain(work)
            same = (
                second.code == answer.code
                if isinstance(answer, Problem) and isinstance(second, Problem)
                else json(second) == json(answer)
            )
            assert same, f"{name} sent again answers {second!r} instead of {answer!r}"
        if isinstance(answer, Problem):
            self.tally[f"refused {name}: {answer.code}"] += 1
            self.say(f"refused: {answer.code}")
            assert answer.code in may, f"{name} was refused: {answer.code}: {answer} {answer.members}"
            return None
        return answer

    async def do(self, work: Callable[[Database], Awaitable[None]]) -> None:
        """Periodic work: sometimes the worker dies, and another one does it."""
        self.busy = True
        if self.faults and self.dice.random() < 0.2:
            at = self.dice.randint(0, 14)
            self.say(f"worker dies after {at}")
            await self._dying(at, self._coroutine(lambda: work(self.db)), True)
        await work(self.db)

    async def _plain(self, work: Callable[[], Awaitable[R]]) -> R | Problem:
        try:
            return await work()
        except Busy:
            raise
        except Problem as problem:
            return problem

    async def _struck(self, work: Callable[[], Awaitable[R]]) -> tuple[R | Problem, bool]:
        """The connection, or the process, dies after the k-th statement; whoever does not know what became of it sends it again."""
        at, process = self.dice.randint(0, 14), self.dice.random() < 0.5
        death, answer = await self._dying(at, self._coroutine(work), process)
        heard = not death.happened or (answer is not None and not isinstance(answer, Busy))
        self.tally[f"struck: {'in time' if heard else 'lost'}"] += 1
        committed = any(statement.startswith("COMMIT") for statement in death.seen)
        self.say(f"{'process' if process else 'connection'} dies after {at} of {len(death.seen)}")
        if heard and answer is not None:
            return answer, True
        if not committed and self.dice.random() < 0.3:
            return Busy(retry_after_seconds=1), False
        return await self._plain(work), True

    async def _dying(self, at: int, work: Coroutine[Any, Any, Any], process: bool) -> tuple[Death, Any]:
        """Struck after its `at`-th statement. Who comes next may get the dead connection once more: nobody here does."""
        struck = await dying(self.chain.observer, at, work, process=process)
        for carry_out in (self.db.write, self.db.read):
            for left in range(4, -1, -1):
                try:
                    await carry_out(_nothing)
                    break
                except Busy:
                    assert left, "the pools do not get over a lost connection"
        return struck

    @staticmethod
    async def _coroutine(work: Callable[[], Awaitable[R]]) -> R:
        return await work()

    # Events

    async def deliver_some(self) -> None:
        """The relay publishes, perhaps; a worker makes some deliveries, in any order, perhaps twice, perhaps dying."""
        if self.dice.random() < 0.7:
            await self._publish()
        for _ in range(self.dice.randint(0, 12)):
            if not self.waiting:
                return
            event, name = self.waiting[n := self.dice.randrange(len(self.waiting))]
            subscriber, fate = self.subscribers[name], self.dice.random()
            if self.faults and fate < 0.05:
                at, process = self.dice.randint(0, 14), self.dice.random() < 0.5
                death, _ = await self._dying(at, self.db.write(outbox.deliver, event, subscriber), process)
                self.tally["worker died"] += death.happened
                if death.happened and not any(statement.startswith("COMMIT") for statement in death.seen):
                    continue
            else:
                assert await self.db.write(outbox.deliver, event, subscriber)
            self.waiting.pop(n)
            self.tally["delivered"] += 1
            if fate > 0.9:
                assert not await self.db.write(outbox.deliver, event, subscriber), "an event was delivered twice"

    async def deliver_all(self) -> None:
        """Until nothing waits."""
        while await self._publish() or self.waiting:
            self.dice.shuffle(self.waiting)
            while self.waiting:
                event, name = self.waiting.pop()
                assert await self.db.write(outbox.deliver, event, self.subscribers[name])

    async def _publish(self) -> bool:
        pairs = await self.db.write(outbox.publish, list(self.subscribers.values()))
        self.waiting += [(event, name) for event, name in pairs if name is not None]
        return bool(pairs)


async def _nothing(tx: Tx) -> None:
    await tx.scalar("SELECT 1")
