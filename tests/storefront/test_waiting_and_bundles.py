"""The shop window: bundles show as many as are whole in one place, goods that may be waited for when they come."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from commerce import catalog, prices, stock
from commerce.infra.db import Database
from commerce.kernel.actor import system
from commerce.kernel.ids import uuid7
from tests.catalog.test_catalog import variant
from tests.storefront.test_storefront import cards, category, save, slug_of
from tests.support import Client, Item, Shop, Store, clock
from tests.support_statements import count_statements

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


async def page(reader: Client, slug: str) -> dict[str, Any]:
    answer = await reader.get(f"/v1/catalog/products/{slug}")
    assert answer.status_code == 200, answer.json()
    found: dict[str, Any] = answer.json()
    return found


def holding(seen: dict[str, Any]) -> dict[str, dict[str, int]]:
    return {store["code"]: store["available"] for store in seen["stores"] if store["available"]}


async def announce(db: Database, store: Store, item: Item, quantity: int, on: date) -> stock.Expected:
    document = uuid7()
    await db.write(
        stock.expect, system(), kind="supply", document_id=document, location_id=store.id, expected_on=on,
        lines=[stock.Expect(id=uuid7(), variant_id=item.id, quantity=quantity)],
    )  # fmt: skip
    return (await db.read(stock.expected_of, document_ids=[document]))[0]


async def priced(shop: Shop, db: Database, code: str, *variants: dict[str, Any]) -> tuple[str, list[Item]]:
    """A product with prices."""
    slug = await save(shop, code, *variants)
    given = [{"sku": row["sku"], "amount": 500} for row in variants]
    await (await shop.staff("back_office")).post("/v1/prices", {"prices": given, "currency": "RUB"})
    clock.stand_at(clock() + prices.LEAD)
    found = await db.read(catalog.by_skus, [row["sku"] for row in variants])
    return slug, [
        Item(found[row["sku"]].id, found[row["sku"]].product_id, row["sku"], 500)
        for row in variants
    ]  # fmt: skip


async def test_a_bundle_is_there_where_all_of_it_is(shop: Shop, db: Database, audited: None) -> None:
    clock.stand_at(NOW)
    hoodie, cap = await shop.item(), await shop.item()
    a, b, c, paused = (
        await shop.store(), await shop.store(), await shop.store(),
        await shop.store(paused_until=NOW + timedelta(days=1), paused_reason="repair"),
    )  # fmt: skip
    for store, hoodies, caps in ((a, 5, 7), (b, 1, 3), (c, 9, 1), (paused, 20, 20)):
        await shop.stock(store, hoodie, hoodies)
        await shop.stock(store, cap, caps)
    code = await category(db)
    parts = [{"sku": hoodie.sku, "quantity": 1}, {"sku": cap.sku, "quantity": 2}]
    slug, [bundle] = await priced(shop, db, code, variant(components=parts))
    reader, staff = await shop.client(), await shop.staff("associate", a.code)
    seen = await page(staff, slug)
    assert holding(seen) == {a.code: {bundle.sku: 3}, b.code: {bundle.sku: 1}, paused.code: {bundle.sku: 10}}
    told = await page(reader, slug)
    assert holding(told) == {a.code: {bundle.sku: 3}, b.code: {bundle.sku: 1}, paused.code: {bundle.sku: 4}}
    assert told["variants"] == seen["variants"]
    offer = seen["variants"][0]
    assert (offer["availability"], offer["expected_on"], offer["sellable"]) == ("in_stock", None, True)
    card = (await cards(reader, f"category={code}"))[0]
    assert (card["availability"], card["expected_on"]) == ("in_stock", None)
    held = stock.Owner("checkout", uuid7())
    demand = stock.Demand(line_id=uuid7(), location_id=a.id, variant_id=cap.id, quantity=4)
    await db.write(
        stock.reserve, system(), owner=held, demands=[demand], cause=stock.Cause("test_checkout", uuid7()),
        expires_at=NOW + timedelta(minutes=30),
    )  # fmt: skip
    assert holding(await page(staff, slug)) == {
        a.code: {bundle.sku: 1}, b.code: {bundle.sku: 1}, paused.code: {bundle.sku: 10},
    }  # fmt: skip
    assert (await cards(reader, f"category={code}"))[0]["availability"] == "few_left"
    clock.stand_at(NOW + timedelta(minutes=40))
    reader = await shop.client()
    assert holding(await page(reader, slug))[a.code] == {bundle.sku: 3}
    assert (await cards(reader, f"category={code}"))[0]["availability"] == "in_stock"
    office = await shop.staff("back_office")
    await office.post(f"/v1/variants/{cap.sku}/stop-sale", {"reason": "recall"})
    offer = (await page(reader, slug))["variants"][0]
    assert (offer["refusal"], offer["availability"]) == ("stop_sale", "out")
    assert (await cards(reader, f"category={code}"))[0]["availability"] == "out"
    found = await db.read(catalog.by_sku, bundle.sku)
    assert (found.refusal(clock()), found.stop_sale_reason) == ("stop_sale", "recall")
    shown = (await reader.get(f"/v1/catalog/variants/{bundle.sku}")).json()
    assert (shown["refusal"], shown["stop_sale_reason"]) == ("stop_sale", "recall")
    await office.post(f"/v1/variants/{cap.sku}/resume", {"reason": "tested"})
    assert (await page(reader, slug))["variants"][0]["availability"] == "in_stock"


async def test_a_bundle_beside_ordinary_variants(shop: Shop, db: Database, audited: None) -> None:
    clock.stand_at(NOW)
    store, code = await shop.store(), await category(db)
    single = variant()
    slug, [pack, one] = await priced(
        shop, db, code, variant(components=[{"sku": single["sku"], "quantity": 4}]), single
    )
    reader = await shop.client()
    assert (await cards(reader, f"category={code}"))[0]["availability"] == "out"
    await shop.stock(store, one, 3)
    assert holding(await page(reader, slug)) == {store.code: {one.sku: 3}}
    await shop.stock(store, one, 6)
    seen = await page(await shop.staff("associate", store.code), slug)
    assert holding(seen) == {store.code: {one.sku: 9, pack.sku: 2}}
    told = await page(reader, slug)
    assert (holding(told), told["variants"]) == ({store.code: {one.sku: 4, pack.sku: 2}}, seen["variants"])
    assert [offer["availability"] for offer in seen["variants"]] == ["few_left", "in_stock"]
    assert (await cards(reader, f"category={code}"))[0]["availability"] == "in_stock"


async def test_what_may_be_waited_for_is_expected(shop: Shop, db: Database, audited: None) -> None:
    clock.stand_at(NOW)
    store, closed, code = await shop.store(), await shop.store(closed_on=date(2026, 1, 1)), await category(db)
    until = NOW + timedelta(minutes=50)
    rows = [
        variant(when_out="backorder"), variant(when_out="preorder", preorder_until=until.isoformat()), variant(),
        variant(when_out="backorder"),
    ]  # fmt: skip
    slug, items = await priced(shop, db, code, *rows)
    reader = await shop.client()

    async def offers() -> list[tuple[str, str | None]]:
        return [(offer["availability"], offer["expected_on"]) for offer in (await page(reader, slug))["variants"]]

    async def card() -> tuple[str, str | None]:
        seen = (await cards(reader, f"category={code}"))[0]
        return seen["availability"], seen["expected_on"]

    assert await offers() == [("out", None)] * 4
    assert await card() == ("out", None)
    await announce(db, closed, items[0], 9, date(2026, 11, 3))
    assert await card() == ("out", None)
    await announce(db, store, items[0], 3, date(2026, 11, 20))
    plan = await announce(db, store, items[0], 3, date(2026, 11, 12))
    await announce(db, store, items[1], 3, date(2026, 11, 15))
    await announce(db, store, items[2], 3, date(2026, 11, 5))
    assert await offers() == [("expected", "2026-11-12"), ("expected", "2026-11-15"), ("out", None), ("out", None)]
    assert await card() == ("expected", "2026-11-12")
    async with count_statements(reader.http.app.state.db) as counted:
        await page(reader, slug)
    assert len(counted) == 2, counted
    demand = stock.Demand(
        line_id=uuid7(), location_id=store.id, variant_id=items[0].id, quantity=3, expected_id=plan.id
    )  # fmt: skip
    owner = stock.Owner("checkout", uuid7())
    await db.write(stock.promise, system(), owner=owner, demands=[demand], cause=stock.Cause("test_promise", uuid7()))
    assert (await offers())[0] == ("expected", "2026-11-20")
    assert await card() == ("expected", "2026-11-15")
    clock.stand_at(until)
    assert await offers() == [("expected", "2026-11-20"), ("out", None), ("out", None), ("out", None)]
    await shop.stock(store, items[0], 1)
    assert (await offers())[0] == ("few_left", None)
    assert await card() == ("few_left", None)
    await db.write(stock.release, system(), owner=owner, cause=stock.Cause("test_release", uuid7()))


async def test_an_announced_day_that_has_passed_is_not_shown(shop: Shop, db: Database) -> None:
    clock.stand_at(NOW)
    store, code = await shop.store(), await category(db)
    slug, [item] = await priced(shop, db, code, variant(when_out="backorder"))
    await announce(db, store, item, 3, date(2026, 11, 1))
    reader = await shop.client()
    offer = (await page(reader, slug))["variants"][0]
    assert (offer["availability"], offer["expected_on"]) == ("expected", None)
    card = (await cards(reader, f"category={code}"))[0]
    assert (card["availability"], card["expected_on"]) == ("expected", None)


async def test_statements_of_a_bundle(shop: Shop, db: Database) -> None:
    store, part = await shop.store(), await shop.item()
    await shop.stock(store, part, 4)
    bundle = await shop.bundle({part: 2})
    reader, slug = await shop.client(), await slug_of(db, bundle.sku)
    await page(reader, slug)
    async with count_statements(reader.http.app.state.db) as counted:
        assert holding(await page(reader, slug)) == {store.code: {bundle.sku: 2}}
    assert len(counted) == 2, counted
