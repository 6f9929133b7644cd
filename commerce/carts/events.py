"""What `carts` publishes: ids only. Versions of a cart run from 1 without a gap; `cart.abandoned` tells of the one there is."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from commerce.kernel.events import Event


class CartEvent(Event, frozen=True, kw_only=True):
    """Whose cart it is: a shopper's, or a device's with the customer who is named on it, if any."""

    aggregate: ClassVar[str] = "cart"
    shopper_id: UUID | None = None
    device_id: UUID | None = None
    customer_id: UUID | None = None


class CartChanged(CartEvent, frozen=True, kw_only=True):
    """Lines were put or removed; `variant_ids` names those whose quantity was set."""

    type: ClassVar[str] = "cart.changed"
    variant_ids: list[UUID]


class CartOpened(CartEvent, frozen=True, kw_only=True):
    """A cart was opened beside others, without lines."""

    type: ClassVar[str] = "cart.opened"


class CartParked(CartEvent, frozen=True, kw_only=True):
    """The cart was put aside, open: by who works at the device, for another one, or when its owner merged no lines of it."""

    type: ClassVar[str] = "cart.parked"


class CartResumed(CartEvent, frozen=True, kw_only=True):
    """The cart is its owner's current one again."""

    type: ClassVar[str] = "cart.resumed"


class CartNamed(CartEvent, frozen=True, kw_only=True):
    """A customer was named on a device's basket; none any more when `customer_id` is null."""

    type: ClassVar[str] = "cart.named"


class CartCheckoutChanged(CartEvent, frozen=True, kw_only=True):
    """How the goods are wanted, whom to reach and what to write on it were set; `variant_ids` names lines, none means the cart."""

    type: ClassVar[str] = "cart.checkout_changed"
    variant_ids: list[UUID]


class CartJoined(CartEvent, frozen=True, kw_only=True):
    """Staff have joined the cart with the customer's code."""

    type: ClassVar[str] = "cart.joined"
    guest_id: UUID
    principal_id: UUID


class CartLeft(CartEvent, frozen=True, kw_only=True):
    """Staff work on the cart no more."""

    type: ClassVar[str] = "cart.left"
    guest_id: UUID
    principal_id: UUID


class CartMerged(CartEvent, frozen=True, kw_only=True):
    """The lines went to another cart, and the cart is closed. `by_hand_off`: with a code shown on one screen, claimed on another."""

    type: ClassVar[str] = "cart.merged"
    merged_into: UUID
    by_hand_off: bool = False


class CartOrdered(CartEvent, frozen=True, kw_only=True):
    """The cart became an order and is closed."""

    type: ClassVar[str] = "cart.ordered"


class CartExpired(CartEvent, frozen=True, kw_only=True):
    """The cart was closed without an order."""

    type: ClassVar[str] = "cart.expired"


class AbandonedLine(Struct, frozen=True, kw_only=True):
    """What lies in it; `unit_price_seen` in minor units, when it was last put."""

    variant_id: UUID
    quantity: int
    unit_price_seen: int


class CartAbandoned(CartEvent, frozen=True, kw_only=True):
    """Nobody has touched the cart for a while, though it has lines and its person can be reached. Once for each idleness."""

    type: ClassVar[str] = "cart.abandoned"
    lines: list[AbandonedLine]
