"""Bundles: set aside, handed over, lost and brought back by their components; callers count whole bundles."""

from __future__ import annotations

import pytest

from commerce import stock
from commerce.infra.db import Database
from commerce.kernel.ids import uuid7
from tests.stock.shelves import aside, events_of, fresh, fulfillment, movements_of, shelf
from tests.support import Item, Shop, Store

pytestmark = pytest.mark.usefixtures("audited")


def bundle_of(*parts: tuple[Item, int]) -> tuple[stock.Part, ...]:
    """So many of each item in one bundle."""
    return tuple(stock.Part(item.id, quantity) for item, quantity in parts)


def wanted(store: Store, bundle: Item, quantity: int, parts: tuple[stock.Part, ...]) -> stock.Demand:
    """So many bundles for a line."""
    return stock.Demand(
        line_id=uuid7(), location_id=store.id, variant_id=bundle.id, quantity=quantity, components=parts
    )


async def set_of(shop: Shop, hats: int, socks: int) -> tuple[Store, Item, Item, Item, tuple[stock.Part, ...]]:
    """A store, a set of one hat and two pairs of socks, and so many of each on the shelf."""
    store, hat, sock = await shop.store(), await shop.item(), await shop.item()
    bundle = await shop.bundle({hat: 1, sock: 2})
    if hats:
        await shop.stock(store, hat, hats, unit_cost=10_000)
    if socks:
        await shop.stock(store, sock, socks, unit_cost=2_000)
    return store, bundle, hat, sock, bundle_of((hat, 1), (sock, 2))


async def test_there_are_as_many_bundles_as_the_scarcest_component_allows(db: Database, shop: Shop) -> None:
    store, bundle, hat, sock, parts = await set_of(shop, 5, 7)
    bundles = {bundle.id: parts}
    found = await db.read(stock.levels, variant_ids=[bundle.id, hat.id], location_ids=[store.id], bundles=bundles)
    assert {level.variant_id: level.ats for level in found} == {bundle.id: 3, hat.id: 5}
    other = await shop.store()
    await shop.stock(other, sock, 100)  # socks alone are no set
    assert await db.read(stock.totals, [bundle.id, hat.id], bundles) == {bundle.id: 3, hat.id: 5}
    await shop.stock(other, hat, 2)
    assert await db.read(stock.totals, [bundle.id], bundles) == {bundle.id: 5}


async def test_a_bundle_is_promised_handed_over_and_brought_back_as_its_components(db: Database, shop: Shop) -> None:
    store, bundle, hat, sock, parts = await set_of(shop, 5, 10)
    owner, demand = fulfillment(), wanted(store, bundle, 3, parts)
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand], cause=fresh())
    assert await shelf(db, store, hat) == (2, 0, 3)
    assert await shelf(db, store, sock) == (4, 0, 6)

    freed = await db.write(stock.release, shop.system, owner=owner, cause=fresh(), lines={demand.line_id: 1})
    assert freed == {demand.line_id: 1}
    assert (await shelf(db, store, hat), await shelf(db, store, sock)) == ((3, 0, 2), (6, 0, 4))

    cause = fresh("hand_over_test")
    handed = await db.write(stock.hand_over, shop.system, owner=owner, cause=cause, lines={demand.line_id: 2})
    once = [stock.HandedOver(line_id=demand.line_id, variant_id=None, quantity=2, unit_cost=14_000)]
    assert handed == once
    assert await db.write(stock.hand_over, shop.system, owner=owner, cause=cause) == once, "a replay answers the same"
    assert (await shelf(db, store, hat), await shelf(db, store, sock)) == ((3, 0, 0), (6, 0, 0))
    assert await aside(db, owner) == [("fulfilled", 3, 0, 0), ("fulfilled", 6, 0, 0)]

    other = await shop.store()
    back = stock.TakeBackLine(variant_id=bundle.id, quantity=1, bucket="available", components=parts)
    await db.write(stock.take_back, shop.system, cause=fresh(), location_id=other.id, lines=[back])
    assert (await shelf(db, other, hat), await shelf(db, other, sock)) == ((1, 0, 0), (2, 0, 0))


async def test_two_lines_that_share_a_component_cannot_oversell_it_together(db: Database, shop: Shop) -> None:
    store, bundle, hat, sock, parts = await set_of(shop, 9, 5)
    pair = bundle_of((sock, 1))
    demands = [wanted(store, bundle, 2, parts), wanted(store, bundle, 2, pair)]
    with pytest.raises(stock.InsufficientStock) as refused:
        await db.write(stock.promise, shop.system, owner=fulfillment(), demands=demands, cause=fresh())
    assert [(short.variant_id, short.wanted, short.left) for short in refused.value.short] == [(sock.id, 6, 5)]
    assert (await shelf(db, store, hat), await shelf(db, store, sock)) == ((9, 0, 0), (5, 0, 0))
    demands = [wanted(store, bundle, 2, parts), wanted(store, bundle, 1, pair)]
    await db.write(stock.promise, shop.system, owner=fulfillment(), demands=demands, cause=fresh())
    assert (await shelf(db, store, hat), await shelf(db, store, sock)) == ((7, 0, 2), (0, 0, 5))


async def test_one_lost_component_breaks_the_whole_bundle_and_comes_back_alone(db: Database, shop: Shop) -> None:
    store, bundle, hat, sock, parts = await set_of(shop, 2, 4)
    owner, demand = fulfillment(), wanted(store, bundle, 2, parts)
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand], cause=fresh())
    sold = fresh("test_sale")
    await db.write(
        stock.sell, shop.system, cause=sold, location_id=store.id,
        lines=[stock.SaleLine(line_id=uuid7(), variant_id=sock.id, quantity=1)],
    )  # fmt: skip
    assert [kind for kind, _ in await events_of(db, sold)] == ["stock.promise_broken"]
    assert await db.read(stock.lost, kind="fulfillment", ids=[owner.id]) == {owner.id: {demand.line_id: 1}}
    with pytest.raises(stock.ReservationShort) as refused:
        await db.write(stock.hand_over, shop.system, owner=owner, cause=fresh(), lines={demand.line_id: 2})
    assert refused.value.members["lines"] == [{"line_id": str(demand.line_id), "wanted": 2, "left": 1}]
    await shop.stock(store, sock, 1)
    again = fresh("again")
    assert await db.write(stock.promise_again, shop.system, owner=owner, cause=again) == {demand.line_id: 1}
    assert await movements_of(db, again) == [(1, "available", "committed")]
    assert await db.read(stock.lost, kind="fulfillment", ids=[owner.id]) == {}
    handed = await db.write(stock.hand_over, shop.system, owner=owner, cause=fresh())
    assert [(done.quantity, done.variant_id) for done in handed] == [(2, None)]
    assert (await shelf(db, store, hat), await shelf(db, store, sock)) == ((0, 0, 0), (0, 0, 0))


async def test_a_till_sells_a_bundle_whatever_the_books_say(db: Database, shop: Shop) -> None:
    store, bundle, hat, sock, parts = await set_of(shop, 1, 1)
    cause, line = fresh("test_sale"), uuid7()
    sold = await db.write(
        stock.sell, shop.system, cause=cause, location_id=store.id,
        lines=[stock.SaleLine(line_id=line, variant_id=bundle.id, quantity=1, components=parts)],
    )  # fmt: skip
    assert sold == [stock.HandedOver(line_id=line, variant_id=None, quantity=1, unit_cost=14_000)]
    assert await movements_of(db, cause) == [
        (1, "loss", "available"), (1, "available", "customer"), (2, "available", "customer"),
    ]  # fmt: skip
    assert (await shelf(db, store, hat), await shelf(db, store, sock)) == ((0, 0, 0), (0, 0, 0))


@pytest.mark.parametrize("each", [2_148, 4_300])
async def test_more_components_than_a_level_can_tell_are_refused(db: Database, shop: Shop, each: int) -> None:
    store, hat = await shop.store(), await shop.item()
    bundle, line = await shop.bundle({hat: each}), uuid7()
    await shop.stock(store, hat, 5)
    parts = bundle_of((hat, each))
    sale = stock.SaleLine(line_id=line, variant_id=bundle.id, quantity=1_000_000, components=parts)
    with pytest.raises(stock.LevelTooHigh):
        await db.write(stock.sell, shop.system, cause=fresh("test_sale"), location_id=store.id, lines=[sale])
    demands = [wanted(store, bundle, 1_000_000, parts)]
    with pytest.raises(stock.InsufficientStock):
        await db.write(stock.promise, shop.system, owner=fulfillment(), demands=demands, cause=fresh())
    back = stock.TakeBackLine(variant_id=bundle.id, quantity=1_000_000, bucket="available", components=parts)
    with pytest.raises(stock.LevelTooHigh):
        await db.write(stock.take_back, shop.system, cause=fresh(), location_id=store.id, lines=[back])
    assert await shelf(db, store, hat) == (5, 0, 0)
