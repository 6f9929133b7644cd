"""A database of its own: whatever schemathesis sends changes rules that other tests of the same worker read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from commerce.infra.db import Database
from commerce.settings import Settings
from tests.conftest import clone
from tests.support import Shop, clock


@pytest.fixture(scope="session")
def settings(settings: Settings) -> Iterator[Settings]:
    """Those of the tests, on a clone that nobody else uses."""
    with clone("contract") as url:
        yield msgspec.structs.replace(settings, database_url=url)


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
