"""Whoever reads about a customer leaves a record, before he is answered; customers who read of their own leave none."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from litestar import Litestar

from commerce.infra.tables import audit_records
from tests.orders.story import place
from tests.people.story import fresh_email, merged, problem, records, signed_up, talked, told
from tests.support import Client, Shop
from tests.support_statements import count_statements

READS = {
    "": "customer.read", "/timeline": "customer.timeline_read", "/consents": "customer.consents_read",
    "/export": "customer.exported",
}  # fmt: skip


async def all_of(shop: Shop, subject: UUID) -> list[tuple[str, str]]:
    """What one person has left in the record: action and target."""

    async def work(tx: Any) -> list[Any]:
        return sorted(await tx.rows(audit_records.select().filter_by(subject=subject)), key=lambda row: row.id)

    return [(row.action, row.target_id) for row in await shop.db.read(work)]


async def ok(caller: Client, path: str) -> Any:
    answer = await caller.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_card_timeline_consents_and_export(shop: Shop, audited: None) -> None:
    me, old = await signed_up(shop), await signed_up(shop)
    await merged(shop, old.actor.subject, me.actor.subject)
    reader = await shop.staff("admin")
    for path, action in READS.items():
        for asked in (me, old):
            await ok(reader, f"/v1/customers/{asked.actor.subject}{path}")
        found = await records(shop, action, me.actor.subject)
        assert [(row.subject, row.target, row.channel, row.after) for row in found] == [
            (reader.actor.subject, "customer", reader.actor.channel, None)
        ] * 2
    assert await records(shop, "customer.read", old.actor.subject) == []
    await ok(reader, f"/v1/customers/{me.actor.subject}/timeline?kind=order&kind=cart&kind=order")
    assert (await records(shop, "customer.timeline_read", me.actor.subject))[-1].after == {"kinds": ["cart", "order"]}


async def test_a_server_is_recorded_as_well(shop: Shop, audited: None) -> None:
    me, crm = await signed_up(shop), await shop.server({"customers.read": ["*"]})
    await ok(crm, f"/v1/customers/{me.actor.subject}")
    (record,) = await records(shop, "customer.read", me.actor.subject)
    assert record.subject_kind == "client"


async def test_who_is_refused_has_read_nothing(shop: Shop, audited: None) -> None:
    store = await shop.store()
    reader, me = await shop.staff("call_center"), await signed_up(shop)
    nobody = reader.actor.subject
    assert problem(await reader.get(f"/v1/customers/{nobody}")) == (404, "unknown-customer")
    assert problem(await reader.get(f"/v1/customers/{me.actor.subject}/timeline?cursor=abc")) == (400, "bad-cursor")
    assert problem(await reader.get("/v1/conversations/4821-3059")) == (404, "unknown-conversation")
    assert await all_of(shop, reader.actor.subject) == []
    kiosk = await shop.device("kiosk", store.code)
    assert problem(await kiosk.get(f"/v1/customers/{me.actor.subject}")) == (403, "not-allowed")
    assert await records(shop, "customer.read", me.actor.subject) == []


async def test_a_search_that_found_nobody(shop: Shop, audited: None) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    reader, anonymous = await shop.staff("call_center"), await shop.shopper()
    order = await place(anonymous, store, (item, 1))
    for query in (f"email={fresh_email()}", f"order={order['number']}"):
        assert (await ok(reader, f"/v1/customers?{query}"))["items"] == []
    assert await all_of(shop, reader.actor.subject) == [
        ("customer.not_found", "email"),
        ("customer.not_found", "order"),
    ]


async def test_an_order_and_what_had_led_to_it(shop: Shop, audited: None) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    me = await signed_up(shop)
    order = await place(me, store, (item, 1))
    await told(shop)
    where = f"/v1/orders/{order['number']}"
    near, far = await shop.staff("associate", store.code), await shop.staff("associate", other.code)
    assert (await ok(near, where))["contact"] is not None
    assert (await ok(far, where))["contact"] is None
    await ok(me, where)
    await ok(near, f"{where}/touches")
    for action in ("order.read", "order.touches_read"):
        (record,) = await records(shop, action, order["id"])
        assert (record.subject, record.after) == (near.actor.subject, {"customer": str(me.actor.subject)})


async def test_a_conversation(shop: Shop, audited: None) -> None:
    reader, me = await shop.staff("call_center"), await signed_up(shop)
    talk = await talked(shop, reader, me.actor.subject, "Ищет шарф")
    await ok(reader, f"/v1/conversations/{talk['number']}")
    (record,) = await records(shop, "conversation.read", talk["id"])
    assert (record.subject, record.after) == (reader.actor.subject, {"customer": str(me.actor.subject)})


async def test_acting_for_a_customer_is_recorded_as_it_begins(shop: Shop, audited: None) -> None:
    """The member reads what the customer could under one record; of another customer each time."""
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    me, other = await signed_up(shop), await signed_up(shop)
    order = await place(me, store, (item, 1))
    operator = await shop.staff("call_center")
    began = await operator.post(f"/v1/customers/{me.actor.subject}/acting", {"reason": "customer_asked"})
    assert began.status_code == 201, began.text
    acting = Client(shop.http, began.json()["access_token"])
    for path in ("/v1/me", "/v1/orders", f"/v1/orders/{order['number']}", f"/v1/customers/{me.actor.subject}"):
        await ok(acting, path)
    await ok(acting, f"/v1/customers/{other.actor.subject}")
    assert await all_of(shop, operator.actor.subject) == [
        ("customer.acted_for", str(me.actor.subject)), ("customer.read", str(other.actor.subject)),
    ]  # fmt: skip


async def test_it_costs_three_statements_and_shoppers_none(shop: Shop, app: Litestar, audited: None) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    me, reader = await signed_up(shop), await shop.staff("associate", store.code)
    order = await place(me, store, (item, 1))
    spent = []
    for caller in (me, reader):
        async with count_statements(app.state.db) as statements:
            await ok(caller, f"/v1/orders/{order['number']}")
        spent.append(list(statements))
    assert not [statement for statement in spent[0] if "audit_records" in statement]
    assert [statement.split()[0] for statement in spent[1][-3:]] == ["BEGIN;", "INSERT", "COMMIT;"]
    assert len(spent[1]) == len(spent[0]) + 3
