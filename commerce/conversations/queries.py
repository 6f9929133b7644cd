"""Reads of `conversations`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct, structs

from commerce import auth, customers, locations
from commerce.conversations import books, signatures
from commerce.conversations.books import Conversation, Team
from commerce.conversations.errors import (
    UnknownAssignee,
    UnknownConversation,
    UnknownNextStep,
    UnknownSource,
    UnknownTeam,
    WrongMoment,
)
from commerce.conversations.numbers import read_number
from commerce.conversations.schemas import (
    ConversationEntryView,
    ConversationSummary,
    ConversationView,
    CustomerOfConversation,
    Lateness,
    LostDemandReport,
    LostDemandSum,
    LostDemandView,
    MessageSourceView,
    MyConversation,
    MyMessage,
    NextStepView,
    PartView,
    PersonConversation,
    RelatedView,
    State,
    StepState,
    SummaryView,
    TeamSummary,
    TeamView,
)
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.paging import Page, decode_cursor, page_of

LONGEST = timedelta(days=366)
SHOWN_TO_CUSTOMER = ("message_in", "message_out", "call", "missed_call", "call_back", "visit")
MINE = ("message_in", "call_back")
"""Entries whose words the customer wrote himself, or were written to him; what staff noted of a call is theirs."""

BY_ID = "SELECT id, number, coalesce(joined_into, id) AS head FROM conversations.conversations WHERE id = :id"
WHOSE = """
SELECT id, coalesce(joined_into, id) AS head, person_id, handle_hash FROM conversations.conversations WHERE number = :number
"""
LATE = "coalesce(c.due_at < :at, false)"
QUEUED = "coalesce(c.due_at, c.first_answer_due_at)"
SUMMARY = f"{books.COLUMNS}, h.number AS into, {LATE} AS overdue"
SUMMARY_FROM = f"{books.FROM} LEFT JOIN conversations.conversations h ON h.id = c.joined_into"
REACH = """(CAST(:reach AS uuid[]) IS NULL OR c.location_id = ANY(CAST(:reach AS uuid[])) OR t.location_id = ANY(CAST(:reach AS uuid[]))
        OR c.assignee_id = :me)"""
PAGE = f"""
SELECT {SUMMARY} {SUMMARY_FROM}
WHERE c.state = ANY(CAST(:states AS text[])) AND {REACH}
    AND (CAST(:team AS text) IS NULL OR t.code = CAST(:team AS text))
    AND (CAST(:location AS uuid) IS NULL OR c.location_id = CAST(:location AS uuid))
    AND (CAST(:assignee AS uuid) IS NULL OR c.assignee_id = CAST(:assignee AS uuid))
    AND (CAST(:people AS uuid[]) IS NULL OR c.person_id = ANY(CAST(:people AS uuid[])))
    AND (CAST(:overdue AS boolean) IS NULL OR {LATE} = CAST(:overdue AS boolean))
    AND (CAST(:after AS timestamptz) IS NULL
        OR ({QUEUED}, c.id) > (CAST(:after AS timestamptz), CAST(:after_id AS uuid)))
ORDER BY {QUEUED}, c.id LIMIT :limit
"""
ONE = f"SELECT {SUMMARY} {SUMMARY_FROM} WHERE c.number = :number"
PARTS = f"SELECT {books.COLUMNS} {books.FROM} WHERE c.id = :head OR c.joined_into = :head ORDER BY c.opened_at, c.id"
ENTRIES = """
SELECT e.id, c.number, e.n, e.kind, e.channel, e.written_by, e.author_id, e.answers, e.text, e.occurred_at, e.recorded_at
FROM conversations.entries e JOIN conversations.conversations c ON c.id = e.conversation_id
WHERE e.conversation_id = ANY(CAST(:ids AS uuid[])) ORDER BY e.occurred_at DESC, e.recorded_at DESC, e.n DESC LIMIT 500
"""
STEP = """
SELECT s.id, c.number, s.task, s.due_at, s.location_id, t.code AS team, s.assignee_id, s.state, s.planned_at, s.ended_at,
    s.result, s.version
FROM conversations.next_steps s JOIN conversations.conversations c ON c.id = s.conversation_id
JOIN conversations.teams t ON t.id = s.team_id
"""
ONE_STEP = STEP + "WHERE s.id = :id"
STEPS_OF = STEP + "WHERE s.conversation_id = ANY(CAST(:ids AS uuid[])) ORDER BY s.due_at, s.id LIMIT 200"
STEP_REACH = """(CAST(:reach AS uuid[]) IS NULL OR s.location_id = ANY(CAST(:reach AS uuid[]))
        OR t.location_id = ANY(CAST(:reach AS uuid[])) OR s.assignee_id = :me)"""
REACHABLE_STEP = STEP + "WHERE s.id = :id AND " + STEP_REACH
STEPS = (
    STEP
    + f"""
WHERE s.state = :state AND {STEP_REACH}
    AND (CAST(:team AS text) IS NULL OR t.code = CAST(:team AS text))
    AND (CAST(:location AS uuid) IS NULL OR s.location_id = CAST(:location AS uuid))
    AND (CAST(:assignee AS uuid) IS NULL OR s.assignee_id = CAST(:assignee AS uuid))
    AND (CAST(:until AS timestamptz) IS NULL OR s.due_at <= CAST(:until AS timestamptz))
    AND (CAST(:after AS timestamptz) IS NULL OR (s.due_at, s.id) > (CAST(:after AS timestamptz), CAST(:after_id AS uuid)))
ORDER BY s.due_at, s.id LIMIT :limit
"""
)
RELATED = f"""
SELECT c.number, c.channel, t.code AS team, c.state, c.person_id = ANY(CAST(:people AS uuid[])) AS same_person {books.FROM}
WHERE c.state IN ('open', 'waiting') AND NOT c.id = ANY(CAST(:ids AS uuid[]))
    AND (c.person_id = ANY(CAST(:people AS uuid[])) OR c.handle_hash = ANY(CAST(:hashes AS text[])))
ORDER BY c.opened_at, c.id LIMIT 50
"""
LOST = "SELECT sku, asked_for, quantity, reason FROM conversations.lost_demands WHERE conversation_id = :id ORDER BY id"
OWN = f"""
SELECT {books.COLUMNS}, coalesce(h.state, c.state) AS whole_state {books.FROM}
LEFT JOIN conversations.conversations h ON h.id = c.joined_into
"""
OWN_ONE = OWN + "WHERE c.number = :number AND c.person_id = ANY(CAST(:people AS uuid[]))"
OWN_PAGE = (
    OWN
    + """
WHERE c.person_id = ANY(CAST(:people AS uuid[])) AND c.direction = 'inbound' AND c.forgotten_at IS NULL
    AND (CAST(:before AS timestamptz) IS NULL OR (c.opened_at, c.id) < (CAST(:before AS timestamptz), CAST(:before_id AS uuid)))
ORDER BY c.opened_at DESC, c.id DESC LIMIT :limit
"""
)
OWN_ENTRIES = """
SELECT conversation_id, kind, written_by, text, occurred_at FROM (
    SELECT e.conversation_id, e.kind, e.written_by, e.text, e.occurred_at, e.n,
        row_number() OVER (PARTITION BY e.conversation_id ORDER BY e.n DESC) AS rank
    FROM conversations.entries e
    WHERE e.conversation_id = ANY(CAST(:ids AS uuid[])) AND e.kind = ANY(CAST(:kinds AS text[]))
) x WHERE rank <= 200 ORDER BY conversation_id, n
"""
OF_PEOPLE = """
SELECT c.id, c.person_id, c.number, c.channel, c.direction, c.origin, c.state, t.code AS team, c.location_id, c.assignee_id,
    c.order_number, c.subject, said.text AS summary, s.task AS next_step, s.due_at AS next_step_due_at, c.opened_at, c.closed_at, c.outcome
FROM conversations.conversations c JOIN conversations.teams t ON t.id = c.team_id
LEFT JOIN LATERAL (
    SELECT e.text FROM conversations.entries e WHERE e.conversation_id = c.id AND e.text IS NOT NULL ORDER BY e.n DESC LIMIT 1
) said ON true
LEFT JOIN LATERAL (
    SELECT n.task, n.due_at FROM conversations.next_steps n WHERE n.conversation_id = c.id AND n.state = 'open'
    ORDER BY n.due_at, n.id LIMIT 1
) s ON true
WHERE c.person_id = ANY(CAST(:ids AS uuid[])) AND (CAST(:before AS timestamptz) IS NULL
    OR (c.opened_at, c.id) < (CAST(:before AS timestamptz), coalesce(CAST(:before_id AS uuid), '00000000-0000-0000-0000-000000000000')))
ORDER BY c.opened_at DESC, c.id DESC LIMIT :limit
"""
WAITING_OF = """
SELECT number FROM conversations.conversations
WHERE person_id = ANY(CAST(:ids AS uuid[])) AND state IN ('open', 'waiting') ORDER BY opened_at, id
"""
OWNED_BY = """
SELECT id FROM conversations.conversations
WHERE id = ANY(CAST(:conversations AS uuid[])) AND person_id = ANY(CAST(:ids AS uuid[]))
"""
TEAMS = """
SELECT t.id, t.code, t.name, t.location_id, t.first_answer_minutes, t.version,
    (SELECT array_agg(c.channel ORDER BY c.channel) FROM conversations.team_channels c WHERE c.team_id = t.id) AS channels
FROM conversations.teams t
"""
ONE_TEAM = TEAMS + "WHERE t.code = :code"
ALL_TEAMS = TEAMS + "WHERE t.code > :after ORDER BY t.code LIMIT :limit"
SOURCES = """
SELECT s.id, s.code, s.channel, t.code AS team, s.location_id, s.secret_version, s.rotated_at, s.created_at, s.revoked_at, s.version
FROM conversations.sources s LEFT JOIN conversations.teams t ON t.id = s.team_id
"""
ONE_SOURCE = SOURCES + "WHERE s.code = :code"
ALL_SOURCES = SOURCES + "WHERE s.code > :after ORDER BY s.code LIMIT :limit"
VALID_SOURCE = """
SELECT s.id, s.code, s.channel, s.location_id, s.secret_version, s.rotated_at, t.id AS team_id, t.code AS team,
    t.location_id AS team_location_id, t.first_answer_minutes
FROM conversations.sources s LEFT JOIN conversations.teams t ON t.id = s.team_id
WHERE s.code = :code AND s.revoked_at IS NULL
"""
LOST_SUMS = """
SELECT d.sku, CASE WHEN d.sku IS NULL THEN d.asked_for END AS asked_for, d.reason, d.location_id, sum(d.quantity) AS quantity,
    count(DISTINCT d.conversation_id) AS conversations
FROM conversations.lost_demands d
WHERE d.lost_at >= :since AND d.lost_at < :until AND (CAST(:sku AS text) IS NULL OR d.sku = CAST(:sku AS text))
    AND (CAST(:reason AS text) IS NULL OR d.reason = CAST(:reason AS text))
    AND (CAST(:location AS uuid) IS NULL OR d.location_id = CAST(:location AS uuid))
GROUP BY 1, 2, 3, 4 ORDER BY quantity DESC, d.sku, asked_for, d.reason, d.location_id LIMIT 1000
"""
SUMS = f"""
SELECT t.code,
    count(*) FILTER (WHERE c.state = 'open') AS open, count(*) FILTER (WHERE {LATE}) AS overdue,
    count(*) FILTER (WHERE c.opened_at >= :since AND c.opened_at < :until) AS opened,
    count(*) FILTER (WHERE c.direction = 'inbound' AND c.first_answered_at >= :since AND c.first_answered_at < :until) AS answered,
    CAST(percentile_disc(0.5) WITHIN GROUP (ORDER BY CAST(extract(epoch FROM c.first_answered_at - c.opened_at) AS bigint))
        FILTER (WHERE c.direction = 'inbound' AND c.first_answered_at >= :since AND c.first_answered_at < :until) AS bigint) AS median,
    count(*) FILTER (WHERE c.first_answered_at >= :since AND c.first_answered_at < :until
        AND c.first_answered_at > c.first_answer_due_at) AS late
FROM conversations.teams t LEFT JOIN conversations.conversations c ON c.team_id = t.id AND (
    c.state = 'open' OR (c.opened_at >= :since AND c.opened_at < :until)
    OR (c.first_answered_at >= :since AND c.first_answered_at < :until))
WHERE CAST(:reach AS uuid[]) IS NULL OR t.location_id = ANY(CAST(:reach AS uuid[]))
GROUP BY t.code ORDER BY t.code
"""  # noqa: S608
OUTCOMES = """
SELECT t.code, c.outcome, count(*) AS number FROM conversations.conversations c JOIN conversations.teams t ON t.id = c.team_id
WHERE c.closed_at >= :since AND c.closed_at < :until GROUP BY t.code, c.outcome ORDER BY t.code, c.outcome
"""


class Whose(Struct, frozen=True):
    """What has to be locked before the row of a conversation."""

    id: UUID
    head: UUID
    person_id: UUID | None
    handle_hash: str | None


class ValidSource(Struct, frozen=True):
    """A source that may deliver, and the versions of its secret that are good now."""

    id: UUID
    code: str
    channel: str
    location_id: UUID | None
    team: Team | None
    versions: list[int]


class Names(Struct, frozen=True):
    """Codes of locations and logins of staff that a view names."""

    places: dict[UUID, str]
    logins: dict[UUID, str]

    def place(self, location_id: UUID | None) -> str | None:
        """The code of a location."""
        return self.places.get(location_id) if location_id else None

    def login(self, staff_id: UUID | None) -> str | None:
        """The login of a member of staff."""
        return self.logins.get(staff_id) if staff_id else None


async def names_of(tx: Tx, places: set[UUID | None], staff: set[UUID | None]) -> Names:
    """Two statements at most."""
    places, staff = places - {None}, staff - {None}
    found = await locations.by_ids(tx, sorted(p for p in places if p)) if places else {}
    logins = await auth.logins(tx, sorted(s for s in staff if s)) if staff else {}
    return Names({place.id: place.code for place in found.values()}, logins)


async def whose(tx: Tx, number: str) -> Whose:
    """Person and handle of a conversation, not locked. Raises UnknownConversation."""
    wanted = read_number(number)
    row = await tx.first(WHOSE, number=wanted) if wanted else None
    if row is None:
        raise UnknownConversation(number=number)
    return Whose(**row)


def _summary(row: Row, names: Names) -> dict[str, Any]:
    return {
        "id": row.id, "number": row.number, "channel": row.channel, "direction": row.direction, "origin": row.origin,
        "state": row.state, "priority": row.priority, "team": row.team, "location": names.place(row.location_id),
        "assignee": names.login(row.assignee_id), "customer": row.person_id, "subject": row.subject, "order": row.order_number,
        "opened_at": row.opened_at, "unanswered_since": row.unanswered_since,
        "answer_due_at": row.due_at or row.answer_due_at, "first_answer_due_at": row.first_answer_due_at,
        "first_answered_at": row.first_answered_at, "overdue": row.overdue, "closed_at": row.closed_at, "outcome": row.outcome,
        "outcome_order": row.outcome_order_number, "joined_into": row.into, "version": row.version,
    }  # fmt: skip


async def listing(
    tx: Tx,
    actor: Actor,
    *,
    team: str | None,
    location: str | None,
    states: Sequence[State] | None,
    assignee: str | None,
    customer: UUID | None,
    overdue: Lateness,
    limit: int,
    cursor: str | None,
) -> Page[ConversationSummary]:
    """The queue: whose answer is due first comes first; without `states` those not closed. At most six statements.

    Raises BadCursor, locations.UnknownLocation, UnknownAssignee.
    """
    after, after_id = decode_cursor(cursor, datetime, UUID) if cursor else (None, None)
    rows = await tx.rows(
        PAGE, at=tx.at, states=list(states or ("open", "waiting")), reach=await books.held_ids(tx, actor), me=actor.subject,
        team=team, location=(await locations.one(tx, location)).id if location else None,
        assignee=await _staff(tx, actor, assignee),
        people=await customers.ids_of(tx, customer) if customer else None, after=after, after_id=after_id,
        overdue=None if overdue == "all" else overdue == "only",
        limit=limit + 1,
    )  # fmt: skip
    names = await names_of(tx, {row.location_id for row in rows}, {row.assignee_id for row in rows})
    return page_of(
        rows,
        limit,
        lambda row: ConversationSummary(**_summary(row, names)),
        lambda row: (row.due_at or row.first_answer_due_at, row.id),
    )


async def _staff(tx: Tx, actor: Actor, login: str | None) -> UUID | None:
    if login is None:
        return None
    if login == "me":
        return actor.subject
    found = await auth.staff_of_login(tx, login)
    if found is None:
        raise UnknownAssignee(login=login)
    return found


async def read(tx: Tx, actor: Actor, *, number: str, checked: bool = False) -> ConversationView:
    """A conversation with what was joined into it, its next steps and others of the same customer. At most eleven statements.

    Raises UnknownConversation, OtherStoresConversation.
    """
    wanted = read_number(number)
    row = await tx.first(ONE, number=wanted, at=tx.at) if wanted else None
    if row is None:
        raise UnknownConversation(number=number)
    parts = [books.conversation_of(part) for part in await tx.rows(PARTS, head=row.joined_into or row.id)]
    if not checked:
        await books.check_reach(tx, actor, [*parts])
    shown = parts if row.joined_into is None else [part for part in parts if part.id == row.id]
    ids = [part.id for part in shown]
    entries = await tx.rows(ENTRIES, ids=ids)
    steps = await tx.rows(STEPS_OF, ids=ids)
    people = {part.person_id for part in shown if part.person_id}
    everybody = sorted({one for person in people for one in await customers.ids_of(tx, person)})
    hashes = sorted({part.handle_hash for part in shown if part.handle_hash})
    related = await tx.rows(RELATED, ids=[part.id for part in parts], people=everybody, hashes=hashes)
    staff = {row.assignee_id, *(e.author_id for e in entries), *(s.assignee_id for s in steps)}
    staff |= {part.answered_by for part in shown}
    names = await names_of(tx, {row.location_id, *(step.location_id for step in steps)}, staff)
    return ConversationView(
        **_summary(row, names), handle=row.handle, source=row.source, preferred_at=row.preferred_at,
        profile=await _profile(tx, row.person_id), parts=[_part(part, names) for part in shown],
        entries=[
            ConversationEntryView(
                id=e.id, conversation=e.number, n=e.n, kind=e.kind, channel=e.channel, by=e.written_by,
                author=names.login(e.author_id), answers=e.answers, text=e.text, occurred_at=e.occurred_at,
            )
            for e in reversed(entries)
        ],
        next_steps=[_step(step, names, tx.at) for step in steps],
        related=[
            RelatedView(
                number=r.number, channel=r.channel, team=r.team, state=r.state, same="customer" if r.same_person else "handle"
            )
            for r in related
        ],
        lost=[LostDemandView(**lost) for lost in await tx.rows(LOST, id=row.id)],
    )  # fmt: skip


def _part(part: Conversation, names: Names) -> PartView:
    return PartView(
        number=part.number, channel=part.channel, source=part.source, handle=part.handle,
        unanswered_since=part.unanswered_since, answer_due_at=part.answer_due_at, first_answered_at=part.first_answered_at,
        answered_by=names.login(part.answered_by),
    )  # fmt: skip


async def _profile(tx: Tx, person: UUID | None) -> CustomerOfConversation | None:
    return (
        None
        if person is None
        else CustomerOfConversation(id=person, **structs.asdict(await customers.contacts(tx, person)))
    )


def _step(row: Row, names: Names, at: datetime) -> NextStepView:
    return NextStepView(
        id=row.id, conversation=row.number, what=row.task, due_at=row.due_at, due=row.state == "open" and row.due_at <= at,
        location=names.place(row.location_id), team=row.team, assignee=names.login(row.assignee_id), state=row.state,
        planned_at=row.planned_at, ended_at=row.ended_at, result=row.result, version=row.version,
    )  # fmt: skip


async def next_step(tx: Tx, id: UUID) -> NextStepView:  # noqa: A002
    """One next step. Three statements at most. Raises UnknownNextStep."""
    row = await tx.first(ONE_STEP, id=id)
    if row is None:
        raise UnknownNextStep(id=str(id))
    return _step(row, await names_of(tx, {row.location_id}, {row.assignee_id}), tx.at)


async def reachable_step(tx: Tx, actor: Actor, id: UUID) -> None:  # noqa: A002
    """Whether the actor may end a next step: it is of his stores, his teams or himself. Raises UnknownNextStep."""
    reach = await books.held_ids(tx, actor)
    if await tx.first(REACHABLE_STEP, id=id, reach=reach, me=actor.subject) is None:
        raise UnknownNextStep(id=str(id))


async def next_steps(
    tx: Tx,
    actor: Actor,
    *,
    team: str | None,
    location: str | None,
    assignee: str | None,
    state: StepState,
    until: datetime | None,
    limit: int,
    cursor: str | None,
) -> Page[NextStepView]:
    """What is to be done, the earliest first. At most five statements. Raises BadCursor, UnknownLocation, UnknownAssignee."""
    after, after_id = decode_cursor(cursor, datetime, UUID) if cursor else (None, None)
    rows = await tx.rows(
        STEPS, state=state, reach=await books.held_ids(tx, actor), me=actor.subject, team=team,
        location=(await locations.one(tx, location)).id if location else None, assignee=await _staff(tx, actor, assignee),
        until=until, after=after, after_id=after_id, limit=limit + 1,
    )  # fmt: skip
    names = await names_of(tx, {row.location_id for row in rows}, {row.assignee_id for row in rows})
    return page_of(rows, limit, lambda row: _step(row, names, tx.at), lambda row: (row.due_at, row.id))


async def my_page(tx: Tx, actor: Actor, *, limit: int, cursor: str | None) -> Page[MyConversation]:
    """One's own conversations, the newest first, with messages but without what staff note. At most four statements. Raises BadCursor."""
    before, before_id = decode_cursor(cursor, datetime, UUID) if cursor else (None, None)
    people = await customers.ids_of_caller(tx, actor)
    rows = await tx.rows(OWN_PAGE, people=people, before=before, before_id=before_id, limit=limit + 1)
    views = {view.number: view for view in await _mine(tx, rows[:limit])}
    return page_of(rows, limit, lambda row: views[row.number], lambda row: (row.opened_at, row.id))


async def mine(tx: Tx, actor: Actor, *, number: str) -> MyConversation:
    """One of one's own. Raises UnknownConversation."""
    wanted = read_number(number)
    row = await tx.first(OWN_ONE, number=wanted, people=await customers.ids_of_caller(tx, actor)) if wanted else None
    if row is None:
        raise UnknownConversation(number=number)
    return (await _mine(tx, [row]))[0]


async def _mine(tx: Tx, rows: Sequence[Row]) -> list[MyConversation]:
    said: dict[UUID, list[MyMessage]] = {row.id: [] for row in rows}
    for e in await tx.rows(OWN_ENTRIES, ids=list(said), kinds=list(SHOWN_TO_CUSTOMER)) if rows else ():
        words = e.text if e.kind == "message_out" or (e.kind in MINE and e.written_by == "customer") else None
        said[e.conversation_id].append(
            MyMessage(
                kind=e.kind, by="me" if e.written_by == "customer" else "shop", text=words, occurred_at=e.occurred_at
            )
        )
    names = await names_of(tx, {row.location_id for row in rows}, set())
    return [
        MyConversation(
            number=row.number, channel=row.channel, state=row.whole_state, order=row.order_number,
            location=names.place(row.location_id), opened_at=row.opened_at,
            answer_by=row.answer_due_at,
            messages=said[row.id],
        )
        for row in rows
    ]  # fmt: skip


async def of_people(
    tx: Tx, ids: Sequence[UUID], *, before: datetime | None = None, before_id: UUID | None = None, limit: int = 50
) -> list[PersonConversation]:
    """Conversations of people (all ids of one: `customers.ids_of`), the newest first, before a moment, or before a moment and id; for a
    timeline. One statement."""
    rows = await tx.rows(OF_PEOPLE, ids=list(ids), before=before, before_id=before_id, limit=limit)
    return [PersonConversation(**row) for row in rows]


async def waiting_of(tx: Tx, ids: Sequence[UUID]) -> list[str]:
    """Numbers of a person's conversations that are not closed, the oldest first. One statement."""
    return [row.number for row in await tx.rows(WAITING_OF, ids=list(ids))]


async def owned_by(tx: Tx, ids: Sequence[UUID], *, conversations: Sequence[UUID]) -> set[UUID]:
    """Which of these conversations are a person's, given all his ids. One statement."""
    return {row.id for row in await tx.rows(OWNED_BY, ids=list(ids), conversations=list(conversations))}


def _team(row: Row, names: Names) -> TeamView:
    return TeamView(
        code=row.code, name=row.name, first_answer_minutes=row.first_answer_minutes, location=names.place(row.location_id),
        channels=list(row.channels or ()), version=row.version,
    )  # fmt: skip


async def team(tx: Tx, *, code: str) -> TeamView:
    """One team. Raises UnknownTeam."""
    row = await tx.first(ONE_TEAM, code=code)
    if row is None:
        raise UnknownTeam(team=code)
    return _team(row, await names_of(tx, {row.location_id}, set()))


async def teams(tx: Tx, *, limit: int, cursor: str | None) -> Page[TeamView]:
    """Teams by code. Raises BadCursor."""
    rows = await tx.rows(ALL_TEAMS, after=decode_cursor(cursor, str)[0] if cursor else "", limit=limit + 1)
    names = await names_of(tx, {row.location_id for row in rows}, set())
    return page_of(rows, limit, lambda row: _team(row, names), lambda row: (row.code,))


def _source(row: Row, names: Names, at: datetime) -> MessageSourceView:
    until = row.rotated_at + signatures.OVERLAP if row.rotated_at else None
    return MessageSourceView(
        code=row.code, channel=row.channel, team=row.team, location=names.place(row.location_id),
        secret_version=row.secret_version, rotated_at=row.rotated_at, old_secret_until=until if until and until > at else None,
        created_at=row.created_at, revoked_at=row.revoked_at, version=row.version,
    )  # fmt: skip


async def source(tx: Tx, *, code: str) -> MessageSourceView:
    """One source of messages. Raises UnknownSource."""
    row = await tx.first(ONE_SOURCE, code=code)
    if row is None:
        raise UnknownSource(source=code)
    return _source(row, await names_of(tx, {row.location_id}, set()), tx.at)


async def sources(tx: Tx, *, limit: int, cursor: str | None) -> Page[MessageSourceView]:
    """Sources by code. Raises BadCursor."""
    rows = await tx.rows(ALL_SOURCES, after=decode_cursor(cursor, str)[0] if cursor else "", limit=limit + 1)
    names = await names_of(tx, {row.location_id for row in rows}, set())
    return page_of(rows, limit, lambda row: _source(row, names, tx.at), lambda row: (row.code,))


async def valid_source(tx: Tx, *, code: str) -> ValidSource | None:
    """A source that is not revoked, and which versions of its secret are good now. One statement."""
    row = await tx.first(VALID_SOURCE, code=code)
    if row is None:
        return None
    versions = [row.secret_version]
    if row.rotated_at is not None and tx.at < row.rotated_at + signatures.OVERLAP:
        versions.append(row.secret_version - 1)
    found = Team(row.team_id, row.team, row.team_location_id, row.first_answer_minutes) if row.team_id else None
    return ValidSource(row.id, row.code, row.channel, row.location_id, found, versions)


def _period(since: date, until: date) -> tuple[datetime, datetime]:
    if not since <= until <= since + LONGEST:
        raise WrongMoment(
            field="until",
            reason="it has to be in the year after `from`",
            reason_ru="нужен день в течение года после `from`",
        )
    first = datetime.combine(since, time(), UTC)
    return first, datetime.combine(until, time(), UTC) + timedelta(days=1)


async def lost_demand(
    tx: Tx, *, since: date, until: date, sku: str | None, reason: str | None, location: str | None
) -> LostDemandReport:
    """What was asked for and not sold, by SKU (or words), reason and location; days are UTC. Three statements at most.

    Raises WrongMoment, locations.UnknownLocation.
    """
    first, last = _period(since, until)
    location_id = (await locations.one(tx, location)).id if location else None
    rows = await tx.rows(LOST_SUMS, since=first, until=last, sku=sku, reason=reason, location=location_id)
    names = await names_of(tx, {row.location_id for row in rows}, set())
    return LostDemandReport(
        since=since, until=until,
        lines=[
            LostDemandSum(
                sku=row.sku, asked_for=row.asked_for, reason=row.reason, location=names.place(row.location_id),
                quantity=row.quantity, conversations=row.conversations,
            )
            for row in rows
        ],
    )  # fmt: skip


async def summary(tx: Tx, actor: Actor, *, since: date, until: date) -> SummaryView:
    """How each team answers: what is open and late now; in the period, what came, was answered (median, late) and how it ended.

    Staff of stores see their stores' teams. Three statements at most. Raises WrongMoment.
    """
    first, last = _period(since, until)
    rows = await tx.rows(SUMS, since=first, until=last, at=tx.at, reach=await books.held_ids(tx, actor))
    ended: dict[str, dict[str, int]] = {}
    for row in await tx.rows(OUTCOMES, since=first, until=last):
        ended.setdefault(row.code, {})[row.outcome] = row.number
    return SummaryView(
        since=since, until=until,
        teams=[
            TeamSummary(
                team=row.code, open=row.open, overdue=row.overdue, opened=row.opened, answered=row.answered,
                median_first_answer_seconds=row.median, answered_late=row.late, outcomes=ended.get(row.code, {}),
            )
            for row in rows
        ],
    )  # fmt: skip
