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
        self,
        method: str,
        path: str,
        expected: int,
        *,
        token: str | None = None,
        body: Any = None,
        key: bool = False,
        seen: str | None = None,
    ) -> bytes:
        """One request; the body of its answer. `seen` is sent as If-Match. Raises Unexpected."""
        headers = {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = str(uuid7())
        if seen is not None:
            headers["If-Match"] = seen
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
    """A unit of work by name; `supplied` flows use up one supply each, with `lasting` each task keeps one of its own."""

    title: str
    run: Callable[[Step], Awaitable[None]]
    supplied: bool = False
    lasting: bool = False


class Seen(msgspec.Struct, frozen=True):
    """What a client remembers of a cart that it was shown."""

    version: int


SEEN: dict[str, int] = {}
"""The version of the cart that each shopper saw last, by his token; all carts begin with 1."""


async def hello(step: Step) -> None:
    """The floor: a bare JSON answer."""
    await step.ask("GET", "/", 200)


async def product_list(step: Step) -> None:
    """A page of 24 products of a category."""
    category = step.random.choice(step.world.categories)
    await step.ask("GET", f"/v1/catalog/products?category={category}&limit=24", 200, token=step.world.key)


async def product_page(step: Step) -> None:
    """One product with its variants, prices and availability in every store."""
    slug = step.random.choice(step.world.slugs)
    await step.ask("GET", f"/v1/catalog/products/{slug}", 200, token=step.world.key)


async def put_and_read_cart(step: Step) -> None:
    """Change the quantity of a line, then read the priced cart, as the next page does."""
    shopper: Shopper = step.supply
    line, sku = {"quantity": step.random.randint(2, 9)}, step.random.choice(shopper.skus)
    seen = f'"{SEEN.get(shopper.token, 1)}"'
    await step.ask("PUT", f"/v1/carts/current/lines/{sku}", 200, token=shopper.token, body=line, key=True, seen=seen)
    cart = await step.ask("GET", "/v1/carts/current", 200, token=shopper.token)
    SEEN[shopper.token] = msgspec.json.decode(cart, type=Seen).version


async def place(step: Step) -> None:
    """Order the lines of a cart made beforehand for collection in a store, to be paid there."""
    shopper: Shopper = step.supply
    await _place(step, shopper.token, shopper.total)


async def place_by_plan(step: Step) -> None:
    """The same for what the store does not have: it is sent there from the warehouse."""
    shopper: Shopper = step.supply
    await _place(step, shopper.token, shopper.total, later=True)


async def availability(step: Step) -> None:
    """Where 24 variants are, in the 20 stores that are nearest to a point."""
    asked = "&".join(f"sku={sku}" for sku in step.random.sample(step.world.skus, 24))
    near = f"{55 + step.random.random():.4f},{37 + step.random.random():.4f}"
    await step.ask("GET", f"/v1/availability?{asked}&near={near}&limit=20", 200, token=step.world.key)


async def full_flow(step: Step) -> None:
    """A new shopper comes, puts two things into the cart, reads it and orders."""
    signed_in = msgspec.json.decode(await step.ask("POST", "/v1/auth/anonymous", 201, token=step.world.key, body={}))
    token = signed_in["access_token"]
    for sku in step.random.sample(step.world.skus, 2):
        line = {"quantity": 1}
        await step.ask("PUT", f"/v1/carts/current/lines/{sku}", 200, token=token, body=line, key=True, seen="*")
    cart = msgspec.json.decode(await step.ask("GET", "/v1/carts/current", 200, token=token))
    await _place(step, token, cart["subtotal"]["amount"])


async def _place(step: Step, token: str, total: int, *, later: bool = False) -> None:
    body = {
        "expected_total": {"amount": total, "currency": "RUB"},
        "pickup": {"location": step.random.choice(step.world.stores)} | ({"later": True} if later else {}),
        "contact": {"name": "Анна Петрова", "email": "anna.petrova@example.com", "phone": "+79161234567"},
    }
    await step.ask("POST", "/v1/orders", 201, token=token, body=body, key=True)


FLOWS = {
    "hello": Flow("bare hello endpoint", hello),
    "product_list": Flow("product list of 24", product_list),
    "product_page": Flow("product with availability in every store", product_page),
    "put_and_read_cart": Flow("put a cart line + read the cart, 1 line", put_and_read_cart, supplied=True),
    "put_and_read_cart_100": Flow(
        "put a cart line + read the cart, 100 lines", put_and_read_cart, supplied=True, lasting=True
    ),
    "place": Flow("place a click-and-collect order", place, supplied=True),
    "place_by_plan": Flow("place what a warehouse sends to the store", place_by_plan, supplied=True),
    "full_flow": Flow("new shopper -> cart -> order (5 requests)", full_flow),
    "hot": Flow("place, all of them one variant in one store", place, supplied=True),
    "spread": Flow("place, spread over 1,000 variants", place, supplied=True),
    "availability": Flow("availability of 24 variants in 20 stores", availability),
}
