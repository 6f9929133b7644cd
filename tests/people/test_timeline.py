"""Everything a customer did, in one request."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from litestar import Litestar

from tests.orders.story import cash, make_ready, pickup_code, place, step
from tests.people.story import merged, problem, signed_up, talked, told
from tests.support import Client, Item, Shop, Store, clock
from tests.support_statements import count_statements


async def listed(caller: Client, me: Client, query: str = "") -> list[dict[str, Any]]:
    answer = await caller.get(f"/v1/customers/{me.actor.subject}/timeline{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def lived(shop: Shop, store: Store, item: Item) -> tuple[Client, Client, dict[str, Any]]:
    """A customer with an old profile: he ordered, collected, brought back, consented, was merged, has a cart and an open order."""
    me, old, staff = await signed_up(shop), await signed_up(shop), await shop.staff("store_manager", store.code)
    await old.post("/v1/touches", {"source": "search"})
    first = await place(old, store, (item, 2))
    await told(shop)
    clock.travel(timedelta(minutes=1))
    number, code = await make_ready(staff, store, first), await pickup_code(old, first)
    done = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(2 * item.price)]})
    assert done.status_code == 200, done.text
    clock.travel(timedelta(minutes=1))
    back = {
        "order": first["number"],
        "lines": [{"n": 1, "quantity": 1, "ground": "defect", "condition": "defective"}],
        "refund": {"tender": "cash"},
    }
    returned = await staff.post(f"/v1/stores/{store.code}/returns", back)
    assert returned.status_code == 201, returned.text
    clock.travel(timedelta(minutes=1))
    consent = {"channel": "sms", "purpose": "service", "granted": True, "text_version": "1"}
    await me.put("/v1/me/consents", {"items": [consent]})
    clock.travel(timedelta(minutes=1))
    await merged(shop, old.actor.subject, me.actor.subject)
    clock.travel(timedelta(minutes=1))
    due = (clock() + timedelta(days=1)).isoformat()
    step_ahead = {"what": "Перезвонить во вторник", "due_at": due}
    talk = await talked(shop, staff, old.actor.subject, "Ищет размер 46", next_step=step_ahead)
    clock.travel(timedelta(minutes=1))
    second = await place(me, store, (item, 1))
    clock.travel(timedelta(minutes=1))
    await me.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": 3})
    return me, old, {"first": first, "second": second, "returned": returned.json(), "talk": talk}


async def test_the_whole_person_newest_first_for_call_center_and_store_alike(shop: Shop, audited: None) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 10)
    me, old, did = await lived(shop, store, item)
    operator, associate = await shop.staff("call_center"), await shop.staff("associate", store.code)
    told_to = await listed(operator, me)
    assert [entry["kind"] for entry in told_to] == [
        "cart",
        "order",
        "conversation",
        "merge",
        "consent",
        "return",
        "order",
    ]
    cart, second, talk, merge, consent, back, first = told_to
    assert (cart["cart"]["lines"], cart["cart"]["skus"], cart["cart"]["channel"]) == (1, [item.sku], "site")
    assert (second["order"]["number"], second["order"]["state"]) == (did["second"]["number"], "placed")
    assert (second["order"]["bought_at"], second["order"]["fulfilled_at"]) == (None, [store.code])
    assert "touches" not in second
    said = talk["conversation"]
    assert (said["number"], said["summary"]) == (did["talk"]["number"], "Ищет размер 46")
    assert said["next_step"] == "Перезвонить во вторник"
    assert (merge["merge"]["loser"], merge["merge"]["winner"]) == (str(old.actor.subject), str(me.actor.subject))
    assert merge["merge"]["undone"] is False
    assert (consent["consent"]["channel"], consent["consent"]["granted"]) == ("sms", True)
    assert (back["returned"]["number"], back["returned"]["store"]) == (did["returned"]["number"], store.code)
    assert back["returned"]["refund_total"] == {"amount": item.price, "currency": "RUB"}
    assert (first["order"]["state"], first["order"]["return_status"]) == ("completed", "partially_returned")
    assert first["order"]["total"] == {"amount": 2 * item.price, "currency": "RUB"}
    assert first["touches"]["first"]["source"] == "search"
    assert "+79000000101" not in str(told_to), "whom an order is for is not told here"
    for caller, person in ((operator, old), (associate, me), (associate, old)):
        assert await listed(caller, person) == told_to


async def test_in_pages_and_by_kind(shop: Shop, audited: None) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 10)
    me, _, _ = await lived(shop, store, item)
    operator = await shop.staff("call_center")
    everything = await listed(operator, me)
    for limit in (1, 2, 4):
        pages: list[dict[str, Any]] = []
        cursor = ""
        while True:
            answer = (await operator.get(f"/v1/customers/{me.actor.subject}/timeline?limit={limit}{cursor}")).json()
            pages += answer["items"]
            assert len(answer["items"]) <= limit
            if answer["next_cursor"] is None:
                break
            cursor = f"&cursor={answer['next_cursor']}"
        assert pages == everything
    for query, kinds in (("?kind=order", ["order", "order"]), ("?kind=cart&kind=merge", ["cart", "merge"])):
        assert [entry["kind"] for entry in await listed(operator, me, query)] == kinds
    where = f"/v1/customers/{me.actor.subject}/timeline"
    assert problem(await operator.get(f"{where}?kind=secrets")) == (400, "bad-input")
    assert problem(await operator.get(f"{where}?cursor=abc")) == (400, "bad-cursor")


async def test_the_number_of_statements_is_fixed(shop: Shop, app: Litestar, audited: None) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 20)
    operator, new = await shop.staff("call_center"), await signed_up(shop)
    me, _, _ = await lived(shop, store, item)
    for _ in range(3):
        await place(me, store, (item, 1))
    seen = []
    for one in (new, me):
        async with count_statements(app.state.db) as statements:
            await listed(operator, one)
        seen.append(len(statements))
    assert seen == [14, 14], "three of them record who has read it"
