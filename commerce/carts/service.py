"""Verbs of `carts`, inside a transaction. Every change of a cart or its lines happens under the lock of the cart's row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from commerce import catalog, customers
from commerce.carts import tables
from commerce.carts.errors import (
    CartClosed,
    CartFull,
    NotSellable,
    NotYourCart,
    OverMaximum,
    RepeatedSku,
    StaleCart,
    UnknownCart,
)
from commerce.carts.events import CartChanged, CartExpired, CartOrdered
from commerce.carts.pricing import NO_GOODS, Goods, goods_by_id, goods_of
from commerce.carts.queries import (
    AT_DEVICE,
    BY_ID,
    HELD,
    LAST,
    LINE,
    MORE,
    PRESENT,
    WITH_LINES,
    Mine,
    head_of,
    id_of,
    line_of,
    mine,
    more_of,
)
from commerce.carts.schemas import (
    MAX_LINES,
    NO_CHECKOUT,
    CartLine,
    CartState,
    CartView,
    Head,
    OpenCart,
    PutLine,
    PutLines,
    RefusedLine,
)
from commerce.carts.views import empty_view, shown
from commerce.infra import outbox
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.tags import ANY, Seen, mark_of

Announce = Callable[[str], Awaitable[None]]
"""Tells open screens that a topic changed (`Live.publish`)."""


def topic(owner: UUID) -> str:
    """What the screens of a shopper's cart, or of a device's baskets, listen to."""
    return f"cart:{owner}"


def _bump_current(owner: str) -> str:
    return f"""
    INSERT INTO carts.carts AS c (id, {owner}, state, channel, version, created_at, changed_at)
    SELECT CAST(:new_id AS uuid), CAST(:owner AS uuid), 'open', :channel, 1, :at, :at
    WHERE CAST(:create AS boolean) OR EXISTS (
        SELECT FROM carts.carts o WHERE o.{owner} = CAST(:owner AS uuid) AND o.state = 'open' AND o.parked_at IS NULL
    )
    ON CONFLICT ({owner}) WHERE state = 'open' AND parked_at IS NULL
    DO UPDATE SET version = c.version + 1, changed_at = excluded.changed_at
    RETURNING c.id, c.version, c.state, c.shopper_id, {MORE}
"""  # noqa: S608


BUMP_ONE = f"""
    UPDATE carts.carts c SET version = c.version + 1, changed_at = :at
    WHERE c.id = CAST(:cart AS uuid) AND c.state = 'open' AND {HELD}
    RETURNING c.id, c.version, c.state, c.shopper_id, {MORE}
"""  # noqa: S608
ALL_LINES = f"""
SELECT {LINE}, cart.id AS cart_id, cart.version, cart.state, cart.shopper_id, cart.more,
       coalesce(seen.version, 0) AS seen_version, false AS gone
FROM cart
LEFT JOIN carts.carts seen ON seen.id = cart.id
LEFT JOIN carts.lines l ON l.cart_id = cart.id
ORDER BY l.added_at, l.sku
"""  # noqa: S608
NAMED = "(CAST(:everything AS boolean) OR l.sku = ANY(CAST(:skus AS text[])))"
TAKE_OUT = f"""
, gone AS (
    DELETE FROM carts.lines l USING cart WHERE l.cart_id = cart.id AND {NAMED} RETURNING l.*
), present AS (
    SELECT gone.*, true AS gone FROM gone
    UNION ALL SELECT l.*, false FROM carts.lines l JOIN cart ON cart.id = l.cart_id WHERE NOT {NAMED}
)
SELECT {LINE}, cart.id AS cart_id, cart.version, cart.state, cart.shopper_id, cart.more,
       coalesce(seen.version, 0) AS seen_version, coalesce(l.gone, false) AS gone
FROM cart
LEFT JOIN carts.carts seen ON seen.id = cart.id
LEFT JOIN present l ON true
ORDER BY l.added_at, l.sku
"""  # noqa: S608
"""A deleted line is answered as it was when it was deleted, which may be later than what this statement sees."""


class Change(msgspec.Struct, frozen=True):
    """The same change of a person's current cart, of a device's, and of one by id."""

    person: str
    device: str
    one: str


def _change(then: str) -> Change:
    return Change(
        person=f"WITH cart AS ({_bump_current('shopper_id')}){then}",
        device=f"WITH cart AS ({_bump_current('device_id')}){then}",
        one=f"WITH cart AS ({BUMP_ONE}){then}",
    )


TAKING_OUT, LEAVING_ALL = _change(TAKE_OUT), _change(ALL_LINES)
SET_LINES = """
UPDATE carts.lines l SET quantity = w.quantity, unit_price_seen = w.seen, changed_at = CAST(:at AS timestamptz)
FROM unnest(CAST(:variants AS uuid[]), CAST(:quantities AS int[]), CAST(:seen AS bigint[])) AS w(variant_id, quantity, seen)
WHERE l.cart_id = CAST(:cart AS uuid) AND l.variant_id = w.variant_id
"""
DROP_LINES = """
DELETE FROM carts.lines l USING unnest(CAST(:variants AS uuid[])) AS w(variant_id)
WHERE l.cart_id = CAST(:cart AS uuid) AND l.variant_id = w.variant_id
"""
TAKE_OUT_AGAIN = f"""
WITH gone AS (
    DELETE FROM carts.lines l WHERE l.cart_id = :cart AND {NAMED} RETURNING l.variant_id
)
SELECT {LINE} FROM carts.lines l WHERE l.cart_id = :cart
"""  # noqa: S608
SEEN_AGAIN = f"SELECT {MORE}, {HELD} AS held FROM carts.carts c WHERE c.id = CAST(:cart AS uuid)"  # noqa: S608
OTHER_OPEN = """
SELECT shopper_id FROM carts.carts
WHERE shopper_id = ANY(CAST(:owners AS uuid[])) AND shopper_id <> :subject AND state = 'open' AND parked_at IS NULL
ORDER BY changed_at DESC, id LIMIT 1
"""


def _locking(which: str) -> str:
    return f"""
WITH cart AS MATERIALIZED (
    SELECT c.id, c.version, c.state, c.shopper_id, {MORE} FROM carts.carts c WHERE {which} {LAST} FOR NO KEY UPDATE
)
SELECT {LINE}, cart.id AS cart_id, cart.version, cart.state, cart.shopper_id, cart.more, seen.version AS seen_version
FROM cart
LEFT JOIN carts.carts seen ON seen.id = cart.id
LEFT JOIN carts.lines l ON l.cart_id = cart.id
ORDER BY l.added_at, l.sku
"""  # noqa: S608


LOCK_CURRENT, LOCK_BASKET, LOCK_ONE = _locking(PRESENT), _locking(AT_DEVICE), _locking(BY_ID)
LINES = f"SELECT {LINE} FROM carts.lines l WHERE l.cart_id = :cart ORDER BY l.added_at, l.sku"  # noqa: S608
CLOSE = """
WITH forgotten AS (
    UPDATE carts.lines SET wish = NULL, gift = NULL
    WHERE cart_id = ANY(CAST(:carts AS uuid[])) AND (wish IS NOT NULL OR gift IS NOT NULL)
), parted AS (
    UPDATE carts.guests SET ended_at = CAST(:at AS timestamptz)
    WHERE cart_id = ANY(CAST(:carts AS uuid[])) AND ended_at IS NULL
)
UPDATE carts.carts SET state = CAST(:state AS text), merged_into = CAST(:target AS uuid), version = version + 1,
    changed_at = CAST(:at AS timestamptz), parked_at = NULL, label = NULL, checkout = NULL, discreet = false,
    customer_id = CASE WHEN CAST(:state AS text) = 'expired' THEN NULL ELSE customer_id END,
    named_by = CASE WHEN CAST(:state AS text) = 'expired' THEN NULL ELSE named_by END
WHERE id = ANY(CAST(:carts AS uuid[])) AND state = 'open'
RETURNING id, version, shopper_id, device_id, customer_id
"""
"""A closed cart keeps what lay in it, and nothing of a person but his opaque id; one that expired not even whom it named."""

EXPORT = """
SELECT c.id, c.state, c.channel, c.created_at, c.changed_at, c.device_id, c.parked_at, c.label, c.named_by, c.checkout, l.sku,
       l.quantity, l.unit_price_seen, l.added_at, l.added_channel, l.wish, l.gift
FROM carts.carts c LEFT JOIN carts.lines l ON l.cart_id = c.id
WHERE c.shopper_id = ANY(CAST(:ids AS uuid[])) OR c.customer_id = ANY(CAST(:ids AS uuid[]))
ORDER BY c.created_at, c.id, l.added_at, l.sku
"""
LOCK_ALL = """
SELECT id FROM carts.carts
WHERE shopper_id = ANY(CAST(:ids AS uuid[])) OR customer_id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
"""
EMPTY_ALL = "DELETE FROM carts.lines WHERE cart_id = ANY(CAST(:carts AS uuid[]))"


class Taken(msgspec.Struct, frozen=True):
    """A cart whose row is locked and whose version is already the new one, with all its lines as they were.

    The rows of the named lines are deleted: what shall stay of them is inserted again with the queue, so that a change costs
    one statement whatever the number of lines.
    """

    head: Head
    before: list[CartLine]


class Locked(msgspec.Struct, frozen=True):
    """A cart whose row is locked, as it is, with its lines."""

    head: Head
    lines: list[CartLine]


async def put(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    sku: str,
    command: PutLine,
    currency: str,
    seen: Seen = ANY,
    announce: Announce | None = None,
) -> CartView:
    """Set the absolute quantity of a SKU in the caller's cart; 0 removes it. Makes the cart when he has none.

    Raises UnknownSku, NotSellable, OverMaximum, CartFull, UnknownCart, CartClosed, NoCartHere; StaleCart when `seen` (If-Match) is
    not the cart's version.
    """
    return await _put(
        tx, actor, cart=cart, puts={sku: command.quantity}, seen=seen, currency=currency, announce=announce
    )


async def put_many(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    command: PutLines,
    currency: str,
    seen: Seen = ANY,
    announce: Announce | None = None,
) -> CartView:
    """Like `put` for many SKUs: all of them or none. Raises also RepeatedSku."""
    puts: dict[str, int] = {}
    for line in command.lines:
        if line.sku in puts:
            raise RepeatedSku(sku=line.sku)
        puts[line.sku] = line.quantity
    return await _put(tx, actor, cart=cart, puts=puts, seen=seen, currency=currency, announce=announce)


async def remove(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    sku: str,
    currency: str,
    seen: Seen = ANY,
    announce: Announce | None = None,
) -> CartView:
    """Take a SKU out of the caller's cart; it need not be there. Raises UnknownSku, UnknownCart, CartClosed, NoCartHere, StaleCart."""
    taken = await take_out(tx, actor, cart=cart, skus=[sku])
    await refuse_stale(tx, actor, taken, seen, currency)
    if taken is None:
        return empty_view(currency, at_device=mine(actor).person is None)
    kept = [line for line in taken.before if line.sku != sku]
    variants, goods = await goods_in(tx, taken.before, {sku: 0})
    _refuse_unknown(variants, [sku])
    changed(tx, actor, taken.head, [variants[sku].id], announce)
    return await shown(tx, actor, taken.head, kept, goods, currency=currency)


async def clear(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    currency: str,
    seen: Seen = ANY,
    announce: Announce | None = None,
) -> CartView:
    """Take everything out of the caller's cart. Raises UnknownCart, CartClosed, NoCartHere, StaleCart."""
    taken = await take_out(tx, actor, cart=cart, everything=True)
    await refuse_stale(tx, actor, taken, seen, currency)
    if taken is None:
        return empty_view(currency, at_device=mine(actor).person is None)
    changed(tx, actor, taken.head, [line.variant_id for line in taken.before], announce)
    return await shown(tx, actor, taken.head, [], NO_GOODS, currency=currency)


async def lock_open(tx: Tx, actor: Actor, *, cart: str = "current") -> OpenCart | None:
    """Lock the caller's open cart, or one of a device's baskets by id, until the transaction ends and read its lines; None when he has
    none. One statement. Raises UnknownCart, CartClosed, NotYourCart, NoCartHere.

    One more when another transaction changed the cart while this one waited, and for a known shopper without a cart.
    """
    locked = await lock(tx, actor, cart=cart)
    if locked is None:
        return None
    head = locked.head
    return OpenCart(
        id=head.id, version=head.version, shopper_id=head.shopper_id, lines=locked.lines, device_id=head.more.device_id,
        customer_id=head.more.customer_id, named_by=head.more.named_by, checkout=head.more.checkout or NO_CHECKOUT,
    )  # fmt: skip


async def lock(tx: Tx, actor: Actor, *, cart: str, by_guest: bool = False) -> Locked | None:
    """Lock an open cart that is the caller's own, or that he has joined when `by_guest`. None when `current` is asked for and there is
    none. One statement, more as `lock_open`. Raises UnknownCart, CartClosed, NotYourCart, NoCartHere."""
    me = mine(actor)
    one = id_of(cart)
    if one is None:
        _ = me.owner
    statement = LOCK_ONE if one is not None else LOCK_CURRENT if me.person is not None else LOCK_BASKET
    people = [me.person] if me.person is not None else []
    rows = await tx.rows(statement, cart=one, people=people, device=me.device, caller=me.caller, at=tx.at)
    if not rows and me.person is not None and actor.known:
        family = await customers.ids_of(tx, me.person)
        if len(family) > 1:
            people = family
            rows = await tx.rows(statement, cart=one, people=people, device=None, caller=me.caller, at=tx.at)
    if not rows:
        if one is not None:
            raise UnknownCart(cart=cart)
        return None
    if rows[0].seen_version != rows[0].version:
        # The lines above are of the moment before the wait.
        rows = await tx.rows(
            WITH_LINES.one, cart=rows[0].cart_id, people=people, device=me.device, caller=me.caller, at=tx.at
        )
        if not rows:
            raise UnknownCart(cart=cart)
    head = head_of(rows[0])
    if head.state != "open":
        raise CartClosed(cart=str(head.id), state=head.state)
    if not by_guest and not _owns(me, people, head):
        raise NotYourCart(cart=str(head.id))
    return Locked(head, [line_of(row) for row in rows if row.variant_id is not None])


def _owns(me: Mine, people: Sequence[UUID], head: Head) -> bool:
    return head.shopper_id in people if head.shopper_id is not None else head.more.device_id == me.device


async def close(tx: Tx, actor: Actor, cart_id: UUID, *, announce: Announce | None = None) -> int:
    """Mark an open cart that `lock_open` has locked as ordered, and forget its checkout; its new version. Publishes CartOrdered. One
    statement.

    Pass `Live.publish` as `announce`, so that its open screens see it at once.
    """
    row = (await close_all(tx, [cart_id], state="ordered", announce=announce))[0]
    outbox.record(tx, actor, CartOrdered(aggregate_id=cart_id, version=row.version, **whose(row)))
    version: int = row.version
    return version


async def close_all(
    tx: Tx, carts: Sequence[UUID], *, state: CartState, target: UUID | None = None, announce: Announce | None = None
) -> Sequence[Row]:
    """Close open carts whose rows are locked; their rows, for whose events the caller answers. One statement."""
    rows = await tx.rows(CLOSE, carts=list(carts), state=state, target=target, at=tx.at)
    for row in rows:
        tell(tx, row.shopper_id or row.device_id, announce)
    return rows


def whose(row: Row) -> dict[str, Any]:
    """Whose cart it is, as events say it."""
    return {"shopper_id": row.shopper_id, "device_id": row.device_id, "customer_id": row.customer_id}


def whose_is(head: Head) -> dict[str, Any]:
    """The same of a cart's head."""
    return {
        "shopper_id": head.shopper_id,
        "device_id": head.more.device_id,
        "customer_id": head.more.customer_id,
    }


async def export_person(tx: Tx, *, ids: Sequence[UUID]) -> dict[str, Any]:
    """Everything kept here about a person, given all his ids (`customers.ids_of`): his carts, and the baskets that name him, with their
    lines and checkout."""
    rows = await tx.rows(EXPORT, ids=list(ids))
    carts: dict[UUID, dict[str, Any]] = {}
    for row in rows:
        cart = carts.setdefault(
            row.id,
            {
                "id": row.id,
                "state": row.state,
                "channel": row.channel,
                "created_at": row.created_at,
                "changed_at": row.changed_at,
                "device_id": row.device_id,
                "parked_at": row.parked_at,
                "label": row.label,
                "named_by": row.named_by,
                "checkout": row.checkout,
                "lines": [],
            },
        )
        if row.sku is not None:
            cart["lines"].append(
                {
                    "sku": row.sku,
                    "quantity": row.quantity,
                    "unit_price_seen": row.unit_price_seen,
                    "added_at": row.added_at,
                    "added_channel": row.added_channel,
                    "wish": row.wish,
                    "gift": row.gift,
                }
            )
    return {"carts": list(carts.values())}


async def erase_person(tx: Tx, actor: Actor, *, ids: Sequence[UUID]) -> None:
    """Close a person's open carts (label and checkout with them) and forget what lay in all his carts; the empty carts stay under the
    opaque id."""
    carts = [row.id for row in await tx.rows(LOCK_ALL, ids=list(ids))]
    await tx.execute(EMPTY_ALL, carts=carts)
    for row in await tx.rows(CLOSE, carts=carts, state="expired", target=None, at=tx.at):
        outbox.record(tx, actor, CartExpired(aggregate_id=row.id, version=row.version, **whose(row)))


async def _put(
    tx: Tx, actor: Actor, *, cart: str, puts: Mapping[str, int], seen: Seen, currency: str,
    announce: Announce | None,
) -> CartView:  # fmt: skip
    """Set quantities. Two statements for any number of lines: the cart, and what is known about its goods; the lines are written
    just before the commit, those that are there in their place."""
    taken = await take_out(tx, actor, cart=cart, create=any(puts.values()))
    await refuse_stale(tx, actor, taken, seen, currency)
    if taken is None:
        return empty_view(currency, at_device=mine(actor).person is None)
    kept = [line for line in taken.before if line.sku not in puts]
    variants, goods = await goods_in(tx, taken.before, puts)
    _refuse_unknown(variants, puts)
    _check(goods, variants, puts)
    before = {line.sku: line for line in taken.before if line.sku in puts}
    lines = _put_lines(tx, actor, goods, variants, puts, before)
    if len(kept) + len(lines) > MAX_LINES:
        raise CartFull(maximum=MAX_LINES, lines=len(kept) + len(lines))
    _write_lines(tx, taken.head.id, lines, before)
    changed(tx, actor, taken.head, [variants[sku].id for sku in puts], announce)
    now = {line.sku: line for line in lines}
    after = [now.pop(line.sku, line) for line in taken.before if line.sku not in puts or line.sku in now]
    if now:
        after = sorted([*after, *now.values()], key=place)
    return await shown(tx, actor, taken.head, after, goods, currency=currency)


NO_SKUS: Mapping[str, int] = {}


async def goods_in(
    tx: Tx, lines: Sequence[CartLine], skus: Mapping[str, int] = NO_SKUS
) -> tuple[dict[str, catalog.Variant], Goods]:
    """The variants of the SKUs, of which so many are wanted, and what is known about these and about those of the lines: one statement,
    two while nobody here has read a SKU before. Lines of one SKU may become one: what they hold together is wanted."""
    ids = {line.sku: line.variant_id for line in lines}
    wanted: dict[UUID, int] = {}
    for line in lines:
        wanted[line.variant_id] = wanted.get(line.variant_id, 0) + line.quantity
    for sku in skus:
        if sku not in ids:
            known = catalog.id_known(tx, sku)
            if known is None:
                variants = await catalog.by_skus(tx, list({*ids, *skus}))
                return variants, await goods_of(tx, variants.values())
            ids[sku] = known
    for sku, quantity in skus.items():
        wanted[ids[sku]] = max(quantity, wanted.get(ids[sku], 0))
    goods = await goods_by_id(tx, wanted)
    return {sku: goods.variants[ids[sku]] for sku in skus if ids[sku] in goods.variants}, goods


def _refuse_unknown(variants: Mapping[str, catalog.Variant], skus: Iterable[str]) -> None:
    for sku in skus:
        if sku not in variants:
            raise catalog.UnknownSku(sku=sku)


async def refuse_stale(tx: Tx, actor: Actor, taken: Taken | None, seen: Seen, currency: str) -> None:
    """Raise StaleCart, with the cart as it is, when the caller saw another version than the one before the change."""
    version = taken.head.version - 1 if taken is not None else 0
    known = taken.head if taken is not None and version > 0 else None
    if seen.is_of(version, mark_of(known.id if known is not None else None)):
        return
    before = msgspec.structs.replace(known, version=version) if known is not None else None
    await _refuse(tx, actor, before, taken.before if taken is not None else [], seen, currency)


async def refuse_other(tx: Tx, actor: Actor, locked: Locked | None, seen: Seen, currency: str) -> None:
    """The same for a cart that is locked and not changed yet."""
    head = locked.head if locked is not None else None
    if not seen.is_of(head.version if head is not None else 0, mark_of(head.id if head is not None else None)):
        await _refuse(tx, actor, head, locked.lines if locked is not None else [], seen, currency)


async def _refuse(
    tx: Tx, actor: Actor, head: Head | None, lines: Sequence[CartLine], seen: Seen, currency: str
) -> None:
    if head is None:
        raise StaleCart(seen=seen.version, version=0, cart=empty_view(currency, at_device=mine(actor).person is None))
    _, goods = await goods_in(tx, lines)
    cart = await shown(tx, actor, head, lines, goods, currency=currency)
    raise StaleCart(seen=seen.version, version=head.version, cart=cart)


async def take_out(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    skus: Sequence[str] = (),
    everything: bool = False,
    create: bool = False,
) -> Taken | None:
    """Lock the caller's cart, count its version up, read its lines and delete the named ones, if any: one statement.

    None when `current` is asked for, there is none and none is to be made. One more statement when another transaction
    changed the cart while this one waited. Raises UnknownCart, CartClosed, NoCartHere.
    """
    named = {"skus": list(skus), "everything": everything}
    one = id_of(cart)
    me = mine(actor)
    if one is None:
        return await take_out_of_current(tx, actor, named, create=create)
    people = [me.person] if me.person is not None else []
    rows, people = await _take_out_of_one(tx, actor, me, one, people, named)
    return await _taken(tx, me, people, rows, named)


async def take_out_of_current(tx: Tx, actor: Actor, named: dict[str, Any], *, create: bool) -> Taken | None:
    """`take_out` of the cart at hand. Merged profiles are asked for only when the caller has no open cart of his own."""
    me = mine(actor)
    ways = TAKING_OUT if named["skus"] or named["everything"] else LEAVING_ALL
    change = ways.person if me.person is not None else ways.device
    own = partial(tx.rows, change, new_id=uuid7(), channel=actor.channel, at=tx.at, create=create, **named)
    owner = me.owner
    rows = await own(owner=owner)
    created = bool(rows) and rows[0].version == 1
    if me.person is not None and actor.known and (created or not rows):
        owner = await _owner_in_family(tx, me.person)
        if owner != me.person:
            if created:
                await tx.execute("DELETE FROM carts.carts WHERE id = :id", id=rows[0].cart_id)
            rows = await own(owner=owner)
    return await _taken(tx, me, [owner], rows, named) if rows else None


async def _taken(tx: Tx, me: Mine, people: Sequence[UUID], rows: Sequence[Row], named: dict[str, Any]) -> Taken:
    row = rows[0]
    head = head_of(row)
    before = [line_of(row) for row in rows if row.variant_id is not None]
    if row.seen_version != row.version - 1:
        # The lines above are of the moment before the wait, but for those that this statement has deleted.
        deleted = [line_of(row) for row in rows if row.gone]
        again = await tx.one(
            SEEN_AGAIN, cart=row.cart_id, people=list(people), device=me.device, caller=me.caller, at=tx.at
        )
        if not again.held:
            raise UnknownCart(cart=str(row.cart_id))
        head = msgspec.structs.replace(head, more=more_of(again.more))
        remaining = await tx.rows(TAKE_OUT_AGAIN, cart=row.cart_id, **named)
        before = sorted([*deleted, *(line_of(row) for row in remaining)], key=place)
    return Taken(head, before)


async def _take_out_of_one(
    tx: Tx, actor: Actor, me: Mine, cart: UUID, people: list[UUID], named: dict[str, Any]
) -> tuple[Sequence[Row], list[UUID]]:
    held: dict[str, Any] = {"cart": cart, "device": me.device, "caller": me.caller, "at": tx.at}
    change = TAKING_OUT.one if named["skus"] or named["everything"] else LEAVING_ALL.one
    rows = await tx.rows(change, people=people, **held, **named)
    if rows:
        return rows, people
    if me.person is not None and actor.known:
        people = await customers.ids_of(tx, me.person)
    found = await tx.first(f"SELECT c.state FROM carts.carts c WHERE {BY_ID}", people=people, **held)  # noqa: S608
    if found is None:
        raise UnknownCart(cart=str(cart))
    rows = await tx.rows(change, people=people, **held, **named)
    if not rows:
        raise CartClosed(cart=str(cart), state=found.state)
    return rows, people


async def _owner_in_family(tx: Tx, person: UUID) -> UUID:
    """Whose cart a known shopper without an open one goes on with: a merged profile's open one, else the winner's."""
    family = await customers.ids_of(tx, person)
    if len(family) < 2:
        return person
    other: UUID | None = await tx.scalar(OTHER_OPEN, owners=family, subject=person)
    return other or family[0]


def _check(goods: Goods, variants: Mapping[str, catalog.Variant], puts: Mapping[str, int]) -> None:
    refused: list[RefusedLine] = []
    over: list[RefusedLine] = []
    for sku, quantity in puts.items():
        variant = variants[sku]
        if quantity == 0:
            continue
        reason = goods.refusal(variant)
        if reason is not None:
            refused.append(RefusedLine(sku=sku, reason=reason))
        elif variant.maximum_per_order is not None and quantity > variant.maximum_per_order:
            over.append(RefusedLine(sku=sku, maximum=variant.maximum_per_order))
    if refused:
        raise NotSellable(sku=refused[0].sku, reason=refused[0].reason, lines=refused)
    if over:
        raise OverMaximum(sku=over[0].sku, maximum=over[0].maximum, lines=over)


def _put_lines(
    tx: Tx, actor: Actor, goods: Goods, variants: Mapping[str, catalog.Variant], puts: Mapping[str, int],
    before: Mapping[str, CartLine],
) -> list[CartLine]:  # fmt: skip
    """The lines that the puts ask for; a line that was there keeps when, where and by whom it was added, and how it is wanted."""
    lines = []
    by = actor.subject if actor.kind == "staff" else None
    for sku, quantity in puts.items():
        if quantity == 0:
            continue
        variant, old = variants[sku], before.get(sku)
        lines.append(
            CartLine(
                variant_id=variant.id,
                sku=sku,
                quantity=quantity,
                unit_price_seen=goods.quotes[variant.id].amount,
                added_at=old.added_at if old else tx.at,
                added_channel=old.added_channel if old else actor.channel,
                added_device=old.added_device if old else actor.device,
                changed_at=tx.at,
                added_by=old.added_by if old else by,
                wish=old.wish if old else None,
                gift=old.gift if old else None,
            )
        )
    return lines


def _write_lines(tx: Tx, cart: UUID, lines: Sequence[CartLine], before: Mapping[str, CartLine]) -> None:
    """Write the lines of a put over those that were there, just before the commit: a line that only changes keeps its row, so that
    nothing is looked up or locked for it elsewhere."""
    left = dict(before)
    again = [line for line in lines if left.pop(line.sku, None) is not None]
    if again:
        tx.defer(
            SET_LINES, cart=cart, variants=[line.variant_id for line in again], quantities=[line.quantity for line in again],
            seen=[line.unit_price_seen for line in again], at=tx.at,
        )  # fmt: skip
    if left:
        tx.defer(DROP_LINES, cart=cart, variants=[line.variant_id for line in left.values()])
    queue_lines(tx, cart, [line for line in lines if line.sku not in before])


def queue_lines(tx: Tx, cart: UUID, lines: Sequence[CartLine]) -> None:
    """Write lines, just before the commit."""
    for line in lines:
        tx.queue(tables.lines, cart_id=cart, **msgspec.structs.asdict(line))


def changed(tx: Tx, actor: Actor, head: Head, variant_ids: list[UUID], announce: Announce | None) -> None:
    """Publish that lines were put or taken out, and tell the screens."""
    outbox.record(
        tx, actor, CartChanged(aggregate_id=head.id, version=head.version, variant_ids=variant_ids, **whose_is(head))
    )
    note_staff(tx, actor, CartChanged.type, head, variant_ids)
    tell(tx, head.owner, announce)


def note_staff(tx: Tx, actor: Actor, action: str, head: Head, variant_ids: list[UUID]) -> None:
    """Staff who work on a basket of their device, or on a customer's cart that they have joined, are on the record; who acts for a
    customer is by `outbox.record`."""
    if actor.kind == "staff" and actor.on_behalf_of is None:
        outbox.audit(
            tx, actor, action, "cart", head.id,
            before={"version": head.version - 1}, after={"version": head.version, "variants": variant_ids},
        )  # fmt: skip


def tell(tx: Tx, owner: UUID, announce: Announce | None) -> None:
    """Tell the screens of an owner's carts, once committed."""
    if announce is not None:
        tx.after_commit(partial(announce, topic(owner)))


def place(line: CartLine) -> tuple[Any, str]:
    """Where a line stands in its cart."""
    return line.added_at, line.sku
