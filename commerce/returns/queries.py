"""Reads of returns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from commerce import customers, locations
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.money import Money
from commerce.kernel.paging import Page, decode_cursor, page_of
from commerce.payments import ReceiptRef
from commerce.returns.errors import UnknownReturn
from commerce.returns.numbers import read_number
from commerce.returns.schemas import ReturnLineView, ReturnSummary, ReturnView

SUMMARY = """
SELECT r.id, r.number, r.order_number, r.location_id, r.state, r.refund_total, r.currency, r.created_at,
       (SELECT sum(l.quantity) FROM returns.lines l WHERE l.return_id = r.id) AS units
FROM returns.returns r
"""
PAGE = """
  AND (CAST(:before_at AS timestamptz) IS NULL OR (r.created_at, r.id) < (CAST(:before_at AS timestamptz), CAST(:before_id AS uuid)))
ORDER BY r.created_at DESC, r.id DESC LIMIT :rows
"""
OF_PEOPLE = SUMMARY + " WHERE r.customer_id = ANY(CAST(:people AS uuid[]))" + PAGE
OF_STORE = SUMMARY + " WHERE r.location_id = :location" + PAGE

VIEW = """
SELECT r.number, r.order_number, r.blind_reason, r.customer_id, r.location_id, r.state, r.channel, r.currency, r.refund_total, r.tender,
       r.receipt_register, r.receipt_number, r.created_at, r.closed_at, r.version,
       coalesce(l.order_line_n, l.n) AS n, l.sku, l.title, l.quantity, l.ground, l.condition, l.disposition, l.refund_amount, l.tax_amount,
       l.tax_basis_points, l.note
FROM returns.returns r JOIN returns.lines l ON l.return_id = r.id
"""
BY_NUMBER = VIEW + " WHERE r.number = :number ORDER BY l.n"


async def mine(tx: Tx, actor: Actor, *, limit: int, cursor: str | None) -> Page[ReturnSummary]:
    """The shopper's returns, newest first, wherever he brought them. Raises BadCursor."""
    people = await customers.ids_of_caller(tx, actor)
    rows = await tx.rows(OF_PEOPLE, people=people, **_after(limit, cursor))
    stores = await locations.by_ids(tx, sorted({row.location_id for row in rows}))
    return _page(rows, limit, {location_id: location.code for location_id, location in stores.items()})


async def of_store(tx: Tx, _actor: Actor, *, code: str, limit: int, cursor: str | None) -> Page[ReturnSummary]:
    """What came back to a store, newest first, wherever it was bought. Raises UnknownLocation, BadCursor."""
    location = await locations.one(tx, code)
    rows = await tx.rows(OF_STORE, location=location.id, **_after(limit, cursor))
    return _page(rows, limit, {location.id: location.code})


async def my_return(tx: Tx, actor: Actor, *, number: str) -> ReturnView:
    """One of the shopper's returns. Raises UnknownReturn, also for somebody else's."""
    rows = await _rows(tx, number)
    people = await customers.ids_of_caller(tx, actor)
    if rows[0].customer_id not in people:
        raise UnknownReturn
    stores = await locations.by_ids(tx, [rows[0].location_id])
    return _view(rows, stores[rows[0].location_id].code)


async def return_of_store(tx: Tx, _actor: Actor, *, code: str, number: str) -> ReturnView:
    """A return that came to this store. Raises UnknownLocation, UnknownReturn."""
    location = await locations.one(tx, code)
    rows = await _rows(tx, number)
    if rows[0].location_id != location.id:
        raise UnknownReturn
    return _view(rows, location.code)


async def export_person(tx: Tx, *, ids: Sequence[UUID]) -> dict[str, Any]:
    """Everything this room keeps about these people, for their own eyes."""
    rows = await tx.rows(
        VIEW + " WHERE r.customer_id = ANY(CAST(:people AS uuid[])) ORDER BY r.created_at, r.id, l.n",
        people=list(ids),
    )
    return {
        "returns": [
            {
                "number": row.number, "order": row.order_number, "blind_reason": row.blind_reason, "created_at": row.created_at,
                "sku": row.sku, "quantity": row.quantity, "ground": row.ground, "refund": Money(row.refund_amount, row.currency),
                "note": row.note,
            }
            for row in rows
        ]
    }  # fmt: skip


def _after(limit: int, cursor: str | None) -> dict[str, Any]:
    before_at, before_id = decode_cursor(cursor, datetime, UUID) if cursor else (None, None)
    return {"before_at": before_at, "before_id": before_id, "rows": limit + 1}


def _page(rows: Sequence[Row], limit: int, stores: dict[UUID, str]) -> Page[ReturnSummary]:
    return page_of(
        rows, limit,
        lambda row: ReturnSummary(
            number=row.number, order=row.order_number, store=stores[row.location_id], state=row.state, units=row.units,
            refund_total=Money(row.refund_total, row.currency), created_at=row.created_at,
        ),
        lambda row: (row.created_at, row.id),
    )  # fmt: skip


async def _rows(tx: Tx, number: str) -> Sequence[Row]:
    kept = read_number(number)
    rows = await tx.rows(BY_NUMBER, number=kept) if kept is not None else []
    if not rows:
        raise UnknownReturn
    return rows


def _view(rows: Sequence[Row], store: str) -> ReturnView:
    head = rows[0]
    receipt = None
    if head.receipt_register is not None:
        receipt = ReceiptRef(register=head.receipt_register, number=head.receipt_number)
    return ReturnView(
        number=head.number, order=head.order_number, blind_reason=head.blind_reason, store=store, state=head.state, channel=head.channel,
        lines=[
            ReturnLineView(
                n=row.n, sku=row.sku, title=row.title, quantity=row.quantity, ground=row.ground, condition=row.condition,
                disposition=row.disposition, refund=Money(row.refund_amount, row.currency),
                tax=Money(row.tax_amount, row.currency), tax_basis_points=row.tax_basis_points, note=row.note,
            )
            for row in rows
        ],
        refund_total=Money(head.refund_total, head.currency), tender=head.tender, receipt=receipt,
        created_at=head.created_at, closed_at=head.closed_at, version=head.version,
    )  # fmt: skip
