"""Everybody wants the same thing: orders of ONE variant in one store, beside orders spread over 1,000 variants, in the same run.

An order of a hot variant waits until the order before it is on disk: the level's row is locked from the posting to the commit. So
the variant's rate cannot exceed one divided by the time under the lock. The bench watches what that time is made of, and what remains
of it when commits do not wait for the disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import asyncpg
import msgspec

from tests.bench import data
from tests.bench.flows import World
from tests.bench.instance import Instance
from tests.bench.report import Comparison, Sample
from tests.bench.watch import HELD, Stages, Watch

__all__ = ["HOT", "HOT_CONCURRENCY", "Measure", "compare", "explain"]

HOT = "hot"
SPREAD = "spread"
LIMIT = 0.8
"""The hot variant's orders per second, as a share of the spread ones'."""
HOT_CONCURRENCY = (8, 32)
ROUNDS = 12
"""Short and interleaved, and each begins with the one that ended the round before."""

Measure = Callable[[str, Sample, int, float], None]
"""Add a measurement of a flow at a concurrency, of so many seconds, to the sample."""


def world_of(flow: str, world: World) -> World:
    """What the load client may choose from: the hot variant is wanted in one store."""
    if flow != HOT:
        return world
    return msgspec.structs.replace(world, stores=world.stores[data.HOT - 1 : data.HOT])


def compare(
    measure: Measure, levels: Sequence[int], *, seconds: float, tell: Callable[[str], None]
) -> tuple[dict[str, dict[int, Sample]], list[Comparison]]:
    """Both at each concurrency, and the marks."""
    samples: dict[str, dict[int, Sample]] = {SPREAD: {}, HOT: {}}
    marks = []
    for level in levels:
        tell(f"one hot variant, {level} at once")
        for by_level in samples.values():
            by_level[level] = Sample()
        for number in range(ROUNDS):
            for flow in (SPREAD, HOT)[:: 1 if number % 2 else -1]:
                measure(flow, samples[flow][level], level, 2 * seconds / ROUNDS)
        spread, hot = samples[SPREAD][level].figures().rps, samples[HOT][level].figures().rps
        marks.append(
            Comparison(
                part=HOT, title="orders per s: one hot variant, beside 1,000", unit="/s", concurrency=level, measured=hot,
                beside=spread, value=hot / spread if spread else 0.0, limit=LIMIT, at_least=True,
            )
        )  # fmt: skip
    return samples, marks


def explain(
    measure: Measure, instance: Instance, levels: Sequence[int], *, seconds: float, tell: Callable[[str], None]
) -> list[str]:
    """What bounds the hot variant, in sentences."""
    said = []
    for level in levels:
        tell(f"looking at the lock, {level} at once")
        watched, spread, quick = Sample(), Sample(), Sample()
        with Watch(instance.urls.database_url) as watch:
            measure(HOT, watched, level, seconds)
        with Watch(instance.urls.database_url) as beside:
            measure(SPREAD, spread, level, seconds)
        asyncio.run(_set(instance, "off"))
        try:
            measure(HOT, quick, level, seconds)
        finally:
            asyncio.run(_set(instance, None))
        said += sentences(level, watched, watch.stages, quick, spread, beside.stages)
    return said


def sentences(level: int, hot: Sample, stages: Stages, quick: Sample, spread: Sample, beside: Stages) -> list[str]:
    """The lock in words and figures, for one concurrency."""
    units = max(1, hot.units)
    held = hot.seconds * stages.held_share / units * 1000
    flow = {
        "booking": "the posting's statement", "api": "the API's turn between posting and commit",
        "commit": "the commit",
    }  # fmt: skip
    parts = ", ".join(f"{flow[stage]} {stages.share(stage):.0%}" for stage in HELD)
    return [
        f"{level} at once: the level was locked {stages.held_share:.0%} of the time, {held:.1f} ms per order "
        f"(at most {1000 / held if held else 0:,.0f} orders per s): {parts}.",
        f"{level} at once: connections spent {stages.waiting_share:.0%} of their time waiting for a lock, "
        f"{beside.waiting_share:.0%} when spread; without waiting for the disk "
        f"(synchronous_commit off) {quick.figures().rps:,.0f} orders per s of the hot variant instead of "
        f"{hot.figures().rps:,.0f}; spread {spread.figures().rps:,.0f}.",
    ]


async def _set(instance: Instance, value: str | None) -> None:
    connection = await asyncpg.connect(instance.urls.database_url)
    try:
        await connection.execute(
            "ALTER SYSTEM RESET synchronous_commit"
            if value is None
            else f"ALTER SYSTEM SET synchronous_commit = {value}"
        )
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()
    await asyncio.sleep(0.2)  # until every backend has read it
