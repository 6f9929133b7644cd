"""Comparison with another system's snapshot: differences are named on both sides, nothing is changed."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from commerce import stock
from commerce.infra.db import Database
from commerce.infra.importing import ErrorReport
from commerce.stock import closings, comparing, exporting
from tests.stock.shelves import demand, fresh, fulfillment, shelf
from tests.support import Item, Shop, Store

pytestmark = pytest.mark.usefixtures("audited")


async def compared(
    db: Database, path: Path, text: str, **options: Any
) -> tuple[comparing.Comparison, list[tuple[str, ...]], list[tuple[int, str, str]]]:
    path.write_text(text)  # noqa: ASYNC240
    out, errors = io.StringIO(newline=""), ErrorReport(io.StringIO())
    found = await comparing.run(db, path, out=out, errors=errors, **options)
    head, *rows = [tuple(row) for row in csv.reader(io.StringIO(out.getvalue()))]
    assert head == comparing.DIFFERENCES
    return found, rows, [(fault.line, fault.field, fault.reason) for fault in errors.first]


async def moved_at(db: Database, store: Store, item: Item) -> str:
    page = await db.read(stock.history, item.id, [store.id])
    return max(entry.occurred_at for entry in page.items).isoformat()


async def test_differences_of_both_sides_are_listed(db: Database, shop: Shop, tmp_path: Path) -> None:
    store, untouched = await shop.store(), await shop.store()
    same, more, less, ours, theirs, damaged = [await shop.item() for _ in range(6)]
    for item in (same, more, less, ours, damaged):
        await shop.stock(store, item, 10)
    await shop.stock(untouched, ours, 10)
    await db.write(stock.promise, shop.system, owner=fulfillment(), demands=[demand(store, same, 4)], cause=fresh())
    await db.write(
        stock.adjust, shop.system, cause=fresh("adjustment"), location_id=store.id, variant_id=damaged.id, delta=-3, reason="damage",
    )  # fmt: skip
    text = (
        "location,sku,quantity,bucket\n"
        f"{store.code},{same.sku},10,\n"
        f"{store.code},{more.sku},12,for_sale\n"
        f"{store.code},{less.sku},8,on_hand\n"
        f"{store.code},{theirs.sku},5,\n"
        f"{store.code},{damaged.sku},7,\n"
        f"{store.code},{damaged.sku},2,damaged\n"
        f"nowhere,{same.sku},1,\n"
        f"{store.code},NO-SUCH,1,\n"
        f"{store.code},{same.sku},10,\n"
        f"{store.code},{same.sku},2147483648,on_hand\n"
        f"{store.code},{same.sku},99999999999999999999,on_hand\n"
        f"{store.code},{same.sku},1,ats\n"
    )
    found, rows, faults = await compared(db, tmp_path / "night.csv", text)
    at = {item.sku: await moved_at(db, store, item) for item in (more, less, ours, damaged)}
    missing = {
        (ours.id, 0): (store.code, ours.sku, "for_sale", "10", "", "-10", at[ours.sku]),
        (ours.id, 1): (store.code, ours.sku, "on_hand", "10", "", "-10", at[ours.sku]),
        (more.id, 1): (store.code, more.sku, "on_hand", "10", "", "-10", at[more.sku]),
        (less.id, 0): (store.code, less.sku, "for_sale", "10", "", "-10", at[less.sku]),
        (damaged.id, 1): (store.code, damaged.sku, "on_hand", "10", "", "-10", at[damaged.sku]),
        (same.id, 1): (store.code, same.sku, "on_hand", "10", "", "-10", await moved_at(db, store, same)),
    }
    assert rows == [
        (store.code, more.sku, "for_sale", "10", "12", "2", at[more.sku]),
        (store.code, less.sku, "on_hand", "10", "8", "-2", at[less.sku]),
        (store.code, theirs.sku, "for_sale", "0", "5", "5", ""),
        (store.code, damaged.sku, "damaged", "3", "2", "-1", at[damaged.sku]),
        *(missing[key] for key in sorted(missing)),
    ]
    assert sorted(faults) == [
        (8, "location", "there is no location nowhere"),
        (9, "sku", "there is no variant NO-SUCH"),
        (10, "sku", f"{same.sku} stands twice for {store.code}, counted for_sale"),
        (11, "quantity", "Expected `int` <= 2147483647"),
        (12, "quantity", "Expected `int` <= 2147483647"),
        (13, "bucket", "Invalid enum value 'ats'"),
    ]
    assert found == comparing.Comparison(lines=12, equal=2, different=4, missing=6, faults=6)
    assert not found.same
    part, rows, _ = await compared(db, tmp_path / "night.csv", text, whole=False)
    assert (part.missing, len(rows)) == (0, 4)
    assert await shelf(db, store, more) == (10, 0, 0)


async def test_our_own_export_has_no_differences(
    db: Database, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, items = await shop.store(), [await shop.item(price=None) for _ in range(5)]
    for item in items:
        await shop.stock(store, item, 5)
    monkeypatch.setattr(comparing, "CHUNK", 2)
    for form, name in (("csv", "ours.csv"), ("ndjson", "ours.ndjson")):
        out = io.BytesIO()
        await exporting.write(db, out, location=store.code, since=None, form=form)  # type: ignore[arg-type]
        found, rows, faults = await compared(db, tmp_path / name, out.getvalue().decode())
        assert (found, rows, faults) == (comparing.Comparison(lines=5, equal=5), [], [])
        assert found.same
    await shop.stock(store, items[3], 1)
    text = "".join(out.getvalue().decode().splitlines(keepends=True)[:3])
    found, rows, _ = await compared(db, tmp_path / "ours.ndjson", text)
    assert (found.equal + found.different, found.missing) == (3, 2)


async def test_last_nights_snapshot_is_compared_with_last_nights_levels(
    db: Database, shop: Shop, tmp_path: Path
) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 10)
    night = await db.write(closings.settled_until)
    await closings.close(db, until=night)
    await shop.stock(store, item, 5)
    text = f"location,sku,quantity\n{store.code},{item.sku},10\n"
    found, rows, _ = await compared(db, tmp_path / "night.csv", text, as_of=night)
    assert (found.same, rows) == (True, [])
    found, rows, _ = await compared(db, tmp_path / "night.csv", text)
    assert [row[2:6] for row in rows] == [("for_sale", "15", "10", "-5")]


async def test_a_comparison_through_the_api(db: Database, shop: Shop) -> None:
    store, item, other = await shop.store(), await shop.item(), await shop.item()
    for thing in (item, other):
        await shop.stock(store, thing, 10)
    office = await shop.staff("back_office")
    lines = [
        {"location": store.code, "sku": item.sku, "quantity": 9},
        {"location": store.code, "sku": item.sku, "quantity": 10, "bucket": "on_hand"},
        {"location": store.code, "sku": "NO-SUCH", "quantity": 1},
    ]
    answer = await office.post("/v1/stock/comparisons", {"lines": lines[:1] + lines[2:], "whole": True})
    assert answer.status_code == 200, answer.text
    moved = [
        datetime.fromisoformat(difference.pop("last_movement_at")).isoformat()
        for difference in answer.json()["differences"]
    ]
    assert moved == [await moved_at(db, store, item), await moved_at(db, store, other)]
    found = answer.json()
    for difference in found["differences"]:
        del difference["last_movement_at"]
    assert found == {
        "lines": 2, "equal": 0, "different": 1, "missing": 1,
        "differences": [
            {"location": store.code, "sku": item.sku, "bucket": "for_sale", "ours": 10, "theirs": 9, "delta": -1},
            {"location": store.code, "sku": other.sku, "bucket": "for_sale", "ours": 10, "theirs": None, "delta": -10},
        ],
        "faults": [{"line": 2, "field": "sku", "reason": "there is no variant NO-SUCH"}],
    }  # fmt: skip
    answer = await office.post("/v1/stock/comparisons", {"lines": lines})
    assert (answer.json()["equal"], answer.json()["missing"]) == (1, 0)
    assert await shelf(db, store, item) == (10, 0, 0)


async def test_what_a_comparison_refuses(shop: Shop) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    office, local = await shop.staff("back_office"), await shop.staff("back_office", other.code)
    line = {"location": store.code, "sku": item.sku, "quantity": 9}
    for client, body, status, code in (
        (local, {"lines": [line]}, 403, "not-your-stock"),
        (office, {"lines": [line], "as_of": "2999-01-01T00:00:00Z"}, 422, "not-past"),
        (office, {"lines": [line | {"quantity": 2**31}]}, 400, "bad-input"),
        (office, {"lines": []}, 400, "bad-input"),
        (office, {"lines": [line] * 1001}, 400, "bad-input"),
    ):
        answer = await client.post("/v1/stock/comparisons", body)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")
