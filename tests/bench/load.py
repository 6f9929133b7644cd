"""The load: a client process of its own, so that its CPU is in nobody's figures."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import multiprocessing.connection
import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
import uvloop

from tests.bench import flows
from tests.bench.instance import BenchError

__all__ = ["LoadClient", "Outcome", "Plan"]

GRACE_SECONDS = 60.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement: a flow, repeated by `concurrency` tasks until the seconds or the supplies run out."""

    flow: str
    url: str
    concurrency: int
    seconds: float
    world: flows.World
    supplies: Sequence[Any] = ()
    """For flows that use something up: one each; for lasting ones, one per task. Empty for flows that need nothing."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it. A unit is one run of the flow whose every answer was as expected; each has a latency."""

    units: int
    refused: dict[str, int]
    """How often which unexpected answer came."""
    seconds: float
    latencies_ms: list[float]


async def _load(plan: Plan) -> Outcome:
    flow = flows.FLOWS[plan.flow]
    latencies: list[float] = []
    refused: Counter[str] = Counter()
    supplies = iter(plan.supplies) if flow.supplied and not flow.lasting else None
    clock = time.perf_counter
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(plan.url, connector=connector, timeout=timeout) as session:
        started = clock()
        until = started + plan.seconds

        async def work(number: int) -> None:
            random_source = random.Random(f"{plan.flow} {number}")  # the same choices in every run
            while (before := clock()) < until:
                supply = plan.supplies[number] if flow.lasting else None
                if supplies is not None:
                    supply = next(supplies, None)
                    if supply is None:
                        return
                try:
                    await flow.run(flows.Step(session, plan.world, random_source, number, supply))
                except flows.Unexpected as unexpected:
                    refused[str(unexpected)] += 1
                except (aiohttp.ClientError, TimeoutError) as error:
                    refused[f"{type(error).__name__}: {error}"] += 1
                else:
                    latencies.append((clock() - before) * 1000)

        await asyncio.gather(*(work(number) for number in range(plan.concurrency)))
        elapsed = clock() - started
    return Outcome(units=len(latencies), refused=dict(refused), seconds=elapsed, latencies_ms=latencies)


def _serve(pipe: multiprocessing.connection.Connection[Any, Any]) -> None:
    with contextlib.suppress(EOFError):
        while True:
            plan: Plan = pipe.recv()
            try:
                pipe.send(uvloop.run(_load(plan)))
            except Exception as error:
                pipe.send(error)


class LoadClient:
    """The client process; a context manager."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="bench-load", daemon=True)
        # Ctrl-C reaches every process of the terminal, but only the parent decides; an ignored signal is inherited.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._process.start()
        finally:
            signal.signal(signal.SIGINT, before)
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.close()
        self._process.join(0.5 if kind is None else 0)
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def run(self, plan: Plan) -> Outcome:
        """Put the load on and wait for the outcome."""
        self._pipe.send(plan)
        if not self._pipe.poll(plan.seconds + GRACE_SECONDS):
            raise BenchError(f"The load client did not finish {plan.flow} in time.")
        try:
            answer = self._pipe.recv()
        except EOFError:
            raise BenchError("The load client ended unexpectedly.") from None
        if isinstance(answer, Exception):
            raise BenchError(f"{plan.flow}: {type(answer).__name__}: {answer}") from answer
        outcome: Outcome = answer
        return outcome
