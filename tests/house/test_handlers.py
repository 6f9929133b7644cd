"""Handlers are one statement behind one guard, and every refusal is told in advance."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from commerce.auth import guards
from commerce.infra import health
from commerce.kernel.errors import Problem
from tests.house.source import modules_of_rooms, operations, problems

PUBLIC = {"health_live", "health_ready"}
"""Operations that need no credentials, health and documentation. Signing in needs a frontend's key."""
WITHOUT_IDEMPOTENCY_KEY = {
    "anonymous_token", "device_token", "refresh_token", "staff_sign_in", "staff_token", "sign_in", "sign_up", "sign_out",
}  # fmt: skip
"""They issue or end tokens: nothing of the answer may be stored."""
TAGS = {"shop", "store", "back office", "auth", "system"}
EVERYWHERE = {
    "bad-input", "unknown-address", "sign-in-required", "not-allowed", "idempotency-key-required", "idempotency-key-reused",
    "in-progress", "bad-if-match", "busy",
}  # fmt: skip
"""The edge's own: `problems()` and `writes()` declare them, or no operation of ours answers them."""


def test_a_handler_is_one_statement() -> None:
    longer = []
    for module in modules_of_rooms():
        if module.file != "routes":
            continue
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) or not node.decorator_list:
                continue
            documented = ast.get_docstring(node) is not None
            body = node.body[1:] if documented else node.body
            if not documented or len(body) != 1 or not isinstance(body[0], ast.Return | ast.Expr):
                longer.append(f"{module.name}.{node.name}")
    assert longer == []


def test_operations_are_named_and_sorted_by_reader(app: Litestar) -> None:
    for handler in operations(app):
        assert isinstance(handler.operation_id, str), handler.fn
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", handler.operation_id), handler.operation_id
        assert handler.tags is not None
        assert len(set(handler.tags) & TAGS) == 1, handler.operation_id
        assert handler.fn.__doc__, handler.operation_id


def our_guards(handler: HTTPRouteHandler) -> list[Any]:
    """The guards that decide who may call."""
    return [guard for guard in handler.resolve_guards() if isinstance(guard, guards._Guard) or guard is health._public]


def test_every_operation_names_exactly_one_guard(app: Litestar) -> None:
    assert {h.operation_id: len(our_guards(h)) for h in operations(app) if len(our_guards(h)) != 1} == {}


def test_the_list_of_public_operations_is_this(app: Litestar) -> None:
    public = {
        handler.operation_id
        for handler in operations(app)
        if our_guards(handler)[0] is guards.public or our_guards(handler)[0] is health._public
    }
    assert public <= PUBLIC


def test_every_unsafe_operation_takes_an_idempotency_key(app: Litestar) -> None:
    unsafe = {h.operation_id for h in operations(app) if h.http_methods - {"GET", "HEAD", "OPTIONS"}}
    keyed = {
        h.operation_id for h in operations(app) if "once" in inspect.signature(h.fn).parameters
    }  # fmt: skip
    assert unsafe - keyed <= WITHOUT_IDEMPOTENCY_KEY
    assert keyed <= unsafe


def test_bodies_take_no_unknown_field(app: Litestar) -> None:
    """A misspelt field is refused, and the document says so."""
    import msgspec

    loose = []
    for handler in operations(app):
        body = handler.parsed_fn_signature.parameters.get("data")
        if body is not None:
            seen: set[type] = set()
            _loose(body.annotation, seen, loose, msgspec.Struct)
    assert loose == []


def _loose(annotation: Any, seen: set[type], loose: list[str], struct: type) -> None:
    import typing

    if isinstance(annotation, type) and issubclass(annotation, struct):
        if annotation in seen:
            return
        seen.add(annotation)
        name = f"{annotation.__module__}.{annotation.__qualname__}"
        if not annotation.__struct_config__.forbid_unknown_fields and name != "commerce.kernel.money.Money":  # type: ignore[attr-defined]
            loose.append(name)
        for hint in typing.get_type_hints(annotation).values():
            _loose(hint, seen, loose, struct)
    for inner in typing.get_args(annotation):
        _loose(inner, seen, loose, struct)


def declared(handler: HTTPRouteHandler) -> set[str]:
    """The codes of the problems that an operation declares."""
    texts = [
        spec.description
        for spec in (
            handler.resolve_responses() if hasattr(handler, "resolve_responses") else handler.responses or {}
        ).values()
    ]
    return {code for text in texts for code in re.findall(r"`/problems/([a-z0-9-]+)`", text)}


def test_every_problem_is_declared_by_some_operation(app: Litestar) -> None:
    told = EVERYWHERE.union(*(declared(handler) for handler in operations(app)))
    inside = {kind.code for kind in problems() if kind.__module__.startswith(("commerce.infra", "commerce.embedded"))}
    assert {f"{kind.__module__}.{kind.__name__}" for kind in problems() if kind.code not in told | inside} == set()


class Walk:
    """The refusals that a function can raise, followed through the verbs it names. What it catches is taken off."""

    def __init__(self) -> None:
        self.known: dict[FunctionType, frozenset[type[Problem]]] = {}

    def raised(self, function: FunctionType) -> frozenset[type[Problem]]:
        """All problems below a function, by the names it uses; recursion ends at a function that is being read."""
        if function in self.known:
            return self.known[function]
        self.known[function] = frozenset()
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        except (OSError, SyntaxError):
            return frozenset()
        found: set[type[Problem]] = set()
        caught: set[type[Problem]] = set()
        own: set[type[Problem]] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and node.exc is not None:
                target = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                kind = self._resolve(function, target)
                if isinstance(kind, type) and issubclass(kind, Problem):
                    own.add(kind)
            elif isinstance(node, ast.ExceptHandler) and node.type is not None:
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                resolved = [self._resolve(function, kind) for kind in kinds]
                caught |= {kind for kind in resolved if isinstance(kind, type) and issubclass(kind, Problem)}
            elif isinstance(node, ast.Name | ast.Attribute):
                callee = inspect.unwrap(value) if callable(value := self._resolve(function, node)) else None
                if (
                    isinstance(callee, FunctionType)
                    and callee is not function
                    and callee.__module__.startswith("commerce.")
                ):
                    found |= self.raised(callee)
        self.known[function] = frozenset(
            {kind for kind in found if not issubclass(kind, tuple(caught) or (Never,))} | own
        )
        return self.known[function]

    def _resolve(self, function: FunctionType, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            return function.__globals__.get(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = function.__globals__.get(node.value.id)
            return getattr(module, node.attr, None) if isinstance(module, ModuleType) else None
        return None


class Never(Exception):
    """Nothing is this."""


def test_every_refusal_below_an_operation_is_declared_by_it(app: Litestar) -> None:
    walk = Walk()
    missing: dict[str, list[str]] = {}
    for handler in operations(app):
        function: Callable[..., Any] = inspect.unwrap(handler.fn)
        assert isinstance(function, FunctionType)
        codes = {kind.code for kind in walk.raised(function)} - declared(handler) - EVERYWHERE - {"internal-error"}
        if codes:
            missing[str(handler.operation_id)] = sorted(codes)
    assert missing == {}
