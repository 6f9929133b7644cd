"""What takes more than one transaction: what staff read about a person is recorded before they are answered."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from commerce.infra import outbox
from commerce.infra.db import Database
from commerce.kernel.actor import Actor
from commerce.kernel.paging import Page
from commerce.people import queries, service, timeline
from commerce.people.schemas import CustomerCard, Entry, Kind, OrderTouches, PersonExport


async def export_customer(db: Database, actor: Actor, *, customer: UUID) -> PersonExport:
    """Everything about a customer for staff who may take it out: that they did is recorded before. Raises customers.UnknownCustomer."""
    await db.write(service.note_export, actor, customer=customer)
    return await db.snapshot(queries.export, customer=customer)


async def read_card(db: Database, actor: Actor, *, customer: UUID) -> CustomerCard:
    """A customer's card, once it is recorded who reads it. Raises customers.UnknownCustomer."""
    card = await db.read(queries.card, actor, customer=customer)
    await db.write(outbox.note_read, actor, "customer.read", "customer", card.id, card.id)
    return card


async def read_timeline(
    db: Database, actor: Actor, *, customer: UUID, kinds: Sequence[Kind] | None, limit: int, cursor: str | None
) -> Page[Entry]:
    """A page of a customer's timeline, once it is recorded who reads it and which kinds. Raises customers.UnknownCustomer, BadCursor."""
    person, page = await db.read(
        timeline.of_customer, actor, customer=customer, kinds=kinds, limit=limit, cursor=cursor
    )
    after = {"kinds": sorted(set(kinds))} if kinds else None
    await db.write(outbox.note_read, actor, "customer.timeline_read", "customer", person, person, after)
    return page


async def read_touches(db: Database, actor: Actor, *, number: str) -> OrderTouches:
    """What had led to an order, once it is recorded who reads it. Raises orders.UnknownOrder."""
    order, touches = await db.read(queries.order_touches, actor, number=number)
    await db.write(outbox.note_read, actor, "order.touches_read", "order", order.id, order.customer_id)
    return touches
