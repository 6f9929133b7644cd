"""Receipts: numbered without gaps, dated by the store, never changed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from commerce import locations, payments
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from commerce.payments import Tender
from tests.payments.test_payments import line, money_of, paid
from tests.support import Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


async def test_a_refused_sale_leaves_no_gap(shop: Shop, db: Database) -> None:
    store = await shop.store()
    first = await paid(shop, store, Tender(kind="cash", amount=100))

    async def refused(tx: Tx) -> None:
        location = await locations.one(tx, store.code)
        ref = await payments.receipt(
            tx, shop.system, register=payments.counter(location), kind="sale", order_id=uuid7(), location=location,
            total=100, currency="RUB", lines=[line(100)], tenders=[Tender(kind="cash", amount=100)],
        )  # fmt: skip
        assert ref == payments.ReceiptRef(register=f"counter-{store.code}", number=2)
        raise payments.UnknownReceipt

    with pytest.raises(payments.UnknownReceipt):
        await db.write(refused)
    second = await paid(shop, store, Tender(kind="cash", amount=200))
    assert [(await money_of(db, order)).receipts[0].number for order in (first, second)] == [1, 2]


async def test_a_register_belongs_to_one_store(shop: Shop, db: Database) -> None:
    here, there = await shop.store(), await shop.store()
    await paid(shop, here, Tender(kind="cash", amount=100))

    async def work(tx: Tx) -> None:
        location = await locations.one(tx, there.code)
        await payments.receipt(
            tx, shop.system, register=f"counter-{here.code}", kind="sale", order_id=uuid7(), location=location, total=100,
            currency="RUB", lines=[line(100)], tenders=[Tender(kind="cash", amount=100)],
        )  # fmt: skip

    with pytest.raises(payments.RegisterElsewhere) as refused:
        await db.write(work)
    assert refused.value.members == {"register": f"counter-{here.code}", "store": there.code}
    assert (await money_of(db, await paid(shop, here, Tender(kind="cash", amount=1)))).receipts[0].number == 2


async def test_numbers_of_sales_at_once_have_no_gap(shop: Shop, db: Database) -> None:
    store = await shop.store()
    orders = await asyncio.gather(*(paid(shop, store, Tender(kind="cash", amount=100 + n)) for n in range(12)))
    numbers = [(await money_of(db, order)).receipts[0].number for order in orders]
    assert sorted(numbers) == list(range(1, 13))


async def test_a_receipt_that_does_not_add_up_is_never_written(shop: Shop, db: Database) -> None:
    store = await shop.store()
    order = uuid7()

    async def work(tx: Tx) -> None:
        location = await locations.one(tx, store.code)
        await payments.take(
            tx, shop.system, order_id=order, tenders=[Tender(kind="cash", amount=99)], currency="RUB", location=location
        )
        await payments.receipt(
            tx, shop.system, register=payments.counter(location), kind="sale", order_id=order, location=location,
            total=100, currency="RUB", lines=[line(100)], tenders=[Tender(kind="cash", amount=99)],
        )  # fmt: skip

    with pytest.raises(ValueError, match="add up to its total"):
        await db.write(work)
    assert await money_of(db, order) == payments.OrderMoney(payments=[], refunds=[], receipts=[])


async def test_the_business_date_is_the_stores(shop: Shop, db: Database) -> None:
    clock.stand_at(datetime(2026, 3, 4, 20, 30, tzinfo=UTC))
    vladivostok = await shop.store(time_zone="Asia/Vladivostok")
    kaliningrad = await shop.store(time_zone="Europe/Kaliningrad")
    for store, day in ((vladivostok, "2026-03-05"), (kaliningrad, "2026-03-04")):
        await paid(shop, store, Tender(kind="cash", amount=100))
        receipt = await db.read(payments.receipt_by_number, f"counter-{store.code}", 1)
        assert receipt.business_date.isoformat() == day


async def test_staff_of_the_store_read_its_receipts(shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    order = await paid(shop, store, Tender(kind="card_terminal", amount=122_00, reference="RRN 1"))
    associate = await shop.staff("associate", store.code)
    address = f"/v1/stores/{store.code}/receipts/counter-{store.code}/1"
    answer = await associate.get(address)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body.pop("occurred_at").endswith("Z")
    assert body.pop("business_date") == (await shop.db.read(payments.receipt_by_number, f"counter-{store.code}", 1)).business_date.isoformat()  # fmt: skip
    assert body == {
        "register": f"counter-{store.code}", "number": 1, "kind": "sale", "order_id": str(order), "return_id": None,
        "legal_entity": "own", "total": {"amount": 12200, "currency": "RUB"}, "fiscal": None,
        "lines": [
            {
                "sku": "SKU-1", "title": {"en": "Thing", "ru": "Вещь"}, "quantity": 1, "quantity_unit": None, "quantity_scale": 0,
                "unit_price": {"amount": 12200, "currency": "RUB"}, "total": {"amount": 12200, "currency": "RUB"},
                "net": {"amount": 10000, "currency": "RUB"}, "tax": {"amount": 2200, "currency": "RUB"}, "tax_basis_points": 2200,
            }
        ],
        "tenders": [{"kind": "card_terminal", "amount": {"amount": 12200, "currency": "RUB"}, "reference": "RRN 1"}],
    }  # fmt: skip

    elsewhere = await shop.staff("associate", other.code)
    assert (await elsewhere.get(address)).json()["type"] == "/problems/not-allowed"
    answer = await elsewhere.get(f"/v1/stores/{other.code}/receipts/counter-{store.code}/1")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-receipt")
    for missing in (
        f"/v1/stores/{store.code}/receipts/counter-{store.code}/2",
        f"/v1/stores/{store.code}/receipts/nothing/1",
    ):
        assert (await associate.get(missing)).json()["type"] == "/problems/unknown-receipt"
    for malformed in ("0", "9007199254740993"):
        answer = await associate.get(f"/v1/stores/{store.code}/receipts/counter-{store.code}/{malformed}")
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-input")
    assert (await (await shop.shopper()).get(address)).status_code == 403
    assert (await shop.anybody().get(address)).status_code == 401
