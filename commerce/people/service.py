"""Verbs of `people`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec import convert, structs

from commerce import auth, conversations, customers, orders, returns
from commerce.infra import outbox
from commerce.infra.db import Tx, forget_answers, forget_answers_naming
from commerce.kernel.actor import Actor
from commerce.kernel.paging import Page
from commerce.people.errors import (
    FreshSignInRequired,
    NothingNamed,
    NotOfCustomer,
    OpenOrders,
    RetentionFixed,
    SameCustomer,
    StaleRetention,
    UnknownRetention,
)
from commerce.people.rooms import erasers
from commerce.people.schemas import ErasedView, MovedView, MoveRecords, RetentionView, SetRetention

FRESH = timedelta(minutes=10)
"""How old a proof of who one is may be, for what cannot be undone."""


async def find(
    tx: Tx,
    actor: Actor,
    *,
    phone: str | None,
    email: str | None,
    loyalty_card: str | None,
    device: str | None,
    system: str | None,
    external_id: str | None,
    name: str | None,
    order: str | None,
    limit: int,
) -> Page[customers.CustomerView]:
    """Customers by exactly one criterion; who looked, by what, and whom he found, or that he found nobody, is recorded, but not what he
    typed. There is no next page: who finds too many gives more of the name.

    Raises customers.OneCriterion, BadEmail, BadPhone and BadIdentifier, orders.UnknownOrder.
    """
    if (system is None) != (external_id is None):
        raise customers.OneCriterion
    if order is not None:
        if any(given is not None for given in (phone, email, loyalty_card, device, external_id, name)):
            raise customers.OneCriterion
        return Page(items=await _who_ordered(tx, actor, order))
    external = None if system is None or external_id is None else (system, external_id)
    return Page(
        items=await customers.find(
            tx,
            actor,
            email=email,
            phone=phone,
            loyalty_card=loyalty_card,
            device=device,
            external=external,
            name_prefix=name,
            limit=limit,
        )
    )


async def _who_ordered(tx: Tx, actor: Actor, number: str) -> list[customers.CustomerView]:
    owner = (await orders.head(tx, number=number)).customer_id
    if owner is None or not await customers.is_known(tx, owner):
        outbox.audit(tx, actor, "customer.not_found", "search", "order")
        return []
    view = await customers.customer_view(tx, customer=owner)
    outbox.audit(tx, actor, "customer.found", "customer", view.id, after={"by": "order"})
    return [view]


async def keep_touches(tx: Tx, *, order_id: UUID) -> None:
    """Keep with an order what had brought its customer here when he placed it, first and last. Twice is once."""
    order = (await orders.heads(tx, [order_id]))[order_id]
    if order.customer_id is None:
        return
    ids = await customers.ids_of(tx, order.customer_id)
    led = await customers.touches_of(tx, ids, until=order.placed_at)
    await tx.execute(
        KEEP_TOUCHES, order=order.id, customer=order.customer_id, first=led.first, last=led.last, at=order.placed_at
    )


async def note_guest(tx: Tx, actor: Actor, *, order_id: UUID) -> None:
    """Know again the anonymous shopper who has ordered, by the contact that he gave. Raises customers.BadEmail, customers.BadPhone."""
    order = (await orders.heads(tx, [order_id]))[order_id]
    if order.customer_id is None or order.contact is None:
        return
    contact = order.contact
    await customers.note_guest(
        tx,
        actor,
        person=order.customer_id,
        name=contact.name,
        email=contact.email,
        phone=contact.phone,
        language=order.language,
    )


KEEP_TOUCHES = """
INSERT INTO people.order_touches (order_id, customer_id, first_touch, last_touch, at) VALUES (:order, :customer, :first, :last, :at)
ON CONFLICT (order_id) DO NOTHING
"""


async def erase_mine(tx: Tx, actor: Actor) -> ErasedView:
    """Erase the caller, who has just proved who he is. Raises FreshSignInRequired, customers.UnknownCustomer, OpenOrders."""
    began = None if actor.on_behalf_of else await auth.proved_at(tx, actor)
    if began is None or began < tx.at - FRESH:
        raise FreshSignInRequired(minutes=FRESH.seconds // 60)
    return await erase(tx, actor, customer=actor.person)


async def erase(tx: Tx, actor: Actor, *, customer: UUID, reason: str | None = None) -> ErasedView:
    """Forget in every room what tells who a person was, under any of his profiles; the books stay, under opaque ids.

    One transaction, in the order of the locks; his sessions end within 5 s. Twice is once. Raises customers.UnknownCustomer;
    OpenOrders while goods or money are still between him and the shop.
    """
    family = await customers.lock_family(tx, person=customer, erased=True)
    if family.erased_at is not None:
        return ErasedView(customer=family.id, erased_at=family.erased_at)
    because = structs.replace(actor, reason=reason or actor.reason)
    await erase_everywhere(tx, because, ids=family.ids)
    open_orders = await orders.unsettled(tx, family.ids)
    open_returns = await returns.unsettled(tx, family.ids)
    if open_orders or open_returns:
        raise OpenOrders(orders=open_orders, returns=open_returns)
    return ErasedView(customer=family.id, erased_at=tx.at)


async def erase_quiet(tx: Tx, actor: Actor, *, customer: UUID, before: datetime) -> bool:
    """Erase a guest by the rule of retention; not one who has used a session since a moment, or whose inquiry waits for an answer.

    Whether he was erased. Raises as `erase`.
    """
    family = await customers.lock_family(tx, person=customer, erased=True)
    if await auth.seen_since(tx, family.ids, since=before) or await conversations.waiting_of(tx, family.ids):
        return False
    await erase(tx, actor, customer=family.id, reason="retention")
    return True


async def erase_everywhere(tx: Tx, actor: Actor, *, ids: Sequence[UUID]) -> None:
    """Let every room forget a person, given all his ids, and the machinery what it answered to him."""
    for _, verb in erasers():
        await verb(tx, actor, ids=ids)
    await forget_answers(tx, ids)


async def forget_answers_about(tx: Tx, *, customer: UUID) -> int:
    """Forget what was answered to others about a customer who is erased: what names him, or one of his orders or returns; how many."""
    numbers = [*await orders.numbers_of(tx, [customer]), *await returns.numbers_of(tx, [customer])]
    return await forget_answers_naming(tx, [str(customer), *numbers])


ERASE = """
UPDATE people.order_touches SET first_touch = NULL, last_touch = NULL
WHERE customer_id = ANY(CAST(:ids AS uuid[])) AND (first_touch IS NOT NULL OR last_touch IS NOT NULL)
"""


async def erase_person(tx: Tx, actor: Actor, *, ids: Sequence[UUID]) -> None:  # noqa: ARG001
    """Forget what led to a person's orders, given all his ids. One statement."""
    await tx.execute(ERASE, ids=list(ids))


async def note_export(tx: Tx, actor: Actor, *, customer: UUID) -> None:
    """Record that somebody takes out everything about a customer. Raises customers.UnknownCustomer."""
    view = await customers.customer_view(tx, customer=customer)
    outbox.audit(tx, actor, "customer.exported", "customer", view.id)


async def move_records(tx: Tx, actor: Actor, *, customer: UUID, command: MoveRecords) -> MovedView:
    """Give records of one customer, named one by one, to another: what came after a merge that was undone. All of them or none.

    An order's returns go with it; every record's own history says that it was moved. Raises customers.UnknownCustomer, SameCustomer,
    NothingNamed, NotOfCustomer, orders.UnknownOrder, returns.UnknownReturn, conversations.AnotherWaits, customers.LastContact and
    GuestCannotWin.
    """
    if not (command.orders or command.addresses or command.identifiers or command.conversations or command.returns):
        raise NothingNamed
    family, to = await customers.lock_families(tx, people=[customer, command.to])
    if family.id == to.id:
        raise SameCustomer
    numbers = sorted({orders.read_number(number) for number in command.orders})
    brought = sorted({returns.named(number) for number in command.returns})
    addresses = await customers.move_addresses(tx, family=family, to=to, ids=command.addresses)
    held = await customers.move_identifiers(tx, family=family, to=to, ids=command.identifiers)
    told = await conversations.owned_by(tx, family.ids, conversations=command.conversations)
    missing = {*command.addresses, *command.identifiers, *command.conversations} - {*addresses, *held, *told}
    if missing:
        raise NotOfCustomer(records=sorted(str(one) for one in missing))
    moved = [
        await orders.reassign(tx, actor, number=number, family=family.ids, customer=to.id, reason=command.reason)
        for number in numbers
    ]
    because = structs.replace(actor, reason=command.reason)
    for conversation in sorted(told):
        await conversations.reassign(tx, because, conversation=conversation, person=to.id)
    await returns.follow(tx, order_ids=moved, customer=to.id)
    for number in brought:
        await returns.reassign(tx, actor, number=number, family=family.ids, customer=to.id, reason=command.reason)
    changed = [name for name, ids in (("addresses", addresses), ("identifiers", held)) if ids]
    if changed:
        family.changed(tx, because, *changed)
        to.changed(tx, because, *changed)
    outbox.audit(
        tx, because, "customer.records_moved", "customer", family.id, before={"customer": family.id},
        after={
            "customer": to.id, "orders": numbers, "addresses": addresses, "identifiers": held, "conversations": sorted(told),
            "returns": brought,
        },
    )  # fmt: skip
    return MovedView(
        customer=family.id,
        to=to.id,
        orders=numbers,
        addresses=addresses,
        identifiers=held,
        conversations=sorted(told),
        returns=brought,
    )


LOCK_RULE = """
SELECT subject, days, fixed, version, updated_at, updated_by FROM people.retention_rules WHERE subject = :subject
FOR NO KEY UPDATE
"""
SET_RULE = """
UPDATE people.retention_rules SET days = :days, version = version + 1, updated_at = :at, updated_by = :by WHERE subject = :subject
"""


async def set_rule(
    tx: Tx, actor: Actor, *, subject: str, command: SetRetention, if_match: int | None = None
) -> RetentionView:
    """Keep a kind of thing for so many days from now on. Raises UnknownRetention, RetentionFixed, StaleRetention."""
    row = await tx.first(LOCK_RULE, subject=subject)
    if row is None:
        raise UnknownRetention
    rule = convert(dict(row), RetentionView)
    if if_match is not None and if_match != rule.version:
        raise StaleRetention(current_version=rule.version)
    if rule.fixed:
        raise RetentionFixed(subject=subject)
    if rule.days == command.days:
        return rule
    await tx.execute(SET_RULE, subject=subject, days=command.days, at=tx.at, by=actor.subject)
    outbox.audit(
        tx, actor, "retention.set", "retention_rule", subject, before={"days": rule.days}, after={"days": command.days}
    )
    return structs.replace(
        rule, days=command.days, version=rule.version + 1, updated_at=tx.at, updated_by=actor.subject
    )
