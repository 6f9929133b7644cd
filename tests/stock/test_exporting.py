"""Exports: levels and what has changed, what is exported imported again, streamed by the API and by the command."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from commerce import stock
from commerce.infra.db import Database
from commerce.stock import closings, exporting, importing
from commerce.stock.schemas import AdjustmentReason
from tests.stock.shelves import demand, fresh, fulfillment, safety, shelf
from tests.support import Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")


async def written(
    db: Database, store: Store | None, form: exporting.Format, since: datetime | None = None
) -> tuple[str, int, datetime]:
    out = io.BytesIO()
    count, until = await exporting.write(
        db, out, location=store.code if store else None, since=since, form=form
    )  # fmt: skip
    return out.getvalue().decode(), count, until


def parsed(text: str) -> dict[str, dict[str, Any]]:
    return {line["sku"]: line for line in map(json.loads, text.splitlines())}


async def stocked(shop: Shop) -> tuple[Store, Item, Item]:
    """One with 10, of which 4 are promised and 1 is damaged, 2 kept; another with none any more."""
    store, item, gone = await shop.store(), await shop.item(), await shop.item()
    await shop.stock(store, item, 10)
    await shop.stock(store, gone, 1)
    await shop.db.write(
        stock.promise, shop.system, owner=fulfillment(), demands=[demand(store, item, 4)], cause=fresh()
    )
    reasons: list[tuple[Item, AdjustmentReason]] = [(item, "damage"), (gone, "theft")]
    for thing, reason in reasons:
        await shop.db.write(
            stock.adjust, shop.system, cause=fresh("adjustment"), location_id=store.id, variant_id=thing.id, delta=-1, reason=reason,
        )  # fmt: skip
    return store, item, gone


async def test_levels_are_exported_and_imported_again(
    db: Database, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, item, gone = await stocked(shop)
    await safety(shop, store, item, 2)
    monkeypatch.setattr(exporting, "CHUNK", 1)
    text, count, _ = await written(db, store, "csv")
    rows = {
        item.id: f"{store.code},{item.sku},9,absolute,5,0,4,0,1,0,0,10,2,3",
        gone.id: f"{store.code},{gone.sku},0,absolute,0,0,0,0,0,0,0,0,0,0",
    }
    assert text.splitlines() == [",".join(exporting.COLUMNS), *(rows[key] for key in sorted(rows))]
    assert count == 2
    lines, _, _ = await written(db, store, "ndjson")
    assert parsed(lines)[item.sku] == {
        "location": store.code, "sku": item.sku, "quantity": 9, "mode": "absolute", "available": 5, "reserved": 0, "committed": 4,
        "quality_control": 0, "damaged": 1, "in_transit": 0, "in_transit_committed": 0, "on_hand": 10, "safety_stock": 2, "ats": 3,
    }  # fmt: skip
    await shop.stock(store, item, 20)
    for name, content in (("levels.csv", text), ("levels.ndjson", lines)):
        (tmp_path / name).write_text(content)
        report = await importing.run(db, shop.system, tmp_path / name, currency="RUB")
        assert (report.rows, report.faults) == (2, 0)
        assert await shelf(db, store, item) == (5, 0, 4)
    await safety(shop, store, item, 0)


async def test_what_has_changed_is_told_once_and_can_be_carried_over(db: Database, shop: Shop, tmp_path: Path) -> None:
    store, item, gone = await stocked(shop)
    still, come = await shop.item(), await shop.item()
    await shop.stock(store, still, 3)
    nothing, count, since = await written(db, store, "csv", await db.write(closings.settled_until))
    assert (nothing.splitlines(), count) == ([",".join(exporting.COLUMNS)], 0)
    long_ago = clock() - timedelta(days=3)
    await shop.stock(store, come, 7)
    await db.write(
        stock.adjust, shop.system, cause=fresh("adjustment"), location_id=store.id, variant_id=item.id, delta=-2, reason="damage",
        occurred_at=long_ago,
    )  # fmt: skip
    lines, count, until = await written(db, store, "ndjson", since)
    assert count == 2
    assert until > since
    told = parsed(lines)
    assert (told[come.sku]["quantity"], told[come.sku]["mode"], told[come.sku]["on_hand"]) == (7, "delta", 7)
    assert {name: value for name, value in told[item.sku].items() if value} == {
        "location": store.code, "sku": item.sku, "quantity": -2, "mode": "delta", "available": -2, "damaged": 2,
    }  # fmt: skip
    assert (await written(db, store, "ndjson", until))[0] == ""
    whole = parsed((await written(db, store, "ndjson", long_ago - timedelta(days=1)))[0])
    assert {sku: line["quantity"] for sku, line in whole.items()} == {item.sku: 7, still.sku: 3, come.sku: 7}
    (tmp_path / "changes.ndjson").write_text(
        lines.replace(store.code, (other := await shop.store()).code).replace(item.sku, still.sku)
    )
    report = await importing.run(db, shop.system, tmp_path / "changes.ndjson", currency="RUB")
    assert (report.rows, report.faults) == (1, 1)
    assert await shelf(db, other, come) == (7, 0, 0)
    assert gone.sku not in told


async def test_the_api_streams_what_is_asked_for(shop: Shop) -> None:
    store, item, _ = await stocked(shop)
    other = await shop.store()
    await shop.stock(other, item, 1)
    office, staff = await shop.staff("back_office"), await shop.staff("associate", store.code)
    answer = await office.get(f"/v1/stock/export?location={store.code}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson")
    assert answer.headers["content-disposition"] == 'attachment; filename="stock.ndjson"'
    assert parsed(answer.text)[item.sku]["on_hand"] == 10
    for request in (
        office.get(f"/v1/stock/export?location={store.code}&format=csv"),
        office.get(f"/v1/stock/export?location={store.code}", headers={"Accept": "text/csv"}),
    ):
        answer = await request
        assert answer.headers["content-type"].split(";")[0] == "text/csv"
        assert answer.text.splitlines()[0] == ",".join(exporting.COLUMNS)
        assert len(answer.text.splitlines()) == 3
    until = answer.headers["export-until"].replace("+00:00", "Z")
    await shop.stock(store, item, 5)
    answer = await office.get(f"/v1/stock/export?location={store.code}&since={until}")
    assert [(line["quantity"], line["mode"]) for line in parsed(answer.text).values()] == [(5, "delta")]
    own = await staff.get("/v1/stock/export")
    assert {line["location"] for line in map(json.loads, own.text.splitlines())} == {store.code}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("location=nowhere", 404, "unknown-location"),
        ("since=2999-01-01T00:00:00Z", 422, "not-past"),
        ("since=2026-01-01T00:00:00", 400, "bad-input"),
        ("since=yesterday", 400, "bad-input"),
        ("format=xml", 400, "bad-input"),
    ],
)
async def test_what_is_refused_before_the_first_line(shop: Shop, query: str, status: int, code: str) -> None:
    office = await shop.staff("back_office")
    answer = await office.get(f"/v1/stock/export?{query}")
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")


async def test_another_stores_stock_is_not_exported(shop: Shop) -> None:
    store, other = await shop.store(), await shop.store()
    staff = await shop.staff("store_manager", store.code)
    answer = await staff.get(f"/v1/stock/export?location={other.code}")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-your-stock")
