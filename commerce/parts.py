"""What the composition roots collect from the rooms: routes, subscribers, periodic work, invariants."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from typing import Any

from commerce import ROOMS
from commerce.infra.audit import Invariant, delivered
from commerce.infra.outbox import AidedPeriodic, Periodic, Subscriber


def _collect(part: str, name: str) -> list[Any]:
    found: list[Any] = []
    for room in ROOMS:
        if find_spec(f"commerce.{room}.{part}") is not None:
            found.extend(getattr(importlib.import_module(f"commerce.{room}.{part}"), name, ()))
    return found


def routes() -> list[Any]:
    """The route handlers of every room: `ROUTES` of its routes.py."""
    return _collect("routes", "ROUTES")


def development_routes() -> list[Any]:
    """What only developers and tests may call: `DEVELOPMENT_ROUTES` of every routes.py. Never mounted in production."""
    return _collect("routes", "DEVELOPMENT_ROUTES")


def subscribers() -> list[Subscriber]:
    """`SUBSCRIBERS` of every tasks.py."""
    return _collect("tasks", "SUBSCRIBERS")


def periodic() -> list[Periodic | AidedPeriodic]:
    """`PERIODIC` of every tasks.py."""
    return _collect("tasks", "PERIODIC")


def invariants() -> list[Invariant]:
    """`INVARIANTS` of every audit.py, in the order of DESIGN 14."""
    found = [*_collect("audit", "INVARIANTS"), delivered(subscribers())]
    return sorted(found, key=lambda invariant: invariant.number)
