"""Reads of `customers`. Each follows `merged_into`: whoever asks by a merged profile gets the one that has won."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import Struct

from commerce import auth
from commerce.customers.errors import UnknownCustomer
from commerce.customers.schemas import Contact, ProfileView
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor

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
PROFILE = "".join(
    (
        WITH_FAMILY,
        """
SELECT p.id, p.name, p.language, p.version, p.created_at, p.erased_at,
    e.value AS email, e.verified_at AS email_verified_at, t.value AS phone, t.verified_at AS phone_verified_at,
    (SELECT array_agg(f.id ORDER BY f.depth, f.id) FROM family f WHERE f.depth > 0) AS merged_ids
FROM family w JOIN customers.profiles p ON p.id = w.id AND w.depth = 0
LEFT JOIN LATERAL (
    SELECT i.value, i.verified_at FROM family f JOIN customers.identifiers i ON i.profile_id = f.id
    WHERE i.kind = 'email' ORDER BY f.depth, i.id DESC LIMIT 1
) e ON true
LEFT JOIN LATERAL (
    SELECT i.value, i.verified_at FROM family f JOIN customers.identifiers i ON i.profile_id = f.id
    WHERE i.kind = 'phone' ORDER BY f.depth, i.id DESC LIMIT 1
) t ON true
""",
    )
)
HOLDERS = """
WITH RECURSIVE up AS (
    SELECT p.id, p.merged_into, p.erased_at, 0 AS depth FROM customers.identifiers i
    JOIN customers.profiles p ON p.id = i.profile_id WHERE i.kind = :kind AND i.value = :value
    UNION ALL
    SELECT p.id, p.merged_into, p.erased_at, up.depth + 1 FROM up
    JOIN customers.profiles p ON p.id = up.merged_into WHERE up.depth < 64
)
SELECT id, merged_into, erased_at FROM up ORDER BY depth
"""


class SignInProof(Struct, frozen=True):
    """What a sign-in is checked against, and as whom it would come in."""

    person: UUID | None
    proof: auth.Proof


async def ids_of(tx: Tx, person: UUID) -> list[UUID]:
    """Every profile that is this person, the winner first: himself and all merged into him, however long ago.

    Asked by a merged profile it answers for its winner. A shopper without a profile is only himself. One statement.
    """
    return [row.id for row in await tx.rows(IDS, person=person)] or [person]


async def contacts(tx: Tx, person: UUID) -> Contact:
    """Name, e-mail, phone and language of a person; all empty for one without a profile. One statement."""
    row = await tx.first(PROFILE, person=person)
    if row is None:
        return Contact(name=None, email=None, phone=None, language="ru")
    return Contact(name=row.name, email=row.email, phone=row.phone, language=row.language)


async def profile_row(tx: Tx, person: UUID) -> Any:
    """The winner's profile with the person's e-mail and phone. Raises UnknownCustomer when nobody, or erased."""
    row = await tx.first(PROFILE, person=person)
    if row is None or row.erased_at is not None:
        raise UnknownCustomer
    return row


def profile_view(row: Any) -> ProfileView:
    """The view of a `profile_row`."""
    return ProfileView(
        id=row.id, name=row.name, language=row.language, email=row.email, email_verified_at=row.email_verified_at,
        phone=row.phone, phone_verified_at=row.phone_verified_at, version=row.version, created_at=row.created_at,
    )  # fmt: skip


async def own_profile(tx: Tx, actor: Actor) -> ProfileView:
    """The caller's profile. Raises UnknownCustomer."""
    return profile_view(await profile_row(tx, actor.person))


async def holder(tx: Tx, *, kind: str, value: str) -> UUID | None:
    """Whose an identifier is: the winner of its profile."""
    rows = await tx.rows(HOLDERS, kind=kind, value=value)
    return _winner(rows)


async def sign_in_proof(tx: Tx, *, kind: str, value: str, identity: str) -> SignInProof:
    """What the password will be checked against. As many statements for an unknown identifier. Raises auth.TooManyAttempts."""
    rows = await tx.rows(HOLDERS, kind=kind, value=value)
    winner = _winner(rows)
    candidates = [row.id for row in rows] if winner is not None else []
    return SignInProof(winner, await auth.proof_of(tx, identity=identity, candidates=candidates))


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


async def known_among(tx: Tx, ids: Sequence[UUID]) -> set[UUID]:
    """Which of the shoppers have a profile. One statement."""
    rows = await tx.rows("SELECT id FROM customers.profiles WHERE id = ANY(CAST(:ids AS uuid[]))", ids=list(ids))
    return {row.id for row in rows}
