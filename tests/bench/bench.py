"""One run of the bench: start, fill, prove the floor, warm up, measure, stop."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable, Sequence
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tests.bench import data, floor, hot, scale
from tests.bench.chain import LARGE, LOCATIONS, MEMORY_MB, SMALL, Chain
from tests.bench.cpu import CpuMeter
from tests.bench.flows import FLOWS, Shopper, World
from tests.bench.instance import BenchError, Instance
from tests.bench.load import LoadClient, Outcome, Plan
from tests.bench.report import FLOORS, HELLO, PLACE_FLOOR, Comparison, Report, Sample, percentile

__all__ = ["PARTS", "TITLES", "Options", "run"]

TITLES = {name: flow.title for name, flow in FLOWS.items()} | {PLACE_FLOOR: "same rows in pgbench"}

AVAILABILITY = "availability"
PARTS = (hot.HOT, scale.SCALE, AVAILABILITY)
"""What is measured beside the flows and has marks of its own."""
AVAILABILITY_MS = 10.0
"""What a request for 24 variants in 20 stores may take in the large chain, as its client sees it."""
CARTS = {
    "put_and_read_cart": data.one_of_many,
    "put_and_read_cart_100": data.hundred_variants,
    "place_by_plan": data.far_variants,
    "hot": data.hot_variant,
    "spread": data.one_of_many,
}
"""What lies in the carts of a flow; otherwise two of all variants."""
WARM_SECONDS = 1.5
WARM_CONCURRENCY = 32
WARM_CARTS = 400
HISTORY_CLIENTS = 8
ROUNDS = 3
"""Each measurement is split and interleaved with the others, so that a machine that is busy for a while is so for all."""
MORE_CARTS = 1.5
"""Carts made beforehand, as a multiple of what the warm-up's rate would use up."""
CALIBRATION_EACH = 20
"""Transactions per pgbench client in the run that is subtracted: connecting and planning are not the floor."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure and for how long."""

    flows: Sequence[str]
    parts: Sequence[str] = ()
    """Some of PARTS."""
    levels: Sequence[int]
    seconds: float
    folder: Path
    history: int = 5_000
    """Orders made before anything is measured."""
    chain_levels: tuple[int, int] = (50_000, 5_000_000)
    """Levels of the small and of the large chain."""


def run(options: Options, console: Console) -> Report:
    """Measure on instances of its own. Raises BenchError; whatever happens, nothing is left running."""
    shop = bool(options.flows) or hot.HOT in options.parts
    chain = scale.SCALE in options.parts or AVAILABILITY in options.parts
    steps = (
        (4 if shop else 0) + (1 + len(options.levels) * ROUNDS if options.flows else 0)
        + (1 + 2 * len(options.levels) if hot.HOT in options.parts else 0) + (5 if chain else 0)
    )  # fmt: skip
    progress = Progress(
        SpinnerColumn(), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"),
        console=console, transient=True,
    )  # fmt: skip
    with progress:
        task = progress.add_task("starting PostgreSQL and Valkey", total=steps)

        def tell(what: str) -> None:
            progress.update(task, description=what, advance=1)
            if not console.is_terminal:
                console.print(what, highlight=False)

        report = Report(conditions=_conditions(options))
        with LoadClient() as client:
            if shop:
                with Instance(options.folder) as instance:
                    tell("filling the shop")
                    world = asyncio.run(data.make(instance))
                    bench = _Run(options, instance, client, world, report, tell)
                    tell(f"making a history of {options.history:,} orders")
                    bench.make_history()
                    tell("starting the servers")
                    instance.start_servers()
                    if options.flows:
                        bench.measure()
                    if hot.HOT in options.parts:
                        bench.measure_hot()
            if chain:
                with Chain(options.folder / "chain", options.chain_levels, tell) as large:
                    _measure_chain(options, large, client, report, tell)
        return report


def _measure_chain(
    options: Options, chain: Chain, client: LoadClient, report: Report, tell: Callable[[str], None]
) -> None:
    """The verbs of stock in both chains, and what a shopper's question takes in the large one."""
    if scale.SCALE in options.parts:
        samples, marks = scale.compare(chain, seconds=2 * options.seconds, tell=tell)
        for name, by_level in samples.items():
            for level, sample in by_level.items():
                report.add_flow({SMALL: "reserve_small", LARGE: "reserve_large"}[name], level, sample.figures())
        report.comparisons += marks
        size = {name: f"{chain.size(name)} levels, {chain.variants[name]:,} variants" for name in (SMALL, LARGE)}
        report.notes[scale.SCALE] = [
            f"The large chain has {size[LARGE]} in {LOCATIONS} locations, the small one {size[SMALL]}."
        ]
    if AVAILABILITY in options.parts:
        tell("availability of 24 variants in 20 stores")
        world = chain.serve_large()
        bench = _Run(options, chain.instance, client, world, report, tell)
        bench.measure_availability(chain)


class _Run:
    def __init__(
        self,
        options: Options,
        instance: Instance,
        client: LoadClient,
        world: World,
        report: Report,
        tell: Callable[[str], None],
    ) -> None:
        self.options = options
        self.instance = instance
        self.client = client
        self.world = world
        self.tell = tell
        self.carts = data.Carts(instance)
        self.lasting: dict[str, list[Shopper]] = {}
        """The carts of the flows that do not use theirs up, one for each task: made once."""
        self.rates: dict[str, float] = {}
        """Units per second of the flows that use carts up, from their warm-up: how many carts a measurement needs."""
        self.answer = "{}"
        """The stored answer of a real order, so that the floor writes as many bytes."""
        self.meter = CpuMeter()
        self.report = report

    def make_history(self) -> None:
        """Orders of the past, written by the floor's script, and fresh statistics: no shop plans its queries on empty tables."""
        self._pgbench(clients=HISTORY_CLIENTS, each=max(1, self.options.history // HISTORY_CLIENTS))
        asyncio.run(data.refresh_statistics(self.instance))

    def measure(self) -> None:
        """The flows beside their floors."""
        self.meter = CpuMeter(**self.instance.pids())
        floors = {FLOORS[flow] for flow in self.options.flows}
        if PLACE_FLOOR in floors:
            self.tell("comparing the rows of a real order with the floor's")
            asyncio.run(self._prove_floor())
        self.tell("warming up")
        for flow in (*([HELLO] if HELLO in floors else []), *self.options.flows):
            self._warm_up(flow)
        for level in self.options.levels:
            samples = {name: Sample() for name in (*sorted(floors), *self.options.flows)}
            for number in range(1, ROUNDS + 1):
                self.tell(f"{level} at once, round {number} of {ROUNDS}")
                for name, sample in samples.items():
                    if name == PLACE_FLOOR:
                        self._sample_place_floor(sample, level)
                    else:
                        self._sample(name, sample, level, self.options.seconds / ROUNDS)
            for name, sample in samples.items():
                if name in floors:
                    self.report.floors.setdefault(name, {})[level] = sample.figures()
            for flow in self.options.flows:
                self.report.add_flow(flow, level, samples[flow].figures())

    def measure_hot(self) -> None:
        """One hot variant beside many, and what bounds it."""
        self.meter = CpuMeter(**self.instance.pids())
        self.tell("warming up")
        for flow in ("spread", hot.HOT):
            self._warm_up(flow)
        levels = [level for level in self.options.levels if level in hot.HOT_CONCURRENCY] or self.options.levels
        samples, marks = hot.compare(self._sample, levels, seconds=self.options.seconds, tell=self.tell)
        for flow, by_level in samples.items():
            for level, sample in by_level.items():
                self.report.add_flow(flow, level, sample.figures())
        self.report.comparisons += marks
        self.report.notes[hot.HOT] = hot.explain(
            self._sample, self.instance, levels, seconds=self.options.seconds / ROUNDS, tell=self.tell
        )

    def measure_availability(self, chain: Chain) -> None:
        """One request after the other, of ever other variants and points."""
        self.meter = CpuMeter(**self.instance.pids())
        self._warm_up(AVAILABILITY, concurrency=1)
        sample = Sample()
        self._sample(AVAILABILITY, sample, 1, self.options.seconds)
        figures = sample.figures()
        self.report.add_flow(AVAILABILITY, 1, figures)
        self.report.comparisons.append(
            Comparison(
                part=AVAILABILITY, title="availability: 24 variants in 20 stores, large chain", unit="ms", concurrency=1,
                measured=figures.p50_ms, beside=None, value=figures.p50_ms or float("inf"), limit=AVAILABILITY_MS,
            )
        )  # fmt: skip

    def _plan(self, flow: str, *, concurrency: int, seconds: float, carts: int) -> Plan:
        supplies: list[Shopper] = []
        if FLOWS[flow].supplied:
            holds = CARTS.get(flow, data.variants_of_cart)
            if FLOWS[flow].lasting:
                carts = max(WARM_CONCURRENCY, *self.options.levels)
            supplies = self.lasting.get(flow) or asyncio.run(self.carts.take_shoppers(carts, holds))
            if FLOWS[flow].lasting:
                self.lasting[flow] = supplies
        return Plan(
            flow=flow,
            url=self.instance.hello_url if flow == HELLO else self.instance.url,
            concurrency=concurrency,
            seconds=seconds,
            world=hot.world_of(flow, self.world),
            supplies=supplies,
        )

    def _warm_up(self, flow: str, concurrency: int = WARM_CONCURRENCY) -> None:
        seconds = min(WARM_SECONDS, self.options.seconds)
        outcome = self.client.run(self._plan(flow, concurrency=concurrency, seconds=seconds, carts=WARM_CARTS))
        if not outcome.units:
            raise BenchError(f"No {TITLES[flow]!r} succeeded: {outcome.refused}\n{self.instance.complaints()}")
        self.rates[flow] = outcome.units / outcome.seconds

    def _sample(self, flow: str, sample: Sample, level: int, seconds: float) -> None:
        plan = self._plan(
            flow, concurrency=level, seconds=seconds, carts=ceil(self.rates[flow] * seconds * MORE_CARTS) + level
        )
        server = "hello" if flow == HELLO else "server"
        before = self.meter.seconds()
        outcome = self.client.run(plan)
        after = self.meter.seconds()
        sample.units += outcome.units
        sample.seconds += outcome.seconds
        sample.latencies_ms += outcome.latencies_ms
        sample.refused += sum(outcome.refused.values())
        sample.cpu_server += after[server] - before[server]
        if flow != HELLO:
            sample.cpu_postgres += after["postgres"] - before["postgres"]
        for answer, count in outcome.refused.items():
            counts = self.report.refusals.setdefault(flow, {})
            counts[answer] = counts.get(answer, 0) + count

    def _pgbench(self, *, clients: int, each: int) -> tuple[floor.PgbenchRun, float]:
        """Run the floor's script; what PostgreSQL used for it."""
        first = asyncio.run(self.carts.take(clients * each)).start
        meter = CpuMeter(postgres=self.instance.pids()["postgres"])
        before = meter.seconds()["postgres"]
        done = floor.pgbench(
            self.instance.urls.database_url, clients=clients, each=each, first_cart=first,
            variants=data.VARIANTS, stores=data.STORES, answer=self.answer,
        )  # fmt: skip
        return done, meter.seconds()["postgres"] - before

    def _sample_place_floor(self, sample: Sample, level: int) -> None:
        short, short_cpu = self._pgbench(clients=level, each=CALIBRATION_EACH)
        typical = percentile(sorted(ms for client in short.latencies_ms for ms in client[5:]), 0.5)
        wanted = ceil(self.options.seconds / ROUNDS * 1000 / max(0.1, typical))
        long, long_cpu = self._pgbench(clients=level, each=CALIBRATION_EACH + max(CALIBRATION_EACH, wanted))
        latencies = [client[CALIBRATION_EACH:] for client in long.latencies_ms]
        sample.units += long.transactions - short.transactions
        sample.seconds += sum(map(sum, latencies)) / 1000 / level
        sample.latencies_ms += (ms for client in latencies for ms in client)
        sample.cpu_postgres += max(0.0, long_cpu - short_cpu)

    async def _prove_floor(self) -> None:
        """Write one order through the API and one through the floor, and compare the rows. Raises BenchError."""
        connection = await asyncpg.connect(self.instance.urls.database_url)
        try:
            shoppers = await self.carts.take_shoppers(1)
            plan = Plan(
                flow="place", url=self.instance.url, concurrency=1, seconds=30, world=self.world, supplies=shoppers
            )
            outcomes: list[Outcome] = []
            real = await floor.written_by(connection, lambda: outcomes.append(self.client.run(plan)))
            if outcomes[0].units != 1:
                raise BenchError(f"No order could be placed: {outcomes[0].refused}\n{self.instance.complaints()}")
            self.answer = await connection.fetchval(
                "SELECT answer::text FROM infra.idempotency_keys WHERE answer IS NOT NULL ORDER BY claimed_at DESC LIMIT 1"
            )
            cart = (await self.carts.take(1)).start
            bare = await floor.written_by(
                connection,
                lambda: floor.pgbench(
                    self.instance.urls.database_url, clients=1, each=1, first_cart=cart,
                    variants=data.VARIANTS, stores=data.STORES, answer=self.answer,
                ),
            )  # fmt: skip
        finally:
            await connection.close()
        different = floor.differences(real, bare)
        if different:
            raise BenchError(
                f"{floor.SCRIPT.name} writes other rows than a real order; bring it up to date: {different}"
            )
        self.report.conditions["rows_of_an_order"] = {table: written.rows for table, written in real.items()}


def _conditions(options: Options) -> dict[str, Any]:
    return {
        "seconds": options.seconds,
        "concurrency": list(options.levels),
        "api_workers": 1,
        "relay_and_worker": False,
        "fsync": True,
        "stores": data.STORES,
        "products": data.PRODUCTS,
        "variants": data.VARIANTS,
        "orders_before": options.history,
        "chain_locations": LOCATIONS,
        "chain_levels": list(options.chain_levels),
        "chain_memory_mb": MEMORY_MB,
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "granian": version("granian"),
        "litestar": version("litestar"),
    }
