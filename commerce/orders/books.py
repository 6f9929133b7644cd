"""An order as the books keep it: read, locked, changed one version on. Minor units throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from commerce import catalog, stock
from commerce.infra import outbox
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.money import Money, Share, share_of
from commerce.kernel.text import Language
from commerce.orders.events import OrderEvent
from commerce.orders.schemas import AdjustmentKind, Kind, Sold, State
from commerce.orders.tables import adjustments, entries, external_ids, lines, orders


class Adjustment(Struct, frozen=True, kw_only=True):
    """Why a line does not cost its list price."""

    kind: AdjustmentKind
    amount: int
    reason: str


class Line(Struct, kw_only=True):
    """A line as it was sold, and what became of it."""

    id: UUID
    n: int
    variant_id: UUID
    product_id: UUID
    sku: str
    title: dict[str, str]
    options: dict[str, str]
    option_texts: dict[str, dict[str, str]]
    quantity: int
    quantity_unit: str | None
    quantity_scale: int
    unit_price: int
    price_valid_from: datetime
    subtotal: int
    adjustment_total: int
    total: int
    net: int
    tax: int
    tax_class: str
    tax_basis_points: int
    unit_cost: int | None = None
    return_policy: str
    bought_location_id: UUID | None = None
    fulfilled_location_id: UUID | None = None
    handed_over: int = 0
    handed_over_at: datetime | None = None
    cancelled: int = 0
    returned: int = 0
    components: tuple[catalog.Component, ...] | None = None
    """What a bundle was made of when it was sold."""
    adjustments: list[Adjustment] = []

    @property
    def outstanding(self) -> int:
        """Units that are neither handed over nor cancelled."""
        return self.quantity - self.handed_over - self.cancelled

    @property
    def parts(self) -> tuple[stock.Part, ...]:
        """The components for the stock room; none of an ordinary variant."""
        return tuple(stock.Part(part.variant_id, part.quantity) for part in self.components or ())

    def owed_for(self, units: int) -> int:
        """What so many more units cost: cumulative, so that hand-overs add up to the line (DESIGN 7)."""
        return self._next(units).gross

    def tax_for(self, units: int) -> int:
        """The tax contained in so many more units, cumulative too: never above what they cost."""
        return self._next(units).tax

    def _next(self, units: int) -> Share:
        return share_of(self.total, self.quantity, self.tax_basis_points, before=self.handed_over, units=units)


class Order(Struct, kw_only=True):
    """The head with its lines."""

    id: UUID
    number: str
    kind: Kind
    state: State
    customer_id: UUID | None
    cart_id: UUID | None
    client_sale_id: UUID | None = None
    device_sequence: int | None = None
    channel: str
    device_id: UUID | None
    associate_id: UUID | None
    sales_credit_id: UUID | None
    bought_location_id: UUID | None
    sold: Sold
    language: Language
    currency: str
    subtotal: int
    adjustment_total: int
    charge_total: int = 0
    total: int
    tax_total: int
    contact: dict[str, Any] | None = None
    recipient: dict[str, Any] | None = None
    note: str | None = None
    gift: dict[str, Any] | None = None
    external_ids: dict[str, str] = {}
    version: int = 1
    placed_at: datetime
    completed_at: datetime | None = None
    cancelled_at: datetime | None = None
    cancel_reason: str | None = None
    lines: list[Line]

    def money(self, amount: int) -> Money:
        """Minor units in the order's currency."""
        return Money(amount, self.currency)

    @property
    def outstanding(self) -> int:
        """Units that are still to be handed over."""
        return sum(line.outstanding for line in self.lines)

    @property
    def owed(self) -> int:
        """What the units that are still to be handed over cost."""
        return sum(line.owed_for(line.outstanding) for line in self.lines)


LINE_COLUMNS = tuple(name for name in Line.__struct_fields__ if name != "adjustments")
ORDER_COLUMNS = tuple(name for name in Order.__struct_fields__ if name != "lines")
COLUMNS = ", ".join(
    [*(f"o.{name} AS o_{name}" for name in ORDER_COLUMNS), *(f"l.{name} AS l_{name}" for name in LINE_COLUMNS)]
)
FROM = "FROM orders.orders o JOIN orders.lines l ON l.order_id = o.id"
LOCK_BY_NUMBER = f"SELECT {COLUMNS} {FROM} WHERE o.number = :number ORDER BY l.n FOR NO KEY UPDATE OF o, l"
LOCK_BY_ID = f"SELECT {COLUMNS} {FROM} WHERE o.id = :id ORDER BY l.n FOR NO KEY UPDATE OF o, l"
"""Lines are locked with their head, so that a lock that was waited for answers what the other transaction wrote."""
BY_NUMBER = f"""
SELECT {COLUMNS}, (
    SELECT coalesce(jsonb_agg(jsonb_build_object('kind', a.kind, 'amount', a.amount, 'reason', a.reason) ORDER BY a.id), '[]')
    FROM orders.adjustments a WHERE a.order_id = o.id AND a.line_id = l.id
) AS l_adjustments {FROM} WHERE o.number = :number ORDER BY l.n
"""  # noqa: S608
WRITE_HEAD = """
UPDATE orders.orders SET state = CAST(:state AS text), version = CAST(:version AS integer),
    completed_at = CAST(:completed_at AS timestamptz),
    cancelled_at = CAST(:cancelled_at AS timestamptz), cancel_reason = CAST(:cancel_reason AS text)
WHERE id = CAST(:id AS uuid)
"""
WRITE_LINES = """
UPDATE orders.lines l SET handed_over = w.handed_over, handed_over_at = w.handed_over_at, cancelled = w.cancelled,
    returned = w.returned, unit_cost = w.unit_cost, fulfilled_location_id = w.fulfilled_location_id
FROM unnest(CAST(:ids AS uuid[]), CAST(:handed_over AS integer[]), CAST(:handed_over_at AS timestamptz[]), CAST(:cancelled AS integer[]),
            CAST(:returned AS integer[]), CAST(:unit_cost AS bigint[]), CAST(:fulfilled AS uuid[]))
    AS w(id, handed_over, handed_over_at, cancelled, returned, unit_cost, fulfilled_location_id)
WHERE l.id = w.id
"""


def order_of(rows: Sequence[Row] | Sequence[dict[str, Any]]) -> Order | None:
    """An order from rows of COLUMNS (or their JSON), one row per line; None without rows."""
    if not rows:
        return None
    columns = (*LINE_COLUMNS, "adjustments") if "l_adjustments" in rows[0] else LINE_COLUMNS
    head = {name: rows[0][f"o_{name}"] for name in ORDER_COLUMNS}
    return msgspec.convert(head | {"lines": [{name: row[f"l_{name}"] for name in columns} for row in rows]}, Order)


async def lock(tx: Tx, *, number: str) -> Order | None:
    """Lock an order with its lines. One statement."""
    return order_of(await tx.rows(LOCK_BY_NUMBER, number=number))


async def lock_by_id(tx: Tx, *, order_id: UUID) -> Order | None:
    """Lock an order with its lines. One statement."""
    return order_of(await tx.rows(LOCK_BY_ID, id=order_id))


async def read(tx: Tx, *, number: str) -> Order | None:
    """An order with lines and adjustments, not locked. One statement."""
    return order_of(await tx.rows(BY_NUMBER, number=number))


def enter(
    tx: Tx,
    actor: Actor,
    order: Order,
    what: str,
    data: Mapping[str, Any],
    *facts: OrderEvent,
    at: datetime | None = None,
) -> None:
    """Queue the timeline entry of the order's present version, and its events."""
    tx.queue(
        entries, id=uuid7(), order_id=order.id, version=order.version, what=what, actor=outbox.actor_record(actor),
        data=dict(data), occurred_at=at or tx.at,
    )  # fmt: skip
    for fact in facts:
        outbox.record(tx, actor, fact)


def begin(tx: Tx, actor: Actor, order: Order) -> None:
    """Queue a new order with lines and adjustments."""
    head = structs.asdict(order)
    del head["lines"]
    tx.queue(orders, **head)
    for system, value in order.external_ids.items():
        tx.queue(external_ids, system=system, value=value, order_id=order.id)
    for line in order.lines:
        values = structs.asdict(line)
        del values["adjustments"]
        tx.queue(lines, order_id=order.id, **values)
        for adjustment in line.adjustments:
            tx.queue(
                adjustments, id=uuid7(), order_id=order.id, line_id=line.id, kind=adjustment.kind, amount=adjustment.amount,
                reason=adjustment.reason, actor_id=actor.subject, approved_by=actor.approved_by,
            )  # fmt: skip


def write(tx: Tx, order: Order) -> None:
    """Write what may change of a locked order, one version on, just before the commit."""
    order.version += 1
    tx.defer(
        WRITE_HEAD, id=order.id, state=order.state, version=order.version, completed_at=order.completed_at,
        cancelled_at=order.cancelled_at, cancel_reason=order.cancel_reason,
    )  # fmt: skip
    tx.defer(
        WRITE_LINES, ids=[line.id for line in order.lines], handed_over=[line.handed_over for line in order.lines],
        handed_over_at=[line.handed_over_at for line in order.lines], cancelled=[line.cancelled for line in order.lines],
        returned=[line.returned for line in order.lines], unit_cost=[line.unit_cost for line in order.lines],
        fulfilled=[line.fulfilled_location_id for line in order.lines],
    )  # fmt: skip


def settle(tx: Tx, order: Order, reason: str | None = None) -> str | None:
    """Close the order when nothing is outstanding: completed when anything was handed over, else cancelled.

    Answers the new state, None when it stays open. Every unit handed over was paid at that moment, so the money is settled.
    """
    if order.state != "placed" or order.outstanding:
        return None
    if any(line.handed_over for line in order.lines):
        order.state, order.completed_at = "completed", tx.at
    else:
        order.state, order.cancelled_at, order.cancel_reason = "cancelled", tx.at, reason
    return order.state
