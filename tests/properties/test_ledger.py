"""Random programs of stock verbs against a model small enough to be believed; levels and reservations compared after each step.

The model knows nothing of SQL, locks or postings: plain integers and a list of reservations.
"""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from commerce import stock
from commerce.infra.db import Database, Tx
from commerce.kernel.errors import Problem
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
from tests.support import Item, Shop, Store, clock

T = TypeVar("T")
Spot = tuple[int, int]
"""Number of the store and of the item."""
START = datetime(2026, 3, 2, 9, tzinfo=UTC)

spots = st.sampled_from([(0, 0), (0, 0), (0, 0), (0, 1), (1, 0)])
"""Few, so that programs meet on a shelf."""
items = st.sampled_from([0, 0, 1])
some = st.integers(1, 4)
lines = st.lists(st.tuples(spots, some), min_size=1, max_size=3)
minutes = st.integers(1, 40)
pick = st.integers(0, 10**6)


@dataclass
class Shelf:
    """A level of the model."""

    available: int = 0
    quality_control: int = 0
    damaged: int = 0
    safety: int = 0


@dataclass
class Held:
    """A reservation of the model. Its place in the list is its age."""

    owner: stock.Owner
    line: UUID
    spot: Spot
    state: str
    quantity: int
    open: int
    lost: int = 0
    expires: datetime | None = None
    bucket: str = "committed"

    def expired(self, at: datetime) -> bool:
        return self.state == "reserved" and self.expires is not None and self.expires <= at


class Refused(Exception):
    """The model refuses: the code of the problem that must come."""


@dataclass
class Model:
    """What the stock room promises, in a hundred lines."""

    shelves: dict[Spot, Shelf] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    broken: int = 0

    def shelf(self, spot: Spot) -> Shelf:
        return self.shelves.setdefault(spot, Shelf())

    def of(self, owner: stock.Owner) -> list[Held]:
        return [held for held in self.held if held.owner == owner]

    def expire(self, held: Held) -> None:
        self.shelf(held.spot).available += held.open
        held.lost, held.open, held.state = held.lost + held.open, 0, "expired"

    def make_room(self, wanted: dict[Spot, int], at: datetime, spared: stock.Owner | None = None) -> None:
        """Give back as many expired reservations as are needed, those longest expired first."""
        for spot, quantity in wanted.items():
            shelf = self.shelf(spot)
            free = shelf.available - shelf.safety
            old = sorted(
                (h for h in self.held if h.spot == spot and h.expired(at) and h.owner != spared),
                key=lambda h: h.expires or START,
            )
            if free + sum(h.open for h in old) < quantity:
                raise Refused("insufficient-stock")
        for spot, quantity in wanted.items():
            shelf = self.shelf(spot)
            lack = quantity - (shelf.available - shelf.safety)
            for held in sorted(
                (h for h in self.held if h.spot == spot and h.expired(at) and h.owner != spared),
                key=lambda h: h.expires or START,
            ):
                if lack > 0:
                    lack -= held.open
                    self.expire(held)

    def set_aside(
        self, owner: stock.Owner, demands: list[tuple[UUID, Spot, int]], at: datetime, expires: datetime | None
    ) -> None:
        wanted: dict[Spot, int] = {}
        for _, spot, quantity in demands:
            wanted[spot] = wanted.get(spot, 0) + quantity
        self.make_room(wanted, at)
        for line, spot, quantity in demands:
            self.shelf(spot).available -= quantity
            state = "reserved" if expires else "committed"
            self.held.append(Held(owner, line, spot, state, quantity, quantity, 0, expires, state))

    def commit(self, owner: stock.Owner, at: datetime) -> None:
        mine = [
            held for held in self.of(owner) if held.bucket == "reserved" and held.state in ("reserved", "expired", "short")
        ]
        again: dict[Spot, int] = {}
        for held in mine:
            if held.lost:
                again[held.spot] = again.get(held.spot, 0) + held.lost
        self.make_room(again, at, owner)
        for held in mine:
            self.shelf(held.spot).available -= held.lost
            held.open, held.lost = held.open + held.lost, 0
            held.state = held.bucket = "committed"

    def release(self, owner: stock.Owner, asked: dict[UUID, int] | None) -> dict[UUID, int]:
        mine, given = self.of(owner)[::-1], dict[UUID, int]()
        left = dict(asked) if asked is not None else {held.line: 10**6 for held in mine}
        for held in mine:
            forgone = min(held.lost, left.get(held.line, 0))
            if forgone:
                left[held.line] -= forgone
                held.lost -= forgone
                if held.state in ("short", "expired") and not held.lost:
                    held.state = "released"
        for held in mine:
            quantity = min(held.open, left.get(held.line, 0))
            if quantity:
                left[held.line] -= quantity
                held.open -= quantity
                if not held.open:
                    held.state = "released"
                self.shelf(held.spot).available += quantity
                given[held.line] = given.get(held.line, 0) + quantity
        return given

    def spare(self, wanted: list[tuple[Held, int]], owner: stock.Owner, at: datetime) -> list[int]:
        """How many of these units stand free, counting what others let expire; it is given back as far as it is needed."""
        lack: dict[Spot, int] = {}
        for held, quantity in wanted:
            lack[held.spot] = lack.get(held.spot, -self.shelf(held.spot).available) + quantity
        for old in sorted(
            (h for h in self.held if h.expired(at) and h.owner != owner), key=lambda h: h.expires or START
        ):
            if lack.get(old.spot, 0) > 0:
                lack[old.spot] -= old.open
                self.expire(old)
        units = []
        for held, quantity in reversed(wanted):
            missing = min(quantity, max(0, lack[held.spot]))
            lack[held.spot] -= missing
            units.append(quantity - missing)
        return units[::-1]

    def promise_again(self, owner: stock.Owner, at: datetime) -> dict[UUID, int]:
        gone = [h for h in self.of(owner) if h.lost and h.bucket == "committed" and h.state != "released"]
        before = copy.deepcopy(self)
        units = self.spare([(held, held.lost) for held in gone], owner, at)
        if not any(units):
            # Nothing at all is there, so nothing was given back either.
            assert before == self
            return {}
        again: dict[UUID, int] = {}
        for held, quantity in zip(gone, units, strict=True):
            if quantity:
                held.lost, held.open, held.state = held.lost - quantity, held.open + quantity, "committed"
                self.shelf(held.spot).available -= quantity
                again[held.line] = again.get(held.line, 0) + quantity
        return again

    def hand_over(self, owner: stock.Owner, asked: dict[UUID, int] | None, at: datetime) -> dict[UUID, int]:
        mine = self.of(owner)
        wanted: dict[UUID, int] = {}
        for held in mine:
            wanted[held.line] = wanted.get(held.line, 0) + held.open + held.lost
        if asked is not None:
            wanted = dict(asked)
        for line, quantity in wanted.items():
            if quantity > sum(held.open + held.lost for held in mine if held.line == line):
                raise Refused("reservation-short")
        if not any(wanted.values()):
            raise Refused("reservation-short")
        left, out, made_up = dict(wanted), dict[int, int](), list[tuple[Held, int]]()
        for held in mine:
            out[id(held)] = min(held.open, left.get(held.line, 0))
            left[held.line] = left.get(held.line, 0) - out[id(held)]
        for held in mine:
            quantity = min(held.lost, left[held.line])
            left[held.line] -= quantity
            if quantity:
                made_up.append((held, quantity))
        lost = {id(held): quantity for held, quantity in made_up}
        before = [copy.copy(held) for held in self.held], copy.deepcopy(self.shelves)
        if self.spare(made_up, owner, at) != [quantity for _, quantity in made_up]:
            self.held, self.shelves = before
            raise Refused("reservation-short")
        for held in mine:
            quantity = out[id(held)] + lost.get(id(held), 0)
            held.open, held.lost = held.open - out[id(held)], held.lost - lost.get(id(held), 0)
            self.shelf(held.spot).available -= lost.get(id(held), 0)
            if quantity and not held.open:
                held.state = "fulfilled"
        return {line: quantity for line, quantity in wanted.items() if quantity}

    def take(self, wanted: dict[Spot, int], at: datetime, known_only: bool = False) -> None:
        for spot, quantity in wanted.items():
            live = sum(held.open for held in self.held if held.spot == spot)
            if known_only and self.shelf(spot).available + live < quantity:
                raise Refused("stock-below-zero")
        for spot, quantity in wanted.items():
            shelf = self.shelf(spot)
            lack = quantity - shelf.available
            weakest = sorted(
                (held for held in reversed(self.held) if held.spot == spot and held.open),
                key=lambda h: 0 if h.expired(at) else 1 if h.state == "reserved" else 2,
            )
            for held in weakest:
                if lack <= 0:
                    break
                if held.expired(at):
                    lack -= held.open
                    self.expire(held)
                    continue
                taken = min(lack, held.open)
                lack -= taken
                held.open, held.lost = held.open - taken, held.lost + taken
                shelf.available += taken
                self.broken += taken
                if not held.open:
                    held.state = "short"
            shelf.available = max(0, shelf.available - quantity)

    def sweep(self, at: datetime) -> int:
        old = [held for held in self.held if held.expired(at)]
        for held in old:
            self.expire(held)
        return len(old)


class Bench:
    """An event loop of its own, with its own pool, for a test that is not async."""

    def __init__(self, settings: Settings, category: UUID) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.db = Database.open(settings, clock=clock, name="commerce-ledger")
        self.shop = Shop(self.db, None, settings)  # type: ignore[arg-type]
        self.shop.category = category

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self) -> None:
        self.run(self.db.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def bench_of(settings: Settings, category: UUID) -> Iterator[Bench]:
    bench = Bench(settings, category)
    try:
        yield bench
    finally:
        bench.close()


def program(bench: Bench) -> type[RuleBasedStateMachine]:
    """The machine on a bench."""

    class Ledger(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.at = START
            clock.stand_at(self.at)
            self.model = Model()
            self.owners: list[stock.Owner] = []
            self.past: list[tuple[Callable[[], Awaitable[Any]], Any]] = []
            """What was carried out, and what it answered."""

        @initialize()
        def open_stores(self) -> None:
            async def make() -> tuple[list[Store], list[Item]]:
                return [await bench.shop.store() for _ in range(2)], [await bench.shop.item() for _ in range(2)]

            self.stores, self.items = bench.run(make())

        def teardown(self) -> None:
            """Leaves nothing that the next program's sweep would find."""
            clock.stand_at(self.at + timedelta(days=1))
            while bench.run(bench.db.write(stock.sweep, bench.shop.system)):
                pass

        def ids(self, spot: Spot) -> tuple[UUID, UUID]:
            return self.stores[spot[0]].id, self.items[spot[1]].id

        def carry_out(self, expected: Callable[[], Any], act: Callable[[], Awaitable[Any]]) -> None:
            """Run a verb and the model; both answer or refuse alike, and afterwards look alike."""
            self.at += timedelta(seconds=1)
            clock.stand_at(self.at)

            async def run() -> Any:
                return await act()

            refused = ""
            try:
                wanted = expected()
            except Refused as refusal:
                refused = str(refusal)
            if refused:
                with pytest.raises(Problem) as problem:
                    bench.run(run())
                assert problem.value.code == refused
            else:
                answer = bench.run(run())
                assert self.plain(answer) == wanted
                self.past.append((act, answer))
            self.compare()

        @staticmethod
        def plain(answer: Any) -> Any:
            if isinstance(answer, list):
                sums: dict[UUID, int] = {}
                for handed in answer:
                    sums[handed.line_id] = sums.get(handed.line_id, 0) + handed.quantity
                return sums
            return answer

        def compare(self) -> None:
            async def look(tx: Tx) -> tuple[Any, ...]:
                levels = await stock.levels(tx, variant_ids=[item.id for item in self.items])
                held = [r for owner in self.owners for r in await stock.reservations_of(tx, owner)]
                return levels, held

            levels, held = bench.run(bench.db.read(look))
            shown = {(level.location_id, level.variant_id): level for level in levels}
            for spot, shelf in self.model.shelves.items():
                live = [h for h in self.model.held if h.spot == spot and h.open]
                level = shown.get(self.ids(spot))
                ats = shelf.available - shelf.safety + sum(h.open for h in live if h.expired(self.at))
                expected = (
                    shelf.available,
                    sum(h.open for h in live if h.state == "reserved"),
                    sum(h.open for h in live if h.state == "committed"),
                    shelf.quality_control,
                    shelf.damaged,
                    max(0, ats),
                )
                if level is None:
                    assert expected == (0, 0, 0, 0, 0, 0)
                    continue
                assert expected == (
                    level.available, level.reserved, level.committed, level.quality_control, level.damaged, level.ats,
                )  # fmt: skip
            mine = [h for owner in self.owners for h in self.model.of(owner)]
            assert [(h.line, h.state, h.quantity, h.open, h.lost) for h in mine] == [
                (r.line_id, r.state, r.quantity, r.quantity_open, r.quantity_lost) for r in held
            ]

        def owner(self, kind: Any) -> stock.Owner:
            owner = stock.Owner(kind, uuid7())
            self.owners.append(owner)
            return owner

        def demands(self, wanted: list[tuple[Spot, int]], split: bool) -> tuple[list[Any], list[stock.Demand]]:
            """A line for each, or (`split`) a line for each item, from wherever it is."""
            by_item = {spot[1]: uuid7() for spot, _ in wanted}
            chosen = [(by_item[spot[1]] if split else uuid7(), spot, quantity) for spot, quantity in wanted]
            return chosen, [
                stock.Demand(
                    line_id=line, location_id=self.ids(spot)[0], variant_id=self.ids(spot)[1], quantity=quantity
                )
                for line, spot, quantity in chosen
            ]

        def portion(self, owner: stock.Owner, share: int) -> dict[UUID, int] | None:
            """All lines of an owner, or some units of some of them, now and then too many."""
            if share % 3 == 0:
                return None
            held = self.model.of(owner)
            return {h.line: (share + n) % (h.quantity + 2) for n, h in enumerate(held) if (share >> n) % 2 == 0}

        @rule(
            store=st.sampled_from([0, 0, 1]), came=st.lists(st.tuples(items, st.integers(1, 8)), min_size=1, max_size=3)
        )
        def receive(self, store: int, came: list[tuple[int, int]]) -> None:
            def expected() -> None:
                for item, quantity in came:
                    self.model.shelf((store, item)).available += quantity

            cause, there = stock.Cause("receipt", uuid7()), self.stores[store].id
            goods = [stock.ReceiptLine(variant_id=self.items[i].id, quantity=q, unit_cost=q * 100) for i, q in came]
            self.carry_out(
                expected,
                lambda: bench.db.write(stock.receive, bench.shop.system, cause=cause, location_id=there, lines=goods),
            )

        @rule(spot=spots, quantity=some, bucket=st.sampled_from(["available", "quality_control", "damaged"]))
        def take_back(self, spot: Spot, quantity: int, bucket: Any) -> None:
            def expected() -> None:
                shelf = self.model.shelf(spot)
                setattr(shelf, bucket, getattr(shelf, bucket) + quantity)

            cause, (there, variant) = stock.Cause("return", uuid7()), self.ids(spot)
            goods = [stock.TakeBackLine(variant_id=variant, quantity=quantity, bucket=bucket)]
            self.carry_out(
                expected,
                lambda: bench.db.write(stock.take_back, bench.shop.system, cause=cause, location_id=there, lines=goods),
            )

        @rule(wanted=lines, split=st.booleans())
        def promise(self, wanted: list[tuple[Spot, int]], split: bool) -> None:
            owner, cause = self.owner("fulfillment"), stock.Cause("promise", uuid7())
            chosen, demands = self.demands(wanted, split)
            self.carry_out(
                lambda: self.model.set_aside(owner, chosen, self.at, None),
                lambda: bench.db.write(stock.promise, bench.shop.system, owner=owner, demands=demands, cause=cause),
            )

        @rule(wanted=lines, split=st.booleans(), for_minutes=minutes)
        def reserve(self, wanted: list[tuple[Spot, int]], split: bool, for_minutes: int) -> None:
            owner, cause = self.owner("checkout"), stock.Cause("reserve", uuid7())
            until = self.at + timedelta(minutes=for_minutes)
            chosen, demands = self.demands(wanted, split)
            self.carry_out(
                lambda: self.model.set_aside(owner, chosen, self.at, until),
                lambda: bench.db.write(
                    stock.reserve, bench.shop.system, owner=owner, demands=demands, cause=cause, expires_at=until
                ),
            )

        @precondition(lambda self: self.owners)
        @rule(which=pick)
        def commit(self, which: int) -> None:
            owner, cause = self.owners[-1 - which % min(5, len(self.owners))], stock.Cause("commit", uuid7())
            self.carry_out(
                lambda: self.model.commit(owner, self.at),
                lambda: bench.db.write(stock.commit, bench.shop.system, owner=owner, cause=cause),
            )

        @precondition(lambda self: self.owners)
        @rule(which=pick, share=pick)
        def release(self, which: int, share: int) -> None:
            owner, cause = self.owners[-1 - which % min(5, len(self.owners))], stock.Cause("release", uuid7())
            asked = self.portion(owner, share)
            self.carry_out(
                lambda: self.model.release(owner, asked),
                lambda: bench.db.write(stock.release, bench.shop.system, owner=owner, cause=cause, lines=asked),
            )

        @precondition(lambda self: self.owners)
        @rule(which=pick, share=pick)
        def hand_over(self, which: int, share: int) -> None:
            owner, cause = self.owners[-1 - which % min(5, len(self.owners))], stock.Cause("hand_over", uuid7())
            asked = self.portion(owner, share)
            self.carry_out(
                lambda: self.model.hand_over(owner, asked, self.at),
                lambda: bench.db.write(stock.hand_over, bench.shop.system, owner=owner, cause=cause, lines=asked),
            )

        @precondition(lambda self: self.owners)
        @rule(which=pick)
        def promise_again(self, which: int) -> None:
            owner, cause = self.owners[-1 - which % min(5, len(self.owners))], stock.Cause("again", uuid7())
            self.carry_out(
                lambda: self.model.promise_again(owner, self.at),
                lambda: bench.db.write(stock.promise_again, bench.shop.system, owner=owner, cause=cause),
            )
            if not self.past[-1][1]:
                self.past.pop()  # it found nothing and left no trace: sent again, it may find something

        @rule(store=st.sampled_from([0, 0, 1]), sold=st.lists(st.tuples(items, some), min_size=1, max_size=2))
        def sell(self, store: int, sold: list[tuple[int, int]]) -> None:
            goods = [stock.SaleLine(line_id=uuid7(), variant_id=self.items[i].id, quantity=q) for i, q in sold]

            def expected() -> dict[UUID, int]:
                wanted: dict[Spot, int] = {}
                for item, quantity in sold:
                    wanted[store, item] = wanted.get((store, item), 0) + quantity
                self.model.take(wanted, self.at)
                return {line.line_id: line.quantity for line in goods}

            cause, there = stock.Cause("sale", uuid7()), self.stores[store].id
            self.carry_out(
                expected,
                lambda: bench.db.write(stock.sell, bench.shop.system, cause=cause, location_id=there, lines=goods),
            )

        @rule(spot=spots, delta=st.integers(1, 4), reason=st.sampled_from(["damage", "theft", "found"]))
        def adjust(self, spot: Spot, delta: int, reason: Any) -> None:
            def expected() -> None:
                if reason == "found":
                    self.model.shelf(spot).available += delta
                    return
                self.model.take({spot: delta}, self.at, known_only=True)
                if reason == "damage":
                    self.model.shelf(spot).damaged += delta

            cause, (there, variant) = stock.Cause("adjustment", uuid7()), self.ids(spot)
            self.carry_out(
                expected,
                lambda: bench.db.write(
                    stock.adjust, bench.shop.system, cause=cause, location_id=there, variant_id=variant,
                    delta=delta if reason == "found" else -delta, reason=reason,
                ),
            )  # fmt: skip

        @precondition(lambda self: self.model.shelves)
        @rule(which=pick, quantity=st.integers(0, 3))
        def keep_some_back(self, which: int, quantity: int) -> None:
            spot = list(self.model.shelves)[which % len(self.model.shelves)]
            there, variant = self.ids(spot)

            async def set_safety(tx: Tx) -> int:
                touched = await tx.execute(
                    "UPDATE stock.levels SET safety_stock = :q WHERE location_id = :l AND variant_id = :v",
                    q=quantity, l=there, v=variant,
                )  # fmt: skip
                if touched:
                    await tx.execute(
                        """
                        INSERT INTO stock.safety_rules (id, location_id, variant_id, quantity, changed_by, changed_at)
                        VALUES (gen_random_uuid(), :l, :v, :q, '{}', :at)
                        ON CONFLICT (location_id, variant_id, category_code) DO UPDATE SET quantity = excluded.quantity
                        """,
                        q=quantity, l=there, v=variant, at=tx.at,
                    )  # fmt: skip
                return touched

            if bench.run(bench.db.write(set_safety)):
                self.model.shelf(spot).safety = quantity
            self.compare()

        @rule(by=minutes)
        def time_passes(self, by: int) -> None:
            self.at += timedelta(minutes=by)
            clock.stand_at(self.at)

        @rule()
        def sweep(self) -> None:
            self.carry_out(
                lambda: self.model.sweep(self.at), lambda: bench.db.write(stock.sweep, bench.shop.system, limit=1000)
            )
            self.past.pop()  # a sweep has no cause: the next one finds what has expired since

        @precondition(lambda self: self.past)
        @rule(which=pick)
        def replay(self, which: int) -> None:
            """Whatever was done once and is sent again changes nothing and answers the same."""
            act, answer = self.past[which % len(self.past)]

            async def again() -> Any:
                return await act()

            assert bench.run(again()) == answer
            self.compare()

    return Ledger


def test_the_ledger_does_what_the_model_says(settings_of_run: Settings, shop: Shop, audited: None) -> None:
    with bench_of(settings_of_run, shop.category) as bench:
        run_state_machine_as_test(
            program(bench),
            settings=settings(
                max_examples=80,
                stateful_step_count=60,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.fixture
def settings_of_run(request: pytest.FixtureRequest) -> Settings:
    """The test process's settings, under a name that hypothesis's own does not hide."""
    found: Settings = request.getfixturevalue("settings")
    return found
