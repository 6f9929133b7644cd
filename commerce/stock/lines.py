"""What postings did, by the lines of the documents they belong to."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from commerce.infra.db import Tx
from commerce.stock import ledger
from commerce.stock.bundles import units_of_lines
from commerce.stock.errors import LevelTooHigh
from commerce.stock.ledger import Outcome
from commerce.stock.schemas import Cause, HandedOver, Place

MOVED = """
SELECT m.line_id, m.variant_id, m.per_unit, sum(m.quantity)::integer AS quantity, max(m.unit_cost) AS unit_cost
FROM stock.postings p JOIN stock.movements m ON m.posting_id = p.id
WHERE p.cause_kind = :kind AND p.cause_id = :id AND m.to_place = :to_place AND m.line_id IS NOT NULL
GROUP BY m.line_id, m.variant_id, m.per_unit ORDER BY min(m.n)
"""


async def handed_over(tx: Tx, cause: Cause) -> list[HandedOver]:
    rows = await tx.rows(MOVED, kind=cause.kind, id=cause.id, to_place="customer")
    return handed((row.line_id, row.variant_id, row.quantity, row.per_unit, row.unit_cost) for row in rows)


async def posted_per_line(tx: Tx, cause: Cause, to_place: Place) -> dict[UUID, int]:
    rows = await tx.rows(MOVED, kind=cause.kind, id=cause.id, to_place=to_place)
    return units_of_lines((row.line_id, row.variant_id, row.quantity, row.per_unit) for row in rows)


def handed(moved: Iterable[tuple[UUID, UUID, int, int, int | None]]) -> list[HandedOver]:
    """One entry per line, from (line, variant, component units, per unit, average cost of one)."""
    by_line: dict[UUID, dict[tuple[UUID, int], tuple[int, int | None]]] = {}
    for line_id, variant_id, quantity, per_unit, average in moved:
        parts = by_line.setdefault(line_id, {})
        parts[variant_id, per_unit] = parts.get((variant_id, per_unit), (0, None))[0] + quantity, average
    handed = []
    for line_id, parts in by_line.items():
        costs = [None if average is None else average * per_unit for (_, per_unit), (_, average) in parts.items()]
        (variant_id, per_unit), (quantity, _) = next(iter(parts.items()))
        handed.append(
            HandedOver(
                line_id=line_id, variant_id=None if len(parts) > 1 or per_unit > 1 else variant_id, quantity=quantity // per_unit,
                unit_cost=None if None in costs else sum(cost for cost in costs if cost is not None),
            )
        )  # fmt: skip
    return handed


async def is_posted(tx: Tx, cause: Cause) -> bool:
    return cause.id in await ledger.posted_of(tx, cause.kind, [cause.id])


async def booked_or_too_high(tx: Tx, cause: Cause, outcome: Outcome) -> None:
    if not outcome.posted and not outcome.replayed and not await is_posted(tx, cause):
        raise LevelTooHigh
