"""Files of expected receipts: deliveries, broken lines, the same file again."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from commerce.infra.db import Database
from commerce.infra.importing import ErrorReport, ImportRefused, Report
from commerce.supply import importing
from tests.supply.story import BACK, announced, in_days, plans, supplier
from tests.support import Client, Shop, unique

pytestmark = pytest.mark.usefixtures("audited")
HEAD = "reference,supplier,location,sku,quantity,unit_cost,expected_on\n"


async def load(
    db: Database, shop: Shop, path: Path, text: str, *, dry_run: bool = False, all_or_nothing: bool = False
) -> tuple[Report, list[tuple[int, str, str]]]:
    path.write_text(text)  # noqa: ASYNC240
    errors = ErrorReport(io.StringIO())
    report = await importing.run(
        db, shop.system, path, currency="RUB", dry_run=dry_run, all_or_nothing=all_or_nothing, errors=errors
    )
    return report, [(fault.line, fault.field, fault.reason) for fault in errors.first]


async def listed(office: Client, code: str) -> list[tuple[str, str, int, int]]:
    """reference, number, lines and units of what a supplier has announced."""
    page = (await office.get(f"{BACK}?supplier={code}")).json()
    return [(each["reference"], each["number"], each["lines"], each["quantity"]) for each in page["items"]]


async def test_a_file_and_the_same_file_again(db: Database, shop: Shop, tmp_path: Path) -> None:
    store, other, cup, plate = await shop.store(), await shop.store(), await shop.item(), await shop.item()
    office, code = await shop.staff("back_office"), await supplier(await shop.staff("back_office"))
    a, b, day = unique("a"), unique("b"), in_days(4)
    text = HEAD + (
        f"{a},{code},{store.code},{cup.sku},10,150,{day}\n"
        f"{a},{code},{store.code},{plate.sku},5,,{day}\n"
        f"{b},{code},{other.code},{cup.sku},7,,{in_days(5)}\n"
        f"{a},{code},{store.code},{cup.sku},2,160,{day}\n"
    )
    dry, faults = await load(db, shop, tmp_path / "supply.csv", text, dry_run=True)
    assert (dry.rows, faults, await listed(office, code)) == (4, [], [])
    for announced_lines in (4, 0):
        report, faults = await load(db, shop, tmp_path / "supply.csv", text)
        assert (report.rows, report.counts, faults) == (
            4, {"announced": announced_lines, "unchanged": 4 - announced_lines}, [],
        )  # fmt: skip
        found = await listed(office, code)
        assert [(reference, lines, units) for reference, _, lines, units in found] == [(a, 3, 17), (b, 1, 7)]
    number = found[0][1]
    assert await plans(db, shop, number) == [(10, 0, 0, 0, day), (5, 0, 0, 0, day), (2, 0, 0, 0, day)]
    shown = (await office.get(f"{BACK}/{number}")).json()
    assert [(line["sku"], line["unit_cost"]) for line in shown["lines"]] == [
        (cup.sku, 150),
        (plate.sku, None),
        (cup.sku, 160),
    ]
    assert [step["what"] for step in shown["steps"]] == ["announced", "changed"]


async def test_lines_with_faults_are_named_and_come_later(db: Database, shop: Shop, tmp_path: Path) -> None:
    store, other, cup = await shop.store(), await shop.store(roles=("sells",)), await shop.item()
    office, code = await shop.staff("back_office"), await supplier(await shop.staff("back_office"))
    taken = await announced(office, store, (cup, 1, None), supplier=code)
    day, later, sku = in_days(4), in_days(5), unique("NEW").upper()
    lines = [
        {"reference": "x1", "sku": cup.sku, "quantity": 1},
        {"reference": "x1", "sku": sku, "quantity": 2},
        {"reference": "x1", "sku": cup.sku, "quantity": 3, "location": other.code},
        {"reference": "x1", "sku": cup.sku, "quantity": 4, "expected_on": later},
        {"reference": "x1", "sku": cup.sku, "quantity": 0},
        {"reference": "x2", "sku": cup.sku, "quantity": 1, "supplier": "nobody"},
        {"reference": "x3", "sku": cup.sku, "quantity": 1, "location": "nowhere"},
        {"reference": "x4", "sku": cup.sku, "quantity": 1, "location": other.code},
        {"reference": "x5", "sku": cup.sku, "quantity": 1, "expected_on": in_days(-2)},
        {"reference": taken["reference"], "sku": cup.sku, "quantity": 1},
    ]
    names = ("reference", "supplier", "location", "sku", "quantity", "unit_cost", "expected_on")
    common = {"supplier": code, "location": store.code, "expected_on": day, "unit_cost": ""}
    text = HEAD + "".join(",".join(str((common | line)[name]) for name in names) + "\n" for line in lines)
    report, faults = await load(db, shop, tmp_path / "supply.csv", text)
    assert (report.rows, report.counts) == (1, {"announced": 1, "unchanged": 0})
    assert sorted(faults) == [
        (3, "sku", f"there is no variant {sku}"),
        (4, "location", f"x1 goes to {store.code}"),
        (5, "expected_on", f"x1 is expected on {day}"),
        (6, "quantity", "Expected `int` >= 1"),
        (7, "supplier", "there is no supplier nobody"),
        (8, "location", "there is no location nowhere"),
        (9, "location", f"{other.code} does not receive goods"),
        (10, "expected_on", f"{in_days(-2)} has passed at {store.code}"),
        (11, "reference", f"{code} has announced {taken['reference']} as {taken['number']}"),
    ]
    await shop.item(sku=sku)
    report, faults = await load(db, shop, tmp_path / "supply.csv", text)
    assert (report.counts, len(faults)) == ({"announced": 1, "unchanged": 1}, 8)
    [_, (reference, number, count, units)] = sorted(await listed(office, code), key=lambda each: each[0] == "x1")
    assert (reference, count, units) == ("x1", 2, 3)
    await office.post(f"{BACK}/{number}/cancel", {"reason": "no"})
    report, faults = await load(db, shop, tmp_path / "supply.csv", text)
    assert (report.counts, len(faults)) == ({"announced": 0, "unchanged": 2}, 8)
    assert (4, "reference", f"{number} is cancelled") in faults


async def test_documents_one_by_one(db: Database, shop: Shop, tmp_path: Path) -> None:
    store, cup = await shop.store(), await shop.item()
    office, code = await shop.staff("back_office"), await supplier(await shop.staff("back_office"))
    line = (
        f'{{"reference": "n1", "supplier": "{code}", "location": "{store.code}", "sku": "{cup.sku}", "quantity": 3,'
        f' "expected_on": "{in_days(4)}", "unit_cost": 5}}\n'
    )
    report, faults = await load(db, shop, tmp_path / "supply.ndjson", line + "{broken\n" + line.replace("n1", "n2"))
    assert (report.counts, [(n, field) for n, field, _ in faults]) == ({"announced": 2, "unchanged": 0}, [(2, "")])
    assert sorted((reference, units) for reference, _, _, units in await listed(office, code)) == [("n1", 3), ("n2", 3)]


async def test_all_of_a_file_or_nothing(db: Database, shop: Shop, tmp_path: Path) -> None:
    store, cup = await shop.store(), await shop.item()
    office, code = await shop.staff("back_office"), await supplier(await shop.staff("back_office"))
    good = (
        HEAD
        + f"y1,{code},{store.code},{cup.sku},10,150,{in_days(4)}\ny2,{code},{store.code},{cup.sku},5,,{in_days(5)}\n"
    )
    broken = good + f"y3,{code},nowhere,{cup.sku},5,,{in_days(5)}\n"
    report, faults = await load(db, shop, tmp_path / "supply.csv", broken, all_or_nothing=True)
    assert (report.refused, report.rows, faults, await listed(office, code)) == (
        True, 0, [(4, "location", "there is no location nowhere")], [],
    )  # fmt: skip
    report, faults = await load(db, shop, tmp_path / "supply.csv", good, all_or_nothing=True)
    assert (report.refused, report.counts, faults) == (False, {"announced": 2, "unchanged": 0}, [])
    assert sorted((reference, units) for reference, _, _, units in await listed(office, code)) == [
        ("y1", 10),
        ("y2", 5),
    ]


async def test_a_file_without_its_columns_is_refused(db: Database, shop: Shop, tmp_path: Path) -> None:
    with pytest.raises(ImportRefused, match="lacks the column supplier"):
        await load(db, shop, tmp_path / "supply.csv", "reference,sku\n")
