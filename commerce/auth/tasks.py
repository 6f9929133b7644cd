"""Periodic work of `auth`: what has lost its meaning goes."""

from __future__ import annotations

from datetime import timedelta

from commerce.auth import codes
from commerce.auth.service import WINDOW
from commerce.infra.db import Database, Tx
from commerce.infra.outbox import Periodic

KEPT = timedelta(days=30)
"""How long an ended session can still be looked into."""
CHUNK = 1000

SWEEP_ATTEMPTS = "DELETE FROM auth.attempts WHERE first_at < :before"
SWEEP_SESSIONS = """
DELETE FROM auth.sessions WHERE id IN (
    SELECT id FROM auth.sessions WHERE expires_at < :before ORDER BY expires_at LIMIT :chunk FOR UPDATE SKIP LOCKED
)
"""


async def sweep_attempts(tx: Tx) -> int:
    """Forget guesses whose window is over."""
    return await tx.execute(SWEEP_ATTEMPTS, before=tx.at - WINDOW)


async def sweep_sessions(tx: Tx) -> int:
    """Forget a chunk of sessions that expired a month ago."""
    return await tx.execute(SWEEP_SESSIONS, before=tx.at - KEPT, chunk=CHUNK)


async def sweep(db: Database) -> None:
    """Forget old guesses, codes that are over and long expired sessions."""
    await db.write(sweep_attempts)
    await db.write(codes.sweep)
    while await db.write(sweep_sessions) == CHUNK:
        pass


PERIODIC = [Periodic("auth.sweep", 600, sweep)]
