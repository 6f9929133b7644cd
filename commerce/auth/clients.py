"""API clients: frontends with publishable keys, servers with secret keys and scopes; rotation with overlap, origins.

A publishable key names a channel and is no secret; a secret key holds the permissions of its client's scopes. Only hashes are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from msgspec import UNSET, convert, structs

from commerce.auth import tokens
from commerce.auth.errors import (
    ClientRevoked,
    CodeTaken,
    NotForThisKind,
    NotYourLocation,
    ScopeBeyondYours,
    TooManyKeys,
    UnknownChannel,
    UnknownClient,
    UnknownKey,
    UnknownPermission,
)
from commerce.auth.permissions import PERMISSIONS
from commerce.auth.schemas import ChangeClient, ClientKeyView, ClientKind, ClientView, NewClient, Scope
from commerce.auth.tables import client_keys
from commerce.infra import outbox
from commerce.infra.db import KeyReused, Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

PREFIXES: dict[str, str] = {"frontend": "pk", "server": "sk"}
LIVE_KEYS = 10
"""Keys of one client that work at the same time."""
HINT = 8
"""So much of a key's SHA-256 is shown, to tell keys apart."""

CREATE = """
WITH channel AS (SELECT code FROM auth.channels WHERE code = :channel),
principal AS (INSERT INTO auth.principals (id, kind, created_at) SELECT :id, 'client', :at FROM channel),
made AS (
    INSERT INTO auth.clients (id, code, channel, name, kind, scopes, origins, created_at)
    SELECT :id, :code, channel.code, :name, :kind, CAST(:scopes AS jsonb), CAST(:origins AS jsonb), :at
    FROM channel ON CONFLICT DO NOTHING RETURNING id
)
SELECT EXISTS (SELECT 1 FROM channel) AS channel, EXISTS (SELECT 1 FROM made) AS made
"""


async def create_client(
    tx: Tx,
    actor: Actor,
    *,
    code: str,
    channel: str,
    name: str,
    kind: ClientKind = "frontend",
    scopes: Sequence[Scope] = (),
    origins: Sequence[str] = (),
    key: str | None = None,
) -> NewClient:
    """A client with its first key (`pk_…` of a frontend, `sk_…` of a server); a random one unless given. Only its hash is kept.

    Raises NotYourLocation for an actor limited to locations, NotForThisKind, UnknownPermission, ScopeBeyondYours, CodeTaken,
    UnknownChannel; ValueError for a key without the prefix.
    """
    _everywhere(actor)
    key = _prefixed(PREFIXES[kind], key)
    held = held_by(scopes)
    _must_fit(kind, held, origins)
    _must_hold(actor, held)
    client = uuid7()
    row = await tx.one(
        CREATE,
        id=client,
        code=code,
        channel=channel,
        name=name,
        kind=kind,
        scopes=held,
        origins=sorted(set(origins)),
        at=tx.at,
    )
    if not row.channel:
        raise UnknownChannel(channel=channel)
    if not row.made:
        raise CodeTaken(value=code)
    made = _queue_key(tx, actor, client, kind, key)
    after = {"code": code, "channel": channel, "kind": kind, "scopes": held, "key": made.id}
    outbox.audit(tx, actor, "client.created", "client", client, after=after)
    return NewClient(
        id=client, code=code, channel=channel, name=name, kind=kind, scopes=scopes_of(held), origins=sorted(set(origins)),
        created_at=tx.at, revoked_at=None, keys=[made], key=key,
    )  # fmt: skip


LOCK = """
SELECT id, code, channel, name, kind, scopes, origins, created_at, revoked_at
FROM auth.clients WHERE code = :code FOR NO KEY UPDATE
"""
CHANGE = """
UPDATE auth.clients SET name = :name, scopes = CAST(:scopes AS jsonb), origins = CAST(:origins AS jsonb) WHERE id = :id
"""


async def change_client(tx: Tx, actor: Actor, *, code: str, command: ChangeClient) -> ClientView:
    """Another name, other origins or scopes; they hold in every process within 5 s.

    Raises UnknownClient, NotYourLocation, NotForThisKind, UnknownPermission, ScopeBeyondYours when a scope that is given or taken
    is not the actor's own.
    """
    _everywhere(actor)
    row = await _lock(tx, code)
    before: dict[str, list[str]] = row.scopes
    held = before if command.scopes is UNSET else held_by(command.scopes)
    origins = row.origins if command.origins is UNSET else sorted(set(command.origins))
    _must_fit(row.kind, held, origins)
    _must_hold(actor, _difference(before, held))
    name = row.name if command.name is UNSET else command.name
    await tx.execute(CHANGE, id=row.id, name=name, scopes=held, origins=origins)
    outbox.audit(
        tx, actor, "client.changed", "client", row.id,
        before={"scopes": before, "origins": row.origins}, after={"scopes": held, "origins": origins},
    )  # fmt: skip
    return _view(row, await keys_of(tx, row.id), name=name, scopes=scopes_of(held), origins=origins)


EXPIRE = """
UPDATE auth.client_keys SET expires_at = least(coalesce(expires_at, :until), :until)
WHERE client_id = :client AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :at)
"""


async def rotate_key(
    tx: Tx, actor: Actor, *, code: str, overlap_seconds: int, keys: Mapping[str, str]
) -> ClientKeyView:
    """A new key of the client's kind, the one of `keys` (by kind); the old ones work for `overlap_seconds` more, 0: no longer.

    Raises UnknownClient, NotYourLocation, ClientRevoked, TooManyKeys, and ScopeBeyondYours, as the key opens all that the scopes do;
    KeyReused for a key that was made before.
    """
    _everywhere(actor)
    row = await _lock(tx, code)
    if row.revoked_at is not None:
        raise ClientRevoked(client=code)
    _must_hold(actor, row.scopes)
    if await tx.scalar(
        "SELECT 1 FROM auth.client_keys WHERE key_hash = :hash", hash=tokens.fingerprint(keys[row.kind])
    ):
        raise KeyReused  # the same request long after its answer was forgotten: it would make the same key
    expiring = await tx.execute(EXPIRE, client=row.id, at=tx.at, until=tx.at + timedelta(seconds=overlap_seconds))
    if overlap_seconds and expiring >= LIVE_KEYS:
        raise TooManyKeys(limit=LIVE_KEYS)
    made = _queue_key(tx, actor, row.id, row.kind, keys[row.kind])
    after = {"key": made.id, "overlap_seconds": overlap_seconds}
    outbox.audit(tx, actor, "client.key_rotated", "client", row.id, before={"live_keys": expiring}, after=after)
    return made


async def revoke_key(tx: Tx, actor: Actor, *, code: str, key_id: UUID) -> None:
    """Let one key of a client open nothing any more, within 5 s. Raises UnknownClient, UnknownKey, NotYourLocation."""
    _everywhere(actor)
    row = await _lock(tx, code)
    known = await tx.first(
        "SELECT revoked_at FROM auth.client_keys WHERE id = :key AND client_id = :client FOR NO KEY UPDATE",
        key=key_id, client=row.id,
    )  # fmt: skip
    if known is None:
        raise UnknownKey(key=key_id)
    if known.revoked_at is None:
        await tx.execute("UPDATE auth.client_keys SET revoked_at = :at WHERE id = :key", at=tx.at, key=key_id)
        outbox.audit(tx, actor, "client.key_revoked", "client", row.id, before={"key": key_id})


REVOKE = """
WITH client AS (UPDATE auth.clients SET revoked_at = :at WHERE id = :id)
UPDATE auth.client_keys SET revoked_at = coalesce(revoked_at, :at) WHERE client_id = :id
"""


async def revoke_client(tx: Tx, actor: Actor, *, code: str) -> ClientView:
    """Let a client's keys open nothing any more; who has signed in through it stays signed in. Raises UnknownClient, NotYourLocation."""
    _everywhere(actor)
    row = await _lock(tx, code)
    if row.revoked_at is None:
        await tx.execute(REVOKE, id=row.id, at=tx.at)
        outbox.audit(tx, actor, "client.revoked", "client", row.id, before={"revoked": False}, after={"revoked": True})
    return _view(row, await keys_of(tx, row.id), revoked_at=row.revoked_at or tx.at)


KEYS_OF = """
SELECT id, kind, left(key_hash, :hint) AS hint, created_at, created_by, expires_at, revoked_at, last_used_at
FROM auth.client_keys WHERE client_id = :client ORDER BY created_at DESC, id DESC LIMIT 50
"""


async def keys_of(tx: Tx, client: UUID) -> list[ClientKeyView]:
    """The keys of a client, the newest first, at most fifty."""
    rows = await tx.rows(KEYS_OF, client=client, hint=HINT)
    return [convert(row, ClientKeyView, from_attributes=True) for row in rows]


def held_by(scopes: Iterable[Scope]) -> dict[str, list[str]]:
    """permission -> location codes, as they are kept; `*` alone when it is among them."""
    held: dict[str, set[str]] = {}
    for scope in scopes:
        held.setdefault(scope.permission, set()).update(scope.locations)
    return {name: ["*"] if "*" in found else sorted(found) for name, found in sorted(held.items())}


def scopes_of(held: Mapping[str, Sequence[str]]) -> list[Scope]:
    """The kept form as it is shown."""
    return [Scope(permission=permission, locations=list(locations)) for permission, locations in held.items()]


def _difference(before: Mapping[str, list[str]], after: Mapping[str, list[str]]) -> dict[str, list[str]]:
    changed = {name: sorted(set(before.get(name, ())) ^ set(after.get(name, ()))) for name in sorted({*before, *after})}
    return {name: locations for name, locations in changed.items() if locations}


def _must_fit(kind: str, held: Mapping[str, Sequence[str]], origins: Sequence[str]) -> None:
    if kind == "frontend" and held:
        raise NotForThisKind(kind=kind, field="scopes")
    if kind == "server" and origins:
        raise NotForThisKind(kind=kind, field="origins")
    for permission in held:
        if permission not in PERMISSIONS:
            raise UnknownPermission(permission=permission)


def _must_hold(actor: Actor, held: Mapping[str, Sequence[str]]) -> None:
    for permission, locations in held.items():
        for location in locations:
            if not actor.may(permission, location):
                raise ScopeBeyondYours(permission=permission, location=location)


def _queue_key(tx: Tx, actor: Actor, client: UUID, kind: ClientKind, key: str) -> ClientKeyView:
    made, key_hash = uuid7(), tokens.fingerprint(key)
    tx.queue(
        client_keys, id=made, client_id=client, kind=kind, key_hash=key_hash, created_at=tx.at, created_by=actor.subject
    )
    return ClientKeyView(
        id=made, kind=kind, hint=key_hash[:HINT], created_at=tx.at, created_by=actor.subject, expires_at=None,
        revoked_at=None, last_used_at=None,
    )  # fmt: skip


async def _lock(tx: Tx, code: str) -> Any:
    row = await tx.first(LOCK, code=code)
    if row is None:
        raise UnknownClient(client=code)
    return row


def _view(row: Any, keys: list[ClientKeyView], **changed: Any) -> ClientView:
    shown = ClientView(
        id=row.id, code=row.code, channel=row.channel, name=row.name, kind=row.kind, scopes=scopes_of(row.scopes),
        origins=row.origins, created_at=row.created_at, revoked_at=row.revoked_at, keys=keys,
    )  # fmt: skip
    return structs.replace(shown, **changed)


def _everywhere(actor: Actor) -> None:
    if not actor.may("clients.write", "*"):
        raise NotYourLocation(location="*")


def _prefixed(prefix: str, key: str | None) -> str:
    if key is None:
        return tokens.new_secret(prefix)
    if not key.startswith(f"{prefix}_"):
        raise ValueError(f"a key of this kind starts with {prefix}_")
    return key
