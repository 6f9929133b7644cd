"""Verbs of `orders` that need more than one transaction, and what staff read about a customer: recorded before they are answered."""

from __future__ import annotations

import asyncpg

from commerce.infra import outbox
from commerce.infra.db import Database, InProgress, KeyReused, Once, constraint_of
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy, Problem
from commerce.kernel.tags import Seen
from commerce.orders import queries, sales, service
from commerce.orders.errors import ExternalIdTaken
from commerce.orders.schemas import BookSale, OrderView, PlaceOrder, SaleView

SALE_ID = "uq_orders_client_sale_id"
EXTERNAL_ID = "pk_external_ids"


async def place(
    db: Database,
    once: Once,
    actor: Actor,
    *,
    command: PlaceOrder,
    currency: str,
    seen: Seen,
    announce: service.Announce | None,
) -> OrderView:
    """Place an order off the shelf of its store; by plan, in a transaction of its own that holds no level yet, when the shelf is short and
    the customer takes it later too. Raises what `service.place` raises; what is short with the stores that have it and the date when
    this one could."""
    try:
        return await db.write_once(
            once, OrderView, service.place, actor, command=command, currency=currency, seen=seen, announce=announce
        )
    except service.ShelfShort as short:
        if command.pickup is None or not command.pickup.later:
            await db.read(service.explain, short=short)
            raise
    return await db.write_once(
        once, OrderView, service.place_by_plan, actor, command=command, currency=currency, seen=seen, announce=announce
    )


async def book_sale(
    db: Database, once: Once, actor: Actor, *, code: str, command: BookSale, announce: service.Announce | None = None
) -> SaleView:
    """Book a till sale; the id of a sale that is in the books already answers that one and books nothing.

    The second of two bookings fails as a whole on the order's unique sale id, however they meet; the answer is read then. So it is
    when the second is refused for another reason: the sale may be too old by now, its customer erased, its goods renamed.

    Raises ExternalIdTaken, and what `sales.book` and `sales.booked` raise.
    """
    try:
        return await db.write_once(once, SaleView, sales.book, actor, code=code, command=command, announce=announce)
    except asyncpg.UniqueViolationError as error:
        broken = constraint_of(error)
        if broken not in (SALE_ID, EXTERNAL_ID):
            raise
        if broken == EXTERNAL_ID and not await db.read(sales.is_booked, sale=command.id):
            raise ExternalIdTaken(external_ids=command.external_ids) from error
    except (KeyReused, InProgress, Busy):
        raise
    except Problem:
        if not await db.read(sales.is_booked, sale=command.id):
            raise
    return await db.write_once(once, SaleView, sales.booked, actor, code=code, command=command)


async def read(db: Database, actor: Actor, *, number: str, secret_key: str) -> OrderView:
    """An order; when staff see whom it is for, once it is recorded that they do. Raises what `queries.view` raises."""
    view = await db.read(queries.view, actor, number=number, secret_key=secret_key)
    shown = (view.contact, view.recipient, view.note, view.gift)
    if actor.kind != "shopper" and any(part is not None for part in shown):
        await db.write(outbox.note_read, actor, "order.read", "order", view.id, view.customer_id)
    return view
