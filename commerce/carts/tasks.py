"""What becomes of carts that nobody comes back to."""

from __future__ import annotations

from datetime import timedelta

from commerce.carts import expiry
from commerce.infra.db import Database, Tx
from commerce.infra.outbox import AidedPeriodic, Aids, Periodic, Recorded, Subscriber

BASKET_HOURS = 24
"""A device's basket lives to the next day of business at the latest."""


async def expire_kiosk_baskets(db: Database, aids: Aids) -> None:
    """Clear the screens of kiosks that were left, and what is personal in the baskets parked there."""
    idle = timedelta(seconds=aids.settings.kiosk_idle_seconds)
    while await db.write(expiry.expire_kiosk_baskets, idle=idle, announce=aids.announce) == expiry.CHUNK:
        pass
    while await db.write(expiry.forget_at_kiosks, idle=idle, announce=aids.announce) == expiry.CHUNK:
        pass


async def expire_baskets(db: Database, aids: Aids) -> None:
    """Close the baskets of devices, parked ones too, that are a day old."""
    idle = timedelta(hours=BASKET_HOURS)
    while await db.write(expiry.expire_baskets, idle=idle, announce=aids.announce) == expiry.CHUNK:
        pass


async def tell_abandoned(db: Database, aids: Aids) -> None:
    """Publish which carts lie idle with something in them."""
    idle = timedelta(minutes=aids.settings.cart_abandoned_minutes)
    while await db.write(expiry.tell_abandoned, idle=idle) == expiry.CHUNK:
        pass


async def forget_codes(db: Database) -> None:
    """Forget hand-off codes and visits that are over, a chunk per transaction."""
    while await db.write(expiry.forget_codes) == expiry.CHUNK:
        pass


async def look_again(tx: Tx, event: Recorded) -> None:
    """Who has signed up has just been here, and can be reached."""
    await expiry.look_again(tx, shopper=event.aggregate_id)


SUBSCRIBERS = [Subscriber("carts.look_again", "customer.signed_up", look_again)]
PERIODIC = [
    AidedPeriodic("carts.expire_kiosk_baskets", 5, expire_kiosk_baskets),
    AidedPeriodic("carts.expire_baskets", 300, expire_baskets),
    AidedPeriodic("carts.tell_abandoned", 60, tell_abandoned),
    Periodic("carts.forget_codes", 3600, forget_codes),
]
