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
    text,
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
    Index("ix_principals_disabled_at", "disabled_at", postgresql_where=text("disabled_at IS NOT NULL")),
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
    revoked_at = Column(DateTime(timezone=True))
    created_at = Column(DateTime(timezone=True), nullable=False)
    kind = Column(Text, server_default="frontend", nullable=False)
    scopes = Column(JSONB, server_default="{}", nullable=False)
    origins = Column(JSONB, server_default="[]", nullable=False)


clients = Table(
    "clients",
    metadata,
    ClientColumns,
    CheckConstraint("kind IN ('frontend', 'server')", name="kind_known"),
    CheckConstraint("kind = 'server' OR scopes = '{}'", name="scopes_of_servers"),
    CheckConstraint("kind = 'frontend' OR origins = '[]'", name="origins_of_frontends"),
    schema="auth",
)
"""`scopes`: permission -> location codes or `*`. `origins`: where a browser may call from."""


class ClientKeyColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    client_id = Column(Uuid, ForeignKey("auth.clients.id"), nullable=False)
    kind = Column(Text, nullable=False)
    key_hash = Column(Text, unique=True, nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    created_by = Column(Uuid, nullable=False)
    expires_at = Column(DateTime(timezone=True))
    revoked_at = Column(DateTime(timezone=True))
    last_used_at = Column(DateTime(timezone=True))


client_keys = Table(
    "client_keys",
    metadata,
    ClientKeyColumns,
    CheckConstraint("kind IN ('frontend', 'server')", name="kind_known"),
    Index("ix_client_keys_client_id", "client_id"),
    schema="auth",
)
"""Several of one client while it moves from one to the next. Only the SHA-256 is kept."""


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
    last_seen_at = Column(DateTime(timezone=True))


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


class RoleColumns(TypedColumns):
    code = Column(Text, primary_key=True)
    name = Column(JSONB, nullable=False)
    permissions = Column(JSONB, nullable=False)
    built_in = Column(Boolean, server_default="false", nullable=False)
    changed_at = Column(DateTime(timezone=True), nullable=False)


roles = Table(
    "roles",
    metadata,
    RoleColumns,
    CheckConstraint("jsonb_typeof(permissions) = 'array'", name="permissions_listed"),
    schema="auth",
)
"""What each role may do; the migrations put the five of `permissions.ROLES` there."""


class StaffRoleColumns(TypedColumns):
    staff_id = Column(Uuid, ForeignKey("auth.staff.id"), primary_key=True)
    role = Column(Text, ForeignKey("auth.roles.code"), primary_key=True)
    location = Column(Text, primary_key=True)


staff_roles = Table(
    "staff_roles",
    metadata,
    StaffRoleColumns,
    Index("ix_staff_roles_role", "role"),
    schema="auth",
)


class BadgeColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    staff_id = Column(Uuid, ForeignKey("auth.staff.id"), nullable=False)
    code_hash = Column(Text, unique=True, nullable=False)
    issued_at = Column(DateTime(timezone=True), nullable=False)
    issued_by = Column(Uuid, nullable=False)
    revoked_at = Column(DateTime(timezone=True))


badges = Table(
    "badges",
    metadata,
    BadgeColumns,
    Index("ix_badges_staff_id", "staff_id"),
    schema="auth",
)
"""What a member of staff carries and a till scans: by keyed hash. A code is given once, whatever becomes of the badge."""


class PinColumns(TypedColumns):
    staff_id = Column(Uuid, ForeignKey("auth.staff.id"), primary_key=True)
    hash = Column(Text, nullable=False)
    set_at = Column(DateTime(timezone=True), nullable=False)
    set_by = Column(Uuid, nullable=False)


pins = Table(
    "pins",
    metadata,
    PinColumns,
    schema="auth",
)
"""argon2 of HMAC(server key, member, PIN): ten thousand guesses at a copied table lead nowhere without the key."""


class InvitationColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    login = Column(Text, nullable=False)
    name = Column(Text, info={"personal": True}, nullable=False)
    roles = Column(JSONB, nullable=False)
    token_hash = Column(Text, unique=True, nullable=False)
    state = Column(Text, nullable=False)
    staff_id = Column(Uuid, ForeignKey("auth.staff.id"))
    created_at = Column(DateTime(timezone=True), nullable=False)
    created_by = Column(Uuid, nullable=False)
    expires_at = Column(DateTime(timezone=True), nullable=False)
    decided_at = Column(DateTime(timezone=True))
    purpose = Column(Text, server_default="join", nullable=False)


invitations = Table(
    "invitations",
    metadata,
    InvitationColumns,
    CheckConstraint("state IN ('pending', 'accepted', 'revoked')", name="state_known"),
    CheckConstraint("(state = 'accepted') = (staff_id IS NOT NULL)", name="accepted_by_somebody"),
    CheckConstraint("purpose IN ('join', 'return', 'reset')", name="purpose_known"),
    Index("uq_invitations_pending_login", "login", unique=True, postgresql_where=text("state = 'pending'")),
    schema="auth",
)
"""A member of staff to be, until he has chosen his password; his name moves to `staff` then. Or one who is: shut out and to return, or
without a password that he knows."""


class PairingColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    kind = Column(Text, nullable=False)
    name = Column(Text, nullable=False)
    client_id = Column(Uuid)
    code_hash = Column(Text, nullable=False)
    secret_hash = Column(Text, nullable=False)
    state = Column(Text, nullable=False)
    device_id = Column(Uuid, ForeignKey("auth.devices.id"))
    created_at = Column(DateTime(timezone=True), nullable=False)
    expires_at = Column(DateTime(timezone=True), nullable=False)
    decided_at = Column(DateTime(timezone=True))
    decided_by = Column(Uuid)


pairings = Table(
    "pairings",
    metadata,
    PairingColumns,
    CheckConstraint("kind IN ('till', 'kiosk')", name="kind_known"),
    CheckConstraint("state IN ('pending', 'approved', 'denied')", name="state_known"),
    CheckConstraint("(state = 'approved') = (device_id IS NOT NULL)", name="approved_as_a_device"),
    Index("uq_pairings_pending_code", "code_hash", unique=True, postgresql_where=text("state = 'pending'")),
    Index("ix_pairings_expires_at", "expires_at"),
    schema="auth",
)
"""A till or kiosk that asks to be let in (RFC 8628): the keyed hash of the code it shows, the SHA-256 of the secret it polls with."""


class PassColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    principal_id = Column(Uuid, ForeignKey("auth.principals.id"), unique=True, nullable=False)
    code_hash = Column(Text, unique=True, nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    expires_at = Column(DateTime(timezone=True), nullable=False)


passes = Table(
    "passes",
    metadata,
    PassColumns,
    Index("ix_passes_expires_at", "expires_at"),
    schema="auth",
)
"""A shopper's last code for a kiosk, shown on his telephone; gone when it is used."""


class SessionColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    principal_id = Column(Uuid, ForeignKey("auth.principals.id"), nullable=False)
    client_id = Column(Uuid)
    device_id = Column(Uuid)
    channel = Column(Text, ForeignKey("auth.channels.code"), nullable=False)
    location = Column(Text)
    known = Column(Boolean, nullable=False)
    idle_seconds = Column(Integer)
    ends_at = Column(DateTime(timezone=True))
    device_name = Column(Text, info={"personal": True})
    refresh_no = Column(Integer, server_default="0", nullable=False)
    proof = Column(Text)
    created_at = Column(DateTime(timezone=True), nullable=False)
    refreshed_at = Column(DateTime(timezone=True), nullable=False)
    expires_at = Column(DateTime(timezone=True), nullable=False)
    revoked_at = Column(DateTime(timezone=True))
    revoked_reason = Column(Text)
    last_seen_at = Column(DateTime(timezone=True))


sessions = Table(
    "sessions",
    metadata,
    SessionColumns,
    CheckConstraint("idle_seconds > 0", name="idle_seconds_positive"),
    CheckConstraint("expires_at <= ends_at", name="ends_in_time"),
    Index("ix_sessions_device_id", "device_id", postgresql_where=text("device_id IS NOT NULL AND revoked_at IS NULL")),
    Index("ix_sessions_principal_id", "principal_id"),
    Index("ix_sessions_revoked_at", "revoked_at"),
    Index("ix_sessions_expires_at", "expires_at"),
    schema="auth",
)
"""One sign-in. The refresh token is derived from (id, refresh_no), never stored; an older number is a copied token.

`proof`: by what its owner came in. One that ends by idleness has `idle_seconds`: each refresh moves `expires_at` so far, never
beyond `ends_at`."""


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
