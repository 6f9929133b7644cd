"""What `people` does when an order is placed, and what it forgets each day."""

from __future__ import annotations

from commerce.infra.db import Database, Tx
from commerce.infra.outbox import Periodic, Recorded, Subscriber
from commerce.kernel.actor import system
from commerce.people import retention, service

DAY_SECONDS = 86_400


async def keep_touches(tx: Tx, event: Recorded) -> None:
    """What had brought the customer here is kept with his order."""
    if event.payload["customer_id"] is not None:
        await service.keep_touches(tx, order_id=event.aggregate_id)


async def note_guest(tx: Tx, event: Recorded) -> None:
    """An anonymous shopper who has ordered is a guest from now on, found by his contact."""
    if event.payload["customer_id"] is not None:
        await service.note_guest(tx, system(event.channel), order_id=event.aggregate_id)


async def forget_answers(tx: Tx, event: Recorded) -> None:
    """What staff were answered about a person who is erased now would be kept for a day: it goes at once."""
    await service.forget_answers_about(tx, customer=event.aggregate_id)


async def keep_rules(db: Database) -> None:
    """Forget what is older than the retention rules allow."""
    await retention.keep_rules(db)


SUBSCRIBERS = [
    Subscriber("people.guests", "order.placed", note_guest),
    Subscriber("people.order_touches", "order.placed", keep_touches),
    Subscriber("people.sale_touches", "order.sale_booked", keep_touches),
    Subscriber("people.answers", "customer.erased", forget_answers),
]
PERIODIC = [Periodic("people.retention", DAY_SECONDS, keep_rules)]
