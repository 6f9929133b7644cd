"""Goods whose units have codes of their own, through HTTP: the code is on every sale, and comes back with the return."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from commerce.catalog import tables as catalog_tables
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from tests.orders.story import cash, levels, pickup_code, place, rub, step
from tests.support import Client, Item, Shop, Store, unique

pytestmark = pytest.mark.usefixtures("audited")


def problem(answer: httpx.Response) -> tuple[int, str, Any]:
    body = answer.json()
    return answer.status_code, body["type"].removeprefix("/problems/"), body.get("lines")


def serials(count: int) -> list[str]:
    return [unique("SN") for _ in range(count)]


async def gtin_of(shop: Shop, item: Item) -> str:
    """A fresh GTIN-14 on a variant, as catalogs keep it."""
    digits = f"0460{uuid7().int % 10**9:09d}"
    total = sum(int(digit) * (3 if n % 2 == 0 else 1) for n, digit in enumerate(digits))
    gtin = f"{digits}{-total % 10}"

    async def work(tx: Tx) -> None:
        tx.queue(catalog_tables.barcodes, code=gtin, kind="gtin14", variant_id=item.id, quantity=1)

    await shop.db.write(work)
    return gtin


async def received(shop: Shop, store: Store, item: Item, quantity: int, *codes: str) -> Client:
    staff = await shop.staff("store_manager", store.code)
    body = {"lines": [{"sku": item.sku, "quantity": quantity, "unit_cost": 500, "codes": list(codes)}]}
    answer = await staff.post(f"/v1/stores/{store.code}/receipts", body)
    assert answer.status_code == 201, answer.text
    return staff


async def where(staff: Client, item: Item, code: str) -> tuple[str, str | None]:
    answer = await staff.get(f"/v1/stock/{item.sku}/units/{code}")
    assert answer.status_code == 200, answer.text
    return answer.json()["place"], answer.json()["location"]


def back(order: str, sku: str, *codes: str, quantity: int | None = None, **more: Any) -> dict[str, Any]:
    line = {
        "sku": sku,
        "quantity": quantity or len(codes),
        "ground": "change_of_mind",
        "condition": "sellable",
        "codes": list(codes),
    }
    return {"order": order, "lines": [line | more], "refund": {"tender": "cash"}}


def sale(item: Item, quantity: int, **more: Any) -> dict[str, Any]:
    return {
        "id": str(uuid7()), "occurred_at": more.pop("at"), "tenders": [cash(item.price * quantity)],
        "lines": [{"sku": item.sku, "quantity": quantity, "unit_price": rub(item.price)} | more],
    }  # fmt: skip


async def test_ordered_picked_collected_and_brought_back_by_its_code(shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    phone, shirt = await shop.item(price=90_000, tracking="serial"), await shop.item(price=1_000)
    a, b, c, d = serials(4)
    staff = await received(shop, store, phone, 4, a, b, c)
    await shop.stock(store, shirt, 5)
    elsewhere = await shop.staff("store_manager", other.code)
    anna, boris = await shop.shopper(), await shop.shopper()
    hers, his = await place(anna, store, (phone, 2), (shirt, 1)), await place(boris, store, (phone, 1))
    her_number, his_number = (order["fulfillments"][0]["number"] for order in (hers, his))

    for number in (her_number, his_number):
        assert (await step(staff, store, number, "accept")).status_code == 200
    unnamed = await step(staff, store, her_number, "pick", {"scans": [{"sku": phone.sku, "quantity": 2}]})
    assert problem(unnamed) == (422, "unit-codes-needed", [{"sku": phone.sku, "needed": 2, "given": 0}])
    half = await step(staff, store, her_number, "pick", {"scans": [{"sku": phone.sku, "quantity": 2, "code": a}]})
    assert problem(half) == (422, "unit-codes-needed", [{"sku": phone.sku, "needed": 2, "given": 1}])
    wrong = await step(staff, store, her_number, "pick", {"scans": [{"sku": shirt.sku, "code": d}]})
    assert problem(wrong) == (422, "unit-codes-not-kept", [{"sku": shirt.sku, "needed": 0, "given": 1}])
    scans = [{"sku": phone.sku, "code": a}, {"sku": shirt.sku}]
    assert (await step(staff, store, her_number, "pick", {"scans": scans})).json()["state"] == "picking"
    taken = await step(staff, store, his_number, "pick", {"scans": [{"sku": phone.sku, "code": a}]})
    assert problem(taken) == (409, "unit-taken", [{"sku": phone.sku, "code": a}])
    assert (await step(staff, store, her_number, "pick", {"scans": [{"sku": phone.sku, "codes": [d]}]})).json()[
        "state"
    ] == "picked"
    assert (await step(staff, store, his_number, "pick", {"scans": [{"sku": phone.sku, "code": b}]})).json()[
        "state"
    ] == "picked"
    assert await where(staff, phone, d) == ("committed", store.code)

    for number in (her_number, his_number):
        assert (await step(staff, store, number, "ready")).status_code == 200
    body: dict[str, Any] = {"code": await pickup_code(anna, hers), "tenders": [cash(181_000)]}
    assert problem(await step(staff, store, her_number, "collect", body)) == (
        422, "unit-codes-needed", [{"sku": phone.sku, "needed": 2, "given": 0}],
    )  # fmt: skip
    his_box = body | {"units": [{"sku": phone.sku, "codes": [a, b]}]}
    assert problem(await step(staff, store, her_number, "collect", his_box)) == (
        409, "unit-not-picked", [{"sku": phone.sku, "code": b}],
    )  # fmt: skip
    unknown = await step(staff, store, her_number, "collect", body | {"units": [{"sku": "NOTHING", "codes": [a, d]}]})
    assert problem(unknown)[:2] == (422, "wrong-units")
    done = await step(staff, store, her_number, "collect", body | {"units": [{"sku": phone.sku, "codes": [d, a]}]})
    assert done.status_code == 200, done.text
    assert done.json()["unit_codes"] == [{"sku": phone.sku, "codes": [d, a]}]
    assert (done.json()["order_state"], await where(staff, phone, a)) == ("completed", ("customer", None))

    address = f"/v1/stores/{other.code}/returns"
    not_hers = await elsewhere.post(address, back(hers["number"], phone.sku, b))
    assert problem(not_hers) == (409, "unit-not-out", [{"sku": phone.sku, "code": b, "reason": "never"}])
    none = back(hers["number"], phone.sku, quantity=1)
    for path in (address, f"{address}/preview"):
        asked = none if path == address else {"order": none["order"], "lines": none["lines"]}
        assert problem(await elsewhere.post(path, asked)) == (
            422, "unit-codes-needed", [{"sku": phone.sku, "needed": 1, "given": 0}],
        )  # fmt: skip
    wanted = back(hers["number"], phone.sku, a)
    seen = await elsewhere.post(f"{address}/preview", {"order": wanted["order"], "lines": wanted["lines"]})
    assert (seen.status_code, seen.json()["refund_total"]) == (200, rub(90_000))
    accepted = await elsewhere.post(address, wanted)
    assert accepted.status_code == 201, accepted.text
    assert await where(elsewhere, phone, a) == ("available", other.code)
    again = await elsewhere.post(address, wanted)
    assert problem(again) == (409, "unit-not-out", [{"sku": phone.sku, "code": a, "reason": "back"}])
    assert (await levels(shop, phone, store), await levels(shop, phone, other)) == ((1, 1), (1, 0))

    given_up = {"reason": "buyer_no_show"}
    assert (await step(staff, store, his_number, "cancel", given_up)).status_code == 200
    assert await where(staff, phone, b) == ("available", store.code)
    life = (await staff.get(f"/v1/stock/{phone.sku}/units/{b}")).json()["history"]
    assert [(m["from_place"], m["to_place"], m["cause_kind"]) for m in life] == [
        ("committed", "available", "fulfillment_cancelled"), ("available", "committed", None), ("supplier", "available", "receipt"),
    ]  # fmt: skip


async def test_a_till_sells_and_takes_back_by_the_label(shop: Shop) -> None:
    store, boots = await shop.store(), await shop.item(price=12_000, tracking="marked")
    gtin = await gtin_of(shop, boots)
    label = f"01{gtin}215Qbag!Vb/Q5x1"
    tail = "\x1d91EE06\x1d92dGhlIHNpZ25hdHVyZSBvZiB0aGUgbWFya2luZyBhdXRob3JpdHk="
    await shop.stock(store, boots, 3)
    till, staff = await shop.device("till", store.code), await shop.staff("store_manager", store.code)
    address = f"/v1/stores/{store.code}/sales"

    at = shop.db.clock().isoformat()
    missing = await till.post(address, sale(boots, 1, at=at))
    assert problem(missing) == (422, "unit-codes-needed", [{"sku": boots.sku, "needed": 1, "given": 0}])
    assert await levels(shop, boots, store) == (3, 0)
    scanned = sale(boots, 1, at=at, sku=None, barcode=f"]d2{label}{tail}")
    sold = await till.post(address, scanned)
    assert sold.status_code == 201, sold.text
    repeated = await till.post(address, scanned)
    assert (repeated.status_code, repeated.json()["already_booked"]) == (201, True)
    other_code = scanned | {"lines": [scanned["lines"][0] | {"codes": ["another"]}]}
    assert problem(await till.post(address, other_code))[:2] == (409, "sale-id-reused")
    twice = await till.post(address, sale(boots, 1, at=at, codes=[label]))
    assert problem(twice) == (409, "unit-not-here", [{"sku": boots.sku, "code": label}])
    assert await levels(shop, boots, store) == (2, 0)
    two = await till.post(address, sale(boots, 2, at=at, codes=[f"01{gtin}21second", f"(01){gtin}(21)second"]))
    assert problem(two) == (422, "unit-code-repeated", [{"sku": boots.sku, "code": f"01{gtin}21second"}])

    refund = back(
        sold.json()["order_number"], boots.sku, f"(01){gtin}(21)5Qbag!Vb/Q5x1", condition="damaged", ground="defect"
    )
    accepted = await staff.post(f"/v1/stores/{store.code}/returns", refund)
    assert accepted.status_code == 201, accepted.text
    quoted = httpx.QueryParams({"code": f"{label}{tail}"})
    found = (await staff.get(f"/v1/stock/{boots.sku}/units?{quoted}")).json()
    assert (found["code"], found["place"], found["location"], found["version"]) == (label, "damaged", store.code, 2)
    assert [(m["from_place"], m["to_place"]) for m in found["history"]] == [("customer", "damaged"), (None, "customer")]


async def test_picked_by_the_label_alone(shop: Shop) -> None:
    store, boots = await shop.store(), await shop.item(price=12_000, tracking="marked")
    gtin = await gtin_of(shop, boots)
    await shop.stock(store, boots, 2)
    shopper, staff = await shop.shopper(), await shop.staff("associate", store.code)
    number = (await place(shopper, store, (boots, 2)))["fulfillments"][0]["number"]
    assert (await step(staff, store, number, "accept")).status_code == 200
    scans = [{"barcode": f"01{gtin}21first\x1d93abcd"}, {"code": f"https://id.example.org/01/{gtin}/21/second"}]
    picked = await step(staff, store, number, "pick", {"scans": scans})
    assert (picked.status_code, picked.json()["state"]) == (200, "picked")
    for code in ("first", "second"):
        assert await where(staff, boots, f"01{gtin}21{code}") == ("committed", store.code)


async def test_a_bundle_is_sold_picked_and_taken_back_by_the_codes_of_its_components(shop: Shop) -> None:
    store = await shop.store()
    phone, cover = await shop.item(tracking="serial"), await shop.item()
    kit = await shop.bundle({phone: 1, cover: 2}, price=50_000)
    a, b, c = serials(3)
    staff = await received(shop, store, phone, 5)
    await shop.stock(store, cover, 10)
    at = shop.db.clock().isoformat()
    address = f"/v1/stores/{store.code}/sales"
    unnamed = await staff.post(address, sale(kit, 1, at=at))
    assert problem(unnamed) == (422, "unit-codes-needed", [{"sku": phone.sku, "needed": 1, "given": 0}])
    own = await staff.post(address, sale(kit, 1, at=at, codes=[a], units=[{"sku": phone.sku, "codes": [b]}]))
    assert problem(own) == (422, "unit-codes-not-kept", [{"sku": kit.sku, "needed": 0, "given": 1}])
    strange = await staff.post(address, sale(kit, 1, at=at, units=[{"sku": kit.sku, "codes": [a]}]))
    assert problem(strange)[:2] == (422, "unknown-articles")
    sold = await staff.post(address, sale(kit, 1, at=at, units=[{"sku": phone.sku, "codes": [a]}]))
    assert sold.status_code == 201, sold.text

    shopper = await shop.shopper()
    order = await place(shopper, store, (kit, 1), (phone, 1))
    number = order["fulfillments"][0]["number"]
    assert (await step(staff, store, number, "accept")).status_code == 200
    whole = [{"sku": kit.sku}, {"sku": phone.sku, "code": b}]
    assert problem(await step(staff, store, number, "pick", {"scans": whole})) == (
        422, "unit-codes-needed", [{"sku": phone.sku, "needed": 2, "given": 1}],
    )  # fmt: skip
    scans = [{"sku": phone.sku, "quantity": 2, "codes": [b, c]}, {"sku": cover.sku, "quantity": 2}]
    picked = await step(staff, store, number, "pick", {"scans": scans})
    assert (picked.status_code, picked.json()["state"]) == (200, "picked")
    assert (await step(staff, store, number, "ready")).status_code == 200
    body = {
        "code": await pickup_code(shopper, order), "tenders": [cash(50_000 + phone.price)],
        "units": [{"sku": phone.sku, "codes": [c]}, {"sku": phone.sku, "codes": [b]}],
    }  # fmt: skip
    done = await step(staff, store, number, "collect", body)
    assert done.status_code == 200, done.text

    returns = f"/v1/stores/{store.code}/returns"
    wrong = back(order["number"], kit.sku, quantity=1, units=[{"sku": phone.sku, "codes": [a]}])
    assert problem(await staff.post(returns, wrong)) == (
        409, "unit-not-out", [{"sku": phone.sku, "code": a, "reason": "other_order"}],
    )  # fmt: skip
    strange_line = back(
        order["number"], kit.sku, quantity=1, units=[{"sku": cover.sku, "codes": []}, {"sku": "X", "codes": []}]
    )
    assert problem(await staff.post(returns, strange_line))[:2] == (422, "line-not-in-order")
    first = back(sold.json()["order_number"], kit.sku, quantity=1, units=[{"sku": phone.sku, "codes": [a]}])
    accepted = await staff.post(returns, first)
    assert accepted.status_code == 201, accepted.text
    assert [await where(staff, phone, code) for code in (a, b, c)] == [
        ("available", store.code), ("customer", None), ("customer", None),
    ]  # fmt: skip


async def test_a_receipt_names_what_was_scanned(shop: Shop) -> None:
    store, other, phone = await shop.store(), await shop.store(), await shop.item(tracking="serial")
    a, b = serials(2)
    await received(shop, store, phone, 5, a)
    staff = await shop.staff("store_manager", other.code)
    address = f"/v1/stores/{other.code}/receipts"
    line = {"sku": phone.sku, "quantity": 1}
    too_many = await staff.post(address, {"lines": [line | {"codes": [b, "x"]}]})
    assert problem(too_many) == (422, "too-many-unit-codes", [{"sku": phone.sku, "needed": 1, "given": 2}])
    again = await staff.post(address, {"lines": [line | {"codes": [b]}, line | {"codes": [a]}]})
    assert problem(again) == (409, "unit-already-here", [{"sku": phone.sku, "code": a}])
    bad = await staff.post(address, {"lines": [line | {"codes": ["с кириллицей"]}]})
    assert bad.status_code == 400
    assert await levels(shop, phone, other) == (0, 0)
    russian = await staff.post(address, {"lines": [line | {"codes": [a]}]}, headers={"accept-language": "ru"})
    assert russian.json()["title"] == "Единица уже числится на складе"
    assert a in russian.json()["detail"]
