"""visits over

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_hand_offs_expires_at", "hand_offs", ["expires_at"], schema="carts")
    op.create_index("ix_guests_until_at", "guests", ["until_at"], schema="carts")


def downgrade() -> None:
    op.drop_index("ix_guests_until_at", table_name="guests", schema="carts")
    op.drop_index("ix_hand_offs_expires_at", table_name="hand_offs", schema="carts")
