"""Reads of `transfers`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from commerce import catalog, locations
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.paging import Page, decode_cursor, page_of
from commerce.locations import Location
from commerce.transfers.errors import TransferNotYours, UnknownTransfer
from commerce.transfers.numbers import read_number
from commerce.transfers.schemas import (
    Direction,
    Line,
    OwnedLine,
    OwnedTransfer,
    State,
    Transfer,
    TransferLineView,
    TransferStep,
    TransferSummary,
    TransferView,
)

HEAD = """
    t.id, t.number, t.kind, t.source_id, t.destination_id, t.state, t.order_number, t.remark, t.expected_on, t.cancel_reason,
    t.version, t.created_at, t.ready_at, t.dispatched_at, t.closed_at
"""
BY_NUMBER = f"SELECT {HEAD} FROM transfers.transfers t WHERE t.number = :number"  # noqa: S608
LINES = """
SELECT l.id, l.transfer_id, l.n, l.variant_id, l.quantity, l.owner_id, l.order_line_id, l.cancelled, l.freed, l.dispatched,
       l.received, l.quality_control, l.damaged, l.missing, l.surplus, l.short_reason, l.discrepancy_reason, l.remark
FROM transfers.lines l WHERE l.transfer_id = ANY(CAST(:ids AS uuid[])) ORDER BY l.transfer_id, l.n
"""
STEPS = """
SELECT version, what, occurred_at, actor, data FROM transfers.steps WHERE transfer_id = :id ORDER BY version
"""
LIST = f"""
SELECT {HEAD}, s.lines, s.units, s.on_the_way
FROM transfers.transfers t CROSS JOIN LATERAL (
    SELECT count(*) AS lines, sum(l.quantity - l.cancelled) AS units,
           sum(l.dispatched - l.received - l.quality_control - l.damaged - l.missing) AS on_the_way
    FROM transfers.lines l WHERE l.transfer_id = t.id
) s
WHERE (CAST(:states AS text[]) IS NULL OR t.state = ANY(CAST(:states AS text[])))
  AND (CAST(:sources AS uuid[]) IS NULL OR t.source_id = ANY(CAST(:sources AS uuid[]))
       OR t.destination_id = ANY(CAST(:destinations AS uuid[])))
  AND (CAST(:before_at AS timestamptz) IS NULL OR (t.created_at, t.id) < (CAST(:before_at AS timestamptz), CAST(:before_id AS uuid)))
ORDER BY t.created_at DESC, t.id DESC LIMIT CAST(:most AS bigint)
"""  # noqa: S608
LOADS = """
SELECT w.location_id,
    (SELECT count(*) FROM transfers.transfers t WHERE t.source_id = w.location_id AND t.order_number IS NOT NULL
        AND t.state <> 'cancelled' AND t.created_at >= w.since) AS today,
    (SELECT count(*) FROM transfers.transfers t WHERE t.source_id = w.location_id AND t.state = 'ready') AS waiting
FROM unnest(CAST(:locations AS uuid[]), CAST(:since AS timestamptz[])) AS w(location_id, since)
"""
OF_OWNERS = """
SELECT t.id, t.number, t.state, t.source_id, t.destination_id, t.expected_on, t.dispatched_at, l.owner_id, l.order_line_id,
       l.variant_id, l.quantity - l.cancelled - l.freed AS quantity,
       CASE WHEN t.state IN ('draft', 'ready') THEN l.quantity - l.cancelled ELSE 0 END AS to_send,
       greatest(l.dispatched - l.received - l.quality_control - l.damaged - l.missing - l.freed, 0) AS on_the_way, l.received
FROM transfers.transfers t JOIN transfers.lines l ON l.transfer_id = t.id
WHERE l.owner_id = ANY(CAST(:owners AS uuid[])) AND l.quantity > l.cancelled + l.freed
ORDER BY t.created_at, t.id, l.owner_id, l.n
"""
LATE: frozenset[State] = frozenset({"draft", "ready", "in_transit", "partially_received"})


def transfer_of(head: Row, lines: Sequence[Row]) -> Transfer:
    """The rows of HEAD and LINES as a Transfer."""
    found = []
    for row in lines:
        values = dict(row)
        del values["transfer_id"]
        found.append(Line(**values))
    return Transfer(**dict(head), lines=found, seen={line.id: msgspec.structs.replace(line) for line in found})


async def read(tx: Tx, actor: Actor, *, number: str) -> TransferView:
    """A transfer from or to a location of the reader. Raises UnknownTransfer, TransferNotYours."""
    transfer = await _found(tx, number)
    places = await locations.by_ids(tx, [transfer.source_id, transfer.destination_id])
    require_end(actor, places[transfer.source_id], places[transfer.destination_id])
    return await view(tx, transfer, places)


async def read_at_store(tx: Tx, _actor: Actor, *, code: str, number: str) -> TransferView:
    """A transfer from or to a store. Raises UnknownLocation, UnknownTransfer, also for one between others."""
    location = await locations.one(tx, code)
    transfer = await _found(tx, number)
    if location.id not in (transfer.source_id, transfer.destination_id):
        raise UnknownTransfer(number=number)
    return await view(tx, transfer, await locations.by_ids(tx, [transfer.source_id, transfer.destination_id]))


async def listing(
    tx: Tx, actor: Actor, *, states: Sequence[State] | None, location: str | None, limit: int, cursor: str | None
) -> Page[TransferSummary]:
    """Transfers from or to one location, or all that the reader may see, the newest first.

    Raises UnknownLocation, TransferNotYours, BadCursor.
    """
    ends: list[UUID] | None = None
    if location is not None:
        if not actor.may("stock.transfer", location):
            raise TransferNotYours(source=location, destination=location)
        ends = [(await locations.one(tx, location)).id]
    elif not actor.may("stock.transfer", "*"):
        own = await locations.by_codes(tx, actor.permissions.get("stock.transfer", ()))
        ends = [place.id for place in own.values()]
    return await _page(tx, states=states, sources=ends, destinations=ends, limit=limit, cursor=cursor)


async def of_store(
    tx: Tx, *, code: str, direction: Direction | None, states: Sequence[State] | None, limit: int, cursor: str | None
) -> Page[TransferSummary]:
    """What comes to a store, what leaves it, or both, the newest first. Raises UnknownLocation, BadCursor."""
    location = await locations.one(tx, code)
    sources = [] if direction == "incoming" else [location.id]
    destinations = [] if direction == "outgoing" else [location.id]
    return await _page(tx, states=states, sources=sources, destinations=destinations, limit=limit, cursor=cursor)


async def of_owner(tx: Tx, owner_ids: Sequence[UUID]) -> list[OwnedTransfer]:
    """The transfers that carry, or carried, goods of these fulfillments, the oldest first. What an order has given up is left
    out. One statement."""
    found: dict[tuple[UUID, UUID], OwnedTransfer] = {}
    for row in await tx.rows(OF_OWNERS, owners=list(owner_ids)):
        transfer = found.get((row.id, row.owner_id))
        if transfer is None:
            transfer = found[row.id, row.owner_id] = OwnedTransfer(
                id=row.id, number=row.number, owner_id=row.owner_id, state=row.state, source_id=row.source_id,
                destination_id=row.destination_id, expected_on=row.expected_on, dispatched_at=row.dispatched_at, lines=[],
            )  # fmt: skip
        transfer.lines.append(
            OwnedLine(
                order_line_id=row.order_line_id, variant_id=row.variant_id, quantity=row.quantity, to_send=row.to_send,
                on_the_way=row.on_the_way, received=row.received,
            )
        )  # fmt: skip
    return list(found.values())


def require_end(actor: Actor, source: Location, destination: Location) -> None:
    """Raises TransferNotYours unless the actor may move goods at one of both ends."""
    if not (actor.may("stock.transfer", source.code) or actor.may("stock.transfer", destination.code)):
        raise TransferNotYours(source=source.code, destination=destination.code)


async def view(
    tx: Tx,
    transfer: Transfer,
    places: dict[UUID, Location],
    latest: TransferStep | None = None,
    variants: dict[UUID, catalog.Variant] | None = None,
) -> TransferView:
    """A transfer as people see it; `latest` is a step that is not written yet. One statement, one more without `variants`."""
    steps = [TransferStep(**row) for row in await tx.rows(STEPS, id=transfer.id)]
    if latest is not None:
        steps.append(latest)
    if variants is None:
        variants = await catalog.variants(tx, sorted({line.variant_id for line in transfer.lines}))
    return TransferView(
        number=transfer.number, kind=transfer.kind, state=transfer.state, source=places[transfer.source_id].code,
        destination=places[transfer.destination_id].code, order_number=transfer.order_number, note=transfer.remark,
        expected_on=transfer.expected_on, cancel_reason=transfer.cancel_reason,
        lines=[
            TransferLineView(
                n=line.n, sku=variants[line.variant_id].sku, title=variants[line.variant_id].title, quantity=line.quantity,
                cancelled=line.cancelled, dispatched=line.dispatched, on_the_way=line.on_the_way, received=line.received,
                quality_control=line.quality_control, damaged=line.damaged, missing=line.missing, surplus=line.surplus,
                short_reason=line.short_reason, discrepancy_reason=line.discrepancy_reason, note=line.remark,
                order_line_id=line.order_line_id,
            )
            for line in transfer.lines
        ],
        steps=steps, created_at=transfer.created_at, ready_at=transfer.ready_at, dispatched_at=transfer.dispatched_at,
        closed_at=transfer.closed_at, version=transfer.version,
    )  # fmt: skip


async def _found(tx: Tx, number: str) -> Transfer:
    kept = read_number(number)
    head = await tx.first(BY_NUMBER, number=kept) if kept is not None else None
    if head is None:
        raise UnknownTransfer(number=number)
    return transfer_of(head, await tx.rows(LINES, ids=[head.id]))


async def _page(
    tx: Tx,
    *,
    states: Sequence[State] | None,
    sources: list[UUID] | None,
    destinations: list[UUID] | None,
    limit: int,
    cursor: str | None,
) -> Page[TransferSummary]:
    before_at, before_id = decode_cursor(cursor, datetime, UUID) if cursor else (None, None)
    rows = await tx.rows(
        LIST, states=list(states) if states else None, sources=sources, destinations=destinations, before_at=before_at,
        before_id=before_id, most=limit + 1,
    )  # fmt: skip
    places = await locations.by_ids(tx, sorted({end for row in rows for end in (row.source_id, row.destination_id)}))
    return page_of(
        rows, limit,
        lambda row: TransferSummary(
            number=row.number, kind=row.kind, state=row.state, source=places[row.source_id].code,
            destination=places[row.destination_id].code, order_number=row.order_number, expected_on=row.expected_on,
            late=row.state in LATE and row.expected_on < places[row.destination_id].business_date(tx.at),
            lines=row.lines, units=row.units, on_the_way=row.on_the_way, created_at=row.created_at,
        ),
        lambda row: (row.created_at, row.id),
    )  # fmt: skip


async def loads(tx: Tx, *, location_ids: Sequence[UUID], since: Sequence[datetime]) -> dict[UUID, tuple[int, int]]:
    """What sources have to send: transfers opened for orders since a moment of each, and those ready to leave. One statement."""
    rows = await tx.rows(LOADS, locations=list(location_ids), since=list(since))
    return {row.location_id: (row.today, row.waiting) for row in rows}
