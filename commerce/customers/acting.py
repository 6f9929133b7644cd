"""Staff act for a customer: in their own name, on the record, for a quarter of an hour."""

from __future__ import annotations

from uuid import UUID

from commerce import auth
from commerce.customers.errors import UnknownCustomer
from commerce.customers.schemas import ActFor
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor

STANDS = """
WITH RECURSIVE up AS (
    SELECT id, merged_into, erased_at FROM customers.profiles WHERE id = :customer
    UNION
    SELECT p.id, p.merged_into, p.erased_at FROM up JOIN customers.profiles p ON p.id = up.merged_into
)
SELECT id FROM up WHERE merged_into IS NULL AND erased_at IS NULL
"""


async def act_for(tx: Tx, actor: Actor, *, customer: UUID, command: ActFor, secret_key: str) -> auth.OnBehalfToken:
    """A token to act for this customer, or for the one he was merged into. Raises UnknownCustomer, auth.UnknownSession,
    auth.NotWhileActing."""
    person = await tx.scalar(STANDS, customer=customer)
    if person is None:
        raise UnknownCustomer
    return await auth.act_for(tx, actor, customer=person, reason=command.reason, secret_key=secret_key)
