"""What `commerce audit` runs: named invariants, each one SQL statement that answers the rows that break it (DESIGN 14)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from commerce.infra.db import engine
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


async def check(connection: AsyncConnection, invariants: Sequence[Invariant]) -> list[Finding]:
    """Check the invariants on one snapshot."""
    findings = []
    for invariant in invariants:
        result = await connection.execute(text(f"SELECT * FROM ({invariant.sql}) AS offending LIMIT 100"))
        rows = [{key: _plain(value) for key, value in row._mapping.items()} for row in result]
        findings.append(Finding(number=invariant.number, name=invariant.name, offending=rows))
    return findings


async def run(settings: Settings, invariants: Sequence[Invariant]) -> list[Finding]:
    """Check the invariants on a live database in one REPEATABLE READ snapshot, with a pool of its own and no time-out."""
    pool = engine(settings.database_url, settings, pool=1, name="commerce-audit", timeouts=False)
    try:
        async with pool.connect() as connection:
            agreed = await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            return await check(agreed, invariants)
    finally:
        await pool.dispose()


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | bool) else str(value)
