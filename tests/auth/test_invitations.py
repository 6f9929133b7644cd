"""Joining the staff by invitation: nobody else ever knows the password."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commerce.auth import tasks
from commerce.auth.tables import invitations, staff
from commerce.infra.tables import idempotency_keys
from commerce.kernel.ids import uuid7
from tests.auth.support import PASSWORD, colleague, count, row_of
from tests.support import Client, Shop, clock, unique

pytestmark = pytest.mark.usefixtures("audited")

PATH = "/v1/staff/invitations"


def asked(*locations: str, role: str = "associate", login: str | None = None) -> dict[str, Any]:
    return {
        "login": login or unique("new"),
        "name": "Антон Лебедев",
        "roles": [{"role": role, "locations": list(locations)}],
    }


async def accept(client: Client, token: str) -> Any:
    return await client.post("/v1/auth/staff/invitations/accept", {"token": token, "password": PASSWORD})


async def test_he_chooses_his_password_and_is_in(shop: Shop) -> None:
    store, client, key = await shop.store(), await shop.client(), str(uuid7())
    admin, body = await shop.staff("admin"), asked(store.code)
    answer = await admin.post(PATH, body, key=key)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    assert (made["state"], made["token"][:3]) == ("pending", "iv_")
    assert (await admin.post(PATH, body, key=key)).json() == made
    kept = await row_of(shop, invitations, id=UUID(made["id"]))
    assert kept.expires_at - kept.created_at == timedelta(days=7)
    assert made["token"] not in f"{tuple(kept)} {tuple(await row_of(shop, idempotency_keys, key=key))}"
    taken = await admin.post(PATH, body)
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/code-taken")
    joined = await accept(client, made["token"])
    assert joined.status_code == 201, joined.text
    member = Client(shop.http, joined.json()["access_token"])
    assert (await member.get(f"/v1/stores/{store.code}/fulfillments")).status_code == 200
    row = await row_of(shop, staff, login=body["login"])
    assert (str(row.id), row.name) == (joined.json()["subject"], "Антон Лебедев")
    kept = await row_of(shop, invitations, id=UUID(made["id"]))
    assert (kept.state, kept.staff_id, kept.name) == ("accepted", row.id, "")
    assert (
        await client.post("/v1/auth/staff/sign-in", {"login": body["login"], "password": PASSWORD})
    ).status_code == 201
    again = await accept(client, made["token"])
    assert (again.status_code, again.json()["type"]) == (404, "/problems/unknown-invitation")
    taken = await admin.post(PATH, body)
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/code-taken")


async def test_it_is_taken_back_or_expires(shop: Shop) -> None:
    store, client, admin = await shop.store(), await shop.client(), await shop.staff("admin")
    login, before = unique("new"), await count(shop, staff)
    first = (await admin.post(PATH, asked(store.code, login=login))).json()
    assert (await admin.post(f"{PATH}/{first['id']}/revoke")).json()["state"] == "revoked"
    second = (await admin.post(PATH, asked(store.code, login=login))).json()
    clock.travel(timedelta(days=7, seconds=1))
    for gone in (first, second, {"token": "iv_nonsense"}):
        answer = await accept(client, gone["token"])
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-invitation")
    assert await count(shop, staff) == before
    admin = await shop.staff("admin")
    third = await admin.post(PATH, asked(store.code, login=login))
    assert third.status_code == 201, "an expired one does not keep the login"
    states = {one["id"]: one["state"] for one in (await admin.get(PATH)).json()["items"] if one["login"] == login}
    assert states == {first["id"]: "revoked", second["id"]: "revoked", third.json()["id"]: "pending"}
    assert (await admin.post(f"{PATH}/{uuid7()}/revoke")).status_code == 404
    assert (await accept(client, third.json()["token"])).status_code == 201
    done = await admin.post(f"{PATH}/{third.json()['id']}/revoke")
    assert (done.status_code, done.json()["state"]) == (200, "accepted")
    clock.travel(timedelta(days=60))
    await tasks.sweep(shop.db)
    assert await row_of(shop, invitations, id=UUID(first["id"])) is None
    assert await row_of(shop, invitations, id=UUID(third.json()["id"])) is not None


async def test_nobody_invites_to_more_than_he_holds(shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    local, everywhere = await shop.staff("admin", store.code), await shop.staff("admin")
    before = await count(shop, invitations)
    for location in (other.code, "*"):
        answer = await local.post(PATH, asked(store.code, location))
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/may-not-grant")
    answer = await local.post(PATH, asked(store.code, role=unique("no-such")))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-roles")
    assert (await (await shop.staff("store_manager", store.code)).post(PATH, asked(store.code))).status_code == 403
    answer = await local.post(PATH, asked(store.code, login=await colleague(shop, "associate", store.code)))
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/code-taken")
    assert await count(shop, invitations) == before
    beyond = (await everywhere.post(PATH, asked(other.code))).json()
    answer = await local.post(f"{PATH}/{beyond['id']}/revoke")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/may-not-grant")
    own = (await local.post(PATH, asked(store.code))).json()
    assert [one["id"] for one in (await local.get(PATH)).json()["items"]] == [own["id"]]
    page = (await everywhere.get(f"{PATH}?limit=1")).json()
    assert page["items"][0]["id"] == own["id"]
    assert (await everywhere.get(f"{PATH}?limit=1&cursor={page['next_cursor']}")).json()["items"][0]["id"] == beyond[
        "id"
    ]


async def test_an_invitation_is_worth_what_its_giver_may_still_give(shop: Shop) -> None:
    """Who is shut out, or may less now, leaves no door open behind him."""
    store, client, admin = await shop.store(), await shop.client(), await shop.staff("admin")
    dismissed, demoted = await shop.staff("admin", store.code), await shop.staff("admin", store.code)
    logins = {
        one.actor.subject: (await row_of(shop, staff, id=one.actor.subject)).login for one in (dismissed, demoted)
    }
    before = await count(shop, staff)
    first = (await dismissed.post(PATH, asked(store.code))).json()
    second = (await demoted.post(PATH, asked(store.code))).json()
    path = f"/v1/staff/{logins[demoted.actor.subject]}/roles"
    less = {"roles": [{"role": "store_manager", "locations": [store.code]}]}
    assert (await admin.put(path, less)).status_code == 200
    assert (await admin.post(f"/v1/staff/{logins[dismissed.actor.subject]}/revoke")).status_code == 200
    for made in (first, second):
        answer = await accept(client, made["token"])
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-invitation")
        assert (await row_of(shop, invitations, id=UUID(made["id"]))).state == "pending"
    assert await count(shop, staff) == before
    assert (await admin.put(path, {"roles": [{"role": "admin", "locations": [store.code]}]})).status_code == 200
    assert (await accept(client, second["token"])).status_code == 201
