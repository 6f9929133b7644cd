"""Bundles in a cart, and goods that its shopper waits for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from litestar import Litestar

from commerce.infra.db import Database
from tests.carts.test_cart_routes import current, messages, put
from tests.storefront.test_waiting_and_bundles import announce
from tests.support import Item, Shop, clock
from tests.support_statements import count_statements

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


def shown(view: dict[str, Any], item: Item) -> tuple[str, int, str | None]:
    line = next(line for line in view["lines"] if line["sku"] == item.sku)
    return line["availability"], line["available"], line["expected_on"]


async def test_a_bundle_counts_what_is_whole(shop: Shop, audited: None) -> None:
    hoodie, cap = await shop.item(), await shop.item()
    bundle = await shop.bundle({hoodie: 1, cap: 2}, price=5_000)
    a, b = await shop.store(), await shop.store()
    await shop.stock(a, hoodie, 9)
    await shop.stock(a, cap, 5)
    await shop.stock(b, cap, 50)
    client = await shop.shopper()
    for item, quantity in ((bundle, 3), (hoodie, 2), (cap, 1)):
        assert (await put(client, item, quantity)).status_code == 200
    view = await current(client)
    assert shown(view, bundle) == ("few", 2, None)
    assert shown(view, hoodie) == ("in_stock", 9, None)
    assert shown(view, cap) == ("in_stock", 55, None)
    assert view["messages"] == [{"code": "only_n_left", "sku": bundle.sku, "available": 2}]
    assert view["subtotal"]["amount"] == 3 * 5_000 + 3 * 129_900
    await shop.stock(b, hoodie, 9)
    view = await current(client)
    assert shown(view, bundle) == ("in_stock", 11, None)
    assert view["messages"] == []


async def test_a_bundle_of_what_is_nowhere_together(shop: Shop) -> None:
    hoodie, cap = await shop.item(), await shop.item()
    bundle = await shop.bundle({hoodie: 1, cap: 1})
    await shop.stock(await shop.store(), hoodie, 9)
    await shop.stock(await shop.store(), cap, 9)
    client = await shop.shopper()
    await put(client, bundle, 1)
    view = await current(client)
    assert shown(view, bundle) == ("sold_out", 0, None)
    assert messages(view) == [(bundle.sku, "sold_out")]


async def test_what_may_wait_is_not_sold_out(shop: Shop, db: Database, audited: None) -> None:
    clock.stand_at(NOW)
    store = await shop.store()
    later, ahead, never = (
        await shop.item(when_out="backorder"),
        await shop.item(when_out="preorder", preorder_until=NOW + timedelta(minutes=30)),
        await shop.item(),
    )
    client = await shop.shopper()
    for second, item in enumerate((later, ahead, never)):
        clock.stand_at(NOW + timedelta(seconds=second))
        await put(client, item, 5)
    view = await current(client)
    assert messages(view) == [(later.sku, "sold_out"), (ahead.sku, "sold_out"), (never.sku, "sold_out")]
    for item, quantity, day in (
        (later, 3, 20), (later, 4, 10), (later, 9, 28), (ahead, 5, 12), (never, 9, 5),
    ):  # fmt: skip
        await announce(db, store, item, quantity, date(2026, 11, day))
    view = await current(client)
    assert [shown(view, item) for item in (later, ahead, never)] == [
        ("expected", 0, "2026-11-20"), ("expected", 0, "2026-11-12"), ("sold_out", 0, None),
    ]  # fmt: skip
    assert view["messages"] == [
        {"code": "expected", "sku": later.sku, "available": 0, "expected_on": "2026-11-20"},
        {"code": "expected", "sku": ahead.sku, "available": 0, "expected_on": "2026-11-12"},
        {"code": "sold_out", "sku": never.sku},
    ]
    await shop.stock(store, later, 2)
    await put(client, later, 6)
    view = (await put(client, ahead, 6)).json()
    assert [shown(view, item) for item in (later, ahead)] == [("few", 2, "2026-11-10"), ("sold_out", 0, None)]
    assert view["messages"][:2] == [
        {"code": "expected", "sku": later.sku, "available": 2, "expected_on": "2026-11-10"},
        {"code": "sold_out", "sku": ahead.sku},
    ]
    view = (await put(client, later, 2)).json()
    assert shown(view, later) == ("few", 2, None)
    assert messages(view)[0] == (ahead.sku, "sold_out")
    view = (await put(client, later, 19)).json()
    assert view["messages"][0] == {"code": "only_n_left", "sku": later.sku, "available": 2}


async def test_the_day_has_passed(shop: Shop, db: Database) -> None:
    clock.stand_at(NOW)
    item = await shop.item(when_out="backorder")
    await announce(db, await shop.store(), item, 3, date(2026, 11, 1))
    client = await shop.shopper()
    view = (await put(client, item, 1)).json()
    assert shown(view, item) == ("expected", 0, None)
    assert view["messages"] == [{"code": "expected", "sku": item.sku, "available": 0}]


async def test_statements(shop: Shop, app: Litestar) -> None:
    parts = [await shop.item() for _ in range(3)]
    plain, bundle, waiting = (
        parts[0],
        await shop.bundle(dict.fromkeys(parts, 2)),
        await shop.item(when_out="backorder"),
    )
    store = await shop.store()
    for part in parts:
        await shop.stock(store, part, 20)
    client = await shop.shopper()
    for items, reads, puts in (([plain], 2, 6), ([plain, bundle], 3, 7), ([plain, bundle, waiting], 4, 8)):
        for item in items:
            await put(client, item, 1)
        async with count_statements(app.state.db) as read:
            await current(client)
        assert len(read) == reads, read
        async with count_statements(app.state.db) as written:
            await put(client, plain, 2)
        assert len(written) == puts, written
