"""Short forms of what the tests of people do again and again."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

from commerce import customers, parts
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.infra.tables import audit_records
from commerce.kernel.ids import uuid7
from tests.conversations.talk import team
from tests.support import Client, Shop

PASSWORD = "beryoza-fonar-222"
_numbers = itertools.count(1)


def fresh_phone() -> str:
    return f"+7901{next(_numbers):07d}"


def fresh_email() -> str:
    return f"irina.{uuid7().hex[-10:]}.{next(_numbers)}@example.com"


async def signed_up(shop: Shop, **account: Any) -> Client:
    """A customer who has just come in by a one-time code, with a session of his own."""
    return await shop.signed_up(**({"name": "Ирина Соколова"} | account))


async def customer(shop: Shop, **values: Any) -> UUID:
    """A customer with a profile and no session."""
    values = {"email": fresh_email(), "name": "Пётр Орлов"} | values
    return await shop.db.write(customers.create_profile, shop.system, **values)


async def merged(shop: Shop, loser: UUID, winner: UUID) -> None:
    """By staff: the loser is the winner from now on."""
    operator = await shop.staff("call_center", channel="call_center")
    command = customers.MergeCustomers(loser=loser, reason="One person")
    await shop.db.write(customers.merge, operator.actor, customer=winner, command=command)


async def parted(shop: Shop, loser: UUID) -> None:
    """By staff: they were two after all."""
    operator = await shop.staff("call_center", channel="call_center")
    command = customers.UnmergeCustomer(reason="Mother and daughter")
    await shop.db.write(customers.unmerge, operator.actor, customer=loser, command=command)


async def talked(shop: Shop, staff: Client, person: UUID, words: str, **more: Any) -> dict[str, Any]:
    """Staff note a conversation with a customer."""
    body = {"channel": "phone", "summary": words, "customer": str(person), "team": await team(shop), **more}
    answer = await staff.post("/v1/conversations", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def told(shop: Shop) -> None:
    """Every event is delivered."""
    await outbox.drain(shop.db, parts.subscribers())


async def rows(shop: Shop, statement: str, **values: Any) -> list[dict[str, Any]]:
    async def work(tx: Tx) -> list[dict[str, Any]]:
        return [dict(row) for row in await tx.rows(statement, **values)]

    return await shop.db.read(work)


async def records(shop: Shop, action: str, target: Any) -> list[Any]:
    """What was recorded of an act, oldest first."""

    async def work(tx: Tx) -> list[Any]:
        found = await tx.rows(audit_records.select().filter_by(action=action, target_id=str(target)))
        return sorted(found, key=lambda row: row.id)

    return await shop.db.read(work)


def problem(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    return answer.status_code, answer.json()["type"].rpartition("/")[2]
