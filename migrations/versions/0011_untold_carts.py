"""untold carts

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OPEN = "state = 'open'"
UNTOLD = "state = 'open' AND shopper_id IS NOT NULL AND looked_at_version IS DISTINCT FROM version"
AT_DEVICE = "state = 'open' AND device_id IS NOT NULL"
BY_DEVICE = "ix_carts_device_id_changed_at"


def upgrade() -> None:
    op.add_column("carts", sa.Column("looked_at_version", sa.Integer()), schema="carts")
    op.execute("UPDATE carts.carts SET looked_at_version = abandoned_version WHERE abandoned_version IS NOT NULL")
    _index("ix_carts_untold", ["changed_at", "id"], UNTOLD)
    op.drop_index(BY_DEVICE, table_name="carts", schema="carts")
    _index(BY_DEVICE, ["device_id", "changed_at"], AT_DEVICE)


def downgrade() -> None:
    op.drop_index(BY_DEVICE, table_name="carts", schema="carts")
    _index(BY_DEVICE, ["device_id", "changed_at"], OPEN)
    op.drop_index("ix_carts_untold", table_name="carts", schema="carts")
    op.execute("UPDATE carts.carts SET abandoned_version = looked_at_version WHERE looked_at_version IS NOT NULL")
    op.drop_column("carts", "looked_at_version", schema="carts")


def _index(name: str, columns: list[str], where: str) -> None:
    op.create_index(name, "carts", columns, schema="carts", postgresql_where=sa.text(where))
