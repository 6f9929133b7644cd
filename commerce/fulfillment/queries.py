"""Reads of `fulfillment`: the store's queue, and what an order's pickups are up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from commerce import catalog, locations
from commerce.fulfillment.errors import OtherStore, UnknownFulfillment
from commerce.fulfillment.schemas import (
    LIVE,
    Fulfillment,
    FulfillmentLine,
    FulfillmentLineView,
    State,
    StepView,
    StoreFulfillmentView,
)
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.paging import Page, decode_cursor, encode_cursor
from commerce.locations import Location

COLUMNS = """
    f.id, f.order_id, f.number, f.kind, f.location_id, f.state, f.at_risk, f.promised_from, f.promised_until, f.ready_at,
    f.pickup_by, f.closed_at, f.cancel_reason, f.code_counter, f.code_attempts, f.version, f.created_at,
    l.id AS line_id, l.order_line_id, l.variant_id, l.quantity, l.picked, l.handed_over, l.cancelled, l.passed_on, l.components
"""
HEAD = (
    "id", "order_id", "number", "kind", "location_id", "state", "at_risk", "promised_from", "promised_until", "ready_at",
    "pickup_by", "closed_at", "cancel_reason", "code_counter", "code_attempts", "version", "created_at",
)  # fmt: skip
LINE = ("order_line_id", "variant_id", "quantity", "picked", "handed_over", "cancelled", "passed_on", "components")
BY_NUMBER = f"""
SELECT {COLUMNS} FROM fulfillment.fulfillments f JOIN fulfillment.lines l ON l.fulfillment_id = f.id
WHERE f.number = :number ORDER BY l.id
"""  # noqa: S608
OF_ORDERS = f"""
SELECT {COLUMNS} FROM fulfillment.fulfillments f JOIN fulfillment.lines l ON l.fulfillment_id = f.id
WHERE f.order_id = ANY(CAST(:orders AS uuid[])) ORDER BY f.id, l.id
"""  # noqa: S608
QUEUE = f"""
WITH page AS MATERIALIZED (
    SELECT * FROM fulfillment.fulfillments
    WHERE location_id = :location AND state = ANY(CAST(:states AS text[]))
      AND (CAST(:after_id AS uuid) IS NULL
           OR (NOT at_risk, coalesce(promised_from, created_at), id) > (
               NOT CAST(:after_risk AS boolean), CAST(:after_due AS timestamptz), CAST(:after_id AS uuid)))
    ORDER BY NOT at_risk, coalesce(promised_from, created_at), id LIMIT :most
)
SELECT {COLUMNS} FROM page f JOIN fulfillment.lines l ON l.fulfillment_id = f.id
ORDER BY NOT f.at_risk, coalesce(f.promised_from, f.created_at), f.id, l.id
"""  # noqa: S608
STEPS = """
SELECT f.number, s.version, s.what, s.actor, s.data, s.occurred_at
FROM fulfillment.steps s JOIN fulfillment.fulfillments f ON f.id = s.fulfillment_id
WHERE f.order_id = :order ORDER BY s.occurred_at, f.number, s.version
"""


def fulfillments_of(rows: Sequence[Row] | Sequence[dict[str, Any]]) -> list[Fulfillment]:
    """Fulfillments from rows of COLUMNS (or their JSON), one row per line, in the order of the rows."""
    heads: dict[Any, dict[str, Any]] = {}
    for row in rows:
        head = heads.get(row["id"])
        if head is None:
            head = heads[row["id"]] = {name: row[name] for name in HEAD} | {"lines": []}
        head["lines"].append({"id": row["line_id"]} | {name: row[name] for name in LINE})
    return msgspec.convert(list(heads.values()), list[Fulfillment])


def the_one(found: Sequence[Fulfillment], *, number: str, location: Location) -> Fulfillment:
    """The fulfillment, when there is one and it is this store's. Raises UnknownFulfillment, OtherStore."""
    if not found:
        raise UnknownFulfillment(number=number)
    if found[0].location_id != location.id:
        raise OtherStore(number=number)
    return found[0]


async def of_orders(tx: Tx, order_ids: Sequence[UUID]) -> dict[UUID, list[Fulfillment]]:
    """The fulfillments of orders, oldest first; an entry for every id asked for. One statement."""
    found: dict[UUID, list[Fulfillment]] = {order_id: [] for order_id in order_ids}
    for fulfillment in fulfillments_of(await tx.rows(OF_ORDERS, orders=list(order_ids))):
        found[fulfillment.order_id].append(fulfillment)
    return found


async def order_of(tx: Tx, fulfillment_id: UUID) -> UUID | None:
    """The order that a fulfillment belongs to. One statement."""
    found: UUID | None = await tx.scalar(
        "SELECT order_id FROM fulfillment.fulfillments WHERE id = :id", id=fulfillment_id
    )
    return found


async def steps_of(tx: Tx, *, order_id: UUID) -> list[StepView]:
    """What happened to an order's fulfillments, oldest first. One statement."""
    return [StepView(**row) for row in await tx.rows(STEPS, order=order_id)]


def line_view(line: FulfillmentLine, variant: catalog.Variant | None = None) -> FulfillmentLineView:
    """A line as clients see it, with what to look for when the variant is given."""
    return FulfillmentLineView(
        order_line_id=line.order_line_id, variant_id=line.variant_id, quantity=line.quantity, picked=line.picked,
        handed_over=line.handed_over, cancelled=line.cancelled, passed_on=line.passed_on,
        components=line.components or (), sku=variant.sku if variant else None,
        title=variant.title if variant else None, option_texts=variant.option_texts if variant else None,
    )  # fmt: skip


def _store_view(
    fulfillment: Fulfillment, location: Location, variants: Mapping[UUID, catalog.Variant]
) -> StoreFulfillmentView:
    return StoreFulfillmentView(
        number=fulfillment.number, order_number=fulfillment.order_number, location=location.code, kind=fulfillment.kind,
        state=fulfillment.state, at_risk=fulfillment.at_risk, promise=fulfillment.promise, ready_at=fulfillment.ready_at,
        pickup_by=fulfillment.pickup_by, closed_at=fulfillment.closed_at, cancel_reason=fulfillment.cancel_reason,
        created_at=fulfillment.created_at, version=fulfillment.version,
        lines=[line_view(line, variants.get(line.variant_id)) for line in fulfillment.lines],
    )  # fmt: skip


async def store_view(tx: Tx, fulfillment: Fulfillment, location: Location) -> StoreFulfillmentView:
    """A fulfillment as its store sees it. One statement."""
    variants = await catalog.variants(tx, [line.variant_id for line in fulfillment.lines])
    return _store_view(fulfillment, location, variants)


async def at_store(tx: Tx, *, code: str, number: str) -> StoreFulfillmentView:
    """One fulfillment of a store. Raises UnknownLocation, UnknownFulfillment, OtherStore."""
    location = await locations.one(tx, code)
    found = fulfillments_of(await tx.rows(BY_NUMBER, number=number))
    return await store_view(tx, the_one(found, number=number, location=location), location)


async def queue(
    tx: Tx, *, code: str, states: Sequence[State] | None, limit: int, cursor: str | None
) -> Page[StoreFulfillmentView]:
    """A store's work, at risk first, then by what was promised first; without states, all that is not closed."""
    location = await locations.one(tx, code)
    risk, due, after = decode_cursor(cursor, bool, datetime, UUID) if cursor else (None, None, None)
    rows = await tx.rows(
        QUEUE, location=location.id, states=list(states or LIVE), after_risk=risk, after_due=due, after_id=after, most=limit + 1
    )  # fmt: skip
    found = fulfillments_of(rows)
    shown = found[:limit]
    variants = await catalog.variants(tx, sorted({line.variant_id for item in shown for line in item.lines}))
    last = shown[-1] if len(found) > limit else None
    return Page(
        items=[_store_view(item, location, variants) for item in shown],
        next_cursor=encode_cursor(last.at_risk, last.promised_from or last.created_at, last.id) if last else None,
    )
