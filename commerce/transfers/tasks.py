"""What `transfers` does when something happens elsewhere."""

from __future__ import annotations

from uuid import UUID

from commerce.infra.db import Tx
from commerce.infra.outbox import Recorded, Subscriber
from commerce.kernel.actor import system
from commerce.transfers import freight


async def goods_arrived(tx: Tx, event: Recorded) -> None:
    """What orders waited for has come in, or will not: their transfers can leave, or need not."""
    owners = [UUID(fulfillment_id) for fulfillment_id in event.payload["fulfillment_ids"]]
    await freight.goods_arrived(tx, system(), owners=owners)


SUBSCRIBERS = [
    Subscriber("transfers.goods_arrived", "stock.promise_arrived", goods_arrived),
    Subscriber("transfers.goods_missing", "stock.promise_broken", goods_arrived),
]
