"""What customers ask: added to what they wait for already, or a conversation of its own; one person's duplicates are joined."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

from msgspec import Struct

from commerce import customers, locations, orders
from commerce.conversations import books, events, signatures
from commerce.conversations.books import Conversation, Family, Team
from commerce.conversations.numbers import new_number
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

PREFERRED = 3
HIDDEN = (
    "anonymous", "restricted", "blocked", "unknown", "unavailable", "private", "withheld", "hidden", "скрыт", "неизвест", "аноним",
)  # fmt: skip
"""In what exchanges send instead of a number that the caller does not show."""
SPELLED = frozenset(
    word.translate(str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999"))
    for word in HIDDEN
    if word.isascii()
)
"""The same where only digits may be sent: `+266696687` is ANONYMOUS."""

THREAD = """
SELECT c.number, coalesce(c.joined_into, c.id) AS head
FROM conversations.conversations c LEFT JOIN conversations.conversations h ON h.id = c.joined_into
WHERE c.channel = :channel AND coalesce(h.state, c.state) IN ('open', 'waiting') AND c.forgotten_at IS NULL
    AND (CAST(:team AS uuid) IS NULL OR c.team_id = CAST(:team AS uuid))
    AND (c.person_id = ANY(CAST(:people AS uuid[])) OR (CAST(:proven AS boolean) AND c.handle_proven AND c.handle_hash = :hash))
ORDER BY c.handle_hash IS DISTINCT FROM :hash, c.unanswered_since IS NULL, c.person_id IS NULL, c.opened_at DESC, c.id LIMIT 1
"""
"""One that waits already comes first, and before one of nobody known his own: no two of his wait under one handle."""
ALSO_WAITING = """
SELECT c.id, c.number FROM conversations.conversations c
WHERE c.person_id = ANY(CAST(:people AS uuid[])) AND c.team_id = :team AND c.state = 'open' AND c.first_answered_at IS NULL
    AND c.unanswered_since IS NOT NULL AND c.id <> :id
ORDER BY c.opened_at, c.id LIMIT 1
"""
BOTH_WAIT = """
SELECT id, number FROM conversations.conversations
WHERE person_id = ANY(CAST(:people AS uuid[])) AND state = 'open' AND first_answered_at IS NULL AND unanswered_since IS NOT NULL
ORDER BY opened_at, id LIMIT 100
"""
LINKED = """
SELECT person_id FROM conversations.conversations
WHERE handle_hash = :hash AND source_id = :source AND handle_proven AND person_id IS NOT NULL ORDER BY opened_at DESC, id DESC LIMIT 1
"""


class Asked(Struct, frozen=True, kw_only=True):
    """Something that a customer asks or says, by whatever way it came."""

    channel: str
    origin: str
    kind: str
    """Of its entry."""
    text: str | None
    occurred_at: datetime
    person: UUID | None = None
    alone: bool = False
    """He is anonymous: what waits under the profiles that his was merged with is not his to add to."""
    handle: str | None = None
    handle_hash: str | None = None
    handle_proven: bool = False
    team: Team | None = None
    """Named; the location's or the channel's otherwise."""
    location: locations.Location | None = None
    order: orders.OrderHeadline | None = None
    subject: str | None = None
    priority: str = "normal"
    assignee_id: UUID | None = None
    preferred_at: datetime | None = None
    source: tuple[UUID, str] | None = None
    """Id and code."""
    external_id: str | None = None
    by: str = "customer"
    addressed: bool = False
    """He has said to which shop: it is not added to what another team has."""


async def take_in(tx: Tx, actor: Actor, *, asked: Asked) -> tuple[Conversation, bool]:
    """Add it to what the same customer waits for in this channel, or open a conversation; whether it was added.

    One conversation, however many come at once: the person and the handle are locked first. A new one is joined into another of
    the same person and team when both wait for their first answer.
    """
    people = await customers.ids_of(tx, asked.person) if asked.person else []
    await books.alone(tx, person=people[0] if people else None, handle_hash=asked.handle_hash)
    if asked.person is not None and asked.alone:
        people = [asked.person]
    team = asked.team or await books.team_for(
        tx, channel=asked.channel, location_id=asked.location.id if asked.location else None
    )
    for _ in range(PREFERRED):
        found = await tx.first(
            THREAD, channel=asked.channel, team=team.id if asked.addressed else None, people=people, hash=asked.handle_hash,
            proven=asked.handle_proven,
        )  # fmt: skip
        if found is None:
            break
        family = await books.lock_head(tx, found.head, found.number)
        if family.head.state in ("open", "waiting"):
            await _continue(tx, actor, family, asked)
            return family.asked, True
    one = _opened(tx, asked, team, await _shop(tx, asked, team))
    books.enter(
        tx, actor, one, asked.kind, events.ConversationOpened, text=asked.text, channel=asked.channel, by=asked.by,
        occurred_at=asked.occurred_at, external=_external(asked),
        says={
            "origin": one.origin, "direction": one.direction, "location_id": one.location_id,
            "first_answer_due_at": one.first_answer_due_at,
        },
    )  # fmt: skip
    await books.insert(tx, one)
    await join_if_both_wait(tx, actor, Family(head=one, asked=one, members=[one]), people)
    return one, False


async def _shop(tx: Tx, asked: Asked, team: Team) -> locations.Location | None:
    """By whose opening hours it is answered: the shop that is asked, else the team's. One statement at most."""
    if asked.location is not None or team.location_id is None:
        return asked.location
    return (await locations.by_ids(tx, [team.location_id])).get(team.location_id)


def _opened(tx: Tx, asked: Asked, team: Team, shop: locations.Location | None) -> Conversation:
    begins = max(tx.at, asked.preferred_at) if asked.preferred_at else asked.occurred_at
    due_at = books.due(begins, team.first_answer_minutes, shop)
    return Conversation(
        id=uuid7(), number=new_number(), person_id=asked.person, channel=asked.channel, direction="inbound", origin=asked.origin,
        team_id=team.id, team=team.code, team_location_id=team.location_id,
        location_id=asked.location.id if asked.location else team.location_id,
        source_id=asked.source[0] if asked.source else None, source=asked.source[1] if asked.source else None,
        handle=asked.handle, handle_hash=asked.handle_hash, handle_proven=asked.handle_proven,
        order_id=asked.order.id if asked.order else None, order_number=asked.order.number if asked.order else None,
        subject=asked.subject, state="open", priority=asked.priority, assignee_id=asked.assignee_id,
        preferred_at=asked.preferred_at, opened_at=asked.occurred_at, unanswered_since=asked.occurred_at,
        answer_due_at=due_at, due_at=due_at, first_answer_due_at=due_at,
    )  # fmt: skip


def _external(asked: Asked) -> tuple[UUID, str] | None:
    return (asked.source[0], asked.external_id) if asked.source and asked.external_id else None


async def _continue(tx: Tx, actor: Actor, family: Family, asked: Asked) -> None:
    one = family.asked
    if one.person_id is None:
        one.person_id = asked.person
    if one.order_id is None and asked.order is not None:
        one.order_id, one.order_number = asked.order.id, asked.order.number
    one.preferred_at = asked.preferred_at or one.preferred_at
    one.subject = one.subject or asked.subject
    if one is family.head:
        one.assignee_id = asked.assignee_id or one.assignee_id
        one.priority = "high" if asked.priority == "high" else one.priority
    await continue_with(
        tx,
        actor,
        family,
        kind=asked.kind,
        text=asked.text,
        by=asked.by,
        occurred_at=asked.occurred_at,
        external=_external(asked),
        begins=max(tx.at, asked.preferred_at) if asked.preferred_at else None,
    )


async def continue_with(
    tx: Tx,
    actor: Actor,
    family: Family,
    *,
    kind: str,
    text: str | None,
    by: str = "customer",
    occurred_at: datetime | None = None,
    external: tuple[UUID, str] | None = None,
    begins: datetime | None = None,
) -> None:
    """One more word of the customer in a locked conversation that is not closed: somebody has to answer, in its channel and in time."""
    one, head = family.asked, family.head
    if not books.unanswered(family.members):
        head.overdue_told_at = None
    if one.unanswered_since is None:
        await books.wait_from(tx, one, occurred_at or tx.at, begins=begins)
        books.settle(head, family.members)
    reopens = head.state == "waiting"
    head.state = "open"
    books.enter(
        tx, actor, one, kind, events.ConversationContinued, text=text, channel=one.channel, by=by, occurred_at=occurred_at,
        external=external,
    )  # fmt: skip
    await books.write(tx, one)
    if reopens and one is not head:
        books.enter(
            tx, actor, head, "reopened", events.ConversationReopened, by="system", data={"because_of": one.number}
        )
    if one is not head:
        await books.write(tx, head)


async def join_if_both_wait(tx: Tx, actor: Actor, family: Family, people: list[UUID]) -> None:
    """Join two conversations of the same person and team that both wait for their first answer, the later into the earlier."""
    one = family.head
    if not people or one.state != "open" or one.first_answered_at is not None or one.unanswered_since is None:
        return
    other = await tx.first(ALSO_WAITING, people=people, team=one.team_id, id=one.id)
    if other is None:
        return
    found = await books.lock_head(tx, other.id, other.number)
    if found.head.id == one.id or found.head.state != "open" or found.head.unanswered_since is None:
        return
    loser, winner = (
        (found, family) if (one.opened_at, one.id) < (found.head.opened_at, found.head.id) else (family, found)
    )
    await join(tx, actor, loser, winner)


async def join_all_that_wait(tx: Tx, actor: Actor, *, person: UUID) -> None:
    """The same of all that wait of a person whose profiles are one now."""
    people = await customers.ids_of(tx, person)
    await books.alone(tx, person=people[0], handle_hash=None)
    for row in await tx.rows(BOTH_WAIT, people=people):
        await join_if_both_wait(tx, actor, await books.lock_head(tx, row.id, row.number), people)


async def join(tx: Tx, actor: Actor, loser: Family, winner: Family) -> None:
    """Point a locked family at another: nothing moves, the clock to the first answer is the earliest's."""
    head = winner.head
    for member in loser.members:
        member.state, member.joined_into, member.due_at = "joined", head.id, None
        member.closed_at = member.outcome = member.outcome_order_id = member.outcome_order_number = None
        books.enter(
            tx, actor, member, "joined", events.ConversationJoined, by=None if actor.kind == "staff" else "system",
            data={"into": head.number}, says={"into": head.id},
        )  # fmt: skip
        await books.write(tx, member)
    head.first_answer_due_at = min(member.first_answer_due_at for member in (head, *loser.members))
    books.settle(head, [*winner.members, *loser.members])
    head.state = "open" if head.due_at is not None else "waiting"
    books.enter(
        tx, actor, head, "absorbed", events.ConversationAbsorbed, by=None if actor.kind == "staff" else "system",
        data={"joined": loser.head.number}, says={"joined": loser.head.id},
    )  # fmt: skip
    await books.write(tx, head)


async def sender(
    tx: Tx, *, secret_key: str, source: tuple[UUID, str], channel: str, handle: str, missed: bool, phone: str | None
) -> tuple[UUID | None, str, str | None]:
    """Whose a delivered handle is, as it is kept, and its hash; None for a number that was withheld, which joins nothing.

    He is whoever has verified the phone or e-mail that the source vouches for: of a call and of a telephone its number, of an e-mail its
    address, of a messenger the phone by which it knows its user. Else whom staff linked the handle to before; never by what a
    handle looks like, which its user chooses.
    """
    kind, value = vouched(channel, handle, source[1], missed=missed)
    hashed = None if kind is None else signatures.keyed_handle(secret_key, kind, value)
    known = (kind, value) if kind in ("phone", "email") else _telephone(phone) if phone else None
    person = await customers.verified_holder(tx, kind=str(known[0]), value=known[1]) if known else None
    if person is None and hashed is not None:
        person = await tx.scalar(LINKED, hash=hashed, source=source[0])
    return person, value, hashed


def vouched(channel: str, handle: str, source: str, *, missed: bool) -> tuple[str | None, str]:
    """The kind of a delivered handle and the form in which it is compared: what a source of this channel vouches for, else an id that
    only the source knows; no kind when the number was withheld."""
    text = handle.strip()
    if missed or channel == "phone":
        if (found := _telephone(text)) is not None:
            return found
        if missed or withheld(text):
            return None, text
    elif channel == "email":
        try:
            return "email", customers.email(text)
        except customers.BadEmail:
            pass
    return f"handle {source}", text


def withheld(text: str) -> bool:
    """Whether it stands for a number that the caller does not show: a word, that word spelled on the keys of a telephone, or zeros."""
    digits = re.sub(r"\D", "", text)
    return (digits in SPELLED or not digits.strip("0")) if digits else any(word in text.lower() for word in HIDDEN)


def _telephone(text: str) -> tuple[str, str] | None:
    try:
        return None if withheld(text) else ("phone", customers.phone(text))
    except customers.BadPhone:
        return None


def named(channel: str, handle: str) -> tuple[str | None, str]:
    """The same of a handle that staff name, by what it looks like: they know what they write down."""
    text = handle.strip()
    if channel == "phone" or text.startswith("+"):
        if (found := _telephone(text)) is not None:
            return found
        if channel == "phone":
            return None, text
    try:
        if channel == "email" or "@" in text[1:]:
            return "email", customers.email(text)
    except customers.BadEmail:
        pass
    return "handle staff", text
