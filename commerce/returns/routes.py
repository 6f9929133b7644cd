"""HTTP of returns."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from commerce import auth
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import Code
from commerce.locations import UnknownLocation
from commerce.orders import NoSuchCustomer, UnknownOrder
from commerce.payments import (
    CardNumberRefused,
    OtherTenderRefused,
    RefundExceedsPayment,
    RegisterElsewhere,
    UnknownReceipt,
)
from commerce.prices import WrongCurrency
from commerce.returns import blind, queries, service
from commerce.returns.errors import (
    BlindReturnTooDear,
    GoodsNotTaken,
    LineNotInOrder,
    NotHandedOver,
    RefundAboveLowest,
    ReturnApprovalNeeded,
    ReturnNotAccepted,
    SaleKnown,
    SaleNotNamed,
    StoreTakesNoReturns,
    TooManyReturned,
    UnknownReturn,
)
from commerce.returns.schemas import (
    AcceptBlindReturn,
    AcceptReturn,
    BlindReturnPreview,
    PreviewBlindReturn,
    PreviewReturn,
    ReturnNumber,
    ReturnPreview,
    ReturnSummary,
    ReturnView,
)
from commerce.settings import Settings
from commerce.stock import LevelTooHigh, UnitCodeRepeated, UnitCodesNeeded, UnitCodesNotKept, UnitNotOut, UnitOnRecord

REFUSALS = (
    UnknownLocation,
    StoreTakesNoReturns,
    SaleNotNamed,
    UnknownOrder,
    UnknownReceipt,
    LineNotInOrder,
    NotHandedOver,
    TooManyReturned,
    ReturnNotAccepted,
    UnitCodesNeeded,
    UnitCodesNotKept,
    UnitCodeRepeated,
    UnitNotOut,
)

BLIND_REFUSALS = (
    UnknownLocation,
    StoreTakesNoReturns,
    GoodsNotTaken,
    WrongCurrency,
    RefundAboveLowest,
    ReturnNotAccepted,
    SaleKnown,
    BlindReturnTooDear,
    UnitCodesNeeded,
    UnitCodesNotKept,
    UnitCodeRepeated,
    UnitOnRecord,
)


@post(
    "/v1/stores/{code:str}/returns",
    operation_id="accept_return",
    tags=["store"],
    guards=[auth.at_store("returns.accept")],
    status_code=201,
    responses=writes(
        *REFUSALS, CardNumberRefused, OtherTenderRefused, RefundExceedsPayment, RegisterElsewhere, LevelTooHigh,
        *auth.APPROVAL_REFUSALS,
    ),
)  # fmt: skip
async def accept_return(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    approved: NamedDependency[Actor],
    code: FromPath[Code],
    data: JSONBody[AcceptReturn],
) -> ReturnView:
    """Take goods back over the counter, whatever the store or channel they were bought in, and give the money back.
    Otherwise than it was paid only with `refunds.other_tender`, one's own or that of whoever approves in this request."""
    return await db.write_once(once, ReturnView, service.accept, approved, code=code, command=data)


@post(
    "/v1/stores/{code:str}/returns/preview",
    operation_id="preview_return",
    tags=["store"],
    guards=[auth.at_store("returns.accept")],
    status_code=200,
    responses=writes(*REFUSALS),
)
async def preview_return(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    data: JSONBody[PreviewReturn],
) -> ReturnPreview:
    """What would be given back for these goods. Nothing is booked."""
    return await db.write_once(once, ReturnPreview, service.preview, actor, code=code, command=data)


@post(
    "/v1/stores/{code:str}/returns/blind",
    operation_id="accept_blind_return",
    tags=["store"],
    guards=[auth.at_store("returns.accept")],
    status_code=201,
    responses=writes(
        *BLIND_REFUSALS, NoSuchCustomer, CardNumberRefused, RegisterElsewhere, LevelTooHigh, ReturnApprovalNeeded,
        *auth.APPROVAL_REFUSALS,
    ),
)  # fmt: skip
async def accept_blind_return(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    approved: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    code: FromPath[Code],
    data: JSONBody[AcceptBlindReturn],
) -> ReturnView:
    """Take goods back without an order number or a receipt: at most their lowest price of the last days is given back. Only with
    `returns.blind`, one's own or that of whoever approves in this request. What a unit's code says was sold comes back by its order."""
    return await db.write_once(
        once, ReturnView, blind.accept, approved, code=code, command=data, days=settings.blind_return_days,
        most=settings.blind_return_most,
    )  # fmt: skip


@post(
    "/v1/stores/{code:str}/returns/blind/preview",
    operation_id="preview_blind_return",
    tags=["store"],
    guards=[auth.at_store("returns.accept")],
    status_code=200,
    responses=writes(*BLIND_REFUSALS),
)
async def preview_blind_return(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    code: FromPath[Code],
    data: JSONBody[PreviewBlindReturn],
) -> BlindReturnPreview:
    """What would be given back for these goods without a sale, at most, and whether somebody must approve it. Nothing is booked."""
    return await db.write_once(
        once, BlindReturnPreview, blind.preview, actor, code=code, command=data, days=settings.blind_return_days,
        most=settings.blind_return_most,
    )  # fmt: skip


@get(
    "/v1/stores/{code:str}/returns",
    operation_id="list_store_returns",
    tags=["store"],
    guards=[auth.at_store("returns.accept")],
    responses=problems(UnknownLocation, BadCursor),
)
async def list_store_returns(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[ReturnSummary]:
    """What came back to this store, newest first."""
    return await db.read(queries.of_store, actor, code=code, limit=limit, cursor=cursor)


@get(
    "/v1/stores/{code:str}/returns/{number:str}",
    operation_id="read_store_return",
    tags=["store"],
    guards=[auth.at_store("returns.accept")],
    responses=problems(UnknownLocation, UnknownReturn),
)
async def read_store_return(
    db: NamedDependency[Database], actor: NamedDependency[Actor], code: FromPath[Code], number: FromPath[ReturnNumber]
) -> ReturnView:
    """A return that came to this store."""
    return await db.read(queries.return_of_store, actor, code=code, number=number)


@get(
    "/v1/returns",
    operation_id="list_returns",
    tags=["shop"],
    guards=[auth.shopper],
    responses=problems(BadCursor),
)
async def list_returns(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[ReturnSummary]:
    """The shopper's returns, newest first, whatever the store."""
    return await db.read(queries.mine, actor, limit=limit, cursor=cursor)


@get(
    "/v1/returns/{number:str}",
    operation_id="read_return",
    tags=["shop"],
    guards=[auth.shopper],
    responses=problems(UnknownReturn),
)
async def read_return(
    db: NamedDependency[Database], actor: NamedDependency[Actor], number: FromPath[ReturnNumber]
) -> ReturnView:
    """One of the shopper's returns."""
    return await db.read(queries.my_return, actor, number=number)


ROUTES = [
    accept_return,
    preview_return,
    accept_blind_return,
    preview_blind_return,
    list_store_returns,
    read_store_return,
    list_returns,
    read_return,
]
