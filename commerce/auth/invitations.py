"""Somebody is asked to join the staff and chooses his password himself, so that nobody else ever knows it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from msgspec import convert, structs

from commerce.auth import tokens
from commerce.auth.errors import CodeTaken, MayNotGrant, StaffShutOut, UnknownInvitation, UnknownRoles, UnknownStaff
from commerce.auth.permissions import grants
from commerce.auth.roles import ROLES_OF, must_hold
from commerce.auth.schemas import InvitationView, InviteStaff, RoleGrant
from commerce.auth.service import (
    TAKE_BACK_INVITATIONS,
    Started,
    add_member,
    end_sessions,
    lock_staff,
    role_pairs,
    set_password,
    start_staff_session,
)
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.paging import Page, decode_cursor, page_of

LIFE = timedelta(days=7)
RESET_LIFE = timedelta(days=1)


Purpose = Literal["join", "return", "reset"]


def token_of(secret_key: str, invitation: UUID) -> str:
    """The token of an invitation: made again at will, only its hash is kept."""
    return tokens.derived_key(secret_key, "iv", str(invitation))


EXPIRE = """
UPDATE auth.invitations SET state = 'revoked', decided_at = :at WHERE login = :login AND state = 'pending' AND expires_at <= :at
"""
INVITE = """
INSERT INTO auth.invitations (id, login, name, roles, token_hash, state, created_at, created_by, expires_at, purpose)
SELECT :id, CAST(:login AS text), :name, :roles, :token_hash, 'pending', :at, :by, :expires_at, CAST(:purpose AS text)
WHERE CAST(:purpose AS text) <> 'join' OR NOT EXISTS (SELECT 1 FROM auth.staff WHERE login = :login)
ON CONFLICT (login) WHERE state = 'pending' DO NOTHING RETURNING id
"""


async def invite(tx: Tx, actor: Actor, *, invitation: UUID, command: InviteStaff, token_hash: str) -> InvitationView:
    """Ask somebody to join with these roles, within seven days; or to return with them, who was shut out.

    Raises UnknownRoles, MayNotGrant, CodeTaken.
    """
    pairs = role_pairs(command.roles)
    await must_hold(tx, actor, pairs, also="staff.write")
    purpose: Purpose = "join"
    try:
        member, before = await lock_staff(tx, command.login)
    except UnknownStaff:
        pass
    else:
        if member.disabled_at is None:
            raise CodeTaken(value=command.login)
        await must_hold(tx, actor, before, also="staff.write")
        purpose = "return"
    await tx.execute(EXPIRE, login=command.login, at=tx.at)
    made = await _invite(
        tx,
        actor,
        invitation,
        purpose,
        token_hash,
        login=command.login,
        name=command.name,
        roles=command.roles,
        life=LIFE,
    )
    if made is None:
        raise CodeTaken(value=command.login)
    return made


async def invite_to_reset(tx: Tx, actor: Actor, *, invitation: UUID, login: str, token_hash: str) -> InvitationView:
    """Let a member who does not know his password choose another, within a day; his roles stay. An earlier invitation of his is void.

    By whoever could invite him with all that he may. Raises UnknownStaff, MayNotGrant, StaffShutOut.
    """
    member, pairs = await lock_staff(tx, login)
    await must_hold(tx, actor, pairs, also="staff.write")
    if member.disabled_at is not None:
        raise StaffShutOut(login=login)
    await tx.execute(TAKE_BACK_INVITATIONS, login=login, at=tx.at)
    made = await _invite(
        tx, actor, invitation, "reset", token_hash, login=login, name=member.name, roles=member.roles, life=RESET_LIFE
    )
    if made is None:
        raise UnknownStaff(login=login)
    return made


async def _invite(
    tx: Tx, actor: Actor, invitation: UUID, purpose: Purpose, token_hash: str, *, login: str, name: str,
    roles: Sequence[RoleGrant], life: timedelta,
) -> InvitationView | None:  # fmt: skip
    """None when the login is taken, or another invitation of it waits."""
    made = await tx.first(
        INVITE, id=invitation, login=login, name=name, roles=list(roles), token_hash=token_hash, at=tx.at, by=actor.subject,
        expires_at=tx.at + life, purpose=purpose,
    )  # fmt: skip
    if made is None:
        return None
    outbox.audit(
        tx, actor, "staff.reset_invited" if purpose == "reset" else "staff.invited", "invitation", invitation,
        after={"roles": sorted(role_pairs(roles)), "purpose": purpose},
    )  # fmt: skip
    return InvitationView(
        id=invitation, login=login, name=name, roles=list(roles), purpose=purpose, state="pending", created_at=tx.at,
        expires_at=tx.at + life, decided_at=None,
    )  # fmt: skip


ACCEPT = """
SELECT id, login, name, roles, created_by, purpose FROM auth.invitations
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
    its giver may still give. Who returns has the roles of the invitation and neither PIN nor badge of before; whose password is
    another now, has no session of before.

    Raises UnknownInvitation, CodeTaken, NotAtThisStore on a device of another store.
    """
    login = await tx.scalar(LOGIN_OF, token_hash=token_hash)
    try:
        there = await lock_staff(tx, login or "")
    except UnknownStaff:
        there = None
    row = await tx.first(ACCEPT, token_hash=token_hash, at=tx.at)
    if row is None:
        raise UnknownInvitation
    pairs = role_pairs(convert(row.roles, list[RoleGrant]))
    if row.purpose == "join" or there is None:
        await _must_stand(tx, row.created_by, pairs)
        member = await add_member(tx, actor, login=row.login, name=row.name, password_hash=password_hash, pairs=pairs)
    else:
        member, before = there
        await _must_stand(tx, row.created_by, before if row.purpose == "reset" else before | pairs)
        if (member.disabled_at is None) != (row.purpose == "reset"):
            raise UnknownInvitation
        if row.purpose == "return":
            await _return(tx, actor, member.id, name=row.name, before=before, pairs=pairs)
        await set_password(tx, actor, principal=member.id, password_hash=password_hash)
        await end_sessions(tx, actor, principals=[member.id], reason="password_reset")
        outbox.audit(tx, actor, "staff.password_reset", "staff", member.id, after={"invitation": str(row.id)})
    await tx.flush()
    await tx.one(ACCEPTED, id=row.id, staff=member.id, at=tx.at)
    return await start_staff_session(tx, actor, member=member.id, device_name=device_name, idle_seconds=idle_seconds)


LOGIN_OF = "SELECT login FROM auth.invitations WHERE token_hash = :token_hash"
RETURN = """
WITH let_in AS (UPDATE auth.principals SET disabled_at = NULL WHERE id = :id),
    without_pin AS (DELETE FROM auth.pins WHERE staff_id = :id),
    without_badges AS (UPDATE auth.badges SET revoked_at = :at WHERE staff_id = :id AND revoked_at IS NULL),
    without_roles AS (DELETE FROM auth.staff_roles WHERE staff_id = :id AND NOT (role, location) IN (
        SELECT r, l FROM unnest(CAST(:roles AS text[]), CAST(:locations AS text[])) AS x(r, l))),
    with_roles AS (
        INSERT INTO auth.staff_roles (staff_id, role, location)
        SELECT :id, r, l FROM unnest(CAST(:roles AS text[]), CAST(:locations AS text[])) AS x(r, l) ON CONFLICT DO NOTHING)
UPDATE auth.staff SET name = :name WHERE id = :id
"""


async def _return(
    tx: Tx, actor: Actor, member: UUID, *, name: str, before: set[tuple[str, str]], pairs: set[tuple[str, str]]
) -> None:
    held = sorted(pairs)
    await tx.execute(
        RETURN, id=member, name=name, at=tx.at, roles=[role for role, _ in held],
        locations=[location for _, location in held],
    )  # fmt: skip
    outbox.audit(tx, actor, "staff.returned", "staff", member, before={"roles": sorted(before)}, after={"roles": held})


REVOKE = "SELECT id, login, name, roles, purpose, state, created_at, expires_at, decided_at FROM auth.invitations WHERE id = :id FOR UPDATE"


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
SELECT i.id, i.login, i.name, i.roles, i.purpose, i.state, i.created_at, i.expires_at, i.decided_at FROM auth.invitations i
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
        id=row.id, login=row.login, name=row.name, roles=convert(row.roles, list[RoleGrant]), purpose=row.purpose,
        state="expired" if expired else row.state, created_at=row.created_at, expires_at=row.expires_at,
        decided_at=row.decided_at,
    )  # fmt: skip
