"""Tenders, payments, refunds and receipts: how money came in, how it went back, and the paper for both.

Owns every money fact of an order. A payment in store is recorded when the goods are handed over: authorized and captured at
once, in cash or on a card terminal. Promises: refunded <= captured <= authorized, by constraint; a receipt never changes once
written, and a register's receipts are numbered from 1 without gaps; no card number ever enters (a reference that looks like
one is refused); a register belongs to one store for good; money that no payment gives back (`give_back`) is given for a return
whose sale is not known, and for nothing else. Lock order within a verb of another room: `refund` (the order's
payments), then `receipt` (the register's counter, kept until the commit), then stock.
"""

from commerce.payments.errors import (
    CardNumberRefused,
    OtherTenderRefused,
    RefundExceedsPayment,
    RegisterElsewhere,
    UnknownReceipt,
)
from commerce.payments.events import PaymentCaptured, PaymentRefunded, ReceiptIssued, RefundGiven
from commerce.payments.queries import of_orders, receipt_by_number, refunds_due
from commerce.payments.schemas import (
    OrderMoney,
    PaymentView,
    ReceiptKind,
    ReceiptLine,
    ReceiptRef,
    ReceiptSummary,
    ReceiptView,
    Reference,
    Refund,
    RefundView,
    Register,
    Tender,
    TenderKind,
)
from commerce.payments.service import counter, give_back, receipt, refund, refuse_card_number, take

__all__ = [
    "CardNumberRefused",
    "OrderMoney",
    "OtherTenderRefused",
    "PaymentCaptured",
    "PaymentRefunded",
    "PaymentView",
    "ReceiptIssued",
    "ReceiptKind",
    "ReceiptLine",
    "ReceiptRef",
    "ReceiptSummary",
    "ReceiptView",
    "Reference",
    "Refund",
    "RefundExceedsPayment",
    "RefundGiven",
    "RefundView",
    "Register",
    "RegisterElsewhere",
    "Tender",
    "TenderKind",
    "UnknownReceipt",
    "counter",
    "give_back",
    "of_orders",
    "receipt",
    "receipt_by_number",
    "refund",
    "refunds_due",
    "refuse_card_number",
    "take",
]
