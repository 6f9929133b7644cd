"""What `commerce audit` runs: named invariants, each one SQL statement that answers the rows that break it (DESIGN 14)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from commerce.infra.db import Database, Tx
from commerce.settings import Settings


class Invariant(msgspec.Struct, frozen=True):
    """`number` is the line of DESIGN 14; `sql` selects offending rows, none when the books are right."""

    number: int
    name: str
    sql: str


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


async def run(settings: Settings, invariants: Sequence[Invariant]) -> list[Finding]:
    """Check the invariants on a live database in one REPEATABLE READ snapshot, with a pool of its own and no time-out."""
    db = Database.open(settings, name="commerce-audit", timeouts=False)
    try:
        return await db.snapshot(check, invariants)
    finally:
        await db.close()


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | bool) else str(value)
