"""Real PostgreSQL and Valkey for every test: one throw-away instance per run, migrated once, cloned for each worker."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from commerce import parts
from commerce.app import create_app
from commerce.books.audit import STRAYS
from commerce.embedded import Embedded
from commerce.infra import audit, outbox
from commerce.infra.audit import Invariant
from commerce.infra.db import Database
from commerce.infra.outbox import Subscriber
from commerce.settings import Settings
from tests.support import Shop, clock

gc.set_threshold(100_000, 20, 50)  # while tests are collected; the application sets its own
ROOT = Path(__file__).resolve().parents[1]
ERASED_EVERYWHERE = {
    "an erased person has nothing personal left in any room",
    "who was merged into an erased person is erased with him",
}
"""A test of one room lets that room alone forget somebody; `tests/people` and `tests/audit` check these."""
FIRST = (
    ("contract", "flows/test_demo.py", "simulation", "fixtures", "concurrency/test_hot_variant.py"),
    ("ops", "bench", "replay", "concurrency"),
)
"""Where the work is long, for each of two workers: they begin with it, and share what is short at the end."""
Auditor = Callable[[], Awaitable[list[Invariant]]]
SECRET = "test-secret-key-test-secret-key-0123456789"


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers once, in the process that owns the run; xdist workers get their addresses from the environment."""
    if os.environ.get("COMMERCE_TEST_DATABASE") or config.option.collectonly:
        return
    import tempfile

    folder = tempfile.TemporaryDirectory(prefix="commerce-tests-")
    servers = Embedded(Path(folder.name) / "data", durable=False)
    urls = servers.start()
    assert urls.database_url
    assert urls.redis_url
    os.environ["COMMERCE_TEST_DATABASE"] = urls.database_url
    os.environ["COMMERCE_TEST_REDIS"] = urls.redis_url
    subprocess.run(
        [sys.executable, "-m", "commerce", "migrate"],
        check=True,
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": urls.database_url, "REDIS_URL": urls.redis_url},
    )

    def stop() -> None:
        servers.stop()
        folder.cleanup()
        del os.environ["COMMERCE_TEST_DATABASE"]

    config.add_cleanup(stop)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker: long work first. `worksteal` gives each of two workers one half of the list, and takes from the end of the longer one."""
    if not hasattr(config, "workerinput"):
        return
    heads: list[list[pytest.Item]] = [[] for _ in FIRST]
    for item in items:
        for head, paths in zip(heads, FIRST, strict=True):
            if item.nodeid.startswith(tuple(f"tests/{path}" for path in paths)):
                head.append(item)
                break
    first = {id(item) for head in heads for item in head}
    rest = [item for item in items if id(item) not in first]
    cut = max(0, len(items) // 2 - len(heads[0]))
    items[:] = [*heads[0], *rest[:cut], *heads[1], *rest[cut:]]


def pytest_collection_finish() -> None:
    """What stands now stays: the collector need not walk it again with every test."""
    gc.collect()
    gc.freeze()


@contextmanager
def clone(prefix: str) -> Iterator[str]:
    """The address of a clone of the migrated template for this worker, dropped afterwards."""
    base, template = os.environ["COMMERCE_TEST_DATABASE"].rsplit("/", 1)
    name = f"{prefix}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"

    async def run(statement: str) -> None:
        connection = await asyncpg.connect(f"{base}/postgres")
        await connection.execute(statement)
        await connection.close()

    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')).result()
        yield f"{base}/{name}"
        aside.submit(asyncio.run, run(f'DROP DATABASE "{name}" WITH (FORCE)')).result()


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """The clone for the tests of most rooms."""
    with clone("t") as url:
        yield url


@pytest.fixture(scope="session")
def settings(database_url: str) -> Settings:
    """Settings of a test process; limits as in production."""
    return Settings(
        database_url=database_url,
        redis_url=os.environ["COMMERCE_TEST_REDIS"],
        secret_key=SECRET,
        environment="test",
        api_workers=1,
        write_connections=10,
        read_connections=6,
        log_level="error",
        rate_limits=1_000_000,
    )


@pytest.fixture(scope="session")
async def db(settings: Settings) -> AsyncIterator[Database]:
    """The pools of the test process, on the tests' clock."""
    database = Database.open(settings, clock=clock, name="commerce-tests")
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def app(settings: Settings) -> Litestar:
    """The whole application on the worker's clone, on the tests' clock."""
    return create_app(settings, clock=clock)


@pytest.fixture(scope="session")
async def http(app: Litestar) -> AsyncIterator[AsyncTestClient[Litestar]]:
    """A client of the whole application."""
    async with AsyncTestClient(app) as client:
        yield client


@pytest.fixture(scope="session")
async def shop(db: Database, http: AsyncTestClient[Litestar], settings: Settings) -> Shop:
    """Makes people, stores, variants and credentials for a test, through the services."""
    shop = Shop(db, http, settings)
    await shop.open()
    return shop


@pytest.fixture(autouse=True)
def present() -> Iterator[None]:
    """Every test starts and ends in the present."""
    clock.back_to_present()
    yield
    clock.back_to_present()


@pytest.fixture(scope="session")
def subscribers() -> list[Subscriber]:
    """Who reacts to what, of every room."""
    return parts.subscribers()


@pytest.fixture(scope="session")
def invariants() -> list[Invariant]:
    """What must hold after a test of any room."""
    beyond = {invariant.name for invariant in (*STRAYS, audit.delivered([]))} | ERASED_EVERYWHERE
    return [one for one in parts.invariants() if one.name not in beyond and not one.full]


@asynccontextmanager
async def auditing(settings: Settings, invariants: list[Invariant]) -> AsyncIterator[Auditor]:
    """Which invariants are broken now, asked in one statement, which is prepared once for the audits of all tests."""
    server = {"jit": "off", "plan_cache_mode": "force_generic_plan"}
    connection = await asyncpg.connect(settings.database_url, server_settings=server)
    statement = await connection.prepare(
        " UNION ALL ".join(
            f"SELECT {n} FROM ({invariant.sql}) AS offending HAVING count(*) > 0"
            for n, invariant in enumerate(invariants)
        )
    )

    async def broken() -> list[Invariant]:
        return [invariants[n] for (n,) in await statement.fetch()]

    yield broken
    await connection.close()


@pytest.fixture(scope="session")
async def auditor(settings: Settings, invariants: list[Invariant]) -> AsyncIterator[Auditor]:
    """The audit of the clone."""
    async with auditing(settings, invariants) as broken:
        yield broken


@pytest.fixture
async def audited(db: Database, auditor: Auditor, subscribers: list[Subscriber]) -> AsyncIterator[None]:
    """Deliver what waits, then check every invariant, after the test: but those that a test of one room alone breaks, whose goods and
    money have no document and whose events have no subscriber. `tests/audit`, the fixtures, demo and replay check these too."""
    yield
    await outbox.drain(db, subscribers)
    broken = await auditor()
    if broken:
        for finding in await db.snapshot(audit.check, broken):
            assert not finding.offending, f"invariant {finding.number} {finding.name}: {finding.offending[:3]}"
    assert broken == []
