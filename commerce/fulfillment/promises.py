"""When a pickup can be ready: opening hours, exceptions, preparation minutes, the cut-off. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from commerce.fulfillment.schemas import Promise
from commerce.locations import Location, schedule


def pickup_promise(location: Location, at: datetime) -> Promise | None:
    """Ready from … and kept until …, for an order placed at a moment; None when the store does not open any more.

    Preparation counts only minutes in which the store works on pickups. Work on an order after the day's cut-off begins at the
    next day's opening. It is kept until the counter closes on the last of `kept_days` days.
    """
    begins = _begin(location, at)
    if begins is None:
        return None
    ready = schedule.add_open_minutes(location, begins, location.preparation_minutes)
    if ready is None:
        return None
    return Promise(from_at=ready, until_at=kept_until(location, ready))


def kept_until(location: Location, ready_at: datetime) -> datetime:
    """Until when a pickup that is ready is kept: closing time of the last local day, its midnight when closed that day."""
    last_day = location.business_date(ready_at) + timedelta(days=location.kept_days)
    hours = schedule.opening(location, last_day, pickup=True)
    if hours is not None:
        return hours.until_at
    return datetime.combine(last_day + timedelta(days=1), time(0), tzinfo=location.zone).astimezone(UTC)


def _begin(location: Location, at: datetime) -> datetime | None:
    opens = schedule.next_open(location, at)
    if opens is None or location.cut_off is None or location.business_date(opens) != location.business_date(at):
        return opens
    local = at.astimezone(location.zone)
    if local.time() < time.fromisoformat(location.cut_off):
        return opens
    tomorrow = datetime.combine(local.date() + timedelta(days=1), time(0), tzinfo=location.zone)
    return schedule.next_open(location, tomorrow)
