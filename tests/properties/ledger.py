"""What the stock room promises, small enough to be believed: plain integers, and a list of reservations ordered by age.

The model knows nothing of SQL, locks or postings. A spot is (number of the store, number of the item).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from uuid import UUID

from commerce import stock

Spot = tuple[int, int]
"""Number of the store and of the item."""
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
GOODS: dict[int, tuple[tuple[int, int], ...]] = {0: ((0, 1),), 1: ((1, 1),), 2: ((0, 1), (1, 2)), 3: ((0, 2),)}
"""What can be asked for: two items, and two bundles that share one of them, as (item, units in each)."""
Moved = tuple[Spot, str | None, str | None, int]
"""So many units at a spot from one bucket to another; None is the outside world."""


@dataclass
class Shelf:
    """A level of the model. What is reserved or committed is counted from the reservations."""

    available: int = 0
    quality_control: int = 0
    damaged: int = 0
    in_transit: int = 0


@dataclass
class Plan:
    """What is announced to arrive, or on its way."""

    id: UUID
    spot: Spot
    quantity: int
    on: date
    travels: bool
    received: int = 0
    cancelled: int = 0

    @property
    def open(self) -> int:
        return self.quantity - self.received - self.cancelled


@dataclass
class Held:
    """A reservation of the model. `age` is when it began, and its turn among those that began then."""

    owner: stock.Owner
    line: UUID
    spot: Spot
    state: str
    bucket: str
    quantity: int
    open: int
    age: tuple[datetime, int]
    per_unit: int = 1
    lost: int = 0
    expires: datetime | None = None
    plan: UUID | None = None

    @property
    def key(self) -> tuple[UUID, int]:
        """The line, and the item that it is for it."""
        return self.line, self.spot[1]

    def expired(self, at: datetime) -> bool:
        return self.state == "reserved" and self.expires is not None and self.expires <= at


class Refused(Exception):
    """The model refuses: the code of the problem that must come."""


@dataclass
class Asked:
    """So much of something from a store for a line: off the shelf, or of what is announced."""

    line: UUID
    store: int
    thing: int
    quantity: int
    plan: UUID | None = None


@dataclass
class Sent:
    """So much of an item that leaves for another store, out of what a line of an owner has at its source."""

    id: UUID
    owner: stock.Owner
    line: UUID
    item: int
    quantity: int


@dataclass
class Came:
    """So much of a plan, or of nothing that anybody expected, into a bucket; None is nowhere."""

    item: int
    quantity: int
    bucket: str | None
    plan: UUID | None = None


def lines_of(units: Iterable[tuple[Held, int]]) -> dict[UUID, int]:
    """Units of lines from component units: one counts as soon as any component of it does."""
    sums: dict[tuple[UUID, int, int], int] = {}
    for held, quantity in units:
        key = held.line, held.spot[1], held.per_unit
        sums[key] = sums.get(key, 0) + quantity
    found: dict[UUID, int] = {}
    for (line, _, each), quantity in sums.items():
        if quantity:
            found[line] = max(found.get(line, 0), -(-quantity // each))
    return found


@dataclass
class Model:
    """The shelves, the plans and the reservations, and what every verb does to them."""

    shelves: dict[Spot, Shelf] = field(default_factory=dict)
    safety: dict[Spot, int] = field(default_factory=dict)
    plans: dict[UUID, Plan] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    begun: int = 0

    def shelf(self, spot: Spot) -> Shelf:
        return self.shelves.setdefault(spot, Shelf())

    def of(self, owner: stock.Owner) -> list[Held]:
        return [held for held in self.held if held.owner == owner]

    def on(self, spot: Spot, bucket: str) -> int:
        """Open units of reservations in a bucket of a level."""
        return sum(held.open for held in self.held if held.spot == spot and held.bucket == bucket)

    def there(self, spot: Spot, bucket: str) -> int:
        return int(getattr(self.shelf(spot), bucket))

    def put(self, spot: Spot, bucket: str | None, quantity: int) -> None:
        if bucket is not None:
            setattr(self.shelf(spot), bucket, self.there(spot, bucket) + quantity)

    def begin(self, held: Held) -> Held:
        self.begun += 1
        held.age = held.age[0], self.begun
        self.held.append(held)
        self.held.sort(key=lambda one: one.age)
        return held

    # What is set aside

    def expire(self, held: Held) -> None:
        self.shelf(held.spot).available += held.open
        held.lost, held.open, held.state = held.lost + held.open, 0, "expired"

    def longest_expired(self, spot: Spot, at: datetime, spared: stock.Owner | None) -> list[Held]:
        old = [held for held in self.held if held.spot == spot and held.expired(at) and held.owner != spared]
        return sorted(old, key=lambda held: (held.expires or START, held.age))

    def make_room(self, wanted: dict[Spot, int], at: datetime, spared: stock.Owner | None = None) -> None:
        """Give back as many expired reservations as are needed, those longest expired first."""
        for spot, quantity in wanted.items():
            free = self.shelf(spot).available - self.safety.get(spot, 0)
            if free + sum(held.open for held in self.longest_expired(spot, at, spared)) < quantity:
                raise Refused("insufficient-stock")
        for spot, quantity in wanted.items():
            lack = quantity - (self.shelf(spot).available - self.safety.get(spot, 0))
            for held in self.longest_expired(spot, at, spared):
                if lack > 0:
                    lack -= held.open
                    self.expire(held)

    def promised(self, plan: Plan) -> int:
        return sum(held.open for held in self.standing(plan))

    def standing(self, plan: Plan) -> list[Held]:
        """The reservations on a plan, the oldest first."""
        on_it = ("promised", "in_transit_committed")
        return [held for held in self.held if held.plan == plan.id and held.open and held.bucket in on_it]

    def set_aside(self, owner: stock.Owner, asked: list[Asked], at: datetime, expires: datetime | None = None) -> None:
        wanted: dict[Spot, int] = {}
        planned: dict[UUID, int] = {}
        for one in asked:
            for item, each in GOODS[one.thing]:
                if one.plan is None:
                    wanted[one.store, item] = wanted.get((one.store, item), 0) + one.quantity * each
                else:
                    planned[one.plan] = planned.get(one.plan, 0) + one.quantity
        for plan_id, quantity in planned.items():
            plan = self.plans[plan_id]
            if plan.open - self.promised(plan) < quantity:
                raise Refused("insufficient-stock")
        self.make_room(wanted, at)
        for one in asked:
            for item, each in GOODS[one.thing]:
                spot, units = (one.store, item), one.quantity * each
                state = "reserved" if expires and one.plan is None else "committed"
                bucket = state if one.plan is None else "promised"
                if one.plan is None:
                    self.shelf(spot).available -= units
                self.begin(
                    Held(owner, one.line, spot, state, bucket, units, units, (at, 0), each, 0, expires, one.plan)
                )

    def commit(self, owner: stock.Owner, at: datetime) -> None:
        mine = [
            held
            for held in self.of(owner)
            if held.bucket == "reserved" and held.state in ("reserved", "expired", "short")
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

    def release(
        self, owner: stock.Owner, asked: dict[UUID, int] | None, store: int | None, last_at: int | None
    ) -> dict[UUID, int]:
        mine = [held for held in self.of(owner)[::-1] if store in (None, held.spot[0]) or not held.open]
        if last_at is not None:
            mine.sort(key=lambda held: 0 if held.bucket == "in_transit_committed" else 1 + (held.spot[0] == last_at))
        left: dict[tuple[UUID, int], int] = {}
        for held in mine:
            if asked is None:
                left[held.key] = left.get(held.key, 0) + held.open + held.lost
            else:
                left[held.key] = asked.get(held.line, 0) * held.per_unit
        for held in mine:
            forgone = min(held.lost, left[held.key])
            if forgone:
                left[held.key] -= forgone
                held.lost -= forgone
                if held.state in ("short", "expired") and not held.lost:
                    held.state = "released"
        given: list[tuple[Held, int]] = []
        for held in mine:
            quantity = min(held.open, left[held.key])
            if quantity:
                left[held.key] -= quantity
                held.open -= quantity
                given.append((held, quantity))
                if not held.open:
                    held.state = "released"
                if held.bucket != "promised":
                    travels = held.bucket == "in_transit_committed"
                    self.put(held.spot, "in_transit" if travels else "available", quantity)
        return lines_of(given)

    # What somebody holds in his hands

    def spare(self, wanted: list[tuple[Spot, int]], owner: stock.Owner, at: datetime) -> list[int]:
        """How many of these units stand free, counting what others let expire; it is given back as far as it is needed."""
        lack: dict[Spot, int] = {}
        for spot, quantity in wanted:
            lack[spot] = lack.get(spot, -self.shelf(spot).available) + quantity
        for old in [old for spot in lack for old in self.longest_expired(spot, at, owner)]:
            if lack[old.spot] > 0:
                lack[old.spot] -= old.open
                self.expire(old)
        units = []
        for spot, quantity in reversed(wanted):
            missing = min(quantity, max(0, lack[spot]))
            lack[spot] -= missing
            units.append(quantity - missing)
        return units[::-1]

    @staticmethod
    def found(held: Held, store: int | None) -> Spot:
        """What is lost altogether is made up wherever somebody finds it."""
        return held.spot if store is None or held.open else (store, held.spot[1])

    def promise_again(self, owner: stock.Owner, store: int | None, at: datetime) -> dict[UUID, int]:
        gone = [h for h in self.of(owner) if h.lost and h.bucket == "committed" and h.state != "released"]
        before = copy.deepcopy(self)
        units = self.spare([(self.found(held, store), held.lost) for held in gone], owner, at)
        if not any(units):
            # Nothing at all is there, so nothing was given back either.
            assert before == self
            return {}
        again = []
        for held, quantity in zip(gone, units, strict=True):
            if quantity:
                held.spot = self.found(held, store)
                held.lost, held.open, held.state = held.lost - quantity, held.open + quantity, "committed"
                self.shelf(held.spot).available -= quantity
                again.append((held, quantity))
        return lines_of(again)

    def here(self, owner: stock.Owner, store: int | None) -> list[Held]:
        """What of an owner can be handed over at a store."""
        return [
            held
            for held in self.of(owner)
            if held.bucket in ("reserved", "committed") and store in (None, self.found(held, store)[0])
        ]

    def hand_over(self, owner: stock.Owner, asked: dict[UUID, int], store: int | None, at: datetime) -> dict[UUID, int]:
        """A line leaves whole: all components of a bundle, in as many units."""
        mine, asked = self.here(owner, store), {line: units for line, units in asked.items() if units}
        wanted = {h.key: asked[h.line] * h.per_unit for h in self.of(owner) if h.line in asked}
        there: dict[tuple[UUID, int], int] = {}
        for held in mine:
            there[held.key] = there.get(held.key, 0) + held.open + held.lost
        if not wanted or any(quantity > there.get(key, 0) for key, quantity in wanted.items()):
            raise Refused("reservation-short")
        left, out, made_up = dict(wanted), dict[int, int](), list[tuple[Held, int]]()
        for held in mine:
            out[id(held)] = min(held.open, left.get(held.key, 0))
            left[held.key] = left.get(held.key, 0) - out[id(held)]
        for held in mine:
            quantity = min(held.lost, left[held.key])
            left[held.key] -= quantity
            if quantity:
                made_up.append((held, quantity))
        before = [copy.copy(held) for held in self.held], copy.deepcopy(self.shelves)
        lost = [(self.found(held, store), quantity) for held, quantity in made_up]
        if self.spare(lost, owner, at) != [quantity for _, quantity in made_up]:
            self.held, self.shelves = before
            raise Refused("reservation-short")
        for held, quantity in made_up:
            self.put(self.found(held, store), "available", -quantity)
        for held in mine:
            again = sum(quantity for one, quantity in made_up if one is held)
            held.open, held.lost = held.open - out[id(held)], held.lost - again
            if out[id(held)] + again and not held.open:
                held.state = "fulfilled"
        return asked

    # Physical facts

    def after(self, moves: list[Moved]) -> dict[tuple[Spot, str], int]:
        """What the moves leave in the buckets that they touch, all of them together."""
        left: dict[tuple[Spot, str], int] = {}
        for spot, gone, come, quantity in moves:
            for bucket, more in ((gone, -quantity), (come, quantity)):
                if bucket is not None:
                    left[spot, bucket] = left.get((spot, bucket), self.there(spot, bucket)) + more
        return left

    def choose(self, moves: list[Moved]) -> None:
        """What a person does by choice takes what is free, or nothing."""
        if min(self.after(moves).values()) < 0:
            raise Refused("stock-below-zero")
        self.carry(moves)

    def fact(self, moves: list[Moved], at: datetime, known_only: bool = True) -> None:
        """A physical fact takes what is free, what has expired, what is reserved, what is committed: the newest first. What the
        books do not know at all is a slip of the pen (`known_only`), or was there and not in the books."""
        lacking: dict[Spot, int] = {}
        for (spot, bucket), left in self.after(moves).items():
            if left < 0 and bucket != "available":
                raise Refused("stock-below-zero")
            if left < 0:
                lacking[spot] = -left
        for spot, lack in lacking.items():
            if known_only and self.on(spot, "reserved") + self.on(spot, "committed") < lack:
                raise Refused("stock-below-zero")
        for spot, units in lacking.items():
            lack = units
            on_it = [h for h in self.held[::-1] if h.spot == spot and h.open and h.bucket in ("reserved", "committed")]
            for held in sorted(on_it, key=lambda h: 0 if h.expired(at) else 1 if h.state == "reserved" else 2):
                if lack > 0 and held.expired(at):
                    lack -= held.open
                    self.expire(held)
                elif lack > 0:
                    taken = min(lack, held.open)
                    lack -= taken
                    self.shelf(spot).available += taken
                    self.lose(held, taken)
            self.shelf(spot).available += max(0, lack)
        self.carry(moves)

    def carry(self, moves: list[Moved]) -> None:
        for (spot, bucket), left in self.after(moves).items():
            assert left >= 0
            setattr(self.shelf(spot), bucket, left)

    @staticmethod
    def lose(held: Held, units: int) -> None:
        held.open, held.lost = held.open - units, held.lost + units
        if not held.open:
            held.state = "short"

    def not_there(self, store: int, goods: dict[int, int], fate: str | None) -> None:
        for item, wanted in goods.items():
            units = min(wanted, self.shelf((store, item)).available)
            self.carry([((store, item), "available", fate, units)])

    # What is announced, and what travels

    def part(self, held: Held, units: int, whole: bool) -> Held:
        """Some units of a reservation go their own way: a younger twin of it, unless they are all of it."""
        if whole or units == held.quantity:
            return held
        twin = self.begin(replace(held, quantity=units, open=units, lost=0))
        held.quantity, held.open = held.quantity - units, held.open - units
        if not held.open:
            held.state = "short" if held.lost else "released"
        return twin

    def split(self, held: Held, units: int, seen: set[int]) -> Held:
        """The part of a reservation on a plan that is settled; `seen` are those that were settled before in the same act."""
        part = self.part(held, units, units == held.open and not held.lost and id(held) not in seen)
        seen.add(id(held))
        return part

    def settle(self, plan: Plan, quantity: int, bucket: str | None, seen: set[int]) -> None:
        """Units of a plan are there, or will never be: for sale they serve those who waited, the oldest first; otherwise they come
        out of what nobody was promised, and then out of promises, the newest first."""
        serves = bucket == "available"
        standing = self.standing(plan)
        left = quantity if serves else quantity - min(quantity, plan.open - self.promised(plan))
        free = quantity
        """Units that are not committed on their way."""
        for held in standing if serves else standing[::-1]:
            units = min(left, held.open)
            if units:
                left -= units
                free -= units if held.bucket == "in_transit_committed" else 0
                part = self.split(held, units, seen)
                part.state = part.bucket = "committed"
                if not serves:
                    self.lose(part, units)
        assert serves or left == 0
        self.put(plan.spot, bucket, left if serves else quantity)
        if plan.travels:
            self.shelf(plan.spot).in_transit -= free
        if bucket is None:
            plan.cancelled += quantity
        else:
            plan.received += quantity

    def come(self, store: int, came: list[Came], travelled: bool) -> None:
        """Goods of plans, and others, in one act: of a supplier's plan as much as is open, the rest is simply more."""
        seen: set[int] = set()
        if travelled:
            for plan_id in {one.plan for one in came if one.plan}:
                if sum(one.quantity for one in came if one.plan == plan_id) > self.plans[plan_id].open:
                    raise Refused("not-expected")
        for one in came:
            plan = self.plans[one.plan] if one.plan else None
            units = min(one.quantity, plan.open) if plan else 0
            if plan:
                self.settle(plan, units, one.bucket, seen)
            self.put((store, one.item), one.bucket, one.quantity - units)

    def give_up(self, changes: list[tuple[UUID, int, date | None]]) -> bool:
        """Units of plans will not come, or come another day. Whether promises broke."""
        for plan_id, quantity, _ in changes:
            if quantity > self.plans[plan_id].open:
                raise Refused("not-expected")
        seen: set[int] = set()
        for plan_id, quantity, day in changes:
            self.settle(self.plans[plan_id], quantity, None, seen)
            self.plans[plan_id].on = day or self.plans[plan_id].on
        return bool(seen)

    def dispatch(self, source: int, destination: int, sent: list[Sent], on: date) -> None:
        for one in sent:
            mine = [h for h in self.of(one.owner) if h.key == (one.line, one.item) and h.spot[0] == source]
            if sum(held.open for held in mine if held.bucket == "committed") < one.quantity:
                raise Refused("reservation-short")
        for one in sent:
            spot, left = (destination, one.item), one.quantity
            self.plans[one.id] = Plan(one.id, spot, one.quantity, on, True)
            for held in [h for h in self.of(one.owner) if h.key == (one.line, one.item) and h.spot[0] == source]:
                units = min(left, held.open) if held.bucket == "committed" else 0
                if not units:
                    continue
                left -= units
                if one.owner.kind == "transfer":
                    held.open -= units
                    self.put(spot, "in_transit", units)
                    if not held.open:
                        held.state = "fulfilled"
                else:
                    part = self.part(held, units, False)
                    part.spot, part.bucket, part.plan = spot, "in_transit_committed", one.id

    def sweep(self, at: datetime) -> int:
        old = [held for held in self.held if held.expired(at)]
        for held in old:
            self.expire(held)
        return len(old)

    # What is compared

    def differs(self, before: Model) -> bool:
        """Whether anything has happened since."""
        shelves = [{spot: shelf for spot, shelf in one.shelves.items() if shelf != Shelf()} for one in (before, self)]
        return shelves[0] != shelves[1] or (before.held, before.plans) != (self.held, self.plans)

    def levels(self, at: datetime) -> dict[Spot, tuple[int, ...]]:
        """What every level must show."""
        found: dict[Spot, tuple[int, ...]] = {}
        for spot, shelf in self.shelves.items():
            expired = sum(held.open for held in self.held if held.spot == spot and held.open and held.expired(at))
            found[spot] = (
                shelf.available, self.on(spot, "reserved"), self.on(spot, "committed"), shelf.quality_control, shelf.damaged,
                shelf.in_transit, self.on(spot, "in_transit_committed"),
                max(0, shelf.available - self.safety.get(spot, 0) + expired),
            )  # fmt: skip
        return found
