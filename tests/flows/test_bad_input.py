"""More of what bad input gets: both languages, several lines at once, what changed in between, and the counter's side.

`test_refusals` has the items of the list one by one; here are their variations. Every refusal leaves every table as it was.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from commerce.infra.db import Database
from commerce.kernel.ids import uuid7
from tests.flows.test_refusals import refusing
from tests.orders.story import cash, make_ready, order_body, pickup_code, place, put, rub, step
from tests.support import Client, Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")

RUSSIAN = {"accept-language": "ru-RU,ru;q=0.9,en;q=0.8"}


def both(english: dict[str, Any], russian: dict[str, Any]) -> tuple[str, str]:
    """The two details of one refusal; everything else but the texts and the request id is the same."""
    texts = ("title", "detail", "instance")
    assert {k: v for k, v in english.items() if k not in texts} == {k: v for k, v in russian.items() if k not in texts}
    return english["detail"], russian["detail"]


@pytest.mark.parametrize(
    ("content", "pointer", "says"),
    [
        (b"", "", "JSON body"),
        (b'{"expected_total": ', "", "not JSON"),
        (b'\xff{"a": 1}', "", "not JSON"),
        (b'"place it"', "", "Expected `object`"),
        (b'{"pickup": {"location": "here"}}', "", "missing required field `expected_total`"),
        (b'{"expected_total": {"amount": 1, "currency": "RUB"}, "pickup": {"shop": "here"}}', "/pickup", "unknown field `shop`"),
        (b'{"expected_total": {"amount": -1, "currency": "RUB"}, "pickup": {"location": "here"}}', "/expected_total/amount", ">= 0"),
        (b'{"expected_total": {"amount": 1e3, "currency": "RUB"}, "pickup": {"location": "here"}}', "/expected_total/amount", "int"),
        (b'{"expected_total": {"amount": 9000000000000000, "currency": "RUB"}, "pickup": {"location": "here"}}', "/expected_total/amount", "<= "),
        (b'{"expected_total": {"amount": 1, "currency": "rub"}, "pickup": {"location": "here"}}', "/expected_total/currency", "regex"),
        (b'{"expected_total": {"amount": 1, "currency": "RUB"}, "pickup": {"location": "A B"}}', "/pickup/location", "regex"),
        (b'{"expected_total": {"amount": 1, "currency": "RUB"}, "pickup": {"location": "here"}, "note": "\\u0000"}', "/note", "regex"),
        (b'{"expected_total": {"amount": 1, "currency": "RUB"}, "pickup": {"location": "here"}, "payment": "later"}', "/payment", "enum"),
        (b'{"expected_total": {"amount": 1, "currency": "RUB"}, "pickup": {"location": "here"}, "cart_version": 99999999999}', "/cart_version", "<= "),
    ],
)  # fmt: skip
async def test_an_order_that_does_not_parse_names_the_place(
    shop: Shop, db: Database, content: bytes, pointer: str, says: str
) -> None:
    shopper = await shop.shopper()
    async with refusing(db, 400, "bad-input") as refused:
        (error,) = refused(await shopper.post("/v1/orders", content=content))["errors"]
        assert error["pointer"] == pointer
        assert says in error["detail"]


async def test_a_body_of_three_megabytes(shop: Shop, db: Database) -> None:
    shopper = await shop.shopper()
    async with refusing(db, 413, "body-too-large") as refused:
        refused(await shopper.post("/v1/orders", content=b'{"note": "' + b"a" * 3_000_000 + b'"}'))


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ("/v1/carts/somebody", "cart"),
        ("/v1/availability?sku=-x", "sku"),
        ("/v1/availability", "sku"),
        ("/v1/catalog/products?limit=0", "limit"),
        ("/v1/catalog/products?limit=many", "limit"),
        ("/v1/catalog/search?q=%00", "q"),
        ("/v1/locations?role=null", "role"),
    ],
)
async def test_a_parameter_that_does_not_parse_is_named(shop: Shop, db: Database, path: str, pointer: str) -> None:
    shopper = await shop.shopper()
    async with refusing(db, 400, "bad-input") as refused:
        assert [error["pointer"] for error in refused(await shopper.get(path))["errors"]] == [pointer]


async def test_if_match_that_is_no_tag_of_ours(shop: Shop, db: Database) -> None:
    shopper, item = await shop.shopper(), await shop.item()
    for tag in ("7", '"seven"', "W/7", '"99999999999"'):
        async with refusing(db, 400, "bad-if-match") as refused:
            line = f"/v1/carts/current/lines/{item.sku}"
            refused(await shopper.put(line, {"quantity": 1}, headers={"If-Match": tag}))


async def test_many_lines_at_once_are_all_or_none(shop: Shop, db: Database) -> None:
    shopper, fine, few = await shop.shopper(), await shop.item(), await shop.item(maximum_per_order=2)
    hidden, later = await shop.item(published=False), await shop.item(sellable_from=clock() + timedelta(days=1))

    def lines(*wanted: tuple[str, int]) -> dict[str, Any]:
        return {"lines": [{"sku": sku, "quantity": quantity} for sku, quantity in wanted]}

    path = "/v1/carts/current/lines"
    async with refusing(db, 422, "not-sellable") as refused:
        body = refused(await shopper.put(path, lines((fine.sku, 1), (hidden.sku, 1), (later.sku, 1))))
        assert body["lines"] == [{"sku": hidden.sku, "reason": "unpublished"}, {"sku": later.sku, "reason": "not_yet"}]
    async with refusing(db, 422, "over-maximum") as refused:
        body = refused(await shopper.put(path, lines((fine.sku, 1), (few.sku, 3))))
        assert (body["sku"], body["maximum"]) == (few.sku, 2)
    async with refusing(db, 422, "repeated-sku") as refused:
        assert refused(await shopper.put(path, lines((fine.sku, 1), (fine.sku, 2))))["sku"] == fine.sku
    async with refusing(db, 404, "unknown-sku") as refused:
        assert refused(await shopper.put(path, lines((fine.sku, 1), ("NO-SUCH", 2))))["sku"] == "NO-SUCH"


async def test_a_recall_between_cart_and_order(shop: Shop, db: Database) -> None:
    store, item, fine, shopper = (
        await shop.store(),
        await shop.item(price=1_000),
        await shop.item(price=500),
        await shop.shopper(),
    )
    for goods in (item, fine):
        await shop.stock(store, goods, 5)
    await put(shopper, (item, 1), (fine, 1))
    office = await shop.staff("back_office", "*")
    assert (await office.post(f"/v1/variants/{item.sku}/stop-sale", {"reason": "Sharp edge"})).status_code == 200
    async with refusing(db, 422, "lines-not-sellable") as refused:
        body = refused(await shopper.post("/v1/orders", order_body(store, 1_500)))
        assert [(line["sku"], line["reason"]) for line in body["lines"]] == [(item.sku, "stop_sale")]


async def test_a_price_that_rose_between_cart_and_order(shop: Shop, db: Database) -> None:
    store, item, same, shopper = (
        await shop.store(),
        await shop.item(price=1_000),
        await shop.item(price=300),
        await shop.shopper(),
    )
    for goods in (item, same):
        await shop.stock(store, goods, 5)
    await put(shopper, (item, 2), (same, 1))
    office = await shop.staff("back_office", "*")
    risen = {"prices": [{"sku": item.sku, "amount": 1_100}], "currency": "RUB"}
    assert (await office.post("/v1/prices", risen)).status_code == 200
    clock.travel(timedelta(seconds=10))
    clock.travel(timedelta(seconds=30))
    async with refusing(db, 409, "total-changed") as refused:
        english = refused(await shopper.post("/v1/orders", order_body(store, 2_300)))
        assert (english["expected"], english["total"]) == (rub(2_300), rub(2_500))
        assert [(line["sku"], line["unit_price_seen"], line["unit_price"]) for line in english["lines"]] == [
            (item.sku, rub(1_000), rub(1_100)),
            (same.sku, rub(300), rub(300)),
        ]
    async with refusing(db, 409, "total-changed") as refused:
        russian = refused(await shopper.post("/v1/orders", order_body(store, 2_300), headers=RUSSIAN))
    assert both(english, russian) == (
        "The total is no longer the expected one: see `expected`, `total` and `lines`. Show it and order again with the new total.",
        "Сумма отличается от ожидаемой: смотрите `expected`, `total` и `lines`. Покажите её и повторите заказ с новой суммой.",
    )
    async with refusing(db, 409, "total-changed") as refused:
        pounds = order_body(store, 2_500) | {"expected_total": {"amount": 2_500, "currency": "GBP"}}
        refused(await shopper.post("/v1/orders", pounds))


async def test_which_lines_are_short_and_the_nearest_stores_that_have_them(shop: Shop, db: Database) -> None:
    kazan: dict[str, Any] = {"latitude_e6": 55_790_000, "longitude_e6": 49_110_000}
    store = await shop.store(**kazan)
    near = await shop.store(latitude_e6=55_800_000, longitude_e6=49_120_000)
    far = await shop.store(latitude_e6=56_840_000, longitude_e6=60_600_000)
    paused = await shop.store(**kazan, paused_until=clock() + timedelta(hours=1), paused_reason="Flood")
    counter = await shop.store(**kazan, roles=("sells",))
    plenty, few, none = [await shop.item(price=100) for _ in range(3)]
    shopper = await shop.shopper()
    await shop.stock(store, plenty, 9)
    await shop.stock(store, few, 1)
    for place_, item, quantity in ((far, few, 5), (near, few, 3), (paused, few, 9), (counter, few, 9), (near, none, 1)):
        await shop.stock(place_, item, quantity)
    await put(shopper, (plenty, 2), (few, 3), (none, 2))
    async with refusing(db, 409, "insufficient-stock") as refused:
        body = refused(await shopper.post("/v1/orders", order_body(store, 700)))
        short = {line["sku"]: line for line in body["lines"]}
        assert {sku: (line["wanted"], line["left"]) for sku, line in short.items()} == {
            few.sku: (3, 1),
            none.sku: (2, 0),
        }
        assert [(there["location"], there["distance_metres"] > 500_000) for there in short[few.sku]["near"]] == [
            (near.code, False),
            (far.code, True),
        ]
        assert short[none.sku]["near"] == []


async def test_a_pause_says_until_when_in_both_languages(shop: Shop, db: Database) -> None:
    until = clock().replace(microsecond=0) + timedelta(hours=3)
    store = await shop.store(paused_until=until, paused_reason="Flood")
    item, shopper = await shop.item(price=100), await shop.shopper()
    await put(shopper, (item, 1))
    async with refusing(db, 422, "pickup-not-offered") as refused:
        english = refused(await shopper.post("/v1/orders", order_body(store, 100)))
        assert (english["location"], english["reason"]) == (store.code, "paused")
        assert english["until"].startswith(until.isoformat()[:19])
    async with refusing(db, 422, "pickup-not-offered") as refused:
        russian = refused(await shopper.post("/v1/orders", order_body(store, 100), headers=RUSSIAN))
    assert both(english, russian)[1].startswith(store.code)
    assert russian["title"] == "Здесь сейчас нельзя получить заказ"


async def test_nobody_to_call(shop: Shop, db: Database) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 1)
    await put(shopper, (item, 1))
    for contact, missing in (
        ({}, "name, email or phone"),
        ({"name": "Анна"}, "email or phone"),
        ({"email": "a@example.com"}, "name"),
    ):
        async with refusing(db, 422, "contact-needed") as refused:
            body = refused(await shopper.post("/v1/orders", order_body(store, 100) | {"contact": contact}))
            assert body["missing"] == missing
    async with refusing(db, 422, "bad-phone") as refused:
        refused(
            await shopper.post(
                "/v1/orders", order_body(store, 100) | {"contact": {"name": "Анна", "phone": "+7 000 000"}}
            )
        )


async def test_a_key_belongs_to_one_caller_and_one_operation(shop: Shop, db: Database) -> None:
    store, item, key = await shop.store(), await shop.item(price=100), str(uuid7())
    await shop.stock(store, item, 9)
    anna, boris = await shop.shopper(), await shop.shopper()
    line = f"/v1/carts/current/lines/{item.sku}"
    first = await anna.put(line, {"quantity": 1}, key=key)
    assert (await boris.put(line, {"quantity": 2}, key=key)).json()["lines"][0]["quantity"] == 2
    assert (await anna.post("/v1/orders", order_body(store, 100), key=key)).status_code == 201
    again = await anna.put(line, {"quantity": 1}, key=key)
    assert (again.status_code, again.json(), again.headers["etag"]) == (200, first.json(), first.headers["etag"])
    for path, body in ((line, {"quantity": 3}), ("/v1/carts/current/lines/OTHER", {"quantity": 1})):
        async with refusing(db, 409, "idempotency-key-reused") as refused:
            refused(await anna.put(path, body, key=key))


async def test_an_order_number_misread(shop: Shop, db: Database) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 1)
    number = (await place(shopper, store, (item, 1)))["number"]
    assert (await shopper.get(f"/v1/orders/{number.replace('-', ' ')}")).json()["number"] == number
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    for text, hint in ((wrong, "mistyped_digit"), (number[:-2], "not_twelve_digits")):
        async with refusing(db, 404, "unknown-order") as refused:
            body = refused(await shopper.get(f"/v1/orders/{text}"))
            assert (body["number"], body["hint"]) == (text, hint)
    async with refusing(db, 412, "order-changed") as refused:
        stale = await shopper.post(f"/v1/orders/{number}/cancel", {"reason": "other"}, headers={"If-Match": '"9.9"'})
        body = refused(stale)
        assert (body["seen"], body["version"]) == (9, 1)


@pytest.fixture
async def counter(shop: Shop) -> tuple[Client, Store, Item, dict[str, Any], Client]:
    """A shopper who has collected three of an item, and the store's associate."""
    store, item, shopper = await shop.store(), await shop.item(price=10_000), await shop.shopper()
    await shop.stock(store, item, 5)
    order = await place(shopper, store, (item, 3))
    associate = await shop.staff("associate", store.code)
    number = await make_ready(associate, store, order)
    collect = {"code": await pickup_code(shopper, order), "tenders": [cash(30_000)]}
    assert (await step(associate, store, number, "collect", collect)).status_code == 200
    return shopper, store, item, order, associate


async def test_returns_that_do_not_add_up(
    shop: Shop, db: Database, counter: tuple[Client, Store, Item, dict[str, Any], Client]
) -> None:
    _, store, item, order, associate = counter
    path = f"/v1/stores/{store.code}/returns"

    def back(*quantities: int, **more: Any) -> dict[str, Any]:
        lines = [
            {"sku": item.sku, "quantity": q, "ground": "change_of_mind", "condition": "sellable"} for q in quantities
        ]
        return {"order": order["number"], "lines": lines, "refund": {"tender": "cash"}} | more

    async with refusing(db, 409, "too-many-returned") as refused:
        body = refused(await associate.post(path, back(2, 2)))
        assert body["lines"] == [{"n": 1, "sku": item.sku, "wanted": 4, "left": 3}]
    assert (await associate.post(path, back(2))).status_code == 201
    async with refusing(db, 409, "too-many-returned") as refused:
        english = refused(await associate.post(path, back(2)))
        assert english["lines"] == [{"n": 1, "sku": item.sku, "wanted": 2, "left": 1}]
    async with refusing(db, 409, "too-many-returned") as refused:
        russian = refused(await associate.post(path, back(2), headers=RUSSIAN))
    assert both(english, russian) == (
        f"{item.sku}: 2 brought, 1 can still come back. Only what was handed over and has not come back yet can be returned.",
        f"{item.sku}: принесли 2, вернуть можно ещё 1. Вернуть можно только то, что выдано и ещё не возвращено.",
    )
    for quantity in (0, -1, 1_000_001):
        async with refusing(db, 400, "bad-input") as refused:
            assert refused(await associate.post(path, back(quantity)))["errors"][0]["pointer"] == "/lines/0/quantity"
    receipt = {"register": f"counter-{store.code}", "number": 1}
    for more in ({"receipt": receipt}, {"order": None}):
        async with refusing(db, 422, "sale-not-named") as refused:
            refused(await associate.post(path, back(1, **more)))
    async with refusing(db, 404, "unknown-receipt") as refused:
        refused(await associate.post(path, back(1, order=None, receipt=receipt | {"number": 99})))
    async with refusing(db, 404, "unknown-order") as refused:
        refused(await associate.post(path, back(1, order="4821-3059-1760")))
    async with refusing(db, 422, "line-not-in-order") as refused:
        strange = {"sku": "NO-SUCH", "quantity": 1, "ground": "defect", "condition": "defective"}
        body = refused(await associate.post(path, back(1) | {"lines": [strange]}))
        assert body["lines"] == [{"index": 0, "n": None, "sku": "NO-SUCH"}]
    card = {"tender": "card_terminal", "reference": "4111 1111 1111 1111"}
    async with refusing(db, 422, "card-number-refused") as refused:
        assert "4111" not in str(refused(await associate.post(path, back(1, refund=card))))


async def test_returns_where_and_when_they_are_not_taken(
    shop: Shop, db: Database, counter: tuple[Client, Store, Item, dict[str, Any], Client]
) -> None:
    shopper, store, item, order, _ = counter
    line = {"sku": item.sku, "quantity": 1, "ground": "change_of_mind", "condition": "sellable"}
    body = {"order": order["number"], "lines": [line], "refund": {"tender": "cash"}}
    none = await shop.store(roles=("ships", "pickup", "sells"))
    elsewhere = await shop.staff("associate", none.code)
    async with refusing(db, 409, "store-takes-no-returns") as refused:
        answer = refused(await elsewhere.post(f"/v1/stores/{none.code}/returns", body))
        assert (answer["store"], answer["reason"]) == (none.code, "no_role")
    async with refusing(db, 403, "not-allowed") as refused:
        refused(await elsewhere.post(f"/v1/stores/{store.code}/returns", body))
    async with refusing(db, 403, "not-allowed") as refused:
        refused(await shopper.post(f"/v1/stores/{store.code}/returns", body))
    clock.travel(timedelta(days=15))
    late = await shop.staff("associate", store.code)
    async with refusing(db, 422, "return-not-accepted") as refused:
        (refusal,) = refused(await late.post(f"/v1/stores/{store.code}/returns", body))["lines"]
        assert (refusal["reason"], refusal["days"], refusal["ground"]) == ("too_late", 14, "change_of_mind")


async def test_sales_that_cannot_be_booked(shop: Shop, db: Database) -> None:
    store, other, item = await shop.store(), await shop.store(), await shop.item(price=12_000)
    unpriced = await shop.item(price=None)
    till, next_door = await shop.device("till", store.code), await shop.device("till", other.code)
    path = f"/v1/stores/{store.code}/sales"

    def sale(*goods: dict[str, Any], paid: int, **more: Any) -> dict[str, Any]:
        lines = [{"quantity": 1, "unit_price": rub(12_000)} | one for one in goods]
        return {"id": str(uuid7()), "occurred_at": clock().isoformat(), "lines": lines, "tenders": [cash(paid)]} | more

    known = {"sku": item.sku}
    async with refusing(db, 422, "unknown-articles") as refused:
        dirty: tuple[dict[str, Any], ...] = (
            {"sku": "NO-SUCH"},
            known,
            {"sku": unpriced.sku},
            {"sku": item.sku, "barcode": "1"},
            {},
        )
        body = refused(await till.post(path, sale(*dirty, paid=60_000)))
        assert [(line["index"], line["reason"]) for line in body["lines"]] == [
            (0, "unknown"), (2, "no_price"), (3, "sku_or_barcode"), (4, "sku_or_barcode"),
        ]  # fmt: skip
    async with refusing(db, 422, "wrong-tender") as refused:
        body = refused(await till.post(path, sale(known, known, paid=23_999)))
        assert (body["owed"], body["tendered"]) == (rub(24_000), rub(23_999))
    for at in (timedelta(days=-91), timedelta(minutes=6)):
        async with refusing(db, 422, "bad-moment") as refused:
            refused(await till.post(path, sale(known, paid=12_000, occurred_at=(clock() + at).isoformat())))
    async with refusing(db, 422, "no-such-customer") as refused:
        stranger = str(uuid7())
        assert refused(await till.post(path, sale(known, paid=12_000, customer=stranger)))["customer"] == stranger
    async with refusing(db, 403, "not-allowed") as refused:
        refused(await next_door.post(path, sale(known, paid=12_000)))
    async with refusing(db, 400, "bad-input") as refused:
        unzoned = sale(known, paid=12_000, occurred_at="2026-11-21T12:00:00")
        assert refused(await till.post(path, unzoned))["errors"][0]["pointer"] == "/occurred_at"
    booked = sale(known, paid=12_000)
    assert (await till.post(path, booked)).status_code == 201
    async with refusing(db, 409, "sale-elsewhere") as refused:
        refused(await next_door.post(f"/v1/stores/{other.code}/sales", booked))


async def test_the_store_names_the_step_that_is_in_the_way(shop: Shop, db: Database) -> None:
    store, item, shopper = await shop.store(), await shop.item(price=100), await shop.shopper()
    await shop.stock(store, item, 3)
    order = await place(shopper, store, (item, 2))
    number = order["fulfillments"][0]["number"]
    associate = await shop.staff("associate", store.code)
    for name in ("pick", "ready", "pack"):
        async with refusing(db, 409, "wrong-step") as refused:
            answer = refused(await step(associate, store, number, name, {"scans": []} if name == "pick" else None))
            assert (answer["number"], answer["state"]) == (number, "open")
    assert (await step(associate, store, number, "accept")).status_code == 200
    other = await shop.item()
    async with refusing(db, 422, "not-in-fulfillment") as refused:
        assert (
            other.sku in refused(await step(associate, store, number, "pick", {"scans": [{"sku": other.sku}]}))["scans"]
        )
    async with refusing(db, 422, "picked-too-many") as refused:
        scans = {"scans": [{"sku": item.sku, "quantity": 2}, {"sku": item.sku, "quantity": 1}]}
        answer = refused(await step(associate, store, number, "pick", scans))
        assert (answer["sku"], answer["left"], answer["scanned"]) == (item.sku, 2, 3)
    async with refusing(db, 404, "unknown-fulfillment") as refused:
        refused(await step(associate, store, "4821-3059-1768-1", "accept"))


async def test_a_wrong_password_is_counted_and_the_login_rests(shop: Shop, db: Database) -> None:
    from tests.support import unique

    visitor, email = await shop.client(), f"{unique('anna')}@example.com"
    account = {"email": email, "password": "klyukva-vesna-17"}
    await shop.signed_up(visitor, **account)
    for _ in range(5):
        async with refusing(db, 401, "wrong-password", changed=("auth.attempts",)) as refused:
            refused(await visitor.post("/v1/auth/sign-in", account | {"password": "klyukva-vesna-18"}))
    async with refusing(db, 429, "too-many-attempts") as refused:
        answer = await visitor.post("/v1/auth/sign-in", account, headers=RUSSIAN)
        body = refused(answer)
        assert body["title"] == "Слишком много неверных попыток"
        assert 0 < int(answer.headers["retry-after"]) <= 900
    clock.travel(timedelta(minutes=16))
    assert (await visitor.post("/v1/auth/sign-in", account)).status_code == 201
