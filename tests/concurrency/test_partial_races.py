"""A store gives up one of two units that come from two places while something happens to the other, or to the same one: what stays is
still on its way, whatever comes first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from commerce import parts, stock
from commerce.infra import outbox
from commerce.kernel.ids import uuid7
from tests.concurrency.steps import every_switch
from tests.concurrency.test_document_races import works_at
from tests.orders.story import place, step
from tests.orders.test_plan import later, levels_at, linked
from tests.orders.test_plan_edges import transfers_of
from tests.support import Item, Shop, Store

pytestmark = pytest.mark.usefixtures("audited")


async def leaves(shop: Shop, first: Store, store: Store, item: Item) -> Any:
    sender = await shop.staff("store_manager", first.code)
    number = (await transfers_of(shop, store))[first.code][0]
    return sender.post(f"/v1/stores/{first.code}/transfers/{number}/dispatch", {})


async def arrives(shop: Shop, first: Store, store: Store, item: Item) -> Any:
    await (await leaves(shop, first, store, item))
    receiver = await shop.staff("store_manager", store.code)
    number = (await transfers_of(shop, store))[first.code][0]
    return receiver.post(f"/v1/stores/{store.code}/transfers/{number}/receive", {})


async def will_not_leave(shop: Shop, first: Store, store: Store, item: Item) -> Any:
    sender = await shop.staff("store_manager", first.code)
    number = (await transfers_of(shop, store))[first.code][0]
    return sender.post(f"/v1/transfers/{number}/cancel", {"reason": "not here"})


async def is_taken(shop: Shop, first: Store, store: Store, item: Item) -> Any:
    return shop.db.write(
        stock.sell, shop.system, cause=stock.Cause("test_sale", uuid7()), location_id=first.id,
        lines=[stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=1)],
    )  # fmt: skip


async def news_of_a_cancellation(shop: Shop, first: Store, store: Store, item: Item) -> Any:
    await (await will_not_leave(shop, first, store, item))
    return outbox.drain(shop.db, parts.subscribers())


@pytest.mark.parametrize("fact", [leaves, arrives, will_not_leave, is_taken, news_of_a_cancellation])
@pytest.mark.parametrize("way", [1, -1])
async def test_one_of_two_is_given_up(
    racers: Shop, observer: asyncpg.Connection, fact: Callable[..., Any], way: int
) -> None:
    async def scene() -> Any:
        first, second, store, item = (
            await racers.store(), await racers.store(), await racers.store(), await racers.item(price=100),
        )  # fmt: skip
        await linked(racers, store, *(first, second)[::way])
        await racers.stock(first, item, 1)
        await racers.stock(second, item, 1)
        customer, staff = await racers.shopper(), await racers.staff("store_manager", store.code)
        order = await place(customer, store, (item, 2), **later(store))
        other = await fact(racers, first, store, item)

        async def check(ends: Any) -> None:
            assert ends[0] == "ok"
            await outbox.drain(racers.db, parts.subscribers())
            entries = (await staff.get(f"/v1/stores/{store.code}/transfers")).json()["items"]
            for source in (first, second):
                (_, committed, _, _) = (await levels_at(racers.db, item, source))[0]
                sending = [entry for entry in entries if (entry["source"], entry["state"]) == (source.code, "ready")]
                # What was taken at its source is still to be sent, until its staff says that it is not there.
                assert len(sending) == committed or (fact is is_taken and not committed)
            shown = (await customer.get(f"/v1/orders/{order['number']}")).json()
            kept = sum(kept + lost for _, kept, lost in await works_at(racers, store))
            asked = sum(line["quantity"] for ask in shown["choices"] for line in ask["units"])
            assert kept + asked == 1

        body = {"reason": "customer_cancelled", "lines": [{"sku": item.sku, "quantity": 1}]}
        return [step(staff, store, order["fulfillments"][0]["number"], "cancel", body), other], check

    ends = await every_switch(observer, scene)
    assert {end[0] for end in ends} == {"ok"}
    assert {end[1] for end in ends} <= {"ok", "transfer-wrong-step"}
