"""A database of its own: whatever schemathesis sends changes rules that other tests of the same worker read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import msgspec
import pytest

from commerce.infra.db import Database
from commerce.settings import Settings
from tests.support import Shop, clock


@pytest.fixture(scope="session")
def settings(settings: Settings) -> Iterator[Settings]:
    """Those of the tests, on a clone that nobody else uses."""
    base, template = os.environ["COMMERCE_TEST_DATABASE"].rsplit("/", 1)
    name = f"contract_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"

    async def run(statement: str) -> None:
        connection = await asyncpg.connect(f"{base}/postgres")
        await connection.execute(statement)
        await connection.close()

    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')).result()
        yield msgspec.structs.replace(settings, database_url=f"{base}/{name}")
        aside.submit(asyncio.run, run(f'DROP DATABASE "{name}" WITH (FORCE)')).result()


@pytest.fixture(scope="session")
async def db(settings: Settings) -> AsyncIterator[Database]:
    """The pools of what is laid before the server starts."""
    database = Database.open(settings, clock=clock, name="commerce-tests-contract")
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def shop(db: Database, settings: Settings) -> Shop:
    """Makes the ground that the world stands on, through the services."""
    shop = Shop(db, None, settings)  # type: ignore[arg-type]
    await shop.open()
    return shop
