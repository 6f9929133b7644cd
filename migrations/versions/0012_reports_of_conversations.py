"""reports of conversations

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_conversations_opened_at", "conversations", ["opened_at"], schema="conversations")
    op.create_index(
        "ix_conversations_first_answered_at", "conversations", ["first_answered_at"], schema="conversations",
        postgresql_where=sa.text("first_answered_at IS NOT NULL"),
    )  # fmt: skip


def downgrade() -> None:
    for name in ("ix_conversations_first_answered_at", "ix_conversations_opened_at"):
        op.drop_index(name, table_name="conversations", schema="conversations")
