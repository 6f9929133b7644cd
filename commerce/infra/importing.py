"""Bulk import of CSV and NDJSON files: lines with numbers, chunks that commit one by one, an error report, a dry run.

A room says how lines become items and how a chunk of items is loaded; this module reads, counts, commits, reports and resumes. The
progress of a file is stored with each chunk, so an interrupted import of the same file goes on where it stopped.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, TextIO, TypeVar

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from commerce.infra.db import Database, Tx
from commerce.kernel.actor import Actor, system
from commerce.kernel.errors import Busy, Problem
from commerce.settings import Settings

T = TypeVar("T")

CHUNK_ROWS = 1000
LONGEST_LINE = 4 * 1024 * 1024
Format = Literal["csv", "ndjson"]

PROGRESS = "SELECT done, state FROM infra.long_work WHERE kind = :kind AND key = :key"
ADVANCE = """
INSERT INTO infra.long_work (kind, key, done, state, updated_at) VALUES (:kind, :key, :done, CAST(:state AS jsonb), :at)
ON CONFLICT (kind, key) DO UPDATE SET done = excluded.done, state = excluded.state, updated_at = excluded.updated_at
"""


class ImportRefused(Exception):
    """The file as a whole cannot be imported; the text is one sentence for the operator."""


class Line(Struct, frozen=True):
    """One line of a file: the fields of a CSV row by name, or the bytes of a JSON document."""

    number: int
    fields: dict[str, str] | None
    document: bytes


class Fault(Struct, frozen=True, kw_only=True):
    """Why a line was not imported."""

    line: int
    field: str
    reason: str


class Item(Struct, Generic[T], frozen=True):
    """What came out of one or several lines, ready to load. `rows` is its weight in a chunk."""

    line: int
    """The last line it came from."""
    rows: int
    value: T


class Report(Struct, kw_only=True):
    """What an import did."""

    lines: int = 0
    rows: int = 0
    """Rows loaded (or that would have been, in a dry run)."""
    resumed_at_line: int = 0
    counts: dict[str, int] = {}
    """What the room counts: created, changed, unchanged …"""
    faults: int = 0
    refused: bool = False
    """All or nothing was asked for, and a fault was in the way: the file was not imported."""


class Loaded(Struct, frozen=True):
    """What a chunk did: counts by name, and faults of items that were left out."""

    counts: dict[str, int]
    faults: list[Fault]
    rows: int


Parse = Callable[[Iterator[Line]], Iterator[Item[T] | Fault]]
Load = Callable[[Tx, Actor, Sequence[Item[T]]], Awaitable[Loaded]]
Tell = Callable[[int, Report], None]
"""Called after each chunk with the number of bytes read so far."""


class _Undo(Exception):
    """Rolls a chunk back that is not to be kept; carries what it would have done."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__()
        self.loaded = loaded


def format_of(path: Path) -> Format:
    """`csv` or `ndjson` by the name of the file. Raises ImportRefused."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return "csv"
    if suffix in (".ndjson", ".jsonl"):
        return "ndjson"
    raise ImportRefused(f"{path.name}: the name must end in .csv, .ndjson or .jsonl.")


class Reader:
    """The lines of a file, with the number of bytes read so far. UTF-8, with or without a byte order mark."""

    def __init__(self, path: Path, *, required: Sequence[str] = (), known: Callable[[str], bool] | None = None) -> None:
        self.path = path
        self.format = format_of(path)
        self.required = tuple(required)
        self.known = known or (lambda name: name in self.required)
        self.bytes_read = 0

    def __iter__(self) -> Iterator[Line | Fault]:
        self.bytes_read = 0
        return self._csv() if self.format == "csv" else self._ndjson()

    def _ndjson(self) -> Iterator[Line | Fault]:
        with self.path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                self.bytes_read += len(raw)
                document = raw.strip().removeprefix(b"\xef\xbb\xbf")
                if len(raw) > LONGEST_LINE:
                    yield Fault(line=number, field="", reason=f"the line is longer than {LONGEST_LINE} bytes")
                elif document:
                    yield Line(number, None, document)

    def _text(self) -> Iterator[str]:
        with self.path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                self.bytes_read += len(raw)
                try:
                    yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise ImportRefused(f"{self.path.name}: line {number} is not UTF-8.") from error

    def _csv(self) -> Iterator[Line | Fault]:
        rows = csv.reader(self._text(), strict=True)
        try:
            head = next(rows, None)
            if head is None:
                raise ImportRefused(f"{self.path.name}: the file is empty.")
            names = [name.strip() for name in head]
            missing = [name for name in self.required if name not in names]
            if missing:
                raise ImportRefused(f"{self.path.name}: the first line lacks the column {missing[0]}.")
            unknown = [name for name in names if not self.known(name)]
            if unknown:
                raise ImportRefused(f"{self.path.name}: the column {unknown[0]!r} is not known.")
            if len(set(names)) != len(names):
                raise ImportRefused(f"{self.path.name}: a column name stands twice in the first line.")
            for row in rows:
                number = rows.line_num
                if not any(row):
                    continue
                if len(row) != len(names):
                    yield Fault(line=number, field="", reason=f"{len(row)} fields instead of {len(names)}")
                    continue
                yield Line(number, dict(zip(names, row, strict=True)), b"")
        except csv.Error as error:
            raise ImportRefused(f"{self.path.name}: line {rows.line_num} is not CSV: {error}.") from error


def field_of(error: msgspec.ValidationError) -> tuple[str, str]:
    """Field and reason from msgspec's message."""
    what, _, path = str(error).partition(" - at `$")
    return path.rstrip("`").lstrip("."), what


def json_items(kind: type[T], rows: Callable[[T], int] = lambda value: 1) -> Parse[T]:  # noqa: ARG005
    """How NDJSON lines become items of one type."""
    decoder = msgspec.json.Decoder(kind)

    def parse(lines: Iterator[Line]) -> Iterator[Item[T] | Fault]:
        for line in lines:
            try:
                value = decoder.decode(line.document)
            except msgspec.ValidationError as error:
                field, reason = field_of(error)
                yield Fault(line=line.number, field=field, reason=reason)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                yield Fault(line=line.number, field="", reason=str(error))
            else:
                yield Item(line.number, rows(value), value)

    return parse


def csv_items(kind: type[T], build: Callable[[dict[str, str]], dict[str, Any]]) -> Parse[T]:
    """How CSV rows become items of one type, one by one: empty fields are absent, numbers are read from their text."""

    def parse(lines: Iterator[Line]) -> Iterator[Item[T] | Fault]:
        for line in lines:
            assert line.fields is not None
            try:
                value = msgspec.convert(build(line.fields), kind, strict=False)
            except msgspec.ValidationError as error:
                field, reason = field_of(error)
                yield Fault(line=line.number, field=field, reason=reason)
            else:
                yield Item(line.number, 1, value)

    return parse


def present(fields: dict[str, str]) -> dict[str, str]:
    """The fields that are not empty, stripped."""
    return {name: value.strip() for name, value in fields.items() if value.strip()}


class ErrorReport:
    """The faults of an import as CSV (`line,field,reason`), written as they come."""

    def __init__(self, out: TextIO | None) -> None:
        self._writer = csv.writer(out, lineterminator="\n") if out is not None else None
        self.first: list[Fault] = []
        if self._writer is not None:
            self._writer.writerow(("line", "field", "reason"))

    def add(self, faults: Iterable[Fault]) -> None:
        """Write faults down; the first twenty are kept to be shown."""
        for fault in faults:
            if len(self.first) < 20:
                self.first.append(fault)
            if self._writer is not None:
                self._writer.writerow((fault.line, fault.field, fault.reason))


def fingerprint(path: Path) -> str:
    """What the progress of a file is stored under: the SHA-256 of its content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def advance(tx: Tx, kind: str, key: str, done: int, state: dict[str, Any]) -> None:
    """Store how far a piece of long work has come, in the transaction of its chunk."""
    await tx.execute(ADVANCE, kind=kind, key=key, done=done, state=msgspec.json.encode(state).decode(), at=tx.at)


async def progress(tx: Tx, kind: str, key: str) -> tuple[int, dict[str, Any]]:
    """How far a piece of long work has come; (0, {}) before it began."""
    row = await tx.first(PROGRESS, kind=kind, key=key)
    return (row.done, row.state) if row is not None else (0, {})


async def run(
    db: Database,
    actor: Actor,
    *,
    kind: str,
    reader: Reader,
    parse: Parse[T],
    load: Load[T],
    rehearse: Load[T] | None = None,
    dry_run: bool = False,
    all_or_nothing: bool = False,
    errors: ErrorReport | None = None,
    tell: Tell | None = None,
) -> Report:
    """Import a file: chunks of at most 1,000 rows, each one `db.write` together with its progress.

    Lines with faults are reported and left out, the others are imported. A dry run does everything and undoes it; `rehearse`
    finds the same faults and counts without doing anything, and may remember from chunk to chunk. With `all_or_nothing` a first
    pass does that, and nothing is imported when it finds a fault; should one arise only afterwards, its chunk is undone and the
    import stops there. The same file again, after an interruption, goes on behind the last chunk; after the end it is imported
    anew. Raises ImportRefused.
    """
    errors = errors or ErrorReport(None)
    work, key = f"import {kind}", fingerprint(reader.path)
    done = 0
    if not dry_run:
        done, state = await db.read(progress, work, key)
        if state.get("finished"):
            done = 0
    if dry_run or all_or_nothing:
        first: _Pass[T] = _Pass(db, actor, work, key, reader, errors, tell, done=done, keep=False)
        report = await first.run(parse, rehearse or load)
        if all_or_nothing and report.faults:
            report.refused, report.rows, report.counts = True, 0, {}
            return report
        if dry_run:
            return report
    second: _Pass[T] = _Pass(db, actor, work, key, reader, errors, tell, done=done, strict=all_or_nothing)
    return await second.run(parse, load)


class _Pass(Generic[T]):
    """One reading of a file from behind line `done` on. Without `keep` every chunk is undone; a `strict` one ends at a fault."""

    def __init__(
        self,
        db: Database,
        actor: Actor,
        work: str,
        key: str,
        reader: Reader,
        errors: ErrorReport,
        tell: Tell | None,
        *,
        done: int,
        keep: bool = True,
        strict: bool = False,
    ) -> None:
        self.db, self.actor, self.work, self.key = db, actor, work, key
        self.reader, self.errors, self.tell = reader, errors, tell
        self.done, self.keep, self.strict = done, keep, strict
        self.report = Report(resumed_at_line=done)
        self.seen = 0

    async def run(self, parse: Parse[T], load: Load[T]) -> Report:
        """All chunks, in order."""
        chunk: list[Item[T]] = []
        weight = 0
        for item in parse(self._lines()):
            if isinstance(item, Fault):
                self._note([item])
                continue
            if chunk and weight + item.rows > CHUNK_ROWS:
                await self._flush(load, chunk)
                chunk, weight = [], 0
                if self._over():
                    return self.report
            chunk.append(item)
            weight += item.rows
        await self._flush(load, chunk)
        if not self._over() and self.keep:
            await self.db.write(advance, self.work, self.key, 0, {"file": self.reader.path.name, "finished": True})
        return self.report

    def _over(self) -> bool:
        self.report.refused = self.strict and self.report.faults > 0
        return self.report.refused

    def _lines(self) -> Iterator[Line]:
        for line in self.reader:
            if isinstance(line, Fault):
                if line.line > self.done:
                    self._note([line])
                continue
            if line.number > self.done:
                self.seen += 1
                yield line

    def _note(self, faults: Sequence[Fault]) -> None:
        self.report.faults += len(faults)
        self.errors.add(faults)

    async def _flush(self, load: Load[T], chunk: list[Item[T]]) -> None:
        if chunk:
            await self._put(load, chunk)
        self.report.lines = self.seen
        if self.tell is not None:
            self.tell(self.reader.bytes_read, self.report)

    async def _put(self, load: Load[T], chunk: list[Item[T]]) -> None:
        try:
            loaded = await self.db.write(self._one_chunk, load, chunk)
        except _Undo as undo:
            loaded = undo.loaded
            if self.keep:
                loaded = Loaded({}, loaded.faults, 0)
        except Busy:
            raise
        except Problem as problem:
            if self.strict or len(chunk) == 1:
                self._note([Fault(line=chunk[0].line, field="", reason=str(problem))])
                return
            for item in chunk:
                await self._put(load, [item])
            return
        self._note(loaded.faults)
        self.report.rows += loaded.rows
        for name, count in loaded.counts.items():
            self.report.counts[name] = self.report.counts.get(name, 0) + count

    async def _one_chunk(self, tx: Tx, load: Load[T], chunk: Sequence[Item[T]]) -> Loaded:
        loaded = await load(tx, self.actor, chunk)
        if not self.keep or (self.strict and loaded.faults):
            await tx.flush()
            raise _Undo(loaded)
        await advance(tx, self.work, self.key, chunk[-1].line, {"file": self.reader.path.name, "finished": False})
        return loaded


def as_text(report: Report, *, dry_run: bool) -> str:
    """One line for the operator."""
    if report.refused and report.rows == 0:
        return f"nothing {'would be ' if dry_run else ''}imported: {report.lines} lines, {report.faults} faults"
    parts = [f"{report.lines} lines", f"{report.rows} rows {'would be imported' if dry_run else 'imported'}"]
    parts += [f"{count} {name}" for name, count in report.counts.items() if count]
    parts.append(f"{report.faults} faults")
    start = f"went on behind line {report.resumed_at_line}: " if report.resumed_at_line else ""
    start += "stopped at a fault: " if report.refused else ""
    return start + ", ".join(parts)


async def command(
    settings: Settings,
    work: Callable[..., Awaitable[Report]],
    path: Path,
    *,
    dry_run: bool,
    errors_path: Path | None,
    console: Console,
    all_or_nothing: bool = False,
) -> int:
    """What `commerce import` does with a room's `run`: a progress bar, the report, the faults; 0 when every line was imported.

    Raises ImportRefused.
    """
    if not path.is_file():  # noqa: ASYNC240
        raise ImportRefused(f"{path}: there is no such file.")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]} rows"),
    )
    db = Database.open(settings, name="commerce-import")
    try:
        with contextlib.ExitStack() as stack:
            out = None
            if errors_path is not None:
                out = stack.enter_context(errors_path.open("w", encoding="utf-8", newline=""))
            errors = ErrorReport(out)
            bar = stack.enter_context(Progress(*columns, console=console, disable=not console.is_terminal))
            task = bar.add_task(path.name, total=path.stat().st_size, rows=0)  # noqa: ASYNC240

            def tell(bytes_read: int, so_far: Report) -> None:
                bar.update(task, completed=bytes_read, rows=so_far.rows)

            report = await work(
                db, system("import"), path, currency=settings.currency, dry_run=dry_run, all_or_nothing=all_or_nothing,
                errors=errors, tell=tell,
            )  # fmt: skip
    finally:
        await db.close()
    console.print(as_text(report, dry_run=dry_run), highlight=False, markup=False, soft_wrap=True)
    if errors_path is None:
        for fault in sorted(errors.first, key=lambda fault: fault.line):
            where = f"line {fault.line}: {fault.field}: " if fault.field else f"line {fault.line}: "
            console.print(where + fault.reason, highlight=False, markup=False, soft_wrap=True)
        if report.faults > len(errors.first):
            more = report.faults - len(errors.first)
            console.print(f"… and {more} more: give --errors FILE for all of them", highlight=False, markup=False)
    return 1 if report.faults else 0
