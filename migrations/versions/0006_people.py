"""what is known of a person

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

RULES = """
INSERT INTO people.retention_rules (subject, days, fixed, updated_at) VALUES
    ('anonymous_carts', 30, false, now()), ('ended_sessions', 30, false, now()),
    ('touches', 730, false, now()), ('guest_profiles', 1095, false, now()), ('conversations', 1825, false, now()),
    ('audit_records', NULL, false, now()), ('consents', NULL, true, now()), ('events', NULL, true, now())
"""


def upgrade() -> None:
    op.execute("CREATE SCHEMA people")
    op.add_column("profiles", sa.Column("birthday", sa.Date(), nullable=True), schema="customers")
    op.add_column("profiles", sa.Column("preferred_store", sa.Text(), nullable=True), schema="customers")
    op.add_column(
        "profiles",
        sa.Column("preferences", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        schema="customers",
    )
    op.create_foreign_key(
        op.f("fk_profiles_preferred_store"), "profiles", "locations", ["preferred_store"], ["code"],
        source_schema="customers", referent_schema="locations",
    )  # fmt: skip
    op.create_table(
        "addresses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("recipient", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=False),
        sa.Column("street", sa.Text(), nullable=False),
        sa.Column("house", sa.Text(), nullable=True),
        sa.Column("postal_code", sa.Text(), nullable=True),
        sa.Column("entrance", sa.Text(), nullable=True),
        sa.Column("floor", sa.Text(), nullable=True),
        sa.Column("apartment", sa.Text(), nullable=True),
        sa.Column("intercom", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["profile_id"], ["customers.profiles.id"], name=op.f("fk_addresses_profile_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_addresses")),
        schema="customers",
    )
    op.create_index("ix_addresses_profile_id", "addresses", ["profile_id"], unique=False, schema="customers")
    op.create_index(
        "uq_addresses_profile_id",
        "addresses",
        ["profile_id"],
        unique=True,
        schema="customers",
        postgresql_where=sa.text("is_default"),
    )
    op.create_table(
        "consents",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("profile_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("text_version", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "purpose IN ('marketing', 'service', 'analytics', 'personalization')",
            name=op.f("ck_consents_ck_consents_purpose_known"),
        ),
        sa.CheckConstraint(
            "channel IN ('email', 'sms', 'push', 'messenger', 'phone', 'post')",
            name=op.f("ck_consents_ck_consents_channel_known"),
        ),
        sa.ForeignKeyConstraint(["profile_id"], ["customers.profiles.id"], name=op.f("fk_consents_profile_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consents")),
        schema="customers",
    )
    op.create_index("ix_consents_profile_id_at", "consents", ["profile_id", "at"], unique=False, schema="customers")
    op.create_table(
        "touches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shopper_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("medium", sa.Text(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("term", sa.Text(), nullable=True),
        sa.Column("click_id", sa.Text(), nullable=True),
        sa.Column("referrer", sa.Text(), nullable=True),
        sa.Column("landing_path", sa.Text(), nullable=True),
        sa.Column("store_qr", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["shopper_id"], ["auth.principals.id"], name=op.f("fk_touches_shopper_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_touches")),
        schema="customers",
    )
    op.create_index("ix_touches_at", "touches", ["at"], unique=False, schema="customers")
    op.create_index(
        "ix_touches_shopper_id_at_id", "touches", ["shopper_id", "at", "id"], unique=False, schema="customers"
    )
    op.create_table(
        "order_touches",
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("customer_id", sa.Uuid(), nullable=False),
        sa.Column("first_touch", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("last_touch", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(first_touch IS NULL) = (last_touch IS NULL)",
            name=op.f("ck_order_touches_ck_order_touches_both"),
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.orders.id"], name=op.f("fk_order_touches_order_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["auth.principals.id"], name=op.f("fk_order_touches_customer_id")),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_order_touches")),
        schema="people",
    )
    op.create_index("ix_order_touches_customer_id", "order_touches", ["customer_id"], unique=False, schema="people")
    op.create_table(
        "retention_rules",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("fixed", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "days BETWEEN 1 AND 36500",
            name=op.f("ck_retention_rules_ck_retention_rules_days"),
        ),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_retention_rules")),
        schema="people",
    )
    op.execute(RULES)


def downgrade() -> None:
    for schema, table in (
        ("people", "retention_rules"),
        ("people", "order_touches"),
        ("customers", "touches"),
        ("customers", "consents"),
        ("customers", "addresses"),
    ):
        op.drop_table(table, schema=schema)
    op.drop_constraint(op.f("fk_profiles_preferred_store"), "profiles", schema="customers", type_="foreignkey")
    for column in ("preferences", "preferred_store", "birthday"):
        op.drop_column("profiles", column, schema="customers")
    op.execute("DROP SCHEMA people")
