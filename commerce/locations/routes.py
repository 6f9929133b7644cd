"""HTTP of `locations`."""

from __future__ import annotations

from typing import Annotated

from litestar import get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from commerce import auth
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import Code
from commerce.locations import queries, service
from commerce.locations.errors import (
    BadLocation,
    BadNear,
    LocationChanged,
    LocationExists,
    OtherLocation,
    UnknownLocation,
)
from commerce.locations.schemas import ROLES, ChangeLocation, CreateLocation, LinksView, LocationView, SetLinks

Near = Annotated[
    str, Meta(max_length=64, pattern=r"^[0-9.,+ -]*$", description="Latitude,longitude in degrees: nearest first")
]
RoleName = Annotated[
    str,
    Meta(
        pattern=f"^({'|'.join(ROLES)})$",
        description="Only locations with this role",
        extra_json_schema={"enum": list(ROLES)},
    ),
]


@get(
    "/v1/locations",
    operation_id="list_locations",
    tags=["shop"],
    guards=[auth.caller],
    responses=problems(BadNear, BadCursor),
)
async def list_locations(
    db: NamedDependency[Database],
    near: FromQuery[Near | None] = None,
    role: FromQuery[RoleName | None] = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[LocationView]:
    """Warehouses and stores by code, or the nearest first; `role` narrows them down."""
    return await db.browse(queries.listing, near=near, role=role, limit=limit, cursor=cursor)


@get(
    "/v1/locations/{code:str}",
    operation_id="read_location",
    tags=["shop"],
    guards=[auth.caller],
    responses=problems(UnknownLocation),
)
async def read_location(db: NamedDependency[Database], code: FromPath[Code]) -> LocationView:
    """One warehouse or store with its hours. Send its ETag with a change, so that nobody else's is lost."""
    return await db.read(queries.view, code=code)


@post(
    "/v1/locations",
    operation_id="create_location",
    tags=["back office"],
    guards=[auth.staff("locations.write")],
    status_code=201,
    responses=writes(LocationExists, BadLocation, OtherLocation),
)
async def create_location(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[CreateLocation],
) -> LocationView:
    """Open a new warehouse or store."""
    return await db.write_once(once, LocationView, service.create, actor, command=data)


@patch(
    "/v1/locations/{code:str}",
    operation_id="change_location",
    tags=["back office"],
    guards=[auth.staff("locations.write")],
    responses=writes(UnknownLocation, LocationChanged, BadLocation, OtherLocation),
)
async def change_location(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    data: JSONBody[ChangeLocation],
) -> LocationView:
    """Change what is named: hours, roles, a pause with its reason, the closing date."""
    return await db.write_once(once, LocationView, service.change, actor, code=code, command=data, if_match=if_match)


@get(
    "/v1/locations/{code:str}/links",
    operation_id="read_links",
    tags=["back office"],
    guards=[auth.at_store("stock.read")],
    responses=problems(UnknownLocation),
)
async def read_links(db: NamedDependency[Database], code: FromPath[Code]) -> LinksView:
    """Which warehouses and stores a location may draw on, how long goods are on their way, and when they leave."""
    return await db.read(queries.links, code=code)


@put(
    "/v1/locations/{code:str}/links",
    operation_id="set_links",
    tags=["back office"],
    guards=[auth.staff("locations.write")],
    responses=writes(UnknownLocation, LocationChanged, BadLocation, OtherLocation),
)
async def set_links(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    data: JSONBody[SetLinks],
) -> LinksView:
    """Say which places a location may draw on: the whole list. Two may draw on each other."""
    return await db.write_once(once, LinksView, service.set_links, actor, code=code, command=data, if_match=if_match)


ROUTES = [list_locations, read_location, create_location, change_location, read_links, set_links]
