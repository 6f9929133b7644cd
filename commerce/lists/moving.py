"""From a list into the cart, and out of the cart for later: the list is locked before the cart."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from commerce import carts
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.tags import ANY, Seen
from commerce.lists.errors import ListFull, NotOnList, UnknownList
from commerce.lists.queries import by_link
from commerce.lists.schemas import (
    MAX_LINES,
    MAX_QUANTITY,
    MovedListLine,
    MovedToCart,
    MoveToCart,
    SavedForLater,
    SharedToCart,
)
from commerce.lists.service import change, hold, hold_or_begin
from commerce.lists.views import Line, view


async def move_to_cart(
    tx: Tx,
    actor: Actor,
    *,
    name: str,
    command: MoveToCart,
    currency: str,
    seen: Seen = ANY,
    announce: carts.Announce | None = None,
) -> MovedToCart:
    """Put lines of a list into the caller's open cart, as far as each can be bought, and off the list unless they are kept there.

    What was saved for later goes back whole, with its gift wish, beside what the cart has by now; what is wished for only raises it. What
    could not be moved, or not all of it, stays on the list. Raises UnknownList, StaleList, NotOnList.
    """
    held = await hold(tx, actor, name=name, seen=seen, currency=currency)
    if held is None:
        raise UnknownList(list=name)
    chosen = _chosen(held.lines, command.skus)
    saved = held.head.kind == "saved_for_later"
    added = await carts.add(
        tx, actor, wanted={line.sku: line.quantity for line in chosen}, policy="sum" if saved else "at_least",
        currency=currency, announce=announce, gifts={line.sku: line.gift for line in chosen if line.gift is not None},
    )  # fmt: skip
    left: dict[str, Line] = {line.sku: line for line in held.lines}
    told = []
    for line, became in zip(chosen, added.lines, strict=True):
        rest = line.quantity if command.keep else _rest(became, saved=saved)
        told.append(MovedListLine(**msgspec.structs.asdict(became), left_on_list=rest))
        if rest:
            left[line.sku] = msgspec.structs.replace(line, quantity=rest)
        else:
            del left[line.sku]
    put = [left[line.sku] for line in chosen if line.sku in left and left[line.sku] != line]
    gone = [line for line in chosen if line.sku not in left]
    head = change(tx, actor, held, put=put, remove=gone) if put or gone else held.head
    after = await view(tx, head, list(left.values()), currency=currency)
    return MovedToCart(version=head.version, lines=told, left=after, cart=added.cart)


async def save_for_later(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    sku: str,
    currency: str,
    seen: Seen = ANY,
    announce: carts.Announce | None = None,
) -> SavedForLater:
    """Take a line out of the caller's cart and keep it, with its gift wish, in what he saved for later, in one transaction. `seen` is the
    cart's version.

    Raises carts.UnknownCart, carts.CartClosed, carts.StaleCart, carts.NotInCart, carts.NotYourCart, ListFull, TooManyLists.
    """
    held = await hold_or_begin(tx, actor, kind="saved")
    taken = await carts.take_line(tx, actor, cart=cart, sku=sku, currency=currency, seen=seen, announce=announce)
    old = next((line for line in held.lines if line.sku == sku), None)
    if old is None and len(held.lines) >= MAX_LINES:
        raise ListFull(maximum=MAX_LINES)
    if old is not None:
        line = msgspec.structs.replace(
            old, quantity=min(old.quantity + taken.line.quantity, MAX_QUANTITY), gift=taken.line.gift or old.gift
        )
    else:
        line = Line(
            variant_id=taken.line.variant_id, sku=sku, quantity=taken.line.quantity,
            unit_price_seen=taken.line.unit_price_seen, note=None, added_at=tx.at, added_channel=actor.channel,
            added_device=actor.device, gift=taken.line.gift,
        )  # fmt: skip
    head = change(tx, actor, held, put=[line])
    after = [line if one.sku == sku else one for one in held.lines] if old is not None else [*held.lines, line]
    kept = await view(tx, head, after, currency=currency)
    return SavedForLater(version=taken.cart.version, cart=taken.cart, saved=kept)


async def shared_to_cart(
    tx: Tx,
    actor: Actor,
    *,
    token: str,
    command: SharedToCart,
    secret_key: str,
    currency: str,
    announce: carts.Announce | None = None,
) -> carts.Added:
    """Put lines of a list that somebody shared into the caller's own cart. Raises UnknownSharedList, NotOnList."""
    _, lines = await by_link(tx, token=token, secret_key=secret_key)
    wanted = {line.sku: line.quantity for line in _chosen(lines, command.skus)}
    return await carts.add(tx, actor, wanted=wanted, policy="at_least", currency=currency, announce=announce)


def _chosen(lines: Sequence[Line], skus: Sequence[str] | None) -> list[Line]:
    """The named lines, each once, or all. Raises NotOnList."""
    if skus is None:
        return list(lines)
    by_sku = {line.sku: line for line in lines}
    for sku in skus:
        if sku not in by_sku:
            raise NotOnList(sku=sku)
    return [by_sku[sku] for sku in dict.fromkeys(skus)]


def _rest(line: carts.AddedLine, *, saved: bool) -> int:
    """How many of a line the cart has not taken."""
    if saved:
        return line.asked - line.added
    if line.outcome in ("added", "already_there", "limited"):
        return max(0, line.asked - line.quantity)
    return line.asked
