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
    false,
    literal_column,
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
    guest = Column(Boolean, server_default=false(), nullable=False)
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
        "ix_profiles_name_prefix",
        literal_column("lower(name)").label("lower_name"),
        postgresql_ops={"lower_name": "text_pattern_ops"},
    ),
    CheckConstraint("merged_into <> id", name="not_into_itself"),
    schema="customers",
)


class IdentifierColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    profile_id = Column(Uuid, ForeignKey("customers.profiles.id"), nullable=False)
    kind = Column(Text, nullable=False)
    system = Column(Text, server_default="", nullable=False)
    value = Column(Text, info={"personal": True}, nullable=False)
    verified_at = Column(DateTime(timezone=True))
    created_at = Column(DateTime(timezone=True), nullable=False)


identifiers = Table(
    "identifiers",
    metadata,
    IdentifierColumns,
    CheckConstraint("kind IN ('email', 'phone', 'loyalty_card', 'device', 'external')", name="kind_known"),
    CheckConstraint("(kind = 'external') = (system <> '')", name="system_of_external"),
    UniqueConstraint("profile_id", "kind", "system", "value"),
    Index(
        "uq_identifiers_verified",
        "kind",
        "system",
        "value",
        unique=True,
        postgresql_where=text("verified_at IS NOT NULL"),
    ),
    Index("ix_identifiers_value", "kind", "system", "value"),
    schema="customers",
)
"""What finds a person. Verified ones are of one profile; a claim that nobody has verified blocks nobody and opens nothing."""


class MergeColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    winner_id = Column(Uuid, ForeignKey("customers.profiles.id"), nullable=False)
    loser_id = Column(Uuid, ForeignKey("customers.profiles.id"), nullable=False)
    merged_by = Column(Uuid, nullable=False)
    proof = Column(Text, nullable=False)
    merged_because = Column(Text, info={"personal": True})
    merged_at = Column(DateTime(timezone=True), nullable=False)
    undone_by = Column(Uuid)
    undone_because = Column(Text, info={"personal": True})
    undone_at = Column(DateTime(timezone=True))


merges = Table(
    "merges",
    metadata,
    MergeColumns,
    CheckConstraint("proof IN ('staff', 'code')", name="proof_known"),
    CheckConstraint("winner_id <> loser_id", name="not_into_itself"),
    CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name="undone"),
    Index("uq_merges_standing", "loser_id", unique=True, postgresql_where=text("undone_at IS NULL")),
    Index("ix_merges_winner_id", "winner_id"),
    Index("ix_merges_loser_id", "loser_id"),
    schema="customers",
)
"""Who was found to be whom, by whom and by what proof; an undone merge stays here."""


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
