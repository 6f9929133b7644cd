"""Whose returns are whose, for those who look at the whole person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from commerce import locations
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.money import Money
from commerce.returns.errors import UnknownReturn
from commerce.returns.events import ReturnReassigned
from commerce.returns.numbers import read_number
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
NUMBERS = "SELECT number FROM returns.returns WHERE customer_id = ANY(CAST(:ids AS uuid[])) ORDER BY created_at, id"
LOCK = """
SELECT id, number, order_id, customer_id, version FROM returns.returns WHERE number = :number FOR NO KEY UPDATE
"""
REASSIGN = "UPDATE returns.returns SET customer_id = :customer, version = :version WHERE id = :id"
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


def named(text: str) -> str:
    """The number of a return as it is kept, from what a person typed. Raises UnknownReturn when it cannot be one."""
    number = read_number(text)
    if number is None:
        raise UnknownReturn
    return number


async def numbers_of(tx: Tx, ids: Sequence[UUID]) -> list[str]:
    """Numbers of all returns of a person, the oldest first. One statement."""
    return [row.number for row in await tx.rows(NUMBERS, ids=list(ids))]


async def reassign(tx: Tx, actor: Actor, *, number: str, family: Sequence[UUID], customer: UUID, reason: str) -> None:
    """Give a return without a sale from one person to another; goods and money stay as they are. Two statements.

    Raises UnknownReturn, also when it is not the first person's (`family`), or an order's, with which it goes.
    """
    row = await tx.first(LOCK, number=number)
    if row is None or row.order_id is not None or row.customer_id not in family:
        raise UnknownReturn
    version = row.version + 1
    await tx.execute(REASSIGN, id=row.id, customer=customer, version=version)
    because = msgspec.structs.replace(actor, reason=reason)
    outbox.record(
        tx, because,
        ReturnReassigned(
            aggregate_id=row.id, version=version, number=row.number, previous_id=row.customer_id, customer_id=customer
        ),
    )  # fmt: skip
    outbox.audit(
        tx, because, "return.reassigned", "return", row.id,
        before={"customer": row.customer_id}, after={"customer": customer, "version": version},
    )  # fmt: skip


async def follow(tx: Tx, *, order_ids: Sequence[UUID], customer: UUID) -> None:
    """The returns of orders that have become another person's are his, too. One statement; the orders are locked."""
    await tx.execute(FOLLOW, orders=list(order_ids), customer=customer)
