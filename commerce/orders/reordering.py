"""The same again: an old order's lines into the open cart, at today's prices, as far as each can be bought today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from commerce import carts, catalog
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.money import Money
from commerce.orders import books
from commerce.orders.books import Order
from commerce.orders.numbers import read_number
from commerce.orders.schemas import AlternativeView, Reordered, ReorderedLine
from commerce.orders.service import owned

ALTERNATIVES = 5
"""Other variants named for one line that cannot be had."""
ASKED_FOR = 20
"""Lines for which other variants are looked up, at most."""


async def reorder(
    tx: Tx, actor: Actor, *, number: str, currency: str, announce: carts.Announce | None = None
) -> Reordered:
    """Add what an order of the caller's had, as ordered, to what his open cart holds; the report has one line for each SKU.

    Any kind of order will do, a till's sale too. Each line is limited by the maximum per order and by what is there; what is sold out or
    not sold any more is left out, with the variants of the same product that could be had. Bundles stay bundles. Raises UnknownOrder.
    """
    order = await owned(tx, actor, await books.read(tx, number=read_number(number)), number)
    variants = await catalog.variants(tx, [line.variant_id for line in order.lines])
    wanted: dict[str, int] = {}
    for line in order.lines:
        known = variants.get(line.variant_id)
        sku = known.sku if known is not None else line.sku
        wanted[sku] = wanted.get(sku, 0) + line.quantity
    added = await carts.add(tx, actor, wanted=wanted, policy="sum", currency=currency, announce=announce)
    lost = [line.sku for line in added.lines if line.outcome in ("sold_out", "not_sellable")]
    others = await _others(tx, {known.sku: known for known in variants.values()}, lost)
    if actor.kind != "shopper":
        outbox.audit(tx, actor, "order.reordered", "order", order.id, after={"cart": str(added.cart.id)})
    return Reordered(
        version=added.version, cart=added.cart, lines=[_told(order, line, others.get(line.sku, [])) for line in added.lines]
    )  # fmt: skip


def _told(order: Order, line: carts.AddedLine, alternatives: list[AlternativeView]) -> ReorderedLine:
    ordered = next((one for one in order.lines if one.sku == line.sku), order.lines[0])
    return ReorderedLine(
        sku=line.sku, title=ordered.title, option_texts=ordered.option_texts, outcome=line.outcome, asked=line.asked,
        added=line.added, quantity=line.quantity, reason=line.reason, alternatives=alternatives,
    )  # fmt: skip


async def _others(
    tx: Tx, variants: Mapping[str, catalog.Variant], lost: Sequence[str]
) -> dict[str, list[AlternativeView]]:
    """For SKUs that cannot be had: other variants of the same product that can, the nearest in price first. Three statements."""
    products: dict[UUID, list[str]] = {}
    for sku in lost[:ASKED_FOR]:
        products.setdefault(variants[sku].product_id, []).append(sku)
    if not products:
        return {}
    beside = await catalog.of_products(tx, list(products))
    goods = await carts.goods_of(tx, beside)
    offers = {variant.sku: carts.offer_of(goods, variant, 1) for variant in beside}
    found: dict[str, list[AlternativeView]] = {}
    for skus in products.values():
        for sku in skus:
            one = variants[sku]
            price = offers[sku].price
            near = [
                AlternativeView(
                    sku=variant.sku, options=variant.options, option_texts=variant.option_texts, unit_price=offer.price,
                    availability=offer.band,
                )
                for variant in beside
                if variant.product_id == one.product_id and variant.sku != sku
                and (offer := offers[variant.sku]).refusal is None and offer.band != "sold_out"
            ]  # fmt: skip
            near.sort(key=lambda view: (_distance(view.unit_price, price), view.sku))
            found[sku] = near[:ALTERNATIVES]
    return found


def _distance(one: Money | None, other: Money | None) -> int:
    return abs(one.amount - other.amount) if one is not None and other is not None else 0
