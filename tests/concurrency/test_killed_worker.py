"""A worker, or its connection, dies between any two statements: nothing has happened or everything has, and the next attempt makes it one.

The server ends the backend after the k-th statement, for every k from before the first one until after the commit, of which the worker
then never hears.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from commerce import orders, stock
from commerce.infra import outbox
from commerce.infra.db import Once, Tx
from commerce.kernel.errors import Busy
from commerce.kernel.ids import uuid7
from commerce.kernel.tags import ANY
from commerce.orders import flow
from commerce.stock.tasks import sweep_expired
from tests.concurrency.steps import done, dying, tallies
from tests.concurrency.stories import STORIES, forget_rules, told
from tests.concurrency.test_hot_variant import Rush, with_carts
from tests.counts.test_counts import act, enter, opened
from tests.orders.story import levels, order_body
from tests.orders.test_plan import levels_at, linked
from tests.stock.shelves import checkout, demand, fresh
from tests.supply.story import announced, came
from tests.support import Client, Item, Shop, Store, clock
from tests.transfers import moves

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(autouse=True)
async def no_rules_left(racers: Shop) -> AsyncIterator[None]:
    yield
    await forget_rules(racers.db)


@pytest.mark.parametrize("name", STORIES)
async def test_a_worker_dies_while_it_hears_of_something(racers: Shop, observer: asyncpg.Connection, name: str) -> None:
    db = racers.db
    subscriber, event, rest = await told(racers, name)
    before = await db.read(tallies)
    at, statements = 0, list[str]()
    while True:
        death, _ = await dying(observer, at, db.write(outbox.deliver, event, subscriber), process=True)
        assert death.happened
        after = done(before, await db.read(tallies))
        if death.seen and death.seen[-1].startswith("COMMIT"):
            statements = death.seen
            break
        assert after == {}, f"{name} left something after statement {at}: {death.seen[-1:]}"
        at += 1
    assert after
    assert len(statements) >= 4
    # It does not know that it is done, and is told again.
    assert await db.write(outbox.deliver, event, subscriber) is False
    assert done(before, await db.read(tallies)) == after
    await rest()


async def orders_of(shop: Shop, buyer: UUID) -> list[str]:
    """The numbers of a customer's orders."""

    async def read(tx: Tx) -> list[str]:
        return [
            row.number
            for row in await tx.rows("SELECT number FROM orders.orders WHERE customer_id = :buyer", buyer=buyer)
        ]

    return await shop.db.read(read)


class Buyer:
    """Somebody who places one order with one key, as often as it takes."""

    def __init__(self, shop: Shop, client: Client, store: Store, *, by_plan: bool) -> None:
        self.shop, self.client, self.store = shop, client, store
        self.command = orders.PlaceOrder(
            expected_total=orders.Amount(amount=200, currency="RUB"),
            pickup=orders.PickupChoice(location=store.code, later=by_plan),
            contact=orders.Contact(name="Anna", phone="+79000000101"),
        )  # fmt: skip
        self.once = Once(client.actor.subject, "place_order", str(uuid7()), "the same body")

    async def place(self) -> str:
        view = await flow.place(
            self.shop.db, self.once, self.client.actor, command=self.command, currency="RUB", seen=ANY, announce=None
        )
        return view.number

    async def place_again(self) -> str:
        """A client asks once more when the shop is busy: the pool may have kept the dead connection for him."""
        for _ in range(5):
            with contextlib.suppress(Busy):
                return await self.place()
            await asyncio.sleep(0.01)
        raise AssertionError("busy for ever")


async def shelves(shop: Shop, *, by_plan: bool) -> tuple[Store, Store, Item]:
    """A store with goods, or with an empty shelf and a source."""
    store, source, item = await shop.store(), await shop.store(), await shop.item(price=100)
    await linked(shop, store, source)
    await shop.stock(source if by_plan else store, item, 1000)
    return store, source, item


async def buyers(shop: Shop, store: Store, item: Item, *, by_plan: bool, count: int) -> list[Buyer]:
    return [Buyer(shop, one, store, by_plan=by_plan) for one in await with_carts(shop, count, (item, 2))]


@pytest.mark.parametrize("process", [True, False], ids=["worker", "connection"])
@pytest.mark.parametrize("by_plan", [False, True], ids=["shelf", "plan"])
async def test_whoever_places_an_order_dies(
    racers: Shop, observer: asyncpg.Connection, by_plan: bool, process: bool
) -> None:
    """After each statement of an order: the same key gives exactly one order, one cart is emptied, the goods are set aside once."""
    store, source, item = await shelves(racers, by_plan=by_plan)
    stands = source if by_plan else store
    crowd = await buyers(racers, store, item, by_plan=by_plan, count=60)
    before = await racers.db.read(tallies)
    commits = 0
    for at, buyer in enumerate(crowd):
        me = buyer.client.actor.subject
        death, answer = await dying(observer, at, buyer.place(), process=process)
        committed = any(statement.startswith("COMMIT") for statement in death.seen)
        if not death.happened:
            assert isinstance(answer, str)
            break
        commits += committed
        assert len(await orders_of(racers, me)) == committed, f"after statement {at}: {death.seen[-1:]}"
        taken = (await levels_at(racers.db, item, stands))[0]
        assert taken[:2] == (1000 - 2 * (at + committed), 2 * (at + committed))
        assert process or committed or isinstance(answer, Busy)
        number = await buyer.place_again()
        assert await buyer.place() == number
        assert await orders_of(racers, me) == [number]
        assert (await buyer.client.get("/v1/carts/current")).json()["lines"] == []
    placed = at + 1
    kinds = [statement.split(";")[0] for statement in death.seen]
    assert placed == len(kinds) + 2
    # What dies at the end of the attempt off the shelf, when all that is left is to undo it, does not hinder the one by plan.
    between = (1, 2) if by_plan and not process else (0,)
    assert commits - (len(kinds) - kinds.index("COMMIT")) in between
    changed = done(before, await racers.db.read(tallies))
    assert (changed["orders"], changed["postings: order_placed"], changed["events: order.placed"]) == (placed,) * 3
    assert changed["moved: available -> committed"] == 2 * placed
    assert changed.get("travels: opened", 0) == changed.get("plans", 0) == (placed if by_plan else 0)
    assert await levels(racers, item, stands) == (1000 - 2 * placed, 2 * placed)


async def test_the_customer_only_sees_that_he_should_ask_again(racers: Shop, observer: asyncpg.Connection) -> None:
    """Through HTTP: a dead connection is a 503 that says when to come back, and the same request gives the one order."""
    store, _, item = await shelves(racers, by_plan=False)
    for at, buyer in enumerate(await with_carts(racers, 60, (item, 2))):
        body, key = order_body(store, 200), str(uuid7())
        death, answer = await dying(observer, at, buyer.post("/v1/orders", body, key=key), process=False)
        assert isinstance(answer, httpx.Response)
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["type"] == "/problems/busy"
        else:
            assert (answer.status_code, any(s.startswith("COMMIT") for s in death.seen) or not death.happened) == (
                201,
                True,
            )
        again = await Rush(1).buy(buyer, body, key)
        assert again.status_code == 201, again.text
        if answer.status_code == 201:
            assert again.json() == answer.json()
        if not death.happened:
            break
    assert at > 8
    assert await levels(racers, item, store) == (1000 - 2 * (at + 1), 2 * (at + 1))


async def _delivery(shop: Shop) -> tuple[Any, dict[str, int]]:
    store, item = await shop.store(), await shop.item()
    number = (await announced(await shop.staff("back_office"), store, (item, 5, 100)))["number"]
    staff = await shop.staff("associate", store.code)
    address = f"/v1/stores/{store.code}/expected-receipts/{number}/receive"
    return (staff, address, {"lines": [came(item, 5)]}), {"moved: supplier -> available": 5}


async def _departure(shop: Shop) -> tuple[Any, dict[str, int]]:
    at, item = await moves.ends(shop), await shop.item()
    await shop.stock(at.source, item, 4)
    number = await moves.made_ready(at, (item, 4))
    return (at.sender, f"/v1/stores/{at.source.code}/transfers/{number}/dispatch", {}), {
        "moved: committed -> in_transit": 4
    }


async def _arrival(shop: Shop) -> tuple[Any, dict[str, int]]:
    at, item = await moves.ends(shop), await shop.item()
    await shop.stock(at.source, item, 4)
    number = await moves.sent(at, (item, 4))
    path = f"/v1/stores/{at.destination.code}/transfers/{number}/receive"
    return (at.receiver, path, {}), {"moved: in_transit -> available": 4}


async def _count(shop: Shop) -> tuple[Any, dict[str, int]]:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 4)
    manager = await shop.staff("store_manager", store.code)
    number = await opened(manager, store, item)
    await enter(manager, store, number, item, 3)
    await act(manager, store, number, "submit")
    return (manager, f"/v1/stores/{store.code}/counts/{number}/approve", {}), {"moved: available -> loss": 1}


async def _cancellation(shop: Shop) -> tuple[Any, dict[str, int]]:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 2)
    [buyer] = await with_carts(shop, 1, (item, 2))
    number = (await buyer.post("/v1/orders", order_body(store, 200))).json()["number"]
    return (buyer, f"/v1/orders/{number}/cancel", {"reason": "changed_mind"}), {"moved: committed -> available": 2}


@pytest.mark.parametrize("story", [_delivery, _departure, _arrival, _count, _cancellation])
async def test_a_document_dies_at_every_statement(racers: Shop, observer: asyncpg.Connection, story: Any) -> None:
    """Killed after each statement in turn, the same request goes on where nothing has happened; after the commit it gives the answer."""
    (client, path, body), moved = await story(racers)
    before, key, at = await racers.db.read(tallies), str(uuid7()), 0
    while True:
        death, _ = await dying(observer, at, client.post(path, body, key=key), process=True)
        assert death.happened
        after = done(before, await racers.db.read(tallies))
        if death.seen and death.seen[-1].startswith("COMMIT"):
            break
        assert after == {}, f"left something after statement {at}: {death.seen[-1:]}"
        at += 1
    assert {name: units for name, units in after.items() if name.startswith("moved")} == moved
    answer = await client.post(path, body, key=key)
    assert answer.is_success, answer.text
    assert done(before, await racers.db.read(tallies)) == after


async def test_the_sweeper_dies(racers: Shop, observer: asyncpg.Connection) -> None:
    store, item = await racers.store(), await racers.item()
    await racers.stock(store, item, 5)
    await sweep_expired(racers.db)
    for _ in range(5):
        wanted = [demand(store, item, 1)]
        await racers.db.write(
            stock.reserve, racers.system, owner=checkout(), demands=wanted, cause=fresh(), expires_at=clock()
        )
    before, at = await racers.db.read(tallies), 0
    while True:
        death, _ = await dying(observer, at, sweep_expired(racers.db), process=True)
        assert death.happened
        after = done(before, await racers.db.read(tallies))
        if after:
            break
        at += 1
    await sweep_expired(racers.db)
    assert done(before, await racers.db.read(tallies)) == after
    assert after["moved: reserved -> available"] == 5
