"""What the shop window shows."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal

from msgspec import Struct

from commerce.catalog import QuantityUnit
from commerce.kernel.money import Money

Availability = Literal["in_stock", "few_left", "expected", "out"]
"""`expected`: nothing is there, but it may be ordered from what is announced."""
FEW = 3
"""At most so many whole units in all places together are `few_left`."""


class ProductCard(Struct, frozen=True, kw_only=True):
    """A product in a list. `price` is the lowest of its variants, `price_to` the highest when they differ."""

    slug: str
    title: dict[str, str]
    brand: str | None
    category: str
    media: str | None
    price: Money | None
    price_to: Money | None
    availability: Availability
    """Over all variants that may be sold and all places that sell, ship or hand over."""
    expected_on: date | None
    """The soonest announced day of what is `expected`; null when that day has passed."""
    variants: int


class VariantOffer(Struct, frozen=True, kw_only=True):
    """A variant on a product page. `refusal` says why it cannot be sold now."""

    sku: str
    options: dict[str, str]
    option_texts: dict[str, dict[str, str]]
    price: Money | None
    sellable: bool
    refusal: Literal["unpublished", "not_yet", "ended", "stop_sale", "no_price"] | None
    sellable_from: datetime | None
    availability: Availability
    expected_on: date | None
    """The soonest announced day of what is `expected`; null when that day has passed."""
    maximum_per_order: int | None
    quantity_unit: QuantityUnit | None


class StoreAvailability(Struct, frozen=True, kw_only=True):
    """What of a product one place has: SKU -> available to sell there, in steps of the quantity unit; absent means none.
    Of a bundle: how many are whole there. Shoppers are told up to three whole units; one step more stands for that or any greater number,
    unless the installation shows quantities."""

    code: str
    name: dict[str, str]
    city: str | None
    pickup: bool
    sells: bool
    ships: bool
    paused: bool
    """Takes no new orders for now; what it has does not count towards a variant's availability."""
    latitude_e6: int
    longitude_e6: int
    available: dict[str, int]


class ProductPage(Struct, frozen=True, kw_only=True):
    """A product with its variants, prices and what every place has of it."""

    slug: str
    title: dict[str, str]
    description: dict[str, str]
    brand: str | None
    category: list[str]
    """Codes from the root down."""
    options: list[dict[str, Any]]
    media: list[dict[str, Any]]
    variants: list[VariantOffer]
    stores: list[StoreAvailability]


class CurrentPrice(Struct, frozen=True, kw_only=True):
    """What a variant costs now, in every channel and store."""

    sku: str
    price: Money
    valid_from: datetime
    quantity_unit: QuantityUnit | None
    """The price is that of one whole unit."""
