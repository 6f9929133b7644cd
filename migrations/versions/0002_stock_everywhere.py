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

SCHEMAS = ()


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(f"CREATE SCHEMA {schema}")
    op.drop_constraint(op.f("ck_fulfillments_state_known"), "fulfillments", schema="fulfillment", type_="check")
    op.drop_constraint(op.f("ck_locations_roles_known"), "locations", schema="locations", type_="check")
    op.drop_constraint(op.f("ck_movements_from_location"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_movements_from_place_known"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_movements_quantity"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_movements_to_location"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_movements_to_place_known"), "movements", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_reservations_bucket_known"), "reservations", schema="stock", type_="check")
    op.drop_constraint(op.f("ck_reservations_owner_kind_known"), "reservations", schema="stock", type_="check")
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
    op.add_column("variants", sa.Column("tracking", sa.Text(), nullable=True), schema="catalog")
    op.add_column("variants", sa.Column("when_out", sa.Text(), server_default="deny", nullable=False), schema="catalog")
    op.add_column("variants", sa.Column("preorder_until", sa.DateTime(timezone=True), nullable=True), schema="catalog")
    op.add_column(
        "variants", sa.Column("bundle", sa.Boolean(), server_default="false", nullable=False), schema="catalog"
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
        op.f("ck_variants_bundle_untracked"), "variants", "NOT bundle OR tracking IS NULL", schema="catalog"
    )
    op.create_check_constraint(
        op.f("ck_variants_preorder_until"),
        "variants",
        "(when_out = 'preorder') = (preorder_until IS NOT NULL)",
        schema="catalog",
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
    op.drop_constraint(op.f("ck_variants_bundle_untracked"), "variants", schema="catalog", type_="check")
    op.drop_constraint(op.f("ck_variants_preorder_until"), "variants", schema="catalog", type_="check")
    op.drop_constraint(op.f("ck_variants_tracking_known"), "variants", schema="catalog", type_="check")
    op.drop_constraint(op.f("ck_variants_when_out_known"), "variants", schema="catalog", type_="check")
    op.drop_constraint(op.f("ck_fulfillments_state_known"), "fulfillments", schema="fulfillment", type_="check")
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
    op.drop_column("movements", "per_unit", schema="stock")
    op.drop_column("lines", "components", schema="orders")
    op.drop_column("locations", "busy_hours", schema="locations")
    op.drop_column("locations", "backlog_minutes", schema="locations")
    op.drop_column("locations", "daily_capacity", schema="locations")
    op.drop_column("locations", "priority", schema="locations")
    op.drop_column("lines", "components", schema="fulfillment")
    op.drop_column("variants", "bundle", schema="catalog")
    op.drop_column("variants", "preorder_until", schema="catalog")
    op.drop_column("variants", "when_out", schema="catalog")
    op.drop_column("variants", "tracking", schema="catalog")
    op.drop_index(
        "ix_expected_variant_id_location_id",
        table_name="expected",
        schema="stock",
        postgresql_where=sa.text("received + cancelled < quantity"),
    )
    op.drop_index("ix_expected_document_id", table_name="expected", schema="stock")
    op.drop_table("expected", schema="stock")
    op.drop_index("ix_components_component_id", table_name="components", schema="catalog")
    op.drop_table("components", schema="catalog")
    op.drop_table("links", schema="locations")
    op.create_check_constraint(
        op.f("ck_fulfillments_state_known"),
        "fulfillments",
        "(state = ANY (ARRAY['scheduled'::text, 'open'::text, 'accepted'::text, 'picking'::text, 'picked'::text, 'packed'::text, 'ready_for_pickup'::text, 'collected'::text, 'shipped'::text, 'delivered'::text, 'rejected'::text, 'cancelled'::text]))",
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
