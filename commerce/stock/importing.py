"""Import of stock from CSV and NDJSON: `location,sku,quantity,unit_cost,mode`.

`absolute` (the default) says how many units for sale stand there, those already promised included; the difference is booked, and what
it takes away breaks promises as any physical fact does. `delta` says how many came (or, negative, went). What comes with a unit cost
comes from a supplier and moves the average cost. Each line is a posting of its own, whose cause is the file's content and the line's
number: the same file again moves nothing. What an export says beside these columns is not looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta, Struct, field

from commerce import catalog, locations
from commerce.infra import importing, outbox
from commerce.infra.db import Database, Tx
from commerce.infra.importing import ErrorReport, Fault, Item, Loaded, Reader, Report, Tell, present
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy
from commerce.kernel.text import Code, ShortText, Sku
from commerce.stock import facts, ledger
from commerce.stock.errors import BelowZero, NotYourStock
from commerce.stock.ledger import BUCKETS, LIMIT, Act, Spot
from commerce.stock.schemas import Cause, Movement, UnitCost

COLUMNS = ("location", "sku", "quantity", "unit_cost", "mode")
BESIDE = (*BUCKETS, "on_hand", "safety_stock", "ats")
"""What an export says of a level, too."""
KIND = "stock_import"
NAMESPACE = UUID("5a6f2c0e-0d5e-5d6b-9a3c-6f1d0c2b7e41")
"""Of the causes of imported lines."""
LEVELS = """
SELECT l.location_id, l.variant_id, l.available, l.reserved + l.committed AS aside
FROM unnest(CAST(:location_ids AS uuid[]), CAST(:variant_ids AS uuid[])) AS d(location_id, variant_id)
JOIN stock.levels l ON l.location_id = d.location_id AND l.variant_id = d.variant_id
"""


class StockLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line: how many units for sale stand there, those already promised included (`absolute`), or how many came or, negative,
    went (`delta`)."""

    location: Code
    sku: Sku
    quantity: Annotated[int, Meta(ge=-LIMIT, le=LIMIT)]
    unit_cost: UnitCost | None = None
    mode: Literal["absolute", "delta"] = "absolute"


class FileLine(StockLine, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of a file; of what an export says beside, nothing is read."""

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


class ImportStock(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lines to import. The same name with the same lines moves nothing a second time, whatever its Idempotency-Key."""

    name: Annotated[ShortText, Meta(description="What it is, for the next reader; stands as the reason in the books")]
    lines: Annotated[list[StockLine], Meta(min_length=1, max_length=1000)]
    all_or_nothing: bool = False


class LineFault(Struct, frozen=True, kw_only=True):
    """Why a line, counted from 1, was left out."""

    line: int
    field: str
    reason: str


class StockImported(Struct, frozen=True, kw_only=True):
    """What an import did. `refused`: all or nothing was asked for, and for the faults nothing was imported."""

    lines: int
    changed: int
    unchanged: int
    refused: bool
    faults: list[LineFault]


Shelf = dict[Spot, tuple[int, int]]
"""What is available, and what is promised, on some shelves."""


class _Planned(Struct):
    """What a chunk will do: acts that fit what is available, and losses that must look at promises."""

    faults: list[Fault]
    acts: list[Act] = field(default_factory=list)
    takes: list[tuple[int, Act]] = field(default_factory=list)
    taken: set[Spot] = field(default_factory=set)
    unchanged: int = 0
    rows: int = 0

    @property
    def changed(self) -> int:
        return self.rows - self.unchanged

    def fault(self, line: int, name: str, reason: str) -> None:
        self.faults.append(Fault(line=line, field=name, reason=reason))

    def loaded(self) -> Loaded:
        return Loaded({"levels changed": self.changed, "unchanged": self.unchanged}, self.faults, self.rows)


def loader(name: str, content: str) -> importing.Load[StockLine]:
    """How a chunk of lines is loaded; `content` is their fingerprint."""

    async def load(tx: Tx, actor: Actor, items: Sequence[Item[StockLine]]) -> Loaded:
        known = await _look_up(tx, items)
        levels = await ledger.lock(tx, known.spots)
        shelf = {spot: (level.available, level.reserved + level.committed) for spot, level in levels.items()}
        plan = await _plan(tx, name, content, known, shelf)
        if plan.acts and not (await ledger.book(tx, actor, plan.acts)).posted:
            # The same lines are being imported at the same time.
            raise Busy(retry_after_seconds=1)
        for line, act in plan.takes:
            try:
                await facts.book_fact(tx, actor, act)
            except BelowZero as refusal:
                plan.fault(line, "quantity", str(refusal))
                plan.rows -= 1
        if plan.changed:
            after = {"lines": plan.changed, "first": items[0].line, "last": items[-1].line}
            outbox.audit(tx, actor, "stock.import", "file", content, after=after)
        return plan.loaded()

    return load


def rehearser(name: str, content: str) -> importing.Load[StockLine]:
    """Finds what loading would find, and books and locks nothing; from chunk to chunk it remembers what the lines before would have
    done."""
    remembered: Shelf = {}

    async def rehearse(tx: Tx, _actor: Actor, items: Sequence[Item[StockLine]]) -> Loaded:
        known = await _look_up(tx, items)
        fresh = sorted({spot for spot in known.spots if spot not in remembered})
        rows = await tx.rows(LEVELS, location_ids=[spot[0] for spot in fresh], variant_ids=[spot[1] for spot in fresh])
        remembered.update({(row.location_id, row.variant_id): (row.available, row.aside) for row in rows})
        return (await _plan(tx, name, content, known, remembered)).loaded()

    return rehearse


class _Known(Struct):
    """Lines whose location and SKU there are, and those that have none."""

    good: list[tuple[Item[StockLine], Spot]]
    faults: list[Fault]
    places: Mapping[str, locations.Location]

    @property
    def spots(self) -> list[Spot]:
        return [spot for _, spot in self.good]


async def _look_up(tx: Tx, items: Sequence[Item[StockLine]]) -> _Known:
    places = await locations.by_codes(tx, list({item.value.location for item in items}))
    variants = await catalog.by_skus(tx, list({item.value.sku for item in items}))
    known = _Known([], [], places)
    for item in items:
        value = item.value
        if value.location not in places:
            fault = ("location", f"there is no location {value.location}")
        elif value.sku not in variants:
            fault = ("sku", f"there is no variant {value.sku}")
        elif variants[value.sku].bundle:
            fault = ("sku", f"{value.sku} is a bundle: its stock is that of its components")
        elif value.mode == "absolute" and value.quantity < 0:
            fault = ("quantity", "an absolute quantity is not negative")
        else:
            known.good.append((item, (places[value.location].id, variants[value.sku].id)))
            continue
        known.faults.append(Fault(line=item.line, field=fault[0], reason=fault[1]))
    return known


async def _plan(tx: Tx, name: str, content: str, known: _Known, shelf: Shelf) -> _Planned:
    """What the lines do, one after the other; `shelf` is left as it is after them."""
    causes = {item.line: Cause(KIND, uuid5(NAMESPACE, f"{content}:{item.line}")) for item, _ in known.good}
    posted = await ledger.posted_of(tx, KIND, [cause.id for cause in causes.values()])
    plan = _Planned(faults=list(known.faults))
    for item, spot in known.good:
        value, (free, promised) = item.value, shelf.get(spot, (0, 0))
        delta = value.quantity if value.mode == "delta" else value.quantity - free - promised
        if causes[item.line].id in posted or delta == 0:
            plan.unchanged += 1
            plan.rows += 1
            continue
        if free + delta > LIMIT:
            plan.fault(item.line, "quantity", f"more than {LIMIT} in one place")
            continue
        if free + promised + delta < 0:
            plan.fault(item.line, "quantity", f"only {free + promised} are there to take away")
            continue
        act = Act(
            cause=causes[item.line],
            movements=[_movement(spot, delta, value.unit_cost)],
            reason=f"import of {name}",
            business_date=known.places[value.location].business_date(tx.at),
        )
        plan.rows += 1
        shelf[spot] = (max(0, free + delta), promised + min(0, free + delta))
        # What follows a broken promise on the same shelf waits for its turn.
        if free + delta < 0 or spot in plan.taken:
            plan.takes.append((item.line, act))
            plan.taken.add(spot)
        else:
            plan.acts.append(act)
    return plan


class _Undo(Exception):
    """Takes back what was loaded before a fault turned up."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__()
        self.loaded = loaded


async def import_lines(tx: Tx, actor: Actor, *, command: ImportStock) -> StockImported:
    """Import lines; those with faults are named and left out, or nothing is imported when that is asked for. Raises NotYourStock."""
    for code in {line.location for line in command.lines}:
        if not actor.may("stock.plan", code):
            raise NotYourStock
    content = hashlib.sha256(msgspec.json.encode((command.name, command.lines))).hexdigest()
    items = [Item(n, 1, line) for n, line in enumerate(command.lines, 1)]
    load = loader(command.name, content)
    refused = False
    try:
        async with tx.savepoint():
            loaded = await load(tx, actor, items)
            if loaded.faults and command.all_or_nothing:
                raise _Undo(loaded)
    except _Undo as undo:
        loaded, refused = undo.loaded, True
    return StockImported(
        lines=len(items),
        changed=0 if refused else loaded.counts["levels changed"],
        unchanged=0 if refused else loaded.counts["unchanged"],
        refused=refused,
        faults=sorted(
            (LineFault(line=fault.line, field=fault.field, reason=fault.reason) for fault in loaded.faults),
            key=lambda fault: fault.line,
        ),
    )


def _movement(spot: Spot, delta: int, unit_cost: int | None) -> Movement:
    if delta < 0:
        return Movement(
            variant_id=spot[1], quantity=-delta, from_place="available", from_location_id=spot[0], to_place="loss"
        )
    return Movement(
        variant_id=spot[1],
        quantity=delta,
        from_place="loss" if unit_cost is None else "supplier",
        to_place="available",
        to_location_id=spot[0],
        unit_cost=unit_cost,
    )


async def run(
    db: Database, actor: Actor, path: Path, *, currency: str, dry_run: bool = False, errors: ErrorReport | None = None,
    tell: Tell | None = None, all_or_nothing: bool = False,
) -> Report:  # fmt: skip
    """Import a file of stock; unit costs are in minor units of the shop's one currency. Raises importing.ImportRefused."""
    del currency
    reader = Reader(path, required=COLUMNS[:3], known={*COLUMNS, *BESIDE}.__contains__)
    parse: importing.Parse[StockLine] = (
        importing.csv_items(FileLine, lambda fields: dict(present(fields)))
        if reader.format == "csv" else importing.json_items(FileLine)
    )  # fmt: skip
    content = importing.fingerprint(path)
    return await importing.run(
        db, actor, kind="stock", reader=reader, parse=parse, load=loader(path.name, content),
        rehearse=rehearser(path.name, content), dry_run=dry_run, all_or_nothing=all_or_nothing, errors=errors, tell=tell,
    )  # fmt: skip
