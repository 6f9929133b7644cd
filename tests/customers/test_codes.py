"""One-time codes: asked for, sent, guessed, used once; coming in and making an account by them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from commerce import auth, customers
from commerce.app import create_app
from commerce.auth import tasks
from commerce.auth.tables import challenges, code_limits, principals, sessions
from commerce.customers import flow
from commerce.customers.schemas import AskCode
from commerce.customers.tables import identifiers, profiles
from commerce.infra.delivery import DeliveryFailed, DeveloperLog, HttpPost, post_of
from commerce.infra.tables import outbox
from commerce.settings import Settings, SettingsError
from tests.auth.support import count, refused, row_of
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
from tests.support import Client, Shop, clock
from tests.support_statements import count_statements


async def test_a_code_makes_an_account_whose_contact_is_verified(shop: Shop, audited: None) -> None:
    client, phone = await shop.client("app"), fresh_phone()
    at_home = "8" + phone[2:5] + " " + phone[5:8] + "-" + phone[8:10] + "-" + phone[10:]
    asked = await client.post("/v1/auth/codes", {"phone": at_home})
    assert (asked.status_code, asked.headers["cache-control"]) == (202, "no-store")
    sent = asked.json()
    assert (sent["resend_after_seconds"], sent["attempts"]) == (30, 5)
    kept = await row_of(shop, challenges, id=UUID(sent["challenge_id"]))
    assert (kept.kind, kept.contact, kept.purpose, kept.counter, kept.attempts) == ("phone", phone, "sign_in", 1, 0)
    assert kept.identity == auth.identity(shop.settings, "phone", phone)
    assert kept.expires_at - kept.sent_at == timedelta(minutes=10)
    answer = await sign_in(
        client, sent["challenge_id"], await shop.code_of(sent["challenge_id"]), name="Ирина", language="en",
        device_name="iPhone",
    )  # fmt: skip
    me = shop.bearer(answer)
    assert answer.headers["cache-control"] == "no-store"
    assert (answer.json()["known"], me.actor.kind, me.actor.channel, me.actor.known) == (True, "shopper", "app", True)
    read = await me.get("/v1/me")
    assert read.headers["etag"] == '"1"'
    body = read.json()
    assert (body["id"], body["name"], body["language"], body["email"]) == (str(me.actor.subject), "Ирина", "en", None)
    assert (body["phone"], body["phone_verified_at"] is not None, body["version"]) == (phone, True, 1)
    assert [(one["kind"], one["system"], one["value"]) for one in body["identifiers"]] == [("phone", None, phone)]
    (event,) = await rows_of(shop, outbox, aggregate_id=me.actor.subject)
    assert (event.type, event.version, event.payload) == ("customer.signed_up", 1, {"language": "en"})
    items = (await me.get("/v1/auth/sessions")).json()["items"]
    assert [item["device_name"] for item in items] == ["iPhone"]
    assert (await row_of(shop, sessions, id=me.actor.session)).proof == "code"
    kept = await row_of(shop, challenges, id=UUID(sent["challenge_id"]))
    assert (kept.settled_at is not None, kept.contact) == (True, None)


async def test_who_has_an_account_comes_into_it(shop: Shop, audited: None) -> None:
    email = fresh_email()
    first = await shop.signed_up(email=email, name="Анна")
    again = await shop.signed_up(await shop.client("app"), email=email.upper(), name="Другая", password=PASSWORD)
    assert again.actor.subject == first.actor.subject
    assert (await again.get("/v1/me")).json()["name"] == "Анна"
    refusing = await (await shop.client()).post("/v1/auth/sign-in", {"email": email, "password": PASSWORD})
    assert refusal(refusing) == (401, "wrong-password")
    assert await story_of(shop, first.actor.subject) == [("signed_up", 1)]


async def test_an_anonymous_shopper_stays_who_he_is_and_his_old_session_ends(shop: Shop, audited: None) -> None:
    client, phone = await shop.client(), fresh_phone()
    before = shop.bearer(await client.post("/v1/auth/anonymous", {}))
    assert (await before.get("/v1/me")).status_code == 403
    me = await shop.signed_up(before, phone=phone, password=PASSWORD)
    assert me.actor.subject == before.actor.subject
    assert me.actor.session != before.actor.session
    await refused(before)
    signed = shop.bearer(await client.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD}))
    assert signed.actor.subject == me.actor.subject
    challenge, code = await shop.code_for(me, phone=fresh_phone())
    people = await count(shop, principals)
    assert refusal(await sign_in(me, challenge, code)) == (409, "already-signed-up")
    assert await count(shop, principals) == people
    assert (await row_of(shop, challenges, id=UUID(challenge))).settled_at is None


async def test_one_anonymous_shopper_signs_up_once_however_many_contacts_he_proves(shop: Shop, audited: None) -> None:
    before = await shop.shopper()
    asked = [await shop.code_for(before, phone=fresh_phone()) for _ in range(4)]
    answers = await asyncio.gather(*(sign_in(before, *one) for one in asked))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 3
    assert {refusal(answer)[1] for answer in answers if answer.status_code == 409} == {"already-signed-up"}
    assert len(await rows_of(shop, profiles, id=before.actor.subject)) == 1
    assert len(await rows_of(shop, identifiers, profile_id=before.actor.subject)) == 1


async def test_the_answer_does_not_tell_who_has_an_account(shop: Shop, app: Litestar) -> None:
    """Neither its form nor the work that is done: the statements are the same."""
    known, guest, nobody = fresh_phone(), fresh_phone(), fresh_phone()
    await person(shop, phone=known)
    anonymous = await shop.shopper()
    await shop.db.write(customers.note_guest, anonymous.actor, person=anonymous.actor.subject, phone=guest)
    told, forms = [], []
    for phone in (nobody, known, guest):
        asker = await shop.client()
        async with count_statements(app.state.db) as seen:
            answer = await asker.post("/v1/auth/codes", {"phone": phone})
        told.append(list(seen))
        shape = {name: len(str(value)) if name != "expires_at" else 0 for name, value in answer.json().items()}
        forms.append((answer.status_code, shape, sorted(answer.headers)))
    assert forms[0] == forms[1] == forms[2]
    assert told[0] == told[1] == told[2]


async def test_a_code_sent_again_kills_the_old_one(shop: Shop, audited: None) -> None:
    client, phone = await shop.shopper(), fresh_phone()
    challenge, first = await shop.code_for(client, phone=phone)
    answer = await client.post("/v1/auth/codes", {"phone": phone})
    assert refusal(answer) == (429, "too-many-codes")
    assert 0 < int(answer.headers["retry-after"]) <= 30
    assert (await row_of(shop, challenges, id=UUID(challenge))).counter == 1
    assert refusal(await sign_in(client, challenge, wrong(first))) == (401, "wrong-code")
    clock.travel(timedelta(seconds=31))
    same, second = await shop.code_for(client, phone=phone)
    assert same == challenge
    assert second != first
    kept = await row_of(shop, challenges, id=UUID(challenge))
    assert (kept.counter, kept.attempts) == (2, 0)
    answer = await sign_in(client, challenge, first)
    assert (refusal(answer), answer.json()["attempts_left"]) == ((401, "wrong-code"), 4)
    shop.bearer(await sign_in(client, challenge, second))


async def test_a_strangers_asking_leaves_the_owners_code_alone(shop: Shop) -> None:
    phone, owner, stranger = fresh_phone(), await shop.shopper(), await shop.shopper()
    mine, code = await shop.code_for(owner, phone=phone)
    other, _ = await shop.code_for(stranger, phone=phone)
    assert mine != other
    shop.bearer(await sign_in(owner, mine, code))


async def test_a_stranger_behind_the_same_key_neither_kills_nor_learns_the_owners_challenge(
    shop: Shop, audited: None
) -> None:
    phone, store = fresh_phone(), await shop.store()
    for site in (await shop.client(), await shop.device("kiosk", store.code)):
        mine, code = await shop.code_for(site, phone=phone)
        answer = await site.post("/v1/auth/codes", {"phone": phone})
        assert refusal(answer) == (429, "too-many-codes"), "the pause holds for all behind a key"
        clock.travel(timedelta(seconds=31))
        other, his = await shop.code_for(site, phone=phone)
        assert mine != other
        assert (await row_of(shop, challenges, id=UUID(mine))).counter == 1
        assert refusal(await sign_in(site, other, wrong(his))) == (401, "wrong-code")
        assert (await row_of(shop, challenges, id=UUID(mine))).attempts == 0
        shop.bearer(await sign_in(site, mine, code))
        shop.bearer(await sign_in(site, other, his))
        clock.travel(timedelta(seconds=31))
    await shop.code_for(await shop.client(), phone=phone)
    answer = await (await shop.client()).post("/v1/auth/codes", {"phone": phone})
    assert refusal(answer) == (429, "too-many-codes"), "five of an hour, whoever asked"
    limits = await row_of(shop, code_limits, identity=auth.identity(shop.settings, "phone", phone))
    assert (len(limits.sends), len(limits.misses)) == (5, 2), "guesses count for the contact"


async def test_five_codes_an_hour_whoever_asks(shop: Shop) -> None:
    email = fresh_email()
    for _ in range(5):
        await shop.code_for(await shop.shopper(), email=email)
    made = len(await rows_of(shop, challenges, identity=auth.identity(shop.settings, "email", email)))
    answer = await (await shop.shopper()).post("/v1/auth/codes", {"email": email})
    assert refusal(answer) == (429, "too-many-codes")
    assert 3590 <= int(answer.headers["retry-after"]) <= 3601
    assert len(await rows_of(shop, challenges, identity=auth.identity(shop.settings, "email", email))) == made == 5
    clock.travel(timedelta(minutes=61))
    await shop.code_for(await shop.shopper(), email=email)


async def test_five_guesses_at_a_code_ten_at_a_contact(shop: Shop, audited: None) -> None:
    client, phone = await shop.client(), fresh_phone()
    challenge, code = await shop.code_for(client, phone=phone)
    for left in (4, 3, 2, 1, 0):
        answer = await sign_in(client, challenge, wrong(code, left + 1))
        assert (refusal(answer), answer.json()["attempts_left"]) == ((401, "wrong-code"), left)
    for guess in (wrong(code), code):
        assert refusal(await sign_in(client, challenge, guess)) == (401, "code-over")
    other = await shop.client("app")
    challenge, code = await shop.code_for(other, phone=phone)
    for n in range(5):
        assert refusal(await sign_in(other, challenge, wrong(code, n + 1))) == (401, "wrong-code")
    clock.travel(timedelta(seconds=31))
    for answer in (await sign_in(other, challenge, code), await other.post("/v1/auth/codes", {"phone": phone})):
        assert refusal(answer) == (429, "too-many-attempts")
        assert 86_300 <= int(answer.headers["retry-after"]) <= 86_401
    (kept,) = await rows_of(shop, code_limits, identity=auth.identity(shop.settings, "phone", phone))
    assert len(kept.misses) == 10
    assert await rows_of(shop, identifiers, value=phone) == []
    clock.travel(timedelta(days=1, minutes=1))
    await shop.signed_up(other, phone=phone)


async def test_a_code_lives_ten_minutes_and_opens_once(shop: Shop, audited: None) -> None:
    client = await shop.client()
    challenge, code = await shop.code_for(client, phone=fresh_phone())
    shop.bearer(await sign_in(client, challenge, code))
    before = await count(shop, sessions)
    assert refusal(await sign_in(client, challenge, code)) == (401, "code-over")
    challenge, code = await shop.code_for(client, phone=fresh_phone())
    clock.travel(timedelta(minutes=10))
    assert refusal(await sign_in(client, challenge, code)) == (401, "code-over")
    assert refusal(await sign_in(client, "00000000-0000-7000-8000-000000000000", "123456")) == (401, "code-over")
    assert await count(shop, sessions) == before


@pytest.mark.parametrize(
    ("command", "status", "problem"),
    [
        ({}, 422, "one-identifier"),
        ({"email": "a@example.com", "phone": "+79000000101"}, 422, "one-identifier"),
        ({"email": "anna"}, 422, "bad-email"),
        ({"email": "anna@localhost"}, 422, "bad-email"),
        ({"phone": "12"}, 400, "bad-input"),
        ({"phone": "call me"}, 422, "bad-phone"),
        ({"phone": "+7900"}, 422, "bad-phone"),
        ({"phone": "+79000000101", "shoe_size": 42}, 400, "bad-input"),
        ({"phone": "+79000000101", "language": "de"}, 400, "bad-input"),
    ],
)
async def test_what_bad_input_gets(shop: Shop, command: dict[str, Any], status: int, problem: str) -> None:
    assert refusal(await (await shop.client()).post("/v1/auth/codes", command)) == (status, problem)


async def test_who_may_not_ask_and_bad_codes(shop: Shop) -> None:
    path = "/v1/auth/codes"
    assert (await shop.anybody().post(path, {"phone": fresh_phone()})).status_code == 401
    assert (await (await shop.staff("admin")).post(path, {"phone": fresh_phone()})).status_code == 403
    client = await shop.client()
    challenge, code = await shop.code_for(client, phone=fresh_phone())
    for body in (
        {"code": code[:5]},
        {"code": "12345a"},
        {},
        {"code": code, "password": "short"},
        {"code": code, "name": ""},
    ):
        answer = await client.post(f"{path}/{challenge}/sign-in", body)
        assert refusal(answer) == (400, "bad-input")
    assert (await row_of(shop, challenges, id=UUID(challenge))).attempts == 0


async def test_at_a_kiosk_he_is_signed_in_there_alone(shop: Shop) -> None:
    store = await shop.store()
    kiosk = await shop.device("kiosk", store.code)
    me = await shop.signed_up(kiosk, phone=fresh_phone())
    assert (me.actor.channel, me.actor.device, me.actor.location) == ("kiosk", kiosk.actor.subject, store.code)
    kept = await row_of(shop, sessions, id=me.actor.session)
    assert kept.expires_at - kept.created_at == timedelta(seconds=shop.settings.kiosk_idle_seconds)


async def test_old_codes_are_swept_and_what_is_known_of_a_person_is_told_and_erased(shop: Shop) -> None:
    me = await shop.signed_up()
    identity = auth.identity(shop.settings, "phone", phone := fresh_phone())
    await shop.code_for(me, verify=True, phone=phone)
    told = await shop.db.read(auth.export_person, ids=[me.actor.subject])
    assert [(row["kind"], row["contact"], row["purpose"]) for row in told["codes"]] == [("phone", phone, "verify")]
    await shop.db.write(auth.erase_person, shop.system, ids=[me.actor.subject])
    assert await rows_of(shop, challenges, identity=identity) == []
    challenge, _ = await shop.code_for(await shop.client(), phone=phone)
    await tasks.sweep(shop.db)
    assert await row_of(shop, challenges, id=UUID(challenge)) is not None
    clock.travel(timedelta(minutes=11))
    await tasks.sweep(shop.db)
    assert await row_of(shop, challenges, id=UUID(challenge)) is None
    assert len(await rows_of(shop, code_limits, identity=identity)) == 1
    clock.travel(timedelta(days=1))
    await tasks.sweep(shop.db)
    assert await rows_of(shop, code_limits, identity=identity) == []


async def test_developers_see_codes_and_production_has_no_such_address(
    shop: Shop, app: Litestar, settings: Settings, http: AsyncTestClient[Litestar]
) -> None:
    client = await shop.client()
    challenge, code = await shop.code_for(client, phone=fresh_phone())
    path = f"/v1/development/codes/{challenge}"
    shown = await client.get(path)
    assert (shown.status_code, shown.json()["code"], shown.headers["cache-control"]) == (200, code, "no-store")
    assert (await shop.anybody().get(path)).status_code == 401
    assert not any("development" in address for address in app.openapi_schema.to_schema()["paths"])

    def addresses(of: Litestar) -> set[str]:
        return {route.path for route in of.routes if "development" in route.path}

    assert addresses(app) == {"/v1/development/codes/{challenge_id:uuid}"}
    real = msgspec.structs.replace(
        settings, environment="production", code_delivery_url="https://codes.example", code_delivery_secret="x" * 16
    )
    assert addresses(create_app(real, clock=clock)) == set()


async def test_the_way_out(shop: Shop, settings: Settings) -> None:
    """A service of the retailer's gets the code and our secret; no answer but a good one counts."""
    heard: list[httpx.Request] = []
    statuses = [503, 302, 202]

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(request)
        return httpx.Response(statuses[len(heard) - 1])

    post = HttpPost("https://codes.example/send", "s" * 16, transport=httpx.MockTransport(answer))
    asker, phone = await shop.shopper(), fresh_phone()
    command = AskCode(phone=phone, language="en")
    for _ in range(2):
        with pytest.raises(DeliveryFailed):
            await flow.ask_code(shop.db, settings, post, asker.actor, command=command)
    sent = await flow.ask_code(shop.db, settings, post, asker.actor, command=command)
    await post.close()
    (limits,) = await rows_of(shop, code_limits, identity=auth.identity(settings, "phone", phone))
    assert len(limits.sends) == 3
    assert [request.headers["authorization"] for request in heard] == [f"Bearer {'s' * 16}"] * 3
    assert str(heard[2].url) == "https://codes.example/send"
    assert msgspec.json.decode(heard[2].content) == {
        "to": phone, "kind": "phone", "template": "sign_in", "code": await shop.code_of(str(sent.challenge_id)),
        "language": "en",
    }  # fmt: skip


async def test_when_the_way_out_is_closed_the_asker_hears_of_it_and_may_ask_at_once(
    shop: Shop, settings: Settings
) -> None:
    phone, client = fresh_phone(), await shop.client()
    shut = msgspec.structs.replace(settings, code_delivery_url="http://127.0.0.1:9/", code_delivery_secret="s" * 16)
    async with AsyncTestClient(create_app(shut, clock=clock)) as http:
        failed = await Client(http, client.token).post("/v1/auth/codes", {"phone": phone})
    assert refusal(failed) == (503, "delivery-failed")
    assert failed.headers["retry-after"] == "1"
    await shop.signed_up(client, phone=phone)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ENVIRONMENT": "production"}, "CODE_DELIVERY_URL is not set"),
        ({"CODE_DELIVERY_URL": "codes.example", "CODE_DELIVERY_SECRET": "x" * 16}, "CODE_DELIVERY_URL is no address"),
        ({"CODE_DELIVERY_URL": "https://codes.example"}, "CODE_DELIVERY_SECRET is missing"),
        ({"CODE_DELIVERY_URL": "https://codes.example", "CODE_DELIVERY_SECRET": "short"}, "CODE_DELIVERY_SECRET is"),
    ],
)
def test_settings_without_a_way_out(given: dict[str, str], words: str) -> None:
    base = {"DATABASE_URL": "postgresql://x", "REDIS_URL": "redis://x", "SECRET_KEY": "k" * 32}
    with pytest.raises(SettingsError, match=words):
        Settings.from_environment(base | given)


async def test_production_does_not_start_without_a_way_out(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="CODE_DELIVERY_URL"):
        create_app(msgspec.structs.replace(settings, environment="production"))
    assert isinstance(post_of(settings), DeveloperLog)


LOGS = """
import asyncio
from commerce.infra import delivery, log
from commerce.settings import Settings
settings = Settings.from_environment()
log.configure(settings)
message = delivery.Message(to="+79000000101", kind="phone", template="sign_in", code="048213", language="ru")
asyncio.run(delivery.post_of(settings).send(message))
"""


def test_in_development_the_code_is_in_the_log() -> None:
    environment = {"DATABASE_URL": "postgresql://x", "REDIS_URL": "redis://x", "ENVIRONMENT": "development"}
    told = subprocess.run([sys.executable, "-c", LOGS], env=environment, capture_output=True, check=True)
    line = msgspec.json.decode(told.stderr)
    assert (line["event"], line["to"], line["one_time_code"]) == ("code.sent", "+79000000101", "048213")
