"""Short forms of what the tests of transfers do again and again, through HTTP and the front doors."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx
import msgspec

from commerce import stock, transfers
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from commerce.transfers.tables import transfers as heads
from tests.support import Client, Item, Shop, Store, clock


class Ends(msgspec.Struct, frozen=True):
    """Two locations, a manager at each, and the head office."""

    source: Store
    destination: Store
    sender: Client
    receiver: Client
    office: Client


async def ends(shop: Shop) -> Ends:
    """Two stores with their people."""
    source, destination = await shop.store(), await shop.store()
    return Ends(
        source, destination, await shop.staff("store_manager", source.code),
        await shop.staff("store_manager", destination.code), await shop.staff("back_office", channel="back_office"),
    )  # fmt: skip


def wanted(*lines: tuple[Item, int]) -> list[dict[str, Any]]:
    """Lines of a body."""
    return [{"sku": item.sku, "quantity": quantity} for item, quantity in lines]


async def create(at: Ends, *lines: tuple[Item, int], **more: Any) -> str:
    """A draft by the head office; its number."""
    answer = await at.office.post(
        "/v1/transfers",
        {"source": at.source.code, "destination": at.destination.code, "lines": wanted(*lines), **more},
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["number"])


async def step(client: Client, store: Store, number: str, name: str, body: Any = None, **more: Any) -> httpx.Response:
    """One step at one end."""
    return await client.post(f"/v1/stores/{store.code}/transfers/{number}/{name}", body, **more)


async def made_ready(at: Ends, *lines: tuple[Item, int], **more: Any) -> str:
    """Ready; its number."""
    number = await create(at, *lines, **more)
    answer = await step(at.sender, at.source, number, "ready")
    assert answer.status_code == 200, answer.text
    return number


async def sent(at: Ends, *lines: tuple[Item, int], **more: Any) -> str:
    """On its way, whole; its number."""
    number = await made_ready(at, *lines, **more)
    answer = await step(at.sender, at.source, number, "dispatch", {})
    assert answer.status_code == 200, answer.text
    return number


async def read(at: Ends, number: str) -> dict[str, Any]:
    """The transfer as the head office sees it."""
    answer = await at.office.get(f"/v1/transfers/{number}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def level(shop: Shop, store: Store, item: Item) -> dict[str, int]:
    """The buckets of a level that hold anything."""
    found = await shop.db.read(stock.levels, variant_ids=[item.id], location_ids=[store.id])
    buckets = ("available", "reserved", "committed", "quality_control", "damaged", "in_transit", "in_transit_committed")
    return {name: getattr(one, name) for one in found for name in buckets if getattr(one, name)}


async def events(shop: Shop, number: str) -> list[tuple[int, str, dict[str, Any]]]:
    """What a transfer has published: version, type, payload."""

    async def work(tx: Tx) -> list[tuple[int, str, dict[str, Any]]]:
        rows = await tx.rows(
            "SELECT version, type, payload FROM infra.outbox WHERE aggregate = 'transfer' AND payload ->> 'number' = :number"
            " ORDER BY version, id",
            number=number,
        )
        return [(row.version, row.type, row.payload) for row in rows]

    return await shop.db.read(work)


async def types(shop: Shop, number: str) -> list[tuple[int, str]]:
    """Versions and types of what it has published."""
    return [(version, kind) for version, kind, _ in await events(shop, number)]


async def promised(
    shop: Shop, at: Ends, *lines: tuple[Item, int], expected: UUID | None = None
) -> tuple[UUID, list[UUID]]:
    """Goods set aside at the source for a fulfillment that is made up; its id and those of its lines."""
    owner, line_ids = uuid7(), [uuid7() for _ in lines]
    await shop.db.write(
        stock.promise, shop.system, owner=stock.Owner("fulfillment", owner), cause=stock.Cause("order_placed", owner),
        demands=[
            stock.Demand(
                line_id=line_id, location_id=at.source.id, variant_id=item.id, quantity=quantity, expected_id=expected
            )
            for line_id, (item, quantity) in zip(line_ids, lines, strict=True)
        ],
    )  # fmt: skip
    return owner, line_ids


async def opened(
    shop: Shop, at: Ends, owner: UUID, line_ids: list[UUID], *lines: tuple[Item, int], waits: bool = False
) -> str:
    """A transfer for an order; its number."""
    from commerce import locations

    async def work(tx: Tx) -> str:
        places = await locations.by_ids(tx, [at.source.id, at.destination.id])
        made = transfers.open_for_order(
            tx, shop.system, order_number="4821-3059-1768", owner=owner, source=places[at.source.id],
            destination=places[at.destination.id], expected_on=places[at.destination.id].business_date(tx.at), waits=waits,
            lines=[
                transfers.OrderFreight(order_line_id=line_id, variant_id=item.id, quantity=quantity)
                for line_id, (item, quantity) in zip(line_ids, lines, strict=True)
            ],
        )  # fmt: skip
        await tx.flush()
        assert await tx.scalar("SELECT number FROM transfers.transfers WHERE id = :id", id=made.id) == made.number
        return made.number

    return await shop.db.write(work)


async def id_of(shop: Shop, number: str) -> UUID:
    """The key of a transfer."""

    async def work(tx: Tx) -> UUID:
        found: UUID = await tx.scalar("SELECT id FROM transfers.transfers WHERE number = :number", number=number)
        return found

    return await shop.db.read(work)


def today() -> str:
    """The business date of a store in Moscow."""
    from zoneinfo import ZoneInfo

    return clock().astimezone(ZoneInfo("Europe/Moscow")).date().isoformat()


__all__ = [
    "Ends", "create", "ends", "events", "heads", "id_of", "level", "made_ready", "opened", "promised", "read", "sent", "step", "today",
    "types", "wanted",
]  # fmt: skip
