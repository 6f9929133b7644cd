"""What `orders` does when something happens elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from commerce.infra.db import Tx
from commerce.infra.outbox import Recorded, Subscriber
from commerce.kernel.actor import system
from commerce.orders import rejections


async def goods_do_not_come(tx: Tx, event: Recorded) -> None:
    """A transfer falls short of what orders wait for."""
    lines: list[dict[str, Any]] = event.payload["lines"]
    for fulfillment_id in sorted({line["fulfillment_id"] for line in lines}):
        mine = [line for line in lines if line["fulfillment_id"] == fulfillment_id]
        await rejections.fell_short(
            tx, system(), fulfillment_id=UUID(fulfillment_id), source_id=UUID(event.payload["source_id"]),
            behind=_units(line for line in mine if line["what"] == "left_behind"),
            gone=_units(line for line in mine if line["what"] != "left_behind"),
            reason="left_behind" if any(line["what"] == "left_behind" for line in mine) else "lost_on_the_way",
        )  # fmt: skip


def _units(lines: Iterable[dict[str, Any]]) -> Mapping[tuple[UUID, UUID], int]:
    """Units by order line and variant."""
    units: dict[tuple[UUID, UUID], int] = {}
    for line in lines:
        key = UUID(line["order_line_id"]), UUID(line["variant_id"])
        units[key] = units.get(key, 0) + line["quantity"]
    return units


SUBSCRIBERS = [Subscriber("orders.goods_do_not_come", "transfer.fell_short", goods_do_not_come)]
