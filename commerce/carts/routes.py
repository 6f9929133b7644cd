"""HTTP of carts: the same cart for every client of a shopper."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import msgspec
from litestar import delete, get, post, put
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody
from litestar.response import ServerSentEvent, ServerSentEventMessage

from commerce import auth
from commerce.carts import flow, queries, service
from commerce.carts.errors import (
    CartClosed,
    CartFull,
    NotAnonymous,
    NotSellable,
    OverMaximum,
    RepeatedSku,
    StaleCart,
    TooManyScreens,
    UnknownCart,
)
from commerce.carts.schemas import CartName, CartView, MergeCarts, MergeView, PutLine, PutLines
from commerce.catalog import UnknownSku
from commerce.infra.db import Database, Once
from commerce.infra.http import StaleTag, VersionRequired, problems, writes
from commerce.infra.live import Live
from commerce.kernel.actor import Actor
from commerce.kernel.tags import Seen
from commerce.kernel.text import Sku
from commerce.settings import Settings


@get(
    "/v1/carts/{cart:str}",
    operation_id="read_cart",
    tags=["shop"],
    guards=[auth.shopper],
    responses=problems(UnknownCart),
)
async def read_cart(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    cart: FromPath[CartName],
) -> CartView:
    """The caller's open cart (`current`), or one of his carts by id, priced now. Empty with version 0 when he has none."""
    return await db.read(queries.read, actor, cart=cart, currency=settings.currency)


@put(
    "/v1/carts/{cart:str}/lines/{sku:str}",
    operation_id="put_cart_line",
    tags=["shop"],
    guards=[auth.shopper],
    responses=writes(
        VersionRequired, StaleTag, UnknownSku, UnknownCart, CartClosed, StaleCart, NotSellable, OverMaximum, CartFull
    ),
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
        once, CartView, service.put, actor, cart=cart, sku=sku, command=data, currency=settings.currency,
        seen=seen, announce=live.publish,
    )  # fmt: skip


@put(
    "/v1/carts/{cart:str}/lines",
    operation_id="put_cart_lines",
    tags=["shop"],
    guards=[auth.shopper],
    responses=writes(
        VersionRequired,
        StaleTag,
        UnknownSku,
        UnknownCart,
        CartClosed,
        StaleCart,
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
        once, CartView, service.put_many, actor, cart=cart, command=data, currency=settings.currency,
        seen=seen, announce=live.publish,
    )  # fmt: skip


@delete(
    "/v1/carts/{cart:str}/lines/{sku:str}",
    operation_id="remove_cart_line",
    tags=["shop"],
    guards=[auth.shopper],
    status_code=200,
    responses=writes(VersionRequired, StaleTag, UnknownSku, UnknownCart, CartClosed, StaleCart),
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
        once, CartView, service.remove, actor, cart=cart, sku=sku, currency=settings.currency,
        seen=seen, announce=live.publish,
    )  # fmt: skip


@delete(
    "/v1/carts/{cart:str}/lines",
    operation_id="clear_cart",
    tags=["shop"],
    guards=[auth.shopper],
    status_code=200,
    responses=writes(VersionRequired, StaleTag, UnknownCart, CartClosed, StaleCart),
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
        once, CartView, service.clear, actor, cart=cart, currency=settings.currency, seen=seen,
        announce=live.publish,
    )  # fmt: skip


@post(
    "/v1/carts/merge",
    operation_id="merge_carts",
    tags=["shop"],
    guards=[auth.shopper],
    status_code=200,
    responses=writes(NotAnonymous),
)
async def merge_carts(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    live: NamedDependency[Live],
    data: JSONBody[MergeCarts],
) -> MergeView:
    """After signing in: bring the anonymous cart's lines into the caller's, by an explicit policy, and hear what happened to each."""
    return await db.write_once(
        once, MergeView, service.merge, actor, command=data, secret_key=settings.secret_key, currency=settings.currency,
        announce=live.publish,
    )  # fmt: skip


@get(
    "/v1/carts/{cart:str}/events",
    operation_id="follow_cart",
    tags=["shop"],
    guards=[auth.shopper],
    media_type="text/event-stream",
    responses=problems(UnknownCart, TooManyScreens)
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
    cart: FromPath[CartName],
) -> ServerSentEvent:
    """Server-sent events of the caller's cart, so that every open screen shows the same. Read the cart when its version is new."""
    return ServerSentEvent(_messages(await flow.follow(db, live, actor, cart=cart)))


async def _messages(notices: AsyncGenerator[flow.Notice, None]) -> AsyncGenerator[ServerSentEventMessage, None]:
    async for notice in notices:
        if notice.event == "heartbeat":
            yield ServerSentEventMessage(data=None, comment="heartbeat")
        elif notice.cart is not None:
            seen = {"id": notice.cart.id, "version": notice.cart.version, "state": notice.cart.state}
            yield ServerSentEventMessage(
                event="cart", id=notice.cart.version, data=msgspec.json.encode(seen), retry=1000
            )
        else:
            yield ServerSentEventMessage(event="bye", data=msgspec.json.encode({"reason": notice.reason}))


ROUTES = [
    read_cart,
    put_cart_line,
    put_cart_lines,
    remove_cart_line,
    clear_cart,
    merge_carts,
    follow_cart,
]
