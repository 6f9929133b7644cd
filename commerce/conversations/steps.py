"""Next steps: what is still to be done for a customer, by when, and in which shop: "call him back on Tuesday"."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from commerce import auth, locations
from commerce.conversations import books, queries
from commerce.conversations.books import Conversation
from commerce.conversations.errors import ConversationClosed, NextStepEnded, UnknownAssignee, WrongMoment
from commerce.conversations.events import NextStepDone, NextStepDropped, NextStepDue, NextStepPlanned
from commerce.conversations.schemas import EndNextStep, NextStepView, PlanNextStep, StepState
from commerce.conversations.tables import next_steps
from commerce.infra import outbox
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.clock import in_utc
from commerce.kernel.ids import uuid7

FARTHEST = timedelta(days=366)

END = """
UPDATE conversations.next_steps SET state = :state, ended_at = :at, ended_by = :by, result = CAST(:result AS text), version = version + 1
WHERE id = :id AND state = 'open' RETURNING id, conversation_id, location_id, assignee_id, version
"""
DROP_ALL = """
UPDATE conversations.next_steps SET state = 'dropped', ended_at = :at, ended_by = :by, version = version + 1
WHERE conversation_id = :conversation AND state = 'open' RETURNING id, conversation_id, location_id, assignee_id, version
"""
DUE = """
UPDATE conversations.next_steps s SET due_told_at = :at, version = version + 1
FROM (
    SELECT id FROM conversations.next_steps WHERE state = 'open' AND due_at <= :at AND due_told_at IS NULL
    ORDER BY due_at, id LIMIT :limit FOR NO KEY UPDATE SKIP LOCKED
) late WHERE s.id = late.id RETURNING s.id, s.conversation_id, s.location_id, s.assignee_id, s.due_at, s.version
"""


async def plan(
    tx: Tx, actor: Actor, *, number: str, command: PlanNextStep, if_match: int | None = None
) -> NextStepView:
    """Plan something for the customer of a conversation, closed or not, in any shop.

    Raises UnknownConversation, OtherStoresConversation, StaleConversation, ConversationClosed, WrongMoment, UnknownTeam,
    locations.UnknownLocation.
    """
    family = await books.lock(tx, number)
    await books.check_reach(tx, actor, family.members)
    if family.asked.forgotten_at is not None:
        raise ConversationClosed(number=family.asked.number)
    books.check_version(family, if_match)
    step_id = await plan_for(tx, actor, family.head, command)
    await tx.flush()
    return await queries.next_step(tx, step_id)


async def plan_for(tx: Tx, actor: Actor, one: Conversation, command: PlanNextStep) -> UUID:
    """Queue a next step of a conversation that is locked or new. Raises WrongMoment, UnknownTeam, UnknownAssignee, UnknownLocation."""
    due_at = in_utc(command.due_at)
    if not tx.at <= due_at <= tx.at + FARTHEST:
        raise WrongMoment(field="due_at", reason="it has to be within a year", reason_ru="нужно время в течение года")
    location_id = (await locations.one(tx, command.location)).id if command.location else one.location_id
    if command.team is not None:
        team_id = (await books.team_of(tx, command.team)).id
    elif command.location is not None:
        team_id = (await books.team_for(tx, channel=one.channel, location_id=location_id)).id
    else:
        team_id = one.team_id
    assignee = None
    if command.assignee is not None:
        assignee = await auth.staff_of_login(tx, command.assignee)
        if assignee is None:
            raise UnknownAssignee(login=command.assignee)
    step_id = uuid7()
    tx.queue(
        next_steps, id=step_id, conversation_id=one.id, task=command.what, due_at=due_at, location_id=location_id, team_id=team_id,
        assignee_id=assignee, state="open", planned_at=tx.at, planned_by=actor.subject,
    )  # fmt: skip
    outbox.record(
        tx, actor,
        NextStepPlanned(
            aggregate_id=step_id, version=1, conversation_id=one.id, location_id=location_id, assignee_id=assignee, due_at=due_at
        ),
    )  # fmt: skip
    outbox.audit(
        tx, actor, "next_step.plan", "next_step", step_id, after={"conversation": one.number, "due_at": due_at}
    )
    return step_id


async def end(tx: Tx, actor: Actor, *, id: UUID, state: StepState, command: EndNextStep) -> NextStepView:  # noqa: A002
    """Say that a next step is done, or will not be (`dropped`). Of two at once one is refused.

    Raises UnknownNextStep, NextStepEnded.
    """
    await queries.reachable_step(tx, actor, id)
    row = await tx.first(END, id=id, state=state, at=tx.at, by=actor.subject, result=command.result)
    if row is None:
        raise NextStepEnded(state=(await queries.next_step(tx, id)).state)
    _told(tx, actor, row, state)
    await tx.flush()
    return await queries.next_step(tx, id)


def _told(tx: Tx, actor: Actor, row: Row, state: str) -> None:
    fact = NextStepDone if state == "done" else NextStepDropped
    outbox.record(
        tx, actor,
        fact(
            aggregate_id=row.id, version=row.version, conversation_id=row.conversation_id, location_id=row.location_id,
            assignee_id=row.assignee_id,
        ),
    )  # fmt: skip
    outbox.audit(tx, actor, f"next_step.{state}", "next_step", row.id, before={"state": "open"}, after={"state": state})


async def drop_all(tx: Tx, actor: Actor, *, conversation: UUID) -> None:
    """Drop what is still open of a conversation whose customer is forgotten."""
    for row in await tx.rows(DROP_ALL, conversation=conversation, at=tx.at, by=actor.subject):
        _told(tx, actor, row, "dropped")


async def tell_due(tx: Tx, actor: Actor, *, limit: int) -> int:
    """Tell once of each next step whose moment has come; how many."""
    rows = await tx.rows(DUE, at=tx.at, limit=limit)
    for row in rows:
        outbox.record(
            tx, actor,
            NextStepDue(
                aggregate_id=row.id, version=row.version, conversation_id=row.conversation_id, location_id=row.location_id,
                assignee_id=row.assignee_id, due_at=row.due_at,
            ),
        )  # fmt: skip
    return len(rows)
