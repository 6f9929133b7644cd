"""HTTP of `fulfillment`: who has it near me, and the store's queue."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from commerce import auth, catalog, locations
from commerce.fulfillment import queries, service
from commerce.fulfillment.errors import (
    BadPromise,
    NotInFulfillment,
    OtherStore,
    PickedTooMany,
    UnknownFulfillment,
    WrongStep,
)
from commerce.fulfillment.schemas import AvailabilityList, CheckedView, Pick, PromiseAgain, State, StoreFulfillmentView
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import NO_NUL, Code, Sku
from commerce.locations import BadNear

FulfillmentNumber = Annotated[str, Meta(min_length=1, max_length=32, pattern=NO_NUL, description="4821-3059-1768-1")]
Skus = Annotated[list[Sku], Meta(min_length=1, max_length=100)]
Near = Annotated[str, Meta(max_length=64, pattern=NO_NUL, description="latitude,longitude in degrees")]
States = Annotated[list[State], Meta(max_length=8)]
Named = Annotated[
    States | None,
    QueryParameter(name="state", required=False, description="Repeat it for several; all that is not closed without"),
]
STEP = (locations.UnknownLocation, UnknownFulfillment, OtherStore, WrongStep)


@get(
    "/v1/availability", operation_id="list_availability", tags=["shop"], guards=[auth.caller],
    responses=problems(catalog.UnknownSku, BadNear),
)  # fmt: skip
async def list_availability(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    sku: FromQuery[Skus],
    near: FromQuery[Near | None] = None,
) -> AvailabilityList:
    """Where up to 100 SKUs can be collected, from when, and how far that is; staff see the buckets of their locations."""
    return await db.browse(queries.availability, actor, skus=sku, near=near)


@get(
    "/v1/stores/{code:str}/fulfillments", operation_id="list_store_fulfillments", tags=["store"],
    guards=[auth.at_store("fulfillments.work")], responses=problems(locations.UnknownLocation, BadCursor),
)  # fmt: skip
async def list_store_fulfillments(
    db: NamedDependency[Database],
    code: FromPath[Code],
    states: Named = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[StoreFulfillmentView]:
    """The store's queue: at risk first, then by what was promised first; all that is not closed, unless states are named."""
    return await db.read(queries.queue, code=code, states=states, limit=limit, cursor=cursor)


@get(
    "/v1/stores/{code:str}/fulfillments/{number:str}", operation_id="get_store_fulfillment", tags=["store"],
    guards=[auth.at_store("fulfillments.work")],
    responses=problems(locations.UnknownLocation, UnknownFulfillment, OtherStore),
)  # fmt: skip
async def get_store_fulfillment(
    db: NamedDependency[Database], code: FromPath[Code], number: FromPath[FulfillmentNumber]
) -> StoreFulfillmentView:
    """One fulfillment of this store."""
    return await db.read(queries.at_store, code=code, number=number)


@post(
    "/v1/stores/{code:str}/fulfillments/{number:str}/accept", operation_id="accept_fulfillment", tags=["store"],
    guards=[auth.at_store("fulfillments.work")], status_code=200, responses=writes(*STEP),
)  # fmt: skip
async def accept_fulfillment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    number: FromPath[FulfillmentNumber],
) -> StoreFulfillmentView:
    """Take the work on: open → accepted."""
    return await db.write_once(once, StoreFulfillmentView, service.accept, actor, code=code, number=number)


@post(
    "/v1/stores/{code:str}/fulfillments/{number:str}/pick", operation_id="pick_fulfillment", tags=["store"],
    guards=[auth.at_store("fulfillments.work")], status_code=200,
    responses=writes(*STEP, NotInFulfillment, PickedTooMany),
)  # fmt: skip
async def pick_fulfillment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    number: FromPath[FulfillmentNumber],
    data: JSONBody[Pick],
) -> StoreFulfillmentView:
    """Record what was scanned: accepted → picking, and picked when all of it is there."""
    return await db.write_once(once, StoreFulfillmentView, service.pick, actor, code=code, number=number, command=data)


@post(
    "/v1/stores/{code:str}/fulfillments/{number:str}/pack", operation_id="pack_fulfillment", tags=["store"],
    guards=[auth.at_store("fulfillments.work")], status_code=200, responses=writes(*STEP),
)  # fmt: skip
async def pack_fulfillment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    number: FromPath[FulfillmentNumber],
) -> StoreFulfillmentView:
    """Packed for the shelf: picked → packed. May be left out."""
    return await db.write_once(once, StoreFulfillmentView, service.pack, actor, code=code, number=number)


@post(
    "/v1/stores/{code:str}/fulfillments/{number:str}/ready", operation_id="ready_fulfillment", tags=["store"],
    guards=[auth.at_store("fulfillments.work")], status_code=200, responses=writes(*STEP),
)  # fmt: skip
async def ready_fulfillment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    number: FromPath[FulfillmentNumber],
) -> StoreFulfillmentView:
    """The customer can come: picked or packed → ready_for_pickup; the order now shows its customer the code."""
    return await db.write_once(once, StoreFulfillmentView, service.ready, actor, code=code, number=number)


@post(
    "/v1/stores/{code:str}/fulfillments/{number:str}/check", operation_id="check_fulfillment", tags=["store"],
    guards=[auth.at_store("fulfillments.work")], status_code=200, responses=writes(*STEP),
)  # fmt: skip
async def check_fulfillment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    number: FromPath[FulfillmentNumber],
) -> CheckedView:
    """Somebody looked at the shelf: what this pickup has lost and is there again is set aside again, and what is still missing
    is named."""
    return await db.write_once(once, CheckedView, service.check, actor, code=code, number=number)


@post(
    "/v1/stores/{code:str}/fulfillments/{number:str}/promise", operation_id="promise_fulfillment_again", tags=["store"],
    guards=[auth.at_store("fulfillments.work")], status_code=200, responses=writes(*STEP, BadPromise),
)  # fmt: skip
async def promise_fulfillment_again(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    number: FromPath[FulfillmentNumber],
    data: JSONBody[PromiseAgain],
) -> StoreFulfillmentView:
    """Tell the customer a later time, with a reason; what was promised before stays on record."""
    return await db.write_once(
        once, StoreFulfillmentView, service.promise_again, actor, code=code, number=number, command=data
    )


ROUTES = [
    list_availability,
    list_store_fulfillments,
    get_store_fulfillment,
    accept_fulfillment,
    pick_fulfillment,
    pack_fulfillment,
    ready_fulfillment,
    check_fulfillment,
    promise_fulfillment_again,
]
