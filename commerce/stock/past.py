"""What the back office asks of the books: levels of many locations, now or as of an instant, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct

from commerce import catalog, locations, prices
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.money import MAX_MINOR, Money
from commerce.kernel.paging import Page, decode_cursor, page_of
from commerce.stock import closings, queries
from commerce.stock.closings import WhichClock
from commerce.stock.errors import NotYourStock
from commerce.stock.ledger import BUCKETS, Spot
from commerce.stock.schemas import Level

CHUNK = 1000
ON_HAND = "l.available + l.reserved + l.committed + l.quality_control + l.damaged"
NOWHERE = UUID(int=0)

KEYS = """
SELECT location_id, variant_id FROM stock.levels
WHERE location_id = ANY(CAST(:location_ids AS uuid[]))
    AND (location_id, variant_id) > (CAST(:location_id AS uuid), CAST(:variant_id AS uuid))
ORDER BY location_id, variant_id LIMIT :limit
"""
KEYS_OF = """
SELECT location_id, variant_id FROM stock.levels
WHERE location_id = ANY(CAST(:location_ids AS uuid[])) AND variant_id = ANY(CAST(:variant_ids AS uuid[]))
    AND (location_id, variant_id) > (CAST(:location_id AS uuid), CAST(:variant_id AS uuid))
ORDER BY location_id, variant_id LIMIT :limit
"""
GOODS = """
SELECT DISTINCT variant_id FROM stock.levels
WHERE variant_id > CAST(:after AS uuid) AND location_id = ANY(CAST(:location_ids AS uuid[])) ORDER BY variant_id LIMIT :limit
"""
COST: dict[WhichClock | None, str] = {
    None: "SELECT c.average FROM stock.costs c WHERE c.variant_id = g.variant_id",
    "recorded": """SELECT c.average FROM stock.cost_changes c WHERE c.variant_id = g.variant_id AND c.recorded_at <= :at
        ORDER BY c.recorded_at DESC, c.posting_id DESC LIMIT 1""",
    "occurred": """SELECT c.average FROM stock.cost_changes c WHERE c.variant_id = g.variant_id AND c.changed_at <= :at
        ORDER BY c.changed_at DESC, c.recorded_at DESC, c.posting_id DESC LIMIT 1""",
}
"""The moving average as it was known: the last change booked by then, or the last of those that had happened by then."""
WORTH: dict[WhichClock | None, str] = {
    clock: f"""
    WITH goods AS MATERIALIZED (
        SELECT g.variant_id, power(10::numeric, g.scale) AS step, CAST(g.price AS numeric) AS price,
            CAST(({COST[clock]}) AS numeric) AS cost
        FROM unnest(CAST(:variant_ids AS uuid[]), CAST(:scales AS integer[]), CAST(:prices AS bigint[])) AS g(variant_id, scale, price)
    ), units AS (
        SELECT l.location_id, g.step, g.price, g.cost, {ON_HAND} AS on_hand, l.in_transit + l.in_transit_committed AS in_transit,
            {ON_HAND} + l.in_transit + l.in_transit_committed AS units
        FROM ({closings.source(clock, by_variant=True)}) l JOIN goods g ON g.variant_id = l.variant_id
    )
    SELECT location_id, CAST(sum(on_hand) AS bigint) AS on_hand, CAST(sum(in_transit) AS bigint) AS in_transit,
        coalesce(sum(round(units * cost / step)), 0) AS at_cost, coalesce(sum(round(units * price / step)), 0) AS at_list,
        CAST(coalesce(sum(units) FILTER (WHERE cost IS NULL), 0) AS bigint) AS cost_unknown,
        CAST(coalesce(sum(units) FILTER (WHERE price IS NULL), 0) AS bigint) AS price_unknown
    FROM units WHERE units <> 0 GROUP BY location_id
    """  # noqa: S608
    for clock in (None, *closings.CLOCKS)
}


class LevelAt(Struct, frozen=True, kw_only=True):
    """One variant at one location, by bucket. `safety_stock` and `ats` are known of the present only."""

    location: str
    sku: str
    variant_id: UUID
    available: int
    reserved: int
    committed: int
    quality_control: int
    damaged: int
    in_transit: int
    in_transit_committed: int
    on_hand: int
    safety_stock: int | None
    ats: int | None


class Worth(Struct, frozen=True, kw_only=True):
    """What goods are worth: `units` are those on hand and those on their way there, in steps of their quantity units.

    `at_cost` is at the moving average cost as it was known at that instant, `at_list` at the list price of that instant (tax
    included), each rounded once per variant and location; units whose cost or price is not known count as nothing there.
    """

    units: int
    in_transit: int
    """Of these, on their way."""
    at_cost: Money
    at_list: Money
    units_without_cost: int
    units_without_price: int


class LocationWorth(Worth, frozen=True, kw_only=True):
    """What the goods of a location are worth."""

    location: str


class StockValue(Struct, frozen=True, kw_only=True):
    """What stock is worth, by location and together; `clock` is null for the present."""

    as_of: datetime
    clock: WhichClock | None
    total: Worth
    locations: list[LocationWorth]


async def visible(tx: Tx, actor: Actor, location: str | None) -> list[locations.Location]:
    """The location that is named, or all that the reader may see, by code. One statement. Raises NotYourStock, UnknownLocation."""
    if location is not None:
        if not actor.may("stock.read", location):
            raise NotYourStock
        return [await locations.one(tx, location)]
    if actor.may("stock.read", "*"):
        return await locations.all_with_role(tx)
    own = await locations.by_codes(tx, actor.permissions.get("stock.read", ()))
    return [own[code] for code in sorted(own)]


async def levels(
    tx: Tx,
    actor: Actor,
    *,
    as_of: datetime | None,
    clock: WhichClock,
    location: str | None,
    skus: Sequence[str] | None,
    limit: int,
    cursor: str | None,
) -> Page[LevelAt]:
    """Levels by (location, variant), now or as of an instant, of all SKUs or some. Four or five statements.

    Raises NotPast, NotYourStock, UnknownLocation, UnknownSku, BadCursor.
    """
    if as_of is not None:
        closings.check_past(tx, as_of)
    after = decode_cursor(cursor, UUID, UUID) if cursor else (NOWHERE, NOWHERE)
    places = {place.id: place for place in await visible(tx, actor, location)}
    binds: dict[str, Any] = {
        "location_ids": list(places), "location_id": after[0], "variant_id": after[1], "limit": limit + 1,
    }  # fmt: skip
    if skus is None:
        rows = await tx.rows(KEYS, binds)
    else:
        named = await catalog.by_skus(tx, skus)
        for sku in skus:
            if sku not in named:
                raise catalog.UnknownSku(sku=sku)
        rows = await tx.rows(KEYS_OF, binds, variant_ids=[variant.id for variant in named.values()])
    spots = [(row.location_id, row.variant_id) for row in rows[:limit]]
    found = await levels_of(tx, spots, as_of=as_of, clock=clock)
    variants = await catalog.variants(tx, list({variant_id for _, variant_id in spots}))

    def view(row: Any) -> LevelAt:
        spot = (row.location_id, row.variant_id)
        code, sku = places[spot[0]].code, variants[spot[1]].sku
        return level_at(code, sku, spot[1], found.get(spot), past=as_of is not None)

    return page_of(rows, limit, view, lambda row: (row.location_id, row.variant_id))


async def levels_of(
    tx: Tx, spots: Sequence[Spot], *, as_of: datetime | None, clock: WhichClock
) -> Mapping[Spot, Level]:  # fmt: skip
    """The levels of some (location, variant), now or as of an instant; those that have none are absent. One statement."""
    location_ids, variant_ids = sorted({spot[0] for spot in spots}), sorted({spot[1] for spot in spots})
    if as_of is None:
        found = await queries.levels(tx, variant_ids=variant_ids, location_ids=location_ids)
    else:
        found = await closings.levels_as_of(
            tx, location_ids=location_ids, variant_ids=variant_ids, at=as_of, clock=clock
        )
    return {(level.location_id, level.variant_id): level for level in found}


def level_at(location: str, sku: str, variant_id: UUID, level: Level | None, *, past: bool) -> LevelAt:
    """A level as it is shown; one that is not there is empty."""
    buckets: dict[str, int] = {bucket: getattr(level, bucket) if level is not None else 0 for bucket in BUCKETS}
    return LevelAt(
        location=location, sku=sku, variant_id=variant_id, on_hand=on_hand(buckets),
        safety_stock=None if past else level.safety_stock if level is not None else 0,
        ats=None if past else level.ats if level is not None else 0, **buckets,
    )  # fmt: skip


def on_hand(buckets: Mapping[str, int]) -> int:
    """What stands at the location, for whatever purpose."""
    return sum(buckets[bucket] for bucket in ("available", "reserved", "committed", "quality_control", "damaged"))


async def value(
    tx: Tx, actor: Actor, *, as_of: datetime | None, clock: WhichClock, location: str | None, currency: str
) -> StockValue:
    """What stock is worth, at cost and at list price, now or as of an instant, by location. Four statements for each thousand
    variants. Raises NotPast, NotYourStock, UnknownLocation."""
    if as_of is not None:
        closings.check_past(tx, as_of)
    places = await visible(tx, actor, location)
    which = None if as_of is None else clock
    sums = {place.id: _Sums() for place in places}
    after = NOWHERE
    while True:
        rows = await tx.rows(GOODS, after=after, location_ids=list(sums), limit=CHUNK)
        if rows:
            after = rows[-1].variant_id
            await _add(tx, sums, [row.variant_id for row in rows], as_of, which)
        if len(rows) < CHUNK:
            break
    total = _Sums()
    for place in sums.values():
        total.add(place)
    return StockValue(
        as_of=as_of or tx.at, clock=which, total=Worth(**total.shown(currency)),
        locations=[LocationWorth(location=place.code, **sums[place.id].shown(currency)) for place in places],
    )  # fmt: skip


class _Sums(Struct):
    on_hand: int = 0
    in_transit: int = 0
    at_cost: int = 0
    at_list: int = 0
    cost_unknown: int = 0
    price_unknown: int = 0

    def add(self, other: Any) -> None:
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + int(getattr(other, name)))

    def shown(self, currency: str) -> dict[str, Any]:
        return {
            "units": self.on_hand + self.in_transit, "in_transit": self.in_transit,
            "at_cost": Money(amount=min(self.at_cost, MAX_MINOR), currency=currency),
            "at_list": Money(amount=min(self.at_list, MAX_MINOR), currency=currency),
            "units_without_cost": self.cost_unknown, "units_without_price": self.price_unknown,
        }  # fmt: skip


async def _add(
    tx: Tx, sums: dict[UUID, _Sums], variant_ids: list[UUID], as_of: datetime | None, clock: WhichClock | None
) -> None:
    known = await catalog.variants(tx, variant_ids)
    listed = await prices.listed(tx, variant_ids, at=as_of or tx.at)
    binds: dict[str, Any] = {
        "location_ids": list(sums), "variant_ids": variant_ids,
        "scales": [known[variant_id].quantity_scale for variant_id in variant_ids],
        "prices": [listed[variant_id].amount if variant_id in listed else None for variant_id in variant_ids],
    }  # fmt: skip
    if as_of is not None:
        binds["at"] = as_of
    for row in await tx.rows(WORTH[clock], binds):
        sums[row.location_id].add(row)
