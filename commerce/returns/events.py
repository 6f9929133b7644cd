"""Facts of returns."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from msgspec import Struct

from commerce.kernel.events import Event


class ReturnedLine(Struct, frozen=True, kw_only=True):
    """Units of one order line that came back and where they went."""

    order_line_id: UUID
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
    order_id: UUID
    order_number: str
    location: str
    refund_total: int
    currency: str
    lines: list[ReturnedLine]
