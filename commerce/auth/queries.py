"""Reads of `auth`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from msgspec import convert
from sqlalchemy import select

from commerce.auth import tokens
from commerce.auth.clients import HINT, scopes_of
from commerce.auth.errors import TooManyAttempts, UnknownSession
from commerce.auth.schemas import (
    ChannelView,
    ClientKeyView,
    ClientView,
    CurrentSession,
    DeviceView,
    SessionView,
    StaffView,
)
from commerce.auth.service import GUESSES, WINDOW, Proof, role_grants, seconds_of_rest
from commerce.auth.tables import channels
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Page, decode_cursor, page_of

PROOF = """
SELECT a.failures, a.first_at, w.principal_id, w.hash
FROM (SELECT 1) AS one
LEFT JOIN auth.attempts a ON a.identity = :identity AND a.first_at > :since
LEFT JOIN LATERAL (
    SELECT w.principal_id, w.hash
    FROM unnest(CAST(:candidates AS uuid[])) WITH ORDINALITY AS c (id, n)
    JOIN auth.passwords w ON w.principal_id = c.id
    JOIN auth.principals p ON p.id = c.id AND p.disabled_at IS NULL
    ORDER BY c.n LIMIT 1
) w ON true
"""


async def proof_of(tx: Tx, *, identity: str, candidates: Sequence[UUID]) -> Proof:
    """What a password will be checked against: the first candidate that has one. No candidates are as good as a wrong one.

    Raises TooManyAttempts, so that a resting identity costs no hashing.
    """
    row = await tx.one(PROOF, identity=identity, since=tx.at - WINDOW, candidates=list(candidates))
    if row.failures is not None and row.failures >= GUESSES:
        raise TooManyAttempts(retry_after_seconds=seconds_of_rest(row.first_at, tx.at))
    return Proof(identity=identity, owner=row.principal_id, hash=row.hash)


async def proof_of_staff(tx: Tx, *, identity: str, login: str) -> Proof:
    """The same for a login of staff."""
    found = await tx.rows("SELECT id FROM auth.staff WHERE login = :login", login=login)
    return await proof_of(tx, identity=identity, candidates=[row.id for row in found])


SESSIONS = """
SELECT id, channel, location, device_name, created_at, refreshed_at, last_seen_at, expires_at,
    id IS NOT DISTINCT FROM CAST(:current AS uuid) AS current
FROM auth.sessions WHERE principal_id = ANY(CAST(:principals AS uuid[])) AND revoked_at IS NULL AND expires_at > :at
ORDER BY refreshed_at DESC, id LIMIT 100
"""


async def sessions_of(tx: Tx, actor: Actor, *, principals: Sequence[UUID]) -> Page[SessionView]:
    """The live sessions of these principals, who are the caller, the last used first, at most a hundred."""
    rows = await tx.rows(SESSIONS, principals=list(principals), current=actor.session, at=tx.at)
    return Page(items=[convert(row, SessionView, from_attributes=True) for row in rows])


CURRENT = """
SELECT s.id, s.channel, s.location, s.device_name, s.created_at, s.refreshed_at, s.last_seen_at, s.expires_at, true AS current,
    s.idle_seconds, s.ends_at, d.code AS device
FROM auth.sessions s LEFT JOIN auth.devices d ON d.id = s.device_id
WHERE s.id = CAST(:session AS uuid) AND s.revoked_at IS NULL AND s.expires_at > :at
"""


async def current_session(tx: Tx, actor: Actor) -> CurrentSession:
    """The session that asks. Raises UnknownSession."""
    row = await tx.first(CURRENT, session=actor.session, at=tx.at)
    if row is None:
        raise UnknownSession
    return convert(row, CurrentSession, from_attributes=True)


async def all_channels(tx: Tx) -> list[ChannelView]:
    """Every channel by code."""
    rows = await tx.rows(select(channels).order_by(channels.c.code))
    return [ChannelView(code=row.code, name=row.name, created_at=row.created_at) for row in rows]


CLIENTS = """
SELECT c.id, c.code, c.channel, c.name, c.kind, c.scopes, c.origins, c.created_at, c.revoked_at, k.keys
FROM auth.clients c
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(k ORDER BY k.created_at DESC, k.id DESC), '[]') AS keys
    FROM (SELECT id, kind, left(key_hash, :hint) AS hint, created_at, created_by, expires_at, revoked_at, last_used_at
          FROM auth.client_keys WHERE client_id = c.id ORDER BY created_at DESC, id DESC LIMIT 50) k
) k
WHERE c.code > :after ORDER BY c.code LIMIT :limit
"""


async def clients_page(tx: Tx, *, limit: int, cursor: str | None) -> Page[ClientView]:
    """API clients by code with their keys, the revoked ones too."""
    rows = await tx.rows(CLIENTS, after=_after(cursor), limit=limit + 1, hint=HINT)
    return page_of(rows, limit, _client_view, _code)


def _client_view(row: Any) -> ClientView:
    return ClientView(
        id=row.id, code=row.code, channel=row.channel, name=row.name, kind=row.kind, scopes=scopes_of(row.scopes),
        origins=row.origins, created_at=row.created_at, revoked_at=row.revoked_at,
        keys=convert(row["keys"], list[ClientKeyView]),
    )  # fmt: skip


DEVICES = """
SELECT id, code, kind, channel, location, name, created_at, revoked_at, last_seen_at FROM auth.devices
WHERE code > :after AND (CAST(:everywhere AS boolean) OR location = ANY(CAST(:locations AS text[])))
  AND (CAST(:location AS text) IS NULL OR location = :location)
ORDER BY code LIMIT :limit
"""


async def devices_page(
    tx: Tx, actor: Actor, *, limit: int, cursor: str | None, location: str | None = None
) -> Page[DeviceView]:
    """Devices by code, those at the locations the caller looks after."""
    held = {*actor.permissions.get("devices.write", ()), *actor.permissions.get("devices.pair", ())}
    rows = await tx.rows(
        DEVICES, after=_after(cursor), limit=limit + 1, everywhere="*" in held, locations=list(held), location=location
    )
    return page_of(rows, limit, lambda row: convert(row, DeviceView, from_attributes=True), _code)


STAFF = """
SELECT s.id, s.login AS code, s.name, s.created_at, p.disabled_at, r.roles, r.locations
FROM auth.staff s JOIN auth.principals p ON p.id = s.id
LEFT JOIN LATERAL (
    SELECT array_agg(role ORDER BY role, location) AS roles, array_agg(location ORDER BY role, location) AS locations
    FROM auth.staff_roles WHERE staff_id = s.id
) r ON true
WHERE s.login > :after AND (CAST(:everywhere AS boolean) OR r.locations && CAST(:locations AS text[]))
  AND (CAST(:location AS text) IS NULL OR CAST(:location AS text) = ANY(r.locations))
ORDER BY s.login LIMIT :limit
"""


WORKING = """
SELECT s.id FROM auth.staff s JOIN auth.principals p ON p.id = s.id WHERE s.login = :login AND p.disabled_at IS NULL
"""
LOGINS = "SELECT id, login FROM auth.staff WHERE id = ANY(CAST(:ids AS uuid[]))"


async def staff_of_login(tx: Tx, login: str) -> UUID | None:
    """The member of staff who signs in by this name; None for nobody, or for one who may not come in any more. One statement."""
    found: UUID | None = await tx.scalar(WORKING, login=login.strip().lower())
    return found


async def logins(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Staff by id: the names by which they sign in; who is no staff is absent. One statement."""
    return {row.id: row.login for row in await tx.rows(LOGINS, ids=list(ids))}


async def staff_page(
    tx: Tx, actor: Actor, *, limit: int, cursor: str | None, location: str | None = None
) -> Page[StaffView]:
    """Staff by login, those with a role at the locations the caller looks after."""
    held = actor.permissions.get("staff.write", ())
    rows = await tx.rows(
        STAFF, after=_after(cursor), limit=limit + 1, everywhere="*" in held, locations=list(held), location=location
    )
    return page_of(rows, limit, _staff_view, _code)


def _staff_view(row: Any) -> StaffView:
    return StaffView(
        id=row.id, login=row.code, name=row.name, roles=role_grants(zip(row.roles or (), row.locations or (), strict=True)),
        created_at=row.created_at, disabled_at=row.disabled_at,
    )  # fmt: skip


def _code(row: Any) -> tuple[str]:
    return (row.code,)


def _after(cursor: str | None) -> str:
    after = decode_cursor(cursor, str)[0] if cursor else ""
    if "\x00" in after:
        raise BadCursor
    return str(after)


DEVICE_CODES: dict[UUID, str] = {}
"""A device keeps its code for ever, so what was read once needs no statement again."""


async def device_code(tx: Tx, device: UUID) -> str | None:
    """The code of a device: the register that its receipts are numbered in. One statement, the first time in a process."""
    code = DEVICE_CODES.get(device)
    if code is None:
        code = await tx.scalar("SELECT code FROM auth.devices WHERE id = :device", device=device)
        if code is not None:
            DEVICE_CODES[device] = code
    return code


async def staff_names(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The names of members of staff as others at work, and the customers they help, see them. One statement."""
    rows = await tx.rows("SELECT id, name FROM auth.staff WHERE id = ANY(CAST(:ids AS uuid[]))", ids=list(ids))
    return {row.id: row.name for row in rows}


async def kiosks_among(tx: Tx, devices: Sequence[UUID]) -> set[UUID]:
    """Which of the devices are kiosks: screens that anybody may step up to. One statement."""
    rows = await tx.rows(
        "SELECT id FROM auth.devices WHERE id = ANY(CAST(:ids AS uuid[])) AND kind = 'kiosk'", ids=list(devices)
    )
    return {row.id for row in rows}


LIVE = """
SELECT 1 FROM auth.principals p
WHERE p.id = :principal AND p.disabled_at IS NULL AND NOT EXISTS (
    SELECT FROM auth.sessions s WHERE s.id = CAST(:session AS uuid) AND s.revoked_at IS NOT NULL)
"""


async def shopper_of_token(tx: Tx, *, token: str, secret_key: str) -> UUID | None:
    """The known shopper of an access token that is good now, as he has shown it to somebody; None for any other text. One statement."""
    found = tokens.read(token, secret_key=secret_key, at=tx.at)
    if found is None or found[0].kind != "shopper" or not found[0].known:
        return None
    shopper = found[0]
    live = await tx.first(LIVE, principal=shopper.subject, session=shopper.session)
    return shopper.subject if live is not None else None


STILL_HIS = """
SELECT 1 FROM auth.principals p
WHERE p.id = :principal AND p.disabled_at IS NULL AND NOT EXISTS (
    SELECT FROM auth.sessions s WHERE s.id = CAST(:session AS uuid) AND s.revoked_at IS NOT NULL AND NOT (
        s.revoked_reason = 'replaced' AND EXISTS (
            SELECT FROM auth.sessions o
            WHERE o.id = CAST(:own AS uuid) AND o.known AND o.device_id = s.device_id AND o.created_at = s.revoked_at)))
"""
"""At a device signing in ends the session before: what the one who signs in was himself a moment ago is his to bring along."""


async def anonymous_of_token(tx: Tx, actor: Actor, *, token: str, secret_key: str, own: Sequence[UUID]) -> UUID | None:
    """The shopper of an access token from before he signed in, good now or ended by this very sign-in; one of the caller's own ids by
    any of his. None for any other text. One statement at most."""
    found = tokens.read(token, secret_key=secret_key, at=tx.at)
    if found is None or found[0].kind != "shopper" or found[0].known:
        return None
    shopper = found[0]
    if shopper.subject in own:
        return shopper.subject
    live = await tx.first(STILL_HIS, principal=shopper.subject, session=shopper.session, own=actor.session)
    return shopper.subject if live is not None else None
