"""Periodic work of the stock room, and what it does when the catalog changes."""

from __future__ import annotations

from commerce.infra.db import Database
from commerce.infra.outbox import Periodic, Subscriber
from commerce.kernel.actor import system
from commerce.stock import closings, safety, service

SWEEP = 500


async def sweep_expired(db: Database) -> None:
    """Give back what has expired, a chunk per transaction, until a chunk is not full."""
    while await db.write(service.sweep, system(), limit=SWEEP) == SWEEP:
        pass


PERIODIC = [
    Periodic("stock.sweep_expired", 30, sweep_expired),
    Periodic("stock.settle_safety", 30, safety.settle_left_over),
    Periodic("stock.close", 3600, closings.close_daily),
]
SUBSCRIBERS = [
    Subscriber("stock.safety_of_product", "product.saved", safety.product_saved),
    Subscriber("stock.safety_of_category", "category.moved", safety.category_moved),
]
