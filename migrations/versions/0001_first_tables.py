"""first tables

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMAS = (
    "auth",
    "carts",
    "catalog",
    "customers",
    "fulfillment",
    "infra",
    "locations",
    "orders",
    "payments",
    "prices",
    "returns",
    "stock",
)


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(f"CREATE SCHEMA {schema}")
    op.create_table(
        "attempts",
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("failures > 0", name=op.f("ck_attempts_failures_positive")),
        sa.PrimaryKeyConstraint("identity", name=op.f("pk_attempts")),
        schema="auth",
    )
    op.create_index("ix_attempts_first_at", "attempts", ["first_at"], unique=False, schema="auth")
    op.create_table(
        "channels",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_channels")),
        schema="auth",
    )
    op.create_table(
        "principals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('shopper', 'staff', 'device', 'client')", name=op.f("ck_principals_kind_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_principals")),
        schema="auth",
    )
    op.create_table(
        "categories",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("path", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["parent_id"], ["catalog.categories.id"], name=op.f("fk_categories_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_categories")),
        sa.UniqueConstraint("code", name=op.f("uq_categories_code")),
        schema="catalog",
    )
    op.create_index(
        "ix_categories_path", "categories", ["path"], unique=False, schema="catalog", postgresql_using="gin"
    )
    op.create_table(
        "return_policies",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("change_of_mind_days", sa.Integer(), nullable=True),
        sa.Column("defect_days", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_return_policies")),
        schema="catalog",
    )
    op.create_table(
        "tax_classes",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_tax_classes")),
        schema="catalog",
    )
    op.create_table(
        "audit_records",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("device", sa.Uuid(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("on_behalf_of", sa.Uuid(), nullable=True),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("target_id", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_records")),
        schema="infra",
    )
    op.create_index(
        "ix_audit_records_target", "audit_records", ["target", "target_id", "occurred_at"], unique=False, schema="infra"
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("principal", sa.Uuid(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("principal", "operation", "key", name=op.f("pk_idempotency_keys")),
        schema="infra",
        postgresql_with={"fillfactor": "60"},
    )
    op.create_index("ix_idempotency_keys_claimed_at", "idempotency_keys", ["claimed_at"], unique=False, schema="infra")
    op.create_table(
        "long_work",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("done >= 0", name=op.f("ck_long_work_done_not_negative")),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_long_work")),
        schema="infra",
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("aggregate", sa.Text(), nullable=False),
        sa.Column("aggregate_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("published_no", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint(
            "aggregate", "aggregate_id", "version", "type", name=op.f("uq_outbox_aggregate_aggregate_id_version_type")
        ),
        schema="infra",
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["recorded_at"],
        unique=False,
        schema="infra",
        postgresql_where=sa.text("published_no IS NULL"),
    )
    op.create_index(
        "uq_outbox_published_no",
        "outbox",
        ["published_no"],
        unique=True,
        schema="infra",
        postgresql_where=sa.text("published_no IS NOT NULL"),
    )
    op.create_table(
        "legal_entities",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("tax_id", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('own', 'franchise')", name=op.f("ck_legal_entities_kind_known")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_legal_entities")),
        schema="locations",
    )
    op.create_table(
        "postings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cause_kind", sa.Text(), nullable=False),
        sa.Column("cause_id", sa.Uuid(), nullable=False),
        sa.Column("actor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_postings")),
        sa.UniqueConstraint("cause_kind", "cause_id", name=op.f("uq_postings_cause_kind_cause_id")),
        schema="stock",
    )
    op.create_table(
        "clients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["channel"], ["auth.channels.code"], name=op.f("fk_clients_channel")),
        sa.ForeignKeyConstraint(["id"], ["auth.principals.id"], name=op.f("fk_clients_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clients")),
        sa.UniqueConstraint("code", name=op.f("uq_clients_code")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_clients_key_hash")),
        schema="auth",
    )
    op.create_table(
        "devices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('till', 'kiosk')", name=op.f("ck_devices_kind_known")),
        sa.ForeignKeyConstraint(["channel"], ["auth.channels.code"], name=op.f("fk_devices_channel")),
        sa.ForeignKeyConstraint(["id"], ["auth.principals.id"], name=op.f("fk_devices_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_devices")),
        sa.UniqueConstraint("code", name=op.f("uq_devices_code")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_devices_key_hash")),
        schema="auth",
    )
    op.create_table(
        "passwords",
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["principal_id"], ["auth.principals.id"], name=op.f("fk_passwords_principal_id")),
        sa.PrimaryKeyConstraint("principal_id", name=op.f("pk_passwords")),
        schema="auth",
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("device_name", sa.Text(), nullable=True),
        sa.Column("refresh_no", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["channel"], ["auth.channels.code"], name=op.f("fk_sessions_channel")),
        sa.ForeignKeyConstraint(["principal_id"], ["auth.principals.id"], name=op.f("fk_sessions_principal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        schema="auth",
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], unique=False, schema="auth")
    op.create_index("ix_sessions_principal_id", "sessions", ["principal_id"], unique=False, schema="auth")
    op.create_index("ix_sessions_revoked_at", "sessions", ["revoked_at"], unique=False, schema="auth")
    op.create_table(
        "staff",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["auth.principals.id"], name=op.f("fk_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("login", name=op.f("uq_staff_login")),
        schema="auth",
    )
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("brand", sa.Text(), nullable=True),
        sa.Column("title", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("description", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("category_id", sa.Uuid(), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("media", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.Column("search", postgresql.TSVECTOR(), nullable=True),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["category_id"], ["catalog.categories.id"], name=op.f("fk_products_category_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_products")),
        sa.UniqueConstraint("slug", name=op.f("uq_products_slug")),
        schema="catalog",
    )
    op.create_index("ix_products_category_id_id", "products", ["category_id", "id"], unique=False, schema="catalog")
    op.create_index(
        "ix_products_search", "products", ["search"], unique=False, schema="catalog", postgresql_using="gin"
    )
    op.create_table(
        "profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("language IN ('ru', 'en')", name=op.f("ck_profiles_language_known")),
        sa.CheckConstraint("merged_into <> id", name=op.f("ck_profiles_not_into_itself")),
        sa.ForeignKeyConstraint(["id"], ["auth.principals.id"], name=op.f("fk_profiles_id")),
        sa.ForeignKeyConstraint(["merged_into"], ["customers.profiles.id"], name=op.f("fk_profiles_merged_into")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profiles")),
        schema="customers",
    )
    op.create_index("ix_profiles_merged_into", "profiles", ["merged_into"], unique=False, schema="customers")
    op.create_table(
        "deliveries",
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("subscriber", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["infra.outbox.id"], name=op.f("fk_deliveries_event_id")),
        sa.PrimaryKeyConstraint("event_id", "subscriber", name=op.f("pk_deliveries")),
        schema="infra",
    )
    op.create_index(
        "ix_deliveries_open",
        "deliveries",
        ["sent_at"],
        unique=False,
        schema="infra",
        postgresql_where=sa.text("delivered_at IS NULL"),
    )
    op.create_table(
        "locations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("legal_entity", sa.Text(), nullable=False),
        sa.Column("roles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tax_zone", sa.Text(), nullable=False),
        sa.Column("latitude_e6", sa.Integer(), nullable=False),
        sa.Column("longitude_e6", sa.Integer(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("hours", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("pickup_hours", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("exceptions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("preparation_minutes", sa.Integer(), server_default="60", nullable=False),
        sa.Column("cut_off", sa.Text(), nullable=True),
        sa.Column("kept_days", sa.Integer(), server_default="5", nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_reason", sa.Text(), nullable=True),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "roles <@ ARRAY['ships','pickup','accepts_returns','sells']::text[]", name=op.f("ck_locations_roles_known")
        ),
        sa.CheckConstraint(
            "latitude_e6 BETWEEN -90000000 AND 90000000 AND longitude_e6 BETWEEN -180000000 AND 180000000",
            name=op.f("ck_locations_coordinates"),
        ),
        sa.CheckConstraint("preparation_minutes >= 0 AND kept_days > 0", name=op.f("ck_locations_durations")),
        sa.ForeignKeyConstraint(
            ["legal_entity"], ["locations.legal_entities.code"], name=op.f("fk_locations_legal_entity")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_locations")),
        sa.UniqueConstraint("code", name=op.f("uq_locations_code")),
        schema="locations",
    )
    op.create_table(
        "tax_rates",
        sa.Column("tax_class", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("basis_points", sa.Integer(), nullable=False),
        sa.CheckConstraint("basis_points BETWEEN 0 AND 10000", name=op.f("ck_tax_rates_basis_points")),
        sa.ForeignKeyConstraint(["tax_class"], ["catalog.tax_classes.code"], name=op.f("fk_tax_rates_tax_class")),
        sa.PrimaryKeyConstraint("tax_class", "zone", "valid_from", name=op.f("pk_tax_rates")),
        schema="prices",
    )
    op.create_table(
        "staff_roles",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "role IN ('associate', 'store_manager', 'call_center', 'back_office', 'admin')",
            name=op.f("ck_staff_roles_role_known"),
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["auth.staff.id"], name=op.f("fk_staff_roles_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", "role", "location", name=op.f("pk_staff_roles")),
        schema="auth",
    )
    op.create_table(
        "carts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shopper_id", sa.Uuid(), nullable=True),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('open', 'ordered', 'merged', 'expired')", name=op.f("ck_carts_state_known")),
        sa.CheckConstraint("(shopper_id IS NULL) <> (device_id IS NULL)", name=op.f("ck_carts_one_owner")),
        sa.ForeignKeyConstraint(["device_id"], ["auth.devices.id"], name=op.f("fk_carts_device_id")),
        sa.ForeignKeyConstraint(["merged_into"], ["carts.carts.id"], name=op.f("fk_carts_merged_into")),
        sa.ForeignKeyConstraint(["shopper_id"], ["auth.principals.id"], name=op.f("fk_carts_shopper_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carts")),
        schema="carts",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_carts_shopper_id_created_at", "carts", ["shopper_id", "created_at"], unique=False, schema="carts"
    )
    op.create_index(
        "uq_carts_shopper_id",
        "carts",
        ["shopper_id"],
        unique=True,
        schema="carts",
        postgresql_where=sa.text("state = 'open' AND device_id IS NULL"),
    )
    op.create_table(
        "variants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("option_texts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("weight_grams", sa.Integer(), nullable=True),
        sa.Column("length_mm", sa.Integer(), nullable=True),
        sa.Column("width_mm", sa.Integer(), nullable=True),
        sa.Column("height_mm", sa.Integer(), nullable=True),
        sa.Column("tax_class", sa.Text(), nullable=False),
        sa.Column("return_policy", sa.Text(), nullable=False),
        sa.Column("sellable_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sellable_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stop_sale_reason", sa.Text(), nullable=True),
        sa.Column("stop_sale_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("maximum_per_order", sa.Integer(), nullable=True),
        sa.Column("quantity_unit", sa.Text(), nullable=True),
        sa.Column("quantity_scale", sa.Integer(), server_default="0", nullable=False),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("maximum_per_order > 0", name=op.f("ck_variants_maximum_per_order")),
        sa.CheckConstraint(
            "quantity_scale BETWEEN 0 AND 6 AND (quantity_unit IS NOT NULL OR quantity_scale = 0)",
            name=op.f("ck_variants_quantity_scale"),
        ),
        sa.CheckConstraint(
            "weight_grams >= 0 AND length_mm >= 0 AND width_mm >= 0 AND height_mm >= 0",
            name=op.f("ck_variants_measures"),
        ),
        sa.ForeignKeyConstraint(["product_id"], ["catalog.products.id"], name=op.f("fk_variants_product_id")),
        sa.ForeignKeyConstraint(
            ["return_policy"], ["catalog.return_policies.code"], name=op.f("fk_variants_return_policy")
        ),
        sa.ForeignKeyConstraint(["tax_class"], ["catalog.tax_classes.code"], name=op.f("fk_variants_tax_class")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_variants")),
        sa.UniqueConstraint("sku", name=op.f("uq_variants_sku")),
        schema="catalog",
    )
    op.create_index(
        "ix_variants_product_id_position", "variants", ["product_id", "position"], unique=False, schema="catalog"
    )
    op.create_table(
        "identifiers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('email', 'phone', 'loyalty_card', 'external')", name=op.f("ck_identifiers_kind_known")
        ),
        sa.ForeignKeyConstraint(["profile_id"], ["customers.profiles.id"], name=op.f("fk_identifiers_profile_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identifiers")),
        sa.UniqueConstraint("kind", "value", name=op.f("uq_identifiers_kind_value")),
        schema="customers",
    )
    op.create_index("ix_identifiers_profile_id", "identifiers", ["profile_id"], unique=False, schema="customers")
    op.create_table(
        "fulfillments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at_risk", sa.Boolean(), nullable=False),
        sa.Column("promised_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("promised_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pickup_by", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column("code_counter", sa.Integer(), server_default="0", nullable=False),
        sa.Column("code_attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("replaces", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('pickup', 'pickup_point', 'shipping', 'local_delivery', 'carry_out')",
            name=op.f("ck_fulfillments_kind_known"),
        ),
        sa.CheckConstraint(
            "state IN ('scheduled', 'open', 'accepted', 'picking', 'picked', 'packed', 'ready_for_pickup', 'collected', 'shipped', 'delivered', 'rejected', 'cancelled')",
            name=op.f("ck_fulfillments_state_known"),
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_fulfillments_location_id")),
        sa.ForeignKeyConstraint(["replaces"], ["fulfillment.fulfillments.id"], name=op.f("fk_fulfillments_replaces")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fulfillments")),
        sa.UniqueConstraint("number", name=op.f("uq_fulfillments_number")),
        schema="fulfillment",
    )
    op.create_index(
        "ix_fulfillments_location_id_state_created_at",
        "fulfillments",
        ["location_id", "state", "created_at"],
        unique=False,
        schema="fulfillment",
    )
    op.create_index("ix_fulfillments_order_id", "fulfillments", ["order_id"], unique=False, schema="fulfillment")
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("tender", sa.Text(), nullable=False),
        sa.Column("authorized", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refunded", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("taken_by", sa.Uuid(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("tender IN ('cash', 'card_terminal')", name=op.f("ck_payments_tender_known")),
        sa.CheckConstraint(
            "refunded >= 0 AND refunded <= captured AND captured <= authorized AND authorized > 0",
            name=op.f("ck_payments_money"),
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_payments_location_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        schema="payments",
    )
    op.create_index("ix_payments_order_id", "payments", ["order_id"], unique=False, schema="payments")
    op.create_table(
        "registers",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("last_number", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_registers_location_id")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_registers")),
        schema="payments",
    )
    op.create_table(
        "lines",
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price_seen", sa.BigInteger(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("added_channel", sa.Text(), nullable=False),
        sa.Column("added_device", sa.Uuid(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_lines_quantity")),
        sa.ForeignKeyConstraint(["cart_id"], ["carts.carts.id"], name=op.f("fk_lines_cart_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_lines_variant_id")),
        sa.PrimaryKeyConstraint("cart_id", "variant_id", name=op.f("pk_lines")),
        schema="carts",
    )
    op.create_table(
        "barcodes",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "kind IN ('gtin8', 'gtin12', 'gtin13', 'gtin14', 'internal')", name=op.f("ck_barcodes_kind_known")
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_barcodes_quantity")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_barcodes_variant_id")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_barcodes")),
        schema="catalog",
    )
    op.create_index("ix_barcodes_variant_id", "barcodes", ["variant_id"], unique=False, schema="catalog")
    op.create_table(
        "lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fulfillment_id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("picked", sa.Integer(), server_default="0", nullable=False),
        sa.Column("handed_over", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cancelled", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "quantity > 0 AND picked >= 0 AND picked <= quantity AND handed_over >= 0 AND cancelled >= 0 AND handed_over + cancelled <= quantity",
            name=op.f("ck_lines_quantities"),
        ),
        sa.ForeignKeyConstraint(
            ["fulfillment_id"], ["fulfillment.fulfillments.id"], name=op.f("fk_lines_fulfillment_id")
        ),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_lines_variant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lines")),
        schema="fulfillment",
    )
    op.create_index("ix_lines_fulfillment_id", "lines", ["fulfillment_id"], unique=False, schema="fulfillment")
    op.create_index("ix_lines_order_line_id", "lines", ["order_line_id"], unique=False, schema="fulfillment")
    op.create_table(
        "promises",
        sa.Column("fulfillment_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("promised_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("promised_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["fulfillment_id"], ["fulfillment.fulfillments.id"], name=op.f("fk_promises_fulfillment_id")
        ),
        sa.PrimaryKeyConstraint("fulfillment_id", "n", name=op.f("pk_promises")),
        schema="fulfillment",
    )
    op.create_table(
        "steps",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fulfillment_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("actor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["fulfillment_id"], ["fulfillment.fulfillments.id"], name=op.f("fk_steps_fulfillment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_steps")),
        sa.UniqueConstraint("fulfillment_id", "version", name=op.f("uq_steps_fulfillment_id_version")),
        schema="fulfillment",
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("cart_id", sa.Uuid(), nullable=True),
        sa.Column("client_sale_id", sa.Uuid(), nullable=True),
        sa.Column("device_sequence", sa.BigInteger(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("associate_id", sa.Uuid(), nullable=True),
        sa.Column("sales_credit_id", sa.Uuid(), nullable=True),
        sa.Column("bought_location_id", sa.Uuid(), nullable=True),
        sa.Column("sold", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("subtotal", sa.BigInteger(), nullable=False),
        sa.Column("adjustment_total", sa.BigInteger(), nullable=False),
        sa.Column("charge_total", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("tax_total", sa.BigInteger(), nullable=False),
        sa.Column("contact", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("recipient", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("external_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancel_reason", sa.Text(), nullable=True),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "kind IN ('standard', 'till_sale', 'reservation', 'exchange', 'replacement')",
            name=op.f("ck_orders_kind_known"),
        ),
        sa.CheckConstraint("language IN ('ru', 'en')", name=op.f("ck_orders_language_known")),
        sa.CheckConstraint("sold IN ('distance', 'on_premises')", name=op.f("ck_orders_sold_known")),
        sa.CheckConstraint(
            "state IN ('awaiting_payment', 'placed', 'completed', 'cancelled')", name=op.f("ck_orders_state_known")
        ),
        sa.CheckConstraint(
            "total = subtotal + adjustment_total + charge_total AND total >= 0", name=op.f("ck_orders_total")
        ),
        sa.ForeignKeyConstraint(
            ["bought_location_id"], ["locations.locations.id"], name=op.f("fk_orders_bought_location_id")
        ),
        sa.ForeignKeyConstraint(["cart_id"], ["carts.carts.id"], name=op.f("fk_orders_cart_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["auth.principals.id"], name=op.f("fk_orders_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("cart_id", name=op.f("uq_orders_cart_id")),
        sa.UniqueConstraint("client_sale_id", name=op.f("uq_orders_client_sale_id")),
        sa.UniqueConstraint("number", name=op.f("uq_orders_number")),
        schema="orders",
    )
    op.create_index(
        "ix_orders_customer_id_placed_at_id",
        "orders",
        ["customer_id", "placed_at", "id"],
        unique=False,
        schema="orders",
    )
    op.create_index("ix_orders_placed_at", "orders", ["placed_at"], unique=False, schema="orders")
    op.create_table(
        "receipts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("return_id", sa.Uuid(), nullable=True),
        sa.Column("legal_entity", sa.Text(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("business_date", sa.Date(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tenders", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fiscal", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "kind IN ('sale', 'prepayment', 'settlement', 'refund', 'correction')", name=op.f("ck_receipts_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["legal_entity"], ["locations.legal_entities.code"], name=op.f("fk_receipts_legal_entity")
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_receipts_location_id")),
        sa.ForeignKeyConstraint(["register"], ["payments.registers.code"], name=op.f("fk_receipts_register")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
        sa.UniqueConstraint("register", "number", name=op.f("uq_receipts_register_number")),
        schema="payments",
    )
    op.create_index("ix_receipts_order_id", "receipts", ["order_id"], unique=False, schema="payments")
    op.create_index("ix_receipts_return_id", "receipts", ["return_id"], unique=False, schema="payments")
    op.create_table(
        "refunds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("return_id", sa.Uuid(), nullable=True),
        sa.Column("payment_id", sa.Uuid(), nullable=True),
        sa.Column("tender", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("given_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('pending', 'succeeded', 'failed')", name=op.f("ck_refunds_state_known")),
        sa.CheckConstraint("tender IN ('cash', 'card_terminal')", name=op.f("ck_refunds_tender_known")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_amount")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_refunds_location_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.payments.id"], name=op.f("fk_refunds_payment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds")),
        schema="payments",
    )
    op.create_index("ix_refunds_order_id", "refunds", ["order_id"], unique=False, schema="payments")
    op.create_table(
        "prices",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("amount >= 0", name=op.f("ck_prices_amount")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_prices_variant_id")),
        sa.PrimaryKeyConstraint("variant_id", "valid_from", name=op.f("pk_prices")),
        schema="prices",
    )
    op.create_table(
        "costs",
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("average", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("average >= 0", name=op.f("ck_costs_average")),
        sa.CheckConstraint("received >= 0", name=op.f("ck_costs_received")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_costs_variant_id")),
        sa.PrimaryKeyConstraint("variant_id", name=op.f("pk_costs")),
        schema="stock",
    )
    op.create_table(
        "levels",
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("available", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reserved", sa.Integer(), server_default="0", nullable=False),
        sa.Column("committed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("quality_control", sa.Integer(), server_default="0", nullable=False),
        sa.Column("damaged", sa.Integer(), server_default="0", nullable=False),
        sa.Column("in_transit", sa.Integer(), server_default="0", nullable=False),
        sa.Column("in_transit_committed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("safety_stock", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint("available >= 0", name=op.f("ck_levels_available")),
        sa.CheckConstraint("committed >= 0", name=op.f("ck_levels_committed")),
        sa.CheckConstraint("damaged >= 0", name=op.f("ck_levels_damaged")),
        sa.CheckConstraint("in_transit >= 0", name=op.f("ck_levels_in_transit")),
        sa.CheckConstraint("in_transit_committed >= 0", name=op.f("ck_levels_in_transit_committed")),
        sa.CheckConstraint("quality_control >= 0", name=op.f("ck_levels_quality_control")),
        sa.CheckConstraint("reserved >= 0", name=op.f("ck_levels_reserved")),
        sa.CheckConstraint("safety_stock >= 0", name=op.f("ck_levels_safety_stock")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_levels_location_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_levels_variant_id")),
        sa.PrimaryKeyConstraint("location_id", "variant_id", name=op.f("pk_levels")),
        schema="stock",
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("ix_levels_variant_id", "levels", ["variant_id"], unique=False, schema="stock")
    op.create_table(
        "movements",
        sa.Column("posting_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("from_place", sa.Text(), nullable=False),
        sa.Column("from_location_id", sa.Uuid(), nullable=True),
        sa.Column("to_place", sa.Text(), nullable=False),
        sa.Column("to_location_id", sa.Uuid(), nullable=True),
        sa.Column("unit_cost", sa.BigInteger(), nullable=True),
        sa.Column("line_id", sa.Uuid(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint(
            "(from_location_id IS NULL) = (from_place IN ('supplier', 'customer', 'loss'))",
            name=op.f("ck_movements_from_location"),
        ),
        sa.CheckConstraint(
            "(to_location_id IS NULL) = (to_place IN ('supplier', 'customer', 'loss'))",
            name=op.f("ck_movements_to_location"),
        ),
        sa.CheckConstraint(
            "from_place IN ('available', 'reserved', 'committed', 'quality_control', 'damaged', 'in_transit', 'in_transit_committed', 'supplier', 'customer', 'loss')",
            name=op.f("ck_movements_from_place_known"),
        ),
        sa.CheckConstraint(
            "to_place IN ('available', 'reserved', 'committed', 'quality_control', 'damaged', 'in_transit', 'in_transit_committed', 'supplier', 'customer', 'loss')",
            name=op.f("ck_movements_to_place_known"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_movements_quantity")),
        sa.ForeignKeyConstraint(
            ["from_location_id"], ["locations.locations.id"], name=op.f("fk_movements_from_location_id")
        ),
        sa.ForeignKeyConstraint(["posting_id"], ["stock.postings.id"], name=op.f("fk_movements_posting_id")),
        sa.ForeignKeyConstraint(
            ["to_location_id"], ["locations.locations.id"], name=op.f("fk_movements_to_location_id")
        ),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_movements_variant_id")),
        sa.PrimaryKeyConstraint("posting_id", "n", name=op.f("pk_movements")),
        schema="stock",
    )
    op.create_index(
        "ix_movements_variant_id_occurred_at", "movements", ["variant_id", "occurred_at"], unique=False, schema="stock"
    )
    op.create_table(
        "reservations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_kind", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("quantity_open", sa.Integer(), nullable=False),
        sa.Column("quantity_lost", sa.Integer(), server_default="0", nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(quantity_open > 0) = (state IN ('reserved', 'committed'))", name=op.f("ck_reservations_open_while_live")
        ),
        sa.CheckConstraint(
            "bucket IN ('reserved', 'committed', 'in_transit_committed')", name=op.f("ck_reservations_bucket_known")
        ),
        sa.CheckConstraint("owner_kind IN ('checkout', 'fulfillment')", name=op.f("ck_reservations_owner_kind_known")),
        sa.CheckConstraint(
            "quantity_lost > 0 OR state NOT IN ('short', 'expired')", name=op.f("ck_reservations_lost_when_gone")
        ),
        sa.CheckConstraint(
            "state IN ('reserved', 'committed', 'fulfilled', 'released', 'expired', 'short')",
            name=op.f("ck_reservations_state_known"),
        ),
        sa.CheckConstraint(
            "quantity > 0 AND quantity_open >= 0 AND quantity_lost >= 0 AND quantity_open + quantity_lost <= quantity",
            name=op.f("ck_reservations_quantity"),
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_reservations_location_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_reservations_variant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reservations")),
        schema="stock",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_reservations_expires_at",
        "reservations",
        ["expires_at"],
        unique=False,
        schema="stock",
        postgresql_where=sa.text("state = 'reserved'"),
    )
    op.create_index(
        "ix_reservations_location_id_variant_id",
        "reservations",
        ["location_id", "variant_id"],
        unique=False,
        schema="stock",
        postgresql_where=sa.text("quantity_open > 0"),
    )
    op.create_index(
        "ix_reservations_owner_kind_owner_id", "reservations", ["owner_kind", "owner_id"], unique=False, schema="stock"
    )
    op.create_table(
        "charges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("tax_basis_points", sa.Integer(), nullable=False),
        sa.Column("refunded", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "kind IN ('delivery', 'service', 'gift_wrap', 'deposit', 'restocking', 'no_show', 'cash_rounding')",
            name=op.f("ck_charges_kind_known"),
        ),
        sa.CheckConstraint("net + tax = amount", name=op.f("ck_charges_amount")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.orders.id"], name=op.f("fk_charges_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charges")),
        schema="orders",
    )
    op.create_index("ix_charges_order_id", "charges", ["order_id"], unique=False, schema="orders")
    op.create_table(
        "entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("actor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.orders.id"], name=op.f("fk_entries_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entries")),
        sa.UniqueConstraint("order_id", "version", name=op.f("uq_entries_order_id_version")),
        schema="orders",
    )
    op.create_table(
        "external_ids",
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.orders.id"], name=op.f("fk_external_ids_order_id")),
        sa.PrimaryKeyConstraint("system", "value", name=op.f("pk_external_ids")),
        schema="orders",
    )
    op.create_index("ix_external_ids_order_id", "external_ids", ["order_id"], unique=False, schema="orders")
    op.create_table(
        "lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("title", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("option_texts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("quantity_unit", sa.Text(), nullable=True),
        sa.Column("quantity_scale", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("price_valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subtotal", sa.BigInteger(), nullable=False),
        sa.Column("adjustment_total", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("tax_class", sa.Text(), nullable=False),
        sa.Column("tax_basis_points", sa.Integer(), nullable=False),
        sa.Column("unit_cost", sa.BigInteger(), nullable=True),
        sa.Column("return_policy", sa.Text(), nullable=False),
        sa.Column("bought_location_id", sa.Uuid(), nullable=True),
        sa.Column("fulfilled_location_id", sa.Uuid(), nullable=True),
        sa.Column("handed_over", sa.Integer(), server_default="0", nullable=False),
        sa.Column("handed_over_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled", sa.Integer(), server_default="0", nullable=False),
        sa.Column("returned", sa.Integer(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "quantity > 0 AND handed_over >= 0 AND cancelled >= 0 AND returned >= 0 AND handed_over + cancelled <= quantity AND returned <= handed_over",
            name=op.f("ck_lines_quantities"),
        ),
        sa.CheckConstraint(
            "total = subtotal + adjustment_total AND net + tax = total AND total >= 0", name=op.f("ck_lines_total")
        ),
        sa.ForeignKeyConstraint(
            ["bought_location_id"], ["locations.locations.id"], name=op.f("fk_lines_bought_location_id")
        ),
        sa.ForeignKeyConstraint(
            ["fulfilled_location_id"], ["locations.locations.id"], name=op.f("fk_lines_fulfilled_location_id")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.orders.id"], name=op.f("fk_lines_order_id")),
        sa.ForeignKeyConstraint(["product_id"], ["catalog.products.id"], name=op.f("fk_lines_product_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_lines_variant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lines")),
        sa.UniqueConstraint("order_id", "n", name=op.f("uq_lines_order_id_n")),
        schema="orders",
    )
    op.create_table(
        "returns",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("order_number", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=True),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("refund_total", sa.BigInteger(), nullable=False),
        sa.Column("tender", sa.Text(), nullable=False),
        sa.Column("receipt_register", sa.Text(), nullable=True),
        sa.Column("receipt_number", sa.BigInteger(), nullable=True),
        sa.Column("accepted_by", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'declined', 'in_transit', 'partially_received', 'received', 'inspected', 'closed', 'cancelled', 'expired')",
            name=op.f("ck_returns_state_known"),
        ),
        sa.CheckConstraint("tender IN ('cash', 'card_terminal')", name=op.f("ck_returns_tender_known")),
        sa.CheckConstraint("refund_total >= 0", name=op.f("ck_returns_refund_total")),
        sa.ForeignKeyConstraint(["customer_id"], ["auth.principals.id"], name=op.f("fk_returns_customer_id")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_returns_location_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.orders.id"], name=op.f("fk_returns_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_returns")),
        sa.UniqueConstraint("number", name=op.f("uq_returns_number")),
        schema="returns",
    )
    op.create_index(
        "ix_returns_customer_id_created_at_id",
        "returns",
        ["customer_id", "created_at", "id"],
        unique=False,
        schema="returns",
    )
    op.create_index(
        "ix_returns_location_id_created_at_id",
        "returns",
        ["location_id", "created_at", "id"],
        unique=False,
        schema="returns",
    )
    op.create_index("ix_returns_order_id", "returns", ["order_id"], unique=False, schema="returns")
    op.create_table(
        "adjustments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('promotion', 'coupon', 'staff', 'override', 'price_match', 'shelf_price', 'offline_price', 'invoice_price', 'marketplace')",
            name=op.f("ck_adjustments_kind_known"),
        ),
        sa.ForeignKeyConstraint(["line_id"], ["orders.lines.id"], name=op.f("fk_adjustments_line_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.orders.id"], name=op.f("fk_adjustments_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_adjustments")),
        schema="orders",
    )
    op.create_index("ix_adjustments_order_id", "adjustments", ["order_id"], unique=False, schema="orders")
    op.create_table(
        "lines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("return_id", sa.Uuid(), nullable=False),
        sa.Column("order_line_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("order_line_n", sa.Integer(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("title", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("disposition", sa.Text(), nullable=False),
        sa.Column("refund_amount", sa.BigInteger(), nullable=False),
        sa.Column("tax_amount", sa.BigInteger(), nullable=False),
        sa.Column("tax_basis_points", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "condition IN ('sellable', 'opened', 'damaged', 'defective')", name=op.f("ck_lines_condition_known")
        ),
        sa.CheckConstraint(
            "disposition IN ('restocked', 'quality_control', 'damaged', 'written_off', 'return_to_vendor', 'missing')",
            name=op.f("ck_lines_disposition_known"),
        ),
        sa.CheckConstraint(
            "ground IN ('withdrawal', 'change_of_mind', 'defect', 'wrong_item', 'damaged_in_transit', 'not_collected')",
            name=op.f("ck_lines_ground_known"),
        ),
        sa.CheckConstraint("quantity > 0 AND refund_amount >= 0", name=op.f("ck_lines_quantity")),
        sa.CheckConstraint("tax_amount BETWEEN 0 AND refund_amount", name=op.f("ck_lines_tax")),
        sa.ForeignKeyConstraint(["order_line_id"], ["orders.lines.id"], name=op.f("fk_lines_order_line_id")),
        sa.ForeignKeyConstraint(["return_id"], ["returns.returns.id"], name=op.f("fk_lines_return_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_lines_variant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lines")),
        sa.UniqueConstraint("return_id", "n", name=op.f("uq_lines_return_id_n")),
        schema="returns",
    )
    op.create_index("ix_lines_order_line_id", "lines", ["order_line_id"], unique=False, schema="returns")


def downgrade() -> None:
    op.drop_index("ix_lines_order_line_id", table_name="lines", schema="returns")
    op.drop_table("lines", schema="returns")
    op.drop_index("ix_adjustments_order_id", table_name="adjustments", schema="orders")
    op.drop_table("adjustments", schema="orders")
    op.drop_index("ix_returns_order_id", table_name="returns", schema="returns")
    op.drop_index("ix_returns_location_id_created_at_id", table_name="returns", schema="returns")
    op.drop_index("ix_returns_customer_id_created_at_id", table_name="returns", schema="returns")
    op.drop_table("returns", schema="returns")
    op.drop_table("lines", schema="orders")
    op.drop_index("ix_external_ids_order_id", table_name="external_ids", schema="orders")
    op.drop_table("external_ids", schema="orders")
    op.drop_table("entries", schema="orders")
    op.drop_index("ix_charges_order_id", table_name="charges", schema="orders")
    op.drop_table("charges", schema="orders")
    op.drop_index("ix_reservations_owner_kind_owner_id", table_name="reservations", schema="stock")
    op.drop_index(
        "ix_reservations_location_id_variant_id",
        table_name="reservations",
        schema="stock",
        postgresql_where=sa.text("quantity_open > 0"),
    )
    op.drop_index(
        "ix_reservations_expires_at",
        table_name="reservations",
        schema="stock",
        postgresql_where=sa.text("state = 'reserved'"),
    )
    op.drop_table("reservations", schema="stock")
    op.drop_index("ix_movements_variant_id_occurred_at", table_name="movements", schema="stock")
    op.drop_table("movements", schema="stock")
    op.drop_index("ix_levels_variant_id", table_name="levels", schema="stock")
    op.drop_table("levels", schema="stock")
    op.drop_table("costs", schema="stock")
    op.drop_table("prices", schema="prices")
    op.drop_index("ix_refunds_order_id", table_name="refunds", schema="payments")
    op.drop_table("refunds", schema="payments")
    op.drop_index("ix_receipts_return_id", table_name="receipts", schema="payments")
    op.drop_index("ix_receipts_order_id", table_name="receipts", schema="payments")
    op.drop_table("receipts", schema="payments")
    op.drop_index("ix_orders_placed_at", table_name="orders", schema="orders")
    op.drop_index("ix_orders_customer_id_placed_at_id", table_name="orders", schema="orders")
    op.drop_table("orders", schema="orders")
    op.drop_table("steps", schema="fulfillment")
    op.drop_table("promises", schema="fulfillment")
    op.drop_index("ix_lines_order_line_id", table_name="lines", schema="fulfillment")
    op.drop_index("ix_lines_fulfillment_id", table_name="lines", schema="fulfillment")
    op.drop_table("lines", schema="fulfillment")
    op.drop_index("ix_barcodes_variant_id", table_name="barcodes", schema="catalog")
    op.drop_table("barcodes", schema="catalog")
    op.drop_table("lines", schema="carts")
    op.drop_table("registers", schema="payments")
    op.drop_index("ix_payments_order_id", table_name="payments", schema="payments")
    op.drop_table("payments", schema="payments")
    op.drop_index("ix_fulfillments_order_id", table_name="fulfillments", schema="fulfillment")
    op.drop_index("ix_fulfillments_location_id_state_created_at", table_name="fulfillments", schema="fulfillment")
    op.drop_table("fulfillments", schema="fulfillment")
    op.drop_index("ix_identifiers_profile_id", table_name="identifiers", schema="customers")
    op.drop_table("identifiers", schema="customers")
    op.drop_index("ix_variants_product_id_position", table_name="variants", schema="catalog")
    op.drop_table("variants", schema="catalog")
    op.drop_index(
        "uq_carts_shopper_id",
        table_name="carts",
        schema="carts",
        postgresql_where=sa.text("state = 'open' AND device_id IS NULL"),
    )
    op.drop_index("ix_carts_shopper_id_created_at", table_name="carts", schema="carts")
    op.drop_table("carts", schema="carts")
    op.drop_table("staff_roles", schema="auth")
    op.drop_table("tax_rates", schema="prices")
    op.drop_table("locations", schema="locations")
    op.drop_index(
        "ix_deliveries_open", table_name="deliveries", schema="infra", postgresql_where=sa.text("delivered_at IS NULL")
    )
    op.drop_table("deliveries", schema="infra")
    op.drop_index("ix_profiles_merged_into", table_name="profiles", schema="customers")
    op.drop_table("profiles", schema="customers")
    op.drop_index("ix_products_search", table_name="products", schema="catalog", postgresql_using="gin")
    op.drop_index("ix_products_category_id_id", table_name="products", schema="catalog")
    op.drop_table("products", schema="catalog")
    op.drop_table("staff", schema="auth")
    op.drop_index("ix_sessions_revoked_at", table_name="sessions", schema="auth")
    op.drop_index("ix_sessions_principal_id", table_name="sessions", schema="auth")
    op.drop_index("ix_sessions_expires_at", table_name="sessions", schema="auth")
    op.drop_table("sessions", schema="auth")
    op.drop_table("passwords", schema="auth")
    op.drop_table("devices", schema="auth")
    op.drop_table("clients", schema="auth")
    op.drop_table("postings", schema="stock")
    op.drop_table("legal_entities", schema="locations")
    op.drop_index(
        "uq_outbox_published_no",
        table_name="outbox",
        schema="infra",
        postgresql_where=sa.text("published_no IS NOT NULL"),
    )
    op.drop_index(
        "ix_outbox_waiting", table_name="outbox", schema="infra", postgresql_where=sa.text("published_no IS NULL")
    )
    op.drop_table("outbox", schema="infra")
    op.drop_table("long_work", schema="infra")
    op.drop_index("ix_idempotency_keys_claimed_at", table_name="idempotency_keys", schema="infra")
    op.drop_table("idempotency_keys", schema="infra")
    op.drop_index("ix_audit_records_target", table_name="audit_records", schema="infra")
    op.drop_table("audit_records", schema="infra")
    op.drop_table("tax_classes", schema="catalog")
    op.drop_table("return_policies", schema="catalog")
    op.drop_index("ix_categories_path", table_name="categories", schema="catalog", postgresql_using="gin")
    op.drop_table("categories", schema="catalog")
    op.drop_table("principals", schema="auth")
    op.drop_table("channels", schema="auth")
    op.drop_index("ix_attempts_first_at", table_name="attempts", schema="auth")
    op.drop_table("attempts", schema="auth")
    for schema in reversed(SCHEMAS):
        op.execute(f"DROP SCHEMA {schema}")
