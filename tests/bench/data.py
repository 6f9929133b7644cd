"""The data of the bench: a chain of 20 stores, 300 products, 1,200 variants with prices and plenty of stock everywhere; and a
warehouse that has 100 variants more, which no store has.

Ids and prices follow from a number, so that place_floor.sql and the load client can name them without asking.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from commerce import stock
from commerce.auth import tables as auth_tables
from commerce.auth import tokens
from commerce.carts import tables as cart_tables
from commerce.catalog import tables as catalog_tables
from commerce.infra.db import Database, Tx
from commerce.kernel.actor import Actor, system
from commerce.kernel.ids import uuid7
from commerce.locations import tables as location_tables
from commerce.prices import tables as price_tables
from commerce.settings import Settings
from tests.bench.flows import Shopper, World
from tests.bench.instance import Instance

__all__ = [
    "HOT",
    "PRODUCTS",
    "STORES",
    "VARIANTS",
    "Carts",
    "far_variants",
    "hot_variant",
    "hundred_variants",
    "make",
    "one_of_many",
    "refresh_statistics",
    "variants_of_cart",
]

PRODUCTS = 300
PER_PRODUCT = 4
VARIANTS = PRODUCTS * PER_PRODUCT
FAR_PRODUCTS = 25
"""Their variants are in the warehouse only."""
SPREAD = 1_000
"""Variants over which orders of one line are spread, to compare with orders of one hot variant."""
HOT = 7
"""The hot variant, and the store where everybody wants it."""
STORES = 20
CATEGORIES = 6
IN_STOCK = 1_000_000
LINES = 2
COLORS = (("black", "Чёрный"), ("white", "Белый"))
SIZES = ("S", "M")
EVERY_DAY = [{"weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(1, 8)]
TOKEN_SECONDS = 6 * 3600
WAREHOUSE = UUID("0c000000-0000-7000-8000-999999999999")
TRANSIT_HOURS = 24


def product_id(number: int) -> UUID:
    """The n-th product, from 1."""
    return UUID(f"0a000000-0000-7000-8000-{number:012d}")


def variant_id(number: int) -> UUID:
    """The n-th variant, from 1."""
    return UUID(f"0b000000-0000-7000-8000-{number:012d}")


def store_id(number: int) -> UUID:
    """The n-th store, from 1."""
    return UUID(f"0c000000-0000-7000-8000-{number:012d}")


def shopper_id(number: int) -> UUID:
    """The shopper whose cart is the n-th, from 1."""
    return UUID(f"0d000000-0000-7000-8000-{number:012d}")


def cart_id(number: int) -> UUID:
    """The n-th cart, from 1."""
    return UUID(f"0e000000-0000-7000-8000-{number:012d}")


def sku(number: int) -> str:
    """The SKU of the n-th variant."""
    return f"BENCH-{number:05d}"


def price(number: int) -> int:
    """The price of the n-th variant, in minor units."""
    return 49_900 + number % 97 * 10_000


def variants_of_cart(number: int) -> tuple[int, int]:
    """The two variants in the n-th cart."""
    first = number * 7919 % VARIANTS + 1
    return first, (first - 1 + VARIANTS // 2) % VARIANTS + 1


def one_of_many(number: int) -> tuple[int]:
    """The variant in the n-th cart of one line, spread over many."""
    return (number * 7919 % SPREAD + 1,)


def hundred_variants(number: int) -> tuple[int, ...]:
    """The hundred variants in the n-th cart of many lines, of hundred products."""
    first = number * 7919 % VARIANTS
    return tuple((first + 11 * n) % VARIANTS + 1 for n in range(100))


def hot_variant(number: int) -> tuple[int]:
    """The one variant that is in every cart."""
    return (HOT,)


def far_variants(number: int) -> tuple[int, int]:
    """Two variants that only the warehouse has, for the n-th cart."""
    half = FAR_PRODUCTS * PER_PRODUCT // 2
    first = number * 7919 % half
    return VARIANTS + 1 + first, VARIANTS + 1 + half + first


async def make(instance: Instance) -> World:
    """Fill the empty database, goods through the stock ledger; what the load client has to know of it."""
    settings = Settings.from_environment(instance.environment)
    key = tokens.new_secret("pk")
    db = Database.open(settings, name="bench")
    try:
        await db.write(_ground, key)
        for first in range(1, PRODUCTS + 1, 100):
            await db.write(_products, range(first, first + 100))
        await db.write(_products, range(PRODUCTS + 1, PRODUCTS + FAR_PRODUCTS + 1))
        for number in range(1, STORES + 1):
            await db.write(_receive, store_id(number), range(1, VARIANTS + 1))
        await db.write(_receive, WAREHOUSE, range(VARIANTS + 1, VARIANTS + FAR_PRODUCTS * PER_PRODUCT + 1))
    finally:
        await db.close()
    return World(
        key=key,
        slugs=[f"bench-product-{number}" for number in range(1, PRODUCTS + 1)],
        categories=[f"bench-category-{number}" for number in range(1, CATEGORIES + 1)],
        skus=[sku(number) for number in range(1, VARIANTS + 1)],
        stores=[f"bench-{number:02d}" for number in range(1, STORES + 1)],
    )


async def _receive(tx: Tx, location_id: UUID, variants: range) -> None:
    await stock.receive(
        tx,
        system(),
        cause=stock.Cause("bench_receipt", uuid7()),
        location_id=location_id,
        lines=[
            stock.ReceiptLine(variant_id=variant_id(n), quantity=IN_STOCK, unit_cost=price(n) // 2) for n in variants
        ],
    )


async def refresh_statistics(instance: Instance) -> None:
    """What autovacuum does in a shop that has been open for a while."""
    connection = await asyncpg.connect(instance.urls.database_url)
    try:
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()


async def _ground(tx: Tx, key: str) -> None:
    client = uuid7()
    tx.queue(auth_tables.channels, code="site", name={"en": "Site", "ru": "Сайт"}, created_at=tx.at)
    tx.queue(auth_tables.principals, id=client, kind="client", created_at=tx.at)
    tx.queue(
        auth_tables.clients, id=client, code="bench", channel="site", name="Bench", created_at=tx.at,
    )  # fmt: skip
    tx.queue(
        auth_tables.client_keys, id=uuid7(), client_id=client, kind="frontend", key_hash=tokens.fingerprint(key), created_at=tx.at,
        created_by=client,
    )  # fmt: skip
    tx.queue(
        location_tables.legal_entities, code="own", name={"en": "Own", "ru": "Своё"}, kind="own", tax_id="7707083893", country="RU",
    )  # fmt: skip
    tx.queue(catalog_tables.tax_classes, code="standard", name={"en": "Standard", "ru": "Обычная"})
    tx.queue(
        catalog_tables.return_policies, code="standard", name={"en": "Standard", "ru": "Обычная"}, change_of_mind_days=14, defect_days=730,
    )  # fmt: skip
    await tx.flush()
    for valid_from, basis_points in (
        (datetime(2019, 1, 1, tzinfo=UTC), 2000),
        (datetime(2025, 12, 31, 21, tzinfo=UTC), 2200),
    ):
        tx.queue(
            price_tables.tax_rates, tax_class="standard", zone="RU", valid_from=valid_from, basis_points=basis_points
        )
    places = random.Random("places")
    locations: list[dict[str, Any]] = [
        {
            "id": store_id(number),
            "code": f"bench-{number:02d}",
            "name": {"en": f"Store {number}", "ru": f"Магазин {number}"},
            "kind": "store",
            "legal_entity": "own",
            "roles": ["accepts_returns", "pickup", "receives", "sells", "ships"],
            "address": {
                "country": "RU", "region": "Москва", "city": "Москва", "city_en": "Moscow",
                "street": f"Тверская, {number}", "postal_code": "101000",
            },
            "tax_zone": "RU",
            "latitude_e6": 55_755_800 + places.randrange(-200_000, 200_000),
            "longitude_e6": 37_617_300 + places.randrange(-200_000, 200_000),
            "time_zone": "Europe/Moscow",
            "hours": EVERY_DAY,
            "exceptions": [],
            "opened_on": date(2020, 1, 1),
            "external_ids": {},
            "created_at": tx.at,
        }
        for number in range(1, STORES + 1)
    ]  # fmt: skip
    warehouse = locations[0] | {
        "id": WAREHOUSE, "code": "bench-warehouse", "name": {"en": "Warehouse", "ru": "Склад"}, "kind": "warehouse",
        "roles": ["receives", "ships"],
    }  # fmt: skip
    await tx.execute(location_tables.locations.insert().values([*locations, warehouse]))
    await tx.execute(
        location_tables.links.insert().values(
            [
                {"location_id": place["id"], "source_id": WAREHOUSE, "transit_hours": TRANSIT_HOURS}
                for place in locations
            ]
        )
    )
    categories: list[dict[str, Any]] = [
        {
            "id": UUID(int=number), "code": f"bench-category-{number}", "path": [f"bench-category-{number}"],
            "name": {"en": f"Category {number}", "ru": f"Раздел {number}"}, "position": number,
        }
        for number in range(1, CATEGORIES + 2)
    ]  # fmt: skip
    await tx.execute(catalog_tables.categories.insert().values(categories))


async def _products(tx: Tx, numbers: Sequence[int]) -> None:
    for number in numbers:
        at = tx.at - timedelta(hours=number)
        tx.queue(
            catalog_tables.products,
            id=product_id(number),
            slug=f"bench-product-{number}",
            brand=f"Brand {number % 12}",
            title={"en": f"Merino wool sweater no. {number}", "ru": f"Свитер из шерсти мериноса № {number}"},
            description={
                "en": "Soft, warm, and washable at thirty degrees. Knitted in one piece, so that no seam rubs.",
                "ru": "Мягкий, тёплый, стирается при тридцати градусах. Связан целиком, поэтому швы не натирают.",
            },
            category_id=UUID(int=number % CATEGORIES + 1 if number <= PRODUCTS else CATEGORIES + 1),
            options=[
                {"code": "color", "name": {"en": "Color", "ru": "Цвет"}},
                {"code": "size", "name": {"en": "Size", "ru": "Размер"}},
            ],
            media=[
                {"url": f"https://media.example/{number}/{view}.webp", "alt": {"en": "Front view", "ru": "Вид спереди"}}
                for view in (1, 2)
            ],
            published=True,
            external_ids={},
            created_at=at,
            updated_at=at,
        )
        for position in range(PER_PRODUCT):
            n = (number - 1) * PER_PRODUCT + position + 1
            color, color_ru = COLORS[position % 2]
            size = SIZES[position // 2]
            tx.queue(
                catalog_tables.variants,
                id=variant_id(n),
                product_id=product_id(number),
                sku=sku(n),
                position=position,
                options={"color": color, "size": size},
                option_texts={"en": {"color": color.title(), "size": size}, "ru": {"color": color_ru, "size": size}},
                weight_grams=320,
                tax_class="standard",
                return_policy="standard",
                external_ids={},
                created_at=at,
                updated_at=at,
            )
    await tx.flush()
    for number in numbers:
        for n in range((number - 1) * PER_PRODUCT + 1, number * PER_PRODUCT + 1):
            for days, amount in ((400, price(n) + 5_000), (30, price(n))):
                tx.queue(
                    price_tables.prices,
                    variant_id=variant_id(n),
                    valid_from=tx.at - timedelta(days=days),
                    amount=amount,
                    currency="RUB",
                    set_by=system().subject,
                )


class Carts:
    """Makes open carts, each of its own shopper, as fast as the database takes them. Of two lines, unless told otherwise."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._next = 1

    async def take(self, count: int, holds: Callable[[int], Sequence[int]] = variants_of_cart) -> range:
        """The numbers of `count` fresh carts, each with one of each variant that its number `holds`."""
        numbers = range(self._next, self._next + count)
        at = datetime.now(UTC)
        connection = await asyncpg.connect(self._instance.urls.database_url)
        try:
            async with connection.transaction():
                await _copy(
                    connection,
                    auth_tables.principals,
                    ("id", "kind", "created_at"),
                    [(shopper_id(n), "shopper", at) for n in numbers],
                )
                await _copy(
                    connection, cart_tables.carts, ("id", "shopper_id", "state", "channel", "created_at", "changed_at"),
                    [(cart_id(n), shopper_id(n), "open", "site", at, at) for n in numbers],
                )  # fmt: skip
                await _copy(
                    connection, cart_tables.lines,
                    ("cart_id", "variant_id", "sku", "quantity", "unit_price_seen", "added_at", "added_channel", "changed_at"),
                    [
                        (cart_id(n), variant_id(v), sku(v), 1, price(v), at, "site", at)
                        for n in numbers
                        for v in holds(n)
                    ],
                )  # fmt: skip
        finally:
            await connection.close()
        self._next = numbers.stop
        return numbers

    async def take_shoppers(
        self, count: int, holds: Callable[[int], Sequence[int]] = variants_of_cart
    ) -> list[Shopper]:
        """The owners of `count` fresh carts with their access tokens."""
        return [self._shopper(number, holds(number)) for number in await self.take(count, holds)]

    def _shopper(self, number: int, variants: Sequence[int]) -> Shopper:
        actor = Actor(kind="shopper", subject=shopper_id(number), channel="site")
        token = tokens.issue(actor, secret_key=self._instance.secret_key, at=datetime.now(UTC), seconds=TOKEN_SECONDS)
        return Shopper(token, [sku(variant) for variant in variants], sum(map(price, variants)))


async def _copy(
    connection: asyncpg.Connection, table: Any, columns: tuple[str, ...], rows: list[tuple[Any, ...]]
) -> None:
    await connection.copy_records_to_table(table.name, schema_name=table.schema, columns=columns, records=rows)
