"""Coming in, staying in, going out."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID

from commerce import auth
from commerce.auth import tokens
from commerce.auth.tables import attempts, principals, sessions
from commerce.infra.tables import audit_records
from tests.auth.support import PASSWORD, colleague, count, refused, row_of
from tests.support import Client, Shop, clock, unique


async def test_anonymous_shopper_gets_tokens_of_the_clients_channel(shop: Shop, audited: None) -> None:
    client = await shop.client("app")
    answer = await client.post("/v1/auth/anonymous", {"device_name": "Pixel 9"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["kind"], body["known"], body["token_type"]) == ("shopper", False, "Bearer")
    read = tokens.read(body["access_token"], secret_key=shop.settings.secret_key, at=clock())
    assert read is not None
    actor, expires = read
    assert (actor.kind, actor.channel, actor.known, actor.device, actor.permissions) == (
        "shopper",
        "app",
        False,
        None,
        {},
    )
    assert str(actor.subject) == body["subject"]
    assert str(actor.session) == body["session_id"]
    assert 595 <= expires - clock().timestamp() <= 600
    kept = await row_of(shop, sessions, id=UUID(body["session_id"]))
    assert (kept.client_id, kept.channel, kept.device_name, kept.refresh_no) == (
        client.actor.subject,
        "app",
        "Pixel 9",
        1,
    )
    assert kept.expires_at - kept.created_at == timedelta(days=90)
    assert (await row_of(shop, principals, id=actor.subject)).kind == "shopper"


async def test_anonymous_at_a_kiosk_inherits_device_and_location_and_rests_after_half_an_hour(shop: Shop) -> None:
    store = await shop.store()
    kiosk = await shop.device("kiosk", store.code)
    body = (await kiosk.post("/v1/auth/anonymous", {})).json()
    read = tokens.read(body["access_token"], secret_key=shop.settings.secret_key, at=clock())
    assert read is not None
    assert (read[0].channel, read[0].device, read[0].location) == ("kiosk", kiosk.actor.subject, store.code)
    clock.travel(timedelta(minutes=31))
    answer = await kiosk.post("/v1/auth/refresh", {"refresh_token": body["refresh_token"]})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/refresh-token-invalid")


async def test_who_may_not_ask_for_tokens(shop: Shop) -> None:
    for caller, status in ((shop.anybody(), 401), (await shop.shopper(), 403), (await shop.staff("admin"), 403)):
        for path in ("/v1/auth/anonymous", "/v1/auth/staff/sign-in", "/v1/auth/refresh"):
            answer = await caller.post(path, {"login": "a", "password": "b", "refresh_token": "c"})
            assert answer.status_code == status, (path, answer.text)


async def test_staff_signs_in_through_a_client(shop: Shop, audited: None) -> None:
    store = await shop.store()
    login = await colleague(shop, "associate", store.code)
    client = await shop.client("call_center")
    answer = await client.post("/v1/auth/staff/sign-in", {"login": login.upper(), "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    read = tokens.read(body["access_token"], secret_key=shop.settings.secret_key, at=clock())
    assert read is not None
    actor = read[0]
    assert (actor.kind, actor.channel, actor.location, actor.known) == ("staff", "call_center", None, True)
    assert actor.permissions["fulfillments.work"] == (store.code,)
    assert not actor.may("stock.approve")
    record = await row_of(shop, audit_records, action="staff.signed_in", target_id=body["session_id"])
    assert (record.subject, record.channel) == (actor.subject, "call_center")
    me = Client(shop.http, body["access_token"])
    assert (await me.get("/v1/channels")).status_code == 200
    assert (await me.get("/v1/staff")).status_code == 403


async def test_staff_signs_in_on_a_device_of_his_own_store_only(shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    login = await colleague(shop, "associate", store.code)
    everywhere = await colleague(shop, "call_center", "*")
    till, foreign = await shop.device("till", store.code), await shop.device("till", other.code)
    body = (await till.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).json()
    read = tokens.read(body["access_token"], secret_key=shop.settings.secret_key, at=clock())
    assert read is not None
    assert (read[0].channel, read[0].device, read[0].location) == ("till", till.actor.subject, store.code)
    before = await count(shop, sessions)
    answer = await foreign.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})
    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/not-at-this-store"
    assert answer.json()["location"] == other.code
    assert await count(shop, sessions) == before
    answer = await foreign.post("/v1/auth/staff/sign-in", {"login": everywhere, "password": PASSWORD})
    assert answer.status_code == 201


async def test_wrong_password_and_unknown_login_get_the_same_answer_and_the_same_limit(shop: Shop) -> None:
    login, client = await colleague(shop, "admin", "*"), await shop.client()
    for name in (login, unique("nobody")):
        bodies = []
        for _ in range(5):
            answer = await client.post("/v1/auth/staff/sign-in", {"login": name, "password": "wrong"})
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            bodies.append(answer.json() | {"instance": ""})
        assert bodies[0]["type"] == "/problems/wrong-password"
        assert all(body == bodies[0] for body in bodies)
        kept = await row_of(shop, attempts, identity=auth.identity(shop.settings, "staff", name))
        assert kept.failures == 5
        for password in ("wrong", PASSWORD):
            answer = await client.post("/v1/auth/staff/sign-in", {"login": name, "password": password})
            assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-attempts")
            assert 890 <= int(answer.headers["retry-after"]) <= 901
    clock.travel(timedelta(minutes=16))
    assert (await client.post("/v1/auth/staff/sign-in", {"login": login, "password": "wrong"})).status_code == 401
    answer = await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})
    assert answer.status_code == 201
    assert await row_of(shop, attempts, identity=auth.identity(shop.settings, "staff", login)) is None


async def test_parallel_guesses_are_all_counted_and_at_most_five_are_answered(shop: Shop) -> None:
    """Twenty guesses at once, the right password among the last: hashing is parallel, the count is not."""
    login, client = await colleague(shop, "admin", "*"), await shop.client()

    async def guess(password: str) -> int:
        answer = await client.post("/v1/auth/staff/sign-in", {"login": login, "password": password})
        return answer.status_code

    statuses = await asyncio.gather(*(guess(f"guess-{n}") for n in range(20)))
    assert sorted(statuses) == [401] * 5 + [429] * 15
    assert await guess(PASSWORD) == 429
    kept = await row_of(shop, attempts, identity=auth.identity(shop.settings, "staff", login))
    assert kept.failures == 5


async def test_refresh_rotates_and_an_old_token_ends_the_session(shop: Shop, audited: None) -> None:
    client = await shop.client()
    first = (await client.post("/v1/auth/anonymous", {})).json()
    answer = await client.post("/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
    assert answer.status_code == 200, answer.text
    second = answer.json()
    assert second["session_id"] == first["session_id"]
    assert second["subject"] == first["subject"]
    assert second["refresh_token"] != first["refresh_token"]
    answer = await client.post("/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/refresh-token-reused")
    kept = await row_of(shop, sessions, id=UUID(first["session_id"]))
    assert (kept.revoked_reason, kept.refresh_no) == ("refresh_token_reused", 2)
    answer = await client.post("/v1/auth/refresh", {"refresh_token": second["refresh_token"]})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/refresh-token-invalid")
    await refused(Client(shop.http, second["access_token"]))


async def test_refresh_race_has_one_winner_and_ends_the_session(shop: Shop, audited: None) -> None:
    client = await shop.client()
    first = (await client.post("/v1/auth/anonymous", {})).json()
    answers = await asyncio.gather(
        *(client.post("/v1/auth/refresh", {"refresh_token": first["refresh_token"]}) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    assert {a.json()["type"] for a in answers if a.status_code == 401} == {"/problems/refresh-token-reused"}
    kept = await row_of(shop, sessions, id=UUID(first["session_id"]))
    assert (kept.refresh_no, kept.revoked_reason) == (2, "refresh_token_reused")


async def test_refresh_needs_the_same_client_and_a_token_of_ours(shop: Shop) -> None:
    client, other, store = await shop.client(), await shop.client(), await shop.store()
    kiosk = await shop.device("kiosk", store.code)
    first = (await client.post("/v1/auth/anonymous", {})).json()
    at_kiosk = (await kiosk.post("/v1/auth/anonymous", {})).json()
    forged = tokens.refresh_token("another-key" * 4, UUID(first["session_id"]), 1)
    for caller, token in (
        (other, first["refresh_token"]),
        (kiosk, first["refresh_token"]),
        (client, at_kiosk["refresh_token"]),
        (client, forged),
        (client, "rt_nonsense"),
        (client, "яблоко"),
        (client, first["refresh_token"] + "="),
    ):
        answer = await caller.post("/v1/auth/refresh", {"refresh_token": token})
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/refresh-token-invalid")
    assert (await client.post("/v1/auth/refresh", {"refresh_token": first["refresh_token"]})).status_code == 200
    assert (await kiosk.post("/v1/auth/refresh", {"refresh_token": at_kiosk["refresh_token"]})).status_code == 200


async def test_refreshing_does_not_lengthen_a_shift(shop: Shop) -> None:
    login, client = await colleague(shop, "admin", "*"), await shop.client()
    token = (await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).json()
    ends = token["refresh_expires_at"]
    clock.travel(timedelta(hours=11, minutes=55))
    token = (await client.post("/v1/auth/refresh", {"refresh_token": token["refresh_token"]})).json()
    assert token["refresh_expires_at"] == ends
    assert token["expires_at"] <= ends
    clock.travel(timedelta(hours=12, minutes=1))
    answer = await client.post("/v1/auth/refresh", {"refresh_token": token["refresh_token"]})
    assert answer.status_code == 401


async def test_list_end_and_sign_out(shop: Shop, audited: None) -> None:
    login, client = await colleague(shop, "admin", "*"), await shop.client()
    command = {"login": login, "password": PASSWORD}
    office = (await client.post("/v1/auth/staff/sign-in", command | {"device_name": "Office"})).json()
    home = (await client.post("/v1/auth/staff/sign-in", command | {"device_name": "Home"})).json()
    at_office, at_home = Client(shop.http, office["access_token"]), Client(shop.http, home["access_token"])
    items = (await at_home.get("/v1/auth/sessions")).json()["items"]
    assert [(item["device_name"], item["current"]) for item in items] == [("Home", True), ("Office", False)]
    stranger = await shop.shopper()
    answer = await stranger.delete(f"/v1/auth/sessions/{office['session_id']}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-session")
    assert (await at_home.delete(f"/v1/auth/sessions/{office['session_id']}")).status_code == 204
    await refused(at_office)
    answer = await client.post("/v1/auth/refresh", {"refresh_token": office["refresh_token"]})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/refresh-token-invalid")
    assert len((await at_home.get("/v1/auth/sessions")).json()["items"]) == 1
    assert (await at_home.post("/v1/auth/sign-out")).status_code == 204
    await refused(at_home)
    kept = await row_of(shop, sessions, id=UUID(home["session_id"]))
    assert kept.revoked_reason == "signed_out"


async def test_sign_out_takes_a_key(shop: Shop) -> None:
    answer = await (await shop.shopper()).post("/v1/auth/sign-out", headers={"Idempotency-Key": "short"})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/idempotency-key-required")


async def test_old_guesses_and_sessions_are_swept(shop: Shop) -> None:
    from commerce.auth import tasks

    client = await shop.client()
    body = (await client.post("/v1/auth/anonymous", {})).json()
    name = unique("nobody")
    await client.post("/v1/auth/staff/sign-in", {"login": name, "password": "wrong"})
    await tasks.sweep(shop.db)
    assert await row_of(shop, sessions, id=UUID(body["session_id"])) is not None
    assert await row_of(shop, attempts, identity=auth.identity(shop.settings, "staff", name)) is not None
    clock.travel(timedelta(days=121))
    await tasks.sweep(shop.db)
    await shop.db.write(auth.forget_sessions, before=clock() - timedelta(days=32), limit=1000)
    assert await row_of(shop, sessions, id=UUID(body["session_id"])) is not None
    await shop.db.write(auth.forget_sessions, before=clock() - timedelta(days=30), limit=1000)
    assert await row_of(shop, sessions, id=UUID(body["session_id"])) is None
    assert await row_of(shop, attempts, identity=auth.identity(shop.settings, "staff", name)) is None
