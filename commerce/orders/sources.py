"""Where the goods of an order come from when the shelf at its store does not have them: a plan, its reservations, its transfers.

Others may take a unit between the plan and the lock: then the attempt is undone and a new plan is made, a bounded number of times, in
the same transaction. What the plan says is stored with the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from commerce import fulfillment, stock, transfers
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.locations import Location
from commerce.orders.books import Line


class Wanted(Struct, frozen=True, kw_only=True):
    """Units of an order line that need a source, and whether their variant may be sold before it is there."""

    line: Line
    quantity: int
    may_wait: bool

    @property
    def for_plan(self) -> fulfillment.Wanted:
        """As the planner sees it."""
        return fulfillment.Wanted(
            line_id=self.line.id, variant_id=self.line.variant_id, quantity=self.quantity,
            components=tuple((part.variant_id, part.quantity) for part in self.line.parts),
        )  # fmt: skip


class Secured(Struct, frozen=True, kw_only=True):
    """Goods set aside for a fulfillment by plan, and when they can be at its store."""

    plan: fulfillment.Plan
    state: fulfillment.Coming
    promise: fulfillment.Promise
    places: Mapping[UUID, Location]


async def look(
    tx: Tx,
    *,
    wanted: Sequence[Wanted],
    location: Location,
    rules: fulfillment.Rules,
    exclude: frozenset[UUID] = frozenset(),
) -> tuple[fulfillment.Plan, fulfillment.Survey]:
    """The plan for a pickup at a store as things stand, without taking anything."""
    survey = await fulfillment.survey(
        tx, wanted=[want.for_plan for want in wanted], pickup=location, rules=rules, exclude=exclude,
        may_wait={want.line.variant_id for want in wanted if want.may_wait},
    )  # fmt: skip
    return fulfillment.plan([want.for_plan for want in wanted], survey.candidates, rules, at=tx.at), survey


async def later_promise(
    tx: Tx, *, wanted: Sequence[Wanted], location: Location, exclude: frozenset[UUID] = frozenset()
) -> fulfillment.Promise | None:
    """When all of it could be at the store, sent from elsewhere or out of what is announced; None when it cannot."""
    rules = await fulfillment.rules_of(tx, "pickup")
    plan, survey = await look(tx, wanted=wanted, location=location, rules=rules, exclude=exclude)
    return None if plan.unfilled else survey.promise_of(plan, tx.at)


async def secure(
    tx: Tx,
    actor: Actor,
    *,
    owner_id: UUID,
    wanted: Sequence[Wanted],
    location: Location,
    exclude: frozenset[UUID] = frozenset(),
) -> Secured:
    """Set goods aside for the fulfillment `owner_id` at a store, wherever they are. Raises stock.InsufficientStock."""
    rules = await fulfillment.rules_of(tx, "pickup")
    lost: stock.InsufficientStock | None = None
    for _ in range(rules.options.attempts):
        plan, survey = await look(tx, wanted=wanted, location=location, rules=rules, exclude=exclude)
        promise = None if plan.unfilled else survey.promise_of(plan, tx.at)
        if promise is None:
            raise lost or short_of(plan, wanted, location)
        demands = [
            stock.Demand(
                line_id=part.line_id, location_id=part.location_id, variant_id=want.line.variant_id, quantity=part.quantity,
                components=want.line.parts, expected_id=part.expected_id,
            )
            for part in plan.allocations for want in wanted if want.line.id == part.line_id
        ]  # fmt: skip
        try:
            async with tx.savepoint():
                await stock.promise(
                    tx, actor, owner=stock.Owner("fulfillment", owner_id), demands=demands,
                    cause=stock.Cause("order_placed", owner_id),
                    keep_safety=not rules.options.may_use_safety, business_date=location.business_date(tx.at),
                )  # fmt: skip
        except stock.InsufficientStock as refusal:
            lost = refusal
            continue
        stands = [
            (part.location_id, "committed" if part.expected_id is None else "promised") for part in plan.allocations
        ]
        return Secured(
            plan=plan, state=fulfillment.state_of(location.id, stands), promise=promise, places=survey.places
        )
    assert lost is not None  # noqa: S101
    raise lost


def short_of(plan: fulfillment.Plan, wanted: Sequence[Wanted], location: Location) -> stock.InsufficientStock:
    """The refusal of a plan that leaves units unfilled."""
    return stock.InsufficientStock(
        [
            stock.Short(
                line_id=rest.line_id, variant_id=want.line.variant_id, location_id=location.id, wanted=want.quantity,
                left=want.quantity - rest.quantity,
            )
            for rest in plan.unfilled for want in wanted if want.line.id == rest.line_id
        ]
    )  # fmt: skip


def send(
    tx: Tx,
    actor: Actor,
    *,
    order_number: str,
    owner_id: UUID,
    secured: Secured,
    lines: Sequence[Line],
    location: Location,
) -> list[transfers.Opened]:
    """The transfers that bring what the plan takes from elsewhere to the store. Queues rows only."""
    by_id = {line.id: line for line in lines}
    freight: dict[UUID, list[transfers.OrderFreight]] = {}
    waits: set[UUID] = set()
    for part in secured.plan.allocations:
        if part.location_id == location.id:
            continue
        line = by_id[part.line_id]
        for piece in line.parts or (stock.Part(line.variant_id, 1),):
            freight.setdefault(part.location_id, []).append(
                transfers.OrderFreight(
                    order_line_id=line.id, variant_id=piece.variant_id, quantity=part.quantity * piece.quantity
                )
            )
        if part.expected_id is not None:
            waits.add(part.location_id)
    return [
        transfers.open_for_order(
            tx, actor, order_number=order_number, owner=owner_id, source=secured.places[source_id], destination=location,
            lines=loads, expected_on=location.business_date(secured.promise.from_at), waits=source_id in waits,
        )
        for source_id, loads in sorted(freight.items())
    ]  # fmt: skip
