"""Tables of `orders`: The promise to the customer: lines, charges, totals, adjustments, timeline."""

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
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from commerce.infra.tables import metadata


class OrderColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    number = Column(Text, unique=True, nullable=False)
    kind = Column(Text, nullable=False)
    state = Column(Text, nullable=False)
    customer_id = Column(Uuid, ForeignKey("auth.principals.id"))
    cart_id = Column(Uuid, ForeignKey("carts.carts.id"), unique=True)
    client_sale_id = Column(Uuid, unique=True)
    device_sequence = Column(BigInteger)
    channel = Column(Text, nullable=False)
    device_id = Column(Uuid)
    associate_id = Column(Uuid)
    sales_credit_id = Column(Uuid)
    bought_location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    sold = Column(Text, nullable=False)
    language = Column(Text, nullable=False)
    currency = Column(Text, nullable=False)
    subtotal = Column(BigInteger, nullable=False)
    adjustment_total = Column(BigInteger, nullable=False)
    charge_total = Column(BigInteger, nullable=False)
    total = Column(BigInteger, nullable=False)
    tax_total = Column(BigInteger, nullable=False)
    contact = Column(JSONB, info={"personal": True})
    recipient = Column(JSONB, info={"personal": True})
    note = Column(Text, info={"personal": True})
    gift = Column(JSONB, info={"personal": True})
    external_ids = Column(JSONB, nullable=False)
    version = Column(Integer, server_default="1", nullable=False)
    placed_at = Column(DateTime(timezone=True), nullable=False)
    completed_at = Column(DateTime(timezone=True))
    cancelled_at = Column(DateTime(timezone=True))
    cancel_reason = Column(Text)
    recorded_at = Column(DateTime(timezone=True), server_default=func.clock_timestamp(), nullable=False)


orders = Table(
    "orders",
    metadata,
    OrderColumns,
    CheckConstraint("kind IN ('standard', 'till_sale', 'reservation', 'exchange', 'replacement')", name="kind_known"),
    CheckConstraint("state IN ('awaiting_payment', 'placed', 'completed', 'cancelled')", name="state_known"),
    CheckConstraint("sold IN ('distance', 'on_premises')", name="sold_known"),
    CheckConstraint("language IN ('ru', 'en')", name="language_known"),
    CheckConstraint("total = subtotal + adjustment_total + charge_total AND total >= 0", name="total"),
    Index("ix_orders_customer_id_placed_at_id", "customer_id", "placed_at", "id"),
    Index("ix_orders_placed_at", "placed_at"),
    schema="orders",
)


class LineColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    order_id = Column(Uuid, ForeignKey("orders.orders.id"), nullable=False)
    n = Column(Integer, nullable=False)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), nullable=False)
    product_id = Column(Uuid, ForeignKey("catalog.products.id"), nullable=False)
    sku = Column(Text, nullable=False)
    title = Column(JSONB, nullable=False)
    options = Column(JSONB, nullable=False)
    option_texts = Column(JSONB, nullable=False)
    quantity = Column(Integer, nullable=False)
    quantity_unit = Column(Text)
    quantity_scale = Column(Integer, server_default="0", nullable=False)
    unit_price = Column(BigInteger, nullable=False)
    price_valid_from = Column(DateTime(timezone=True), nullable=False)
    subtotal = Column(BigInteger, nullable=False)
    adjustment_total = Column(BigInteger, nullable=False)
    total = Column(BigInteger, nullable=False)
    net = Column(BigInteger, nullable=False)
    tax = Column(BigInteger, nullable=False)
    tax_class = Column(Text, nullable=False)
    tax_basis_points = Column(Integer, nullable=False)
    unit_cost = Column(BigInteger)
    return_policy = Column(Text, nullable=False)
    bought_location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    fulfilled_location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    handed_over = Column(Integer, server_default="0", nullable=False)
    handed_over_at = Column(DateTime(timezone=True))
    cancelled = Column(Integer, server_default="0", nullable=False)
    returned = Column(Integer, server_default="0", nullable=False)
    components = Column(JSONB)


lines = Table(
    "lines",
    metadata,
    LineColumns,
    UniqueConstraint("order_id", "n"),
    CheckConstraint(
        "quantity > 0 AND handed_over >= 0 AND cancelled >= 0 AND returned >= 0"
        " AND handed_over + cancelled <= quantity AND returned <= handed_over",
        name="quantities",
    ),
    CheckConstraint("total = subtotal + adjustment_total AND net + tax = total AND total >= 0", name="total"),
    schema="orders",
)


class ChargeColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    order_id = Column(Uuid, ForeignKey("orders.orders.id"), nullable=False)
    kind = Column(Text, nullable=False)
    amount = Column(BigInteger, nullable=False)
    net = Column(BigInteger, nullable=False)
    tax = Column(BigInteger, nullable=False)
    tax_basis_points = Column(Integer, nullable=False)
    refunded = Column(BigInteger, server_default="0", nullable=False)


charges = Table(
    "charges",
    metadata,
    ChargeColumns,
    CheckConstraint(
        "kind IN ('delivery', 'service', 'gift_wrap', 'deposit', 'restocking', 'no_show', 'cash_rounding')",
        name="kind_known",
    ),
    CheckConstraint("net + tax = amount", name="amount"),
    Index("ix_charges_order_id", "order_id"),
    schema="orders",
)


class AdjustmentColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    order_id = Column(Uuid, ForeignKey("orders.orders.id"), nullable=False)
    line_id = Column(Uuid, ForeignKey("orders.lines.id"), nullable=False)
    kind = Column(Text, nullable=False)
    amount = Column(BigInteger, nullable=False)
    reason = Column(Text, nullable=False)
    actor_id = Column(Uuid, nullable=False)
    approved_by = Column(Uuid)


adjustments = Table(
    "adjustments",
    metadata,
    AdjustmentColumns,
    CheckConstraint(
        "kind IN ('promotion', 'coupon', 'staff', 'override', 'price_match', "
        "'shelf_price', 'offline_price', 'invoice_price', 'marketplace')",
        name="kind_known",
    ),
    Index("ix_adjustments_order_id", "order_id"),
    schema="orders",
)


class EntryColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    order_id = Column(Uuid, ForeignKey("orders.orders.id"), nullable=False)
    version = Column(Integer, nullable=False)
    what = Column(Text, nullable=False)
    actor = Column(JSONB, nullable=False)
    data = Column(JSONB, nullable=False)
    occurred_at = Column(DateTime(timezone=True), nullable=False)
    recorded_at = Column(DateTime(timezone=True), server_default=func.clock_timestamp(), nullable=False)


entries = Table(
    "entries",
    metadata,
    EntryColumns,
    UniqueConstraint("order_id", "version"),
    schema="orders",
)


class ExternalIdColumns(TypedColumns):
    system = Column(Text, primary_key=True)
    value = Column(Text, primary_key=True)
    order_id = Column(Uuid, ForeignKey("orders.orders.id"), nullable=False)


external_ids = Table(
    "external_ids",
    metadata,
    ExternalIdColumns,
    Index("ix_external_ids_order_id", "order_id"),
    schema="orders",
)
"""What other systems call an order: unique per system; the order keeps a copy for its readers."""


class ChoiceColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    order_id = Column(Uuid, ForeignKey("orders.orders.id"), nullable=False)
    fulfillment_id = Column(Uuid, nullable=False)
    state = Column(Text, nullable=False)
    units = Column(JSONB, nullable=False)
    reason = Column(Text, nullable=False)
    asked_at = Column(DateTime(timezone=True), nullable=False)
    answered_at = Column(DateTime(timezone=True))


choices = Table(
    "choices",
    metadata,
    ChoiceColumns,
    CheckConstraint("state IN ('open', 'moved', 'cancelled')", name="state_known"),
    CheckConstraint("(state = 'open') = (answered_at IS NULL)", name="answered"),
    Index("ix_choices_order_id", "order_id"),
    schema="orders",
)
"""What a customer is asked when no store can do what his order says: `units` by order line, no longer anybody's work until he answers."""
