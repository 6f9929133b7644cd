"""Bulk import of the catalog: faults by line and field, dry run, going on after an interruption."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest

from commerce import catalog
from commerce.catalog import importing as catalog_import
from commerce.infra import importing
from commerce.infra.db import Database
from commerce.infra.importing import ErrorReport, ImportRefused, Report
from commerce.kernel.actor import system
from commerce.kernel.errors import Busy
from tests.support import Shop, unique

HEAD = [
    "slug", "sku", "category", "tax_class", "return_policy", "title.ru", "option.size", "option_text.ru.size", "barcodes",
    "weight_grams", "brand",
]  # fmt: skip


def record(slug: str, *skus: str, **values: Any) -> dict[str, Any]:
    return {
        "slug": slug, "title": {"ru": "Импорт"}, "category": "things",
        "variants": [{"sku": sku, "tax_class": "standard", "return_policy": "standard"} | values for sku in skus],
    }  # fmt: skip


def ndjson(path: Path, *records: Any) -> Path:
    path.write_bytes(b"".join((r if isinstance(r, bytes) else msgspec.json.encode(r)) + b"\n" for r in records))
    return path


def table(path: Path, *rows: list[str], head: list[str] | None = None) -> Path:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([head or HEAD, *rows])
    return path


async def run(db: Database, path: Path, *, dry_run: bool = False) -> tuple[Report, list[tuple[int, str, str]]]:
    out = io.StringIO()
    report = await catalog_import.run(
        db, system("import"), path, currency="RUB", dry_run=dry_run, errors=ErrorReport(out)
    )
    rows = list(csv.reader(io.StringIO(out.getvalue())))
    assert rows[0] == ["line", "field", "reason"]
    return report, [(int(line), field, reason) for line, field, reason in rows[1:]]


async def test_good_lines_are_imported_and_bad_ones_named(shop: Shop, db: Database, tmp_path: Path) -> None:
    item = await shop.item()
    a, b, c = (unique("imp").upper() for _ in range(3))
    slug = unique("imp")
    path = ndjson(
        tmp_path / "p.ndjson",
        record(slug, a, weight_grams=100),
        b"{not json}",
        record(unique("imp"), b, weight_grams=-1),
        record(unique("imp"), b, tax_class="nothing"),
        record(unique("imp"), item.sku),
        record(slug := unique("imp"), b, c),
        record(unique("imp"), unique("S").upper()) | {"category": "nothing"},
        record(unique("imp"), unique("S").upper(), barcodes=[{"code": "4006381333930"}]),
    )
    report, faults = await run(db, path)
    assert [(line, field) for line, field, _ in faults[:2]] == [(2, ""), (3, "variants[0].weight_grams")]
    assert sorted((line, field) for line, field, _ in faults[2:]) == [
        (4, "tax_class"), (5, "sku"), (6, "sku"), (7, "category"), (8, "barcodes"),
    ]  # fmt: skip
    assert {line: reason for line, _, reason in faults}[7] == "there is no category nothing"
    assert (report.lines, report.faults, report.counts["products created"]) == (8, len(faults), report.rows)
    found = await db.read(catalog.by_skus, [a, b, c, item.sku])
    assert a in found
    assert found[item.sku].slug != slug


async def test_rows_of_a_table_become_products(db: Database, shop: Shop, tmp_path: Path) -> None:
    first, second = unique("csv"), unique("csv")
    a, b, c, d = (unique("csv").upper() for _ in range(4))
    code = unique("c")
    path = table(
        tmp_path / "p.csv",
        [first, a, "things", "standard", "standard", "Шарф", "M", "средний", f"{code}*3|4006381333931", "120", "Knit"],
        [first, b, "things", "standard", "standard", "Шарф", "L", "", "", "heavy", "Knit"],
        [first, c, "things", "standard", "standard", "Шарф", "XL", "", "", "", "Other"],
        ["too", "short"],
        [second, d, "things", "standard", "standard", "Шапка", "", "", "", "", ""],
        ["", "", "", "", "", "", "", "", "", "", ""],
        ["Bad Slug", unique("X").upper(), "things", "standard", "standard", "Шапка", "", "", "", "", ""],
    )
    report, faults = await run(db, path)
    assert sorted((line, field) for line, field, _ in faults) == [
        (3, "weight_grams"),
        (4, "brand"),
        (5, ""),
        (8, "slug"),
    ]
    assert (report.rows, report.faults) == (2, 4)
    found = await db.read(catalog.by_skus, [a, b, c, d])
    assert set(found) == {a, d}
    assert (found[a].options, found[a].option_texts, found[a].title) == (
        {"size": "M"}, {"ru": {"size": "средний"}}, {"ru": "Шарф"},
    )  # fmt: skip
    office = await shop.staff("back_office")
    shown = (await office.get(f"/v1/catalog/variants/{a}")).json()
    assert (shown["weight_grams"], shown["brand"]) == (120, "Knit")
    assert {(entry["code"], entry["quantity"]) for entry in shown["barcodes"]} == {(code, 3), ("4006381333931", 1)}


async def test_a_dry_run_changes_nothing(db: Database, tmp_path: Path) -> None:
    sku = unique("dry").upper()
    path = ndjson(tmp_path / "p.ndjson", record(unique("dry"), sku), b"[]")
    report, faults = await run(db, path, dry_run=True)
    assert (report.rows, report.counts["products created"], [line for line, *_ in faults]) == (1, 1, [2])
    assert await db.read(catalog.by_skus, [sku]) == {}
    again, _ = await run(db, path)
    assert (again.resumed_at_line, again.counts["products created"]) == (0, 1)
    once_more, _ = await run(db, path)
    assert (once_more.resumed_at_line, once_more.counts) == (
        0, {"products created": 0, "products changed": 0, "products unchanged": 1},
    )  # fmt: skip


async def test_an_interrupted_import_goes_on_where_it_stopped(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "CHUNK_ROWS", 2)
    skus = [unique("res").upper() for _ in range(5)]
    path = ndjson(tmp_path / "p.ndjson", *(record(unique("res"), sku) for sku in skus))
    chunks = 0
    whole = catalog_import.load

    async def load(*given: Any) -> importing.Loaded:
        nonlocal chunks
        chunks += 1
        if chunks == 2:
            raise Busy
        return await whole(*given)

    monkeypatch.setattr(catalog_import, "load", load)
    with pytest.raises(Busy):
        await run(db, path)
    assert set(await db.read(catalog.by_skus, skus)) == set(skus[:2])
    report, faults = await run(db, path)
    assert (report.resumed_at_line, report.lines, report.rows, faults) == (2, 3, 3, [])
    assert set(await db.read(catalog.by_skus, skus)) == set(skus)


async def test_files_that_cannot_be_read(db: Database, tmp_path: Path) -> None:
    refused = {
        "name": tmp_path / "p.txt",
        "lacks the column tax_class": table(tmp_path / "a.csv", head=["slug", "sku", "category"]),
        "'colour' is not known": table(tmp_path / "b.csv", head=[*HEAD, "colour"]),
        "twice": table(tmp_path / "c.csv", head=[*HEAD, "sku"]),
        "empty": tmp_path / "d.csv",
        "line 2 is not UTF-8": tmp_path / "e.csv",
    }
    (tmp_path / "p.txt").write_text("x")
    (tmp_path / "d.csv").write_text("")
    (tmp_path / "e.csv").write_bytes(",".join(HEAD).encode() + b"\n\xff\xfe,\n")
    for reason, path in refused.items():
        with pytest.raises(ImportRefused, match=reason):
            await run(db, path)


def test_every_column_of_the_documentation_is_known() -> None:
    documented = (catalog_import.__doc__ or "").split("required:")[1].split("`media`")[0].split()
    names = [name.replace("<code>", "size").replace("<ru|en>", "ru") for name in documented]
    assert [name for name in names if not catalog_import.known(name)] == []
    assert not catalog_import.known("title.de")
    assert not catalog_import.known("option_text.size")
