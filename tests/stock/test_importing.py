"""Stock files: absolute and relative, broken lines, promises in the way, the same file again."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from commerce import stock
from commerce.infra.db import Database
from commerce.infra.importing import ErrorReport, ImportRefused, Report
from commerce.stock import importing
from tests.stock.shelves import aside, demand, fresh, fulfillment, shelf
from tests.support import Shop

pytestmark = pytest.mark.usefixtures("audited")


async def load(
    db: Database, shop: Shop, path: Path, text: str, *, dry_run: bool = False
) -> tuple[Report, list[tuple[int, str, str]]]:
    path.write_text(text)  # noqa: ASYNC240
    errors = ErrorReport(io.StringIO())
    report = await importing.run(db, shop.system, path, currency="RUB", dry_run=dry_run, errors=errors)
    return report, [(fault.line, fault.field, fault.reason) for fault in errors.first]


async def test_absolute_and_delta_and_the_same_file_again(db: Database, shop: Shop, tmp_path: Path) -> None:
    store, other, item, more = await shop.store(), await shop.store(), await shop.item(), await shop.item()
    await shop.stock(store, item, 10, unit_cost=100)
    text = (
        "location,sku,quantity,unit_cost,mode\n"
        f"{store.code},{item.sku},4,,absolute\n"
        f"{store.code},{more.sku},6,250,\n"
        f"{other.code},{item.sku},5,,delta\n"
        f"{other.code},{item.sku},-2,,delta\n"
        f"{other.code},{more.sku},0,,absolute\n"
    )
    dry, faults = await load(db, shop, tmp_path / "stock.csv", text, dry_run=True)
    assert (dry.rows, dry.counts, faults) == (5, {"levels changed": 4, "unchanged": 1}, [])
    assert await shelf(db, store, item) == (10, 0, 0)
    for changed in (4, 0):
        report, faults = await load(db, shop, tmp_path / "stock.csv", text)
        assert (report.rows, report.counts, faults) == (5, {"levels changed": changed, "unchanged": 5 - changed}, [])
        assert await shelf(db, store, item) == (4, 0, 0)
        assert await shelf(db, store, more) == (6, 0, 0)
        assert await shelf(db, other, item) == (3, 0, 0)
    page = await db.read(stock.history, more.id)
    assert [(e.from_place, e.quantity, e.unit_cost, e.cause_kind, e.reason) for e in page.items] == [
        ("supplier", 6, 250, "stock_import", "import of stock.csv")
    ]


async def test_lines_with_faults_are_named_and_the_rest_is_kept(db: Database, shop: Shop, tmp_path: Path) -> None:
    store, item = await shop.store(), await shop.item()
    text = (
        "location,sku,quantity,mode\n"
        f"nowhere,{item.sku},1,delta\n"
        f"{store.code},NO-SUCH,1,delta\n"
        f"{store.code},{item.sku},-1,absolute\n"
        f"{store.code},{item.sku},2147483648,delta\n"
        f"{store.code},{item.sku},2147483647,delta\n"
        f"{store.code},{item.sku},1,delta\n"
        f"{store.code},{item.sku},x,delta\n"
        f"{store.code},{item.sku},-2147483640,delta\n"
        f"{store.code},{item.sku},-8,delta\n"
    )
    report, faults = await load(db, shop, tmp_path / "stock.csv", text)
    assert (report.rows, report.counts) == (2, {"levels changed": 2, "unchanged": 0})
    assert sorted(faults) == [
        (2, "location", "there is no location nowhere"),
        (3, "sku", "there is no variant NO-SUCH"),
        (4, "quantity", "an absolute quantity is not negative"),
        (5, "quantity", "Expected `int` <= 2147483647"),
        (7, "quantity", "more than 2147483647 in one place"),
        (8, "quantity", "Expected `int`, got `str`"),
        (10, "quantity", "only 7 are there to take away"),
    ]
    assert await shelf(db, store, item) == (7, 0, 0)


async def test_a_file_counts_promised_goods_and_breaks_promises(db: Database, shop: Shop, tmp_path: Path) -> None:
    store, item, owner = await shop.store(), await shop.item(), fulfillment()
    await shop.stock(store, item, 5)
    await db.write(stock.promise, shop.system, owner=owner, demands=[demand(store, item, 4)], cause=fresh())
    line = '{{"location": "{}", "sku": "{}", "quantity": {}, "mode": "{}"}}\n'
    text = "".join(
        line.format(store.code, item.sku, quantity, mode)
        for quantity, mode in ((4, "absolute"), (3, "absolute"), (2, "delta"), (-4, "delta"))
    )
    for changed in (4, 0):
        report, faults = await load(db, shop, tmp_path / "stock.ndjson", text)
        assert (report.counts, faults) == ({"levels changed": changed, "unchanged": 4 - changed}, [])
        assert await aside(db, owner) == [("committed", 4, 1, 3)]
        assert await shelf(db, store, item) == (0, 0, 1)


async def test_a_file_without_its_columns_is_refused(db: Database, shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="lacks the column quantity"):
        await load(db, shop, tmp_path / "stock.csv", "location,sku\n")
