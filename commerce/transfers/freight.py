"""Transfers that serve orders: goods for a customer's fulfillment, on their way to the store where it is collected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.locations import Location
from commerce.transfers import events, queries, service
from commerce.transfers.numbers import new_number
from commerce.transfers.schemas import Line, Opened, OrderFreight, Transfer

LOCK_OWNED = f"""
SELECT {queries.HEAD} FROM transfers.transfers t
WHERE t.id IN (SELECT l.transfer_id FROM transfers.lines l WHERE l.owner_id = ANY(CAST(:owners AS uuid[])))
  AND t.state = ANY(CAST(:states AS text[]))
ORDER BY t.id FOR NO KEY UPDATE OF t
"""  # noqa: S608


def open_for_order(
    tx: Tx,
    actor: Actor,
    *,
    order_number: str,
    owner: UUID,
    source: Location,
    destination: Location,
    lines: Sequence[OrderFreight],
    expected_on: date,
    waits: bool = False,
) -> Opened:
    """A transfer that brings goods of an order to the store of its fulfillment `owner`. Queues rows only.

    The caller sets the goods aside for the fulfillment at the source: committed, or promised from what is announced there, and
    then it `waits`: a draft that becomes ready when they have come in. Its dispatch takes them from what is committed to the
    fulfillment for `order_line_id`.
    """
    made = Transfer(
        id=uuid7(), number=new_number(), kind="ship_to_store", source_id=source.id, destination_id=destination.id,
        state="draft" if waits else "ready", order_number=order_number, remark=None, expected_on=expected_on, cancel_reason=None,
        version=1, created_at=tx.at, ready_at=None if waits else tx.at, dispatched_at=None, closed_at=None,
        lines=[
            Line(
                id=uuid7(), n=n, variant_id=line.variant_id, quantity=line.quantity, owner_id=owner,
                order_line_id=line.order_line_id,
            )
            for n, line in enumerate(lines, 1)
        ],
    )  # fmt: skip
    service.put(tx, made)
    service.write_step(tx, actor, made, "opened", {"waits": waits})
    service.publish(tx, actor, made, events.TransferCreated if waits else events.TransferReady, [owner])
    return Opened(made.id, made.number)


async def cancel_for_order(
    tx: Tx, actor: Actor, *, owner: UUID, lines: Sequence[OrderFreight] | None = None, reason: str = "order"
) -> list[OrderFreight]:
    """The order gives up goods of its fulfillment `owner`: all, or so many units of these lines. Two statements.

    What is on its way travels on and is nobody's; what has not left stays where it is, and a transfer with nothing else to send is
    cancelled. What travels is given up first, as `stock.release` does too. The caller holds the fulfillment's lock and releases what
    is set aside for it afterwards. Answers what was given up here.
    """
    found = await _locked(tx, [owner], ["draft", "ready", "in_transit", "partially_received"])
    left = None if lines is None else _by_line(lines)
    given_up: dict[tuple[UUID, UUID], int] = {}
    for transfer in sorted(found, key=lambda one: (one.dispatched_at is None, one.id)):
        touched: list[dict[str, Any]] = []
        for line in transfer.lines:
            if line.owner_id != owner or line.order_line_id is None:
                continue
            key = (line.order_line_id, line.variant_id)
            travels = transfer.dispatched_at is not None
            units = max(0, line.on_the_way - line.freed) if travels else line.wanted
            if left is not None:
                units = min(units, left.get(key, 0))
                left[key] = left.get(key, 0) - units
            if not units:
                continue
            if travels:
                line.freed += units
            else:
                line.cancelled += units
            given_up[key] = given_up.get(key, 0) + units
            touched.append({"line_id": line.id, "quantity": units})
        if touched:
            _give_up(tx, actor, transfer, owner, touched, reason)
    return [
        OrderFreight(order_line_id=order_line_id, variant_id=variant_id, quantity=units)
        for (order_line_id, variant_id), units in given_up.items()
    ]


async def goods_arrived(tx: Tx, actor: Actor, *, owners: Sequence[UUID]) -> None:
    """Drafts that waited for goods of these fulfillments at their source are ready once all of them have come in."""
    for transfer in await _locked(tx, owners, ["draft"]):
        if transfer.order_number is not None and await service.goods_are_in(tx, transfer):
            transfer.state, transfer.ready_at = "ready", tx.at
            service.record(tx, actor, transfer, "ready", {})
            service.publish(tx, actor, transfer, events.TransferReady, service.owners_of(transfer))


def _give_up(tx: Tx, actor: Actor, transfer: Transfer, owner: UUID, touched: list[dict[str, Any]], reason: str) -> None:
    data = {"fulfillment_id": owner, "lines": touched, "reason": reason}
    if transfer.dispatched_at is None and not any(line.wanted for line in transfer.lines):
        transfer.state, transfer.closed_at, transfer.cancel_reason = "cancelled", tx.at, reason
        service.record(tx, actor, transfer, "cancelled", data)
        service.publish(tx, actor, transfer, events.TransferCancelled, [owner])
    else:
        service.record(tx, actor, transfer, "given_up", data)
        service.publish(tx, actor, transfer, events.TransferGivenUp, [owner])


async def _locked(tx: Tx, owners: Sequence[UUID], states: Sequence[str]) -> list[Transfer]:
    """The transfers of these fulfillments, locked, by id."""
    heads = await tx.rows(LOCK_OWNED, owners=list(owners), states=list(states))
    if not heads:
        return []
    lines: dict[UUID, list[Any]] = {}
    for row in await tx.rows(queries.LINES, ids=[head.id for head in heads]):
        lines.setdefault(row.transfer_id, []).append(row)
    return [queries.transfer_of(head, lines[head.id]) for head in heads]


def _by_line(lines: Sequence[OrderFreight]) -> dict[tuple[UUID, UUID], int]:
    units: dict[tuple[UUID, UUID], int] = {}
    for line in lines:
        key = (line.order_line_id, line.variant_id)
        units[key] = units.get(key, 0) + line.quantity
    return units
