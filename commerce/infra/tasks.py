"""Periodic work on the machinery's own books."""

from __future__ import annotations

from datetime import timedelta

from commerce.infra.db import KEPT_HOURS, Database, Tx
from commerce.infra.outbox import Periodic

CHUNK = 1000

FORGET = """
DELETE FROM infra.idempotency_keys k
USING (
    SELECT principal, operation, key FROM infra.idempotency_keys
    WHERE claimed_at < :before ORDER BY claimed_at LIMIT :chunk FOR UPDATE SKIP LOCKED
) old
WHERE k.principal = old.principal AND k.operation = old.operation AND k.key = old.key
"""


async def forget_chunk(tx: Tx) -> int:
    """Forget a chunk of idempotency keys, and their answers, that are older than 24 hours; how many."""
    return await tx.execute(FORGET, before=tx.at - timedelta(hours=KEPT_HOURS), chunk=CHUNK)


async def forget_keys(db: Database) -> None:
    """Forget all idempotency keys that are older than 24 hours, in chunks that hold no lock for long."""
    while await db.write(forget_chunk) == CHUNK:
        pass


PERIODIC = [Periodic("infra.forget_keys", 600, forget_keys)]
