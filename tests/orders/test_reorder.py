"""The same again: what an old order had goes into the cart, and the report says what could not be had."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec
import pytest

from commerce.auth import tokens
from commerce.infra.db import Tx
from tests.lists.support import cart, code, into_cart, run, told
from tests.orders.story import cash, make_ready, order_body, pickup_code, place, step
from tests.orders.test_sales import sale
from tests.support import Client, Shop, clock, tag, unique

pytestmark = pytest.mark.usefixtures("audited")


async def reorder(client: Client, order: dict[str, Any] | str, **kwargs: Any) -> httpx.Response:
    number = order if isinstance(order, str) else order["number"]
    return await client.post(f"/v1/orders/{number}/reorder", **kwargs)


async def test_everything_again_at_todays_prices(shop: Shop) -> None:
    store, mug, bowl = await shop.store(), await shop.item(price=700), await shop.item(price=300)
    for item in (mug, bowl):
        await shop.stock(store, item, 50)
    anna = await shop.shopper("app")
    order = await place(anna, store, (mug, 2), (bowl, 1))
    await run(
        shop, "INSERT INTO prices.prices (variant_id, valid_from, amount, currency, set_by) VALUES (:id, :at, 650, 'RUB', :by)",
        id=mug.id, at=clock(), by=shop.system.subject,
    )  # fmt: skip
    answer = await reorder(anna, order)
    assert told(answer) == [(mug.sku, "added", 2, 2, None), (bowl.sku, "added", 1, 1, None)]
    view = answer.json()
    assert (answer.headers["etag"], view["version"], view["cart"]["subtotal"]["amount"]) == (
        tag(view["cart"]), 1, 1_600,
    )  # fmt: skip
    assert (view["lines"][0]["title"], view["lines"][0]["alternatives"]) == ({"en": "Thing", "ru": "Вещь"}, [])
    assert view["cart"] == (await anna.get("/v1/carts/current")).json()
    assert [line["added_channel"] for line in view["cart"]["lines"]] == ["app", "app"]


async def test_it_is_added_to_what_is_there_and_limited(shop: Shop) -> None:
    store, mug, few, other = await shop.store(), await shop.item(), await shop.item(), await shop.item()
    for item, quantity in ((mug, 50), (few, 6), (other, 5)):
        await shop.stock(store, item, quantity)
    anna = await shop.shopper()
    order = await place(anna, store, (mug, 3), (few, 4))
    await run(shop, "UPDATE catalog.variants SET maximum_per_order = 4 WHERE id = :id", id=mug.id)
    await into_cart(anna, mug, 2)
    await into_cart(anna, other, 1)
    first = await reorder(anna, order, key="reorder-key-0001")
    assert told(first) == [(mug.sku, "limited", 2, 4, "maximum_per_order"), (few.sku, "limited", 2, 2, "available")]
    assert (await reorder(anna, order, key="reorder-key-0001")).json() == first.json()
    assert await cart(anna) == {mug.sku: 4, few.sku: 2, other.sku: 1}
    again = await reorder(anna, order)
    assert told(again) == [(mug.sku, "limited", 0, 4, "maximum_per_order"), (few.sku, "limited", 0, 2, "available")]
    assert await cart(anna) == {mug.sku: 4, few.sku: 2, other.sku: 1}


async def test_what_cannot_be_had_names_what_can(shop: Shop) -> None:
    store, small = await shop.store(), await shop.item(price=1_000)
    large, tiny, dear = [
        await shop.item(product=small.product_id, price=price, sku=unique("SKU").upper())
        for price in (1_200, 1_050, 9_000)
    ]
    stopped = await shop.item()
    for item, quantity in ((small, 1), (large, 5), (dear, 5), (stopped, 5)):
        await shop.stock(store, item, quantity)
    anna = await shop.shopper()
    order = await place(anna, store, (small, 1), (stopped, 1))
    await run(shop, "UPDATE catalog.variants SET stop_sale_reason = 'recall' WHERE id = :id", id=stopped.id)
    answer = await reorder(anna, order)
    assert told(answer) == [
        (small.sku, "sold_out", 0, 0, None), (stopped.sku, "not_sellable", 0, 0, "stop_sale"),
    ]  # fmt: skip
    lines = answer.json()["lines"]
    assert [(one["sku"], one["unit_price"]["amount"], one["availability"]) for one in lines[0]["alternatives"]] == [
        (large.sku, 1_200, "few"), (dear.sku, 9_000, "few"),
    ]  # fmt: skip
    assert tiny.sku not in answer.text
    assert [line["alternatives"] for line in lines[1:]] == [[]]
    assert (answer.json()["cart"]["id"], answer.json()["version"]) == (None, 0)


async def test_a_bundle_is_a_bundle_again(shop: Shop) -> None:
    store, cup, saucer = await shop.store(), await shop.item(price=300), await shop.item(price=200)
    for item in (cup, saucer):
        await shop.stock(store, item, 10)
    kit = await shop.bundle({cup: 1, saucer: 1}, price=450)
    anna = await shop.shopper()
    order = await place(anna, store, (kit, 2))
    answer = await reorder(anna, order)
    assert told(answer) == [(kit.sku, "added", 2, 2, None)]
    assert answer.json()["cart"]["subtotal"]["amount"] == 900


async def test_a_till_sale_and_an_order_that_came_back(shop: Shop) -> None:
    store, mug = await shop.store(), await shop.item(price=500)
    await shop.stock(store, mug, 20)
    till, anna = await shop.device("till", store.code), await shop.shopper(known=True)
    body = sale((mug, 2, 400), (mug, 1, 500), customer=str(anna.actor.subject))
    booked = await till.post(f"/v1/stores/{store.code}/sales", body)
    assert booked.status_code == 201, booked.text
    answer = await reorder(anna, booked.json()["order_number"])
    assert told(answer) == [(mug.sku, "added", 3, 3, None)]
    assert answer.json()["cart"]["subtotal"]["amount"] == 1_500
    boris, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(boris, store, (mug, 2))
    number = await make_ready(staff, store, order)
    paid = {"code": await pickup_code(boris, order), "tenders": [cash(1_000)]}
    assert (await step(staff, store, number, "collect", paid)).status_code == 200
    line = {"sku": mug.sku, "quantity": 2, "ground": "change_of_mind", "condition": "sellable"}
    back = await staff.post(
        f"/v1/stores/{store.code}/returns", {"order": order["number"], "refund": {"tender": "cash"}, "lines": [line]}
    )
    assert back.status_code == 201, back.text
    assert told(await reorder(boris, order)) == [(mug.sku, "added", 2, 2, None)]
    cancelled = (await boris.post("/v1/orders", order_body(store, 1_000))).json()
    assert (await boris.post(f"/v1/orders/{cancelled['number']}/cancel", {"reason": "other"})).status_code == 200
    assert told(await reorder(boris, cancelled)) == [(mug.sku, "added", 2, 2, None)]


async def test_whose_order_it_is(shop: Shop) -> None:
    store, mug = await shop.store(), await shop.item()
    await shop.stock(store, mug, 20)
    old, anna, stranger = await shop.shopper(known=True), await shop.shopper(known=True), await shop.shopper()
    order = await place(old, store, (mug, 2))
    for client in (anna, stranger):
        assert code(await reorder(client, order)) == (404, "unknown-order")
        assert (await client.get("/v1/carts/current")).json()["version"] == 0
    assert code(await reorder(old, "1234")) == (404, "unknown-order")
    assert code(await reorder(await shop.staff("admin"), order)) == (403, "not-allowed")
    await shop.merge(old, anna)
    assert told(await reorder(anna, order)) == [(mug.sku, "added", 2, 2, None)]
    staff = await shop.staff("call_center", channel="call_center")
    acting = msgspec.structs.replace(staff.actor, on_behalf_of=anna.actor.subject, reason="She asked on the phone")
    token = tokens.issue(acting, secret_key=shop.settings.secret_key, at=clock(), seconds=600)
    answer = await reorder(Client(shop.http, token, acting), order)
    assert told(answer) == [(mug.sku, "added", 2, 4, None)]
    assert await cart(anna) == {mug.sku: 4}

    async def records(tx: Tx) -> list[tuple[str, Any]]:
        rows = await tx.rows(
            "SELECT action, after FROM infra.audit_records WHERE subject = :staff", staff=staff.actor.subject
        )
        return [(row.action, row.after) for row in rows]

    reordered = ("order.reordered", {"cart": answer.json()["cart"]["id"]})
    assert sorted(await shop.db.read(records)) == [("cart.changed", None), reordered]
