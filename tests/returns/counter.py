"""What a test of returns needs first: goods that were sold, and a look at the books."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import msgspec

from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from tests.support import Client, Item, Shop, Store


class Sold(msgspec.Struct, frozen=True):
    """A till sale in the books."""

    order: str
    register: str
    receipt: int
    total: int


async def sell(
    shop: Shop, store: Store, *goods: tuple[Item, int], amounts: list[int] | None = None, prices: list[int] | None = None,
    customer: UUID | None = None, occurred_at: datetime | None = None,
) -> Sold:  # fmt: skip
    """Sell goods over the counter: `amounts` are the line amounts where quantity times price is not one."""
    charged = prices or [item.price for item, _ in goods]
    totals = amounts or [price * quantity for price, (_, quantity) in zip(charged, goods, strict=True)]
    body: dict[str, Any] = {
        "id": str(uuid7()),
        "occurred_at": (occurred_at or shop.db.clock()).isoformat(),
        "lines": [
            {"sku": item.sku, "quantity": quantity, "unit_price": {"amount": price, "currency": "RUB"}}
            for price, (item, quantity) in zip(charged, goods, strict=True)
        ],
        "tenders": [{"kind": "cash", "amount": {"amount": sum(totals), "currency": "RUB"}}],
    }
    if customer is not None:
        body["customer"] = str(customer)
    manager = await shop.staff("store_manager", store.code)
    answer = await manager.post(f"/v1/stores/{store.code}/sales", body)
    assert answer.status_code == 201, answer.text
    sale = answer.json()
    return Sold(sale["order_number"], sale["receipt"]["register"], sale["receipt"]["number"], sum(totals))


def back(sold: Sold, *lines: dict[str, Any], tender: str = "cash", **more: Any) -> dict[str, Any]:
    """The body of a return by order number. A line is a SKU's worth: quantity 1, change of mind, sellable unless told."""
    return {
        "order": sold.order,
        "lines": [{"quantity": 1, "ground": "change_of_mind", "condition": "sellable"} | line for line in lines],
        "refund": {"tender": tender},
    } | more


async def give_back(counter: Client, store: Store, body: dict[str, Any], **kwargs: Any) -> httpx.Response:
    """Ask the counter of a store to take goods back."""
    return await counter.post(f"/v1/stores/{store.code}/returns", body, **kwargs)


def brought(*lines: dict[str, Any], tender: str = "cash", **more: Any) -> dict[str, Any]:
    """The body of a blind return; a line is one unit, change of mind, sellable unless told."""
    return {
        "lines": [{"quantity": 1, "ground": "change_of_mind", "condition": "sellable"} | line for line in lines],
        "reason": "lost", "refund": {"tender": tender},
    } | more  # fmt: skip


async def take(counter: Client, store: Store, body: dict[str, Any], **kwargs: Any) -> httpx.Response:
    """Ask the counter of a store to take goods without their sale."""
    return await counter.post(f"/v1/stores/{store.code}/returns/blind", body, **kwargs)


async def levels(db: Database, store: Store, item: Item) -> dict[str, int]:
    """Buckets of an item at a store that are not empty."""

    async def work(tx: Tx) -> dict[str, int]:
        row = await tx.first(
            "SELECT available, reserved, committed, quality_control, damaged FROM stock.levels"
            " WHERE location_id = :location AND variant_id = :variant",
            location=store.id, variant=item.id,
        )  # fmt: skip
        return {} if row is None else {bucket: n for bucket, n in row.items() if n}

    return await db.read(work)


async def books(db: Database, order: str) -> tuple[object, ...]:
    """Everything a refused return must not change: returned units, money, receipts, returns, timeline, movements."""

    async def work(tx: Tx) -> tuple[object, ...]:
        row = await tx.one(
            """
            SELECT (SELECT jsonb_agg(l.returned ORDER BY l.n) FROM orders.lines l WHERE l.order_id = o.id) AS returned, o.version,
                   (SELECT sum(p.refunded) FROM payments.payments p WHERE p.order_id = o.id) AS refunded,
                   (SELECT count(*) FROM payments.receipts r WHERE r.order_id = o.id) AS receipts,
                   (SELECT count(*) FROM returns.returns r WHERE r.order_id = o.id) AS returns,
                   (SELECT count(*) FROM orders.entries e WHERE e.order_id = o.id) AS entries,
                   (SELECT count(*) FROM stock.movements m JOIN orders.lines l ON l.variant_id = m.variant_id
                    WHERE l.order_id = o.id) AS movements
            FROM orders.orders o WHERE o.number = :number
            """,
            number=order,
        )
        return tuple(row)

    return await db.read(work)
