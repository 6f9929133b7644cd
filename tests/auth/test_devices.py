"""Tills and kiosks come in by a code on their screen; managers look after those of their own store."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commerce.auth import tasks, tokens
from commerce.auth.tables import attempts, devices, pairings
from commerce.infra.tables import audit_records, idempotency_keys
from commerce.kernel.ids import uuid7
from tests.auth.support import count, refused, row_of
from tests.support import Client, Shop, Store, clock, unique

pytestmark = pytest.mark.usefixtures("audited")


async def begun(client: Client, kind: str = "kiosk") -> dict[str, Any]:
    answer = await client.post("/v1/auth/pairings", {"kind": kind, "name": "By the door"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return dict(answer.json())


async def claim(client: Client, pairing: dict[str, Any], secret: str | None = None) -> Any:
    body = {"device_secret": secret or pairing["device_secret"]}
    return await client.post(f"/v1/auth/pairings/{pairing['pairing_id']}/claim", body)


async def pair(manager: Client, store: Store, pairing: dict[str, Any], **more: Any) -> Any:
    body = {"user_code": pairing["user_code"], "code": unique("kiosk")} | more
    return await manager.post(f"/v1/stores/{store.code}/devices/pair", body)


async def test_a_device_shows_a_code_and_gets_its_key_when_a_manager_types_it(shop: Shop) -> None:
    store, client = await shop.store(), await shop.client("kiosk")
    manager = await shop.staff("store_manager", store.code)
    pairing = await begun(client)
    assert re.fullmatch(f"[{tokens.LETTERS}]{{4}}-[{tokens.LETTERS}]{{4}}", pairing["user_code"])
    waiting = await claim(client, pairing)
    assert (waiting.status_code, waiting.json()["type"], waiting.headers["retry-after"]) == (
        409, "/problems/pairing-pending", "3",
    )  # fmt: skip
    code = unique("kiosk")
    typed = pairing["user_code"].lower().replace("-", " ")
    key = str(uuid7())
    path = f"/v1/stores/{store.code}/devices/pair"
    answer = await manager.post(path, {"user_code": typed, "code": code}, key=key)
    assert answer.status_code == 201, answer.text
    view = answer.json()
    assert (view["code"], view["kind"], view["channel"], view["location"], view["name"]) == (
        code, "kiosk", "kiosk", store.code, "By the door",
    )  # fmt: skip
    assert "key" not in view
    assert (await manager.post(path, {"user_code": typed, "code": code}, key=key)).json() == view
    claimed = await claim(client, pairing)
    assert claimed.status_code == 200, claimed.text
    assert claimed.json()["id"] == view["id"]
    assert (await claim(client, pairing)).json() == claimed.json(), "an answer may be lost"
    kiosk = Client(shop.http, claimed.json()["key"])
    assert (await kiosk.post("/v1/auth/anonymous", {})).json()["session_id"]
    kept = await row_of(shop, pairings, id=UUID(pairing["pairing_id"]))
    assert (kept.state, str(kept.device_id), kept.decided_by) == ("approved", view["id"], manager.actor.subject)
    secrets = (pairing["user_code"].replace("-", ""), pairing["device_secret"], claimed.json()["key"])
    stored = f"{tuple(kept)} {tuple(await row_of(shop, idempotency_keys, key=key))} {tuple(await row_of(shop, devices, code=code))}"
    assert [secret for secret in secrets if secret in stored] == []
    record = await row_of(shop, audit_records, action="device.paired", target_id=view["id"])
    assert record.subject == manager.actor.subject
    again = await pair(manager, store, pairing)
    assert (again.status_code, again.json()["type"]) == (404, "/problems/wrong-user-code")
    clock.travel(timedelta(minutes=11))
    late = await claim(client, pairing)
    assert (late.status_code, late.json()["type"]) == (409, "/problems/pairing-expired")


async def test_a_device_is_sent_away_or_comes_too_late(shop: Shop) -> None:
    store, client = await shop.store(), await shop.client("kiosk")
    manager, before = await shop.staff("store_manager", store.code), await count(shop, devices)
    denied, late = await begun(client), await begun(client)
    path = f"/v1/stores/{store.code}/devices/deny"
    assert (await manager.post(path, {"user_code": denied["user_code"]})).status_code == 204
    answer = await claim(client, denied)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/pairing-denied")
    assert (await pair(manager, store, denied)).status_code == 404
    clock.travel(timedelta(minutes=10, seconds=1))
    assert (await pair(manager, store, late)).status_code == 404
    answer = await claim(client, late)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/pairing-expired")
    assert await count(shop, devices) == before
    clock.travel(timedelta(days=2))
    await tasks.sweep(shop.db)
    assert await row_of(shop, pairings, id=UUID(late["pairing_id"])) is None


async def test_only_the_device_itself_claims(shop: Shop) -> None:
    client, other = await shop.client("kiosk"), await shop.client("kiosk")
    pairing = await begun(client)
    for caller, secret in ((client, "ds_guess"), (other, None)):
        answer = await claim(caller, pairing, secret)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-pairing")


async def test_wrong_codes_are_counted_by_manager(shop: Shop) -> None:
    store, client = await shop.store(), await shop.client("kiosk")
    manager, colleague = [await shop.staff("store_manager", store.code) for _ in range(2)]
    pairing = await begun(client)
    for wrong in ("BBBB-BBBB", "AEIO-UYAE", "12345678", "BBBB-BBBC", "BBBB-BBBD"):
        answer = await pair(manager, store, pairing, user_code=wrong)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/wrong-user-code")
    rests = await pair(manager, store, pairing)
    assert (rests.status_code, rests.json()["type"]) == (429, "/problems/too-many-attempts")
    assert 1 <= int(rests.headers["retry-after"]) <= 901
    identity = tokens.keyed_hash(shop.settings.secret_key, "identity pairing", str(manager.actor.subject))
    assert (await row_of(shop, attempts, identity=identity)).failures == 5
    assert (await row_of(shop, pairings, id=UUID(pairing["pairing_id"]))).state == "pending"
    assert (await pair(colleague, store, pairing)).status_code == 201


async def test_a_taken_code_leaves_the_device_waiting(shop: Shop) -> None:
    store, client = await shop.store(), await shop.client("till")
    manager, pairing = await shop.staff("store_manager", store.code), await begun(client, "till")
    taken = unique("till")
    assert (await pair(manager, store, await begun(client, "till"), code=taken, name="Till 1")).json()[
        "name"
    ] == "Till 1"
    answer = await pair(manager, store, pairing, code=taken)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/code-taken")
    answer = await pair(manager, store, pairing, code="counter-1")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/code-reserved")
    assert (await claim(client, pairing)).status_code == 409
    assert (await pair(manager, store, pairing)).status_code == 201


async def test_managers_look_after_the_devices_of_their_store(shop: Shop) -> None:
    store, other, client = await shop.store(), await shop.store(), await shop.client("kiosk")
    manager, stranger = await shop.staff("store_manager", store.code), await shop.staff("store_manager", other.code)
    pairing = await begun(client)
    code = (await pair(manager, store, pairing)).json()["code"]
    kiosk = Client(shop.http, (await claim(client, pairing)).json()["key"])
    listed = (await manager.get("/v1/devices")).json()["items"]
    assert [(device["code"], device["last_seen_at"]) for device in listed] == [(code, None)]
    assert (await stranger.get("/v1/devices")).json()["items"] == []
    renamed = await manager.patch(f"/v1/devices/{code}", {"name": "By the window"})
    assert (renamed.status_code, renamed.json()["name"]) == (200, "By the window")
    for method, path, body in (
        ("PATCH", f"/v1/devices/{code}", {"name": "Mine"}),
        ("POST", f"/v1/devices/{code}/revoke", None),
    ):
        answer = await stranger.request(method, path, json=body)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-your-location")
    kept = await row_of(shop, devices, code=code)
    assert (kept.name, kept.revoked_at) == ("By the window", None)
    assert (await manager.post(f"/v1/devices/{code}/revoke")).status_code == 200
    await refused(kiosk, "POST", "/v1/auth/anonymous", {})
    answer = await claim(client, pairing)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/pairing-denied")
    answer = await manager.patch(f"/v1/devices/{unique('kiosk')}", {"name": "Mine"})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-device")
