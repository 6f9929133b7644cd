"""Rules on the text of rooms: no clock of their own, no other room's tables, no float, nothing unmade."""

from __future__ import annotations

import ast
import re

from commerce.infra.tables import metadata
from tests.house.source import modules, modules_of_rooms

CLOCKS = {"now", "utcnow", "today", "fromtimestamp"}
SQL_CLOCK = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\(|\bcurrent_(timestamp|date|time)\b|\blocaltime(stamp)?\b",
    re.IGNORECASE,
)
TECHNICAL = re.compile(r"recorded_at = clock_timestamp\(\)|clock_timestamp\(\) - transaction_timestamp\(\)")
"""Technical columns take the server's time; how long a transaction has been under way is no moment of the business."""
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|WITH)\b")
ACROSS = {"audit"}
"""Files that may read other rooms' tables: the invariants."""
READERS = {"storefront", "events"}
"""Rooms on top that only read: the shop window (decision 0007), and the feed of infra's outbox."""
APPEND_ONLY = {
    "payments.receipts",
    "stock.postings",
    "stock.movements",
    "stock.unit_moves",
    "orders.entries",
    "infra.audit_records",
}


def test_rooms_have_no_clock_of_their_own() -> None:
    """`tx.at` is the time, so that replays, offline sales and clock tests work."""
    wrong = []
    for module in modules():
        if module.name in ("commerce.kernel.clock",):
            continue
        for node in ast.walk(module.tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in CLOCKS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in ("datetime", "date", "dt")
            ):
                wrong.append(f"{module.name}:{node.lineno} {ast.unparse(node)}")
    for module in modules_of_rooms():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.time", "time.time_ns"):
                wrong.append(f"{module.name}:{node.lineno} {ast.unparse(node)}")
    assert wrong == []


def test_sql_of_rooms_asks_nobody_for_the_time() -> None:
    wrong = [
        f"{module.name}:{line}"
        for module in modules_of_rooms()
        if module.file != "tables"
        for line, text in module.strings()
        if SQL_CLOCK.search(TECHNICAL.sub("", text)) and SQL.search(text)
    ]
    assert wrong == []


def test_a_room_does_not_touch_another_rooms_tables() -> None:
    tables = {f"{table.schema}.{table.name}": table.schema for table in metadata.tables.values()}
    pattern = re.compile(r"\b(" + "|".join(re.escape(name) for name in sorted(tables)) + r")\b")
    wrong = []
    for module in modules_of_rooms():
        if module.file in ACROSS or module.room in READERS:
            continue
        for line, text in module.strings():
            if module.file == "tables" or not (SQL.search(text) or re.search(r"\b(FROM|JOIN|INTO)\b", text)):
                continue
            wrong += [
                f"{module.name}:{line} {name}" for name in pattern.findall(text) if tables[name] not in (module.room,)
            ]
    assert wrong == []


def test_nobody_opens_the_audit_record() -> None:
    """The trigger lets nobody pass; who could switch it off is the database's superuser."""
    opening = re.compile(r"commerce\.purge|session_replication_role|DISABLE\s+TRIGGER", re.IGNORECASE)
    assert [module.name for module in modules() for _, text in module.strings() if opening.search(text)] == []


def test_books_are_only_added_to() -> None:
    """Receipts, movements, timelines and audit records are never changed or deleted."""
    wrong = []
    for module in modules():
        for line, text in module.strings():
            for table in APPEND_ONLY:
                change = rf"\b(UPDATE|DELETE\s+FROM|TRUNCATE)\s+(ONLY\s+)?{re.escape(table)}\b"
                if re.search(change, text, re.IGNORECASE):
                    wrong.append(f"{module.name}:{line} {table}")
    assert wrong == []


def test_no_expanding_in() -> None:
    """Sets travel as `= ANY(:array)` or unnest: one prepared statement for any length."""
    wrong = [
        f"{module.name}:{node.lineno}"
        for module in modules_of_rooms()
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.keyword) and node.arg == "expanding")
        or (isinstance(node, ast.Attribute) and node.attr in ("in_", "not_in"))
    ]
    wrong += [
        f"{module.name}:{line}"
        for module in modules_of_rooms()
        for line, text in module.strings()
        if SQL.search(text) and re.search(r"\bIN\s*\(?\s*:", text)
    ]
    assert wrong == []


def test_money_is_never_a_float() -> None:
    """No float literal, no float() and no true division in rooms and kernel; durations of machinery may."""
    wrong = []
    for module in modules():
        if module.room not in {m.room for m in modules_of_rooms()} | {"kernel"} or module.file in ("tasks", "keyring"):
            continue
        for node in ast.walk(module.tree):
            literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
            if (literal or called) and f"{module.room}.{module.file}" not in FLOATS:
                wrong.append(f"{module.name}:{getattr(node, 'lineno', 0)}")
    assert wrong == []


FLOATS = {"locations.queries", "fulfillment.routes", "locations.schedule", "carts.flow"}
"""Where a float is no money: distances on the globe, pauses between two looks."""


def test_nothing_is_left_unmade() -> None:
    unmade = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
    wrong = [
        f"{module.name}:{n}"
        for module in modules()
        for n, line in enumerate(module.path.read_text().splitlines(), 1)
        if unmade.search(line)
    ]
    assert wrong == []


def test_verbs_have_the_shops_names() -> None:
    """`tx`, `actor` first in every verb; never process, handle or manage; `quantity`, never `qty`."""
    wrong = []
    for module in modules_of_rooms():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if re.match(r"_?(process|handle|manage|perform)(_|$)", node.name, re.IGNORECASE):
                    wrong.append(f"{module.name}:{node.lineno} {node.name}")
            elif isinstance(node, ast.arg | ast.Name) and re.search(
                r"(^|_)qty(_|$)", getattr(node, "arg", getattr(node, "id", ""))
            ):
                wrong.append(f"{module.name}:{node.lineno} qty")
    assert wrong == []
