"""Tables of `supply`: Suppliers, what they have announced, and what of it came."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
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


class SupplierColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    code = Column(Text, unique=True, nullable=False)
    name = Column(JSONB, nullable=False)
    lead_days = Column(Integer)
    external_ids = Column(JSONB, nullable=False)
    version = Column(Integer, server_default="1", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    changed_at = Column(DateTime(timezone=True), nullable=False)


suppliers = Table(
    "suppliers",
    metadata,
    SupplierColumns,
    CheckConstraint("lead_days >= 0", name="lead_days"),
    schema="supply",
)


class AnnouncementColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    number = Column(Text, unique=True, nullable=False)
    supplier_id = Column(Uuid, ForeignKey("supply.suppliers.id"), nullable=False)
    reference = Column(Text, nullable=False)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"), nullable=False)
    expected_on = Column(Date, nullable=False)
    state = Column(Text, nullable=False)
    inspect = Column(Boolean, nullable=False)
    remark = Column(Text)
    overdue_at = Column(DateTime(timezone=True))
    closed_at = Column(DateTime(timezone=True))
    version = Column(Integer, server_default="1", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)


announcements = Table(
    "announcements",
    metadata,
    AnnouncementColumns,
    UniqueConstraint("supplier_id", "reference"),
    CheckConstraint("state IN ('announced', 'partially_received', 'received', 'cancelled')", name="state_known"),
    CheckConstraint("(closed_at IS NULL) = (state IN ('announced', 'partially_received'))", name="closed"),
    Index("ix_announcements_expected_on_id", "expected_on", "id"),
    Index("ix_announcements_location_id_expected_on_id", "location_id", "expected_on", "id"),
    Index(
        "ix_announcements_due",
        "expected_on",
        "id",
        postgresql_where=text("closed_at IS NULL AND overdue_at IS NULL"),
    ),
    schema="supply",
)
"""What a supplier has announced for a location, by his own reference."""


class LineColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    announcement_id = Column(Uuid, ForeignKey("supply.announcements.id"), nullable=False)
    n = Column(Integer, nullable=False)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), nullable=False)
    quantity = Column(Integer, nullable=False)
    unit_cost = Column(BigInteger)
    received_unit_cost = Column(BigInteger)
    received = Column(Integer, server_default="0", nullable=False)
    quality_control = Column(Integer, server_default="0", nullable=False)
    damaged = Column(Integer, server_default="0", nullable=False)
    over = Column(Integer, server_default="0", nullable=False)
    cancelled = Column(Integer, server_default="0", nullable=False)
    short = Column(Integer, server_default="0", nullable=False)
    unannounced = Column(Boolean, server_default="false", nullable=False)
    reason = Column(Text)


lines = Table(
    "lines",
    metadata,
    LineColumns,
    UniqueConstraint("announcement_id", "n"),
    CheckConstraint(
        "quantity >= 0 AND received >= 0 AND quality_control >= 0 AND damaged >= 0 AND over >= 0 AND short >= 0"
        " AND short <= cancelled AND received + cancelled <= quantity AND quality_control + damaged <= received + over",
        name="quantities",
    ),
    CheckConstraint("unannounced = (quantity = 0)", name="unannounced"),
    schema="supply",
)
"""`received` units count against what was announced, `over` came beyond it; `quality_control` and `damaged` are the parts of both that
did not go on the shelf. `cancelled` units will not come, `short` of them were missed when it was closed."""


class ReceiptColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    announcement_id = Column(Uuid, ForeignKey("supply.announcements.id"), nullable=False)
    version = Column(Integer, nullable=False)
    occurred_at = Column(DateTime(timezone=True), nullable=False)


receipts = Table(
    "receipts",
    metadata,
    ReceiptColumns,
    UniqueConstraint("announcement_id", "version"),
    schema="supply",
)
"""One act of receiving: the cause of its posting."""


class ReceiptLineColumns(TypedColumns):
    receipt_id = Column(Uuid, ForeignKey("supply.receipts.id"), primary_key=True)
    n = Column(Integer, primary_key=True)
    line_id = Column(Uuid, ForeignKey("supply.lines.id"), nullable=False)
    bucket = Column(Text, nullable=False)
    quantity = Column(Integer, nullable=False)
    over = Column(Integer, nullable=False)
    unit_cost = Column(BigInteger)
    reason = Column(Text)


receipt_lines = Table(
    "receipt_lines",
    metadata,
    ReceiptLineColumns,
    CheckConstraint("bucket IN ('available', 'quality_control', 'damaged')", name="bucket_known"),
    CheckConstraint("quantity > 0 AND over >= 0 AND over <= quantity", name="quantities"),
    Index("ix_receipt_lines_line_id", "line_id"),
    schema="supply",
)


class StepColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    announcement_id = Column(Uuid, ForeignKey("supply.announcements.id"), nullable=False)
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
    UniqueConstraint("announcement_id", "version"),
    schema="supply",
)
