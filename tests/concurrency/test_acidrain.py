"""The attacks of "ACIDRain: Concurrency-Related Attacks on Database-Backed Web Applications" (Warszawski and Bailis, SIGMOD 2017).

The paper attacked 12 self-hosted shops (Broadleaf, Lightning Fast Shop, Magento, OpenCart, Oscar, PrestaShop, Ror_ecommerce, Saleor,
Shoppe, Shopizer, Spree, WooCommerce) by overlapping ordinary API calls, and tested three invariants in each:

- inventory: stock is never negative, and what has left it is what the orders say;
- cart: an order is charged for exactly what is in it;
- voucher: what may be used once (or n times) is used no more often.

An anomaly is level-based when a stronger isolation level would prevent it (lost updates and phantoms of a check and its write in one
transaction), and scope-based when check and write are in different transactions, which no level prevents. Our level is READ COMMITTED,
the default under which the shops fell, so each attack is tried here with real interleavings: one call is interrupted before each of its
statements by the whole of the other, both ways, and where the calls are short, in all orders of their statements.

Vouchers are not sold or redeemed here yet. What else may be used once stands in for them: an idempotency key, the attempts at a pickup
code, the pickup itself, the refundable units of an order line, the answer to a question put to a customer, one announced unit.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from commerce import stock
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from tests.concurrency.steps import every_interleaving, every_switch, some_interleavings
from tests.concurrency.test_hot_variant import with_carts
from tests.orders.story import cash, levels, make_ready, order_body, pickup_code, place, put, step
from tests.orders.test_sales import sale
from tests.returns.counter import back, give_back
from tests.returns.counter import sell as sell_over_counter
from tests.stock.shelves import aside, demand, fresh, fulfillment, shelf
from tests.support import Client, Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")
Ends = Any


async def shelves(shop: Shop, *units: int, at: Store | None = None) -> tuple[Store, list[Item]]:
    """A new store, unless it is given, and an item at 100 for each number of units."""
    store, items = at or await shop.store(), [await shop.item(price=100) for _ in units]
    for item, quantity in zip(items, units, strict=True):
        await shop.stock(store, item, quantity)
    return store, items


async def till_at(shop: Shop, store: Store) -> Client:
    """A till whose key the API has seen before: it looks up one new key at a time."""
    till = await shop.device("till", store.code)
    assert (await till.get(f"/v1/stores/{store.code}/fulfillments/0000-0000-0000-1")).status_code != 401
    return till


async def charged_and_delivered(shop: Shop, customer: Client) -> list[tuple[int, int, int, int]]:
    """Of each order of a customer: its total, what its lines come to, units of its lines, units set aside for it."""

    async def read(tx: Tx) -> list[tuple[int, int, int, int]]:
        rows = await tx.rows(
            """
            SELECT o.total, (SELECT sum(l.unit_price * l.quantity) FROM orders.lines l WHERE l.order_id = o.id) AS lines,
                (SELECT sum(l.quantity) FROM orders.lines l WHERE l.order_id = o.id) AS units,
                (SELECT sum(r.quantity_open) FROM stock.reservations r JOIN fulfillment.fulfillments f ON f.id = r.owner_id
                 WHERE f.order_id = o.id) AS aside
            FROM orders.orders o WHERE o.customer_id = :customer ORDER BY o.placed_at, o.id
            """,
            customer=customer.actor.subject,
        )
        return [(row.total, row.lines, row.units, row.aside) for row in rows]

    return await shop.db.read(read)


# Inventory


async def test_inventory_two_checkouts_of_the_last_units(racers: Shop, observer: asyncpg.Connection) -> None:
    """The check of the stock and its decrement (level-based: Lost Update): of three units, two customers want two each."""

    async def scene() -> Any:
        store, [item] = await shelves(racers, 3)
        crowd = await with_carts(racers, 2, (item, 2))

        async def check(ends: Ends) -> None:
            assert sorted(ends) == ["insufficient-stock", "ok"]
            assert await levels(racers, item, store) == (1, 2)

        return [one.post("/v1/orders", order_body(store, 200)) for one in crowd], check

    await every_switch(observer, scene, alike=True)


async def test_inventory_the_verb_in_all_orders_of_its_statements(racers: Shop, observer: asyncpg.Connection) -> None:
    """Promise, sell and adjust of one last unit, each against each, statement by statement."""

    async def scene() -> Any:
        store, [item] = await shelves(racers, 1)
        first, second = fulfillment(), fulfillment()

        async def check(ends: Ends) -> None:
            assert sorted(ends) == ["insufficient-stock", "ok"]
            assert await shelf(racers.db, store, item) == (0, 0, 1)
            assert await aside(racers.db, first) + await aside(racers.db, second) == [("committed", 1, 1, 0)]

        return [
            racers.db.write(stock.promise, racers.system, owner=owner, demands=[demand(store, item, 1)], cause=fresh())
            for owner in (first, second)
        ], check

    assert len(await every_interleaving(observer, scene)) == 2


async def test_inventory_a_check_in_one_transaction_and_the_order_in_another(
    racers: Shop, observer: asyncpg.Connection
) -> None:
    """Scope-based: the customer is shown three in stock, and orders on the strength of it. What he saw is no promise; the order looks
    again, under the lock that it writes with."""

    async def scene() -> Any:
        store, [item] = await shelves(racers, 3)
        crowd = [await racers.shopper() for _ in range(2)]

        async def sees_then_buys(one: Client) -> httpx.Response:
            await put(one, (item, 2))
            shown = (await one.get("/v1/carts/current")).json()["lines"]
            assert [line["quantity"] for line in shown] == [2]
            return await one.post("/v1/orders", order_body(store, 200))

        async def check(ends: Ends) -> None:
            assert sorted(ends) == ["insufficient-stock", "ok"]
            assert await levels(racers, item, store) == (1, 2)

        return [sees_then_buys(one) for one in crowd], check

    await every_switch(observer, scene, alike=True)


async def test_inventory_decrements_of_two_orders_both_count(racers: Shop, observer: asyncpg.Connection) -> None:
    """Read, subtract, write back (Lost Update in eight of the shops): with enough for both, none of the decrements is lost."""

    async def scene() -> Any:
        store, [cup, plate] = await shelves(racers, 9, 9)
        one, two = await with_carts(racers, 1, (cup, 2), (plate, 1)) + await with_carts(racers, 1, (plate, 3), (cup, 4))

        async def check(ends: Ends) -> None:
            assert ends == ("ok", "ok")
            assert await levels(racers, cup, store) == (3, 6)
            assert await levels(racers, plate, store) == (5, 4)

        return [one.post("/v1/orders", order_body(store, 300)), two.post("/v1/orders", order_body(store, 700))], check

    assert (await every_switch(observer, scene)).keys() == {("ok", "ok")}


async def test_inventory_write_skew_of_two_lines(racers: Shop, observer: asyncpg.Connection) -> None:
    """All lines or none: two orders that each need the last of both goods do not take one each."""

    async def scene() -> Any:
        store, [cup, plate] = await shelves(racers, 1, 1)
        one, two = await with_carts(racers, 1, (cup, 1), (plate, 1)) + await with_carts(racers, 1, (plate, 1), (cup, 1))

        async def check(ends: Ends) -> None:
            assert sorted(ends) == ["insufficient-stock", "ok"]
            assert (await levels(racers, cup, store), await levels(racers, plate, store)) == ((0, 1), (0, 1))

        return [one.post("/v1/orders", order_body(store, 200)), two.post("/v1/orders", order_body(store, 200))], check

    await every_switch(observer, scene, alike=True)


async def test_inventory_a_till_and_an_order(racers: Shop, observer: asyncpg.Connection) -> None:
    """The till's sale is a fact and always books; the order has what is left, or is told that its unit is lost. Never below zero."""
    store = await racers.store()
    till = await till_at(racers, store)

    async def scene() -> Any:
        _, [item] = await shelves(racers, 1, at=store)
        [buyer] = await with_carts(racers, 1, (item, 1))

        async def check(ends: Ends) -> None:
            assert ends[0] == "ok"
            assert await levels(racers, item, store) == (0, 0)
            assert await charged_and_delivered(racers, buyer) == ([(100, 100, 1, 0)] if ends[1] == "ok" else [])

        return [
            till.post(f"/v1/stores/{store.code}/sales", sale((item, 1, 100))),
            buyer.post("/v1/orders", order_body(store, 100)),
        ], check

    assert (await every_switch(observer, scene)).keys() == {("ok", "ok"), ("ok", "insufficient-stock")}


async def test_inventory_what_a_cancelled_order_gives_back_is_given_once(
    racers: Shop, observer: asyncpg.Connection
) -> None:
    """Cancelled twice at once, by the customer and the store: the units come back once."""

    async def scene() -> Any:
        store, [item] = await shelves(racers, 3)
        customer, manager = await racers.shopper(), await racers.staff("store_manager", store.code)
        order = await place(customer, store, (item, 2))
        number = order["fulfillments"][0]["number"]

        async def check(ends: Ends) -> None:
            assert ends.count("ok") == 1
            assert await levels(racers, item, store) == (3, 0)

        return [
            customer.post(f"/v1/orders/{order['number']}/cancel", {"reason": "changed_mind"}),
            step(manager, store, number, "cancel", {"reason": "buyer_no_show"}),
        ], check

    assert {tuple(end == "ok" for end in ends) for ends in await every_switch(observer, scene)} == {
        (True, False), (False, True),
    }  # fmt: skip


# Cart


@pytest.mark.parametrize("change", ["adds another thing", "wants more", "removes a thing"])
async def test_cart_changes_while_it_is_ordered(racers: Shop, observer: asyncpg.Connection, change: str) -> None:
    """The attack on most of the shops: a thing that is put into the cart between the total and the order is delivered unpaid (and one
    taken out is paid for nothing). The order has what its total was reckoned from; a later change opens a new cart; an earlier one
    changes the total, and the customer is told before anything is ordered."""

    async def scene() -> Any:
        store, [cup, dear] = await shelves(racers, 50, 50)
        [phone] = await with_carts(racers, 1, (cup, 2), (dear, 1))
        laptop = await racers.shopper("app", person=phone.actor.subject)
        works: dict[str, Coroutine[Any, Any, httpx.Response]] = {
            "adds another thing": laptop.put(
                f"/v1/carts/current/lines/{(await racers.item(price=900)).sku}", {"quantity": 1}
            ),
            "wants more": laptop.put(f"/v1/carts/current/lines/{dear.sku}", {"quantity": 40}),
            "removes a thing": laptop.delete(f"/v1/carts/current/lines/{cup.sku}"),
        }
        for name, work in works.items():
            if name != change:
                work.close()

        async def check(ends: Ends) -> None:
            assert ends[1] == "ok"
            left = (await laptop.get("/v1/carts/current")).json()["lines"]
            if ends[0] == "ok":
                assert await charged_and_delivered(racers, phone) == [(300, 300, 3, 3)]
                assert len(left) == {"adds another thing": 1, "wants more": 1, "removes a thing": 0}[change]
            else:
                assert ends[0] == "total-changed"
                assert await charged_and_delivered(racers, phone) == []
                assert len(left) == {"adds another thing": 3, "wants more": 2, "removes a thing": 1}[change]
                assert (await levels(racers, cup, store), await levels(racers, dear, store)) == ((50, 0), (50, 0))

        return [phone.post("/v1/orders", order_body(store, 300)), works[change]], check

    assert (await every_switch(observer, scene)).keys() == {("ok", "ok"), ("total-changed", "ok")}


async def test_cart_a_swap_that_keeps_the_total(racers: Shop, observer: asyncpg.Connection) -> None:
    """Something else for the same money between the total and the order: the order has one of the two carts, whole, and the version that
    the customer saw tells him which, if he sends it."""

    async def scene() -> Any:
        store, [cup, plate] = await shelves(racers, 50, 50)
        [phone] = await with_carts(racers, 1, (cup, 1))
        laptop = await racers.shopper("app", person=phone.actor.subject)
        body = {"lines": [{"sku": cup.sku, "quantity": 0}, {"sku": plate.sku, "quantity": 1}]}

        async def check(ends: Ends) -> None:
            assert ends[1] == "ok"
            if ends[0] == "ok":
                assert await charged_and_delivered(racers, phone) == [(100, 100, 1, 1)]
                assert (await levels(racers, cup, store), await levels(racers, plate, store)) == ((49, 1), (50, 0))
            else:
                assert ends[0] == "cart-changed"
                assert await charged_and_delivered(racers, phone) == []

        return [
            phone.post("/v1/orders", order_body(store, 100, cart_version=1)),
            laptop.put("/v1/carts/current/lines", body),
        ], check

    assert (await every_switch(observer, scene)).keys() == {("ok", "ok"), ("cart-changed", "ok")}


async def test_cart_ordered_twice(racers: Shop, observer: asyncpg.Connection) -> None:
    """Two placements of the same cart, each with a key of its own: one order."""

    async def scene() -> Any:
        store, [item] = await shelves(racers, 9)
        [phone] = await with_carts(racers, 1, (item, 2))
        laptop = await racers.shopper("app", person=phone.actor.subject)

        async def check(ends: Ends) -> None:
            assert sorted(ends) == ["cart-empty", "ok"]
            assert await charged_and_delivered(racers, phone) == [(200, 200, 2, 2)]
            assert await levels(racers, item, store) == (7, 2)

        return [one.post("/v1/orders", order_body(store, 200)) for one in (phone, laptop)], check

    await every_switch(observer, scene, alike=True)


async def test_cart_a_price_changes_while_it_is_ordered(racers: Shop, observer: asyncpg.Connection) -> None:
    """A price holds from a moment on that nobody has reached when it is written: the order is charged at the list that its customer saw."""

    async def scene() -> Any:
        store, [item] = await shelves(racers, 9)
        [buyer] = await with_carts(racers, 1, (item, 2))

        office = await racers.staff("back_office", channel="back_office")
        dearer = {"prices": [{"sku": item.sku, "amount": 150}], "currency": "RUB"}

        async def check(ends: Ends) -> None:
            assert ends == ("ok", "ok")
            assert await charged_and_delivered(racers, buyer) == [(200, 200, 2, 2)]
            clock.travel(timedelta(minutes=5))
            [late] = await with_carts(racers, 1, (item, 2))
            refused = await late.post("/v1/orders", order_body(store, 200))
            assert (refused.status_code, refused.json()["total"]["amount"]) == (409, 300)
            clock.back_to_present()

        return [buyer.post("/v1/orders", order_body(store, 200)), office.post("/v1/prices", dearer)], check

    assert (await every_switch(observer, scene)).keys() == {("ok", "ok")}


async def test_cart_merged_while_it_is_ordered(racers: Shop, observer: asyncpg.Connection) -> None:
    """A guest's cart is ordered and, at once, merged into his account's: its goods are ordered or in the account's cart, not both."""

    async def scene() -> Any:
        store, [item] = await shelves(racers, 9)
        [guest], account = await with_carts(racers, 1, (item, 2)), await racers.shopper(known=True)

        async def check(ends: Ends) -> None:
            assert ends[1] == "ok"
            kept = [line["quantity"] for line in (await account.get("/v1/carts/current")).json()["lines"]]
            if ends[0] == "ok":
                assert (kept, await levels(racers, item, store)) == ([], (7, 2))
            else:
                assert (ends[0], kept, await levels(racers, item, store)) == ("cart-empty", [2], (9, 0))

        return [
            guest.post("/v1/orders", order_body(store, 200)),
            account.post("/v1/carts/merge", {"token": guest.token, "policy": "sum"}),
        ], check

    assert (await every_switch(observer, scene)).keys() == {("ok", "ok"), ("cart-empty", "ok")}


# Voucher: what may be used once


async def test_once_a_key(racers: Shop, observer: asyncpg.Connection) -> None:
    """Twins with one key: one order; the twin waits and gets the same answer."""

    async def scene() -> Any:
        store, [item] = await shelves(racers, 9)
        [buyer] = await with_carts(racers, 1, (item, 2))
        body, key = order_body(store, 200), str(uuid7())

        async def check(ends: Ends) -> None:
            assert ends == ("ok", "ok")
            assert await charged_and_delivered(racers, buyer) == [(200, 200, 2, 2)]

        return [buyer.post("/v1/orders", body, key=key) for _ in range(2)], check

    assert (await every_switch(observer, scene, alike=True)).keys() == {("ok", "ok")}


async def _ready(shop: Shop, units: int) -> tuple[Store, Item, Client, Client, str, str]:
    store, [item] = await shelves(shop, 9)
    customer, staff = await shop.shopper(), await shop.staff("associate", store.code)
    order = await place(customer, store, (item, units))
    return store, item, customer, staff, await make_ready(staff, store, order), await pickup_code(customer, order)


async def test_once_a_pickup_code_opens(racers: Shop, observer: asyncpg.Connection) -> None:
    """Two counters hand over the same pickup: one does, and takes the money once."""

    async def scene() -> Any:
        store, item, customer, staff, number, code = await _ready(racers, 2)
        body = {"code": code, "tenders": [cash(200)]}

        async def check(ends: Ends) -> None:
            assert sorted(ends) == ["ok", "wrong-step"]
            assert await levels(racers, item, store) == (7, 0)
            assert await captured(racers, customer) == 200

        return [step(staff, store, number, "collect", body) for _ in range(2)], check

    await every_switch(observer, scene, alike=True)


async def captured(shop: Shop, customer: Client) -> int:
    """What was taken for a customer's orders."""

    async def read(tx: Tx) -> int:
        return int(
            await tx.scalar(
                "SELECT coalesce(sum(p.captured), 0) FROM payments.payments p JOIN orders.orders o ON o.id = p.order_id"
                " WHERE o.customer_id = :customer",
                customer=customer.actor.subject,
            )
        )

    return await shop.db.read(read)


async def test_once_each_attempt_at_a_code(racers: Shop, observer: asyncpg.Connection) -> None:
    """Five guesses, not five at a time: the counter of attempts loses none of two at once."""

    async def scene() -> Any:
        store, _, _, staff, number, code = await _ready(racers, 1)
        wrong = {"code": f"{(int(code) + 1) % 1_000_000:06d}", "tenders": [cash(100)]}
        for _ in range(4):
            assert (await step(staff, store, number, "collect", wrong)).status_code == 422

        async def check(ends: Ends) -> None:
            assert sorted(ends) == ["pickup-code-locked", "wrong-pickup-code"]
            right = await step(staff, store, number, "collect", wrong | {"code": code})
            assert right.status_code == 429

        return [step(staff, store, number, "collect", wrong) for _ in range(2)], check

    await every_switch(observer, scene, alike=True)


async def returned(shop: Shop, order: str) -> tuple[int, int, int, int]:
    """Units returned, money given back, receipts of it, returns of an order."""

    async def read(tx: Tx) -> tuple[int, int, int, int]:
        row = await tx.one(
            """
            SELECT (SELECT sum(l.returned) FROM orders.lines l WHERE l.order_id = o.id) AS units,
                (SELECT sum(p.refunded) FROM payments.payments p WHERE p.order_id = o.id) AS money,
                (SELECT count(*) FROM payments.receipts r WHERE r.order_id = o.id AND r.kind = 'refund') AS receipts,
                (SELECT count(*) FROM returns.returns r WHERE r.order_id = o.id) AS returns
            FROM orders.orders o WHERE o.number = :number
            """,
            number=order,
        )
        return row.units, row.money, row.receipts, row.returns

    return await shop.db.read(read)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["one counter", "two stores"])
async def test_once_a_line_is_refunded(racers: Shop, observer: asyncpg.Connection, elsewhere: bool) -> None:
    """The refundable amount of a line: both units are brought back twice at once, and refunded once."""

    async def scene() -> Any:
        store, [item] = await shelves(racers, 9)
        other = await racers.store() if elsewhere else store
        sold = await sell_over_counter(racers, store, (item, 2))
        counters = [await racers.staff("associate", place.code) for place in (store, other)]
        body = back(sold, {"sku": item.sku, "quantity": 2})

        async def check(ends: Ends) -> None:
            assert sorted(ends) == ["ok", "too-many-returned"]
            assert await returned(racers, sold.order) == (2, 200, 1, 1)

        works = [give_back(one, place, body) for one, place in zip(counters, (store, other), strict=True)]
        return works, check

    await every_switch(observer, scene, alike=True)


async def test_once_a_refund_of_parts(racers: Shop, observer: asyncpg.Connection) -> None:
    """Two of three and two of three: the second is refused, not cut."""

    async def scene() -> Any:
        store, [item] = await shelves(racers, 9)
        sold = await sell_over_counter(racers, store, (item, 3))
        counter = await racers.staff("associate", store.code)
        body = back(sold, {"sku": item.sku, "quantity": 2})

        async def check(ends: Ends) -> None:
            assert sorted(ends) == ["ok", "too-many-returned"]
            assert await returned(racers, sold.order) == (2, 200, 1, 1)

        return [give_back(counter, store, body) for _ in range(2)], check

    await every_switch(observer, scene, alike=True)


async def test_once_an_answer_to_a_question(racers: Shop, observer: asyncpg.Connection) -> None:
    """His store cannot do it: he chooses another and, at once, gives it up. One of the two."""

    async def scene() -> Any:
        store, [item] = await shelves(racers, 2)
        other = await racers.store()
        customer, staff = await racers.shopper(), await racers.staff("store_manager", store.code)
        order = await place(customer, store, (item, 2))
        number = order["fulfillments"][0]["number"]
        assert (await step(staff, store, number, "reject", {"reason": "damaged"})).json()["asked"] is True
        await racers.stock(other, item, 2)
        path = f"/v1/orders/{order['number']}/choice"

        async def check(ends: Ends) -> None:
            assert sorted(ends) == ["nothing-to-choose", "ok"]
            assert await levels(racers, item, other) == ((0, 2) if ends[0] == "ok" else (2, 0))
            state = (await customer.get(f"/v1/orders/{order['number']}")).json()["state"]
            assert state == ("placed" if ends[0] == "ok" else "cancelled")

        return [customer.post(path, {"location": other.code}), customer.post(path, {"cancel": True})], check

    assert len(await every_switch(observer, scene)) == 2


async def test_once_a_sale(racers: Shop, observer: asyncpg.Connection) -> None:
    """A till that was not answered sends its sale again, under another key: booked once."""
    store = await racers.store()
    till = await till_at(racers, store)

    async def scene() -> Any:
        _, [item] = await shelves(racers, 9, at=store)
        body = sale((item, 2, 100))

        async def check(ends: Ends) -> None:
            assert ends == ("ok", "ok")
            assert await levels(racers, item, store) == (7, 0)

        return [till.post(f"/v1/stores/{store.code}/sales", body) for _ in range(2)], check

    assert (await every_switch(observer, scene, alike=True)).keys() == {("ok", "ok")}


async def test_many_at_once_in_orders_drawn_at_random(racers: Shop, observer: asyncpg.Connection) -> None:
    """Three customers, a till and a thief for three units, their statements in orders drawn at random."""
    store = await racers.store()
    till = await till_at(racers, store)

    async def scene() -> Any:
        _, [item] = await shelves(racers, 3, at=store)
        crowd = await with_carts(racers, 3, (item, 1))
        manager = await racers.staff("store_manager", store.code)
        ids: list[UUID] = [one.actor.subject for one in crowd]
        assert len(set(ids)) == 3

        async def check(ends: Ends) -> None:
            assert ends[3] == "ok"
            bought, stolen = ends[:3].count("ok"), ends[4] == "ok"
            kept = [sum(units for *_, units in await charged_and_delivered(racers, one)) for one in crowd]
            available, committed = await levels(racers, item, store)
            assert available + committed == 3 - 1 - stolen
            assert (committed, sum(kept)) == (sum(kept), committed)
            assert bought >= committed
            assert available == 0 or bought == 3

        return [
            *(one.post("/v1/orders", order_body(store, 100)) for one in crowd),
            till.post(f"/v1/stores/{store.code}/sales", sale((item, 1, 100))),
            manager.post(f"/v1/stores/{store.code}/adjustments", {"sku": item.sku, "delta": -1, "reason": "theft"}),
        ], check

    await some_interleavings(observer, scene, seed=2017, runs=12)
