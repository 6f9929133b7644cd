"""Supply: what suppliers have announced, and what came of it (DESIGN 6).

Owns the announcements and their receiving: in parts, over, short or damaged, each with its reason. Promises: what is announced is a
plan that reservations may stand on (`stock.expected`), never a movement; what has arrived is one posting per receipt.
"""

from __future__ import annotations

__all__: list[str] = []
