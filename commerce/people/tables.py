"""Tables of `people`: what led to each order, and how long things are kept."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    TypedColumns,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from commerce.infra.tables import metadata


class OrderTouchColumns(TypedColumns):
    order_id = Column(Uuid, ForeignKey("orders.orders.id"), primary_key=True)
    customer_id = Column(Uuid, ForeignKey("auth.principals.id"), nullable=False)
    first_touch = Column(JSONB, info={"personal": True})
    last_touch = Column(JSONB, info={"personal": True})
    at = Column(DateTime(timezone=True), nullable=False)


order_touches = Table(
    "order_touches",
    metadata,
    OrderTouchColumns,
    CheckConstraint("(first_touch IS NULL) = (last_touch IS NULL)", name="both"),
    Index("ix_order_touches_customer_id", "customer_id"),
    schema="people",
)
"""The customer's first touch and his last before an order; both null when nobody knows what brought him, or he was erased. Kept when
the touches themselves are forgotten. `customer_id` is whose order it was."""


class RetentionRuleColumns(TypedColumns):
    subject = Column(Text, primary_key=True)
    days = Column(Integer)
    fixed = Column(Boolean, nullable=False)
    version = Column(Integer, server_default="1", nullable=False)
    updated_at = Column(DateTime(timezone=True), nullable=False)
    updated_by = Column(Uuid)


retention_rules = Table(
    "retention_rules",
    metadata,
    RetentionRuleColumns,
    CheckConstraint("days BETWEEN 1 AND 36500", name="days"),
    schema="people",
)
"""For how many days a kind of thing is kept; null is for ever. What the books are audited against is `fixed`."""
