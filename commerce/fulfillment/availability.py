"""Who has it, from when, how far: bands for shoppers, numbers for staff, and what an order placed now would be promised.

The locations are chosen first, then only their levels are read; promises are made once per location (or link, or method), not per
SKU. Six statements, whatever the number of SKUs and locations: the variants; the locations; the links of those shown; the levels
there and at their sources and senders; what is announced to those shown; the work that waits, with the delivery methods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from commerce import catalog, locations, stock
from commerce.fulfillment import delivery, promises
from commerce.fulfillment.delivery import DeliveryMethod, DeliveryOffer
from commerce.fulfillment.errors import DateIsPast
from commerce.fulfillment.schemas import FEW, Band, Buckets, Promise
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.locations import Link, Location

NEAREST_SENDERS = 10
"""For deliveries, so many of the nearest locations that ship are looked at, and `WAREHOUSES` that do nothing else."""
WAREHOUSES = 20
WAITING = """
SELECT w.location_id, CAST(NULL AS jsonb) AS methods,
    (SELECT count(*) FROM fulfillment.fulfillments f WHERE f.location_id = w.location_id
        AND f.state IN ('open', 'accepted', 'picking')) AS waiting
FROM unnest(CAST(:locations AS uuid[])) AS w(location_id)
UNION ALL
SELECT NULL, jsonb_agg(to_jsonb(m) ORDER BY m.position, m.code COLLATE "C"), 0 FROM fulfillment.delivery_methods m WHERE m.published
"""


class AvailabilityAt(Struct, frozen=True, kw_only=True):
    """One variant at one location. The promises are what an order placed now would get; null where it cannot be placed."""

    location: str
    name: dict[str, str]
    band: Band
    distance_metres: int | None
    pickup: Promise | None
    """When it could be collected from what lies there."""
    ship_to_store: Promise | None = None
    """When it could be collected there if a warehouse or store that it draws on sent it; when it lacks it itself."""
    expected_on: date | None = None
    """When more of it is announced to arrive there that nobody was promised."""
    expected_quantity: int | None = None
    """How many then; for staff who may read that location's stock."""
    on_date: Band | None = None
    """What can be promised for the date asked for."""
    left: int | None = None
    """Exact when few are left; otherwise for staff who may read that location's stock."""
    promisable: int | None = None
    """Units that can be promised for the date asked for: exact as `left` is."""
    buckets: Buckets | None = None
    """For staff who may read that location's stock."""


class Availability(Struct, frozen=True, kw_only=True):
    """One variant at the locations, nearest first when `near` is given, and when it could be brought there."""

    sku: str
    sellable: bool
    locations: list[AvailabilityAt]
    deliveries: list[DeliveryOffer] = []


class AvailabilityList(Struct, frozen=True, kw_only=True):
    """As many variants as were asked for, in that order."""

    items: list[Availability]


def band_of(ats: int) -> Band:
    """How much of it there is, in the words of the shop."""
    return "out" if ats <= 0 else "few_left" if ats <= FEW else "in_stock"


class _Goods:
    """What lies and what is announced, by location and variant."""

    def __init__(self, levels: Sequence[stock.Level], announced: Sequence[stock.Expected]) -> None:
        self.levels: dict[UUID, dict[UUID, stock.Level]] = {}
        for level in levels:
            here = self.levels.get(level.location_id)
            if here is None:
                here = self.levels[level.location_id] = {}
            here[level.variant_id] = level
        self.coming: dict[tuple[UUID, UUID], list[tuple[date, int]]] = {}
        for entry in announced:
            if entry.free > 0:
                self.coming.setdefault((entry.location_id, entry.variant_id), []).append(
                    (entry.expected_on, entry.free)
                )

    def ats(self, location_id: UUID, variant: catalog.Variant) -> int:
        """What can be promised now; of a bundle, as many as its components make."""
        here = self.levels.get(location_id)
        if here is None:
            return 0
        if not variant.components:
            level = here.get(variant.id)
            return level.ats if level is not None else 0
        return min(
            level.ats // part.quantity if (level := here.get(part.variant_id)) is not None else 0
            for part in variant.components
        )

    def by(self, location_id: UUID, variant: catalog.Variant, day: date) -> int:
        """What can be promised for a day: what can be now, and what is announced until then and promised to nobody."""
        here = self.levels.get(location_id, {})
        parts = [(part.variant_id, part.quantity) for part in variant.components] or [(variant.id, 1)]
        return min(
            (
                (level.ats if (level := here.get(variant_id)) is not None else 0)
                + sum(units for on, units in self.coming.get((location_id, variant_id), ()) if on <= day)
            )
            // each
            for variant_id, each in parts
        )

    def next(self, location_id: UUID, variant: catalog.Variant, ats: int) -> tuple[date, int] | None:
        """When there will be more of it there, and how many more."""
        if not self.coming:
            return None
        if not variant.components:
            found = self.coming.get((location_id, variant.id))
            if found is None:
                return None
            day = found[0][0]
            return day, sum(units for on, units in found if on == day)
        days = {on for part in variant.components for on, _ in self.coming.get((location_id, part.variant_id), ())}
        for day in sorted(days):
            more = self.by(location_id, variant, day) - ats
            if more > 0:
                return day, more
        return None


class _Promises:
    """What an order placed now would be promised: each made once."""

    def __init__(self, at: datetime, places: Mapping[UUID, Location], waiting: Mapping[UUID, int]) -> None:
        self.at = at
        self.places = places
        self.waiting = waiting
        self._prepared: dict[UUID, datetime | None] = {}
        self._arrivals: dict[tuple[UUID, UUID], datetime | None] = {}
        self._sent: dict[tuple[UUID, datetime], Promise | None] = {}
        self._delivered: dict[tuple[str, UUID], Promise | None] = {}

    def pickup(self, store: Location) -> Promise | None:
        """From what lies there."""
        if not store.may("pickup", self.at):
            return None
        return promises.pickup_promise(store, self.at, self.waiting.get(store.id, 0))

    def prepared(self, source: Location) -> datetime | None:
        """When a source would have it ready to leave."""
        if source.id not in self._prepared:
            may = source.may("ships", self.at)
            self._prepared[source.id] = (
                promises.prepared_at(source, self.at, self.waiting.get(source.id, 0)) if may else None
            )
        return self._prepared[source.id]

    def _arrival(self, link: Link) -> datetime | None:
        key = link.location_id, link.source_id
        if key not in self._arrivals:
            source = self.places[link.source_id]
            ready = self.prepared(source)
            leaves = None if ready is None else promises.next_departure(source, link.departures, ready)
            self._arrivals[key] = None if leaves is None else leaves + timedelta(hours=link.transit_hours)
        return self._arrivals[key]

    def ship_to_store(self, store: Location, links: Sequence[Link]) -> Promise | None:
        """From whichever of these sources is there first."""
        arrivals = [arrives for link in links if (arrives := self._arrival(link)) is not None]
        if not arrivals or not store.may("pickup", self.at):
            return None
        key = store.id, min(arrivals)
        if key not in self._sent:
            self._sent[key] = promises.pickup_promise(store, key[1], self.waiting.get(store.id, 0))
        return self._sent[key]

    def delivery(self, method: DeliveryMethod, sender: Location, distance: int) -> Promise | None:
        """From this sender."""
        key = method.code, sender.id
        if key not in self._delivered:
            days = method.days_to(distance)
            ready = None if days is None else self.prepared(sender)
            self._delivered[key] = (
                None if ready is None or days is None else delivery.carried(method, sender, days, ready)
            )
        return self._delivered[key]


async def availability(
    tx: Tx,
    actor: Actor,
    *,
    skus: Sequence[str],
    near: str | None = None,
    limit: int = 50,
    on: date | None = None,
    codes: Sequence[str] | None = None,
    show_quantities: bool = False,
) -> AvailabilityList:
    """Which stores have the variants (or will, or could have them sent), from when, and how far that is. Six statements.

    The nearest `limit` stores, or the first by code without `near`, or those with the `codes`. Raises UnknownSku, UnknownLocation,
    BadNear, DateIsPast.
    """
    point = locations.parse_near(near) if near is not None else None
    if on is not None and on < tx.at.date() - timedelta(days=1):
        raise DateIsPast(on=on.isoformat())
    variants = await catalog.by_skus(tx, skus)
    for sku in skus:
        if sku not in variants:
            raise catalog.UnknownSku(sku=sku)
    everywhere = await locations.all_with_role(tx)
    distances: dict[UUID, int] = {}
    if point is not None:
        distances = {
            place.id: locations.distance_metres(*point, place.latitude_e6, place.longitude_e6) for place in everywhere
        }
    reads = {place.id for place in everywhere if _reads(actor, place)}
    shown = _shown(tx, everywhere, distances, reads, codes, limit)
    places = {place.id: place for place in everywhere}
    links = await locations.links_of(tx, [place.id for place in shown])
    senders = _senders(tx, everywhere, distances) if point is not None else []
    parts = {
        variant_id
        for variant in variants.values()
        for variant_id in ([part.variant_id for part in variant.components] or [variant.id])
    }
    ids = {place.id for place in shown}
    looked_at = sorted(
        ids | {link.source_id for some in links.values() for link in some} | {place.id for place in senders}
    )
    goods = _Goods(
        await stock.levels(tx, variant_ids=sorted(parts), location_ids=looked_at),
        await stock.inbound(tx, variant_ids=sorted(parts), location_ids=sorted(ids)),
    )
    work = await tx.rows(WAITING, locations=looked_at)
    promised = _Promises(tx.at, places, {row.location_id: row.waiting for row in work if row.location_id})
    methods = [delivery.method_of(entry) for row in work for entry in row.methods or ()] if senders else []
    stores = [
        (store, distances.get(store.id), store.id in reads, promised.pickup(store), links.get(store.id, []))
        for store in shown
    ]
    items = []
    for sku in dict.fromkeys(skus):
        variant = variants[sku]
        sellable = variant.refusal(tx.at) is None
        at_stores = []
        has: dict[UUID, bool] = {}
        for store, distance, may_read, pickup, own_links in stores:
            ats = goods.ats(store.id, variant)
            coming = goods.next(store.id, variant, ats)
            exact = may_read or show_quantities
            sent = None
            if sellable and ats <= 0 and own_links:
                sources = [link for link in own_links if _has(goods, has, link.source_id, variant)]
                sent = promised.ship_to_store(store, sources) if sources else None
            promisable = None if on is None else goods.by(store.id, variant, on)
            level = goods.levels.get(store.id, {}).get(variant.id) if may_read else None
            at_stores.append(
                AvailabilityAt(
                    location=store.code, name=store.name, distance_metres=distance, ship_to_store=sent,
                    band="expected" if ats <= 0 and coming is not None else band_of(ats),
                    pickup=pickup if sellable and ats > 0 else None,
                    expected_on=None if coming is None else coming[0],
                    expected_quantity=coming[1] if coming is not None and exact else None,
                    on_date=None if promisable is None else band_of(promisable),
                    left=ats if exact or 0 < ats <= FEW else None,
                    promisable=promisable if promisable is not None and (exact or 0 < promisable <= FEW) else None,
                    buckets=None if level is None else _buckets(level),
                )
            )  # fmt: skip
        offers = []
        if sellable and methods:
            able = [sender for sender in senders if _has(goods, has, sender.id, variant)]
            for method in methods:
                found = (promised.delivery(method, sender, distances[sender.id]) for sender in able)
                promise = next((promise for promise in found if promise is not None), None)
                if promise is not None:
                    offers.append(DeliveryOffer(method=method.code, promise=promise))
        items.append(Availability(sku=sku, sellable=sellable, locations=at_stores, deliveries=offers))
    return AvailabilityList(items=items)


def _has(goods: _Goods, known: dict[UUID, bool], location_id: UUID, variant: catalog.Variant) -> bool:
    found = known.get(location_id)
    if found is None:
        found = known[location_id] = goods.ats(location_id, variant) > 0
    return found


def _reads(actor: Actor, place: Location) -> bool:
    return actor.may("stock.read", place.code)


def _shown(
    tx: Tx, everywhere: Sequence[Location], distances: Mapping[UUID, int], reads: set[UUID], codes: Sequence[str] | None, limit: int
) -> list[Location]:  # fmt: skip
    """Where customers collect, or the places that are named; one that has closed, or is not theirs to see, is left out."""
    if codes:
        by_code = {place.code: place for place in everywhere}
        for code in codes:
            if code not in by_code:
                raise locations.UnknownLocation(location=code)
        everywhere = [by_code[code] for code in dict.fromkeys(codes)]
    open_ones = [
        place
        for place in everywhere
        if place.refusal("pickup", tx.at) in (None, "paused") or (codes and place.id in reads)
    ]
    return sorted(open_ones, key=lambda place: (distances.get(place.id, 0), place.code))[:limit]


def _senders(tx: Tx, everywhere: Sequence[Location], distances: Mapping[UUID, int]) -> list[Location]:
    """Who is asked for deliveries, the nearest first."""
    able = sorted(
        (place for place in everywhere if place.may("ships", tx.at)),
        key=lambda place: (distances[place.id], place.code),
    )
    only_ship = [place for place in able if "pickup" not in place.roles][:WAREHOUSES]
    asked = {place.id for place in (*able[:NEAREST_SENDERS], *only_ship)}
    return [place for place in able if place.id in asked]


def _buckets(level: stock.Level) -> Buckets:
    return Buckets(
        available=level.available, reserved=level.reserved, committed=level.committed,
        quality_control=level.quality_control, damaged=level.damaged, in_transit=level.in_transit,
        in_transit_committed=level.in_transit_committed, safety_stock=level.safety_stock,
    )  # fmt: skip
