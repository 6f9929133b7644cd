"""What a process remembers of variants is never shown once it is no longer so."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from commerce import catalog
from commerce.catalog import remembered
from commerce.catalog.remembered import NO_STAMP, Remembered
from commerce.infra.db import Database, Tx
from tests.support import Item, Shop


async def by_id(db: Database, item: Item) -> catalog.Variant:
    return (await db.read(catalog.variants, [item.id]))[item.id]


async def by_sku(db: Database, item: Item) -> catalog.Variant:
    return (await db.read(catalog.by_skus, [item.sku]))[item.sku]


async def execute(db: Database, statement: str, **values: Any) -> None:
    async def work(tx: Tx) -> None:
        assert await tx.execute(statement, **values) == 1

    await db.write(work)


async def test_what_did_not_change_is_not_read_again(shop: Shop, db: Database) -> None:
    item = await shop.item()
    first = await by_id(db, item)
    assert await by_id(db, item) is first
    assert await by_sku(db, item) is first
    writer = await db.write(catalog.by_skus, [item.sku])
    assert writer[item.sku] is first


@pytest.mark.parametrize(
    ("statement", "field", "value"),
    [
        ("UPDATE catalog.variants SET stop_sale_reason = 'recall' WHERE id = :variant", "stop_sale_reason", "recall"),
        ("UPDATE catalog.variants SET maximum_per_order = 3 WHERE id = :variant", "maximum_per_order", 3),
        ("UPDATE catalog.products SET published = false WHERE id = :product", "published", False),
        ('UPDATE catalog.products SET title = \'{"en": "New"}\' WHERE id = :product', "title", {"en": "New"}),
        (
            "UPDATE catalog.categories SET path = ARRAY['up', code] WHERE id = (SELECT category_id FROM catalog.products WHERE id = :product)",
            "category_path",
            None,
        ),
        ("UPDATE catalog.return_policies SET defect_days = defect_days + 1 WHERE code = :policy", "defect_days", None),
    ],
)
async def test_a_change_of_any_row_shows_at_once(
    shop: Shop, db: Database, statement: str, field: str, value: Any
) -> None:
    item = await shop.item()
    before = await by_id(db, item)
    names = {"variant": item.id, "product": item.product_id, "policy": before.return_policy}
    await execute(db, statement, **{name: one for name, one in names.items() if f":{name}" in statement})
    try:
        for after in (await by_id(db, item), await by_sku(db, item)):
            changed = getattr(after, field)
            assert changed != getattr(before, field)
            if field == "defect_days":
                assert changed == before.defect_days + 1
            elif field == "category_path":
                assert changed == ["up", before.category_path[-1]]
            else:
                assert changed == value
    finally:
        if field == "category_path":
            await execute(
                db, "UPDATE catalog.categories SET path = CAST(:path AS text[]) WHERE code = :code",
                path=before.category_path, code=before.category_path[-1],
            )  # fmt: skip
        elif field == "defect_days":
            await execute(
                db, "UPDATE catalog.return_policies SET defect_days = :days WHERE code = :code",
                days=before.defect_days, code=before.return_policy,
            )  # fmt: skip


async def test_what_was_never_committed_is_seen_by_its_own_transaction_only(shop: Shop, db: Database) -> None:
    item = await shop.item()
    before = await by_id(db, item)
    changed, seen = asyncio.Event(), asyncio.Event()

    class Undo(Exception):
        pass

    async def change(tx: Tx) -> None:
        for reason in ("first", "second"):
            await tx.execute("UPDATE catalog.variants SET stop_sale_reason = :r WHERE id = :v", r=reason, v=item.id)
            assert (await catalog.variants(tx, [item.id]))[item.id].stop_sale_reason == reason
        changed.set()
        await seen.wait()
        raise Undo

    undone = asyncio.create_task(db.write(change))
    await changed.wait()
    assert await by_id(db, item) is before
    seen.set()
    with pytest.raises(Undo):
        await undone
    assert await by_id(db, item) is before


async def test_a_bundle_is_never_remembered(shop: Shop, db: Database) -> None:
    part = await shop.item()
    bundle = await shop.bundle({part: 2})
    assert (await by_id(db, bundle)).stop_sale_reason is None
    await execute(db, "UPDATE catalog.variants SET stop_sale_reason = 'recall' WHERE id = :v", v=part.id)
    assert (await by_id(db, bundle)).stop_sale_reason == "recall"
    assert (await by_sku(db, bundle)).components[0].quantity == 2


async def test_each_is_answered_once_and_unknown_ones_not_at_all(shop: Shop, db: Database) -> None:
    known, new = await shop.item(), await shop.item()
    await by_id(db, known)
    nobody = UUID(int=7)
    found = await db.read(catalog.variants, [new.id, nobody, known.id, new.id])
    assert {id_: variant.sku for id_, variant in found.items()} == {
        new.id: new.sku, known.id: known.sku,
    }  # fmt: skip
    assert set(await db.read(catalog.by_skus, [known.sku, "NO-SUCH", new.sku])) == {known.sku, new.sku}


async def test_the_memory_is_bounded(shop: Shop, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MOST", 2)
    variants = [await by_id(db, await shop.item()) for _ in range(3)]
    memory = Remembered()
    for n, variant in enumerate(variants):
        memory.keep(bytes([n]) * 16, variant)
    ids = [variant.id for variant in variants]
    assert list(memory.named([*ids, None])) == ids[1:]
    assert memory.stamps(memory.named(ids), ids) == NO_STAMP + b"\x01" * 16 + b"\x02" * 16
    assert memory.ids == {variant.sku: variant.id for variant in variants[1:]}
