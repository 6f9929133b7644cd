"""Sales that have happened at a till."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar
from msgspec import convert, structs

from commerce import customers, orders, parts, payments, prices
from commerce.infra import outbox
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from commerce.prices import tables as price_tables
from tests.orders.story import cash, levels, place, rub, step
from tests.support import Item, Shop, clock
from tests.support_statements import count_statements

pytestmark = pytest.mark.usefixtures("audited")


def sale(*lines: tuple[Item, int, int], **more: Any) -> dict[str, Any]:
    """A sale of (item, quantity, price charged), paid in cash, now."""
    total = sum(quantity * price for _, quantity, price in lines)
    return {
        "id": str(uuid7()), "occurred_at": clock().isoformat(), "tenders": [cash(total)],
        "lines": [{"sku": item.sku, "quantity": quantity, "unit_price": rub(price)} for item, quantity, price in lines],
    } | more  # fmt: skip


async def test_a_sale_is_an_order_that_is_done(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=12_200)
    await shop.stock(store, item, 5)
    till, customer = await shop.device("till", store.code), await shop.shopper(known=True)
    body = sale((item, 2, 12_200), customer=str(customer.actor.subject), device_sequence=17)
    booked = await till.post(f"/v1/stores/{store.code}/sales", body)
    assert booked.status_code == 201, booked.text
    view = booked.json()
    assert (view["id"], view["total"], view["tax_total"], view["already_booked"]) == (
        body["id"], rub(24_400), rub(4_400), False
    )  # fmt: skip
    assert await levels(shop, item, store) == (3, 0)
    order = (await customer.get(f"/v1/orders/{view['order_number']}")).json()
    assert (order["kind"], order["state"], order["sold"], order["channel"]) == (
        "till_sale",
        "completed",
        "on_premises",
        "till",
    )
    assert (order["payment_status"], order["fulfillment_status"]) == ("paid", "fulfilled")
    assert [(w["kind"], w["state"], w["location"]) for w in order["fulfillments"]] == [
        ("carry_out", "collected", store.code)
    ]
    line = order["lines"][0]
    assert (line["bought_at"], line["fulfilled_at"], line["handed_over"], line["adjustments"]) == (
        store.code, store.code, 2, []
    )  # fmt: skip
    assert view["receipt"]["register"].startswith("till-")
    receipt = await shop.db.read(payments.receipt_by_number, view["receipt"]["register"], view["receipt"]["number"])
    assert (receipt.kind, receipt.total.amount, receipt.lines[0].sku) == ("sale", 24_400, item.sku)


async def test_a_barcode_of_a_pack_sells_what_it_holds(shop: Shop) -> None:
    from tests.fulfillment.test_store_steps import barcode

    store, item = await shop.store(), await shop.item(price=100)
    await barcode(shop, item, f"box-{item.sku}", 6)
    await shop.stock(store, item, 20)
    till = await shop.device("till", store.code)
    line = {"barcode": f"box-{item.sku}", "quantity": 2, "unit_price": rub(100)}
    booked = await till.post(f"/v1/stores/{store.code}/sales", sale(lines=[line], tenders=[cash(1_200)]))
    assert booked.status_code == 201, booked.text
    assert await levels(shop, item, store) == (8, 0)


async def test_the_list_price_is_that_of_the_moment_and_a_difference_has_a_name(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=1_000)
    await shop.stock(store, item, 9)

    async def dearer(tx: Tx) -> None:
        tx.queue(
            price_tables.prices, variant_id=item.id, valid_from=tx.at - timedelta(hours=1), amount=1_500, currency="RUB",
            set_by=shop.system.subject,
        )  # fmt: skip

    await shop.db.write(dearer)
    staff = await shop.staff("store_manager", store.code)
    path = f"/v1/stores/{store.code}/sales"
    earlier = (clock() - timedelta(hours=2)).isoformat()
    for body, unit_price, adjustments in (
        (sale((item, 2, 1_500)), 1_500, []),
        (sale((item, 2, 1_400)), 1_500, [("override", -200)]),
        (sale((item, 2, 1_600)), 1_500, [("shelf_price", 200)]),
        (sale((item, 2, 1_000), occurred_at=earlier), 1_000, []),
        (sale((item, 1, 900), occurred_at=earlier), 1_000, [("offline_price", -100)]),
    ):
        booked = await staff.post(path, body)
        assert booked.status_code == 201, booked.text
        assert booked.json()["receipt"]["register"] == f"counter-{store.code}"
        line = (await staff.get(f"/v1/orders/{booked.json()['order_number']}")).json()["lines"][0]
        assert line["unit_price"] == rub(unit_price)
        assert [(a["kind"], a["amount"]["amount"]) for a in line["adjustments"]] == adjustments


async def test_the_same_id_again_books_nothing(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 5)
    till, staff = await shop.device("till", store.code), await shop.staff("associate", store.code)
    path, body = f"/v1/stores/{store.code}/sales", sale((item, 1, 100))
    first = (await till.post(path, body)).json()
    for client in (till, staff):
        again = await client.post(path, body)
        assert again.status_code == 201
        assert again.json() == first | {"already_booked": True}
    assert await levels(shop, item, store) == (4, 0)
    elsewhere = await shop.store()
    stranger = await shop.staff("associate", elsewhere.code)
    taken = await stranger.post(f"/v1/stores/{elsewhere.code}/sales", body)
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/sale-elsewhere")


async def test_an_id_that_comes_with_another_sale_is_refused(shop: Shop) -> None:
    store, item, dear = await shop.store(), await shop.item(price=100), await shop.item(price=5_000)
    customer = await shop.shopper(known=True)
    till = await shop.device("till", store.code)
    path, body = f"/v1/stores/{store.code}/sales", sale((item, 2, 100))
    first = (await till.post(path, body)).json()
    moment = body["occurred_at"]
    line = body["lines"][0]
    for other, differs in (
        (sale((dear, 3, 5_000), occurred_at=moment), ["lines", "tenders"]),
        (body | {"lines": [line | {"quantity": 1}], "tenders": [cash(100)]}, ["lines", "tenders"]),
        (body | {"lines": [line | {"unit_price": rub(101)}]}, ["lines"]),
        (body | {"lines": [line, line]}, ["lines"]),
        (body | {"tenders": [{"kind": "card_terminal", "amount": rub(200)}]}, ["tenders"]),
        (body | {"occurred_at": (clock() - timedelta(days=1)).isoformat()}, ["occurred_at"]),
        (body | {"occurred_at": (clock() - timedelta(days=91)).isoformat()}, ["occurred_at"]),
        (body | {"customer": str(customer.actor.subject)}, ["customer"]),
        (body | {"customer": str(uuid7())}, ["customer"]),
    ):
        refused = await till.post(path, other | {"id": body["id"]})
        assert (refused.status_code, refused.json()["type"]) == (409, "/problems/sale-id-reused"), refused.text
        assert (refused.json()["sale"], refused.json()["order"], refused.json()["differs"]) == (
            body["id"], first["order_number"], differs
        )  # fmt: skip
    assert (await till.post(path, body)).json() == first | {"already_booked": True}


async def test_a_sale_sent_again_is_answered_whatever_became_of_it(shop: Shop, app: Litestar) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    customer = await shop.shopper(known=True)
    person = customer.actor.subject
    till = await shop.device("till", store.code)
    path, body = f"/v1/stores/{store.code}/sales", sale((item, 1, 100), customer=str(person))
    first = (await till.post(path, body)).json()

    async def forget(tx: Tx) -> None:
        await customers.erase_person(tx, shop.system, ids=[person])
        await orders.erase_person(tx, shop.system, ids=[person])

    await shop.db.write(forget)
    assert (await till.post(path, body)).json() == first | {"already_booked": True}
    clock.travel(timedelta(days=91))
    again = await till.post(path, body)
    assert (again.status_code, again.json()) == (201, first | {"already_booked": True})
    unknown = await till.post(path, body | {"id": str(uuid7())})
    assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/bad-moment")


async def test_a_till_whose_clock_is_ahead_sells_now(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=1_000)
    till = await shop.device("till", store.code)
    clock.stand_at(now := clock().replace(microsecond=0))
    rising = [prices.NewPrice(variant_id=item.id, amount=2_000, valid_from=now + timedelta(minutes=2))]
    await shop.db.write(prices.set_prices, shop.system, prices=rising, currency="RUB")
    path, body = f"/v1/stores/{store.code}/sales", sale((item, 1, 1_000))
    body["occurred_at"] = (now + timedelta(minutes=4)).isoformat()
    booked = await till.post(path, body)
    assert booked.status_code == 201, booked.text
    assert datetime.fromisoformat(booked.json()["occurred_at"]) == now
    line = (await (await shop.staff("associate", store.code)).get(f"/v1/orders/{booked.json()['order_number']}")).json()
    assert (line["lines"][0]["unit_price"], line["lines"][0]["adjustments"]) == (rub(1_000), [])
    assert (await till.post(path, body)).json() == booked.json() | {"already_booked": True}


async def test_money_of_a_sale_made_offline_is_dated_like_the_sale(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=1_000)
    till, staff = await shop.device("till", store.code), await shop.staff("associate", store.code)
    happened = (clock() - timedelta(days=3)).replace(microsecond=0)
    body = sale((item, 1, 1_000), occurred_at=happened.isoformat())
    booked = (await till.post(f"/v1/stores/{store.code}/sales", body)).json()
    order = (await staff.get(f"/v1/orders/{booked['order_number']}")).json()
    moments = (order["placed_at"], order["payments"][0]["taken_at"], order["receipts"][0]["occurred_at"])
    assert {datetime.fromisoformat(moment) for moment in moments} == {happened}


async def test_packs_beyond_what_the_books_count_with(shop: Shop) -> None:
    from tests.fulfillment.test_store_steps import barcode

    store, item, other = await shop.store(), await shop.item(price=1), await shop.item(price=1)
    await barcode(shop, item, f"pallet-{item.sku}", 1_000_000)
    till = await shop.device("till", store.code)
    path = f"/v1/stores/{store.code}/sales"

    def pallets(*counts: int) -> dict[str, Any]:
        lines = [{"barcode": f"pallet-{item.sku}", "quantity": count, "unit_price": rub(1)} for count in counts]
        single = {"sku": other.sku, "quantity": 1, "unit_price": rub(1)}
        return sale(lines=[single, *lines], tenders=[cash(1 + 1_000_000 * sum(counts))])

    for counts in ((3_000,), (1_000_000,), (600, 401)):
        refused = await till.post(path, pallets(*counts))
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/too-many-units"), refused.text
        assert refused.json()["most"] == 1_000_000_000
        assert refused.json()["lines"] == [
            {
                "index": index, "sku": item.sku, "barcode": f"pallet-{item.sku}", "quantity": count * 1_000_000,
                "in_sale": sum(counts) * 1_000_000,
            }
            for index, count in enumerate(counts, start=1)
        ]  # fmt: skip
    assert (await till.post(path, pallets(600, 400))).status_code == 201


async def test_a_till_sells_for_one_store_only(shop: Shop) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item(price=100)
    till = await shop.device("till", store.code)
    booked = await till.post(f"/v1/stores/{store.code}/sales", sale((item, 1, 100)))
    register = booked.json()["receipt"]["register"]
    moved = structs.replace(till.actor, location=other.code, permissions={"sales.book": (other.code,)})
    command = convert(sale((item, 1, 100)), orders.BookSale)
    with pytest.raises(payments.RegisterElsewhere) as refused:
        await shop.db.write(orders.book, moved, code=other.code, command=command)
    assert refused.value.members == {"register": register, "store": other.code}


async def test_a_price_charged_by_hand_has_its_actor_and_its_record(shop: Shop) -> None:
    store, item, other = await shop.store(), await shop.item(price=1_000), await shop.item(price=300)
    staff = await shop.staff("store_manager", store.code)
    body = sale((item, 2, 400), (other, 1, 350))
    booked = (await staff.post(f"/v1/stores/{store.code}/sales", body)).json()

    async def found(tx: Tx) -> tuple[list[tuple[object, ...]], dict[str, Any]]:
        rows = await tx.rows(
            "SELECT a.kind, a.amount, a.reason, a.actor_id FROM orders.adjustments a JOIN orders.orders o ON o.id = a.order_id"
            " WHERE o.number = :number ORDER BY a.amount",
            number=booked["order_number"],
        )
        record = await tx.one(
            "SELECT r.after, r.subject_kind, r.subject FROM infra.audit_records r JOIN orders.orders o ON o.id::text = r.target_id"
            " WHERE o.number = :number AND r.action = 'sale.book'",
            number=booked["order_number"],
        )
        return [tuple(row) for row in rows], dict(record)

    rows, record = await shop.db.read(found)
    assert rows == [
        ("override", -1_200, "charged 400 per unit", staff.actor.subject),
        ("shelf_price", 50, "charged 350 per unit", staff.actor.subject),
    ]
    assert record["after"] == {"sale": body["id"], "total": 1_150, "adjustment_total": -1_150}
    assert (record["subject_kind"], record["subject"]) == ("staff", staff.actor.subject)


async def test_what_is_promised_can_be_sold_and_the_pickup_is_at_risk(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 1)
    customer = await shop.shopper("app")
    order = await place(customer, store, (item, 1))
    assert await levels(shop, item, store) == (0, 1)
    till, staff = await shop.device("till", store.code), await shop.staff("associate", store.code)
    booked = await till.post(f"/v1/stores/{store.code}/sales", sale((item, 1, 100)))
    assert booked.status_code == 201
    assert await levels(shop, item, store) == (0, 0)
    await outbox.drain(shop.db, parts.subscribers())
    seen = (await customer.get(f"/v1/orders/{order['number']}")).json()
    assert (seen["state"], seen["fulfillments"][0]["at_risk"]) == ("placed", True)
    entries = (await customer.get(f"/v1/orders/{order['number']}/timeline")).json()["entries"]
    assert [(entry["what"], entry["who"]) for entry in entries][-1] == ("at_risk", "system")
    queue = (await staff.get(f"/v1/stores/{store.code}/fulfillments")).json()["items"]
    assert [(entry["number"], entry["at_risk"]) for entry in queue] == [(seen["fulfillments"][0]["number"], True)]
    number = seen["fulfillments"][0]["number"]
    gone = await step(staff, store, number, "cancel", {"reason": "out_of_stock", "note": "Sold at the till"})
    assert (gone.status_code, gone.json()["state"]) == (200, "cancelled")
    entries = {}
    for reader in (customer, staff):
        found = (await reader.get(f"/v1/orders/{order['number']}/timeline")).json()["entries"]
        entries[reader] = next(
            entry["data"] for entry in found if entry["what"] == "cancelled" and entry["fulfillment"]
        )
    assert entries[customer]["reason"] == entries[staff]["reason"] == "out_of_stock"
    assert ("note" in entries[customer], entries[staff]["note"]) == (False, "Sold at the till")
    final = (await customer.get(f"/v1/orders/{order['number']}")).json()
    assert (final["state"], final["cancel_reason"]) == ("cancelled", "out_of_stock")


async def test_goods_that_the_books_do_not_know_are_sold_too(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100, stop_sale_reason="Recalled")
    till, staff = await shop.device("till", store.code), await shop.staff("associate", store.code)
    booked = await till.post(f"/v1/stores/{store.code}/sales", sale((item, 2, 100)))
    assert booked.status_code == 201, booked.text
    assert await levels(shop, item, store) == (0, 0)
    entries = (await staff.get(f"/v1/orders/{booked.json()['order_number']}/timeline")).json()["entries"]
    noted = next(entry for entry in entries if entry["what"] == "sold")
    assert noted["data"]["stop_sale"] == [item.sku]


async def test_refusals_name_what_to_correct(shop: Shop) -> None:
    store, item, unpriced = await shop.store(), await shop.item(price=100), await shop.item(price=None)
    till = await shop.device("till", store.code)
    path, good = f"/v1/stores/{store.code}/sales", sale((item, 1, 100))
    lines = [
        good["lines"][0],
        {"sku": "NO-SUCH", "quantity": 1, "unit_price": rub(100)},
        {"barcode": "NO-SUCH", "quantity": 1, "unit_price": rub(100)},
        {"quantity": 1, "unit_price": rub(100)},
        {"sku": item.sku, "barcode": "x", "quantity": 1, "unit_price": rub(100)},
        {"sku": unpriced.sku, "quantity": 1, "unit_price": rub(100)},
        {"sku": item.sku, "quantity": 1, "unit_price": {"amount": 100, "currency": "USD"}},
    ]
    unknown = await till.post(path, good | {"lines": lines})
    assert (unknown.status_code, unknown.json()["type"]) == (422, "/problems/unknown-articles")
    assert [(line["index"], line["reason"]) for line in unknown.json()["lines"]] == [
        (1, "unknown"), (2, "unknown"), (3, "sku_or_barcode"), (4, "sku_or_barcode"), (5, "no_price"), (6, "currency")
    ]  # fmt: skip
    for change, status, kind in (
        ({"tenders": [cash(99)]}, 422, "wrong-tender"),
        ({"occurred_at": (clock() + timedelta(minutes=6)).isoformat()}, 422, "bad-moment"),
        ({"occurred_at": (clock() - timedelta(days=91)).isoformat()}, 422, "bad-moment"),
        ({"customer": str(uuid7())}, 422, "no-such-customer"),
        ({"occurred_at": "2026-01-01T10:00:00"}, 400, "bad-input"),
        ({"lines": []}, 400, "bad-input"),
        ({"id": "17"}, 400, "bad-input"),
        ({"lines": [good["lines"][0] | {"quantity": 10**6, "unit_price": rub(10**15)}]}, 422, "amount-too-large"),
    ):
        answer = await till.post(path, good | change)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}"), answer.text
    elsewhere = await shop.store()
    assert (await till.post(f"/v1/stores/{elsewhere.code}/sales", good)).status_code == 403
    assert (await (await shop.shopper()).post(path, good)).status_code == 403
    ahead = good | {"occurred_at": (clock() + timedelta(minutes=4)).isoformat()}
    assert (await till.post(path, ahead)).status_code == 201


async def test_a_replayed_invoice_names_its_prices_itself(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    command = orders.BookSale(
        id=uuid7(), occurred_at=clock(), tenders=[orders.TenderIn(kind="cash", amount=orders.Amount(amount=80, currency="RUB"))],
        lines=[orders.SaleLineIn(sku=item.sku, quantity=1, unit_price=orders.Amount(amount=80, currency="RUB"))],
    )  # fmt: skip
    await shop.db.write(orders.book, shop.system, code=store.code, command=command, charged_as="invoice_price")

    async def kinds(tx: Tx) -> list[str]:
        rows = await tx.rows(
            "SELECT a.kind FROM orders.adjustments a JOIN orders.orders o ON o.id = a.order_id WHERE o.client_sale_id = :id",
            id=command.id,
        )
        return [row.kind for row in rows]

    assert await shop.db.read(kinds) == ["invoice_price"]


@pytest.mark.parametrize("count", [1, 20])
async def test_nine_statements_whatever_the_number_of_lines(shop: Shop, app: Litestar, count: int) -> None:
    db: Database = app.state.db
    store, items = await shop.store(), [await shop.item(price=100) for _ in range(count)]
    for item in items:
        await shop.stock(store, item, 5)
    till = await shop.device("till", store.code)
    for _ in range(2):
        body = sale(*((item, 1, 100) for item in items))
        async with count_statements(db) as counted:
            assert (await till.post(f"/v1/stores/{store.code}/sales", body)).status_code == 201
    assert len(counted) == 9


async def test_what_another_system_calls_a_sale_is_unique_in_that_system(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 9)
    till, customer = await shop.device("till", store.code), await shop.shopper(known=True)
    path, names = f"/v1/stores/{store.code}/sales", {"other-till": f"R-{uuid7()}", "erp": f"E-{uuid7()}"}
    body = sale((item, 1, 100), customer=str(customer.actor.subject), external_ids=names)
    first = await till.post(path, body)
    assert first.status_code == 201, first.text
    assert (await customer.get(f"/v1/orders/{first.json()['order_number']}")).json()["external_ids"] == names

    again = await till.post(path, body)
    assert (again.status_code, again.json()["already_booked"]) == (201, True)

    taken = await till.post(path, sale((item, 1, 100), external_ids={"erp": names["erp"]}))
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/external-id-taken")
    assert taken.json()["external_ids"] == {"erp": names["erp"]}
    assert await levels(shop, item, store) == (8, 0)

    other = await till.post(path, sale((item, 1, 100), external_ids={"accounting": names["erp"]}))
    assert other.status_code == 201, "the same value in another system is another thing"


async def test_a_basket_becomes_the_sale_and_counts_for_whoever_is_named_on_it(shop: Shop, audited: None) -> None:
    store, item = await shop.store(), await shop.item(price=1_000)
    await shop.stock(store, item, 9)
    till, other, anna = (
        await shop.device("till", store.code),
        await shop.device("till", store.code),
        await shop.signed_up(),
    )
    basket = (await till.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": 2})).json()
    named = await till.put("/v1/carts/current/customer", {"token": anna.token})
    assert named.status_code == 200, named.text
    body = sale((item, 2, 1_000), cart=basket["id"])
    foreign = await other.post(f"/v1/stores/{store.code}/sales", sale((item, 1, 1_000), cart=basket["id"]))
    assert foreign.status_code == 201, "goods that are gone are booked, whatever basket is named"
    assert (await till.get("/v1/carts/current")).json()["id"] == basket["id"]
    booked = await till.post(f"/v1/stores/{store.code}/sales", body)
    assert booked.status_code == 201, booked.text
    again = await till.post(f"/v1/stores/{store.code}/sales", body)
    assert (again.status_code, again.json()["already_booked"]) == (201, True)
    assert (await till.get(f"/v1/carts/{basket['id']}")).json()["state"] == "ordered"
    assert (await till.get("/v1/carts/current")).json()["id"] is None
    mine = (await anna.get("/v1/orders")).json()["items"]
    assert [one["number"] for one in mine] == [booked.json()["order_number"]]
