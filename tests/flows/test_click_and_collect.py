"""The central story through HTTP: ordered in the app, prepared by the store, collected with the code and paid there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.orders.story import cash, levels, make_ready, pickup_code, place, rub, step
from tests.support import Client, Shop

pytestmark = pytest.mark.usefixtures("audited")


async def test_from_the_cart_in_the_app_to_the_goods_in_hand(shop: Shop) -> None:
    store, shirt, shoes = await shop.store(), await shop.item(price=129_900), await shop.item(price=500_000)
    await shop.stock(store, shirt, 5)
    await shop.stock(store, shoes, 2, unit_cost=200_000)
    in_app = await shop.shopper("app")
    order = await place(in_app, store, (shirt, 2), (shoes, 1))

    assert order["state"] == "placed"
    assert order["payment_status"] == "pending"
    assert order["fulfillment_status"] == "unfulfilled"
    assert order["return_status"] == "none"
    assert order["channel"] == "app"
    assert order["sold"] == "distance"
    assert order["total"] == order["owed"] == rub(759_800)
    assert order["tax_total"] == rub(46_849 + 90_164)
    assert [(line["sku"], line["quantity"], line["total"]) for line in order["lines"]] == [
        (shirt.sku, 2, rub(259_800)),
        (shoes.sku, 1, rub(500_000)),
    ]
    assert order["lines"][0]["tax"] == {"net": rub(212_951), "tax": rub(46_849), "basis_points": 2200}
    assert order["contact"] == {"name": "Анна Иванова", "email": None, "phone": "+79000000101"}
    assert await levels(shop, shirt, store) == (3, 2)
    assert await levels(shop, shoes, store) == (1, 1)
    number = order["fulfillments"][0]["number"]
    assert number == f"{order['number']}-1"
    assert order["fulfillments"][0]["pickup_code"] is None

    on_site = await shop.shopper("site", person=in_app.actor.subject)
    seen = (await on_site.get(f"/v1/orders/{order['number']}")).json()
    assert seen == order
    assert (await on_site.get("/v1/carts/current")).json()["lines"] == []

    staff = await shop.staff("associate", store.code)
    queue = (await staff.get(f"/v1/stores/{store.code}/fulfillments")).json()
    assert [entry["number"] for entry in queue["items"]] == [number]
    assert await make_ready(staff, store, order) == number
    code = await pickup_code(on_site, order)
    assert len(code) == 6
    by_staff = (await staff.get(f"/v1/orders/{order['number']}")).json()
    assert by_staff["fulfillments"][0]["pickup_code"] is None
    assert by_staff["fulfillment_status"] == "in_progress"

    answer = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(759_800)]})
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert done["state"] == "collected"
    assert done["order_state"] == "completed"
    assert done["paid"] == rub(759_800)
    assert done["left"] == 0
    assert done["receipt"] == {"register": f"counter-{store.code}", "number": 1}
    assert await levels(shop, shirt, store) == (3, 0)

    final = (await in_app.get(f"/v1/orders/{order['number']}")).json()
    assert final["state"] == "completed"
    assert final["payment_status"] == "paid"
    assert final["fulfillment_status"] == "fulfilled"
    assert final["owed"] == rub(0)
    assert [line["handed_over"] for line in final["lines"]] == [2, 1]
    assert [line["fulfilled_at"] for line in final["lines"]] == [store.code, store.code]
    assert [payment["captured"] for payment in final["payments"]] == [rub(759_800)]
    assert final["fulfillments"][0]["pickup_code"] is None

    timeline = (await in_app.get(f"/v1/orders/{order['number']}/timeline")).json()["entries"]
    assert sorted((entry["what"], entry["who"], entry["channel"]) for entry in timeline) == sorted(
        [
            ("placed", "shopper", "app"),
            ("opened", "shopper", "app"),
            ("accepted", "staff", "till"),
            ("picked", "staff", "till"),
            ("ready_for_pickup", "staff", "till"),
            ("collected", "staff", "till"),
            ("collected", "staff", "till"),
        ]
    )
    mine = (await on_site.get("/v1/orders")).json()["items"]
    assert [(entry["number"], entry["units"], entry["fulfillment_status"]) for entry in mine] == [
        (order["number"], 3, "fulfilled")
    ]


async def test_signed_up_in_the_app_bought_from_the_site_brought_back_in_another_city(shop: Shop) -> None:
    """The whole life of an order and of one unit, with real credentials of every caller but the staff."""
    kazan, tver, item = await shop.store(), await shop.store(), await shop.item(price=61_000)
    await shop.stock(kazan, item, 3)
    app, site = await shop.client("app"), await shop.client("site")
    visitor = (await app.post("/v1/auth/anonymous", {})).json()
    in_app = Client(shop.http, visitor["access_token"])
    assert (await in_app.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": 2})).status_code == 200
    email, password = f"{item.sku.lower()}@example.org", "correct horse battery"
    await shop.signed_up(in_app, email=email, password=password, name="Анна")
    signed_in = await site.post("/v1/auth/sign-in", {"email": email, "password": password})
    on_site = Client(shop.http, signed_in.json()["access_token"])
    cart = (await on_site.get("/v1/carts/current")).json()
    assert [(line["sku"], line["quantity"]) for line in cart["lines"]] == [(item.sku, 2)]

    near = (await on_site.get(f"/v1/availability?sku={item.sku}&near=55.79,49.12&location={kazan.code}")).json()[
        "items"
    ][0]["locations"]
    offer = next(entry for entry in near if entry["location"] == kazan.code)
    assert (offer["band"], offer["left"]) == ("few_left", 3)
    body = {"expected_total": cart["subtotal"], "pickup": {"location": kazan.code}, "cart_version": cart["version"]}
    placed = await on_site.post("/v1/orders", body)
    assert placed.status_code == 201, placed.text
    order = placed.json()
    assert order["contact"] == {"name": "Анна", "email": email, "phone": None}
    promised = order["fulfillments"][0]["promise"]
    assert promised["from_at"] >= offer["pickup"]["from_at"]
    assert promised["until_at"] == offer["pickup"]["until_at"]

    in_kazan, in_tver = await shop.staff("associate", kazan.code), await shop.staff("associate", tver.code)
    number = await make_ready(in_kazan, kazan, order)
    code = await pickup_code(on_site, order)
    early = await in_tver.post(f"/v1/stores/{tver.code}/returns", back(order, item.sku, 1))
    assert (early.status_code, early.json()["type"]) == (409, "/problems/not-handed-over")
    card = {"kind": "card_terminal", "amount": rub(122_000), "reference": "slip 0042"}
    assert (await step(in_kazan, kazan, number, "collect", {"code": code, "tenders": [card]})).status_code == 200

    returned = await in_tver.post(f"/v1/stores/{tver.code}/returns", back(order, item.sku, 1))
    assert returned.status_code == 201, returned.text
    assert returned.json()["refund_total"] == rub(61_000)
    assert await levels(shop, item, kazan) == (1, 0)
    assert await levels(shop, item, tver) == (1, 0)
    too_many = await in_tver.post(f"/v1/stores/{tver.code}/returns", back(order, item.sku, 2))
    assert too_many.status_code == 409, too_many.text
    seen = (await on_site.get(f"/v1/orders/{order['number']}")).json()
    assert (seen["state"], seen["payment_status"], seen["return_status"]) == (
        "completed", "partially_refunded", "partially_returned"
    )  # fmt: skip
    assert [(line["handed_over"], line["returned"]) for line in seen["lines"]] == [(2, 1)]
    told = [
        (entry["what"], entry["who"], entry["channel"])
        for entry in (await on_site.get(f"/v1/orders/{order['number']}/timeline")).json()["entries"]
        if entry["fulfillment"] is None
    ]
    assert told == [("placed", "shopper", "site"), ("collected", "staff", "till"), ("returned", "staff", "till")]


def back(order: dict[str, Any], sku: str, quantity: int) -> dict[str, Any]:
    """Units of an order over the counter, as good as new, money back on the card."""
    line = {"sku": sku, "quantity": quantity, "ground": "change_of_mind", "condition": "sellable"}
    refund = {"tender": "card_terminal", "reference": "slip 0043"}
    return {"order": order["number"], "lines": [line], "refund": refund}
