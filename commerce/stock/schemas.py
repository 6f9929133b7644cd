"""What goes into the stock room and what it shows."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from commerce.kernel.money import MAX_MINOR, Money
from commerce.kernel.text import Code, Quantity, Reason, ShortText, Sku

Bucket = Literal[
    "available", "reserved", "committed", "quality_control", "damaged", "in_transit", "in_transit_committed"
]
"""Where goods of a location stand: the columns of its level row."""
Place = Literal[
    "available", "reserved", "committed", "quality_control", "damaged", "in_transit", "in_transit_committed",
    "supplier", "customer", "loss", "conversion",
]  # fmt: skip
"""A bucket, or a part of the outside world."""
ShelfBucket = Literal["available", "quality_control", "damaged"]
"""Buckets that a person may put goods into; the others follow from promises and transfers."""
ShelfFate = Literal["loss", "damaged"]
"""What became of goods that could not be found for a customer, or not in a state to be sold."""
StandsOn = Literal[
    "available", "reserved", "committed", "quality_control", "damaged", "in_transit", "in_transit_committed", "promised",
]  # fmt: skip
"""Where a reservation stands: on a bucket, or (`promised`) on what is announced."""
OwnerKind = Literal["checkout", "fulfillment", "transfer"]
ReservationState = Literal["reserved", "committed", "fulfilled", "released", "expired", "short"]
AdjustmentReason = Literal[
    "damage", "theft", "lost", "expired", "sample", "internal_use", "write_off", "found", "count", "correction",
]  # fmt: skip
"""Why the books are corrected by hand; `reasons.RULES` says what each may do."""
AdjustmentState = Literal["waiting", "booked", "rejected"]
WriteOffReason = Literal["write_off", "expired", "theft", "lost", "sample", "internal_use"]
ValuedBy = Literal["cost", "list"]
"""What a value was reckoned at: the moving average cost, or the list price where no cost is known."""
UnitCost = Annotated[int, Meta(ge=0, le=MAX_MINOR, description="Purchase price of one unit in minor units")]
UnitCode = Annotated[
    str,
    Meta(
        pattern=r"^[!-~]([ -~\x1d]{0,198}[!-~])?$", max_length=200,
        description="A serial number, or what the scanner read from the unit's label; GS1 labels are compared by GTIN and serial number",
    ),
]  # fmt: skip
UnitCodes = Annotated[list[UnitCode], Meta(max_length=1000)]
UnitPlace = Literal[
    "available", "committed", "quality_control", "damaged", "supplier", "customer", "loss", "conversion"
]
"""Where a unit with a code of its own was last seen."""


class Cause(msgspec.Struct, frozen=True):
    """The document of an act: this hand-over, this receipt, this return; never the order. It posts once."""

    kind: str
    id: UUID


class Owner(msgspec.Struct, frozen=True):
    """For whom goods are set aside."""

    kind: OwnerKind
    id: UUID


class Part(msgspec.Struct, frozen=True):
    """A component of a bundle: so many units in each. `codes` name all of its units that move, where they have codes of their own."""

    variant_id: UUID
    quantity: int
    codes: tuple[str, ...] = ()


class Demand(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a variant from a location, for a line of the owner.

    A bundle names its `components`: they are what is set aside. With `expected_id` it stands on what is announced there
    (`Expected.id`) instead of on the shelf; a bundle cannot.
    """

    line_id: UUID
    location_id: UUID
    variant_id: UUID
    quantity: int
    components: tuple[Part, ...] = ()
    expected_id: UUID | None = None


class Short(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be set aside. `line_id` is null when several lines want the same goods."""

    line_id: UUID | None
    variant_id: UUID
    location_id: UUID
    wanted: int
    left: int


class SaleLine(msgspec.Struct, frozen=True, kw_only=True):
    """Goods that have left with a customer. A bundle names its components. `codes` name the units that have codes of their own."""

    line_id: UUID
    variant_id: UUID
    quantity: int
    components: tuple[Part, ...] = ()
    codes: tuple[str, ...] = ()


class ReceiptLine(msgspec.Struct, frozen=True, kw_only=True):
    """Goods from a supplier. `unit_cost` in minor units, null when unknown. `expected_id` names the plan that they fulfil."""

    variant_id: UUID
    quantity: int
    unit_cost: int | None = None
    bucket: ShelfBucket = "available"
    expected_id: UUID | None = None
    codes: tuple[str, ...] = ()
    """Of those units whose codes were read on arrival: at most as many as there are."""


class TakeBackLine(msgspec.Struct, frozen=True, kw_only=True):
    """Goods that came back from a customer, and where they stand now. A bundle names its components. `codes` as in SaleLine."""

    variant_id: UUID
    quantity: int
    bucket: ShelfBucket
    line_id: UUID | None = None
    components: tuple[Part, ...] = ()
    codes: tuple[str, ...] = ()


class NamedUnits(msgspec.Struct, frozen=True, kw_only=True):
    """Units of a variant for an order line: as many codes as units, where they have codes of their own. No line: nobody knows it."""

    line_id: UUID | None
    variant_id: UUID
    quantity: int
    codes: tuple[str, ...] = ()


class SoldUnit(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that the books say is with a customer, and the order line that it left with."""

    variant_id: UUID
    code: str
    line_id: UUID


class Freight(msgspec.Struct, frozen=True, kw_only=True):
    """Units that leave a location for another, out of what is committed to `owner` for `line_id` at the source.

    A transfer's own (`Owner("transfer", …)`) are free again once they are on their way; a fulfillment's stay committed to it.
    `id` is the transfer's line; it becomes the plan row of what is free on the way.
    """

    id: UUID
    variant_id: UUID
    quantity: int
    owner: Owner
    line_id: UUID


ArrivalBucket = Literal["available", "quality_control", "damaged", "loss"]


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """Units of a transfer's line at its destination: into which bucket, or that they are missing (`loss`).

    `surplus` units were never sent: they are found.
    """

    id: UUID
    variant_id: UUID
    quantity: int
    bucket: ArrivalBucket = "available"
    surplus: bool = False


class Expect(msgspec.Struct, frozen=True, kw_only=True):
    """A line of what is announced. `unit_cost` in minor units, null when unknown. What somebody must `inspect` first is promised to
    nobody."""

    id: UUID
    variant_id: UUID
    quantity: int
    unit_cost: int | None = None
    inspect: bool = False


class ExpectedChange(msgspec.Struct, frozen=True, kw_only=True):
    """Another date, or so many units less (`cancelled` more units will not come) of what is announced."""

    id: UUID
    expected_on: date | None = None
    cancelled: int = 0


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What is announced to arrive at a location: a plan. `open` units are still to come, `free` of them promised to nobody."""

    id: UUID
    kind: Literal["supply", "transfer"]
    document_id: UUID
    location_id: UUID
    variant_id: UUID
    expected_on: date
    unit_cost: int | None
    quantity: int
    received: int
    cancelled: int
    promised: int
    inspect: bool = False
    """Somebody must look at it when it comes: it is promised to nobody before."""

    @property
    def open(self) -> int:
        """Units still to come."""
        return self.quantity - self.received - self.cancelled

    @property
    def free(self) -> int:
        """Units still to come that can be promised."""
        return 0 if self.inspect else self.open - self.promised


class Regrade(msgspec.Struct, frozen=True, kw_only=True):
    """Units that change their bucket where they stand."""

    variant_id: UUID
    quantity: int
    from_bucket: ShelfBucket
    to_bucket: ShelfBucket
    codes: tuple[str, ...] = ()
    """Of those units that are known by their codes: at most as many as there are."""


class Portion(msgspec.Struct, frozen=True, kw_only=True):
    """Units of a variant in a bucket. `codes` as in Regrade."""

    variant_id: UUID
    quantity: int
    bucket: ShelfBucket = "available"
    codes: tuple[str, ...] = ()


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What a count found more (positive) or less (negative) of than the books say."""

    variant_id: UUID
    delta: int
    bucket: ShelfBucket = "available"


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What a location lost of a variant by one kind of document (and, of an adjustment, for its reason): units, gains taken off
    (negative: it gained). `unit_cost` is the moving average now, null when never known."""

    location_id: UUID
    variant_id: UUID
    cause_kind: str
    reason: str | None
    quantity: int
    unit_cost: int | None


class HandedOver(msgspec.Struct, frozen=True, kw_only=True):
    """What a line gave to the customer; `unit_cost` is the moving average at that moment, null when never known.
    `variant_id` is null for a bundle, which costs what its components do."""

    line_id: UUID
    variant_id: UUID | None
    quantity: int
    unit_cost: int | None


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """One variant at one location, by bucket. `ats` (available to sell) = available + expired reservations not yet
    swept - safety stock, never below zero."""

    location_id: UUID
    variant_id: UUID
    available: int
    reserved: int
    committed: int
    quality_control: int
    damaged: int
    in_transit: int
    in_transit_committed: int
    safety_stock: int
    ats: int


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """Goods set aside for an owner's line. `quantity_lost` units expired or were taken by a physical fact."""

    id: UUID
    owner: Owner
    line_id: UUID
    location_id: UUID
    variant_id: UUID
    bucket: StandsOn
    state: ReservationState
    quantity: int
    quantity_open: int
    quantity_lost: int
    expires_at: datetime | None
    created_at: datetime
    per_unit: int = 1
    """How many of these are in one unit of the line: more than one in a bundle."""
    expected_id: UUID | None = None


class GivenUp(msgspec.Struct, frozen=True, kw_only=True):
    """What an owner gave up of one reservation, where it stood: units that were `freed`, and lost ones that were `forgone`."""

    line_id: UUID
    variant_id: UUID
    location_id: UUID
    bucket: StandsOn
    expected_id: UUID | None
    per_unit: int
    freed: int
    forgone: int

    @property
    def units(self) -> int:
        """All of them."""
        return self.freed + self.forgone


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """A positive quantity of one variant from one place to another."""

    variant_id: UUID
    quantity: int
    from_place: Place
    to_place: Place
    from_location_id: UUID | None = None
    to_location_id: UUID | None = None
    unit_cost: int | None = None
    line_id: UUID | None = None
    per_unit: int = 1


class HistoryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A movement with its cause: what moved, why, and who did it through what (ids and codes)."""

    posting_id: UUID
    n: int
    variant_id: UUID
    quantity: int
    from_place: Place
    from_location_id: UUID | None
    to_place: Place
    to_location_id: UUID | None
    unit_cost: int | None
    line_id: UUID | None
    cause_kind: str
    cause_id: UUID
    actor: dict[str, Any]
    reason: str | None
    occurred_at: datetime
    recorded_at: datetime
    business_date: date


class ReceivedLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a delivery."""

    sku: Sku
    quantity: Quantity
    unit_cost: UnitCost | None = None
    bucket: ShelfBucket = "available"
    codes: UnitCodes = []
    """Of the units that were scanned, where they have codes of their own: at most as many as there are."""


class BookReceipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods that arrived from a supplier."""

    lines: Annotated[list[ReceivedLine], Meta(min_length=1, max_length=1000)]
    note: Reason | None = None


class BookAdjustment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A physical fact about goods on the shelf. `delta` is positive for found, either for count and correction, and negative
    for everything else: damage (the goods stay, as damaged), theft, lost, expired, sample, internal_use, write_off."""

    sku: Sku
    delta: Annotated[int, Meta(ge=-1_000_000, le=1_000_000)]
    reason: AdjustmentReason
    bucket: ShelfBucket = "available"
    note: Reason | None = None


class ApproveAdjustment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Book what has waited."""

    note: Reason | None = None


class RejectAdjustment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Do not book what has waited, and say why."""

    note: Reason


class MoveLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units that are judged anew where they stand."""

    sku: Sku
    quantity: Quantity
    from_bucket: ShelfBucket
    to_bucket: ShelfBucket
    codes: UnitCodes = []
    """Of the units that were scanned, where they have codes of their own: at most as many as there are."""


class BookMove(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods change between for sale, to be judged, and not sellable."""

    lines: Annotated[list[MoveLine], Meta(min_length=1, max_length=200)]
    reason: Reason


class ShelfLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of a variant in a bucket."""

    sku: Sku
    quantity: Quantity
    bucket: ShelfBucket


class ScannedLine(ShelfLine, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of a variant in a bucket, some of which may be named by their own codes."""

    codes: UnitCodes = []
    """Of the units that were scanned, where they have codes of their own: at most as many as there are."""


class BookConversion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods become others: an open box, a kit made or broken up. What is taken carries its cost to what is made."""

    takes: Annotated[list[ScannedLine], Meta(min_length=1, max_length=200)]
    makes: Annotated[list[ScannedLine], Meta(min_length=1, max_length=200)]
    reason: Reason


class BookVendorReturn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods go back to where they were bought. `reference` is what the supplier knows it by."""

    supplier: Code
    reference: ShortText
    lines: Annotated[list[ScannedLine], Meta(min_length=1, max_length=200)]
    note: Reason | None = None


class BookWriteOff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods are given up for good."""

    lines: Annotated[list[ShelfLine], Meta(min_length=1, max_length=200)]
    reason: WriteOffReason
    note: Reason | None = None


class LevelView(msgspec.Struct, frozen=True, kw_only=True):
    """One variant at this store, by bucket; `ats` is what other channels may promise."""

    sku: str
    variant_id: UUID
    available: int
    reserved: int
    committed: int
    quality_control: int
    damaged: int
    in_transit: int
    in_transit_committed: int
    safety_stock: int
    on_hand: int
    ats: int


class PostingView(msgspec.Struct, frozen=True, kw_only=True):
    """An act in the books, and the levels after it."""

    cause_kind: str
    cause_id: UUID
    location: str
    occurred_at: datetime
    business_date: date
    levels: list[LevelView]


class BookedAdjustmentView(PostingView, frozen=True, kw_only=True):
    """An adjustment as it was asked for. While it is `waiting` for a manager nothing has moved: `levels` are as before.

    `value` is what the units are worth, null when neither a cost nor a price is known.
    """

    adjustment: UUID
    state: AdjustmentState
    value: Money | None
    valued_by: ValuedBy | None
    version: int


class StockAdjustmentView(msgspec.Struct, frozen=True, kw_only=True):
    """An adjustment with who asked for it and who decided; one that needed nobody's approval was decided by who asked."""

    id: UUID
    location: str
    sku: str
    variant_id: UUID
    delta: int
    bucket: ShelfBucket
    reason: AdjustmentReason
    note: str | None
    state: AdjustmentState
    value: Money | None
    valued_by: ValuedBy | None
    requested_by: dict[str, Any]
    requested_at: datetime
    decided_by: dict[str, Any] | None
    decided_at: datetime | None
    decision_note: str | None
    version: int


class WorthLine(msgspec.Struct, frozen=True, kw_only=True):
    """What some units are worth; null when neither a cost nor a price is known."""

    sku: str
    quantity: int
    bucket: ShelfBucket
    value: Money | None
    valued_by: ValuedBy | None


class GivenUpView(PostingView, frozen=True, kw_only=True):
    """Goods that have left the books, with their value; the whole `value` is null when that of a line is unknown."""

    lines: list[WorthLine]
    value: Money | None


class MovementView(msgspec.Struct, frozen=True, kw_only=True):
    """One movement of a variant: from where to where, why, and who did it."""

    posting_id: UUID
    n: int
    quantity: int
    from_place: Place
    from_location: str | None
    to_place: Place
    to_location: str | None
    unit_cost: int | None
    line_id: UUID | None
    cause_kind: str
    cause_id: UUID
    actor: dict[str, Any]
    reason: str | None
    occurred_at: datetime
    recorded_at: datetime
    business_date: date


class UnitsNamed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units of a SKU by their own codes."""

    sku: Sku
    codes: UnitCodes


class UnitMoveView(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a unit once. `from_place` is null when nobody knew it before; `cause_kind` when it was put into a box."""

    n: int
    from_place: UnitPlace | None
    from_location: str | None
    to_place: UnitPlace
    to_location: str | None
    line_id: UUID | None
    """The order line that it was picked for, left with or came back from."""
    picked_for: UUID | None
    """The fulfillment whose box it lay in afterwards."""
    cause_kind: str | None
    cause_id: UUID | None
    actor: dict[str, Any]
    occurred_at: datetime


class UnitView(msgspec.Struct, frozen=True, kw_only=True):
    """A unit with a code of its own, where it was last seen: units follow the goods when somebody reads their code."""

    sku: str
    code: str
    place: UnitPlace
    location: str | None
    line_id: UUID | None
    """The order line that it last left with."""
    picked_for: UUID | None
    """The fulfillment whose box it lies in."""
    changed_at: datetime
    history: list[UnitMoveView]
    """The newest first, at most 200."""
    version: int
