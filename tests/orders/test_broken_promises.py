"""A till sold what a pickup was promised: the store looks, gives up what is gone, finds it again; the customer gets the rest."""

from __future__ import annotations

from typing import Any

import pytest

from commerce import parts
from commerce.infra import outbox
from commerce.infra.db import Tx
from tests.orders.story import cash, levels, make_ready, pickup_code, place, put, rub, step
from tests.orders.test_sales import sale
from tests.support import Client, Item, Shop, Store

pytestmark = pytest.mark.usefixtures("audited")


async def broken(
    shop: Shop, store: Store, item: Item, promised: int, sold: int
) -> tuple[Client, Client, dict[str, Any], str]:
    """Customer, staff, order and number of a pickup that is ready, and of which a till has sold some units."""
    await shop.stock(store, item, promised)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (item, promised))
    number = await make_ready(staff, store, order)
    till = await shop.device("till", store.code)
    assert (await till.post(f"/v1/stores/{store.code}/sales", sale((item, sold, item.price)))).status_code == 201
    await outbox.drain(shop.db, parts.subscribers())
    assert (await seen(staff, store, number))["at_risk"] is True
    return customer, staff, order, number


async def seen(staff: Client, store: Store, number: str) -> dict[str, Any]:
    return dict((await staff.get(f"/v1/stores/{store.code}/fulfillments/{number}")).json())


async def facts_of(shop: Shop, number: str) -> list[tuple[int, str]]:
    """version and type of the events of a fulfillment."""

    async def read(tx: Tx) -> list[tuple[int, str]]:
        rows = await tx.rows(
            """
            SELECT o.version, o.type FROM infra.outbox o JOIN fulfillment.fulfillments f ON f.id = o.aggregate_id
            WHERE o.aggregate = 'fulfillment' AND f.number = :number ORDER BY o.version, o.id
            """,
            number=number,
        )
        return [(row.version, row.type) for row in rows]

    return await shop.db.read(read)


async def test_the_missing_unit_is_cancelled_and_the_good_one_stays(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=1000)
    customer, staff, order, number = await broken(shop, store, item, 2, 1)
    assert await levels(shop, item, store) == (0, 1)
    one = {"reason": "out_of_stock", "lines": [{"sku": item.sku, "quantity": 1}]}
    gone = await step(staff, store, number, "cancel", one)
    assert (gone.status_code, gone.json()["left"], gone.json()["order_state"]) == (200, 1, "placed")
    assert await levels(shop, item, store) == (0, 1)
    assert (await seen(staff, store, number))["at_risk"] is False
    # The good one is nobody else's.
    other = await shop.shopper()
    await put(other, (item, 1))
    refused = await other.post(
        "/v1/orders",
        {
            "expected_total": rub(1000), "pickup": {"location": store.code},
            "contact": {"name": "Пётр Иванов", "phone": "+79000000102"},
        },
    )  # fmt: skip
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/insufficient-stock")
    body = {"code": await pickup_code(customer, order), "tenders": [cash(1000)]}
    done = await step(staff, store, number, "collect", body)
    assert (done.status_code, done.json()["state"], done.json()["order_state"]) == (200, "collected", "completed")
    assert await levels(shop, item, store) == (0, 0)


async def test_what_came_again_is_handed_over(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=1000)
    customer, staff, order, number = await broken(shop, store, item, 2, 2)
    body = {"code": await pickup_code(customer, order), "tenders": [cash(2000)]}
    refused = await step(staff, store, number, "collect", body)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/reservation-short")
    assert refused.json()["lines"] == [{"line_id": order["lines"][0]["id"], "wanted": 2, "left": 0}]
    await shop.stock(store, item, 1)
    part = {**body, "tenders": [cash(1000)], "lines": [{"sku": item.sku, "quantity": 1}]}
    first = await step(staff, store, number, "collect", part)
    assert (first.status_code, first.json()["left"], await levels(shop, item, store)) == (200, 1, (0, 0))
    assert (await seen(staff, store, number))["at_risk"] is True
    await shop.stock(store, item, 9)
    rest = await step(staff, store, number, "collect", {**body, "tenders": [cash(1000)]})
    assert (rest.status_code, rest.json()["order_state"], await levels(shop, item, store)) == (200, "completed", (8, 0))
    final = await seen(staff, store, number)
    assert (final["state"], final["at_risk"]) == ("collected", False)


async def test_the_store_looks_and_finds(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=1000)
    customer, staff, order, number = await broken(shop, store, item, 3, 2)
    version = (await seen(staff, store, number))["version"]
    nothing = await step(staff, store, number, "check")
    assert (nothing.status_code, nothing.json()) == (
        200,
        {
            "number": number, "state": "ready_for_pickup", "at_risk": True, "found": [],
            "missing": [{"sku": item.sku, "quantity": 2}], "version": version,
        },
    )  # fmt: skip
    found = {"sku": item.sku, "delta": 1, "reason": "found"}
    for left in (1, 0):
        assert (await staff.post(f"/v1/stores/{store.code}/adjustments", found)).status_code == 201
        checked = await step(staff, store, number, "check")
        assert checked.status_code == 200, checked.text
        assert checked.json()["found"] == [{"sku": item.sku, "quantity": 1}]
        assert checked.json()["missing"] == [{"sku": item.sku, "quantity": 1}] * left
        assert (checked.json()["at_risk"], await levels(shop, item, store)) == (left == 1, (0, 3 - left))
    assert checked.headers["etag"] == f'"{version + 2}"'
    again = await step(staff, store, number, "check")
    assert (again.json()["found"], again.json()["missing"], again.json()["version"]) == ([], [], version + 2)
    assert (await facts_of(shop, number))[-3:] == [
        (version, "fulfillment.at_risk"), (version + 1, "fulfillment.at_risk"), (version + 2, "fulfillment.safe"),
    ]  # fmt: skip
    entries = (await customer.get(f"/v1/orders/{order['number']}/timeline")).json()["entries"]
    assert [entry["what"] for entry in entries][-3:] == ["at_risk", "checked", "safe"]
    done = await step(
        staff, store, number, "collect", {"code": await pickup_code(customer, order), "tenders": [cash(3000)]}
    )
    assert (done.status_code, await levels(shop, item, store)) == (200, (0, 0))
    late = await step(staff, store, number, "check")
    assert (late.status_code, late.json()["type"]) == (409, "/problems/wrong-step")


async def test_news_of_a_broken_promise_that_comes_late(shop: Shop) -> None:
    """The store was faster than the event: what was found or given up meanwhile is not at risk."""
    store, item = await shop.store(), await shop.item(price=1000)
    await shop.stock(store, item, 2)
    staff, till = await shop.staff("store_manager", store.code), await shop.device("till", store.code)
    number = await make_ready(staff, store, await place(await shop.shopper(), store, (item, 2)))
    assert (await till.post(f"/v1/stores/{store.code}/sales", sale((item, 1, 1000)))).status_code == 201
    one = {"reason": "out_of_stock", "lines": [{"sku": item.sku, "quantity": 1}]}
    assert (await step(staff, store, number, "cancel", one)).status_code == 200
    await outbox.drain(shop.db, parts.subscribers())
    assert (await seen(staff, store, number))["at_risk"] is False


async def test_a_customer_cancels_what_is_partly_gone(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=1000)
    customer, staff, order, number = await broken(shop, store, item, 3, 2)
    gone = await customer.post(f"/v1/orders/{order['number']}/cancel", {"reason": "changed_mind"})
    assert (gone.status_code, gone.json()["state"], gone.json()["units"]) == (200, "cancelled", 3)
    assert await levels(shop, item, store) == (1, 0)
    final = await seen(staff, store, number)
    assert (final["state"], final["at_risk"]) == ("cancelled", False)
    await shop.stock(store, item, 5)
    assert (await step(staff, store, number, "check")).status_code == 409
    assert await levels(shop, item, store) == (6, 0)


async def test_picking_goes_on_after_a_part_was_cancelled(shop: Shop) -> None:
    store, first, second = await shop.store(), await shop.item(price=1000), await shop.item(price=500)
    for item in (first, second):
        await shop.stock(store, item, 9)
    customer, staff = await shop.shopper(), await shop.staff("store_manager", store.code)
    order = await place(customer, store, (first, 3), (second, 2))
    number = order["fulfillments"][0]["number"]
    await step(staff, store, number, "accept")

    def units(item: Item, quantity: int) -> list[dict[str, Any]]:
        return [{"sku": item.sku, "quantity": quantity}]

    picked = await step(staff, store, number, "pick", {"scans": units(first, 3)})
    assert picked.json()["state"] == "picking"
    damaged = await step(staff, store, number, "cancel", {"reason": "damaged", "lines": units(first, 1)})
    assert (damaged.status_code, damaged.json()["state"]) == (200, "picking")
    many = await step(staff, store, number, "pick", {"scans": units(first, 1)})
    assert (many.status_code, many.json()["type"], many.json()["left"]) == (422, "/problems/picked-too-many", 0)
    one = await step(staff, store, number, "pick", {"scans": units(second, 1)})
    assert one.json()["state"] == "picking"
    gone = await step(staff, store, number, "cancel", {"reason": "out_of_stock", "lines": units(second, 1)})
    assert (gone.status_code, gone.json()["state"], gone.json()["left"]) == (200, "picked", 3)
    assert (await facts_of(shop, number))[-2:] == [
        (gone.json()["version"], "fulfillment.partly_cancelled"), (gone.json()["version"], "fulfillment.picked"),
    ]  # fmt: skip
    assert (await step(staff, store, number, "ready")).status_code == 200
    body = {"code": await pickup_code(customer, order), "tenders": [cash(2500)]}
    done = await step(staff, store, number, "collect", body)
    assert (done.status_code, done.json()["order_state"]) == (200, "completed")
