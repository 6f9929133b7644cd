from __future__ import annotations
from typing import Any
import pytest
from tests.support import Shop

@pytest.fixture(scope="session")
async def shop(db: Any, settings: Any) -> Shop:
    shop = Shop(db, None, settings)  # type: ignore
    await shop.open()
    return shop
