"""Tables of `payments`: Tenders, payments, refunds and immutable receipts. No card number ever enters."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from commerce.infra.tables import metadata


class PaymentColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    order_id = Column(Uuid, nullable=False)
    tender = Column(Text, nullable=False)
    authorized = Column(BigInteger, nullable=False)
    captured = Column(BigInteger, server_default="0", nullable=False)
    refunded = Column(BigInteger, server_default="0", nullable=False)
    currency = Column(Text, nullable=False)
    reference = Column(Text)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    device_id = Column(Uuid)
    taken_by = Column(Uuid, nullable=False)
    taken_at = Column(DateTime(timezone=True), nullable=False)
    version = Column(Integer, server_default="1", nullable=False)


payments = Table(
    "payments",
    metadata,
    PaymentColumns,
    CheckConstraint("tender IN ('cash', 'card_terminal')", name="tender_known"),
    CheckConstraint(
        "refunded >= 0 AND refunded <= captured AND captured <= authorized AND authorized > 0", name="money"
    ),
    Index("ix_payments_order_id", "order_id"),
    schema="payments",
)


class RefundColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    order_id = Column(Uuid)
    return_id = Column(Uuid)
    payment_id = Column(Uuid, ForeignKey("payments.payments.id"))
    tender = Column(Text, nullable=False)
    amount = Column(BigInteger, nullable=False)
    currency = Column(Text, nullable=False)
    state = Column(Text, nullable=False)
    reference = Column(Text)
    reason = Column(Text, nullable=False)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    given_by = Column(Uuid, nullable=False)
    approved_by = Column(Uuid)
    created_at = Column(DateTime(timezone=True), nullable=False)


refunds = Table(
    "refunds",
    metadata,
    RefundColumns,
    CheckConstraint("tender IN ('cash', 'card_terminal')", name="tender_known"),
    CheckConstraint("state IN ('pending', 'succeeded', 'failed')", name="state_known"),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("order_id IS NOT NULL OR (return_id IS NOT NULL AND payment_id IS NULL)", name="for_what"),
    Index("ix_refunds_order_id", "order_id"),
    Index("ix_refunds_return_id", "return_id"),
    schema="payments",
)


class RegisterColumns(TypedColumns):
    code = Column(Text, primary_key=True)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    last_number = Column(BigInteger, server_default="0", nullable=False)


registers = Table(
    "registers",
    metadata,
    RegisterColumns,
    schema="payments",
)


class ReceiptColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    register = Column(Text, ForeignKey("payments.registers.code"), nullable=False)
    number = Column(BigInteger, nullable=False)
    kind = Column(Text, nullable=False)
    order_id = Column(Uuid)
    return_id = Column(Uuid)
    legal_entity = Column(Text, ForeignKey("locations.legal_entities.code"), nullable=False)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    business_date = Column(Date, nullable=False)
    total = Column(BigInteger, nullable=False)
    currency = Column(Text, nullable=False)
    lines = Column(JSONB, nullable=False)
    tenders = Column(JSONB, nullable=False)
    fiscal = Column(JSONB)
    occurred_at = Column(DateTime(timezone=True), nullable=False)
    recorded_at = Column(DateTime(timezone=True), server_default=func.clock_timestamp(), nullable=False)


receipts = Table(
    "receipts",
    metadata,
    ReceiptColumns,
    CheckConstraint("kind IN ('sale', 'prepayment', 'settlement', 'refund', 'correction')", name="kind_known"),
    CheckConstraint("order_id IS NOT NULL OR (kind = 'refund' AND return_id IS NOT NULL)", name="for_what"),
    UniqueConstraint("register", "number"),
    Index("ix_receipts_order_id", "order_id"),
    Index("ix_receipts_return_id", "return_id"),
    schema="payments",
)
