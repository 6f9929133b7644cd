"""`/health/live`: the process answers. `/health/ready`: it can do its work; each dependency by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec
from alembic.script import ScriptDirectory
from litestar import Response, get
from litestar.di import NamedDependency

from commerce.infra.db import Database, Tx
from commerce.infra.limits import Limits
from commerce.infra.live import Live
from commerce.kernel.errors import Problem

RELAY_LAG_SECONDS = 60


async def _public(_connection: Any, _handler: Any) -> None:
    """Whoever keeps the process running asks without credentials."""


class Alive(msgspec.Struct, frozen=True):
    status: Literal["ok"] = "ok"


class Ready(msgspec.Struct, frozen=True):
    """`ok` only when all parts are; `degraded` still serves (Valkey away: no live notices); `unavailable` does not."""

    status: Literal["ok", "degraded", "unavailable"]
    database: bool
    valkey: bool
    migrations: bool
    limits: Literal["shared", "local", "off"]
    """Over how many processes the rate limits hold: all, or each for itself while Valkey is away."""
    relay_lag_seconds: int | None
    """Age of the oldest event that waits for the relay; 0 when none waits."""


@cache
def expected_revision() -> str | None:
    """The newest migration this code knows."""
    return ScriptDirectory(str(Path(__file__).resolve().parents[2] / "migrations")).get_current_head()


async def read_state(tx: Tx) -> tuple[str | None, int]:
    """The database's revision and the relay's lag in seconds, in one statement."""
    row = await tx.one(
        """
        SELECT (SELECT max(version_num) FROM public.alembic_version) AS revision,
               coalesce((SELECT extract(epoch FROM clock_timestamp() - min(recorded_at))::int
                         FROM infra.outbox WHERE published_no IS NULL), 0) AS lag
        """
    )
    return row.revision, row.lag


async def readiness(db: Database, live: Live, limits: Limits) -> Response[Ready]:
    """Ask every dependency; 503 when the API could not do its work."""
    valkey = await live.ping()
    held = limits.state(valkey)
    try:
        revision, lag = await db.read(read_state)
    except Problem:
        return Response(
            Ready("unavailable", database=False, valkey=valkey, migrations=False, limits=held, relay_lag_seconds=None),
            status_code=503,
        )
    migrated = revision == expected_revision()
    status: Literal["ok", "degraded", "unavailable"] = "ok"
    if not migrated:
        status = "unavailable"
    elif not valkey or held == "local" or lag > RELAY_LAG_SECONDS:
        status = "degraded"
    return Response(
        Ready(status, database=True, valkey=valkey, migrations=migrated, limits=held, relay_lag_seconds=lag),
        status_code=200 if migrated else 503,
    )


@get("/health/live", operation_id="health_live", tags=["system"], security=[{}], guards=[_public])
async def health_live() -> Alive:
    """The process answers."""
    return Alive()


@get("/health/ready", operation_id="health_ready", tags=["system"], security=[{}], guards=[_public])
async def health_ready(
    db: NamedDependency[Database], live: NamedDependency[Live], limits: NamedDependency[Limits]
) -> Response[Ready]:
    """The process can do its work: database, Valkey, migrations at head, rate limits, lag of the relay."""
    return await readiness(db, live, limits)


ROUTES = [health_live, health_ready]
