"""Goods without an order number or a receipt: taken at their lowest price, by or with somebody who may."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from msgspec import structs

from commerce import prices
from commerce.app import create_app
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from commerce.prices.tables import prices as price_table
from tests.returns.counter import brought, give_back, levels, sell, take
from tests.support import Client, Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")


def rub(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "RUB"}


async def look(counter: Client, store: Store, *lines: dict[str, Any]) -> httpx.Response:
    body = {"lines": brought(*lines)["lines"]}
    return await counter.post(f"/v1/stores/{store.code}/returns/blind/preview", body)


async def books(db: Database, store: Store) -> tuple[object, ...]:
    """Everything a refused blind return must not change at a store."""

    async def work(tx: Tx) -> tuple[object, ...]:
        row = await tx.one(
            """
            SELECT (SELECT count(*) FROM returns.returns WHERE location_id = :store) AS returns,
                   (SELECT count(*) FROM payments.refunds WHERE location_id = :store) AS refunds,
                   (SELECT count(*) FROM payments.receipts WHERE location_id = :store) AS receipts,
                   (SELECT coalesce(sum(last_number), 0) FROM payments.registers WHERE location_id = :store) AS numbers,
                   (SELECT count(*) FROM stock.movements WHERE :store IN (from_location_id, to_location_id)) AS movements,
                   (SELECT count(*) FROM stock.units WHERE location_id = :store) AS units
            """,
            store=store.id,
        )
        return tuple(row)

    return await db.read(work)


async def priced(shop: Shop, item: Item, *history: tuple[timedelta, int]) -> None:
    """Prices of an item in the past: how long ago each came into force."""

    async def work(tx: Tx) -> None:
        for ago, amount in history:
            tx.queue(
                price_table, variant_id=item.id, valid_from=tx.at - ago, amount=amount, currency="RUB",
                set_by=shop.system.subject,
            )  # fmt: skip

    await shop.db.write(work)


async def test_what_a_blind_return_books(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item(price=122_000)
    await shop.stock(store, item, 3)
    manager = await shop.staff("store_manager", store.code)
    line = {"sku": item.sku, "quantity": 2, "note": "worn once", "refund": rub(200_000)}
    answer = await take(
        manager, store, brought(line, reason="gift", refund={"tender": "card_terminal", "reference": "slip 5"})
    )
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body == {
        "number": body["number"], "order": None, "blind_reason": "gift", "store": store.code, "state": "closed", "channel": "till",
        "lines": [
            {
                "n": 1, "sku": item.sku, "title": {"en": "Thing", "ru": "Вещь"}, "quantity": 2, "ground": "change_of_mind",
                "condition": "sellable", "disposition": "restocked", "refund": rub(200_000), "tax": rub(36_066),
                "tax_basis_points": 2200, "note": "worn once",
            }
        ],
        "refund_total": rub(200_000), "tender": "card_terminal", "receipt": {"register": f"counter-{store.code}", "number": 1},
        "created_at": body["created_at"], "closed_at": body["created_at"], "version": 1,
    }  # fmt: skip
    assert await levels(db, store, item) == {"available": 5}
    path = f"/v1/stores/{store.code}"
    assert (await manager.get(f"{path}/returns/{body['number']}")).json() == body
    [listed] = (await manager.get(f"{path}/returns")).json()["items"]
    assert (listed["number"], listed["order"], listed["units"]) == (body["number"], None, 2)
    receipt = (await manager.get(f"{path}/receipts/counter-{store.code}/1")).json()
    assert (receipt["kind"], receipt["order_id"], receipt["total"]) == ("refund", None, rub(200_000))
    assert receipt["tenders"] == [{"kind": "card_terminal", "amount": rub(200_000), "reference": "slip 5"}]
    [on_paper] = receipt["lines"]
    assert (on_paper["unit_price"], on_paper["total"], on_paper["net"], on_paper["tax"]) == (
        rub(122_000), rub(200_000), rub(163_934), rub(36_066),
    )  # fmt: skip

    async def facts(tx: Tx) -> tuple[list[Any], ...]:
        found = await tx.one(
            """
            SELECT r.id, p.id AS refund, p.order_id, p.payment_id, p.amount, p.reason, p.given_by, p.approved_by
            FROM returns.returns r JOIN payments.refunds p ON p.return_id = r.id WHERE r.number = :number
            """,
            number=body["number"],
        )
        events = await tx.rows(
            "SELECT type, payload FROM infra.outbox WHERE aggregate_id = ANY(CAST(:ids AS uuid[])) ORDER BY type",
            ids=[found.id, found.refund],
        )
        records = await tx.rows("SELECT action, after FROM infra.audit_records WHERE target_id = :id", id=str(found.id))
        return [tuple(found)], [tuple(event) for event in events], [tuple(record) for record in records]

    [refund], events, records = await db.read(facts)
    assert refund[2:] == (None, None, 200_000, "blind_return", manager.actor.subject, None)
    assert [kind for kind, _ in events] == ["refund.given", "return.accepted"]
    assert events[0][1] == {
        "return_id": str(refund[0]), "tender": "card_terminal", "amount": 200_000, "currency": "RUB",
    }  # fmt: skip
    assert (events[1][1]["order_id"], events[1][1]["blind_reason"], events[1][1]["lines"][0]["order_line_id"]) == (
        None, "gift", None,
    )  # fmt: skip
    assert records == [
        (
            "return.accept_blind",
            {
                "number": body["number"],
                "blind": "gift",
                "store": store.code,
                "refund_total": 200_000,
                "currency": "RUB",
            },
        )
    ]
    again = await give_back(
        manager, store,
        {
            "receipt": body["receipt"], "refund": {"tender": "cash"},
            "lines": [{"n": 1, "quantity": 1, "ground": "defect", "condition": "sellable"}],
        },
    )  # fmt: skip
    assert (again.status_code, again.json()["type"]) == (404, "/problems/unknown-receipt"), "no sale's receipt"


async def test_the_lowest_price_of_the_last_ninety_days(shop: Shop, db: Database) -> None:
    store, manager = await shop.store(), await shop.staff("store_manager", "*")
    week = timedelta(days=7)
    sale, before, since, new, coming = [await shop.item(price=100_000) for _ in range(5)]
    await priced(shop, sale, (4 * week, 60_000), (3 * week, 90_000), (week, 110_000))
    await priced(shop, before, (20 * week, 50_000), (timedelta(days=91), 80_000))
    await priced(shop, since, (20 * week, 50_000), (timedelta(days=89), 80_000))
    await priced(shop, coming, (-week, 10_000))
    await priced(shop, new, (week, 130_000))
    answer = await look(manager, store, *[{"sku": item.sku} for item in (sale, before, since, new, coming)])
    assert answer.status_code == 200, answer.text
    assert [line["lowest_price"]["amount"] for line in answer.json()["lines"]] == [
        60_000, 80_000, 50_000, 100_000, 100_000,
    ]  # fmt: skip
    assert answer.json()["refund_total"] == rub(390_000)
    taken = await take(manager, store, brought({"sku": sale.sku, "quantity": 2}))
    assert taken.json()["refund_total"] == rub(120_000), taken.text

    # A price that is set now is in force in ten seconds, and counts from then on.
    async def lower(tx: Tx) -> int:
        price = prices.NewPrice(variant_id=sale.id, amount=40_000, valid_from=tx.at + prices.LEAD)
        return await prices.set_prices(tx, shop.system, prices=[price], currency="RUB")

    await db.write(lower)
    assert (await take(manager, store, brought({"sku": sale.sku}))).json()["refund_total"] == rub(60_000)
    clock.travel(prices.LEAD)
    assert (await take(manager, store, brought({"sku": sale.sku}))).json()["refund_total"] == rub(40_000)


async def test_the_tax_is_that_of_the_day(shop: Shop) -> None:
    clock.stand_at(datetime(2025, 12, 28, 10, tzinfo=UTC))
    store, item = await shop.store(), await shop.item(price=120_000)
    manager = await shop.staff("store_manager", store.code)
    first = await take(manager, store, brought({"sku": item.sku}))
    clock.stand_at(datetime(2026, 1, 5, 10, tzinfo=UTC))
    manager = await shop.staff("store_manager", store.code)
    second = await take(manager, store, brought({"sku": item.sku}))
    taxes = [(one.json()["lines"][0]["tax"], one.json()["lines"][0]["tax_basis_points"]) for one in (first, second)]
    assert taxes == [(rub(20_000), 2000), (rub(21_639), 2200)]


async def test_steps_of_a_metre_are_rounded_once(shop: Shop) -> None:
    store = await shop.store()
    fabric = await shop.item(price=99_900, quantity_unit="MTR", quantity_scale=2)
    manager = await shop.staff("store_manager", store.code)
    answer = await take(manager, store, brought({"sku": fabric.sku, "quantity": 133}))
    assert (answer.json()["refund_total"], answer.json()["lines"][0]["tax"]) == (rub(132_867), rub(23_960))


@pytest.mark.parametrize(
    ("condition", "disposition", "bucket"),
    [
        ("sellable", "restocked", "available"), ("opened", "quality_control", "quality_control"),
        ("defective", "quality_control", "quality_control"), ("damaged", "damaged", "damaged"),
    ],
)  # fmt: skip
async def test_the_condition_decides_where_it_stands(
    shop: Shop, db: Database, condition: str, disposition: str, bucket: str
) -> None:
    store, item = await shop.store(), await shop.item()
    manager = await shop.staff("store_manager", store.code)
    answer = await take(manager, store, brought({"sku": item.sku, "condition": condition, "ground": "defect"}))
    assert answer.json()["lines"][0]["disposition"] == disposition, answer.text
    assert await levels(db, store, item) == {bucket: 1}


async def test_what_cost_nothing_comes_back_for_nothing(shop: Shop, db: Database) -> None:
    store, sample = await shop.store(), await shop.item(price=0)
    cup = await shop.item(price=500)
    manager = await shop.staff("store_manager", store.code)
    answer = await take(manager, store, brought({"sku": sample.sku}, {"sku": cup.sku, "refund": rub(0)}))
    assert (answer.status_code, answer.json()["refund_total"], answer.json()["receipt"]) == (201, rub(0), None)
    assert [await levels(db, store, item) for item in (sample, cup)] == [{"available": 1}] * 2
    assert (await books(db, store))[:4] == (1, 0, 0, 0)


async def test_a_bundle_comes_back_as_its_parts(shop: Shop, db: Database) -> None:
    store, phone, case = await shop.store(), await shop.item(tracking="serial"), await shop.item()
    kit = await shop.bundle({phone: 1, case: 2}, price=50_000)
    manager = await shop.staff("store_manager", store.code)
    unnamed = await take(manager, store, brought({"sku": kit.sku, "quantity": 2}))
    assert (unnamed.status_code, unnamed.json()["type"]) == (422, "/problems/unit-codes-needed"), unnamed.text
    units = [{"sku": phone.sku, "codes": ["K1", "K2"]}]
    strange = await take(manager, store, brought({"sku": kit.sku, "units": [{"sku": kit.sku, "codes": ["K1"]}]}))
    assert strange.json()["lines"] == [{"index": 0, "sku": kit.sku, "barcode": None, "reason": "not_in_bundle"}]
    answer = await take(manager, store, brought({"sku": kit.sku, "quantity": 2, "units": units}, {"sku": case.sku}))
    assert (answer.status_code, answer.json()["refund_total"]) == (201, rub(100_000 + case.price)), answer.text
    assert [await levels(db, store, item) for item in (kit, phone, case)] == [{}, {"available": 2}, {"available": 5}]


async def coded(shop: Shop, store: Store, *codes: str) -> Item:
    """Phones on a shelf."""
    phone = await shop.item(price=3_000, tracking="serial")
    manager = await shop.staff("store_manager", store.code)
    lines = [{"sku": phone.sku, "quantity": len(codes), "unit_cost": 1_000, "codes": list(codes)}]
    assert (await manager.post(f"/v1/stores/{store.code}/receipts", {"lines": lines})).status_code == 201
    return phone


async def sold(shop: Shop, store: Store, phone: Item, code: str) -> str:
    manager = await shop.staff("store_manager", store.code)
    body = {
        "id": str(uuid7()), "occurred_at": clock().isoformat(),
        "lines": [{"sku": phone.sku, "quantity": 1, "unit_price": rub(phone.price), "codes": [code]}],
        "tenders": [{"kind": "cash", "amount": rub(phone.price)}],
    }  # fmt: skip
    answer = await manager.post(f"/v1/stores/{store.code}/sales", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["order_number"])


async def test_a_unit_that_nobody_knows(shop: Shop, db: Database) -> None:
    store = await shop.store()
    phone, manager = await coded(shop, store, "A"), await shop.staff("store_manager", store.code)
    answer = await take(manager, store, brought({"sku": phone.sku, "codes": ["OLD-1"], "condition": "opened"}))
    assert answer.status_code == 201, answer.text
    assert await levels(db, store, phone) == {"available": 1, "quality_control": 1}
    unit = (await manager.get(f"/v1/stock/{phone.sku}/units/OLD-1")).json()
    assert (unit["place"], unit["location"], unit["line_id"]) == ("quality_control", store.code, None)
    assert [(move["from_place"], move["cause_kind"]) for move in unit["history"]] == [("customer", "return")]
    before = await books(db, store)
    again = await take(manager, store, brought({"sku": phone.sku, "codes": ["OLD-1"]}))
    assert (again.status_code, again.json()["type"]) == (409, "/problems/unit-on-record")
    assert again.json()["lines"] == [{"sku": phone.sku, "code": "OLD-1", "reason": "in_stock"}]
    assert await books(db, store) == before
    # It can be sold anew, and then comes back by that order.
    order = await sold(shop, store, phone, "OLD-1")
    known = await take(manager, store, brought({"sku": phone.sku, "codes": ["OLD-1"]}))
    assert known.json()["lines"] == [{"sku": phone.sku, "code": "OLD-1", "order": order}]
    back = {
        "order": order, "refund": {"tender": "cash"},
        "lines": [{"n": 1, "quantity": 1, "ground": "defect", "condition": "defective", "codes": ["OLD-1"]}],
    }  # fmt: skip
    assert (await give_back(manager, store, back)).status_code == 201


async def test_a_unit_whose_sale_is_known_comes_back_by_it(shop: Shop, db: Database) -> None:
    store, elsewhere = await shop.store(), await shop.store()
    phone, manager = await coded(shop, store, "A", "B"), await shop.staff("store_manager", elsewhere.code)
    order = await sold(shop, store, phone, "A")
    associate = await shop.staff("associate", elsewhere.code)
    reader = dict(associate.actor.permissions)
    reader.pop("orders.read")
    blinkered = shop._issue(structs.replace(associate.actor, permissions=reader))
    before = await books(db, elsewhere)
    for caller, shown in ((manager, order), (associate, order), (blinkered, None)):
        body = brought({"sku": phone.sku, "codes": ["A"]})
        for answer in (await look(caller, elsewhere, *body["lines"]), await take(caller, elsewhere, body)):
            assert (answer.status_code, answer.json()["type"]) == (409, "/problems/sale-known")
            assert answer.json()["lines"] == [{"sku": phone.sku, "code": "A", "order": shown}]
    lost = {"sku": phone.sku, "delta": -1, "reason": "lost"}
    assert (await (await shop.staff("admin")).post(f"/v1/stores/{store.code}/adjustments", lost)).status_code == 201
    stolen = await take(manager, elsewhere, brought({"sku": phone.sku, "codes": ["B"]}))
    assert (stolen.status_code, stolen.json()["lines"][0]["reason"]) == (409, "in_stock")
    for codes, kind in ([], "unit-codes-needed"), (["C", "C"], "unit-codes-needed"):
        answer = await take(manager, elsewhere, brought({"sku": phone.sku, "codes": codes}))
        assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{kind}")
    twice = await take(manager, elsewhere, brought({"sku": phone.sku, "quantity": 2, "codes": ["C", "C"]}))
    assert twice.json()["type"] == "/problems/unit-code-repeated"
    assert await books(db, elsewhere) == before


async def test_a_label_is_the_code_of_its_unit(shop: Shop, db: Database) -> None:
    from commerce.catalog.tables import barcodes

    store, gtin = await shop.store(), "04601234567893"
    boots = await shop.item(price=8_000, tracking="marked")

    async def label(tx: Tx) -> None:
        tx.queue(barcodes, code=gtin, variant_id=boots.id, kind="gtin14", quantity=1)

    await db.write(label)
    manager = await shop.staff("store_manager", store.code)
    answer = await take(manager, store, brought({"barcode": f"(01){gtin}(21)Zz7"}))
    assert answer.status_code == 201, answer.text
    assert (await manager.get(f"/v1/stock/{boots.sku}/units/01{gtin}21Zz7")).json()["place"] == "available"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"sku": "NO-SUCH-SKU"}, "unknown"), ({"barcode": "0000000000000"}, "unknown"), ({}, "sku_or_barcode"),
        ({"sku": "HERE", "barcode": "1"}, "sku_or_barcode"), ({"sku": "UNPRICED"}, "no_price"), ({"sku": "COMING"}, "no_price"),
        ({"sku": "DEAR", "quantity": 1_000_000}, "too_many"),
    ],
)  # fmt: skip
async def test_goods_that_nobody_can_have_bought(shop: Shop, db: Database, line: dict[str, Any], reason: str) -> None:
    store, manager = await shop.store(), await shop.staff("store_manager", "*")
    items = {"HERE": await shop.item(), "UNPRICED": await shop.item(price=None), "DEAR": await shop.item(price=10**10)}
    items["COMING"] = await shop.item(price=None)
    await priced(shop, items["COMING"], (-timedelta(days=1), 5_000))
    if line.get("sku") in items:
        line = line | {"sku": items[line["sku"]].sku}
    before = await books(db, store)
    for answer in (await look(manager, store, line), await take(manager, store, brought(line))):
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/goods-not-taken"), answer.text
        [told] = answer.json()["lines"]
        assert told == {"index": 0, "sku": line.get("sku"), "barcode": line.get("barcode"), "reason": reason}
    assert await books(db, store) == before


async def test_what_is_refused_changes_nothing(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item(price=10_000)
    closed, underwear = await shop.store(roles=("sells",)), await shop.item(return_policy="underwear")
    manager = await shop.staff("store_manager", "*")
    line = {"sku": item.sku}
    card = {"tender": "card_terminal", "reference": "4111 1111 1111 1111"}
    nobody = str(uuid7())
    refusals: list[tuple[dict[str, Any], int, str]] = [
        (brought(line | {"refund": rub(10_001)}), 422, "refund-above-lowest"),
        (brought(line | {"refund": {"amount": 1, "currency": "USD"}}), 422, "wrong-currency"),
        (brought(line | {"refund": rub(-1)}), 400, "bad-input"),
        (brought({"sku": underwear.sku}), 422, "return-not-accepted"),
        (brought(line | {"ground": "withdrawal"}), 400, "bad-input"),
        (brought(line | {"ground": "damaged_in_transit"}), 400, "bad-input"),
        (brought(line, reason="because"), 400, "bad-input"),
        (brought(line, refund=card), 422, "card-number-refused"),
        (brought(line, customer=nobody), 422, "no-such-customer"),
        (brought(line | {"codes": ["X"]}), 422, "unit-codes-not-kept"),
        (brought(line, order="4821-3059-1768"), 400, "bad-input"),
    ]
    before = await books(db, store)
    for body, status, kind in refusals:
        answer = await take(manager, store, body)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}"), (body, answer.text)
    above = (await take(manager, store, refusals[0][0])).json()
    assert (above["days"], above["lines"]) == (
        90, [{"index": 0, "sku": item.sku, "wanted": rub(10_001), "most": rub(10_000)}],
    )  # fmt: skip
    missing = brought(line)
    del missing["reason"]
    assert (await take(manager, store, missing)).status_code == 400
    assert (await take(manager, closed, brought(line))).json()["type"] == "/problems/store-takes-no-returns"
    assert await books(db, store) == before
    broken = brought({"sku": underwear.sku, "ground": "defect", "condition": "defective"})
    assert (await take(manager, store, broken)).status_code == 201, "a defect is another ground"


async def test_who_may_not_needs_somebody_who_may(shop: Shop, db: Database) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item(price=10_000)
    associate, stranger = await shop.staff("associate", store.code), await shop.staff("store_manager", other.code)
    before, body = await books(db, store), brought({"sku": item.sku})
    refused = await take(associate, store, body)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/return-approval-needed")
    assert (refused.json()["permission"], refused.json()["refund_total"]) == ("returns.blind", rub(10_000))
    assert "Approval-Badge" in refused.json()["detail"]
    for caller in (stranger, await shop.staff("call_center"), await shop.staff("back_office")):
        for answer in (await take(caller, store, body), await look(caller, store, {"sku": item.sku})):
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed")
    for caller, needed in ((associate, True), (await shop.staff("store_manager", store.code), False)):
        assert (await look(caller, store, {"sku": item.sku})).json()["approval_needed"] is needed
    assert await books(db, store) == before
    till = await shop.device("till", store.code)
    assert (await take(till, store, body)).status_code == 403
    server = await shop.server({"returns.accept": ["*"], "returns.blind": [store.code]})
    assert (await take(server, other, body)).json()["type"] == "/problems/return-approval-needed"
    assert (await take(server, store, body)).status_code == 201


async def test_no_more_than_the_retailer_has_set(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item(price=10_000)
    manager = await shop.staff("store_manager", store.code)
    await priced(shop, item, (timedelta(days=40), 9_000), (timedelta(days=20), 12_000))
    limited = structs.replace(shop.settings, blind_return_most=20_000, blind_return_days=10)
    app: Litestar = create_app(limited, clock=clock)
    async with AsyncTestClient(app) as http:
        there = Client(http, manager.token)
        before = await books(db, store)
        for answer in (
            await take(there, store, brought({"sku": item.sku, "quantity": 2})),
            await look(there, store, {"sku": item.sku, "quantity": 2}),
        ):
            assert (answer.status_code, answer.json()["type"]) == (409, "/problems/blind-return-too-dear")
            assert (answer.json()["most"], answer.json()["wanted"]) == (rub(20_000), rub(24_000))
        assert await books(db, store) == before
        less = {"sku": item.sku, "quantity": 2, "refund": rub(20_000)}
        assert (await take(there, store, brought(less))).json()["refund_total"] == rub(20_000)
    assert (await take(manager, store, brought({"sku": item.sku}))).json()["refund_total"] == rub(9_000)


async def test_it_is_the_customers_whoever_he_becomes(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item(price=10_000)
    staff, anna, boris = await shop.staff("admin"), await shop.signed_up(), await shop.signed_up()
    body = brought({"sku": item.sku, "note": "Говорит, что от мамы"}, customer=str(anna.actor.subject))
    taken = (await take(staff, store, body)).json()
    number = taken["number"]
    assert (await anna.get(f"/v1/returns/{number}")).json() == taken
    assert [one["number"] for one in (await anna.get("/v1/returns")).json()["items"]] == [number]
    assert (await boris.get(f"/v1/returns/{number}")).status_code == 404
    path = f"/v1/customers/{anna.actor.subject}"
    [entry] = (await staff.get(f"{path}/timeline?kind=return")).json()["items"]
    assert (entry["returned"]["number"], entry["returned"]["order"]) == (number, None)
    exported = (await staff.get(f"{path}/export")).json()["rooms"]["returns"]["returns"]
    assert [(one["number"], one["order"], one["blind_reason"], one["note"]) for one in exported] == [
        (number, None, "lost", "Говорит, что от мамы")
    ]
    ordered = await sell(shop, store, (item, 1), customer=anna.actor.subject)
    line = {"n": 1, "quantity": 1, "ground": "defect", "condition": "sellable"}
    by_order = await give_back(staff, store, {"order": ordered.order, "refund": {"tender": "cash"}, "lines": [line]})
    records = {"to": str(boris.actor.subject), "reason": "merged_in_error"}
    for wrong in (by_order.json()["number"], "R-1", "R-0000-0000-0000"):
        answer = await staff.post(f"{path}/records", records | {"returns": [wrong]})
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-return"), wrong
    moved = await staff.post(f"{path}/records", records | {"returns": [number.lower()]})
    assert (moved.status_code, moved.json()["returns"]) == (200, [number]), moved.text
    assert (await anna.get(f"/v1/returns/{number}")).status_code == 404
    assert (await boris.get(f"/v1/returns/{number}")).json() == taken | {"version": 2}
    erased = await staff.post(f"/v1/customers/{boris.actor.subject}/erase", {"reason": "customer_asked"})
    assert erased.status_code == 200, erased.text
    assert (await staff.get(f"/v1/stores/{store.code}/returns/{number}")).json()["lines"][0]["note"] is None
    gone = await take(staff, store, brought({"sku": item.sku}, customer=str(boris.actor.subject)))
    assert gone.json()["type"] == "/problems/no-such-customer"


async def test_the_same_key_takes_it_once(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item()
    manager, key = await shop.staff("store_manager", store.code), str(uuid7())
    body = brought({"sku": item.sku})
    first, second = await asyncio.gather(*[take(manager, store, body, key=key) for _ in range(2)])
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert await levels(db, store, item) == {"available": 1}
    other = await take(manager, store, body | {"reason": "gift"}, key=key)
    assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-key-reused")
    assert await levels(db, store, item) == {"available": 1}


async def test_its_statements_do_not_grow_with_its_lines(shop: Shop, app: Litestar) -> None:
    from tests.support_statements import count_statements

    store, manager = await shop.store(), await shop.staff("store_manager", "*")
    items = [await shop.item() for _ in range(20)]
    for item in items:
        await shop.stock(store, item, 1)
    spent = []
    for some in (items[:1], items[:1], items):
        body = brought(*[{"sku": item.sku} for item in some])
        async with count_statements(app.state.db) as counted:
            assert (await take(manager, store, body)).status_code == 201
        spent.append(len(counted))
    assert spent[1:] == [9, 9], counted
