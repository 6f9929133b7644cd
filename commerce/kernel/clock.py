"""Business time comes from an injected clock, so that replays, offline sales and clock tests work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def in_utc(moment: datetime) -> datetime:
    """An aware moment in UTC. Raises ValueError for the few that a calendar of years 1 to 9999 has only elsewhere."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("Out of the years 1 to 9999 in UTC") from error


def system_clock() -> datetime:
    """The machine's time, aware, UTC. The only call of `now` outside tests."""
    return datetime.now(UTC)
