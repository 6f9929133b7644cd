"""Which locations the units of an order come from: the cheapest set of locations, and the cheapest units of it.

Every term of a cost is either fixed per location used or counts units, so that for a given set of locations the best assignment is
the cheapest units first, and the best plan is found by trying the sets of locations.

Exact (`Search.proven`) while sets of locations times things wanted is at most `EXACT_WORK`, which holds for 6 locations and 6 lines
and for 8 and 6; bundles and unsplit lines that compete for the same units are solved by branch and bound within `NODES` steps.
Beyond that: a greedy cover or the cheapest units, whichever is better, then locations are added, dropped and swapped while that
helps (`EVALUATIONS` trials at most). Such a plan fills as many units as can be filled, unless bundles or unsplit lines compete.
The same input gives the same plan.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID

from commerce.fulfillment.offers import Offer, Offers, Taken

EXACT_WORK = 8 * 2**8 * 6
"""Locations × sets of locations × things wanted, up to which all sets are tried."""
NODES = 10_000
"""Steps of the branch and bound for what competes for the same units."""
EVALUATIONS = 40
"""Sets of locations tried by the local improvement."""
SWAPPED = 3
"""Up to so many locations, each is also tried against every other."""

Choice = tuple[int, int, int, int, int, UUID | None]
"""Pool, place, units, cost of one, the same by rule, the announced delivery."""
Met = tuple[int, int, int]
"""What a pool costs from a set of places, as if it had them for itself; what its dearest unit costs; how many units it lacks."""


class Search:
    """The best choices for one question."""

    def __init__(self, offers: Offers) -> None:
        self.offers = offers
        self.pools, self.rows, self.units, self.blocks = offers.pools, offers.rows, offers.units, offers.blocks
        self.useful, self.fixed = offers.useful, offers.fixed
        self.split, self.lacking = offers.split, offers.lacking
        self.nodes = NODES
        self.proven = True
        """Whether no other choices are better."""

    def choices(self) -> list[Choice]:
        """What to take from where."""
        if len(self.useful) * (len(self.pools) << len(self.useful)) <= EXACT_WORK:
            return self._exact()
        self.proven = False
        return self._near_enough()

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
        pool, row, units_of = self.pools[p], self.rows[p], self.units[p]
        of = self.offers.of
        offered = [of(pool, i, gone) if (gone := taken.get(i)) else row[i] for i in places if i in units_of]
        if self.split:
            if len(offered) > 1:
                offered = [sorted([offer for offers in offered for offer in offers])]
            return self._whole(offered[0], need) if offered else need * self.lacking
        best = need * self.lacking
        for offers in offered:
            if offers:
                best = min(best, self._whole(offers, need))
        return best

    def _whole(self, offers: Iterable[Offer], need: int) -> int:
        """What the cheapest units cost, and those that are lacking."""
        cost, lacking = self._fill(offers, need)
        return cost + lacking * self.lacking

    # Assigning to a given set of places

    def _take(self, p: int, place: int, units: int, taken: dict[int, Taken]) -> tuple[list[Choice], int]:
        """Units of a pool from a place, the cheapest; what they cost. `taken` has them then."""
        pool = self.pools[p]
        gone = taken.setdefault(place, {})
        offers = self.offers.of(pool, place, gone) if gone else self.rows[p][place]
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
            for key, n in ((expected_id, 1),) if expected_id is not None else self.pools[p].parts:
                gone[key] -= units * n
                if not gone[key]:
                    del gone[key]

    def _greedy(self, p: int, places: Sequence[int], taken: dict[int, Taken]) -> tuple[list[Choice], int]:
        """A pool from the cheapest units that are left; with one pool, or the last of a block, the best there is."""
        need = self.pools[p].demand
        pool, row, having = self.pools[p], self.rows[p], [i for i in places if i in self.units[p]]
        offered = [(self.offers.of(pool, i, gone) if (gone := taken.get(i)) else row[i], i) for i in having]
        choices: list[Choice] = []
        total = 0
        if self.split:
            for _, i, units in sorted([(offer[0], i, offer[1]) for offers, i in offered for offer in offers]):
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
            near = sorted((self.rows[p][i][0][0], i) for i in places if i in self.units[p])
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
            most = min(need, sum(units for _, units, _, _ in self.offers.of(self.pools[p], i, taken.get(i))))
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

    def _exact(self) -> list[Choice]:
        """Every set of places, the most promising first, until the next cannot be better."""
        useful = self.useful
        size = len(useful)
        fixed = [0] * (1 << size)
        for mask in range(1, 1 << size):
            low = mask & -mask
            fixed[mask] = fixed[mask ^ low] + self.fixed[useful[low.bit_length() - 1]]
        ranked: list[list[tuple[int, int, int]]] = []
        for row in self.rows:
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
                single = [self._whole(self.rows[p][i], demand) for i in useful]
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
        return chosen

    def _met(self, p: int, places: Sequence[int]) -> Met:
        pool, row, units_of, lacking = self.pools[p], self.rows[p], self.units[p], self.lacking
        having = [i for i in places if i in units_of]
        offered = [row[i] for i in having]
        offers = offered[0] if len(offered) == 1 else sorted([offer for some in offered for offer in some])
        cost, need, dearest = 0, pool.demand, lacking
        for price, units, _, _ in offers:
            if units >= need:
                cost, need, dearest = cost + price * need, 0, price
                break
            cost += price * units
            need -= units
        if self.split:
            return cost + need * lacking, dearest, need
        most = max([units_of[i] for i in having], default=0)
        return self._relaxed(p, pool.demand, places, {}), dearest, pool.demand - most

    def _change(self, met: Sequence[Met], places: Sequence[int], changed: int) -> list[Met]:
        """The same for all pools, from a set of places that has one more or one less than a set for which it is known."""
        after = list(met)
        for p in self.offers.given[changed]:
            after[p] = self._met(p, places)
        return after

    def _value(self, places: Sequence[int], met: Iterable[Met]) -> int:
        """At least what a set of places costs: what it costs, unless pools compete."""
        return sum([self.fixed[i] for i in places]) + sum([cost for cost, _, _ in met])

    def _cover(self) -> list[int]:
        """Places that fill what can be filled, the one that helps most first."""
        unmet = [pool.demand for pool in self.pools]
        now = [pool.demand * self.lacking for pool in self.pools]
        chosen: list[int] = []
        left = list(self.useful)
        while left:
            wanted = [(p, need) for p, need in enumerate(unmet) if need]
            best, helper = 0, -1
            for i in self._most_units(left, wanted) if self.split else left:
                gain = -self.fixed[i]
                for p, need in wanted:
                    if i not in self.units[p]:
                        continue
                    if self.split:
                        gain += need * self.lacking - self._whole(self.rows[p][i], need)
                    else:
                        gain += max(0, now[p] - self._whole(self.rows[p][i], self.pools[p].demand))
                if gain > best:
                    best, helper = gain, i
            if helper < 0:
                break
            chosen.append(helper)
            left.remove(helper)
            for p, need in wanted:
                units = self.units[p].get(helper, 0)
                if self.split:
                    unmet[p] -= min(need, units)
                else:
                    now[p] = min(now[p], self._whole(self.rows[p][helper], self.pools[p].demand))
                    unmet[p] = min(need, self.pools[p].demand - units)
        return chosen

    def _most_units(self, places: Sequence[int], wanted: Sequence[tuple[int, int]]) -> list[int]:
        """Those that give the most units: a unit that is lacking costs more than all else together."""
        having = self._having(wanted)
        most = max([having[i] for i in places])
        return [i for i in places if having[i] == most] if most else []

    def _having(self, wanted: Iterable[tuple[int, int]]) -> list[int]:
        """Place -> units that it has of so many wanted of some pools."""
        having = [0] * len(self.fixed)
        for p, need in wanted:
            for i, units in self.units[p].items():
                having[i] += units if units < need else need
        return having

    def _cheapest(self) -> list[int]:
        """Places of the cheapest units, whatever the number of places."""
        least = self.offers.unit
        by_price = sorted(self.useful, key=least.__getitem__)
        used: set[int] = set()
        for pool, row, units_of in zip(self.pools, self.rows, self.units, strict=True):
            need = pool.demand
            if not self.split:
                used |= {i for _, i in sorted((self._whole(row[i], need), i) for i in units_of)[:1]}
                continue
            found: list[tuple[int, int, int]] = []
            have = dearest = 0
            for i in by_price:
                if have >= need and least[i] > dearest:
                    break
                for cost, units, _, _ in row[i] if i in units_of else ():
                    found.append((cost, i, units))
                    have += units
                    dearest = max(dearest, cost)
            for _, place, units in sorted(found):
                if need <= 0:
                    break
                used.add(place)
                need -= units
        return sorted(used)

    def _promise(self, met: Sequence[Met], outside: Sequence[int], least: int, most: int) -> list[int]:
        """Places that may make a set cheaper by more than `least`, the most promising first, at most so many."""
        dearest = [price for _, price, _ in met]
        found: list[tuple[int, int]] = []
        for hope, i in sorted(self._hopes(met, outside, least)):
            if len(found) == most and hope > found[-1][0]:
                break
            gain = -self.fixed[i]
            for p in self.offers.given[i]:
                for cost, units, _, _ in self.rows[p][i]:
                    if cost < dearest[p]:
                        gain += units * (dearest[p] - cost)
            if gain > least:
                insort(found, (-gain, i))
                del found[most:]
        return [i for _, i in found]

    def _hopes(self, met: Sequence[Met], outside: Sequence[int], least: int) -> Iterator[tuple[int, int]]:
        """By how much (negative) a place may make a set cheaper at most, if it had everything at its lowest price."""
        missing = [(p, lacks) for p, (_, _, lacks) in enumerate(met) if lacks]
        filled = self._having(missing)
        offered = self._having((p, self.pools[p].demand) for p, _ in missing)
        spared: dict[int, int] = {}
        for pool, (_, dearest, lacks) in zip(self.pools, met, strict=True):
            if not lacks:
                spared[dearest] = spared.get(dearest, 0) + pool.demand
        for i in outside:
            if missing and (filled[i] + 1) * self.lacking - self.fixed[i] <= least:
                continue
            price = self.offers.unit[i]
            hope = offered[i] * (self.lacking - price) - self.fixed[i]
            for dearest, units in spared.items():
                if price < dearest:
                    hope += units * (dearest - price)
            if hope > least:
                yield -hope, i

    def _trials(self, places: list[int], met: Sequence[Met], best: int) -> Iterator[tuple[list[int], list[Met]]]:
        """Sets that differ from a set by one place: one less, one more, another instead; and what each pool costs then."""
        without = [
            (rest, self._change(met, rest, gone)) for gone in places if (rest := [i for i in places if i != gone])
        ]
        yield from without
        inside = set(places)
        outside = [i for i in self.useful if i not in inside]
        cheapest = min([self.fixed[i] for i in outside], default=0)
        if best - sum([self.fixed[i] for i in places]) > cheapest:
            for i in self._promise(met, outside, 0, 4):
                more = [*places, i]
                yield more, self._change(met, more, i)
        if len(places) <= SWAPPED:
            for rest, less in without:
                for i in self._promise(less, outside, self._value(rest, less) - best, 3):
                    swapped = [*rest, i]
                    yield swapped, self._change(less, swapped, i)

    def _search(self) -> tuple[int, list[int]]:
        """A good set of places when there are too many to try all sets, and its value."""
        starts = [
            (start, [self._met(p, start) for p in range(len(self.pools))])
            for start in (self._cover(), self._cheapest())
        ]
        best, places, met = min((self._value(start, costs), start, costs) for start, costs in starts)
        left = EVALUATIONS
        improved = True
        while improved:
            improved = False
            for trial, after in self._trials(places, met, best):
                if left <= 0:
                    break
                left -= 1
                value = self._value(trial, after)
                if value < best:
                    best, places, met, improved = value, trial, after, True
                    break
        return best, sorted(places)

    def _near_enough(self) -> list[Choice]:
        """From the searched set, then from more places while pools that compete lack something."""
        floor, places = self._search()
        best, chosen = self._assign(places)
        compete = [p for block in self.blocks if len(block) > 1 for p in block]
        for _ in range(4 if compete and best > floor else 0):
            inside = set(places)
            others = sorted((-sum(self.units[p].get(i, 0) for p in compete), i) for i in self.useful if i not in inside)
            found = min(((*self._assign([*places, i]), i) for _, i in others[:8]), key=lambda one: one[0], default=None)
            if found is None or found[0] >= best:
                break
            best, chosen, places = found[0], found[1], [*places, found[2]]
        return chosen

    def _assign(self, places: Sequence[int]) -> tuple[int, list[Choice]]:
        total, choices = 0, list[Choice]()
        for block in self.blocks:
            cost, made = self._guess(block, places)
            total += cost
            choices += made
        return total + sum(self.fixed[i] for i in {choice[1] for choice in choices}), choices
