"""Facts published by `locations`."""

from __future__ import annotations

from typing import ClassVar

from commerce.kernel.events import Event


class LocationCreated(Event, frozen=True, kw_only=True):
    """A warehouse or store exists."""

    type: ClassVar[str] = "location.created"
    aggregate: ClassVar[str] = "location"
    code: str


class LocationChanged(Event, frozen=True, kw_only=True):
    """Its data changed: `fields` names which."""

    type: ClassVar[str] = "location.changed"
    aggregate: ClassVar[str] = "location"
    code: str
    fields: list[str]
