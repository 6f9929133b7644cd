"""Reads of `people`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import convert

from commerce import carts, conversations, customers, orders, returns
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.people.rooms import exporters
from commerce.people.schemas import (
    CustomerCard,
    OpenThings,
    OrderTouches,
    PersonExport,
    RetentionRules,
    RetentionView,
)

MANY = 100
"""Open carts that a card counts at most."""
TOUCHES = "SELECT first_touch, last_touch FROM people.order_touches WHERE order_id = :order"
RULES = "SELECT subject, days, fixed, version, updated_at, updated_by FROM people.retention_rules ORDER BY subject"
EXPORT = """
SELECT order_id, first_touch, last_touch, at FROM people.order_touches WHERE customer_id = ANY(CAST(:ids AS uuid[])) ORDER BY at, order_id
"""


async def card(tx: Tx, _actor: Actor, *, customer: UUID) -> CustomerCard:
    """A customer's profile with identifiers, addresses, consents and how much of his is open. Nine statements.

    Raises customers.UnknownCustomer.
    """
    view = await customers.customer_view(tx, customer=customer)
    ids = [view.id, *view.merged_ids]
    fields = {name: getattr(view, name) for name in customers.CustomerView.__struct_fields__}
    return CustomerCard(
        **fields,
        addresses=await customers.addresses_of(tx, ids),
        consents=await customers.consents_of(tx, ids),
        touches=await customers.touches_of(tx, ids),
        open=OpenThings(
            orders=await orders.unsettled(tx, ids),
            returns=await returns.unsettled(tx, ids),
            carts=len(await carts.of_people(tx, ids, before=None, limit=MANY)),
            conversations=await conversations.waiting_of(tx, ids),
        ),
    )


async def order_touches(tx: Tx, _actor: Actor, *, number: str) -> tuple[orders.OrderHead, OrderTouches]:
    """An order, and what had led to it; nothing when nobody knows. Two statements. Raises orders.UnknownOrder."""
    order = await orders.head(tx, number=number)
    row = await tx.first(TOUCHES, order=order.id)
    found = (
        convert({"first": row.first_touch, "last": row.last_touch}, customers.Touches) if row else customers.Touches()
    )
    return order, OrderTouches(number=order.number, first=found.first, last=found.last)


async def rules(tx: Tx) -> RetentionRules:
    """All retention rules by name. One statement."""
    return RetentionRules(items=[convert(dict(row), RetentionView) for row in await tx.rows(RULES)])


async def export(tx: Tx, *, customer: UUID) -> PersonExport:
    """Everything that every room keeps about a person under any of his profiles. Raises customers.UnknownCustomer."""
    view = await customers.customer_view(tx, customer=customer)
    ids = [view.id, *view.merged_ids]
    return PersonExport(
        customer=view.id, ids=ids, exported_at=tx.at, rooms={room: await verb(tx, ids=ids) for room, verb in exporters()}
    )  # fmt: skip


async def export_mine(tx: Tx, actor: Actor) -> PersonExport:
    """Everything that every room keeps about the caller. Raises customers.UnknownCustomer."""
    return await export(tx, customer=actor.person)


async def export_person(tx: Tx, *, ids: Sequence[UUID]) -> dict[str, Any]:
    """What led to a person's orders, given all his ids. One statement."""
    return {"order_touches": [dict(row) for row in await tx.rows(EXPORT, ids=list(ids))]}
