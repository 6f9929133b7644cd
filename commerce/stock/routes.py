"""HTTP of `stock`: a store's levels, its deliveries, corrections and what becomes of goods, the history of a variant."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from litestar import Request, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec import Meta

from commerce import auth, catalog, locations
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, streams, writes
from commerce.infra.parameters import Instant, moment
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import Code, Sku
from commerce.settings import Settings
from commerce.stock import adjusting, comparing, exporting, importing, past, safety, shelf, units
from commerce.stock.closings import WhichClock
from commerce.stock.errors import (
    AdjustmentClosed,
    AdjustmentElsewhere,
    BelowZero,
    BundleHasNoStock,
    LevelTooHigh,
    LocationCannotReceive,
    NotPast,
    NotYourStock,
    SafetyScope,
    SameBucket,
    TooManyUnitCodes,
    UnitAlreadyHere,
    UnitCodeRepeated,
    UnitCodesNotKept,
    UnitNotHere,
    UnknownAdjustment,
    UnknownSkus,
    UnknownUnit,
    WrongDirection,
)
from commerce.stock.schemas import (
    AdjustmentState,
    ApproveAdjustment,
    BookAdjustment,
    BookConversion,
    BookedAdjustmentView,
    BookMove,
    BookReceipt,
    BookVendorReturn,
    BookWriteOff,
    GivenUpView,
    LevelView,
    MovementView,
    PostingView,
    RejectAdjustment,
    StockAdjustmentView,
    UnitCode,
    UnitView,
)

Skus = Annotated[list[Sku], Meta(min_length=1, max_length=100, description="Exactly these, in this order")]
InState = Annotated[
    AdjustmentState | None, QueryParameter(name="state", required=False, description="Only these; all without")
]
AsOf = Annotated[
    Instant | None, QueryParameter(name="as_of", required=False, description="As of this past instant; now without")
]
ByClock = Annotated[
    WhichClock,
    QueryParameter(
        name="clock", required=False, description="When it happened (`occurred`), or when it was booked (`recorded`)"
    ),
]
From = Annotated[
    Instant | None, QueryParameter(name="from", required=False, description="Not before this instant, by `clock`")
]
Until = Annotated[
    Instant | None, QueryParameter(name="until", required=False, description="Before this instant, by `clock`")
]
Since = Annotated[
    Instant | None,
    QueryParameter(name="since", required=False, description="What was booked after this instant; all without"),
]
FormatName = Annotated[str, Meta(pattern="^(csv|ndjson)$")]
Form = Annotated[
    FormatName | None, QueryParameter(name="format", required=False, description="Instead of the Accept header")
]
ADJUSTMENT = (locations.UnknownLocation, UnknownAdjustment, AdjustmentElsewhere)
SCANNED = (TooManyUnitCodes, UnitCodesNotKept, UnitCodeRepeated, UnitNotHere)
REGRADING = (locations.UnknownLocation, UnknownSkus, BundleHasNoStock, BelowZero, LevelTooHigh)


@get(
    "/v1/stores/{code:str}/stock",
    operation_id="list_store_stock",
    tags=["store"],
    guards=[auth.at_store("stock.read")],
    responses=problems(locations.UnknownLocation, catalog.UnknownSku, BadCursor),
)
async def list_store_stock(
    db: NamedDependency[Database],
    code: FromPath[Code],
    sku: FromQuery[Skus | None] = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[LevelView]:
    """The store's stock by bucket: a page of all its variants, or the SKUs asked for."""
    return await db.read(shelf.stock_of, code=code, skus=sku, limit=limit, cursor=cursor)


@post(
    "/v1/stores/{code:str}/receipts",
    operation_id="book_stock_receipt",
    tags=["store"],
    guards=[auth.at_store("stock.receive")],
    status_code=201,
    responses=writes(
        locations.UnknownLocation,
        LocationCannotReceive,
        UnknownSkus,
        BundleHasNoStock,
        LevelTooHigh,
        TooManyUnitCodes,
        UnitCodesNotKept,
        UnitCodeRepeated,
        UnitAlreadyHere,
    ),
)
async def book_stock_receipt(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    data: JSONBody[BookReceipt],
) -> PostingView:
    """Book goods that arrived from a supplier; known unit costs move the variant's average cost. Units with codes of their own may be
    named by them."""
    return await db.write_once(once, PostingView, shelf.book_receipt, actor, code=code, command=data)


@post(
    "/v1/stores/{code:str}/adjustments",
    operation_id="book_stock_adjustment",
    tags=["store"],
    guards=[auth.at_store("stock.adjust")],
    status_code=201,
    responses=writes(
        locations.UnknownLocation, catalog.UnknownSku, BundleHasNoStock, BelowZero, WrongDirection, LevelTooHigh,
        *auth.APPROVAL_REFUSALS,
    ),
)  # fmt: skip
async def book_stock_adjustment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    approved: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    code: FromPath[Code],
    data: JSONBody[BookAdjustment],
) -> BookedAdjustmentView:
    """Book damage, theft, a find or a count. Never refused for what is promised: broken promises are told to their orders.
    Above the value that the retailer has set it waits for a manager (`state`), unless one approves in this request: until then
    nothing has moved."""
    return await db.write_once(
        once, BookedAdjustmentView, adjusting.book_adjustment, approved, code=code, command=data,
        approval_above=settings.adjustment_approval_minor, currency=settings.currency,
    )  # fmt: skip


@get(
    "/v1/stores/{code:str}/adjustments",
    operation_id="list_stock_adjustments",
    tags=["store"],
    guards=[auth.at_store("stock.adjust")],
    responses=problems(locations.UnknownLocation, BadCursor),
)
async def list_stock_adjustments(
    db: NamedDependency[Database],
    code: FromPath[Code],
    in_state: InState = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[StockAdjustmentView]:
    """The store's adjustments, the newest first; `state=waiting` for those that a manager has to decide."""
    return await db.read(adjusting.adjustments_of, code=code, state=in_state, limit=limit, cursor=cursor)


@get(
    "/v1/stores/{code:str}/adjustments/{adjustment:uuid}",
    operation_id="get_stock_adjustment",
    tags=["store"],
    guards=[auth.at_store("stock.adjust")],
    responses=problems(*ADJUSTMENT),
)
async def get_stock_adjustment(
    db: NamedDependency[Database], code: FromPath[Code], adjustment: FromPath[UUID]
) -> StockAdjustmentView:
    """One adjustment: what it is worth, who asked for it, who decided."""
    return await db.read(adjusting.adjustment_of, code=code, adjustment=adjustment)


@post(
    "/v1/stores/{code:str}/adjustments/{adjustment:uuid}/approve",
    operation_id="approve_stock_adjustment",
    tags=["store"],
    guards=[auth.at_store("stock.approve")],
    status_code=200,
    responses=writes(*ADJUSTMENT, AdjustmentClosed, BelowZero, WrongDirection, LevelTooHigh),
)
async def approve_stock_adjustment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    adjustment: FromPath[UUID],
    data: JSONBody[ApproveAdjustment],
) -> StockAdjustmentView:
    """Book an adjustment that waits, as of when it was asked for. If less is there by now it is refused, and goes on waiting."""
    return await db.write_once(
        once, StockAdjustmentView, adjusting.approve, actor, code=code, adjustment=adjustment, command=data
    )


@post(
    "/v1/stores/{code:str}/adjustments/{adjustment:uuid}/reject",
    operation_id="reject_stock_adjustment",
    tags=["store"],
    guards=[auth.at_store("stock.approve")],
    status_code=200,
    responses=writes(*ADJUSTMENT, AdjustmentClosed),
)
async def reject_stock_adjustment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    adjustment: FromPath[UUID],
    data: JSONBody[RejectAdjustment],
) -> StockAdjustmentView:
    """Close an adjustment that waits without booking it, and say why."""
    return await db.write_once(
        once, StockAdjustmentView, adjusting.reject, actor, code=code, adjustment=adjustment, command=data
    )


@post(
    "/v1/stores/{code:str}/moves",
    operation_id="move_stock",
    tags=["store"],
    guards=[auth.at_store("stock.adjust")],
    status_code=201,
    responses=writes(*REGRADING, SameBucket, *SCANNED),
)
async def move_stock(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    data: JSONBody[BookMove],
) -> PostingView:
    """Judge goods anew: for sale, to be judged, damaged. What leaves the shelf may break promises, and their orders are told."""
    return await db.write_once(once, PostingView, adjusting.book_move, actor, code=code, command=data)


@post(
    "/v1/stores/{code:str}/conversions",
    operation_id="convert_stock",
    tags=["store"],
    guards=[auth.at_store("stock.adjust")],
    status_code=201,
    responses=writes(*REGRADING, SameBucket, *SCANNED, UnitAlreadyHere),
)
async def convert_stock(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    data: JSONBody[BookConversion],
) -> PostingView:
    """Make goods into others in one act: an opened box, a kit made or broken up. Takes nothing that is promised."""
    return await db.write_once(once, PostingView, adjusting.book_conversion, actor, code=code, command=data)


@post(
    "/v1/stores/{code:str}/vendor-returns",
    operation_id="return_stock_to_vendor",
    tags=["store"],
    guards=[auth.at_store("stock.approve")],
    status_code=201,
    responses=writes(*REGRADING, *SCANNED),
)
async def return_stock_to_vendor(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    code: FromPath[Code],
    data: JSONBody[BookVendorReturn],
) -> GivenUpView:
    """Send goods back to the supplier. Takes nothing that is promised; answers what they are worth."""
    return await db.write_once(
        once, GivenUpView, adjusting.book_vendor_return, actor, code=code, command=data, currency=settings.currency
    )


@post(
    "/v1/stores/{code:str}/write-offs",
    operation_id="write_off_stock",
    tags=["store"],
    guards=[auth.at_store("stock.approve")],
    status_code=201,
    responses=writes(*REGRADING),
)
async def write_off_stock(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    code: FromPath[Code],
    data: JSONBody[BookWriteOff],
) -> GivenUpView:
    """Give goods up for good; answers what they were worth. What leaves the shelf may break promises, and their orders are told."""
    return await db.write_once(
        once, GivenUpView, adjusting.book_write_off, actor, code=code, command=data, currency=settings.currency
    )


@get(
    "/v1/stock/{sku:str}/history",
    operation_id="read_stock_history",
    tags=["back office"],
    guards=[auth.staff("stock.read")],
    responses=problems(catalog.UnknownSku, locations.UnknownLocation, NotYourStock, BadCursor),
)
async def read_stock_history(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    sku: FromPath[Sku],
    location: FromQuery[Code | None] = None,
    clock: ByClock = "occurred",
    since: From = None,
    until: Until = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[MovementView]:
    """Every movement of a variant with its cause and who did it through what, the newest first: as it happened, or as it was booked."""
    return await db.read(
        shelf.history_of, actor, sku=sku, location=location, clock=clock, since=moment("from", since),
        until=moment("until", until), limit=limit, cursor=cursor,
    )  # fmt: skip


@get(
    "/v1/stock/{sku:str}/units",
    operation_id="find_stock_unit",
    tags=["back office"],
    guards=[auth.staff("stock.read")],
    responses=problems(catalog.UnknownSku, UnknownUnit, NotYourStock),
)
async def find_stock_unit(
    db: NamedDependency[Database], actor: NamedDependency[Actor], sku: FromPath[Sku], code: FromQuery[UnitCode]
) -> UnitView:
    """A unit by what the scanner read, whatever characters that has: group separators, slashes."""
    return await db.read(units.unit_of, actor, sku=sku, code=code)


@get(
    "/v1/stock/{sku:str}/units/{unit:str}",
    operation_id="read_stock_unit",
    tags=["back office"],
    guards=[auth.staff("stock.read")],
    responses=problems(catalog.UnknownSku, UnknownUnit, NotYourStock),
)
async def read_stock_unit(
    db: NamedDependency[Database], actor: NamedDependency[Actor], sku: FromPath[Sku], unit: FromPath[UnitCode]
) -> UnitView:
    """Where a unit with a code of its own was last seen, the order line that it left with, and all that happened to it."""
    return await db.read(units.unit_of, actor, sku=sku, code=unit)


@get(
    "/v1/stock/levels",
    operation_id="list_stock_levels",
    tags=["back office"],
    guards=[auth.staff("stock.read")],
    responses=problems(catalog.UnknownSku, locations.UnknownLocation, NotYourStock, NotPast, BadCursor),
)
async def list_stock_levels(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    as_of: AsOf = None,
    clock: ByClock = "occurred",
    location: FromQuery[Code | None] = None,
    sku: FromQuery[Skus | None] = None,
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[past.LevelAt]:
    """Levels of all locations that the caller may see, by bucket: now, or as they stood at any past instant."""
    return await db.read(
        past.levels,
        actor,
        as_of=moment("as_of", as_of),
        clock=clock,
        location=location,
        skus=sku,
        limit=limit,
        cursor=cursor,
    )


@get(
    "/v1/stock/value",
    operation_id="read_stock_value",
    tags=["back office"],
    guards=[auth.staff("stock.read")],
    responses=problems(locations.UnknownLocation, NotYourStock, NotPast),
)
async def read_stock_value(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    as_of: AsOf = None,
    clock: ByClock = "occurred",
    location: FromQuery[Code | None] = None,
) -> past.StockValue:
    """What stock is worth by location and together, at moving average cost and at list price: now, or as of any past instant."""
    return await db.snapshot(
        past.value, actor, as_of=moment("as_of", as_of), clock=clock, location=location, currency=settings.currency
    )


@put(
    "/v1/stock/safety",
    operation_id="set_safety_stock",
    tags=["back office"],
    guards=[auth.staff("stock.plan")],
    responses=writes(locations.UnknownLocation, catalog.UnknownSku, catalog.UnknownCategory, NotYourStock, SafetyScope),
)
async def set_safety_stock(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[safety.SetSafety],
) -> safety.SafetySet:
    """Set or clear what other channels leave on the shelves: for a location, a variant, a category; the most specific rule wins."""
    return await safety.put(db, once, actor, command=data)


@get(
    "/v1/stock/safety",
    operation_id="list_safety_stock",
    tags=["back office"],
    guards=[auth.staff("stock.read")],
    responses=problems(BadCursor),
)
async def list_safety_stock(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[safety.SafetyRuleView]:
    """The rules of safety stock, of all locations and of those that the caller may see, the oldest first."""
    return await db.read(safety.listing, actor, limit=limit, cursor=cursor)


@post(
    "/v1/stock/imports",
    operation_id="import_stock",
    tags=["back office"],
    guards=[auth.staff("stock.plan")],
    status_code=200,
    responses=writes(NotYourStock),
)
async def import_stock(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[importing.ImportStock],
) -> importing.StockImported:
    """Import levels or changes of them; lines with faults are named and left out, or nothing is imported if that is asked for."""
    return await db.write_once(once, importing.StockImported, importing.import_lines, actor, command=data)


@get(
    "/v1/stock/export",
    operation_id="export_stock",
    tags=["back office"],
    guards=[auth.staff("stock.read")],
    responses=problems(locations.UnknownLocation, NotYourStock, NotPast)
    | streams(
        "A line for each level, or for each that has changed since; the header `Export-Until` says from when to go on",
        *exporting.MEDIA_TYPES.values(),
    ),
)
async def export_stock(
    request: Request[Any, Any, Any],
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    location: FromQuery[Code | None] = None,
    since: Since = None,
    form: Form = None,
) -> Stream:
    """Levels as NDJSON or CSV, by `format` or the Accept header, or how they have changed since an instant; it can be imported again."""
    return _stream(
        await exporting.open_export(
            db,
            actor,
            location=location,
            since=moment("since", since),
            form=exporting.form_of(form, request.headers.get("accept", "")),
        )
    )


def _stream(export: exporting.Export) -> Stream:
    return Stream(export.content, media_type=export.media_type, headers=export.headers)


@post(
    "/v1/stock/comparisons",
    operation_id="compare_stock",
    tags=["back office"],
    guards=[auth.staff("stock.plan")],
    status_code=200,
    responses=writes(NotYourStock, NotPast),
)
async def compare_stock(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[comparing.CompareStock],
) -> comparing.StockCompared:
    """Compare what another system has with our levels, now or as of an instant; differences are listed, nothing is changed."""
    return await db.write_once(once, comparing.StockCompared, comparing.compare, actor, command=data)


ROUTES = [
    list_store_stock,
    book_stock_receipt,
    book_stock_adjustment,
    list_stock_adjustments,
    get_stock_adjustment,
    approve_stock_adjustment,
    reject_stock_adjustment,
    move_stock,
    convert_stock,
    return_stock_to_vendor,
    write_off_stock,
    read_stock_history,
    find_stock_unit,
    read_stock_unit,
    list_stock_levels,
    read_stock_value,
    set_safety_stock,
    list_safety_stock,
    import_stock,
    export_stock,
    compare_stock,
]
