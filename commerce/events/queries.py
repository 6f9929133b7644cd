"""Reading the outbox by its published number."""

from __future__ import annotations

from commerce.events.schemas import CloudEvent, Feed
from commerce.infra.db import Tx

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
