"""Carts that nobody comes back to: baskets expired, shoppers' carts told of as abandoned. In chunks that hold no lock for long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from commerce import auth, customers
from commerce.carts.events import AbandonedLine, CartAbandoned, CartExpired
from commerce.carts.service import Announce, close_all, whose
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import system

CHUNK = 500
IDLE_DEVICES = """
SELECT DISTINCT device_id FROM carts.carts
WHERE state = 'open' AND device_id IS NOT NULL AND parked_at IS NULL AND changed_at < :before
"""
LOCK_IDLE_BASKETS = """
SELECT id FROM carts.carts
WHERE state = 'open' AND device_id IS NOT NULL AND changed_at < :before
  AND (CAST(:kiosks AS uuid[]) IS NULL OR (device_id = ANY(CAST(:kiosks AS uuid[])) AND parked_at IS NULL))
ORDER BY id LIMIT :chunk FOR NO KEY UPDATE SKIP LOCKED
"""
LOCK_ABANDONED = """
SELECT id, version, shopper_id, device_id, customer_id,
       coalesce(checkout -> 'contact' ->> 'email', checkout -> 'contact' ->> 'phone') IS NOT NULL AS reachable
FROM carts.carts c
WHERE state = 'open' AND shopper_id IS NOT NULL AND changed_at < :before AND abandoned_version IS DISTINCT FROM version
  AND EXISTS (SELECT FROM carts.lines l WHERE l.cart_id = c.id)
ORDER BY changed_at, id LIMIT :chunk FOR NO KEY UPDATE SKIP LOCKED
"""
MARK = "UPDATE carts.carts SET abandoned_version = version WHERE id = ANY(CAST(:carts AS uuid[]))"
LINES = """
SELECT cart_id, variant_id, quantity, unit_price_seen FROM carts.lines WHERE cart_id = ANY(CAST(:carts AS uuid[]))
ORDER BY cart_id, added_at, sku
"""
FORGET_HAND_OFFS = "DELETE FROM carts.hand_offs WHERE claimed_at IS NULL AND expires_at < :before"
FORGET_ATTEMPTS = "DELETE FROM carts.claim_attempts WHERE first_at < :before"


async def expire_kiosk_baskets(tx: Tx, *, idle: timedelta, announce: Announce | None = None) -> int:
    """Close the baskets at hand of kiosks that nobody has touched for so long, with all that they say of anybody; how many, at most a
    chunk. The next at the screen finds nothing."""
    before = tx.at - idle
    devices = [row.device_id for row in await tx.rows(IDLE_DEVICES, before=before)]
    kiosks = await auth.kiosks_among(tx, devices) if devices else set()
    if not kiosks:
        return 0
    rows = await tx.rows(LOCK_IDLE_BASKETS, before=before, kiosks=sorted(kiosks), chunk=CHUNK)
    return await _expire(tx, [row.id for row in rows], announce)


async def expire_baskets(tx: Tx, *, idle: timedelta, announce: Announce | None = None) -> int:
    """The same for the baskets of all devices, parked or not, that are idle for so long."""
    rows = await tx.rows(LOCK_IDLE_BASKETS, before=tx.at - idle, kiosks=None, chunk=CHUNK)
    return await _expire(tx, [row.id for row in rows], announce)


async def _expire(tx: Tx, carts: Sequence[UUID], announce: Announce | None) -> int:
    rows = await close_all(tx, carts, state="expired", announce=announce) if carts else []
    for row in rows:
        outbox.record(tx, system(), CartExpired(aggregate_id=row.id, version=row.version, **whose(row)))
    return len(rows)


async def tell_abandoned(tx: Tx, *, idle: timedelta) -> int:
    """Publish CartAbandoned for shoppers' carts with lines that nobody has touched for so long and whose person is known or has said
    how to reach him; once for each version. How many carts were looked at, at most a chunk."""
    rows = await tx.rows(LOCK_ABANDONED, before=tx.at - idle, chunk=CHUNK)
    if not rows:
        return 0
    known = await customers.profiled(tx, sorted({row.shopper_id for row in rows}))
    told = [row for row in rows if row.reachable or row.shopper_id in known]
    lines: dict[UUID, list[AbandonedLine]] = {}
    for line in await tx.rows(LINES, carts=[row.id for row in told]):
        lines.setdefault(line.cart_id, []).append(
            AbandonedLine(variant_id=line.variant_id, quantity=line.quantity, unit_price_seen=line.unit_price_seen)
        )
    for row in told:
        outbox.record(
            tx, system(), CartAbandoned(aggregate_id=row.id, version=row.version, lines=lines[row.id], **whose(row))
        )
    await tx.execute(MARK, carts=[row.id for row in rows])
    return len(rows)


async def forget_codes(tx: Tx) -> None:
    """Forget codes that were never used, and wrong ones that count no more."""
    await tx.execute(FORGET_HAND_OFFS, before=tx.at - timedelta(days=1))
    await tx.execute(FORGET_ATTEMPTS, before=tx.at - timedelta(days=1))
