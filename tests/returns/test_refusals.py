"""What a counter does not take back. After each refusal nothing has changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commerce.infra.db import Database
from tests.returns.counter import back, books, give_back, levels, sell
from tests.support import Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


async def refused(shop: Shop, db: Database, line: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The refusal of a return of one of two units, after checking that it changed nothing."""
    store, item = await shop.store(), await shop.item(**more.pop("item", {}))
    sold = await sell(shop, store, (item, 2))
    counter = await shop.staff("associate", store.code)
    before, stood = await books(db, sold.order), await levels(db, store, item)
    answer = await give_back(counter, store, back(sold, {"sku": item.sku} | line, **more))
    assert (await books(db, sold.order), await levels(db, store, item)) == (before, stood)
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    told["kind"] = told["type"].rpartition("/")[2]
    told["sku"] = item.sku
    return told


async def test_a_policy_shuts_out_a_change_of_mind_and_nothing_else(shop: Shop, db: Database) -> None:
    underwear: dict[str, Any] = {"return_policy": "underwear"}
    answer = await refused(shop, db, {}, item=underwear)
    assert (answer["status"], answer["kind"]) == (422, "return-not-accepted")
    assert answer["lines"] == [
        {"n": 1, "sku": answer["sku"], "ground": "change_of_mind", "reason": "excluded", "days": None}
    ]
    store, item = await shop.store(), await shop.item(**underwear)
    sold = await sell(shop, store, (item, 1))
    counter = await shop.staff("associate", store.code)
    taken = await give_back(counter, store, back(sold, {"sku": item.sku, "ground": "defect", "condition": "defective"}))
    assert taken.status_code == 201
    assert await levels(db, store, item) == {"quality_control": 1}


async def test_a_withdrawal_is_of_a_distance_sale(shop: Shop, db: Database) -> None:
    answer = await refused(shop, db, {"ground": "withdrawal"})
    assert (answer["status"], answer["kind"]) == (422, "return-not-accepted")
    assert answer["lines"][0]["reason"] == "not_a_distance_sale"


async def test_a_defect_after_its_time(shop: Shop, db: Database) -> None:
    clock.stand_at(datetime(2024, 3, 1, 9, tzinfo=UTC))
    store, item = await shop.store(), await shop.item()
    sold = await sell(shop, store, (item, 1))
    clock.stand_at(datetime(2024, 3, 1, 9, tzinfo=UTC) + timedelta(days=731))
    counter = await shop.staff("associate", store.code)
    answer = await give_back(counter, store, back(sold, {"sku": item.sku, "ground": "defect"}))
    assert answer.json()["lines"] == [{"n": 1, "sku": item.sku, "ground": "defect", "reason": "too_late", "days": 730}]


async def test_a_card_number_as_reference(shop: Shop, db: Database) -> None:
    answer = await refused(shop, db, {}, refund={"tender": "card_terminal", "reference": "4111 1111 1111 1111"})
    assert (answer["status"], answer["kind"]) == (422, "card-number-refused")
    assert "4111" not in str(answer)


@pytest.mark.parametrize(
    ("line", "status", "kind"),
    [
        ({"quantity": 0}, 400, "bad-input"),
        ({"quantity": -1}, 400, "bad-input"),
        ({"quantity": 10**12}, 400, "bad-input"),
        ({"quantity": "1"}, 400, "bad-input"),
        ({"ground": "not_collected"}, 400, "bad-input"),
        ({"condition": "fine"}, 400, "bad-input"),
        ({"colour": "red"}, 400, "bad-input"),
        ({"note": "a\x00b"}, 400, "bad-input"),
        ({"sku": "NO-SUCH-SKU"}, 422, "line-not-in-order"),
        ({"sku": None}, 422, "line-not-in-order"),
        ({"n": 2}, 422, "line-not-in-order"),
        ({"quantity": 3}, 409, "too-many-returned"),
    ],
)
async def test_bad_lines(shop: Shop, db: Database, line: dict[str, Any], status: int, kind: str) -> None:
    answer = await refused(shop, db, line)
    assert (answer["status"], answer["kind"]) == (status, kind)


async def test_a_sku_on_two_lines_must_be_named_by_number(shop: Shop, db: Database) -> None:
    store, item = await shop.store(), await shop.item(price=1000)
    sold = await sell(shop, store, (item, 1), (item, 1), prices=[1000, 900])
    counter = await shop.staff("associate", store.code)
    answer = await give_back(counter, store, back(sold, {"sku": item.sku}))
    assert answer.json()["lines"] == [{"index": 0, "n": None, "sku": item.sku}]
    answer = await give_back(counter, store, back(sold, {"sku": item.sku, "n": 2}))
    assert (answer.status_code, answer.json()["refund_total"]["amount"]) == (201, 900)


async def test_the_sale_is_named_once(shop: Shop, db: Database) -> None:
    for change in ({"order": None}, {"receipt": {"register": "till-1", "number": 1}}):
        answer = await refused(shop, db, {}, **change)
        assert (answer["status"], answer["kind"]) == (422, "sale-not-named")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"order": "0000-0000-0000"}, "unknown-order"),
        ({"order": "4821-3059-1761"}, "unknown-order"),
        ({"order": "what?"}, "unknown-order"),
        ({"order": None, "receipt": {"register": "till-1", "number": 1}}, "unknown-receipt"),
    ],
)
async def test_an_unknown_sale(shop: Shop, db: Database, change: dict[str, Any], kind: str) -> None:
    answer = await refused(shop, db, {}, **change)
    assert (answer["status"], answer["kind"]) == (404, kind)


async def test_stores_that_take_no_returns(shop: Shop, db: Database) -> None:
    item, seller = await shop.item(), await shop.store()
    sold = await sell(shop, seller, (item, 1))
    before = await books(db, sold.order)
    places = {
        "no_role": await shop.store(roles=("pickup", "sells")),
        "paused": await shop.store(paused_until=clock() + timedelta(days=1), paused_reason="Flood"),
        "closed": await shop.store(closed_on=clock().date() - timedelta(days=2)),
        "not_open_yet": await shop.store(opened_on=clock().date() + timedelta(days=2)),
    }
    for reason, store in places.items():
        counter = await shop.staff("associate", store.code)
        answer = await give_back(counter, store, back(sold, {"sku": item.sku}))
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/store-takes-no-returns")
        assert (answer.json()["store"], answer.json()["reason"]) == (store.code, reason)
    assert await books(db, sold.order) == before


async def test_who_may(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    sold = await sell(shop, store, (item, 1))
    body = back(sold, {"sku": item.sku})
    for caller in (
        await shop.shopper(),
        await shop.client(),
        await shop.staff("call_center"),
        await shop.device("till", store.code),
    ):
        answer = await give_back(caller, store, body)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed")
    assert (await give_back(shop.anybody(), store, body)).status_code == 401
