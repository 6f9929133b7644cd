"""Personal data: every tagged column is exported and erased by its room, and nothing untagged looks personal."""

from __future__ import annotations

import importlib
import inspect
from types import FunctionType, ModuleType

import pytest

from commerce.infra.tables import metadata

PERSONAL = sorted(
    (str(table.schema), table.name, column.name)
    for table in metadata.tables.values()
    for column in table.columns
    if column.info.get("personal")
)
STAFF = {("auth", "staff", "name")}
"""Names of staff at work: kept while the books are kept."""
LOOKS_PERSONAL = {"email", "phone", "recipient", "contact", "note", "birthday", "birth_date", "device_name"}


def _text(function: FunctionType) -> str:
    """The source of a function, with the text constants and helpers of its module that it names."""
    text = inspect.getsource(function)
    for name in inspect.unwrap(function).__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, str):
            text += value
        elif isinstance(value, FunctionType) and value.__module__ == function.__module__:
            text += inspect.getsource(value)
            text += " ".join(v for n in value.__code__.co_names if isinstance(v := value.__globals__.get(n), str))
        elif isinstance(value, tuple | frozenset | dict):
            text += repr(value)
    return text


@pytest.mark.parametrize(("room", "table", "column"), [entry for entry in PERSONAL if entry not in STAFF])
def test_every_personal_column_is_erased_and_exported_by_its_room(room: str, table: str, column: str) -> None:
    door: ModuleType = importlib.import_module(f"commerce.{room}")
    for verb in ("erase_person", "export_person"):
        assert verb in door.__all__, f"{room} keeps {table}.{column} and must offer {verb}"
        function = getattr(door, verb)
        text = _text(function)
        deleted = verb == "erase_person" and f"DELETE FROM {room}.{table}" in text
        assert deleted or column in text, f"{room}.{verb} does not name {table}.{column}"


def test_what_looks_personal_is_tagged() -> None:
    untagged = [
        f"{table.fullname}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if column.name in LOOKS_PERSONAL and not column.info.get("personal")
    ]
    assert untagged == []


def test_books_that_are_never_changed_keep_nothing_personal() -> None:
    for name in (
        "payments.receipts",
        "stock.movements",
        "stock.postings",
        "orders.entries",
        "infra.outbox",
        "infra.audit_records",
    ):
        for column in metadata.tables[name].columns:
            assert not column.info.get("personal"), f"{name}.{column.name}"
