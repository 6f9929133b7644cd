"""Counting through HTTP, while the shop is open."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from commerce import catalog, stock
from commerce.catalog import tables as catalog_tables
from commerce.infra.db import Tx
from tests.orders.story import levels, place
from tests.orders.test_sales import sale
from tests.support import Client, Item, Shop, Store, clock, unique

pytestmark = pytest.mark.usefixtures("audited")


async def barcode(shop: Shop, item: Item, code: str, quantity: int) -> None:
    async def work(tx: Tx) -> None:
        tx.queue(catalog_tables.barcodes, code=code, variant_id=item.id, kind="internal", quantity=quantity)

    await shop.db.write(work)


async def opened(staff: Client, store: Store, *items: Item, **more: Any) -> str:
    """A count of a list; its number."""
    body = {"scope": "list", "skus": [item.sku for item in items], **more}
    answer = await staff.post(f"/v1/stores/{store.code}/counts", body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["number"])


async def act(staff: Client, store: Store, number: str, name: str, body: Any = None, **more: Any) -> httpx.Response:
    return await staff.post(f"/v1/stores/{store.code}/counts/{number}/{name}", body, **more)


async def enter(staff: Client, store: Store, number: str, item: Item, quantity: int, **more: Any) -> dict[str, Any]:
    """One entry; the line after it."""
    answer = await act(staff, store, number, "entries", {"entries": [{"sku": item.sku, "quantity": quantity, **more}]})
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["lines"][0])


async def lines(staff: Client, store: Store, number: str, only: str = "all") -> dict[str, dict[str, Any]]:
    answer = await staff.get(f"/v1/stores/{store.code}/counts/{number}/lines?only={only}")
    assert answer.status_code == 200, answer.text
    return {line["sku"]: line for line in answer.json()["items"]}


async def sell(shop: Shop, store: Store, item: Item, quantity: int, at: datetime | None = None) -> None:
    """Goods that leave with a customer, as an order's till sale does it."""
    till = await shop.device("till", store.code)
    body = sale((item, quantity, item.price), occurred_at=(at or clock()).isoformat())
    answer = await till.post(f"/v1/stores/{store.code}/sales", body)
    assert answer.status_code == 201, answer.text


async def test_a_count_is_opened_counted_submitted_approved_and_posted(shop: Shop) -> None:
    store, cup, plate, fork = (
        await shop.store(),
        await shop.item(price=300),
        await shop.item(price=200),
        await shop.item(),
    )
    for item, units in ((cup, 10), (plate, 4), (fork, 7)):
        await shop.stock(store, item, units, unit_cost=100)
    await barcode(shop, cup, code := unique("pack"), 6)
    anna, boris = await shop.staff("associate", store.code), await shop.staff("associate", store.code)
    manager = await shop.staff("store_manager", store.code)
    clock.stand_at(now := datetime.now(UTC))
    answer = await anna.post(
        f"/v1/stores/{store.code}/counts",
        {"scope": "zone", "zone": "window", "skus": [cup.sku, plate.sku, fork.sku], "note": "For Anna"},
    )
    assert answer.status_code == 201, answer.text
    view = answer.json()
    number = view["number"]
    assert (view["scope"], view["zone"], view["state"], view["round"], view["version"]) == (
        "zone",
        "window",
        "open",
        1,
        1,
    )
    assert (view["lines"], view["counted"], view["not_counted"], answer.headers["etag"]) == (3, 0, 3, '"1"')

    first = await act(
        anna, store, number, "entries",
        {"entries": [{"barcode": code, "spot": "shelf-1"}, {"sku": cup.sku, "spot": "shelf-1"}, {"sku": plate.sku, "quantity": 6}]},
    )  # fmt: skip
    assert first.status_code == 200, first.text
    assert (first.json()["version"], first.headers["etag"]) == (2, '"2"')
    found = {line["sku"]: line for line in first.json()["lines"]}
    assert (found[cup.sku]["counted"], found[cup.sku]["expected"], found[cup.sku]["variance"]) == (7, 10, -3)
    assert found[cup.sku]["entries"] == [
        {
            "round": 1, "spot": "shelf-1", "quantity": 7, "counted_at": now.isoformat().replace("+00:00", "Z"),
            "counted_by": str(anna.actor.subject), "device": None, "stands": True,
        }
    ]  # fmt: skip
    line = await enter(boris, store, number, cup, 1, spot="shelf-2")
    assert (line["counted"], line["variance"], len(line["entries"])) == (8, -2, 2)

    submitted = await act(boris, store, number, "submit")
    assert submitted.status_code == 200, submitted.text
    view = submitted.json()
    assert (view["state"], view["counted"], view["not_counted"], view["version"]) == ("counted", 2, 1, 4)
    assert view["variances"] == {
        "lines": 2, "missing": 2, "surplus": 2, "at_cost": {"amount": 0, "currency": "RUB"},
        "at_price": {"amount": -200, "currency": "RUB"}, "without_cost": 0,
    }  # fmt: skip
    varying = await lines(boris, store, number, "variances")
    assert {sku: (v["variance"], v["at_cost"]["amount"], v["at_price"]["amount"]) for sku, v in varying.items()} == {
        cup.sku: (-2, -200, -600),
        plate.sku: (2, 200, 400),
    }
    not_counted = await lines(boris, store, number, "not_counted")
    assert {sku: (v["counted"], v["expected"], v["variance"]) for sku, v in not_counted.items()} == {
        fork.sku: (None, 7, None)
    }

    assert (await act(anna, store, number, "approve", {})).status_code == 403
    refused = await act(manager, store, number, "approve", {})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/uncounted-lines")
    assert (refused.json()["count"], refused.json()["skus"]) == (1, fork.sku)
    stale = await act(manager, store, number, "approve", {"uncounted": "leave"}, headers={"If-Match": '"3"'})
    assert (stale.status_code, stale.json()["seen"], stale.json()["version"]) == (412, 3, 4)
    assert await levels(shop, cup, store) == (10, 0)
    approved = await act(
        manager,
        store,
        number,
        "approve",
        {"uncounted": "leave", "reason": "Counted twice"},
        headers={"If-Match": '"4"'},
    )
    assert approved.status_code == 200, approved.text
    assert (approved.json()["state"], approved.json()["uncounted"], approved.json()["version"]) == (
        "closed",
        "leave",
        5,
    )
    assert [(await levels(shop, item, store))[0] for item in (cup, plate, fork)] == [8, 6, 7]
    resolved = {sku: line["resolution"] for sku, line in (await lines(anna, store, number)).items()}
    assert resolved == {cup.sku: "posted", plate.sku: "posted", fork.sku: "left"}
    page = await shop.db.read(stock.history, cup.id, [store.id], limit=1)
    assert [(m.cause_kind, m.reason, m.quantity, m.from_place, m.to_place) for m in page.items] == [
        ("count", "Counted twice", 2, "available", "loss")
    ]
    story = (await anna.get(f"/v1/stores/{store.code}/counts/{number}")).json()["steps"]
    assert [(step["version"], step["what"]) for step in story] == [
        (5, "posted"), (4, "submitted"), (3, "entered"), (2, "entered"), (1, "opened"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["entries", "submit", "recount", "approve", "cancel"])
@pytest.mark.parametrize("end", ["closed", "cancelled"])
async def test_a_closed_count_refuses_everything(shop: Shop, name: str, end: str) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    manager = await shop.staff("store_manager", store.code)
    number = await opened(manager, store, item)
    await enter(manager, store, number, item, 5)
    if end == "closed":
        closed = await act(manager, store, number, "submit")
        assert (closed.json()["state"], closed.json()["version"]) == ("closed", 4)
    else:
        cancelled = await act(manager, store, number, "cancel", {"reason": "Opened by mistake"})
        assert (cancelled.json()["state"], cancelled.json()["version"]) == ("cancelled", 3)
    bodies: dict[str, Any] = {
        "entries": {"entries": [{"sku": item.sku}]}, "submit": None, "recount": {"skus": [item.sku]}, "approve": {},
        "cancel": {"reason": "Again"},
    }  # fmt: skip
    refused = await act(manager, store, number, name, bodies[name])
    assert refused.status_code == 409
    assert refused.json()["type"] == "/problems/count-closed"
    assert (refused.json()["number"], refused.json()["state"]) == (number, end)
    assert await levels(shop, item, store) == (5, 0)


async def test_what_is_sold_meanwhile_does_not_matter(shop: Shop) -> None:
    """Ten stand there by the books, one of them is stolen. One is sold before it is counted, two after, one is promised."""
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 10)
    manager = await shop.staff("store_manager", store.code)
    clock.stand_at(datetime.now(UTC))
    number = await opened(manager, store, item)
    clock.stand_at(clock() + timedelta(minutes=1))
    await sell(shop, store, item, 1, clock())
    clock.stand_at(clock() + timedelta(minutes=1))
    line = await enter(manager, store, number, item, 8)
    assert (line["counted"], line["expected"], line["variance"]) == (8, 9, -1)
    clock.stand_at(clock() + timedelta(minutes=1))
    await sell(shop, store, item, 2, clock())
    await place(await shop.shopper(), store, (item, 1))
    clock.stand_at(clock() + timedelta(minutes=1))
    assert (await act(manager, store, number, "submit")).json()["variances"]["missing"] == 1
    clock.stand_at(clock() + timedelta(minutes=1))
    await sell(shop, store, item, 1, clock())
    approved = await act(manager, store, number, "approve", {})
    assert (approved.status_code, approved.json()["variances"]["missing"]) == (200, 1)
    assert await levels(shop, item, store) == (4, 1)


async def test_a_sale_that_reaches_the_books_late_is_not_lost_twice(shop: Shop) -> None:
    """An offline till sold one before the shelf was counted, and is connected again after the count was submitted."""
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    manager = await shop.staff("store_manager", store.code)
    clock.stand_at(datetime.now(UTC))
    number = await opened(manager, store, item)
    sold_at = clock() + timedelta(minutes=1)
    clock.stand_at(clock() + timedelta(minutes=2))
    assert (await enter(manager, store, number, item, 4))["variance"] == -1
    assert (await act(manager, store, number, "submit")).json()["variances"]["missing"] == 1
    clock.stand_at(clock() + timedelta(minutes=1))
    await sell(shop, store, item, 1, sold_at)
    approved = await act(manager, store, number, "approve", {})
    assert approved.json()["variances"]["missing"] == 0
    assert await levels(shop, item, store) == (4, 0)
    page = await shop.db.read(stock.history, item.id, [store.id])
    assert "count" not in {movement.cause_kind for movement in page.items}


async def test_goods_that_the_books_did_not_know_are_not_counted_after_they_were_sold(shop: Shop) -> None:
    """The books have none, one stands there and is counted; then a till sells it, which proves that it was there."""
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 1)
    clock.stand_at(datetime.now(UTC))
    await sell(shop, store, item, 1, clock())
    manager = await shop.staff("store_manager", store.code)
    number = await opened(manager, store, item)
    clock.stand_at(clock() + timedelta(minutes=1))
    assert (await enter(manager, store, number, item, 1))["variance"] == 1
    clock.stand_at(clock() + timedelta(minutes=1))
    await sell(shop, store, item, 1, clock())
    closed = await act(manager, store, number, "submit")
    assert (closed.json()["state"], closed.json()["variances"]["lines"]) == ("closed", 0)
    assert await levels(shop, item, store) == (0, 0)


async def test_a_count_that_arrives_late_is_reckoned_for_its_moment(shop: Shop) -> None:
    """A scanner was offline: counted before a sale and a delivery that the books already have."""
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 10)
    manager = await shop.staff("store_manager", store.code)
    clock.stand_at(datetime.now(UTC))
    number = await opened(manager, store, item)
    counted_at = clock() + timedelta(minutes=1)
    clock.stand_at(clock() + timedelta(minutes=2))
    await sell(shop, store, item, 3, clock())
    await shop.stock(store, item, 20)
    clock.stand_at(clock() + timedelta(minutes=1))
    line = await enter(manager, store, number, item, 11, counted_at=counted_at.isoformat())
    assert (line["counted"], line["expected"], line["variance"]) == (11, 10, 1)
    for wrong in (clock() + timedelta(seconds=1), counted_at - timedelta(minutes=2)):
        refused = await act(
            manager, store, number, "entries", {"entries": [{"sku": item.sku, "counted_at": wrong.isoformat()}]}
        )
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/wrong-count-moment")
    await act(manager, store, number, "submit")
    assert (await act(manager, store, number, "approve", {})).status_code == 200
    assert await levels(shop, item, store) == (28, 0)


async def test_spots_add_up_and_a_spot_counted_again_counts_once(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 12)
    staff = await shop.staff("associate", store.code)
    clock.stand_at(datetime.now(UTC))
    number = await opened(staff, store, item)
    clock.stand_at(clock() + timedelta(minutes=1))
    assert (await enter(staff, store, number, item, 5, spot="window"))["counted"] == 5
    early = clock()
    clock.stand_at(clock() + timedelta(minutes=1))
    await sell(shop, store, item, 2, clock())
    clock.stand_at(clock() + timedelta(minutes=1))
    line = await enter(staff, store, number, item, 6, spot="back")
    assert (line["counted"], line["expected"], line["moved"], line["variance"]) == (11, 12, -2, -1)
    line = await enter(staff, store, number, item, 7, spot="back")
    assert (line["counted"], [entry["stands"] for entry in line["entries"]]) == (12, [True, False, True])
    line = await enter(staff, store, number, item, 1, spot="back", counted_at=early.isoformat())
    assert line["counted"] == 12
    assert (await enter(staff, store, number, item, 1))["counted"] == 13
    assert (await enter(staff, store, number, item, 1))["counted"] == 14
    corrected = await act(
        staff, store, number, "entries", {"entries": [{"sku": item.sku, "quantity": 0}], "replace": True}
    )
    assert corrected.json()["lines"][0]["counted"] == 12


async def test_a_blind_count_hides_the_books_from_counters(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    staff, manager = await shop.staff("associate", store.code), await shop.staff("store_manager", store.code)
    number = await opened(staff, store, item, blind=True)
    line = await enter(staff, store, number, item, 3)
    hidden = ("expected", "moved", "variance", "at_cost", "at_price", "resolution")
    assert [line[name] for name in hidden] == [None] * len(hidden)
    assert line["counted"] == 3
    submitted = (await act(staff, store, number, "submit")).json()
    assert (submitted["state"], submitted["variances"]) == ("counted", None)
    refused = await staff.get(f"/v1/stores/{store.code}/counts/{number}/lines?only=variances")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/blind-count")
    detail = (await staff.get(f"/v1/stores/{store.code}/counts/{number}")).json()
    assert detail["variances"] is None
    assert not any({"variance", "variances", "expected"} & set(step["data"]) for step in detail["steps"])
    seen = (await lines(manager, store, number, "variances"))[item.sku]
    assert (seen["expected"], seen["variance"]) == (5, -2)
    await act(manager, store, number, "cancel", {"reason": "Only a test"})


async def test_only_the_newest_round_counts(shop: Shop) -> None:
    store, cup, plate = await shop.store(), await shop.item(), await shop.item()
    for item in (cup, plate):
        await shop.stock(store, item, 10)
    manager = await shop.staff("store_manager", store.code)
    clock.stand_at(datetime.now(UTC))
    number = await opened(manager, store, cup, plate)
    early = clock()
    assert (await act(manager, store, number, "submit")).json()["type"] == "/problems/nothing-counted"
    await enter(manager, store, number, cup, 4)
    await enter(manager, store, number, plate, 9)
    await act(manager, store, number, "submit")
    late = await act(manager, store, number, "entries", {"entries": [{"sku": cup.sku}]})
    assert (late.status_code, late.json()["type"]) == (409, "/problems/wrong-count-step")
    clock.stand_at(clock() + timedelta(minutes=1))
    again = await act(manager, store, number, "recount", {"skus": [cup.sku], "reason": "Look behind the curtain"})
    assert again.status_code == 200, again.text
    assert (again.json()["state"], again.json()["round"], again.json()["not_counted"]) == ("recount", 2, 1)
    refused = await act(manager, store, number, "submit")
    assert (refused.status_code, refused.json()["type"], refused.json()["skus"]) == (
        409,
        "/problems/not-recounted",
        cup.sku,
    )
    foreign = await act(manager, store, number, "entries", {"entries": [{"sku": plate.sku}, {"sku": cup.sku}]})
    assert (foreign.status_code, foreign.json()["type"], foreign.json()["skus"]) == (
        422,
        "/problems/not-in-count",
        plate.sku,
    )
    old = await act(manager, store, number, "entries", {"entries": [{"sku": cup.sku, "counted_at": early.isoformat()}]})
    assert old.json()["type"] == "/problems/wrong-count-moment"
    assert (await enter(manager, store, number, cup, 11))["counted"] == 11
    submitted = (await act(manager, store, number, "submit")).json()["variances"]
    assert (submitted["missing"], submitted["surplus"]) == (1, 1)
    await act(manager, store, number, "approve", {})
    assert [(await levels(shop, item, store))[0] for item in (cup, plate)] == [11, 9]


async def test_less_than_is_promised_breaks_promises_and_zero_is_asked_for(shop: Shop) -> None:
    store, cup, plate = await shop.store(), await shop.item(), await shop.item()
    for item in (cup, plate):
        await shop.stock(store, item, 3)
    customer = await shop.shopper()
    order = await place(customer, store, (cup, 2), (plate, 3))
    manager = await shop.staff("store_manager", store.code)
    number = await opened(manager, store, cup, plate)
    await enter(manager, store, number, cup, 1)
    await act(manager, store, number, "submit")
    approved = await act(manager, store, number, "approve", {"uncounted": "zero"})
    assert approved.status_code == 200, approved.text
    assert (approved.json()["variances"]["missing"], approved.json()["not_counted"]) == (5, 1)
    assert await levels(shop, cup, store) == (0, 1)
    assert await levels(shop, plate, store) == (0, 0)

    async def broken(tx: Tx) -> list[tuple[str, int]]:
        rows = await tx.rows(
            """SELECT e.payload FROM infra.outbox e JOIN stock.postings p ON p.id = e.aggregate_id
            WHERE e.type = 'stock.promise_broken' AND p.cause_kind = 'count'
              AND e.payload ->> 'location_id' = :location""",
            location=str(store.id),
        )
        return sorted((line["variant_id"], line["quantity"]) for row in rows for line in row.payload["lines"])

    assert await shop.db.read(broken) == sorted([(str(cup.id), 1), (str(plate.id), 3)])
    assert order["fulfillments"][0]["at_risk"] is False
    resolved = {
        sku: (line["resolution"], line["variance"]) for sku, line in (await lines(manager, store, number)).items()
    }
    assert resolved == {cup.sku: ("posted", -2), plate.sku: ("zeroed", -3)}


async def test_unknown_and_foreign_goods_are_named_and_nothing_is_written(shop: Shop) -> None:
    store, item, other, part = await shop.store(), await shop.item(), await shop.item(), await shop.item()
    bundle = await shop.bundle({part: 2})
    await shop.stock(store, item, 5)
    staff = await shop.staff("associate", store.code)
    counts = f"/v1/stores/{store.code}/counts"
    refused = await staff.post(counts, {"scope": "list", "skus": [item.sku, "NO-SUCH-1", "NO-SUCH-2"]})
    assert (refused.status_code, refused.json()["unknown"]) == (422, "NO-SUCH-1, NO-SUCH-2")
    refused = await staff.post(counts, {"scope": "list", "skus": [bundle.sku]})
    assert (refused.status_code, refused.json()["type"], refused.json()["skus"]) == (
        422, "/problems/bundle-not-counted", bundle.sku,
    )  # fmt: skip
    for body in (
        {"scope": "zone", "skus": [item.sku]}, {"scope": "zone", "zone": "window"}, {"scope": "list"}, {"scope": "category"},
        {"scope": "category", "categories": ["things"], "skus": [item.sku]}, {"scope": "list", "zone": "x", "skus": [item.sku]},
    ):  # fmt: skip
        assert (await staff.post(counts, body)).json()["type"] == "/problems/count-scope"
    assert (await staff.post(counts, {"scope": "category", "categories": ["no-such"]})).status_code == 404
    empty = await shop.store()
    boss = await shop.staff("admin")
    nothing = await boss.post(f"/v1/stores/{empty.code}/counts", {"scope": "list", "tasks": True})
    assert (nothing.status_code, nothing.json()["type"]) == (422, "/problems/nothing-to-count")

    number = await opened(staff, store, item)
    refused = await act(
        staff, store, number, "entries",
        {"entries": [{"sku": item.sku}, {"sku": "NO-SUCH"}, {"barcode": "nonsense"}, {"quantity": 2}]},
    )  # fmt: skip
    assert (refused.status_code, refused.json()["unknown"]) == (422, "(neither sku nor barcode), NO-SUCH, nonsense")
    refused = await act(
        staff, store, number, "entries", {"entries": [{"sku": item.sku}, {"sku": item.sku, "barcode": "nonsense"}]}
    )
    assert (refused.status_code, refused.json()["errors"]) == (
        400, [{"pointer": "/entries/1", "detail": "Name either a sku or a barcode"}],
    )  # fmt: skip
    refused = await act(staff, store, number, "entries", {"entries": [{"sku": item.sku}, {"sku": other.sku}]})
    assert (refused.status_code, refused.json()["skus"]) == (422, other.sku)
    refused = await act(staff, store, number, "entries", {"entries": [{"sku": bundle.sku}]})
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/bundle-not-counted")
    many = {"entries": [{"sku": item.sku, "quantity": 1_000_000}] * 500}
    assert (await act(staff, store, number, "entries", many)).status_code == 200
    for _ in range(3):
        assert (await act(staff, store, number, "entries", many)).status_code == 200
    too_many = await act(staff, store, number, "entries", many)
    assert (too_many.status_code, too_many.json()["type"]) == (422, "/problems/stock-level-too-high")
    assert (await lines(staff, store, number))[item.sku]["counted"] == 2_000_000_000
    await act(staff, store, number, "cancel", {"reason": "Only a test"})
    assert (await act(staff, store, "C-0000-0000-0000", "submit")).status_code == 404
    stranger = await shop.staff("store_manager", empty.code)
    assert (await act(stranger, empty, number, "submit")).json()["type"] == "/problems/other-stores-count"
    assert (await act(stranger, store, number, "submit")).status_code == 403


async def test_goods_are_in_one_live_count_at_most(shop: Shop) -> None:
    store, cup, plate = await shop.store(), await shop.item(), await shop.item()
    staff = await shop.staff("associate", store.code)
    number = await opened(staff, store, cup)
    refused = await staff.post(f"/v1/stores/{store.code}/counts", {"scope": "list", "skus": [plate.sku, cup.sku]})
    assert (refused.status_code, refused.json()["lines"]) == (409, [{"sku": cup.sku, "count": number}])
    elsewhere = await shop.store()
    await opened(await shop.staff("associate", elsewhere.code), elsewhere, cup)
    await act(staff, store, number, "cancel", {"reason": "Only a test"})
    await opened(staff, store, plate, cup)
    listed = (await staff.get(f"/v1/stores/{store.code}/counts?state=open")).json()["items"]
    assert [(view["state"], view["lines"]) for view in listed] == [("open", 2)]
    first = (await staff.get(f"/v1/stores/{store.code}/counts?limit=1")).json()
    second = (await staff.get(f"/v1/stores/{store.code}/counts?limit=1&cursor={first['next_cursor']}")).json()
    assert [view["state"] for view in first["items"] + second["items"]] == ["open", "cancelled"]
    assert second["next_cursor"] is None


async def test_a_category_is_all_that_has_a_level_there_and_what_turns_up(shop: Shop) -> None:
    above, below = unique("cat").lower(), unique("cat").lower()

    named: dict[str, str] = {"en": "Counted", "ru": "Считаемое"}
    await shop.db.write(
        catalog.upsert_categories, shop.system,
        categories=[catalog.CategoryInput(code=above, name=named), catalog.CategoryInput(code=below, parent=above, name=named)],
    )  # fmt: skip

    async def within(code: str, item: Item) -> Item:
        async def move(tx: Tx) -> None:
            await tx.execute(
                "UPDATE catalog.products SET category_id = (SELECT id FROM catalog.categories WHERE code = :code) WHERE id = :id",
                code=code, id=item.product_id,
            )  # fmt: skip

        await shop.db.write(move)
        return item

    store = await shop.store()
    cup, plate, never = [await within(below, await shop.item()) for _ in range(2)] + [
        await within(above, await shop.item())
    ]
    other = await shop.item()
    for item in (cup, plate, other):
        await shop.stock(store, item, 3)
    assert await shop.db.read(catalog.variants_in, [above]) == sorted([cup.id, plate.id, never.id])
    assert await shop.db.read(catalog.variants_in, [below]) == sorted([cup.id, plate.id])
    manager = await shop.staff("store_manager", store.code)
    answer = await manager.post(f"/v1/stores/{store.code}/counts", {"scope": "category", "categories": [above]})
    assert (answer.status_code, answer.json()["lines"]) == (201, 2)
    number = answer.json()["number"]
    line = await enter(manager, store, number, never, 2)
    assert (line["expected"], line["variance"], line["at_cost"], line["at_price"]["amount"]) == (0, 2, None, 259_800)
    foreign = await act(manager, store, number, "entries", {"entries": [{"sku": other.sku}]})
    assert foreign.json()["type"] == "/problems/not-in-count"
    for item in (cup, plate):
        await enter(manager, store, number, item, 3)
    await act(manager, store, number, "submit")
    approved = await act(manager, store, number, "approve", {})
    assert (approved.json()["variances"]["without_cost"], approved.json()["lines"]) == (1, 3)
    assert await levels(shop, never, store) == (2, 0)


async def test_small_variances_need_no_manager_when_configured(shop: Shop) -> None:
    from commerce import counts

    store, cup, plate = await shop.store(), await shop.item(), await shop.item()
    for item in (cup, plate):
        await shop.stock(store, item, 10, unit_cost=50)
    staff = await shop.staff("associate", store.code)

    async def counted(cups: int, plates: int, tolerance_minor: int) -> str:
        number = await opened(staff, store, cup, plate)
        await enter(staff, store, number, cup, cups)
        await enter(staff, store, number, plate, plates)
        view = await shop.db.write(
            counts.submit, staff.actor, code=store.code, number=number, tolerance_minor=tolerance_minor
        )
        if view.state != "closed":
            await act(staff, store, number, "cancel", {"reason": "Only a test"})
        return view.state

    assert await counted(10, 10, 0) == "closed"
    assert await counted(9, 11, 0) == "counted"
    assert await counted(9, 11, 99) == "counted"
    assert await counted(9, 11, 100) == "closed"
    assert await levels(shop, cup, store) == (9, 0)
    assert await levels(shop, plate, store) == (11, 0)
