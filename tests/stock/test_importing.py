"""Stock files: absolute and relative, broken lines, promises in the way, the same file again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from commerce import stock
from commerce.catalog import tables as catalog_tables
from commerce.infra.db import Database, Tx
from commerce.infra.importing import ErrorReport, ImportRefused, Item, Load, Loaded, Report, as_text
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.stock import importing
from tests.stock.shelves import aside, demand, fresh, fulfillment, shelf
from tests.support import Shop

pytestmark = pytest.mark.usefixtures("audited")


async def load(
    db: Database, shop: Shop, path: Path, text: str, *, dry_run: bool = False, all_or_nothing: bool = False
) -> tuple[Report, list[tuple[int, str, str]]]:
    path.write_text(text)  # noqa: ASYNC240
    errors = ErrorReport(io.StringIO())
    report = await importing.run(
        db, shop.system, path, currency="RUB", dry_run=dry_run, all_or_nothing=all_or_nothing, errors=errors
    )
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


async def test_all_or_nothing(db: Database, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a line fits is judged as if the lines before had been loaded, in chunks that are long past."""
    monkeypatch.setattr("commerce.infra.importing.CHUNK_ROWS", 1)
    store, item, more = await shop.store(), await shop.item(), await shop.item()
    head = "location,sku,quantity,mode\n"
    good = (
        f"{store.code},{item.sku},5,delta\n"
        f"{store.code},{item.sku},-3,delta\n"
        f"{store.code},{item.sku},4,absolute\n"
        f"{store.code},{more.sku},1,absolute\n"
    )
    bad = (
        good + f"{store.code},{item.sku},-5,delta\n{store.code},NO-SUCH,1,delta\n{store.code},{item.sku},9999999999,delta\n"
    )  # fmt: skip
    path = tmp_path / "stock.csv"
    report, faults = await load(db, shop, path, head + bad, all_or_nothing=True)
    assert (report.refused, report.lines, report.rows, report.counts, report.faults) == (True, 7, 0, {}, 3)
    assert sorted(faults) == [
        (6, "quantity", "only 4 are there to take away"),
        (7, "sku", "there is no variant NO-SUCH"),
        (8, "quantity", "Expected `int` <= 2147483647"),
    ]
    assert as_text(report, dry_run=False) == "nothing imported: 7 lines, 3 faults"
    assert await shelf(db, store, item) == (0, 0, 0)
    dry, _ = await load(db, shop, path, head + good, dry_run=True, all_or_nothing=True)
    assert (dry.refused, dry.rows, dry.counts) == (False, 4, {"levels changed": 4, "unchanged": 0})
    assert await shelf(db, store, item) == (0, 0, 0)
    for changed in (4, 0):
        report, faults = await load(db, shop, path, head + good, all_or_nothing=True)
        assert (report.refused, report.rows, report.counts, faults) == (
            False, 4, {"levels changed": changed, "unchanged": 4 - changed}, [],
        )  # fmt: skip
        assert await shelf(db, store, item) == (4, 0, 0)
    report, faults = await load(db, shop, path, head + bad)
    assert (report.refused, report.counts, len(faults)) == (False, {"levels changed": 3, "unchanged": 1}, 3)


async def test_a_fault_between_the_two_passes_stops_the_import(
    db: Database, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Goods that were there in the first pass are sold before the second."""
    monkeypatch.setattr("commerce.infra.importing.CHUNK_ROWS", 1)
    store, item, more = await shop.store(), await shop.item(), await shop.item()
    await shop.stock(store, item, 5)
    rehearser = importing.rehearser

    def slow(name: str, content: str) -> Load[importing.StockLine]:
        rehearse = rehearser(name, content)

        async def work(tx: Tx, actor: Actor, items: Sequence[Item[importing.StockLine]]) -> Loaded:
            loaded = await rehearse(tx, actor, items)
            if items[0].line == 4:
                sold = stock.SaleLine(line_id=uuid7(), variant_id=item.id, quantity=3)
                await db.write(
                    stock.sell, shop.system, cause=fresh("till_sale"), location_id=store.id, lines=[sold]
                )  # fmt: skip
            return loaded

        return work

    monkeypatch.setattr(importing, "rehearser", slow)
    text = "location,sku,quantity,mode\n" + "".join(
        f"{store.code},{sku},{quantity},delta\n" for sku, quantity in ((more.sku, 1), (item.sku, -4), (more.sku, 2))
    )
    report, faults = await load(db, shop, tmp_path / "stock.csv", text, all_or_nothing=True)
    assert (report.refused, report.rows, report.lines) == (True, 1, 3)
    assert faults == [(3, "quantity", "only 2 are there to take away")]
    assert as_text(report, dry_run=False).startswith("stopped at a fault: 3 lines, 1 rows imported")
    assert (await shelf(db, store, more), await shelf(db, store, item)) == ((1, 0, 0), (2, 0, 0))
    monkeypatch.setattr(importing, "rehearser", rehearser)
    await shop.stock(store, item, 2)
    report, faults = await load(db, shop, tmp_path / "stock.csv", text, all_or_nothing=True)
    assert (report.resumed_at_line, report.rows, faults) == (2, 2, [])
    assert (await shelf(db, store, more), await shelf(db, store, item)) == ((3, 0, 0), (0, 0, 0))


async def test_lines_through_the_api(db: Database, shop: Shop) -> None:
    store, item, more = await shop.store(), await shop.item(), await shop.item()
    office = await shop.staff("back_office", channel="back_office")
    lines = [
        {"location": store.code, "sku": item.sku, "quantity": 6, "unit_cost": 250},
        {"location": store.code, "sku": more.sku, "quantity": 2, "mode": "delta"},
        {"location": store.code, "sku": more.sku, "quantity": -9, "mode": "delta"},
        {"location": "nowhere", "sku": more.sku, "quantity": 1},
    ]
    faults = [
        {"line": 3, "field": "quantity", "reason": "only 2 are there to take away"},
        {"line": 4, "field": "location", "reason": "there is no location nowhere"},
    ]
    body = {"name": "shelf of hall 2", "lines": lines}
    answer = await office.post("/v1/stock/imports", body | {"all_or_nothing": True})
    assert (answer.status_code, answer.json()) == (
        200, {"lines": 4, "changed": 0, "unchanged": 0, "refused": True, "faults": faults},
    )  # fmt: skip
    assert await shelf(db, store, item) == (0, 0, 0)
    for changed in (2, 0):
        answer = await office.post("/v1/stock/imports", body)
        assert answer.json() == {
            "lines": 4, "changed": changed, "unchanged": 2 - changed, "refused": False, "faults": faults,
        }  # fmt: skip
        assert (await shelf(db, store, item), await shelf(db, store, more)) == ((6, 0, 0), (2, 0, 0))
    answer = await office.post("/v1/stock/imports", body | {"name": "shelf of hall 3", "lines": lines[1:2]})
    assert (answer.json()["changed"], await shelf(db, store, more)) == (1, (4, 0, 0))
    page = await db.read(stock.history, more.id)
    assert [entry.reason for entry in page.items] == ["import of shelf of hall 3", "import of shelf of hall 2"]


async def test_what_an_import_through_the_api_refuses(db: Database, shop: Shop) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item()
    office, local = await shop.staff("back_office"), await shop.staff("back_office", other.code)
    line = {"location": store.code, "sku": item.sku, "quantity": 5}
    for client, lines, status, code in (
        (local, [line], 403, "not-your-stock"),
        (office, [line | {"quantity": 2**31}], 400, "bad-input"),
        (office, [line | {"available": 5}], 400, "bad-input"),
        (office, [line] * 1001, 400, "bad-input"),
        (office, [], 400, "bad-input"),
    ):
        answer = await client.post("/v1/stock/imports", {"name": "x", "lines": lines})
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}")
    assert await shelf(db, store, item) == (0, 0, 0)


async def test_a_bundle_has_no_stock_to_import(db: Database, shop: Shop, tmp_path: Path) -> None:
    store, part, bundle = await shop.store(), await shop.item(), await shop.item(bundle=True)

    async def made_of(tx: Tx) -> None:
        tx.queue(catalog_tables.components, bundle_id=bundle.id, component_id=part.id, quantity=2)

    await db.write(made_of)
    _, faults = await load(db, shop, tmp_path / "stock.csv", f"location,sku,quantity\n{store.code},{bundle.sku},5\n")
    assert faults == [(2, "sku", f"{bundle.sku} is a bundle: its stock is that of its components")]


async def test_what_is_far_beyond_the_books_is_named(db: Database, shop: Shop, tmp_path: Path) -> None:
    store, item = await shop.store(), await shop.item()
    numbers = (2**31, -(2**31), 2**63, 2**64, 10**30)
    lines = "".join(f"{store.code},{item.sku},{number}\n" for number in numbers)
    _, faults = await load(db, shop, tmp_path / "stock.csv", "location,sku,quantity\n" + lines)
    assert [(line, field) for line, field, _ in faults] == [(n, "quantity") for n in range(2, 7)]
    lines = "".join(
        f'{{"location": "{store.code}", "sku": "{item.sku}", "quantity": {number}}}\n' for number in numbers
    )
    _, faults = await load(db, shop, tmp_path / "stock.ndjson", lines)
    assert [(line, field) for line, field, _ in faults] == [(n, "quantity") for n in range(1, 6)]
    assert await shelf(db, store, item) == (0, 0, 0)
