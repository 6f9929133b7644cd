"""Goods that were ordered from afar and collected in a store."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from commerce.infra.db import Database
from tests.orders.story import cash, make_ready, pickup_code, place, step
from tests.returns.counter import Sold, back, books, give_back, levels
from tests.support import Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")


async def collected(shop: Shop, store: Store, item: Item, quantity: int, **collect: Any) -> Sold:
    """An order of the item, picked up and paid (all of it unless told)."""
    await shop.stock(store, item, quantity)
    shopper = await shop.shopper("app")
    order = await place(shopper, store, (item, quantity))
    associate = await shop.staff("associate", store.code)
    number = await make_ready(associate, store, order)
    paid = cash(item.price * quantity)
    body = {"code": await pickup_code(shopper, order), "tenders": [paid]} | collect
    answer = await step(associate, store, number, "collect", body)
    assert answer.status_code == 200, answer.text
    receipt = answer.json()["receipt"]
    return Sold(order["number"], receipt["register"], receipt["number"], item.price * quantity)


async def test_what_was_never_handed_over(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 2)
    order = await place(await shop.shopper(), store, (item, 2))
    counter = await shop.staff("associate", store.code)
    before = await books(db, order["number"])
    answer = await give_back(counter, store, back(Sold(order["number"], "", 0, 0), {"sku": item.sku}))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/not-handed-over")
    assert answer.json()["lines"] == [{"n": 1, "sku": item.sku}]
    assert await books(db, order["number"]) == before
    assert await levels(db, store, item) == {"committed": 2}


async def test_only_what_was_handed_over_comes_back(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item(price=1000)
    sold = await collected(
        shop, store, item, 3, lines=[{"sku": item.sku, "quantity": 2}], tenders=[cash(2000)]
    )  # fmt: skip
    counter = await shop.staff("associate", store.code)
    answer = await give_back(counter, store, back(sold, {"sku": item.sku, "quantity": 3}))
    assert answer.json()["lines"] == [{"n": 1, "sku": item.sku, "wanted": 3, "left": 2}]
    answer = await give_back(counter, store, back(sold, {"sku": item.sku, "quantity": 2}))
    assert (answer.status_code, answer.json()["refund_total"]["amount"]) == (201, 2000)
    assert await levels(db, store, item) == {"available": 2, "committed": 1}


async def test_returned_in_another_city_and_seen_by_the_customer(shop: Shop, db: Database) -> None:
    moscow, omsk, item = await shop.store(), await shop.store(), await shop.item(price=5000)
    sold = await collected(shop, moscow, item, 2)
    counter = await shop.staff("associate", omsk.code)
    number = (await give_back(counter, omsk, back(sold, {"sku": item.sku}))).json()["number"]
    manager = await shop.staff("store_manager", moscow.code)
    order = (await manager.get(f"/v1/orders/{sold.order}")).json()
    assert (order["return_status"], order["payment_status"]) == ("partially_returned", "partially_refunded")
    assert order["lines"][0]["returned"] == 1
    assert order["state"] == "completed"
    timeline = (await manager.get(f"/v1/orders/{sold.order}/timeline")).json()["entries"]
    assert timeline[-1]["what"] == "returned"
    assert timeline[-1]["data"]["return"] == number
    assert (await levels(db, moscow, item), await levels(db, omsk, item)) == ({}, {"available": 1})


@pytest.mark.parametrize(("days", "status"), [(14, 201), (15, 422)])
async def test_a_distance_sale_can_be_withdrawn_whatever_the_policy(shop: Shop, days: int, status: int) -> None:
    store, item = await shop.store(), await shop.item(return_policy="underwear")
    sold = await collected(shop, store, item, 1)
    clock.travel(timedelta(days=days))
    counter = await shop.staff("associate", store.code)
    answer = await give_back(counter, store, back(sold, {"sku": item.sku, "ground": "withdrawal"}))
    assert answer.status_code == status, answer.text
    if status == 422:
        assert answer.json()["lines"] == [
            {"n": 1, "sku": item.sku, "ground": "withdrawal", "reason": "too_late", "days": 14}
        ]
