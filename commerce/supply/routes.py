"""HTTP of `supply`: suppliers and their announcements for the back office, receiving for the store."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Meta

from commerce import auth, locations, stock
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import NO_NUL, Code
from commerce.supply import queries, service
from commerce.supply.errors import (
    BadSupply,
    MoreThanAnnounced,
    NotAnnounced,
    NotYoursToPlan,
    OtherDestination,
    ReasonNeeded,
    ReferenceTaken,
    StaleSupply,
    SupplierChanged,
    SupplyOver,
    UnknownExpectedReceipt,
    UnknownSupplier,
)
from commerce.supply.schemas import (
    Announce,
    CancelSupply,
    ChangeSupply,
    CloseSupply,
    ExpectedReceiptDetail,
    ExpectedReceiptSummary,
    ExpectedReceiptView,
    ReceiveSupply,
    SaveSupplier,
    State,
    SupplierView,
    SupplyReceiptView,
)

SupplyNumber = Annotated[str, Meta(min_length=1, max_length=32, pattern=NO_NUL, description="S-4821-3059-1768")]
States = Annotated[list[State], Meta(max_length=4)]
Named = Annotated[
    States | None,
    QueryParameter(name="state", required=False, description="Repeat it for several; what is still to come without"),
]
DueBefore = Annotated[date, Meta(description="Only what is expected before this day")]
GOODS = (stock.UnknownSkus, stock.BundleHasNoStock, BadSupply)
PLANNED = (UnknownExpectedReceipt, NotYoursToPlan, StaleSupply, SupplyOver, stock.NotExpected)
HERE = (locations.UnknownLocation, UnknownExpectedReceipt, OtherDestination, StaleSupply, SupplyOver, stock.NotExpected)


@put(
    "/v1/suppliers/{code:str}", operation_id="save_supplier", tags=["back office"],
    guards=[auth.everywhere("stock.plan")], responses=writes(SupplierChanged),
)  # fmt: skip
async def save_supplier(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    data: JSONBody[SaveSupplier],
) -> SupplierView:
    """Make or change a supplier."""
    return await db.write_once(
        once, SupplierView, service.save_supplier, actor, code=code, command=data, if_match=if_match
    )


@get(
    "/v1/suppliers/{code:str}", operation_id="read_supplier", tags=["back office"], guards=[auth.staff("stock.plan")],
    responses=problems(UnknownSupplier),
)  # fmt: skip
async def read_supplier(db: NamedDependency[Database], code: FromPath[Code]) -> SupplierView:
    """One supplier."""
    return await db.read(queries.supplier, code=code)


@get(
    "/v1/suppliers", operation_id="list_suppliers", tags=["back office"], guards=[auth.staff("stock.plan")],
    responses=problems(BadCursor),
)  # fmt: skip
async def list_suppliers(
    db: NamedDependency[Database], limit: FromQuery[Limit] = 50, cursor: FromQuery[Cursor | None] = None
) -> Page[SupplierView]:
    """Suppliers by code."""
    return await db.read(queries.suppliers, limit=limit, cursor=cursor)


@post(
    "/v1/expected-receipts", operation_id="announce_expected_receipt", tags=["back office"],
    guards=[auth.staff("stock.plan")], status_code=201,
    responses=writes(
        NotYoursToPlan,
        locations.UnknownLocation,
        stock.LocationCannotReceive,
        UnknownSupplier,
        *GOODS,
        ReferenceTaken,
    ),
)  # fmt: skip
async def announce_expected_receipt(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[Announce],
) -> ExpectedReceiptView:
    """Write down what a supplier will deliver, where and when. From now on orders may be promised from it."""
    return await db.write_once(once, ExpectedReceiptView, service.announce, actor, command=data)


@get(
    "/v1/expected-receipts", operation_id="list_expected_receipts", tags=["back office"],
    guards=[auth.staff("stock.plan")],
    responses=problems(NotYoursToPlan, locations.UnknownLocation, UnknownSupplier, BadCursor),
)  # fmt: skip
async def list_expected_receipts(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    location: FromQuery[Code | None] = None,
    supplier: FromQuery[Code | None] = None,
    states: Named = None,
    due_before: FromQuery[DueBefore] = date.max,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[ExpectedReceiptSummary]:
    """What is announced, the soonest first; all that is still to come, unless states are named."""
    return await db.read(
        queries.listing, actor, location=location, supplier=supplier, states=states, due_before=due_before, limit=limit,
        cursor=cursor,
    )  # fmt: skip


@get(
    "/v1/expected-receipts/{number:str}", operation_id="read_expected_receipt", tags=["back office"],
    guards=[auth.staff("stock.plan")], responses=problems(UnknownExpectedReceipt, NotYoursToPlan),
)  # fmt: skip
async def read_expected_receipt(
    db: NamedDependency[Database], actor: NamedDependency[Actor], number: FromPath[SupplyNumber]
) -> ExpectedReceiptDetail:
    """One delivery with its lines and what was done about it."""
    return await db.read(queries.one, actor, number=number)


@post(
    "/v1/expected-receipts/{number:str}/change", operation_id="change_expected_receipt", tags=["back office"],
    guards=[auth.staff("stock.plan")], status_code=200,
    responses=writes(*PLANNED, *GOODS, stock.LocationCannotReceive),
)  # fmt: skip
async def change_expected_receipt(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    number: FromPath[SupplyNumber],
    data: JSONBody[ChangeSupply],
) -> ExpectedReceiptView:
    """Another day, less or more of it. Promises on what will not come break, the newest first, and their orders are told."""
    return await db.write_once(
        once, ExpectedReceiptView, service.change, actor, number=number, command=data, if_match=if_match
    )


@post(
    "/v1/expected-receipts/{number:str}/cancel", operation_id="cancel_expected_receipt", tags=["back office"],
    guards=[auth.staff("stock.plan")], status_code=200, responses=writes(*PLANNED),
)  # fmt: skip
async def cancel_expected_receipt(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    number: FromPath[SupplyNumber],
    data: JSONBody[CancelSupply],
) -> ExpectedReceiptView:
    """Nothing more of it will come. Promises on it break, the newest first, and their orders are told."""
    return await db.write_once(
        once, ExpectedReceiptView, service.cancel, actor, number=number, command=data, if_match=if_match
    )


@get(
    "/v1/stores/{code:str}/expected-receipts", operation_id="list_store_expected_receipts", tags=["store"],
    guards=[auth.at_store("stock.receive")], responses=problems(locations.UnknownLocation, BadCursor),
)  # fmt: skip
async def list_store_expected_receipts(
    db: NamedDependency[Database],
    code: FromPath[Code],
    states: Named = None,
    due_before: FromQuery[DueBefore] = date.max,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[ExpectedReceiptSummary]:
    """What suppliers will bring here, the soonest first; all that is still to come, unless states are named."""
    return await db.read(queries.of_store, code=code, states=states, due_before=due_before, limit=limit, cursor=cursor)


@get(
    "/v1/stores/{code:str}/expected-receipts/{number:str}", operation_id="read_store_expected_receipt", tags=["store"],
    guards=[auth.at_store("stock.receive")],
    responses=problems(locations.UnknownLocation, UnknownExpectedReceipt, OtherDestination),
)  # fmt: skip
async def read_store_expected_receipt(
    db: NamedDependency[Database], code: FromPath[Code], number: FromPath[SupplyNumber]
) -> ExpectedReceiptDetail:
    """One delivery for this store: what to count."""
    return await db.read(queries.at_store, code=code, number=number)


@post(
    "/v1/stores/{code:str}/expected-receipts/{number:str}/receive", operation_id="receive_expected_receipt",
    tags=["store"], guards=[auth.at_store("stock.receive")], status_code=201,
    responses=writes(
        *HERE, *GOODS, NotAnnounced, MoreThanAnnounced, ReasonNeeded, stock.LevelTooHigh, stock.TooManyUnitCodes,
        stock.UnitCodesNotKept, stock.UnitCodeRepeated, stock.UnitAlreadyHere,
    ),
)  # fmt: skip
async def receive_expected_receipt(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    number: FromPath[SupplyNumber],
    data: JSONBody[ReceiveSupply],
) -> SupplyReceiptView:
    """Book what came, all of it or a part. Orders that were promised from it have their goods set aside, the oldest first."""
    return await db.write_once(
        once, SupplyReceiptView, service.receive, actor, code=code, number=number, command=data, if_match=if_match
    )


@post(
    "/v1/stores/{code:str}/expected-receipts/{number:str}/close", operation_id="close_expected_receipt",
    tags=["store"], guards=[auth.at_store("stock.receive")], status_code=200,
    responses=writes(*HERE, NotAnnounced, ReasonNeeded),
)  # fmt: skip
async def close_expected_receipt(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    code: FromPath[Code],
    number: FromPath[SupplyNumber],
    data: JSONBody[CloseSupply],
) -> ExpectedReceiptView:
    """What has not come is short, with its reasons. Promises on it break, the newest first, and their orders are told."""
    return await db.write_once(
        once, ExpectedReceiptView, service.close, actor, code=code, number=number, command=data, if_match=if_match
    )


ROUTES = [
    save_supplier,
    read_supplier,
    list_suppliers,
    announce_expected_receipt,
    list_expected_receipts,
    read_expected_receipt,
    change_expected_receipt,
    cancel_expected_receipt,
    list_store_expected_receipts,
    read_store_expected_receipt,
    receive_expected_receipt,
    close_expected_receipt,
]
