"""The number of SQL statements of a request is fixed, whatever the number of lines (DESIGN 11). Begin and commit count."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.di import Provide

from commerce.infra.db import Database
from commerce.kernel.ids import uuid7
from tests.orders.story import cash, make_ready, order_body, pickup_code, place, put, rub
from tests.support import Client, Item, Shop, Store
from tests.support_statements import count_statements

BUDGETS = {
    "product list of 24": 2,
    "product page": 3,
    "read the cart": 5,
    "put a cart line": 8,
    "place an order": 12,
    "collect it": 9,
    "accept a return": 12,
    "book a till sale": 10,
}
LINES = [1, 20]
CART_LINES = [1, 100]


@pytest.fixture(scope="module")
async def api(app: Litestar) -> Database:
    """The pools of the application under test."""
    provided = app.dependencies["db"]
    assert isinstance(provided, Provide)
    database: Database = provided.dependency()
    return database


@pytest.fixture(scope="module")
async def store(shop: Shop) -> Store:
    return await shop.store()


@pytest.fixture(scope="module")
async def items(shop: Shop, store: Store) -> list[Item]:
    """Twenty products, plenty of each in the store."""
    made = [await shop.item(price=10_000 + n) for n in range(max(LINES))]
    for item in made:
        await shop.stock(store, item, 1_000)
    return made


@pytest.fixture(scope="module")
async def many(shop: Shop, items: list[Item]) -> list[Item]:
    """A hundred products, few of them in a store: for a cart that is no matter."""
    return [*items, *[await shop.item(price=20_000 + n) for n in range(max(CART_LINES) - len(items))]]


async def spent(api: Database, request: Callable[[], Awaitable[httpx.Response]], status: int) -> list[str]:
    """The statements of one request that went well."""
    async with count_statements(api) as counted:
        answer = await request()
        statements = list(counted)
    assert answer.status_code == status, answer.text
    return statements


async def within(
    api: Database, name: str, prepare: Callable[[], Awaitable[Callable[[], Awaitable[httpx.Response]]]], status: int
) -> None:
    """Run a request twice, the first time to warm the connection, and hold the second against its budget."""
    for warm in (False, True):
        request = await prepare()
        statements = await spent(api, request, status)
        if warm:
            assert 0 < len(statements) <= BUDGETS[name], [statement[:70] for statement in statements]


def total(items: list[Item]) -> int:
    return sum(item.price for item in items)


async def test_product_list_and_page(shop: Shop, api: Database, items: list[Item]) -> None:
    reader = await shop.client()

    async def listed() -> Callable[[], Awaitable[httpx.Response]]:
        return lambda: reader.get("/v1/catalog/products?limit=24")

    await within(api, "product list of 24", listed, 200)
    slug = (await reader.get("/v1/catalog/products?limit=24")).json()["items"][0]["slug"]

    async def page() -> Callable[[], Awaitable[httpx.Response]]:
        return lambda: reader.get(f"/v1/catalog/products/{slug}")

    await within(api, "product page", page, 200)


@pytest.mark.parametrize("lines", CART_LINES)
async def test_cart(shop: Shop, api: Database, many: list[Item], lines: int) -> None:
    async def filled() -> Client:
        shopper = await shop.shopper()
        wanted = [{"sku": item.sku, "quantity": 1} for item in many[:lines]]
        answer = await shopper.put("/v1/carts/current/lines", {"lines": wanted})
        assert answer.status_code == 200, answer.text
        return shopper

    async def read() -> Callable[[], Awaitable[httpx.Response]]:
        shopper = await filled()
        return lambda: shopper.get("/v1/carts/current")

    async def put_one() -> Callable[[], Awaitable[httpx.Response]]:
        shopper = await filled()
        return lambda: shopper.put(f"/v1/carts/current/lines/{many[0].sku}", {"quantity": 3})

    await within(api, "read the cart", read, 200)
    await within(api, "put a cart line", put_one, 200)


async def test_authentication_asks_nothing(shop: Shop, api: Database) -> None:
    """All that a read asks is about the cart: who reads it is known from his token (DESIGN 12)."""
    shopper = await shop.shopper()
    await spent(api, lambda: shopper.get("/v1/carts/current"), 200)
    (statement,) = await spent(api, lambda: shopper.get("/v1/carts/current"), 200)
    assert "FROM carts.carts" in statement
    assert "auth." not in statement


@pytest.mark.parametrize("lines", LINES)
async def test_place_and_collect(shop: Shop, api: Database, store: Store, items: list[Item], lines: int) -> None:
    wanted = [(item, 1) for item in items[:lines]]
    associate = await shop.staff("associate", store.code)

    async def placing() -> Callable[[], Awaitable[httpx.Response]]:
        shopper = await shop.shopper()
        await put(shopper, *wanted)
        return lambda: shopper.post("/v1/orders", order_body(store, total(items[:lines])))

    async def collecting() -> Callable[[], Awaitable[httpx.Response]]:
        shopper = await shop.shopper()
        order = await place(shopper, store, *wanted)
        number = await make_ready(associate, store, order)
        body = {"code": await pickup_code(shopper, order), "tenders": [cash(total(items[:lines]))]}
        return lambda: associate.post(f"/v1/stores/{store.code}/fulfillments/{number}/collect", body)

    await within(api, "place an order", placing, 201)
    await within(api, "collect it", collecting, 200)


def sale(items: list[Item], shop: Shop) -> dict[str, Any]:
    return {
        "id": str(uuid7()), "occurred_at": shop.db.clock().isoformat(),
        "lines": [{"sku": item.sku, "quantity": 1, "unit_price": rub(item.price)} for item in items],
        "tenders": [cash(total(items))],
    }  # fmt: skip


@pytest.mark.parametrize("lines", LINES)
async def test_till_sale(shop: Shop, api: Database, store: Store, items: list[Item], lines: int) -> None:
    till = await shop.device("till", store.code)

    async def selling() -> Callable[[], Awaitable[httpx.Response]]:
        body = sale(items[:lines], shop)
        return lambda: till.post(f"/v1/stores/{store.code}/sales", body)

    await within(api, "book a till sale", selling, 201)


@pytest.mark.parametrize("by", ["order", "receipt"])
@pytest.mark.parametrize("lines", LINES)
async def test_return(shop: Shop, api: Database, store: Store, items: list[Item], lines: int, by: str) -> None:
    associate = await shop.staff("associate", store.code)

    async def returning() -> Callable[[], Awaitable[httpx.Response]]:
        answer = await associate.post(f"/v1/stores/{store.code}/sales", sale(items[:lines], shop))
        assert answer.status_code == 201, answer.text
        sold = answer.json()
        body = {
            by: sold["order_number"] if by == "order" else sold["receipt"],
            "lines": [
                {"n": n, "quantity": 1, "ground": "change_of_mind", "condition": "sellable"}
                for n in range(1, lines + 1)
            ],
            "refund": {"tender": "cash"},
        }
        return lambda: associate.post(f"/v1/stores/{store.code}/returns", body)

    await within(api, "accept a return", returning, 201)
