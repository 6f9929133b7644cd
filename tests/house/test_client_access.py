"""The walk of DESIGN 12 for servers: what scopes open, what they do not, and keys that are over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from types import ModuleType

import msgspec
import pytest
import structlog
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.testing import AsyncTestClient

from commerce.app import create_app
from commerce.auth.clients import revoke_client
from commerce.auth.permissions import PERMISSIONS
from commerce.infra import log
from commerce.infra.db import Tx
from tests.house.source import modules, operations
from tests.house.test_access import access, call
from tests.support import Client, Shop, clock

OPEN = ("public", "caller", "client", "visitor")
"""Guards that let every client pass, whatever its scopes."""
NOT_ALLOWED = (403, "/problems/not-allowed")
OVER = (401, "/problems/sign-in-required")


def everywhere(permissions: Iterable[str]) -> dict[str, list[str]]:
    """Each permission at all locations."""
    return {permission: ["*"] for permission in permissions}


@pytest.fixture(scope="module")
def handlers(app: Litestar) -> list[HTTPRouteHandler]:
    return operations(app)


async def test_a_server_without_scopes_opens_nothing_of_the_back_office(
    shop: Shop, handlers: list[HTTPRouteHandler]
) -> None:
    server, store = await shop.server({}), await shop.store()
    for handler in handlers:
        if access(handler) not in OPEN:
            assert await call(server, handler, store.code) == NOT_ALLOWED, handler.operation_id


async def test_a_server_with_every_scope_passes_where_a_scope_is_asked(
    shop: Shop, handlers: list[HTTPRouteHandler]
) -> None:
    """And nowhere else: it is no shopper, no device and no member of staff."""
    server, store = await shop.server(everywhere(PERMISSIONS)), await shop.store()
    wrong = {}
    for handler in handlers:
        guard = access(handler)
        answer = await call(server, handler, store.code)
        if (answer == NOT_ALLOWED) == (guard in OPEN or ":" in guard):
            wrong[handler.operation_id] = (guard, answer)
        assert answer[0] < 500, handler.operation_id
    assert wrong == {}


async def test_a_server_lacking_just_the_scope_is_refused(shop: Shop, handlers: list[HTTPRouteHandler]) -> None:
    store = await shop.store()
    asked = {permission for handler in handlers if (permission := access(handler).partition(":")[2])}
    lacking = {
        permission: await shop.server(everywhere(PERMISSIONS.keys() - {permission})) for permission in sorted(asked)
    }
    for handler in handlers:
        permission = access(handler).partition(":")[2]
        if permission:
            assert await call(lacking[permission], handler, store.code) == NOT_ALLOWED, handler.operation_id


async def test_a_server_of_one_store_is_refused_at_another_and_for_the_chain(
    shop: Shop, handlers: list[HTTPRouteHandler]
) -> None:
    here, elsewhere = await shop.store(), await shop.store()
    server = await shop.server({permission: [elsewhere.code] for permission in PERMISSIONS})
    checked = 0
    for handler in handlers:
        if access(handler).startswith(("store:", "chain:")):
            checked += 1
            assert await call(server, handler, here.code) == NOT_ALLOWED, handler.operation_id
    assert checked >= 20


async def test_revoked_and_expired_keys_open_nothing(shop: Shop, handlers: list[HTTPRouteHandler]) -> None:
    """The key is looked at before the operation, and one that nobody knows takes its time: some operations speak for all."""
    everything = everywhere(PERMISSIONS)
    revoked, expired, gone = await shop.server(everything), await shop.server(everything), await shop.client()

    async def end(tx: Tx) -> None:
        await tx.execute(
            "UPDATE auth.client_keys SET revoked_at = :at WHERE client_id = :id", at=tx.at, id=revoked.actor.subject
        )
        await tx.execute(
            "UPDATE auth.client_keys SET expires_at = :at WHERE client_id = :id",
            at=tx.at - timedelta(seconds=1), id=expired.actor.subject,
        )  # fmt: skip
        code = await tx.scalar("SELECT code FROM auth.clients WHERE id = :id", id=gone.actor.subject)
        await revoke_client(tx, shop.system, code=code)

    await shop.db.write(end)
    guarded = [handler for handler in handlers if access(handler) != "public"]
    for caller, called in ((revoked, guarded[::40]), (expired, guarded[:1]), (gone, guarded[-1:])):
        for handler in called:
            assert await call(caller, handler, "nowhere") == OVER, handler.operation_id


async def test_no_secret_reaches_the_log(
    shop: Shop, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys, tokens and passwords in every place of a request where they can stand, with everything logged."""
    for module in modules():
        if not isinstance(getattr(module.load(), "log", log), ModuleType):
            monkeypatch.setattr(module.load(), "log", structlog.get_logger())  # one that is not bound to its level yet
    loud = msgspec.structs.replace(shop.settings, log_level="debug")
    server, frontend, admin = await shop.server({"stock.read": ["*"]}), await shop.client(), await shop.staff("admin")
    secrets = {server.token, frontend.token, admin.token, "klyukva-tajna-99"}
    try:
        async with AsyncTestClient(create_app(loud, clock=clock)) as http:
            for token in (server.token, frontend.token, admin.token):
                caller = Client(http, token)
                assert (await caller.get("/v1/catalog/categories")).status_code == 200
                assert (await caller.get(f"/v1/nothing/{unlogged(token)}")).status_code == 404
            made = await Client(http, admin.token).post(
                "/v1/clients",
                {"code": f"c-{server.actor.subject.hex[-12:]}", "channel": "site", "name": "C", "kind": "server"},
            )
            rotated = await Client(http, admin.token).post(f"/v1/clients/{made.json()['code']}/keys")
            secrets |= {made.json()["key"], rotated.json()["key"]}
            bad = {"login": "nobody", "password": "klyukva-tajna-99"}
            assert (await Client(http, frontend.token).post("/v1/auth/staff/sign-in", bad)).status_code == 401
            broken = {"login": "nobody", "password": "klyukva-tajna-99", "more": 1}
            assert (await Client(http, frontend.token).post("/v1/auth/staff/sign-in", broken)).status_code == 400
            tokens = (await Client(http, frontend.token).post("/v1/auth/anonymous", {})).json()
            await Client(http, frontend.token).post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})
            secrets |= {tokens["access_token"], tokens["refresh_token"]}
            await asyncio.sleep(0)
    finally:
        log.configure(shop.settings)
    written = "".join(capfd.readouterr())
    assert '"path": "/v1/auth/refresh"' in written
    assert [secret for secret in secrets if secret and secret in written] == []


def unlogged(token: str | None) -> str:
    """A part of an address that is no secret: what stands in an address is logged."""
    return str(len(token or ""))
