"""Who asks for a count, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commerce import parts, stock
from commerce.counts import service
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from tests.counts.test_counts import act, enter, opened, sell
from tests.orders.story import levels, place, step
from tests.support import Client, Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")


async def tasks(staff: Client, store: Store, state: str = "open") -> list[dict[str, Any]]:
    answer = await staff.get(f"/v1/stores/{store.code}/count-tasks?state={state}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def drained(shop: Shop) -> None:
    await outbox.drain(shop.db, parts.subscribers())


async def short_pick(shop: Shop, staff: Client, store: Store, item: Item, wanted: int, lacking: int) -> None:
    """An order of which the store cannot find some units."""
    order = await place(await shop.shopper(), store, (item, wanted))
    number = order["fulfillments"][0]["number"]
    await step(staff, store, number, "accept")
    body: dict[str, Any] = {"reason": "out_of_stock", "lines": [{"sku": item.sku, "quantity": lacking}]}
    answer = await step(staff, store, number, "cancel", body)
    assert answer.status_code == 200, answer.text


async def test_an_unknown_sale_and_a_short_pick_ask_for_one_count(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 2)
    manager = await shop.staff("store_manager", store.code)
    await sell(shop, store, item, 3)
    await drained(shop)
    (task,) = await tasks(manager, store)
    assert (task["sku"], task["reason"], task["quantity"], task["state"], task["version"], task["count"]) == (
        item.sku, "unknown_goods", 1, "open", 1, None,
    )  # fmt: skip
    await shop.stock(store, item, 4)
    await short_pick(shop, manager, store, item, 3, 2)
    await drained(shop)
    (task,) = await tasks(manager, store)
    assert (task["reason"], task["quantity"], task["version"]) == ("unknown_goods", 3, 2)
    assert [(source["reason"], source["quantity"]) for source in task["sources"]] == [
        ("unknown_goods", 1),
        ("short_pick", 2),
    ]

    answer = await manager.post(f"/v1/stores/{store.code}/counts", {"scope": "list", "tasks": True})
    assert (answer.status_code, answer.json()["lines"]) == (201, 1)
    number = answer.json()["number"]
    assert [task["count"] for task in await tasks(manager, store)] == [number]
    twice = await manager.post(f"/v1/stores/{store.code}/counts", {"scope": "list", "tasks": True})
    assert twice.json()["type"] == "/problems/nothing-to-count"
    await enter(manager, store, number, item, 2)
    await act(manager, store, number, "submit")
    assert (await act(manager, store, number, "approve", {})).status_code == 200
    assert await tasks(manager, store) == []
    (task,) = await tasks(manager, store, "counted")
    assert (task["count"], task["version"], task["state"]) == (number, 3, "counted")
    assert sum(await levels(shop, item, store)) == 2


async def test_only_goods_that_were_not_found_ask_for_a_count(shop: Shop) -> None:
    store, item, part = await shop.store(), await shop.item(), await shop.item()
    await shop.stock(store, item, 9)
    await shop.stock(store, part, 9)
    manager = await shop.staff("store_manager", store.code)
    order = await place(await shop.shopper(), store, (item, 2))
    number = order["fulfillments"][0]["number"]
    await step(manager, store, number, "accept")
    cancelled = await step(manager, store, number, "cancel", {"reason": "customer_cancelled"})
    assert cancelled.status_code == 200, cancelled.text
    await drained(shop)
    assert await tasks(manager, store) == []
    order = await place(await shop.shopper(), store, (item, 2))
    number = order["fulfillments"][0]["number"]
    await step(manager, store, number, "accept")
    await step(manager, store, number, "cancel", {"reason": "out_of_stock"})
    await drained(shop)
    assert [(task["sku"], task["reason"], task["quantity"]) for task in await tasks(manager, store)] == [
        (item.sku, "short_pick", 2)
    ]
    bundle = await shop.bundle({part: 3})
    await short_pick(shop, manager, store, bundle, 2, 1)
    await drained(shop)
    found = {task["sku"]: task["quantity"] for task in await tasks(manager, store)}
    assert found == {item.sku: 2, part.sku: 3}


async def test_a_transfer_that_fell_short_asks_at_its_source(shop: Shop) -> None:
    """Through the event alone: what is missing may still stand where it came from."""
    from commerce.counts import tasks as subscribers

    store, item, other = await shop.store(), await shop.item(), await shop.item()
    manager = await shop.staff("store_manager", store.code)
    line = {"line_id": str(uuid7())}
    event = outbox.Recorded(
        id=uuid7(), type="transfer.received", aggregate="transfer", aggregate_id=uuid7(), version=3, channel="till",
        payload={
            "source_id": str(store.id),
            "lines": [{**line, "variant_id": str(other.id), "quantity": 1}],
            "missing": [
                {**line, "variant_id": str(item.id), "quantity": 2},
                {**line, "variant_id": str(item.id), "quantity": 1},
            ],
        },
    )  # fmt: skip
    await shop.db.write(subscribers.short_transfer, event)
    assert [(task["sku"], task["reason"], task["quantity"]) for task in await tasks(manager, store)] == [
        (item.sku, "short_transfer", 3)
    ]


async def test_a_task_is_dismissed_once_with_a_reason(shop: Shop) -> None:
    store, item, other = await shop.store(), await shop.item(), await shop.store()
    await sell(shop, store, item, 1)
    await drained(shop)
    staff, manager = await shop.staff("associate", store.code), await shop.staff("store_manager", store.code)
    (task,) = await tasks(staff, store)
    path = f"/v1/stores/{store.code}/count-tasks/{task['id']}/dismiss"
    assert (await staff.post(path, {"reason": "Found it"})).status_code == 403
    stranger = await shop.staff("store_manager", other.code)
    elsewhere = await stranger.post(f"/v1/stores/{other.code}/count-tasks/{task['id']}/dismiss", {"reason": "Not mine"})
    assert (elsewhere.status_code, elsewhere.json()["type"]) == (403, "/problems/other-stores-count")
    done = await manager.post(path, {"reason": "Found it"})
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["dismissed_because"], done.headers["etag"]) == (
        "dismissed",
        "Found it",
        '"2"',
    )
    again = await manager.post(path, {"reason": "Found it"})
    assert (again.status_code, again.json()["type"], again.json()["state"]) == (
        409,
        "/problems/count-task-closed",
        "dismissed",
    )
    unknown = await manager.post(f"/v1/stores/{store.code}/count-tasks/{uuid7()}/dismiss", {"reason": "Where"})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/unknown-count-task")
    await sell(shop, store, item, 1)
    await drained(shop)
    assert [(task["version"], task["quantity"]) for task in await tasks(staff, store)] == [(1, 1)]


async def test_a_task_that_came_after_its_goods_were_counted_stays_open(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 1)
    manager = await shop.staff("store_manager", store.code)
    clock.stand_at(datetime.now(UTC))
    number = await opened(manager, store, item)
    await enter(manager, store, number, item, 1)
    clock.stand_at(clock() + timedelta(minutes=1))

    async def asked(tx: Tx) -> None:
        await service.ask(
            tx, shop.system, location_id=store.id, wanted={item.id: 1}, reason="unknown_goods", event_id=uuid7()
        )

    await shop.db.write(asked)
    assert (await act(manager, store, number, "submit")).json()["state"] == "closed"
    assert [task["sku"] for task in await tasks(manager, store)] == [item.sku]


async def test_shrinkage_by_reason_location_and_sku(shop: Shop) -> None:
    clock.stand_at(datetime(2026, 11, 20, 9, 0, tzinfo=UTC))
    store, other = await shop.store(), await shop.store()
    cup, plate, fork = await shop.item(price=500), await shop.item(price=300), await shop.item(price=100)
    for item, cost in ((cup, 200), (plate, 100), (fork, None)):
        await shop.stock(store, item, 50, unit_cost=cost)
    await shop.stock(other, cup, 10, unit_cost=200)
    manager = await shop.staff("store_manager", store.code)

    async def adjusted(item: Item, delta: int, reason: Any, bucket: Any = "available", at: Store = store) -> None:
        await shop.db.write(
            stock.adjust, shop.system, cause=stock.Cause("adjustment", uuid7()), location_id=at.id, variant_id=item.id,
            delta=delta, reason=reason, bucket=bucket, business_date=clock().date(),
        )  # fmt: skip

    await adjusted(cup, -3, "theft")
    await adjusted(cup, -2, "damage")
    await adjusted(cup, -2, "write_off", "damaged")
    await adjusted(plate, 1, "found")
    await adjusted(fork, -4, "theft")
    await adjusted(cup, -1, "theft", at=other)
    await sell(shop, store, plate, 20, clock())
    number = await opened(manager, store, plate)
    await enter(manager, store, number, plate, 29)
    await act(manager, store, number, "submit")
    await act(manager, store, number, "approve", {})
    clock.stand_at(datetime(2026, 11, 25, 9, 0, tzinfo=UTC))
    await adjusted(cup, -9, "theft")

    manager = await shop.staff("store_manager", store.code)
    answer = await manager.get("/v1/stock/shrinkage?from=2026-11-20&until=2026-11-20")
    assert answer.status_code == 200, answer.text
    report = answer.json()
    rub = {"currency": "RUB"}
    row = {"units_without_cost": 0}
    assert report["locations"] == [
        {
            "location": store.code, "units": 10, "at_cost": {"amount": 1_100, **rub}, "units_sold": 20, "per_ten_thousand_sold": 5_000,
            "reasons": [
                {"cause": "adjustment", "reason": "damage", "units": 2, "at_cost": {"amount": 400, **rub}, **row},
                {"cause": "adjustment", "reason": "found", "units": -1, "at_cost": {"amount": -100, **rub}, **row},
                {"cause": "adjustment", "reason": "theft", "units": 7, "at_cost": {"amount": 600, **rub}, "units_without_cost": 4},
                {"cause": "count", "reason": "count", "units": 2, "at_cost": {"amount": 200, **rub}, **row},
            ],
        }
    ]  # fmt: skip
    assert (report["units"], report["at_cost"]["amount"], report["units_sold"]) == (10, 1_100, 20)
    assert [(sku["sku"], sku["units"], sku["at_cost"] and sku["at_cost"]["amount"]) for sku in report["skus"]] == [
        (cup.sku, 5, 1_000), (plate.sku, 1, 100), (fork.sku, 4, None),
    ]  # fmt: skip
    boss = await shop.staff("admin")
    there = (await boss.get(f"/v1/stock/shrinkage?from=2026-11-20&until=2026-11-20&location={other.code}")).json()
    assert (there["units"], there["at_cost"]["amount"], there["per_ten_thousand_sold"]) == (1, 200, None)
    both = (await boss.get("/v1/stock/shrinkage?from=2026-11-20&until=2026-11-25")).json()
    assert {place["location"]: place["units"] for place in both["locations"] if place["location"] in (store.code, other.code)} == {
        store.code: 19, other.code: 1,
    }  # fmt: skip
    refused = await manager.get(f"/v1/stock/shrinkage?from=2026-11-20&until=2026-11-20&location={other.code}")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-your-shrinkage")
    backwards = await manager.get("/v1/stock/shrinkage?from=2026-11-21&until=2026-11-20")
    assert (backwards.status_code, backwards.json()["type"]) == (422, "/problems/bad-period")
    associate = await shop.staff("associate", store.code)
    assert (await associate.get("/v1/stock/shrinkage?from=2026-11-20&until=2026-11-20")).status_code == 403
