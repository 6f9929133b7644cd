"""Guards: everything is denied unless one of these says otherwise. Each route names exactly one (house test).

The middleware proves who calls; a guard decides whether he may.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from commerce.auth.keyring import PUBLIC, KeyRing
from commerce.auth.origins import Origins
from commerce.infra.http import EXCEPTION_HANDLERS, NotAllowed, SignInRequired
from commerce.infra.limits import UNLIMITED, Limits
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Problem

Connection = ASGIConnection[Any, Any, Any, Any]


class Guard(Protocol):
    """A guard of ours; `access` says in words who passes, for the documentation and the walk of DESIGN 12."""

    access: str

    async def __call__(self, connection: Connection, handler: BaseRouteHandler, /) -> None: ...


class _Guard:
    def __init__(self, access: str, allows: Any) -> None:
        self.access = access
        self._allows = allows

    async def __call__(self, connection: Connection, _handler: BaseRouteHandler, /) -> None:
        # a coroutine, because the framework runs a plain guard in a thread
        actor: Actor = connection.scope["state"]["actor"]
        if not self._allows(actor, connection):
            raise SignInRequired if actor.kind == "public" else NotAllowed

    def __repr__(self) -> str:
        return f"<guard {self.access}>"


public = _Guard("public", lambda _actor, _connection: True)
"""No credentials needed: the list of these routes is short and explicit (house test)."""
caller = _Guard("caller", lambda actor, _: actor.kind != "public")
"""Any credential: publishable key, device key, shopper or staff token. What a shop window shows."""
client = _Guard("client", lambda actor, _: actor.kind in ("client", "device"))
"""A frontend or a device by its own key, before anybody has signed in there."""
device = _Guard("device", lambda actor, _: actor.kind == "device")
"""A till or kiosk by its own key."""
shopper = _Guard("shopper", lambda actor, _: actor.kind == "shopper" or actor.on_behalf_of is not None)
"""A shopper, anonymous or known, or staff acting for a customer."""
known_shopper = _Guard(
    "known_shopper", lambda actor, _: (actor.kind == "shopper" and actor.known) or actor.on_behalf_of is not None
)
"""A shopper with a profile, or staff acting for him."""
himself = _Guard("himself", lambda actor, _: actor.kind == "shopper" and actor.known)
"""A shopper with a profile in person: what nobody does for him."""
buyer = _Guard(
    "buyer",
    lambda actor, _: actor.kind in ("shopper", "device") or actor.on_behalf_of is not None
    or (actor.kind == "staff" and actor.device is not None),
)  # fmt: skip
"""Who may have a cart: a shopper, staff acting for a customer; a device, and staff at it, for its baskets."""
basket_holder = _Guard("basket_holder", lambda actor, _: actor.kind in ("shopper", "device", "staff"))
"""Whoever may work on a cart: a buyer, and staff elsewhere, who have no cart of their own but may have joined a customer's."""
visitor = _Guard("visitor", lambda actor, _: actor.kind in ("client", "device", "shopper"))
"""A frontend, a device, or a shopper there: who may sign up."""
signed_in = _Guard("signed_in", lambda actor, _: actor.kind in ("shopper", "staff"))
"""A person with a token, anonymous or not: what concerns his own session."""
staff_member = _Guard("staff", lambda actor, _: actor.kind == "staff")
"""Any member of staff."""

HOLDERS = ("staff", "device", "client")
"""Who may hold permissions: staff by their roles, devices by their kind, servers by the scopes of their secret key."""


def staff(permission: str) -> Guard:
    """Staff, a device or a server that holds the permission somewhere; the verb checks the location."""
    return _Guard(f"staff:{permission}", lambda actor, _: actor.kind in HOLDERS and actor.may(permission))


def everywhere(permission: str) -> Guard:
    """Staff or a server that holds the permission for the whole chain: what they see or do is not of one store."""
    return _Guard(
        f"chain:{permission}",
        lambda actor, _: actor.kind in ("staff", "client") and "*" in actor.permissions.get(permission, ()),
    )


class _AtStore(_Guard):
    """Lets pass who holds a permission at the store of the path, and notes that store as the place of the act."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"store:{permission}", self._enters)
        self._permission = permission

    def _enters(self, actor: Actor, connection: Connection) -> bool:
        code = str(connection.path_params["code"])
        if actor.kind not in HOLDERS or not actor.may(self._permission, code):
            return False
        if actor.location is None:
            connection.scope["state"]["actor"] = msgspec.structs.replace(actor, place=code)
        return True


def at_store(permission: str) -> Guard:
    """Staff, a device or a server that holds the permission at the store named by the path parameter `code`."""
    return _AtStore(permission)


def authenticate(ring: KeyRing, limits: Limits, origins: Origins) -> Any:
    """The middleware that turns `Authorization: Bearer …` into `state.actor` of every request, and lets none pass that comes from a
    page it must not come from, or too often."""

    def factory(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            header = next((value for name, value in scope["headers"] if name == b"authorization"), None)
            credential = None
            if header is not None:
                scheme, _, value = header.decode("latin-1").partition(" ")
                credential = value.strip() if scheme.lower() == "bearer" else ""
            try:
                actor = await ring.actor(credential)
                if limits.on and not scope["path"].startswith(UNLIMITED):
                    limits.admit(scope, actor or PUBLIC)
                if actor is None:
                    raise SignInRequired
                origin = scope["state"].get("origin")
                if origin is not None:
                    origins.check(scope, actor, credential, origin)
            except Problem as problem:
                response = EXCEPTION_HANDLERS[Problem](Request(scope), problem)
                await response.to_asgi_response(None, Request(scope))(scope, receive, send)
                return
            state = scope.setdefault("state", {})
            state["actor"] = msgspec.structs.replace(actor, request_id=state.get("request_id"))
            await app(scope, receive, send)

        return middleware

    return factory
