"""The steps of the store's staff, through HTTP."""

from __future__ import annotations

from datetime import timedelta

import pytest

from commerce import fulfillment, stock
from commerce.catalog import tables as catalog_tables
from commerce.infra.db import Tx
from tests.orders.story import make_ready, place, step
from tests.support import Item, Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


async def barcode(shop: Shop, item: Item, code: str, quantity: int) -> None:
    async def work(tx: Tx) -> None:
        tx.queue(catalog_tables.barcodes, code=code, variant_id=item.id, kind="internal", quantity=quantity)

    await shop.db.write(work)


async def test_each_step_needs_its_predecessor(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    order = await place(await shop.shopper(), store, (item, 2))
    number = order["fulfillments"][0]["number"]
    staff = await shop.staff("associate", store.code)
    for name, body in (("pick", {}), ("pack", None), ("ready", None)):
        refused = await step(staff, store, number, name, body)
        assert refused.status_code == 409
        assert refused.json()["type"] == "/problems/wrong-step"
        assert refused.json()["state"] == "open"
    accepted = await step(staff, store, number, "accept")
    assert (accepted.json()["state"], accepted.json()["version"], accepted.headers["etag"]) == ("accepted", 2, '"2"')
    assert (await step(staff, store, number, "accept")).status_code == 409

    begun = await step(staff, store, number, "pick", {})
    assert begun.json()["state"] == "picking"
    one = await step(staff, store, number, "pick", {"scans": [{"sku": item.sku}]})
    assert (one.json()["state"], one.json()["lines"][0]["picked"]) == ("picking", 1)
    too_many = await step(staff, store, number, "pick", {"scans": [{"sku": item.sku, "quantity": 2}]})
    assert too_many.status_code == 422
    assert too_many.json()["type"] == "/problems/picked-too-many"
    assert (too_many.json()["left"], too_many.json()["scanned"]) == (1, 2)
    other = await shop.item()
    foreign = await step(staff, store, number, "pick", {"scans": [{"sku": other.sku}, {"barcode": "nonsense"}]})
    assert foreign.status_code == 422
    assert foreign.json()["scans"] == ", ".join(sorted((other.sku, "nonsense")))
    rest = await step(staff, store, number, "pick", {"scans": [{"sku": item.sku}]})
    assert rest.json()["state"] == "picked"
    assert rest.json()["lines"][0]["title"] == {"en": "Thing", "ru": "Вещь"}
    assert (await step(staff, store, number, "pack")).json()["state"] == "packed"
    ready = (await step(staff, store, number, "ready")).json()
    assert ready["state"] == "ready_for_pickup"
    assert ready["version"] == 7
    assert ready["ready_at"] < ready["pickup_by"]
    assert "code" not in ready


async def test_a_barcode_of_a_pack_counts_what_it_holds(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await barcode(shop, item, f"box-{item.sku}", 6)
    await barcode(shop, item, f"one-{item.sku}", 1)
    await shop.stock(store, item, 10)
    order = await place(await shop.shopper(), store, (item, 7))
    number = order["fulfillments"][0]["number"]
    staff = await shop.staff("associate", store.code)
    await step(staff, store, number, "accept")
    scans = [{"barcode": f"box-{item.sku}"}, {"barcode": f"one-{item.sku}"}]
    picked = await step(staff, store, number, "pick", {"scans": scans})
    assert picked.status_code == 200, picked.text
    assert (picked.json()["state"], picked.json()["lines"][0]["picked"]) == ("picked", 7)


async def test_the_queue_is_this_stores_at_risk_first_then_by_promise(shop: Shop) -> None:
    store, elsewhere, item = await shop.store(), await shop.store(), await shop.item()
    for place_ in (store, elsewhere):
        await shop.stock(place_, item, 9)
    numbers = []
    for _ in range(3):
        order = await place(await shop.shopper(), store, (item, 1))
        numbers.append(order["fulfillments"][0]["number"])
        clock.travel(timedelta(minutes=1))
    away = (await place(await shop.shopper(), elsewhere, (item, 1)))["fulfillments"][0]["number"]
    works = await shop.db.read(fulfillment.of_orders, [])
    assert works == {}
    staff = await shop.staff("associate", store.code)
    await step(staff, store, numbers[0], "accept")

    async def risk(tx: Tx) -> int:
        found = await tx.scalar("SELECT id FROM fulfillment.fulfillments WHERE number = :number", number=numbers[2])
        return await fulfillment.mark_at_risk(tx, shop.system, ids=[found], data={})

    async def sell(tx: Tx) -> None:
        lines = [stock.SaleLine(line_id=item.id, variant_id=item.id, quantity=7)]
        await stock.sell(tx, shop.system, cause=stock.Cause("test_sale", store.id), location_id=store.id, lines=lines)

    assert await shop.db.write(risk) == 0  # nothing of it is missing
    await shop.db.write(sell)
    assert await shop.db.write(risk) == 1
    assert await shop.db.write(risk) == 0
    base = f"/v1/stores/{store.code}/fulfillments"
    first = (await staff.get(f"{base}?limit=2")).json()
    assert [entry["number"] for entry in first["items"]] == [numbers[2], numbers[0]]
    rest = (await staff.get(f"{base}?limit=2&cursor={first['next_cursor']}")).json()
    assert [entry["number"] for entry in rest["items"]] == [numbers[1]]
    assert rest["next_cursor"] is None
    accepted = (await staff.get(f"{base}?state=accepted&state=picked")).json()
    assert [entry["number"] for entry in accepted["items"]] == [numbers[0]]
    assert (await staff.get(f"{base}?cursor=nonsense")).json()["type"] == "/problems/bad-cursor"
    assert (await staff.get(f"{base}?state=nonsense")).status_code == 400

    for answer in (await staff.get(f"{base}/{away}"), await step(staff, store, away, "accept")):
        assert answer.status_code == 403
        assert answer.json()["type"] == "/problems/other-store"
    missing = await staff.get(f"{base}/0000-0000-0000-1")
    assert (missing.status_code, missing.json()["type"]) == (404, "/problems/unknown-fulfillment")
    stranger = await shop.staff("associate", elsewhere.code)
    assert (await stranger.get(base)).status_code == 403
    assert (await step(stranger, store, numbers[0], "pick", {})).status_code == 403


async def test_a_later_promise_is_appended_and_told(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 1)
    shopper = await shop.shopper()
    order = await place(shopper, store, (item, 1))
    number = order["fulfillments"][0]["number"]
    staff = await shop.staff("associate", store.code)
    later, end = clock() + timedelta(hours=5), clock() + timedelta(days=6)
    body = {"from_at": later.isoformat(), "until_at": end.isoformat(), "reason": "The delivery van is late"}
    wrong = await step(staff, store, number, "promise", body | {"until_at": later.isoformat()})
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/bad-promise")
    never = await step(staff, store, number, "promise", body | {"until_at": "9999-12-31T23:59:59-12:00"})
    assert (never.status_code, never.json()["type"]) == (400, "/problems/bad-input")
    assert (await step(staff, store, number, "promise", body)).status_code == 200
    seen = (await shopper.get(f"/v1/orders/{order['number']}")).json()["fulfillments"][0]["promise"]
    assert seen["from_at"] == later.isoformat().replace("+00:00", "Z")

    async def given(tx: Tx) -> list[tuple[int, str]]:
        rows = await tx.rows(
            "SELECT p.n, p.reason FROM fulfillment.promises p JOIN fulfillment.fulfillments f ON f.id = p.fulfillment_id"
            " WHERE f.number = :number ORDER BY n",
            number=number,
        )
        return [(row.n, row.reason) for row in rows]

    assert await shop.db.read(given) == [(1, "placed"), (2, "The delivery van is late")]


async def test_the_same_step_by_the_same_key_is_taken_once(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 1)
    order = await place(await shop.shopper(), store, (item, 1))
    number = order["fulfillments"][0]["number"]
    staff = await shop.staff("associate", store.code)
    path = f"/v1/stores/{store.code}/fulfillments/{number}/accept"
    first = await staff.post(path, key="same-key-for-accept")
    again = await staff.post(path, key="same-key-for-accept")
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()


async def test_ready_says_until_when_it_is_kept(shop: Shop) -> None:
    store, item = await shop.store(kept_days=3), await shop.item()
    await shop.stock(store, item, 1)
    shopper = await shop.shopper()
    order = await place(shopper, store, (item, 1))
    await make_ready(await shop.staff("associate", store.code), store, order)
    work = (await shopper.get(f"/v1/orders/{order['number']}")).json()["fulfillments"][0]
    assert work["pickup_by"].endswith("T21:00:00Z")
    assert work["code_attempts_left"] == 5
