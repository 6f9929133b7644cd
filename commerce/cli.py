"""The `commerce` command: one sub-command per thing an operator does."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import importlib
import json
import multiprocessing
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from commerce.processes import instance_environment
from commerce.settings import Settings, SettingsError, default_data_folder

if TYPE_CHECKING:
    from commerce.infra.db import Database

Tell = Callable[[str], None]

GC_YOUNG = 100_000
"""What a command loads before it begins stays as long as the process: the collector walks it seldom."""
ROOT = Path(__file__).resolve().parents[1]
SNAPSHOT = ROOT / "commerce" / "openapi.json"


def settings_of(arguments: argparse.Namespace) -> Settings:
    """Settings from the environment or from the running instance."""
    return Settings.from_environment(instance_environment(Path(arguments.data).resolve()))


def up(arguments: argparse.Namespace) -> int:
    """Start everything in the foreground: embedded servers, migrations, demonstration data, API, worker, relay."""
    from commerce import processes

    return processes.up(data=Path(arguments.data).resolve(), host=arguments.host, port=arguments.port)


def serve(_arguments: argparse.Namespace) -> int:
    """Start the API."""
    from granian import Granian
    from granian.constants import Interfaces, Loops
    from granian.log import LogLevels

    settings = Settings.from_environment()
    if multiprocessing.get_start_method() == "fork":
        from commerce import parts

        # Loaded once for all workers, also those that are started again.
        importlib.import_module("commerce.app")
        parts.routes()
    Granian(
        "commerce.app:served",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=settings.api_workers,
        factory=True,
        respawn_failed_workers=True,
        workers_kill_timeout=4,
        backlog=2048,
        log_access=False,
        log_level=LogLevels.warning,
    ).serve()
    return 0


def work(_arguments: argparse.Namespace) -> int:
    """Start the worker: event subscribers and periodic work."""
    from commerce import worker
    from commerce.infra import log

    settings = Settings.from_environment()
    log.configure(settings)
    return worker.work(settings)


def relay(_arguments: argparse.Namespace) -> int:
    """Start the outbox relay; one works, further ones wait."""
    from commerce import worker
    from commerce.infra import log

    settings = Settings.from_environment()
    log.configure(settings)
    return worker.relay(settings)


def migrate(_arguments: argparse.Namespace) -> int:
    """Bring the database to the newest migration."""
    from alembic import command
    from alembic.config import Config

    Settings.from_environment()
    command.upgrade(Config(toml_file=str(ROOT / "pyproject.toml")), "head")
    return 0


def audit(arguments: argparse.Namespace) -> int:
    """Check every invariant on one snapshot of a live database; 1 when one is broken."""
    from commerce import parts
    from commerce.infra import audit as books

    findings = asyncio.run(books.run(settings_of(arguments), parts.invariants(), full=arguments.full))
    broken = [finding for finding in findings if finding.offending]
    if arguments.json:
        print(json.dumps([{"number": f.number, "name": f.name, "offending": f.offending} for f in findings]))
        return 1 if broken else 0
    for finding in findings:
        print(f"{'BROKEN' if finding.offending else 'ok':>6}  {finding.number}  {finding.name}")
        for row in finding.offending:
            print("        " + json.dumps(row, ensure_ascii=False))
    print(f"{len(findings)} invariants checked, {len(broken)} broken")
    return 1 if broken else 0


def replay(arguments: argparse.Namespace) -> int:
    """Replay a real retailer's invoices through the services, in a data folder of their own."""
    from fixtures.replay.run import replay as run

    data = Path(os.environ.get("DATA") or ".replay").resolve()
    return run(Path(arguments.file), data=data, everything=arguments.all)


def openapi(arguments: argparse.Namespace) -> int:
    """Write the OpenAPI document, or check that the committed one is the application's."""
    from commerce.app import create_app

    settings = Settings(database_url="postgresql://nowhere/nothing", redis_url="redis://nowhere", secret_key="0" * 32)
    document = create_app(settings).openapi_schema.to_schema()
    text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    if arguments.check:
        if not SNAPSHOT.exists() or SNAPSHOT.read_text() != text:
            print("The API changed: run `make openapi`, look at the difference and commit it.", file=sys.stderr)
            return 1
        return 0
    SNAPSHOT.write_text(text)
    print(f"wrote {SNAPSHOT.relative_to(ROOT)}")
    return 0


def demo(arguments: argparse.Namespace) -> int:
    """Tell the story through HTTP on a temporary shop; 1 when something is not as it is told."""
    from fixtures.demo import stage

    return stage.run(chapter=arguments.chapter, fast=arguments.fast)


def import_file(arguments: argparse.Namespace) -> int:
    """Import the catalog, prices, stock or expected receipts from a CSV or NDJSON file; 1 when lines were left out."""
    from importlib import import_module

    from rich.console import Console

    from commerce.infra import importing

    work = import_module(f"commerce.{arguments.what}.importing").run
    errors = Path(arguments.errors) if arguments.errors else None
    importing_all = importing.command(
        settings_of(arguments),
        work,
        Path(arguments.file),
        dry_run=arguments.dry_run,
        all_or_nothing=arguments.all_or_nothing,
        errors_path=errors,
        console=Console(),
    )
    try:
        return asyncio.run(importing_all)
    except importing.ImportRefused as refusal:
        print(f"commerce: {refusal}", file=sys.stderr)
        return 2


def _with_database(arguments: argparse.Namespace, name: str, work: Callable[[Database, Tell], Awaitable[int]]) -> int:
    """Run a piece of long work with pools of its own; what it tells is shown on a terminal. A refusal is one sentence, and 2."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    from commerce.infra.db import Database
    from commerce.infra.importing import ImportRefused
    from commerce.kernel.errors import Problem

    settings = settings_of(arguments)
    console = Console(stderr=True)

    async def run() -> int:
        db = Database.open(settings, name=f"commerce-{name}")
        try:
            with Progress(
                SpinnerColumn(), TextColumn("{task.description}"), console=console, disable=not console.is_terminal
            ) as shown:
                task = shown.add_task(name, total=None)
                return await work(db, lambda text: shown.update(task, description=text))
        finally:
            await db.close()

    try:
        return asyncio.run(run())
    except (ImportRefused, Problem) as refusal:
        print(f"commerce: {refusal}", file=sys.stderr)
        return 2


def close(arguments: argparse.Namespace) -> int:
    """Close the books of stock up to the last full hour, so that audits and looks at the past begin there."""
    from commerce.stock import closings

    async def work(db: Database, tell: Tell) -> int:
        made = await closings.close(db, tell=lambda movements: tell(f"{movements} movements"))
        text = f"{made.movements} movements taken in" if made.made else "made already"
        print(f"closing {made.number} up to {made.position.isoformat()}: {text}")
        return 0

    return _with_database(arguments, "close", work)


def export(arguments: argparse.Namespace) -> int:
    """Write stock as CSV or NDJSON that can be imported again: the levels, or what has changed since an instant."""
    from commerce.stock import exporting

    path = Path(arguments.output) if arguments.output else None
    form = arguments.format or exporting.form_of_file(path) or "csv"

    part = None if path is None else path.with_name(f"{path.name}.part")

    async def work(db: Database, tell: Tell) -> int:
        with contextlib.ExitStack() as stack:
            if part is not None:
                stack.callback(part.unlink, missing_ok=True)
            out = sys.stdout.buffer if part is None else stack.enter_context(part.open("wb"))
            count, until = await exporting.write(
                db, out, location=arguments.location, since=arguments.since, form=form, tell=lambda n: tell(f"{n} lines")
            )  # fmt: skip
            out.flush()
            if part is not None and path is not None:
                part.replace(path)
        print(f"{count} lines; for what changes from here on: --since {until.isoformat()}", file=sys.stderr)
        return 0

    return _with_database(arguments, "export", work)


def compare(arguments: argparse.Namespace) -> int:
    """List where a file of another system and the books of stock disagree; 1 when they do. Nothing is changed."""
    from commerce.infra.importing import ErrorReport, ImportRefused
    from commerce.stock import comparing

    path = Path(arguments.file)

    async def work(db: Database, tell: Tell) -> int:
        if not path.is_file():  # noqa: ASYNC240
            raise ImportRefused(f"{path}: there is no such file.")
        with contextlib.ExitStack() as stack:
            errors = None
            if arguments.errors:
                errors = stack.enter_context(Path(arguments.errors).open("w", encoding="utf-8", newline=""))  # noqa: ASYNC230
            report = ErrorReport(errors)
            found = await comparing.run(
                db, path, out=sys.stdout, as_of=arguments.as_of, clock=arguments.clock, whole=not arguments.part,
                errors=report, tell=lambda _, so_far: tell(f"{so_far.lines} lines"),
            )  # fmt: skip
        if errors is None:
            for fault in sorted(report.first, key=lambda fault: fault.line):
                where = f"line {fault.line}: {fault.field}: " if fault.field else f"line {fault.line}: "
                print(where + fault.reason, file=sys.stderr)
            if found.faults > len(report.first):
                print(
                    f"… and {found.faults - len(report.first)} more: give --errors FILE for all of them",
                    file=sys.stderr,
                )
        print(
            f"{found.lines} lines: {found.equal} equal, {found.different} different, {found.faults} faults; "
            f"{found.missing} in our books alone",
            file=sys.stderr,
        )
        return 0 if found.same else 1

    return _with_database(arguments, "compare", work)


def _only_for_demonstration(settings: Settings) -> None:
    if settings.environment == "production":
        raise SettingsError(
            "ENVIRONMENT is production: the demonstration retailer has published passwords and is not loaded here."
        )


def seed(arguments: argparse.Namespace) -> int:
    """Load the demonstration retailer, or a chain of any size."""
    from fixtures import loader

    settings = settings_of(arguments)
    _only_for_demonstration(settings)
    if arguments.stores or arguments.variants:
        stores, variants = arguments.stores or 12, arguments.variants or 1000
        work = loader.load_chain(settings, stores=stores, variants=variants, if_empty=arguments.if_empty)
    else:
        work = loader.load(settings, if_empty=arguments.if_empty)
    if not asyncio.run(work):
        print("There is a retailer already; its data are kept as they are.")
    return 0


def credentials(arguments: argparse.Namespace) -> int:
    """Print ready credentials of the demonstration retailer for each kind of caller."""
    from fixtures import loader

    print(
        json.dumps(loader.credentials(), ensure_ascii=False, indent=1)
        if arguments.json
        else loader.credentials_in_short()
    )
    return 0


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 0 (any free one) to 65535")
    return int(text)


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no instant: give date, time and offset, e.g. 2026-03-01T00:00:00+03:00"
        )
    return at


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="commerce", description="One retailer's backend.")
    top.add_argument("--data", default=str(default_data_folder()), help="folder of the embedded servers (DATA, .data)")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: object) -> argparse.ArgumentParser:
        summary = (getattr(run, "__doc__", "") or "").strip()
        command = commands.add_parser(name, help=summary, description=summary)
        command.set_defaults(run=run)
        return command

    command = add("up", up)
    command.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"))
    command.add_argument("--port", type=_port, default=os.environ.get("PORT") or "8000")
    add("serve", serve)
    add("work", work)
    add("relay", relay)
    add("migrate", migrate)
    command = add("import", import_file)
    command.add_argument("what", choices=("catalog", "prices", "stock", "supply"))
    command.add_argument("file", help="a file named .csv, .ndjson or .jsonl")
    command.add_argument("--dry-run", action="store_true", help="do everything and undo it")
    command.add_argument("--all-or-nothing", action="store_true", help="import nothing when a line has a fault")
    command.add_argument("--errors", metavar="FILE", help="write every fault as CSV: line, field, reason")
    command = add("export", export)
    command.add_argument("what", choices=("stock",))
    command.add_argument("--format", choices=("csv", "ndjson"), help="csv, or as the output is named")
    command.add_argument("--location", metavar="CODE", help="this one alone")
    command.add_argument(
        "--since", type=_instant, metavar="INSTANT", help="what has changed since, by when it was booked"
    )
    command.add_argument("--output", metavar="FILE", help="instead of standard output")
    command = add("compare", compare)
    command.add_argument("what", choices=("stock",))
    command.add_argument("file", help="location,sku,quantity and, if need be, bucket: named .csv, .ndjson or .jsonl")
    command.add_argument("--as-of", type=_instant, metavar="INSTANT", help="when the file was made; now without")
    command.add_argument("--clock", choices=("occurred", "recorded"), default="occurred", help="of --as-of")
    command.add_argument("--part", action="store_true", help="the file does not name all there is at its locations")
    command.add_argument("--errors", metavar="FILE", help="write every fault as CSV: line, field, reason")
    command = add("close", close)
    command.add_argument("what", choices=("stock",))
    command = add("seed", seed)
    command.add_argument("--if-empty", action="store_true", help="do nothing when there is a retailer already")
    command.add_argument("--stores", type=int, help="a generated chain with so many stores …")
    command.add_argument("--variants", type=int, help="… and so many variants")
    command = add("credentials", credentials)
    command.add_argument("--json", action="store_true", help="all of them, for scripts")
    command = add("audit", audit)
    command.add_argument("--json", action="store_true", help="print the findings as JSON")
    command.add_argument(
        "--full", action="store_true", help="read every movement, not only those since the last closing"
    )
    command = add("demo", demo)
    command.add_argument("--chapter", help="tell this one alone, e.g. story")
    command.add_argument("--fast", action="store_true", help="without pauses for the reader")
    command = add("replay", replay)
    command.add_argument("file", help="online-retail.csv, packed with xz or not")
    command.add_argument("--all", action="store_true", help="every invoice, not only the first 2,000")
    command = add("openapi", openapi)
    command.add_argument("--check", action="store_true", help="compare with the committed document")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a refusal is one sentence on standard error."""
    arguments = parser().parse_args(argv)
    gc.set_threshold(GC_YOUNG, 20, 50)
    try:
        result: int = arguments.run(arguments)
        return result
    except SettingsError as error:
        print(f"commerce: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the reader of our output has seen enough
        return 0
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if error.filename is None:
            raise
        print(f"commerce: {error.filename}: {error.strerror}.", file=sys.stderr)
        return 2
