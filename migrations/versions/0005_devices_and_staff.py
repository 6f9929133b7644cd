"""devices and staff

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ROLES = {
    "associate": (
        {"en": "Sales associate", "ru": "Продавец"},
        [
            "conversations.work",
            "customers.read",
            "customers.write",
            "fulfillments.work",
            "orders.read",
            "receipts.read",
            "returns.accept",
            "sales.book",
            "stock.adjust",
            "stock.count",
            "stock.read",
            "stock.receive",
        ],
    ),
    "store_manager": (
        {"en": "Store manager", "ru": "Управляющий магазином"},
        [
            "conversations.work",
            "customers.act",
            "customers.read",
            "customers.write",
            "devices.pair",
            "fulfillments.work",
            "orders.cancel",
            "orders.read",
            "prices.override",
            "receipts.read",
            "refunds.other_tender",
            "returns.accept",
            "sales.book",
            "staff.pins",
            "stock.adjust",
            "stock.approve",
            "stock.count",
            "stock.read",
            "stock.receive",
            "stock.transfer",
        ],
    ),
    "call_center": (
        {"en": "Call centre", "ru": "Контакт-центр"},
        [
            "conversations.work",
            "customers.act",
            "customers.merge",
            "customers.read",
            "customers.write",
            "orders.cancel",
            "orders.read",
            "stock.read",
        ],
    ),
    "back_office": (
        {"en": "Back office", "ru": "Бэк-офис"},
        [
            "catalog.write",
            "conversations.write",
            "events.read",
            "locations.write",
            "orders.read",
            "prices.write",
            "receipts.read",
            "sourcing.write",
            "stock.adjust",
            "stock.approve",
            "stock.count",
            "stock.plan",
            "stock.read",
            "stock.receive",
            "stock.transfer",
        ],
    ),
    "admin": (
        {"en": "Administrator", "ru": "Администратор"},
        [
            "audit.read",
            "catalog.write",
            "clients.write",
            "conversations.work",
            "conversations.write",
            "customers.act",
            "customers.erase",
            "customers.export",
            "customers.merge",
            "customers.read",
            "customers.write",
            "devices.pair",
            "devices.write",
            "events.read",
            "fulfillments.work",
            "locations.write",
            "orders.cancel",
            "orders.read",
            "prices.override",
            "prices.write",
            "receipts.read",
            "refunds.other_tender",
            "retention.write",
            "returns.accept",
            "roles.write",
            "sales.book",
            "sourcing.write",
            "staff.pins",
            "staff.write",
            "stock.adjust",
            "stock.approve",
            "stock.count",
            "stock.plan",
            "stock.read",
            "stock.receive",
            "stock.transfer",
        ],
    ),
}
"""The built-in roles, as they were when roles became data."""
MOMENT = sa.DateTime(timezone=True)
JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    roles = op.create_table(
        "roles",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", JSON, nullable=False),
        sa.Column("permissions", JSON, nullable=False),
        sa.Column("built_in", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("changed_at", MOMENT, nullable=False),
        sa.CheckConstraint("jsonb_typeof(permissions) = 'array'", name=op.f("ck_roles_permissions_listed")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_roles")),
        schema="auth",
    )
    op.execute(
        sa.insert(roles).values(
            [
                {"code": code, "name": name, "permissions": permissions, "built_in": True, "changed_at": sa.func.now()}
                for code, (name, permissions) in ROLES.items()
            ]
        )
    )
    op.drop_constraint(op.f("ck_staff_roles_role_known"), "staff_roles", schema="auth", type_="check")
    op.create_foreign_key(
        op.f("fk_staff_roles_role"),
        "staff_roles",
        "roles",
        ["role"],
        ["code"],
        source_schema="auth",
        referent_schema="auth",
    )
    op.create_index("ix_staff_roles_role", "staff_roles", ["role"], unique=False, schema="auth")
    op.create_table(
        "badges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
        sa.Column("issued_by", sa.Uuid(), nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["auth.staff.id"], name=op.f("fk_badges_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_badges")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_badges_code_hash")),
        schema="auth",
    )
    op.create_index("ix_badges_staff_id", "badges", ["staff_id"], unique=False, schema="auth")
    op.create_table(
        "pins",
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("set_at", MOMENT, nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["auth.staff.id"], name=op.f("fk_pins_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_pins")),
        schema="auth",
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("roles", JSON, nullable=False),
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "(state = 'accepted') = (staff_id IS NOT NULL)", name=op.f("ck_invitations_accepted_by_somebody")
        ),
        sa.CheckConstraint("state IN ('pending', 'accepted', 'revoked')", name=op.f("ck_invitations_state_known")),
        sa.ForeignKeyConstraint(["staff_id"], ["auth.staff.id"], name=op.f("fk_invitations_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
        schema="auth",
    )
    op.create_index(
        "uq_invitations_pending_login", "invitations", ["login"], unique=True, schema="auth",
        postgresql_where=sa.text("state = 'pending'"),
    )  # fmt: skip
    op.create_table(
        "pairings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "(state = 'approved') = (device_id IS NOT NULL)", name=op.f("ck_pairings_approved_as_a_device")
        ),
        sa.CheckConstraint("kind IN ('till', 'kiosk')", name=op.f("ck_pairings_kind_known")),
        sa.CheckConstraint("state IN ('pending', 'approved', 'denied')", name=op.f("ck_pairings_state_known")),
        sa.ForeignKeyConstraint(["device_id"], ["auth.devices.id"], name=op.f("fk_pairings_device_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pairings")),
        schema="auth",
    )
    op.create_index(
        "uq_pairings_pending_code", "pairings", ["code_hash"], unique=True, schema="auth",
        postgresql_where=sa.text("state = 'pending'"),
    )  # fmt: skip
    op.create_index("ix_pairings_expires_at", "pairings", ["expires_at"], unique=False, schema="auth")
    op.create_table(
        "passes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["principal_id"], ["auth.principals.id"], name=op.f("fk_passes_principal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_passes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_passes_code_hash")),
        sa.UniqueConstraint("principal_id", name=op.f("uq_passes_principal_id")),
        schema="auth",
    )
    op.create_index("ix_passes_expires_at", "passes", ["expires_at"], unique=False, schema="auth")
    op.add_column("sessions", sa.Column("idle_seconds", sa.Integer(), nullable=True), schema="auth")
    op.add_column("sessions", sa.Column("ends_at", MOMENT, nullable=True), schema="auth")
    # who is signed in on a device signs in anew: his session would not end by itself
    op.execute(
        "UPDATE auth.sessions SET revoked_at = now(), revoked_reason = 'replaced'"
        " WHERE device_id IS NOT NULL AND revoked_at IS NULL"
    )
    op.create_check_constraint(op.f("ck_sessions_idle_seconds_positive"), "sessions", "idle_seconds > 0", schema="auth")
    op.create_check_constraint(op.f("ck_sessions_ends_in_time"), "sessions", "expires_at <= ends_at", schema="auth")
    op.create_index(
        "ix_sessions_device_id", "sessions", ["device_id"], unique=False, schema="auth",
        postgresql_where=sa.text("device_id IS NOT NULL AND revoked_at IS NULL"),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_sessions_device_id", table_name="sessions", schema="auth")
    op.drop_constraint(op.f("ck_sessions_ends_in_time"), "sessions", schema="auth", type_="check")
    op.drop_constraint(op.f("ck_sessions_idle_seconds_positive"), "sessions", schema="auth", type_="check")
    op.drop_column("sessions", "ends_at", schema="auth")
    op.drop_column("sessions", "idle_seconds", schema="auth")
    for table in ("passes", "pairings", "invitations", "pins", "badges"):
        op.drop_table(table, schema="auth")
    op.drop_index("ix_staff_roles_role", table_name="staff_roles", schema="auth")
    op.drop_constraint(op.f("fk_staff_roles_role"), "staff_roles", schema="auth", type_="foreignkey")
    known = ", ".join(f"'{code}'" for code in ROLES)
    op.execute(f"DELETE FROM auth.staff_roles WHERE role NOT IN ({known})")
    op.create_check_constraint(
        op.f("ck_staff_roles_role_known"), "staff_roles",
        "role IN ('associate', 'store_manager', 'call_center', 'back_office', 'admin')", schema="auth",
    )  # fmt: skip
    op.drop_table("roles", schema="auth")
