"""The checkout in the cart: said once, on any device, and the order takes it from there."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from commerce import carts, customers, orders
from commerce.infra.db import Tx
from tests.carts.test_cart_baskets import current, events_of, put
from tests.customers.support import merge
from tests.orders.story import rub
from tests.support import Client, Shop

pytestmark = pytest.mark.usefixtures("audited")

ADDRESS = {"country": "RU", "city": "Казань", "street": "Баумана, 7"}


async def say(client: Client, **given: Any) -> Any:
    return await client.put("/v1/carts/current/checkout", given)


async def test_nothing_is_typed_twice_on_another_device(shop: Shop) -> None:
    store = await shop.store()
    phone = await shop.shopper("app")
    laptop = await shop.shopper("site", person=phone.actor.subject)
    item, ring = await shop.item(price=100), await shop.item(price=900)
    for goods in (item, ring):
        await shop.stock(store, goods, 5)
    await put(phone, item, 2)
    await put(phone, ring, 1)
    said = await say(
        phone, contact={"name": "Анна Иванова", "phone": "8 900 000-01-01"}, note="Позвоните",
        recipient={"name": "Мама", "phone": "+79000000102"}, gift={"wrap": True, "message": "С днём рождения!"},
        fulfillment={"method": "collect", "location": store.code},
    )  # fmt: skip
    assert said.status_code == 200, said.text
    line = await phone.put(f"/v1/carts/current/lines/{ring.sku}/fulfillment", {"gift": {"wrap": True}})
    assert line.status_code == 200, line.text
    cart = await current(laptop)
    assert cart == line.json()
    assert cart["checkout"] == {
        "fulfillment": {"method": "collect", "location": store.code},
        "contact": {"name": "Анна Иванова", "phone": "+79000000101"},
        "recipient": {"name": "Мама", "phone": "+79000000102"},
        "note": "Позвоните",
        "gift": {"wrap": True, "message": "С днём рождения!"},
        "discreet": False,
        "hidden": [],
    }
    placed = await laptop.post("/v1/orders", {"expected_total": cart["subtotal"]})
    assert placed.status_code == 201, placed.text
    order = placed.json()
    assert order["total"] == rub(1_100)
    assert order["contact"] == {"name": "Анна Иванова", "email": None, "phone": "+79000000101"}
    assert order["recipient"] == {"name": "Мама", "phone": "+79000000102"}
    assert (order["note"], order["fulfillments"][0]["location"]) == ("Позвоните", store.code)
    assert order["gift"] == {
        "wrap": True, "message": "С днём рождения!", "lines": {ring.sku: {"wrap": True}},
    }  # fmt: skip
    closed = (await phone.get(f"/v1/carts/{cart['id']}")).json()
    assert (closed["state"], closed["checkout"]) == ("ordered", None)
    assert all(line["gift"] is None for line in closed["lines"])
    assert [kind for kind, _ in await events_of(shop, cart["id"])] == [
        "cart.changed", "cart.changed", "cart.checkout_changed", "cart.checkout_changed", "cart.ordered",
    ]  # fmt: skip

    exported = await shop.db.read(orders.export_person, ids=[phone.actor.subject])
    assert exported["orders"][0]["gift"]["message"] == "С днём рождения!"
    await shop.db.write(orders.erase_person, shop.system, ids=[phone.actor.subject])
    after = (await phone.get(f"/v1/orders/{order['number']}")).json()
    assert (after["contact"], after["recipient"], after["note"], after["gift"]) == (None, None, None, None)


async def test_what_is_left_out_stays_and_null_takes_away(shop: Shop) -> None:
    client = await shop.shopper()
    await say(client, note="One", contact={"name": "Анна"})
    assert (await say(client, gift={"wrap": True})).json()["checkout"]["note"] == "One"
    changed = (await say(client, note=None)).json()
    assert (changed["checkout"]["note"], changed["checkout"]["contact"]) == (None, {"name": "Анна"})
    assert changed["version"] == 3
    empty = (await say(client, contact=None, gift=None)).json()
    assert empty["checkout"] is None
    stale = await client.put("/v1/carts/current/checkout", {"note": "x"}, headers={"If-Match": '"3"'})
    assert (stale.status_code, stale.json()["cart"]) == (412, empty)


async def test_wishes_that_do_not_add_up(shop: Shop) -> None:
    client, item = await shop.shopper(), await shop.item()
    store, warehouse = await shop.store(), await shop.store(roles=("ships",))
    cart = await put(client, item, 1)
    for wish, status, code, field in (
        ({"method": "collect"}, 422, "bad-fulfillment", "location"),
        ({"method": "take_along", "location": store.code}, 422, "bad-fulfillment", "location"),
        ({"method": "deliver"}, 422, "bad-fulfillment", "address"),
        ({"method": "deliver", "address_id": str(UUID(int=1))}, 422, "bad-fulfillment", "address_id"),
        ({"method": "take_along", "address": ADDRESS}, 422, "bad-fulfillment", "address"),
        ({"method": "collect", "location": warehouse.code}, 422, "bad-fulfillment", "location"),
        ({"method": "collect", "location": "nowhere"}, 404, "unknown-location", None),
    ):
        for answer in (
            await say(client, fulfillment=wish),
            await client.put(f"/v1/carts/current/lines/{item.sku}/fulfillment", {"fulfillment": wish}),
        ):
            assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")
            assert answer.json().get("field") == field
    for said, code, field in (
        ({"contact": {"phone": "+7 000"}}, "bad-phone", "contact.phone"),
        ({"recipient": {"name": "Мария", "phone": "+7 000"}}, "bad-phone", "recipient.phone"),
        ({"contact": {"phone": "+79000000101", "email": "anna@localhost"}}, "bad-email", "contact.email"),
    ):
        bad = await say(client, **said)
        assert (bad.status_code, bad.json()["type"], bad.json()["field"]) == (422, f"/problems/{code}", field)
        assert f"`{field}`" in bad.json()["detail"]
    missing = await client.put("/v1/carts/current/lines/NO-SUCH/fulfillment", {"gift": {"wrap": True}})
    assert (missing.status_code, missing.json()["type"]) == (404, "/problems/unknown-cart-line")
    assert await current(client) == cart


async def test_an_order_is_collected_in_one_store_so_far(shop: Shop) -> None:
    here, there = await shop.store(), await shop.store()
    client = await shop.shopper()
    one, two = await shop.item(price=100), await shop.item(price=10)
    for store in (here, there):
        for item in (one, two):
            await shop.stock(store, item, 3)
    await put(client, one, 1)
    cart = await put(client, two, 1)
    contact = {"name": "Анна", "email": "anna@example.com"}
    order = {"expected_total": cart["subtotal"], "contact": contact}

    async def refused() -> dict[str, tuple[str | None, str | None]]:
        answer = await client.post("/v1/orders", order)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/fulfillment-not-offered-yet")
        return {line["sku"]: (line["method"], line["location"]) for line in answer.json()["lines"]}

    assert await refused() == {one.sku: (None, None), two.sku: (None, None)}
    await say(client, fulfillment={"method": "collect", "location": here.code})
    path = f"/v1/carts/current/lines/{two.sku}/fulfillment"
    for wish in (
        {"method": "collect", "location": there.code},
        {"method": "deliver", "address": ADDRESS},
        {"method": "take_along"},
    ):
        assert (await client.put(path, {"fulfillment": wish})).status_code == 200
        assert await refused() == {
            one.sku: ("collect", here.code), two.sku: (wish["method"], wish.get("location")),
        }  # fmt: skip
    assert (await client.put(path, {"fulfillment": None})).json()["lines"][1]["fulfillment"] is None
    placed = await client.post("/v1/orders", order)
    assert placed.status_code == 201, placed.text
    assert placed.json()["fulfillments"][0]["location"] == here.code


async def test_a_line_keeps_its_wish_when_its_quantity_changes(shop: Shop) -> None:
    client, item, store = await shop.shopper(), await shop.item(), await shop.store()
    await shop.stock(store, item, 9)
    await put(client, item, 1)
    wish = {"method": "collect", "location": store.code}
    await client.put(f"/v1/carts/current/lines/{item.sku}/fulfillment", {"fulfillment": wish, "gift": {"wrap": True}})
    (line,) = (await put(client, item, 3))["lines"]
    assert (line["quantity"], line["fulfillment"], line["gift"]) == (3, wish, {"wrap": True})


async def test_the_person_is_exported_and_forgotten(shop: Shop) -> None:
    client, item = await shop.shopper(), await shop.item()
    cart = await put(client, item, 1)
    await say(client, note="Домофон не работает", contact={"name": "Анна"})
    wish = {"method": "deliver", "address": ADDRESS}
    await client.put(
        f"/v1/carts/current/lines/{item.sku}/fulfillment", {"fulfillment": wish, "gift": {"message": "Тебе"}}
    )
    (exported,) = (await shop.db.read(carts.export_person, ids=[client.actor.subject]))["carts"]
    assert exported["checkout"] == {"contact": {"name": "Анна"}, "note": "Домофон не работает"}
    assert exported["lines"][0]["wish"]["address"]["street"] == "Баумана, 7"
    assert exported["lines"][0]["gift"] == {"message": "Тебе"}
    await shop.db.write(carts.erase_person, shop.system, ids=[client.actor.subject])

    async def left(tx: Tx) -> list[Any]:
        rows = await tx.rows("SELECT state, checkout, label FROM carts.carts WHERE id = :id", id=UUID(cart["id"]))
        lines = await tx.rows("SELECT 1 FROM carts.lines WHERE cart_id = :id", id=UUID(cart["id"]))
        return [tuple(row) for row in (*rows, *lines)]

    assert await shop.db.read(left) == [("expired", None, None)]


async def test_what_a_store_lacks_is_said_with_the_stores_near_it(shop: Shop) -> None:
    client, item = await shop.shopper(), await shop.item(price=100)
    here = await shop.store(latitude_e6=55_000_000)
    stores = [await shop.store(latitude_e6=55_000_000 + n * 100_000) for n in range(1, 8)]
    await shop.stock(here, item, 1)
    for store in stores[1:]:
        await shop.stock(store, item, 3)
    await put(client, item, 2)
    cart = (await say(client, fulfillment={"method": "collect", "location": here.code})).json()
    (message,) = cart["messages"]
    assert (message["code"], message["location"], message["available"]) == ("not_at_store", here.code, 1)
    assert [near["location"] for near in message["near"]] == [store.code for store in stores[1:6]]
    assert message["near"][0]["distance_metres"] in range(22_000, 22_500)
    assert (await current(client)) == cart
    assert (await put(client, item, 1))["messages"] == []


async def test_sold_out_names_other_variants_of_the_product(shop: Shop) -> None:
    client, store = await shop.shopper(), await shop.store()
    small = await shop.item(price=100)
    large = await shop.item(price=100, product=small.product_id)
    gone = await shop.item(price=100, product=small.product_id)
    await shop.stock(store, large, 2)
    cart = await put(client, small, 1)
    assert cart["messages"] == [{"code": "sold_out", "sku": small.sku, "instead": [large.sku]}]
    assert gone.sku not in str(cart)


async def test_a_saved_address_is_no_strangers_who_said_the_same_telephone(shop: Shop) -> None:
    owner, spy, item = await shop.shopper(known=True), await shop.shopper(), await shop.item()
    await put(spy, item, 1)
    saved = await owner.post("/v1/me/addresses", ADDRESS)
    assert saved.status_code == 201, saved.text
    await shop.db.write(customers.note_guest, spy.actor, person=spy.actor.subject, phone="+79000000155")
    await merge(shop, spy.actor.subject, owner.actor.subject)
    said = await say(spy, fulfillment={"method": "deliver", "address_id": saved.json()["id"]})
    assert (said.status_code, said.json()["type"]) == (422, "/problems/bad-fulfillment")
