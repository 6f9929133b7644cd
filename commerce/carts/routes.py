"""HTTP of carts: the same cart for every client of a shopper; the baskets of a till or kiosk; codes that hand them on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody
from litestar.response import ServerSentEvent, ServerSentEventMessage

from commerce import auth, customers, locations
from commerce.carts import baskets, checkout, flow, handing, merging, queries, service
from commerce.carts.errors import (
    BadWish,
    CartChoice,
    CartClosed,
    CartFull,
    CustomerNotFound,
    EmptyHandOff,
    NamingNotAllowed,
    NoCartHere,
    NotABasket,
    NotAnonymous,
    NotForJoining,
    NothingToJoin,
    NotSellable,
    NotYourCart,
    OverMaximum,
    OwnCart,
    RepeatedSku,
    StaleCart,
    TooManyCarts,
    TooManyClaims,
    TooManyScreens,
    UnknownCart,
    UnknownGuest,
    UnknownLine,
    WrongHandOffCode,
)
from commerce.carts.schemas import (
    AskHandOff,
    CartList,
    CartName,
    CartView,
    ClaimCart,
    ClaimView,
    HandOffView,
    MergeCarts,
    MergeView,
    NameCustomer,
    OpenBasket,
    ParkCart,
    PutCheckout,
    PutLine,
    PutLines,
    PutWish,
    Watched,
)
from commerce.catalog import UnknownSku
from commerce.infra.db import Database, Once
from commerce.infra.http import StaleTag, VersionRequired, problems, writes
from commerce.infra.live import Live
from commerce.kernel.actor import Actor
from commerce.kernel.tags import Seen
from commerce.kernel.text import Sku
from commerce.settings import Settings

ANY_CHANGE = (VersionRequired, StaleTag, UnknownCart, CartClosed, NoCartHere, StaleCart)
"""Refusals of every change of a cart."""
OWNERS_CHANGE = (*ANY_CHANGE, NotYourCart)
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match",
        required=False,
        description="The ETag of the cart you have; 304 while its version is the same. "
        "Prices and stock may have changed since: leave it out where they matter.",
    ),
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        required=False,
        description="The id of the last event you have: the same state is not said again.",
    ),
]
NOT_MODIFIED = {
    304: ResponseSpec(
        data_container=None, generate_examples=False, description="The cart is still of the version in If-None-Match"
    )
}


@get(
    "/v1/carts/{cart:str}",
    operation_id="read_cart",
    tags=["shop"],
    guards=[auth.basket_holder],
    responses=problems(UnknownCart, NoCartHere) | NOT_MODIFIED,
)
async def read_cart(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    cart: FromPath[CartName],
    if_none_match: IfNoneMatch = None,
) -> CartView:
    """The caller's open cart (`current`; a device's active basket), or one of his carts by id, priced now. Empty with version 0 when he
    has none. A device's basket says only the first name of its customer."""
    return answer(await db.read(queries.read_unless, actor, cart=cart, currency=settings.currency, known=if_none_match))


@put(
    "/v1/carts/{cart:str}/lines/{sku:str}",
    operation_id="put_cart_line",
    tags=["shop"],
    guards=[auth.basket_holder],
    responses=writes(*ANY_CHANGE, UnknownSku, NotSellable, OverMaximum, CartFull),
)
async def put_cart_line(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[CartName],
    sku: FromPath[Sku],
    data: JSONBody[PutLine],
) -> CartView:
    """Set how many of a SKU the cart holds; 0 takes it out. The first put makes the cart."""
    return await db.write_once(
        once,
        CartView,
        service.put,
        actor,
        cart=cart,
        sku=sku,
        command=data,
        currency=settings.currency,
        seen=seen,
        announce=live.publish,
    )


@put(
    "/v1/carts/{cart:str}/lines",
    operation_id="put_cart_lines",
    tags=["shop"],
    guards=[auth.basket_holder],
    responses=writes(
        *ANY_CHANGE,
        UnknownSku,
        NotSellable,
        OverMaximum,
        CartFull,
        RepeatedSku,
    ),
)
async def put_cart_lines(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[CartName],
    data: JSONBody[PutLines],
) -> CartView:
    """Set how many of each named SKU the cart holds, all or none; lines that are not named stay."""
    return await db.write_once(
        once,
        CartView,
        service.put_many,
        actor,
        cart=cart,
        command=data,
        currency=settings.currency,
        seen=seen,
        announce=live.publish,
    )


@delete(
    "/v1/carts/{cart:str}/lines/{sku:str}",
    operation_id="remove_cart_line",
    tags=["shop"],
    guards=[auth.basket_holder],
    status_code=200,
    responses=writes(*ANY_CHANGE, UnknownSku),
)
async def remove_cart_line(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[CartName],
    sku: FromPath[Sku],
) -> CartView:
    """Take a SKU out of the cart; it need not be in it."""
    return await db.write_once(
        once,
        CartView,
        service.remove,
        actor,
        cart=cart,
        sku=sku,
        currency=settings.currency,
        seen=seen,
        announce=live.publish,
    )


@delete(
    "/v1/carts/{cart:str}/lines",
    operation_id="clear_cart",
    tags=["shop"],
    guards=[auth.basket_holder],
    status_code=200,
    responses=writes(*ANY_CHANGE),
)
async def clear_cart(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[CartName],
) -> CartView:
    """Take everything out of the cart."""
    return await db.write_once(
        once,
        CartView,
        service.clear,
        actor,
        cart=cart,
        currency=settings.currency,
        seen=seen,
        announce=live.publish,
    )


@post(
    "/v1/carts/merge",
    operation_id="merge_carts",
    tags=["shop"],
    guards=[auth.shopper],
    status_code=200,
    responses=writes(NotAnonymous, CartChoice, UnknownCart, CartClosed, TooManyCarts),
)
async def merge_carts(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    data: JSONBody[MergeCarts],
) -> MergeView:
    """After signing in: bring the anonymous cart's lines into the caller's, by a policy, and hear what happened to each; or save it aside.
    So also another open cart of one's own."""
    return await db.write_once(
        once,
        MergeView,
        merging.merge,
        actor,
        default_policy=settings.cart_merge_policy,
        command=data,
        secret_key=settings.secret_key,
        currency=settings.currency,
        announce=live.publish,
    )


@post(
    "/v1/carts",
    operation_id="open_cart",
    tags=["shop"],
    guards=[auth.buyer],
    status_code=201,
    responses=writes(TooManyCarts, NoCartHere),
)
async def open_cart(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    data: JSONBody[OpenBasket],
) -> CartView:
    """A new, empty basket on the device (or another cart of a shopper); the one at hand is parked."""
    return await db.write_once(
        once,
        CartView,
        baskets.open_basket,
        actor,
        command=data,
        currency=settings.currency,
        announce=live.publish,
    )


@get(
    "/v1/carts", operation_id="list_carts", tags=["shop"], guards=[auth.basket_holder], responses=problems()
)  # fmt: skip
async def list_carts(db: NamedDependency[Database], actor: NamedDependency[Actor]) -> CartList:
    """The baskets of the device, the active one first; of a shopper, his open cart and those saved aside; of staff, anywhere, also the
    carts they have joined."""
    return await db.read(queries.own_carts, actor)


@post(
    "/v1/carts/{cart:str}/park",
    operation_id="park_cart",
    tags=["shop"],
    guards=[auth.basket_holder],
    status_code=200,
    responses=writes(*OWNERS_CHANGE),
)
async def park_cart(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[CartName],
    data: JSONBody[ParkCart],
) -> CartView:
    """Put the cart aside, open, under a label."""
    return await db.write_once(
        once,
        CartView,
        baskets.park,
        actor,
        cart=cart,
        command=data,
        currency=settings.currency,
        seen=seen,
        announce=live.publish,
    )


@post(
    "/v1/carts/{cart:str}/resume",
    operation_id="resume_cart",
    tags=["shop"],
    guards=[auth.basket_holder],
    status_code=200,
    responses=writes(*OWNERS_CHANGE),
)
async def resume_cart(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[CartName],
) -> CartView:
    """Go on with a parked cart; the one at hand is parked."""
    return await db.write_once(
        once,
        CartView,
        baskets.resume,
        actor,
        cart=cart,
        currency=settings.currency,
        seen=seen,
        announce=live.publish,
    )


@delete(
    "/v1/carts/{cart:str}",
    operation_id="drop_cart",
    tags=["shop"],
    guards=[auth.basket_holder],
    status_code=200,
    responses=writes(*OWNERS_CHANGE),
)
async def drop_cart(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[CartName],
) -> CartView:
    """Give the cart up: it is closed, and its checkout forgotten."""
    return await db.write_once(
        once,
        CartView,
        baskets.drop,
        actor,
        cart=cart,
        currency=settings.currency,
        seen=seen,
        announce=live.publish,
    )


@put(
    "/v1/carts/{cart:str}/customer",
    operation_id="name_cart_customer",
    tags=["shop"],
    guards=[auth.basket_holder],
    responses=writes(*OWNERS_CHANGE, CartChoice, CustomerNotFound, NamingNotAllowed, NotABasket),
)
async def name_cart_customer(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[CartName],
    data: JSONBody[NameCustomer],
) -> CartView:
    """Say whose basket of the device it is: the order counts for him. His own cart is not touched; the answer has his first name alone."""
    return await db.write_once(
        once,
        CartView,
        baskets.name_customer,
        actor,
        cart=cart,
        command=data,
        secret_key=settings.secret_key,
        currency=settings.currency,
        seen=seen,
        announce=live.publish,
    )


@delete(
    "/v1/carts/{cart:str}/customer",
    operation_id="unname_cart_customer",
    tags=["shop"],
    guards=[auth.basket_holder],
    status_code=200,
    responses=writes(*OWNERS_CHANGE, NotABasket),
)
async def unname_cart_customer(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[CartName],
) -> CartView:
    """Take the name off the basket."""
    return await db.write_once(
        once,
        CartView,
        baskets.unname_customer,
        actor,
        cart=cart,
        currency=settings.currency,
        seen=seen,
        announce=live.publish,
    )


@put(
    "/v1/carts/{cart:str}/checkout",
    operation_id="put_cart_checkout",
    tags=["shop"],
    guards=[auth.basket_holder],
    responses=writes(*ANY_CHANGE, BadWish, locations.UnknownLocation, customers.BadEmail, customers.BadPhone),
)
async def put_cart_checkout(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[CartName],
    data: JSONBody[PutCheckout],
) -> CartView:
    """The checkout so far: how the goods are wanted, whom to reach, who gets it, note, gift wish. What is left out stays; null takes
    away."""
    return await db.write_once(
        once,
        CartView,
        checkout.put_checkout,
        actor,
        cart=cart,
        command=data,
        currency=settings.currency,
        seen=seen,
        announce=live.publish,
    )


@put(
    "/v1/carts/{cart:str}/lines/{sku:str}/fulfillment",
    operation_id="put_cart_line_fulfillment",
    tags=["shop"],
    guards=[auth.basket_holder],
    responses=writes(*ANY_CHANGE, BadWish, UnknownLine, locations.UnknownLocation),
)
async def put_cart_line_fulfillment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[CartName],
    sku: FromPath[Sku],
    data: JSONBody[PutWish],
) -> CartView:
    """How one line is wanted, when otherwise than the cart; and as a gift."""
    return await db.write_once(
        once,
        CartView,
        checkout.put_wish,
        actor,
        cart=cart,
        sku=sku,
        command=data,
        currency=settings.currency,
        seen=seen,
        announce=live.publish,
    )


@post(
    "/v1/carts/{cart:str}/hand-off",
    operation_id="hand_off_cart",
    tags=["shop"],
    guards=[auth.buyer],
    status_code=201,
    responses=problems(EmptyHandOff, NothingToJoin, UnknownCart, CartClosed, NotYourCart, NoCartHere),
)
async def hand_off_cart(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    cart: FromPath[CartName],
    data: JSONBody[AskHandOff],
) -> HandOffView:
    """A code, good once and for two minutes: to take the cart along to another screen, or to let an associate work on it."""
    return await db.write(handing.ask, actor, cart=cart, command=data, secret_key=settings.secret_key)


@post(
    "/v1/carts/claim",
    operation_id="claim_cart",
    tags=["shop"],
    guards=[auth.basket_holder],
    status_code=200,
    responses=writes(WrongHandOffCode, TooManyClaims, CartClosed, OwnCart, NotForJoining, NoCartHere),
)
async def claim_cart(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    data: JSONBody[ClaimCart],
) -> ClaimView:
    """Use a code from another screen: its lines come to the caller's cart and that one is closed, or the caller, who is staff, joins it."""
    return await db.write_once(
        once,
        ClaimView,
        handing.claim,
        actor,
        default_policy=policy_of(settings),
        command=data,
        secret_key=settings.secret_key,
        currency=settings.currency,
        announce=live.publish,
    )


@delete(
    "/v1/carts/{cart:str}/guests/{guest:uuid}",
    operation_id="end_cart_visit",
    tags=["shop"],
    guards=[auth.basket_holder],
    status_code=200,
    responses=writes(*OWNERS_CHANGE, UnknownGuest),
)
async def end_cart_visit(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    seen: NamedDependency[Seen],
    cart: FromPath[CartName],
    guest: FromPath[UUID],
) -> CartView:
    """End the work of staff who have joined the cart: the customer of any, an associate his own."""
    return await db.write_once(
        once,
        CartView,
        handing.end_visit,
        actor,
        cart=cart,
        guest=guest,
        currency=settings.currency,
        seen=seen,
        announce=live.publish,
    )


@get(
    "/v1/carts/{cart:str}/events",
    operation_id="follow_cart",
    tags=["shop"],
    guards=[auth.basket_holder],
    media_type="text/event-stream",
    responses=problems(UnknownCart, NoCartHere, TooManyScreens)
    | {
        200: ResponseSpec(
            data_container=str,
            generate_examples=False,
            media_type="text/event-stream",
            description="`cart` events with id, state and version now and after each change; `bye` is the last one",
        )
    },
)
async def follow_cart(
    db: NamedDependency[Database],
    live: NamedDependency[Live],
    actor: NamedDependency[Actor],
    stands: NamedDependency[Callable[[Actor], bool]],
    cart: FromPath[CartName],
    last_event_id: LastEventId = None,
) -> ServerSentEvent:
    """Server-sent events of the caller's cart, so that every open screen shows the same. Read the cart when its version is new."""
    return ServerSentEvent(
        _messages(await flow.follow(db, live, actor, cart=cart, known=last_event_id, stands=partial(stands, actor)))
    )


def answer(cart: CartView | Watched) -> CartView:
    """The cart, or that it is one that the caller knows: an answer without a view."""
    if isinstance(cart, Watched):
        return Response(None, status_code=304, headers={"ETag": f'"{cart.entity_tag}"'})  # type: ignore[return-value]
    return cart


def policy_of(settings: Settings) -> merging.Merging:
    """The shop's policy where lines must move: a hand-off saves nothing aside."""
    return "sum" if settings.cart_merge_policy == "separate" else settings.cart_merge_policy


async def _messages(notices: AsyncGenerator[flow.Notice, None]) -> AsyncGenerator[ServerSentEventMessage, None]:
    async for notice in notices:
        if notice.event == "heartbeat":
            yield ServerSentEventMessage(data=None, comment="heartbeat")
        elif notice.cart is not None:
            seen = {"id": notice.cart.id, "version": notice.cart.version, "state": notice.cart.state}
            yield ServerSentEventMessage(
                event="cart", id=notice.cart.entity_tag, data=msgspec.json.encode(seen), retry=1000
            )
        else:
            yield ServerSentEventMessage(event="bye", data=msgspec.json.encode({"reason": notice.reason}))


ROUTES = [
    list_carts,
    open_cart,
    read_cart,
    put_cart_line,
    put_cart_lines,
    remove_cart_line,
    clear_cart,
    drop_cart,
    park_cart,
    resume_cart,
    name_cart_customer,
    unname_cart_customer,
    put_cart_checkout,
    put_cart_line_fulfillment,
    merge_carts,
    hand_off_cart,
    claim_cart,
    end_cart_visit,
    follow_cart,
]
