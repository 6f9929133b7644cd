"""The audit of `auth` notices what goes wrong at devices: a fault is put in by SQL, and undone when it has been found."""

from __future__ import annotations

import pytest

from commerce.auth.audit import INVARIANTS
from commerce.infra.db import Tx
from tests.auth.support import PASSWORD, at_till
from tests.support import Shop, unique

SQL = {invariant.name: invariant.sql for invariant in INVARIANTS}
DEVICE = "at a device there is one shopper and one member of staff, and both go by themselves"
PAIRED = "a pairing that was approved has made one device, of its kind"
INVITED = "an invitation that was accepted has made one member of staff, and keeps no name"
ROLES = "somebody can always put roles right"


class Undone(Exception):
    """The fault is taken out again."""


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (DEVICE, "UPDATE auth.sessions SET idle_seconds = NULL WHERE device_id IS NOT NULL AND revoked_at IS NULL"),
        (DEVICE, "UPDATE auth.sessions SET ends_at = NULL WHERE device_id IS NOT NULL AND revoked_at IS NULL"),
        (DEVICE, "UPDATE auth.sessions SET revoked_at = NULL WHERE device_id IS NOT NULL"),
        (PAIRED, "UPDATE auth.pairings SET kind = 'till' WHERE kind = 'kiosk'"),
        (PAIRED, "UPDATE auth.pairings SET decided_at = decided_at + interval '1 second' WHERE state = 'approved'"),
        (INVITED, "UPDATE auth.invitations SET name = 'Anton' WHERE state = 'accepted'"),
        (INVITED, "UPDATE auth.staff SET created_at = created_at - interval '1 day'"),
        (ROLES, "UPDATE auth.roles SET permissions = permissions - 'roles.write' WHERE code = 'admin'"),
    ],
)
async def test_a_fault_is_found(shop: Shop, name: str, fault: str) -> None:
    store, client, admin = await shop.store(), await shop.client("kiosk"), await shop.staff("admin")
    await at_till(shop, store)
    kiosk = await shop.device("kiosk", store.code)
    for _ in range(2):
        assert (await kiosk.post("/v1/auth/anonymous", {})).status_code == 201
    pairing = (await client.post("/v1/auth/pairings", {"kind": "kiosk", "name": "K"})).json()
    body = {"user_code": pairing["user_code"], "code": unique("kiosk")}
    assert (await admin.post(f"/v1/stores/{store.code}/devices/pair", body)).status_code == 201
    invited = {"login": unique("new"), "name": "N", "roles": [{"role": "associate", "locations": [store.code]}]}
    token = (await admin.post("/v1/staff/invitations", invited)).json()["token"]
    accepted = await client.post("/v1/auth/staff/invitations/accept", {"token": token, "password": PASSWORD})
    assert accepted.status_code == 201

    async def break_and_look(tx: Tx) -> None:
        assert await tx.rows(SQL[name]) == []
        assert await tx.execute(fault) > 0
        assert await tx.rows(SQL[name]) != []
        raise Undone

    with pytest.raises(Undone):
        await shop.db.write(break_and_look)
