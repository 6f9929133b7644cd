"""A shop whose callers run beside each other, and somebody who looks on from beside."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from commerce.settings import Settings
from tests.concurrency.steps import at_once, observing
from tests.support import Shop


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
