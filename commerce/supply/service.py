"""Verbs of `supply`: suppliers, what they announce, and what of it comes.

An announcement's lines are `stock`'s plan rows with the same ids; a receipt is the cause of one posting. The announcement is locked
before anything in stock is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET

from commerce import catalog, locations, stock
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.locations import Location
from commerce.supply import events, queries
from commerce.supply.errors import (
    BadSupply,
    MoreThanAnnounced,
    NamedLine,
    NotAnnounced,
    NotYoursToPlan,
    OtherDestination,
    OverLine,
    ReasonNeeded,
    ReferenceTaken,
    StaleSupply,
    SupplierChanged,
    SupplyOver,
    UnknownExpectedReceipt,
)
from commerce.supply.numbers import new_number, read_number
from commerce.supply.schemas import (
    MOST,
    OPEN,
    Announce,
    Announcement,
    ArrivedGoods,
    Bucket,
    CancelSupply,
    ChangeSupply,
    CloseSupply,
    ExpectedReceiptView,
    Line,
    ReceiveSupply,
    SaveSupplier,
    ShortReason,
    SupplierView,
    SupplyReceiptView,
)
from commerce.supply.tables import lines as lines_table
from commerce.supply.tables import receipt_lines, receipts, steps

LINES_AT_MOST = 10_000
AHEAD = timedelta(days=3650)
"""Nothing is announced for later."""
LIMIT = 2**31 - 1

SUPPLIER_LOCKED = queries.SUPPLIER + " FOR NO KEY UPDATE"
NEW_SUPPLIER = """
INSERT INTO supply.suppliers (id, code, name, lead_days, external_ids, version, created_at, changed_at)
VALUES (:id, :code, CAST(:name AS jsonb), :lead_days, CAST(:external_ids AS jsonb), 1, :at, :at) ON CONFLICT (code) DO NOTHING
"""
CHANGE_SUPPLIER = """
UPDATE supply.suppliers SET name = CAST(:name AS jsonb), lead_days = CAST(:lead_days AS integer),
    external_ids = CAST(:external_ids AS jsonb), version = CAST(:version AS integer), changed_at = CAST(:at AS timestamptz)
WHERE id = CAST(:id AS uuid)
"""
NEW_ANNOUNCEMENT = """
INSERT INTO supply.announcements
    (id, number, supplier_id, reference, location_id, expected_on, state, inspect, remark, version, created_at)
VALUES (:id, :number, :supplier_id, :reference, :location_id, :expected_on, 'announced', :inspect, :remark, 1, :at)
ON CONFLICT (supplier_id, reference) DO NOTHING
"""
TAKEN = "SELECT number FROM supply.announcements WHERE supplier_id = :supplier_id AND reference = :reference"
LOCK_NUMBER = queries.HEAD + "WHERE a.number = :number FOR NO KEY UPDATE OF a"
LOCK_REFERENCES = queries.HEAD + "WHERE s.code = :supplier AND a.reference = :reference FOR NO KEY UPDATE OF a"
LOCK_LATE = (
    queries.HEAD
    + """
WHERE a.closed_at IS NULL AND a.overdue_at IS NULL AND a.expected_on < CAST(:before AS date)
  AND (CAST(:after_id AS uuid) IS NULL OR (a.expected_on, a.id) > (CAST(:after_on AS date), CAST(:after_id AS uuid)))
ORDER BY a.expected_on, a.id LIMIT :most FOR NO KEY UPDATE OF a SKIP LOCKED
"""
)
CHANGE_HEAD = """
UPDATE supply.announcements SET expected_on = CAST(:expected_on AS date), state = CAST(:state AS text),
    overdue_at = CAST(:overdue_at AS timestamptz), closed_at = CAST(:closed_at AS timestamptz), version = CAST(:version AS integer)
WHERE id = CAST(:id AS uuid)
"""
COUNTS = ("received", "quality_control", "damaged", "over", "cancelled", "short")
CHANGE_LINES = """
UPDATE supply.lines l SET received = w.received, quality_control = w.quality_control, damaged = w.damaged, over = w.over,
    cancelled = w.cancelled, short = w.short, received_unit_cost = w.received_unit_cost, reason = w.reason
FROM unnest(CAST(:lines AS uuid[]), CAST(:received AS int[]), CAST(:quality_control AS int[]), CAST(:damaged AS int[]),
            CAST(:over AS int[]), CAST(:cancelled AS int[]), CAST(:short AS int[]), CAST(:costs AS bigint[]), CAST(:reasons AS text[]))
    AS w(id, received, quality_control, damaged, over, cancelled, short, received_unit_cost, reason)
WHERE l.id = w.id
"""


class Portion(msgspec.Struct, kw_only=True):
    """Units of a line that came in one receipt, into one bucket; `over` of them beyond what was announced."""

    line: Line
    bucket: Bucket
    quantity: int
    over: int
    unit_cost: int | None
    reason: str | None
    codes: tuple[str, ...]


class Arrival(msgspec.Struct, kw_only=True):
    """What a line of the receiver's command says, in units of one variant."""

    variant: catalog.Variant
    good: int
    damaged: int
    command: ArrivedGoods

    @property
    def units(self) -> int:
        """All that came."""
        return self.good + self.damaged


async def save_supplier(
    tx: Tx, actor: Actor, *, code: str, command: SaveSupplier, if_match: int | None
) -> SupplierView:
    """Make or change a supplier. Raises SupplierChanged."""
    values: dict[str, Any] = {
        "name": msgspec.json.encode(command.name).decode(), "lead_days": command.lead_days,
        "external_ids": msgspec.json.encode(command.external_ids).decode(),
    }  # fmt: skip
    found = await tx.first(SUPPLIER_LOCKED, code=code)
    supplier_id = uuid7() if found is None else found.id
    if found is None and not await tx.execute(NEW_SUPPLIER, id=supplier_id, code=code, at=tx.at, **values):
        found = await tx.one(SUPPLIER_LOCKED, code=code)
        supplier_id = found.id
    version = found.version if found is not None else 0
    if if_match is not None and if_match != version:
        raise SupplierChanged(seen=if_match, version=version)
    if found is not None:
        before = queries.supplier_view(found)
        if (before.name, before.lead_days, before.external_ids) == (
            command.name, command.lead_days, command.external_ids
        ):  # fmt: skip
            return before
        tx.defer(CHANGE_SUPPLIER, id=supplier_id, version=version + 1, at=tx.at, **values)
    outbox.record(tx, actor, events.SupplierSaved(aggregate_id=supplier_id, version=version + 1, code=code))
    outbox.audit(
        tx, actor, "supplier.save", "supplier", supplier_id,
        before={"version": version} if version else None, after={"code": code, "version": version + 1},
    )  # fmt: skip
    return SupplierView(
        code=code,
        name=command.name,
        lead_days=command.lead_days,
        external_ids=command.external_ids,
        version=version + 1,
    )


async def announce(tx: Tx, actor: Actor, *, command: Announce) -> ExpectedReceiptView:
    """Write down what a supplier will deliver; reservations may stand on it from now on.

    Raises NotYoursToPlan, UnknownLocation, UnknownSupplier, UnknownSkus, BundleHasNoStock, BadSupply, LocationCannotReceive,
    ReferenceTaken.
    """
    if not actor.may("stock.plan", command.location):
        raise NotYoursToPlan(location=command.location)
    location = await locations.one(tx, command.location)
    supplier_id = await queries.supplier_id(tx, command.supplier)
    check_day(tx, location, command.expected_on)
    variants = await _known(tx, [line.sku for line in command.lines], "lines")
    announcement = await begin(
        tx, actor, announcement_id=uuid7(), supplier_id=supplier_id, location=location, command=command,
        lines=[
            Line(id=uuid7(), n=n, variant_id=variants[goods.sku].id, quantity=goods.quantity, unit_cost=goods.unit_cost)
            for n, goods in enumerate(command.lines, 1)
        ],
    )  # fmt: skip
    return _view(announcement, location, {variant.id: variant for variant in variants.values()})


def check_day(tx: Tx, location: Location, expected_on: date) -> None:
    """Whether a location can receive on a day that lies ahead. Raises BadSupply, LocationCannotReceive."""
    today = location.business_date(tx.at)
    if expected_on < today:
        raise BadSupply(
            field="expected_on",
            reason=f"{expected_on} has passed at {location.code}",
            reason_ru=f"{expected_on} в {location.code} уже прошло",
        )
    if expected_on > today + AHEAD:
        raise BadSupply(
            field="expected_on",
            reason="nothing is announced for more than ten years ahead",
            reason_ru="поставки планируют не более чем на десять лет вперёд",
        )
    evening = datetime.combine(expected_on, time(23, 59), location.zone)
    why = location.refusal("receives", max(tx.at, evening))
    if why in ("no_role", "closed"):
        raise stock.LocationCannotReceive(location=location.code)
    if why is not None:
        state, state_ru = ("not open yet", "ещё не открыто") if why == "not_open_yet" else ("paused", "приостановлено")
        raise BadSupply(
            field="expected_on", reason=f"{location.code} is {state} on {expected_on}",
            reason_ru=f"{expected_on} место {location.code} {state_ru}",
        )  # fmt: skip


async def begin(
    tx: Tx, actor: Actor, *, announcement_id: UUID, supplier_id: UUID, location: Location, command: Announce, lines: list[Line]
) -> Announcement:  # fmt: skip
    """A new announcement with its lines, its plan, step, event and record. One statement. Raises ReferenceTaken."""
    announcement = Announcement(
        id=announcement_id, number=new_number(), supplier=command.supplier, reference=command.reference,
        location_id=location.id, expected_on=command.expected_on, state="announced", inspect=command.inspect,
        remark=command.note, overdue_at=None, closed_at=None, version=1, created_at=tx.at, lines=lines,
    )  # fmt: skip
    made = await tx.execute(
        NEW_ANNOUNCEMENT, id=announcement.id, number=announcement.number, supplier_id=supplier_id,
        reference=announcement.reference, location_id=location.id, expected_on=announcement.expected_on,
        inspect=announcement.inspect, remark=announcement.remark, at=tx.at,
    )  # fmt: skip
    if not made:
        number = await tx.scalar(TAKEN, supplier_id=supplier_id, reference=command.reference)
        raise ReferenceTaken(supplier=command.supplier, reference=command.reference, number=number)
    await _plan(tx, actor, announcement, lines)
    _step(tx, actor, announcement, uuid7(), "announced", {"expected_on": announcement.expected_on, "lines": len(lines)})
    _tell(tx, actor, announcement, events.SupplyAnnounced, expected_on=announcement.expected_on)
    _audit(tx, actor, announcement, "announce", None, {"location": location.code, "lines": len(lines)})
    return announcement


async def add(tx: Tx, actor: Actor, *, announcement: Announcement, lines: list[Line]) -> None:
    """Further lines of a locked announcement that is open. Raises SupplyOver."""
    _must_be_open(announcement)
    before = _recorded(announcement)
    announcement.lines.extend(lines)
    await _plan(tx, actor, announcement, lines)
    _change(tx, actor, announcement, uuid7(), "changed", {"added": [line.n for line in lines]}, new=lines)
    _tell(tx, actor, announcement, events.SupplyChanged, expected_on=announcement.expected_on)
    _audit(tx, actor, announcement, "change", before, {"added": len(lines)})


async def of_reference(tx: Tx, *, supplier: str, reference: str) -> Announcement | None:
    """Lock what a supplier has announced by his reference, with its lines. Two statements."""
    found = await queries.with_lines(tx, await tx.rows(LOCK_REFERENCES, supplier=supplier, reference=reference))
    return found[0] if found else None


async def change(
    tx: Tx, actor: Actor, *, number: str, command: ChangeSupply, if_match: int | None
) -> ExpectedReceiptView:
    """Another date, less or more of what was announced. Promises on what will not come break, the newest first.

    Raises UnknownExpectedReceipt, NotYoursToPlan, StaleSupply, SupplyOver, BadSupply, LocationCannotReceive, UnknownSkus, BundleHasNoStock.
    """
    announcement, location = await _planned(tx, actor, number, if_match)
    before = _recorded(announcement)
    moved = command.expected_on is not UNSET and command.expected_on != announcement.expected_on
    if command.expected_on is not UNSET and moved:
        check_day(tx, location, command.expected_on)
        announcement.expected_on, announcement.overdue_at = command.expected_on, None
    lowered, more = _new_quantities(announcement, command)
    variants = await _known(tx, [goods.sku for goods in command.added], "added")
    more += [(variants[goods.sku].id, goods.quantity, goods.unit_cost) for goods in command.added]
    known = len(announcement.lines)
    if known + len(more) > LINES_AT_MOST:
        raise BadSupply(
            field="lines",
            reason=f"an expected receipt has at most {LINES_AT_MOST} lines",
            reason_ru=f"в поставке не больше {LINES_AT_MOST} строк",
        )
    new = [
        Line(id=uuid7(), n=n, variant_id=variant_id, quantity=quantity, unit_cost=unit_cost)
        for n, (variant_id, quantity, unit_cost) in enumerate(more, known + 1)
    ]
    if moved or lowered or new:
        step_id, data = uuid7(), {
            "expected_on": announcement.expected_on, "reason": command.reason,
            "lowered": {str(line.n): units for line, units in lowered}, "added": [line.n for line in new],
        }  # fmt: skip
        waiting = {line.id for line in announcement.lines if line.open}
        announcement.lines.extend(new)
        done = _settle(tx, announcement)
        _change(tx, actor, announcement, step_id, "changed", data, new=new)
        _tell(tx, actor, announcement, events.SupplyChanged, expected_on=announcement.expected_on)
        if done:
            _tell_end(tx, actor, announcement)
        _audit(tx, actor, announcement, "change", before, {"lowered": len(lowered), "added": len(new), "moved": moved})
        await _plan(tx, actor, announcement, new)
        await _will_not_come(
            tx, actor, announcement, location, step_id, {line.id: units for line, units in lowered},
            waiting if moved else set(),
        )  # fmt: skip
    return await _shown(tx, announcement, location)


async def cancel(
    tx: Tx, actor: Actor, *, number: str, command: CancelSupply, if_match: int | None
) -> ExpectedReceiptView:
    """Nothing more of it will come: cancelled, or received when some of it is there. Promises on the rest break, the newest first.

    Raises UnknownExpectedReceipt, NotYoursToPlan, StaleSupply, SupplyOver.
    """
    announcement, location = await _planned(tx, actor, number, if_match)
    before = _recorded(announcement)
    gone = {line.id: line.open for line in announcement.lines if line.open}
    for line in announcement.lines:
        if line.open:
            line.cancelled += line.open
            line.reason = command.reason
    _settle(tx, announcement)
    step_id = uuid7()
    _change(tx, actor, announcement, step_id, "cancelled", {"reason": command.reason, "units": sum(gone.values())})
    _tell_end(tx, actor, announcement)
    _audit(tx, actor, announcement, "cancel", before, {"units": sum(gone.values())})
    await _will_not_come(tx, actor, announcement, location, step_id, gone)
    return await _shown(tx, announcement, location)


async def receive(
    tx: Tx, actor: Actor, *, code: str, number: str, command: ReceiveSupply, if_match: int | None = None
) -> SupplyReceiptView:
    """What came, in one posting: on the shelf or to quality control, damaged, beyond what was announced, or not announced at all.

    Promises on it are served, the oldest first. Raises UnknownLocation, UnknownExpectedReceipt, OtherDestination, StaleSupply,
    SupplyOver, UnknownSkus, BundleHasNoStock, BadSupply, NotAnnounced, MoreThanAnnounced, ReasonNeeded, LevelTooHigh, and what stock
    says of codes of units.
    """
    announcement, location = await _at(tx, code, number, if_match)
    before = _recorded(announcement)
    variants = await catalog.variants(tx, sorted({line.variant_id for line in announcement.lines}))
    arrivals = await _arrivals(tx, command.lines)
    variants |= {arrival.variant.id: arrival.variant for arrival in arrivals}
    known = len(announcement.lines)
    portions = _portions(announcement, arrivals)
    new = announcement.lines[known:]
    gone = _missed(announcement, variants, command.reason, command.short) if command.close else {}
    if not command.close and (command.reason or command.short):
        raise BadSupply(
            field="close",
            reason="reasons for what is short belong to `close: true`",
            reason_ru="причины недостачи передают вместе с `close: true`",
        )
    receipt_id, step_id = uuid7(), uuid7()
    done = _settle(tx, announcement)
    if not done:
        announcement.state = "partially_received"
    data = {
        "receipt_id": receipt_id,
        "lines": [
            {"n": p.line.n, "bucket": p.bucket, "quantity": p.quantity, "over": p.over, "reason": p.reason}
            for p in portions
        ],
        "short": {str(line.n): gone[line.id] for line in announcement.lines if line.id in gone},
    }
    _change(tx, actor, announcement, step_id, "received", data, new=new)
    tx.queue(receipts, id=receipt_id, announcement_id=announcement.id, version=announcement.version, occurred_at=tx.at)
    for n, portion in enumerate(portions, 1):
        tx.queue(
            receipt_lines, receipt_id=receipt_id, n=n, line_id=portion.line.id, bucket=portion.bucket,
            quantity=portion.quantity, over=portion.over, unit_cost=portion.unit_cost, reason=portion.reason,
        )  # fmt: skip
    _tell(tx, actor, announcement, events.SupplyReceived, receipt_id=receipt_id, lines=_arrived(portions))
    if done:
        _tell_end(tx, actor, announcement)
    _audit(
        tx,
        actor,
        announcement,
        "receive",
        before,
        {"receipt": receipt_id, "lines": len(portions), "short": sum(gone.values())},
    )
    await stock.receive(
        tx, actor, cause=stock.Cause("supply_receipt", receipt_id), location_id=location.id,
        lines=[
            stock.ReceiptLine(
                variant_id=portion.line.variant_id, quantity=portion.quantity, unit_cost=portion.unit_cost,
                bucket=portion.bucket, codes=portion.codes,
                expected_id=None if portion.line.unannounced else portion.line.id,
            )
            for portion in portions
        ],
        business_date=location.business_date(tx.at),
    )  # fmt: skip
    await _will_not_come(tx, actor, announcement, location, step_id, gone)
    return SupplyReceiptView(**queries.view_values(announcement, location, variants), receipt_id=receipt_id)


async def close(
    tx: Tx, actor: Actor, *, code: str, number: str, command: CloseSupply, if_match: int | None
) -> ExpectedReceiptView:
    """Nothing more will come: what is open is short, each line with its reason. Promises on it break, the newest first.

    Raises UnknownLocation, UnknownExpectedReceipt, OtherDestination, StaleSupply, SupplyOver, NotAnnounced, ReasonNeeded.
    """
    announcement, location = await _at(tx, code, number, if_match)
    before = _recorded(announcement)
    variants = await catalog.variants(tx, sorted({line.variant_id for line in announcement.lines}))
    gone = _missed(announcement, variants, command.reason, command.short)
    _settle(tx, announcement)
    step_id = uuid7()
    short = {str(line.n): gone[line.id] for line in announcement.lines if line.id in gone}
    reasons = {str(line.n): line.reason for line in announcement.lines if line.id in gone}
    _change(tx, actor, announcement, step_id, "closed", {"short": short, "reasons": reasons})
    _tell_end(tx, actor, announcement)
    _audit(tx, actor, announcement, "close", before, {"short": sum(gone.values())})
    await _will_not_come(tx, actor, announcement, location, step_id, gone)
    return _view(announcement, location, variants)


async def mark_overdue(
    tx: Tx, actor: Actor, *, limit: int, after: tuple[date, UUID] | None = None
) -> tuple[date, UUID] | None:
    """Tell once of what should have come by yesterday and did not, at most `limit`; where the next chunk begins, None at the end.

    Three statements.
    """
    # Nowhere is it later than fourteen hours ahead of UTC: whether the day has passed is for the location to say.
    before = (tx.at + timedelta(hours=14)).date()
    after_on, after_id = after or (None, None)
    late = await queries.with_lines(
        tx, await tx.rows(LOCK_LATE, before=before, after_on=after_on, after_id=after_id, most=limit)
    )
    places = await locations.by_ids(tx, sorted({announcement.location_id for announcement in late}))
    for announcement in late:
        if announcement.expected_on < places[announcement.location_id].business_date(tx.at):
            was = _recorded(announcement)
            announcement.overdue_at = tx.at
            waiting = [line for line in announcement.lines if line.open]
            data = {"expected_on": announcement.expected_on, "open": announcement.open}
            _change(tx, actor, announcement, uuid7(), "overdue", data)
            _tell(
                tx, actor, announcement, events.SupplyOverdue, expected_on=announcement.expected_on,
                line_ids=[line.id for line in waiting],
            )  # fmt: skip
            _audit(tx, actor, announcement, "overdue", was, {})
    return (late[-1].expected_on, late[-1].id) if len(late) == limit else None


async def _planned(tx: Tx, actor: Actor, number: str, if_match: int | None) -> tuple[Announcement, Location]:
    """An open announcement that the caller plans for, locked. Three statements."""
    announcement = await _lock(tx, number)
    location = (await locations.by_ids(tx, [announcement.location_id]))[announcement.location_id]
    if not actor.may("stock.plan", location.code):
        raise NotYoursToPlan(location=location.code)
    _must_be_seen(announcement, if_match)
    _must_be_open(announcement)
    return announcement, location


async def _at(tx: Tx, code: str, number: str, if_match: int | None) -> tuple[Announcement, Location]:
    """An open announcement for a store, locked. Three statements."""
    location = await locations.one(tx, code)
    announcement = await _lock(tx, number)
    if announcement.location_id != location.id:
        raise OtherDestination(number=announcement.number)
    _must_be_seen(announcement, if_match)
    _must_be_open(announcement)
    return announcement, location


async def _lock(tx: Tx, number: str) -> Announcement:
    """The lines are read once the head is locked: their number may have grown while the lock was waited for."""
    heads = await tx.rows(LOCK_NUMBER, number=read_number(number))
    if not heads:
        raise UnknownExpectedReceipt(number=number)
    return (await queries.with_lines(tx, heads))[0]


def _must_be_seen(announcement: Announcement, if_match: int | None) -> None:
    if if_match is not None and if_match != announcement.version:
        raise StaleSupply(seen=if_match, version=announcement.version)


def _must_be_open(announcement: Announcement) -> None:
    if announcement.state not in OPEN:
        raise SupplyOver(number=announcement.number, state=announcement.state)


async def _known(tx: Tx, skus: Sequence[str], field: str) -> dict[str, catalog.Variant]:
    """Variants that have a stock of their own, by SKU. Raises UnknownSkus, BundleHasNoStock."""
    if not skus:
        return {}
    variants = await catalog.by_skus(tx, list(dict.fromkeys(skus)))
    unknown = [
        stock.UnknownLine(pointer=f"/{field}/{n}/sku", sku=sku) for n, sku in enumerate(skus) if sku not in variants
    ]
    if unknown:
        raise stock.UnknownSkus(unknown)
    stock.refuse_bundles(variants.values())
    return variants


def _new_quantities(
    announcement: Announcement, command: ChangeSupply
) -> tuple[list[tuple[Line, int]], list[tuple[UUID, int, int | None]]]:
    """Lines that are lowered and by how much, and what is more, as further goods."""
    by_n = {line.n: line for line in announcement.lines}
    lowered: list[tuple[Line, int]] = []
    more: list[tuple[UUID, int, int | None]] = []
    seen = set[int]()
    for wanted in command.lines:
        line = by_n.get(wanted.n)
        if line is None or line.unannounced or wanted.n in seen:
            twice = wanted.n in seen
            raise BadSupply(
                field="lines",
                reason=f"line {wanted.n} {'stands twice' if twice else 'is not part of what was announced'}",
                reason_ru=f"строка {wanted.n} {'указана дважды' if twice else 'не входит в поставку'}",
            )
        seen.add(wanted.n)
        if wanted.quantity < line.received:
            raise BadSupply(
                field="lines",
                reason=f"{line.received} of line {wanted.n} have come already",
                reason_ru=f"по строке {wanted.n} уже пришло {line.received}",
            )
        less = line.quantity - line.cancelled - wanted.quantity
        if less > 0:
            line.cancelled += less
            line.reason = command.reason
            lowered.append((line, less))
        elif less < 0:
            more.append((line.variant_id, -less, line.unit_cost))
    return lowered, more


async def _arrivals(tx: Tx, goods: Sequence[ArrivedGoods]) -> list[Arrival]:
    """What the command names, in units. One statement. Raises UnknownSkus, BundleHasNoStock, BadSupply."""
    for n, line in enumerate(goods):
        if (line.sku is None) == (line.barcode is None):
            raise BadSupply(
                field=f"lines/{n}",
                reason="name either a sku or a barcode",
                reason_ru="укажите либо артикул, либо штрихкод",
            )
        if line.quantity + line.damaged == 0:
            raise BadSupply(
                field=f"lines/{n}",
                reason="nothing came of it: leave it out",
                reason_ru="ничего не пришло: не передавайте эту строку",
            )
    by_sku, by_scan = await catalog.articles(
        tx,
        skus=[line.sku for line in goods if line.sku is not None],
        scans=[line.barcode for line in goods if line.barcode is not None],
    )
    found: list[Arrival] = []
    unknown: list[stock.UnknownLine] = []
    for n, line in enumerate(goods):
        text = line.sku if line.sku is not None else line.barcode or ""
        hit = by_sku.get(text) if line.sku is not None else by_scan.get(text)
        if hit is None:
            unknown.append(
                stock.UnknownLine(pointer=f"/lines/{n}/{'barcode' if line.sku is None else 'sku'}", sku=text)
            )
            continue
        arrival = Arrival(
            variant=hit.variant, good=line.quantity * hit.quantity, damaged=line.damaged * hit.quantity, command=line
        )
        if (line.codes and not line.quantity) or (line.damaged_codes and not line.damaged):
            raise BadSupply(
                field=f"lines/{n}",
                reason="codes are named of units that did not come",
                reason_ru="указаны коды единиц, которые не пришли",
            )
        if arrival.units > MOST:
            raise BadSupply(
                field=f"lines/{n}",
                reason=f"more than {MOST} units in one line",
                reason_ru=f"больше {MOST} единиц в одной строке",
            )
        found.append(arrival)
    if unknown:
        raise stock.UnknownSkus(unknown)
    stock.refuse_bundles(arrival.variant for arrival in found)
    return found


def _portions(announcement: Announcement, arrivals: Sequence[Arrival]) -> list[Portion]:
    """What came, by line and bucket: a variant's lines are filled in their order, and what is beyond them all stands on the last one.

    The lines are brought up to date. Raises NotAnnounced, MoreThanAnnounced, ReasonNeeded, BadSupply.
    """
    portions: list[Portion] = []
    foreign: list[NamedLine] = []
    over: list[OverLine] = []
    unexplained: list[NamedLine] = []
    for arrival in arrivals:
        command = arrival.command
        own = [line for line in announcement.lines if line.variant_id == arrival.variant.id]
        if not own and not command.unannounced:
            foreign.append(NamedLine(sku=arrival.variant.sku, quantity=arrival.units))
            continue
        still = sum(line.open for line in own)
        if command.reason is None and own and arrival.units > still:
            over.append(OverLine(sku=arrival.variant.sku, open=still, arrived=arrival.units))
            continue
        if command.reason is None and (arrival.damaged or not own):
            unexplained.append(NamedLine(sku=arrival.variant.sku, quantity=arrival.damaged or arrival.units))
            continue
        if not own:
            own = [
                Line(
                    id=uuid7(), n=len(announcement.lines) + 1, variant_id=arrival.variant.id, quantity=0, unit_cost=None,
                    unannounced=True,
                )
            ]  # fmt: skip
            announcement.lines.extend(own)
        portions += _filled(
            own, arrival, command.bucket or ("quality_control" if announcement.inspect else "available")
        )
    if foreign:
        raise NotAnnounced(lines=[msgspec.to_builtins(line) for line in foreign])
    if over:
        raise MoreThanAnnounced(lines=[msgspec.to_builtins(line) for line in over])
    if unexplained:
        raise ReasonNeeded(lines=[msgspec.to_builtins(line) for line in unexplained])
    return portions


def _filled(own: Sequence[Line], arrival: Arrival, bucket: Bucket) -> list[Portion]:
    """The good ones first, so that promises are served before units turn out damaged."""
    command = arrival.command
    found: list[Portion] = []
    both: tuple[tuple[Bucket, int, list[str]], ...] = (
        (bucket, arrival.good, list(command.codes)),
        ("damaged", arrival.damaged, list(command.damaged_codes)),
    )
    for into, units, codes in both:
        left = units
        for line in own:
            taken = min(left, line.open)
            left -= taken
            beyond = left if line is own[-1] else 0
            if not taken + beyond:
                continue
            if line.received + taken + line.over + beyond > LIMIT:
                raise BadSupply(
                    field="lines",
                    reason=f"more than {LIMIT} units of {arrival.variant.sku}",
                    reason_ru=f"больше {LIMIT} единиц {arrival.variant.sku}",
                )
            line.received += taken
            line.over += beyond
            if into == "damaged":
                line.damaged += taken + beyond
            elif into == "quality_control":
                line.quality_control += taken + beyond
            if command.unit_cost is not None and command.unit_cost != line.unit_cost:
                line.received_unit_cost = command.unit_cost
            if into == "damaged" or beyond:
                line.reason = command.reason
            # More codes than units stay with the last portion: stock refuses them by their number.
            mine = len(codes) if left == beyond else taken
            found.append(
                Portion(
                    codes=tuple(codes[:mine]), line=line, bucket=into, quantity=taken + beyond, over=beyond, reason=command.reason,
                    unit_cost=line.unit_cost if command.unit_cost is None else command.unit_cost,
                )
            )  # fmt: skip
            del codes[:mine]
    return found


def _missed(
    announcement: Announcement,
    variants: Mapping[UUID, catalog.Variant],
    reason: str | None,
    reasons: Sequence[ShortReason],
) -> dict[UUID, int]:
    """Units by line that never came; the lines are brought up to date. Raises NotAnnounced, ReasonNeeded."""
    own = {short.sku: short.reason for short in reasons}
    strangers = own.keys() - {variants[line.variant_id].sku for line in announcement.lines}
    if strangers:
        raise NotAnnounced(lines=[{"sku": sku, "quantity": 0} for sku in sorted(strangers)])
    gone: dict[UUID, int] = {}
    unexplained: dict[str, int] = {}
    for line in announcement.lines:
        if not line.open:
            continue
        sku = variants[line.variant_id].sku
        why = own.get(sku, reason)
        if why is None:
            unexplained[sku] = unexplained.get(sku, 0) + line.open
            continue
        gone[line.id] = line.open
        line.reason = why
        line.short += line.open
        line.cancelled += line.open
    if unexplained:
        raise ReasonNeeded(lines=[{"sku": sku, "quantity": units} for sku, units in unexplained.items()])
    return gone


def _arrived(portions: Sequence[Portion]) -> list[events.ArrivedLine]:
    by_line: dict[UUID, dict[str, Any]] = {}
    for portion in portions:
        line = by_line.setdefault(
            portion.line.id,
            {"variant_id": portion.line.variant_id, "available": 0, "quality_control": 0, "damaged": 0, "over": 0},
        )
        line[portion.bucket] += portion.quantity
        line["over"] += portion.over
    return [events.ArrivedLine(line_id=line_id, **values) for line_id, values in by_line.items()]


async def _plan(tx: Tx, actor: Actor, announcement: Announcement, lines: Sequence[Line]) -> None:
    if lines:
        await stock.expect(
            tx, actor, kind="supply", document_id=announcement.id, location_id=announcement.location_id,
            expected_on=announcement.expected_on,
            lines=[
                stock.Expect(
                    id=line.id, variant_id=line.variant_id, quantity=line.quantity, unit_cost=line.unit_cost,
                    inspect=announcement.inspect,
                )
                for line in lines
            ],
        )  # fmt: skip


async def _will_not_come(
    tx: Tx,
    actor: Actor,
    announcement: Announcement,
    location: Location,
    step_id: UUID,
    gone: Mapping[UUID, int],
    moved: set[UUID] | None = None,
) -> None:
    """Tell stock's plan of units that will not come, and of the new date of what still will."""
    changes = [
        stock.ExpectedChange(
            id=line_id, cancelled=gone.get(line_id, 0),
            expected_on=announcement.expected_on if moved and line_id in moved else None,
        )
        for line_id in sorted(gone.keys() | (moved or set()))
    ]  # fmt: skip
    if changes:
        await stock.change_expected(
            tx, actor, cause=stock.Cause("supply_changed", step_id), changes=changes,
            business_date=location.business_date(tx.at),
        )  # fmt: skip


def _settle(tx: Tx, announcement: Announcement) -> bool:
    """Whether nothing more is to come: received when some of it came, else cancelled."""
    if announcement.open:
        return False
    came = any(line.received or line.over for line in announcement.lines)
    announcement.state = "received" if came else "cancelled"
    announcement.closed_at = tx.at
    return True


async def _shown(tx: Tx, announcement: Announcement, location: Location) -> ExpectedReceiptView:
    variants = await catalog.variants(tx, sorted({line.variant_id for line in announcement.lines}))
    return _view(announcement, location, variants)


def _view(
    announcement: Announcement, location: Location, variants: Mapping[UUID, catalog.Variant]
) -> ExpectedReceiptView:
    return ExpectedReceiptView(**queries.view_values(announcement, location, variants))


def _change(
    tx: Tx,
    actor: Actor,
    announcement: Announcement,
    step_id: UUID,
    what: str,
    data: Mapping[str, Any],
    new: Sequence[Line] = (),
) -> None:
    """Write a locked announcement as it now is, one version on, with its step, just before the commit."""
    announcement.version += 1
    tx.defer(
        CHANGE_HEAD, id=announcement.id, expected_on=announcement.expected_on, state=announcement.state,
        overdue_at=announcement.overdue_at, closed_at=announcement.closed_at, version=announcement.version,
    )  # fmt: skip
    added = {line.id for line in new}
    kept = [line for line in announcement.lines if line.id not in added]
    tx.defer(
        CHANGE_LINES, lines=[line.id for line in kept], costs=[line.received_unit_cost for line in kept],
        reasons=[line.reason for line in kept], **{name: [getattr(line, name) for line in kept] for name in COUNTS},
    )  # fmt: skip
    _step(tx, actor, announcement, step_id, what, data, new)


def _step(
    tx: Tx,
    actor: Actor,
    announcement: Announcement,
    step_id: UUID,
    what: str,
    data: Mapping[str, Any],
    new: Sequence[Line] | None = None,
) -> None:
    for line in announcement.lines if new is None else new:
        tx.queue(lines_table, announcement_id=announcement.id, **msgspec.structs.asdict(line))
    tx.queue(
        steps, id=step_id, announcement_id=announcement.id, version=announcement.version, what=what,
        actor=outbox.actor_record(actor), data=dict(data), occurred_at=tx.at,
    )  # fmt: skip


def _tell(tx: Tx, actor: Actor, announcement: Announcement, event: type[events.SupplyEvent], **extra: Any) -> None:
    outbox.record(
        tx, actor,
        event(
            aggregate_id=announcement.id, version=announcement.version, number=announcement.number,
            supplier=announcement.supplier, location_id=announcement.location_id, **extra,
        ),
    )  # fmt: skip


def _tell_end(tx: Tx, actor: Actor, announcement: Announcement) -> None:
    if announcement.state == "cancelled":
        _tell(tx, actor, announcement, events.SupplyCancelled)
    else:
        short = sum(line.short for line in announcement.lines)
        _tell(tx, actor, announcement, events.SupplyClosed, short=short)


def _recorded(announcement: Announcement) -> dict[str, Any]:
    """What the audit record says of it."""
    return {
        "state": announcement.state, "version": announcement.version, "expected_on": announcement.expected_on, "open": announcement.open,
        "overdue": announcement.overdue_at is not None,
    }  # fmt: skip


def _audit(
    tx: Tx,
    actor: Actor,
    announcement: Announcement,
    what: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
) -> None:
    outbox.audit(
        tx, actor, f"expected_receipt.{what}", "expected_receipt", announcement.id,
        before=before, after={**_recorded(announcement), **after},
    )  # fmt: skip
