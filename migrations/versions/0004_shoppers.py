"""shoppers and their identifiers

Until now nobody had proved an e-mail or a phone, and from now on only what is proved opens an account. So accounts without a verified
contact become guests, whose sessions end: whoever proves the contact by a code gets what was ordered with it.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UNPROVED_BECOME_GUESTS = """
WITH RECURSIVE family AS (
    SELECT id AS winner, id FROM customers.profiles WHERE merged_into IS NULL AND erased_at IS NULL
    UNION
    SELECT f.winner, m.id FROM family f JOIN customers.profiles m ON m.merged_into = f.id
), proved AS MATERIALIZED (
    SELECT DISTINCT f.winner FROM customers.identifiers i JOIN family f ON f.id = i.profile_id
    WHERE i.kind IN ('email', 'phone') AND i.verified_at IS NOT NULL
), unproved AS (
    UPDATE customers.profiles p SET guest = true
    WHERE p.erased_at IS NULL AND p.merged_into IS NULL AND NOT EXISTS (SELECT 1 FROM proved WHERE winner = p.id)
    RETURNING id
)
UPDATE auth.sessions s SET revoked_at = now(), revoked_reason = 'unproved'
FROM unproved WHERE s.principal_id = unproved.id AND s.revoked_at IS NULL
"""
NAMED_BY_OTHERS = """
UPDATE customers.identifiers SET system = 'unknown' WHERE kind = 'external' AND system = ''
"""
ONE_OF_A_VALUE = """
DELETE FROM customers.identifiers WHERE kind = 'device' OR id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER (PARTITION BY kind, value ORDER BY verified_at NULLS LAST, created_at, id) AS n
        FROM customers.identifiers
    ) held WHERE n > 1
)
"""


def upgrade() -> None:
    op.create_table(
        "code_limits",
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("sends", postgresql.ARRAY(sa.DateTime(timezone=True)), server_default="{}", nullable=False),
        sa.Column("misses", postgresql.ARRAY(sa.DateTime(timezone=True)), server_default="{}", nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("cardinality(sends) <= 5", name=op.f("ck_code_limits_sends")),
        sa.CheckConstraint("cardinality(misses) <= 10", name=op.f("ck_code_limits_misses")),
        sa.PrimaryKeyConstraint("identity", name=op.f("pk_code_limits")),
        schema="auth",
    )
    op.create_index("ix_code_limits_used_at", "code_limits", ["used_at"], unique=False, schema="auth")
    op.create_table(
        "challenges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("principal_id", sa.Uuid(), nullable=True),
        sa.Column("counter", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('phone', 'email')", name=op.f("ck_challenges_kind_known")),
        sa.CheckConstraint("purpose IN ('sign_in', 'verify')", name=op.f("ck_challenges_purpose_known")),
        sa.CheckConstraint("counter > 0", name=op.f("ck_challenges_counter_positive")),
        sa.CheckConstraint("attempts BETWEEN 0 AND 5", name=op.f("ck_challenges_attempts")),
        sa.CheckConstraint(
            "(settled_at IS NULL) = (contact IS NOT NULL)", name=op.f("ck_challenges_contact_while_live")
        ),
        sa.ForeignKeyConstraint(
            ["principal_id"], ["auth.principals.id"], name=op.f("fk_challenges_principal_id_principals")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_challenges")),
        schema="auth",
    )
    op.create_index("ix_challenges_identity", "challenges", ["identity"], unique=False, schema="auth")
    op.create_index("ix_challenges_principal_id", "challenges", ["principal_id"], unique=False, schema="auth")
    op.create_index("ix_challenges_expires_at", "challenges", ["expires_at"], unique=False, schema="auth")
    op.add_column("sessions", sa.Column("proof", sa.Text(), nullable=True), schema="auth")

    op.add_column(
        "profiles",
        sa.Column("guest", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        schema="customers",
    )
    op.create_index(
        "ix_profiles_name_prefix",
        "profiles",
        [sa.literal_column("lower(name) text_pattern_ops")],
        unique=False,
        schema="customers",
    )
    op.drop_constraint(op.f("uq_identifiers_kind_value"), "identifiers", schema="customers", type_="unique")
    op.drop_constraint(op.f("ck_identifiers_kind_known"), "identifiers", schema="customers", type_="check")
    op.drop_index("ix_identifiers_profile_id", table_name="identifiers", schema="customers")
    op.add_column("identifiers", sa.Column("system", sa.Text(), server_default="", nullable=False), schema="customers")
    op.execute(NAMED_BY_OTHERS)
    op.execute("UPDATE customers.identifiers SET verified_at = created_at WHERE kind IN ('loyalty_card', 'external')")
    op.execute(UNPROVED_BECOME_GUESTS)
    op.create_check_constraint(
        op.f("ck_identifiers_kind_known"), "identifiers",
        "kind IN ('email', 'phone', 'loyalty_card', 'device', 'external')", schema="customers",
    )  # fmt: skip
    op.create_check_constraint(
        op.f("ck_identifiers_system_of_external"),
        "identifiers",
        "(kind = 'external') = (system <> '')",
        schema="customers",
    )
    op.create_unique_constraint(
        op.f("uq_identifiers_profile_id_kind_system_value"), "identifiers", ["profile_id", "kind", "system", "value"],
        schema="customers",
    )  # fmt: skip
    op.create_index(
        "uq_identifiers_verified", "identifiers", ["kind", "system", "value"], unique=True, schema="customers",
        postgresql_where=sa.text("verified_at IS NOT NULL"),
    )  # fmt: skip
    op.create_index(
        "ix_identifiers_value", "identifiers", ["kind", "system", "value"], unique=False, schema="customers"
    )
    op.create_table(
        "merges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("winner_id", sa.Uuid(), nullable=False),
        sa.Column("loser_id", sa.Uuid(), nullable=False),
        sa.Column("merged_by", sa.Uuid(), nullable=False),
        sa.Column("proof", sa.Text(), nullable=False),
        sa.Column("merged_because", sa.Text(), nullable=True),
        sa.Column("merged_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_by", sa.Uuid(), nullable=True),
        sa.Column("undone_because", sa.Text(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("proof IN ('staff', 'code')", name=op.f("ck_merges_proof_known")),
        sa.CheckConstraint("winner_id <> loser_id", name=op.f("ck_merges_not_into_itself")),
        sa.CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name=op.f("ck_merges_undone")),
        sa.ForeignKeyConstraint(["winner_id"], ["customers.profiles.id"], name=op.f("fk_merges_winner_id_profiles")),
        sa.ForeignKeyConstraint(["loser_id"], ["customers.profiles.id"], name=op.f("fk_merges_loser_id_profiles")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_merges")),
        schema="customers",
    )
    op.create_index(
        "uq_merges_standing", "merges", ["loser_id"], unique=True, schema="customers",
        postgresql_where=sa.text("undone_at IS NULL"),
    )  # fmt: skip
    op.create_index("ix_merges_winner_id", "merges", ["winner_id"], unique=False, schema="customers")
    op.create_index("ix_merges_loser_id", "merges", ["loser_id"], unique=False, schema="customers")


def downgrade() -> None:
    op.drop_table("merges", schema="customers")
    op.drop_index("ix_identifiers_value", table_name="identifiers", schema="customers")
    op.drop_index("uq_identifiers_verified", table_name="identifiers", schema="customers")
    op.drop_constraint(
        op.f("uq_identifiers_profile_id_kind_system_value"), "identifiers", schema="customers", type_="unique"
    )
    op.drop_constraint(op.f("ck_identifiers_system_of_external"), "identifiers", schema="customers", type_="check")
    op.drop_constraint(op.f("ck_identifiers_kind_known"), "identifiers", schema="customers", type_="check")
    # the earlier form knows a value once, whoever says it of himself
    op.execute(ONE_OF_A_VALUE)
    op.drop_column("identifiers", "system", schema="customers")
    op.create_check_constraint(
        op.f("ck_identifiers_kind_known"), "identifiers", "kind IN ('email', 'phone', 'loyalty_card', 'external')",
        schema="customers",
    )  # fmt: skip
    op.create_index("ix_identifiers_profile_id", "identifiers", ["profile_id"], unique=False, schema="customers")
    op.create_unique_constraint(op.f("uq_identifiers_kind_value"), "identifiers", ["kind", "value"], schema="customers")
    op.drop_index("ix_profiles_name_prefix", table_name="profiles", schema="customers")
    op.drop_column("profiles", "guest", schema="customers")
    op.drop_column("sessions", "proof", schema="auth")
    op.drop_table("challenges", schema="auth")
    op.drop_table("code_limits", schema="auth")
