"""Goods judged anew, made into others, sent back to where they were bought, given up; and what a delivery is refused for."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest

from commerce import stock
from commerce.catalog import tables as catalog_tables
from commerce.infra.db import Database, Tx
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Problem
from commerce.kernel.ids import uuid7
from commerce.stock import adjusting
from commerce.stock.schemas import BookConversion, BookMove, BookWriteOff, MoveLine, ScannedLine, ShelfLine
from tests.stock.shelves import aside, demand, events_of, fresh, fulfillment, movements_of, shelf
from tests.support import Client, Item, Shop, Store

pytestmark = pytest.mark.usefixtures("audited")
ROUTES = ("receipts", "moves", "conversions", "vendor-returns", "write-offs")


def kind(answer: Any) -> tuple[int, str]:
    """Status and problem of a refusal."""
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def cause(answer: Any) -> stock.Cause:
    """The cause of the posting that an answer speaks of."""
    assert answer.status_code == 201, answer.text
    return stock.Cause(answer.json()["cause_kind"], UUID(answer.json()["cause_id"]))


async def buckets(db: Database, store: Store, *items: Item) -> list[tuple[int, int, int]]:
    """available, quality_control, damaged of each."""
    levels = await db.read(stock.levels, variant_ids=[item.id for item in items], location_ids=[store.id])
    by_variant = {level.variant_id: (level.available, level.quality_control, level.damaged) for level in levels}
    return [by_variant.get(item.id, (0, 0, 0)) for item in items]


async def filled(
    shop: Shop, client: Client, store: Store, item: Item, *units: int, unit_cost: int | None = 400
) -> None:
    """Receive so many units into available, quality_control and damaged."""
    lines = [
        {"sku": item.sku, "quantity": quantity, "bucket": bucket} | ({"unit_cost": unit_cost} if unit_cost else {})
        for bucket, quantity in zip(("available", "quality_control", "damaged"), units, strict=False)
        if quantity
    ]
    answer = await client.post(f"/v1/stores/{store.code}/receipts", {"lines": lines})
    assert answer.status_code == 201, answer.text


async def bundle_of(shop: Shop, *parts: tuple[Item, int]) -> Item:
    """A bundle of so many units of each."""
    made = await shop.item(bundle=True)

    async def work(tx: Tx) -> None:
        for item, quantity in parts:
            tx.queue(catalog_tables.components, bundle_id=made.id, component_id=item.id, quantity=quantity)

    await shop.db.write(work)
    return made


async def cost_of(db: Database, item: Item) -> int | None:
    """The moving average."""

    async def read(tx: Tx) -> int | None:
        found: int | None = await tx.scalar("SELECT average FROM stock.costs WHERE variant_id = :id", id=item.id)
        return found

    return await db.read(read)


async def record(db: Database, about: stock.Cause) -> tuple[str, dict[str, Any]]:
    """The audit record of an act."""

    async def read(tx: Tx) -> tuple[str, dict[str, Any]]:
        row = await tx.one(
            "SELECT action, after FROM infra.audit_records WHERE target = :kind AND target_id = :id",
            kind=about.kind,
            id=str(about.id),
        )
        return row.action, row.after

    return await db.read(read)


async def why(db: Database, about: stock.Cause) -> str | None:
    """The reason of a posting."""

    async def read(tx: Tx) -> str | None:
        found: str | None = await tx.scalar(
            "SELECT reason FROM stock.postings WHERE cause_kind = :kind AND cause_id = :id",
            kind=about.kind,
            id=about.id,
        )
        return found

    return await db.read(read)


def moved(item: Item, quantity: int, source: str, target: str) -> dict[str, Any]:
    """A line of a move."""
    return {"sku": item.sku, "quantity": quantity, "from_bucket": source, "to_bucket": target}


def units(item: Item, quantity: int, bucket: str = "available") -> dict[str, Any]:
    """A line of goods."""
    return {"sku": item.sku, "quantity": quantity, "bucket": bucket}


async def test_an_associate_judges_goods_anew(db: Database, shop: Shop) -> None:
    store, shirt, shoe = await shop.store(), await shop.item(), await shop.item()
    associate = await shop.staff("associate", store.code)
    await filled(shop, associate, store, shirt, 5, 4, 3)
    await filled(shop, associate, store, shoe, 2)
    path = f"/v1/stores/{store.code}/moves"
    lines = [
        moved(shirt, 3, "quality_control", "available"),
        moved(shirt, 1, "quality_control", "damaged"),
        moved(shirt, 2, "damaged", "quality_control"),
        moved(shoe, 1, "available", "quality_control"),
        moved(shoe, 1, "available", "quality_control"),
    ]
    answer = await associate.post(path, {"lines": lines, "reason": "Checked"}, key="the-move-1")
    done = cause(answer)
    assert (await associate.post(path, {"lines": lines, "reason": "Checked"}, key="the-move-1")).json() == answer.json()
    assert [(level["sku"], level["available"], level["quality_control"], level["damaged"]) for level in answer.json()["levels"]] == [
        (shirt.sku, 8, 2, 2), (shoe.sku, 0, 2, 0),
    ]  # fmt: skip
    assert await buckets(db, store, shirt, shoe) == [(8, 2, 2), (0, 2, 0)]
    assert sorted(await movements_of(db, done)) == [
        (1, "quality_control", "damaged"), (2, "available", "quality_control"), (2, "damaged", "quality_control"),
        (3, "quality_control", "available"),
    ]  # fmt: skip
    assert (done.kind, await why(db, done)) == ("move", "Checked")
    action, after = await record(db, done)
    assert (action, after["location"], [line["quantity"] for line in after["lines"]]) == (
        "stock.move",
        store.code,
        [3, 1, 2, 2],
    )
    assert await cost_of(db, shirt) == 400


@pytest.mark.parametrize("target", ["damaged", "quality_control"])
async def test_what_leaves_the_shelf_breaks_promises(db: Database, shop: Shop, target: str) -> None:
    store, item, owner = await shop.store(), await shop.item(), fulfillment()
    associate = await shop.staff("associate", store.code)
    await filled(shop, associate, store, item, 5)
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, item, 4)], cause=fresh())
    body = {"lines": [moved(item, 3, "available", target)], "reason": "Wet"}
    done = cause(await associate.post(f"/v1/stores/{store.code}/moves", body))
    assert await shelf(db, store, item) == (0, 0, 2)
    assert await aside(db, owner) == [("committed", 4, 2, 2)]
    [(type_, event)] = await events_of(db, done)
    assert (type_, event["fulfillment_ids"], [line["quantity"] for line in event["lines"]]) == (
        "stock.promise_broken", [str(owner.id)], [2],
    )  # fmt: skip
    body = {"lines": [moved(item, 3, "available", target)], "reason": "Wet"}
    refusal = await associate.post(f"/v1/stores/{store.code}/moves", body)
    assert (*kind(refusal), refusal.json()["left"], refusal.json()["bucket"]) == (
        409,
        "stock-below-zero",
        2,
        "available",
    )
    assert (await shelf(db, store, item), await aside(db, owner)) == ((0, 0, 2), [("committed", 4, 2, 2)])


async def test_a_move_that_does_not_fit_moves_nothing(db: Database, shop: Shop) -> None:
    store, hat, shirt, shoe = await shop.store(), await shop.item(), await shop.item(), await shop.item()
    associate = await shop.staff("associate", store.code)
    await filled(shop, associate, store, hat, 5)
    await filled(shop, associate, store, shirt, 5, 1, 1)
    path = f"/v1/stores/{store.code}/moves"
    good = moved(hat, 1, "available", "damaged")
    for line, left in (
        (moved(shirt, 2, "quality_control", "available"), 1),
        (moved(shirt, 2, "damaged", "available"), 1),
        (moved(shirt, 6, "available", "quality_control"), 5),
        (moved(shoe, 1, "damaged", "available"), 0),
    ):
        refusal = await associate.post(path, {"lines": [good, line], "reason": "x"})
        assert (*kind(refusal), refusal.json()["bucket"], refusal.json()["left"]) == (
            409, "stock-below-zero", line["from_bucket"], left,
        )  # fmt: skip
    refusal = await associate.post(path, {"lines": [good, moved(shoe, 1, "damaged", "damaged")], "reason": "x"})
    assert (*kind(refusal), refusal.json()["lines"]) == (422, "same-bucket", [{"sku": shoe.sku, "bucket": "damaged"}])
    assert await buckets(db, store, hat, shirt, shoe) == [(5, 0, 0), (5, 1, 1), (0, 0, 0)]


async def test_a_box_is_opened(db: Database, shop: Shop) -> None:
    store, sealed, opened = await shop.store(), await shop.item(), await shop.item(price=99_900)
    associate = await shop.staff("associate", store.code)
    await filled(shop, associate, store, sealed, 2, 1, unit_cost=40_000)
    body = {"takes": [units(sealed, 1, "quality_control")], "makes": [units(opened, 1)], "reason": "Opened box"}
    answer = await associate.post(f"/v1/stores/{store.code}/conversions", body)
    done = cause(answer)
    assert [(level["sku"], level["on_hand"]) for level in answer.json()["levels"]] == [(sealed.sku, 2), (opened.sku, 1)]
    assert await buckets(db, store, sealed, opened) == [(2, 0, 0), (1, 0, 0)]
    assert await movements_of(db, done) == [(1, "quality_control", "conversion"), (1, "conversion", "available")]
    assert (await cost_of(db, sealed), await cost_of(db, opened)) == (40_000, 40_000)
    assert (done.kind, await why(db, done)) == ("conversion", "Opened box")
    assert await record(db, done) == (
        "stock.convert",
        {"location": store.code, "takes": body["takes"], "makes": body["makes"]},
    )


async def test_a_kit_is_made_and_broken_up(db: Database, shop: Shop) -> None:
    store, kit, cup, plate = await shop.store(), await shop.item(), await shop.item(), await shop.item()
    associate = await shop.staff("associate", store.code)
    await filled(shop, associate, store, cup, 10, unit_cost=300)
    await filled(shop, associate, store, plate, 6, unit_cost=700)
    path = f"/v1/stores/{store.code}/conversions"
    body = {"takes": [units(cup, 4), units(plate, 2), units(cup, 2)], "makes": [units(kit, 2)], "reason": "Gift sets"}
    made = cause(await associate.post(path, body))
    assert sorted(await movements_of(db, made)) == [
        (2, "available", "conversion"), (2, "conversion", "available"), (6, "available", "conversion"),
    ]  # fmt: skip
    assert await buckets(db, store, kit, cup, plate) == [(2, 0, 0), (4, 0, 0), (4, 0, 0)]
    assert await cost_of(db, kit) == (6 * 300 + 2 * 700) // 2 == 1_600
    body = {"takes": [units(kit, 1)], "makes": [units(cup, 3), units(plate, 1, "damaged")], "reason": "One plate broke"}
    cause(await associate.post(path, body))
    assert await buckets(db, store, kit, cup, plate) == [(1, 0, 0), (7, 0, 0), (4, 0, 1)]


async def test_a_conversion_takes_nothing_that_is_promised(db: Database, shop: Shop) -> None:
    store, kit, cup, owner = await shop.store(), await shop.item(), await shop.item(), fulfillment()
    associate = await shop.staff("associate", store.code)
    await filled(shop, associate, store, cup, 5)
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, cup, 3)], cause=fresh())
    path = f"/v1/stores/{store.code}/conversions"
    refusal = await associate.post(path, {"takes": [units(cup, 3)], "makes": [units(kit, 1)], "reason": "x"})
    assert (*kind(refusal), refusal.json()["left"]) == (409, "stock-below-zero", 2)
    assert (await shelf(db, store, cup), await aside(db, owner)) == ((2, 0, 3), [("committed", 3, 3, 0)])
    assert await shelf(db, store, kit) == (0, 0, 0)


async def test_nothing_is_made_into_itself(db: Database, shop: Shop) -> None:
    store, cup, kit = await shop.store(), await shop.item(), await shop.item()
    associate = await shop.staff("associate", store.code)
    await filled(shop, associate, store, cup, 5)
    path = f"/v1/stores/{store.code}/conversions"
    body = {"takes": [units(cup, 2)], "makes": [units(kit, 1), units(cup, 1)], "reason": "x"}
    refusal = await associate.post(path, body)
    assert (*kind(refusal), refusal.json()["lines"]) == (422, "same-bucket", [{"sku": cup.sku, "bucket": "available"}])
    body = {"takes": [units(cup, 2)], "makes": [units(kit, 1), units(cup, 1, "damaged")], "reason": "One broke"}
    cause(await associate.post(path, body))
    assert await buckets(db, store, cup, kit) == [(3, 0, 1), (1, 0, 0)]


async def test_goods_go_back_to_the_supplier(db: Database, shop: Shop) -> None:
    store, cup, plate, owner = await shop.store(), await shop.item(), await shop.item(price=900), fulfillment()
    manager = await shop.staff("store_manager", store.code)
    await filled(shop, manager, store, cup, 5, 2, 2, unit_cost=300)
    await filled(shop, manager, store, plate, 4, unit_cost=None)
    path = f"/v1/stores/{store.code}/vendor-returns"
    lines = [
        units(cup, 2, "damaged"),
        units(cup, 1, "quality_control"),
        units(plate, 3),
        units(cup, 1, "quality_control"),
    ]
    body = {"supplier": "keramika", "reference": "RMA 17", "lines": lines, "note": "Chipped"}
    answer = await manager.post(path, body)
    done = cause(answer)
    assert answer.json()["lines"] == [
        {"sku": cup.sku, "quantity": 2, "bucket": "damaged", "value": {"amount": 600, "currency": "RUB"}, "valued_by": "cost"},
        {"sku": cup.sku, "quantity": 2, "bucket": "quality_control", "value": {"amount": 600, "currency": "RUB"}, "valued_by": "cost"},
        {"sku": plate.sku, "quantity": 3, "bucket": "available", "value": {"amount": 2_700, "currency": "RUB"}, "valued_by": "list"},
    ]  # fmt: skip
    assert answer.json()["value"] == {"amount": 3_900, "currency": "RUB"}
    assert await buckets(db, store, cup, plate) == [(5, 0, 0), (1, 0, 0)]
    assert sorted(await movements_of(db, done)) == [
        (2, "damaged", "supplier"), (2, "quality_control", "supplier"), (3, "available", "supplier"),
    ]  # fmt: skip
    assert (done.kind, await why(db, done)) == ("vendor_return", "keramika RMA 17: Chipped")
    action, after = await record(db, done)
    assert (action, after["supplier"], after["reference"], len(after["lines"])) == (
        "stock.return_to_vendor", "keramika", "RMA 17", 3,
    )  # fmt: skip
    assert await cost_of(db, cup) == 300
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, cup, 4)], cause=fresh())
    refusal = await manager.post(path, body | {"lines": [units(cup, 2)]})
    assert (*kind(refusal), refusal.json()["left"]) == (409, "stock-below-zero", 1)
    assert (await shelf(db, store, cup), await aside(db, owner)) == ((1, 0, 4), [("committed", 4, 4, 0)])


async def test_goods_are_given_up(db: Database, shop: Shop) -> None:
    store, cup, plate, gift = (
        await shop.store(),
        await shop.item(),
        await shop.item(price=900),
        await shop.item(price=None),
    )
    manager, owner = await shop.staff("store_manager", store.code), fulfillment()
    await filled(shop, manager, store, cup, 5, 2, 2, unit_cost=300)
    await filled(shop, manager, store, plate, 4, unit_cost=None)
    await filled(shop, manager, store, gift, 1, unit_cost=None)
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, plate, 3)], cause=fresh())
    path = f"/v1/stores/{store.code}/write-offs"
    lines = [units(cup, 2, "damaged"), units(cup, 1, "quality_control"), units(plate, 2)]
    answer = await manager.post(path, {"lines": lines, "reason": "expired", "note": "Since March"})
    done = cause(answer)
    assert [(line["quantity"], line["value"]["amount"]) for line in answer.json()["lines"]] == [
        (2, 600),
        (1, 300),
        (2, 1_800),
    ]
    assert answer.json()["value"] == {"amount": 2_700, "currency": "RUB"}
    assert [(level["sku"], level["on_hand"]) for level in answer.json()["levels"]] == [(cup.sku, 6), (plate.sku, 2)]
    assert await buckets(db, store, cup, plate) == [(5, 1, 0), (0, 0, 0)]
    assert await aside(db, owner) == [("committed", 3, 2, 1)]
    assert [type_ for type_, _ in await events_of(db, done)] == ["stock.promise_broken"]
    assert (done.kind, await why(db, done)) == ("write_off", "expired: Since March")
    assert (await record(db, done))[0] == "stock.write_off"
    answer = await manager.post(path, {"lines": [units(gift, 1), units(cup, 1)], "reason": "sample"})
    cause(answer)
    assert [line["value"] for line in answer.json()["lines"]] == [None, {"amount": 300, "currency": "RUB"}]
    assert answer.json()["value"] is None, "what part of it is worth is not what it is worth"
    refusal = await manager.post(path, {"lines": [units(cup, 2, "quality_control")], "reason": "lost"})
    assert (*kind(refusal), refusal.json()["left"]) == (409, "stock-below-zero", 1)
    for reason in ("found", "count", "damage", "correction", "magic"):
        assert kind(await manager.post(path, {"lines": [units(cup, 1)], "reason": reason})) == (400, "bad-input")
    assert await buckets(db, store, cup) == [(4, 1, 0)]


def bodies(*named: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A body of each of the five, about these goods."""
    moves = [
        {"sku": line["sku"], "quantity": line["quantity"], "from_bucket": "damaged", "to_bucket": "available"}
        for line in named
    ]
    return {
        "receipts": {"lines": list(named)},
        "moves": {"lines": moves, "reason": "x"},
        "conversions": {"takes": list(named), "makes": [named[0] | {"bucket": "damaged"}], "reason": "x"},
        "vendor-returns": {"supplier": "keramika", "reference": "17", "lines": list(named)},
        "write-offs": {"lines": list(named), "reason": "lost"},
    }


async def levels_everywhere(db: Database, *items: Item) -> int:
    """How many levels the goods have, anywhere."""
    return len(await db.read(stock.levels, variant_ids=[item.id for item in items]))


async def test_every_unknown_sku_is_named(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    manager = await shop.staff("store_manager", store.code)
    for route, body in bodies(
        {"sku": "NO-1", "quantity": 1, "bucket": "available"}, units(item, 1), units(item, 1) | {"sku": "NO-2"}
    ).items():
        refusal = await manager.post(f"/v1/stores/{store.code}/{route}", body)
        assert kind(refusal) == (404, "unknown-skus"), route
        named = [(line["pointer"], line["sku"]) for line in refusal.json()["lines"]]
        lines = "takes" if route == "conversions" else "lines"
        made = [("/makes/0/sku", "NO-1")] if route == "conversions" else []
        assert named == [(f"/{lines}/0/sku", "NO-1"), (f"/{lines}/2/sku", "NO-2"), *made]
        assert "NO-2" in refusal.json()["detail"]
    assert await levels_everywhere(db, item) == 0


async def test_a_bundle_has_no_stock_of_its_own(db: Database, shop: Shop) -> None:
    store, cup, plate = await shop.store(), await shop.item(), await shop.item()
    bundle = await bundle_of(shop, (cup, 2), (plate, 1))
    manager = await shop.staff("store_manager", store.code)
    wanted = sorted(
        [{"sku": cup.sku, "quantity": 2}, {"sku": plate.sku, "quantity": 1}], key=lambda part: str(part["sku"])
    )
    asked = bodies(units(cup, 1), units(bundle, 1))
    asked["adjustments"] = {"sku": bundle.sku, "delta": 1, "reason": "found"}
    for route, body in asked.items():
        refusal = await manager.post(f"/v1/stores/{store.code}/{route}", body)
        assert (*kind(refusal), refusal.json()["lines"]) == (
            422, "bundle-has-no-stock", [{"sku": bundle.sku, "components": wanted}],
        )  # fmt: skip
        assert bundle.sku in refusal.json()["detail"]
    made = {"takes": [units(cup, 1)], "makes": [units(bundle, 1)], "reason": "x"}
    assert kind(await manager.post(f"/v1/stores/{store.code}/conversions", made)) == (422, "bundle-has-no-stock")
    assert await levels_everywhere(db, bundle, cup, plate) == 0


async def test_a_delivery_goes_where_goods_are_received(db: Database, shop: Shop) -> None:
    from datetime import date, timedelta

    item, today = await shop.item(), shop.db.clock().date()
    showroom = await shop.store(roles=("pickup", "sells"))
    closed = await shop.store(closed_on=date(2024, 1, 1))
    opening = await shop.store(opened_on=today + timedelta(days=30))
    paused = await shop.store(paused_until=shop.db.clock() + timedelta(days=1), paused_reason="Water")
    office = await shop.staff("back_office")
    body = {"lines": [{"sku": item.sku, "quantity": 2}]}
    for store in (showroom, closed):
        refusal = await office.post(f"/v1/stores/{store.code}/receipts", body)
        assert (*kind(refusal), refusal.json()["location"]) == (409, "location-cannot-receive", store.code)
        assert await shelf(db, store, item) == (0, 0, 0)
    for store in (opening, paused):
        assert (await office.post(f"/v1/stores/{store.code}/receipts", body)).status_code == 201
        assert await shelf(db, store, item) == (2, 0, 0)


async def test_bad_input(db: Database, shop: Shop) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    manager, elsewhere = await shop.staff("store_manager", store.code), await shop.staff("store_manager", other.code)
    associate, office = await shop.staff("associate", store.code), await shop.staff("back_office")
    await filled(shop, manager, store, item, 5, 5, 5)
    good = bodies(units(item, 1))
    for route in ROUTES:
        path = f"/v1/stores/{store.code}/{route}"
        for quantity in (0, -1, 2**31, 1_000_001, 1.5, "1", None):
            wrong = bodies(units(item, 1) | {"quantity": quantity})[route]
            assert kind(await manager.post(path, wrong)) == (400, "bad-input"), (route, quantity)
        for bucket in ("committed", "in_transit", "loss", ""):
            lines = "takes" if route == "conversions" else "lines"
            member = "from_bucket" if route == "moves" else "bucket"
            wrong = good[route] | {lines: [good[route][lines][0] | {member: bucket}]}
            assert kind(await manager.post(path, wrong)) == (400, "bad-input"), (route, bucket)
        many = bodies(*[units(item, 1)] * 1_001)[route]
        assert kind(await manager.post(path, many)) == (400, "bad-input"), route
        assert kind(await manager.post(path, good[route] | {"location": other.code})) == (400, "bad-input")
        assert kind(await elsewhere.post(path, good[route])) == (403, "not-allowed")
        assert kind(await office.post(f"/v1/stores/nowhere/{route}", good[route])) == (404, "unknown-location")
    for route in ("vendor-returns", "write-offs"):
        assert kind(await associate.post(f"/v1/stores/{store.code}/{route}", good[route])) == (403, "not-allowed")
    for empty in ({"lines": [], "reason": "x"}, {"lines": [moved(item, 1, "damaged", "available")]}, {}):
        assert kind(await manager.post(f"/v1/stores/{store.code}/moves", empty)) == (400, "bad-input")
    assert await buckets(db, store, item) == [(5, 5, 5)]


async def test_twenty_lines_are_as_many_statements_as_one(db: Database, shop: Shop) -> None:
    from tests.support_statements import count_statements

    store = await shop.store()
    actor = associate_of(store)
    items = [await shop.item() for _ in range(20)]
    for item in items:
        await shop.stock(store, item, 10, unit_cost=100)
    spent: dict[str, set[int]] = {}
    for lines in (1, 20, 1, 20):
        some = items[:lines]
        judged = BookMove(
            lines=[MoveLine(sku=item.sku, quantity=1, from_bucket="available", to_bucket="damaged") for item in some],
            reason="x",
        )
        lost = BookWriteOff(
            lines=[ShelfLine(sku=item.sku, quantity=1, bucket="damaged") for item in some], reason="lost"
        )
        async with count_statements(db) as counted:
            await db.write(adjusting.book_move, actor, code=store.code, command=judged)
            spent.setdefault("move", set()).add(len(list(counted)))
        async with count_statements(db) as counted:
            await db.write(adjusting.book_write_off, actor, code=store.code, command=lost, currency="RUB")
            spent.setdefault("write_off", set()).add(len(list(counted)))
    assert {name: max(counts) - min(counts) for name, counts in spent.items()} == {"move": 0, "write_off": 0}
    assert max(max(counts) for counts in spent.values()) <= 9


def associate_of(store: Store) -> Actor:
    """A member of staff of the store."""
    return Actor(kind="staff", subject=uuid4(), channel="till", permissions={"stock.adjust": (store.code,)})


async def outcome(work: Any) -> str:
    """`ok`, or the code of the refusal."""
    try:
        await work
    except Problem as problem:
        return problem.code
    return "ok"


async def test_the_last_unit_is_moved_converted_and_promised_at_once(db: Database, shop: Shop) -> None:
    store, item, other = await shop.store(), await shop.item(), await shop.item()
    ended = Counter[str]()
    for _ in range(8):
        await shop.stock(store, item, 1, unit_cost=500)
        owner = fulfillment()
        convert = BookConversion(
            takes=[ScannedLine(sku=item.sku, quantity=1, bucket="available")],
            makes=[ScannedLine(sku=other.sku, quantity=1, bucket="available")],
            reason="x",
        )
        move = BookMove(
            lines=[MoveLine(sku=item.sku, quantity=1, from_bucket="available", to_bucket="damaged")], reason="x"
        )
        done = await asyncio.gather(
            outcome(db.write(adjusting.book_conversion, associate_of(store), code=store.code, command=convert)),
            outcome(db.write(adjusting.book_move, associate_of(store), code=store.code, command=move)),
            outcome(db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, item, 1)], cause=fresh())),
        )
        converted, judged, promised = done
        assert converted in ("ok", "stock-below-zero")
        assert promised in ("ok", "insufficient-stock")
        # The move is a physical fact: only a unit that is really gone stops it.
        assert judged == ("stock-below-zero" if converted == "ok" else "ok")
        assert not (converted == "ok" and promised == "ok")
        ended.update(f"{name} {how}" for name, how in zip(("convert", "move", "promise"), done, strict=True))
        assert (await shelf(db, store, item))[0] == 0
    assert sum(ended.values()) == 24
    [(_, _, damaged)] = await buckets(db, store, item)
    [(made, _, _)] = await buckets(db, store, other)
    assert (damaged, made) == (ended["move ok"], ended["convert ok"])
    assert damaged + made == 8


async def test_opposite_orders_of_lines_do_not_block_each_other(db: Database, shop: Shop) -> None:
    store = await shop.store()
    items = [await shop.item() for _ in range(4)]
    for item in items:
        await shop.stock(store, item, 20, unit_cost=500)

    def move(order: list[Item]) -> Any:
        lines = [MoveLine(sku=item.sku, quantity=1, from_bucket="available", to_bucket="damaged") for item in order]
        return db.write(
            adjusting.book_move, associate_of(store), code=store.code, command=BookMove(lines=lines, reason="x")
        )

    ended = Counter(await asyncio.gather(*(outcome(move(items[:: 1 if n % 2 else -1])) for n in range(10))))
    assert ended == {"ok": 10}
    assert await buckets(db, store, *items) == [(10, 0, 10)] * 4


async def test_an_act_is_one_posting_however_often_it_is_sent(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    manager = await shop.staff("store_manager", store.code)
    await filled(shop, manager, store, item, 5, 5, 5)
    key = str(uuid7())
    for route, body in bodies(units(item, 1)).items():
        answers = [await manager.post(f"/v1/stores/{store.code}/{route}", body, key=key) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201], answers[0].text
        assert answers[0].json() == answers[1].json()
    # received 1; judged 1 damaged as sellable; took 1 off the shelf as damaged; sent 1 back; gave 1 up
    assert await buckets(db, store, item) == [(5 + 1 + 1 - 1 - 1 - 1, 5, 5 - 1 + 1)]


async def test_units_with_codes_go_where_their_goods_go(db: Database, shop: Shop) -> None:
    store, phone, opened = await shop.store(), await shop.item(tracking="serial"), await shop.item(tracking="serial")
    manager = await shop.staff("store_manager", store.code)
    path = f"/v1/stores/{store.code}"
    serials = [f"SN{n}-{phone.sku}" for n in range(5)]
    received = {"lines": [{"sku": phone.sku, "quantity": 5, "unit_cost": 900, "codes": serials}]}
    assert (await manager.post(f"{path}/receipts", received)).status_code == 201

    async def stands(item: Item, code: str) -> tuple[Any, Any]:
        answer = await manager.get(f"/v1/stock/{item.sku}/units?code={code}")
        assert answer.status_code == 200, answer.text
        return answer.json()["location"], answer.json()["place"]

    judged = moved(phone, 2, "available", "damaged") | {"codes": serials[:1]}
    cause(await manager.post(f"{path}/moves", {"lines": [judged], "reason": "Dropped"}))
    assert [await stands(phone, code) for code in serials[:2]] == [(store.code, "damaged"), (store.code, "available")]
    made = {
        "takes": [units(phone, 1) | {"codes": serials[1:2]}], "makes": [units(opened, 1) | {"codes": ["OPEN-1"]}], "reason": "x",
    }  # fmt: skip
    cause(await manager.post(f"{path}/conversions", made))
    assert await stands(opened, "OPEN-1") == (store.code, "available")
    assert (await stands(phone, serials[1]))[0] is None
    back = {"supplier": "phones", "reference": "7", "lines": [units(phone, 1, "damaged") | {"codes": serials[:1]}]}
    cause(await manager.post(f"{path}/vendor-returns", back))
    assert (await stands(phone, serials[0]))[0] is None
    for route, body, problem in (
        ("vendor-returns", back, "unit-not-here"),
        (
            "moves",
            {"lines": [judged | {"quantity": 1, "codes": [serials[2], serials[2]]}], "reason": "x"},
            "too-many-unit-codes",
        ),
        (
            "moves",
            {"lines": [judged | {"quantity": 2, "codes": [serials[2], serials[2]]}], "reason": "x"},
            "unit-code-repeated",
        ),
    ):
        assert kind(await manager.post(f"{path}/{route}", body))[1] == problem
    assert await buckets(db, store, phone, opened) == [(2, 0, 1), (1, 0, 0)]


async def test_lines_of_one_bucket_are_taken_together(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    manager = await shop.staff("store_manager", store.code)
    await filled(shop, manager, store, item, 0, 3, 0)
    moved = [
        {"sku": item.sku, "quantity": 2, "from_bucket": "quality_control", "to_bucket": bucket}
        for bucket in ("available", "damaged")
    ]
    answer = await manager.post(f"/v1/stores/{store.code}/moves", {"lines": moved, "reason": "judged"})
    assert kind(answer) == (409, "stock-below-zero")
    assert (answer.json()["left"], answer.json()["bucket"]) == (3, "quality_control")
    assert await buckets(db, store, item) == [(0, 3, 0)]


async def test_what_comes_to_the_shelf_in_the_same_act_breaks_no_promise(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    manager = await shop.staff("store_manager", store.code)
    await filled(shop, manager, store, item, 3, 2, 0)
    owner = fulfillment()
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, item, 3)], cause=fresh())
    moved = [
        stock.Regrade(variant_id=item.id, quantity=2, from_bucket="quality_control", to_bucket="available"),
        stock.Regrade(variant_id=item.id, quantity=3, from_bucket="available", to_bucket="damaged"),
    ]
    because = fresh()
    for _ in range(2):
        await db.write(stock.move, shop.system, cause=because, location_id=store.id, lines=moved)
    assert await aside(db, owner) == [("committed", 3, 2, 1)]
    assert await buckets(db, store, item) == [(0, 0, 3)]


async def test_a_regrade_sent_again_finds_its_posting_though_the_goods_are_gone(db: Database, shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    manager = await shop.staff("store_manager", store.code)
    await filled(shop, manager, store, item, 0, 2, 0)
    because = fresh()
    moved = [stock.Regrade(variant_id=item.id, quantity=2, from_bucket="quality_control", to_bucket="damaged")]
    for _ in range(2):
        await db.write(stock.move, shop.system, cause=because, location_id=store.id, lines=moved)
    assert await buckets(db, store, item) == [(0, 0, 2)]
