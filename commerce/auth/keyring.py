"""What each process remembers, so that authentication costs no statement: live client and device keys, revoked sessions.

Refreshed every 2 s; when the list is older than 5 s, or a key is unknown, the database is asked before anyone is let in.
So a revocation holds everywhere within 2 s, and within 5 s even when the refresh fails (DESIGN 12).
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import monotonic
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
UNKNOWN_KEY_SECONDS = 0.2
"""Unknown keys cause one reading of the list in this time, however many are tried."""
REMEMBERED_TOKENS = 10_000

PUBLIC = Actor(kind="public", subject=NIL, channel="public")


class Keys(msgspec.Struct, frozen=True):
    """One reading of the lists."""

    by_hash: dict[str, Actor]
    revoked: frozenset[UUID]
    disabled: frozenset[UUID]


async def read_keys(tx: Tx, token_seconds: int) -> Keys:
    """Live keys, and the sessions and principals revoked within the life of an access token: one statement."""
    rows = await tx.rows(
        """
        SELECT 'client' AS what, c.id, c.key_hash, c.channel, NULL AS location, NULL AS device_kind
        FROM auth.clients c WHERE c.revoked_at IS NULL
        UNION ALL
        SELECT 'device', d.id, d.key_hash, d.channel, d.location, d.kind FROM auth.devices d WHERE d.revoked_at IS NULL
        UNION ALL
        SELECT 'revoked', s.id, NULL, NULL, NULL, NULL FROM auth.sessions s WHERE s.revoked_at > :since
        UNION ALL
        SELECT 'disabled', p.id, NULL, NULL, NULL, NULL FROM auth.principals p WHERE p.disabled_at > :since
        UNION ALL
        SELECT 'disabled', d.id, NULL, NULL, NULL, NULL FROM auth.devices d WHERE d.revoked_at > :since
        """,
        since=tx.at - timedelta(seconds=token_seconds + 60),
    )
    by_hash: dict[str, Actor] = {}
    revoked, disabled = set(), set()
    for row in rows:
        if row.what == "client":
            by_hash[row.key_hash] = Actor(kind="client", subject=row.id, channel=row.channel, client=row.id)
        elif row.what == "device":
            by_hash[row.key_hash] = Actor(
                kind="device",
                subject=row.id,
                channel=row.channel,
                device=row.id,
                location=row.location,
                permissions=dict.fromkeys(sorted(DEVICES[row.device_kind]), (row.location,)),
            )
        elif row.what == "revoked":
            revoked.add(row.id)
        else:
            disabled.add(row.id)
    return Keys(by_hash, frozenset(revoked), frozenset(disabled))


class KeyRing:
    """Turns the bearer credential of a request into an Actor."""

    def __init__(self, db: Database, *, secret_key: str, token_seconds: int) -> None:
        self._db = db
        self._secret_key = secret_key
        self._token_seconds = token_seconds
        self._keys = Keys({}, frozenset(), frozenset())
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._actors: dict[str, tuple[Actor, int]] = {}

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
            await asyncio.sleep(REFRESH_SECONDS)

    async def _new_key(self, key: str) -> Actor | None:
        """A key that nobody has heard of may have been made a moment ago elsewhere; guessing keys must not ask for each guess."""
        asked_at = monotonic()
        await asyncio.sleep(max(0.0, self._read_at + UNKNOWN_KEY_SECONDS - asked_at))
        if self._read_at < asked_at:
            await self.refresh()
        return self._keys.by_hash.get(key)

    async def actor(self, credential: str | None) -> Actor | None:
        """The caller of a bearer credential; PUBLIC without one, None for a credential that proves nothing."""
        if credential is None:
            return PUBLIC
        if monotonic() - self._read_at > STALE_SECONDS:
            await self.refresh()
        if credential.startswith(("pk_", "dk_")):
            key = tokens.fingerprint(credential)
            found = self._keys.by_hash.get(key)
            return found if found is not None else await self._new_key(key)
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
        return actor if self.stands(actor) else None

    def stands(self, actor: Actor) -> bool:
        """Whether nothing has been revoked of what an actor came with, as far as was read: for what goes on after the request."""
        return actor.session not in self._keys.revoked and self._keys.disabled.isdisjoint((actor.subject, actor.device))
