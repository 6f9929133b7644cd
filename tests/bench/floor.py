"""The floor of placing an order: pgbench running place_floor.sql, one statement that writes the rows of a real order.

The harness proves that they are the same rows: `written_by` counts, per table, what one transaction wrote.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import msgspec

from commerce.embedded import postgres_binary
from tests.bench.instance import BenchError

__all__ = ["SCRIPT", "PgbenchRun", "pgbench", "written_by"]

SCRIPT = Path(__file__).with_name("place_floor.sql")
LIMIT_SECONDS = 300.0
PROCESSED = re.compile(r"number of transactions actually processed: (\d+)")

TABLES = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'public') ORDER BY 1
"""


async def written_by(connection: asyncpg.Connection, act: Callable[[], object]) -> dict[str, int]:
    """Rows per table that the act inserted or changed; nobody else may write meanwhile."""
    before = int(await connection.fetchval("SELECT pg_current_xact_id()::text"))
    act()
    tables = [str(row[0]) for row in await connection.fetch(TABLES)]
    counts = " UNION ALL ".join(
        f"SELECT '{table}' AS name, count(*) AS n FROM {table} WHERE xmin::text::bigint > {before}" for table in tables
    )
    return {row["name"]: row["n"] for row in await connection.fetch(counts) if row["n"]}


class PgbenchRun(msgspec.Struct, frozen=True, kw_only=True):
    """What one run did; latencies in the order in which the transactions ended, per client."""

    transactions: int
    seconds: float
    latencies_ms: list[list[float]]


def pgbench(
    database_url: str, *, clients: int, each: int, first_cart: int, variants: int, stores: int, answer: str
) -> PgbenchRun:
    """Run the script `each` times per client. Every transaction uses a cart of its own: first_cart + client * each + i."""
    url = urlsplit(database_url)
    folder = Path(tempfile.mkdtemp(prefix="commerce-pgbench-"))
    variables = {
        "first_cart": first_cart, "each": each, "i": -1, "variants": variants, "stores": stores, "answer": answer,
    }  # fmt: skip
    command = [
        str(postgres_binary("pgbench")),
        "--no-vacuum", "--protocol=prepared", f"--file={SCRIPT}", f"--client={clients}", "--jobs=1", f"--transactions={each}",
        "--log", f"--log-prefix={folder / 'log'}",
        *(f"--define={name}={value}" for name, value in variables.items()),
    ]  # fmt: skip
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PGHOST": url.hostname or "127.0.0.1",
        "PGPORT": str(url.port or 5432),
        "PGUSER": url.username or "",
        "PGPASSWORD": url.password or "",
        "PGDATABASE": url.path.lstrip("/"),
    }
    try:
        started = time.perf_counter()
        output = _run(command, environment)
        seconds = time.perf_counter() - started
        found = PROCESSED.search(output)
        processed = int(found[1]) if found else 0
        if processed != clients * each:
            raise BenchError(f"pgbench did {processed} of {clients * each} transactions:\n{output[-2000:]}")
        latencies: list[list[float]] = [[] for _ in range(clients)]
        for file in folder.glob("log.*"):
            for line in file.read_text(encoding="ascii").splitlines():
                client, _number, microseconds, *_rest = line.split()
                latencies[int(client)].append(int(microseconds) / 1000)
        return PgbenchRun(transactions=processed, seconds=seconds, latencies_ms=latencies)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], environment: dict[str, str]) -> str:
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=LIMIT_SECONDS)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    if process.returncode != 0:
        raise BenchError(f"pgbench failed:\n{output[-2000:]}")
    return output
