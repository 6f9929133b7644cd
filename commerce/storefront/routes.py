"""HTTP of `storefront`: what the shop window shows, the same in every channel."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from msgspec import Meta

from commerce import auth
from commerce.catalog import UnknownProduct, UnknownSku
from commerce.infra.db import Database
from commerce.infra.http import problems
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import NO_NUL, Code, ShortText, Sku, Slug
from commerce.prices import NoPrice
from commerce.storefront import queries
from commerce.storefront.schemas import CurrentPrice, ProductCard, ProductPage

Words = Annotated[
    str, Meta(min_length=1, max_length=200, pattern=NO_NUL, description="Words in Russian or English, or a SKU")
]


@get(
    "/v1/catalog/products",
    operation_id="list_products",
    tags=["shop"],
    guards=[auth.caller],
    responses=problems(BadCursor),
)
async def list_products(
    db: NamedDependency[Database],
    category: FromQuery[Code | None] = None,
    brand: FromQuery[ShortText | None] = None,
    q: FromQuery[Words | None] = None,
    limit: FromQuery[Limit] = 24,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[ProductCard]:
    """Published products with price and availability: of a category with all below it, of a brand, matching words."""
    return await db.browse(queries.products, category=category, brand=brand, q=q, limit=limit, cursor=cursor)


@get(
    "/v1/catalog/search",
    operation_id="search_products",
    tags=["shop"],
    guards=[auth.caller],
    responses=problems(BadCursor),
)
async def search_products(
    db: NamedDependency[Database],
    q: FromQuery[Words],
    limit: FromQuery[Limit] = 24,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[ProductCard]:
    """Published products that match words in Russian or English, the best first. `-word` excludes, quotes keep words together."""
    return await db.browse(queries.search, q=q, limit=limit, cursor=cursor)


@get(
    "/v1/catalog/products/{slug:str}",
    operation_id="read_product",
    tags=["shop"],
    guards=[auth.caller],
    responses=problems(UnknownProduct),
)
async def read_product(
    db: NamedDependency[Database], actor: NamedDependency[Actor], slug: FromPath[Slug]
) -> ProductPage:
    """A product with its variants, their prices, and what every store and warehouse has of it: how many to staff, to shoppers only
    where there are few, unless the installation shows quantities."""
    return await db.browse(queries.product, actor, slug=slug)


@get(
    "/v1/prices/{sku:str}",
    operation_id="read_price",
    tags=["shop"],
    guards=[auth.caller],
    responses=problems(UnknownSku, NoPrice),
)
async def read_price(db: NamedDependency[Database], sku: FromPath[Sku]) -> CurrentPrice:
    """What a variant costs now."""
    return await db.browse(queries.current_price, sku=sku)


ROUTES = [list_products, search_products, read_product, read_price]
