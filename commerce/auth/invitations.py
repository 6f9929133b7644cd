"""Somebody is asked to join the staff and chooses his password himself, so that nobody else ever knows it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from msgspec import convert, structs

from commerce.auth import tokens
from commerce.auth.errors import CodeTaken, MayNotGrant, UnknownInvitation, UnknownRoles
from commerce.auth.permissions import grants
from commerce.auth.roles import ROLES_OF, must_hold
from commerce.auth.schemas import InvitationView, InviteStaff, RoleGrant
from commerce.auth.service import Started, add_member, role_pairs, start_staff_session
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.paging import Page, decode_cursor, page_of

LIFE = timedelta(days=7)


def token_of(secret_key: str, invitation: UUID) -> str:
    """The token of an invitation: made again at will, only its hash is kept."""
    return tokens.derived_key(secret_key, "iv", str(invitation))


EXPIRE = """
UPDATE auth.invitations SET state = 'revoked', decided_at = :at WHERE login = :login AND state = 'pending' AND expires_at <= :at
"""
INVITE = """
INSERT INTO auth.invitations (id, login, name, roles, token_hash, state, created_at, created_by, expires_at)
SELECT :id, CAST(:login AS text), :name, :roles, :token_hash, 'pending', :at, :by, :expires_at
WHERE NOT EXISTS (SELECT 1 FROM auth.staff WHERE login = :login)
ON CONFLICT (login) WHERE state = 'pending' DO NOTHING RETURNING id
"""


async def invite(tx: Tx, actor: Actor, *, invitation: UUID, command: InviteStaff, token_hash: str) -> InvitationView:
    """Ask somebody to join with these roles, within seven days. Raises UnknownRoles, MayNotGrant, CodeTaken."""
    pairs = role_pairs(command.roles)
    await must_hold(tx, actor, pairs, also="staff.write")
    await tx.execute(EXPIRE, login=command.login, at=tx.at)
    made = await tx.first(
        INVITE, id=invitation, login=command.login, name=command.name, roles=command.roles, token_hash=token_hash, at=tx.at,
        by=actor.subject, expires_at=tx.at + LIFE,
    )  # fmt: skip
    if made is None:
        raise CodeTaken(value=command.login)
    outbox.audit(tx, actor, "staff.invited", "invitation", invitation, after={"roles": sorted(pairs)})
    return InvitationView(
        id=invitation, login=command.login, name=command.name, roles=list(command.roles), state="pending", created_at=tx.at,
        expires_at=tx.at + LIFE, decided_at=None,
    )  # fmt: skip


ACCEPT = """
SELECT id, login, name, roles, created_by FROM auth.invitations
WHERE token_hash = :token_hash AND state = 'pending' AND expires_at > :at FOR UPDATE
"""
ACCEPTED = """
UPDATE auth.invitations SET state = 'accepted', decided_at = :at, staff_id = :staff, name = ''
WHERE id = :id AND state = 'pending' RETURNING id
"""


GIVER = """
SELECT p.kind, p.disabled_at IS NOT NULL OR c.revoked_at IS NOT NULL AS shut_out, c.scopes
FROM auth.principals p LEFT JOIN auth.clients c ON c.id = p.id WHERE p.id = :by
"""


async def _must_stand(tx: Tx, by: UUID, pairs: set[tuple[str, str]]) -> None:
    """Whether who has invited could still do so. Raises UnknownInvitation."""
    giver = await tx.first(GIVER, by=by)
    if giver is None:
        return
    if giver.shut_out:
        raise UnknownInvitation
    if giver.kind == "staff":
        held = grants((row.permissions, row.location) for row in await tx.rows(ROLES_OF, id=by))
    else:
        held = {permission: tuple(locations) for permission, locations in (giver.scopes or {}).items()}
    try:
        await must_hold(tx, Actor(kind=giver.kind, subject=by, channel="", permissions=held), pairs, also="staff.write")
    except (MayNotGrant, UnknownRoles) as beyond:
        raise UnknownInvitation from beyond


async def refuse_unknown(tx: Tx, *, token_hash: str) -> None:
    """Raises UnknownInvitation, so that tokens tried at random cost no hashing."""
    known = "SELECT 1 FROM auth.invitations WHERE token_hash = :token_hash AND state = 'pending' AND expires_at > :at"
    if await tx.first(known, token_hash=token_hash, at=tx.at) is None:
        raise UnknownInvitation


async def accept(
    tx: Tx, actor: Actor, *, token_hash: str, password_hash: str, device_name: str | None, idle_seconds: int
) -> Started:
    """Join the staff, and be signed in. Of two at once one does; the other finds no such invitation any more. It is worth what
    its giver may still give.

    Raises UnknownInvitation, CodeTaken, NotAtThisStore on a device of another store.
    """
    row = await tx.first(ACCEPT, token_hash=token_hash, at=tx.at)
    if row is None:
        raise UnknownInvitation
    pairs = role_pairs(convert(row.roles, list[RoleGrant]))
    await _must_stand(tx, row.created_by, pairs)
    member = await add_member(tx, actor, login=row.login, name=row.name, password_hash=password_hash, pairs=pairs)
    await tx.flush()
    await tx.one(ACCEPTED, id=row.id, staff=member.id, at=tx.at)
    return await start_staff_session(tx, actor, member=member.id, device_name=device_name, idle_seconds=idle_seconds)


REVOKE = "SELECT id, login, name, roles, state, created_at, expires_at, decided_at FROM auth.invitations WHERE id = :id FOR UPDATE"


async def revoke(tx: Tx, actor: Actor, *, invitation: UUID) -> InvitationView:
    """Take an invitation back that nobody has accepted; one that is none any more stays as it is. Raises UnknownInvitation, MayNotGrant."""
    row = await tx.first(REVOKE, id=invitation)
    if row is None:
        raise UnknownInvitation
    for role, location in sorted(role_pairs(convert(row.roles, list[RoleGrant]))):
        if not actor.may("staff.write", location):
            raise MayNotGrant(role=role, location=location)
    if row.state != "pending":
        return _view(row, tx)
    await tx.execute(
        "UPDATE auth.invitations SET state = 'revoked', decided_at = :at, name = '' WHERE id = :id",
        id=invitation,
        at=tx.at,
    )
    outbox.audit(
        tx,
        actor,
        "staff.invitation_revoked",
        "invitation",
        invitation,
        before={"state": row.state},
        after={"state": "revoked"},
    )
    return structs.replace(_view(row, tx), name="", state="revoked", decided_at=tx.at)


LIST = """
SELECT i.id, i.login, i.name, i.roles, i.state, i.created_at, i.expires_at, i.decided_at FROM auth.invitations i
WHERE (CAST(:before AS uuid) IS NULL OR i.id < CAST(:before AS uuid)) AND (CAST(:everywhere AS boolean) OR EXISTS (
    SELECT 1 FROM jsonb_array_elements(i.roles) r WHERE jsonb_exists_any(r->'locations', CAST(:locations AS text[]))
))
ORDER BY i.id DESC LIMIT :limit
"""


async def listed(tx: Tx, actor: Actor, *, limit: int, cursor: str | None) -> Page[InvitationView]:
    """Invitations to locations that the caller looks after, the last first. Raises BadCursor."""
    held = actor.permissions.get("staff.write", ())
    before = decode_cursor(cursor, UUID)[0] if cursor else None
    rows = await tx.rows(LIST, before=before, everywhere="*" in held, locations=list(held), limit=limit + 1)
    return page_of(rows, limit, lambda row: _view(row, tx), lambda row: (row.id,))


def _view(row: Any, tx: Tx) -> InvitationView:
    expired = row.state == "pending" and row.expires_at <= tx.at
    return InvitationView(
        id=row.id, login=row.login, name=row.name, roles=convert(row.roles, list[RoleGrant]),
        state="expired" if expired else row.state, created_at=row.created_at, expires_at=row.expires_at,
        decided_at=row.decided_at,
    )  # fmt: skip
