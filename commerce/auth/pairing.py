"""Tills and kiosks come in by a code on their screen, as in RFC 8628: the device asks and polls, a manager of the store decides."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from msgspec import structs

from commerce.auth import guesses, tokens
from commerce.auth.errors import (
    PairingDenied,
    PairingExpired,
    PairingPending,
    UnknownPairing,
    WrongUserCode,
)
from commerce.auth.schemas import ClaimPairing, DenyDevice, DeviceView, NewDevice, PairDevice, Pairing, StartPairing
from commerce.auth.service import add_device
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

LIFE = timedelta(minutes=10)
INTERVAL_SECONDS = 3
GUESSES = 5
"""Wrong codes of one manager in a quarter of an hour."""

START = """
INSERT INTO auth.pairings (id, kind, name, client_id, code_hash, secret_hash, state, created_at, expires_at)
VALUES (:id, :kind, :name, :client, :code_hash, :secret_hash, 'pending', :at, :expires_at)
ON CONFLICT (code_hash) WHERE state = 'pending' DO NOTHING RETURNING id
"""


async def start(tx: Tx, actor: Actor, *, command: StartPairing, secret_key: str) -> Pairing:
    """A pairing that waits for a manager, with the code to show and the secret to poll by; neither is kept."""
    pairing, expires_at, secret = uuid7(), tx.at + LIFE, tokens.new_secret("ds")
    while True:
        letters = tokens.new_letters()
        made = await tx.first(
            START, id=pairing, kind=command.kind, name=command.name, client=actor.client,
            code_hash=code_hash(secret_key, letters), secret_hash=tokens.fingerprint(secret), at=tx.at, expires_at=expires_at,
        )  # fmt: skip
        if made is not None:
            break
    return Pairing(
        pairing_id=pairing, user_code=f"{letters[:4]}-{letters[4:]}", device_secret=secret, expires_at=expires_at,
        interval_seconds=INTERVAL_SECONDS,
    )  # fmt: skip


def code_hash(secret_key: str, letters: str | None) -> str:
    """Under what a code is kept; of what is no code at all, under what none is kept."""
    return tokens.keyed_hash(secret_key, "pairing", letters or "")


def device_key(secret_key: str, pairing: UUID) -> str:
    """The key of the device of a pairing: made again for each claim, never kept."""
    return tokens.derived_key(secret_key, "dk", f"pairing {pairing}")


FIND = """
SELECT id, kind, name FROM auth.pairings
WHERE code_hash = :code_hash AND state = 'pending' AND expires_at > :at FOR UPDATE
"""
DECIDE = """
UPDATE auth.pairings SET state = :state, device_id = CAST(:device AS uuid), decided_at = :at, decided_by = :by
WHERE id = :id AND state = 'pending' RETURNING id
"""


async def _found(tx: Tx, actor: Actor, user_code: str, secret_key: str) -> tuple[UUID, str, str]:
    """The pairing of a code, locked: its id, kind and name. Raises WrongUserCode (kept), TooManyAttempts."""
    identity = tokens.keyed_hash(secret_key, "identity pairing", str(actor.subject))
    await guesses.count(tx, identity, most=GUESSES)
    row = await tx.first(FIND, code_hash=code_hash(secret_key, tokens.read_letters(user_code)), at=tx.at)
    if row is None:
        raise WrongUserCode
    await guesses.forget(tx, identity)
    return row.id, row.kind, row.name


async def approve(tx: Tx, actor: Actor, *, location: str, command: PairDevice, secret_key: str) -> DeviceView:
    """Let the device in at this store. Of two managers one does; the other finds no such code any more.

    Raises WrongUserCode (kept), TooManyAttempts, CodeReserved, CodeTaken, UnknownChannel.
    """
    pairing, kind, name = await _found(tx, actor, command.user_code, secret_key)
    made = await add_device(
        tx, actor, action="device.paired", code=command.code, kind=kind, location=location, name=command.name or name,
        key=device_key(secret_key, pairing),
    )  # fmt: skip
    await tx.one(DECIDE, id=pairing, state="approved", device=made.id, at=tx.at, by=actor.subject)
    return made


async def deny(tx: Tx, actor: Actor, *, location: str, command: DenyDevice, secret_key: str) -> None:
    """Send the device away. Raises WrongUserCode (kept), TooManyAttempts."""
    pairing, _, _ = await _found(tx, actor, command.user_code, secret_key)
    await tx.one(DECIDE, id=pairing, state="denied", device=None, at=tx.at, by=actor.subject)
    after = {"state": "denied", "location": location}
    outbox.audit(tx, actor, "device.denied", "pairing", pairing, before={"state": "pending"}, after=after)


CLAIM = """
SELECT p.state, p.expires_at, d.id, d.code, d.kind, d.channel, d.location, d.name, d.created_at, d.revoked_at, d.last_seen_at
FROM auth.pairings p LEFT JOIN auth.devices d ON d.id = p.device_id
WHERE p.id = :pairing AND p.secret_hash = :secret_hash AND p.client_id IS NOT DISTINCT FROM CAST(:client AS uuid)
"""


async def claim(tx: Tx, actor: Actor, *, pairing: UUID, command: ClaimPairing, secret_key: str) -> NewDevice:
    """The device with its key, as often as it is asked for before the pairing expires: an answer may be lost.

    Raises UnknownPairing, PairingPending, PairingDenied, PairingExpired.
    """
    row = await tx.first(
        CLAIM, pairing=pairing, secret_hash=tokens.fingerprint(command.device_secret), client=actor.client
    )
    if row is None:
        raise UnknownPairing
    if row.state == "denied" or row.revoked_at is not None:
        raise PairingDenied
    if row.expires_at <= tx.at:
        raise PairingExpired
    if row.state == "pending":
        raise PairingPending(retry_after_seconds=INTERVAL_SECONDS)
    view = DeviceView(
        id=row.id, code=row.code, kind=row.kind, channel=row.channel, location=row.location, name=row.name,
        created_at=row.created_at, revoked_at=None, last_seen_at=row.last_seen_at,
    )  # fmt: skip
    return NewDevice(**structs.asdict(view), key=device_key(secret_key, pairing))
