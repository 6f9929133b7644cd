"""Roles are data: what the migration seeds, who changes them, what happens to those who hold them."""

from __future__ import annotations

from typing import Any

import pytest

from commerce.auth.permissions import ADMIN_KEEPS, DEVICES, PERMISSIONS, ROLE_NAMES, ROLES
from commerce.auth.tables import roles
from commerce.infra.db import Tx
from commerce.infra.tables import audit_records
from tests.auth.support import PASSWORD, colleague, refused, row_of
from tests.house.source import modules_of_rooms
from tests.support import Client, Shop, unique

pytestmark = pytest.mark.usefixtures("audited")


async def test_the_built_in_roles_are_those_of_the_migration(shop: Shop) -> None:
    async def built_in(tx: Tx) -> dict[str, Any]:
        rows = await tx.rows("SELECT code, name, permissions FROM auth.roles WHERE built_in")
        return {row.code: (row.name, row.permissions) for row in rows}

    assert await shop.db.read(built_in) == {
        code: (ROLE_NAMES[code], sorted(permissions)) for code, permissions in ROLES.items()
    }


def test_every_permission_that_anybody_asks_for_is_in_the_catalog() -> None:
    import ast

    asked = set[str]()
    for module in modules_of_rooms():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                values = [
                    *node.args,
                    *(keyword.value for keyword in node.keywords if keyword.arg in ("permission", "also")),
                ]
                if name in (
                    "staff",
                    "everywhere",
                    "at_store",
                    "may",
                    "allowed",
                    "_everywhere",
                    "must_hold",
                    "ApprovalNeeded",
                ):
                    asked |= {
                        value.value for value in values
                        if isinstance(value, ast.Constant) and isinstance(value.value, str) and "." in value.value
                    }  # fmt: skip
    assert len(asked) > 20
    assert asked - PERMISSIONS.keys() == set()
    assert set().union(*ROLES.values(), *DEVICES.values(), ADMIN_KEEPS) == PERMISSIONS.keys()
    assert all(set(names) == {"en", "ru"} for names in (*PERMISSIONS.values(), *ROLE_NAMES.values()))


async def test_staff_read_roles_and_permissions_in_words(shop: Shop) -> None:
    associate = await shop.staff("associate")
    listed = {role["code"]: role for role in (await associate.get("/v1/roles")).json()}
    assert listed["associate"]["permissions"] == sorted(ROLES["associate"])
    assert listed["store_manager"]["name"]["ru"] == "Управляющий магазином"
    words = {one["code"]: one for one in (await associate.get("/v1/permissions")).json()}
    assert words.keys() == PERMISSIONS.keys()
    assert words["prices.override"]["name"]["ru"] == "Продавать ниже цены прайс-листа"
    assert {"admin", "store_manager"} <= set(words["prices.override"]["roles"])
    assert (await (await shop.shopper()).get("/v1/roles")).status_code == 403


async def test_a_role_of_ones_own_is_made_given_changed_and_removed(shop: Shop) -> None:
    admin, client, code = await shop.staff("admin"), await shop.client(), unique("keeper")
    store = await shop.store()
    body = {"name": {"en": "Storekeeper"}, "permissions": ["stock.read", "stock.receive", "stock.read"]}
    made = await admin.put(f"/v1/roles/{code}", body)
    assert made.status_code == 200, made.text
    assert (made.json()["permissions"], made.json()["built_in"]) == (["stock.read", "stock.receive"], False)
    login = await colleague(shop, code, store.code)
    token = (await client.post("/v1/auth/staff/sign-in", {"login": login, "password": PASSWORD})).json()
    keeper = Client(shop.http, token["access_token"])
    stock, count = f"/v1/stores/{store.code}/stock", f"/v1/stores/{store.code}/count-tasks"
    assert [(await keeper.get(path)).status_code for path in (stock, count)] == [200, 403]

    more = {**body, "permissions": ["stock.count", "stock.read", "stock.receive"]}
    assert (await admin.put(f"/v1/roles/{code}", more)).status_code == 200
    assert (await keeper.get(stock)).status_code == 200, "what is added ends nothing"
    token = (await client.post("/v1/auth/refresh", {"refresh_token": token["refresh_token"]})).json()
    keeper = Client(shop.http, token["access_token"])
    assert (await keeper.get(count)).status_code == 200

    assert (await admin.put(f"/v1/roles/{code}", body)).status_code == 200
    await refused(keeper)
    assert (await client.post("/v1/auth/refresh", {"refresh_token": token["refresh_token"]})).status_code == 401
    record = await row_of(shop, audit_records, action="role.created", target_id=code)
    assert (record.before, record.after) == (None, {"permissions": ["stock.read", "stock.receive"]})

    used = await admin.delete(f"/v1/roles/{code}")
    assert (used.status_code, used.json()["type"]) == (409, "/problems/role-in-use")
    assert (
        await admin.put(f"/v1/staff/{login}/roles", {"roles": [{"role": "associate", "locations": [store.code]}]})
    ).status_code == 200
    invited = {"login": unique("new"), "name": "N", "roles": [{"role": code, "locations": [store.code]}]}
    invitation = (await admin.post("/v1/staff/invitations", invited)).json()
    assert (await admin.delete(f"/v1/roles/{code}")).status_code == 409
    assert (await admin.post(f"/v1/staff/invitations/{invitation['id']}/revoke")).status_code == 200
    assert (await admin.delete(f"/v1/roles/{code}")).status_code == 204
    assert await row_of(shop, roles, code=code) is None
    answer = await admin.delete(f"/v1/roles/{code}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-role")
    answer = await admin.put(f"/v1/staff/{login}/roles", {"roles": [{"role": code, "locations": ["*"]}]})
    assert (answer.status_code, answer.json()["type"], answer.json()["roles"]) == (
        422,
        "/problems/unknown-roles",
        [code],
    )


async def test_nobody_puts_into_a_role_what_he_does_not_hold(shop: Shop) -> None:
    admin, code = await shop.staff("admin"), unique("role")
    narrow = {"name": {"en": "Keeper of roles"}, "permissions": ["roles.write", "stock.read"]}
    assert (await admin.put(f"/v1/roles/{code}", narrow)).status_code == 200
    keeper = await _holding(shop, "roles.write", "stock.read")
    for permissions in (["catalog.write"], []):
        answer = await keeper.put("/v1/roles/associate", {"name": {"en": "A"}, "permissions": permissions})
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/permission-not-held")
    assert (await row_of(shop, roles, code="associate")).permissions == sorted(ROLES["associate"])
    wider = {"name": {"en": "X"}, "permissions": ["stock.read"]}
    assert (await keeper.put(f"/v1/roles/{unique('role')}", wider)).status_code == 200
    answer = await admin.put(f"/v1/roles/{code}", {"name": {"en": "X"}, "permissions": ["no.such"]})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-permission")
    kept = sorted(ROLES["admin"] - {"roles.write"})
    answer = await admin.put("/v1/roles/admin", {"name": ROLE_NAMES["admin"], "permissions": kept})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/role-keeps-permission")
    answer = await admin.delete("/v1/roles/associate")
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/role-built-in")
    local = await shop.staff("admin", (await shop.store()).code)
    for method in ("PUT", "DELETE"):
        assert (
            await local.request(method, f"/v1/roles/{code}", json=wider if method == "PUT" else None)
        ).status_code == 403
    assert (await row_of(shop, roles, code="admin")).permissions == sorted(ROLES["admin"])


async def _holding(shop: Shop, *permissions: str) -> Client:
    from msgspec import structs

    member = await shop.staff("associate")
    return shop._issue(structs.replace(member.actor, permissions=dict.fromkeys(permissions, ("*",))))
