"""Verbs of `carts`, inside a transaction. Every change of a cart or its lines happens under the lock of the cart's row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from commerce import auth, catalog, customers
from commerce.carts import tables
from commerce.carts.errors import (
    CartClosed,
    CartFull,
    NotAnonymous,
    NotSellable,
    OverMaximum,
    RepeatedSku,
    StaleCart,
    UnknownCart,
)
from commerce.carts.events import CartChanged, CartExpired, CartMerged, CartOrdered
from commerce.carts.pricing import NO_GOODS, Goods, empty_view, goods_of, view_of
from commerce.carts.queries import LINE, id_of, line_of
from commerce.carts.schemas import (
    MAX_LINES,
    MAX_QUANTITY,
    CartLine,
    CartView,
    MergeCarts,
    MergedLine,
    MergeView,
    OpenCart,
    Policy,
    PutLine,
    PutLines,
    RefusedLine,
)
from commerce.infra import outbox
from commerce.infra.db import Row, Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.tags import ANY, Seen, mark_of

Announce = Callable[[str], Awaitable[None]]
"""Tells open screens that a topic changed (`Live.publish`)."""


def topic(shopper: UUID) -> str:
    """What the screens of a shopper's cart listen to."""
    return f"cart:{shopper}"


BUMP_CURRENT = """
    INSERT INTO carts.carts AS c (id, shopper_id, state, channel, version, created_at, changed_at)
    SELECT CAST(:new_id AS uuid), CAST(:owner AS uuid), 'open', :channel, 1, :at, :at
    WHERE CAST(:create AS boolean) OR EXISTS (
        SELECT FROM carts.carts o WHERE o.shopper_id = CAST(:owner AS uuid) AND o.state = 'open' AND o.device_id IS NULL
    )
    ON CONFLICT (shopper_id) WHERE state = 'open' AND device_id IS NULL
    DO UPDATE SET version = c.version + 1, changed_at = excluded.changed_at
    RETURNING c.id, c.version, c.shopper_id
"""
BUMP_ONE = """
    UPDATE carts.carts c SET version = c.version + 1, changed_at = :at
    WHERE c.id = CAST(:cart AS uuid) AND c.shopper_id = ANY(CAST(:owners AS uuid[])) AND c.state = 'open'
      AND c.device_id IS NULL
    RETURNING c.id, c.version, c.shopper_id
"""
NAMED = "(CAST(:everything AS boolean) OR l.sku = ANY(CAST(:skus AS text[])))"
TAKE_OUT = f"""
, gone AS (
    DELETE FROM carts.lines l USING cart WHERE l.cart_id = cart.id AND {NAMED} RETURNING l.variant_id
)
SELECT cart.id AS cart_id, cart.version, cart.shopper_id, coalesce(seen.version, 0) AS seen_version,
       {LINE}, gone.variant_id IS NOT NULL AS gone
FROM cart
LEFT JOIN carts.carts seen ON seen.id = cart.id
LEFT JOIN carts.lines l ON l.cart_id = cart.id
LEFT JOIN gone ON gone.variant_id = l.variant_id
ORDER BY l.added_at, l.sku
"""  # noqa: S608
CHANGE_CURRENT = f"WITH cart AS ({BUMP_CURRENT}){TAKE_OUT}"
CHANGE_ONE = f"WITH cart AS ({BUMP_ONE}){TAKE_OUT}"
TAKE_OUT_AGAIN = f"""
WITH gone AS (
    DELETE FROM carts.lines l WHERE l.cart_id = :cart AND {NAMED} RETURNING l.variant_id
)
SELECT {LINE} FROM carts.lines l WHERE l.cart_id = :cart
"""  # noqa: S608
OTHER_OPEN = """
SELECT shopper_id FROM carts.carts
WHERE shopper_id = ANY(CAST(:owners AS uuid[])) AND shopper_id <> :subject AND state = 'open' AND device_id IS NULL
ORDER BY changed_at DESC, id LIMIT 1
"""
LOCK_OPEN = f"""
WITH cart AS MATERIALIZED (
    SELECT id, version, shopper_id FROM carts.carts
    WHERE shopper_id = ANY(CAST(:owners AS uuid[])) AND state = 'open' AND device_id IS NULL
    ORDER BY changed_at DESC, id LIMIT 1 FOR NO KEY UPDATE
)
SELECT cart.id AS cart_id, cart.version, cart.shopper_id, seen.version AS seen_version, {LINE}
FROM cart
LEFT JOIN carts.carts seen ON seen.id = cart.id
LEFT JOIN carts.lines l ON l.cart_id = cart.id
ORDER BY l.added_at, l.sku
"""  # noqa: S608
LINES = f"SELECT {LINE} FROM carts.lines l WHERE l.cart_id = :cart ORDER BY l.added_at, l.sku"  # noqa: S608
CLOSE = """
UPDATE carts.carts SET state = 'ordered', version = version + 1, changed_at = :at WHERE id = :cart AND state = 'open'
RETURNING version, shopper_id
"""
LOCK_BOTH = """
SELECT id, version, shopper_id FROM carts.carts
WHERE shopper_id = ANY(CAST(:shoppers AS uuid[])) AND state = 'open' AND device_id IS NULL
ORDER BY id FOR NO KEY UPDATE
"""
CLOSE_MERGED = """
UPDATE carts.carts SET state = 'merged', merged_into = :target, version = version + 1, changed_at = :at WHERE id = :cart
RETURNING version
"""

EXPORT = """
SELECT c.id, c.state, c.channel, c.created_at, c.changed_at, l.sku, l.quantity, l.unit_price_seen, l.added_at, l.added_channel
FROM carts.carts c LEFT JOIN carts.lines l ON l.cart_id = c.id
WHERE c.shopper_id = ANY(CAST(:ids AS uuid[])) ORDER BY c.created_at, c.id, l.added_at, l.sku
"""
LOCK_ALL = """
SELECT id FROM carts.carts WHERE shopper_id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE
"""
EMPTY_ALL = """
WITH emptied AS (DELETE FROM carts.lines WHERE cart_id = ANY(CAST(:carts AS uuid[])))
UPDATE carts.carts SET state = 'expired', version = version + 1, changed_at = :at
WHERE id = ANY(CAST(:carts AS uuid[])) AND state = 'open' RETURNING id, version, shopper_id
"""


class _Taken(msgspec.Struct, frozen=True):
    """A cart whose row is locked and whose version is already the new one, with all its lines as they were.

    The rows of the named lines are deleted: what shall stay of them is inserted again with the queue, so that a change costs
    one statement whatever the number of lines.
    """

    id: UUID
    version: int
    shopper_id: UUID
    before: list[CartLine]


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

    Raises UnknownSku, NotSellable, OverMaximum, CartFull, UnknownCart, CartClosed; StaleCart when `seen` (If-Match) is
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
    """Take a SKU out of the caller's cart; it need not be there. Raises UnknownSku, UnknownCart, CartClosed, StaleCart."""
    taken = await _take_out(tx, actor, cart=cart, skus=[sku])
    await _refuse_stale(tx, taken, seen, currency)
    if taken is None:
        return empty_view(currency)
    kept = [line for line in taken.before if line.sku != sku]
    variants, goods = await _goods(tx, kept, [sku])
    _refuse_unknown(variants, [sku])
    _changed(tx, actor, taken, [variants[sku].id], announce)
    return view_of(goods, kept, cart=taken.id, version=taken.version, currency=currency)


async def clear(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    currency: str,
    seen: Seen = ANY,
    announce: Announce | None = None,
) -> CartView:
    """Take everything out of the caller's cart. Raises UnknownCart, CartClosed, StaleCart."""
    taken = await _take_out(tx, actor, cart=cart, everything=True)
    await _refuse_stale(tx, taken, seen, currency)
    if taken is None:
        return empty_view(currency)
    _changed(tx, actor, taken, [line.variant_id for line in taken.before], announce)
    return view_of(NO_GOODS, [], cart=taken.id, version=taken.version, currency=currency)


async def lock_open(tx: Tx, actor: Actor) -> OpenCart | None:
    """Lock the caller's open cart until the transaction ends and read its lines; None when he has none. One statement.

    One more when another transaction changed the cart while this one waited, and for a known shopper without a cart.
    """
    rows = await tx.rows(LOCK_OPEN, owners=[actor.person])
    if not rows and actor.known:
        family = await customers.ids_of(tx, actor.person)
        if len(family) > 1:
            rows = await tx.rows(LOCK_OPEN, owners=family)
    if not rows:
        return None
    head = rows[0]
    if head.seen_version != head.version:
        # The lines above are of the moment before the wait.
        lines = [line_of(row, 0) for row in await tx.rows(LINES, cart=head.cart_id)]
    else:
        lines = [line_of(row, 4) for row in rows if row.variant_id is not None]
    return OpenCart(id=head.cart_id, version=head.version, shopper_id=head.shopper_id, lines=lines)


async def close(tx: Tx, actor: Actor, cart_id: UUID, *, announce: Announce | None = None) -> int:
    """Mark an open cart that `lock_open` has locked as ordered; its new version. Publishes CartOrdered. One statement.

    Pass `Live.publish` as `announce`, so that its open screens see it at once.
    """
    row = await tx.one(CLOSE, cart=cart_id, at=tx.at)
    outbox.record(tx, actor, CartOrdered(aggregate_id=cart_id, version=row.version, shopper_id=row.shopper_id))
    _tell(tx, row.shopper_id, announce)
    version: int = row.version
    return version


async def merge(
    tx: Tx, actor: Actor, *, command: MergeCarts, secret_key: str, currency: str, announce: Announce | None = None
) -> MergeView:
    """Bring the lines of an anonymous shopper's open cart into the caller's by an explicit policy and close the other.

    The other shopper is proven by his access token. Nothing happens when he has no open cart, or is the caller himself.
    Raises NotAnonymous.
    """
    stranger = auth.anonymous_shopper(command.token, secret_key=secret_key, at=tx.at)
    if stranger is None:
        raise NotAnonymous
    locked = await tx.rows(LOCK_BOTH, shoppers=[stranger, actor.person])
    source = next((row for row in locked if row.shopper_id == stranger), None)
    if source is None or stranger == actor.person:
        return await _not_merged(tx, actor, currency)
    incoming = [line_of(row, 0) for row in await tx.rows(LINES, cart=source.id)]
    named = {"skus": [line.sku for line in incoming], "everything": False}
    target = await _take_out_of_current(tx, actor, named, create=True)
    assert target is not None  # noqa: S101
    _, goods = await _goods(tx, [*incoming, *target.before])
    after, happened = _merged(goods, target.before, incoming, command.policy)
    taken = {line.sku for line in incoming}
    _queue(tx, target.id, [line for line in after if line.sku in taken])
    _changed(tx, actor, target, [line.variant_id for line in incoming], announce)
    version = await tx.scalar(CLOSE_MERGED, cart=source.id, target=target.id, at=tx.at)
    outbox.record(
        tx, actor, CartMerged(aggregate_id=source.id, version=version, shopper_id=stranger, merged_into=target.id)
    )
    _tell(tx, stranger, announce)
    view = view_of(goods, after, cart=target.id, version=target.version, currency=currency)
    return MergeView(version=view.version, cart=view, lines=happened)


async def export_person(tx: Tx, *, ids: Sequence[UUID]) -> dict[str, Any]:
    """Everything kept here about a person, given all his ids (`customers.ids_of`): his carts with their lines."""
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
                }
            )
    return {"carts": list(carts.values())}


async def erase_person(tx: Tx, actor: Actor, *, ids: Sequence[UUID]) -> None:
    """Close a person's open carts and forget what lay in all his carts; the empty carts stay under the opaque id."""
    carts = [row.id for row in await tx.rows(LOCK_ALL, ids=list(ids))]
    for row in await tx.rows(EMPTY_ALL, carts=carts, at=tx.at):
        outbox.record(tx, actor, CartExpired(aggregate_id=row.id, version=row.version, shopper_id=row.shopper_id))


async def _put(
    tx: Tx, actor: Actor, *, cart: str, puts: Mapping[str, int], seen: Seen, currency: str,
    announce: Announce | None,
) -> CartView:  # fmt: skip
    """Set quantities. Four statements for any number of lines: cart, catalog, prices, stock."""
    taken = await _take_out(tx, actor, cart=cart, skus=list(puts), create=any(puts.values()))
    await _refuse_stale(tx, taken, seen, currency)
    if taken is None:
        return empty_view(currency)
    kept = [line for line in taken.before if line.sku not in puts]
    variants, goods = await _goods(tx, kept, puts)
    _refuse_unknown(variants, puts)
    _check(goods, variants, puts)
    lines = _put_lines(tx, actor, goods, variants, puts, {line.sku: line for line in taken.before})
    if len(kept) + len(lines) > MAX_LINES:
        raise CartFull(maximum=MAX_LINES, lines=len(kept) + len(lines))
    _queue(tx, taken.id, lines)
    _changed(tx, actor, taken, [variants[sku].id for sku in puts], announce)
    after = sorted([*kept, *lines], key=_place)
    return view_of(goods, after, cart=taken.id, version=taken.version, currency=currency)


async def _goods(
    tx: Tx, lines: Sequence[CartLine], skus: Iterable[str] = ()
) -> tuple[dict[str, catalog.Variant], Goods]:
    """The variants of the lines and of the SKUs, and what is known about them: three statements."""
    wanted = {line.sku for line in lines}.union(skus)
    variants = await catalog.by_skus(tx, list(wanted)) if wanted else {}
    return variants, await goods_of(tx, variants.values())


def _refuse_unknown(variants: Mapping[str, catalog.Variant], skus: Iterable[str]) -> None:
    for sku in skus:
        if sku not in variants:
            raise catalog.UnknownSku(sku=sku)


async def _refuse_stale(tx: Tx, taken: _Taken | None, seen: Seen, currency: str) -> None:
    """Raise StaleCart, with the cart as it is, when the caller saw another version."""
    version = taken.version - 1 if taken is not None else 0
    if seen.is_of(version, mark_of(taken.id if taken is not None and version > 0 else None)):
        return
    cart = empty_view(currency)
    if taken is not None and version > 0:
        _, goods = await _goods(tx, taken.before)
        cart = view_of(goods, taken.before, cart=taken.id, version=version, currency=currency)
    raise StaleCart(seen=seen.version, version=version, cart=cart)


async def _take_out(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    skus: Sequence[str] = (),
    everything: bool = False,
    create: bool = False,
) -> _Taken | None:
    """Lock the caller's cart, count its version up, read its lines and delete the named ones: one statement.

    None when `current` is asked for, there is none and none is to be made. One more statement when another transaction
    changed the cart while this one waited. Raises UnknownCart, CartClosed.
    """
    named = {"skus": list(skus), "everything": everything}
    one = id_of(cart)
    if one is None:
        return await _take_out_of_current(tx, actor, named, create=create)
    return await _taken(tx, await _take_out_of_one(tx, actor, one, named), named)


async def _take_out_of_current(tx: Tx, actor: Actor, named: dict[str, Any], *, create: bool) -> _Taken | None:
    """Merged profiles are asked for only when the caller has no open cart of his own."""
    own = partial(tx.rows, CHANGE_CURRENT, new_id=uuid7(), channel=actor.channel, at=tx.at, create=create, **named)
    rows = await own(owner=actor.person)
    created = bool(rows) and rows[0].version == 1
    if actor.known and (created or not rows):
        owner = await _owner_in_family(tx, actor)
        if owner != actor.person:
            if created:
                await tx.execute("DELETE FROM carts.carts WHERE id = :id", id=rows[0].cart_id)
            rows = await own(owner=owner)
    return await _taken(tx, rows, named) if rows else None


async def _taken(tx: Tx, rows: Sequence[Row], named: dict[str, Any]) -> _Taken:
    head = rows[0]
    before = [line_of(row, 4) for row in rows if row.variant_id is not None]
    if head.seen_version != head.version - 1:
        # The lines above are of the moment before the wait, but a line that this statement deleted was still as seen.
        deleted = [line_of(row, 4) for row in rows if row.gone]
        remaining = await tx.rows(TAKE_OUT_AGAIN, cart=head.cart_id, **named)
        before = sorted([*deleted, *(line_of(row, 0) for row in remaining)], key=_place)
    return _Taken(head.cart_id, head.version, head.shopper_id, before)


async def _take_out_of_one(tx: Tx, actor: Actor, cart: UUID, named: dict[str, Any]) -> Sequence[Row]:
    rows = await tx.rows(CHANGE_ONE, cart=cart, owners=[actor.person], at=tx.at, **named)
    if rows:
        return rows
    found = await tx.first(
        "SELECT shopper_id, state FROM carts.carts WHERE id = :cart AND device_id IS NULL", cart=cart
    )
    family = [actor.person]
    if found is not None and found.shopper_id != actor.person and actor.known:
        family = await customers.ids_of(tx, actor.person)
    if found is None or found.shopper_id not in family:
        raise UnknownCart(cart=str(cart))
    rows = await tx.rows(CHANGE_ONE, cart=cart, owners=family, at=tx.at, **named)
    if not rows:
        raise CartClosed(cart=str(cart), state=found.state)
    return rows


async def _owner_in_family(tx: Tx, actor: Actor) -> UUID:
    """Whose cart a known shopper without an open one goes on with: a merged profile's open one, else the winner's."""
    family = await customers.ids_of(tx, actor.person)
    if len(family) < 2:
        return actor.person
    other: UUID | None = await tx.scalar(OTHER_OPEN, owners=family, subject=actor.person)
    return other or family[0]


async def _not_merged(tx: Tx, actor: Actor, currency: str) -> MergeView:
    cart = await lock_open(tx, actor)
    if cart is None:
        return MergeView(version=0, cart=empty_view(currency), lines=[])
    _, goods = await _goods(tx, cart.lines)
    view = view_of(goods, cart.lines, cart=cart.id, version=cart.version, currency=currency)
    untouched = [_happened(line, "untouched", 0, line.quantity, line.quantity) for line in cart.lines]
    return MergeView(version=cart.version, cart=view, lines=untouched)


def _merged(
    goods: Goods, own: Sequence[CartLine], incoming: Sequence[CartLine], policy: Policy
) -> tuple[list[CartLine], list[MergedLine]]:
    """The lines after a merge, and what happened to each line of either cart."""
    after = {line.sku: line for line in own}
    theirs = {line.sku: line for line in incoming}
    happened = {
        line.sku: _happened(line, "untouched", 0, line.quantity, line.quantity)
        for line in own
        if line.sku not in theirs
    }
    for sku, line in theirs.items():
        mine = after.get(sku)
        limit = goods.variants[line.variant_id].maximum_per_order or MAX_QUANTITY
        if mine is None:
            if len(after) >= MAX_LINES:
                happened[sku] = _happened(line, "left_out", line.quantity, 0, 0)
                continue
            quantity = min(line.quantity, limit)
            after[sku] = msgspec.structs.replace(line, quantity=quantity)
            happened[sku] = _happened(line, "added", line.quantity, 0, quantity, limited=quantity < line.quantity)
            continue
        if policy == "sum":
            wish = mine.quantity + line.quantity
            quantity = max(mine.quantity, min(wish, limit))
            newest = max(mine, line, key=lambda one: one.changed_at)
            after[sku] = msgspec.structs.replace(
                mine, quantity=quantity, unit_price_seen=newest.unit_price_seen, changed_at=newest.changed_at
            )
            happened[sku] = _happened(line, "summed", line.quantity, mine.quantity, quantity, limited=quantity < wish)
        elif policy == "keep_newest" and line.changed_at > mine.changed_at:
            quantity = min(line.quantity, limit)
            after[sku] = msgspec.structs.replace(line, quantity=quantity)
            happened[sku] = _happened(
                line, "replaced", line.quantity, mine.quantity, quantity, limited=quantity < line.quantity
            )
        else:
            happened[sku] = _happened(line, "kept", line.quantity, mine.quantity, mine.quantity)
    told = sorted([*own, *(line for line in incoming if line.sku not in {one.sku for one in own})], key=_place)
    return sorted(after.values(), key=_place), [happened[line.sku] for line in told]


def _happened(
    line: CartLine, outcome: Any, anonymous: int, account: int, quantity: int, *, limited: bool = False
) -> MergedLine:
    return MergedLine(
        sku=line.sku,
        outcome=outcome,
        anonymous_quantity=anonymous,
        account_quantity=account,
        quantity=quantity,
        limited=limited,
    )


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
    """The lines that the puts ask for; a line that was there keeps when and where it was added."""
    lines = []
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
            )
        )
    return lines


def _queue(tx: Tx, cart: UUID, lines: Sequence[CartLine]) -> None:
    for line in lines:
        tx.queue(tables.lines, cart_id=cart, **msgspec.structs.asdict(line))


def _changed(tx: Tx, actor: Actor, cart: _Taken, variant_ids: list[UUID], announce: Announce | None) -> None:
    outbox.record(
        tx,
        actor,
        CartChanged(aggregate_id=cart.id, version=cart.version, shopper_id=cart.shopper_id, variant_ids=variant_ids),
    )
    _tell(tx, cart.shopper_id, announce)


def _tell(tx: Tx, shopper: UUID, announce: Announce | None) -> None:
    if announce is not None:
        tx.after_commit(partial(announce, topic(shopper)))


def _place(line: CartLine) -> tuple[Any, str]:
    return line.added_at, line.sku
