"""Reading the outbox by its published number."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from msgspec import convert
from sqlalchemy import literal, select, tuple_

from commerce.events.schemas import AuditRecord, CloudEvent, Feed
from commerce.infra.db import Tx
from commerce.infra.tables import audit_records as recorded
from commerce.kernel.paging import Page, decode_cursor, page_of

AFTER = """
SELECT id, type, aggregate, aggregate_id, version, payload, occurred_at, published_no
FROM infra.outbox
WHERE published_no > :after AND (CAST(:type AS text) IS NULL OR type = :type)
ORDER BY published_no LIMIT :limit
"""


async def after(tx: Tx, *, cursor: int, limit: int, type: str | None) -> Feed:  # noqa: A002
    """Published events after a cursor, at most `limit`, of one type when it is named."""
    rows = await tx.rows(AFTER, after=cursor, type=type, limit=limit)
    items = [
        CloudEvent(
            id=str(row.id),
            type=row.type,
            subject=f"{row.aggregate}/{row.aggregate_id}",
            time=row.occurred_at,
            sequence=row.published_no,
            data={**row.payload, "version": row.version},
        )
        for row in rows
    ]
    return Feed(items=items, next_after=items[-1].sequence if items else cursor)


SHOWN = [column for column in recorded.c if column.name != "recorded_at"]


async def audit_records(
    tx: Tx,
    *,
    limit: int,
    cursor: str | None,
    subject: UUID | None = None,
    on_behalf_of: UUID | None = None,
    device: UUID | None = None,
    location: str | None = None,
    action: str | None = None,
    target: str | None = None,
    target_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Page[AuditRecord]:
    """What was done, the newest first, of those who, for whom, through what, where, what and when that are named."""
    named = {
        "subject": subject, "on_behalf_of": on_behalf_of, "device": device, "location": location, "action": action,
        "target": target, "target_id": target_id,
    }  # fmt: skip
    columns = recorded.c
    found = select(*SHOWN).where(*(columns[name] == value for name, value in named.items() if value is not None))
    if since is not None:
        found = found.where(columns.occurred_at >= since)
    if until is not None:
        found = found.where(columns.occurred_at < until)
    if cursor:
        last_at, last_id = decode_cursor(cursor, datetime, UUID)
        found = found.where(tuple_(columns.occurred_at, columns.id) < tuple_(literal(last_at), literal(last_id)))
    rows = await tx.rows(found.order_by(columns.occurred_at.desc(), columns.id.desc()).limit(limit + 1))
    return page_of(
        rows, limit, lambda row: convert(row, AuditRecord, from_attributes=True), lambda row: (row.occurred_at, row.id)
    )
