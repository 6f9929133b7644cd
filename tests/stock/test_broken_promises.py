"""What happens to a promise that a physical fact has broken: given up, made good, handed over all the same."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from commerce import stock
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from commerce.stock.tasks import sweep_expired
from tests.stock.shelves import aside, checkout, demand, fresh, fulfillment, movements_of, posted, safety, shelf
from tests.support import Item, Shop, Store, clock
from tests.support_statements import count_statements

pytestmark = pytest.mark.usefixtures("audited")


async def broken(db: Database, shop: Shop, promised: int, lost: int) -> tuple[Store, Item, stock.Owner, UUID]:
    """A store with nothing on the shelf but what is left of one promise: store, item, owner, line."""
    store, item, owner, line_id = await shop.store(), await shop.item(), fulfillment(), uuid7()
    await shop.stock(store, item, promised)
    await db.write(
        stock.promise, shop.system, owner=owner, demands=[demand(store, item, promised, line_id)], cause=fresh()
    )
    await sold(db, shop, store, item, lost)
    return store, item, owner, line_id


async def sold(db: Database, shop: Shop, store: Store, item: Item, quantity: int) -> None:
    lines = [stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=quantity)]
    await db.write(stock.sell, shop.system, cause=fresh(), location_id=store.id, lines=lines)


async def lost(db: Database, owner: stock.Owner) -> dict[UUID, dict[UUID, int]]:
    return await db.read(stock.lost, kind=owner.kind, ids=[owner.id])


async def test_what_is_lost_is_given_up_before_what_is_there(db: Database, shop: Shop) -> None:
    store, item, owner, line_id = await broken(db, shop, 3, 1)
    assert await lost(db, owner) == {owner.id: {line_id: 1}}
    first, second = fresh("cancel"), fresh("cancel")
    for _ in range(2):  # only what is lost: nothing moves, and sent again it is not given up twice
        given = await db.write(stock.release, shop.system, owner=owner, cause=first, lines={line_id: 1})
        assert given == {}
        assert await aside(db, owner) == [("committed", 3, 2, 0)]
        assert await shelf(db, store, item) == (0, 0, 2)
    assert (await posted(db, first), await movements_of(db, first), await lost(db, owner)) == (1, [], {})
    await sold(db, shop, store, item, 1)
    for _ in range(2):  # one that is lost, and one that is there
        given = await db.write(stock.release, shop.system, owner=owner, cause=second, lines={line_id: 2})
        assert given == {line_id: 1}
        assert await aside(db, owner) == [("released", 3, 0, 0)]
        assert await shelf(db, store, item) == (1, 0, 0)
    assert await movements_of(db, second) == [(1, "committed", "available")]


async def test_a_promise_that_is_gone_altogether_is_given_up_unit_by_unit(db: Database, shop: Shop) -> None:
    store, item, owner, line_id = await broken(db, shop, 2, 2)
    assert await db.write(stock.release, shop.system, owner=owner, cause=fresh(), lines={line_id: 1}) == {}
    assert await aside(db, owner) == [("short", 2, 0, 1)]
    assert await db.write(stock.release, shop.system, owner=owner, cause=fresh()) == {}
    assert await aside(db, owner) == [("released", 2, 0, 0)]
    await shop.stock(store, item, 2)
    cause = fresh()
    assert await db.write(stock.promise_again, shop.system, owner=owner, cause=cause) == {}
    assert (await posted(db, cause), await shelf(db, store, item)) == (0, (2, 0, 0))
    with pytest.raises(stock.ReservationShort):
        await db.write(stock.hand_over, shop.system, owner=owner, cause=fresh(), lines={line_id: 1})


async def test_a_checkout_that_is_given_up_takes_nothing_again(db: Database, shop: Shop) -> None:
    store, item, owner = await shop.store(), await shop.item(), checkout()
    await shop.stock(store, item, 2)
    until = clock() + timedelta(minutes=1)
    await db.write(
        stock.reserve, shop.system, owner=owner, demands=[demand(store, item, 2)], cause=fresh(), expires_at=until
    )
    clock.travel(timedelta(minutes=2))
    await sweep_expired(db)
    assert await aside(db, owner) == [("expired", 2, 0, 2)]
    assert await db.write(stock.release, shop.system, owner=owner, cause=fresh()) == {}
    await db.write(stock.commit, shop.system, owner=owner, cause=fresh())
    assert (await aside(db, owner), await shelf(db, store, item)) == ([("released", 2, 0, 0)], (2, 0, 0))


async def test_what_is_lost_is_promised_again_as_much_as_there_is(db: Database, shop: Shop) -> None:
    store, item, owner, line_id = await broken(db, shop, 4, 3)
    await safety(shop, store, item, 5)
    assert await db.write(stock.promise_again, shop.system, owner=owner, cause=fresh()) == {}
    assert await aside(db, owner) == [("committed", 4, 1, 3)]
    await shop.stock(store, item, 2)
    cause = fresh("check")
    for _ in range(2):
        assert await db.write(stock.promise_again, shop.system, owner=owner, cause=cause) == {line_id: 2}
        assert await aside(db, owner) == [("committed", 4, 3, 1)]
        assert await shelf(db, store, item) == (0, 0, 3)
    assert await movements_of(db, cause) == [(2, "available", "committed")]
    await shop.stock(store, item, 5)
    async with count_statements(db) as statements:
        assert await db.write(stock.promise_again, shop.system, owner=owner, cause=fresh()) == {line_id: 1}
    assert len(statements) == 2 + 2
    assert (await aside(db, owner), await lost(db, owner)) == ([("committed", 4, 4, 0)], {})
    assert await db.write(stock.promise_again, shop.system, owner=owner, cause=fresh()) == {}
    assert await shelf(db, store, item) == (4, 0, 4)


async def test_a_promise_is_made_good_with_what_others_let_expire(db: Database, shop: Shop) -> None:
    store, item, owner, line_id = await broken(db, shop, 2, 2)
    await shop.stock(store, item, 2)
    baskets = checkout(), checkout()
    for basket in baskets:
        await db.write(
            stock.reserve, shop.system, owner=basket, demands=[demand(store, item, 1)], cause=fresh(),
            expires_at=clock() + timedelta(minutes=5),
        )  # fmt: skip
    assert await db.write(stock.promise_again, shop.system, owner=owner, cause=fresh()) == {}
    assert await aside(db, baskets[0]) == await aside(db, baskets[1]) == [("reserved", 1, 1, 0)]
    clock.travel(timedelta(minutes=6))
    async with count_statements(db) as statements:
        assert await db.write(stock.promise_again, shop.system, owner=owner, cause=fresh()) == {line_id: 2}
    assert len(statements) == 2 + 5
    assert await aside(db, baskets[0]) == await aside(db, baskets[1]) == [("expired", 1, 0, 1)]
    assert await shelf(db, store, item) == (0, 0, 2)


async def test_whoever_holds_it_in_his_hands_gets_it(db: Database, shop: Shop) -> None:
    store, item, owner, line_id = await broken(db, shop, 3, 2)
    await safety(shop, store, item, 9)
    with pytest.raises(stock.ReservationShort) as refusal:
        await db.write(stock.hand_over, shop.system, owner=owner, cause=fresh())
    assert refusal.value.members["lines"] == [{"line_id": str(line_id), "wanted": 3, "left": 1}]
    await shop.stock(store, item, 1)
    with pytest.raises(stock.ReservationShort) as refusal:
        await db.write(stock.hand_over, shop.system, owner=owner, cause=fresh())
    assert refusal.value.members["lines"] == [{"line_id": str(line_id), "wanted": 3, "left": 2}]
    assert (await aside(db, owner), await shelf(db, store, item)) == ([("committed", 3, 1, 2)], (1, 0, 1))
    cause = fresh("hand_over")
    for _ in range(2):
        handed = await db.write(stock.hand_over, shop.system, owner=owner, cause=cause, lines={line_id: 2})
        assert [(h.line_id, h.variant_id, h.quantity, h.unit_cost) for h in handed] == [(line_id, item.id, 2, 50_000)]
        assert await aside(db, owner) == [("fulfilled", 3, 0, 1)]
        assert await shelf(db, store, item) == (0, 0, 0)
    assert await movements_of(db, cause) == [(1, "committed", "customer"), (1, "available", "customer")]
    await shop.stock(store, item, 1)
    assert await db.write(stock.promise_again, shop.system, owner=owner, cause=fresh()) == {line_id: 1}
    await db.write(stock.hand_over, shop.system, owner=owner, cause=fresh())
    assert (await aside(db, owner), await shelf(db, store, item)) == ([("fulfilled", 3, 0, 0)], (0, 0, 0))
    with pytest.raises(stock.ReservationShort):
        await db.write(stock.hand_over, shop.system, owner=owner, cause=fresh(), lines={line_id: 1})


async def test_the_promises_of_others_are_not_touched(db: Database, shop: Shop) -> None:
    store, item, owner, line_id = await broken(db, shop, 1, 1)
    other = fulfillment()
    await shop.stock(store, item, 1)
    await db.write(stock.promise, shop.system, owner=other, demands=[demand(store, item, 1)], cause=fresh())
    with pytest.raises(stock.ReservationShort):
        await db.write(stock.hand_over, shop.system, owner=owner, cause=fresh(), lines={line_id: 1})
    assert (await aside(db, owner), await aside(db, other)) == ([("short", 1, 0, 1)], [("committed", 1, 1, 0)])


async def test_what_expired_is_for_sale_only_above_the_safety_stock(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    await db.write(
        stock.reserve, shop.system, owner=checkout(), demands=[demand(store, item, 5)], cause=fresh(),
        expires_at=clock() + timedelta(seconds=1),
    )  # fmt: skip
    await safety(shop, store, item, 2)
    clock.travel(timedelta(minutes=1))
    [level] = await db.read(stock.levels, variant_ids=[item.id])
    assert (level.available, level.ats) == (0, 3)
    with pytest.raises(stock.InsufficientStock) as refusal:
        await db.write(stock.promise, shop.system, owner=fulfillment(), demands=[demand(store, item, 4)], cause=fresh())
    assert (refusal.value.short[0].wanted, refusal.value.short[0].left) == (4, 3)
    assert await shelf(db, store, item) == (0, 5, 0)
    await db.write(stock.promise, shop.system, owner=fulfillment(), demands=[demand(store, item, 3)], cause=fresh())
    assert await shelf(db, store, item) == (2, 0, 3)
    await safety(shop, store, item, 9)
    with pytest.raises(stock.InsufficientStock) as refusal:
        await db.write(stock.promise, shop.system, owner=fulfillment(), demands=[demand(store, item, 1)], cause=fresh())
    assert refusal.value.short[0].left == 0


async def test_the_sweep_books_on_the_date_of_each_store(db: Database, shop: Shop) -> None:
    clock.stand_at(datetime(2027, 3, 1, 21, 30, tzinfo=UTC))
    moscow, kaliningrad = await shop.store(), await shop.store(time_zone="Europe/Kaliningrad")
    item = await shop.item()
    for store in (moscow, kaliningrad):
        await shop.stock(store, item, 1)
        await db.write(
            stock.reserve, shop.system, owner=checkout(), demands=[demand(store, item, 1)], cause=fresh(),
            expires_at=clock() - timedelta(hours=1),
        )  # fmt: skip
    await sweep_expired(db)

    async def dates(tx: Tx) -> dict[UUID, date]:
        rows = await tx.rows(
            """
            SELECT m.to_location_id AS place, p.business_date FROM stock.postings p JOIN stock.movements m ON m.posting_id = p.id
            WHERE p.cause_kind = 'reservation_expiry' AND m.variant_id = :item
            """,
            item=item.id,
        )
        return {row.place: row.business_date for row in rows}

    assert await db.read(dates) == {moscow.id: date(2027, 3, 2), kaliningrad.id: date(2027, 3, 1)}
