"""Guests: people without an account who have said how to reach them. Nothing of it is verified, and it opens nothing."""

from __future__ import annotations

from uuid import UUID

from commerce.customers import identifiers
from commerce.customers.events import CustomerChanged, GuestNoted
from commerce.customers.merging import lock
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

NOTE = """
INSERT INTO customers.profiles (id, name, language, guest, created_at) VALUES (:person, :name, :language, true, :at)
ON CONFLICT (id) DO NOTHING RETURNING id
"""
CLAIM = """
INSERT INTO customers.identifiers (id, profile_id, kind, value, created_at)
SELECT given.id, :person, given.kind, given.value, :at
FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:values AS text[])) AS given (id, kind, value)
ON CONFLICT (profile_id, kind, system, value) DO NOTHING RETURNING kind
"""
COMPLETE = """
UPDATE customers.profiles SET name = coalesce(name, CAST(:name AS text)), version = version + 1 WHERE id = :person RETURNING version
"""


async def note_guest(
    tx: Tx,
    actor: Actor,
    *,
    person: UUID,
    name: str | None = None,
    email: str | None = None,
    phone: str | None = None,
    language: str = "ru",
) -> None:
    """What an anonymous shopper has said of himself: a guest's profile is made, or completed. The same again changes nothing.

    Nothing happens to somebody who has an account, was merged or erased. `person` is the id of a principal of kind shopper.
    Raises BadEmail, BadPhone.
    """
    said: dict[str, str] = {}
    if email is not None:
        said["email"] = identifiers.email(email)
    if phone is not None:
        said["phone"] = identifiers.phone(phone)
    made = await tx.first(NOTE, person=person, name=name, language=language, at=tx.at)
    if made is None:
        row = (await lock(tx, [person]))[person]
        if not row.guest or row.merged_into is not None or row.erased_at is not None:
            return
    claimed = await tx.rows(
        CLAIM, person=person, at=tx.at, ids=[uuid7() for _ in said], kinds=list(said), values=list(said.values())
    )
    if made is not None:
        outbox.record(tx, actor, GuestNoted(aggregate_id=person, version=1, language=language))
        return
    changed = sorted({claim.kind for claim in claimed} | ({"name"} if name and row.name is None else set()))
    if changed:
        version = await tx.scalar(COMPLETE, person=person, name=name)
        outbox.record(tx, actor, CustomerChanged(aggregate_id=person, version=version, fields=changed))
