"""Reads of `supply`: suppliers, and what they have announced for whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from commerce import catalog, locations
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.paging import Page, decode_cursor, page_of
from commerce.locations import Location
from commerce.supply.errors import NotYoursToPlan, OtherDestination, UnknownExpectedReceipt, UnknownSupplier
from commerce.supply.numbers import read_number
from commerce.supply.schemas import (
    OPEN,
    Announcement,
    ExpectedReceiptDetail,
    ExpectedReceiptSummary,
    Line,
    State,
    SupplierView,
    SupplyLineView,
    SupplyStepView,
)

SUPPLIER = "SELECT id, code, name, lead_days, external_ids, version FROM supply.suppliers WHERE code = :code"
SUPPLIERS = """
SELECT code, name, lead_days, external_ids, version FROM supply.suppliers
WHERE code > CAST(:after AS text) COLLATE "C" ORDER BY code COLLATE "C" LIMIT :most
"""
SUPPLIER_IDS = "SELECT code, id FROM supply.suppliers WHERE code = ANY(CAST(:codes AS text[]))"
HEAD = """
SELECT a.id, a.number, s.code AS supplier, a.reference, a.location_id, a.expected_on, a.state, a.inspect, a.remark, a.overdue_at,
    a.closed_at, a.version, a.created_at
FROM supply.announcements a JOIN supply.suppliers s ON s.id = a.supplier_id
"""
BY_NUMBER = HEAD + "WHERE a.number = :number"
LINES = """
SELECT l.announcement_id, l.id, l.n, l.variant_id, l.quantity, l.unit_cost, l.received_unit_cost, l.received, l.quality_control,
    l.damaged, l.over, l.cancelled, l.short, l.unannounced, l.reason
FROM supply.lines l WHERE l.announcement_id = ANY(CAST(:ids AS uuid[])) ORDER BY l.announcement_id, l.n
"""
STEPS = "SELECT version, what, actor, data, occurred_at FROM supply.steps WHERE announcement_id = :id ORDER BY version"
LISTED = """
WITH page AS MATERIALIZED (
    SELECT * FROM supply.announcements
    WHERE (CAST(:locations AS uuid[]) IS NULL OR location_id = ANY(CAST(:locations AS uuid[])))
      AND (CAST(:supplier AS uuid) IS NULL OR supplier_id = CAST(:supplier AS uuid))
      AND state = ANY(CAST(:states AS text[]))
      AND expected_on < CAST(:due_before AS date)
      AND (CAST(:after_id AS uuid) IS NULL OR (expected_on, id) > (CAST(:after_on AS date), CAST(:after_id AS uuid)))
    ORDER BY expected_on, id LIMIT :most
)
SELECT a.id, a.number, s.code AS supplier, a.reference, a.location_id, a.expected_on, a.overdue_at IS NOT NULL AS overdue, a.state,
    a.created_at, a.version, t.lines, t.quantity, t.received, t.open
FROM page a JOIN supply.suppliers s ON s.id = a.supplier_id
JOIN LATERAL (
    SELECT count(*) AS lines, sum(l.quantity) AS quantity, sum(l.received + l.over) AS received,
        sum(l.quantity - l.received - l.cancelled) AS open
    FROM supply.lines l WHERE l.announcement_id = a.id
) t ON true
ORDER BY a.expected_on, a.id
"""


def line_of(row: Row) -> Line:
    """A row of LINES as a Line."""
    values = dict(row)
    values.pop("announcement_id")
    return Line(**values)


async def with_lines(tx: Tx, heads: Sequence[Row]) -> list[Announcement]:
    """Announcements from rows of HEAD, with their lines. One statement."""
    found = {row.id: Announcement(**row) for row in heads}
    for row in await tx.rows(LINES, ids=list(found)):
        found[row.announcement_id].lines.append(line_of(row))
    return list(found.values())


async def supplier_ids(tx: Tx, codes: Sequence[str]) -> dict[str, UUID]:
    """Suppliers by code; unknown ones are absent. One statement."""
    return {row.code: row.id for row in await tx.rows(SUPPLIER_IDS, codes=list(codes))}


async def supplier_id(tx: Tx, code: str) -> UUID:
    """A supplier's id. Raises UnknownSupplier."""
    found = await supplier_ids(tx, [code])
    if code not in found:
        raise UnknownSupplier(supplier=code)
    return found[code]


async def supplier(tx: Tx, *, code: str) -> SupplierView:
    """One supplier. Raises UnknownSupplier."""
    row = await tx.first(SUPPLIER, code=code)
    if row is None:
        raise UnknownSupplier(supplier=code)
    return supplier_view(row)


def supplier_view(row: Row) -> SupplierView:
    """A row of SUPPLIER as clients see it."""
    return SupplierView(
        code=row.code, name=row.name, lead_days=row.lead_days, external_ids=row.external_ids, version=row.version
    )


async def suppliers(tx: Tx, *, limit: int, cursor: str | None) -> Page[SupplierView]:
    """Suppliers by code. One statement. Raises BadCursor."""
    after = decode_cursor(cursor, str)[0] if cursor else ""
    rows = await tx.rows(SUPPLIERS, after=after, most=limit + 1)
    return page_of(rows, limit, supplier_view, lambda row: (row.code,))


def view_values(
    announcement: Announcement, location: Location, variants: Mapping[UUID, catalog.Variant]
) -> dict[str, Any]:
    """The fields of an ExpectedReceiptView."""
    return {
        "number": announcement.number, "supplier": announcement.supplier, "reference": announcement.reference,
        "location": location.code, "expected_on": announcement.expected_on, "state": announcement.state,
        "overdue": announcement.overdue_at is not None, "inspect": announcement.inspect, "note": announcement.remark,
        "created_at": announcement.created_at, "closed_at": announcement.closed_at, "version": announcement.version,
        "lines": [
            SupplyLineView(
                n=line.n, sku=variants[line.variant_id].sku, variant_id=line.variant_id, quantity=line.quantity,
                received=line.received, quality_control=line.quality_control, damaged=line.damaged, over=line.over,
                cancelled=line.cancelled, short=line.short, open=line.open, unit_cost=line.unit_cost,
                received_unit_cost=line.received_unit_cost, unannounced=line.unannounced, reason=line.reason,
            )
            for line in announcement.lines
        ],
    }  # fmt: skip


async def _detail(tx: Tx, number: str) -> tuple[Announcement, Location, ExpectedReceiptDetail]:
    kept = read_number(number)
    heads = await tx.rows(BY_NUMBER, number=kept)
    if not heads:
        raise UnknownExpectedReceipt(number=number)
    [announcement] = await with_lines(tx, heads)
    location = (await locations.by_ids(tx, [announcement.location_id]))[announcement.location_id]
    variants = await catalog.variants(tx, sorted({line.variant_id for line in announcement.lines}))
    history = [SupplyStepView(**row) for row in await tx.rows(STEPS, id=announcement.id)]
    return (
        announcement, location, ExpectedReceiptDetail(**view_values(announcement, location, variants), steps=history)
    )  # fmt: skip


async def one(tx: Tx, actor: Actor, *, number: str) -> ExpectedReceiptDetail:
    """One announcement with its history. Five statements. Raises UnknownExpectedReceipt, NotYoursToPlan."""
    _, location, detail = await _detail(tx, number)
    if not actor.may("stock.plan", location.code):
        raise NotYoursToPlan(location=location.code)
    return detail


async def at_store(tx: Tx, *, code: str, number: str) -> ExpectedReceiptDetail:
    """One announcement for a store, with its history. Raises UnknownLocation, UnknownExpectedReceipt, OtherDestination."""
    here = await locations.one(tx, code)
    announcement, _, detail = await _detail(tx, number)
    if announcement.location_id != here.id:
        raise OtherDestination(number=announcement.number)
    return detail


async def listing(
    tx: Tx,
    actor: Actor,
    *,
    location: str | None,
    supplier: str | None,
    states: Sequence[State] | None,
    due_before: date,
    limit: int,
    cursor: str | None,
) -> Page[ExpectedReceiptSummary]:
    """What is announced for the locations that the reader plans for, the soonest first; without states, what is still to come.

    Raises NotYoursToPlan, UnknownLocation, UnknownSupplier, BadCursor.
    """
    places: list[UUID] | None = None
    if location is not None:
        if not actor.may("stock.plan", location):
            raise NotYoursToPlan(location=location)
        places = [(await locations.one(tx, location)).id]
    elif not actor.may("stock.plan", "*"):
        own = await locations.by_codes(tx, actor.permissions.get("stock.plan", ()))
        places = [place.id for place in own.values()]
    whose = None if supplier is None else await supplier_id(tx, supplier)
    return await _page(tx, places, whose, states, due_before, limit, cursor)


async def of_store(
    tx: Tx, *, code: str, states: Sequence[State] | None, due_before: date, limit: int, cursor: str | None
) -> Page[ExpectedReceiptSummary]:
    """What is announced for a store, the soonest first; without states, what is still to come. Raises UnknownLocation, BadCursor."""
    here = await locations.one(tx, code)
    return await _page(tx, [here.id], None, states, due_before, limit, cursor)


async def _page(
    tx: Tx,
    places: list[UUID] | None,
    supplier: UUID | None,
    states: Sequence[State] | None,
    due_before: date,
    limit: int,
    cursor: str | None,
) -> Page[ExpectedReceiptSummary]:
    after_on, after_id = decode_cursor(cursor, date, UUID) if cursor else (None, None)
    rows = await tx.rows(
        LISTED, locations=places, supplier=supplier,
        states=list(states or OPEN), due_before=due_before, after_on=after_on, after_id=after_id, most=limit + 1,
    )  # fmt: skip
    known = await locations.by_ids(tx, sorted({row.location_id for row in rows}))

    def view(row: Row) -> ExpectedReceiptSummary:
        values = dict(row)
        del values["id"]
        location = known[values.pop("location_id")]
        return ExpectedReceiptSummary(**values, location=location.code)

    return page_of(rows, limit, view, lambda row: (row.expected_on, row.id))
