"""Counting up to what is enough: the total, or what is enough when that is less, whatever the levels are; and no more than needed is read."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commerce import stock
from commerce.infra.db import Database, Question, Tx
from commerce.kernel.ids import uuid7
from commerce.stock import queries
from tests.stock.shelves import checkout, demand, fresh
from tests.support import Item, Shop, Store, clock

KeepBack = Callable[[Store, Item, int], Awaitable[None]]


@pytest.fixture
async def keep_back(db: Database) -> AsyncIterator[KeepBack]:
    """Sets the safety stock of a level, until the end of the test."""
    changed: list[tuple[Store, Item]] = []

    async def work(tx: Tx, store: Store, item: Item, quantity: int) -> None:
        await tx.execute(
            "UPDATE stock.levels SET safety_stock = :quantity WHERE location_id = :store AND variant_id = :item",
            quantity=quantity, store=store.id, item=item.id,
        )  # fmt: skip

    async def keep(store: Store, item: Item, quantity: int) -> None:
        changed.append((store, item))
        await db.write(work, store, item, quantity)

    yield keep
    for store, item in changed:
        await db.write(work, store, item, 0)


async def count(tx: Tx, ids: list[UUID], enough: list[int] | None) -> dict[UUID, int]:
    one: Question[int] = Question("SELECT 1 AS one", 1, {}, lambda one: one)
    found, _ = await tx.together(stock.counting(ids, at=tx.at, enough=enough), one)
    return found


async def random_levels(db: Database, shop: Shop, keep_back: KeepBack, drawn: random.Random) -> list[Item]:
    """Items at random stores: some keep more back than there is, some are reserved until a moment ago, some for an hour."""
    stores = [await shop.store() for _ in range(5)]
    items = [await shop.item() for _ in range(8)]
    for item in items[1:]:  # the first was never anywhere
        for store in drawn.sample(stores, drawn.randint(1, 5)):
            on_hand = drawn.choice((1, 2, 3, 5, 8, 40))
            await shop.stock(store, item, on_hand)
            if drawn.random() < 0.5:
                soon = clock() + timedelta(minutes=drawn.choice((1, 60)))
                await db.write(
                    stock.reserve, shop.system, owner=checkout(), demands=[demand(store, item, drawn.randint(1, on_hand))],
                    cause=fresh(), expires_at=soon,
                )  # fmt: skip
            if drawn.random() < 0.5:
                await keep_back(store, item, drawn.choice((1, 2, 4, 50)))
    clock.travel(timedelta(minutes=5))
    return items


@pytest.mark.parametrize("seed", range(3))
async def test_it_is_the_total_or_what_is_enough(db: Database, shop: Shop, keep_back: KeepBack, seed: int) -> None:
    drawn = random.Random(seed)
    items = await random_levels(db, shop, keep_back, drawn)
    ids = [item.id for item in items]
    levels = await db.read(stock.levels, variant_ids=ids)
    assert any(level.reserved and level.ats > level.available - level.safety_stock for level in levels)
    assert any(level.ats == 0 and level.available < level.safety_stock for level in levels)
    totals: dict[UUID, int] = {}
    for level in levels:
        totals[level.variant_id] = totals.get(level.variant_id, 0) + level.ats
    assert totals == await db.read(stock.totals, ids) == await db.read(count, ids, None)
    assert ids[0] not in totals
    assert await db.read(count, ids, [2**31 - 1] * len(ids)) == totals
    for _ in range(20):
        around = [totals.get(id_, 3) + drawn.randint(-3, 3) for id_ in ids]
        enough = [max(1, drawn.choice((near, drawn.randint(1, 60)))) for near in around]
        limits = dict(zip(ids, enough, strict=True))
        assert await db.read(count, ids, enough) == {id_: min(total, limits[id_]) for id_, total in totals.items()}


async def test_nothing_is_counted_of_nothing(db: Database, shop: Shop) -> None:
    assert await db.read(count, [], []) == await db.read(count, [], None) == {}
    assert await db.read(count, [uuid7()], [6]) == {}


async def test_no_level_is_read_after_there_is_enough(db: Database, shop: Shop) -> None:
    """As the server runs it: of ten levels two are fetched where four and four are six (and one ahead), all only where all are needed."""
    item, scarce = await shop.item(), await shop.item()
    for _ in range(10):
        store = await shop.store()
        await shop.stock(store, item, 4)
        await shop.stock(store, scarce, 1)

    async def plan(tx: Tx, variant: UUID, enough: int) -> Any:
        await tx.execute("SET LOCAL enable_seqscan = off")  # the tables of a test are small
        await tx.execute("SET LOCAL enable_bitmapscan = off")
        return await tx.scalar(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {queries.COUNTED_IN_ROW}", variant_ids=[variant], enough=[enough], at=tx.at
        )

    assert levels_read(await db.write(plan, item.id, 6)) == 3
    assert levels_read(await db.write(plan, item.id, 4)) == 2
    assert levels_read(await db.write(plan, scarce.id, 11)) == 20


def levels_read(plan: Any) -> int:
    """Rows that the nodes of a plan fetched from the levels."""

    def walk(node: dict[str, Any]) -> int:
        own = node["Actual Rows"] * node["Actual Loops"] if node.get("Relation Name") == "levels" else 0
        return int(own) + sum(walk(child) for child in node.get("Plans", ()))

    return walk(plan[0]["Plan"])
