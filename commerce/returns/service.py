"""Verbs of returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from commerce import catalog, locations, orders, payments, stock
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.money import Money, share_of
from commerce.locations import Location
from commerce.orders import LineForReturn, OrderForReturn
from commerce.returns.errors import (
    LineLeft,
    LineNamed,
    LineNotInOrder,
    LineOfRequest,
    LineRefused,
    NotHandedOver,
    ReturnNotAccepted,
    SaleNotNamed,
    StoreTakesNoReturns,
    TooManyReturned,
)
from commerce.returns.events import ReturnAccepted, ReturnedLine
from commerce.returns.numbers import new_number
from commerce.returns.schemas import (
    AcceptReturn,
    Assessed,
    BlindReason,
    Condition,
    Disposition,
    PreviewReturn,
    ReturnLine,
    ReturnLineView,
    ReturnPreview,
    ReturnPreviewLine,
    ReturnView,
    Shelf,
)
from commerce.returns.tables import lines, returns

WITHDRAWAL_DAYS = 14
"""A distance sale may be undone without a reason within 14 days of delivery (Directive 2011/83/EU, article 9; the Russian
consumer law, article 26.1, gives 7). No policy shortens it."""

DISPOSITIONS: dict[Condition, tuple[Disposition, Shelf]] = {
    "sellable": ("restocked", "available"),
    "opened": ("quality_control", "quality_control"),
    "defective": ("quality_control", "quality_control"),
    "damaged": ("damaged", "damaged"),
}


async def accept(tx: Tx, actor: Actor, *, code: str, command: AcceptReturn) -> ReturnView:
    """Take goods back over the counter of store `code` and give back exactly what was paid for them, at the sale's tax rate:
    stock of THIS store, refund, receipt, the order's line counts and the closed return in one transaction.

    Locks the order, its payments, the register's counter, then stock levels. Raises StoreTakesNoReturns, SaleNotNamed,
    the errors of `orders.for_return`, LineNotInOrder, NotHandedOver, TooManyReturned, ReturnNotAccepted,
    payments.CardNumberRefused, payments.RefundExceedsPayment, payments.RegisterElsewhere, stock.LevelTooHigh, and of units with codes of
    their own stock.UnitCodesNeeded, stock.UnitCodesNotKept, stock.UnitCodeRepeated, stock.UnitNotOut.
    """
    location = await counter_of(tx, code)
    order, assessed = await _assess(tx, location, command)
    return_id, number, total = uuid7(), new_number(), sum(line.refund for line in assessed)
    tender = command.refund.tender
    receipt = None
    if total > 0:
        await payments.refund(
            tx, actor, order_id=order.id, return_id=return_id, amount=total, currency=order.currency, tender=tender,
            reason="return", location=location, reference=command.refund.reference,
        )  # fmt: skip
        receipt = await payments.receipt(
            tx, actor, register=payments.counter(location), kind="refund", order_id=order.id, return_id=return_id,
            location=location, total=total, currency=order.currency, lines=[receipt_line(line) for line in assessed],
            tenders=[payments.Tender(kind=tender, amount=total, reference=command.refund.reference)],
        )  # fmt: skip
    quantities: Counter[UUID] = Counter()
    for line in assessed:
        if line.order_line_id is not None:
            quantities[line.order_line_id] += line.quantity
    await orders.record_return(tx, actor, order=order, quantities=quantities, return_number=number)
    await stock.take_back(
        tx, actor, cause=stock.Cause("return", return_id), location_id=location.id,
        lines=[
            stock.TakeBackLine(
                variant_id=line.variant_id, quantity=line.quantity, bucket=DISPOSITIONS[line.condition][1], line_id=line.order_line_id,
                components=line.parts, codes=line.codes,
            )
            for line in assessed
        ],
        business_date=location.business_date(tx.at),
    )  # fmt: skip
    return enter(
        tx, actor, return_id=return_id, number=number, order=order, customer=order.customer_id, location=location,
        currency=order.currency, total=total, tender=tender, receipt=receipt, assessed=assessed,
    )  # fmt: skip


def enter(
    tx: Tx, actor: Actor, *, return_id: UUID, number: str, order: OrderForReturn | None, customer: UUID | None, location: Location,
    currency: str, total: int, tender: payments.TenderKind, receipt: payments.ReceiptRef | None, assessed: Sequence[Assessed],
    blind_reason: BlindReason | None = None, priced_since: datetime | None = None,
) -> ReturnView:  # fmt: skip
    """Write a return that is closed, its lines, event and audit record. Queued; goods and money are the caller's."""
    tx.queue(
        returns, id=return_id, number=number, order_id=order.id if order else None, order_number=order.number if order else None,
        blind_reason=blind_reason, priced_since=priced_since, customer_id=customer, location_id=location.id, state="closed",
        channel=actor.channel, currency=currency, refund_total=total, tender=tender,
        receipt_register=receipt.register if receipt else None, receipt_number=receipt.number if receipt else None,
        accepted_by=actor.subject, approved_by=actor.approved_by, created_at=tx.at, closed_at=tx.at,
    )  # fmt: skip
    for n, line in enumerate(assessed, 1):
        of_order = line.order_line_id is not None
        tx.queue(
            lines, id=uuid7(), return_id=return_id, order_line_id=line.order_line_id, variant_id=line.variant_id, n=n,
            order_line_n=line.n if of_order else None, sku=line.sku, title=line.title, quantity=line.quantity,
            quantity_scale=None if of_order else line.quantity_scale, unit_price=None if of_order else line.unit_price,
            components=list(line.components) or None, ground=line.ground, condition=line.condition,
            disposition=DISPOSITIONS[line.condition][0], refund_amount=line.refund, tax_amount=line.tax,
            tax_basis_points=line.tax_basis_points, note=line.note,
        )  # fmt: skip
    outbox.record(
        tx, actor,
        ReturnAccepted(
            aggregate_id=return_id, version=1, number=number, order_id=order.id if order else None,
            order_number=order.number if order else None, blind_reason=blind_reason, location=location.code, refund_total=total,
            currency=currency,
            lines=[
                ReturnedLine(
                    order_line_id=line.order_line_id, variant_id=line.variant_id, quantity=line.quantity, ground=line.ground,
                    disposition=DISPOSITIONS[line.condition][0], refund_amount=line.refund,
                )
                for line in assessed
            ],
        ),
    )  # fmt: skip
    told = {"order": order.number} if order else {"blind": blind_reason}
    outbox.audit(
        tx, actor, "return.accept" if order else "return.accept_blind", "return", return_id,
        after={"number": number, **told, "store": location.code, "refund_total": total, "currency": currency},
    )  # fmt: skip
    return ReturnView(
        number=number, order=order.number if order else None, blind_reason=blind_reason, store=location.code, state="closed",
        channel=actor.channel,
        lines=[
            ReturnLineView(
                n=line.n, sku=line.sku, title=line.title, quantity=line.quantity, ground=line.ground, condition=line.condition,
                disposition=DISPOSITIONS[line.condition][0], refund=Money(line.refund, currency),
                tax=Money(line.tax, currency), tax_basis_points=line.tax_basis_points, note=line.note,
            )
            for line in assessed
        ],
        refund_total=Money(total, currency), tender=tender, receipt=receipt, created_at=tx.at, closed_at=tx.at, version=1,
    )  # fmt: skip


async def preview(tx: Tx, _actor: Actor, *, code: str, command: PreviewReturn) -> ReturnPreview:
    """What `accept` would give back for these lines, with the same refusals. Books nothing."""
    location = await counter_of(tx, code)
    order, assessed = await _assess(tx, location, command)
    await stock.check_back(tx, [unit for line in assessed for unit in units_of(line)])
    return ReturnPreview(
        order=order.number, store=location.code,
        lines=[
            ReturnPreviewLine(
                n=line.n, sku=line.sku, title=line.title, quantity=line.quantity, ground=line.ground, condition=line.condition,
                disposition=DISPOSITIONS[line.condition][0], refund=Money(line.refund, order.currency),
                tax=Money(line.tax, order.currency), tax_basis_points=line.tax_basis_points, left=line.left,
            )
            for line in assessed
        ],
        refund_total=Money(sum(line.refund for line in assessed), order.currency),
    )  # fmt: skip


async def counter_of(tx: Tx, code: str) -> Location:
    """The store, which takes goods back now. Raises locations.UnknownLocation, StoreTakesNoReturns."""
    location = await locations.one(tx, code)
    refusal = location.refusal("accepts_returns", tx.at)
    if refusal is not None:
        raise StoreTakesNoReturns(store=code, reason=refusal)
    return location


async def _assess(
    tx: Tx, location: Location, command: AcceptReturn | PreviewReturn
) -> tuple[OrderForReturn, list[Assessed]]:
    """The locked order, and each line of the request with what is owed for it."""
    if (command.order is None) == (command.receipt is None):
        raise SaleNotNamed
    named_by = command.receipt
    receipt = payments.ReceiptRef(register=named_by.register, number=named_by.number) if named_by else None
    order = await orders.for_return(tx, number=command.order, receipt=receipt)
    named = _match(order, command.lines)
    _refuse_more_than_is_out(named)
    policies = await catalog.return_policies(tx, sorted({line.return_policy for line, _ in named}))
    today = location.business_date(tx.at)
    refused = [
        refusal
        for line, wanted in named
        if (refusal := _refusal(order, line, wanted, policies[line.return_policy], location, today)) is not None
    ]
    if refused:
        raise ReturnNotAccepted(lines=refused)
    return order, _owed(named)


def _match(order: OrderForReturn, wanted: Sequence[ReturnLine]) -> list[tuple[LineForReturn, ReturnLine]]:
    found, unknown = [], []
    for index, line in enumerate(wanted):
        matches = [
            candidate
            for candidate in order.lines
            if (line.n is not None or line.sku is not None)
            and (line.n is None or candidate.n == line.n)
            and (line.sku is None or candidate.sku == line.sku)
        ]
        if len(matches) != 1:
            unknown.append(LineOfRequest(index=index, n=line.n, sku=line.sku))
            continue
        found.append((matches[0], line))
        _, strangers = stock.parts_named(matches[0].components or (), line.units)
        unknown += [LineOfRequest(index=index, n=line.n, sku=sku) for sku in strangers]
    if unknown:
        raise LineNotInOrder(lines=unknown)
    return found


def _refuse_more_than_is_out(named: Sequence[tuple[LineForReturn, ReturnLine]]) -> None:
    wanted: Counter[UUID] = Counter()
    for line, request in named:
        wanted[line.id] += request.quantity
    order_lines = {line.id: line for line, _ in named}
    never = [LineNamed(n=line.n, sku=line.sku) for line in order_lines.values() if line.handed_over == 0]
    if never:
        raise NotHandedOver(lines=never)
    short = [
        LineLeft(n=line.n, sku=line.sku, wanted=wanted[line.id], left=line.handed_over - line.returned)
        for line in order_lines.values()
        if wanted[line.id] > line.handed_over - line.returned
    ]
    if short:
        raise TooManyReturned(lines=short)


def _refusal(
    order: OrderForReturn, line: LineForReturn, request: ReturnLine, policy: catalog.ReturnPolicy, location: Location, today: date
) -> LineRefused | None:  # fmt: skip
    """Why the policy of the sale does not take the line back on this ground. Days are calendar days of the counter's zone,
    the day of hand-over not counted."""
    days: int | None = None
    if request.ground == "change_of_mind":
        if policy.change_of_mind_days is None:
            return LineRefused(n=line.n, sku=line.sku, ground=request.ground, reason="excluded", days=None)
        days = policy.change_of_mind_days
    elif request.ground == "withdrawal":
        if order.sold != "distance":
            return LineRefused(n=line.n, sku=line.sku, ground=request.ground, reason="not_a_distance_sale", days=None)
        days = max(WITHDRAWAL_DAYS, policy.change_of_mind_days or 0)
    elif request.ground == "defect":
        days = policy.defect_days
    if days is None or line.handed_over_at is None:
        return None
    if (today - location.business_date(line.handed_over_at)).days > days:
        return LineRefused(n=line.n, sku=line.sku, ground=request.ground, reason="too_late", days=days)
    return None


def _owed(named: Sequence[tuple[LineForReturn, ReturnLine]]) -> list[Assessed]:
    """What was paid for these units and the tax in it, cumulative per order line: partial returns never lose a minor unit."""
    gone = {line.id: line.returned for line, _ in named}
    assessed = []
    for line, request in named:
        before, after = gone[line.id], gone[line.id] + request.quantity
        gone[line.id] = after
        owed = share_of(line.total, line.quantity, line.tax_basis_points, before=before, units=request.quantity)
        assessed.append(
            Assessed(
                order_line_id=line.id, variant_id=line.variant_id, n=line.n, sku=line.sku, title=line.title,
                quantity=request.quantity, quantity_unit=line.quantity_unit, quantity_scale=line.quantity_scale,
                unit_price=line.unit_price, ground=request.ground, condition=request.condition,
                refund=owed.gross, parts=stock.parts_named(line.components or (), request.units)[0], codes=tuple(request.codes),
                tax=owed.tax, tax_basis_points=line.tax_basis_points, left=line.handed_over - after, note=request.note,
            )
        )  # fmt: skip
    return assessed


def units_of(line: Assessed) -> list[stock.NamedUnits]:
    """The units of a line that come back, component by component of a bundle."""
    parts = line.parts or (stock.Part(line.variant_id, 1, line.codes),)
    units = [
        stock.NamedUnits(
            line_id=line.order_line_id, variant_id=part.variant_id, quantity=line.quantity * part.quantity, codes=part.codes
        )
        for part in parts
    ]  # fmt: skip
    if line.parts and line.codes:
        units.append(
            stock.NamedUnits(line_id=line.order_line_id, variant_id=line.variant_id, quantity=0, codes=line.codes)
        )
    return units


def receipt_line(line: Assessed) -> payments.ReceiptLine:
    """A line of a return on its receipt."""
    return payments.ReceiptLine(
        title=line.title, sku=line.sku, order_line_id=line.order_line_id, quantity=line.quantity,
        quantity_unit=line.quantity_unit, quantity_scale=line.quantity_scale, unit_price=line.unit_price, total=line.refund,
        tax=line.tax, tax_basis_points=line.tax_basis_points,
    )  # fmt: skip


async def erase_person(tx: Tx, actor: Actor, *, ids: Sequence[UUID]) -> None:  # noqa: ARG001
    """Forget what was noted at the counter about returns of these people (returns.lines.note); the books stay."""
    await tx.execute(
        """
        UPDATE returns.lines l SET note = NULL FROM returns.returns r
        WHERE r.id = l.return_id AND r.customer_id = ANY(CAST(:people AS uuid[])) AND l.note IS NOT NULL
        """,
        people=list(ids),
    )
