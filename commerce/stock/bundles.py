"""Bundles: a variant made of component quantities. It has no stock of its own: what is set aside and moved are its components.

Callers count in units of their line; the ledger counts components. `per_unit` on reservations and movements says how many of them
are in one unit of the line, so that nothing depends on what the bundle is made of today.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol
from uuid import UUID

import msgspec

from commerce.stock.schemas import Level, Part, Reservation


class Goods(Protocol):
    """A line of goods that may be a bundle."""

    @property
    def variant_id(self) -> UUID: ...
    @property
    def quantity(self) -> int: ...
    @property
    def components(self) -> tuple[Part, ...]: ...


class CodedGoods(Goods, Protocol):
    """A line of goods that names units by their codes."""

    @property
    def codes(self) -> tuple[str, ...]: ...


def parts_of(line: Goods) -> tuple[Part, ...]:
    """What a line is made of: itself, once in each unit, unless it is a bundle."""
    return line.components or (Part(line.variant_id, 1),)


def parts_with_codes(line: CodedGoods) -> tuple[Part, ...]:
    """What a line is made of, with the codes of the units that it names; those named for a bundle itself belong to no unit of it."""
    itself = (Part(line.variant_id, 0 if line.components else 1, line.codes),)
    return line.components + itself if line.components and line.codes else line.components or itself


def units_held(reservations: Iterable[Reservation], lines: Mapping[UUID, int] | None) -> dict[tuple[UUID, UUID], int]:
    """Component units by (line, variant): those of so many units of each line, or all that is open or lost."""
    wanted: dict[tuple[UUID, UUID], int] = {}
    for held in reservations:
        key = held.line_id, held.variant_id
        if lines is None:
            wanted[key] = wanted.get(key, 0) + held.quantity_open + held.quantity_lost
        elif lines.get(held.line_id, 0) > 0:
            wanted[key] = lines[held.line_id] * held.per_unit
    return wanted


def units_of_lines(moved: Iterable[tuple[UUID, UUID, int, int]]) -> dict[UUID, int]:
    """Units by line from (line, variant, component units, per unit): a unit counts as soon as one component of it does."""
    sums: dict[tuple[UUID, UUID, int], int] = {}
    for line_id, variant_id, quantity, per_unit in moved:
        key = line_id, variant_id, per_unit
        sums[key] = sums.get(key, 0) + quantity
    units: dict[UUID, int] = {}
    for (line_id, _, per_unit), quantity in sums.items():
        units[line_id] = max(units.get(line_id, 0), -(-quantity // per_unit))
    return units


def with_bundles(levels: Sequence[Level], bundles: Mapping[UUID, Sequence[Part]]) -> list[Level]:
    """The levels, and for each bundle one wherever all its components are: as many whole bundles as can be promised there."""
    if not bundles:
        return list(levels)
    at: dict[UUID, dict[UUID, Level]] = {}
    for level in levels:
        at.setdefault(level.location_id, {})[level.variant_id] = level
    made = []
    for location_id, here in at.items():
        for bundle_id, parts in bundles.items():
            if parts and all(part.variant_id in here for part in parts):
                ats = min(here[part.variant_id].ats // part.quantity for part in parts)
                made.append(_level(location_id, bundle_id, ats))
    return [*levels, *made]


EMPTY = Level(
    location_id=UUID(int=0), variant_id=UUID(int=0), available=0, reserved=0, committed=0, quality_control=0, damaged=0, in_transit=0,
    in_transit_committed=0, safety_stock=0, ats=0,
)  # fmt: skip


def _level(location_id: UUID, variant_id: UUID, ats: int) -> Level:
    return msgspec.structs.replace(EMPTY, location_id=location_id, variant_id=variant_id, ats=ats)
