"""Comparison of stock with what an external system says: differences are listed, nothing is changed.

A line names a location, a SKU and a quantity, and may name what it counts: a bucket, `on_hand`, or `for_sale` (the default, and what
exports and imports mean by `quantity`: available, reserved and committed together). A snapshot that is whole names everything there is
at its locations: what it leaves out and we have is a difference, too. The snapshot of last night is compared with the levels as of last
night, by whichever clock it was taken.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, TextIO
from uuid import UUID

from msgspec import Meta, Struct, field

from commerce import catalog, locations
from commerce.infra import importing
from commerce.infra.db import Database, Tx
from commerce.infra.importing import ErrorReport, Fault, Item, Line, Reader, present
from commerce.kernel.actor import Actor
from commerce.kernel.clock import in_utc
from commerce.kernel.text import Code, Sku
from commerce.stock import closings, past
from commerce.stock.closings import WhichClock
from commerce.stock.errors import NotYourStock
from commerce.stock.importing import BESIDE, LineFault
from commerce.stock.ledger import LIMIT, Spot
from commerce.stock.schemas import Level

Counts = Literal[
    "for_sale", "on_hand", "available", "reserved", "committed", "quality_control", "damaged", "in_transit",
    "in_transit_committed",
]  # fmt: skip
FOR_SALE = ("available", "reserved", "committed")

CHUNK = 1000
COLUMNS = ("location", "sku", "quantity", "bucket")
DIFFERENCES = ("location", "sku", "bucket", "ours", "theirs", "delta", "last_movement_at")

LAST_MOVED = """
SELECT d.location_id, d.variant_id, (
    SELECT max(m.occurred_at) FROM stock.movements m
    WHERE m.variant_id = d.variant_id AND (m.from_location_id = d.location_id OR m.to_location_id = d.location_id)) AS at
FROM unnest(CAST(:location_ids AS uuid[]), CAST(:variant_ids AS uuid[])) AS d(location_id, variant_id)
"""
KEYS = """
SELECT variant_id FROM stock.levels WHERE location_id = :location_id AND variant_id > CAST(:after AS uuid)
ORDER BY variant_id LIMIT :limit
"""


class SnapshotLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the other system has of a SKU at a location."""

    location: Code
    sku: Sku
    quantity: Annotated[int, Meta(ge=-LIMIT, le=LIMIT)]
    bucket: Counts = "for_sale"


class FileLine(SnapshotLine, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a file; of what an export says beside, nothing is read."""

    mode: Literal["absolute"] = "absolute"
    available: int | None = None
    reserved: int | None = None
    committed: int | None = None
    quality_control: int | None = None
    damaged: int | None = None
    in_transit: int | None = None
    in_transit_committed: int | None = None
    on_hand: int | None = None
    safety_stock: int | None = None
    ats: int | None = None


class CompareStock(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lines to compare. `whole`: they are all there is at their locations, as far as they count it."""

    lines: Annotated[list[SnapshotLine], Meta(min_length=1, max_length=1000)]
    whole: bool = False
    as_of: Annotated[datetime, Meta(tz=True, description="When the snapshot was taken; now without")] | None = None
    clock: WhichClock = "occurred"

    def __post_init__(self) -> None:
        if self.as_of is not None:
            in_utc(self.as_of)


class Difference(Struct, frozen=True, kw_only=True):
    """Where two systems disagree. `theirs` is null where they name nothing, `delta` is theirs - ours."""

    location: str
    sku: str
    bucket: Counts
    ours: int
    theirs: int | None
    delta: int
    last_movement_at: datetime | None
    """When something last came or went there by our books, at whatever bucket."""


class StockCompared(Struct, frozen=True, kw_only=True):
    """What a comparison found. `missing` of the differences are ours alone; of these at most a thousand are listed."""

    lines: int
    equal: int
    different: int
    missing: int
    differences: list[Difference]
    faults: list[LineFault]


class Comparison(Struct, kw_only=True):
    """What a comparison of a file found."""

    lines: int = 0
    equal: int = 0
    different: int = 0
    missing: int = 0
    faults: int = 0

    @property
    def same(self) -> bool:
        """Whether both sides say the same, of the same things."""
        return not (self.different or self.missing or self.faults)


def counted(level: Level | None, bucket: Counts) -> int:
    """What a level has of what a line counts."""
    if level is None:
        return 0
    of: tuple[str, ...] = {"for_sale": FOR_SALE, "on_hand": (*FOR_SALE, "quality_control", "damaged")}.get(
        bucket, (bucket,)
    )
    return sum(getattr(level, name) for name in of)


class _Matcher(Struct):
    """Compares chunks of lines one after the other, and remembers what they named."""

    as_of: datetime | None
    clock: WhichClock
    places: dict[UUID, str] = field(default_factory=dict)
    """Locations that were named."""
    counts: dict[UUID, set[Counts]] = field(default_factory=dict)
    """What is counted at each."""
    named: dict[tuple[UUID, Counts], set[UUID]] = field(default_factory=dict)
    """Variants that were named."""

    async def match(
        self, tx: Tx, items: Sequence[Item[SnapshotLine]]
    ) -> tuple[int, list[Difference], list[Fault]]:  # fmt: skip
        """How many lines agree, and where the others differ or cannot be compared. Four statements."""
        found_places = await locations.by_codes(tx, list({item.value.location for item in items}))
        variants = await catalog.by_skus(tx, list({item.value.sku for item in items}))
        faults: list[Fault] = []
        good: list[tuple[Item[SnapshotLine], Spot]] = []
        for item in items:
            value = item.value
            if value.location not in found_places:
                faults.append(Fault(line=item.line, field="location", reason=f"there is no location {value.location}"))
                continue
            if value.sku not in variants:
                faults.append(Fault(line=item.line, field="sku", reason=f"there is no variant {value.sku}"))
                continue
            spot = (found_places[value.location].id, variants[value.sku].id)
            self.places[spot[0]] = value.location
            self.counts.setdefault(spot[0], set()).add(value.bucket)
            named = self.named.setdefault((spot[0], value.bucket), set())
            if spot[1] in named:
                reason = f"{value.sku} stands twice for {value.location}, counted {value.bucket}"
                faults.append(Fault(line=item.line, field="sku", reason=reason))
                continue
            named.add(spot[1])
            good.append((item, spot))
        levels = await past.levels_of(tx, [spot for _, spot in good], as_of=self.as_of, clock=self.clock)
        apart = [
            (item.value.location, item.value.sku, spot, item.value.bucket, ours, item.value.quantity)
            for item, spot in good
            if (ours := counted(levels.get(spot), item.value.bucket)) != item.value.quantity
        ]
        return len(good) - len(apart), await _told(tx, apart), faults

    async def left_out(self, tx: Tx, location_id: UUID, after: UUID) -> tuple[list[Difference], UUID | None]:
        """What a whole snapshot has not named of the next thousand levels of a location, and from where to go on. Four statements."""
        rows = await tx.rows(KEYS, location_id=location_id, after=after, limit=CHUNK)
        levels = await past.levels_of(
            tx, [(location_id, row.variant_id) for row in rows], as_of=self.as_of, clock=self.clock
        )
        lacking = [
            (spot, bucket, ours)
            for spot, level in sorted(levels.items())
            for bucket in sorted(self.counts[location_id])
            if (ours := counted(level, bucket)) and spot[1] not in self.named.get((location_id, bucket), ())
        ]
        variants = await catalog.variants(tx, list({spot[1] for spot, _, _ in lacking}))
        code = self.places[location_id]
        told = await _told(
            tx, [(code, variants[spot[1]].sku, spot, bucket, ours, None) for spot, bucket, ours in lacking]
        )
        return told, rows[-1].variant_id if len(rows) == CHUNK else None


async def _told(tx: Tx, apart: Sequence[tuple[str, str, Spot, Counts, int, int | None]]) -> list[Difference]:
    if not apart:
        return []
    spots = sorted({spot for _, _, spot, *_ in apart})
    rows = await tx.rows(LAST_MOVED, location_ids=[spot[0] for spot in spots], variant_ids=[spot[1] for spot in spots])
    moved = {(row.location_id, row.variant_id): row.at for row in rows}
    return [
        Difference(
            location=location, sku=sku, bucket=bucket, ours=ours, theirs=theirs, delta=(theirs or 0) - ours,
            last_movement_at=moved[spot],
        )
        for location, sku, spot, bucket, ours, theirs in apart
    ]  # fmt: skip


async def compare(tx: Tx, actor: Actor, *, command: CompareStock) -> StockCompared:
    """Compare lines with our levels; nothing is changed. Raises NotYourStock, NotPast."""
    if command.as_of is not None:
        closings.check_past(tx, command.as_of)
    for code in {line.location for line in command.lines}:
        if not actor.may("stock.plan", code):
            raise NotYourStock
    matcher = _Matcher(command.as_of, command.clock)
    items = [Item(n, 1, line) for n, line in enumerate(command.lines, 1)]
    equal, differences, faults = await matcher.match(tx, items)
    missing: list[Difference] = []
    more = 0
    for location_id in matcher.places if command.whole else ():
        after: UUID | None = past.NOWHERE
        while after is not None:
            found, after = await matcher.left_out(tx, location_id, after)
            missing += found[: max(0, CHUNK - len(missing))]
            more += len(found)
    return StockCompared(
        lines=len(items), equal=equal, different=len(differences), missing=more, differences=[*differences, *missing],
        faults=[LineFault(line=fault.line, field=fault.field, reason=fault.reason) for fault in faults],
    )  # fmt: skip


async def run(
    db: Database,
    path: Path,
    *,
    out: TextIO,
    as_of: datetime | None = None,
    clock: WhichClock = "occurred",
    whole: bool = True,
    errors: ErrorReport | None = None,
    tell: Callable[[int, Comparison], None] | None = None,
) -> Comparison:
    """Compare a file with our levels, the differences as CSV to `out`; nothing is changed. Lines that cannot be compared are faults.

    Raises importing.ImportRefused, NotPast.
    """
    errors = errors or ErrorReport(None)
    if as_of is not None:
        await db.read(_check_past, as_of)
    reader = Reader(path, required=COLUMNS[:3], known={*COLUMNS, "mode", *BESIDE}.__contains__)
    parse: importing.Parse[SnapshotLine] = (
        importing.csv_items(FileLine, lambda fields: dict(present(fields)))
        if reader.format == "csv" else importing.json_items(FileLine)
    )  # fmt: skip
    found = Comparison()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(DIFFERENCES)
    matcher = _Matcher(as_of, clock)

    def fault(faults: Sequence[Fault]) -> None:
        found.faults += len(faults)
        errors.add(faults)

    def lines() -> Iterator[Line]:
        for line in reader:
            if isinstance(line, Fault):
                fault([line])
            else:
                found.lines += 1
                yield line

    def write(differences: Sequence[Difference]) -> None:
        for one in differences:
            last = None if one.last_movement_at is None else one.last_movement_at.isoformat()
            writer.writerow((one.location, one.sku, one.bucket, one.ours, one.theirs, one.delta, last))

    async def match(chunk: list[Item[SnapshotLine]]) -> None:
        equal, differences, faults = await db.read(matcher.match, chunk)
        found.equal += equal
        found.different += len(differences)
        fault(faults)
        write(differences)
        if tell is not None:
            tell(reader.bytes_read, found)

    chunk: list[Item[SnapshotLine]] = []
    for item in parse(lines()):
        if isinstance(item, Fault):
            fault([item])
            continue
        chunk.append(item)
        if len(chunk) == CHUNK:
            await match(chunk)
            chunk = []
    if chunk:
        await match(chunk)
    for location_id in matcher.places if whole else ():
        after: UUID | None = past.NOWHERE
        while after is not None:
            missing, after = await db.read(matcher.left_out, location_id, after)
            found.missing += len(missing)
            write(missing)
    return found


async def _check_past(tx: Tx, at: datetime) -> None:
    closings.check_past(tx, at)
