"""Transfers that serve orders: goods for a customer's fulfillment, on their way to the store where it is collected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from commerce import stock
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.locations import Location
from commerce.transfers import events, queries, service
from commerce.transfers.numbers import new_number
from commerce.transfers.schemas import Line, Opened, OrderFreight, State, Transfer

NEVER_CAME = "goods_never_came"
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


LIVE: tuple[State, ...] = ("draft", "ready", "in_transit", "partially_received")


async def lock_for_order(tx: Tx, *, owner: UUID) -> None:
    """Lock what is to bring goods for a fulfillment: before its stock is given up, when only that tells which units stay behind. One
    statement, two when there is something."""
    await _locked(tx, [owner], LIVE)


async def cancel_for_order(
    tx: Tx, actor: Actor, *, owner: UUID, lines: Sequence[OrderFreight] | None = None, reason: str = "order"
) -> list[OrderFreight]:
    """The order gives up goods of its fulfillment `owner`: all, or so many units of these lines. Two statements.

    What is on its way travels on and is nobody's; what has not left stays where it is, and a transfer with nothing else to send is
    cancelled. The caller holds the fulfillment's lock. All is given up here before its stock is released; of some units stock knows
    which, and lines name them: after `lock_for_order` and the release. Answers what was given up here.
    """
    found = await _locked(tx, [owner], LIVE)
    left = None if lines is None else [[freight, freight.quantity] for freight in lines]
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
                units = _take(left, transfer, line, units)
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


async def trim_for_order(tx: Tx, actor: Actor, *, owner: UUID, reason: str) -> None:
    """What was lost where a fulfillment's goods were to leave, and has been made up at its store, need not be sent any more: units that
    have not left, and neither stand nor are missing at their source. After `lock_for_order`, once stock has moved. Two statements, four
    when there is something."""
    there: dict[tuple[UUID, UUID, UUID], int] = {}
    for held in await stock.reservations_of(tx, stock.Owner("fulfillment", owner)):
        spot = (held.line_id, held.variant_id, held.location_id)
        there[spot] = there.get(spot, 0) + held.quantity_open + held.quantity_lost
    needless = []
    for transfer in await queries.of_owner(tx, [owner]):
        for line in transfer.lines:
            spot = (line.order_line_id, line.variant_id, transfer.source_id)
            units = line.to_send - min(line.to_send, there.get(spot, 0))
            there[spot] = there.get(spot, 0) - (line.to_send - units)
            if units:
                needless.append(
                    OrderFreight(
                        order_line_id=line.order_line_id, variant_id=line.variant_id, quantity=units, source_id=transfer.source_id
                    )
                )  # fmt: skip
    if needless:
        await cancel_for_order(tx, actor, owner=owner, lines=needless, reason=reason)


async def goods_arrived(tx: Tx, actor: Actor, *, owners: Sequence[UUID]) -> None:
    """Drafts that waited for goods of these fulfillments at their source are ready once nothing more is to come.

    TransferFellShort tells what never came, so that its order gives it up; a draft with nothing to send is cancelled.
    """
    for transfer in await _locked(tx, owners, ["draft"]):
        if transfer.order_number is None:
            continue
        there = await _there(tx, transfer)
        if there is None:
            continue
        short = []
        for line in transfer.lines:
            key = (line.owner_id, line.order_line_id, line.variant_id)
            units = min(line.wanted, there.get(key, 0))
            there[key] = there.get(key, 0) - units
            short.append((line, line.wanted - units, "left_behind"))
        behind = [{"line_id": line.id, "quantity": units} for line, units, _ in short if units]
        if any(units < line.wanted for line, units, _ in short):
            transfer.state, transfer.ready_at = "ready", tx.at
            service.record(tx, actor, transfer, "ready", {"left_behind": behind} if behind else {})
            service.publish(tx, actor, transfer, events.TransferReady, service.owners_of(transfer))
        else:
            transfer.state, transfer.closed_at, transfer.cancel_reason = "cancelled", tx.at, NEVER_CAME
            service.record(tx, actor, transfer, "cancelled", {"reason": NEVER_CAME, "left_behind": behind})
            service.publish(tx, actor, transfer, events.TransferCancelled)
        service.fell_short(tx, actor, transfer, short)


async def _there(tx: Tx, transfer: Transfer) -> dict[tuple[UUID | None, UUID | None, UUID], int] | None:
    """Units that stand committed at the source by (owner, order line, variant); None while any are only announced there."""
    there: dict[tuple[UUID | None, UUID | None, UUID], int] = {}
    for owner_id in service.owners_of(transfer):
        for held in await stock.reservations_of(tx, stock.Owner("fulfillment", owner_id)):
            if held.location_id != transfer.source_id or not held.quantity_open:
                continue
            if held.bucket == "promised":
                return None
            key = (owner_id, held.line_id, held.variant_id)
            there[key] = there.get(key, 0) + held.quantity_open
    return there


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


def _take(left: list[list[Any]], transfer: Transfer, line: Line, most: int) -> int:
    """As many units of a line as are to be given up of it, at most so many; `left` (freight, units) is counted down."""
    units = 0
    for entry in left:
        freight: OrderFreight = entry[0]
        if (freight.order_line_id, freight.variant_id) != (line.order_line_id, line.variant_id):
            continue
        if freight.line_id is not None and freight.line_id != line.id:
            continue
        if freight.source_id is not None and (
            transfer.dispatched_at is not None or freight.source_id != transfer.source_id
        ):
            continue
        taken = min(most - units, entry[1])
        entry[1] -= taken
        units += taken
    return units
