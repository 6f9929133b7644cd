"""What `carts` publishes: ids only. Versions of a cart run from 1 without a gap."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from commerce.kernel.events import Event


class CartChanged(Event, frozen=True, kw_only=True):
    """Lines were put or removed; `variant_ids` names those whose quantity was set."""

    type: ClassVar[str] = "cart.changed"
    aggregate: ClassVar[str] = "cart"
    shopper_id: UUID
    variant_ids: list[UUID]


class CartMerged(Event, frozen=True, kw_only=True):
    """The cart was merged into another and is closed."""

    type: ClassVar[str] = "cart.merged"
    aggregate: ClassVar[str] = "cart"
    shopper_id: UUID
    merged_into: UUID


class CartOrdered(Event, frozen=True, kw_only=True):
    """The cart became an order and is closed."""

    type: ClassVar[str] = "cart.ordered"
    aggregate: ClassVar[str] = "cart"
    shopper_id: UUID


class CartExpired(Event, frozen=True, kw_only=True):
    """The cart was closed without an order."""

    type: ClassVar[str] = "cart.expired"
    aggregate: ClassVar[str] = "cart"
    shopper_id: UUID
