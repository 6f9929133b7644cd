"""Business time comes from an injected clock, so that replays, offline sales and clock tests work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The machine's time, aware, UTC. The only call of `now` outside tests."""
    return datetime.now(UTC)
