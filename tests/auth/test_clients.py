"""API clients: publishable and secret keys, scopes, rotation with overlap, what ends and when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from commerce import auth
from commerce.auth import clients as verbs
from commerce.auth import tokens
from commerce.auth.keyring import KeyRing
from commerce.auth.tables import client_keys, clients
from commerce.infra.db import Tx
from commerce.infra.tables import audit_records, idempotency_keys
from commerce.kernel.ids import uuid7
from tests.auth.support import count, refused, row_of
from tests.support import Client, Shop, clock, unique


async def made(shop: Shop, admin: Client, **more: Any) -> dict[str, Any]:
    answer = await admin.post("/v1/clients", {"code": unique("client"), "channel": "site", "name": "C"} | more)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def test_a_server_does_what_its_scopes_say_and_no_more(shop: Shop, audited: None) -> None:
    here, elsewhere, admin = await shop.store(), await shop.store(), await shop.staff("admin")
    scopes = [
        {"permission": "orders.read", "locations": ["*", here.code]},
        {"permission": "stock.read", "locations": [here.code]},
    ]
    body = await made(shop, admin, kind="server", scopes=scopes)
    assert body["key"].startswith("sk_")
    assert body["kind"] == "server"
    assert body["scopes"] == [{"permission": "orders.read", "locations": ["*"]}, scopes[1]]
    server = Client(shop.http, body["key"])
    assert (await server.get(f"/v1/stores/{here.code}/stock")).status_code == 200
    for path in (f"/v1/stores/{elsewhere.code}/stock", "/v1/clients", "/v1/events"):
        answer = await server.get(path)
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed"), path
    record = await row_of(shop, audit_records, action="client.created", target_id=body["id"])
    assert record.subject == admin.actor.subject
    assert record.after["scopes"] == {"orders.read": ["*"], "stock.read": [here.code]}
    assert body["key"] not in str(dict(record))


async def test_nobody_gives_a_client_more_than_he_holds(shop: Shop) -> None:
    store = await shop.store()
    limited = await shop.server({"clients.write": ["*"], "stock.read": [store.code]})
    before = await count(shop, clients), await count(shop, client_keys), await count(shop, audit_records)
    command = {"code": unique("client"), "channel": "site", "name": "C", "kind": "server"}
    for scope in (
        {"permission": "stock.read", "locations": ["*"]},
        {"permission": "stock.read", "locations": [store.code, "somewhere"]},
        {"permission": "orders.read", "locations": [store.code]},
    ):
        answer = await limited.post("/v1/clients", command | {"scopes": [scope]})
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/scope-beyond-yours")
        assert answer.json()["permission"] == scope["permission"]
    for change, code in (
        (
            {"kind": "frontend", "scopes": [{"permission": "stock.read", "locations": [store.code]}]},
            "not-for-this-kind",
        ),
        ({"origins": ["https://shop.example"]}, "not-for-this-kind"),
        ({"scopes": [{"permission": "moon.land", "locations": ["*"]}]}, "unknown-permission"),
    ):
        answer = await limited.post("/v1/clients", command | change)
        assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{code}")
    assert (await count(shop, clients), await count(shop, client_keys), await count(shop, audit_records)) == before
    right = command | {"scopes": [{"permission": "stock.read", "locations": [store.code]}]}
    assert (await limited.post("/v1/clients", right)).status_code == 201


async def test_a_key_of_a_mightier_client_is_not_for_his_taking(shop: Shop) -> None:
    """A new key opens all that the scopes do, so rotating is giving."""
    admin = await shop.staff("admin")
    scopes = [{"permission": "orders.read", "locations": ["*"]}]
    body = await made(shop, admin, kind="server", scopes=scopes)
    limited = await shop.server({"clients.write": ["*"]})
    before = await count(shop, client_keys)
    answer = await limited.post(f"/v1/clients/{body['code']}/keys", {})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/scope-beyond-yours")
    answer = await limited.patch(f"/v1/clients/{body['code']}", {"scopes": []})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/scope-beyond-yours")
    assert await count(shop, client_keys) == before
    assert (await row_of(shop, clients, code=body["code"])).scopes == {"orders.read": ["*"]}
    assert (await limited.patch(f"/v1/clients/{body['code']}", {"name": "Renamed"})).json()["name"] == "Renamed"


async def test_a_request_to_rotate_whose_answer_is_forgotten_is_refused(shop: Shop, audited: None) -> None:
    """The same request makes the same key: a day later it is not given a second time."""
    admin, key = await shop.staff("admin"), str(uuid7())
    body = await made(shop, admin)
    path = f"/v1/clients/{body['code']}/keys"
    assert (await admin.post(path, {"overlap_seconds": 60}, key=key)).status_code == 201

    async def forget(tx: Tx) -> None:
        await tx.execute("DELETE FROM infra.idempotency_keys WHERE key = :key", key=key)

    await shop.db.write(forget)
    answer = await admin.post(path, {"overlap_seconds": 60}, key=key)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/idempotency-key-reused")
    assert len((await the_client(admin, body["code"]))["keys"]) == 2


async def test_rotation_shows_the_key_to_repetitions_and_the_old_one_ends_on_time(shop: Shop, audited: None) -> None:
    admin, key = await shop.staff("admin"), str(uuid7())
    body = await made(shop, admin, channel="app")
    old = Client(shop.http, body["key"])
    path = f"/v1/clients/{body['code']}/keys"
    answer = await admin.post(path, {"overlap_seconds": 3600}, key=key)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    rotated = answer.json()
    assert rotated["key"].startswith("pk_")
    assert rotated["key"] != body["key"]
    assert (await admin.post(path, {"overlap_seconds": 3600}, key=key)).json() == rotated
    stored = await row_of(shop, idempotency_keys, key=key)
    assert rotated["key"] not in str(stored.answer)
    assert rotated["hint"] == tokens.fingerprint(rotated["key"])[:8]
    new = Client(shop.http, rotated["key"])
    for caller in (old, new):
        assert (await caller.get("/v1/catalog/categories")).status_code == 200
    listed = await the_client(admin, body["code"])
    assert [one["id"] for one in listed["keys"]] == [rotated["id"], body["keys"][0]["id"]]
    assert "key" not in listed["keys"][0]
    ends = datetime.fromisoformat(listed["keys"][1]["expires_at"])
    ring = KeyRing(shop.db, secret_key=shop.settings.secret_key, token_seconds=600)
    await ring.refresh()
    for seconds, works in ((-1, True), (0, False)):
        clock.stand_at(ends + timedelta(seconds=seconds))
        assert (await ring.actor(body["key"]) is not None) is works
    clock.stand_at(ends)
    await refused(old, path="/v1/catalog/categories")
    assert (await new.get("/v1/catalog/categories")).status_code == 200
    record = await row_of(shop, audit_records, action="client.key_rotated", target_id=body["id"])
    assert record.after == {"key": rotated["id"], "overlap_seconds": 3600}


async def the_client(admin: Client, code: str) -> dict[str, Any]:
    from commerce.kernel.paging import encode_cursor

    items = (await admin.get(f"/v1/clients?limit=1&cursor={encode_cursor(code[:-1])}")).json()["items"]
    found: dict[str, Any] = items[0]
    assert found["code"] == code
    return found


async def test_rotation_without_overlap_and_revoking_one_key(shop: Shop, audited: None) -> None:
    admin = await shop.staff("admin")
    body = await made(shop, admin)
    path = f"/v1/clients/{body['code']}/keys"
    second = (await admin.post(path, {"overlap_seconds": 0})).json()
    await refused(Client(shop.http, body["key"]), path="/v1/catalog/categories")
    third = (await admin.post(path)).json()
    assert (await Client(shop.http, second["key"]).get("/v1/catalog/categories")).status_code == 200
    assert (await admin.delete(f"{path}/{second['id']}")).status_code == 204
    assert (await admin.delete(f"{path}/{second['id']}")).status_code == 204
    await refused(Client(shop.http, second["key"]), path="/v1/catalog/categories")
    assert (await Client(shop.http, third["key"]).get("/v1/catalog/categories")).status_code == 200
    answer = await admin.delete(f"{path}/{uuid7()}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-key")
    stranger = await made(shop, admin)
    assert (await admin.delete(f"{path}/{stranger['keys'][0]['id']}")).status_code == 404
    assert (await row_of(shop, client_keys, id=UUID(stranger["keys"][0]["id"]))).revoked_at is None
    assert (await admin.post(f"/v1/clients/{body['code']}/revoke")).status_code == 200
    answer = await admin.post(path)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/client-revoked")
    assert (await admin.post(f"/v1/clients/{unique('no')}/keys")).status_code == 404
    assert (await admin.patch(f"/v1/clients/{unique('no')}", {})).status_code == 404


async def test_so_many_keys_at_a_time(shop: Shop) -> None:
    admin = await shop.staff("admin")
    body = await made(shop, admin)
    path = f"/v1/clients/{body['code']}/keys"
    for _ in range(verbs.LIVE_KEYS - 1):
        assert (await admin.post(path)).status_code == 201
    before = await count(shop, client_keys)
    answer = await admin.post(path)
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/too-many-keys")
    assert await count(shop, client_keys) == before
    assert (await admin.post(path, {"overlap_seconds": 0})).status_code == 201


async def test_scopes_are_changed_in_every_process(shop: Shop, audited: None) -> None:
    store, admin = await shop.store(), await shop.staff("admin")
    body = await made(shop, admin, kind="server", scopes=[{"permission": "stock.read", "locations": ["*"]}])
    server = Client(shop.http, body["key"])
    assert (await server.get(f"/v1/stores/{store.code}/stock")).status_code == 200
    changed = await admin.patch(f"/v1/clients/{body['code']}", {"scopes": []})
    assert changed.status_code == 200, changed.text
    assert changed.json()["scopes"] == []
    await refused(server, path=f"/v1/stores/{store.code}/stock", status=403)
    record = await row_of(shop, audit_records, action="client.changed", target_id=body["id"])
    assert (record.before["scopes"], record.after["scopes"]) == ({"stock.read": ["*"]}, {})


async def test_given_secret_keys_have_their_prefix(shop: Shop) -> None:
    with pytest.raises(ValueError, match="sk_"):
        await shop.db.write(
            auth.create_client, shop.system, code=unique("c"), channel="site", name="S", kind="server", key="pk_1"
        )


async def test_shoppers_tokens_name_the_client_they_came_through(shop: Shop) -> None:
    frontend = await shop.client("app")
    first = (await frontend.post("/v1/auth/anonymous", {})).json()
    second = (await frontend.post("/v1/auth/refresh", {"refresh_token": first["refresh_token"]})).json()
    for body in (first, second):
        read = tokens.read(body["access_token"], secret_key=shop.settings.secret_key, at=clock())
        assert read is not None
        assert read[0].client == frontend.actor.subject
    store = await shop.store()
    kiosk = await shop.device("kiosk", store.code)
    body = (await kiosk.post("/v1/auth/anonymous", {})).json()
    read = tokens.read(body["access_token"], secret_key=shop.settings.secret_key, at=clock())
    assert read is not None
    assert (read[0].client, read[0].device) == (None, kiosk.actor.subject)
