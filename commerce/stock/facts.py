"""Physical facts: goods came, left, broke, were counted, became something else. They always book (DESIGN 6).

What they take from `available` and is not there comes out of reservations and commitments, the newest first, whose owners PromiseBroken
names; what a person does by choice (convert, return to the vendor) breaks no promise. Each is one posting, and a no-op when its cause
has been posted before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy
from commerce.kernel.money import rounded_ratio
from commerce.stock import expected, ledger, units
from commerce.stock.bundles import parts_of, parts_with_codes
from commerce.stock.errors import BelowZero, LevelTooHigh, WrongDirection
from commerce.stock.events import BrokenLine, CountNeeded, MissingLine
from commerce.stock.ledger import ATTEMPTS, Act, Outcome, Spot
from commerce.stock.lines import booked_or_too_high, handed, handed_over, is_posted
from commerce.stock.portions import expired, lose, taken_in_order, within
from commerce.stock.reasons import GAINS, LOSES
from commerce.stock.schemas import (
    AdjustmentReason,
    Cause,
    Counted,
    HandedOver,
    Movement,
    Portion,
    ReceiptLine,
    Regrade,
    SaleLine,
    ShelfBucket,
    ShelfFate,
    TakeBackLine,
)


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
    """Book goods from a supplier; known unit costs move the variant's average. Raises LevelTooHigh.

    Lines with an `expected_id` fulfil what was announced, as far as it is open: reservations standing on it become committed, the oldest
    first. One statement; nine with an announcement; one more with codes of units. Raises what `units.arrived` does.
    """
    if any(line.expected_id for line in lines):
        await _receive_expected(tx, actor, cause, location_id, lines, occurred_at, business_date, reason)
        return
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
        tx, actor, cause=cause, movements=movements, tracked=any(line.codes for line in lines), occurred_at=occurred_at,
        business_date=business_date, reason=reason,
    )  # fmt: skip
    await booked_or_too_high(tx, cause, outcome)
    await units.arrived(tx, actor, outcome, _arriving(lines, location_id))


def _arriving(lines: Sequence[ReceiptLine], location_id: UUID) -> list[units.Naming]:
    return [
        units.Naming(
            variant_id=line.variant_id, quantity=line.quantity, codes=line.codes, place=line.bucket, location_id=location_id
        )
        for line in lines
    ]  # fmt: skip


async def _receive_expected(
    tx: Tx,
    actor: Actor,
    cause: Cause,
    location_id: UUID,
    lines: Sequence[ReceiptLine],
    occurred_at: datetime | None,
    business_date: date | None,
    reason: str | None,
) -> None:
    await ledger.lock(tx, ((location_id, line.variant_id) for line in lines))
    if await is_posted(tx, cause):
        return
    plans, standing = await expected.under_lock(tx, sorted({line.expected_id for line in lines if line.expected_id}))
    settled = expected.Settlement()
    surplus = []
    for line in lines:
        left = line.quantity
        plan = plans.get(line.expected_id) if line.expected_id else None
        if plan is not None:
            if (plan.location_id, plan.variant_id) != (location_id, line.variant_id):
                raise ValueError("goods fulfil an announcement of the same goods for the same location")
            came = settled.plans.get(plan.id, [0, 0, 0])
            coming = min(left, plan.open - came[0])
            if coming:
                left -= coming
                expected.arrive(
                    settled, plan, standing.setdefault(plan.id, []), coming, to=line.bucket, free_from="supplier",
                    unit_cost=line.unit_cost,
                )  # fmt: skip
        if left:
            surplus.append(
                Movement(
                    variant_id=line.variant_id, quantity=left, from_place="supplier", to_place=line.bucket,
                    to_location_id=location_id, unit_cost=line.unit_cost,
                )
            )  # fmt: skip
    act = settled.act(cause, reason, *surplus)
    outcome = await ledger.book(
        tx, actor, [act], changes=settled.changes, begins=settled.begins, tracked=any(line.codes for line in lines),
        occurred_at=occurred_at, business_date=business_date,
    )  # fmt: skip
    await booked_or_too_high(tx, cause, outcome)
    await units.arrived(tx, actor, outcome, _arriving(lines, location_id))
    await expected.write(tx, settled)
    expected.tell(tx, actor, act, location_id, settled)


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
    """Book goods that came back from a customer into the buckets they stand in now. One statement; two when units have codes.

    Units with codes must all be named, and have left with this order line. Raises LevelTooHigh, UnitCodesNeeded, UnitCodesNotKept,
    UnitCodeRepeated, UnitNotOut.
    """
    outcome = await _taken(tx, actor, cause, location_id, lines, occurred_at, business_date, reason)
    await units.came_back(tx, actor, outcome, _back(lines, location_id))


async def take_back_unsold(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    location_id: UUID,
    lines: Sequence[TakeBackLine],
    business_date: date | None = None,
    reason: str | None = None,
) -> None:
    """The same of goods whose sale nobody knows: they are of no order line. One statement; two when units have codes.

    Units with codes must all be named, and nobody may have known them. Raises LevelTooHigh, UnitCodesNeeded, UnitCodesNotKept,
    UnitCodeRepeated, UnitOnRecord; ValueError when a line names an order line.
    """
    if any(line.line_id for line in lines):
        raise ValueError("goods whose sale nobody knows are of no line")
    outcome = await _taken(tx, actor, cause, location_id, lines, None, business_date, reason)
    await units.turned_up(tx, actor, outcome, _back(lines, location_id))


async def _taken(
    tx: Tx,
    actor: Actor,
    cause: Cause,
    location_id: UUID,
    lines: Sequence[TakeBackLine],
    occurred_at: datetime | None,
    business_date: date | None,
    reason: str | None,
) -> Outcome:
    movements = [
        Movement(
            variant_id=part.variant_id,
            quantity=line.quantity * part.quantity,
            from_place="customer",
            to_place=line.bucket,
            to_location_id=location_id,
            line_id=line.line_id,
            per_unit=part.quantity,
        )
        for line in lines
        for part in parts_of(line)
    ]
    outcome = await ledger.post(
        tx, actor, cause=cause, movements=movements, tracked=True, occurred_at=occurred_at, business_date=business_date, reason=reason
    )  # fmt: skip
    await booked_or_too_high(tx, cause, outcome)
    return outcome


def _back(lines: Sequence[TakeBackLine], location_id: UUID) -> list[units.Naming]:
    return [
        units.Naming(
            variant_id=part.variant_id, quantity=line.quantity * part.quantity, codes=part.codes, place=line.bucket,
            location_id=location_id, line_id=line.line_id,
        )
        for line in lines
        for part in parts_with_codes(line)
    ]  # fmt: skip


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
    PromiseBroken names; what the books did not know at all is corrected, and CountNeeded published. Units with codes must all be
    named, and none may have left before. One statement; three when `available` is short; one more when units have codes.

    Raises UnitCodesNeeded, UnitCodesNotKept, UnitCodeRepeated, UnitNotHere; LevelTooHigh for more units than a level can tell.
    """
    movements = [
        Movement(
            variant_id=part.variant_id,
            quantity=line.quantity * part.quantity,
            from_place="available",
            from_location_id=location_id,
            to_place="customer",
            line_id=line.line_id,
            per_unit=part.quantity,
        )
        for line in lines
        for part in parts_of(line)
    ]
    outcome = await _take(tx, actor, cause, movements, occurred_at, business_date, tracked=True)
    if outcome.replayed:
        return await handed_over(tx, cause)
    sold = [
        units.Naming(
            variant_id=part.variant_id, quantity=line.quantity * part.quantity, codes=part.codes, place="customer", line_id=line.line_id
        )
        for line in lines
        for part in parts_with_codes(line)
    ]  # fmt: skip
    await units.sold(tx, actor, outcome, sold)
    averages = {variant_id: level.average for (_, variant_id), level in outcome.levels.items()}
    return handed(
        (line.line_id, part.variant_id, line.quantity * part.quantity, part.quantity, averages[part.variant_id])
        for line in lines
        for part in parts_of(line)
    )


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
        await booked_or_too_high(tx, cause, outcome)
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
    if not outcome.posted and not outcome.replayed and not await is_posted(tx, cause):
        raise BelowZero(left=getattr(outcome.levels[location_id, variant_id], bucket), bucket=bucket)


async def count(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    location_id: UUID,
    lines: Sequence[Counted],
    occurred_at: datetime | None = None,
    business_date: date | None = None,
    reason: str | None = None,
) -> None:
    """Book what a count found more or less of than the books say, all lines in one posting.

    Less in `available` than is promised breaks promises. Raises BelowZero, LevelTooHigh.
    """
    movements = [
        Movement(
            variant_id=line.variant_id,
            quantity=abs(line.delta),
            from_place="loss" if line.delta > 0 else line.bucket,
            from_location_id=None if line.delta > 0 else location_id,
            to_place=line.bucket if line.delta > 0 else "loss",
            to_location_id=location_id if line.delta > 0 else None,
        )
        for line in lines
        if line.delta
    ]
    if movements:
        await _take(tx, actor, cause, movements, occurred_at, business_date, reason=reason, known_only=True)


async def not_there(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    location_id: UUID,
    goods: Mapping[UUID, int],
    fate: ShelfFate,
    business_date: date | None = None,
    reason: str | None = None,
) -> None:
    """Somebody looked for goods on the shelf in vain, or found them broken: so many of each variant, as far as the books have them
    free. One statement when they do, two when not."""
    standing = await ledger.lock(tx, ((location_id, variant_id) for variant_id in goods))
    movements = [
        Movement(
            variant_id=variant_id, quantity=units, from_place="available", from_location_id=location_id, to_place=fate,
            to_location_id=location_id if fate == "damaged" else None,
        )
        for variant_id, wanted in goods.items()
        if (units := min(wanted, standing[location_id, variant_id].available)) > 0
    ]  # fmt: skip
    if movements:
        await _take(tx, actor, cause, movements, None, business_date, reason=reason, known_only=True)


async def move(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    location_id: UUID,
    lines: Sequence[Regrade],
    occurred_at: datetime | None = None,
    business_date: date | None = None,
    reason: str | None = None,
) -> None:
    """Re-grade goods where they stand. From `available` it is a physical fact, which may break promises.

    Raises BelowZero, LevelTooHigh, and for codes of units what `units.moved` does.
    """
    movements = [
        Movement(
            variant_id=line.variant_id,
            quantity=line.quantity,
            from_place=line.from_bucket,
            from_location_id=location_id,
            to_place=line.to_bucket,
            to_location_id=location_id,
        )
        for line in lines
    ]
    outcome = await _take(
        tx, actor, cause, movements, occurred_at, business_date, reason=reason, known_only=True, tracked=any(line.codes for line in lines)
    )  # fmt: skip
    regraded = [
        units.Naming(
            variant_id=line.variant_id, quantity=line.quantity, codes=line.codes, place=line.to_bucket, location_id=location_id
        )
        for line in lines
    ]  # fmt: skip
    await units.moved(tx, actor, outcome, regraded)


async def convert(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    location_id: UUID,
    takes: Sequence[Portion],
    makes: Sequence[Portion],
    occurred_at: datetime | None = None,
    business_date: date | None = None,
    reason: str | None = None,
) -> None:
    """Some goods become others: an open box, a kit made or broken up. One cause; no promise is broken for it.

    What is made costs what was taken (moving averages, in equal shares per unit); unknown when any of it is. Two statements, and one
    each for the codes of units taken and made. Raises BelowZero, LevelTooHigh, and for codes what `units.moved` and
    `units.arrived` do.
    """
    averages = {
        row.variant_id: row.average
        for row in await tx.rows(AVERAGES, variant_ids=sorted({part.variant_id for part in takes}))
    }
    worth = [averages[part.variant_id] * part.quantity for part in takes if part.variant_id in averages]
    unit_cost = rounded_ratio(sum(worth), sum(part.quantity for part in makes)) if len(worth) == len(takes) else None
    movements = [
        *(
            Movement(
                variant_id=part.variant_id, quantity=part.quantity, from_place=part.bucket, from_location_id=location_id,
                to_place="conversion",
            )
            for part in takes
        ),
        *(
            Movement(
                variant_id=part.variant_id, quantity=part.quantity, from_place="conversion", to_place=part.bucket,
                to_location_id=location_id, unit_cost=unit_cost,
            )
            for part in makes
        ),
    ]  # fmt: skip
    named = any(part.codes for part in (*takes, *makes))
    outcome = await _by_choice(tx, actor, cause, movements, occurred_at, business_date, reason, tracked=named)
    await units.moved(tx, actor, outcome, _leaving(takes, "conversion"))
    made = [
        units.Naming(
            variant_id=part.variant_id, quantity=part.quantity, codes=part.codes, place=part.bucket, location_id=location_id
        )
        for part in makes
    ]  # fmt: skip
    await units.arrived(tx, actor, outcome, made, made=True)


def _leaving(portions: Sequence[Portion], place: Literal["supplier", "conversion"]) -> list[units.Naming]:
    return [
        units.Naming(variant_id=part.variant_id, quantity=part.quantity, codes=part.codes, place=place) for part in portions
    ]  # fmt: skip


async def return_to_vendor(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    location_id: UUID,
    lines: Sequence[Portion],
    occurred_at: datetime | None = None,
    business_date: date | None = None,
    reason: str | None = None,
) -> None:
    """Goods go back to their supplier; no promise is broken for it. One statement, one more with codes of units.

    Raises BelowZero, and for codes what `units.moved` does.
    """
    movements = [
        Movement(
            variant_id=line.variant_id, quantity=line.quantity, from_place=line.bucket, from_location_id=location_id, to_place="supplier"
        )
        for line in lines
    ]  # fmt: skip
    named = any(line.codes for line in lines)
    outcome = await _by_choice(tx, actor, cause, movements, occurred_at, business_date, reason, tracked=named)
    await units.moved(tx, actor, outcome, _leaving(lines, "supplier"))


AVERAGES = "SELECT variant_id, average FROM stock.costs WHERE variant_id = ANY(CAST(:variant_ids AS uuid[]))"


async def _by_choice(
    tx: Tx,
    actor: Actor,
    cause: Cause,
    movements: Sequence[Movement],
    occurred_at: datetime | None,
    business_date: date | None,
    reason: str | None,
    *,
    tracked: bool = False,
) -> Outcome:
    outcome = await ledger.post(
        tx, actor, cause=cause, movements=movements, tracked=tracked, occurred_at=occurred_at, business_date=business_date, reason=reason
    )  # fmt: skip
    if outcome.posted or outcome.replayed or await is_posted(tx, cause):
        return outcome
    for spot, change in ledger.deltas(movements).items():
        for bucket, more in change.items():
            there = getattr(outcome.levels[spot], bucket)
            if there + more < 0:
                raise BelowZero(left=there, bucket=bucket)
    raise LevelTooHigh


async def book_fact(tx: Tx, actor: Actor, act: Act) -> None:
    """Book an act on `available` as a physical fact: what it takes breaks promises like `sell`, but never more than is known.

    Raises BelowZero.
    """
    await _take(tx, actor, act.cause, act.movements, None, act.business_date, reason=act.reason, known_only=True)


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
    tracked: bool = False,
) -> Outcome:
    """Take goods from `available` as a physical fact: what is lacking comes from expired reservations, live ones, nowhere."""
    if any(abs(change) > ledger.LIMIT for level in ledger.deltas(movements).values() for change in level.values()):
        raise LevelTooHigh
    act = Act(cause=cause, movements=movements, reason=reason)
    outcome = await ledger.book(tx, actor, [act], tracked=tracked, occurred_at=occurred_at, business_date=business_date)
    for _ in range(ATTEMPTS):
        if outcome.posted or outcome.replayed:
            return outcome
        below = [
            (spot, bucket, there, -there - more)
            for spot, change in ledger.deltas(movements).items()
            for bucket, more in change.items()
            if (there := getattr(outcome.levels[spot], bucket)) + more < 0
        ]
        lacking = {spot: lack for spot, bucket, _, lack in below if bucket == "available"}
        found = await ledger.on_levels(tx, lacking, cause)
        if found.posted:
            return msgspec.structs.replace(outcome, replayed=True)
        for _, bucket, there, _ in below:
            if bucket != "available":
                raise BelowZero(left=there, bucket=bucket)
        if not below and known_only:
            raise LevelTooHigh
        expiries, changes, before, broken = [], [], [], []
        for held in sorted(found.reservations, key=lambda held: taken_in_order(held, tx.at)):
            spot = (held.location_id, held.variant_id)
            lack = lacking[spot]
            if lack <= 0 or held.bucket not in ("reserved", "committed"):
                continue
            if expired(held, tx.at):
                expiries.append(ledger.expiry(held))
                lacking[spot] -= held.quantity_open
                continue
            quantity = min(lack, held.quantity_open)
            lacking[spot] -= quantity
            changes.append(lose(held, quantity))
            before.append(within(held, held.bucket, "available", quantity))
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
            spot, there, lack = min((spot, there, lack) for spot, _, there, lack in below if spot in missing)
            raise BelowZero(left=there + lack - missing[spot], bucket="available")
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
            tracked=tracked,
            occurred_at=occurred_at,
            business_date=business_date,
        )
        if outcome.posted:
            _tell(tx, actor, act, broken, missing)
    raise Busy(retry_after_seconds=1)


def _tell(tx: Tx, actor: Actor, act: Act, broken: Sequence[BrokenLine], missing: Mapping[Spot, int]) -> None:
    location_id = next(m.from_location_id for m in reversed(act.movements) if m.from_location_id is not None)
    if broken:
        outbox.record(tx, actor, expected.broken_event(act.id, location_id, broken))
    if missing:
        lines = [MissingLine(variant_id=spot[1], quantity=lack) for spot, lack in sorted(missing.items())]
        outbox.record(tx, actor, CountNeeded(aggregate_id=act.id, version=1, location_id=location_id, lines=lines))
