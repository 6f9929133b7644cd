"""stock everywhere

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

SCHEMAS = ("supply", "transfers", "counts")


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(f"CREATE SCHEMA {schema}")
    op.drop_constraint(op.f("ck_fulfillments_state_known"), "fulfillments", schema="fulfillment", type_="check")
    op.drop_constraint(op.f("ck_lines_quantities"), "lines", schema="fulfillment", type_="check")
    op.drop_constraint(op.f("ck_locations_roles_known"), "locations", schema="locations", type_="check")
    op.drop_constraint(op.f("ck_movements_from_location"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_movements_from_place_known"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_movements_quantity"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_movements_to_location"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_movements_to_place_known"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_reservations_bucket_known"), "reservations", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_reservations_owner_kind_known"), "reservations", schema="stock", type_="check")
    op.create_table(
        "entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("spot", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("counted_by", sa.Uuid(), nullable=False),
        sa.Column("device", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("stands", sa.Boolean(), nullable=False),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_entries_quantity")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        schema="counts",
    )
    op.create_index(
        "ix_entries_session_id_variant_id", "entries", ["session_id", "variant_id"], unique=False, schema="counts"
    )
    op.create_table(
        "delivery_methods",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("bands", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("max_km", sa.Integer(), nullable=True),
        sa.Column("weekdays", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("cut_off", sa.Text(), nullable=True),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('shipping', 'local_delivery', 'pickup_point')", name=op.f("ck_delivery_methods_kind_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_methods")),
        sa.UniqueConstraint("code", name=op.f("uq_delivery_methods_code")),
        schema="fulfillment",
    )
    op.create_table(
        "plans",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("plan", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("scope IN ('pickup', 'delivery') AND n > 0", name=op.f("ck_plans_scope_known")),
        sa.PrimaryKeyConstraint("order_id", "n", name=op.f("pk_plans")),
        schema="fulfillment",
    )
    op.create_table(
        "sourcing_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("tiers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("scope IN ('pickup', 'delivery')", name=op.f("ck_sourcing_rules_scope_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sourcing_rules")),
        sa.UniqueConstraint("scope", name=op.f("uq_sourcing_rules_scope")),
        schema="fulfillment",
    )
    op.create_table(
        "subscribers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_subscribers")),
        schema="infra",
    )
    op.create_table(
        "closings",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.DateTime(timezone=True), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_recorded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_posting_id", sa.Uuid(), nullable=True),
        sa.Column("done_n", sa.Integer(), nullable=True),
        sa.Column("movements", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "(done_recorded_at IS NULL) = (done_posting_id IS NULL) AND (done_posting_id IS NULL) = (done_n IS NULL)",
            name=op.f("ck_closings_done"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_closings_number")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_closings")),
        sa.UniqueConstraint("position", name=op.f("uq_closings_position")),
        schema="stock",
    )
    op.create_index(
        "uq_closings_unfinished",
        "closings",
        [sa.literal_column("(made_at IS NULL)")],
        unique=True,
        schema="stock",
        postgresql_where=sa.text("made_at IS NULL"),
    )
    op.create_table(
        "safety_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("scope", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("horizon", sa.BigInteger(), nullable=True),
        sa.Column("done_location_id", sa.Uuid(), nullable=True),
        sa.Column("done_variant_id", sa.Uuid(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('spots', 'variants', 'locations', 'everything')", name=op.f("ck_safety_changes_kind_known")
        ),
        sa.CheckConstraint(
            "(done_location_id IS NULL) = (done_variant_id IS NULL)", name=op.f("ck_safety_changes_done")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_safety_changes")),
        schema="stock",
    )
    op.create_table(
        "suppliers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("lead_days", sa.Integer(), nullable=True),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("lead_days >= 0", name=op.f("ck_suppliers_lead_days")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suppliers")),
        sa.UniqueConstraint("code", name=op.f("uq_suppliers_code")),
        schema="supply",
    )
    op.create_table(
        "closing_levels",
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("closing", sa.Integer(), nullable=False),
        sa.Column("until", sa.Integer(), nullable=True),
        sa.Column("available", sa.Integer(), nullable=False),
        sa.Column("reserved", sa.Integer(), nullable=False),
        sa.Column("committed", sa.Integer(), nullable=False),
        sa.Column("quality_control", sa.Integer(), nullable=False),
        sa.Column("damaged", sa.Integer(), nullable=False),
        sa.Column("in_transit", sa.Integer(), nullable=False),
        sa.Column("in_transit_committed", sa.Integer(), nullable=False),
        sa.CheckConstraint("until > closing", name=op.f("ck_closing_levels_until")),
        sa.ForeignKeyConstraint(["closing"], ["stock.closings.number"], name=op.f("fk_closing_levels_closing")),
        sa.PrimaryKeyConstraint("location_id", "variant_id", "closing", name=op.f("pk_closing_levels")),
        schema="stock",
        postgresql_with={"fillfactor": "85"},
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=True),
        sa.Column("categories", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("blind", sa.Boolean(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("round_began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("uncounted", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(closed_at IS NOT NULL) = (state IN ('closed', 'cancelled'))", name=op.f("ck_sessions_closed")
        ),
        sa.CheckConstraint("(zone IS NOT NULL) = (scope = 'zone')", name=op.f("ck_sessions_zone")),
        sa.CheckConstraint("scope IN ('zone', 'category', 'list')", name=op.f("ck_sessions_scope_known")),
        sa.CheckConstraint(
            "state IN ('open', 'counted', 'recount', 'closed', 'cancelled')", name=op.f("ck_sessions_state_known")
        ),
        sa.CheckConstraint("uncounted IN ('leave', 'zero')", name=op.f("ck_sessions_uncounted_known")),
        sa.CheckConstraint("round > 0", name=op.f("ck_sessions_round")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_sessions_location_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("number", name=op.f("uq_sessions_number")),
        schema="counts",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_sessions_location_id_opened_at", "sessions", ["location_id", "opened_at"], unique=False, schema="counts"
    )
    op.create_table(
        "links",
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("priority", sa.Integer(), server_default="0", nullable=False),
        sa.Column("transit_hours", sa.Integer(), nullable=False),
        sa.Column("departures", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("cost_amount", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint("location_id <> source_id", name=op.f("ck_links_not_itself")),
        sa.CheckConstraint("transit_hours >= 0 AND cost_amount >= 0", name=op.f("ck_links_transit")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_links_location_id")),
        sa.ForeignKeyConstraint(["source_id"], ["locations.locations.id"], name=op.f("fk_links_source_id")),
        sa.PrimaryKeyConstraint("location_id", "source_id", name=op.f("pk_links")),
        schema="locations",
    )
    op.create_table(
        "announcements",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("supplier_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("expected_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("inspect", sa.Boolean(), nullable=False),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("overdue_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (state IN ('announced', 'partially_received'))", name=op.f("ck_announcements_closed")
        ),
        sa.CheckConstraint(
            "state IN ('announced', 'partially_received', 'received', 'cancelled')",
            name=op.f("ck_announcements_state_known"),
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_announcements_location_id")),
        sa.ForeignKeyConstraint(["supplier_id"], ["supply.suppliers.id"], name=op.f("fk_announcements_supplier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announcements")),
        sa.UniqueConstraint("number", name=op.f("uq_announcements_number")),
        sa.UniqueConstraint("supplier_id", "reference", name=op.f("uq_announcements_supplier_id_reference")),
        schema="supply",
    )
    op.create_index(
        "ix_announcements_due",
        "announcements",
        ["expected_on", "id"],
        unique=False,
        schema="supply",
        postgresql_where=sa.text("closed_at IS NULL AND overdue_at IS NULL"),
    )
    op.create_index(
        "ix_announcements_expected_on_id", "announcements", ["expected_on", "id"], unique=False, schema="supply"
    )
    op.create_index(
        "ix_announcements_location_id_expected_on_id",
        "announcements",
        ["location_id", "expected_on", "id"],
        unique=False,
        schema="supply",
    )
    op.create_table(
        "transfers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("destination_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("expected_on", sa.Date(), nullable=False),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(closed_at IS NOT NULL) = (state IN ('received', 'cancelled'))", name=op.f("ck_transfers_closed")
        ),
        sa.CheckConstraint(
            "(dispatched_at IS NOT NULL) = (state IN ('in_transit', 'partially_received', 'received'))",
            name=op.f("ck_transfers_dispatched"),
        ),
        sa.CheckConstraint(
            "kind IN ('replenishment', 'ship_to_store', 'rebalancing', 'return_to_warehouse', 'other')",
            name=op.f("ck_transfers_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'ready', 'in_transit', 'partially_received', 'received', 'cancelled')",
            name=op.f("ck_transfers_state_known"),
        ),
        sa.CheckConstraint("source_id <> destination_id", name=op.f("ck_transfers_not_itself")),
        sa.ForeignKeyConstraint(
            ["destination_id"], ["locations.locations.id"], name=op.f("fk_transfers_destination_id")
        ),
        sa.ForeignKeyConstraint(["source_id"], ["locations.locations.id"], name=op.f("fk_transfers_source_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transfers")),
        sa.UniqueConstraint("number", name=op.f("uq_transfers_number")),
        schema="transfers",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("ix_transfers_created_at_id", "transfers", ["created_at", "id"], unique=False, schema="transfers")
    op.create_index(
        "ix_transfers_destination_id_created_at_id",
        "transfers",
        ["destination_id", "created_at", "id"],
        unique=False,
        schema="transfers",
    )
    op.create_index(
        "ix_transfers_source_id_created_at_id",
        "transfers",
        ["source_id", "created_at", "id"],
        unique=False,
        schema="transfers",
    )
    op.create_table(
        "components",
        sa.Column("bundle_id", sa.Uuid(), nullable=False),
        sa.Column("component_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("bundle_id <> component_id", name=op.f("ck_components_not_itself")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_components_quantity")),
        sa.ForeignKeyConstraint(["bundle_id"], ["catalog.variants.id"], name=op.f("fk_components_bundle_id")),
        sa.ForeignKeyConstraint(["component_id"], ["catalog.variants.id"], name=op.f("fk_components_component_id")),
        sa.PrimaryKeyConstraint("bundle_id", "component_id", name=op.f("pk_components")),
        schema="catalog",
    )
    op.create_index("ix_components_component_id", "components", ["component_id"], unique=False, schema="catalog")
    op.create_table(
        "lines",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=True),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expected", sa.BigInteger(), nullable=True),
        sa.Column("moved", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("variance", sa.BigInteger(), nullable=True),
        sa.Column("cost_amount", sa.BigInteger(), nullable=True),
        sa.Column("price_amount", sa.BigInteger(), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "resolution IN ('agrees', 'posted', 'zeroed', 'left')", name=op.f("ck_lines_resolution_known")
        ),
        sa.CheckConstraint("(counted IS NULL) = (counted_at IS NULL)", name=op.f("ck_lines_counted_when")),
        sa.CheckConstraint("NOT live OR resolution IS NULL", name=op.f("ck_lines_live_unresolved")),
        sa.CheckConstraint("round > 0 AND counted >= 0", name=op.f("ck_lines_counted")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_lines_location_id")),
        sa.ForeignKeyConstraint(["session_id"], ["counts.sessions.id"], name=op.f("fk_lines_session_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_lines_variant_id")),
        sa.PrimaryKeyConstraint("session_id", "variant_id", name=op.f("pk_lines")),
        schema="counts",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index(
        "uq_lines_location_id_variant_id",
        "lines",
        ["location_id", "variant_id"],
        unique=True,
        schema="counts",
        postgresql_where=sa.text("live"),
    )
    op.create_table(
        "steps",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("actor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["session_id"], ["counts.sessions.id"], name=op.f("fk_steps_session_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
        sa.UniqueConstraint("session_id", "version", name=op.f("uq_steps_session_id_version")),
        schema="counts",
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("dismissed_because", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("(closed_at IS NULL) = (state = 'open')", name=op.f("ck_tasks_closed")),
        sa.CheckConstraint("(dismissed_because IS NOT NULL) = (state = 'dismissed')", name=op.f("ck_tasks_dismissed")),
        sa.CheckConstraint("(session_id IS NOT NULL) = (state = 'counted')", name=op.f("ck_tasks_counted_in")),
        sa.CheckConstraint(
            "reason IN ('unknown_goods', 'short_pick', 'short_transfer')", name=op.f("ck_tasks_reason_known")
        ),
        sa.CheckConstraint("state IN ('open', 'counted', 'dismissed')", name=op.f("ck_tasks_state_known")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_tasks_quantity")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_tasks_location_id")),
        sa.ForeignKeyConstraint(["session_id"], ["counts.sessions.id"], name=op.f("fk_tasks_session_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_tasks_variant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
        schema="counts",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_tasks_location_id_state_opened_at",
        "tasks",
        ["location_id", "state", "opened_at"],
        unique=False,
        schema="counts",
    )
    op.create_index(
        "uq_tasks_location_id_variant_id",
        "tasks",
        ["location_id", "variant_id"],
        unique=True,
        schema="counts",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "adjustments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("delta", sa.Integer(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("request_note", sa.Text(), nullable=True),
        sa.Column("value", sa.BigInteger(), nullable=True),
        sa.Column("valued_by", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("requested_by", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_note", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(state = 'waiting') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL)",
            name=op.f("ck_adjustments_decided"),
        ),
        sa.CheckConstraint(
            "bucket IN ('available', 'quality_control', 'damaged')", name=op.f("ck_adjustments_bucket_known")
        ),
        sa.CheckConstraint(
            "reason IN ('damage', 'theft', 'lost', 'expired', 'sample', 'internal_use', 'write_off', 'found', 'count', 'correction')",
            name=op.f("ck_adjustments_reason_known"),
        ),
        sa.CheckConstraint("state IN ('waiting', 'booked', 'rejected')", name=op.f("ck_adjustments_state_known")),
        sa.CheckConstraint("valued_by IN ('cost', 'list')", name=op.f("ck_adjustments_valued_by_known")),
        sa.CheckConstraint("delta <> 0", name=op.f("ck_adjustments_delta")),
        sa.CheckConstraint("value >= 0 AND (value IS NULL) = (valued_by IS NULL)", name=op.f("ck_adjustments_value")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_adjustments_location_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_adjustments_variant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustments")),
        schema="stock",
    )
    op.create_index("ix_adjustments_location_id_id", "adjustments", ["location_id", "id"], unique=False, schema="stock")
    op.create_index(
        "ix_adjustments_waiting",
        "adjustments",
        ["location_id", "id"],
        unique=False,
        schema="stock",
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "cost_changes",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("posting_id", sa.Uuid(), nullable=False),
        sa.Column("average", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("average >= 0", name=op.f("ck_cost_changes_average")),
        sa.ForeignKeyConstraint(["posting_id"], ["stock.postings.id"], name=op.f("fk_cost_changes_posting_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_cost_changes_variant_id")),
        sa.PrimaryKeyConstraint("variant_id", "posting_id", name=op.f("pk_cost_changes")),
        schema="stock",
    )
    op.create_table(
        "expected",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("expected_on", sa.Date(), nullable=False),
        sa.Column("unit_cost", sa.BigInteger(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cancelled", sa.Integer(), server_default="0", nullable=False),
        sa.Column("promised", sa.Integer(), server_default="0", nullable=False),
        sa.Column("inspect", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('supply', 'transfer')", name=op.f("ck_expected_kind_known")),
        sa.CheckConstraint(
            "quantity > 0 AND received >= 0 AND cancelled >= 0 AND promised >= 0", name=op.f("ck_expected_quantities")
        ),
        sa.CheckConstraint("received + cancelled + promised <= quantity", name=op.f("ck_expected_promised")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_expected_location_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_expected_variant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_expected")),
        schema="stock",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index("ix_expected_document_id", "expected", ["document_id"], unique=False, schema="stock")
    op.create_index(
        "ix_expected_variant_id_location_id",
        "expected",
        ["variant_id", "location_id"],
        unique=False,
        schema="stock",
        postgresql_where=sa.text("received + cancelled < quantity"),
    )
    op.create_table(
        "safety_rules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("variant_id", sa.Uuid(), nullable=True),
        sa.Column("category_code", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("changed_by", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "num_nonnulls(variant_id, category_code) <= 1 AND num_nonnulls(location_id, variant_id, category_code) >= 1",
            name=op.f("ck_safety_rules_scope"),
        ),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_safety_rules_quantity")),
        sa.ForeignKeyConstraint(
            ["category_code"], ["catalog.categories.code"], name=op.f("fk_safety_rules_category_code")
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_safety_rules_location_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_safety_rules_variant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_safety_rules")),
        sa.UniqueConstraint(
            "location_id",
            "variant_id",
            "category_code",
            name=op.f("uq_safety_rules_location_id_variant_id_category_code"),
            postgresql_nulls_not_distinct=True,
        ),
        schema="stock",
    )
    op.create_index("ix_safety_rules_category_code", "safety_rules", ["category_code"], unique=False, schema="stock")
    op.create_index("ix_safety_rules_variant_id", "safety_rules", ["variant_id"], unique=False, schema="stock")
    op.create_table(
        "unit_moves",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("posting_id", sa.Uuid(), nullable=True),
        sa.Column("from_place", sa.Text(), nullable=True),
        sa.Column("from_location_id", sa.Uuid(), nullable=True),
        sa.Column("to_place", sa.Text(), nullable=False),
        sa.Column("to_location_id", sa.Uuid(), nullable=True),
        sa.Column("line_id", sa.Uuid(), nullable=True),
        sa.Column("picked_for", sa.Uuid(), nullable=True),
        sa.Column("actor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("n > 0", name=op.f("ck_unit_moves_n")),
        sa.ForeignKeyConstraint(
            ["from_location_id"], ["locations.locations.id"], name=op.f("fk_unit_moves_from_location_id")
        ),
        sa.ForeignKeyConstraint(["posting_id"], ["stock.postings.id"], name=op.f("fk_unit_moves_posting_id")),
        sa.ForeignKeyConstraint(
            ["to_location_id"], ["locations.locations.id"], name=op.f("fk_unit_moves_to_location_id")
        ),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_unit_moves_variant_id")),
        sa.PrimaryKeyConstraint("variant_id", "code", "n", name=op.f("pk_unit_moves")),
        schema="stock",
    )
    op.create_index(
        "ix_unit_moves_posting_id",
        "unit_moves",
        ["posting_id"],
        unique=False,
        schema="stock",
        postgresql_where=sa.text("posting_id IS NOT NULL"),
    )
    op.create_table(
        "units",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("line_id", sa.Uuid(), nullable=True),
        sa.Column("picked_for", sa.Uuid(), nullable=True),
        sa.Column("picked_line", sa.Uuid(), nullable=True),
        sa.Column("posting_id", sa.Uuid(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(location_id IS NULL) = (place IN ('supplier', 'customer', 'loss', 'conversion'))",
            name=op.f("ck_units_location"),
        ),
        sa.CheckConstraint(
            "(picked_for IS NULL) = (picked_line IS NULL) AND (picked_for IS NULL OR place = 'committed')",
            name=op.f("ck_units_picked"),
        ),
        sa.CheckConstraint("place <> 'customer' OR line_id IS NOT NULL", name=op.f("ck_units_left_with_a_line")),
        sa.CheckConstraint(
            "place IN ('available', 'committed', 'quality_control', 'damaged', 'supplier', 'customer', 'loss', 'conversion')",
            name=op.f("ck_units_place_known"),
        ),
        sa.CheckConstraint("length(code) BETWEEN 1 AND 200 AND version > 0", name=op.f("ck_units_code")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_units_location_id")),
        sa.ForeignKeyConstraint(["posting_id"], ["stock.postings.id"], name=op.f("fk_units_posting_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_units_variant_id")),
        sa.PrimaryKeyConstraint("variant_id", "code", name=op.f("pk_units")),
        schema="stock",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_units_line_id",
        "units",
        ["line_id"],
        unique=False,
        schema="stock",
        postgresql_where=sa.text("line_id IS NOT NULL"),
    )
    op.create_index(
        "ix_units_location_id_variant_id",
        "units",
        ["location_id", "variant_id"],
        unique=False,
        schema="stock",
        postgresql_where=sa.text("location_id IS NOT NULL"),
    )
    op.create_index(
        "ix_units_picked_for",
        "units",
        ["picked_for"],
        unique=False,
        schema="stock",
        postgresql_where=sa.text("picked_for IS NOT NULL"),
    )
    op.create_table(
        "lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("announcement_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_cost", sa.BigInteger(), nullable=True),
        sa.Column("received_unit_cost", sa.BigInteger(), nullable=True),
        sa.Column("received", sa.Integer(), server_default="0", nullable=False),
        sa.Column("quality_control", sa.Integer(), server_default="0", nullable=False),
        sa.Column("damaged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("over", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cancelled", sa.Integer(), server_default="0", nullable=False),
        sa.Column("short", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unannounced", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "quantity >= 0 AND received >= 0 AND quality_control >= 0 AND damaged >= 0 AND over >= 0 AND short >= 0 AND short <= cancelled AND received + cancelled <= quantity AND quality_control + damaged <= received + over",
            name=op.f("ck_lines_quantities"),
        ),
        sa.CheckConstraint("unannounced = (quantity = 0)", name=op.f("ck_lines_unannounced")),
        sa.ForeignKeyConstraint(
            ["announcement_id"], ["supply.announcements.id"], name=op.f("fk_lines_announcement_id")
        ),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_lines_variant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lines")),
        sa.UniqueConstraint("announcement_id", "n", name=op.f("uq_lines_announcement_id_n")),
        schema="supply",
    )
    op.create_table(
        "receipts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("announcement_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["announcement_id"], ["supply.announcements.id"], name=op.f("fk_receipts_announcement_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
        sa.UniqueConstraint("announcement_id", "version", name=op.f("uq_receipts_announcement_id_version")),
        schema="supply",
    )
    op.create_table(
        "steps",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("announcement_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("actor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["announcement_id"], ["supply.announcements.id"], name=op.f("fk_steps_announcement_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
        sa.UniqueConstraint("announcement_id", "version", name=op.f("uq_steps_announcement_id_version")),
        schema="supply",
    )
    op.create_table(
        "lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=True),
        sa.Column("order_line_id", sa.Uuid(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), server_default="0", nullable=False),
        sa.Column("freed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("dispatched", sa.Integer(), server_default="0", nullable=False),
        sa.Column("received", sa.Integer(), server_default="0", nullable=False),
        sa.Column("quality_control", sa.Integer(), server_default="0", nullable=False),
        sa.Column("damaged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("missing", sa.Integer(), server_default="0", nullable=False),
        sa.Column("surplus", sa.Integer(), server_default="0", nullable=False),
        sa.Column("short_reason", sa.Text(), nullable=True),
        sa.Column("discrepancy_reason", sa.Text(), nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "discrepancy_reason IN ('lost', 'stolen', 'damaged_on_the_way', 'not_sent', 'sent_too_many', 'wrong_goods', 'other')",
            name=op.f("ck_lines_discrepancy_reason_known"),
        ),
        sa.CheckConstraint(
            "short_reason IN ('out_of_stock', 'not_found', 'damaged', 'no_room', 'not_needed', 'other')",
            name=op.f("ck_lines_short_reason_known"),
        ),
        sa.CheckConstraint(
            "(missing = 0 AND surplus = 0) OR discrepancy_reason IS NOT NULL", name=op.f("ck_lines_explained")
        ),
        sa.CheckConstraint("(owner_id IS NULL) = (order_line_id IS NULL)", name=op.f("ck_lines_owner")),
        sa.CheckConstraint(
            "freed BETWEEN 0 AND dispatched AND (freed = 0 OR owner_id IS NOT NULL)", name=op.f("ck_lines_freed")
        ),
        sa.CheckConstraint(
            "quantity > 0 AND cancelled >= 0 AND dispatched >= 0 AND cancelled + dispatched <= quantity",
            name=op.f("ck_lines_quantity"),
        ),
        sa.CheckConstraint(
            "received >= 0 AND quality_control >= 0 AND damaged >= 0 AND missing >= 0 AND surplus >= 0 AND received::bigint + quality_control + damaged + missing <= dispatched",
            name=op.f("ck_lines_arrived"),
        ),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.transfers.id"], name=op.f("fk_lines_transfer_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_lines_variant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lines")),
        sa.UniqueConstraint("transfer_id", "n", name=op.f("uq_lines_transfer_id_n")),
        schema="transfers",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_lines_owner_id",
        "lines",
        ["owner_id"],
        unique=False,
        schema="transfers",
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("ix_lines_variant_id", "lines", ["variant_id"], unique=False, schema="transfers")
    op.create_table(
        "steps",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("transfer_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("actor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["transfer_id"], ["transfers.transfers.id"], name=op.f("fk_steps_transfer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
        sa.UniqueConstraint("transfer_id", "version", name=op.f("uq_steps_transfer_id_version")),
        schema="transfers",
    )
    op.create_table(
        "task_sources",
        sa.Column("task_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_task_sources_quantity")),
        sa.ForeignKeyConstraint(["task_id"], ["counts.tasks.id"], name=op.f("fk_task_sources_task_id")),
        sa.PrimaryKeyConstraint("task_id", "event_id", name=op.f("pk_task_sources")),
        schema="counts",
    )
    op.create_table(
        "choices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("fulfillment_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("units", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'open') = (answered_at IS NULL)", name=op.f("ck_choices_answered")),
        sa.CheckConstraint("state IN ('open', 'moved', 'cancelled')", name=op.f("ck_choices_state_known")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.orders.id"], name=op.f("fk_choices_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_choices")),
        schema="orders",
    )
    op.create_index("ix_choices_order_id", "choices", ["order_id"], unique=False, schema="orders")
    op.create_table(
        "receipt_lines",
        sa.Column("receipt_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("over", sa.Integer(), nullable=False),
        sa.Column("unit_cost", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "bucket IN ('available', 'quality_control', 'damaged')", name=op.f("ck_receipt_lines_bucket_known")
        ),
        sa.CheckConstraint("quantity > 0 AND over >= 0 AND over <= quantity", name=op.f("ck_receipt_lines_quantities")),
        sa.ForeignKeyConstraint(["line_id"], ["supply.lines.id"], name=op.f("fk_receipt_lines_line_id")),
        sa.ForeignKeyConstraint(["receipt_id"], ["supply.receipts.id"], name=op.f("fk_receipt_lines_receipt_id")),
        sa.PrimaryKeyConstraint("receipt_id", "n", name=op.f("pk_receipt_lines")),
        schema="supply",
    )
    op.create_index("ix_receipt_lines_line_id", "receipt_lines", ["line_id"], unique=False, schema="supply")
    op.add_column(
        "categories", sa.Column("version", sa.Integer(), server_default="1", nullable=False), schema="catalog"
    )
    op.add_column("variants", sa.Column("tracking", sa.Text(), nullable=True), schema="catalog")
    op.add_column("variants", sa.Column("when_out", sa.Text(), server_default="deny", nullable=False), schema="catalog")
    op.add_column("variants", sa.Column("preorder_until", sa.DateTime(timezone=True), nullable=True), schema="catalog")
    op.add_column(
        "variants", sa.Column("bundle", sa.Boolean(), server_default="false", nullable=False), schema="catalog"
    )
    op.add_column(
        "lines", sa.Column("passed_on", sa.Integer(), server_default="0", nullable=False), schema="fulfillment"
    )
    op.add_column(
        "lines", sa.Column("components", postgresql.JSONB(astext_type=sa.Text()), nullable=True), schema="fulfillment"
    )
    op.add_column(
        "locations", sa.Column("priority", sa.Integer(), server_default="0", nullable=False), schema="locations"
    )
    op.add_column("locations", sa.Column("daily_capacity", sa.Integer(), nullable=True), schema="locations")
    op.add_column(
        "locations", sa.Column("backlog_minutes", sa.Integer(), server_default="0", nullable=False), schema="locations"
    )
    op.add_column(
        "locations", sa.Column("busy_hours", postgresql.JSONB(astext_type=sa.Text()), nullable=True), schema="locations"
    )
    op.add_column(
        "lines", sa.Column("components", postgresql.JSONB(astext_type=sa.Text()), nullable=True), schema="orders"
    )
    op.add_column("movements", sa.Column("per_unit", sa.Integer(), server_default="1", nullable=False), schema="stock")
    op.create_index(
        "ix_movements_booked_early",
        "movements",
        ["occurred_at"],
        unique=False,
        schema="stock",
        postgresql_where=sa.text("occurred_at > recorded_at"),
    )
    op.create_index(
        "ix_movements_booked_late",
        "movements",
        ["recorded_at"],
        unique=False,
        schema="stock",
        postgresql_where=sa.text("recorded_at - occurred_at > interval '5 minutes'"),
    )
    op.create_index(
        "ix_movements_occurred_at", "movements", ["occurred_at"], unique=False, schema="stock", postgresql_using="brin"
    )
    op.create_index("ix_movements_recorded_at", "movements", ["recorded_at"], unique=False, schema="stock")
    op.add_column(
        "reservations", sa.Column("per_unit", sa.Integer(), server_default="1", nullable=False), schema="stock"
    )
    op.add_column("reservations", sa.Column("expected_id", sa.Uuid(), nullable=True), schema="stock")
    op.create_index(
        "ix_reservations_expected_id",
        "reservations",
        ["expected_id"],
        unique=False,
        schema="stock",
        postgresql_where=sa.text("bucket = 'promised' AND quantity_open > 0"),
    )
    op.create_foreign_key(
        op.f("fk_reservations_expected_id"),
        "reservations",
        "expected",
        ["expected_id"],
        ["id"],
        source_schema="stock",
        referent_schema="stock",
    )
    op.create_check_constraint(
        op.f("ck_variants_bundle_of_others"),
        "variants",
        "NOT bundle OR (tracking IS NULL AND quantity_unit IS NULL AND when_out = 'deny')",
        schema="catalog",
    )
    op.create_check_constraint(
        op.f("ck_variants_preorder_until"),
        "variants",
        "(when_out = 'preorder') = (preorder_until IS NOT NULL)",
        schema="catalog",
    )
    op.create_check_constraint(
        op.f("ck_variants_tracked_by_piece"), "variants", "tracking IS NULL OR quantity_unit IS NULL", schema="catalog"
    )
    op.create_check_constraint(
        op.f("ck_variants_tracking_known"), "variants", "tracking IN ('serial', 'marked')", schema="catalog"
    )
    op.create_check_constraint(
        op.f("ck_variants_when_out_known"),
        "variants",
        "when_out IN ('deny', 'backorder', 'preorder')",
        schema="catalog",
    )
    op.create_check_constraint(
        op.f("ck_fulfillments_state_known"),
        "fulfillments",
        "state IN ('scheduled', 'awaiting_transfer', 'open', 'accepted', 'picking', 'picked', 'packed', 'ready_for_pickup', 'collected', 'shipped', 'delivered', 'rejected', 'cancelled')",
        schema="fulfillment",
    )
    op.create_check_constraint(
        op.f("ck_lines_quantities"),
        "lines",
        "quantity > 0 AND picked >= 0 AND picked <= quantity AND handed_over >= 0 AND cancelled >= 0 AND passed_on >= 0 AND handed_over + cancelled + passed_on <= quantity",
        schema="fulfillment",
    )
    op.create_check_constraint(
        op.f("ck_locations_capacity"), "locations", "daily_capacity >= 0 AND backlog_minutes >= 0", schema="locations"
    )
    op.create_check_constraint(
        op.f("ck_locations_roles_known"),
        "locations",
        "roles <@ ARRAY['ships','pickup','accepts_returns','sells','receives']::text[]",
        schema="locations",
    )
    op.create_check_constraint(
        op.f("ck_movements_from_location"),
        "movements",
        "(from_location_id IS NULL) = (from_place IN ('supplier', 'customer', 'loss', 'conversion'))",
        schema="stock",
    )
    op.create_check_constraint(
        op.f("ck_movements_from_place_known"),
        "movements",
        "from_place IN ('available', 'reserved', 'committed', 'quality_control', 'damaged', 'in_transit', 'in_transit_committed', 'supplier', 'customer', 'loss', 'conversion')",
        schema="stock",
    )
    op.create_check_constraint(
        op.f("ck_movements_quantity"), "movements", "quantity > 0 AND per_unit > 0", schema="stock"
    )
    op.create_check_constraint(
        op.f("ck_movements_to_location"),
        "movements",
        "(to_location_id IS NULL) = (to_place IN ('supplier', 'customer', 'loss', 'conversion'))",
        schema="stock",
    )
    op.create_check_constraint(
        op.f("ck_movements_to_place_known"),
        "movements",
        "to_place IN ('available', 'reserved', 'committed', 'quality_control', 'damaged', 'in_transit', 'in_transit_committed', 'supplier', 'customer', 'loss', 'conversion')",
        schema="stock",
    )
    op.create_check_constraint(
        op.f("ck_reservations_bucket_known"),
        "reservations",
        "bucket IN ('reserved', 'committed', 'in_transit_committed', 'promised')",
        schema="stock",
    )
    op.create_check_constraint(
        op.f("ck_reservations_owner_kind_known"),
        "reservations",
        "owner_kind IN ('checkout', 'fulfillment', 'transfer')",
        schema="stock",
    )
    op.create_check_constraint(op.f("ck_reservations_per_unit"), "reservations", "per_unit > 0", schema="stock")
    op.create_check_constraint(
        op.f("ck_reservations_promised_of"),
        "reservations",
        "bucket <> 'promised' OR expected_id IS NOT NULL",
        schema="stock",
    )
    op.execute(
        "UPDATE locations.locations SET roles = array_append(roles, 'receives') WHERE NOT roles @> ARRAY['receives']"
    )


def downgrade() -> None:
    op.execute("UPDATE locations.locations SET roles = array_remove(roles, 'receives')")
    op.drop_constraint(op.f("ck_variants_bundle_of_others"), "variants", schema="catalog", type_="check")
    op.drop_constraint(op.f("ck_variants_preorder_until"), "variants", schema="catalog", type_="check")
    op.drop_constraint(op.f("ck_variants_tracked_by_piece"), "variants", schema="catalog", type_="check")
    op.drop_constraint(op.f("ck_variants_tracking_known"), "variants", schema="catalog", type_="check")
    op.drop_constraint(op.f("ck_variants_when_out_known"), "variants", schema="catalog", type_="check")
    op.drop_constraint(op.f("ck_fulfillments_state_known"), "fulfillments", schema="fulfillment", type_="check")
    op.drop_constraint(op.f("ck_lines_quantities"), "lines", schema="fulfillment", type_="check")
    op.drop_constraint(op.f("ck_locations_capacity"), "locations", schema="locations", type_="check")
    op.drop_constraint(op.f("ck_locations_roles_known"), "locations", schema="locations", type_="check")
    op.drop_constraint(op.f("ck_movements_from_location"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_movements_from_place_known"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_movements_quantity"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_movements_to_location"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_movements_to_place_known"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_reservations_bucket_known"), "reservations", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_reservations_owner_kind_known"), "reservations", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_reservations_per_unit"), "reservations", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_reservations_promised_of"), "reservations", schema="stock", type_="check")
    op.drop_constraint(op.f("fk_reservations_expected_id"), "reservations", schema="stock", type_="foreignkey")
    op.drop_index(
        "ix_reservations_expected_id",
        table_name="reservations",
        schema="stock",
        postgresql_where=sa.text("bucket = 'promised' AND quantity_open > 0"),
    )
    op.drop_column("reservations", "expected_id", schema="stock")
    op.drop_column("reservations", "per_unit", schema="stock")
    op.drop_index("ix_movements_recorded_at", table_name="movements", schema="stock")
    op.drop_index("ix_movements_occurred_at", table_name="movements", schema="stock", postgresql_using="brin")
    op.drop_index(
        "ix_movements_booked_late",
        table_name="movements",
        schema="stock",
        postgresql_where=sa.text("recorded_at - occurred_at > interval '5 minutes'"),
    )
    op.drop_index(
        "ix_movements_booked_early",
        table_name="movements",
        schema="stock",
        postgresql_where=sa.text("occurred_at > recorded_at"),
    )
    op.drop_column("movements", "per_unit", schema="stock")
    op.drop_column("lines", "components", schema="orders")
    op.drop_column("locations", "busy_hours", schema="locations")
    op.drop_column("locations", "backlog_minutes", schema="locations")
    op.drop_column("locations", "daily_capacity", schema="locations")
    op.drop_column("locations", "priority", schema="locations")
    op.drop_column("lines", "components", schema="fulfillment")
    op.drop_column("lines", "passed_on", schema="fulfillment")
    op.drop_column("variants", "bundle", schema="catalog")
    op.drop_column("variants", "preorder_until", schema="catalog")
    op.drop_column("variants", "when_out", schema="catalog")
    op.drop_column("variants", "tracking", schema="catalog")
    op.drop_column("categories", "version", schema="catalog")
    op.drop_index("ix_receipt_lines_line_id", table_name="receipt_lines", schema="supply")
    op.drop_table("receipt_lines", schema="supply")
    op.drop_index("ix_choices_order_id", table_name="choices", schema="orders")
    op.drop_table("choices", schema="orders")
    op.drop_table("task_sources", schema="counts")
    op.drop_table("steps", schema="transfers")
    op.drop_index("ix_lines_variant_id", table_name="lines", schema="transfers")
    op.drop_index(
        "ix_lines_owner_id", table_name="lines", schema="transfers", postgresql_where=sa.text("owner_id IS NOT NULL")
    )
    op.drop_table("lines", schema="transfers")
    op.drop_table("steps", schema="supply")
    op.drop_table("receipts", schema="supply")
    op.drop_table("lines", schema="supply")
    op.drop_index(
        "ix_units_picked_for", table_name="units", schema="stock", postgresql_where=sa.text("picked_for IS NOT NULL")
    )
    op.drop_index(
        "ix_units_location_id_variant_id",
        table_name="units",
        schema="stock",
        postgresql_where=sa.text("location_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_units_line_id", table_name="units", schema="stock", postgresql_where=sa.text("line_id IS NOT NULL")
    )
    op.drop_table("units", schema="stock")
    op.drop_index(
        "ix_unit_moves_posting_id",
        table_name="unit_moves",
        schema="stock",
        postgresql_where=sa.text("posting_id IS NOT NULL"),
    )
    op.drop_table("unit_moves", schema="stock")
    op.drop_index("ix_safety_rules_variant_id", table_name="safety_rules", schema="stock")
    op.drop_index("ix_safety_rules_category_code", table_name="safety_rules", schema="stock")
    op.drop_table("safety_rules", schema="stock")
    op.drop_index(
        "ix_expected_variant_id_location_id",
        table_name="expected",
        schema="stock",
        postgresql_where=sa.text("received + cancelled < quantity"),
    )
    op.drop_index("ix_expected_document_id", table_name="expected", schema="stock")
    op.drop_table("expected", schema="stock")
    op.drop_table("cost_changes", schema="stock")
    op.drop_index(
        "ix_adjustments_waiting",
        table_name="adjustments",
        schema="stock",
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index("ix_adjustments_location_id_id", table_name="adjustments", schema="stock")
    op.drop_table("adjustments", schema="stock")
    op.drop_index(
        "uq_tasks_location_id_variant_id",
        table_name="tasks",
        schema="counts",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.drop_index("ix_tasks_location_id_state_opened_at", table_name="tasks", schema="counts")
    op.drop_table("tasks", schema="counts")
    op.drop_table("steps", schema="counts")
    op.drop_index(
        "uq_lines_location_id_variant_id", table_name="lines", schema="counts", postgresql_where=sa.text("live")
    )
    op.drop_table("lines", schema="counts")
    op.drop_index("ix_components_component_id", table_name="components", schema="catalog")
    op.drop_table("components", schema="catalog")
    op.drop_index("ix_transfers_source_id_created_at_id", table_name="transfers", schema="transfers")
    op.drop_index("ix_transfers_destination_id_created_at_id", table_name="transfers", schema="transfers")
    op.drop_index("ix_transfers_created_at_id", table_name="transfers", schema="transfers")
    op.drop_table("transfers", schema="transfers")
    op.drop_index("ix_announcements_location_id_expected_on_id", table_name="announcements", schema="supply")
    op.drop_index("ix_announcements_expected_on_id", table_name="announcements", schema="supply")
    op.drop_index(
        "ix_announcements_due",
        table_name="announcements",
        schema="supply",
        postgresql_where=sa.text("closed_at IS NULL AND overdue_at IS NULL"),
    )
    op.drop_table("announcements", schema="supply")
    op.drop_table("links", schema="locations")
    op.drop_index("ix_sessions_location_id_opened_at", table_name="sessions", schema="counts")
    op.drop_table("sessions", schema="counts")
    op.drop_table("closing_levels", schema="stock")
    op.drop_table("suppliers", schema="supply")
    op.drop_table("safety_changes", schema="stock")
    op.drop_index(
        "uq_closings_unfinished", table_name="closings", schema="stock", postgresql_where=sa.text("made_at IS NULL")
    )
    op.drop_table("closings", schema="stock")
    op.drop_table("subscribers", schema="infra")
    op.drop_table("sourcing_rules", schema="fulfillment")
    op.drop_table("plans", schema="fulfillment")
    op.drop_table("delivery_methods", schema="fulfillment")
    op.drop_index("ix_entries_session_id_variant_id", table_name="entries", schema="counts")
    op.drop_table("entries", schema="counts")
    op.create_check_constraint(
        op.f("ck_fulfillments_state_known"),
        "fulfillments",
        "(state = ANY (ARRAY['scheduled'::text, 'open'::text, 'accepted'::text, 'picking'::text, 'picked'::text, 'packed'::text, 'ready_for_pickup'::text, 'collected'::text, 'shipped'::text, 'delivered'::text, 'rejected'::text, 'cancelled'::text]))",
        schema="fulfillment",
    )
    op.create_check_constraint(
        op.f("ck_lines_quantities"),
        "lines",
        "((quantity > 0) AND (picked >= 0) AND (picked <= quantity) AND (handed_over >= 0) AND (cancelled >= 0) AND ((handed_over + cancelled) <= quantity))",
        schema="fulfillment",
    )
    op.create_check_constraint(
        op.f("ck_locations_roles_known"),
        "locations",
        "(roles <@ ARRAY['ships'::text, 'pickup'::text, 'accepts_returns'::text, 'sells'::text])",
        schema="locations",
    )
    op.create_check_constraint(
        op.f("ck_movements_from_location"),
        "movements",
        "((from_location_id IS NULL) = (from_place = ANY (ARRAY['supplier'::text, 'customer'::text, 'loss'::text])))",
        schema="stock",
    )
    op.create_check_constraint(
        op.f("ck_movements_from_place_known"),
        "movements",
        "(from_place = ANY (ARRAY['available'::text, 'reserved'::text, 'committed'::text, 'quality_control'::text, 'damaged'::text, 'in_transit'::text, 'in_transit_committed'::text, 'supplier'::text, 'customer'::text, 'loss'::text]))",
        schema="stock",
    )
    op.create_check_constraint(op.f("ck_movements_quantity"), "movements", "(quantity > 0)", schema="stock")
    op.create_check_constraint(
        op.f("ck_movements_to_location"),
        "movements",
        "((to_location_id IS NULL) = (to_place = ANY (ARRAY['supplier'::text, 'customer'::text, 'loss'::text])))",
        schema="stock",
    )
    op.create_check_constraint(
        op.f("ck_movements_to_place_known"),
        "movements",
        "(to_place = ANY (ARRAY['available'::text, 'reserved'::text, 'committed'::text, 'quality_control'::text, 'damaged'::text, 'in_transit'::text, 'in_transit_committed'::text, 'supplier'::text, 'customer'::text, 'loss'::text]))",
        schema="stock",
    )
    op.create_check_constraint(
        op.f("ck_reservations_bucket_known"),
        "reservations",
        "(bucket = ANY (ARRAY['reserved'::text, 'committed'::text, 'in_transit_committed'::text]))",
        schema="stock",
    )
    op.create_check_constraint(
        op.f("ck_reservations_owner_kind_known"),
        "reservations",
        "(owner_kind = ANY (ARRAY['checkout'::text, 'fulfillment'::text]))",
        schema="stock",
    )
    for schema in reversed(SCHEMAS):
        op.execute(f"DROP SCHEMA {schema}")
