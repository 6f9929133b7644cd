"""The books of the machinery itself: idempotency keys, outbox, deliveries, audit record, progress of long work."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""One metadata for all rooms; every room declares its tables in its own PostgreSQL schema."""


class IdempotencyKeyColumns(TypedColumns):
    principal = Column(Uuid, nullable=False)
    operation = Column(Text, nullable=False)
    key = Column(Text, nullable=False)
    hash = Column(Text, nullable=False)
    answer = Column(Text)  # JSON as it was answered; nobody but the same request reads it
    packed = Column(LargeBinary)  # a long one, compressed, instead
    claimed_at = Column(DateTime(timezone=True), nullable=False)


idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    IdempotencyKeyColumns,
    PrimaryKeyConstraint("principal", "operation", "key"),
    Index("ix_idempotency_keys_claimed_at", "claimed_at"),
    postgresql_with={"fillfactor": "60"},  # the answer comes a moment after the claim, and fits beside it
    schema="infra",
)


class OutboxColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    type = Column(Text, nullable=False)
    aggregate = Column(Text, nullable=False)
    aggregate_id = Column(Uuid, nullable=False)
    version = Column(Integer, nullable=False)
    payload = Column(JSONB, nullable=False)
    actor = Column(JSONB, nullable=False)
    occurred_at = Column(DateTime(timezone=True), nullable=False)
    recorded_at = Column(DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp())
    published_no = Column(BigInteger)


outbox = Table(
    "outbox",
    metadata,
    OutboxColumns,
    Index("uq_outbox_published_no", "published_no", unique=True, postgresql_where=text("published_no IS NOT NULL")),
    UniqueConstraint("aggregate", "aggregate_id", "version", "type"),
    Index("ix_outbox_waiting", "recorded_at", postgresql_where=text("published_no IS NULL")),
    schema="infra",
)


class SubscriberColumns(TypedColumns):
    name = Column(Text, primary_key=True)
    since = Column(BigInteger, nullable=False)


subscribers = Table(
    "subscribers",
    metadata,
    SubscriberColumns,
    schema="infra",
)
"""Who is given events, and behind which `published_no` he came: a new version's subscriber hears of nothing older."""


class DeliveryColumns(TypedColumns):
    event_id = Column(Uuid, ForeignKey("infra.outbox.id"), nullable=False)
    subscriber = Column(Text, nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    sent_at = Column(DateTime(timezone=True), nullable=False)
    attempts = Column(Integer, nullable=False, server_default="0")
    delivered_at = Column(DateTime(timezone=True))
    failure = Column(Text)


deliveries = Table(
    "deliveries",
    metadata,
    DeliveryColumns,
    PrimaryKeyConstraint("event_id", "subscriber"),
    Index("ix_deliveries_open", "sent_at", postgresql_where=text("delivered_at IS NULL")),
    schema="infra",
)
"""One row per (event, subscriber): the relay's promise to deliver and, once `delivered_at` is set, the subscriber's inbox mark."""


class AuditRecordColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    action = Column(Text, nullable=False)
    subject = Column(Uuid, nullable=False)
    subject_kind = Column(Text, nullable=False)
    channel = Column(Text, nullable=False)
    device = Column(Uuid)
    location = Column(Text)
    on_behalf_of = Column(Uuid)
    approved_by = Column(Uuid)
    reason = Column(Text)
    request_id = Column(Text)
    target = Column(Text, nullable=False)
    target_id = Column(Text, nullable=False)
    before = Column(JSONB)
    after = Column(JSONB)
    occurred_at = Column(DateTime(timezone=True), nullable=False)
    recorded_at = Column(DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp())


audit_records = Table(
    "audit_records",
    metadata,
    AuditRecordColumns,
    Index("ix_audit_records_target", "target", "target_id", "occurred_at"),
    Index("ix_audit_records_occurred_at", "occurred_at", "id"),
    Index("ix_audit_records_subject", "subject", "occurred_at", "id"),
    Index("ix_audit_records_action", "action", "occurred_at", "id"),
    Index("ix_audit_records_location", "location", "occurred_at", "id", postgresql_where=text("location IS NOT NULL")),
    Index(
        "ix_audit_records_on_behalf_of", "on_behalf_of", "occurred_at", "id",
        postgresql_where=text("on_behalf_of IS NOT NULL"),
    ),
    Index("ix_audit_records_device", "device", "occurred_at", "id", postgresql_where=text("device IS NOT NULL")),
    schema="infra",
)  # fmt: skip
"""Who did what, for whom, where: appended, never changed or deleted (a trigger refuses it), as the books are proven by it."""


class LongWorkColumns(TypedColumns):
    kind = Column(Text, nullable=False)
    key = Column(Text, nullable=False)
    done = Column(BigInteger, nullable=False, server_default="0")
    state = Column(JSONB, nullable=False)
    updated_at = Column(DateTime(timezone=True), nullable=False)


long_work = Table(
    "long_work",
    metadata,
    LongWorkColumns,
    PrimaryKeyConstraint("kind", "key"),
    CheckConstraint("done >= 0", name="done_not_negative"),
    schema="infra",
)
"""Progress of imports and replays, stored in the transaction of each chunk, so that they can be stopped and run again."""
