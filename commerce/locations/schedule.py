"""Opening hours as moments: pure functions on a Location's hours, exceptions and time zone.

Local times become UTC through the IANA zone of the location, so a day of 23 or 25 hours is right: an opening time that does
not exist is taken after the change, a closing time that happens twice is the later one. `24:00` is the midnight that ends the day.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

from commerce.locations.schemas import Location

HORIZON_DAYS = 60
"""How far ahead an opening is looked for."""


class Opening(Struct, frozen=True):
    """Open from `from_at` until `until_at` (not included); both UTC."""

    from_at: datetime
    until_at: datetime


@lru_cache(maxsize=4096)
def moment(day: date, clock: str, zone: ZoneInfo, *, latest: bool = False) -> datetime:
    """The UTC moment of a local `HH:MM` (or `24:00`) on a day; `latest` takes the later of two."""
    if clock == "24:00":
        day, clock = day + timedelta(days=1), "00:00"
    local = datetime.combine(day, time.fromisoformat(clock), tzinfo=zone)
    first = local.replace(fold=0).astimezone(UTC)
    return max(first, local.replace(fold=1).astimezone(UTC)) if latest else first


def intervals(location: Location, day: date, *, pickup: bool = False) -> list[Opening]:
    """When the doors (or the pickup counter) are open on a local day, in order; empty when closed, not opened yet or closed for good."""
    if day < location.opened_on or (location.closed_on is not None and day >= location.closed_on):
        return []
    week = location.pickup_hours if pickup and location.pickup_hours is not None else location.hours
    pairs = [(entry.opens, entry.closes) for entry in week if entry.weekday == day.isoweekday()]
    exceptions = [entry for entry in location.exceptions if entry.on == day]
    if exceptions:
        changed = [(e.opens, e.closes) for e in exceptions if not e.closed and e.opens and e.closes]
        pairs = [(opens, closes) for opens, closes in changed if opens and closes]
    zone = location.zone
    found = [Opening(moment(day, opens, zone), moment(day, closes, zone, latest=True)) for opens, closes in pairs]
    return sorted((o for o in found if o.until_at > o.from_at), key=lambda o: o.from_at)


def opening(location: Location, day: date, *, pickup: bool = False) -> Opening | None:
    """From the first opening to the last closing of a local day; None when closed."""
    found = intervals(location, day, pickup=pickup)
    return Opening(found[0].from_at, max(o.until_at for o in found)) if found else None


def upcoming(location: Location, at: datetime, *, pickup: bool = False) -> Iterator[Opening]:
    """The openings that end after a moment, in order, within the horizon."""
    first = location.business_date(at) - timedelta(days=1)
    for ahead in range(HORIZON_DAYS + 2):
        for found in intervals(location, first + timedelta(days=ahead), pickup=pickup):
            if found.until_at > at:
                yield found


def is_open(location: Location, at: datetime, *, pickup: bool = False) -> bool:
    """Whether the doors (or the pickup counter) are open at a moment."""
    return close_of(location, at, pickup=pickup) is not None


def next_open(location: Location, at: datetime, *, pickup: bool = True) -> datetime | None:
    """The moment itself while open, else the next opening; None when there is none within 60 days."""
    for found in upcoming(location, at, pickup=pickup):
        return max(found.from_at, at.astimezone(UTC))
    return None


def close_of(location: Location, at: datetime, *, pickup: bool = True) -> datetime | None:
    """When the opening that contains a moment ends; None while closed. Openings that touch (24:00 and 00:00) are separate."""
    for found in upcoming(location, at, pickup=pickup):
        return found.until_at if found.from_at <= at else None
    return None


def add_open_minutes(location: Location, at: datetime, minutes: int, *, pickup: bool = True) -> datetime | None:
    """The moment when so many minutes of opening time have passed; None when there are not that many within 60 days.

    With nothing to wait for it is the next open moment. A whole opening may be used up to its last minute.
    """
    left = timedelta(minutes=minutes)
    for found in upcoming(location, at, pickup=pickup):
        start = max(found.from_at, at.astimezone(UTC))
        if start + left <= found.until_at and (left or start < found.until_at):
            return start + left
        left -= found.until_at - start
    return None
