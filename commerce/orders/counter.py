"""Verbs at a store's counter that move goods, money and the order in one transaction: collect, and the store's refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import structs

from commerce import auth, fulfillment, locations, payments, stock, transfers
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.money import Money, rounded_ratio
from commerce.locations import Location
from commerce.orders import books
from commerce.orders.books import Order
from commerce.orders.errors import UnknownOrder, WrongTender, WrongUnits
from commerce.orders.events import OrderCompleted, OrderHandedOver
from commerce.orders.numbers import order_of_fulfillment
from commerce.orders.schemas import (
    CancelFulfillment,
    Collect,
    FulfillmentCancelledView,
    HandedOverUnits,
    HandOverView,
    TenderIn,
    Units,
)
from commerce.orders.service import give_up, recall, release
from commerce.stock import HandedOver

LOCK_BOTH = f"""
WITH o AS MATERIALIZED ({books.LOCK_BY_NUMBER}), f AS MATERIALIZED ({fulfillment.lock_after("o")})
SELECT (SELECT json_agg(o) FROM o) AS order_rows, (SELECT json_agg(f) FROM f) AS fulfillment_rows
"""  # noqa: S608
"""An order, then its fulfillment, each with its lines, in one statement."""


async def collect(tx: Tx, actor: Actor, *, code: str, number: str, command: Collect, secret_key: str) -> HandOverView:
    """Hand the goods over for the code and the money: all that waits, or the named units.

    The tenders add up exactly to what those units cost. Units that the store has lost meanwhile are made up from what stands there
    free; what is not there at all is refused, and the promises of others are not touched. Units with codes of their own are those that
    were picked. Raises UnknownFulfillment, OtherStore, WrongStep, WrongPickupCode, PickupCodeLocked, WrongUnits, WrongTender,
    stock.ReservationShort, stock.UnitCodesNeeded, stock.UnitCodesNotKept, stock.UnitCodeRepeated, stock.UnitNotHere,
    stock.UnitNotPicked.
    """
    location, order, work = await lock_both(tx, code, number)
    await fulfillment.prove(tx, fulfillment=work, code=command.code, secret_key=secret_key)
    units = waiting(order, work, command.lines)
    codes = coded(order, units, command.units)
    lines = {line.id: line for line in order.lines}
    owed = {line_id: lines[line_id].owed_for(quantity) for line_id, quantity in units.items()}
    total = sum(owed.values())
    tenders = tenders_for(command.tenders, Money(total, order.currency))
    hand_over_id, before = uuid7(), work.state
    await payments.take(tx, actor, order_id=order.id, tenders=tenders, currency=order.currency, location=location)
    receipt = await payments.receipt(
        tx, actor, register=await register_of(tx, actor, location), kind="sale", order_id=order.id, location=location, total=total,
        currency=order.currency, tenders=tenders,
        lines=[
            receipt_line(line, units[line.id], owed[line.id], line.tax_for(units[line.id]))
            for line in order.lines if line.id in units
        ],
    )  # fmt: skip
    if work.at_risk:
        await transfers.lock_for_order(tx, owner=work.id)
    handed = await stock.hand_over(
        tx, actor, owner=stock.Owner("fulfillment", work.id), cause=stock.Cause("hand_over", hand_over_id), lines=units,
        location_id=location.id, codes=codes, business_date=location.business_date(tx.at),
    )  # fmt: skip
    if work.at_risk:
        await transfers.trim_for_order(tx, actor, owner=work.id, reason="made_up")
    await fulfillment.settle_risk(tx, fulfillment=work)
    fulfillment.hand_over(tx, actor, fulfillment=work, quantities=units, hand_over_id=hand_over_id)
    for done in handed:
        _hand_over_line(lines[done.line_id], done, location, tx)
    closed = books.settle(tx, order)
    books.write(tx, order)
    named = {str(line_id): quantity for line_id, quantity in units.items()}
    books.enter(
        tx, actor, order, "collected" if closed else "partly_collected",
        {"fulfillment": work.number, "units": named, "paid": total, "receipt": receipt},
        OrderHandedOver(
            aggregate_id=order.id, version=order.version, number=order.number, fulfillment=work.number,
            location_id=location.id, paid=total, units=named,
        ),
        *([OrderCompleted(aggregate_id=order.id, version=order.version, number=order.number)] if closed else []),
    )  # fmt: skip
    outbox.audit(
        tx, actor, "order.collect", "fulfillment", work.id,
        before={"state": before}, after={"state": work.state, "paid": total},
    )  # fmt: skip
    return HandOverView(
        order_number=order.number, number=work.number, state=work.state, order_state=order.state, paid=order.money(total),
        units=[
            HandedOverUnits(sku=lines[line_id].sku, quantity=quantity, paid=order.money(owed[line_id]))
            for line_id, quantity in units.items()
        ],
        unit_codes=command.units, receipt=receipt, left=sum(line.outstanding for line in work.lines), version=work.version,
    )  # fmt: skip


async def cancel_at_store(
    tx: Tx, actor: Actor, *, code: str, number: str, command: CancelFulfillment
) -> FulfillmentCancelledView:
    """The store cannot, or the customer does not take it: all that waits, or the named units, are given up and free again.

    Units that the store has lost are given up first: the good ones stay for the customer.
    Raises UnknownFulfillment, OtherStore, WrongStep, WrongUnits.
    """
    location, order, work = await lock_both(tx, code, number)
    if not work.live:
        raise fulfillment.WrongStep(number=work.number, state=work.state, needed="not closed")
    units, before = waiting(order, work, command.lines), work.state
    actor = structs.replace(actor, reason=command.reason)
    await recall(tx, actor, work, units, command.reason)
    await release(tx, actor, work, location, units, command.reason)
    await fulfillment.settle_risk(tx, fulfillment=work)
    await fulfillment.settle_waiting(tx, fulfillment=work)
    fulfillment.cancel(tx, actor, fulfillment=work, reason=command.reason, note=command.note, quantities=units)
    give_up(tx, actor, order, units, command.reason)
    outbox.audit(
        tx, actor, "fulfillment.cancel", "fulfillment", work.id,
        before={"state": before}, after={"state": work.state, "reason": command.reason},
    )  # fmt: skip
    return FulfillmentCancelledView(
        order_number=order.number, number=work.number, state=work.state, order_state=order.state,
        cancel_reason=command.reason, units=sum(units.values()), left=sum(line.outstanding for line in work.lines),
        version=work.version,
    )  # fmt: skip


async def register_of(tx: Tx, actor: Actor, location: Location) -> str:
    """The register that numbers the receipts of an actor: his till, else the store's counter. One statement on a device."""
    code = await auth.device_code(tx, actor.device) if actor.device else None
    return code or payments.counter(location)


async def lock_both(tx: Tx, code: str, number: str) -> tuple[Location, Order, fulfillment.Fulfillment]:
    """A store, and an order and its fulfillment there, locked in that order. Two statements.

    Raises UnknownFulfillment, OtherStore."""
    location = await locations.one(tx, code)
    try:
        order_number, number = order_of_fulfillment(number)
    except UnknownOrder as error:
        raise fulfillment.UnknownFulfillment(number=number) from error
    row = await tx.one(LOCK_BOTH, number=order_number, fulfillment=number)
    order = books.order_of(row.order_rows or [])
    if order is None:
        raise fulfillment.UnknownFulfillment(number=number)
    works = fulfillment.fulfillments_of(row.fulfillment_rows or [])
    return location, order, fulfillment.the_one(works, number=number, location=location)


def waiting(order: Order, work: fulfillment.Fulfillment, named: Sequence[Units] | None) -> dict[UUID, int]:
    """Units by order line: all that wait in a fulfillment, or the named ones. Raises WrongUnits."""
    left = {line.order_line_id: line.outstanding for line in work.lines}
    if named is None:
        return {line_id: quantity for line_id, quantity in left.items() if quantity}
    chosen: dict[UUID, int] = {}
    for units in named:
        rest = units.quantity
        there = 0
        for line in order.lines:
            if line.sku == units.sku and line.id in left:
                free = left[line.id] - chosen.get(line.id, 0)
                there += free
                taken = min(rest, free)
                if taken:
                    chosen[line.id] = chosen.get(line.id, 0) + taken
                    rest -= taken
        if rest:
            raise WrongUnits(sku=units.sku, left=there, wanted=units.quantity)
    return chosen


def coded(order: Order, units: Mapping[UUID, int], named: Sequence[stock.UnitsNamed]) -> dict[UUID, list[str]]:
    """Codes by variant of the units of these lines; of a bundle by its components. Raises WrongUnits."""
    variants: dict[str, UUID] = {}
    for line in order.lines:
        if units.get(line.id):
            variants[line.sku] = line.variant_id
            variants |= {part.sku: part.variant_id for part in line.components or ()}
    codes: dict[UUID, list[str]] = {}
    for part in named:
        if part.sku not in variants:
            raise WrongUnits(sku=part.sku, left=0, wanted=len(part.codes))
        codes.setdefault(variants[part.sku], []).extend(part.codes)
    return codes


def tenders_for(given: Sequence[TenderIn], owed: Money) -> list[payments.Tender]:
    """The tenders that are worth something, when they add up to what is owed. Raises WrongTender."""
    tendered = sum(tender.amount.amount for tender in given)
    if tendered != owed.amount or any(tender.amount.currency != owed.currency for tender in given):
        raise WrongTender(owed=owed, tendered=Money(tendered, owed.currency))
    return [
        payments.Tender(kind=tender.kind, amount=tender.amount.amount, reference=tender.reference)
        for tender in given
        if tender.amount.amount
    ]


def receipt_line(line: books.Line, quantity: int, total: int, tax: int) -> payments.ReceiptLine:
    """Units of a line on a receipt."""
    return payments.ReceiptLine(
        title=line.title, quantity=quantity, unit_price=line.unit_price, total=total, tax=tax,
        tax_basis_points=line.tax_basis_points, sku=line.sku, order_line_id=line.id, quantity_unit=line.quantity_unit,
        quantity_scale=line.quantity_scale,
    )  # fmt: skip


def _hand_over_line(line: books.Line, done: HandedOver, location: Location, tx: Tx) -> None:
    line.unit_cost = mean_cost(line, done)
    line.handed_over += done.quantity
    line.handed_over_at = tx.at
    line.fulfilled_location_id = location.id


def mean_cost(line: books.Line, done: HandedOver) -> int | None:
    """Cost of a unit over this and earlier hand-overs; unknown when any of them was."""
    if line.handed_over == 0:
        return done.unit_cost
    if line.unit_cost is None or done.unit_cost is None:
        return None
    cost = line.unit_cost * line.handed_over + done.unit_cost * done.quantity
    return rounded_ratio(cost, line.handed_over + done.quantity)
