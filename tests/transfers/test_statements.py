"""The statements of a step are as many for one line as for twenty."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar
from litestar.di import Provide

from commerce.infra.db import Database
from tests.support import Shop
from tests.support_statements import count_statements
from tests.transfers.moves import ends, step, wanted

# A dispatch that makes levels reads the rules of safety stock: one statement without any, three with categories.
BUDGETS = {"create": 9, "ready": 11, "dispatch": 22, "receive": 18}


@pytest.fixture(scope="module")
def api(app: Litestar) -> Database:
    """The pools of the application under test."""
    provided = app.dependencies["db"]
    assert isinstance(provided, Provide)
    database: Database = provided.dependency()
    return database


async def counted(shop: Shop, api: Database, lines: int) -> dict[str, int]:
    at = await ends(shop)
    items = [await shop.item() for _ in range(lines)]
    for item in items:
        await shop.stock(at.source, item, 5)
    body = {
        "source": at.source.code,
        "destination": at.destination.code,
        "lines": wanted(*((item, 3) for item in items)),
    }
    found: dict[str, int] = {}
    async with count_statements(api) as statements:
        made = await at.office.post("/v1/transfers", body)
    assert made.status_code == 201, made.text
    found["create"] = len(statements)
    some: dict[str, Any] = {"lines": wanted(*((item, 2) for item in items)), "short_reason": "not_found"}
    came: dict[str, Any] = {
        "lines": [{"sku": item.sku, "received": 1, "missing": 1, "reason": "lost"} for item in items]
    }
    for name, client, store, sent in (
        ("ready", at.sender, at.source, None),
        ("dispatch", at.sender, at.source, some),
        ("receive", at.receiver, at.destination, came),
    ):
        async with count_statements(api) as statements:
            done = await step(client, store, made.json()["number"], name, sent)
        assert done.status_code == 200, done.text
        found[name] = len(statements)
    return found


async def test_a_step_takes_as_many_statements_for_twenty_lines_as_for_one(shop: Shop, api: Database) -> None:
    await counted(shop, api, 2)
    one, many = await counted(shop, api, 1), await counted(shop, api, 20)
    assert one == many
    assert {name: count for name, count in many.items() if count > BUDGETS[name]} == {}
