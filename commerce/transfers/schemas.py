"""What `transfers` takes in and shows."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from commerce.kernel.ids import uuid7
from commerce.kernel.text import NO_NUL, Code, Quantity, Reason, Sku

State = Literal["draft", "ready", "in_transit", "partially_received", "received", "cancelled"]
Kind = Literal["replenishment", "ship_to_store", "rebalancing", "return_to_warehouse", "other"]
ShortReason = Literal["out_of_stock", "not_found", "damaged", "no_room", "not_needed", "other"]
"""Why units that were set aside did not leave."""
DiscrepancyReason = Literal["lost", "stolen", "damaged_on_the_way", "not_sent", "sent_too_many", "wrong_goods", "other"]
"""Why less or more came than was sent."""
Direction = Literal["incoming", "outgoing"]
TransferNumber = Annotated[
    str, Meta(min_length=1, max_length=40, pattern=NO_NUL, description="As printed: TR-482-130-596")
]
Barcode = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL, description="What the scanner read")]
Units = Annotated[
    int, Meta(ge=0, le=1_000_000, description="Steps of the variant's quantity unit, or scans of a barcode")
]
MAXIMUM = 1_000_000
"""Units of one line in one act."""


class TransferLineInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many units of a variant. Lines of the same variant are added up."""

    sku: Sku
    quantity: Quantity


TransferLines = Annotated[list[TransferLineInput], Meta(min_length=1, max_length=500)]


class CreateTransfer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods that are to travel. Without `expected_on`: by the transit hours of the link between both, tomorrow without a link."""

    source: Code
    destination: Code
    kind: Kind = "replenishment"
    lines: TransferLines
    expected_on: date | None = None
    note: Reason | None = None


class AskForGoods(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a store would like to have from another location."""

    source: Code
    kind: Kind = "replenishment"
    lines: TransferLines
    expected_on: date | None = None
    note: Reason | None = None


class ChangeTransfer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes; a member left out stays as it is. `lines` are all of them, and only of a draft that serves no order."""

    lines: TransferLines | UnsetType = UNSET
    expected_on: date | UnsetType = UNSET
    note: Reason | UnsetType | None = UNSET


class CancelTransfer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why nothing travels."""

    reason: Reason


class DispatchLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Units that leave, named by `sku` or by `barcode` (then `quantity` counts scans). What stays behind needs a `short_reason`."""

    sku: Sku | None = None
    barcode: Barcode | None = None
    quantity: Units = 1
    short_reason: ShortReason | None = None
    note: Reason | None = None


class DispatchTransfer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What leaves: everything when `lines` is null; otherwise exactly these. `short_reason` is that of every line without one."""

    lines: Annotated[list[DispatchLine], Meta(min_length=1, max_length=1000)] | None = None
    short_reason: ShortReason | None = None
    expected_on: date | None = None


class ReceiveLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What came of one variant, named by `sku` or by `barcode` (then the numbers count scans). `missing` units will not come.

    Missing units, and more than was sent, need a `reason`.
    """

    sku: Sku | None = None
    barcode: Barcode | None = None
    received: Units = 0
    quality_control: Units = 0
    damaged: Units = 0
    missing: Units = 0
    reason: DiscrepancyReason | None = None
    note: Reason | None = None


class ReceiveTransfer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What has arrived now: all that is on its way, intact, when `lines` is null."""

    lines: Annotated[list[ReceiveLine], Meta(min_length=1, max_length=1000)] | None = None


class CloseTransfer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing more will come: what is still on its way is missing, for this reason."""

    reason: DiscrepancyReason
    note: Reason | None = None


class OrderFreight(Struct, frozen=True, kw_only=True):
    """Units of an order's line that are to travel; a component's of a bundle. `source_id` and `line_id` say which of them when it
    matters: those that have not left there, or those on their way with this line of a transfer."""

    order_line_id: UUID
    variant_id: UUID
    quantity: int
    source_id: UUID | None = None
    line_id: UUID | None = None


class Opened(Struct, frozen=True):
    """A transfer that was opened for an order."""

    id: UUID
    number: str


class OwnedLine(Struct, frozen=True, kw_only=True):
    """Units of an order's line in a transfer. `on_the_way` have left and not arrived; `to_send` have not left and still may."""

    order_line_id: UUID
    variant_id: UUID
    quantity: int
    to_send: int
    on_the_way: int
    received: int


class OwnedTransfer(Struct, frozen=True, kw_only=True):
    """A transfer that carries goods of a fulfillment, as other rooms see it."""

    id: UUID
    number: str
    owner_id: UUID
    state: State
    source_id: UUID
    destination_id: UUID
    expected_on: date
    dispatched_at: datetime | None
    lines: list[OwnedLine]


class Line(Struct, kw_only=True):
    """A line under lock."""

    id: UUID
    n: int
    variant_id: UUID
    quantity: int
    owner_id: UUID | None = None
    order_line_id: UUID | None = None
    cancelled: int = 0
    freed: int = 0
    dispatched: int = 0
    received: int = 0
    quality_control: int = 0
    damaged: int = 0
    missing: int = 0
    surplus: int = 0
    short_reason: ShortReason | None = None
    discrepancy_reason: DiscrepancyReason | None = None
    remark: str | None = None

    @property
    def wanted(self) -> int:
        """Units that are to leave, or were."""
        return self.quantity - self.cancelled

    @property
    def arrived(self) -> int:
        """Dispatched units whose fate is known."""
        return self.received + self.quality_control + self.damaged + self.missing

    @property
    def on_the_way(self) -> int:
        """Units that have left and not arrived."""
        return self.dispatched - self.arrived


class Transfer(Struct, kw_only=True):
    """A transfer under lock."""

    id: UUID
    number: str
    kind: Kind
    source_id: UUID
    destination_id: UUID
    state: State
    order_number: str | None
    remark: str | None
    expected_on: date
    cancel_reason: str | None
    version: int
    created_at: datetime
    ready_at: datetime | None
    dispatched_at: datetime | None
    closed_at: datetime | None
    lines: list[Line]
    seen: dict[UUID, Line] = msgspec.field(default_factory=dict)
    """The lines as they were read, by id."""
    document: UUID = msgspec.field(default_factory=uuid7)
    """The step that this transaction writes: the document of what it moves."""


class TransferLineView(Struct, frozen=True, kw_only=True):
    """One line. `order_line_id`: its goods serve that line of the order named at the head."""

    n: int
    sku: str
    title: dict[str, str]
    quantity: int
    cancelled: int
    """Units that their order gave up before they left."""
    dispatched: int
    on_the_way: int
    received: int
    quality_control: int
    damaged: int
    missing: int
    surplus: int
    """Units that came without having been sent."""
    short_reason: ShortReason | None
    discrepancy_reason: DiscrepancyReason | None
    note: str | None
    order_line_id: UUID | None


class TransferStep(Struct, frozen=True, kw_only=True):
    """One entry of the timeline: what happened to this version, and by whom (ids and codes)."""

    version: int
    what: str
    occurred_at: datetime
    actor: dict[str, Any]
    data: dict[str, Any]


class TransferView(Struct, frozen=True, kw_only=True):
    """Goods on their way from one location to another, with their timeline."""

    number: str
    kind: Kind
    state: State
    source: str
    destination: str
    order_number: str | None
    """The order whose goods it carries."""
    note: str | None
    expected_on: date
    cancel_reason: str | None
    lines: list[TransferLineView]
    steps: list[TransferStep]
    created_at: datetime
    ready_at: datetime | None
    dispatched_at: datetime | None
    closed_at: datetime | None
    version: int


class TransferSummary(Struct, frozen=True, kw_only=True):
    """A transfer in a list."""

    number: str
    kind: Kind
    state: State
    source: str
    destination: str
    order_number: str | None
    expected_on: date
    late: bool
    """It is expected before today and has not arrived."""
    lines: int
    units: int
    on_the_way: int
    created_at: datetime
