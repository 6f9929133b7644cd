"""What a browser is told about calling from another site (the CORS protocol, https://fetch.spec.whatwg.org/#http-cors-protocol).

Which sites may call is decided by the clients' origins (`auth`); these are the headers that say so. There are no cookies, so
credentials are never allowed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from commerce.kernel.errors import Forbidden

METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = (
    b"Authorization, Content-Type, Accept-Language, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id,"
    b" Approval-Badge, Approval-Login, Approval-Pin"
)
ANSWER_HEADERS = (
    b"ETag, Location, Link, Retry-After, X-Request-Id, Idempotency-Key, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset,"
    b" RateLimit-Policy, WWW-Authenticate"
)
MAX_AGE = b"600"
"""Seconds for which a browser need not ask again."""

VARY = (b"vary", b"Origin")
EXPOSE = (b"access-control-expose-headers", ANSWER_HEADERS)


class OriginNotAllowed(Forbidden):
    code = "origin-not-allowed"
    title = "Not from this site"
    title_ru = "С этого сайта нельзя"
    detail = "The client of these credentials does not list {origin}. Add it to the client's `origins`, or use the client of this site."
    detail_ru = "Клиент этих прав не называет {origin} среди своих сайтов. Добавьте его в `origins` или возьмите клиента этого сайта."
    members_schema: ClassVar[dict[str, Any]] = {"origin": str}


class SecretKeyInBrowser(Forbidden):
    code = "secret-key-in-browser"
    title = "A secret key has no place in a browser"
    title_ru = "Секретному ключу не место в браузере"
    detail = "This request comes from a page: everybody who opens it can read the key. Revoke it, and use a publishable key there."
    detail_ru = (
        "Запрос пришёл со страницы: ключ прочтёт каждый, кто её откроет. Отзовите его и используйте там публичный ключ."
    )


def is_preflight(scope: Any) -> bool:
    """Whether a browser asks, before the request itself and without credentials, if it may send it."""
    return scope["method"] == "OPTIONS" and any(
        name == b"access-control-request-method" for name, _ in scope["headers"]
    )


def preflight(origin: bytes) -> list[tuple[bytes, bytes]]:
    """The headers that let a request follow."""
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-allow-methods", METHODS),
        (b"access-control-allow-headers", REQUEST_HEADERS),
        (b"access-control-max-age", MAX_AGE),
        (b"vary", b"Origin, Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]


def allowed(origin: bytes) -> list[tuple[bytes, bytes]]:
    """The headers that let a page of this origin read the answer."""
    return [(b"access-control-allow-origin", origin), EXPOSE, VARY]


def same_origin(scope: Any, origin: bytes) -> bool:
    """Whether the page came from this very server, as the documentation does: the origin's host and port are the request's."""
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")
    return bool(host) and origin.partition(b"://")[2] == host
