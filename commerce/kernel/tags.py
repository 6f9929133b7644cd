"""Which state of a thing the caller saw, as he says it in If-Match."""

from __future__ import annotations

from uuid import UUID

from msgspec import Struct


class Seen(Struct, frozen=True):
    """A version; None for `*`, whatever it is. `mark` tells things apart that follow each other under one address."""

    version: int | None
    mark: int | None = None

    def is_of(self, version: int, mark: int) -> bool:
        """Whether this is the state that was seen."""
        return self.version is None or (self.version == version and self.mark in (None, mark))


ANY = Seen(None)
"""Whatever it is."""


def mark_of(thing: UUID | None) -> int:
    """A number that two things hardly share; 0 of nothing."""
    return 0 if thing is None else thing.int % 1_000_000_000


def names(header: str, tag: str) -> bool:
    """Whether If-None-Match names this ETag (RFC 9110 section 13.1.2)."""
    return any(one.strip().removeprefix("W/") in ("*", f'"{tag}"') for one in header.split(","))
