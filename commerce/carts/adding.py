"""Adding to what a cart holds, as far as it goes: from a list, from an old order; and taking a line out to keep it elsewhere.

A put says how many there shall be and refuses what cannot be; adding never refuses a line, it tells what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from commerce import catalog, customers
from commerce.carts import queries
from commerce.carts.errors import NotInCart, NotYourCart
from commerce.carts.pricing import Goods, goods_by_id, goods_of
from commerce.carts.schemas import MAX_LINES, MAX_QUANTITY, Added, AddedLine, AddPolicy, CartLine, CartView, Gift
from commerce.carts.service import Announce, Taken, changed, place, queue_lines, refuse_stale, take_out
from commerce.carts.views import shown
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.tags import ANY, Seen


class TakenLine(Struct, frozen=True, kw_only=True):
    """A line that has left the cart, and the cart without it."""

    line: CartLine
    cart: CartView


class _Wish(Struct, frozen=True):
    """What can be added of one SKU: the variant, and how many of it the cart may hold, for whichever reason."""

    variant: catalog.Variant
    asked: int
    limit: int
    limit_reason: str


async def add(
    tx: Tx,
    actor: Actor,
    *,
    wanted: Mapping[str, int],
    policy: AddPolicy,
    currency: str,
    announce: Announce | None = None,
    gifts: Mapping[str, Gift] | None = None,
) -> Added:
    """Add quantities (steps, by SKU) to the caller's open cart, as far as each can be bought; the report has one line for each.

    `sum` adds to what is there, `at_least` only raises it. A line is limited by the maximum per order and by what is there, unless
    it can wait for what is announced. Nothing that is in the cart becomes less. A line that has no gift wish gets the
    one in `gifts`. When nothing can be added the cart is not touched.
    The number of statements is fixed, whatever the number of lines. Raises NoCartHere.
    """
    variants = await catalog.by_skus(tx, list(wanted))
    goods = await goods_of(tx, variants.values())
    told: dict[str, AddedLine] = {}
    wishes: dict[str, _Wish] = {}
    for sku, asked in wanted.items():
        variant = variants.get(sku)
        if variant is None:
            told[sku] = AddedLine(sku=sku, outcome="gone", asked=asked, added=0, quantity=0)
        elif (reason := goods.refusal(variant)) is not None:
            told[sku] = AddedLine(sku=sku, outcome="not_sellable", asked=asked, added=0, quantity=0, reason=reason)
        elif (wish := _wish(goods, variant, asked)).limit == 0:
            told[sku] = AddedLine(sku=sku, outcome="sold_out", asked=asked, added=0, quantity=0)
        else:
            wishes[sku] = wish
    taken = await take_out(tx, actor, cart=queries.CURRENT, skus=list(wishes), create=True) if wishes else None
    if taken is None:
        cart = await queries.read(tx, actor, cart=queries.CURRENT, currency=currency)
        held = {line.sku: line.quantity for line in cart.lines}
        lines = [msgspec.structs.replace(told[sku], quantity=held.get(sku, 0)) for sku in wanted]
        return Added(version=cart.version, cart=cart, lines=lines)
    after = _filled(tx, actor, goods, taken, wishes, policy, told, gifts or {})
    queue_lines(tx, taken.head.id, [line for line in after if line.sku in wishes])
    variant_ids = [wishes[sku].variant.id for sku in wishes if told[sku].added]
    changed(tx, actor, taken.head, variant_ids, announce)
    others = [line.variant_id for line in after if line.variant_id not in goods.variants]
    rest = await goods_of(tx, (await catalog.variants(tx, others)).values()) if others else None
    cart = await shown(tx, actor, taken.head, after, _both(goods, rest), currency=currency)
    held = {line.sku: line.quantity for line in after}
    lines = [msgspec.structs.replace(told[sku], quantity=held.get(sku, 0)) for sku in wanted]
    return Added(version=cart.version, cart=cart, lines=lines)


async def take_line(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    sku: str,
    currency: str,
    seen: Seen = ANY,
    announce: Announce | None = None,
) -> TakenLine:
    """Take a line out of the caller's cart and answer what it was. Raises NotInCart, UnknownCart, CartClosed, StaleCart, NoCartHere;
    NotYourCart for one that the caller has only joined."""
    taken = await take_out(tx, actor, cart=cart, skus=[sku])
    await refuse_stale(tx, actor, taken, seen, currency)
    line = next((one for one in taken.before if one.sku == sku), None) if taken is not None else None
    if taken is None or line is None:
        raise NotInCart(sku=sku)
    if taken.head.shopper_id != actor.person and taken.head.shopper_id not in await customers.ids_of_caller(tx, actor):
        raise NotYourCart(cart=str(taken.head.id))
    kept = [one for one in taken.before if one.sku != sku]
    goods = await goods_by_id(tx, {one.variant_id: one.quantity for one in kept})
    changed(tx, actor, taken.head, [line.variant_id], announce)
    view = await shown(tx, actor, taken.head, kept, goods, currency=currency)
    return TakenLine(line=line, cart=view)


def _wish(goods: Goods, variant: catalog.Variant, asked: int) -> _Wish:
    maximum = variant.maximum_per_order or MAX_QUANTITY
    there = goods.totals.get(variant.id, 0)
    if variant.may_wait(goods.at):
        announced = goods.announced.get(variant.id, ())
        there += sum(plan.free for plan in announced)
    return _Wish(variant, asked, min(maximum, there), "maximum_per_order" if maximum <= there else "available")


def _filled(
    tx: Tx, actor: Actor, goods: Goods, taken: Taken, wishes: Mapping[str, _Wish], policy: AddPolicy,
    told: dict[str, AddedLine], gifts: Mapping[str, Gift],
) -> list[CartLine]:  # fmt: skip
    """The lines of the cart after adding; tells what became of each wish."""
    after: dict[str, CartLine] = {line.sku: line for line in taken.before}
    for sku, wish in wishes.items():
        old = after.get(sku)
        held = old.quantity if old is not None else 0
        aim = held + wish.asked if policy == "sum" else max(held, wish.asked)
        quantity = max(held, min(aim, wish.limit, MAX_QUANTITY))
        if policy == "at_least" and held >= wish.asked:
            told[sku] = AddedLine(sku=sku, outcome="already_there", asked=wish.asked, added=0, quantity=held)
            continue
        if old is None and len(after) >= MAX_LINES:
            told[sku] = AddedLine(
                sku=sku, outcome="left_out", asked=wish.asked, added=0, quantity=0, reason="cart_full"
            )
            continue
        limited = quantity < aim
        told[sku] = AddedLine(
            sku=sku, outcome="limited" if limited else "added", asked=wish.asked, added=quantity - held,
            quantity=quantity, reason=wish.limit_reason if limited else None,
        )  # fmt: skip
        if quantity == held:
            continue
        seen = goods.quotes[wish.variant.id].amount
        if old is not None:
            after[sku] = msgspec.structs.replace(
                old, quantity=quantity, unit_price_seen=seen, changed_at=tx.at, gift=old.gift or gifts.get(sku)
            )
        else:
            after[sku] = CartLine(
                variant_id=wish.variant.id, sku=sku, quantity=quantity, unit_price_seen=seen, added_at=tx.at,
                added_channel=actor.channel, added_device=actor.device, changed_at=tx.at,
                added_by=actor.subject if actor.kind == "staff" else None, gift=gifts.get(sku),
            )  # fmt: skip
    return sorted(after.values(), key=place)


def _both(goods: Goods, rest: Goods | None) -> Goods:
    if rest is None:
        return goods
    return Goods(
        goods.at,
        goods.variants | rest.variants,
        goods.quotes | rest.quotes,
        goods.totals | rest.totals,
        goods.announced | rest.announced,
        goods.exact,
    )
