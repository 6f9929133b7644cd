"""Verbs of `customers`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import UNSET, structs

from commerce import auth
from commerce.customers import identifiers
from commerce.customers.errors import (
    AlreadySignedUp,
    ContactRequired,
    EmailTaken,
    PhoneTaken,
    StaleProfile,
    UnknownCustomer,
)
from commerce.customers.events import CustomerChanged, CustomerErased, CustomerSignedUp
from commerce.customers.queries import holder, profile_row, profile_view
from commerce.customers.schemas import ChangeProfile, CustomerView, ProfileView
from commerce.infra import outbox
from commerce.infra.db import Tx, forget_answers
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Problem
from commerce.kernel.ids import uuid7

TAKEN: dict[str, type[Problem]] = {"email": EmailTaken, "phone": PhoneTaken}

CREATE_PROFILE = """
WITH profile AS (
    INSERT INTO customers.profiles (id, name, language, created_at) VALUES (:person, :name, :language, :at)
    ON CONFLICT (id) DO NOTHING RETURNING id
), held AS (
    INSERT INTO customers.identifiers (id, profile_id, kind, value, created_at)
    SELECT given.id, profile.id, given.kind, given.value, :at
    FROM profile, unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:values AS text[])) AS given (id, kind, value)
    ORDER BY given.kind
    ON CONFLICT (kind, value) DO NOTHING RETURNING kind
)
SELECT EXISTS (SELECT 1 FROM profile) AS made, (SELECT array_agg(kind) FROM held) AS held
"""


async def create_profile(
    tx: Tx,
    actor: Actor,
    *,
    email: str | None = None,
    phone: str | None = None,
    name: str | None = None,
    language: str = "ru",
    password_hash: str | None = None,
    principal: UUID | None = None,
) -> UUID:
    """A profile for an anonymous principal, or for a new one; its id is the principal's. Takes the password's argon2 hash.

    Of two at once for one e-mail or phone the second waits and is refused. Raises BadEmail, BadPhone, ContactRequired,
    EmailTaken, PhoneTaken, AlreadySignedUp.
    """
    held: dict[str, str] = {}
    if email is not None:
        held["email"] = identifiers.email(email)
    if phone is not None:
        held["phone"] = identifiers.phone(phone)
    if not held:
        raise ContactRequired
    person = principal or await auth.create_shopper(tx, actor)
    row = await tx.one(
        CREATE_PROFILE, person=person, name=name, language=language, at=tx.at,
        ids=[uuid7() for _ in held], kinds=list(held), values=list(held.values()),
    )  # fmt: skip
    if not row.made:
        raise AlreadySignedUp
    for kind in held:
        if kind not in (row.held or ()):
            raise TAKEN[kind]
    if password_hash is not None:
        await auth.set_password(tx, actor, principal=person, password_hash=password_hash)
    outbox.record(tx, actor, CustomerSignedUp(aggregate_id=person, version=1, language=language))
    return person


async def sign_up(
    tx: Tx,
    actor: Actor,
    *,
    email: str | None,
    phone: str | None,
    name: str | None,
    language: str,
    password_hash: str,
    device_name: str | None = None,
    idle_seconds: int | None = None,
) -> auth.Started:
    """An account and a session. An anonymous shopper stays the same principal, so his cart stays his; a client makes a new one.

    The sessions he had while anonymous end: a token that somebody else may hold does not become an account's.
    Raises as `create_profile`.
    """
    if actor.known:
        raise AlreadySignedUp
    anonymous = actor.subject if actor.kind == "shopper" else None
    person = await create_profile(
        tx, actor, email=email, phone=phone, name=name, language=language, password_hash=password_hash,
        principal=anonymous,
    )  # fmt: skip
    if anonymous is not None:
        await auth.end_sessions(tx, actor, principals=[anonymous], reason="signed_up")
    return await auth.start_session(
        tx, actor, principal=person, kind="shopper", known=True, device_name=device_name, idle_seconds=idle_seconds
    )


async def sign_in(
    tx: Tx,
    actor: Actor,
    *,
    person: UUID | None,
    proof: auth.Proof,
    verified: auth.Verified,
    device_name: str | None = None,
    idle_seconds: int | None = None,
) -> auth.Started:
    """A session of the person whose password this is, as the winner of any merge. Raises auth.WrongPassword, auth.TooManyAttempts."""
    owner = await auth.settle(tx, actor, proof=proof, verified=verified)
    return await auth.start_session(
        tx,
        actor,
        principal=person or owner,
        kind="shopper",
        known=True,
        device_name=device_name,
        idle_seconds=idle_seconds,
    )


LOCK_WINNER = """
WITH RECURSIVE up AS (
    SELECT id, merged_into FROM customers.profiles WHERE id = :person
    UNION
    SELECT p.id, p.merged_into FROM up JOIN customers.profiles p ON p.id = up.merged_into
)
SELECT id FROM customers.profiles WHERE id = (SELECT id FROM up WHERE merged_into IS NULL) FOR NO KEY UPDATE
"""
UPDATE_PROFILE = """
UPDATE customers.profiles SET name = :name, language = :language, version = version + 1 WHERE id = :id
"""
LET_GO = """
DELETE FROM customers.identifiers
WHERE profile_id = ANY(CAST(:family AS uuid[])) AND kind = :kind AND value = ANY(CAST(:values AS text[]))
"""
HOLD = """
INSERT INTO customers.identifiers (id, profile_id, kind, value, created_at) VALUES (:id, :person, :kind, :value, :at)
ON CONFLICT (kind, value) DO NOTHING RETURNING id
"""


async def change_profile(tx: Tx, actor: Actor, *, command: ChangeProfile, if_match: int | None) -> ProfileView:
    """Change the caller's profile; a new e-mail or phone is unverified. Nothing different is no new version.

    Raises StaleProfile, ContactRequired, BadEmail, BadPhone, EmailTaken, PhoneTaken, UnknownCustomer.
    """
    if await tx.first(LOCK_WINNER, person=actor.person) is None:
        raise UnknownCustomer
    before = profile_view(row := await profile_row(tx, actor.person))
    if if_match is not None and if_match != before.version:
        raise StaleProfile(current_version=before.version)
    wanted = _wanted(command)
    changed = {field: value for field, value in wanted.items() if value != getattr(before, field)}
    if not changed:
        return before
    after = structs.replace(before, **changed, version=before.version + 1)
    if after.email is None and after.phone is None:
        raise ContactRequired
    family = [before.id, *(row.merged_ids or ())]
    for kind in ("email", "phone"):
        if kind in changed:
            old, new = getattr(before, kind), changed[kind]
            await tx.execute(LET_GO, family=family, kind=kind, values=[value for value in (old, new) if value])
            if new is not None and not await tx.first(
                HOLD, id=uuid7(), person=before.id, kind=kind, value=new, at=tx.at
            ):
                raise TAKEN[kind]
            after = structs.replace(after, **{f"{kind}_verified_at": None})
    await tx.execute(UPDATE_PROFILE, id=before.id, name=after.name, language=after.language)
    outbox.record(tx, actor, CustomerChanged(aggregate_id=before.id, version=after.version, fields=sorted(changed)))
    return after


def _wanted(command: ChangeProfile) -> dict[str, Any]:
    wanted = {field: value for field, value in structs.asdict(command).items() if value is not UNSET}
    if wanted.get("email") is not None:
        wanted["email"] = identifiers.email(wanted["email"])
    if wanted.get("phone") is not None:
        wanted["phone"] = identifiers.phone(wanted["phone"])
    return wanted


async def find(tx: Tx, actor: Actor, *, email: str | None = None, phone: str | None = None) -> CustomerView:
    """The customer of exactly one e-mail or phone; looking is recorded. Raises UnknownCustomer, OneIdentifier, BadEmail, BadPhone."""
    kind, value = identifiers.only_one(email_text=email, phone_text=phone)
    person = await holder(tx, kind=kind, value=value)
    if person is None:
        raise UnknownCustomer
    row = await profile_row(tx, person)
    outbox.audit(tx, actor, "customer.found", "customer", row.id, after={"by": kind})
    return CustomerView(**structs.asdict(profile_view(row)), merged_ids=list(row.merged_ids or ()))


async def export_person(tx: Tx, *, ids: Sequence[UUID]) -> dict[str, Any]:
    """Everything kept here about a person, given all his ids (`ids_of`)."""
    people = list(ids)
    profiles = await tx.rows(
        """
        SELECT id, name, language, merged_into, merged_at, erased_at, version, created_at
        FROM customers.profiles WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY created_at, id
        """,
        ids=people,
    )  # fmt: skip
    held = await tx.rows(
        """
        SELECT profile_id, kind, value, verified_at, created_at
        FROM customers.identifiers WHERE profile_id = ANY(CAST(:ids AS uuid[])) ORDER BY kind, value
        """,
        ids=people,
    )  # fmt: skip
    return {"profiles": [dict(row) for row in profiles], "identifiers": [dict(row) for row in held]}


ERASE = """
WITH due AS MATERIALIZED (
    SELECT id FROM customers.profiles WHERE id = ANY(CAST(:ids AS uuid[])) AND erased_at IS NULL ORDER BY id
    FOR NO KEY UPDATE
), forgotten AS (
    DELETE FROM customers.identifiers WHERE profile_id IN (SELECT id FROM due)
)
UPDATE customers.profiles p SET name = NULL, erased_at = :at, version = p.version + 1
FROM due WHERE p.id = due.id RETURNING p.id, p.version
"""


async def erase_person(tx: Tx, actor: Actor, *, ids: Sequence[UUID]) -> None:
    """Forget name, e-mails and phones of a person, given all his ids; the profile stays as an empty mark. Twice is once."""
    await forget_answers(tx, ids)
    for row in await tx.rows(ERASE, ids=list(ids), at=tx.at):
        outbox.record(tx, actor, CustomerErased(aggregate_id=row.id, version=row.version))
        outbox.audit(tx, actor, "customer.erased", "customer", row.id)
