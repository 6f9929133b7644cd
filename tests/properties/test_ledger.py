"""Random programs of stock verbs against a model small enough to be believed (ledger.py); levels, reservations and plans compared
after each step, and what was done once and is sent again changes nothing.

`LEDGER_EXAMPLES` (40) is the number of programs, `LEDGER_STEPS` (50) their length.
"""

from __future__ import annotations

import asyncio
import copy
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
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
from commerce.stock import safety
from tests.properties.ledger import GOODS, START, Asked, Came, Model, Moved, Plan, Refused, Sent, Spot
from tests.support import Item, Shop, Store, clock

T = TypeVar("T")
EXAMPLES = int(os.environ.get("LEDGER_EXAMPLES", "40"))
STEPS = int(os.environ.get("LEDGER_STEPS", "50"))

stores = st.sampled_from([0, 0, 1])
items = st.sampled_from([0, 0, 1])
spots = st.sampled_from([(0, 0), (0, 0), (0, 0), (0, 1), (1, 0)])
"""Few, so that programs meet on a shelf."""
things = st.sampled_from([0, 0, 1, 2, 2, 3])
some = st.integers(1, 4)
wanted = st.lists(st.tuples(stores, things, some), min_size=1, max_size=3)
buckets: Any = st.sampled_from(["available", "available", "quality_control", "damaged"])
portions = st.lists(st.tuples(items, buckets, some), min_size=1, max_size=2)
minutes = st.integers(1, 40)
maybe_store = st.sampled_from([None, None, 0, 0, 1])
pick = st.integers(0, 10**6)

RESERVATIONS = """
SELECT owner_id, line_id, location_id, variant_id, bucket, state, quantity, quantity_open, quantity_lost FROM stock.reservations
WHERE owner_id = ANY(CAST(:owners AS uuid[])) ORDER BY created_at, id
"""
PLANS = """
SELECT id, location_id, variant_id, expected_on, quantity, received, cancelled, promised FROM stock.expected
WHERE location_id = ANY(CAST(:stores AS uuid[])) ORDER BY id
"""


class Bench:
    """An event loop of its own, with its own pool, for a test that is not async; and the goods of all programs."""

    def __init__(self, settings: Settings, category: UUID) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.db = Database.open(settings, clock=clock, name="commerce-ledger")
        self.shop = Shop(self.db, None, settings)  # type: ignore[arg-type]
        self.shop.category = category
        self.items: list[Item] = self.run(self._make())

    async def _make(self) -> list[Item]:
        return [await self.shop.item() for _ in range(2)]

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


class Done:
    """Something that was carried out, to be sent again."""

    def __init__(self, act: Callable[[], Awaitable[Any]], answer: Any, told_again: bool) -> None:
        self.act, self.answer, self.told_again = act, answer, told_again


def cause(kind: str) -> stock.Cause:
    """A cause that nothing has had."""
    return stock.Cause(kind, uuid7())


def program(bench: Bench) -> type[RuleBasedStateMachine]:
    """The machine on a bench."""
    db, system = bench.db, bench.shop.system

    class Ledger(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.at = START
            clock.stand_at(self.at)
            self.model = Model()
            self.owners: list[stock.Owner] = []
            self.past: list[Done] = []

        @initialize()
        def open_stores(self) -> None:
            async def make() -> list[Store]:
                return [await bench.shop.store() for _ in range(2)]

            self.stores = bench.run(make())

        def teardown(self) -> None:
            """Leaves nothing that the next program's sweep would find."""
            clock.stand_at(self.at + timedelta(days=1))
            while bench.run(db.write(stock.sweep, system)):
                pass

        def ids(self, spot: Spot) -> tuple[UUID, UUID]:
            return self.stores[spot[0]].id, bench.items[spot[1]].id

        def carry_out(
            self,
            expected: Callable[[], Any],
            act: Callable[[], Awaitable[Any]],
            *,
            posts: Callable[[], bool] = lambda: True,
            told_again: bool = True,
        ) -> None:
            """Run a verb and the model; both answer or refuse alike, and afterwards look alike.

            What `posts` nothing has no cause in the books: sent again it may find something. One that is not `told_again` answers
            something else then.
            """
            self.at += timedelta(seconds=1)
            clock.stand_at(self.at)

            async def run() -> Any:
                return await act()

            before, refused = copy.deepcopy(self.model), ""
            try:
                wanted = expected()
            except Refused as refusal:
                refused = str(refusal)
                self.model = before
            if refused:
                with pytest.raises(Problem) as problem:
                    bench.run(run())
                assert problem.value.code == refused
            else:
                answer = bench.run(run())
                assert self.plain(answer) == wanted
                if posts() and self.model.differs(before):
                    self.past.append(Done(act, answer, told_again))
            self.compare()

        def book(self, verb: Callable[..., Awaitable[Any]], expected: Callable[[], Any], **given: Any) -> None:
            """Run a verb with a cause of its own, at a store when one is named."""
            if "store" in given:
                given["location_id"] = self.stores[given.pop("store")].id
            because = cause(verb.__name__)
            self.carry_out(expected, lambda: db.write(verb, system, cause=because, **given))

        @staticmethod
        def plain(answer: Any) -> Any:
            if isinstance(answer, list):
                return {handed.line_id: handed.quantity for handed in answer}
            return answer

        def compare(self) -> None:
            async def look(tx: Tx) -> tuple[Any, ...]:
                levels = await stock.levels(
                    tx, variant_ids=[item.id for item in bench.items], location_ids=[store.id for store in self.stores]
                )
                held = await tx.rows(RESERVATIONS, owners=[owner.id for owner in self.owners])
                return levels, held, await tx.rows(PLANS, stores=[store.id for store in self.stores])

            levels, held, plans = bench.run(db.read(look))
            shown = {(level.location_id, level.variant_id): level for level in levels}
            empty = (0,) * 8
            expected = self.model.levels(self.at)
            for spot in ((store, item) for store in range(2) for item in range(2)):
                level = shown.get(self.ids(spot))
                assert expected.get(spot, empty) == (
                    empty if level is None else (
                        level.available, level.reserved, level.committed, level.quality_control, level.damaged,
                        level.in_transit, level.in_transit_committed, level.ats,
                    )
                ), spot  # fmt: skip
            assert [
                (h.owner.id, h.line, *self.ids(h.spot), h.bucket, h.state, h.quantity, h.open, h.lost)
                for h in self.model.held
            ] == [tuple(row) for row in held]
            assert [
                (p.id, *self.ids(p.spot), p.on, p.quantity, p.received, p.cancelled, self.model.promised(p))
                for p in sorted(self.model.plans.values(), key=lambda plan: plan.id)
            ] == [tuple(row) for row in plans]

        # Who wants what

        def owner(self, kind: Any) -> stock.Owner:
            owner = stock.Owner(kind, uuid7())
            self.owners.append(owner)
            return owner

        def recent(self, which: int) -> stock.Owner:
            return self.owners[-1 - which % min(5, len(self.owners))]

        def demand(self, asked: Asked) -> stock.Demand:
            place, _ = self.ids((asked.store, 0))
            return stock.Demand(
                line_id=asked.line, location_id=place, quantity=asked.quantity, expected_id=asked.plan, **self.goods(asked.thing)
            )  # fmt: skip

        @staticmethod
        def goods(thing: int) -> dict[str, Any]:
            """An item, or a bundle with its components."""
            parts = tuple(stock.Part(bench.items[item].id, each) for item, each in GOODS[thing])
            return {"variant_id": bench.items[thing].id} if thing < 2 else {"variant_id": uuid7(), "components": parts}

        @staticmethod
        def ask(wanted: Sequence[tuple[int, int, int]], split: bool) -> list[Asked]:
            """A line for each, or (`split`) a line for each sort, from wherever it is."""
            by_thing = {thing: uuid7() for _, thing, _ in wanted}
            return [Asked(by_thing[t] if split else uuid7(), store, t, quantity) for store, t, quantity in wanted]

        def portion(self, owner: stock.Owner, share: int) -> dict[UUID, int]:
            """Some units of some lines of an owner, now and then too many."""
            units: dict[UUID, int] = {}
            for held in self.model.of(owner):
                units[held.line] = max(units.get(held.line, 0), held.quantity // held.per_unit)
            chosen = enumerate(units.items())
            return {line: (share + n) % (most + 2) for n, (line, most) in chosen if (share >> n) % 2 == 0}

        def all_of(self, owner: stock.Owner, store: int | None) -> tuple[dict[UUID, int], bool]:
            """What of an owner can be handed over at a store, and whether that is whole units."""
            here: dict[tuple[UUID, int], tuple[int, int]] = {
                h.key: (0, h.per_unit) for h in self.model.of(owner) if h.open or h.lost
            }
            for held in self.model.here(owner, store):
                if held.key in here:
                    here[held.key] = (here[held.key][0] + held.open + held.lost, held.per_unit)
            units: dict[UUID, set[tuple[int, int]]] = {}
            for (line, _), (quantity, each) in here.items():
                units.setdefault(line, set()).add(divmod(quantity, each))
            whole = all(len(found) == 1 and not any(rest for _, rest in found) for found in units.values())
            return {line: max(found)[0] for line, found in units.items()}, whole

        def supplies(self) -> list[Plan]:
            return [plan for plan in self.model.plans.values() if not plan.travels][-4:]

        def journeys(self) -> list[Plan]:
            return [plan for plan in self.model.plans.values() if plan.travels][-4:]

        # Goods come

        @rule(store=stores, came=st.lists(st.tuples(items, st.integers(1, 8)), min_size=1, max_size=3))
        def receive(self, store: int, came: list[tuple[int, int]]) -> None:
            lines = [stock.ReceiptLine(variant_id=bench.items[i].id, quantity=q, unit_cost=q * 100) for i, q in came]
            arrived = [Came(item, quantity, "available") for item, quantity in came]
            self.book(stock.receive, lambda: self.model.come(store, arrived, False), store=store, lines=lines)

        @rule(store=stores, thing=things, quantity=some, bucket=buckets)
        def take_back(self, store: int, thing: int, quantity: int, bucket: Any) -> None:
            moves: list[Moved] = [((store, i), None, bucket, quantity * each) for i, each in GOODS[thing]]
            goods = [stock.TakeBackLine(quantity=quantity, bucket=bucket, **self.goods(thing))]
            self.book(stock.take_back, lambda: self.model.carry(moves), store=store, lines=goods)

        # Goods are set aside

        @rule(wanted=wanted, split=st.booleans(), kind=st.sampled_from(["fulfillment", "fulfillment", "transfer"]))
        def promise(self, wanted: list[tuple[int, int, int]], split: bool, kind: Any) -> None:
            if kind == "transfer":
                wanted = [(store, min(thing, 1), quantity) for store, thing, quantity in wanted]
            owner, asked = self.owner(kind), self.ask(wanted, split)
            self.book(
                stock.promise, lambda: self.model.set_aside(owner, asked, self.at), owner=owner,
                demands=[self.demand(one) for one in asked],
            )  # fmt: skip

        @precondition(lambda self: self.model.plans)
        @rule(which=pick, quantity=some, more=st.lists(st.tuples(stores, things, some), max_size=1))
        def promise_what_comes(self, which: int, quantity: int, more: list[tuple[int, int, int]]) -> None:
            plans = self.supplies() + self.journeys()
            plan = plans[which % len(plans)]
            owner = self.owner("fulfillment")
            asked = [Asked(uuid7(), *plan.spot, quantity, plan.id), *self.ask(more, False)]
            self.book(
                stock.promise, lambda: self.model.set_aside(owner, asked, self.at), owner=owner,
                demands=[self.demand(one) for one in asked],
            )  # fmt: skip

        @rule(wanted=wanted, split=st.booleans(), for_minutes=minutes)
        def reserve(self, wanted: list[tuple[int, int, int]], split: bool, for_minutes: int) -> None:
            owner, until = self.owner("checkout"), self.at + timedelta(minutes=for_minutes)
            asked = self.ask(wanted, split)
            self.book(
                stock.reserve, lambda: self.model.set_aside(owner, asked, self.at, until), owner=owner, expires_at=until,
                demands=[self.demand(one) for one in asked],
            )  # fmt: skip

        @precondition(lambda self: self.owners)
        @rule(which=pick)
        def commit(self, which: int) -> None:
            owner = self.recent(which)
            self.book(stock.commit, lambda: self.model.commit(owner, self.at), owner=owner)

        @precondition(lambda self: self.owners)
        @rule(which=pick, share=pick, store=maybe_store, last_at=maybe_store)
        def release(self, which: int, share: int, store: int | None, last_at: int | None) -> None:
            owner, because = self.recent(which), cause("release")
            asked = None if share % 3 == 0 else self.portion(owner, share)
            on_plans = any(h.bucket in ("promised", "in_transit_committed") and h.open for h in self.model.of(owner))
            self.carry_out(
                lambda: self.model.release(owner, asked, store, last_at),
                lambda: db.write(
                    stock.release, system, owner=owner, cause=because, lines=asked,
                    location_id=None if store is None else self.stores[store].id,
                    last_at=None if last_at is None else self.stores[last_at].id,
                ),
                told_again=not on_plans,
            )  # fmt: skip

        @precondition(lambda self: self.owners)
        @rule(which=pick, store=maybe_store)
        def promise_again(self, which: int, store: int | None) -> None:
            owner = self.recent(which)
            self.book(
                stock.promise_again, lambda: self.model.promise_again(owner, store, self.at), owner=owner,
                location_id=None if store is None else self.stores[store].id,
            )  # fmt: skip

        # Goods leave

        @precondition(lambda self: self.owners)
        @rule(which=pick, share=pick, store=maybe_store)
        def hand_over(self, which: int, share: int, store: int | None) -> None:
            owner = self.recent(which)
            everything, whole = self.all_of(owner, store)
            asked = everything if share % 3 == 0 else self.portion(owner, share)
            self.book(
                stock.hand_over, lambda: self.model.hand_over(owner, asked, store, self.at), owner=owner,
                lines=None if share % 3 == 0 and whole else asked,
                location_id=None if store is None else self.stores[store].id,
            )  # fmt: skip

        @rule(store=stores, sold=st.lists(st.tuples(things, some), min_size=1, max_size=2))
        def sell(self, store: int, sold: list[tuple[int, int]]) -> None:
            lines = [stock.SaleLine(line_id=uuid7(), quantity=quantity, **self.goods(t)) for t, quantity in sold]
            moves: list[Moved] = [
                ((store, i), "available", None, quantity * each) for t, quantity in sold for i, each in GOODS[t]
            ]

            def expected() -> dict[UUID, int]:
                self.model.fact(moves, self.at, known_only=False)
                return {line.line_id: line.quantity for line in lines}

            self.book(stock.sell, expected, store=store, lines=lines)

        @rule(spot=spots, delta=some, reason=st.sampled_from(["damage", "theft", "found"]), bucket=buckets)
        def adjust(self, spot: Spot, delta: int, reason: Any, bucket: Any) -> None:
            bucket = "available" if reason == "damage" and bucket == "damaged" else bucket
            gone, came = (None, bucket) if reason == "found" else (bucket, "damaged" if reason == "damage" else None)
            self.book(
                stock.adjust, lambda: self.model.fact([(spot, gone, came, delta)], self.at), store=spot[0],
                variant_id=bench.items[spot[1]].id, delta=delta if reason == "found" else -delta, reason=reason, bucket=bucket,
            )  # fmt: skip

        @rule(
            store=stores, found=st.dictionaries(st.tuples(items, buckets), st.integers(-4, 3), min_size=1, max_size=3)
        )
        def count(self, store: int, found: dict[tuple[int, Any], int]) -> None:
            moves: list[Moved] = [
                ((store, i), bucket if delta < 0 else None, bucket if delta > 0 else None, abs(delta))
                for (i, bucket), delta in found.items()
            ]
            lines = [
                stock.Counted(variant_id=bench.items[i].id, delta=delta, bucket=b) for (i, b), delta in found.items()
            ]
            self.book(stock.count, lambda: self.model.fact(moves, self.at), store=store, lines=lines)

        @rule(store=stores, wanted=st.dictionaries(items, some, min_size=1), fate=st.sampled_from(["loss", "damaged"]))
        def not_there(self, store: int, wanted: dict[int, int], fate: Any) -> None:
            self.book(
                stock.not_there, lambda: self.model.not_there(store, wanted, None if fate == "loss" else fate), store=store,
                goods={bench.items[item].id: quantity for item, quantity in wanted.items()}, fate=fate,
            )  # fmt: skip

        # Goods become something else

        @rule(store=stores, moved=st.lists(st.tuples(items, buckets, buckets, some), min_size=1, max_size=3))
        def move(self, store: int, moved: list[tuple[int, Any, Any, int]]) -> None:
            moved = [line for line in moved if line[1] != line[2]]
            if not moved:
                return
            moves: list[Moved] = [((store, i), gone, came, quantity) for i, gone, came, quantity in moved]
            lines = [
                stock.Regrade(variant_id=bench.items[i].id, quantity=q, from_bucket=gone, to_bucket=came)
                for i, gone, came, q in moved
            ]
            self.book(stock.move, lambda: self.model.fact(moves, self.at), store=store, lines=lines)

        @rule(store=stores, takes=portions, makes=portions)
        def convert(self, store: int, takes: list[tuple[int, Any, int]], makes: list[tuple[int, Any, int]]) -> None:
            moves: list[Moved] = [
                *(((store, i), bucket, None, quantity) for i, bucket, quantity in takes),
                *(((store, i), None, bucket, quantity) for i, bucket, quantity in makes),
            ]
            self.book(
                stock.convert, lambda: self.model.choose(moves), store=store, takes=self.portions(takes),
                makes=self.portions(makes),
            )  # fmt: skip

        @rule(store=stores, gone=portions)
        def return_to_vendor(self, store: int, gone: list[tuple[int, Any, int]]) -> None:
            moves: list[Moved] = [((store, i), bucket, None, quantity) for i, bucket, quantity in gone]
            self.book(stock.return_to_vendor, lambda: self.model.choose(moves), store=store, lines=self.portions(gone))

        @staticmethod
        def portions(given: list[tuple[int, Any, int]]) -> list[stock.Portion]:
            return [stock.Portion(variant_id=bench.items[i].id, quantity=q, bucket=b) for i, b, q in given]

        # Goods are announced

        @rule(spot=spots, quantity=st.integers(1, 8), days=st.integers(1, 5))
        def expect(self, spot: Spot, quantity: int, days: int) -> None:
            (there, variant), day = self.ids(spot), (self.at + timedelta(days=days)).date()
            line = stock.Expect(id=uuid7(), variant_id=variant, quantity=quantity, unit_cost=700)

            def expected() -> None:
                self.model.plans[line.id] = Plan(line.id, spot, quantity, day, False)

            self.carry_out(
                expected,
                lambda: db.write(
                    stock.expect, system, kind="supply", document_id=uuid7(), location_id=there, expected_on=day, lines=[line]
                ),
                posts=lambda: False,
            )  # fmt: skip

        @precondition(lambda self: self.supplies())
        @rule(
            which=pick, came=st.lists(st.tuples(st.integers(1, 6), buckets), min_size=1, max_size=2), more=st.booleans()
        )
        def receive_what_was_announced(self, which: int, came: list[tuple[int, Any]], more: bool) -> None:
            plan = self.supplies()[which % len(self.supplies())]
            arrived = [Came(plan.spot[1], quantity, bucket, plan.id) for quantity, bucket in came]
            arrived += [Came(1, 1, "available")] if more else []
            lines = [
                stock.ReceiptLine(
                    variant_id=bench.items[one.item].id, quantity=one.quantity, unit_cost=700, expected_id=one.plan,
                    bucket=one.bucket,  # type: ignore[arg-type]
                )
                for one in arrived
            ]  # fmt: skip
            self.book(
                stock.receive, lambda: self.model.come(plan.spot[0], arrived, False), store=plan.spot[0], lines=lines
            )

        @precondition(lambda self: self.supplies())
        @rule(which=pick, gone=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=2))
        def change_expected(self, which: int, gone: list[tuple[int, int]]) -> None:
            plans = self.supplies()
            chosen = [plans[(which + n) % len(plans)] for n in range(min(len(gone), len(plans)))]
            changes = [
                (plan.id, units, (self.at + timedelta(days=days)).date() if days else None)
                for plan, (units, days) in zip(chosen, gone, strict=False)
            ]
            broke = False

            def expected() -> None:
                nonlocal broke
                broke = self.model.give_up(changes)

            because = cause("change_expected")
            lines = [stock.ExpectedChange(id=plan, cancelled=units, expected_on=day) for plan, units, day in changes]
            self.carry_out(
                expected,
                lambda: db.write(stock.change_expected, system, cause=because, changes=lines),
                posts=lambda: broke,
            )

        # Goods travel

        def on_the_shelf_of(self, store: int) -> list[stock.Owner]:
            return [
                owner
                for owner in self.owners[-8:]
                if owner.kind != "checkout"
                and any(h.spot[0] == store and h.bucket == "committed" and h.open for h in self.model.of(owner))
            ]

        @precondition(lambda self: self.on_the_shelf_of(0) or self.on_the_shelf_of(1))
        @rule(which=pick, share=pick, both=st.booleans())
        def dispatch(self, which: int, share: int, both: bool) -> None:
            source = 0 if (which % 4 and self.on_the_shelf_of(0)) or not self.on_the_shelf_of(1) else 1
            there = self.on_the_shelf_of(source)
            owners = {there[which % len(there)], *([there[(which + 1) % len(there)]] if both else [])}
            free: dict[tuple[stock.Owner, UUID, int], int] = {}
            for held in [held for owner in owners for held in self.model.of(owner)]:
                if held.spot[0] == source and held.bucket == "committed" and held.open:
                    key = held.owner, held.line, held.spot[1]
                    free[key] = free.get(key, 0) + held.open
            sent = [
                Sent(uuid7(), owner, line, item, units + 1 if share % 13 == 0 else 1 + (share + n) % units)
                for n, ((owner, line, item), units) in enumerate(free.items())
                if n == 0 or (share >> n) % 4
            ]
            day, because, document = (self.at + timedelta(days=1)).date(), cause("dispatch"), uuid7()
            lines = [
                stock.Freight(
                    id=one.id,
                    variant_id=bench.items[one.item].id,
                    quantity=one.quantity,
                    owner=one.owner,
                    line_id=one.line,
                )
                for one in sent
            ]
            self.carry_out(
                lambda: self.model.dispatch(source, 1 - source, sent, day),
                lambda: db.write(
                    stock.dispatch, system, cause=because, document_id=document, source_id=self.stores[source].id,
                    destination_id=self.stores[1 - source].id, lines=lines, expected_on=day,
                ),
            )  # fmt: skip

        @precondition(lambda self: self.journeys())
        @rule(
            which=pick,
            came=st.lists(
                st.tuples(
                    st.booleans(), some, st.sampled_from(["available", "available", "damaged", "quality_control", None])
                ),
                min_size=1,
                max_size=3,
            ),
            surplus=st.lists(st.tuples(items, some, buckets), max_size=1),
        )
        def arrive(
            self, which: int, came: list[tuple[bool, int, str | None]], surplus: list[tuple[int, int, Any]]
        ) -> None:
            first = self.journeys()[which % len(self.journeys())]
            others = [plan for plan in self.journeys() if plan.spot[0] == first.spot[0]]
            arrived = [
                Came(plan.spot[1], quantity, bucket, plan.id)
                for other, quantity, bucket in came
                for plan in [others[-1] if other else first]
            ] + [Came(item, quantity, bucket) for item, quantity, bucket in surplus]
            lines = [
                stock.Arrival(
                    id=one.plan or first.id, variant_id=bench.items[one.item].id, quantity=one.quantity,
                    bucket=one.bucket or "loss", surplus=one.plan is None,  # type: ignore[arg-type]
                )
                for one in arrived
            ]  # fmt: skip
            store, because = first.spot[0], cause("arrive")
            self.carry_out(
                lambda: self.model.come(store, arrived, True),
                lambda: db.write(
                    stock.arrive, system, cause=because, destination_id=self.stores[store].id, lines=lines
                ),
            )

        # Time, rules, and everything once more

        @rule(spot=spots, quantity=st.integers(0, 3))
        def keep_some_back(self, spot: Spot, quantity: int) -> None:
            rule = safety.SafetyRule(
                quantity=quantity, location=self.stores[spot[0]].code, sku=bench.items[spot[1]].sku
            )

            async def keep() -> None:
                await db.write(safety.write_rules, system, command=safety.SetSafety(rules=[rule]))
                assert await safety.settle(db)

            bench.run(keep())
            self.model.safety[spot] = quantity
            self.compare()

        @rule(by=minutes)
        def time_passes(self, by: int) -> None:
            self.at += timedelta(minutes=by)
            clock.stand_at(self.at)

        @rule()
        def sweep(self) -> None:
            self.carry_out(
                lambda: self.model.sweep(self.at),
                lambda: db.write(stock.sweep, system, limit=1000),
                posts=lambda: False,
            )

        @precondition(lambda self: self.past)
        @rule(which=pick)
        def replay(self, which: int) -> None:
            """Whatever was done once and is sent again changes nothing and answers the same."""
            done = self.past[which % len(self.past)]

            async def again() -> Any:
                return await done.act()

            answer = bench.run(again())
            assert answer == done.answer or not done.told_again
            self.compare()

    return Ledger


def test_the_ledger_does_what_the_model_says(settings_of_run: Settings, shop: Shop, audited: None) -> None:
    with bench_of(settings_of_run, shop.category) as bench:
        run_state_machine_as_test(
            program(bench),
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=True,
                database=None,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )


@pytest.fixture
def settings_of_run(request: pytest.FixtureRequest) -> Settings:
    """The test process's settings, under a name that hypothesis's own does not hide."""
    found: Settings = request.getfixturevalue("settings")
    return found
