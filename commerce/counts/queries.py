"""Reads of `counts`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from commerce import catalog, locations
from commerce.counts.errors import BlindCount, OtherStoresCount, UnknownCount
from commerce.counts.schemas import (
    CountDetail,
    CountEntryView,
    CountLineView,
    CountStep,
    CountTaskView,
    CountView,
    Line,
    Only,
    Session,
    State,
    TaskSource,
    TaskState,
    Variances,
)
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.money import Money
from commerce.kernel.paging import Page, decode_cursor, page_of
from commerce.locations import Location

COLUMNS = """s.id, s.number, s.location_id, s.scope, s.zone, s.categories, s.blind, s.purpose AS note, s.currency, s.state, s.round,
    s.opened_at, s.round_began_at, s.submitted_at, s.closed_at, s.uncounted, s.version"""
LINE = """l.variant_id, l.round, l.counted, l.counted_at, l.expected, l.moved, l.variance, l.cost_amount, l.price_amount,
    l.resolution"""
ONE = f"SELECT {COLUMNS} FROM counts.sessions s WHERE s.number = :number"  # noqa: S608
PAGE = f"""
SELECT {COLUMNS} FROM counts.sessions s
WHERE s.location_id = :location AND (CAST(:states AS text[]) IS NULL OR s.state = ANY(CAST(:states AS text[])))
    AND (CAST(:before AS timestamptz) IS NULL OR (s.opened_at, s.id) < (CAST(:before AS timestamptz), CAST(:before_id AS uuid)))
ORDER BY s.opened_at DESC, s.id DESC LIMIT :limit
"""  # noqa: S608
SUMS = """
SELECT session_id, count(*) AS lines, count(counted) AS counted, count(*) FILTER (WHERE variance <> 0) AS varying,
    CAST(coalesce(-sum(variance) FILTER (WHERE variance < 0), 0) AS bigint) AS missing,
    CAST(coalesce(sum(variance) FILTER (WHERE variance > 0), 0) AS bigint) AS surplus,
    CAST(greatest(-1000000000000000, least(1000000000000000, coalesce(sum(cost_amount), 0))) AS bigint) AS at_cost,
    CAST(greatest(-1000000000000000, least(1000000000000000, coalesce(sum(price_amount), 0))) AS bigint) AS at_price,
    count(*) FILTER (WHERE variance <> 0 AND cost_amount IS NULL) AS without_cost
FROM counts.lines WHERE session_id = ANY(CAST(:ids AS uuid[])) GROUP BY session_id
"""
STEPS = """
SELECT version, what, actor, data, occurred_at FROM counts.steps WHERE session_id = :session ORDER BY version DESC LIMIT 200
"""
LINES = f"""
SELECT {LINE} FROM counts.lines l
WHERE l.session_id = :session AND (CAST(:after AS uuid) IS NULL OR l.variant_id > CAST(:after AS uuid))
    AND CASE :only WHEN 'not_counted' THEN l.counted IS NULL WHEN 'variances' THEN l.variance <> 0 ELSE true END
ORDER BY l.variant_id LIMIT :limit
"""  # noqa: S608
ENTRIES = """
SELECT variant_id, round, nullif(spot, '') AS spot, quantity, counted_at, counted_by, device, stands FROM counts.entries
WHERE session_id = :session AND variant_id = ANY(CAST(:variants AS uuid[])) ORDER BY variant_id, counted_at, id
"""
TASK = """
SELECT t.id, t.location_id, t.variant_id, t.reason, t.quantity, t.state, t.dismissed_because, t.opened_at, t.changed_at, t.closed_at,
    t.version, coalesce(done.number, live.number) AS count, (
        SELECT jsonb_agg(jsonb_build_object('event_id', o.event_id, 'reason', o.reason, 'quantity', o.quantity,
            'occurred_at', o.occurred_at) ORDER BY o.occurred_at, o.event_id)
        FROM counts.task_sources o WHERE o.task_id = t.id) AS sources
FROM counts.tasks t
LEFT JOIN counts.sessions done ON done.id = t.session_id
LEFT JOIN counts.lines l ON t.state = 'open' AND l.location_id = t.location_id AND l.variant_id = t.variant_id AND l.live
LEFT JOIN counts.sessions live ON live.id = l.session_id
"""
TASKS = (
    TASK
    + """
WHERE t.location_id = :location AND t.state = :state
    AND (CAST(:after AS timestamptz) IS NULL OR (t.opened_at, t.id) > (CAST(:after AS timestamptz), CAST(:after_id AS uuid)))
ORDER BY t.opened_at, t.id LIMIT :limit
"""
)
ONE_TASK = TASK + "WHERE t.id = :id"


def session_of(row: Row) -> Session:
    """A row of COLUMNS."""
    return Session(**row)


def the_one(row: Row | None, *, number: str, location: Location) -> Session:
    """The count of a store. Raises UnknownCount, OtherStoresCount."""
    if row is None:
        raise UnknownCount(number=number)
    session = session_of(row)
    if session.location_id != location.id:
        raise OtherStoresCount(number=number)
    return session


def sees_books(actor: Actor, session: Session, code: str) -> bool:
    """Whether a reader may see what the books say: in a blind count only who may approve it."""
    return not session.blind or actor.may("stock.approve", code)


async def views(tx: Tx, actor: Actor, sessions: Sequence[Session], location: Location) -> list[CountView]:
    """Counts of one location as this reader sees them. One statement."""
    sums = {row.session_id: row for row in await tx.rows(SUMS, ids=[session.id for session in sessions])}
    return [
        CountView(
            number=session.number, location=location.code, scope=session.scope, zone=session.zone, categories=session.categories,
            blind=session.blind, note=session.note, state=session.state, round=session.round, opened_at=session.opened_at,
            round_began_at=session.round_began_at, submitted_at=session.submitted_at, closed_at=session.closed_at,
            uncounted=session.uncounted, lines=sums[session.id].lines, counted=sums[session.id].counted,
            not_counted=sums[session.id].lines - sums[session.id].counted,
            variances=_variances(sums[session.id], session.currency) if sees_books(actor, session, location.code) else None,
            version=session.version,
        )
        for session in sessions
    ]  # fmt: skip


def _variances(row: Row, currency: str) -> Variances:
    return Variances(
        lines=row.varying, missing=row.missing, surplus=row.surplus, at_cost=Money(row.at_cost, currency),
        at_price=Money(row.at_price, currency), without_cost=row.without_cost,
    )  # fmt: skip


async def listing(
    tx: Tx, actor: Actor, *, code: str, states: Sequence[State] | None, limit: int, cursor: str | None
) -> Page[CountView]:
    """The counts of a store, the newest first. Raises UnknownLocation, BadCursor."""
    location = await locations.one(tx, code)
    before, before_id = decode_cursor(cursor, datetime, UUID) if cursor else (None, None)
    rows = await tx.rows(
        PAGE, location=location.id, states=None if states is None else list(states), before=before, before_id=before_id,
        limit=limit + 1,
    )  # fmt: skip
    page = page_of(rows, limit, session_of, lambda row: (row.opened_at, row.id))
    return Page(items=await views(tx, actor, page.items, location), next_cursor=page.next_cursor)


async def read(tx: Tx, actor: Actor, *, code: str, number: str) -> CountDetail:
    """A count of a store with its story. Raises UnknownLocation, UnknownCount, OtherStoresCount."""
    location = await locations.one(tx, code)
    session = the_one(await tx.first(ONE, number=number), number=number, location=location)
    view = (await views(tx, actor, [session], location))[0]
    steps = [CountStep(**row) for row in await tx.rows(STEPS, session=session.id)]
    return CountDetail(**{name: getattr(view, name) for name in view.__struct_fields__}, steps=steps)


async def lines_of(
    tx: Tx, actor: Actor, *, code: str, number: str, only: Only, limit: int, cursor: str | None
) -> Page[CountLineView]:
    """The lines of a count with what was entered: all, those nobody counted, or those that differ from the books.

    Raises UnknownLocation, UnknownCount, OtherStoresCount, BlindCount, BadCursor.
    """
    location = await locations.one(tx, code)
    session = the_one(await tx.first(ONE, number=number), number=number, location=location)
    if only == "variances" and not sees_books(actor, session, code):
        raise BlindCount
    after = decode_cursor(cursor, UUID)[0] if cursor else None
    rows = await tx.rows(LINES, session=session.id, after=after, only=only, limit=limit + 1)
    page = page_of(rows, limit, lambda row: Line(**row), lambda row: (row.variant_id,))
    return Page(
        items=await line_views(tx, session, page.items, shown=sees_books(actor, session, code)),
        next_cursor=page.next_cursor,
    )


async def line_views(tx: Tx, session: Session, lines: Sequence[Line], *, shown: bool) -> list[CountLineView]:
    """Lines with what was entered; with what the books say only when it may be `shown`. Two statements."""
    ids = [line.variant_id for line in lines]
    variants = await catalog.variants(tx, ids)
    entries: dict[UUID, list[CountEntryView]] = {}
    for row in await tx.rows(ENTRIES, session=session.id, variants=ids):
        values = dict(row)
        entries.setdefault(values.pop("variant_id"), []).append(CountEntryView(**values))
    return [
        CountLineView(
            sku=variants[line.variant_id].sku, variant_id=line.variant_id, title=variants[line.variant_id].title,
            option_texts=variants[line.variant_id].option_texts, round=line.round, counted=line.counted, counted_at=line.counted_at,
            expected=line.expected if shown else None, moved=line.moved if shown else None,
            variance=line.variance if shown else None, at_cost=_money(line.cost_amount, session, shown),
            at_price=_money(line.price_amount, session, shown), resolution=line.resolution if shown else None,
            entries=entries.get(line.variant_id, []),
        )
        for line in lines
    ]  # fmt: skip


def _money(amount: int | None, session: Session, shown: bool) -> Money | None:
    return Money(amount, session.currency) if shown and amount is not None else None


async def tasks_of(
    tx: Tx, *, code: str, state: TaskState, limit: int, cursor: str | None
) -> Page[CountTaskView]:  # fmt: skip
    """The count tasks of a store, the oldest first. Raises UnknownLocation, BadCursor."""
    location = await locations.one(tx, code)
    after, after_id = decode_cursor(cursor, datetime, UUID) if cursor else (None, None)
    rows = await tx.rows(TASKS, location=location.id, state=state, after=after, after_id=after_id, limit=limit + 1)
    page: Page[Row] = page_of(rows, limit, lambda row: row, lambda row: (row.opened_at, row.id))
    variants = await catalog.variants(tx, [row.variant_id for row in page.items])
    return Page(items=task_views(page.items, location, variants), next_cursor=page.next_cursor)


async def task(tx: Tx, *, task_id: UUID, location: Location) -> CountTaskView:
    """One task of a location, which is there. Two statements."""
    row = await tx.one(ONE_TASK, id=task_id)
    return task_views([row], location, await catalog.variants(tx, [row.variant_id]))[0]


def task_views(
    rows: Iterable[Row], location: Location, variants: Mapping[UUID, catalog.Variant]
) -> list[CountTaskView]:
    """Rows of TASK."""
    return [
        CountTaskView(
            id=row.id, location=location.code, sku=variants[row.variant_id].sku, variant_id=row.variant_id,
            title=variants[row.variant_id].title, reason=row.reason, quantity=row.quantity, state=row.state, count=row.count,
            dismissed_because=row.dismissed_because, sources=_sources(row.sources), opened_at=row.opened_at,
            changed_at=row.changed_at, closed_at=row.closed_at, version=row.version,
        )
        for row in rows
    ]  # fmt: skip


def _sources(values: Any) -> list[TaskSource]:
    return msgspec.convert(values or [], list[TaskSource])
