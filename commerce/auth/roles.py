"""Roles as data: what each may do, and who may change that.

A role's row is the lock of what it says: who signs in reads it FOR SHARE, who changes it waits for him and ends his session.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import convert
from sqlalchemy.dialects.postgresql import insert

from commerce.auth.errors import (
    MayNotGrant,
    PermissionNotHeld,
    RoleBuiltIn,
    RoleInUse,
    RoleKeepsPermission,
    UnknownPermission,
    UnknownRole,
    UnknownRoles,
)
from commerce.auth.permissions import ADMIN_KEEPS, PERMISSIONS
from commerce.auth.schemas import PermissionView, RoleView, SaveRole
from commerce.auth.tables import roles
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor

ROLES_OF = """
SELECT r.role, r.location, d.permissions FROM auth.staff_roles r JOIN auth.roles d ON d.code = r.role
WHERE r.staff_id = :id ORDER BY r.role, r.location FOR SHARE OF d
"""
"""Of a member of staff; with them, nobody changes meanwhile what these roles say."""
SAY = "SELECT code, permissions FROM auth.roles WHERE code = ANY(CAST(:codes AS text[])) ORDER BY code FOR SHARE"


async def must_hold(tx: Tx, actor: Actor, pairs: Iterable[tuple[str, str]], *, also: str | None = None) -> None:
    """Nobody decides about more than he holds: every permission of each (role, location), and `also`. One statement.

    Raises UnknownRoles, MayNotGrant.
    """
    wanted = sorted(pairs)
    codes = sorted({role for role, _ in wanted})
    said = {row.code: row.permissions for row in await tx.rows(SAY, codes=codes)}
    unknown = [code for code in codes if code not in said]
    if unknown:
        raise UnknownRoles(roles=unknown)
    for role, location in wanted:
        needed = {*said[role], *([also] if also else [])} & PERMISSIONS.keys()
        if not all(actor.may(permission, location) for permission in needed):
            raise MayNotGrant(role=role, location=location)


LIST = "SELECT code, name, permissions, built_in, changed_at FROM auth.roles ORDER BY built_in DESC, code"


async def listed(tx: Tx) -> list[RoleView]:
    """Every role, the built-in ones first."""
    return [convert(row, RoleView, from_attributes=True) for row in await tx.rows(LIST)]


async def permissions(tx: Tx) -> list[PermissionView]:
    """Every permission by code, in words, with the roles that hold it now."""
    held = await listed(tx)
    return [
        PermissionView(code=code, name=name, roles=[role.code for role in held if code in role.permissions])
        for code, name in sorted(PERMISSIONS.items())
    ]


LOCK = "SELECT code, name, permissions, built_in, changed_at FROM auth.roles WHERE code = :code FOR NO KEY UPDATE"
END_OF_HOLDERS = """
UPDATE auth.sessions SET revoked_at = :at, revoked_reason = 'role_changed'
WHERE principal_id IN (SELECT staff_id FROM auth.staff_roles WHERE role = :code) AND revoked_at IS NULL
"""


async def save(tx: Tx, actor: Actor, *, code: str, command: SaveRole) -> RoleView:
    """Make a role, or say anew what it may do. What is taken away ends its holders' sessions; what is added comes with their refresh.

    Nobody puts in or takes out what he does not hold everywhere, as the role may be given anywhere.
    Raises UnknownPermission, PermissionNotHeld, RoleKeepsPermission.
    """
    after = sorted(set(command.permissions))
    unknown = [permission for permission in after if permission not in PERMISSIONS]
    if unknown:
        raise UnknownPermission(permission=unknown[0])
    made = insert(roles).on_conflict_do_nothing().returning(roles.c.code)
    fresh = await tx.first(made, code=code, name=command.name, permissions=[], built_in=False, changed_at=tx.at)
    row = await tx.one(LOCK, code=code)
    before = set(row.permissions)
    for permission in sorted((before ^ set(after)) & PERMISSIONS.keys()):
        if not actor.may(permission, "*"):
            raise PermissionNotHeld(permission=permission)
    lost = before - set(after)
    if row.built_in and code == "admin":
        for permission in sorted(ADMIN_KEEPS & lost):
            raise RoleKeepsPermission(role=code, permission=permission)
    await tx.execute(
        "UPDATE auth.roles SET name = :name, permissions = :permissions, changed_at = :at WHERE code = :code",
        code=code, name=dict(command.name), permissions=after, at=tx.at,
    )  # fmt: skip
    if lost:
        await tx.execute(END_OF_HOLDERS, code=code, at=tx.at)
    outbox.audit(
        tx, actor, "role.created" if fresh else "role.changed", "role", code,
        before=None if fresh else {"permissions": sorted(before)}, after={"permissions": after},
    )  # fmt: skip
    return RoleView(code=code, name=dict(command.name), permissions=after, built_in=row.built_in, changed_at=tx.at)


USED = """
SELECT EXISTS (SELECT 1 FROM auth.staff_roles WHERE role = :code) OR EXISTS (
    SELECT 1 FROM auth.invitations WHERE state = 'pending' AND expires_at > :at
      AND roles @> jsonb_build_array(jsonb_build_object('role', CAST(:code AS text)))
)
"""


async def remove(tx: Tx, actor: Actor, *, code: str) -> None:
    """Forget a role that nobody holds and nobody is invited to. Raises UnknownRole, RoleBuiltIn, RoleInUse, PermissionNotHeld."""
    row = await tx.first("SELECT code, permissions, built_in FROM auth.roles WHERE code = :code FOR UPDATE", code=code)
    if row is None:
        raise UnknownRole(role=code)
    if row.built_in:
        raise RoleBuiltIn(role=code)
    for permission in sorted(set(row.permissions) & PERMISSIONS.keys()):
        if not actor.may(permission, "*"):
            raise PermissionNotHeld(permission=permission)
    if await tx.scalar(USED, code=code, at=tx.at):
        raise RoleInUse(role=code)
    await tx.execute("DELETE FROM auth.roles WHERE code = :code", code=code)
    outbox.audit(tx, actor, "role.removed", "role", code, before={"permissions": sorted(row.permissions)})
