"""Tables of `returns`: What came back, where, in which condition, what is owed for it."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB

from commerce.infra.tables import metadata


class ReturnColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    number = Column(Text, unique=True, nullable=False)
    order_id = Column(Uuid, ForeignKey("orders.orders.id"))
    order_number = Column(Text)
    blind_reason = Column(Text)
    priced_since = Column(DateTime(timezone=True))
    customer_id = Column(Uuid, ForeignKey("auth.principals.id"))
    location_id = Column(Uuid, ForeignKey("locations.locations.id"), nullable=False)
    state = Column(Text, nullable=False)
    channel = Column(Text, nullable=False)
    currency = Column(Text, nullable=False)
    refund_total = Column(BigInteger, nullable=False)
    tender = Column(Text, nullable=False)
    receipt_register = Column(Text)
    receipt_number = Column(BigInteger)
    accepted_by = Column(Uuid, nullable=False)
    approved_by = Column(Uuid)
    version = Column(Integer, server_default="1", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    closed_at = Column(DateTime(timezone=True))


returns = Table(
    "returns",
    metadata,
    ReturnColumns,
    CheckConstraint(
        "state IN ('requested', 'approved', 'declined', 'in_transit', 'partially_received', 'received', 'inspected',"
        " 'closed', 'cancelled', 'expired')",
        name="state_known",
    ),
    CheckConstraint("refund_total >= 0", name="refund_total"),
    CheckConstraint("blind_reason IN ('lost', 'gift', 'not_given', 'unreadable', 'other')", name="blind_reason_known"),
    CheckConstraint(
        "(order_id IS NULL) = (order_number IS NULL) AND (order_id IS NULL) = (blind_reason IS NOT NULL)"
        " AND (order_id IS NULL) = (priced_since IS NOT NULL)",
        name="sale_known",
    ),
    CheckConstraint("tender IN ('cash', 'card_terminal')", name="tender_known"),
    Index("ix_returns_order_id", "order_id"),
    Index("ix_returns_customer_id_created_at_id", "customer_id", "created_at", "id"),
    Index("ix_returns_location_id_created_at_id", "location_id", "created_at", "id"),
    schema="returns",
)


class LineColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    return_id = Column(Uuid, ForeignKey("returns.returns.id"), nullable=False)
    order_line_id = Column(Uuid, ForeignKey("orders.lines.id"))
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), nullable=False)
    n = Column(Integer, nullable=False)
    order_line_n = Column(Integer)
    sku = Column(Text, nullable=False)
    title = Column(JSONB, nullable=False)
    quantity = Column(Integer, nullable=False)
    quantity_scale = Column(Integer)
    unit_price = Column(BigInteger)
    components = Column(JSONB)
    ground = Column(Text, nullable=False)
    condition = Column(Text, nullable=False)
    disposition = Column(Text, nullable=False)
    refund_amount = Column(BigInteger, nullable=False)
    tax_amount = Column(BigInteger, nullable=False)
    tax_basis_points = Column(Integer, nullable=False)
    note = Column(Text, info={"personal": True})


lines = Table(
    "lines",
    metadata,
    LineColumns,
    CheckConstraint(
        "ground IN ('withdrawal', 'change_of_mind', 'defect', 'wrong_item', 'damaged_in_transit', 'not_collected')",
        name="ground_known",
    ),
    CheckConstraint("condition IN ('sellable', 'opened', 'damaged', 'defective')", name="condition_known"),
    CheckConstraint(
        "disposition IN ('restocked', 'quality_control', 'damaged', 'written_off', 'return_to_vendor', 'missing')",
        name="disposition_known",
    ),
    CheckConstraint("quantity > 0 AND refund_amount >= 0", name="quantity"),
    CheckConstraint("tax_amount BETWEEN 0 AND refund_amount", name="tax"),
    CheckConstraint("unit_price >= 0 AND quantity_scale >= 0", name="unit_price"),
    CheckConstraint(
        "(order_line_id IS NULL) = (order_line_n IS NULL) AND (order_line_id IS NULL) = (unit_price IS NOT NULL)"
        " AND (order_line_id IS NULL) = (quantity_scale IS NOT NULL) AND (order_line_id IS NULL OR components IS NULL)"
        " AND (order_line_id IS NOT NULL OR ground IN ('change_of_mind', 'defect', 'wrong_item'))",
        name="of_order",
    ),
    UniqueConstraint("return_id", "n"),
    Index("ix_lines_order_line_id", "order_line_id"),
    schema="returns",
)
