"""What goes into the supply room and what it shows. Quantities are steps of the variant's unit, costs minor units of the one currency."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType, field

from commerce import stock
from commerce.kernel.money import MAX_MINOR
from commerce.kernel.text import NO_NUL, Code, LocalisedText, Quantity, Reason, Sku

State = Literal["announced", "partially_received", "received", "cancelled"]
OPEN: tuple[State, ...] = ("announced", "partially_received")
"""States in which something is still to come."""
Bucket = Literal["available", "quality_control", "damaged"]
MOST = 1_000_000
"""Units of one variant in one receipt."""

Reference = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=NO_NUL, description="The supplier's own number of the delivery")
]
UnitCost = Annotated[int, Meta(ge=0, le=MAX_MINOR, description="Purchase price of one unit in minor units")]
Units = Annotated[int, Meta(ge=0, le=MOST, description="Steps of the variant's quantity unit; each when it has none")]
LineNo = Annotated[int, Meta(ge=1, le=1_000_000, description="Number of the line")]
Scan = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL, description="What the scanner read")]
LeadDays = Annotated[int, Meta(ge=0, le=3650, description="Days from ordering to arrival, as a rule")]
ExternalIds = Annotated[
    dict[Code, Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]], Meta(max_length=10)
]


class SaveSupplier(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A supplier as he now is."""

    name: Annotated[LocalisedText, Meta(min_length=1)]
    lead_days: LeadDays | None = None
    external_ids: ExternalIds = {}
    """What other systems call him, by system."""


class SupplierView(Struct, frozen=True, kw_only=True):
    """Who delivers."""

    code: str
    name: dict[str, str]
    lead_days: int | None
    external_ids: dict[str, str]
    version: int


class AnnouncedGoods(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many units of a variant that will come."""

    sku: Sku
    quantity: Quantity
    unit_cost: UnitCost | None = None


class Announce(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A delivery that a supplier has announced. `inspect`: what comes goes to quality control unless the receiver says otherwise."""

    supplier: Code
    location: Code
    reference: Reference
    expected_on: date
    lines: Annotated[list[AnnouncedGoods], Meta(min_length=1, max_length=1000)]
    inspect: bool = False
    note: Reason | None = None


class NewQuantity(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many units of a line are to come in all, those already received included. What is more becomes a line of its own."""

    n: LineNo
    quantity: Units


class ChangeSupply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another date, other quantities of lines, further lines. What is left out stays as it is."""

    expected_on: date | UnsetType = UNSET
    lines: Annotated[list[NewQuantity], Meta(max_length=1000)] = []
    added: Annotated[list[AnnouncedGoods], Meta(max_length=1000)] = []
    reason: Reason


class CancelSupply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why nothing more of it will come."""

    reason: Reason


class ShortReason(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a variant did not come, or not all of it."""

    sku: Sku
    reason: Reason


ShortReasons = Annotated[list[ShortReason], Meta(max_length=1000)]


class CloseSupply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing more will come: a reason for each variant that is short, or one for all that have none of their own."""

    reason: Reason | None = None
    short: ShortReasons = []


class ArrivedGoods(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of a variant that came, by SKU or by what was scanned (a barcode of a case counts its content).

    `quantity` are good; `damaged` come on top of them and need a `reason`, as do units beyond what was announced. `unannounced` takes
    in what is no part of the delivery at all.
    """

    sku: Sku | None = None
    barcode: Scan | None = None
    quantity: Units = 0
    bucket: Literal["available", "quality_control"] | None = None
    """Where the good ones go; by the delivery's own setting when left out."""
    damaged: Units = 0
    unit_cost: UnitCost | None = None
    """What was paid; as announced when left out."""
    unannounced: bool = False
    reason: Reason | None = None
    codes: stock.UnitCodes = []
    """Of the good units that were scanned, where they have codes of their own: at most as many as there are."""
    damaged_codes: stock.UnitCodes = []
    """Of the damaged ones."""


class ReceiveSupply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came. With `close` nothing more is expected: what is still open then needs a reason, as for closing."""

    lines: Annotated[list[ArrivedGoods], Meta(min_length=1, max_length=1000)]
    close: bool = False
    reason: Reason | None = None
    """With `close`: why units are short that have no reason of their own."""
    short: ShortReasons = []


class Line(Struct, kw_only=True):
    """A line of an announcement; locked, the verbs keep it up to date as they write."""

    id: UUID
    n: int
    variant_id: UUID
    quantity: int
    unit_cost: int | None
    received_unit_cost: int | None = None
    received: int = 0
    quality_control: int = 0
    damaged: int = 0
    over: int = 0
    cancelled: int = 0
    short: int = 0
    unannounced: bool = False
    reason: str | None = None

    @property
    def open(self) -> int:
        """Units still to come."""
        return self.quantity - self.received - self.cancelled


class Announcement(Struct, kw_only=True):
    """What a supplier has announced for a location; locked, its verbs keep it up to date as they write."""

    id: UUID
    number: str
    supplier: str
    reference: str
    location_id: UUID
    expected_on: date
    state: State
    inspect: bool
    remark: str | None
    overdue_at: datetime | None
    closed_at: datetime | None
    version: int
    created_at: datetime
    lines: list[Line] = field(default_factory=list)

    @property
    def open(self) -> int:
        """Units still to come."""
        return sum(line.open for line in self.lines)


class SupplyLineView(Struct, frozen=True, kw_only=True):
    """A line: what was announced, and what came of it. `received` counts against the announcement, `over` came beyond it;
    `quality_control` and `damaged` are the parts of both that are not on the shelf."""

    n: int
    sku: str
    variant_id: UUID
    quantity: int
    received: int
    quality_control: int
    damaged: int
    over: int
    cancelled: int
    short: int
    """The cancelled units that were missed when it was closed."""
    open: int
    unit_cost: int | None
    received_unit_cost: int | None
    """What was paid, when it was not what was announced."""
    unannounced: bool
    reason: str | None
    """Of the last discrepancy."""


class ExpectedReceiptView(Struct, frozen=True, kw_only=True):
    """A delivery that a supplier has announced."""

    number: str
    supplier: str
    reference: str
    location: str
    expected_on: date
    overdue: bool
    state: State
    inspect: bool
    note: str | None
    created_at: datetime
    closed_at: datetime | None
    lines: list[SupplyLineView]
    version: int


class ExpectedReceiptSummary(Struct, frozen=True, kw_only=True):
    """A delivery in a list: how many lines it has, and the units of all of them."""

    number: str
    supplier: str
    reference: str
    location: str
    expected_on: date
    overdue: bool
    state: State
    lines: int
    quantity: int
    received: int
    open: int
    created_at: datetime
    version: int


class SupplyStepView(Struct, frozen=True, kw_only=True):
    """Something that was done about a delivery, by whom (ids and codes)."""

    version: int
    what: str
    actor: dict[str, Any]
    data: dict[str, Any]
    occurred_at: datetime


class ExpectedReceiptDetail(ExpectedReceiptView, frozen=True, kw_only=True):
    """A delivery with its history, oldest first."""

    steps: list[SupplyStepView]


class SupplyReceiptView(ExpectedReceiptView, frozen=True, kw_only=True):
    """A delivery after one act of receiving; its posting in the stock books has the cause `supply_receipt` with this id."""

    receipt_id: UUID
