"""The payment takes longer than the goods are kept: they are taken again if they are still there, or the order fails before money moves.

A checkout reserves until a moment, its customer pays elsewhere, and `stock.commit` comes before the money is captured. Meanwhile the
moment may pass, the sweeper may come, and others may buy.
"""

from __future__ import annotations

import itertools
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from commerce import stock
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from commerce.stock.tasks import sweep_expired
from tests.concurrency.steps import every_interleaving, every_switch, outcome, some_interleavings
from tests.concurrency.test_stock_races import first_then
from tests.stock.shelves import aside, checkout, demand, fresh, fulfillment, shelf
from tests.support import Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")
KEPT = timedelta(minutes=10)


class Checkout:
    """A customer who pays slowly: his goods, and what the bank was told."""

    def __init__(self, shop: Shop, store: Store, *wanted: tuple[Item, int]) -> None:
        self.shop, self.store, self.wanted = shop, store, wanted
        self.owner = checkout()
        self.captured = 0

    async def reserve(self) -> None:
        await self.shop.db.write(
            stock.reserve, self.shop.system, owner=self.owner, cause=fresh(), expires_at=clock() + KEPT,
            demands=[demand(self.store, item, units) for item, units in self.wanted],
        )  # fmt: skip

    async def pay(self) -> None:
        """The goods first; the bank is told only once they are safely his."""
        await self.shop.db.write(
            stock.commit, self.shop.system, owner=self.owner, cause=stock.Cause("paid", self.owner.id)
        )
        self.captured += 1


async def begun(shop: Shop, on_shelf: int = 1, units: int = 1) -> tuple[Checkout, Store, Item]:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, on_shelf)
    slow = Checkout(shop, store, (item, units))
    await slow.reserve()
    return slow, store, item


def takes(shop: Shop, store: Store, item: Item, owner: stock.Owner, units: int = 1) -> Coroutine[Any, Any, None]:
    wanted = [demand(store, item, units)]
    return shop.db.write(stock.promise, shop.system, owner=owner, demands=wanted, cause=fresh())


EVENTS = ("expires", "swept", "taken", "paid", "restocked")
ORDERS = [
    order for many in range(1, len(EVENTS) + 1) for order in itertools.permutations(EVENTS, many) if "paid" in order
]  # fmt: skip


async def test_every_order_of_what_can_happen(racers: Shop) -> None:
    """All orders of any of: the moment passes, the sweeper comes, another buys, a unit is found, he pays. The model is one unit and who
    has it; every outcome is told by it."""
    assert len(ORDERS) == 261
    for order in ORDERS:
        clock.back_to_present()
        slow, store, item = await begun(racers)
        buyer = fulfillment()
        expired, there, his, theirs = False, 1, "reserved", False
        for event in order:
            if event == "expires":
                clock.travel(2 * KEPT)
                expired = True
            elif event == "swept":
                await sweep_expired(racers.db)
                if expired and his == "reserved":
                    his = "lost"
            elif event == "restocked":
                await racers.stock(store, item, 1)
                there += 1
            elif event == "taken":
                end = await outcome(takes(racers, store, item, buyer))
                free = there - (1 if his == "committed" or (his == "reserved" and not expired) else 0)
                theirs = free > 0
                assert end == ("ok" if theirs else "insufficient-stock"), order
                if theirs and there == 1:
                    his = "lost"  # his reservation was reclaimed
            else:
                end = await outcome(slow.pay())
                safe = his == "reserved" or there - theirs > 0
                assert end == ("ok" if safe else "insufficient-stock"), order
                if safe:
                    his = "committed"
                assert slow.captured == int(safe), order
        available, reserved, committed = await shelf(racers.db, store, item)
        assert available + reserved + committed == there, order
        assert committed == (his == "committed") + theirs, order
        assert (await aside(racers.db, slow.owner))[0][0] == {
            "reserved": "reserved",
            "committed": "committed",
            "lost": "expired",
        }[his]
    clock.back_to_present()


@pytest.mark.parametrize("swept", [False, True])
async def test_paying_and_the_next_buyer_statement_by_statement(
    racers: Shop, observer: asyncpg.Connection, swept: bool
) -> None:
    async def scene() -> Any:
        clock.back_to_present()
        slow, store, item = await begun(racers)
        clock.travel(2 * KEPT)
        if swept:
            await sweep_expired(racers.db)
        buyer = fulfillment()

        async def check(ends: Any) -> None:
            assert await shelf(racers.db, store, item) == (0, 0, 1)
            assert slow.captured == (ends[0] == "ok")
            if ends[0] == "ok":
                assert await aside(racers.db, slow.owner) == [("committed", 1, 1, 0)]
                assert await aside(racers.db, buyer) == []
            else:
                assert await aside(racers.db, slow.owner) == [("expired", 1, 0, 1)]
                assert await aside(racers.db, buyer) == [("committed", 1, 1, 0)]

        return [slow.pay(), takes(racers, store, item, buyer)], check

    ends = await every_interleaving(observer, scene)
    assert ends.keys() == {("ok", "insufficient-stock"), ("insufficient-stock", "ok")}


async def test_paying_and_the_sweeper_statement_by_statement(racers: Shop, observer: asyncpg.Connection) -> None:
    """Nobody else wants it: he gets it whether the sweeper was faster or not."""

    async def scene() -> Any:
        clock.back_to_present()
        slow, store, item = await begun(racers)
        clock.travel(2 * KEPT)

        async def check(ends: Any) -> None:
            assert slow.captured == 1
            assert await shelf(racers.db, store, item) == (0, 0, 1)
            assert await aside(racers.db, slow.owner) == [("committed", 1, 1, 0)]

        return [slow.pay(), sweep_expired(racers.db)], check

    ends = await every_interleaving(observer, scene)
    assert ends.keys() == {("ok", "ok")}


async def test_paying_the_sweeper_and_the_next_buyer_at_many_moments(
    racers: Shop, observer: asyncpg.Connection
) -> None:
    """All three at once, a unit each for two customers of one unit."""

    async def scene() -> Any:
        clock.back_to_present()
        slow, store, item = await begun(racers)
        clock.travel(2 * KEPT)
        buyer = fulfillment()

        async def check(ends: Any) -> None:
            assert sorted(ends) == ["insufficient-stock", "ok", "ok"]
            assert ends[1] == "ok"
            assert slow.captured == (ends[0] == "ok")
            assert await shelf(racers.db, store, item) == (0, 0, 1)

        return [slow.pay(), sweep_expired(racers.db), takes(racers, store, item, buyer)], check

    ends = await some_interleavings(observer, scene, seed=3, runs=60)
    assert ends.keys() == {("ok", "ok", "insufficient-stock"), ("insufficient-stock", "ok", "ok")}


async def test_a_part_of_it_is_gone(racers: Shop) -> None:
    """All lines or none: what is left of two is not enough, and is free for others."""
    store, cup, plate = await racers.store(), await racers.item(), await racers.item()
    await racers.stock(store, cup, 2)
    await racers.stock(store, plate, 1)
    slow = Checkout(racers, store, (cup, 2), (plate, 1))
    await slow.reserve()
    clock.travel(2 * KEPT)
    await takes(racers, store, cup, fulfillment())
    assert await outcome(slow.pay()) == "insufficient-stock"
    assert slow.captured == 0
    assert await shelf(racers.db, store, cup) in ((1, 0, 1), (0, 0, 1))
    await sweep_expired(racers.db)
    assert await shelf(racers.db, store, cup) == (1, 0, 1)
    assert await shelf(racers.db, store, plate) == (1, 0, 0)
    await racers.stock(store, cup, 1)
    assert await outcome(slow.pay()) == "ok"
    assert (slow.captured, await shelf(racers.db, store, cup)) == (1, (0, 0, 3))


async def test_paying_twice_commits_once(racers: Shop, observer: asyncpg.Connection) -> None:
    async def scene() -> Any:
        clock.back_to_present()
        slow, store, item = await begun(racers, on_shelf=2)
        clock.travel(2 * KEPT)

        async def check(ends: Any) -> None:
            assert await shelf(racers.db, store, item) == (1, 0, 1)
            assert await aside(racers.db, slow.owner) == [("committed", 1, 1, 0)]

        return [slow.pay(), slow.pay()], check

    assert (await every_interleaving(observer, scene)).keys() == {("ok", "ok")}


async def test_a_till_sells_what_is_being_paid(db: Database, racers: Shop) -> None:
    """What has left the store is a fact: the money does not move for it, unless there is another."""
    slow, store, item = await begun(racers)

    async def sells(tx: Tx) -> None:
        line = stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=1)
        await stock.sell(tx, racers.system, cause=fresh("sale"), location_id=store.id, lines=[line])

    end = await first_then(db, sells, outcome(slow.pay()))
    assert await shelf(db, store, item) == (0, 0, 0)
    assert (end, slow.captured) == ("insufficient-stock", 0)
    await racers.stock(store, item, 1)
    assert await outcome(slow.pay()) == "ok"
    assert (slow.captured, await shelf(db, store, item)) == (1, (0, 0, 1))


async def test_a_till_sells_a_part_of_what_is_being_paid(racers: Shop, observer: asyncpg.Connection) -> None:
    """Two of three are still there: at every switch, the third is made up from the shelf or nothing is paid."""

    async def scene() -> Any:
        slow, store, item = await begun(racers, on_shelf=3, units=3)

        async def sells(tx: Tx) -> None:
            line = stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=1)
            await stock.sell(tx, racers.system, cause=fresh("sale"), location_id=store.id, lines=[line])

        async def check(ends: Any) -> None:
            assert ends[1] == "ok"
            if ends[0] == "ok":  # paid first: the promise is broken, and its owner was told
                assert (slow.captured, await shelf(racers.db, store, item)) == (1, (0, 0, 2))
                assert await aside(racers.db, slow.owner) == [("committed", 3, 2, 1)]
            else:
                assert (ends[0], slow.captured) == ("insufficient-stock", 0)
                assert await aside(racers.db, slow.owner) == [("reserved", 3, 2, 1)]

        return [slow.pay(), racers.db.write(sells)], check

    assert (await every_switch(observer, scene)).keys() == {("ok", "ok"), ("insufficient-stock", "ok")}
