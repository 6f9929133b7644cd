"""What `prices` takes in and answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commerce.kernel.money import MAX_MINOR, Currency, Money
from commerce.kernel.text import Code, Sku

Amount = Annotated[int, Meta(ge=0, le=MAX_MINOR, description="Minor units, tax included")]
BasisPoints = Annotated[int, Meta(ge=0, le=10_000, description="22 % is 2200")]
TaxZone = Annotated[str, Meta(pattern="^[A-Z0-9-]{2,16}$")]


class ListPrice(Struct, frozen=True, kw_only=True):
    """What a variant costs at a moment: minor units, tax of whatever rate included, per whole unit of its quantity unit."""

    variant_id: UUID
    amount: int
    currency: str


class Price(ListPrice, frozen=True, kw_only=True):
    """A list price with the rate of the tax that it contains where the sale takes place, and since when it is in force."""

    valid_from: datetime
    tax_basis_points: int


class LowestPrice(ListPrice, frozen=True, kw_only=True):
    """The lowest list price that a variant had since a moment, and the rate of the tax now in force for it."""

    tax_basis_points: int


class NewPrice(Struct, frozen=True, kw_only=True):
    """A price from a moment on."""

    variant_id: UUID
    amount: Amount
    valid_from: datetime


class NewTaxRate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rate of a tax class in a zone from a moment on."""

    tax_class: Code
    zone: TaxZone = "RU"
    basis_points: BasisPoints
    valid_from: datetime


class SetPrice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One price of a price change. `valid_from` left out means 10 seconds from now; an earlier moment is refused."""

    sku: Sku
    amount: Amount
    valid_from: datetime | None = None


class SetPrices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price change: all of it or nothing."""

    prices: Annotated[list[SetPrice], Meta(min_length=1, max_length=1000)]
    currency: Currency


State = Literal["past", "current", "scheduled"]


class PriceEntry(Struct, frozen=True, kw_only=True):
    """One line of a variant's price history."""

    price: Money
    valid_from: datetime
    state: State
    set_by: UUID | None
    """The principal who set it; null when imported."""


class PriceHistory(Struct, frozen=True, kw_only=True):
    """Every price a variant had, has and will have, newest first."""

    sku: str
    prices: list[PriceEntry]


class PricesSetView(Struct, frozen=True, kw_only=True):
    """How many prices are now in the list that were not, or not so, before."""

    set: int
    valid_from: datetime
    """The moment from which the prices without one of their own are in force."""
