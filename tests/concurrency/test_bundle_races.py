"""Bundles that share a component, and orders that name the same goods the other way round: nothing is sold twice, nobody deadlocks."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from commerce import stock
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
from tests.concurrency.steps import Caller, Watched, at_once, deadlocks, every_switch, outcome
from tests.concurrency.test_hot_variant import AT_ONCE, Rush, statuses, with_carts
from tests.orders.story import levels, order_body
from tests.stock.shelves import demand, fresh, fulfillment, shelf
from tests.support import Item, Shop, Store

pytestmark = pytest.mark.usefixtures("audited")
PATIENT_SECONDS = 60


@pytest.fixture(scope="module")
async def racers(shop: Shop, settings: Settings) -> AsyncIterator[Shop]:
    """Nobody gives up waiting for a connection, a lock or an answer because the machine is slow: whoever is told to come again has met
    a deadlock, or a lock that is never let go."""
    patient = msgspec.structs.replace(
        settings, pool_wait_seconds=PATIENT_SECONDS, lock_timeout_ms=PATIENT_SECONDS * 1000, statement_timeout_ms=PATIENT_SECONDS * 1000
    )  # fmt: skip
    async with at_once(shop, patient) as racing:
        yield racing


async def test_two_bundles_and_their_component_share_what_there_is(racers: Shop, observer: asyncpg.Connection) -> None:
    """61 want the only cup, 40 a bundle with one, 40 a bundle with two, and there are 60 cups: exactly 60 are sold, each once."""
    store = await racers.store()
    cup, plate, spoon = [await racers.item(price=100) for _ in range(3)]
    tea, pair = await racers.bundle({cup: 1, plate: 1}, price=150), await racers.bundle({spoon: 3, cup: 2}, price=250)
    for item, units in ((cup, 60), (plate, 500), (spoon, 500)):
        await racers.stock(store, item, units)
    before, rush = await deadlocks(observer), Rush(AT_ONCE)
    wanted = [cup] * 61 + [tea] * 40 + [pair] * 40
    random.Random(3).shuffle(wanted)
    buyers = [(await with_carts(racers, 1, (item, 1)))[0] for item in wanted]
    answers = await asyncio.gather(
        *(rush.buy(buyer, order_body(store, item.price)) for buyer, item in zip(buyers, wanted, strict=True))
    )
    assert statuses(answers).keys() == {(201, ""), (409, "/problems/insufficient-stock")}
    sold = Counter(item.sku for item, answer in zip(wanted, answers, strict=True) if answer.status_code == 201)
    assert sold[cup.sku] + sold[tea.sku] + 2 * sold[pair.sku] == 60
    assert await levels(racers, cup, store) == (0, 60)
    assert await levels(racers, plate, store) == (500 - sold[tea.sku], sold[tea.sku])
    assert await levels(racers, spoon, store) == (500 - 3 * sold[pair.sku], 3 * sold[pair.sku])
    # The refusal names the component that is missing, not the bundle.
    for item, answer in zip(wanted, answers, strict=True):
        if answer.status_code == 409:
            [line] = answer.json()["lines"]
            assert (line["sku"], line["wanted"], line["left"]) == (cup.sku, 2 if item is pair else 1, line["left"])
            assert line["left"] < line["wanted"]
    assert await deadlocks(observer) == before


async def test_two_lines_of_one_order_share_a_component(racers: Shop) -> None:
    """A bundle and its component in one order, six at a time from ten: three each of them is one order, and four units stay."""
    store, cup, plate = await racers.store(), await racers.item(price=100), await racers.item(price=100)
    pair = await racers.bundle({cup: 2, plate: 1}, price=250)
    await racers.stock(store, cup, 10)
    await racers.stock(store, plate, 100)
    buyers = await with_carts(racers, 8, (pair, 2), (cup, 2))
    rush, body = Rush(8), order_body(store, 700)
    answers = await asyncio.gather(*(rush.buy(buyer, body) for buyer in buyers))
    assert statuses(answers) == {(201, ""): 1, (409, "/problems/insufficient-stock"): 7}
    assert await levels(racers, cup, store) == (4, 6)
    assert await levels(racers, plate, store) == (98, 2)


async def test_opposite_line_orders_in_many_pairs(racers: Shop, observer: asyncpg.Connection) -> None:
    store = await racers.store()
    items = [await racers.item(price=100) for _ in range(4)]
    bundle = await racers.bundle({items[3]: 1, items[0]: 1}, price=100)
    for item in items:
        await racers.stock(store, item, 1000)
    dice, before, busy = random.Random(11), await deadlocks(observer), Watched.refused["55P03"]
    buyers = []
    for _ in range(75):
        wanted = dice.sample([*items, bundle], 3)
        buyers += await with_carts(racers, 1, *((item, 1) for item in wanted))
        buyers += await with_carts(racers, 1, *((item, 1) for item in wanted[::-1]))
    dice.shuffle(buyers)
    rush, body = Rush(AT_ONCE), order_body(store, 300)
    answers = await asyncio.gather(*(rush.buy(buyer, body) for buyer in buyers))
    assert statuses(answers) == {(201, ""): 150}
    assert (await deadlocks(observer), rush.retries, Watched.refused["55P03"]) == (before, 0, busy)


@pytest.mark.parametrize("one", ["cup", "tea"])
@pytest.mark.parametrize("other", ["tea", "pair"])
async def test_the_last_cup_at_every_switch(racers: Shop, observer: asyncpg.Connection, one: str, other: str) -> None:
    """Each of two orders is interrupted before each of its statements by the whole of the other: one of them has the cups."""
    store = await racers.store()
    cup, plate, spoon = [await racers.item(price=100) for _ in range(3)]
    kinds = {
        "cup": cup, "tea": await racers.bundle({cup: 1, plate: 1}, price=100), "pair": await racers.bundle({spoon: 1, cup: 2}, price=100),
    }  # fmt: skip
    for item in (plate, spoon):
        await racers.stock(store, item, 1000)
    needs = {"cup": 1, "tea": 1, "pair": 2}
    there = max(needs[one], needs[other])
    sold = 0

    async def scene() -> Any:
        await racers.stock(store, cup, there - (await levels(racers, cup, store))[0])
        buyers = [(await with_carts(racers, 1, (kinds[kind], 1)))[0] for kind in (one, other)]
        before = await levels(racers, cup, store)

        async def check(ends: Any) -> None:
            nonlocal sold
            assert sorted(ends) == ["insufficient-stock", "ok"]
            taken = sum(needs[kind] for kind, end in zip((one, other), ends, strict=True) if end == "ok")
            sold += taken
            assert await levels(racers, cup, store) == (before[0] - taken, sold)

        return [buyer.post("/v1/orders", order_body(store, 100)) for buyer in buyers], check

    ends = await every_switch(observer, scene)
    assert ends.keys() == {("ok", "insufficient-stock"), ("insufficient-stock", "ok")}
    assert ends.total() >= 16


Verb = Callable[[Tx], Awaitable[Any]]


async def acts(shop: Shop, store: Store, other: Store, items: list[Item]) -> dict[str, Verb]:
    """Every verb that moves goods, on these goods in this order."""
    owner, sender, traveller = fulfillment(), stock.Owner("transfer", uuid7()), uuid7()
    lines = {item.id: uuid7() for item in items}
    wanted = [demand(store, item, 1, lines[item.id]) for item in items]
    for each in (owner, sender):
        await shop.db.write(stock.promise, shop.system, owner=each, demands=wanted, cause=fresh())
    freight = [
        stock.Freight(id=uuid7(), variant_id=item.id, quantity=1, owner=sender, line_id=lines[item.id])
        for item in items
    ]
    travels = stock.Owner("transfer", traveller)
    moving = [demand(other, item, 1, lines[item.id]) for item in items]
    await shop.db.write(stock.promise, shop.system, owner=travels, demands=moving, cause=fresh())
    coming = [
        stock.Freight(id=uuid7(), variant_id=item.id, quantity=1, owner=travels, line_id=lines[item.id])
        for item in items
    ]
    await shop.db.write(
        stock.dispatch, shop.system, cause=fresh(), document_id=uuid7(), source_id=other.id, destination_id=store.id, lines=coming,
        expected_on=date(2030, 1, 1),
    )  # fmt: skip
    plans = [stock.Expect(id=uuid7(), variant_id=item.id, quantity=5) for item in items]
    await shop.db.write(
        stock.expect,
        shop.system,
        kind="supply",
        document_id=uuid7(),
        location_id=store.id,
        expected_on=date(2030, 1, 1),
        lines=plans,
    )
    ids: list[UUID] = [item.id for item in items]

    async def sweeps(tx: Tx) -> None:
        away = stock.Owner("checkout", uuid7())
        await stock.reserve(tx, shop.system, owner=away, demands=wanted, cause=fresh(), expires_at=tx.at)
        await stock.commit(tx, shop.system, owner=away, cause=fresh())

    return {
        "promise": lambda tx: stock.promise(tx, shop.system, owner=fulfillment(), demands=wanted, cause=fresh()),
        "reserve and commit": sweeps,
        "release": lambda tx: stock.release(tx, shop.system, owner=owner, cause=fresh()),
        "hand over": lambda tx: stock.hand_over(tx, shop.system, owner=owner, cause=fresh()),
        "sell": lambda tx: stock.sell(
            tx, shop.system, cause=fresh(), location_id=store.id,
            lines=[stock.SaleLine(line_id=uuid7(), variant_id=i, quantity=1) for i in ids],
        ),
        "receive": lambda tx: stock.receive(
            tx, shop.system, cause=fresh(), location_id=store.id, lines=[stock.ReceiptLine(variant_id=i, quantity=1, unit_cost=9) for i in ids]
        ),
        "receive what is announced": lambda tx: stock.receive(
            tx, shop.system, cause=fresh(), location_id=store.id,
            lines=[stock.ReceiptLine(variant_id=p.variant_id, quantity=1, expected_id=p.id) for p in plans],
        ),
        "change what is announced": lambda tx: stock.change_expected(
            tx, shop.system, cause=fresh(), changes=[stock.ExpectedChange(id=p.id, cancelled=1) for p in plans]
        ),
        "promise what is announced": lambda tx: stock.promise(
            tx, shop.system, owner=fulfillment(), cause=fresh(),
            demands=[
                stock.Demand(line_id=uuid7(), location_id=store.id, variant_id=p.variant_id, quantity=1, expected_id=p.id)
                for p in plans
            ],
        ),
        "dispatch": lambda tx: stock.dispatch(
            tx, shop.system, cause=fresh(), document_id=uuid7(), source_id=store.id, destination_id=other.id, lines=freight,
            expected_on=date(2030, 1, 1),
        ),
        "arrive": lambda tx: stock.arrive(
            tx, shop.system, cause=fresh(), destination_id=store.id,
            lines=[stock.Arrival(id=f.id, variant_id=f.variant_id, quantity=1) for f in coming],
        ),
        "count": lambda tx: stock.count(
            tx, shop.system, cause=fresh(), location_id=store.id, lines=[stock.Counted(variant_id=i, delta=-1) for i in ids]
        ),
        "take back": lambda tx: stock.take_back(
            tx, shop.system, cause=fresh(), location_id=store.id,
            lines=[stock.TakeBackLine(variant_id=i, quantity=1, bucket="available") for i in ids],
        ),
        "re-grade": lambda tx: stock.move(
            tx, shop.system, cause=fresh(), location_id=store.id,
            lines=[stock.Regrade(variant_id=i, quantity=1, from_bucket="available", to_bucket="damaged") for i in ids],
        ),
        "convert": lambda tx: stock.convert(
            tx, shop.system, cause=fresh(), location_id=store.id, takes=[stock.Portion(variant_id=ids[0], quantity=1)],
            makes=[stock.Portion(variant_id=i, quantity=1) for i in ids[1:]],
        ),
        "return to vendor": lambda tx: stock.return_to_vendor(
            tx, shop.system, cause=fresh(), location_id=store.id, lines=[stock.Portion(variant_id=i, quantity=1) for i in ids]
        ),
    }  # fmt: skip


async def test_every_verb_takes_its_locks_in_one_order(racers: Shop, observer: asyncpg.Connection) -> None:
    """Somebody holds the first level in the order (location, variant): whoever waits for it holds none of the later ones, whichever
    way round his lines are. So no two of them can wait for each other."""
    store, other = await racers.store(), await racers.store()
    items = sorted([await racers.item() for _ in range(3)], key=lambda item: item.id)
    for place in (store, other):
        for item in items:
            await racers.stock(place, item, 100)
    first = min((store, other), key=lambda place: place.id)
    assert first is store
    for name, turn in [(name, turn) for turn in (1, -1) for name in await acts(racers, store, other, items)]:
        act = (await acts(racers, store, other, items[::turn]))[name]
        held = asyncio.Event()
        go = asyncio.Event()

        async def holds(tx: Tx, held: asyncio.Event = held, go: asyncio.Event = go) -> None:
            await tx.rows(
                "SELECT 1 AS one FROM stock.levels WHERE location_id = :l AND variant_id = :v FOR NO KEY UPDATE",
                l=store.id, v=items[0].id,
            )  # fmt: skip
            held.set()
            await go.wait()

        holder = asyncio.create_task(racers.db.write(holds))
        await held.wait()
        caller = Caller(observer, outcome(racers.db.write(act)))
        assert await caller.run() == "waits", name
        free = await observer.fetch(
            "SELECT variant_id FROM stock.levels WHERE variant_id = ANY($1) FOR NO KEY UPDATE SKIP LOCKED",
            [item.id for item in items],
        )
        assert len(free) == 2 * 3 - 1, f"{name}: a later level is locked before the first"
        go.set()
        await holder
        assert await caller.task == "ok", name


async def test_every_pair_of_verbs_at_once(racers: Shop, observer: asyncpg.Connection) -> None:
    """All of them against all, the lines the other way round: each is done in one attempt."""
    store, other = await racers.store(), await racers.store()
    items = [await racers.item() for _ in range(3)]
    for place in (store, other):
        for item in items:
            await racers.stock(place, item, 3000)
    before, begun = await deadlocks(observer), 0

    def counted(act: Verb) -> Verb:
        async def work(tx: Tx) -> None:
            nonlocal begun
            begun += 1
            await act(tx)

        return work

    works = []
    for turn in (1, -1, 1, -1):
        works += list((await acts(racers, store, other, items[::turn])).items())
    # What belongs to one owner once, and cannot be both given back and handed over.
    works = [(name, act) for name, act in works if name != "hand over"]
    random.Random(5).shuffle(works)
    ends = await asyncio.gather(*(outcome(racers.db.write(counted(act))) for _, act in works))
    assert Counter(ends) == {"ok": len(works)}
    assert (begun, await deadlocks(observer)) == (len(works), before)
    assert (await shelf(racers.db, store, items[0]))[1] == 0
