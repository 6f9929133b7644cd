"""What `fulfillment` does when something happens elsewhere."""

from __future__ import annotations

from uuid import UUID

from commerce.fulfillment import service
from commerce.infra.db import Tx
from commerce.infra.outbox import Recorded, Subscriber
from commerce.kernel.actor import system


async def mark_at_risk(tx: Tx, event: Recorded) -> None:
    """A till sale or a loss took goods that pickups were promised."""
    await service.mark_at_risk(
        tx,
        system(),
        ids=[UUID(fulfillment_id) for fulfillment_id in event.payload["fulfillment_ids"]],
        data={"posting_id": event.aggregate_id},
    )


async def goods_arrived(tx: Tx, event: Recorded) -> None:
    """Goods promised before they were there now stand committed at a location."""
    await service.goods_arrived(
        tx, system(), ids=[UUID(fulfillment_id) for fulfillment_id in event.payload["fulfillment_ids"]]
    )


SUBSCRIBERS = [
    Subscriber("fulfillment.at_risk", "stock.promise_broken", mark_at_risk),
    Subscriber("fulfillment.goods_arrived", "stock.promise_arrived", goods_arrived),
    Subscriber("fulfillment.goods_missing", "stock.promise_broken", goods_arrived),
]
