"""Short forms of what the tests of lists do again and again, through HTTP."""

from __future__ import annotations

from typing import Any

import httpx

from commerce.infra.db import Tx
from tests.support import Client, Item, Shop

ANY = {"If-Match": "*"}


async def wish(client: Client, item: Item, quantity: int = 1, where: str = "wish", **more: Any) -> dict[str, Any]:
    """Put an item on a list, whatever its version."""
    answer = await client.put(f"/v1/lists/{where}/lines/{item.sku}", {"quantity": quantity, **more}, headers=ANY)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def into_cart(client: Client, item: Item, quantity: int = 1) -> dict[str, Any]:
    """Put an item into the open cart."""
    answer = await client.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": quantity}, headers=ANY)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def as_gift(client: Client, item: Item, message: str) -> None:
    """Say of a line in the open cart that it is a gift."""
    path = f"/v1/carts/current/lines/{item.sku}/fulfillment"
    answer = await client.put(path, {"gift": {"message": message}}, headers=ANY)
    assert answer.status_code == 200, answer.text


async def read(client: Client, where: str = "wish") -> dict[str, Any]:
    """A list as its owner sees it."""
    answer = await client.get(f"/v1/lists/{where}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def cart(client: Client) -> dict[str, int]:
    """What the open cart holds, by SKU."""
    return held((await client.get("/v1/carts/current")).json())


def held(view: dict[str, Any]) -> dict[str, int]:
    """Quantities by SKU of a shown list or cart."""
    return {line["sku"]: line["quantity"] for line in view["lines"]}


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and kind of a refusal."""
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def told(answer: httpx.Response) -> list[tuple[str, str, int, int, str | None]]:
    """What became of each line: SKU, outcome, added, quantity in the cart, reason."""
    assert answer.status_code == 200, answer.text
    return [
        (line["sku"], line["outcome"], line["added"], line["quantity"], line["reason"])
        for line in answer.json()["lines"]
    ]


async def run(shop: Shop, statement: str, **values: Any) -> None:
    """A change behind the API's back."""

    async def work(tx: Tx) -> None:
        await tx.execute(statement, **values)

    await shop.db.write(work)


async def events(shop: Shop, list_id: str) -> list[tuple[str, int]]:
    """What was published about a list."""
    from uuid import UUID

    async def work(tx: Tx) -> list[tuple[str, int]]:
        rows = await tx.rows(
            "SELECT type, version FROM infra.outbox WHERE aggregate = 'list' AND aggregate_id = :id ORDER BY version",
            id=UUID(list_id),
        )
        return [(row.type, row.version) for row in rows]

    return await shop.db.read(work)
