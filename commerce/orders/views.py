"""What an order looks like from outside; states that are derived, never stored. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from commerce import fulfillment, payments
from commerce.locations import Location
from commerce.orders.books import Line, Order
from commerce.orders.schemas import (
    ChoiceView,
    Contact,
    FulfillmentStatus,
    GiftView,
    LineView,
    OrderFulfillmentView,
    OrderView,
    PaymentStatus,
    PriceAdjustmentView,
    Recipient,
    ReturnStatus,
    Tax,
)

BEGUN = ("accepted", "picking", "picked", "packed", "ready_for_pickup")


def payment_status(order: Order, money: payments.OrderMoney) -> PaymentStatus:
    """Of what is to be paid for the units that are not cancelled."""
    if money.refunded:
        return "refunded" if money.refunded == money.captured else "partially_refunded"
    if money.captured:
        return "partially_paid" if order.owed else "paid"
    if order.state == "cancelled":
        return "voided"
    return "paid" if order.state == "completed" else "pending"


def fulfillment_status(handed_over: int, outstanding: int, begun: bool) -> FulfillmentStatus:
    """How much of it the customer has."""
    if handed_over:
        return "partially_fulfilled" if outstanding else "fulfilled"
    return "in_progress" if begun else "unfulfilled"


def return_status(handed_over: int, returned: int) -> ReturnStatus:
    """How much of what the customer had came back."""
    if not returned:
        return "none"
    return "returned" if returned == handed_over else "partially_returned"


def line_view(order: Order, line: Line, places: Mapping[UUID, Location]) -> LineView:
    """A line as it was sold."""
    bought = places.get(line.bought_location_id) if line.bought_location_id else None
    fulfilled = places.get(line.fulfilled_location_id) if line.fulfilled_location_id else None
    return LineView(
        id=line.id, n=line.n, sku=line.sku, title=line.title, option_texts=line.option_texts, quantity=line.quantity,
        quantity_unit=line.quantity_unit, quantity_scale=line.quantity_scale, unit_price=order.money(line.unit_price),
        price_valid_from=line.price_valid_from, subtotal=order.money(line.subtotal), total=order.money(line.total),
        adjustments=[
            PriceAdjustmentView(kind=a.kind, amount=order.money(a.amount), reason=a.reason) for a in line.adjustments
        ],
        tax=Tax(net=order.money(line.net), tax=order.money(line.tax), basis_points=line.tax_basis_points),
        return_policy=line.return_policy, bought_at=bought.code if bought else None,
        fulfilled_at=fulfilled.code if fulfilled else None, handed_over=line.handed_over,
        handed_over_at=line.handed_over_at, cancelled=line.cancelled, returned=line.returned,
    )  # fmt: skip


def work_view(
    work: fulfillment.Fulfillment, location: Location, order: Order, secret_key: str | None
) -> OrderFulfillmentView:
    """A fulfillment in its order; with the code only for whom the secret key is given, while it is ready."""
    skus = {line.id: line for line in order.lines}
    ready = work.state == "ready_for_pickup"
    lines = [
        msgspec.structs.replace(
            fulfillment.line_view(line), sku=skus[line.order_line_id].sku, title=skus[line.order_line_id].title,
            option_texts=skus[line.order_line_id].option_texts,
        )
        for line in work.lines
    ]  # fmt: skip
    return OrderFulfillmentView(
        number=work.number, kind=work.kind, state=work.state, at_risk=work.at_risk, location=location.code,
        location_name=location.name, address=location.address, promise=work.promise, ready_at=work.ready_at,
        pickup_by=work.pickup_by, closed_at=work.closed_at, cancel_reason=work.cancel_reason, lines=lines,
        pickup_code=fulfillment.pickup_code(work, secret_key=secret_key) if ready and secret_key else None,
        code_attempts_left=work.code_attempts_left if ready else None, version=work.version,
    )  # fmt: skip


def order_view(
    order: Order,
    works: Sequence[fulfillment.Fulfillment],
    money: payments.OrderMoney,
    places: Mapping[UUID, Location],
    secret_key: str | None = None,
    choices: Sequence[ChoiceView] = (),
) -> OrderView:
    """The whole order. `secret_key` only for its customer, who sees the pickup code."""
    handed_over = sum(line.handed_over for line in order.lines)
    return OrderView(
        id=order.id, number=order.number, kind=order.kind, state=order.state, payment_status=payment_status(order, money),
        fulfillment_status=fulfillment_status(handed_over, order.outstanding, any(w.state in BEGUN for w in works)),
        return_status=return_status(handed_over, sum(line.returned for line in order.lines)), channel=order.channel,
        sold=order.sold, language=order.language, customer_id=order.customer_id, subtotal=order.money(order.subtotal),
        adjustment_total=order.money(order.adjustment_total), charge_total=order.money(order.charge_total),
        total=order.money(order.total), tax_total=order.money(order.tax_total), owed=order.money(order.owed),
        lines=[line_view(order, line, places) for line in order.lines],
        fulfillments=[work_view(work, places[work.location_id], order, secret_key) for work in works],
        payments=money.payments, receipts=money.receipts, choices=list(choices),
        contact=Contact(**order.contact) if order.contact else None,
        recipient=Recipient(**order.recipient) if order.recipient else None, note=order.note,
        gift=msgspec.convert(order.gift, GiftView) if order.gift else None, placed_at=order.placed_at,
        completed_at=order.completed_at, cancelled_at=order.cancelled_at, cancel_reason=order.cancel_reason,
        external_ids=order.external_ids,
        version=order.version,
    )  # fmt: skip
