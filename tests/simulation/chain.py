"""The chain of the simulator: its places, goods and people, in a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
import msgspec

from commerce import supply
from commerce.infra.db import Database, Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.locations import tables as location_tables
from commerce.settings import Settings
from tests.concurrency.steps import watch_connections
from tests.support import Item, Shop, Store, clock

SECRET = "simulated-secret-key-simulated-secret-key"
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
DEAR, BACKORDER, SERIAL = 7, 8, 9
"""Whose loss a manager approves, what may be ordered before it is there, and whose units have codes of their own."""
BUNDLES: dict[int, tuple[tuple[int, int], ...]] = {10: ((0, 1), (1, 2)), 11: ((1, 1), (2, 1))}
"""Goods that are made of others, and share one of them."""
ORDINARY = range(10)
"""Goods that have a stock of their own."""
EVERYTHING = range(12)
WAREHOUSE = 0
STORES = range(1, 5)
PLACES = range(5)


def parts(item: int) -> tuple[tuple[int, int], ...]:
    """Goods as (item, units in each): themselves, or the components of a bundle."""
    return BUNDLES.get(item, ((item, 1),))


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """One warehouse (place 0) and four stores, twelve variants; who works there and who buys."""

    db: Database
    settings: Settings
    observer: asyncpg.Connection
    """A connection beside all pools."""
    places: list[Store]
    items: list[Item]
    office: Actor
    helper: Actor
    """Of the call center."""
    managers: list[Actor]
    associates: list[Actor]
    tills: list[Actor]
    shoppers: list[Actor]
    suppliers: list[str]


@asynccontextmanager
async def opened(template: str, redis_url: str) -> AsyncIterator[Chain]:
    """A chain in a clone of a migrated database; the clone is dropped afterwards."""
    base, name = template.rsplit("/", 1)
    clone = f"s_{uuid7().hex}"
    await _run(base, f'CREATE DATABASE "{clone}" TEMPLATE "{name}"')
    try:
        settings = Settings(
            database_url=f"{base}/{clone}", redis_url=redis_url, secret_key=SECRET, environment="test", api_workers=1,
            write_connections=4, read_connections=2, log_level="error",
        )  # fmt: skip
        clock.stand_at(START)
        db = Database.open(settings, clock=clock, name="commerce-simulation")
        watch_connections(db)
        observer = await asyncpg.connect(settings.database_url)
        try:
            yield await _built(db, settings, observer)
        finally:
            await observer.close()
            await db.close()
    finally:
        await _run(base, f'DROP DATABASE "{clone}" WITH (FORCE)')


async def _run(base: str, statement: str) -> None:
    connection = await asyncpg.connect(f"{base}/postgres")
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def sku(item: int) -> str:
    """Of an item of the chain, which has a database of its own: lines of a cart put at one moment stand in the order of their SKUs, and
    a seed is a run."""
    return f"ITEM-{item:02d}"


async def _built(db: Database, settings: Settings, observer: asyncpg.Connection) -> Chain:
    shop = Shop(db, None, settings)  # type: ignore[arg-type]
    await shop.open()
    places = [await shop.store(kind="warehouse", roles=("ships", "receives"))]
    places += [await shop.store() for _ in STORES]
    items = [await shop.item(sku=sku(n), price=1000 * (n + 1)) for n in range(BACKORDER)]
    items.append(await shop.item(sku=sku(len(items)), price=9000, when_out="backorder"))
    items.append(await shop.item(sku=sku(len(items)), price=50_000, tracking="serial"))
    for n, made_of in BUNDLES.items():
        items.append(
            await shop.bundle({items[part]: units for part, units in made_of}, sku=sku(n), price=1000 * (n + 1))
        )

    async def link(tx: Tx) -> None:
        for n in STORES:
            for priority, (source, hours) in enumerate(((WAREHOUSE, 24), (1 + n % len(STORES), 6))):
                tx.queue(
                    location_tables.links, location_id=places[n].id, source_id=places[source].id, priority=priority,
                    transit_hours=hours, departures=None, cost_amount=100 * priority,
                )  # fmt: skip

    await db.write(link)
    office = (await shop.staff("back_office", channel="back_office")).actor
    suppliers = ["supplier-a", "supplier-b"]
    for code in suppliers:
        await db.write(
            supply.save_supplier, office, code=code, command=supply.SaveSupplier(name={"ru": code}), if_match=None
        )
    codes = [place.code for place in places]
    return Chain(
        db=db, settings=settings, observer=observer, places=places, items=items, office=office, suppliers=suppliers,
        helper=(await shop.staff("call_center", channel="call_center")).actor,
        managers=[(await shop.staff("store_manager", code)).actor for code in codes],
        associates=[(await shop.staff("associate", code)).actor for code in codes],
        tills=[(await shop.device("till", code)).actor for code in codes],
        shoppers=[(await shop.shopper()).actor for _ in range(10)],
    )  # fmt: skip
