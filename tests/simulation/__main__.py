"""Many runs of the simulator, one after the other: `python -m tests.simulation --seeds 100 --steps 2000`. Ctrl-C ends it with the sum.

Seeds that fail are printed with their last steps as they come. With COMMERCE_TEST_DATABASE in the environment that migrated database is
the template; otherwise servers of its own are started and thrown away.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commerce.embedded import Embedded
from tests.simulation.chain import opened
from tests.simulation.simulator import Failed, Simulator


@contextmanager
def servers() -> Iterator[tuple[str, str]]:
    """The address of a migrated database, and of Valkey."""
    if os.environ.get("COMMERCE_TEST_DATABASE"):
        yield os.environ["COMMERCE_TEST_DATABASE"], os.environ["COMMERCE_TEST_REDIS"]
        return
    with tempfile.TemporaryDirectory(prefix="commerce-simulation-") as folder:
        embedded = Embedded(Path(folder) / "data", durable=False)
        urls = embedded.start()
        try:
            environment = {**os.environ, "DATABASE_URL": urls.database_url, "REDIS_URL": urls.redis_url}
            subprocess.run([sys.executable, "-m", "commerce", "migrate"], check=True, env=environment)
            yield urls.database_url, urls.redis_url
        finally:
            embedded.stop()


class Progress:
    """A line that tells how far it is, on a terminal over and over, and the sum."""

    def __init__(self, seeds: int) -> None:
        self.seeds, self.done, self.steps, self.failed = seeds, 0, 0, list[int]()
        self.tally: Counter[str] = Counter()
        self.began = self.told = time.monotonic()

    def step(self, simulator: Simulator) -> None:
        """One more."""
        self.steps += 1
        now = time.monotonic()
        if now - self.told > 1:
            self.told = now
            line = f"seed {simulator.seed}, step {simulator.steps}; {self.done} of {self.seeds} seeds, {len(self.failed)} failed, {self.rate():.0f} steps/s"
            print(
                f"\r{line}\033[K" if sys.stdout.isatty() else line, end="" if sys.stdout.isatty() else "\n", flush=True
            )

    def rate(self) -> float:
        """Steps per second."""
        return self.steps / (time.monotonic() - self.began)

    def sum(self) -> str:
        """All of it."""
        failed = f"failed: {', '.join(map(str, self.failed))}" if self.failed else "none failed"
        return f"{self.done} seeds, {self.steps} steps, {self.rate():.0f} steps/s; {failed}"


async def run(template: str, redis_url: str, first: int, seeds: int, steps: int, progress: Progress) -> None:
    """The seeds in order; a failing one does not end the run."""
    for seed in range(first, first + seeds):
        async with opened(template, redis_url) as chain:
            simulator = Simulator(chain, seed)
            try:
                await simulator.run(steps, progress.step)
            except Failed as failure:
                progress.failed.append(seed)
                print(f"\n{failure}", flush=True)
            progress.tally += simulator.tally
            progress.done += 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many runs")
    parser.add_argument("--steps", type=int, default=2000, help="steps of each")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--tally", action="store_true", help="what happened how often, at the end")
    given = parser.parse_args()
    progress = Progress(given.seeds)
    try:
        with servers() as (template, redis_url):
            asyncio.run(run(template, redis_url, given.first, given.seeds, given.steps, progress))
    except KeyboardInterrupt:
        print("\nstopped")
    print(f"\n{progress.sum()}")
    if given.tally:
        for name, n in sorted(progress.tally.items()):
            print(f"{n:8} {name}")
    return 1 if progress.failed else 0


if __name__ == "__main__":
    sys.exit(main())
