"""Counts: what is really on the shelves, counted while the shop is open.

Owns count sessions, what was counted by whom, and the tasks that ask for one. Promises: movements during a count are reconciled;
a variance is posted once, after approval; a closed session never changes; a variant is in one live count of a location at most.
"""

from __future__ import annotations

from commerce.counts.queries import tasks_of
from commerce.counts.schemas import ApproveCount, CountEntry, EnterCount, OpenCount
from commerce.counts.service import approve, ask, enter, open_count, submit

__all__ = [
    "ApproveCount",
    "CountEntry",
    "EnterCount",
    "OpenCount",
    "approve",
    "ask",
    "enter",
    "open_count",
    "submit",
    "tasks_of",
]
