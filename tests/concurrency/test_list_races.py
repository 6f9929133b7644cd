"""One shopper's lists on two devices, and lists beside the cart: whatever the order, no line is lost or doubled, no version skipped."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import asyncpg
import pytest

from tests.concurrency.steps import every_switch
from tests.lists.support import ANY, cart, events, held, into_cart, read, wish
from tests.orders.story import order_body
from tests.support import Client, Item, Shop, Store

pytestmark = pytest.mark.usefixtures("audited")
Ends = Any


async def on_two_devices(shop: Shop, *, known: bool = False) -> tuple[Client, Client]:
    phone = await shop.shopper("app", known=known)
    return phone, await shop.shopper("site", person=phone.actor.subject, known=known)


async def stocked(shop: Shop, count: int, quantity: int = 50) -> tuple[Store, list[Item]]:
    store, items = await shop.store(), [await shop.item(price=100) for _ in range(count)]
    for item in items:
        await shop.stock(store, item, quantity)
    return store, items


def put(client: Client, item: Item, quantity: int, seen: str = "*", where: str = "wish") -> Coroutine[Any, Any, Any]:
    path = f"/v1/lists/{where}/lines/{item.sku}"
    return client.put(path, {"quantity": quantity}, headers={"If-Match": seen})


@pytest.mark.parametrize("known", [False, True])
async def test_the_first_lines_make_one_list(racers: Shop, known: bool) -> None:
    phone, laptop = await on_two_devices(racers, known=known)
    items = [await racers.item() for _ in range(6)]
    answers = await asyncio.gather(*(put(phone if n % 2 else laptop, item, n + 1) for n, item in enumerate(items)))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert sorted(answer.json()["version"] for answer in answers) == [1, 2, 3, 4, 5, 6]
    seen = await read(phone)
    assert held(seen) == {item.sku: n + 1 for n, item in enumerate(items)}
    assert [version for _, version in await events(racers, seen["id"])] == [1, 2, 3, 4, 5, 6]
    assert len((await laptop.get("/v1/lists")).json()["items"]) == 1


async def test_two_devices_that_saw_the_same_list(racers: Shop, observer: asyncpg.Connection) -> None:
    """One is told what the other did; neither overwrites the other."""

    async def scene() -> Ends:
        phone, laptop = await on_two_devices(racers)
        item = await racers.item()
        await wish(phone, item, 1)

        async def check(found: Any) -> None:
            seen = await read(phone)
            assert (seen["version"], held(seen)) == (2, {item.sku: 2 if found[0] == "ok" else 3})

        return [put(phone, item, 2, '"1"'), put(laptop, item, 3, '"1"')], check

    ends = await every_switch(observer, scene)
    assert ends.keys() == {("ok", "stale-list"), ("stale-list", "ok")}


async def test_moved_on_two_devices_at_once(racers: Shop, observer: asyncpg.Connection) -> None:
    """What was saved for later goes back once, though both devices ask for it."""
    _, items = await stocked(racers, 1)

    async def scene() -> Ends:
        phone, laptop = await on_two_devices(racers)
        await into_cart(phone, items[0], 3)
        await phone.post(f"/v1/carts/current/lines/{items[0].sku}/save-for-later", headers=ANY)

        async def check(found: Any) -> None:
            assert await cart(phone) == {items[0].sku: 3}
            assert held(await read(phone, "saved")) == {}

        return [client.post("/v1/lists/saved/move-to-cart", {}, headers=ANY) for client in (phone, laptop)], check

    ends = await every_switch(observer, scene, alike=True)
    assert ends.keys() == {("ok", "ok")}


async def test_one_key_moves_once(racers: Shop, observer: asyncpg.Connection) -> None:
    _, items = await stocked(racers, 1)

    async def scene() -> Ends:
        phone, laptop = await on_two_devices(racers)
        await into_cart(phone, items[0], 3)
        await phone.post(f"/v1/carts/current/lines/{items[0].sku}/save-for-later", headers=ANY)
        await into_cart(phone, items[0], 1)

        async def check(found: Any) -> None:
            assert await cart(phone) == {items[0].sku: 4}

        key = f"moves-once-{phone.actor.subject}"
        works = [
            client.post("/v1/lists/saved/move-to-cart", {}, headers={"If-Match": '"1"'}, key=key)
            for client in (phone, laptop)
        ]
        return works, check

    ends = await every_switch(observer, scene, alike=True)
    assert ends.keys() <= {("ok", "ok"), ("ok", "in-progress")}


async def test_saved_for_later_while_it_is_ordered(racers: Shop, observer: asyncpg.Connection) -> None:
    """The line is bought or kept for later: never both, never neither."""
    store, items = await stocked(racers, 2, 500)
    kept, other = items

    async def scene() -> Ends:
        phone, laptop = await on_two_devices(racers)
        await into_cart(phone, kept, 2)
        await into_cart(phone, other, 1)

        async def check(found: Any) -> None:
            orders = (await laptop.get("/v1/orders")).json()["items"]
            saved, left = held(await read(phone, "saved")), await cart(phone)
            if found[0] == "ok":
                assert (len(orders), saved, left) == (1, {}, {})
                assert orders[0]["total"]["amount"] == 300
            else:
                assert (orders, saved, left) == ([], {kept.sku: 2}, {other.sku: 1})

        save = phone.post(f"/v1/carts/current/lines/{kept.sku}/save-for-later", headers=ANY)
        return [laptop.post("/v1/orders", order_body(store, 300)), save], check

    ends = await every_switch(observer, scene)
    assert ends.keys() == {("ok", "not-in-cart"), ("total-changed", "ok")}


async def test_a_line_moves_out_and_in_at_once(racers: Shop) -> None:
    """The list is locked before the cart, both ways: nobody waits for ever, and the units stay what they were."""
    _, items = await stocked(racers, 4)
    phone, laptop = await on_two_devices(racers, known=True)
    for item in items:
        await into_cart(phone, item, 2)
    works = []
    for item in items:
        works.append(phone.post(f"/v1/carts/current/lines/{item.sku}/save-for-later", headers=ANY))
        works.append(laptop.post("/v1/lists/saved/move-to-cart", {}, headers=ANY))
    answers = await asyncio.gather(*works)
    assert {answer.status_code for answer in answers} <= {200, 404}
    in_cart, saved = await cart(phone), held(await read(phone, "saved"))
    assert {sku: in_cart.get(sku, 0) + saved.get(sku, 0) for sku in (item.sku for item in items)} == {
        item.sku: 2 for item in items
    }


async def test_merged_while_a_line_is_put(racers: Shop, observer: asyncpg.Connection) -> None:
    """The anonymous device goes on while its shopper signs in elsewhere: the line is in his list, or in what is left behind."""
    item, late = await racers.item(), await racers.item()

    async def scene() -> Ends:
        anonymous, anna = await racers.shopper(), await racers.shopper(known=True)
        await wish(anna, item, 1)
        await wish(anonymous, item, 2)

        async def check(found: Any) -> None:
            mine, behind = held(await read(anna)), held(await read(anonymous))
            assert mine | behind == {item.sku: 2, late.sku: 1}

        return [anna.post("/v1/lists/merge", {"token": anonymous.token}), put(anonymous, late, 1)], check

    ends = await every_switch(observer, scene)
    assert ends.keys() == {("ok", "ok")}


async def test_the_last_list_is_made_once(racers: Shop) -> None:
    phone, laptop = await on_two_devices(racers)
    for n in range(48):
        assert (await phone.post("/v1/lists", {"name": f"{n}"})).status_code == 201
    answers = await asyncio.gather(
        *(client.post("/v1/lists", {"name": "last"}) for client in (phone, laptop, phone, laptop))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 201, 422, 422]
    assert len((await phone.get("/v1/lists")).json()["items"]) == 50
