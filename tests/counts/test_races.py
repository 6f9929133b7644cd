"""Counting at the same time: one posting, one count of a shelf, no lost entry; and the books agree."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from commerce import parts, stock
from commerce.app import create_app
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.settings import Settings
from tests.counts.test_counts import act, enter, lines, opened, sell
from tests.orders.story import levels
from tests.support import Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(scope="module")
async def shop(shop: Shop, settings: Settings) -> AsyncIterator[Shop]:
    """A shop whose callers' requests run at the same time."""
    app = create_app(settings, clock=clock)
    started, stop = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        async with app.lifespan():
            started.set()
            await stop.wait()

    serving = asyncio.create_task(serve())
    await started.wait()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=cast(Any, app)), base_url="http://shop") as http:
        racing = Shop(shop.db, cast(AsyncTestClient[Litestar], http), settings)
        racing.category = shop.category
        yield racing
    stop.set()
    await serving


def statuses(answers: list[httpx.Response]) -> Counter[tuple[int, str]]:
    return Counter((answer.status_code, answer.json().get("type", "")) for answer in answers)


async def test_two_approvals_post_once(shop: Shop) -> None:
    store, items = await shop.store(), [await shop.item() for _ in range(3)]
    for item in items:
        await shop.stock(store, item, 10)
    managers = [await shop.staff("store_manager", store.code) for _ in range(6)]
    number = await opened(managers[0], store, *items)
    for item in items:
        await enter(managers[0], store, number, item, 7)
    await act(managers[0], store, number, "submit")
    answers = await asyncio.gather(*(act(manager, store, number, "approve", {}) for manager in managers))
    assert statuses(answers) == {(200, ""): 1, (409, "/problems/count-closed"): 5}
    assert [await levels(shop, item, store) for item in items] == [(7, 0)] * 3
    page = await shop.db.read(stock.history, items[0].id, [store.id])
    assert Counter(movement.cause_kind for movement in page.items) == {"test_receipt": 1, "count": 1}


async def test_counters_sales_and_an_approval_at_once(shop: Shop) -> None:
    """Ten counters of ten units each while five are sold: every entry is there, and what is left is what was counted less the
    sales after it."""
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 110)
    counters = [await shop.staff("associate", store.code) for _ in range(10)]
    manager = await shop.staff("store_manager", store.code)
    number = await opened(manager, store, item)
    await asyncio.gather(
        *(enter(counter, store, number, item, 10, spot=f"shelf-{n}") for n, counter in enumerate(counters))
    )
    line = (await lines(manager, store, number))[item.sku]
    assert (line["counted"], line["variance"], len(line["entries"])) == (100, -10, 10)
    assert (await act(manager, store, number, "submit")).json()["version"] == 12
    await asyncio.gather(
        act(manager, store, number, "approve", {}), *(sell(shop, store, item, 1) for _ in range(5))
    )  # fmt: skip
    assert await levels(shop, item, store) == (95, 0)


async def test_the_same_shelf_is_counted_once(shop: Shop) -> None:
    store, items = await shop.store(), [await shop.item() for _ in range(5)]
    staff = [await shop.staff("associate", store.code) for _ in range(6)]
    bodies = [{"scope": "list", "skus": [item.sku for item in (items if n % 2 else items[::-1])]} for n in range(6)]
    answers = await asyncio.gather(
        *(one.post(f"/v1/stores/{store.code}/counts", body) for one, body in zip(staff, bodies, strict=True))
    )
    assert statuses(answers) == {(201, ""): 1, (409, "/problems/already-being-counted"): 5}


async def test_many_unknown_sales_make_one_task(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await asyncio.gather(*(sell(shop, store, item, 1) for _ in range(4)))
    subscribers = [one for one in parts.subscribers() if one.name == "counts.goods_unknown"]
    pairs: list[Any] = []
    while found := await shop.db.write(outbox.publish, parts.subscribers()):
        pairs += found
    mine = [event_id for event_id, name in pairs if name == subscribers[0].name]
    await asyncio.gather(*(shop.db.write(outbox.deliver, event_id, subscribers[0]) for event_id in mine))
    others = {one.name: one for one in parts.subscribers()}
    for event_id, name in pairs:
        if name is not None and name != subscribers[0].name:
            await shop.db.write(outbox.deliver, event_id, others[name])

    async def open_tasks(tx: Tx) -> list[tuple[int, int]]:
        rows = await tx.rows(
            "SELECT quantity, version FROM counts.tasks WHERE location_id = :location", location=store.id
        )
        return [(row.quantity, row.version) for row in rows]

    assert await shop.db.read(open_tasks) == [(4, 4)]
