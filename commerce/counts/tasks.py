"""Who asks for a count: sales of goods that the books did not know, goods that a store could not find, transfers that fell short."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from commerce import catalog, fulfillment
from commerce.counts import service
from commerce.infra.db import Tx
from commerce.infra.outbox import Recorded, Subscriber
from commerce.kernel.actor import system

NOT_FOUND = "out_of_stock"
"""Why a store gives up units that should have been on its shelf."""


async def goods_unknown(tx: Tx, event: Recorded) -> None:
    """Goods left that the books did not know."""
    await service.ask(
        tx, system(), location_id=UUID(event.payload["location_id"]), wanted=_units(event.payload["lines"]),
        reason="unknown_goods", event_id=event.id,
    )  # fmt: skip


async def short_pick(tx: Tx, event: Recorded) -> None:
    """A store could not find what an order was promised: the shelves of those variants, or of a bundle's components."""
    if event.payload["reason"] != NOT_FOUND:
        return
    order_id = UUID(event.payload["order_id"])
    work = (await fulfillment.of_orders(tx, [order_id]))[order_id]
    lines = {line.order_line_id: line for one in work if one.id == event.aggregate_id for line in one.lines}
    steps = await fulfillment.steps_of(tx, order_id=order_id)
    given_up: dict[str, int] = next(
        (
            step.data.get("lines", {})
            for step in steps
            if step.number == event.payload["number"] and step.version == event.version
        ),
        {},
    )
    units: dict[UUID, int] = {}
    for line_id, quantity in given_up.items():
        variant_id = lines[UUID(line_id)].variant_id
        units[variant_id] = units.get(variant_id, 0) + quantity
    variants = await catalog.variants(tx, sorted(units))
    wanted: dict[UUID, int] = {}
    for variant_id, quantity in units.items():
        for part, each in [(c.variant_id, c.quantity) for c in variants[variant_id].components] or [(variant_id, 1)]:
            wanted[part] = wanted.get(part, 0) + quantity * each
    await service.ask(
        tx,
        system(),
        location_id=UUID(event.payload["location_id"]),
        wanted=wanted,
        reason="short_pick",
        event_id=event.id,
    )


async def short_transfer(tx: Tx, event: Recorded) -> None:
    """Goods that were said to have left did not arrive: they may still stand where they came from."""
    if event.payload["missing"]:
        await service.ask(
            tx, system(), location_id=UUID(event.payload["source_id"]), wanted=_units(event.payload["missing"]),
            reason="short_transfer", event_id=event.id,
        )  # fmt: skip


def _units(lines: list[dict[str, Any]]) -> dict[UUID, int]:
    units: dict[UUID, int] = {}
    for line in lines:
        variant_id = UUID(line["variant_id"])
        units[variant_id] = units.get(variant_id, 0) + line["quantity"]
    return units


SUBSCRIBERS = [
    Subscriber("counts.goods_unknown", "stock.count_needed", goods_unknown),
    Subscriber("counts.short_pick", "fulfillment.partly_cancelled", short_pick),
    Subscriber("counts.not_found", "fulfillment.rejected", short_pick),
    Subscriber("counts.nothing_picked", "fulfillment.cancelled", short_pick),
    Subscriber("counts.short_transfer", "transfer.received", short_transfer),
]
