"""From a list into the cart and back: what became of each line, and that no line is in neither."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lists.support import ANY, cart, code, events, held, into_cart, read, run, told, wish
from tests.support import Item, Shop, tag

pytestmark = pytest.mark.usefixtures("audited")


async def test_what_became_of_each_line(shop: Shop) -> None:
    store = await shop.store()
    plain, few, capped, gone, stopped, there = [await shop.item(price=100) for _ in range(6)]
    await run(shop, "UPDATE catalog.variants SET maximum_per_order = 2 WHERE id = :id", id=capped.id)
    for item, quantity in ((plain, 50), (few, 3), (capped, 50), (stopped, 50), (there, 50)):
        await shop.stock(store, item, quantity)
    anna = await shop.shopper()
    await into_cart(anna, there, 4)
    for item, quantity in ((plain, 2), (few, 5), (capped, 3), (gone, 1), (stopped, 1), (there, 3)):
        await wish(anna, item, quantity)
    await run(shop, "UPDATE catalog.variants SET stop_sale_reason = 'recall' WHERE id = :id", id=stopped.id)
    moved = await anna.post("/v1/lists/wish/move-to-cart", {}, headers={"If-Match": '"6"'})
    assert told(moved) == [
        (plain.sku, "added", 2, 2, None), (few.sku, "limited", 3, 3, "available"),
        (capped.sku, "limited", 2, 2, "maximum_per_order"), (gone.sku, "sold_out", 0, 0, None),
        (stopped.sku, "not_sellable", 0, 0, "stop_sale"), (there.sku, "already_there", 0, 4, None),
    ]  # fmt: skip
    assert [line["left_on_list"] for line in moved.json()["lines"]] == [0, 2, 1, 1, 1, 0]
    assert (moved.json()["version"], moved.headers["etag"]) == (7, tag(moved.json()["left"]))
    assert held(moved.json()["left"]) == {few.sku: 2, capped.sku: 1, gone.sku: 1, stopped.sku: 1}
    assert await read(anna) == moved.json()["left"]
    in_cart = {there.sku: 4, plain.sku: 2, few.sku: 3, capped.sku: 2}
    assert held(moved.json()["cart"]) == in_cart == await cart(anna)
    assert moved.json()["cart"] == (await anna.get("/v1/carts/current")).json()
    assert moved.json()["cart"]["version"] == 2
    assert (await events(shop, moved.json()["left"]["id"]))[-1] == ("list.changed", 7)
    again = await anna.post("/v1/lists/wish/move-to-cart", {}, headers=ANY)
    assert [line[1] for line in told(again)] == ["already_there", "already_there", "sold_out", "not_sellable"]
    assert (held(again.json()["left"]), await cart(anna)) == ({gone.sku: 1, stopped.sku: 1}, in_cart)


async def test_only_some_and_kept(shop: Shop) -> None:
    store, mug, bowl = await shop.store(), await shop.item(), await shop.item()
    for item in (mug, bowl):
        await shop.stock(store, item, 9)
    anna = await shop.shopper()
    await wish(anna, mug, 2)
    before = await wish(anna, bowl, 1)
    kept = await anna.post(
        "/v1/lists/wish/move-to-cart", {"skus": [mug.sku, mug.sku], "keep": True}, headers={"If-Match": '"2"'}
    )
    assert told(kept) == [(mug.sku, "added", 2, 2, None)]
    assert (kept.json()["lines"][0]["left_on_list"], kept.json()["left"]) == (2, before)
    assert await cart(anna) == {mug.sku: 2}
    unknown = await anna.post("/v1/lists/wish/move-to-cart", {"skus": [mug.sku, "NOT-THERE"]}, headers=ANY)
    assert (code(unknown), unknown.json()["sku"]) == ((422, "not-on-list"), "NOT-THERE")
    none = await anna.post("/v1/lists/saved/move-to-cart", {}, headers=ANY)
    assert code(none) == (404, "unknown-list")
    assert (await read(anna), await cart(anna)) == (before, {mug.sku: 2})


async def test_when_nothing_can_be_moved_there_is_no_cart(shop: Shop) -> None:
    gone = await shop.item()
    anna = await shop.shopper()
    before = await wish(anna, gone)
    moved = await anna.post("/v1/lists/wish/move-to-cart", {}, headers=ANY)
    assert told(moved) == [(gone.sku, "sold_out", 0, 0, None)]
    assert (moved.json()["cart"]["id"], moved.json()["left"]) == (None, before)
    assert (await anna.get("/v1/carts/current")).json()["version"] == 0


async def test_what_can_wait_is_moved_as_far_as_it_is_announced(shop: Shop) -> None:
    from tests.supply.story import announced

    store, coming, endless = (
        await shop.store(),
        await shop.item(when_out="backorder"),
        await shop.item(when_out="backorder"),
    )
    office = await shop.staff("back_office", channel="back_office")
    await announced(office, store, (coming, 3, None))
    anna = await shop.shopper()
    await wish(anna, coming, 5)
    await wish(anna, endless, 1)
    moved = await anna.post("/v1/lists/wish/move-to-cart", {}, headers=ANY)
    assert told(moved) == [
        (coming.sku, "limited", 3, 3, "available"), (endless.sku, "sold_out", 0, 0, None),
    ]  # fmt: skip
    assert held(moved.json()["left"]) == {coming.sku: 2, endless.sku: 1}


async def test_saved_for_later_and_back(shop: Shop) -> None:
    store, mug, bowl = await shop.store(), await shop.item(price=300), await shop.item(price=200)
    for item in (mug, bowl):
        await shop.stock(store, item, 9)
    anna = await shop.shopper("app")
    await into_cart(anna, bowl, 1)
    before = await into_cart(anna, mug, 3)
    path = f"/v1/carts/current/lines/{mug.sku}/save-for-later"
    blind = await shop.http.post(
        path, headers={"Authorization": f"Bearer {anna.token}", "Idempotency-Key": "blind-save-0001"}
    )
    assert code(blind) == (428, "version-required")
    stale = await anna.post(path, headers={"If-Match": '"1"'})
    assert (code(stale), stale.json()["cart"]) == ((412, "stale-cart"), before)
    assert ((await read(anna, "saved"))["version"], await cart(anna)) == (0, {bowl.sku: 1, mug.sku: 3})
    saved = await anna.post(path, headers={"If-Match": tag(before)})
    assert (saved.status_code, saved.headers["etag"]) == (200, tag(saved.json()["cart"])), saved.text
    assert saved.json()["version"] == 3
    assert (held(saved.json()["cart"]), held(saved.json()["saved"])) == ({bowl.sku: 1}, {mug.sku: 3})
    assert saved.json()["cart"]["subtotal"] == {"amount": 200, "currency": "RUB"}
    line = saved.json()["saved"]["lines"][0]
    assert (line["unit_price_when_added"]["amount"], line["added_channel"]) == (300, "app")
    assert await read(anna, "saved") == saved.json()["saved"]
    gone = await anna.post(path, headers=ANY)
    assert (code(gone), gone.json()["sku"]) == ((404, "not-in-cart"), mug.sku)
    await into_cart(anna, mug, 2)
    twice = await anna.post(f"/v1/carts/{before['id']}/lines/{mug.sku}/save-for-later", headers=ANY)
    assert held(twice.json()["saved"]) == {mug.sku: 5}
    await into_cart(anna, mug, 1)
    back = await anna.post("/v1/lists/saved/move-to-cart", {"skus": [mug.sku]}, headers=ANY)
    assert told(back) == [(mug.sku, "added", 5, 6, None)]
    assert (held(back.json()["left"]), await cart(anna)) == ({}, {bowl.sku: 1, mug.sku: 6})


async def test_a_gift_wish_goes_along_and_comes_back(shop: Shop) -> None:
    store, mug, bowl = await shop.store(), await shop.item(), await shop.item()
    for item in (mug, bowl):
        await shop.stock(store, item, 9)
    anna = await shop.shopper("app")

    async def wrapped(item: Item, message: str) -> None:
        body = {"gift": {"wrap": True, "message": message}}
        answer = await anna.put(f"/v1/carts/current/lines/{item.sku}/fulfillment", body, headers=ANY)
        assert answer.status_code == 200, answer.text

    async def later(item: Item) -> Any:
        saved = await anna.post(f"/v1/carts/current/lines/{item.sku}/save-for-later", headers=ANY)
        assert saved.status_code == 200, saved.text
        return {line["sku"]: line["gift"] for line in saved.json()["saved"]["lines"]}

    async def back() -> dict[str, Any]:
        moved = await anna.post("/v1/lists/saved/move-to-cart", {}, headers=ANY)
        assert moved.json()["left"]["lines"] == [], moved.text
        return {line["sku"]: line["gift"] for line in moved.json()["cart"]["lines"]}

    mama, papa = {"wrap": True, "message": "Мамочке"}, {"wrap": True, "message": "Папе"}
    for item in (mug, bowl):
        await into_cart(anna, item, 1)
    await wrapped(mug, "Мамочке")
    assert await later(mug) == {mug.sku: mama}
    assert await later(bowl) == {mug.sku: mama, bowl.sku: None}
    assert [line["gift"] for line in (await read(anna, "saved"))["lines"]] == [mama, None]
    # More of it is saved: without a word the wish stays, another one takes its place.
    await into_cart(anna, mug, 2)
    assert (await later(mug))[mug.sku] == mama
    await into_cart(anna, mug, 1)
    await wrapped(mug, "Папе")
    assert (await later(mug))[mug.sku] == papa
    await wish(anna, mug, 4, "saved", note="Large")
    assert (await read(anna, "saved"))["lines"][0]["gift"] == papa
    assert await back() == {mug.sku: papa, bowl.sku: None}
    # What the cart says by now stays.
    await later(mug)
    await into_cart(anna, mug, 1)
    assert await back() == {mug.sku: papa, bowl.sku: None}
    await later(mug)
    await into_cart(anna, mug, 1)
    await wrapped(mug, "Мамочке")
    assert await back() == {mug.sku: mama, bowl.sku: None}
    assert await cart(anna) == {mug.sku: 6, bowl.sku: 1}
    await later(mug)
    shared = (await anna.post("/v1/lists/saved/share", {})).json()["token"]
    assert "Мамочке" not in (await anna.get(f"/v1/shared-lists/{shared}")).text


async def test_what_the_cart_cannot_take_keeps_its_gift_wish_on_the_list(shop: Shop) -> None:
    store, mug = await shop.store(), await shop.item()
    await shop.stock(store, mug, 3)
    anna = await shop.shopper()
    await into_cart(anna, mug, 5)
    body = {"gift": {"wrap": True}}
    assert (await anna.put(f"/v1/carts/current/lines/{mug.sku}/fulfillment", body, headers=ANY)).status_code == 200
    await anna.post(f"/v1/carts/current/lines/{mug.sku}/save-for-later", headers=ANY)
    moved = (await anna.post("/v1/lists/saved/move-to-cart", {}, headers=ANY)).json()
    assert [(line["quantity"], line["gift"]) for line in moved["cart"]["lines"]] == [(3, {"wrap": True})]
    assert [(line["quantity"], line["gift"]) for line in moved["left"]["lines"]] == [(2, {"wrap": True})]


async def test_nobody_saves_out_of_another_cart(shop: Shop) -> None:
    store, mug = await shop.store(), await shop.item()
    await shop.stock(store, mug, 9)
    anna, boris = await shop.shopper(), await shop.shopper()
    mine = await into_cart(anna, mug, 1)
    answer = await boris.post(f"/v1/carts/{mine['id']}/lines/{mug.sku}/save-for-later", headers=ANY)
    assert code(answer) == (404, "unknown-cart")
    assert code(await boris.post(f"/v1/carts/current/lines/{mug.sku}/save-for-later", headers=ANY)) == (
        404,
        "not-in-cart",
    )
    assert (await boris.get("/v1/lists")).json() == {"items": []}
    assert await cart(anna) == {mug.sku: 1}


async def test_a_repeated_move_is_made_once(shop: Shop) -> None:
    store, mug = await shop.store(), await shop.item()
    await shop.stock(store, mug, 9)
    anna = await shop.shopper()
    await into_cart(anna, mug, 2)
    await anna.post(f"/v1/carts/current/lines/{mug.sku}/save-for-later", headers=ANY)
    await into_cart(anna, mug, 1)
    first = await anna.post("/v1/lists/saved/move-to-cart", {}, headers={"If-Match": '"1"'}, key="moved-once-0001")
    again = await anna.post("/v1/lists/saved/move-to-cart", {}, headers={"If-Match": '"1"'}, key="moved-once-0001")
    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert await cart(anna) == {mug.sku: 3}
