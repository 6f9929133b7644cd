"""What takes more than one transaction: an export that is recorded first, then read in one snapshot."""

from __future__ import annotations

from uuid import UUID

from commerce.infra.db import Database
from commerce.kernel.actor import Actor
from commerce.people import queries, service
from commerce.people.schemas import PersonExport


async def export_customer(db: Database, actor: Actor, *, customer: UUID) -> PersonExport:
    """Everything about a customer for staff who may take it out: that they did is recorded before. Raises customers.UnknownCustomer."""
    await db.write(service.note_export, actor, customer=customer)
    return await db.snapshot(queries.export, customer=customer)
