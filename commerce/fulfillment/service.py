"""Verbs of `fulfillment`: a store's steps from the open pickup to the goods in the customer's hands."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Struct, field

from commerce import auth, catalog, locations, stock, transfers
from commerce.fulfillment import events, promises
from commerce.fulfillment.errors import (
    BadPromise,
    BundleIncomplete,
    NotInFulfillment,
    PickedTooMany,
    PickupCodeLocked,
    WrongPickupCode,
    WrongStep,
)
from commerce.fulfillment.queries import COLUMNS, fulfillments_of, store_view, the_one
from commerce.fulfillment.schemas import (
    COMING,
    LIVE,
    CheckedUnits,
    CheckedView,
    Coming,
    Fulfillment,
    FulfillmentLine,
    Pick,
    Promise,
    PromiseAgain,
    Scan,
    State,
    StoreFulfillmentView,
    WorkLine,
)
from commerce.fulfillment.tables import fulfillments, lines, steps
from commerce.fulfillment.tables import promises as promises_table
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.locations import Location

LOCKED = f"""
SELECT {COLUMNS} FROM fulfillment.fulfillments f JOIN fulfillment.lines l ON l.fulfillment_id = f.id
WHERE {{which}} ORDER BY f.id, l.id FOR NO KEY UPDATE OF f, l
"""  # noqa: S608
LOCK_NUMBER = LOCKED.format(which="f.number = :number")
LOCK_ORDER = LOCKED.format(which="f.order_id = :order")
LOCK_IDS = LOCKED.format(which="f.id = ANY(CAST(:ids AS uuid[]))")
"""Lines are locked with their head, so that a lock that was waited for answers what the other transaction wrote."""

LOCK_AFTER = """
SELECT {columns} FROM fulfillment.fulfillments f JOIN fulfillment.lines l ON l.fulfillment_id = f.id
WHERE f.number = :fulfillment AND (SELECT count(*) FROM {first}) > 0 ORDER BY l.id FOR NO KEY UPDATE OF f, l
"""
CHANGE_HEAD = """
UPDATE fulfillment.fulfillments SET state = CAST(:state AS text), at_risk = CAST(:at_risk AS boolean),
    promised_from = CAST(:promised_from AS timestamptz), promised_until = CAST(:promised_until AS timestamptz),
    ready_at = CAST(:ready_at AS timestamptz), pickup_by = CAST(:pickup_by AS timestamptz),
    closed_at = CAST(:closed_at AS timestamptz), cancel_reason = CAST(:cancel_reason AS text),
    code_counter = CAST(:code_counter AS integer), code_attempts = CAST(:code_attempts AS integer),
    version = CAST(:version AS integer)
WHERE id = CAST(:id AS uuid)
"""
CHANGE_LINES = """
UPDATE fulfillment.lines l SET picked = w.picked, handed_over = w.handed_over, cancelled = w.cancelled, passed_on = w.passed_on
FROM unnest(CAST(:lines AS uuid[]), CAST(:picked AS int[]), CAST(:handed_over AS int[]), CAST(:cancelled AS int[]),
            CAST(:passed_on AS int[])) AS w(id, picked, handed_over, cancelled, passed_on)
WHERE l.id = w.id
    AND (l.picked, l.handed_over, l.cancelled, l.passed_on) IS DISTINCT FROM (w.picked, w.handed_over, w.cancelled, w.passed_on)
"""
REJECTABLE: tuple[State, ...] = (*COMING, "open", "accepted", "picking")
WRONG_CODE = "UPDATE fulfillment.fulfillments SET code_attempts = code_attempts + 1 WHERE id = :id"


def open_pickup(
    tx: Tx,
    actor: Actor,
    *,
    order_id: UUID,
    order_number: str,
    location: Location,
    lines: Sequence[WorkLine],
    promise: Promise,
    state: Coming = "open",
    n: int = 1,
    replaces: UUID | None = None,
    id: UUID | None = None,  # noqa: A002 - that for which goods are set aside already
) -> Fulfillment:
    """A pickup at one store with the promise given. Queues rows only; the caller promises the stock to `fulfillment.id`.

    It waits (`awaiting_transfer`, `scheduled`) while goods are on their way or still expected. `n` counts the order's fulfillments;
    one that `replaces` another does what that one could not.
    """
    fulfillment = _make(
        tx, order_id=order_id, order_number=order_number, kind="pickup", location=location, work=lines, state=state,
        at=tx.at, promise=promise, n=n, replaces=replaces, id=id,
    )  # fmt: skip
    tx.queue(
        promises_table, fulfillment_id=fulfillment.id, n=1, promised_from=promise.from_at, promised_until=promise.until_at,
        reason="placed", given_at=tx.at,
    )  # fmt: skip
    _step(tx, actor, fulfillment, events.FulfillmentOpened, "opened", {}, tx.at)
    return fulfillment


def carry_out(
    tx: Tx,
    actor: Actor,
    *,
    order_id: UUID,
    order_number: str,
    location: Location,
    lines: Sequence[WorkLine],
    occurred_at: datetime,
) -> Fulfillment:
    """Goods that the customer took along at the till: collected from the start. Queues rows only."""
    fulfillment = _make(
        tx, order_id=order_id, order_number=order_number, kind="carry_out", location=location, work=lines,
        state="collected", at=occurred_at, promise=None,
    )  # fmt: skip
    _step(tx, actor, fulfillment, events.FulfillmentCollected, "carried_out", {}, occurred_at)
    return fulfillment


def _make(
    tx: Tx,
    *,
    order_id: UUID,
    order_number: str,
    kind: Any,
    location: Location,
    work: Sequence[WorkLine],
    state: State,
    at: datetime,
    promise: Promise | None,
    n: int = 1,
    replaces: UUID | None = None,
    id: UUID | None = None,  # noqa: A002
) -> Fulfillment:
    done = state == "collected"
    made = Fulfillment(
        id=id or uuid7(), order_id=order_id, number=f"{order_number}-{n}", kind=kind, location_id=location.id, state=state, at_risk=False,
        promised_from=promise.from_at if promise else None, promised_until=promise.until_at if promise else None,
        ready_at=None, pickup_by=None, closed_at=at if done else None, cancel_reason=None, code_counter=0, code_attempts=0,
        version=1, created_at=at,
        lines=[
            FulfillmentLine(
                id=uuid7(), order_line_id=line.order_line_id, variant_id=line.variant_id, quantity=line.quantity,
                picked=line.quantity if done else 0, handed_over=line.quantity if done else 0, cancelled=0,
                components=line.components or None,
            )
            for line in work
        ],
    )  # fmt: skip
    tx.queue(
        fulfillments, id=made.id, order_id=order_id, number=made.number, kind=kind, location_id=location.id, state=state,
        at_risk=False, promised_from=made.promised_from, promised_until=made.promised_until, closed_at=made.closed_at,
        replaces=replaces, version=1, created_at=at,
    )  # fmt: skip
    for line in made.lines:
        tx.queue(
            lines, id=line.id, fulfillment_id=made.id, order_line_id=line.order_line_id, variant_id=line.variant_id,
            quantity=line.quantity, picked=line.picked, handed_over=line.handed_over, cancelled=0, components=line.components,
        )  # fmt: skip
    return made


async def lock(tx: Tx, *, number: str, location: Location) -> Fulfillment:
    """Lock a fulfillment of a store, with its lines. One statement. Raises UnknownFulfillment, OtherStore."""
    return the_one(fulfillments_of(await tx.rows(LOCK_NUMBER, number=number)), number=number, location=location)


def lock_after(first: str) -> str:
    """The SELECT that locks the fulfillment `:fulfillment` with its lines, after the rows of the CTE `first` are locked: for a
    verb that locks its own rows and these in one statement. Answers `fulfillments_of` its rows."""
    return LOCK_AFTER.format(columns=COLUMNS, first=first)


async def lock_of_order(tx: Tx, *, order_id: UUID) -> list[Fulfillment]:
    """Lock every fulfillment of an order that the caller has locked. One statement."""
    return fulfillments_of(await tx.rows(LOCK_ORDER, order=order_id))


async def prove(tx: Tx, *, fulfillment: Fulfillment, code: str, secret_key: str) -> None:
    """Check the customer's pickup code of a fulfillment that is ready; nothing may be written before it.

    Raises WrongStep, PickupCodeLocked after five wrong codes, WrongPickupCode (kept: the attempt counts).
    """
    _require(fulfillment, "ready_for_pickup")
    if fulfillment.code_attempts_left == 0:
        raise PickupCodeLocked(order_number=fulfillment.order_number)
    if not hmac.compare_digest(pickup_code(fulfillment, secret_key=secret_key).encode(), code.encode()):
        await tx.execute(WRONG_CODE, id=fulfillment.id)
        raise WrongPickupCode(attempts_left=fulfillment.code_attempts_left - 1)


def pickup_code(fulfillment: Fulfillment, *, secret_key: str) -> str:
    """The six digits that its customer shows; never stored. A new counter makes another."""
    return auth.derived_code(secret_key, fulfillment.id, fulfillment.code_counter)


async def settle_risk(tx: Tx, *, fulfillment: Fulfillment) -> None:
    """After the caller has moved the stock of a locked fulfillment, and before he records why: nothing is at risk any more
    when nothing is missing. One statement, none when it was not at risk."""
    if fulfillment.at_risk:
        fulfillment.at_risk = bool(await stock.lost(tx, kind="fulfillment", ids=[fulfillment.id]))


async def settle_waiting(tx: Tx, *, fulfillment: Fulfillment) -> None:
    """After the caller has given up units that a locked fulfillment was waiting for, and before he records why: it waits no more when
    the rest is there. One statement, none when nothing was coming."""
    if fulfillment.coming:
        where = await stock.whereabouts(tx, kind="fulfillment", ids=[fulfillment.id])
        fulfillment.state = state_of(fulfillment.location_id, where.get(fulfillment.id, {}))


def hand_over(
    tx: Tx, actor: Actor, *, fulfillment: Fulfillment, quantities: Mapping[UUID, int], hand_over_id: UUID
) -> None:
    """Units by order line are in the customer's hands; collected when nothing is left. Queued.

    The caller has proved the code, moved the stock and taken the money. `hand_over_id` is the document of this act.
    """
    for line in fulfillment.lines:
        line.handed_over += quantities.get(line.order_line_id, 0)
    done = not any(line.outstanding for line in fulfillment.lines)
    event: type[events.FulfillmentEvent] = events.FulfillmentPartlyCollected
    if done:
        event = events.FulfillmentCollected
        fulfillment.state = "collected"
        fulfillment.closed_at = tx.at
    _change(
        tx, actor, fulfillment, event, "collected" if done else "partly_collected",
        {"hand_over_id": hand_over_id, "lines": _by_line(quantities)},
    )  # fmt: skip


def cancel(
    tx: Tx,
    actor: Actor,
    *,
    fulfillment: Fulfillment,
    reason: str,
    note: str | None = None,
    quantities: Mapping[UUID, int] | None = None,
) -> dict[UUID, int]:
    """Give up outstanding units (all of them, or some by order line); the units given up, by order line. Queued.

    Cancelled when nothing was handed over, collected when the rest was, picked when only these were still to be picked. The
    caller has released the stock.
    """
    given_up = {}
    for line in fulfillment.lines:
        units = line.outstanding if quantities is None else quantities.get(line.order_line_id, 0)
        if units:
            line.cancelled += units
            given_up[line.order_line_id] = units
    what = "partly_cancelled"
    event: type[events.FulfillmentEvent] = events.FulfillmentPartlyCancelled
    detail: dict[str, Any] = {"reason": reason, "note": note, "lines": _by_line(given_up)}
    extra: dict[str, Any] = {"reason": reason}
    if not any(line.outstanding for line in fulfillment.lines):
        fulfillment.closed_at = tx.at
        fulfillment.cancel_reason = reason
        if any(line.handed_over for line in fulfillment.lines):
            fulfillment.state = "collected"
        else:
            fulfillment.state = "cancelled"
            what, event = "cancelled", events.FulfillmentCancelled
    picked = fulfillment.state == "picking" and _all_picked(fulfillment)
    if picked:
        fulfillment.state = "picked"
    _change(tx, actor, fulfillment, event, what, detail, **extra)
    if picked:
        _tell(tx, actor, fulfillment, events.FulfillmentPicked)
    return given_up


def require_rejectable(fulfillment: Fulfillment) -> None:
    """Raises WrongStep once everything is picked."""
    _require(fulfillment, *REJECTABLE)


def reject(tx: Tx, actor: Actor, *, fulfillment: Fulfillment, reason: str, note: str | None = None) -> dict[UUID, int]:
    """The store of a locked fulfillment cannot do it: what is outstanding, by order line, is no longer its work. Queued.

    The caller has released the stock, and opens another fulfillment or asks the customer. Raises WrongStep once something is picked
    for the customer to come.
    """
    _require(fulfillment, *REJECTABLE)
    units = {line.order_line_id: line.outstanding for line in fulfillment.lines if line.outstanding}
    for line in fulfillment.lines:
        line.passed_on += line.outstanding
    fulfillment.state = "rejected"
    fulfillment.closed_at = tx.at
    fulfillment.cancel_reason = reason
    _change(
        tx, actor, fulfillment, events.FulfillmentRejected, "rejected", {"reason": reason, "note": note, "lines": _by_line(units)},
        reason=reason, units=_by_line(units),
    )  # fmt: skip
    return units


async def pass_on(
    tx: Tx, actor: Actor, *, fulfillment: Fulfillment, units: Mapping[UUID, int], reason: str
) -> dict[UUID, int]:
    """Units that a locked fulfillment waits for do not come: so many by order line, as far as they are outstanding, are no longer its
    work; it is rejected when nothing is left. Queued, but for one statement. The caller has released their stock."""
    given = {
        line.order_line_id: min(line.outstanding, units[line.order_line_id])
        for line in fulfillment.lines
        if line.outstanding and units.get(line.order_line_id)
    }
    if all(line.outstanding == given.get(line.order_line_id, 0) for line in fulfillment.lines):
        return reject(tx, actor, fulfillment=fulfillment, reason=reason)
    for line in fulfillment.lines:
        line.passed_on += given.get(line.order_line_id, 0)
    await settle_waiting(tx, fulfillment=fulfillment)
    _change(
        tx, actor, fulfillment, events.FulfillmentPassedOn, "passed_on", {"reason": reason, "lines": _by_line(given)},
        reason=reason, units=_by_line(given),
    )  # fmt: skip
    return given


async def goods_arrived(tx: Tx, actor: Actor, *, ids: Iterable[UUID]) -> int:
    """Goods that fulfillments were waiting for are somewhere else now: at their store the work can begin. How many changed.

    A fulfillment is `scheduled` while anything of it is only announced, `awaiting_transfer` while anything stands at or travels from
    another location, `open` after that. Two statements.
    """
    locked = fulfillments_of(await tx.rows(LOCK_IDS, ids=sorted(set(ids))))
    waiting = [fulfillment for fulfillment in locked if fulfillment.state in COMING]
    where = await stock.whereabouts(tx, kind="fulfillment", ids=[fulfillment.id for fulfillment in waiting])
    changed = 0
    for fulfillment in waiting:
        stands = list(where.get(fulfillment.id, ()))
        state = state_of(fulfillment.location_id, stands)
        if state == fulfillment.state:
            continue
        fulfillment.state = state
        _change(
            tx, actor, fulfillment, events.FulfillmentGoodsArrived, "goods_arrived", {"state": state}, state=state,
        )  # fmt: skip
        changed += 1
    return changed


def state_of(location_id: UUID, stands: Iterable[tuple[UUID, str]]) -> Coming:
    """How far the goods of a fulfillment are, from where they stand: (location, bucket)."""
    found = list(stands)
    if any(bucket == "promised" for _, bucket in found):
        return "scheduled"
    if any(bucket == "in_transit_committed" or place != location_id for place, bucket in found):
        return "awaiting_transfer"
    return "open"


def renew_codes(tx: Tx, actor: Actor, *, locked: Sequence[Fulfillment]) -> int:
    """A new pickup code, with five new attempts, for each pickup that is ready; how many there were. Queued."""
    ready = [fulfillment for fulfillment in locked if fulfillment.state == "ready_for_pickup"]
    for fulfillment in ready:
        fulfillment.code_counter += 1
        fulfillment.code_attempts = 0
        _change(tx, actor, fulfillment, events.PickupCodeRenewed, "pickup_code_renewed", {})
    return len(ready)


async def mark_at_risk(tx: Tx, actor: Actor, *, ids: Iterable[UUID], data: Mapping[str, Any]) -> int:
    """Goods that live pickups were promised are gone: the store must look before the customer travels. How many are new.

    What was found, handed over or given up before this news arrived is not at risk. Two statements.
    """
    locked = fulfillments_of(await tx.rows(LOCK_IDS, ids=sorted(set(ids))))
    missing = await stock.lost(tx, kind="fulfillment", ids=[fulfillment.id for fulfillment in locked])
    changed = 0
    for fulfillment in locked:
        if fulfillment.live and not fulfillment.at_risk and fulfillment.id in missing:
            fulfillment.at_risk = True
            _change(tx, actor, fulfillment, events.FulfillmentAtRisk, "at_risk", dict(data))
            changed += 1
    return changed


async def accept(tx: Tx, actor: Actor, *, code: str, number: str) -> StoreFulfillmentView:
    """The store takes the work on."""
    location, fulfillment = await _at(tx, code, number, "open")
    before, fulfillment.state = fulfillment.state, "accepted"
    _done_by_staff(tx, actor, fulfillment, before, events.FulfillmentAccepted, "accepted", {})
    return await store_view(tx, fulfillment, location)


async def pick(tx: Tx, actor: Actor, *, code: str, number: str, command: Pick) -> StoreFulfillmentView:
    """Scanned goods are picked; picked when all of them are. Units with codes of their own are picked by them.

    Raises NotInFulfillment, PickedTooMany, BundleIncomplete, stock.UnitCodesNeeded, stock.UnitCodesNotKept, stock.UnitCodeRepeated,
    stock.UnitNotHere, stock.UnitTaken.
    """
    location, fulfillment = await _at(tx, code, number, "accepted", "picking")
    counted, coded = await _scanned(tx, fulfillment, command)
    await stock.pick_units(
        tx, actor, owner=stock.Owner("fulfillment", fulfillment.id), location_id=location.id,
        units=_in_the_box(fulfillment, counted, coded), tracked=coded.tracked,
    )  # fmt: skip
    for line in fulfillment.lines:
        line.picked += counted.get(line.order_line_id, 0)
    done = _all_picked(fulfillment)
    before, fulfillment.state = fulfillment.state, "picked" if done else "picking"
    event = events.FulfillmentPicked if done else events.FulfillmentPicking
    _done_by_staff(tx, actor, fulfillment, before, event, fulfillment.state, {"lines": _by_line(counted)})
    return await store_view(tx, fulfillment, location)


async def pack(tx: Tx, actor: Actor, *, code: str, number: str) -> StoreFulfillmentView:
    """The goods are packed for the shelf."""
    location, fulfillment = await _at(tx, code, number, "picked")
    before, fulfillment.state = fulfillment.state, "packed"
    _done_by_staff(tx, actor, fulfillment, before, events.FulfillmentPacked, "packed", {})
    return await store_view(tx, fulfillment, location)


async def ready(tx: Tx, actor: Actor, *, code: str, number: str) -> StoreFulfillmentView:
    """The customer can come: from now until `pickup_by`, with a new code."""
    location, fulfillment = await _at(tx, code, number, "picked", "packed")
    before, fulfillment.state = fulfillment.state, "ready_for_pickup"
    fulfillment.ready_at = tx.at
    fulfillment.pickup_by = promises.kept_until(location, tx.at)
    fulfillment.code_counter += 1
    fulfillment.code_attempts = 0
    _done_by_staff(
        tx,
        actor,
        fulfillment,
        before,
        events.FulfillmentReady,
        "ready_for_pickup",
        {"pickup_by": fulfillment.pickup_by},
    )
    return await store_view(tx, fulfillment, location)


async def check(tx: Tx, actor: Actor, *, code: str, number: str) -> CheckedView:
    """Staff looked at the shelf: what was taken from this pickup and is there again is set aside for it again.

    Safe when nothing is missing any more, at risk otherwise. A check that changes nothing leaves an audit record alone.
    """
    location, fulfillment = await _at(tx, code, number, *LIVE)
    await transfers.lock_for_order(tx, owner=fulfillment.id)
    found = await stock.promise_again(
        tx, actor, owner=stock.Owner("fulfillment", fulfillment.id), cause=stock.Cause("fulfillment_check", uuid7()),
        location_id=location.id, business_date=location.business_date(tx.at),
    )  # fmt: skip
    missing = (await stock.lost(tx, kind="fulfillment", ids=[fulfillment.id])).get(fulfillment.id, {})
    before = {"at_risk": fulfillment.at_risk}
    if found:
        await transfers.trim_for_order(tx, actor, owner=fulfillment.id, reason="made_up")
    if found or fulfillment.at_risk != bool(missing):
        fulfillment.at_risk = bool(missing)
        event = events.FulfillmentAtRisk if missing else events.FulfillmentSafe
        what = "checked" if missing else "safe"
        _change(tx, actor, fulfillment, event, what, {"found": _by_line(found), "missing": _by_line(missing)})
    outbox.audit(
        tx, actor, "fulfillment.check", "fulfillment", fulfillment.id, before=before,
        after={"at_risk": fulfillment.at_risk, "found": sum(found.values()), "missing": sum(missing.values())},
    )  # fmt: skip
    touched = [line for line in fulfillment.lines if line.order_line_id in found or line.order_line_id in missing]
    variants = await catalog.variants(tx, sorted({line.variant_id for line in touched}))
    return CheckedView(
        number=fulfillment.number, state=fulfillment.state, at_risk=fulfillment.at_risk, version=fulfillment.version,
        **{
            name: [
                CheckedUnits(sku=variants[line.variant_id].sku, quantity=units[line.order_line_id])
                for line in touched if line.order_line_id in units
            ]
            for name, units in (("found", found), ("missing", missing))
        },
    )  # fmt: skip


async def promise_again(tx: Tx, actor: Actor, *, code: str, number: str, command: PromiseAgain) -> StoreFulfillmentView:
    """Give the customer a later promise; the earlier ones stay on record. Raises BadPromise."""
    location, fulfillment = await _at(tx, code, number, "open", "accepted", "picking", "picked", "packed")
    if not tx.at < command.from_at < command.until_at:
        raise BadPromise
    fulfillment.promised_from, fulfillment.promised_until = command.from_at, command.until_at
    await tx.execute(
        """
        INSERT INTO fulfillment.promises (fulfillment_id, n, promised_from, promised_until, reason, given_at)
        SELECT :id, count(*) + 1, :from_at, :until_at, :reason, :at FROM fulfillment.promises WHERE fulfillment_id = :id
        """,
        id=fulfillment.id, from_at=command.from_at, until_at=command.until_at, reason=command.reason, at=tx.at,
    )  # fmt: skip
    data = {"from_at": command.from_at, "until_at": command.until_at, "reason": command.reason}
    _done_by_staff(tx, actor, fulfillment, fulfillment.state, events.FulfillmentPromised, "promised", data)
    return await store_view(tx, fulfillment, location)


async def _at(tx: Tx, code: str, number: str, *states: State) -> tuple[Location, Fulfillment]:
    location = await locations.one(tx, code)
    fulfillment = await lock(tx, number=number, location=location)
    _require(fulfillment, *states)
    return location, fulfillment


def _require(fulfillment: Fulfillment, *states: State) -> None:
    if fulfillment.state not in states:
        raise WrongStep(number=fulfillment.number, state=fulfillment.state, needed=", ".join(states))


class Coded(Struct):
    """The variants that were scanned whose units have codes, and the codes that were named, by variant."""

    tracked: set[UUID] = field(default_factory=set)
    codes: dict[UUID, list[str]] = field(default_factory=dict)

    def note(self, scan: Scan, variant: catalog.Variant) -> None:
        """What a scan of a variant says."""
        self.tracked |= {part.variant_id for part in variant.components if part.tracking}
        if variant.tracking:
            self.tracked.add(variant.id)
        named = scan.unit_codes if variant.tracking else [*([scan.code] if scan.code else []), *scan.codes]
        self.codes.setdefault(variant.id, []).extend(named)


def _in_the_box(fulfillment: Fulfillment, counted: Mapping[UUID, int], coded: Coded) -> list[stock.NamedUnits]:
    """The units picked of each line, with their codes: those of a variant in the order of its lines, what is left over with the last."""
    units = []
    left = dict(coded.codes)
    for line in fulfillment.lines:
        picked = counted.get(line.order_line_id, 0)
        parts = [(part.variant_id, part.quantity) for part in line.components or ()] or [(line.variant_id, 1)]
        for variant_id, per_unit in parts if picked else ():
            codes = left.pop(variant_id, [])
            if len(codes) > picked * per_unit:
                left[variant_id] = codes[picked * per_unit :]
            units.append(
                stock.NamedUnits(
                    line_id=line.order_line_id, variant_id=variant_id, quantity=picked * per_unit,
                    codes=tuple(codes[: picked * per_unit]),
                )
            )  # fmt: skip
    over = [
        stock.NamedUnits(line_id=fulfillment.lines[0].order_line_id, variant_id=variant_id, quantity=0, codes=tuple(codes))
        for variant_id, codes in left.items() if codes
    ]  # fmt: skip
    return [*units, *over]


async def _scanned(tx: Tx, fulfillment: Fulfillment, command: Pick) -> tuple[dict[UUID, int], Coded]:
    """Units by order line. A bundle is picked as itself, or by its components, whole bundles at a time.

    Raises NotInFulfillment, PickedTooMany, BundleIncomplete."""
    coded = Coded()
    if not command.scans:
        return {}, coded
    by_sku, by_scan = await catalog.articles(
        tx,
        skus=[scan.sku for scan in command.scans if scan.sku],
        scans=[scan.data for scan in command.scans if scan.data and not scan.sku],
    )
    units: dict[UUID, int] = {}
    names: dict[UUID, str] = {}
    foreign = []
    ordered = {line.variant_id for line in fulfillment.lines} | {
        part.variant_id for line in fulfillment.lines for part in line.components or ()
    }
    for scan in command.scans:
        text = scan.sku or scan.data
        hit = by_sku.get(text) if scan.sku else by_scan.get(text)
        if hit is None or hit.variant.id not in ordered:
            foreign.append(text)
            continue
        names[hit.variant.id] = hit.variant.sku
        coded.note(scan, hit.variant)
        units[hit.variant.id] = units.get(hit.variant.id, 0) + scan.quantity * hit.quantity
    if foreign:
        raise NotInFulfillment(scans=", ".join(sorted(set(foreign))))
    counted: dict[UUID, int] = {}
    left = dict(units)
    for line in fulfillment.lines:
        # Units that were picked already may have been cancelled.
        room = max(0, line.quantity - line.cancelled - line.passed_on - line.picked)
        taken = min(left.get(line.variant_id, 0), room)
        if taken:
            left[line.variant_id] -= taken
        if line.components and room > taken:
            whole = min(room - taken, *(left.get(part.variant_id, 0) // part.quantity for part in line.components))
            for part in line.components:
                left[part.variant_id] = left.get(part.variant_id, 0) - whole * part.quantity
            taken += whole
        if taken:
            counted[line.order_line_id] = taken
    for variant_id, over in left.items():
        if over <= 0:
            continue
        for line in fulfillment.lines:
            if any(part.variant_id == variant_id for part in line.components or ()) and counted.get(
                line.order_line_id, 0
            ) < (line.quantity - line.cancelled - line.passed_on - line.picked):
                missing = [part.sku for part in line.components or () if left.get(part.variant_id, 0) < part.quantity]
                raise BundleIncomplete(sku=names[variant_id], missing=", ".join(missing))
        raise PickedTooMany(sku=names[variant_id], left=units[variant_id] - over, scanned=units[variant_id])
    return counted, coded


def _all_picked(fulfillment: Fulfillment) -> bool:
    return all(line.picked >= line.quantity - line.cancelled - line.passed_on for line in fulfillment.lines)


def _done_by_staff(
    tx: Tx,
    actor: Actor,
    fulfillment: Fulfillment,
    before: str,
    event: type[events.FulfillmentEvent],
    what: str,
    data: Mapping[str, Any],
) -> None:
    _change(tx, actor, fulfillment, event, what, data)
    outbox.audit(
        tx, actor, f"fulfillment.{what}", "fulfillment", fulfillment.id,
        before={"state": before}, after={"state": fulfillment.state},
    )  # fmt: skip


def _change(
    tx: Tx,
    actor: Actor,
    fulfillment: Fulfillment,
    event: type[events.FulfillmentEvent],
    what: str,
    data: Mapping[str, Any],
    **extra: Any,
) -> None:
    """Write a locked fulfillment as it now is, one version on, with the step and the event, just before the commit.

    What is closed is not at risk: nobody travels for it any more."""
    fulfillment.version += 1
    fulfillment.at_risk = fulfillment.at_risk and fulfillment.live
    tx.defer(
        CHANGE_HEAD, id=fulfillment.id, version=fulfillment.version, state=fulfillment.state, at_risk=fulfillment.at_risk,
        promised_from=fulfillment.promised_from, promised_until=fulfillment.promised_until, ready_at=fulfillment.ready_at,
        pickup_by=fulfillment.pickup_by, closed_at=fulfillment.closed_at, cancel_reason=fulfillment.cancel_reason,
        code_counter=fulfillment.code_counter, code_attempts=fulfillment.code_attempts,
    )  # fmt: skip
    tx.defer(
        CHANGE_LINES, lines=[line.id for line in fulfillment.lines], picked=[line.picked for line in fulfillment.lines],
        handed_over=[line.handed_over for line in fulfillment.lines],
        cancelled=[line.cancelled for line in fulfillment.lines],
        passed_on=[line.passed_on for line in fulfillment.lines],
    )  # fmt: skip
    _step(tx, actor, fulfillment, event, what, data, tx.at, **extra)


def _step(
    tx: Tx,
    actor: Actor,
    fulfillment: Fulfillment,
    event: type[events.FulfillmentEvent],
    what: str,
    data: Mapping[str, Any],
    at: datetime,
    **extra: Any,
) -> None:
    tx.queue(
        steps, id=uuid7(), fulfillment_id=fulfillment.id, version=fulfillment.version, what=what,
        actor=outbox.actor_record(actor), data=dict(data), occurred_at=at,
    )  # fmt: skip
    _tell(tx, actor, fulfillment, event, **extra)


def _tell(tx: Tx, actor: Actor, fulfillment: Fulfillment, event: type[events.FulfillmentEvent], **extra: Any) -> None:
    outbox.record(
        tx, actor,
        event(
            aggregate_id=fulfillment.id, version=fulfillment.version, number=fulfillment.number,
            order_id=fulfillment.order_id, location_id=fulfillment.location_id, **extra,
        ),
    )  # fmt: skip


def _by_line(quantities: Mapping[UUID, int]) -> dict[str, int]:
    return {str(line): units for line, units in quantities.items() if units}
