"""What the staff of a store corrects by hand: adjustments and who approves them, goods judged anew, made into others, sent back to
where they were bought, given up.

An adjustment that is worth more than the configured value, or that nobody can value, waits for somebody who may approve it there.
While it waits nothing moves; it is booked as of the moment when it was asked for. Its id is the cause of its one posting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from commerce import catalog, locations, prices
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.money import MAX_MINOR, Money, line_amount
from commerce.kernel.paging import Page, decode_cursor, page_of
from commerce.stock import facts, reasons, shelf
from commerce.stock.errors import (
    AdjustmentClosed,
    AdjustmentElsewhere,
    BelowZero,
    SameBucket,
    StandingStill,
    UnknownAdjustment,
)
from commerce.stock.events import AdjustmentDecided, AdjustmentRequested
from commerce.stock.schemas import (
    AdjustmentReason,
    AdjustmentState,
    ApproveAdjustment,
    BookAdjustment,
    BookConversion,
    BookedAdjustmentView,
    BookMove,
    BookVendorReturn,
    BookWriteOff,
    Cause,
    Counted,
    GivenUpView,
    Portion,
    PostingView,
    Regrade,
    RejectAdjustment,
    ScannedLine,
    ShelfBucket,
    ShelfLine,
    StockAdjustmentView,
    ValuedBy,
    WorthLine,
)
from commerce.stock.tables import adjustments

Units = dict[tuple[str, ShelfBucket], int]
"""Units by SKU and bucket."""

COLUMNS = """a.id, a.location_id, a.variant_id, a.delta, a.bucket, a.reason, a.request_note, a.value, a.valued_by, a.currency,
    a.state, a.requested_by, a.requested_at, a.decided_by, a.decided_at, a.decision_note, a.version"""
LISTED = f"""
SELECT {COLUMNS} FROM stock.adjustments a
WHERE a.location_id = :location_id AND (CAST(:state AS text) IS NULL OR a.state = CAST(:state AS text))
    AND (CAST(:before AS uuid) IS NULL OR a.id < CAST(:before AS uuid))
ORDER BY a.id DESC LIMIT :limit
"""  # noqa: S608
ONE = f"SELECT {COLUMNS} FROM stock.adjustments a WHERE a.id = :id"  # noqa: S608
LOCKED = ONE + " FOR NO KEY UPDATE OF a"
DECIDE = """
UPDATE stock.adjustments SET state = CAST(:state AS text), decided_by = CAST(:decided_by AS jsonb),
    decided_at = CAST(:decided_at AS timestamptz), decision_note = CAST(:decision_note AS text), version = CAST(:version AS integer)
WHERE id = CAST(:id AS uuid)
"""


class Adjustment(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `stock.adjustments`."""

    id: UUID
    location_id: UUID
    variant_id: UUID
    delta: int
    bucket: ShelfBucket
    reason: AdjustmentReason
    request_note: str | None
    value: int | None
    valued_by: ValuedBy | None
    currency: str
    state: AdjustmentState
    requested_by: dict[str, Any]
    requested_at: datetime
    decided_by: dict[str, Any] | None = None
    decided_at: datetime | None = None
    decision_note: str | None = None
    version: int = 1


class Worth(msgspec.Struct, frozen=True):
    """What one whole unit of a variant is worth, in minor units, and by what."""

    amount: int
    by: ValuedBy

    def of(self, quantity: int, scale: int) -> int:
        """What so many steps of it are worth, at most as much as an amount of money can be."""
        return min(line_amount(self.amount, quantity, scale), MAX_MINOR)


async def book_adjustment(
    tx: Tx, actor: Actor, *, code: str, command: BookAdjustment, approval_above: int, currency: str
) -> BookedAdjustmentView:
    """Book a physical fact about goods on a store's shelf; or, when it is worth more than `approval_above` minor units (or
    nobody knows what it is worth) and neither the actor nor his approver may approve there, keep it until a manager decides.

    Raises UnknownLocation, UnknownSku, BundleHasNoStock, WrongDirection, BelowZero, LevelTooHigh.
    """
    location = await locations.one(tx, code)
    variant = await shelf.ordinary(tx, command.sku)
    reasons.check(command.reason, command.delta, command.bucket)
    worth = (await _worths(tx, [variant])).get(variant.id)
    value = None if worth is None else worth.of(abs(command.delta), variant.quantity_scale)
    waits = (value is None or value > approval_above) and not actor.allowed("stock.approve", code)
    asked = Adjustment(
        id=uuid7(),
        location_id=location.id,
        variant_id=variant.id,
        delta=command.delta,
        bucket=command.bucket,
        reason=command.reason,
        request_note=command.note,
        value=value,
        valued_by=None if worth is None else worth.by,
        currency=currency,
        state="waiting",
        requested_by=outbox.actor_record(actor),
        requested_at=tx.at,
    )
    if waits:
        await _refuse_the_impossible(tx, asked)
    else:
        asked = msgspec.structs.replace(
            asked, state="booked", decided_by=asked.requested_by, decided_at=asked.requested_at
        )
    tx.queue(adjustments, **msgspec.structs.asdict(asked))
    _tell(tx, actor, asked, code, "adjustment.request" if waits else "adjustment.book")
    if not waits:
        await _book(tx, actor, asked, location)
    levels = await shelf.levels_of(tx, location.id, {command.sku: variant.id})
    return BookedAdjustmentView(
        cause_kind="adjustment",
        cause_id=asked.id,
        location=code,
        occurred_at=tx.at,
        business_date=location.business_date(tx.at),
        levels=levels,
        adjustment=asked.id,
        state=asked.state,
        value=_money(value, currency),
        valued_by=asked.valued_by,
        version=asked.version,
    )


async def adjustments_of(
    tx: Tx, *, code: str, state: AdjustmentState | None = None, limit: int = 50, cursor: str | None = None
) -> Page[StockAdjustmentView]:
    """The adjustments of a store, the newest first; those in one state when it is named. Three statements.

    Raises UnknownLocation, BadCursor.
    """
    location = await locations.one(tx, code)
    before = decode_cursor(cursor, UUID)[0] if cursor else None
    rows = await tx.rows(LISTED, location_id=location.id, state=state, before=before, limit=limit + 1)
    page = page_of(rows, limit, lambda row: Adjustment(**row), lambda row: (row.id,))
    known = await catalog.variants(tx, list({found.variant_id for found in page.items}))
    return Page(
        items=[_view(found, code, known[found.variant_id].sku) for found in page.items], next_cursor=page.next_cursor
    )


async def adjustment_of(tx: Tx, *, code: str, adjustment: UUID) -> StockAdjustmentView:
    """One adjustment of a store. Raises UnknownLocation, UnknownAdjustment, AdjustmentElsewhere."""
    location = await locations.one(tx, code)
    found = await _the_one(tx, ONE, adjustment, location.id)
    return _view(found, code, (await catalog.variants(tx, [found.variant_id]))[found.variant_id].sku)


async def approve(
    tx: Tx, actor: Actor, *, code: str, adjustment: UUID, command: ApproveAdjustment
) -> StockAdjustmentView:
    """Book what has waited, as of the moment when it was asked for. When it does not fit any more it goes on waiting.

    Raises UnknownLocation, UnknownAdjustment, AdjustmentElsewhere, AdjustmentClosed, BelowZero, LevelTooHigh.
    """
    location = await locations.one(tx, code)
    booked = await _decide(tx, actor, location.id, code, adjustment, "booked", command.note)
    sku = (await catalog.variants(tx, [booked.variant_id]))[booked.variant_id].sku
    await _book(tx, actor, booked, location)
    return _view(booked, code, sku)


async def reject(
    tx: Tx, actor: Actor, *, code: str, adjustment: UUID, command: RejectAdjustment
) -> StockAdjustmentView:
    """Close what has waited without booking it. Raises UnknownLocation, UnknownAdjustment, AdjustmentElsewhere,
    AdjustmentClosed."""
    location = await locations.one(tx, code)
    rejected = await _decide(tx, actor, location.id, code, adjustment, "rejected", command.note)
    return _view(rejected, code, (await catalog.variants(tx, [rejected.variant_id]))[rejected.variant_id].sku)


async def book_move(tx: Tx, actor: Actor, *, code: str, command: BookMove) -> PostingView:
    """Judge goods anew where they stand: for sale, to be judged, not sellable. What leaves the shelf is a physical fact and may
    break promises. Raises UnknownLocation, UnknownSkus, BundleHasNoStock, SameBucket, BelowZero, LevelTooHigh."""
    location = await locations.one(tx, code)
    variants = await shelf.goods(tx, shelf.pointers(lines=command.lines))
    still = [
        StandingStill(sku=line.sku, bucket=line.to_bucket)
        for line in command.lines
        if line.from_bucket == line.to_bucket
    ]
    if still:
        raise SameBucket(still)
    cause = Cause("move", uuid7())
    units: dict[tuple[str, ShelfBucket, ShelfBucket], int] = {}
    codes: dict[tuple[str, ShelfBucket, ShelfBucket], tuple[str, ...]] = {}
    for line in command.lines:
        key = line.sku, line.from_bucket, line.to_bucket
        units[key] = units.get(key, 0) + line.quantity
        codes[key] = (*codes.get(key, ()), *line.codes)
    moved = [
        {"sku": sku, "from_bucket": source, "to_bucket": target, "quantity": quantity}
        for (sku, source, target), quantity in units.items()
    ]
    audited = {"location": code, "lines": moved}
    outbox.audit(tx, actor, "stock.move", "move", cause.id, after=audited)
    await facts.move(
        tx,
        actor,
        cause=cause,
        location_id=location.id,
        lines=[
            Regrade(
                variant_id=variants[sku].id,
                quantity=quantity,
                from_bucket=source,
                to_bucket=target,
                codes=codes[sku, source, target],
            )
            for (sku, source, target), quantity in units.items()
        ],
        business_date=location.business_date(tx.at),
        reason=command.reason,
    )
    return await shelf.posted(tx, location, cause, {line.sku: variants[line.sku].id for line in command.lines})


async def book_conversion(tx: Tx, actor: Actor, *, code: str, command: BookConversion) -> PostingView:
    """Make goods into others: an open box, a kit made or broken up. Breaks no promise; what is taken carries its cost over.

    Raises UnknownLocation, UnknownSkus, BundleHasNoStock, SameBucket, BelowZero, LevelTooHigh.
    """
    location = await locations.one(tx, code)
    variants = await shelf.goods(tx, shelf.pointers(takes=command.takes, makes=command.makes))
    taken, made = _units(command.takes), _units(command.makes)
    still = [StandingStill(sku=sku, bucket=bucket) for sku, bucket in taken if (sku, bucket) in made]
    if still:
        raise SameBucket(still)
    cause = Cause("conversion", uuid7())
    audited = {"location": code, "takes": _listed(taken), "makes": _listed(made)}
    outbox.audit(tx, actor, "stock.convert", "conversion", cause.id, after=audited)
    await facts.convert(
        tx,
        actor,
        cause=cause,
        location_id=location.id,
        takes=_portions(command.takes, variants),
        makes=_portions(command.makes, variants),
        business_date=location.business_date(tx.at),
        reason=command.reason,
    )
    return await shelf.posted(tx, location, cause, {sku: variants[sku].id for sku, _ in (*taken, *made)})


async def book_vendor_return(
    tx: Tx, actor: Actor, *, code: str, command: BookVendorReturn, currency: str
) -> GivenUpView:
    """Send goods back to where they were bought. Breaks no promise.

    Raises UnknownLocation, UnknownSkus, BundleHasNoStock, BelowZero, LevelTooHigh.
    """
    location = await locations.one(tx, code)
    variants = await shelf.goods(tx, shelf.pointers(lines=command.lines))
    units = _units(command.lines)
    lines = await _valued(tx, units, variants, currency)
    cause = Cause("vendor_return", uuid7())
    audited = {"location": code, "supplier": command.supplier, "reference": command.reference, "lines": _listed(units)}
    outbox.audit(tx, actor, "stock.return_to_vendor", "vendor_return", cause.id, after=audited)
    reason = f"{command.supplier} {command.reference}"
    await facts.return_to_vendor(
        tx,
        actor,
        cause=cause,
        location_id=location.id,
        lines=_portions(command.lines, variants),
        business_date=location.business_date(tx.at),
        reason=reason if command.note is None else f"{reason}: {command.note}",
    )
    return await _given_up(tx, location, cause, variants, lines, currency)


async def book_write_off(tx: Tx, actor: Actor, *, code: str, command: BookWriteOff, currency: str) -> GivenUpView:
    """Give goods up for good. A physical fact: what leaves the shelf may break promises.

    Raises UnknownLocation, UnknownSkus, BundleHasNoStock, BelowZero, LevelTooHigh.
    """
    location = await locations.one(tx, code)
    variants = await shelf.goods(tx, shelf.pointers(lines=command.lines))
    units = _units(command.lines)
    lines = await _valued(tx, units, variants, currency)
    cause = Cause("write_off", uuid7())
    audited = {"location": code, "reason": command.reason, "lines": _listed(units)}
    outbox.audit(tx, actor, "stock.write_off", "write_off", cause.id, after=audited)
    await facts.count(
        tx,
        actor,
        cause=cause,
        location_id=location.id,
        lines=[
            Counted(variant_id=variants[sku].id, delta=-quantity, bucket=bucket)
            for (sku, bucket), quantity in units.items()
        ],
        business_date=location.business_date(tx.at),
        reason=command.reason if command.note is None else f"{command.reason}: {command.note}",
    )
    return await _given_up(tx, location, cause, variants, lines, currency)


async def _the_one(tx: Tx, statement: str, adjustment: UUID, location_id: UUID) -> Adjustment:
    """Raises UnknownAdjustment, AdjustmentElsewhere."""
    row = await tx.first(statement, id=adjustment)
    if row is None:
        raise UnknownAdjustment(adjustment=str(adjustment))
    if row.location_id != location_id:
        raise AdjustmentElsewhere(adjustment=str(adjustment))
    return Adjustment(**row)


async def _decide(
    tx: Tx, actor: Actor, location_id: UUID, code: str, adjustment: UUID, state: AdjustmentState, note: str | None
) -> Adjustment:
    """The adjustment, locked and decided. Raises UnknownAdjustment, AdjustmentElsewhere, AdjustmentClosed."""
    seen = await _the_one(tx, LOCKED, adjustment, location_id)
    if seen.state != "waiting":
        raise AdjustmentClosed(adjustment=str(adjustment), state=seen.state)
    decided = msgspec.structs.replace(
        seen,
        state=state,
        decided_by=outbox.actor_record(actor),
        decided_at=tx.at,
        decision_note=note,
        version=seen.version + 1,
    )
    tx.defer(
        DECIDE,
        id=decided.id,
        state=decided.state,
        decided_by=decided.decided_by,
        decided_at=decided.decided_at,
        decision_note=decided.decision_note,
        version=decided.version,
    )
    _tell(tx, actor, decided, code, "adjustment.approve" if state == "booked" else "adjustment.reject")
    return decided


async def _book(tx: Tx, actor: Actor, booked: Adjustment, location: locations.Location) -> None:
    """Raises BelowZero, LevelTooHigh."""
    await facts.adjust(
        tx,
        actor,
        cause=Cause("adjustment", booked.id),
        location_id=booked.location_id,
        variant_id=booked.variant_id,
        delta=booked.delta,
        reason=booked.reason,
        bucket=booked.bucket,
        occurred_at=booked.requested_at,
        business_date=location.business_date(booked.requested_at),
        note=booked.request_note,
    )


async def _refuse_the_impossible(tx: Tx, asked: Adjustment) -> None:
    """What takes more than is there at all would only wait to be refused. Raises BelowZero."""
    [level] = await shelf.standing(tx, asked.location_id, [asked.variant_id])
    left = level.available + level.reserved + level.committed
    if asked.bucket != "available":
        left = level.damaged if asked.bucket == "damaged" else level.quality_control
    if left + asked.delta < 0:
        raise BelowZero(left=left, bucket=asked.bucket)


def _tell(tx: Tx, actor: Actor, adjustment: Adjustment, code: str, action: str) -> None:
    """The event and the audit record of a version."""
    told: dict[str, Any] = {
        "aggregate_id": adjustment.id,
        "version": adjustment.version,
        "location_id": adjustment.location_id,
        "variant_id": adjustment.variant_id,
        "delta": adjustment.delta,
        "bucket": adjustment.bucket,
        "reason": adjustment.reason,
        "worth": adjustment.value,
        "currency": adjustment.currency,
    }
    waits = adjustment.state == "waiting"
    outbox.record(
        tx, actor, AdjustmentRequested(**told) if waits else AdjustmentDecided(**told, state=adjustment.state)
    )
    outbox.audit(
        tx,
        actor,
        action,
        "adjustment",
        adjustment.id,
        before={"state": "waiting"} if adjustment.version > 1 else None,
        after={
            "state": adjustment.state,
            "location": code,
            "variant": adjustment.variant_id,
            "delta": adjustment.delta,
            "reason": adjustment.reason,
            "bucket": adjustment.bucket,
        },
    )


async def _worths(tx: Tx, variants: Sequence[catalog.Variant]) -> dict[UUID, Worth]:
    """What a unit of each variant is worth: its moving average cost, or where none is known its list price now. Variants with
    neither are absent. Two statements at most."""
    ids = sorted({variant.id for variant in variants})
    found = {row.variant_id: Worth(row.average, "cost") for row in await tx.rows(facts.AVERAGES, variant_ids=ids)}
    unknown = [variant_id for variant_id in ids if variant_id not in found]
    if unknown:
        listed = await prices.listed(tx, unknown, at=tx.at)
        found |= {variant_id: Worth(price.amount, "list") for variant_id, price in listed.items()}
    return found


async def _valued(tx: Tx, units: Units, variants: Mapping[str, catalog.Variant], currency: str) -> list[WorthLine]:
    worths = await _worths(tx, [variants[sku] for sku, _ in units])
    lines = []
    for (sku, bucket), quantity in units.items():
        worth = worths.get(variants[sku].id)
        value = None if worth is None else worth.of(quantity, variants[sku].quantity_scale)
        lines.append(
            WorthLine(
                sku=sku,
                quantity=quantity,
                bucket=bucket,
                value=_money(value, currency),
                valued_by=None if worth is None else worth.by,
            )
        )
    return lines


async def _given_up(
    tx: Tx,
    location: locations.Location,
    cause: Cause,
    variants: Mapping[str, catalog.Variant],
    lines: list[WorthLine],
    currency: str,
) -> GivenUpView:
    posted = await shelf.posted(tx, location, cause, {line.sku: variants[line.sku].id for line in lines})
    amounts = [line.value.amount for line in lines if line.value is not None]
    total = min(sum(amounts), MAX_MINOR) if len(amounts) == len(lines) else None
    return GivenUpView(**msgspec.structs.asdict(posted), lines=lines, value=_money(total, currency))


def _view(adjustment: Adjustment, code: str, sku: str) -> StockAdjustmentView:
    return StockAdjustmentView(
        id=adjustment.id,
        location=code,
        sku=sku,
        variant_id=adjustment.variant_id,
        delta=adjustment.delta,
        bucket=adjustment.bucket,
        reason=adjustment.reason,
        note=adjustment.request_note,
        state=adjustment.state,
        value=_money(adjustment.value, adjustment.currency),
        valued_by=adjustment.valued_by,
        requested_by=adjustment.requested_by,
        requested_at=adjustment.requested_at,
        decided_by=adjustment.decided_by,
        decided_at=adjustment.decided_at,
        decision_note=adjustment.decision_note,
        version=adjustment.version,
    )


def _money(amount: int | None, currency: str) -> Money | None:
    return None if amount is None else Money(amount, currency)


def _units(lines: Sequence[ShelfLine]) -> Units:
    """Units by SKU and bucket, in the order of their first appearance."""
    sums: Units = {}
    for line in lines:
        sums[line.sku, line.bucket] = sums.get((line.sku, line.bucket), 0) + line.quantity
    return sums


def _portions(lines: Sequence[ScannedLine], variants: Mapping[str, catalog.Variant]) -> list[Portion]:
    codes: dict[tuple[str, ShelfBucket], tuple[str, ...]] = {}
    for line in lines:
        codes[line.sku, line.bucket] = (*codes.get((line.sku, line.bucket), ()), *line.codes)
    return [
        Portion(variant_id=variants[sku].id, quantity=quantity, bucket=bucket, codes=codes[sku, bucket])
        for (sku, bucket), quantity in _units(lines).items()
    ]


def _listed(units: Units) -> list[dict[str, Any]]:
    """For the audit record."""
    return [{"sku": sku, "bucket": bucket, "quantity": quantity} for (sku, bucket), quantity in units.items()]
