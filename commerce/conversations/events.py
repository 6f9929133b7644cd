"""What `conversations` publishes: a fact for each version of a conversation, a next step, a team, a source; never what was said."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from commerce.kernel.events import Event


class ConversationEvent(Event, frozen=True, kw_only=True):
    """What every fact of a conversation names."""

    aggregate = "conversation"
    number: str
    person_id: UUID | None
    team: str
    channel: str


class ConversationOpened(ConversationEvent, frozen=True, kw_only=True):
    """A conversation has begun."""

    type = "conversation.opened"
    origin: str
    direction: str
    location_id: UUID | None
    first_answer_due_at: datetime


class ConversationContinued(ConversationEvent, frozen=True, kw_only=True):
    """The customer has written or called once more."""

    type = "conversation.continued"
    entry_id: UUID


class ConversationAnswered(ConversationEvent, frozen=True, kw_only=True):
    """Staff have written or called; a written answer (`kind` message_out) is to be delivered by whoever serves the source."""

    type = "conversation.answered"
    entry_id: UUID
    kind: str
    by: str
    source: str | None
    reached: bool
    first: bool


class ConversationNoted(ConversationEvent, frozen=True, kw_only=True):
    """Staff have noted something for each other."""

    type = "conversation.noted"
    entry_id: UUID


class ConversationAssigned(ConversationEvent, frozen=True, kw_only=True):
    """Another team, somebody else, another shop or another priority."""

    type = "conversation.assigned"
    assignee_id: UUID | None
    location_id: UUID | None
    priority: str


class ConversationLinked(ConversationEvent, frozen=True, kw_only=True):
    """It is known now who it is, or about which order."""

    type = "conversation.linked"
    order_id: UUID | None


class ConversationJoined(ConversationEvent, frozen=True, kw_only=True):
    """It goes on in another conversation of the same person."""

    type = "conversation.joined"
    into: UUID


class ConversationAbsorbed(ConversationEvent, frozen=True, kw_only=True):
    """Another conversation of the same person goes on in this one."""

    type = "conversation.absorbed"
    joined: UUID


class ConversationClosed(ConversationEvent, frozen=True, kw_only=True):
    """It ended with an outcome."""

    type = "conversation.closed"
    outcome: str
    order_id: UUID | None
    lost: int


class ConversationReopened(ConversationEvent, frozen=True, kw_only=True):
    """It waits for an answer again."""

    type = "conversation.reopened"


class ConversationWaiting(ConversationEvent, frozen=True, kw_only=True):
    """The last of the joined channels is answered: it is the customer's turn."""

    type = "conversation.waiting"


class FirstAnswerOverdue(ConversationEvent, frozen=True, kw_only=True):
    """Nobody has answered in time; told once."""

    type = "conversation.first_answer_overdue"
    first_answer_due_at: datetime


class AnswerOverdue(ConversationEvent, frozen=True, kw_only=True):
    """He has asked again after an answer, and nobody has answered that in time; told once for each time he is kept waiting."""

    type = "conversation.answer_overdue"
    answer_due_at: datetime


class ConversationForgotten(ConversationEvent, frozen=True, kw_only=True):
    """What was said and with whom is forgotten; that there was a conversation is not."""

    type = "conversation.forgotten"


class NextStepEvent(Event, frozen=True, kw_only=True):
    """What every fact of a next step names."""

    aggregate = "next_step"
    conversation_id: UUID
    location_id: UUID | None
    assignee_id: UUID | None


class NextStepPlanned(NextStepEvent, frozen=True, kw_only=True):
    """Something is to be done for a customer by a moment."""

    type = "next_step.planned"
    due_at: datetime


class NextStepDue(NextStepEvent, frozen=True, kw_only=True):
    """Its moment has come; told once."""

    type = "next_step.due"
    due_at: datetime


class NextStepDone(NextStepEvent, frozen=True, kw_only=True):
    """It was done."""

    type = "next_step.done"


class NextStepDropped(NextStepEvent, frozen=True, kw_only=True):
    """It will not be done."""

    type = "next_step.dropped"


class TeamSaved(Event, frozen=True, kw_only=True):
    """A team was made or changed."""

    type = "conversation_team.saved"
    aggregate = "conversation_team"
    code: str
    first_answer_minutes: int
    location_id: UUID | None
    channels: list[str]


class SourceSaved(Event, frozen=True, kw_only=True):
    """A source of messages was made, got a new secret, or was revoked."""

    type = "conversation_source.saved"
    aggregate = "conversation_source"
    code: str
    secret_version: int
    revoked: bool
