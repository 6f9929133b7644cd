"""Periodic work of the stock room."""

from __future__ import annotations

from commerce.infra.db import Database
from commerce.infra.outbox import Periodic
from commerce.kernel.actor import system
from commerce.stock import service

SWEEP = 500


async def sweep_expired(db: Database) -> None:
    """Give back what has expired, a chunk per transaction, until a chunk is not full."""
    while await db.write(service.sweep, system(), limit=SWEEP) == SWEEP:
        pass


PERIODIC = [Periodic("stock.sweep_expired", 30, sweep_expired)]
