"""What tests of customers share."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

from commerce import auth, customers
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from tests.support import Client, Shop

PASSWORD = "beryoza-fonar-111"
_numbers = itertools.count(1)


def fresh_phone() -> str:
    return f"+7911{next(_numbers):07d}"


def fresh_email() -> str:
    return f"anna.{uuid7().hex[-10:]}.{next(_numbers)}@example.com"


async def rows_of(shop: Shop, table: Any, **where: Any) -> list[Any]:
    async def work(tx: Tx) -> list[Any]:
        return list(await tx.rows(table.select().filter_by(**where)))

    return await shop.db.read(work)


async def person(shop: Shop, **values: Any) -> UUID:
    """A customer with a password and verified contacts."""
    hashed = await auth.hash_password(shop.settings, PASSWORD)
    return await shop.db.write(customers.create_profile, shop.system, password_hash=hashed, **values)


async def merge(shop: Shop, loser: UUID, winner: UUID) -> None:
    """By staff."""
    command = customers.MergeCustomers(loser=loser, reason="One person")
    operator = await shop.staff("call_center", channel="call_center")
    await shop.db.write(customers.merge, operator.actor, customer=winner, command=command)


def wrong(code: str, by: int = 1) -> str:
    """Another code than this."""
    return f"{(int(code) + by) % 1_000_000:06d}"


async def sign_in(caller: Client, challenge: str, code: str, **more: Any) -> Any:
    return await caller.post(f"/v1/auth/codes/{challenge}/sign-in", {"code": code} | more)


def refusal(answer: Any) -> tuple[int, str]:
    """Status and the last part of the problem's type."""
    return answer.status_code, str(answer.json()["type"]).rpartition("/")[2]


async def story_of(shop: Shop, who: UUID) -> list[tuple[str, int]]:
    """The events of a profile, type and version, in order."""
    from commerce.infra.tables import outbox

    events = await rows_of(shop, outbox, aggregate_id=who, aggregate="customer")
    return [(event.type.removeprefix("customer."), event.version) for event in sorted(events, key=lambda e: e.version)]
