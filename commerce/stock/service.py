"""The verbs of the stock room. Each is one posting, and a no-op when its cause has been posted before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from commerce import locations
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

    What the owner gives up is first what he has lost already: nothing moves for those units, he only wants them no more.
    Answers the quantity given back per line; lines that have nothing left are absent. Two statements.
    """
    for _ in range(ATTEMPTS):
        found = await ledger.of_owner(tx, owner, cause)
        if found.posted:
            return await _posted_per_line(tx, cause, "available")
        # The newest first: what was added last is given back first.
        newest = found.reservations[::-1]
        left = _whole(newest) if lines is None else dict(lines)
        forgone = _portions(newest, left, lambda held: held.quantity_lost)
        freed = _portions(newest, left, lambda held: held.quantity_open)
        changes = [
            _changed(held, open_less=freed.get(held.id, 0), lost_less=forgone.get(held.id, 0), end="released")
            for held in newest
            if held.id in freed or held.id in forgone
        ]
        if not changes:
            return {}
        movements = [
            _within(held, held.bucket, _freed(held.bucket), freed[held.id]) for held in newest if held.id in freed
        ]
        outcome = await ledger.book(
            tx,
            actor,
            [Act(cause=cause, movements=movements, reason=reason)],
            changes=changes,
            business_date=business_date,
        )
        if outcome.posted:
            return _per_line(movements)
    raise Busy(retry_after_seconds=1)


async def promise_again(
    tx: Tx, actor: Actor, *, owner: Owner, cause: Cause, business_date: date | None = None
) -> dict[UUID, int]:
    """Commit again what a physical fact took from the owner's commitments, as much as there is: available -> committed.

    Somebody has looked at the shelf, so the safety stock is no reason to leave a promise broken; expired reservations are
    reclaimed. Answers the units promised again per line; `lost` tells what is still missing. Without anything to promise
    again there is no posting. Two statements; up to five when `available` lacks some.
    """
    levels: Mapping[Spot, Standing] | None = None
    for _ in range(ATTEMPTS):
        found = await ledger.of_owner(tx, owner, cause)
        if found.posted:
            return await _posted_per_line(tx, cause, "committed")
        gone = [
            held
            for held in found.reservations
            if held.quantity_lost and held.bucket == "committed" and held.state != "released"
        ]
        again = {held.id: held.quantity_lost for held in gone}
        expiries: list[tuple[Act, Change]] = []
        if levels is not None:
            spare = await _spare(tx, [(held, again[held.id]) for held in gone], levels, cause, owner)
            if spare is None:
                continue
            again, expiries = spare
        changes = [
            Change(
                seen=held,
                state="committed",
                bucket="committed",
                quantity_open=held.quantity_open + again[held.id],
                quantity_lost=held.quantity_lost - again[held.id],
            )
            for held in gone
            if again[held.id]
        ]
        if not changes:
            return {}
        movements = [_within(held, "available", "committed", again[held.id]) for held in gone if again[held.id]]
        outcome = await ledger.book(
            tx,
            actor,
            [Act(cause=cause, movements=movements), *(act for act, _ in expiries)],
            changes=[*changes, *(change for _, change in expiries)],
            business_date=business_date,
        )
        if outcome.posted:
            return _per_line(movements)
        levels = outcome.levels
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

    What a physical fact took from the owner is made up from `available` (and expired reservations) at the same location:
    whoever stands at the counter holds it in his hands, so neither the safety stock nor a check that nobody made is in the
    way. What `available` lacks too is refused, and not taken from the promises of others: a customer who waits at a counter
    can be told, unlike one who has left a till. Two statements; up to five when something is made up.

    Raises ReservationShort; name the lines to hand over what is left.
    """
    levels: Mapping[Spot, Standing] | None = None
    for _ in range(ATTEMPTS):
        found = await ledger.of_owner(tx, owner, cause)
        if found.posted:
            return await _handed_over(tx, cause)
        here = [held for held in found.reservations if held.bucket != "in_transit_committed"]
        wanted = _whole(here) if lines is None else {line: quantity for line, quantity in lines.items() if quantity > 0}
        left = dict(wanted)
        out = _portions(here, left, lambda held: held.quantity_open)
        made_up = _portions(here, left, lambda held: held.quantity_lost)
        expiries: list[tuple[Act, Change]] = []
        if not any(wanted.values()) or any(left.values()):
            there = {line: quantity - left[line] for line, quantity in wanted.items()}
            for held in here:
                if held.id in made_up:
                    there[held.line_id] -= made_up[held.id]
            raise _short(wanted, there)
        if made_up and levels is not None:
            lacking = [(held, made_up[held.id]) for held in here if held.id in made_up]
            spare = await _spare(tx, lacking, levels, cause, owner)
            if spare is None:
                continue
            there = dict(wanted)
            for held, quantity in lacking:
                there[held.line_id] -= quantity - spare[0][held.id]
            if there != wanted:
                raise _short(wanted, there)
            expiries = spare[1]
        taken = [held for held in here if held.id in out or held.id in made_up]
        movements = [
            Movement(
                variant_id=held.variant_id,
                quantity=quantity,
                from_place=place,
                from_location_id=held.location_id,
                to_place="customer",
                line_id=held.line_id,
            )
            for held in taken
            for place, quantity in ((held.bucket, out.get(held.id, 0)), ("available", made_up.get(held.id, 0)))
            if quantity
        ]
        outcome = await ledger.book(
            tx,
            actor,
            [Act(cause=cause, movements=movements), *(act for act, _ in expiries)],
            changes=[
                *(
                    _changed(held, open_less=out.get(held.id, 0), lost_less=made_up.get(held.id, 0), end="fulfilled")
                    for held in taken
                ),
                *(change for _, change in expiries),
            ],
            occurred_at=occurred_at,
            business_date=business_date,
        )
        if outcome.posted:
            handed = [
                (held.line_id, held.location_id, held.variant_id, out.get(held.id, 0) + made_up.get(held.id, 0))
                for held in taken
            ]
            return _handed(handed, outcome)
        levels = outcome.levels
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
    """Give back reservations that have expired, at most `limit` of them, those longest expired first; how many.

    Each is booked on the date of its own location. Three statements.
    """
    for _ in range(ATTEMPTS):
        rows = await tx.rows(EXPIRED, at=tx.at, limit=limit)
        if not rows:
            return 0
        places = await locations.by_ids(tx, sorted({row.location_id for row in rows}))
        expiries = [
            ledger.expiry(ledger.reservation(row), places[row.location_id].business_date(tx.at)) for row in rows
        ]
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


def _whole(reservations: Iterable[Reservation]) -> dict[UUID, int]:
    """All that is open or lost, by line."""
    sums: dict[UUID, int] = {}
    for held in reservations:
        sums[held.line_id] = sums.get(held.line_id, 0) + held.quantity_open + held.quantity_lost
    return sums


def _portions(
    reservations: Iterable[Reservation], left: dict[UUID, int], units_of: Callable[[Reservation], int]
) -> dict[UUID, int]:
    """Units by reservation, in their order, until `left` (by line, counted down here) is used up; no zeros."""
    taken: dict[UUID, int] = {}
    for held in reservations:
        quantity = min(units_of(held), left.get(held.line_id, 0))
        if quantity > 0:
            left[held.line_id] -= quantity
            taken[held.id] = quantity
    return taken


def _per_line(movements: Iterable[Movement]) -> dict[UUID, int]:
    sums: dict[UUID, int] = {}
    for movement in movements:
        assert movement.line_id is not None  # noqa: S101
        sums[movement.line_id] = sums.get(movement.line_id, 0) + movement.quantity
    return sums


def _short(wanted: Mapping[UUID, int], there: Mapping[UUID, int]) -> ReservationShort:
    return ReservationShort(
        [(line, quantity, there[line]) for line, quantity in wanted.items() if quantity > there[line]]
    )


def _less(held: Reservation, quantity: int) -> Change:
    """A physical fact took so many of the open units: `short` when none is left."""
    return Change(
        seen=held,
        state=held.state if held.quantity_open > quantity else "short",
        bucket=held.bucket,
        quantity_open=held.quantity_open - quantity,
        quantity_lost=held.quantity_lost + quantity,
    )


def _changed(held: Reservation, *, open_less: int, lost_less: int, end: Literal["fulfilled", "released"]) -> Change:
    """The reservation after units left or were given up; in its end state when no open one is left of it by that."""
    still_open, lost = held.quantity_open - open_less, held.quantity_lost - lost_less
    over = not still_open and (end == "fulfilled" or (not lost and held.state != "fulfilled"))
    return Change(
        seen=held, state=end if over else held.state, bucket=held.bucket, quantity_open=still_open, quantity_lost=lost
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
        # What is reclaimed fills up the safety stock first: it is no more for sale than what stands there already.
        lack = sum(demand.quantity for demand in spot_demands) - (level.available - level.safety_stock)
        if lack > 0:
            lacking[spot] = lack
    reclaimed = await _expiries(tx, lacking, cause, spared)
    if reclaimed is None:
        return None
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
                    left=max(0, total - lacking[spot]),
                )
            )
    if short:
        raise InsufficientStock(short)
    return reclaimed


async def _expiries(
    tx: Tx, lacking: dict[Spot, int], cause: Cause, spared: Owner | None
) -> list[tuple[Act, Change]] | None:
    """As many expired reservations as make up for what is lacking (counted down here, below zero when one is larger), under
    the lock of their levels; None when the cause has been posted meanwhile. One statement."""
    found = await ledger.expired_on_levels(tx, lacking, cause)
    if found.posted:
        return None
    expiries = []
    for held in found.reservations:
        spot = (held.location_id, held.variant_id)
        if lacking[spot] > 0 and held.owner != spared:
            lacking[spot] -= held.quantity_open
            expiries.append(ledger.expiry(held))
    return expiries


async def _spare(
    tx: Tx, wanted: Sequence[tuple[Reservation, int]], levels: Mapping[Spot, Standing], cause: Cause, owner: Owner
) -> tuple[dict[UUID, int], list[tuple[Act, Change]]] | None:
    """How many of the wanted units are free on the shelves of these reservations, by reservation, zeros included, and which
    expired reservations are given back for it; under the lock of `levels`. None when the cause has been posted meanwhile."""
    free: dict[Spot, int] = {}
    for held, quantity in wanted:
        spot = (held.location_id, held.variant_id)
        free[spot] = free.get(spot, levels[spot].available if spot in levels else ledger.LIMIT) - quantity
    lacking = {spot: -left for spot, left in free.items() if left < 0}
    expiries = await _expiries(tx, lacking, cause, owner)
    if expiries is None:
        return None
    units = {}
    for held, quantity in reversed(wanted):
        spot = (held.location_id, held.variant_id)
        missing = min(quantity, max(0, lacking.get(spot, 0)))
        if missing:
            lacking[spot] -= missing
        units[held.id] = quantity - missing
    return units, expiries


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
            changes.append(_less(held, quantity))
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
