"""Tables of `fulfillment`: Work at one location: the promise given, the steps, who did them."""

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
    UniqueConstraint,
    Uuid,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB

from commerce.infra.tables import metadata


class FulfillmentColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    order_id = Column(Uuid, nullable=False)
    number = Column(Text, unique=True, nullable=False)
    kind = Column(Text, nullable=False)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"), nullable=False)
    state = Column(Text, nullable=False)
    at_risk = Column(Boolean, nullable=False)
    promised_from = Column(DateTime(timezone=True))
    promised_until = Column(DateTime(timezone=True))
    ready_at = Column(DateTime(timezone=True))
    pickup_by = Column(DateTime(timezone=True))
    closed_at = Column(DateTime(timezone=True))
    cancel_reason = Column(Text)
    code_counter = Column(Integer, server_default="0", nullable=False)
    code_attempts = Column(Integer, server_default="0", nullable=False)
    replaces = Column(Uuid, ForeignKey("fulfillment.fulfillments.id"))
    version = Column(Integer, server_default="1", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)


fulfillments = Table(
    "fulfillments",
    metadata,
    FulfillmentColumns,
    CheckConstraint("kind IN ('pickup', 'pickup_point', 'shipping', 'local_delivery', 'carry_out')", name="kind_known"),
    CheckConstraint(
        "state IN ('scheduled', 'awaiting_transfer', 'open', 'accepted', 'picking', 'picked', 'packed', 'ready_for_pickup', 'collected', "
        "'shipped', 'delivered', 'rejected', 'cancelled')",
        name="state_known",
    ),
    Index("ix_fulfillments_order_id", "order_id"),
    Index("ix_fulfillments_location_id_state_created_at", "location_id", "state", "created_at"),
    schema="fulfillment",
)


class LineColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    fulfillment_id = Column(Uuid, ForeignKey("fulfillment.fulfillments.id"), nullable=False)
    order_line_id = Column(Uuid, nullable=False)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), nullable=False)
    quantity = Column(Integer, nullable=False)
    picked = Column(Integer, server_default="0", nullable=False)
    handed_over = Column(Integer, server_default="0", nullable=False)
    cancelled = Column(Integer, server_default="0", nullable=False)
    passed_on = Column(Integer, server_default="0", nullable=False)
    components = Column(JSONB)


lines = Table(
    "lines",
    metadata,
    LineColumns,
    CheckConstraint(
        "quantity > 0 AND picked >= 0 AND picked <= quantity AND handed_over >= 0 AND cancelled >= 0"
        " AND passed_on >= 0 AND handed_over + cancelled + passed_on <= quantity",
        name="quantities",
    ),
    Index("ix_lines_fulfillment_id", "fulfillment_id"),
    Index("ix_lines_order_line_id", "order_line_id"),
    schema="fulfillment",
)


class PromiseColumns(TypedColumns):
    fulfillment_id = Column(Uuid, ForeignKey("fulfillment.fulfillments.id"), primary_key=True)
    n = Column(Integer, primary_key=True)
    promised_from = Column(DateTime(timezone=True), nullable=False)
    promised_until = Column(DateTime(timezone=True), nullable=False)
    reason = Column(Text, nullable=False)
    given_at = Column(DateTime(timezone=True), nullable=False)


promises = Table(
    "promises",
    metadata,
    PromiseColumns,
    schema="fulfillment",
)


class StepColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    fulfillment_id = Column(Uuid, ForeignKey("fulfillment.fulfillments.id"), nullable=False)
    version = Column(Integer, nullable=False)
    what = Column(Text, nullable=False)
    actor = Column(JSONB, nullable=False)
    data = Column(JSONB, nullable=False)
    occurred_at = Column(DateTime(timezone=True), nullable=False)
    recorded_at = Column(DateTime(timezone=True), server_default=func.clock_timestamp(), nullable=False)


steps = Table(
    "steps",
    metadata,
    StepColumns,
    UniqueConstraint("fulfillment_id", "version"),
    schema="fulfillment",
)


class SourcingRuleColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    scope = Column(Text, unique=True, nullable=False)
    tiers = Column(JSONB, nullable=False)
    options = Column(JSONB, nullable=False)
    version = Column(Integer, server_default="1", nullable=False)
    changed_at = Column(DateTime(timezone=True), nullable=False)


sourcing_rules = Table(
    "sourcing_rules",
    metadata,
    SourcingRuleColumns,
    CheckConstraint("scope IN ('pickup', 'delivery')", name="scope_known"),
    schema="fulfillment",
)
"""By what the sources of an order are chosen. Without a row the code's own rules hold."""


class DeliveryMethodColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    code = Column(Text, unique=True, nullable=False)
    name = Column(JSONB, nullable=False)
    kind = Column(Text, nullable=False)
    bands = Column(JSONB, nullable=False)
    max_km = Column(Integer)
    weekdays = Column(JSONB, nullable=False)
    cut_off = Column(Text)
    published = Column(Boolean, nullable=False)
    position = Column(Integer, nullable=False)
    version = Column(Integer, server_default="1", nullable=False)
    changed_at = Column(DateTime(timezone=True), nullable=False)


delivery_methods = Table(
    "delivery_methods",
    metadata,
    DeliveryMethodColumns,
    CheckConstraint("kind IN ('shipping', 'local_delivery', 'pickup_point')", name="kind_known"),
    schema="fulfillment",
)


class PlanColumns(TypedColumns):
    order_id = Column(Uuid, primary_key=True)
    n = Column(Integer, primary_key=True)
    scope = Column(Text, nullable=False)
    reason = Column(Text, nullable=False)
    plan = Column(JSONB, nullable=False)
    made_at = Column(DateTime(timezone=True), nullable=False)


plans = Table(
    "plans",
    metadata,
    PlanColumns,
    CheckConstraint("scope IN ('pickup', 'delivery') AND n > 0", name="scope_known"),
    schema="fulfillment",
)
"""Why an order's goods come from where they come: the plan as it was made. Append-only."""
