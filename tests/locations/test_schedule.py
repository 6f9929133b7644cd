"""Opening hours as moments, in every kind of day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import msgspec
import pytest

from commerce.kernel.ids import uuid7
from commerce.locations import Location, distance_metres, parse_near, schedule
from commerce.locations.errors import BadNear
from commerce.locations.schedule import Opening

WEEK = [{"weekday": day, "opens": "10:00", "closes": "22:00"} for day in range(1, 7)] + [
    {"weekday": 7, "opens": "11:00", "closes": "20:00"}
]


def place(**values: Any) -> Location:
    row: dict[str, Any] = {
        "id": uuid7(), "code": "x", "name": {"en": "X"}, "kind": "store", "legal_entity": "own", "roles": ["pickup", "sells"],
        "tax_zone": "RU", "latitude_e6": 0, "longitude_e6": 0, "address": {}, "time_zone": "Europe/Moscow", "hours": WEEK,
        "pickup_hours": None, "exceptions": [], "preparation_minutes": 60, "cut_off": None, "kept_days": 5,
        "opened_on": "2020-01-01", "closed_on": None, "paused_until": None, "paused_reason": None,
    }  # fmt: skip
    return msgspec.convert(row | values, Location)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_day_of_the_week() -> None:
    assert schedule.intervals(place(), date(2026, 5, 6)) == [Opening(utc("2026-05-06T07:00"), utc("2026-05-06T19:00"))]
    assert schedule.opening(place(), date(2026, 5, 10)) == Opening(utc("2026-05-10T08:00"), utc("2026-05-10T17:00"))


def test_a_break_makes_two_intervals_and_one_opening() -> None:
    hours = [{"weekday": 3, "opens": "15:00", "closes": "24:00"}, {"weekday": 3, "opens": "10:00", "closes": "14:00"}]
    split = place(hours=hours)
    assert schedule.intervals(split, date(2026, 5, 6)) == [
        Opening(utc("2026-05-06T07:00"), utc("2026-05-06T11:00")),
        Opening(utc("2026-05-06T12:00"), utc("2026-05-06T21:00")),
    ]
    assert schedule.opening(split, date(2026, 5, 6)) == Opening(utc("2026-05-06T07:00"), utc("2026-05-06T21:00"))
    assert schedule.opening(split, date(2026, 5, 7)) is None


def test_exceptions_replace_the_week() -> None:
    changed = place(
        exceptions=[
            {"on": "2026-12-31", "opens": "10:00", "closes": "18:00", "reason": "New Year's Eve"},
            {"on": "2027-01-01", "closed": True},
        ]
    )
    assert schedule.opening(changed, date(2026, 12, 31)) == Opening(utc("2026-12-31T07:00"), utc("2026-12-31T15:00"))
    assert schedule.intervals(changed, date(2027, 1, 1)) == []
    assert schedule.next_open(changed, utc("2026-12-31T15:00")) == utc("2027-01-02T07:00")


def test_pickup_hours_are_the_doors_when_there_are_none_of_their_own() -> None:
    counter = place(pickup_hours=[{"weekday": 3, "opens": "12:00", "closes": "16:00"}])
    assert schedule.opening(counter, date(2026, 5, 6), pickup=True) == Opening(
        utc("2026-05-06T09:00"), utc("2026-05-06T13:00")
    )
    assert schedule.opening(place(), date(2026, 5, 6), pickup=True) == schedule.opening(place(), date(2026, 5, 6))
    assert schedule.next_open(counter, utc("2026-05-06T13:00")) == utc("2026-05-13T09:00")
    assert schedule.next_open(counter, utc("2026-05-06T13:00"), pickup=False) == utc("2026-05-06T13:00")


def test_twenty_four_hours_end_at_midnight_of_the_place() -> None:
    always = place(
        hours=[{"weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(1, 8)],
        time_zone="Asia/Vladivostok",
    )
    assert schedule.close_of(always, utc("2026-05-06T13:59")) == utc("2026-05-06T14:00")
    assert schedule.close_of(always, utc("2026-05-06T14:00")) == utc("2026-05-07T14:00")
    assert schedule.add_open_minutes(always, utc("2026-05-06T13:30"), 60) == utc("2026-05-06T14:30")


@pytest.mark.parametrize(
    ("day", "from_at", "until_at"),
    [
        (date(2026, 3, 28), "2026-03-28T01:30", "2026-03-28T22:00"),
        (date(2026, 3, 29), "2026-03-29T01:30", "2026-03-29T21:00"),
        (date(2026, 10, 25), "2026-10-25T00:30", "2026-10-25T22:00"),
    ],
)
def test_days_on_which_the_clocks_change(day: date, from_at: str, until_at: str) -> None:
    hours = [{"weekday": n, "opens": "02:30", "closes": "23:00"} for n in range(1, 8)]
    berlin = place(hours=hours, time_zone="Europe/Berlin")
    assert schedule.opening(berlin, day) == Opening(utc(from_at), utc(until_at))


def test_a_closing_time_that_happens_twice_is_the_later_one() -> None:
    night = place(hours=[{"weekday": 7, "opens": "00:00", "closes": "02:30"}], time_zone="Europe/Berlin")
    assert schedule.opening(night, date(2026, 10, 25)) == Opening(utc("2026-10-24T22:00"), utc("2026-10-25T01:30"))


def test_next_open_is_the_moment_itself_while_open() -> None:
    assert schedule.next_open(place(), utc("2026-05-06T08:15")) == utc("2026-05-06T08:15")
    assert schedule.next_open(place(), utc("2026-05-06T19:00")) == utc("2026-05-07T07:00")
    assert schedule.next_open(place(hours=[]), utc("2026-05-06T19:00")) is None


def test_nothing_is_open_before_the_opening_and_from_the_closing_for_good_on() -> None:
    short = place(opened_on="2026-05-06", closed_on="2026-05-08")
    assert [len(schedule.intervals(short, date(2026, 5, day))) for day in range(5, 10)] == [0, 1, 1, 0, 0]
    assert schedule.next_open(short, utc("2026-05-01T00:00")) == utc("2026-05-06T07:00")
    assert schedule.next_open(short, utc("2026-05-07T19:00")) is None


def test_minutes_run_only_while_open() -> None:
    assert schedule.add_open_minutes(place(), utc("2026-05-06T18:30"), 30) == utc("2026-05-06T19:00")
    assert schedule.add_open_minutes(place(), utc("2026-05-06T18:30"), 31) == utc("2026-05-07T07:01")
    assert schedule.add_open_minutes(place(), utc("2026-05-06T03:00"), 0) == utc("2026-05-06T07:00")
    assert schedule.add_open_minutes(place(), utc("2026-05-06T08:00"), 0) == utc("2026-05-06T08:00")
    assert schedule.add_open_minutes(place(hours=[]), utc("2026-05-06T08:00"), 10) is None


def test_why_a_role_cannot_be_used() -> None:
    shop = place(
        time_zone="Asia/Vladivostok",
        opened_on="2026-05-06",
        closed_on="2026-06-01",
        paused_until="2026-05-10T00:00:00Z",
    )
    assert shop.refusal("ships", utc("2026-05-20T00:00")) == "no_role"
    assert shop.refusal("pickup", utc("2026-05-05T13:59")) == "not_open_yet"
    assert shop.refusal("pickup", utc("2026-05-05T14:00")) == "paused"
    assert shop.refusal("pickup", utc("2026-05-10T00:00")) is None
    assert shop.may("pickup", utc("2026-05-31T13:59"))
    assert shop.refusal("pickup", utc("2026-05-31T14:00")) == "closed"
    assert shop.business_date(utc("2026-05-31T14:00")) == date(2026, 6, 1)


def test_distances_are_whole_metres() -> None:
    assert distance_metres(55_755_800, 37_617_300, 55_755_800, 37_617_300) == 0
    assert distance_metres(55_755_800, 37_617_300, 59_934_300, 30_335_100) == 633_021
    assert distance_metres(0, 179_999_999, 0, -179_999_999) == 0
    assert distance_metres(90_000_000, 0, -90_000_000, 0) == 20_015_112


def test_a_point_from_text() -> None:
    assert parse_near("55.7558, 37.6173") == (55_755_800, 37_617_300)
    for wrong in ("", "55", "91,0", "0,181", "a,b", "1,2,3", "nan,0"):
        with pytest.raises(BadNear):
            parse_near(wrong)
