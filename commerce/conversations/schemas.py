"""Commands and views of `conversations`."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from commerce.kernel.clock import in_utc
from commerce.kernel.text import NO_NUL, Code, LocalisedText, Reason, ShortText, Sku

Channel = Literal["phone", "messenger", "social", "chat", "email", "in_store", "form"]
Direction = Literal["inbound", "outbound"]
State = Literal["open", "waiting", "closed", "joined"]
Outcome = Literal["resolved", "sale", "no_sale", "no_answer", "spam"]
Priority = Literal["normal", "high"]
LostReason = Literal["no_stock", "price", "size", "no_delivery", "no_variant", "other"]
Lateness = Literal["all", "only", "others"]
StepState = Literal["open", "done", "dropped"]
InquiryKind = Literal["call_back", "form", "message"]
EntryKind = Literal["message_out", "call", "visit", "note"]

Words = Annotated[str, Meta(min_length=1, max_length=10_000, pattern=NO_NUL, description="What was said or written")]
Handle = Annotated[
    str, Meta(min_length=1, max_length=254, pattern=NO_NUL, description="Phone, e-mail, or the id in a messenger")
]
Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=NO_NUL, description="anna@example.com")]
Phone = Annotated[str, Meta(min_length=3, max_length=32, pattern=NO_NUL, description="+79000000101")]
Login = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=NO_NUL, description="Name by which the member of staff signs in")
]
OrderNumber = Annotated[str, Meta(min_length=1, max_length=32, pattern=NO_NUL, description="4821-3059-1768")]
ConversationNumber = Annotated[str, Meta(min_length=1, max_length=32, pattern=NO_NUL, description="Q-4821-3059-1768")]
Minutes = Annotated[int, Meta(ge=1, le=10_080)]
Quantity = Annotated[int, Meta(ge=1, le=1_000_000)]
Moment = Annotated[datetime, Meta(tz=True)]


class Inquire(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A shopper asks to be called, sends a form, or writes a message."""

    kind: InquiryKind
    text: Words | None = None
    """Needed for a form and a message."""
    phone: Phone | None = None
    """The profile's when left out."""
    email: Email | None = None
    """The profile's when left out."""
    location: Code | None = None
    """The shop it is meant for."""
    order: OrderNumber | None = None
    """One of his own."""
    preferred_at: Moment | None = None
    """When he would like to be called or answered, within 60 days."""

    def __post_init__(self) -> None:
        if self.preferred_at is not None:
            in_utc(self.preferred_at)


class InquiryView(Struct, frozen=True, kw_only=True):
    """What the shopper is told: the number, and until when somebody will have answered."""

    number: str
    answer_by: datetime
    appended: bool
    """It was added to what he had asked before and nobody has finished."""


class SendMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One more message of the customer."""

    text: Words


class InboundSender(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wrote or called, as the channel knows him."""

    handle: Handle
    """A withheld number is sent as the exchange says it, or as `anonymous`: each such call is a conversation of its own."""
    name: ShortText | None = None
    phone: Phone | None = None
    """Of a messenger: the number by which it has verified its user itself. He is known by it, never by what his handle looks like."""


class InboundMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    """A message or a missed call, delivered by a source."""

    message_id: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
    sender: InboundSender
    occurred_at: Moment
    kind: Literal["message", "missed_call"] = "message"
    text: Words | None = None
    """Needed for a message."""

    def __post_init__(self) -> None:
        in_utc(self.occurred_at)


class ReceivedView(Struct, frozen=True, kw_only=True):
    """Where the message went."""

    number: str
    duplicate: bool
    """This webhook, or this message, had arrived before: nothing was done again."""


class LostDemandIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What he would have bought: by SKU, or in words when there is no such thing."""

    reason: LostReason
    sku: Sku | None = None
    asked_for: ShortText | None = None
    quantity: Quantity = 1


class CloseConversation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it ended. `no_sale` says what was asked for and why it was not sold."""

    outcome: Outcome
    order: OrderNumber | None = None
    """Of a sale."""
    lost: Annotated[list[LostDemandIn], Meta(max_length=20)] = []
    note: Reason | None = None


class PlanNextStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to be done for the customer by a moment, in a shop, by a team or by one person."""

    what: Reason
    due_at: Moment
    location: Code | None = None
    """The conversation's own when left out."""
    team: Code | None = None
    """The location's own, or the conversation's, when left out."""
    assignee: Login | None = None

    def __post_init__(self) -> None:
        in_utc(self.due_at)


class LogConversation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A conversation that has happened, or a call that nobody took."""

    channel: Channel
    direction: Direction = "inbound"
    summary: Words
    subject: ShortText | None = None
    answered: bool = True
    """False: nobody has talked with the customer yet; it waits for an answer as any inquiry does."""
    occurred_at: Moment | None = None
    """Within the last 30 days; now when left out."""
    customer: UUID | None = None
    handle: Handle | None = None
    order: OrderNumber | None = None
    location: Code | None = None
    team: Code | None = None
    priority: Priority = "normal"
    assignee: Login | None = None
    next_step: PlanNextStep | None = None
    outcome: CloseConversation | None = None

    def __post_init__(self) -> None:
        if self.occurred_at is not None:
            in_utc(self.occurred_at)


class AddEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer, a call, a visit, or a note for colleagues."""

    kind: EntryKind
    text: Words | None = None
    """Needed for a message and a note."""
    channel: Channel | None = None
    """Of the answer; for a message the conversation's own when left out, a call is by phone, a visit in store."""
    reached: bool = True
    """False: the call reached nobody, and so is no answer."""
    occurred_at: Moment | None = None

    def __post_init__(self) -> None:
        if self.occurred_at is not None:
            in_utc(self.occurred_at)


class Assign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """To whom it goes now; absent stays, null empties."""

    team: Code | UnsetType = UNSET
    assignee: Login | UnsetType | None = UNSET
    location: Code | UnsetType | None = UNSET
    priority: Priority | UnsetType = UNSET


class Join(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which conversation of the same person it goes on in."""

    into: ConversationNumber


class Link(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose conversation it is, and about which order."""

    customer: UUID | None = None
    order: OrderNumber | None = None


class EndNextStep(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of it, or why it will not be done."""

    result: Reason | None = None


class SaveTeam(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A queue and its promise."""

    name: LocalisedText
    first_answer_minutes: Minutes
    """Of opening time, when the conversation concerns a location; of the clock otherwise."""
    location: Code | None = None
    """The store whose own team it is."""
    channels: Annotated[list[Channel], Meta(max_length=7)] = []
    """What comes by these goes to this team when nothing else is said."""


class TeamView(Struct, frozen=True, kw_only=True):
    """A team."""

    code: str
    name: dict[str, str]
    first_answer_minutes: int
    location: str | None
    channels: list[str]
    version: int


class CreateSource(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who will deliver messages, and where they go."""

    code: Code
    channel: Channel
    team: Code | None = None
    location: Code | None = None


class MessageSourceView(Struct, frozen=True, kw_only=True):
    """A source of messages, without its secret."""

    code: str
    channel: str
    team: str | None
    location: str | None
    secret_version: int
    rotated_at: datetime | None
    old_secret_until: datetime | None
    """Until then the secret before is good, too."""
    created_at: datetime
    revoked_at: datetime | None
    version: int


class SourceSecret(MessageSourceView, frozen=True, kw_only=True):
    """A source with its secret, shown now and to repetitions of this request."""

    secret: str
    """`whsec_…`, for the Standard Webhooks libraries."""


class ConversationEntryView(Struct, frozen=True, kw_only=True):
    """One thing that was said, done or decided."""

    id: UUID
    conversation: str
    n: int
    kind: str
    channel: str | None
    by: str
    """customer, staff or system."""
    author: str | None
    """Login of the member of staff."""
    answers: bool
    text: str | None
    occurred_at: datetime


class NextStepView(Struct, frozen=True, kw_only=True):
    """Something to be done for a customer."""

    id: UUID
    conversation: str
    what: str | None
    due_at: datetime
    due: bool
    location: str | None
    team: str
    assignee: str | None
    state: StepState
    planned_at: datetime
    ended_at: datetime | None
    result: str | None
    version: int


class ConversationSummary(Struct, frozen=True, kw_only=True):
    """A conversation in a list."""

    id: UUID
    number: str
    channel: str
    direction: str
    origin: str
    state: State
    priority: str
    team: str
    location: str | None
    assignee: str | None
    customer: UUID | None
    subject: str | None
    order: str | None
    opened_at: datetime
    unanswered_since: datetime | None
    answer_due_at: datetime | None
    """Until when an answer is promised to who waits longest for it, in whichever of its channels; null while nobody waits."""
    first_answer_due_at: datetime
    first_answered_at: datetime | None
    overdue: bool
    """Somebody waits for an answer, his first or a later one, and the promised moment has passed."""
    closed_at: datetime | None
    outcome: str | None
    outcome_order: str | None
    joined_into: str | None
    version: int


class PartView(Struct, frozen=True, kw_only=True):
    """One of the joined conversations: each is answered in its own channel."""

    number: str
    channel: str
    source: str | None
    handle: str | None
    unanswered_since: datetime | None
    answer_due_at: datetime | None
    first_answered_at: datetime | None
    answered_by: str | None


class RelatedView(Struct, frozen=True, kw_only=True):
    """Another conversation of the same person or handle that is not closed: perhaps to be joined."""

    number: str
    channel: str
    team: str
    state: State
    same: Literal["customer", "handle"]


class CustomerOfConversation(Struct, frozen=True, kw_only=True):
    """Who it is with, from his profile."""

    id: UUID
    name: str | None
    email: str | None
    phone: str | None
    language: str


class LostDemandView(Struct, frozen=True, kw_only=True):
    """What was asked for and not sold."""

    sku: str | None
    asked_for: str | None
    quantity: int
    reason: str


class ConversationView(ConversationSummary, frozen=True, kw_only=True):
    """A conversation as staff see it, with everything that was joined into it."""

    handle: str | None
    source: str | None
    preferred_at: datetime | None
    profile: CustomerOfConversation | None
    parts: list[PartView]
    entries: list[ConversationEntryView]
    """The newest 500, oldest first; of all parts."""
    next_steps: list[NextStepView]
    related: list[RelatedView]
    lost: list[LostDemandView]


class MyMessage(Struct, frozen=True, kw_only=True):
    """A message, a call or a visit, as the customer may see it."""

    kind: str
    by: Literal["me", "shop"]
    text: str | None
    occurred_at: datetime


class MyConversation(Struct, frozen=True, kw_only=True):
    """A conversation of one's own."""

    number: str
    channel: str
    state: Literal["open", "waiting", "closed"]
    order: str | None
    location: str | None
    opened_at: datetime
    answer_by: datetime | None
    """While he waits for an answer."""
    messages: list[MyMessage]
    """The newest 200, oldest first."""


class PersonConversation(Struct, frozen=True, kw_only=True):
    """A conversation in the timeline of a person."""

    id: UUID
    person_id: UUID
    number: str
    channel: str
    direction: str
    origin: str
    state: State
    team: str
    location_id: UUID | None
    assignee_id: UUID | None
    order_number: str | None
    subject: str | None
    summary: str | None
    """The last thing that was said or noted."""
    next_step: str | None
    next_step_due_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None
    outcome: str | None


class LostDemandSum(Struct, frozen=True, kw_only=True):
    """What was asked for and not sold, added up."""

    sku: str | None
    asked_for: str | None
    reason: str
    location: str | None
    quantity: int
    conversations: int


class LostDemandReport(Struct, frozen=True, kw_only=True):
    """Lost demand of a period, the most wanted first; the first thousand lines."""

    since: date
    until: date
    lines: list[LostDemandSum]


class TeamSummary(Struct, frozen=True, kw_only=True):
    """How a team answers."""

    team: str
    open: int
    overdue: int
    opened: int
    """In the period, as the rest."""
    answered: int
    median_first_answer_seconds: int | None
    answered_late: int
    outcomes: dict[str, int]


class SummaryView(Struct, frozen=True, kw_only=True):
    """How the teams answer in a period (UTC days)."""

    since: date
    until: date
    teams: list[TeamSummary]
