"""Reads of the stock room: rows straight into views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec

from commerce.infra.db import Question, Tx
from commerce.kernel.paging import Page, decode_cursor, page_of
from commerce.stock import ledger
from commerce.stock.bundles import with_bundles
from commerce.stock.closings import CLOCKS, WhichClock
from commerce.stock.schemas import (
    Cause,
    Expected,
    HistoryEntry,
    Level,
    Loss,
    Owner,
    OwnerKind,
    Part,
    Reservation,
    StandsOn,
)

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
FROM unnest(CAST(:variant_ids AS uuid[])) AS w(id) JOIN ({LEVELS}) AS everywhere ON everywhere.variant_id = w.id GROUP BY variant_id
"""  # noqa: S608
"""The join has the levels looked up by their variant: for `= ANY` the planner walks the whole primary key of a chain of few variants."""
TOTALS_IN_ROW = f"SELECT array_agg(q.variant_id) AS counted, array_agg(q.total) AS totals FROM ({TOTALS}) AS q"  # noqa: S608
COUNTED_IN_ROW = f"""
SELECT array_agg(w.id) AS counted, array_agg(coalesce(
    (
        SELECT w.enough FROM (
            SELECT sum(CAST(least(here.ats, w.enough) AS integer)) OVER (ROWS UNBOUNDED PRECEDING) AS so_far
            FROM ({LEVELS} WHERE l.variant_id = w.id) AS here
        ) AS counting WHERE counting.so_far >= w.enough LIMIT 1
    ), (SELECT CAST(sum(here.ats) AS bigint) FROM ({LEVELS} WHERE l.variant_id = w.id) AS here)
)) AS totals
FROM unnest(CAST(:variant_ids AS uuid[]), CAST(:enough AS bigint[])) AS w(id, enough)
"""  # noqa: S608
"""What is promisable at a location is never negative, so a sum that has reached what is enough stays there: no level after it is read.
Integers are summed faster, and no term matters beyond what is enough."""
HISTORY: dict[WhichClock, str] = {
    clock: f"""
WITH of_variant AS {"MATERIALIZED" if clock == "recorded" else "NOT MATERIALIZED"} (
    SELECT posting_id, n, variant_id, quantity, from_place, from_location_id, to_place, to_location_id, unit_cost, line_id,
        occurred_at, recorded_at
    FROM stock.movements WHERE variant_id = :variant_id
)
SELECT m.*, p.cause_kind, p.cause_id, p.actor, p.reason, p.business_date
FROM of_variant m JOIN stock.postings p ON p.id = m.posting_id
WHERE (CAST(:location_ids AS uuid[]) IS NULL OR m.from_location_id = ANY(CAST(:location_ids AS uuid[]))
        OR m.to_location_id = ANY(CAST(:location_ids AS uuid[])))
    AND (CAST(:since AS timestamptz) IS NULL OR m.{clock}_at >= CAST(:since AS timestamptz))
    AND (CAST(:until AS timestamptz) IS NULL OR m.{clock}_at < CAST(:until AS timestamptz))
    AND (CAST(:before AS timestamptz) IS NULL
        OR (m.{clock}_at, m.posting_id, m.n) < (CAST(:before AS timestamptz), CAST(:before_posting AS uuid), CAST(:before_n AS integer)))
ORDER BY m.{clock}_at DESC, m.posting_id DESC, m.n DESC LIMIT :limit
"""  # noqa: S608
    for clock in CLOCKS
}
"""There is an index for a variant's movements as they happened; as they were booked they are sorted, or all variants would be read."""

LOST = """
SELECT owner_id, line_id, CAST(max(lost) AS integer) AS lost FROM (
    SELECT owner_id, line_id, ceil(sum(quantity_lost)::numeric / per_unit) AS lost FROM stock.reservations
    WHERE owner_kind = :kind AND owner_id = ANY(CAST(:ids AS uuid[])) AND quantity_lost > 0
    GROUP BY owner_id, line_id, variant_id, per_unit
) parts GROUP BY owner_id, line_id ORDER BY owner_id, line_id
"""
SHELF_AT = """
SELECT CAST(coalesce(l.available::bigint + l.reserved + l.committed, 0) - coalesce(later.net, 0) AS bigint) AS quantity
FROM unnest(CAST(:variant_ids AS uuid[]), CAST(:moments AS timestamptz[])) WITH ORDINALITY AS w(variant_id, at, n)
LEFT JOIN stock.levels l ON l.location_id = :location_id AND l.variant_id = w.variant_id
LEFT JOIN LATERAL (
    SELECT sum(m.quantity * CASE
        WHEN m.to_location_id = :location_id AND m.to_place IN ('available', 'reserved', 'committed') THEN 1 ELSE 0 END
        - m.quantity * CASE
        WHEN m.from_location_id = :location_id AND m.from_place IN ('available', 'reserved', 'committed') THEN 1 ELSE 0 END) AS net
    FROM stock.movements m
    WHERE m.variant_id = w.variant_id AND m.occurred_at > w.at AND NOT (m.from_place = 'loss' AND EXISTS (
        SELECT FROM stock.movements o WHERE o.posting_id = m.posting_id AND o.variant_id = m.variant_id
            AND o.from_place = 'available' AND o.from_location_id = m.to_location_id))
) later ON true ORDER BY w.n
"""
AVERAGE_COSTS = "SELECT variant_id, average FROM stock.costs WHERE variant_id = ANY(CAST(:variant_ids AS uuid[]))"
LOSSES = """
SELECT t.location_id, t.variant_id, t.cause_kind, t.reason, t.quantity, c.average AS unit_cost
FROM (
    SELECT coalesce(m.from_location_id, m.to_location_id) AS location_id, m.variant_id, p.cause_kind,
        CASE WHEN p.cause_kind IN ('adjustment', 'write_off') THEN split_part(p.reason, ':', 1) END AS reason,
        CAST(sum(CASE WHEN m.to_place IN ('loss', 'damaged') THEN m.quantity ELSE -m.quantity END) AS bigint) AS quantity
    FROM stock.movements m JOIN stock.postings p ON p.id = m.posting_id
    WHERE m.occurred_at BETWEEN :earliest AND :latest AND p.business_date BETWEEN :since AND :until
        AND (m.to_place IN ('loss', 'damaged')) <> (m.from_place IN ('loss', 'damaged'))
        AND coalesce(m.from_location_id, m.to_location_id) = ANY(CAST(:location_ids AS uuid[]))
    GROUP BY 1, 2, 3, 4
) t LEFT JOIN stock.costs c ON c.variant_id = t.variant_id
WHERE t.quantity <> 0 ORDER BY 1, 2, 3, 4
"""
SOLD = """
SELECT m.from_location_id AS location_id, CAST(sum(m.quantity) AS bigint) AS units
FROM stock.movements m JOIN stock.postings p ON p.id = m.posting_id
WHERE m.occurred_at BETWEEN :earliest AND :latest AND p.business_date BETWEEN :since AND :until AND m.to_place = 'customer'
    AND m.from_location_id = ANY(CAST(:location_ids AS uuid[]))
GROUP BY 1
"""
OLDEST = """
SELECT c.location_id, c.variant_id, min(c.occurred_at) AS since
FROM (
    SELECT m.to_location_id AS location_id, m.variant_id, m.occurred_at, m.quantity,
        sum(m.quantity) OVER (PARTITION BY m.to_location_id, m.variant_id ORDER BY m.occurred_at DESC, m.posting_id DESC, m.n DESC) AS newer
    FROM stock.movements m
    WHERE m.variant_id = ANY(CAST(:variant_ids AS uuid[])) AND m.to_location_id = ANY(CAST(:location_ids AS uuid[]))
        AND m.from_place IN ('supplier', 'customer', 'loss', 'conversion', 'in_transit', 'in_transit_committed')
        AND m.to_place IN ('available', 'reserved', 'committed', 'quality_control', 'damaged')
) c JOIN stock.levels l ON l.location_id = c.location_id AND l.variant_id = c.variant_id
WHERE c.newer - c.quantity < l.available::bigint + l.reserved + l.committed + l.quality_control + l.damaged
GROUP BY 1, 2
"""
"""What came in last is what is there, as the first to come is the first to go."""


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
    rows = await tx.rows(TOTALS, at=tx.at, variant_ids=list(variant_ids))
    return {variant_id: total for variant_id, total in rows}  # noqa: C416, a record is no pair for dict()


def counting(
    variant_ids: Sequence[UUID], *, at: datetime, enough: Sequence[int] | None = None
) -> Question[dict[UUID, int]]:
    """The question that `totals` answers of variants that are no bundles, to be asked together with another.

    With `enough`, an integer (of 4 bytes) above zero for each of them in their order, counting stops there: the answer is the total, or
    `enough` when that is less.
    """
    values = {"variant_ids": list(variant_ids), "at": at}
    if enough is None:
        return Question(TOTALS_IN_ROW, 2, values, _counting)
    return Question(COUNTED_IN_ROW, 2, values | {"enough": list(enough)}, _counting)


def _counting(ids: list[UUID] | None, totals: list[int | None]) -> dict[UUID, int]:
    if ids is None:
        return {}
    return {variant_id: total for variant_id, total in zip(ids, totals, strict=True) if total is not None}


OUTLOOK = f"""
SELECT (
    SELECT json_agg(l) FROM ({LEVELS} WHERE l.variant_id = ANY(CAST(:variant_ids AS uuid[]))) AS l
) AS levels, (
    SELECT json_agg(e ORDER BY e.expected_on, e.id) FROM stock.expected e
    WHERE e.variant_id = ANY(CAST(:waiting AS uuid[])) AND e.received + e.cancelled < e.quantity
) AS plans
"""  # noqa: S608


async def outlook(
    tx: Tx, variant_ids: Sequence[UUID], waiting: Sequence[UUID], bundles: Mapping[UUID, Sequence[Part]] | None = None
) -> tuple[dict[UUID, int], list[Expected]]:
    """`totals`, and what is still to come of those among them that may be sold before they are there, the soonest first. One statement."""
    if not waiting:
        return await totals(tx, variant_ids, bundles), []
    row = await tx.one(
        OUTLOOK, at=tx.at, variant_ids=_with_parts(variant_ids, bundles), waiting=list(waiting)
    )  # fmt: skip
    found = with_bundles(msgspec.convert(row.levels or [], list[Level]), bundles or {})
    sums: dict[UUID, int] = {}
    for level in found:
        sums[level.variant_id] = sums.get(level.variant_id, 0) + level.ats
    asked = set(variant_ids)
    return {key: total for key, total in sums.items() if key in asked}, msgspec.convert(row.plans or [], list[Expected])


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
    clock: WhichClock = "occurred",
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 100,
    cursor: str | None = None,
) -> Page[HistoryEntry]:
    """The movements of a variant, the newest first, with their causes and actors: as they happened or as they were booked, from
    `since` on and before `until` by that clock. One statement. Raises BadCursor."""
    before, before_posting, before_n = decode_cursor(cursor, datetime, UUID, int) if cursor else (None, None, None)
    rows = await tx.rows(
        HISTORY[clock], variant_id=variant_id, location_ids=None if location_ids is None else list(location_ids),
        since=since, until=until, before=before, before_posting=before_posting, before_n=before_n, limit=limit + 1,
    )  # fmt: skip
    return page_of(
        rows,
        limit,
        lambda row: HistoryEntry(**row),
        lambda row: (row.occurred_at if clock == "occurred" else row.recorded_at, row.posting_id, row.n),
    )


async def reservations_of(tx: Tx, owner: Owner) -> list[Reservation]:
    """All reservations of an owner, live or not, oldest first. One statement; nothing is locked."""
    found = await ledger.of_owner(tx, owner, Cause("", owner.id))
    return found.reservations


WHEREABOUTS = """
SELECT owner_id, location_id, bucket, CAST(sum(quantity_open) AS integer) AS units FROM stock.reservations
WHERE owner_kind = :kind AND owner_id = ANY(CAST(:ids AS uuid[])) AND quantity_open > 0
GROUP BY owner_id, location_id, bucket
"""


async def whereabouts(tx: Tx, *, kind: OwnerKind, ids: Sequence[UUID]) -> dict[UUID, dict[tuple[UUID, StandsOn], int]]:
    """Where the goods stand that are set aside for owners: units by (location, bucket). One statement."""
    found: dict[UUID, dict[tuple[UUID, StandsOn], int]] = {}
    for row in await tx.rows(WHEREABOUTS, kind=kind, ids=list(ids)):
        found.setdefault(row.owner_id, {})[row.location_id, row.bucket] = row.units
    return found


async def lost(tx: Tx, *, kind: OwnerKind, ids: Sequence[UUID]) -> dict[UUID, dict[UUID, int]]:
    """What owners were promised and is gone, by owner and line; an owner who lacks nothing is absent. One statement."""
    found: dict[UUID, dict[UUID, int]] = {}
    for row in await tx.rows(LOST, kind=kind, ids=list(ids)):
        found.setdefault(row.owner_id, {})[row.line_id] = row.lost
    return found


async def shelf_at(tx: Tx, *, location_id: UUID, moments: Sequence[tuple[UUID, datetime]]) -> list[int]:
    """How many units of a variant stood on a location's shelf (available, reserved and committed) at a moment, as it happened:
    what is known now less what happened later; one answer for each (variant, moment), in their order. One statement.

    A sale of goods that the books did not know proves that they stood there before.
    """
    rows = await tx.rows(
        SHELF_AT, location_id=location_id, variant_ids=[variant_id for variant_id, _ in moments],
        moments=[moment for _, moment in moments],
    )  # fmt: skip
    return [row.quantity for row in rows]


async def average_costs(tx: Tx, variant_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The moving average cost of a unit in minor units; a variant whose cost was never known is absent. One statement."""
    return {row.variant_id: row.average for row in await tx.rows(AVERAGE_COSTS, variant_ids=list(variant_ids))}


async def losses(tx: Tx, *, location_ids: Sequence[UUID], since: date, until: date) -> list[Loss]:
    """What locations lost in a period of business dates, both included, by location, variant and cause. One statement.

    Lost is what can no longer be sold: it is gone, or damaged. What comes back from there (found, good after all) is taken off;
    what is lost after it was damaged counts once.
    """
    rows = await tx.rows(LOSSES, location_ids=list(location_ids), **_period(since, until))
    return [Loss(**row) for row in rows]


async def units_sold(tx: Tx, *, location_ids: Sequence[UUID], since: date, until: date) -> dict[UUID, int]:
    """Units that left locations with customers in a period of business dates, both included; none when absent. One statement."""
    rows = await tx.rows(SOLD, location_ids=list(location_ids), **_period(since, until))
    return {row.location_id: row.units for row in rows}


def _period(since: date, until: date) -> dict[str, Any]:
    """The business dates, and bounds of the moments in them, wherever the location is."""
    return {
        "since": since,
        "until": until,
        "earliest": datetime.combine(since, time.min, tzinfo=UTC) - timedelta(days=1),
        "latest": datetime.combine(until, time.max, tzinfo=UTC) + timedelta(days=1),
    }


async def oldest_on_hand(
    tx: Tx, *, variant_ids: Sequence[UUID], location_ids: Sequence[UUID]
) -> dict[tuple[UUID, UUID], datetime]:
    """Since when the oldest units on hand have been at a location, if the first to come is the first to go, by (location, variant);
    absent where nothing is on hand. One statement, over all that came in of the variants."""
    rows = await tx.rows(OLDEST, variant_ids=list(variant_ids), location_ids=list(location_ids))
    return {(row.location_id, row.variant_id): row.since for row in rows}
