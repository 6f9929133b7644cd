"""HTTP of `stock`: a store's levels, its deliveries and corrections, the history of a variant."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from commerce import auth, catalog, locations
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import Code, Sku
from commerce.stock import shelf
from commerce.stock.errors import BelowZero, LevelTooHigh, NotYourStock, WrongDirection
from commerce.stock.schemas import BookAdjustment, BookReceipt, LevelView, MovementView, PostingView

Skus = Annotated[list[Sku], Meta(min_length=1, max_length=100, description="Exactly these, in this order")]


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
    responses=writes(locations.UnknownLocation, catalog.UnknownSku, LevelTooHigh),
)
async def book_stock_receipt(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    data: JSONBody[BookReceipt],
) -> PostingView:
    """Book goods that arrived from a supplier; known unit costs move the variant's average cost."""
    return await db.write_once(once, PostingView, shelf.book_receipt, actor, code=code, command=data)


@post(
    "/v1/stores/{code:str}/adjustments",
    operation_id="book_stock_adjustment",
    tags=["store"],
    guards=[auth.at_store("stock.adjust")],
    status_code=201,
    responses=writes(locations.UnknownLocation, catalog.UnknownSku, BelowZero, WrongDirection, LevelTooHigh),
)
async def book_stock_adjustment(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    data: JSONBody[BookAdjustment],
) -> PostingView:
    """Book damage, theft, a find or a count. Never refused for what is promised: broken promises are told to their orders."""
    return await db.write_once(once, PostingView, shelf.book_adjustment, actor, code=code, command=data)


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
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[MovementView]:
    """Every movement of a variant with its cause and who did it through what, the newest first."""
    return await db.read(shelf.history_of, actor, sku=sku, location=location, limit=limit, cursor=cursor)


ROUTES = [list_store_stock, book_stock_receipt, book_stock_adjustment, read_stock_history]
