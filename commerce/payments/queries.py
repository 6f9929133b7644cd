"""Reads of payments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from commerce import locations
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.money import Money
from commerce.payments.errors import UnknownReceipt
from commerce.payments.schemas import (
    OrderMoney,
    PaymentView,
    ReceiptLine,
    ReceiptLineView,
    ReceiptSummary,
    ReceiptView,
    RefundView,
    Tender,
    TenderView,
)

OF_ORDERS = """
SELECT 'payment' AS what, order_id, tender, captured AS amount, refunded, currency, NULL AS state, NULL::uuid AS return_id,
       NULL AS register, NULL::bigint AS number, taken_at AS at, id
FROM payments.payments WHERE order_id = ANY(CAST(:orders AS uuid[]))
UNION ALL
SELECT 'refund', order_id, tender, amount, 0, currency, state, return_id, NULL, NULL, created_at, id
FROM payments.refunds WHERE order_id = ANY(CAST(:orders AS uuid[]))
UNION ALL
SELECT 'receipt', order_id, NULL, total, 0, currency, kind, return_id, register, number, occurred_at, id
FROM payments.receipts WHERE order_id = ANY(CAST(:orders AS uuid[]))
ORDER BY at, id
"""


async def of_orders(tx: Tx, order_ids: Sequence[UUID]) -> Mapping[UUID, OrderMoney]:
    """Payments, refunds and receipts of orders, oldest first; an entry for every id asked for. One statement."""
    found = {order_id: OrderMoney(payments=[], refunds=[], receipts=[]) for order_id in order_ids}
    for row in await tx.rows(OF_ORDERS, orders=list(order_ids)):
        money = found[row.order_id]
        amount = Money(row.amount, row.currency)
        if row.what == "payment":
            money.payments.append(
                PaymentView(
                    tender=row.tender, captured=amount, refunded=Money(row.refunded, row.currency), taken_at=row.at
                )
            )
        elif row.what == "refund":
            money.refunds.append(
                RefundView(
                    tender=row.tender, amount=amount, state=row.state, return_id=row.return_id, created_at=row.at
                )
            )
        else:
            money.receipts.append(
                ReceiptSummary(
                    register=row.register, number=row.number, kind=row.state, total=amount, occurred_at=row.at
                )
            )
    return found


RECEIPT = """
SELECT register, number, kind, order_id, return_id, legal_entity, location_id, business_date, total, currency, lines,
       tenders, fiscal, occurred_at
FROM payments.receipts WHERE register = :register AND number = :number
"""


async def receipt_by_number(tx: Tx, register: str, number: int) -> ReceiptView:
    """The receipt of a register with a number, whatever the store. One statement. Raises UnknownReceipt."""
    row = await tx.first(RECEIPT, register=register, number=number)
    if row is None:
        raise UnknownReceipt
    return _view(row)


async def receipt_of_store(tx: Tx, _actor: Actor, *, code: str, register: str, number: int) -> ReceiptView:
    """A receipt written in this store. Raises UnknownLocation, UnknownReceipt."""
    location = await locations.one(tx, code)
    row = await tx.first(RECEIPT, register=register, number=number)
    if row is None or row.location_id != location.id:
        raise UnknownReceipt
    return _view(row)


def _view(row: Row) -> ReceiptView:
    currency = row.currency
    return ReceiptView(
        register=row.register, number=row.number, kind=row.kind, order_id=row.order_id, return_id=row.return_id,
        legal_entity=row.legal_entity, business_date=row.business_date, total=Money(row.total, currency),
        lines=[
            ReceiptLineView(
                sku=line.sku, title=line.title, quantity=line.quantity, quantity_unit=line.quantity_unit,
                quantity_scale=line.quantity_scale, unit_price=Money(line.unit_price, currency),
                total=Money(line.total, currency), net=Money(line.total - line.tax, currency), tax=Money(line.tax, currency),
                tax_basis_points=line.tax_basis_points,
            )
            for line in msgspec.convert(row.lines, list[ReceiptLine])
        ],
        tenders=[
            TenderView(kind=tender.kind, amount=Money(tender.amount, currency), reference=tender.reference)
            for tender in msgspec.convert(row.tenders, list[Tender])
        ],
        fiscal=row.fiscal, occurred_at=row.occurred_at,
    )  # fmt: skip


REFUNDS_DUE = """
SELECT DISTINCT order_id FROM payments.refunds WHERE order_id = ANY(CAST(:orders AS uuid[])) AND state = 'pending'
"""


async def refunds_due(tx: Tx, order_ids: Sequence[UUID]) -> set[UUID]:
    """Which of these orders have money that is still on its way back to the customer. One statement."""
    return {row.order_id for row in await tx.rows(REFUNDS_DUE, orders=list(order_ids))}
