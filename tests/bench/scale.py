"""Does it matter how much there is? The verbs of `stock` on a chain of 5 million levels, beside one of 50,000.

Reserve and commit are called as the shop calls them, one transaction each, for goods anywhere in the chain: no level is asked for
twice so soon that it would still be at hand. Both chains are databases of one server and are measured by turns.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import msgspec
import uvloop

from commerce import stock
from commerce.infra.db import Database
from commerce.kernel.actor import system
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
from tests.bench.chain import LARGE, LOCATIONS, SMALL, Chain, lies_there, location_id, variant_id
from tests.bench.cpu import CpuMeter
from tests.bench.report import Comparison, Sample

__all__ = ["SCALE", "compare"]

SCALE = "scale"
LIMIT = 1.3
"""What reserve + commit may cost in the large chain, as a multiple of the small one."""
LEVELS = (1, 8)
ROUNDS = 6
LINES = 2
WARM_SECONDS = 1.0


class Verbs:
    """Sets goods aside for a checkout and commits them, again and again, in one of the databases."""

    def __init__(self, db: Database, variants: int) -> None:
        self._db = db
        self._variants = variants
        self._random = random.Random("scale")

    async def run(self, concurrency: int, seconds: float) -> Sample:
        """As many pairs of verbs as go into the time, so many at once."""
        sample = Sample()
        began, clock = time.perf_counter(), time.perf_counter
        until = began + seconds

        async def work() -> None:
            while (before := clock()) < until:
                await self._pair()
                sample.latencies_ms.append((clock() - before) * 1000)

        used = time.process_time()
        await asyncio.gather(*(work() for _ in range(concurrency)))
        sample.cpu_server = time.process_time() - used
        sample.seconds = clock() - began
        sample.units = len(sample.latencies_ms)
        return sample

    async def _pair(self) -> None:
        owner = stock.Owner("checkout", uuid7())
        place = self._random.randint(1, LOCATIONS)
        goods: set[int] = set()
        while len(goods) < LINES:
            number = self._random.randint(1, self._variants)
            if lies_there(place, number):
                goods.add(number)
        demands = [
            stock.Demand(line_id=uuid7(), location_id=location_id(place), variant_id=variant_id(number), quantity=1)
            for number in goods
        ]
        await self._db.write(
            stock.reserve, system(), owner=owner, demands=demands, cause=stock.Cause("bench_reserved", owner.id),
            expires_at=self._db.clock() + timedelta(hours=1),
        )  # fmt: skip
        await self._db.write(stock.commit, system(), owner=owner, cause=stock.Cause("bench_committed", owner.id))


def compare(
    chain: Chain, *, seconds: float, tell: Callable[[str], None], levels: Sequence[int] = LEVELS
) -> tuple[dict[str, dict[int, Sample]], list[Comparison]]:
    """Both chains at each concurrency, and the marks."""
    samples = uvloop.run(_compare(chain, levels, seconds, tell))
    marks = []
    for level in levels:
        small, large = samples[SMALL][level].figures(), samples[LARGE][level].figures()
        marks.append(
            Comparison(
                part=SCALE, title="CPU of reserve + commit: large chain, beside small", unit="ms", concurrency=level, measured=large.cpu_ms,
                beside=small.cpu_ms, value=large.cpu_ms / small.cpu_ms if small.units else float("inf"), limit=LIMIT,
            )
        )  # fmt: skip
    return samples, marks


async def _compare(
    chain: Chain, levels: Sequence[int], seconds: float, tell: Callable[[str], None]
) -> dict[str, dict[int, Sample]]:
    samples = {name: {level: Sample() for level in levels} for name in (SMALL, LARGE)}
    meter = CpuMeter(postgres=chain.instance.pids()["postgres"])
    settings = Settings.from_environment(chain.instance.environment)
    databases = {
        name: Database.open(msgspec.structs.replace(settings, database_url=chain.url(name)), name=name)
        for name in samples
    }
    verbs = {name: Verbs(db, chain.variants[name]) for name, db in databases.items()}
    try:
        for one in verbs.values():
            await one.run(max(levels), min(WARM_SECONDS, seconds))
        for level in levels:
            tell(f"reserve and commit, {level} at once")
            for number in range(ROUNDS):
                for name in (SMALL, LARGE)[:: 1 if number % 2 else -1]:
                    before = meter.seconds()["postgres"]
                    sample = await verbs[name].run(level, seconds / ROUNDS)
                    sample.cpu_postgres = meter.seconds()["postgres"] - before
                    samples[name][level].add(sample)
    finally:
        for db in databases.values():
            await db.close()
    return samples
