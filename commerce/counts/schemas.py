"""What `counts` takes in and answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commerce.kernel.money import Money
from commerce.kernel.text import NO_NUL, Code, Reason, Sku

Scope = Literal["zone", "category", "list"]
State = Literal["open", "counted", "recount", "closed", "cancelled"]
Uncounted = Literal["leave", "zero"]
Resolution = Literal["agrees", "posted", "zeroed", "left"]
Only = Literal["all", "not_counted", "variances"]
TaskState = Literal["open", "counted", "dismissed"]
TaskReason = Literal["unknown_goods", "short_pick", "short_transfer"]
Spot = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=NO_NUL, description="A place on the shop floor, e.g. shelf-3")
]
CountedQuantity = Annotated[int, Meta(ge=0, le=1_000_000, description="Steps of the variant's quantity unit; 0: none")]
Moment = Annotated[datetime, Meta(tz=True)]

LIVE: tuple[State, ...] = ("open", "counted", "recount")
"""States in which a count can still change."""


class OpenCount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be counted: a zone with the SKUs that belong to it, categories with all below them, or a list of SKUs."""

    scope: Scope
    zone: Code | None = None
    categories: Annotated[list[Code], Meta(max_length=100)] = []
    skus: Annotated[list[Sku], Meta(max_length=5000)] = []
    tasks: bool = False
    """Also all goods for which the store has an open count task."""
    blind: bool = False
    """Counters do not see what the books say."""
    note: Reason | None = None
    """For whom, or why."""


class CountEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods that were counted: a SKU, or a barcode as the scanner read it. A barcode of a pack counts for what the pack holds."""

    sku: Sku | None = None
    barcode: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)] | None = None
    quantity: CountedQuantity = 1
    spot: Spot | None = None
    """A spot that is named counts once in a round: when it is counted again, the later count stands."""
    counted_at: Moment | None = None
    """When, by the clock of a scanner that was offline; now when left out."""

    def __post_init__(self) -> None:
        if self.sku is not None and self.barcode is not None:
            raise ValueError("Name either a sku or a barcode")


class EnterCount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody counted. Entries add up, also those of several counters, but those of the same named spot."""

    entries: Annotated[list[CountEntry], Meta(min_length=1, max_length=500)]
    replace: bool = False
    """Instead of what this round has for these goods at these spots (or at none) so far: a correction."""


class RecountLines(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be counted once more; what was counted of it so far does not count then."""

    skus: Annotated[list[Sku], Meta(min_length=1, max_length=5000)]
    reason: Reason | None = None


class ApproveCount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A manager's decision. `uncounted` says what becomes of goods that nobody counted."""

    uncounted: Uncounted | None = None
    reason: Reason | None = None


class CancelCount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why it is given up."""

    reason: Reason


class DismissTask(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why no count is needed."""

    reason: Reason


class Session(Struct, kw_only=True):
    """A count as the verbs see it."""

    id: UUID
    number: str
    location_id: UUID
    scope: Scope
    zone: str | None
    categories: list[str]
    blind: bool
    note: str | None
    currency: str
    state: State
    round: int
    opened_at: datetime
    round_began_at: datetime
    submitted_at: datetime | None
    closed_at: datetime | None
    uncounted: Uncounted | None
    version: int


class Line(Struct, kw_only=True):
    """A variant to be counted, as the verbs see it. Amounts are null while there is no variance or no cost or price is known."""

    variant_id: UUID
    round: int
    counted: int | None = None
    counted_at: datetime | None = None
    expected: int | None = None
    moved: int = 0
    variance: int | None = None
    cost_amount: int | None = None
    price_amount: int | None = None
    resolution: Resolution | None = None


class Variances(Struct, frozen=True, kw_only=True):
    """Where the count differs from the books. Values are at average cost and at list price; what has none is not in them."""

    lines: int
    missing: int
    """Units."""
    surplus: int
    at_cost: Money
    """Surplus less missing."""
    at_price: Money
    without_cost: int
    """Lines that differ and whose cost was never known."""


class CountView(Struct, frozen=True, kw_only=True):
    """A count. `variances` is null for whoever counts blindly."""

    number: str
    location: str
    scope: Scope
    zone: str | None
    categories: list[str]
    blind: bool
    note: str | None
    state: State
    round: int
    opened_at: datetime
    round_began_at: datetime
    submitted_at: datetime | None
    closed_at: datetime | None
    uncounted: Uncounted | None
    lines: int
    counted: int
    not_counted: int
    variances: Variances | None
    version: int


class CountStep(Struct, frozen=True, kw_only=True):
    """Something that happened to a count, and who did it."""

    version: int
    what: str
    actor: dict[str, Any]
    data: dict[str, Any]
    occurred_at: datetime


class CountDetail(CountView, frozen=True, kw_only=True):
    """A count with its story, the newest first."""

    steps: list[CountStep]


class CountEntryView(Struct, frozen=True, kw_only=True):
    """What somebody counted. `stands` is false when the spot was counted again."""

    round: int
    spot: str | None
    quantity: int
    counted_at: datetime
    counted_by: UUID
    device: UUID | None
    stands: bool


class CountLineView(Struct, frozen=True, kw_only=True):
    """One variant of a count.

    `expected` is what the books say for the moment it was counted (for the first of its entries, when it stands in several
    places); `moved` is what went in or out from then to the last entry, and may have been counted at neither or both.
    Null for whoever counts blindly.
    """

    sku: str
    variant_id: UUID
    title: dict[str, str]
    option_texts: dict[str, dict[str, str]]
    round: int
    counted: int | None
    counted_at: datetime | None
    expected: int | None
    moved: int | None
    variance: int | None
    at_cost: Money | None
    at_price: Money | None
    resolution: Resolution | None
    entries: list[CountEntryView]


class EnteredView(Struct, frozen=True, kw_only=True):
    """The lines that were just counted, as they stand now."""

    number: str
    state: State
    round: int
    lines: list[CountLineView]
    version: int


class TaskSource(Struct, frozen=True, kw_only=True):
    """An event that asked for a count."""

    event_id: UUID
    reason: TaskReason
    quantity: int
    occurred_at: datetime


class CountTaskView(Struct, frozen=True, kw_only=True):
    """A shelf that should be counted, and why. `count` is the count that closed it, or that counts it now."""

    id: UUID
    location: str
    sku: str
    variant_id: UUID
    title: dict[str, str]
    reason: TaskReason
    quantity: int
    state: TaskState
    count: str | None
    dismissed_because: str | None
    sources: list[TaskSource]
    opened_at: datetime
    changed_at: datetime
    closed_at: datetime | None
    version: int


class ShrinkageRow(Struct, frozen=True, kw_only=True):
    """What a location lost for one reason: units and value at average cost, gains taken off (negative: it gained)."""

    cause: str
    """What kind of document moved the goods."""
    reason: str
    """The reason of an adjustment; else like the cause."""
    units: int
    at_cost: Money
    units_without_cost: int
    """Not in the value, as their cost was never known."""


class LocationShrinkage(Struct, frozen=True, kw_only=True):
    """The losses of one location."""

    location: str
    reasons: list[ShrinkageRow]
    units: int
    at_cost: Money
    units_sold: int
    per_ten_thousand_sold: int | None
    """Units lost for every 10,000 sold; null when nothing was."""


class SkuShrinkage(Struct, frozen=True, kw_only=True):
    """What was lost of one variant."""

    sku: str
    variant_id: UUID
    title: dict[str, str]
    units: int
    at_cost: Money | None


class ShrinkageView(Struct, frozen=True, kw_only=True):
    """What was lost in a period, by the business dates of the locations, both included."""

    since: date
    until: date
    units: int
    at_cost: Money
    units_sold: int
    per_ten_thousand_sold: int | None
    locations: list[LocationShrinkage]
    skus: list[SkuShrinkage]
    """The twenty that cost most."""
