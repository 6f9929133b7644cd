"""The edge: every non-2xx answer is a problem document that tells what to do (DESIGN 5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from litestar import get, post
from litestar.params import FromQuery, JSONBody
from litestar.testing import AsyncTestClient

from commerce.infra.http import EXCEPTION_HANDLERS, PROBLEM_JSON, Api, StrictRequest, add_entity_tag, pointer_of
from commerce.kernel.errors import Busy, Conflict
from commerce.kernel.text import ShortText


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sku: ShortText
    quantity: int


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    lines: list[Line]


class View(msgspec.Struct, frozen=True):
    version: int


class Left(Conflict):
    code = "test-left"
    title = "Too few"
    title_ru = "Мало"
    detail = "Only {left} left."
    detail_ru = "Осталось {left}."


@post("/body", guards=[])
async def body(data: JSONBody[Body]) -> View:
    return View(len(data.lines))


@get("/left")
async def left() -> None:
    raise Left(left=3)


@get("/busy")
async def busy() -> None:
    raise Busy(retry_after_seconds=1)


@get("/broken")
async def broken(n: FromQuery[int] = 0) -> int:
    return 1 // n


@post("/left")
async def leave() -> None:
    raise Left(left=2)


@pytest.fixture(scope="module")
async def edge() -> AsyncIterator[AsyncTestClient[Api]]:
    app = Api(
        [body, left, leave, busy, broken],
        request_class=StrictRequest,
        exception_handlers=EXCEPTION_HANDLERS,
        after_request=add_entity_tag,
        request_max_body_size=1000,
        openapi_config=None,
    )
    async with AsyncTestClient(app, raise_server_exceptions=False) as client:
        yield client


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM_JSON
    document: dict[str, Any] = answer.json()
    assert document["type"] == f"/problems/{code}"
    assert document["status"] == status
    assert document["instance"] == answer.headers["x-request-id"]
    assert document["title"]
    assert document["detail"]
    return document


JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (b"{", ""),
        (b"\xff\xfe", ""),
        (b"[]", ""),
        (b"{}", ""),
        (b'{"lines": [], "more": 1}', ""),
        (b'{"lines": [{"sku": "A", "quantity": 1}, {"sku": "A", "quantity": "1"}]}', "/lines/1/quantity"),
        (b'{"lines": [{"sku": "A\\u0000", "quantity": 1}]}', "/lines/0/sku"),
        (b'{"lines": [{"sku": "A", "quantity": 1, "price": 0}]}', "/lines/0"),
    ],
)
async def test_a_body_that_does_not_parse_names_the_place(
    edge: AsyncTestClient[Api], content: bytes, pointer: str
) -> None:
    answer = await edge.post("/body", content=content, headers=JSON)
    (error,) = problem(answer, 400, "bad-input")["errors"]
    assert error["pointer"] == pointer
    assert error["detail"]


async def test_a_missing_body_is_said_to_be_missing(edge: AsyncTestClient[Api]) -> None:
    (error,) = problem(await edge.post("/body"), 400, "bad-input")["errors"]
    assert error == {"pointer": "", "detail": "The request needs a JSON body"}


async def test_a_parameter_that_does_not_parse_is_named(edge: AsyncTestClient[Api]) -> None:
    (error,) = problem(await edge.get("/broken?n=x"), 400, "bad-input")["errors"]
    assert error["pointer"] == "n"


async def test_a_refusal_speaks_the_readers_language(edge: AsyncTestClient[Api]) -> None:
    english = problem(await edge.get("/left"), 409, "test-left")
    assert (english["title"], english["detail"], english["left"]) == ("Too few", "Only 3 left.", 3)
    russian = problem(await edge.get("/left", headers={"accept-language": "ru-RU,ru;q=0.9,en;q=0.8"}), 409, "test-left")
    assert (russian["title"], russian["detail"], russian["left"]) == ("Мало", "Осталось 3.", 3)


async def test_busy_says_when_to_come_back(edge: AsyncTestClient[Api]) -> None:
    answer = await edge.get("/busy")
    problem(answer, 503, "busy")
    assert answer.headers["retry-after"] == "1"


async def test_a_bug_is_answered_without_its_trace(edge: AsyncTestClient[Api]) -> None:
    answer = await edge.get("/broken?n=0")
    problem(answer, 500, "internal-error")
    assert "division" not in answer.text


async def test_unknown_route_method_and_large_body(edge: AsyncTestClient[Api]) -> None:
    problem(await edge.get("/nowhere"), 404, "unknown-address")
    refused = await edge.delete("/left")
    problem(refused, 405, "method-not-allowed")
    assert "GET" in refused.headers["allow"]
    problem(await edge.post("/body", content=b'{"lines": []' + b" " * 2000 + b"}", headers=JSON), 413, "body-too-large")


async def test_a_view_with_a_version_has_an_entity_tag(edge: AsyncTestClient[Api]) -> None:
    answer = await edge.post("/body", json={"lines": []})
    assert answer.status_code == 201
    assert answer.headers["etag"] == '"0"'


async def test_a_well_formed_request_id_is_kept_and_another_replaced(edge: AsyncTestClient[Api]) -> None:
    assert (await edge.get("/left", headers={"x-request-id": "till-7.00012345"})).headers[
        "x-request-id"
    ] == "till-7.00012345"
    assert (await edge.get("/left", headers={"x-request-id": "a\tb c d e f g"})).headers[
        "x-request-id"
    ] != "a\tb c d e f g"


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("$", ""),
        ("$.lines[0].sku", "/lines/0/sku"),
        ("$.a/b.c~d", "/a~1b/c~0d"),
        ("$.lines[...].sku", "/lines/.../sku"),
    ],
)
def test_pointers(path: str, pointer: str) -> None:
    assert pointer_of(path) == pointer


async def test_options_names_every_method_of_the_resource(edge: AsyncTestClient[Api]) -> None:
    assert (await edge.options("/left")).headers["allow"] == "GET, OPTIONS, POST"
    assert (await edge.options("/body")).headers["allow"] == "OPTIONS, POST"


async def test_personal_answers_are_not_cached_and_types_not_guessed(edge: AsyncTestClient[Api]) -> None:
    answer = await edge.post("/body", json={"lines": []})
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")


async def test_an_address_with_nul_is_unknown(edge: AsyncTestClient[Api]) -> None:
    problem(await edge.get("/left%00"), 404, "unknown-address")
