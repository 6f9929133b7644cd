"""Alembic environment: `commerce migrate` and the tests give a connection or a URL; tables come from the rooms."""

from __future__ import annotations

import asyncio
import importlib
from importlib.util import find_spec

from alembic import context
from alembic.operations.ops import MigrationScript
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from commerce import ROOMS
from commerce.infra.tables import metadata
from commerce.processes import instance_environment
from commerce.settings import Settings, default_data_folder

for room in ROOMS:
    if find_spec(f"commerce.{room}.tables") is not None:
        importlib.import_module(f"commerce.{room}.tables")

SCHEMAS = {table.schema for table in metadata.tables.values()}


def include_name(name: str | None, kind: str, _parents: object) -> bool:
    """Only the rooms' schemas are ours; `public` keeps alembic's own table."""
    return name in SCHEMAS if kind == "schema" else True


def drop_empty(_context: object, _revision: object, directives: list[MigrationScript]) -> None:
    """A migration that would change nothing is not written."""
    script = directives[0] if directives and getattr(context.config.cmd_opts, "autogenerate", False) else None
    if script is not None and script.upgrade_ops is not None and script.upgrade_ops.is_empty():
        directives.clear()
        print("The tables and the database agree: there is nothing to migrate.")


def run(connection: Connection) -> None:
    """Run the migrations on a connection."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_schemas=True,
        include_name=include_name,
        compare_server_default=False,
        process_revision_directives=drop_empty,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_online() -> None:
    """Open the configured database and run."""
    url = Settings.from_environment(instance_environment(default_data_folder())).database_url
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    async with engine.connect() as connection:
        await connection.run_sync(run)
        await connection.commit()
    await engine.dispose()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    asyncio.run(run_online())
