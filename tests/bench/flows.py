"""What is measured, as a client sees it: each flow is one unit of work over HTTP, every answer checked."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import msgspec

from commerce.kernel.ids import uuid7

__all__ = ["FLOWS", "Flow", "Shopper", "Step", "Unexpected", "World"]


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What the load client knows of the shop: the publishable key of the site, and what there is to ask for."""

    key: str
    slugs: Sequence[str]
    categories: Sequence[str]
    skus: Sequence[str]
    stores: Sequence[str]


class Shopper(msgspec.Struct, frozen=True):
    """A shopper with an open cart: his access token, what lies in the cart and what it costs."""

    token: str
    skus: Sequence[str]
    total: int


class Unexpected(Exception):
    """An answer with another status than the flow needs; the text says which."""


class Step(msgspec.Struct, frozen=True):
    """One run of a flow: the connection pool, what it may choose from, and what it uses up."""

    session: aiohttp.ClientSession
    world: World
    random: random.Random
    number: int
    """Which of the concurrent tasks runs it."""
    supply: Any

    async def ask(
        self, method: str, path: str, expected: int, *, token: str | None = None, body: Any = None, key: bool = False
    ) -> bytes:
        """One request; the body of its answer. Raises Unexpected."""
        headers = {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = str(uuid7())
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = msgspec.json.encode(body)
        async with self.session.request(method, path, headers=headers, data=data) as answer:
            content = await answer.read()
        if answer.status != expected:
            raise Unexpected(f"{method} {path.partition('?')[0]} answered {answer.status} {_kind_of(content)}")
        return content


def _kind_of(content: bytes) -> str:
    try:
        document = msgspec.json.decode(content)
        return str(document.get("type", "")) + "".join(f" {e}" for e in document.get("errors", ())[:1])
    except (msgspec.DecodeError, AttributeError):
        return content[:100].decode("utf-8", "replace")


class Flow(msgspec.Struct, frozen=True):
    """A unit of work by name; `supplied` flows use up one supply each."""

    title: str
    run: Callable[[Step], Awaitable[None]]
    supplied: bool = False


async def hello(step: Step) -> None:
    """The floor: a bare JSON answer."""
    await step.ask("GET", "/", 200)
