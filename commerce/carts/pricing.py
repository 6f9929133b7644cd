"""A cart priced now: what `catalog`, `prices` and `stock` say about its variants, one statement each, put beside its lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from itertools import accumulate
from typing import Literal
from uuid import UUID

from msgspec import Struct

from commerce import catalog, prices, stock
from commerce.carts.schemas import CartLine, CartLineView, CartMessage, CartState, CartView
from commerce.infra.db import Tx
from commerce.kernel.money import Money, line_amount

FEW_UNITS = 5


class Coming(Struct, frozen=True):
    """Goods that a line can wait for; `on` None: the announced date has passed, and they are not here."""

    on: date | None


class Goods(Struct, frozen=True):
    """What is known about the variants of a cart at one moment."""

    at: datetime
    variants: dict[UUID, catalog.Variant]
    quotes: dict[UUID, prices.ListPrice]
    totals: dict[UUID, int]
    announced: dict[UUID, list[stock.Expected]]
    """What is still to come of variants that may wait, the soonest first."""

    def refusal(self, variant: catalog.Variant) -> str | None:
        """Why a variant cannot be bought; None when it can."""
        reason = catalog.refusal_of(variant, self.at)
        if reason is None and variant.id not in self.quotes:
            return "no_price"
        return reason

    def comes(self, variant_id: UUID, missing: int) -> Coming | None:
        """When so many units more than there are will be there; None when fewer are announced."""
        plans = self.announced.get(variant_id, ())
        for plan, sum_of in zip(plans, accumulate(plan.free for plan in plans), strict=True):
            if sum_of >= missing:
                return Coming(plan.expected_on if plan.expected_on >= self.at.date() else None)
        return None


NO_GOODS = Goods(datetime.min.replace(tzinfo=UTC), {}, {}, {}, {})
"""Of a cart without lines."""


async def goods_of(tx: Tx, variants: Iterable[catalog.Variant]) -> Goods:
    """Prices and stock of the variants: one statement, none for none; two where there are bundles or something may be waited for."""
    found = {variant.id: variant for variant in variants}
    if not found:
        return NO_GOODS
    ids = list(found)
    bundles = {
        variant.id: tuple(stock.Part(part.variant_id, part.quantity) for part in variant.components)
        for variant in found.values() if variant.bundle
    }  # fmt: skip
    waiting = [variant.id for variant in found.values() if variant.may_wait(tx.at)]
    if not bundles and not waiting:
        quotes, totals = await tx.both(prices.listing(ids, at=tx.at), stock.counting(ids, at=tx.at))
        return Goods(tx.at, found, quotes, totals, {})
    quotes = await prices.listed(tx, ids, at=tx.at)
    totals, plans = await stock.outlook(tx, ids, waiting, bundles)
    announced: dict[UUID, list[stock.Expected]] = {}
    for plan in plans:
        announced.setdefault(plan.variant_id, []).append(plan)
    return Goods(tx.at, found, quotes, totals, announced)


def view_of(
    goods: Goods,
    lines: Sequence[CartLine],
    *,
    cart: UUID | None,
    version: int,
    currency: str,
    state: CartState = "open",
) -> CartView:
    """The priced view of a cart's lines."""
    views = [_line_view(goods, line) for line in lines]
    return CartView(
        id=cart,
        version=version,
        state=state,
        lines=views,
        subtotal=Money(sum(view.total.amount for view in views if view.sellable and view.total is not None), currency),
        item_count=sum(view.quantity if view.quantity_unit is None else 1 for view in views),
        messages=[message for view in views for message in view.messages],
    )


def empty_view(currency: str) -> CartView:
    """What a shopper sees before he has put anything into a cart."""
    return CartView(id=None, version=0, state="open", lines=[], subtotal=Money(0, currency), item_count=0, messages=[])


def _line_view(goods: Goods, line: CartLine) -> CartLineView:
    variant = goods.variants[line.variant_id]
    quote = goods.quotes.get(line.variant_id)
    refusal = goods.refusal(variant)
    available = goods.totals.get(line.variant_id, 0)
    missing = line.quantity - available
    coming = goods.comes(line.variant_id, missing) if missing > 0 else None
    price = seen = total = None
    if quote is not None:
        price = Money(quote.amount, quote.currency)
        total = Money(line_amount(quote.amount, line.quantity, variant.quantity_scale), quote.currency)
        if quote.amount != line.unit_price_seen:
            seen = Money(line.unit_price_seen, quote.currency)
    return CartLineView(
        sku=variant.sku,
        variant_id=variant.id,
        product=variant.slug,
        title=variant.title,
        options=variant.options,
        option_texts=variant.option_texts,
        media=variant.media,
        quantity=line.quantity,
        quantity_unit=variant.quantity_unit,
        quantity_scale=variant.quantity_scale,
        unit_price=price,
        unit_price_seen=seen,
        total=total,
        sellable=refusal is None,
        availability=_band(available, variant.quantity_scale, coming),
        available=available,
        expected_on=coming.on if coming is not None else None,
        maximum_per_order=variant.maximum_per_order,
        added_at=line.added_at,
        added_channel=line.added_channel,
        messages=_messages(variant, line.quantity, refusal, price, seen, available, coming),
    )


def _band(available: int, scale: int, coming: Coming | None) -> Literal["in_stock", "few", "sold_out", "expected"]:
    if available == 0:
        return "sold_out" if coming is None else "expected"
    return "few" if available <= FEW_UNITS * 10**scale else "in_stock"


def _messages(
    variant: catalog.Variant,
    quantity: int,
    refusal: str | None,
    price: Money | None,
    seen: Money | None,
    available: int,
    coming: Coming | None,
) -> list[CartMessage]:
    if refusal is not None:
        return [CartMessage(code="no_longer_sellable", sku=variant.sku, reason=refusal)]
    messages = []
    if seen is not None:
        messages.append(CartMessage(code="price_changed", sku=variant.sku, seen=seen, now=price))
    if coming is not None:
        messages.append(CartMessage(code="expected", sku=variant.sku, available=available, expected_on=coming.on))
    elif available == 0:
        messages.append(CartMessage(code="sold_out", sku=variant.sku))
    elif available < quantity:
        messages.append(CartMessage(code="only_n_left", sku=variant.sku, available=available))
    maximum = variant.maximum_per_order
    if maximum is not None and quantity > maximum:
        messages.append(CartMessage(code="over_maximum", sku=variant.sku, maximum=maximum))
    return messages
