"""Lines as they are sold: list price at its moment, named adjustments, the tax contained. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from msgspec import Struct

from commerce.catalog import Variant
from commerce.kernel.ids import uuid7
from commerce.kernel.money import MAX_MINOR, line_amount, tax_in
from commerce.orders.books import Adjustment, Line
from commerce.orders.errors import AmountTooLarge
from commerce.orders.schemas import AdjustmentKind
from commerce.prices import Price


class Wanted(Struct, frozen=True, kw_only=True):
    """What a line shall be: a variant, its list price, how many steps, and another price when one was charged."""

    variant: Variant
    price: Price
    quantity: int
    charged: int | None = None
    """Minor units of one whole unit."""
    charged_as: AdjustmentKind = "shelf_price"


class Totals(Struct, frozen=True, kw_only=True):
    """Of a set of lines, in minor units."""

    subtotal: int
    adjustment_total: int
    total: int
    tax_total: int


def draft(wanted: Iterable[Wanted], *, bought_location_id: UUID | None) -> list[Line]:
    """The lines of a new order, each rounded once. Raises AmountTooLarge."""
    return [_line(n, want, bought_location_id) for n, want in enumerate(wanted, start=1)]


def _line(n: int, want: Wanted, bought_location_id: UUID | None) -> Line:
    variant, price = want.variant, want.price
    subtotal = line_amount(price.amount, want.quantity, variant.quantity_scale)
    total = subtotal
    adjustments = []
    if want.charged is not None and want.charged != price.amount:
        total = line_amount(want.charged, want.quantity, variant.quantity_scale)
        if total != subtotal:
            adjustments.append(
                Adjustment(kind=want.charged_as, amount=total - subtotal, reason=f"charged {want.charged} per unit")
            )
    if max(subtotal, total) > MAX_MINOR:
        raise AmountTooLarge
    tax = tax_in(total, price.tax_basis_points)
    return Line(
        id=uuid7(), n=n, variant_id=variant.id, product_id=variant.product_id, sku=variant.sku, title=variant.title,
        options=variant.options, option_texts=variant.option_texts, quantity=want.quantity,
        quantity_unit=variant.quantity_unit, quantity_scale=variant.quantity_scale, unit_price=price.amount,
        price_valid_from=price.valid_from, subtotal=subtotal, adjustment_total=total - subtotal, total=total,
        net=total - tax, tax=tax, tax_class=variant.tax_class, tax_basis_points=price.tax_basis_points,
        return_policy=variant.return_policy, bought_location_id=bought_location_id, adjustments=adjustments,
        components=variant.components or None,
    )  # fmt: skip


def totals(lines: Sequence[Line]) -> Totals:
    """Sums over lines. Raises AmountTooLarge."""
    found = Totals(
        subtotal=sum(line.subtotal for line in lines),
        adjustment_total=sum(line.adjustment_total for line in lines),
        total=sum(line.total for line in lines),
        tax_total=sum(line.tax for line in lines),
    )
    if max(found.subtotal, found.total) > MAX_MINOR:
        raise AmountTooLarge
    return found
