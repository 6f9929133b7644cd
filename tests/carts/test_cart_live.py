"""Open screens follow a cart: notices cross processes through Valkey, and without it the version is asked for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any
from uuid import UUID

import pytest

from commerce import carts
from commerce.carts import flow, routes
from commerce.carts.errors import TooManyScreens
from commerce.carts.flow import Notice
from commerce.infra.db import Tx
from commerce.infra.live import Live
from commerce.settings import Settings
from tests.support import Client, Item, Shop, tag

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
async def live(settings: Settings) -> AsyncIterator[Live]:
    """The live notices of another process than the application's."""
    live = Live(settings.redis_url)
    await live.open()
    assert await live.ping()
    await asyncio.sleep(0.1)
    yield live
    await live.close()


async def put(client: Client, item: Item, quantity: int) -> Any:
    return (await client.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": quantity})).json()


def seen(notice: Notice) -> tuple[str, str | None, int, str]:
    assert notice.cart is not None
    return notice.event, str(notice.cart.id) if notice.cart.id else None, notice.cart.version, notice.cart.state


async def after(stream: Any) -> Notice:
    notice: Notice = await asyncio.wait_for(anext(stream), 5)
    return notice


async def test_a_change_reaches_the_screens_of_another_process(shop: Shop, live: Live) -> None:
    client = await shop.shopper()
    item = await shop.item()
    cart = await put(client, item, 1)
    by_id = await flow.follow(shop.db, live, client.actor, cart=cart["id"])
    by_name = await flow.follow(shop.db, live, client.actor, cart="current")
    for stream in (by_id, by_name):
        assert seen(await after(stream)) == ("cart", cart["id"], 1, "open")
    waiting = [asyncio.create_task(after(stream)) for stream in (by_id, by_name)]
    await asyncio.sleep(0.05)
    started = monotonic()
    await put(client, item, 2)
    for task in waiting:
        assert seen(await task) == ("cart", cart["id"], 2, "open")
    assert monotonic() - started < 1
    await by_id.aclose()
    await by_name.aclose()
    assert live._listeners == {}


async def test_the_first_put_and_the_order_are_told(shop: Shop, live: Live) -> None:
    client = await shop.shopper()
    stream = await flow.follow(shop.db, live, client.actor, cart="current")
    assert seen(await after(stream)) == ("cart", None, 0, "open")
    waiting = asyncio.create_task(after(stream))
    await asyncio.sleep(0.05)
    cart = await put(client, await shop.item(), 1)
    assert seen(await waiting) == ("cart", cart["id"], 1, "open")
    by_id = await flow.follow(shop.db, live, client.actor, cart=cart["id"])
    assert seen(await after(by_id)) == ("cart", cart["id"], 1, "open")
    ordered = [asyncio.create_task(after(stream)), asyncio.create_task(after(by_id))]
    await asyncio.sleep(0.05)

    async def order(tx: Tx) -> None:
        await carts.close(tx, client.actor, UUID(cart["id"]), announce=live.publish)

    await shop.db.write(order)
    assert seen(await ordered[0]) == ("cart", None, 0, "open")
    assert seen(await ordered[1]) == ("cart", cart["id"], 2, "ordered")
    await stream.aclose()
    await by_id.aclose()


async def test_several_changes_while_a_screen_is_slow_are_one_notice(shop: Shop, live: Live) -> None:
    client = await shop.shopper()
    item = await shop.item()
    cart = await put(client, item, 1)
    stream = await flow.follow(shop.db, live, client.actor, cart=cart["id"])
    assert seen(await after(stream)) == ("cart", cart["id"], 1, "open")
    for quantity in range(2, 7):
        await put(client, item, quantity)
    assert seen(await after(stream)) == ("cart", cart["id"], 6, "open")
    await stream.aclose()


async def test_heartbeat_and_the_end_of_a_stream(shop: Shop, live: Live) -> None:
    client = await shop.shopper()
    stream = await flow.follow(shop.db, live, client.actor, cart="current", heartbeat_seconds=0.1, life_seconds=0.25)
    assert [notice.event async for notice in stream] == ["cart", "heartbeat", "heartbeat", "bye"]
    stream = await flow.follow(shop.db, live, client.actor, cart="current", life_seconds=0)
    assert [(notice.event, notice.reason) async for notice in stream] == [("bye", "reconnect")]


async def test_bye_when_the_server_stops(shop: Shop, settings: Settings) -> None:
    live = Live(settings.redis_url)
    await live.open()
    client = await shop.shopper()
    stream = await flow.follow(shop.db, live, client.actor, cart="current")
    assert (await after(stream)).event == "cart"
    last = asyncio.create_task(after(stream))
    await asyncio.sleep(0.05)
    await live.close()
    assert await last == Notice(event="bye", reason="stopping")
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_without_valkey_the_version_is_asked_for(shop: Shop) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = free.getsockname()[1]
    live = Live(f"redis://127.0.0.1:{nobody}")
    client = await shop.shopper()
    item = await shop.item()
    cart = await put(client, item, 1)
    stream = await flow.follow(shop.db, live, client.actor, cart="current", poll_seconds=0.1)
    assert seen(await after(stream)) == ("cart", cart["id"], 1, "open")
    await put(client, item, 2)
    assert seen(await after(stream)) == ("cart", cart["id"], 2, "open")
    await stream.aclose()
    await live.close()


async def test_the_form_on_the_wire(shop: Shop, live: Live) -> None:
    client = await shop.shopper()
    cart = await put(client, await shop.item(), 1)
    stream = routes._messages(
        await flow.follow(shop.db, live, client.actor, cart="current", heartbeat_seconds=0.1, life_seconds=0.15)
    )
    assert [message.encode().decode() async for message in stream] == [
        f'id: {tag(cart)[1:-1]}\r\nevent: cart\r\ndata: {{"id":"{cart["id"]}","version":1,"state":"open"}}\r\nretry: 1000\r\n\r\n',
        ": heartbeat\r\n\r\n",
        'event: bye\r\ndata: {"reason":"reconnect"}\r\n\r\n',
    ]


async def test_over_http(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    client = await shop.shopper()
    cart = await put(client, await shop.item(), 1)

    async def short(*arguments: Any, **named: Any) -> Any:
        return await follow(*arguments, **named, life_seconds=0.1)

    follow = flow.follow
    monkeypatch.setattr(flow, "follow", short)
    answer = await client.get("/v1/carts/current/events")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.text.startswith(f'id: {tag(cart)[1:-1]}\r\nevent: cart\r\ndata: {{"id":"{cart["id"]}"')
    assert answer.text.endswith('event: bye\r\ndata: {"reason":"reconnect"}\r\n\r\n')


async def test_a_shopper_keeps_a_bounded_number_of_streams_open(shop: Shop, live: Live) -> None:
    shopper, other = await shop.shopper(), await shop.shopper()
    streams = [await flow.follow(shop.db, live, shopper.actor, cart="current") for _ in range(flow.SCREENS)]
    for stream in streams:
        assert (await after(stream)).event == "cart"
    with pytest.raises(TooManyScreens) as refused:
        await flow.follow(shop.db, live, shopper.actor, cart="current")
    assert refused.value.members == {"most": flow.SCREENS}
    await (await flow.follow(shop.db, live, other.actor, cart="current")).aclose()
    await streams[0].aclose()
    again = await flow.follow(shop.db, live, shopper.actor, cart="current")
    assert (await after(again)).event == "cart"
    for stream in (*streams[1:], again):
        await stream.aclose()
