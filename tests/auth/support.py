"""What tests of people share."""

from __future__ import annotations

import asyncio
from typing import Any

from commerce import auth
from commerce.infra.db import Tx
from tests.support import Client, Shop, unique

PASSWORD = "klyukva-veslo-11"


async def row_of(shop: Shop, table: Any, **where: Any) -> Any:
    """The one row, or None."""

    async def work(tx: Tx) -> Any:
        return await tx.first(table.select().filter_by(**where))

    return await shop.db.read(work)


async def count(shop: Shop, table: Any) -> int:
    async def work(tx: Tx) -> int:
        return len(await tx.rows(table.select()))

    return await shop.db.read(work)


async def colleague(shop: Shop, role: str, *locations: str) -> str:
    """A member of staff with a password; his login."""
    login = unique("staff")
    hashed = await auth.hash_password(shop.settings, PASSWORD)
    grant = auth.RoleGrant(role=role, locations=list(locations))  # type: ignore[arg-type]
    await shop.db.write(auth.create_staff, shop.system, login=login, name="Ольга", password_hash=hashed, roles=[grant])
    return login


async def refused(
    caller: Client, method: str = "GET", path: str = "/v1/auth/sessions", json: Any = None, *, status: int = 401
) -> None:
    """A revocation holds everywhere within 5 s."""
    for _ in range(50):
        if (await caller.request(method, path, json=json)).status_code == status:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("still let in after 5 s")
