"""Adjustments: why, by whom, and what waits for a manager."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import msgspec
import pytest

from commerce import stock
from commerce.infra.db import Database, Tx
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Problem
from commerce.kernel.ids import uuid7
from commerce.stock import adjusting, reasons
from commerce.stock.schemas import AdjustmentReason, ApproveAdjustment, BookAdjustment, RejectAdjustment
from commerce.stock.tables import adjustments as table
from tests.stock.shelves import aside, demand, fresh, fulfillment, movements_of, posted, shelf
from tests.support import Client, Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")
LIMIT = 1_000_000
NOBODY = UUID("00000000-0000-7000-8000-000000000000")


def cause(answer: dict[str, Any]) -> stock.Cause:
    """The cause of an adjustment's posting, if it has one."""
    return stock.Cause("adjustment", UUID(answer.get("adjustment") or answer["id"]))


async def told(db: Database, answer: dict[str, Any]) -> list[tuple[int, str, dict[str, Any]]]:
    """version, type and payload of an adjustment's events."""

    async def read(tx: Tx) -> list[tuple[int, str, dict[str, Any]]]:
        rows = await tx.rows(
            "SELECT version, type, payload FROM infra.outbox WHERE aggregate = 'adjustment' AND aggregate_id = :id ORDER BY version",
            id=cause(answer).id,
        )
        return [(row.version, row.type, row.payload) for row in rows]

    return await db.read(read)


async def records(db: Database, answer: dict[str, Any]) -> list[tuple[str, UUID, Any, Any]]:
    """action, subject, state before and after of an adjustment's audit records."""

    async def read(tx: Tx) -> list[tuple[str, UUID, Any, Any]]:
        rows = await tx.rows(
            "SELECT action, subject, before, after FROM infra.audit_records WHERE target = 'adjustment' AND target_id = :id"
            " ORDER BY occurred_at, id",
            id=str(cause(answer).id),
        )
        return [(row.action, row.subject, row.before, row.after["state"]) for row in rows]

    return await db.read(read)


async def posting(db: Database, answer: dict[str, Any]) -> tuple[datetime, str, str, str]:
    """occurred_at, business date, reason and who, of an adjustment's posting."""

    async def read(tx: Tx) -> tuple[datetime, str, str, str]:
        row = await tx.one(
            "SELECT occurred_at, business_date, reason, actor FROM stock.postings WHERE cause_kind = 'adjustment' AND cause_id = :id",
            id=cause(answer).id,
        )
        return row.occurred_at, str(row.business_date), row.reason, row.actor["subject"]

    return await db.read(read)


async def rows_of(db: Database, store: Store) -> int:
    """How many adjustments a store has."""

    async def read(tx: Tx) -> int:
        return int(await tx.scalar("SELECT count(*) FROM stock.adjustments WHERE location_id = :id", id=store.id))

    return await db.read(read)


async def counter(shop: Shop, quantity: int, unit_cost: int | None) -> tuple[Store, Item, Client, Client]:
    """A store with goods on the shelf, an associate and a manager."""
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, quantity, unit_cost=unit_cost)
    return store, item, await shop.staff("associate", store.code), await shop.staff("store_manager", store.code)


def kind(answer: Any) -> tuple[int, str]:
    """Status and problem of a refusal."""
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def test_the_reasons_are_one_list() -> None:
    assert set(reasons.RULES) == set(get_args(AdjustmentReason))
    assert {reason for reason, rule in reasons.RULES.items() if rule.loses_to is None and not rule.gains} == set()
    assert {reasons.LOSES[reason] for reason in reasons.WRITES_OFF} == {"loss"}
    known = next(str(check.sqltext) for check in table.constraints if str(check.name).endswith("reason_known"))  # type: ignore[attr-defined]
    assert set(known.split("'")[1::2]) == set(reasons.RULES)


@pytest.mark.parametrize(
    ("reason", "delta", "bucket", "after"),
    [
        ("damage", -2, "available", (3, 2, 4)),
        ("damage", -1, "quality_control", (5, 1, 3)),
        ("theft", -1, "available", (4, 2, 2)),
        ("lost", -5, "available", (0, 2, 2)),
        ("expired", -2, "damaged", (5, 2, 0)),
        ("sample", -1, "available", (4, 2, 2)),
        ("internal_use", -2, "quality_control", (5, 0, 2)),
        ("write_off", -2, "damaged", (5, 2, 0)),
        ("found", 3, "available", (8, 2, 2)),
        ("found", 1, "damaged", (5, 2, 3)),
        ("count", -1, "available", (4, 2, 2)),
        ("count", 1, "quality_control", (5, 3, 2)),
        ("correction", 4, "available", (9, 2, 2)),
        ("correction", -1, "damaged", (5, 2, 1)),
    ],
)
async def test_each_reason_moves_what_it_says(
    shop: Shop, reason: str, delta: int, bucket: str, after: tuple[int, int, int]
) -> None:
    store, item = await shop.store(), await shop.item()
    manager = await shop.staff("store_manager", store.code)
    lines = [
        {"sku": item.sku, "quantity": quantity, "bucket": into, "unit_cost": 700}
        for into, quantity in (("available", 5), ("quality_control", 2), ("damaged", 2))
    ]
    assert (await manager.post(f"/v1/stores/{store.code}/receipts", {"lines": lines})).status_code == 201
    body = {"sku": item.sku, "delta": delta, "reason": reason, "bucket": bucket}
    answer = await manager.post(f"/v1/stores/{store.code}/adjustments", body)
    assert answer.status_code == 201, answer.text
    [level] = answer.json()["levels"]
    assert (level["available"], level["quality_control"], level["damaged"]) == after
    assert (answer.json()["state"], answer.json()["value"]) == (
        "booked",
        {"amount": 700 * abs(delta), "currency": "RUB"},
    )


@pytest.mark.parametrize(
    ("reason", "delta", "bucket"),
    [
        *((reason, 1, "available") for reason in reasons.RULES if reason not in reasons.GAINS),
        *((reason, 0, "available") for reason in reasons.RULES),
        ("found", -1, "available"),
        ("damage", -1, "damaged"),
    ],
)
async def test_a_reason_that_does_not_fit(shop: Shop, db: Database, reason: str, delta: int, bucket: str) -> None:
    store, item, associate, _ = await counter(shop, 3, 700)
    body = {"sku": item.sku, "delta": delta, "reason": reason, "bucket": bucket}
    refusal = await associate.post(f"/v1/stores/{store.code}/adjustments", body)
    assert kind(refusal) == (422, "adjustment-direction")
    assert (await shelf(db, store, item), await rows_of(db, store)) == ((3, 0, 0), 0)


async def test_an_associate_books_up_to_the_limit_at_once(db: Database, shop: Shop) -> None:
    store, item, associate, _ = await counter(shop, 20, 100_000)
    path = f"/v1/stores/{store.code}/adjustments"
    answer = await associate.post(path, {"sku": item.sku, "delta": -10, "reason": "theft", "note": "Saturday"})
    assert answer.status_code == 201, answer.text
    assert answer.headers["ETag"] == '"1"'
    booked = answer.json()
    assert (booked["cause_kind"], booked["cause_id"]) == ("adjustment", booked["adjustment"])
    assert (booked["state"], booked["value"], booked["valued_by"]) == (
        "booked", {"amount": LIMIT, "currency": "RUB"}, "cost",
    )  # fmt: skip
    assert [(level["sku"], level["available"]) for level in booked["levels"]] == [(item.sku, 10)]
    assert await movements_of(db, cause(booked)) == [(10, "available", "loss")]
    fact = {
        "location_id": str(store.id), "variant_id": str(item.id), "delta": -10, "bucket": "available", "reason": "theft",
        "worth": LIMIT, "currency": "RUB", "state": "booked",
    }  # fmt: skip
    assert await told(db, booked) == [(1, "stock.adjustment_decided", fact)]
    who = associate.actor.subject
    assert await records(db, booked) == [("adjustment.book", who, None, "booked")]
    seen = (await associate.get(f"{path}/{booked['adjustment']}")).json()
    assert (seen["note"], seen["requested_by"]["subject"], seen["decided_by"]["subject"]) == (
        "Saturday", str(who), str(who),
    )  # fmt: skip
    assert seen["requested_at"] == seen["decided_at"] == booked["occurred_at"]


@pytest.mark.parametrize(("delta", "reason"), [(-11, "theft"), (11, "found"), (-11, "damage")])
async def test_above_the_limit_it_waits_and_a_manager_approves(
    db: Database, shop: Shop, delta: int, reason: str
) -> None:
    store, item, associate, manager = await counter(shop, 20, 100_000)
    path = f"/v1/stores/{store.code}/adjustments"
    clock.stand_at(datetime(2026, 5, 8, 20, 30, tzinfo=UTC))
    body = {"sku": item.sku, "delta": delta, "reason": reason}
    answer = await associate.post(path, body, key="the-big-one")
    assert (await associate.post(path, body, key="the-big-one")).json() == answer.json()
    assert answer.status_code == 201, answer.text
    waiting = answer.json()
    assert (waiting["state"], waiting["value"]["amount"], waiting["version"]) == ("waiting", 1_100_000, 1)
    assert [level["available"] for level in waiting["levels"]] == [20]
    assert (await shelf(db, store, item), await posted(db, cause(waiting))) == ((20, 0, 0), 0)
    [listed] = (await manager.get(f"{path}?state=waiting")).json()["items"]
    assert (listed["id"], listed["decided_by"], listed["decided_at"]) == (waiting["adjustment"], None, None)
    assert kind(await associate.post(f"{path}/{listed['id']}/approve", {})) == (403, "not-allowed")
    assert kind(await associate.post(f"{path}/{listed['id']}/reject", {"note": "no"})) == (403, "not-allowed")

    clock.stand_at(datetime(2026, 5, 9, 8, 0, tzinfo=UTC))
    approved = await manager.post(f"{path}/{listed['id']}/approve", {"note": "Counted it myself"})
    assert approved.status_code == 200, approved.text
    assert approved.headers["ETag"] == '"2"'
    now = approved.json()
    assert (now["state"], now["version"], now["decision_note"]) == ("booked", 2, "Counted it myself")
    assert (now["requested_by"]["subject"], now["decided_by"]["subject"]) == (
        str(associate.actor.subject), str(manager.actor.subject),
    )  # fmt: skip
    assert (now["requested_at"], now["decided_at"]) == ("2026-05-08T20:30:00Z", "2026-05-09T08:00:00Z")
    assert await shelf(db, store, item) == (20 + delta, 0, 0)
    assert await posting(db, now) == (
        datetime(2026, 5, 8, 20, 30, tzinfo=UTC), "2026-05-08", reason, str(manager.actor.subject),
    )  # fmt: skip
    assert [(version, type_, fact.get("state")) for version, type_, fact in await told(db, now)] == [
        (1, "stock.adjustment_requested", None), (2, "stock.adjustment_decided", "booked"),
    ]  # fmt: skip
    assert await records(db, now) == [
        ("adjustment.request", associate.actor.subject, None, "waiting"),
        ("adjustment.approve", manager.actor.subject, {"state": "waiting"}, "booked"),
    ]
    for step, note in (("approve", {}), ("reject", {"note": "late"})):
        refusal = await manager.post(f"{path}/{listed['id']}/{step}", note)
        assert (*kind(refusal), refusal.json()["state"]) == (409, "adjustment-closed", "booked")
    assert await shelf(db, store, item) == (20 + delta, 0, 0)
    assert (await manager.get(f"{path}?state=waiting")).json()["items"] == []


async def test_a_rejected_one_moves_nothing(db: Database, shop: Shop) -> None:
    store, item, associate, manager = await counter(shop, 20, 100_000)
    path = f"/v1/stores/{store.code}/adjustments"
    waiting = (await associate.post(path, {"sku": item.sku, "delta": -20, "reason": "lost"})).json()
    one = f"{path}/{waiting['adjustment']}"
    assert kind(await manager.post(f"{one}/reject", {})) == (400, "bad-input")
    rejected = await manager.post(f"{one}/reject", {"note": "They are in the stock room"})
    assert rejected.status_code == 200, rejected.text
    now = rejected.json()
    assert (now["state"], now["version"], now["decision_note"]) == ("rejected", 2, "They are in the stock room")
    assert kind(await manager.post(f"{one}/approve", {})) == (409, "adjustment-closed")
    assert (await shelf(db, store, item), await posted(db, cause(now))) == ((20, 0, 0), 0)
    assert [(version, fact.get("state")) for version, _, fact in await told(db, now)] == [(1, None), (2, "rejected")]
    assert [action for action, _, _, _ in await records(db, now)] == ["adjustment.request", "adjustment.reject"]


async def test_who_may_approve_needs_no_approval(db: Database, shop: Shop) -> None:
    store, item, _, manager = await counter(shop, 20, 100_000)
    office = await shop.staff("back_office")
    other = await shop.store()
    path = f"/v1/stores/{store.code}/adjustments"
    for caller in (manager, office):
        answer = await caller.post(path, {"sku": item.sku, "delta": -9, "reason": "theft", "bucket": "available"})
        assert (answer.status_code, answer.json()["state"]) == (201, "booked")
        answer = await caller.post(path, {"sku": item.sku, "delta": 20, "reason": "found"})
        assert (answer.status_code, answer.json()["state"]) == (201, "booked")
    assert await shelf(db, store, item) == (42, 0, 0)
    both = Actor(
        kind="staff", subject=uuid7(), channel="till",
        permissions={"stock.adjust": (store.code, other.code), "stock.approve": (other.code,)},
    )  # fmt: skip
    command = BookAdjustment(sku=item.sku, delta=-11, reason="theft")
    view = await db.write(
        adjusting.book_adjustment, both, code=store.code, command=command, approval_above=LIMIT, currency="RUB"
    )
    assert view.state == "waiting", "a manager elsewhere is none here"


@pytest.mark.parametrize(
    ("unit_cost", "price", "delta", "state", "value", "valued_by"),
    [
        (None, 100_000, -10, "booked", 1_000_000, "list"),
        (None, 100_001, -10, "waiting", 1_000_010, "list"),
        (0, 999_999_999, -20, "booked", 0, "cost"),
        (1_000_001, 1, -1, "waiting", 1_000_001, "cost"),
        (None, None, -1, "waiting", None, None),
    ],
)
async def test_what_it_is_worth(
    shop: Shop,
    unit_cost: int | None,
    price: int | None,
    delta: int,
    state: str,
    value: int | None,
    valued_by: str | None,
) -> None:
    store, item = await shop.store(), await shop.item(price=price)
    await shop.stock(store, item, 20, unit_cost=unit_cost)
    associate = await shop.staff("associate", store.code)
    path = f"/v1/stores/{store.code}/adjustments"
    answer = (await associate.post(path, {"sku": item.sku, "delta": delta, "reason": "lost"})).json()
    worth = None if value is None else {"amount": value, "currency": "RUB"}
    assert (answer["state"], answer["value"], answer["valued_by"]) == (state, worth, valued_by)
    seen = (await associate.get(f"{path}/{answer['adjustment']}")).json()
    assert (seen["state"], seen["value"], seen["valued_by"]) == (state, worth, valued_by)


async def test_goods_by_measure_are_worth_their_part_of_a_unit(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100_000, quantity_unit="KGM", quantity_scale=3)
    await shop.stock(store, item, 50_000, unit_cost=None)
    associate = await shop.staff("associate", store.code)
    path = f"/v1/stores/{store.code}/adjustments"
    answer = (await associate.post(path, {"sku": item.sku, "delta": -10_000, "reason": "expired"})).json()
    assert (answer["state"], answer["value"]["amount"]) == ("booked", 1_000_000)
    answer = (await associate.post(path, {"sku": item.sku, "delta": -10_001, "reason": "expired"})).json()
    assert (answer["state"], answer["value"]["amount"]) == ("waiting", 1_000_100)


async def test_a_value_beyond_all_money_is_the_most_that_money_can_be(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 1_000, unit_cost=10**15)
    manager = await shop.staff("store_manager", store.code)
    path = f"/v1/stores/{store.code}/adjustments"
    for _ in range(2):
        answer = await manager.post(path, {"sku": item.sku, "delta": -1_000, "reason": "theft"}, key=f"dear-{item.sku}")
        assert (answer.status_code, answer.json()["value"]) == (201, {"amount": 10**15, "currency": "RUB"})


async def test_what_waits_breaks_promises_only_when_it_is_approved(db: Database, shop: Shop) -> None:
    store, item, associate, manager = await counter(shop, 12, 100_000)
    owner = fulfillment()
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, item, 4)], cause=fresh())
    path = f"/v1/stores/{store.code}/adjustments"
    waiting = (await associate.post(path, {"sku": item.sku, "delta": -11, "reason": "theft"})).json()
    assert waiting["state"] == "waiting"
    assert (await shelf(db, store, item), await aside(db, owner)) == ((8, 0, 4), [("committed", 4, 4, 0)])
    assert (await manager.post(f"{path}/{waiting['adjustment']}/approve", {})).status_code == 200
    assert (await shelf(db, store, item), await aside(db, owner)) == ((0, 0, 1), [("committed", 4, 1, 3)])
    assert await movements_of(db, cause(waiting)) == [(3, "committed", "available"), (11, "available", "loss")]


async def test_less_than_asked_is_refused_at_once_or_goes_on_waiting(db: Database, shop: Shop) -> None:
    store, item, associate, manager = await counter(shop, 12, 100_000)
    path = f"/v1/stores/{store.code}/adjustments"
    for bucket, left in (("available", 12), ("damaged", 0), ("quality_control", 0)):
        body = {"sku": item.sku, "delta": -13, "reason": "lost", "bucket": bucket}
        refusal = await associate.post(path, body)
        assert (*kind(refusal), refusal.json()["left"], refusal.json()["bucket"]) == (
            409, "stock-below-zero", left, bucket,
        )  # fmt: skip
    assert await rows_of(db, store) == 0
    waiting = (await associate.post(path, {"sku": item.sku, "delta": -12, "reason": "lost"})).json()
    assert (await manager.post(path, {"sku": item.sku, "delta": -1, "reason": "theft"})).status_code == 201
    one = f"{path}/{waiting['adjustment']}"
    refusal = await manager.post(f"{one}/approve", {})
    assert (*kind(refusal), refusal.json()["left"]) == (409, "stock-below-zero", 11)
    seen = (await manager.get(one)).json()
    assert (seen["state"], seen["version"], seen["decided_by"]) == ("waiting", 1, None)
    assert (await shelf(db, store, item), await posted(db, cause(waiting))) == ((11, 0, 0), 0)
    assert (await manager.post(path, {"sku": item.sku, "delta": 1, "reason": "found"})).status_code == 201
    assert (await manager.post(f"{one}/approve", {})).json()["state"] == "booked"
    assert await shelf(db, store, item) == (0, 0, 0)


async def test_a_level_that_would_not_fit_goes_on_waiting(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 2**31 - 2, unit_cost=1_000_000)
    associate, manager = await shop.staff("associate", store.code), await shop.staff("store_manager", store.code)
    path = f"/v1/stores/{store.code}/adjustments"
    waiting = (await associate.post(path, {"sku": item.sku, "delta": 2, "reason": "found"})).json()
    assert waiting["state"] == "waiting"
    assert kind(await manager.post(f"{path}/{waiting['adjustment']}/approve", {})) == (422, "stock-level-too-high")
    assert (await manager.get(f"{path}/{waiting['adjustment']}")).json()["state"] == "waiting"
    assert await shelf(db, store, item) == (2**31 - 2, 0, 0)


async def test_what_was_never_there_can_be_found(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=900_000)
    associate, manager = await shop.staff("associate", store.code), await shop.staff("store_manager", store.code)
    path = f"/v1/stores/{store.code}/adjustments"
    waiting = (await associate.post(path, {"sku": item.sku, "delta": 2, "reason": "found"})).json()
    assert (waiting["state"], [level["on_hand"] for level in waiting["levels"]]) == ("waiting", [0])
    assert (await manager.post(f"{path}/{waiting['adjustment']}/approve", {})).status_code == 200
    assert await shelf(db, store, item) == (2, 0, 0)


async def test_the_list_is_paged_newest_first_and_of_one_store(shop: Shop) -> None:
    store, item, associate, manager = await counter(shop, 40, 100_000)
    path = f"/v1/stores/{store.code}/adjustments"
    made = [
        (await associate.post(path, {"sku": item.sku, "delta": delta, "reason": "lost"})).json()["adjustment"]
        for delta in (-11, -1, -12, -2)
    ]
    first = (await manager.get(f"{path}?limit=3")).json()
    rest = (await manager.get(f"{path}?limit=3&cursor={first['next_cursor']}")).json()
    assert [each["id"] for each in first["items"] + rest["items"]] == made[::-1]
    assert rest["next_cursor"] is None
    by_state = {
        state: [each["delta"] for each in (await manager.get(f"{path}?state={state}")).json()["items"]]
        for state in ("waiting", "booked", "rejected")
    }
    assert by_state == {"waiting": [-12, -11], "booked": [-2, -1], "rejected": []}
    assert kind(await manager.get(f"{path}?state=lost")) == (400, "bad-input")
    assert kind(await manager.get(f"{path}?cursor=abc")) == (400, "bad-cursor")


async def test_what_is_not_there_or_another_stores(db: Database, shop: Shop) -> None:
    store, item, associate, _ = await counter(shop, 20, 100_000)
    other = await shop.store()
    elsewhere, office = await shop.staff("store_manager", other.code), await shop.staff("back_office")
    till = await shop.device("till", store.code)
    body = {"sku": item.sku, "delta": -11, "reason": "lost"}
    path, away = f"/v1/stores/{store.code}/adjustments", f"/v1/stores/{other.code}/adjustments"
    waiting = (await associate.post(path, body)).json()["adjustment"]
    for caller in (elsewhere, till):
        assert kind(await caller.post(path, body)) == (403, "not-allowed")
        assert kind(await caller.get(path)) == (403, "not-allowed")
        assert kind(await caller.post(f"{path}/{waiting}/approve", {})) == (403, "not-allowed")
    assert kind(await elsewhere.get(f"{away}/{waiting}")) == (403, "adjustment-elsewhere")
    assert kind(await elsewhere.post(f"{away}/{waiting}/approve", {})) == (403, "adjustment-elsewhere")
    assert kind(await elsewhere.post(f"{away}/{waiting}/reject", {"note": "no"})) == (403, "adjustment-elsewhere")
    assert kind(await office.get(f"{path}/{NOBODY}")) == (404, "unknown-adjustment")
    assert kind(await office.post(f"{path}/{NOBODY}/approve", {})) == (404, "unknown-adjustment")
    assert kind(await office.post(f"{path}/{NOBODY}/reject", {"note": "no"})) == (404, "unknown-adjustment")
    assert kind(await office.post("/v1/stores/nowhere/adjustments", body)) == (404, "unknown-location")
    assert kind(await office.get("/v1/stores/nowhere/adjustments")) == (404, "unknown-location")
    assert kind(await office.post(f"/v1/stores/nowhere/adjustments/{waiting}/approve", {})) == (404, "unknown-location")
    assert kind(await office.post(path, body | {"sku": "NO-SUCH"})) == (404, "unknown-sku")
    for wrong in ({"delta": 2**31}, {"delta": -(2**31)}, {"delta": "1"}, {"reason": "magic"}, {"bucket": "committed"}):
        assert kind(await office.post(path, body | wrong)) == (400, "bad-input")
    assert (await shelf(db, store, item), await rows_of(db, store)) == ((20, 0, 0), 1)


async def outcome(work: Any) -> str:
    """The state of the adjustment, or the code of the refusal."""
    try:
        done = await work
    except Problem as problem:
        return problem.code
    return str(getattr(done, "state", "ok"))


def associate_of(store: Store, *permissions: str) -> Actor:
    """A member of staff of the store, with the permissions."""
    return Actor(kind="staff", subject=uuid7(), channel="till", permissions=dict.fromkeys(permissions, (store.code,)))


async def test_two_associates_want_the_last_unit_at_once(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 1, unit_cost=500)
    for _ in range(5):
        ended = Counter(
            await asyncio.gather(
                *(
                    outcome(
                        db.write(
                            adjusting.book_adjustment, associate_of(store, "stock.adjust"), code=store.code,
                            command=BookAdjustment(sku=item.sku, delta=-1, reason=reason),
                            approval_above=LIMIT, currency="RUB",
                        )
                    )
                    for reason in ("theft", "damage")
                )
            )
        )  # fmt: skip
        assert ended == {"booked": 1, "stock-below-zero": 1}
        assert await shelf(db, store, item) == (0, 0, 0)
        await shop.stock(store, item, 1, unit_cost=500)
    assert await rows_of(db, store) == 5


async def wait(db: Database, store: Store, item: Item, delta: int) -> UUID:
    """An adjustment that waits."""
    view = await db.write(
        adjusting.book_adjustment, associate_of(store, "stock.adjust"), code=store.code,
        command=BookAdjustment(sku=item.sku, delta=delta, reason="lost"), approval_above=0, currency="RUB",
    )  # fmt: skip
    assert view.state == "waiting"
    return view.adjustment


async def test_two_managers_decide_at_once(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 30, unit_cost=500)
    for n in range(1, 6):
        waiting = await wait(db, store, item, -2)
        managers = [associate_of(store, "stock.adjust", "stock.approve") for _ in range(3)]
        works = [
            db.write(adjusting.approve, manager, code=store.code, adjustment=waiting, command=ApproveAdjustment())
            for manager in managers
        ]
        ended = Counter(await asyncio.gather(*map(outcome, works)))
        assert ended == {"booked": 1, "adjustment-closed": 2}
        assert await posted(db, stock.Cause("adjustment", waiting)) == 1
        assert await shelf(db, store, item) == (30 - 2 * n, 0, 0)


async def test_one_approves_while_another_rejects(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 10, unit_cost=500)
    booked = 0
    for _ in range(6):
        waiting = await wait(db, store, item, -1)
        manager = associate_of(store, "stock.adjust", "stock.approve")
        named: dict[str, Any] = {"code": store.code, "adjustment": waiting}
        ended = Counter(
            await asyncio.gather(
                outcome(db.write(adjusting.approve, manager, **named, command=ApproveAdjustment())),
                outcome(db.write(adjusting.reject, manager, **named, command=RejectAdjustment(note="no"))),
            )
        )
        assert ended["adjustment-closed"] == 1
        booked += ended["booked"]
        assert await posted(db, stock.Cause("adjustment", waiting)) == ended["booked"]
        assert await shelf(db, store, item) == (10 - booked, 0, 0)


async def test_an_approval_races_a_sale_for_the_last_units(db: Database, shop: Shop) -> None:
    """The sale is never refused: either it comes first and the approval finds too little, or it comes second and the shelf has to
    be counted."""
    store, item = await shop.store(), await shop.item()
    seen = Counter[str]()
    for _ in range(8):
        await shop.stock(store, item, 3, unit_cost=500)
        waiting = await wait(db, store, item, -2)
        manager = associate_of(store, "stock.adjust", "stock.approve")
        sale = fresh("till_sale")
        line = stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=2)
        sold, approved = await asyncio.gather(
            outcome(db.write(stock.sell, shop.system, cause=sale, location_id=store.id, lines=[line])),
            outcome(
                db.write(adjusting.approve, manager, code=store.code, adjustment=waiting, command=ApproveAdjustment())
            ),
        )
        assert sold == "ok"
        assert approved in ("booked", "stock-below-zero")
        seen[approved] += 1
        if approved == "booked":
            assert await movements_of(db, sale) == [(1, "loss", "available"), (2, "available", "customer")]
            assert await shelf(db, store, item) == (0, 0, 0)
        else:
            assert await movements_of(db, sale) == [(2, "available", "customer")]
            assert await shelf(db, store, item) == (1, 0, 0)
            named: dict[str, Any] = {"code": store.code, "adjustment": waiting}
            await db.write(adjusting.reject, manager, **named, command=RejectAdjustment(note="sold"))
            last = BookAdjustment(sku=item.sku, delta=-1, reason="lost")
            await db.write(
                adjusting.book_adjustment, manager, code=store.code, command=last, approval_above=0, currency="RUB"
            )
    assert sum(seen.values()) == 8


async def test_an_approval_that_is_undone_leaves_it_waiting(db: Database, shop: Shop) -> None:
    """The decision and its posting are one transaction."""
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 3, unit_cost=500)
    waiting = await wait(db, store, item, -2)
    manager = associate_of(store, "stock.adjust", "stock.approve")

    class Torn(Exception):
        pass

    async def torn(tx: Tx) -> None:
        await adjusting.approve(tx, manager, code=store.code, adjustment=waiting, command=ApproveAdjustment())
        await tx.flush()
        raise Torn

    with pytest.raises(Torn):
        await db.write(torn)
    assert (await shelf(db, store, item), await posted(db, stock.Cause("adjustment", waiting))) == ((3, 0, 0), 0)
    view = await db.read(adjusting.adjustment_of, code=store.code, adjustment=waiting)
    assert (view.state, view.version) == ("waiting", 1)
    assert msgspec.to_builtins(view)["decided_at"] is None


async def test_the_limit_is_a_setting(shop: Shop) -> None:
    from commerce.settings import Settings, SettingsError

    named = {"DATABASE_URL": "postgresql://x/y", "REDIS_URL": "redis://x", "SECRET_KEY": "s" * 32}
    assert (
        Settings.from_environment(named).adjustment_approval_minor == shop.settings.adjustment_approval_minor == LIMIT
    )
    assert Settings.from_environment(named | {"ADJUSTMENT_APPROVAL_MINOR": "0"}).adjustment_approval_minor == 0
    with pytest.raises(SettingsError, match="adjustment_approval_minor"):
        Settings.from_environment(named | {"ADJUSTMENT_APPROVAL_MINOR": "-1"})


async def test_old_requests_do_not_move_the_present(db: Database, shop: Shop) -> None:
    """Days between asking and approving: the posting is of the day of the asking, in the store's own calendar."""
    store, item, associate, manager = await counter(shop, 20, 100_000)
    path = f"/v1/stores/{store.code}/adjustments"
    asked = datetime(2026, 5, 8, 21, 30, tzinfo=UTC)
    clock.stand_at(asked)
    waiting = (await associate.post(path, {"sku": item.sku, "delta": -12, "reason": "expired"})).json()
    assert waiting["business_date"] == "2026-05-09", "half past midnight in Moscow"
    clock.stand_at(asked + timedelta(days=3))
    assert (await manager.post(f"{path}/{waiting['adjustment']}/approve", {})).status_code == 200
    assert (await posting(db, waiting))[:2] == (asked, "2026-05-09")
