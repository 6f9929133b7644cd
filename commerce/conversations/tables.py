"""Tables of `conversations`: What was said with customers, in which channel, and what is still to be answered."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    TypedColumns,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from commerce.infra.tables import metadata

KNOWN_CHANNELS = "channel IN ('phone', 'messenger', 'social', 'chat', 'email', 'in_store', 'form')"


class TeamColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    code = Column(Text, unique=True, nullable=False)
    name = Column(JSONB, nullable=False)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    first_answer_minutes = Column(Integer, nullable=False)
    created_at = Column(DateTime(timezone=True), nullable=False)
    version = Column(Integer, server_default="1", nullable=False)


teams = Table(
    "teams",
    metadata,
    TeamColumns,
    CheckConstraint("first_answer_minutes BETWEEN 1 AND 10080", name="first_answer_minutes"),
    Index("uq_teams_location_id", "location_id", unique=True, postgresql_where=text("location_id IS NOT NULL")),
    schema="conversations",
)
"""A queue. One with a location is that store's own; `general` is there from the beginning and takes what no other team takes."""


class TeamChannelColumns(TypedColumns):
    channel = Column(Text, primary_key=True)
    team_id = Column(Uuid, ForeignKey("conversations.teams.id"), nullable=False)


team_channels = Table(
    "team_channels",
    metadata,
    TeamChannelColumns,
    CheckConstraint(KNOWN_CHANNELS, name="channel_known"),
    Index("ix_team_channels_team_id", "team_id"),
    schema="conversations",
)
"""The team to which a channel's inquiries come when nothing else names one."""


class SourceColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    code = Column(Text, unique=True, nullable=False)
    channel = Column(Text, nullable=False)
    team_id = Column(Uuid, ForeignKey("conversations.teams.id"))
    location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    secret_version = Column(Integer, server_default="1", nullable=False)
    rotated_at = Column(DateTime(timezone=True))
    created_at = Column(DateTime(timezone=True), nullable=False)
    revoked_at = Column(DateTime(timezone=True))
    version = Column(Integer, server_default="1", nullable=False)


sources = Table(
    "sources",
    metadata,
    SourceColumns,
    CheckConstraint(KNOWN_CHANNELS, name="channel_known"),
    CheckConstraint("secret_version > 0 AND (secret_version = 1) = (rotated_at IS NULL)", name="rotated"),
    schema="conversations",
)
"""Who may deliver messages from outside. The secret is derived from the server key, the code and `secret_version`."""


class ConversationColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    number = Column(Text, unique=True, nullable=False)
    person_id = Column(Uuid, ForeignKey("auth.principals.id"))
    channel = Column(Text, nullable=False)
    direction = Column(Text, nullable=False)
    origin = Column(Text, nullable=False)
    team_id = Column(Uuid, ForeignKey("conversations.teams.id"), nullable=False)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    source_id = Column(Uuid, ForeignKey("conversations.sources.id"))
    handle = Column(Text, info={"personal": True})
    handle_hash = Column(Text)
    handle_proven = Column(Boolean, server_default="false", nullable=False)
    order_id = Column(Uuid, ForeignKey("orders.orders.id"))
    order_number = Column(Text)
    subject = Column(Text, info={"personal": True})
    state = Column(Text, nullable=False)
    priority = Column(Text, nullable=False)
    assignee_id = Column(Uuid, ForeignKey("auth.staff.id"))
    preferred_at = Column(DateTime(timezone=True))
    opened_at = Column(DateTime(timezone=True), nullable=False)
    unanswered_since = Column(DateTime(timezone=True))
    answer_due_at = Column(DateTime(timezone=True))
    due_at = Column(DateTime(timezone=True))
    first_answer_due_at = Column(DateTime(timezone=True), nullable=False)
    first_answered_at = Column(DateTime(timezone=True))
    answered_by = Column(Uuid)
    overdue_told_at = Column(DateTime(timezone=True))
    closed_at = Column(DateTime(timezone=True))
    outcome = Column(Text)
    outcome_order_id = Column(Uuid, ForeignKey("orders.orders.id"))
    outcome_order_number = Column(Text)
    joined_into = Column(Uuid, ForeignKey("conversations.conversations.id"))
    forgotten_at = Column(DateTime(timezone=True))
    version = Column(Integer, server_default="1", nullable=False)


conversations = Table(
    "conversations",
    metadata,
    ConversationColumns,
    CheckConstraint(KNOWN_CHANNELS, name="channel_known"),
    CheckConstraint("direction IN ('inbound', 'outbound')", name="direction_known"),
    CheckConstraint(
        "origin IN ('call_back_request', 'missed_call', 'call', 'form', 'message', 'walk_in', 'outbound')", name="origin_known"
    ),
    CheckConstraint("state IN ('open', 'waiting', 'closed', 'joined')", name="state_known"),
    CheckConstraint("priority IN ('normal', 'high')", name="priority_known"),
    CheckConstraint("outcome IN ('resolved', 'sale', 'no_sale', 'no_answer', 'spam', 'erased')", name="outcome_known"),
    CheckConstraint("(closed_at IS NOT NULL) = (state = 'closed')", name="closed"),
    CheckConstraint("(outcome IS NOT NULL) = (state = 'closed')", name="outcome"),
    CheckConstraint("outcome_order_id IS NULL OR outcome = 'sale'", name="outcome_order"),
    CheckConstraint("(joined_into IS NOT NULL) = (state = 'joined') AND joined_into <> id", name="joined"),
    CheckConstraint("(first_answered_at IS NULL) = (answered_by IS NULL)", name="answered_by"),
    CheckConstraint("unanswered_since IS NULL OR state IN ('open', 'joined')", name="unanswered"),
    CheckConstraint("(unanswered_since IS NULL) = (answer_due_at IS NULL)", name="answer_due"),
    CheckConstraint("(order_id IS NULL) = (order_number IS NULL)", name="order_number"),
    CheckConstraint("(outcome_order_id IS NULL) = (outcome_order_number IS NULL)", name="outcome_order_number"),
    Index(
        "uq_conversations_team_id_channel_handle_hash_person_id", "team_id", "channel", "handle_hash", "person_id", unique=True,
        postgresql_where=text("unanswered_since IS NOT NULL AND handle_hash IS NOT NULL"), postgresql_nulls_not_distinct=True,
    ),
    Index("ix_conversations_person_id_opened_at", "person_id", "opened_at"),
    Index("ix_conversations_handle_hash", "handle_hash"),
    Index("ix_conversations_joined_into", "joined_into", postgresql_where=text("joined_into IS NOT NULL")),
    Index("ix_conversations_state_first_answer_due_at_id", "state", "first_answer_due_at", "id"),
    Index("ix_conversations_due_at_id", "due_at", "id", postgresql_where=text("due_at IS NOT NULL")),
    Index("ix_conversations_opened_at", "opened_at"),
    Index(
        "ix_conversations_first_answered_at", "first_answered_at", postgresql_where=text("first_answered_at IS NOT NULL")
    ),
    Index("ix_conversations_closed_at", "closed_at", postgresql_where=text("closed_at IS NOT NULL")),
    postgresql_with={"fillfactor": "80"},
    schema="conversations",
)  # fmt: skip
"""`unanswered_since`: the customer's oldest message that nobody has answered in this channel; `answer_due_at`: until when it is to be
answered, by the same clock whether it is the first or a later one. A joined conversation keeps its own; the one it was joined into is
open as long as one of them is unanswered, and has the earliest of their clocks (`due_at`). `handle_hash` is keyed: it joins, it does
not tell. A handle is proven when the channel itself or staff name it, and not when somebody typed it into a form."""


class EntryColumns(TypedColumns):
    conversation_id = Column(Uuid, ForeignKey("conversations.conversations.id"), primary_key=True)
    n = Column(Integer, primary_key=True)
    id = Column(Uuid, unique=True, nullable=False)
    kind = Column(Text, nullable=False)
    channel = Column(Text)
    written_by = Column(Text, nullable=False)
    author_id = Column(Uuid)
    answers = Column(Boolean, server_default="false", nullable=False)
    text = Column(Text, info={"personal": True})
    data = Column(JSONB, nullable=False)
    source_id = Column(Uuid, ForeignKey("conversations.sources.id"))
    external_id = Column(Text)
    occurred_at = Column(DateTime(timezone=True), nullable=False)
    recorded_at = Column(DateTime(timezone=True), server_default=func.clock_timestamp(), nullable=False)


entries = Table(
    "entries",
    metadata,
    EntryColumns,
    CheckConstraint(
        "kind IN ('message_in', 'message_out', 'call', 'missed_call', 'call_back', 'visit', 'note', 'assigned', 'linked', 'joined',"
        " 'absorbed', 'closed', 'reopened', 'waiting', 'overdue', 'forgotten')",
        name="kind_known",
    ),
    CheckConstraint("written_by IN ('customer', 'staff', 'system')", name="written_by_known"),
    CheckConstraint("NOT answers OR kind IN ('message_out', 'call', 'visit')", name="answers"),
    CheckConstraint("(external_id IS NULL) = (source_id IS NULL)", name="external"),
    UniqueConstraint("source_id", "external_id"),
    schema="conversations",
)
"""`n` is the version of the conversation that it made. Only added to; erasure empties `text`."""


class ReceivedColumns(TypedColumns):
    source_id = Column(Uuid, ForeignKey("conversations.sources.id"), primary_key=True)
    webhook_id = Column(Text, primary_key=True)
    conversation_id = Column(Uuid, ForeignKey("conversations.conversations.id"), nullable=False)
    received_at = Column(DateTime(timezone=True), nullable=False)


received = Table(
    "received",
    metadata,
    ReceivedColumns,
    Index("ix_received_received_at", "received_at"),
    schema="conversations",
)
"""Webhooks that have had their effect; forgotten after a week, when no sender repeats them any more."""


class NextStepColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    conversation_id = Column(Uuid, ForeignKey("conversations.conversations.id"), nullable=False)
    task = Column(Text, info={"personal": True})
    due_at = Column(DateTime(timezone=True), nullable=False)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    team_id = Column(Uuid, ForeignKey("conversations.teams.id"), nullable=False)
    assignee_id = Column(Uuid, ForeignKey("auth.staff.id"))
    state = Column(Text, nullable=False)
    planned_at = Column(DateTime(timezone=True), nullable=False)
    planned_by = Column(Uuid, nullable=False)
    due_told_at = Column(DateTime(timezone=True))
    ended_at = Column(DateTime(timezone=True))
    ended_by = Column(Uuid)
    result = Column(Text, info={"personal": True})
    version = Column(Integer, server_default="1", nullable=False)


next_steps = Table(
    "next_steps",
    metadata,
    NextStepColumns,
    CheckConstraint("state IN ('open', 'done', 'dropped')", name="state_known"),
    CheckConstraint("(ended_at IS NULL) = (state = 'open') AND (ended_by IS NULL) = (ended_at IS NULL)", name="ended"),
    CheckConstraint("result IS NULL OR state <> 'open'", name="result"),
    Index("ix_next_steps_conversation_id", "conversation_id"),
    Index("ix_next_steps_due_at_id", "due_at", "id", postgresql_where=text("state = 'open'")),
    postgresql_with={"fillfactor": "80"},
    schema="conversations",
)


class LostDemandColumns(TypedColumns):
    id = Column(Uuid, primary_key=True)
    conversation_id = Column(Uuid, ForeignKey("conversations.conversations.id"), nullable=False)
    variant_id = Column(Uuid, ForeignKey("catalog.variants.id"))
    sku = Column(Text)
    asked_for = Column(Text, info={"personal": True})
    quantity = Column(Integer, nullable=False)
    reason = Column(Text, nullable=False)
    location_id = Column(Uuid, ForeignKey("locations.locations.id"))
    lost_at = Column(DateTime(timezone=True), nullable=False)


lost_demands = Table(
    "lost_demands",
    metadata,
    LostDemandColumns,
    CheckConstraint("reason IN ('no_stock', 'price', 'size', 'no_delivery', 'no_variant', 'other')", name="reason_known"),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("(variant_id IS NULL) = (sku IS NULL) AND (sku IS NOT NULL OR asked_for IS NOT NULL)", name="what"),
    Index("ix_lost_demands_conversation_id", "conversation_id"),
    Index("ix_lost_demands_lost_at", "lost_at"),
    schema="conversations",
)  # fmt: skip
"""What a customer would have bought. `asked_for` is in words when there is no such SKU; erasure leaves it empty."""
