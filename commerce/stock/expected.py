"""What is announced to arrive: plan rows, and the reservations that stand on them (DESIGN 6).

A plan row changes only under the lock of its level, as reservations do; `promised` on it equals the open units of the reservations that
stand on it, whether the goods are still to be sent (`promised`) or on their way (`in_transit_committed`). On arrival they become
committed, the oldest first; what will not come breaks them, the newest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID

import msgspec

from commerce.infra import outbox
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.stock import ledger
from commerce.stock.errors import NotExpected
from commerce.stock.events import BrokenLine, PromiseArrived, PromiseBroken
from commerce.stock.ledger import Act, Change, NewReservation, Spot
from commerce.stock.schemas import (
    Bucket,
    Cause,
    Expect,
    Expected,
    ExpectedChange,
    Movement,
    Place,
    Reservation,
    ReservationState,
)
from commerce.stock.tables import expected

COLUMNS = """
e.id, e.kind, e.document_id, e.location_id, e.variant_id, e.expected_on, e.unit_cost, e.quantity, e.received, e.cancelled,
e.promised, e.inspect
"""
OF_DOCUMENTS = f"SELECT {COLUMNS} FROM stock.expected e WHERE e.document_id = ANY(CAST(:ids AS uuid[])) ORDER BY e.id"  # noqa: S608
BY_IDS = f"SELECT {COLUMNS} FROM stock.expected e WHERE e.id = ANY(CAST(:ids AS uuid[])) ORDER BY e.id"  # noqa: S608
INBOUND = f"""
SELECT {COLUMNS} FROM stock.expected e
WHERE e.variant_id = ANY(CAST(:variant_ids AS uuid[])) AND e.received + e.cancelled < e.quantity
    AND (CAST(:location_ids AS uuid[]) IS NULL OR e.location_id = ANY(CAST(:location_ids AS uuid[])))
ORDER BY e.expected_on, e.id
"""  # noqa: S608
STANDING = """
SELECT r.id, r.owner_kind, r.owner_id, r.line_id, r.location_id, r.variant_id, r.bucket, r.state, r.quantity, r.quantity_open,
    r.quantity_lost, r.expires_at, r.created_at, r.per_unit, r.expected_id
FROM stock.reservations r
WHERE r.expected_id = ANY(CAST(:ids AS uuid[])) AND r.quantity_open > 0 AND r.bucket IN ('promised', 'in_transit_committed')
ORDER BY r.created_at, r.id
"""
TAKE = """
UPDATE stock.expected e SET promised = e.promised + d.units
FROM unnest(CAST(:ids AS uuid[]), CAST(:units AS integer[])) AS d(id, units)
WHERE e.id = d.id AND e.received + e.cancelled + e.promised + d.units <= e.quantity AND e.promised + d.units >= 0
    AND NOT (e.inspect AND d.units > 0)
RETURNING e.id
"""
CHANGE = """
UPDATE stock.expected e SET received = e.received + d.received, cancelled = e.cancelled + d.cancelled,
    promised = e.promised + d.promised, expected_on = coalesce(d.expected_on, e.expected_on)
FROM unnest(CAST(:ids AS uuid[]), CAST(:received AS integer[]), CAST(:cancelled AS integer[]), CAST(:promised AS integer[]),
            CAST(:dates AS date[])) AS d(id, received, cancelled, promised, expected_on)
WHERE e.id = d.id
"""


class Settlement(msgspec.Struct, kw_only=True):
    """What becomes of plan rows, their reservations and their goods, to be booked with one posting."""

    movements: list[Movement] = []
    changes: list[Change] = []
    begins: list[NewReservation] = []
    broken: list[BrokenLine] = []
    arrived: list[Reservation] = []
    plans: dict[UUID, list[int]] = {}
    """Plan row -> received, cancelled and promised units more (or less)."""

    def act(self, cause: Cause, reason: str | None, *more: Movement) -> Act:
        """The posting."""
        return Act(cause=cause, movements=[*self.movements, *more], reason=reason)


def _expected(row: Row) -> Expected:
    return Expected(**row)


async def expect(
    tx: Tx,
    actor: Actor,  # noqa: ARG001 - every verb knows who acts
    *,
    kind: str,
    document_id: UUID,
    location_id: UUID,
    expected_on: date,
    lines: Sequence[Expect],
) -> None:
    """Announce goods for a location: a plan, no movement. Queued."""
    for line in lines:
        tx.queue(
            expected, id=line.id, kind=kind, document_id=document_id, location_id=location_id, variant_id=line.variant_id,
            expected_on=expected_on, unit_cost=line.unit_cost, quantity=line.quantity, inspect=line.inspect, created_at=tx.at,
        )  # fmt: skip


async def expected_of(tx: Tx, *, document_ids: Sequence[UUID]) -> list[Expected]:
    """The plan rows of documents, open or not. One statement."""
    return [_expected(row) for row in await tx.rows(OF_DOCUMENTS, ids=list(document_ids))]


async def inbound(tx: Tx, *, variant_ids: Sequence[UUID], location_ids: Sequence[UUID] | None = None) -> list[Expected]:
    """What is still to come of variants, everywhere or to some locations, the soonest first. One statement."""
    rows = await tx.rows(
        INBOUND, variant_ids=list(variant_ids), location_ids=None if location_ids is None else list(location_ids)
    )
    return [_expected(row) for row in rows]


async def take(tx: Tx, units: Mapping[UUID, int]) -> set[UUID]:
    """Promise units of plan rows (or, negative, free them), under the lock of their levels; the rows that had not enough. One statement."""
    if not units:
        return set()
    done = await tx.rows(TAKE, ids=list(units), units=list(units.values()))
    return units.keys() - {row.id for row in done}


async def change_expected(
    tx: Tx,
    actor: Actor,
    *,
    cause: Cause,
    changes: Sequence[ExpectedChange],
    reason: str | None = None,
    business_date: date | None = None,
) -> None:
    """Another date for what is announced, or units of it that will not come.

    What nobody was promised is given up first; then promises break, the newest first, and PromiseBroken names their owners. Six
    statements. Raises NotExpected when more is cancelled than is open.
    """
    rows = {plan.id: plan for plan in map(_expected, await tx.rows(BY_IDS, ids=[change.id for change in changes]))}
    await ledger.lock(tx, ((plan.location_id, plan.variant_id) for plan in rows.values()))
    if cause.id in await ledger.posted_of(tx, cause.kind, [cause.id]):
        return
    plans, standing = await under_lock(tx, [change.id for change in changes])
    settled = Settlement()
    for change in changes:
        plan = plans[change.id]
        if change.cancelled > plan.open:
            raise NotExpected(left=plan.open, quantity=change.cancelled)
        settled.plans[change.id] = [0, change.cancelled, 0]
        _break(settled, standing.get(change.id, []), max(0, change.cancelled - (plan.open - plan.promised)))
    act = settled.act(cause, reason)
    if settled.changes:
        await ledger.book(tx, actor, [act], changes=settled.changes, begins=settled.begins, business_date=business_date)
    await write(tx, settled, {change.id: change.expected_on for change in changes})
    tell(tx, actor, act, next(iter(rows.values())).location_id, settled)


async def under_lock(tx: Tx, ids: Sequence[UUID]) -> tuple[dict[UUID, Expected], dict[UUID, list[Reservation]]]:
    """Plan rows and the reservations standing on them, the oldest first, once their levels are locked. Two statements."""
    plans = {row.id: _expected(row) for row in await tx.rows(BY_IDS, ids=list(ids))}
    standing: dict[UUID, list[Reservation]] = {}
    for row in await tx.rows(STANDING, ids=list(ids)):
        standing.setdefault(row.expected_id, []).append(ledger.reservation(row))
    return plans, standing


def spots_of(plans: Iterable[Expected]) -> set[Spot]:
    """The levels of plan rows."""
    return {(plan.location_id, plan.variant_id) for plan in plans}


def arrive(
    settled: Settlement,
    plan: Expected,
    standing: list[Reservation],
    quantity: int,
    *,
    to: Place,
    free_from: Place,
    unit_cost: int | None = None,
) -> None:
    """Units of a plan row are there (or, `to` the loss, will never be). `standing` shrinks by what is settled.

    Into `available` they serve the reservations on the row first, the oldest first. Elsewhere they come out of what nobody was promised,
    and then out of promises, the newest first. `free_from` is where goods come from that are not committed on their way: the supplier
    or `in_transit`.
    """
    deltas = settled.plans.setdefault(plan.id, [0, 0, 0])
    already = deltas[0] + deltas[1]
    free = plan.open - already - sum(held.quantity_open for held in standing)
    deltas[1 if to == "loss" else 0] += quantity
    if to == "available":
        left = quantity
        while left and standing:
            held = standing[0]
            units = min(left, held.quantity_open)
            left -= units
            settled.movements.append(_move(plan, units, _stood(held, free_from), "committed", unit_cost, held))
            settled.arrived.append(held)
            deltas[2] -= units
            standing[:1] = _part(settled, held, units, bucket="committed", lost=False)
        if left:
            settled.movements.append(_move(plan, left, free_from, "available", unit_cost, None))
        return
    loose = min(quantity, max(0, free))
    by_place: dict[Place, int] = {free_from: loose} if loose else {}
    left = quantity - loose
    while left and standing:
        held = standing[-1]
        units = min(left, held.quantity_open)
        left -= units
        place = _stood(held, free_from)
        by_place[place] = by_place.get(place, 0) + units
        settled.broken.append(_broken(held, units))
        deltas[2] -= units
        standing[-1:] = _part(settled, held, units, bucket="committed", lost=True)
    for place, units in by_place.items():
        if not (place == "supplier" and to == "loss"):
            settled.movements.append(_move(plan, units, place, to, unit_cost, None))


def _break(settled: Settlement, standing: list[Reservation], quantity: int) -> None:
    """Promises on a plan row break, the newest first; no goods move."""
    left = quantity
    while left and standing:
        held = standing[-1]
        units = min(left, held.quantity_open)
        left -= units
        settled.broken.append(_broken(held, units))
        assert held.expected_id is not None  # noqa: S101
        settled.plans[held.expected_id][2] -= units
        standing[-1:] = _part(settled, held, units, bucket="committed", lost=True)


def _part(settled: Settlement, held: Reservation, units: int, *, bucket: Bucket, lost: bool) -> list[Reservation]:
    """Units of a reservation go on as committed at its location, or as lost there; what is left of it as it was."""
    earlier = next((n for n, change in enumerate(settled.changes) if change.seen.id == held.id), None)
    seen = held if earlier is None else settled.changes[earlier].seen
    if units == held.quantity_open and held.quantity_lost == 0 and earlier is None:
        settled.changes.append(
            Change(
                seen=seen, state="short" if lost else "committed", bucket=bucket, quantity_open=0 if lost else units,
                quantity_lost=units if lost else 0,
            )
        )  # fmt: skip
        return []
    rest = msgspec.structs.replace(held, quantity=held.quantity - units, quantity_open=held.quantity_open - units)
    settled.begins.append(
        NewReservation(
            owner=held.owner, line_id=held.line_id, location_id=held.location_id, variant_id=held.variant_id, bucket=bucket,
            quantity=units, per_unit=held.per_unit, expected_id=held.expected_id, lost=lost, created_at=held.created_at,
        )
    )  # fmt: skip
    if rest.quantity == 0:
        # Nothing is left of it: the last part goes on in the row itself.
        settled.begins.pop()
        change = Change(
            seen=seen, state="short" if lost else "committed", bucket=bucket, quantity=units,
            quantity_open=0 if lost else units, quantity_lost=units if lost else 0,
        )  # fmt: skip
    else:
        over: ReservationState = (
            "short" if held.quantity_lost else "released"
        )  # what is left of it was given up earlier
        change = Change(
            seen=seen, state=held.state if rest.quantity_open else over, bucket=held.bucket, quantity=rest.quantity,
            quantity_open=rest.quantity_open, quantity_lost=held.quantity_lost,
        )  # fmt: skip
    if earlier is None:
        settled.changes.append(change)
    else:
        settled.changes[earlier] = change
    return [rest] if rest.quantity_open else []


def _stood(held: Reservation, free_from: Place) -> Place:
    return "in_transit_committed" if held.bucket == "in_transit_committed" else free_from


def _move(
    plan: Expected, quantity: int, from_place: Place, to_place: Place, unit_cost: int | None, held: Reservation | None
) -> Movement:
    outside = from_place == "supplier"
    return Movement(
        variant_id=plan.variant_id, quantity=quantity, from_place=from_place, from_location_id=None if outside else plan.location_id,
        to_place=to_place, to_location_id=None if to_place == "loss" else plan.location_id,
        unit_cost=unit_cost if outside else None, line_id=held.line_id if held else None, per_unit=held.per_unit if held else 1,
    )  # fmt: skip


def _broken(held: Reservation, units: int) -> BrokenLine:
    return BrokenLine(
        owner_kind=held.owner.kind,
        owner_id=held.owner.id,
        line_id=held.line_id,
        variant_id=held.variant_id,
        quantity=units,
    )


async def write(tx: Tx, settled: Settlement, dates: Mapping[UUID, date | None] | None = None) -> None:
    """The plan rows after what was booked. One statement."""
    if settled.plans:
        ids = list(settled.plans)
        await tx.execute(
            CHANGE, ids=ids, received=[settled.plans[i][0] for i in ids], cancelled=[settled.plans[i][1] for i in ids],
            promised=[settled.plans[i][2] for i in ids], dates=[(dates or {}).get(i) for i in ids],
        )  # fmt: skip


def tell(tx: Tx, actor: Actor, act: Act, location_id: UUID, settled: Settlement) -> None:
    """Publish whose promises have arrived, and whose have broken."""
    if settled.arrived:
        owners = {held.owner for held in settled.arrived}
        event = PromiseArrived(
            aggregate_id=act.id, version=1, location_id=location_id,
            fulfillment_ids=sorted({owner.id for owner in owners if owner.kind == "fulfillment"}),
        )  # fmt: skip
        outbox.record(tx, actor, event)
    if settled.broken:
        outbox.record(tx, actor, broken_event(act.id, location_id, settled.broken))


def broken_event(posting_id: UUID, location_id: UUID, broken: Sequence[BrokenLine]) -> PromiseBroken:
    """Whose promises a posting broke."""
    return PromiseBroken(
        aggregate_id=posting_id,
        version=1,
        location_id=location_id,
        fulfillment_ids=sorted({line.owner_id for line in broken if line.owner_kind == "fulfillment"}),
        checkout_ids=sorted({line.owner_id for line in broken if line.owner_kind == "checkout"}),
        transfer_ids=sorted({line.owner_id for line in broken if line.owner_kind == "transfer"}),
        lines=list(broken),
    )
