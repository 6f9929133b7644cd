"""Staff find a customer by anything that is known of him; that they looked is recorded."""

from __future__ import annotations

from typing import Any

import pytest

from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from tests.orders.story import place
from tests.people.story import customer, fresh_email, fresh_phone, merged, problem, records, signed_up
from tests.support import Client, Shop, unique


async def found(caller: Client, query: str) -> list[str]:
    answer = await caller.get(f"/v1/customers?{query}")
    assert answer.status_code == 200, answer.text
    return [view["id"] for view in answer.json()["items"]]


async def test_by_phone_mail_card_external_id_and_order(shop: Shop, audited: None) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    email, phone, card, other = fresh_email(), fresh_phone(), unique("card"), unique("crm")
    me = await signed_up(shop, email=email, phone=phone)
    known = str(me.actor.subject)

    async def hold(tx: Tx) -> None:
        for kind, value in (("loyalty_card", card), ("external", other)):
            await tx.execute(
                "INSERT INTO customers.identifiers (id, profile_id, kind, value, created_at) VALUES (:id, :who, :kind, :value, :at)",
                id=uuid7(), who=me.actor.subject, kind=kind, value=value, at=tx.at,
            )  # fmt: skip

    await shop.db.write(hold)
    order = await place(me, store, (item, 1))
    operator = await shop.staff("call_center", channel="call_center")
    queries = [
        f"email={email.upper()}", f"phone=%2B{phone[1:]}", f"phone=8{phone[2:]}", f"loyalty_card={card}", f"external_id={other}",
        f"order={order['number']}", f"order={order['number'].replace('-', '')}",
    ]  # fmt: skip
    for query in queries:
        assert await found(operator, query) == [known], query
    looked = await records(shop, "customer.found", known)
    assert [(record.subject, record.after["by"]) for record in looked] == [
        (operator.actor.subject, query.partition("=")[0]) for query in queries
    ]
    assert await found(operator, f"email={fresh_email()}") == []
    (nobody,) = (await records(shop, "customer.found", "email"))[-1:]
    assert nobody.after == {"by": "email", "found": []}
    assert problem(await operator.get("/v1/customers?order=4821-3059-1769")) == (404, "unknown-order")


async def test_by_how_the_name_begins_in_pages(shop: Shop, audited: None) -> None:
    word = unique("Ёж")
    names = [f"{word} {n}" for n in "абв"]
    ids = [str(await customer(shop, name=name)) for name in names]
    await customer(shop, name=f"{word}%_другой")
    operator = await shop.staff("call_center")
    assert (await found(operator, f"name={word.lower()} "))[:3] == ids
    assert await found(operator, f"name={word}%25_") != ids
    assert len(await found(operator, f"name={word}%25_")) == 1
    assert await found(operator, f"name={word.replace('ж', '_')}") == []
    pages, cursor = [], ""
    while True:
        page = (await operator.get(f"/v1/customers?name={word} &limit=2{cursor}")).json()
        pages.append([view["name"] for view in page["items"]])
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert pages == [names[:2], names[2:]]
    assert problem(await operator.get("/v1/customers?name=x")) == (400, "bad-input")


async def test_a_merged_customer_is_found_as_the_one_who_won(shop: Shop, audited: None) -> None:
    word = unique("Merged")
    phone, operator = fresh_phone(), await shop.staff("call_center")
    loser = await customer(shop, phone=phone, name=f"{word} old")
    winner = await customer(shop, name=f"{word} new")
    await merged(shop, loser, winner)
    for query in (f"phone={phone.replace('+', '%2B')}", f"name={word}"):
        (view,) = (await operator.get(f"/v1/customers?{query}")).json()["items"]
        assert (view["id"], view["merged_ids"], view["phone"]) == (str(winner), [str(loser)], phone)


@pytest.mark.parametrize("query", ["", "?email=a@example.com&phone=89000000101", "?limit=3"])
async def test_exactly_one_criterion(shop: Shop, query: str) -> None:
    operator = await shop.staff("call_center")
    assert problem(await operator.get(f"/v1/customers{query}")) == (422, "one-criterion")


async def test_only_staff_who_may(shop: Shop) -> None:
    store, phone = await shop.store(), fresh_phone()
    me = await signed_up(shop, phone=phone)
    callers: list[tuple[Any, tuple[int, str]]] = [
        (shop.anybody(), (401, "sign-in-required")),
        (await shop.client(), (403, "not-allowed")),
        (me, (403, "not-allowed")),
        (await shop.staff("back_office"), (403, "not-allowed")),
        (await shop.device("till", store.code), (403, "not-allowed")),
    ]
    for caller, refusal in callers:
        for path in (
            "/v1/customers?phone=1",
            f"/v1/customers/{me.actor.subject}",
            f"/v1/customers/{me.actor.subject}/timeline",
        ):
            assert problem(await caller.get(path)) == refusal, path


async def test_the_card_tells_all_that_is_known(shop: Shop, audited: None) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    phone = fresh_phone()
    me, old = await signed_up(shop, phone=phone), await signed_up(shop)
    await old.post("/v1/touches", {"source": "poster", "store_qr": "qr-1"})
    await me.patch("/v1/me", {"preferred_store": store.code})
    await old.post("/v1/me/addresses", {"city": "Казань", "street": "Баумана"})
    consent = {"channel": "sms", "purpose": "service", "granted": True, "text_version": "1"}
    await me.put("/v1/me/consents", {"items": [consent]})
    order = await place(me, store, (item, 1))
    await me.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": 2})
    await merged(shop, old.actor.subject, me.actor.subject)
    operator = await shop.staff("associate", store.code)
    for one in (me, old):
        answer = await operator.get(f"/v1/customers/{one.actor.subject}")
        card = answer.json()
        assert (answer.status_code, answer.headers["etag"]) == (200, f'"{card["version"]}"')
        assert (card["id"], card["merged_ids"]) == (str(me.actor.subject), [str(old.actor.subject)])
        assert (card["phone"], card["preferred_store"]) == (phone, store.code)
        assert sorted(one["kind"] for one in card["identifiers"]) == ["email", "email", "phone"]
        assert [one["street"] for one in card["addresses"]] == ["Баумана"]
        assert [one["channel"] for one in card["consents"]] == ["sms"]
        assert card["touches"]["first"]["store_qr"] == "qr-1"
        assert card["open"] == {"orders": [order["number"]], "returns": [], "carts": 1}
    nobody = "00000000-0000-7000-8000-000000000000"
    assert problem(await operator.get(f"/v1/customers/{nobody}")) == (404, "unknown-customer")
