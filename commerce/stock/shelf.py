"""What the staff of a store does with its own stock: look, receive, adjust; and why a level is what it is."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from commerce import catalog, locations
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.paging import Page
from commerce.stock import queries, service
from commerce.stock.errors import NotYourStock
from commerce.stock.schemas import (
    BookAdjustment,
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
    """Book a delivery from a supplier at a store. Raises UnknownLocation, UnknownSku, LevelTooHigh."""
    location = await locations.one(tx, code)
    variants = await _known(tx, [line.sku for line in command.lines])
    cause = Cause("receipt", uuid7())
    business_date = location.business_date(tx.at)
    await service.receive(
        tx,
        actor,
        cause=cause,
        location_id=location.id,
        lines=[
            ReceiptLine(
                variant_id=variants[line.sku].id, quantity=line.quantity, unit_cost=line.unit_cost, bucket=line.bucket
            )
            for line in command.lines
        ],
        business_date=business_date,
        reason=command.note,
    )
    outbox.audit(tx, actor, "stock.receive", "location", code, after={"receipt": cause.id, "lines": len(command.lines)})
    return PostingView(
        cause_kind=cause.kind,
        cause_id=cause.id,
        location=code,
        occurred_at=tx.at,
        business_date=business_date,
        levels=await _levels_of(tx, location.id, {line.sku: variants[line.sku].id for line in command.lines}),
    )


async def book_adjustment(tx: Tx, actor: Actor, *, code: str, command: BookAdjustment) -> PostingView:
    """Book a physical fact about goods on a store's shelf. Raises UnknownLocation, UnknownSku, BelowZero, WrongDirection,
    LevelTooHigh."""
    location = await locations.one(tx, code)
    variants = await _known(tx, [command.sku])
    cause = Cause("adjustment", uuid7())
    business_date = location.business_date(tx.at)
    variant_id = variants[command.sku].id
    await service.adjust(
        tx,
        actor,
        cause=cause,
        location_id=location.id,
        variant_id=variant_id,
        delta=command.delta,
        reason=command.reason,
        bucket=command.bucket,
        business_date=business_date,
        note=command.note,
    )
    outbox.audit(
        tx,
        actor,
        "stock.adjust",
        "location",
        code,
        after={
            "adjustment": cause.id,
            "sku": command.sku,
            "delta": command.delta,
            "reason": command.reason,
            "bucket": command.bucket,
        },
    )
    return PostingView(
        cause_kind=cause.kind,
        cause_id=cause.id,
        location=code,
        occurred_at=tx.at,
        business_date=business_date,
        levels=await _levels_of(tx, location.id, {command.sku: variant_id}),
    )


async def history_of(
    tx: Tx, actor: Actor, *, sku: str, location: str | None = None, limit: int = 50, cursor: str | None = None
) -> Page[MovementView]:
    """Every movement of a variant, the newest first, at one location or at all that the reader may see.

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
    page = await queries.history(tx, variant_id, location_ids, limit=limit, cursor=cursor)
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


async def _known(tx: Tx, skus: Sequence[str]) -> dict[str, catalog.Variant]:
    """Raises UnknownSku."""
    variants = await catalog.by_skus(tx, [sku for sku in dict.fromkeys(skus) if "\0" not in sku])
    for sku in skus:
        if sku not in variants:
            raise catalog.UnknownSku(sku=sku)
    return variants


async def _levels_of(tx: Tx, location_id: UUID, variant_ids: dict[str, UUID]) -> list[LevelView]:
    levels = await queries.levels(tx, variant_ids=list(variant_ids.values()), location_ids=[location_id])
    by_variant = {level.variant_id: level for level in levels}
    return [_view(sku, by_variant[variant_id]) for sku, variant_id in variant_ids.items()]


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
