"""Staff act for a customer: his cart, his orders, their name on the record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from commerce import auth
from commerce.auth import tokens
from commerce.auth.tables import client_keys, clients
from commerce.infra.tables import audit_records, outbox
from commerce.kernel.ids import uuid7
from commerce.orders.tables import orders
from tests.auth.support import PASSWORD, at_till, colleague, refused, row_of
from tests.orders.story import place
from tests.support import Client, Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


async def acting(shop: Shop, member: Client, customer: object, reason: str = "customer_asked") -> Client:
    answer = await member.post(f"/v1/customers/{customer}/acting", {"reason": reason})
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store"), answer.text
    return Client(shop.http, answer.json()["access_token"])


async def test_an_order_for_the_customer_is_his_and_says_who_placed_it(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=10_000)
    await shop.stock(store, item, 5)
    agent, customer = await shop.staff("call_center", channel="call_center"), await shop.shopper(known=True)
    person = customer.actor.subject
    acts = await acting(shop, agent, person)
    assert (await acts.get("/v1/me")).json()["id"] == str(person)
    order = await place(acts, store, (item, 2))
    row = await row_of(shop, orders, number=order["number"])
    assert (row.customer_id, row.associate_id, row.channel) == (person, agent.actor.subject, "call_center")
    event = await row_of(shop, outbox, type="order.placed", aggregate_id=row.id)
    said = {name: event.actor[name] for name in ("kind", "subject", "on_behalf_of", "reason")}
    assert said == {
        "kind": "staff", "subject": str(agent.actor.subject), "on_behalf_of": str(person), "reason": "customer_asked",
    }  # fmt: skip
    record = await row_of(shop, audit_records, action="customer.acted_for", subject=agent.actor.subject)
    assert (record.on_behalf_of, record.reason, record.target_id) == (person, "customer_asked", str(person))
    assert [one["number"] for one in (await customer.get("/v1/orders")).json()["items"]] == [order["number"]]
    assert (await acts.get(f"/v1/orders/{order['number']}")).status_code == 200
    assert (await acts.get("/v1/carts/current")).json()["lines"] == []


async def test_the_cart_is_his_in_every_channel(shop: Shop) -> None:
    item, other = await shop.item(), await shop.item()
    agent, customer = await shop.staff("call_center", channel="call_center"), await shop.shopper(known=True)
    assert (await customer.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": 1})).status_code == 200
    acts = await acting(shop, agent, customer.actor.subject, "in_store_help")
    assert [line["sku"] for line in (await acts.get("/v1/carts/current")).json()["lines"]] == [item.sku]
    assert (await acts.put(f"/v1/carts/current/lines/{other.sku}", {"quantity": 2})).status_code == 200
    lines = {line["sku"]: line["quantity"] for line in (await customer.get("/v1/carts/current")).json()["lines"]}
    assert lines == {item.sku: 1, other.sku: 2}


async def test_the_token_ends_by_itself_and_with_the_session(shop: Shop) -> None:
    store, customer = await shop.store(), await shop.shopper(known=True)
    login, client = await colleague(shop, "call_center", "*"), await shop.client("call_center")
    signed = (await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).json()
    agent = Client(shop.http, signed["access_token"])
    answer = await agent.post(f"/v1/customers/{customer.actor.subject}/acting", {"reason": "complaint"})
    body = answer.json()
    assert (body["customer"], body["reason"], body["token_type"]) == (
        str(customer.actor.subject),
        "complaint",
        "Bearer",
    )
    read = tokens.read(body["access_token"], secret_key=shop.settings.secret_key, at=clock())
    assert read is not None
    assert (str(read[0].subject), str(read[0].session), read[0].reason) == (
        signed["subject"], signed["session_id"], "complaint",
    )  # fmt: skip
    acts = Client(shop.http, body["access_token"])
    clock.travel(timedelta(minutes=15, seconds=1))
    assert (await acts.get("/v1/me")).status_code == 401
    clock.back_to_present()
    assert (await agent.post("/v1/auth/sign-out")).status_code == 204
    await refused(acts, path="/v1/me")
    at_the_till = await at_till(shop, store, "store_manager")
    soon = (
        await at_the_till.post(f"/v1/customers/{customer.actor.subject}/acting", {"reason": "in_store_help"})
    ).json()
    assert soon["expires_at"] <= (clock() + timedelta(seconds=301)).isoformat(), (
        "no longer than the till stays unlocked"
    )


async def test_what_ended_the_token_is_remembered_as_long_as_the_token_lives(shop: Shop) -> None:
    customer = await shop.shopper(known=True)
    login, client = await colleague(shop, "call_center", "*"), await shop.client("call_center")
    signed = (await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).json()
    agent = Client(shop.http, signed["access_token"])
    acts = await acting(shop, agent, customer.actor.subject)
    assert (await agent.post("/v1/auth/sign-out")).status_code == 204
    clock.travel(timedelta(minutes=14))
    ring = auth.KeyRing(shop.db, secret_key=shop.settings.secret_key, token_seconds=shop.settings.access_token_seconds)
    assert await ring.actor(acts.token) is None
    clock.back_to_present()
    await refused(acts, path="/v1/me")


async def test_a_server_that_is_shut_out_acts_for_nobody(shop: Shop) -> None:
    server, customer = await shop.server({"customers.act": ["*"]}), await shop.shopper(known=True)
    acts = await acting(shop, server, customer.actor.subject)
    assert (await acts.get("/v1/me")).status_code == 200
    code = (await row_of(shop, clients, id=server.actor.subject)).code
    assert (await (await shop.staff("admin")).post(f"/v1/clients/{code}/revoke")).status_code == 200
    await refused(acts, path="/v1/me")


async def test_a_servers_token_ends_with_its_key_and_has_the_scopes_of_now(shop: Shop) -> None:
    admin, customer = await shop.staff("admin"), await shop.shopper(known=True)
    scopes = {"customers.act": ["*"], "customers.read": ["*"]}
    path = f"/v1/customers/{customer.actor.subject}"
    server = await shop.server(scopes)
    acts = await acting(shop, server, customer.actor.subject)
    assert (await acts.get(path)).status_code == 200
    client = await row_of(shop, clients, id=server.actor.subject)
    where = f"/v1/clients/{client.code}"
    fewer = [{"permission": "customers.act", "locations": ["*"]}]
    assert (await admin.patch(where, {"scopes": fewer})).status_code == 200
    await refused(acts, path=path, status=403)
    assert (await acts.get("/v1/me")).status_code == 200
    assert (await admin.patch(where, {"scopes": []})).status_code == 200
    await refused(acts, path="/v1/me")
    assert (await admin.patch(where, {"scopes": fewer})).status_code == 200
    answer = await admin.post(f"{where}/keys", {"overlap_seconds": 3600})
    assert answer.status_code == 201, answer.text
    new = await acting(shop, Client(shop.http, answer.json()["key"]), customer.actor.subject)
    assert (await acts.get("/v1/me")).status_code == 200
    old = await row_of(shop, client_keys, client_id=client.id, key_hash=tokens.fingerprint(str(server.token)))
    assert (await admin.delete(f"{where}/keys/{old.id}")).status_code == 204
    await refused(acts, path="/v1/me")
    assert (await new.get("/v1/me")).status_code == 200


async def test_who_acts_asks_for_no_other_token_by_it(shop: Shop) -> None:
    one, two = await shop.shopper(known=True), await shop.shopper(known=True)
    for caller in (await shop.staff("call_center"), await shop.server({"customers.act": ["*"]})):
        acts = await acting(shop, caller, one.actor.subject)
        for customer in (one, two):
            answer = await acts.post(f"/v1/customers/{customer.actor.subject}/acting", {"reason": "complaint"})
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-while-acting")


async def test_only_who_may_for_whom_there_is_with_a_reason(shop: Shop) -> None:
    customer = await shop.shopper(known=True)
    path = f"/v1/customers/{customer.actor.subject}/acting"
    agent, associate = await shop.staff("call_center"), await shop.staff("associate")
    assert (await associate.post(path, {"reason": "complaint"})).status_code == 403
    for body in ({}, {"reason": "curiosity"}, {"reason": "complaint", "note": "He is upset"}):
        assert (await agent.post(path, body)).status_code == 400
    for nobody in (uuid7(), (await shop.shopper()).actor.subject, agent.actor.subject):
        answer = await agent.post(f"/v1/customers/{nobody}/acting", {"reason": "complaint"})
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-customer")
    assert await row_of(shop, audit_records, action="customer.acted_for", subject=agent.actor.subject) is None


async def test_what_is_the_customers_alone_stays_his(shop: Shop) -> None:
    """His passes and sessions are not theirs; what concerns a session concerns the member's own."""
    customer = await shop.shopper(known=True)
    login, client = await colleague(shop, "call_center", "*"), await shop.client("call_center")
    signed = (await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).json()
    acts = await acting(shop, Client(shop.http, signed["access_token"]), customer.actor.subject)
    answer = await acts.post("/v1/auth/passes")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed")
    for method, path, body in (
        ("GET", "/v1/me/export", None),
        ("PUT", "/v1/me/password", {"new_password": "klyukva-fonar-7"}),
        ("DELETE", "/v1/me/password", None),
        ("POST", "/v1/me/identifiers", {"email": "agent@example.com"}),
        ("POST", "/v1/me/identifiers/verify", {"challenge_id": str(uuid7()), "code": "048213"}),
        ("DELETE", f"/v1/me/identifiers/{uuid7()}", None),
    ):
        answer = await acts.request(method, path, json=body)
        assert (answer.status_code, answer.json()["type"].split("/")[-1]) in (
            (403, "not-allowed"),
            (403, "owner-only"),
        ), path
    listed: list[Any] = (await acts.get("/v1/auth/sessions")).json()["items"]
    assert [one["id"] for one in listed] == [signed["session_id"]]
    assert (await acts.get("/v1/auth/session")).json()["id"] == signed["session_id"]
    made = await shop.signed_up()
    acts = await acting(shop, Client(shop.http, signed["access_token"]), made.actor.subject)
    answer = await acts.delete(f"/v1/auth/sessions/{made.actor.session}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-session")
    assert (await made.get("/v1/me")).status_code == 200


async def test_the_same_key_for_two_customers_is_two_requests(shop: Shop) -> None:
    item, agent = await shop.item(), await shop.staff("call_center", channel="call_center")
    one, two = await shop.shopper(known=True), await shop.shopper(known=True)
    path, key = f"/v1/carts/current/lines/{item.sku}", str(uuid7())
    assert (await (await acting(shop, agent, one.actor.subject)).put(path, {"quantity": 1}, key=key)).status_code == 200
    answer = await (await acting(shop, agent, two.actor.subject)).put(path, {"quantity": 1}, key=key)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/idempotency-key-reused")
    assert (await two.get("/v1/carts/current")).json()["lines"] == []


async def test_who_was_erased_is_acted_for_by_nobody(shop: Shop) -> None:
    agent, made = await shop.staff("call_center"), await shop.signed_up()
    acts = await acting(shop, agent, made.actor.subject)
    await shop.db.write(auth.erase_person, shop.system, ids=[made.actor.subject])
    await refused(acts, path="/v1/me")
