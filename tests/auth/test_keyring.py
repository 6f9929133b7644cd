"""The key ring: no statement on hot reads, revocations in every process within 5 s, what was used and when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from commerce.app import create_app
from commerce.auth import keyring
from commerce.auth.keyring import STALE_SECONDS, KeyRing
from commerce.auth.tables import client_keys, devices, sessions
from commerce.kernel.errors import Busy
from commerce.settings import Settings
from tests.auth.support import PASSWORD, colleague, refused, row_of
from tests.support import Client, Shop, clock
from tests.support_statements import count_statements

CATEGORIES = "/v1/catalog/categories"


@pytest.fixture(scope="module")
async def elsewhere(settings: Settings) -> AsyncIterator[AsyncTestClient[Litestar]]:
    """Another process of the API."""
    async with AsyncTestClient(create_app(settings, clock=clock)) as http:
        yield http


async def callers(shop: Shop) -> dict[str, Client]:
    """One of each kind of credential, each with what it is called in the lists."""
    store, frontend = await shop.store(), await shop.client()
    token = (await frontend.post("/v1/auth/anonymous", {})).json()["access_token"]
    login = await colleague(shop, "associate", store.code)
    staff = (await frontend.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).json()
    return {
        "frontend": frontend,
        "server": await shop.server({"stock.read": ["*"]}),
        "device": await shop.device("till", store.code),
        "shopper": Client(shop.http, token),
        "staff": Client(shop.http, staff["access_token"]),
    }


async def test_authentication_costs_no_statement(shop: Shop, app: Litestar) -> None:
    """A category tree takes one statement, whoever asks; being known takes none."""
    for name, caller in (await callers(shop)).items():
        assert (await caller.get(CATEGORIES)).status_code == 200
        async with count_statements(app.state.db) as counted:
            assert (await caller.get(CATEGORIES)).status_code == 200
        assert len(counted) == 1, (name, counted)
        assert "auth." not in counted[0]
        async with count_statements(app.state.db) as counted:
            assert (await caller.get("/v1/no/such/address")).status_code == 404
        assert counted == [], name


async def test_a_revocation_holds_in_another_process_within_five_seconds(
    shop: Shop, elsewhere: AsyncTestClient[Litestar]
) -> None:
    admin = await shop.staff("admin")
    frontend = (
        await admin.post("/v1/clients", {"code": f"c{shop.category.hex[-8:]}", "channel": "site", "name": "C"})
    ).json()
    store = await shop.store()
    till = (
        await admin.post(
            "/v1/devices",
            {"code": f"till-{shop.category.hex[-8:]}", "kind": "till", "location": store.code, "name": "T"},
        )
    ).json()
    login = await colleague(shop, "associate", store.code)
    entry = await shop.client()
    token = (await entry.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).json()
    there = {
        "client key": Client(elsewhere, frontend["key"]),
        "device key": Client(elsewhere, till["key"]),
        "session": Client(elsewhere, token["access_token"]),
    }
    for name, caller in there.items():
        assert (await caller.get(CATEGORIES)).status_code == 200, name
    began = asyncio.get_running_loop().time()
    assert (await admin.delete(f"/v1/clients/{frontend['code']}/keys/{frontend['keys'][0]['id']}")).status_code == 204
    assert (await admin.post(f"/v1/devices/{till['code']}/revoke")).status_code == 200
    assert (await Client(shop.http, token["access_token"]).post("/v1/auth/sign-out")).status_code == 204
    for caller in there.values():
        await refused(caller, path=CATEGORIES)
    assert asyncio.get_running_loop().time() - began < STALE_SECONDS


async def test_an_old_list_lets_nobody_in(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the list cannot be read for 5 s, nothing is decided by it any more."""
    ring = KeyRing(shop.db, secret_key=shop.settings.secret_key, token_seconds=600)
    client = await shop.client()
    assert client.token
    assert await ring.actor(client.token) is not None

    async def away(*_: Any) -> None:
        raise Busy(retry_after_seconds=1)

    monkeypatch.setattr(ring, "refresh", away)
    assert await ring.actor(client.token) is not None
    monkeypatch.setattr(keyring, "STALE_SECONDS", 0.0)
    with pytest.raises(Busy):
        await ring.actor(client.token)


async def test_what_was_used_is_written_down_in_one_statement(shop: Shop) -> None:
    people = await callers(shop)
    unused = await shop.client()
    ring = KeyRing(shop.db, secret_key=shop.settings.secret_key, token_seconds=600)
    for caller in people.values():
        assert await ring.actor(caller.token) is not None
    at = clock() + timedelta(seconds=40)
    clock.stand_at(at)
    async with count_statements(shop.db) as counted:
        await ring.flush_seen()
    assert counted == ["BEGIN;", "COMMIT;"], "the note itself is left out of the count, as it belongs to no request"
    for name in ("frontend", "server"):
        assert (await row_of(shop, client_keys, client_id=people[name].actor.subject)).last_used_at == at
    assert (await row_of(shop, devices, id=people["device"].actor.subject)).last_seen_at == at
    assert (await row_of(shop, client_keys, client_id=unused.actor.subject)).last_used_at is None
    for name in ("shopper", "staff"):
        listed = (await people[name].get("/v1/auth/sessions")).json()["items"]
        kept = await row_of(shop, sessions, id=UUID(listed[0]["id"]))
        assert kept.last_seen_at == at
        assert listed[0]["last_seen_at"] is not None
    clock.stand_at(at - timedelta(seconds=20))
    assert await ring.actor(people["frontend"].token) is not None
    await ring.flush_seen()
    kept = await row_of(shop, client_keys, client_id=people["frontend"].actor.subject)
    assert kept.last_used_at == at, "never earlier than it was"


async def test_nothing_used_costs_nothing_and_a_failure_is_made_up_for(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = KeyRing(shop.db, secret_key=shop.settings.secret_key, token_seconds=600)
    client = await shop.client()
    await ring.refresh()
    async with count_statements(shop.db) as counted:
        await ring.flush_seen()
    assert counted == []
    assert await ring.actor(client.token) is not None

    async def away(*_: Any) -> None:
        raise Busy(retry_after_seconds=1)

    with monkeypatch.context() as patched:
        patched.setattr(shop.db, "write", away)
        await ring.flush_seen()
    assert (await row_of(shop, client_keys, client_id=client.actor.subject)).last_used_at is None
    await ring.flush_seen()
    assert (await row_of(shop, client_keys, client_id=client.actor.subject)).last_used_at is not None


async def test_the_note_waits_for_nobody(shop: Shop) -> None:
    """A key that is being changed is passed over."""
    ring = KeyRing(shop.db, secret_key=shop.settings.secret_key, token_seconds=600)
    client, other = await shop.client(), await shop.client()
    for caller in (client, other):
        assert await ring.actor(caller.token) is not None

    async def hold(tx: Any) -> None:
        await tx.execute(
            "SELECT 1 FROM auth.client_keys WHERE client_id = :id FOR NO KEY UPDATE", id=client.actor.subject
        )
        await asyncio.wait_for(ring.flush_seen(), 1)

    await shop.db.write(hold)
    assert (await row_of(shop, client_keys, client_id=client.actor.subject)).last_used_at is None
    assert (await row_of(shop, client_keys, client_id=other.actor.subject)).last_used_at is not None


async def test_the_lists_are_read_again_whatever_went_wrong(
    shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while a migration runs: the statement fails, and not by the load."""
    ring = KeyRing(shop.db, secret_key=settings.secret_key, token_seconds=settings.access_token_seconds)
    read, failures, again = keyring.read_keys, [RuntimeError("no such column")], asyncio.Event()

    async def failing(*args: Any) -> Any:
        if failures:
            raise failures.pop()
        again.set()
        return await read(*args)

    monkeypatch.setattr(keyring, "read_keys", failing)
    monkeypatch.setattr(keyring, "REFRESH_SECONDS", 0.01)
    running = asyncio.create_task(ring.keep_fresh())
    try:
        await asyncio.wait_for(again.wait(), 5)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
