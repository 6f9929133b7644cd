"""Both ends at once: goods leave once, arrive once, and are either cancelled or sent."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from commerce import stock, transfers
from commerce.app import create_app
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
from tests.support import Shop, clock
from tests.transfers.moves import create, ends, level, made_ready, opened, promised, read, sent, step, wanted

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(scope="module")
async def shop(shop: Shop, settings: Settings) -> AsyncIterator[Shop]:
    """A shop whose callers' requests run at the same time; the client of the other tests sends one after the other."""
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
    return Counter((answer.status_code, answer.json().get("type", "").removeprefix("/problems/")) for answer in answers)


async def test_ready_twice_at_once_sets_aside_once(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 10)
    number = await create(at, (cup, 4))
    answers = await asyncio.gather(*(step(at.sender, at.source, number, "ready") for _ in range(6)))
    assert statuses(answers) == {(200, ""): 1, (409, "transfer-wrong-step"): 5}
    assert await level(shop, at.source, cup) == {"available": 6, "committed": 4}


async def test_two_transfers_cannot_have_the_same_goods(shop: Shop) -> None:
    at, cup, plate = await ends(shop), await shop.item(), await shop.item()
    for item in (cup, plate):
        await shop.stock(at.source, item, 6)
    numbers = [await create(at, *lines) for lines in (((cup, 2), (plate, 2)), ((plate, 2), (cup, 2))) * 4]
    answers = await asyncio.gather(*(step(at.sender, at.source, number, "ready") for number in numbers))
    assert statuses(answers) == {(200, ""): 3, (409, "insufficient-stock"): 5}
    assert await level(shop, at.source, cup) == {"committed": 6}
    assert await level(shop, at.source, plate) == {"committed": 6}


async def test_dispatched_twice_at_once_leaves_once(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 10)
    number = await made_ready(at, (cup, 4))
    answers = await asyncio.gather(*(step(at.sender, at.source, number, "dispatch", {}) for _ in range(6)))
    assert statuses(answers) == {(200, ""): 1, (409, "transfer-wrong-step"): 5}
    assert await level(shop, at.source, cup) == {"available": 6}
    assert await level(shop, at.destination, cup) == {"in_transit": 4}
    assert (await read(at, number))["version"] == 3


async def test_received_twice_at_once_arrives_once(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 10)
    number = await sent(at, (cup, 4))
    answers = await asyncio.gather(*(step(at.receiver, at.destination, number, "receive", {}) for _ in range(6)))
    assert statuses(answers) == {(200, ""): 1, (409, "transfer-wrong-step"): 5}
    assert await level(shop, at.destination, cup) == {"available": 4}


async def test_parts_received_at_once_never_exceed_what_was_sent(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 10)
    number = await sent(at, (cup, 5))
    two = {"lines": [{"sku": cup.sku, "received": 2}]}
    answers = await asyncio.gather(*(step(at.receiver, at.destination, number, "receive", two) for _ in range(6)))
    assert statuses(answers) == {(200, ""): 2, (422, "discrepancy-unexplained"): 4}
    assert await level(shop, at.destination, cup) == {"available": 4, "in_transit": 1}


async def test_the_same_key_in_parallel_receives_once(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 10)
    number = await sent(at, (cup, 5))
    two = {"lines": [{"sku": cup.sku, "received": 2}]}
    answers = await asyncio.gather(
        *(step(at.receiver, at.destination, number, "receive", two, key="receive-once-5") for _ in range(6))
    )
    assert {answer.status_code for answer in answers} <= {200, 409, 503}
    assert await level(shop, at.destination, cup) == {"available": 2, "in_transit": 3}


@pytest.mark.parametrize("round_", range(4))
async def test_cancelling_races_sending(shop: Shop, round_: int) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 10)
    number = await made_ready(at, (cup, 4))

    async def cancel() -> httpx.Response:
        return await at.office.post(f"/v1/transfers/{number}/cancel", {"reason": "changed my mind"})

    async def leave() -> httpx.Response:
        return await step(at.sender, at.source, number, "dispatch", {})

    first, second = (cancel, leave) if round_ % 2 else (leave, cancel)
    await asyncio.gather(first(), second())
    state = (await read(at, number))["state"]
    assert state in ("cancelled", "in_transit")
    if state == "cancelled":
        assert await level(shop, at.source, cup) == {"available": 10}
        assert await level(shop, at.destination, cup) == {}
    else:
        assert await level(shop, at.source, cup) == {"available": 6}
        assert await level(shop, at.destination, cup) == {"in_transit": 4}


async def test_changing_races_making_ready(shop: Shop) -> None:
    """Whoever comes second sees all lines of the first."""
    at, cup, plate = await ends(shop), await shop.item(), await shop.item()
    for item in (cup, plate):
        await shop.stock(at.source, item, 40)
    for _ in range(4):
        number = await create(at, (cup, 4))
        changed, ready = await asyncio.gather(
            at.office.patch(f"/v1/transfers/{number}", {"lines": wanted((plate, 2), (cup, 1))}),
            step(at.sender, at.source, number, "ready"),
        )
        assert ready.status_code == 200, ready.text
        assert changed.status_code in (200, 409)
        lines = {line["sku"]: line["quantity"] for line in (await read(at, number))["lines"]}
        assert lines == ({plate.sku: 2, cup.sku: 1} if changed.status_code == 200 else {cup.sku: 4})
        assert (await step(at.sender, at.source, number, "dispatch", {})).status_code == 200
    assert (await level(shop, at.source, cup)).get("committed") is None


async def test_opposite_transfers_do_not_block_each_other(shop: Shop) -> None:
    at, cup, plate = await ends(shop), await shop.item(), await shop.item()
    for store in (at.source, at.destination):
        for item in (cup, plate):
            await shop.stock(store, item, 20)
    there = [await made_ready(at, (cup, 2), (plate, 2)) for _ in range(5)]
    back = []
    for _ in range(5):
        body = {"source": at.destination.code, "destination": at.source.code, "lines": wanted((plate, 2), (cup, 2))}
        number = str((await at.office.post("/v1/transfers", body)).json()["number"])
        assert (await step(at.receiver, at.destination, number, "ready")).status_code == 200
        back.append(number)
    some = {"lines": [{"sku": cup.sku, "quantity": 1}], "short_reason": "no_room"}
    answers = await asyncio.gather(
        *(step(at.sender, at.source, number, "dispatch", some) for number in there),
        *(step(at.receiver, at.destination, number, "dispatch", some) for number in back),
    )
    assert statuses(answers) == {(200, ""): 10}
    for store in (at.source, at.destination):
        assert await level(shop, store, cup) == {"available": 15, "in_transit": 5}
        assert await level(shop, store, plate) == {"available": 20}


@pytest.mark.parametrize("round_", range(4))
async def test_an_order_that_gives_up_races_the_dispatch(shop: Shop, round_: int) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 10)
    owner, line_ids = await promised(shop, at, (cup, 4))
    number = await opened(shop, at, owner, line_ids, (cup, 4))

    async def give_up(tx: Tx) -> None:
        await transfers.cancel_for_order(tx, shop.system, owner=owner)
        await stock.release(
            tx,
            shop.system,
            owner=stock.Owner("fulfillment", owner),
            cause=stock.Cause("fulfillment_cancelled", uuid7()),
        )

    acts = [shop.db.write(give_up), step(at.sender, at.source, number, "dispatch", {})]
    await asyncio.gather(*(acts[::-1] if round_ % 2 else acts))
    state = (await read(at, number))["state"]
    assert state in ("cancelled", "in_transit")
    if state == "cancelled":
        assert await level(shop, at.source, cup) == {"available": 10}
    else:
        assert await level(shop, at.source, cup) == {"available": 6}
        assert await level(shop, at.destination, cup) == {"in_transit": 4}
        assert (await step(at.receiver, at.destination, number, "receive", {})).json()["state"] == "received"
        assert await level(shop, at.destination, cup) == {"available": 4}


async def test_an_order_that_gives_up_races_the_arrival(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 40)
    for turn in range(4):
        owner, line_ids = await promised(shop, at, (cup, 4))
        number = await opened(shop, at, owner, line_ids, (cup, 4))
        assert (await step(at.sender, at.source, number, "dispatch", {})).status_code == 200

        async def give_up(tx: Tx, owner: UUID = owner) -> None:
            await transfers.cancel_for_order(tx, shop.system, owner=owner)
            await stock.release(
                tx,
                shop.system,
                owner=stock.Owner("fulfillment", owner),
                cause=stock.Cause("fulfillment_cancelled", uuid7()),
            )

        acts = [shop.db.write(give_up), step(at.receiver, at.destination, number, "receive", {})]
        await asyncio.gather(*(acts[::-1] if turn % 2 else acts))
        assert (await read(at, number))["state"] == "received"
        assert await level(shop, at.destination, cup) == {"available": 4 * turn + 4}
