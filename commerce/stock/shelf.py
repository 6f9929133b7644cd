"""What the staff of a store sees of its own stock and books into it; and why a level is what it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from commerce import catalog, locations
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.paging import Page
from commerce.stock import facts, queries
from commerce.stock.closings import WhichClock
from commerce.stock.errors import (
    BundleHasNoStock,
    BundleLine,
    ComponentUnits,
    LocationCannotReceive,
    NotYourStock,
    UnknownLine,
    UnknownSkus,
)
from commerce.stock.schemas import (
    BookReceipt,
    Cause,
    Level,
    LevelView,
    MovementView,
    PostingView,
    ReceiptLine,
)


async def stock_of(
    tx: Tx, *, code: str, skus: Sequence[str] | None = None, limit: int = 50, cursor: str | None = None
) -> Page[LevelView]:
    """The levels of a store: a page of all its variants, or exactly the SKUs asked for. Three statements.

    Raises UnknownLocation, UnknownSku, BadCursor.
    """
    location = await locations.one(tx, code)
    if skus:
        asked = dict.fromkeys(skus)
        variants = await _known(tx, list(asked))
        levels = await queries.levels(tx, variant_ids=[variants[sku].id for sku in asked], location_ids=[location.id])
        by_variant = {level.variant_id: level for level in levels}
        return Page(
            items=[
                _view(sku, by_variant.get(variants[sku].id) or _empty(location.id, variants[sku].id)) for sku in asked
            ]
        )
    page = await queries.levels_page(tx, location_id=location.id, limit=limit, cursor=cursor)
    known = await catalog.variants(tx, [level.variant_id for level in page.items])
    return Page(items=[_view(known[level.variant_id].sku, level) for level in page.items], next_cursor=page.next_cursor)


async def book_receipt(tx: Tx, actor: Actor, *, code: str, command: BookReceipt) -> PostingView:
    """Book a delivery from a supplier at a store.

    Raises UnknownLocation, LocationCannotReceive, UnknownSkus, BundleHasNoStock, LevelTooHigh, TooManyUnitCodes, UnitCodesNotKept,
    UnitCodeRepeated, UnitAlreadyHere.
    """
    location = await locations.one(tx, code)
    if location.refusal("receives", tx.at) in ("no_role", "closed"):
        raise LocationCannotReceive(location=code)
    variants = await goods(tx, pointers(lines=command.lines))
    cause = Cause("receipt", uuid7())
    outbox.audit(tx, actor, "stock.receive", "location", code, after={"receipt": cause.id, "lines": len(command.lines)})
    await facts.receive(
        tx,
        actor,
        cause=cause,
        location_id=location.id,
        lines=[
            ReceiptLine(
                variant_id=variants[line.sku].id,
                quantity=line.quantity,
                unit_cost=line.unit_cost,
                bucket=line.bucket,
                codes=tuple(line.codes),
            )
            for line in command.lines
        ],
        business_date=location.business_date(tx.at),
        reason=command.note,
    )
    return await posted(tx, location, cause, {line.sku: variants[line.sku].id for line in command.lines})


async def history_of(
    tx: Tx,
    actor: Actor,
    *,
    sku: str,
    location: str | None = None,
    clock: WhichClock = "occurred",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[MovementView]:
    """Every movement of a variant, the newest first, at one location or at all that the reader may see; from `since` on and before
    `until`, as they happened or as they were booked.

    Raises UnknownSku, UnknownLocation, NotYourStock, BadCursor.
    """
    if location is not None and not actor.may("stock.read", location):
        raise NotYourStock
    variant_id = (await _known(tx, [sku]))[sku].id
    location_ids: list[UUID] | None = None
    if location is not None:
        location_ids = [(await locations.one(tx, location)).id]
    elif not actor.may("stock.read", "*"):
        own = await locations.by_codes(tx, actor.permissions.get("stock.read", ()))
        location_ids = [place.id for place in own.values()]
    page = await queries.history(
        tx, variant_id, location_ids, clock=clock, since=since, until=until, limit=limit, cursor=cursor
    )
    named = {entry.from_location_id for entry in page.items} | {entry.to_location_id for entry in page.items}
    places = await locations.by_ids(tx, [location_id for location_id in named if location_id is not None])
    return Page(
        items=[
            MovementView(
                posting_id=entry.posting_id,
                n=entry.n,
                quantity=entry.quantity,
                from_place=entry.from_place,
                from_location=places[entry.from_location_id].code if entry.from_location_id else None,
                to_place=entry.to_place,
                to_location=places[entry.to_location_id].code if entry.to_location_id else None,
                unit_cost=entry.unit_cost,
                line_id=entry.line_id,
                cause_kind=entry.cause_kind,
                cause_id=entry.cause_id,
                actor=entry.actor,
                reason=entry.reason,
                occurred_at=entry.occurred_at,
                recorded_at=entry.recorded_at,
                business_date=entry.business_date,
            )
            for entry in page.items
        ],
        next_cursor=page.next_cursor,
    )


class Named(Protocol):
    """A line of a body that names a variant."""

    @property
    def sku(self) -> str: ...


def pointers(**lists: Sequence[Named]) -> list[tuple[str, str]]:
    """Where in the body each SKU stands, and the SKU, for the lists of a body by their names."""
    return [(f"/{name}/{n}/sku", line.sku) for name, lines in lists.items() for n, line in enumerate(lines)]


async def goods(tx: Tx, named: Sequence[tuple[str, str]]) -> dict[str, catalog.Variant]:
    """The variants that the lines of a body name, by SKU; each has a stock of its own. One statement.

    Raises UnknownSkus, which names all lines that are wrong, and BundleHasNoStock.
    """
    variants = await catalog.by_skus(tx, list(dict.fromkeys(sku for _, sku in named)))
    unknown = [UnknownLine(pointer=pointer, sku=sku) for pointer, sku in named if sku not in variants]
    if unknown:
        raise UnknownSkus(unknown)
    refuse_bundles(variants.values())
    return variants


async def ordinary(tx: Tx, sku: str) -> catalog.Variant:
    """A variant that has a stock of its own. Raises UnknownSku, BundleHasNoStock."""
    variant = await catalog.by_sku(tx, sku)
    refuse_bundles([variant])
    return variant


def refuse_bundles(variants: Iterable[catalog.Variant]) -> None:
    """A bundle is never received, moved or counted: its components are. Raises BundleHasNoStock, which names them."""
    bundles = [
        BundleLine(
            sku=variant.sku,
            components=[ComponentUnits(sku=part.sku, quantity=part.quantity) for part in variant.components],
        )
        for variant in variants
        if variant.bundle
    ]
    if bundles:
        raise BundleHasNoStock(bundles)


async def posted(tx: Tx, location: locations.Location, cause: Cause, variant_ids: dict[str, UUID]) -> PostingView:
    """An act in the books that has just happened at a location, with the levels after it, by SKU. One statement."""
    return PostingView(
        cause_kind=cause.kind,
        cause_id=cause.id,
        location=location.code,
        occurred_at=tx.at,
        business_date=location.business_date(tx.at),
        levels=await levels_of(tx, location.id, variant_ids),
    )


async def levels_of(tx: Tx, location_id: UUID, variant_ids: dict[str, UUID]) -> list[LevelView]:
    """The levels at a location, by SKU in the order given; zeros where there was never anything. One statement."""
    levels = await standing(tx, location_id, list(variant_ids.values()))
    return [_view(sku, level) for sku, level in zip(variant_ids, levels, strict=True)]


async def standing(tx: Tx, location_id: UUID, variant_ids: Sequence[UUID]) -> list[Level]:
    """The levels at a location, in the order given; zeros where there was never anything. Nothing is locked. One statement."""
    levels = await queries.levels(tx, variant_ids=variant_ids, location_ids=[location_id])
    by_variant = {level.variant_id: level for level in levels}
    return [by_variant.get(variant_id) or _empty(location_id, variant_id) for variant_id in variant_ids]


async def _known(tx: Tx, skus: Sequence[str]) -> dict[str, catalog.Variant]:
    """Raises UnknownSku."""
    variants = await catalog.by_skus(tx, [sku for sku in dict.fromkeys(skus) if "\0" not in sku])
    for sku in skus:
        if sku not in variants:
            raise catalog.UnknownSku(sku=sku)
    return variants


def _empty(location_id: UUID, variant_id: UUID) -> Level:
    return Level(
        location_id=location_id,
        variant_id=variant_id,
        available=0,
        reserved=0,
        committed=0,
        quality_control=0,
        damaged=0,
        in_transit=0,
        in_transit_committed=0,
        safety_stock=0,
        ats=0,
    )


def _view(sku: str, level: Level) -> LevelView:
    return LevelView(
        sku=sku,
        variant_id=level.variant_id,
        available=level.available,
        reserved=level.reserved,
        committed=level.committed,
        quality_control=level.quality_control,
        damaged=level.damaged,
        in_transit=level.in_transit,
        in_transit_committed=level.in_transit_committed,
        safety_stock=level.safety_stock,
        on_hand=level.available + level.reserved + level.committed + level.quality_control + level.damaged,
        ats=level.ats,
    )
