"""By when a method brings it: distance, preparation, cut-off, weekdays; and setting the methods."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from commerce.fulfillment.delivery import DeliveryMethod, delivery_promise
from tests.fulfillment.test_promises import TEN_TO_TEN, local, store
from tests.support import EVERY_DAY, Shop, unique

COURIER: dict[str, Any] = {
    "code": "courier", "name": {"en": "Courier"}, "kind": "shipping", "max_km": None, "weekdays": (1, 2, 3, 4, 5), "cut_off": "16:00",
    "bands": [{"up_to_km": 50, "days": 1}, {"up_to_km": 500, "days": 3}], "published": True, "position": 0,
}  # fmt: skip


def method(**values: Any) -> DeliveryMethod:
    return msgspec.convert(COURIER | values, DeliveryMethod)


@pytest.mark.parametrize(
    ("values", "metres", "days"),
    [
        ({}, 0, 1),
        ({}, 50_000, 1),
        ({}, 50_001, 3),
        ({}, 500_000, 3),
        ({}, 500_001, None),
        ({"max_km": 1000}, 1_000_000, 3),
        ({"max_km": 1000}, 1_000_001, None),
        ({"max_km": 30}, 30_001, None),
    ],
)
def test_days_by_distance(values: dict[str, Any], metres: int, days: int | None) -> None:
    assert method(**values).days_to(metres) == days


@pytest.mark.parametrize(
    ("location", "values", "ordered", "begin", "end"),
    [
        # 10 March 2026 is a Tuesday; the location opens from 10 to 22 and prepares for an hour
        pytest.param({}, {}, (10, "14:59"), (11, "00:00"), (12, "00:00"), id="before the cut-off"),
        pytest.param({}, {}, (10, "15:00"), (11, "00:00"), (12, "00:00"), id="prepared at the cut-off itself"),
        pytest.param({}, {}, (10, "15:01"), (12, "00:00"), (13, "00:00"), id="prepared after the cut-off"),
        pytest.param({}, {}, (13, "15:01"), (17, "00:00"), (18, "00:00"), id="after Friday's cut-off: leaves on Monday"),
        pytest.param({}, {}, (10, "02:00"), (11, "00:00"), (12, "00:00"), id="before opening"),
        pytest.param(
            {"exceptions": [{"on": "2026-03-11", "closed": True}]}, {}, (10, "20:00"), (13, "00:00"), (14, "00:00"), id="a holiday",
        ),
        pytest.param(
            {"cut_off": "12:00"}, {}, (10, "12:00"), (12, "00:00"), (13, "00:00"), id="the location's own cut-off",
        ),
        pytest.param(
            {}, {"bands": [{"up_to_km": 50, "days": 0}], "cut_off": None}, (10, "12:00"), (10, "13:00"), (11, "00:00"), id="the same day",
        ),
        pytest.param(
            {}, {"bands": [{"up_to_km": 50, "days": 0}]}, (10, "12:00"), (10, "16:00"), (11, "00:00"), id="the same day with a cut-off",
        ),
        pytest.param(
            {}, {"cut_off": None, "weekdays": (7,)}, (10, "12:00"), (16, "00:00"), (17, "00:00"), id="on Sundays only",
        ),
        pytest.param({"preparation_minutes": 24 * 60}, {}, (10, "12:00"), (13, "00:00"), (14, "00:00"), id="two days of work"),
    ],
)  # fmt: skip
def test_from_and_until(
    location: dict[str, Any], values: dict[str, Any], ordered: tuple[int, str], begin: tuple[int, str], end: tuple[int, str]
) -> None:  # fmt: skip
    promise = delivery_promise(method(**values), store(**location), 10_000, local(*ordered))
    assert promise is not None
    assert (promise.from_at, promise.until_at) == (local(*begin), local(*end))


def test_what_waits_there_comes_first() -> None:
    sender = store(backlog_minutes=60)
    at = local(10, "12:00")
    assert delivery_promise(method(), sender, 0, at, 3) == delivery_promise(method(), sender, 0, at)
    later = delivery_promise(method(), sender, 0, at, 4)
    assert later is not None
    assert later.from_at == local(12, "00:00")


def test_a_day_of_23_hours() -> None:
    zone = ZoneInfo("Europe/Berlin")
    sender = store(time_zone="Europe/Berlin", hours=EVERY_DAY)
    promise = delivery_promise(method(weekdays=(6,)), sender, 0, local(28, "10:00", zone))
    assert promise is not None
    assert (promise.until_at - promise.from_at).total_seconds() == 23 * 3600
    assert promise.from_at == datetime(2026, 3, 29, tzinfo=zone)


def test_nothing_out_of_reach_or_from_a_place_that_does_not_open() -> None:
    at = local(10, "12:00")
    assert delivery_promise(method(), store(), 500_001, at) is None
    assert delivery_promise(method(), store(hours=[]), 0, at) is None
    mondays = [entry for entry in TEN_TO_TEN if entry["weekday"] == 1]
    assert delivery_promise(method(weekdays=(2,)), store(hours=mondays), 0, at) is None


BODY: dict[str, Any] = {
    "name": {"ru": "Курьер", "en": "Courier"}, "kind": "local_delivery", "bands": [{"up_to_km": 20, "days": 0}, {"up_to_km": 60, "days": 1}],
    "weekdays": [3, 1], "cut_off": "14:00", "position": 7,
}  # fmt: skip


async def test_methods_are_made_changed_and_hidden(shop: Shop) -> None:
    office, shopper = await shop.staff("back_office", channel="back_office"), await shop.shopper()
    code = unique("courier")
    path = f"/v1/delivery-methods/{code}"
    made = await office.put(path, BODY)
    assert made.status_code == 200, made.text
    assert made.json() == BODY | {"code": code, "weekdays": [1, 3], "published": True, "max_km": None, "version": 1}
    assert made.headers["etag"] == '"1"'
    again = await office.put(path, BODY)
    assert again.json()["version"] == 1, "the same changes nothing"
    listed = {entry["code"]: entry for entry in (await shopper.get("/v1/delivery-methods")).json()["items"]}
    assert listed[code] == made.json()

    changed = await office.put(path, BODY | {"published": False, "max_km": 100}, headers={"If-Match": '"1"'})
    assert (changed.json()["version"], changed.json()["max_km"]) == (2, 100)
    stale = await office.put(path, BODY, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/delivery-method-changed")
    assert (stale.json()["seen"], stale.json()["version"]) == (1, 2)
    assert code not in {entry["code"] for entry in (await shopper.get("/v1/delivery-methods")).json()["items"]}
    assert code in {entry["code"] for entry in (await office.get("/v1/delivery-methods")).json()["items"]}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": {}}, "name"),
        ({"bands": [{"up_to_km": 20, "days": 1}, {"up_to_km": 20, "days": 2}]}, "bands"),
        ({"weekdays": [1, 1]}, "weekdays"),
    ],
)
async def test_contradictions_are_refused(shop: Shop, values: dict[str, Any], field: str) -> None:
    office = await shop.staff("back_office", channel="back_office")
    answer = await office.put(f"/v1/delivery-methods/{unique('courier')}", BODY | values)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/bad-delivery-method")
    assert answer.json()["field"] == field


async def test_only_the_back_office_sets_methods(shop: Shop) -> None:
    manager = await shop.staff("store_manager", "*")
    assert (await manager.put(f"/v1/delivery-methods/{unique('courier')}", BODY)).status_code == 403
    assert (await shop.anybody().get("/v1/delivery-methods")).status_code == 401
