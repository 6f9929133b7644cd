"""A chain of stores lives through some weeks: suppliers, orders, tills that go offline, returns, transfers, counts, and faults on the way.

A run is made by its seed alone. A failing one is shown with its step and the last steps before it, and runs again by

    SIMULATION_SEED=7 SIMULATION_STEPS=412 pytest tests/simulation

`SIMULATION_SEED` takes several seeds, with commas; without it there are a few fixed ones. `python -m tests.simulation --seeds 100 --steps 2000`
runs many, with a line of progress, until it is stopped.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.chain import opened
from tests.simulation.simulator import Simulator

SEEDS = [int(seed) for seed in os.environ.get("SIMULATION_SEED", "1,2,3").split(",")]
STEPS = int(os.environ.get("SIMULATION_STEPS", "700"))


async def run(seed: int, steps: int) -> Simulator:
    """A chain of its own, so many steps, and the end."""
    async with opened(os.environ["COMMERCE_TEST_DATABASE"], os.environ["COMMERCE_TEST_REDIS"]) as chain:
        simulator = Simulator(chain, seed)
        await simulator.run(steps)
    return simulator


@pytest.mark.parametrize("seed", SEEDS)
async def test_the_books_of_a_chain_stay_right(seed: int) -> None:
    simulator = await run(seed, STEPS)
    assert simulator.steps == STEPS


async def test_a_seed_is_a_run() -> None:
    first, second = await run(99, 120), await run(99, 120)
    assert first.tally == second.tally
    assert first.trace.hexdigest() == second.trace.hexdigest()
