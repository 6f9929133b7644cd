"""How long things are kept is a rule that can be read and changed; what is older goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest

from commerce import customers
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy
from commerce.people import retention, service, tasks
from tests.orders.story import place, put
from tests.people.story import fresh_phone, problem, records, rows, signed_up, told
from tests.support import Client, Shop, clock


async def rule_of(admin: Client, subject: str) -> dict[str, Any]:
    items = (await admin.get("/v1/retention")).json()["items"]
    return dict(next(item for item in items if item["subject"] == subject))


async def test_rules_are_read_and_changed(shop: Shop, audited: None) -> None:
    admin = await shop.staff("admin", channel="back_office")
    items = (await admin.get("/v1/retention")).json()["items"]
    assert [(item["subject"], item["days"], item["fixed"]) for item in items] == [
        ("anonymous_carts", 30, False),
        ("audit_records", None, True),
        ("consents", None, True),
        ("conversations", 1825, False),
        ("ended_sessions", 30, False),
        ("events", None, True),
        ("guest_profiles", 1095, False),
        ("touches", 730, False),
    ]
    seen = await rule_of(admin, "touches")
    tag = {"If-Match": f'"{seen["version"]}"'}
    changed = await admin.put("/v1/retention/touches", {"days": 365}, headers=tag)
    assert (changed.status_code, changed.json()["days"], changed.json()["version"]) == (200, 365, seen["version"] + 1)
    assert changed.json()["updated_by"] == str(admin.actor.subject)
    assert await rule_of(admin, "touches") == changed.json()
    stale = await admin.put("/v1/retention/touches", {"days": 1}, headers=tag)
    assert (problem(stale), stale.json()["current_version"]) == ((412, "stale-retention"), seen["version"] + 1)
    assert (await admin.put("/v1/retention/touches", {"days": 365})).json() == changed.json()
    assert (await records(shop, "retention.set", "touches"))[-1].after == {"days": 365}
    assert (await admin.put("/v1/retention/touches", {"days": seen["days"]})).status_code == 200
    for subject, body, refusal in (
        ("consents", {"days": 1}, (409, "retention-fixed")),
        ("audit_records", {"days": 1}, (409, "retention-fixed")),
        ("nothing", {"days": 1}, (404, "unknown-retention")),
        ("touches", {"days": 0}, (400, "bad-input")),
        ("touches", {}, (400, "bad-input")),
    ):
        assert problem(await admin.put(f"/v1/retention/{subject}", body)) == refusal
    store = await shop.store()
    for caller in (
        await shop.staff("store_manager", store.code),
        await shop.staff("call_center"),
        await shop.shopper(),
    ):
        assert problem(await caller.get("/v1/retention")) == (403, "not-allowed")


LONG_AGO = datetime(2021, 6, 1, 9, tzinfo=UTC)


async def test_what_is_older_goes_chunk_by_chunk_and_the_rest_stays(shop: Shop, audited: None) -> None:
    await retention.keep_rules(shop.db)  # what other tests have left in the past
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 20)
    clock.stand_at(LONG_AGO)
    old, known = [await shop.shopper() for _ in range(3)], await signed_up(shop)
    for one in (*old, known):
        await put(one, (item, 1))
        await one.post("/v1/touches", {"source": "search"})
    clock.back_to_present()
    fresh = await shop.shopper()
    await put(fresh, (item, 1))
    await fresh.post("/v1/touches", {"source": "search"})
    with patch.object(retention, "CHUNK", 2):
        forgotten = await retention.keep_rules(shop.db)
    assert (forgotten["anonymous_carts"], forgotten["touches"]) == (3, 4)
    carts = {
        row["shopper_id"]: (row["state"], row["lines"])
        for row in await rows(
            shop,
            """
            SELECT c.shopper_id, c.state, (SELECT count(*) FROM carts.lines l WHERE l.cart_id = c.id) AS lines FROM carts.carts c
            WHERE c.shopper_id = ANY(CAST(:people AS uuid[]))
            """,
            people=[one.actor.subject for one in (*old, known, fresh)],
        )
    }
    assert [carts[one.actor.subject] for one in old] == [("expired", 0)] * 3
    assert [carts[one.actor.subject] for one in (known, fresh)] == [("open", 1)] * 2
    left = await rows(shop, "SELECT source FROM customers.touches WHERE shopper_id = :s", s=fresh.actor.subject)
    assert left == [{"source": "search"}]
    again = await retention.keep_rules(shop.db)
    assert (again["anonymous_carts"], again["touches"]) == (0, 0)


async def test_a_guest_who_came_no_more_is_erased_unless_something_is_open(shop: Shop, audited: None) -> None:
    clock.stand_at(LONG_AGO)
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 20)
    gone, waiting, back, account = [await shop.shopper() for _ in range(3)] + [await signed_up(shop)]
    orders = {}
    for one in (gone, waiting, back, account):
        orders[one] = await place(one, store, (item, 1), contact={"name": "Гость", "phone": fresh_phone()})
    for one in (gone, back, account):
        answer = await one.post(f"/v1/orders/{orders[one]['number']}/cancel", {"reason": "changed_mind"})
        assert answer.status_code == 200
    await told(shop)
    clock.back_to_present()
    again = await shop.shopper(person=back.actor.subject)
    assert (await again.post("/v1/touches", {"source": "letter"})).status_code == 201
    assert (await retention.keep_rules(shop.db, only={"guest_profiles"})) == {"guest_profiles": 1}
    erased = await rows(
        shop,
        "SELECT id FROM customers.profiles WHERE id = ANY(CAST(:people AS uuid[])) AND erased_at IS NOT NULL",
        people=[one.actor.subject for one in (gone, waiting, back, account)],
    )
    assert [row["id"] for row in erased] == [gone.actor.subject]
    (record,) = await records(shop, "customer.erased", gone.actor.subject)
    assert (record.subject_kind, record.reason) == ("system", "retention")
    (kept,) = await rows(
        shop, "SELECT contact FROM orders.orders WHERE number = :number", number=orders[gone]["number"]
    )
    assert kept == {"contact": None}


async def test_a_guest_who_is_here_or_waits_for_an_answer_is_not_forgotten(shop: Shop, audited: None) -> None:
    clock.stand_at(LONG_AGO)
    callers = [await shop.client() for _ in range(3)]
    opened = [(await caller.post("/v1/auth/anonymous")).json() for caller in callers]
    gone, here, waiting = [UUID(one["subject"]) for one in opened]
    for guest in (gone, here, waiting):
        await shop.db.write(customers.note_guest, shop.system, person=guest, name="Гость", phone=fresh_phone())
    clock.back_to_present()
    used = "UPDATE auth.sessions SET last_seen_at = :at, expires_at = :until WHERE principal_id = :guest"
    await told(shop)

    async def work(tx: Tx) -> None:
        await tx.execute(used, guest=here, at=tx.at, until=tx.at + timedelta(days=90))

    await shop.db.write(work)
    answer = await (await shop.shopper(person=waiting)).post(
        "/v1/inquiries", {"kind": "call_back", "phone": fresh_phone()}
    )
    assert answer.status_code == 201, answer.text
    await retention.keep_rules(shop.db, only={"guest_profiles"})
    left = await rows(
        shop,
        "SELECT id FROM customers.profiles WHERE id = ANY(CAST(:people AS uuid[])) AND erased_at IS NULL",
        people=[gone, here, waiting],
    )
    assert {row["id"] for row in left} == {here, waiting}


async def test_what_cannot_be_forgotten_keeps_nothing_else(shop: Shop) -> None:
    clock.stand_at(LONG_AGO)
    guests = [await shop.shopper() for _ in range(2)]
    for guest in guests:
        await guest.post("/v1/touches", {"source": "search"})
    for guest in guests:
        await shop.db.write(customers.note_guest, shop.system, person=guest.actor.subject, phone=fresh_phone())
    clock.back_to_present()
    await told(shop)
    erase, first = service.erase, min(guest.actor.subject for guest in guests)

    async def failing(tx: Tx, actor: Actor, *, customer: UUID, **named: Any) -> Any:
        if customer == first:
            raise Busy(retry_after_seconds=1)
        return await erase(tx, actor, customer=customer, **named)

    async def broken(db: Any, before: Any) -> int:
        raise RuntimeError("broken")

    with (
        patch.object(service, "erase", failing),
        patch.dict(retention.SUBJECTS, {"anonymous_carts": broken}),
        pytest.raises(ExceptionGroup) as caught,
    ):
        await retention.keep_rules(shop.db)
    assert [str(one) for one in caught.value.exceptions] == ["broken"]
    people = [guest.actor.subject for guest in guests]
    erased = "SELECT id FROM customers.profiles WHERE id = ANY(CAST(:people AS uuid[])) AND erased_at IS NOT NULL"
    assert [row["id"] for row in await rows(shop, erased, people=people)] == [one for one in people if one != first]
    touches = "SELECT id FROM customers.touches WHERE shopper_id = ANY(CAST(:people AS uuid[]))"
    assert await rows(shop, touches, people=people) == []


async def test_the_audit_record_is_never_forgotten(shop: Shop) -> None:
    clock.stand_at(LONG_AGO)
    admin, known = await shop.staff("admin"), await signed_up(shop)
    where = f"/v1/customers/{known.actor.subject}"
    assert (await admin.patch(where, {"name": "Старая запись"})).status_code == 200
    clock.back_to_present()
    assert "audit_records" not in await retention.keep_rules(shop.db)
    assert len(await records(shop, "customer.changed", known.actor.subject)) == 1


async def test_a_rule_of_for_ever_forgets_nothing_and_the_day_does_the_work(shop: Shop) -> None:
    clock.stand_at(LONG_AGO)
    shopper = await shop.shopper()
    await shopper.post("/v1/touches", {"source": "search"})
    clock.back_to_present()
    admin = await shop.staff("admin")
    before = await rule_of(admin, "touches")
    await admin.put("/v1/retention/touches", {"days": None})
    (daily,) = tasks.PERIODIC
    await daily.run(shop.db)
    mine = "SELECT source FROM customers.touches WHERE shopper_id = :s"
    assert len(await rows(shop, mine, s=shopper.actor.subject)) == 1
    assert (await admin.put("/v1/retention/touches", {"days": before["days"]})).status_code == 200
    await daily.run(shop.db)
    assert await rows(shop, mine, s=shopper.actor.subject) == []
