"""Deliveries at the store: in parts, over, short, damaged, not announced; who was promised what, and in which order."""

from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar
from litestar.di import Provide

from commerce import stock
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from tests.supply.story import (
    BACK,
    announced,
    body,
    came,
    counts,
    events_of,
    in_days,
    level,
    line_ids,
    movements,
    plans,
    problem,
    promised,
    receive,
    standing,
    supplier,
)
from tests.support import Shop
from tests.support_statements import count_statements

pytestmark = pytest.mark.usefixtures("audited")


async def test_a_delivery_comes_in_two_parts(db: Database, shop: Shop) -> None:
    store, shirt, shoe = await shop.store(), await shop.item(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    made = await announced(office, store, (shirt, 10, 400), (shoe, 4, None), note="two pallets")
    assert (made["state"], made["version"], made["note"], made["overdue"]) == ("announced", 1, "two pallets", False)
    number = made["number"]
    first = await receive(staff, store, number, came(shirt, 6), key="pallet-one")
    again = await receive(staff, store, number, came(shirt, 6), key="pallet-one")
    assert first.status_code == again.status_code == 201, first.text
    assert first.json() == again.json()
    assert first.headers["etag"] == '"2"'
    shown = first.json()
    assert (shown["state"], shown["version"]) == ("partially_received", 2)
    assert counts(shown) == [(10, 6, 0, 0, 0, 0, 4), (4, 0, 0, 0, 0, 0, 4)]
    assert await level(db, store, shirt) == (6, 0, 0, 0)
    assert await plans(db, shop, number) == [(10, 6, 0, 0, in_days(3)), (4, 0, 0, 0, in_days(3))]
    assert await movements(db, shown["receipt_id"]) == [(shirt.id, 6, "supplier", "available", 400)]
    last = await receive(staff, store, number, came(shoe, 4, unit_cost=900), came(shirt, 4))
    shown = last.json()
    assert (shown["state"], shown["version"], shown["closed_at"] is not None) == ("received", 3, True)
    assert counts(shown) == [(10, 10, 0, 0, 0, 0, 0), (4, 4, 0, 0, 0, 0, 0)]
    assert [line["received_unit_cost"] for line in shown["lines"]] == [None, 900]
    assert sorted(await movements(db, shown["receipt_id"])) == sorted(
        [(shirt.id, 4, "supplier", "available", 400), (shoe.id, 4, "supplier", "available", 900)]
    )
    assert await events_of(db, number) == [
        (1, "supply.announced"), (2, "supply.received"), (3, "supply.received"), (3, "supply.closed"),
    ]  # fmt: skip
    assert problem(await receive(staff, store, number, came(shirt, 1))) == (409, "supply-over")
    assert await level(db, store, shirt) == (10, 0, 0, 0)
    detail = (await staff.get(f"/v1/stores/{store.code}/expected-receipts/{number}")).json()
    assert [(step["version"], step["what"]) for step in detail["steps"]] == [
        (1, "announced"), (2, "received"), (3, "received"),
    ]  # fmt: skip
    assert detail["steps"][1]["actor"]["subject"] == str(staff.actor.subject)


async def test_discrepancies_need_their_reasons(db: Database, shop: Shop) -> None:
    store, cup, plate, bowl = await shop.store(), await shop.item(), await shop.item(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    number = (await announced(office, store, (cup, 10, 100), (plate, 5, 200)))["number"]
    over = await receive(staff, store, number, came(cup, 9, damaged=2), came(plate, 6))
    assert problem(over) == (422, "more-than-announced")
    assert over.json()["lines"] == [
        {"sku": cup.sku, "open": 10, "arrived": 11}, {"sku": plate.sku, "open": 5, "arrived": 6},
    ]  # fmt: skip
    assert f"{cup.sku}: 11 came, 10 expected." in over.json()["detail"]
    foreign = await receive(staff, store, number, came(cup, 1), came(bowl, 2))
    assert (problem(foreign), foreign.json()["lines"]) == (
        (422, "not-announced"), [{"sku": bowl.sku, "quantity": 2}],
    )  # fmt: skip
    unexplained = await receive(staff, store, number, came(cup, 1, damaged=3), came(bowl, 2, unannounced=True))
    assert (problem(unexplained), unexplained.json()["lines"]) == (
        (422, "discrepancy-reason-needed"), [{"sku": cup.sku, "quantity": 3}, {"sku": bowl.sku, "quantity": 2}],
    )  # fmt: skip
    assert await level(db, store, cup) == (0, 0, 0, 0)
    done = await receive(
        staff, store, number, came(cup, 9, damaged=2, reason="fell off the lorry"),
        came(plate, 6, reason="one for free", bucket="quality_control"),
        came(bowl, 2, unannounced=True, reason="somebody else's", unit_cost=70),
    )  # fmt: skip
    assert done.status_code == 201, done.text
    shown = done.json()
    assert counts(shown) == [(10, 10, 0, 2, 1, 0, 0), (5, 5, 6, 0, 1, 0, 0), (0, 0, 0, 0, 2, 0, 0)]
    assert [(line["n"], line["unannounced"], line["reason"]) for line in shown["lines"]] == [
        (1, False, "fell off the lorry"), (2, False, "one for free"), (3, True, "somebody else's"),
    ]  # fmt: skip
    assert shown["state"] == "received"
    assert [await level(db, store, item) for item in (cup, plate, bowl)] == [(9, 0, 0, 2), (0, 0, 6, 0), (2, 0, 0, 0)]
    assert await plans(db, shop, number) == [(10, 10, 0, 0, in_days(3)), (5, 5, 0, 0, in_days(3))]
    assert sum(quantity for _, quantity, *_ in await movements(db, shown["receipt_id"])) == 19


async def test_what_is_to_be_inspected_goes_to_quality_control(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    number = (await announced(office, store, (item, 10, 100), inspect=True))["number"]
    shown = (await receive(staff, store, number, came(item, 6), came(item, 4, bucket="available"))).json()
    assert counts(shown) == [(10, 10, 6, 0, 0, 0, 0)]
    assert await level(db, store, item) == (4, 0, 6, 0)


async def test_a_case_is_scanned_and_counts_its_content(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    code = f"CASE{uuid7().hex[-12:]}".upper()

    async def label(tx: Tx) -> None:
        await tx.execute(
            "INSERT INTO catalog.barcodes (code, kind, variant_id, quantity) VALUES (:code, 'internal', :variant, 12)",
            code=code, variant=item.id,
        )  # fmt: skip

    await db.write(label)
    number = (await announced(office, store, (item, 30, 100)))["number"]
    shown = (await receive(staff, store, number, {"barcode": code, "quantity": 2}, came(item, 3))).json()
    assert counts(shown) == [(30, 27, 0, 0, 0, 0, 3)]
    assert await level(db, store, item) == (27, 0, 0, 0)


async def test_codes_of_units_are_kept(db: Database, shop: Shop) -> None:
    store, phone, cup = await shop.store(), await shop.item(tracking="serial"), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    number = (await announced(office, store, (phone, 2, 100), (phone, 2, 120), (cup, 1, None)))["number"]
    a, b, c = (f"SN{uuid7().hex[-10:]}" for _ in range(3))
    for line, refusal in (
        (came(phone, 1, codes=[a, b]), (422, "too-many-unit-codes")),
        (came(phone, 2, codes=[a, a]), (422, "unit-code-repeated")),
        (came(cup, 1, codes=[a]), (422, "unit-codes-not-kept")),
        (came(phone, 0, damaged=1, codes=[a], reason="?"), (422, "bad-supply")),
    ):
        assert problem(await receive(staff, store, number, line)) == refusal
    line = came(phone, 3, damaged=1, codes=[a, b], damaged_codes=[c], reason="cracked")
    answer = await receive(staff, store, number, line)
    assert answer.status_code == 201, answer.text
    assert counts(answer.json())[:2] == [(2, 2, 0, 0, 0, 0, 0), (2, 2, 0, 1, 0, 0, 0)]

    async def read(tx: Tx) -> list[tuple[str, str]]:
        rows = await tx.rows("SELECT code, place FROM stock.units WHERE variant_id = :variant", variant=phone.id)
        return sorted((row.code, row.place) for row in rows)

    assert await db.read(read) == sorted([(a, "available"), (b, "available"), (c, "damaged")])


async def test_lines_of_one_variant_are_filled_in_their_order(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    number = (await announced(office, store, (item, 4, 100), (item, 6, 150)))["number"]
    address = f"/v1/stores/{store.code}/expected-receipts/{number}/receive"
    stale = await staff.post(address, {"lines": [came(item, 1)]}, headers={"If-Match": '"3"'})
    assert (problem(stale), stale.json()["version"]) == ((412, "supply-changed"), 1)
    shown = (await receive(staff, store, number, came(item, 5, damaged=1, reason="torn"))).json()
    assert counts(shown) == [(4, 4, 0, 0, 0, 0, 0), (6, 2, 0, 1, 0, 0, 4)]
    assert sorted(await movements(db, shown["receipt_id"]), key=str) == sorted(
        [
            (item.id, 4, "supplier", "available", 100),
            (item.id, 1, "supplier", "available", 150),
            (item.id, 1, "supplier", "damaged", 150),
        ],
        key=str,
    )


async def test_promises_are_served_on_arrival_the_oldest_first(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    number = (await announced(office, store, (item, 10, 100)))["number"]
    [line] = await line_ids(db, number)
    anna = await promised(shop, store, item, 4, line)
    boris = await promised(shop, store, item, 5, line)
    with pytest.raises(stock.InsufficientStock):
        await promised(shop, store, item, 2, line)
    assert await plans(db, shop, number) == [(10, 0, 0, 9, in_days(3))]
    await receive(staff, store, number, came(item, 6))
    assert await standing(db, anna) == [("committed", "committed", 4, 0)]
    assert await standing(db, boris) == [("committed", "committed", 2, 0), ("promised", "committed", 3, 0)]
    assert await level(db, store, item) == (0, 6, 0, 0)
    assert await plans(db, shop, number) == [(10, 6, 0, 3, in_days(3))]
    shown = (await receive(staff, store, number, came(item, 5, reason="one too many"))).json()
    assert (shown["state"], counts(shown)) == ("received", [(10, 10, 0, 0, 1, 0, 0)])
    assert await level(db, store, item) == (2, 9, 0, 0)
    assert [open_ for _, _, open_, _ in await standing(db, boris)] in ([2, 3], [5])


async def test_what_comes_damaged_breaks_the_newest_promise(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    number = (await announced(office, store, (item, 5, 100)))["number"]
    [line] = await line_ids(db, number)
    anna, boris = await promised(shop, store, item, 3, line), await promised(shop, store, item, 2, line)
    shown = (await receive(staff, store, number, came(item, 3, damaged=2, reason="wet"))).json()
    assert counts(shown) == [(5, 5, 0, 2, 0, 0, 0)]
    assert await standing(db, anna) == [("committed", "committed", 3, 0)]
    assert [(lost, open_) for _, _, open_, lost in await standing(db, boris)] == [(2, 0)]
    assert await level(db, store, item) == (0, 3, 0, 2)
    assert await broken(db, boris) == 1


async def test_closing_names_each_line_that_is_short(db: Database, shop: Shop) -> None:
    store, cup, plate = await shop.store(), await shop.item(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    number = (await announced(office, store, (cup, 10, 100), (plate, 5, 200)))["number"]
    [first, _] = await line_ids(db, number)
    anna, boris = await promised(shop, store, cup, 6, first), await promised(shop, store, cup, 4, first)
    address = f"/v1/stores/{store.code}/expected-receipts/{number}/close"
    nothing = await staff.post(address, {"short": [{"sku": cup.sku, "reason": "not on the lorry"}]})
    assert (problem(nothing), nothing.json()["lines"]) == (
        (422, "discrepancy-reason-needed"), [{"sku": plate.sku, "quantity": 5}],
    )  # fmt: skip
    early = await receive(staff, store, number, came(cup, 8), close=True)
    assert (problem(early), early.json()["lines"]) == (
        (422, "discrepancy-reason-needed"), [{"sku": cup.sku, "quantity": 2}, {"sku": plate.sku, "quantity": 5}],
    )  # fmt: skip
    done = await receive(
        staff,
        store,
        number,
        came(cup, 8),
        close=True,
        reason="backordered",
        short=[{"sku": plate.sku, "reason": "recall"}],
    )
    shown = done.json()
    assert (done.status_code, shown["state"], shown["version"]) == (201, "received", 2)
    assert counts(shown) == [(10, 8, 0, 0, 0, 2, 0), (5, 0, 0, 0, 0, 5, 0)]
    assert [(line["short"], line["reason"]) for line in shown["lines"]] == [(2, "backordered"), (5, "recall")]
    assert await plans(db, shop, number) == [(10, 8, 2, 0, in_days(3)), (5, 0, 5, 0, in_days(3))]
    assert await standing(db, anna) == [("committed", "committed", 6, 0)]
    assert sum(open_ for _, _, open_, _ in await standing(db, boris)) == 2
    assert sum(lost for _, _, _, lost in await standing(db, boris)) == 2
    assert await broken(db, boris) == 1
    assert await level(db, store, cup) == (0, 8, 0, 0)
    assert await events_of(db, number) == [(1, "supply.announced"), (2, "supply.received"), (2, "supply.closed")]
    assert problem(await staff.post(address, {"reason": "again"})) == (409, "supply-over")


async def test_closing_without_a_receipt_cancels_it(db: Database, shop: Shop) -> None:
    store, cup = await shop.store(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    number = (await announced(office, store, (cup, 10, 100)))["number"]
    address = f"/v1/stores/{store.code}/expected-receipts/{number}/close"
    stale = await staff.post(address, {"reason": "no lorry"}, headers={"If-Match": '"7"'})
    assert (problem(stale), stale.json()["version"]) == ((412, "supply-changed"), 1)
    foreign = await staff.post(address, {"short": [{"sku": "NO-SUCH", "reason": "?"}]})
    assert problem(foreign) == (422, "not-announced")
    shown = (await staff.post(address, {"reason": "no lorry"}, headers={"If-Match": '"1"'})).json()
    assert (shown["state"], shown["version"], counts(shown)) == ("cancelled", 2, [(10, 0, 0, 0, 0, 10, 0)])
    assert await events_of(db, number) == [(1, "supply.announced"), (2, "supply.cancelled")]


async def test_a_receipt_without_announcement_stays(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    number = (await announced(office, store, (item, 3, 100)))["number"]
    answer = await staff.post(f"/v1/stores/{store.code}/receipts", {"lines": [{"sku": item.sku, "quantity": 2}]})
    assert answer.status_code == 201, answer.text
    assert await level(db, store, item) == (2, 0, 0, 0)
    assert await plans(db, shop, number) == [(3, 0, 0, 0, in_days(3))]


async def test_bad_receipts_change_nothing(db: Database, shop: Shop) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code, other.code)
    bundle = await bundle_of(shop, item)
    number = (await announced(office, store, (item, 3, 100)))["number"]
    cases: list[tuple[dict[str, Any], tuple[int, str]]] = [
        (came(item), (422, "bad-supply")),
        ({"quantity": 1}, (422, "bad-supply")),
        (came(item, 1, barcode="4600000000008"), (422, "bad-supply")),
        ({"sku": "NO-SUCH", "quantity": 1}, (404, "unknown-skus")),
        ({"barcode": "4600000000008", "quantity": 1}, (404, "unknown-skus")),
        (came(item, 2**31), (400, "bad-input")),
        (came(item, -1), (400, "bad-input")),
        (came(item, 1_000_000, damaged=1, reason="?"), (422, "bad-supply")),
        (came(item, 1, unit_cost=-1), (400, "bad-input")),
        (came(item, 1, colour="red"), (400, "bad-input")),
        ({"sku": bundle, "quantity": 1}, (422, "bundle-has-no-stock")),
    ]
    for line, refusal in cases:
        assert problem(await receive(staff, store, number, line)) == refusal, line
    assert problem(await receive(staff, store, number)) == (400, "bad-input")
    assert problem(await receive(staff, store, number, came(item, 1), reason="?")) == (422, "bad-supply")
    assert problem(await receive(staff, other, number, came(item, 1))) == (403, "other-destination")
    assert problem(await receive(staff, store, "S-1", came(item, 1))) == (404, "unknown-expected-receipt")
    assert problem(await receive(staff, store, "S-0000-0000-0000", came(item, 1))) == (404, "unknown-expected-receipt")
    stranger = await shop.staff("associate", other.code)
    assert (await receive(stranger, store, number, came(item, 1))).status_code == 403
    assert problem(await stranger.get(f"/v1/stores/{other.code}/expected-receipts/{number}")) == (
        403, "other-destination",
    )  # fmt: skip
    assert await level(db, store, item) == (0, 0, 0, 0)
    assert await events_of(db, number) == [(1, "supply.announced")]
    assert await plans(db, shop, number) == [(3, 0, 0, 0, in_days(3))]


async def test_many_lines_cost_no_more_statements(app: Litestar, shop: Shop) -> None:
    provided = app.dependencies["db"]
    assert isinstance(provided, Provide)
    api: Database = provided.dependency()
    store, items = await shop.store(), [await shop.item() for _ in range(20)]
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    spent: dict[int, list[int]] = {}
    for lines in (1, 20, 1, 20):
        some = items[:lines]
        owner = await supplier(office)
        planned = body(store, owner, *((item, 4, 100) for item in some))
        async with count_statements(api) as announcing:
            number = (await office.post(BACK, planned)).json()["number"]
        async with count_statements(api) as receiving:
            part = await receive(staff, store, number, *(came(item, 3, damaged=1, reason="?") for item in some))
        assert part.json()["state"] == "received", part.text
        spent[lines] = [len(announcing), len(receiving)]
    assert spent[1] == spent[20], spent
    assert spent[1][0] <= 8
    assert spent[1][1] <= 20


async def bundle_of(shop: Shop, item: Any) -> str:
    """A bundle of two."""
    bundle = await shop.item(bundle=True)

    async def compose(tx: Tx) -> None:
        await tx.execute(
            "INSERT INTO catalog.components (bundle_id, component_id, quantity) VALUES (:bundle, :item, 2)",
            bundle=bundle.id, item=item.id,
        )  # fmt: skip

    await shop.db.write(compose)
    return bundle.sku


async def broken(db: Database, owner: stock.Owner) -> int:
    """How many events told an owner that a promise of his is broken."""

    async def read(tx: Tx) -> int:
        return int(
            await tx.scalar(
                "SELECT count(*) FROM infra.outbox WHERE type = 'stock.promise_broken'"
                " AND payload -> 'fulfillment_ids' @> jsonb_build_array(CAST(:id AS text))",
                id=str(owner.id),
            )
        )

    return await db.read(read)
