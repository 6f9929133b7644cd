"""What tests of people share."""

from __future__ import annotations

import asyncio
from typing import Any

from commerce import auth
from commerce.auth import badges
from commerce.auth.tables import badges as badges_table
from commerce.auth.tables import pins, staff
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from tests.support import Client, Shop, Store, unique

PASSWORD = "klyukva-veslo-11"
PIN = "4071"


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
    grant = auth.RoleGrant(role=role, locations=list(locations))
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


async def with_pin(shop: Shop, role: str, *locations: str, pin: str = PIN) -> str:
    """A member of staff with a PIN; his login."""
    login = await colleague(shop, role, *locations)
    member = (await row_of(shop, staff, login=login)).id
    hashed = await auth.hash_password(shop.settings, badges.peppered(shop.settings.secret_key, member, pin))

    async def work(tx: Tx) -> None:
        tx.queue(pins, staff_id=member, hash=hashed, set_at=tx.at, set_by=member)

    await shop.db.write(work)
    return login


async def badge_of(shop: Shop, login: str) -> str:
    """A badge for him; its code."""
    member, code = (await row_of(shop, staff, login=login)).id, unique("badge")

    async def work(tx: Tx) -> None:
        hashed = badges.badge_hash(shop.settings.secret_key, code)
        tx.queue(badges_table, id=uuid7(), staff_id=member, code_hash=hashed, issued_at=tx.at, issued_by=member)

    await shop.db.write(work)
    return code


async def at_device(shop: Shop, device: Client, login: str, pin: str = PIN) -> Client:
    """He signs in there by PIN."""
    answer = await device.post("/v1/auth/staff/device-sign-in", {"login": login, "pin": pin})
    assert answer.status_code == 201, answer.text
    return Client(shop.http, answer.json()["access_token"])


async def at_till(shop: Shop, store: Store, role: str = "associate") -> Client:
    """A member of this store's staff, signed in on a till of it."""
    return await at_device(shop, await shop.device("till", store.code), await with_pin(shop, role, store.code))
