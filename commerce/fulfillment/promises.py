"""When goods can be where they are wanted: opening hours, exceptions, preparation, backlog, cut-offs, departures. Pure.

Every function takes the moment from which the work may begin and answers None when a location does not open any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from commerce.fulfillment.schemas import Promise
from commerce.locations import Departure, Link, Location, schedule

HANDLING_DAYS = 1
"""Announced goods are on the shelf so many days after the day they are expected, at opening."""


def pickup_promise(location: Location, at: datetime, waiting: int = 0) -> Promise | None:
    """Ready from … and kept until …, for an order placed at a moment while `waiting` others are still to be prepared.

    Preparation counts only minutes in which the store works on pickups; each order that waits adds the store's backlog minutes.
    Work on an order after the day's cut-off begins at the next day's opening. It is kept until the counter closes on the last of
    `kept_days` days.
    """
    ready = prepared_at(location, at, waiting, pickup=True)
    return None if ready is None else Promise(from_at=ready, until_at=kept_until(location, ready))


def prepared_at(location: Location, at: datetime, waiting: int = 0, *, pickup: bool = False) -> datetime | None:
    """When goods are prepared that are asked for at a moment: to be sent, or to be handed out at the counter."""
    minutes = location.preparation_minutes + waiting * location.backlog_minutes
    return schedule.add_open_minutes(location, _begin(location, at), minutes, pickup=pickup)


def kept_until(location: Location, ready_at: datetime) -> datetime:
    """Until when a pickup that is ready is kept: closing time of the last local day, its midnight when closed that day."""
    last_day = location.business_date(ready_at) + timedelta(days=location.kept_days)
    hours = schedule.opening(location, last_day, pickup=True)
    if hours is not None:
        return hours.until_at
    return datetime.combine(last_day + timedelta(days=1), time(0), tzinfo=location.zone).astimezone(UTC)


def next_departure(location: Location, departures: Sequence[Departure] | None, at: datetime) -> datetime | None:
    """When what is ready at a moment leaves a location; at once when it sends at any hour. Nothing leaves on a day it is closed."""
    if departures is None:
        return at.astimezone(UTC)
    first, zone = location.business_date(at), location.zone
    for ahead in range(schedule.HORIZON_DAYS):
        day = first + timedelta(days=ahead)
        times = [departure.at for departure in departures if departure.weekday == day.isoweekday()]
        leaves = [moment for moment in (schedule.moment(day, clock, zone) for clock in times) if moment >= at]
        if leaves and schedule.opening(location, day) is not None:
            return min(leaves)
    return None


def arrival(source: Location, link: Link, at: datetime, waiting: int = 0) -> datetime | None:
    """When goods that a source is asked for at a moment arrive at the end of its link: prepared, the next departure, the way."""
    ready = prepared_at(source, at, waiting)
    leaves = None if ready is None else next_departure(source, link.departures, ready)
    return None if leaves is None else leaves + timedelta(hours=link.transit_hours)


def ship_to_store_promise(
    store: Location, source: Location, link: Link, at: datetime, *, waiting: int = 0, source_waiting: int = 0
) -> Promise | None:
    """Ready from … and kept until … at a store, for goods that come from a source: what arrives is prepared like an order then."""
    arrives = arrival(source, link, at, source_waiting)
    return None if arrives is None else pickup_promise(store, arrives, waiting)


def on_shelf_at(location: Location, expected_on: date, at: datetime) -> datetime | None:
    """When announced goods can be worked on: at the first opening a day after they are expected; what is late, after today."""
    day = max(expected_on, location.business_date(at)) + timedelta(days=HANDLING_DAYS)
    return schedule.next_open(location, datetime.combine(day, time(0), tzinfo=location.zone), pickup=False)


def _begin(location: Location, at: datetime) -> datetime:
    """From when the work on an order counts: after the day's cut-off, from the next day on."""
    local = at.astimezone(location.zone)
    if location.cut_off is None or local.time() < time.fromisoformat(location.cut_off):
        return at
    return datetime.combine(local.date() + timedelta(days=1), time(0), tzinfo=location.zone).astimezone(UTC)
