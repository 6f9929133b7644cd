"""What the back office plans: suppliers, announcements, changes, cancellations, what is late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from commerce import stock
from commerce.infra.db import Database
from commerce.supply.tasks import tell_overdue
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
    plans,
    problem,
    promised,
    receive,
    standing,
    supplier,
)
from tests.supply.test_receiving import broken, bundle_of
from tests.support import Shop, clock, unique

pytestmark = pytest.mark.usefixtures("audited")


async def test_suppliers_are_data(db: Database, shop: Shop) -> None:
    office, planner = await shop.staff("back_office"), await shop.staff("back_office", "somewhere")
    code = unique("supplier")
    whole = {"name": {"ru": "Фабрика", "en": "Factory"}, "lead_days": 14, "external_ids": {"erp": "0042"}}
    made = await office.put(f"/v1/suppliers/{code}", whole)
    assert (made.status_code, made.json()) == (200, {"code": code, "version": 1, **whole})
    same = await office.put(f"/v1/suppliers/{code}", whole)
    assert (same.json()["version"], same.headers["etag"]) == (1, '"1"')
    changed = await office.put(f"/v1/suppliers/{code}", whole | {"lead_days": 21}, headers={"If-Match": '"1"'})
    assert (changed.json()["version"], changed.json()["lead_days"]) == (2, 21)
    stale = await office.put(f"/v1/suppliers/{code}", whole, headers={"If-Match": '"1"'})
    assert (problem(stale), stale.json()["version"]) == ((412, "supplier-changed"), 2)
    assert (await planner.put(f"/v1/suppliers/{code}", whole)).status_code == 403
    assert (await planner.get(f"/v1/suppliers/{code}")).json()["lead_days"] == 21
    assert problem(await office.get("/v1/suppliers/nobody")) == (404, "unknown-supplier")
    for wrong in (whole | {"lead_days": -1}, whole | {"name": {}}, whole | {"name": {"de": "Fabrik"}}, {}):
        assert problem(await office.put(f"/v1/suppliers/{code}", wrong)) == (400, "bad-input")
    seen: list[str] = []
    cursor = ""
    await supplier(office)
    while True:
        page = (await office.get(f"/v1/suppliers?limit=1{cursor}")).json()
        seen += [each["code"] for each in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert code in seen
    assert seen == sorted(seen)


async def test_bad_announcements_change_nothing(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    counter = await shop.store(roles=("sells",))
    gone = await shop.store(closed_on=in_days(-1))
    paused = await shop.store(paused_until=clock() + timedelta(days=9), paused_reason="works")
    later = await shop.store(opened_on=in_days(30))
    office, code = await shop.staff("back_office"), await supplier(await shop.staff("back_office"))
    bundle = await bundle_of(shop, item)
    good = body(store, code, (item, 3, 100))
    two = {"sku": item.sku, "quantity": 1}
    cases: list[tuple[dict[str, Any], tuple[int, str]]] = [
        ({"expected_on": in_days(-1).isoformat()}, (422, "bad-supply")),
        ({"expected_on": "9999-12-31"}, (422, "bad-supply")),
        ({"expected_on": "tomorrow"}, (400, "bad-input")),
        ({"supplier": "nobody"}, (404, "unknown-supplier")),
        ({"location": "nowhere"}, (404, "unknown-location")),
        ({"location": counter.code}, (409, "location-cannot-receive")),
        ({"location": gone.code}, (409, "location-cannot-receive")),
        ({"location": paused.code}, (422, "bad-supply")),
        ({"location": later.code}, (422, "bad-supply")),
        ({"lines": []}, (400, "bad-input")),
        ({"lines": [{"sku": item.sku, "quantity": 0}]}, (400, "bad-input")),
        ({"lines": [{"sku": item.sku, "quantity": 2**31}]}, (400, "bad-input")),
        ({"lines": [{"sku": bundle, "quantity": 1}]}, (422, "bundle-has-no-stock")),
        ({"reference": ""}, (400, "bad-input")),
        ({"reference": "a\0b"}, (400, "bad-input")),
    ]
    for change, refusal in cases:
        answer = await office.post(BACK, good | change)
        assert problem(answer) == refusal, (change, answer.text)
    past = good | {"expected_on": in_days(-1).isoformat()}
    told = [(await office.post(BACK, past, headers={"Accept-Language": tongue})).json() for tongue in ("ru", "en")]
    assert [(answer["detail"], answer["reason"]) for answer in told] == [
        (f"expected_on: {in_days(-1)} в {store.code} уже прошло.", f"{in_days(-1)} has passed at {store.code}"),
        (f"expected_on: {in_days(-1)} has passed at {store.code}.", f"{in_days(-1)} has passed at {store.code}"),
    ]
    unknown = await office.post(
        BACK, good | {"lines": [two, {"sku": "NO-1", "quantity": 1}, {"sku": "NO-2", "quantity": 1}]}
    )
    assert (problem(unknown), unknown.json()["lines"]) == (
        (404, "unknown-skus"), [{"pointer": "/lines/1/sku", "sku": "NO-1"}, {"pointer": "/lines/2/sku", "sku": "NO-2"}],
    )  # fmt: skip
    elsewhere = await shop.staff("back_office", counter.code)
    assert problem(await elsewhere.post(BACK, good)) == (403, "not-yours-to-plan")
    assert (await (await shop.staff("store_manager", store.code)).post(BACK, good)).status_code == 403
    made = await office.post(BACK, good)
    assert made.status_code == 201, made.text
    number = made.json()["number"]
    twice = await office.post(BACK, good)
    assert (problem(twice), twice.json()["number"]) == ((409, "supplier-reference-taken"), number)
    other = await office.post(BACK, good | {"supplier": await supplier(office)})
    assert other.status_code == 201, "another supplier may use the same reference"
    assert (await db.read(stock.inbound, variant_ids=[item.id], location_ids=[store.id]))[0].open == 3
    soon = await office.post(
        BACK, good | {"location": later.code, "reference": "x", "expected_on": in_days(31).isoformat()}
    )
    assert soon.status_code == 201, "a store that opens before the delivery comes"


async def test_a_change_of_day_and_quantities(db: Database, shop: Shop) -> None:
    store, cup, plate = await shop.store(), await shop.item(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    number = (await announced(office, store, (cup, 10, 100), (plate, 5, None)))["number"]
    address = f"{BACK}/{number}/change"
    [first, _] = await line_ids(db, number)
    anna, boris = await promised(shop, store, cup, 6, first), await promised(shop, store, cup, 3, first)
    await receive(staff, store, number, came(cup, 2))
    same = await office.post(
        address, {"expected_on": in_days(3).isoformat(), "reason": "nothing", "lines": [{"n": 1, "quantity": 10}]}
    )
    assert (same.status_code, same.json()["version"]) == (200, 2)
    cases: list[tuple[dict[str, Any], tuple[int, str]]] = [
        ({"lines": [{"n": 1, "quantity": 1}]}, (422, "bad-supply")),
        ({"lines": [{"n": 3, "quantity": 1}]}, (422, "bad-supply")),
        ({"lines": [{"n": 2, "quantity": 1}, {"n": 2, "quantity": 2}]}, (422, "bad-supply")),
        ({"expected_on": in_days(-2).isoformat()}, (422, "bad-supply")),
        ({"added": [{"sku": "NO-SUCH", "quantity": 1}]}, (404, "unknown-skus")),
        ({"reason": None}, (400, "bad-input")),
    ]
    for change, refusal in cases:
        assert problem(await office.post(address, {"reason": "?"} | change)) == refusal, change
    stale = await office.post(address, {"reason": "?", "lines": [{"n": 1, "quantity": 9}]}, headers={"If-Match": '"1"'})
    assert (problem(stale), stale.json()["seen"], stale.json()["version"]) == ((412, "supply-changed"), 1, 2)
    changed = await office.post(
        address,
        {
            "expected_on": in_days(8).isoformat(), "reason": "the factory burnt down",
            "lines": [{"n": 1, "quantity": 7}, {"n": 2, "quantity": 8}], "added": [{"sku": cup.sku, "quantity": 4, "unit_cost": 120}],
        },
        headers={"If-Match": '"2"'},
    )  # fmt: skip
    shown = changed.json()
    assert (changed.status_code, shown["version"], shown["expected_on"]) == (200, 3, in_days(8).isoformat())
    assert counts(shown) == [
        (10, 2, 0, 0, 0, 3, 5), (5, 0, 0, 0, 0, 0, 5), (3, 0, 0, 0, 0, 0, 3), (4, 0, 0, 0, 0, 0, 4),
    ]  # fmt: skip
    assert [(line["sku"], line["unit_cost"]) for line in shown["lines"]] == [
        (cup.sku, 100), (plate.sku, None), (plate.sku, None), (cup.sku, 120),
    ]  # fmt: skip
    day = in_days(8)
    assert await plans(db, shop, number) == [
        (10, 2, 3, 5, day),
        (5, 0, 0, 0, day),
        (3, 0, 0, 0, day),
        (4, 0, 0, 0, day),
    ]
    assert sum(open_ for _, _, open_, _ in await standing(db, anna)) == 6
    assert [(open_, lost) for _, _, open_, lost in await standing(db, boris) if lost] == [(0, 2)] or sum(
        lost for *_, lost in await standing(db, boris)
    ) == 2
    assert (await broken(db, anna), await broken(db, boris)) == (0, 1)
    assert await events_of(db, number) == [(1, "supply.announced"), (2, "supply.received"), (3, "supply.changed")]
    down = await office.post(
        address, {"reason": "enough", "lines": [{"n": n, "quantity": 2 if n == 1 else 0} for n in (1, 2, 3, 4)]}
    )
    assert (down.json()["state"], down.json()["version"]) == ("received", 4)
    assert (await events_of(db, number))[3:] == [(4, "supply.changed"), (4, "supply.closed")]
    assert problem(await office.post(address, {"reason": "?", "lines": [{"n": 1, "quantity": 3}]})) == (
        409,
        "supply-over",
    )
    assert await broken(db, anna) == 1
    assert await level(db, store, cup) == (0, 2, 0, 0)


async def test_a_cancellation_breaks_promises(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    office, planner = await shop.staff("back_office"), await shop.staff("back_office", "somewhere")
    made = await announced(office, store, (item, 10, 100))
    number, address = made["number"], f"{BACK}/{made['number']}/cancel"
    [line] = await line_ids(db, number)
    anna, boris = await promised(shop, store, item, 4, line), await promised(shop, store, item, 5, line)
    assert problem(await planner.post(address, {"reason": "?"})) == (403, "not-yours-to-plan")
    assert problem(await planner.get(f"{BACK}/{number}")) == (403, "not-yours-to-plan")
    assert problem(await office.post(address, {})) == (400, "bad-input")
    shown = (await office.post(address, {"reason": "bankrupt"}, headers={"If-Match": '"1"'})).json()
    assert (shown["state"], shown["version"], counts(shown)) == ("cancelled", 2, [(10, 0, 0, 0, 0, 10, 0)])
    assert (shown["lines"][0]["short"], shown["lines"][0]["reason"]) == (0, "bankrupt")
    assert await plans(db, shop, number) == [(10, 0, 10, 0, in_days(3))]
    for owner, units in ((anna, 4), (boris, 5)):
        assert [(open_, lost) for _, _, open_, lost in await standing(db, owner)] == [(0, units)]
        assert await broken(db, owner) == 1
    assert await events_of(db, number) == [(1, "supply.announced"), (2, "supply.cancelled")]
    again = await office.post(address, {"reason": "again"})
    assert (problem(again), again.json()["state"]) == ((409, "supply-over"), "cancelled")
    staff = await shop.staff("associate", store.code)
    assert problem(await receive(staff, store, number, came(item, 1))) == (409, "supply-over")
    with pytest.raises(stock.InsufficientStock):
        await promised(shop, store, item, 1, line)


async def test_the_rest_of_a_delivery_is_cancelled(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    number = (await announced(office, store, (item, 10, 100)))["number"]
    await receive(staff, store, number, came(item, 3))
    shown = (await office.post(f"{BACK}/{number}/cancel", {"reason": "discontinued"})).json()
    assert (shown["state"], counts(shown)) == ("received", [(10, 3, 0, 0, 0, 7, 0)])
    assert (await events_of(db, number))[2:] == [(3, "supply.closed")]


async def test_lists_are_narrowed_down_and_paged(db: Database, shop: Shop) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    office, code = await shop.staff("back_office"), await supplier(await shop.staff("back_office"))
    numbers = []
    for place, days in ((store, 5), (store, 2), (other, 3), (store, 9)):
        day = in_days(days).isoformat()
        numbers.append((await announced(office, place, (item, days, 1), supplier=code, expected_on=day))["number"])
    five, two, three, nine = numbers
    await office.post(f"{BACK}/{nine}/cancel", {"reason": "no"})

    async def listed(reader: Any, address: str) -> list[str]:
        answer = await reader.get(address)
        assert answer.status_code == 200, answer.text
        return [each["number"] for each in answer.json()["items"]]

    assert await listed(office, f"{BACK}?supplier={code}") == [two, three, five]
    assert await listed(office, f"{BACK}?supplier={code}&location={store.code}") == [two, five]
    assert await listed(office, f"{BACK}?supplier={code}&due_before={in_days(5)}") == [two, three]
    assert await listed(office, f"{BACK}?supplier={code}&state=cancelled") == [nine]
    assert await listed(office, f"{BACK}?supplier={code}&state=cancelled&state=announced") == [two, three, five, nine]
    planner = await shop.staff("back_office", other.code)
    assert await listed(planner, f"{BACK}?supplier={code}") == [three]
    staff = await shop.staff("associate", store.code)
    at_store = f"/v1/stores/{store.code}/expected-receipts"
    assert await listed(staff, at_store) == [two, five]
    assert await listed(staff, f"{at_store}?due_before={in_days(3)}") == [two]
    first = (await office.get(f"{BACK}?supplier={code}&limit=2")).json()
    rest = (await office.get(f"{BACK}?supplier={code}&limit=2&cursor={first['next_cursor']}")).json()
    assert [each["number"] for each in first["items"] + rest["items"]] == [two, three, five]
    assert rest["next_cursor"] is None
    [shown, *_] = first["items"]
    assert (shown["lines"], shown["quantity"], shown["received"], shown["open"], shown["location"]) == (
        1, 2, 0, 2, store.code,
    )  # fmt: skip
    for query, refusal in (
        ("supplier=nobody", (404, "unknown-supplier")), ("location=nowhere", (404, "unknown-location")),
        ("cursor=xx", (400, "bad-cursor")), ("state=lost", (400, "bad-input")),
    ):  # fmt: skip
        assert problem(await office.get(f"{BACK}?{query}")) == refusal
    assert problem(await planner.get(f"{BACK}?location={store.code}")) == (403, "not-yours-to-plan")


async def test_what_is_late_is_told_once(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    east = await shop.store(time_zone="Asia/Vladivostok")
    clock.stand_at(clock().replace(hour=10, minute=0))
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    late = (await announced(office, store, (item, 10, 100), (item, 1, None), expected_on=in_days(1).isoformat()))[
        "number"
    ]
    far = (await announced(office, east, (item, 10, 100), expected_on=in_days(1).isoformat()))["number"]
    done = (await announced(office, store, (item, 1, 100), expected_on=in_days(1).isoformat()))["number"]
    await receive(staff, store, done, came(item, 1))
    await receive(staff, store, late, came(item, 10))
    # 23:00 of that day in Moscow is the next morning in Vladivostok
    clock.stand_at(clock().replace(hour=20) + timedelta(days=1))
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    for _ in range(2):
        await tell_overdue(db)
        assert await events_of(db, far) == [(1, "supply.announced"), (2, "supply.overdue")]
        assert await events_of(db, late) == [(1, "supply.announced"), (2, "supply.received")]
    clock.stand_at(clock() + timedelta(hours=2))
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    for _ in range(2):
        await tell_overdue(db)
        assert (await events_of(db, late))[2:] == [(3, "supply.overdue")]
    assert await events_of(db, far) == [(1, "supply.announced"), (2, "supply.overdue")]
    assert len(await events_of(db, done)) == 3
    shown = (await office.get(f"{BACK}/{late}")).json()
    assert (shown["overdue"], shown["version"], shown["steps"][2]["data"]) == (
        True, 3, {"expected_on": in_days(-1).isoformat(), "open": 1},
    )  # fmt: skip
    moved = await office.post(f"{BACK}/{late}/change", {"expected_on": in_days(2).isoformat(), "reason": "next lorry"})
    assert (moved.json()["overdue"], moved.json()["version"]) == (False, 4)
    assert [day for *_, day in await plans(db, shop, late)] == [in_days(-1), in_days(2)]
    clock.stand_at(clock() + timedelta(days=3))
    await tell_overdue(db)
    assert (await events_of(db, late))[4:] == [(5, "supply.overdue")]
