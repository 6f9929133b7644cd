"""OWASP API Security Top 10 (2023), as far as a test can show what stops each (decisions/0031)."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from msgspec import inspect as types

from commerce.auth import guards
from commerce.documentation import EXAMPLES
from commerce.kernel.ids import uuid7
from tests.carts.test_cart_routes import current
from tests.house.source import PACKAGE, modules, operations
from tests.house.test_access import access
from tests.house.test_handlers import PUBLIC
from tests.orders.story import cash, make_ready, pickup_code, place, put, step
from tests.support import Client, Shop, Store

OTHERS = ("public", "device", "staff", "store", "chain")
"""Guards that no customer passes. What is behind all others is somebody's, or everybody's."""
EVERYBODYS = {
    "slug", "sku", "code", "location", "kind", "token", "challenge_id", "pairing_id",
}  # fmt: skip
"""Path parameters that name what anybody may see: goods, places, methods; a token, the code of a challenge, or the secret of a pairing
is the right itself."""


@pytest.fixture(scope="module")
def handlers(app: Litestar) -> list[HTTPRouteHandler]:
    return operations(app)


def customers(handler: HTTPRouteHandler) -> bool:
    """Whether customers may call it."""
    return access(handler).partition(":")[0] not in OTHERS


class Things(msgspec.Struct):
    """A customer's, by the parameter that names each: one for each address that begins so."""

    owner: Client
    store: Store
    sku: str
    named: dict[tuple[str, str], str]

    def of(self, path: str, name: str) -> str | None:
        """The value of a parameter in an address."""
        return next(
            (value for (start, key), value in self.named.items() if key == name and path.startswith(start)), None
        )


@pytest.fixture(scope="module")
async def annas(shop: Shop) -> Things:
    """A cart, an order, a return, a list and a session of Anna's."""
    store, item = await shop.store(), await shop.item(price=1_000)
    await shop.stock(store, item, 50)
    anna, staff = await shop.signed_up(), await shop.staff("store_manager", store.code)
    order = await place(anna, store, (item, 2))
    number = await make_ready(staff, store, order)
    paid = {"code": await pickup_code(anna, order), "tenders": [cash(2_000)]}
    assert (await step(staff, store, number, "collect", paid)).status_code == 200
    line = {"sku": item.sku, "quantity": 1, "ground": "change_of_mind", "condition": "sellable"}
    body = {"order": order["number"], "refund": {"tender": "cash"}, "lines": [line]}
    back = await staff.post(f"/v1/stores/{store.code}/returns", body)
    assert back.status_code == 201, back.text
    waiting = await place(anna, store, (item, 1))
    await put(anna, (item, 3))
    listed = await anna.put(f"/v1/lists/wish/lines/{item.sku}", {"quantity": 1}, headers={"If-Match": "*"})
    session = (await anna.get("/v1/auth/sessions")).json()["items"][0]["id"]
    identifier = (await anna.get("/v1/me/identifiers")).json()["items"][0]["id"]
    home = await anna.post("/v1/me/addresses", {"city": "Тверь", "street": "Советская"})
    asked = await anna.post("/v1/inquiries", {"kind": "form", "text": "Есть ли другой размер?"})
    assert (home.status_code, asked.status_code) == (201, 201), (home.text, asked.text)
    named = {
        ("/v1/me/addresses", "address"): home.json()["id"], ("/v1/me/conversations", "number"): asked.json()["number"],
        ("/v1/carts", "cart"): (await current(anna))["id"], ("/v1/lists", "list"): listed.json()["id"],
        ("/v1/orders", "number"): waiting["number"], ("/v1/returns", "number"): back.json()["number"],
        ("/v1/auth/sessions", "session_id"): session, ("/v1/me/identifiers", "identifier"): identifier,
        ("/v1/carts", "guest"): str(uuid7()),
    }  # fmt: skip
    return Things(anna, store, item.sku, named)


# API1 Broken Object Level Authorization


def filled(handler: HTTPRouteHandler, things: Things) -> str | None:
    """The address of Anna's thing; None when the address names nobody's."""
    path = sorted(handler.paths)[0]
    own = False
    for name in re.findall(r"\{(\w+)(?::\w+)?\}", path):
        value = things.of(path, name)
        if value is not None:
            own = True
        elif name in EVERYBODYS:
            value = things.sku if name == "sku" else things.store.code
        else:
            raise AssertionError(
                f"{handler.operation_id}: say in `annas` whose {name} is, or in EVERYBODYS that it is nobody's"
            )
        path = re.sub(rf"\{{{name}(:\w+)?\}}", value, path)
    return path if own else None


async def test_what_is_another_customers_is_unknown(
    shop: Shop, handlers: list[HTTPRouteHandler], annas: Things
) -> None:
    """Every operation on something of a customer's, asked by another customer, an anonymous shopper, a frontend and a kiosk."""
    strangers = {
        "another customer": await shop.shopper(known=True), "an anonymous shopper": await shop.shopper(),
        "a frontend": await shop.client(), "a kiosk": await shop.device("kiosk", annas.store.code),
    }  # fmt: skip
    paths = ["/v1/me/conversations", "/v1/me/addresses"]
    for (start, name), value in annas.named.items():
        if name in ("cart", "list", "number") and not start.startswith("/v1/me/"):
            paths.append(f"{start}/{value}")
    before = [(await annas.owner.get(path)).json() for path in paths]
    assert not [answer["type"] for answer in before if "type" in answer]
    asked = 0
    wrong = {}
    for handler in handlers:
        if not customers(handler) or (path := filled(handler, annas)) is None:
            continue
        asked += 1
        method = sorted(handler.http_methods - {"HEAD", "OPTIONS"})[0]
        body = EXAMPLES.get(str(handler.operation_id)) if "data" in handler.parsed_fn_signature.parameters else None
        for who, stranger in strangers.items():
            answer = await stranger.request(method, path, json=body, headers={"If-Match": "*"})
            if answer.status_code not in (403, 404):
                wrong[f"{who}: {handler.operation_id}"] = (answer.status_code, answer.text[:200])
    assert not wrong, "\n".join(f"{who}: {answered}" for who, answered in wrong.items())
    assert asked >= 25
    assert [(await annas.owner.get(path)).json() for path in paths] == before


async def test_lists_of_things_hold_ones_own_alone(shop: Shop, handlers: list[HTTPRouteHandler], annas: Things) -> None:
    """What a customer asks for without naming it (`/v1/orders`, `/v1/lists`, `carts/current` …) never holds another's."""
    boris = await shop.shopper(known=True)
    ids = [*annas.named.values(), str(annas.owner.actor.subject)]
    read = 0
    for handler in handlers:
        if customers(handler) and "GET" in handler.http_methods and handler.operation_id != "follow_cart":
            path = sorted(handler.paths)[0].replace("{cart:str}", "current").replace("{list:str}", "wish")
            if "{" in path:
                continue
            read += 1
            answer = await boris.get(path)
            assert not [one for one in ids if one in answer.text], handler.operation_id
    assert read >= 8


# API3 Broken Object Property Level Authorization

DECIDED = {
    "version", "state", "created_at", "changed_at", "placed_at", "owner", "shopper_id", "customer_id", "person", "actor",
    "permissions", "is_admin", "known", "verified", "email_verified_at", "phone_verified_at", "password_hash", "key_hash",
    "share_no", "approved_by", "on_behalf_of", "subtotal", "total", "tax", "net", "owed", "discount", "handed_over", "returned",
}  # fmt: skip
"""Names of what the server decides: no command takes them at its first level, save for the reasons below."""
DECIDED_BUT_TAKEN = {"save_role": {"permissions"}}
"""What a role may do is what it is; nobody puts more into one than he holds (tests/auth/test_roles.py)."""
SECRETS = {"password", "password_hash", "hash", "key_hash", "pin", "pin_hash", "secret_key", "badge_hash"}
INTERNAL = {
    "unit_cost",
    "average",
    "average_cost",
    "cost",
    "margin",
    "supplier",
    "login",
    "failures",
    "permissions",
    "refresh_no",
    "share_no",
}
"""Never in what the shop's own operations answer."""


def command_of(handler: HTTPRouteHandler) -> Any:
    parameter = handler.parsed_fn_signature.parameters.get("data")
    return parameter.annotation if parameter is not None else None


def test_no_command_takes_what_the_server_decides(handlers: list[HTTPRouteHandler]) -> None:
    wrong = {}
    for handler in handlers:
        command = command_of(handler)
        if isinstance(command, type) and issubclass(command, msgspec.Struct):
            taken = set(command.__struct_encode_fields__) & DECIDED
            taken -= DECIDED_BUT_TAKEN.get(str(handler.operation_id), set())
            if taken:
                wrong[str(handler.operation_id)] = sorted(taken)
    assert wrong == {}


async def callers(shop: Shop, store: Store) -> defaultdict[str, Client]:
    """Somebody whom each guard lets in."""
    shopper, admin = await shop.shopper(known=True), await shop.staff("admin", channel="back_office")
    client, till = await shop.client(), await shop.device("till", store.code)
    found = {"client": client, "visitor": client, "device": till} | dict.fromkeys(("staff", "store", "chain"), admin)
    return defaultdict(lambda: shopper, found)


async def test_a_field_too_many_is_refused_everywhere(
    shop: Shop, handlers: list[HTTPRouteHandler], annas: Things
) -> None:
    """Mass assignment: the example of each body with one more field, by somebody who may do it."""
    found = await callers(shop, annas.store)
    wrong = {}
    for handler in handlers:
        operation = str(handler.operation_id)
        if command_of(handler) is None or not isinstance(EXAMPLES.get(operation), dict):
            continue
        caller = found[access(handler).partition(":")[0]]
        body = EXAMPLES[operation] | {"is_admin": True}
        method = sorted(handler.http_methods - {"HEAD", "OPTIONS"})[0]
        path = re.sub(r"\{code(:\w+)?\}", annas.store.code, sorted(handler.paths)[0])
        path = re.sub(r"\{(cart|list)(:\w+)?\}", lambda found: {"cart": "current", "list": "wish"}[found[1]], path)
        path = re.sub(r"\{kind(:\w+)?\}", "delivery", path)
        path = re.sub(r"\{(\w+)(:uuid)\}", "00000000-0000-7000-8000-000000000000", path)
        path = re.sub(r"\{(adjustment|task_id|session_id)(:\w+)?\}", "00000000-0000-7000-8000-000000000000", path)
        path = re.sub(r"\{\w+(:\w+)?\}", "x1", path)
        answer = await caller.request(method, path, json=body, headers={"If-Match": "*"})
        said = [error["detail"] for error in answer.json().get("errors", [])]
        if answer.status_code != 400 or not any("is_admin" in one for one in said):
            wrong[operation] = (answer.status_code, answer.text[:200])
    assert wrong == {}


def properties(kind: types.Type, seen: set[type]) -> Iterator[str]:
    """Names of all properties that a view can have."""
    if isinstance(kind, types.StructType):
        if kind.cls in seen:
            return
        seen.add(kind.cls)
        for field in kind.fields:
            yield field.encode_name
            yield from properties(field.type, seen)
    for inner in _inner(kind):
        yield from properties(inner, seen)


def _inner(kind: types.Type) -> Iterator[types.Type]:
    if isinstance(kind, types.UnionType):
        yield from kind.types
    elif isinstance(kind, types.ListType | types.VarTupleType | types.SetType):
        yield kind.item_type
    elif isinstance(kind, types.DictType):
        yield from (kind.key_type, kind.value_type)
    elif isinstance(kind, types.TupleType):
        yield from kind.item_types
    elif isinstance(kind, types.Metadata):
        yield kind.type


def test_what_customers_are_answered_has_no_secrets_and_nothing_internal(handlers: list[HTTPRouteHandler]) -> None:
    wrong = {}
    for handler in handlers:
        view = handler.parsed_fn_signature.return_type.annotation
        if not (isinstance(view, type) and issubclass(view, msgspec.Struct)) and not hasattr(view, "__origin__"):
            continue
        try:
            names = set(properties(types.type_info(view), set()))
        except TypeError:  # streams
            continue
        forbidden = SECRETS | (INTERNAL if "shop" in (handler.tags or ()) else set())
        if names & forbidden:
            wrong[str(handler.operation_id)] = sorted(names & forbidden)
    assert wrong == {}


# API4 Unrestricted Resource Consumption

ENDLESS = re.compile(r"(?<!\\)[*+](?!\))|\{\d+,\}")


def unbounded(kind: types.Type, where: str, seen: set[type]) -> Iterator[str]:
    """Places where an input may be as long or as large as it likes."""
    if isinstance(kind, types.StructType):
        if kind.cls in seen:
            return
        seen.add(kind.cls)
        for field in kind.fields:
            yield from unbounded(field.type, f"{where}.{field.encode_name}", seen)
    elif isinstance(kind, types.StrType):
        if kind.max_length is None and (kind.pattern is None or ENDLESS.search(kind.pattern)):
            yield where
    elif isinstance(kind, types.IntType):
        if kind.le is None and kind.lt is None:
            yield where
    elif isinstance(kind, types.ListType):
        if kind.max_length is None:
            yield where
        yield from unbounded(kind.item_type, f"{where}[]", seen)
    elif isinstance(kind, types.DictType):
        # texts by language have two keys; other keys are counted
        key = kind.key_type.type if isinstance(kind.key_type, types.Metadata) else kind.key_type
        alternatives = isinstance(key, types.StrType) and re.fullmatch(r"\^(\([a-z|]+\))\$", key.pattern or "")
        if kind.max_length is None and not alternatives:
            yield where
        yield from unbounded(kind.value_type, f"{where}{{}}", seen)
    else:
        for inner in _inner(kind):
            yield from unbounded(inner, where, seen)  # a union, or a type with a description


def test_every_input_is_bounded(handlers: list[HTTPRouteHandler]) -> None:
    found: list[str] = []
    for handler in handlers:
        for name, parameter in handler.parsed_fn_signature.parameters.items():
            if name == "data" or name in re.findall(r"\{(\w+)", sorted(handler.paths)[0]):
                found += unbounded(
                    types.type_info(parameter.raw if name != "data" else parameter.annotation),
                    f"{handler.operation_id}.{name}",
                    set(),
                )
    assert found == [], "\n".join(found)


async def test_a_page_holds_at_most_two_hundred(shop: Shop, handlers: list[HTTPRouteHandler], annas: Things) -> None:
    found = await callers(shop, annas.store)
    checked = 0
    for handler in handlers:
        if "limit" not in handler.parsed_fn_signature.parameters:
            continue
        checked += 1
        caller = found[access(handler).partition(":")[0]]
        path = re.sub(r"\{\w+:uuid\}", str(annas.owner.actor.subject), sorted(handler.paths)[0])
        path = re.sub(r"\{\w+(:\w+)?\}", annas.store.code, path)
        answer = await caller.get(f"{path}?limit=1001&sku=X&q=x")
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-input"), handler.operation_id
        assert "limit" in [error["pointer"] for error in answer.json()["errors"]], handler.operation_id
    assert checked >= 15


@pytest.mark.parametrize("size", [2 * 1024 * 1024 + 1])
async def test_a_body_is_read_up_to_two_mebibytes(shop: Shop, size: int) -> None:
    shopper = await shop.shopper()
    answer = await shopper.post("/v1/lists", content=b'{"name": "' + b"a" * size + b'"}')
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/body-too-large")
    assert (await shopper.get("/v1/lists")).json() == {"items": []}


# API7 Server Side Request Forgery, API10 Unsafe Consumption of APIs

NETWORK = {
    "httpx",
    "requests",
    "aiohttp",
    "urllib3",
    "urllib.request",
    "http.client",
    "smtplib",
    "ftplib",
    "websockets",
    "niquests",
}
OUTGOING = {
    "commerce.processes": "asks its own API process whether it is ready",
    "commerce.infra.delivery": "the retailer's own sender of codes, whose address is in the settings; follows no redirect",
}
"""Modules that call others over the network, and whom; never an address that a caller gives."""


def test_nothing_calls_an_address_that_somebody_gives() -> None:
    """No module of ours has a client for the network but those of the database, Valkey and the queue: there is nothing to forge."""
    found = {}
    for module in modules():
        imported = set()
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported |= {node.module, f"{node.module}.{node.names[0].name}"}
        used = {name for name in imported if name in NETWORK or name.split(".")[0] in NETWORK}
        if used and module.name not in OUTGOING:
            found[module.name] = sorted(used)
    assert found == {}


# API8 Security Misconfiguration


async def test_answers_say_nothing_of_the_machine_and_are_kept_by_nobody(shop: Shop) -> None:
    shopper, anybody = await shop.shopper(), shop.anybody()
    answers = [
        await anybody.get("/health/live"), await anybody.get("/v1/lists"), await shopper.get("/v1/lists"),
        await shopper.get("/v1/nothing"), await shopper.get("/v1/orders/1"), await shopper.post("/v1/lists", {"n": 1}),
        await shopper.request("TRACE", "/v1/lists"), await shopper.request("PUT", "/v1/lists"),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [200, 401, 200, 404, 404, 400, 405, 405]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert (answer.headers["server"], answer.headers.get("x-powered-by")) == ("commerce", None)
        for word in ("Traceback", "asyncpg", "litestar", "/commerce/", "site-packages"):
            assert word not in answer.text, answer.text


def test_nothing_runs_in_debug_mode(app: Litestar) -> None:
    assert app.debug is False


# API9 Improper Inventory Management

UNLISTED = {
    "/docs", "/docs/assets/{file_path}", "/docs/assets", "/schema/openapi.json", "/schema", "/schema/{path}",
    "/v1/development/codes/{challenge_id}",
}  # fmt: skip
"""Addresses that are served and not in the document: the document itself and the page that shows it; what production does not have."""


def test_every_address_that_is_served_is_documented(app: Litestar) -> None:
    documented = set(app.openapi_schema.paths or {})
    served = {re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path) for route in app.routes}
    assert {path.rstrip("/") or "/" for path in served} - documented - UNLISTED == set()


SIGNED = {"receive_message"}
"""What comes without our credentials and yet writes: it is signed by its sender (tests/conversations/test_webhooks.py)."""


def test_the_public_operations_are_few_and_read_or_are_signed(handlers: list[HTTPRouteHandler]) -> None:
    public = {str(handler.operation_id): handler for handler in handlers if access(handler) == "public"}
    assert set(public) == PUBLIC
    assert len(public) <= 5
    writing = {name for name, handler in public.items() if handler.http_methods - {"GET", "HEAD", "OPTIONS"}}
    assert writing == SIGNED
    assert guards.public.access == "public"


def test_the_committed_document_is_the_applications(app: Litestar) -> None:
    """The written document has every operation of this application, and no other."""
    committed = msgspec.json.decode((PACKAGE / "openapi.json").read_bytes())
    found = {
        part["operationId"] for path in committed["paths"].values() for part in path.values() if "operationId" in part
    }
    assert found == {str(handler.operation_id) for handler in operations(app)}


# The table

RECORD = PACKAGE / "decisions" / "0031-owasp-api-top-ten.md"
CITED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_the_table_names_every_risk_and_tests_that_exist() -> None:
    text = RECORD.read_text()
    rows = [line for line in text.splitlines() if line.startswith("| API")]
    assert [row.split()[1] for row in rows] == [f"API{n}" for n in range(1, 11)]
    missing = []
    for row in rows:
        cited = CITED.findall(row)
        assert cited, row
        for path, name in cited:
            tree = ast.parse((PACKAGE.parent / path).read_text())
            defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
            if name not in defined:
                missing.append(f"{path}::{name}")
    assert missing == []
