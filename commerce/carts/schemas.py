"""What `carts` takes in and answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from commerce import auth, fulfillment
from commerce.kernel.money import Money
from commerce.kernel.tags import mark_of
from commerce.kernel.text import NO_NUL, Code, ShortText, Sku
from commerce.locations import Address

MAX_LINES = 500
MAX_QUANTITY = 1_000_000

CartName = Annotated[
    str,
    Meta(
        pattern=r"^(current|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$",
        description="`current` for the caller's open cart (a device's active basket), or the id of a cart that he has or has joined",
    ),
]
CartQuantity = Annotated[
    int,
    Meta(
        ge=0,
        le=MAX_QUANTITY,
        description="Absolute, in steps of the variant's quantity unit (each when it has none); 0 removes",
    ),
]
CartState = Literal["open", "ordered", "merged", "expired"]
Policy = Literal["sum", "keep_newest", "keep_account", "separate"]
Method = Literal["take_along", "collect", "deliver"]
NamedBy = Literal["card", "token", "staff", "hand_off"]
HandOffMode = Literal["move", "join"]
Email = Annotated[str, Meta(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]
Phone = Annotated[str, Meta(max_length=32, pattern=r"^\+?[0-9][0-9 ()-]{4,30}$")]
Note = Annotated[str, Meta(max_length=1000, pattern=NO_NUL)]
Label = Annotated[
    str, Meta(min_length=1, max_length=80, pattern=NO_NUL, description="What tells the basket apart on the shelf")
]
Token = Annotated[str, Meta(min_length=1, max_length=4000, pattern=r"^[!-~]+$")]


class PutLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of a variant the cart shall hold."""

    quantity: CartQuantity


class PutSku(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of one SKU the cart shall hold."""

    sku: Sku
    quantity: CartQuantity


class PutLines(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lines to set at once, all or none; lines that are not named stay as they are."""

    lines: Annotated[list[PutSku], Meta(min_length=1, max_length=MAX_LINES)]


class MergeCarts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bring the lines of another cart into one's own: an anonymous one, by its token, or another open one of one's own, by its id.
    Exactly one of the two. A line that only one of the carts has is always kept.

    `policy` decides about a SKU that both have: `sum` adds the quantities, `keep_newest` takes the one changed last,
    `keep_account` leaves the account's. `separate` moves no line: the other cart is saved aside, to be merged, resumed or dropped
    later; when the account's own has no line there is nothing to keep apart, and it gets all. The shop's default when left out.
    """

    token: Annotated[Token, Meta(description="Access token of the anonymous shopper")] | None = None
    cart: UUID | None = None
    policy: Policy | None = None


class Gift(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How it is wanted as a gift."""

    wrap: bool = False
    message: Annotated[str, Meta(min_length=1, max_length=500, pattern=NO_NUL)] | None = None


class Wish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How goods are wanted: taken along from the shop, collected at the store `location`, or delivered to one of one's saved
    addresses or to one written out."""

    method: Method
    location: Code | None = None
    address_id: UUID | None = None
    address: Address | None = None


class CartContact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whom to reach about the order."""

    name: ShortText | None = None
    email: Email | None = None
    phone: Phone | None = None


class CartRecipient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Somebody else who gets it."""

    name: ShortText
    phone: Phone | None = None


class PutCheckout(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The checkout so far. What is left out stays as it is, null takes it away."""

    fulfillment: Wish | UnsetType | None = UNSET
    """Of every line that does not say otherwise."""
    contact: CartContact | UnsetType | None = UNSET
    recipient: CartRecipient | UnsetType | None = UNSET
    note: Note | UnsetType | None = UNSET
    gift: Gift | UnsetType | None = UNSET


class PutWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one line is wanted. What is left out stays as it is; null: as the cart."""

    fulfillment: Wish | UnsetType | None = UNSET
    gift: Gift | UnsetType | None = UNSET


class OpenBasket(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new basket on a device, or a new cart of a shopper; the one at hand is parked, under `label_parked`."""

    label_parked: Label | None = None


class ParkCart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Put the cart aside, open."""

    label: Label | None = None


class NameCustomer(auth.Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose basket it is. Exactly one: the customer's id (staff who may read customers), the number of his loyalty card, or an
    access token that he has given by a pass or code from his phone."""

    customer: UUID | None = None
    loyalty_card: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[ -~]+$")] | None = None
    token: Token | None = None


class AskHandOff(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the code is for: `move` takes the lines to whoever claims it; `join` lets an associate work on this cart for half an hour."""

    mode: HandOffMode


class ClaimCart(auth.Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code that was shown on another screen. `policy` as in a merge, when lines move; `separate` is not for hand-offs."""

    code: Annotated[
        str,
        Meta(
            min_length=8,
            max_length=20,
            pattern=r"^[A-Za-z0-9 -]+$",
            description="BCDF-GHJK, with any dashes and spaces",
        ),
    ]
    policy: Literal["sum", "keep_newest", "keep_account"] | None = None


class Chosen(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A `Wish` as it is kept: with the id of its location."""

    method: Method
    location: str | None = None
    location_id: UUID | None = None
    address_id: UUID | None = None
    address: Address | None = None

    @property
    def wish(self) -> Wish:
        """As the customer said it."""
        return Wish(method=self.method, location=self.location, address_id=self.address_id, address=self.address)


class Checkout(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The checkout so far, as it is kept with the cart."""

    fulfillment: Chosen | None = None
    contact: CartContact | None = None
    recipient: CartRecipient | None = None
    note: str | None = None
    gift: Gift | None = None


NO_CHECKOUT = Checkout()


class CartLine(Struct, frozen=True, kw_only=True):
    """One variant in a cart, as other rooms see it. `unit_price_seen`: minor units, when the line was last put."""

    variant_id: UUID
    sku: str
    quantity: int
    unit_price_seen: int
    added_at: datetime
    added_channel: str
    added_device: UUID | None
    changed_at: datetime
    added_by: UUID | None = None
    """The member of staff who put it in."""
    wish: Chosen | None = None
    gift: Gift | None = None


class Joined(Struct, frozen=True, kw_only=True):
    """Staff who have joined a cart, as kept."""

    id: UUID
    principal_id: UUID
    joined_at: datetime
    until_at: datetime


class More(Struct, frozen=True, kw_only=True):
    """What an ordinary cart does not have: a device, a checkout, a name on it, guests."""

    device_id: UUID | None = None
    customer_id: UUID | None = None
    named_by: NamedBy | None = None
    label: str | None = None
    parked_at: datetime | None = None
    discreet: bool = False
    checkout: Checkout | None = None
    guests: list[Joined] = []


NO_MORE = More()


class Head(Struct, frozen=True, kw_only=True):
    """A cart without its lines."""

    id: UUID
    version: int
    state: CartState
    shopper_id: UUID | None
    more: More = NO_MORE

    @property
    def owner(self) -> UUID:
        """The shopper or the device whose it is."""
        owner = self.shopper_id or self.more.device_id
        assert owner is not None  # noqa: S101
        return owner


class OpenCart(Struct, frozen=True, kw_only=True):
    """An open cart whose row is locked until the end of the transaction; lines in the order they were added."""

    id: UUID
    version: int
    shopper_id: UUID | None
    lines: list[CartLine]
    device_id: UUID | None = None
    customer_id: UUID | None = None
    """Who is named on a device's basket."""
    named_by: NamedBy | None = None
    checkout: Checkout = NO_CHECKOUT

    @property
    def person(self) -> UUID | None:
        """Whose order it becomes: the shopper's, or the one's who is named; None of a nameless basket."""
        return self.shopper_id or self.customer_id

    @property
    def trusted(self) -> bool:
        """Whether the person has proven himself, so that what his profile says may be used: a card found in the street proves nothing."""
        return self.shopper_id is not None or self.named_by in ("token", "staff", "hand_off")


class CartMessage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something the shopper should see before he orders; members that do not belong to the code are absent.

    price_changed: `seen`, `now`. no_longer_sellable: `reason`. only_n_left: `available`. over_maximum: `maximum`.
    expected: `available` of them are there, all of them on `expected_on` (absent when the announced date has passed).
    not_at_store: the store `location` where it is to be collected has only `available`; `near`: the nearest that have as many.
    sold_out: `instead` names other variants of the product that can be bought.
    """

    code: Literal[
        "price_changed", "no_longer_sellable", "only_n_left", "sold_out", "expected", "over_maximum", "not_at_store"
    ]
    sku: str
    seen: Money | None = None
    now: Money | None = None
    reason: str | None = None
    available: int | None = None
    maximum: int | None = None
    expected_on: date | None = None
    location: str | None = None
    near: list[fulfillment.Near] | None = None
    instead: list[str] | None = None


class CartLineView(Struct, frozen=True, kw_only=True):
    """A line with what it costs now. A line that can no longer be sold is kept, with a message, outside the subtotal."""

    sku: str
    variant_id: UUID
    product: str
    """Slug of the product."""
    title: dict[str, str]
    options: dict[str, str]
    option_texts: dict[str, dict[str, str]]
    media: str | None
    quantity: int
    quantity_unit: str | None
    quantity_scale: int
    unit_price: Money | None
    """Per whole unit, now; null when the variant has no price any more."""
    unit_price_seen: Money | None
    """What it cost when the line was last put, when that differs."""
    total: Money | None
    sellable: bool
    availability: Literal["in_stock", "few", "sold_out", "expected"]
    """`few`: five units or less in all locations together. `expected`: none there, and the line can wait for what is announced."""
    available: int
    """Steps that can be sold now, in all locations together; bundles that are whole at one location. Exact when there are fewer than the
    line asks for, or few; otherwise counted up to where that is known, unless the installation shows quantities."""
    expected_on: date | None
    """When the line that waits is there; null when it need not wait, or when the announced date has passed."""
    maximum_per_order: int | None
    added_at: datetime
    added_channel: str
    added_device: UUID | None
    added_by: UUID | None
    """The member of staff who put it in."""
    fulfillment: Wish | None
    """How it is wanted; null: as the cart."""
    gift: Gift | None
    messages: list[CartMessage]


class NamedCustomer(Struct, frozen=True, kw_only=True):
    """Whose basket it is, for a screen that others may see: a greeting. The id only for staff who may read customers."""

    first_name: str | None
    named_by: NamedBy
    id: UUID | None = None


class GuestView(Struct, frozen=True, kw_only=True):
    """Staff who may read and change the cart for a while."""

    id: UUID
    name: str
    joined_at: datetime
    until_at: datetime


class CheckoutView(Struct, frozen=True, kw_only=True):
    """The checkout so far. `discreet`: it came from the customer's phone to a device; what it says of him is not shown there, but
    used: `contact` is masked, `hidden` names the rest that is there."""

    fulfillment: Wish | None = None
    contact: CartContact | None = None
    recipient: CartRecipient | None = None
    note: str | None = None
    gift: Gift | None = None
    discreet: bool = False
    hidden: list[Literal["contact", "recipient", "note", "address", "gift_message"]] = []


class CartView(Struct, frozen=True, kw_only=True, dict=True):
    """A cart, priced now. `subtotal` counts the lines that can be sold; `version` 0 without an id: nothing was put yet."""

    id: UUID | None
    version: int
    state: CartState
    owner: Literal["shopper", "device"]
    parked_at: datetime | None
    """Since when it lies aside, open, and is not `current`."""
    label: str | None
    customer: NamedCustomer | None
    """Who is named on a device's basket."""
    checkout: CheckoutView | None
    guests: list[GuestView]
    lines: list[CartLineView]
    subtotal: Money
    item_count: int
    """Pieces; a line sold by measure counts as one."""
    messages: list[CartMessage]
    """Those of all lines."""

    @property
    def entity_tag(self) -> str:
        """Of the cart and its version: two that follow each other under `current` never share one."""
        return f"{self.version}.{mark_of(self.id)}" if self.id is not None else "0"

    def with_lines(self, encoded: list[Raw]) -> CartView:
        """The same, for which the lines are encoded already."""
        self.__dict__["encoded_lines"] = encoded
        return self

    def encoded(self) -> bytes:
        """As JSON: what `msgspec.json.encode` says, without encoding again the lines that are."""
        lines = self.__dict__.get("encoded_lines")
        if lines is None:
            return msgspec.json.encode(self)
        whole = {name: getattr(self, name) for name in self.__struct_fields__}
        whole["lines"] = lines
        return msgspec.json.encode(whole)


class MergedLine(Struct, frozen=True, kw_only=True):
    """What happened to a line of either cart.

    added: it was only in the anonymous cart. untouched: only in the account's. summed, replaced (the anonymous quantity was
    newer), kept (the account's stays): it was in both. left_out: the cart is full. saved_aside: it stays in the other cart.
    """

    sku: str
    outcome: Literal["added", "untouched", "summed", "replaced", "kept", "left_out", "saved_aside"]
    anonymous_quantity: int
    account_quantity: int
    quantity: int
    """What the cart holds now."""
    limited: bool
    """Less than the policy asks for, because of the maximum per order."""


class MergeView(Struct, frozen=True, kw_only=True):
    """The cart after a merge, and what happened to each line."""

    version: int
    cart: CartView
    lines: list[MergedLine]
    saved_aside: UUID | None = None
    """The other cart, when it was saved aside."""

    @property
    def entity_tag(self) -> str:
        """The cart's."""
        return self.cart.entity_tag


AddPolicy = Literal["sum", "at_least"]


class AddedLine(Struct, frozen=True, kw_only=True):
    """What became of a SKU that was to be added to the cart.

    added: all of it. already_there: the cart holds as many. limited: fewer, or none, by the maximum per order or by what is there.
    not_sellable: with the reason. sold_out: nothing is there, and nothing is announced that it could wait for. left_out: the cart has
    500 lines. gone: no such SKU any more.
    """

    sku: str
    outcome: Literal["added", "already_there", "limited", "not_sellable", "sold_out", "left_out", "gone"]
    asked: int
    added: int
    quantity: int
    """What the cart holds now."""
    reason: str | None = None
    """Of not_sellable: stop_sale, unpublished, not_yet, ended, no_price. Of limited: maximum_per_order, available."""


class Added(Struct, frozen=True, kw_only=True):
    """The cart after adding, and what became of each line, in the order asked."""

    version: int
    cart: CartView
    lines: list[AddedLine]

    @property
    def entity_tag(self) -> str:
        """The cart's."""
        return self.cart.entity_tag


class RefusedLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line that was refused, and why."""

    sku: str
    reason: str | None = None
    maximum: int | None = None


class CartSummary(Struct, frozen=True, kw_only=True):
    """An open cart in a list: which it is, how many lines and pieces, and whether it is the one at hand."""

    id: UUID
    version: int
    current: bool
    owner: Literal["shopper", "device"]
    label: str | None
    customer: NamedCustomer | None
    line_count: int
    created_at: datetime
    changed_at: datetime
    parked_at: datetime | None
    joined_until: datetime | None
    """Of a customer's cart that the caller, who is staff, has joined: how long he may work on it."""


class CartList(Struct, frozen=True, kw_only=True):
    """The open carts of a shopper, or the baskets of a device: the current one first, then the last changed. For staff the carts they have
    joined follow."""

    items: list[CartSummary]


class HandOffView(Struct, frozen=True, kw_only=True):
    """A code to type or to scan, good once and for two minutes; whoever asks for another ends it."""

    code: str
    qr: str
    """What the QR code says."""
    mode: HandOffMode
    expires_at: datetime


class ClaimView(Struct, frozen=True, kw_only=True):
    """What a code has brought: the claimant's cart with what happened to each line, or the customer's cart that was joined."""

    mode: HandOffMode
    version: int
    cart: CartView
    lines: list[MergedLine]
    until_at: datetime | None = None
    """How long a joined cart may be worked on."""

    @property
    def entity_tag(self) -> str:
        """The cart's."""
        return self.cart.entity_tag


class Watched(Struct, frozen=True, kw_only=True):
    """What a listener follows: which cart, in which version. `owner` is the shopper or device whose cart it is."""

    id: UUID | None
    version: int
    state: CartState
    owner: UUID

    @property
    def entity_tag(self) -> str:
        """The cart's."""
        return f"{self.version}.{mark_of(self.id)}" if self.id is not None else "0"


class CartOfPerson(Struct, frozen=True, kw_only=True):
    """An open cart among all that is known of a customer: how many lines, and which SKUs."""

    id: UUID
    state: str
    channel: str
    lines: int
    skus: list[str]
    created_at: datetime
    changed_at: datetime
