"""Reads of `people`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from msgspec import convert

from commerce import carts, customers, orders, returns
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.paging import Page, decode_cursor, encode_cursor
from commerce.people.errors import OneCriterion
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
TOUCHES = "SELECT first, last FROM people.order_touches WHERE order_id = :order"
RULES = "SELECT subject, days, fixed, version, updated_at, updated_by FROM people.retention_rules ORDER BY subject"
EXPORT = """
SELECT order_id, first, last, at FROM people.order_touches WHERE customer_id = ANY(CAST(:ids AS uuid[])) ORDER BY at, order_id
"""


CRITERIA = ("phone", "email", "loyalty_card", "external_id", "name", "order")


async def found_by(
    tx: Tx, *, criteria: Mapping[str, str | None], limit: int, cursor: str | None
) -> tuple[str, Page[customers.CustomerView]]:
    """Customers by exactly one criterion, and which it was. Three statements at most.

    Raises OneCriterion, customers.BadEmail, customers.BadPhone, orders.UnknownOrder, BadCursor.
    """
    given = {name: value for name in CRITERIA if (value := criteria.get(name)) is not None}
    if len(given) != 1:
        raise OneCriterion
    ((by, value),) = given.items()
    following = None
    if by == "name":
        after = decode_cursor(cursor, str, UUID) if cursor else None
        rows = await customers.named(tx, prefix=value, after=(after[0], after[1]) if after else None, limit=limit + 1)
        people = [person for _, person in rows[:limit]]
        following = encode_cursor(*rows[limit - 1]) if len(rows) > limit else None
    elif by == "order":
        owner = (await orders.head(tx, number=value)).customer_id
        people = [owner] if owner else []
    else:
        holder = await _holder(tx, by, value)
        people = [holder] if holder else []
    return by, Page(items=await customers.customer_views(tx, people) if people else [], next_cursor=following)


async def _holder(tx: Tx, by: str, value: str) -> UUID | None:
    if by == "phone":
        return await customers.holder(tx, kind="phone", value=customers.phone(value))
    if by == "email":
        return await customers.holder(tx, kind="email", value=customers.email(value))
    return await customers.holder(tx, kind="loyalty_card" if by == "loyalty_card" else "external", value=value.strip())


async def card(tx: Tx, _actor: Actor, *, customer: UUID) -> CustomerCard:
    """A customer's profile with identifiers, addresses, consents and how much of his is open. Nine statements.

    Raises customers.UnknownCustomer.
    """
    view = await customers.customer_view(tx, customer=customer)
    ids = [view.id, *view.merged_ids]
    fields = {name: getattr(view, name) for name in customers.CustomerView.__struct_fields__}
    return CustomerCard(
        **fields,
        identifiers=await customers.identifiers_of(tx, ids),
        addresses=await customers.addresses_of(tx, ids),
        consents=await customers.consents_of(tx, ids),
        touches=await customers.touches_of(tx, ids),
        open=OpenThings(
            orders=await orders.unsettled(tx, ids),
            returns=await returns.unsettled(tx, ids),
            carts=len(await carts.of_people(tx, ids, before=None, limit=MANY)),
        ),
    )


async def order_touches(tx: Tx, _actor: Actor, *, number: str) -> OrderTouches:
    """What had led to an order; nothing when nobody knows. Two statements. Raises orders.UnknownOrder."""
    order = await orders.head(tx, number=number)
    row = await tx.first(TOUCHES, order=order.id)
    found = convert({"first": row.first, "last": row.last}, customers.Touches) if row else customers.Touches()
    return OrderTouches(number=order.number, first=found.first, last=found.last)


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
