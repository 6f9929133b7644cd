"""Two profiles are one person: the loser points at the winner, and no row moves (DESIGN 2). Undone, it points nowhere again.

Persons are locked by ascending id. Only who stands alone is merged, so there is no way to a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from commerce import auth
from commerce.customers.errors import AlreadyMerged, GuestCannotWin, MergeIntoItself, NotMerged, UnknownCustomer
from commerce.customers.events import CustomersMerged, CustomersUnmerged
from commerce.customers.queries import customer_view, held_by, ids_of, profile_row
from commerce.customers.schemas import CustomerView, MergeCustomers, UnmergeCustomer
from commerce.customers.tables import merges
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy
from commerce.kernel.ids import uuid7

LOCK = """
SELECT id, merged_into, guest, name, language, erased_at, version FROM customers.profiles
WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
"""
JOIN = """
WITH lost AS (
    UPDATE customers.profiles SET merged_into = :winner, merged_at = :at, version = version + 1
    WHERE id = ANY(CAST(:losers AS uuid[])) AND merged_into IS NULL RETURNING id, version
), won AS (
    UPDATE customers.profiles SET version = version + (SELECT count(*) FROM lost) WHERE id = :winner RETURNING version
)
SELECT lost.id, lost.version, won.version AS winner_version FROM lost, won ORDER BY lost.id
"""


async def lock(tx: Tx, people: Sequence[UUID]) -> Mapping[UUID, Any]:
    """The profiles of these ids as they are now, locked in order."""
    return {row.id: row for row in await tx.rows(LOCK, ids=list(people))}


async def lock_holder(tx: Tx, *, kind: str, value: str) -> UUID | None:
    """Whose a verified contact is, with every profile that says so locked: until the commit nobody merges, parts or erases them.
    Raises Busy when somebody has just done so."""
    seen = await held_by(tx, kind=kind, value=value)
    await lock(tx, seen[1])
    if await held_by(tx, kind=kind, value=value) != seen:
        raise Busy(retry_after_seconds=1)
    return seen[0]


async def join(
    tx: Tx, actor: Actor, *, winner: UUID, losers: Sequence[Any], proof: str, reason: str | None = None
) -> None:
    """Let locked profiles that stand alone point at a locked winner. Guests' anonymous sessions end; those of accounts go on as his."""
    rows = await tx.rows(JOIN, winner=winner, losers=[row.id for row in losers], at=tx.at)
    for n, row in enumerate(rows, start=1):
        tx.queue(
            merges, id=uuid7(), winner_id=winner, loser_id=row.id, merged_by=actor.subject, proof=proof, merged_because=reason,
            merged_at=tx.at,
        )  # fmt: skip
        of_winner = row.winner_version - len(rows) + n
        outbox.record(tx, actor, CustomersMerged(aggregate_id=winner, version=of_winner, winner=winner, loser=row.id))
        outbox.record(tx, actor, CustomersMerged(aggregate_id=row.id, version=row.version, winner=winner, loser=row.id))
    guests = [row.id for row in losers if row.guest]
    if guests:
        await auth.end_sessions(tx, actor, principals=guests, reason="merged")


async def merge(tx: Tx, actor: Actor, *, customer: UUID, command: MergeCustomers) -> CustomerView:
    """By staff: the loser and all who were merged into him are this customer from now on; sessions of an account go on as his.

    Raises MergeIntoItself, UnknownCustomer, AlreadyMerged, GuestCannotWin.
    """
    if customer == command.loser:
        raise MergeIntoItself
    rows = await lock(tx, [customer, command.loser])
    for one in (customer, command.loser):
        if one not in rows or rows[one].erased_at is not None:
            raise UnknownCustomer
        if rows[one].merged_into is not None:
            raise AlreadyMerged(customer=str(one), merged_into=str(rows[one].merged_into))
    loser = rows[command.loser]
    if rows[customer].guest and not loser.guest:
        raise GuestCannotWin
    await join(tx, actor, winner=customer, losers=[loser], proof="staff", reason=command.reason)
    before = {"loser": loser.id, "merged_into": None}
    outbox.audit(tx, actor, "customer.merged", "customer", customer, before=before, after={"loser": loser.id})
    return customer_view(await profile_row(tx, customer))


UNDO = """
WITH alone AS (
    UPDATE customers.profiles SET merged_into = NULL, merged_at = NULL, version = version + 1 WHERE id = :loser RETURNING version
), left_behind AS (
    UPDATE customers.profiles SET version = version + 1 WHERE id = :winner RETURNING version
), undone AS (
    UPDATE customers.merges SET undone_at = :at, undone_by = :by, undone_because = :reason
    WHERE loser_id = :loser AND undone_at IS NULL
)
SELECT alone.version AS loser_version, left_behind.version AS winner_version FROM alone, left_behind
"""


async def unmerge(tx: Tx, actor: Actor, *, customer: UUID, command: UnmergeCustomer) -> CustomerView:
    """They were two after all: the loser stands alone again, with who had been merged into him. What came after is split by hand.

    Every session of either ends, for nobody can tell whose it is. Raises UnknownCustomer, NotMerged.
    """
    seen = await tx.first("SELECT merged_into FROM customers.profiles WHERE id = :id", id=customer)
    if seen is None:
        raise UnknownCustomer
    if seen.merged_into is None:
        raise NotMerged(customer=str(customer))
    rows = await lock(tx, [customer, seen.merged_into])
    loser = rows[customer]
    if loser.erased_at is not None:
        raise UnknownCustomer
    if loser.merged_into != seen.merged_into:
        raise NotMerged(customer=str(customer))
    family = await ids_of(tx, customer)
    versions = await tx.one(
        UNDO, loser=customer, winner=loser.merged_into, at=tx.at, by=actor.subject, reason=command.reason
    )
    for one, version in ((loser.merged_into, versions.winner_version), (customer, versions.loser_version)):
        outbox.record(
            tx, actor, CustomersUnmerged(aggregate_id=one, version=version, winner=loser.merged_into, loser=customer)
        )
    await auth.end_sessions(tx, actor, principals=family, reason="unmerged")
    outbox.audit(tx, actor, "customer.unmerged", "customer", customer, before={"merged_into": loser.merged_into})
    return customer_view(await profile_row(tx, customer))
