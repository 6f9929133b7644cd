"""Import of expected receipts from CSV and NDJSON: `reference,supplier,location,sku,quantity,unit_cost,expected_on`.

Lines that follow each other with one supplier and one reference are one delivery; its location and day are those of its first line.
Each delivery is its own transaction. The delivery and its lines have ids that follow from the file's content and the line's number: the
same file again changes nothing, and adds those lines that were left out before. A reference that was announced otherwise is a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from uuid import UUID, uuid5

from msgspec import Struct

from commerce import catalog, locations, stock
from commerce.infra import importing
from commerce.infra.db import Database, Tx
from commerce.infra.importing import CHUNK_ROWS, ErrorReport, Fault, Item, Line, Loaded, Reader, Report, Tell, present
from commerce.kernel.actor import Actor
from commerce.kernel.text import Code, Quantity, Sku
from commerce.supply import queries, service
from commerce.supply.errors import BadSupply
from commerce.supply.schemas import Announce, AnnouncedGoods, Announcement, Reference, UnitCost
from commerce.supply.schemas import Line as AnnouncedLine

COLUMNS = ("reference", "supplier", "location", "sku", "quantity", "unit_cost", "expected_on")
REQUIRED = ("reference", "supplier", "location", "sku", "quantity", "expected_on")
NAMESPACE = UUID("8e2d4b1a-7c55-5f0e-a3a9-2b60c9d1f7e8")
"""Of the deliveries and lines of files."""


class SupplyLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the file."""

    reference: Reference
    supplier: Code
    location: Code
    sku: Sku
    quantity: Quantity
    unit_cost: UnitCost | None = None
    expected_on: date


class Delivery(Struct, frozen=True):
    """Lines that follow each other with one supplier and one reference, with their numbers."""

    lines: list[tuple[int, SupplyLine]]

    @property
    def first(self) -> SupplyLine:
        """The line that says where and when."""
        return self.lines[0][1]


def deliveries(parse: importing.Parse[SupplyLine]) -> importing.Parse[Delivery]:
    """Lines gathered into deliveries, each of which fills a chunk."""

    def gathered(lines: Iterator[Line]) -> Iterator[Item[Delivery] | Fault]:
        waiting: list[tuple[int, SupplyLine]] = []
        for item in parse(lines):
            if isinstance(item, Fault):
                yield item
                continue
            named = (item.value.supplier, item.value.reference)
            if waiting and (named != (waiting[0][1].supplier, waiting[0][1].reference) or len(waiting) == CHUNK_ROWS):
                yield Item(waiting[-1][0], CHUNK_ROWS, Delivery(waiting))
                waiting = []
            waiting.append((item.line, item.value))
        if waiting:
            yield Item(waiting[-1][0], CHUNK_ROWS, Delivery(waiting))

    return gathered


def loader(content: str) -> importing.Load[Delivery]:
    """How a delivery of a file is loaded; `content` is the file's fingerprint."""

    async def load(tx: Tx, actor: Actor, items: Sequence[Item[Delivery]]) -> Loaded:
        counts = {"announced": 0, "unchanged": 0}
        faults: list[Fault] = []
        for item in items:
            announced, unchanged = await _load_one(tx, actor, content, item.value, faults)
            counts["announced"] += announced
            counts["unchanged"] += unchanged
        return Loaded(counts, faults, sum(counts.values()))

    return load


async def _load_one(tx: Tx, actor: Actor, content: str, delivery: Delivery, faults: list[Fault]) -> tuple[int, int]:
    """How many lines are announced, and how many were before."""
    head = delivery.first
    document_id = uuid5(NAMESPACE, f"{content}:{head.supplier}:{head.reference}")
    suppliers = await queries.supplier_ids(tx, [head.supplier])
    location = (await locations.by_codes(tx, [head.location])).get(head.location)
    variants = await catalog.by_skus(tx, sorted({line.sku for _, line in delivery.lines}))
    known = await service.of_reference(tx, supplier=head.supplier, reference=head.reference)
    before = {line.id for line in known.lines} if known is not None and known.id == document_id else set()
    ids = {number: uuid5(NAMESPACE, f"{content}:{number}") for number, _ in delivery.lines}
    fresh = [(number, line) for number, line in delivery.lines if ids[number] not in before]
    unchanged = len(delivery.lines) - len(fresh)
    if not fresh:
        return 0, unchanged
    whole = _refusal(tx, head, suppliers, location, known, document_id)
    good: list[tuple[int, SupplyLine]] = []
    for number, line in fresh:
        fault = whole or _fault(line, head, variants.get(line.sku))
        if fault is None:
            good.append((number, line))
        else:
            faults.append(Fault(line=number, field=fault[0], reason=fault[1]))
    if not good:
        return 0, unchanged
    start = 1 if known is None else len(known.lines) + 1
    lines = [
        AnnouncedLine(
            id=ids[number], n=n, variant_id=variants[line.sku].id, quantity=line.quantity, unit_cost=line.unit_cost
        )
        for n, (number, line) in enumerate(good, start)
    ]
    if known is not None:
        await service.add(tx, actor, announcement=known, lines=lines)
        return len(lines), unchanged
    assert location is not None  # noqa: S101 - else all of it was refused
    command = Announce(
        supplier=head.supplier, location=head.location, reference=head.reference, expected_on=head.expected_on,
        lines=[AnnouncedGoods(sku=line.sku, quantity=line.quantity, unit_cost=line.unit_cost) for _, line in good],
    )  # fmt: skip
    await service.begin(
        tx, actor, announcement_id=document_id, supplier_id=suppliers[head.supplier], location=location, command=command,
        lines=lines,
    )  # fmt: skip
    return len(lines), unchanged


def _refusal(
    tx: Tx,
    head: SupplyLine,
    suppliers: Mapping[str, UUID],
    location: locations.Location | None,
    known: Announcement | None,
    document_id: UUID,
) -> tuple[str, str] | None:
    """Field and reason, when nothing of a delivery can be announced."""
    if head.supplier not in suppliers:
        return "supplier", f"there is no supplier {head.supplier}"
    if location is None:
        return "location", f"there is no location {head.location}"
    if known is None:
        try:
            service.check_day(tx, location, head.expected_on)
        except BadSupply as refusal:
            return "expected_on", str(refusal.members["reason"])
        except stock.LocationCannotReceive:
            return "location", f"{head.location} does not receive goods"
        return None
    if known.id != document_id:
        return "reference", f"{head.supplier} has announced {head.reference} as {known.number}"
    if (known.location_id, known.expected_on) != (location.id, head.expected_on):
        return "reference", f"{known.number} goes elsewhere, or on another day"
    if known.closed_at is not None:
        return "reference", f"{known.number} is {known.state}"
    return None


def _fault(line: SupplyLine, head: SupplyLine, variant: catalog.Variant | None) -> tuple[str, str] | None:
    """Field and reason, when a line of a delivery cannot be announced."""
    if variant is None:
        return "sku", f"there is no variant {line.sku}"
    if variant.bundle:
        return "sku", f"{line.sku} is a bundle: announce its components"
    if line.location != head.location:
        return "location", f"{head.reference} goes to {head.location}"
    if line.expected_on != head.expected_on:
        return "expected_on", f"{head.reference} is expected on {head.expected_on}"
    return None


async def run(
    db: Database, actor: Actor, path: Path, *, currency: str, dry_run: bool = False, errors: ErrorReport | None = None,
    tell: Tell | None = None, all_or_nothing: bool = False,
) -> Report:  # fmt: skip
    """Import a file of expected receipts; unit costs are in minor units of the shop's one currency. Raises importing.ImportRefused."""
    del currency
    reader = Reader(path, required=REQUIRED, known=COLUMNS.__contains__)
    parse: importing.Parse[SupplyLine] = (
        importing.csv_items(SupplyLine, lambda fields: dict(present(fields)))
        if reader.format == "csv" else importing.json_items(SupplyLine)
    )  # fmt: skip
    return await importing.run(
        db, actor, kind="supply", reader=reader, parse=deliveries(parse), load=loader(importing.fingerprint(path)),
        dry_run=dry_run, all_or_nothing=all_or_nothing, errors=errors, tell=tell,
    )  # fmt: skip
