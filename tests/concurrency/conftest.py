"""A shop whose callers run beside each other, and somebody who looks on from beside.

It has a database of its own: what crowds leave behind would be read again by the audit after each test of every other room.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import asyncpg
import msgspec
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from commerce.app import create_app
from commerce.infra.audit import Invariant
from commerce.infra.db import Database
from commerce.settings import Settings
from tests.concurrency.steps import at_once, observing
from tests.conftest import Auditor, auditing, clone
from tests.support import Shop, clock


@pytest.fixture(scope="session")
def settings(settings: Settings) -> Iterator[Settings]:
    """Those of the tests, on a clone that nobody else uses."""
    with clone("crowds") as url:
        yield msgspec.structs.replace(settings, database_url=url)


@pytest.fixture(scope="session")
async def db(settings: Settings) -> AsyncIterator[Database]:
    database = Database.open(settings, clock=clock, name="commerce-tests-crowds")
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def http(settings: Settings) -> AsyncIterator[AsyncTestClient[Litestar]]:
    async with AsyncTestClient(create_app(settings, clock=clock)) as client:
        yield client


@pytest.fixture(scope="session")
async def shop(db: Database, http: AsyncTestClient[Litestar], settings: Settings) -> Shop:
    shop = Shop(db, http, settings)
    await shop.open()
    return shop


@pytest.fixture(scope="session")
async def auditor(settings: Settings, invariants: list[Invariant]) -> AsyncIterator[Auditor]:
    async with auditing(settings, invariants) as broken:
        yield broken


@pytest.fixture(scope="module")
async def racers(shop: Shop, settings: Settings) -> AsyncIterator[Shop]:
    """The shop by HTTP requests that run at the same time; its `db` is that of the API."""
    async with at_once(shop, settings) as racing:
        yield racing


@pytest.fixture(scope="module")
async def observer(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A connection beside all pools: it sees who waits for whom, and can end others."""
    async with observing(settings) as connection:
        yield connection
