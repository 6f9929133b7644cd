"""Channels, clients, devices and staff: who lets whom in."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from commerce import auth
from commerce.auth import tokens
from commerce.auth.permissions import CALL_CENTER
from commerce.auth.tables import client_keys, devices
from commerce.infra.db import Tx
from commerce.infra.tables import audit_records, idempotency_keys
from commerce.kernel.ids import uuid7
from commerce.kernel.paging import encode_cursor
from tests.auth.support import PASSWORD, colleague, count, refused, row_of
from tests.support import Client, Shop, unique


async def test_channels_are_listed_for_staff(shop: Shop) -> None:
    staff = await shop.staff("associate")
    listed = (await staff.get("/v1/channels")).json()
    assert "site" in [channel["code"] for channel in listed]
    assert (await (await shop.shopper()).get("/v1/channels")).status_code == 403


async def test_create_channel_once(shop: Shop) -> None:
    command = auth.CreateChannel(code=unique("channel"), name={"en": "Kiosk", "ru": "Киоск"})
    made = await shop.db.write(auth.create_channel, shop.system, command=command)
    assert made.name == {"en": "Kiosk", "ru": "Киоск"}
    with pytest.raises(auth.CodeTaken):
        await shop.db.write(auth.create_channel, shop.system, command=command)


async def test_a_clients_key_is_shown_to_repetitions_and_never_stored(shop: Shop, audited: None) -> None:
    admin, code, key = await shop.staff("admin"), unique("client"), str(uuid7())
    command = {"code": code, "channel": "app", "name": "App"}
    answer = await admin.post("/v1/clients", command, key=key)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["key"].startswith("pk_")
    assert len(body["key"]) == 35
    assert (await admin.post("/v1/clients", command, key=key)).json() == body
    kept = await row_of(shop, client_keys, client_id=UUID(body["id"]))
    assert kept.key_hash == tokens.fingerprint(body["key"])
    stored = await row_of(shop, idempotency_keys, key=key)
    assert body["key"] not in str(stored.answer)
    made = await Client(shop.http, body["key"]).post("/v1/auth/anonymous", {})
    assert made.status_code == 201
    answer = await admin.post("/v1/clients", command)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/code-taken")
    answer = await admin.post("/v1/clients", command | {"code": unique("client"), "channel": "no-such"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-channel")
    answer = await admin.post(f"/v1/clients/{code}/revoke")
    assert answer.status_code == 200
    assert answer.json()["revoked_at"] is not None
    await refused(Client(shop.http, body["key"]), "POST", "/v1/auth/anonymous", {})
    record = await row_of(shop, audit_records, action="client.revoked", target_id=body["id"])
    assert record.subject == admin.actor.subject


async def test_given_keys_are_kept_for_the_demonstration(shop: Shop) -> None:
    code, key = unique("client"), f"pk_{unique('demo')}"
    made = await shop.db.write(auth.create_client, shop.system, code=code, channel="site", name="Site", key=key)
    assert made.key == key
    assert (await Client(shop.http, key).post("/v1/auth/anonymous", {})).status_code == 201
    with pytest.raises(ValueError, match="pk_"):
        await shop.db.write(auth.create_client, shop.system, code=unique("c"), channel="site", name="S", key="dk_1")


async def test_devices_belong_to_a_location(shop: Shop, audited: None) -> None:
    store, other = await shop.store(), await shop.store()
    admin, local = await shop.staff("admin"), await shop.staff("admin", store.code)
    command = {"code": unique("till"), "kind": "till", "location": store.code, "name": "Till 1"}
    answer = await local.post("/v1/devices", command)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["channel"], body["location"], body["revoked_at"]) == ("till", store.code, None)
    assert body["key"].startswith("dk_")
    answer = await local.post("/v1/devices", command | {"location": other.code, "code": unique("till")})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-your-location")
    for taken in (f"counter-{store.code}", f"counter-{other.code}", "counter-"):
        answer = await local.post("/v1/devices", command | {"code": taken})
        assert (answer.status_code, answer.json()["type"], answer.json()["prefix"]) == (
            422, "/problems/code-reserved", "counter-"
        )  # fmt: skip
    listed = (await local.get("/v1/devices")).json()
    assert [device["code"] for device in listed["items"]] == [command["code"]]
    assert "key" not in listed["items"][0]
    assert (await admin.get(f"/v1/devices?location={other.code}")).json()["items"] == []
    stranger = await shop.staff("admin", other.code)
    answer = await stranger.post(f"/v1/devices/{command['code']}/revoke")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-your-location")
    assert (await row_of(shop, devices, code=command["code"])).revoked_at is None

    till = Client(shop.http, body["key"])
    login = await colleague(shop, "associate", store.code)
    token = (await till.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).json()
    member = Client(shop.http, token["access_token"])
    assert (await member.get("/v1/auth/sessions")).status_code == 200
    assert (await local.post(f"/v1/devices/{command['code']}/revoke")).status_code == 200
    await refused(member)
    assert (await till.post("/v1/auth/refresh", {"refresh_token": token["refresh_token"]})).status_code == 401
    answer = await local.post(f"/v1/devices/{unique('till')}/revoke")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-device")


async def test_staff_is_let_in_listed_shut_out_and_let_in_again(shop: Shop, audited: None) -> None:
    store, admin, client = await shop.store(), await shop.staff("admin"), await shop.client()
    login, key = unique("staff"), str(uuid7())
    command = {
        "login": login,
        "name": "Ольга Веретенникова",
        "password": PASSWORD,
        "roles": [{"role": "store_manager", "locations": [store.code]}],
    }
    answer = await admin.post("/v1/staff", command, key=key)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body["roles"] == [{"role": "store_manager", "locations": [store.code]}]
    assert "password" not in body
    assert (await admin.post("/v1/staff", command, key=key)).json() == body
    answer = await admin.post("/v1/staff", command | {"password": "something else"}, key=key)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/idempotency-key-reused")
    answer = await admin.post("/v1/staff", command)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/code-taken")
    listed = (await admin.get(f"/v1/staff?location={store.code}")).json()
    assert [member["login"] for member in listed["items"]] == [login]

    sign_in = {"login": login, "password": PASSWORD}
    token = (await client.post("/v1/auth/staff/sign-in", sign_in)).json()
    answer = await admin.post(f"/v1/staff/{login}/revoke")
    assert answer.status_code == 200
    assert answer.json()["disabled_at"] is not None
    await refused(Client(shop.http, token["access_token"]))
    answer = await client.post("/v1/auth/staff/sign-in", sign_in)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/wrong-password")
    answer = await client.post("/v1/auth/refresh", {"refresh_token": token["refresh_token"]})
    assert answer.status_code == 401
    assert (await admin.post(f"/v1/staff/{login}/restore")).json()["disabled_at"] is None
    assert (await client.post("/v1/auth/staff/sign-in", sign_in)).status_code == 201


async def test_nobody_hands_out_more_than_he_holds(shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    local = await shop.staff("admin", store.code)
    command = {"login": unique("staff"), "name": "N", "password": PASSWORD}
    before = await count(shop, audit_records)
    for location in (other.code, "*"):
        answer = await local.post(
            "/v1/staff", command | {"roles": [{"role": "associate", "locations": [store.code, location]}]}
        )
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/may-not-grant")
        assert answer.json()["location"] == location
    everywhere = await colleague(shop, "associate", "*")
    for path in (f"/v1/staff/{everywhere}/revoke", f"/v1/staff/{everywhere}/restore"):
        assert (await local.post(path)).status_code == 403
    answer = await local.put(
        f"/v1/staff/{everywhere}/roles", {"roles": [{"role": "associate", "locations": [store.code]}]}
    )
    assert answer.status_code == 403
    assert (await local.post("/v1/clients", {"code": unique("c"), "channel": "site", "name": "S"})).status_code == 403
    assert await count(shop, audit_records) == before + 1
    assert everywhere not in [member["login"] for member in (await local.get("/v1/staff")).json()["items"]]
    answer = await (await shop.staff("store_manager")).post("/v1/staff", command | {"roles": []})
    assert answer.status_code == 403


async def test_new_roles_end_the_old_sessions(shop: Shop, audited: None) -> None:
    store, admin, client = await shop.store(), await shop.staff("admin"), await shop.client()
    login = await colleague(shop, "associate", store.code)
    token = (await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).json()
    roles = {"roles": [{"role": "call_center", "locations": ["*"]}]}
    answer = await admin.put(f"/v1/staff/{login}/roles", roles)
    assert answer.status_code == 200, answer.text
    assert answer.json()["roles"] == roles["roles"]
    await refused(Client(shop.http, token["access_token"]))
    token = (await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).json()
    read = tokens.read(token["access_token"], secret_key=shop.settings.secret_key, at=shop.db.clock())
    assert read is not None
    assert read[0].permissions == dict.fromkeys(CALL_CENTER, ("*",))
    answer = await admin.put(f"/v1/staff/{unique('nobody')}/roles", roles)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-staff")


async def test_pages_follow_the_cursor(shop: Shop) -> None:
    store, admin = await shop.store(), await shop.staff("admin")
    logins = sorted([await colleague(shop, "associate", store.code) for _ in range(3)])
    first = (await admin.get(f"/v1/staff?location={store.code}&limit=2")).json()
    rest = (await admin.get(f"/v1/staff?location={store.code}&limit=2&cursor={first['next_cursor']}")).json()
    assert [member["login"] for member in first["items"] + rest["items"]] == logins
    assert rest["next_cursor"] is None
    for cursor in ("nonsense", encode_cursor("\x00"), encode_cursor(1), encode_cursor("a", "b")):
        answer = await admin.get(f"/v1/devices?cursor={cursor}")
        assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-cursor")
    assert (await admin.get("/v1/clients?limit=1")).status_code == 200


async def test_a_person_can_be_exported_and_erased(shop: Shop) -> None:
    login, client = await colleague(shop, "associate", "*"), await shop.client()
    token = (
        await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD, "device_name": "Mine"})
    ).json()
    member = [UUID(token["subject"])]

    async def export(tx: Tx) -> tuple[list[Any], list[Any]]:
        found = await auth.export_person(tx, ids=member)
        return [row["device_name"] for row in found["sessions"]], [row["name"] for row in found["staff"]]

    assert await shop.db.read(export) == (["Mine"], ["Ольга"])
    await shop.db.write(auth.erase_person, shop.system, ids=member)
    assert await shop.db.read(export) == ([None], [""])
    assert (await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).status_code == 401
    await refused(Client(shop.http, token["access_token"]))


async def test_a_member_of_staff_chooses_another_password(shop: Shop, audited: None) -> None:
    login, client, key = await colleague(shop, "call_center", "*"), await shop.client("call_center"), str(uuid7())
    here, there = [
        shop.bearer(await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD}))
        for _ in range(2)
    ]
    path, new = "/v1/auth/staff/password", "beryoza-fonar-112"
    for body in ({"password": new}, {"password": "short", "current": PASSWORD}):
        assert (await here.put(path, body)).status_code == 400
    answer = await here.put(path, {"password": new, "current": "wrong-one-1"})
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/wrong-password")
    for _ in range(2):
        assert (await here.put(path, {"password": new, "current": PASSWORD}, key=key)).status_code == 204
    await refused(there)
    assert (await here.get("/v1/auth/session")).status_code == 200
    assert (await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).status_code == 401
    assert (await client.post("/v1/auth/staff/sign-in", {"login": login, "password": new})).status_code == 201
    record = await row_of(shop, audit_records, action="staff.password_changed", subject=here.actor.subject)
    assert (record.target, record.target_id) == ("staff", str(here.actor.subject))
    for _ in range(5):
        assert (await here.put(path, {"password": PASSWORD, "current": "wrong-one-1"})).status_code == 401
    answer = await here.put(path, {"password": PASSWORD, "current": new})
    assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-attempts")
    assert (await (await shop.shopper(known=True)).put(path, {"password": new, "current": new})).status_code == 403
