"""A person's timeline: what every room tells of him, newest first. A source is one entry of SOURCES."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert, structs

from commerce import carts, conversations, customers, orders, returns
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.paging import Page, decode_cursor, page_of
from commerce.people.schemas import Entry, Kind

Before = tuple[datetime, UUID] | None
Read = Callable[[Tx, Sequence[UUID], Before, int], Awaitable[list[Entry]]]

TOUCHES = (
    "SELECT order_id, first_touch, last_touch FROM people.order_touches WHERE order_id = ANY(CAST(:orders AS uuid[]))"
)


class Source(Struct, frozen=True):
    """A kind of entry, the permission without which it is not shown, and where it comes from: a fixed number of statements."""

    kind: Kind
    permission: str
    read: Read


async def _orders(tx: Tx, ids: Sequence[UUID], before: Before, limit: int) -> list[Entry]:
    found = await orders.of_people(tx, ids, before=before, limit=limit)
    led = {
        row.order_id: convert({"first": row.first_touch, "last": row.last_touch}, customers.Touches)
        for row in await tx.rows(TOUCHES, orders=[order.id for order in found])
    }
    return [
        Entry(kind="order", at=order.placed_at, id=order.id, order=order, touches=led.get(order.id)) for order in found
    ]


async def _returns(tx: Tx, ids: Sequence[UUID], before: Before, limit: int) -> list[Entry]:
    found = await returns.of_people(tx, ids, before=before, limit=limit)
    return [Entry(kind="return", at=one.created_at, id=one.id, returned=one) for one in found]


async def _carts(tx: Tx, ids: Sequence[UUID], before: Before, limit: int) -> list[Entry]:
    found = await carts.of_people(tx, ids, before=before, limit=limit)
    return [Entry(kind="cart", at=cart.changed_at, id=cart.id, cart=cart) for cart in found]


async def _conversations(tx: Tx, ids: Sequence[UUID], before: Before, limit: int) -> list[Entry]:
    at, id_ = before or (None, None)
    found = await conversations.of_people(tx, ids, before=at, before_id=id_, limit=limit)
    return [Entry(kind="conversation", at=one.opened_at, id=one.id, conversation=one) for one in found]


async def _consents(tx: Tx, ids: Sequence[UUID], before: Before, limit: int) -> list[Entry]:
    found = await customers.consents_before(tx, ids, before=before, limit=limit)
    return [Entry(kind="consent", at=one.at, id=one.id, consent=one) for one in found]


async def _merges(tx: Tx, ids: Sequence[UUID], before: Before, limit: int) -> list[Entry]:
    found = await customers.merges_of(tx, ids, before=before, limit=limit)
    return [Entry(kind="merge", at=one.at, id=one.id, merge=one) for one in found]


SOURCES = (
    Source("order", "orders.read", _orders),
    Source("return", "orders.read", _returns),
    Source("cart", "customers.read", _carts),
    Source("conversation", "conversations.work", _conversations),
    Source("consent", "customers.read", _consents),
    Source("merge", "customers.read", _merges),
)


async def of_customer(
    tx: Tx, actor: Actor, *, customer: UUID, kinds: Sequence[Kind] | None, limit: int, cursor: str | None
) -> tuple[UUID, Page[Entry]]:
    """Who it is, and all that is known of him under any of his profiles, newest first; kinds that the caller may not read are left out.

    The number of statements is fixed, however long the list. Raises customers.UnknownCustomer, BadCursor.
    """
    person = await customers.customer_view(tx, customer=customer)
    ids = [person.id, *person.merged_ids]
    before = decode_cursor(cursor, datetime, UUID) if cursor else None
    found: list[Entry] = []
    for source in SOURCES:
        if (kinds is None or source.kind in kinds) and actor.may(source.permission):
            found += await source.read(tx, ids, (before[0], before[1]) if before else None, limit + 1)
    found.sort(key=lambda entry: (entry.at, entry.id), reverse=True)
    return person.id, page_of(found[: limit + 1], limit, structs.replace, lambda entry: (entry.at, entry.id))
