"""The OpenAPI document is fit to write a client by, and its page needs no network."""

from __future__ import annotations

import ast
import re
from typing import Any, get_type_hints

import msgspec
import pytest
from litestar import Litestar

from commerce.documentation import EXAMPLES, TAGS
from commerce.kernel.errors import Problem
from commerce.settings import Settings
from fixtures.demo.stage import chapters
from tests.house.source import PACKAGE, modules, operations, problems
from tests.support import Shop


@pytest.fixture(scope="module")
def document(app: Litestar) -> dict[str, Any]:
    found: dict[str, Any] = app.openapi_schema.to_schema()
    return found


def by_id(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {operation["operationId"]: operation for item in document["paths"].values() for operation in item.values()}


def references(value: Any) -> set[str]:
    """Names of the schemas that a part of the document points at."""
    if isinstance(value, dict):
        own = {str(value["$ref"]).rpartition("/")[2]} if "$ref" in value else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_operation_says_what_it_does_who_may_and_what_it_needs(app: Litestar, document: dict[str, Any]) -> None:
    assert [tag["name"] for tag in document["tags"]] == list(TAGS)
    operation_of = by_id(document)
    for handler in operations(app):
        operation = operation_of[str(handler.operation_id)]
        assert operation["summary"]
        assert re.search(r"\w.*\n\n\*\*Who:\*\* .+\.$", operation["description"], re.DOTALL), operation
        assert set(operation["tags"]) <= set(TAGS)
        assert len(operation["tags"]) == 1
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (operation["operationId"], parameter["name"])
        required = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["required"]}
        assert ("Idempotency-Key" in required) == ("once" in get_type_hints(handler.fn)), operation["operationId"]
        for status, response in operation["responses"].items():
            assert response["description"]
            if int(status) >= 400 and operation["operationId"] != "health_ready":
                assert list(response["content"]) == ["application/problem+json"]


def test_schemas_have_names_of_their_own(document: dict[str, Any]) -> None:
    """A generated client names its types by them: two Structs of one name would be told apart by their modules."""
    names = document["components"]["schemas"]
    assert len(names) > 100
    assert [name for name in names if not re.fullmatch(r"[A-Z][A-Za-z0-9]*(_[A-Z][A-Za-z0-9]*)*_?", name)] == []
    assert [name for name in names if "commerce" in name.lower() or "schemas" in name.lower()] == []


def test_inputs_refuse_unknown_fields(document: dict[str, Any]) -> None:
    schemas, seen = document["components"]["schemas"], set[str]()
    waiting = set().union(*(references(operation.get("requestBody", {})) for operation in by_id(document).values()))
    while waiting:
        name = waiting.pop()
        seen.add(name)
        assert schemas[name]["additionalProperties"] is False, name
        waiting |= references(schemas[name]) - seen


def test_every_body_has_an_example_that_its_command_reads(app: Litestar, document: dict[str, Any]) -> None:
    bodies = {name for name, operation in by_id(document).items() if "requestBody" in operation}
    assert set(EXAMPLES) == bodies
    for handler in operations(app):
        if handler.operation_id in EXAMPLES:
            command = get_type_hints(handler.fn)["data"]
            msgspec.json.decode(msgspec.json.encode(EXAMPLES[str(handler.operation_id)]), type=command)


def test_versions_are_entity_tags(document: dict[str, Any]) -> None:
    for operation in by_id(document).values():
        for status, response in operation["responses"].items():
            (view, *_) = (*references(response.get("content", {})), "")
            versioned = int(status) < 300 and "version" in document["components"]["schemas"].get(view, {}).get(
                "properties", {}
            )
            assert ("ETag" in response.get("headers", {})) == versioned, (operation["operationId"], status)


def test_a_refusal_is_raised_with_the_members_that_it_promises() -> None:
    kinds = {kind.__name__: kind for kind in problems()}
    for module in modules():
        called = [node.exc for node in ast.walk(module.tree) if isinstance(node, ast.Raise)]
        for raised in called:
            function = raised.func if isinstance(raised, ast.Call) else raised
            name = getattr(function, "attr", getattr(function, "id", ""))
            kind = kinds.get(name)
            if kind is None or kind.__init__ is not Problem.__init__:
                continue
            given = {keyword.arg for keyword in raised.keywords} if isinstance(raised, ast.Call) else set()
            assert given - {"retry_after_seconds"} == set(kind.members_schema), f"{module.name}: {name}"


def test_the_readme_names_every_setting_and_chapter() -> None:
    text = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    settings = {field.name.upper() for field in msgspec.structs.fields(Settings)}
    assert {name for name in settings if f"`{name}`" not in text} == set()
    assert [name for name in chapters() if f"CHAPTER={name}" not in text] == []


async def test_the_page_needs_no_network(shop: Shop) -> None:
    anybody = shop.anybody()
    page = await anybody.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert re.findall(r"https?://|//[a-z]", page.text) == []
    used = re.findall(r'(?:src|href|url)[=:] ?"(/[^"]+)"', page.text)
    assert used == ["/docs/assets/swagger-ui.css", "/docs/assets/swagger-ui-bundle.js", "/schema/openapi.json"]
    for address in used:
        answer = await anybody.get(address)
        assert answer.status_code == 200, address
        assert len(answer.content) > 10_000
    assert (await anybody.get("/schema/openapi.json")).json()["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    "address", ["/schema/nothing", "/schema/nothing.json", "/docs/assets/nothing.js", "/docs/nothing"]
)
async def test_what_is_not_there_is_a_problem(shop: Shop, address: str) -> None:
    answer = await shop.anybody().get(address)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-address")
    assert answer.headers["content-type"] == "application/problem+json"
