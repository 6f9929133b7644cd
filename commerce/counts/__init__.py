"""Counts: what is really on the shelves, counted while the shop is open.

Owns count sessions, what was counted by whom, and the tasks that ask for one. Promises: movements during a count are reconciled;
a variance is posted once, after approval; a closed session never changes.
"""

from __future__ import annotations

__all__: list[str] = []
