"""returns without a sale

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

GRANT = """
UPDATE auth.roles SET permissions = (
    SELECT jsonb_agg(p ORDER BY p COLLATE "C") FROM jsonb_array_elements_text(permissions || '["returns.blind"]') AS p
)
WHERE code IN ('store_manager', 'admin') AND NOT permissions @> '["returns.blind"]'
"""
SALE_KNOWN = (
    "(order_id IS NULL) = (order_number IS NULL) AND (order_id IS NULL) = (blind_reason IS NOT NULL)"
    " AND (order_id IS NULL) = (priced_since IS NOT NULL)"
)
OF_ORDER = (
    "(order_line_id IS NULL) = (order_line_n IS NULL) AND (order_line_id IS NULL) = (unit_price IS NOT NULL)"
    " AND (order_line_id IS NULL) = (quantity_scale IS NOT NULL) AND (order_line_id IS NULL OR components IS NULL)"
    " AND (order_line_id IS NOT NULL OR ground IN ('change_of_mind', 'defect', 'wrong_item'))"
)


def upgrade() -> None:
    op.add_column("returns", sa.Column("blind_reason", sa.Text(), nullable=True), schema="returns")
    op.add_column("returns", sa.Column("priced_since", sa.DateTime(timezone=True), nullable=True), schema="returns")
    op.add_column("returns", sa.Column("approved_by", sa.Uuid(), nullable=True), schema="returns")
    for column in ("order_id", "order_number"):
        op.alter_column("returns", column, nullable=True, schema="returns")
    op.create_check_constraint(
        op.f("ck_returns_blind_reason_known"), "returns",
        "blind_reason IN ('lost', 'gift', 'not_given', 'unreadable', 'other')", schema="returns",
    )  # fmt: skip
    op.create_check_constraint(op.f("ck_returns_sale_known"), "returns", SALE_KNOWN, schema="returns")
    op.add_column("lines", sa.Column("unit_price", sa.BigInteger(), nullable=True), schema="returns")
    op.add_column("lines", sa.Column("quantity_scale", sa.Integer(), nullable=True), schema="returns")
    op.add_column(
        "lines", sa.Column("components", postgresql.JSONB(astext_type=sa.Text()), nullable=True), schema="returns"
    )
    for column in ("order_line_id", "order_line_n"):
        op.alter_column("lines", column, nullable=True, schema="returns")
    op.create_check_constraint(op.f("ck_lines_of_order"), "lines", OF_ORDER, schema="returns")
    op.create_check_constraint(
        op.f("ck_lines_unit_price"), "lines", "unit_price >= 0 AND quantity_scale >= 0", schema="returns"
    )
    op.add_column("refunds", sa.Column("approved_by", sa.Uuid(), nullable=True), schema="payments")
    op.alter_column("refunds", "order_id", nullable=True, schema="payments")
    op.create_check_constraint(
        op.f("ck_refunds_for_what"), "refunds",
        "order_id IS NOT NULL OR (return_id IS NOT NULL AND payment_id IS NULL)", schema="payments",
    )  # fmt: skip
    op.create_index("ix_refunds_return_id", "refunds", ["return_id"], unique=False, schema="payments")
    op.alter_column("receipts", "order_id", nullable=True, schema="payments")
    op.create_check_constraint(
        op.f("ck_receipts_for_what"), "receipts",
        "order_id IS NOT NULL OR (kind = 'refund' AND return_id IS NOT NULL)", schema="payments",
    )  # fmt: skip
    op.execute(GRANT)


def downgrade() -> None:
    op.execute(
        "UPDATE auth.roles SET permissions = permissions - 'returns.blind' WHERE permissions @> '[\"returns.blind\"]'"
    )
    op.drop_constraint(op.f("ck_receipts_for_what"), "receipts", schema="payments")
    op.alter_column("receipts", "order_id", nullable=False, schema="payments")
    op.drop_index("ix_refunds_return_id", table_name="refunds", schema="payments")
    op.drop_constraint(op.f("ck_refunds_for_what"), "refunds", schema="payments")
    op.alter_column("refunds", "order_id", nullable=False, schema="payments")
    op.drop_column("refunds", "approved_by", schema="payments")
    for name in ("ck_lines_unit_price", "ck_lines_of_order"):
        op.drop_constraint(op.f(name), "lines", schema="returns")
    for column in ("order_line_id", "order_line_n"):
        op.alter_column("lines", column, nullable=False, schema="returns")
    for column in ("components", "quantity_scale", "unit_price"):
        op.drop_column("lines", column, schema="returns")
    for name in ("ck_returns_sale_known", "ck_returns_blind_reason_known"):
        op.drop_constraint(op.f(name), "returns", schema="returns")
    for column in ("order_id", "order_number"):
        op.alter_column("returns", column, nullable=False, schema="returns")
    for column in ("approved_by", "priced_since", "blind_reason"):
        op.drop_column("returns", column, schema="returns")
