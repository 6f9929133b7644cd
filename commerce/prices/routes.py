"""HTTP of `prices`. The current price of a SKU is shown by `storefront`."""

from __future__ import annotations

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from commerce import auth
from commerce.catalog import UnknownSku, WholeChainOnly
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.kernel.actor import Actor
from commerce.kernel.text import Sku
from commerce.prices import queries, service
from commerce.prices.errors import PriceInPast, WrongCurrency
from commerce.prices.schemas import PriceHistory, PricesSetView, SetPrices
from commerce.settings import Settings


@post(
    "/v1/prices",
    operation_id="set_prices",
    tags=["back office"],
    guards=[auth.staff("prices.write")],
    status_code=200,
    responses=writes(UnknownSku, PriceInPast, WrongCurrency, WholeChainOnly),
)
async def set_prices(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    settings: NamedDependency[Settings],
    data: JSONBody[SetPrices],
) -> PricesSetView:
    """Change prices in 10 seconds, or schedule them: all or none, in every channel and store alike."""
    return await db.write_once(
        once, PricesSetView, service.change_prices, actor, command=data, currency=settings.currency
    )


@get(
    "/v1/prices/{sku:str}/history",
    operation_id="read_price_history",
    tags=["back office"],
    guards=[auth.staff("prices.write")],
    responses=problems(UnknownSku),
)
async def read_price_history(db: NamedDependency[Database], sku: FromPath[Sku]) -> PriceHistory:
    """Every price a variant had, has and will have."""
    return await db.read(queries.history, sku=sku)


ROUTES = [set_prices, read_price_history]
