"""Bundles, goods with a code of their own, goods that may be waited for: what the catalog takes and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from commerce import catalog
from commerce.catalog import bundles
from commerce.catalog.audit import INVARIANTS
from commerce.infra import audit
from commerce.infra.db import Database, Tx
from tests.catalog.test_catalog import product, variant
from tests.catalog.test_catalog_import import ndjson, record, run, table
from tests.support import Client, Shop, clock, unique
from tests.support_statements import count_statements


@pytest.fixture
async def office(shop: Shop) -> Client:
    return await shop.staff("back_office")


def part(sku: str, quantity: int = 1) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity}


async def save(office: Client, *variants: dict[str, Any], slug: str | None = None) -> dict[str, Any]:
    answer = await office.put(f"/v1/products/{slug or unique('p')}", product(*variants))
    assert answer.status_code == 200, answer.json()
    body: dict[str, Any] = answer.json()
    return body


async def test_a_bundle_is_made_and_its_components_change(office: Client, db: Database, audited: None) -> None:
    hoodie, cap, socks = variant(), variant(), variant()
    await save(office, hoodie)
    await save(office, cap, socks)
    slug = unique("set")
    made_of = [part(hoodie["sku"]), part(cap["sku"], 2)]
    made = await save(office, bundle := variant(components=made_of), slug=slug)
    assert made["version"] == 1
    shown = made["variants"][0]
    assert shown["components"] == sorted(made_of, key=lambda component: component["sku"])
    assert (shown["tracking"], shown["when_out"], shown["preorder_until"]) == (None, "deny", None)
    found = await db.read(catalog.by_skus, [bundle["sku"], hoodie["sku"], cap["sku"]])
    assert found[bundle["sku"]].components == tuple(
        catalog.Component(variant_id=found[each["sku"]].id, sku=each["sku"], quantity=each["quantity"])
        for each in sorted(made_of, key=lambda component: component["sku"])
    )
    assert [found[each["sku"]].bundle for each in (bundle, hoodie, cap)] == [True, False, False]
    assert found[hoodie["sku"]].components == ()
    assert found[bundle["sku"]].category_path == ["things"]
    assert (await save(office, bundle, slug=slug))["version"] == 1
    kept = await save(office, {name: value for name, value in bundle.items() if name != "components"}, slug=slug)
    assert (kept["version"], len(kept["variants"][0]["components"])) == (1, 2)
    changed = await save(office, bundle | {"components": [part(socks["sku"], 3), part(cap["sku"], 2)]}, slug=slug)
    assert changed["version"] == 2
    assert changed["variants"][0]["components"] == sorted(
        [part(socks["sku"], 3), part(cap["sku"], 2)], key=lambda component: component["sku"]
    )
    scanned = (await office.get(f"/v1/scan?data={bundle['sku']}")).json()
    assert scanned["variant"]["components"] == changed["variants"][0]["components"]
    assert (await db.read(catalog.articles, skus=[bundle["sku"]], scans=[]))[0][bundle["sku"]].variant.bundle


async def test_a_bundle_and_its_components_in_one_set(office: Client, db: Database) -> None:
    first, second = variant(tracking="serial"), variant()
    bundle = variant(components=[part(first["sku"]), part(second["sku"], 4)])
    await save(office, bundle, first, second)
    found = await db.read(catalog.by_sku, bundle["sku"])
    assert {c.sku: c.quantity for c in found.components} == {first["sku"]: 1, second["sku"]: 4}


async def test_what_a_bundle_may_not_be(office: Client, db: Database, audited: None) -> None:
    plain, cap = variant(), variant()
    bundle = variant(components=[part(cap["sku"])])
    slugs = {row["sku"]: unique("p") for row in (plain, cap, bundle)}
    for row in (plain, cap, bundle):
        await save(office, row, slug=slugs[row["sku"]])
    a, b, c = (unique("s").upper() for _ in range(3))
    wrong: list[tuple[list[dict[str, Any]], str, str]] = [
        ([variant(components=[part("NOPE")])], "components", "there is no variant NOPE"),
        ([variant(sku=a, components=[part(a)])], "components", f"a bundle is made of ordinary variants alone: {a} → {a}"),
        (
            [variant(sku=a, components=[part(bundle["sku"])])], "components",
            f"a bundle is made of ordinary variants alone: {a} → {bundle['sku']}",
        ),
        (
            [variant(sku=a, components=[part(b)]), variant(sku=b, components=[part(cap["sku"]), part(c)]),
             variant(sku=c, components=[part(a)])], "components",
            f"a bundle is made of ordinary variants alone: {a} → {b} → {c} → {a}",
        ),
        (
            [variant(sku=a, components=[part(b)]), variant(sku=b, components=[part(cap["sku"])])], "components",
            f"a bundle is made of ordinary variants alone: {a} → {b}",
        ),
        ([variant(components=[part(cap["sku"]), part(cap["sku"])])], "components", f"{cap['sku']} stands twice: give the sum"),
        (
            [variant(components=[part(cap["sku"])], quantity_unit={"unit": "MTR"})], "quantity_unit",
            "a bundle is sold by the piece",
        ),
        (
            [variant(components=[part(cap["sku"])], tracking="serial")], "tracking",
            "a bundle has no units of its own: its components are tracked",
        ),
        (
            [variant(components=[part(cap["sku"])], when_out="backorder")], "when_out",
            "a bundle does not wait: sell its components one by one before they are there",
        ),
        (
            [variant(tracking="marked", quantity_unit={"unit": "MTR"})], "tracking",
            "units with a code of their own are counted by the piece: leave out quantity_unit",
        ),
    ]  # fmt: skip
    for variants, field, reason in wrong:
        answer = await office.put(f"/v1/products/{unique('p')}", product(*variants))
        body = answer.json()
        assert (answer.status_code, body["type"], body["field"], body["reason"]) == (
            422, "/problems/bad-product", field, reason,
        )  # fmt: skip
    of_existing: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
        (
            plain, {"components": [part(cap["sku"])]}, "components",
            f"{plain['sku']} has stock of its own and stays so: give the bundle a SKU of its own",
        ),
        (
            bundle, {"components": None, "tracking": "marked"}, "tracking",
            "a bundle has no units of its own: its components are tracked",
        ),
        (
            bundle, {"components": None, "quantity_unit": {"unit": "MTR"}}, "quantity_unit",
            "the unit of a variant never changes: stock and orders count in it",
        ),
    ]  # fmt: skip
    for row, change, field, reason in of_existing:
        answer = await office.put(f"/v1/products/{slugs[row['sku']]}", product(row | change))
        assert (answer.status_code, answer.json()["field"], answer.json()["reason"]) == (422, field, reason)
    for malformed in ([], [part(cap["sku"], 0)], [part(cap["sku"], 10_001)], [{"sku": cap["sku"], "each": 1}]):
        answer = await office.put(f"/v1/products/{unique('p')}", product(variant(components=malformed)))
        assert answer.status_code == 400
    found = await db.read(catalog.by_skus, [plain["sku"], bundle["sku"], a, b, c])
    assert {sku: [component.sku for component in each.components] for sku, each in found.items()} == {
        plain["sku"]: [], bundle["sku"]: [cap["sku"]],
    }  # fmt: skip


def test_the_chain_that_is_named() -> None:
    assert bundles.chain("A", {"A": ["X", "Y"]}) is None
    assert bundles.chain("A", {"A": ["X", "B"], "B": ["X"]}) == "A → B"
    assert bundles.chain("A", {"A": ["A"]}) == "A → A"
    assert bundles.chain("A", {"A": ["B", "C"], "B": ["C"], "C": ["B", "A"]}) == "A → C → A"
    assert bundles.chain("A", {"A": ["B"], "B": ["C"], "C": ["B"]}) == "A → B"


async def test_waiting_for_what_is_announced(shop: Shop, db: Database) -> None:
    now = datetime(2026, 11, 2, 12, tzinfo=UTC)
    clock.stand_at(now)
    office = await shop.staff("back_office")
    until = now + timedelta(minutes=30)
    later, never = variant(when_out="backorder"), variant(tracking="marked")
    ahead = variant(when_out="preorder", preorder_until=until.isoformat())
    slug = unique("p")
    shown = [*(await save(office, later, never))["variants"], *(await save(office, ahead, slug=slug))["variants"]]
    assert {v["sku"]: (v["when_out"], v["preorder_until"], v["tracking"]) for v in shown} == {
        later["sku"]: ("backorder", None, None),
        ahead["sku"]: ("preorder", "2026-11-02T12:30:00Z", None),
        never["sku"]: ("deny", None, "marked"),
    }
    rows = (later, ahead, never)
    found = await db.read(catalog.by_skus, [row["sku"] for row in rows])
    assert [found[row["sku"]].may_wait(until - timedelta(seconds=1)) for row in rows] == [True, True, False]
    assert [found[row["sku"]].may_wait(until) for row in rows] == [True, False, False]
    assert found[never["sku"]].tracking == "marked"
    wrong = [
        variant(when_out="preorder"),
        variant(preorder_until=until.isoformat()),
        variant(when_out="preorder", preorder_until="2026-12-02T12:00:00"),
        variant(when_out="preorder", preorder_until=now.isoformat()),
    ]
    for row in wrong:
        answer = await office.put(f"/v1/products/{unique('p')}", product(row))
        assert (answer.status_code, answer.json()["field"]) == (422, "preorder_until")
    clock.stand_at(until + timedelta(minutes=1))
    assert (await save(office, ahead, slug=slug))["version"] == 1
    other = ahead | {"preorder_until": (until + timedelta(minutes=1)).isoformat()}
    moved = await office.put(f"/v1/products/{slug}", product(other))
    assert (moved.status_code, moved.json()["reason"]) == (422, "it must lie ahead")
    assert (await save(office, ahead | {"when_out": "deny", "preorder_until": None}, slug=slug))["version"] == 2


async def test_reading_variants_is_one_statement(shop: Shop, db: Database) -> None:
    one, two = await shop.item(), await shop.item()
    bundle = await shop.bundle({one: 1, two: 3})
    for ids in ([one.id], [one.id, two.id, bundle.id]):
        async with count_statements(db) as counted:
            found = await db.read(catalog.variants, ids)
        assert (len(found), len(counted)) == (len(ids), 1)


async def test_import_of_a_table(db: Database, tmp_path: Path) -> None:
    skus = [unique("imp").upper() for _ in range(7)]
    phone, cap, kit, lost, broken, wrong, late = skus
    head = ["slug", "sku", "category", "tax_class", "return_policy", "title.ru", "tracking", "when_out", "preorder_until", "components"]  # fmt: skip

    def line(sku: str, *rest: str, tax_class: str = "standard") -> list[str]:
        return [unique("imp"), sku, "things", tax_class, "standard", "Товар", *rest]

    path = table(
        tmp_path / "p.csv",
        line(phone, "serial", "", "", ""),
        line(cap, "", "backorder", "", ""),
        line(kit, "", "", "", f"{phone} | {cap}:2"),
        line(lost, "", "", "", "NOPE:1"),
        line(broken, "", "", "", "", tax_class="nothing"),
        line(wrong, "", "", "", f"{cap}:1|{broken}:1"),
        line(late, "", "preorder", "2020-01-01T00:00:00Z", ""),
        line(unique("imp").upper(), "", "", "", f"{cap}:many"),
        head=head,
    )  # fmt: skip
    report, faults = await run(db, path)
    assert sorted(faults) == [
        (5, "components", "there is no variant NOPE"),
        (6, "tax_class", "there is no tax class nothing"),
        (7, "components", f"its component {broken} has a fault"),
        (8, "preorder_until", "it must lie ahead"),
        (9, "components[0].quantity", "Expected `int`, got `str`"),
    ]
    assert report.rows == 3
    found = await db.read(catalog.by_skus, skus)
    assert {sku: each.tracking for sku, each in found.items()} == {phone: "serial", cap: None, kit: None}
    assert found[cap].when_out == "backorder"
    assert {c.sku: c.quantity for c in found[kit].components} == {phone: 1, cap: 2}


async def test_import_of_records(db: Database, tmp_path: Path) -> None:
    one, kit, nested = (unique("imp").upper() for _ in range(3))
    path = ndjson(
        tmp_path / "p.ndjson",
        record(unique("imp"), one),
        record(unique("imp"), kit, components=[part(one, 2)]),
        record(unique("imp"), nested, components=[part(kit)]),
    )
    _, faults = await run(db, path)
    assert faults == [(3, "components", f"a bundle is made of ordinary variants alone: {nested} → {kit}")]
    assert set(await db.read(catalog.by_skus, [one, kit, nested])) == {one, kit}


class Undone(Exception):
    """Rolls a fault back."""


@pytest.mark.parametrize(
    "fault",
    [
        "DELETE FROM catalog.components WHERE bundle_id = :bundle",
        "UPDATE catalog.variants SET bundle = false WHERE id = :bundle",
        "UPDATE catalog.variants SET bundle = true WHERE id = (SELECT component_id FROM catalog.components WHERE bundle_id = :bundle)",
    ],
)
async def test_the_audit_notices(shop: Shop, db: Database, fault: str) -> None:
    bundle = await shop.bundle({await shop.item(): 1})
    invariant = next(each for each in INVARIANTS if each.name.startswith("a bundle is made of"))

    async def spoil(tx: Tx) -> None:
        assert (await audit.check(tx, [invariant]))[0].offending == []
        assert await tx.execute(fault, bundle=bundle.id) > 0
        raise Undone(len((await audit.check(tx, [invariant]))[0].offending))

    with pytest.raises(Undone) as undone:
        await db.write(spoil)
    assert undone.value.args[0] > 0
