"""Tables of `customers`: One profile per person, found by any of his identifiers; the loser of a merge points at the winner."""

from __future__ import annotations

from sqlalchemy import (
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
    column,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from commerce.infra.tables import metadata


class ProfileColumns(TypedColumns):
    id = Column(Uuid, ForeignKey("auth.principals.id"), primary_key=True)
    name = Column(Text, info={"personal": True})
    language = Column(Text, nullable=False)
    birthday = Column(Date, info={"personal": True})
    preferred_store = Column(Text, ForeignKey("locations.locations.code"))
    preferences = Column(JSONB, server_default="{}", nullable=False)
    merged_into = Column(Uuid, ForeignKey("customers.profiles.id"))
    merged_at = Column(DateTime(timezone=True))
    erased_at = Column(DateTime(timezone=True))
    version = Column(Integer, server_default="1", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)


profiles = Table(
    "profiles",
    metadata,
    ProfileColumns,
    CheckConstraint("language IN ('ru', 'en')", name="language_known"),
    Index("ix_profiles_merged_into", "merged_into"),
    Index(
        "ix_profiles_name", func.lower(column("name")).label("lowered"), postgresql_ops={"lowered": "text_pattern_ops"}
    ),
    CheckConstraint("merged_into <> id", name="not_into_itself"),
    schema="customers",
)


class IdentifierColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    profile_id = Column(Uuid, ForeignKey("customers.profiles.id"), nullable=False)
    kind = Column(Text, nullable=False)
    value = Column(Text, info={"personal": True}, nullable=False)
    verified_at = Column(DateTime(timezone=True))
    created_at = Column(DateTime(timezone=True), nullable=False)


identifiers = Table(
    "identifiers",
    metadata,
    IdentifierColumns,
    CheckConstraint("kind IN ('email', 'phone', 'loyalty_card', 'external')", name="kind_known"),
    UniqueConstraint("kind", "value"),
    Index("ix_identifiers_profile_id", "profile_id"),
    schema="customers",
)


class AddressColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    profile_id = Column(Uuid, ForeignKey("customers.profiles.id"), nullable=False)
    label = Column(Text, info={"personal": True})
    recipient = Column(Text, info={"personal": True})
    phone = Column(Text, info={"personal": True})
    country = Column(Text, nullable=False)
    region = Column(Text)
    city = Column(Text, info={"personal": True}, nullable=False)
    street = Column(Text, info={"personal": True}, nullable=False)
    house = Column(Text, info={"personal": True})
    postal_code = Column(Text, info={"personal": True})
    entrance = Column(Text, info={"personal": True})
    floor = Column(Text, info={"personal": True})
    apartment = Column(Text, info={"personal": True})
    intercom = Column(Text, info={"personal": True})
    comment = Column(Text, info={"personal": True})
    is_default = Column(Boolean, nullable=False)
    version = Column(Integer, server_default="1", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)


addresses = Table(
    "addresses",
    metadata,
    AddressColumns,
    Index("ix_addresses_profile_id", "profile_id"),
    Index("uq_addresses_profile_id", "profile_id", unique=True, postgresql_where=text("is_default")),
    schema="customers",
)
"""Where a person wants things brought to. One default per profile; after a merge the winner's counts."""


class ConsentColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    profile_id = Column(Uuid, ForeignKey("customers.profiles.id"), nullable=False)
    channel = Column(Text, nullable=False)
    purpose = Column(Text, nullable=False)
    granted = Column(Boolean, nullable=False)
    at = Column(DateTime(timezone=True), nullable=False)
    source = Column(Text, nullable=False)
    device_id = Column(Uuid)
    actor_id = Column(Uuid, nullable=False)
    actor_kind = Column(Text, nullable=False)
    text_version = Column(Text, nullable=False)


consents = Table(
    "consents",
    metadata,
    ConsentColumns,
    CheckConstraint("channel IN ('email', 'sms', 'push', 'messenger', 'phone', 'post')", name="channel_known"),
    CheckConstraint("purpose IN ('marketing', 'service', 'analytics', 'personalization')", name="purpose_known"),
    Index("ix_consents_profile_id_at", "profile_id", "at"),
    schema="customers",
)
"""What a person has allowed and taken back, never changed or deleted: the newest of a channel and purpose counts. `source` is the
channel through which he said so."""


class TouchColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    shopper_id = Column(Uuid, ForeignKey("auth.principals.id"), nullable=False)
    at = Column(DateTime(timezone=True), nullable=False)
    channel = Column(Text, nullable=False)
    source = Column(Text)
    medium = Column(Text)
    campaign = Column(Text)
    content = Column(Text)
    term = Column(Text)
    click_id = Column(Text, info={"personal": True})
    referrer = Column(Text, info={"personal": True})
    landing_path = Column(Text, info={"personal": True})
    store_qr = Column(Text)


touches = Table(
    "touches",
    metadata,
    TouchColumns,
    Index("ix_touches_shopper_id_at_id", "shopper_id", "at", "id"),
    Index("ix_touches_at", "at"),
    schema="customers",
)
"""What brought a shopper here, each time: of the principal, because most touches come before anybody has signed up."""
