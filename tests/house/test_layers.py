"""Who may import whom: layers, front doors, files."""

from __future__ import annotations

import ast
import importlib
import inspect
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

from tests.house.source import FRONT_DOOR_ROOMS, PACKAGE, front_door, modules, modules_of_rooms

ROOTS = ("app", "worker", "cli", "parts", "processes", "embedded", "__main__")
FILES = {
    "__init__", "tables", "schemas", "errors", "events", "service", "flow", "queries", "routes", "tasks", "audit",
}  # fmt: skip
NOUNS = {
    "auth": {
        "acting",
        "approvals",
        "badges",
        "clients",
        "codes",
        "guards",
        "guesses",
        "invitations",
        "keyring",
        "kiosk",
        "origins",
        "pairing",
        "passwords",
        "permissions",
        "roles",
        "tokens",
    },
    "carts": {"adding", "baskets", "checkout", "expiry", "handing", "merging", "owners", "pricing", "views"},
    "catalog": {"barcodes", "bundles", "importing", "lookup", "remembered"},
    "conversations": {"books", "desk", "intake", "numbers", "signatures", "steps"},
    "counts": {"shrinkage"},
    "customers": {
        "acting",
        "addresses",
        "consents",
        "families",
        "finding",
        "guests",
        "identifiers",
        "merging",
        "proving",
        "touches",
    },
    "fulfillment": {
        "availability",
        "candidates",
        "delivery",
        "near",
        "offers",
        "planning",
        "promises",
        "rules",
        "search",
        "sourcing",
    },
    "lists": {"moving", "sharing", "views"},
    "locations": {"schedule"},
    "orders": {
        "books",
        "counter",
        "drafts",
        "numbers",
        "owners",
        "rejections",
        "reordering",
        "sales",
        "sources",
        "views",
    },
    "people": {"retention", "rooms", "timeline"},
    "prices": {"importing"},
    "returns": {"blind", "numbers", "owners"},
    "stock": {
        "adjusting",
        "bundles",
        "closings",
        "comparing",
        "expected",
        "exporting",
        "facts",
        "importing",
        "ledger",
        "lines",
        "past",
        "portions",
        "reasons",
        "safety",
        "shelf",
        "travel",
        "units",
    },
    "supply": {"importing", "numbers"},
    "transfers": {"freight", "numbers"},
}
"""What a room has beside the files that every room may have: nouns of its domain, never a utility drawer."""


def test_the_layers_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(PACKAGE.parent)
    broken = lint_imports(config_filename="pyproject.toml", no_cache=True)
    assert broken == 0, capsys.readouterr().out


def test_every_room_has_the_same_file_names() -> None:
    strangers = [
        f"{module.room}/{module.path.name}"
        for module in modules_of_rooms()
        if module.file not in FILES | NOUNS.get(module.room, set())
    ]
    assert strangers == []


@pytest.mark.parametrize("room", FRONT_DOOR_ROOMS)
def test_every_room_has_a_front_door(room: str) -> None:
    door = importlib.import_module(f"commerce.{room}")
    assert door.__doc__, f"commerce/{room}/__init__.py says what the room owns and promises"
    names = door.__all__
    assert list(names) == sorted(set(names)), "sorted, each name once"
    assert [name for name in names if not hasattr(door, name)] == []
    assert [name for name in names if name.startswith("_")] == []
    verbs = [name for name in names if inspect.isclass(getattr(door, name)) or inspect.isfunction(getattr(door, name))]
    undocumented = [name for name in verbs if not inspect.getdoc(getattr(door, name))]
    assert [name for name in undocumented if not _is_problem(getattr(door, name))] == []


def _is_problem(thing: object) -> bool:
    from commerce.kernel.errors import Problem

    return isinstance(thing, type) and issubclass(thing, Problem)


def test_visitors_use_the_front_door() -> None:
    """No room imports another room's module, or a name that its `__init__` does not offer."""
    wrong: list[str] = []
    for module in modules():
        if module.room in ROOTS or module.name == "commerce":
            continue
        doors: dict[str, str] = {}
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                targets = [(alias.name, "") for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                if node.module == "commerce":
                    doors |= {alias.asname or alias.name: alias.name for alias in node.names}
                    continue
                targets = [(node.module, alias.name) for alias in node.names]
            else:
                continue
            for target, name in targets:
                parts = target.split(".")
                if (
                    parts[0] != "commerce"
                    or len(parts) < 2
                    or parts[1] not in FRONT_DOOR_ROOMS
                    or parts[1] == module.room
                ):
                    continue
                if len(parts) > 2 or (name and name not in front_door(parts[1])):
                    wrong.append(f"{module.name}:{node.lineno} {target} {name}")
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in doors:
                room = doors[node.value.id]
                if room in FRONT_DOOR_ROOMS and room != module.room and node.attr not in front_door(room):
                    wrong.append(f"{module.name}:{node.lineno} {room}.{node.attr}")
    assert wrong == []


def test_only_the_committer_commits() -> None:
    """Sessions, commits and pools are infra's."""
    wrong = [
        f"{module.name}:{node.lineno} .{node.attr}"
        for module in modules_of_rooms()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
        and node.attr in ("commit", "rollback", "begin_nested", "connect", "connection")
    ]
    imports = [
        f"{module.name}:{node.lineno} {node.module}"
        for module in modules_of_rooms()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom)
        and node.module
        and node.module.startswith(("sqlalchemy.orm", "sqlalchemy.ext"))
    ]
    assert wrong + imports == []


def test_no_machine_paths() -> None:
    """What we write runs anywhere."""
    wrong = [
        f"{module.name}:{line} {text[:60]}"
        for module in modules()
        for line, text in module.strings()
        if text.startswith(("/home/", "/root/", "/work/")) or str(Path.home()) + "/" in text
    ]
    assert wrong == []
