"""Goods between two locations: what is free, what is an order's, what is missing on arrival."""

from __future__ import annotations

from datetime import date

import pytest

from commerce import stock
from commerce.infra.db import Database
from commerce.kernel.ids import uuid7
from tests.stock.shelves import aside, events_of, fresh, fulfillment, movements_of, shelf
from tests.support import Item, Shop, Store

pytestmark = pytest.mark.usefixtures("audited")
SOON = date(2027, 3, 1)


class Journey:
    """A transfer between two locations, as the stock room sees it."""

    def __init__(self, db: Database, shop: Shop, source: Store, destination: Store) -> None:
        self.db, self.shop, self.source, self.destination = db, shop, source, destination
        self.id = uuid7()
        self.owner = stock.Owner("transfer", self.id)

    async def own(self, item: Item, quantity: int) -> stock.Freight:
        """Goods that the transfer sets aside for itself."""
        line = uuid7()
        demand = stock.Demand(line_id=line, location_id=self.source.id, variant_id=item.id, quantity=quantity)
        await self.db.write(stock.promise, self.shop.system, owner=self.owner, demands=[demand], cause=fresh("ready"))
        return stock.Freight(id=line, variant_id=item.id, quantity=quantity, owner=self.owner, line_id=line)

    async def ordered(self, item: Item, quantity: int, *, sent: int | None = None) -> tuple[stock.Owner, stock.Freight]:
        """Goods that an order has at the source."""
        owner, line = fulfillment(), uuid7()
        demand = stock.Demand(line_id=line, location_id=self.source.id, variant_id=item.id, quantity=quantity)
        await self.db.write(stock.promise, self.shop.system, owner=owner, demands=[demand], cause=fresh("placed"))
        return owner, stock.Freight(
            id=uuid7(), variant_id=item.id, quantity=quantity if sent is None else sent, owner=owner, line_id=line
        )

    async def leave(self, *freight: stock.Freight, cause: stock.Cause | None = None) -> None:
        await self.db.write(
            stock.dispatch, self.shop.system, cause=cause or fresh("dispatch"), document_id=self.id,
            source_id=self.source.id, destination_id=self.destination.id, lines=freight, expected_on=SOON,
        )  # fmt: skip

    async def arrive(self, *lines: stock.Arrival, cause: stock.Cause | None = None) -> stock.Cause:
        cause = cause or fresh("arrival")
        await self.db.write(
            stock.arrive, self.shop.system, cause=cause, destination_id=self.destination.id, lines=lines
        )
        return cause

    async def travelling(self, item: Item) -> tuple[int, int]:
        """in_transit and in_transit_committed at the destination."""
        for level in await self.db.read(stock.levels, variant_ids=[item.id], location_ids=[self.destination.id]):
            return level.in_transit, level.in_transit_committed
        return 0, 0


@pytest.fixture
async def journey(db: Database, shop: Shop) -> Journey:
    return Journey(db, shop, await shop.store(), await shop.store())


def came(freight: stock.Freight, quantity: int, bucket: stock.ArrivalBucket = "available") -> stock.Arrival:
    return stock.Arrival(id=freight.id, variant_id=freight.variant_id, quantity=quantity, bucket=bucket)


async def test_goods_leave_travel_and_arrive_once(db: Database, shop: Shop, journey: Journey) -> None:
    item = await shop.item()
    await shop.stock(journey.source, item, 10)
    freight = await journey.own(item, 4)
    assert await shelf(db, journey.source, item) == (6, 0, 4)
    left, there = fresh("dispatch"), fresh("arrival")
    for _ in range(2):
        await journey.leave(freight, cause=left)
    assert await movements_of(db, left) == [(4, "committed", "in_transit")]
    assert (await shelf(db, journey.source, item), await journey.travelling(item)) == ((6, 0, 0), (4, 0))
    assert [
        (plan.kind, plan.document_id, plan.expected_on, plan.free)
        for plan in await db.read(stock.inbound, variant_ids=[item.id])
    ] == [("transfer", journey.id, SOON, 4)]
    for _ in range(2):
        await journey.arrive(came(freight, 4), cause=there)
    assert (await shelf(db, journey.destination, item), await journey.travelling(item)) == ((4, 0, 0), (0, 0))
    assert await db.read(stock.inbound, variant_ids=[item.id]) == []
    with pytest.raises(stock.NotExpected):
        await journey.arrive(came(freight, 1))


async def test_an_orders_goods_stay_its_own_all_the_way(db: Database, shop: Shop, journey: Journey) -> None:
    item = await shop.item()
    await shop.stock(journey.source, item, 5)
    owner, freight = await journey.ordered(item, 3)
    free = await journey.own(item, 2)
    await journey.leave(freight, free)
    assert await journey.travelling(item) == (2, 3)
    here, there = journey.source.id, journey.destination.id
    assert await db.read(stock.whereabouts, kind="fulfillment", ids=[owner.id]) == {
        owner.id: {(there, "in_transit_committed"): 3}
    }
    assert here != there
    arrival = await journey.arrive(came(freight, 2), came(free, 2))
    assert await movements_of(db, arrival) == [(2, "in_transit_committed", "committed"), (2, "in_transit", "available")]
    assert [kind for kind, _ in await events_of(db, arrival)] == ["stock.promise_arrived"]
    assert await db.read(stock.whereabouts, kind="fulfillment", ids=[owner.id]) == {
        owner.id: {(there, "committed"): 2, (there, "in_transit_committed"): 1}
    }
    await journey.arrive(came(freight, 1))
    assert await shelf(db, journey.destination, item) == (2, 0, 3)
    handed = await db.write(stock.hand_over, shop.system, owner=owner, cause=fresh(), location_id=there)
    assert [done.quantity for done in handed] == [3]


async def test_a_part_of_an_order_travels(db: Database, shop: Shop, journey: Journey) -> None:
    item = await shop.item()
    await shop.stock(journey.source, item, 5)
    owner, freight = await journey.ordered(item, 5, sent=2)
    await journey.leave(freight)
    assert await db.read(stock.whereabouts, kind="fulfillment", ids=[owner.id]) == {
        owner.id: {(journey.source.id, "committed"): 3, (journey.destination.id, "in_transit_committed"): 2}
    }
    assert sorted(await aside(db, owner)) == [("committed", 2, 2, 0), ("committed", 3, 3, 0)]


async def test_what_is_missing_or_damaged_takes_free_goods_first(db: Database, shop: Shop, journey: Journey) -> None:
    item = await shop.item()
    await shop.stock(journey.source, item, 10)
    owner, freight = await journey.ordered(item, 4)
    await journey.leave(freight)
    waiting = fulfillment()
    arrival = await journey.arrive(came(freight, 1), came(freight, 1, "damaged"), came(freight, 2, "loss"))
    assert await movements_of(db, arrival) == [
        (1, "in_transit_committed", "committed"), (1, "in_transit_committed", "damaged"), (2, "in_transit_committed", "loss"),
    ]  # fmt: skip
    assert await db.read(stock.lost, kind="fulfillment", ids=[owner.id, waiting.id]) == {owner.id: {freight.line_id: 3}}
    assert {kind for kind, _ in await events_of(db, arrival)} == {"stock.promise_arrived", "stock.promise_broken"}
    # Made up from the shelf of the store that the customer comes to, wherever it was lost.
    await shop.stock(journey.destination, item, 2)
    found = await db.write(
        stock.promise_again, shop.system, owner=owner, cause=fresh(), location_id=journey.destination.id
    )
    assert found == {freight.line_id: 2}
    assert await shelf(db, journey.destination, item) == (0, 0, 3)


async def test_goods_on_their_way_can_be_promised_before_they_are_there(
    db: Database, shop: Shop, journey: Journey
) -> None:
    item = await shop.item()
    await shop.stock(journey.source, item, 5)
    freight = await journey.own(item, 5)
    await journey.leave(freight)
    owner, line = fulfillment(), uuid7()
    demand = stock.Demand(
        line_id=line, location_id=journey.destination.id, variant_id=item.id, quantity=3, expected_id=freight.id
    )
    await db.write(
        stock.promise, shop.system, owner=owner, demands=[demand], cause=stock.Cause("order_placed", owner.id)
    )
    await journey.arrive(came(freight, 3, "loss"))
    assert await db.read(stock.lost, kind="fulfillment", ids=[owner.id]) == {owner.id: {line: 1}}
    await journey.arrive(came(freight, 2))
    assert await shelf(db, journey.destination, item) == (0, 0, 2)


async def test_giving_up_on_the_way_frees_what_travels(db: Database, shop: Shop, journey: Journey) -> None:
    item = await shop.item()
    await shop.stock(journey.source, item, 5)
    owner, freight = await journey.ordered(item, 3)
    await journey.leave(freight)
    await db.write(stock.release, shop.system, owner=owner, cause=stock.Cause("fulfillment_cancelled", uuid7()))
    assert await journey.travelling(item) == (3, 0)
    assert [plan.free for plan in await db.read(stock.inbound, variant_ids=[item.id])] == [3]
    await journey.arrive(came(freight, 3))
    assert await shelf(db, journey.destination, item) == (3, 0, 0)


async def test_surplus_is_found_and_more_than_set_aside_does_not_leave(
    db: Database, shop: Shop, journey: Journey
) -> None:
    item = await shop.item()
    await shop.stock(journey.source, item, 2)
    freight = await journey.own(item, 2)
    greedy = stock.Freight(id=uuid7(), variant_id=item.id, quantity=3, owner=journey.owner, line_id=freight.line_id)
    with pytest.raises(stock.ReservationShort) as refused:
        await journey.leave(greedy)
    assert refused.value.members["lines"] == [{"line_id": str(freight.line_id), "wanted": 3, "left": 2}]
    await journey.leave(freight)
    surplus = stock.Arrival(id=freight.id, variant_id=item.id, quantity=1, surplus=True)
    arrival = await journey.arrive(came(freight, 2), surplus)
    assert await movements_of(db, arrival) == [(2, "in_transit", "available"), (1, "loss", "available")]
    assert await shelf(db, journey.destination, item) == (3, 0, 0)
