"""The stock room over HTTP: what the staff of a store sees and books, and what it may not."""

from __future__ import annotations

from typing import Any

import pytest

from commerce import stock
from commerce.infra.db import Database, Tx
from tests.stock.shelves import aside, demand, fresh, fulfillment, safety, shelf
from tests.support import Shop

pytestmark = pytest.mark.usefixtures("audited")


async def test_a_manager_books_a_delivery_and_sees_the_levels(db: Database, shop: Shop) -> None:
    store, shirt, shoe = await shop.store(), await shop.item(), await shop.item()
    manager = await shop.staff("store_manager", store.code)
    body = {
        "lines": [
            {"sku": shirt.sku, "quantity": 3, "unit_cost": 40_000},
            {"sku": shoe.sku, "quantity": 2, "bucket": "quality_control"},
            {"sku": shirt.sku, "quantity": 1},
        ],
        "note": "delivery 17",
    }
    path = f"/v1/stores/{store.code}/receipts"
    answer = await manager.post(path, body, key="delivery-17")
    again = await manager.post(path, body, key="delivery-17")
    assert answer.status_code == again.status_code == 201, answer.text
    assert answer.json() == again.json()
    booked = answer.json()
    assert (booked["cause_kind"], booked["location"]) == ("receipt", store.code)
    assert [
        (each["sku"], each["available"], each["quality_control"], each["on_hand"]) for each in booked["levels"]
    ] == [
        (shirt.sku, 4, 0, 4),
        (shoe.sku, 0, 2, 2),
    ]
    assert await shelf(db, store, shirt) == (4, 0, 0)
    await safety(shop, store, shirt, 1)
    page = await manager.get(f"/v1/stores/{store.code}/stock?sku={shoe.sku}&sku={shirt.sku}")
    assert [(each["sku"], each["available"], each["ats"]) for each in page.json()["items"]] == [
        (shoe.sku, 0, 0),
        (shirt.sku, 4, 3),
    ]
    first = (await manager.get(f"/v1/stores/{store.code}/stock?limit=1")).json()
    second = (await manager.get(f"/v1/stores/{store.code}/stock?limit=1&cursor={first['next_cursor']}")).json()
    assert [each["sku"] for each in first["items"] + second["items"]] == [shirt.sku, shoe.sku]
    assert second["next_cursor"] is None

    async def record(tx: Tx) -> Any:
        return await tx.one(
            "SELECT subject, location, after FROM infra.audit_records WHERE action = 'stock.receive' AND target_id = :code",
            code=store.code,
        )

    row = await db.read(record)
    assert (row.subject, row.after) == (manager.actor.subject, {"receipt": booked["cause_id"], "lines": 3})


async def test_adjustments_break_promises_and_are_never_refused_for_them(db: Database, shop: Shop) -> None:
    store, item, owner = await shop.store(), await shop.item(), fulfillment()
    await shop.stock(store, item, 2)
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, item, 2)], cause=fresh())
    manager = await shop.staff("store_manager", store.code)
    path = f"/v1/stores/{store.code}/adjustments"
    answer = await manager.post(path, {"sku": item.sku, "delta": -1, "reason": "damage", "note": "fell down"})
    assert answer.status_code == 201, answer.text
    [level] = answer.json()["levels"]
    assert (level["available"], level["committed"], level["damaged"], level["on_hand"]) == (0, 1, 1, 2)
    assert await aside(db, owner) == [("committed", 2, 1, 1)]
    for body, status, kind in (
        ({"sku": item.sku, "delta": -2, "reason": "theft"}, 409, "stock-below-zero"),
        ({"sku": item.sku, "delta": 2, "reason": "theft"}, 422, "adjustment-direction"),
        ({"sku": item.sku, "delta": 0, "reason": "count"}, 422, "adjustment-direction"),
        ({"sku": "NO-SUCH", "delta": 1, "reason": "found"}, 404, "unknown-sku"),
        ({"sku": item.sku, "delta": 2**31, "reason": "found"}, 400, "bad-input"),
        ({"sku": item.sku, "delta": 1, "reason": "magic"}, 400, "bad-input"),
        ({"sku": item.sku, "delta": 1, "reason": "found", "location": "x"}, 400, "bad-input"),
    ):
        refusal = await manager.post(path, body)
        assert (refusal.status_code, refusal.json()["type"]) == (status, f"/problems/{kind}"), refusal.text
    assert await shelf(db, store, item) == (0, 0, 1)


async def test_a_level_that_would_not_fit_is_a_clear_answer(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 2**31 - 2)
    office = await shop.staff("back_office")
    path = f"/v1/stores/{store.code}"
    refusal = await office.post(f"{path}/receipts", {"lines": [{"sku": item.sku, "quantity": 2}]})
    assert (refusal.status_code, refusal.json()["type"]) == (422, "/problems/stock-level-too-high")
    refusal = await office.post(f"{path}/adjustments", {"sku": item.sku, "delta": 2, "reason": "found"})
    assert (refusal.status_code, refusal.json()["type"]) == (422, "/problems/stock-level-too-high")
    assert await shelf(db, store, item) == (2**31 - 2, 0, 0)


async def test_who_may_not(shop: Shop) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    associate = await shop.staff("associate", store.code)
    shopper, nobody = await shop.shopper(), shop.anybody()
    receipt = {"lines": [{"sku": item.sku, "quantity": 1}]}
    assert (await associate.get(f"/v1/stores/{store.code}/stock")).status_code == 200
    assert (await associate.get(f"/v1/stores/{other.code}/stock")).status_code == 403
    assert (await associate.post(f"/v1/stores/{other.code}/receipts", receipt)).status_code == 403
    operator = await shop.staff("call_center")
    assert (await operator.post(f"/v1/stores/{store.code}/receipts", receipt)).status_code == 403
    assert (await shopper.get(f"/v1/stores/{store.code}/stock")).status_code == 403
    assert (await nobody.get(f"/v1/stores/{store.code}/stock")).status_code == 401
    assert (await shopper.get(f"/v1/stock/{item.sku}/history")).status_code == 403
    office = await shop.staff("back_office")
    assert (await office.get("/v1/stores/nowhere/stock")).status_code == 404
    assert (await office.get(f"/v1/stores/{store.code}/stock?sku=NO-SUCH")).status_code == 404
    assert (await office.get(f"/v1/stores/{store.code}/stock?cursor=abc")).status_code == 400


async def test_history_says_why_and_only_of_ones_own_locations(db: Database, shop: Shop) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    manager = await shop.staff("store_manager", store.code)
    office = await shop.staff("back_office")
    await manager.post(
        f"/v1/stores/{store.code}/receipts", {"lines": [{"sku": item.sku, "quantity": 3, "unit_cost": 700}]}
    )
    await manager.post(f"/v1/stores/{store.code}/adjustments", {"sku": item.sku, "delta": -1, "reason": "theft"})
    await shop.stock(other, item, 9, unit_cost=None)
    mine = (await manager.get(f"/v1/stock/{item.sku}/history")).json()
    assert [
        (e["quantity"], e["from_place"], e["from_location"], e["to_place"], e["to_location"]) for e in mine["items"]
    ] == [
        (1, "available", store.code, "loss", None),
        (3, "supplier", None, "available", store.code),
    ]
    theft, receipt = mine["items"]
    assert (theft["cause_kind"], theft["reason"], theft["unit_cost"]) == ("adjustment", "theft", None)
    assert (receipt["cause_kind"], receipt["unit_cost"]) == ("receipt", 700)
    assert receipt["actor"]["subject"] == str(manager.actor.subject)
    refusal = await manager.get(f"/v1/stock/{item.sku}/history?location={other.code}")
    assert (refusal.status_code, refusal.json()["type"]) == (403, "/problems/not-your-stock")
    everything = (await office.get(f"/v1/stock/{item.sku}/history")).json()
    assert [e["quantity"] for e in everything["items"]] == [9, 1, 3]
    here = (await office.get(f"/v1/stock/{item.sku}/history?location={other.code}")).json()
    assert [e["quantity"] for e in here["items"]] == [9]
    first = (await office.get(f"/v1/stock/{item.sku}/history?limit=2")).json()
    rest = (await office.get(f"/v1/stock/{item.sku}/history?limit=2&cursor={first['next_cursor']}")).json()
    assert [e["quantity"] for e in first["items"] + rest["items"]] == [9, 1, 3]
    assert (await office.get("/v1/stock/NO-SUCH/history")).status_code == 404
