"""Whose returns are whose, for those who look at the whole person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from commerce import locations
from commerce.infra.db import Tx
from commerce.kernel.money import Money
from commerce.returns.schemas import ReturnOfPerson

OF_PEOPLE = """
SELECT r.id, r.number, r.order_number, r.location_id, r.state, r.channel, r.refund_total, r.currency, r.created_at,
       (SELECT sum(l.quantity) FROM returns.lines l WHERE l.return_id = r.id) AS units
FROM returns.returns r
WHERE r.customer_id = ANY(CAST(:ids AS uuid[]))
  AND (CAST(:before_at AS timestamptz) IS NULL OR (r.created_at, r.id) < (CAST(:before_at AS timestamptz), CAST(:before_id AS uuid)))
ORDER BY r.created_at DESC, r.id DESC LIMIT :most
"""
OPEN = """
SELECT number FROM returns.returns
WHERE customer_id = ANY(CAST(:ids AS uuid[])) AND state NOT IN ('declined', 'closed', 'cancelled', 'expired') ORDER BY created_at, id
"""
FOLLOW = "UPDATE returns.returns SET customer_id = :customer WHERE order_id = ANY(CAST(:orders AS uuid[]))"


async def of_people(
    tx: Tx, ids: Sequence[UUID], *, before: tuple[datetime, UUID] | None, limit: int
) -> list[ReturnOfPerson]:
    """Returns of a person given all his ids, newest first, before a moment and id. Two statements."""
    before_at, before_id = before or (None, None)
    rows = await tx.rows(OF_PEOPLE, ids=list(ids), before_at=before_at, before_id=before_id, most=limit)
    places = await locations.by_ids(tx, sorted({row.location_id for row in rows}))
    return [
        ReturnOfPerson(
            id=row.id, number=row.number, order=row.order_number, store=places[row.location_id].code, state=row.state,
            channel=row.channel, units=row.units, refund_total=Money(row.refund_total, row.currency), created_at=row.created_at,
        )
        for row in rows
    ]  # fmt: skip


async def unsettled(tx: Tx, ids: Sequence[UUID]) -> list[str]:
    """Numbers of a person's returns that are not settled yet. One statement."""
    return [row.number for row in await tx.rows(OPEN, ids=list(ids))]


async def follow(tx: Tx, *, order_ids: Sequence[UUID], customer: UUID) -> None:
    """The returns of orders that have become another person's are his, too. One statement; the orders are locked."""
    await tx.execute(FOLLOW, orders=list(order_ids), customer=customer)
