"""When a pickup can be ready."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from commerce.fulfillment import pickup_promise
from commerce.fulfillment.promises import (
    arrival,
    kept_until,
    next_departure,
    on_shelf_at,
    prepared_at,
    ship_to_store_promise,
)
from commerce.kernel.ids import uuid7
from commerce.locations import Departure, Link, Location
from tests.support import EVERY_DAY

TEN_TO_TEN = [{"weekday": day, "opens": "10:00", "closes": "22:00"} for day in range(1, 8)]
MOSCOW = ZoneInfo("Europe/Moscow")


def store(**values: Any) -> Location:
    row: dict[str, Any] = {
        "id": uuid7(), "code": "store", "name": {"en": "Store"}, "kind": "store", "legal_entity": "own", "roles": frozenset({"pickup"}),
        "tax_zone": "RU", "latitude_e6": 0, "longitude_e6": 0, "address": {}, "time_zone": "Europe/Moscow", "hours": TEN_TO_TEN,
        "pickup_hours": None, "exceptions": [], "preparation_minutes": 60, "cut_off": None, "kept_days": 5,
        "opened_on": date(2020, 1, 1), "closed_on": None, "paused_until": None, "paused_reason": None,
    }  # fmt: skip
    return msgspec.convert(row | values, Location)


def local(day: int, clock: str, zone: ZoneInfo = MOSCOW) -> datetime:
    return datetime.fromisoformat(f"2026-03-{day:02d}T{clock}").replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("values", "placed", "ready", "until"),
    [
        pytest.param({}, (10, "12:00"), (10, "13:00"), (15, "22:00"), id="while open"),
        pytest.param({}, (10, "21:30"), (11, "10:30"), (16, "22:00"), id="over the night"),
        pytest.param({}, (10, "21:00"), (10, "22:00"), (15, "22:00"), id="to the last minute"),
        pytest.param({}, (10, "03:00"), (10, "11:00"), (15, "22:00"), id="before opening"),
        pytest.param({"cut_off": "18:00"}, (10, "17:59"), (10, "18:59"), (15, "22:00"), id="before the cut-off"),
        pytest.param({"cut_off": "18:00"}, (10, "18:00"), (11, "11:00"), (16, "22:00"), id="after the cut-off"),
        pytest.param({"cut_off": "18:00"}, (10, "23:00"), (11, "11:00"), (16, "22:00"), id="after closing and cut-off"),
        pytest.param({"preparation_minutes": 0}, (10, "12:00"), (10, "12:00"), (15, "22:00"), id="at once"),
        pytest.param({"preparation_minutes": 1500}, (10, "12:00"), (12, "13:00"), (17, "22:00"), id="two days of work"),
        pytest.param(
            {"exceptions": [{"on": "2026-03-11", "closed": True}, {"on": "2026-03-17", "closed": True}]},
            (10, "21:30"), (12, "10:30"), (18, "00:00"), id="closed days",
        ),
        pytest.param(
            {"pickup_hours": [{"weekday": 2, "opens": "15:00", "closes": "20:00"}], "kept_days": 7},
            (10, "12:00"), (10, "16:00"), (17, "20:00"), id="pickup counter's own hours",
        ),
    ],
)  # fmt: skip
def test_ready_from_and_kept_until(
    values: dict[str, Any], placed: tuple[int, str], ready: tuple[int, str], until: tuple[int, str]
) -> None:
    promise = pickup_promise(store(**values), local(*placed))
    assert promise is not None
    assert (promise.from_at, promise.until_at) == (local(*ready), local(*until))


def test_in_the_zone_of_the_store() -> None:
    zone = ZoneInfo("Asia/Vladivostok")
    promise = pickup_promise(store(time_zone="Asia/Vladivostok"), local(10, "12:00", zone))
    assert promise is not None
    assert promise.from_at == local(10, "13:00", zone)


def test_round_the_clock() -> None:
    promise = pickup_promise(store(hours=EVERY_DAY), local(10, "23:30"))
    assert promise is not None
    assert promise.from_at == local(11, "00:30")
    assert promise.until_at == local(17, "00:00")


def test_a_store_that_closes_for_good_promises_nothing() -> None:
    assert pickup_promise(store(closed_on=date(2026, 3, 10)), local(10, "12:00")) is None
    assert pickup_promise(store(closed_on=date(2026, 3, 11)), local(10, "21:30")) is None


def test_kept_until_the_last_day_closes() -> None:
    assert kept_until(store(kept_days=1), local(10, "21:59")) == local(11, "22:00")


@pytest.mark.parametrize(
    ("waiting", "ready"),
    [(0, (10, "13:00")), (3, (10, "13:30")), (54, (10, "22:00")), (55, (11, "10:10"))],
)
def test_orders_that_wait_are_prepared_first(waiting: int, ready: tuple[int, str]) -> None:
    promise = pickup_promise(store(backlog_minutes=10), local(10, "12:00"), waiting)
    assert promise is not None
    assert promise.from_at == local(*ready)


def test_a_sender_works_in_its_own_hours_not_in_those_of_its_counter() -> None:
    counter = [{"weekday": day, "opens": "15:00", "closes": "20:00"} for day in range(1, 8)]
    place = store(pickup_hours=counter)
    assert prepared_at(place, local(10, "12:00")) == local(10, "13:00")
    assert prepared_at(place, local(10, "12:00"), pickup=True) == local(10, "16:00")


TUESDAY_AND_FRIDAY = (
    Departure(weekday=2, at="18:00"),
    Departure(weekday=5, at="07:00"),
    Departure(weekday=2, at="06:00"),
)


@pytest.mark.parametrize(
    ("values", "ready", "leaves"),
    [
        pytest.param({}, (10, "05:00"), (10, "06:00"), id="the first of a day"),
        pytest.param({}, (10, "18:00"), (10, "18:00"), id="just in time"),
        pytest.param({}, (10, "18:01"), (13, "07:00"), id="too late"),
        pytest.param({"exceptions": [{"on": "2026-03-13", "closed": True}]}, (10, "18:01"), (17, "06:00"), id="a holiday"),
    ],
)  # fmt: skip
def test_the_next_departure(values: dict[str, Any], ready: tuple[int, str], leaves: tuple[int, str]) -> None:
    assert next_departure(store(**values), TUESDAY_AND_FRIDAY, local(*ready)) == local(*leaves)


def test_a_departure_keeps_its_local_time_over_the_change_of_clocks() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    place = store(time_zone="Europe/Berlin")
    sundays = (Departure(weekday=7, at="12:00"),)
    assert next_departure(place, sundays, local(28, "13:00", berlin)) == datetime(2026, 3, 29, 10, tzinfo=UTC)
    assert next_departure(place, sundays, local(22, "11:00", berlin)) == datetime(2026, 3, 22, 11, tzinfo=UTC)
    missing = (Departure(weekday=7, at="02:30"),)
    assert next_departure(place, missing, local(28, "13:00", berlin)) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_without_departures_it_leaves_when_it_is_ready_and_without_any_left_never() -> None:
    at = local(10, "12:00")
    assert next_departure(store(), None, at) == at
    assert next_departure(store(hours=[]), TUESDAY_AND_FRIDAY, at) is None
    assert next_departure(store(), (), at) is None


def link(transit_hours: int = 20, departures: tuple[Departure, ...] | None = None) -> Link:
    return Link(
        location_id=uuid7(),
        source_id=uuid7(),
        priority=0,
        transit_hours=transit_hours,
        departures=departures,
        cost_amount=0,
    )


@pytest.mark.parametrize(
    ("source", "way", "target", "placed", "ready"),
    [
        # the source: ready 13:00, there 9:00 the next day, opens 10:00, prepared 11:00
        pytest.param({}, {}, {}, (10, "12:00"), (11, "11:00"), id="at any hour"),
        pytest.param({}, {"departures": TUESDAY_AND_FRIDAY}, {}, (10, "12:00"), (11, "15:00"), id="with the evening's departure"),
        pytest.param({}, {"departures": TUESDAY_AND_FRIDAY}, {}, (10, "17:30"), (14, "11:00"), id="missed it"),
        pytest.param({"cut_off": "12:00"}, {}, {}, (10, "12:00"), (12, "11:00"), id="after the source's cut-off"),
        pytest.param({}, {"transit_hours": 30}, {"cut_off": "18:00"}, (10, "12:00"), (12, "11:00"), id="there after the store's cut-off"),
        pytest.param(
            {}, {}, {"exceptions": [{"on": "2026-03-11", "closed": True}]}, (10, "12:00"), (12, "11:00"), id="the store's holiday",
        ),
        pytest.param({"time_zone": "Asia/Vladivostok"}, {}, {}, (10, "15:30"), (12, "11:00"), id="a source seven hours ahead is closed"),
    ],
)  # fmt: skip
def test_ship_to_store(
    source: dict[str, Any], way: dict[str, Any], target: dict[str, Any], placed: tuple[int, str], ready: tuple[int, str]
) -> None:  # fmt: skip
    promise = ship_to_store_promise(store(**target), store(**source), link(**way), local(*placed))
    assert promise is not None
    assert promise.from_at == local(*ready)
    assert promise.until_at == kept_until(store(**target), local(*ready))


def test_the_backlog_of_both_ends_counts() -> None:
    ends = store(backlog_minutes=30), store(backlog_minutes=30)
    promise = ship_to_store_promise(*ends, link(24), local(10, "12:00"), waiting=2, source_waiting=4)
    assert promise is not None
    assert arrival(ends[1], link(24), local(10, "12:00"), 4) == local(11, "15:00")
    assert promise.from_at == local(11, "17:00")
    assert ship_to_store_promise(store(), store(hours=[]), link(), local(10, "12:00")) is None
    assert ship_to_store_promise(store(hours=[]), store(), link(), local(10, "12:00")) is None


@pytest.mark.parametrize(
    ("values", "expected", "ready"),
    [
        pytest.param({}, 12, (13, "10:00"), id="a day later, at opening"),
        pytest.param({}, 8, (11, "10:00"), id="late: tomorrow"),
        pytest.param({"exceptions": [{"on": "2026-03-13", "closed": True}]}, 12, (14, "10:00"), id="a holiday"),
        pytest.param({"hours": EVERY_DAY}, 12, (13, "00:00"), id="round the clock"),
    ],
)
def test_announced_goods_can_be_worked_on(values: dict[str, Any], expected: int, ready: tuple[int, str]) -> None:
    assert on_shelf_at(store(**values), date(2026, 3, expected), local(10, "12:00")) == local(*ready)


def test_announced_goods_are_then_prepared_like_an_order() -> None:
    start = on_shelf_at(store(), date(2026, 3, 12), local(10, "12:00"))
    assert start is not None
    promise = pickup_promise(store(), start, 0)
    assert promise is not None
    assert promise.from_at == local(13, "11:00")
