"""What a person allows: per channel and purpose, with when, where and to which text he said it. Nothing is changed, only said anew."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import convert

from commerce.customers import families
from commerce.customers.errors import RepeatedConsent
from commerce.customers.events import ConsentChanged, ConsentSaid
from commerce.customers.queries import ids_of, profile_row
from commerce.customers.schemas import ConsentPurpose, ConsentsView, ConsentView, ContactChannel, SetConsents
from commerce.customers.tables import consents
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

HISTORY = 500
"""What a view tells of what was said before."""
OF_FAMILY = """
SELECT id, channel, purpose, granted, at, source, device_id AS device, actor_id AS actor, text_version
FROM customers.consents WHERE profile_id = ANY(CAST(:ids AS uuid[]))
ORDER BY at DESC, id DESC LIMIT :most
"""
PRESENT = """
SELECT DISTINCT ON (channel, purpose)
    id, channel, purpose, granted, at, source, device_id AS device, actor_id AS actor, text_version
FROM customers.consents WHERE profile_id = ANY(CAST(:ids AS uuid[]))
ORDER BY channel, purpose, at DESC, id DESC
"""
BEFORE = """
SELECT id, channel, purpose, granted, at, source, device_id AS device, actor_id AS actor, text_version
FROM customers.consents
WHERE profile_id = ANY(CAST(:ids AS uuid[]))
  AND (CAST(:before_at AS timestamptz) IS NULL OR (at, id) < (CAST(:before_at AS timestamptz), CAST(:before_id AS uuid)))
ORDER BY at DESC, id DESC LIMIT :most
"""
CONSENTED = """
WITH RECURSIVE up AS (
    SELECT p.id AS asked, p.id, p.merged_into FROM customers.profiles p WHERE p.id = ANY(CAST(:people AS uuid[]))
    UNION
    SELECT up.asked, p.id, p.merged_into FROM up JOIN customers.profiles p ON p.id = up.merged_into
), family AS (
    SELECT up.asked, up.id FROM up JOIN customers.profiles p ON p.id = up.id
    WHERE up.merged_into IS NULL AND p.erased_at IS NULL
    UNION
    SELECT f.asked, p.id FROM family f JOIN customers.profiles p ON p.merged_into = f.id
)
SELECT asked FROM (
    SELECT DISTINCT ON (f.asked) f.asked, c.granted
    FROM family f JOIN customers.consents c ON c.profile_id = f.id
    WHERE c.channel = :channel AND c.purpose = :purpose
    ORDER BY f.asked, c.at DESC, c.id DESC
) newest WHERE granted
"""


async def present(tx: Tx, ids: Sequence[UUID]) -> list[ConsentView]:
    """What a person, given all his ids, consents to or not: the newest word on each channel and purpose. One statement."""
    return [convert(dict(row), ConsentView) for row in await tx.rows(PRESENT, ids=list(ids))]


async def said_before(
    tx: Tx, ids: Sequence[UUID], *, before: tuple[datetime, UUID] | None, limit: int
) -> list[ConsentView]:
    """What a person said about consents, newest first, before a moment and id. One statement."""
    before_at, before_id = before or (None, None)
    rows = await tx.rows(BEFORE, ids=list(ids), before_at=before_at, before_id=before_id, most=limit)
    return [convert(dict(row), ConsentView) for row in rows]


async def view(tx: Tx, ids: Sequence[UUID]) -> ConsentsView:
    """The present state and what was said before. Two statements."""
    history = [convert(dict(row), ConsentView) for row in await tx.rows(OF_FAMILY, ids=list(ids), most=HISTORY)]
    return ConsentsView(items=await present(tx, ids), history=history)


async def mine(tx: Tx, actor: Actor) -> ConsentsView:
    """The caller's consents."""
    return await view(tx, await ids_of(tx, actor.person))


async def of_customer(tx: Tx, *, customer: UUID) -> tuple[UUID, ConsentsView]:
    """The winner of a customer's merges, and his consents. Raises UnknownCustomer."""
    row = await profile_row(tx, customer)
    return row.id, await view(tx, await ids_of(tx, customer))


async def consented(tx: Tx, people: Sequence[UUID], *, channel: ContactChannel, purpose: ConsentPurpose) -> set[UUID]:
    """Who of these people may be written to or called for a purpose: those whose newest word, under any of their profiles, is yes.

    Nobody has consented who never said so; nobody erased has. One statement.
    """
    return {row.asked for row in await tx.rows(CONSENTED, people=list(people), channel=channel, purpose=purpose)}


async def give(tx: Tx, actor: Actor, *, command: SetConsents, customer: UUID | None = None) -> ConsentsView:
    """Record what the caller, or the customer that staff name, allows and takes back. What is said already is not said again.

    Raises UnknownCustomer, RepeatedConsent.
    """
    named: set[tuple[str, str]] = set()
    for item in command.items:
        if (item.channel, item.purpose) in named:
            raise RepeatedConsent(channel=item.channel, purpose=item.purpose)
        named.add((item.channel, item.purpose))
    family = await families.lock(tx, person=customer or actor.person)
    now = await view(tx, family.ids)
    standing = {(one.channel, one.purpose): one for one in now.items}
    said: list[ConsentView] = []
    for item in command.items:
        there = standing.get((item.channel, item.purpose))
        if there is not None and (there.granted, there.text_version) == (item.granted, item.text_version):
            continue
        said.append(
            ConsentView(
                id=uuid7(), channel=item.channel, purpose=item.purpose, granted=item.granted, at=tx.at, source=actor.channel,
                device=actor.device, actor=actor.subject, text_version=item.text_version,
            )
        )  # fmt: skip
    if not said:
        return now
    for one in said:
        tx.queue(
            consents, id=one.id, profile_id=family.id, channel=one.channel, purpose=one.purpose, granted=one.granted, at=one.at,
            source=one.source, device_id=one.device, actor_id=one.actor, actor_kind=actor.kind, text_version=one.text_version,
        )  # fmt: skip
    family.count(tx)
    changes = [ConsentSaid(channel=one.channel, purpose=one.purpose, granted=one.granted) for one in said]
    outbox.record(tx, actor, ConsentChanged(aggregate_id=family.id, version=family.version, changes=changes))
    if actor.subject not in family.ids:
        outbox.audit(
            tx, actor, "customer.consents", "customer", family.id,
            before={"consents": [_word(standing[key]) for one in said if (key := (one.channel, one.purpose)) in standing]},
            after={"consents": [_word(one) for one in said]},
        )  # fmt: skip
    standing |= {(one.channel, one.purpose): one for one in said}
    return ConsentsView(
        items=[standing[key] for key in sorted(standing)], history=[*reversed(said), *now.history][:HISTORY]
    )


def _word(one: ConsentView) -> str:
    return f"{one.channel}:{one.purpose}:{'yes' if one.granted else 'no'}"
