"""Tables of `customers`: One profile per person, found by any of his identifiers; the loser of a merge points at the winner."""

from __future__ import annotations

from sqlalchemy import (
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
)

from commerce.infra.tables import metadata


class ProfileColumns(TypedColumns):
    id = Column(Uuid, ForeignKey("auth.principals.id"), primary_key=True)
    name = Column(Text, info={"personal": True})
    language = Column(Text, nullable=False)
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
