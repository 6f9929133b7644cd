"""Several open carts of one owner: a device's baskets, parked and resumed; a shopper's saved aside; and who is named on a basket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from commerce import auth, customers
from commerce.carts.checkout import impersonal, impersonal_line
from commerce.carts.errors import (
    CartChoice,
    CustomerNotFound,
    NamingNotAllowed,
    NotABasket,
    TooManyCarts,
    UnknownCart,
)
from commerce.carts.events import CartExpired, CartNamed, CartOpened, CartParked, CartResumed
from commerce.carts.queries import MORE, head_of, mine
from commerce.carts.schemas import NO_CHECKOUT, CartView, Head, NameCustomer, NamedBy, OpenBasket, ParkCart
from commerce.carts.service import (
    Announce,
    Locked,
    close,
    close_all,
    goods_in,
    lock,
    refuse_other,
    tell,
    whose,
    whose_is,
)
from commerce.carts.views import empty_view, shown
from commerce.infra import outbox
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.tags import Seen

MOST_OPEN = 50
"""Open carts of one owner."""

OWNED = "(c.shopper_id = ANY(CAST(:people AS uuid[])) OR c.device_id = CAST(:device AS uuid)) AND c.state = 'open'"
PARK_CURRENT = f"""
UPDATE carts.carts c SET parked_at = :at, label = coalesce(CAST(:label AS text), label), version = version + 1, changed_at = :at
WHERE {OWNED} AND c.parked_at IS NULL AND c.id IS DISTINCT FROM CAST(:but AS uuid)
RETURNING id, version, shopper_id, device_id, customer_id
"""  # noqa: S608
COUNT = f"SELECT count(*) FROM carts.carts c WHERE {OWNED}"  # noqa: S608
OPEN = """
INSERT INTO carts.carts (id, shopper_id, device_id, state, channel, version, created_at, changed_at)
VALUES (:id, CAST(:person AS uuid), CAST(:device AS uuid), 'open', :channel, 1, :at, :at)
"""
LOCK_TWO = f"""
SELECT c.id FROM carts.carts c WHERE c.id = CAST(:cart AS uuid) OR ({OWNED} AND c.parked_at IS NULL)
ORDER BY c.id FOR NO KEY UPDATE
"""  # noqa: S608
IMPERSONAL_LINE = "wish = CASE WHEN wish ->> 'method' <> 'deliver' THEN wish END, gift = nullif(gift - 'message', '{}')"
FORGET = f"""
WITH impersonal AS (
    UPDATE carts.lines SET {IMPERSONAL_LINE} WHERE cart_id = CAST(:cart AS uuid) AND (wish IS NOT NULL OR gift IS NOT NULL)
)
UPDATE carts.carts SET checkout = CAST(:checkout AS jsonb), discreet = false WHERE id = CAST(:cart AS uuid)
"""  # noqa: S608
CHANGE = f"""
UPDATE carts.carts c SET version = version + 1, changed_at = :at, parked_at = CAST(:parked_at AS timestamptz),
    label = CAST(:label AS text), customer_id = CAST(:customer AS uuid), named_by = CAST(:named_by AS text)
WHERE c.id = :cart RETURNING c.id AS cart_id, c.version, c.state, c.shopper_id, {MORE}
"""  # noqa: S608


async def open_basket(
    tx: Tx, actor: Actor, *, command: OpenBasket, currency: str, announce: Announce | None = None
) -> CartView:
    """A new, empty cart at hand; the one that was is parked. Raises TooManyCarts, NoCartHere."""
    me = mine(actor)
    owner, owned = me.owner, await _owned(tx, actor)
    await _park_current(tx, actor, owned, announce, label=command.label_parked)
    if await tx.scalar(COUNT, **owned) >= MOST_OPEN:
        raise TooManyCarts(most=MOST_OPEN)
    cart = uuid7()
    device = owned["device"]
    await tx.execute(OPEN, id=cart, channel=actor.channel, at=tx.at, person=me.person, device=device)
    opened = CartOpened(aggregate_id=cart, version=1, shopper_id=me.person, device_id=device)
    outbox.record(tx, actor, opened)
    tell(tx, owner, announce)
    empty = empty_view(currency, at_device=me.person is None)
    return msgspec.structs.replace(empty, id=cart, version=1)


async def _owned(tx: Tx, actor: Actor) -> dict[str, Any]:
    """Whose carts are the caller's: of all his merged profiles one is at hand. One statement for a known shopper."""
    me = mine(actor)
    if me.person is None:
        return {"people": [], "device": me.device}
    return {"people": await customers.ids_of(tx, me.person) if actor.known else [me.person], "device": None}


async def _park_current(
    tx: Tx,
    actor: Actor,
    owned: dict[str, Any],
    announce: Announce | None,
    *,
    label: str | None = None,
    but: UUID | None = None,
) -> int:
    rows = await tx.rows(PARK_CURRENT, label=label, but=but, at=tx.at, **owned)
    for row in rows:
        outbox.record(tx, actor, CartParked(aggregate_id=row.id, version=row.version, **whose(row)))
        tell(tx, row.shopper_id or row.device_id, announce)
    return len(rows)


async def park(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    command: ParkCart,
    currency: str,
    seen: Seen,
    announce: Announce | None = None,
) -> CartView:
    """Put an open cart aside, under a label; a parked one gets the label. Raises UnknownCart, CartClosed, NotYourCart, StaleCart."""
    locked = await _locked(tx, actor, cart, seen, currency)
    more = locked.head.more
    row = await _change(tx, locked.head, parked_at=more.parked_at or tx.at, label=command.label or more.label)
    outbox.record(tx, actor, CartParked(aggregate_id=locked.head.id, version=row.version, **whose_is(locked.head)))
    return await _answer(tx, actor, row, locked, currency, announce)


async def resume(
    tx: Tx, actor: Actor, *, cart: str, currency: str, seen: Seen, announce: Announce | None = None
) -> CartView:
    """Go on with a parked cart; the one at hand is parked. Raises UnknownCart, CartClosed, NotYourCart, StaleCart."""
    owned = await _owned(tx, actor)
    await tx.rows(LOCK_TWO, cart=None if cart == "current" else UUID(cart), **owned)
    locked = await _locked(tx, actor, cart, seen, currency)
    parked = await _park_current(tx, actor, owned, announce, but=locked.head.id)
    if locked.head.more.parked_at is None and not parked:
        _, goods = await goods_in(tx, locked.lines)
        return await shown(tx, actor, locked.head, locked.lines, goods, currency=currency)
    row = await _change(tx, locked.head, parked_at=None)
    outbox.record(tx, actor, CartResumed(aggregate_id=locked.head.id, version=row.version, **whose_is(locked.head)))
    return await _answer(tx, actor, row, locked, currency, announce)


async def drop(
    tx: Tx, actor: Actor, *, cart: str, currency: str, seen: Seen, announce: Announce | None = None
) -> CartView:
    """Give an open cart up: it expires, with its checkout; of a device's basket the audit record keeps what was in it.

    Raises UnknownCart, CartClosed, NotYourCart, StaleCart.
    """
    locked = await _locked(tx, actor, cart, seen, currency)
    row = (await close_all(tx, [locked.head.id], state="expired", announce=announce))[0]
    outbox.record(tx, actor, CartExpired(aggregate_id=row.id, version=row.version, **whose(row)))
    if row.device_id is not None:
        after = {"state": "expired", "lines": {line.sku: line.quantity for line in locked.lines}}
        outbox.audit(tx, actor, "cart.dropped", "cart", row.id, before={"state": "open"}, after=after)
    _, goods = await goods_in(tx, locked.lines)
    head = Head(id=row.id, version=row.version, state="expired", shopper_id=row.shopper_id)
    lines = [msgspec.structs.replace(line, wish=None, gift=None) for line in locked.lines]
    view = await shown(tx, actor, head, lines, goods, currency=currency)
    return msgspec.structs.replace(view, owner="device" if row.device_id is not None else "shopper")


async def name_customer(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    command: NameCustomer,
    secret_key: str,
    currency: str,
    seen: Seen,
    announce: Announce | None = None,
) -> CartView:
    """Say whose basket of a device it is: the order counts for him. His own cart is not touched; the answer has his first name alone.

    Raises CartChoice, CustomerNotFound, NamingNotAllowed, NotABasket, UnknownCart, CartClosed, StaleCart.
    """
    return await _named(tx, actor, cart, partial(_found, tx, actor, command, secret_key), currency, seen, announce)


async def unname_customer(
    tx: Tx, actor: Actor, *, cart: str, currency: str, seen: Seen, announce: Announce | None = None
) -> CartView:
    """Take the name off a basket. Raises NotABasket, UnknownCart, CartClosed, StaleCart."""
    return await _named(tx, actor, cart, None, currency, seen, announce)


async def _found(tx: Tx, actor: Actor, command: NameCustomer, secret_key: str) -> tuple[UUID, NamedBy]:
    given = (command.customer, command.loyalty_card, command.token)
    if sum(one is not None for one in given) != 1:
        raise CartChoice(
            field="customer", reason="name the customer, the card or the token, one of them",
            reason_ru="укажите покупателя, карту или токен — что-то одно",
        )  # fmt: skip
    person: UUID | None = None
    by: NamedBy = "staff"
    if command.customer is not None:
        if actor.kind != "staff" or not actor.allowed("customers.read"):
            raise NamingNotAllowed
        person = command.customer if await customers.first_names(tx, [command.customer]) else None
    elif command.loyalty_card is not None:
        by = "card"
        person = await customers.verified_holder(tx, kind="loyalty_card", value=customers.card(command.loyalty_card))
    elif command.token is not None:
        by = "token"
        person = await auth.shopper_of_token(tx, token=command.token, secret_key=secret_key)
    if person is None:
        raise CustomerNotFound(by={"staff": "customer", "card": "loyalty_card", "token": "token"}[by])
    return (await customers.ids_of(tx, person))[0], by


async def _named(
    tx: Tx, actor: Actor, cart: str, find: Callable[[], Awaitable[tuple[UUID, NamedBy]]] | None, currency: str, seen: Seen,
    announce: Announce | None,
) -> CartView:  # fmt: skip
    """The basket is looked at first: who has none learns nothing of cards and customers."""
    locked = await _locked(tx, actor, cart, seen, currency)
    head = locked.head
    if head.more.device_id is None:
        raise NotABasket
    customer, by = await find() if find is not None else (None, None)
    if head.more.discreet and await _is_another(tx, actor, head.more.customer_id, customer):
        locked = await _forget(tx, locked)
    row = await _change(tx, head, customer=customer, named_by=by)
    named = CartNamed(aggregate_id=head.id, version=row.version, device_id=head.more.device_id, customer_id=customer)
    outbox.record(tx, actor, named)
    outbox.audit(
        tx, actor, "cart.named", "cart", head.id,
        before={"customer": head.more.customer_id}, after={"customer": customer, "by": by},
    )  # fmt: skip
    return await _answer(tx, actor, row, locked, currency, announce)


async def _is_another(tx: Tx, actor: Actor, before: UUID | None, after: UUID | None) -> bool:
    """Whether a basket, with what came to it from the phone of one, is to be another's. Staff may say who somebody without an account is,
    a kiosk may not."""
    if before is None or after is None:
        return True
    if actor.kind == "staff" and before not in await customers.profiled(tx, [before]):
        return False
    return after not in await customers.ids_of(tx, before)


async def _forget(tx: Tx, locked: Locked) -> Locked:
    """The basket without what came from a phone: whoever is named next does not hear how the one before wanted to be reached."""
    head = locked.head
    kept = impersonal(head.more.checkout or NO_CHECKOUT)
    checkout = msgspec.json.encode(kept).decode() if kept != NO_CHECKOUT else None
    await tx.execute(FORGET, cart=head.id, checkout=checkout)
    return Locked(head, [impersonal_line(line) for line in locked.lines])


async def _locked(tx: Tx, actor: Actor, cart: str, seen: Seen, currency: str) -> Locked:
    locked = await lock(tx, actor, cart=cart)
    await refuse_other(tx, actor, locked, seen, currency)
    if locked is None:
        raise UnknownCart(cart=cart)
    return locked


async def _change(tx: Tx, head: Head, **values: Any) -> Row:
    kept = {
        "parked_at": head.more.parked_at,
        "label": head.more.label,
        "customer": head.more.customer_id,
        "named_by": head.more.named_by,
    }
    return await tx.one(CHANGE, cart=head.id, at=tx.at, **(kept | values))


async def _answer(tx: Tx, actor: Actor, row: Row, locked: Locked, currency: str, announce: Announce | None) -> CartView:
    tell(tx, locked.head.owner, announce)
    _, goods = await goods_in(tx, locked.lines)
    return await shown(tx, actor, head_of(row), locked.lines, goods, currency=currency)


LOCK_SOLD = """
SELECT id, customer_id FROM carts.carts WHERE id = :cart AND device_id = CAST(:device AS uuid) AND state = 'open' FOR NO KEY UPDATE
"""


class SoldBasket(Struct, frozen=True, kw_only=True):
    """A basket that has become a till sale, and whose it was."""

    id: UUID
    customer_id: UUID | None


async def close_sold(tx: Tx, actor: Actor, *, cart: UUID, announce: Announce | None = None) -> SoldBasket | None:
    """Mark a basket of the caller's device as ordered: its goods have been sold at the till. None when it is no open basket there:
    a sale that has happened is never refused for it. Two statements."""
    row = await tx.first(LOCK_SOLD, cart=cart, device=actor.device) if actor.device is not None else None
    if row is None:
        return None
    await close(tx, actor, row.id, announce=announce)
    return SoldBasket(id=row.id, customer_id=row.customer_id)
