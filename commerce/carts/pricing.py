"""A cart priced now: what `catalog`, `prices` and `stock` say about its variants, one statement each, put beside its lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import accumulate
from typing import Literal
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from commerce import catalog, fulfillment, locations, prices, stock
from commerce.carts.schemas import CartLine, CartLineView, CartMessage, Checkout, Chosen
from commerce.infra.db import Tx
from commerce.kernel.money import Money, line_amount

FEW_UNITS = 5
Band = Literal["in_stock", "few", "sold_out", "expected"]
"""`few`: five units or less in all locations together. `expected`: none there, and it can wait for what is announced."""
INSTEAD = 5
"""Other variants that a message names."""
PLENTY = tuple(FEW_UNITS * 10**scale + 1 for scale in range(7))
"""The least that is not `few`, in steps, by the quantity scale: nobody need count beyond it, nor beyond what is wanted."""


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
    exact: bool = False
    """Whether lines tell how many there are even when there are plenty."""

    def available(self, variant: catalog.Variant, quantity: int) -> int:
        """What a line of so many tells: how many there are, unless it is enough to know that there are enough."""
        total = self.totals.get(variant.id, 0)
        return total if self.exact else min(total, max(quantity, PLENTY[variant.quantity_scale]))

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


class Offer(Struct, frozen=True, kw_only=True):
    """How so many of a variant can be bought now. `refusal`: why not at all, however many there are."""

    price: Money | None
    refusal: str | None
    band: Band
    available: int
    expected_on: date | None


def bundles_of(variants: Iterable[catalog.Variant]) -> dict[UUID, tuple[stock.Part, ...]]:
    """The parts of the bundles among the variants."""
    return {
        variant.id: tuple(stock.Part(part.variant_id, part.quantity) for part in variant.components)
        for variant in variants if variant.bundle
    }  # fmt: skip


async def goods_of(tx: Tx, variants: Iterable[catalog.Variant]) -> Goods:
    """Prices and stock of the variants: one statement, none for none; two where there are bundles or something may be waited for."""
    found = {variant.id: variant for variant in variants}
    if not found:
        return NO_GOODS
    ids = list(found)
    bundles = bundles_of(found.values())
    waiting = [variant.id for variant in found.values() if variant.may_wait(tx.at)]
    if not bundles and not waiting:
        quotes, totals = await tx.together(prices.listing(ids, at=tx.at), stock.counting(ids, at=tx.at))
        return Goods(tx.at, found, quotes, totals, {}, tx.show_quantities)
    return await _outlook(tx, found, await prices.listed(tx, ids, at=tx.at), waiting, bundles)


async def goods_by_id(tx: Tx, wanted: Mapping[UUID, int]) -> Goods:
    """What is known about the variants of these ids, of each of which so many are wanted: one statement, none for none; two where
    there are bundles or something may be waited for. Unknown ids are absent, and cost two statements more.

    `totals` are counted as far as lines of so many tell them."""
    if not wanted:
        return NO_GOODS
    ids = list(wanted)
    limits = None
    if not tx.show_quantities:
        limits = [
            max(quantity, PLENTY[-1 if scale is None else scale])
            for quantity, scale in zip(wanted.values(), catalog.scales_known(tx, ids), strict=True)
        ]
    found, quotes, totals = await tx.together(
        catalog.asking(tx, ids), prices.listing(ids, at=tx.at), stock.counting(ids, at=tx.at, enough=limits)
    )
    if found is None:
        return await goods_of(tx, (await catalog.variants(tx, ids)).values())
    bundles: dict[UUID, tuple[stock.Part, ...]] = {}
    waiting = []
    for variant in found.values():
        if variant.components:
            bundles |= bundles_of([variant])
        if variant.when_out != "deny" and variant.may_wait(tx.at):
            waiting.append(variant.id)
    if not bundles and not waiting:
        return Goods(tx.at, found, quotes, totals, {}, tx.show_quantities)
    return await _outlook(tx, found, quotes, waiting, bundles)


async def _outlook(
    tx: Tx, found: dict[UUID, catalog.Variant], quotes: dict[UUID, prices.ListPrice], waiting: Sequence[UUID],
    bundles: dict[UUID, tuple[stock.Part, ...]],
) -> Goods:  # fmt: skip
    totals, plans = await stock.outlook(tx, list(found), waiting, bundles)
    announced: dict[UUID, list[stock.Expected]] = {}
    for plan in plans:
        announced.setdefault(plan.variant_id, []).append(plan)
    return Goods(tx.at, found, quotes, totals, announced, tx.show_quantities)


class Nearby(Struct, frozen=True):
    """What can be said of lines that are short: what the store has where they are to be collected, which stores near it have as
    many, which other variants can be bought. By variant."""

    at_store: dict[UUID, int] = {}
    location: dict[UUID, str] = {}
    near: dict[UUID, list[fulfillment.Near]] = {}
    instead: dict[UUID, list[str]] = {}


NOTHING_NEAR = Nearby()


def wish_of(line: CartLine, checkout: Checkout | None) -> Chosen | None:
    """How a line is wanted: as it says, else as the cart says."""
    return line.wish or (checkout.fulfillment if checkout is not None else None)


async def nearby(tx: Tx, goods: Goods, lines: Sequence[CartLine], checkout: Checkout | None) -> Nearby:
    """What is near lines that are short. No statement when none is, or none can be: one for the stores where lines are to be
    collected, two more when one of these is short, two for other variants of what is sold out."""
    ids = [
        (line, wish.location_id)
        for line in lines
        if (checkout is not None or line.wish is not None)
        and (wish := wish_of(line, checkout)) is not None and wish.location_id is not None
        and goods.refusal(goods.variants[line.variant_id]) is None
    ]  # fmt: skip
    at_store: dict[UUID, int] = {}
    location: dict[UUID, str] = {}
    near: dict[UUID, list[fulfillment.Near]] = {}
    if ids:
        bundles = bundles_of(goods.variants.values())
        levels = await stock.levels(
            tx, variant_ids=[line.variant_id for line, _ in ids], location_ids=sorted({where for _, where in ids}),
            bundles={line.variant_id: bundles[line.variant_id] for line, _ in ids if line.variant_id in bundles},
        )  # fmt: skip
        ats = {(level.variant_id, level.location_id): level.ats for level in levels}
        lacks = [
            fulfillment.Lack(line.variant_id, line.quantity, where)
            for line, where in ids
            if ats.get((line.variant_id, where), 0) < line.quantity and goods.totals.get(line.variant_id, 0) > 0
        ]
        if lacks:
            places = await locations.by_ids(tx, sorted({lack.location_id for lack in lacks}))
            found = await fulfillment.near_stores(tx, lacks=lacks, places=places, bundles=bundles)
            for lack, stores in zip(lacks, found, strict=True):
                at_store[lack.variant_id] = ats.get((lack.variant_id, lack.location_id), 0)
                location[lack.variant_id] = places[lack.location_id].code
                near[lack.variant_id] = stores
    totals = goods.totals
    out = [line.variant_id for line in lines if totals.get(line.variant_id, 0) <= 0 and _lacking(goods, line)]
    instead = await _instead(tx, goods, out) if out else {}
    return Nearby(at_store, location, near, instead) if near or instead else NOTHING_NEAR


def _lacking(goods: Goods, line: CartLine) -> bool:
    return (
        goods.refusal(goods.variants[line.variant_id]) is None and goods.comes(line.variant_id, line.quantity) is None
    )


async def _instead(tx: Tx, goods: Goods, out: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Other variants of the products of these that can be bought now, at most five of each. Two statements."""
    products = sorted({goods.variants[variant_id].product_id for variant_id in out})
    others = [
        variant for variant in await catalog.of_products(tx, products)
        if variant.id not in out and variant.refusal(goods.at) is None
    ]  # fmt: skip
    if not others:
        return {}
    totals = await stock.totals(tx, [variant.id for variant in others], bundles_of(others))
    there = [variant for variant in others if totals.get(variant.id, 0) > 0]
    return {
        variant_id: skus[:INSTEAD]
        for variant_id in out
        if (skus := [one.sku for one in there if one.product_id == goods.variants[variant_id].product_id])
    }


def offer_of(goods: Goods, variant: catalog.Variant, quantity: int) -> Offer:
    """How so many of a variant can be bought, for rooms that show it outside a cart."""
    quote = goods.quotes.get(variant.id)
    available = goods.available(variant, quantity)
    coming = goods.comes(variant.id, quantity - available) if quantity > available else None
    return Offer(
        price=Money(quote.amount, quote.currency) if quote is not None else None,
        refusal=goods.refusal(variant),
        band=_band(available, variant.quantity_scale, coming),
        available=available,
        expected_on=coming.on if coming is not None else None,
    )


class Drawn(Struct, frozen=True):
    """A line as it was shown, and all that it was made of."""

    line: CartLine
    variant: catalog.Variant
    quote: prices.ListPrice | None
    total: int
    refusal: str | None
    by_time: bool
    """Whether the variant is sold from or until a moment, so that time alone may change the refusal."""
    view: CartLineView
    json: Raw
    counts: int
    """What it adds to the subtotal."""


class Drawings:
    """Lines as this process showed them last, by cart: what shows a line that is made of the same again need not draw it anew.

    It is the outcome of a computation by its inputs, each of which was read by the very request that asks; nothing here can be old.
    """

    def __init__(self) -> None:
        self._carts: dict[UUID, dict[UUID, Drawn]] = {}
        self._lines = 0

    def draw(self, cart: UUID, goods: Goods, lines: Sequence[CartLine]) -> list[Drawn]:
        """The lines of a cart, for which nothing is announced or near."""
        before = self._carts.pop(cart, NOTHING_DRAWN)
        variants, quotes, totals = goods.variants, goods.quotes, goods.totals
        drawn: dict[UUID, Drawn] = {}
        for line in lines:
            variant_id = line.variant_id
            one = before.get(variant_id)
            if (
                one is None or one.line != line or one.variant is not variants[variant_id]
                or one.total != totals.get(variant_id, 0) or one.quote != quotes.get(variant_id)
                or (one.by_time and goods.refusal(one.variant) != one.refusal)
            ):  # fmt: skip
                one = _drawn(goods, line)
            drawn[variant_id] = one
        self._carts[cart] = drawn
        self._lines += len(drawn) - len(before)
        while self._lines > MOST_DRAWN:
            self._lines -= len(self._carts.pop(next(iter(self._carts))))
        return list(drawn.values())


def _drawn(goods: Goods, line: CartLine) -> Drawn:
    variant, view = goods.variants[line.variant_id], _line_view(goods, line, NOTHING_NEAR)
    return Drawn(
        line=line, variant=variant, quote=goods.quotes.get(variant.id), total=goods.totals.get(variant.id, 0),
        refusal=goods.refusal(variant), by_time=variant.sellable_from is not None or variant.sellable_until is not None,
        view=view, json=Raw(msgspec.json.encode(view)),
        counts=view.total.amount if view.sellable and view.total is not None else 0,
    )  # fmt: skip


NOTHING_DRAWN: dict[UUID, Drawn] = {}
MOST_DRAWN = 20_000
"""Lines, some 50 MB; beyond, the cart that was shown longest ago goes."""


def drawings_of(tx: Tx) -> Drawings:
    """What this process has shown of the transaction's database."""
    found: Drawings | None = tx.memory.get("carts")
    if found is None:
        found = tx.memory["carts"] = Drawings()
    return found


def lines_of(goods: Goods, lines: Sequence[CartLine], near: Nearby = NOTHING_NEAR) -> list[CartLineView]:
    """The priced views of a cart's lines."""
    return [_line_view(goods, line, near) for line in lines]


def _line_view(goods: Goods, line: CartLine, near: Nearby) -> CartLineView:
    variant = goods.variants[line.variant_id]
    quote = goods.quotes.get(line.variant_id)
    refusal = goods.refusal(variant)
    available = goods.available(variant, line.quantity)
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
        added_device=line.added_device,
        added_by=line.added_by,
        fulfillment=line.wish.wish if line.wish is not None else None,
        gift=line.gift,
        messages=_messages(variant, line.quantity, refusal, price, seen, available, coming, near),
    )


def _band(available: int, scale: int, coming: Coming | None) -> Band:
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
    near: Nearby,
) -> list[CartMessage]:
    if refusal is not None:
        return [CartMessage(code="no_longer_sellable", sku=variant.sku, reason=refusal)]
    messages = []
    if seen is not None:
        messages.append(CartMessage(code="price_changed", sku=variant.sku, seen=seen, now=price))
    if coming is not None:
        messages.append(CartMessage(code="expected", sku=variant.sku, available=available, expected_on=coming.on))
    elif available == 0:
        messages.append(CartMessage(code="sold_out", sku=variant.sku, instead=near.instead.get(variant.id)))
    elif available < quantity:
        messages.append(CartMessage(code="only_n_left", sku=variant.sku, available=available))
    if variant.id in near.near:
        messages.append(
            CartMessage(
                code="not_at_store", sku=variant.sku, location=near.location[variant.id],
                available=near.at_store[variant.id], near=near.near[variant.id],
            )
        )  # fmt: skip
    maximum = variant.maximum_per_order
    if maximum is not None and quantity > maximum:
        messages.append(CartMessage(code="over_maximum", sku=variant.sku, maximum=maximum))
    return messages
