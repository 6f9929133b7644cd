"""What `lists` takes in and answers."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from commerce import carts
from commerce.kernel.money import Money
from commerce.kernel.tags import mark_of
from commerce.kernel.text import NO_NUL, Quantity, ShortText, Sku

MAX_LISTS = 50
MAX_LINES = 500
MAX_QUANTITY = 1_000_000

Kind = Literal["wish", "named", "saved_for_later"]
ListName = Annotated[
    str,
    Meta(
        pattern=r"^(wish|saved|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$",
        description="`wish` or `saved` for the caller's wish list and what he saved for later, or the id of one of his lists",
    ),
]
ShareToken = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_-]{1,100}$", description="Token of a shared list, from whoever shared it")
]
Note = Annotated[
    str, Meta(min_length=1, max_length=500, pattern=NO_NUL, description="For oneself; never shown by link")
]
Skus = Annotated[list[Sku], Meta(min_length=1, max_length=MAX_LINES)]


class CreateList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list with a name. The wish list and what is saved for later need not be made: the first line makes them."""

    name: ShortText


class RenameList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a named list shall be called."""

    name: ShortText


class PutListLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of a variant the list shall hold. A note that is left out stays as it is; null takes it away."""

    quantity: Quantity = 1
    note: Note | UnsetType | None = UNSET


class MoveToCart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which lines go into the open cart: the named ones, or all. With `keep` they stay on the list, too."""

    skus: Skus | None = None
    keep: bool = False


class SharedToCart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which lines of a shared list go into the caller's own cart: the named ones, or all."""

    skus: Skus | None = None


class ShareList(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let whoever has the link see the list. `show_name`: with the owner's first name."""

    show_name: bool = False


class MergeLists(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bring the lists of an anonymous shopper to one's own."""

    token: Annotated[
        str,
        Meta(min_length=1, max_length=4000, pattern=r"^[!-~]+$", description="Access token of the anonymous shopper"),
    ]


class ListLineView(Struct, frozen=True, kw_only=True):
    """A line with what it costs now. What can no longer be bought stays on the list, and says why."""

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
    """Per whole unit, now; null when the variant has no price."""
    unit_price_when_added: Money | None
    """What it cost when it was added; null when it had no price then."""
    price_change: Literal["lower", "higher"] | None
    """Of the price now against the price then; null when it is the same, or one is missing."""
    sellable: bool
    reason: str | None
    """Why it cannot be bought now: stop_sale, unpublished, not_yet, ended, no_price."""
    availability: Literal["in_stock", "few", "sold_out", "expected"]
    """`few`: five units or less in all locations together. `expected`: none there, and the line can wait for what is announced."""
    available: int
    """Steps that can be sold now, in all locations together; bundles that are whole at one location. Exact when there are fewer than the
    line asks for, or few; otherwise counted up to where that is known, unless the installation shows quantities."""
    expected_on: date | None
    maximum_per_order: int | None
    added_at: datetime
    added_channel: str
    note: str | None
    gift: carts.Gift | None
    """How it was wanted as a gift in the cart that it was saved from, and will be in the one it is moved to."""


class ListView(Struct, frozen=True, kw_only=True):
    """A list, priced now. `version` 0 without an id: nothing was put yet."""

    id: UUID | None
    kind: Kind
    name: str | None
    """Of a named list."""
    version: int
    shared: bool
    show_name: bool
    """Whether the owner's first name is shown by the link."""
    lines: list[ListLineView]
    created_at: datetime | None
    changed_at: datetime | None

    @property
    def entity_tag(self) -> str:
        """Of the list and its version: two wish lists that follow each other never share one."""
        return f"{self.version}.{mark_of(self.id)}" if self.id is not None else "0"


class ListSummary(Struct, frozen=True, kw_only=True):
    """A list without its lines."""

    id: UUID
    kind: Kind
    name: str | None
    version: int
    shared: bool
    lines: int
    created_at: datetime
    changed_at: datetime


class Lists(Struct, frozen=True, kw_only=True):
    """The wish list first, then what is saved for later, then the named ones by name."""

    items: list[ListSummary]


class MovedListLine(carts.AddedLine, frozen=True, kw_only=True):
    """What became of a line, and how many of it are still on the list."""

    left_on_list: int


class MovedToCart(Struct, frozen=True, kw_only=True):
    """What became of each line, what is left on the list, and the cart. `version` is the list's."""

    version: int
    lines: list[MovedListLine]
    left: ListView
    cart: carts.CartView

    @property
    def entity_tag(self) -> str:
        """The list's."""
        return self.left.entity_tag


class SavedForLater(Struct, frozen=True, kw_only=True):
    """The cart without the line, and the list that has it now. `version` is the cart's."""

    version: int
    cart: carts.CartView
    saved: ListView

    @property
    def entity_tag(self) -> str:
        """The cart's."""
        return self.cart.entity_tag


class Shared(Struct, frozen=True, kw_only=True):
    """The token of the link, the same until it is revoked."""

    token: str
    show_name: bool
    shared_at: datetime
    version: int


class SharedLineView(Struct, frozen=True, kw_only=True):
    """A line of somebody else's list."""

    sku: str
    product: str
    title: dict[str, str]
    options: dict[str, str]
    option_texts: dict[str, dict[str, str]]
    media: str | None
    quantity: int
    quantity_unit: str | None
    quantity_scale: int
    unit_price: Money | None
    sellable: bool
    reason: str | None
    """Why it cannot be bought now."""
    availability: Literal["in_stock", "few", "sold_out", "expected"]
    expected_on: date | None
    maximum_per_order: int | None


class SharedListView(Struct, frozen=True, kw_only=True):
    """What the link shows: no ids, no notes, and who it is from only if he wants it."""

    kind: Kind
    name: str | None
    from_name: str | None
    """First name of the owner."""
    lines: list[SharedLineView]
    changed_at: datetime


class MergedList(Struct, frozen=True, kw_only=True):
    """What became of a list of the anonymous shopper.

    claimed: it is the caller's now. merged: its lines went into the caller's list of the same kind. left_out: there are fifty lists, or
    the caller's list is full; what was left out stays where it was.
    """

    kind: Kind
    name: str | None
    outcome: Literal["claimed", "merged", "left_out"]
    id: UUID
    """Of the list that has the lines now."""
    lines_left_out: int


class MergedLists(Struct, frozen=True, kw_only=True):
    """What became of each list of the anonymous shopper, and all of the caller's."""

    merged: list[MergedList]
    lists: list[ListSummary]
