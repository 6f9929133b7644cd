"""Everything is denied unless a guard says otherwise: every operation, called by everybody who must not (DESIGN 12)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from msgspec import structs

from commerce.auth import guards, keyring
from tests.auth.support import refused
from tests.house.source import operations
from tests.house.test_handlers import PUBLIC, our_guards
from tests.support import Client, Shop, unique

SAMPLES = {"code": "store-elsewhere", "number": "1", "version": "1"}
NOBODY = "00000000-0000-7000-8000-000000000000"


def address(handler: HTTPRouteHandler, code: str) -> str:
    """A well-formed address of the operation; whatever it names does not exist, save the store."""
    path = sorted(handler.paths)[0]

    def value(match: re.Match[str]) -> str:
        name, kind = match[1], match[2]
        if name == "code":
            return code
        return {"uuid": NOBODY, "int": "1"}.get(kind, SAMPLES.get(name, "x1"))

    return re.sub(r"\{(\w+)(?::(\w+))?\}", value, path)


async def call(client: Client, handler: HTTPRouteHandler, code: str) -> tuple[int, str]:
    method = sorted(handler.http_methods - {"HEAD", "OPTIONS"})[0]
    answer = await client.request(method, address(handler, code), json={} if method not in ("GET", "DELETE") else None)
    body = answer.json() if answer.headers.get("content-type", "").startswith("application/problem+json") else {}
    return answer.status_code, body.get("type", "")


def access(handler: HTTPRouteHandler) -> str:
    """Who passes, in the guard's words."""
    return str(getattr(our_guards(handler)[0], "access", "public"))


@pytest.fixture(scope="module")
def handlers(app: Litestar) -> list[HTTPRouteHandler]:
    return operations(app)


async def test_without_credentials_nothing_but_the_public_list(shop: Shop, handlers: list[HTTPRouteHandler]) -> None:
    wrong = {}
    for handler in handlers:
        status, kind = await call(shop.anybody(), handler, "nowhere")
        if (status == 401) == (handler.operation_id in PUBLIC) or (
            status == 401 and kind != "/problems/sign-in-required"
        ):
            wrong[handler.operation_id] = (status, kind)
    assert wrong == {}


async def test_with_a_forged_credential_nothing(shop: Shop, handlers: list[HTTPRouteHandler]) -> None:
    genuine = (await shop.shopper()).token or ""
    tokens = {
        "nonsense": handlers,
        genuine[:-4] + ("AAAA" if genuine[-4:] != "AAAA" else "BBBB"): handlers,
        "pk_" + "x" * 32: handlers[:3],
        "dk_" + "x" * 32: handlers[-3:],
    }
    for token, called in tokens.items():
        forged = Client(shop.http, token)
        for handler in called:
            status, kind = await call(forged, handler, "nowhere")
            assert (status, kind) == (401, "/problems/sign-in-required"), (handler.operation_id, token)


async def test_a_revoked_credential_opens_nothing(
    shop: Shop, handlers: list[HTTPRouteHandler], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed out, a member of staff let go, a till and a frontend revoked: each had opened something before."""
    monkeypatch.setattr(keyring, "STALE_SECONDS", -1.0)  # nobody waits for the next reading of the lists
    monkeypatch.setattr(keyring, "UNKNOWN_KEY_SECONDS", 0.0)
    store, admin = await shop.store(), await shop.staff("admin", channel="back_office")
    frontend = await shop.client()

    async def visitor() -> tuple[Client, str]:
        made = (await frontend.post("/v1/auth/anonymous", {})).json()
        return Client(shop.http, made["access_token"]), made["session_id"]

    signed_out, _ = await visitor()
    assert (await signed_out.get("/v1/orders")).status_code == 200
    assert (await signed_out.post("/v1/auth/sign-out")).status_code == 204
    login, password = unique("staff"), "klyukva-vesna-17"
    hired = {"login": login, "name": "Staff", "password": password, "roles": [{"role": "admin", "locations": ["*"]}]}
    assert (await admin.post("/v1/staff", hired)).status_code == 201
    signed_in = await frontend.post("/v1/auth/staff/sign-in", {"login": login, "password": password})
    let_go = Client(shop.http, signed_in.json()["access_token"])
    assert (await let_go.get("/v1/channels")).status_code == 200
    assert (await admin.post(f"/v1/staff/{login}/revoke")).is_success
    code = unique("till")
    made = await admin.post(
        "/v1/devices", {"code": code, "kind": "till", "channel": "till", "location": store.code, "name": "T"}
    )
    till = Client(shop.http, made.json()["key"])
    assert (await till.get("/v1/locations")).status_code == 200
    assert (await admin.post(f"/v1/devices/{code}/revoke")).is_success
    code = unique("client")
    made = await admin.post("/v1/clients", {"code": code, "channel": "site", "name": "Site"})
    revoked = Client(shop.http, made.json()["key"])
    assert (await revoked.get("/v1/locations")).status_code == 200
    assert (await admin.post(f"/v1/clients/{code}/revoke")).is_success
    for who, caller in {"session": signed_out, "staff": let_go, "till": till, "client": revoked}.items():
        for handler in handlers:
            answered = await call(caller, handler, store.code)
            assert answered == (401, "/problems/sign-in-required"), (who, handler.operation_id)


HELD = ("staff", "store", "chain")
"""Guards that ask for a permission: somewhere, at the store of the path, or for the whole chain."""
PASSES = {
    "client": ("public", "caller", "client", "visitor"),
    "anonymous shopper": ("public", "caller", "shopper", "buyer", "basket_holder", "visitor", "signed_in"),
    "known shopper": ("public", "caller", "shopper", "buyer", "basket_holder", "visitor", "signed_in", "known_shopper", "himself"),
    "kiosk": ("public", "caller", "client", "device", "buyer", "basket_holder", "visitor"),
    "call center": ("public", "caller", "signed_in", "staff", "basket_holder"),
    "staff acting for a customer": (
        "public", "caller", "signed_in", "staff", "shopper", "known_shopper", "buyer", "basket_holder",
    ),
    "staff at a till": ("public", "caller", "signed_in", "staff", "buyer", "basket_holder"),
}  # fmt: skip
"""Guards that let each caller through, whatever permissions it holds."""


async def acting(shop: Shop) -> Client:
    """A member of the call centre with a token to act for a customer."""
    agent, customer = await shop.staff("call_center", channel="call_center"), await shop.shopper(known=True)
    answer = await agent.post(f"/v1/customers/{customer.actor.subject}/acting", {"reason": "customer_asked"})
    actor = structs.replace(agent.actor, on_behalf_of=customer.actor.subject, reason="customer_asked", known=True)
    return Client(shop.http, answer.json()["access_token"], actor)


async def at_till(shop: Shop, location: str) -> Client:
    """An associate at a till of his store."""
    till, member = await shop.device("till", location), await shop.staff("associate", location)
    return shop._issue(structs.replace(member.actor, device=till.actor.device, location=location))


@pytest.mark.parametrize("who", list(PASSES))
async def test_the_wrong_kind_of_caller_is_refused(shop: Shop, handlers: list[HTTPRouteHandler], who: str) -> None:
    store = await shop.store()
    callers: dict[str, Callable[[], Awaitable[Client]]] = {
        "client": shop.client,
        "anonymous shopper": shop.shopper,
        "known shopper": lambda: shop.shopper(known=True),
        "kiosk": lambda: shop.device("kiosk", store.code),
        "call center": lambda: shop.staff("call_center", channel="call_center"),
        "staff acting for a customer": lambda: acting(shop),
        "staff at a till": lambda: at_till(shop, store.code),
    }
    caller = await callers[who]()
    wrong = {}
    for handler in handlers:
        guard = access(handler)
        kind, _, permission = guard.partition(":")
        reach = "*" if kind == "chain" else store.code
        allowed = guard in PASSES[who] or (kind in HELD and caller.actor.may(permission, reach))
        status, problem = await call(caller, handler, store.code)
        refused = (status, problem) == (403, "/problems/not-allowed")
        if refused == allowed and not (allowed and status == 403):
            wrong[handler.operation_id] = (guard, status, problem)
    assert wrong == {}


async def test_staff_of_another_store_are_refused(shop: Shop, handlers: list[HTTPRouteHandler]) -> None:
    here, elsewhere = await shop.store(), await shop.store()
    manager = await shop.staff("store_manager", elsewhere.code)
    till = await shop.device("till", elsewhere.code)
    checked = 0
    for handler in handlers:
        if access(handler).startswith("store:"):
            checked += 1
            for caller in (manager, till):
                assert await call(caller, handler, here.code) == (403, "/problems/not-allowed"), handler.operation_id
    assert checked >= 10


async def test_a_revoked_device_and_whoever_stands_there_are_refused(
    shop: Shop, handlers: list[HTTPRouteHandler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "UNKNOWN_KEY_SECONDS", 0.0)
    store, manager = await shop.store(), await shop.staff("admin")
    till = await shop.device("till", store.code)
    member, customer = await at_till(shop, store.code), await shop.shopper(known=True)
    there = shop._issue(structs.replace(member.actor, device=till.actor.device))
    shopper = shop._issue(structs.replace(customer.actor, device=till.actor.device, location=store.code))
    code = next(one["code"] for one in (await manager.get(f"/v1/devices?location={store.code}")).json()["items"]
                if one["id"] == str(till.actor.device))  # fmt: skip
    assert (await manager.post(f"/v1/devices/{code}/revoke")).status_code == 200
    for caller in (till, there, shopper):
        await refused(caller)
        for handler in handlers:
            status, kind = await call(caller, handler, store.code)
            assert (status, kind) == (401, "/problems/sign-in-required"), handler.operation_id


async def test_staff_without_the_permission_are_refused(shop: Shop, handlers: list[HTTPRouteHandler]) -> None:
    """Every permission that a guard names, asked with every role that does not hold it."""
    from commerce.auth.permissions import ROLES

    store = await shop.store()
    staff = {role: await shop.staff(role, store.code) for role in ROLES}
    for handler in handlers:
        kind, _, permission = access(handler).partition(":")
        if kind not in HELD or not permission:
            continue
        holders = {role for role, held in ROLES.items() if permission in held}
        assert "admin" in holders, f"{handler.operation_id}: nobody can ever hold {permission}"
        for role in set(ROLES) - holders:
            assert await call(staff[role], handler, store.code) == (403, "/problems/not-allowed"), (
                handler.operation_id,
                role,
            )


def test_the_guards_are_ours() -> None:
    assert guards.public.access == "public"
