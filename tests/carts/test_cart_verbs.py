"""What other rooms use of carts: lock_open, close, export and erasure."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from commerce import carts
from commerce.infra.db import Tx
from tests.support import Client, Item, Shop
from tests.support_statements import count_statements

pytestmark = pytest.mark.usefixtures("audited")


async def put(client: Client, item: Item, quantity: int) -> Any:
    return (await client.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": quantity})).json()


async def test_lock_open_reads_the_lines_in_one_statement(shop: Shop) -> None:
    client = await shop.shopper("app", known=True)
    one, two = await shop.item(price=100), await shop.item(price=200)
    await put(client, one, 2)
    cart = await put(client, two, 1)
    await shop.db.write(carts.lock_open, client.actor)
    async with count_statements(shop.db) as statements:
        found = await shop.db.write(carts.lock_open, client.actor)
    assert len(statements) == 3, statements
    assert found is not None
    assert (str(found.id), found.version, found.shopper_id) == (cart["id"], 2, client.actor.subject)
    assert [
        (line.variant_id, line.sku, line.quantity, line.unit_price_seen, line.added_channel) for line in found.lines
    ] == [(one.id, one.sku, 2, 100, "app"), (two.id, two.sku, 1, 200, "app")]


async def test_lock_open_without_a_cart(shop: Shop) -> None:
    for known in (False, True):
        client = await shop.shopper(known=known)
        assert await shop.db.write(carts.lock_open, client.actor) is None


async def test_lock_open_of_a_merged_profile(shop: Shop) -> None:
    winner, loser = await shop.shopper(known=True), await shop.shopper(known=True)
    cart = await put(loser, await shop.item(), 1)

    await shop.merge(loser, winner)
    found = await shop.db.write(carts.lock_open, winner.actor)
    assert found is not None
    assert str(found.id) == cart["id"]


async def test_an_ordered_cart_is_closed_and_the_next_put_opens_another(shop: Shop) -> None:
    client = await shop.shopper()
    item = await shop.item()
    cart = await put(client, item, 2)
    told: list[str] = []

    async def announce(topic: str) -> None:
        told.append(topic)

    async def order(tx: Tx) -> int:
        found = await carts.lock_open(tx, client.actor)
        assert found is not None
        return await carts.close(tx, client.actor, found.id, announce=announce)

    assert await shop.db.write(order) == 2
    assert told == [f"cart:{client.actor.subject}"]
    closed = (await client.get(f"/v1/carts/{cart['id']}")).json()
    assert (closed["state"], closed["version"], len(closed["lines"])) == ("ordered", 2, 1)
    refused = await client.delete(f"/v1/carts/{cart['id']}/lines")
    assert (refused.status_code, refused.json()["state"]) == (409, "ordered")
    assert (await client.get("/v1/carts/current")).json()["id"] is None
    opened = await put(client, item, 1)
    assert opened["id"] != cart["id"]
    assert opened["version"] == 1
    with pytest.raises(LookupError):
        await shop.db.write(carts.close, client.actor, UUID(cart["id"]))


async def test_export_and_erasure(shop: Shop) -> None:
    client = await shop.shopper()
    item = await shop.item(price=300)
    cart = await put(client, item, 2)
    exported = await shop.db.read(carts.export_person, ids=[client.actor.subject])
    (found,) = exported["carts"]
    assert (str(found["id"]), found["state"], found["channel"]) == (cart["id"], "open", "site")
    assert [(line["sku"], line["quantity"], line["unit_price_seen"]) for line in found["lines"]] == [(item.sku, 2, 300)]
    await shop.db.write(carts.erase_person, shop.system, ids=[client.actor.subject])
    (after,) = (await shop.db.read(carts.export_person, ids=[client.actor.subject]))["carts"]
    assert (after["state"], after["lines"]) == ("expired", [])
    assert (await client.get("/v1/carts/current")).json()["id"] is None
    await shop.db.write(carts.erase_person, shop.system, ids=[client.actor.subject])
