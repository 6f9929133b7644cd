"""What a plan is made from: who may send, what they have, what is announced to them, and how much they have to do today."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, time
from uuid import UUID

from msgspec import Struct

from commerce import locations, stock, transfers
from commerce.fulfillment import delivery, promises
from commerce.fulfillment.delivery import DeliveryMethod
from commerce.fulfillment.schemas import Promise
from commerce.fulfillment.sourcing import Candidate, Inbound, Plan, Rules, Supply, Wanted
from commerce.infra.db import Tx
from commerce.locations import Link, Location

WORK = """
SELECT w.location_id,
    (SELECT count(*) FROM fulfillment.fulfillments f WHERE f.location_id = w.location_id
        AND f.state = ANY(CAST(:states AS text[])) AND f.created_at >= w.since) AS today,
    (SELECT count(*) FROM fulfillment.fulfillments f WHERE f.location_id = w.location_id
        AND f.state IN ('open', 'accepted', 'picking')) AS waiting
FROM unnest(CAST(:locations AS uuid[]), CAST(:since AS timestamptz[])) AS w(location_id, since)
"""
COUNTED = (
    "scheduled", "awaiting_transfer", "open", "accepted", "picking", "picked", "packed", "ready_for_pickup", "shipped", "delivered",
)  # fmt: skip
"""Work of a day: all that was opened but for what is given up, or was carried out at the till."""


class Survey(Struct, frozen=True, kw_only=True):
    """Candidates for a plan, and what it takes to say when a plan of theirs is carried out."""

    candidates: list[Candidate]
    places: Mapping[UUID, Location]
    links: Mapping[UUID, Link]
    """Source -> its link to the pickup store."""
    waiting: Mapping[UUID, int]
    """Location -> orders that it has still to prepare."""
    pickup: Location | None = None

    def _starts(self, plan: Plan, at: datetime) -> list[tuple[UUID, datetime | None]]:
        return [
            (
                part.location_id,
                at if part.expected_on is None else promises.on_shelf_at(self.places[part.location_id], part.expected_on, at),
            )
            for part in plan.allocations
        ]  # fmt: skip

    def promise_of(self, plan: Plan, at: datetime) -> Promise | None:
        """When all that a plan brings together can be collected; None when it never can, or there is no pickup store."""
        if self.pickup is None or not plan.allocations:
            return None
        ready: list[datetime] = []
        store, waiting = self.pickup, self.waiting.get(self.pickup.id, 0)
        for source_id, start in set(self._starts(plan, at)):
            if start is None:
                return None
            if source_id == store.id:
                promise = promises.pickup_promise(store, start, waiting)
            else:
                promise = promises.ship_to_store_promise(
                    store, self.places[source_id], self.links[source_id], start, waiting=waiting,
                    source_waiting=self.waiting.get(source_id, 0),
                )  # fmt: skip
            if promise is None:
                return None
            ready.append(promise.from_at)
        return Promise(from_at=max(ready), until_at=promises.kept_until(store, max(ready)))

    def delivery_of(self, plan: Plan, method: DeliveryMethod, at: datetime) -> Promise | None:
        """When a method would have brought all that a plan sends; None when it does not reach that far."""
        distances = {candidate.location_id: candidate.distance_metres for candidate in self.candidates}
        found: list[Promise] = []
        for source_id, start in set(self._starts(plan, at)):
            promise = None if start is None else delivery.delivery_promise(
                method, self.places[source_id], distances[source_id], start, self.waiting.get(source_id, 0)
            )  # fmt: skip
            if promise is None:
                return None
            found.append(promise)
        return max(found, key=lambda promise: (promise.until_at, promise.from_at), default=None)


def is_busy(location: Location, at: datetime) -> bool:
    """Whether its shoppers need its staff at a moment."""
    if not location.busy_hours:
        return False
    local = at.astimezone(location.zone)
    clock = local.strftime("%H:%M")
    return any(
        hours.weekday == local.isoweekday() and hours.opens <= clock < hours.closes for hours in location.busy_hours
    )


def supply_of(level: stock.Level, oldest_days: int = 0) -> Supply:
    """What may be promised of a level, its safety stock apart."""
    available = level.ats + level.safety_stock if level.ats > 0 else min(level.available, level.safety_stock)
    return Supply(available, level.safety_stock, oldest_days)


async def survey(
    tx: Tx,
    *,
    wanted: Sequence[Wanted],
    rules: Rules,
    pickup: Location | None = None,
    destination: tuple[int, int] | None = None,
    exclude: Collection[UUID] = frozenset(),
    may_wait: Collection[UUID] = frozenset(),
    methods: Sequence[DeliveryMethod] | None = None,
) -> Survey:
    """Who could send what is wanted: for a pickup, the store itself and what it is linked to; for a delivery, all who ship.

    `exclude` names locations that have turned it down, `may_wait` the variants that may be promised from what is announced. With
    `methods`, who is out of reach of all of them is refused. Six statements at most; one more for the rule `clear_old_stock`.
    """
    links: dict[UUID, Link] = {}
    if pickup is not None:
        links = {link.source_id: link for link in (await locations.links_of(tx, [pickup.id])).get(pickup.id, [])}
        sources = await locations.by_ids(tx, sorted(links)) if links else {}
        places = {pickup.id: pickup} | sources
        point: tuple[int, int] | None = (pickup.latitude_e6, pickup.longitude_e6)
    else:
        places = {place.id: place for place in await locations.all_with_role(tx, "ships")}
        point = destination
    ids = sorted(places)
    parts = sorted({part for want in wanted for part, _ in want.components or ((want.variant_id, 1),)})
    levels = await stock.levels(tx, variant_ids=parts, location_ids=ids)
    ages: Mapping[tuple[UUID, UUID], datetime] = {}
    if any(entry.rule == "clear_old_stock" for tier in rules.tiers for entry in tier):
        ages = await stock.oldest_on_hand(tx, variant_ids=parts, location_ids=ids)
    waits = sorted({want.variant_id for want in wanted if not want.components and want.variant_id in may_wait})
    announced = (
        await stock.inbound(tx, variant_ids=waits, location_ids=ids) if waits and rules.options.from_inbound else []
    )
    midnights = [
        datetime.combine(places[i].business_date(tx.at), time(0), tzinfo=places[i].zone).astimezone(UTC) for i in ids
    ]
    sent = await transfers.loads(tx, location_ids=ids, since=midnights)
    work = {
        row.location_id: row
        for row in await tx.rows(WORK, locations=ids, since=midnights, states=list(COUNTED))
    }  # fmt: skip
    supplies: dict[UUID, dict[UUID, Supply]] = {}
    for level in levels:
        since = ages.get((level.location_id, level.variant_id), tx.at)
        supply = supply_of(level, max(0, (tx.at - since).days))
        supplies.setdefault(level.location_id, {})[level.variant_id] = supply
    inbound: dict[UUID, dict[UUID, list[Inbound]]] = {}
    for plan in announced:
        if plan.free > 0:
            entry = Inbound(plan.id, plan.expected_on, plan.free)
            inbound.setdefault(plan.location_id, {}).setdefault(plan.variant_id, []).append(entry)
    candidates = []
    for place_id in ids:
        place = places[place_id]
        collects = pickup is not None and place_id == pickup.id
        distance = 0 if point is None else locations.distance_metres(*point, place.latitude_e6, place.longitude_e6)
        refusal: str | None = place.refusal("pickup" if collects else "ships", tx.at)
        if place_id in exclude:
            refusal = "excluded"
        elif refusal is None and methods is not None and all(method.days_to(distance) is None for method in methods):
            refusal = "out_of_reach"
        link = links.get(place_id)
        capacity = (
            None
            if collects or place.daily_capacity is None
            else place.daily_capacity - work[place_id].today - sent[place_id][0]
        )
        candidates.append(
            Candidate(
                location_id=place_id, code=place.code, refusal=refusal, stock=supplies.get(place_id, {}),
                inbound=inbound.get(place_id, {}), distance_metres=distance,
                priority=0 if collects else link.priority if link else place.priority,
                cost=link.cost_amount if link else 0, capacity_left=None if capacity is None else max(0, capacity),
                busy=not collects and is_busy(place, tx.at), is_pickup=collects,
            )
        )  # fmt: skip
    return Survey(
        candidates=candidates, places=places, links=links, pickup=pickup,
        waiting={place_id: row.waiting + sent[place_id][1] for place_id, row in work.items()},
    )  # fmt: skip
