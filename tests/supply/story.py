"""What the tests of supply share: a supplier, an announcement, receiving, and what stock makes of it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import httpx

from commerce import stock
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from commerce.supply.tasks import tell_overdue
from tests.support import Client, Item, Shop, Store, clock, unique

BACK = "/v1/expected-receipts"


def in_days(days: int) -> date:
    """A day in Moscow, where the stores are."""
    return (clock() + timedelta(hours=3)).date() + timedelta(days=days)


async def supplier(office: Client, **values: Any) -> str:
    """The code of a new supplier."""
    code = unique("supplier")
    answer = await office.put(f"/v1/suppliers/{code}", {"name": {"ru": "Поставщик"}, **values})
    assert answer.status_code == 200, answer.text
    return code


def body(store: Store, code: str, *lines: tuple[Item, int, int | None], **values: Any) -> dict[str, Any]:
    """An announcement of (item, quantity, unit cost)."""
    goods = [{"sku": item.sku, "quantity": quantity, "unit_cost": cost} for item, quantity, cost in lines]
    return {
        "supplier": code, "location": store.code, "reference": unique("invoice"), "expected_on": in_days(3).isoformat(),
        "lines": goods, **values,
    }  # fmt: skip


async def announced(
    office: Client, store: Store, *lines: tuple[Item, int, int | None], **values: Any
) -> dict[str, Any]:
    """An announcement by a new supplier."""
    code = values.pop("supplier", None) or await supplier(office)
    answer = await office.post(BACK, body(store, code, *lines, **values))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def receive(
    staff: Client, store: Store, number: str, *lines: dict[str, Any], key: str | None = None, **values: Any
) -> httpx.Response:
    """What the server answers when goods come."""
    address = f"/v1/stores/{store.code}/expected-receipts/{number}/receive"
    return await staff.post(address, {"lines": list(lines), **values}, key=key)


def came(item: Item, quantity: int = 0, **values: Any) -> dict[str, Any]:
    """A line of what came."""
    return {"sku": item.sku, "quantity": quantity, **values}


def counts(view: dict[str, Any]) -> list[tuple[int, int, int, int, int, int, int]]:
    """quantity, received, quality_control, damaged, over, cancelled, open of each line."""
    names = ("quantity", "received", "quality_control", "damaged", "over", "cancelled", "open")
    return [tuple(line[name] for name in names) for line in view["lines"]]


async def plans(db: Database, shop: Shop, number: str) -> list[tuple[int, int, int, int, date]]:
    """quantity, received, cancelled, promised and day of the plan rows of an announcement, by line."""

    async def read(tx: Tx) -> list[tuple[int, int, int, int, date]]:
        rows = await tx.rows(
            "SELECT a.id, array_agg(l.id ORDER BY l.n) AS lines FROM supply.announcements a"
            " JOIN supply.lines l ON l.announcement_id = a.id WHERE a.number = :number GROUP BY a.id",
            number=number,
        )
        [row] = rows
        by_id = {plan.id: plan for plan in await stock.expected_of(tx, document_ids=[row.id])}
        return [
            (plan.quantity, plan.received, plan.cancelled, plan.promised, plan.expected_on)
            for line in row.lines
            if (plan := by_id.get(line)) is not None
        ]

    return await db.read(read)


async def line_ids(db: Database, number: str) -> list[UUID]:
    """The ids of an announcement's lines: those of its plan rows."""

    async def read(tx: Tx) -> list[UUID]:
        rows = await tx.rows(
            "SELECT l.id FROM supply.lines l JOIN supply.announcements a ON a.id = l.announcement_id"
            " WHERE a.number = :number ORDER BY l.n",
            number=number,
        )
        return [row.id for row in rows]

    return await db.read(read)


async def promised(shop: Shop, store: Store, item: Item, quantity: int, expected_id: UUID) -> stock.Owner:
    """A fulfillment that stands on what is announced."""
    owner = stock.Owner("fulfillment", uuid7())
    demand = stock.Demand(
        line_id=uuid7(), location_id=store.id, variant_id=item.id, quantity=quantity, expected_id=expected_id
    )
    await shop.db.write(
        stock.promise, shop.system, owner=owner, demands=[demand], cause=stock.Cause("test_promise", uuid7())
    )
    return owner


async def standing(db: Database, owner: stock.Owner) -> list[tuple[str, str, int, int]]:
    """bucket, state, quantity_open, quantity_lost of what an owner has."""
    held = await db.read(stock.reservations_of, owner)
    return sorted((each.bucket, each.state, each.quantity_open, each.quantity_lost) for each in held)


async def level(db: Database, store: Store, item: Item) -> tuple[int, int, int, int]:
    """available, committed, quality_control, damaged."""
    for found in await db.read(stock.levels, variant_ids=[item.id], location_ids=[store.id]):
        return found.available, found.committed, found.quality_control, found.damaged
    return 0, 0, 0, 0


async def events_of(db: Database, number: str) -> list[tuple[int, str]]:
    """version and type of what was published about an announcement."""

    async def read(tx: Tx) -> list[tuple[int, str]]:
        rows = await tx.rows(
            "SELECT o.version, o.type FROM infra.outbox o JOIN supply.announcements a ON a.id = o.aggregate_id"
            " WHERE o.aggregate = 'expected_receipt' AND a.number = :number ORDER BY o.version, o.recorded_at, o.id",
            number=number,
        )
        return [(row.version, row.type) for row in rows]

    return await db.read(read)


async def movements(db: Database, receipt_id: str) -> list[tuple[UUID, int, str, str, int | None]]:
    """variant, quantity, from, to and unit cost of the movements of a receipt."""

    async def read(tx: Tx) -> list[tuple[UUID, int, str, str, int | None]]:
        rows = await tx.rows(
            "SELECT m.variant_id, m.quantity, m.from_place, m.to_place, m.unit_cost FROM stock.movements m"
            " JOIN stock.postings p ON p.id = m.posting_id"
            " WHERE p.cause_kind = 'supply_receipt' AND p.cause_id = CAST(:id AS uuid) ORDER BY m.n",
            id=receipt_id,
        )
        return [tuple(row) for row in rows]

    return await db.read(read)


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and kind of a refusal."""
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


async def deliveries(shop: Shop) -> None:
    """For the books of the audit: one that came in parts with every discrepancy, one that is under way, one cancelled, one late."""
    store, cup, plate, bowl = await shop.store(), await shop.item(), await shop.item(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    code = await supplier(office)
    renamed = await office.put(f"/v1/suppliers/{code}", {"name": {"en": "Renamed"}})
    assert renamed.json()["version"] == 2
    number = (await announced(office, store, (cup, 10, 100), (plate, 8, None), supplier=code))["number"]
    change = {
        "expected_on": in_days(4).isoformat(),
        "reason": "late",
        "lines": [{"n": 1, "quantity": 7}, {"n": 2, "quantity": 9}],
    }
    changed = await office.post(f"{BACK}/{number}/change", change)
    assert changed.status_code == 200, changed.text
    for goods in (
        [came(cup, 5, damaged=1, reason="wet", unit_cost=110), came(plate, 3, bucket="quality_control")],
        [came(cup, 3, reason="two for free"), came(bowl, 2, unannounced=True, reason="somebody else's")],
    ):
        answer = await receive(staff, store, number, *goods)
        assert answer.status_code == 201, answer.text
    closed = await staff.post(
        f"/v1/stores/{store.code}/expected-receipts/{number}/close", {"reason": "not on the lorry"}
    )
    assert (closed.status_code, closed.json()["state"]) == (200, "received"), closed.text
    under_way = await announced(office, store, (cup, 5, 100), (plate, 5, 200), supplier=code)
    answer = await receive(staff, store, under_way["number"], came(cup, 2))
    assert answer.status_code == 201, answer.text
    dropped = await announced(office, store, (cup, 5, 100), supplier=code)
    assert (await office.post(f"{BACK}/{dropped['number']}/cancel", {"reason": "bankrupt"})).status_code == 200
    await announced(office, store, (cup, 5, 100), supplier=code, expected_on=in_days(0).isoformat())
    clock.travel(timedelta(days=2))
    await tell_overdue(shop.db)
    clock.back_to_present()
