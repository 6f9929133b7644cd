"""The rooms that keep something about people: whichever front door offers to export and to erase it."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from typing import Any, Protocol
from uuid import UUID

from commerce import ROOMS
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor


class Export(Protocol):
    """What a room keeps about a person, given all his ids."""

    def __call__(self, tx: Tx, *, ids: Sequence[UUID]) -> Awaitable[dict[str, Any]]: ...


class Erase(Protocol):
    """Forgets in a room what tells who a person was, given all his ids. Twice is once."""

    def __call__(self, tx: Tx, actor: Actor, *, ids: Sequence[UUID]) -> Awaitable[None]: ...


def _offers(verb: str) -> list[tuple[str, Callable[..., Any]]]:
    found = []
    for room in ROOMS:
        door = importlib.import_module(f"commerce.{room}")
        if verb in getattr(door, "__all__", ()):
            found.append((room, getattr(door, verb)))
    return found


@cache
def exporters() -> list[tuple[str, Export]]:
    """Every room that keeps something about people, from the ground up, and how it tells it."""
    return [(room, verb) for room, verb in _offers("export_person")]


@cache
def erasers() -> list[tuple[str, Erase]]:
    """Every room that keeps something about people, in the order of the locks: carts before orders, orders before returns."""
    return [(room, verb) for room, verb in _offers("erase_person")]
