"""Joining the staff by invitation: nobody else ever knows the password."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commerce.auth import tasks
from commerce.auth.tables import badges, invitations, pins, principals, sessions, staff, staff_roles
from commerce.infra.db import Tx
from commerce.infra.tables import audit_records, idempotency_keys
from commerce.kernel.ids import uuid7
from tests.auth.support import PASSWORD, badge_of, colleague, count, row_of, with_pin
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


async def held(shop: Shop, login: str) -> dict[str, set[str]]:
    member = (await row_of(shop, staff, login=login)).id

    async def work(tx: Tx) -> dict[str, set[str]]:
        roles = {
            row.role + "@" + row.location for row in await tx.rows(staff_roles.select().filter_by(staff_id=member))
        }
        live = await tx.rows(badges.select().filter_by(staff_id=member, revoked_at=None))
        return {"roles": roles, "badges": {str(row.id) for row in live}}

    return await shop.db.read(work)


async def test_who_forgot_his_password_chooses_another(shop: Shop) -> None:
    store, client, admin = await shop.store(), await shop.client(), await shop.staff("admin")
    login, new, key = await colleague(shop, "associate", store.code), "vishnya-teremok-7", str(uuid7())
    old = (await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).json()
    there, path = Client(shop.http, old["access_token"]), f"/v1/staff/{login}/reset-password"
    first = (await admin.post(path)).json()
    answer = await admin.post(path, key=key)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    made = answer.json()
    assert (await admin.post(path, key=key)).json() == made
    assert (made["purpose"], made["roles"]) == ("reset", [{"role": "associate", "locations": [store.code]}])
    assert (await there.get("/v1/auth/session")).status_code == 200, "until he accepts it nothing has changed"
    kept = await row_of(shop, invitations, id=UUID(made["id"]))
    assert kept.expires_at - kept.created_at == timedelta(days=1)
    assert (await accept(client, first["token"])).status_code == 404, "the last one is good"
    body = {"token": made["token"], "password": new}
    joined = await client.post("/v1/auth/staff/invitations/accept", body)
    assert (joined.status_code, joined.json()["subject"]) == (201, old["subject"]), joined.text
    assert (await row_of(shop, sessions, id=UUID(old["session_id"]))).revoked_reason == "password_reset"
    for password, status in ((PASSWORD, 401), (new, 201)):
        body = {"login": login, "password": password}
        assert (await client.post("/v1/auth/staff/sign-in", body)).status_code == status
    assert (await client.post("/v1/auth/refresh", {"refresh_token": old["refresh_token"]})).status_code == 401
    assert (await accept(client, made["token"])).status_code == 404
    record = await row_of(shop, audit_records, action="staff.password_reset", target_id=old["subject"])
    assert record.after == {"invitation": made["id"]}
    record = await row_of(shop, audit_records, action="staff.reset_invited", target_id=made["id"])
    assert record.subject == admin.actor.subject
    late = (await admin.post(path)).json()
    clock.travel(timedelta(days=1, seconds=1))
    assert (await accept(client, late["token"])).status_code == 404


async def test_nobody_resets_who_may_more_than_he(shop: Shop) -> None:
    store, other, client = await shop.store(), await shop.store(), await shop.client()
    admin, local = await shop.staff("admin"), await shop.staff("admin", store.code)
    above, beside = await colleague(shop, "admin", "*"), await colleague(shop, "associate", other.code)
    login, before = await colleague(shop, "associate", store.code), await count(shop, invitations)
    for name in (above, beside):
        answer = await local.post(f"/v1/staff/{name}/reset-password")
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/may-not-grant")
    manager = await shop.staff("store_manager", store.code)
    assert (await manager.post(f"/v1/staff/{login}/reset-password")).status_code == 403
    answer = await local.post(f"/v1/staff/{unique('nobody')}/reset-password")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-staff")
    assert await count(shop, invitations) == before
    made = (await local.post(f"/v1/staff/{login}/reset-password")).json()
    more = {"roles": [{"role": "admin", "locations": ["*"]}]}
    assert (await admin.put(f"/v1/staff/{login}/roles", more)).status_code == 200
    assert (await accept(client, made["token"])).status_code == 404, "he may more now than who invited him"
    body = {"login": login, "password": PASSWORD}
    assert (await client.post("/v1/auth/staff/sign-in", body)).status_code == 201


async def test_who_was_shut_out_is_invited_again(shop: Shop) -> None:
    store, other, client, admin = await shop.store(), await shop.store(), await shop.client(), await shop.staff("admin")
    login = await with_pin(shop, "associate", store.code)
    member = (await row_of(shop, staff, login=login)).id
    assert len((await held(shop, login))["roles"]) == 1
    await badge_of(shop, login)
    waiting = (await admin.post(f"/v1/staff/{login}/reset-password")).json()
    taken = await admin.post(PATH, asked(other.code, login=login))
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/code-taken")
    assert (await admin.post(f"/v1/staff/{login}/revoke")).status_code == 200
    assert (await row_of(shop, invitations, id=UUID(waiting["id"]))).state == "revoked"
    answer = await admin.post(f"/v1/staff/{login}/reset-password")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/staff-shut-out")
    local = await shop.staff("admin", other.code)
    answer = await local.post(PATH, asked(other.code, login=login))
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/may-not-grant"), (
        "his roles were another's to give"
    )
    made = (await admin.post(PATH, asked(other.code, login=login))).json()
    assert made["purpose"] == "return"
    assert (await row_of(shop, principals, id=member)).disabled_at is not None
    joined = await accept(client, made["token"])
    assert (joined.status_code, joined.json()["subject"]) == (201, str(member)), joined.text
    assert (await row_of(shop, principals, id=member)).disabled_at is None
    assert await held(shop, login) == {"roles": {f"associate@{other.code}"}, "badges": set()}
    assert await row_of(shop, pins, staff_id=member) is None
    assert (await row_of(shop, staff, id=member)).name == "Антон Лебедев"
    record = await row_of(shop, audit_records, action="staff.returned", target_id=str(member))
    assert (record.before, record.after) == (
        {"roles": [["associate", store.code]]}, {"roles": [["associate", other.code]]},
    )  # fmt: skip
    assert (await admin.post(f"/v1/staff/{login}/revoke")).status_code == 200
    again = (await admin.post(PATH, asked(other.code, login=login))).json()
    assert (await admin.post(f"/v1/staff/{login}/restore")).status_code == 200
    assert (await accept(client, again["token"])).status_code == 404, "he is in already, with another password"
