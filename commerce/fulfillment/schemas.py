"""What `fulfillment` takes in and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commerce import catalog, stock
from commerce.kernel.clock import in_utc
from commerce.kernel.text import NO_NUL, Quantity, Reason, Sku

State = Literal[
    "scheduled", "awaiting_transfer", "open", "accepted", "picking", "picked", "packed", "ready_for_pickup", "collected", "rejected",
    "cancelled",
]  # fmt: skip
Kind = Literal["pickup", "carry_out"]
Coming = Literal["scheduled", "awaiting_transfer", "open"]
"""How far the goods of a fulfillment are that nobody has begun to work on."""
COMING: tuple[State, ...] = ("scheduled", "awaiting_transfer")
"""Its goods are still expected somewhere, or on their way to it."""
LIVE: tuple[State, ...] = (*COMING, "open", "accepted", "picking", "picked", "packed", "ready_for_pickup")
Band = Literal["in_stock", "few_left", "out", "expected"]
"""`expected`: none now, but more is announced that nobody was promised."""
FEW = 3
"""Up to so many units are `few_left`."""
CODE_ATTEMPTS = 5
"""Wrong codes until a new one is needed."""
CancelReason = Literal[
    "out_of_stock",
    "damaged",
    "buyer_no_show",
    "buyer_rejected",
    "customer_cancelled",
    "recalled",
    "store_closed",
    "other",
]


class Promise(Struct, frozen=True, kw_only=True):
    """Ready from, kept at least until."""

    from_at: datetime
    until_at: datetime


class WorkLine(Struct, frozen=True, kw_only=True):
    """Units of one order line to prepare."""

    order_line_id: UUID
    variant_id: UUID
    quantity: int
    components: tuple[catalog.Component, ...] = ()


class FulfillmentLine(Struct, kw_only=True):
    """A locked line."""

    id: UUID
    order_line_id: UUID
    variant_id: UUID
    quantity: int
    picked: int
    handed_over: int
    cancelled: int
    passed_on: int = 0
    """Units that another fulfillment took over, or that the customer is asked about."""
    components: tuple[catalog.Component, ...] | None = None
    """What a bundle was made of when it was ordered."""

    @property
    def outstanding(self) -> int:
        """Units that are neither handed over, nor cancelled, nor somebody else's work now."""
        return self.quantity - self.handed_over - self.cancelled - self.passed_on


class Fulfillment(Struct, kw_only=True):
    """Work at one location, as rooms above see it; locked, its verbs keep it up to date as they write."""

    id: UUID
    order_id: UUID
    number: str
    kind: Kind
    location_id: UUID
    state: State
    at_risk: bool
    promised_from: datetime | None
    promised_until: datetime | None
    ready_at: datetime | None
    pickup_by: datetime | None
    closed_at: datetime | None
    cancel_reason: str | None
    code_counter: int
    code_attempts: int
    version: int
    created_at: datetime
    lines: list[FulfillmentLine]

    @property
    def order_number(self) -> str:
        """The number of its order."""
        return self.number.rpartition("-")[0]

    @property
    def coming(self) -> bool:
        """Whether goods of it are still expected, or on their way to its store."""
        return self.state in COMING

    @property
    def live(self) -> bool:
        """Whether there is still something to hand over."""
        return self.state in LIVE

    @property
    def promise(self) -> Promise | None:
        """The promise in force."""
        if self.promised_from is None or self.promised_until is None:
            return None
        return Promise(from_at=self.promised_from, until_at=self.promised_until)

    @property
    def code_attempts_left(self) -> int:
        """Wrong codes until a new one is needed."""
        return max(0, CODE_ATTEMPTS - self.code_attempts)


class Scan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was picked: a SKU, or a barcode as the scanner read it. A barcode of a pack counts for what the pack holds.

    Goods whose units have codes of their own are picked with as many codes as units: `code` for one, `codes` for more. A label that names
    its product too (GS1) needs nothing else, whether it is given as the barcode or as the code.
    """

    sku: Sku | None = None
    barcode: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)] | None = None
    quantity: Quantity = 1
    code: stock.UnitCode | None = None
    codes: stock.UnitCodes = []

    @property
    def data(self) -> str:
        """What names the product, unless its SKU does."""
        return self.barcode or self.code or ""

    @property
    def unit_codes(self) -> list[str]:
        """The codes of units, if any was given or the label that was scanned has one."""
        given = [*([self.code] if self.code else []), *self.codes]
        return given or ([self.barcode] if self.barcode and catalog.unit_on_label(self.barcode) else [])


class Pick(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Picked goods; none yet begins the picking, and the last one ends it."""

    scans: Annotated[list[Scan], Meta(max_length=200)] = []


class PromiseAgain(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A later promise, with the reason that the customer is told."""

    from_at: Annotated[datetime, Meta(tz=True)]
    until_at: Annotated[datetime, Meta(tz=True)]
    reason: Reason

    def __post_init__(self) -> None:
        in_utc(self.until_at)


class FulfillmentLineView(Struct, frozen=True, kw_only=True):
    """Units of one order line at this location. In a store's own views with what to look for."""

    order_line_id: UUID
    variant_id: UUID
    quantity: int
    picked: int
    handed_over: int
    cancelled: int
    passed_on: int = 0
    components: tuple[catalog.Component, ...] = ()
    sku: str | None = None
    title: dict[str, str] | None = None
    option_texts: dict[str, dict[str, str]] | None = None


class StoreFulfillmentView(Struct, frozen=True, kw_only=True):
    """A fulfillment as its store sees it: never with the customer's code or contact."""

    number: str
    order_number: str
    location: str
    kind: Kind
    state: State
    at_risk: bool
    promise: Promise | None
    ready_at: datetime | None
    pickup_by: datetime | None
    closed_at: datetime | None
    cancel_reason: str | None
    created_at: datetime
    lines: list[FulfillmentLineView]
    version: int


class CheckedUnits(Struct, frozen=True, kw_only=True):
    """So many units of a SKU."""

    sku: str
    quantity: int


class CheckedView(Struct, frozen=True, kw_only=True):
    """What looking at the shelf has brought."""

    number: str
    state: State
    at_risk: bool
    """Whether something is still missing."""
    found: list[CheckedUnits]
    """Set aside for this customer again."""
    missing: list[CheckedUnits]
    """Promised and gone: book what was found as an adjustment and check again, or cancel these units."""
    version: int


class StepView(Struct, frozen=True, kw_only=True):
    """Something that happened to a fulfillment, and who did it."""

    number: str
    version: int
    what: str
    actor: dict[str, Any]
    data: dict[str, Any]
    occurred_at: datetime


class Buckets(Struct, frozen=True, kw_only=True):
    """The level as staff see it."""

    available: int
    reserved: int
    committed: int
    quality_control: int
    damaged: int
    in_transit: int
    in_transit_committed: int
    safety_stock: int
