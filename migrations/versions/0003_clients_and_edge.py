"""API clients, the edge

Keys of API clients in a table of their own, with scopes and origins beside the client; when keys, devices and sessions were last
used; the audit record can be read by who, for whom, where and when, and nobody changes it.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

REFUSE_CHANGE = """
CREATE FUNCTION infra.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('commerce.purge', true) = 'on' THEN
        RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION 'rows of %.% are never changed', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$
"""
INDEXES = {
    "ix_audit_records_occurred_at": (["occurred_at", "id"], None),
    "ix_audit_records_subject": (["subject", "occurred_at", "id"], None),
    "ix_audit_records_action": (["action", "occurred_at", "id"], None),
    "ix_audit_records_location": (["location", "occurred_at", "id"], "location IS NOT NULL"),
    "ix_audit_records_on_behalf_of": (["on_behalf_of", "occurred_at", "id"], "on_behalf_of IS NOT NULL"),
    "ix_audit_records_device": (["device", "occurred_at", "id"], "device IS NOT NULL"),
}


def upgrade() -> None:
    op.add_column("idempotency_keys", sa.Column("packed", sa.LargeBinary(), nullable=True), schema="infra")
    # it is compressed already
    op.execute("ALTER TABLE infra.idempotency_keys ALTER COLUMN packed SET STORAGE EXTERNAL")
    op.create_table(
        "client_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('frontend', 'server')", name=op.f("ck_client_keys_kind_known")),
        sa.ForeignKeyConstraint(["client_id"], ["auth.clients.id"], name=op.f("fk_client_keys_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_keys")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_client_keys_key_hash")),
        schema="auth",
    )
    op.create_index("ix_client_keys_client_id", "client_keys", ["client_id"], unique=False, schema="auth")
    op.execute(
        """
        INSERT INTO auth.client_keys (id, client_id, kind, key_hash, created_at, created_by, revoked_at)
        SELECT uuidv7(), id, 'frontend', key_hash, created_at, '00000000-0000-0000-0000-000000000000', revoked_at
        FROM auth.clients
        """
    )
    op.drop_constraint(op.f("uq_clients_key_hash"), "clients", schema="auth", type_="unique")
    op.drop_column("clients", "key_hash", schema="auth")
    op.add_column("clients", sa.Column("kind", sa.Text(), server_default="frontend", nullable=False), schema="auth")
    for name, empty in (("scopes", "{}"), ("origins", "[]")):
        op.add_column(
            "clients",
            sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), server_default=empty, nullable=False),
            schema="auth",
        )
    op.create_check_constraint(
        op.f("ck_clients_kind_known"), "clients", "kind IN ('frontend', 'server')", schema="auth"
    )
    op.create_check_constraint(
        op.f("ck_clients_scopes_of_servers"), "clients", "kind = 'server' OR scopes = '{}'", schema="auth"
    )
    op.create_check_constraint(
        op.f("ck_clients_origins_of_frontends"), "clients", "kind = 'frontend' OR origins = '[]'", schema="auth"
    )
    for table in ("devices", "sessions"):
        op.add_column(table, sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True), schema="auth")
    # read every two seconds by each process, among all shoppers there ever were
    op.create_index(
        "ix_principals_disabled_at", "principals", ["disabled_at"], unique=False, schema="auth",
        postgresql_where=sa.text("disabled_at IS NOT NULL"),
    )  # fmt: skip
    for name, (columns, where) in INDEXES.items():
        op.create_index(
            name,
            "audit_records",
            columns,
            unique=False,
            schema="infra",
            postgresql_where=sa.text(where) if where else None,
        )
    op.execute(REFUSE_CHANGE)
    op.execute(
        "CREATE TRIGGER audit_records_append_only BEFORE UPDATE OR DELETE ON infra.audit_records"
        " FOR EACH ROW EXECUTE FUNCTION infra.refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER audit_records_kept BEFORE TRUNCATE ON infra.audit_records"
        " FOR EACH STATEMENT EXECUTE FUNCTION infra.refuse_change()"
    )


def downgrade() -> None:
    # the earlier form cannot read them: a repetition of such a request is then done anew, as after a day
    op.execute("DELETE FROM infra.idempotency_keys WHERE packed IS NOT NULL")
    op.drop_column("idempotency_keys", "packed", schema="infra")
    op.execute("DROP TRIGGER audit_records_kept ON infra.audit_records")
    op.execute("DROP TRIGGER audit_records_append_only ON infra.audit_records")
    op.execute("DROP FUNCTION infra.refuse_change()")
    op.drop_index("ix_principals_disabled_at", table_name="principals", schema="auth")
    for name in INDEXES:
        op.drop_index(name, table_name="audit_records", schema="infra")
    for table in ("devices", "sessions"):
        op.drop_column(table, "last_seen_at", schema="auth")
    # servers have no place in the earlier form: what is left are the frontends, each with its newest key
    op.drop_constraint(op.f("ck_clients_origins_of_frontends"), "clients", schema="auth", type_="check")
    op.drop_constraint(op.f("ck_clients_scopes_of_servers"), "clients", schema="auth", type_="check")
    op.drop_constraint(op.f("ck_clients_kind_known"), "clients", schema="auth", type_="check")
    op.add_column("clients", sa.Column("key_hash", sa.Text(), nullable=True), schema="auth")
    op.execute(
        """
        UPDATE auth.clients c SET key_hash = coalesce(
            (SELECT k.key_hash FROM auth.client_keys k WHERE k.client_id = c.id AND k.revoked_at IS NULL
             ORDER BY k.created_at DESC, k.id DESC LIMIT 1),
            'none ' || c.id),
            revoked_at = CASE WHEN c.kind = 'server' THEN coalesce(c.revoked_at, now()) ELSE c.revoked_at END
        """
    )
    op.alter_column("clients", "key_hash", nullable=False, schema="auth")
    op.create_unique_constraint(op.f("uq_clients_key_hash"), "clients", ["key_hash"], schema="auth")
    for name in ("origins", "scopes", "kind"):
        op.drop_column("clients", name, schema="auth")
    op.drop_index("ix_client_keys_client_id", table_name="client_keys", schema="auth")
    op.drop_table("client_keys", schema="auth")
