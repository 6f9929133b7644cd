"""Periodic work of `auth`: what has lost its meaning goes."""

from __future__ import annotations

from datetime import timedelta

from commerce.auth import codes
from commerce.auth.guesses import DAY
from commerce.infra.db import Database, Tx
from commerce.infra.outbox import Periodic

KEPT = timedelta(days=30)
"""How long an invitation that nobody accepted can still be looked into."""

SWEEP_ATTEMPTS = "DELETE FROM auth.attempts WHERE first_at < :before"


async def sweep_attempts(tx: Tx) -> int:
    """Forget guesses whose window is over: the longest is a day."""
    return await tx.execute(SWEEP_ATTEMPTS, before=tx.at - DAY)


SWEEP_CODES = """
WITH forgotten AS (DELETE FROM auth.passes WHERE expires_at < :before),
declined AS (DELETE FROM auth.invitations WHERE state <> 'accepted' AND expires_at < :long_before)
DELETE FROM auth.pairings WHERE expires_at < :before
"""


async def sweep_codes(tx: Tx) -> int:
    """Forget passes and pairings that expired a day ago, and invitations that nobody accepted for a month."""
    return await tx.execute(SWEEP_CODES, before=tx.at - DAY, long_before=tx.at - KEPT)


async def sweep(db: Database) -> None:
    """Forget old guesses and codes that are over; ended sessions go when the retention rules say so."""
    await db.write(sweep_attempts)
    await db.write(sweep_codes)
    await db.write(codes.sweep)


PERIODIC = [Periodic("auth.sweep", 600, sweep)]
