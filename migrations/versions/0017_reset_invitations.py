"""invitations of those who are there already

An invitation may be for a login that exists: to choose another password, or to come back after having been shut out.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invitations", sa.Column("purpose", sa.Text(), server_default="join", nullable=False), schema="auth")
    op.create_check_constraint(
        op.f("ck_invitations_purpose_known"), "invitations", "purpose IN ('join', 'return', 'reset')", schema="auth"
    )


def downgrade() -> None:
    op.execute("DELETE FROM auth.invitations WHERE purpose <> 'join'")
    op.drop_column("invitations", "purpose", schema="auth")
