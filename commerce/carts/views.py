"""What a cart looks like from outside, and what of it is shown to whom."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from commerce import auth, customers
from commerce.carts.pricing import NOTHING_NEAR, Goods, drawings_of, lines_of, nearby
from commerce.carts.schemas import (
    NO_MORE,
    CartContact,
    CartLine,
    CartLineView,
    CartRecipient,
    CartView,
    CheckoutView,
    GuestView,
    Head,
    NamedBy,
    NamedCustomer,
    Wish,
)
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.money import Money


async def shown(
    tx: Tx, actor: Actor, head: Head, lines: Sequence[CartLine], goods: Goods, *, currency: str
) -> CartView:
    """The priced view of a cart. No statement but for what is near a line that is short, a customer's name and guests' names."""
    near = await nearby(tx, goods, lines, head.more.checkout)
    more = head.more
    if more is NO_MORE and near is NOTHING_NEAR and not goods.announced:
        return _plain(tx, head, lines, goods, currency)
    views = lines_of(goods, lines, near)
    customer: NamedCustomer | None = None
    guests: list[GuestView] = []
    checkout: CheckoutView | None = None
    if more is not NO_MORE:
        customer, guests = await _people(tx, actor, head)
        checkout = _checkout(head, lines)
        if more.discreet:
            views = [_discreet_line(view) for view in views]
    return CartView(
        id=head.id, version=head.version, state=head.state, owner="shopper" if head.shopper_id else "device",
        parked_at=more.parked_at, label=more.label, customer=customer, checkout=checkout, guests=guests, lines=views,
        subtotal=Money(sum(view.total.amount for view in views if view.sellable and view.total is not None), currency),
        item_count=sum(view.quantity if view.quantity_unit is None else 1 for view in views),
        messages=[message for view in views for message in view.messages],
    )  # fmt: skip


def _plain(tx: Tx, head: Head, lines: Sequence[CartLine], goods: Goods, currency: str) -> CartView:
    """The view of a cart that has nothing but its lines: those that are as they were shown last are not drawn again."""
    drawn = drawings_of(tx).draw(head.id, goods, lines)
    views = [one.view for one in drawn]
    return CartView(
        id=head.id, version=head.version, state=head.state, owner="shopper" if head.shopper_id else "device",
        parked_at=None, label=None, customer=None, checkout=None, guests=[], lines=views,
        subtotal=Money(sum([one.counts for one in drawn]), currency),
        item_count=sum([view.quantity if view.quantity_unit is None else 1 for view in views]),
        messages=[message for view in views if view.messages for message in view.messages],
    ).with_lines([one.json for one in drawn])  # fmt: skip


def empty_view(currency: str, *, at_device: bool) -> CartView:
    """What is seen before anything was put into a cart."""
    return CartView(
        id=None, version=0, state="open", owner="device" if at_device else "shopper", parked_at=None, label=None,
        customer=None, checkout=None, guests=[], lines=[], subtotal=Money(0, currency), item_count=0, messages=[],
    )  # fmt: skip


def named_customer(actor: Actor, person: UUID, by: NamedBy, first_name: str | None) -> NamedCustomer:
    """A greeting; with the id for staff who may read customers."""
    knows = actor.kind == "staff" and actor.may("customers.read")
    return NamedCustomer(first_name=first_name, named_by=by, id=person if knows else None)


async def _people(tx: Tx, actor: Actor, head: Head) -> tuple[NamedCustomer | None, list[GuestView]]:
    more = head.more
    customer = None
    if more.customer_id is not None and more.named_by is not None:
        first_names = await customers.first_names(tx, [more.customer_id])
        customer = named_customer(actor, more.customer_id, more.named_by, first_names.get(more.customer_id))
    if not more.guests:
        return customer, []
    names = await auth.staff_names(tx, [guest.principal_id for guest in more.guests])
    return customer, [
        GuestView(
            id=guest.id, name=names.get(guest.principal_id, ""), joined_at=guest.joined_at, until_at=guest.until_at
        )
        for guest in more.guests
    ]


def _checkout(head: Head, lines: Sequence[CartLine]) -> CheckoutView | None:
    kept = head.more.checkout
    if kept is None:
        return None
    wish = kept.fulfillment.wish if kept.fulfillment is not None else None
    if not head.more.discreet:
        return CheckoutView(
            fulfillment=wish, contact=kept.contact, recipient=kept.recipient, note=kept.note, gift=kept.gift
        )
    messages = [gift.message for gift in (kept.gift, *(line.gift for line in lines)) if gift is not None]
    wishes = [kept.fulfillment, *(line.wish for line in lines)]
    there = {
        "contact": kept.contact is not None,
        "recipient": kept.recipient is not None,
        "note": bool(kept.note),
        "address": any(one is not None and (one.address or one.address_id) for one in wishes),
        "gift_message": any(messages),
    }
    return CheckoutView(
        fulfillment=_without_address(wish),
        contact=_masked(kept.contact),
        recipient=CartRecipient(name=first_word(kept.recipient.name) or "…") if kept.recipient is not None else None,
        gift=msgspec.structs.replace(kept.gift, message=None) if kept.gift is not None else None,
        discreet=True,
        hidden=[name for name, is_there in there.items() if is_there],  # type: ignore[misc]
    )


def _discreet_line(view: CartLineView) -> CartLineView:
    gift = msgspec.structs.replace(view.gift, message=None) if view.gift is not None else None
    return msgspec.structs.replace(view, fulfillment=_without_address(view.fulfillment), gift=gift)


def _without_address(wish: Wish | None) -> Wish | None:
    return Wish(method=wish.method, location=wish.location) if wish is not None else None


def _masked(contact: CartContact | None) -> CartContact | None:
    """Enough for the customer to see that it is his, too little for the next one in the queue."""
    if contact is None:
        return None
    return CartContact(
        name=first_word(contact.name), phone=f"…{contact.phone[-2:]}" if contact.phone else None,
        email=f"{contact.email[0]}…@…" if contact.email else None,
    )  # fmt: skip


def first_word(name: str | None) -> str | None:
    """The name to greet somebody by."""
    return name.split()[0] if name and name.split() else None
