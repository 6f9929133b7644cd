"""Transfers: goods on their way from one location to another (DESIGN 6).

Owns the documents, draft to received or cancelled, and what differed on arrival. Promises: goods leave their source when they are
dispatched, stand in transit at their destination, and are available there when they arrive; an order's commitment travels with its goods.

A fulfillment that is collected elsewhere opens its transfer with `open_for_order`, gives goods up with `cancel_for_order`, and hears
`transfer.dispatched`, `transfer.received` and `transfer.fell_short` with its id among their `fulfillment_ids`.
"""

from __future__ import annotations

from commerce.transfers.events import (
    MovedLine,
    ShortLine,
    TransferDispatched,
    TransferFellShort,
    TransferReady,
    TransferReceived,
)
from commerce.transfers.freight import cancel_for_order, lock_for_order, open_for_order, trim_for_order
from commerce.transfers.queries import loads, of_owner
from commerce.transfers.schemas import Opened, OrderFreight, OwnedLine, OwnedTransfer

__all__ = [
    "MovedLine",
    "Opened",
    "OrderFreight",
    "OwnedLine",
    "OwnedTransfer",
    "ShortLine",
    "TransferDispatched",
    "TransferFellShort",
    "TransferReady",
    "TransferReceived",
    "cancel_for_order",
    "loads",
    "lock_for_order",
    "of_owner",
    "open_for_order",
    "trim_for_order",
]
