"""HTTP of `conversations`: what shoppers ask, what sources deliver, the staff's queue and next steps, the desk, the reports."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get, post, put
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter
from msgspec import Meta

from commerce import auth, catalog, customers, locations, orders
from commerce.conversations import desk, flow, queries, service, steps
from commerce.conversations.errors import (
    AnotherWaits,
    CallBackNeedsPhone,
    ChannelHasTeam,
    ConversationClosed,
    ConversationJoinedAlready,
    ConversationOpen,
    DifferentPeople,
    FormNeedsContact,
    JoinedIntoItself,
    LocationHasTeam,
    NextStepEnded,
    NothingToAssign,
    NothingToLink,
    OtherPersonsOrder,
    OtherStoresConversation,
    OutcomeDetails,
    SourceRevoked,
    SourceTaken,
    StaleConversation,
    StaleTeam,
    TextNeeded,
    UnknownAssignee,
    UnknownConversation,
    UnknownNextStep,
    UnknownSource,
    UnknownTeam,
    WrongMoment,
    WrongSignature,
)
from commerce.conversations.schemas import (
    AddEntry,
    Assign,
    CloseConversation,
    ConversationNumber,
    ConversationSummary,
    ConversationView,
    CreateSource,
    EndNextStep,
    InboundMessage,
    Inquire,
    InquiryView,
    Join,
    Lateness,
    Link,
    LogConversation,
    Login,
    LostDemandReport,
    LostReason,
    MessageSourceView,
    MyConversation,
    NextStepView,
    PlanNextStep,
    ReceivedView,
    SaveTeam,
    SendMessage,
    SourceSecret,
    State,
    StepState,
    SummaryView,
    TeamView,
)
from commerce.infra.db import Database, Once
from commerce.infra.http import StaleTag, problems, writes
from commerce.infra.parameters import Instant, id_of, moment
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import Code, IdText, Sku
from commerce.settings import Settings

SECRET = CacheControlHeader(no_store=True)
WORK = [auth.staff("conversations.work")]
DESK = [auth.everywhere("conversations.write")]
ONE = (UnknownConversation, OtherStoresConversation)
STEP = (*ONE, StaleConversation, StaleTag, ConversationClosed)
CHANGE = (*STEP, ConversationJoinedAlready)

States = Annotated[
    list[State] | None,
    QueryParameter(name="state", required=False, description="Repeat it for several; those not closed when left out"),
]
OfTeam = Annotated[Code | None, QueryParameter(name="team", required=False, description="Code of a team")]
Assignee = Annotated[
    Login | None, QueryParameter(name="assignee", required=False, description="Login of a member of staff, or `me`")
]
OfCustomer = Annotated[
    IdText | None,
    QueryParameter(name="customer", required=False, description="Id of a customer: his, and of all merged into him"),
]
Overdue = Annotated[
    Lateness,
    QueryParameter(
        name="overdue",
        required=False,
        description="`only` those nobody has answered in time, only the `others`, or `all`",
    ),
]
WantedSteps = Annotated[StepState, QueryParameter(name="state", required=False, description="Open when left out")]
DueUntil = Annotated[
    Instant | None, QueryParameter(name="until", required=False, description="Only what is due by this moment")
]
FromDate = Annotated[date, QueryParameter(name="from", description="The first day, in UTC")]
UntilDate = Annotated[date, QueryParameter(name="until", description="The last day, in UTC")]
WantedReason = Annotated[
    LostReason | None, QueryParameter(name="reason", required=False, description="Only lost for this reason")
]
WantedSku = Annotated[Sku | None, QueryParameter(name="sku", required=False, description="Only this SKU")]
SourceCode = Annotated[Code, Meta(description="Code of a source of messages")]
WebhookId = Annotated[
    str | None,
    HeaderParameter(name="webhook-id", required=False, description="Id of the delivery, the same on each retry of it"),
]
WebhookTimestamp = Annotated[
    str | None,
    HeaderParameter(name="webhook-timestamp", required=False, description="Seconds since the epoch, when it was sent"),
]
WebhookSignature = Annotated[
    str | None,
    HeaderParameter(
        name="webhook-signature",
        required=False,
        description="`v1,` and base64 of HMAC-SHA-256 over `id.timestamp.body`",
    ),
]


@post(
    "/v1/inquiries", operation_id="inquire", tags=["shop"], guards=[auth.shopper], status_code=201,
    responses=writes(
        CallBackNeedsPhone, FormNeedsContact, TextNeeded, WrongMoment, customers.BadPhone, customers.BadEmail,
        locations.UnknownLocation, orders.UnknownOrder,
    ),
)  # fmt: skip
async def inquire(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[Inquire],
) -> InquiryView:
    """Ask to be called back, send a form, or write a message. The answer says until when somebody will have answered."""
    return await db.write_once(once, InquiryView, service.inquire, actor, command=data, secret_key=settings.secret_key)


@get(
    "/v1/me/conversations", operation_id="list_my_conversations", tags=["shop"], guards=[auth.shopper],
    responses=problems(BadCursor),
)  # fmt: skip
async def list_my_conversations(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[MyConversation]:
    """One's own conversations with the shop, the newest first, with what was written either way."""
    return await db.read(queries.my_page, actor, limit=limit, cursor=cursor)


@post(
    "/v1/me/conversations/{number:str}/messages", operation_id="send_message", tags=["shop"], guards=[auth.shopper],
    status_code=201, responses=writes(UnknownConversation, ConversationClosed),
)  # fmt: skip
async def send_message(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    number: FromPath[ConversationNumber],
    data: JSONBody[SendMessage],
) -> MyConversation:
    """Write once more in one's own conversation."""
    return await db.write_once(once, MyConversation, service.send, actor, number=number, command=data)


@post(
    "/v1/webhooks/messages/{source:str}", operation_id="receive_message", tags=["system"], guards=[auth.public],
    status_code=202, responses=problems(WrongSignature, TextNeeded, WrongMoment),
)  # fmt: skip
async def receive_message(
    request: Request[Any, Any, Any],
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    source: FromPath[SourceCode],
    data: JSONBody[InboundMessage],
    webhook_id: WebhookId = None,
    webhook_timestamp: WebhookTimestamp = None,
    webhook_signature: WebhookSignature = None,
) -> ReceivedView:
    """Take a message or a missed call from a messenger, a mailbox or a telephone exchange, signed by the Standard Webhooks rules.

    The same `webhook-id`, or the same `message_id`, does nothing twice; no Idempotency-Key is needed.
    """
    return await flow.receive(
        db, settings, actor, code=source, message=data,
        signed=flow.Signed(webhook_id, webhook_timestamp, webhook_signature, await request.body()),
    )  # fmt: skip


@get(
    "/v1/conversations", operation_id="list_conversations", tags=["store"], guards=WORK,
    responses=problems(BadCursor, locations.UnknownLocation, UnknownAssignee),
)  # fmt: skip
async def list_conversations(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    team: OfTeam = None,
    location: FromQuery[Code | None] = None,
    states: States = None,
    assignee: Assignee = None,
    customer: OfCustomer = None,
    overdue: Overdue = "all",
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[ConversationSummary]:
    """The queue: whose first answer is due first comes first. Staff of a store see what concerns it or its team, and what is theirs."""
    return await db.read(
        queries.listing, actor, team=team, location=location, states=states, assignee=assignee,
        customer=id_of(customer),
        overdue=overdue, limit=limit, cursor=cursor,
    )  # fmt: skip


@post(
    "/v1/conversations", operation_id="log_conversation", tags=["store"], guards=WORK, status_code=201,
    responses=writes(
        auth.NotYourLocation, UnknownTeam, UnknownAssignee, WrongMoment, OutcomeDetails,
        customers.UnknownCustomer, orders.UnknownOrder, catalog.UnknownSku, locations.UnknownLocation,
    ),
)  # fmt: skip
async def log_conversation(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[LogConversation],
) -> ConversationView:
    """Record a conversation that has happened: who, about what, the next step, the outcome; or a call that nobody took."""
    return await db.write_once(once, ConversationView, service.log, actor, command=data, secret_key=settings.secret_key)


@get(
    "/v1/conversations/summary", operation_id="read_conversation_summary", tags=["store"], guards=WORK,
    responses=problems(WrongMoment),
)  # fmt: skip
async def read_conversation_summary(
    db: NamedDependency[Database], actor: NamedDependency[Actor], since: FromDate, until: UntilDate
) -> SummaryView:
    """How each team answers: open and overdue now; in the period the median to the first answer, late ones, and the outcomes."""
    return await db.read(queries.summary, actor, since=since, until=until)


@get(
    "/v1/conversations/{number:str}", operation_id="get_conversation", tags=["store"], guards=WORK,
    responses=problems(*ONE),
)  # fmt: skip
async def get_conversation(
    db: NamedDependency[Database], actor: NamedDependency[Actor], number: FromPath[ConversationNumber]
) -> ConversationView:
    """One conversation: what was said in every channel joined into it, what is still to be done, and others of the same customer. Who
    reads it is recorded."""
    return await flow.read(db, actor, number=number)


@post(
    "/v1/conversations/{number:str}/entries", operation_id="add_conversation_entry", tags=["store"], guards=WORK,
    status_code=201, responses=writes(*STEP, TextNeeded, WrongMoment),
)  # fmt: skip
async def add_conversation_entry(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    number: FromPath[ConversationNumber],
    data: JSONBody[AddEntry],
) -> ConversationView:
    """Answer, record a call or a visit, or note something for colleagues. A written answer is published for whoever delivers it."""
    return await db.write_once(
        once, ConversationView, service.add_entry, actor, number=number, command=data, if_match=if_match
    )


@post(
    "/v1/conversations/{number:str}/assign", operation_id="assign_conversation", tags=["store"], guards=WORK,
    status_code=200,
    responses=writes(*CHANGE, NothingToAssign, UnknownTeam, UnknownAssignee, AnotherWaits, locations.UnknownLocation),
)  # fmt: skip
async def assign_conversation(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    number: FromPath[ConversationNumber],
    data: JSONBody[Assign],
) -> ConversationView:
    """Give it to another team, to somebody, to another shop, or another priority. Absent stays, null empties."""
    return await db.write_once(
        once, ConversationView, service.assign, actor, number=number, command=data, if_match=if_match
    )


@post(
    "/v1/conversations/{number:str}/join", operation_id="join_conversation", tags=["store"], guards=WORK, status_code=200,
    responses=writes(*CHANGE, JoinedIntoItself, DifferentPeople),
)  # fmt: skip
async def join_conversation(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    number: FromPath[ConversationNumber],
    data: JSONBody[Join],
) -> ConversationView:
    """Let it go on in another conversation of the same person. Nothing moves; each is still answered in the channel it came from."""
    return await db.write_once(
        once, ConversationView, service.join, actor, number=number, command=data, if_match=if_match
    )


@post(
    "/v1/conversations/{number:str}/link", operation_id="link_conversation", tags=["store"], guards=WORK, status_code=200,
    responses=writes(
        *CHANGE, NothingToLink, AnotherWaits, OtherPersonsOrder, customers.UnknownCustomer, orders.UnknownOrder
    ),
)  # fmt: skip
async def link_conversation(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    number: FromPath[ConversationNumber],
    data: JSONBody[Link],
) -> ConversationView:
    """Say whose conversation it is and about which order. What the same handle writes later is his, too."""
    return await db.write_once(
        once, ConversationView, service.link, actor, number=number, command=data, if_match=if_match
    )


@post(
    "/v1/conversations/{number:str}/close", operation_id="close_conversation", tags=["store"], guards=WORK,
    status_code=200,
    responses=writes(*CHANGE, OutcomeDetails, orders.UnknownOrder, catalog.UnknownSku),
)  # fmt: skip
async def close_conversation(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    number: FromPath[ConversationNumber],
    data: JSONBody[CloseConversation],
) -> ConversationView:
    """End it with an outcome. `no_sale` names what was asked for and why it was not sold: lost demand."""
    return await db.write_once(
        once, ConversationView, service.close, actor, number=number, command=data, if_match=if_match
    )


@post(
    "/v1/conversations/{number:str}/reopen", operation_id="reopen_conversation", tags=["store"], guards=WORK,
    status_code=200, responses=writes(*CHANGE, ConversationOpen, AnotherWaits),
)  # fmt: skip
async def reopen_conversation(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    number: FromPath[ConversationNumber],
) -> ConversationView:
    """Take its end back: it waits for an answer again, and its lost demand is not lost any more."""
    return await db.write_once(once, ConversationView, service.reopen, actor, number=number, if_match=if_match)


@post(
    "/v1/conversations/{number:str}/next-steps", operation_id="plan_next_step", tags=["store"], guards=WORK,
    status_code=201, responses=writes(*STEP, WrongMoment, UnknownTeam, UnknownAssignee, locations.UnknownLocation),
)  # fmt: skip
async def plan_next_step(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    number: FromPath[ConversationNumber],
    data: JSONBody[PlanNextStep],
) -> NextStepView:
    """Plan something for its customer, in any shop: it is in the list there until it is done or dropped."""
    return await db.write_once(once, NextStepView, steps.plan, actor, number=number, command=data, if_match=if_match)


@get(
    "/v1/next-steps", operation_id="list_next_steps", tags=["store"], guards=WORK,
    responses=problems(BadCursor, locations.UnknownLocation, UnknownAssignee),
)  # fmt: skip
async def list_next_steps(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    team: OfTeam = None,
    location: FromQuery[Code | None] = None,
    assignee: Assignee = None,
    wanted: WantedSteps = "open",
    until: DueUntil = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[NextStepView]:
    """What is to be done for customers in the caller's shops and teams and by himself, the earliest first."""
    return await db.read(
        queries.next_steps, actor, team=team, location=location, assignee=assignee, state=wanted, until=moment("until", until), limit=limit,
        cursor=cursor,
    )  # fmt: skip


@get(
    "/v1/stores/{code:str}/next-steps", operation_id="list_store_next_steps", tags=["store"],
    guards=[auth.at_store("conversations.work")],
    responses=problems(BadCursor, locations.UnknownLocation, UnknownAssignee),
)  # fmt: skip
async def list_store_next_steps(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    assignee: Assignee = None,
    wanted: WantedSteps = "open",
    until: DueUntil = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[NextStepView]:
    """What is to be done for customers in one shop, the earliest first: "call him back on Tuesday"."""
    return await db.read(
        queries.next_steps, actor, team=None, location=code, assignee=assignee, state=wanted, until=moment("until", until), limit=limit,
        cursor=cursor,
    )  # fmt: skip


@post(
    "/v1/next-steps/{id:uuid}/done", operation_id="finish_next_step", tags=["store"], guards=WORK, status_code=200,
    responses=writes(UnknownNextStep, NextStepEnded),
)  # fmt: skip
async def finish_next_step(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    id: FromPath[UUID],  # noqa: A002
    data: JSONBody[EndNextStep],
) -> NextStepView:
    """It is done, and what came of it."""
    return await db.write_once(once, NextStepView, steps.end, actor, id=id, state="done", command=data)


@post(
    "/v1/next-steps/{id:uuid}/drop", operation_id="drop_next_step", tags=["store"], guards=WORK, status_code=200,
    responses=writes(UnknownNextStep, NextStepEnded),
)  # fmt: skip
async def drop_next_step(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    id: FromPath[UUID],  # noqa: A002
    data: JSONBody[EndNextStep],
) -> NextStepView:
    """It will not be done, and why."""
    return await db.write_once(once, NextStepView, steps.end, actor, id=id, state="dropped", command=data)


@get(
    "/v1/lost-demands", operation_id="read_lost_demand", tags=["back office"], guards=[auth.everywhere("stock.read")],
    responses=problems(WrongMoment, locations.UnknownLocation),
)  # fmt: skip
async def read_lost_demand(
    db: NamedDependency[Database],
    since: FromDate,
    until: UntilDate,
    sku: WantedSku = None,
    reason: WantedReason = None,
    location: FromQuery[Code | None] = None,
) -> LostDemandReport:
    """What customers asked for and did not buy, by SKU or in words, reason and location; the most wanted first."""
    return await db.read(queries.lost_demand, since=since, until=until, sku=sku, reason=reason, location=location)


@get(
    "/v1/conversation-teams", operation_id="list_conversation_teams", tags=["store"], guards=WORK,
    responses=problems(BadCursor),
)  # fmt: skip
async def list_conversation_teams(
    db: NamedDependency[Database], limit: FromQuery[Limit] = 50, cursor: FromQuery[Cursor | None] = None
) -> Page[TeamView]:
    """The teams, by code: to whom a conversation can be given."""
    return await db.read(queries.teams, limit=limit, cursor=cursor)


@put(
    "/v1/conversation-teams/{team:str}", operation_id="save_conversation_team", tags=["back office"], guards=DESK,
    responses=writes(StaleTeam, StaleTag, ChannelHasTeam, LocationHasTeam, UnknownTeam, locations.UnknownLocation),
)  # fmt: skip
async def save_conversation_team(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    team: FromPath[Code],
    data: JSONBody[SaveTeam],
) -> TeamView:
    """Make a team, or say what it is now: its promise, its store, the channels that come to it."""
    return await db.write_once(once, TeamView, desk.save_team, actor, code=team, command=data, if_match=if_match)


@get(
    "/v1/message-sources", operation_id="list_message_sources", tags=["back office"], guards=DESK,
    responses=problems(BadCursor),
)  # fmt: skip
async def list_message_sources(
    db: NamedDependency[Database], limit: FromQuery[Limit] = 50, cursor: FromQuery[Cursor | None] = None
) -> Page[MessageSourceView]:
    """Who may deliver messages, by code."""
    return await db.read(queries.sources, limit=limit, cursor=cursor)


@post(
    "/v1/message-sources", operation_id="create_message_source", tags=["back office"], guards=DESK, status_code=201,
    cache_control=SECRET, responses=writes(SourceTaken, UnknownTeam, UnknownSource, locations.UnknownLocation),
)  # fmt: skip
async def create_message_source(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[CreateSource],
) -> SourceSecret:
    """Let somebody deliver messages of a channel. The answer has the secret for the Standard Webhooks libraries."""
    return await flow.create_source(db, settings, once, actor, command=data)


@post(
    "/v1/message-sources/{source:str}/rotate", operation_id="rotate_message_source", tags=["back office"], guards=DESK,
    status_code=200, cache_control=SECRET, responses=writes(UnknownSource, SourceRevoked),
)  # fmt: skip
async def rotate_message_source(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    source: FromPath[SourceCode],
) -> SourceSecret:
    """The next secret. The one before is good for 24 hours more."""
    return await flow.rotate_source(db, settings, once, actor, code=source)


@post(
    "/v1/message-sources/{source:str}/revoke", operation_id="revoke_message_source", tags=["back office"], guards=DESK,
    status_code=200, responses=writes(UnknownSource, SourceRevoked),
)  # fmt: skip
async def revoke_message_source(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    source: FromPath[SourceCode],
) -> MessageSourceView:
    """Take nothing from it any more, at once and for good."""
    return await db.write_once(once, MessageSourceView, desk.revoke_source, actor, code=source)


ROUTES = [
    inquire,
    list_my_conversations,
    send_message,
    receive_message,
    list_conversations,
    log_conversation,
    read_conversation_summary,
    get_conversation,
    add_conversation_entry,
    assign_conversation,
    join_conversation,
    link_conversation,
    close_conversation,
    reopen_conversation,
    plan_next_step,
    list_next_steps,
    list_store_next_steps,
    finish_next_step,
    drop_next_step,
    read_lost_demand,
    list_conversation_teams,
    save_conversation_team,
    list_message_sources,
    create_message_source,
    rotate_message_source,
    revoke_message_source,
]
