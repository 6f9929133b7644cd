"""Where the goods of an order come from: a pure function from demand, candidates and rules to a plan with a reason for each choice.

What a plan costs, in order of weight: units that nobody has; units that must wait for a delivery, and how many days; then the
rules, tier by tier (a tier is a weighted sum; a later one decides only between plans that are equal in all before it); then the
number of locations. A location that nothing comes from is compared by the plan that would have it give what it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from operator import mul
from uuid import UUID

from msgspec import Struct

from commerce.fulfillment.offers import Offers, Pool, Taken
from commerce.fulfillment.search import Choice, Search
from commerce.fulfillment.sourcing import Allocation, Candidate, Plan, Reason, Rejected, Rules, Unfilled, Wanted


def plan(demands: Sequence[Wanted], candidates: Sequence[Candidate], rules: Rules, *, at: datetime) -> Plan:
    """The best plan by the rules. Never more than wanted, never from a location with a refusal or without capacity, never more
    than it has, in all lines and components together; a bundle's unit comes whole from one location."""
    offers = Offers(demands, candidates, rules, at)
    search = Search(offers)
    answer = _Answer(offers, search.choices())
    rejected = [
        *map(_refusal, offers.refused),
        *(answer.lost(i) for i in range(len(offers.places)) if i not in answer.used),
    ]
    allocations, unfilled = answer.shares(list(dict.fromkeys(wanted.line_id for wanted in demands)))
    return Plan(
        scope=rules.scope,
        rules_version=rules.version,
        at=at,
        allocations=tuple(allocations),
        unfilled=tuple(unfilled),
        rejected=tuple(sorted(rejected, key=lambda entry: entry.location)),
        scores=answer.scores,
        proven=search.proven,
    )


def _refusal(candidate: Candidate) -> Rejected:
    return Rejected(
        location_id=candidate.location_id,
        location=candidate.code,
        reason=Reason(candidate.refusal or "no_capacity"),
    )


class _Rival(Struct, frozen=True):
    """The plan that would have another place give what it has."""

    dearer: int
    """What it would cost more; less than nothing where not all sets of places were searched."""
    scores: dict[str, int]
    worse: dict[str, int | str]
    """The rule by which it is the worse one, with the points of both; empty when it is not."""


class _Answer:
    """The choices made, dealt out to the lines, each with its reason."""

    def __init__(self, offers: Offers, choices: Sequence[Choice]) -> None:
        self.offers = offers
        self.choices = choices
        self.used: dict[int, int] = {}
        """Place -> units that come from it."""
        self.standing: list[list[tuple[int, int, int, int]]] = [[] for _ in offers.pools]
        """Pool -> cost of one, the same by rule, place (-1: none), units: what others are compared with, the dearest first."""
        self._settle()
        self.scores = offers.scores(self.points)
        self.cost = sum(map(mul, offers.worths, self.scores.values()))
        rivals = [(i, self._rival(i)) for i in offers.useful if i not in self.used]
        self.rivals = dict(sorted(rivals, key=lambda entry: (entry[1].dearer, entry[0])))
        """Place -> the plan with it, the best first."""

    def _settle(self) -> None:
        offers, points = self.offers, 0
        for p, place, units, cost, by_rule, _ in self.choices:
            self.used[place] = self.used.get(place, 0) + units
            self.standing[p].append((cost, by_rule, place, units))
            points += by_rule * units
        for pool, standing in zip(offers.pools, self.standing, strict=True):
            lacking = pool.demand - sum([entry[3] for entry in standing])
            if lacking:
                standing.append((offers.lacking, offers.lacking_by, -1, lacking))
                points += offers.lacking_by * lacking
            standing.sort(reverse=True)
        self.points = points + sum([offers.fixed_by[i] for i in self.used])
        """By rule, all together."""
        self.uneven: list[int] = []
        """Pools of which a place's units must be compared with others one by one."""
        self.even: dict[tuple[int, int], list[int]] = {}
        """Points of one, place (-1: none) -> place -> units of all other pools that would come from the second instead of the first."""
        for p, (pool, standing) in enumerate(zip(offers.pools, self.standing, strict=True)):
            if offers.age or not (offers.split and pool.alone and pool.one_price and len(standing) == 1):
                self.uneven.append(p)
                continue
            moved = self.even.setdefault(standing[0][1:3], [0] * len(offers.places))
            for i, units in offers.units[p].items():
                moved[i] += units

    def _rival(self, place: int) -> _Rival:
        offers = self.offers
        scores = offers.scores(self._instead(place))
        dearer = sum(map(mul, offers.worths, scores.values())) - self.cost
        return _Rival(dearer, scores, self._deciding(scores) if dearer > 0 else {})

    def _deciding(self, theirs: dict[str, int]) -> dict[str, int | str]:
        """The rule that weighs most on the first level where another plan is not as good."""
        mine = self.scores
        for level in self.offers.levels:
            worse = 0
            for name, weight in level:
                worse += weight * (theirs[name] - mine[name])
            if worse:
                rule = max(level, key=lambda entry: entry[1] * (theirs[entry[0]] - mine[entry[0]]))[0]
                return {"rule": rule, "mine": mine[rule], "theirs": theirs[rule]}
        return {}

    def _instead(self, place: int) -> int:
        """The plan's points by rule if a place gave what it has at its best price."""
        offers = self.offers
        points, price = self.points + offers.fixed_by[place], offers.unit_by[place]
        gone: Taken = {}
        spared: dict[int, int] = {}
        pools: Sequence[int] = self.uneven
        waits = False
        if place in offers.announcing:
            pools = offers.given[place]
            waits = all(offers.rows[p][place][0][3] is not None for p in pools)
        else:
            for (by_rule, other), moved in self.even.items():
                if units := moved[place]:
                    spared[other] = spared.get(other, 0) + units
                    points += units * (price - by_rule)
        for p in pools:
            if place in offers.units[p]:
                points += self._moved(p, place, waits, gone, spared)
        for other, units in spared.items():
            if units == self.used.get(other):
                points -= offers.fixed_by[other]
        return points

    def _moved(self, p: int, place: int, waits: bool, gone: Taken, spared: dict[int, int]) -> int:
        """Points more by rule, if a place gave units of a pool: `gone` from it, `spared` to others, are counted on."""
        give, points = self._gift(p, place, waits, gone)
        # a line that may not be split moves as a whole: first what it has elsewhere, then what it lacks
        for _, by_rule, other, units in self.standing[p] if self.offers.split else reversed(self.standing[p]):
            part = units if units < give else give
            if part <= 0:
                break
            points -= by_rule * part
            give -= part
            spared[other] = spared.get(other, 0) + part
        return points

    def _gift(self, p: int, place: int, waits: bool, gone: Taken) -> tuple[int, int]:
        """Units of a pool that a place would give at its best price, a line that may not be split as a whole; their points by rule."""
        offers, pool = self.offers, self.offers.pools[p]
        if pool.one_price and pool.alone and offers.split and place not in offers.announcing:
            units = offers.units[p][place]
            return units, units * (offers.rows[p][place][0][2] if offers.age else offers.unit_by[place])
        given = offers.of(pool, place, gone) if gone else offers.rows[p][place]
        if not given or (given[0][3] is not None and not waits):
            return 0, 0
        if offers.split:
            given = given[:1]
        elif sum([offer[1] for offer in given]) < sum([entry[3] for entry in self.standing[p] if entry[2] >= 0]):
            return 0, 0
        give = points = 0
        for _, units, by_rule, expected_id in given:
            give += units
            points += by_rule * units
            if not pool.alone:
                for key, n in ((expected_id, 1),) if expected_id else pool.parts:
                    gone[key] = gone.get(key, 0) + n * units
        return give, points

    def lost(self, place: int) -> Rejected:
        """Why nothing comes from a place."""
        candidate, rival = self.offers.places[place], self.rivals.get(place)
        if rival is None:
            return Rejected(location_id=candidate.location_id, location=candidate.code, reason=self._nothing(place))
        if rival.dearer < 0:
            reason = Reason("not_searched")
        else:
            reason = Reason("worse", rival.worse) if rival.worse else Reason("later")
        return Rejected(location_id=candidate.location_id, location=candidate.code, reason=reason, scores=rival.scores)

    def _nothing(self, place: int) -> Reason:
        numbers = self.offers.numbers
        has = any(v.int in numbers and supply.available > 0 for v, supply in self.offers.places[place].stock.items())
        return Reason("safety_only" if has and not any(place in held for held in self.offers.held) else "has_nothing")

    def shares(self, lines: Sequence[UUID]) -> tuple[list[Allocation], list[Unfilled]]:
        """The units of each pool dealt out to its lines: what lies on a shelf first, and a line from one place if that can be."""
        pools, places = self.offers.pools, self.offers.places
        dealt: dict[UUID, list[Allocation]] = {}
        lacking: dict[UUID, int] = {}
        lots: list[dict[tuple[int, UUID | None], int]] = [{} for _ in pools]
        for p, place, units, _, _, expected_id in self.choices:
            lots[p][place, expected_id] = lots[p].get((place, expected_id), 0) + units
        for p, (pool, lot) in enumerate(zip(pools, lots, strict=True)):
            when = {key: self._day(key[0], pool, key[1]) for key in lot}
            order = sorted(lot, key=lambda key: (when[key] or date.min, key[0], str(key[1])))
            why = {key: self._why(p, key[0], when[key]) for key in order}
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
                    candidate = places[key[0]]
                    dealt.setdefault(line_id, []).append(
                        Allocation(
                            location_id=candidate.location_id, location=candidate.code, line_id=line_id, quantity=part,
                            expected_id=key[1], expected_on=when[key], reason=why[key],
                        )
                    )  # fmt: skip
                if left:
                    lacking[line_id] = lacking.get(line_id, 0) + left
        return (
            [allocation for line_id in lines for allocation in dealt.get(line_id, [])],
            [Unfilled(line_id=line_id, quantity=lacking[line_id]) for line_id in lines if line_id in lacking],
        )

    def _day(self, place: int, pool: Pool, expected_id: UUID | None) -> date | None:
        if expected_id is None:
            return None
        entries = self.offers.places[place].inbound[pool.variant_id]
        return next(entry.on for entry in entries if entry.expected_id == expected_id)

    def _why(self, p: int, place: int, expected_on: date | None) -> Reason:
        offers = self.offers
        if expected_on is not None:
            return Reason("expected", {"on": expected_on.isoformat()})
        if offers.places[place].is_pickup:
            return Reason("at_pickup")
        units = offers.units[p]
        other = next((i for i in self.rivals if i in units), None)
        if other is None:
            return Reason("rest" if any(i in units for i in self.used if i != place) else "only_here")
        rival = self.rivals[other]
        if rival.dearer < 0:
            return Reason("rest")
        if offers.has_all[place] and not offers.has_all[other]:
            return Reason("has_all")
        if not rival.worse:
            return Reason("equal", {"other": offers.places[other].code})
        return Reason("better", {"other": offers.places[other].code, **rival.worse})
