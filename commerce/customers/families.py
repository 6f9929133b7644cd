"""A person as one: the winner of his profiles, locked, and all that have been merged into him."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from msgspec import Struct, convert

from commerce.customers.errors import GuestCannotWin, LastContact, UnknownCustomer
from commerce.customers.events import CustomerChanged
from commerce.customers.queries import customer_view, ids_of, profile_row
from commerce.customers.schemas import CustomerView, MergeRecord
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
            outbox.audit(
                tx, actor, "customer.changed", "customer", self.id,
                before={"version": self.version - 1}, after={"fields": sorted(fields)},
            )  # fmt: skip

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


async def view_of(tx: Tx, *, customer: UUID) -> CustomerView:
    """A customer as staff see him, by any of his ids. One statement. Raises UnknownCustomer."""
    return customer_view(await profile_row(tx, customer))


KNOWN = "SELECT 1 FROM customers.profiles WHERE id = :person AND erased_at IS NULL"


async def is_known(tx: Tx, person: UUID) -> bool:
    """Whether a shopper has a profile, an account's or a guest's. One statement."""
    return await tx.scalar(KNOWN, person=person) is not None


MERGES = """
SELECT id, winner_id AS winner, loser_id AS loser, undone, proof, by, at FROM (
    SELECT id, winner_id, loser_id, false AS undone, proof, merged_by AS by, merged_at AS at FROM customers.merges
    UNION ALL
    SELECT id, winner_id, loser_id, true, proof, undone_by, undone_at FROM customers.merges WHERE undone_at IS NOT NULL
) m
WHERE (winner_id = ANY(CAST(:ids AS uuid[])) OR loser_id = ANY(CAST(:ids AS uuid[])))
  AND (CAST(:before_at AS timestamptz) IS NULL OR (at, id) < (CAST(:before_at AS timestamptz), CAST(:before_id AS uuid)))
ORDER BY at DESC, id DESC LIMIT :most
"""
PROFILED = "SELECT id FROM customers.profiles WHERE id = ANY(CAST(:people AS uuid[])) AND NOT guest"
TOGETHER = """
WITH named AS (
    SELECT DISTINCT ON (kind, system, value) id, kind, system, value FROM customers.identifiers
    WHERE id = ANY(CAST(:identifiers AS uuid[])) AND profile_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY kind, system, value, verified_at NULLS LAST, id
), alike AS (
    DELETE FROM customers.identifiers i USING named n
    WHERE i.profile_id = ANY(CAST(:ids AS uuid[])) AND (i.kind, i.system, i.value) = (n.kind, n.system, n.value) AND i.id <> n.id
    RETURNING n.id AS kept, i.id, i.verified_at
)
SELECT n.id, max(a.verified_at) AS verified_at, array_agg(a.id) FILTER (WHERE a.id IS NOT NULL) AS alike
FROM named n LEFT JOIN alike a ON a.kept = n.id GROUP BY n.id
"""
"""Several profiles of a person may say the same of themselves: who moves it, moves all of it."""
TWINS = """
WITH gone AS (
    DELETE FROM customers.identifiers i
    USING customers.identifiers twin
    WHERE i.id = ANY(CAST(:identifiers AS uuid[])) AND i.profile_id = ANY(CAST(:ids AS uuid[])) AND twin.profile_id = :to
      AND (twin.kind, twin.system, twin.value) = (i.kind, i.system, i.value)
    RETURNING i.id, i.verified_at, twin.id AS twin
)
SELECT id, verified_at, twin FROM gone
"""
VERIFY = "UPDATE customers.identifiers SET verified_at = coalesce(verified_at, CAST(:at AS timestamptz)) WHERE id = :id"
MOVE = """
UPDATE customers.identifiers SET profile_id = :to
WHERE id = ANY(CAST(:identifiers AS uuid[])) AND profile_id = ANY(CAST(:ids AS uuid[])) RETURNING id
"""
LEFT = """
SELECT bool_and(p.guest) AS guest, count(i.id) AS contacts
FROM customers.profiles p LEFT JOIN customers.identifiers i
  ON i.profile_id = p.id AND i.kind IN ('email', 'phone') AND i.verified_at IS NOT NULL
WHERE p.id = ANY(CAST(:ids AS uuid[]))
"""
MISPLACED = """
SELECT count(*) FROM customers.identifiers i JOIN customers.profiles p ON p.id = i.profile_id
WHERE p.id = :to AND p.guest AND i.kind IN ('email', 'phone') AND i.verified_at IS NOT NULL
"""


async def merges_of(
    tx: Tx, ids: Sequence[UUID], *, before: tuple[datetime, UUID] | None, limit: int
) -> list[MergeRecord]:
    """When profiles of a person were found to be his, or no longer, newest first, before a moment and id. One statement."""
    before_at, before_id = before or (None, None)
    rows = await tx.rows(MERGES, ids=list(ids), before_at=before_at, before_id=before_id, most=limit)
    return [convert(dict(row), MergeRecord) for row in rows]


async def profiled(tx: Tx, people: Sequence[UUID]) -> set[UUID]:
    """Which of these shoppers have an account; guests have none. One statement."""
    return {row.id for row in await tx.rows(PROFILED, people=list(people))}


async def move_identifiers(tx: Tx, *, family: Family, to: Family, ids: Sequence[UUID]) -> list[UUID]:
    """Give identifiers of one locked person to another, whichever of his profiles say them; those named that were his. What the other
    says of himself already becomes verified.

    Raises LastContact when an account would keep nothing to sign in by, GuestCannotWin when a guest would get what is verified.
    """
    if not ids:
        return []
    kept = await tx.rows(TOGETHER, identifiers=list(ids), ids=family.ids)
    for row in kept:
        if row.verified_at is not None:
            await tx.execute(VERIFY, id=row.id, at=row.verified_at)
    held = [row.id for row in kept]
    for row in await tx.rows(TWINS, identifiers=held, ids=family.ids, to=to.id):
        await tx.execute(VERIFY, id=row.twin, at=row.verified_at)
    await tx.rows(MOVE, identifiers=held, ids=family.ids, to=to.id)
    left = await tx.one(LEFT, ids=family.ids)
    if not left.guest and not left.contacts:
        raise LastContact
    if await tx.scalar(MISPLACED, to=to.id):
        raise GuestCannotWin
    his = {one for row in kept for one in (row.id, *(row.alike or ()))}
    return [one for one in dict.fromkeys(ids) if one in his]


GUESTS = """
SELECT p.id, p.created_at FROM customers.profiles p
WHERE p.guest AND p.merged_into IS NULL AND p.erased_at IS NULL AND p.created_at < :before AND p.id > :after
  AND NOT EXISTS (SELECT 1 FROM customers.touches t WHERE t.shopper_id = p.id AND t.at >= :before)
ORDER BY p.id LIMIT :limit
"""


async def quiet_guests(tx: Tx, *, before: datetime, after: UUID, limit: int) -> list[UUID]:
    """Guests, by id, who said who they are before a moment and came here no more since. Whether they bought is not known here."""
    return [row.id for row in await tx.rows(GUESTS, before=before, after=after, limit=limit)]
