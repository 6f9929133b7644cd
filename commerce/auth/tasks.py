"""Periodic work of `auth`: what has lost its meaning goes."""

from __future__ import annotations

from commerce.auth import codes
from commerce.auth.service import WINDOW
from commerce.infra.db import Database, Tx
from commerce.infra.outbox import Periodic

SWEEP_ATTEMPTS = "DELETE FROM auth.attempts WHERE first_at < :before"


async def sweep_attempts(tx: Tx) -> int:
    """Forget guesses whose window is over."""
    return await tx.execute(SWEEP_ATTEMPTS, before=tx.at - WINDOW)


async def sweep(db: Database) -> None:
    """Forget old guesses and codes that are over; ended sessions go when the retention rules say so."""
    await db.write(sweep_attempts)
    await db.write(codes.sweep)


PERIODIC = [Periodic("auth.sweep", 600, sweep)]
