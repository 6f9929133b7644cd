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

from tests.bench import data, floor
from tests.bench.cpu import CpuMeter
from tests.bench.flows import FLOWS, Shopper, World
from tests.bench.instance import BenchError, Instance
from tests.bench.load import LoadClient, Outcome, Plan, percentile
from tests.bench.report import FLOORS, HELLO, PLACE_FLOOR, Figures, Report

__all__ = ["TITLES", "Options", "run"]

TITLES = {name: flow.title for name, flow in FLOWS.items()} | {PLACE_FLOOR: "same rows in pgbench"}

WARM_SECONDS = 1.5
WARM_CONCURRENCY = 32
WARM_CARTS = 400
CALIBRATION_EACH = 20
"""Transactions per pgbench client in the run that is subtracted: connecting and planning are not the floor."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure and for how long."""

    flows: Sequence[str]
    levels: Sequence[int]
    seconds: float
    folder: Path


def run(options: Options, console: Console) -> Report:
    """Measure on an instance of its own. Raises BenchError; whatever happens, nothing is left running."""
    steps = 5 + len(options.levels) * (len(options.flows) + len({FLOORS[flow] for flow in options.flows}))
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

        with LoadClient() as client, Instance(options.folder) as instance:
            tell("filling the shop")
            world = asyncio.run(data.make(instance))
            tell("starting the servers")
            instance.start_servers()
            return _Run(options, instance, client, world, tell).measure()


class _Run:
    def __init__(
        self, options: Options, instance: Instance, client: LoadClient, world: World, tell: Callable[[str], None]
    ) -> None:
        self.options = options
        self.instance = instance
        self.client = client
        self.world = world
        self.tell = tell
        self.carts = data.Carts(instance)
        self.meter = CpuMeter(**instance.pids())
        self.rates: dict[str, float] = {}
        """Units per second of the flows that use carts up, from their warm-up: how many carts a measurement needs."""
        self.answer = "{}"
        """The stored answer of a real order, so that the floor writes as many bytes."""
        self.report = Report(conditions=_conditions(options))

    def measure(self) -> Report:
        floors = {FLOORS[flow] for flow in self.options.flows}
        if PLACE_FLOOR in floors:
            self.tell("comparing the rows of a real order with the floor's")
            asyncio.run(self._prove_floor())
        self.tell("warming up")
        for flow in (*([HELLO] if HELLO in floors else []), *self.options.flows):
            self._warm_up(flow)
        for level in self.options.levels:
            if HELLO in floors:
                self.tell(f"floor: {TITLES[HELLO]}, {level} at once")
                self.report.floors.setdefault(HELLO, {})[level] = self._measure(HELLO, level)
            if PLACE_FLOOR in floors:
                self.tell(f"floor: {TITLES[PLACE_FLOOR]}, {level} at once")
                self.report.floors.setdefault(PLACE_FLOOR, {})[level] = self._measure_place_floor(level)
            for flow in self.options.flows:
                self.tell(f"{TITLES[flow]}, {level} at once")
                self.report.add_flow(flow, level, self._measure(flow, level))
        return self.report

    def _plan(self, flow: str, *, concurrency: int, seconds: float, carts: int) -> Plan:
        supplies: list[Shopper] = asyncio.run(self.carts.take_shoppers(carts)) if FLOWS[flow].supplied else []
        return Plan(
            flow=flow,
            url=self.instance.hello_url if flow == HELLO else self.instance.url,
            concurrency=concurrency,
            seconds=seconds,
            world=self.world,
            supplies=supplies,
        )

    def _warm_up(self, flow: str) -> None:
        seconds = min(WARM_SECONDS, self.options.seconds)
        outcome = self.client.run(self._plan(flow, concurrency=WARM_CONCURRENCY, seconds=seconds, carts=WARM_CARTS))
        if not outcome.units:
            raise BenchError(f"No {TITLES[flow]!r} succeeded: {outcome.refused}\n{self.instance.complaints()}")
        self.rates[flow] = outcome.units / outcome.seconds

    def _measure(self, flow: str, level: int) -> Figures:
        carts = ceil(self.rates[flow] * self.options.seconds * 1.5) + level
        plan = self._plan(flow, concurrency=level, seconds=self.options.seconds, carts=carts)
        server = "hello" if flow == HELLO else "server"
        before = self.meter.seconds()
        outcome = self.client.run(plan)
        after = self.meter.seconds()
        if outcome.refused:
            counts = self.report.refusals.setdefault(flow, {})
            for answer, count in outcome.refused.items():
                counts[answer] = counts.get(answer, 0) + count
        done = max(1, outcome.units)
        return Figures(
            rps=outcome.units / outcome.seconds,
            p50_ms=outcome.p50_ms,
            p95_ms=outcome.p95_ms,
            p99_ms=outcome.p99_ms,
            cpu_ms_server=(after[server] - before[server]) * 1000 / done,
            cpu_ms_postgres=0.0 if flow == HELLO else (after["postgres"] - before["postgres"]) * 1000 / done,
            units=outcome.units,
            refused=sum(outcome.refused.values()),
        )

    def _pgbench(self, *, clients: int, each: int) -> tuple[floor.PgbenchRun, float]:
        first = asyncio.run(self.carts.take(clients * each)).start
        before = self.meter.seconds()["postgres"]
        done = floor.pgbench(
            self.instance.urls.database_url, clients=clients, each=each, first_cart=first,
            variants=data.VARIANTS, stores=data.STORES, answer=self.answer,
        )  # fmt: skip
        return done, self.meter.seconds()["postgres"] - before

    def _measure_place_floor(self, level: int) -> Figures:
        short, short_cpu = self._pgbench(clients=level, each=CALIBRATION_EACH)
        typical = percentile(sorted(ms for client in short.latencies_ms for ms in client[5:]), 0.5)
        each = CALIBRATION_EACH + max(CALIBRATION_EACH, ceil(self.options.seconds * 1000 / max(0.1, typical)))
        long, long_cpu = self._pgbench(clients=level, each=each)
        latencies = [client[CALIBRATION_EACH:] for client in long.latencies_ms]
        ordered = sorted(ms for client in latencies for ms in client)
        units = long.transactions - short.transactions
        return Figures(
            rps=sum(len(client) * 1000 / sum(client) for client in latencies),
            p50_ms=percentile(ordered, 0.50),
            p95_ms=percentile(ordered, 0.95),
            p99_ms=percentile(ordered, 0.99),
            cpu_ms_server=0.0,
            cpu_ms_postgres=max(0.0, long_cpu - short_cpu) * 1000 / units,
            units=units,
        )

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
        if real != bare:
            different = {
                table: f"order {real.get(table, 0)}, floor {bare.get(table, 0)}"
                for table in sorted(real.keys() | bare.keys())
                if real.get(table) != bare.get(table)
            }
            raise BenchError(
                f"{floor.SCRIPT.name} writes other rows than a real order; bring it up to date: {different}"
            )
        self.report.conditions["rows_of_an_order"] = real


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
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "granian": version("granian"),
        "litestar": version("litestar"),
    }
