"""HTTP of the feed and of the audit record."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from commerce import auth
from commerce.events import queries
from commerce.events.schemas import Action, After, AuditRecord, EventTypes, Feed, Target, TargetId
from commerce.infra.db import Database
from commerce.infra.http import problems
from commerce.infra.parameters import Instant, id_of, moment
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import Code, IdText

Since = Annotated[Instant | None, QueryParameter(name="from", required=False, description="From this instant on")]
Until = Annotated[Instant | None, QueryParameter(name="until", required=False, description="Before this instant")]


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


@get(
    "/v1/audit-records",
    operation_id="list_audit_records",
    tags=["back office"],
    guards=[auth.everywhere("audit.read")],
    responses=problems(BadCursor),
)
async def list_audit_records(
    db: NamedDependency[Database],
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
    subject: FromQuery[IdText | None] = None,
    on_behalf_of: FromQuery[IdText | None] = None,
    device: FromQuery[IdText | None] = None,
    location: FromQuery[Code | None] = None,
    action: FromQuery[Action | None] = None,
    target: FromQuery[Target | None] = None,
    target_id: FromQuery[TargetId | None] = None,
    since: Since = None,
    until: Until = None,
) -> Page[AuditRecord]:
    """What staff, devices, servers and the application did, the newest first: who, for whom, where, through what, to what."""
    return await db.read(
        queries.audit_records, limit=limit, cursor=cursor, subject=id_of(subject), on_behalf_of=id_of(on_behalf_of), device=id_of(device),
        location=location, action=action, target=target, target_id=target_id, since=moment("from", since), until=moment("until", until),
    )  # fmt: skip


@get(
    "/v1/stores/{code:str}/audit-records",
    operation_id="list_store_audit_records",
    tags=["store"],
    guards=[auth.at_store("audit.read")],
    responses=problems(BadCursor),
)
async def list_store_audit_records(
    db: NamedDependency[Database],
    code: FromPath[Code],
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
    subject: FromQuery[IdText | None] = None,
    device: FromQuery[IdText | None] = None,
    action: FromQuery[Action | None] = None,
    target: FromQuery[Target | None] = None,
    target_id: FromQuery[TargetId | None] = None,
    since: Since = None,
    until: Until = None,
) -> Page[AuditRecord]:
    """What was done in this store, the newest first: on its devices, or through its part of the API."""
    return await db.read(
        queries.audit_records, limit=limit, cursor=cursor, location=code, subject=id_of(subject), device=id_of(device), action=action,
        target=target, target_id=target_id, since=moment("from", since), until=moment("until", until),
    )  # fmt: skip


ROUTES = [read_events, list_audit_records, list_store_audit_records]
