"""Reads of `carts`. Everybody reads only his own: his open cart (or else the open one of a profile merged with his), a device its
baskets, staff the carts they have joined."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from commerce import customers
from commerce.carts.errors import NoCartHere, UnknownCart
from commerce.carts.pricing import goods_by_id
from commerce.carts.schemas import (
    NO_MORE,
    CartLine,
    CartList,
    CartSummary,
    CartView,
    Chosen,
    Gift,
    Head,
    More,
    Watched,
)
from commerce.carts.views import empty_view, named_customer, shown
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.tags import names

CURRENT = "current"


class Mine(Struct, frozen=True):
    """Whose carts a caller works on: a shopper's, or a device's. Staff elsewhere have none but those they have joined."""

    person: UUID | None
    device: UUID | None
    caller: UUID

    @property
    def owner(self) -> UUID:
        """The shopper or the device. Raises NoCartHere when neither."""
        owner = self.person or self.device
        if owner is None:
            raise NoCartHere
        return owner


def mine(actor: Actor) -> Mine:
    """Whose carts the caller works on."""
    if actor.kind == "shopper" or actor.on_behalf_of is not None:
        return Mine(actor.person, None, actor.subject)
    return Mine(None, actor.device, actor.subject)


LINE = """l.variant_id, l.sku, l.quantity, l.unit_price_seen, l.added_at, l.added_channel, l.added_device,
       l.changed_at AS line_changed_at, l.added_by, l.wish, l.gift"""
"""What stands first in a row that has a line."""
LIVE_GUESTS = "carts.guests g WHERE g.cart_id = c.id AND g.ended_at IS NULL AND g.until_at > CAST(:at AS timestamptz)"
MORE = f"""
CASE WHEN c.device_id IS NULL AND c.checkout IS NULL AND c.parked_at IS NULL AND NOT EXISTS (SELECT FROM {LIVE_GUESTS})
THEN NULL ELSE jsonb_build_object(
    'device_id', c.device_id, 'customer_id', c.customer_id, 'named_by', c.named_by, 'label', c.label, 'parked_at', c.parked_at,
    'discreet', c.discreet, 'checkout', c.checkout, 'guests', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
            'id', g.id, 'principal_id', g.principal_id, 'joined_at', g.joined_at, 'until_at', g.until_at) ORDER BY g.joined_at, g.id)
        FROM {LIVE_GUESTS}), '[]'))
END AS more
"""  # noqa: S608
"""What only few carts have, in one column that is empty for all others."""
HELD = f"""
(c.shopper_id = ANY(CAST(:people AS uuid[])) OR c.device_id = CAST(:device AS uuid)
 OR EXISTS (SELECT FROM {LIVE_GUESTS} AND g.principal_id = CAST(:caller AS uuid)))
"""
"""Who may work on a cart of an id: its owner, and staff who have joined it."""
PRESENT = "c.shopper_id = ANY(CAST(:people AS uuid[])) AND c.state = 'open' AND c.parked_at IS NULL"
AT_DEVICE = "c.device_id = CAST(:device AS uuid) AND c.state = 'open' AND c.parked_at IS NULL"
BY_ID = f"c.id = CAST(:cart AS uuid) AND {HELD}"
LAST = "ORDER BY c.changed_at DESC, c.id LIMIT 1"


def _with_lines(which: str) -> str:
    return f"""
WITH cart AS MATERIALIZED (
    SELECT c.id, c.version, c.state, c.shopper_id, {MORE} FROM carts.carts c WHERE {which} {LAST}
)
SELECT {LINE}, cart.id AS cart_id, cart.version, cart.state, cart.shopper_id, cart.more
FROM cart LEFT JOIN carts.lines l ON l.cart_id = cart.id ORDER BY l.added_at, l.sku
"""  # noqa: S608


def _head(which: str) -> str:
    return f"""
SELECT c.id, c.version, c.state, coalesce(c.shopper_id, c.device_id) AS owner FROM carts.carts c WHERE {which} {LAST}
"""  # noqa: S608


class Reading(Struct, frozen=True):
    """The same question asked of a person's carts, of a device's, and by id."""

    person: str
    device: str
    one: str


WITH_LINES = Reading(_with_lines(PRESENT), _with_lines(AT_DEVICE), _with_lines(BY_ID))
HEAD = Reading(_head(PRESENT), _head(AT_DEVICE), _head(BY_ID))
SUMMARY = """c.id, c.version, c.channel, c.created_at, c.changed_at, c.parked_at, c.label, c.customer_id, c.named_by,
       c.device_id, (SELECT count(*) FROM carts.lines l WHERE l.cart_id = c.id) AS line_count"""
LIST = f"""
SELECT {SUMMARY}, NULL AS joined_until FROM carts.carts c
WHERE c.state = 'open' AND (c.shopper_id = ANY(CAST(:people AS uuid[])) OR c.device_id = CAST(:device AS uuid))
ORDER BY c.parked_at IS NOT NULL, c.shopper_id IS DISTINCT FROM CAST(:person AS uuid), c.changed_at DESC, c.id LIMIT 200
"""  # noqa: S608
JOINED = f"""
SELECT {SUMMARY}, g.until_at AS joined_until FROM carts.guests g JOIN carts.carts c ON c.id = g.cart_id AND c.state = 'open'
WHERE g.principal_id = CAST(:caller AS uuid) AND g.ended_at IS NULL AND g.until_at > CAST(:at AS timestamptz)
ORDER BY g.until_at DESC, c.id LIMIT 200
"""  # noqa: S608


def id_of(cart: str) -> UUID | None:
    """The id in an address; None for `current`."""
    return None if cart == CURRENT else UUID(cart)


def line_of(row: Row) -> CartLine:
    """A line from a row that begins with LINE. By place, as a cart may have hundreds of them."""
    variant_id, sku, quantity, seen, added_at, channel, device, changed_at, by, wish, gift = row[:11]
    return CartLine(
        variant_id=variant_id, sku=sku, quantity=quantity, unit_price_seen=seen, added_at=added_at, added_channel=channel,
        added_device=device, changed_at=changed_at, added_by=by,
        wish=msgspec.convert(wish, Chosen) if wish else None, gift=msgspec.convert(gift, Gift) if gift else None,
    )  # fmt: skip


def more_of(value: object) -> More:
    """What the column MORE says."""
    return NO_MORE if value is None else msgspec.convert(value, More)


def head_of(row: Row) -> Head:
    """The cart of a row."""
    return Head(id=row.cart_id, version=row.version, state=row.state, shopper_id=row.shopper_id, more=more_of(row.more))


async def _own(tx: Tx, actor: Actor, ask: Reading, cart: UUID | None) -> Sequence[Row]:
    """Rows of the caller's cart. Merged profiles are asked for only when he has no such cart under his own id."""
    me = mine(actor)
    if cart is None and me.person is None and me.device is None:
        raise NoCartHere
    statement = ask.one if cart is not None else ask.person if me.person is not None else ask.device
    own = [me.person] if me.person is not None else []
    rows = await tx.rows(statement, cart=cart, people=own, device=me.device, caller=me.caller, at=tx.at)
    if not rows and me.person is not None and actor.known:
        family = await customers.ids_of(tx, me.person)
        if len(family) > 1:
            rows = await tx.rows(statement, cart=cart, people=family, device=None, caller=me.caller, at=tx.at)
    if not rows and cart is not None:
        raise UnknownCart(cart=str(cart))
    return rows


async def read_unless(tx: Tx, actor: Actor, *, cart: str, currency: str, known: str | None) -> CartView | Watched:
    """`read`; the version alone when the ETag of the cart is among those `known`, by a statement that reads nothing else."""
    if known is not None and names(known, (present := await watched(tx, actor, cart=cart)).entity_tag):
        return present
    return await read(tx, actor, cart=cart, currency=currency)


async def read(tx: Tx, actor: Actor, *, cart: str, currency: str) -> CartView:
    """The caller's cart, priced now; an empty view of version 0 when he has no open one. Raises UnknownCart, NoCartHere."""
    rows = await _own(tx, actor, WITH_LINES, id_of(cart))
    if not rows:
        return empty_view(currency, at_device=mine(actor).person is None)
    head = head_of(rows[0])
    lines = [line_of(row) for row in rows if row.variant_id is not None]
    goods = await goods_by_id(tx, {line.variant_id: line.quantity for line in lines})
    return await shown(tx, actor, head, lines, goods, currency=currency)


async def watched(tx: Tx, actor: Actor, *, cart: str) -> Watched:
    """The version of the caller's cart, for its open screens. Raises UnknownCart, NoCartHere."""
    rows = await _own(tx, actor, HEAD, id_of(cart))
    if not rows:
        return Watched(id=None, version=0, state="open", owner=mine(actor).owner)
    row = rows[0]
    return Watched(id=row.id, version=row.version, state=row.state, owner=row.owner)


async def own_carts(tx: Tx, actor: Actor) -> CartList:
    """The open carts of a shopper (the one at hand, and those saved aside), or the baskets of the device; after them, of staff, the carts
    they have joined, the last joined first. One statement for each of both, one for the names."""
    me = mine(actor)
    rows: list[Row] = []
    if me.person is not None or me.device is not None:
        people = [me.person] if me.person is not None else []
        if me.person is not None and actor.known:
            people = await customers.ids_of(tx, me.person)
        rows = await tx.rows(LIST, people=people, person=me.person, device=me.device)
    own = len(rows)
    if actor.kind == "staff" and actor.on_behalf_of is None:
        rows = [*rows, *await tx.rows(JOINED, caller=me.caller, at=tx.at)]
    named = sorted({row.customer_id for row in rows if row.customer_id is not None})
    first_names = await customers.first_names(tx, named) if named else {}
    return CartList(items=[_summary(row, actor, first_names, first=n == 0 < own) for n, row in enumerate(rows)])


def _summary(row: Row, actor: Actor, first_names: dict[UUID, str | None], *, first: bool) -> CartSummary:
    """Of merged profiles several may be open and not parked: `current` is the caller's own, else the last changed."""
    customer = None
    if row.customer_id is not None:
        customer = named_customer(actor, row.customer_id, row.named_by, first_names.get(row.customer_id))
    return CartSummary(
        id=row.id, version=row.version, current=first and row.parked_at is None, owner="device" if row.device_id else "shopper",
        label=row.label, customer=customer, line_count=row.line_count, created_at=row.created_at,
        changed_at=row.changed_at, parked_at=row.parked_at, joined_until=row.joined_until,
    )  # fmt: skip
