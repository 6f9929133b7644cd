"""The house as the rules see it: its modules, their syntax trees, its routes, its problems."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from commerce import ROOMS
from commerce.kernel.errors import Problem

PACKAGE = Path(__file__).resolve().parents[2] / "commerce"
FRONT_DOOR_ROOMS = tuple(room for room in ROOMS if room != "infra")


class Module(msgspec.Struct, frozen=True):
    """One file of the house."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        """The room it belongs to; its own name for a module beside the rooms."""
        return self.name.split(".")[1] if "." in self.name else ""

    @property
    def file(self) -> str:
        """The name of the file without its suffix; `__init__` for a package."""
        return self.path.stem

    def load(self) -> ModuleType:
        """The module itself."""
        return importlib.import_module(self.name)

    def strings(self) -> Iterator[tuple[int, str]]:
        """Every string in the module that is not a docstring, with its line; the constant parts of f-strings too."""
        documentation = {
            id(node.body[0].value)
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                yield node.lineno, node.value


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(name, path, ast.parse(path.read_text())))
    return tuple(found)


def modules_of_rooms() -> tuple[Module, ...]:
    """Every module of a room, infra left out."""
    return tuple(module for module in modules() if module.room in FRONT_DOOR_ROOMS)


@cache
def front_door(room: str) -> frozenset[str]:
    """What visitors of a room may use."""
    return frozenset(getattr(importlib.import_module(f"commerce.{room}"), "__all__", ()))


@cache
def problems() -> tuple[type[Problem], ...]:
    """Every refusal of the house that has a code of its own."""
    for module in modules():
        if module.file != "__main__":
            module.load()

    def below(kind: type[Problem]) -> Iterator[type[Problem]]:
        for sub in kind.__subclasses__():
            yield sub
            yield from below(sub)

    own = {kind for kind in below(Problem) if kind.__module__.startswith("commerce.") and "code" in vars(kind)}
    return tuple(sorted(own, key=lambda kind: (kind.__module__, kind.__name__)))


def operations(app: Litestar) -> list[HTTPRouteHandler]:
    """Every route handler of ours that the API documents."""
    found: dict[str, HTTPRouteHandler] = {}
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if handler.fn.__module__.startswith("commerce.") and handler.resolve_include_in_schema():
                found[str(handler.operation_id)] = handler
    return [found[name] for name in sorted(found)]


for _module in modules():
    if _module.file in ("tables", "events"):
        _module.load()
