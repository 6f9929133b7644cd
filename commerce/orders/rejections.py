"""A store cannot do what an order says: its goods come from elsewhere, or the customer is asked. By the rules for pickups.

The fulfillment that was rejected stays as it is, with nothing outstanding; another one points back at it. What no place can send becomes a
choice of the customer: another store, or his money back where he has paid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import structs

from commerce import catalog, fulfillment, locations, stock, transfers
from commerce.infra import outbox
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.locations import Location
from commerce.orders import books, sources
from commerce.orders.books import Order
from commerce.orders.counter import lock_both
from commerce.orders.errors import BadChoice, NothingToChoose, OrderNotAllowed, UnknownOrder
from commerce.orders.events import OrderChoiceAsked, OrderResourced
from commerce.orders.numbers import read_number
from commerce.orders.schemas import (
    AnswerChoice,
    ChoiceAnswered,
    ChoiceView,
    FulfillmentRejectedView,
    RejectFulfillment,
    UnitsOfSku,
)
from commerce.orders.service import freight_of, give_up, owned, pickup_at, recall, release
from commerce.orders.tables import choices

OPEN_CHOICES = """
SELECT id, fulfillment_id, units, reason, asked_at FROM orders.choices WHERE order_id = :order AND state = 'open' ORDER BY asked_at, id
"""
ANSWER = """
UPDATE orders.choices SET state = CAST(:state AS text), answered_at = CAST(:at AS timestamptz) WHERE id = ANY(CAST(:ids AS uuid[]))
"""
NOT_THERE: Mapping[str, stock.ShelfFate] = {"out_of_stock": "loss", "damaged": "damaged"}
"""Reasons that say something about the goods: where the books put them now. A count puts right what was only mislaid."""


async def reject(
    tx: Tx, actor: Actor, *, code: str, number: str, command: RejectFulfillment
) -> FulfillmentRejectedView:
    """The store cannot do it. By the rules for pickups its goods come from elsewhere under another fulfillment, or the customer is asked.

    What is out of stock or damaged leaves the store's shelf in the books too, so that the next order is not promised it. Raises
    UnknownFulfillment, OtherStore, WrongStep.
    """
    location, order, work = await lock_both(tx, code, number)
    fulfillment.require_rejectable(work)
    before = {"state": work.state, "location": code}
    actor = structs.replace(actor, reason=command.reason)
    works = await fulfillment.lock_of_order(tx, order_id=order.id)
    rules = await fulfillment.rules_of(tx, "pickup")
    variants = await catalog.variants(tx, [line.variant_id for line in order.lines])
    await recall(tx, actor, work, None, command.reason)
    came_from_here = not work.coming
    given = await release(tx, actor, work, location, None, command.reason)
    units = fulfillment.reject(tx, actor, fulfillment=work, reason=command.reason, note=command.note)
    if came_from_here and command.reason in NOT_THERE:
        await _write_down(tx, actor, work, location, given, command.reason)
    wanted = [
        sources.Wanted(line=line, quantity=units[line.id], may_wait=variants[line.variant_id].may_wait(tx.at))
        for line in order.lines if line.id in units
    ]  # fmt: skip
    opened: fulfillment.Fulfillment | None = None
    if rules.options.after_rejection == "resource" and location.may("pickup", tx.at):
        opened = await _open_elsewhere(
            tx, actor, order=order, wanted=wanted, location=location, replaces=work.id, n=len(works) + 1,
            exclude=frozenset({location.id}), reason="resourced",
        )  # fmt: skip
    if opened is None:
        _ask(tx, actor, order, work, units, command.reason)
    outbox.audit(
        tx, actor, "fulfillment.reject", "fulfillment", work.id, before=before,
        after={"state": work.state, "reason": command.reason, "successor": opened.number if opened else None},
    )  # fmt: skip
    return FulfillmentRejectedView(
        order_number=order.number, number=work.number, state=work.state, reason=command.reason, units=sum(units.values()),
        successor=opened.number if opened else None, promise=opened.promise if opened else None, asked=opened is None,
        version=work.version,
    )  # fmt: skip


async def fell_short(
    tx: Tx,
    actor: Actor,
    *,
    fulfillment_id: UUID,
    source_id: UUID,
    behind: Mapping[tuple[UUID, UUID], int],
    gone: Mapping[tuple[UUID, UUID], int],
    reason: str,
) -> None:
    """A transfer does not bring what a fulfillment waits for: units by (line, variant) `behind` at its source, or `gone` on the
    way. They come from elsewhere, or the customer is asked. Nothing when they are not wanted any more, when they were made up, or
    when the store has begun: it sees what is at risk."""
    order_id = await fulfillment.order_of(tx, fulfillment_id)
    order = await books.lock_by_id(tx, order_id=order_id) if order_id is not None else None
    if order is None:
        return
    works = await fulfillment.lock_of_order(tx, order_id=order.id)
    work = next(one for one in works if one.id == fulfillment_id)
    if not (work.coming or work.state == "open"):
        return
    places = await locations.by_ids(tx, [work.location_id])
    location = places[work.location_id]
    rules = await fulfillment.rules_of(tx, "pickup")
    variants = await catalog.variants(tx, [line.variant_id for line in order.lines])
    date = location.business_date(tx.at)
    owner = stock.Owner("fulfillment", work.id)
    lacking: dict[UUID, int] = {}
    await transfers.lock_for_order(tx, owner=work.id)
    for units, place in await _still_lacking(tx, owner, behind, source_id, gone, work.location_id):
        lines = _lines_of(order, units)
        given_up = await stock.give_up(
            tx, actor, owner=owner, cause=stock.Cause("fulfillment_cancelled", uuid7()), lines=lines, first_at=place, reason=reason,
            business_date=date,
        )  # fmt: skip
        await transfers.cancel_for_order(tx, actor, owner=work.id, lines=freight_of(given_up or ()), reason=reason)
        for line_id, quantity in lines.items():
            lacking[line_id] = lacking.get(line_id, 0) + quantity
    if not lacking:
        return
    await fulfillment.settle_risk(tx, fulfillment=work)
    given = await fulfillment.pass_on(tx, actor, fulfillment=work, units=lacking, reason=reason)
    wanted = [
        sources.Wanted(line=line, quantity=given[line.id], may_wait=variants[line.variant_id].may_wait(tx.at))
        for line in order.lines if given.get(line.id)
    ]  # fmt: skip
    if not wanted:
        return
    opened = None
    if rules.options.after_rejection == "resource" and location.may("pickup", tx.at):
        opened = await _open_elsewhere(
            tx, actor, order=order, wanted=wanted, location=location, replaces=work.id, n=len(works) + 1,
            exclude=frozenset({source_id}), reason="resourced",
        )  # fmt: skip
    if opened is None:
        _ask(tx, actor, order, work, given, reason)


async def _still_lacking(
    tx: Tx,
    owner: stock.Owner,
    behind: Mapping[tuple[UUID, UUID], int],
    source_id: UUID,
    gone: Mapping[tuple[UUID, UUID], int],
    location_id: UUID,
) -> list[tuple[dict[tuple[UUID, UUID], int], UUID]]:
    """What the news says, as far as it still holds, each with its place: the customer may have given units up since, or the store may
    have made up for them. Behind is what is lost at the source, or stands there with nothing to bring it."""
    lost: dict[UUID, dict[tuple[UUID, UUID], int]] = {source_id: {}, location_id: {}}
    stays: dict[tuple[UUID, UUID], int] = {}
    for held in await stock.reservations_of(tx, owner):
        key = held.line_id, held.variant_id
        if held.location_id in lost:
            lost[held.location_id][key] = lost[held.location_id].get(key, 0) + held.quantity_lost
        if held.location_id == source_id:
            stays[key] = stays.get(key, 0) + held.quantity_open + held.quantity_lost
    for transfer in await transfers.of_owner(tx, [owner.id]):
        for line in transfer.lines if transfer.source_id == source_id else ():
            key = line.order_line_id, line.variant_id
            stays[key] = stays.get(key, 0) - line.to_send
    left = {key: max(units, lost[source_id].get(key, 0)) for key, units in stays.items()}
    found = [
        ({key: min(quantity, known.get(key, 0)) for key, quantity in units.items()}, place)
        for units, known, place in ((behind, left, source_id), (gone, lost[location_id], location_id))
    ]
    return [(units, place) for units, place in found if any(units.values())]


def _lines_of(order: Order, units: Mapping[tuple[UUID, UUID], int]) -> dict[UUID, int]:
    """Units by line from units by (line, variant): a bundle lacks as soon as one component does, and gives up all of them."""
    found: dict[UUID, int] = {}
    for line in order.lines:
        each = {part.variant_id: part.quantity for part in line.parts} or {line.variant_id: 1}
        short = max((-(-units.get((line.id, variant_id), 0) // n) for variant_id, n in each.items()), default=0)
        if short:
            found[line.id] = short
    return found


async def answer(tx: Tx, actor: Actor, *, number: str, command: AnswerChoice) -> ChoiceAnswered:
    """The customer's answer, or for him that of staff who may cancel orders at the stores that could not do it, or have it approved by
    one who may: another store (or the same one, later), or he does not want it any more.

    Raises UnknownOrder, OrderNotAllowed, NothingToChoose, BadChoice, PickupNotOffered, stock.InsufficientStock.
    """
    if (command.location is None) == (not command.cancel):
        raise BadChoice
    order = await books.lock(tx, number=read_number(number))
    if actor.kind == "shopper":
        order = await owned(tx, actor, order, number)
    elif not actor.allowed("orders.cancel"):
        raise OrderNotAllowed(permission="orders.cancel")
    if order is None:
        raise UnknownOrder(number=number)
    asked = await tx.rows(OPEN_CHOICES, order=order.id)
    if not asked:
        raise NothingToChoose
    works = await fulfillment.lock_of_order(tx, order_id=order.id)
    if actor.kind != "shopper":
        concerned = {row.fulfillment_id for row in asked}
        places = await locations.by_ids(tx, sorted({work.location_id for work in works if work.id in concerned}))
        if not all(actor.allowed("orders.cancel", place.code) for place in places.values()):
            raise OrderNotAllowed(permission="orders.cancel")
    units, state = units_of(asked), order.state
    opened: fulfillment.Fulfillment | None = None
    if command.cancel:
        tx.defer(ANSWER, ids=[row.id for row in asked], state="cancelled", at=tx.at)
        give_up(tx, actor, order, units, "customer_cancelled")
    else:
        assert command.location is not None  # noqa: S101
        location, _ = pickup_at(await locations.by_codes(tx, [command.location]), command.location, tx.at)
        variants = await catalog.variants(tx, [line.variant_id for line in order.lines])
        wanted = [
            sources.Wanted(line=line, quantity=units[line.id], may_wait=variants[line.variant_id].may_wait(tx.at))
            for line in order.lines if units.get(line.id)
        ]  # fmt: skip
        opened = await _open_elsewhere(
            tx, actor, order=order, wanted=wanted, location=location, replaces=asked[-1].fulfillment_id, n=len(works) + 1,
            exclude=frozenset(), reason="chosen", refuse=True,
        )  # fmt: skip
        tx.defer(ANSWER, ids=[row.id for row in asked], state="moved", at=tx.at)
    if actor.kind != "shopper":
        outbox.audit(
            tx, actor, "order.answer_choice", "order", order.id,
            before={"state": state, "asked": [row.id for row in asked]},
            after={"cancelled": command.cancel, "fulfillment": opened.number if opened else None},
        )  # fmt: skip
    return ChoiceAnswered(
        number=order.number, state=order.state, cancelled=command.cancel, successor=opened.number if opened else None,
        location=command.location, promise=opened.promise if opened else None, units=named(order, units), version=order.version,
    )  # fmt: skip


async def open_choices(tx: Tx, order: Order) -> list[ChoiceView]:
    """What the customer of an order is asked. One statement."""
    return [
        ChoiceView(reason=row.reason, asked_at=row.asked_at, units=named(order, units_of([row])))
        for row in await tx.rows(OPEN_CHOICES, order=order.id)
    ]


def units_of(rows: Sequence[Row]) -> dict[UUID, int]:
    """Units by order line of open choices."""
    units: dict[UUID, int] = {}
    for row in rows:
        for line_id, quantity in row.units.items():
            units[UUID(line_id)] = units.get(UUID(line_id), 0) + quantity
    return units


def named(order: Order, units: Mapping[UUID, int]) -> list[UnitsOfSku]:
    """Units by SKU, in the order of the lines."""
    return [UnitsOfSku(sku=line.sku, quantity=units[line.id]) for line in order.lines if units.get(line.id)]


async def _write_down(
    tx: Tx, actor: Actor, work: fulfillment.Fulfillment, location: Location, given: Sequence[stock.GivenUp], reason: str
) -> None:
    """What was set aside on this shelf and just became free; what it had lost already is not lost twice."""
    goods: dict[UUID, int] = {}
    for part in given:
        if part.freed and part.location_id == location.id:
            goods[part.variant_id] = goods.get(part.variant_id, 0) + part.freed
    if not goods:
        return
    await stock.not_there(
        tx, actor, cause=stock.Cause("fulfillment_rejected", work.id), location_id=location.id, goods=goods,
        fate=NOT_THERE[reason], business_date=location.business_date(tx.at), reason=reason,
    )  # fmt: skip


async def _open_elsewhere(
    tx: Tx, actor: Actor, *, order: Order, wanted: Sequence[sources.Wanted], location: Location, replaces: UUID, n: int,
    exclude: frozenset[UUID], reason: str, refuse: bool = False,
) -> fulfillment.Fulfillment | None:  # fmt: skip
    owner_id = uuid7()
    try:
        secured = await sources.secure(tx, actor, owner_id=owner_id, wanted=wanted, location=location, exclude=exclude)
    except stock.InsufficientStock:
        if refuse:
            raise
        return None
    opened = fulfillment.open_pickup(
        tx, actor, order_id=order.id, order_number=order.number, location=location, promise=secured.promise, id=owner_id,
        state=secured.state, n=n, replaces=replaces,
        lines=[
            fulfillment.WorkLine(
                order_line_id=want.line.id, variant_id=want.line.variant_id, quantity=want.quantity,
                components=want.line.components or (),
            )
            for want in wanted
        ],
    )  # fmt: skip
    fulfillment.store_plan(tx, order_id=order.id, n=n, plan=secured.plan, reason=reason)
    sources.send(
        tx, actor, order_number=order.number, owner_id=owner_id, secured=secured, lines=order.lines, location=location
    )
    books.write(tx, order)
    named_units = {str(want.line.id): want.quantity for want in wanted}
    books.enter(
        tx, actor, order, "resourced", {"fulfillment": opened.number, "location": location.code, "units": named_units},
        OrderResourced(
            aggregate_id=order.id, version=order.version, number=order.number, fulfillment=opened.number,
            location_id=location.id, units=named_units,
        ),
    )  # fmt: skip
    return opened


def _ask(
    tx: Tx, actor: Actor, order: Order, work: fulfillment.Fulfillment, units: Mapping[UUID, int], reason: str
) -> None:
    by_line: dict[str, Any] = msgspec.to_builtins({str(line_id): quantity for line_id, quantity in units.items()})
    tx.queue(
        choices, id=uuid7(), order_id=order.id, fulfillment_id=work.id, state="open", units=by_line, reason=reason, asked_at=tx.at
    )  # fmt: skip
    books.write(tx, order)
    books.enter(
        tx, actor, order, "choice_asked", {"fulfillment": work.number, "reason": reason, "units": by_line},
        OrderChoiceAsked(
            aggregate_id=order.id, version=order.version, number=order.number, fulfillment=work.number, reason=reason,
            units=by_line,
        ),
    )  # fmt: skip
