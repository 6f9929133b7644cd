"""What `transfers` publishes: a fact for each version of a transfer, and what an order lacks by it."""

from __future__ import annotations

from datetime import date
from typing import Literal
from uuid import UUID

import msgspec

from commerce.kernel.events import Event


class MovedLine(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one line that left, or that arrived in any condition."""

    line_id: UUID
    variant_id: UUID
    quantity: int


class ShortLine(msgspec.Struct, frozen=True, kw_only=True):
    """Units of an order's line that it does not get by this transfer. Those `left_behind` still stand at the source, committed
    to it; those `missing`, `damaged` or in `quality_control` are no longer promised to it."""

    fulfillment_id: UUID
    order_line_id: UUID
    variant_id: UUID
    quantity: int
    what: Literal["left_behind", "missing", "damaged", "quality_control"]


class TransferEvent(Event, frozen=True, kw_only=True):
    """What every fact of a transfer names. `fulfillment_ids` are those whose goods it carries and whom the fact concerns."""

    aggregate = "transfer"
    number: str
    source_id: UUID
    destination_id: UUID
    order_number: str | None
    fulfillment_ids: list[UUID]


class TransferCreated(TransferEvent, frozen=True, kw_only=True):
    """Goods are to travel; nothing is set aside by it yet."""

    type = "transfer.created"


class TransferChanged(TransferEvent, frozen=True, kw_only=True):
    type = "transfer.changed"


class TransferReady(TransferEvent, frozen=True, kw_only=True):
    """The goods are set aside at the source."""

    type = "transfer.ready"


class TransferDispatched(TransferEvent, frozen=True, kw_only=True):
    """The goods have left the source."""

    type = "transfer.dispatched"
    expected_on: date
    lines: list[MovedLine]


class TransferReceived(TransferEvent, frozen=True, kw_only=True):
    """Goods have arrived, or it is known that no more will. `fulfillment_ids`: of those nothing is on its way with this transfer
    any more, and at least something came. `missing` units were sent and will not come, an order's or not."""

    type = "transfer.received"
    state: Literal["partially_received", "received"]
    lines: list[MovedLine]
    missing: list[MovedLine]


class TransferFellShort(TransferEvent, frozen=True, kw_only=True):
    """Orders lack goods that this transfer was to bring."""

    type = "transfer.fell_short"
    lines: list[ShortLine]


class TransferGivenUp(TransferEvent, frozen=True, kw_only=True):
    """An order no longer wants some of it: what has not left stays, what is on its way is nobody's."""

    type = "transfer.given_up"


class TransferCancelled(TransferEvent, frozen=True, kw_only=True):
    """Nothing of it will travel."""

    type = "transfer.cancelled"
