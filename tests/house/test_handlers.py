"""Handlers are one statement behind one guard, and every refusal is told in advance."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler

from commerce.auth import guards
from commerce.infra import health
from commerce.infra.http import Refusals
from commerce.infra.limits import OF_SESSIONS, SENSITIVE
from commerce.kernel.errors import Problem
from tests.house.source import modules_of_rooms, operations, problems

PUBLIC = {"health_live", "health_ready", "receive_message"}
"""Operations that need no credentials: health and documentation; a delivered message is signed by its source instead. Signing in
needs a frontend's key."""
WITHOUT_IDEMPOTENCY_KEY = {
    "accept_invitation", "act_for_customer", "add_my_contact", "ask_code", "claim_pairing",
    "claim_pass", "create_pass", "dry_run_sourcing", "hand_off_cart", "receive_message",
    "refresh_session", "share_list", "sign_in", "sign_in_anonymously", "sign_in_by_code",
    "sign_in_on_device", "sign_in_staff", "start_pairing",
}  # fmt: skip
"""They issue tokens: nothing of the answer may be stored. Or they send a code, with a limit of their own; or they only read; or the
sender has an id of his own (webhook-id)."""
OF_A_SESSION = {"refresh_session"}
"""What comes with a secret of ours in it is limited by the session of that secret; with any other text as strictly as the rest."""
TAGS = {"shop", "store", "back office", "auth", "system"}
EVERYWHERE = {
    "bad-input", "unknown-address", "sign-in-required", "not-allowed", "idempotency-key-required", "idempotency-key-reused",
    "in-progress", "bad-if-match", "busy", "too-many-requests", "origin-not-allowed", "secret-key-in-browser",
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
    found = []
    for layer in handler.ownership_layers:
        found += [guard for guard in layer.guards or [] if isinstance(guard, guards._Guard) or guard is health._public]
    return found


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


def test_what_hands_out_tokens_or_sends_codes_is_limited_strictly(app: Litestar) -> None:
    """By address and by client, beside the exact limits of the database."""
    marked = {handler.operation_id for handler in operations(app) if handler.opt.get("limit") == SENSITIVE["limit"]}
    wanted = WITHOUT_IDEMPOTENCY_KEY - {
        "dry_run_sourcing",
        "hand_off_cart",
        "receive_message",
        "share_list",
        *OF_A_SESSION,
    }
    assert {handler.operation_id for handler in operations(app)} & wanted == marked
    assert {h.operation_id for h in operations(app) if h.opt.get("limit") == OF_SESSIONS["limit"]} == OF_A_SESSION


def test_bodies_take_no_unknown_field(app: Litestar) -> None:
    """A misspelt field is refused, and the document says so."""
    loose: list[str] = []
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
    specs = (handler.responses or {}).values()
    return {kind.code for spec in specs if isinstance(spec, Refusals) for kind in spec.kinds}


def test_every_problem_is_declared_by_some_operation(app: Litestar) -> None:
    told = EVERYWHERE.union(*(declared(handler) for handler in operations(app)))
    inside = {kind.code for kind in problems() if kind.__module__.startswith(("commerce.infra", "commerce.embedded"))}
    assert {f"{kind.__module__}.{kind.__name__}" for kind in problems() if kind.code not in told | inside} == set()


UNREACHABLE = {
    "log_conversation": {"other-stores-conversation", "unknown-conversation"},  # reads back what it has just written
    "plan_next_step": {"unknown-next-step"},  # the same
    "book_sale": {"stock-below-zero"},  # a sale takes what the books lack from promises or corrects the books
    "clear_cart": {"cart-full", "not-sellable", "over-maximum", "unknown-sku"},  # nothing is put
    "create_location": {"unknown-location"},  # reads back what it has just written
    "claim_cart": {"unknown-cart"},  # names no cart: the caller's current one
    "merge_carts": {"not-your-cart"},  # reads its own at the end
    "move_list_to_cart": {"cart-closed", "no-cart-here", "unknown-cart"},  # the open cart, or a new one
    "reorder": {"cart-closed", "no-cart-here", "unknown-cart"},  # the same
    "shared_list_to_cart": {"cart-closed", "no-cart-here", "unknown-cart"},  # the same
    "remove_cart_line": {"cart-full", "not-sellable", "over-maximum"},  # nothing is put
    "renew_pickup_code": {
        "other-store",
        "unknown-fulfillment",
        "unknown-location",
        "wrong-step",
    },  # the order's own, locked
    "save_product": {"unknown-product"},  # reads back what it has just written
    "reject_fulfillment": {
        "stock-below-zero",
        "stock-level-too-high",
    },  # writes off no more than it has just seen free, under the lock
    "close_transfer": {
        "not-expected",
        "stock-level-too-high",
    },  # what its own dispatch announced is lost: nothing comes in
    "import_stock": {"stock-level-too-high"},  # what it books as a fact takes goods away
    "receive_transfer": {"not-expected"},  # what its own dispatch announced
}
"""Refusals of shared helpers that an operation cannot meet, and why. The walk follows names, not values."""


class Reading(msgspec.Struct, frozen=True):
    """What one function raises itself, what it catches, and which functions of ours it names."""

    own: frozenset[type[Problem]]
    caught: tuple[type[Problem], ...]
    named: tuple[FunctionType, ...]


class Walk:
    """The refusals that a function can raise, followed through the verbs it names. What it catches is taken off."""

    def __init__(self) -> None:
        self.read: dict[FunctionType, Reading] = {}
        self.raised: dict[FunctionType, frozenset[type[Problem]]] = {}

    def follow(self, start: FunctionType) -> None:
        """Read a function and everything below it."""
        waiting = [start]
        while waiting:
            function = waiting.pop()
            if function not in self.read:
                self.read[function] = reading = self._read(function)
                waiting.extend(reading.named)

    def settle(self) -> None:
        """Carry refusals upwards until nothing changes; verbs may call each other."""
        self.raised = {function: reading.own for function, reading in self.read.items()}
        changed = True
        while changed:
            changed = False
            for function, reading in self.read.items():
                below = {kind for callee in reading.named for kind in self.raised[callee]}
                found = reading.own | {kind for kind in below if not issubclass(kind, reading.caught or Never)}
                if found != self.raised[function]:
                    self.raised[function] = frozenset(found)
                    changed = True

    def _read(self, function: FunctionType) -> Reading:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        own: set[type[Problem]] = set()
        caught: set[type[Problem]] = set()
        named: dict[FunctionType, None] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Raise) and node.exc is not None:
                target = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                own |= _problems([self._resolve(function, target)])
            elif isinstance(node, ast.ExceptHandler) and node.type is not None:
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                caught |= _problems([self._resolve(function, kind) for kind in kinds])
            elif isinstance(node, ast.Name | ast.Attribute):
                value = self._resolve(function, node)
                callee = inspect.unwrap(value) if callable(value) else None
                if isinstance(callee, FunctionType) and callee.__module__.startswith("commerce."):
                    named[callee] = None
        return Reading(frozenset(own), tuple(caught), tuple(named))

    def _resolve(self, function: FunctionType, node: ast.expr) -> Any:
        if isinstance(node, ast.Name):
            local = node.id in function.__code__.co_varnames + function.__code__.co_cellvars
            return None if local else function.__globals__.get(node.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = self._resolve(function, node.value)
            return getattr(module, node.attr, None) if isinstance(module, ModuleType) else None
        return None


def _problems(values: list[Any]) -> set[type[Problem]]:
    return {value for value in values if isinstance(value, type) and issubclass(value, Problem)}


class Never(Exception):
    """Nothing is this."""


def test_every_refusal_below_an_operation_is_declared_by_it(app: Litestar) -> None:
    walk = Walk()
    missing: dict[str, list[str]] = {}
    entries: dict[HTTPRouteHandler, FunctionType] = {}
    for handler in operations(app):
        function: Callable[..., Any] = inspect.unwrap(handler.fn)
        assert isinstance(function, FunctionType)
        entries[handler] = function
        walk.follow(function)
    walk.settle()
    for handler, entry in entries.items():
        codes = {kind.code for kind in walk.raised[entry]} - declared(handler) - EVERYWHERE - {"internal-error"}
        codes -= UNREACHABLE.get(str(handler.operation_id), set())
        if codes:
            missing[str(handler.operation_id)] = sorted(codes)
    assert missing == {}, "\n".join(f"{name}: {codes}" for name, codes in missing.items())
