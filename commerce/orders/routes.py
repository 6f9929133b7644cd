"""HTTP of `orders`."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from commerce import auth, carts, customers, fulfillment, locations, payments, stock
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.infra.live import Live
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.tags import Seen
from commerce.kernel.text import NO_NUL, Code
from commerce.orders import counter, flow, queries, rejections, reordering, service
from commerce.orders.errors import (
    AmountTooLarge,
    ApprovalNeeded,
    BadChoice,
    BadMoment,
    CartChanged,
    CartEmpty,
    ContactNeeded,
    ExternalIdTaken,
    FulfillmentNotOffered,
    LinesNotSellable,
    NoSuchCustomer,
    NotCancellable,
    NothingReady,
    NothingToChoose,
    OrderChanged,
    OrderNotAllowed,
    PickupNotOffered,
    SaleElsewhere,
    SaleIdReused,
    TooManyUnits,
    TotalChanged,
    UnknownArticles,
    UnknownOrder,
    WrongTender,
    WrongUnits,
)
from commerce.orders.schemas import (
    AnswerChoice,
    BookSale,
    CancelFulfillment,
    CancelledView,
    CancelOrder,
    ChoiceAnswered,
    CodeRenewed,
    Collect,
    FulfillmentCancelledView,
    FulfillmentRejectedView,
    HandOverView,
    OrderPlans,
    OrderSummary,
    OrderView,
    PlaceOrder,
    RejectFulfillment,
    Reordered,
    SaleView,
    Timeline,
)
from commerce.settings import Settings

OrderNumber = Annotated[
    str, Meta(min_length=1, max_length=32, pattern=NO_NUL, description="4821-3059-1768, with any dashes and spaces")
]
FulfillmentNumber = Annotated[str, Meta(min_length=1, max_length=40, pattern=NO_NUL, description="4821-3059-1768-1")]
AT_COUNTER = (
    locations.UnknownLocation,
    fulfillment.UnknownFulfillment,
    fulfillment.OtherStore,
    fulfillment.WrongStep,
    WrongUnits,
)
NAMED = (stock.UnitCodesNeeded, stock.UnitCodesNotKept, stock.UnitCodeRepeated, stock.UnitNotHere)


@post(
    "/v1/orders", operation_id="place_order", tags=["shop"], guards=[auth.buyer], status_code=201,
    responses=writes(
        CartEmpty, CartChanged, TotalChanged, LinesNotSellable, PickupNotOffered, FulfillmentNotOffered, ContactNeeded,
        AmountTooLarge, carts.UnknownCart, carts.CartClosed, carts.NotYourCart, carts.NoCartHere,
        stock.InsufficientStock, customers.BadEmail, customers.BadPhone,
    ),
)  # fmt: skip
async def place_order(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    seen_if_said: NamedDependency[Seen],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    data: JSONBody[PlaceOrder],
) -> OrderView:
    """Order what is in the open cart for collection in a store, paid there; the total is the one that the customer saw."""
    return await flow.place(
        db, once, actor, command=data, currency=settings.currency, seen=seen_if_said, announce=live.publish
    )


@get(
    "/v1/orders", operation_id="list_my_orders", tags=["shop"], guards=[auth.shopper], responses=problems(BadCursor)
)  # fmt: skip
async def list_my_orders(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    limit: FromQuery[Limit] = 20,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[OrderSummary]:
    """The shopper's orders from every channel, newest first."""
    return await db.read(queries.mine, actor, limit=limit, cursor=cursor)


@get(
    "/v1/orders/{number:str}", operation_id="get_order", tags=["shop"], guards=[auth.caller],
    responses=problems(UnknownOrder, OrderNotAllowed),
)  # fmt: skip
async def get_order(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    number: FromPath[OrderNumber],
) -> OrderView:
    """One order; its customer also sees the pickup code while it is ready. Staff who may read orders see any; that they saw whom it is
    for is recorded."""
    return await flow.read(db, actor, number=number, secret_key=settings.secret_key)


@get(
    "/v1/orders/{number:str}/timeline", operation_id="get_order_timeline", tags=["shop"], guards=[auth.caller],
    responses=problems(UnknownOrder, OrderNotAllowed),
)  # fmt: skip
async def get_order_timeline(
    db: NamedDependency[Database], actor: NamedDependency[Actor], number: FromPath[OrderNumber]
) -> Timeline:
    """What happened to an order and its fulfillments, who did it and through which channel, oldest first."""
    return await db.read(queries.timeline, actor, number=number)


@post(
    "/v1/orders/{number:str}/cancel", operation_id="cancel_order", tags=["shop"], guards=[auth.caller], status_code=200,
    responses=writes(UnknownOrder, OrderNotAllowed, OrderChanged, NotCancellable, *auth.APPROVAL_REFUSALS),
)  # fmt: skip
async def cancel_order(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    approved: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    number: FromPath[OrderNumber],
    data: JSONBody[CancelOrder],
) -> CancelledView:
    """Give up what is not handed over yet: the customer, or staff who may for him, or have it approved in this request."""
    return await db.write_once(
        once, CancelledView, service.cancel, approved, number=number, command=data, version=if_match
    )


@post(
    "/v1/orders/{number:str}/reorder", operation_id="reorder", tags=["shop"], guards=[auth.shopper], status_code=200,
    responses=writes(UnknownOrder),
)  # fmt: skip
async def reorder(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    number: FromPath[OrderNumber],
) -> Reordered:
    """Put what an old order had into the open cart, beside what is there, and hear what could not be had; any cart version will do."""
    return await db.write_once(
        once, Reordered, reordering.reorder, actor, number=number, currency=settings.currency, announce=live.publish
    )


@post(
    "/v1/orders/{number:str}/pickup-code/renew", operation_id="renew_pickup_code", tags=["shop"], guards=[auth.shopper],
    status_code=200, responses=writes(UnknownOrder, NothingReady),
)  # fmt: skip
async def renew_pickup_code(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    number: FromPath[OrderNumber],
) -> CodeRenewed:
    """Void the pickup code and make another with five new attempts; the order shows it."""
    return await db.write_once(once, CodeRenewed, service.renew_code, actor, number=number)


@post(
    "/v1/stores/{code:str}/fulfillments/{number:str}/collect", operation_id="collect_fulfillment", tags=["store"],
    guards=[auth.at_store("fulfillments.work")], status_code=200,
    responses=writes(
        *AT_COUNTER, fulfillment.WrongPickupCode, fulfillment.PickupCodeLocked, WrongTender, stock.ReservationShort,
        payments.CardNumberRefused, payments.RegisterElsewhere, *NAMED, stock.UnitNotPicked,
    ),
)  # fmt: skip
async def collect_fulfillment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    code: FromPath[Code],
    number: FromPath[FulfillmentNumber],
    data: JSONBody[Collect],
) -> HandOverView:
    """Hand the goods over for the customer's code and exactly the money owed; all that waits, or the named units. Units with codes of
    their own are those that were picked."""
    return await db.write_once(
        once, HandOverView, counter.collect, actor, code=code, number=number, command=data,
        secret_key=settings.secret_key,
    )  # fmt: skip


@post(
    "/v1/stores/{code:str}/fulfillments/{number:str}/cancel", operation_id="cancel_fulfillment", tags=["store"],
    guards=[auth.at_store("fulfillments.work")], status_code=200, responses=writes(*AT_COUNTER),
)  # fmt: skip
async def cancel_fulfillment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    number: FromPath[FulfillmentNumber],
    data: JSONBody[CancelFulfillment],
) -> FulfillmentCancelledView:
    """The store cannot hand it over, or the customer does not take it: the goods are free again, the customer sees why."""
    return await db.write_once(
        once, FulfillmentCancelledView, counter.cancel_at_store, actor, code=code, number=number, command=data
    )


@post(
    "/v1/stores/{code:str}/fulfillments/{number:str}/reject", operation_id="reject_fulfillment", tags=["store"],
    guards=[auth.at_store("fulfillments.work")], status_code=200,
    responses=writes(locations.UnknownLocation, fulfillment.UnknownFulfillment, fulfillment.OtherStore, fulfillment.WrongStep),
)  # fmt: skip
async def reject_fulfillment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    number: FromPath[FulfillmentNumber],
    data: JSONBody[RejectFulfillment],
) -> FulfillmentRejectedView:
    """The store cannot do it: its goods come from elsewhere, with a new promise, or the customer is asked; as the rules say."""
    return await db.write_once(
        once, FulfillmentRejectedView, rejections.reject, actor, code=code, number=number, command=data
    )


@get(
    "/v1/orders/{number:str}/sourcing", operation_id="get_order_sourcing", tags=["back office"], guards=[auth.staff("orders.read")],
    responses=problems(UnknownOrder, OrderNotAllowed),
)  # fmt: skip
async def get_order_sourcing(
    db: NamedDependency[Database], actor: NamedDependency[Actor], number: FromPath[OrderNumber]
) -> OrderPlans:
    """Where the goods of an order come from, plan by plan: the reason for each choice, and why each other location lost."""
    return await db.read(queries.plans, actor, number=number)


@post(
    "/v1/orders/{number:str}/choice", operation_id="answer_choice", tags=["shop"], guards=[auth.caller], status_code=200,
    responses=writes(
        UnknownOrder, OrderNotAllowed, NothingToChoose, BadChoice, PickupNotOffered, stock.InsufficientStock, *auth.APPROVAL_REFUSALS
    ),
)  # fmt: skip
async def answer_choice(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    approved: NamedDependency[Actor],
    number: FromPath[OrderNumber],
    data: JSONBody[AnswerChoice],
) -> ChoiceAnswered:
    """Say what becomes of goods that a store could not hand over: collect them at another store, perhaps later, or cancel them. The
    customer, or for him staff of that store who may cancel, or have it approved in this request."""
    return await db.write_once(once, ChoiceAnswered, rejections.answer, approved, number=number, command=data)


@post(
    "/v1/stores/{code:str}/sales", operation_id="book_sale", tags=["store"], guards=[auth.at_store("sales.book")],
    status_code=201,
    responses=writes(
        locations.UnknownLocation, BadMoment, UnknownArticles, NoSuchCustomer, WrongTender, AmountTooLarge, TooManyUnits,
        SaleElsewhere, SaleIdReused, ExternalIdTaken, payments.CardNumberRefused, payments.RegisterElsewhere, stock.LevelTooHigh, *NAMED,
        ApprovalNeeded, *auth.APPROVAL_REFUSALS,
    ),
)  # fmt: skip
async def book_sale(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    approved: NamedDependency[Actor],
    live: NamedDependency[Live],
    code: FromPath[Code],
    data: JSONBody[BookSale],
) -> SaleView:
    """Book a sale that has happened at a till; the same sale again, by its id, answers the first and books nothing. Staff charge less
    than the list price only with `prices.override`, their own or that of whoever approves in this request."""
    return await flow.book_sale(db, once, approved, code=code, command=data, announce=live.publish)


ROUTES = [
    place_order,
    list_my_orders,
    get_order,
    get_order_timeline,
    cancel_order,
    reorder,
    renew_pickup_code,
    collect_fulfillment,
    cancel_fulfillment,
    reject_fulfillment,
    get_order_sourcing,
    answer_choice,
    book_sale,
]
