"""What `orders` takes in and answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commerce import carts, catalog, fulfillment, stock
from commerce.kernel.money import MAX_MINOR, Currency, Money
from commerce.kernel.text import NO_NUL, Code, Language, Quantity, Reason, ShortText, Sku
from commerce.payments import PaymentView, ReceiptRef, ReceiptSummary, Reference, TenderKind

Kind = Literal["standard", "till_sale", "reservation", "exchange", "replacement"]
State = Literal["awaiting_payment", "placed", "completed", "cancelled"]
Sold = Literal["distance", "on_premises"]
AdjustmentKind = Literal[
    "promotion",
    "coupon",
    "staff",
    "override",
    "price_match",
    "shelf_price",
    "offline_price",
    "invoice_price",
    "marketplace",
]
CustomerReason = Literal["changed_mind", "ordered_by_mistake", "found_elsewhere", "takes_too_long", "other"]
PaymentStatus = Literal["pending", "partially_paid", "paid", "partially_refunded", "refunded", "voided"]
FulfillmentStatus = Literal["unfulfilled", "in_progress", "partially_fulfilled", "fulfilled"]
ReturnStatus = Literal["none", "partially_returned", "returned"]
Price = Annotated[int, Meta(ge=0, le=MAX_MINOR, description="Minor units of the currency")]
Email = Annotated[str, Meta(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]
Phone = Annotated[str, Meta(max_length=32, pattern=r"^\+?[0-9][0-9 ()-]{4,30}$")]


ExternalIds = Annotated[
    dict[Code, Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]], Meta(max_length=10)
]


class Amount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An amount that is not negative, in minor units of the shop's currency."""

    amount: Price
    currency: Currency


class Contact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom the store reaches about the order. What is left out comes from the profile."""

    name: ShortText | None = None
    email: Email | None = None
    phone: Phone | None = None


class Recipient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody else who collects it."""

    name: ShortText
    phone: Phone | None = None


class PickupChoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the customer collects it. `later`: also when the goods must be sent there first, or are still expected; the answer's promise
    says when they will be ready. Without it, what the shelf lacks is refused, and the refusal names the later date. Without `location`
    it is where the cart's lines say."""

    location: Code | None = None
    later: bool = False


class PlaceOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Order what is in the open cart, or in the one of the id `cart`, for the total that the customer saw. What is left out of pickup,
    contact, recipient and note is taken from the cart's checkout."""

    expected_total: Amount
    cart: UUID | None = None
    """One of a shopper's or of a device's open carts; its current one when left out."""
    pickup: PickupChoice | None = None
    contact: Contact = Contact()
    recipient: Recipient | None = None
    note: Annotated[str, Meta(max_length=1000, pattern=NO_NUL)] | None = None
    payment: Literal["pay_in_store"] = "pay_in_store"
    cart_version: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    """The version of the cart that the customer saw; If-Match says the same."""
    language: Language | None = None
    """Of messages about the order; the profile's, else Russian."""


class CancelOrder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the customer does not want it any more."""

    reason: CustomerReason


class TenderIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Money that was kept, without the change given back."""

    kind: TenderKind
    amount: Amount
    reference: Reference | None = None


class Units(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So many units of a SKU."""

    sku: Sku
    quantity: Quantity


Tenders = Annotated[list[TenderIn], Meta(max_length=20)]


class Collect(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hand over what is ready, for the code and the money; `lines` names the quantities when not all of them. `units` names every unit
    that has a code of its own; those of a bundle by the SKUs of its components."""

    code: Annotated[str, Meta(pattern=r"^[0-9]{6}$", description="The six digits that the customer shows")]
    tenders: Tenders
    lines: Annotated[list[Units], Meta(min_length=1, max_length=500)] | None = None
    units: Annotated[list[stock.UnitsNamed], Meta(max_length=500)] = []


class CancelFulfillment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the store cannot hand it over; `lines` names the units when not all that are left."""

    reason: fulfillment.CancelReason
    note: Reason | None = None
    lines: Annotated[list[Units], Meta(min_length=1, max_length=500)] | None = None


class RejectFulfillment(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why the store cannot do it."""

    reason: Literal["out_of_stock", "damaged", "recalled", "no_capacity", "store_closed", "other"]
    note: Reason | None = None


class AnswerChoice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of goods that the store could not hand over: collected at `location`, perhaps later, or cancelled. One of the two."""

    location: Code | None = None
    cancel: bool = False


class SaleLineIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods by SKU or by what the scanner read, with the price charged for one whole unit. Exactly one of the two."""

    sku: Sku | None = None
    barcode: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)] | None = None
    quantity: Quantity
    """Steps of the variant's unit; of a barcode, how many times it was scanned."""
    unit_price: Amount
    codes: stock.UnitCodes = []
    """Of goods whose units have codes of their own: as many as units. A GS1 label given as the barcode is the code of its one unit."""
    units: Annotated[list[stock.UnitsNamed], Meta(max_length=50)] = []
    """The same of a bundle, by the SKUs of its components."""


class BookSale(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A sale that has happened at a till. The till makes the id; the same id again books nothing."""

    id: UUID
    occurred_at: Annotated[datetime, Meta(tz=True)]
    lines: Annotated[list[SaleLineIn], Meta(min_length=1, max_length=500)]
    tenders: Tenders
    device_sequence: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    customer: UUID | None = None
    external_ids: ExternalIds = {}
    """What other systems call this sale, by system: unique per system."""
    cart: UUID | None = None
    """The basket of this till whose goods were sold: it is closed, and the sale counts for the customer who is named on it, unless
    `customer` says another."""


class Tax(Struct, frozen=True, kw_only=True):
    """Tax contained in an amount: `net` + `tax` = gross; 22 % is 2200 basis points."""

    net: Money
    tax: Money
    basis_points: int


class PriceAdjustmentView(Struct, frozen=True, kw_only=True):
    """Why a line does not cost its list price."""

    kind: AdjustmentKind
    amount: Money
    reason: str


class GiftView(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The gift wish of an order, and of its lines by SKU."""

    wrap: bool = False
    message: str | None = None
    lines: dict[str, carts.Gift] = {}


class LineView(Struct, frozen=True, kw_only=True):
    """A line as it was sold. `bought_at` and `fulfilled_at` are codes of locations."""

    id: UUID
    n: int
    sku: str
    title: dict[str, str]
    option_texts: dict[str, dict[str, str]]
    quantity: int
    quantity_unit: str | None
    quantity_scale: int
    unit_price: Money
    price_valid_from: datetime
    subtotal: Money
    adjustments: list[PriceAdjustmentView]
    total: Money
    tax: Tax
    return_policy: str
    bought_at: str | None
    fulfilled_at: str | None
    handed_over: int
    handed_over_at: datetime | None
    cancelled: int
    returned: int


class OrderFulfillmentView(Struct, frozen=True, kw_only=True):
    """Where and when the goods are handed over. The pickup code is for its customer alone, while it is ready."""

    number: str
    kind: Literal["pickup", "carry_out"]
    state: fulfillment.State
    at_risk: bool
    location: str
    location_name: dict[str, str]
    address: dict[str, str | None]
    promise: fulfillment.Promise | None
    ready_at: datetime | None
    pickup_by: datetime | None
    closed_at: datetime | None
    cancel_reason: str | None
    lines: list[fulfillment.FulfillmentLineView]
    pickup_code: str | None = None
    code_attempts_left: int | None = None
    version: int
    """Of the fulfillment: the ETag of its own address in the store."""


class UnitsOfSku(Struct, frozen=True, kw_only=True):
    """So many units of a SKU."""

    sku: str
    quantity: int


class ChoiceView(Struct, frozen=True, kw_only=True):
    """What the customer is asked: the store cannot hand these units over, and nobody could send them there."""

    reason: str
    asked_at: datetime
    units: list[UnitsOfSku]


class OrderView(Struct, frozen=True, kw_only=True):
    """An order as its customer and the staff see it."""

    id: UUID
    number: str
    kind: Kind
    state: State
    payment_status: PaymentStatus
    fulfillment_status: FulfillmentStatus
    return_status: ReturnStatus
    channel: str
    sold: Sold
    language: Language
    customer_id: UUID | None
    subtotal: Money
    adjustment_total: Money
    charge_total: Money
    total: Money
    tax_total: Money
    owed: Money
    """What is still to be paid for the units that are waiting."""
    lines: list[LineView]
    fulfillments: list[OrderFulfillmentView]
    payments: list[PaymentView]
    receipts: list[ReceiptSummary]
    choices: list[ChoiceView]
    """What the customer is asked, and has not answered yet."""
    contact: Contact | None
    recipient: Recipient | None
    note: str | None
    gift: GiftView | None
    external_ids: dict[str, str]
    """What other systems call it, by system."""
    placed_at: datetime
    completed_at: datetime | None
    cancelled_at: datetime | None
    cancel_reason: str | None
    version: int

    @property
    def entity_tag(self) -> str:
        """Changes with the order and with each of its fulfillments, which have versions of their own."""
        return ".".join(str(version) for version in (self.version, *(work.version for work in self.fulfillments)))


class PlannedSourceView(Struct, frozen=True, kw_only=True):
    """Units of a line from a location, off its shelf or out of what is expected there, and why from there: ru and en."""

    sku: str
    location: str
    quantity: int
    expected_on: date | None
    reason: dict[str, str]


class NotASourceView(Struct, frozen=True, kw_only=True):
    """A location that nothing comes from, and why: ru and en."""

    location: str
    reason: dict[str, str]


class OrderPlanView(Struct, frozen=True, kw_only=True):
    """Where goods of an order come from, as it was planned on an occasion (placed, resourced, chosen)."""

    n: int
    occasion: str
    made_at: datetime
    proven: bool
    """No other plan was better by the rules."""
    allocations: list[PlannedSourceView]
    rejected: list[NotASourceView]


class OrderPlans(Struct, frozen=True, kw_only=True):
    """Every plan of an order, the first first; none when all came off the shelf of its store."""

    items: list[OrderPlanView]


class OrderHeadline(Struct, frozen=True, kw_only=True):
    """What another document that names an order keeps of it."""

    id: UUID
    number: str
    customer_id: UUID | None


class OrderSummary(Struct, frozen=True, kw_only=True):
    """An order in a list."""

    number: str
    kind: Kind
    state: State
    fulfillment_status: FulfillmentStatus
    return_status: ReturnStatus
    channel: str
    total: Money
    units: int
    """Lines, counted; a line by measure counts as one."""
    title: dict[str, str]
    """Of the first line."""
    placed_at: datetime
    version: int


class OrderOfPerson(Struct, frozen=True, kw_only=True):
    """An order among all that is known of its customer: nothing says whom it is for."""

    id: UUID
    number: str
    kind: Kind
    state: State
    channel: str
    total: Money
    units: int
    """Lines, counted; a line by measure counts as one."""
    title: dict[str, str]
    """Of the first line."""
    fulfillment_status: FulfillmentStatus
    return_status: ReturnStatus
    bought_at: str | None
    """Code of the store whose till, kiosk or staff took it."""
    fulfilled_at: list[str]
    """Codes of the locations where it is collected, or was."""
    placed_at: datetime


class OrderHead(Struct, frozen=True, kw_only=True):
    """Whose an order is, and how he can be reached."""

    id: UUID
    number: str
    customer_id: UUID | None
    state: State
    channel: str
    language: Language
    placed_at: datetime
    contact: Contact | None


class TimelineEntry(Struct, frozen=True, kw_only=True):
    """What happened, when, and who did it through which channel."""

    what: str
    fulfillment: str | None
    who: str
    """Kind of the actor: shopper, staff, device, system."""
    who_id: UUID
    channel: str
    device: UUID | None
    data: dict[str, Any]
    occurred_at: datetime


class Timeline(Struct, frozen=True, kw_only=True):
    """Everything that happened to an order, oldest first."""

    number: str
    entries: list[TimelineEntry]


class HandedOverUnits(Struct, frozen=True, kw_only=True):
    """Units of a line that were handed over now."""

    sku: str
    quantity: int
    paid: Money


class HandOverView(Struct, frozen=True, kw_only=True):
    """What the counter did: units, money, receipt, and what is left."""

    order_number: str
    number: str
    state: fulfillment.State
    order_state: State
    paid: Money
    units: list[HandedOverUnits]
    unit_codes: list[stock.UnitsNamed]
    """The units with codes of their own that were handed over."""
    receipt: ReceiptRef
    left: int
    """Units that are still waiting."""
    version: int


class SaleView(Struct, frozen=True, kw_only=True):
    """A till sale in the books. `already_booked` when this id was there before."""

    id: UUID
    order_number: str
    total: Money
    tax_total: Money
    receipt: ReceiptRef | None
    occurred_at: datetime
    already_booked: bool
    version: int


class FulfillmentCancelledView(Struct, frozen=True, kw_only=True):
    """What a store gave up of a fulfillment, and the states after it. `version` is the fulfillment's."""

    order_number: str
    number: str
    state: fulfillment.State
    order_state: State
    cancel_reason: str
    units: int
    left: int
    """Units that are still waiting."""
    version: int


class FulfillmentRejectedView(Struct, frozen=True, kw_only=True):
    """What a store could not do, and what became of it: its `successor` with a new promise, or the customer is `asked`."""

    order_number: str
    number: str
    state: fulfillment.State
    reason: str
    units: int
    successor: str | None
    promise: fulfillment.Promise | None
    asked: bool
    version: int


class ChoiceAnswered(Struct, frozen=True, kw_only=True):
    """The answer, and what became of the units. `version` is the order's."""

    number: str
    state: State
    cancelled: bool
    successor: str | None
    location: str | None
    promise: fulfillment.Promise | None
    units: list[UnitsOfSku]
    version: int


class CancelledView(Struct, frozen=True, kw_only=True):
    """What was given up, and the state of the order after it."""

    number: str
    state: State
    reason: str
    units: int
    version: int


class CodeRenewed(Struct, frozen=True, kw_only=True):
    """A new pickup code exists; the order shows it."""

    number: str
    renewed: int
    """Pickups that got one."""
    version: int


class LineForReturn(Struct, frozen=True, kw_only=True):
    """A locked line as `returns` needs it: minor units; `total` and `tax` are of the whole line."""

    id: UUID
    n: int
    variant_id: UUID
    sku: str
    title: dict[str, str]
    quantity: int
    quantity_unit: str | None
    quantity_scale: int
    unit_price: int
    total: int
    net: int
    tax: int
    tax_class: str
    tax_basis_points: int
    unit_cost: int | None
    return_policy: str
    fulfilled_location_id: UUID | None
    handed_over: int
    handed_over_at: datetime | None
    cancelled: int
    returned: int
    parts: tuple[stock.Part, ...] = ()
    """What a bundle was made of when it was sold."""
    components: tuple[catalog.Component, ...] | None = None
    """The same, by SKU."""


class OrderForReturn(Struct, frozen=True, kw_only=True):
    """A locked order as `returns` needs it."""

    id: UUID
    number: str
    kind: Kind
    state: State
    sold: Sold
    customer_id: UUID | None
    currency: str
    language: Language
    placed_at: datetime
    lines: list[LineForReturn]
    version: int


class AlternativeView(Struct, frozen=True, kw_only=True):
    """Another variant of the same product, which can be bought now."""

    sku: str
    options: dict[str, str]
    option_texts: dict[str, dict[str, str]]
    unit_price: Money | None
    availability: Literal["in_stock", "few", "sold_out", "expected"]


class ReorderedLine(carts.AddedLine, frozen=True, kw_only=True):
    """What became of what was ordered: all of one SKU together."""

    title: dict[str, str]
    option_texts: dict[str, dict[str, str]]
    """As they were when it was ordered."""
    alternatives: list[AlternativeView]
    """Of what is sold out or not sold any more: other variants of the product that can be had, the nearest in price first."""


class Reordered(Struct, frozen=True, kw_only=True):
    """The cart after an order was put into it again, and what became of each line. `version` is the cart's."""

    version: int
    cart: carts.CartView
    lines: list[ReorderedLine]

    @property
    def entity_tag(self) -> str:
        """The cart's."""
        return self.cart.entity_tag
