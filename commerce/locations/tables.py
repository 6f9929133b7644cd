"""Tables of `locations`: Warehouses and stores: where goods are, when the doors are open, what may be done there."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Integer,
    Table,
    Text,
    TypedColumns,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from commerce.infra.tables import metadata


class LegalEntityColumns(TypedColumns):
    code = Column(Text, primary_key=True)
    name = Column(JSONB, nullable=False)
    kind = Column(Text, nullable=False)
    tax_id = Column(Text, nullable=False)
    country = Column(Text, nullable=False)


legal_entities = Table(
    "legal_entities",
    metadata,
    LegalEntityColumns,
    CheckConstraint("kind IN ('own', 'franchise')", name="kind_known"),
    schema="locations",
)


class LocationColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    code = Column(Text, unique=True, nullable=False)
    name = Column(JSONB, nullable=False)
    kind = Column(Text, nullable=False)
    legal_entity = Column(Text, ForeignKey("locations.legal_entities.code"), nullable=False)
    roles: Column[list[str]] = Column(ARRAY(Text), nullable=False)
    address = Column(JSONB, nullable=False)
    tax_zone = Column(Text, nullable=False)
    latitude_e6 = Column(Integer, nullable=False)
    longitude_e6 = Column(Integer, nullable=False)
    time_zone = Column(Text, nullable=False)
    hours = Column(JSONB, nullable=False)
    pickup_hours = Column(JSONB)
    exceptions = Column(JSONB, nullable=False)
    preparation_minutes = Column(Integer, server_default="60", nullable=False)
    cut_off = Column(Text)
    kept_days = Column(Integer, server_default="5", nullable=False)
    opened_on = Column(Date, nullable=False)
    closed_on = Column(Date)
    paused_until = Column(DateTime(timezone=True))
    paused_reason = Column(Text)
    priority = Column(Integer, server_default="0", nullable=False)
    daily_capacity = Column(Integer)
    backlog_minutes = Column(Integer, server_default="0", nullable=False)
    busy_hours = Column(JSONB)
    external_ids = Column(JSONB, nullable=False)
    version = Column(Integer, server_default="1", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)


locations = Table(
    "locations",
    metadata,
    LocationColumns,
    CheckConstraint(
        "latitude_e6 BETWEEN -90000000 AND 90000000 AND longitude_e6 BETWEEN -180000000 AND 180000000",
        name="coordinates",
    ),
    CheckConstraint("preparation_minutes >= 0 AND kept_days > 0", name="durations"),
    CheckConstraint(
        "roles <@ ARRAY['ships','pickup','accepts_returns','sells','receives']::text[]", name="roles_known"
    ),
    CheckConstraint("daily_capacity >= 0 AND backlog_minutes >= 0", name="capacity"),
    schema="locations",
)


class LinkColumns(TypedColumns):
    location_id = Column(Uuid, ForeignKey("locations.locations.id"), primary_key=True)
    source_id = Column(Uuid, ForeignKey("locations.locations.id"), primary_key=True)
    priority = Column(Integer, server_default="0", nullable=False)
    transit_hours = Column(Integer, nullable=False)
    departures = Column(JSONB)
    cost_amount = Column(BigInteger, server_default="0", nullable=False)


links = Table(
    "links",
    metadata,
    LinkColumns,
    CheckConstraint("location_id <> source_id", name="not_itself"),
    CheckConstraint("transit_hours >= 0 AND cost_amount >= 0", name="transit"),
    schema="locations",
)
"""Which warehouses and stores a location may draw on, how long goods are on their way, and when they leave."""
