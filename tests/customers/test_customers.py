"""One profile per person: passwords, the own profile, finding, what a merge means, forgetting."""

from __future__ import annotations

import asyncio
from typing import Any

from commerce import auth, customers
from commerce.auth.tables import attempts, sessions
from commerce.infra.db import Tx
from commerce.infra.tables import audit_records, outbox
from tests.auth.support import refused
from tests.customers.support import PASSWORD, fresh_email, fresh_phone, merge, person, refusal, rows_of, story_of
from tests.support import Shop


async def test_sign_in_by_email_or_phone(shop: Shop, audited: None) -> None:
    email, phone, client = fresh_email(), fresh_phone(), await shop.client("site")
    known = await person(shop, email=email, phone=phone)
    for command in ({"email": email.upper()}, {"phone": phone}):
        me = shop.bearer(await client.post("/v1/auth/sign-in", {"password": PASSWORD} | command))
        assert (me.actor.subject, me.actor.known, me.actor.channel) == (known, True, "site")
    for command in ({}, {"email": email, "phone": phone}):
        answer = await client.post("/v1/auth/sign-in", {"password": PASSWORD} | command)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/one-identifier")
    assert (await shop.anybody().post("/v1/auth/sign-in", {"email": email, "password": PASSWORD})).status_code == 401
    staff = await shop.staff("admin")
    assert (await staff.post("/v1/auth/sign-in", {"email": email, "password": PASSWORD})).status_code == 403


async def test_sign_in_of_nobody_is_answered_like_a_wrong_password(shop: Shop) -> None:
    client, phone, unknown, without = await shop.client(), fresh_phone(), fresh_phone(), fresh_phone()
    await person(shop, phone=phone)
    await shop.db.write(customers.create_profile, shop.system, phone=without)
    answers = []
    for value in (phone, unknown, without):
        tried = [await client.post("/v1/auth/sign-in", {"phone": value, "password": "wrong"}) for _ in range(6)]
        assert [answer.status_code for answer in tried] == [401] * 5 + [429]
        answers.append([answer.json() | {"instance": ""} for answer in tried])
    assert answers[0] == answers[1] == answers[2]
    answer = await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD})
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-attempts")


async def test_parallel_guesses_at_a_customer(shop: Shop) -> None:
    client, phone = await shop.client(), fresh_phone()
    known = await person(shop, phone=phone)
    answers = await asyncio.gather(
        *(client.post("/v1/auth/sign-in", {"phone": phone, "password": f"wrong-{n}"}) for n in range(12))
    )
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [429] * 7
    (kept,) = await rows_of(shop, attempts, identity=auth.identity(shop.settings, "phone", phone))
    assert kept.failures == 5
    assert phone not in kept.identity
    assert await rows_of(shop, sessions, principal_id=known) == []


async def test_a_cheap_hash_is_replaced_at_sign_in(shop: Shop) -> None:
    from argon2 import PasswordHasher

    from commerce.auth.tables import passwords

    client, phone = await shop.client(), fresh_phone()
    other_cost = PasswordHasher(time_cost=2, memory_cost=64, parallelism=1).hash(PASSWORD)
    known = await shop.db.write(customers.create_profile, shop.system, phone=phone, password_hash=other_cost)
    shop.bearer(await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD}))
    (kept,) = await rows_of(shop, passwords, principal_id=known)
    assert kept.hash.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    shop.bearer(await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD}))


async def test_change_me(shop: Shop, audited: None) -> None:
    email, phone = fresh_email(), fresh_phone()
    known = await person(shop, email=email, phone=phone, name="Anna")
    me = await shop.shopper(known=True, person=known)
    answer = await me.patch("/v1/me", {"name": "Anna K.", "language": "en"}, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"2"'
    assert (answer.json()["name"], answer.json()["language"], answer.json()["version"]) == ("Anna K.", "en", 2)
    assert (await me.get("/v1/me")).json() == answer.json()
    stale = await me.patch("/v1/me", {"name": "Lost"}, headers={"If-Match": '"1"'})
    assert refusal(stale) == (412, "stale-profile")
    assert stale.json()["current_version"] == 2
    same = await me.patch("/v1/me", {"name": "Anna K."})
    assert same.json() == answer.json()
    for field in ("email", "phone"):
        assert refusal(await me.patch("/v1/me", {field: None})) == (400, "bad-input")
    assert (await me.get("/v1/me")).json() == answer.json()
    emptied = await me.patch("/v1/me", {"name": None}, headers={"If-Match": '"2"'})
    assert (emptied.json()["name"], emptied.json()["email"], emptied.json()["phone"]) == (None, email, phone)
    events = await rows_of(shop, outbox, aggregate_id=known)
    assert [(row.type, row.version, row.payload.get("fields")) for row in sorted(events, key=lambda e: e.version)] == [
        ("customer.signed_up", 1, None),
        ("customer.changed", 2, ["language", "name"]),
        ("customer.changed", 3, ["name"]),
    ]


async def test_two_devices_change_the_profile_at_once(shop: Shop, audited: None) -> None:
    known = await person(shop, phone=fresh_phone())
    me = await shop.shopper(known=True, person=known)
    answers = await asyncio.gather(
        *(me.patch("/v1/me", {"name": f"Name {n}"}, headers={"If-Match": '"1"'}) for n in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
    assert (await me.get("/v1/me")).json()["version"] == 2


async def test_staff_find_a_customer_and_that_is_recorded(shop: Shop, audited: None) -> None:
    email, phone = fresh_email(), fresh_phone()
    known = await person(shop, email=email, phone=phone, name="Анна")
    operator = await shop.staff("call_center", channel="call_center")
    for query in (f"email={email.upper()}", f"phone=%2B{phone[1:]}", f"phone=8{phone[2:]}"):
        answer = await operator.get(f"/v1/customers?{query}")
        assert answer.status_code == 200, answer.text
        assert [(item["id"], item["name"], item["merged_ids"], item["guest"]) for item in answer.json()["items"]] == [
            (str(known), "Анна", [], False)
        ]
    records = await rows_of(shop, audit_records, target_id=str(known), action="customer.found")
    assert [(row.subject, row.after) for row in sorted(records, key=lambda row: row.id)] == [
        (operator.actor.subject, {"by": kind}) for kind in ("email", "phone", "phone")
    ]
    answer = await operator.get(f"/v1/customers?email={fresh_email()}")
    assert (answer.status_code, answer.json()) == (200, {"items": [], "next_cursor": None})
    for query in ("", f"?email={email}&phone=89000000101", "?system=erp", f"?external_id=1&email={email}"):
        assert refusal(await operator.get(f"/v1/customers{query}")) == (422, "one-criterion")
    store = await shop.store()
    for caller, status in (
        (shop.anybody(), 401),
        (await shop.client(), 403),
        (await shop.shopper(known=True, person=known), 403),
        (await shop.staff("back_office"), 403),
        (await shop.device("till", store.code), 403),
    ):
        assert (await caller.get(f"/v1/customers?email={email}")).status_code == status


async def test_staff_find_by_card_by_id_elsewhere_and_by_the_beginning_of_the_name(shop: Shop, audited: None) -> None:
    operator = await shop.staff("call_center", channel="call_center")
    surname = f"Щ{fresh_phone()[-5:]}"
    irina, ira, other = [
        await person(shop, phone=fresh_phone(), name=name)
        for name in (f"{surname} Ирина", f"{surname.lower()} ИРА", f"Я{surname}")
    ]
    card, number = f"CARD-{surname}", f"000{surname}"
    for who, kind, value, system in ((irina, "loyalty_card", card, None), (ira, "external", number, "erp")):
        body = {"kind": kind, "value": f" {value} ", "system": system}
        assert (await operator.post(f"/v1/customers/{who}/identifiers", body)).status_code == 201

    async def found(query: dict[str, str]) -> list[str]:
        from urllib.parse import urlencode

        answer = await operator.get(f"/v1/customers?{urlencode(query)}")
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]

    assert await found({"loyalty_card": card}) == [str(irina)]
    assert await found({"system": "erp", "external_id": number}) == [str(ira)]
    assert await found({"system": "crm", "external_id": number}) == []
    assert await found({"name": surname.upper()}) == [str(ira), str(irina)]
    assert await found({"name": f"{surname} ир", "limit": "1"}) == [str(ira)]
    assert await found({"name": f"{surname} ири"}) == [str(irina)]
    assert await found({"name": f"{surname}%"}) == []
    await merge(shop, irina, other)
    assert await found({"name": surname}) == [str(ira), str(other)]
    assert await found({"loyalty_card": card}) == [str(other)]


async def test_a_merged_profile_is_followed_everywhere(shop: Shop, audited: None) -> None:
    client, operator = await shop.client(), await shop.staff("call_center")
    old_phone, email = fresh_phone(), fresh_email()
    oldest = await person(shop, phone=old_phone, name="Old")
    middle = await person(shop, phone=fresh_phone(), name="Middle")
    winner = await shop.db.write(customers.create_profile, shop.system, email=email, name="Winner", language="en")
    before = shop.bearer(await client.post("/v1/auth/sign-in", {"phone": old_phone, "password": PASSWORD}))
    assert before.actor.subject == oldest
    await merge(shop, oldest, middle)
    await merge(shop, middle, winner)

    for one in (oldest, middle, winner):
        assert await shop.db.read(customers.ids_of, one) == [winner, middle, oldest]
        contact = await shop.db.read(customers.contacts, one)
        assert (contact.name, contact.email, contact.language) == ("Winner", email, "en")
    me = shop.bearer(await client.post("/v1/auth/sign-in", {"phone": old_phone, "password": PASSWORD}))
    assert me.actor.subject == winner
    for caller in (me, before):
        assert (await caller.get("/v1/me")).json()["id"] == str(winner)
    changed = await before.patch("/v1/me", {"name": "One"})
    assert (changed.json()["id"], changed.json()["version"]) == (str(winner), 3)
    (found,) = (await operator.get(f"/v1/customers?phone=%2B{old_phone[1:]}")).json()["items"]
    assert (found["id"], found["name"], found["merged_ids"]) == (str(winner), "One", [str(middle), str(oldest)])
    assert await story_of(shop, oldest) == [("signed_up", 1), ("merged", 2)]
    assert await story_of(shop, middle) == [("signed_up", 1), ("merged", 2), ("merged", 3)]
    assert await story_of(shop, winner) == [("signed_up", 1), ("merged", 2), ("changed", 3)]


async def test_the_winners_password_opens_by_the_losers_phone_when_that_has_none(shop: Shop) -> None:
    client, phone = await shop.client(), fresh_phone()
    loser = await shop.db.write(customers.create_profile, shop.system, phone=phone)
    winner = await person(shop, email=fresh_email())
    await merge(shop, loser, winner)
    me = shop.bearer(await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD}))
    assert me.actor.subject == winner


async def test_a_circle_is_found_by_the_audit_and_lets_nobody_in(shop: Shop) -> None:
    from commerce.customers.audit import INVARIANTS
    from commerce.infra import audit

    client, phone = await shop.client(), fresh_phone()
    one, two = await person(shop, phone=phone), await person(shop, phone=fresh_phone())

    async def circle(tx: Tx) -> None:
        await tx.execute(
            "UPDATE customers.profiles SET merged_into = CASE id WHEN :one THEN CAST(:two AS uuid) ELSE :one END, merged_at = :at"
            " WHERE id = ANY(CAST(:both AS uuid[]))",
            one=one, two=two, at=tx.at, both=[one, two],
        )  # fmt: skip

    await shop.db.write(circle)
    findings = {finding.name: finding.offending for finding in await audit.run(shop.settings, INVARIANTS)}
    offending = findings["no profile is merged in a circle"]
    assert sorted(row["profile"] for row in offending) == sorted([str(one), str(two)])
    assert await shop.db.read(customers.ids_of, one) == [one]
    answer = await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/wrong-password")

    async def undo(tx: Tx) -> None:
        await tx.execute(
            "UPDATE customers.profiles SET merged_into = NULL, merged_at = NULL WHERE id = ANY(CAST(:ids AS uuid[]))",
            ids=[one, two],
        )

    await shop.db.write(undo)


async def test_someone_without_a_profile(shop: Shop) -> None:
    shopper = await shop.shopper()
    assert await shop.db.read(customers.ids_of, shopper.actor.subject) == [shopper.actor.subject]
    assert await shop.db.read(customers.contacts, shopper.actor.subject) == customers.Contact(
        name=None, email=None, phone=None, language="ru"
    )


async def test_export_and_erase(shop: Shop, audited: None) -> None:
    client, email, phone = await shop.client(), fresh_email(), fresh_phone()
    loser = await person(shop, phone=phone, name="Анна старая")
    known = await person(shop, email=email, name="Анна")
    await merge(shop, loser, known)
    ids = await shop.db.read(customers.ids_of, loser)

    async def export(tx: Tx) -> dict[str, Any]:
        return await customers.export_person(tx, ids=ids)

    found = await shop.db.read(export)
    assert sorted(row["name"] for row in found["profiles"]) == ["Анна", "Анна старая"]
    assert [(row["kind"], row["value"]) for row in found["identifiers"]] == [("email", email), ("phone", phone)]

    async def erase(tx: Tx) -> None:
        await auth.erase_person(tx, shop.system, ids=ids)
        await customers.erase_person(tx, shop.system, ids=ids)

    await shop.db.write(erase)
    await shop.db.write(erase)
    found = await shop.db.read(export)
    assert [row["name"] for row in found["profiles"]] == [None, None]
    assert found["identifiers"] == []
    assert {(row.type, row.version) for row in await rows_of(shop, outbox, aggregate_id=known)} == {
        ("customer.signed_up", 1),
        ("customer.merged", 2),
        ("customer.erased", 3),
    }
    answer = await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD})
    assert answer.status_code == 401
    me = await shop.shopper(known=True, person=known)
    await refused(me, path="/v1/me")
    assert (await shop.signed_up(client, phone=phone)).actor.subject not in ids
