"""Everybody at once: exactly as many orders as there are units, one hand-over, one sale; and the books agree."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from commerce import carts, orders
from commerce.app import create_app
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy, Problem
from commerce.settings import Settings
from tests.orders.story import cash, levels, make_ready, order_body, pickup_code, place, put, step
from tests.orders.test_sales import sale
from tests.support import Client, Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(scope="module")
async def shop(shop: Shop, settings: Settings) -> AsyncIterator[Shop]:
    """A shop whose callers' requests run at the same time; the client of the other tests sends one after the other."""
    app = create_app(settings, clock=clock)
    started, stop = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        # One task opens and closes: pytest may end a fixture in another one.
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


async def ready(shop: Shop, store: Store, item: Item, quantity: int = 1) -> tuple[Client, Client, dict[str, Any], str]:
    customer, staff = await shop.shopper(), await shop.staff("associate", store.code)
    order = await place(customer, store, (item, quantity))
    await make_ready(staff, store, order)
    return customer, staff, order, await pickup_code(customer, order)


def statuses(answers: list[httpx.Response]) -> Counter[tuple[int, str]]:
    return Counter((answer.status_code, answer.json().get("type", "")) for answer in answers)


async def test_200_buyers_of_50_units_make_50_orders(shop: Shop) -> None:
    store, other, wanted, rest = (
        await shop.store(),
        await shop.store(),
        await shop.item(price=100),
        await shop.item(price=10),
    )
    await shop.stock(store, wanted, 50)
    await shop.stock(store, rest, 200)
    buyers = [(await shop.shopper()).actor for _ in range(200)]
    gate = asyncio.Semaphore(16)

    async def buy(n: int, buyer: Actor) -> str:
        lines = [carts.PutSku(sku=item.sku, quantity=1) for item in ((wanted, rest) if n % 2 else (rest, wanted))]
        command = orders.PlaceOrder(
            expected_total=orders.Amount(amount=110, currency="RUB"), pickup=orders.PickupChoice(location=store.code),
            contact=orders.Contact(name="Anna", phone="+79000000101"),
        )  # fmt: skip
        async with gate:
            await shop.db.write(
                carts.put_many, buyer, cart="current", command=carts.PutLines(lines=lines), currency="RUB"
            )
            for _ in range(200):
                try:
                    return (await shop.db.write(orders.place, buyer, command=command, currency="RUB")).number
                except Busy:
                    await asyncio.sleep(0.05)
                except Problem as problem:
                    return problem.code
        return "busy"

    outcome = await asyncio.gather(*(buy(n, buyer) for n, buyer in enumerate(buyers)))
    assert Counter(found for found in outcome if found == "insufficient-stock") == {"insufficient-stock": 150}
    assert len({found for found in outcome if found != "insufficient-stock"}) == 50
    assert await levels(shop, wanted, store) == (0, 50)
    assert await levels(shop, rest, store) == (150, 50)
    assert await levels(shop, wanted, other) == (0, 0)


async def test_the_same_key_in_parallel_makes_one_order(shop: Shop) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 9)
    await put(shopper, (item, 1))
    body = order_body(store, 100)
    answers = await asyncio.gather(*(shopper.post("/v1/orders", body, key="parallel-key") for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409, 503}
    numbers = {answer.json()["number"] for answer in answers if answer.status_code == 201}
    assert len(numbers) == 1
    assert await levels(shop, item, store) == (8, 1)


async def test_one_cart_ordered_twice_at_once_makes_one_order(shop: Shop) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 9)
    await put(shopper, (item, 2))
    on_site = await shop.shopper("site", person=shopper.actor.subject)
    answers = await asyncio.gather(
        *(client.post("/v1/orders", order_body(store, 200)) for client in (shopper, on_site) * 3)
    )
    assert statuses(answers) == {(201, ""): 1, (422, "/problems/cart-empty"): 5}
    assert await levels(shop, item, store) == (7, 2)


async def test_a_pickup_is_collected_once(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 5)
    customer, staff, order, code = await ready(shop, store, item, 2)
    number = order["fulfillments"][0]["number"]
    body = {"code": code, "tenders": [cash(200)]}
    answers = await asyncio.gather(*(step(staff, store, number, "collect", body) for _ in range(6)))
    assert statuses(answers) == {(200, ""): 1, (409, "/problems/wrong-step"): 5}
    seen = (await customer.get(f"/v1/orders/{order['number']}")).json()
    assert [payment["captured"]["amount"] for payment in seen["payments"]] == [200]
    assert await levels(shop, item, store) == (3, 0)


async def test_parts_collected_at_once_never_add_up_to_more(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 9)
    customer, staff, order, code = await ready(shop, store, item, 5)
    number = order["fulfillments"][0]["number"]
    body = {"code": code, "tenders": [cash(200)], "lines": [{"sku": item.sku, "quantity": 2}]}
    answers = await asyncio.gather(*(step(staff, store, number, "collect", body) for _ in range(4)))
    assert statuses(answers) == {(200, ""): 2, (422, "/problems/wrong-units"): 2}
    seen = (await customer.get(f"/v1/orders/{order['number']}")).json()
    assert (seen["lines"][0]["handed_over"], seen["payment_status"]) == (4, "partially_paid")


@pytest.mark.parametrize("turn", range(6))
async def test_cancel_races_collect(shop: Shop, turn: int) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 5)
    customer, staff, order, code = await ready(shop, store, item)
    number = order["fulfillments"][0]["number"]
    works = [
        step(staff, store, number, "collect", {"code": code, "tenders": [cash(100)]}),
        customer.post(f"/v1/orders/{order['number']}/cancel", {"reason": "changed_mind"}),
        step(staff, store, number, "cancel", {"reason": "buyer_no_show"}),
    ]
    turned = works[turn % 3 :] + works[: turn % 3]
    answers = await asyncio.gather(*turned)
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    seen = (await customer.get(f"/v1/orders/{order['number']}")).json()
    if seen["state"] == "completed":
        assert (seen["payment_status"], await levels(shop, item, store)) == ("paid", (4, 0))
    else:
        assert (seen["state"], seen["payment_status"], await levels(shop, item, store)) == (
            "cancelled",
            "voided",
            (5, 0),
        )


async def test_wrong_codes_at_once_are_all_counted(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 1)
    _, staff, order, code = await ready(shop, store, item)
    number = order["fulfillments"][0]["number"]
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    body = {"code": wrong, "tenders": [cash(100)]}
    answers = await asyncio.gather(*(step(staff, store, number, "collect", body) for _ in range(8)))
    assert statuses(answers) == {(422, "/problems/wrong-pickup-code"): 5, (429, "/problems/pickup-code-locked"): 3}


async def test_a_sale_sent_many_times_at_once_is_booked_once(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 5)
    till, staff = await shop.device("till", store.code), await shop.staff("associate", store.code)
    body = sale((item, 1, 100))
    answers = await asyncio.gather(
        *(client.post(f"/v1/stores/{store.code}/sales", body) for client in (till, staff) * 4)
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["order_number"] for answer in answers}) == 1
    assert Counter(answer.json()["already_booked"] for answer in answers) == {False: 1, True: 7}
    assert await levels(shop, item, store) == (4, 0)


@pytest.mark.parametrize("turn", range(4))
async def test_a_till_sale_races_the_collecting_of_the_last_unit(shop: Shop, turn: int) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 1)
    customer, staff, order, code = await ready(shop, store, item)
    number = order["fulfillments"][0]["number"]
    till = await shop.device("till", store.code)
    works = [
        step(staff, store, number, "collect", {"code": code, "tenders": [cash(100)]}),
        till.post(f"/v1/stores/{store.code}/sales", sale((item, 1, 100))),
    ]
    answers = await asyncio.gather(*(works if turn % 2 else works[::-1]))
    collected, sold = answers if turn % 2 else answers[::-1]
    assert sold.status_code == 201
    assert collected.status_code in (200, 409)
    seen = (await customer.get(f"/v1/orders/{order['number']}")).json()
    assert seen["state"] == ("completed" if collected.status_code == 200 else "placed")
    assert await levels(shop, item, store) == (0, 0)


async def test_a_till_sale_races_the_order_of_the_last_unit(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 1)
    till, shopper = await shop.device("till", store.code), await shop.shopper()
    await put(shopper, (item, 1))
    sold, placed = await asyncio.gather(
        till.post(f"/v1/stores/{store.code}/sales", sale((item, 1, 100))),
        shopper.post("/v1/orders", order_body(store, 100)),
    )
    assert sold.status_code == 201
    assert placed.status_code in (201, 409)
    assert await levels(shop, item, store) == (0, 0)


async def test_store_steps_at_once_are_taken_once(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 3)
    order = await place(await shop.shopper(), store, (item, 2))
    number = order["fulfillments"][0]["number"]
    staff = await shop.staff("associate", store.code)
    accepted = await asyncio.gather(*(step(staff, store, number, "accept") for _ in range(4)))
    assert sorted(answer.status_code for answer in accepted) == [200, 409, 409, 409]
    scans = {"scans": [{"sku": item.sku, "quantity": 1}]}
    picked = await asyncio.gather(*(step(staff, store, number, "pick", scans) for _ in range(4)))
    assert sorted(answer.status_code for answer in picked) == [200, 200, 409, 409]
