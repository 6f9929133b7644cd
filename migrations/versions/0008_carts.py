"""carts that follow people

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

CURRENT = "state = 'open' AND parked_at IS NULL"


def upgrade() -> None:
    # a line that changes stays on its page
    op.execute("ALTER TABLE carts.lines SET (fillfactor = 85)")
    for column in (
        sa.Column("parked_at", sa.DateTime(timezone=True)),
        sa.Column("label", sa.Text()),
        sa.Column("customer_id", sa.Uuid()),
        sa.Column("named_by", sa.Text()),
        sa.Column("discreet", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("checkout", postgresql.JSONB(astext_type=sa.Text())),
        sa.Column("abandoned_version", sa.Integer()),
    ):
        op.add_column("carts", column, schema="carts")
    op.create_foreign_key(
        op.f("fk_carts_customer_id"), "carts", "principals", ["customer_id"], ["id"],
        source_schema="carts", referent_schema="auth",
    )  # fmt: skip
    op.create_check_constraint(
        op.f("ck_carts_named_by_known"), "carts", "named_by IN ('card', 'token', 'staff', 'hand_off')", schema="carts"
    )
    op.create_check_constraint(
        op.f("ck_carts_customer"), "carts",
        "(customer_id IS NULL) = (named_by IS NULL) AND (customer_id IS NULL OR device_id IS NOT NULL)", schema="carts",
    )  # fmt: skip
    op.create_check_constraint(
        op.f("ck_carts_closed_forgets"), "carts",
        "state = 'open' OR (checkout IS NULL AND label IS NULL AND parked_at IS NULL AND NOT discreet)", schema="carts",
    )  # fmt: skip
    op.drop_index("uq_carts_shopper_id", table_name="carts", schema="carts")
    op.create_index(
        "uq_carts_shopper_id", "carts", ["shopper_id"], unique=True, schema="carts", postgresql_where=sa.text(CURRENT)
    )
    op.create_index(
        "uq_carts_device_id", "carts", ["device_id"], unique=True, schema="carts", postgresql_where=sa.text(CURRENT)
    )
    op.create_index(
        "ix_carts_device_id_changed_at", "carts", ["device_id", "changed_at"], schema="carts",
        postgresql_where=sa.text("state = 'open'"),
    )  # fmt: skip
    op.create_index(
        "ix_carts_customer_id", "carts", ["customer_id"], schema="carts",
        postgresql_where=sa.text("customer_id IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_carts_changed_at", "carts", ["changed_at"], schema="carts", postgresql_where=sa.text("state = 'open'")
    )
    for column in (
        sa.Column("added_by", sa.Uuid()),
        sa.Column("wish", postgresql.JSONB(astext_type=sa.Text())),
        sa.Column("gift", postgresql.JSONB(astext_type=sa.Text())),
    ):
        op.add_column("lines", column, schema="carts")
    op.create_table(
        "hand_offs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True)),
        sa.Column("claimed_by", sa.Uuid()),
        sa.Column("into_cart_id", sa.Uuid()),
        sa.CheckConstraint("mode IN ('move', 'join')", name=op.f("ck_hand_offs_mode_known")),
        sa.CheckConstraint("(claimed_at IS NULL) = (claimed_by IS NULL)", name=op.f("ck_hand_offs_claimed")),
        sa.ForeignKeyConstraint(["cart_id"], ["carts.carts.id"], name=op.f("fk_hand_offs_cart_id")),
        sa.ForeignKeyConstraint(["into_cart_id"], ["carts.carts.id"], name=op.f("fk_hand_offs_into_cart_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hand_offs")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_hand_offs_code_hash")),
        schema="carts",
    )
    op.create_index("ix_hand_offs_cart_id", "hand_offs", ["cart_id"], schema="carts")
    op.create_table(
        "guests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cart_id", sa.Uuid(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Uuid()),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("until_at > joined_at", name=op.f("ck_guests_until")),
        sa.ForeignKeyConstraint(["cart_id"], ["carts.carts.id"], name=op.f("fk_guests_cart_id")),
        sa.ForeignKeyConstraint(["principal_id"], ["auth.principals.id"], name=op.f("fk_guests_principal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guests")),
        schema="carts",
    )
    op.create_index(
        "uq_guests_cart_id_principal_id", "guests", ["cart_id", "principal_id"], unique=True, schema="carts",
        postgresql_where=sa.text("ended_at IS NULL"),
    )  # fmt: skip
    op.create_table(
        "claim_attempts",
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("failures > 0", name=op.f("ck_claim_attempts_failures_positive")),
        sa.PrimaryKeyConstraint("principal_id", name=op.f("pk_claim_attempts")),
        schema="carts",
    )
    op.add_column("orders", sa.Column("gift", postgresql.JSONB(astext_type=sa.Text())), schema="orders")


def downgrade() -> None:
    op.execute("ALTER TABLE carts.lines RESET (fillfactor)")
    op.drop_column("orders", "gift", schema="orders")
    for table in ("claim_attempts", "guests", "hand_offs"):
        op.drop_table(table, schema="carts")
    for name in ("gift", "wish", "added_by"):
        op.drop_column("lines", name, schema="carts")
    # Before, a shopper had one open cart and a device none.
    op.execute(
        "UPDATE carts.carts SET state = 'expired', checkout = NULL, label = NULL, parked_at = NULL, discreet = false"
        " WHERE state = 'open' AND (parked_at IS NOT NULL OR device_id IS NOT NULL)"
    )
    for index in (
        "ix_carts_changed_at", "ix_carts_customer_id", "ix_carts_device_id_changed_at", "uq_carts_device_id",
        "uq_carts_shopper_id",
    ):  # fmt: skip
        op.drop_index(index, table_name="carts", schema="carts")
    op.create_index(
        "uq_carts_shopper_id", "carts", ["shopper_id"], unique=True, schema="carts",
        postgresql_where=sa.text("state = 'open' AND device_id IS NULL"),
    )  # fmt: skip
    for name in (
        "ck_carts_closed_forgets", "ck_carts_customer", "ck_carts_named_by_known", "fk_carts_customer_id",
    ):  # fmt: skip
        op.drop_constraint(op.f(name), "carts", schema="carts")
    for name in ("abandoned_version", "checkout", "discreet", "named_by", "customer_id", "label", "parked_at"):
        op.drop_column("carts", name, schema="carts")
