"""HTTP of the feed."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from commerce import auth
from commerce.events import queries
from commerce.events.schemas import After, EventTypes, Feed
from commerce.infra.db import Database
from commerce.infra.http import problems
from commerce.kernel.paging import Limit


@get(
    "/v1/events",
    operation_id="read_events",
    tags=["back office"],
    guards=[auth.everywhere("events.read")],
    responses=problems(),
)
async def read_events(
    db: NamedDependency[Database],
    after: FromQuery[After] = 0,
    limit: FromQuery[Limit] = 100,
    event_type: Annotated[EventTypes | None, QueryParameter(name="type")] = None,
) -> Feed:
    """Everything that happened, in one order for all readers, after a cursor; CloudEvents in JSON."""
    return await db.read(queries.after, cursor=after, limit=limit, type=event_type)


ROUTES = [read_events]
