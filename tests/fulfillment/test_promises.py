"""When a pickup can be ready."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from commerce.fulfillment import pickup_promise
from commerce.fulfillment.promises import kept_until
from commerce.kernel.ids import uuid7
from commerce.locations import Location
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
