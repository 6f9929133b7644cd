"""The conversation as a row, the family of those joined with it, and what is written: one entry and one fact for each version.

The row of the one that others were joined into is the lock of them all: nothing about any of them changes unless it is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from commerce import locations
from commerce.conversations import signatures
from commerce.conversations.errors import (
    AnotherWaits,
    ConversationJoinedAlready,
    OtherStoresConversation,
    StaleConversation,
    UnknownConversation,
    UnknownTeam,
)
from commerce.conversations.events import ConversationEvent
from commerce.conversations.numbers import read_number
from commerce.conversations.tables import conversations, entries
from commerce.infra import outbox
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

WORK = "conversations.work"
GENERAL = "general"

OWN = (
    "id", "number", "person_id", "channel", "direction", "origin", "team_id", "location_id", "source_id", "handle", "handle_hash",
    "handle_proven", "order_id", "order_number", "subject", "state", "priority", "assignee_id", "preferred_at", "opened_at",
    "unanswered_since", "answer_due_at", "due_at", "first_answer_due_at", "first_answered_at", "answered_by", "overdue_told_at",
    "closed_at", "outcome", "outcome_order_id", "outcome_order_number", "joined_into", "forgotten_at", "version",
)  # fmt: skip
"""The columns of a conversation, as they are written."""
FROM = """FROM conversations.conversations c JOIN conversations.teams t ON t.id = c.team_id
LEFT JOIN conversations.sources s ON s.id = c.source_id"""
COLUMNS = (
    ", ".join(f"c.{name}" for name in OWN) + ", t.code AS team, t.location_id AS team_location_id, s.code AS source"
)
TEAM = "id, code, location_id, first_answer_minutes"

HEAD = "SELECT coalesce(joined_into, id) AS head FROM conversations.conversations WHERE number = :number"
LOCK = "SELECT joined_into FROM conversations.conversations WHERE id = :id FOR NO KEY UPDATE"
FAMILY = f"SELECT {COLUMNS} {FROM} WHERE c.id = :head OR c.joined_into = :head ORDER BY c.joined_into IS NOT NULL, c.id"
ALONE = "SELECT pg_advisory_xact_lock(k) FROM unnest(CAST(:keys AS bigint[])) AS k"
CHANGED = ", ".join(
    f"{name} = :{name}" for name in OWN if name not in ("id", "number", "opened_at", "direction", "origin", "channel")
)
CHANGE = f"UPDATE conversations.conversations SET {CHANGED} WHERE id = :id"  # noqa: S608
WAITS = """
SELECT number FROM conversations.conversations
WHERE unanswered_since IS NOT NULL AND team_id = :team AND channel = :channel AND handle_hash = :hash
    AND person_id IS NOT DISTINCT FROM CAST(:person AS uuid) AND id <> :id
"""
TEAM_OF_CODE = f"SELECT {TEAM} FROM conversations.teams WHERE code = :code"  # noqa: S608
TEAM_OF_ID = f"SELECT {TEAM} FROM conversations.teams WHERE id = :id"  # noqa: S608
TEAM_FOR = f"""
SELECT {TEAM} FROM (
    SELECT {TEAM}, 1 AS rank FROM conversations.teams WHERE location_id = CAST(:location AS uuid)
    UNION ALL SELECT t.id, t.code, t.location_id, t.first_answer_minutes, 2 FROM conversations.team_channels c
        JOIN conversations.teams t ON t.id = c.team_id WHERE c.channel = :channel
    UNION ALL SELECT {TEAM}, 3 FROM conversations.teams WHERE code = 'general'
) x ORDER BY rank LIMIT 1
"""  # noqa: S608


class Team(Struct, frozen=True):
    """A queue."""

    id: UUID
    code: str
    location_id: UUID | None
    first_answer_minutes: int


class Conversation(Struct, kw_only=True):
    """A conversation, as it stands in a verb that changes it."""

    id: UUID
    number: str
    channel: str
    direction: str
    origin: str
    team_id: UUID
    team: str
    team_location_id: UUID | None
    state: str
    opened_at: datetime
    first_answer_due_at: datetime
    person_id: UUID | None = None
    location_id: UUID | None = None
    source_id: UUID | None = None
    source: str | None = None
    handle: str | None = None
    handle_hash: str | None = None
    handle_proven: bool = False
    order_id: UUID | None = None
    order_number: str | None = None
    subject: str | None = None
    priority: str = "normal"
    assignee_id: UUID | None = None
    preferred_at: datetime | None = None
    unanswered_since: datetime | None = None
    answer_due_at: datetime | None = None
    due_at: datetime | None = None
    first_answered_at: datetime | None = None
    answered_by: UUID | None = None
    overdue_told_at: datetime | None = None
    closed_at: datetime | None = None
    outcome: str | None = None
    outcome_order_id: UUID | None = None
    outcome_order_number: str | None = None
    joined_into: UUID | None = None
    forgotten_at: datetime | None = None
    version: int = 0
    was: dict[str, Any] | None = None
    """What the audit record says of it as it was before the step that is under way; None of one that begins."""

    def recorded(self) -> dict[str, Any]:
        """What the audit record says of it."""
        return {"state": self.state, "team": self.team, "version": self.version}


class Family(Struct, kw_only=True):
    """A conversation and those joined into it, locked; `asked` is the one that was named."""

    head: Conversation
    asked: Conversation
    members: list[Conversation]
    """The head first."""


def conversation_of(row: Row) -> Conversation:
    """A row of COLUMNS."""
    one = Conversation(**row)
    one.was = one.recorded()
    return one


def unanswered(members: Iterable[Conversation]) -> bool:
    """Whether somebody waits in one of the channels."""
    return any(member.unanswered_since is not None for member in members)


def settle(head: Conversation, members: Iterable[Conversation]) -> None:
    """The clock of the one that goes on is the earliest of those who wait in one of the channels; none when nobody does."""
    head.due_at = min((one.answer_due_at for one in members if one.answer_due_at is not None), default=None)


def answered(one: Conversation) -> None:
    """Nobody waits in its channel any more."""
    one.unanswered_since = one.answer_due_at = None


async def wait_from(tx: Tx, one: Conversation, since: datetime, *, begins: datetime | None = None) -> None:
    """Somebody waits in its channel since a moment. Until its first answer the clock is the first one's, which it has; after that one as
    if it were asked for the first time, from `begins` when he has said when. Two statements at most."""
    one.unanswered_since = since
    if one.first_answered_at is None:
        one.answer_due_at = one.first_answer_due_at
        return
    team = await team_with(tx, one)
    place = one.location_id or team.location_id
    shop = (await locations.by_ids(tx, [place])).get(place) if place is not None else None
    one.answer_due_at = due(begins or since, team.first_answer_minutes, shop)


async def alone(tx: Tx, *, person: UUID | None, handle_hash: str | None) -> None:
    """Be the only one who takes in or moves what this person and this handle wait for, until the commit."""
    keys = [signatures.lock_key("person", person)] if person else []
    keys += [signatures.lock_key("handle", handle_hash)] if handle_hash else []
    if keys:
        await tx.execute(ALONE, keys=sorted(keys))


async def lock(tx: Tx, number: str) -> Family:
    """Lock a conversation with everything it is joined with. Three statements. Raises UnknownConversation."""
    wanted = read_number(number)
    head: UUID | None = await tx.scalar(HEAD, number=wanted) if wanted else None
    if head is None:
        raise UnknownConversation(number=number)
    return await lock_head(tx, head, wanted or number)


async def lock_head(tx: Tx, head: UUID, number: str) -> Family:
    """The same, by the id of the one that the others were joined into, wherever it has gone on in the meantime."""
    while (up := await tx.scalar(LOCK, id=head)) is not None:
        head = up
    members = [conversation_of(row) for row in await tx.rows(FAMILY, head=head)]
    asked = next(member for member in members if number in (member.number, ""))
    return Family(head=members[0], asked=asked, members=members)


def check_version(family: Family, seen: int | None) -> None:
    """Raises StaleConversation when the caller has seen another version."""
    if seen is not None and seen != family.asked.version:
        raise StaleConversation(current_version=family.asked.version)


def check_head(family: Family) -> Conversation:
    """The conversation, when it goes on by itself. Raises ConversationJoinedAlready."""
    if family.asked is not family.head:
        raise ConversationJoinedAlready(number=family.asked.number, into=family.head.number)
    return family.head


def held(actor: Actor) -> list[str]:
    """The codes of the locations whose conversations the actor works on; `*` for all."""
    return list(actor.permissions.get(WORK, ())) if actor.permissions or actor.kind != "system" else ["*"]


async def held_ids(tx: Tx, actor: Actor) -> list[UUID] | None:
    """The ids of those locations; None for all. One statement at most."""
    codes = held(actor)
    return None if "*" in codes else sorted(place.id for place in (await locations.by_codes(tx, codes)).values())


async def check_reach(tx: Tx, actor: Actor, members: Sequence[Conversation]) -> None:
    """Whether the actor works on one of them: by its shop, its team's shop, or because it is his. Raises OtherStoresConversation."""
    reach = await held_ids(tx, actor)
    if reach is None:
        return
    for member in members:
        if member.assignee_id == actor.subject or {member.location_id, member.team_location_id} & set(reach):
            return
    raise OtherStoresConversation(number=members[0].number)


async def check_alone(tx: Tx, one: Conversation) -> None:
    """Whether no other conversation waits for the same answer. Raises AnotherWaits."""
    other = await waiting_beside(tx, one) if one.unanswered_since is not None else None
    if other is not None:
        raise AnotherWaits(number=other)


async def waiting_beside(tx: Tx, one: Conversation) -> str | None:
    """The number of another conversation that waits for the answer for which this one would wait. One statement at most."""
    if one.handle_hash is None:
        return None
    number: str | None = await tx.scalar(
        WAITS, team=one.team_id, channel=one.channel, hash=one.handle_hash, person=one.person_id, id=one.id
    )
    return number


async def team_of(tx: Tx, code: str) -> Team:
    """A team by its code. Raises UnknownTeam."""
    row = await tx.first(TEAM_OF_CODE, code=code)
    if row is None:
        raise UnknownTeam(team=code)
    return Team(**row)


async def team_with(tx: Tx, one: Conversation) -> Team:
    """The team that has a conversation. One statement."""
    return Team(**await tx.one(TEAM_OF_ID, id=one.team_id))


async def team_for(tx: Tx, *, channel: str, location_id: UUID | None) -> Team:
    """Who takes what nobody was named for: the location's own team, else the channel's, else `general`. One statement."""
    return Team(**await tx.one(TEAM_FOR, location=location_id, channel=channel))


def due(at: datetime, minutes: int, location: locations.Location | None) -> datetime:
    """Until when an answer is promised: minutes of opening time of the location, of the clock without one."""
    if location is not None:
        found = locations.schedule.add_open_minutes(location, at, minutes, pickup=False)
        if found is not None:
            return found
    return at + timedelta(minutes=minutes)


def enter(
    tx: Tx,
    actor: Actor,
    one: Conversation,
    kind: str,
    fact: type[ConversationEvent],
    *,
    text: str | None = None,
    channel: str | None = None,
    by: str | None = None,
    answers: bool = False,
    occurred_at: datetime | None = None,
    data: dict[str, Any] | None = None,
    external: tuple[UUID, str] | None = None,
    says: dict[str, Any] | None = None,
) -> None:
    """The next version of a conversation: its entry, its fact, and the audit record of what staff or a machine did."""
    one.version += 1
    entry_id = uuid7()
    written_by = by or ("customer" if actor.kind == "shopper" else "system" if actor.kind == "system" else "staff")
    tx.queue(
        entries, conversation_id=one.id, n=one.version, id=entry_id, kind=kind, channel=channel, written_by=written_by,
        author_id=None if by in ("customer", "system") or actor.kind == "shopper" else actor.subject, answers=answers, text=text,
        data=data or {}, source_id=external[0] if external else None, external_id=external[1] if external else None,
        occurred_at=occurred_at or tx.at,
    )  # fmt: skip
    more = {"entry_id": entry_id} if "entry_id" in fact.__struct_fields__ else {}
    outbox.record(
        tx, actor,
        fact(
            aggregate_id=one.id, version=one.version, number=one.number, person_id=one.person_id, team=one.team,
            channel=one.channel, **more, **(says or {}),
        ),
    )  # fmt: skip
    if actor.kind != "shopper":
        after = {"number": one.number, **one.recorded(), **(data or {})}
        outbox.audit(tx, actor, f"conversation.{kind}", "conversation", one.id, before=one.was, after=after)
    one.was = one.recorded()


async def write(tx: Tx, one: Conversation) -> None:
    """Write what a verb has changed of a conversation that is locked."""
    values = {name: getattr(one, name) for name in OWN}
    for name in ("opened_at", "direction", "origin", "channel", "number"):
        del values[name]
    await tx.execute(CHANGE, **values)


async def insert(tx: Tx, one: Conversation) -> None:
    """Write a new conversation."""
    await tx.execute(conversations.insert(), **{name: getattr(one, name) for name in OWN})
