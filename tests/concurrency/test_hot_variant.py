"""Everybody wants the same thing at once: as many orders as there are units, a clear answer for the rest, and no deadlock."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import asyncpg
import httpx
import pytest

from commerce.auth import tables as auth_tables
from commerce.auth import tokens
from commerce.carts import tables as cart_tables
from commerce.carts.events import CartChanged
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from tests.concurrency.steps import Watched, deadlocks
from tests.orders.story import levels, order_body
from tests.support import Client, Item, Shop, Store

pytestmark = pytest.mark.usefixtures("audited")
UNITS = 500
BUYERS = 2_000
AT_ONCE = 64
SECONDS = 30
"""Of this process' own time: how long it takes by the clock depends on who else wants the machine."""


async def with_carts(shop: Shop, count: int, *wanted: tuple[Item, int]) -> list[Client]:
    """Shoppers who have these things in their carts already."""
    buyers: list[Client] = []

    async def work(tx: Tx) -> None:
        for _ in range(count):
            person, cart = uuid7(), uuid7()
            actor = Actor(kind="shopper", subject=person, channel="site", known=False)
            token = tokens.issue(actor, secret_key=shop.settings.secret_key, at=tx.at, seconds=3600)
            buyers.append(Client(shop.http, token, actor))
            tx.queue(auth_tables.principals, id=person, kind="shopper", created_at=tx.at)
            tx.queue(
                cart_tables.carts, id=cart, shopper_id=person, state="open", version=1, channel="site", created_at=tx.at, changed_at=tx.at
            )  # fmt: skip
            for item, quantity in wanted:
                tx.queue(
                    cart_tables.lines, cart_id=cart, variant_id=item.id, sku=item.sku, quantity=quantity, unit_price_seen=item.price,
                    added_at=tx.at, added_channel="site", changed_at=tx.at,
                )  # fmt: skip
            put = CartChanged(
                aggregate_id=cart, version=1, shopper_id=person, variant_ids=[item.id for item, _ in wanted]
            )
            outbox.record(tx, actor, put)

    await shop.db.write(work)
    return buyers


class Rush:
    """Buyers who order at once, a bounded number at a time, and come again while the shop is busy."""

    def __init__(self, at_once: int) -> None:
        self.gate = asyncio.Semaphore(at_once)
        self.retries = 0

    async def buy(self, buyer: Client, body: Any, key: str | None = None) -> httpx.Response:
        key = key or str(uuid7())
        async with self.gate:
            for _ in range(20):
                answer = await buyer.post("/v1/orders", body, key=key)
                if answer.status_code != 503:
                    return answer
                self.retries += 1
                await asyncio.sleep(0.05)
        return answer


def statuses(answers: list[httpx.Response]) -> Counter[tuple[int, str]]:
    return Counter((answer.status_code, answer.json().get("type", "")) for answer in answers)


async def test_500_units_and_2000_buyers(racers: Shop, observer: asyncpg.Connection) -> None:
    store, item = await racers.store(), await racers.item(price=100)
    await racers.stock(store, item, UNITS)
    buyers = await with_carts(racers, BUYERS, (item, 1))
    body, rush, before = order_body(store, 100), Rush(AT_ONCE), await deadlocks(observer)
    began, worked = time.perf_counter(), time.process_time()
    answers = await asyncio.gather(*(rush.buy(buyer, body) for buyer in buyers))
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    print(
        f"{BUYERS} buyers of {UNITS} units, {AT_ONCE} at once: {seconds:.1f} s by the clock, {worked:.1f} s of work,"
        f" {rush.retries} answers 503 on the way"
    )
    assert statuses(answers) == {(201, ""): UNITS, (409, "/problems/insufficient-stock"): BUYERS - UNITS}
    for answer in answers:
        if answer.status_code == 409:
            [line] = answer.json()["lines"]
            assert (line["sku"], line["location"], line["wanted"], line["left"]) == (item.sku, store.code, 1, 0)
    numbers = {answer.json()["number"] for answer in answers if answer.status_code == 201}
    assert len(numbers) == UNITS
    assert await levels(racers, item, store) == (0, UNITS)
    assert await orders_of(racers, store) == (UNITS, UNITS, UNITS)
    assert await deadlocks(observer) == before
    assert Watched.refused["57014"] == 0
    assert worked < SECONDS


async def orders_of(shop: Shop, store: Store) -> tuple[int, int, int]:
    """Fulfillments of a store, their orders, and the open units set aside for them."""

    async def read(tx: Tx) -> tuple[int, int, int]:
        row = await tx.one(
            """
            SELECT count(DISTINCT f.id) AS works, count(DISTINCT f.order_id) AS orders, sum(r.quantity_open) AS aside
            FROM fulfillment.fulfillments f JOIN stock.reservations r ON r.owner_id = f.id WHERE f.location_id = :store
            """,
            store=store.id,
        )
        return row.works, row.orders, row.aside

    return await shop.db.read(read)


@pytest.mark.parametrize("workers", [2, 8, 32])
async def test_the_last_unit_and_many_workers(racers: Shop, observer: asyncpg.Connection, workers: int) -> None:
    store, item = await racers.store(), await racers.item(price=100)
    await racers.stock(store, item, 1)
    buyers = await with_carts(racers, workers, (item, 1))
    body, rush, before = order_body(store, 100), Rush(workers), await deadlocks(observer)
    answers = await asyncio.gather(*(rush.buy(buyer, body) for buyer in buyers))
    assert statuses(answers) == {(201, ""): 1, (409, "/problems/insufficient-stock"): workers - 1}
    assert await levels(racers, item, store) == (0, 1)
    assert await orders_of(racers, store) == (1, 1, 1)
    assert await deadlocks(observer) == before
    # Whoever was refused keeps his cart.
    for buyer, answer in zip(buyers, answers, strict=True):
        cart = (await buyer.get("/v1/carts/current")).json()
        assert [line["sku"] for line in cart["lines"]] == ([] if answer.status_code == 201 else [item.sku])


async def test_many_units_each_and_the_rest_of_one(racers: Shop) -> None:
    """Three each of a hundred: thirty-three orders, and one unit stays: nobody gets a part."""
    store, item = await racers.store(), await racers.item(price=100)
    await racers.stock(store, item, 100)
    buyers, body, rush = await with_carts(racers, 60, (item, 3)), order_body(store, 300), Rush(AT_ONCE)
    answers = await asyncio.gather(*(rush.buy(buyer, body) for buyer in buyers))
    assert statuses(answers) == {(201, ""): 33, (409, "/problems/insufficient-stock"): 27}
    assert {answer.json()["lines"][0]["left"] for answer in answers if answer.status_code == 409} == {1}
    assert await levels(racers, item, store) == (1, 99)
