"""What finds a person: contacts proved by codes, cards and ids given by staff; claims that open nothing; guests."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from commerce import customers
from commerce.auth.tables import challenges, passwords, sessions
from commerce.customers.tables import identifiers, merges, profiles
from commerce.infra.tables import audit_records, outbox
from tests.auth.support import refused, row_of
from tests.customers.support import (
    PASSWORD,
    fresh_email,
    fresh_phone,
    person,
    refusal,
    rows_of,
    sign_in,
    story_of,
    wrong,
)
from tests.support import Client, Shop, clock, unique

VERIFY = "/v1/me/identifiers/verify"
NOBODY = "00000000-0000-7000-8000-000000000000"


async def guest_of(shop: Shop, **said: str) -> Client:
    """An anonymous shopper who has said how to reach him."""
    anonymous = shop.bearer(await (await shop.client()).post("/v1/auth/anonymous", {}))
    await shop.db.write(customers.note_guest, anonymous.actor, person=anonymous.actor.subject, **said)
    return anonymous


async def test_a_further_contact_is_added_by_its_code(shop: Shop, audited: None) -> None:
    email, phone = fresh_email(), fresh_phone()
    me = await shop.signed_up(email=email)
    challenge, code = await shop.code_for(me, verify=True, phone=phone)
    assert (await row_of(shop, challenges, id=UUID(challenge))).principal_id == me.actor.subject
    assert (await me.get("/v1/me")).json()["phone"] is None
    answer = await me.post(VERIFY, {"challenge_id": challenge, "code": wrong(code)})
    assert refusal(answer) == (401, "wrong-code")
    stranger = await shop.signed_up()
    answer = await stranger.post(VERIFY, {"challenge_id": challenge, "code": code})
    assert refusal(answer) == (401, "code-over")
    added = await me.post(VERIFY, {"challenge_id": challenge, "code": code}, key="one-verification")
    assert added.status_code == 200, added.text
    assert (added.json()["email"], added.json()["phone"], added.json()["version"]) == (email, phone, 2)
    assert (
        await me.post(VERIFY, {"challenge_id": challenge, "code": code}, key="one-verification")
    ).json() == added.json()
    items = (await me.get("/v1/me/identifiers")).json()["items"]
    assert [(one["kind"], one["value"], one["verified_at"] is not None) for one in items] == [
        ("email", email, True), ("phone", phone, True),
    ]  # fmt: skip
    assert (await shop.signed_up(phone=phone)).actor.subject == me.actor.subject
    assert await story_of(shop, me.actor.subject) == [("signed_up", 1), ("changed", 2)]
    challenge, code = await shop.code_for(me, verify=True, phone=phone)
    again = await me.post(VERIFY, {"challenge_id": challenge, "code": code})
    assert (again.status_code, again.json()["version"]) == (200, 2)


async def test_a_code_to_sign_in_adds_nothing_and_one_to_add_signs_nobody_in(shop: Shop) -> None:
    me, phone = await shop.signed_up(), fresh_phone()
    challenge, code = await shop.code_for(me, phone=phone)
    assert refusal(await me.post(VERIFY, {"challenge_id": challenge, "code": code})) == (401, "code-over")
    challenge, code = await shop.code_for(me, verify=True, phone=phone)
    answer = await (await shop.client()).post(f"/v1/auth/codes/{challenge}/sign-in", {"code": code})
    assert refusal(answer) == (401, "code-over")
    assert await rows_of(shop, identifiers, value=phone) == []


async def test_a_contact_of_another_account_is_told_after_the_code_and_merges_on_demand(
    shop: Shop, audited: None
) -> None:
    phone, email = fresh_phone(), fresh_email()
    old = await shop.signed_up(phone=phone, name="Старая")
    me = await shop.signed_up(email=email, name="Новая")
    challenge, code = await shop.code_for(me, verify=True, phone=phone)
    body = {"challenge_id": challenge, "code": code}
    assert refusal(await me.post(VERIFY, body | {"code": wrong(code)})) == (401, "wrong-code")
    for _ in range(2):
        answer = await me.post(VERIFY, body)
        assert (refusal(answer), answer.json()["kind"]) == ((409, "identifier-elsewhere"), "phone")
    assert (await me.get("/v1/me")).json()["version"] == 1
    assert await rows_of(shop, merges, winner_id=me.actor.subject) == []
    merged = await me.post(VERIFY, body | {"merge": True})
    assert merged.status_code == 200, merged.text
    assert (merged.json()["name"], merged.json()["email"], merged.json()["phone"]) == ("Новая", email, phone)
    assert await shop.db.read(customers.ids_of, old.actor.subject) == [me.actor.subject, old.actor.subject]
    (kept,) = await rows_of(shop, merges, winner_id=me.actor.subject)
    assert (kept.loser_id, kept.merged_by, kept.proof) == (old.actor.subject, me.actor.subject, "code")
    assert (await old.get("/v1/me")).json()["id"] == str(me.actor.subject)
    assert await story_of(shop, me.actor.subject) == [("signed_up", 1), ("merged", 2)]
    assert await story_of(shop, old.actor.subject) == [("signed_up", 1), ("merged", 2)]
    assert (await shop.signed_up(phone=phone)).actor.subject == me.actor.subject


async def test_the_last_verified_contact_stays(shop: Shop, audited: None) -> None:
    phone, operator = fresh_phone(), await shop.staff("call_center", channel="call_center")
    me = await shop.signed_up(email=fresh_email())
    card = {"kind": "loyalty_card", "value": unique("card")}
    path = f"/v1/customers/{me.actor.subject}/identifiers"
    assert (await operator.post(path, card)).status_code == 201
    assert (await operator.post(path, {"kind": "phone", "value": phone})).status_code == 201
    held = {one["kind"]: one["id"] for one in (await me.get("/v1/me/identifiers")).json()["items"]}
    for caller, address in ((me, "/v1/me/identifiers"), (operator, path)):
        assert refusal(await caller.delete(f"{address}/{held['email']}")) == (409, "last-contact")
        assert refusal(await caller.delete(f"{address}/{NOBODY}")) == (404, "unknown-identifier")
    stranger = await shop.signed_up()
    assert refusal(await stranger.delete(f"/v1/me/identifiers/{held['loyalty_card']}")) == (404, "unknown-identifier")
    left = await me.delete(f"/v1/me/identifiers/{held['loyalty_card']}")
    assert [one["kind"] for one in left.json()["identifiers"]] == ["email", "phone"]
    assert left.json()["phone_verified_at"] is None
    challenge, code = await shop.code_for(me, verify=True, phone=phone)
    assert (await me.post(VERIFY, {"challenge_id": challenge, "code": code})).status_code == 200
    left = await operator.delete(f"{path}/{held['email']}")
    assert (left.json()["email"], left.json()["phone"], left.json()["guest"]) == (None, phone, False)
    record = await row_of(shop, audit_records, action="customer.identifier_removed", target_id=str(me.actor.subject))
    assert record.before == {"identifier": held["email"]}


async def test_staff_give_cards_and_ids_that_are_one_customers_alone(shop: Shop, audited: None) -> None:
    store = await shop.store()
    clerk = await shop.staff("associate", store.code)
    one, two = await person(shop, phone=fresh_phone()), await person(shop, phone=fresh_phone())
    value = unique("00-11")
    for kind, system in (("loyalty_card", None), ("external", "erp"), ("device", None)):
        body = {"kind": kind, "value": f" {value} ", "system": system}
        given = await clerk.post(f"/v1/customers/{one}/identifiers", body)
        assert given.status_code == 201, given.text
        same = await clerk.post(f"/v1/customers/{one}/identifiers", body)
        assert (same.status_code, same.json()) == (201, given.json())
        taken = await clerk.post(f"/v1/customers/{two}/identifiers", body)
        assert (refusal(taken), taken.json()["kind"]) == ((409, "identifier-taken"), kind)
    held = {
        (row.kind, row.system, row.value, row.verified_at is not None)
        for row in await rows_of(shop, identifiers, value=value)
    }
    assert held == {("loyalty_card", "", value, True), ("external", "erp", value, True), ("device", "", value, True)}
    other: dict[str, str | None] = {"kind": "external", "value": value, "system": "crm"}
    assert (await clerk.post(f"/v1/customers/{two}/identifiers", other)).status_code == 201
    for odd in (
        {"kind": "external", "value": "1"},
        {"kind": "device", "value": "1", "system": "erp"},
        {"kind": "device", "value": " "},
    ):
        assert refusal(await clerk.post(f"/v1/customers/{two}/identifiers", odd)) == (422, "bad-identifier")
    nobody = f"/v1/customers/{NOBODY}/identifiers"
    assert refusal(await clerk.post(nobody, other)) == (404, "unknown-customer")
    records = await rows_of(shop, audit_records, action="customer.identifier_added", target_id=str(one))
    assert [record.after["kind"] for record in sorted(records, key=lambda r: r.id)] == [
        "loyalty_card",
        "external",
        "device",
    ]
    assert value not in repr([record.after for record in records])
    assert await story_of(shop, one) == [("signed_up", 1), ("changed", 2), ("changed", 3), ("changed", 4)]


async def test_nobody_takes_hold_of_a_contact_before_its_owner(shop: Shop, audited: None) -> None:
    """A claim opens nothing, blocks nobody, and is gone once the owner has proved his."""
    phone, clerk, client = fresh_phone(), await shop.staff("call_center"), await shop.client()
    squatter = await person(shop, email=fresh_email())
    claim = {"kind": "phone", "value": phone}
    assert (await clerk.post(f"/v1/customers/{squatter}/identifiers", claim)).status_code == 201
    answer = await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD})
    assert refusal(answer) == (401, "wrong-password")
    (found,) = (await clerk.get(f"/v1/customers?phone=%2B{phone[1:]}")).json()["items"]
    assert (found["id"], found["phone_verified_at"]) == (str(squatter), None)
    owner = await shop.signed_up(phone=phone)
    assert owner.actor.subject != squatter
    (kept,) = await rows_of(shop, identifiers, value=phone)
    assert (kept.profile_id, kept.verified_at is not None) == (owner.actor.subject, True)
    assert await story_of(shop, squatter) == [("signed_up", 1), ("changed", 2), ("changed", 3)]
    assert await shop.db.read(customers.ids_of, owner.actor.subject) == [owner.actor.subject]
    assert (await clerk.post(f"/v1/customers/{squatter}/identifiers", claim)).status_code == 201
    items = (await clerk.get(f"/v1/customers?phone=%2B{phone[1:]}")).json()["items"]
    assert [item["id"] for item in items] == [str(owner.actor.subject), str(squatter)]


async def test_at_most_fifty_identifiers(shop: Shop) -> None:
    clerk, who = await shop.staff("call_center"), await person(shop, phone=fresh_phone())
    path = f"/v1/customers/{who}/identifiers"
    for n in range(49):
        command = customers.AddIdentifier(kind="loyalty_card", value=f"{who}-{n}")
        await shop.db.write(customers.add_identifier, clerk.actor, customer=who, command=command)
    answer = await clerk.post(path, {"kind": "loyalty_card", "value": f"{who}-50"})
    assert (refusal(answer), answer.json()["limit"]) == ((409, "too-many-identifiers"), 50)
    assert len(await rows_of(shop, identifiers, profile_id=who)) == 50


# --- guests ---


async def test_a_guest_is_noted_completed_and_opens_nothing(shop: Shop, audited: None) -> None:
    email, phone, operator = fresh_email(), fresh_phone(), await shop.staff("call_center")
    guest = await guest_of(shop, name="Пётр", email=email.upper())
    who = guest.actor.subject
    for said in ({"email": email}, {"name": "Другой", "email": email}, {"phone": phone}, {"phone": phone}):
        await shop.db.write(customers.note_guest, guest.actor, person=who, **said)
    profile = await row_of(shop, profiles, id=who)
    assert (profile.guest, profile.name, profile.version) == (True, "Пётр", 2)
    assert {(row.kind, row.value, row.verified_at) for row in await rows_of(shop, identifiers, profile_id=who)} == {
        ("email", email, None), ("phone", phone, None),
    }  # fmt: skip
    events = await rows_of(shop, outbox, aggregate_id=who)
    assert [(e.type, e.version, e.payload) for e in sorted(events, key=lambda e: e.version)] == [
        ("customer.guest_noted", 1, {"language": "ru"}), ("customer.changed", 2, {"fields": ["phone"]}),
    ]  # fmt: skip
    assert await shop.db.read(customers.contacts, who) == customers.Contact(
        name="Пётр", email=email, phone=phone, language="ru"
    )
    (found,) = (await operator.get(f"/v1/customers?email={email}")).json()["items"]
    assert (found["id"], found["guest"], found["email_verified_at"]) == (str(who), True, None)
    assert (await guest.get("/v1/me")).status_code == 403
    assert (await guest.get("/v1/returns")).json()["items"] == []


async def test_noting_does_nothing_to_who_is_known_merged_or_erased(shop: Shop, audited: None) -> None:
    email = fresh_email()
    known = await shop.signed_up(email=email, name="Анна")
    guest = await guest_of(shop, email=fresh_email())
    gone = await guest_of(shop, email=fresh_email())
    await shop.db.write(customers.erase_person, shop.system, ids=[gone.actor.subject])
    command = customers.MergeCustomers(loser=guest.actor.subject, reason="Same person")
    await shop.db.write(customers.merge, shop.system, customer=known.actor.subject, command=command)
    for somebody in (known, guest, gone):
        before = await story_of(shop, somebody.actor.subject)
        await shop.db.write(
            customers.note_guest, somebody.actor, person=somebody.actor.subject, name="Нет", phone=fresh_phone()
        )
        assert await story_of(shop, somebody.actor.subject) == before
        assert [row.kind for row in await rows_of(shop, identifiers, profile_id=somebody.actor.subject)] != ["phone"]
    assert (await known.get("/v1/me")).json()["name"] == "Анна"


async def test_guests_become_the_accounts_when_their_contact_is_verified(shop: Shop, audited: None) -> None:
    email, client = fresh_email(), await shop.client()
    first, second = await guest_of(shop, name="Гость", email=email), await guest_of(shop, email=email)
    me = await shop.signed_up(client, email=email, name="Анна")
    people = [first.actor.subject, second.actor.subject]
    assert await shop.db.read(customers.ids_of, me.actor.subject) == [me.actor.subject, *sorted(people)]
    for guest in (first, second):
        await refused(guest, path="/v1/auth/sessions")
        assert await story_of(shop, guest.actor.subject) == [("guest_noted", 1), ("merged", 2)]
    assert await story_of(shop, me.actor.subject) == [("signed_up", 1), ("merged", 2), ("merged", 3)]
    items = (await me.get("/v1/me/identifiers")).json()["items"]
    assert [(one["value"], one["verified_at"] is not None) for one in items] == [(email, True)]
    later = await guest_of(shop, email=email)
    clock.travel(timedelta(minutes=1))
    again = await shop.signed_up(client, email=email)
    assert again.actor.subject == me.actor.subject
    assert later.actor.subject in await shop.db.read(customers.ids_of, me.actor.subject)


async def test_a_guest_who_signs_up_keeps_his_profile(shop: Shop, audited: None) -> None:
    email = fresh_email()
    guest = await guest_of(shop, name="Пётр", email=email)
    me = await shop.signed_up(guest, email=email)
    assert me.actor.subject == guest.actor.subject
    body = (await me.get("/v1/me")).json()
    assert (body["name"], body["email"], body["email_verified_at"] is not None) == ("Пётр", email, True)
    assert not (await row_of(shop, profiles, id=me.actor.subject)).guest
    assert await story_of(shop, me.actor.subject) == [("guest_noted", 1), ("signed_up", 2)]
    await refused(guest)


# --- the password, an option; sessions ---


async def test_a_password_is_set_within_ten_minutes_of_a_code_or_with_the_current_one(
    shop: Shop, audited: None
) -> None:
    client, phone = await shop.client(), fresh_phone()
    me = await shop.signed_up(client, phone=phone)
    clock.travel(timedelta(minutes=1))
    elsewhere = await shop.signed_up(client, phone=phone)
    body = {"new_password": PASSWORD}
    assert (await me.put("/v1/me/password", body, key="set-password-1")).status_code == 204
    await refused(elsewhere)
    assert (await me.get("/v1/me")).status_code == 200
    by_password = shop.bearer(await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD}))
    assert refusal(await by_password.put("/v1/me/password", {"new_password": "another-one"})) == (403, "proof-required")
    wrongly = {"new_password": "another-one", "current_password": "wrong"}
    assert refusal(await by_password.put("/v1/me/password", wrongly)) == (401, "wrong-password")
    rightly = wrongly | {"current_password": PASSWORD}
    assert (await by_password.put("/v1/me/password", rightly)).status_code == 204
    await refused(me)
    for password, status in ((PASSWORD, 401), ("another-one", 201)):
        answer = await client.post("/v1/auth/sign-in", {"phone": phone, "password": password})
        assert answer.status_code == status
    assert (await by_password.delete("/v1/me/password")).status_code == 204
    answer = await client.post("/v1/auth/sign-in", {"phone": phone, "password": "another-one"})
    assert refusal(answer) == (401, "wrong-password")


async def test_a_code_of_eleven_minutes_ago_proves_no_more(shop: Shop) -> None:
    client = await shop.client()
    challenge, code = await shop.code_for(client, phone=fresh_phone())
    tokens = (await sign_in(client, challenge, code)).json()
    clock.travel(timedelta(minutes=11))
    refreshed = await client.post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    me = Client(shop.http, refreshed.json()["access_token"])
    assert refusal(await me.put("/v1/me/password", {"new_password": PASSWORD})) == (403, "proof-required")
    assert await rows_of(shop, passwords, principal_id=UUID(tokens["subject"])) == []


async def test_guesses_at_the_current_password_are_counted(shop: Shop) -> None:
    known = await person(shop, phone=fresh_phone())
    me = await shop.shopper(known=True, person=known)
    body = {"new_password": "another-one", "current_password": "wrong"}
    answers = [refusal(await me.put("/v1/me/password", body)) for _ in range(6)]
    assert answers == [(401, "wrong-password")] * 5 + [(429, "too-many-attempts")]
    right = body | {"current_password": PASSWORD}
    assert refusal(await me.put("/v1/me/password", right)) == (429, "too-many-attempts")


async def test_staff_set_no_password_for_a_customer(shop: Shop) -> None:
    from msgspec import structs

    known = await person(shop, phone=fresh_phone())
    operator = await shop.staff("call_center", channel="call_center")
    acting = shop._issue(structs.replace(operator.actor, on_behalf_of=known, reason="He is on the phone"))
    body = {"new_password": "another-one", "current_password": PASSWORD}
    assert refusal(await acting.put("/v1/me/password", body)) == (403, "owner-only")
    assert refusal(await acting.delete("/v1/me/password")) == (403, "owner-only")
    assert (await acting.get("/v1/me")).json()["id"] == str(known)


async def test_sign_out_everywhere_reaches_merged_profiles_and_may_leave_this_session(
    shop: Shop, audited: None
) -> None:
    """How a revocation takes effect within 5 s without a statement on hot reads: the session is marked in the database, every process
    reads the ids revoked within the life of a token every 2 s (`auth/keyring.py`), and asks at once when its list is older than 5 s."""
    old = await shop.signed_up(phone=fresh_phone(), device_name="Tablet")
    me = await shop.signed_up(email=fresh_email(), device_name="Laptop")
    command = customers.MergeCustomers(loser=old.actor.subject, reason="Same person")
    await shop.db.write(customers.merge, shop.system, customer=me.actor.subject, command=command)
    names = [item["device_name"] for item in (await me.get("/v1/auth/sessions")).json()["items"]]
    assert names == ["Laptop", "Tablet"]
    assert (await me.post("/v1/auth/sign-out-everywhere", {"keep_current": True})).status_code == 204
    await refused(old)
    names = [item["device_name"] for item in (await me.get("/v1/auth/sessions")).json()["items"]]
    assert names == ["Laptop"]
    kept = await row_of(shop, sessions, id=old.actor.session)
    assert kept.revoked_reason == "signed_out_everywhere"
    assert (await me.post("/v1/auth/sign-out-everywhere", {})).status_code == 204
    await refused(me)


async def test_the_lost_telephone_of_a_merged_profile_is_signed_out(shop: Shop) -> None:
    old, me, stranger = await shop.signed_up(), await shop.signed_up(), await shop.signed_up()
    command = customers.MergeCustomers(loser=old.actor.subject, reason="Same person")
    await shop.db.write(customers.merge, shop.system, customer=me.actor.subject, command=command)
    lost = f"/v1/auth/sessions/{old.actor.session}"
    assert refusal(await stranger.delete(lost)) == (404, "unknown-session")
    assert (await me.delete(lost)).status_code == 204
    await refused(old)


async def test_staff_sign_out_everywhere_is_recorded(shop: Shop) -> None:
    staff = await shop.staff("admin")
    assert (await staff.post("/v1/auth/sign-out-everywhere", {})).status_code == 204
    record = await row_of(shop, audit_records, action="staff.signed_out_everywhere", target_id=str(staff.actor.subject))
    assert record.subject == staff.actor.subject


async def test_a_verified_contact_goes_only_after_a_fresh_code(shop: Shop, audited: None) -> None:
    """A stolen session cannot shut its owner out."""
    me = await shop.signed_up(email=fresh_email())
    asked = await me.post("/v1/me/identifiers", {"phone": fresh_phone()})
    challenge = asked.json()["challenge_id"]
    verified = await me.post(
        "/v1/me/identifiers/verify", {"challenge_id": challenge, "code": await shop.code_of(challenge)}
    )
    assert verified.status_code == 200, verified.text
    email = next(one["id"] for one in verified.json()["identifiers"] if one["kind"] == "email")
    clock.travel(timedelta(minutes=11))
    old = shop._issue(me.actor)
    assert refusal(await old.delete(f"/v1/me/identifiers/{email}")) == (403, "fresh-code-required")
    assert email in [one["id"] for one in (await old.get("/v1/me/identifiers")).json()["items"]]
    clock.back_to_present()
    assert (await me.delete(f"/v1/me/identifiers/{email}")).status_code == 200


async def test_a_contact_is_added_only_by_who_has_just_proved_who_he_is(shop: Shop, audited: None) -> None:
    """Else a stolen token adds a thief's telephone, comes in by its code, and shuts the owner out."""
    mail, phone = fresh_email(), fresh_phone()
    me, kiosk = (
        await shop.signed_up(email=mail, password=PASSWORD),
        await shop.device("kiosk", (await shop.store()).code),
    )
    passed = (await me.post("/v1/auth/passes")).json()["code"]
    at_kiosk = shop.bearer(await kiosk.post("/v1/auth/passes/claim", {"code": passed}))
    assert refusal(await at_kiosk.post("/v1/me/identifiers", {"phone": phone})) == (403, "fresh-proof-required")
    clock.travel(timedelta(minutes=11))
    old = shop._issue(me.actor)
    assert refusal(await old.post("/v1/me/identifiers", {"phone": phone})) == (403, "fresh-proof-required")
    assert await rows_of(shop, challenges, principal_id=me.actor.subject, purpose="verify") == []
    client = await shop.client()
    fresh = shop.bearer(await client.post("/v1/auth/sign-in", {"email": mail, "password": PASSWORD}))
    challenge, code = await shop.code_for(fresh, verify=True, phone=phone)
    assert (await fresh.post(VERIFY, {"challenge_id": challenge, "code": code})).json()["phone"] == phone
