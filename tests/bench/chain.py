"""A large chain: 100 locations with 50,000 variants each, 5 million levels, and a small one of 50,000 levels beside it to compare with.

Both are databases of one PostgreSQL that syncs to disk as in production, filled in bulk with the movements that explain the levels. What
stays in their folder is used by the next run, as long as the migrations and this file are the same; they are for the bench alone.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import psutil  # type: ignore[import-untyped]
from msgspec import structs

from commerce import embedded, supply
from commerce.auth import tokens
from commerce.infra.db import Database
from commerce.kernel.actor import system
from commerce.settings import Settings
from tests.bench.flows import World
from tests.bench.instance import ROOT, Instance

__all__ = ["LARGE", "LOCATIONS", "MEMORY_MB", "SMALL", "Chain", "lies_there", "location_id", "variant_id"]

LOCATIONS = 100
WAREHOUSES = 5
BATCH = 10
"""Locations that are filled by one statement."""
KEY = "pk_bench_of_the_large_chain"
EMPTY = "commerce"
SMALL, LARGE = "bench_small", "bench_large"

GROUND = """
INSERT INTO auth.channels (code, name, created_at) VALUES ('site', '{"en": "Site", "ru": "Сайт"}', now());
INSERT INTO auth.principals (id, kind, created_at) VALUES ('0f000000-0000-7000-8000-000000000001', 'client', now());
INSERT INTO auth.clients (id, code, channel, name, created_at)
VALUES ('0f000000-0000-7000-8000-000000000001', 'bench', 'site', 'Bench', now());
INSERT INTO auth.client_keys (id, client_id, kind, key_hash, created_at, created_by)
VALUES ('0f000000-0000-7000-8000-000000000003', '0f000000-0000-7000-8000-000000000001', 'frontend', '{key}', now(),
    '0f000000-0000-7000-8000-000000000001');
INSERT INTO locations.legal_entities (code, name, kind, tax_id, country) VALUES ('own', '{"en": "Own", "ru": "Своё"}', 'own', '7707083893', 'RU');
INSERT INTO catalog.tax_classes (code, name) VALUES ('standard', '{"en": "Standard", "ru": "Обычная"}');
INSERT INTO catalog.return_policies (code, name, change_of_mind_days, defect_days)
VALUES ('standard', '{"en": "Standard", "ru": "Обычная"}', 14, 730);
INSERT INTO catalog.categories (id, code, path, name, position)
VALUES ('0f000000-0000-7000-8000-000000000002', 'bench', '{bench}', '{"en": "Bench", "ru": "Стенд"}', 1);
INSERT INTO locations.locations (id, code, name, kind, legal_entity, roles, address, tax_zone, latitude_e6, longitude_e6, time_zone,
    hours, exceptions, cut_off, backlog_minutes, opened_on, external_ids, created_at)
SELECT CAST('0c000000-0000-7000-8000-' || lpad(CAST(n AS text), 12, '0') AS uuid), 'bench-' || lpad(CAST(n AS text), 3, '0'),
    jsonb_build_object('en', 'Location ' || n, 'ru', 'Место ' || n), CASE WHEN n > {stores} THEN 'warehouse' ELSE 'store' END, 'own',
    CASE WHEN n > {stores} THEN ARRAY['receives', 'ships'] ELSE ARRAY['accepts_returns', 'pickup', 'receives', 'sells', 'ships'] END,
    jsonb_build_object('country', 'RU', 'region', 'Москва', 'city', 'Москва', 'city_en', 'Moscow', 'street', 'Тверская, ' || n, 'postal_code', '101000'),
    'RU', 55000000 + n * 7919 % 1000 * 1000, 37000000 + n * 104729 % 1000 * 1000, 'Europe/Moscow',
    (SELECT jsonb_agg(jsonb_build_object('weekday', day, 'opens', '10:00', 'closes', '22:00')) FROM generate_series(1, 7) AS day),
    '[{"on": "2027-01-01", "closed": true}]', '20:00', 5, '2020-01-01', '{}', now()
FROM generate_series(1, {locations}) AS n;
INSERT INTO locations.links (location_id, source_id, transit_hours)
SELECT store.id, warehouse.id, 24 FROM locations.locations store JOIN locations.locations warehouse ON warehouse.kind = 'warehouse'
WHERE store.kind = 'store';
INSERT INTO fulfillment.delivery_methods (id, code, name, kind, bands, weekdays, cut_off, published, position, version, changed_at)
SELECT CAST('0f000000-0000-7000-8000-00000000001' || n AS uuid), 'method-' || n, '{"en": "Delivery", "ru": "Доставка"}',
    CASE WHEN n = 1 THEN 'local_delivery' ELSE 'shipping' END, '[{"up_to_km": 50, "days": 1}, {"up_to_km": 2000, "days": 3}]',
    '[1, 2, 3, 4, 5]', '16:00', true, n, 1, now()
FROM generate_series(1, 3) AS n;
"""
GOODS = """
INSERT INTO catalog.products (id, slug, brand, title, description, category_id, options, media, published, external_ids, created_at, updated_at)
SELECT CAST('0a000000-0000-7000-8000-' || lpad(CAST(n AS text), 12, '0') AS uuid), 'bench-product-' || n, 'Brand ' || n % 12,
    jsonb_build_object('en', 'Merino wool sweater no. ' || n, 'ru', 'Свитер № ' || n), '{}', '0f000000-0000-7000-8000-000000000002',
    '[]', '[]', true, '{}', now(), now()
FROM generate_series(1, {variants}) AS n;
INSERT INTO catalog.variants (id, product_id, sku, options, option_texts, weight_grams, tax_class, return_policy, external_ids, created_at, updated_at)
SELECT CAST('0b000000-0000-7000-8000-' || lpad(CAST(n AS text), 12, '0') AS uuid),
    CAST('0a000000-0000-7000-8000-' || lpad(CAST(n AS text), 12, '0') AS uuid), 'BENCH-' || lpad(CAST(n AS text), 5, '0'), '{}', '{}', 320,
    'standard', 'standard', '{}', now(), now()
FROM generate_series(1, {variants}) AS n;
INSERT INTO stock.postings (id, cause_kind, cause_id, actor, occurred_at, business_date)
SELECT CAST('0f100000-0000-7000-8000-' || lpad(CAST(n AS text), 12, '0') AS uuid), 'bench_receipt',
    CAST('0f100000-0000-7000-8000-' || lpad(CAST(n AS text), 12, '0') AS uuid), '{"kind": "system"}', now(), CAST(now() AS date)
FROM generate_series(1, {locations}) AS n;
"""
LEVELS = """
INSERT INTO stock.levels (location_id, variant_id, available)
SELECT place.id, variant.id, CASE WHEN variant.n % 8 = place.n % 8 THEN 0 ELSE 1000 + variant.n % 100 END
FROM (
    SELECT n, CAST('0c000000-0000-7000-8000-' || lpad(CAST(n AS text), 12, '0') AS uuid) AS id FROM generate_series({first}, {last}) AS n
) place, (
    SELECT n, CAST('0b000000-0000-7000-8000-' || lpad(CAST(n AS text), 12, '0') AS uuid) AS id FROM generate_series(1, {variants}) AS n
) variant
"""
MOVEMENTS = """
INSERT INTO stock.movements (posting_id, n, variant_id, quantity, from_place, to_place, to_location_id, occurred_at, recorded_at)
SELECT place.posting_id, variant.n - (variant.n + 7 - (place.n - 1) % 8) / 8, variant.id, 1000 + variant.n % 100, 'supplier', 'available', place.id,
    now(), now()
FROM (
    SELECT n, CAST('0c000000-0000-7000-8000-' || lpad(CAST(n AS text), 12, '0') AS uuid) AS id,
        CAST('0f100000-0000-7000-8000-' || lpad(CAST(n AS text), 12, '0') AS uuid) AS posting_id
    FROM generate_series({first}, {last}) AS n
) place, (
    SELECT n, CAST('0b000000-0000-7000-8000-' || lpad(CAST(n AS text), 12, '0') AS uuid) AS id FROM generate_series(1, {variants}) AS n
) variant
WHERE variant.n % 8 <> place.n % 8
"""
INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made_by FROM pg_index
WHERE indrelid = CAST($1 AS regclass) AND NOT indisunique
"""
QUICK = {
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off", "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
}  # fmt: skip
"""How the server is set while it is filled; production's settings are back before anything is measured."""

MEMORY_MB = min(2048, psutil.virtual_memory().total // 2**22)
"""Memory of a server with such a database; the embedded one is made for small shops."""
WARM = "SELECT sum(available) FROM (SELECT available FROM stock.levels ORDER BY location_id, variant_id) AS every"


def location_id(number: int) -> UUID:
    """The n-th location, from 1."""
    return UUID(f"0c000000-0000-7000-8000-{number:012d}")


def variant_id(number: int) -> UUID:
    """The n-th variant, from 1."""
    return UUID(f"0b000000-0000-7000-8000-{number:012d}")


def lies_there(location: int, variant: int) -> bool:
    """Whether the n-th location has the n-th variant."""
    return variant % 8 != location % 8


class Chain:
    """Starts the two databases on entering and fills them when they are not there; stops on leaving, and keeps them."""

    def __init__(self, folder: Path, levels: Sequence[int], tell: Callable[[str], None]) -> None:
        self.folder = folder
        self.variants = {SMALL: levels[0] // LOCATIONS, LARGE: levels[1] // LOCATIONS}
        self.instance = Instance(folder, keep=True)
        self._tell = tell

    def __enter__(self) -> Self:
        made, fingerprint = self.folder / "made", self._fingerprint()
        kept = made.is_file() and made.read_text(encoding="ascii") == fingerprint
        if not kept:
            made.unlink(missing_ok=True)
            embedded.remove(self.folder)
        self._tell("starting the large chain" if kept else "making the large chain; it is kept for the next time")
        self.instance.__enter__()
        try:
            if not kept:
                asyncio.run(self._make())
                self.instance.stop()
                self.instance.__enter__()
                made.write_text(fingerprint, encoding="ascii")
            asyncio.run(self._warm())
        except BaseException:
            self.instance.stop()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.instance.stop()

    def url(self, database: str) -> str:
        """Where one of the two is."""
        return urlunsplit(urlsplit(self.instance.urls.database_url)._replace(path=f"/{database}"))

    def size(self, database: str) -> str:
        """How many levels one of the two has, for people."""
        return f"{self.variants[database] * LOCATIONS:,}"

    def serve_large(self) -> World:
        """Start the API on the large one; what the load client has to know of it."""
        self.instance.urls = replace(self.instance.urls, database_url=self.url(LARGE))
        self.instance.start_servers()
        skus = [f"BENCH-{number:05d}" for number in range(1, self.variants[LARGE] + 1)]
        return World(key=KEY, slugs=[], categories=[], skus=skus, stores=[])

    def _fingerprint(self) -> str:
        state = hashlib.sha256(repr(sorted(self.variants.items())).encode())
        for path in (Path(__file__), *sorted((ROOT / "migrations" / "versions").glob("*.py"))):
            state.update(path.read_bytes())
        return state.hexdigest()

    async def _make(self) -> None:
        server = await asyncpg.connect(self.instance.urls.database_url)
        for name, value in QUICK.items():
            await server.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await server.execute("SELECT pg_reload_conf()")
        await server.close()
        root = await asyncpg.connect(self.url("postgres"))
        try:
            for name, variants in self.variants.items():
                await root.execute(f"CREATE DATABASE {name} TEMPLATE {EMPTY}")
                await self._fill(name, variants)
        finally:
            for name in QUICK:
                await root.execute(f"ALTER SYSTEM RESET {name}")
            await root.execute(f"ALTER SYSTEM SET shared_buffers = '{MEMORY_MB}MB'")
            await root.execute("SELECT pg_reload_conf()")
            await root.execute("CHECKPOINT")
            await root.close()

    async def _warm(self) -> None:
        """Read every level by its key, so that it lies in the server's memory, as in a shop that has been open for a while."""
        for name in self.variants:
            connection = await asyncpg.connect(self.url(name))
            try:
                await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off")
                await connection.fetchval(WARM)
            finally:
                await connection.close()

    async def _fill(self, name: str, variants: int) -> None:
        known = {
            "{key}": tokens.fingerprint(KEY), "{locations}": str(LOCATIONS), "{stores}": str(LOCATIONS - WAREHOUSES),
            "{variants}": str(variants),
        }  # fmt: skip
        connections = [await asyncpg.connect(self.url(name)) for _ in range(2)]
        try:
            for connection in connections:
                # a bulk load that looks up no foreign keys, as pg_restore does it
                await connection.execute("SET session_replication_role = replica; SET maintenance_work_mem = '512MB'")
            for text in (GROUND, GOODS):
                await connections[0].execute(filled(text, known))
            self._tell(f"{variants * LOCATIONS:,} levels and their movements")
            await asyncio.gather(
                self._table(connections[0], "stock.levels", LEVELS, known),
                self._table(connections[1], "stock.movements", MOVEMENTS, known),
            )
            self._tell(f"{LOCATIONS} announced deliveries")
            await self._announce(name, variants)
            await connections[0].execute("VACUUM (ANALYZE)")
        finally:
            for connection in connections:
                await connection.close()

    async def _announce(self, name: str, variants: int) -> None:
        """A delivery to each location, of every hundredth variant."""
        settings = Settings.from_environment(self.instance.environment)
        db = Database.open(structs.replace(settings, database_url=self.url(name)), name="bench", timeouts=False)
        try:
            await db.write(
                supply.save_supplier,
                system(),
                code="bench",
                command=supply.SaveSupplier(name={"en": "Supplier"}),
                if_match=None,
            )
            for place in range(1, LOCATIONS + 1):
                numbers = [n for n in range(1, variants + 1) if n % 100 == place % 100] or [place % variants + 1]
                command = supply.Announce(
                    supplier="bench", location=f"bench-{place:03d}", reference=f"bench-{place}", expected_on=db.clock().date() + timedelta(days=5),
                    lines=[supply.AnnouncedGoods(sku=f"BENCH-{n:05d}", quantity=20) for n in numbers],
                )  # fmt: skip
                await db.write(supply.announce, system(), command=command)
        finally:
            await db.close()

    async def _table(self, connection: asyncpg.Connection, table: str, text: str, known: dict[str, str]) -> None:
        indexes = await connection.fetch(INDEXES, table)
        for index in indexes:
            await connection.execute(f"DROP INDEX {index['name']}")
        for first in range(1, LOCATIONS + 1, BATCH):
            part = {"{first}": str(first), "{last}": str(first + BATCH - 1)}
            await connection.execute(filled(text, known | part))
        for index in indexes:
            await connection.execute(index["made_by"])
        await connection.execute(f"VACUUM (FREEZE, ANALYZE, PARALLEL 0) {table}")


def filled(text: str, values: dict[str, str]) -> str:
    """The text with its marks in braces replaced; JSON has braces of its own."""
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text
