"""What `returns` may ask of an order and record in it."""

from __future__ import annotations

import pytest

from commerce import orders, payments
from commerce.infra.db import Tx
from commerce.kernel.errors import Conflict
from commerce.orders import queries
from tests.orders.story import place, rub
from tests.orders.test_sales import sale
from tests.support import Shop


class Undone(Conflict):
    """Rolls the transaction back: a return needs its own document, which is the room's above."""


pytestmark = pytest.mark.usefixtures("audited")


async def test_found_by_number_and_by_receipt_and_counted(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 5)
    staff = await shop.staff("associate", store.code)
    booked = (await staff.post(f"/v1/stores/{store.code}/sales", sale((item, 3, 100)))).json()
    by_number = await shop.db.write(orders.for_return, number=booked["order_number"])
    receipt = payments.ReceiptRef(register=booked["receipt"]["register"], number=booked["receipt"]["number"])
    assert await shop.db.write(orders.for_return, receipt=receipt) == by_number
    line = by_number.lines[0]
    assert (by_number.sold, by_number.state, by_number.version) == ("on_premises", "completed", 1)
    assert (line.sku, line.quantity, line.total, line.tax, line.handed_over, line.returned) == (
        item.sku,
        3,
        300,
        54,
        3,
        0,
    )
    assert (line.return_policy, line.unit_cost, line.fulfilled_location_id) == ("standard", 50_000, store.id)

    async def back(tx: Tx) -> None:
        for units, version in ((1, 2), (2, 3)):
            order = await orders.for_return(tx, number=booked["order_number"])
            assert version == await orders.record_return(
                tx, shop.system, order=order, quantities={line.id: units}, return_number=f"R-{units}"
            )
            await tx.flush()
        view = await queries.view(tx, staff.actor, number=booked["order_number"], secret_key="")
        assert (view.return_status, view.lines[0].returned, view.version, view.state) == ("returned", 3, 3, "completed")
        timeline = await queries.timeline(tx, staff.actor, number=booked["order_number"])
        assert [entry.data["return"] for entry in timeline.entries if entry.what == "returned"] == ["R-1", "R-2"]
        raise Undone

    with pytest.raises(Undone):
        await shop.db.write(back)
    assert await shop.db.write(orders.for_return, number=booked["order_number"]) == by_number


async def test_unknown_and_mistyped(shop: Shop) -> None:
    for number in ("4821-3059-1761", "4821-3059-1766", "nonsense"):
        with pytest.raises(orders.UnknownOrder):
            await shop.db.write(orders.for_return, number=number)
    with pytest.raises(payments.UnknownReceipt):
        await shop.db.write(orders.for_return, receipt=payments.ReceiptRef(register="nowhere", number=1))


async def test_an_open_order_shows_nothing_to_bring_back(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 1)
    order = await place(await shop.shopper(), store, (item, 1))
    found = await shop.db.write(orders.for_return, number=order["number"])
    assert [(line.handed_over, line.total) for line in found.lines] == [(0, 100)]
    assert order["total"] == rub(100)
