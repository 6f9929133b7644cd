"""The shop window: lists, pages and searches with prices and availability."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from commerce import catalog, prices, stock
from commerce.infra.db import Database
from commerce.kernel.actor import Actor, system
from commerce.kernel.ids import uuid7
from commerce.settings import Settings
from commerce.storefront import queries
from tests.catalog.test_catalog import product, variant
from tests.support import Client, Shop, clock, unique
from tests.support_statements import count_statements


async def slug_of(db: Database, sku: str) -> str:
    return (await db.read(catalog.by_sku, sku)).slug


async def category(db: Database, parent: str | None = None) -> str:
    code = unique("cat")
    given = [catalog.CategoryInput(code=code, parent=parent, name={"en": code})]
    await db.write(catalog.upsert_categories, system(), categories=given)
    return code


async def save(shop: Shop, code: str, *variants: dict[str, Any], **values: Any) -> str:
    slug = unique("product")
    answer = await (await shop.staff("back_office")).put(
        f"/v1/products/{slug}", product(*variants, category=code, **values)
    )
    assert answer.status_code == 200, answer.json()
    return slug


async def cards(reader: Client, query: str) -> list[dict[str, Any]]:
    answer = await reader.get(f"/v1/catalog/products?{query}")
    assert answer.status_code == 200, answer.json()
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_a_card_shows_the_lowest_price_and_what_is_left(shop: Shop, db: Database) -> None:
    code = await category(db)
    one, two = variant(), variant()
    slug = await save(shop, code, one, two, brand="Морветта", media=[{"url": "/media/a.jpg"}, {"url": "/media/b.jpg"}])
    reader = await shop.client()
    bare = (await cards(reader, f"category={code}"))[0]
    assert (bare["price"], bare["price_to"], bare["availability"], bare["variants"]) == (None, None, "out", 2)
    office = await shop.staff("back_office")
    given = [{"sku": one["sku"], "amount": 500}, {"sku": two["sku"], "amount": 700}]
    await office.post("/v1/prices", {"prices": given, "currency": "RUB"})
    clock.travel(prices.LEAD)
    store = await shop.store()
    found = await db.read(catalog.by_skus, [one["sku"], two["sku"]])
    for expected, received in (("few_left", 3), ("in_stock", 1)):
        await db.write(
            stock.receive, system(), cause=stock.Cause("test_receipt", uuid7()), location_id=store.id,
            lines=[stock.ReceiptLine(variant_id=found[two["sku"]].id, quantity=received)],
        )  # fmt: skip
        assert await cards(reader, f"category={code}") == [
            {
                "slug": slug, "title": {"en": "Umbrella", "ru": "Зонт"}, "brand": "Морветта", "category": code,
                "media": "/media/a.jpg", "price": {"amount": 500, "currency": "RUB"},
                "price_to": {"amount": 700, "currency": "RUB"}, "availability": expected, "expected_on": None, "variants": 2,
            }
        ]  # fmt: skip
    await office.post(f"/v1/variants/{two['sku']}/stop-sale", {"reason": "recall"})
    assert (await cards(reader, f"category={code}"))[0]["availability"] == "out"


async def test_only_places_that_work_count(shop: Shop, db: Database) -> None:
    code = await category(db)
    item = variant()
    slug = await save(shop, code, item)
    found = await db.read(catalog.by_sku, item["sku"])
    tomorrow = clock() + timedelta(days=1)
    shut = [
        await shop.store(closed_on=datetime(2021, 1, 1, tzinfo=UTC).date()),
        await shop.store(opened_on=(clock() + timedelta(days=9)).date()),
        await shop.store(roles=("accepts_returns",)),
        await shop.store(paused_until=tomorrow, paused_reason="repair"),
    ]
    for store in shut:
        await db.write(
            stock.receive, system(), cause=stock.Cause("test_receipt", uuid7()), location_id=store.id,
            lines=[stock.ReceiptLine(variant_id=found.id, quantity=9)],
        )  # fmt: skip
    reader = await shop.client("app")
    assert (await cards(reader, f"category={code}"))[0]["availability"] == "out"
    assert (await reader.get(f"/v1/catalog/products/{slug}")).json()["variants"][0]["availability"] == "out"
    page = (await (await shop.staff("call_center")).get(f"/v1/catalog/products/{slug}")).json()
    assert page["variants"][0]["availability"] == "out"
    holding = {entry["code"]: (entry["available"], entry["paused"]) for entry in page["stores"] if entry["available"]}
    assert holding == {shut[3].code: ({item["sku"]: 9}, True)}
    assert not {store.code for store in shut[:3]} & {entry["code"] for entry in page["stores"]}
    clock.stand_at(tomorrow)
    assert (await cards(reader, f"category={code}"))[0]["availability"] == "in_stock"


async def test_what_an_expired_reservation_held_is_free(shop: Shop, db: Database, audited: None) -> None:
    item, store = await shop.item(), await shop.store()
    await shop.stock(store, item, 1)
    demand = stock.Demand(line_id=uuid7(), location_id=store.id, variant_id=item.id, quantity=1)
    await db.write(
        stock.reserve, system(), owner=stock.Owner("checkout", uuid7()), demands=[demand],
        cause=stock.Cause("test_checkout", uuid7()), expires_at=clock() + timedelta(minutes=15),
    )  # fmt: skip
    reader, slug = await shop.client(), await slug_of(db, item.sku)
    path = f"/v1/catalog/products/{slug}"

    async def seen() -> tuple[str, dict[str, int]]:
        page = (await reader.get(path)).json()
        return page["variants"][0]["availability"], next(
            s["available"] for s in page["stores"] if s["code"] == store.code
        )

    assert await seen() == ("out", {})
    clock.travel(timedelta(minutes=16))
    assert await seen() == ("few_left", {item.sku: 1})


async def test_shoppers_are_told_how_many_only_where_there_are_few(
    shop: Shop, db: Database, settings: Settings, audited: None
) -> None:
    """Staff and tills see numbers, and everybody where the installation shows quantities; the band is the same to all."""
    code, (one, cloth) = await category(db), (variant(), variant(quantity_unit={"unit": "MTR", "scale": 2}))
    slug = await save(shop, code, one, cloth)
    found = await db.read(catalog.by_skus, [one["sku"], cloth["sku"]])
    stores = [await shop.store() for _ in range(3)]
    numbers = {stores[0].code: (2, 300), stores[1].code: (3, 301), stores[2].code: (500, 9000)}
    for store in stores:
        lines = [
            stock.ReceiptLine(variant_id=found[sku].id, quantity=quantity)
            for sku, quantity in zip((one["sku"], cloth["sku"]), numbers[store.code], strict=True)
        ]
        cause = stock.Cause("test_receipt", uuid7())
        await db.write(stock.receive, system(), cause=cause, location_id=store.id, lines=lines)
    shopper, kiosk = await shop.shopper(), await shop.device("kiosk", stores[0].code)
    exact = {where: {one["sku"]: pieces, cloth["sku"]: steps} for where, (pieces, steps) in numbers.items()}
    capped = exact | {stores[2].code: {one["sku"]: 4, cloth["sku"]: 301}}

    def holding(page: dict[str, Any]) -> dict[str, dict[str, int]]:
        return {store["code"]: store["available"] for store in page["stores"] if store["code"] in numbers}

    offers = []
    for reader in (await shop.client(), shopper, await shop.shopper(known=True), kiosk):
        page = (await reader.get(f"/v1/catalog/products/{slug}")).json()
        assert holding(page) == capped
        offers.append(page["variants"])
    for reader in (
        await shop.staff("associate", stores[0].code), await shop.staff("call_center"), await shop.device("till", stores[0].code)
    ):  # fmt: skip
        page = (await reader.get(f"/v1/catalog/products/{slug}")).json()
        assert holding(page) == exact
        offers.append(page["variants"])
    assert all(offer == offers[0] for offer in offers)
    shows = Database.open(
        msgspec.structs.replace(settings, show_quantities=True), clock=clock, name="commerce-tests-shows"
    )
    assert isinstance(shopper.actor, Actor)
    seen = await shows.browse(queries.product, shopper.actor, slug=slug)
    await shows.close()
    assert {store.code: store.available for store in seen.stores if store.code in numbers} == exact


async def test_a_page_tells_why_a_variant_cannot_be_sold(shop: Shop, db: Database) -> None:
    code = await category(db)
    names = {
        "fine": variant(maximum_per_order=2), "future": variant(sellable_from="2099-01-01T00:00:00Z"),
        "past": variant(sellable_until="2020-01-01T00:00:00Z"), "stopped": variant(stop_sale_reason="recall"),
        "unpriced": variant(), "cloth": variant(quantity_unit={"unit": "MTR", "scale": 2}),
    }  # fmt: skip
    slug = await save(shop, code, *names.values(), description={"ru": "Описание"})
    priced = [{"sku": given["sku"], "amount": 100} for name, given in names.items() if name != "unpriced"]
    await (await shop.staff("back_office")).post("/v1/prices", {"prices": priced, "currency": "RUB"})
    clock.travel(prices.LEAD)
    page = (await (await shop.client()).get(f"/v1/catalog/products/{slug}")).json()
    assert [(offer["sku"], offer["refusal"], offer["sellable"]) for offer in page["variants"]] == [
        (names["fine"]["sku"], None, True), (names["future"]["sku"], "not_yet", False), (names["past"]["sku"], "ended", False),
        (names["stopped"]["sku"], "stop_sale", False), (names["unpriced"]["sku"], "no_price", False), (names["cloth"]["sku"], None, True),
    ]  # fmt: skip
    assert (page["category"], page["description"], page["variants"][0]["maximum_per_order"]) == (
        [code],
        {"ru": "Описание"},
        2,
    )
    assert page["variants"][5]["quantity_unit"] == {"unit": "MTR", "scale": 2}
    hidden = await save(shop, code, published=False)
    for missing in (hidden, "no-such-product"):
        answer = await (await shop.client()).get(f"/v1/catalog/products/{missing}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-product")
    assert [card["slug"] for card in await cards(await shop.client(), f"category={code}")] == [slug]


async def test_filters_and_pages(shop: Shop, db: Database) -> None:
    top = await category(db)
    below = await category(db, top)
    first, second = await save(shop, top, brand="Aa"), await save(shop, below, brand="Bb")
    third = await save(shop, below, brand="Aa", title={"ru": "Красный чайник"})
    reader = await shop.client()
    assert [card["slug"] for card in await cards(reader, f"category={top}")] == [first, second, third]
    assert [card["slug"] for card in await cards(reader, f"category={below}")] == [second, third]
    assert [card["slug"] for card in await cards(reader, f"category={top}&brand=Aa")] == [first, third]
    assert [card["slug"] for card in await cards(reader, f"category={top}&brand=Aa&q=чайники")] == [third]
    assert await cards(reader, "category=no-such-category") == []
    seen: list[str] = []
    path = f"/v1/catalog/products?category={top}&limit=1"
    page = (await reader.get(path)).json()
    while True:
        seen += [card["slug"] for card in page["items"]]
        if page["next_cursor"] is None:
            break
        page = (await reader.get(f"{path}&cursor={page['next_cursor']}")).json()
    assert seen == [first, second, third]
    for wrong in ("limit=0", "limit=201", "category=Ä", "q=", "cursor=abc", "cursor=WzFd", f"q={'a' * 201}", "q=%00"):
        assert (await reader.get(f"/v1/catalog/products?{wrong}")).status_code == 400, wrong
    assert (await shop.anybody().get("/v1/catalog/products")).status_code == 401


async def test_words_in_both_languages_find_products(shop: Shop, db: Database) -> None:
    code, word = await category(db), unique("brand").replace("-", "")
    tee = await save(
        shop, code, variant(options={"color": "navy"}, option_texts={"ru": {"color": "тёмно-синий"}, "en": {"color": "navy"}}),
        title={"ru": f"Футболки {word}", "en": f"Running shoes {word}"}, options=[{"code": "color", "name": {"en": "Color"}}],
    )  # fmt: skip
    told = await save(shop, code, title={"ru": "Шапка"}, description={"ru": f"Лучший подарок {word}"})
    sku = variant()
    made = await save(shop, code, sku, brand=word, title={"ru": "Кепка"})
    reader = await shop.client()

    async def found(q: str, limit: int = 24) -> list[str]:
        answer = await reader.http.get(
            "/v1/catalog/search", params={"q": q, "limit": limit}, headers={"Authorization": f"Bearer {reader.token}"}
        )
        assert answer.status_code == 200, answer.json()
        return [card["slug"] for card in answer.json()["items"]]

    assert await found(word) == [tee, made, told]
    assert await found(f"{word} футболка") == [tee]
    assert await found(f"{word} shoe run") == [tee]
    assert await found(f"{word} синий") == [tee]
    assert await found(f"{word} -футболка") == [made, told]
    assert await found(f'"подарок {word}"') == [told]
    assert await found(sku["sku"]) == [made]
    assert await found("'") == []
    page = (await reader.get(f"/v1/catalog/search?q={word}&limit=2")).json()
    assert [card["slug"] for card in page["items"]] == [tee, made]
    rest = (await reader.get(f"/v1/catalog/search?q={word}&limit=2&cursor={page['next_cursor']}")).json()
    assert ([card["slug"] for card in rest["items"]], rest["next_cursor"]) == ([told], None)
    assert (await reader.get("/v1/catalog/search")).status_code == 400


async def test_the_price_of_now(shop: Shop) -> None:
    item, unpriced = await shop.item(price=4200), await shop.item(price=None)
    hidden = await shop.item(published=False)
    reader = await shop.client()
    assert (await reader.get(f"/v1/prices/{item.sku}")).json() == {
        "sku": item.sku, "price": {"amount": 4200, "currency": "RUB"}, "valid_from": "2020-01-01T00:00:00Z",
        "quantity_unit": None,
    }  # fmt: skip
    missing = await reader.get(f"/v1/prices/{unpriced.sku}")
    assert (missing.status_code, missing.json()["type"]) == (409, "/problems/no-price")
    assert (await reader.get(f"/v1/prices/{hidden.sku}")).status_code == 404


async def test_statements(shop: Shop, db: Database, http: Any) -> None:
    item = await shop.item()
    slug, reader = await slug_of(db, item.sku), await shop.client()
    app_db = http.app.state.db
    for path, most in (
        ("/v1/catalog/products?limit=24", 1),
        ("/v1/catalog/search?q=thing", 1),
        (f"/v1/catalog/products/{slug}", 2),
    ):
        await reader.get(path)
        async with count_statements(app_db) as counted:
            assert (await reader.get(path)).status_code == 200
        assert len(counted) == most, counted
