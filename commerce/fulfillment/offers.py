"""The question of a plan as numbers: what is wanted, and what each location offers for it at which cost.

One integer holds a cost at all its levels (`Offers.levels`), each level too large for the sum of those below it; another one the
same cost as points by rule (`Offers.scores`). What a location does not offer has no entry: work grows with what there is, not with
locations times things wanted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from commerce.fulfillment.sourcing import Candidate, Rules, Wanted

SCARCE = 1000
"""`capacity_left` of a location with one parcel left today; half of it with two, and so on."""

Taken = dict[int | UUID, int]
"""Units taken of a place, by number of the variant or by announced delivery."""
Offer = tuple[int, int, int, UUID | None]
"""Cost of one unit, units, the same cost by rule, the announced delivery that they wait for."""
Held = tuple[int, int, int]
"""Units above the safety stock, units below it that may be used, days that the oldest have lain there."""


class Pool:
    """Lines that want the same thing: one variant, or the same components."""

    __slots__ = ("alone", "demand", "lines", "one_price", "parts", "plain", "variant_id")

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
        self.one_price = False
        """Whether each place that has announced nothing offers all its units at one price."""


def _parts(wanted: Wanted) -> tuple[tuple[UUID, int], ...]:
    if not wanted.components:
        return ((wanted.variant_id, 1),)
    merged: dict[UUID, int] = {}
    for variant_id, per_unit in wanted.components:
        merged[variant_id] = merged.get(variant_id, 0) + per_unit
    return tuple(sorted(merged.items()))


def _sums(columns: Mapping[str, Sequence[int]], weights: Mapping[str, int], size: int) -> list[int]:
    """What the points of each place add up to, by the rules that have a weight."""
    sums = [0] * size
    for name, points in columns.items():
        if weight := weights.get(name):
            sums = [total + weight * n for total, n in zip(sums, points, strict=True)]
    return sums


class _Row(dict[int, Sequence[Offer]]):
    """Place -> what it offers for a pool while nothing is taken, found when it is first asked for."""

    __slots__ = ("offers", "pool")

    def __init__(self, offers: Offers, pool: Pool) -> None:
        self.offers, self.pool = offers, pool

    def __missing__(self, place: int) -> Sequence[Offer]:
        found = self[place] = self.offers.of(self.pool, place, None)
        return found


class Offers:
    """What is wanted, who may give it, and what every unit and every place costs."""

    def __init__(self, demands: Sequence[Wanted], candidates: Sequence[Candidate], rules: Rules, at: datetime) -> None:
        self.today = at.date()
        self.split = rules.options.split_lines
        self.numbers: dict[int, int] = {}
        """Integer of a variant's id -> its number."""
        self.pools = self._pools(demands)
        self.refused = [c for c in candidates if c.refusal is not None or c.capacity_left == 0]
        usable = (c for c in candidates if c.refusal is None and c.capacity_left != 0)
        self.places = sorted(usable, key=lambda c: (not c.is_pickup, c.code))
        self.held: list[dict[int, Held]] = [{} for _ in self.numbers]
        """Variant -> place -> what it has."""
        self.has_all: list[bool] = []
        """Whether a place could give everything."""
        self.sells_safety = rules.options.may_use_safety
        self._hold()
        self._weigh(rules)
        self.announcing = {i for i, place in enumerate(self.places) if place.inbound}
        self.rows = [_Row(self, pool) for pool in self.pools]
        """Pool -> place -> what the place offers while nothing is taken."""
        self.units = [self._units(pool, row) for pool, row in zip(self.pools, self.rows, strict=True)]
        """The same as a number of units; no entry where there are none."""
        self.given: list[list[int]] = [[] for _ in self.places]
        """Place -> pools that it offers something for."""
        for p, units in enumerate(self.units):
            for place in units:
                self.given[place].append(p)
        self.useful = [place for place, given in enumerate(self.given) if given]
        self.blocks = self._blocks()

    def _pools(self, demands: Sequence[Wanted]) -> list[Pool]:
        numbers = self.numbers
        found: dict[object, Pool] = {}
        for wanted in demands:
            if wanted.quantity <= 0:
                continue
            parts = _parts(wanted)
            numbered = tuple([(numbers.setdefault(variant.int, len(numbers)), units) for variant, units in parts])
            key = numbered if self.split else (numbered, wanted.line_id)
            pool = found.get(key)
            if pool is None:
                pool = found[key] = Pool(numbered, parts[0][0])
            pool.lines.append((wanted.line_id, wanted.quantity))
            pool.demand += wanted.quantity
        return list(found.values())

    def _hold(self) -> None:
        need = [0] * len(self.numbers)
        for pool in self.pools:
            for v, per_unit in pool.parts:
                need[v] += pool.demand * per_unit
        self.wanted = sum(need)
        """Units of all variants."""
        numbers, held, sells_safety = self.numbers, self.held, self.sells_safety
        for place, candidate in enumerate(self.places):
            enough = 0
            for variant_id, supply in candidate.stock.items():
                v = numbers.get(variant_id.int, -1)
                if v < 0:
                    continue
                available, safety = supply.available, supply.safety
                above = available - safety if safety < available else 0
                below = available - above if sells_safety else 0
                if above + below >= need[v]:
                    enough += 1
                if above or below:
                    held[v][place] = (above, below, supply.oldest_days)
            self.has_all.append(0 < enough == len(numbers))
        self.oldest = [max([days for _, _, days in places.values()], default=0) for places in held]
        """Days that the oldest unit of a variant has lain anywhere."""

    def _per_place(self) -> dict[str, list[int]]:
        """What using a place costs by the rules that count locations."""
        places = self.places
        sent = [0 if place.is_pickup else 1 for place in places]
        return {
            "fewest_parcels": sent,
            "cost": [place.cost if parcel else 0 for place, parcel in zip(places, sent, strict=True)],
            "capacity_left": [
                SCARCE // place.capacity_left if parcel and place.capacity_left else 0
                for place, parcel in zip(places, sent, strict=True)
            ],
            "spare_busy": [1 if place.busy else 0 for place in places],
            "has_all": [0 if has_all else 1 for has_all in self.has_all],
            "locations": [1] * len(places),
        }

    def _weigh(self, rules: Rules) -> None:
        units, today, places = self.wanted, self.today, self.places
        latest = max(
            (entry.on for place in places for entries in place.inbound.values() for entry in entries), default=today
        )
        per_place = self._per_place()
        per_unit = {
            "nearest": [place.distance_metres for place in places],
            "priority": [place.priority for place in places],
        }
        bounds = {name: sum(points) for name, points in per_place.items()} | {
            "unfilled": sum(pool.demand for pool in self.pools),
            "waiting": units,
            "waiting_days": units * max(0, (latest - today).days),
            "nearest": units * max(per_unit["nearest"], default=0),
            "priority": units * max(per_unit["priority"], default=0),
            "keep_safety": units,
            "clear_old_stock": units * max(self.oldest, default=0),
        }
        ruled = [[(str(entry.rule), entry.weight) for entry in tier] for tier in rules.tiers]
        self.levels: list[list[tuple[str, int]]] = [
            [("unfilled", 1)], [("waiting", 1)], [("waiting_days", 1)], *ruled, [("locations", 1)],
        ]  # fmt: skip
        """Rules with their weights, the weightiest level first."""
        self.digits: list[tuple[int, str]] = []
        """What one point of a rule is worth among points by rule, the weightiest first."""
        cost: dict[str, int] = {}
        by_rule: dict[str, int] = {}
        worth = digit = 1
        for level in reversed(self.levels):
            for name, weight in level:
                cost[name] = weight * worth
                by_rule[name] = digit
                self.digits.append((digit, name))
                digit *= bounds[name] + 1
            worth *= sum([weight * bounds[name] for name, weight in level]) + 1
        self.digits.reverse()
        self.worths = [cost[name] for _, name in self.digits]
        """What one point of a rule costs, in the same order."""
        self.lacking, self.lacking_by = cost["unfilled"], by_rule["unfilled"]
        self.waiting, self.waiting_by = cost["waiting"], by_rule["waiting"]
        self.day, self.day_by = cost["waiting_days"], by_rule["waiting_days"]
        self.safety, self.safety_by = cost.get("keep_safety", 0), by_rule.get("keep_safety", 0)
        self.age, self.age_by = cost.get("clear_old_stock", 0), by_rule.get("clear_old_stock", 0)
        self.fixed, self.fixed_by = (_sums(per_place, weights, len(places)) for weights in (cost, by_rule))
        """Cost of using a place at all, and the same by rule."""
        self.unit, self.unit_by = (_sums(per_unit, weights, len(places)) for weights in (cost, by_rule))
        """The least that a unit from a place costs, and the same by rule."""

    def scores(self, points: int) -> dict[str, int]:
        """Points by rule, told apart."""
        scores = {}
        for digit, name in self.digits:
            scores[name], points = divmod(points, digit)
        return scores

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

    def _units(self, pool: Pool, row: _Row) -> dict[int, int]:
        v, demand, announcing = pool.parts[0][0], pool.demand, self.announcing
        held, oldest, age, age_by = self.held[v], self.oldest[v], self.age, self.age_by
        pool.one_price = pool.plain and not (self.sells_safety and any(below for _, below, _ in held.values()))
        if not pool.one_price:
            return {i: sum([offer[1] for offer in offers]) for i in {*held, *announcing} if (offers := row[i])}
        units = {i: above if above < demand else demand for i, (above, _, _) in held.items() if i not in announcing}
        if age:
            for i, n in units.items():
                younger = oldest - held[i][2]
                row[i] = ((self.unit[i] + age * younger, n, self.unit_by[i] + age_by * younger, None),)
        return units | {i: sum([offer[1] for offer in offers]) for i in announcing if (offers := row[i])}

    def of(self, pool: Pool, place: int, taken: Taken | None) -> list[Offer]:
        """A place's units for a pool, the cheapest first, after what is taken of it; no more than the pool wants."""
        if not pool.plain:
            return self._bundles(pool, place, taken)
        v = pool.parts[0][0]
        left = pool.demand
        offers: list[Offer] = []
        have = self.held[v].get(place)
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

    def _bundles(self, pool: Pool, place: int, taken: Taken | None) -> list[Offer]:
        units = pool.demand
        cost = by_rule = 0
        spans: list[tuple[int, int, int]] = []
        for v, per_unit in pool.parts:
            have = self.held[v].get(place)
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
