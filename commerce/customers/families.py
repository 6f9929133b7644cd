"""A person as one: the winner of his profiles, locked, and all that have been merged into him."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert, structs

from commerce.customers.errors import UnknownCustomer
from commerce.customers.events import CustomerChanged
from commerce.customers.queries import ids_of, profile_row, profile_view
from commerce.customers.schemas import CustomerView, IdentifierView, MergeRecord
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor

LOCK = """
SELECT id, merged_into, erased_at, version FROM customers.profiles WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id
FOR NO KEY UPDATE
"""
NEXT_VERSION = "UPDATE customers.profiles SET version = CAST(:version AS integer) WHERE id = CAST(:id AS uuid)"


class Family(Struct, kw_only=True):
    """The winner's id and version as locked; all ids, the winner first."""

    id: UUID
    version: int
    ids: list[UUID]
    erased_at: datetime | None = None

    def changed(self, tx: Tx, actor: Actor, *fields: str) -> None:
        """Count a change of what belongs to the person: which fields. Staff's and machines' are recorded."""
        self.count(tx)
        outbox.record(tx, actor, CustomerChanged(aggregate_id=self.id, version=self.version, fields=sorted(fields)))
        if actor.subject not in self.ids:
            outbox.audit(tx, actor, "customer.changed", "customer", self.id, after={"fields": sorted(fields)})

    def count(self, tx: Tx) -> None:
        """One version on, just before the commit: at most once in a transaction."""
        self.version += 1
        tx.defer(NEXT_VERSION, id=self.id, version=self.version)


async def lock(tx: Tx, *, person: UUID, erased: bool = False) -> Family:
    """Lock a person's profiles, all of them, by id; again when a merge came in between. Raises UnknownCustomer; when he is erased, too,
    unless that is asked for."""
    ids = await ids_of(tx, person)
    while True:
        rows = {row.id: row for row in await tx.rows(LOCK, ids=ids)}
        again = await ids_of(tx, person)
        if again == ids:
            break
        ids = again
    winner = rows.get(ids[0])
    if winner is None or (winner.erased_at is not None and not erased):
        raise UnknownCustomer
    return Family(id=winner.id, version=winner.version, ids=ids, erased_at=winner.erased_at)


async def lock_all(tx: Tx, *, people: Sequence[UUID]) -> list[Family]:
    """Lock several people's profiles in one order, by id, and answer them as asked. Raises UnknownCustomer."""
    everybody: set[UUID] = set()
    for person in people:
        everybody.update(await ids_of(tx, person))
    await tx.rows(LOCK, ids=sorted(everybody))
    return [await lock(tx, person=person) for person in people]


async def customer_view(tx: Tx, *, customer: UUID) -> CustomerView:
    """A customer as staff see him, found by any of his ids. One statement. Raises UnknownCustomer."""
    row = await profile_row(tx, customer)
    return CustomerView(**structs.asdict(profile_view(row)), merged_ids=list(row.merged_ids or ()))


IDENTIFIERS = """
SELECT id, kind, value, verified_at, created_at FROM customers.identifiers WHERE profile_id = ANY(CAST(:ids AS uuid[]))
ORDER BY kind, created_at, id
"""
MERGES = """
SELECT id, merged_into AS into, merged_at AS at FROM customers.profiles
WHERE id = ANY(CAST(:ids AS uuid[])) AND merged_into IS NOT NULL
  AND (CAST(:before_at AS timestamptz) IS NULL OR (merged_at, id) < (CAST(:before_at AS timestamptz), CAST(:before_id AS uuid)))
ORDER BY merged_at DESC, id DESC LIMIT :most
"""
PROFILED = "SELECT id FROM customers.profiles WHERE id = ANY(CAST(:people AS uuid[]))"
MOVE = """
UPDATE customers.identifiers SET profile_id = :to
WHERE id = ANY(CAST(:identifiers AS uuid[])) AND profile_id = ANY(CAST(:ids AS uuid[])) RETURNING id
"""


async def identifiers_of(tx: Tx, ids: Sequence[UUID]) -> list[IdentifierView]:
    """What finds a person, given all his ids. One statement."""
    return [convert(dict(row), IdentifierView) for row in await tx.rows(IDENTIFIERS, ids=list(ids))]


async def merges_of(
    tx: Tx, ids: Sequence[UUID], *, before: tuple[datetime, UUID] | None, limit: int
) -> list[MergeRecord]:
    """Profiles of a person that were merged into another of his, newest first, before a moment and id. One statement."""
    before_at, before_id = before or (None, None)
    rows = await tx.rows(MERGES, ids=list(ids), before_at=before_at, before_id=before_id, most=limit)
    return [convert(dict(row), MergeRecord) for row in rows]


async def profiled(tx: Tx, people: Sequence[UUID]) -> set[UUID]:
    """Which of these shoppers have a profile. One statement."""
    return {row.id for row in await tx.rows(PROFILED, people=list(people))}


async def move_identifiers(tx: Tx, *, family: Family, to: Family, ids: Sequence[UUID]) -> list[UUID]:
    """Give identifiers of one locked person to another; those that were his."""
    if not ids:
        return []
    return [row.id for row in await tx.rows(MOVE, identifiers=list(ids), ids=family.ids, to=to.id)]


VIEWS = """
WITH RECURSIVE up AS (
    SELECT id, merged_into FROM customers.profiles WHERE id = ANY(CAST(:people AS uuid[]))
    UNION
    SELECT p.id, p.merged_into FROM up JOIN customers.profiles p ON p.id = up.merged_into
), winners AS (
    SELECT id FROM up WHERE merged_into IS NULL
), family AS (
    SELECT id AS winner, id, 0 AS depth FROM winners
    UNION ALL
    SELECT f.winner, p.id, f.depth + 1 FROM family f JOIN customers.profiles p ON p.merged_into = f.id
)
SELECT p.id, p.name, p.language, p.birthday, p.preferred_store, p.preferences, p.version, p.created_at,
    e.value AS email, e.verified_at AS email_verified_at, t.value AS phone, t.verified_at AS phone_verified_at,
    (SELECT array_agg(f.id ORDER BY f.depth, f.id) FROM family f WHERE f.winner = w.id AND f.depth > 0) AS merged_ids
FROM winners w JOIN customers.profiles p ON p.id = w.id AND p.erased_at IS NULL
LEFT JOIN LATERAL (
    SELECT i.value, i.verified_at FROM family f JOIN customers.identifiers i ON i.profile_id = f.id
    WHERE f.winner = w.id AND i.kind = 'email' ORDER BY f.depth, i.id DESC LIMIT 1
) e ON true
LEFT JOIN LATERAL (
    SELECT i.value, i.verified_at FROM family f JOIN customers.identifiers i ON i.profile_id = f.id
    WHERE f.winner = w.id AND i.kind = 'phone' ORDER BY f.depth, i.id DESC LIMIT 1
) t ON true
ORDER BY lower(p.name), p.id
"""
BY_NAME = """
SELECT id, lower(name) AS name FROM customers.profiles
WHERE lower(name) LIKE CAST(:pattern AS text) AND erased_at IS NULL
  AND (CAST(:after_id AS uuid) IS NULL OR (lower(name), id) > (CAST(:after_name AS text), CAST(:after_id AS uuid)))
ORDER BY lower(name), id LIMIT :most
"""


async def customer_views(tx: Tx, people: Sequence[UUID]) -> list[CustomerView]:
    """The customers that these profiles are, each once, by name; those erased are left out. One statement."""
    return [
        CustomerView(**structs.asdict(profile_view(row)), merged_ids=list(row.merged_ids or ()))
        for row in await tx.rows(VIEWS, people=list(people))
    ]


async def named(tx: Tx, *, prefix: str, after: tuple[str, UUID] | None, limit: int) -> list[tuple[str, UUID]]:
    """Profiles whose name begins so, in any case, by name: the name in lower case, and the id. One statement."""
    escaped = re.sub(r"([%_\\])", r"\\\1", prefix.lower())
    after_name, after_id = after or (None, None)
    rows = await tx.rows(BY_NAME, pattern=f"{escaped}%", after_name=after_name, after_id=after_id, most=limit)
    return [(row.name, row.id) for row in rows]
