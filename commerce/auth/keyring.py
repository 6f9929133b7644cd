"""What each process remembers, so that authentication costs no statement: live client and device keys, revoked sessions, origins.

Refreshed every 2 s; when the list is older than 5 s, or a key is unknown, the database is asked before anyone is let in.
So a revocation holds everywhere within 2 s, and within 5 s even when the refresh fails (DESIGN 12). A key's end that was known in
advance holds to the second. What was used is noted here and written down every half a minute, in one statement.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import msgspec
import structlog

from commerce.auth import tokens
from commerce.auth.permissions import DEVICES
from commerce.infra.db import Database, Tx
from commerce.kernel.actor import NIL, Actor
from commerce.kernel.errors import Problem

log = structlog.get_logger()

REFRESH_SECONDS = 2.0
STALE_SECONDS = 5.0
ACTING = "customers.act"
ACTING_SECONDS = 15 * 60
"""The longest life of a token with which staff act for a customer: what ends it is remembered so long."""
UNKNOWN_KEY_SECONDS = 0.2
"""Unknown keys cause one reading of the list in this time, however many are tried."""
REMEMBERED_TOKENS = 10_000
SEEN_SECONDS = 30.0
"""Between two notes of what was used."""

PUBLIC = Actor(kind="public", subject=NIL, channel="public")


class Key(msgspec.Struct, frozen=True):
    """A key that works: who calls with it, its row's id, and the end that is set for it, in seconds since the epoch."""

    actor: Actor
    id: UUID
    expires: float


class Keys(msgspec.Struct, frozen=True):
    """One reading of the lists."""

    by_hash: dict[str, Key]
    by_id: dict[UUID, Key]
    revoked: frozenset[UUID]
    disabled: frozenset[UUID]
    origins: dict[UUID, frozenset[str]]
    """The origins of each frontend, the revoked ones too: their shoppers' last tokens live on for minutes."""
    listed: frozenset[str]
    """The origins of all live frontends."""


READ_KEYS = """
SELECT 'client' AS what, k.id, c.id AS owner, k.key_hash, c.channel, NULL AS location, NULL AS device_kind, c.scopes AS data, k.expires_at
FROM auth.client_keys k JOIN auth.clients c ON c.id = k.client_id
WHERE k.revoked_at IS NULL AND c.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > :at)
UNION ALL
SELECT CASE WHEN c.revoked_at IS NULL THEN 'origins' ELSE 'past_origins' END, c.id, NULL, NULL, NULL, NULL, NULL, c.origins, NULL
FROM auth.clients c WHERE c.origins <> '[]' AND (c.revoked_at IS NULL OR c.revoked_at > :since)
UNION ALL
SELECT 'device', d.id, d.id, d.key_hash, d.channel, d.location, d.kind, NULL, NULL FROM auth.devices d WHERE d.revoked_at IS NULL
UNION ALL
SELECT 'revoked', s.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM auth.sessions s WHERE s.revoked_at > :since
UNION ALL
SELECT 'disabled', p.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM auth.principals p WHERE p.disabled_at > :since
UNION ALL
SELECT 'disabled', d.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM auth.devices d WHERE d.revoked_at > :since
UNION ALL
SELECT 'disabled', c.id, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM auth.clients c WHERE c.revoked_at > :since
"""


async def read_keys(tx: Tx, token_seconds: int) -> Keys:
    """Live keys, the clients' origins, and the sessions and principals revoked within the life of an access token: one statement."""
    rows = await tx.rows(READ_KEYS, at=tx.at, since=tx.at - timedelta(seconds=token_seconds + 60))
    by_hash: dict[str, Key] = {}
    origins: dict[UUID, frozenset[str]] = {}
    ids: defaultdict[str, set[UUID]] = defaultdict(set)
    listed: set[str] = set()
    for row in rows:
        if row.what in ("client", "device"):
            expires = float("inf") if row.expires_at is None else row.expires_at.timestamp()
            by_hash[row.key_hash] = Key(_client(row) if row.what == "client" else _device(row), row.id, expires)
        elif row.what in ("origins", "past_origins"):
            origins[row.id] = frozenset(row.data)
            listed |= origins[row.id] if row.what == "origins" else frozenset()
        else:
            ids[row.what].add(row.id)
    by_id = {key.id: key for key in by_hash.values()}
    return Keys(by_hash, by_id, frozenset(ids["revoked"]), frozenset(ids["disabled"]), origins, frozenset(listed))


def _client(row: Any) -> Actor:
    permissions = {permission: tuple(locations) for permission, locations in row.data.items()}
    return Actor(
        kind="client", subject=row.owner, channel=row.channel, client=row.owner, session=row.id, permissions=permissions
    )  # fmt: skip


def _device(row: Any) -> Actor:
    return Actor(
        kind="device", subject=row.id, channel=row.channel, device=row.id, location=row.location,
        permissions=dict.fromkeys(sorted(DEVICES[row.device_kind]), (row.location,)),
    )  # fmt: skip


NOTE_SEEN = """
WITH seen AS MATERIALIZED (SELECT unnest(CAST(:ids AS uuid[])) AS id),
keys AS MATERIALIZED (
    SELECT k.id FROM auth.client_keys k JOIN seen USING (id) ORDER BY k.id FOR NO KEY UPDATE OF k SKIP LOCKED
), devices AS MATERIALIZED (
    SELECT d.id FROM auth.devices d JOIN seen USING (id) ORDER BY d.id FOR NO KEY UPDATE OF d SKIP LOCKED
), sessions AS MATERIALIZED (
    SELECT s.id FROM auth.sessions s JOIN seen USING (id) ORDER BY s.id FOR NO KEY UPDATE OF s SKIP LOCKED
), noted_keys AS (
    UPDATE auth.client_keys k SET last_used_at = greatest(k.last_used_at, :at) FROM keys WHERE keys.id = k.id
), noted_devices AS (
    UPDATE auth.devices d SET last_seen_at = greatest(d.last_seen_at, :at) FROM devices WHERE devices.id = d.id
)
UPDATE auth.sessions s SET last_seen_at = greatest(s.last_seen_at, :at) FROM sessions WHERE sessions.id = s.id
"""


async def note_seen(tx: Tx, ids: list[UUID]) -> None:
    """Write down that these keys, devices and sessions are in use: one statement, which waits for nobody.

    A row that somebody else is changing is passed over: it is being used right now, and is noted with the next use.
    """
    await tx.execute(NOTE_SEEN, ids=ids, at=tx.at)


class KeyRing:
    """Turns the bearer credential of a request into an Actor."""

    def __init__(self, db: Database, *, secret_key: str, token_seconds: int) -> None:
        self._db = db
        self._secret_key = secret_key
        self._token_seconds = max(token_seconds, ACTING_SECONDS)
        self._keys = Keys({}, {}, frozenset(), frozenset(), {}, frozenset())
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._actors: dict[str, tuple[Actor, int]] = {}
        self._seen: set[UUID | None] = set()

    async def refresh(self) -> None:
        """Read the lists again; twins share one reading."""
        asked_at = monotonic()
        async with self._reading:
            if self._read_at >= asked_at:
                return
            started = monotonic()
            self._keys = await self._db.read(read_keys, self._token_seconds)
            self._read_at = started

    async def keep_fresh(self) -> None:
        """Refresh until cancelled; a failure is logged and tried again."""
        while True:
            try:
                await self.refresh()
            except Problem as problem:
                log.warning("keyring.not_refreshed", problem=problem.code)
            except Exception as error:
                log.error("keyring.not_refreshed", error=repr(error))
            await asyncio.sleep(REFRESH_SECONDS)

    async def keep_seen(self) -> None:
        """Write down what was used, every half a minute until cancelled, and then once more."""
        try:
            while True:
                await asyncio.sleep(SEEN_SECONDS)
                await self.flush_seen()
        finally:
            await self.flush_seen()

    async def flush_seen(self) -> None:
        """Write down what was used since the last time; kept for the next time when that fails."""
        seen, self._seen = self._seen, set()
        seen.discard(None)
        if not seen:
            return
        try:
            await self._db.write(note_seen, [one for one in seen if one is not None])
        except Problem as problem:
            self._seen |= seen
            log.warning("keyring.not_noted", problem=problem.code)
        except Exception as error:
            log.error("keyring.not_noted", error=repr(error))

    async def _new_key(self, key: str) -> Key | None:
        await self._look_again()
        return self._keys.by_hash.get(key)

    async def _look_again(self) -> None:
        """What nobody has heard of may have been made a moment ago elsewhere; guessing must not ask for each guess."""
        asked_at = monotonic()
        await asyncio.sleep(max(0.0, self._read_at + UNKNOWN_KEY_SECONDS - asked_at))
        if self._read_at < asked_at:
            await self.refresh()

    async def actor(self, credential: str | None) -> Actor | None:
        """The caller of a bearer credential; PUBLIC without one, None for a credential that proves nothing."""
        if credential is None:
            return PUBLIC
        if monotonic() - self._read_at > STALE_SECONDS:
            await self.refresh()
        if credential.startswith(("pk_", "dk_", "sk_")):
            key = tokens.fingerprint(credential)
            found = self._keys.by_hash.get(key) or await self._new_key(key)
            if found is None or found.expires <= self._db.clock().timestamp():
                return None
            self._seen.add(found.id)
            return found.actor
        at = self._db.clock()
        remembered = self._actors.get(credential)
        if remembered is None or remembered[1] <= at.timestamp():
            remembered = tokens.read(credential, secret_key=self._secret_key, at=at)
            if remembered is None:
                return None
            if len(self._actors) >= REMEMBERED_TOKENS:
                self._actors.clear()
            self._actors[credential] = remembered
        actor = remembered[0]
        if actor.kind == "client":
            if actor.session not in self._keys.by_id:
                await self._look_again()
            actor = self._as_now(actor)
        if not self.stands(actor):
            return None
        self._seen.add(actor.session)
        return actor

    def stands(self, actor: Actor) -> bool:
        """Whether nothing has been revoked of what an actor came with, as far as was read: for what goes on after the request."""
        if actor.kind == "client" and not self._stands_by_key(actor):
            return False
        return actor.session not in self._keys.revoked and self._keys.disabled.isdisjoint(
            (actor.subject, actor.device, actor.on_behalf_of)
        )

    def _as_now(self, actor: Actor) -> Actor:
        """A server that acts for a customer, with the scopes that it has now: its token says those of when it was made."""
        key = self._keys.by_id.get(actor.session) if actor.session is not None else None
        return msgspec.structs.replace(actor, permissions=key.actor.permissions if key is not None else {})

    def _stands_by_key(self, actor: Actor) -> bool:
        """Whether the key that a server's token was made with works, and may still act for customers."""
        key = self._keys.by_id.get(actor.session) if actor.session is not None else None
        if key is None or key.expires <= self._db.clock().timestamp():
            return False
        return actor.on_behalf_of is None or ACTING in key.actor.permissions

    def listed(self, origin: str) -> bool:
        """Whether any live frontend lists an origin."""
        return origin in self._keys.listed

    async def knows(self, origin: str) -> bool:
        """The same for one that is asked about before the request itself: the list is read again when it is not there."""
        if origin not in self._keys.listed:
            await self._look_again()
        return origin in self._keys.listed

    def allows(self, actor: Actor, origin: str) -> bool:
        """Whether a page of this origin may call with these credentials: its client lists it. A device has no client; there it is
        enough that some frontend does."""
        if actor.client is None:
            return origin in self._keys.listed
        return origin in self._keys.origins.get(actor.client, ())
