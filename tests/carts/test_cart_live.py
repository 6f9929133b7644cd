"""Open screens follow a cart: notices cross processes through Valkey, and without it the version is asked for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar

from commerce import auth, carts
from commerce.carts import flow, routes
from commerce.carts.errors import TooManyScreens
from commerce.carts.flow import Notice
from commerce.infra.db import Tx
from commerce.infra.live import Live
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
from tests.carts.test_cart_baskets import at_device
from tests.support import Client, Item, Shop, tag
from tests.support_statements import count_statements

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
    await put(client, item, 2)
    answered = monotonic()
    for task in waiting:
        assert seen(await task) == ("cart", cart["id"], 2, "open")
    assert monotonic() - answered < 1
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


async def test_those_who_connect_at_once_are_counted_as_they_come(shop: Shop, live: Live) -> None:
    """Also before a stream says its first word; one that nobody has begun to read keeps no place when it is let go."""
    shopper = await shop.shopper()
    wanted = (flow.follow(shop.db, live, shopper.actor, cart="current") for _ in range(flow.SCREENS + 6))
    streams = await asyncio.gather(*wanted, return_exceptions=True)
    assert sorted(type(one).__name__ for one in streams) == [
        *["TooManyScreens"] * 6,
        *["async_generator"] * flow.SCREENS,
    ]
    followed = [one for one in streams if not isinstance(one, BaseException)]
    streams.clear()
    assert [len(listeners) for listeners in live._listeners.values()] == [flow.SCREENS]
    with pytest.raises(TooManyScreens):
        await flow.follow(shop.db, live, shopper.actor, cart="current")
    for stream in followed:
        assert (await after(stream)).event == "cart"
    await followed.pop().aclose()
    del stream
    unread = await flow.follow(shop.db, live, shopper.actor, cart="current")
    await unread.aclose()
    del unread
    assert [len(listeners) for listeners in live._listeners.values()] == [flow.SCREENS - 1]
    for one in followed:
        await one.aclose()
    assert live._listeners == {}


async def test_whoever_connects_again_hears_what_is_new_and_nothing_else(shop: Shop, live: Live) -> None:
    client = await shop.shopper()
    item = await shop.item()
    old = await put(client, item, 1)
    cart = await put(client, item, 2)
    behind = await flow.follow(shop.db, live, client.actor, cart="current", known=tag(old)[1:-1], heartbeat_seconds=0.1)
    assert seen(await after(behind)) == ("cart", cart["id"], 2, "open")
    same = await flow.follow(
        shop.db, live, client.actor, cart="current", known=tag(cart)[1:-1], heartbeat_seconds=0.1, life_seconds=0.25
    )
    assert [notice.event async for notice in same] == ["heartbeat", "heartbeat", "bye"]
    # Version 2 of another cart is another state.
    other = tag({"id": str(uuid7()), "version": 2})[1:-1]
    stream = await flow.follow(shop.db, live, client.actor, cart="current", known=other)
    assert seen(await after(stream)) == ("cart", cart["id"], 2, "open")
    for one in (behind, stream):
        await one.aclose()


async def test_a_device_and_its_staff_follow_its_baskets(shop: Shop, live: Live) -> None:
    kiosk = await shop.device("kiosk", (await shop.store()).code)
    associate = await at_device(shop, kiosk)
    stream = await flow.follow(shop.db, live, associate.actor, cart="current")
    assert seen(await after(stream)) == ("cart", None, 0, "open")
    waiting = asyncio.create_task(after(stream))
    await asyncio.sleep(0.05)
    basket = await put(kiosk, await shop.item(), 1)
    assert seen(await waiting) == ("cart", basket["id"], 1, "open")
    by_id = await flow.follow(shop.db, live, kiosk.actor, cart=basket["id"])
    assert seen(await after(by_id)) == ("cart", basket["id"], 1, "open")
    phone = await shop.shopper("app")
    code = (await kiosk.post("/v1/carts/current/hand-off", {"mode": "move"})).json()["code"]
    waiting = asyncio.create_task(after(stream))
    told = asyncio.create_task(after(by_id))
    await asyncio.sleep(0.05)
    assert (await phone.post("/v1/carts/claim", {"code": code})).status_code == 200
    assert seen(await waiting) == ("cart", None, 0, "open")
    assert seen(await told) == ("cart", basket["id"], 2, "merged")
    assert await after(by_id) == Notice(event="bye", reason="merged")
    await stream.aclose()


async def test_a_guest_follows_until_his_visit_ends(shop: Shop, live: Live) -> None:
    anna, item = await shop.shopper(), await shop.item()
    associate = await shop.staff("associate", (await shop.store()).code, channel="app")
    cart = await put(anna, item, 1)
    code = (await anna.post("/v1/carts/current/hand-off", {"mode": "join"})).json()["code"]
    joined = (await associate.post("/v1/carts/claim", {"code": code})).json()
    stream = await flow.follow(shop.db, live, associate.actor, cart=cart["id"])
    assert seen(await after(stream)) == ("cart", cart["id"], 2, "open")
    waiting = asyncio.create_task(after(stream))
    await asyncio.sleep(0.05)
    await anna.delete(f"/v1/carts/{cart['id']}/guests/{joined['cart']['guests'][0]['id']}")
    assert await waiting == Notice(event="bye", reason="left")


async def test_a_session_that_ended_is_told(shop: Shop, live: Live) -> None:
    client = await shop.shopper()
    standing = True
    stream = await flow.follow(shop.db, live, client.actor, cart="current", stands=lambda: standing, poll_seconds=0.05)
    assert (await after(stream)).event == "cart"
    standing = False
    assert await after(stream) == Notice(event="bye", reason="signed_out")


async def test_a_revoked_session_stands_no_more(shop: Shop, app: Litestar, live: Live) -> None:
    frontend = await shop.client()
    session = (await frontend.post("/v1/auth/anonymous", {})).json()
    ring = auth.KeyRing(shop.db, secret_key=shop.settings.secret_key, token_seconds=600)
    actor = await ring.actor(session["access_token"])
    assert actor is not None
    assert ring.stands(actor)
    client = Client(shop.http, session["access_token"])
    assert (await client.post("/v1/auth/sign-out")).status_code in (200, 204)
    await ring.refresh()
    assert not ring.stands(actor)


async def test_asking_by_the_etag_costs_one_statement(shop: Shop, app: Litestar) -> None:
    client = await shop.shopper()
    item = await shop.item()
    cart = await put(client, item, 1)
    first = await client.get("/v1/carts/current")
    for path in ("/v1/carts/current", f"/v1/carts/{cart['id']}"):
        async with count_statements(app.state.db) as asked:
            same = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
        assert len(asked) == 1, asked
    several = await client.get("/v1/carts/current", headers={"If-None-Match": f'"7.7", W/{first.headers["etag"]}'})
    assert (several.status_code, several.headers["etag"]) == (304, first.headers["etag"])
    changed = await put(client, item, 2)
    new = await client.get("/v1/carts/current", headers={"If-None-Match": f'"0", W/{first.headers["etag"]}'})
    assert (new.status_code, new.json()) == (200, changed)
    other = await shop.shopper()
    empty = await other.get("/v1/carts/current", headers={"If-None-Match": '"0"'})
    assert empty.status_code == 304
