"""Facts of payments. The aggregate is one payment, one refund that no payment gave, or one receipt."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from commerce.kernel.events import Event


class PaymentCaptured(Event, frozen=True, kw_only=True):
    """Money came in for an order."""

    type: ClassVar[str] = "payment.captured"
    aggregate: ClassVar[str] = "payment"
    order_id: UUID
    tender: str
    amount: int
    currency: str


class PaymentRefunded(Event, frozen=True, kw_only=True):
    """A part of a payment was given back."""

    type: ClassVar[str] = "payment.refunded"
    aggregate: ClassVar[str] = "payment"
    order_id: UUID
    refund_id: UUID
    return_id: UUID | None
    tender: str
    amount: int
    currency: str


class RefundGiven(Event, frozen=True, kw_only=True):
    """Money was given back for goods whose sale nobody knows: no payment gave it."""

    type: ClassVar[str] = "refund.given"
    aggregate: ClassVar[str] = "refund"
    return_id: UUID
    tender: str
    amount: int
    currency: str


class ReceiptIssued(Event, frozen=True, kw_only=True):
    """A receipt was written; a fiscal service fills its `fiscal` part from this. No order: it is of a return without a sale."""

    type: ClassVar[str] = "receipt.issued"
    aggregate: ClassVar[str] = "receipt"
    order_id: UUID | None
    return_id: UUID | None
    register: str
    number: int
    kind: str
