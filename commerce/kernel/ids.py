"""Typed identifiers: uuid version 7 (RFC 9562), made in Python, so that keys sort by birth and are known before the insert."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

from uuid_utils.compat import uuid7

PrincipalId = NewType("PrincipalId", UUID)
PersonId = NewType("PersonId", UUID)
"""A shopper: the same value as the principal he signs in as. `customers.ids_of` follows merges."""
SessionId = NewType("SessionId", UUID)
DeviceId = NewType("DeviceId", UUID)
LocationId = NewType("LocationId", UUID)
ProductId = NewType("ProductId", UUID)
VariantId = NewType("VariantId", UUID)
CartId = NewType("CartId", UUID)
OrderId = NewType("OrderId", UUID)
OrderLineId = NewType("OrderLineId", UUID)
FulfillmentId = NewType("FulfillmentId", UUID)
ReservationId = NewType("ReservationId", UUID)
PaymentId = NewType("PaymentId", UUID)
ReturnId = NewType("ReturnId", UUID)
EventId = NewType("EventId", UUID)

__all__ = [
    "CartId",
    "DeviceId",
    "EventId",
    "FulfillmentId",
    "LocationId",
    "OrderId",
    "OrderLineId",
    "PaymentId",
    "PersonId",
    "PrincipalId",
    "ProductId",
    "ReservationId",
    "ReturnId",
    "SessionId",
    "VariantId",
    "uuid7",
]
