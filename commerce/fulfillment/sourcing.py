"""Where the goods of an order come from: a pure function from demand, candidates and rules to a plan with a reason for each choice.

What a plan costs, in order of weight: units that nobody has; units that must wait for a delivery, and how many days; then the
rules, tier by tier (a tier is a weighted sum; a later one decides only between plans that are equal in all before it); then the
number of locations. Every term is either fixed per location used or counts units, so that for a given set of locations the best
assignment is the cheapest units first, and the best plan is found by trying the sets of locations.

Exact (`Plan.proven`) while sets of locations times things wanted is at most `EXACT_WORK`, which holds for 6 locations and 6 lines
and for 8 and 6; bundles and unsplit lines that compete for the same units are solved by branch and bound within `NODES` steps.
Beyond that: a greedy cover or the cheapest units, whichever is better, then locations are added, dropped and swapped while that
helps (`EVALUATIONS` trials at most). Such a plan fills as many units as can be filled, unless bundles or unsplit lines compete.
The same input gives the same plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

Scope = Literal["pickup", "delivery"]
RuleName = Literal[
    "fewest_parcels", "nearest", "priority", "cost", "capacity_left", "keep_safety", "spare_busy", "clear_old_stock", "has_all",
]  # fmt: skip
EXACT_WORK = 8 * 2**8 * 6
"""Locations × sets of locations × things wanted, up to which all sets are tried."""
NODES = 10_000
"""Steps of the branch and bound for what competes for the same units."""
EVALUATIONS = 40
"""Sets of locations tried by the local improvement."""
SWAPPED = 3
"""Up to so many locations, each is also tried against every other."""
SCARCE = 1000
"""`capacity_left` of a location with one parcel left today; half of it with two, and so on."""

Taken = dict[int | UUID, int]
"""Units taken of a place, by number of the variant or by announced delivery."""
Offer = tuple[int, int, int, UUID | None]
"""Cost of one unit, units, the same cost by rule, the announced delivery that they wait for. The cheapest first."""
Choice = tuple[int, int, int, int, int, UUID | None]
"""Pool, place, units, cost of one, the same by rule, the announced delivery."""


class Weighted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule and how much one point of it weighs against the other rules of its tier.

    Points: `fewest_parcels` 1 a parcel; `nearest` 1 per metre and unit; `priority` the location's place in the order, per unit;
    `cost` 1 per minor unit of money a parcel; `capacity_left` 1000 ÷ parcels left today, a parcel; `keep_safety` 1 per unit of
    safety stock; `spare_busy` 1 per location in its busy hours; `clear_old_stock` 1 per unit and day that it is younger than the
    oldest to be had; `has_all` 1 per location used that does not have everything.
    """

    rule: RuleName
    weight: Annotated[int, Meta(ge=1, le=1_000_000)] = 1


Tier = Annotated[tuple[Weighted, ...], Meta(min_length=1, max_length=9)]
Tiers = Annotated[tuple[Tier, ...], Meta(max_length=9)]


class Options(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be done."""

    after_rejection: Literal["resource", "ask"] = "resource"
    """When a store cannot do it: look for another source, or ask the customer."""
    attempts: Annotated[int, Meta(ge=1, le=5)] = 3
    """Plans made anew while others take the units first."""
    may_use_safety: bool = False
    """Whether safety stock may be sold; the rule `keep_safety` then only prefers others."""
    from_inbound: bool = True
    """Whether variants that may wait are promised from what is announced."""
    split_lines: bool = True
    """Whether one line may come from several locations."""


class Rules(Struct, frozen=True, kw_only=True):
    """By what sources are chosen. Version 0: the code's own."""

    scope: Scope
    tiers: tuple[tuple[Weighted, ...], ...]
    options: Options = Options()
    version: int = 0


class Wanted(Struct, frozen=True, kw_only=True):
    """So many units of a line. A bundle names its components and how many of each are in one unit."""

    line_id: UUID
    variant_id: UUID
    quantity: int
    components: tuple[tuple[UUID, int], ...] = ()


class Supply(Struct, frozen=True):
    """What a location has of a variant: units on the shelf that are promised to nobody, how many of them are safety stock, and for
    how many days the oldest have lain there."""

    available: int
    safety: int = 0
    oldest_days: int = 0


class Inbound(Struct, frozen=True):
    """Units of an announced delivery that are promised to nobody."""

    expected_id: UUID
    on: date
    free: int


class Candidate(Struct, frozen=True, kw_only=True):
    """A location that may be a source, or `refusal`: why it may not. The lowest `priority` is asked first."""

    location_id: UUID
    code: str
    refusal: str | None = None
    stock: Mapping[UUID, Supply] = {}
    inbound: Mapping[UUID, Sequence[Inbound]] = {}
    """Only of variants that may wait, the soonest first."""
    distance_metres: int = 0
    priority: int = 0
    cost: int = 0
    """Of one parcel, in minor units."""
    capacity_left: int | None = None
    """Parcels that it can still prepare today; None: no limit."""
    busy: bool = False
    is_pickup: bool = False
    """The pickup store itself: nothing is sent."""


class Reason(Struct, frozen=True):
    """Why, for programs: `code` and `members`; `texts_of` says it in words."""

    code: str
    members: dict[str, int | str] = {}


class Allocation(Struct, frozen=True, kw_only=True):
    """Units of a line from a location, off the shelf or out of an announced delivery."""

    location_id: UUID
    location: str
    line_id: UUID
    quantity: int
    expected_id: UUID | None = None
    expected_on: date | None = None
    reason: Reason


class Unfilled(Struct, frozen=True, kw_only=True):
    """Units of a line that no location can give."""

    line_id: UUID
    quantity: int


class Rejected(Struct, frozen=True, kw_only=True):
    """A location that nothing comes from. `scores`: the plan's points by rule, had it given what it has."""

    location_id: UUID
    location: str
    reason: Reason
    scores: dict[str, int] = {}


class Plan(Struct, frozen=True, kw_only=True):
    """What comes from where and why. `proven`: no other plan is better by these rules."""

    scope: Scope
    rules_version: int
    at: datetime
    allocations: tuple[Allocation, ...]
    unfilled: tuple[Unfilled, ...]
    rejected: tuple[Rejected, ...]
    scores: dict[str, int]
    proven: bool

    @property
    def complete(self) -> bool:
        """Whether every unit has its source."""
        return not self.unfilled


DEFAULTS: dict[Scope, Rules] = {
    "pickup": Rules(
        scope="pickup",
        tiers=(
            (Weighted(rule="fewest_parcels"),),
            (Weighted(rule="spare_busy"),),
            (Weighted(rule="priority"),),
            (Weighted(rule="nearest"),),
            (Weighted(rule="capacity_left"),),
        ),
    ),
    "delivery": Rules(
        scope="delivery",
        tiers=(
            (Weighted(rule="fewest_parcels"),),
            (Weighted(rule="spare_busy"),),
            (Weighted(rule="priority"),),
            (Weighted(rule="nearest"),),
            (Weighted(rule="capacity_left"),),
        ),
    ),
}
RULE_TEXTS: dict[str, tuple[str, str]] = {
    "fewest_parcels": ("число отправлений", "number of parcels"),
    "nearest": ("расстояние (метры × штуки)", "distance (metres × units)"),
    "priority": ("очерёдность источника (× штуки)", "place in the order of sources (× units)"),
    "cost": ("стоимость отправлений (в копейках)", "cost of the parcels (in minor units)"),
    "capacity_left": ("загрузка на сегодня", "scarcity of today's capacity"),
    "keep_safety": ("штук из страхового запаса", "units of safety stock"),
    "spare_busy": ("магазинов в часы наплыва", "stores in their busy hours"),
    "clear_old_stock": ("свежесть товара (дни × штуки)", "freshness of the goods (days × units)"),
    "has_all": ("источников без полного набора", "sources that do not have everything"),
    "waiting": ("штук под заказ", "units that must wait"),
    "waiting_days": ("дней ожидания (× штуки)", "days of waiting (× units)"),
    "unfilled": ("штук без источника", "units without a source"),
    "locations": ("число источников", "number of sources"),
}
"""Rule -> its name, ru and en."""
TEXTS: dict[str, tuple[str, str]] = {
    "at_pickup": ("Лежит в самом пункте выдачи.", "It lies in the pickup store itself."),
    "expected": (
        "На полке нет ни у кого; ожидается здесь {on}.",
        "Nobody has it on the shelf; it is expected here on {on}.",
    ),
    "has_all": ("Здесь есть всё сразу.", "It has everything at once."),
    "only_here": ("Больше ни у кого нет.", "Nobody else has it."),
    "better": (
        "Лучше, чем {other}: {rule} — {mine} против {theirs}.",
        "Better than {other}: {rule} {mine} against {theirs}.",
    ),
    "equal": (
        "Не хуже, чем {other}; выбран первый по коду.",
        "As good as {other}; the first by code was taken.",
    ),
    "rest": ("Даёт то, чего не хватает остальным.", "It gives what the others lack."),
    "worse": (
        "Хуже по правилу «{rule}»: {theirs} вместо {mine}.",
        "It loses by “{rule}”: {theirs} instead of {mine}.",
    ),
    "later": ("Не хуже выбранного, но дальше по коду.", "As good as what was chosen, but later by code."),
    "not_searched": (
        "Источников слишком много, чтобы проверить все сочетания.",
        "There are too many sources to try all combinations.",
    ),
    "has_nothing": ("Нет ничего, что помогло бы.", "It has nothing that would help."),
    "safety_only": ("Остался только страховой запас.", "Only its safety stock is left."),
    "no_capacity": ("На сегодня мощности исчерпаны.", "It has no capacity left today."),
    "no_role": ("Не отправляет товары.", "It does not send goods."),
    "not_open_yet": ("Ещё не открыт.", "It is not open yet."),
    "closed": ("Закрыт насовсем.", "It is closed for good."),
    "paused": ("Приостановлен.", "It is paused."),
    "excluded": ("Уже отказался от этого заказа.", "It has turned this order down."),
    "out_of_reach": ("Доставка сюда не достаёт.", "No delivery reaches that far."),
}
"""Code -> what it says, ru and en."""


def texts_of(reason: Reason) -> dict[str, str]:
    """A reason in words."""
    templates = TEXTS[reason.code]
    said = {}
    for n, language in enumerate(("ru", "en")):
        members = dict(reason.members)
        if "rule" in members:
            members["rule"] = RULE_TEXTS[str(members["rule"])][n]
        said[language] = templates[n].format(**members)
    return said


def plan(demands: Sequence[Wanted], candidates: Sequence[Candidate], rules: Rules, *, at: datetime) -> Plan:
    """The best plan by the rules. Never more than wanted, never from a location with a refusal or without capacity, never more
    than it has, in all lines and components together; a bundle's unit comes whole from one location."""
    return _Sourcing(demands, candidates, rules, at).plan()


class _Pool:
    """Lines that want the same thing: one variant, or the same components."""

    __slots__ = ("alone", "demand", "lines", "parts", "plain", "variant_id")

    def __init__(self, parts: tuple[tuple[int, int], ...], variant_id: UUID) -> None:
        self.parts = parts
        """Numbers of the variants in one unit, and how many of each."""
        self.variant_id = variant_id
        """The first of them."""
        self.plain = len(parts) == 1 and parts[0][1] == 1
        self.lines: list[tuple[UUID, int]] = []
        self.demand = 0
        self.alone = True
        """Whether no other pool wants the same variant."""


def _parts(wanted: Wanted) -> tuple[tuple[UUID, int], ...]:
    merged: dict[UUID, int] = {}
    for variant_id, per_unit in wanted.components or ((wanted.variant_id, 1),):
        merged[variant_id] = merged.get(variant_id, 0) + per_unit
    return tuple(sorted(merged.items()))


class _Sourcing:
    """One question, its costs as numbers: one integer holds all levels, each too large for the sum of those below it."""

    def __init__(self, demands: Sequence[Wanted], candidates: Sequence[Candidate], rules: Rules, at: datetime) -> None:
        self.rules = rules
        self.at = at
        self.split = rules.options.split_lines
        self.order = [wanted.line_id for wanted in demands]
        self.pools = self._pools(demands)
        self.refused = [c for c in candidates if c.refusal is not None or c.capacity_left == 0]
        usable = (c for c in candidates if c.refusal is None and c.capacity_left != 0)
        self.places = sorted(usable, key=lambda c: (not c.is_pickup, c.code))
        self._hold()
        self._weigh()
        self.offers = [self._row(pool) for pool in self.pools]
        """Pool, place -> what the place offers while nothing is taken."""
        self.units_of = [[sum(offer[1] for offer in offers) if offers else 0 for offers in row] for row in self.offers]
        """The same as a number of units."""
        self.useful = [i for i in range(len(self.places)) if any(row[i] for row in self.offers)]
        self.blocks = self._blocks()
        self.nodes = NODES
        self.proven = True

    # The question

    def _pools(self, demands: Sequence[Wanted]) -> list[_Pool]:
        self.variants: list[UUID] = []
        numbers: dict[UUID, int] = {}
        found: dict[object, _Pool] = {}
        for wanted in demands:
            if wanted.quantity <= 0:
                continue
            parts = _parts(wanted)
            for variant_id, _ in parts:
                if variant_id not in numbers:
                    numbers[variant_id] = len(self.variants)
                    self.variants.append(variant_id)
            pool = found.get(key := parts if self.split else (parts, wanted.line_id))
            if pool is None:
                numbered = tuple((numbers[variant_id], units) for variant_id, units in parts)
                pool = found[key] = _Pool(numbered, parts[0][0])
            pool.lines.append((wanted.line_id, wanted.quantity))
            pool.demand += wanted.quantity
        return list(found.values())

    def _hold(self) -> None:
        """What each place has of the variants wanted: above its safety stock, below it where that may be used, and how old it is."""
        need = [0] * len(self.variants)
        for pool in self.pools:
            for v, per_unit in pool.parts:
                need[v] += pool.demand * per_unit
        self.units = sum(need)
        may_use_safety = self.rules.options.may_use_safety
        wanted = [(v, variant_id, need[v]) for v, variant_id in enumerate(self.variants)]
        self.held: list[list[tuple[int, int, int] | None]] = []
        self.oldest = [0] * len(self.variants)
        self.has_all: list[bool] = []
        for place in self.places:
            held: list[tuple[int, int, int] | None] = [None] * len(self.variants)
            everything = bool(self.variants)
            stock = place.stock
            for v, variant_id, units in wanted:
                supply = stock.get(variant_id)
                if supply is None:
                    everything = False
                    continue
                available, safety, days = supply.available, supply.safety, supply.oldest_days
                above = available - safety if safety < available else 0
                below = available - above if may_use_safety else 0
                if above + below < units:
                    everything = False
                if above or below:
                    held[v] = (above, below, days)
                    self.oldest[v] = max(self.oldest[v], days)
            self.held.append(held)
            self.has_all.append(everything)

    def _points(self, place: int) -> dict[str, int]:
        """What using a place costs by the rules that count locations."""
        candidate = self.places[place]
        sent = not candidate.is_pickup
        return {
            "fewest_parcels": int(sent),
            "cost": candidate.cost if sent else 0,
            "capacity_left": SCARCE // candidate.capacity_left if sent and candidate.capacity_left else 0,
            "spare_busy": int(candidate.busy),
            "has_all": int(not self.has_all[place]),
            "locations": 1,
        }

    def _weigh(self) -> None:
        units = self.units
        today = self.at.date()
        places = self.places
        fixed = [self._points(i) for i in range(len(places))]
        latest = max(
            (entry.on for place in places for entries in place.inbound.values() for entry in entries), default=today
        )
        bounds = {
            name: sum(points[name] for points in fixed)
            for name in ("fewest_parcels", "cost", "capacity_left", "spare_busy", "has_all", "locations")
        } | {
            "unfilled": sum(pool.demand for pool in self.pools),
            "waiting": units,
            "waiting_days": units * max(0, (latest - today).days),
            "nearest": units * max((place.distance_metres for place in places), default=0),
            "priority": units * max((place.priority for place in places), default=0),
            "keep_safety": units,
            "clear_old_stock": units * max(self.oldest, default=0),
        }
        ruled: list[list[tuple[str, int]]] = [
            [(entry.rule, entry.weight) for entry in tier] for tier in self.rules.tiers
        ]
        levels: list[list[tuple[str, int]]] = [
            [("unfilled", 1)], [("waiting", 1)], [("waiting_days", 1)], *ruled, [("locations", 1)],
        ]  # fmt: skip
        self.levels: list[tuple[int, list[tuple[str, int]]]] = []
        """What one point of a level is worth, and its rules with their weights; the weightiest first."""
        self.digits: list[tuple[int, str]] = []
        """The same for points by rule."""
        cost: dict[str, int] = {}
        by_rule: dict[str, int] = {}
        worth = digit = 1
        for level in reversed(levels):
            self.levels.append((worth, level))
            for name, weight in level:
                cost[name] = weight * worth
                by_rule[name] = digit
                self.digits.append((digit, name))
                digit *= bounds[name] + 1
            worth *= sum(weight * bounds[name] for name, weight in level) + 1
        self.levels.reverse()
        self.digits.reverse()
        self.lacking, self.lacking_by = cost["unfilled"], by_rule["unfilled"]
        self.waiting, self.waiting_by = cost["waiting"], by_rule["waiting"]
        self.day, self.day_by = cost["waiting_days"], by_rule["waiting_days"]
        self.safety, self.safety_by = cost.get("keep_safety", 0), by_rule.get("keep_safety", 0)
        self.age, self.age_by = cost.get("clear_old_stock", 0), by_rule.get("clear_old_stock", 0)
        self.fixed = [sum(cost.get(name, 0) * n for name, n in points.items()) for points in fixed]
        self.fixed_by = [sum(by_rule.get(name, 0) * n for name, n in points.items()) for points in fixed]
        near, near_by = cost.get("nearest", 0), by_rule.get("nearest", 0)
        asked, asked_by = cost.get("priority", 0), by_rule.get("priority", 0)
        self.unit = [near * place.distance_metres + asked * place.priority for place in places]
        self.unit_by = [near_by * place.distance_metres + asked_by * place.priority for place in places]
        self.today = today

    def _blocks(self) -> list[list[int]]:
        """Pools that want a variant in common, together."""
        block_of: dict[int, set[int]] = {}
        for p, pool in enumerate(self.pools):
            mine = {p}
            for v, _ in pool.parts:
                mine |= block_of.get(v, set())
            for q in mine:
                for v, _ in self.pools[q].parts:
                    block_of[v] = mine
        blocks = {min(block): sorted(block) for block in block_of.values()}
        for block in blocks.values():
            for p in block:
                self.pools[p].alone = len(block) == 1
        return list(blocks.values())

    # What a place offers

    def _row(self, pool: _Pool) -> list[list[Offer]]:
        if not pool.plain:
            return [self._offers(pool, place, None) for place in range(len(self.places))]
        v, demand, oldest = pool.parts[0][0], pool.demand, self.oldest[pool.parts[0][0]]
        row: list[list[Offer]] = []
        for place, candidate in enumerate(self.places):
            have = self.held[place][v]
            if candidate.inbound or (have is not None and have[1]):
                row.append(self._offers(pool, place, None))
            elif have is None:
                row.append([])
            else:
                units, younger = have[0], oldest - have[2]
                units = min(units, demand)
                cost, by_rule = self.unit[place] + self.age * younger, self.unit_by[place] + self.age_by * younger
                row.append([(cost, units, by_rule, None)])
        return row

    def _offers(self, pool: _Pool, place: int, taken: Taken | None) -> list[Offer]:
        """A place's units for a pool, the cheapest first, after what is taken of it; no more than the pool wants."""
        if not pool.plain:
            return self._bundles(pool, place, taken)
        v = pool.parts[0][0]
        left = pool.demand
        offers: list[Offer] = []
        have = self.held[place][v]
        if have is not None:
            above, below, days = have
            if taken:
                above -= taken.get(v, 0)
                if above < 0:
                    above, below = 0, below + above
            cost, by_rule = self.unit[place], self.unit_by[place]
            if self.age:
                younger = self.oldest[v] - days
                cost, by_rule = cost + self.age * younger, by_rule + self.age_by * younger
            if above > 0:
                units = above if above < left else left
                offers.append((cost, units, by_rule, None))
                left -= units
            if below > 0 and left > 0:
                units = below if below < left else left
                offers.append((cost + self.safety, units, by_rule + self.safety_by, None))
                left -= units
        inbound = self.places[place].inbound
        if inbound and left > 0:
            for entry in inbound.get(pool.variant_id, ()):
                free = entry.free - (taken.get(entry.expected_id, 0) if taken else 0)
                if free > 0 and left > 0:
                    days = max(0, (entry.on - self.today).days)
                    units = free if free < left else left
                    offers.append(
                        (
                            self.unit[place] + self.waiting + self.day * days, units,
                            self.unit_by[place] + self.waiting_by + self.day_by * days, entry.expected_id,
                        )
                    )  # fmt: skip
                    left -= units
        return offers

    def _bundles(self, pool: _Pool, place: int, taken: Taken | None) -> list[Offer]:
        held = self.held[place]
        units = pool.demand
        cost = by_rule = 0
        spans: list[tuple[int, int, int]] = []
        for v, per_unit in pool.parts:
            have = held[v]
            if have is None:
                return []
            above, below, days = have
            if taken:
                above -= taken.get(v, 0)
                if above < 0:
                    above, below = 0, below + above
            units = min(units, (above + below) // per_unit)
            younger = self.oldest[v] - days
            cost += per_unit * (self.unit[place] + self.age * younger)
            by_rule += per_unit * (self.unit_by[place] + self.age_by * younger)
            spans.append((above // per_unit, above % per_unit, per_unit))
        if units <= 0:
            return []
        if not self.safety:
            return [(cost, units, by_rule, None)]
        ends = sorted({end for whole, _, _ in spans for end in (whole, whole + 1) if 0 < end < units} | {units})
        offers: list[Offer] = []
        begin = 0
        for end in ends:
            safety = sum(
                0 if begin < whole else per_unit - rest if begin == whole else per_unit
                for whole, rest, per_unit in spans
            )
            offers.append((cost + self.safety * safety, end - begin, by_rule + self.safety_by * safety, None))
            begin = end
        return offers

    def _fill(self, offers: Iterable[Offer], need: int) -> tuple[int, int]:
        """What the cheapest units cost, and how many are lacking."""
        total = 0
        for cost, units, _, _ in offers:
            if units >= need:
                return total + cost * need, 0
            total += cost * units
            need -= units
        return total, need

    def _relaxed(self, p: int, need: int, places: Iterable[int], taken: Mapping[int, Taken]) -> int:
        """At least what a pool costs from these places, as if it had them for itself."""
        pool, row = self.pools[p], self.offers[p]
        offered = [self._offers(pool, i, gone) if (gone := taken.get(i)) and row[i] else row[i] for i in places]
        if self.split:
            merged = (
                sorted(offer for offers in offered for offer in offers)
                if len(offered) > 1
                else offered[0]
                if offered
                else []
            )
            cost, lacking = self._fill(merged, need)
            return cost + lacking * self.lacking
        best = need * self.lacking
        for offers in offered:
            if offers:
                cost, lacking = self._fill(offers, need)
                best = min(best, cost + lacking * self.lacking)
        return best

    # Assigning to a given set of places

    def _take(self, p: int, place: int, units: int, taken: dict[int, Taken]) -> tuple[list[Choice], int]:
        """Units of a pool from a place, the cheapest; what they cost. `taken` has them then."""
        pool = self.pools[p]
        gone = taken.setdefault(place, {})
        offers = self._offers(pool, place, gone) if gone else self.offers[p][place]
        choices: list[Choice] = []
        total = 0
        for cost, have, by_rule, expected_id in offers:
            part = min(have, units)
            if part <= 0:
                break
            choices.append((p, place, part, cost, by_rule, expected_id))
            total += cost * part
            units -= part
            if expected_id is not None:
                gone[expected_id] = gone.get(expected_id, 0) + part
            else:
                for v, per_unit in pool.parts:
                    gone[v] = gone.get(v, 0) + part * per_unit
        return choices, total

    def _untake(self, choices: Sequence[Choice], taken: dict[int, Taken]) -> None:
        for p, place, units, _, _, expected_id in choices:
            gone = taken[place]
            if expected_id is not None:
                gone[expected_id] -= units
            else:
                for v, per_unit in self.pools[p].parts:
                    gone[v] -= units * per_unit

    def _greedy(self, p: int, places: Sequence[int], taken: dict[int, Taken]) -> tuple[list[Choice], int]:
        """A pool from the cheapest units that are left; with one pool, or the last of a block, the best there is."""
        need = self.pools[p].demand
        pool, row = self.pools[p], self.offers[p]
        offered = [(self._offers(pool, i, gone) if (gone := taken.get(i)) else row[i], i) for i in places if row[i]]
        choices: list[Choice] = []
        total = 0
        if self.split:
            for _, i, units in sorted((offer[0], i, offer[1]) for offers, i in offered for offer in offers):
                part = min(units, need)
                if part <= 0:
                    break
                made, cost = self._take(p, i, part, taken)
                choices += made
                total += cost
                need -= part
        else:
            best: tuple[int, int, int] | None = None
            for offers, i in offered:
                if offers:
                    cost, lacking = self._fill(offers, need)
                    key = (cost + lacking * self.lacking, i, need - lacking)
                    best = key if best is None or key < best else best
            if best is not None:
                choices, total = self._take(p, best[1], best[2], taken)
                need -= best[2]
        return choices, total + need * self.lacking

    def _sequence(self, block: Sequence[int], places: Sequence[int]) -> tuple[int, list[Choice]]:
        taken: dict[int, Taken] = {}
        total, choices = 0, list[Choice]()
        for p in block:
            made, cost = self._greedy(p, places, taken)
            choices += made
            total += cost
        return total, choices

    def _guess(self, block: Sequence[int], places: Sequence[int]) -> tuple[int, list[Choice]]:
        """A block one pool after the other, in the better of two orders."""
        if len(block) == 1:
            return self._sequence(block, places)
        bundles_last = sorted(block, key=lambda p: (sum(n for _, n in self.pools[p].parts), p))
        return min(
            (self._sequence(order, places) for order in (bundles_last, bundles_last[::-1])), key=lambda found: found[0]
        )

    def _solve(self, block: Sequence[int], places: Sequence[int], ceiling: int) -> tuple[int, list[Choice]]:
        """The best assignment of a block to a set of places, by branch and bound; anything that costs `ceiling` or more is as bad."""
        best, chosen = self._guess(block, places)
        if len(block) == 1:
            return best, chosen
        floor = sum(self._relaxed(p, self.pools[p].demand, places, {}) for p in block)
        if best == floor or floor >= ceiling:
            return best, chosen
        branching = [p for p in block if not self.split or not self.pools[p].plain]
        branching.sort(key=lambda p: (-sum(n for _, n in self.pools[p].parts), p))
        settled = [p for p in block if p not in branching]
        taken: dict[int, Taken] = {}
        path: list[Choice] = []

        def rest(n: int) -> int:
            later = (*branching[n:], *settled)
            return sum(self._relaxed(p, self.pools[p].demand, places, taken) for p in later)

        def pool(n: int, spent: int) -> None:
            nonlocal best, chosen
            if n == len(branching):
                made: list[Choice] = []
                total = spent
                for p in settled:
                    some, cost = self._greedy(p, places, taken)
                    made += some
                    total += cost
                if total < best:
                    best, chosen = total, [*path, *made]
                self._untake(made, taken)
                return
            p = branching[n]
            row = self.offers[p]
            near = sorted((row[i][0][0], i) for i in places if row[i])
            step(n, 0, [i for _, i in near], self.pools[p].demand, spent)

        def step(n: int, j: int, order: list[int], need: int, spent: int) -> None:
            if self.nodes <= 0:
                self.proven = False
                return
            self.nodes -= 1
            p = branching[n]
            if spent + self._relaxed(p, need, order[j:], taken) + rest(n + 1) >= min(best, ceiling):
                return
            if need == 0 or j == len(order):
                pool(n + 1, spent + need * self.lacking)
                return
            i = order[j]
            most = min(need, sum(units for _, units, _, _ in self._offers(self.pools[p], i, taken.get(i))))
            for units in range(most, -1, -1):
                made, cost = self._take(p, i, units, taken) if units else ([], 0)
                path.extend(made)
                if units and not self.split:
                    pool(n + 1, spent + cost + (need - units) * self.lacking)
                else:
                    step(n, j + 1, order, need - units, spent + cost)
                del path[len(path) - len(made) :]
                self._untake(made, taken)

        pool(0, 0)
        return best, chosen

    # Choosing the set of places

    def _exact(self) -> tuple[int, list[Choice]]:
        """Every set of places, the most promising first, until the next cannot be better."""
        useful, row_of = self.useful, self.offers
        size = len(useful)
        fixed = [0] * (1 << size)
        for mask in range(1, 1 << size):
            low = mask & -mask
            fixed[mask] = fixed[mask ^ low] + self.fixed[useful[low.bit_length() - 1]]
        ranked: list[list[tuple[int, int, int]]] = []
        for row in row_of:
            ranked.append(sorted((o[0], 1 << n, o[1]) for n, i in enumerate(useful) for o in row[i]))
        floors = list(fixed)
        for p, pool in enumerate(self.pools):
            demand, missing = pool.demand, self.lacking
            if self.split:
                offers = ranked[p]
                for mask in range(1 << size):
                    need, total = demand, 0
                    for cost, bit, units in offers:
                        if mask & bit:
                            if units >= need:
                                total += cost * need
                                need = 0
                                break
                            total += cost * units
                            need -= units
                    floors[mask] += total + need * missing
            else:
                single = [demand * missing] * size
                for n, i in enumerate(useful):
                    cost, lacking = self._fill(row_of[p][i], demand)
                    single[n] = cost + lacking * missing
                for mask in range(1 << size):
                    floors[mask] += min((single[n] for n in range(size) if mask >> n & 1), default=demand * missing)
        best, chosen = sum(pool.demand for pool in self.pools) * self.lacking, list[Choice]()
        for mask in sorted(range(1 << size), key=lambda mask: (floors[mask], mask)):
            if floors[mask] >= best:
                break
            places = [i for n, i in enumerate(useful) if mask >> n & 1]
            total, made = fixed[mask], list[Choice]()
            for block in self.blocks:
                cost, some = self._solve(block, places, best - total)
                total += cost
                made += some
                if total > best:
                    break
            if total < best:
                best, chosen = total, made
        return best, chosen

    def _value(self, places: Sequence[int]) -> int:
        """At least what a set of places costs: what it costs, unless pools compete."""
        return sum(self.fixed[i] for i in places) + sum(
            self._relaxed(p, pool.demand, places, {}) for p, pool in enumerate(self.pools)
        )

    def _cover(self) -> list[int]:
        """Places that fill what can be filled, the one that helps most first."""
        unmet = [pool.demand for pool in self.pools]
        now = [pool.demand * self.lacking for pool in self.pools]
        chosen: list[int] = []
        left = list(self.useful)
        while left:
            best, helper = 0, -1
            wanted = [(p, need, self.offers[p], self.units_of[p]) for p, need in enumerate(unmet) if need]
            for i in left:
                gain = -self.fixed[i]
                for p, need, row, units_of in wanted:
                    units = units_of[i]
                    if not units:
                        continue
                    offers = row[i]
                    if not self.split:
                        cost, lacking = self._fill(offers, self.pools[p].demand)
                        gain += max(0, now[p] - cost - lacking * self.lacking)
                    elif len(offers) == 1:
                        gain += (need if need < units else units) * (self.lacking - offers[0][0])
                    else:
                        cost, lacking = self._fill(offers, need)
                        gain += (need - lacking) * self.lacking - cost
                if gain > best:
                    best, helper = gain, i
            if helper < 0:
                break
            chosen.append(helper)
            left.remove(helper)
            for p, need, row, units_of in wanted:
                if self.split:
                    unmet[p] -= min(need, units_of[helper])
                else:
                    cost, lacking = self._fill(row[helper], self.pools[p].demand)
                    now[p] = min(now[p], cost + lacking * self.lacking)
                    unmet[p] = min(need, lacking)
        return chosen

    def _cheapest(self) -> list[int]:
        """Places of the cheapest units, whatever the number of places."""
        used: set[int] = set()
        for p, pool in enumerate(self.pools):
            need = pool.demand
            if not self.split:
                alone = [
                    (cost + lacking * self.lacking, i)
                    for i in self.useful
                    if self.offers[p][i]
                    for cost, lacking in (self._fill(self.offers[p][i], need),)
                ]
                used |= {min(alone)[1]} if alone else set()
                continue
            for _, place, units in sorted((o[0], i, o[1]) for i in self.useful for o in self.offers[p][i]):
                if need <= 0:
                    break
                used.add(place)
                need -= units
        return sorted(used)

    def _missing(self, places: Sequence[int]) -> list[int]:
        """How many units of each pool a set of places lacks, as if each had them for itself."""
        found = []
        for pool, row in zip(self.pools, self.units_of, strict=True):
            units = [row[i] for i in places]
            found.append(max(0, pool.demand - (sum(units) if self.split else max(units, default=0))))
        return found

    def _marginal(self, places: Sequence[int]) -> list[int]:
        """What the dearest unit of each pool costs from a set of places."""
        found = []
        for p, pool in enumerate(self.pools):
            need, dearest = pool.demand, self.lacking
            for cost, units, _, _ in sorted(o for i in places for o in self.offers[p][i]):
                need -= units
                if need <= 0:
                    dearest = cost
                    break
            found.append(dearest)
        return found

    def _promise(self, places: Sequence[int], outside: Sequence[int], least: int, most: int) -> list[int]:
        """Places that may make a set cheaper by more than `least`, the most promising first, at most so many."""
        dearest = self._marginal(places)
        missing = [(p, n) for p, n in enumerate(self._missing(places)) if n]

        found = []
        for i in outside:
            gain = -self.fixed[i]
            for p, n in missing:
                gain += self.lacking * min(n, self.units_of[p][i])
            if missing and gain + self.lacking <= least:
                continue
            gain = -self.fixed[i]
            for p, row in enumerate(self.offers):
                for cost, units, _, _ in row[i]:
                    if cost < dearest[p]:
                        gain += units * (dearest[p] - cost)
            if gain > least:
                found.append((-gain, i))
        return [i for _, i in sorted(found)[:most]]

    def _trials(self, places: list[int], best: int) -> Iterator[list[int]]:
        """Sets that differ from a set by one place: one less, one more, another instead."""
        if len(places) > 1:
            for gone in places:
                yield [i for i in places if i != gone]
        inside = set(places)
        outside = [i for i in self.useful if i not in inside]
        cheapest = min((self.fixed[i] for i in outside), default=0)
        if best - sum(self.fixed[i] for i in places) > cheapest:
            for i in self._promise(places, outside, 0, 4):
                yield [*places, i]
        if 1 < len(places) <= SWAPPED:
            for gone in places:
                rest = [i for i in places if i != gone]
                for i in self._promise(rest, outside, self._value(rest) - best, 3):
                    yield [*rest, i]

    def _search(self) -> list[int]:
        """A good set of places when there are too many to try all sets."""
        best, places = min((self._value(start), start) for start in (self._cover(), self._cheapest()))
        left = EVALUATIONS
        improved = True
        while improved:
            improved = False
            for trial in self._trials(places, best):
                if left <= 0:
                    break
                left -= 1
                value = self._value(trial)
                if value < best:
                    best, places, improved = value, trial, True
                    break
        return sorted(places)

    def _near_enough(self) -> tuple[int, list[Choice]]:
        """The searched set, then more places while pools that compete lack something."""
        self.proven = False
        places = self._search()
        best, chosen = self._assign(places)
        compete = [p for block in self.blocks if len(block) > 1 for p in block]
        for _ in range(4 if compete and best > self._value(places) else 0):
            inside = set(places)
            others = [
                i for _, i in sorted(
                    (-sum(o[1] for p in compete for o in self.offers[p][i]), i) for i in self.useful if i not in inside
                )[:8]
            ]  # fmt: skip
            found = min(((*self._assign([*places, i]), i) for i in others), key=lambda one: one[0], default=None)
            if found is None or found[0] >= best:
                break
            best, chosen, places = found[0], found[1], [*places, found[2]]
        return best, chosen

    def _assign(self, places: Sequence[int]) -> tuple[int, list[Choice]]:
        total, choices = 0, list[Choice]()
        for block in self.blocks:
            cost, made = self._guess(block, places)
            total += cost
            choices += made
        return total + sum(self.fixed[i] for i in {choice[1] for choice in choices}), choices

    # The answer

    def plan(self) -> Plan:
        """The plan with its reasons."""
        if len(self.useful) * (len(self.pools) << len(self.useful)) <= EXACT_WORK:
            best, choices = self._exact()
        else:
            best, choices = self._near_enough()
        self._settle(choices)
        instead = {i: self._instead(i) for i in self.useful if i not in self.used}
        rivals = dict(sorted(instead.items(), key=lambda entry: (entry[1][0], entry[0])))
        rejected = [self._refusal(candidate) for candidate in self.refused]
        rejected += [
            self._lost(i, rivals.get(i), best) for i in range(len(self.places)) if i not in self.used
        ]  # fmt: skip
        allocations, unfilled = self._shares(choices, rivals, best)
        return Plan(
            scope=self.rules.scope,
            rules_version=self.rules.version,
            at=self.at,
            allocations=tuple(allocations),
            unfilled=tuple(unfilled),
            rejected=tuple(sorted(rejected, key=lambda entry: entry.location)),
            scores=self.scores,
            proven=self.proven,
        )

    def _settle(self, choices: Sequence[Choice]) -> None:
        """What is used and what each pool's units cost, the dearest first: what others are compared with."""
        self.used: dict[int, int] = {}
        self.standing: list[list[tuple[int, int, int, int]]] = [[] for _ in self.pools]
        self.points = 0
        for p, place, units, cost, by_rule, _ in choices:
            self.used[place] = self.used.get(place, 0) + units
            self.standing[p].append((cost, by_rule, place, units))
            self.points += by_rule * units
        for p, pool in enumerate(self.pools):
            lacking = pool.demand - sum(entry[3] for entry in self.standing[p])
            if lacking:
                self.standing[p].append((self.lacking, self.lacking_by, -1, lacking))
                self.points += self.lacking_by * lacking
            self.standing[p].sort(reverse=True)
        self.points += sum(self.fixed_by[i] for i in self.used)
        self.scores = self._by_rule(self.points)

    def _by_rule(self, total: int) -> dict[str, int]:
        points = {}
        for digit, name in self.digits:
            points[name], total = divmod(total, digit)
        return points

    def _instead(self, place: int) -> tuple[int, int]:
        """What the plan would cost more, and its points more by rule, if a place gave what it has at its best price."""
        row = [offers[place] for offers in self.offers]
        waits = all(offers[0][3] is not None for offers in row if offers)
        gone: Taken = {}
        spared: dict[int, int] = {}
        delta, points = self.fixed[place], self.fixed_by[place]
        for p, full in enumerate(row):
            pool = self.pools[p]
            offers = full if pool.alone or not full else self._offers(pool, place, gone)
            if not offers:
                continue
            if not waits and offers[0][3] is not None:
                continue
            standing = self.standing[p]
            if self.split and pool.alone and len(standing) == 1:
                cost, give, by_rule, _ = offers[0]
                delta += give * (cost - standing[0][0])
                points += give * (by_rule - standing[0][1])
                spared[standing[0][2]] = spared.get(standing[0][2], 0) + give
                continue
            if self.split:
                give = offers[0][1]
            else:
                give = sum(offer[1] for offer in offers)
                if give < sum(entry[3] for entry in standing if entry[2] >= 0):
                    continue
            left = give
            for cost, units, by_rule, expected_id in offers:
                part = units if units < left else left
                if part <= 0:
                    break
                delta += cost * part
                points += by_rule * part
                left -= part
                if not pool.alone:
                    for key, n in ((expected_id, 1),) if expected_id else pool.parts:
                        gone[key] = gone.get(key, 0) + n * part
            # a line that may not be split moves as a whole: first what it has elsewhere, then what it lacks
            for cost, by_rule, other, units in standing if self.split else standing[::-1]:
                part = units if units < give else give
                if part <= 0:
                    break
                delta -= cost * part
                points -= by_rule * part
                give -= part
                spared[other] = spared.get(other, 0) + part
        for other, units in spared.items():
            if other >= 0 and units == self.used[other]:
                delta -= self.fixed[other]
                points -= self.fixed_by[other]
        return delta, points

    def _compared(self, rival: tuple[int, int], best: int) -> dict[str, int | str] | None:
        """The rule by which a rival's plan is the worse one, with the points of both; None when it is as good."""
        ours, theirs = best, best + rival[0]
        if ours == theirs:
            return None
        deciding: list[tuple[str, int]] = []
        for worth, level in self.levels:
            deciding = level
            (a, ours), (b, theirs) = divmod(ours, worth), divmod(theirs, worth)
            if a != b:
                break
        both = self.scores, self._by_rule(self.points + rival[1])
        rule = max(deciding, key=lambda entry: entry[1] * (both[1][entry[0]] - both[0][entry[0]]))[0]
        return {"rule": rule, "mine": both[0][rule], "theirs": both[1][rule]}

    def _lost(self, place: int, rival: tuple[int, int] | None, best: int) -> Rejected:
        candidate = self.places[place]
        if rival is None:
            has = any(v in candidate.stock and candidate.stock[v].available > 0 for v in self.variants)
            reason = Reason("safety_only" if has and not any(self.held[place]) else "has_nothing")
            return Rejected(location_id=candidate.location_id, location=candidate.code, reason=reason)
        if rival[0] < 0:
            reason = Reason("not_searched")
        else:
            members = self._compared(rival, best)
            reason = Reason("later") if members is None else Reason("worse", members)
        return Rejected(
            location_id=candidate.location_id, location=candidate.code, reason=reason,
            scores=self._by_rule(self.points + rival[1]),
        )  # fmt: skip

    def _refusal(self, candidate: Candidate) -> Rejected:
        return Rejected(
            location_id=candidate.location_id,
            location=candidate.code,
            reason=Reason(candidate.refusal or "no_capacity"),
        )

    def _shares(
        self, choices: Sequence[Choice], rivals: Mapping[int, tuple[int, int]], best: int
    ) -> tuple[list[Allocation], list[Unfilled]]:
        """The units of each pool dealt out to its lines: what lies on a shelf first, and a line from one place if that can be."""
        dealt: dict[UUID, list[Allocation]] = {}
        lacking: dict[UUID, int] = {}
        lots: list[dict[tuple[int, UUID | None], int]] = [{} for _ in self.pools]
        for p, place, units, _, _, expected_id in choices:
            lots[p][place, expected_id] = lots[p].get((place, expected_id), 0) + units
        for p, pool in enumerate(self.pools):
            lot = lots[p]
            when = {key: self._day(key[0], pool, key[1]) for key in lot}
            order = sorted(lot, key=lambda key: (when[key] or date.min, key[0], str(key[1])))
            why = {key: self._why(p, key[0], when[key], rivals, best) for key in order}
            for line_id, quantity in pool.lines:
                whole = [key for key in order if key[1] is None and lot[key] >= quantity]
                first = min(whole, key=lambda key: lot[key], default=None)
                left = quantity
                for key in [first, *order] if first else order:
                    part = min(lot[key], left)
                    if part <= 0:
                        continue
                    lot[key] -= part
                    left -= part
                    candidate = self.places[key[0]]
                    dealt.setdefault(line_id, []).append(
                        Allocation(
                            location_id=candidate.location_id, location=candidate.code, line_id=line_id, quantity=part,
                            expected_id=key[1], expected_on=when[key], reason=why[key],
                        )
                    )  # fmt: skip
                if left:
                    lacking[line_id] = lacking.get(line_id, 0) + left
        lines = list(dict.fromkeys(self.order))
        return (
            [allocation for line_id in lines for allocation in dealt.get(line_id, [])],
            [Unfilled(line_id=line_id, quantity=lacking[line_id]) for line_id in lines if line_id in lacking],
        )

    def _day(self, place: int, pool: _Pool, expected_id: UUID | None) -> date | None:
        if expected_id is None:
            return None
        entries = self.places[place].inbound[pool.variant_id]
        return next(entry.on for entry in entries if entry.expected_id == expected_id)

    def _why(
        self, p: int, place: int, expected_on: date | None, rivals: Mapping[int, tuple[int, int]], best: int
    ) -> Reason:
        if expected_on is not None:
            return Reason("expected", {"on": expected_on.isoformat()})
        if self.places[place].is_pickup:
            return Reason("at_pickup")
        row = self.offers[p]
        other = next((i for i in rivals if row[i]), None)
        if other is None and not any(row[i] for i in self.used if i != place):
            return Reason("only_here")
        if other is None or rivals[other][0] < 0:
            return Reason("rest")
        if self.has_all[place] and not self.has_all[other]:
            return Reason("has_all")
        members = self._compared(rivals[other], best)
        if members is None:
            return Reason("equal", {"other": self.places[other].code})
        return Reason("better", {"other": self.places[other].code, **members})
