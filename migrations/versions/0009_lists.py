"""lists

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE SCHEMA lists")
    op.create_table(
        "owners",
        sa.Column("shopper_id", sa.Uuid(), nullable=False),
        sa.Column("lists", sa.Integer(), nullable=False),
        sa.CheckConstraint("lists BETWEEN 0 AND 50", name=op.f("ck_owners_lists")),
        sa.ForeignKeyConstraint(["shopper_id"], ["auth.principals.id"], name=op.f("fk_owners_shopper_id_principals")),
        sa.PrimaryKeyConstraint("shopper_id", name=op.f("pk_owners")),
        schema="lists",
    )
    op.create_table(
        "lists",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("shopper_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("share_no", sa.Integer(), server_default="0", nullable=False),
        sa.Column("shared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("show_name", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('wish', 'named', 'saved_for_later')", name=op.f("ck_lists_kind_known")),
        sa.CheckConstraint("state IN ('open', 'merged', 'deleted')", name=op.f("ck_lists_state_known")),
        sa.CheckConstraint("(state = 'open' AND kind = 'named') = (name IS NOT NULL)", name=op.f("ck_lists_named")),
        sa.CheckConstraint("(state = 'merged') = (merged_into IS NOT NULL)", name=op.f("ck_lists_merged")),
        sa.CheckConstraint("shared_at IS NULL OR state = 'open'", name=op.f("ck_lists_shared")),
        sa.ForeignKeyConstraint(["shopper_id"], ["auth.principals.id"], name=op.f("fk_lists_shopper_id_principals")),
        sa.ForeignKeyConstraint(["merged_into"], ["lists.lists.id"], name=op.f("fk_lists_merged_into_lists")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lists")),
        schema="lists",
    )
    op.create_index(
        "uq_lists_wish",
        "lists",
        ["shopper_id"],
        unique=True,
        schema="lists",
        postgresql_where=sa.text("kind = 'wish' AND state = 'open'"),
    )
    op.create_index(
        "uq_lists_saved_for_later",
        "lists",
        ["shopper_id"],
        unique=True,
        schema="lists",
        postgresql_where=sa.text("kind = 'saved_for_later' AND state = 'open'"),
    )
    op.create_index("ix_lists_shopper_id", "lists", ["shopper_id"], unique=False, schema="lists")
    op.create_table(
        "lines",
        sa.Column("list_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price_seen", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("added_channel", sa.Text(), nullable=False),
        sa.Column("added_device", sa.Uuid(), nullable=True),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_lines_quantity")),
        sa.ForeignKeyConstraint(["list_id"], ["lists.lists.id"], name=op.f("fk_lines_list_id_lists")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_lines_variant_id_variants")),
        sa.PrimaryKeyConstraint("list_id", "variant_id", name=op.f("pk_lines")),
        schema="lists",
    )


def downgrade() -> None:
    for table in ("lines", "lists", "owners"):
        op.drop_table(table, schema="lists")
    op.execute("DROP SCHEMA lists")
