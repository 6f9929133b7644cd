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
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import msgspec

from commerce.embedded import postgres_binary
from tests.bench.instance import BenchError

__all__ = ["SCRIPT", "PgbenchRun", "Written", "differences", "pgbench", "written_by"]

SCRIPT = Path(__file__).with_name("place_floor.sql")
LIMIT_SECONDS = 300.0
PROCESSED = re.compile(r"number of transactions actually processed: (\d+)")

TABLES = """
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'public') ORDER BY 1
"""
WRITTEN = """
SELECT pg_column_size(t.*) AS size, ARRAY(SELECT key FROM jsonb_each(to_jsonb(t)) WHERE value <> 'null') AS filled
FROM {table} t WHERE t.xmin::text::bigint > {before}
"""
SIZES = (0.9, 1.1)


class Written(msgspec.Struct, frozen=True):
    """What one transaction left in a table: how many rows, which columns of each are not null (row by row, in order), how many bytes."""

    rows: int
    columns: list[list[str]]
    size: int

    def differs_from(self, other: Written) -> str | None:
        """In what they are not the same; a tenth of the bytes does not matter."""
        if self.rows != other.rows:
            return f"{self.rows} rows, floor {other.rows}"
        if self.columns != other.columns:
            mine, theirs = ({name for row in written.columns for name in row} for written in (self, other))
            return f"filled {sorted(mine - theirs)}, floor {sorted(theirs - mine)}"
        if not SIZES[0] <= other.size / self.size <= SIZES[1]:
            return f"{self.size} bytes, floor {other.size}"
        return None


async def written_by(connection: asyncpg.Connection, act: Callable[[], object]) -> dict[str, Written]:
    """The rows by table that the act inserted or changed; nobody else may write meanwhile."""
    before = int(await connection.fetchval("SELECT pg_current_xact_id()::text"))
    act()
    tables = [str(row[0]) for row in await connection.fetch(TABLES)]
    written: dict[str, Written] = {}
    for table in tables:
        rows = await connection.fetch(WRITTEN.format(table=table, before=before))
        if rows:
            columns = sorted(sorted(row["filled"]) for row in rows)
            written[table] = Written(len(rows), columns, sum(row["size"] for row in rows))
    return written


def differences(real: Mapping[str, Written], bare: Mapping[str, Written]) -> dict[str, str]:
    """By table, in what the floor is not the real thing."""
    nothing = Written(0, [], 1)
    found = {
        table: real.get(table, nothing).differs_from(bare.get(table, nothing))
        for table in sorted(real.keys() | bare.keys())
    }
    return {table: what for table, what in found.items() if what is not None}


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
