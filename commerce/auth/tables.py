"""Tables of `auth`: Opaque principals and their credentials; channels, API clients, devices, staff, sessions."""

from __future__ import annotations

from datetime import datetime

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
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from commerce.infra.tables import metadata


class ChannelColumns(TypedColumns):
    code = Column(Text, primary_key=True)
    name = Column(JSONB, nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)


channels = Table(
    "channels",
    metadata,
    ChannelColumns,
    schema="auth",
)


class PrincipalColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    kind = Column(Text, nullable=False)
    disabled_at = Column(DateTime(timezone=True))
    created_at = Column(DateTime(timezone=True), nullable=False)


principals = Table(
    "principals",
    metadata,
    PrincipalColumns,
    CheckConstraint("kind IN ('shopper', 'staff', 'device', 'client')", name="kind_known"),
    schema="auth",
)


class PasswordColumns(TypedColumns):
    principal_id = Column(Uuid, ForeignKey("auth.principals.id"), primary_key=True)
    hash = Column(Text, nullable=False)
    changed_at = Column(DateTime(timezone=True), nullable=False)


passwords = Table(
    "passwords",
    metadata,
    PasswordColumns,
    schema="auth",
)


class ClientColumns(TypedColumns):
    id = Column(Uuid, ForeignKey("auth.principals.id"), primary_key=True)
    code = Column(Text, unique=True, nullable=False)
    channel = Column(Text, ForeignKey("auth.channels.code"), nullable=False)
    name = Column(Text, nullable=False)
    key_hash = Column(Text, unique=True, nullable=False)
    revoked_at = Column(DateTime(timezone=True))
    created_at = Column(DateTime(timezone=True), nullable=False)


clients = Table(
    "clients",
    metadata,
    ClientColumns,
    schema="auth",
)


class DeviceColumns(TypedColumns):
    id = Column(Uuid, ForeignKey("auth.principals.id"), primary_key=True)
    code = Column(Text, unique=True, nullable=False)
    kind = Column(Text, nullable=False)
    channel = Column(Text, ForeignKey("auth.channels.code"), nullable=False)
    location = Column(Text, nullable=False)
    name = Column(Text, nullable=False)
    key_hash = Column(Text, unique=True, nullable=False)
    revoked_at = Column(DateTime(timezone=True))
    created_at = Column(DateTime(timezone=True), nullable=False)


devices = Table(
    "devices",
    metadata,
    DeviceColumns,
    CheckConstraint("kind IN ('till', 'kiosk')", name="kind_known"),
    schema="auth",
)


class StaffColumns(TypedColumns):
    id = Column(Uuid, ForeignKey("auth.principals.id"), primary_key=True)
    login = Column(Text, unique=True, nullable=False)
    name = Column(Text, info={"personal": True}, nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)


staff = Table(
    "staff",
    metadata,
    StaffColumns,
    schema="auth",
)


class StaffRoleColumns(TypedColumns):
    staff_id = Column(Uuid, ForeignKey("auth.staff.id"), primary_key=True)
    role = Column(Text, primary_key=True)
    location = Column(Text, primary_key=True)


staff_roles = Table(
    "staff_roles",
    metadata,
    StaffRoleColumns,
    CheckConstraint("role IN ('associate', 'store_manager', 'call_center', 'back_office', 'admin')", name="role_known"),
    schema="auth",
)


class SessionColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    principal_id = Column(Uuid, ForeignKey("auth.principals.id"), nullable=False)
    client_id = Column(Uuid)
    device_id = Column(Uuid)
    channel = Column(Text, ForeignKey("auth.channels.code"), nullable=False)
    location = Column(Text)
    known = Column(Boolean, nullable=False)
    device_name = Column(Text, info={"personal": True})
    refresh_no = Column(Integer, server_default="0", nullable=False)
    proof = Column(Text)
    created_at = Column(DateTime(timezone=True), nullable=False)
    refreshed_at = Column(DateTime(timezone=True), nullable=False)
    expires_at = Column(DateTime(timezone=True), nullable=False)
    revoked_at = Column(DateTime(timezone=True))
    revoked_reason = Column(Text)


sessions = Table(
    "sessions",
    metadata,
    SessionColumns,
    Index("ix_sessions_principal_id", "principal_id"),
    Index("ix_sessions_revoked_at", "revoked_at"),
    Index("ix_sessions_expires_at", "expires_at"),
    schema="auth",
)
"""One sign-in. The refresh token is derived from (id, refresh_no), never stored; an older number is a copied token. `proof`: by what
its owner came in."""


class AttemptColumns(TypedColumns):
    identity = Column(Text, primary_key=True)
    failures = Column(Integer, nullable=False)
    first_at = Column(DateTime(timezone=True), nullable=False)


attempts = Table(
    "attempts",
    metadata,
    AttemptColumns,
    CheckConstraint("failures > 0", name="failures_positive"),
    Index("ix_attempts_first_at", "first_at"),
    schema="auth",
)
"""Wrong guesses in the running window, by keyed hash of what was typed: counted alike whether or not it names anybody."""


class ChallengeColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    kind = Column(Text, nullable=False)
    identity = Column(Text, nullable=False)
    contact = Column(Text, info={"personal": True})
    purpose = Column(Text, nullable=False)
    principal_id = Column(Uuid, ForeignKey("auth.principals.id"))
    counter = Column(Integer, nullable=False)
    attempts = Column(Integer, nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    sent_at = Column(DateTime(timezone=True), nullable=False)
    expires_at = Column(DateTime(timezone=True), nullable=False)
    settled_at = Column(DateTime(timezone=True))


challenges = Table(
    "challenges",
    metadata,
    ChallengeColumns,
    CheckConstraint("kind IN ('phone', 'email')", name="kind_known"),
    CheckConstraint("purpose IN ('sign_in', 'verify')", name="purpose_known"),
    CheckConstraint("counter > 0", name="counter_positive"),
    CheckConstraint("attempts BETWEEN 0 AND 5", name="attempts"),
    CheckConstraint("(settled_at IS NULL) = (contact IS NOT NULL)", name="contact_while_live"),
    Index("ix_challenges_identity", "identity"),
    Index("ix_challenges_principal_id", "principal_id"),
    Index("ix_challenges_expires_at", "expires_at"),
    schema="auth",
)
"""A one-time code that was sent: derived from (id, counter), never stored. The contact goes when it is settled or over."""


class CodeLimitColumns(TypedColumns):
    identity = Column(Text, primary_key=True)
    sends: Column[list[datetime]] = Column(ARRAY(DateTime(timezone=True)), server_default="{}", nullable=False)
    misses: Column[list[datetime]] = Column(ARRAY(DateTime(timezone=True)), server_default="{}", nullable=False)
    used_at = Column(DateTime(timezone=True), nullable=False)


code_limits = Table(
    "code_limits",
    metadata,
    CodeLimitColumns,
    CheckConstraint("cardinality(sends) <= 5", name="sends"),
    CheckConstraint("cardinality(misses) <= 10", name="misses"),
    Index("ix_code_limits_used_at", "used_at"),
    schema="auth",
)
"""When codes were sent to a contact in the last hour and guessed wrongly in the last day, by its keyed hash; its row is the lock of
everything that is done with codes of this contact."""
