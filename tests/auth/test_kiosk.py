"""A kiosk belongs to nobody until a shopper says who he is, and to nobody again when he walks away."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commerce.auth import tokens
from commerce.auth.tables import attempts, passes, sessions
from commerce.kernel.ids import uuid7
from tests.auth.support import refused, row_of
from tests.support import Client, Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


async def known(shop: Shop) -> Client:
    """A shopper with an account, signed in by his telephone."""
    return await shop.signed_up(channel="app")


async def claimed(kiosk: Client, code: str) -> Any:
    return await kiosk.post("/v1/auth/passes/claim", {"code": code})


async def test_a_code_from_the_telephone_says_once_who_he_is(shop: Shop) -> None:
    kiosk, phone = await shop.device("kiosk", (await shop.store()).code), await known(shop)
    before = (await phone.post("/v1/auth/passes")).json()
    shown = await phone.post("/v1/auth/passes")
    assert (shown.status_code, shown.headers["cache-control"]) == (201, "no-store")
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", shown.json()["code"])
    assert shown.json()["qr"] == "commerce:pass:" + shown.json()["code"], "as all codes that people type"
    answer = await claimed(kiosk, before["code"])
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/wrong-pass")
    answer = await claimed(kiosk, shown.json()["qr"])
    assert answer.status_code == 201, answer.text
    me = (await phone.get("/v1/me")).json()
    there = Client(shop.http, answer.json()["access_token"])
    assert (answer.json()["known"], answer.json()["subject"]) == (True, me["id"])
    assert (await there.get("/v1/me")).json()["email"] == me["email"]
    answer = await claimed(kiosk, shown.json()["code"])
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/wrong-pass")
    assert await row_of(shop, passes, principal_id=UUID(me["id"])) is None


async def test_a_code_lives_two_minutes_and_guesses_are_counted(shop: Shop) -> None:
    kiosk, phone = await shop.device("kiosk", (await shop.store()).code), await known(shop)
    code = (await phone.post("/v1/auth/passes")).json()["code"]
    clock.travel(timedelta(minutes=2, seconds=1))
    assert (await claimed(kiosk, code)).status_code == 401
    code = (await (fresh := await known(shop)).post("/v1/auth/passes")).json()["code"]
    for _ in range(9):
        assert (await claimed(kiosk, "BBBB-BBBB")).status_code == 401
    answer = await claimed(kiosk, code)
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-attempts")
    identity = tokens.keyed_hash(shop.settings.secret_key, "identity pass", str(kiosk.actor.device))
    assert (await row_of(shop, attempts, identity=identity)).failures == 10
    elsewhere = await shop.device("kiosk", (await shop.store()).code)
    assert (await claimed(elsewhere, code)).status_code == 201
    assert (await fresh.get("/v1/me")).status_code == 200, "the telephone stays signed in"


async def test_when_nobody_touches_the_kiosk_nothing_of_him_is_left(shop: Shop) -> None:
    item, store = await shop.item(), await shop.store()
    kiosk, phone = await shop.device("kiosk", store.code), await known(shop)
    tokens_there = (await claimed(kiosk, (await phone.post("/v1/auth/passes")).json()["code"])).json()
    there = Client(shop.http, tokens_there["access_token"])
    assert (await there.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": 2})).status_code == 200
    session = (await there.get("/v1/auth/session")).json()
    assert (session["idle_seconds"], session["location"], session["current"]) == (120, store.code, True)
    assert session["device"] is not None
    assert tokens_there["refresh_expires_at"] == session["expires_at"] < session["ends_at"]
    assert tokens_there["expires_at"] <= session["expires_at"]
    clock.travel(timedelta(seconds=100))
    renewed = (await kiosk.post("/v1/auth/refresh", {"refresh_token": tokens_there["refresh_token"]})).json()
    assert renewed["refresh_expires_at"] > session["expires_at"]
    clock.travel(timedelta(seconds=121))
    there = Client(shop.http, renewed["access_token"])
    assert (await there.get("/v1/me")).status_code == 401
    answer = await kiosk.post("/v1/auth/refresh", {"refresh_token": renewed["refresh_token"]})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/refresh-token-invalid")
    next_one = Client(shop.http, (await kiosk.post("/v1/auth/anonymous", {})).json()["access_token"])
    assert (await next_one.get("/v1/me")).status_code == 403
    assert (await next_one.get("/v1/carts/current")).json()["lines"] == []
    assert (await next_one.get("/v1/orders")).json()["items"] == []
    assert len((await next_one.get("/v1/auth/sessions")).json()["items"]) == 1
    clock.back_to_present()
    assert [line["quantity"] for line in (await phone.get("/v1/carts/current")).json()["lines"]] == [2], (
        "his cart is his"
    )


async def test_the_next_one_ends_the_session_of_the_one_before(shop: Shop) -> None:
    kiosk = await shop.device("kiosk", (await shop.store()).code)
    anonymous = (await kiosk.post("/v1/auth/anonymous", {})).json()
    first = (await claimed(kiosk, (await (await known(shop)).post("/v1/auth/passes")).json()["code"])).json()
    second = (await claimed(kiosk, (await (await known(shop)).post("/v1/auth/passes")).json()["code"])).json()
    for gone in (anonymous, first):
        kept = await row_of(shop, sessions, id=UUID(gone["session_id"]))
        assert kept.revoked_reason == "replaced"
        assert (await kiosk.post("/v1/auth/refresh", {"refresh_token": gone["refresh_token"]})).status_code == 401
    await refused(Client(shop.http, first["access_token"]))
    there = Client(shop.http, second["access_token"])
    assert (await there.post("/v1/auth/sign-out")).status_code == 204
    answer = await there.get("/v1/auth/session")
    assert answer.status_code in (401, 404)


async def test_a_code_or_a_password_at_the_kiosk_begins_the_same_kind_of_session(shop: Shop) -> None:
    kiosk, email = await shop.device("kiosk", (await shop.store()).code), f"{uuid7().hex}@example.com"
    by_code = await shop.signed_up(kiosk, email=email, password="beryoza-fonar-1")
    signed = await kiosk.post("/v1/auth/sign-in", {"email": email, "password": "beryoza-fonar-1"})
    for session in (by_code.actor.session, shop.bearer(signed).actor.session):
        kept = await row_of(shop, sessions, id=session)
        assert (kept.idle_seconds, kept.ends_at - kept.created_at) == (120, timedelta(hours=2))
        assert kept.expires_at - kept.created_at == timedelta(seconds=120)


async def test_however_often_he_touches_it_it_ends(shop: Shop) -> None:
    kiosk = await shop.device("kiosk", (await shop.store()).code)
    session = (await kiosk.post("/v1/auth/anonymous", {})).json()
    start = clock()
    for minutes in range(1, 121):
        clock.stand_at(start + timedelta(minutes=minutes - 1, seconds=59))
        answer = await kiosk.post("/v1/auth/refresh", {"refresh_token": session["refresh_token"]})
        assert answer.status_code == 200, minutes
        session = answer.json()
    clock.stand_at(start + timedelta(hours=2, seconds=1))
    answer = await kiosk.post("/v1/auth/refresh", {"refresh_token": session["refresh_token"]})
    assert answer.status_code == 401


async def test_sessions_elsewhere_do_not_end_by_idleness(shop: Shop) -> None:
    phone = await known(shop)
    session = (await phone.get("/v1/auth/session")).json()
    assert (session["idle_seconds"], session["ends_at"], session["device"]) == (None, None, None)
    assert (await (await shop.shopper()).get("/v1/auth/session")).status_code == 404
    anonymous = await (await shop.shopper()).post("/v1/auth/passes")
    assert (anonymous.status_code, anonymous.json()["type"]) == (403, "/problems/not-allowed")
