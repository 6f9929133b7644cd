"""A member of staff acts for a customer: a token of his own session that names him, the customer and the reason."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from msgspec import structs

from commerce.auth import tokens
from commerce.auth.errors import NotWhileActing, UnknownSession
from commerce.auth.keyring import ACTING_SECONDS
from commerce.auth.schemas import OnBehalfToken
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor

LIFE = timedelta(seconds=ACTING_SECONDS)


async def act_for(tx: Tx, actor: Actor, *, customer: UUID, reason: str, secret_key: str) -> OnBehalfToken:
    """A token with which the member does, in his own name, what the customer could; on the record with the reason code.

    Good for a quarter of an hour, never longer than his session or a server's key, whose end ends it too. That there is such a
    customer, `customers` says. Raises NotWhileActing, as such a token would otherwise make the next one for ever; UnknownSession when
    the member's own is over.
    """
    if actor.on_behalf_of is not None:
        raise NotWhileActing
    expires_at = tx.at + LIFE
    if actor.kind == "staff" and actor.session is not None:
        until = await tx.scalar(
            "SELECT expires_at FROM auth.sessions WHERE id = :id AND revoked_at IS NULL AND expires_at > :at",
            id=actor.session, at=tx.at,
        )  # fmt: skip
        if until is None:
            raise UnknownSession
        expires_at = min(expires_at, until)
    acting = structs.replace(actor, on_behalf_of=customer, reason=reason, known=True)
    outbox.audit(tx, acting, "customer.acted_for", "customer", customer)
    seconds = int((expires_at - tx.at).total_seconds())
    return OnBehalfToken(
        access_token=tokens.issue(acting, secret_key=secret_key, at=tx.at, seconds=seconds), token_type="Bearer",  # noqa: S106
        expires_at=tx.at + timedelta(seconds=seconds), customer=customer, reason=reason,
    )  # fmt: skip
