"""Reads of `carts`. Everybody reads only his own: his open cart, or else the open one of a profile merged with his."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from commerce import catalog, customers
from commerce.carts.errors import UnknownCart
from commerce.carts.pricing import empty_view, goods_of, view_of
from commerce.carts.schemas import CartLine, CartView, Watched
from commerce.infra.db import Row, Tx
from commerce.kernel.actor import Actor

CURRENT = "current"

LINE = """l.variant_id, l.sku, l.quantity, l.unit_price_seen, l.added_at, l.added_channel, l.added_device,
       l.changed_at AS line_changed_at"""
WHICH = """
WHERE c.id = (
    SELECT id FROM carts.carts
    WHERE shopper_id = ANY(CAST(:owners AS uuid[])) AND device_id IS NULL
      AND CASE WHEN CAST(:cart AS uuid) IS NULL THEN state = 'open' ELSE id = CAST(:cart AS uuid) END
    ORDER BY changed_at DESC, id LIMIT 1
)
"""
WITH_LINES = f"""
SELECT c.id AS cart_id, c.version, c.state, {LINE}
FROM carts.carts c LEFT JOIN carts.lines l ON l.cart_id = c.id {WHICH} ORDER BY l.added_at, l.sku
"""  # noqa: S608
HEAD = f"SELECT c.id, c.version, c.state, c.shopper_id FROM carts.carts c {WHICH}"  # noqa: S608


def id_of(cart: str) -> UUID | None:
    """The id in an address; None for `current`."""
    return None if cart == CURRENT else UUID(cart)


def line_of(row: Row, first: int) -> CartLine:
    """A line from a row that has the columns of LINE from the `first` on: by position, as a cart may have hundreds."""
    variant_id, sku, quantity, unit_price_seen, added_at, added_channel, added_device, changed_at = row[
        first : first + 8
    ]
    return CartLine(
        variant_id=variant_id,
        sku=sku,
        quantity=quantity,
        unit_price_seen=unit_price_seen,
        added_at=added_at,
        added_channel=added_channel,
        added_device=added_device,
        changed_at=changed_at,
    )


async def _own(tx: Tx, actor: Actor, statement: str, cart: UUID | None) -> Sequence[Row]:
    """Rows of the caller's cart. Merged profiles are asked for only when he has no such cart under his own id."""
    rows = await tx.rows(statement, owners=[actor.person], cart=cart)
    if not rows and actor.known:
        family = await customers.ids_of(tx, actor.person)
        if len(family) > 1:
            rows = await tx.rows(statement, owners=family, cart=cart)
    if not rows and cart is not None:
        raise UnknownCart(cart=str(cart))
    return rows


async def read(tx: Tx, actor: Actor, *, cart: str, currency: str) -> CartView:
    """The caller's cart, priced now; an empty view of version 0 when he has no open one. Raises UnknownCart."""
    rows = await _own(tx, actor, WITH_LINES, id_of(cart))
    if not rows:
        return empty_view(currency)
    lines = [line_of(row, 3) for row in rows if row.variant_id is not None]
    variants = await catalog.variants(tx, [line.variant_id for line in lines]) if lines else {}
    goods = await goods_of(tx, variants.values())
    head = rows[0]
    return view_of(goods, lines, cart=head.cart_id, version=head.version, state=head.state, currency=currency)


async def watched(tx: Tx, actor: Actor, *, cart: str) -> Watched:
    """The version of the caller's cart, for its open screens. Raises UnknownCart."""
    rows = await _own(tx, actor, HEAD, id_of(cart))
    if not rows:
        return Watched(id=None, version=0, state="open", owner=actor.person)
    row = rows[0]
    return Watched(id=row.id, version=row.version, state=row.state, owner=row.shopper_id)
