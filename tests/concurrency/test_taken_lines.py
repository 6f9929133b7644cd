"""A line that is taken out of a cart while another device changes how many there are: what was put last is what moves."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from tests.concurrency.steps import every_switch
from tests.concurrency.test_cart_races import current, put
from tests.lists.support import ANY, held, into_cart, read
from tests.support import Client, Item, Shop

pytestmark = pytest.mark.usefixtures("audited")


async def on_two_devices(shop: Shop) -> tuple[Client, Client, Item]:
    """A shopper with one of an item in his cart, on two devices."""
    phone = await shop.shopper("app", known=True)
    laptop = await shop.shopper("site", person=phone.actor.subject, known=True)
    item = await shop.item(price=100)
    await put(phone, item, 1)
    return phone, laptop, item


async def quantities(client: Client) -> dict[str, int]:
    return {line["sku"]: line["quantity"] for line in (await current(client))["lines"]}


async def test_saved_for_later_while_more_are_put(racers: Shop, observer: asyncpg.Connection) -> None:
    async def scene() -> Any:
        phone, laptop, item = await on_two_devices(racers)

        async def check(found: Any) -> None:
            saved, left = held(await read(phone, "saved")), await quantities(phone)
            # Put last, the five are in the cart beside the one that was kept before.
            assert (saved, left) in (({item.sku: 5}, {}), ({item.sku: 1}, {item.sku: 5}))

        save = phone.post(f"/v1/carts/current/lines/{item.sku}/save-for-later", headers=ANY)
        return [save, put(laptop, item, 5)], check

    ends = await every_switch(observer, scene)
    assert ends.keys() == {("ok", "ok")}


async def test_wished_otherwise_while_more_are_put(racers: Shop, observer: asyncpg.Connection) -> None:
    async def scene() -> Any:
        phone, laptop, item = await on_two_devices(racers)

        async def check(found: Any) -> None:
            (line,) = (await current(phone))["lines"]
            assert (line["quantity"], line["gift"]) == (5, {"wrap": True})

        wish = phone.put(f"/v1/carts/current/lines/{item.sku}/fulfillment", {"gift": {"wrap": True}})
        return [wish, put(laptop, item, 5)], check

    ends = await every_switch(observer, scene)
    assert ends.keys() == {("ok", "ok")}


async def test_merged_while_more_are_put(racers: Shop, observer: asyncpg.Connection) -> None:
    async def scene() -> Any:
        phone, laptop, item = await on_two_devices(racers)
        stranger = await racers.shopper("app")
        await into_cart(stranger, item, 2)

        async def check(found: Any) -> None:
            assert await quantities(phone) in ({item.sku: 7}, {item.sku: 5})

        merge = phone.post("/v1/carts/merge", {"token": stranger.token, "policy": "sum"})
        return [merge, put(laptop, item, 5)], check

    ends = await every_switch(observer, scene)
    assert ends.keys() == {("ok", "ok")}


async def test_reached_for_again_while_more_are_put(racers: Shop, observer: asyncpg.Connection) -> None:
    store = await racers.store()

    async def scene() -> Any:
        phone, laptop, item = await on_two_devices(racers)
        await racers.stock(store, item, 50)
        await phone.put(f"/v1/lists/wish/lines/{item.sku}", {"quantity": 3}, headers=ANY)

        async def check(found: Any) -> None:
            assert await quantities(phone) == {item.sku: 5}

        move = phone.post("/v1/lists/wish/move-to-cart", {"keep": True}, headers=ANY)
        return [move, put(laptop, item, 5)], check

    ends = await every_switch(observer, scene)
    assert ends.keys() == {("ok", "ok")}
