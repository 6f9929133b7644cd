"""Staff at tills: badges, PINs, one after the other on the same device."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commerce import auth
from commerce.auth import badges, flow
from commerce.auth.tables import attempts, pins, sessions
from commerce.auth.tables import badges as badges_table
from commerce.auth.tables import staff as staff_table
from commerce.infra.tables import audit_records, idempotency_keys
from commerce.kernel.ids import uuid7
from tests.auth.support import PASSWORD, PIN, at_device, badge_of, colleague, refused, row_of, with_pin
from tests.support import Client, Shop, clock, unique

pytestmark = pytest.mark.usefixtures("audited")

SIGN_IN = "/v1/auth/staff/device-sign-in"


async def shown(device: Client, **body: Any) -> tuple[int, str]:
    answer = await device.post(SIGN_IN, body)
    return answer.status_code, answer.json().get("type", "")


async def test_by_pin_and_by_badge_with_the_roles_of_now(shop: Shop) -> None:
    store = await shop.store()
    till, login = await shop.device("till", store.code), await with_pin(shop, "associate", store.code)
    answer = await till.post(SIGN_IN, {"login": login.upper(), "pin": PIN})
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    body = answer.json()
    assert (body["kind"], body["known"]) == ("staff", True)
    kept = await row_of(shop, sessions, id=UUID(body["session_id"]))
    assert (kept.idle_seconds, kept.ends_at - kept.created_at) == (300, timedelta(hours=12))
    assert kept.expires_at - kept.created_at == timedelta(seconds=300)
    member = Client(shop.http, body["access_token"])
    assert (await member.get(f"/v1/stores/{store.code}/fulfillments")).status_code == 200
    record = await row_of(shop, audit_records, action="staff.signed_in", target_id=body["session_id"])
    assert (str(record.subject), record.device, record.location) == (body["subject"], till.actor.device, store.code)
    code = await badge_of(shop, login)
    by_badge = await till.post(SIGN_IN, {"badge": code})
    assert (by_badge.status_code, by_badge.json()["subject"]) == (201, body["subject"])
    await refused(member)


async def test_the_next_one_at_the_till_ends_the_session_of_the_one_before(shop: Shop) -> None:
    store = await shop.store()
    till, other = await shop.device("till", store.code), await shop.device("till", store.code)
    anna, boris = await with_pin(shop, "associate", store.code), await with_pin(shop, "associate", store.code)
    first = (await till.post(SIGN_IN, {"login": anna, "pin": PIN})).json()
    elsewhere = (await other.post(SIGN_IN, {"login": anna, "pin": PIN})).json()
    second = (await till.post(SIGN_IN, {"login": boris, "pin": PIN})).json()
    assert (await row_of(shop, sessions, id=UUID(first["session_id"]))).revoked_reason == "replaced"
    for session in (elsewhere, second):
        assert (await row_of(shop, sessions, id=UUID(session["session_id"]))).revoked_at is None
    boris_there = Client(shop.http, second["access_token"])
    assert (await boris_there.post("/v1/auth/sign-out")).status_code == 204, "locked"
    await refused(boris_there)


async def test_nobody_touches_the_till_and_it_locks(shop: Shop) -> None:
    store = await shop.store()
    till, login = await shop.device("till", store.code), await with_pin(shop, "associate", store.code)
    tokens = (await till.post(SIGN_IN, {"login": login, "pin": PIN})).json()
    clock.travel(timedelta(seconds=290))
    tokens = (await till.post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})).json()
    clock.travel(timedelta(seconds=301))
    assert (await Client(shop.http, tokens["access_token"]).get("/v1/auth/session")).status_code == 401
    answer = await till.post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    assert answer.status_code == 401


async def test_only_at_a_store_where_he_has_a_role_and_only_at_a_device(shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    login = await with_pin(shop, "store_manager", store.code)
    code, there = await badge_of(shop, login), await shop.device("till", other.code)
    assert await shown(there, login=login, pin=PIN) == (403, "/problems/not-at-this-store")
    assert await shown(there, badge=code) == (403, "/problems/not-at-this-store")
    assert await shown(await shop.client(), login=login, pin=PIN) == (403, "/problems/not-allowed")
    everywhere = await with_pin(shop, "admin", "*")
    assert await shown(there, login=everywhere, pin=PIN) == (201, "")
    for body in ({}, {"login": login}, {"pin": PIN}, {"badge": code, "login": login, "pin": PIN}):
        assert await shown(there, **body) == (422, "/problems/badge-or-pin")


async def test_wrong_pins_rest_on_the_device_and_in_the_day(shop: Shop) -> None:
    store = await shop.store()
    tills = [await shop.device("till", store.code) for _ in range(4)]
    login, nobody = await with_pin(shop, "associate", store.code), unique("nobody")
    for name in (login, nobody):
        for n in range(5):
            assert await shown(tills[0], login=name, pin=f"900{n}") == (401, "/problems/wrong-pin")
        assert await shown(tills[0], login=name, pin=PIN) == (429, "/problems/too-many-attempts")
    day = flow.pins_of_a_day(shop.settings, login)
    assert (await row_of(shop, attempts, identity=day)).failures == 5
    assert await shown(tills[1], login=login, pin=PIN) == (201, "")
    assert (await row_of(shop, attempts, identity=day)).failures == 5, "the right one takes no wrong one back"
    for till in tills[1:3]:
        for n in range(5):
            assert await shown(till, login=login, pin=f"900{n}") == (401, "/problems/wrong-pin")
    assert await shown(tills[3], login=login, pin=PIN) == (429, "/problems/too-many-attempts")
    badge = await badge_of(shop, login)
    assert await shown(tills[3], badge=badge) == (201, ""), "his badge still opens"
    clock.travel(timedelta(hours=1))
    assert await shown(tills[3], login=login, pin=PIN) == (429, "/problems/too-many-attempts")
    clock.travel(timedelta(hours=24))
    assert await shown(tills[3], login=login, pin=PIN) == (201, "")


async def test_wrong_pins_of_everybody_rest_the_device(shop: Shop) -> None:
    store = await shop.store()
    till, login = await shop.device("till", store.code), await with_pin(shop, "associate", store.code)
    badge, names = await badge_of(shop, login), [unique("nobody") for _ in range(30)]
    for name in names[:29]:
        assert await shown(till, login=name, pin="4071") == (401, "/problems/wrong-pin")
    assert await shown(till, login=login, pin=PIN) == (201, ""), (
        "the right one neither counts nor takes a wrong one back"
    )
    assert await shown(till, login=names[29], pin="4071") == (401, "/problems/wrong-pin")
    counted = await row_of(shop, attempts, identity=flow.pins_at_device(shop.settings, till.actor.device))
    assert counted.failures == 30
    assert await shown(till, login=login, pin=PIN) == (429, "/problems/too-many-attempts")
    assert await shown(till, badge=badge) == (201, ""), "badges are read"
    assert await shown(await shop.device("till", store.code), login=login, pin=PIN) == (201, "")
    for _ in range(2):
        clock.travel(timedelta(minutes=15, seconds=1))
        for name in names:
            assert await shown(till, login=name, pin="5920") == (401, "/problems/wrong-pin")
    clock.travel(timedelta(minutes=15, seconds=1))
    for name in names[:10]:
        assert await shown(till, login=name, pin="5920") == (401, "/problems/wrong-pin")
    assert await shown(till, login=login, pin=PIN) == (429, "/problems/too-many-attempts")
    clock.travel(timedelta(hours=1))
    assert await shown(till, login=login, pin=PIN) == (429, "/problems/too-many-attempts"), "a hundred are a day's"
    clock.travel(timedelta(hours=24))
    assert await shown(till, login=login, pin=PIN) == (201, "")


async def test_of_parallel_guesses_at_everybodys_pin_thirty_are_answered(shop: Shop) -> None:
    store = await shop.store()
    till, login = await shop.device("till", store.code), await with_pin(shop, "associate", store.code)
    answers = await asyncio.gather(*(shown(till, login=unique("nobody"), pin="4071") for _ in range(38)))
    assert sorted(status for status, _ in answers) == [401] * 30 + [429] * 8
    assert await shown(till, login=login, pin=PIN) == (429, "/problems/too-many-attempts")


async def test_of_many_parallel_guesses_at_a_pin_five_are_answered(shop: Shop) -> None:
    store = await shop.store()
    till, login = await shop.device("till", store.code), await with_pin(shop, "associate", store.code)
    answers = await asyncio.gather(*(shown(till, login=login, pin=f"{n:04}") for n in range(8000, 8012)))
    assert sorted(status for status, _ in answers) == [401] * 5 + [429] * 7
    assert await shown(till, login=login, pin=PIN) == (429, "/problems/too-many-attempts")


async def test_unknown_badges_are_counted_by_device(shop: Shop) -> None:
    store = await shop.store()
    till, login = await shop.device("till", store.code), await with_pin(shop, "associate", store.code)
    code = await badge_of(shop, login)
    for n in range(10):
        assert await shown(till, badge=f"nobodys-{n}") == (401, "/problems/wrong-badge")
    assert await shown(till, badge=code) == (429, "/problems/too-many-attempts")
    assert await shown(await shop.device("till", store.code), badge=code) == (201, "")


async def test_ones_own_badge_buys_no_guesses_at_those_of_others(shop: Shop) -> None:
    store = await shop.store()
    till, login = await shop.device("till", store.code), await with_pin(shop, "associate", store.code)
    own = await badge_of(shop, login)
    for n in range(9):
        assert await shown(till, badge=f"nobodys-{n}") == (401, "/problems/wrong-badge")
    assert await shown(till, badge=own) == (201, "")
    assert await shown(till, badge="nobodys-9") == (401, "/problems/wrong-badge")
    assert await shown(till, badge="nobodys-10") == (429, "/problems/too-many-attempts")
    clock.travel(timedelta(minutes=15, seconds=1))
    assert await shown(till, badge=own) == (201, "")


async def test_a_password_opens_a_till_only_before_there_is_anything_better(shop: Shop) -> None:
    store, client = await shop.store(), await shop.client()
    till, login = await shop.device("till", store.code), await colleague(shop, "associate", store.code)
    body = {"login": login, "password": PASSWORD}
    answer = await till.post("/v1/auth/staff/sign-in", body)
    assert answer.status_code == 201, answer.text
    there = Client(shop.http, answer.json()["access_token"])
    changed = await there.put("/v1/auth/staff/pin", {"pin": "4071", "current": PASSWORD})
    assert changed.status_code == 204, changed.text
    assert (await there.get("/v1/auth/session")).status_code == 200, "the session he did it in goes on"
    answer = await till.post("/v1/auth/staff/sign-in", body)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/use-pin-or-badge")
    assert await shown(till, login=login, pin="4071") == (201, "")
    assert (await client.post("/v1/auth/staff/sign-in", body)).status_code == 201, "the back office"


async def test_one_chooses_a_pin_by_the_one_of_now(shop: Shop) -> None:
    store = await shop.store()
    till, login = await shop.device("till", store.code), await with_pin(shop, "associate", store.code)
    there, key = await at_device(shop, till, login), str(uuid7())
    for simple in ("1111", "1234", "87654321", "7890"):
        answer = await there.put("/v1/auth/staff/pin", {"pin": simple, "current": PIN})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/pin-too-simple"), simple
    for malformed in ("123", "123456789", "12a4"):
        assert (await there.put("/v1/auth/staff/pin", {"pin": malformed, "current": PIN})).status_code == 400
    answer = await there.put("/v1/auth/staff/pin", {"pin": "5920", "current": "0000"})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/wrong-pin")
    changed = await there.put("/v1/auth/staff/pin", {"pin": "5920", "current": PIN}, key=key)
    assert changed.status_code == 204, changed.text
    assert (await there.put("/v1/auth/staff/pin", {"pin": "5920", "current": PIN}, key=key)).status_code == 204
    assert await shown(till, login=login, pin=PIN) == (401, "/problems/wrong-pin")
    assert await shown(till, login=login, pin="5920") == (201, "")
    member = (await row_of(shop, staff_table, login=login)).id
    kept = await row_of(shop, pins, staff_id=member)
    assert kept.hash.startswith("$argon2id$")
    plain = await auth.verify(shop.settings, kept.hash, "5920")
    assert not plain.right, "without the server key the right PIN fits as little as any other"
    for _ in range(5):
        again = await at_device(shop, till, login, "5920")
        assert (await again.put("/v1/auth/staff/pin", {"pin": "6031", "current": "0000"})).status_code == 401
    answer = await again.put("/v1/auth/staff/pin", {"pin": "6031", "current": "5920"})
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-attempts")


async def test_wrong_current_pins_count_with_those_of_signing_in_in_a_day(shop: Shop) -> None:
    """Whoever has found a till that is signed in guesses no more often in a day than in front of it."""
    store = await shop.store()
    tills = [await shop.device("till", store.code) for _ in range(3)]
    login = await with_pin(shop, "associate", store.code)
    path, new = "/v1/auth/staff/pin", {"pin": "5920"}
    for n in range(5):
        assert await shown(tills[0], login=login, pin=f"900{n}") == (401, "/problems/wrong-pin")
    there = await at_device(shop, tills[1], login)
    for n in range(5):
        answer = await there.put(path, new | {"current": f"800{n}"})
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/wrong-pin")
    answer = await there.put(path, new | {"current": PIN})
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-attempts")
    # The one that is right takes itself back alone.
    clock.travel(timedelta(minutes=16))
    there = await at_device(shop, tills[1], login)
    assert (await there.put(path, new | {"current": PIN})).status_code == 204
    assert (await there.put(path, {"pin": PIN, "current": PASSWORD})).status_code == 204
    day = flow.pins_of_a_day(shop.settings, login)
    assert (await row_of(shop, attempts, identity=day)).failures == 10
    for n in range(5):
        assert (await there.put(path, new | {"current": f"700{n}"})).status_code == 401
    clock.travel(timedelta(minutes=16))
    assert await shown(tills[2], login=login, pin=PIN) == (429, "/problems/too-many-attempts")
    by_badge = await tills[2].post(SIGN_IN, {"badge": await badge_of(shop, login)})
    there = Client(shop.http, by_badge.json()["access_token"])
    for current in ("7005", PIN, PASSWORD):
        answer = await there.put(path, new | {"current": current})
        assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-attempts")
    clock.travel(timedelta(days=1))
    assert await shown(tills[2], login=login, pin=PIN) == (201, "")


async def test_a_manager_gives_pins_to_his_own_staff_and_to_nobody_above_him(shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    manager, associate = await shop.staff("store_manager", store.code), await shop.staff("associate", store.code)
    till, login = await shop.device("till", store.code), await colleague(shop, "associate", store.code)
    path = f"/v1/stores/{store.code}/staff/{login}/pin"
    assert (await manager.post(path, {"pin": "5920"})).status_code == 204
    there = await at_device(shop, till, login, "5920")
    assert (await manager.post(path, {"pin": "7305"})).status_code == 204
    await refused(there)
    assert await shown(till, login=login, pin="5920") == (401, "/problems/wrong-pin")
    assert await shown(till, login=login, pin="7305") == (201, "")
    record = await row_of(shop, audit_records, action="staff.pin_set", subject=manager.actor.subject)
    assert (record.before, record.after) == (None, None)
    assert (await associate.post(path, {"pin": "5920"})).status_code == 403
    stranger = await colleague(shop, "associate", other.code)
    above = await colleague(shop, "admin", "*")
    both = await colleague(shop, "associate", store.code, other.code)
    for name, kind, status in (
        (stranger, "not-of-this-store", 404), (above, "may-not-grant", 403), (both, "may-not-grant", 403),
        (unique("nobody"), "unknown-staff", 404),
    ):  # fmt: skip
        answer = await manager.post(f"/v1/stores/{store.code}/staff/{name}/pin", {"pin": "5920"})
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")
        row = await row_of(shop, staff_table, login=name)
        assert row is None or await row_of(shop, pins, staff_id=row.id) is None
    assert (
        await (await shop.staff("admin")).post(f"/v1/stores/{store.code}/staff/{both}/pin", {"pin": "5920"})
    ).status_code == 204


async def test_badges_are_issued_listed_and_revoked(shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    manager, stranger = await shop.staff("store_manager", store.code), await shop.staff("store_manager", other.code)
    till, login = await shop.device("till", store.code), await colleague(shop, "associate", store.code)
    path, key, scanned = f"/v1/staff/{login}/badges", str(uuid7()), unique("2900000")
    answer = await manager.post(path, {"code": scanned}, key=key)
    assert (answer.status_code, answer.json()["code"], answer.headers["cache-control"]) == (201, scanned, "no-store")
    assert (await manager.post(path, {"code": scanned}, key=key)).json() == answer.json()
    generated = (await manager.post(path)).json()
    assert generated["code"].startswith("bg_")
    kept = await row_of(shop, badges_table, id=UUID(generated["id"]))
    assert kept.code_hash == badges.badge_hash(shop.settings.secret_key, generated["code"])
    assert scanned not in str(tuple(await row_of(shop, idempotency_keys, key=key)))
    answer = await manager.post(path, {"code": scanned})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/badge-taken")
    for code in (scanned, generated["code"]):
        assert await shown(till, badge=code) == (201, "")
    there = Client(shop.http, (await till.post(SIGN_IN, {"badge": scanned})).json()["access_token"])
    last, first = [badge["id"] for badge in (await manager.get(path)).json()]
    assert last == generated["id"]
    for method, address in (("POST", path), ("GET", path), ("POST", f"{path}/{first}/revoke")):
        answer = await stranger.request(method, address)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/may-not-grant"), address
    answer = await manager.post(f"{path}/{uuid7()}/revoke")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-badge")
    answer = await manager.post(f"{path}/{first}/revoke")
    assert answer.json()["revoked_at"] is not None
    await refused(there)
    assert await shown(till, badge=scanned) == (401, "/problems/wrong-badge")
    assert await shown(till, badge=generated["code"]) == (201, "")
    above = await colleague(shop, "admin", "*")
    assert (await manager.post(f"/v1/staff/{above}/badges")).status_code == 403
    assert (await (await shop.staff("admin")).get(f"/v1/staff/{unique('nobody')}/badges")).status_code == 404


async def test_the_screen_shows_who_works_here(shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    till, kiosk = await shop.device("till", store.code), await shop.device("kiosk", store.code)
    login, bare = await with_pin(shop, "associate", store.code), await colleague(shop, "associate", store.code)
    await badge_of(shop, bare)
    await colleague(shop, "associate", other.code)
    listed = (await till.get(f"/v1/stores/{store.code}/staff")).json()
    assert sorted((one["login"], one["name"], one["has_pin"], one["has_badge"]) for one in listed) == sorted(
        [(login, "Ольга", True, False), (bare, "Ольга", False, True)]
    )
    for caller in (kiosk, await shop.device("till", other.code), await shop.client()):
        assert (await caller.get(f"/v1/stores/{store.code}/staff")).status_code == 403


async def test_who_is_shut_out_has_neither_badge_nor_pin(shop: Shop) -> None:
    store, admin = await shop.store(), await shop.staff("admin")
    till, login = await shop.device("till", store.code), await with_pin(shop, "associate", store.code)
    code, there = await badge_of(shop, login), await at_device(shop, till, login)
    assert (await admin.post(f"/v1/staff/{login}/revoke")).status_code == 200
    await refused(there)
    assert await shown(till, login=login, pin=PIN) == (401, "/problems/wrong-pin")
    assert await shown(till, badge=code) == (401, "/problems/wrong-badge")
    assert (await admin.post(f"/v1/staff/{login}/restore")).status_code == 200
    assert await shown(till, badge=code) == (201, "")
