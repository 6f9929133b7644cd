"""The record of what staff and machines did: read by who, for whom, where, to what and when; appended, never changed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from commerce.infra import outbox
from commerce.infra.db import Database, Tx
from commerce.infra.tables import audit_records
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from tests.support import Client, Shop, clock, unique


def note(tx: Tx, actor: Actor, action: str, target: str, **state: Any) -> None:
    outbox.audit(tx, actor, action, "thing", target, **state)


async def write(db: Database, actor: Actor, action: str, target: str, **state: Any) -> None:
    async def work(tx: Tx) -> None:
        note(tx, actor, action, target, **state)

    await db.write(work)


async def ids(reader: Client, path: str) -> list[str]:
    answer = await reader.get(path)
    assert answer.status_code == 200, answer.text
    return [item["target_id"] for item in answer.json()["items"]]


async def test_filters_say_who_for_whom_where_through_what_and_when(db: Database, shop: Shop) -> None:
    reader, store = await shop.staff("admin"), await shop.store()
    device, customer, who = uuid7(), uuid7(), uuid7()
    staff = Actor(kind="staff", subject=who, channel="till", device=device, location=store.code)
    acting = Actor(
        kind="staff", subject=uuid7(), channel="call_center", on_behalf_of=customer, reason="Called", approved_by=who
    )
    kind = f"test.{unique('a').replace('-', '_').translate(str.maketrans('0123456789', 'abcdefghij'))}"
    began = clock()
    await write(db, staff, kind, "one", before={"n": 1}, after={"n": 2})
    await write(db, acting, kind, "two")
    first = (await reader.get(f"/v1/audit-records?subject={who}")).json()["items"]
    assert len(first) == 1
    assert {name: first[0][name] for name in ("action", "target", "target_id", "subject_kind", "before", "after")} == {
        "action": kind, "target": "thing", "target_id": "one", "subject_kind": "staff", "before": {"n": 1}, "after": {"n": 2},
    }  # fmt: skip
    assert (first[0]["device"], first[0]["location"], first[0]["channel"]) == (str(device), store.code, "till")
    second = (await reader.get(f"/v1/audit-records?on_behalf_of={customer}")).json()["items"]
    assert [(one["target_id"], one["reason"], one["approved_by"]) for one in second] == [("two", "Called", str(who))]
    base = f"/v1/audit-records?action={kind}"
    assert await ids(reader, base) == ["two", "one"]
    assert await ids(reader, f"/v1/audit-records?device={device}") == ["one"]
    assert await ids(reader, f"/v1/audit-records?location={store.code}") == ["one"]
    assert await ids(reader, f"{base}&target=thing&target_id=two") == ["two"]
    assert await ids(reader, f"{base}&target=other") == []
    later = (began + timedelta(hours=1)).isoformat().replace("+", "%2B")
    earlier = (began - timedelta(hours=1)).isoformat().replace("+", "%2B")
    assert await ids(reader, f"{base}&from={earlier}&until={later}") == ["two", "one"]
    assert await ids(reader, f"{base}&from={later}") == []
    assert await ids(reader, f"{base}&until={earlier}") == []


async def test_pages_go_back_in_time_without_gaps(db: Database, shop: Shop) -> None:
    reader, who = await shop.staff("admin"), Actor(kind="staff", subject=uuid7(), channel="till")
    clock.stand_at(clock())

    async def work(tx: Tx) -> None:
        for n in range(5):
            note(tx, who, "test.counted", str(n))

    await db.write(work)
    seen: list[str] = []
    path = f"/v1/audit-records?subject={who.subject}&limit=2"
    cursor: str | None = ""
    while cursor is not None:
        page = (await reader.get(path + (f"&cursor={cursor}" if cursor else ""))).json()
        seen += [item["target_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == ["4", "3", "2", "1", "0"]
    answer = await reader.get(path + "&cursor=nonsense")
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/bad-cursor")


async def test_a_manager_reads_what_was_done_in_his_store_alone(db: Database, shop: Shop) -> None:
    here, elsewhere = await shop.store(), await shop.store()
    manager, item = await shop.staff("store_manager", here.code), await shop.item()
    body = {"lines": [{"sku": item.sku, "quantity": 3}]}
    for store in (here, elsewhere):
        clerk = await shop.staff("associate", store.code, channel="back_office")
        answer = await clerk.post(f"/v1/stores/{store.code}/receipts", body)
        assert answer.status_code == 201, answer.text
    found = (await manager.get(f"/v1/stores/{here.code}/audit-records")).json()["items"]
    assert [one["location"] for one in found] == [here.code]
    for path in (f"/v1/stores/{elsewhere.code}/audit-records", "/v1/audit-records"):
        assert (await manager.get(path)).status_code == 403
    associate = await shop.staff("associate", here.code)
    assert (await associate.get(f"/v1/stores/{here.code}/audit-records")).status_code == 403
    assert await ids(manager, f"/v1/stores/{here.code}/audit-records?action=test.nothing") == []


async def test_the_record_is_never_changed(db: Database, shop: Shop) -> None:
    who = Actor(kind="staff", subject=uuid7(), channel="till")
    await write(db, who, "test.done", "x")

    async def change(tx: Tx) -> None:
        await tx.execute("UPDATE infra.audit_records SET action = 'test.undone' WHERE subject = :who", who=who.subject)

    async def remove(tx: Tx) -> None:
        await tx.execute("DELETE FROM infra.audit_records WHERE subject = :who", who=who.subject)

    async def empty(tx: Tx) -> None:
        await tx.execute("TRUNCATE infra.audit_records")

    async def as_retention_once_did(tx: Tx) -> None:
        await tx.execute("SELECT set_config('commerce.purge', 'on', true)")
        await remove(tx)

    for work in (change, remove, empty, as_retention_once_did):
        with pytest.raises(asyncpg.RestrictViolationError, match="never changed"):
            await db.write(work)
    assert [row.action for row in await kept(db, who.subject)] == ["test.done"]


async def kept(db: Database, subject: UUID) -> list[Any]:
    async def work(tx: Tx) -> list[Any]:
        return list(
            await tx.rows(audit_records.select().filter_by(subject=subject).order_by(audit_records.c.target_id))
        )

    return await db.read(work)


async def test_a_changed_value_is_told_before_and_after(shop: Shop) -> None:
    admin, item = await shop.staff("admin"), await shop.item(price=10_000)
    body = {"prices": [{"sku": item.sku, "amount": 9_000}], "currency": "RUB"}
    assert (await admin.post("/v1/prices", body)).status_code == 200
    found = (await admin.get(f"/v1/audit-records?subject={admin.actor.subject}&action=prices.set")).json()["items"]
    assert found[0]["before"] == [{"variant": str(item.id), "amount": 10_000}]
    assert [(price["variant"], price["amount"]) for price in found[0]["after"]] == [(str(item.id), 9_000)]


async def test_what_staff_do_for_a_customer_is_recorded_with_each_fact(shop: Shop) -> None:
    """Each fact that comes of it: here a cart that has changed. A customer's own acts are not in the record."""
    item, store, customer = await shop.item(), await shop.store(), await shop.shopper(known=True)
    await shop.stock(store, item, 5)
    operator = shop._issue(
        Actor(
            kind="staff", subject=uuid7(), channel="call_center", on_behalf_of=customer.actor.subject, reason="He called",
            permissions={"customers.act": ("*",)},
        )
    )  # fmt: skip
    path = f"/v1/carts/current/lines/{item.sku}"
    for caller in (operator, customer):
        answer = await caller.put(path, {"quantity": 2 if caller is operator else 1}, headers={"If-Match": "*"})
        assert answer.status_code == 200, answer.text
    reader = await shop.staff("admin")
    path = f"/v1/audit-records?on_behalf_of={customer.actor.subject}"
    found = (await reader.get(path)).json()["items"]
    assert [(one["subject"], one["action"], one["target"], one["reason"]) for one in found] == [
        (str(operator.actor.subject), "cart.changed", "cart", "He called")
    ]
    assert (await reader.get(f"/v1/audit-records?subject={customer.actor.subject}")).json()["items"] == []
