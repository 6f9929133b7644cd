"""Two carts become one, or lie beside each other: after signing in, by an explicit policy or the shop's; never silently at checkout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec

from commerce import auth, customers
from commerce.carts.baskets import COUNT, MOST_OPEN
from commerce.carts.checkout import impersonal, impersonal_line, joined, keep, tells
from commerce.carts.errors import CartChoice, CartClosed, NotAnonymous, TooManyCarts, UnknownCart
from commerce.carts.events import CartMerged, CartParked
from commerce.carts.pricing import Goods
from commerce.carts.queries import LINE, MORE, head_of, line_of, mine
from commerce.carts.schemas import (
    MAX_LINES,
    MAX_QUANTITY,
    NO_CHECKOUT,
    CartLine,
    CartView,
    Head,
    MergeCarts,
    MergedLine,
    MergeView,
    NamedBy,
    Policy,
)
from commerce.carts.service import (
    Announce,
    Locked,
    changed,
    close_all,
    goods_in,
    lock,
    place,
    queue_lines,
    take_out_of_current,
    tell,
    whose,
)
from commerce.carts.views import empty_view, shown
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor

LOCK_SOURCE = f"""
SELECT c.id AS cart_id, c.version, c.state, c.shopper_id, {MORE} FROM carts.carts c
WHERE c.id = CAST(:source AS uuid)
   OR (c.shopper_id = ANY(CAST(:people AS uuid[])) OR c.device_id = CAST(:device AS uuid)) AND c.state = 'open' AND c.parked_at IS NULL
ORDER BY c.id FOR NO KEY UPDATE
"""  # noqa: S608
CURRENT_OF = "SELECT id FROM carts.carts WHERE shopper_id = :shopper AND state = 'open' AND parked_at IS NULL"
LINES = f"SELECT {LINE} FROM carts.lines l WHERE l.cart_id = :cart ORDER BY l.added_at, l.sku"  # noqa: S608
SET_ASIDE = """
UPDATE carts.carts SET shopper_id = :person, parked_at = coalesce(parked_at, :at), version = version + 1, changed_at = :at
WHERE id = :cart RETURNING id, version, shopper_id, device_id, customer_id
"""
TAKE_OVER = """
WITH aside AS MATERIALIZED (
    SELECT id FROM carts.carts WHERE shopper_id = CAST(:stranger AS uuid) AND state = 'open' AND parked_at IS NOT NULL
    ORDER BY id FOR NO KEY UPDATE
), fits AS (
    SELECT id FROM aside ORDER BY id DESC LIMIT greatest(0, CAST(:most AS int) - (
        SELECT count(*) FROM carts.carts WHERE shopper_id = CAST(:person AS uuid) AND state = 'open'))
)
UPDATE carts.carts c SET shopper_id = CAST(:person AS uuid), version = version + 1, changed_at = :at
FROM fits WHERE c.id = fits.id RETURNING c.id, c.version, c.shopper_id, c.device_id, c.customer_id
"""
"""The newest first, as far as the other has room for them."""
NAME = (
    "UPDATE carts.carts SET customer_id = CAST(:customer AS uuid), named_by = CAST(:named_by AS text) WHERE id = :cart"
)

Merging = Literal["sum", "keep_newest", "keep_account"]


class Brought(msgspec.Struct, frozen=True):
    """The target after lines have come in, and what happened to each."""

    view: CartView
    lines: list[MergedLine]


async def merge(
    tx: Tx,
    actor: Actor,
    *,
    command: MergeCarts,
    secret_key: str,
    currency: str,
    default_policy: Policy = "sum",
    announce: Announce | None = None,
) -> MergeView:
    """Bring the lines of another open cart into the caller's by a policy and close the other, or save the other aside: unless the caller's
    own has no line, as then there is nothing to keep apart.

    An anonymous shopper's cart is proven by his access token; by id only carts of the caller's own are merged: saved aside, or of a
    merged profile. Nothing happens when the anonymous one has no open cart, or it is the one at hand. What the checkout of the
    target leaves open, the other's says. Carts that the anonymous one had put aside come along, as they are.

    Raises NotAnonymous, CartChoice, UnknownCart, CartClosed, TooManyCarts.
    """
    if (command.token is None) == (command.cart is None):
        raise CartChoice(
            field="cart",
            reason="name the token or the cart, one of them",
            reason_ru="укажите токен или корзину — что-то одно",
        )
    family = await customers.ids_of(tx, actor.person) if command.cart is not None and actor.known else [actor.person]
    source_id, source_people = command.cart, family
    if command.token is not None:
        stranger = await auth.anonymous_of_token(
            tx, actor, token=command.token, secret_key=secret_key, own=[actor.person]
        )
        if stranger is None:
            raise NotAnonymous
        source_people = [stranger]
        if stranger != actor.person:
            await _take_over(tx, actor, stranger, announce)
        source_id = await tx.scalar(CURRENT_OF, shopper=stranger) if stranger != actor.person else None
    source = await lock_source(tx, source_id, people=[actor.person], device=None) if source_id is not None else None
    if source is not None and source.shopper_id not in source_people:
        if command.cart is not None:
            raise UnknownCart(cart=str(command.cart))
        source = None
    if source is None and command.cart is not None:
        raise UnknownCart(cart=str(command.cart))
    if source is not None and source.state != "open":
        if command.cart is not None:
            raise CartClosed(cart=str(source.id), state=source.state)
        source = None
    own = await lock(tx, actor, cart="current")
    if source is None or (own is not None and own.head.id == source.id):
        return await _not_merged(tx, actor, own, currency)
    incoming = await lines_in(tx, source.id)
    policy = command.policy or default_policy
    if policy == "separate":
        if own is not None and own.lines:
            return await _set_aside(tx, actor, own, source, incoming, currency, announce)
        policy = "sum"  # what another device puts meanwhile is joined, not lost
    brought = await bring(tx, actor, source, incoming, policy=policy, currency=currency, announce=announce)
    return MergeView(version=brought.view.version, cart=brought.view, lines=brought.lines)


async def _take_over(tx: Tx, actor: Actor, stranger: UUID, announce: Announce | None) -> None:
    """What the anonymous shopper had put aside lies aside with the account, as it is. One statement."""
    for row in await tx.rows(TAKE_OVER, stranger=stranger, person=actor.person, most=MOST_OPEN - 1, at=tx.at):
        outbox.record(tx, actor, CartParked(aggregate_id=row.id, version=row.version, **whose(row)))
        for owner in (stranger, row.shopper_id):
            tell(tx, owner, announce)


async def lock_source(tx: Tx, source: UUID, *, people: Sequence[UUID], device: UUID | None) -> Head | None:
    """Lock a cart and the current one of an owner, in the order of their ids; the former, whatever its state. One statement."""
    rows = await tx.rows(LOCK_SOURCE, source=source, people=list(people), device=device, at=tx.at)
    return next((head_of(row) for row in rows if row.cart_id == source), None)


async def lines_in(tx: Tx, cart: UUID) -> list[CartLine]:
    """The lines of a cart whose row is locked. One statement."""
    return [line_of(row) for row in await tx.rows(LINES, cart=cart)]


async def bring(
    tx: Tx,
    actor: Actor,
    source: Head,
    incoming: Sequence[CartLine],
    *,
    policy: Merging,
    currency: str,
    announce: Announce | None,
    by_hand_off: bool = False,
) -> Brought:
    """Bring the lines and the checkout of a locked open cart into the caller's current one, and close it.

    On a device, what comes from a shopper's own cart is used and not shown (`discreet`), and the basket is his. What is said of one
    person does not come to another by way of a device.
    """
    named = {"skus": [line.sku for line in incoming], "everything": False}
    target = await take_out_of_current(tx, actor, named, create=True)
    assert target is not None  # noqa: S101
    own, theirs = target.head.more.checkout or NO_CHECKOUT, source.more.checkout or NO_CHECKOUT
    if tells(theirs, incoming) and await _is_of_another(tx, target.head, source):
        theirs, incoming = impersonal(theirs), [impersonal_line(line) for line in incoming]
    _, goods = await goods_in(tx, [*incoming, *target.before])
    after, happened = _merged(goods, target.before, incoming, policy)
    taken = {line.sku for line in incoming}
    queue_lines(tx, target.head.id, [line for line in after if line.sku in taken])
    head = await _with_person(tx, target.head, source, by_hand_off=by_hand_off)
    from_phone = head.shopper_id is None and (source.shopper_id is not None or source.more.discreet)
    discreet = head.shopper_id is None and (head.more.discreet or (from_phone and tells(theirs, incoming)))
    if joined(own, theirs) != own or discreet != head.more.discreet:
        head = keep(tx, head, joined(own, theirs), discreet=discreet)
    changed(tx, actor, head, [line.variant_id for line in incoming], announce)
    row = (await close_all(tx, [source.id], state="merged", target=head.id, announce=announce))[0]
    outbox.record(
        tx, actor,
        CartMerged(
            aggregate_id=source.id, version=row.version, merged_into=head.id, by_hand_off=by_hand_off, **whose(row)
        ),
    )  # fmt: skip
    return Brought(await shown(tx, actor, head, after, goods, currency=currency), happened)


async def _is_of_another(tx: Tx, target: Head, source: Head) -> bool:
    """Whether what the source says of a person is nobody's business in the target: what is said of somebody with an account goes to no
    other shopper, the screen of a device that it came to from a phone hands it back to that person alone, and a basket that somebody is
    named on takes in nothing of another. Two statements at most."""
    said_by = source.shopper_id or source.more.customer_id
    to = target.shopper_id or target.more.customer_id
    if to is None or to == said_by:
        return False
    if said_by is None:
        return source.more.discreet
    if target.shopper_id is not None and not source.more.discreet:
        own = source.shopper_id is not None and said_by in await customers.profiled(tx, [said_by])
        return own and to not in await customers.ids_of(tx, said_by)
    return to not in await customers.ids_of(tx, said_by)


async def _with_person(tx: Tx, head: Head, source: Head, *, by_hand_off: bool) -> Head:
    """A device's basket that nobody is named on is his from whose cart the lines came."""
    more = head.more
    if more.device_id is None or more.customer_id is not None:
        return head
    customer, named_by = source.more.customer_id, source.more.named_by
    if source.shopper_id is not None and by_hand_off:
        customer, named_by = source.shopper_id, _BY_HAND_OFF
    if customer is None:
        return head
    await tx.execute(NAME, cart=head.id, customer=customer, named_by=named_by)
    return msgspec.structs.replace(head, more=msgspec.structs.replace(more, customer_id=customer, named_by=named_by))


_BY_HAND_OFF: NamedBy = "hand_off"


async def _set_aside(
    tx: Tx,
    actor: Actor,
    own: Locked,
    source: Head,
    incoming: Sequence[CartLine],
    currency: str,
    announce: Announce | None,
) -> MergeView:
    """The other cart becomes the caller's, and lies beside his current one."""
    if await tx.scalar(COUNT, people=[actor.person], device=None) >= MOST_OPEN:
        raise TooManyCarts(most=MOST_OPEN)
    row = await tx.one(SET_ASIDE, cart=source.id, person=actor.person, at=tx.at)
    outbox.record(tx, actor, CartParked(aggregate_id=row.id, version=row.version, **whose(row)))
    for owner in {source.owner, actor.person}:
        tell(tx, owner, announce)
    aside = [_happened(line, "saved_aside", line.quantity, 0, 0) for line in incoming]
    kept = await _not_merged(tx, actor, own, currency)
    return msgspec.structs.replace(kept, lines=[*kept.lines, *aside], saved_aside=row.id)


async def _not_merged(tx: Tx, actor: Actor, locked: Locked | None, currency: str) -> MergeView:
    if locked is None:
        empty = empty_view(currency, at_device=mine(actor).person is None)
        return MergeView(version=0, cart=empty, lines=[])
    _, goods = await goods_in(tx, locked.lines)
    view = await shown(tx, actor, locked.head, locked.lines, goods, currency=currency)
    untouched = [_happened(line, "untouched", 0, line.quantity, line.quantity) for line in locked.lines]
    return MergeView(version=view.version, cart=view, lines=untouched)


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
                mine, quantity=quantity, unit_price_seen=newest.unit_price_seen, changed_at=newest.changed_at,
                wish=mine.wish or line.wish, gift=mine.gift or line.gift,
            )  # fmt: skip
            happened[sku] = _happened(line, "summed", line.quantity, mine.quantity, quantity, limited=quantity < wish)
        elif policy == "keep_newest" and line.changed_at > mine.changed_at:
            quantity = min(line.quantity, limit)
            after[sku] = msgspec.structs.replace(
                line, quantity=quantity, wish=line.wish or mine.wish, gift=line.gift or mine.gift
            )
            happened[sku] = _happened(
                line, "replaced", line.quantity, mine.quantity, quantity, limited=quantity < line.quantity
            )
        else:
            after[sku] = msgspec.structs.replace(mine, wish=mine.wish or line.wish, gift=mine.gift or line.gift)
            happened[sku] = _happened(line, "kept", line.quantity, mine.quantity, mine.quantity)
    told = sorted([*own, *(line for line in incoming if line.sku not in {one.sku for one in own})], key=place)
    return sorted(after.values(), key=place), [happened[line.sku] for line in told]


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
