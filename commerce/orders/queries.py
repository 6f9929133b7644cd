"""Reads of `orders`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from commerce import customers, fulfillment, locations, payments
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.money import Money
from commerce.kernel.paging import Page, decode_cursor, page_of
from commerce.orders import books
from commerce.orders.books import Order
from commerce.orders.errors import OrderNotAllowed, UnknownOrder
from commerce.orders.numbers import read_number
from commerce.orders.rejections import open_choices
from commerce.orders.schemas import (
    NotASourceView,
    OrderHeadline,
    OrderPlans,
    OrderPlanView,
    OrderSummary,
    OrderView,
    PlannedSourceView,
    Timeline,
    TimelineEntry,
)
from commerce.orders.service import is_asked, owned
from commerce.orders.views import fulfillment_status, order_view, return_status

MINE = """
SELECT o.id, o.number, o.kind, o.state, o.channel, o.total, o.currency, o.placed_at, o.version, s.*
FROM orders.orders o
JOIN LATERAL (
    SELECT sum(handed_over) AS handed_over, sum(quantity - handed_over - cancelled) AS outstanding, sum(returned) AS returned,
           sum(CASE WHEN quantity_unit IS NULL THEN quantity ELSE 1 END) AS units, min(title::text) FILTER (WHERE n = 1) AS title
    FROM orders.lines WHERE order_id = o.id
) s ON true
WHERE o.customer_id = ANY(CAST(:people AS uuid[]))
  AND (CAST(:after_id AS uuid) IS NULL OR (o.placed_at, o.id) < (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid)))
ORDER BY o.placed_at DESC, o.id DESC LIMIT :most
"""
ENTRIES = """
SELECT e.version, e.what, e.actor, e.data, e.occurred_at FROM orders.entries e WHERE e.order_id = :order
ORDER BY e.version
"""


async def view(tx: Tx, actor: Actor, *, number: str, secret_key: str) -> OrderView:
    """An order of the shopper's own, or any for staff who may read orders. Seven statements at most.

    A return may come to any store, so its staff read any order; whom it is for is shown at the stores that have to do with it alone.

    Raises UnknownOrder, OrderNotAllowed.
    """
    order = await _readable(tx, actor, number)
    works = (await fulfillment.of_orders(tx, [order.id]))[order.id]
    money = (await payments.of_orders(tx, [order.id]))[order.id]
    ids = {work.location_id for work in works}
    ids |= {line.bought_location_id for line in order.lines if line.bought_location_id}
    ids |= {line.fulfilled_location_id for line in order.lines if line.fulfilled_location_id}
    places = await locations.by_ids(tx, sorted(ids))
    asked = await open_choices(tx, order) if is_asked(order, works) else []
    shown = order_view(order, works, money, places, secret_key if actor.kind == "shopper" else None, asked)
    if actor.kind != "shopper" and not any(actor.may("orders.read", place.code) for place in places.values()):
        return msgspec.structs.replace(shown, contact=None, recipient=None, note=None, gift=None)
    return shown


async def plans(tx: Tx, actor: Actor, *, number: str) -> OrderPlans:
    """Where the goods of an order come from and why, for staff who may read orders. Raises UnknownOrder, OrderNotAllowed."""
    order = await _readable(tx, actor, number)
    skus = {line.id: line.sku for line in order.lines}
    return OrderPlans(
        items=[
            OrderPlanView(
                n=stored.n, occasion=stored.reason, made_at=stored.made_at, proven=stored.plan.proven,
                allocations=[
                    PlannedSourceView(
                        sku=skus[part.line_id], location=part.location, quantity=part.quantity, expected_on=part.expected_on,
                        reason=fulfillment.texts_of(part.reason),
                    )
                    for part in stored.plan.allocations
                ],
                rejected=[
                    NotASourceView(location=other.location, reason=fulfillment.texts_of(other.reason))
                    for other in stored.plan.rejected
                ],
            )
            for stored in await fulfillment.plans_of(tx, order.id)
        ]
    )  # fmt: skip


async def timeline(tx: Tx, actor: Actor, *, number: str) -> Timeline:
    """What happened to an order and its fulfillments, oldest first; staff's notes to each other are not the customer's.

    Raises UnknownOrder, OrderNotAllowed.
    """
    order = await _readable(tx, actor, number)
    found = [
        (row.version, _entry(row.what, None, row.actor, row.data, row.occurred_at))
        for row in await tx.rows(ENTRIES, order=order.id)
    ]
    found += [
        (step.version, _entry(step.what, step.number, step.actor, step.data, step.occurred_at))
        for step in await fulfillment.steps_of(tx, order_id=order.id)
    ]
    entries = in_order(found)
    for entry in entries:
        entry.data.pop("sent", None)
        if actor.kind == "shopper":
            entry.data.pop("note", None)
    return Timeline(number=order.number, entries=entries)


def in_order(found: Iterable[tuple[int, TimelineEntry]]) -> list[TimelineEntry]:
    """Entries of an order and its fulfillments by time, and each one's own by their versions whatever their times say: an act
    that waited for another began before that one and comes after it. The order's come first within a moment."""
    latest: dict[str | None, datetime] = {}
    placed = []
    for version, entry in sorted(found, key=lambda one: one[0]):
        at = max(entry.occurred_at, latest.get(entry.fulfillment, entry.occurred_at))
        latest[entry.fulfillment] = at
        placed.append((at, entry.fulfillment or "", version, entry))
    placed.sort(key=lambda one: one[:3])
    return [entry for *_, entry in placed]


async def mine(tx: Tx, actor: Actor, *, limit: int, cursor: str | None) -> Page[OrderSummary]:
    """The shopper's orders in every channel, newest first, those of profiles merged into his included."""
    people = await customers.ids_of_caller(tx, actor)
    after_at, after_id = decode_cursor(cursor, datetime, UUID) if cursor else (None, None)
    rows = await tx.rows(MINE, people=list(people), after_at=after_at, after_id=after_id, most=limit + 1)
    begun = {
        order_id
        for order_id, works in (await fulfillment.of_orders(tx, [row.id for row in rows])).items()
        if any(work.state not in ("open", "cancelled") for work in works)
    }
    return page_of(
        rows,
        limit,
        lambda row: OrderSummary(
            number=row.number, kind=row.kind, state=row.state, channel=row.channel, total=Money(row.total, row.currency),
            fulfillment_status=fulfillment_status(row.handed_over, row.outstanding, row.id in begun),
            return_status=return_status(row.handed_over, row.returned), units=row.units,
            title=msgspec.json.decode(row.title), placed_at=row.placed_at, version=row.version,
        ),
        lambda row: (row.placed_at, row.id),
    )  # fmt: skip


HEADLINE = "SELECT id, number, customer_id FROM orders.orders WHERE number = :number"


async def headline(tx: Tx, *, number: str) -> OrderHeadline:
    """Which order it is and whose, for whoever points at it. One statement. Raises UnknownOrder."""
    row = await tx.first(HEADLINE, number=read_number(number))
    if row is None:
        raise UnknownOrder(number=number)
    return OrderHeadline(id=row.id, number=row.number, customer_id=row.customer_id)


async def _readable(tx: Tx, actor: Actor, number: str) -> Order:
    order = await books.read(tx, number=read_number(number))
    if actor.kind == "shopper":
        return await owned(tx, actor, order, number)
    if not actor.may("orders.read"):
        raise OrderNotAllowed(permission="orders.read")
    if order is None:
        raise UnknownOrder(number=number)
    return order


def _entry(
    what: str, number: str | None, actor: dict[str, Any], data: dict[str, Any], occurred_at: datetime
) -> TimelineEntry:
    device = actor.get("device")
    return TimelineEntry(
        what=what, fulfillment=number, who=actor["kind"], who_id=UUID(actor["subject"]), channel=actor["channel"],
        device=UUID(device) if device else None, data=data, occurred_at=occurred_at,
    )  # fmt: skip
