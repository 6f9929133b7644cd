"""Verbs of `customers`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from msgspec import UNSET, structs

from commerce import auth, locations
from commerce.customers import families, identifiers, merging, touches
from commerce.customers.errors import (
    AlreadySignedUp,
    BadBirthday,
    BadPreferences,
    IdentifierTaken,
    OwnerOnly,
    ProofRequired,
    StaleProfile,
)
from commerce.customers.events import CustomerChanged, CustomerErased, CustomerSignedUp
from commerce.customers.queries import ids_of, own_principals, profile_row, profile_view
from commerce.customers.schemas import ChangeProfile, ProfileView
from commerce.infra import outbox
from commerce.infra.db import Tx, forget_answers
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy
from commerce.kernel.ids import uuid7

CREATE_PROFILE = """
WITH profile AS (
    INSERT INTO customers.profiles (id, name, language, created_at) VALUES (:person, :name, :language, :at)
    ON CONFLICT (id) DO NOTHING RETURNING id
), held AS (
    INSERT INTO customers.identifiers (id, profile_id, kind, value, verified_at, created_at)
    SELECT given.id, profile.id, given.kind, given.value, :at, :at
    FROM profile, unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:values AS text[])) AS given (id, kind, value)
    ORDER BY given.kind
    ON CONFLICT DO NOTHING RETURNING kind
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
    """A customer whose contacts somebody vouches for, as an import does: they count as verified. Takes the password's argon2 hash.

    His id is that of an anonymous principal, or of a new one. Of two at once for one contact the second waits and is refused.
    Raises BadEmail, BadPhone, IdentifierTaken, AlreadySignedUp; ValueError without any contact.
    """
    held: dict[str, str] = {}
    if email is not None:
        held["email"] = identifiers.email(email)
    if phone is not None:
        held["phone"] = identifiers.phone(phone)
    if not held:
        raise ValueError("a customer has an e-mail or a phone")
    person = principal or await auth.create_shopper(tx, actor)
    row = await tx.one(
        CREATE_PROFILE, person=person, name=name, language=language, at=tx.at,
        ids=[uuid7() for _ in held], kinds=list(held), values=list(held.values()),
    )  # fmt: skip
    if not row.made:
        raise AlreadySignedUp
    for kind in held:
        if kind not in (row.held or ()):
            raise IdentifierTaken(kind=kind)
    if password_hash is not None:
        await auth.set_password(tx, actor, principal=person, password_hash=password_hash)
    outbox.record(tx, actor, CustomerSignedUp(aggregate_id=person, version=1, language=language))
    return person


async def sign_in(
    tx: Tx,
    actor: Actor,
    *,
    kind: str,
    value: str,
    proof: auth.Proof,
    verified: auth.Verified,
    device_name: str | None = None,
    idle_seconds: int | None = None,
) -> auth.Started:
    """A session of who has verified this e-mail or phone and whose password it is, as the winner of any merge.

    Raises auth.WrongPassword (kept), auth.TooManyAttempts; Busy when he has just been merged, parted or erased.
    """
    owner = await auth.settle(tx, actor, proof=proof, verified=verified)
    person = await merging.lock_holder(tx, kind=kind, value=value)
    if person is None or person != (await ids_of(tx, owner))[0]:
        raise Busy(retry_after_seconds=1)
    await touches.follow(tx, actor, person=person)
    return await auth.start_session(
        tx,
        actor,
        principal=person,
        kind="shopper",
        known=True,
        device_name=device_name,
        idle_seconds=idle_seconds,
        proof="password",
    )


UPDATE_PROFILE = """
UPDATE customers.profiles SET name = :name, language = :language, birthday = :birthday, preferred_store = :preferred_store,
    preferences = :preferences, version = version + 1
WHERE id = :id
"""


async def change_profile(
    tx: Tx, actor: Actor, *, command: ChangeProfile, if_match: int | None, customer: UUID | None = None
) -> ProfileView:
    """Change the caller's profile, or the one that staff name. Nothing different is no new version.

    Raises StaleProfile, UnknownCustomer, BadBirthday, BadPreferences, locations.UnknownLocation.
    """
    person = (await families.lock(tx, person=customer or actor.person)).id
    before = profile_view(await profile_row(tx, person))
    if if_match is not None and if_match != before.version:
        raise StaleProfile(current_version=before.version)
    wanted = {field: value for field, value in structs.asdict(command).items() if value is not UNSET}
    changed = {field: value for field, value in wanted.items() if value != getattr(before, field)}
    if not changed:
        return before
    await _plausible(tx, changed)
    after = structs.replace(before, **changed, version=before.version + 1)
    await tx.execute(
        UPDATE_PROFILE, id=before.id, name=after.name, language=after.language, birthday=after.birthday,
        preferred_store=after.preferred_store, preferences=after.preferences,
    )  # fmt: skip
    outbox.record(tx, actor, CustomerChanged(aggregate_id=before.id, version=after.version, fields=sorted(changed)))
    if actor.kind != "shopper":
        outbox.audit(
            tx, actor, "customer.changed", "customer", before.id,
            before={"version": before.version}, after={"fields": sorted(changed)},
        )  # fmt: skip
    return after


BORN_AFTER = date(1900, 1, 1)


async def _plausible(tx: Tx, changed: dict[str, Any]) -> None:
    born, preferences = changed.get("birthday"), changed.get("preferences")
    if born is not None and not BORN_AFTER <= born <= tx.at.date():
        raise BadBirthday
    if preferences is not None and preferences.contact_channel in preferences.unwanted_channels:
        raise BadPreferences(channel=preferences.contact_channel)
    if changed.get("preferred_store") is not None:
        await locations.one(tx, changed["preferred_store"])


# --- the password, an option ---


async def set_password(
    tx: Tx, actor: Actor, *, proof: auth.Proof | None, verified: auth.Verified | None, password_hash: str
) -> None:
    """The caller's password, for the one who knows the current one or has just come in by a code; his other sessions end.

    Raises OwnerOnly, ProofRequired, auth.WrongPassword (kept), auth.TooManyAttempts, UnknownCustomer.
    """
    _himself(actor)
    if proof is not None and verified is not None:
        await auth.settle(tx, actor, proof=proof, verified=verified)
    elif not await auth.proved_lately(tx, actor):
        raise ProofRequired
    family = await families.lock(tx, person=actor.subject)
    await auth.forget_passwords(tx, actor, principals=family.ids)
    await auth.set_password(tx, actor, principal=family.id, password_hash=password_hash)
    await auth.end_sessions(tx, actor, principals=family.ids, reason="password_changed", keep=actor.session)


async def remove_password(tx: Tx, actor: Actor) -> None:
    """From now on the caller comes in by codes alone; without a password nothing changes. Raises OwnerOnly, UnknownCustomer."""
    _himself(actor)
    family = await families.lock(tx, person=actor.subject)
    await auth.forget_passwords(tx, actor, principals=family.ids)


def _himself(actor: Actor) -> None:
    if actor.kind != "shopper" or actor.on_behalf_of is not None:
        raise OwnerOnly


# --- his sessions ---


async def end_own_session(tx: Tx, actor: Actor, *, session: UUID) -> None:
    """End one of the caller's sessions, from any of them. Raises auth.UnknownSession."""
    await auth.end_session(tx, actor, principals=await own_principals(tx, actor), session=session)


async def sign_out_everywhere(tx: Tx, actor: Actor, *, command: auth.SignOutEverywhere) -> None:
    """End all of the caller's sessions, those of profiles that were merged into his too."""
    await auth.sign_out_everywhere(tx, actor, principals=await own_principals(tx, actor), command=command)


# --- the rights of a person ---


async def export_person(tx: Tx, *, ids: Sequence[UUID]) -> dict[str, Any]:
    """Everything kept here about a person, given all his ids (`ids_of`)."""
    people = list(ids)
    profiles = await tx.rows(
        """
        SELECT id, name, language, birthday, preferred_store, preferences, guest, merged_into, merged_at, erased_at, version, created_at
        FROM customers.profiles WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY created_at, id
        """,
        ids=people,
    )  # fmt: skip
    held = await tx.rows(
        """
        SELECT profile_id, kind, system, value, verified_at, created_at
        FROM customers.identifiers WHERE profile_id = ANY(CAST(:ids AS uuid[])) ORDER BY kind, system, value
        """,
        ids=people,
    )  # fmt: skip
    merged = await tx.rows(
        """
        SELECT winner_id, loser_id, proof, merged_because, merged_at, undone_because, undone_at
        FROM customers.merges WHERE winner_id = ANY(CAST(:ids AS uuid[])) OR loser_id = ANY(CAST(:ids AS uuid[]))
        ORDER BY merged_at, id
        """,
        ids=people,
    )  # fmt: skip
    places = await tx.rows(ALL_ADDRESSES, ids=people)
    said = await tx.rows(
        """
        SELECT channel, purpose, granted, at, source, text_version FROM customers.consents
        WHERE profile_id = ANY(CAST(:ids AS uuid[])) ORDER BY at, id
        """,
        ids=people,
    )  # fmt: skip
    touched = await tx.rows(ALL_TOUCHES, ids=people)
    return {
        "profiles": [dict(row) for row in profiles],
        "identifiers": [dict(row) for row in held],
        "merges": [dict(row) for row in merged],
        "addresses": [dict(row) for row in places],
        "consents": [dict(row) for row in said],
        "touches": [dict(row) for row in touched],
    }


ALL_ADDRESSES = """
SELECT label, recipient, phone, country, region, city, street, house, postal_code, entrance, floor, apartment, intercom, comment,
    is_default, created_at
FROM customers.addresses WHERE profile_id = ANY(CAST(:ids AS uuid[])) ORDER BY created_at, id
"""
ALL_TOUCHES = """
SELECT at, channel, source, medium, campaign, content, term, click_id, referrer, landing_path, store_qr
FROM customers.touches WHERE shopper_id = ANY(CAST(:ids AS uuid[])) ORDER BY at, id
"""


ERASE = """
WITH due AS MATERIALIZED (
    SELECT id FROM customers.profiles WHERE id = ANY(CAST(:ids AS uuid[])) AND erased_at IS NULL ORDER BY id
    FOR NO KEY UPDATE
), forgotten AS (
    DELETE FROM customers.identifiers WHERE profile_id IN (SELECT id FROM due)
), unexplained AS (
    UPDATE customers.merges SET merged_because = NULL, undone_because = NULL
    WHERE winner_id IN (SELECT id FROM due) OR loser_id IN (SELECT id FROM due)
), homeless AS (
    DELETE FROM customers.addresses WHERE profile_id = ANY(CAST(:ids AS uuid[]))
), untouched AS (
    DELETE FROM customers.touches WHERE shopper_id = ANY(CAST(:ids AS uuid[]))
)
UPDATE customers.profiles p SET name = NULL, birthday = NULL, preferred_store = NULL, preferences = '{}', erased_at = :at,
    version = p.version + 1
FROM due WHERE p.id = due.id RETURNING p.id, p.version
"""


async def erase_person(tx: Tx, actor: Actor, *, ids: Sequence[UUID]) -> None:
    """Forget name, e-mails and phones of a person, given all his ids; the profile stays as an empty mark. Twice is once."""
    await forget_answers(tx, ids)
    for row in await tx.rows(ERASE, ids=list(ids), at=tx.at):
        outbox.record(tx, actor, CustomerErased(aggregate_id=row.id, version=row.version))
        outbox.audit(tx, actor, "customer.erased", "customer", row.id)
