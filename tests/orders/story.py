"""Short forms of what the tests of orders do again and again, all through HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from tests.support import Client, Item, Shop, Store

CONTACT = {"name": "Анна Иванова", "phone": "+79000000101"}


def rub(amount: int) -> dict[str, Any]:
    """Minor units of roubles as JSON money."""
    return {"amount": amount, "currency": "RUB"}


def cash(amount: int) -> dict[str, Any]:
    """A tender in cash."""
    return {"kind": "cash", "amount": rub(amount)}


async def put(shopper: Client, *wanted: tuple[Item, int]) -> None:
    """Put items into the shopper's cart."""
    for item, quantity in wanted:
        answer = await shopper.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": quantity})
        assert answer.status_code == 200, answer.text


def order_body(store: Store, total: int, **more: Any) -> dict[str, Any]:
    """The body of an order for collection in a store."""
    return {"expected_total": rub(total), "pickup": {"location": store.code}, "contact": CONTACT, **more}


async def place(shopper: Client, store: Store, *wanted: tuple[Item, int], **more: Any) -> dict[str, Any]:
    """Fill the cart and order it."""
    await put(shopper, *wanted)
    total = sum(item.price * quantity for item, quantity in wanted)
    answer = await shopper.post("/v1/orders", order_body(store, total, **more))
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def step(staff: Client, store: Store, number: str, name: str, body: Any = None) -> httpx.Response:
    """One step of the store's staff on a fulfillment."""
    return await staff.post(f"/v1/stores/{store.code}/fulfillments/{number}/{name}", body)


async def make_ready(staff: Client, store: Store, order: dict[str, Any]) -> str:
    """Accept, pick everything, ready; the fulfillment's number."""
    number = str(order["fulfillments"][0]["number"])
    scans = [{"sku": line["sku"], "quantity": line["quantity"]} for line in order["lines"]]
    for name, body in (("accept", None), ("pick", {"scans": scans}), ("ready", None)):
        answer = await step(staff, store, number, name, body)
        assert answer.status_code == 200, answer.text
    return number


async def pickup_code(shopper: Client, order: dict[str, Any]) -> str:
    """The code that the customer sees."""
    answer = await shopper.get(f"/v1/orders/{order['number']}")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["fulfillments"][0]["pickup_code"])


async def levels(shop: Shop, item: Item, store: Store) -> tuple[int, int]:
    """Available and committed units of an item in a store."""
    from commerce import stock

    found = await shop.db.read(stock.levels, variant_ids=[item.id], location_ids=[store.id])
    return (found[0].available, found[0].committed) if found else (0, 0)
