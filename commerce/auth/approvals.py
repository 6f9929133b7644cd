"""Somebody who may approves in the same request what the member at the till may not: by his badge, or his login and PIN.

Whether he may is the verb's question (`actor.allowed`); here he only proves who he is. The proof is a transaction of its own before
the verb's, so that wrong guesses stay counted. The answer of a repeated request needs nobody again.
"""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar.di import NamedDependency
from litestar.params import HeaderParameter
from msgspec import structs

from commerce.auth import badges, flow
from commerce.auth.badges import PinProof
from commerce.auth.errors import (
    ApprovalElsewhere,
    BadgeOrPin,
    NotAtThisStore,
    OwnApproval,
    TooManyAttempts,
    WrongApproval,
    WrongBadge,
    WrongPin,
)
from commerce.auth.passwords import Verified
from commerce.auth.permissions import grants
from commerce.auth.roles import ROLES_OF
from commerce.auth.service import lock_member
from commerce.infra.db import Database, Once, Tx, answered
from commerce.kernel.actor import Actor
from commerce.settings import Settings

REFUSALS = (ApprovalElsewhere, BadgeOrPin, NotAtThisStore, OwnApproval, WrongApproval, TooManyAttempts)
"""What an operation that takes `approved` declares."""

Badge = Annotated[
    str | None,
    HeaderParameter(
        name="Approval-Badge", required=False, max_length=128,
        description="The badge of somebody else of the store who approves what the caller alone may not.",
    ),
]  # fmt: skip
Login = Annotated[
    str | None,
    HeaderParameter(
        name="Approval-Login", required=False, max_length=63, description="Instead of a badge: the approver's login."
    ),
]
Pin = Annotated[
    str | None,
    HeaderParameter(name="Approval-Pin", required=False, max_length=20, description="With Approval-Login: his PIN."),
]


async def _approver(tx: Tx, actor: Actor, member: UUID) -> Actor:
    if member == actor.subject:
        raise OwnApproval
    roles = await tx.rows(ROLES_OF, id=member)
    if not any(row.location in ("*", actor.location) for row in roles):
        raise NotAtThisStore(location=str(actor.location))
    held = grants((row.permissions, row.location) for row in roles)
    return structs.replace(actor, approved_by=member, approvals=held)


async def by_badge(tx: Tx, actor: Actor, *, code_hash: str, on_device: str) -> Actor:
    """The actor with what the badge's member may. Raises WrongApproval (kept), TooManyAttempts, OwnApproval,
    NotAtThisStore.
    """
    try:
        member = await badges.settle_badge(tx, actor, code_hash=code_hash, on_device=on_device)
    except WrongBadge as wrong:
        raise WrongApproval from wrong
    return await _approver(tx, actor, member)


async def by_pin(tx: Tx, actor: Actor, *, proof: PinProof, verified: Verified) -> Actor:
    """The actor with what the PIN's member may. Raises WrongApproval (kept), TooManyAttempts, OwnApproval,
    NotAtThisStore.
    """
    await lock_member(tx, proof.member)
    try:
        member = await badges.settle_pin(tx, actor, proof=proof, verified=verified)
    except WrongPin as wrong:
        raise WrongApproval from wrong
    return await _approver(tx, actor, member)


async def approved_of(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    once: NamedDependency[Once],
    approval_badge: Badge = None,
    approval_login: Login = None,
    approval_pin: Pin = None,
) -> Actor:
    """The caller, with what the approver named in the headers may; the caller as he is without them, and when the request has been
    answered before. Raises `REFUSALS`."""
    if approval_badge is None and approval_login is None and approval_pin is None:
        return actor
    if actor.kind != "staff" or actor.device is None:
        raise ApprovalElsewhere
    if await db.read(answered, once):
        return actor
    if approval_badge is not None and approval_login is None and approval_pin is None:
        code_hash, on_device = flow.shown_badge(settings, actor.device, approval_badge)
        return await db.write(by_badge, actor, code_hash=code_hash, on_device=on_device)
    if approval_badge is None and approval_login is not None and approval_pin is not None:
        proof, verified = await flow.checked_pin(db, settings, actor.device, login=approval_login, pin=approval_pin)
        return await db.write(by_pin, actor, proof=proof, verified=verified)
    raise BadgeOrPin
