"""Rules as data, what a plan is made from, plans that are kept, and the dry run."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from litestar import Litestar

from commerce import fulfillment, locations, stock
from commerce.fulfillment import planning
from commerce.fulfillment.candidates import is_busy, supply_of, survey
from commerce.fulfillment.sourcing import DEFAULTS, Inbound, Options, Rules, Supply, Wanted, Weighted
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from commerce.locations import Location
from tests.fulfillment.test_availability import NOON, announce, bundle_of, link, orders_at, promise
from tests.fulfillment.test_promises import store as pure_store
from tests.support import Client, Item, Shop, Store, clock, unique
from tests.support_statements import count_statements

BODY: dict[str, Any] = {
    "tiers": [[{"rule": "cost", "weight": 2}, {"rule": "nearest", "weight": 1}], [{"rule": "fewest_parcels", "weight": 1}]],
    "options": {
        "after_rejection": "ask", "attempts": 5, "may_use_safety": False, "from_inbound": False, "split_lines": False,
    },
}  # fmt: skip


@pytest.fixture
async def office(shop: Shop) -> Client:
    return await shop.staff("back_office", channel="back_office")


@pytest.fixture
async def own_rules(shop: Shop) -> AsyncIterator[None]:
    """Whatever a test sets is forgotten after it."""
    yield

    async def forget(tx: Tx) -> None:
        await tx.execute("DELETE FROM fulfillment.sourcing_rules")

    await shop.db.write(forget)


@pytest.fixture
def noon() -> None:
    """12:00 in Moscow on a Tuesday; the clock goes on after the test."""
    clock.stand_at(NOON)


async def read(shop: Shop, code: str) -> Location:
    found = await shop.db.read(locations.by_codes, [code])
    return found[code]


async def test_nobody_has_set_them(shop: Shop, office: Client, own_rules: None) -> None:
    for scope in ("pickup", "delivery"):
        assert await shop.db.read(fulfillment.rules_of, scope) == DEFAULTS[scope]
    listed = (await office.get("/v1/sourcing/rules")).json()["items"]
    assert [(entry["scope"], entry["version"]) for entry in listed] == [("pickup", 0), ("delivery", 0)]
    assert listed[0]["tiers"][0] == [{"rule": "fewest_parcels", "weight": 1}]
    assert listed[0]["options"] == msgspec.to_builtins(Options())


async def test_they_are_set_and_versioned_for_each_scope(shop: Shop, office: Client, own_rules: None) -> None:
    first = await office.put("/v1/sourcing/rules/delivery", BODY, headers={"If-Match": '"0"'})
    assert first.status_code == 200, first.text
    assert first.json() == BODY | {"scope": "delivery", "version": 1}
    assert first.headers["etag"] == '"1"'
    assert (await office.put("/v1/sourcing/rules/delivery", BODY)).json()["version"] == 1, "the same changes nothing"
    second = await office.put("/v1/sourcing/rules/delivery", {"tiers": []}, headers={"If-Match": '"1"'})
    assert (second.json()["version"], second.json()["options"]["attempts"]) == (2, 3)
    stale = await office.put("/v1/sourcing/rules/delivery", BODY, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/sourcing-rules-changed")
    rules = await shop.db.read(fulfillment.rules_of, "delivery")
    assert (rules.tiers, rules.version) == ((), 2)
    assert (await shop.db.read(fulfillment.rules_of, "pickup")).version == 0

    async def told(tx: Tx) -> list[int]:
        rows = await tx.rows(
            "SELECT o.version FROM infra.outbox o JOIN fulfillment.sourcing_rules r ON r.id = o.aggregate_id ORDER BY o.version"
        )
        return [row.version for row in rows]

    assert await shop.db.read(told) == [1, 2]


async def test_what_is_refused(shop: Shop, office: Client, own_rules: None) -> None:
    twice = {"tiers": [[{"rule": "nearest"}], [{"rule": "nearest"}]]}
    answer = await office.put("/v1/sourcing/rules/pickup", twice)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/bad-sourcing-rules")
    assert answer.json()["rule"] == "nearest"
    for path, body in (
        ("pickup", {"tiers": [[{"rule": "cheapest"}]]}),
        ("pickup", {"tiers": [[]]}),
        ("pickup", {"tiers": [[{"rule": "nearest", "weight": 0}]]}),
        ("pickup", {"tiers": [], "options": {"attempts": 6}}),
        ("returns", {"tiers": []}),
    ):
        refused = await office.put(f"/v1/sourcing/rules/{path}", body)
        assert refused.status_code == 400, (path, body)
    manager = await shop.staff("store_manager", "*")
    assert (await manager.put("/v1/sourcing/rules/pickup", BODY)).status_code == 403
    assert (await manager.get("/v1/sourcing/rules")).status_code == 403


@pytest.mark.parametrize(
    ("ats", "available", "safety", "supply"),
    [
        (5, 7, 2, Supply(7, 2)),
        (5, 4, 2, Supply(7, 2)),  # three expired reservations that nobody has swept
        (0, 2, 2, Supply(2, 2)),
        (0, 1, 5, Supply(1, 5)),
        (0, 0, 0, Supply(0, 0)),
    ],
)
def test_a_level_as_a_supply(ats: int, available: int, safety: int, supply: Supply) -> None:
    level = stock.Level(
        location_id=uuid7(), variant_id=uuid7(), available=available, reserved=9, committed=9, quality_control=9, damaged=9,
        in_transit=9, in_transit_committed=9, safety_stock=safety, ats=ats,
    )  # fmt: skip
    assert supply_of(level) == supply


@pytest.mark.parametrize(("clock_time", "busy"), [("11:59", False), ("12:00", True), ("13:59", True), ("14:00", False)])
def test_busy_hours_are_local(clock_time: str, busy: bool) -> None:
    place = pure_store(busy_hours=[{"weekday": 2, "opens": "12:00", "closes": "14:00"}])
    at = datetime.fromisoformat(f"2026-03-10T{clock_time}+03:00").astimezone(UTC)
    assert is_busy(place, at) is busy
    assert not is_busy(place, at + timedelta(days=1))
    assert not is_busy(pure_store(), at)


async def looked(shop: Shop, items: list[Item], **kwargs: Any) -> fulfillment.Survey:
    wanted = [Wanted(line_id=uuid7(), variant_id=item.id, quantity=1) for item in items]
    return await shop.db.read(survey, wanted=wanted, **kwargs)


async def test_a_pickup_draws_on_its_own_shelf_and_on_what_it_is_linked_to(shop: Shop, noon: None) -> None:
    store = await shop.store(latitude_e6=55_760_000, longitude_e6=37_620_000, daily_capacity=0)
    hub = await shop.store(
        roles=("ships",), latitude_e6=59_934_300, longitude_e6=30_335_100, daily_capacity=3, busy_hours=[
            {"weekday": 2, "opens": "11:00", "closes": "13:00"}
        ],
    )  # fmt: skip
    silent, stranger = await shop.store(roles=("pickup",)), await shop.store()
    shirt, hat = await shop.item(), await shop.item()
    await link(shop, store, hub, transit_hours=10, priority=4)
    await link(shop, store, silent, transit_hours=10)
    for place in (hub, silent, stranger):
        await shop.stock(place, shirt, 5)
    arriving = await announce(shop, hub, hat, 6, date(2026, 3, 12))
    async with orders_at(shop, hub, "open", "ready_for_pickup", "cancelled", "collected"):
        seen = await looked(
            shop, [shirt, hat], pickup=await read(shop, store.code), rules=DEFAULTS["pickup"], may_wait={hat.id}
        )
    found = {candidate.code: candidate for candidate in seen.candidates}
    assert set(found) == {store.code, hub.code, silent.code}, "a store is not a warehouse"
    own, sender = found[store.code], found[hub.code]
    assert (own.is_pickup, own.refusal, own.capacity_left, own.distance_metres) == (True, None, None, 0)
    assert (sender.refusal, sender.priority, sender.busy, sender.capacity_left) == (None, 4, True, 1)
    assert (sender.distance_metres, sender.stock) == (632_770, {shirt.id: Supply(5)})
    assert sender.inbound == {hat.id: [Inbound(arriving, date(2026, 3, 12), 6)]}
    assert found[silent.code].refusal == "no_role"
    assert seen.waiting[hub.id] == 1
    without = await looked(shop, [shirt, hat], pickup=await read(shop, store.code), rules=DEFAULTS["pickup"])
    assert all(candidate.inbound == {} for candidate in without.candidates), "only what may wait"
    said_no = await looked(
        shop, [shirt], pickup=await read(shop, store.code), rules=DEFAULTS["pickup"], exclude={hub.id}
    )
    assert {c.code: c.refusal for c in said_no.candidates}[hub.code] == "excluded"


async def test_a_fixed_number_of_statements(shop: Shop) -> None:
    store = await shop.store()
    for _ in range(3):
        await link(shop, store, await shop.store(), transit_hours=1)
    items = [await shop.item() for _ in range(4)]
    location = await read(shop, store.code)
    old_first = Rules(scope="pickup", tiers=((Weighted(rule="clear_old_stock"),),))
    for rules, kwargs, most in (
        (DEFAULTS["pickup"], {"pickup": location}, 6),
        (old_first, {"pickup": location}, 7),
        (DEFAULTS["delivery"], {"destination": (55_000_000, 37_000_000)}, 5),
    ):
        async with count_statements(shop.db) as counted:
            await looked(shop, items, rules=rules, may_wait={item.id for item in items}, **kwargs)
        assert len(counted) == most, counted


async def test_how_long_the_oldest_has_lain_there(shop: Shop) -> None:
    """Ten came twenty days ago, four five days ago, and eleven have gone: the first to come were the first to go."""
    store, item = await shop.store(), await shop.item()
    clock.stand_at(NOON - timedelta(days=20))
    await shop.stock(store, item, 10)
    clock.stand_at(NOON - timedelta(days=5))
    await shop.stock(store, item, 4)
    clock.stand_at(NOON)
    rules = Rules(scope="delivery", tiers=((Weighted(rule="clear_old_stock"),),))

    async def days() -> int:
        seen = await looked(shop, [item], destination=(0, 0), rules=rules)
        return {c.code: c for c in seen.candidates}[store.code].stock[item.id].oldest_days

    assert await days() == 20
    await shop.db.write(
        stock.sell, shop.system, cause=stock.Cause("sale", uuid7()), location_id=store.id,
        lines=[stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=11)],
    )  # fmt: skip
    assert await days() == 5


async def test_a_plan_is_kept_with_its_order(shop: Shop) -> None:
    order = uuid7()
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 1)
    seen = await looked(shop, [item], pickup=await read(shop, store.code), rules=DEFAULTS["pickup"])
    wanted = [Wanted(line_id=uuid7(), variant_id=item.id, quantity=2)]
    plan = planning.plan(wanted, seen.candidates, DEFAULTS["pickup"], at=shop.db.clock())

    async def keep(tx: Tx) -> None:
        fulfillment.store_plan(tx, order_id=order, n=1, plan=plan, reason="placed")
        fulfillment.store_plan(tx, order_id=order, n=2, plan=plan, reason="rejected")

    await shop.db.write(keep)
    kept = await shop.db.read(fulfillment.plans_of, order)
    assert [(entry.n, entry.scope, entry.reason, entry.plan) for entry in kept] == [
        (1, "pickup", "placed", plan),
        (2, "pickup", "rejected", plan),
    ]


class Town:
    """A store with an empty shelf and two that may send to it."""

    store: Store
    near: Store
    hub: Store
    shirt: Item
    hat: Item


@pytest.fixture
async def town(shop: Shop, noon: None) -> Town:
    made = Town()
    made.store = await shop.store(latitude_e6=20_000_000, longitude_e6=20_000_000)
    made.near = await shop.store(latitude_e6=20_100_000, longitude_e6=20_000_000)
    made.hub = await shop.store(roles=("ships",), latitude_e6=22_000_000, longitude_e6=20_000_000)
    made.shirt, made.hat = await shop.item(), await shop.item(when_out="backorder")
    await link(shop, made.store, made.near, transit_hours=4)
    await link(shop, made.store, made.hub, transit_hours=24)
    await shop.stock(made.near, made.shirt, 5)
    await shop.stock(made.hub, made.shirt, 5)
    return made


async def test_the_dry_run_says_from_where_why_and_when(shop: Shop, office: Client, town: Town) -> None:
    body = {"lines": [{"sku": town.shirt.sku, "quantity": 2}], "pickup": town.store.code}
    answer = await office.post("/v1/sourcing/dry-run", body)
    assert answer.status_code == 200, answer.text
    plan = answer.json()
    assert (plan["scope"], plan["rules_version"], plan["complete"], plan["proven"]) == ("pickup", 0, True, True)
    (part,) = plan["allocations"]
    assert (part["line"], part["sku"], part["location"], part["quantity"]) == (1, town.shirt.sku, town.near.code, 2)
    assert part["reason"]["code"] == "better"
    near, far = 2 * 11_120, 2 * 222_390
    assert part["reason"]["members"] == {"other": town.hub.code, "rule": "nearest", "mine": near, "theirs": far}
    assert (
        part["reason"]["text"]["en"] == f"Better than {town.hub.code}: distance (metres × units) {near} against {far}."
    )
    lost = {entry["location"]: entry for entry in plan["rejected"]}
    assert lost[town.store.code]["reason"]["code"] == "has_nothing"
    assert lost[town.hub.code]["reason"]["code"] == "worse"
    assert lost[town.hub.code]["scores"]["nearest"] == far
    # prepared 13:00, there 17:00, prepared again 18:00
    assert plan["pickup"] == promise("2026-03-10T15:00:00Z", "2026-03-15T21:00:00Z")
    assert plan["deliveries"] == []

    again = (await office.post("/v1/sourcing/dry-run", body | {"exclude": [town.near.code]})).json()
    assert [part["location"] for part in again["allocations"]] == [town.hub.code]
    assert {entry["location"]: entry["reason"]["code"] for entry in again["rejected"]}[town.near.code] == "excluded"
    assert again["pickup"]["from_at"] == "2026-03-11T11:00:00Z"


async def test_the_dry_run_waits_for_what_is_announced(shop: Shop, office: Client, town: Town) -> None:
    await announce(shop, town.near, town.hat, 1, date(2026, 3, 12))
    body = {
        "lines": [{"sku": town.hat.sku, "quantity": 2}, {"sku": town.shirt.sku, "quantity": 1}], "pickup": town.store.code,
    }  # fmt: skip
    plan = (await office.post("/v1/sourcing/dry-run", body)).json()
    assert (plan["complete"], plan["pickup"]) == (False, None)
    assert plan["unfilled"] == [{"line": 1, "sku": town.hat.sku, "quantity": 1}]
    await announce(shop, town.store, town.hat, 1, date(2026, 3, 14))
    plan = (await office.post("/v1/sourcing/dry-run", body)).json()
    assert [(p["line"], p["location"], p["quantity"], p["expected_on"]) for p in plan["allocations"]] == [
        (1, town.near.code, 1, "2026-03-12"),
        (1, town.store.code, 1, "2026-03-14"),
        (2, town.near.code, 1, None),
    ]
    assert plan["allocations"][0]["reason"]["text"]["ru"].endswith("ожидается здесь 2026-03-12.")
    # on the shelf of the store at its opening on the 15th, in Moscow
    assert plan["pickup"] == promise("2026-03-14T22:00:00Z", "2026-03-20T21:00:00Z")


async def test_the_dry_run_of_a_delivery(shop: Shop, office: Client, town: Town) -> None:
    code = unique("van")
    method = {
        "name": {"en": "Van"},
        "kind": "local_delivery",
        "bands": [{"up_to_km": 100, "days": 1}],
        "cut_off": "18:00",
    }
    assert (await office.put(f"/v1/delivery-methods/{code}", method)).status_code == 200
    body = {
        "lines": [{"sku": town.shirt.sku, "quantity": 5}], "to": {"latitude_e6": 20_000_000, "longitude_e6": 20_000_000},
    }  # fmt: skip
    plan = (await office.post("/v1/sourcing/dry-run", body)).json()
    assert (plan["scope"], plan["pickup"]) == ("delivery", None)
    assert [(part["location"], part["quantity"]) for part in plan["allocations"]] == [(town.near.code, 5)]
    offers = {offer["method"]: offer["promise"] for offer in plan["deliveries"]}
    assert offers[code] == promise("2026-03-10T21:00:00Z", "2026-03-11T21:00:00Z")


async def test_a_bundle_in_the_dry_run(shop: Shop, office: Client, town: Town) -> None:
    bundle = await bundle_of(shop, (town.shirt, 2), (town.hat, 1))
    await shop.stock(town.near, town.hat, 3)
    body = {"lines": [{"sku": bundle.sku, "quantity": 3}], "pickup": town.store.code}
    plan = (await office.post("/v1/sourcing/dry-run", body)).json()
    assert [(part["sku"], part["location"], part["quantity"]) for part in plan["allocations"]] == [
        (bundle.sku, town.near.code, 2)
    ]
    assert plan["unfilled"] == [{"line": 1, "sku": bundle.sku, "quantity": 1}]


async def test_refusals_of_the_dry_run(shop: Shop, office: Client, town: Town) -> None:
    line, point = {"sku": town.shirt.sku, "quantity": 1}, {"latitude_e6": 0, "longitude_e6": 0}
    for body, status, kind in (
        ({"lines": [line]}, 422, "bad-dry-run"),
        ({"lines": [line], "pickup": town.store.code, "to": point}, 422, "bad-dry-run"),
        ({"lines": [line], "pickup": "nowhere"}, 404, "unknown-location"),
        ({"lines": [line], "to": point, "exclude": ["nowhere"]}, 404, "unknown-location"),
        ({"lines": [{"sku": "NO-SUCH", "quantity": 1}], "to": point}, 404, "unknown-sku"),
        ({"lines": [], "to": point}, 400, "bad-input"),
    ):
        answer = await office.post("/v1/sourcing/dry-run", body)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}"), answer.text
    assert (
        await (await shop.shopper()).post("/v1/sourcing/dry-run", {"lines": [line], "to": point})
    ).status_code == 403


async def test_a_dry_run_writes_nothing(shop: Shop, office: Client, town: Town, app: Litestar) -> None:
    db: Database = app.state.db
    body = {"lines": [{"sku": town.shirt.sku, "quantity": 2}], "pickup": town.store.code}
    async with count_statements(db) as counted:
        assert (await office.post("/v1/sourcing/dry-run", body)).status_code == 200
    assert all(statement.startswith("SELECT") for statement in counted), counted
