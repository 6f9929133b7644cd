"""A record of a change says what was before: enough to see what somebody made of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from commerce import catalog, prices
from commerce.infra.db import Database
from commerce.infra.tables import audit_records
from commerce.stock import safety
from tests.conversations.test_staff import login_of
from tests.orders.story import place
from tests.people.story import signed_up, talked
from tests.supply.story import BACK, announced, in_days, receive
from tests.support import Shop, clock, unique

pytestmark = pytest.mark.usefixtures("audited")


async def recorded(shop: Shop, **values: Any) -> list[tuple[str, Any, Any]]:
    """Action, before and after of the records that have these values, oldest first."""

    async def work(tx: Any) -> list[Any]:
        return sorted(await tx.rows(audit_records.select().filter_by(**values)), key=lambda row: row.id)

    return [(row.action, row.before, row.after) for row in await shop.db.read(work)]


async def test_an_expected_receipt(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    coming = await announced(office, store, (item, 5, None))
    moved = await office.post(
        f"{BACK}/{coming['number']}/change", {"expected_on": in_days(9).isoformat(), "reason": "Late"}
    )
    assert moved.status_code == 200, moved.text
    came = await receive(staff, store, coming["number"], {"sku": item.sku, "quantity": 2})
    assert came.status_code == 201, came.text
    told = [one for one in await recorded(shop, target="expected_receipt") if one[2]["open"] <= 5]
    told = [
        (action, before, {name: after[name] for name in ("state", "version", "expected_on", "open", "overdue")})
        for action, before, after in told[-3:]
    ]
    first = {"state": "announced", "version": 1, "expected_on": in_days(3).isoformat(), "open": 5, "overdue": False}
    second = first | {"version": 2, "expected_on": in_days(9).isoformat()}
    third = second | {"version": 3, "open": 3, "state": "partially_received"}
    assert told == [
        ("expected_receipt.announce", None, first), ("expected_receipt.change", first, second),
        ("expected_receipt.receive", second, third),
    ]  # fmt: skip


async def test_tax_rates_and_return_policies(shop: Shop) -> None:
    actor, code = shop.system, unique("class")
    policy = {"code": code, "name": {"en": "Thirty"}, "change_of_mind_days": 30, "defect_days": 700}
    for days in (30, 14):
        given = catalog.ReturnPolicyInput(code=code, name={"en": "Thirty"}, change_of_mind_days=days, defect_days=700)
        await shop.db.write(catalog.set_return_policies, actor, policies=[given])
    assert await recorded(shop, action="return_policies.save", target_id=code) == [
        ("return_policies.save", [], [policy]), ("return_policies.save", [policy], [policy | {"change_of_mind_days": 14}]),
    ]  # fmt: skip
    for name in ("Food", "Books"):
        given_class = catalog.TaxClassInput(code=code, name={"en": name})
        await shop.db.write(catalog.set_tax_classes, actor, classes=[given_class])
    assert (await recorded(shop, action="tax_classes.save", target_id=code))[-1] == (
        "tax_classes.save", [{"code": code, "name": {"en": "Food"}}], [{"code": code, "name": {"en": "Books"}}],
    )  # fmt: skip
    for moment, rate in ((clock(), 2_000), (clock() + timedelta(days=1), 2_200)):
        new = prices.NewTaxRate(tax_class=code, zone="ru", valid_from=moment, basis_points=rate)
        await shop.db.write(prices.set_tax_rates, actor, rates=[new])
    told = [one for one in await recorded(shop, action="tax_rates.set") if one[2][0]["tax_class"] == code]
    assert [(before[0]["basis_points"], after[0]["basis_points"]) for _, before, after in told] == [
        (None, 2_000),
        (2_000, 2_200),
    ]


async def test_safety_rules(shop: Shop, db: Database) -> None:
    store, item, planner = await shop.store(), await shop.item(), await shop.staff("back_office")
    for quantity in (2, 5, None):
        rule = {"location": store.code, "sku": item.sku, "quantity": quantity}
        assert (await planner.put("/v1/stock/safety", {"rules": [rule]})).status_code == 200
    assert await safety.settle(db)
    told = await recorded(shop, action="stock.plan_safety", subject=planner.actor.subject)
    (rule,) = told[0][1]["quantities"]
    assert (rule["location"], rule["variant"], rule["category"]) == (str(store.id), str(item.id), None)
    assert [(before["quantities"][0]["quantity"], after["quantities"][0]["quantity"]) for _, before, after in told] == [
        (None, 2),
        (2, 5),
        (5, None),
    ]


async def test_a_recall_and_its_end(shop: Shop) -> None:
    item, office = await shop.item(), await shop.staff("back_office")
    path = f"/v1/variants/{item.sku}"
    assert (await office.post(f"{path}/stop-sale", {"reason": "recall"})).status_code == 200
    assert (await office.post(f"{path}/resume", {"reason": "tested"})).status_code == 200
    assert await recorded(shop, target="variant", target_id=str(item.id)) == [
        ("variant.stop_sale", {"sku": item.sku, "stopped": None}, {"sku": item.sku, "reason": "recall"}),
        ("variant.resume_sale", {"sku": item.sku, "stopped": "recall"}, {"sku": item.sku, "reason": "tested"}),
    ]


async def test_rejections_and_cancelled_orders(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 9)
    manager, anna = await shop.staff("store_manager", store.code), await shop.shopper()
    one, two = await place(anna, store, (item, 1)), await place(anna, store, (item, 1))
    number = one["fulfillments"][0]["number"]
    path = f"/v1/stores/{store.code}/fulfillments/{number}/reject"
    assert (await manager.post(path, {"reason": "damaged"})).status_code == 200
    ((action, before, after),) = await recorded(shop, action="fulfillment.reject", subject=manager.actor.subject)
    assert (action, before) == ("fulfillment.reject", {"state": "open", "location": store.code})
    assert after["state"] == "rejected"
    for order in (one, two):
        answer = await manager.post(f"/v1/orders/{order['number']}/cancel", {"reason": "changed_mind"})
        assert answer.status_code == 200, answer.text
        assert await recorded(shop, action="order.cancel", target_id=order["id"]) == [
            ("order.cancel", {"state": "placed"}, {"state": "cancelled", "reason": "changed_mind"})
        ]


async def test_conversations_consents_and_profiles(shop: Shop) -> None:
    staff, me = await shop.staff("call_center"), await signed_up(shop)
    talk = await talked(shop, staff, me.actor.subject, "Ищет шарф")
    closed = await staff.post(
        f"/v1/conversations/{talk['number']}/close",
        {"outcome": "no_sale", "lost": [{"reason": "size", "asked_for": "шарф"}]},
    )
    assert closed.status_code == 200, closed.text
    told = await recorded(shop, target="conversation", target_id=talk["id"])
    assert told[0][1] is None
    assert [(before["state"], before["version"], after["state"]) for _, before, after in told[1:]] == [
        (told[n][2]["state"], told[n][2]["version"], told[n + 1][2]["state"]) for n in range(len(told) - 1)
    ]
    assert told[-1][2]["state"] == "closed"
    where = f"/v1/customers/{me.actor.subject}"
    for granted in (True, False):
        said = {"channel": "sms", "purpose": "service", "granted": granted, "text_version": "1"}
        assert (await staff.put(f"{where}/consents", {"items": [said]})).status_code == 200
    assert [(before["consents"], after["consents"]) for _, before, after in await recorded(shop, action="customer.consents", target_id=str(me.actor.subject))] == [
        ([], ["sms:service:yes"]), (["sms:service:yes"], ["sms:service:no"]),
    ]  # fmt: skip
    version = (await me.get("/v1/me")).json()["version"]
    assert (await staff.patch(where, {"name": "Ирина Новая"})).status_code == 200
    assert await recorded(shop, action="customer.changed", target_id=str(me.actor.subject)) == [
        ("customer.changed", {"version": version}, {"fields": ["name"]})
    ]


async def test_who_is_shut_out_and_let_in_again(shop: Shop) -> None:
    admin, member = await shop.staff("admin"), await shop.staff("associate")
    login = await login_of(shop, member)
    for step in ("revoke", "restore"):
        answer = await admin.post(f"/v1/staff/{login}/{step}")
        assert answer.status_code == 200, answer.text
    assert await recorded(shop, target="staff", target_id=str(member.actor.subject)) == [
        ("staff.revoked", {"revoked": False}, {"revoked": True}), ("staff.restored", {"revoked": True}, {"revoked": False}),
    ]  # fmt: skip


async def test_a_team_of_conversations(shop: Shop) -> None:
    store, office, code = await shop.store(), await shop.staff("back_office"), unique("team")
    for minutes, where in ((30, store.code), (15, None)):
        body = {"name": {"en": "Team"}, "first_answer_minutes": minutes, "location": where, "channels": []}
        assert (await office.put(f"/v1/conversation-teams/{code}", body)).status_code == 200
    first = {"minutes": 30, "location": store.code, "channels": []}
    assert await recorded(shop, action="conversation_team.save", target_id=code) == [
        ("conversation_team.save", None, first),
        ("conversation_team.save", first, {"minutes": 15, "location": None, "channels": []}),
    ]
