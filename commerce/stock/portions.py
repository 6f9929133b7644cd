"""What becomes of reservations when goods move: pure, one reservation or one owner's at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

from commerce.stock.bundles import units_of_lines
from commerce.stock.errors import ReservationShort
from commerce.stock.ledger import Change
from commerce.stock.schemas import Bucket, Movement, Reservation, StandsOn


def within(held: Reservation, from_place: StandsOn, to_place: Bucket, quantity: int) -> Movement:
    assert from_place != "promised"  # noqa: S101
    return Movement(
        variant_id=held.variant_id,
        quantity=quantity,
        from_place=from_place,
        from_location_id=held.location_id,
        to_place=to_place,
        to_location_id=held.location_id,
        line_id=held.line_id,
        per_unit=held.per_unit,
    )


def bucket_of(held: Reservation) -> Bucket:
    """The bucket that a reservation stands on."""
    assert held.bucket != "promised"  # noqa: S101
    return held.bucket


def portions(
    reservations: Iterable[Reservation], left: dict[tuple[UUID, UUID], int], units_of: Callable[[Reservation], int]
) -> dict[UUID, int]:
    """Units by reservation, in their order, until `left` (by line and variant, counted down here) is used up; no zeros."""
    taken: dict[UUID, int] = {}
    for held in reservations:
        key = held.line_id, held.variant_id
        quantity = min(units_of(held), left.get(key, 0))
        if quantity > 0:
            left[key] -= quantity
            taken[held.id] = quantity
    return taken


def reservation_short(
    asked: Mapping[UUID, int] | None,
    wanted: Mapping[tuple[UUID, UUID], int],
    missing: Mapping[tuple[UUID, UUID], int],
    per_unit: Mapping[tuple[UUID, UUID], int],
) -> ReservationShort:
    """Which lines lack how many units: a unit of a bundle lacks as soon as one component does."""
    whole = units_of_lines((*key, units, per_unit[key]) for key, units in wanted.items()) if asked is None else asked
    short = units_of_lines((*key, units, per_unit[key]) for key, units in missing.items())
    known = {line for line, _ in wanted}
    return ReservationShort(
        [
            (line, units, units - short.get(line, 0) if line in known else 0)
            for line, units in whole.items()
            if line not in known or short.get(line, 0)
        ]
    )


def lose(held: Reservation, quantity: int) -> Change:
    """A physical fact took so many of the open units: `short` when none is left."""
    return Change(
        seen=held,
        state=held.state if held.quantity_open > quantity else "short",
        bucket=held.bucket,
        quantity_open=held.quantity_open - quantity,
        quantity_lost=held.quantity_lost + quantity,
    )


def changed(held: Reservation, *, open_less: int, lost_less: int, end: Literal["fulfilled", "released"]) -> Change:
    """The reservation after units left or were given up; in its end state when no open one is left of it by that."""
    still_open, lost = held.quantity_open - open_less, held.quantity_lost - lost_less
    over = not still_open and (end == "fulfilled" or (not lost and held.state != "fulfilled"))
    return Change(
        seen=held, state=end if over else held.state, bucket=held.bucket, quantity_open=still_open, quantity_lost=lost
    )


def expired(held: Reservation, at: datetime) -> bool:
    return held.state == "reserved" and held.expires_at is not None and held.expires_at <= at


def taken_in_order(held: Reservation, at: datetime) -> tuple[int, float, int]:
    """The weakest claim first: expired, reserved, committed; in each the newest."""
    rank = 0 if expired(held, at) else 1 if held.state == "reserved" else 2
    return rank, -held.created_at.timestamp(), -held.id.int
