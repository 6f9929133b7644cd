"""Facts of returns."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from commerce.kernel.events import Event


class ReturnedLine(Struct, frozen=True, kw_only=True):
    """Units of one order line that came back and where they went; of none when nobody knows the sale."""

    order_line_id: UUID | None
    variant_id: UUID
    quantity: int
    ground: str
    disposition: str
    refund_amount: int


class ReturnAccepted(Event, frozen=True, kw_only=True):
    """Goods came back at a store's counter; the money was given back and the return is closed."""

    type: ClassVar[str] = "return.accepted"
    aggregate: ClassVar[str] = "return"
    number: str
    order_id: UUID | None
    order_number: str | None
    blind_reason: str | None
    """Why there was no receipt, when nobody knows the sale: there is no order then."""
    location: str
    refund_total: int
    currency: str
    lines: list[ReturnedLine]


class ReturnReassigned(Event, frozen=True, kw_only=True):
    """A return without a sale turned out to be another customer's."""

    type: ClassVar[str] = "return.reassigned"
    aggregate: ClassVar[str] = "return"
    number: str
    previous_id: UUID
    customer_id: UUID
