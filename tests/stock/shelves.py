"""What the tests of stock share: levels as a tuple, demands, events of a posting."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from commerce import stock
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from commerce.stock.safety import settle
from tests.support import Item, Shop, Store


def fresh(kind: str = "test") -> stock.Cause:
    """A cause that nothing has had."""
    return stock.Cause(kind, uuid7())


def fulfillment() -> stock.Owner:
    """An owner that nothing is set aside for."""
    return stock.Owner("fulfillment", uuid7())


def checkout() -> stock.Owner:
    """A checkout that nothing is set aside for."""
    return stock.Owner("checkout", uuid7())


def demand(store: Store, item: Item, quantity: int, line_id: UUID | None = None) -> stock.Demand:
    """So many units for a line."""
    return stock.Demand(line_id=line_id or uuid7(), location_id=store.id, variant_id=item.id, quantity=quantity)


async def shelf(db: Database, store: Store, item: Item) -> tuple[int, int, int]:
    """available, reserved, committed."""
    for level in await db.read(stock.levels, variant_ids=[item.id], location_ids=[store.id]):
        return level.available, level.reserved, level.committed
    return 0, 0, 0


async def aside(db: Database, owner: stock.Owner) -> list[tuple[str, int, int, int]]:
    """state, quantity, quantity_open, quantity_lost of the owner's reservations."""
    return [
        (r.state, r.quantity, r.quantity_open, r.quantity_lost) for r in await db.read(stock.reservations_of, owner)
    ]


async def events_of(db: Database, cause: stock.Cause) -> list[tuple[str, dict[str, Any]]]:
    """type and payload of the events of a posting."""

    async def read(tx: Tx) -> list[tuple[str, dict[str, Any]]]:
        rows = await tx.rows(
            """
            SELECT o.type, o.payload FROM infra.outbox o JOIN stock.postings p ON p.id = o.aggregate_id
            WHERE o.aggregate = 'posting' AND p.cause_kind = :kind AND p.cause_id = :id ORDER BY o.type
            """,
            kind=cause.kind,
            id=cause.id,
        )
        return [(row.type, row.payload) for row in rows]

    return await db.read(read)


async def movements_of(db: Database, cause: stock.Cause) -> list[tuple[int, str, str]]:
    """quantity, from and to of the movements of a posting, in order."""

    async def read(tx: Tx) -> list[tuple[int, str, str]]:
        rows = await tx.rows(
            """
            SELECT m.quantity, m.from_place, m.to_place FROM stock.movements m JOIN stock.postings p ON p.id = m.posting_id
            WHERE p.cause_kind = :kind AND p.cause_id = :id ORDER BY m.n
            """,
            kind=cause.kind,
            id=cause.id,
        )
        return [(row.quantity, row.from_place, row.to_place) for row in rows]

    return await db.read(read)


async def posted(db: Database, cause: stock.Cause) -> int:
    """How many postings a cause has."""

    async def read(tx: Tx) -> int:
        return int(
            await tx.scalar(
                "SELECT count(*) FROM stock.postings WHERE cause_kind = :kind AND cause_id = :id",
                kind=cause.kind,
                id=cause.id,
            )
        )

    return await db.read(read)


async def safety(shop: Shop, store: Store, item: Item, quantity: int) -> None:
    """The safety stock of a level, by a rule of its own."""
    office = await shop.staff("back_office", channel="back_office")
    rule = {"location": store.code, "sku": item.sku, "quantity": quantity}
    answer = await office.put("/v1/stock/safety", {"rules": [rule]})
    assert answer.status_code == 200, answer.text
    await settled(shop.db)


async def settled(db: Database) -> None:
    """Every change of safety stock has reached its levels; it waits for transactions of the whole server, other tests' included."""
    for _ in range(400):
        if await settle(db):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("safety stock did not settle within 20 s")
