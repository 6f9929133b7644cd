"""Tables of `transfers`: goods on their way from one location to another, and what differed on arrival."""

from __future__ import annotations

from sqlalchemy import (
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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from commerce.infra.tables import metadata


class TransferColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    number = Column(Text, unique=True, nullable=False)
    kind = Column(Text, nullable=False)
    source_id = Column(Uuid, ForeignKey("locations.locations.id"), nullable=False)
    destination_id = Column(Uuid, ForeignKey("locations.locations.id"), nullable=False)
    state = Column(Text, nullable=False)
    order_number = Column(Text)
    remark = Column(Text)
    expected_on = Column(Date, nullable=False)
    cancel_reason = Column(Text)
    version = Column(Integer, server_default="1", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    ready_at = Column(DateTime(timezone=True))
    dispatched_at = Column(DateTime(timezone=True))
    closed_at = Column(DateTime(timezone=True))


transfers = Table(
    "transfers",
    metadata,
    TransferColumns,
    CheckConstraint(
        "kind IN ('replenishment', 'ship_to_store', 'rebalancing', 'return_to_warehouse', 'other')", name="kind_known"
    ),
    CheckConstraint(
        "state IN ('draft', 'ready', 'in_transit', 'partially_received', 'received', 'cancelled')", name="state_known"
    ),
    CheckConstraint("source_id <> destination_id", name="not_itself"),
    CheckConstraint("(closed_at IS NOT NULL) = (state IN ('received', 'cancelled'))", name="closed"),
    CheckConstraint(
        "(dispatched_at IS NOT NULL) = (state IN ('in_transit', 'partially_received', 'received'))", name="dispatched"
    ),
    Index("ix_transfers_source_id_created_at_id", "source_id", "created_at", "id"),
    Index("ix_transfers_destination_id_created_at_id", "destination_id", "created_at", "id"),
    Index("ix_transfers_created_at_id", "created_at", "id"),
    postgresql_with={"fillfactor": "80"},
    schema="transfers",
)


class LineColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    transfer_id = Column(Uuid, ForeignKey("transfers.transfers.id"), nullable=False)
    n = Column(Integer, nullable=False)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), nullable=False)
    owner_id = Column(Uuid)
    order_line_id = Column(Uuid)
    quantity = Column(Integer, nullable=False)
    cancelled = Column(Integer, server_default="0", nullable=False)
    freed = Column(Integer, server_default="0", nullable=False)
    dispatched = Column(Integer, server_default="0", nullable=False)
    received = Column(Integer, server_default="0", nullable=False)
    quality_control = Column(Integer, server_default="0", nullable=False)
    damaged = Column(Integer, server_default="0", nullable=False)
    missing = Column(Integer, server_default="0", nullable=False)
    surplus = Column(Integer, server_default="0", nullable=False)
    short_reason = Column(Text)
    discrepancy_reason = Column(Text)
    remark = Column(Text)


lines = Table(
    "lines",
    metadata,
    LineColumns,
    UniqueConstraint("transfer_id", "n"),
    CheckConstraint("(owner_id IS NULL) = (order_line_id IS NULL)", name="owner"),
    CheckConstraint(
        "quantity > 0 AND cancelled >= 0 AND dispatched >= 0 AND cancelled + dispatched <= quantity", name="quantity"
    ),
    CheckConstraint(
        "received >= 0 AND quality_control >= 0 AND damaged >= 0 AND missing >= 0 AND surplus >= 0"
        " AND received::bigint + quality_control + damaged + missing <= dispatched",
        name="arrived",
    ),
    CheckConstraint("freed BETWEEN 0 AND dispatched AND (freed = 0 OR owner_id IS NOT NULL)", name="freed"),
    CheckConstraint(
        "short_reason IN ('out_of_stock', 'not_found', 'damaged', 'no_room', 'not_needed', 'other')",
        name="short_reason_known",
    ),
    CheckConstraint(
        "discrepancy_reason IN ('lost', 'stolen', 'damaged_on_the_way', 'not_sent', 'sent_too_many', 'wrong_goods', 'other')",
        name="discrepancy_reason_known",
    ),
    CheckConstraint("(missing = 0 AND surplus = 0) OR discrepancy_reason IS NOT NULL", name="explained"),
    Index("ix_lines_variant_id", "variant_id"),
    Index("ix_lines_owner_id", "owner_id", postgresql_where=text("owner_id IS NOT NULL")),
    postgresql_with={"fillfactor": "80"},
    schema="transfers",
)
"""`cancelled` units were given up before they left, `freed` ones while they travelled; both by their order. `received`,
`quality_control`, `damaged` and `missing` are what became of those dispatched; `surplus` came without having been sent."""


class StepColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    transfer_id = Column(Uuid, ForeignKey("transfers.transfers.id"), nullable=False)
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
    UniqueConstraint("transfer_id", "version"),
    schema="transfers",
)
"""The timeline. A step that moves goods is their document: its id is the cause of the posting."""
