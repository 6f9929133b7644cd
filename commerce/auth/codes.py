"""One-time codes to a phone or an e-mail: asked for, sent again, guessed, used once.

A code is derived from the challenge's id and counter, never stored (DESIGN 12). The row of `code_limits` is the lock of all that is done
with codes of one contact: it is taken first, before any person's, so that limits hold across challenges and of two who prove the same
contact the second sees what the first has made of it.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from msgspec import Struct

from commerce.auth import tokens
from commerce.auth.errors import CodeOver, TooManyAttempts, TooManyCodes, WrongCode
from commerce.auth.schemas import CodeSent, DevelopmentCode
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

LIFE = timedelta(minutes=10)
GUESSES = 5
"""Per code."""
RESEND = timedelta(seconds=30)
SENDS = 5
"""Per contact in `SENDS_WINDOW`."""
SENDS_WINDOW = timedelta(hours=1)
MISSES = 10
"""Wrong guesses per contact in `MISSES_WINDOW`, over all challenges: asking for new codes does not buy guesses."""
MISSES_WINDOW = timedelta(days=1)

SHARED = ("client", "device")
"""Askers behind whom there are many people who do not know each other."""

Purpose = Literal["sign_in", "verify"]


class Asked(Struct, frozen=True, kw_only=True):
    """A challenge whose code is to be sent now."""

    id: UUID
    counter: int
    sent: CodeSent
    """What its asker is told."""


class Proven(Struct, frozen=True, kw_only=True):
    """A contact whose code was right."""

    kind: str
    contact: str

    def __repr__(self) -> str:
        return f"Proven(kind={self.kind})"


HOLD = """
INSERT INTO auth.code_limits AS l (identity, used_at) VALUES (:identity, :at)
ON CONFLICT (identity) DO UPDATE SET
    sends = ARRAY(SELECT s FROM unnest(l.sends) s WHERE s > :hour_ago ORDER BY s),
    misses = ARRAY(SELECT m FROM unnest(l.misses) m WHERE m > :day_ago ORDER BY m),
    used_at = excluded.used_at
RETURNING sends, misses
"""
LIVE = """
SELECT id, counter, sent_at FROM auth.challenges
WHERE identity = :identity AND purpose = :purpose AND principal_id IS NOT DISTINCT FROM CAST(:principal AS uuid)
  AND settled_at IS NULL AND expires_at > :at
ORDER BY id DESC LIMIT 1 FOR NO KEY UPDATE
"""
OPEN = """
INSERT INTO auth.challenges
    (id, kind, identity, contact, purpose, principal_id, counter, attempts, created_at, sent_at, expires_at)
VALUES (:id, :kind, :identity, :contact, :purpose, :principal, 1, 0, :at, :at, :expires)
"""
AGAIN = """
UPDATE auth.challenges SET counter = counter + 1, attempts = 0, sent_at = :at, expires_at = :expires
WHERE id = :id RETURNING counter
"""
COUNT_SEND = "UPDATE auth.code_limits SET sends = sends || CAST(:at AS timestamptz) WHERE identity = :identity"


async def ask(tx: Tx, actor: Actor, *, kind: str, contact: str, identity: str, purpose: Purpose) -> Asked:
    """A code for a contact, to be sent once this is committed. Whoever asks again while his challenge lives gets it with a new code.

    Nobody is looked for: it is the same work whether or not the contact is anybody's. Challenges are the asker's own, so that a
    stranger who asks for the same contact does not make his code die. Who asks by what many have (a frontend's key, a kiosk) may be
    anybody: he gets a challenge of his own each time, which nobody else learns of, and the codes before it stay good until their time is
    over; the pause and the codes of an hour bound how many. Raises TooManyCodes, TooManyAttempts.
    """
    held = await _hold(tx, identity)
    if len(held.sends) >= SENDS:
        raise TooManyCodes(retry_after_seconds=_seconds(held.sends[0] + SENDS_WINDOW - tx.at))
    principal = None if actor.kind == "system" else actor.person
    live = await tx.first(LIVE, identity=identity, purpose=purpose, principal=principal, at=tx.at)
    expires = tx.at + LIFE
    if live is not None and tx.at < live.sent_at + RESEND:
        raise TooManyCodes(retry_after_seconds=_seconds(live.sent_at + RESEND - tx.at))
    if live is None or actor.kind in SHARED:
        challenge, counter = uuid7(), 1
        await tx.execute(
            OPEN, id=challenge, kind=kind, identity=identity, contact=contact, purpose=purpose, principal=principal,
            at=tx.at, expires=expires,
        )  # fmt: skip
    else:
        challenge = live.id
        counter = await tx.scalar(AGAIN, id=challenge, at=tx.at, expires=expires)
    await tx.execute(COUNT_SEND, at=tx.at, identity=identity)
    sent = CodeSent(
        challenge_id=challenge, expires_at=expires, resend_after_seconds=int(RESEND.total_seconds()), attempts=GUESSES
    )
    return Asked(id=challenge, counter=counter, sent=sent)


NOT_SENT = (
    "UPDATE auth.challenges SET sent_at = sent_at - CAST(:pause AS interval) WHERE id = :id AND counter = :counter"
)


async def not_sent(tx: Tx, actor: Actor, *, challenge: UUID, counter: int) -> None:  # noqa: ARG001
    """The code could not be handed on: its asker need not wait before he asks again. It still counts as one of the hour."""
    await tx.execute(NOT_SENT, pause=RESEND, id=challenge, counter=counter)


IDENTITY = "SELECT identity FROM auth.challenges WHERE id = :id"
LOCK = """
SELECT kind, contact, purpose, principal_id, counter, attempts, expires_at, settled_at FROM auth.challenges
WHERE id = :id FOR NO KEY UPDATE
"""
COUNT_MISS = """
WITH counted AS (UPDATE auth.challenges SET attempts = attempts + 1 WHERE id = :id)
UPDATE auth.code_limits SET misses = misses || CAST(:at AS timestamptz) WHERE identity = :identity
"""
USE = "UPDATE auth.challenges SET settled_at = :at, contact = NULL WHERE id = :id"


async def settle(
    tx: Tx,
    actor: Actor,  # noqa: ARG001
    *,
    challenge: UUID,
    code: str,
    purpose: Purpose,
    secret_key: str,
    askers: Sequence[UUID] | None = None,
) -> Proven:
    """Judge a code and use it up; with `askers`, only one that one of them asked for.

    Under the locks of the contact and of the challenge: of any number of parallel guesses at most five are judged, and of two right
    ones one gets in. Raises WrongCode (kept), CodeOver, TooManyAttempts.
    """
    identity = await tx.scalar(IDENTITY, id=challenge)
    if identity is None:
        raise CodeOver
    await _hold(tx, identity)
    row = await tx.first(LOCK, id=challenge)
    if (
        row is None or row.purpose != purpose or row.settled_at is not None or row.expires_at <= tx.at
        or row.attempts >= GUESSES or (askers is not None and row.principal_id not in askers)
    ):  # fmt: skip
        raise CodeOver
    right = tokens.derived_code(secret_key, challenge, row.counter)
    if not hmac.compare_digest(right.encode(), code.encode()):
        await tx.execute(COUNT_MISS, id=challenge, identity=identity, at=tx.at)
        raise WrongCode(attempts_left=GUESSES - row.attempts - 1)
    await tx.execute(USE, id=challenge, at=tx.at)
    return Proven(kind=row.kind, contact=row.contact)


async def shown(tx: Tx, *, challenge: UUID, secret_key: str) -> DevelopmentCode:
    """The code of a challenge, derived again: for developers alone. Raises CodeOver."""
    row = await tx.first("SELECT counter, expires_at FROM auth.challenges WHERE id = :id", id=challenge)
    if row is None:
        raise CodeOver
    return DevelopmentCode(code=tokens.derived_code(secret_key, challenge, row.counter), expires_at=row.expires_at)


async def sweep(tx: Tx) -> int:
    """Forget codes that are over, and limits that limit nothing any more."""
    await tx.execute("DELETE FROM auth.code_limits WHERE used_at < :before", before=tx.at - MISSES_WINDOW)
    return await tx.execute("DELETE FROM auth.challenges WHERE expires_at < :at", at=tx.at)


async def _hold(tx: Tx, identity: str) -> Any:
    """Lock the contact. Raises TooManyAttempts while it rests."""
    held = await tx.one(HOLD, identity=identity, at=tx.at, hour_ago=tx.at - SENDS_WINDOW, day_ago=tx.at - MISSES_WINDOW)
    if len(held.misses) >= MISSES:
        raise TooManyAttempts(retry_after_seconds=_seconds(held.misses[0] + MISSES_WINDOW - tx.at))
    return held


def _seconds(left: timedelta) -> int:
    return max(1, int(left.total_seconds()) + 1)
