"""Staff find a customer by anything that is known of him; that they looked is recorded."""

from __future__ import annotations

from typing import Any

import pytest

from tests.orders.story import place
from tests.people.story import customer, fresh_email, fresh_phone, merged, problem, records, signed_up, told
from tests.support import Client, Shop, unique


async def found(caller: Client, query: str) -> list[str]:
    answer = await caller.get(f"/v1/customers?{query}")
    assert answer.status_code == 200, answer.text
    return [view["id"] for view in answer.json()["items"]]


async def test_by_phone_mail_card_external_id_and_order(shop: Shop, audited: None) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    email, phone, card, other = fresh_email(), fresh_phone(), f"{unique('card')} 0417 5590", unique("crm")
    me = await signed_up(shop, email=email)
    known = str(me.actor.subject)
    challenge, code = await shop.code_for(me, verify=True, phone=phone)
    added = await me.post("/v1/me/identifiers/verify", {"challenge_id": challenge, "code": code})
    assert added.status_code == 200, added.text

    operator = await shop.staff("call_center", channel="call_center")
    tablet = unique("tablet")
    for held in (
        {"kind": "loyalty_card", "value": card}, {"kind": "external", "system": "crm", "value": other},
        {"kind": "device", "value": tablet},
    ):  # fmt: skip
        assert (await operator.post(f"/v1/customers/{known}/identifiers", held)).status_code == 201
    order = await place(me, store, (item, 1))
    queries = [
        f"email={email.upper()}", f"phone=%2B{phone[1:]}", f"phone=8{phone[2:]}",
        f"loyalty_card={card}", f"loyalty_card={card.replace(' ', '')}", f"system=crm&external_id={other}",
        f"device={tablet}", f"order={order['number']}", f"order={order['number'].replace('-', '')}",
    ]  # fmt: skip
    for query in queries:
        assert await found(operator, query) == [known], query
    looked = await records(shop, "customer.found", known)
    assert [(record.subject, record.after["by"]) for record in looked] == [
        (operator.actor.subject, query.partition("=")[0].replace("system", "external")) for query in queries
    ]
    assert await found(operator, f"email={fresh_email()}") == []
    for both in (f"device={tablet}&name=A", f"device={tablet}&order={order['number']}"):
        assert problem(await operator.get(f"/v1/customers?{both}")) == (422, "one-criterion")
    assert problem(await operator.get("/v1/customers?order=4821-3059-1769")) == (404, "unknown-order")


async def test_an_anonymous_order_makes_a_guest_who_is_found(shop: Shop, audited: None) -> None:
    store, item, phone = await shop.store(), await shop.item(), fresh_phone()
    await shop.stock(store, item, 5)
    shopper, operator = await shop.shopper(), await shop.staff("call_center")
    contact = {"name": "Гость Гостев", "phone": phone}
    order = await place(shopper, store, (item, 1), contact=contact)
    assert await found(operator, f"order={order['number']}") == []
    await told(shop)
    for query in (f"order={order['number']}", f"phone=%2B{phone[1:]}"):
        assert await found(operator, query) == [str(shopper.actor.subject)]
    card = (await operator.get(f"/v1/customers/{shopper.actor.subject}")).json()
    assert (card["name"], card["guest"], card["phone"], card["phone_verified_at"]) == (
        "Гость Гостев",
        True,
        phone,
        None,
    )
    assert card["open"]["orders"] == [order["number"]]


async def test_a_merged_customer_is_found_as_the_one_who_won(shop: Shop, audited: None) -> None:
    word = unique("Merged")
    phone, operator = fresh_phone(), await shop.staff("call_center")
    loser = await customer(shop, phone=phone, name=f"{word} old")
    winner = await customer(shop, name=f"{word} new")
    await merged(shop, loser, winner)
    for query in (f"phone={phone.replace('+', '%2B')}", f"name={word} o"):
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
        assert sorted(one["kind"] for one in card["identifiers"]) == ["email", "phone"]
        assert [one["street"] for one in card["addresses"]] == ["Баумана"]
        assert [one["channel"] for one in card["consents"]] == ["sms"]
        assert card["touches"]["first"]["store_qr"] == "qr-1"
        assert card["open"] == {"orders": [order["number"]], "returns": [], "carts": 1, "conversations": []}
    nobody = "00000000-0000-7000-8000-000000000000"
    assert problem(await operator.get(f"/v1/customers/{nobody}")) == (404, "unknown-customer")
