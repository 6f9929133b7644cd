"""What `carts` takes in and answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commerce.kernel.money import Money
from commerce.kernel.tags import mark_of
from commerce.kernel.text import Sku

MAX_LINES = 500
MAX_QUANTITY = 1_000_000

CartName = Annotated[
    str,
    Meta(
        pattern=r"^(current|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$",
        description="`current` for the caller's open cart, or the id of one of his carts",
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
Policy = Literal["sum", "keep_newest", "keep_account"]


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
    """Bring the lines of an anonymous cart into one's own. A line that only one of the carts has is always kept.

    `policy` decides about a SKU that both have: `sum` adds the quantities, `keep_newest` takes the one changed last,
    `keep_account` leaves the account's.
    """

    token: Annotated[
        str,
        Meta(min_length=1, max_length=4000, pattern=r"^[!-~]+$", description="Access token of the anonymous shopper"),
    ]
    policy: Policy


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


class OpenCart(Struct, frozen=True, kw_only=True):
    """An open cart whose row is locked until the end of the transaction; lines in the order they were added."""

    id: UUID
    version: int
    shopper_id: UUID
    lines: list[CartLine]


class CartMessage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something the shopper should see before he orders; members that do not belong to the code are absent.

    price_changed: `seen`, `now`. no_longer_sellable: `reason`. only_n_left: `available`. over_maximum: `maximum`.
    expected: `available` of them are there, all of them on `expected_on` (absent when the announced date has passed).
    """

    code: Literal["price_changed", "no_longer_sellable", "only_n_left", "sold_out", "expected", "over_maximum"]
    sku: str
    seen: Money | None = None
    now: Money | None = None
    reason: str | None = None
    available: int | None = None
    maximum: int | None = None
    expected_on: date | None = None


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
    """Steps that can be sold now, in all locations together; bundles that are whole at one location."""
    expected_on: date | None
    """When the line that waits is there; null when it need not wait, or when the announced date has passed."""
    maximum_per_order: int | None
    added_at: datetime
    added_channel: str
    messages: list[CartMessage]


class CartView(Struct, frozen=True, kw_only=True):
    """A cart, priced now. `subtotal` counts the lines that can be sold; `version` 0 without an id: nothing was put yet."""

    id: UUID | None
    version: int
    state: CartState
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


class MergedLine(Struct, frozen=True, kw_only=True):
    """What happened to a line of either cart.

    added: it was only in the anonymous cart. untouched: only in the account's. summed, replaced (the anonymous quantity was
    newer), kept (the account's stays): it was in both. left_out: the cart is full.
    """

    sku: str
    outcome: Literal["added", "untouched", "summed", "replaced", "kept", "left_out"]
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

    @property
    def entity_tag(self) -> str:
        """The cart's."""
        return self.cart.entity_tag


class RefusedLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line that was refused, and why."""

    sku: str
    reason: str | None = None
    maximum: int | None = None


class Watched(Struct, frozen=True, kw_only=True):
    """What a listener follows: which cart, in which version. `owner` is the shopper whose cart it is."""

    id: UUID | None
    version: int
    state: CartState
    owner: UUID
