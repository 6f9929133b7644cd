"""clocks of later answers

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

OWN = """
UPDATE conversations.conversations c SET answer_due_at = CASE WHEN c.first_answered_at IS NULL THEN c.first_answer_due_at
    ELSE c.unanswered_since + make_interval(mins => t.first_answer_minutes) END
FROM conversations.teams t WHERE t.id = c.team_id AND c.unanswered_since IS NOT NULL
"""
WHOLE = """
UPDATE conversations.conversations c SET due_at = w.due_at FROM (
    SELECT coalesce(joined_into, id) AS id, min(answer_due_at) AS due_at FROM conversations.conversations
    WHERE answer_due_at IS NOT NULL GROUP BY 1
) w WHERE w.id = c.id
"""


def upgrade() -> None:
    for name in ("answer_due_at", "due_at"):
        op.add_column(
            "conversations", sa.Column(name, sa.DateTime(timezone=True), nullable=True), schema="conversations"
        )
    op.execute(OWN)
    op.execute(WHOLE)
    op.create_check_constraint(
        op.f("ck_conversations_answer_due"), "conversations", "(unanswered_since IS NULL) = (answer_due_at IS NULL)",
        schema="conversations",
    )  # fmt: skip
    op.create_index(
        "ix_conversations_due_at_id", "conversations", ["due_at", "id"], schema="conversations",
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_conversations_due_at_id", table_name="conversations", schema="conversations")
    op.drop_constraint(op.f("ck_conversations_answer_due"), "conversations", schema="conversations")
    for name in ("due_at", "answer_due_at"):
        op.drop_column("conversations", name, schema="conversations")
