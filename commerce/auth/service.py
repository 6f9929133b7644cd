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
    NotAtThisStore,
    NotYourLocation,
    RefreshTokenInvalid,
    RefreshTokenReused,
    TooManyAttempts,
    UnknownChannel,
    UnknownDevice,
    UnknownSession,
    UnknownStaff,
    UsePinOrBadge,
    WrongPassword,
)
from commerce.auth.passwords import Verified
from commerce.auth.permissions import grants
from commerce.auth.roles import ROLES_OF, must_hold
from commerce.auth.schemas import (
    ChannelView,
    CreateChannel,
    DeviceKind,
    DeviceView,
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
KIOSK_SESSION = timedelta(hours=2)
"""However long a shopper stands at a till or kiosk."""
KIOSK_IDLE_SECONDS, STAFF_IDLE_SECONDS = 120, 300
"""Without a refresh, at a till or kiosk that the next one will use: what `Settings` say when nobody changes them."""


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
    held: Iterable[tuple[Iterable[str], str]] = (),
    device_name: str | None = None,
    idle_seconds: int | None = None,
    proof: str | None = None,
) -> Started:
    """A session of a shopper or a member of staff through the client or device that asks: it inherits channel, device, location.

    On a device it ends after `idle_seconds` without a refresh, and ends that of whoever of his kind was there before him.
    A shopper who signs up or in stays with the client of the session he comes from.
    """
    client = actor.client
    if client is None and actor.kind == "shopper" and actor.session is not None:
        client = await tx.scalar("SELECT client_id FROM auth.sessions WHERE id = :id", id=actor.session)
    session = uuid7()
    who = Actor(
        kind="staff" if kind == "staff" else "shopper",
        subject=principal,
        channel=actor.channel,
        known=known,
        session=session,
        client=client,
        device=actor.device,
        location=actor.location,
        permissions=grants(held),
        request_id=actor.request_id,
    )
    ends_at, expires_at = None, tx.at + (STAFF_SESSION if kind == "staff" else SHOPPER_SESSION)
    if actor.device is not None:
        await _make_room(tx, actor.device, kind)
        idle_seconds = idle_seconds or (STAFF_IDLE_SECONDS if kind == "staff" else KIOSK_IDLE_SECONDS)
        ends_at = tx.at + (STAFF_SESSION if kind == "staff" else KIOSK_SESSION)
        expires_at = min(ends_at, tx.at + timedelta(seconds=idle_seconds))
    tx.queue(
        sessions,
        id=session,
        principal_id=principal,
        client_id=client,
        device_id=actor.device,
        channel=actor.channel,
        location=actor.location,
        known=known,
        idle_seconds=idle_seconds if actor.device is not None else None,
        ends_at=ends_at,
        device_name=device_name,
        refresh_no=1,
        proof=proof,
        created_at=tx.at,
        refreshed_at=tx.at,
        expires_at=expires_at,
    )
    return Started(actor=who, session=session, number=1, at=tx.at, expires_at=expires_at)


END_ON_DEVICE = """
UPDATE auth.sessions s SET revoked_at = :at, revoked_reason = 'replaced'
FROM auth.principals p
WHERE s.device_id = :device AND s.revoked_at IS NULL AND p.id = s.principal_id AND p.kind = :kind
"""


async def _make_room(tx: Tx, device: UUID, kind: str) -> None:
    """One person of a kind at a device: under its lock, so that of two who come at once the second ends the first."""
    await tx.execute("SELECT 1 FROM auth.devices WHERE id = :device FOR NO KEY UPDATE", device=device)
    await tx.execute(END_ON_DEVICE, device=device, kind=kind, at=tx.at)


async def sign_in_anonymously(
    tx: Tx, actor: Actor, *, device_name: str | None, idle_seconds: int | None = None
) -> Started:
    """A new shopper of whom nothing is known, with a session."""
    principal = uuid7()
    tx.queue(principals, id=principal, kind="shopper", created_at=tx.at)
    return await start_session(
        tx, actor, principal=principal, kind="shopper", known=False, device_name=device_name, idle_seconds=idle_seconds,
        proof="anonymous",
    )  # fmt: skip


HAS_PIN_OR_BADGE = """
SELECT EXISTS (SELECT 1 FROM auth.pins WHERE staff_id = :id)
    OR EXISTS (SELECT 1 FROM auth.badges WHERE staff_id = :id AND revoked_at IS NULL)
"""


async def sign_in_staff(
    tx: Tx,
    actor: Actor,
    *,
    proof: Proof,
    verified: Verified,
    device_name: str | None = None,
    idle_seconds: int | None = None,
) -> Started:
    """A session of a member of staff. Raises WrongPassword (kept), TooManyAttempts; on a device NotAtThisStore when it stands in
    another store, UsePinOrBadge once he has one.

    The staff row is locked first, so that roles taken away at this moment are not given once more.
    """
    await lock_member(tx, proof.owner)
    principal = await settle(tx, actor, proof=proof, verified=verified)
    if actor.device is not None and await tx.scalar(HAS_PIN_OR_BADGE, id=principal):
        raise UsePinOrBadge
    return await start_staff_session(tx, actor, member=principal, device_name=device_name, idle_seconds=idle_seconds)


async def lock_member(tx: Tx, member: UUID | None) -> None:
    """Let nobody change this member's roles before the end of the transaction."""
    await tx.execute("SELECT 1 FROM auth.staff WHERE id = CAST(:id AS uuid) FOR SHARE", id=member)


async def start_staff_session(
    tx: Tx,
    actor: Actor,
    *,
    member: UUID,
    proof: str = "password",
    device_name: str | None = None,
    idle_seconds: int | None = None,
) -> Started:
    """A session of a member who has proved who he is, and whose row is locked. Raises NotAtThisStore."""
    roles = await tx.rows(ROLES_OF, id=member)
    if actor.location is not None and not any(row.location in ("*", actor.location) for row in roles):
        raise NotAtThisStore(location=actor.location)
    started = await start_session(
        tx, actor, principal=member, kind="staff", known=True, device_name=device_name, idle_seconds=idle_seconds,
        held=[(row.permissions, row.location) for row in roles], proof=proof,
    )  # fmt: skip
    outbox.audit(tx, started.actor, "staff.signed_in", "session", started.session)
    return started


REFRESH = """
UPDATE auth.sessions s SET
    refresh_no = s.refresh_no + 1,
    refreshed_at = :at,
    expires_at = CASE
        WHEN s.idle_seconds IS NOT NULL THEN least(s.ends_at, CAST(:at AS timestamptz) + s.idle_seconds * interval '1 second')
        WHEN p.kind = 'staff' THEN s.expires_at
        ELSE :own_until END
FROM auth.principals p
WHERE p.id = s.principal_id AND s.id = :session AND s.refresh_no = :number AND s.revoked_at IS NULL AND s.expires_at > :at
  AND p.disabled_at IS NULL AND s.device_id IS NOT DISTINCT FROM CAST(:device AS uuid)
  AND (s.client_id IS NULL OR s.client_id = CAST(:client AS uuid))
RETURNING s.principal_id, p.kind, s.known, s.channel, s.client_id, s.device_id, s.location, s.refresh_no, s.expires_at,
    (SELECT jsonb_agg(jsonb_build_array(d.permissions, r.location))
     FROM auth.staff_roles r JOIN auth.roles d ON d.code = r.role WHERE r.staff_id = p.id) AS held
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
        device=actor.device,
        client=actor.client,
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
        client=row.client_id,
        device=row.device_id,
        location=row.location,
        permissions=grants(row.held or ()),
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
    SELECT 1 FROM auth.sessions
    WHERE id = CAST(:session AS uuid) AND proof = ANY(CAST(:proofs AS text[])) AND created_at > :since AND revoked_at IS NULL
)
"""


async def proved_lately(tx: Tx, actor: Actor, *, by: Sequence[str] = ("code",)) -> bool:
    """Whether the caller's session began less than ten minutes ago by a one-time code, or by what else will do."""
    return bool(await tx.scalar(FRESH, session=actor.session, proofs=list(by), since=tx.at - FRESH_PROOF))


async def change_own_password(tx: Tx, actor: Actor, *, proof: Proof, verified: Verified, password_hash: str) -> None:
    """A member's own password from now on, given the one of now; his other sessions end. Takes the argon2 hash.

    Raises WrongPassword (kept), TooManyAttempts.
    """
    await tx.execute("SELECT 1 FROM auth.staff WHERE id = :id FOR NO KEY UPDATE", id=actor.subject)
    member = await settle(tx, actor, proof=proof, verified=verified)
    await set_password(tx, actor, principal=member, password_hash=password_hash)
    await end_sessions(tx, actor, principals=[member], reason="password_changed", keep=actor.session)
    outbox.audit(tx, actor, "staff.password_changed", "staff", member)


# --- channels, devices ---


async def create_channel(tx: Tx, actor: Actor, *, command: CreateChannel) -> ChannelView:
    """Open a channel. Raises CodeTaken."""
    made = insert(channels).on_conflict_do_nothing().returning(channels.c.code)
    if await tx.first(made, code=command.code, name=command.name, created_at=tx.at) is None:
        raise CodeTaken(value=command.code)
    outbox.audit(tx, actor, "channel.created", "channel", command.code)
    return ChannelView(code=command.code, name=dict(command.name), created_at=tx.at)


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
    key = _prefixed("dk", key)
    made = await add_device(
        tx, actor, action="device.created", code=code, kind=kind, location=location, name=name, channel=channel, key=key
    )
    return NewDevice(**structs.asdict(made), key=key)


async def add_device(
    tx: Tx,
    actor: Actor,
    *,
    action: str,
    code: str,
    kind: str,
    location: str,
    name: str,
    key: str,
    channel: str | None = None,
) -> DeviceView:
    """A device with this key, whoever decides that it may come in. Raises CodeReserved, CodeTaken, UnknownChannel."""
    if code.startswith(COUNTER):
        raise CodeReserved(prefix=COUNTER)
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
    outbox.audit(tx, actor, action, "device", device, after=after)
    return DeviceView(
        id=device, code=code, kind=kind, channel=channel, location=location, name=name, created_at=tx.at, revoked_at=None,
    )  # fmt: skip


async def _lock_device(tx: Tx, actor: Actor, code: str) -> DeviceView:
    """A device of the actor's, until the end of the transaction. Raises UnknownDevice, NotYourLocation."""
    row = await tx.first(
        """
        SELECT id, code, kind, channel, location, name, created_at, revoked_at, last_seen_at FROM auth.devices
        WHERE code = :code FOR NO KEY UPDATE
        """,
        code=code,
    )  # fmt: skip
    if row is None:
        raise UnknownDevice(device=code)
    if not (actor.may("devices.write", row.location) or actor.may("devices.pair", row.location)):
        raise NotYourLocation(location=row.location)
    return convert(row, DeviceView, from_attributes=True)


async def rename_device(tx: Tx, actor: Actor, *, code: str, name: str) -> DeviceView:
    """Call a device otherwise. Raises UnknownDevice, NotYourLocation."""
    view = await _lock_device(tx, actor, code)
    if view.name == name:
        return view
    await tx.execute("UPDATE auth.devices SET name = :name WHERE id = :id", name=name, id=view.id)
    outbox.audit(tx, actor, "device.renamed", "device", view.id)
    return structs.replace(view, name=name)


async def revoke_device(tx: Tx, actor: Actor, *, code: str) -> DeviceView:
    """Let a device's key open nothing any more, and end every session on it. Raises UnknownDevice, NotYourLocation."""
    view = await _lock_device(tx, actor, code)
    if view.revoked_at is not None:
        return view
    await tx.execute("UPDATE auth.devices SET revoked_at = :at WHERE id = :id", at=tx.at, id=view.id)
    await tx.execute(
        "UPDATE auth.sessions SET revoked_at = :at, revoked_reason = 'device_revoked'"
        " WHERE device_id = :id AND revoked_at IS NULL",
        at=tx.at, id=view.id,
    )  # fmt: skip
    outbox.audit(tx, actor, "device.revoked", "device", view.id, before={"revoked": False}, after={"revoked": True})
    return structs.replace(view, revoked_at=tx.at)


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
    """Let a member of staff in, with roles at locations (or `*`). Takes the argon2 hash.

    Raises CodeTaken, UnknownRoles, MayNotGrant.
    """
    pairs = role_pairs(roles)
    await must_hold(tx, actor, pairs, also="staff.write")
    return await add_member(tx, actor, login=login, name=name, password_hash=password_hash, pairs=pairs)


async def add_member(
    tx: Tx, actor: Actor, *, login: str, name: str, password_hash: str, pairs: set[tuple[str, str]]
) -> StaffView:
    """A member of staff with these (role, location) pairs, whoever decides that he may. Raises CodeTaken."""
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

    Raises UnknownStaff, UnknownRoles, MayNotGrant for any role given or taken that the actor does not hold himself.
    """
    member, before = await lock_staff(tx, login)
    after = role_pairs(command.roles)
    await must_hold(tx, actor, before ^ after, also="staff.write")
    if before != after:
        await tx.execute("DELETE FROM auth.staff_roles WHERE staff_id = :id", id=member.id)
        for role, location in sorted(after):
            tx.queue(staff_roles, staff_id=member.id, role=role, location=location)
        await end_sessions(tx, actor, principals=[member.id], reason="roles_changed")
        roles = {"roles": sorted(after)}
        outbox.audit(tx, actor, "staff.roles_set", "staff", member.id, before={"roles": sorted(before)}, after=roles)
    return structs.replace(member, roles=role_grants(after))


TAKE_BACK_INVITATIONS = """
UPDATE auth.invitations SET state = 'revoked', decided_at = :at, name = '' WHERE login = :login AND state = 'pending'
"""


async def revoke_staff(tx: Tx, actor: Actor, *, login: str) -> StaffView:
    """Shut a member of staff out of everything within 5 s. Raises UnknownStaff, MayNotGrant."""
    member, roles = await lock_staff(tx, login)
    await must_hold(tx, actor, roles, also="staff.write")
    if member.disabled_at is not None:
        return member
    await tx.execute("UPDATE auth.principals SET disabled_at = :at WHERE id = :id", at=tx.at, id=member.id)
    await end_sessions(tx, actor, principals=[member.id], reason="staff_revoked")
    await tx.execute(TAKE_BACK_INVITATIONS, at=tx.at, login=login)
    outbox.audit(tx, actor, "staff.revoked", "staff", member.id, before={"revoked": False}, after={"revoked": True})
    return structs.replace(member, disabled_at=tx.at)


async def restore_staff(tx: Tx, actor: Actor, *, login: str) -> StaffView:
    """Let a member of staff in again, with the roles he had. Raises UnknownStaff, MayNotGrant."""
    member, roles = await lock_staff(tx, login)
    await must_hold(tx, actor, roles, also="staff.write")
    if member.disabled_at is None:
        return member
    await tx.execute("UPDATE auth.principals SET disabled_at = NULL WHERE id = :id", id=member.id)
    outbox.audit(tx, actor, "staff.restored", "staff", member.id, before={"revoked": True}, after={"revoked": False})
    return structs.replace(member, disabled_at=None)


def role_pairs(roles: Sequence[RoleGrant]) -> set[tuple[str, str]]:
    """(role, location) pairs of what is granted."""
    return {(granted.role, location) for granted in roles for location in granted.locations}


def role_grants(pairs: Iterable[tuple[str, str]]) -> list[RoleGrant]:
    """(role, location) pairs as a view shows them: by role, locations sorted."""
    by_role: dict[str, list[str]] = {}
    for role, location in sorted(pairs):
        by_role.setdefault(role, []).append(location)
    return convert([{"role": role, "locations": held} for role, held in by_role.items()], list[RoleGrant])


async def lock_staff(tx: Tx, login: str) -> tuple[StaffView, set[tuple[str, str]]]:
    """A member of staff and his (role, location) pairs, until the end of the transaction. Raises UnknownStaff."""
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
        SELECT id, channel, location, device_name, created_at, refreshed_at, last_seen_at, expires_at, revoked_at, revoked_reason
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
    invited = await tx.rows(
        "SELECT login, name, created_at, decided_at FROM auth.invitations WHERE staff_id = ANY(CAST(:ids AS uuid[])) ORDER BY id",
        ids=people,
    )  # fmt: skip
    return {
        "sessions": [dict(row) for row in rows],
        "codes": [dict(row) for row in asked],
        "staff": [dict(row) for row in members],
        "invitations": [dict(row) for row in invited],
    }


LOCK_PRINCIPALS = "SELECT id FROM auth.principals WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE"
ERASE = """
WITH closed AS (
    UPDATE auth.principals SET disabled_at = coalesce(disabled_at, :at) WHERE id = ANY(CAST(:ids AS uuid[])) RETURNING id
), forgotten AS (
    DELETE FROM auth.passwords WHERE principal_id = ANY(CAST(:ids AS uuid[]))
), pinless AS (
    DELETE FROM auth.pins WHERE staff_id = ANY(CAST(:ids AS uuid[]))
), passless AS (
    DELETE FROM auth.passes WHERE principal_id = ANY(CAST(:ids AS uuid[]))
), badgeless AS (
    UPDATE auth.badges SET revoked_at = coalesce(revoked_at, :at) WHERE staff_id = ANY(CAST(:ids AS uuid[]))
), uninvited AS (
    UPDATE auth.invitations SET name = '', login = 'erased-' || id WHERE staff_id = ANY(CAST(:ids AS uuid[]))
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
    """Shut a person's principals for good and forget what tells who he was; what he did stays in the books under the id.

    They are locked by a statement of their own, so that the next one sees the session of who has just come in.
    """
    await tx.rows(LOCK_PRINCIPALS, ids=list(ids))
    await tx.execute(ERASE, ids=list(ids), at=tx.at)


PROVED = """
SELECT created_at FROM auth.sessions
WHERE id = CAST(:session AS uuid) AND proof = ANY(CAST(:proofs AS text[])) AND revoked_at IS NULL
"""
SEEN_SINCE = """
SELECT EXISTS (
    SELECT 1 FROM auth.sessions
    WHERE principal_id = ANY(CAST(:principals AS uuid[])) AND greatest(refreshed_at, last_seen_at) >= :since
)
"""
FORGET_SESSIONS = """
DELETE FROM auth.sessions WHERE id IN (
    SELECT id FROM auth.sessions WHERE expires_at < :before OR revoked_at < :before LIMIT :limit FOR UPDATE SKIP LOCKED
)
"""


async def proved_at(tx: Tx, actor: Actor) -> datetime | None:
    """When the caller proved who he is, by a one-time code or his password: the beginning of his session; None when he never did."""
    proved: datetime | None = await tx.scalar(PROVED, session=actor.session, proofs=["code", "password"])
    return proved


async def seen_since(tx: Tx, principals: Sequence[UUID], *, since: datetime) -> bool:
    """Whether any of these principals has used a session since a moment. One statement."""
    return bool(await tx.scalar(SEEN_SINCE, principals=list(principals), since=since))


async def forget_sessions(tx: Tx, *, before: datetime, limit: int) -> int:
    """Forget a chunk of sessions that expired or were ended before a moment; how many."""
    return await tx.execute(FORGET_SESSIONS, before=before, limit=limit)
