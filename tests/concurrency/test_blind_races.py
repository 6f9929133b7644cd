"""Goods without a sale, brought twice at once: one unit is taken and paid for once, whoever comes first; its sale wins or is refused."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from tests.concurrency.steps import every_switch
from tests.returns.counter import brought, take
from tests.support import Client, Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")

Ends = tuple[str, ...]


def rub(amount: int) -> dict[str, object]:
    return {"amount": amount, "currency": "RUB"}


def old(phone: Item) -> dict[str, Any]:
    """A return of a unit that nobody knows."""
    return brought({"sku": phone.sku, "codes": ["OLD"], "ground": "defect", "condition": "defective"})


async def counters(shop: Shop) -> tuple[Item, list[tuple[Store, Client]]]:
    """A phone whose codes are kept, which stands in two stores, and their managers."""
    phone = await shop.item(price=3_000, tracking="serial")
    found = []
    for _ in range(2):
        store = await shop.store()
        await shop.stock(store, phone, 1)
        found.append((store, await shop.staff("store_manager", store.code)))
    return phone, found


async def given(shop: Shop, phone: Item) -> tuple[int, int, int]:
    """Returns, money and life of the unit."""

    async def work(tx: Tx) -> tuple[int, int, int]:
        row = await tx.one(
            """
            SELECT count(*) AS returns, coalesce(sum(p.amount), 0)::bigint AS money,
                   (SELECT count(*) FROM stock.unit_moves m WHERE m.variant_id = :phone) AS moves
            FROM returns.lines l JOIN payments.refunds p ON p.return_id = l.return_id WHERE l.variant_id = :phone
            """,
            phone=phone.id,
        )
        return row.returns, row.money, row.moves

    return await shop.db.read(work)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["one counter", "two stores"])
async def test_one_unit_brought_twice(racers: Shop, observer: asyncpg.Connection, elsewhere: bool) -> None:
    async def scene() -> Any:
        phone, places = await counters(racers)

        async def check(ends: Ends) -> None:
            assert sorted(ends) == ["ok", "unit-on-record"]
            assert await given(racers, phone) == (1, 3_000, 1)

        chosen = places if elsewhere else [places[0], places[0]]
        return [take(manager, store, old(phone)) for store, manager in chosen], check

    await every_switch(observer, scene, alike=True)


async def test_one_unit_brought_while_it_is_sold(racers: Shop, observer: asyncpg.Connection) -> None:
    """A till sells a unit that nobody knew. Before it, the unit can be brought; after it, its sale is known."""

    async def scene() -> Any:
        phone, [(shop_, seller), (counter, manager)] = await counters(racers)
        sale = {
            "id": str(uuid7()), "occurred_at": clock().isoformat(), "tenders": [{"kind": "cash", "amount": rub(3_000)}],
            "lines": [{"sku": phone.sku, "quantity": 1, "unit_price": rub(3_000), "codes": ["OLD"]}],
        }  # fmt: skip

        async def check(ends: Ends) -> None:
            assert ends[0] == "ok"
            assert ends[1] in ("ok", "sale-known", "unit-on-record")
            assert await given(racers, phone) == ((1, 3_000, 2) if ends[1] == "ok" else (0, 0, 1))

        works = [seller.post(f"/v1/stores/{shop_.code}/sales", sale), take(manager, counter, old(phone))]
        return works, check

    ends = await every_switch(observer, scene)
    assert {end[1] for end in ends} >= {"ok", "sale-known"}


async def test_one_request_sent_twice(racers: Shop, observer: asyncpg.Connection) -> None:
    async def scene() -> Any:
        phone, [(store, manager), _] = await counters(racers)
        key = str(uuid7())

        async def check(ends: Ends) -> None:
            assert ends == ("ok", "ok")
            assert await given(racers, phone) == (1, 3_000, 1)

        return [take(manager, store, old(phone), key=key) for _ in range(2)], check

    await every_switch(observer, scene, alike=True)
