"""Carts that nobody comes back to: baskets expired, shoppers' carts told of as abandoned. In chunks that hold no lock for long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from commerce import auth, customers
from commerce.carts.baskets import IMPERSONAL_LINE
from commerce.carts.events import AbandonedLine, CartAbandoned, CartExpired, CartNamed
from commerce.carts.service import Announce, close_all, tell, whose
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import system

CHUNK = 500
IDLE_DEVICES = """
SELECT DISTINCT device_id FROM carts.carts
WHERE state = 'open' AND device_id IS NOT NULL AND changed_at < :before
"""
LOCK_IDLE_BASKETS = """
SELECT id FROM carts.carts
WHERE state = 'open' AND device_id IS NOT NULL AND changed_at < :before
  AND (CAST(:kiosks AS uuid[]) IS NULL OR (device_id = ANY(CAST(:kiosks AS uuid[])) AND parked_at IS NULL))
ORDER BY id LIMIT :chunk FOR NO KEY UPDATE SKIP LOCKED
"""
FORGET_PARKED = f"""
WITH parked AS MATERIALIZED (
    SELECT c.id FROM carts.carts c
    WHERE c.state = 'open' AND c.parked_at IS NOT NULL AND c.device_id = ANY(CAST(:kiosks AS uuid[])) AND c.changed_at < :before
      AND (c.customer_id IS NOT NULL OR c.discreet OR c.checkout ?| ARRAY['contact', 'recipient', 'note']
           OR c.checkout -> 'gift' ? 'message' OR c.checkout -> 'fulfillment' ->> 'method' = 'deliver'
           OR EXISTS (SELECT FROM carts.lines l WHERE l.cart_id = c.id AND (l.wish ->> 'method' = 'deliver' OR l.gift ? 'message')))
    ORDER BY c.id LIMIT :chunk FOR NO KEY UPDATE SKIP LOCKED
), impersonal AS (
    UPDATE carts.lines l SET {IMPERSONAL_LINE} FROM parked WHERE l.cart_id = parked.id AND (l.wish IS NOT NULL OR l.gift IS NOT NULL)
)
UPDATE carts.carts c SET customer_id = NULL, named_by = NULL, discreet = false, version = version + 1, checkout = nullif(
    CASE WHEN checkout -> 'fulfillment' ->> 'method' = 'deliver' THEN checkout - 'fulfillment' ELSE checkout END
    - ARRAY['contact', 'recipient', 'note'] #- ARRAY['gift', 'message'], '{{}}')
FROM parked WHERE c.id = parked.id RETURNING c.id, c.version, c.shopper_id, c.device_id, c.customer_id
"""  # noqa: S608
LOCK_ABANDONED = """
SELECT id, version, shopper_id, device_id, customer_id,
       coalesce(checkout -> 'contact' ->> 'email', checkout -> 'contact' ->> 'phone') IS NOT NULL AS reachable
FROM carts.carts c
WHERE state = 'open' AND shopper_id IS NOT NULL AND changed_at < :before AND looked_at_version IS DISTINCT FROM version
ORDER BY changed_at, id LIMIT :chunk FOR NO KEY UPDATE SKIP LOCKED
"""
MARK = """
UPDATE carts.carts SET looked_at_version = version,
    abandoned_version = CASE WHEN id = ANY(CAST(:told AS uuid[])) THEN version ELSE abandoned_version END
WHERE id = ANY(CAST(:carts AS uuid[]))
"""
LINES = """
SELECT cart_id, variant_id, quantity, unit_price_seen FROM carts.lines WHERE cart_id = ANY(CAST(:carts AS uuid[]))
ORDER BY cart_id, added_at, sku
"""
LOOK_AGAIN = """
UPDATE carts.carts SET looked_at_version = NULL, changed_at = :at
WHERE shopper_id = :shopper AND state = 'open' AND looked_at_version = version AND abandoned_version IS DISTINCT FROM version
"""
CODES_KEPT = timedelta(days=1)
"""Codes that nobody has used, and wrong ones."""
VISITS_KEPT = timedelta(days=30)
"""Codes that were used, and visits: who moved or joined which cart is in the events and audit records, which stay."""
FORGET_HAND_OFFS = """
DELETE FROM carts.hand_offs WHERE id = ANY (ARRAY(
    SELECT id FROM carts.hand_offs WHERE expires_at < :unused AND (claimed_at IS NULL OR expires_at < :used)
    ORDER BY expires_at LIMIT :chunk FOR UPDATE SKIP LOCKED))
"""
FORGET_GUESTS = """
DELETE FROM carts.guests WHERE id = ANY (ARRAY(
    SELECT id FROM carts.guests WHERE until_at < :used ORDER BY until_at LIMIT :chunk FOR UPDATE SKIP LOCKED))
"""
FORGET_ATTEMPTS = """
DELETE FROM carts.claim_attempts WHERE principal_id = ANY (ARRAY(
    SELECT principal_id FROM carts.claim_attempts WHERE first_at < :unused LIMIT :chunk FOR UPDATE SKIP LOCKED))
"""


async def expire_kiosk_baskets(tx: Tx, *, idle: timedelta, announce: Announce | None = None) -> int:
    """Close the baskets at hand of kiosks that nobody has touched for so long, with all that they say of anybody; how many, at most a
    chunk. The next at the screen finds nothing."""
    before = tx.at - idle
    kiosks = await _idle_kiosks(tx, before)
    if not kiosks:
        return 0
    rows = await tx.rows(LOCK_IDLE_BASKETS, before=before, kiosks=kiosks, chunk=CHUNK)
    return await _expire(tx, [row.id for row in rows], announce)


async def forget_at_kiosks(tx: Tx, *, idle: timedelta, announce: Announce | None = None) -> int:
    """Forget who is named on the parked baskets of kiosks that nobody has touched for so long, and what they say of anybody; the goods
    and the label stay. How many, at most a chunk."""
    before = tx.at - idle
    kiosks = await _idle_kiosks(tx, before)
    rows = await tx.rows(FORGET_PARKED, before=before, kiosks=kiosks, chunk=CHUNK) if kiosks else []
    for row in rows:
        outbox.record(tx, system(), CartNamed(aggregate_id=row.id, version=row.version, **whose(row)))
        tell(tx, row.device_id, announce)
    return len(rows)


async def _idle_kiosks(tx: Tx, before: datetime) -> list[UUID]:
    devices = [row.device_id for row in await tx.rows(IDLE_DEVICES, before=before)]
    return sorted(await auth.kiosks_among(tx, devices)) if devices else []


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
    reached = [row for row in rows if row.reachable or row.shopper_id in known]
    lines: dict[UUID, list[AbandonedLine]] = {}
    for line in await tx.rows(LINES, carts=[row.id for row in reached]):
        lines.setdefault(line.cart_id, []).append(
            AbandonedLine(variant_id=line.variant_id, quantity=line.quantity, unit_price_seen=line.unit_price_seen)
        )
    told = [row for row in reached if row.id in lines]
    for row in told:
        outbox.record(
            tx, system(), CartAbandoned(aggregate_id=row.id, version=row.version, lines=lines[row.id], **whose(row))
        )
    await tx.execute(MARK, carts=[row.id for row in rows], told=[row.id for row in told])
    return len(rows)


async def look_again(tx: Tx, *, shopper: UUID) -> None:
    """Somebody whom nobody could reach has an account now: the carts that he left and came back to may be told of, from now on."""
    await tx.execute(LOOK_AGAIN, shopper=shopper, at=tx.at)


async def forget_codes(tx: Tx, *, chunk: int = CHUNK) -> int:
    """Forget a chunk of hand-off codes that were not used in their time, a month later those that were, and visits that are over; and
    wrong codes that count no more. How many of the kind that there were most of: less than a chunk when nothing is left."""
    unused, used = tx.at - CODES_KEPT, tx.at - VISITS_KEPT
    return max(
        await tx.execute(FORGET_HAND_OFFS, unused=unused, used=used, chunk=chunk),
        await tx.execute(FORGET_GUESTS, used=used, chunk=chunk),
        await tx.execute(FORGET_ATTEMPTS, unused=unused, chunk=chunk),
    )
