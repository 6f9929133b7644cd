"""Run the bench:

    python -m tests.bench [--only place] [--json path] [--seconds 3]

Ends with 0 when every mark holds and no request was refused, 1 when not, 2 when it could not measure, 130 when interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from commerce.embedded import EmbeddedError
from tests.bench import bench
from tests.bench.chain import LOCATIONS
from tests.bench.instance import ROOT, BenchError
from tests.bench.report import FLOORS

LEAST_LEVELS, MOST_LEVELS = 50 * LOCATIONS, 99_999 * LOCATIONS


def parser() -> argparse.ArgumentParser:
    """The command line; `make bench` passes ONLY, JSON and SECONDS."""
    top = argparse.ArgumentParser(
        prog="python -m tests.bench", description=__doc__.partition("\n")[0] if __doc__ else ""
    )
    top.add_argument(
        "--only", metavar="FLOW", help=f"one of {', '.join((*FLOORS, *bench.PARTS))}, or several with commas"
    )
    top.add_argument("--json", metavar="PATH", type=Path, help="write the figures here")
    top.add_argument("--seconds", type=float, default=3.0, help="length of each measurement (3)")
    top.add_argument("--concurrency", default="1,8,32", help="how many at once (1,8,32)")
    top.add_argument("--history", type=int, default=5000, help="orders made before anything is measured (5000)")
    top.add_argument(
        "--levels", default="50000,5000000", help="levels of the small and the large chain (50000,5000000)"
    )
    top.add_argument("--data", type=Path, default=ROOT / ".bench", help="folder of the temporary servers (.bench)")
    return top


def options_of(argv: Sequence[str] | None) -> tuple[bench.Options, Path | None]:
    """What was asked for, and where the JSON goes. Exits with 2 when it does not parse."""
    command_line = parser()
    given = command_line.parse_args(argv)
    every = (*FLOORS, *bench.PARTS)
    names = tuple(dict.fromkeys(name.strip() for name in given.only.split(","))) if given.only else every
    unknown = [name for name in names if name not in every]
    if unknown:
        command_line.error(f"no flow is called {unknown[0]!r}; there are {', '.join(every)}")
    try:
        small, large = map(int, given.levels.split(","))
    except ValueError:
        small = large = 0
    if not MOST_LEVELS >= large > small >= LEAST_LEVELS:
        command_line.error(f"--levels takes two numbers, from {LEAST_LEVELS} to {MOST_LEVELS}, e.g. 50000,5000000")
    try:
        levels = tuple(sorted({int(level) for level in given.concurrency.split(",")}))
    except ValueError:
        levels = (0,)
    if levels[0] < 1 or levels[-1] > 64:
        command_line.error("--concurrency takes numbers from 1 to 64, e.g. 1,8,32")
    if not 0 < given.seconds <= 600:
        command_line.error("--seconds takes more than 0 and at most 600")
    if not 0 < given.history <= 1_000_000:
        command_line.error("--history takes a number from 1 to 1000000")
    if given.json is not None and not given.json.absolute().parent.is_dir():
        command_line.error(f"the folder of {given.json} does not exist")
    options = bench.Options(
        flows=tuple(name for name in names if name in FLOORS),
        parts=tuple(name for name in names if name in bench.PARTS),
        levels=levels,
        seconds=given.seconds,
        folder=given.data.absolute(),
        history=given.history,
        chain_levels=(small, large),
    )
    return options, given.json


@contextlib.contextmanager
def terminated_as_interrupt() -> Iterator[None]:
    """SIGTERM ends the run as Ctrl-C does: everything that was started is stopped."""

    def interrupt(_signal: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, write the JSON."""
    options, path = options_of(argv)
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    try:
        with terminated_as_interrupt():
            report = bench.run(options, Console(stderr=True))
    except KeyboardInterrupt:
        print("bench: interrupted; everything is stopped.", file=sys.stderr)
        return 130
    except (BenchError, EmbeddedError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    report.print(console, bench.TITLES)
    if path is not None:
        path.write_text(report.to_json() + "\n", encoding="utf-8")
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
