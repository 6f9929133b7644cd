"""A cart tells whether there is enough: how many there are only where there are few or too few, or where the installation shows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from commerce import lists
from commerce.carts import queries
from commerce.infra.db import Database
from commerce.kernel.actor import Actor
from commerce.lists import queries as list_queries
from commerce.settings import Settings
from tests.carts.test_cart_routes import current, put
from tests.support import Client, Item, Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
async def open_handed(settings: Settings) -> AsyncIterator[Database]:
    """The database as a process reads it that shows quantities."""
    database = Database.open(
        msgspec.structs.replace(settings, show_quantities=True), clock=clock, name="commerce-tests-open"
    )
    yield database
    await database.close()


def told(view: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {line["sku"]: (line["availability"], line["available"]) for line in view["lines"]}


async def told_openly(db: Database, shopper: Client) -> dict[str, tuple[str, int]]:
    actor = shopper.actor
    assert isinstance(actor, Actor)
    view = await db.read(queries.read, actor, cart="current", currency="RUB")
    return {line.sku: (line.availability, line.available) for line in view.lines}


async def stocked(shop: Shop, *quantities: int, **values: Any) -> list[Item]:
    """An item for each number, half of it in one store and half in another."""
    one, other = await shop.store(), await shop.store()
    items = []
    for quantity in quantities:
        item = await shop.item(price=100, **values)
        for store, part in ((one, quantity // 2), (other, quantity - quantity // 2)):
            if part:
                await shop.stock(store, item, part)
        items.append(item)
    return items


async def test_plenty_is_told_as_what_is_enough(shop: Shop, open_handed: Database) -> None:
    none, five, six, seven, many, short = await stocked(shop, 0, 5, 6, 7, 500, 19)
    shopper = await shop.shopper()
    for item, quantity in ((none, 1), (five, 2), (six, 2), (seven, 7), (many, 40), (short, 20)):
        answer = await put(shopper, item, quantity)
        assert answer.status_code == 200
    expected = {
        none.sku: ("sold_out", 0), five.sku: ("few", 5), six.sku: ("in_stock", 6), seven.sku: ("in_stock", 7),
        many.sku: ("in_stock", 40), short.sku: ("in_stock", 19),
    }  # fmt: skip
    assert told(answer.json()) == expected
    view = await current(shopper)
    assert told(view) == expected
    assert view["messages"] == [
        {"code": "sold_out", "sku": none.sku},
        {"code": "only_n_left", "sku": short.sku, "available": 19},
    ]
    assert told((await put(shopper, seven, 1)).json())[seven.sku] == ("in_stock", 6)
    assert told((await put(shopper, many, 501)).json())[many.sku] == ("in_stock", 500)
    assert (await current(shopper))["messages"][1] == {"code": "only_n_left", "sku": many.sku, "available": 500}
    assert await told_openly(open_handed, shopper) == expected | {
        seven.sku: ("in_stock", 7),
        many.sku: ("in_stock", 500),
    }
    await put(shopper, many, 2)
    assert told(await current(shopper))[many.sku] == ("in_stock", 6)
    assert (await told_openly(open_handed, shopper))[many.sku] == ("in_stock", 500)


async def test_few_are_five_whole_units(shop: Shop, db: Database, open_handed: Database) -> None:
    scarce, plenty = await stocked(shop, 500, 900, quantity_unit="MTR", quantity_scale=2)
    shopper = await shop.shopper()
    for item in (scarce, plenty):
        assert (await put(shopper, item, 20)).status_code == 200
    expected = {scarce.sku: ("few", 500), plenty.sku: ("in_stock", 501)}
    db.memory.pop("catalog", None)
    assert await told_openly(db, shopper) == expected  # while nobody here knows the scale
    assert await told_openly(db, shopper) == expected
    assert await told_openly(open_handed, shopper) == expected | {plenty.sku: ("in_stock", 900)}


async def test_lines_that_become_one_are_counted_as_one(shop: Shop) -> None:
    (item,) = await stocked(shop, 100)
    anonymous, shopper = await shop.shopper(), await shop.shopper()
    await put(shopper, item, 8)
    await put(anonymous, item, 9)
    added = await shopper.post("/v1/carts/merge", {"token": anonymous.token, "policy": "sum"})
    assert added.status_code == 200, added.text
    view = await current(shopper)
    assert [(line["quantity"], line["available"], line["messages"]) for line in view["lines"]] == [(17, 17, [])]


async def test_a_list_tells_no_more(shop: Shop, db: Database, open_handed: Database) -> None:
    few, many = await stocked(shop, 4, 500)
    shopper = await shop.shopper()
    for item, quantity in ((few, 9), (many, 30)):
        answer = await shopper.put(
            f"/v1/lists/wish/lines/{item.sku}", {"quantity": quantity}, headers={"If-Match": "*"}
        )
        assert answer.status_code == 200
    assert told((await shopper.get("/v1/lists/wish")).json()) == {few.sku: ("few", 4), many.sku: ("in_stock", 30)}
    actor = shopper.actor
    assert isinstance(actor, Actor)
    for database, available in ((db, 30), (open_handed, 500)):
        view = await database.read(list_queries.read, actor, name="wish", currency="RUB")
        assert isinstance(view, lists.ListView)
        assert [line.available for line in view.lines] == [4, available]
