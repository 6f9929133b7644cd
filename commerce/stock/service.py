"""Promises: what is set aside for a checkout, an order or a transfer, and what becomes of it. Each verb is one posting, and a no-op
when its cause has been posted before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from commerce import locations
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy
from commerce.stock import expected, ledger, units
from commerce.stock.bundles import parts_of, units_held, units_of_lines
from commerce.stock.errors import InsufficientStock
from commerce.stock.ledger import ATTEMPTS, Act, Change, NewReservation, Spot, Standing
from commerce.stock.lines import handed, handed_over, posted_per_line
from commerce.stock.portions import bucket_of, changed, portions, reservation_short, within
from commerce.stock.schemas import Cause, Demand, GivenUp, HandedOver, Movement, Owner, Reservation, Short


async def promise(
    tx: Tx,
    actor: Actor,
    *,
    owner: Owner,
    demands: Sequence[Demand],
    cause: Cause,
    keep_safety: bool = True,
    business_date: date | None = None,
) -> None:
    """Commit goods to a placed order at once: available -> committed, all lines or none.

    Demands may name several locations, and leave the safety stock alone unless `keep_safety` is false; one with an `expected_id`
    stands on what is announced there. Reclaims expired reservations. One statement; one more when something stands on an announcement,
    two when something is short. Raises InsufficientStock.
    """
    await _set_aside(tx, actor, owner, demands, cause, "committed", None, business_date, keep_safety)


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


NOT_YET_HIS = ("reserved", "expired", "short")
"""States of what is reserved, or was until it expired or a physical fact took it."""


async def commit(tx: Tx, actor: Actor, *, owner: Owner, cause: Cause, business_date: date | None = None) -> None:
    """What is reserved for the owner becomes committed: reserved -> committed. What has expired and was given up, or was taken by a
    physical fact, is taken again from `available`, if it is still there. Two statements. Raises InsufficientStock."""
    for _ in range(ATTEMPTS):
        found = await ledger.of_owner(tx, owner, cause)
        if found.posted:
            return
        mine = [held for held in found.reservations if held.bucket == "reserved" and held.state in NOT_YET_HIS]
        if not mine:
            return
        changes = [
            Change(
                seen=held,
                state="committed",
                bucket="committed",
                quantity_open=held.quantity_open + held.quantity_lost,
                quantity_lost=0,
            )
            for held in mine
        ]
        movements = [
            *(within(held, "reserved", "committed", held.quantity_open) for held in mine if held.quantity_open),
            *(within(held, "available", "committed", held.quantity_lost) for held in mine if held.quantity_lost),
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
                    line_id=held.line_id,
                    location_id=held.location_id,
                    variant_id=held.variant_id,
                    quantity=held.quantity_lost,
                )
                for held in mine
                if held.quantity_lost
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
    location_id: UUID | None = None,
    last_at: UUID | None = None,
    reason: str | None = None,
    business_date: date | None = None,
) -> dict[UUID, int]:
    """Give back what is set aside for the owner, as `give_up` does. Answers the quantity given back per line; lines that have nothing
    left are absent. Two statements."""
    given = await give_up(
        tx, actor, owner=owner, cause=cause, lines=lines, location_id=location_id, last_at=last_at, reason=reason,
        business_date=business_date,
    )  # fmt: skip
    if given is None:
        return await posted_per_line(tx, cause, "available")
    return units_of_lines((part.line_id, part.variant_id, part.freed, part.per_unit) for part in given if part.freed)


async def give_up(
    tx: Tx,
    actor: Actor,
    *,
    owner: Owner,
    cause: Cause,
    lines: Mapping[UUID, int] | None = None,
    location_id: UUID | None = None,
    last_at: UUID | None = None,
    first_at: UUID | None = None,
    reason: str | None = None,
    business_date: date | None = None,
) -> list[GivenUp] | None:
    """Give back what is set aside for the owner, all of it or up to a quantity per line: reserved or committed -> available.

    With a `location_id` only what stands there, or is lost. What is committed `last_at` a location is given back after what is still
    on its way to it, and that before what has not left elsewhere. What stands or was lost `first_at` a location goes before
    everything else.

    What the owner gives up is first what he has lost already: nothing moves for those units, he only wants them no more. Units with
    codes in his box beyond what he keeps go back to the shelf, those picked last first: one more statement.
    Answers what was given up of each reservation; None when the cause has been posted before. Two statements.
    """
    for _ in range(ATTEMPTS):
        found = await ledger.of_owner(tx, owner, cause)
        if found.posted:
            return None
        # The newest first: what was added last is given back first.
        newest = [
            held
            for held in found.reservations[::-1]
            if location_id in (None, held.location_id) or not held.quantity_open
        ]
        if last_at is not None:
            newest.sort(
                key=lambda held: 0 if held.bucket == "in_transit_committed" else 1 + (held.location_id == last_at)
            )
        groups = [newest]
        if first_at is not None:
            newest.sort(key=lambda held: held.bucket != "in_transit_committed")
            groups = [[held for held in newest if (held.location_id == first_at) == there] for there in (True, False)]
        left = units_held(newest, lines)
        forgone: dict[UUID, int] = {}
        freed: dict[UUID, int] = {}
        for group in groups:
            forgone |= portions(group, left, lambda held: held.quantity_lost)
            freed |= portions(group, left, lambda held: held.quantity_open)
        changes = [
            changed(held, open_less=freed.get(held.id, 0), lost_less=forgone.get(held.id, 0), end="released")
            for held in newest
            if held.id in freed or held.id in forgone
        ]
        if not changes:
            return []
        movements = [
            within(
                held,
                held.bucket,
                "in_transit" if held.bucket == "in_transit_committed" else "available",
                freed[held.id],
            )
            for held in newest
            if held.id in freed and held.bucket != "promised"
        ]
        outcome = await ledger.book(
            tx,
            actor,
            [Act(cause=cause, movements=movements, reason=reason)],
            changes=changes,
            business_date=business_date,
        )
        if outcome.posted:
            plans: dict[UUID, int] = {}
            for held in newest:
                if held.id in freed and held.expected_id and held.bucket in ("promised", "in_transit_committed"):
                    plans[held.expected_id] = plans.get(held.expected_id, 0) - freed[held.id]
            await expected.take(tx, plans)
            given_up = {held.id: freed.get(held.id, 0) + forgone.get(held.id, 0) for held in newest}
            await units.put_back(tx, actor, outcome, owner, found, given_up)
            return [
                GivenUp(
                    line_id=held.line_id, variant_id=held.variant_id, location_id=held.location_id, bucket=held.bucket,
                    expected_id=held.expected_id, per_unit=held.per_unit, freed=freed.get(held.id, 0), forgone=forgone.get(held.id, 0),
                )
                for held in newest if given_up[held.id]
            ]  # fmt: skip
    raise Busy(retry_after_seconds=1)


async def promise_again(
    tx: Tx,
    actor: Actor,
    *,
    owner: Owner,
    cause: Cause,
    location_id: UUID | None = None,
    business_date: date | None = None,
) -> dict[UUID, int]:
    """Commit again what a physical fact took from the owner's commitments, as much as there is: available -> committed.

    At `location_id` when it is given: what was lost elsewhere, and all of it there, is made up from this shelf. Somebody has looked at
    it, so the safety stock is no reason to leave a promise broken; expired reservations are
    reclaimed. Answers the units promised again per line; `lost` tells what is still missing. Without anything to promise
    again there is no posting. Two statements; up to five when `available` lacks some.
    """
    levels: Mapping[Spot, Standing] | None = None
    for _ in range(ATTEMPTS):
        found = await ledger.of_owner(tx, owner, cause)
        if found.posted:
            return await posted_per_line(tx, cause, "committed")
        gone = [
            held
            for held in found.reservations
            if held.quantity_lost and held.bucket == "committed" and held.state != "released"
        ]
        placed = {held.id: _moved(held, location_id) for held in gone}
        again = {held.id: held.quantity_lost for held in gone}
        expiries: list[tuple[Act, Change]] = []
        if levels is not None:
            spare = await _spare(tx, [(placed[held.id], again[held.id]) for held in gone], levels, cause, owner)
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
                location_id=placed[held.id].location_id,
            )
            for held in gone
            if again[held.id]
        ]
        if not changes:
            return {}
        movements = [
            within(placed[held.id], "available", "committed", again[held.id]) for held in gone if again[held.id]
        ]
        outcome = await ledger.book(
            tx,
            actor,
            [Act(cause=cause, movements=movements), *(act for act, _ in expiries)],
            changes=[*changes, *(change for _, change in expiries)],
            business_date=business_date,
        )
        if outcome.posted:
            return units_of_lines((h.line_id, h.variant_id, again[h.id], h.per_unit) for h in gone if again[h.id])
        levels = outcome.levels
    raise Busy(retry_after_seconds=1)


async def hand_over(
    tx: Tx,
    actor: Actor,
    *,
    owner: Owner,
    cause: Cause,
    lines: Mapping[UUID, int] | None = None,
    location_id: UUID | None = None,
    codes: Mapping[UUID, Sequence[str]] | None = None,
    occurred_at: datetime | None = None,
    business_date: date | None = None,
) -> list[HandedOver]:
    """Goods set aside for the owner leave with the customer: all of them, or a quantity per line; of `location_id` alone when given.

    What a physical fact took from the owner is made up from `available` (and expired reservations) at the same location:
    whoever stands at the counter holds it in his hands, so neither the safety stock nor a check that nobody made is in the
    way. What `available` lacks too is refused, and not taken from the promises of others: a customer who waits at a counter
    can be told, unlike one who has left a till. Two statements; up to five when something is made up; one more when units have codes.

    `codes` by variant name all units that have codes of their own: those picked for these lines, if their codes were read then.
    Raises ReservationShort; name the lines to hand over what is left. Raises UnitCodesNeeded, UnitCodesNotKept, UnitCodeRepeated,
    UnitNotHere, UnitNotPicked.
    """
    levels: Mapping[Spot, Standing] | None = None
    for _ in range(ATTEMPTS):
        found = await ledger.of_owner(tx, owner, cause)
        if found.posted:
            return await handed_over(tx, cause)
        here = [
            held
            for one in found.reservations
            if (held := _moved(one, location_id)).bucket in ("reserved", "committed")
            and location_id in (None, held.location_id)
        ]
        seen = {one.id: one for one in found.reservations}
        wanted = units_held(here, lines)
        asked = None if lines is None else {line: quantity for line, quantity in lines.items() if quantity > 0}
        per_unit = {(held.line_id, held.variant_id): held.per_unit for held in here}
        left = dict(wanted)
        out = portions(here, left, lambda held: held.quantity_open)
        made_up = portions(here, left, lambda held: held.quantity_lost)
        expiries: list[tuple[Act, Change]] = []
        unknown = [] if asked is None else [line for line in asked if not any(line == key[0] for key in wanted)]
        if not any(wanted.values()) or any(left.values()) or unknown:
            missing = dict(left)
            for held in here:
                if held.id in made_up:
                    missing[held.line_id, held.variant_id] += made_up[held.id]
            raise reservation_short(asked, wanted, missing, per_unit)
        if made_up and levels is not None:
            lacking = [(held, made_up[held.id]) for held in here if held.id in made_up]
            spare = await _spare(tx, lacking, levels, cause, owner)
            if spare is None:
                continue
            missing = dict.fromkeys(wanted, 0)
            for held, quantity in lacking:
                missing[held.line_id, held.variant_id] += quantity - spare[0][held.id]
            if any(missing.values()):
                raise reservation_short(asked, wanted, missing, per_unit)
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
                per_unit=held.per_unit,
            )
            for held in taken
            for place, quantity in ((bucket_of(held), out.get(held.id, 0)), ("available", made_up.get(held.id, 0)))
            if quantity
        ]
        outcome = await ledger.book(
            tx,
            actor,
            [Act(cause=cause, movements=movements), *(act for act, _ in expiries)],
            changes=[
                *(
                    changed(
                        seen[held.id], open_less=out.get(held.id, 0), lost_less=made_up.get(held.id, 0), end="fulfilled"
                    )
                    for held in taken
                ),
                *(change for _, change in expiries),
            ],
            tracked=True,
            occurred_at=occurred_at,
            business_date=business_date,
        )
        if outcome.posted:
            leaving = [(held, out.get(held.id, 0) + made_up.get(held.id, 0)) for held in taken]
            await units.handed_over(tx, actor, outcome, owner, found, leaving, codes or {})
            averages = {variant_id: level.average for (_, variant_id), level in outcome.levels.items()}
            return handed(
                (h.line_id, h.variant_id, out.get(h.id, 0) + made_up.get(h.id, 0), h.per_unit, averages[h.variant_id])
                for h in taken
            )
        levels = outcome.levels
    raise Busy(retry_after_seconds=1)


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


async def _set_aside(
    tx: Tx,
    actor: Actor,
    owner: Owner,
    demands: Sequence[Demand],
    cause: Cause,
    bucket: Literal["reserved", "committed"],
    expires_at: datetime | None,
    business_date: date | None,
    keep_safety: bool = True,
) -> None:
    pieces = [
        (demand, part.variant_id, demand.quantity * part.quantity, part.quantity)
        for demand in demands
        for part in parts_of(demand)
    ]
    movements = [
        Movement(
            variant_id=variant_id,
            quantity=quantity,
            from_place="available",
            from_location_id=demand.location_id,
            to_place=bucket,
            to_location_id=demand.location_id,
            line_id=demand.line_id,
            per_unit=per_unit,
        )
        for demand, variant_id, quantity, per_unit in pieces
        if demand.expected_id is None
    ]
    begins = [
        NewReservation(
            owner=owner,
            line_id=demand.line_id,
            location_id=demand.location_id,
            variant_id=variant_id,
            bucket=bucket if demand.expected_id is None else "promised",
            quantity=quantity,
            expires_at=expires_at,
            per_unit=per_unit,
            expected_id=demand.expected_id,
        )
        for demand, variant_id, quantity, per_unit in pieces
    ]
    act = Act(cause=cause, movements=movements)
    outcome = await ledger.book(tx, actor, [act], begins=begins, keep_safety=keep_safety, business_date=business_date)
    if outcome.replayed:
        return
    if not outcome.posted:
        shelf = [
            Demand(line_id=demand.line_id, location_id=demand.location_id, variant_id=variant_id, quantity=quantity)
            for demand, variant_id, quantity, _ in pieces
            if demand.expected_id is None
        ]
        reclaimed = await _reclaim(tx, shelf, outcome.levels, cause, keep_safety=keep_safety)
        if reclaimed is None:
            return
        outcome = await ledger.book(
            tx,
            actor,
            [act, *(act for act, _ in reclaimed)],
            changes=[change for _, change in reclaimed],
            begins=begins,
            keep_safety=keep_safety,
            business_date=business_date,
        )
        if not outcome.posted:
            raise Busy(retry_after_seconds=1)
    await _stand_on_plans(tx, demands)


async def _stand_on_plans(tx: Tx, demands: Sequence[Demand]) -> None:
    """Count the demands that stand on what is announced. Raises InsufficientStock when less of it is free."""
    plans: dict[UUID, int] = {}
    for demand in demands:
        if demand.expected_id is not None:
            plans[demand.expected_id] = plans.get(demand.expected_id, 0) + demand.quantity
    lacking = await expected.take(tx, plans)
    if lacking:
        found, _ = await expected.under_lock(tx, sorted(lacking))
        raise InsufficientStock(
            [
                Short(
                    line_id=demand.line_id, variant_id=demand.variant_id, location_id=demand.location_id, wanted=demand.quantity,
                    left=found[demand.expected_id].free if demand.expected_id in found else 0,
                )
                for demand in demands if demand.expected_id in lacking
            ]
        )  # fmt: skip


async def _reclaim(
    tx: Tx,
    demands: Sequence[Demand],
    levels: Mapping[Spot, Standing],
    cause: Cause,
    spared: Owner | None = None,
    keep_safety: bool = True,
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
        lack = (
            sum(demand.quantity for demand in spot_demands)
            - level.available
            + (level.safety_stock if keep_safety else 0)
        )
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


def _moved(held: Reservation, location_id: UUID | None) -> Reservation:
    """A reservation of which all is lost is made up wherever somebody finds the goods."""
    if location_id is None or held.quantity_open or held.location_id == location_id:
        return held
    return msgspec.structs.replace(held, location_id=location_id)


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
