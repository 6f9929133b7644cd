"""Wrong guesses, counted under their identity's row: of any number at once no more are answered than one may make."""

from __future__ import annotations

from datetime import timedelta

from commerce.auth.errors import TooManyAttempts
from commerce.infra.db import Tx

COUNT = """
INSERT INTO auth.attempts AS a (identity, failures, first_at) VALUES (:identity, 1, :at)
ON CONFLICT (identity) DO UPDATE SET
    failures = CASE WHEN a.first_at <= :since THEN 1 ELSE a.failures + 1 END,
    first_at = CASE WHEN a.first_at <= :since THEN :at ELSE a.first_at END
RETURNING failures, first_at
"""
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)


async def count(tx: Tx, identity: str, *, most: int, window: timedelta = QUARTER) -> None:
    """Count a guess before it is looked at; a refusal that is `kept` leaves it counted. Raises TooManyAttempts."""
    row = await tx.one(COUNT, identity=identity, at=tx.at, since=tx.at - window)
    if row.failures > most:
        left = row.first_at + window - tx.at
        raise TooManyAttempts(retry_after_seconds=max(1, int(left.total_seconds()) + 1))


async def forget(tx: Tx, identity: str) -> None:
    """The guess was right: nothing has been wrong."""
    await tx.execute("DELETE FROM auth.attempts WHERE identity = :identity", identity=identity)


TAKE_BACK = """
WITH gone AS (DELETE FROM auth.attempts WHERE identity = :identity AND failures = 1)
UPDATE auth.attempts SET failures = failures - 1 WHERE identity = :identity AND failures > 1
"""


async def take_back(tx: Tx, identity: str) -> None:
    """The guess was right, those before it were not."""
    await tx.execute(TAKE_BACK, identity=identity)
