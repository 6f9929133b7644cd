"""What `commerce audit` runs: named invariants, each one SQL statement that answers the rows that break it (DESIGN 14)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from commerce.infra.db import Database, Tx
from commerce.infra.outbox import Subscriber
from commerce.settings import Settings


class Invariant(msgspec.Struct, frozen=True):
    """`number` is the line of DESIGN 14; `sql` selects offending rows, none when the books are right. A `full` one reads everything,
    however old, and is checked only when that is asked for."""

    number: int
    name: str
    sql: str
    full: bool = False


NUMBERED = """
SELECT count(published_no) AS published, min(published_no) AS first, max(published_no) AS last FROM infra.outbox
HAVING count(published_no) <> coalesce(max(published_no), 0) OR coalesce(min(published_no), 1) <> 1
"""
PUBLISHED_FIRST = """
SELECT d.event_id, d.subscriber FROM infra.deliveries d JOIN infra.outbox o ON o.id = d.event_id WHERE o.published_no IS NULL
"""
ANSWERED = (
    "SELECT principal, operation, key, claimed_at FROM infra.idempotency_keys WHERE answer IS NULL AND packed IS NULL"
)
INVARIANTS = [
    Invariant(8, "published events are numbered from 1 without gaps", NUMBERED),
    Invariant(8, "only a published event is delivered", PUBLISHED_FIRST),
    Invariant(8, "every idempotency key has its answer", ANSWERED),
]


def delivered(subscribers: Sequence[Subscriber]) -> Invariant:
    """Each event published since a subscriber joined has its delivery to him."""
    known = ", ".join(f"('{s.name}', '{s.event}')" for s in subscribers) or "(NULL, NULL)"
    return Invariant(
        8,
        "every published event has a delivery to each of its subscribers",
        f"""
        SELECT o.type, o.id, o.published_no, s.subscriber
        FROM infra.outbox o JOIN (VALUES {known}) AS s(subscriber, type) ON s.type = o.type
        JOIN infra.subscribers k ON k.name = s.subscriber
        LEFT JOIN infra.deliveries d ON d.event_id = o.id AND d.subscriber = s.subscriber
        WHERE o.published_no > k.since AND d.event_id IS NULL
        """,
    )


class Finding(msgspec.Struct, frozen=True):
    """One invariant, checked: the offending rows, at most a hundred of them."""

    number: int
    name: str
    offending: list[dict[str, Any]]


async def check(tx: Tx, invariants: Sequence[Invariant]) -> list[Finding]:
    """Check the invariants on one snapshot."""
    findings = []
    for invariant in invariants:
        rows = await tx.rows(f"SELECT * FROM ({invariant.sql}) AS offending LIMIT 100")
        offending = [{key: _plain(value) for key, value in row.items()} for row in rows]
        findings.append(Finding(number=invariant.number, name=invariant.name, offending=offending))
    return findings


async def run(settings: Settings, invariants: Sequence[Invariant], *, full: bool = False) -> list[Finding]:
    """Check the invariants on a live database in one REPEATABLE READ snapshot, with a pool of its own and no time-out."""
    db = Database.open(settings, name="commerce-audit", timeouts=False)
    try:
        return await db.snapshot(check, [invariant for invariant in invariants if full or not invariant.full])
    finally:
        await db.close()


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | bool) else str(value)
