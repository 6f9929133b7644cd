"""What returns takes in and shows."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commerce.catalog import Component
from commerce.kernel.money import Money
from commerce.kernel.text import NO_NUL, Quantity, Sku
from commerce.orders import Amount
from commerce.payments import ReceiptRef, Reference, Register, TenderKind
from commerce.stock import Part, UnitCodes, UnitsNamed

Ground = Literal["withdrawal", "change_of_mind", "defect", "wrong_item", "damaged_in_transit"]
"""Why goods come back over the counter. A policy may shut out only change_of_mind."""
BlindGround = Literal["change_of_mind", "defect", "wrong_item"]
"""The same without a sale: nobody knows how it was sold, or when."""
BlindReason = Literal["lost", "gift", "not_given", "unreadable", "other"]
"""Why there is no receipt: lost, a present from somebody, none was given, it cannot be read."""
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


class BlindLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of a variant whose sale nobody knows, by SKU or by what the scanner read, in one condition. Exactly one of the two."""

    sku: Sku | None = None
    barcode: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)] | None = None
    quantity: Quantity
    """Steps of the variant's unit; of a barcode, how many times it was scanned."""
    ground: BlindGround
    condition: Condition
    refund: Amount | None = None
    """What is given back for this line, where that is less than its lowest price."""
    note: Note | None = None
    codes: UnitCodes = []
    """Of goods whose units have codes of their own: as many as units, none of which the books know. A GS1 label given as the barcode is
    the code of its one unit."""
    units: Annotated[list[UnitsNamed], Meta(max_length=50)] = []
    """The same of a bundle, by the SKUs of its components."""


BlindLines = Annotated[list[BlindLine], Meta(min_length=1, max_length=200)]


class PreviewBlindReturn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What would come back without an order number or a receipt."""

    lines: BlindLines


class AcceptBlindReturn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came back over the counter without an order number or a receipt, and why without."""

    lines: BlindLines
    reason: BlindReason
    customer: UUID | None = None
    """Who brought it, by his profile; null: somebody unknown."""
    refund: RefundBy


class BlindPreviewLine(Struct, frozen=True, kw_only=True):
    """What would be given back for a line: nothing more than `most`."""

    n: int
    sku: str
    title: dict[str, str]
    quantity: int
    ground: str
    condition: str
    disposition: Disposition
    lowest_price: Money
    """Of a whole unit, since `priced_since`."""
    most: Money
    refund: Money
    tax: Money
    tax_basis_points: int


class BlindReturnPreview(Struct, frozen=True, kw_only=True):
    """A return without a sale that has not been booked."""

    store: str
    lines: list[BlindPreviewLine]
    refund_total: Money
    priced_since: datetime
    """No more is given back than the lowest price since then."""
    approval_needed: bool
    """Whether somebody who may must approve it in the same request, as the caller may not."""


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
    """Units that came back. `refund` is exactly what was paid for them, tax included at the sale's rate; without a sale at most their
    lowest price, at the rate of the day."""

    n: int
    """The line of the order; without one, of the return."""
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
    order: str | None
    """Null when nobody knows the sale."""
    blind_reason: BlindReason | None
    """Then, why there was no receipt."""
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
    """A return in a list. Without an order: nobody knows the sale."""

    number: str
    order: str | None
    store: str
    state: State
    units: int
    refund_total: Money
    created_at: datetime


class Assessed(Struct, frozen=True, kw_only=True):
    """A line of a return that may be accepted, with what is owed for it: minor units of the order's currency.

    Without a sale it is of no order line, `unit_price` is the lowest there was, and `components` are those of today.
    """

    order_line_id: UUID | None
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
    components: tuple[Component, ...] = ()
    parts: tuple[Part, ...] = ()
    codes: tuple[str, ...] = ()


class ReturnOfPerson(Struct, frozen=True, kw_only=True):
    """A return among all that is known of a customer. Without an order: nobody knows the sale."""

    id: UUID
    number: str
    order: str | None
    store: str
    state: State
    channel: str
    units: int
    refund_total: Money
    created_at: datetime
