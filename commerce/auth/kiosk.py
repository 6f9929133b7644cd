"""A shopper comes to a kiosk with a code from his telephone."""

from __future__ import annotations

from datetime import timedelta

from commerce.auth import guesses, tokens
from commerce.auth.errors import WrongPass
from commerce.auth.schemas import ClaimPass, ShopperPass
from commerce.auth.service import Started, start_session
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

LIFE = timedelta(minutes=2)
GUESSES = 10
"""Wrong codes at one device in a quarter of an hour."""
QR = "commerce:pass:"
"""Begins what the QR code says."""

ISSUE = """
INSERT INTO auth.passes AS p (id, principal_id, code_hash, created_at, expires_at)
VALUES (:id, :principal, :code_hash, :at, :expires_at)
ON CONFLICT (principal_id) DO UPDATE SET
    id = excluded.id, code_hash = excluded.code_hash, created_at = excluded.created_at, expires_at = excluded.expires_at
"""


async def issue(tx: Tx, actor: Actor, *, secret_key: str) -> ShopperPass:
    """A code that says at a kiosk who the shopper is: for two minutes, once; the one before it is void. Only a keyed hash is kept."""
    letters, expires_at = tokens.new_letters(), tx.at + LIFE
    await tx.execute(
        ISSUE, id=uuid7(), principal=actor.subject, code_hash=tokens.keyed_hash(secret_key, "pass", letters), at=tx.at,
        expires_at=expires_at,
    )  # fmt: skip
    code = f"{letters[:4]}-{letters[4:]}"
    return ShopperPass(code=code, qr=f"{QR}{code}", expires_at=expires_at)


WHOSE = """
SELECT s.id FROM auth.principals s JOIN auth.passes p ON p.principal_id = s.id
WHERE p.code_hash = :code_hash AND s.disabled_at IS NULL FOR SHARE OF s
"""
"""With him, nobody shuts him out before he has come in."""
CLAIM = "DELETE FROM auth.passes WHERE code_hash = :code_hash AND expires_at > :at AND principal_id = :shopper RETURNING principal_id"


async def claim(tx: Tx, actor: Actor, *, command: ClaimPass, secret_key: str, idle_seconds: int) -> Started:
    """A session of the shopper on this device, which ends by idleness and ends that of the one before him.

    Raises WrongPass (kept), TooManyAttempts.
    """
    identity = tokens.keyed_hash(secret_key, "identity pass", str(actor.device))
    await guesses.count(tx, identity, most=GUESSES)
    letters = tokens.read_letters(command.code.removeprefix(QR))
    code_hash = tokens.keyed_hash(secret_key, "pass", letters or "")
    shopper = await tx.scalar(WHOSE, code_hash=code_hash)
    if shopper is None or await tx.first(CLAIM, code_hash=code_hash, at=tx.at, shopper=shopper) is None:
        raise WrongPass
    await guesses.forget(tx, identity)
    return await start_session(
        tx,
        actor,
        principal=shopper,
        kind="shopper",
        known=True,
        proof="pass",
        device_name=command.device_name,
        idle_seconds=idle_seconds,
    )
