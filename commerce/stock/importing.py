"""Import of stock from CSV and NDJSON: `location,sku,quantity,unit_cost,mode`.

`absolute` (the default) says how many units for sale stand there, those already promised included; the difference is booked, and what
it takes away breaks promises as any physical fact does. `delta` says how many came (or, negative, went). What comes with a unit cost
comes from a supplier and moves the average cost. Each line is a posting of its own, whose cause is the file's content and the line's
number: the same file again moves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID, uuid5

from msgspec import Meta, Struct, field

from commerce import catalog, locations
from commerce.infra import importing, outbox
from commerce.infra.db import Database, Tx
from commerce.infra.importing import ErrorReport, Fault, Item, Loaded, Reader, Report, Tell, present
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy
from commerce.kernel.text import Code, Sku
from commerce.stock import facts, ledger
from commerce.stock.errors import BelowZero
from commerce.stock.ledger import LIMIT, Act, Spot
from commerce.stock.schemas import Cause, Movement, UnitCost

COLUMNS = ("location", "sku", "quantity", "unit_cost", "mode")
KIND = "stock_import"
NAMESPACE = UUID("5a6f2c0e-0d5e-5d6b-9a3c-6f1d0c2b7e41")
"""Of the causes of imported lines."""


class StockLine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the file."""

    location: Code
    sku: Sku
    quantity: Annotated[int, Meta(ge=-LIMIT, le=LIMIT)]
    unit_cost: UnitCost | None = None
    mode: Literal["absolute", "delta"] = "absolute"


class _Planned(Struct):
    """What a chunk will do: acts that fit what is available, and losses that must look at promises."""

    acts: list[Act] = field(default_factory=list)
    takes: list[tuple[int, Act]] = field(default_factory=list)
    taken: set[Spot] = field(default_factory=set)
    unchanged: int = 0


def loader(name: str, content: str) -> importing.Load[StockLine]:
    """How a chunk of a file is loaded; `content` is the file's fingerprint."""

    async def load(tx: Tx, actor: Actor, items: Sequence[Item[StockLine]]) -> Loaded:
        places = await locations.by_codes(tx, list({item.value.location for item in items}))
        variants = await catalog.by_skus(tx, list({item.value.sku for item in items}))
        causes = {item.line: Cause(KIND, uuid5(NAMESPACE, f"{content}:{item.line}")) for item in items}
        faults: list[Fault] = []
        good: list[tuple[Item[StockLine], Spot]] = []
        for item in items:
            value = item.value
            if value.location not in places:
                faults.append(Fault(line=item.line, field="location", reason=f"there is no location {value.location}"))
            elif value.sku not in variants:
                faults.append(Fault(line=item.line, field="sku", reason=f"there is no variant {value.sku}"))
            elif value.mode == "absolute" and value.quantity < 0:
                faults.append(Fault(line=item.line, field="quantity", reason="an absolute quantity is not negative"))
            else:
                good.append((item, (places[value.location].id, variants[value.sku].id)))
        levels = await ledger.lock(tx, (spot for _, spot in good))
        posted = await ledger.posted_of(tx, KIND, [causes[item.line].id for item, _ in good])
        available = {spot: level.available for spot, level in levels.items()}
        aside = {spot: level.reserved + level.committed for spot, level in levels.items()}
        plan = _Planned()
        rows = 0
        for item, spot in good:
            value, free, promised = item.value, available.get(spot, 0), aside.get(spot, 0)
            delta = value.quantity if value.mode == "delta" else value.quantity - free - promised
            if causes[item.line].id in posted or delta == 0:
                plan.unchanged += 1
                rows += 1
                continue
            if free + delta > LIMIT:
                faults.append(Fault(line=item.line, field="quantity", reason=f"more than {LIMIT} in one place"))
                continue
            if free + promised + delta < 0:
                reason = f"only {free + promised} are there to take away"
                faults.append(Fault(line=item.line, field="quantity", reason=reason))
                continue
            act = Act(
                cause=causes[item.line],
                movements=[_movement(spot, delta, value.unit_cost)],
                reason=f"import of {name}",
                business_date=places[value.location].business_date(tx.at),
            )
            rows += 1
            available[spot] = max(0, free + delta)
            aside[spot] = promised + min(0, free + delta)
            # What follows a broken promise on the same shelf waits for its turn.
            if free + delta < 0 or spot in plan.taken:
                plan.takes.append((item.line, act))
                plan.taken.add(spot)
            else:
                plan.acts.append(act)
        if plan.acts and not (await ledger.book(tx, actor, plan.acts)).posted:
            # The same file is being imported at the same time.
            raise Busy(retry_after_seconds=1)
        for line, act in plan.takes:
            try:
                await facts.book_fact(tx, actor, act)
            except BelowZero as refusal:
                faults.append(Fault(line=line, field="quantity", reason=str(refusal)))
                rows -= 1
        changed = rows - plan.unchanged
        if changed:
            after = {"lines": changed, "first": items[0].line, "last": items[-1].line}
            outbox.audit(tx, actor, "stock.import", "file", content, after=after)
        return Loaded({"levels changed": changed, "unchanged": plan.unchanged}, faults, rows)

    return load


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
    tell: Tell | None = None,
) -> Report:  # fmt: skip
    """Import a file of stock; unit costs are in minor units of the shop's one currency. Raises importing.ImportRefused."""
    del currency
    reader = Reader(path, required=COLUMNS[:3], known=COLUMNS.__contains__)
    parse = (
        importing.csv_items(StockLine, lambda fields: dict(present(fields)))
        if reader.format == "csv" else importing.json_items(StockLine)
    )  # fmt: skip
    load = loader(path.name, importing.fingerprint(path))
    return await importing.run(
        db, actor, kind="stock", reader=reader, parse=parse, load=load, dry_run=dry_run, errors=errors, tell=tell
    )
