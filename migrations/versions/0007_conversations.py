"""conversations

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

GENERAL = """
INSERT INTO conversations.teams (id, code, name, first_answer_minutes, created_at)
VALUES ('00000000-0000-7000-8000-00000000c0de', 'general', '{"ru": "Все обращения", "en": "All inquiries"}', 60, clock_timestamp())
"""
"""The team that takes what no other team takes: no inquiry is refused because nobody has set the teams up."""


def upgrade() -> None:
    op.execute("CREATE SCHEMA conversations")
    op.create_table(
        "teams",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("first_answer_minutes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("first_answer_minutes BETWEEN 1 AND 10080", name=op.f("ck_teams_first_answer_minutes")),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_teams_location_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("code", name=op.f("uq_teams_code")),
        schema="conversations",
    )
    op.create_index(
        "uq_teams_location_id",
        "teams",
        ["location_id"],
        unique=True,
        schema="conversations",
        postgresql_where=sa.text("location_id IS NOT NULL"),
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=True),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("secret_version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "channel IN ('phone', 'messenger', 'social', 'chat', 'email', 'in_store', 'form')",
            name=op.f("ck_sources_channel_known"),
        ),
        sa.CheckConstraint(
            "secret_version > 0 AND (secret_version = 1) = (rotated_at IS NULL)", name=op.f("ck_sources_rotated")
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_sources_location_id")),
        sa.ForeignKeyConstraint(["team_id"], ["conversations.teams.id"], name=op.f("fk_sources_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("code", name=op.f("uq_sources_code")),
        schema="conversations",
    )
    op.create_table(
        "team_channels",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "channel IN ('phone', 'messenger', 'social', 'chat', 'email', 'in_store', 'form')",
            name=op.f("ck_team_channels_channel_known"),
        ),
        sa.ForeignKeyConstraint(["team_id"], ["conversations.teams.id"], name=op.f("fk_team_channels_team_id")),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_team_channels")),
        schema="conversations",
    )
    op.create_index("ix_team_channels_team_id", "team_channels", ["team_id"], unique=False, schema="conversations")
    op.create_table(
        "conversations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("source_id", sa.Uuid(), nullable=True),
        sa.Column("handle", sa.Text(), nullable=True),
        sa.Column("handle_hash", sa.Text(), nullable=True),
        sa.Column("handle_proven", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("order_number", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("preferred_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unanswered_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_answer_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("first_answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("overdue_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("outcome_order_id", sa.Uuid(), nullable=True),
        sa.Column("outcome_order_number", sa.Text(), nullable=True),
        sa.Column("joined_into", sa.Uuid(), nullable=True),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint("(closed_at IS NOT NULL) = (state = 'closed')", name=op.f("ck_conversations_closed")),
        sa.CheckConstraint(
            "(joined_into IS NOT NULL) = (state = 'joined') AND joined_into <> id", name=op.f("ck_conversations_joined")
        ),
        sa.CheckConstraint("(outcome IS NOT NULL) = (state = 'closed')", name=op.f("ck_conversations_outcome")),
        sa.CheckConstraint(
            "channel IN ('phone', 'messenger', 'social', 'chat', 'email', 'in_store', 'form')",
            name=op.f("ck_conversations_channel_known"),
        ),
        sa.CheckConstraint("direction IN ('inbound', 'outbound')", name=op.f("ck_conversations_direction_known")),
        sa.CheckConstraint(
            "origin IN ('call_back_request', 'missed_call', 'call', 'form', 'message', 'walk_in', 'outbound')",
            name=op.f("ck_conversations_origin_known"),
        ),
        sa.CheckConstraint(
            "outcome IN ('resolved', 'sale', 'no_sale', 'no_answer', 'spam', 'erased')",
            name=op.f("ck_conversations_outcome_known"),
        ),
        sa.CheckConstraint("outcome_order_id IS NULL OR outcome = 'sale'", name=op.f("ck_conversations_outcome_order")),
        sa.CheckConstraint("priority IN ('normal', 'high')", name=op.f("ck_conversations_priority_known")),
        sa.CheckConstraint(
            "state IN ('open', 'waiting', 'closed', 'joined')", name=op.f("ck_conversations_state_known")
        ),
        sa.CheckConstraint(
            "unanswered_since IS NULL OR state IN ('open', 'joined')", name=op.f("ck_conversations_unanswered")
        ),
        sa.CheckConstraint(
            "(first_answered_at IS NULL) = (answered_by IS NULL)", name=op.f("ck_conversations_answered_by")
        ),
        sa.CheckConstraint("(order_id IS NULL) = (order_number IS NULL)", name=op.f("ck_conversations_order_number")),
        sa.CheckConstraint(
            "(outcome_order_id IS NULL) = (outcome_order_number IS NULL)",
            name=op.f("ck_conversations_outcome_order_number"),
        ),
        sa.ForeignKeyConstraint(["assignee_id"], ["auth.staff.id"], name=op.f("fk_conversations_assignee_id")),
        sa.ForeignKeyConstraint(
            ["joined_into"], ["conversations.conversations.id"], name=op.f("fk_conversations_joined_into")
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_conversations_location_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.orders.id"], name=op.f("fk_conversations_order_id")),
        sa.ForeignKeyConstraint(
            ["outcome_order_id"], ["orders.orders.id"], name=op.f("fk_conversations_outcome_order_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["auth.principals.id"], name=op.f("fk_conversations_person_id")),
        sa.ForeignKeyConstraint(["source_id"], ["conversations.sources.id"], name=op.f("fk_conversations_source_id")),
        sa.ForeignKeyConstraint(["team_id"], ["conversations.teams.id"], name=op.f("fk_conversations_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
        sa.UniqueConstraint("number", name=op.f("uq_conversations_number")),
        schema="conversations",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_conversations_closed_at",
        "conversations",
        ["closed_at"],
        unique=False,
        schema="conversations",
        postgresql_where=sa.text("closed_at IS NOT NULL"),
    )
    op.create_index(
        "ix_conversations_handle_hash", "conversations", ["handle_hash"], unique=False, schema="conversations"
    )
    op.create_index(
        "ix_conversations_joined_into",
        "conversations",
        ["joined_into"],
        unique=False,
        schema="conversations",
        postgresql_where=sa.text("joined_into IS NOT NULL"),
    )
    op.create_index(
        "ix_conversations_person_id_opened_at",
        "conversations",
        ["person_id", "opened_at"],
        unique=False,
        schema="conversations",
    )
    op.create_index(
        "ix_conversations_state_first_answer_due_at_id",
        "conversations",
        ["state", "first_answer_due_at", "id"],
        unique=False,
        schema="conversations",
    )
    op.create_index(
        "uq_conversations_team_id_channel_handle_hash_person_id",
        "conversations",
        ["team_id", "channel", "handle_hash", "person_id"],
        unique=True,
        schema="conversations",
        postgresql_where=sa.text("unanswered_since IS NOT NULL AND handle_hash IS NOT NULL"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "entries",
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("written_by", sa.Text(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=True),
        sa.Column("answers", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "recorded_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.CheckConstraint("NOT answers OR kind IN ('message_out', 'call', 'visit')", name=op.f("ck_entries_answers")),
        sa.CheckConstraint(
            "kind IN ('message_in', 'message_out', 'call', 'missed_call', 'call_back', 'visit', 'note', 'assigned', 'linked', 'joined', 'absorbed', 'closed', 'reopened', 'waiting', 'overdue', 'forgotten')",
            name=op.f("ck_entries_kind_known"),
        ),
        sa.CheckConstraint("written_by IN ('customer', 'staff', 'system')", name=op.f("ck_entries_written_by_known")),
        sa.CheckConstraint("(external_id IS NULL) = (source_id IS NULL)", name=op.f("ck_entries_external")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.conversations.id"], name=op.f("fk_entries_conversation_id")
        ),
        sa.ForeignKeyConstraint(["source_id"], ["conversations.sources.id"], name=op.f("fk_entries_source_id")),
        sa.PrimaryKeyConstraint("conversation_id", "n", name=op.f("pk_entries")),
        sa.UniqueConstraint("id", name=op.f("uq_entries_id")),
        sa.UniqueConstraint("source_id", "external_id", name=op.f("uq_entries_source_id_external_id")),
        schema="conversations",
    )
    op.create_table(
        "lost_demands",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("variant_id", sa.Uuid(), nullable=True),
        sa.Column("sku", sa.Text(), nullable=True),
        sa.Column("asked_for", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "reason IN ('no_stock', 'price', 'size', 'no_delivery', 'no_variant', 'other')",
            name=op.f("ck_lost_demands_reason_known"),
        ),
        sa.CheckConstraint(
            "(variant_id IS NULL) = (sku IS NULL) AND (sku IS NOT NULL OR asked_for IS NOT NULL)",
            name=op.f("ck_lost_demands_what"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_lost_demands_quantity")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.conversations.id"], name=op.f("fk_lost_demands_conversation_id")
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_lost_demands_location_id")),
        sa.ForeignKeyConstraint(["variant_id"], ["catalog.variants.id"], name=op.f("fk_lost_demands_variant_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lost_demands")),
        schema="conversations",
    )
    op.create_index(
        "ix_lost_demands_conversation_id", "lost_demands", ["conversation_id"], unique=False, schema="conversations"
    )
    op.create_index("ix_lost_demands_lost_at", "lost_demands", ["lost_at"], unique=False, schema="conversations")
    op.create_table(
        "next_steps",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("task", sa.Text(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("team_id", sa.Uuid(), nullable=False),
        sa.Column("assignee_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("planned_by", sa.Uuid(), nullable=False),
        sa.Column("due_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (state = 'open') AND (ended_by IS NULL) = (ended_at IS NULL)",
            name=op.f("ck_next_steps_ended"),
        ),
        sa.CheckConstraint("result IS NULL OR state <> 'open'", name=op.f("ck_next_steps_result")),
        sa.CheckConstraint("state IN ('open', 'done', 'dropped')", name=op.f("ck_next_steps_state_known")),
        sa.ForeignKeyConstraint(["assignee_id"], ["auth.staff.id"], name=op.f("fk_next_steps_assignee_id")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.conversations.id"], name=op.f("fk_next_steps_conversation_id")
        ),
        sa.ForeignKeyConstraint(["location_id"], ["locations.locations.id"], name=op.f("fk_next_steps_location_id")),
        sa.ForeignKeyConstraint(["team_id"], ["conversations.teams.id"], name=op.f("fk_next_steps_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_next_steps")),
        schema="conversations",
        postgresql_with={"fillfactor": "80"},
    )
    op.create_index(
        "ix_next_steps_conversation_id", "next_steps", ["conversation_id"], unique=False, schema="conversations"
    )
    op.create_index(
        "ix_next_steps_due_at_id",
        "next_steps",
        ["due_at", "id"],
        unique=False,
        schema="conversations",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "received",
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.conversations.id"], name=op.f("fk_received_conversation_id")
        ),
        sa.ForeignKeyConstraint(["source_id"], ["conversations.sources.id"], name=op.f("fk_received_source_id")),
        sa.PrimaryKeyConstraint("source_id", "webhook_id", name=op.f("pk_received")),
        schema="conversations",
    )
    op.create_index("ix_received_received_at", "received", ["received_at"], unique=False, schema="conversations")
    op.execute(GENERAL)


def downgrade() -> None:
    op.drop_table("received", schema="conversations")
    op.drop_table("next_steps", schema="conversations")
    op.drop_table("lost_demands", schema="conversations")
    op.drop_table("entries", schema="conversations")
    op.drop_table("conversations", schema="conversations")
    op.drop_table("team_channels", schema="conversations")
    op.drop_table("sources", schema="conversations")
    op.drop_table("teams", schema="conversations")
    op.execute("DROP SCHEMA conversations")
