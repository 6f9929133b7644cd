"""The number of SQL statements of a count's steps is fixed, whatever the number of lines."""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.di import Provide

from commerce.infra.db import Database
from tests.support import Client, Shop
from tests.support_statements import count_statements

pytestmark = pytest.mark.usefixtures("audited")

BUDGETS = {"open": 10, "entries": 19, "submit": 14, "approve": 16}
"""Begin, commit and the idempotency key included."""


@pytest.fixture(scope="module")
async def api(app: Litestar) -> Database:
    """The pools of the application under test."""
    provided = app.dependencies["db"]
    assert isinstance(provided, Provide)
    database: Database = provided.dependency()
    return database


async def test_statements_do_not_grow_with_the_lines(shop: Shop, api: Database) -> None:
    store = await shop.store()
    manager = await shop.staff("store_manager", store.code)
    spent: dict[int, Counter[str]] = {}
    for size in (1, 1, 25):
        items = [await shop.item() for _ in range(size)]
        for item in items:
            await shop.stock(store, item, 10)
        skus = [item.sku for item in items]
        spent[size] = Counter()

        async def step(name: str, path: str, body: Any, to: Client = manager, size: int = size) -> httpx.Response:
            async with count_statements(api) as counted:
                answer = await to.post(f"/v1/stores/{store.code}/counts{path}", body)
                spent[size][name] = len(list(counted))
            assert answer.status_code in (200, 201), answer.text
            return answer

        number = (await step("open", "", {"scope": "list", "skus": skus})).json()["number"]
        await step("entries", f"/{number}/entries", {"entries": [{"sku": sku, "quantity": 8} for sku in skus]})
        await step("submit", f"/{number}/submit", None)
        await step("approve", f"/{number}/approve", {})
    assert spent[1] == spent[25]
    assert {name: n for name, n in spent[1].items() if n > BUDGETS[name]} == {}
