"""Verbs of `transfers`: the steps of the staff at both ends.

A verb locks the head of its document; lines change under that lock alone. Stock comes last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET

from commerce import catalog, locations, stock
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.locations import Location
from commerce.transfers import events, queries
from commerce.transfers.errors import (
    DestinationCannotReceive,
    DiscrepancyUnexplained,
    DispatchedTooMany,
    MissingTooMany,
    NothingArrives,
    NothingLeaves,
    NotInTransfer,
    NotSetAside,
    ShortReasonMissing,
    SkuLeft,
    SkuNamed,
    SkuUnits,
    TransferAwaitsGoods,
    TransferChanged,
    TransferElsewhere,
    TransferInPast,
    TransferOnItsWay,
    TransferServesOrder,
    TransferToItself,
    TransferTooFarOff,
    TransferTooMuch,
    TransferWrongStep,
    UnknownTransfer,
)
from commerce.transfers.numbers import new_number, read_number
from commerce.transfers.schemas import (
    MAXIMUM,
    AskForGoods,
    CancelTransfer,
    ChangeTransfer,
    CloseTransfer,
    CreateTransfer,
    DiscrepancyReason,
    DispatchLine,
    DispatchTransfer,
    Kind,
    Line,
    ReceiveLine,
    ReceiveTransfer,
    ShortReason,
    State,
    Transfer,
    TransferLineInput,
    TransferStep,
    TransferView,
)
from commerce.transfers.tables import lines as lines_table
from commerce.transfers.tables import steps, transfers

LOCK_NUMBER = queries.BY_NUMBER + " FOR NO KEY UPDATE"
REMOVE_LINES = "DELETE FROM transfers.lines WHERE transfer_id = :id"
CHANGE_HEAD = """
UPDATE transfers.transfers SET state = CAST(:state AS text), remark = CAST(:remark AS text), expected_on = CAST(:expected_on AS date),
    cancel_reason = CAST(:cancel_reason AS text), ready_at = CAST(:ready_at AS timestamptz),
    dispatched_at = CAST(:dispatched_at AS timestamptz), closed_at = CAST(:closed_at AS timestamptz),
    version = CAST(:version AS integer)
WHERE id = CAST(:id AS uuid)
"""
CHANGE_LINES = """
UPDATE transfers.lines l SET cancelled = w.cancelled, freed = w.freed, dispatched = w.dispatched, received = w.received,
    quality_control = w.quality_control, damaged = w.damaged, missing = w.missing, surplus = w.surplus,
    short_reason = w.short_reason, discrepancy_reason = w.discrepancy_reason, remark = w.remark
FROM unnest(CAST(:ids AS uuid[]), CAST(:cancelled AS int[]), CAST(:freed AS int[]), CAST(:dispatched AS int[]),
            CAST(:received AS int[]), CAST(:quality_control AS int[]), CAST(:damaged AS int[]), CAST(:missing AS int[]),
            CAST(:surplus AS int[]), CAST(:short_reason AS text[]), CAST(:discrepancy_reason AS text[]), CAST(:remark AS text[]))
    AS w(id, cancelled, freed, dispatched, received, quality_control, damaged, missing, surplus, short_reason, discrepancy_reason, remark)
WHERE l.id = w.id
"""
AHEAD = timedelta(days=3650)
"""How far ahead goods are planned."""
COUNTED = (
    "cancelled", "freed", "dispatched", "received", "quality_control", "damaged", "missing", "surplus", "short_reason",
    "discrepancy_reason", "remark",
)  # fmt: skip
"""What changes of a line."""
ShelfBucket = Literal["available", "quality_control", "damaged"]
Fate = Literal["available", "quality_control", "damaged", "loss"]
FATES: tuple[Fate, ...] = ("available", "quality_control", "damaged", "loss")
ARRIVING: tuple[ShelfBucket, ...] = ("available", "quality_control", "damaged")
Named = TypeVar("Named", DispatchLine, ReceiveLine)


class Came(msgspec.Struct, kw_only=True):
    """What came now of one variant, before it is told to the lines that carry it."""

    sku: str
    units: dict[Fate, int]
    reason: DiscrepancyReason | None
    remark: str | None

    @property
    def total(self) -> int:
        """Units that arrived or are missing."""
        return sum(self.units.values())

    @property
    def physical(self) -> int:
        """Units that stand at the destination now."""
        return self.total - self.units["loss"]


class Left(msgspec.Struct, kw_only=True):
    """What leaves of one variant, before it is told to the lines that carry it."""

    units: int
    reason: ShortReason | None
    remark: str | None


async def create(tx: Tx, actor: Actor, *, command: CreateTransfer) -> TransferView:
    """A draft between two locations; one of them is the actor's.

    Raises UnknownLocation, TransferToItself, TransferNotYours, DestinationCannotReceive, stock.UnknownSkus, stock.BundleHasNoStock,
    TransferTooMuch, TransferInPast, TransferTooFarOff.
    """
    return await _create(
        tx, actor, source=command.source, destination=command.destination, kind=command.kind, wanted=command.lines,
        expected_on=command.expected_on, note=command.note,
    )  # fmt: skip


async def ask(tx: Tx, actor: Actor, *, code: str, command: AskForGoods) -> TransferView:
    """A draft by which store `code` asks another location for goods. Raises what `create` raises."""
    return await _create(
        tx, actor, source=command.source, destination=code, kind=command.kind, wanted=command.lines,
        expected_on=command.expected_on, note=command.note,
    )  # fmt: skip


async def _create(
    tx: Tx,
    actor: Actor,
    *,
    source: str,
    destination: str,
    kind: Kind,
    wanted: Sequence[TransferLineInput],
    expected_on: date | None,
    note: str | None,
) -> TransferView:
    places = await locations.by_codes(tx, [source, destination])
    for code in (source, destination):
        if code not in places:
            raise locations.UnknownLocation(location=code)
    if source == destination:
        raise TransferToItself(location=source)
    queries.require_end(actor, places[source], places[destination])
    _require_receiver(tx, places[destination])
    transfer = Transfer(
        id=uuid7(), number=new_number(), kind=kind, source_id=places[source].id, destination_id=places[destination].id,
        state="draft", order_number=None, remark=note, expected_on=tx.at.date(), cancel_reason=None, version=1, created_at=tx.at,
        ready_at=None, dispatched_at=None, closed_at=None, lines=await _lines(tx, wanted),
    )  # fmt: skip
    transfer.expected_on = await _expected_on(tx, transfer, places[destination], expected_on)
    put(tx, transfer)
    step = write_step(tx, actor, transfer, "created", {"lines": len(transfer.lines)})
    publish(tx, actor, transfer, events.TransferCreated)
    outbox.audit(
        tx, actor, "transfer.create", "transfer", transfer.id,
        after={"number": transfer.number, "source": source, "destination": destination, "lines": len(transfer.lines)},
    )  # fmt: skip
    return await queries.view(tx, transfer, {place.id: place for place in places.values()}, step)


async def change(
    tx: Tx, actor: Actor, *, number: str, command: ChangeTransfer, if_match: int | None = None
) -> TransferView:
    """Other lines of a draft; another date or note of a draft or of what is ready. Nothing happens when nothing differs.

    Raises UnknownTransfer, TransferNotYours, TransferChanged, TransferWrongStep, TransferServesOrder, stock.UnknownSkus,
    stock.BundleHasNoStock, TransferTooMuch, TransferInPast, TransferTooFarOff.
    """
    transfer = await _locked(tx, number, if_match)
    places = await _places(tx, transfer)
    source, destination = places[transfer.source_id], places[transfer.destination_id]
    queries.require_end(actor, source, destination)
    _require(transfer, "draft", *(() if command.lines is not UNSET else ("ready",)))
    before = {"expected_on": transfer.expected_on, "lines": len(transfer.lines)}
    changed = []
    if command.lines is not UNSET:
        if transfer.order_number is not None:
            raise TransferServesOrder(number=transfer.number, order_number=transfer.order_number)
        wanted = await _lines(tx, command.lines)
        if [(line.variant_id, line.quantity) for line in wanted] != [
            (line.variant_id, line.quantity) for line in transfer.lines
        ]:
            await tx.execute(REMOVE_LINES, id=transfer.id)
            transfer.lines, transfer.seen = wanted, {line.id: line for line in wanted}
            _put_lines(tx, transfer)
            changed.append("lines")
    if command.expected_on is not UNSET and command.expected_on != transfer.expected_on:
        transfer.expected_on = await _expected_on(tx, transfer, destination, command.expected_on)
        changed.append("expected_on")
    if command.note is not UNSET and command.note != transfer.remark:
        transfer.remark = command.note
        changed.append("note")
    if not changed:
        return await queries.view(tx, transfer, places)
    step = record(tx, actor, transfer, "changed", {"fields": changed})
    publish(tx, actor, transfer, events.TransferChanged, owners_of(transfer))
    after = {"expected_on": transfer.expected_on, "lines": len(transfer.lines), "fields": changed}
    outbox.audit(tx, actor, "transfer.change", "transfer", transfer.id, before=before, after=after)
    return await queries.view(tx, transfer, places, step)


async def ready(tx: Tx, actor: Actor, *, code: str, number: str, if_match: int | None = None) -> TransferView:
    """The source sets the goods aside: draft → ready, all lines or none. An order's goods are set aside already.

    Raises UnknownLocation, UnknownTransfer, TransferElsewhere, TransferChanged, TransferWrongStep, DestinationCannotReceive,
    TransferAwaitsGoods, stock.InsufficientStock.
    """
    transfer, places, source = await _at(tx, code, number, if_match, "source", "draft")
    _require_receiver(tx, places[transfer.destination_id])
    if transfer.order_number is not None and not await goods_are_in(tx, transfer):
        raise TransferAwaitsGoods(number=transfer.number)
    transfer.state, transfer.ready_at = "ready", tx.at
    step = record(tx, actor, transfer, "ready", {})
    publish(tx, actor, transfer, events.TransferReady, owners_of(transfer))
    outbox.audit(
        tx, actor, "transfer.ready", "transfer", transfer.id, before={"state": "draft"}, after={"state": transfer.state}
    )
    shown = await queries.view(tx, transfer, places, step)
    demands = [
        stock.Demand(line_id=line.id, location_id=source.id, variant_id=line.variant_id, quantity=line.wanted)
        for line in transfer.lines
        if line.owner_id is None and line.wanted > 0
    ]
    if demands:
        try:
            await stock.promise(
                tx, actor, owner=stock.Owner("transfer", transfer.id), demands=demands,
                cause=stock.Cause("transfer_ready", transfer.document), business_date=source.business_date(tx.at),
            )  # fmt: skip
        except stock.InsufficientStock as refusal:
            skus = {line.variant_id: named.sku for line, named in zip(transfer.lines, shown.lines, strict=True)}
            refusal.members["lines"] = [
                {
                    "sku": skus[short.variant_id],
                    "location": code,
                    "wanted": short.wanted,
                    "left": short.left,
                    "near": [],
                }
                for short in refusal.short
            ]
            raise
    return shown


async def dispatch(
    tx: Tx, actor: Actor, *, code: str, number: str, command: DispatchTransfer, if_match: int | None = None
) -> TransferView:
    """The goods leave the source: ready → in_transit. What is named leaves, what is not stays behind for a reason: a transfer's own
    units are free again; an order's stay committed to it at the source, and TransferFellShort tells.

    Raises UnknownLocation, UnknownTransfer, TransferElsewhere, TransferChanged, TransferWrongStep, NotInTransfer, TransferTooMuch,
    DispatchedTooMany, ShortReasonMissing, NothingLeaves, TransferInPast, TransferTooFarOff, NotSetAside, stock.LevelTooHigh.
    """
    transfer, places, source = await _at(tx, code, number, if_match, "source", "ready")
    destination = places[transfer.destination_id]
    variants = await _variants(tx, transfer)
    skus = _skus(variants)
    if command.lines is None:
        for line in transfer.lines:
            line.dispatched = line.wanted
    else:
        _leave(transfer, skus, await _leaving(tx, skus, command.lines), command.short_reason)
    leaving = [line for line in transfer.lines if line.dispatched > 0]
    behind = [line for line in transfer.lines if line.dispatched < line.wanted]
    if not leaving:
        raise NothingLeaves(number=transfer.number)
    if command.expected_on is not None or transfer.expected_on < destination.business_date(tx.at):
        transfer.expected_on = await _expected_on(tx, transfer, destination, command.expected_on)
    transfer.state, transfer.dispatched_at = "in_transit", tx.at
    step = record(
        tx, actor, transfer, "dispatched",
        {
            "lines": [{"line_id": line.id, "variant_id": line.variant_id, "quantity": line.dispatched} for line in leaving],
            "left_behind": [
                {"line_id": line.id, "quantity": line.wanted - line.dispatched, "reason": line.short_reason} for line in behind
            ],
        },
    )  # fmt: skip
    publish(
        tx, actor, transfer, events.TransferDispatched, _owners(leaving), expected_on=transfer.expected_on,
        lines=[events.MovedLine(line_id=line.id, variant_id=line.variant_id, quantity=line.dispatched) for line in leaving],
    )  # fmt: skip
    fell_short(tx, actor, transfer, [(line, line.wanted - line.dispatched, "left_behind") for line in behind])
    outbox.audit(
        tx, actor, "transfer.dispatch", "transfer", transfer.id, before={"state": "ready"},
        after={"state": transfer.state, "units": sum(line.dispatched for line in leaving), "left_behind": len(behind)},
    )  # fmt: skip
    shown = await queries.view(tx, transfer, places, step, variants)
    cause_id, business_date = transfer.document, source.business_date(tx.at)
    own = stock.Owner("transfer", transfer.id)
    try:
        await stock.dispatch(
            tx, actor, cause=stock.Cause("transfer_dispatched", cause_id), document_id=transfer.id, source_id=source.id,
            destination_id=destination.id, expected_on=transfer.expected_on, business_date=business_date,
            lines=[
                stock.Freight(
                    id=line.id, variant_id=line.variant_id, quantity=line.dispatched,
                    owner=own if line.owner_id is None else stock.Owner("fulfillment", line.owner_id),
                    line_id=line.order_line_id or line.id,
                )
                for line in leaving
            ],
        )  # fmt: skip
    except stock.ReservationShort as refusal:
        named = {line.order_line_id or line.id: skus[line.variant_id] for line in reversed(transfer.lines)}
        raise NotSetAside(
            lines=[
                SkuLeft(sku=named[UUID(str(short["line_id"]))], wanted=short["wanted"], left=short["left"])
                for short in refusal.members["lines"]
            ]
        ) from refusal
    if any(line.owner_id is None for line in behind):
        await stock.release(
            tx, actor, owner=own, cause=stock.Cause("transfer_left_behind", cause_id), business_date=business_date
        )
    return shown


async def receive(
    tx: Tx, actor: Actor, *, code: str, number: str, command: ReceiveTransfer, if_match: int | None = None
) -> TransferView:
    """Goods arrive at the destination, in one part or several: intact, to be judged, or damaged; or they are missing. More than was
    sent is found. The transfer is received when the fate of every unit is known.

    Raises UnknownLocation, UnknownTransfer, TransferElsewhere, TransferChanged, TransferWrongStep, NotInTransfer, TransferTooMuch,
    DiscrepancyUnexplained, MissingTooMany, NothingArrives, stock.LevelTooHigh.
    """
    transfer, places, destination = await _at(
        tx, code, number, if_match, "destination", "in_transit", "partially_received"
    )
    variants = await _variants(tx, transfer)
    skus = _skus(variants)
    if command.lines is None:
        came = {
            variant_id: _came(skus[variant_id], available=units)
            for variant_id, units in _on_the_way(transfer).items()
            if units > 0
        }
    else:
        came = await _coming(tx, skus, command.lines)
        _require_explained(transfer, came)
    if not any(entry.total for entry in came.values()):
        raise NothingArrives(number=transfer.number)
    return await _arrive(tx, actor, transfer, places, destination, variants, came, "received")


async def close(
    tx: Tx, actor: Actor, *, code: str, number: str, command: CloseTransfer, if_match: int | None = None
) -> TransferView:
    """Nothing more will come: what is still on its way is lost.

    Raises UnknownLocation, UnknownTransfer, TransferElsewhere, TransferChanged, TransferWrongStep.
    """
    transfer, places, destination = await _at(
        tx, code, number, if_match, "destination", "in_transit", "partially_received"
    )
    variants = await _variants(tx, transfer)
    skus = _skus(variants)
    came = {
        variant_id: _came(skus[variant_id], loss=units, reason=command.reason, remark=command.note)
        for variant_id, units in _on_the_way(transfer).items()
        if units > 0
    }
    return await _arrive(tx, actor, transfer, places, destination, variants, came, "closed")


async def cancel(
    tx: Tx, actor: Actor, *, number: str, command: CancelTransfer, if_match: int | None = None
) -> TransferView:
    """Nothing travels: a transfer's own goods are free again; an order's stay committed to it at the source, and
    TransferFellShort tells.

    Raises UnknownTransfer, TransferNotYours, TransferChanged, TransferOnItsWay, TransferWrongStep.
    """
    transfer = await _locked(tx, number, if_match)
    places = await _places(tx, transfer)
    source = places[transfer.source_id]
    queries.require_end(actor, source, places[transfer.destination_id])
    if transfer.state in ("in_transit", "partially_received"):
        raise TransferOnItsWay(number=transfer.number)
    _require(transfer, "draft", "ready")
    before = transfer.state
    set_aside = before == "ready" and any(line.owner_id is None and line.wanted > 0 for line in transfer.lines)
    transfer.state, transfer.closed_at, transfer.cancel_reason = "cancelled", tx.at, command.reason
    step = record(tx, actor, transfer, "cancelled", {"reason": command.reason})
    publish(tx, actor, transfer, events.TransferCancelled, owners_of(transfer))
    fell_short(tx, actor, transfer, [(line, line.wanted, "left_behind") for line in transfer.lines])
    outbox.audit(
        tx, actor, "transfer.cancel", "transfer", transfer.id, before={"state": before}, after={"state": transfer.state}
    )
    shown = await queries.view(tx, transfer, places, step)
    if set_aside:
        await stock.release(
            tx, actor, owner=stock.Owner("transfer", transfer.id),
            cause=stock.Cause("transfer_cancelled", transfer.document), business_date=source.business_date(tx.at),
        )  # fmt: skip
    return shown


async def goods_are_in(tx: Tx, transfer: Transfer) -> bool:
    """Whether all that the orders of its lines wait for at the source has come in. One statement."""
    owners = owners_of(transfer)
    standing = await stock.whereabouts(tx, kind="fulfillment", ids=owners)
    return all(
        (transfer.source_id, "committed") in standing.get(owner_id, {})
        and (transfer.source_id, "promised") not in standing[owner_id]
        for owner_id in owners
    )


def owners_of(transfer: Transfer) -> list[UUID]:
    """The fulfillments that still want goods of this transfer."""
    return _owners(line for line in transfer.lines if line.wanted > line.freed)


def put(tx: Tx, transfer: Transfer) -> None:
    """Queue a new transfer with its lines."""
    tx.queue(
        transfers, id=transfer.id, number=transfer.number, kind=transfer.kind, source_id=transfer.source_id,
        destination_id=transfer.destination_id, state=transfer.state, order_number=transfer.order_number, remark=transfer.remark,
        expected_on=transfer.expected_on, version=1, created_at=transfer.created_at, ready_at=transfer.ready_at,
    )  # fmt: skip
    _put_lines(tx, transfer)


def _put_lines(tx: Tx, transfer: Transfer) -> None:
    for line in transfer.lines:
        tx.queue(
            lines_table, id=line.id, transfer_id=transfer.id, n=line.n, variant_id=line.variant_id, quantity=line.quantity,
            owner_id=line.owner_id, order_line_id=line.order_line_id,
        )  # fmt: skip


def record(tx: Tx, actor: Actor, transfer: Transfer, what: str, data: Mapping[str, Any]) -> TransferStep:
    """Write a locked transfer as it now is, one version on, with its step, just before the commit."""
    transfer.version += 1
    tx.defer(
        CHANGE_HEAD, id=transfer.id, state=transfer.state, remark=transfer.remark, expected_on=transfer.expected_on,
        cancel_reason=transfer.cancel_reason, ready_at=transfer.ready_at, dispatched_at=transfer.dispatched_at,
        closed_at=transfer.closed_at, version=transfer.version,
    )  # fmt: skip
    changed = [line for line in transfer.lines if line != transfer.seen[line.id]]
    if changed:
        tx.defer(
            CHANGE_LINES, ids=[line.id for line in changed], **{name: [getattr(line, name) for line in changed] for name in COUNTED}
        )  # fmt: skip
    return write_step(tx, actor, transfer, what, data)


def write_step(tx: Tx, actor: Actor, transfer: Transfer, what: str, data: Mapping[str, Any]) -> TransferStep:
    """Queue the step of the transfer's version."""
    who, plain = outbox.actor_record(actor), msgspec.to_builtins(dict(data))
    tx.queue(
        steps, id=transfer.document, transfer_id=transfer.id, version=transfer.version, what=what, actor=who, data=plain, occurred_at=tx.at
    )  # fmt: skip
    return TransferStep(
        version=transfer.version, what=what, occurred_at=tx.at, actor=msgspec.to_builtins(who), data=plain
    )


def publish(
    tx: Tx, actor: Actor, transfer: Transfer, event: type[events.TransferEvent], owners: Sequence[UUID] = (), **extra: Any
) -> None:  # fmt: skip
    """Queue a fact of the transfer's version."""
    outbox.record(
        tx, actor,
        event(
            aggregate_id=transfer.id, version=transfer.version, number=transfer.number, source_id=transfer.source_id,
            destination_id=transfer.destination_id, order_number=transfer.order_number, fulfillment_ids=list(owners), **extra,
        ),
    )  # fmt: skip


def fell_short(tx: Tx, actor: Actor, transfer: Transfer, units: Sequence[tuple[Line, int, Any]]) -> None:
    """Tell the orders what they do not get, from (line, units, what became of them); nothing when no order lacks anything."""
    short = [
        events.ShortLine(
            fulfillment_id=line.owner_id, order_line_id=line.order_line_id, variant_id=line.variant_id, quantity=quantity, what=what
        )
        for line, quantity, what in units
        if quantity > 0 and line.owner_id is not None and line.order_line_id is not None
    ]  # fmt: skip
    if short:
        owners = list(dict.fromkeys(entry.fulfillment_id for entry in short))
        publish(tx, actor, transfer, events.TransferFellShort, owners, lines=short)


async def _arrive(
    tx: Tx,
    actor: Actor,
    transfer: Transfer,
    places: dict[UUID, Location],
    destination: Location,
    variants: dict[UUID, catalog.Variant],
    came: Mapping[UUID, Came],
    what: Literal["received", "closed"],
) -> TransferView:
    """Tell what came to the lines, the order's first where it is intact, last where it is not; then to the books."""
    owned = await _travelling(tx, transfer)
    arrivals: list[stock.Arrival] = []
    short: list[tuple[Line, int, Any]] = []
    moved: list[dict[str, Any]] = []
    for line in transfer.lines:
        entry = came.get(line.variant_id)
        if entry is None or not entry.total:
            continue
        last = line is _last_of(transfer, line.variant_id)
        moved.append(_arrived(line, entry, owned.get(line.id, 0), arrivals, short, last=last))
    moved = [entry for entry in moved if entry["units"] or entry["surplus"]]
    before = owners_of(transfer)
    done = all(line.on_the_way == 0 for line in transfer.lines)
    state_before = transfer.state
    transfer.state = "received" if done else "partially_received"
    transfer.closed_at = tx.at if done else None
    here = {entry["line_id"] for entry in moved}
    settled = [
        owner_id
        for owner_id in before
        for mine in [[line for line in transfer.lines if line.owner_id == owner_id]]
        if any(line.id in here for line in mine)
        and all(line.on_the_way == 0 for line in mine)
        and any(line.received for line in mine)
    ]
    step = record(
        tx, actor, transfer,
        what if what == "closed" or done else "partially_received", {"lines": moved},
    )  # fmt: skip
    publish(
        tx, actor, transfer, events.TransferReceived, settled, state=transfer.state,
        lines=[
            events.MovedLine(
                line_id=entry["line_id"], variant_id=entry["variant_id"],
                quantity=sum(entry["units"].get(bucket, 0) + entry["surplus"].get(bucket, 0) for bucket in ARRIVING),
            )
            for entry in moved
            if entry["surplus"] or entry["units"].keys() - {"loss"}
        ],
        missing=[
            events.MovedLine(line_id=entry["line_id"], variant_id=entry["variant_id"], quantity=entry["units"]["loss"])
            for entry in moved
            if "loss" in entry["units"]
        ],
    )  # fmt: skip
    fell_short(tx, actor, transfer, short)
    outbox.audit(
        tx, actor, "transfer.close" if what == "closed" else "transfer.receive", "transfer", transfer.id,
        before={"state": state_before}, after={"state": transfer.state, "lines": len(moved)},
    )  # fmt: skip
    shown = await queries.view(tx, transfer, places, step, variants)
    await stock.arrive(
        tx, actor, cause=stock.Cause("transfer_received", transfer.document),
        destination_id=destination.id, lines=arrivals, business_date=destination.business_date(tx.at),
    )  # fmt: skip
    return shown


def _arrived(
    line: Line,
    entry: Came,
    owned: int,
    arrivals: list[stock.Arrival],
    short: list[tuple[Line, int, Any]],
    *,
    last: bool,
) -> dict[str, Any]:
    """Take from `entry` what this line carries, and on the variant's last line all the rest as surplus.

    Of `owned` units its order waits for: it gets what is intact, and what nobody waits for bears the loss.
    """
    units: dict[str, int] = {}
    surplus: dict[str, int] = {}
    for fate in FATES:
        taken = min(entry.units[fate], line.on_the_way)
        if taken:
            entry.units[fate] -= taken
            units[fate] = taken
            lost = 0 if fate == "available" else max(0, taken - (line.on_the_way - owned))
            owned -= min(taken, owned) if fate == "available" else lost
            if lost:
                short.append((line, lost, "missing" if fate == "loss" else fate))
            _count(line, fate, taken)
            arrivals.append(stock.Arrival(id=line.id, variant_id=line.variant_id, quantity=taken, bucket=fate))
    for bucket in ARRIVING if last else ():
        found = entry.units[bucket]
        if found:
            surplus[bucket] = found
            line.surplus += found
            arrivals.append(
                stock.Arrival(id=line.id, variant_id=line.variant_id, quantity=found, bucket=bucket, surplus=True)
            )
    if units or surplus:
        line.discrepancy_reason = entry.reason or line.discrepancy_reason
        line.remark = entry.remark or line.remark
    return {
        "line_id": line.id, "variant_id": line.variant_id, "units": units, "surplus": surplus, "reason": entry.reason,
    }  # fmt: skip


def _count(line: Line, fate: Fate, units: int) -> None:
    if fate == "available":
        line.received += units
    elif fate == "quality_control":
        line.quality_control += units
    elif fate == "damaged":
        line.damaged += units
    else:
        line.missing += units


async def _travelling(tx: Tx, transfer: Transfer) -> dict[UUID, int]:
    """Units that are still committed to the order of their line, by line."""
    found: dict[UUID, int] = {}
    for owner_id in _owners(line for line in transfer.lines if line.on_the_way > 0):
        for held in await stock.reservations_of(tx, stock.Owner("fulfillment", owner_id)):
            if held.bucket == "in_transit_committed" and held.expected_id is not None:
                found[held.expected_id] = found.get(held.expected_id, 0) + held.quantity_open
    return found


async def _locked(tx: Tx, number: str, if_match: int | None) -> Transfer:
    """The head is locked first: its lines are read when whoever changed them is done."""
    kept = read_number(number)
    head = await tx.first(LOCK_NUMBER, number=kept) if kept is not None else None
    if head is None:
        raise UnknownTransfer(number=number)
    if if_match is not None and if_match != head.version:
        raise TransferChanged(seen=if_match, version=head.version)
    return queries.transfer_of(head, await tx.rows(queries.LINES, ids=[head.id]))


async def _at(
    tx: Tx, code: str, number: str, if_match: int | None, end: Literal["source", "destination"], *states: State
) -> tuple[Transfer, dict[UUID, Location], Location]:
    location = await locations.one(tx, code)
    transfer = await _locked(tx, number, if_match)
    if location.id not in (transfer.source_id, transfer.destination_id):
        raise UnknownTransfer(number=number)
    places = await _places(tx, transfer)
    here = places[transfer.source_id if end == "source" else transfer.destination_id]
    if here.id != location.id:
        raise TransferElsewhere(number=transfer.number, location=here.code)
    _require(transfer, *states)
    return transfer, places, here


async def _places(tx: Tx, transfer: Transfer) -> dict[UUID, Location]:
    return await locations.by_ids(tx, [transfer.source_id, transfer.destination_id])


def _require(transfer: Transfer, *states: State) -> None:
    if transfer.state not in states:
        raise TransferWrongStep(number=transfer.number, state=transfer.state, needed=", ".join(states))


def _require_receiver(tx: Tx, destination: Location) -> None:
    reason = destination.refusal("receives", tx.at)
    if reason is not None:
        raise DestinationCannotReceive(location=destination.code, reason=reason)


async def _expected_on(tx: Tx, transfer: Transfer, destination: Location, given: date | None) -> date:
    """The day given, or else the one that follows from the link between both ends. Raises TransferInPast, TransferTooFarOff."""
    today = destination.business_date(tx.at)
    if given is not None:
        if given < today:
            raise TransferInPast(expected_on=given.isoformat(), today=today.isoformat())
        if given > today + AHEAD:
            raise TransferTooFarOff(expected_on=given.isoformat(), latest=(today + AHEAD).isoformat())
        return given
    for link in (await locations.links_of(tx, [destination.id])).get(destination.id, ()):
        if link.source_id == transfer.source_id:
            return destination.business_date(tx.at + timedelta(hours=link.transit_hours))
    return today + timedelta(days=1)


async def _lines(tx: Tx, wanted: Sequence[TransferLineInput]) -> list[Line]:
    """New lines, one for each variant. Raises stock.UnknownSkus, stock.BundleHasNoStock, TransferTooMuch."""
    units: dict[str, int] = {}
    for line in wanted:
        units[line.sku] = units.get(line.sku, 0) + line.quantity
    variants = await catalog.by_skus(tx, list(units))
    unknown = [
        stock.UnknownLine(pointer=f"/lines/{n}/sku", sku=line.sku)
        for n, line in enumerate(wanted)
        if line.sku not in variants
    ]
    if unknown:
        raise stock.UnknownSkus(unknown)
    stock.refuse_bundles(variants.values())
    _require_bounds(units)
    return [
        Line(id=uuid7(), n=n, variant_id=variants[sku].id, quantity=quantity)
        for n, (sku, quantity) in enumerate(units.items(), 1)
    ]


def _require_bounds(units: Mapping[str, int]) -> None:
    if any(quantity > MAXIMUM for quantity in units.values()):
        raise TransferTooMuch(
            lines=[SkuUnits(sku=sku, quantity=quantity) for sku, quantity in units.items() if quantity > MAXIMUM]
        )


async def _variants(tx: Tx, transfer: Transfer) -> dict[UUID, catalog.Variant]:
    return await catalog.variants(tx, sorted({line.variant_id for line in transfer.lines}))


def _skus(variants: Mapping[UUID, catalog.Variant]) -> dict[UUID, str]:
    return {variant.id: variant.sku for variant in variants.values()}


async def _scanned(tx: Tx, skus: Mapping[UUID, str], given: Sequence[Named]) -> list[tuple[UUID, int, Named]]:
    """Each line of the request with its variant, and the units that one of its counts stands for. Raises NotInTransfer."""
    by_sku, by_scan = await catalog.articles(
        tx,
        skus=[line.sku for line in given if line.sku is not None],
        scans=[line.barcode for line in given if line.barcode is not None],
    )
    found, foreign = [], []
    for line in given:
        hit = by_sku.get(line.sku) if line.sku is not None else by_scan.get(line.barcode or "")
        if (line.sku is None) == (line.barcode is None) or hit is None or hit.variant.id not in skus:
            foreign.append(SkuNamed(sku=line.sku or line.barcode or ""))
        else:
            found.append((hit.variant.id, hit.quantity, line))
    if foreign:
        raise NotInTransfer(lines=foreign)
    return found


async def _leaving(tx: Tx, skus: Mapping[UUID, str], given: Sequence[DispatchLine]) -> dict[UUID, Left]:
    """Units that leave by variant, with the last reason and note given. Raises NotInTransfer, TransferTooMuch."""
    found: dict[UUID, Left] = {}
    for variant_id, each, line in await _scanned(tx, skus, given):
        entry = found.setdefault(variant_id, Left(units=0, reason=None, remark=None))
        entry.units += line.quantity * each
        entry.reason = line.short_reason or entry.reason
        entry.remark = line.note or entry.remark
    _require_bounds({skus[variant_id]: entry.units for variant_id, entry in found.items()})
    return found


def _leave(
    transfer: Transfer, skus: Mapping[UUID, str], named: Mapping[UUID, Left], short_reason: ShortReason | None
) -> None:
    """Tell what leaves to the lines, in their order. Raises DispatchedTooMany, ShortReasonMissing."""
    left = {variant_id: entry.units for variant_id, entry in named.items()}
    unexplained: dict[str, int] = {}
    ready_units: dict[UUID, int] = {}
    for line in transfer.lines:
        ready_units[line.variant_id] = ready_units.get(line.variant_id, 0) + line.wanted
        line.dispatched = min(line.wanted, left.get(line.variant_id, 0))
        if line.dispatched:
            left[line.variant_id] -= line.dispatched
        entry = named.get(line.variant_id)
        if line.dispatched < line.wanted:
            line.short_reason = (entry.reason if entry else None) or short_reason
            if line.short_reason is None:
                sku = skus[line.variant_id]
                unexplained[sku] = unexplained.get(sku, 0) + line.wanted - line.dispatched
        if entry is not None and entry.remark:
            line.remark = entry.remark
    over = [variant_id for variant_id, units in left.items() if units > 0]
    if over:
        raise DispatchedTooMany(
            lines=[
                SkuLeft(sku=skus[variant_id], wanted=named[variant_id].units, left=ready_units[variant_id]) for variant_id in over
            ]
        )  # fmt: skip
    if unexplained:
        raise ShortReasonMissing(lines=[SkuUnits(sku=sku, quantity=units) for sku, units in unexplained.items()])


def _came(
    sku: str, *, available: int = 0, loss: int = 0, reason: DiscrepancyReason | None = None, remark: str | None = None
) -> Came:
    units: dict[Fate, int] = {"available": available, "quality_control": 0, "damaged": 0, "loss": loss}
    return Came(sku=sku, units=units, reason=reason, remark=remark)


async def _coming(tx: Tx, skus: Mapping[UUID, str], given: Sequence[ReceiveLine]) -> dict[UUID, Came]:
    """What came by variant, with the last reason and note given. Raises NotInTransfer, TransferTooMuch."""
    found: dict[UUID, Came] = {}
    for variant_id, each, line in await _scanned(tx, skus, given):
        entry = found.setdefault(variant_id, _came(skus[variant_id]))
        entry.units["available"] += line.received * each
        entry.units["quality_control"] += line.quality_control * each
        entry.units["damaged"] += line.damaged * each
        entry.units["loss"] += line.missing * each
        entry.reason = line.reason or entry.reason
        entry.remark = line.note or entry.remark
    _require_bounds({entry.sku: entry.total for entry in found.values()})
    return found


def _require_explained(transfer: Transfer, came: Mapping[UUID, Came]) -> None:
    """Raises MissingTooMany, DiscrepancyUnexplained."""
    on_the_way = _on_the_way(transfer)
    over = [
        SkuLeft(sku=entry.sku, wanted=entry.total, left=on_the_way[variant_id])
        for variant_id, entry in came.items()
        if entry.units["loss"] > 0 and entry.total > on_the_way[variant_id]
    ]
    if over:
        raise MissingTooMany(lines=over)
    unexplained = [
        SkuLeft(sku=entry.sku, wanted=entry.total, left=on_the_way[variant_id])
        for variant_id, entry in came.items()
        if entry.reason is None and (entry.units["loss"] > 0 or entry.total > on_the_way[variant_id])
    ]
    if unexplained:
        raise DiscrepancyUnexplained(lines=unexplained)


def _on_the_way(transfer: Transfer) -> dict[UUID, int]:
    """Units by variant that have left and not arrived."""
    units: dict[UUID, int] = {}
    for line in transfer.lines:
        units[line.variant_id] = units.get(line.variant_id, 0) + line.on_the_way
    return units


def _last_of(transfer: Transfer, variant_id: UUID) -> Line:
    return [line for line in transfer.lines if line.variant_id == variant_id][-1]


def _owners(found: Any) -> list[UUID]:
    return list(dict.fromkeys(line.owner_id for line in found if line.owner_id is not None))
