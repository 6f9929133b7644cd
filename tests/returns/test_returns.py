"""Goods come back over any counter, for exactly what was paid."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from commerce import returns
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from tests.returns.counter import back, books, give_back, levels, sell
from tests.support import Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


def rub(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "RUB"}


async def test_sold_in_one_store_returned_in_another(shop: Shop, db: Database) -> None:
    kazan, omsk = await shop.store(), await shop.store()
    jacket, socks = await shop.item(price=499_000), await shop.item(price=19_900)
    await shop.stock(kazan, jacket, 5)
    await shop.stock(kazan, socks, 9)
    sold = await sell(shop, kazan, (jacket, 2), (socks, 3))
    counter = await shop.staff("store_manager", omsk.code)

    associate = await shop.staff("associate", omsk.code)
    refused = await give_back(
        associate, omsk, back(sold, {"sku": jacket.sku}, tender="card_terminal", refund={"tender": "card_terminal", "reference": "slip 3"}),
    )  # fmt: skip
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/other-tender-refused")
    assert refused.json()["paid_otherwise"] == {"amount": 499_000, "currency": "RUB"}

    answer = await give_back(
        counter, omsk, back(sold, {"sku": jacket.sku, "note": "label still on"}, tender="card_terminal", refund={"tender": "card_terminal", "reference": "slip 4"}),
    )  # fmt: skip

    assert answer.status_code == 201, answer.text
    assert answer.headers["etag"] == '"1"'
    body = answer.json()
    assert re.fullmatch(r"R-\d{4}-\d{4}-\d{4}", body["number"])
    assert body == {
        "number": body["number"], "order": sold.order, "blind_reason": None, "store": omsk.code, "state": "closed", "channel": "till",
        "lines": [
            {
                "n": 1, "sku": jacket.sku, "title": {"en": "Thing", "ru": "Вещь"}, "quantity": 1, "ground": "change_of_mind",
                "condition": "sellable", "disposition": "restocked", "refund": rub(499_000), "tax": rub(89_984),
                "tax_basis_points": 2200, "note": "label still on",
            }
        ],
        "refund_total": rub(499_000), "tender": "card_terminal", "receipt": {"register": f"counter-{omsk.code}", "number": 1},
        "created_at": body["created_at"], "closed_at": body["created_at"], "version": 1,
    }  # fmt: skip
    assert await levels(db, kazan, jacket) == {"available": 3}
    assert await levels(db, omsk, jacket) == {"available": 1}
    assert (await books(db, sold.order))[0] == [1, 0]

    receipt = (await counter.get(f"/v1/stores/{omsk.code}/receipts/counter-{omsk.code}/1")).json()
    assert (receipt["kind"], receipt["total"], receipt["lines"][0]["tax"]) == ("refund", rub(499_000), rub(89_984))
    assert receipt["tenders"] == [{"kind": "card_terminal", "amount": rub(499_000), "reference": "slip 4"}]
    assert (await counter.get(f"/v1/stores/{omsk.code}/returns/{body['number']}")).json() == body

    async def facts(tx: Tx) -> list[tuple[object, ...]]:
        rows = await tx.rows(
            "SELECT o.type, o.payload ->> 'refund_total', o.payload ->> 'location', a.action, a.after ->> 'order'"
            " FROM infra.outbox o JOIN infra.audit_records a ON a.target_id = o.aggregate_id::text"
            " WHERE o.payload ->> 'number' = :number",
            number=body["number"],
        )
        return [tuple(row) for row in rows]

    assert await db.read(facts) == [("return.accepted", "499000", omsk.code, "return.accept", sold.order)]


async def test_the_receipt_names_the_sale_too(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 2)
    sold = await sell(shop, store, (item, 1))
    counter = await shop.staff("associate", store.code)
    body = back(sold, {"n": 1}, receipt={"register": sold.register, "number": sold.receipt})
    del body["order"]
    answer = await give_back(counter, store, body)
    assert (answer.status_code, answer.json()["order"]) == (201, sold.order)
    assert await levels(db, store, item) == {"available": 2}


async def test_partial_returns_never_lose_a_minor_unit(shop: Shop) -> None:
    store = await shop.store()
    fabric = await shop.item(price=99_900, quantity_unit="MTR", quantity_scale=2)
    sold = await sell(shop, store, (fabric, 133), amounts=[132_867])
    counter = await shop.staff("associate", store.code)
    refunds, taxes = [], []
    for steps in (50, 50, 32, 1):
        answer = await give_back(counter, store, back(sold, {"sku": fabric.sku, "quantity": steps}))
        assert answer.status_code == 201, answer.text
        refunds.append(answer.json()["refund_total"]["amount"])
        taxes.append(answer.json()["lines"][0]["tax"]["amount"])
    assert refunds == [49_950, 49_950, 31_968, 999]
    assert sum(refunds) == sold.total
    assert sum(taxes) == 23_960


async def test_grams_of_something_cheap_hold_no_more_tax_than_money(shop: Shop, db: Database) -> None:
    store = await shop.store()
    item = await shop.item(price=60, quantity_unit="KGM", quantity_scale=3)
    sold = await sell(shop, store, (item, 100), amounts=[6])
    staff = await shop.staff("associate", store.code)
    given = []
    for grams in (49, 1, 33, 17):
        answer = await give_back(staff, store, back(sold, {"sku": item.sku, "quantity": grams}))
        assert answer.status_code == 201, answer.text
        line = answer.json()["lines"][0]
        given.append((line["refund"]["amount"], line["tax"]["amount"]))
    assert given == [(3, 1), (0, 0), (2, 0), (1, 0)]


async def test_a_sale_of_december_2025_is_refunded_at_its_own_tax_rate(shop: Shop) -> None:
    clock.stand_at(datetime(2025, 12, 28, 10, tzinfo=UTC))
    store, item = await shop.store(), await shop.item(price=120_000)
    sold = await sell(shop, store, (item, 2))
    clock.stand_at(datetime(2026, 1, 5, 10, tzinfo=UTC))
    counter = await shop.staff("associate", store.code)
    answer = await give_back(counter, store, back(sold, {"sku": item.sku}))
    assert answer.status_code == 201, answer.text
    assert answer.json()["lines"][0] | {"title": 0} == {
        "n": 1, "sku": item.sku, "title": 0, "quantity": 1, "ground": "change_of_mind", "condition": "sellable",
        "disposition": "restocked", "refund": rub(120_000), "tax": rub(20_000), "tax_basis_points": 2000, "note": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "disposition", "bucket"),
    [
        ("sellable", "restocked", "available"),
        ("opened", "quality_control", "quality_control"),
        ("defective", "quality_control", "quality_control"),
        ("damaged", "damaged", "damaged"),
    ],
)
async def test_the_condition_decides_where_it_stands(
    shop: Shop, db: Database, condition: str, disposition: str, bucket: str
) -> None:
    bought, returned = await shop.store(), await shop.store()
    item = await shop.item()
    sold = await sell(shop, bought, (item, 3))
    counter = await shop.staff("associate", returned.code)
    line = {"sku": item.sku, "quantity": 2, "ground": "defect", "condition": condition}
    answer = await give_back(counter, returned, back(sold, line))
    assert (answer.status_code, answer.json()["lines"][0]["disposition"]) == (201, disposition)
    assert await levels(db, returned, item) == {bucket: 2}


async def test_one_line_in_two_conditions(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    sold = await sell(shop, store, (item, 3))
    counter = await shop.staff("associate", store.code)
    lines = ({"n": 1, "quantity": 1}, {"n": 1, "quantity": 1, "ground": "defect", "condition": "damaged"})
    answer = await give_back(counter, store, back(sold, *lines))
    assert [line["refund"]["amount"] for line in answer.json()["lines"]] == [100, 100]
    assert await levels(db, store, item) == {"available": 1, "damaged": 1}
    before = await books(db, sold.order)
    answer = await give_back(counter, store, back(sold, *lines))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/too-many-returned")
    assert answer.json()["lines"] == [{"n": 1, "sku": item.sku, "wanted": 2, "left": 1}]
    assert await books(db, sold.order) == before


async def test_more_than_was_bought(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item()
    sold = await sell(shop, store, (item, 2))
    counter = await shop.staff("associate", store.code)
    before, stood = await books(db, sold.order), await levels(db, store, item)
    answer = await give_back(counter, store, back(sold, {"sku": item.sku, "quantity": 3}))
    assert answer.status_code == 409
    assert answer.json()["type"] == "/problems/too-many-returned"
    assert answer.json()["lines"] == [{"n": 1, "sku": item.sku, "wanted": 3, "left": 2}]
    assert (await books(db, sold.order), await levels(db, store, item)) == (before, stood)


async def test_the_same_key_returns_once(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item()
    sold = await sell(shop, store, (item, 2))
    counter = await shop.staff("associate", store.code)
    body, key = back(sold, {"sku": item.sku}), str(uuid7())
    first, again = [await give_back(counter, store, body, key=key) for _ in range(2)]
    assert first.json() == again.json()
    assert (await books(db, sold.order))[0] == [1]


async def test_two_counters_at_once_take_a_unit_back_once(shop: Shop, db: Database) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    sold = await sell(shop, store, (item, 2))
    counters = [(await shop.staff("associate", s.code), s) for s in (store, other, store, other, store)]
    answers = await asyncio.gather(*(give_back(c, s, back(sold, {"sku": item.sku})) for c, s in counters))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409]
    state = await books(db, sold.order)
    assert (state[0], state[2]) == ([2], 2 * item.price)


async def test_preview_says_the_same_and_books_nothing(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item(price=122_00)
    sold = await sell(shop, store, (item, 2))
    counter = await shop.staff("associate", store.code)
    body = back(sold, {"sku": item.sku, "condition": "opened", "note": "torn box"})
    del body["refund"]
    before = await books(db, sold.order)
    answer = await counter.post(f"/v1/stores/{store.code}/returns/preview", body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "order": sold.order, "store": store.code,
        "lines": [
            {
                "n": 1, "sku": item.sku, "title": {"en": "Thing", "ru": "Вещь"}, "quantity": 1, "ground": "change_of_mind",
                "condition": "opened", "disposition": "quality_control", "refund": rub(12_200), "tax": rub(2_200),
                "tax_basis_points": 2200, "left": 1,
            }
        ],
        "refund_total": rub(12_200),
    }  # fmt: skip
    assert await books(db, sold.order) == before
    answer = await counter.post(
        f"/v1/stores/{store.code}/returns/preview", body | {"lines": [body["lines"][0] | {"quantity": 3}]}
    )
    assert answer.json()["type"] == "/problems/too-many-returned"


async def test_the_shopper_sees_his_returns_and_nobody_elses(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    person, stranger = await shop.shopper(known=True), await shop.shopper(known=True)
    sold = await sell(shop, store, (item, 3), customer=person.actor.subject)
    counter = await shop.staff("associate", store.code)
    numbers = [
        (await give_back(counter, store, back(sold, {"sku": item.sku, "quantity": n}))).json()["number"] for n in (1, 2)
    ]
    page = (await person.get("/v1/returns?limit=1")).json()
    assert [entry["number"] for entry in page["items"]] == [numbers[1]]
    assert page["items"][0] == {
        "number": numbers[1], "order": sold.order, "store": store.code, "state": "closed", "units": 2,
        "refund_total": rub(2 * item.price), "created_at": page["items"][0]["created_at"],
    }  # fmt: skip
    rest = (await person.get(f"/v1/returns?limit=1&cursor={page['next_cursor']}")).json()
    assert ([entry["number"] for entry in rest["items"]], rest["next_cursor"]) == ([numbers[0]], None)
    spoken = numbers[0].lower().replace("-", " ")
    assert (await person.get(f"/v1/returns/{spoken}")).json()["number"] == numbers[0]
    assert (await stranger.get("/v1/returns")).json() == {"items": [], "next_cursor": None}
    for caller, number in ((stranger, numbers[0]), (person, "R-0000-0000-0001"), (person, "nonsense")):
        answer = await caller.get(f"/v1/returns/{number}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-return")
    assert (await person.get("/v1/returns?cursor=zzz")).json()["type"] == "/problems/bad-cursor"
    here = (await counter.get(f"/v1/stores/{store.code}/returns")).json()
    assert [entry["number"] for entry in here["items"]] == [numbers[1], numbers[0]]


async def test_a_return_of_another_store_is_not_shown(shop: Shop) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    sold = await sell(shop, store, (item, 1))
    counter, neighbour = await shop.staff("associate", store.code), await shop.staff("associate", other.code)
    number = (await give_back(counter, store, back(sold, {"sku": item.sku}))).json()["number"]
    answer = await neighbour.get(f"/v1/stores/{other.code}/returns/{number}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-return")
    assert (await neighbour.get(f"/v1/stores/{store.code}/returns/{number}")).status_code == 403
    assert (await neighbour.post(f"/v1/stores/{store.code}/returns", back(sold, {"n": 1}))).status_code == 403


async def test_notes_are_exported_and_erased(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    person, other = await shop.shopper(known=True), await shop.shopper(known=True)
    counter = await shop.staff("associate", store.code)
    for buyer in (person, other):
        sold = await sell(shop, store, (item, 1), customer=buyer.actor.subject)
        await give_back(counter, store, back(sold, {"sku": item.sku, "note": "came with his sister"}))

    async def notes(ids: list[object]) -> list[object]:
        return [entry["note"] for entry in (await db.read(returns.export_person, ids=ids))["returns"]]  # type: ignore[arg-type]

    assert await notes([person.actor.subject]) == ["came with his sister"]
    await db.write(returns.erase_person, shop.system, ids=[person.actor.subject])
    assert await notes([person.actor.subject]) == [None]
    assert await notes([other.actor.subject]) == ["came with his sister"]


async def test_the_window_closes_at_the_end_of_its_last_day(shop: Shop) -> None:
    """The window counts calendar days from hand-over: the fourteenth still counts, the fifteenth does not."""
    clock.stand_at(datetime(2026, 5, 1, 20, 30, tzinfo=UTC))
    store, item = await shop.store(), await shop.item()
    sold = await sell(shop, store, (item, 3))
    for day, ground, expected in (
        (datetime(2026, 5, 15, 20, 30, tzinfo=UTC), "change_of_mind", 201),
        (datetime(2026, 5, 15, 21, 1, tzinfo=UTC), "change_of_mind", 422),
        (datetime(2026, 5, 15, 21, 1, tzinfo=UTC), "wrong_item", 201),
        (datetime(2026, 5, 1, 20, 30, tzinfo=UTC) + timedelta(days=730), "defect", 201),
    ):
        clock.stand_at(day)
        counter = await shop.staff("associate", store.code)
        answer = await give_back(counter, store, back(sold, {"sku": item.sku, "ground": ground}))
        assert answer.status_code == expected, answer.text
        if expected == 422:
            assert answer.json()["lines"] == [
                {"n": 1, "sku": item.sku, "ground": "change_of_mind", "reason": "too_late", "days": 14}
            ]
