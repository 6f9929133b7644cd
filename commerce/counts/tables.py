"""Tables of `counts`: Count sessions, what was counted by whom, and the tasks that ask for a count."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from commerce.infra.tables import metadata


class SessionColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    number = Column(Text, unique=True, nullable=False)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"), nullable=False)
    scope = Column(Text, nullable=False)
    zone = Column(Text)
    categories = Column(JSONB, nullable=False)
    blind = Column(Boolean, nullable=False)
    purpose = Column(Text)
    currency = Column(Text, nullable=False)
    state = Column(Text, nullable=False)
    round = Column(Integer, nullable=False)
    opened_at = Column(DateTime(timezone=True), nullable=False)
    round_began_at = Column(DateTime(timezone=True), nullable=False)
    submitted_at = Column(DateTime(timezone=True))
    closed_at = Column(DateTime(timezone=True))
    uncounted = Column(Text)
    version = Column(Integer, server_default="1", nullable=False)


sessions = Table(
    "sessions",
    metadata,
    SessionColumns,
    CheckConstraint("scope IN ('zone', 'category', 'list')", name="scope_known"),
    CheckConstraint("(zone IS NOT NULL) = (scope = 'zone')", name="zone"),
    CheckConstraint("state IN ('open', 'counted', 'recount', 'closed', 'cancelled')", name="state_known"),
    CheckConstraint("(closed_at IS NOT NULL) = (state IN ('closed', 'cancelled'))", name="closed"),
    CheckConstraint("uncounted IN ('leave', 'zero')", name="uncounted_known"),
    CheckConstraint("round > 0", name="round"),
    Index("ix_sessions_location_id_opened_at", "location_id", "opened_at"),
    postgresql_with={"fillfactor": "80"},
    schema="counts",
)


class LineColumns(TypedColumns):
    session_id = Column(Uuid, ForeignKey("counts.sessions.id"), primary_key=True)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), primary_key=True)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"), nullable=False)
    live = Column(Boolean, nullable=False)
    round = Column(Integer, nullable=False)
    counted = Column(Integer)
    counted_at = Column(DateTime(timezone=True))
    expected = Column(BigInteger)
    moved = Column(BigInteger, server_default="0", nullable=False)
    variance = Column(BigInteger)
    cost_amount = Column(BigInteger)
    price_amount = Column(BigInteger)
    resolution = Column(Text)


lines = Table(
    "lines",
    metadata,
    LineColumns,
    CheckConstraint("round > 0 AND counted >= 0", name="counted"),
    CheckConstraint("(counted IS NULL) = (counted_at IS NULL)", name="counted_when"),
    CheckConstraint("resolution IN ('agrees', 'posted', 'zeroed', 'left')", name="resolution_known"),
    CheckConstraint("NOT live OR resolution IS NULL", name="live_unresolved"),
    Index("uq_lines_location_id_variant_id", "location_id", "variant_id", unique=True, postgresql_where=text("live")),
    postgresql_with={"fillfactor": "70"},
    schema="counts",
)
"""`round` is the one that counts. `expected` is what the books say for the moment of the first entry that counts; `moved` is what
went in or out by them from then to the last one. Only one live session counts a variant of a location."""


class EntryColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    session_id = Column(Uuid, nullable=False)
    variant_id = Column(Uuid, nullable=False)
    round = Column(Integer, nullable=False)
    spot = Column(Text, nullable=False)
    quantity = Column(Integer, nullable=False)
    counted_at = Column(DateTime(timezone=True), nullable=False)
    counted_by = Column(Uuid, nullable=False)
    device = Column(Uuid)
    version = Column(Integer, nullable=False)
    stands = Column(Boolean, nullable=False)


entries = Table(
    "entries",
    metadata,
    EntryColumns,
    CheckConstraint("quantity >= 0", name="quantity"),
    Index("ix_entries_session_id_variant_id", "session_id", "variant_id"),
    schema="counts",
)
"""What was counted: where on the floor (`spot`, empty when not named), when, by whom; in the call that made `version` of the
session. An entry that was counted again at its spot does not stand any more."""


class StepColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    session_id = Column(Uuid, ForeignKey("counts.sessions.id"), nullable=False)
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
    UniqueConstraint("session_id", "version"),
    schema="counts",
)


class TaskColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"), nullable=False)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), nullable=False)
    reason = Column(Text, nullable=False)
    quantity = Column(Integer, nullable=False)
    state = Column(Text, nullable=False)
    session_id = Column(Uuid, ForeignKey("counts.sessions.id"))
    dismissed_because = Column(Text)
    opened_at = Column(DateTime(timezone=True), nullable=False)
    changed_at = Column(DateTime(timezone=True), nullable=False)
    closed_at = Column(DateTime(timezone=True))
    version = Column(Integer, server_default="1", nullable=False)


tasks = Table(
    "tasks",
    metadata,
    TaskColumns,
    CheckConstraint("reason IN ('unknown_goods', 'short_pick', 'short_transfer')", name="reason_known"),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("state IN ('open', 'counted', 'dismissed')", name="state_known"),
    CheckConstraint("(closed_at IS NULL) = (state = 'open')", name="closed"),
    CheckConstraint("(session_id IS NOT NULL) = (state = 'counted')", name="counted_in"),
    CheckConstraint("(dismissed_because IS NOT NULL) = (state = 'dismissed')", name="dismissed"),
    Index(
        "uq_tasks_location_id_variant_id",
        "location_id",
        "variant_id",
        unique=True,
        postgresql_where=text("state = 'open'"),
    ),
    Index("ix_tasks_location_id_state_opened_at", "location_id", "state", "opened_at"),
    postgresql_with={"fillfactor": "80"},
    schema="counts",
)
"""A shelf that should be counted. `quantity` units are in question; `changed_at` is when it was last asked for."""


class TaskSourceColumns(TypedColumns):
    task_id = Column(Uuid, ForeignKey("counts.tasks.id"), primary_key=True)
    event_id = Column(Uuid, primary_key=True)
    reason = Column(Text, nullable=False)
    quantity = Column(Integer, nullable=False)
    occurred_at = Column(DateTime(timezone=True), nullable=False)


task_sources = Table(
    "task_sources",
    metadata,
    TaskSourceColumns,
    CheckConstraint("quantity > 0", name="quantity"),
    schema="counts",
)
"""The events that asked for a count."""
