"""Races for stock with real commits on several connections. Every test ends with the audit."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from commerce import stock
from commerce.infra.db import Database, Tx
from commerce.infra.importing import Item as Read
from commerce.kernel.errors import Problem
from commerce.kernel.ids import uuid7
from commerce.stock import importing
from commerce.stock.tasks import sweep_expired
from tests.stock.shelves import aside, checkout, demand, events_of, fresh, fulfillment, movements_of, posted, shelf
from tests.support import Item, Shop, clock

pytestmark = pytest.mark.usefixtures("audited")
T = TypeVar("T")


async def outcome(work: Awaitable[Any]) -> str:
    """`ok`, or the code of the refusal. Anything else is a failure of the test."""
    try:
        await work
    except Problem as problem:
        return problem.code
    return "ok"


async def rush(*works: Coroutine[Any, Any, Any]) -> Counter[str]:
    """Run all at once; how many ended how."""
    return Counter(await asyncio.gather(*(outcome(work) for work in works)))


class Attempts:
    """Counts how often `db.write` began a piece of work: more than once is a retry after a deadlock."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.works = 0
        self.begun = 0

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        self.works += 1

        async def counted(tx: Tx) -> T:
            self.begun += 1
            return await work(tx)

        return await self.db.write(counted)


async def first_then(db: Database, first: Callable[[Tx], Awaitable[Any]], second: Coroutine[Any, Any, T]) -> T:
    """Run `first` and hold its commit until `second` waits for its locks; the result of the second."""
    ran, go = asyncio.Event(), asyncio.Event()

    async def held(tx: Tx) -> None:
        await first(tx)
        await tx.flush()
        ran.set()
        await go.wait()

    leader = asyncio.create_task(db.write(held))
    await ran.wait()
    follower = asyncio.create_task(second)
    for _ in range(200):
        waiting = await db.read(_waiting)
        if waiting or follower.done():
            break
        await asyncio.sleep(0.01)
    assert not follower.done(), "the second did not wait for the first"
    go.set()
    await leader
    return await follower


async def _waiting(tx: Tx) -> int:
    return int(
        await tx.scalar(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
    )


async def test_the_last_unit_goes_to_exactly_one_of_twenty(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 1)
    ends = await rush(
        *(
            db.write(stock.promise, shop.system, owner=fulfillment(), demands=[demand(store, item, 1)], cause=fresh())
            for _ in range(20)
        )
    )
    assert ends == {"ok": 1, "insufficient-stock": 19}
    assert await shelf(db, store, item) == (0, 0, 1)


async def test_fifty_units_and_two_hundred_buyers(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 50)
    attempts = Attempts(db)
    left: list[int] = []

    async def buy() -> None:
        owner = fulfillment()

        async def work(tx: Tx) -> None:
            await stock.promise(tx, shop.system, owner=owner, demands=[demand(store, item, 1)], cause=fresh())

        try:
            await attempts.write(work)
        except stock.InsufficientStock as refusal:
            left.append(refusal.short[0].left)
            raise

    assert await rush(*(buy() for _ in range(200))) == {"ok": 50, "insufficient-stock": 150}
    assert left == [0] * 150
    assert await shelf(db, store, item) == (0, 0, 50)
    assert attempts.begun == attempts.works == 200


async def test_opposite_line_orders_never_deadlock(db: Database, shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    items = [await shop.item() for _ in range(6)]
    for item in items:
        for place in (store, other):
            await shop.stock(place, item, 200)
    attempts = Attempts(db)
    dice = random.Random(7)

    def order() -> Callable[[Tx], Awaitable[Any]]:
        demands = [demand(place, item, 1) for item in items for place in (store, other)]
        dice.shuffle(demands)
        owner = fulfillment()
        act = dice.choice(["promise", "sell", "receive", "promise and hand over", "reserve and release"])

        async def work(tx: Tx) -> None:
            if act == "sell":
                lines = [stock.SaleLine(line_id=d.line_id, variant_id=d.variant_id, quantity=1) for d in demands]
                await stock.sell(tx, shop.system, cause=fresh(), location_id=store.id, lines=lines)
                return
            if act == "receive":
                came = [stock.ReceiptLine(variant_id=d.variant_id, quantity=1, unit_cost=7) for d in demands]
                await stock.receive(tx, shop.system, cause=fresh(), location_id=store.id, lines=came)
                return
            if act == "reserve and release":
                await stock.reserve(
                    tx, shop.system, owner=owner, demands=demands, cause=fresh(),
                    expires_at=tx.at + timedelta(minutes=5),
                )  # fmt: skip
                await stock.release(tx, shop.system, owner=owner, cause=fresh())
                return
            await stock.promise(tx, shop.system, owner=owner, demands=demands, cause=fresh())
            if act != "promise":
                await stock.hand_over(tx, shop.system, owner=owner, cause=fresh())

        return work

    works = [order() for _ in range(80)]
    assert await rush(*(attempts.write(work) for work in works)) == {"ok": 80}
    assert attempts.begun == attempts.works == 80


async def test_new_levels_are_made_once(db: Database, shop: Shop) -> None:
    """Goods that were never at a store arrive, come back and are sold there at the same time."""
    store = await shop.store()
    items = [await shop.item() for _ in range(4)]

    attempts = Attempts(db)

    def act(n: int) -> Callable[[Tx], Awaitable[Any]]:
        ordered = items if n % 2 else items[::-1]
        came = [stock.ReceiptLine(variant_id=item.id, quantity=2, unit_cost=100) for item in ordered]
        back = [stock.TakeBackLine(variant_id=item.id, quantity=1, bucket="damaged") for item in ordered]
        sold = [stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=1) for item in ordered]

        async def work(tx: Tx) -> None:
            if n % 3 == 0:
                await stock.receive(tx, shop.system, cause=fresh(), location_id=store.id, lines=came)
            elif n % 3 == 1:
                await stock.take_back(tx, shop.system, cause=fresh(), location_id=store.id, lines=back)
            else:
                await stock.sell(tx, shop.system, cause=fresh(), location_id=store.id, lines=sold)

        return work

    assert await rush(*(attempts.write(act(n)) for n in range(30))) == {"ok": 30}
    assert attempts.begun == attempts.works == 30
    for level in await db.read(stock.levels, variant_ids=[item.id for item in items]):
        assert level.damaged == 10
        assert level.available >= 10


async def test_expiry_races_sale_promise_and_sweeper(db: Database, shop: Shop) -> None:
    store = await shop.store()
    for _ in range(8):
        item = await shop.item()
        await shop.stock(store, item, 3)
        gone = checkout()
        await db.write(
            stock.reserve, shop.system, owner=gone, demands=[demand(store, item, 2), demand(store, item, 1)],
            cause=fresh(), expires_at=clock() + timedelta(minutes=1),
        )  # fmt: skip
        clock.travel(timedelta(minutes=2))
        sale, buyers = fresh("sale"), [fulfillment() for _ in range(4)]
        ends = await rush(
            db.write(
                stock.sell, shop.system, cause=sale, location_id=store.id,
                lines=[stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=1)],
            ),
            sweep_expired(db),
            *(
                db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, item, 1)], cause=fresh())
                for owner in buyers
            ),
            sweep_expired(db),
        )  # fmt: skip
        assert await shelf(db, store, item) in ((0, 0, 2), (0, 0, 3))
        broken = [kind for kind, _ in await events_of(db, sale)]
        if broken:  # the sale came last and took a unit that was promised
            assert broken == ["stock.promise_broken"]
            assert ends == {"ok": 6, "insufficient-stock": 1}
        else:
            assert ends == {"ok": 5, "insufficient-stock": 2}
        assert await shelf(db, store, item) == (0, 0, 2)
        assert [state for state, *_ in await aside(db, gone)] == ["expired", "expired"]


async def test_a_commit_races_its_own_expiry(db: Database, shop: Shop) -> None:
    store = await shop.store()
    for _ in range(8):
        item, owner = await shop.item(), checkout()
        await shop.stock(store, item, 1)
        await db.write(
            stock.reserve, shop.system, owner=owner, demands=[demand(store, item, 1)], cause=fresh(),
            expires_at=clock() + timedelta(minutes=1),
        )  # fmt: skip
        clock.travel(timedelta(minutes=2))
        buyer = fulfillment()
        ends = await asyncio.gather(
            outcome(db.write(stock.commit, shop.system, owner=owner, cause=fresh())),
            outcome(db.write(stock.promise, shop.system, owner=buyer, demands=[demand(store, item, 1)], cause=fresh())),
            outcome(sweep_expired(db)),
        )
        assert sorted(ends[:2]) == ["insufficient-stock", "ok"]
        assert await shelf(db, store, item) == (0, 0, 1)
        winner = owner if ends[0] == "ok" else buyer
        assert await aside(db, winner) == [("committed", 1, 1, 0)]


async def promised(db: Database, shop: Shop, quantity: int = 1) -> tuple[Any, Item, stock.Owner]:
    """A store whose only units are promised to one owner."""
    store, item, owner = await shop.store(), await shop.item(), fulfillment()
    await shop.stock(store, item, quantity)
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, item, quantity)], cause=fresh())
    return store, item, owner


async def test_the_till_sells_the_unit_before_it_is_handed_over(db: Database, shop: Shop) -> None:
    store, item, owner = await promised(db, shop)
    sale, line = fresh("sale"), stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=1)

    async def sells(tx: Tx) -> None:
        await stock.sell(tx, shop.system, cause=sale, location_id=store.id, lines=[line])

    end = await first_then(db, sells, outcome(db.write(stock.hand_over, shop.system, owner=owner, cause=fresh())))
    assert end == "reservation-short"
    assert await aside(db, owner) == [("short", 1, 0, 1)]
    assert await shelf(db, store, item) == (0, 0, 0)
    assert [kind for kind, _ in await events_of(db, sale)] == ["stock.promise_broken"]


async def test_the_unit_is_handed_over_before_the_till_sells_it(db: Database, shop: Shop) -> None:
    store, item, owner = await promised(db, shop)
    sale, line = fresh("sale"), stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=1)

    async def hands_over(tx: Tx) -> None:
        await stock.hand_over(tx, shop.system, owner=owner, cause=fresh())

    await first_then(db, hands_over, db.write(stock.sell, shop.system, cause=sale, location_id=store.id, lines=[line]))
    assert await aside(db, owner) == [("fulfilled", 1, 0, 0)]
    assert await movements_of(db, sale) == [(1, "loss", "available"), (1, "available", "customer")]
    assert [kind for kind, _ in await events_of(db, sale)] == ["stock.count_needed"]


async def test_sales_race_hand_overs_of_the_same_units(db: Database, shop: Shop) -> None:
    for _ in range(10):
        store, item, owner = await promised(db, shop, 2)
        sale = fresh("sale")
        ends = await asyncio.gather(
            outcome(db.write(stock.hand_over, shop.system, owner=owner, cause=fresh())),
            outcome(
                db.write(
                    stock.sell, shop.system, cause=sale, location_id=store.id,
                    lines=[stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=1)],
                )
            ),
        )  # fmt: skip
        if ends[0] == "ok":
            assert await aside(db, owner) == [("fulfilled", 2, 0, 0)]
            assert [kind for kind, _ in await events_of(db, sale)] == ["stock.count_needed"]
        else:
            assert ends[0] == "reservation-short"
            assert await aside(db, owner) == [("committed", 2, 1, 1)]
        assert ends[1] == "ok"


async def test_a_release_races_a_sale(db: Database, shop: Shop) -> None:
    store, item, owner = await promised(db, shop, 3)
    sale = fresh("sale")

    async def sells(tx: Tx) -> None:
        line = stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=1)
        await stock.sell(tx, shop.system, cause=sale, location_id=store.id, lines=[line])

    released = await first_then(db, sells, db.write(stock.release, shop.system, owner=owner, cause=fresh()))
    assert list(released.values()) == [2]
    assert await aside(db, owner) == [("released", 3, 0, 0)]
    assert await shelf(db, store, item) == (2, 0, 0)


async def test_the_same_cause_in_parallel_is_one_act(db: Database, shop: Shop) -> None:
    """Eight callers send the same act at once: it happens once, and all get the same answer."""
    store, item, other = await shop.store(), await shop.item(), await shop.item()
    owner, line, add = fulfillment(), uuid7(), fresh("receipt")
    came = [stock.ReceiptLine(variant_id=v.id, quantity=3, unit_cost=100) for v in (item, other)]
    keep, out, sale, back, lost = (fresh(kind) for kind in ("keep", "out", "sale", "back", "lost"))
    wanted = [demand(store, item, 3, line)]
    acts: list[tuple[stock.Cause, Callable[[], Coroutine[Any, Any, Any]], tuple[int, int, int]]] = [
        (add, lambda: db.write(stock.receive, shop.system, cause=add, location_id=store.id, lines=came), (3, 0, 0)),
        # The promise takes the last units: its twins must not be told that nothing is left.
        (keep, lambda: db.write(stock.promise, shop.system, owner=owner, demands=wanted, cause=keep), (0, 0, 3)),
        (out, lambda: db.write(stock.hand_over, shop.system, owner=owner, cause=out, lines={line: 2}), (0, 0, 1)),
        (sale, lambda: db.write(
            stock.sell, shop.system, cause=sale, location_id=store.id,
            lines=[stock.SaleLine(line_id=line, variant_id=item.id, quantity=1)]), (0, 0, 0)),
        (back, lambda: db.write(
            stock.take_back, shop.system, cause=back, location_id=store.id,
            lines=[stock.TakeBackLine(variant_id=item.id, quantity=2, bucket="available")]), (2, 0, 0)),
        (lost, lambda: db.write(
            stock.adjust, shop.system, cause=lost, location_id=store.id, variant_id=item.id, delta=-2, reason="theft"),
         (0, 0, 0)),
    ]  # fmt: skip
    for cause, act, after in acts:
        answers = await asyncio.gather(*(act() for _ in range(8)))
        assert answers == [answers[0]] * 8, cause.kind
        assert await posted(db, cause) == 1
        assert await shelf(db, store, item) == after, cause.kind
    assert await aside(db, owner) == [("short", 3, 0, 1)]


async def test_a_twin_that_waits_for_the_last_unit_is_a_replay(db: Database, shop: Shop) -> None:
    store, item, owner, cause = await shop.store(), await shop.item(), fulfillment(), fresh()
    await shop.stock(store, item, 1)
    wanted = [demand(store, item, 1)]

    async def promises(tx: Tx) -> None:
        await stock.promise(tx, shop.system, owner=owner, demands=wanted, cause=cause)

    end = await first_then(
        db, promises, outcome(db.write(stock.promise, shop.system, owner=owner, demands=wanted, cause=cause))
    )
    assert end == "ok"
    assert await shelf(db, store, item) == (0, 0, 1)
    assert await aside(db, owner) == [("committed", 1, 1, 0)]


async def test_a_waiting_promise_sees_what_was_received_meanwhile(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 1)

    async def more(tx: Tx) -> None:
        came = [stock.ReceiptLine(variant_id=item.id, quantity=4)]
        await stock.receive(tx, shop.system, cause=fresh(), location_id=store.id, lines=came)

    wanted = [demand(store, item, 5)]
    end = await first_then(
        db, more, outcome(db.write(stock.promise, shop.system, owner=fulfillment(), demands=wanted, cause=fresh()))
    )
    assert end == "ok"
    assert await shelf(db, store, item) == (0, 0, 5)


async def test_receipts_at_once_agree_on_the_average_cost(db: Database, shop: Shop) -> None:
    here, there, item, new = await shop.store(), await shop.store(), await shop.item(), await shop.item()
    await shop.stock(here, item, 100, 1000)

    async def cost(variant: Item) -> int:
        async def read(tx: Tx) -> int:
            return int(await tx.scalar("SELECT average FROM stock.costs WHERE variant_id = :id", id=variant.id))

        return await db.read(read)

    def receives(variant: Item) -> Callable[[Tx], Awaitable[Any]]:
        lines = [stock.ReceiptLine(variant_id=variant.id, quantity=900, unit_cost=1000)]
        return lambda tx: stock.receive(tx, shop.system, cause=fresh(), location_id=here.id, lines=lines)

    await first_then(db, receives(item), shop.stock(there, item, 1000, 3000))
    assert await cost(item) == 2000  # (1000 x 1000 + 1000 x 3000) / 2000
    await first_then(db, receives(new), shop.stock(there, new, 100, 2000))
    assert await cost(new) == 1100  # neither found a row when it began
    await rush(*(shop.stock(place, new, 100, 100 * n) for n in range(1, 11) for place in (here, there)))
    lot = 900 * 1000 + 100 * 2000 + 2 * sum(100 * 100 * n for n in range(1, 11))
    assert abs(await cost(new) - lot / 3000) <= 10  # rounded after each of twenty
    await db.write(
        stock.sell, shop.system, cause=fresh(), location_id=here.id,
        lines=[stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=900)],
    )  # fmt: skip
    await first_then(
        db,
        lambda tx: stock.sell(
            tx, shop.system, cause=fresh(), location_id=here.id,
            lines=[stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=100)],
        ),
        shop.stock(here, item, 1000, 2000),
    )  # fmt: skip
    assert await cost(item) == 2000


async def test_two_files_that_count_a_new_shelf_at_once(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    lines = [
        importing.StockLine(location=store.code, sku=item.sku, quantity=quantity, mode="absolute")
        for quantity in (5, 7)
    ]

    def load(n: int) -> Callable[[Tx], Awaitable[Any]]:
        return lambda tx: importing.loader("stock.csv", f"{store.code}-{n}")(tx, shop.system, [Read(2, 1, lines[n])])

    await first_then(db, load(0), db.write(load(1)))
    assert await shelf(db, store, item) == (7, 0, 0)


async def test_a_delivery_waits_for_the_file_that_counts_its_new_shelf(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    line = importing.StockLine(location=store.code, sku=item.sku, quantity=0, mode="absolute")

    async def counts(tx: Tx) -> None:
        await importing.loader("stock.csv", store.code)(tx, shop.system, [Read(2, 1, line)])

    await first_then(db, counts, shop.stock(store, item, 10))
    assert await shelf(db, store, item) == (10, 0, 0)


async def test_a_broken_promise_is_made_good_once(db: Database, shop: Shop) -> None:
    """Found on the shelf and handed over at once, or cancelled meanwhile: never twice, never what was given up."""
    for turn in range(8):
        store, item, owner = await promised(db, shop, 2)
        sale = stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=2)
        await db.write(stock.sell, shop.system, cause=fresh(), location_id=store.id, lines=[sale])
        await shop.stock(store, item, 3)
        other = stock.hand_over if turn % 2 else stock.release
        ends = await rush(
            *(db.write(stock.promise_again, shop.system, owner=owner, cause=fresh()) for _ in range(3)),
            db.write(other, shop.system, owner=owner, cause=fresh()),
        )
        assert ends == {"ok": 4}
        if turn % 2:
            assert (await aside(db, owner), await shelf(db, store, item)) == ([("fulfilled", 2, 0, 0)], (1, 0, 0))
        else:
            assert (await aside(db, owner), await shelf(db, store, item)) == ([("released", 2, 0, 0)], (3, 0, 0))


async def test_giving_up_what_is_lost_races_the_next_sale(db: Database, shop: Shop) -> None:
    store, item, owner = await promised(db, shop, 3)
    [held] = await db.read(stock.reservations_of, owner)

    async def sells(tx: Tx) -> None:
        line = stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=1)
        await stock.sell(tx, shop.system, cause=fresh(), location_id=store.id, lines=[line])

    await db.write(sells)
    cancels = db.write(stock.release, shop.system, owner=owner, cause=fresh(), lines={held.line_id: 1})
    assert await first_then(db, sells, cancels) == {}
    assert await aside(db, owner) == [("committed", 3, 1, 1)]
