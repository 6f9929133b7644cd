"""The edge: problem documents, idempotency, preconditions, entity tags, request ids (DESIGN 3, 5, 10)."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Protocol

import msgspec
import structlog
from litestar import Litestar, Request, Response
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.exceptions import HTTPException, InternalServerException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter
from litestar.routes import HTTPRoute
from litestar.types import Message

from commerce.infra import cors
from commerce.infra.cors import OriginNotAllowed, SecretKeyInBrowser
from commerce.infra.db import ANSWERED, InProgress, KeyReused, Once, busy_or, encoded
from commerce.infra.limits import Limits, TooManyRequests
from commerce.infra.log import REQUEST
from commerce.kernel.actor import Actor
from commerce.kernel.errors import (
    Busy,
    Forbidden,
    Malformed,
    NotFound,
    PreconditionRequired,
    Problem,
    Unauthenticated,
)
from commerce.kernel.ids import uuid7
from commerce.kernel.tags import ANY, Seen

log = structlog.get_logger()

PROBLEM_JSON = "application/problem+json"


class Invalid(msgspec.Struct, frozen=True):
    """One thing that does not parse: a JSON pointer into the body, or the name of a parameter, and what is wrong."""

    pointer: str
    detail: str


class BadInput(Malformed):
    code = "bad-input"
    title = "The request does not parse"
    title_ru = "Запрос не удалось разобрать"
    detail = "See `errors`: each names the place and what is wrong there."
    detail_ru = "Смотрите `errors`: там названо место и что в нём не так."
    members_schema: ClassVar[dict[str, Any]] = {"errors": list[Invalid]}


class UnknownAddress(NotFound):
    code = "unknown-address"
    title = "No such address"
    title_ru = "Нет такого адреса"
    detail = "Nothing is served here. The addresses are listed in /schema/openapi.json, and explained at /docs."
    detail_ru = "По этому адресу ничего нет. Список адресов: /schema/openapi.json, описание: /docs."


class SignInRequired(Unauthenticated):
    code = "sign-in-required"
    title = "Credentials are missing or no longer good"
    title_ru = "Нужен вход"
    detail = "Send `Authorization: Bearer` with a key or an access token that is good now: neither expired nor revoked."
    detail_ru = (
        "Передайте `Authorization: Bearer` с действующим ключом или токеном доступа: не истёкшим и не отозванным."
    )


class NotAllowed(Forbidden):
    code = "not-allowed"
    title = "Not allowed"
    title_ru = "Недостаточно прав"
    detail = "These credentials may not do this, or not at this location."
    detail_ru = "С этими правами это действие недоступно, или недоступно в этом месте."


class KeyRequired(Malformed):
    code = "idempotency-key-required"
    title = "Idempotency-Key is missing"
    title_ru = "Не передан Idempotency-Key"
    detail = (
        "Send an `Idempotency-Key` header of 8 to 128 characters, new for each act and repeated on each retry of it."
    )
    detail_ru = (
        "Передайте заголовок `Idempotency-Key` (8–128 символов): новый для каждого действия, тот же при повторе."
    )


class VersionRequired(PreconditionRequired):
    code = "version-required"
    title = "If-Match is missing"
    title_ru = "Не передан If-Match"
    detail = "Send `If-Match` with the ETag of the state you saw."
    detail_ru = "Передайте `If-Match` с ETag того состояния, которое вы видели."


class BodyTooLarge(Problem):
    status = 413
    code = "body-too-large"
    title = "The body is too large"
    title_ru = "Слишком большое тело запроса"
    detail = "A request may have 2 MiB. Send it in several parts, each with an Idempotency-Key of its own."
    detail_ru = "Размер запроса — не больше 2 МиБ. Разделите его на части, каждую со своим Idempotency-Key."


STATUS_CODES: dict[int, tuple[str, str, str]] = {
    400: ("bad-request", "Bad request", "Некорректный запрос"),
    401: ("sign-in-required", "Credentials are missing or no longer good", "Нужен вход"),
    403: ("not-allowed", "Not allowed", "Недостаточно прав"),
    404: ("unknown-address", "No such address", "Нет такого адреса"),
    405: ("method-not-allowed", "Method not allowed", "Метод не поддерживается"),
    406: ("not-acceptable", "Not acceptable", "Формат не поддерживается"),
    415: ("unsupported-media-type", "Unsupported media type", "Формат тела не поддерживается"),
    429: ("too-many-requests", "Too many requests", "Слишком много запросов"),
}


class ProblemDocument(msgspec.Struct, frozen=True, kw_only=True):
    """RFC 9457 problem document; extension members depend on the type."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[Invalid] | msgspec.UnsetType = msgspec.UNSET


def language_of(headers: Any) -> str:
    """`ru` when the reader prefers Russian, else `en` (Accept-Language, RFC 9110 section 12.5.4, first of the two named)."""
    accept = str(headers.get("accept-language", "")).lower()
    ru, en = accept.find("ru"), accept.find("en")
    return "ru" if ru >= 0 and (en < 0 or ru < en) else "en"


def _answer(
    request: Request[Any, Any, Any],
    status: int,
    code: str,
    title: str,
    detail: str,
    members: dict[str, Any],
    headers: dict[str, str],
) -> Response[bytes]:
    instance = str(request.scope.get("state", {}).get("request_id", ""))
    body = {
        "type": f"/problems/{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": instance,
        **members,
    }
    return Response(msgspec.json.encode(body), status_code=status, media_type=PROBLEM_JSON, headers=headers)


def render_problem(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """A refusal as a problem document in the reader's language."""
    title, detail = problem.text(language_of(request.headers))
    headers = {}
    if problem.retry_after_seconds is not None:
        headers["Retry-After"] = str(problem.retry_after_seconds)
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return _answer(request, problem.status, problem.code, title, detail, problem.members, headers)


MISSING = re.compile(r"^Missing required \w+ parameter '(?P<name>[^']+)'")
PATH_IN_MESSAGE = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)


def pointer_of(path: str) -> str:
    """A JSON pointer (RFC 6901) from msgspec's `$.lines[0].sku`."""
    parts = re.findall(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]", path)
    return "".join("/" + (name or index).replace("~", "~0").replace("/", "~1") for name, index in parts)


def _from_message(message: str) -> Invalid:
    match = PATH_IN_MESSAGE.match(message)
    what, path = (match["what"], match["path"] or "") if match else (message, "")
    return Invalid(pointer=pointer_of(path), detail=what)


def _missing(detail: str) -> Invalid:
    match = MISSING.match(detail)
    return Invalid(match["name"], "It is required") if match else Invalid(pointer="", detail=detail)


def _invalid(extra: Any) -> list[Invalid]:
    found = []
    for item in extra if isinstance(extra, list) else []:
        message, key = str(item.get("message", "")), str(item.get("key", ""))
        if message == "'data'":
            message = "The request needs a JSON body"
        if item.get("source") in ("query", "path", "header", "cookie"):
            found.append(Invalid(pointer=key, detail=_from_message(message).detail))
        else:
            inner = _from_message(message)
            found.append(
                inner if inner.pointer or key in ("", "data") else Invalid(pointer_of(f"$.{key}"), inner.detail)
            )
    return found


def render_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar's own refusals in the same form: unknown routes, methods, bodies that do not parse."""
    russian = language_of(request.headers) == "ru"
    if isinstance(error, ValidationException) or (error.status_code == 400 and error.extra):
        errors = _invalid(error.extra) or [_missing(error.detail)]
        return render_problem(request, BadInput(errors=errors))
    if error.status_code == 400:
        return render_problem(request, BadInput(errors=[Invalid(pointer="", detail=error.detail)]))
    if error.status_code >= 500:
        return render_unexpected(request, error)
    code, title, title_ru = STATUS_CODES.get(error.status_code, ("refused", "Refused", "Отказано"))
    if error.status_code in (404, 413):
        return render_problem(request, UnknownAddress() if error.status_code == 404 else BodyTooLarge())
    headers = dict(error.headers or {})
    return _answer(request, error.status_code, code, title_ru if russian else title, error.detail or title, {}, headers)


HUNG_UP = "client disconnected prematurely"
"""How the framework says that the client went away in the middle of its body."""


def render_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """A bug of ours, or a dependency that is away: logged with its trace, answered without it."""
    if isinstance(error, InternalServerException) and error.detail == HUNG_UP:
        return Response(b"", status_code=499)  # nobody is there to read it; no failure of ours
    mapped = busy_or(error)
    if isinstance(mapped, Problem):
        return render_problem(request, mapped)
    log.error("request.failed", path=logged_path(request.scope["path"]), exc_info=error)
    return render_problem(request, Problem())


EXCEPTION_HANDLERS: dict[Any, Any] = {
    Problem: render_problem,
    HTTPException: render_http_exception,
    Exception: render_unexpected,
}


@dataclass
class Refusals(ResponseSpec):
    """The problems that one status of a route may mean."""

    kinds: tuple[type[Problem], ...] = ()


@dataclass
class Streamed(ResponseSpec):
    """A success that is streamed, in any of some media types."""

    media_types: tuple[str, ...] = ()


def streams(description: str, *media_types: str) -> dict[int, ResponseSpec]:
    """The success of a route that streams text."""
    spec = Streamed(
        data_container=str,
        generate_examples=False,
        media_type=media_types[0],
        description=description,
        media_types=media_types,
    )
    return {200: spec}


def problems(*kinds: type[Problem]) -> dict[int, ResponseSpec]:
    """The `responses=` of a route: the problems it declares by status, with those that every route may answer."""
    by_status: dict[int, list[type[Problem]]] = {}
    every: tuple[type[Problem], ...] = (
        BadInput, SignInRequired, NotAllowed, OriginNotAllowed, SecretKeyInBrowser, TooManyRequests, Busy, *kinds,
    )  # fmt: skip
    for kind in every:
        if kind not in by_status.setdefault(kind.status, []):
            by_status[kind.status].append(kind)
    return {
        status: Refusals(
            data_container=ProblemDocument, generate_examples=False, media_type=PROBLEM_JSON, kinds=tuple(found)
        )
        for status, found in sorted(by_status.items())
    }


def writes(*kinds: type[Problem]) -> dict[int, ResponseSpec]:
    """`problems` of an unsafe route: with those of the idempotency key."""
    return problems(KeyRequired, KeyReused, InProgress, *kinds)


def resolve_in_turn(app: Litestar) -> None:
    """Resolve the dependencies of a handler one after the other: ours are values at hand, and a task group for each request
    costs more than all of them together. Those that are the same for every request, and the caller, are put beside the
    parameters as they are. Guards are asked without a copy of the handler for each, which none of ours looks at, and views are sent
    without the framework's two responses (`Quick`)."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler, model in route.route_handler_map.values():
                at_hand: dict[str, Any] = {}
                asked, actor = [], False
                for dependency in [dependency for batch in model.dependency_batches for dependency in batch]:
                    provide = dependency.provide
                    if provide.dependency is actor_of:
                        actor = True
                    elif provide.has_sync_callable and not provide.signature_model._fields:
                        at_hand[dependency.key] = provide.dependency()
                    else:
                        asked.append({dependency})
                model.dependency_batches = asked
                if at_hand or actor:
                    model.extractors = [*model.extractors, _put(at_hand, actor=actor)]
                if hasattr(handler, "__dict__"):  # one of ours, not one that the framework makes for OPTIONS
                    handler.__class__ = Quick


def _put(at_hand: dict[str, Any], *, actor: bool) -> Any:
    async def put(output: dict[str, Any], connection: Any) -> None:
        output.update(at_hand)
        if actor:
            output["actor"] = connection.scope["state"]["actor"]

    return put


class Quick(HTTPRouteHandler):
    """A handler that is shown to its guards itself, and whose views are sent as they are encoded."""

    async def authorize_connection(self, connection: Any) -> None:
        """Ask all guards in turn."""
        for guard in self.resolve_guards():
            await guard(connection, self)  # type: ignore[misc]

    async def to_response(self, app: Litestar, data: Any, request: Request[Any, Any, Any]) -> Any:
        """What is sent: of a view the bytes and the headers, of everything else what the framework makes of it. Our routes set no
        headers or cookies of their own, but in a `Response`."""
        if isinstance(data, msgspec.Struct) and self.media_type == MediaType.JSON:
            return Sent(self.status_code, data)
        return await super().to_response(app, data, request)


class Sent:
    """A view on its way to the client: JSON, with its entity tag."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, view: msgspec.Struct) -> None:
        self.status, self.body = status, body_of(view)
        self.headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self.body))]
        tag = tag_of(view)
        if tag is not None:
            self.headers.append((b"etag", b'"%s"' % str(tag).encode()))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002
        """Send it."""
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": False})


def actor_of(request: Request[Any, Any, Any]) -> Actor:
    """The caller, as the authentication middleware proved it."""
    actor: Actor = request.scope["state"]["actor"]
    return actor


IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        required=False,
        description="Required: 8 to 128 visible characters, new for each act, repeated on its retries; kept for 24 hours.",
    ),
]
KEY = re.compile(r"^[!-~]{8,128}$")


async def once_of(
    request: Request[Any, Any, Any], actor: NamedDependency[Actor], idempotency_key: IdempotencyKey = None
) -> Once:
    """The claim of this request's Idempotency-Key, bound to method, path, query, body and the customer acted for.

    Raises KeyRequired.
    """
    if idempotency_key is None or not KEY.match(idempotency_key):
        raise KeyRequired
    digest = hashlib.sha256()
    digest.update(f"{request.method} {request.scope['path']}?".encode())
    digest.update(request.scope.get("query_string", b""))
    digest.update(b"\n")
    if actor.on_behalf_of is not None:
        digest.update(actor.on_behalf_of.bytes)
    digest.update(await request.body())
    operation = request.route_handler.operation_id
    return Once(
        actor.subject,
        operation if isinstance(operation, str) else request.scope["path"],
        idempotency_key,
        digest.hexdigest(),
    )


IfMatchHeader = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match", required=False, description='The ETag of the state you saw, e.g. `"7"`; `*` for any.'
    ),
]


RequiredIfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        required=False,
        description='Required: the ETag of the state you saw, e.g. `"7.184467"`; `"0"` when there was nothing yet; `*` for any.',
    ),
]
TAG = re.compile(r'(?:W/)?"(\d{1,9}(?:\.\d{1,9})*)"', re.ASCII)


class StaleTag(Malformed):
    code = "bad-if-match"
    title = "If-Match does not parse"
    title_ru = "Не удалось разобрать If-Match"
    detail = 'Send the ETag as it was answered, e.g. `"7"`, or `*`.'
    detail_ru = 'Передайте ETag в том виде, в котором он получен, например `"7"`, или `*`.'


def if_match_of(tag: IfMatchHeader = None) -> int | None:
    """The version in If-Match, the first number of a tag of several; None when absent or `*`. Raises StaleTag when it does not parse."""
    if tag is None or tag.strip() == "*":
        return None
    return _read_tag(tag)[0]


def _read_tag(tag: str) -> list[int]:
    match = TAG.fullmatch(tag.strip())
    if match is None:
        raise StaleTag
    return [int(part) for part in match[1].split(".")]


def seen_of(tag: RequiredIfMatch = None) -> Seen:
    """The state in If-Match, where a change needs one. Raises VersionRequired when absent, StaleTag when it does not parse."""
    if tag is None:
        raise VersionRequired
    if tag.strip() == "*":
        return ANY
    version, *marks = _read_tag(tag)
    return Seen(version, marks[0] if marks else None)


def seen_if_said(tag: IfMatchHeader = None) -> Seen:
    """The state in If-Match, where a change does without: any when absent. Raises StaleTag when it does not parse."""
    return ANY if tag is None else seen_of(tag)


def tag_of(view: Any) -> str | int | None:
    """The entity tag of a view: its own word, or else its version."""
    tag = getattr(view, "entity_tag", None) or getattr(view, "version", None)
    return tag if isinstance(tag, str | int) else None


def body_of(view: Any) -> bytes:
    """A view as JSON; what was encoded to be stored is not encoded again."""
    answered = ANSWERED.get()
    return answered[1] if answered is not None and answered[0] is view else encoded(view)


async def add_entity_tag(response: Response[Any]) -> Response[Any]:
    """`ETag` of every answer whose view has a `version`, where a route answers with a `Response` of its own. A coroutine, because
    Litestar runs a plain hook in a thread."""
    content = getattr(response, "content", None)
    tag = tag_of(content)
    if tag is not None:
        response.headers["ETag"] = f'"{tag}"'
    if isinstance(content, msgspec.Struct):
        response.content = body_of(content)
    return response


@cache
def _decoder(target: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(target)


class StrictRequest(Request[Any, Any, State]):
    """Bodies are decoded straight into the handler's Struct, without coercion: `"1"` is no number."""

    async def json(self) -> Any:
        """The body as the type of the handler's `data`. Raises BadInput with a pointer to the place."""
        body = await self.body()
        field = self.route_handler.parsed_data_field
        if field is None:
            return await super().json()
        try:
            return _decoder(field.annotation).decode(body)
        except msgspec.ValidationError as error:
            raise BadInput(errors=[_from_message(str(error))]) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadInput(errors=[Invalid(pointer="", detail=f"The body is not JSON: {error}")]) from error


REQUEST_ID = re.compile(rb"^[A-Za-z0-9._-]{8,64}$")


NOSNIFF = (b"x-content-type-options", b"nosniff")
NAMELESS = (b"server", b"commerce")
"""Else the server below would say what software it is."""
NO_STORE = (b"cache-control", b"no-store")
SHOWN_TO_ALL = ("/v1/catalog/", "/v1/prices/", "/v1/locations", "/docs", "/schema")
"""Answers that are the same for everybody; all others may hold what is one person's, and no cache keeps them."""


BY_LINK = "/v1/shared-lists/"
"""Addresses under it have a secret in them: whoever has the link may read."""


def logged_path(path: str) -> str:
    """The path as the log may keep it."""
    if not path.startswith(BY_LINK):
        return path
    _, slash, rest = path.removeprefix(BY_LINK).partition("/")
    return f"{BY_LINK}…{slash}{rest}"


class Pages(Protocol):
    """What the edge asks about the pages that call (`auth.Origins`)."""

    def headers(self, scope: Any, origin: bytes, /) -> list[tuple[bytes, bytes]]:
        """What an answer says to the page that asked."""

    async def answer_preflight(self, scope: Any, receive: Any, send: Any, /) -> None:
        """Answer a browser that asks before it sends."""


class Api(Litestar):
    """The application with a request id on everything, refusals of the router included: the client's `X-Request-Id` when
    well-formed; on the answer, in the log, in `instance`. One access line per request."""

    limits: Limits
    origins: Pages

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        given = origin = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given = value
            elif name == b"origin":
                origin = value
        request_id = given.decode() if given is not None and REQUEST_ID.match(given) else str(uuid7())
        state = scope.setdefault("state", {})
        state["request_id"], state["origin"] = request_id, origin
        token = REQUEST.set(request_id)
        if "\x00" in scope["path"]:
            scope["path"] = scope["path"].replace(
                "\x00", "\ufffd"
            )  # nothing has such an address, and no file system takes it
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"x-request-id", request_id.encode()), NOSNIFF, NAMELESS]
                if not scope["path"].startswith(SHOWN_TO_ALL) and not any(
                    n.lower() == b"cache-control" for n, _ in headers
                ):
                    headers.append(NO_STORE)
                if "limit" in state:
                    headers += self.limits.headers(state["limit"])
                if origin is not None and b"access-control-max-age" not in (name for name, _ in headers):
                    headers += self.origins.headers(scope, origin)
                if scope["method"] == "OPTIONS":
                    headers = self._with_allow(scope, headers)
                message["headers"] = headers
            await send(message)

        try:
            if origin is not None and cors.is_preflight(scope):
                await self.origins.answer_preflight(scope, receive, send_with_id)
            else:
                await super().__call__(scope, receive, send_with_id)
        finally:
            (log.debug if scope["path"].startswith("/health/") else log.info)(
                "request",
                method=scope["method"],
                path=logged_path(scope["path"]),
                status=status,
                milliseconds=round((time.perf_counter() - started) * 1000, 1),
            )
            REQUEST.reset(token)

    def _with_allow(self, scope: Any, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """`Allow` with every method of the resource: the framework's own answer knows only the first one registered."""
        template = scope.get("path_template")
        methods = {
            method
            for route in self.routes
            if isinstance(route, HTTPRoute) and route.path_format == template
            for method in route.methods
        }
        if not methods:
            return headers
        allow = ", ".join(sorted(methods)).encode()
        return [(name, allow if name.lower() == b"allow" else value) for name, value in headers]


__all__ = [
    "EXCEPTION_HANDLERS",
    "PROBLEM_JSON",
    "Api",
    "BadInput",
    "BodyTooLarge",
    "Invalid",
    "KeyRequired",
    "NotAllowed",
    "ProblemDocument",
    "Refusals",
    "SignInRequired",
    "StrictRequest",
    "UnknownAddress",
    "VersionRequired",
    "actor_of",
    "add_entity_tag",
    "if_match_of",
    "language_of",
    "once_of",
    "problems",
    "resolve_in_turn",
    "seen_if_said",
    "seen_of",
    "writes",
]
