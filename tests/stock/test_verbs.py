"""The verbs of the stock room: what they move, what they refuse, what a replay does."""

from __future__ import annotations

from commerce import stock
from commerce.infra.db import Database
from commerce.kernel.ids import uuid7
from tests.support import Shop


async def test_promise_then_hand_over(db: Database, shop: Shop, audited: None) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5, unit_cost=1000)
    owner, line = stock.Owner("fulfillment", uuid7()), uuid7()
    cause = stock.Cause("test", uuid7())
    demand = stock.Demand(line_id=line, location_id=store.id, variant_id=item.id, quantity=2)
    for _ in range(2):
        await db.write(stock.promise, shop.system, owner=owner, demands=[demand], cause=cause)
    [level] = await db.read(stock.levels, variant_ids=[item.id])
    assert (level.available, level.committed, level.ats) == (3, 2, 3)
    out = stock.Cause("test", uuid7())
    for _ in range(2):
        handed = await db.write(stock.hand_over, shop.system, owner=owner, cause=out)
        assert handed == [stock.HandedOver(line_id=line, variant_id=item.id, quantity=2, unit_cost=1000)]
    [level] = await db.read(stock.levels, variant_ids=[item.id])
    assert (level.available, level.committed, level.ats) == (3, 0, 3)
    sale = stock.Cause("test", uuid7())
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand], cause=stock.Cause("test", uuid7()))
    for _ in range(2):
        sold = await db.write(
            stock.sell, shop.system, cause=sale, location_id=store.id,
            lines=[stock.SaleLine(line_id=line, variant_id=item.id, quantity=4)],
        )  # fmt: skip
        assert sold == [stock.HandedOver(line_id=line, variant_id=item.id, quantity=4, unit_cost=1000)]
    [level] = await db.read(stock.levels, variant_ids=[item.id])
    assert (level.available, level.committed, level.ats) == (0, 0, 0)
