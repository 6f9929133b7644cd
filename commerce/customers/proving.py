"""What a one-time code proves: that a contact is somebody's. He comes in by it, or adds it to what he is known by.

Whoever has verified a contact has it alone. Profiles of guests who claimed it are his; claims of others are dropped, so that nobody
can take hold of a contact before its owner. Codes are judged first, then persons are locked by ascending id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from commerce import auth
from commerce.customers import families, identifiers, merging, touches
from commerce.customers.errors import (
    AlreadySignedUp,
    FreshCodeRequired,
    IdentifierElsewhere,
    IdentifierTaken,
    LastContact,
    TooManyIdentifiers,
    UnknownIdentifier,
)
from commerce.customers.events import CustomerChanged, CustomerSignedUp
from commerce.customers.queries import customer_view, held_by, ids_of, profile_row, profile_view
from commerce.customers.schemas import AddIdentifier, CustomerView, ProfileView, VerifyContact
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy
from commerce.kernel.ids import uuid7

MOST = 50
"""Identifiers of one person."""

NEW_PROFILE = """
INSERT INTO customers.profiles (id, name, language, created_at) VALUES (:person, :name, :language, :at)
ON CONFLICT (id) DO NOTHING RETURNING id
"""
CLAIMANTS = """
SELECT DISTINCT profile_id AS id FROM customers.identifiers
WHERE kind = :kind AND system = '' AND value = :value AND verified_at IS NULL
"""
DROP_CLAIMS = """
WITH dropped AS (
    DELETE FROM customers.identifiers
    WHERE kind = :kind AND system = '' AND value = :value AND verified_at IS NULL AND profile_id = ANY(CAST(:others AS uuid[]))
    RETURNING profile_id
)
UPDATE customers.profiles SET version = version + 1 WHERE id IN (SELECT profile_id FROM dropped) RETURNING id, version
"""
VERIFY = """
WITH claim AS (
    DELETE FROM customers.identifiers
    WHERE profile_id = :person AND kind = :kind AND system = '' AND value = :value AND verified_at IS NULL RETURNING created_at
)
SELECT coalesce((SELECT created_at FROM claim), :at) AS created_at
"""
HOLD = """
INSERT INTO customers.identifiers (id, profile_id, kind, system, value, verified_at, created_at)
VALUES (:id, :person, :kind, :system, :value, :verified, :created) ON CONFLICT DO NOTHING RETURNING id
"""
NEW_VERSION = "UPDATE customers.profiles SET version = version + 1 WHERE id = :id RETURNING version"
BECOME_KNOWN = """
UPDATE customers.profiles SET guest = false, name = coalesce(CAST(:name AS text), name), language = :language, version = version + 1
WHERE id = :id RETURNING version
"""


async def sign_in_by_code(
    tx: Tx,
    actor: Actor,
    *,
    challenge: UUID,
    code: str,
    secret_key: str,
    name: str | None = None,
    language: str = "ru",
    password_hash: str | None = None,
    device_name: str | None = None,
    idle_seconds: int | None = None,
) -> auth.Started:
    """A session of whoever has verified the contact; when nobody has, an account is made, which has verified it by this.

    An anonymous shopper who makes an account stays the same principal, so his cart stays his, and the sessions he had while anonymous
    end: a token that somebody else may hold does not become an account's. Of two who prove a contact at once both get into one
    account. Raises auth.WrongCode (kept), auth.CodeOver, auth.TooManyAttempts, AlreadySignedUp, Busy.
    """
    proven = await auth.settle_code(tx, actor, challenge=challenge, code=code, purpose="sign_in", secret_key=secret_key)
    owner, chain = await held_by(tx, kind=proven.kind, value=proven.contact)
    if owner is not None:
        await _take(tx, actor, person=owner, held=(owner, chain), proven=proven)
        await touches.follow(tx, actor, person=owner)
        return await _start(tx, actor, owner, device_name, idle_seconds)
    if actor.known:
        raise AlreadySignedUp
    anonymous = actor.subject if actor.kind == "shopper" else None
    person = anonymous or await auth.create_shopper(tx, actor)
    made = await tx.first(NEW_PROFILE, person=person, name=name, language=language, at=tx.at) is not None
    rows = await _take(tx, actor, person=person, held=(None, chain), proven=proven, made=made)
    if made:
        outbox.record(tx, actor, CustomerSignedUp(aggregate_id=person, version=rows[person].version, language=language))
    else:
        version = await tx.scalar(BECOME_KNOWN, id=person, name=name, language=language)
        outbox.record(tx, actor, CustomerSignedUp(aggregate_id=person, version=version, language=language))
    if password_hash is not None:
        await auth.set_password(tx, actor, principal=person, password_hash=password_hash)
    if anonymous is not None:
        await auth.end_sessions(tx, actor, principals=[anonymous], reason="signed_up")
    return await _start(tx, actor, person, device_name, idle_seconds)


async def _start(tx: Tx, actor: Actor, person: UUID, device_name: str | None, idle_seconds: int | None) -> auth.Started:
    return await auth.start_session(
        tx,
        actor,
        principal=person,
        kind="shopper",
        known=True,
        device_name=device_name,
        proof="code",
        idle_seconds=idle_seconds,
    )


async def verify(tx: Tx, actor: Actor, *, command: VerifyContact, secret_key: str) -> ProfileView:
    """Add the contact whose code this is to the caller's. Another account that has it becomes part of his when he says so: he has proved
    that both are his. Until then the code stays good.

    Raises auth.WrongCode (kept), auth.CodeOver, auth.TooManyAttempts, IdentifierElsewhere, TooManyIdentifiers, UnknownCustomer, Busy.
    """
    me = (await profile_row(tx, actor.person)).id
    family = await ids_of(tx, me)
    proven = await auth.settle_code(
        tx, actor, challenge=command.challenge_id, code=command.code, purpose="verify", secret_key=secret_key,
        askers=family,
    )  # fmt: skip
    owner, chain = await held_by(tx, kind=proven.kind, value=proven.contact)
    if owner not in (None, me) and not command.merge:
        raise IdentifierElsewhere(kind=proven.kind)
    await _take(tx, actor, person=me, held=(owner, chain), proven=proven, family=family)
    await _must_have_room(tx, me)
    return profile_view(await profile_row(tx, me))


async def _take(
    tx: Tx,
    actor: Actor,
    *,
    person: UUID,
    held: tuple[UUID | None, list[UUID]],
    proven: auth.Proven,
    family: Sequence[UUID] = (),
    made: bool = False,
) -> dict[UUID, Any]:
    """Lock all who have to do with a proven contact and make it the person's alone. `held` is what `held_by` said of it, `family` what
    `ids_of` said of the caller. Raises AlreadySignedUp; Busy when one of them has just been merged, parted or erased."""
    kind, value, holder_id = proven.kind, proven.contact, held[0]
    claimants = [row.id for row in await tx.rows(CLAIMANTS, kind=kind, value=value)]
    others = [one for one in (holder_id, *claimants) if one is not None and one != person]
    rows = dict(await merging.lock(tx, [person, *others, *held[1], *family]))
    if await held_by(tx, kind=kind, value=value) != held or (family and await ids_of(tx, actor.person) != family):
        raise Busy(retry_after_seconds=1)
    mine = rows.get(person)
    if mine is None or mine.erased_at is not None:
        raise Busy(retry_after_seconds=1)
    if holder_id is None and not made and not mine.guest and not (actor.known or actor.on_behalf_of):
        raise AlreadySignedUp
    if mine.merged_into is not None:
        raise AlreadySignedUp if mine.guest else Busy(retry_after_seconds=1)
    losers = [
        row for one in dict.fromkeys(others)
        if (row := rows[one]).merged_into is None and row.erased_at is None and (row.guest or one == holder_id)
    ]  # fmt: skip
    if holder_id not in (None, person) and holder_id not in {row.id for row in losers}:
        raise Busy(retry_after_seconds=1)
    if losers:
        await merging.join(tx, actor, winner=person, losers=losers, proof="code")
    joined = await ids_of(tx, person)
    strangers = [one for one in claimants if one not in joined]
    if strangers:
        for row in await tx.rows(DROP_CLAIMS, kind=kind, value=value, others=strangers):
            changed = CustomerChanged(aggregate_id=row.id, version=row.version, fields=[kind])
            outbox.record(tx, actor, changed)
    if holder_id is None:
        claim = await tx.one(VERIFY, person=person, at=tx.at, kind=kind, value=value)
        taken = await tx.first(
            HOLD, id=uuid7(), person=person, system="", verified=tx.at, created=claim.created_at, kind=kind, value=value
        )
        if taken is None:
            raise Busy(retry_after_seconds=1)
        if not made and not mine.guest:
            await _changed(tx, actor, person, proven.kind)
    return rows


async def _changed(tx: Tx, actor: Actor, person: UUID, kind: str) -> None:
    version = await tx.scalar(NEW_VERSION, id=person)
    outbox.record(tx, actor, CustomerChanged(aggregate_id=person, version=version, fields=[kind]))


# --- identifiers by hand ---


async def add(tx: Tx, actor: Actor, *, customer: UUID, command: AddIdentifier) -> CustomerView:
    """By staff: a card, device or id of another system finds the customer from now on; an e-mail or phone is a claim until he verifies it.

    What he has already changes nothing. Raises UnknownCustomer, BadIdentifier, BadEmail, BadPhone, IdentifierTaken, TooManyIdentifiers.
    """
    system, value = identifiers.of_kind(kind=command.kind, value=command.value, system=command.system, field="value")
    locked = await families.lock(tx, person=customer)
    winner, family = locked.id, locked.ids
    if not await _held(tx, family, command.kind, system, value):
        identifier = uuid7()
        verified = None if command.kind in ("email", "phone") else tx.at
        held = await tx.first(
            HOLD, id=identifier, person=winner, kind=command.kind, system=system, value=value, verified=verified,
            created=tx.at,
        )  # fmt: skip
        if held is None:
            raise IdentifierTaken(kind=command.kind)
        await _changed(tx, actor, winner, command.kind)
        after = {"identifier": identifier, "kind": command.kind}
        outbox.audit(tx, actor, "customer.identifier_added", "customer", winner, after=after)
    await _must_have_room(tx, winner)
    return customer_view(await profile_row(tx, winner))


HELD = """
SELECT EXISTS (
    SELECT 1 FROM customers.identifiers
    WHERE profile_id = ANY(CAST(:family AS uuid[])) AND kind = :kind AND system = :system AND value = :value
)
"""


async def _held(tx: Tx, family: Sequence[UUID], kind: str, system: str, value: str) -> bool:
    return bool(await tx.scalar(HELD, family=list(family), kind=kind, system=system, value=value))


async def _must_have_room(tx: Tx, person: UUID) -> None:
    if len((await profile_row(tx, person)).identifiers or ()) > MOST:
        raise TooManyIdentifiers(limit=MOST)


REMOVE = """
WITH gone AS (
    SELECT kind, system, value FROM customers.identifiers WHERE id = :id AND profile_id = ANY(CAST(:family AS uuid[]))
)
DELETE FROM customers.identifiers i USING gone
WHERE i.profile_id = ANY(CAST(:family AS uuid[])) AND i.kind = gone.kind AND i.system = gone.system AND i.value = gone.value
RETURNING i.kind, i.verified_at
"""
CONTACTS_LEFT = """
SELECT count(*) FROM customers.identifiers
WHERE profile_id = ANY(CAST(:family AS uuid[])) AND kind IN ('email', 'phone') AND verified_at IS NOT NULL
"""


async def remove_own(tx: Tx, actor: Actor, *, identifier: UUID) -> ProfileView:
    """Take an identifier of the caller's away, in all his profiles; not the last verified contact, by which he comes in. A verified
    contact goes only in a session that began by a code less than ten minutes ago: a stolen one must not shut its owner out.

    Raises UnknownCustomer, UnknownIdentifier, LastContact, FreshCodeRequired.
    """
    row, contact = await _remove(tx, actor, customer=actor.person, identifier=identifier)
    if contact and not await auth.proved_lately(tx, actor):
        raise FreshCodeRequired
    return profile_view(row)


async def remove_by_staff(tx: Tx, actor: Actor, *, customer: UUID, identifier: UUID) -> CustomerView:
    """The same by staff, recorded."""
    row, _ = await _remove(tx, actor, customer=customer, identifier=identifier)
    outbox.audit(tx, actor, "customer.identifier_removed", "customer", row.id, before={"identifier": identifier})
    return customer_view(row)


async def _remove(tx: Tx, actor: Actor, *, customer: UUID, identifier: UUID) -> tuple[Any, bool]:
    """The profile afterwards, and whether a verified contact went."""
    locked = await families.lock(tx, person=customer)
    winner, family = locked.id, locked.ids
    gone = await tx.rows(REMOVE, id=identifier, family=family)
    if not gone:
        raise UnknownIdentifier
    contact = gone[0].kind in ("email", "phone") and any(row.verified_at is not None for row in gone)
    if contact and not await tx.scalar(CONTACTS_LEFT, family=family):
        raise LastContact
    await _changed(tx, actor, winner, gone[0].kind)
    return await profile_row(tx, winner), contact
