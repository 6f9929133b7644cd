"""What `orders` publishes: at least one fact for each version of an order. Ids and codes only."""

from __future__ import annotations

from uuid import UUID

import msgspec

from commerce.kernel.events import Event


class OrderedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line as ordered: minor units of the order's currency."""

    line_id: UUID
    variant_id: UUID
    quantity: int
    total: int


class OrderEvent(Event, frozen=True, kw_only=True):
    """What every fact of an order names."""

    aggregate = "order"
    number: str


class OrderPlaced(OrderEvent, frozen=True, kw_only=True):
    """A promise to a customer was made."""

    type = "order.placed"
    kind: str
    customer_id: UUID | None
    cart_id: UUID | None
    location_id: UUID
    currency: str
    total: int
    lines: list[OrderedLine]


class SaleBooked(OrderEvent, frozen=True, kw_only=True):
    """A sale that has happened at a till is in the books."""

    type = "order.sale_booked"
    customer_id: UUID | None
    location_id: UUID
    currency: str
    total: int
    lines: list[OrderedLine]


class OrderHandedOver(OrderEvent, frozen=True, kw_only=True):
    """Units are in the customer's hands and paid."""

    type = "order.handed_over"
    fulfillment: str
    location_id: UUID
    paid: int
    units: dict[str, int]


class OrderCompleted(OrderEvent, frozen=True, kw_only=True):
    """Every unit is handed over or cancelled, and the money is settled."""

    type = "order.completed"


class OrderPartlyCancelled(OrderEvent, frozen=True, kw_only=True):
    type = "order.partly_cancelled"
    reason: str
    units: dict[str, int]


class OrderCancelled(OrderEvent, frozen=True, kw_only=True):
    """Nothing of it will be handed over."""

    type = "order.cancelled"
    reason: str
    units: dict[str, int]


class OrderReassigned(OrderEvent, frozen=True, kw_only=True):
    """It turned out to be another customer's."""

    type = "order.reassigned"
    previous_id: UUID
    customer_id: UUID


class PickupCodeAsked(OrderEvent, frozen=True, kw_only=True):
    """The customer asked for a new pickup code."""

    type = "order.pickup_code_renewed"


class OrderResourced(OrderEvent, frozen=True, kw_only=True):
    """Another fulfillment does what a store could not."""

    type = "order.resourced"
    fulfillment: str
    location_id: UUID
    units: dict[str, int]


class OrderChoiceAsked(OrderEvent, frozen=True, kw_only=True):
    """No place can do what the order says: the customer is asked what he wants."""

    type = "order.choice_asked"
    fulfillment: str
    reason: str
    units: dict[str, int]


class OrderReturned(OrderEvent, frozen=True, kw_only=True):
    """Units came back; the return document says where, why and in which condition."""

    type = "order.returned"
    return_number: str
    units: dict[str, int]
