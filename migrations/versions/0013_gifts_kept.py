"""Gift wishes kept on lists; the carts that staff have joined found by who

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lines", sa.Column("gift", postgresql.JSONB(astext_type=sa.Text()), nullable=True), schema="lists")
    op.create_index(
        "ix_guests_principal_id",
        "guests",
        ["principal_id"],
        schema="carts",
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_guests_principal_id", table_name="guests", schema="carts")
    op.drop_column("lines", "gift", schema="lists")
