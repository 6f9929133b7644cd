"""Export of stock as CSV or NDJSON: the levels as they are, or what has changed since an instant of the books.

What is exported can be imported again: `location,sku,quantity,mode` mean what they mean there (importing.py), the buckets stand beside
them. It is read a chunk at a time, each on its own snapshot, and streamed; nothing is held while the reader is slow. A change reaches
up to `until`, before which nothing more will be recorded: the next export goes on from there, and nothing is told twice or missed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from commerce import catalog
from commerce.infra.db import Database, Tx
from commerce.kernel.actor import Actor, system
from commerce.stock import closings, past
from commerce.stock.ledger import BUCKETS
from commerce.stock.queries import LEVELS

Format = Literal["csv", "ndjson"]

CHUNK = 1000
GOODS = 100
"""Variants whose changes are read at once: at hundreds of locations these are many lines already."""
MEDIA_TYPES: Mapping[Format, str] = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
COLUMNS = ("location", "sku", "quantity", "mode", *BUCKETS, "on_hand", "safety_stock", "ats")

PAGE = f"""
{LEVELS} WHERE l.location_id = ANY(CAST(:location_ids AS uuid[]))
    AND (l.location_id, l.variant_id) > (CAST(:location_id AS uuid), CAST(:variant_id AS uuid))
ORDER BY l.location_id, l.variant_id LIMIT :limit
"""
CHANGED = f"""
SELECT e.location_id, m.variant_id, {", ".join(f"coalesce(sum(e.quantity) FILTER (WHERE e.place = '{b}'), 0) AS {b}" for b in BUCKETS)}
FROM stock.movements m {closings.ENDS}
WHERE m.variant_id = ANY(CAST(:variant_ids AS uuid[])) AND m.recorded_at > :since AND m.recorded_at <= :until
    AND e.location_id = ANY(CAST(:location_ids AS uuid[]))
GROUP BY e.location_id, m.variant_id ORDER BY e.location_id, m.variant_id
"""  # noqa: S608


class Exported(Struct, frozen=True, kw_only=True):
    """A level, or how it has changed. `quantity` are the units for sale, those already promised included."""

    location: str
    sku: str
    quantity: int
    mode: Literal["absolute", "delta"]
    available: int
    reserved: int
    committed: int
    quality_control: int
    damaged: int
    in_transit: int
    in_transit_committed: int
    on_hand: int
    safety_stock: int | None
    ats: int | None


class Wanted(Struct, frozen=True, kw_only=True):
    """What is exported: which locations, and since when, up to when."""

    places: dict[UUID, str]
    since: datetime | None
    until: datetime
    skus: dict[UUID, str] = {}
    """Those that have been looked up: most variants come again at the next location."""


class Export(Struct, frozen=True, kw_only=True):
    """An export that is about to be read."""

    content: AsyncIterator[bytes]
    media_type: str
    headers: dict[str, str]


async def wanted(tx: Tx, actor: Actor, *, location: str | None, since: datetime | None) -> Wanted:
    """What an export will tell, settled before its first line. Two statements. Raises NotPast, NotYourStock, UnknownLocation."""
    if since is not None:
        closings.check_past(tx, since)
    places = await past.visible(tx, actor, location)
    return Wanted(
        places={place.id: place.code for place in places}, since=since, until=await closings.settled_until(tx)
    )  # fmt: skip


async def chunks(db: Database, what: Wanted) -> AsyncIterator[list[Exported]]:
    """The lines of an export, a chunk of them at a time."""
    after: Any = (past.NOWHERE, past.NOWHERE) if what.since is None else past.NOWHERE
    while after is not None:
        found, after = await db.read(_levels if what.since is None else _changes, what, after)
        yield found


async def _levels(tx: Tx, what: Wanted, after: tuple[UUID, UUID]) -> tuple[list[Exported], tuple[UUID, UUID] | None]:
    rows = await tx.rows(
        PAGE, at=tx.at, location_ids=list(what.places), location_id=after[0], variant_id=after[1], limit=CHUNK
    )
    last = (rows[-1].location_id, rows[-1].variant_id) if len(rows) == CHUNK else None
    return await _lines(tx, what, rows), last


async def _changes(tx: Tx, what: Wanted, after: UUID) -> tuple[list[Exported], UUID | None]:
    places = list(what.places)
    goods = [row.variant_id for row in await tx.rows(past.GOODS, after=after, location_ids=places, limit=GOODS)]
    rows = await tx.rows(CHANGED, variant_ids=goods, location_ids=places, since=what.since, until=what.until)
    moved = [row for row in rows if any(row[bucket] for bucket in BUCKETS)]
    return await _lines(tx, what, moved), goods[-1] if len(goods) == GOODS else None


async def _lines(tx: Tx, what: Wanted, rows: Sequence[Any]) -> list[Exported]:
    new = {row.variant_id for row in rows} - what.skus.keys()
    if new:
        what.skus.update(
            (variant_id, known.sku) for variant_id, known in (await catalog.variants(tx, list(new))).items()
        )
    absolute = what.since is None
    found = []
    for row in rows:
        buckets: dict[str, int] = {bucket: int(row[bucket]) for bucket in BUCKETS}
        found.append(
            Exported(
                location=what.places[row.location_id],
                sku=what.skus[row.variant_id],
                quantity=buckets["available"] + buckets["reserved"] + buckets["committed"],
                mode="absolute" if absolute else "delta",
                on_hand=past.on_hand(buckets),
                safety_stock=row.safety_stock if absolute else None,
                ats=row.ats if absolute else None,
                **buckets,
            )
        )
    return found


def encoded(lines: Sequence[Exported], form: Format, *, first: bool) -> bytes:
    """Lines as CSV, below the names of the columns in the first chunk, or as NDJSON."""
    if form == "ndjson":
        return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if first:
        writer.writerow(COLUMNS)
    writer.writerows([getattr(line, name) for name in COLUMNS] for line in lines)
    return out.getvalue().encode()


async def _stream(db: Database, what: Wanted, form: Format) -> AsyncIterator[bytes]:
    first = True
    async for lines in chunks(db, what):
        yield encoded(lines, form, first=first)
        first = False


def form_of(name: str | None, accept: str) -> Format:
    """The format that is asked for, by name or by the Accept header; NDJSON when neither says."""
    csv_wanted = "text/csv" in accept.lower() if name is None else name == "csv"
    return "csv" if csv_wanted else "ndjson"


async def open_export(
    db: Database, actor: Actor, *, location: str | None, since: datetime | None, form: Format
) -> Export:  # fmt: skip
    """An export whose refusals are behind it: what follows is its content. Raises NotPast, NotYourStock, UnknownLocation."""
    what = await db.read(wanted, actor, location=location, since=since)
    return Export(
        content=_stream(db, what, form),
        media_type=MEDIA_TYPES[form],
        headers={
            "Content-Disposition": f'attachment; filename="stock.{form}"', "Export-Until": what.until.isoformat(),
        },
    )  # fmt: skip


async def write(
    db: Database,
    out: BinaryIO,
    *,
    location: str | None,
    since: datetime | None,
    form: Format,
    tell: Callable[[int], None] | None = None,
) -> tuple[int, datetime]:
    """Write an export to a file: the number of its lines, and up to when it reaches; `tell` hears how many lines are written.

    Raises NotPast, UnknownLocation.
    """
    what = await db.read(wanted, system("export"), location=location, since=since)
    count, first = 0, True
    async for lines in chunks(db, what):
        out.write(encoded(lines, form, first=first))
        first = False
        count += len(lines)
        if tell is not None:
            tell(count)
    return count, what.until


def form_of_file(path: Path | None) -> Format | None:
    """The format by the name of the file; None when it does not say."""
    suffix = "" if path is None else path.suffix.lower()
    return "csv" if suffix == ".csv" else "ndjson" if suffix in (".ndjson", ".jsonl") else None
