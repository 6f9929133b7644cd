"""What returns takes in and shows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commerce.kernel.money import Money
from commerce.kernel.text import NO_NUL, Quantity, Sku
from commerce.payments import ReceiptRef, Reference, Register, TenderKind
from commerce.stock import Part, UnitCodes, UnitsNamed

Ground = Literal["withdrawal", "change_of_mind", "defect", "wrong_item", "damaged_in_transit"]
"""Why goods come back over the counter. A policy may shut out only change_of_mind."""
Condition = Literal["sellable", "opened", "damaged", "defective"]
Disposition = Literal["restocked", "quality_control", "damaged", "written_off", "return_to_vendor", "missing"]
Shelf = Literal["available", "quality_control", "damaged"]
"""Buckets of stock that goods can come back into."""
State = Literal[
    "requested", "approved", "declined", "in_transit", "partially_received", "received", "inspected", "closed",
    "cancelled", "expired",
]  # fmt: skip
OrderNumberInput = Annotated[
    str, Meta(min_length=1, max_length=40, pattern=NO_NUL, description="As printed; dashes and spaces do not matter")
]
ReturnNumber = Annotated[
    str, Meta(min_length=1, max_length=40, pattern=NO_NUL, description="As printed: R-4821-3059-1768")
]
Note = Annotated[str, Meta(max_length=1000, pattern=NO_NUL, description="What the counter saw or the customer said")]


class ReceiptNamed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The receipt of the sale: both are printed at its foot."""

    register: Register
    number: Annotated[int, Meta(ge=1, le=2**53)]


class ReturnLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of one line of the order, in one condition. The line is named by `n`, or by a `sku` that only one line has."""

    sku: Sku | None = None
    n: Annotated[int, Meta(ge=1, le=10_000)] | None = None
    quantity: Quantity
    ground: Ground
    condition: Condition
    note: Note | None = None
    codes: UnitCodes = []
    """Of goods whose units have codes of their own: as many as units, each of which left with this line."""
    units: Annotated[list[UnitsNamed], Meta(max_length=50)] = []
    """The same of a bundle, by the SKUs of its components."""


class RefundBy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the money goes back: from the till, or on the card terminal with what its slip calls the operation."""

    tender: TenderKind
    reference: Reference | None = None


ReturnLines = Annotated[list[ReturnLine], Meta(min_length=1, max_length=200)]


class PreviewReturn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What would come back. The sale is named by order number or by receipt."""

    order: OrderNumberInput | None = None
    receipt: ReceiptNamed | None = None
    lines: ReturnLines


class AcceptReturn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came back over the counter. The sale is named by order number or by receipt."""

    order: OrderNumberInput | None = None
    receipt: ReceiptNamed | None = None
    lines: ReturnLines
    refund: RefundBy


class ReturnPreviewLine(Struct, frozen=True, kw_only=True):
    """What would be given back for a line, and what of it would stay with the customer."""

    n: int
    sku: str
    title: dict[str, str]
    quantity: int
    ground: str
    condition: str
    disposition: Disposition
    refund: Money
    tax: Money
    tax_basis_points: int
    left: int
    """Units of the order's line that the customer would still have."""


class ReturnPreview(Struct, frozen=True, kw_only=True):
    """A return that has not been booked."""

    order: str
    store: str
    lines: list[ReturnPreviewLine]
    refund_total: Money


class ReturnLineView(Struct, frozen=True, kw_only=True):
    """Units that came back. `refund` is exactly what was paid for them, tax included at the sale's rate."""

    n: int
    """The line of the order."""
    sku: str
    title: dict[str, str]
    quantity: int
    ground: str
    condition: Condition
    disposition: Disposition
    refund: Money
    tax: Money
    tax_basis_points: int
    note: str | None


class ReturnView(Struct, frozen=True, kw_only=True):
    """A return: what came back, to which store, in which condition, and what was given back for it."""

    number: str
    order: str
    store: str
    state: State
    channel: str
    lines: list[ReturnLineView]
    refund_total: Money
    tender: TenderKind
    receipt: ReceiptRef | None
    """The refund receipt; null when nothing had been paid."""
    created_at: datetime
    closed_at: datetime | None
    version: int


class ReturnSummary(Struct, frozen=True, kw_only=True):
    """A return in a list."""

    number: str
    order: str
    store: str
    state: State
    units: int
    refund_total: Money
    created_at: datetime


class Assessed(Struct, frozen=True, kw_only=True):
    """A line of a return that may be accepted, with what is owed for it: minor units of the order's currency."""

    order_line_id: UUID
    variant_id: UUID
    n: int
    sku: str
    title: dict[str, str]
    quantity: int
    quantity_unit: str | None
    quantity_scale: int
    unit_price: int
    ground: Ground
    condition: Condition
    refund: int
    tax: int
    tax_basis_points: int
    left: int
    note: str | None
    parts: tuple[Part, ...] = ()
    codes: tuple[str, ...] = ()


class ReturnOfPerson(Struct, frozen=True, kw_only=True):
    """A return among all that is known of a customer."""

    id: UUID
    number: str
    order: str
    store: str
    state: State
    channel: str
    units: int
    refund_total: Money
    created_at: datetime
