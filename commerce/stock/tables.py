"""Tables of `stock`: Levels, the ledger of movements, reservations (DESIGN 6)."""

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


class LevelColumns(TypedColumns):
    location_id = Column(Uuid, ForeignKey("locations.locations.id"), primary_key=True)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), primary_key=True)
    available = Column(Integer, server_default="0", nullable=False)
    reserved = Column(Integer, server_default="0", nullable=False)
    committed = Column(Integer, server_default="0", nullable=False)
    quality_control = Column(Integer, server_default="0", nullable=False)
    damaged = Column(Integer, server_default="0", nullable=False)
    in_transit = Column(Integer, server_default="0", nullable=False)
    in_transit_committed = Column(Integer, server_default="0", nullable=False)
    safety_stock = Column(Integer, server_default="0", nullable=False)


levels = Table(
    "levels",
    metadata,
    LevelColumns,
    CheckConstraint("available >= 0", name="available"),
    CheckConstraint("reserved >= 0", name="reserved"),
    CheckConstraint("committed >= 0", name="committed"),
    CheckConstraint("quality_control >= 0", name="quality_control"),
    CheckConstraint("damaged >= 0", name="damaged"),
    CheckConstraint("in_transit >= 0", name="in_transit"),
    CheckConstraint("in_transit_committed >= 0", name="in_transit_committed"),
    CheckConstraint("safety_stock >= 0", name="safety_stock"),
    Index("ix_levels_variant_id", "variant_id"),
    postgresql_with={"fillfactor": "70"},
    schema="stock",
)


class PostingColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    cause_kind = Column(Text, nullable=False)
    cause_id = Column(Uuid, nullable=False)
    actor = Column(JSONB, nullable=False)
    reason = Column(Text)
    occurred_at = Column(DateTime(timezone=True), nullable=False)
    recorded_at = Column(DateTime(timezone=True), server_default=func.clock_timestamp(), nullable=False)
    business_date = Column(Date, nullable=False)


postings = Table(
    "postings",
    metadata,
    PostingColumns,
    UniqueConstraint("cause_kind", "cause_id"),
    schema="stock",
)


class MovementColumns(TypedColumns):
    posting_id = Column(Uuid, ForeignKey("stock.postings.id"), primary_key=True)
    n = Column(Integer, primary_key=True)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), nullable=False)
    quantity = Column(Integer, nullable=False)
    from_place = Column(Text, nullable=False)
    from_location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    to_place = Column(Text, nullable=False)
    to_location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    unit_cost = Column(BigInteger)
    line_id = Column(Uuid)
    per_unit = Column(Integer, server_default="1", nullable=False)
    occurred_at = Column(DateTime(timezone=True), nullable=False)
    recorded_at = Column(DateTime(timezone=True), server_default=func.clock_timestamp(), nullable=False)


movements = Table(
    "movements",
    metadata,
    MovementColumns,
    CheckConstraint(
        "from_place IN ('available', 'reserved', 'committed', 'quality_control', 'damaged', "
        "'in_transit', 'in_transit_committed', 'supplier', 'customer', 'loss', 'conversion')",
        name="from_place_known",
    ),
    CheckConstraint(
        "to_place IN ('available', 'reserved', 'committed', 'quality_control', 'damaged', "
        "'in_transit', 'in_transit_committed', 'supplier', 'customer', 'loss', 'conversion')",
        name="to_place_known",
    ),
    CheckConstraint("quantity > 0 AND per_unit > 0", name="quantity"),
    CheckConstraint(
        "(from_location_id IS NULL) = (from_place IN ('supplier', 'customer', 'loss', 'conversion'))",
        name="from_location",
    ),
    CheckConstraint(
        "(to_location_id IS NULL) = (to_place IN ('supplier', 'customer', 'loss', 'conversion'))", name="to_location"
    ),
    Index("ix_movements_variant_id_occurred_at", "variant_id", "occurred_at"),
    Index("ix_movements_occurred_at", "occurred_at", postgresql_using="brin"),
    Index("ix_movements_recorded_at", "recorded_at"),
    Index(
        "ix_movements_booked_late",
        "recorded_at",
        postgresql_where=text("recorded_at - occurred_at > interval '5 minutes'"),
    ),
    Index("ix_movements_booked_early", "occurred_at", postgresql_where=text("occurred_at > recorded_at")),
    schema="stock",
)
"""Nearly all movements are booked as they happen; the two partial indexes find the few that are not, for looks at the past by when it
happened (closings.py)."""


class ExpectedColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    kind = Column(Text, nullable=False)
    document_id = Column(Uuid, nullable=False)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"), nullable=False)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), nullable=False)
    expected_on = Column(Date, nullable=False)
    unit_cost = Column(BigInteger)
    quantity = Column(Integer, nullable=False)
    received = Column(Integer, server_default="0", nullable=False)
    cancelled = Column(Integer, server_default="0", nullable=False)
    promised = Column(Integer, server_default="0", nullable=False)
    inspect = Column(Boolean, server_default="false", nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)


expected = Table(
    "expected",
    metadata,
    ExpectedColumns,
    CheckConstraint("kind IN ('supply', 'transfer')", name="kind_known"),
    CheckConstraint("quantity > 0 AND received >= 0 AND cancelled >= 0 AND promised >= 0", name="quantities"),
    CheckConstraint("received + cancelled + promised <= quantity", name="promised"),
    Index("ix_expected_document_id", "document_id"),
    Index(
        "ix_expected_variant_id_location_id",
        "variant_id",
        "location_id",
        postgresql_where=text("received + cancelled < quantity"),
    ),
    postgresql_with={"fillfactor": "80"},
    schema="stock",
)
"""What is announced to arrive at a location: a plan, no movement. `promised` units stand aside for reservations. Changes under the
lock of its level."""


class ReservationColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    owner_kind = Column(Text, nullable=False)
    owner_id = Column(Uuid, nullable=False)
    line_id = Column(Uuid, nullable=False)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"), nullable=False)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), nullable=False)
    bucket = Column(Text, nullable=False)
    state = Column(Text, nullable=False)
    quantity = Column(Integer, nullable=False)
    quantity_open = Column(Integer, nullable=False)
    quantity_lost = Column(Integer, server_default="0", nullable=False)
    per_unit = Column(Integer, server_default="1", nullable=False)
    expected_id = Column(Uuid, ForeignKey("stock.expected.id"))
    expires_at = Column(DateTime(timezone=True))
    created_at = Column(DateTime(timezone=True), nullable=False)
    changed_at = Column(DateTime(timezone=True), nullable=False)


reservations = Table(
    "reservations",
    metadata,
    ReservationColumns,
    CheckConstraint("owner_kind IN ('checkout', 'fulfillment', 'transfer')", name="owner_kind_known"),
    CheckConstraint("bucket IN ('reserved', 'committed', 'in_transit_committed', 'promised')", name="bucket_known"),
    CheckConstraint("bucket <> 'promised' OR expected_id IS NOT NULL", name="promised_of"),
    CheckConstraint(
        "state IN ('reserved', 'committed', 'fulfilled', 'released', 'expired', 'short')", name="state_known"
    ),
    CheckConstraint(
        "quantity > 0 AND quantity_open >= 0 AND quantity_lost >= 0 AND quantity_open + quantity_lost <= quantity",
        name="quantity",
    ),
    CheckConstraint("per_unit > 0", name="per_unit"),
    CheckConstraint("quantity_lost > 0 OR state NOT IN ('short', 'expired')", name="lost_when_gone"),
    CheckConstraint("(quantity_open > 0) = (state IN ('reserved', 'committed'))", name="open_while_live"),
    Index("ix_reservations_owner_kind_owner_id", "owner_kind", "owner_id"),
    Index(
        "ix_reservations_location_id_variant_id",
        "location_id",
        "variant_id",
        postgresql_where=text("quantity_open > 0"),
    ),
    Index(
        "ix_reservations_expected_id",
        "expected_id",
        postgresql_where=text("bucket = 'promised' AND quantity_open > 0"),
    ),
    Index("ix_reservations_expires_at", "expires_at", postgresql_where=text("state = 'reserved'")),
    postgresql_with={"fillfactor": "80"},
    schema="stock",
)


class CostColumns(TypedColumns):
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), primary_key=True)
    average = Column(BigInteger, nullable=False)
    received = Column(BigInteger, server_default="0", nullable=False)
    changed_at = Column(DateTime(timezone=True), nullable=False)


costs = Table(
    "costs",
    metadata,
    CostColumns,
    CheckConstraint("average >= 0", name="average"),
    CheckConstraint("received >= 0", name="received"),
    schema="stock",
)


class AdjustmentColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"), nullable=False)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), nullable=False)
    delta = Column(Integer, nullable=False)
    bucket = Column(Text, nullable=False)
    reason = Column(Text, nullable=False)
    request_note = Column(Text)
    value = Column(BigInteger)
    valued_by = Column(Text)
    currency = Column(Text, nullable=False)
    state = Column(Text, nullable=False)
    requested_by = Column(JSONB, nullable=False)
    requested_at = Column(DateTime(timezone=True), nullable=False)
    decided_by = Column(JSONB)
    decided_at = Column(DateTime(timezone=True))
    decision_note = Column(Text)
    version = Column(Integer, server_default="1", nullable=False)


adjustments = Table(
    "adjustments",
    metadata,
    AdjustmentColumns,
    CheckConstraint("delta <> 0", name="delta"),
    CheckConstraint("bucket IN ('available', 'quality_control', 'damaged')", name="bucket_known"),
    CheckConstraint(
        "reason IN ('damage', 'theft', 'lost', 'expired', 'sample', 'internal_use', 'write_off', 'found', 'count', "
        "'correction')",
        name="reason_known",
    ),
    CheckConstraint("value >= 0 AND (value IS NULL) = (valued_by IS NULL)", name="value"),
    CheckConstraint("valued_by IN ('cost', 'list')", name="valued_by_known"),
    CheckConstraint("state IN ('waiting', 'booked', 'rejected')", name="state_known"),
    CheckConstraint(
        "(state = 'waiting') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)", name="decided"
    ),
    Index("ix_adjustments_location_id_id", "location_id", "id"),
    Index("ix_adjustments_waiting", "location_id", "id", postgresql_where=text("state = 'waiting'")),
    schema="stock",
)
"""What staff asked to correct by hand: booked at once, or by a manager. Its id is the cause of its posting."""


class CostChangeColumns(TypedColumns):
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), primary_key=True)
    posting_id = Column(Uuid, ForeignKey("stock.postings.id"), primary_key=True)
    average = Column(BigInteger, nullable=False)
    changed_at = Column(DateTime(timezone=True), nullable=False)
    recorded_at = Column(DateTime(timezone=True), server_default=func.clock_timestamp(), nullable=False)


cost_changes = Table(
    "cost_changes",
    metadata,
    CostChangeColumns,
    CheckConstraint("average >= 0", name="average"),
    schema="stock",
)
"""What a variant's average cost was from a posting on: `changed_at` by when it happened, `recorded_at` by when it was booked."""


class ClosingColumns(TypedColumns):
    number = Column(Integer, primary_key=True, autoincrement=False)
    position = Column(DateTime(timezone=True), nullable=False, unique=True)
    begun_at = Column(DateTime(timezone=True), nullable=False)
    made_at = Column(DateTime(timezone=True))
    done_recorded_at = Column(DateTime(timezone=True))
    done_posting_id = Column(Uuid)
    done_n = Column(Integer)
    movements = Column(BigInteger, server_default="0", nullable=False)


closings = Table(
    "closings",
    metadata,
    ClosingColumns,
    CheckConstraint("number > 0", name="number"),
    CheckConstraint(
        "(done_recorded_at IS NULL) = (done_posting_id IS NULL) AND (done_posting_id IS NULL) = (done_n IS NULL)",
        name="done",
    ),
    Index("uq_closings_unfinished", text("(made_at IS NULL)"), unique=True, postgresql_where=text("made_at IS NULL")),
    schema="stock",
)
"""Every movement recorded up to `position` is in; numbered from 1, each later than the one before. `done_…` is the last movement taken
in while it is being made."""


class ClosingLevelColumns(TypedColumns):
    location_id = Column(Uuid, primary_key=True)
    variant_id = Column(Uuid, primary_key=True)
    closing = Column(Integer, ForeignKey("stock.closings.number"), primary_key=True)
    until = Column(Integer)
    available = Column(Integer, nullable=False)
    reserved = Column(Integer, nullable=False)
    committed = Column(Integer, nullable=False)
    quality_control = Column(Integer, nullable=False)
    damaged = Column(Integer, nullable=False)
    in_transit = Column(Integer, nullable=False)
    in_transit_committed = Column(Integer, nullable=False)


closing_levels = Table(
    "closing_levels",
    metadata,
    ClosingLevelColumns,
    CheckConstraint("until > closing", name="until"),
    postgresql_with={"fillfactor": "85"},
    schema="stock",
)
"""A level as it stood at a closing, for those that moved since the closing before: it holds from `closing` on, until the one that
replaced it."""


class SafetyRuleColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"))
    category_code = Column(Text, ForeignKey("catalog.categories.code"))
    quantity = Column(Integer, nullable=False)
    changed_by = Column(JSONB, nullable=False)
    changed_at = Column(DateTime(timezone=True), nullable=False)


safety_rules = Table(
    "safety_rules",
    metadata,
    SafetyRuleColumns,
    UniqueConstraint("location_id", "variant_id", "category_code", postgresql_nulls_not_distinct=True),
    CheckConstraint(
        "num_nonnulls(variant_id, category_code) <= 1 AND num_nonnulls(location_id, variant_id, category_code) >= 1",
        name="scope",
    ),
    CheckConstraint("quantity >= 0", name="quantity"),
    Index("ix_safety_rules_variant_id", "variant_id"),
    Index("ix_safety_rules_category_code", "category_code"),
    schema="stock",
)
"""How many units other channels leave on a shelf; the most specific rule wins and is resolved into `levels.safety_stock`."""


class SafetyChangeColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    kind = Column(Text, nullable=False)
    scope = Column(JSONB, nullable=False)
    horizon = Column(BigInteger)
    done_location_id = Column(Uuid)
    done_variant_id = Column(Uuid)
    changed_at = Column(DateTime(timezone=True), nullable=False)


safety_changes = Table(
    "safety_changes",
    metadata,
    SafetyChangeColumns,
    CheckConstraint("kind IN ('spots', 'variants', 'locations', 'everything')", name="kind_known"),
    CheckConstraint("(done_location_id IS NULL) = (done_variant_id IS NULL)", name="done"),
    schema="stock",
)
"""A change of rules or categories that has not reached all its levels yet (safety.py)."""


class UnitColumns(TypedColumns):
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), primary_key=True)
    code = Column(Text, primary_key=True)
    place = Column(Text, nullable=False)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    line_id = Column(Uuid)
    picked_for = Column(Uuid)
    picked_line = Column(Uuid)
    posting_id = Column(Uuid, ForeignKey("stock.postings.id"))
    changed_at = Column(DateTime(timezone=True), nullable=False)
    version = Column(Integer, server_default="1", nullable=False)


units = Table(
    "units",
    metadata,
    UnitColumns,
    CheckConstraint(
        "place IN ('available', 'committed', 'quality_control', 'damaged', 'supplier', 'customer', 'loss', 'conversion')",
        name="place_known",
    ),
    CheckConstraint(
        "(location_id IS NULL) = (place IN ('supplier', 'customer', 'loss', 'conversion'))", name="location"
    ),
    CheckConstraint("place <> 'customer' OR line_id IS NOT NULL", name="left_with_a_line"),
    CheckConstraint(
        "(picked_for IS NULL) = (picked_line IS NULL) AND (picked_for IS NULL OR place = 'committed')", name="picked"
    ),
    CheckConstraint("length(code) BETWEEN 1 AND 200 AND version > 0", name="code"),
    Index(
        "ix_units_location_id_variant_id", "location_id", "variant_id", postgresql_where=text("location_id IS NOT NULL")
    ),
    Index("ix_units_line_id", "line_id", postgresql_where=text("line_id IS NOT NULL")),
    Index("ix_units_picked_for", "picked_for", postgresql_where=text("picked_for IS NOT NULL")),
    postgresql_with={"fillfactor": "80"},
    schema="stock",
)
"""Units with a code of their own, where they were last seen. `line_id` is the order line that a unit last left with, and stays;
`picked_for` the fulfillment whose box it lies in, for `picked_line`. `posting_id` is its last act, null when that was a picking."""


class UnitMoveColumns(TypedColumns):
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"), primary_key=True)
    code = Column(Text, primary_key=True)
    n = Column(Integer, primary_key=True)
    posting_id = Column(Uuid, ForeignKey("stock.postings.id"))
    from_place = Column(Text)
    from_location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    to_place = Column(Text, nullable=False)
    to_location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    line_id = Column(Uuid)
    picked_for = Column(Uuid)
    actor = Column(JSONB, nullable=False)
    occurred_at = Column(DateTime(timezone=True), nullable=False)
    recorded_at = Column(DateTime(timezone=True), server_default=func.clock_timestamp(), nullable=False)


unit_moves = Table(
    "unit_moves",
    metadata,
    UnitMoveColumns,
    CheckConstraint("n > 0", name="n"),
    Index("ix_unit_moves_posting_id", "posting_id", postgresql_where=text("posting_id IS NOT NULL")),
    schema="stock",
)
"""The life of a unit, one row per version. `from_place` is null when nobody knew the unit before, `line_id` the order line that it is
picked for, leaves with or comes back from."""
