"""Products, variants and barcodes through HTTP."""

from __future__ import annotations

import random
from typing import Any

import pytest
from stdnum import ean

from commerce import catalog
from commerce.infra.db import Database, Tx
from commerce.kernel.actor import system
from tests.support import Client, Shop, unique


def gtin(length: int = 13, prefix: str = "2") -> str:
    """A fresh GTIN with its check digit."""
    digits = prefix + "".join(random.choices("0123456789", k=length - 1 - len(prefix)))
    return digits + ean.calc_check_digit(digits)


def variant(**values: Any) -> dict[str, Any]:
    return {"sku": unique("SKU").upper(), "tax_class": "standard", "return_policy": "standard"} | values


def product(*variants: dict[str, Any], **values: Any) -> dict[str, Any]:
    row = {"title": {"ru": "Зонт", "en": "Umbrella"}, "category": "things", "variants": list(variants) or [variant()]}
    return row | values


@pytest.fixture
async def office(shop: Shop) -> Client:
    return await shop.staff("back_office")


async def test_a_product_is_made_changed_and_left_alone(office: Client, audited: None) -> None:
    slug = unique("umbrella")
    red = variant(
        options={"color": "red"}, option_texts={"ru": {"color": "красный"}}, weight_grams=400, maximum_per_order=2,
        barcodes=[{"code": (code := gtin())}, {"code": (pack := gtin(14, "1")), "quantity": 6}, {"code": (internal := unique("in")), "kind": "internal"}],
    )  # fmt: skip
    wanted = product(red, options=[{"code": "color", "name": {"en": "Color"}}], media=[{"url": "/media/u.jpg"}])
    made = await office.put(f"/v1/products/{slug}", wanted)
    assert (made.status_code, made.headers["etag"]) == (200, '"1"')
    view = made.json()["variants"][0]
    assert view["barcodes"] == [
        {"code": code, "kind": "gtin13", "quantity": 1},
        {"code": internal, "kind": "internal", "quantity": 1},
        {"code": pack, "kind": "gtin14", "quantity": 6},
    ]
    assert (view["sellable"], view["weight_grams"], view["maximum_per_order"], view["version"]) == (True, 400, 2, 1)
    same = await office.put(f"/v1/products/{slug}", wanted)
    assert (same.headers["etag"], same.json()["variants"][0]["version"]) == ('"1"', 1)
    blue = variant(options={"color": "blue"})
    added = await office.put(f"/v1/products/{slug}", wanted | {"variants": [blue]}, headers={"If-Match": '"1"'})
    assert added.headers["etag"] == '"2"'
    assert [(v["sku"], len(v["barcodes"])) for v in added.json()["variants"]] == sorted(
        [(red["sku"], 3), (blue["sku"], 0)], key=lambda pair: pair[0]
    )
    stale = await office.put(f"/v1/products/{slug}", wanted, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["type"], stale.json()["version"]) == (412, "/problems/product-changed", 2)
    fewer = await office.put(f"/v1/products/{slug}", wanted | {"variants": [red | {"barcodes": [{"code": code}]}]})
    assert fewer.headers["etag"] == '"3"'
    shown = (await office.get(f"/v1/products/{slug}")).json()
    assert [b["code"] for v in shown["variants"] if v["sku"] == red["sku"] for b in v["barcodes"]] == [code]


async def test_what_a_product_may_not_be(office: Client) -> None:
    slug = unique("umbrella")
    taken = variant(barcodes=[{"code": (code := gtin())}])
    other = unique("other")
    assert (await office.put(f"/v1/products/{other}", product(taken))).status_code == 200
    bad_digit = next(d for d in (f"400638133393{n}" for n in range(10)) if not ean.is_valid(d))
    wrong: list[tuple[dict[str, Any], str]] = [
        (product(category="nothing"), "category"),
        (product(variant(tax_class="nothing")), "tax_class"),
        (product(variant(return_policy="nothing")), "return_policy"),
        (product(variant(options={"size": "M"})), "options"),
        (product(variant(barcodes=[{"code": bad_digit}])), "barcodes"),
        (product(variant(barcodes=[{"code": bad_digit, "kind": "gtin13"}])), "barcodes"),
        (product(variant(barcodes=[{"code": gtin(), "kind": "gtin8"}])), "barcodes"),
        (product(variant(barcodes=[{"code": "x1"}, {"code": "x1"}])), "barcodes"),
        (product(title={}), "title"),
        (product(variant(sellable_from="2027-01-02T00:00:00Z", sellable_until="2027-01-01T00:00:00Z")), "sellable_until"),
        (product(variant(sellable_from="2027-01-02T00:00:00")), "sellable_from"),
        (product(*([variant()] * 2)), "sku"),
    ]  # fmt: skip
    wrong[-1][0]["variants"][1] = wrong[-1][0]["variants"][0]
    for body, field in wrong:
        answer = await office.put(f"/v1/products/{slug}", body)
        assert (answer.status_code, answer.json().get("field")) == (422, field), body
    moved = await office.put(f"/v1/products/{slug}", product(taken))
    assert (moved.status_code, moved.json()["type"], moved.json()["slug"]) == (409, "/problems/sku-elsewhere", other)
    worn = await office.put(f"/v1/products/{slug}", product(variant(barcodes=[{"code": code}])))
    assert (worn.status_code, worn.json()["type"], worn.json()["sku"]) == (
        409,
        "/problems/barcode-elsewhere",
        taken["sku"],
    )
    for body in (product(colour="red"), product(variant(weight_grams=-1)), product(variants=[])):
        assert (await office.put(f"/v1/products/{slug}", body)).status_code == 400
    assert (await office.get(f"/v1/products/{slug}")).status_code == 404


async def test_the_unit_of_a_variant_never_changes(office: Client) -> None:
    slug = unique("fabric")
    meter = variant(quantity_unit={"unit": "MTR", "scale": 2})
    assert (await office.put(f"/v1/products/{slug}", product(meter))).json()["variants"][0]["quantity_unit"] == {
        "unit": "MTR", "scale": 2,
    }  # fmt: skip
    piece = await office.put(f"/v1/products/{slug}", product(meter | {"quantity_unit": None}))
    assert (piece.status_code, piece.json()["field"]) == (422, "quantity_unit")


async def test_a_recall_holds_everywhere_until_it_is_lifted(shop: Shop, office: Client, audited: None) -> None:
    slug, item = unique("charger"), variant()
    await office.put(f"/v1/products/{slug}", product(item))
    path = f"/v1/variants/{item['sku']}"
    stopped = await office.post(f"{path}/stop-sale", {"reason": "Перегрев"})
    assert (stopped.status_code, stopped.json()["refusal"], stopped.json()["version"]) == (200, "stop_sale", 2)
    again = await office.post(f"{path}/stop-sale", {"reason": "Ещё раз"})
    assert (again.json()["stop_sale_reason"], again.json()["version"]) == ("Перегрев", 2)
    saved = await office.put(f"/v1/products/{slug}", product(item))
    assert saved.json()["variants"][0]["stop_sale_reason"] == "Перегрев"
    shown = await (await shop.shopper("app")).get(f"/v1/catalog/variants/{item['sku']}")
    assert (shown.json()["sellable"], shown.json()["refusal"]) == (False, "stop_sale")
    resumed = await office.post(f"{path}/resume", {"reason": "Проверено"})
    assert (resumed.json()["sellable"], resumed.json()["version"]) == (True, 3)
    assert (await office.post(f"{path}/resume", {"reason": "Проверено"})).json()["version"] == 3
    assert (await office.post("/v1/variants/NOPE/stop-sale", {"reason": "x"})).json()["sku"] == "NOPE"
    local = await shop.staff("back_office", "somewhere")
    refused = await local.post(f"{path}/stop-sale", {"reason": "x"})
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/whole-chain-only")
    assert (await (await shop.staff("associate")).post(f"{path}/stop-sale", {"reason": "x"})).status_code == 403


async def test_scanning(shop: Shop, office: Client) -> None:
    code, pack, small, own = gtin(), gtin(14, "1"), gtin(8), unique("own")
    item = variant(
        barcodes=[{"code": code}, {"code": pack, "quantity": 12}, {"code": small}, {"code": own, "quantity": 3}]
    )
    cloth = variant(quantity_unit={"unit": "MTR", "scale": 2}, barcodes=[{"code": (bolt := gtin()), "quantity": 100}])
    await office.put(f"/v1/products/{unique('scan')}", product(item))
    await office.put(f"/v1/products/{unique('cloth')}", product(cloth))
    kiosk = await shop.device("kiosk", (await shop.store()).code)
    cases = [
        (code, 1, "gtin"), (code.zfill(14), 1, "gtin"), (pack, 12, "gtin"), (small, 1, "gtin"), (own, 3, "internal"),
        (item["sku"], 1, "sku"), (f"https://example.com/01/{code.zfill(14)}/10/A", 1, "gtin"),
        (f"(01){pack}(10)A", 12, "gtin"), (f"02{code.zfill(14)}3724", 24, "gtin"),
    ]  # fmt: skip
    for data, quantity, kind in cases:
        read = await kiosk.http.get(
            "/v1/scan", params={"data": data}, headers={"Authorization": f"Bearer {kiosk.token}"}
        )
        body = read.json()
        assert (read.status_code, body.get("sku"), body.get("quantity"), body.get("understood_as")) == (
            200, item["sku"], quantity, kind,
        ), data  # fmt: skip
    assert (await kiosk.get(f"/v1/scan?data={bolt}")).json()["quantity"] == 100
    measured = (await kiosk.get(f"/v1/scan?data=(01){bolt.zfill(14)}(3112)000235")).json()
    assert (measured["sku"], measured["quantity"], measured["gtin"]) == (cloth["sku"], 235, bolt.zfill(14))
    unknown = await kiosk.get(f"/v1/scan?data={gtin()}")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/unknown-code")
    wrong = await kiosk.get("/v1/scan?data=4006381333930")
    assert (wrong.status_code, wrong.json()["type"]) == (422, "/problems/bad-check-digit")
    for data in ("", "?data=", f"?data={'1' * 501}", "?data=%00"):
        assert (await kiosk.get(f"/v1/scan{data}")).status_code == 400, data


async def test_unpublished_products_are_for_staff_and_devices(shop: Shop, office: Client) -> None:
    item = variant(barcodes=[{"code": (code := gtin())}])
    await office.put(f"/v1/products/{unique('secret')}", product(item, published=False))
    till = await shop.device("till", (await shop.store()).code)
    assert (await till.get(f"/v1/scan?data={code}")).json()["variant"]["refusal"] == "unpublished"
    for caller in (await shop.shopper(), await shop.client()):
        assert (await caller.get(f"/v1/scan?data={code}")).status_code == 404
        assert (await caller.get(f"/v1/catalog/variants/{item['sku']}")).json()["type"] == "/problems/unknown-sku"
    assert (await till.get(f"/v1/catalog/variants/{item['sku']}")).json()["sku"] == item["sku"]


async def test_categories_are_a_tree(shop: Shop, db: Database) -> None:
    top, left, right = (unique("cat") for _ in range(3))

    async def made(tx: Tx, *given: catalog.CategoryInput) -> None:
        await catalog.upsert_categories(tx, system(), categories=given)

    def node(code: str, parent: str | None, position: int = 0) -> catalog.CategoryInput:
        return catalog.CategoryInput(code=code, parent=parent, name={"en": code}, position=position)

    await db.write(made, node(top, None), node(left, top, 2), node(right, top, 1))
    office = await shop.staff("back_office")
    await office.put(f"/v1/products/{unique('leaf')}", product(category=left))
    tree = (await (await shop.client()).get("/v1/catalog/categories")).json()
    branch = next(entry for entry in tree if entry["code"] == top)
    assert (branch["products"], [(c["code"], c["products"]) for c in branch["children"]]) == (
        1,
        [(right, 0), (left, 1)],
    )
    with pytest.raises(catalog.BadProduct):
        await db.write(made, node(top, left))
    with pytest.raises(catalog.BadProduct):
        await db.write(made, node(unique("cat"), "nothing"))


async def test_the_front_door_reads_in_one_statement_each(shop: Shop, db: Database) -> None:
    item = await shop.item(maximum_per_order=3)
    by_sku = await db.read(catalog.by_skus, [item.sku, "nothing"])
    by_id = await db.read(catalog.variants, [item.id])
    assert list(by_sku) == [item.sku]
    assert by_sku[item.sku] == by_id[item.id]
    found = by_id[item.id]
    assert (found.id, found.product_id, found.change_of_mind_days, found.defect_days) == (
        item.id,
        item.product_id,
        14,
        730,
    )
    assert (found.tax_class, found.maximum_per_order, found.refusal(db.clock())) == ("standard", 3, None)
    with pytest.raises(catalog.UnknownSku):
        await db.read(catalog.by_sku, "nothing")
