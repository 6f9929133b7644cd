"""For each subscriber, a story that ends with an event for it which nobody has heard yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from commerce import catalog, parts, stock
from commerce.carts import expiry
from commerce.infra import outbox
from commerce.infra.db import Database, Tx
from commerce.infra.outbox import Subscriber
from commerce.kernel.ids import uuid7
from commerce.stock import safety
from tests.counts.test_counts import sell
from tests.orders.story import place, step
from tests.orders.test_plan import later, linked, transfer_of
from tests.orders.test_sales import sale
from tests.stock.test_safety import categories, put, put_into
from tests.support import Client, Item, Shop, Store

Heard = Callable[[], Awaitable[None]]
"""Everything published so far is heard by everybody."""


async def promise_broken(shop: Shop, heard: Heard) -> None:
    """A till sells one of two units that a pickup was promised."""
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 2)
    await place(await shop.shopper(), store, (item, 2))
    await heard()
    await sell(shop, store, item, 1)


async def _waited_for(shop: Shop) -> tuple[Store, list[stock.Expect]]:
    """An order of two goods that are announced where they will be sent on to its store: that place, and the announced lines."""
    warehouse, store = await shop.store(), await shop.store()
    items = [await shop.item(price=100, when_out="backorder") for _ in range(2)]
    await linked(shop, store, warehouse)
    plans = [stock.Expect(id=uuid7(), variant_id=item.id, quantity=3) for item in items]
    await shop.db.write(
        stock.expect, shop.system, kind="supply", document_id=uuid7(), location_id=warehouse.id,
        expected_on=shop.db.clock().date() + timedelta(days=7), lines=plans,
    )  # fmt: skip
    await place(await shop.shopper(), store, *((item, 2) for item in items), **later(store))
    return warehouse, plans


async def _came(shop: Shop, warehouse: Store, *plans: stock.Expect) -> None:
    came = [stock.ReceiptLine(variant_id=plan.variant_id, quantity=3, expected_id=plan.id) for plan in plans]
    cause = stock.Cause("test_receipt", uuid7())
    await shop.db.write(stock.receive, shop.system, cause=cause, location_id=warehouse.id, lines=came)


async def promise_arrived(shop: Shop, heard: Heard) -> None:
    """All that an order stands on comes in."""
    warehouse, plans = await _waited_for(shop)
    await heard()
    await _came(shop, warehouse, *plans)


async def will_not_come(shop: Shop, heard: Heard) -> None:
    """One of two that an order stands on has come in, the other will not."""
    warehouse, plans = await _waited_for(shop)
    await _came(shop, warehouse, plans[0])
    await heard()
    change = stock.ExpectedChange(id=plans[1].id, cancelled=3)
    cause = stock.Cause("test_change", uuid7())
    await shop.db.write(stock.change_expected, shop.system, cause=cause, changes=[change])


async def unknown_goods(shop: Shop, heard: Heard) -> None:
    """A till sells what the books do not know."""
    store, item = await shop.store(), await shop.item(price=100)
    await heard()
    await sell(shop, store, item, 2)


async def _not_found(shop: Shop, heard: Heard, name: str, body: dict[str, Any]) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 3)
    staff = await shop.staff("store_manager", store.code)
    order = await place(await shop.shopper(), store, (item, 3))
    number = order["fulfillments"][0]["number"]
    assert (await step(staff, store, number, "accept")).status_code == 200
    await heard()
    if "lines" in body:
        body = body | {"lines": [{"sku": item.sku, "quantity": 1}]}
    answer = await step(staff, store, number, name, body)
    assert answer.status_code == 200, answer.text


async def short_pick(shop: Shop, heard: Heard) -> None:
    """A store finds two of three."""
    await _not_found(shop, heard, "cancel", {"reason": "out_of_stock", "lines": []})


async def nothing_picked(shop: Shop, heard: Heard) -> None:
    """A store finds none, and gives it up."""
    await _not_found(shop, heard, "cancel", {"reason": "out_of_stock"})


async def rejected(shop: Shop, heard: Heard) -> None:
    """A store finds none, and passes it on."""
    await _not_found(shop, heard, "reject", {"reason": "out_of_stock"})


async def _on_its_way(shop: Shop) -> tuple[Store, Store, Store, Item, str]:
    source, second, store, item = await shop.store(), await shop.store(), await shop.store(), await shop.item(price=100)
    await linked(shop, store, source, second)
    await shop.stock(source, item, 2)
    await place(await shop.shopper(), store, (item, 2), **later(store))
    return source, second, store, item, await transfer_of(shop, store)


async def left_behind(shop: Shop, heard: Heard) -> None:
    """A source sends one of two: the other comes from the next."""
    source, second, _, item, number = await _on_its_way(shop)
    await shop.stock(second, item, 5)
    sender = await shop.staff("store_manager", source.code)
    await heard()
    body = {"lines": [{"sku": item.sku, "quantity": 1}], "short_reason": "not_found"}
    answer = await sender.post(f"/v1/stores/{source.code}/transfers/{number}/dispatch", body)
    assert answer.status_code == 200, answer.text


async def lost_on_the_way(shop: Shop, heard: Heard) -> None:
    """One of two is missing on arrival, and nobody else has it."""
    source, _, store, item, number = await _on_its_way(shop)
    sender, receiver = [await shop.staff("store_manager", place.code) for place in (source, store)]
    await sender.post(f"/v1/stores/{source.code}/transfers/{number}/dispatch", {})
    await heard()
    body = {"lines": [{"sku": item.sku, "received": 1, "missing": 1, "reason": "lost"}]}
    answer = await receiver.post(f"/v1/stores/{store.code}/transfers/{number}/receive", body)
    assert answer.status_code == 200, answer.text


async def product_moved(shop: Shop, heard: Heard) -> None:
    """Goods move to a category that has a rule."""
    [kitchen] = await categories(shop.db, shop, "kitchen")
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    await put(await shop.staff("back_office", channel="back_office"), {"category": kitchen, "quantity": 2})
    await heard()
    await put_into(shop.db, item, kitchen)


async def category_moved(shop: Shop, heard: Heard) -> None:
    """A category moves below one that has a rule."""
    [kitchen], [cups] = await categories(shop.db, shop, "kitchen"), await categories(shop.db, shop, "cups")
    await put(await shop.staff("back_office", channel="back_office"), {"category": kitchen, "quantity": 2})
    await heard()
    moved = catalog.CategoryInput(code=cups, name={"en": "Cups"}, parent=kitchen)
    await shop.db.write(catalog.upsert_categories, shop.system, categories=[moved])


async def _came_by(shop: Shop, shopper: Client) -> None:
    answer = await shopper.post("/v1/touches", {"source": "poster", "store_qr": "window"})
    assert answer.status_code == 201, answer.text


async def stranger_ordered(shop: Shop, heard: Heard) -> None:
    """Somebody without an account orders, whom a poster had brought."""
    store, item, stranger = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 2)
    await _came_by(shop, stranger)
    await heard()
    await place(stranger, store, (item, 1))


async def customer_bought(shop: Shop, heard: Heard) -> None:
    """A till sells to a customer who has said who he is, and whom a poster had brought."""
    store, item, customer = await shop.store(), await shop.item(price=100), await shop.signed_up()
    await shop.stock(store, item, 2)
    await _came_by(shop, customer)
    till = await shop.device("till", store.code)
    await heard()
    body = sale((item, 1, 100), customer=str(customer.actor.subject))
    answer = await till.post(f"/v1/stores/{store.code}/sales", body)
    assert answer.status_code == 201, answer.text


async def customer_forgotten(shop: Shop, heard: Heard) -> None:
    """Somebody is erased whom staff were told of a moment ago."""
    customer, operator = await shop.signed_up(), await shop.staff("call_center", channel="call_center")
    path, admin = f"/v1/customers/{customer.actor.subject}", await shop.staff("admin", channel="back_office")
    told = await operator.patch(path, {"name": "Анна"}, headers={"If-Match": "*"})
    assert told.status_code == 200, told.text
    await heard()
    erased = await admin.post(f"{path}/erase", {"reason": "customer_asked"})
    assert erased.status_code == 200, erased.text


async def came_back(shop: Shop, heard: Heard) -> None:
    """A stranger's cart lay idle when nobody could reach him; he comes back and signs up."""
    stranger, item = await shop.shopper(), await shop.item()
    answer = await stranger.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": 1})
    assert answer.status_code == 200, answer.text
    while await shop.db.write(expiry.tell_abandoned, idle=timedelta(0)) == expiry.CHUNK:
        pass
    await heard()
    await shop.signed_up(stranger)


async def waits_twice(shop: Shop, heard: Heard) -> None:
    """Staff find that two who wait for a call are one."""
    customer, same = await shop.signed_up(), await shop.signed_up()
    for one, number in ((customer, "+79161234501"), (same, "+79161234502")):
        answer = await one.post("/v1/inquiries", {"kind": "call_back", "phone": number})
        assert answer.status_code == 201, answer.text
    await heard()
    await shop.merge(same, customer)


STORIES: Mapping[str, Callable[[Shop, Heard], Awaitable[None]]] = {
    "fulfillment.at_risk": promise_broken,
    "fulfillment.goods_missing": will_not_come,
    "fulfillment.goods_arrived": promise_arrived,
    "transfers.goods_arrived": promise_arrived,
    "transfers.goods_missing": will_not_come,
    "counts.goods_unknown": unknown_goods,
    "counts.short_pick": short_pick,
    "counts.nothing_picked": nothing_picked,
    "counts.not_found": rejected,
    "counts.short_transfer": lost_on_the_way,
    "orders.goods_do_not_come": left_behind,
    "orders.goods_do_not_come (lost)": lost_on_the_way,
    "people.guests": stranger_ordered,
    "people.order_touches": stranger_ordered,
    "people.sale_touches": customer_bought,
    "people.answers": customer_forgotten,
    "carts.look_again": came_back,
    "conversations.duplicates": waits_twice,
    "stock.safety_of_product": product_moved,
    "stock.safety_of_category": category_moved,
}
"""By the subscriber's name."""


def subscriber_of(name: str) -> Subscriber:
    """The subscriber of a story."""
    return next(one for one in parts.subscribers() if one.name == name.partition(" ")[0])


async def told(shop: Shop, name: str) -> tuple[Subscriber, UUID, Heard]:
    """Live through a story: its subscriber, the event that it has not heard (the first, when the story tells of two), and how all others
    are told."""
    mine = subscriber_of(name)
    by_name = {one.name: one for one in parts.subscribers()}

    async def heard() -> None:
        await outbox.drain(shop.db, parts.subscribers())

    await STORIES[name](shop, heard)
    pairs: list[tuple[UUID, str]] = []
    while found := await shop.db.write(outbox.publish, parts.subscribers()):
        pairs += [(event, subscriber) for event, subscriber in found if subscriber is not None]
    event = next(event for event, subscriber in pairs if subscriber == mine.name)

    async def rest() -> None:
        for other, subscriber in pairs:
            if (other, subscriber) != (event, mine.name):
                await shop.db.write(outbox.deliver, other, by_name[subscriber])

    return mine, event, rest


async def forget_rules(db: Database) -> None:
    """Rules for categories everywhere would be found by every other test."""

    async def work(tx: Tx) -> int:
        gone = await tx.execute("DELETE FROM stock.safety_rules WHERE category_code IS NOT NULL")
        if gone:
            safety._change(tx, "everything", [])
        return gone

    if await db.write(work):
        assert await safety.settle(db)
