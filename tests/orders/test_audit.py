"""Each invariant of orders and fulfillments finds the fault that it is there for."""

from __future__ import annotations

from typing import Any

import pytest

from commerce.fulfillment.audit import INVARIANTS as OF_FULFILLMENTS
from commerce.infra.audit import Invariant
from commerce.infra.db import Tx
from commerce.kernel.errors import Conflict
from commerce.orders.audit import INVARIANTS as OF_ORDERS
from tests.orders.story import cash, make_ready, pickup_code, place, step
from tests.support import Shop

pytestmark = pytest.mark.usefixtures("audited")
BY_NAME = {invariant.name: invariant for invariant in [*OF_ORDERS, *OF_FULFILLMENTS]}


class Undone(Conflict):
    """Carries what was found out of a transaction that is rolled back."""


async def offending(tx: Tx, fault: str, binds: dict[str, Any], invariant: Invariant) -> None:
    await tx.execute(fault, **binds)
    raise Undone(found=len(await tx.rows(invariant.sql)))


FAULTS = [
    ("an order line's units are those of its fulfillments", "UPDATE fulfillment.lines SET quantity = 3 WHERE order_line_id = :line"),
    ("an order is open as long as something is outstanding", "UPDATE orders.orders SET state = 'placed', completed_at = NULL WHERE id = :order"),
    ("what was handed over is paid, to the minor unit", "UPDATE payments.payments SET captured = captured - 1 WHERE order_id = :order"),
    (
        "adjustments add up to their line's, lines to their order's; tax as the rate says",
        "UPDATE orders.lines SET tax = tax - 1, net = net + 1 WHERE id = :line",
    ),
    (
        "adjustments add up to their line's, lines to their order's; tax as the rate says",
        "UPDATE orders.orders SET subtotal = subtotal + 1, total = total + 1 WHERE id = :order",
    ),
    (
        "adjustments add up to their line's, lines to their order's; tax as the rate says",
        "UPDATE orders.lines SET subtotal = subtotal + 1, adjustment_total = -1 WHERE id = :line",
    ),
    (
        "an order comes from a cart that is closed",
        "UPDATE carts.carts SET state = 'expired' WHERE id = (SELECT cart_id FROM orders.orders WHERE id = :order)",
    ),
    ("each version of an order has its entry and its events, without a gap", "UPDATE orders.orders SET version = version + 1 WHERE id = :order"),
    (
        "each version of an order has its entry and its events, without a gap",
        "DELETE FROM infra.outbox WHERE aggregate_id = :order AND version = 1",
    ),
    ("every line's unit price is the list price at its moment", "UPDATE orders.lines SET unit_price = unit_price + 1 WHERE id = :line"),
    (
        "a closed fulfillment has nothing outstanding, an open one has",
        "UPDATE fulfillment.fulfillments SET state = 'packed', closed_at = NULL WHERE order_id = :order",
    ),
    (
        "each version of a fulfillment has its step and its event, without a gap",
        "DELETE FROM fulfillment.steps s USING fulfillment.fulfillments f WHERE f.id = s.fulfillment_id AND f.order_id = :order AND s.version = 2",
    ),
    (
        "the first promise and every later one is on record; the last is in force",
        "UPDATE fulfillment.fulfillments SET promised_until = promised_until + interval '1 day' WHERE order_id = :order",
    ),
]  # fmt: skip


def test_every_invariant_has_a_fault() -> None:
    assert {name for name, _ in FAULTS} == set(BY_NAME)


@pytest.mark.parametrize(("name", "fault"), FAULTS)
async def test_a_fault_is_found(shop: Shop, name: str, fault: str) -> None:
    store, item = await shop.store(), await shop.item(price=12_345)
    await shop.stock(store, item, 5)
    customer = await shop.shopper()
    order = await place(customer, store, (item, 2))
    staff = await shop.staff("associate", store.code)
    number = await make_ready(staff, store, order)
    code = await pickup_code(customer, order)
    assert (await step(staff, store, number, "collect", {"code": code, "tenders": [cash(24_690)]})).status_code == 200
    binds = {"order": order["id"]} if ":order" in fault else {"line": order["lines"][0]["id"]}
    with pytest.raises(Undone) as undone:
        await shop.db.write(offending, fault, binds, BY_NAME[name])
    assert undone.value.members["found"] == 1
