"""HTTP of `fulfillment`: who has it near me, and the store's queue."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from commerce import auth, catalog, locations, stock
from commerce.fulfillment import availability, delivery, queries, rules, service
from commerce.fulfillment.availability import AvailabilityList
from commerce.fulfillment.delivery import DeliveryMethodList, DeliveryMethodView, SaveDeliveryMethod
from commerce.fulfillment.errors import (
    BadDeliveryMethod,
    BadDryRun,
    BadPromise,
    BadSourcingRules,
    BundleIncomplete,
    DateIsPast,
    DeliveryMethodChanged,
    NotInFulfillment,
    OtherStore,
    PickedTooMany,
    SourcingRulesChanged,
    UnknownFulfillment,
    WrongStep,
)
from commerce.fulfillment.rules import DryRun, RulesList, RulesView, SetRules, SourcingPlanView
from commerce.fulfillment.schemas import CheckedView, Pick, PromiseAgain, State, StoreFulfillmentView
from commerce.fulfillment.sourcing import Scope
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import NO_NUL, Code, Sku
from commerce.locations import BadNear
from commerce.settings import Settings

FulfillmentNumber = Annotated[str, Meta(min_length=1, max_length=32, pattern=NO_NUL, description="4821-3059-1768-1")]
Skus = Annotated[list[Sku], Meta(min_length=1, max_length=100)]
Near = Annotated[str, Meta(max_length=64, pattern=NO_NUL, description="latitude,longitude in degrees")]
States = Annotated[list[State], Meta(max_length=8)]
Named = Annotated[
    States | None,
    QueryParameter(name="state", required=False, description="Repeat it for several; all that is not closed without"),
]
Places = Annotated[int, Meta(ge=1, le=300, description="How many locations, the nearest first")]
On = Annotated[
    date, Meta(description="Also what can be promised for this day: what is there, and what is announced until then")
]
At = Annotated[
    Annotated[list[Code], Meta(max_length=300)] | None,
    QueryParameter(name="location", required=False, description="Only at these; repeat it for several"),
]
Purpose = Annotated[Scope, Meta(description="What the sources are for: pickups or deliveries")]
STEP = (locations.UnknownLocation, UnknownFulfillment, OtherStore, WrongStep)


@get(
    "/v1/availability", operation_id="list_availability", tags=["shop"], guards=[auth.caller],
    responses=problems(catalog.UnknownSku, locations.UnknownLocation, BadNear, DateIsPast),
)  # fmt: skip
async def list_availability(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    sku: FromQuery[Skus],
    near: FromQuery[Near | None] = None,
    limit: FromQuery[Places] = 50,
    on: FromQuery[On | None] = None,
    places: At = None,
) -> AvailabilityList:
    """Where up to 100 SKUs can be collected, from when, and how far that is; what could be sent there, what is announced, and with
    `near` when each delivery method would bring it. Staff see numbers and buckets of their locations."""
    return await db.browse(
        availability.availability, actor, skus=sku, near=near, limit=limit, on=on, codes=places,
        show_quantities=settings.show_quantities,
    )  # fmt: skip


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
    responses=writes(
        *STEP, NotInFulfillment, PickedTooMany, BundleIncomplete, stock.UnitCodesNeeded, stock.UnitCodesNotKept, stock.UnitCodeRepeated,
        stock.UnitNotHere, stock.UnitTaken,
    ),
)  # fmt: skip
async def pick_fulfillment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    number: FromPath[FulfillmentNumber],
    data: JSONBody[Pick],
) -> StoreFulfillmentView:
    """Record what was scanned: accepted → picking, and picked when all of it is there. Units with codes of their own are named."""
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


@get(
    "/v1/sourcing/rules", operation_id="list_sourcing_rules", tags=["back office"],
    guards=[auth.everywhere("sourcing.write")], responses=problems(),
)  # fmt: skip
async def list_sourcing_rules(db: NamedDependency[Database]) -> RulesList:
    """By what the sources of orders are chosen, for pickups and for deliveries. Version 0: nobody has set them."""
    return await db.read(rules.listing)


@put(
    "/v1/sourcing/rules/{kind:str}", operation_id="set_sourcing_rules", tags=["back office"],
    guards=[auth.everywhere("sourcing.write")], responses=writes(BadSourcingRules, SourcingRulesChanged),
)  # fmt: skip
async def set_sourcing_rules(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    kind: FromPath[Purpose],
    data: JSONBody[SetRules],
) -> RulesView:
    """Choose the sources of orders by other rules from now on: tiers of weighted rules, and what may be done."""
    return await db.write_once(
        once, RulesView, rules.set_rules, actor, scope=kind, command=data, if_match=if_match
    )  # fmt: skip


@post(
    "/v1/sourcing/dry-run", operation_id="dry_run_sourcing", tags=["back office"], guards=[auth.staff("stock.read")],
    status_code=200, responses=problems(catalog.UnknownSku, locations.UnknownLocation, BadDryRun),
)  # fmt: skip
async def dry_run_sourcing(db: NamedDependency[Database], data: JSONBody[DryRun]) -> SourcingPlanView:
    """Where the goods of an order would come from now, why from there, why not from elsewhere, and when they would be there.
    Nothing is written, so no Idempotency-Key is needed."""
    return await db.read(rules.dry_run, command=data)


@get(
    "/v1/delivery-methods", operation_id="list_delivery_methods", tags=["shop"], guards=[auth.caller],
    responses=problems(),
)  # fmt: skip
async def list_delivery_methods(db: NamedDependency[Database], actor: NamedDependency[Actor]) -> DeliveryMethodList:
    """The ways to have goods brought; for the back office also those that are not published."""
    return await db.browse(delivery.listing, actor)


@put(
    "/v1/delivery-methods/{code:str}", operation_id="save_delivery_method", tags=["back office"],
    guards=[auth.everywhere("sourcing.write")], responses=writes(BadDeliveryMethod, DeliveryMethodChanged),
)  # fmt: skip
async def save_delivery_method(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    data: JSONBody[SaveDeliveryMethod],
) -> DeliveryMethodView:
    """Make or change a delivery method: how far it goes, in how many days, on which days it leaves."""
    return await db.write_once(
        once, DeliveryMethodView, delivery.save, actor, code=code, command=data, if_match=if_match
    )  # fmt: skip


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
    list_sourcing_rules,
    set_sourcing_rules,
    dry_run_sourcing,
    list_delivery_methods,
    save_delivery_method,
]
