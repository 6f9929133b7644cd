"""Verbs of `auth`: who may come in, and for how long. Passwords arrive hashed or already checked (`flow.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct

from commerce.auth import tokens
from commerce.auth.errors import (
    CodeTaken,
    MayNotGrant,
    NotAtThisStore,
    NotYourLocation,
    RefreshTokenInvalid,
    RefreshTokenReused,
    TooManyAttempts,
    UnknownChannel,
    UnknownClient,
    UnknownDevice,
    UnknownSession,
    UnknownStaff,
    WrongPassword,
)
from commerce.auth.passwords import Verified
from commerce.auth.permissions import ROLES, grants
from commerce.auth.schemas import (
    ChannelView,
    ClientView,
    CreateChannel,
    DeviceKind,
    DeviceView,
    NewClient,
    NewDevice,
    RoleGrant,
    SetRoles,
    StaffView,
)
from commerce.auth.tables import channels, passwords, principals, sessions, staff_roles
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

GUESSES = 5
"""Wrong passwords for one identity within the window; after them even the right one waits."""
WINDOW = timedelta(minutes=15)
STAFF_SESSION = timedelta(hours=12)
"""A shift: refreshing does not lengthen it."""
SHOPPER_SESSION = timedelta(days=90)
"""Since the last refresh."""
SHARED_DEVICE_SESSION = timedelta(minutes=30)
"""Since the last refresh, for a shopper at a till or kiosk that the next one will use."""


class Started(Struct, frozen=True, kw_only=True):
    """A session that lives, as its tokens will say it; `number` is the only refresh token that works."""

    actor: Actor
    session: UUID
    number: int
    at: datetime
    expires_at: datetime


class Proof(Struct, frozen=True, kw_only=True):
    """What a password is checked against. `identity` is the keyed hash of what was typed; nobody has neither owner nor hash."""

    identity: str
    owner: UUID | None
    hash: str | None

    def __repr__(self) -> str:
        return f"Proof(owner={self.owner})"


# --- principals, passwords and guesses ---


async def create_shopper(tx: Tx, actor: Actor) -> UUID:
    """A new opaque shopper, at once: other rows may point at him."""
    principal = uuid7()
    await tx.execute(principals.insert(), id=principal, kind="shopper", created_at=tx.at)
    return principal


async def set_password(tx: Tx, actor: Actor, *, principal: UUID, password_hash: str) -> None:
    """Give a principal a password, or another one. Takes the argon2 hash."""
    await tx.execute(
        """
        INSERT INTO auth.passwords (principal_id, hash, changed_at) VALUES (:principal, :hash, :at)
        ON CONFLICT (principal_id) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at
        """,
        principal=principal, hash=password_hash, at=tx.at,
    )  # fmt: skip


COUNT_GUESS = """
WITH counted AS (
    INSERT INTO auth.attempts AS a (identity, failures, first_at) VALUES (:identity, 1, :at)
    ON CONFLICT (identity) DO UPDATE SET
        failures = CASE WHEN a.first_at <= :since THEN 1 ELSE a.failures + 1 END,
        first_at = CASE WHEN a.first_at <= :since THEN :at ELSE a.first_at END
    RETURNING failures, first_at
)
SELECT failures, first_at, EXISTS (
    SELECT 1 FROM auth.passwords w JOIN auth.principals p ON p.id = w.principal_id
    WHERE w.principal_id = CAST(:owner AS uuid) AND w.hash = CAST(:hash AS text) AND p.disabled_at IS NULL
) AS stands FROM counted
"""


async def settle(tx: Tx, actor: Actor, *, proof: Proof, verified: Verified) -> UUID:
    """Count a guess and let it pass or not; the principal whose password it was.

    The count is taken under the identity's row, after the hashing: of any number of parallel guesses at most `GUESSES` are
    answered, so the right password among them helps nobody. Raises WrongPassword (kept), TooManyAttempts.
    """
    row = await tx.one(
        COUNT_GUESS, identity=proof.identity, at=tx.at, since=tx.at - WINDOW, owner=proof.owner, hash=proof.hash
    )
    if row.failures > GUESSES:
        raise TooManyAttempts(retry_after_seconds=seconds_of_rest(row.first_at, tx.at))
    if not verified.right or not row.stands or proof.owner is None:
        raise WrongPassword
    await tx.execute("DELETE FROM auth.attempts WHERE identity = :identity", identity=proof.identity)
    if verified.rehashed is not None:
        await set_password(tx, actor, principal=proof.owner, password_hash=verified.rehashed)
    return proof.owner


def seconds_of_rest(first_at: datetime, at: datetime) -> int:
    """How long an identity with too many wrong guesses still rests."""
    return max(1, int((first_at + WINDOW - at).total_seconds()) + 1)


# --- sessions ---


async def start_session(
    tx: Tx,
    actor: Actor,
    *,
    principal: UUID,
    kind: str,
    known: bool,
    roles: Iterable[tuple[str, str]] = (),
    client: UUID | None = None,
    device_name: str | None = None,
) -> Started:
    """A session of a shopper or a member of staff through the client or device that asks: it inherits channel, device, location.

    `client` names the API client when `actor` is not it (an anonymous shopper who signs up).
    """
    session = uuid7()
    who = Actor(
        kind="staff" if kind == "staff" else "shopper",
        subject=principal,
        channel=actor.channel,
        known=known,
        session=session,
        device=actor.device,
        location=actor.location,
        permissions=grants(roles),
        request_id=actor.request_id,
    )
    if kind == "staff":
        life = STAFF_SESSION
    else:
        life = SHOPPER_SESSION if actor.device is None else SHARED_DEVICE_SESSION
    tx.queue(
        sessions,
        id=session,
        principal_id=principal,
        client_id=actor.subject if actor.kind == "client" else client,
        device_id=actor.device,
        channel=actor.channel,
        location=actor.location,
        known=known,
        device_name=device_name,
        refresh_no=1,
        created_at=tx.at,
        refreshed_at=tx.at,
        expires_at=tx.at + life,
    )
    return Started(actor=who, session=session, number=1, at=tx.at, expires_at=tx.at + life)


async def sign_in_anonymously(tx: Tx, actor: Actor, *, device_name: str | None) -> Started:
    """A new shopper of whom nothing is known, with a session."""
    principal = uuid7()
    tx.queue(principals, id=principal, kind="shopper", created_at=tx.at)
    return await start_session(tx, actor, principal=principal, kind="shopper", known=False, device_name=device_name)


ROLES_OF = "SELECT role, location FROM auth.staff_roles WHERE staff_id = :id ORDER BY role, location"


async def sign_in_staff(
    tx: Tx, actor: Actor, *, proof: Proof, verified: Verified, device_name: str | None = None
) -> Started:
    """A session of a member of staff. Raises WrongPassword (kept), TooManyAttempts, NotAtThisStore on another store's device.

    The staff row is locked first, so that roles taken away at this moment are not given once more.
    """
    await tx.execute("SELECT 1 FROM auth.staff WHERE id = CAST(:id AS uuid) FOR SHARE", id=proof.owner)
    principal = await settle(tx, actor, proof=proof, verified=verified)
    roles = [(row.role, row.location) for row in await tx.rows(ROLES_OF, id=principal)]
    if actor.location is not None and not any(location in ("*", actor.location) for _, location in roles):
        raise NotAtThisStore(location=actor.location)
    started = await start_session(
        tx, actor, principal=principal, kind="staff", known=True, roles=roles, device_name=device_name
    )
    outbox.audit(tx, started.actor, "staff.signed_in", "session", started.session)
    return started


REFRESH = """
UPDATE auth.sessions s SET
    refresh_no = s.refresh_no + 1,
    refreshed_at = :at,
    expires_at = CASE WHEN p.kind = 'staff' THEN s.expires_at WHEN s.device_id IS NULL THEN :own_until ELSE :shared_until END
FROM auth.principals p
WHERE p.id = s.principal_id AND s.id = :session AND s.refresh_no = :number AND s.revoked_at IS NULL AND s.expires_at > :at
  AND p.disabled_at IS NULL AND s.device_id IS NOT DISTINCT FROM CAST(:device AS uuid)
  AND (s.client_id IS NULL OR s.client_id = CAST(:client AS uuid))
RETURNING s.principal_id, p.kind, s.known, s.channel, s.device_id, s.location, s.refresh_no, s.expires_at,
    (SELECT array_agg(r.role ORDER BY r.role, r.location) FROM auth.staff_roles r WHERE r.staff_id = p.id) AS roles,
    (SELECT array_agg(r.location ORDER BY r.role, r.location) FROM auth.staff_roles r WHERE r.staff_id = p.id) AS locations
"""
REUSED = """
UPDATE auth.sessions SET
    revoked_at = coalesce(revoked_at, :at), revoked_reason = coalesce(revoked_reason, 'refresh_token_reused')
WHERE id = :session AND refresh_no > :number RETURNING id
"""


async def refresh(tx: Tx, actor: Actor, *, session: UUID, number: int) -> Started:
    """Trade refresh token `number` of a session for the next, through the client or device it was given to.

    One statement decides, so of two twins one wins; the other shows a token twice and ends the session, because nobody can
    tell which of them is the thief (RFC 9700, 4.14.2). Raises RefreshTokenReused (kept), RefreshTokenInvalid.
    """
    row = await tx.first(
        REFRESH,
        session=session,
        number=number,
        at=tx.at,
        own_until=tx.at + SHOPPER_SESSION,
        shared_until=tx.at + SHARED_DEVICE_SESSION,
        device=actor.device,
        client=actor.subject if actor.kind == "client" else None,
    )
    if row is None:
        if await tx.first(REUSED, session=session, number=number, at=tx.at) is not None:
            raise RefreshTokenReused
        raise RefreshTokenInvalid
    who = Actor(
        kind=row.kind,
        subject=row.principal_id,
        channel=row.channel,
        known=row.known,
        session=session,
        device=row.device_id,
        location=row.location,
        permissions=grants(zip(row.roles or (), row.locations or (), strict=True)),
        request_id=actor.request_id,
    )
    return Started(actor=who, session=session, number=row.refresh_no, at=tx.at, expires_at=row.expires_at)


END_SESSIONS = """
UPDATE auth.sessions SET revoked_at = :at, revoked_reason = :reason
WHERE principal_id = ANY(CAST(:principals AS uuid[])) AND revoked_at IS NULL RETURNING id, client_id
"""


async def end_sessions(tx: Tx, actor: Actor, *, principals: Sequence[UUID], reason: str) -> dict[UUID, UUID | None]:
    """End every session of these principals: session -> the client it came through. Holds everywhere within 5 s."""
    rows = await tx.rows(END_SESSIONS, at=tx.at, reason=reason, principals=list(principals))
    return {row.id: row.client_id for row in rows}


END_SESSION = """
UPDATE auth.sessions SET revoked_at = :at, revoked_reason = 'signed_out'
WHERE id = CAST(:session AS uuid) AND principal_id = :principal AND revoked_at IS NULL AND expires_at > :at
"""


async def sign_out(tx: Tx, actor: Actor) -> None:
    """End the session that asks."""
    ended = await tx.execute(END_SESSION, at=tx.at, session=actor.session, principal=actor.subject)
    if ended and actor.kind == "staff":
        outbox.audit(tx, actor, "staff.signed_out", "session", str(actor.session))


async def end_own_session(tx: Tx, actor: Actor, *, session: UUID) -> None:
    """End one of the caller's sessions, from any of them. Raises UnknownSession."""
    if not await tx.execute(END_SESSION, at=tx.at, session=session, principal=actor.subject):
        raise UnknownSession
    if actor.kind == "staff":
        outbox.audit(tx, actor, "session.ended", "session", session)


# --- channels, clients, devices ---


async def create_channel(tx: Tx, actor: Actor, *, command: CreateChannel) -> ChannelView:
    """Open a channel. Raises CodeTaken."""
    row = await tx.first(
        "INSERT INTO auth.channels (code, name, created_at) VALUES (:code, CAST(:name AS jsonb), :at)"
        " ON CONFLICT (code) DO NOTHING RETURNING code",
        code=command.code, name=outbox_json(command.name), at=tx.at,
    )  # fmt: skip
    if row is None:
        raise CodeTaken(value=command.code)
    outbox.audit(tx, actor, "channel.created", "channel", command.code)
    return ChannelView(code=command.code, name=dict(command.name), created_at=tx.at)
