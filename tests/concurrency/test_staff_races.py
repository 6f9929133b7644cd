"""Devices, staff and roles when several come at once: one wins, nobody is left with more than he was given."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from commerce.auth import tokens
from commerce.auth.tables import devices, invitations, sessions, staff
from commerce.infra.db import Tx
from tests.auth.support import PASSWORD, PIN, badge_of, colleague, row_of, with_pin
from tests.support import Client, Shop, unique

pytestmark = pytest.mark.usefixtures("audited")


async def rows(shop: Shop, table: Any, **where: Any) -> list[Any]:
    async def work(tx: Tx) -> list[Any]:
        return await tx.rows(table.select().filter_by(**where))

    return await shop.db.read(work)


def kinds(answers: list[Any]) -> list[tuple[int, str]]:
    return sorted((answer.status_code, "" if answer.is_success else answer.json()["type"]) for answer in answers)


async def test_a_code_typed_by_eight_managers_makes_one_device(racers: Shop) -> None:
    store, client = await racers.store(), await racers.client("kiosk")
    managers = [await racers.staff("store_manager", store.code) for _ in range(8)]
    pairing = (await client.post("/v1/auth/pairings", {"kind": "kiosk", "name": "K"})).json()
    path, claim = f"/v1/stores/{store.code}/devices/pair", f"/v1/auth/pairings/{pairing['pairing_id']}/claim"
    codes = [unique("kiosk") for _ in managers]
    answers = await asyncio.gather(
        *(
            manager.post(path, {"user_code": pairing["user_code"], "code": code})
            for manager, code in zip(managers, codes, strict=True)
        ),
        *(client.post(claim, {"device_secret": pairing["device_secret"]}) for _ in range(4)),
    )
    assert kinds(answers[:8]) == [(201, "")] + [(404, "/problems/wrong-user-code")] * 7
    assert {answer.status_code for answer in answers[8:]} <= {200, 409}
    assert len(await rows(racers, devices, location=store.code)) == 1
    claimed = await asyncio.gather(*(client.post(claim, {"device_secret": pairing["device_secret"]}) for _ in range(6)))
    assert {answer.json()["key"] for answer in claimed} == {claimed[0].json()["key"]}


async def test_approved_and_denied_at_once_is_one_of_them(racers: Shop) -> None:
    store, client = await racers.store(), await racers.client("kiosk")
    one, two = await racers.staff("store_manager", store.code), await racers.staff("store_manager", store.code)
    for _ in range(5):
        pairing = (await client.post("/v1/auth/pairings", {"kind": "kiosk", "name": "K"})).json()
        body, code = {"user_code": pairing["user_code"]}, unique("kiosk")
        approved, denied = await asyncio.gather(
            one.post(f"/v1/stores/{store.code}/devices/pair", body | {"code": code}),
            two.post(f"/v1/stores/{store.code}/devices/deny", body),
        )
        assert sorted((approved.is_success, denied.is_success)) == [False, True]
        claimed = await client.post(
            f"/v1/auth/pairings/{pairing['pairing_id']}/claim", {"device_secret": pairing["device_secret"]}
        )
        assert claimed.status_code == (200 if approved.is_success else 403)
        assert len(await rows(racers, devices, code=code)) == int(approved.is_success)


async def test_of_guesses_at_a_pin_at_sign_in_and_approval_five_are_answered(racers: Shop) -> None:
    store, item = await racers.store(), await racers.item(price=100)
    till = await racers.device("till", store.code)
    login, other = await with_pin(racers, "store_manager", store.code), await with_pin(racers, "associate", store.code)
    token = (await till.post("/v1/auth/staff/device-sign-in", {"login": other, "pin": PIN})).json()["access_token"]
    associate = Client(racers.http, token)
    body = {"sku": item.sku, "delta": -1, "reason": "damage"}

    async def sign_in(pin: str) -> Any:
        return await till.post("/v1/auth/staff/device-sign-in", {"login": login, "pin": pin})

    async def approve(pin: str) -> Any:
        headers = {"Approval-Login": login, "Approval-Pin": pin}
        return await associate.post(f"/v1/stores/{store.code}/adjustments", body, headers=headers)

    answers = await asyncio.gather(*(work(f"{n:04}") for n in range(8000, 8008) for work in (sign_in, approve)))
    assert sum(answer.status_code in (401, 403) for answer in answers) == 5
    assert sum(answer.status_code == 429 for answer in answers) == 11
    assert [(await work(PIN)).status_code for work in (sign_in, approve)] == [429, 429]


async def test_of_guesses_at_everybodys_pin_on_a_device_thirty_are_answered(racers: Shop) -> None:
    store, item = await racers.store(), await racers.item(price=100)
    till, other = await racers.device("till", store.code), await with_pin(racers, "associate", store.code)
    token = (await till.post("/v1/auth/staff/device-sign-in", {"login": other, "pin": PIN})).json()["access_token"]
    associate = Client(racers.http, token)
    body = {"sku": item.sku, "delta": -1, "reason": "damage"}

    async def sign_in(login: str) -> Any:
        return await till.post("/v1/auth/staff/device-sign-in", {"login": login, "pin": "8000"})

    async def approve(login: str) -> Any:
        headers = {"Approval-Login": login, "Approval-Pin": "8000"}
        return await associate.post(f"/v1/stores/{store.code}/adjustments", body, headers=headers)

    names = [await with_pin(racers, "store_manager", store.code) for _ in range(2)] + [
        unique("nobody") for _ in range(15)
    ]
    answers = await asyncio.gather(*(work(name) for name in names for work in (sign_in, approve)))
    assert sum(answer.status_code in (401, 403) for answer in answers) == 30
    assert sum(answer.status_code == 429 for answer in answers) == 4


async def test_a_pass_shown_at_two_kiosks_opens_one(racers: Shop) -> None:
    store, phone = await racers.store(), await racers.signed_up(channel="app")
    kiosks = [await racers.device("kiosk", store.code) for _ in range(4)]
    code = (await phone.post("/v1/auth/passes")).json()["code"]
    answers = await asyncio.gather(*(kiosk.post("/v1/auth/passes/claim", {"code": code}) for kiosk in kiosks))
    assert kinds(list(answers)) == [(201, "")] + [(401, "/problems/wrong-pass")] * 3


async def test_of_many_who_sign_in_at_one_till_the_last_is_there(racers: Shop) -> None:
    store = await racers.store()
    till = await racers.device("till", store.code)
    badges = [await badge_of(racers, await colleague(racers, "associate", store.code)) for _ in range(8)]
    answers = await asyncio.gather(*(till.post("/v1/auth/staff/device-sign-in", {"badge": badge}) for badge in badges))
    assert {answer.status_code for answer in answers} == {201}
    there = await rows(racers, sessions, device_id=till.actor.device)
    assert sorted(session.revoked_reason or "" for session in there) == [""] + ["replaced"] * 7


async def test_an_invitation_accepted_twice_makes_one_member(racers: Shop) -> None:
    store, admin, client = await racers.store(), await racers.staff("admin"), await racers.client("back_office")
    login = unique("new")
    invited = {"login": login, "name": "N", "roles": [{"role": "associate", "locations": [store.code]}]}
    made = (await admin.post("/v1/staff/invitations", invited)).json()
    path = "/v1/auth/staff/invitations/accept"
    answers = await asyncio.gather(
        *(client.post(path, {"token": made["token"], "password": f"{PASSWORD}-{n}"}) for n in range(6))
    )
    assert kinds(list(answers)) == [(201, "")] + [(404, "/problems/unknown-invitation")] * 5
    assert len(await rows(racers, staff, login=login)) == 1
    made = (await admin.post("/v1/staff/invitations", invited | {"login": unique("new")})).json()
    joined, revoked = await asyncio.gather(
        client.post(path, {"token": made["token"], "password": PASSWORD}),
        admin.post(f"/v1/staff/invitations/{made['id']}/revoke"),
    )
    kept = await row_of(racers, invitations, id=UUID(made["id"]))
    assert revoked.status_code == 200
    assert (joined.status_code, kept.state) in ((201, "accepted"), (404, "revoked"))
    invitations_of_one = await asyncio.gather(
        *(admin.post("/v1/staff/invitations", invited | {"login": f"{login}-2"}) for _ in range(5))
    )
    assert kinds(list(invitations_of_one)) == [(201, "")] + [(409, "/problems/code-taken")] * 4


async def test_who_signs_in_while_his_role_loses_a_permission_has_not_got_it(racers: Shop) -> None:
    """Either he reads the role as it is now, or his session has ended with those of the others."""
    store, admin, client = await racers.store(), await racers.staff("admin"), await racers.client("back_office")
    code = unique("role")
    full = {"name": {"en": "Keeper"}, "permissions": ["stock.count", "stock.read"]}
    for _ in range(6):
        assert (await admin.put(f"/v1/roles/{code}", full)).status_code == 200
        login = await colleague(racers, code, store.code)
        body = {"login": login, "password": PASSWORD}
        before = (await client.post("/v1/auth/staff/sign-in", body)).json()
        *signed, refreshed, _ = await asyncio.gather(
            client.post("/v1/auth/staff/sign-in", body),
            client.post("/v1/auth/staff/sign-in", body),
            client.post("/v1/auth/refresh", {"refresh_token": before["refresh_token"]}),
            admin.put(f"/v1/roles/{code}", full | {"permissions": ["stock.read"]}),
        )
        for answer in (*signed, refreshed):
            if answer.is_success:
                issued = answer.json()
                read = tokens.read(issued["access_token"], secret_key=racers.settings.secret_key, at=racers.db.clock())
                assert read is not None
                kept = await row_of(racers, sessions, id=UUID(issued["session_id"]))
                assert kept.revoked_at is not None or "stock.count" not in read[0].permissions


async def test_a_badge_revoked_while_it_is_shown_opens_nothing_afterwards(racers: Shop) -> None:
    store, admin = await racers.store(), await racers.staff("admin")
    till, login = await racers.device("till", store.code), await colleague(racers, "associate", store.code)
    for _ in range(5):
        made = (await admin.post(f"/v1/staff/{login}/badges")).json()
        shown, revoked = await asyncio.gather(
            till.post("/v1/auth/staff/device-sign-in", {"badge": made["code"]}),
            admin.post(f"/v1/staff/{login}/badges/{made['id']}/revoke"),
        )
        assert revoked.status_code == 200
        assert shown.status_code in (201, 401)
        live = await rows(racers, sessions, device_id=till.actor.device, revoked_at=None)
        assert live == []


async def test_a_reset_accepted_by_many_at_once_sets_one_password_and_shutting_out_wins(racers: Shop) -> None:
    store, admin, client = await racers.store(), await racers.staff("admin"), await racers.client("back_office")
    path = "/v1/auth/staff/invitations/accept"
    login = await colleague(racers, "associate", store.code)
    made = (await admin.post(f"/v1/staff/{login}/reset-password")).json()
    answers = await asyncio.gather(
        *(client.post(path, {"token": made["token"], "password": f"{PASSWORD}-{n}"}) for n in range(6))
    )
    assert kinds(list(answers)) == [(201, "")] + [(404, "/problems/unknown-invitation")] * 5
    for _ in range(4):
        name = await colleague(racers, "associate", store.code)
        made = (await admin.post(f"/v1/staff/{name}/reset-password")).json()
        joined, revoked = await asyncio.gather(
            client.post(path, {"token": made["token"], "password": PASSWORD}), admin.post(f"/v1/staff/{name}/revoke")
        )
        assert (revoked.status_code, joined.status_code) in ((200, 201), (200, 404))
        member = await row_of(racers, staff, login=name)
        assert [one for one in await rows(racers, sessions, principal_id=member.id) if one.revoked_at is None] == []
