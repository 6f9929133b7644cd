"""The verbs of the stock room. Each is one posting, and a no-op when its cause has been posted before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy
from commerce.stock import ledger
from commerce.stock.errors import BelowZero, InsufficientStock, LevelTooHigh, ReservationShort, WrongDirection
from commerce.stock.events import BrokenLine, CountNeeded, MissingLine, PromiseBroken
from commerce.stock.ledger import Act, Change, NewReservation, Outcome, Spot, Standing
from commerce.stock.schemas import (
    AdjustmentReason,
    Bucket,
    Cause,
    Demand,
    HandedOver,
    Movement,
    Owner,
    Place,
    ReceiptLine,
    Reservation,
    SaleLine,
    ShelfBucket,
    Short,
    TakeBackLine,
)

ATTEMPTS = 4
"""The first attempt of a verb locks the levels; from then on its reservations stand still, so a second one fits."""
LOSES: dict[AdjustmentReason, Place] = {
    "damage": "damaged",
    "theft": "loss",
    "sample": "loss",
    "write_off": "loss",
    "count": "loss",
    "correction": "loss",
}
"""Where goods go that an adjustment takes away."""
GAINS: frozenset[AdjustmentReason] = frozenset({"found", "count", "correction"})
"""Reasons that can bring goods into the books."""


async def receive(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    location_id: UUID,
    lines: Sequence[ReceiptLine],
    occurred_at: datetime | None = None,
    business_date: date | None = None,
    reason: str | None = None,
) -> None:
    """Book goods from a supplier; known unit costs move the variant's average. One statement. Raises LevelTooHigh."""
    movements = [
        Movement(
            variant_id=line.variant_id,
            quantity=line.quantity,
            from_place="supplier",
            to_place=line.bucket,
            to_location_id=location_id,
            unit_cost=line.unit_cost,
        )
        for line in lines
    ]
    outcome = await ledger.post(
        tx, actor, cause=cause, movements=movements, occurred_at=occurred_at, business_date=business_date, reason=reason
    )
    await _booked_or_too_high(tx, cause, outcome)


async def take_back(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    location_id: UUID,
    lines: Sequence[TakeBackLine],
    occurred_at: datetime | None = None,
    business_date: date | None = None,
    reason: str | None = None,
) -> None:
    """Book goods that came back from a customer into the buckets they stand in now. One statement. Raises LevelTooHigh."""
    movements = [
        Movement(
            variant_id=line.variant_id,
            quantity=line.quantity,
            from_place="customer",
            to_place=line.bucket,
            to_location_id=location_id,
            line_id=line.line_id,
        )
        for line in lines
    ]
    outcome = await ledger.post(
        tx, actor, cause=cause, movements=movements, occurred_at=occurred_at, business_date=business_date, reason=reason
    )
    await _booked_or_too_high(tx, cause, outcome)


async def promise(
    tx: Tx,
    actor: Actor,
    *,
    owner: Owner,
    demands: Sequence[Demand],
    cause: Cause,
    business_date: date | None = None,
) -> None:
    """Commit goods to a placed order at once: available -> committed, all lines or none.

    Reclaims expired reservations, and leaves the safety stock alone. One statement; three when something is short.
    Raises InsufficientStock.
    """
    await _set_aside(tx, actor, owner, demands, cause, "committed", None, business_date)


async def reserve(
    tx: Tx,
    actor: Actor,
    *,
    owner: Owner,
    demands: Sequence[Demand],
    cause: Cause,
    expires_at: datetime,
    business_date: date | None = None,
) -> None:
    """Set goods aside until a moment: available -> reserved. Otherwise like `promise`. Raises InsufficientStock."""
    await _set_aside(tx, actor, owner, demands, cause, "reserved", expires_at, business_date)


async def commit(tx: Tx, actor: Actor, *, owner: Owner, cause: Cause, business_date: date | None = None) -> None:
    """What is reserved for the owner becomes committed: reserved -> committed. What has expired and was given up is taken
    again from `available`, if it is still there. Two statements. Raises InsufficientStock."""
    for _ in range(ATTEMPTS):
        found = await ledger.of_owner(tx, owner, cause)
        if found.posted:
            return
        changes = []
        for held in found.reservations:
            if held.state == "reserved":
                changes.append(
                    Change(
                        seen=held,
                        state="committed",
                        bucket="committed",
                        quantity_open=held.quantity_open,
                        quantity_lost=held.quantity_lost,
                    )
                )
            elif held.state == "expired":
                changes.append(
                    Change(
                        seen=held,
                        state="committed",
                        bucket="committed",
                        quantity_open=held.quantity_lost,
                        quantity_lost=0,
                    )
                )
        if not changes:
            return
        movements = [
            _within(c.seen, "available" if c.seen.state == "expired" else c.seen.bucket, "committed", c.quantity_open)
            for c in changes
        ]
        outcome = await ledger.book(
            tx,
            actor,
            [Act(cause=cause, movements=movements)],
            changes=changes,
            keep_safety=True,
            business_date=business_date,
        )
        if outcome.posted or outcome.replayed:
            return
        again = await ledger.of_owner(tx, owner, cause)
        if not again.posted and again.reservations == found.reservations:
            # Still as seen, and under the lock: what does not fit is what has to be taken again.
            wanted = [
                Demand(
                    line_id=c.seen.line_id,
                    location_id=c.seen.location_id,
                    variant_id=c.seen.variant_id,
                    quantity=c.quantity_open,
                )
                for c in changes
                if c.seen.state == "expired"
            ]
            reclaimed = await _reclaim(tx, wanted, outcome.levels, cause, spared=owner)
            if reclaimed is None:
                return
            outcome = await ledger.book(
                tx,
                actor,
                [Act(cause=cause, movements=movements), *(act for act, _ in reclaimed)],
                changes=[*changes, *(change for _, change in reclaimed)],
                keep_safety=True,
                business_date=business_date,
            )
            if outcome.posted:
                return
    raise Busy(retry_after_seconds=1)


async def release(
    tx: Tx,
    actor: Actor,
    *,
    owner: Owner,
    cause: Cause,
    lines: Mapping[UUID, int] | None = None,
    reason: str | None = None,
    business_date: date | None = None,
) -> dict[UUID, int]:
    """Give back what is set aside for the owner, all of it or up to a quantity per line: reserved or committed -> available.

    Answers the quantity given back per line; lines that have nothing left are absent. Two statements.
    """
    for _ in range(ATTEMPTS):
        found = await ledger.of_owner(tx, owner, cause)
        if found.posted:
            return await _posted_per_line(tx, cause, "available")
        changes, movements = [], []
        left = dict(lines) if lines is not None else None
        # The newest first: what was added last is given back first.
        for held in reversed(found.reservations):
            quantity = held.quantity_open if left is None else min(held.quantity_open, left.get(held.line_id, 0))
            if quantity <= 0:
                continue
            if left is not None:
                left[held.line_id] -= quantity
            changes.append(_less(held, quantity, "released"))
            movements.append(_within(held, held.bucket, _freed(held.bucket), quantity))
        if not changes:
            return {}
        outcome = await ledger.book(
            tx,
            actor,
            [Act(cause=cause, movements=movements, reason=reason)],
            changes=changes,
            business_date=business_date,
        )
        if outcome.posted:
            released: dict[UUID, int] = {}
            for movement in movements:
                assert movement.line_id is not None  # noqa: S101
                released[movement.line_id] = released.get(movement.line_id, 0) + movement.quantity
            return released
    raise Busy(retry_after_seconds=1)


async def hand_over(
    tx: Tx,
    actor: Actor,
    *,
    owner: Owner,
    cause: Cause,
    lines: Mapping[UUID, int] | None = None,
    occurred_at: datetime | None = None,
    business_date: date | None = None,
) -> list[HandedOver]:
    """Goods set aside for the owner leave with the customer: all of them, or a quantity per line.

    Without `lines` nothing may be missing; name the lines to hand over what is left of a broken promise.
    Two statements. Raises ReservationShort when the owner has not got it any more.
    """
    for _ in range(ATTEMPTS):
        found = await ledger.of_owner(tx, owner, cause)
        if found.posted:
            return await _handed_over(tx, cause)
        open_by_line: dict[UUID, int] = {}
        lost_by_line: dict[UUID, int] = {}
        for held in found.reservations:
            if held.bucket != "in_transit_committed":
                open_by_line[held.line_id] = open_by_line.get(held.line_id, 0) + held.quantity_open
            lost_by_line[held.line_id] = lost_by_line.get(held.line_id, 0) + held.quantity_lost
        if lines is None:
            wanted = {line: open_by_line.get(line, 0) + lost for line, lost in lost_by_line.items()}
        else:
            wanted = {line: quantity for line, quantity in lines.items() if quantity > 0}
        short = [
            (line, quantity, open_by_line.get(line, 0))
            for line, quantity in wanted.items()
            if quantity > open_by_line.get(line, 0)
        ]
        if short or not any(wanted.values()):
            raise ReservationShort(short)
        changes, movements, handed = [], [], []
        left = dict(wanted)
        for held in found.reservations:
            quantity = min(held.quantity_open, left.get(held.line_id, 0))
            if quantity <= 0 or held.bucket == "in_transit_committed":
                continue
            left[held.line_id] -= quantity
            changes.append(_less(held, quantity, "fulfilled"))
            handed.append((held.line_id, held.location_id, held.variant_id, quantity))
            movements.append(
                Movement(
                    variant_id=held.variant_id,
                    quantity=quantity,
                    from_place=held.bucket,
                    from_location_id=held.location_id,
                    to_place="customer",
                    line_id=held.line_id,
                )
            )
        outcome = await ledger.book(
            tx,
            actor,
            [Act(cause=cause, movements=movements)],
            changes=changes,
            occurred_at=occurred_at,
            business_date=business_date,
        )
        if outcome.posted:
            return _handed(handed, outcome)
    raise Busy(retry_after_seconds=1)


async def sell(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    location_id: UUID,
    lines: Sequence[SaleLine],
    occurred_at: datetime | None = None,
    business_date: date | None = None,
) -> list[HandedOver]:
    """Book goods that have left with a customer at a till. Never refused for lack of stock (DESIGN 6).

    Takes what is available; then what has expired; then reservations, then commitments, the newest first, whose owners
    PromiseBroken names; what the books did not know at all is corrected, and CountNeeded published. One statement; three
    when `available` is short.
    """
    movements = [
        Movement(
            variant_id=line.variant_id,
            quantity=line.quantity,
            from_place="available",
            from_location_id=location_id,
            to_place="customer",
            line_id=line.line_id,
        )
        for line in lines
    ]
    outcome = await _take(tx, actor, cause, movements, occurred_at, business_date)
    if outcome.replayed:
        return await _handed_over(tx, cause)
    return _handed([(line.line_id, location_id, line.variant_id, line.quantity) for line in lines], outcome)


async def adjust(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    location_id: UUID,
    variant_id: UUID,
    delta: int,
    reason: AdjustmentReason,
    bucket: ShelfBucket = "available",
    occurred_at: datetime | None = None,
    business_date: date | None = None,
    note: str | None = None,
) -> None:
    """Book a physical fact about goods on the shelf: found, lost, broken, counted.

    What is taken from `available` breaks promises like `sell`, and like it is never refused for them; but more than is there
    at all is refused as a slip of the pen. Raises BelowZero, WrongDirection, LevelTooHigh.
    """
    text = reason if note is None else f"{reason}: {note}"
    if delta == 0:
        raise WrongDirection(reason=reason, rule="moves at least one unit")
    if delta > 0:
        if reason not in GAINS:
            raise WrongDirection(reason=reason, rule="takes goods away: give a negative delta")
        gain = Movement(
            variant_id=variant_id, quantity=delta, from_place="loss", to_place=bucket, to_location_id=location_id
        )
        outcome = await ledger.post(
            tx, actor, cause=cause, movements=[gain], occurred_at=occurred_at, business_date=business_date, reason=text
        )
        await _booked_or_too_high(tx, cause, outcome)
        return
    if reason not in LOSES:
        raise WrongDirection(reason=reason, rule="brings goods in: give a positive delta")
    to_place = LOSES[reason]
    if to_place == bucket:
        raise WrongDirection(reason=reason, rule="cannot take from the bucket it fills")
    loss = Movement(
        variant_id=variant_id,
        quantity=-delta,
        from_place=bucket,
        from_location_id=location_id,
        to_place=to_place,
        to_location_id=location_id if to_place == "damaged" else None,
    )
    if bucket == "available":
        await _take(tx, actor, cause, [loss], occurred_at, business_date, reason=text, known_only=True)
        return
    outcome = await ledger.post(
        tx, actor, cause=cause, movements=[loss], occurred_at=occurred_at, business_date=business_date, reason=text
    )
    if not outcome.posted and not outcome.replayed and not await _is_posted(tx, cause):
        raise BelowZero(left=getattr(outcome.levels[location_id, variant_id], bucket), bucket=bucket)


async def book_fact(tx: Tx, actor: Actor, act: Act) -> None:
    """Book an act on `available` as a physical fact: what it takes breaks promises like `sell`, but never more than is known.

    Raises BelowZero.
    """
    await _take(tx, actor, act.cause, act.movements, None, act.business_date, reason=act.reason, known_only=True)


async def sweep(tx: Tx, actor: Actor, *, limit: int = 500) -> int:
    """Give back reservations that have expired, at most `limit` of them, those longest expired first; how many."""
    for _ in range(ATTEMPTS):
        rows = await tx.rows(EXPIRED, at=tx.at, limit=limit)
        if not rows:
            return 0
        expiries = [ledger.expiry(ledger.reservation(row)) for row in rows]
        outcome = await ledger.book(tx, actor, [act for act, _ in expiries], changes=[change for _, change in expiries])
        if outcome.posted:
            return len(expiries)
    raise Busy(retry_after_seconds=1)


EXPIRED = """
SELECT * FROM stock.reservations WHERE state = 'reserved' AND expires_at <= :at ORDER BY expires_at LIMIT :limit
"""
MOVED = """
SELECT m.line_id, m.variant_id, sum(m.quantity)::integer AS quantity, max(m.unit_cost) AS unit_cost
FROM stock.postings p JOIN stock.movements m ON m.posting_id = p.id
WHERE p.cause_kind = :kind AND p.cause_id = :id AND m.to_place = :to_place AND m.line_id IS NOT NULL
GROUP BY m.line_id, m.variant_id ORDER BY min(m.n)
"""


async def _is_posted(tx: Tx, cause: Cause) -> bool:
    return cause.id in await ledger.posted_of(tx, cause.kind, [cause.id])


async def _handed_over(tx: Tx, cause: Cause) -> list[HandedOver]:
    rows = await tx.rows(MOVED, kind=cause.kind, id=cause.id, to_place="customer")
    return [
        HandedOver(line_id=row.line_id, variant_id=row.variant_id, quantity=row.quantity, unit_cost=row.unit_cost)
        for row in rows
    ]


async def _posted_per_line(tx: Tx, cause: Cause, to_place: Place) -> dict[UUID, int]:
    rows = await tx.rows(MOVED, kind=cause.kind, id=cause.id, to_place=to_place)
    quantities: dict[UUID, int] = {}
    for row in rows:
        quantities[row.line_id] = quantities.get(row.line_id, 0) + row.quantity
    return quantities


def _handed(moved: Iterable[tuple[UUID, UUID, UUID, int]], outcome: Outcome) -> list[HandedOver]:
    """One entry per line and variant, from (line, location, variant, quantity)."""
    sums: dict[tuple[UUID, UUID], int] = {}
    averages: dict[UUID, int | None] = {}
    for line_id, location_id, variant_id, quantity in moved:
        sums[line_id, variant_id] = sums.get((line_id, variant_id), 0) + quantity
        averages[variant_id] = outcome.levels[location_id, variant_id].average
    return [
        HandedOver(line_id=line_id, variant_id=variant_id, quantity=quantity, unit_cost=averages[variant_id])
        for (line_id, variant_id), quantity in sums.items()
    ]


async def _booked_or_too_high(tx: Tx, cause: Cause, outcome: Outcome) -> None:
    if not outcome.posted and not outcome.replayed and not await _is_posted(tx, cause):
        raise LevelTooHigh


def _within(held: Reservation, from_place: Bucket, to_place: Bucket, quantity: int) -> Movement:
    return Movement(
        variant_id=held.variant_id,
        quantity=quantity,
        from_place=from_place,
        from_location_id=held.location_id,
        to_place=to_place,
        to_location_id=held.location_id,
        line_id=held.line_id,
    )


def _freed(bucket: Bucket) -> Bucket:
    return "in_transit" if bucket == "in_transit_committed" else "available"


def _less(held: Reservation, quantity: int, end: Literal["fulfilled", "released", "short"]) -> Change:
    """The reservation with so many units less open; in its end state when none is left."""
    left = held.quantity_open - quantity
    return Change(
        seen=held,
        state=held.state if left else end,
        bucket=held.bucket,
        quantity_open=left,
        quantity_lost=held.quantity_lost + (quantity if end == "short" else 0),
    )


async def _set_aside(
    tx: Tx,
    actor: Actor,
    owner: Owner,
    demands: Sequence[Demand],
    cause: Cause,
    bucket: Literal["reserved", "committed"],
    expires_at: datetime | None,
    business_date: date | None,
) -> None:
    movements = [
        Movement(
            variant_id=demand.variant_id,
            quantity=demand.quantity,
            from_place="available",
            from_location_id=demand.location_id,
            to_place=bucket,
            to_location_id=demand.location_id,
            line_id=demand.line_id,
        )
        for demand in demands
    ]
    begins = [
        NewReservation(
            owner=owner,
            line_id=demand.line_id,
            location_id=demand.location_id,
            variant_id=demand.variant_id,
            bucket=bucket,
            quantity=demand.quantity,
            expires_at=expires_at,
        )
        for demand in demands
    ]
    act = Act(cause=cause, movements=movements)
    outcome = await ledger.book(tx, actor, [act], begins=begins, keep_safety=True, business_date=business_date)
    if outcome.posted or outcome.replayed:
        return
    reclaimed = await _reclaim(tx, demands, outcome.levels, cause)
    if reclaimed is None:
        return
    outcome = await ledger.book(
        tx,
        actor,
        [act, *(act for act, _ in reclaimed)],
        changes=[change for _, change in reclaimed],
        begins=begins,
        keep_safety=True,
        business_date=business_date,
    )
    if not outcome.posted:
        raise Busy(retry_after_seconds=1)


async def _reclaim(
    tx: Tx,
    demands: Sequence[Demand],
    levels: Mapping[Spot, Standing],
    cause: Cause,
    spared: Owner | None = None,
) -> list[tuple[Act, Change]] | None:
    """Expired reservations to give back so that the demands fit, under the lock of their levels; None when the cause has been
    posted meanwhile. Raises InsufficientStock."""
    wanted: dict[Spot, list[Demand]] = {}
    for demand in demands:
        wanted.setdefault((demand.location_id, demand.variant_id), []).append(demand)
    lacking: dict[Spot, int] = {}
    for spot, spot_demands in wanted.items():
        level = levels[spot]
        lack = sum(demand.quantity for demand in spot_demands) - max(0, level.available - level.safety_stock)
        if lack > 0:
            lacking[spot] = lack
    found = await ledger.expired_on_levels(tx, lacking, cause)
    if found.posted:
        return None
    reclaimed = []
    for held in found.reservations:
        spot = (held.location_id, held.variant_id)
        if lacking[spot] > 0 and held.owner != spared:
            lacking[spot] -= held.quantity_open
            reclaimed.append(ledger.expiry(held))
    short = []
    for spot in sorted(lacking):
        if lacking[spot] > 0:
            spot_demands = wanted[spot]
            total = sum(demand.quantity for demand in spot_demands)
            short.append(
                Short(
                    line_id=spot_demands[0].line_id if len(spot_demands) == 1 else None,
                    variant_id=spot[1],
                    location_id=spot[0],
                    wanted=total,
                    left=total - lacking[spot],
                )
            )
    if short:
        raise InsufficientStock(short)
    return reclaimed


async def _take(
    tx: Tx,
    actor: Actor,
    cause: Cause,
    movements: Sequence[Movement],
    occurred_at: datetime | None,
    business_date: date | None,
    *,
    reason: str | None = None,
    known_only: bool = False,
) -> Outcome:
    """Take goods from `available` as a physical fact: what is lacking comes from expired reservations, live ones, nowhere."""
    act = Act(cause=cause, movements=movements, reason=reason)
    outcome = await ledger.book(tx, actor, [act], occurred_at=occurred_at, business_date=business_date)
    for _ in range(ATTEMPTS):
        if outcome.posted or outcome.replayed:
            return outcome
        wanted: dict[Spot, int] = {}
        for movement in movements:
            if movement.from_location_id is not None:
                spot = (movement.from_location_id, movement.variant_id)
                wanted[spot] = wanted.get(spot, 0) + movement.quantity
        lacking = {spot: quantity - outcome.levels[spot].available for spot, quantity in wanted.items()}
        lacking = {spot: lack for spot, lack in lacking.items() if lack > 0}
        found = await ledger.on_levels(tx, lacking, cause)
        if found.posted:
            return msgspec.structs.replace(outcome, replayed=True)
        expiries, changes, before, broken = [], [], [], []
        for held in sorted(found.reservations, key=lambda held: _taken_in_order(held, tx.at)):
            spot = (held.location_id, held.variant_id)
            lack = lacking[spot]
            if lack <= 0 or held.bucket == "in_transit_committed":
                continue
            if _expired(held, tx.at):
                expiries.append(ledger.expiry(held))
                lacking[spot] -= held.quantity_open
                continue
            quantity = min(lack, held.quantity_open)
            lacking[spot] -= quantity
            changes.append(_less(held, quantity, "short"))
            before.append(_within(held, held.bucket, "available", quantity))
            broken.append(
                BrokenLine(
                    owner_kind=held.owner.kind,
                    owner_id=held.owner.id,
                    line_id=held.line_id,
                    variant_id=held.variant_id,
                    quantity=quantity,
                )
            )
        missing = {spot: lack for spot, lack in lacking.items() if lack > 0}
        if missing and known_only:
            spot = min(missing)
            raise BelowZero(left=wanted[spot] - missing[spot], bucket="available")
        before += [
            Movement(variant_id=spot[1], quantity=lack, from_place="loss", to_place="available", to_location_id=spot[0])
            for spot, lack in sorted(missing.items())
        ]
        act = Act(cause=cause, movements=[*before, *movements], reason=reason)
        outcome = await ledger.book(
            tx,
            actor,
            [act, *(act for act, _ in expiries)],
            changes=[*changes, *(change for _, change in expiries)],
            occurred_at=occurred_at,
            business_date=business_date,
        )
        if outcome.posted:
            _tell(tx, actor, act, broken, missing)
    raise Busy(retry_after_seconds=1)


def _expired(held: Reservation, at: datetime) -> bool:
    return held.state == "reserved" and held.expires_at is not None and held.expires_at <= at


def _taken_in_order(held: Reservation, at: datetime) -> tuple[int, float, int]:
    """The weakest claim first: expired, reserved, committed; in each the newest."""
    rank = 0 if _expired(held, at) else 1 if held.state == "reserved" else 2
    return rank, -held.created_at.timestamp(), -held.id.int


def _tell(tx: Tx, actor: Actor, act: Act, broken: Sequence[BrokenLine], missing: Mapping[Spot, int]) -> None:
    location_id = next(m.from_location_id for m in reversed(act.movements) if m.from_location_id is not None)
    if broken:
        event = PromiseBroken(
            aggregate_id=act.id,
            version=1,
            location_id=location_id,
            fulfillment_ids=sorted({line.owner_id for line in broken if line.owner_kind == "fulfillment"}),
            checkout_ids=sorted({line.owner_id for line in broken if line.owner_kind == "checkout"}),
            lines=list(broken),
        )
        outbox.record(tx, actor, event)
    if missing:
        lines = [MissingLine(variant_id=spot[1], quantity=lack) for spot, lack in sorted(missing.items())]
        outbox.record(tx, actor, CountNeeded(aggregate_id=act.id, version=1, location_id=location_id, lines=lines))
