"""Verbs of `conversations`: what shoppers ask, what sources deliver, what staff answer, note, assign, join, link and close."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import UNSET

from commerce import auth, catalog, customers, locations, orders
from commerce.conversations import books, events, intake, queries, steps
from commerce.conversations.books import Conversation, Family
from commerce.conversations.errors import (
    CallBackNeedsPhone,
    ConversationClosed,
    ConversationOpen,
    DifferentPeople,
    FormNeedsContact,
    JoinedIntoItself,
    NothingToAssign,
    NothingToLink,
    OtherPersonsOrder,
    OutcomeDetails,
    TextNeeded,
    UnknownAssignee,
    UnknownConversation,
    WrongMoment,
)
from commerce.conversations.numbers import new_number
from commerce.conversations.schemas import (
    AddEntry,
    Assign,
    CloseConversation,
    ConversationView,
    InboundMessage,
    Inquire,
    InquiryView,
    Join,
    Link,
    LogConversation,
    LostDemandIn,
    MyConversation,
    ReceivedView,
    SendMessage,
)
from commerce.conversations.signatures import keyed_handle
from commerce.conversations.tables import lost_demands, received
from commerce.infra.db import Tx, forget_answers
from commerce.kernel.actor import Actor
from commerce.kernel.clock import in_utc
from commerce.kernel.ids import uuid7

PREFERRED = timedelta(days=60)
BACKDATED = timedelta(days=30)
AHEAD = timedelta(minutes=5)
"""So far a sender's clock may be ahead of ours."""

CHANNEL_OF = {"call_back": "phone", "form": "form", "message": "chat"}
ORIGIN_OF = {"call_back": "call_back_request", "form": "form", "message": "message"}
SPOKEN = {"phone": "call", "in_store": "visit"}
"""The entry of a conversation that has happened, by its channel; a message otherwise."""
BY_FORM = ("email", "phone", "form")
"""A form is answered at the contact given in it."""

CLAIM = """
INSERT INTO conversations.received (source_id, webhook_id, conversation_id, received_at)
VALUES (:source, :webhook, :conversation, :at)
"""
RECEIVED = """
SELECT c.number FROM conversations.received r JOIN conversations.conversations c ON c.id = r.conversation_id
WHERE r.source_id = :source AND r.webhook_id = :webhook
UNION ALL
SELECT c.number FROM conversations.entries e JOIN conversations.conversations c ON c.id = e.conversation_id
WHERE e.source_id = :source AND e.external_id = :message
LIMIT 1
"""
LET_GO_LOST = "DELETE FROM conversations.lost_demands WHERE conversation_id = :conversation"


async def inquire(tx: Tx, actor: Actor, *, command: Inquire, secret_key: str) -> InquiryView:
    """A shopper asks to be called, sends a form or writes; added to what he has asked there and nobody has finished.

    The contact is what he gives, else his profile's. Raises CallBackNeedsPhone, FormNeedsContact, TextNeeded, WrongMoment,
    customers.BadPhone, customers.BadEmail, locations.UnknownLocation, orders.UnknownOrder.
    """
    if command.text is None and command.kind != "call_back":
        raise TextNeeded
    preferred_at = _preferred(tx, command.preferred_at)
    kind, handle = await _contact(tx, actor, command)
    location = await locations.one(tx, command.location) if command.location else None
    order = await _own_order(tx, actor, command.order) if command.order else None
    asked = intake.Asked(
        channel=CHANNEL_OF[command.kind], origin=ORIGIN_OF[command.kind],
        kind="call_back" if command.kind == "call_back" else "message_in", text=command.text, occurred_at=tx.at,
        person=actor.person, alone=not (actor.known or actor.on_behalf_of), handle=handle,
        handle_hash=keyed_handle(secret_key, kind, handle or str(actor.person)), location=location, order=order,
        preferred_at=preferred_at, addressed=location is not None,
    )  # fmt: skip
    one, appended = await intake.take_in(tx, actor, asked=asked)
    return InquiryView(number=one.number, answer_by=one.answer_due_at or one.first_answer_due_at, appended=appended)


def _preferred(tx: Tx, preferred_at: datetime | None) -> datetime | None:
    if preferred_at is not None and not tx.at <= in_utc(preferred_at) <= tx.at + PREFERRED:
        raise WrongMoment(
            field="preferred_at", reason="it has to be in the next 60 days", reason_ru="нужно время в ближайшие 60 дней"
        )
    return preferred_at


async def _contact(tx: Tx, actor: Actor, command: Inquire) -> tuple[str, str | None]:
    """The kind of the handle to answer to, and the handle."""
    phone, email = command.phone, command.email
    if phone is None and email is None and command.kind != "message":
        known = await customers.contacts(tx, actor.person)
        phone, email = known.phone, known.email
    if phone is not None and command.kind != "message" and not (command.kind == "form" and command.email):
        return "phone", customers.phone(phone)
    if command.kind == "call_back":
        raise CallBackNeedsPhone
    if email is not None and command.kind == "form":
        return "email", customers.email(email)
    if command.kind == "form":
        raise FormNeedsContact
    return "person", None


async def _own_order(tx: Tx, actor: Actor, number: str) -> orders.OrderHeadline:
    order = await orders.headline(tx, number=number)
    if order.customer_id is None or order.customer_id not in await customers.ids_of_caller(tx, actor):
        raise orders.UnknownOrder(number=number)
    return order


async def send(tx: Tx, actor: Actor, *, number: str, command: SendMessage) -> MyConversation:
    """One more message in one's own conversation: it waits for an answer again, in its channel. Where another of his waits for the
    same answer already, it goes there.

    Raises UnknownConversation, ConversationClosed.
    """
    await _alone(tx, number)
    family = await books.lock(tx, number)
    if family.asked.person_id is None or family.asked.person_id not in await customers.ids_of_caller(tx, actor):
        raise UnknownConversation(number=number)
    if family.head.state == "closed":
        raise ConversationClosed(number=family.asked.number)
    other = await books.waiting_beside(tx, family.asked) if family.asked.unanswered_since is None else None
    if other is not None:
        family = await books.lock(tx, other)
    await intake.continue_with(tx, actor, family, kind="message_in", text=command.text, by="customer")
    await tx.flush()
    return await queries.mine(tx, actor, number=family.asked.number)


async def receive(
    tx: Tx, actor: Actor, *, source: queries.ValidSource, webhook_id: str, message: InboundMessage, secret_key: str
) -> ReceivedView:
    """A delivered message or missed call: into the conversation of its handle, once.

    Raises TextNeeded, WrongMoment.
    """
    if message.kind == "message" and message.text is None:
        raise TextNeeded
    occurred_at = _moment(tx, message.occurred_at, "occurred_at")
    missed = message.kind == "missed_call"
    person, handle, hashed = await intake.sender(
        tx, secret_key=secret_key, source=(source.id, source.code), channel=source.channel, handle=message.sender.handle,
        missed=missed, phone=message.sender.phone,
    )  # fmt: skip
    await books.alone(tx, person=None, handle_hash=hashed or f"{source.id} {message.message_id}")
    done = await tx.first(RECEIVED, source=source.id, webhook=webhook_id, message=message.message_id)
    if done is not None:
        return ReceivedView(number=done.number, duplicate=True)
    location = (
        (await locations.by_ids(tx, [source.location_id])).get(source.location_id) if source.location_id else None
    )
    one, _ = await intake.take_in(
        tx, actor,
        asked=intake.Asked(
            channel="phone" if missed else source.channel, origin="missed_call" if missed else "message",
            kind="missed_call" if missed else "message_in", text=message.text, occurred_at=occurred_at, person=person,
            handle=handle, handle_hash=hashed, handle_proven=hashed is not None, team=source.team, location=location,
            subject=message.sender.name, source=(source.id, source.code), external_id=message.message_id,
        ),
    )  # fmt: skip
    tx.queue(received, source_id=source.id, webhook_id=webhook_id, conversation_id=one.id, received_at=tx.at)
    return ReceivedView(number=one.number, duplicate=False)


def _moment(tx: Tx, moment: datetime | None, field: str) -> datetime:
    if moment is None:
        return tx.at
    if not tx.at - BACKDATED <= in_utc(moment) <= tx.at + AHEAD:
        raise WrongMoment(
            field=field, reason="it has to be within the last 30 days", reason_ru="нужно время за последние 30 дней"
        )
    return min(in_utc(moment), tx.at)


async def log(tx: Tx, actor: Actor, *, command: LogConversation, secret_key: str) -> ConversationView:
    """Staff record a conversation that has happened, with next step and outcome; or one that waits for an answer (`answered` false).

    What waits is added to what the same customer waits for in that channel. Raises auth.NotYourLocation, UnknownTeam,
    UnknownAssignee, WrongMoment, OutcomeDetails, DifferentPeople, customers.UnknownCustomer, orders.UnknownOrder,
    catalog.UnknownSku, locations.UnknownLocation.
    """
    if not command.answered and (command.outcome is not None or command.direction == "outbound"):
        raise OutcomeDetails(
            field="answered", reason="what nobody has answered is inbound and has no outcome yet",
            reason_ru="у обращения без ответа нет итога, и оно входящее",
        )  # fmt: skip
    occurred_at = _moment(tx, command.occurred_at, "occurred_at")
    location = await _place(tx, actor, command.location)
    team = await books.team_of(tx, command.team) if command.team else await books.team_for(
        tx, channel=command.channel, location_id=location.id if location else None
    )  # fmt: skip
    assignee = await _assignee(tx, command.assignee)
    person = await customers.winner(tx, command.customer) if command.customer else None
    order = await orders.headline(tx, number=command.order) if command.order else None
    kind, handle = intake.named(command.channel, command.handle) if command.handle else ("person", None)
    subject = handle or (str(person) if person else None)
    hashed = keyed_handle(secret_key, kind, subject) if subject and kind else None
    if not command.answered:
        missed = command.channel == "phone"
        one, _ = await intake.take_in(
            tx, actor,
            asked=intake.Asked(
                channel=command.channel, origin="missed_call" if missed else "message",
                kind="missed_call" if missed else "message_in", text=command.summary, occurred_at=occurred_at, person=person,
                handle=handle, handle_hash=hashed, handle_proven=hashed is not None, team=team, location=location, order=order,
                subject=command.subject, priority=command.priority, assignee_id=assignee, by="staff", addressed=True,
            ),
        )  # fmt: skip
    else:
        one = _logged(command, occurred_at, team, location)
        one.person_id, one.handle, one.handle_hash, one.handle_proven = (
            person,
            handle,
            hashed,
            None not in (handle, hashed),
        )
        one.assignee_id, one.answered_by = assignee, actor.subject
        if order is not None:
            one.order_id, one.order_number = order.id, order.number
        books.enter(
            tx, actor, one, SPOKEN.get(command.channel, "message_out"), events.ConversationOpened, text=command.summary,
            channel=command.channel, answers=True, occurred_at=occurred_at,
            says={
                "origin": one.origin, "direction": one.direction, "location_id": one.location_id,
                "first_answer_due_at": one.first_answer_due_at,
            },
        )  # fmt: skip
        await books.insert(tx, one)
    if command.outcome is not None:
        family = Family(head=one, asked=one, members=[one])
        await _close(tx, actor, family, command.outcome)
    if command.next_step is not None:
        await steps.plan_for(tx, actor, one, command.next_step)
    await tx.flush()
    return await queries.read(tx, actor, number=one.number, checked=True)


def _logged(
    command: LogConversation, occurred_at: datetime, team: books.Team, location: locations.Location | None
) -> Conversation:
    inbound = {"phone": "call", "in_store": "walk_in", "form": "form"}.get(command.channel, "message")
    return Conversation(
        id=uuid7(), number=new_number(), channel=command.channel, direction=command.direction,
        origin="outbound" if command.direction == "outbound" else inbound, team_id=team.id, team=team.code,
        team_location_id=team.location_id, location_id=location.id if location else team.location_id, subject=command.subject,
        state="waiting", priority=command.priority, opened_at=occurred_at, first_answered_at=occurred_at,
        first_answer_due_at=books.due(occurred_at, team.first_answer_minutes, location),
    )  # fmt: skip


async def _place(tx: Tx, actor: Actor, code: str | None) -> locations.Location | None:
    """The location of what staff record: theirs, when they work for one only. Raises auth.NotYourLocation."""
    held = books.held(actor)
    if code is None and "*" not in held:
        code = actor.location if actor.location in held else held[0] if len(held) == 1 else None
        if code is None:
            raise auth.NotYourLocation(location="*")
    if code is None:
        return None
    if "*" not in held and code not in held:
        raise auth.NotYourLocation(location=code)
    return await locations.one(tx, code)


async def _assignee(tx: Tx, login: str | None) -> UUID | None:
    if login is None:
        return None
    found = await auth.staff_of_login(tx, login)
    if found is None:
        raise UnknownAssignee(login=login)
    return found


async def add_entry(
    tx: Tx, actor: Actor, *, number: str, command: AddEntry, if_match: int | None = None
) -> ConversationView:
    """An answer, a call, a visit or a note. An answer counts for the channel it went by; the conversation waits for the customer
    once every channel is answered.

    Raises UnknownConversation, OtherStoresConversation, StaleConversation, ConversationClosed, TextNeeded, WrongMoment.
    """
    family = await _reached(tx, actor, number, if_match)
    if command.text is None and command.kind in ("note", "message_out"):
        raise TextNeeded
    occurred_at = _moment(tx, command.occurred_at, "occurred_at")
    if command.kind == "note":
        books.enter(
            tx, actor, family.asked, "note", events.ConversationNoted, text=command.text, occurred_at=occurred_at
        )
        await books.write(tx, family.asked)
    else:
        if family.head.state == "closed":
            raise ConversationClosed(number=family.head.number)
        await _answer(tx, actor, family, command, occurred_at)
    await tx.flush()
    return await queries.read(tx, actor, number=family.head.number, checked=True)


async def _answer(tx: Tx, actor: Actor, family: Family, command: AddEntry, occurred_at: datetime) -> None:
    by = command.channel or {"call": "phone", "visit": "in_store"}.get(command.kind, family.asked.channel)
    one, answers = _answered_by(family, by)
    answers = answers and command.reached
    first = answers and one.first_answered_at is None
    head = family.head
    if answers:
        books.answered(one)
        books.settle(head, family.members)
        if first:
            one.first_answered_at, one.answered_by = occurred_at, actor.subject
    turns = head.state == "open" and not books.unanswered(family.members)
    if turns and one is head:
        head.state = "waiting"
    books.enter(
        tx, actor, one, command.kind, events.ConversationAnswered, text=command.text, channel=by, answers=answers,
        occurred_at=occurred_at, data={} if command.reached else {"reached": False},
        says={"kind": command.kind, "by": by, "source": one.source, "reached": command.reached, "first": first},
    )  # fmt: skip
    await books.write(tx, one)
    if turns and one is not head:
        await _wait(tx, actor, head)
    elif answers and one is not head:
        await books.write(tx, head)


async def _wait(tx: Tx, actor: Actor, head: Conversation) -> None:
    head.state = "waiting"
    books.enter(tx, actor, head, "waiting", events.ConversationWaiting, by="system")
    await books.write(tx, head)


def _answered_by(family: Family, by: str) -> tuple[Conversation, bool]:
    """Which of the joined conversations an answer by a channel belongs to, and whether it answers it there."""
    alive = [one for one in family.members if one.forgotten_at is None]
    ranked = sorted(alive, key=lambda one: (one is not family.asked, one.unanswered_since is None))
    for one in ranked:
        if one.channel == by:
            return one, True
    for one in ranked:
        if one.channel == "form" and by in BY_FORM:
            return one, True
    return family.asked, False


async def _reached(tx: Tx, actor: Actor, number: str, if_match: int | None) -> Family:
    family = await books.lock(tx, number)
    await books.check_reach(tx, actor, family.members)
    if family.asked.forgotten_at is not None:
        raise ConversationClosed(number=family.asked.number)
    books.check_version(family, if_match)
    return family


async def assign(
    tx: Tx, actor: Actor, *, number: str, command: Assign, if_match: int | None = None
) -> ConversationView:
    """Give it to another team, person or shop, or another priority.

    Raises UnknownConversation, OtherStoresConversation, StaleConversation, ConversationJoinedAlready, NothingToAssign,
    UnknownTeam, UnknownAssignee, AnotherWaits, locations.UnknownLocation.
    """
    if command == Assign():
        raise NothingToAssign
    await _alone(tx, number)
    family = await _reached(tx, actor, number, if_match)
    one = books.check_head(family)
    if command.team is not UNSET:
        team = await books.team_of(tx, command.team)
        one.team_id, one.team, one.team_location_id = team.id, team.code, team.location_id
        await books.check_alone(tx, one)
    if command.assignee is not UNSET:
        one.assignee_id = await _assignee(tx, command.assignee)
    if command.location is not UNSET:
        one.location_id = (await locations.one(tx, command.location)).id if command.location else None
    if command.priority is not UNSET:
        one.priority = command.priority
    data = {"assignee": one.assignee_id, "location_id": one.location_id, "priority": one.priority, "to_team": one.team}
    books.enter(
        tx, actor, one, "assigned", events.ConversationAssigned, data=data,
        says={"assignee_id": one.assignee_id, "location_id": one.location_id, "priority": one.priority},
    )  # fmt: skip
    await books.write(tx, one)
    await tx.flush()
    return await queries.read(tx, actor, number=one.number, checked=True)


async def _alone(tx: Tx, number: str) -> None:
    """Lock person and handle of a conversation before its row. Raises UnknownConversation."""
    found = await queries.whose(tx, number)
    people = await customers.ids_of(tx, found.person_id) if found.person_id else []
    await books.alone(tx, person=people[0] if people else None, handle_hash=found.handle_hash)


async def join(tx: Tx, actor: Actor, *, number: str, command: Join, if_match: int | None = None) -> ConversationView:
    """Let a conversation go on in another one of the same person. Each is still answered in its own channel.

    Raises UnknownConversation, OtherStoresConversation, StaleConversation, ConversationJoinedAlready, JoinedIntoItself,
    DifferentPeople, ConversationClosed.
    """
    await _lock_both(tx, number, command.into)
    loser = await _reached(tx, actor, number, if_match)
    winner = await _reached(tx, actor, command.into, None)
    one, head = books.check_head(loser), winner.head
    if one.id == head.id:
        raise JoinedIntoItself
    for closed in (one, head):
        if closed.state == "closed":
            raise ConversationClosed(number=closed.number)
    differ = one.person_id and head.person_id and one.handle_hash != head.handle_hash
    if differ and not await _same(tx, one.person_id, head.person_id):
        raise DifferentPeople
    await intake.join(tx, actor, loser, winner)
    await tx.flush()
    return await queries.read(tx, actor, number=head.number, checked=True)


async def _same(tx: Tx, one: UUID | None, other: UUID | None) -> bool:
    """Whether two are one person, as far as both are known."""
    return one is None or other is None or one == other or other in await customers.ids_of(tx, one)


async def _lock_both(tx: Tx, one: str, other: str) -> None:
    """Lock two conversations in the order of their ids, so that two who join them crosswise do not wait for each other."""
    heads = sorted([(await queries.whose(tx, one)).head, (await queries.whose(tx, other)).head])
    for head in heads:
        await tx.execute(books.LOCK, id=head)


async def link(tx: Tx, actor: Actor, *, number: str, command: Link, if_match: int | None = None) -> ConversationView:
    """Say whose conversation it is, and about which order. Joined with what he waits for elsewhere in the team.

    Raises UnknownConversation, OtherStoresConversation, StaleConversation, ConversationJoinedAlready, NothingToLink, AnotherWaits,
    OtherPersonsOrder, customers.UnknownCustomer, orders.UnknownOrder.
    """
    if command.customer is None and command.order is None:
        raise NothingToLink
    person = await customers.winner(tx, command.customer) if command.customer else None
    found = await queries.whose(tx, number)
    await books.alone(tx, person=person, handle_hash=found.handle_hash)
    family = await _reached(tx, actor, number, if_match)
    one = books.check_head(family)
    order = await orders.headline(tx, number=command.order) if command.order else None
    if person is not None:
        for member in family.members:
            if member is one or member.person_id is None:
                await _belongs(tx, member, person)
    if order is not None:
        if not await _same(tx, one.person_id, order.customer_id):
            raise OtherPersonsOrder(order=order.number)
        one.order_id, one.order_number = order.id, order.number
    for member in family.members:
        if member is one or (person is not None and member.person_id == person):
            books.enter(
                tx, actor, member, "linked", events.ConversationLinked,
                data={"customer": member.person_id, "order": member.order_number}, says={"order_id": member.order_id},
            )  # fmt: skip
            await books.write(tx, member)
    await intake.join_if_both_wait(tx, actor, family, await customers.ids_of(tx, person) if person else [])
    await tx.flush()
    return await queries.read(tx, actor, number=one.number, checked=True)


async def _belongs(tx: Tx, one: Conversation, person: UUID) -> None:
    if one.person_id != person:
        one.person_id = person
        await books.check_alone(tx, one)


async def close(
    tx: Tx, actor: Actor, *, number: str, command: CloseConversation, if_match: int | None = None
) -> ConversationView:
    """End it with an outcome. `no_sale` keeps what was asked for and why it was not sold; nothing waits in any channel any more.

    Raises UnknownConversation, OtherStoresConversation, StaleConversation, ConversationJoinedAlready, ConversationClosed,
    OutcomeDetails, orders.UnknownOrder, catalog.UnknownSku.
    """
    family = await _reached(tx, actor, number, if_match)
    one = books.check_head(family)
    if one.state == "closed":
        raise ConversationClosed(number=one.number)
    await _close(tx, actor, family, command)
    await tx.flush()
    return await queries.read(tx, actor, number=one.number, checked=True)


async def _close(tx: Tx, actor: Actor, family: Family, command: CloseConversation) -> None:
    _check_outcome(command)
    order = await orders.headline(tx, number=command.order) if command.order else None
    one = family.head
    one.state, one.closed_at, one.outcome, one.due_at = "closed", tx.at, command.outcome, None
    if order is not None:
        one.outcome_order_id, one.outcome_order_number = order.id, order.number
    await _lose(tx, one, command.lost)
    for member in family.members:
        if member is one or member.unanswered_since is not None:
            books.answered(member)
            lost = len(command.lost) if member is one else 0
            books.enter(
                tx, actor, member, "closed", events.ConversationClosed, text=command.note if member is one else None,
                data={"outcome": command.outcome, "lost": lost},
                says={"outcome": command.outcome, "order_id": one.outcome_order_id, "lost": lost},
            )  # fmt: skip
            await books.write(tx, member)


def _check_outcome(command: CloseConversation) -> None:
    if command.outcome == "no_sale" and not command.lost:
        raise OutcomeDetails(
            field="lost", reason="no_sale names what was asked for and why it was not sold",
            reason_ru="при no_sale нужно назвать, что спрашивали и почему не продали",
        )  # fmt: skip
    if command.outcome != "no_sale" and command.lost:
        raise OutcomeDetails(field="lost", reason="only no_sale has it", reason_ru="это бывает только при no_sale")
    if command.outcome != "sale" and command.order is not None:
        raise OutcomeDetails(field="order", reason="only a sale has one", reason_ru="это бывает только при sale")
    if any(line.sku is None and line.asked_for is None for line in command.lost):
        raise OutcomeDetails(
            field="lost", reason="each names a sku, or says in words what was asked for",
            reason_ru="в каждой строке нужен sku или описание словами",
        )  # fmt: skip


async def _lose(tx: Tx, one: Conversation, lost: Sequence[LostDemandIn]) -> None:
    skus = sorted({line.sku for line in lost if line.sku is not None})
    variants = await catalog.by_skus(tx, skus) if skus else {}
    for line in lost:
        if line.sku is not None and line.sku not in variants:
            raise catalog.UnknownSku(sku=line.sku)
        tx.queue(
            lost_demands, id=uuid7(), conversation_id=one.id, variant_id=variants[line.sku].id if line.sku else None,
            sku=line.sku, asked_for=line.asked_for, quantity=line.quantity, reason=line.reason, location_id=one.location_id,
            lost_at=tx.at,
        )  # fmt: skip


async def reopen(tx: Tx, actor: Actor, *, number: str, if_match: int | None = None) -> ConversationView:
    """Take an end back: it waits for an answer again, and what was lost is not.

    Raises UnknownConversation, OtherStoresConversation, StaleConversation, ConversationJoinedAlready, ConversationOpen, AnotherWaits.
    """
    await _alone(tx, number)
    family = await _reached(tx, actor, number, if_match)
    one = books.check_head(family)
    if one.state != "closed":
        raise ConversationOpen(number=one.number)
    one.state, one.overdue_told_at = "open", None
    await books.wait_from(tx, one, tx.at)
    books.settle(one, family.members)
    one.closed_at = one.outcome = one.outcome_order_id = one.outcome_order_number = None
    await books.check_alone(tx, one)
    await tx.execute(LET_GO_LOST, conversation=one.id)
    books.enter(tx, actor, one, "reopened", events.ConversationReopened)
    await books.write(tx, one)
    await tx.flush()
    return await queries.read(tx, actor, number=one.number, checked=True)


LATE = """
SELECT c.id, c.number FROM conversations.conversations c
WHERE c.due_at < :at AND (c.overdue_told_at IS NULL OR c.overdue_told_at <= c.due_at)
ORDER BY c.due_at, c.id LIMIT :limit FOR NO KEY UPDATE OF c SKIP LOCKED
"""


async def tell_overdue(tx: Tx, actor: Actor, *, limit: int) -> int:
    """Tell once of each conversation in which what was asked, first or later, is not answered in time; how many."""
    late = await tx.rows(LATE, at=tx.at, limit=limit)
    for row in late:
        family = await books.lock_head(tx, row.id, row.number)
        one = family.head
        one.overdue_told_at = tx.at
        first = any(late.first_answered_at is None for late in family.members if late.answer_due_at == one.due_at)
        books.enter(
            tx, actor, one, "overdue", events.FirstAnswerOverdue if first else events.AnswerOverdue, by="system",
            says={"first_answer_due_at": one.first_answer_due_at} if first else {"answer_due_at": one.due_at},
        )  # fmt: skip
        await books.write(tx, one)
    return len(late)


async def reassign(tx: Tx, actor: Actor, *, conversation: UUID, person: UUID) -> None:
    """Move a conversation to another person by hand, after two profiles that were one have been parted; what is joined stays joined.

    Raises UnknownConversation, AnotherWaits, customers.UnknownCustomer.
    """
    found = await tx.first(queries.BY_ID, id=conversation)
    if found is None:
        raise UnknownConversation(number=str(conversation))
    family = await books.lock_head(tx, found.head, found.number)
    one = family.asked
    before = one.person_id
    await _belongs(tx, one, await customers.winner(tx, person))
    books.enter(
        tx, actor, one, "linked", events.ConversationLinked,
        data={"customer": one.person_id, "customer_before": before}, says={"order_id": one.order_id},
    )  # fmt: skip
    await books.write(tx, one)


async def export_person(tx: Tx, *, ids: Sequence[UUID]) -> dict[str, Any]:
    """Everything kept here about a person, given all his ids (`customers.ids_of`). Four statements."""
    people = list(ids)
    heads = await tx.rows(
        """
        SELECT number, channel, direction, origin, handle, subject, order_number, state, opened_at, closed_at, outcome
        FROM conversations.conversations WHERE person_id = ANY(CAST(:ids AS uuid[])) ORDER BY opened_at, id
        """,
        ids=people,
    )
    said = await tx.rows(
        """
        SELECT c.number, e.n, e.kind, e.channel, e.written_by, e.text, e.occurred_at
        FROM conversations.entries e JOIN conversations.conversations c ON c.id = e.conversation_id
        WHERE c.person_id = ANY(CAST(:ids AS uuid[])) ORDER BY e.occurred_at, c.number, e.n
        """,
        ids=people,
    )
    planned = await tx.rows(
        """
        SELECT c.number, s.task, s.due_at, s.state, s.result
        FROM conversations.next_steps s JOIN conversations.conversations c ON c.id = s.conversation_id
        WHERE c.person_id = ANY(CAST(:ids AS uuid[])) ORDER BY s.due_at, s.id
        """,
        ids=people,
    )
    lost = await tx.rows(
        """
        SELECT c.number, d.sku, d.asked_for, d.quantity, d.reason, d.lost_at
        FROM conversations.lost_demands d JOIN conversations.conversations c ON c.id = d.conversation_id
        WHERE c.person_id = ANY(CAST(:ids AS uuid[])) ORDER BY d.lost_at, d.id
        """,
        ids=people,
    )
    return {
        "conversations": [dict(row) for row in heads],
        "entries": [dict(row) for row in said],
        "next_steps": [dict(row) for row in planned],
        "lost_demands": [dict(row) for row in lost],
    }


OF_PEOPLE = """
SELECT id, number, coalesce(joined_into, id) AS head FROM conversations.conversations
WHERE person_id = ANY(CAST(:ids AS uuid[])) AND forgotten_at IS NULL ORDER BY coalesce(joined_into, id), id
"""
LONG_CLOSED = """
SELECT c.id, c.number, c.id AS head FROM conversations.conversations c
WHERE c.closed_at < :before AND c.forgotten_at IS NULL ORDER BY c.closed_at, c.id LIMIT :limit
"""
EMPTY = """
WITH said AS (
    UPDATE conversations.entries SET text = NULL WHERE conversation_id = ANY(CAST(:ids AS uuid[])) AND text IS NOT NULL
), planned AS (
    UPDATE conversations.next_steps SET task = NULL, result = NULL WHERE conversation_id = ANY(CAST(:ids AS uuid[]))
), lost AS (
    UPDATE conversations.lost_demands SET asked_for = CASE WHEN sku IS NULL THEN '' END
    WHERE conversation_id = ANY(CAST(:ids AS uuid[])) AND asked_for IS NOT NULL
)
UPDATE conversations.conversations SET handle = NULL, handle_hash = NULL, subject = NULL, forgotten_at = :at
WHERE id = ANY(CAST(:ids AS uuid[]))
"""


async def erase_person(tx: Tx, actor: Actor, *, ids: Sequence[UUID]) -> None:
    """Forget what was said with a person and how he was reached, given all his ids; that there were conversations stays.

    What is not closed ends with the outcome `erased`, and its next steps are dropped. Twice is once.
    """
    await forget_answers(tx, ids)
    for row in await tx.rows(OF_PEOPLE, ids=list(ids)):
        family = await books.lock_head(tx, row.head, row.number)
        await _forget(tx, actor, family, family.asked, ends=True)
    await tx.flush()
    erased = await tx.rows(OF_PEOPLE, ids=list(ids))
    await tx.execute(EMPTY, ids=[row.id for row in erased], at=tx.at)


async def forget_before(tx: Tx, actor: Actor, *, before: datetime, limit: int = 200) -> int:
    """Forget the words and handles of conversations that were closed before a moment, with what was joined into them; how many."""
    old = await tx.rows(LONG_CLOSED, before=before, limit=limit)
    forgotten: list[UUID] = []
    for row in old:
        family = await books.lock_head(tx, row.head, row.number)
        for member in family.members:
            if member.forgotten_at is None and family.head.state == "closed":
                await _forget(tx, actor, family, member, ends=False)
                forgotten.append(member.id)
    await tx.flush()
    await tx.execute(EMPTY, ids=forgotten, at=tx.at)
    return len(old)


async def _forget(tx: Tx, actor: Actor, family: Family, one: Conversation, *, ends: bool) -> None:
    head = family.head
    if ends and one is head and head.state in ("open", "waiting"):
        head.state, head.closed_at, head.outcome = "closed", tx.at, "erased"
        head.due_at = None
        books.answered(head)
        for member in family.members:
            if member is not head and member.unanswered_since is not None:
                books.answered(member)
                books.enter(
                    tx, actor, member, "closed", events.ConversationClosed, by="system", data={"outcome": "erased"},
                    says={"outcome": "erased", "order_id": None, "lost": 0},
                )  # fmt: skip
                await books.write(tx, member)
        await steps.drop_all(tx, actor, conversation=head.id)
    elif ends and one is not head and one.unanswered_since is not None:
        books.answered(one)
        books.settle(head, family.members)
        if head.state == "open" and head.due_at is None:
            await _wait(tx, actor, head)
        else:
            await books.write(tx, head)
    books.enter(tx, actor, one, "forgotten", events.ConversationForgotten, by="system")
    await books.write(tx, one)
