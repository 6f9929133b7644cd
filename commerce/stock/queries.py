"""Reads of the stock room: rows straight into views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from commerce.infra.db import Tx
from commerce.kernel.paging import Page, decode_cursor, page_of
from commerce.stock import ledger
from commerce.stock.bundles import with_bundles
from commerce.stock.schemas import Cause, HistoryEntry, Level, Owner, OwnerKind, Part, Reservation

LEVELS = """
SELECT l.location_id, l.variant_id, l.available, l.reserved, l.committed, l.quality_control, l.damaged,
    l.in_transit, l.in_transit_committed, l.safety_stock,
    greatest(0, l.available::bigint - l.safety_stock + CASE WHEN l.reserved = 0 THEN 0 ELSE (
        SELECT coalesce(sum(r.quantity_open), 0) FROM stock.reservations r
        WHERE r.location_id = l.location_id AND r.variant_id = l.variant_id AND r.quantity_open > 0
            AND r.state = 'reserved' AND r.expires_at <= :at) END) AS ats
FROM stock.levels l
"""
LEVELS_EVERYWHERE = LEVELS + "WHERE l.variant_id = ANY(CAST(:variant_ids AS uuid[])) ORDER BY 1, 2"
LEVELS_AT = (
    LEVELS
    + """
WHERE l.location_id = ANY(CAST(:location_ids AS uuid[])) AND l.variant_id = ANY(CAST(:variant_ids AS uuid[]))
ORDER BY 1, 2
"""
)
LEVELS_PAGE = (
    LEVELS
    + """
WHERE l.location_id = :location_id AND (CAST(:after AS uuid) IS NULL OR l.variant_id > CAST(:after AS uuid))
ORDER BY l.variant_id LIMIT :limit
"""
)
TOTALS = f"""
SELECT variant_id, CAST(sum(ats) AS bigint) AS total
FROM ({LEVELS} WHERE l.variant_id = ANY(CAST(:variant_ids AS uuid[]))) AS everywhere GROUP BY variant_id
"""  # noqa: S608
HISTORY = """
SELECT m.posting_id, m.n, m.variant_id, m.quantity, m.from_place, m.from_location_id, m.to_place, m.to_location_id,
    m.unit_cost, m.line_id, m.occurred_at, m.recorded_at, p.cause_kind, p.cause_id, p.actor, p.reason, p.business_date
FROM stock.movements m JOIN stock.postings p ON p.id = m.posting_id
WHERE m.variant_id = :variant_id
    AND (CAST(:location_ids AS uuid[]) IS NULL OR m.from_location_id = ANY(CAST(:location_ids AS uuid[]))
        OR m.to_location_id = ANY(CAST(:location_ids AS uuid[])))
    AND (CAST(:before AS timestamptz) IS NULL
        OR (m.occurred_at, m.posting_id, m.n) < (CAST(:before AS timestamptz), CAST(:before_posting AS uuid), CAST(:before_n AS integer)))
ORDER BY m.occurred_at DESC, m.posting_id DESC, m.n DESC LIMIT :limit
"""

LOST = """
SELECT owner_id, line_id, CAST(max(lost) AS integer) AS lost FROM (
    SELECT owner_id, line_id, ceil(sum(quantity_lost)::numeric / per_unit) AS lost FROM stock.reservations
    WHERE owner_kind = :kind AND owner_id = ANY(CAST(:ids AS uuid[])) AND quantity_lost > 0
    GROUP BY owner_id, line_id, variant_id, per_unit
) parts GROUP BY owner_id, line_id ORDER BY owner_id, line_id
"""


def _level(row: Any) -> Level:
    return Level(**row)


async def levels(
    tx: Tx,
    *,
    variant_ids: Sequence[UUID],
    location_ids: Sequence[UUID] | None = None,
    bundles: Mapping[UUID, Sequence[Part]] | None = None,
) -> list[Level]:
    """The levels of variants, everywhere or at some locations, by (location_id, variant_id). One statement.

    A variant that was never at a location has no entry. For each bundle among them, given with its parts, there is a level wherever
    all of these are: its `ats` is the number of whole bundles, its buckets are empty.
    """
    ids = _with_parts(variant_ids, bundles)
    if location_ids is None:
        rows = await tx.rows(LEVELS_EVERYWHERE, at=tx.at, variant_ids=ids)
    else:
        rows = await tx.rows(LEVELS_AT, at=tx.at, variant_ids=ids, location_ids=list(location_ids))
    found = [_level(row) for row in rows]
    if not bundles:
        return found
    asked = set(variant_ids)
    return [level for level in with_bundles(found, bundles) if level.variant_id in asked]


def _with_parts(variant_ids: Sequence[UUID], bundles: Mapping[UUID, Sequence[Part]] | None) -> list[UUID]:
    if not bundles:
        return list(variant_ids)
    parts = {part.variant_id for several in bundles.values() for part in several}
    return [*(variant_id for variant_id in variant_ids if variant_id not in bundles), *(parts - set(variant_ids))]


async def totals(
    tx: Tx, variant_ids: Sequence[UUID], bundles: Mapping[UUID, Sequence[Part]] | None = None
) -> dict[UUID, int]:
    """What can be promised of each variant now, in all locations together; variants that were never anywhere are absent. One statement.

    Bundles are given with their parts; each is whole at one location.
    """
    if bundles:
        sums: dict[UUID, int] = {}
        for level in await levels(tx, variant_ids=variant_ids, bundles=bundles):
            sums[level.variant_id] = sums.get(level.variant_id, 0) + level.ats
        return sums
    return {row.variant_id: row.total for row in await tx.rows(TOTALS, at=tx.at, variant_ids=list(variant_ids))}


async def levels_page(tx: Tx, *, location_id: UUID, limit: int, cursor: str | None = None) -> Page[Level]:
    """The levels of one location, in the order of the variants' ids. Raises BadCursor."""
    after = decode_cursor(cursor, UUID)[0] if cursor else None
    rows = await tx.rows(LEVELS_PAGE, at=tx.at, location_id=location_id, after=after, limit=limit + 1)
    return page_of(rows, limit, _level, lambda row: (row.variant_id,))


async def history(
    tx: Tx,
    variant_id: UUID,
    location_ids: Sequence[UUID] | None = None,
    *,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[HistoryEntry]:
    """The movements of a variant, the newest first, with their causes and actors. One statement. Raises BadCursor."""
    before, before_posting, before_n = decode_cursor(cursor, datetime, UUID, int) if cursor else (None, None, None)
    rows = await tx.rows(
        HISTORY, variant_id=variant_id, location_ids=None if location_ids is None else list(location_ids),
        before=before, before_posting=before_posting, before_n=before_n, limit=limit + 1,
    )  # fmt: skip
    return page_of(
        rows,
        limit,
        lambda row: HistoryEntry(**row),
        lambda row: (row.occurred_at, row.posting_id, row.n),
    )


async def reservations_of(tx: Tx, owner: Owner) -> list[Reservation]:
    """All reservations of an owner, live or not, oldest first. One statement; nothing is locked."""
    found = await ledger.of_owner(tx, owner, Cause("", owner.id))
    return found.reservations


async def lost(tx: Tx, *, kind: OwnerKind, ids: Sequence[UUID]) -> dict[UUID, dict[UUID, int]]:
    """What owners were promised and is gone, by owner and line; an owner who lacks nothing is absent. One statement."""
    found: dict[UUID, dict[UUID, int]] = {}
    for row in await tx.rows(LOST, kind=kind, ids=list(ids)):
        found.setdefault(row.owner_id, {})[row.line_id] = row.lost
    return found
