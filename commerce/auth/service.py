"""Verbs of `auth`: who may come in, and for how long. Passwords arrive hashed or already checked (`flow.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from msgspec import Struct, convert, structs
from sqlalchemy.dialects.postgresql import insert

from commerce.auth import tokens
from commerce.auth.errors import (
    CodeReserved,
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
    SignOutEverywhere,
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


FRESH_PROOF = timedelta(minutes=10)
"""How long a one-time code proves enough to set a password."""


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


async def create_shopper(tx: Tx, actor: Actor) -> UUID:  # noqa: ARG001
    """A new opaque shopper, at once: other rows may point at him."""
    principal = uuid7()
    await tx.execute(principals.insert(), id=principal, kind="shopper", created_at=tx.at)
    return principal


async def forget_passwords(tx: Tx, actor: Actor, *, principals: Sequence[UUID]) -> int:  # noqa: ARG001
    """Take the passwords of these principals away; how many there were."""
    return await tx.execute(
        "DELETE FROM auth.passwords WHERE principal_id = ANY(CAST(:principals AS uuid[]))", principals=list(principals)
    )


async def set_password(tx: Tx, actor: Actor, *, principal: UUID, password_hash: str) -> None:  # noqa: ARG001
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
    device_name: str | None = None,
    proof: str | None = None,
) -> Started:
    """A session of a shopper or a member of staff through the client or device that asks: it inherits channel, device, location.

    A shopper who signs up or in stays with the client of the session he comes from.
    """
    client = actor.subject if actor.kind == "client" else None
    if actor.kind == "shopper" and actor.session is not None:
        client = await tx.scalar("SELECT client_id FROM auth.sessions WHERE id = :id", id=actor.session)
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
    of_a_shopper = SHOPPER_SESSION if actor.device is None else SHARED_DEVICE_SESSION
    life = STAFF_SESSION if kind == "staff" else of_a_shopper
    tx.queue(
        sessions,
        id=session,
        principal_id=principal,
        client_id=client,
        device_id=actor.device,
        channel=actor.channel,
        location=actor.location,
        known=known,
        device_name=device_name,
        refresh_no=1,
        proof=proof,
        created_at=tx.at,
        refreshed_at=tx.at,
        expires_at=tx.at + life,
    )
    return Started(actor=who, session=session, number=1, at=tx.at, expires_at=tx.at + life)


async def sign_in_anonymously(tx: Tx, actor: Actor, *, device_name: str | None) -> Started:
    """A new shopper of whom nothing is known, with a session."""
    principal = uuid7()
    tx.queue(principals, id=principal, kind="shopper", created_at=tx.at)
    return await start_session(
        tx, actor, principal=principal, kind="shopper", known=False, device_name=device_name, proof="anonymous"
    )


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
        tx, actor, principal=principal, kind="staff", known=True, roles=roles, device_name=device_name,
        proof="password",
    )  # fmt: skip
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
WHERE principal_id = ANY(CAST(:principals AS uuid[])) AND revoked_at IS NULL AND id IS DISTINCT FROM CAST(:keep AS uuid)
"""


async def end_sessions(
    tx: Tx,
    actor: Actor,  # noqa: ARG001
    *,
    principals: Sequence[UUID],
    reason: str,
    keep: UUID | None = None,
) -> None:
    """End every session of these principals, but the one to `keep`. Holds everywhere within 5 s."""
    await tx.execute(END_SESSIONS, at=tx.at, reason=reason, principals=list(principals), keep=keep)


END_SESSION = """
UPDATE auth.sessions SET revoked_at = :at, revoked_reason = 'signed_out'
WHERE id = CAST(:session AS uuid) AND principal_id = ANY(CAST(:principals AS uuid[])) AND revoked_at IS NULL AND expires_at > :at
"""


async def sign_out(tx: Tx, actor: Actor) -> None:
    """End the session that asks."""
    ended = await tx.execute(END_SESSION, at=tx.at, session=actor.session, principals=[actor.subject])
    if ended and actor.kind == "staff":
        outbox.audit(tx, actor, "staff.signed_out", "session", str(actor.session))


async def end_session(tx: Tx, actor: Actor, *, principals: Sequence[UUID], session: UUID) -> None:
    """End one session of these principals, who are the caller, from any of them. Raises UnknownSession."""
    if not await tx.execute(END_SESSION, at=tx.at, session=session, principals=list(principals)):
        raise UnknownSession
    if actor.kind == "staff":
        outbox.audit(tx, actor, "session.ended", "session", session)


async def sign_out_everywhere(tx: Tx, actor: Actor, *, principals: Sequence[UUID], command: SignOutEverywhere) -> None:
    """End all sessions of these principals, who are the caller; the one that asks stays when he says so."""
    keep = actor.session if command.keep_current else None
    await end_sessions(tx, actor, principals=principals, reason="signed_out_everywhere", keep=keep)
    if actor.kind == "staff":
        outbox.audit(tx, actor, "staff.signed_out_everywhere", "staff", actor.subject)


FRESH = """
SELECT EXISTS (
    SELECT 1 FROM auth.sessions WHERE id = CAST(:session AS uuid) AND proof = 'code' AND created_at > :since AND revoked_at IS NULL
)
"""


async def proved_lately(tx: Tx, actor: Actor) -> bool:
    """Whether the caller's session began by a one-time code less than ten minutes ago."""
    return bool(await tx.scalar(FRESH, session=actor.session, since=tx.at - FRESH_PROOF))


# --- channels, clients, devices ---


async def create_channel(tx: Tx, actor: Actor, *, command: CreateChannel) -> ChannelView:
    """Open a channel. Raises CodeTaken."""
    made = insert(channels).on_conflict_do_nothing().returning(channels.c.code)
    if await tx.first(made, code=command.code, name=command.name, created_at=tx.at) is None:
        raise CodeTaken(value=command.code)
    outbox.audit(tx, actor, "channel.created", "channel", command.code)
    return ChannelView(code=command.code, name=dict(command.name), created_at=tx.at)


CREATE_CLIENT = """
WITH channel AS (SELECT code FROM auth.channels WHERE code = :channel),
principal AS (INSERT INTO auth.principals (id, kind, created_at) SELECT :id, 'client', :at FROM channel),
made AS (
    INSERT INTO auth.clients (id, code, channel, name, key_hash, created_at)
    SELECT :id, :code, channel.code, :name, :key_hash, :at FROM channel ON CONFLICT DO NOTHING RETURNING id
)
SELECT EXISTS (SELECT 1 FROM channel) AS channel, EXISTS (SELECT 1 FROM made) AS made
"""


async def create_client(
    tx: Tx, actor: Actor, *, code: str, channel: str, name: str, key: str | None = None
) -> NewClient:
    """A frontend with its publishable key (`pk_…`), which names its channel; a random one unless given. Only its hash is kept.

    Raises NotYourLocation for an actor limited to locations, CodeTaken, UnknownChannel; ValueError for a key without the prefix.
    """
    _everywhere(actor, "clients.write")
    key = _prefixed("pk", key)
    client = uuid7()
    row = await tx.one(
        CREATE_CLIENT, id=client, code=code, channel=channel, name=name, key_hash=tokens.fingerprint(key), at=tx.at
    )
    if not row.channel:
        raise UnknownChannel(channel=channel)
    if not row.made:
        raise CodeTaken(value=code)
    outbox.audit(tx, actor, "client.created", "client", client, after={"code": code, "channel": channel})
    return NewClient(id=client, code=code, channel=channel, name=name, created_at=tx.at, revoked_at=None, key=key)


async def revoke_client(tx: Tx, actor: Actor, *, code: str) -> ClientView:
    """Let a publishable key open nothing any more; who has signed in through it stays signed in. Raises UnknownClient, NotYourLocation."""
    _everywhere(actor, "clients.write")
    row = await tx.first(
        """
        UPDATE auth.clients SET revoked_at = coalesce(revoked_at, :at) WHERE code = :code
        RETURNING id, code, channel, name, created_at, revoked_at
        """,
        code=code, at=tx.at,
    )  # fmt: skip
    if row is None:
        raise UnknownClient(client=code)
    if row.revoked_at == tx.at:
        outbox.audit(tx, actor, "client.revoked", "client", row.id)
    return convert(row, ClientView, from_attributes=True)


COUNTER = "counter-"
"""Begins the name of the register at a store's counter (`payments.counter`), so no device's code, which names its register."""
CREATE_DEVICE = """
WITH channel AS (SELECT code FROM auth.channels WHERE code = :channel),
principal AS (INSERT INTO auth.principals (id, kind, created_at) SELECT :id, 'device', :at FROM channel),
made AS (
    INSERT INTO auth.devices (id, code, kind, channel, location, name, key_hash, created_at)
    SELECT :id, :code, :kind, channel.code, :location, :name, :key_hash, :at FROM channel ON CONFLICT DO NOTHING RETURNING id
)
SELECT EXISTS (SELECT 1 FROM channel) AS channel, EXISTS (SELECT 1 FROM made) AS made
"""


async def create_device(
    tx: Tx,
    actor: Actor,
    *,
    code: str,
    kind: DeviceKind,
    location: str,
    name: str,
    channel: str | None = None,
    key: str | None = None,
) -> NewDevice:
    """A till or kiosk bound to one location, with its key (`dk_…`); a random one unless given. Only its hash is kept.

    Raises NotYourLocation, CodeReserved, CodeTaken, UnknownChannel; ValueError for a key without the prefix.
    """
    if not actor.may("devices.write", location):
        raise NotYourLocation(location=location)
    if code.startswith(COUNTER):
        raise CodeReserved(prefix=COUNTER)
    key = _prefixed("dk", key)
    device, channel = uuid7(), channel or kind
    row = await tx.one(
        CREATE_DEVICE, id=device, code=code, kind=kind, channel=channel, location=location, name=name,
        key_hash=tokens.fingerprint(key), at=tx.at,
    )  # fmt: skip
    if not row.channel:
        raise UnknownChannel(channel=channel)
    if not row.made:
        raise CodeTaken(value=code)
    after = {"code": code, "kind": kind, "channel": channel, "location": location}
    outbox.audit(tx, actor, "device.created", "device", device, after=after)
    return NewDevice(
        id=device, code=code, kind=kind, channel=channel, location=location, name=name, created_at=tx.at,
        revoked_at=None, key=key,
    )  # fmt: skip


async def revoke_device(tx: Tx, actor: Actor, *, code: str) -> DeviceView:
    """Let a device's key open nothing any more, and end every session on it. Raises UnknownDevice, NotYourLocation."""
    row = await tx.first(
        """
        SELECT id, code, kind, channel, location, name, created_at, revoked_at FROM auth.devices
        WHERE code = :code FOR NO KEY UPDATE
        """,
        code=code,
    )  # fmt: skip
    if row is None:
        raise UnknownDevice(device=code)
    if not actor.may("devices.write", row.location):
        raise NotYourLocation(location=row.location)
    view = convert(row, DeviceView, from_attributes=True)
    if view.revoked_at is not None:
        return view
    await tx.execute("UPDATE auth.devices SET revoked_at = :at WHERE id = :id", at=tx.at, id=view.id)
    await tx.execute(
        "UPDATE auth.sessions SET revoked_at = :at, revoked_reason = 'device_revoked'"
        " WHERE device_id = :id AND revoked_at IS NULL",
        at=tx.at, id=view.id,
    )  # fmt: skip
    outbox.audit(tx, actor, "device.revoked", "device", view.id)
    return structs.replace(view, revoked_at=tx.at)


def _everywhere(actor: Actor, permission: str) -> None:
    if not actor.may(permission, "*"):
        raise NotYourLocation(location="*")


def _prefixed(prefix: str, key: str | None) -> str:
    if key is None:
        return tokens.new_secret(prefix)
    if not key.startswith(f"{prefix}_"):
        raise ValueError(f"a key of this kind starts with {prefix}_")
    return key


# --- staff ---

CREATE_STAFF = """
WITH principal AS (INSERT INTO auth.principals (id, kind, created_at) VALUES (:id, 'staff', :at))
INSERT INTO auth.staff (id, login, name, created_at) VALUES (:id, :login, :name, :at)
ON CONFLICT (login) DO NOTHING RETURNING id
"""


async def create_staff(
    tx: Tx, actor: Actor, *, login: str, name: str, password_hash: str, roles: Sequence[RoleGrant]
) -> StaffView:
    """Let a member of staff in, with roles at locations (or `*`). Takes the argon2 hash. Raises CodeTaken, MayNotGrant."""
    pairs = _pairs(roles)
    _must_hold(actor, pairs)
    member = uuid7()
    if await tx.first(CREATE_STAFF, id=member, login=login, name=name, at=tx.at) is None:
        raise CodeTaken(value=login)
    tx.queue(passwords, principal_id=member, hash=password_hash, changed_at=tx.at)
    for role, location in sorted(pairs):
        tx.queue(staff_roles, staff_id=member, role=role, location=location)
    outbox.audit(tx, actor, "staff.created", "staff", member, after={"roles": sorted(pairs)})
    return StaffView(id=member, login=login, name=name, roles=role_grants(pairs), created_at=tx.at, disabled_at=None)


async def set_roles(tx: Tx, actor: Actor, *, login: str, command: SetRoles) -> StaffView:
    """Replace a member's roles and end his sessions, so that nothing of the old ones is left after 5 s.

    Raises UnknownStaff, MayNotGrant for any role given or taken that the actor does not hold himself.
    """
    member, before = await _lock_staff(tx, login)
    after = _pairs(command.roles)
    _must_hold(actor, before ^ after)
    if before != after:
        await tx.execute("DELETE FROM auth.staff_roles WHERE staff_id = :id", id=member.id)
        for role, location in sorted(after):
            tx.queue(staff_roles, staff_id=member.id, role=role, location=location)
        await end_sessions(tx, actor, principals=[member.id], reason="roles_changed")
        roles = {"roles": sorted(after)}
        outbox.audit(tx, actor, "staff.roles_set", "staff", member.id, before={"roles": sorted(before)}, after=roles)
    return structs.replace(member, roles=role_grants(after))


async def revoke_staff(tx: Tx, actor: Actor, *, login: str) -> StaffView:
    """Shut a member of staff out of everything within 5 s. Raises UnknownStaff, MayNotGrant."""
    member, roles = await _lock_staff(tx, login)
    _must_hold(actor, roles)
    if member.disabled_at is not None:
        return member
    await tx.execute("UPDATE auth.principals SET disabled_at = :at WHERE id = :id", at=tx.at, id=member.id)
    await end_sessions(tx, actor, principals=[member.id], reason="staff_revoked")
    outbox.audit(tx, actor, "staff.revoked", "staff", member.id)
    return structs.replace(member, disabled_at=tx.at)


async def restore_staff(tx: Tx, actor: Actor, *, login: str) -> StaffView:
    """Let a member of staff in again, with the roles he had. Raises UnknownStaff, MayNotGrant."""
    member, roles = await _lock_staff(tx, login)
    _must_hold(actor, roles)
    if member.disabled_at is None:
        return member
    await tx.execute("UPDATE auth.principals SET disabled_at = NULL WHERE id = :id", id=member.id)
    outbox.audit(tx, actor, "staff.restored", "staff", member.id)
    return structs.replace(member, disabled_at=None)


def _pairs(roles: Sequence[RoleGrant]) -> set[tuple[str, str]]:
    return {(granted.role, location) for granted in roles for location in granted.locations}


def role_grants(pairs: Iterable[tuple[str, str]]) -> list[RoleGrant]:
    """(role, location) pairs as a view shows them: by role, locations sorted."""
    by_role: dict[str, list[str]] = {}
    for role, location in sorted(pairs):
        by_role.setdefault(role, []).append(location)
    return convert([{"role": role, "locations": held} for role, held in by_role.items()], list[RoleGrant])


def _must_hold(actor: Actor, pairs: Iterable[tuple[str, str]]) -> None:
    for role, location in sorted(pairs):
        if not all(actor.may(permission, location) for permission in {"staff.write", *ROLES[role]}):
            raise MayNotGrant(role=role, location=location)


async def _lock_staff(tx: Tx, login: str) -> tuple[StaffView, set[tuple[str, str]]]:
    row = await tx.first(
        """
        SELECT s.id, s.login, s.name, s.created_at, p.disabled_at
        FROM auth.staff s JOIN auth.principals p ON p.id = s.id WHERE s.login = :login FOR NO KEY UPDATE OF s, p
        """,
        login=login,
    )  # fmt: skip
    if row is None:
        raise UnknownStaff(login=login)
    pairs = {(r.role, r.location) for r in await tx.rows(ROLES_OF, id=row.id)}
    view = StaffView(
        id=row.id, login=row.login, name=row.name, roles=role_grants(pairs), created_at=row.created_at,
        disabled_at=row.disabled_at,
    )  # fmt: skip
    return view, pairs


# --- the rights of a person ---


async def export_person(tx: Tx, *, ids: Sequence[UUID]) -> dict[str, Any]:
    """Everything kept here about a person, given all his principals (`customers.ids_of`): sessions and, for staff, the name."""
    people = list(ids)
    rows = await tx.rows(
        """
        SELECT id, channel, location, device_name, created_at, refreshed_at, expires_at, revoked_at, revoked_reason
        FROM auth.sessions WHERE principal_id = ANY(CAST(:ids AS uuid[])) ORDER BY created_at, id
        """,
        ids=people,
    )  # fmt: skip
    asked = await tx.rows(
        """
        SELECT kind, contact, purpose, created_at FROM auth.challenges
        WHERE principal_id = ANY(CAST(:ids AS uuid[])) AND contact IS NOT NULL ORDER BY created_at, id
        """,
        ids=people,
    )  # fmt: skip
    members = await tx.rows(
        "SELECT login, name, created_at FROM auth.staff WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY login", ids=people
    )
    return {
        "sessions": [dict(row) for row in rows],
        "codes": [dict(row) for row in asked],
        "staff": [dict(row) for row in members],
    }


ERASE = """
WITH closed AS (
    UPDATE auth.principals SET disabled_at = coalesce(disabled_at, :at) WHERE id = ANY(CAST(:ids AS uuid[])) RETURNING id
), forgotten AS (
    DELETE FROM auth.passwords WHERE principal_id = ANY(CAST(:ids AS uuid[]))
), unasked AS (
    DELETE FROM auth.challenges WHERE principal_id = ANY(CAST(:ids AS uuid[]))
), ended AS (
    UPDATE auth.sessions SET device_name = NULL, revoked_at = coalesce(revoked_at, :at),
        revoked_reason = coalesce(revoked_reason, 'erased')
    WHERE principal_id = ANY(CAST(:ids AS uuid[]))
), renamed AS (
    UPDATE auth.staff SET name = '', login = 'erased-' || id WHERE id = ANY(CAST(:ids AS uuid[]))
)
SELECT count(*) FROM closed
"""


async def erase_person(tx: Tx, actor: Actor, *, ids: Sequence[UUID]) -> None:  # noqa: ARG001
    """Shut a person's principals for good and forget what tells who he was; what he did stays in the books under the id."""
    await tx.execute(ERASE, ids=list(ids), at=tx.at)
