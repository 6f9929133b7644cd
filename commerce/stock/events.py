"""What the stock room publishes. A posting is the aggregate; it happens once, so its version is always 1."""

from __future__ import annotations

from uuid import UUID

import msgspec

from commerce.kernel.events import Event
from commerce.stock.schemas import OwnerKind


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
    lines: list[BrokenLine]


class CountNeeded(Event, frozen=True, kw_only=True):
    """Goods left that the books did not know: the shelf should be counted."""

    type = "stock.count_needed"
    aggregate = "posting"
    location_id: UUID
    lines: list[MissingLine]
