"""An associate at the till does, with a manager beside him, what he may not do alone: in one request."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from commerce.auth.tables import attempts, sessions, staff
from commerce.infra.db import Tx
from commerce.infra.tables import audit_records, outbox
from commerce.kernel.ids import uuid7
from commerce.orders.tables import adjustments, orders
from commerce.payments.tables import refunds
from commerce.returns.tables import returns
from tests.auth.support import PIN, at_device, badge_of, count, row_of, with_pin
from tests.orders.story import cash, levels, place, rub
from tests.support import Client, Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")


class Counter(msgspec.Struct, frozen=True):
    """A till with an associate signed in, his manager's login and badge, and goods on the shelf."""

    store: Store
    till: Client
    associate: Client
    manager: str
    badge: str
    item: Item

    @property
    def by_pin(self) -> dict[str, str]:
        return {"Approval-Login": self.manager, "Approval-Pin": PIN}

    @property
    def by_badge(self) -> dict[str, str]:
        return {"Approval-Badge": self.badge}


@pytest.fixture
async def counter(shop: Shop) -> Counter:
    store, item = await shop.store(), await shop.item(price=10_000)
    await shop.stock(store, item, 50, unit_cost=600_000)
    till = await shop.device("till", store.code)
    associate = await at_device(shop, till, await with_pin(shop, "associate", store.code))
    manager = await with_pin(shop, "store_manager", store.code)
    return Counter(store, till, associate, manager, await badge_of(shop, manager), item)


def sale(item: Item, price: int, **more: Any) -> dict[str, Any]:
    return {
        "id": str(uuid7()), "occurred_at": clock().isoformat(), "tenders": [cash(price)],
        "lines": [{"sku": item.sku, "quantity": 1, "unit_price": rub(price)}],
    } | more  # fmt: skip


async def sell(caller: Client, counter: Counter, body: dict[str, Any], **kwargs: Any) -> httpx.Response:
    return await caller.post(f"/v1/stores/{counter.store.code}/sales", body, **kwargs)


async def manager_id(shop: Shop, counter: Counter) -> UUID:
    found: UUID = (await row_of(shop, staff, login=counter.manager)).id
    return found


async def adjusted(shop: Shop, number: str) -> list[tuple[str, int, UUID | None]]:
    async def work(tx: Tx) -> list[Any]:
        return await tx.rows(
            "SELECT a.kind, a.amount, a.approved_by FROM orders.adjustments a JOIN orders.orders o ON o.id = a.order_id"
            " WHERE o.number = :number",
            number=number,
        )  # fmt: skip

    return [(row.kind, row.amount, row.approved_by) for row in await shop.db.read(work)]


async def test_a_price_below_the_list_is_approved_by_pin_or_badge(shop: Shop, counter: Counter) -> None:
    body, key, before = sale(counter.item, 8_000), str(uuid7()), await count(shop, adjustments)
    refused = await sell(counter.associate, counter, body)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/approval-needed")
    assert refused.json()["permission"] == "prices.override"
    assert refused.json()["lines"] == [
        {"index": 0, "sku": counter.item.sku, "listed": rub(10_000), "charged": rub(8_000)}
    ]
    assert (await levels(shop, counter.item, counter.store), await count(shop, adjustments)) == ((50, 0), before)
    booked = await sell(counter.associate, counter, body, headers=counter.by_pin, key=key)
    assert booked.status_code == 201, booked.text
    number, manager = booked.json()["order_number"], await manager_id(shop, counter)
    assert await adjusted(shop, number) == [("override", -2_000, manager)]
    record = await row_of(shop, audit_records, action="sale.book", approved_by=manager)
    assert str(record.subject) != str(manager)
    event = await row_of(shop, outbox, type="order.sale_booked", aggregate_id=UUID(record.target_id))
    assert event.actor["approved_by"] == str(manager)
    assert (await row_of(shop, sessions, principal_id=manager)) is None, "nobody was signed in or out"
    for headers in ({}, {"Approval-Login": counter.manager, "Approval-Pin": "9999"}):
        again = await sell(counter.associate, counter, body, headers=headers, key=key)
        assert (again.status_code, again.json()) == (201, booked.json()), "the answer needs nobody again"
    resent = await sell(counter.associate, counter, body)
    assert (resent.status_code, resent.json()["already_booked"]) == (201, True)
    by_badge = await sell(counter.associate, counter, sale(counter.item, 9_000), headers=counter.by_badge)
    assert await adjusted(shop, by_badge.json()["order_number"]) == [("override", -1_000, manager)]
    assert await levels(shop, counter.item, counter.store) == (48, 0)


async def below_list(shop: Shop, sale_id: str) -> Any:
    async def work(tx: Tx) -> Any:
        return await tx.one(
            "SELECT after -> 'below_list' AS skus FROM infra.audit_records WHERE action = 'sale.book' AND after ->> 'sale' = :id",
            id=sale_id,
        )

    return (await shop.db.read(work)).skus


async def test_who_may_needs_nobody_and_facts_are_booked(shop: Shop, counter: Counter) -> None:
    manager = await at_device(shop, await shop.device("till", counter.store.code), counter.manager)
    own = await sell(manager, counter, sale(counter.item, 8_000))
    assert await adjusted(shop, own.json()["order_number"]) == [("override", -2_000, None)]
    dearer = await sell(counter.associate, counter, sale(counter.item, 12_000))
    assert await adjusted(shop, dearer.json()["order_number"]) == [("shelf_price", 2_000, None)]
    by_itself = await sell(counter.till, counter, sale(counter.item, 8_000))
    assert await adjusted(shop, by_itself.json()["order_number"]) == [("shelf_price", -2_000, None)]
    late = (clock() - timedelta(minutes=11)).isoformat()
    offline = await sell(counter.associate, counter, sale(counter.item, 8_000, occurred_at=late))
    assert await adjusted(shop, offline.json()["order_number"]) == [("offline_price", -2_000, None)]
    # It is booked, and whoever reads the record sees what nobody allowed.
    assert await below_list(shop, offline.json()["id"]) == [counter.item.sku]
    hers = await sell(manager, counter, sale(counter.item, 8_000, occurred_at=late))
    at_list = await sell(counter.associate, counter, sale(counter.item, 10_000, occurred_at=late))
    assert [await below_list(shop, one.json()["id"]) for one in (hers, at_list, own)] == [None] * 3


async def test_a_wrong_approval_leaves_nothing_done_and_is_counted(shop: Shop, counter: Counter) -> None:
    body, before = sale(counter.item, 8_000), await count(shop, attempts)
    wrong = {"Approval-Login": counter.manager, "Approval-Pin": "9999"}
    for headers in ({"Approval-Badge": "nobodys-badge"}, *[wrong] * 5):
        refused = await sell(counter.associate, counter, body, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/wrong-approval")
    rests = await sell(counter.associate, counter, body, headers=counter.by_pin)
    assert (rests.status_code, rests.json()["type"]) == (429, "/problems/too-many-attempts")
    assert await levels(shop, counter.item, counter.store) == (50, 0)
    assert await count(shop, attempts) == before + 5, (
        "the badge, the PIN, all PINs at this till; his, the till's in the day"
    )
    at_the_till = await counter.till.post("/v1/auth/staff/device-sign-in", {"login": counter.manager, "pin": PIN})
    assert at_the_till.status_code == 429, "guesses at an approval are guesses at the PIN"
    assert (await sell(counter.associate, counter, body, headers=counter.by_badge)).status_code == 201


async def test_who_approves_is_another_one_of_this_store_who_may(shop: Shop, counter: Counter) -> None:
    other, body = await shop.store(), sale(counter.item, 8_000)
    stranger = await with_pin(shop, "store_manager", other.code)
    colleague = await with_pin(shop, "associate", counter.store.code)
    own = await with_pin(shop, "associate", counter.store.code)
    associate = await at_device(shop, counter.till, own)
    for approver, kind in ((stranger, "not-at-this-store"), (colleague, "approval-needed"), (own, "own-approval")):
        headers = {"Approval-Login": approver, "Approval-Pin": PIN}
        refused = await sell(associate, counter, body, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (403, f"/problems/{kind}"), approver
    for headers in ({"Approval-Login": counter.manager}, {**counter.by_badge, **counter.by_pin}):
        refused = await sell(associate, counter, body, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/badge-or-pin")
    elsewhere = await shop.staff("associate", counter.store.code)
    for caller in (elsewhere, counter.till):
        refused = await sell(caller, counter, body, headers=counter.by_pin)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/approval-elsewhere")
    assert await levels(shop, counter.item, counter.store) == (50, 0)


async def test_a_refund_into_another_tender(shop: Shop, counter: Counter) -> None:
    card = [{"kind": "card_terminal", "amount": rub(10_000), "reference": "slip-1"}]
    sold = (await sell(counter.associate, counter, sale(counter.item, 10_000, tenders=card))).json()
    path = f"/v1/stores/{counter.store.code}/returns"
    line = {"sku": counter.item.sku, "quantity": 1, "ground": "change_of_mind", "condition": "sellable"}
    body = {"order": sold["order_number"], "lines": [line], "refund": {"tender": "cash"}}
    refused = await counter.associate.post(path, body)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/other-tender-refused")
    wrong = await counter.associate.post(
        path, body, headers={"Approval-Login": counter.manager, "Approval-Pin": "9999"}
    )
    assert (wrong.status_code, wrong.json()["type"]) == (403, "/problems/wrong-approval")
    assert await levels(shop, counter.item, counter.store) == (49, 0)
    given = await counter.associate.post(path, body, headers=counter.by_pin)
    assert given.status_code == 201, given.text
    record = await row_of(
        shop, audit_records, action="refund.other_tender", approved_by=await manager_id(shop, counter)
    )
    assert record.after["amount"] == 10_000


async def test_goods_without_a_receipt(shop: Shop, counter: Counter) -> None:
    line = {"sku": counter.item.sku, "quantity": 2, "ground": "change_of_mind", "condition": "sellable"}
    path, key = f"/v1/stores/{counter.store.code}/returns/blind", str(uuid7())
    body = {"lines": [line], "reason": "lost", "refund": {"tender": "cash"}}
    before = await count(shop, returns)
    refused = await counter.associate.post(path, body)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/return-approval-needed")
    assert (refused.json()["permission"], refused.json()["refund_total"]) == ("returns.blind", rub(20_000))
    colleague = await with_pin(shop, "associate", counter.store.code)
    stranger = await with_pin(shop, "store_manager", (await shop.store()).code)
    for approver, kind in ((colleague, "return-approval-needed"), (stranger, "not-at-this-store")):
        headers = {"Approval-Login": approver, "Approval-Pin": PIN}
        answer = await counter.associate.post(path, body, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (403, f"/problems/{kind}"), approver
    wrong = await counter.associate.post(path, body, headers={"Approval-Badge": "nobodys-badge"})
    assert wrong.json()["type"] == "/problems/wrong-approval"
    assert (await levels(shop, counter.item, counter.store), await count(shop, returns)) == ((50, 0), before)
    taken = await counter.associate.post(path, body, headers=counter.by_badge, key=key)
    assert taken.status_code == 201, taken.text
    again = await counter.associate.post(path, body, key=key)
    assert (again.status_code, again.json()) == (201, taken.json()), "the answer needs nobody again"
    manager = await manager_id(shop, counter)
    booked = await row_of(shop, returns, number=taken.json()["number"])
    given = await row_of(shop, refunds, return_id=booked.id)
    record = await row_of(shop, audit_records, action="return.accept_blind", target_id=str(booked.id))
    events = [await row_of(shop, outbox, aggregate_id=one, version=1) for one in (booked.id, given.id)]
    assert (booked.accepted_by, booked.approved_by) == (given.given_by, given.approved_by) == (
        record.subject, record.approved_by,
    )  # fmt: skip
    assert booked.accepted_by != manager
    assert (booked.approved_by, given.amount, given.payment_id, given.order_id) == (manager, 20_000, None, None)
    assert [event.actor["approved_by"] for event in events] == [str(manager)] * 2
    assert await levels(shop, counter.item, counter.store) == (52, 0)
    by_pin = await counter.associate.post(path, body, headers=counter.by_pin)
    assert (await row_of(shop, returns, number=by_pin.json()["number"])).approved_by == manager


async def test_an_adjustment_above_the_threshold_is_booked_at_once(shop: Shop, counter: Counter) -> None:
    path = f"/v1/stores/{counter.store.code}/adjustments"
    body = {"sku": counter.item.sku, "delta": -2, "reason": "damage"}
    waits = await counter.associate.post(path, body)
    assert (waits.status_code, waits.json()["state"]) == (201, "waiting")
    booked = await counter.associate.post(path, body, headers=counter.by_badge)
    assert (booked.status_code, booked.json()["state"]) == (201, "booked"), booked.text
    assert await levels(shop, counter.item, counter.store) == (48, 0)
    record = await row_of(shop, audit_records, action="adjustment.book", approved_by=await manager_id(shop, counter))
    assert record.target_id == booked.json()["adjustment"]


async def test_what_a_customer_chooses_when_a_promise_breaks(shop: Shop, counter: Counter) -> None:
    """As with a cancelled order: staff with the permission at the store that could not do it, or with the approval of one who has it."""
    customer, elsewhere = await shop.shopper(), await shop.store()
    order = await place(customer, counter.store, (counter.item, 1))
    number = order["fulfillments"][0]["number"]
    reject = f"/v1/stores/{counter.store.code}/fulfillments/{number}/reject"
    assert (await counter.associate.post(reject, {"reason": "recalled"})).status_code == 200
    path, body = f"/v1/orders/{order['number']}/choice", {"cancel": True}
    alone = await counter.associate.post(path, body)
    assert (alone.status_code, alone.json()["type"]) == (403, "/problems/order-not-allowed")
    far = await with_pin(shop, "store_manager", elsewhere.code)
    not_his = await counter.associate.post(path, body, headers={"Approval-Login": far, "Approval-Pin": PIN})
    assert not_his.status_code == 403, not_his.text
    assert (await row_of(shop, orders, id=UUID(order["id"]))).state == "placed"
    chosen = await counter.associate.post(path, body, headers=counter.by_pin)
    assert (chosen.status_code, chosen.json()["state"]) == (200, "cancelled"), chosen.text
    record = await row_of(shop, audit_records, action="order.answer_choice", target_id=order["id"])
    assert (record.subject_kind, record.approved_by) == ("staff", await manager_id(shop, counter))
    assert (record.before["state"], len(record.before["asked"])) == ("placed", 1)


async def test_an_order_is_cancelled(shop: Shop, counter: Counter) -> None:
    order = await place(await shop.shopper(), counter.store, (counter.item, 1))
    path, body = f"/v1/orders/{order['number']}/cancel", {"reason": "changed_mind"}
    refused = await counter.associate.post(path, body)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/order-not-allowed")
    wrong = await counter.associate.post(path, body, headers={"Approval-Badge": "nobodys-badge"})
    assert wrong.json()["type"] == "/problems/wrong-approval"
    assert await levels(shop, counter.item, counter.store) == (49, 1)
    done = await counter.associate.post(path, body, headers=counter.by_pin)
    assert done.status_code == 200, done.text
    assert await levels(shop, counter.item, counter.store) == (50, 0)
    record = await row_of(shop, audit_records, action="order.cancel", approved_by=await manager_id(shop, counter))
    assert record.target_id == str((await row_of(shop, orders, number=order["number"])).id)
