"""Safety stock: the most specific rule wins, in the levels that are there and in those that come; where goods move to, too."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from commerce import catalog, parts
from commerce.infra import outbox
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from commerce.stock import safety
from tests.support import Client, Item, Shop, Store, unique
from tests.support_statements import count_statements

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture
async def planner(shop: Shop) -> Client:
    return await shop.staff("back_office", channel="back_office")


@pytest.fixture(autouse=True)
async def no_rules_left(db: Database) -> Any:
    """Rules for categories everywhere would be found by every other test."""
    yield
    await db.write(_clear)
    assert await safety.settle(db)


async def _clear(tx: Tx) -> None:
    await tx.execute("DELETE FROM stock.safety_rules")
    safety._change(tx, "everything", [])


async def of(db: Database, store: Store, item: Item) -> int | None:
    async def read(tx: Tx) -> int | None:
        found: int | None = await tx.scalar(
            "SELECT safety_stock FROM stock.levels WHERE location_id = :l AND variant_id = :v", l=store.id, v=item.id
        )
        return found

    return await db.read(read)


async def made(shop: Shop, store: Store, item: Item) -> None:
    """A level, made by a delivery."""
    await shop.stock(store, item, 10)


async def put(planner: Client, *rules: dict[str, Any]) -> dict[str, Any]:
    answer = await planner.put("/v1/stock/safety", {"rules": list(rules)})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def categories(db: Database, shop: Shop, *codes: str) -> list[str]:
    """A line of new categories, each below the one before."""
    made_codes = [unique(code) for code in codes]
    given = [
        catalog.CategoryInput(code=code, name={"en": code}, parent=made_codes[n - 1] if n else None)
        for n, code in enumerate(made_codes)
    ]
    await db.write(catalog.upsert_categories, shop.system, categories=given)
    return made_codes


async def put_into(db: Database, item: Item, category: str) -> None:
    """Move the item's product to a category, as the catalog does: with its event."""

    async def work(tx: Tx) -> None:
        version = await tx.scalar(
            "UPDATE catalog.products SET category_id = (SELECT id FROM catalog.categories WHERE code = :code), version = version + 1"
            " WHERE id = :id RETURNING version",
            code=category, id=item.product_id,
        )  # fmt: skip
        from commerce.catalog.events import ProductSaved
        from commerce.kernel.actor import system

        outbox.record(tx, system(), ProductSaved(aggregate_id=item.product_id, version=version, slug="moved"))

    await db.write(work)


async def test_the_most_specific_rule_wins(db: Database, shop: Shop, planner: Client) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    kitchen, cups = await categories(db, shop, "kitchen", "cups")
    await put_into(db, item, cups)
    await made(shop, store, item)
    await made(shop, other, item)
    assert (await of(db, store, item), await of(db, other, item)) == (0, 0)
    rules: list[tuple[dict[str, Any], int, int]] = [
        ({"location": store.code, "quantity": 1}, 1, 0),
        ({"category": kitchen, "quantity": 2}, 2, 2),
        ({"category": cups, "quantity": 3}, 3, 3),
        ({"location": store.code, "category": kitchen, "quantity": 4}, 4, 3),
        ({"location": store.code, "category": cups, "quantity": 5}, 5, 3),
        ({"sku": item.sku, "quantity": 6}, 6, 6),
        ({"location": store.code, "sku": item.sku, "quantity": 0}, 0, 6),
    ]
    for rule, here, there in rules:
        assert await put(planner, rule) == {"changed": 1, "cleared": 0, "unchanged": 0, "settled": True}
        assert (await of(db, store, item), await of(db, other, item)) == (here, there), rule
    assert await put(planner, *(rule for rule, *_ in rules)) == {
        "changed": 0, "cleared": 0, "unchanged": 7, "settled": True,
    }  # fmt: skip
    late = await shop.item()
    await put_into(db, late, cups)
    await made(shop, store, late)
    assert await of(db, store, late) == 5
    cleared = [rule | {"quantity": None} for rule, *_ in reversed(rules)]
    for n, rule in enumerate(cleared):
        assert (await put(planner, rule))["cleared"] == 1
        expected = rules[-n - 2][1:] if n < len(rules) - 1 else (0, 0)
        assert (await of(db, store, item), await of(db, other, item)) == expected
    assert await put(planner, cleared[0]) == {"changed": 0, "cleared": 0, "unchanged": 1, "settled": True}


async def test_goods_that_move_to_another_category_take_its_rule(db: Database, shop: Shop, planner: Client) -> None:
    store, item = await shop.store(), await shop.item()
    kitchen, cups = await categories(db, shop, "kitchen", "cups")
    (gifts,) = await categories(db, shop, "gifts")
    await made(shop, store, item)
    await put(planner, {"category": kitchen, "quantity": 2}, {"location": store.code, "category": gifts, "quantity": 7})
    await outbox.drain(db, parts.subscribers())
    for category, expected in ((cups, 2), (gifts, 7), (kitchen, 2)):
        await put_into(db, item, category)
        await outbox.drain(db, parts.subscribers())
        assert await safety.settle(db)
        assert await of(db, store, item) == expected
    await put_into(db, item, cups)
    moved = catalog.CategoryInput(code=cups, name={"en": "Cups"}, parent=gifts)
    await db.write(catalog.upsert_categories, shop.system, categories=[moved])
    await db.write(catalog.upsert_categories, shop.system, categories=[moved])
    await outbox.drain(db, parts.subscribers())
    assert await safety.settle(db)
    assert await of(db, store, item) == 7


async def test_a_large_change_goes_on_behind_the_request(
    db: Database, shop: Shop, planner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, items = await shop.store(), [await shop.item(price=None) for _ in range(5)]
    for item in items:
        await made(shop, store, item)
    monkeypatch.setattr(safety, "CHUNK", 2)
    monkeypatch.setattr(safety, "AT_ONCE", 2)
    answer = await put(planner, {"location": store.code, "quantity": 3})
    assert answer == {"changed": 1, "cleared": 0, "unchanged": 0, "settled": False}
    seen = sorted([(item.id, await of(db, store, item)) for item in items])
    assert [quantity for _, quantity in seen] == [3, 3, 0, 0, 0]
    await safety.settle_left_over(db)
    assert [await of(db, store, item) for item in items] == [3] * 5
    assert await put(planner, {"location": store.code, "quantity": 3}) == {
        "changed": 0, "cleared": 0, "unchanged": 1, "settled": True,
    }  # fmt: skip


async def test_a_level_that_is_made_beside_a_change_has_it(db: Database, shop: Shop, planner: Client) -> None:
    """It was made by the rules of before, and is committed after them: the change waits for it."""
    store, item = await shop.store(), await shop.item()
    resolved, changed = asyncio.Event(), asyncio.Event()

    async def slow(tx: Tx) -> None:
        await tx.execute(
            "INSERT INTO stock.levels (location_id, variant_id) VALUES (:l, :v)", l=store.id, v=item.id
        )  # fmt: skip
        await safety.resolve(tx, [(store.id, item.id)])
        resolved.set()
        await changed.wait()

    making = asyncio.create_task(db.write(slow))
    await resolved.wait()
    written = await db.write(
        safety.write_rules, planner.actor,
        command=safety.SetSafety(rules=[safety.SafetyRule(location=store.code, quantity=4)]),
    )  # fmt: skip
    assert written.changed == 1
    steps = [await db.write(safety.settle_chunk) for _ in range(3)]
    assert steps == ["more", "wait", "wait"]
    changed.set()
    await making
    assert await of(db, store, item) == 0
    assert await safety.settle(db)
    assert await of(db, store, item) == 4


async def test_one_cheap_statement_without_rules(db: Database) -> None:
    async with count_statements(db) as sent:
        await db.write(safety.resolve, [(uuid7(), uuid7())])
    assert len(sent) == 3, sent


async def test_rules_are_listed_to_those_whom_they_concern(db: Database, shop: Shop, planner: Client) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    await put(
        planner,
        {"location": store.code, "quantity": 1},
        {"location": other.code, "sku": item.sku, "quantity": 2},
        {"sku": item.sku, "quantity": 3},
        {"category": "things", "quantity": 4},
    )

    async def listed(client: Client) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        cursor = ""
        while True:
            page = (await client.get(f"/v1/stock/safety?limit=1{cursor}")).json()
            found += [(r["location"], r["sku"], r["category"], r["quantity"]) for r in page["items"]]
            if page["next_cursor"] is None:
                return sorted(found, key=lambda rule: rule[3])
            cursor = f"&cursor={page['next_cursor']}"

    all_of_them = [
        (store.code, None, None, 1), (other.code, item.sku, None, 2), (None, item.sku, None, 3), (None, None, "things", 4),
    ]  # fmt: skip
    assert await listed(planner) == all_of_them
    manager = await shop.staff("store_manager", store.code)
    assert await listed(manager) == [rule for rule in all_of_them if rule[0] != other.code]
    assert (
        await manager.put("/v1/stock/safety", {"rules": [{"location": store.code, "quantity": 1}]})
    ).status_code == 403


async def test_a_scope_is_refused_in_the_language_of_the_reader(shop: Shop, planner: Client) -> None:
    item = await shop.item()
    rule = {"sku": item.sku, "quantity": 1}
    for wrong, reason in (
        ([{"quantity": 1}], "ничего не названо"),
        ([rule | {"category": "things"}], "названы и товар, и категория"),
        ([rule, rule], "указано дважды"),
    ):
        answer = await planner.put("/v1/stock/safety", {"rules": wrong}, headers={"Accept-Language": "ru"})
        assert answer.json()["detail"].startswith(f"Правило {len(wrong) - 1} (с 0) задано неверно: {reason}. ")


@pytest.mark.parametrize(
    ("rules", "status", "code"),
    [
        ([{"quantity": 1}], 422, "safety-scope"),
        ([{"sku": "@", "category": "things", "quantity": 1}], 422, "safety-scope"),
        ([{"sku": "@", "quantity": 1}, {"sku": "@", "quantity": 2}], 422, "safety-scope"),
        ([{"sku": "NO-SUCH", "quantity": 1}], 404, "unknown-sku"),
        ([{"location": "nowhere", "quantity": 1}], 404, "unknown-location"),
        ([{"category": "no-such", "quantity": 1}], 404, "unknown-category"),
        ([{"sku": "@", "quantity": -1}], 400, "bad-input"),
        ([{"sku": "@"}], 400, "bad-input"),
        ([], 400, "bad-input"),
    ],
)
async def test_what_is_refused(
    db: Database, shop: Shop, planner: Client, rules: list[dict[str, Any]], status: int, code: str
) -> None:
    item = await shop.item()
    named = [rule | {"sku": item.sku} if rule.get("sku") == "@" else rule for rule in rules]
    good = {"sku": (await shop.item()).sku, "quantity": 9}
    answer = await planner.put("/v1/stock/safety", {"rules": [good, *named] if rules else []})
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")
    assert await db.read(_rules_of, item.id) == 0


async def _rules_of(tx: Tx, variant_id: UUID) -> int:
    return int(await tx.scalar("SELECT count(*) FROM stock.safety_rules WHERE variant_id = :v", v=variant_id))


async def test_a_planner_of_one_store_plans_for_it_alone(shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    local = await shop.staff("back_office", store.code, channel="back_office")
    for rule, status in (
        ({"location": store.code, "quantity": 1}, 200),
        ({"location": other.code, "quantity": 1}, 403),
        ({"category": "things", "quantity": 1}, 403),
    ):
        answer = await local.put("/v1/stock/safety", {"rules": [rule]})
        assert answer.status_code == status, answer.text
