"""What the simulator knows of goods: what the books must say, kept from the documents alone, and what really stands on the shelves.

A spot is (number of the place, number of the item). Bundles have no spot. The books of a level are four numbers: what is for sale, promised
or not; in quality control; damaged; on the way there. What is promised to whom is for the audit to check.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

Spot = tuple[int, int]
BUCKETS = ("available", "quality_control", "damaged", "way")


@dataclass
class Goods:
    """Plain counters."""

    books: defaultdict[Spot, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: dict.fromkeys(BUCKETS, 0))
    )
    really: defaultdict[Spot, int] = field(default_factory=lambda: defaultdict(int))
    """Units on the shelf, whatever the books say. What is not for sale is always booked when it happens."""
    past: list[tuple[datetime, Spot, int]] = field(default_factory=list)
    """What the shelf's books gained or lost, by when it happened."""

    def book(self, spot: Spot, bucket: str, units: int, at: datetime) -> None:
        """So many units more in a bucket, or less: never below zero."""
        self.books[spot][bucket] += units
        assert self.books[spot][bucket] >= 0, f"less than nothing in {bucket} of {spot}"
        if bucket == "available" and units:
            self.past.append((at, spot, units))

    def has(self, spot: Spot, bucket: str, units: int) -> bool:
        """Whether the books have so many."""
        return self.books[spot][bucket] >= units

    def sell(self, spot: Spot, units: int, at: datetime) -> None:
        """A sale has happened: what the books did not have they had not known."""
        self.books[spot]["available"] = max(0, self.books[spot]["available"] - units)
        self.past.append((at, spot, -units))

    def on_shelf_at(self, spot: Spot, at: datetime) -> int:
        """What the books say today of a moment in the past."""
        return self.books[spot]["available"] - sum(
            units for when, there, units in self.past if there == spot and when > at
        )
