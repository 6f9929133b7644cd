"""Which pages may call: the browser's `Origin` against the origins that the credentials' client lists (decisions/0024)."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.types import Receive, Scope, Send

from commerce.auth.keyring import KeyRing
from commerce.infra import cors
from commerce.infra.cors import OriginNotAllowed, SecretKeyInBrowser
from commerce.infra.http import EXCEPTION_HANDLERS
from commerce.infra.limits import UNLIMITED, Limits
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Problem


class Origins:
    """The edge's questions about pages, answered from the key ring's memory."""

    def __init__(self, ring: KeyRing, limits: Limits) -> None:
        self._ring = ring
        self._limits = limits

    def check(self, scope: Scope, actor: Actor, credential: str | None, origin: bytes) -> None:
        """Let a page's request pass when its client lists the page's origin, or the page is our own documentation.

        Without credentials nothing answers but health and documentation; they are not concerned. Raises SecretKeyInBrowser,
        OriginNotAllowed.
        """
        if credential is None:
            return
        state: dict[str, Any] = scope["state"]
        state["origin_allowed"] = False
        if credential.startswith("sk_"):
            raise SecretKeyInBrowser
        text = origin.decode("latin-1")
        if not self._ring.allows(actor, text) and not cors.same_origin(scope, origin):
            raise OriginNotAllowed(origin=text)
        state["origin_allowed"] = True

    def headers(self, scope: Scope, origin: bytes) -> list[tuple[bytes, bytes]]:
        """What an answer says to the page that asked. Refusals of the router and of unproven credentials, which no client stands
        behind, may be read by every page that some frontend lists."""
        allowed = scope["state"].get("origin_allowed")
        if allowed is None:
            allowed = self._ring.listed(origin.decode("latin-1"))
        return cors.allowed(origin) if allowed else [cors.VARY]

    async def answer_preflight(self, scope: Scope, receive: Receive, send: Send) -> None:
        """204 with the headers when some live frontend lists the origin: the browser sends no credentials with this question, which is
        counted by address. The request that follows is held against its own client."""
        origin = next(value for name, value in scope["headers"] if name == b"origin")
        text = origin.decode("latin-1")
        try:
            if self._limits.on and not scope["path"].startswith(UNLIMITED):
                self._limits.admit_preflight(scope)
            if not await self._ring.knows(text) and not cors.same_origin(scope, origin):
                raise OriginNotAllowed(origin=text)
        except Problem as problem:
            request: Request[Any, Any, Any] = Request(scope)
            await EXCEPTION_HANDLERS[Problem](request, problem).to_asgi_response(None, request)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 204, "headers": cors.preflight(origin)})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
