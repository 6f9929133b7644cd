"""Goods between two locations: they leave one, stand in transit at the other, and arrive there (DESIGN 6).

What travels has a plan row at its destination (`stock.expected`, kind `transfer`), so that it can be promised before it is there; what is
committed to an order stays committed to it all the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.stock import expected, ledger
from commerce.stock.errors import NotExpected, ReservationShort
from commerce.stock.ledger import Act, Change, NewReservation
from commerce.stock.lines import booked_or_too_high, is_posted
from commerce.stock.portions import changed
from commerce.stock.schemas import Arrival, Cause, Freight, Movement, Reservation, ReservationState
from commerce.stock.tables import expected as plans_table

COMMITTED = """
SELECT r.id, r.owner_kind, r.owner_id, r.line_id, r.location_id, r.variant_id, r.bucket, r.state, r.quantity, r.quantity_open,
    r.quantity_lost, r.expires_at, r.created_at, r.per_unit, r.expected_id
FROM stock.reservations r
WHERE r.owner_id = ANY(CAST(:owners AS uuid[])) AND r.location_id = :location_id AND r.bucket = 'committed' AND r.quantity_open > 0
ORDER BY r.created_at, r.id
"""


async def dispatch(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    document_id: UUID,
    source_id: UUID,
    destination_id: UUID,
    lines: Sequence[Freight],
    expected_on: date,
    occurred_at: datetime | None = None,
    business_date: date | None = None,
    reason: str | None = None,
) -> None:
    """Goods committed to their owners at the source are on their way to the destination.

    A transfer's own become free in transit; those of a fulfillment stay committed to it. Each line becomes a plan row of `document_id`
    at the destination. Six statements. Raises ReservationShort, LevelTooHigh.
    """
    owners = sorted({freight.owner.id for freight in lines})
    await ledger.lock(
        tx, ((place, freight.variant_id) for freight in lines for place in (source_id, destination_id))
    )  # fmt: skip
    if await is_posted(tx, cause):
        return
    held = [ledger.reservation(row) for row in await tx.rows(COMMITTED, owners=owners, location_id=source_id)]
    movements, changes, begins, travelling = _load(lines, held, source_id, destination_id)
    for freight in lines:
        tx.queue(
            plans_table, id=freight.id, kind="transfer", document_id=document_id, location_id=destination_id,
            variant_id=freight.variant_id, expected_on=expected_on, quantity=freight.quantity,
            promised=travelling.get(freight.id, 0), created_at=tx.at,
        )  # fmt: skip
    await tx.flush()  # the reservations that travel point at their plan rows
    outcome = await ledger.book(
        tx, actor, [Act(cause=cause, movements=movements, reason=reason)], changes=changes, begins=begins,
        occurred_at=occurred_at, business_date=business_date,
    )  # fmt: skip
    await booked_or_too_high(tx, cause, outcome)


def _load(
    lines: Sequence[Freight], held: Sequence[Reservation], source_id: UUID, destination_id: UUID
) -> tuple[list[Movement], list[Change], list[NewReservation], dict[UUID, int]]:
    movements: list[Movement] = []
    changes: dict[UUID, Change] = {}
    begins: list[NewReservation] = []
    travelling: dict[UUID, int] = {}
    left = {one.id: one.quantity_open for one in held}
    short = []
    for freight in lines:
        wanted = freight.quantity
        stays = freight.owner.kind == "fulfillment"
        for one in held:
            if (one.owner, one.line_id, one.variant_id) != (freight.owner, freight.line_id, freight.variant_id):
                continue
            units = min(wanted, left[one.id])
            if not units:
                continue
            wanted -= units
            left[one.id] -= units
            movements.append(
                Movement(
                    variant_id=one.variant_id, quantity=units, from_place="committed", from_location_id=source_id,
                    to_place="in_transit_committed" if stays else "in_transit", to_location_id=destination_id,
                    line_id=one.line_id, per_unit=one.per_unit,
                )
            )  # fmt: skip
            if not stays:
                gone = one.quantity_open - left[one.id]
                changes[one.id] = changed(one, open_less=gone, lost_less=0, end="fulfilled")
                continue
            travelling[freight.id] = travelling.get(freight.id, 0) + units
            if units == one.quantity:
                changes[one.id] = Change(
                    seen=one, state="committed", bucket="in_transit_committed", quantity_open=units, quantity_lost=0,
                    location_id=destination_id, expected_id=freight.id,
                )  # fmt: skip
                continue
            begins.append(
                NewReservation(
                    owner=one.owner, line_id=one.line_id, location_id=destination_id, variant_id=one.variant_id,
                    bucket="in_transit_committed", quantity=units, per_unit=one.per_unit, expected_id=freight.id,
                    created_at=one.created_at,
                )
            )  # fmt: skip
            stayed = one.quantity - (one.quantity_open - left[one.id])
            if stayed == 0:
                begins.pop()
                changes[one.id] = Change(
                    seen=one, state="committed", bucket="in_transit_committed", quantity=units, quantity_open=units,
                    quantity_lost=0, location_id=destination_id, expected_id=freight.id,
                )  # fmt: skip
            else:
                over: ReservationState = (
                    "short" if one.quantity_lost else "released"
                )  # what stays of it was given up earlier
                changes[one.id] = Change(
                    seen=one, state=one.state if left[one.id] else over, bucket=one.bucket, quantity=stayed,
                    quantity_open=left[one.id], quantity_lost=one.quantity_lost,
                )  # fmt: skip
        if wanted:
            short.append((freight.line_id, freight.quantity, freight.quantity - wanted))
    if short:
        raise ReservationShort(short)
    return movements, list(changes.values()), begins, travelling


async def arrive(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    destination_id: UUID,
    lines: Sequence[Arrival],
    occurred_at: datetime | None = None,
    business_date: date | None = None,
    reason: str | None = None,
) -> None:
    """Goods on their way are there, in a bucket, or missing (`loss`).

    Into `available` they serve those they are committed or promised to, the oldest first (PromiseArrived); what is damaged or missing
    comes out of what nobody was promised, then out of promises (PromiseBroken). Surplus units were never sent: they are found. Seven
    statements. Raises NotExpected, LevelTooHigh.
    """
    await ledger.lock(tx, ((destination_id, line.variant_id) for line in lines))
    if await is_posted(tx, cause):
        return
    plans, standing = await expected.under_lock(tx, sorted({line.id for line in lines if not line.surplus}))
    settled = expected.Settlement()
    found = []
    for line in lines:
        if line.surplus:
            found.append(
                Movement(
                    variant_id=line.variant_id, quantity=line.quantity, from_place="loss", to_place=line.bucket,
                    to_location_id=destination_id,
                )
            )  # fmt: skip
            continue
        plan = plans.get(line.id)
        came = settled.plans.get(line.id, [0, 0, 0])
        left = plan.open - came[0] - came[1] if plan is not None else 0
        if plan is None or plan.location_id != destination_id or line.quantity > left:
            raise NotExpected(left=left, quantity=line.quantity)
        expected.arrive(
            settled, plan, standing.setdefault(plan.id, []), line.quantity, to=line.bucket, free_from="in_transit"
        )
    act = settled.act(cause, reason, *found)
    outcome = await ledger.book(
        tx, actor, [act], changes=settled.changes, begins=settled.begins, occurred_at=occurred_at, business_date=business_date
    )  # fmt: skip
    await booked_or_too_high(tx, cause, outcome)
    await expected.write(tx, settled)
    expected.tell(tx, actor, act, destination_id, settled)
