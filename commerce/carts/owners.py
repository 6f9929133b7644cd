"""Whose carts are whose, for those who look at the whole person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from commerce import customers
from commerce.carts.events import CartExpired
from commerce.carts.schemas import CartOfPerson
from commerce.carts.service import Announce, close_all, whose
from commerce.infra import outbox
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor

OF_PEOPLE = """
SELECT c.id, c.state, c.channel, c.created_at, c.changed_at, s.lines, s.skus
FROM carts.carts c
JOIN LATERAL (
    SELECT count(*) AS lines, array_agg(sku ORDER BY added_at, sku) AS skus FROM carts.lines WHERE cart_id = c.id
) s ON s.lines > 0
WHERE (c.shopper_id = ANY(CAST(:ids AS uuid[])) OR c.customer_id = ANY(CAST(:ids AS uuid[]))) AND c.state = 'open'
  AND (CAST(:before_at AS timestamptz) IS NULL OR (c.changed_at, c.id) < (CAST(:before_at AS timestamptz), CAST(:before_id AS uuid)))
ORDER BY c.changed_at DESC, c.id DESC LIMIT :most
"""


async def of_people(
    tx: Tx, ids: Sequence[UUID], *, before: tuple[datetime, UUID] | None, limit: int
) -> list[CartOfPerson]:
    """Open carts of a person given all his ids, and baskets that name him, the last changed first, before a moment and id;
    ordered ones are orders. One statement."""
    before_at, before_id = before or (None, None)
    rows = await tx.rows(OF_PEOPLE, ids=list(ids), before_at=before_at, before_id=before_id, most=limit)
    return [msgspec.convert(dict(row), CartOfPerson) for row in rows]


STALE = """
SELECT id, shopper_id FROM carts.carts
WHERE state = 'open' AND device_id IS NULL AND changed_at < :before AND id > :after ORDER BY id LIMIT :limit
"""
LOCK = """
SELECT id FROM carts.carts
WHERE id = ANY(CAST(:carts AS uuid[])) AND state = 'open' AND changed_at < :before ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""
EMPTY = "DELETE FROM carts.lines WHERE cart_id = ANY(CAST(:carts AS uuid[]))"


class Forgotten(msgspec.Struct, frozen=True):
    """How far a chunk of old carts reached (None: to the end), and how many of them were closed."""

    last: UUID | None
    carts: int


async def forget_anonymous(
    tx: Tx, actor: Actor, *, before: datetime, after: UUID, limit: int, announce: Announce | None = None
) -> Forgotten:
    """Close and empty a chunk of open carts, by id, that nobody with a profile owns and nobody has touched since a moment."""
    rows = await tx.rows(STALE, before=before, after=after, limit=limit)
    known = await customers.profiled(tx, [row.shopper_id for row in rows])
    due = [row.id for row in rows if row.shopper_id not in known]
    carts = [row.id for row in await tx.rows(LOCK, carts=due, before=before)] if due else []
    closed: Sequence[Row] = []
    if carts:
        await tx.execute(EMPTY, carts=carts)
        closed = await close_all(tx, carts, state="expired", announce=announce)
    for row in closed:
        outbox.record(tx, actor, CartExpired(aggregate_id=row.id, version=row.version, **whose(row)))
    return Forgotten(rows[-1].id if len(rows) == limit else None, len(closed))
