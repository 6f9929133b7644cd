"""Reads of `customers`. Each follows `merged_into`: whoever asks by a merged profile gets the one that has won."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import convert

from commerce import auth
from commerce.customers import identifiers
from commerce.customers.errors import FreshProofRequired, UnknownCustomer
from commerce.customers.schemas import Contact, CustomerView, IdentifierView, Preferences, ProfileView
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.paging import Page

WITH_FAMILY = """
WITH RECURSIVE up AS (
    SELECT id, merged_into FROM customers.profiles WHERE id = :person
    UNION
    SELECT p.id, p.merged_into FROM up JOIN customers.profiles p ON p.id = up.merged_into
), family AS (
    SELECT id, 0 AS depth FROM up WHERE merged_into IS NULL
    UNION ALL
    SELECT p.id, f.depth + 1 FROM family f JOIN customers.profiles p ON p.merged_into = f.id
)
"""
"""`family`: the winner (depth 0) and everybody merged into him. UNION ends the climb in a circle, which then has no winner."""

IDS = WITH_FAMILY + "SELECT id FROM family ORDER BY depth, id"  # noqa: S608 - two constants
FAMILIES = """
WITH RECURSIVE up AS (
    SELECT id, merged_into FROM customers.profiles WHERE id = ANY(CAST(:people AS uuid[]))
    UNION
    SELECT p.id, p.merged_into FROM up JOIN customers.profiles p ON p.id = up.merged_into
), family AS (
    SELECT id AS winner, id, 0 AS depth FROM up WHERE merged_into IS NULL
    UNION ALL
    SELECT f.winner, p.id, f.depth + 1 FROM family f JOIN customers.profiles p ON p.merged_into = f.id
)
"""
"""Of several people at once."""
COLUMNS = """
SELECT p.id, p.name, p.language, p.birthday, p.preferred_store, p.preferences, p.guest, p.version, p.created_at, p.erased_at,
    e.value AS email, e.verified_at AS email_verified_at, t.value AS phone, t.verified_at AS phone_verified_at
"""
ALL_COLUMNS = """,
    (SELECT array_agg(f.id ORDER BY f.depth, f.id) FROM family f WHERE f.winner = w.id AND f.depth > 0) AS merged_ids,
    (SELECT jsonb_agg(to_jsonb(one) ORDER BY one.kind, one.system, one.created_at, one.id) FROM (
        SELECT DISTINCT ON (i.kind, i.system, i.value)
            i.id, i.kind, nullif(i.system, '') AS system, i.value, i.verified_at, i.created_at
        FROM family f JOIN customers.identifiers i ON i.profile_id = f.id WHERE f.winner = w.id
        ORDER BY i.kind, i.system, i.value, i.verified_at NULLS LAST, i.id
    ) one) AS identifiers
"""
FROM_WINNERS = """
FROM family w JOIN customers.profiles p ON p.id = w.id AND w.depth = 0
LEFT JOIN LATERAL (
    SELECT i.value, i.verified_at FROM family f JOIN customers.identifiers i ON i.profile_id = f.id
    WHERE f.winner = w.id AND i.kind = 'email' ORDER BY i.verified_at IS NULL, f.depth, i.id DESC LIMIT 1
) e ON true
LEFT JOIN LATERAL (
    SELECT i.value, i.verified_at FROM family f JOIN customers.identifiers i ON i.profile_id = f.id
    WHERE f.winner = w.id AND i.kind = 'phone' ORDER BY i.verified_at IS NULL, f.depth, i.id DESC LIMIT 1
) t ON true
"""
CONTACTS = FAMILIES + COLUMNS + FROM_WINNERS
PROFILES = FAMILIES + COLUMNS + ALL_COLUMNS + FROM_WINNERS
HOLDERS = """
WITH RECURSIVE up AS (
    SELECT p.id, p.merged_into, p.erased_at, 0 AS depth FROM customers.identifiers i
    JOIN customers.profiles p ON p.id = i.profile_id
    WHERE i.kind = :kind AND i.system = :system AND i.value = :value AND i.verified_at IS NOT NULL
    UNION ALL
    SELECT p.id, p.merged_into, p.erased_at, up.depth + 1 FROM up
    JOIN customers.profiles p ON p.id = up.merged_into WHERE up.depth < 64
)
SELECT id, merged_into, erased_at FROM up ORDER BY depth
"""
"""Only what is verified says whose it is."""


async def ids_of(tx: Tx, person: UUID) -> list[UUID]:
    """Every profile that is this person, the winner first: himself and all merged into him, however long ago.

    Asked by a merged profile it answers for its winner. A shopper without a profile is only himself. One statement.
    """
    return [row.id for row in await tx.rows(IDS, person=person)] or [person]


async def ids_of_caller(tx: Tx, actor: Actor) -> list[UUID]:
    """Whose things the caller may see: all ids of the known one that he is or acts for. Of an anonymous one only his own, though his
    profile be merged: anybody can say that a contact is his, and its owner's things are not for him. One statement at most.
    """
    return await ids_of(tx, actor.person) if actor.known or actor.on_behalf_of is not None else [actor.person]


async def contacts(tx: Tx, person: UUID) -> Contact:
    """Name, e-mail, phone and language of a person, verified contacts first; all empty for one without a profile. One statement.

    A guest's are what he said himself; nobody has verified them.
    """
    row = await tx.first(CONTACTS, people=[person])
    if row is None:
        return Contact(name=None, email=None, phone=None, language="ru")
    return Contact(name=row.name, email=row.email, phone=row.phone, language=row.language)


async def verified_holder(tx: Tx, *, kind: str, value: str) -> UUID | None:
    """Whose a verified e-mail, phone or card is, as the winner of any merge; None when nobody has proved it. One statement."""
    return await holder(tx, kind=kind, value=identifiers.card(value) if kind == "loyalty_card" else value)


async def winner(tx: Tx, person: UUID) -> UUID:
    """The profile that has won every merge of a person. Raises UnknownCustomer when there is none, or it is erased."""
    row = await profile_row(tx, person)
    found: UUID = row.id
    return found


async def profile_row(tx: Tx, person: UUID) -> Any:
    """The winner's profile with the person's identifiers. Raises UnknownCustomer when nobody, or erased."""
    row = await tx.first(PROFILES, people=[person])
    if row is None or row.erased_at is not None:
        raise UnknownCustomer
    return row


def profile_view(row: Any) -> ProfileView:
    """The view of a `profile_row`."""
    return ProfileView(**_shared(row))


def customer_view(row: Any) -> CustomerView:
    """The same for staff."""
    return CustomerView(**_shared(row), guest=row.guest, merged_ids=list(row.merged_ids or ()))


def _shared(row: Any) -> dict[str, Any]:
    return {
        "id": row.id, "name": row.name, "language": row.language, "email": row.email,
        "email_verified_at": row.email_verified_at, "phone": row.phone, "phone_verified_at": row.phone_verified_at,
        "identifiers": convert(row.identifiers or [], list[IdentifierView]), "birthday": row.birthday,
        "preferred_store": row.preferred_store, "preferences": convert(row.preferences, Preferences), "version": row.version,
        "created_at": row.created_at,
    }  # fmt: skip


async def own_identifiers(tx: Tx, actor: Actor) -> Page[IdentifierView]:
    """What finds the caller, all of it. Raises UnknownCustomer."""
    return Page(items=(await own_profile(tx, actor)).identifiers)


async def own_sessions(tx: Tx, actor: Actor) -> Page[auth.SessionView]:
    """The caller's live sessions, those of profiles that were merged into his too."""
    return await auth.sessions_of(tx, actor, principals=await own_principals(tx, actor))


async def own_principals(tx: Tx, actor: Actor) -> list[UUID]:
    """Whom the caller may sign in as: himself and, once he is known, all merged into him."""
    return await ids_of(tx, actor.subject) if actor.kind == "shopper" and actor.known else [actor.subject]


async def own_profile(tx: Tx, actor: Actor) -> ProfileView:
    """The caller's profile. Raises UnknownCustomer."""
    return profile_view(await profile_row(tx, actor.person))


async def freshly_proven(tx: Tx, actor: Actor) -> ProfileView:
    """The caller's profile, when he has just come in by a code or his password: what he adds now opens the account from then on, and a
    stolen token must not. Raises UnknownCustomer, FreshProofRequired."""
    profile = await own_profile(tx, actor)
    if not await auth.proved_lately(tx, actor, by=("code", "password")):
        raise FreshProofRequired
    return profile


async def holder(tx: Tx, *, kind: str, value: str, system: str = "") -> UUID | None:
    """Whose a verified identifier is: the winner of its profile."""
    return (await held_by(tx, kind=kind, value=value, system=system))[0]


async def held_by(tx: Tx, *, kind: str, value: str, system: str = "") -> tuple[UUID | None, list[UUID]]:
    """The same with all profiles on the way from the one that has the identifier to the winner."""
    rows = await tx.rows(HOLDERS, kind=kind, system=system, value=value)
    return _winner(rows), [row.id for row in rows]


async def sign_in_proof(tx: Tx, *, kind: str, value: str, identity: str) -> auth.Proof:
    """What the password will be checked against. As many statements for an unknown identifier. Raises auth.TooManyAttempts."""
    winner, chain = await held_by(tx, kind=kind, value=value)
    return await auth.proof_of(tx, identity=identity, candidates=chain if winner is not None else [])


async def password_proof(tx: Tx, actor: Actor, *, identity: str) -> auth.Proof:
    """What the caller's current password will be checked against. Raises auth.TooManyAttempts."""
    return await auth.proof_of(tx, identity=identity, candidates=await ids_of(tx, actor.subject))


def _winner(rows: Any) -> UUID | None:
    if not rows or rows[-1].merged_into is not None or rows[-1].erased_at is not None:
        return None
    winner: UUID = rows[-1].id
    return winner


FIRST_NAMES = """
SELECT p.id, split_part(btrim(p.name), ' ', 1) AS first_name FROM customers.profiles p
WHERE p.id = ANY(CAST(:ids AS uuid[])) AND p.erased_at IS NULL
"""


async def first_names(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, str | None]:
    """What to greet people by: nothing else of them. One statement."""
    return {row.id: row.first_name or None for row in await tx.rows(FIRST_NAMES, ids=list(ids))}
