"""What the back office asks of the books: levels, value and history, now and as of an instant by either clock."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from commerce import stock
from commerce.infra.db import Database
from commerce.kernel.ids import uuid7
from commerce.stock import closings, past
from tests.stock.shelves import fresh
from tests.support import Client, Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
async def office(shop: Shop) -> Client:
    return await shop.staff("back_office", channel="back_office")


async def now(db: Database) -> datetime:
    return await db.write(closings.settled_until)


def query(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


async def sell(shop: Shop, store: Store, item: Item, quantity: int, occurred_at: datetime | None = None) -> None:
    line = stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=quantity)
    await shop.db.write(
        stock.sell, shop.system, cause=fresh("till_sale"), location_id=store.id, lines=[line], occurred_at=occurred_at
    )


async def receive(shop: Shop, store: Store, item: Item, quantity: int, cost: int | None, at: datetime) -> None:
    line = stock.ReceiptLine(variant_id=item.id, quantity=quantity, unit_cost=cost)
    await shop.db.write(
        stock.receive, shop.system, cause=fresh("receipt"), location_id=store.id, lines=[line], occurred_at=at
    )


async def levels(office: Client, asked: str) -> list[tuple[str, str, int, int | None]]:
    """location, sku, available and ats of every page."""
    found: list[tuple[str, str, int, int | None]] = []
    cursor = ""
    while True:
        answer = await office.get(f"/v1/stock/levels?limit=1&{asked}{cursor}")
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [(level["location"], level["sku"], level["available"], level["ats"]) for level in page["items"]]
        if page["next_cursor"] is None:
            return sorted(found)
        cursor = f"&cursor={page['next_cursor']}"


async def test_levels_by_either_clock(db: Database, shop: Shop, office: Client) -> None:
    store, other, cup, pot = await shop.store(), await shop.store(), await shop.item(), await shop.item()
    await shop.stock(store, cup, 10)
    await shop.stock(other, cup, 4)
    at_till = await now(db)
    await shop.stock(store, pot, 2)
    await closings.close(db, until=await now(db))
    before = await now(db)
    await sell(shop, store, cup, 3, occurred_at=at_till)
    here = f"location={store.code}"
    assert await levels(office, here) == sorted([(store.code, cup.sku, 7, 7), (store.code, pot.sku, 2, 2)])
    for at, which, cups, pots in (
        (before, "recorded", 10, 2), (before, "occurred", 7, 2), (at_till, "recorded", 10, 0), (at_till, "occurred", 7, 0),
    ):  # fmt: skip
        seen = await levels(office, f"{here}&as_of={query(at)}&clock={which}")
        assert seen == sorted([(store.code, cup.sku, cups, None), (store.code, pot.sku, pots, None)])
    everywhere = await levels(office, f"sku={cup.sku}&as_of={query(before)}&clock=recorded")
    assert everywhere == sorted([(store.code, cup.sku, 10, None), (other.code, cup.sku, 4, None)])
    assert await levels(office, f"sku={cup.sku}") == sorted([(store.code, cup.sku, 7, 7), (other.code, cup.sku, 4, 4)])
    manager = await shop.staff("store_manager", other.code)
    assert await levels(manager, f"sku={cup.sku}") == [(other.code, cup.sku, 4, 4)]


async def value(office: Client, asked: str) -> dict[str, Any]:
    answer = await office.get(f"/v1/stock/value?{asked}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def worth(units: int, at_cost: int, at_list: int, no_cost: int = 0, no_price: int = 0) -> dict[str, Any]:
    return {
        "units": units, "in_transit": 0, "at_cost": {"amount": at_cost, "currency": "RUB"},
        "at_list": {"amount": at_list, "currency": "RUB"}, "units_without_cost": no_cost, "units_without_price": no_price,
    }  # fmt: skip


async def test_value_at_moving_average_cost_and_at_list_price(
    db: Database, shop: Shop, office: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """10 for 100 and 10 for 200 are 150 each from the second delivery on; the price of the past is that of the past."""
    monkeypatch.setattr(past, "CHUNK", 1)
    store, cup, gift = await shop.store(), await shop.item(price=1_000), await shop.item(price=None)
    cloth = await shop.item(price=900, quantity_unit="MTR", quantity_scale=2)
    start = clock()
    first, second = start - timedelta(days=2), start - timedelta(days=1)
    await receive(shop, store, cup, 10, 100, first)
    await receive(shop, store, gift, 3, None, first)
    await receive(shop, store, cloth, 155, 333, first)
    booked = await now(db)
    await receive(shop, store, cup, 10, 200, second)
    await closings.close(db, until=await now(db))
    await sell(shop, store, cup, 4)
    here = f"location={store.code}"
    cloth_cost, cloth_list = 516, 1_395  # 1.55 m at 3.33 and at 9.00
    today = worth(16 + 3 + 155, 16 * 150 + cloth_cost, 16_000 + cloth_list, no_cost=3, no_price=3)
    found = await value(office, here)
    assert (found["clock"], found["total"], found["locations"]) == (None, today, [{"location": store.code} | today])
    then = worth(10 + 3 + 155, 1_000 + cloth_cost, 10_000 + cloth_list, no_cost=3, no_price=3)
    for at, which, expected in (
        (booked, "recorded", then),
        (second - closings.INSTANT, "occurred", then),
        (second, "occurred", worth(178, 20 * 150 + cloth_cost, 20_000 + cloth_list, no_cost=3, no_price=3)),
        (first - closings.INSTANT, "occurred", worth(0, 0, 0)),
        (second, "recorded", worth(0, 0, 0)),
        (await now(db), "recorded", today),
    ):
        found = await value(office, f"{here}&as_of={query(at)}&clock={which}")
        assert (found["clock"], found["total"]) == (which, expected), (at, which)


async def test_value_of_every_location_that_one_may_see(shop: Shop) -> None:
    store, other, hidden = await shop.store(), await shop.store(), await shop.store()
    cup = await shop.item(price=1_000)
    for place, quantity in ((store, 2), (hidden, 7)):
        await shop.stock(place, cup, quantity, unit_cost=300)
    manager = await shop.staff("store_manager", store.code, other.code)
    found = await value(manager, "")
    assert found["locations"] == [
        {"location": code} | worth(units, 300 * units, 1_000 * units)
        for code, units in sorted([(store.code, 2), (other.code, 0)])
    ]
    assert found["total"] == worth(2, 600, 2_000)


async def test_history_by_either_clock_between_two_instants(db: Database, shop: Shop, office: Client) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    await shop.stock(store, item, 10)
    long_ago = clock() - timedelta(days=2)
    middle = await now(db)
    await sell(shop, store, item, 1, occurred_at=long_ago)
    await shop.stock(other, item, 5)
    await sell(shop, store, item, 2)

    async def quantities(asked: str) -> list[int]:
        found: list[int] = []
        cursor = ""
        while True:
            answer = await office.get(f"/v1/stock/{item.sku}/history?limit=1&{asked}{cursor}")
            assert answer.status_code == 200, answer.text
            found += [entry["quantity"] for entry in answer.json()["items"]]
            if answer.json()["next_cursor"] is None:
                return found
            cursor = f"&cursor={answer.json()['next_cursor']}"

    assert await quantities("") == [2, 5, 10, 1]
    assert await quantities("clock=recorded") == [2, 5, 1, 10]
    assert await quantities(f"clock=recorded&from={query(middle)}") == [2, 5, 1]
    assert await quantities(f"clock=recorded&until={query(middle)}") == [10]
    assert await quantities(f"from={query(middle)}") == [2, 5]
    assert await quantities(f"from={query(long_ago)}&until={query(middle)}") == [10, 1]
    assert await quantities(f"until={query(long_ago)}") == []
    assert await quantities(f"location={store.code}&clock=recorded") == [2, 1, 10]


@pytest.mark.parametrize("address", ["levels", "value"])
@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ("as_of=2999-01-01T00:00:00Z", 422, "not-past"),
        ("as_of=2026-01-01T00:00:00", 400, "bad-input"),
        ("as_of=2026-02-31T00:00:00Z", 400, "bad-input"),
        ("clock=mine", 400, "bad-input"),
        ("location=nowhere", 404, "unknown-location"),
    ],
)
async def test_what_is_refused(office: Client, address: str, asked: str, status: int, code: str) -> None:
    answer = await office.get(f"/v1/stock/{address}?{asked}")
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")


async def test_another_stores_books_are_closed(shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    manager = await shop.staff("store_manager", store.code)
    for address in ("levels", "value"):
        answer = await manager.get(f"/v1/stock/{address}?location={other.code}")
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-your-stock")
    answer = await manager.get("/v1/stock/levels?sku=NO-SUCH")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-sku")


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
async def test_a_moment_that_no_calendar_has_in_utc(shop: Shop, office: Client, at: str) -> None:
    store, item = await shop.store(), await shop.item()
    await receive(shop, store, item, 3, 40_000, clock())
    for path, name in (
        ("/v1/stock/levels", "as_of"),
        ("/v1/stock/value", "as_of"),
        ("/v1/stock/export", "since"),
        (f"/v1/stock/{item.sku}/history", "from"),
        (f"/v1/stock/{item.sku}/history", "until"),
    ):
        refused = await office.get(f"{path}?{name}={quote(at)}")
        assert (refused.status_code, refused.json()["type"]) == (400, "/problems/bad-input"), path
        assert refused.json()["errors"] == [{"pointer": name, "detail": "Out of the years 1 to 9999 in UTC"}]
    line = {"location": store.code, "sku": item.sku, "quantity": 3}
    refused = await office.post("/v1/stock/comparisons", {"lines": [line], "as_of": at})
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/bad-input")
    forged = base64.urlsafe_b64encode(f'["{at}","{uuid7()}"]'.encode()).decode().rstrip("=")
    refused = await office.get(f"/v1/transfers?cursor={forged}")
    assert (refused.status_code, refused.json()["type"]) == (400, "/problems/bad-cursor")


async def test_a_cost_with_too_many_zeros_does_not_hide_what_the_rest_is_worth(shop: Shop, office: Client) -> None:
    store, other, item, fine = await shop.store(), await shop.store(), await shop.item(), await shop.item()
    staff = await shop.staff("associate", store.code)
    line = {"sku": item.sku, "quantity": 1_000_000, "unit_cost": 10**15}
    assert (await staff.post(f"/v1/stores/{store.code}/receipts", {"lines": [line]})).status_code == 201
    await receive(shop, other, fine, 3, 40_000, clock())
    worth = {}
    for query_of in ("", f"&as_of={query(await now(shop.db))}"):
        for place in (store, other):
            answer = await office.get(f"/v1/stock/value?location={place.code}{query_of}")
            assert answer.status_code == 200, answer.text
            worth[place.code] = answer.json()["total"]["at_cost"]["amount"]
        assert worth == {store.code: 10**15, other.code: 120_000}
    manager = await shop.staff("store_manager", store.code)
    given_up = {"lines": [{"sku": item.sku, "quantity": 1_000_000, "bucket": "available"}], "reason": "write_off"}
    assert (await manager.post(f"/v1/stores/{store.code}/write-offs", given_up)).status_code == 201
    day = clock().astimezone(ZoneInfo("Europe/Moscow")).date()
    report = (await manager.get(f"/v1/stock/shrinkage?from={day}&until={day}")).json()
    assert (report["units"], report["at_cost"]["amount"]) == (1_000_000, 10**15)
