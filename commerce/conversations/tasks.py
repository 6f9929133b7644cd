"""What the conversations room does by itself: join what one person waits for whose profiles are one now, tell what is late, forget what
no sender repeats any more."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from commerce.conversations import intake, service, steps
from commerce.infra.db import Database, Tx
from commerce.infra.outbox import Periodic, Recorded, Subscriber
from commerce.kernel.actor import system

CHUNK = 200
KEPT = timedelta(days=7)

FORGET = """
DELETE FROM conversations.received r USING (
    SELECT source_id, webhook_id FROM conversations.received WHERE received_at < :before
    ORDER BY received_at LIMIT :limit FOR UPDATE SKIP LOCKED
) old WHERE r.source_id = old.source_id AND r.webhook_id = old.webhook_id
"""


async def tell_late(db: Database) -> None:
    """Tell of first answers that are overdue and of next steps that are due, once each, a chunk per transaction."""
    while await db.write(service.tell_overdue, system(), limit=CHUNK) == CHUNK:
        pass
    while await db.write(steps.tell_due, system(), limit=CHUNK) == CHUNK:
        pass


async def forget_webhooks(db: Database) -> None:
    """Forget the ids of webhooks of more than a week ago; a message is still taken once, by its own id."""
    while await db.write(_forget) == CHUNK:
        pass


async def _forget(tx: Tx) -> int:
    return await tx.execute(FORGET, before=tx.at - KEPT, limit=CHUNK)


async def join_duplicates(tx: Tx, event: Recorded) -> None:
    """Two profiles are one person: what both wait for in a team is one inquiry. It is told of both; the second finds nothing to do."""
    await intake.join_all_that_wait(tx, system(event.channel), person=UUID(event.payload["winner"]))


SUBSCRIBERS = [Subscriber("conversations.duplicates", "customer.merged", join_duplicates)]
PERIODIC = [
    Periodic("conversations.tell_late", 30, tell_late),
    Periodic("conversations.forget_webhooks", 3600, forget_webhooks),
]
