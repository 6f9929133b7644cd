"""Lines that are made of the same are not drawn again; whatever one is made of shows at once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from commerce.carts import pricing, queries
from commerce.carts.schemas import CartView
from commerce.infra.db import Database, Tx
from commerce.kernel.actor import Actor
from tests.support import Client, Item, Shop


async def execute(db: Database, statement: str, **values: Any) -> None:
    async def work(tx: Tx) -> None:
        assert await tx.execute(statement, **values) == 1

    await db.write(work)


async def read(db: Database, shopper: Client) -> CartView:
    actor = shopper.actor
    assert isinstance(actor, Actor)
    view = await db.read(queries.read, actor, cart="current", currency="RUB")
    assert view.encoded() == msgspec.json.encode(view)
    assert msgspec.json.decode(view.encoded(), type=CartView) == view
    return view


async def filled(shop: Shop, items: list[Item]) -> Client:
    shopper = await shop.shopper()
    lines = {"lines": [{"sku": item.sku, "quantity": 2} for item in items]}
    assert (await shopper.put("/v1/carts/current/lines", lines)).status_code == 200
    return shopper


@pytest.mark.parametrize(
    ("statement", "field", "value"),
    [
        ("UPDATE carts.lines SET quantity = 3 WHERE variant_id = :variant", "quantity", 3),
        ("UPDATE prices.prices SET amount = 170 WHERE variant_id = :variant", "unit_price", 170),
        ("UPDATE stock.levels SET available = available - 4 WHERE variant_id = :variant", "available", 6),
        ("UPDATE catalog.variants SET stop_sale_reason = 'recall' WHERE id = :variant", "sellable", False),
        ('UPDATE catalog.variants SET options = \'{"size": "XL"}\' WHERE id = :variant', "options", {"size": "XL"}),
    ],
)
async def test_what_changes_shows_and_the_rest_is_drawn_once(
    shop: Shop, db: Database, statement: str, field: str, value: Any
) -> None:
    item, other = await shop.item(price=100), await shop.item(price=200)
    store = await shop.store()
    for one in (item, other):
        await shop.stock(store, one, 10)
    shopper = await filled(shop, [item, other])
    await read(db, shopper)  # the catalog is remembered from here on
    before = {line.sku: line for line in (await read(db, shopper)).lines}
    again = {line.sku: line for line in (await read(db, shopper)).lines}
    assert again[item.sku] is before[item.sku]
    await execute(db, statement, variant=item.id)
    view = await read(db, shopper)
    if field == "available":  # the books of the stock shall be right again
        await execute(
            db, "UPDATE stock.levels SET available = available + 4 WHERE variant_id = :variant", variant=item.id
        )
    after = {line.sku: line for line in view.lines}
    assert after[other.sku] is before[other.sku]
    found = getattr(after[item.sku], field)
    assert (found.amount if field == "unit_price" else found) == value
    sold = [line for line in view.lines if line.sellable]
    assert view.subtotal.amount == sum(line.unit_price.amount * line.quantity for line in sold if line.unit_price)


async def test_the_memory_is_bounded(shop: Shop, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [await shop.item(price=100) for _ in range(2)]
    store = await shop.store()
    for item in items:
        await shop.stock(store, item, 10)
    monkeypatch.setattr(pricing, "MOST_DRAWN", 4)
    db.memory.pop("carts", None)
    for _ in range(3):
        await read(db, await filled(shop, items))
    drawings = db.memory["carts"]
    assert isinstance(drawings, pricing.Drawings)
    assert (len(drawings._carts), drawings._lines) == (2, 4)
