"""Transfers: goods on their way from one location to another (DESIGN 6).

Owns the documents, draft to received or cancelled, and what differed on arrival. Promises: goods leave their source when they are
dispatched, stand in transit at their destination, and are available there when they arrive; an order's commitment travels with its goods.
"""

from __future__ import annotations

__all__: list[str] = []
