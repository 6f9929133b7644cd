"""Periodic work of the supply room."""

from __future__ import annotations

from commerce.infra.db import Database
from commerce.infra.outbox import Periodic
from commerce.kernel.actor import system
from commerce.supply import service

CHUNK = 200


async def tell_overdue(db: Database) -> None:
    """Tell of deliveries whose day has passed, once each, a chunk per transaction."""
    after = await db.write(service.mark_overdue, system(), limit=CHUNK)
    while after is not None:
        after = await db.write(service.mark_overdue, system(), limit=CHUNK, after=after)


PERIODIC = [Periodic("supply.tell_overdue", 600, tell_overdue)]
