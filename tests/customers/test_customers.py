"""One profile per person: signing up and in, the own profile, finding, merging, forgetting."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commerce import auth, customers
from commerce.auth import tokens
from commerce.auth.tables import attempts, principals, sessions
from commerce.customers.tables import identifiers, profiles
from commerce.infra.db import Tx
from commerce.infra.tables import outbox
from commerce.kernel.ids import uuid7
from tests.auth.support import refused
from tests.support import Client, Shop, clock

PASSWORD = "beryoza-fonar-111"
_numbers = itertools.count(1)


def fresh_phone() -> str:
    return f"+7900{next(_numbers):07d}"


def fresh_email() -> str:
    return f"anna.{uuid7().hex[-10:]}.{next(_numbers)}@example.com"


async def rows_of(shop: Shop, table: Any, **where: Any) -> list[Any]:
    async def work(tx: Tx) -> list[Any]:
        return list(await tx.rows(table.select().filter_by(**where)))

    return await shop.db.read(work)


async def merge(shop: Shop, loser: UUID, winner: UUID) -> None:
    """What a merge will do: the loser points at the winner."""

    async def work(tx: Tx) -> None:
        await tx.execute(
            "UPDATE customers.profiles SET merged_into = :winner, merged_at = :at WHERE id = :loser",
            winner=winner, loser=loser, at=tx.at,
        )  # fmt: skip

    await shop.db.write(work)


async def person(shop: Shop, **values: Any) -> UUID:
    """A customer with a password."""
    hashed = await auth.hash_password(shop.settings, PASSWORD)
    return await shop.db.write(customers.create_profile, shop.system, password_hash=hashed, **values)


def signed_in(shop: Shop, answer: Any) -> Client:
    """The caller of an answer with tokens."""
    assert answer.status_code == 201, answer.text
    token = answer.json()["access_token"]
    read = tokens.read(token, secret_key=shop.settings.secret_key, at=clock())
    assert read is not None
    return Client(shop.http, token, read[0])


async def test_sign_up_by_the_clients_key_makes_a_new_person(shop: Shop, audited: None) -> None:
    client, email, phone = await shop.client("app"), fresh_email(), fresh_phone()
    command = {
        "email": f" {email.upper()} ",
        "phone": "8" + phone[2:5] + " " + phone[5:8] + "-" + phone[8:10] + "-" + phone[10:],
        "password": PASSWORD,
        "name": "Ирина Соколова",
        "language": "ru",
        "device_name": "iPhone",
    }
    answer = await client.post("/v1/auth/sign-up", command)
    me = signed_in(shop, answer)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["known"] is True
    assert (me.actor.kind, me.actor.channel, me.actor.known) == ("shopper", "app", True)
    read = await me.get("/v1/me")
    assert read.headers["etag"] == '"1"'
    body = read.json()
    assert body | {"created_at": ""} == {
        "id": str(me.actor.subject),
        "name": "Ирина Соколова",
        "language": "ru",
        "email": email,
        "email_verified_at": None,
        "phone": phone,
        "phone_verified_at": None,
        "birthday": None,
        "preferred_store": None,
        "preferences": {"contact_channel": None, "unwanted_channels": []},
        "version": 1,
        "created_at": "",
    }
    (event,) = await rows_of(shop, outbox, aggregate_id=me.actor.subject)
    assert (event.type, event.version, event.payload) == ("customer.signed_up", 1, {"language": "ru"})
    items = (await me.get("/v1/auth/sessions")).json()["items"]
    assert [item["device_name"] for item in items] == ["iPhone"]


async def test_sign_up_of_an_anonymous_shopper_keeps_the_principal_and_ends_his_old_session(
    shop: Shop, audited: None
) -> None:
    client = await shop.client()
    before = signed_in(shop, await client.post("/v1/auth/anonymous", {}))
    assert (await before.get("/v1/me")).status_code == 403
    answer = await before.post("/v1/auth/sign-up", {"phone": fresh_phone(), "password": PASSWORD})
    me = signed_in(shop, answer)
    assert me.actor.subject == before.actor.subject
    assert me.actor.session != before.actor.session
    await refused(before)
    refreshed = await client.post("/v1/auth/refresh", {"refresh_token": answer.json()["refresh_token"]})
    assert refreshed.status_code == 200
    assert refreshed.json()["known"] is True
    other = await shop.client()
    refreshed = await other.post("/v1/auth/refresh", {"refresh_token": refreshed.json()["refresh_token"]})
    assert refreshed.status_code == 401
    answer = await me.post("/v1/auth/sign-up", {"phone": fresh_phone(), "password": PASSWORD})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/already-signed-up")


async def test_one_anonymous_shopper_signs_up_once_however_often_he_presses(shop: Shop, audited: None) -> None:
    client = await shop.client()
    anonymous = signed_in(shop, await client.post("/v1/auth/anonymous", {}))
    answers = await asyncio.gather(
        *(anonymous.post("/v1/auth/sign-up", {"phone": fresh_phone(), "password": PASSWORD}) for _ in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 4
    assert len(await rows_of(shop, profiles, id=anonymous.actor.subject)) == 1
    assert len(await rows_of(shop, identifiers, profile_id=anonymous.actor.subject)) == 1


async def test_sign_up_race_for_one_phone_and_one_email_has_one_winner(shop: Shop, audited: None) -> None:
    client, phone, email = await shop.client(), fresh_phone(), fresh_email()
    people = await rows_of(shop, principals, kind="shopper")
    answers = await asyncio.gather(
        *(
            client.post("/v1/auth/sign-up", {"phone": phone, "email": email, "password": f"{PASSWORD}-{n}"})
            for n in range(8)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert {a.json()["type"] for a in answers if a.status_code == 409} == {"/problems/email-taken"}
    assert len(await rows_of(shop, identifiers, value=phone)) == 1
    assert len(await rows_of(shop, principals, kind="shopper")) == len(people) + 1
    winner = next(n for n, answer in enumerate(answers) if answer.status_code == 201)
    for n in range(8):
        answer = await client.post("/v1/auth/sign-in", {"phone": phone, "password": f"{PASSWORD}-{n}"})
        if n == winner:
            assert answer.status_code == 201
            break
        assert answer.status_code in (401, 429)
        clock.travel(timedelta(minutes=16))


async def test_taken_contacts_leave_nothing_behind(shop: Shop) -> None:
    client, phone, email = await shop.client(), fresh_phone(), fresh_email()
    await person(shop, phone=phone, email=email)
    before = len(await rows_of(shop, principals)), len(await rows_of(shop, sessions))
    answer = await client.post("/v1/auth/sign-up", {"phone": phone, "email": fresh_email(), "password": PASSWORD})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/phone-taken")
    assert set(answer.json()) == {"type", "title", "status", "detail", "instance"}
    answer = await client.post("/v1/auth/sign-up", {"email": email.upper(), "password": PASSWORD})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/email-taken")
    assert (len(await rows_of(shop, principals)), len(await rows_of(shop, sessions))) == before


@pytest.mark.parametrize(
    ("command", "status", "problem"),
    [
        ({}, 422, "contact-required"),
        ({"email": "anna"}, 422, "bad-email"),
        ({"email": "anna@localhost"}, 422, "bad-email"),
        ({"phone": "12"}, 400, "bad-input"),
        ({"phone": "call me"}, 422, "bad-phone"),
        ({"phone": "+7900"}, 422, "bad-phone"),
        ({"phone": "+79000000101", "password": "short"}, 400, "bad-input"),
        ({"phone": "+79000000101", "shoe_size": 42}, 400, "bad-input"),
        ({"phone": "+79000000101", "name": "a\x00b"}, 400, "bad-input"),
        ({"phone": "+79000000101", "language": "de"}, 400, "bad-input"),
    ],
)
async def test_what_bad_input_gets(shop: Shop, command: dict[str, Any], status: int, problem: str) -> None:
    answer = await (await shop.client()).post("/v1/auth/sign-up", {"password": PASSWORD} | command)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{problem}")


async def test_sign_in_by_email_or_phone(shop: Shop, audited: None) -> None:
    email, phone, client = fresh_email(), fresh_phone(), await shop.client("site")
    known = await person(shop, email=email, phone=phone)
    for command in ({"email": email.upper()}, {"phone": phone}):
        me = signed_in(shop, await client.post("/v1/auth/sign-in", {"password": PASSWORD} | command))
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
    signed_in(shop, await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD}))
    (kept,) = await rows_of(shop, passwords, principal_id=known)
    assert kept.hash.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    signed_in(shop, await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD}))


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
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/stale-profile")
    assert stale.json()["current_version"] == 2
    same = await me.patch("/v1/me", {"name": "Anna K."})
    assert same.json() == answer.json()
    new_phone = fresh_phone()
    answer = await me.patch("/v1/me", {"email": None, "phone": new_phone}, headers={"If-Match": '"2"'})
    assert (answer.json()["email"], answer.json()["phone"], answer.json()["version"]) == (None, new_phone, 3)
    assert [row.value for row in await rows_of(shop, identifiers, profile_id=known)] == [new_phone]
    answer = await me.patch("/v1/me", {"phone": None})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/contact-required")
    taken = fresh_email()
    await person(shop, email=taken)
    answer = await me.patch("/v1/me", {"email": taken, "name": None})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/email-taken")
    assert (await me.get("/v1/me")).json()["name"] == "Anna K."
    events = await rows_of(shop, outbox, aggregate_id=known)
    assert [(row.type, row.version, row.payload.get("fields")) for row in sorted(events, key=lambda e: e.version)] == [
        ("customer.signed_up", 1, None),
        ("customer.changed", 2, ["language", "name"]),
        ("customer.changed", 3, ["email", "phone"]),
    ]


async def test_two_devices_change_the_profile_at_once(shop: Shop, audited: None) -> None:
    known = await person(shop, phone=fresh_phone())
    me = await shop.shopper(known=True, person=known)
    answers = await asyncio.gather(
        *(me.patch("/v1/me", {"name": f"Name {n}"}, headers={"If-Match": '"1"'}) for n in range(6))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
    assert (await me.get("/v1/me")).json()["version"] == 2


async def test_two_people_want_one_email(shop: Shop, audited: None) -> None:
    email = fresh_email()
    pair = [await shop.shopper(known=True, person=await person(shop, phone=fresh_phone())) for _ in range(4)]
    answers = await asyncio.gather(*(me.patch("/v1/me", {"email": email}) for me in pair))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 3


async def test_a_merged_profile_is_followed_everywhere(shop: Shop, audited: None) -> None:
    client, operator = await shop.client(), await shop.staff("call_center")
    old_phone, email = fresh_phone(), fresh_email()
    oldest = await person(shop, phone=old_phone, name="Old")
    middle = await person(shop, phone=fresh_phone(), name="Middle")
    winner = await shop.db.write(customers.create_profile, shop.system, email=email, name="Winner", language="en")
    before = signed_in(shop, await client.post("/v1/auth/sign-in", {"phone": old_phone, "password": PASSWORD}))
    assert before.actor.subject == oldest
    await merge(shop, oldest, middle)
    await merge(shop, middle, winner)

    for one in (oldest, middle, winner):
        assert await shop.db.read(customers.ids_of, one) == [winner, middle, oldest]
        contact = await shop.db.read(customers.contacts, one)
        assert (contact.name, contact.email, contact.language) == ("Winner", email, "en")
    me = signed_in(shop, await client.post("/v1/auth/sign-in", {"phone": old_phone, "password": PASSWORD}))
    assert me.actor.subject == winner
    for caller in (me, before):
        assert (await caller.get("/v1/me")).json()["id"] == str(winner)
    changed = await before.patch("/v1/me", {"name": "One"})
    assert (changed.json()["id"], changed.json()["version"]) == (str(winner), 2)
    (found,) = (await operator.get(f"/v1/customers?phone=%2B{old_phone[1:]}")).json()["items"]
    assert (found["id"], found["name"], found["merged_ids"]) == (str(winner), "One", [str(middle), str(oldest)])
    for event in await rows_of(shop, outbox, aggregate_id=oldest):
        assert event.type == "customer.signed_up"


async def test_the_winners_password_opens_by_the_losers_phone_when_that_has_none(shop: Shop) -> None:
    client, phone = await shop.client(), fresh_phone()
    loser = await shop.db.write(customers.create_profile, shop.system, phone=phone)
    winner = await person(shop, email=fresh_email())
    await merge(shop, loser, winner)
    me = signed_in(shop, await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD}))
    assert me.actor.subject == winner


async def test_a_circle_is_found_by_the_audit_and_lets_nobody_in(shop: Shop) -> None:
    from commerce.customers.audit import INVARIANTS
    from commerce.infra import audit

    client, phone = await shop.client(), fresh_phone()
    one, two = await person(shop, phone=phone), await person(shop, phone=fresh_phone())
    await merge(shop, one, two)
    await merge(shop, two, one)
    findings = {finding.name: finding.offending for finding in await audit.run(shop.settings, INVARIANTS)}
    circle = findings["no profile is merged in a circle"]
    assert sorted(row["profile"] for row in circle) == sorted([str(one), str(two)])
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
        ("customer.erased", 2),
    }
    answer = await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD})
    assert answer.status_code == 401
    me = await shop.shopper(known=True, person=known)
    await refused(me, path="/v1/me")
    signed_in(shop, await client.post("/v1/auth/sign-up", {"phone": phone, "password": PASSWORD}))
