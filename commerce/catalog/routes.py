"""HTTP of `catalog`. The product list, the product page and the search show prices and stock: they are `storefront`'s."""

from __future__ import annotations

from typing import Annotated

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta

from commerce import auth
from commerce.catalog import queries, service
from commerce.catalog.errors import (
    BadCheckDigit,
    BadProduct,
    BarcodeElsewhere,
    ProductChanged,
    SkuElsewhere,
    UnknownCode,
    UnknownProduct,
    UnknownSku,
    WholeChainOnly,
)
from commerce.catalog.schemas import (
    CategoryView,
    ProductData,
    ProductView,
    ResumeSale,
    ScanView,
    StopSale,
    VariantView,
)
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.kernel.actor import Actor
from commerce.kernel.text import NO_NUL, Sku, Slug

Scanned = Annotated[
    str,
    Meta(min_length=1, max_length=500, pattern=NO_NUL),
    QueryParameter(
        name="data",
        min_length=1,
        max_length=500,
        pattern=NO_NUL,
        description="What the scanner read: a GTIN, an internal code, a SKU, a GS1 element string or a GS1 Digital Link",
    ),
]


@get(
    "/v1/catalog/categories", operation_id="list_categories", tags=["shop"], guards=[auth.caller], responses=problems()
)
async def list_categories(db: NamedDependency[Database]) -> list[CategoryView]:
    """The whole tree of categories, with the number of published products below each."""
    return await db.browse(queries.tree)


@get(
    "/v1/catalog/variants/{sku:str}",
    operation_id="read_variant",
    tags=["shop"],
    guards=[auth.caller],
    responses=problems(UnknownSku),
)
async def read_variant(db: NamedDependency[Database], actor: NamedDependency[Actor], sku: FromPath[Sku]) -> VariantView:
    """One variant by its SKU. An unpublished one is shown to staff and devices alone."""
    return await db.browse(queries.shown_variant, actor, sku=sku)


@get(
    "/v1/scan",
    operation_id="scan",
    tags=["shop"],
    guards=[auth.caller],
    responses=problems(UnknownCode, BadCheckDigit),
)
async def scan(db: NamedDependency[Database], actor: NamedDependency[Actor], scanned: Scanned) -> ScanView:
    """What a scanner or a camera read: the variant and the quantity the code stands for."""
    return await db.browse(queries.scan, actor, data=scanned)


@get(
    "/v1/products/{slug:str}",
    operation_id="read_product_data",
    tags=["back office"],
    guards=[auth.staff("catalog.write")],
    responses=problems(UnknownProduct),
)
async def read_product_data(db: NamedDependency[Database], slug: FromPath[Slug]) -> ProductView:
    """A product as it is edited, published or not. Send its ETag with a change, so that nobody else's is lost."""
    return await db.read(queries.product, slug=slug)


@put(
    "/v1/products/{slug:str}",
    operation_id="save_product",
    tags=["back office"],
    guards=[auth.staff("catalog.write")],
    responses=writes(BadProduct, SkuElsewhere, BarcodeElsewhere, ProductChanged, WholeChainOnly),
)
async def save_product(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    slug: FromPath[Slug],
    data: JSONBody[ProductData],
) -> ProductView:
    """Make or change a product with its variants; variants that are not named stay as they are."""
    return await db.write_once(
        once, ProductView, service.save_product, actor, slug=slug, command=data, if_match=if_match
    )


@post(
    "/v1/variants/{sku:str}/stop-sale",
    operation_id="stop_sale",
    tags=["back office"],
    guards=[auth.staff("catalog.write")],
    status_code=200,
    responses=writes(UnknownSku, WholeChainOnly),
)
async def stop_sale(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    sku: FromPath[Sku],
    data: JSONBody[StopSale],
) -> VariantView:
    """Recall a variant: no channel sells it any more."""
    return await db.write_once(once, VariantView, service.stop_sale, actor, sku=sku, command=data)


@post(
    "/v1/variants/{sku:str}/resume",
    operation_id="resume_sale",
    tags=["back office"],
    guards=[auth.staff("catalog.write")],
    status_code=200,
    responses=writes(UnknownSku, WholeChainOnly),
)
async def resume_sale(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    sku: FromPath[Sku],
    data: JSONBody[ResumeSale],
) -> VariantView:
    """Lift a recall."""
    return await db.write_once(once, VariantView, service.resume_sale, actor, sku=sku, command=data)


ROUTES = [list_categories, read_variant, scan, read_product_data, save_product, stop_sale, resume_sale]
