"""What `supply` publishes: one fact or more for each version of an expected receipt."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import msgspec

from commerce.kernel.events import Event


class SupplierSaved(Event, frozen=True, kw_only=True):
    """A supplier is new or has changed."""

    type = "supply.supplier_saved"
    aggregate = "supplier"
    code: str


class SupplyEvent(Event, frozen=True, kw_only=True):
    """What every fact of an expected receipt names."""

    aggregate = "expected_receipt"
    number: str
    supplier: str
    location_id: UUID


class SupplyAnnounced(SupplyEvent, frozen=True, kw_only=True):
    """A supplier will deliver."""

    type = "supply.announced"
    expected_on: date


class SupplyChanged(SupplyEvent, frozen=True, kw_only=True):
    """Another date, more, or less of it."""

    type = "supply.changed"
    expected_on: date


class ArrivedLine(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a line came: on the shelf, to quality control, damaged; `over` of them beyond what was announced."""

    line_id: UUID
    variant_id: UUID
    available: int
    quality_control: int
    damaged: int
    over: int


class SupplyReceived(SupplyEvent, frozen=True, kw_only=True):
    """Some of it, or all, is there."""

    type = "supply.received"
    receipt_id: UUID
    lines: list[ArrivedLine]


class SupplyClosed(SupplyEvent, frozen=True, kw_only=True):
    """Nothing more is expected of it; `short` units never came."""

    type = "supply.closed"
    short: int


class SupplyCancelled(SupplyEvent, frozen=True, kw_only=True):
    """Nothing of it came or will come."""

    type = "supply.cancelled"


class SupplyOverdue(SupplyEvent, frozen=True, kw_only=True):
    """The day has passed and some of it is still to come."""

    type = "supply.overdue"
    expected_on: date
    line_ids: list[UUID]
    """The lines with open units; promises stand on plans of the same ids."""
