"""Tables: one schema per room, no floats, references downwards, one line of migrations."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, DateTime, Float, Integer, Numeric

from commerce import ROOMS
from commerce.infra.tables import metadata
from tests.house.source import modules

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = {str(table.schema) for table in metadata.tables.values()}
BESIDE = [
    ("payments", "fulfillment"),
    ("catalog", "locations"),
    ("customers", "stock"),
    ("supply", "transfers"),
    ("carts", "counts"),
    ("orders", "lists"),
    ("returns", "conversations"),
]
"""Rooms of one layer: neither knows the other."""


def test_every_table_lives_in_its_rooms_schema() -> None:
    for module in modules():
        if module.file == "tables":
            loaded = module.load()
            for name, value in vars(loaded).items():
                if (
                    getattr(value, "metadata", None) is metadata
                    and hasattr(value, "schema")
                    and hasattr(value, "columns")
                ):
                    assert value.schema == module.room, f"{module.name}.{name}"
                    assert value.name == name, f"{module.name}.{name}"
    assert set(ROOMS) >= SCHEMAS


def test_no_column_is_a_float() -> None:
    for table in metadata.tables.values():
        for column in table.columns:
            assert not isinstance(column.type, Float | Numeric), f"{table.fullname}.{column.name}"


def test_money_is_wide_and_moments_know_their_zone() -> None:
    narrow = {"quantity", "refunded_quantity"}
    for table in metadata.tables.values():
        for column in table.columns:
            where = f"{table.fullname}.{column.name}"
            if isinstance(column.type, DateTime):
                assert column.type.timezone, where
            if column.name.endswith("_at"):
                assert isinstance(column.type, DateTime), where
            money = column.name in ("amount", "total", "net", "tax", "subtotal", "unit_price", "unit_cost", "average")
            if (money or column.name.endswith(("_total", "_amount"))) and column.name not in narrow:
                assert isinstance(column.type, BigInteger), where
            if column.name.startswith("quantity") and column.name not in ("quantity_unit",):
                assert isinstance(column.type, Integer), where


def test_references_point_to_rooms_below() -> None:
    for table in metadata.tables.values():
        for key in table.foreign_keys:
            target = str(key.target_fullname).split(".", maxsplit=1)[0]
            own = str(table.schema)
            assert ROOMS.index(target) <= ROOMS.index(own), f"{table.fullname} -> {target}"
            assert not any({own, target} == set(pair) for pair in BESIDE), f"{table.fullname} -> {target}"


def test_every_balance_has_a_constraint() -> None:
    """Every column of a level is checked to stay at or above zero."""
    from sqlalchemy import CheckConstraint

    levels = metadata.tables["stock.levels"]
    checked = " ".join(str(c.sqltext) for c in levels.constraints if isinstance(c, CheckConstraint))
    for column in levels.columns:
        if isinstance(column.type, Integer):
            assert f"{column.name} >= 0" in checked, column.name


def test_there_is_one_line_of_migrations() -> None:
    assert len(ScriptDirectory(str(ROOT / "migrations")).get_heads()) == 1


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty database that DATABASE_URL names."""
    base = os.environ["COMMERCE_TEST_DATABASE"].rsplit("/", 1)[0]
    name = f"scratch_{os.getpid()}"

    async def run(statement: str) -> None:
        connection = await asyncpg.connect(f"{base}/postgres")
        await connection.execute(statement)
        await connection.close()

    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, run(f'CREATE DATABASE "{name}" TEMPLATE template0')).result()
        monkeypatch.setenv("DATABASE_URL", f"{base}/{name}")
        monkeypatch.setenv("REDIS_URL", os.environ["COMMERCE_TEST_REDIS"])
        yield f"{base}/{name}"
        aside.submit(asyncio.run, run(f'DROP DATABASE "{name}" WITH (FORCE)')).result()


def test_migrations_go_up_match_the_tables_go_down_and_up_again(scratch: str) -> None:
    config = Config(toml_file=str(ROOT / "pyproject.toml"))
    config.stdout = io.StringIO()

    async def schemas() -> set[str]:
        connection = await asyncpg.connect(scratch)
        rows = await connection.fetch("SELECT nspname FROM pg_namespace WHERE nspname = ANY($1)", list(SCHEMAS))
        await connection.close()
        return {row["nspname"] for row in rows}

    with ThreadPoolExecutor(1) as aside:
        aside.submit(command.upgrade, config, "head").result()
        aside.submit(command.check, config).result()
        assert aside.submit(asyncio.run, schemas()).result() == SCHEMAS
        aside.submit(command.downgrade, config, "base").result()
        assert aside.submit(asyncio.run, schemas()).result() == set()
        aside.submit(command.upgrade, config, "head").result()
        assert aside.submit(asyncio.run, schemas()).result() == SCHEMAS


LEGACY = """
INSERT INTO auth.channels (code, name, created_at) VALUES ('site', '{}', now());
INSERT INTO auth.principals (id, kind, created_at) SELECT i, 'shopper', now() FROM unnest(ARRAY[
    '00000000-0000-7000-8000-000000000001', '00000000-0000-7000-8000-000000000002', '00000000-0000-7000-8000-000000000003',
    '00000000-0000-7000-8000-000000000004']::uuid[]) i;
INSERT INTO customers.profiles (id, name, language, created_at) SELECT id, 'Anna', 'ru', now() FROM auth.principals;
UPDATE customers.profiles SET merged_into = '00000000-0000-7000-8000-000000000003', merged_at = now()
    WHERE id = '00000000-0000-7000-8000-000000000004';
INSERT INTO auth.sessions (id, principal_id, channel, known, created_at, refreshed_at, expires_at)
    SELECT id, id, 'site', true, now(), now(), now() + interval '90 days' FROM auth.principals;
INSERT INTO customers.identifiers (id, profile_id, kind, value, verified_at, created_at) VALUES
    (gen_random_uuid(), '00000000-0000-7000-8000-000000000001', 'email', 'anna@example.com', NULL, now()),
    (gen_random_uuid(), '00000000-0000-7000-8000-000000000002', 'phone', '+79000000002', now(), now()),
    (gen_random_uuid(), '00000000-0000-7000-8000-000000000004', 'phone', '+79000000004', now(), now());
"""
CLAIMED_TWICE = """
INSERT INTO customers.identifiers (id, profile_id, kind, value, verified_at, created_at) VALUES
    (gen_random_uuid(), '00000000-0000-7000-8000-000000000002', 'email', 'anna@example.com', now(), now()),
    (gen_random_uuid(), '00000000-0000-7000-8000-000000000002', 'device', 'installation-1', now(), now());
"""
PEOPLE = """
SELECT right(p.id::text, 1) AS id, p.guest, s.revoked_reason FROM customers.profiles p JOIN auth.sessions s ON s.id = p.id ORDER BY p.id
"""
HELD = "SELECT right(profile_id::text, 1) AS id, kind FROM customers.identifiers ORDER BY kind, 1"


def test_accounts_that_nobody_has_proved_become_guests_and_the_way_back_is_open(scratch: str) -> None:
    """Only a proved contact opens an account since 0004: one without could never be opened again, nor its orders be found."""
    config = Config(toml_file=str(ROOT / "pyproject.toml"))
    config.stdout = io.StringIO()

    async def run(statement: str) -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(scratch)
        rows = await connection.fetch(statement) if statement.lstrip().startswith("SELECT") else None
        if rows is None:
            await connection.execute(statement)
        await connection.close()
        return [tuple(row) for row in rows or ()]

    with ThreadPoolExecutor(1) as aside:

        def ask(statement: str) -> list[tuple[object, ...]]:
            return aside.submit(asyncio.run, run(statement)).result()

        aside.submit(command.upgrade, config, "0003").result()
        ask(LEGACY)
        aside.submit(command.upgrade, config, "0004").result()
        assert ask(PEOPLE) == [("1", True, "unproved"), ("2", False, None), ("3", False, None), ("4", False, None)]
        ask(CLAIMED_TWICE)
        aside.submit(command.downgrade, config, "0003").result()
        assert ask(HELD) == [("2", "email"), ("2", "phone"), ("4", "phone")], (
            "of two who say the same, who has proved it"
        )


RULE = "SELECT days, fixed, version, updated_by::text FROM people.retention_rules WHERE subject = 'audit_records'"
ON_RECORD = (
    "SELECT subject_kind, before ->> 'days', after ->> 'days' FROM infra.audit_records WHERE action = 'retention.set'"
)


def test_a_rule_that_forgot_audit_records_is_fixed_on_record(scratch: str) -> None:
    """The books are proven by them since 0016."""
    config = Config(toml_file=str(ROOT / "pyproject.toml"))
    config.stdout = io.StringIO()

    async def run(statement: str) -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(scratch)
        rows = await connection.fetch(statement)
        await connection.close()
        return [tuple(row) for row in rows]

    with ThreadPoolExecutor(1) as aside:

        def ask(statement: str) -> list[tuple[object, ...]]:
            return aside.submit(asyncio.run, run(statement)).result()

        nobody = "00000000-0000-0000-0000-000000000000"
        aside.submit(command.upgrade, config, "0015").result()
        ask("UPDATE people.retention_rules SET days = 1, version = 2 WHERE subject = 'audit_records'")
        aside.submit(command.upgrade, config, "0016").result()
        assert ask(RULE) == [(None, True, 3, nobody)]
        assert ask(ON_RECORD) == [("system", "1", None)]
        aside.submit(command.downgrade, config, "0015").result()
        assert ask(RULE) == [(None, False, 3, nobody)]
        aside.submit(command.upgrade, config, "0016").result()
        assert (ask(RULE), len(ask(ON_RECORD))) == ([(None, True, 3, nobody)], 1)
