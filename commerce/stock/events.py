"""What the stock room publishes. A posting happens once, so its version is always 1; an adjustment has one event per version."""

from __future__ import annotations

from uuid import UUID

import msgspec

from commerce.kernel.events import Event
from commerce.stock.schemas import AdjustmentReason, AdjustmentState, OwnerKind, ShelfBucket


class BrokenLine(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of an owner's line are not set aside any more."""

    owner_kind: OwnerKind
    owner_id: UUID
    line_id: UUID
    variant_id: UUID
    quantity: int


class MissingLine(msgspec.Struct, frozen=True, kw_only=True):
    """So many units left that the books did not know."""

    variant_id: UUID
    quantity: int


class PromiseBroken(Event, frozen=True, kw_only=True):
    """A physical fact took goods that were promised: the fulfillments are at risk, the checkouts must look again."""

    type = "stock.promise_broken"
    aggregate = "posting"
    location_id: UUID
    fulfillment_ids: list[UUID]
    checkout_ids: list[UUID]
    transfer_ids: list[UUID] = []
    lines: list[BrokenLine]


class PromiseArrived(Event, frozen=True, kw_only=True):
    """Goods that had been promised before they were there now stand committed at the location."""

    type = "stock.promise_arrived"
    aggregate = "posting"
    location_id: UUID
    fulfillment_ids: list[UUID]


class CountNeeded(Event, frozen=True, kw_only=True):
    """Goods left that the books did not know: the shelf should be counted."""

    type = "stock.count_needed"
    aggregate = "posting"
    location_id: UUID
    lines: list[MissingLine]


class AdjustmentEvent(Event, frozen=True, kw_only=True):
    """What every fact of an adjustment names. `worth` in minor units, null when nobody knows it."""

    aggregate = "adjustment"
    location_id: UUID
    variant_id: UUID
    delta: int
    bucket: ShelfBucket
    reason: AdjustmentReason
    worth: int | None
    currency: str


class AdjustmentRequested(AdjustmentEvent, frozen=True, kw_only=True):
    """An adjustment waits for a manager; nothing has moved."""

    type = "stock.adjustment_requested"


class AdjustmentDecided(AdjustmentEvent, frozen=True, kw_only=True):
    """An adjustment was booked, at once or by a manager, or rejected."""

    type = "stock.adjustment_decided"
    state: AdjustmentState
