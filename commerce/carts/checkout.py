"""The checkout so far, kept with the cart, so that nothing is typed twice on another device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from commerce import customers, locations
from commerce.carts.errors import BadWish, UnknownLine
from commerce.carts.events import CartCheckoutChanged
from commerce.carts.queries import mine
from commerce.carts.schemas import (
    NO_CHECKOUT,
    CartContact,
    CartLine,
    CartRecipient,
    CartView,
    Checkout,
    Chosen,
    Gift,
    Head,
    PutCheckout,
    PutWish,
    Wish,
)
from commerce.carts.service import (
    Announce,
    goods_in,
    note_staff,
    place,
    queue_lines,
    refuse_stale,
    take_out,
    tell,
    whose_is,
)
from commerce.carts.views import shown
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.tags import ANY, Seen

KEEP = """
UPDATE carts.carts SET checkout = CAST(:checkout AS jsonb), discreet = CAST(:discreet AS boolean) WHERE id = CAST(:cart AS uuid)
"""


def keep(tx: Tx, head: Head, checkout: Checkout, *, discreet: bool) -> Head:
    """Write the checkout of a cart that this transaction has changed, just before the commit; the cart with it."""
    kept = checkout if checkout != NO_CHECKOUT else None
    tx.defer(
        KEEP, cart=head.id, discreet=discreet,
        checkout=msgspec.json.encode(kept).decode() if kept is not None else None,
    )  # fmt: skip
    return msgspec.structs.replace(head, more=msgspec.structs.replace(head.more, checkout=kept, discreet=discreet))


async def put_checkout(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    command: PutCheckout,
    currency: str,
    seen: Seen = ANY,
    announce: Announce | None = None,
) -> CartView:
    """Set what is said of the checkout; what is left out stays. Makes the cart when there is none.

    Raises BadWish, locations.UnknownLocation, customers.BadEmail, customers.BadPhone, UnknownCart, CartClosed, NoCartHere, StaleCart.
    """
    given = {name: value for name in PutCheckout.__struct_fields__ if (value := getattr(command, name)) is not UNSET}
    if given.get("fulfillment") is not None:
        given["fulfillment"] = await chosen(tx, actor, given["fulfillment"])
    if given.get("contact") is not None:
        given["contact"] = _reachable(given["contact"])
    if given.get("recipient") is not None:
        given["recipient"] = _reached(given["recipient"])
    taken = await take_out(tx, actor, cart=cart, create=True)
    await refuse_stale(tx, actor, taken, seen, currency)
    assert taken is not None  # noqa: S101
    before = taken.head.more.checkout or NO_CHECKOUT
    after = msgspec.structs.replace(before, **given)
    hidden = msgspec.structs.replace(after, **dict.fromkeys(given))
    discreet = taken.head.more.discreet and (says_something(hidden) or any(_tells(line) for line in taken.before))
    head = keep(tx, taken.head, after, discreet=discreet)
    _tell_changed(tx, actor, head, [], announce)
    _, goods = await goods_in(tx, taken.before)
    return await shown(tx, actor, head, taken.before, goods, currency=currency)


async def put_wish(
    tx: Tx,
    actor: Actor,
    *,
    cart: str,
    sku: str,
    command: PutWish,
    currency: str,
    seen: Seen = ANY,
    announce: Announce | None = None,
) -> CartView:
    """Say how one line is wanted. Raises UnknownLine, and what `put_checkout` raises."""
    given: dict[str, Any] = {}
    if command.fulfillment is not UNSET:
        given["wish"] = await chosen(tx, actor, command.fulfillment) if command.fulfillment is not None else None
    if command.gift is not UNSET:
        given["gift"] = command.gift
    taken = await take_out(tx, actor, cart=cart, skus=[sku])
    await refuse_stale(tx, actor, taken, seen, currency)
    line = next((line for line in taken.before if line.sku == sku), None) if taken is not None else None
    if taken is None or line is None:
        raise UnknownLine(sku=sku)
    wanted = msgspec.structs.replace(line, **given)
    queue_lines(tx, taken.head.id, [wanted])
    _tell_changed(tx, actor, taken.head, [line.variant_id], announce)
    lines = sorted([*(one for one in taken.before if one.sku != sku), wanted], key=place)
    _, goods = await goods_in(tx, lines)
    return await shown(tx, actor, taken.head, lines, goods, currency=currency)


async def chosen(tx: Tx, actor: Actor, wish: Wish) -> Chosen:
    """A wish checked. One statement for a store, two for a saved address. Raises BadWish, locations.UnknownLocation."""
    addresses = sum(one is not None for one in (wish.address_id, wish.address))
    if (wish.location is not None) != (wish.method == "collect"):
        raise BadWish(
            field="location", reason="a store belongs to `collect`, and to it alone",
            reason_ru="магазин указывают только для самовывоза, и для него обязательно",
        )  # fmt: skip
    if addresses != (1 if wish.method == "deliver" else 0):
        raise BadWish(
            field="address", reason="one address belongs to `deliver`, saved or written out, and to it alone",
            reason_ru="адрес — сохранённый или введённый — указывают только для доставки, и ровно один",
        )  # fmt: skip
    if wish.address_id is not None:
        person = mine(actor).person
        family = await customers.ids_of_caller(tx, actor) if person is not None else []
        if wish.address_id not in {one.id for one in await customers.addresses_of(tx, family)}:
            raise BadWish(
                field="address_id", reason="this is no saved address of the customer's",
                reason_ru="у покупателя нет такого сохранённого адреса",
            )  # fmt: skip
    store = None
    if wish.location is not None:
        store = await locations.one(tx, wish.location)
        if "pickup" not in store.roles:
            raise BadWish(field="location", reason="this place hands out no orders", reason_ru="здесь не выдают заказы")
    return Chosen(
        method=wish.method, location=wish.location, location_id=store.id if store is not None else None,
        address_id=wish.address_id, address=wish.address,
    )  # fmt: skip


def _reachable(contact: CartContact) -> CartContact:
    return CartContact(
        name=contact.name,
        email=customers.email(contact.email, field="contact.email") if contact.email else None,
        phone=customers.phone(contact.phone, field="contact.phone") if contact.phone else None,
    )


def _reached(recipient: CartRecipient) -> CartRecipient:
    return CartRecipient(
        name=recipient.name,
        phone=customers.phone(recipient.phone, field="recipient.phone") if recipient.phone else None,
    )


def says_something(checkout: Checkout) -> bool:
    """Whether it says anything of a person: whom to reach, where he lives, what he writes."""
    wish, gift = checkout.fulfillment, checkout.gift
    return bool(
        checkout.contact or checkout.recipient or checkout.note or (gift and gift.message)
        or (wish and (wish.address or wish.address_id))
    )  # fmt: skip


def _tells(line: CartLine) -> bool:
    return says_something(Checkout(fulfillment=line.wish, gift=line.gift))


def tells(checkout: Checkout, lines: Sequence[CartLine]) -> bool:
    """The same of a whole cart."""
    return says_something(checkout) or any(_tells(line) for line in lines)


def impersonal(checkout: Checkout) -> Checkout:
    """The same without what it says of a person."""
    gift = msgspec.structs.replace(checkout.gift, message=None) if checkout.gift is not None else None
    return Checkout(fulfillment=_elsewhere(checkout.fulfillment), gift=gift if gift != Gift() else None)


def impersonal_line(line: CartLine) -> CartLine:
    """The same of a line."""
    kept = impersonal(Checkout(fulfillment=line.wish, gift=line.gift))
    return msgspec.structs.replace(line, wish=kept.fulfillment, gift=kept.gift)


def _elsewhere(wish: Chosen | None) -> Chosen | None:
    """Nothing of a delivery whose address is gone."""
    return wish if wish is None or wish.method != "deliver" else None


def joined(own: Checkout, incoming: Checkout) -> Checkout:
    """What both say; where the own says nothing, what comes in says."""
    return Checkout(
        fulfillment=own.fulfillment or incoming.fulfillment, contact=own.contact or incoming.contact,
        recipient=own.recipient or incoming.recipient, note=own.note or incoming.note, gift=own.gift or incoming.gift,
    )  # fmt: skip


def _tell_changed(tx: Tx, actor: Actor, head: Head, variants: list[UUID], announce: Announce | None) -> None:
    outbox.record(
        tx, actor,
        CartCheckoutChanged(aggregate_id=head.id, version=head.version, variant_ids=variants, **whose_is(head)),
    )  # fmt: skip
    note_staff(tx, actor, CartCheckoutChanged.type, head, variants)
    tell(tx, head.owner, announce)
