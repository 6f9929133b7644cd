"""Whose orders are whose: a person's orders for those who look at the whole person, and an order that was somebody else's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from commerce import fulfillment, locations, payments
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.money import Money
from commerce.orders import books
from commerce.orders.errors import UnknownOrder
from commerce.orders.events import OrderReassigned
from commerce.orders.numbers import read_number
from commerce.orders.schemas import OrderHead, OrderOfPerson
from commerce.orders.views import fulfillment_status, return_status

OF_PEOPLE = """
SELECT o.id, o.number, o.kind, o.state, o.channel, o.total, o.currency, o.placed_at, o.bought_location_id, s.*
FROM orders.orders o
JOIN LATERAL (
    SELECT sum(handed_over) AS handed_over, sum(quantity - handed_over - cancelled) AS outstanding, sum(returned) AS returned,
           sum(CASE WHEN quantity_unit IS NULL THEN quantity ELSE 1 END) AS units, min(title::text) FILTER (WHERE n = 1) AS title
    FROM orders.lines WHERE order_id = o.id
) s ON true
WHERE o.customer_id = ANY(CAST(:ids AS uuid[]))
  AND (CAST(:before_at AS timestamptz) IS NULL OR (o.placed_at, o.id) < (CAST(:before_at AS timestamptz), CAST(:before_id AS uuid)))
ORDER BY o.placed_at DESC, o.id DESC LIMIT :most
"""
HEADS = """
SELECT id, number, customer_id, state, channel, language, placed_at, contact FROM orders.orders
WHERE id = ANY(CAST(:orders AS uuid[])) ORDER BY id
"""
BY_NUMBER = "SELECT id, number, customer_id, state, channel, language, placed_at, contact FROM orders.orders WHERE number = :number"
OF_OWNERS = """
SELECT id, number, state FROM orders.orders WHERE customer_id = ANY(CAST(:ids AS uuid[])) ORDER BY placed_at, id
"""
LAST_PLACED = """
SELECT customer_id, max(placed_at) AS at FROM orders.orders WHERE customer_id = ANY(CAST(:ids AS uuid[])) GROUP BY customer_id
"""
OF_LINES = """
SELECT l.id, o.number FROM unnest(CAST(:lines AS uuid[])) AS n(id)
JOIN orders.lines l ON l.id = n.id JOIN orders.orders o ON o.id = l.order_id
"""
REASSIGN = "UPDATE orders.orders SET customer_id = :customer WHERE id = :id"


async def of_people(
    tx: Tx, ids: Sequence[UUID], *, before: tuple[datetime, UUID] | None, limit: int
) -> list[OrderOfPerson]:
    """Orders of a person given all his ids, newest first, before a moment and id: where they were bought and are collected. Three
    statements; nothing tells whom they are for."""
    before_at, before_id = before or (None, None)
    rows = await tx.rows(OF_PEOPLE, ids=list(ids), before_at=before_at, before_id=before_id, most=limit)
    works = await fulfillment.of_orders(tx, [row.id for row in rows])
    wanted = {work.location_id for some in works.values() for work in some}
    wanted |= {row.bought_location_id for row in rows if row.bought_location_id}
    places = await locations.by_ids(tx, sorted(wanted))
    return [
        OrderOfPerson(
            id=row.id, number=row.number, kind=row.kind, state=row.state, channel=row.channel, total=Money(row.total, row.currency),
            units=row.units, title=msgspec.json.decode(row.title),
            fulfillment_status=fulfillment_status(
                row.handed_over, row.outstanding, any(work.state not in ("open", "cancelled") for work in works[row.id])
            ),
            return_status=return_status(row.handed_over, row.returned),
            bought_at=places[row.bought_location_id].code if row.bought_location_id else None,
            fulfilled_at=sorted({places[work.location_id].code for work in works[row.id] if work.state != "cancelled"}),
            placed_at=row.placed_at,
        )
        for row in rows
    ]  # fmt: skip


async def heads(tx: Tx, order_ids: Sequence[UUID]) -> dict[UUID, OrderHead]:
    """Whose orders these are and how their customers can be reached. One statement."""
    return {row.id: _head(row) for row in await tx.rows(HEADS, orders=list(order_ids))}


async def head(tx: Tx, *, number: str) -> OrderHead:
    """The same of the order with a number. One statement. Raises UnknownOrder."""
    row = await tx.first(BY_NUMBER, number=read_number(number))
    if row is None:
        raise UnknownOrder(number=number)
    return _head(row)


async def unsettled(tx: Tx, ids: Sequence[UUID]) -> list[str]:
    """Numbers of a person's orders that are open, or of which money is still on its way back to him. Two statements."""
    rows = await tx.rows(OF_OWNERS, ids=list(ids))
    owing = await payments.refunds_due(tx, [row.id for row in rows])
    return [row.number for row in rows if row.state in ("awaiting_payment", "placed") or row.id in owing]


async def numbers_of(tx: Tx, ids: Sequence[UUID]) -> list[str]:
    """Numbers of all orders of a person, the oldest first. One statement."""
    return [row.number for row in await tx.rows(OF_OWNERS, ids=list(ids))]


async def numbers_of_lines(tx: Tx, line_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Numbers of the orders that have these lines, by line. One statement."""
    return {row.id: row.number for row in await tx.rows(OF_LINES, lines=list(line_ids))}


async def last_placed(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """When each of these customers ordered last; no entry for who never did. One statement."""
    return {row.customer_id: row.at for row in await tx.rows(LAST_PLACED, ids=list(ids))}


async def reassign(tx: Tx, actor: Actor, *, number: str, family: Sequence[UUID], customer: UUID, reason: str) -> UUID:
    """Give an order of one person to another, as its timeline will say; goods, money and contact stay as they are. Its id.

    Raises UnknownOrder, also when it is not the first person's (`family`).
    """
    order = await books.lock(tx, number=read_number(number))
    if order is None or order.customer_id is None or order.customer_id not in family:
        raise UnknownOrder(number=number)
    previous, order.customer_id = order.customer_id, customer
    await tx.execute(REASSIGN, id=order.id, customer=customer)
    books.write(tx, order)
    because = msgspec.structs.replace(actor, reason=reason)
    books.enter(
        tx, because, order, "reassigned", {"from": previous, "to": customer},
        OrderReassigned(
            aggregate_id=order.id, version=order.version, number=order.number, previous_id=previous, customer_id=customer
        ),
    )  # fmt: skip
    outbox.audit(
        tx, because, "order.reassigned", "order", order.id,
        before={"customer": previous}, after={"customer": customer, "version": order.version},
    )  # fmt: skip
    return order.id


def _head(row: Any) -> OrderHead:
    return msgspec.convert(dict(row), OrderHead)
