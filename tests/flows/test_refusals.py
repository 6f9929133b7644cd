"""What bad input gets (issue 2, section 6): a helpful problem document, and nothing has changed but an attempt counter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import httpx
import msgspec
import pytest

from commerce.infra.db import Database, Tx
from commerce.infra.tables import metadata
from commerce.kernel.ids import uuid7
from tests.orders.story import cash, make_ready, order_body, pickup_code, put, rub, step
from tests.support import Client, Item, Shop, Store, clock

pytestmark = pytest.mark.usefixtures("audited")


@cache
def snapshot() -> str:
    """One statement over every table; the application has loaded them all by now. When somebody was last seen is noted beside the
    requests, whatever becomes of them."""
    seen = {"last_seen_at", "last_used_at"}
    said = {
        name: "to_jsonb(t) - 'last_seen_at' - 'last_used_at'" if seen & set(table.columns.keys()) else "t"
        for name, table in metadata.tables.items()
    }
    return " UNION ALL ".join(
        f"SELECT '{name}' AS name, count(*) AS rows, sum(hashtextextended(({said[name]})::text, 0)) AS hash FROM {name} t"
        for name in sorted(metadata.tables)
    )


async def world(db: Database) -> dict[str, tuple[Any, Any]]:
    """Every table of every room: how many rows, and a hash of what they say."""

    async def work(tx: Tx) -> dict[str, tuple[Any, Any]]:
        return {row.name: (row.rows, row.hash) for row in await tx.rows(snapshot())}

    return await db.read(work)


class Refusal(msgspec.Struct):
    """The answer that `refusing` checks."""

    answer: httpx.Response | None = None

    def __call__(self, answer: httpx.Response) -> dict[str, Any]:
        self.answer = answer
        body: dict[str, Any] = answer.json()
        return body


@asynccontextmanager
async def refusing(db: Database, status: int, code: str, changed: tuple[str, ...] = ()) -> AsyncIterator[Refusal]:
    """A block whose one request is refused; afterwards every table is as it was, but those named."""
    before = await world(db)
    refusal = Refusal()
    yield refusal
    after = await world(db)
    answer = refusal.answer
    assert answer is not None
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{code}"), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) >= {"type", "title", "status", "detail", "instance"}
    assert "orders.orders" in before
    assert {name for name in before if before[name] != after[name]} == set(changed)


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        (b"{", ""),
        (b'{"quantity": 1, "colour": "red"}', ""),
        (b'{"quantity": "1"}', "/quantity"),
        (b'{"quantity": 1.5}', "/quantity"),
        (b'{"quantity": -1}', "/quantity"),
        (b'{"quantity": 99999999999999999999}', "/quantity"),
        (b'{"quantity": 1000001}', "/quantity"),
        (b"[]", ""),
        (b"null", ""),
    ],
)
async def test_a_body_that_does_not_parse(shop: Shop, db: Database, content: bytes, pointer: str) -> None:
    shopper, item = await shop.shopper(), await shop.item()
    async with refusing(db, 400, "bad-input") as refused:
        body = refused(await shopper.put(f"/v1/carts/current/lines/{item.sku}", content=content))
        assert [error["pointer"] for error in body["errors"]] == [pointer]


async def test_goods_that_cannot_be_sold(shop: Shop, db: Database) -> None:
    shopper = await shop.shopper()
    hidden, recalled = await shop.item(published=False), await shop.item(stop_sale_reason="Sharp edge")
    async with refusing(db, 404, "unknown-sku") as refused:
        assert refused(await shopper.put("/v1/carts/current/lines/NO-SUCH", {"quantity": 1}))["sku"] == "NO-SUCH"
    for item, reason in ((hidden, "unpublished"), (recalled, "stop_sale")):
        async with refusing(db, 422, "not-sellable") as refused:
            body = refused(await shopper.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": 1}))
            assert reason in str(body)


async def test_an_empty_cart_is_not_ordered(shop: Shop, db: Database) -> None:
    store, shopper = await shop.store(), await shop.shopper()
    async with refusing(db, 422, "cart-empty") as refused:
        refused(await shopper.post("/v1/orders", order_body(store, 0)))


@pytest.fixture
async def filled(shop: Shop) -> tuple[Client, Store, Item]:
    """A shopper with two of an item in the cart, of which a store has three."""
    store, item, shopper = await shop.store(), await shop.item(price=129_900), await shop.shopper()
    await shop.stock(store, item, 3)
    await put(shopper, (item, 2))
    return shopper, store, item


async def test_a_stale_cart(shop: Shop, db: Database, filled: tuple[Client, Store, Item]) -> None:
    shopper, store, item = filled
    stale = {"If-Match": '"7"'}
    async with refusing(db, 412, "stale-cart") as refused:
        refused(await shopper.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": 1}, headers=stale))
    async with refusing(db, 412, "cart-changed") as refused:
        body = refused(await shopper.post("/v1/orders", order_body(store, 259_800), headers=stale))
        assert (body["seen"], body["version"]) == (7, 1)


async def test_a_total_that_no_longer_holds(shop: Shop, db: Database, filled: tuple[Client, Store, Item]) -> None:
    shopper, store, _ = filled
    async with refusing(db, 409, "total-changed") as refused:
        body = refused(await shopper.post("/v1/orders", order_body(store, 249_800)))
        assert (body["expected"], body["total"]) == (rub(249_800), rub(259_800))


async def test_places_that_hand_nothing_out(shop: Shop, db: Database, filled: tuple[Client, Store, Item]) -> None:
    shopper, _, _ = filled
    today = clock().date()
    for values, reason in (
        ({"roles": ("sells",)}, "no_role"),
        ({"closed_on": today - timedelta(days=2)}, "closed"),
        ({"opened_on": today + timedelta(days=2)}, "not_open_yet"),
        ({"paused_until": clock() + timedelta(hours=1), "paused_reason": "Flood"}, "paused"),
    ):
        store = await shop.store(**values)
        async with refusing(db, 422, "pickup-not-offered") as refused:
            body = refused(await shopper.post("/v1/orders", order_body(store, 259_800)))
            assert (body["location"], body["reason"]) == (store.code, reason)
    async with refusing(db, 422, "pickup-not-offered") as refused:
        body = refused(await shopper.post("/v1/orders", order_body(Store(uuid7(), "nowhere"), 259_800)))
        assert (body["location"], body["reason"]) == ("nowhere", "unknown")


async def test_not_enough_stock_says_how_many_and_where(
    shop: Shop, db: Database, filled: tuple[Client, Store, Item]
) -> None:
    shopper, _, item = filled
    store, near = await shop.store(), await shop.store()
    await shop.stock(store, item, 1)
    await shop.stock(near, item, 5)
    async with refusing(db, 409, "insufficient-stock") as refused:
        body = refused(await shopper.post("/v1/orders", order_body(store, 259_800)))
        (line,) = body["lines"]
        assert (line["sku"], line["wanted"], line["left"]) == (item.sku, 2, 1)
        assert near.code in str(line)


async def test_the_same_key_with_another_body(shop: Shop, db: Database, filled: tuple[Client, Store, Item]) -> None:
    shopper, store, _ = filled
    key = str(uuid7())
    first = await shopper.post("/v1/orders", order_body(store, 259_800), key=key)
    assert first.status_code == 201, first.text
    async with refusing(db, 409, "idempotency-key-reused") as refused:
        refused(await shopper.post("/v1/orders", order_body(store, 259_800, note="again"), key=key))
    again = await shopper.post("/v1/orders", order_body(store, 259_800), key=key)
    assert again.json() == first.json()


async def test_without_a_key(shop: Shop, db: Database, filled: tuple[Client, Store, Item]) -> None:
    shopper, store, _ = filled
    for headers in ({"Idempotency-Key": ""}, {"Idempotency-Key": "short"}):
        async with refusing(db, 400, "idempotency-key-required") as refused:
            refused(await shopper.post("/v1/orders", order_body(store, 259_800), headers=headers))


async def test_what_belongs_to_somebody_else(shop: Shop, db: Database, filled: tuple[Client, Store, Item]) -> None:
    shopper, store, item = filled
    stranger = await shop.shopper()
    cart = (await shopper.get("/v1/carts/current")).json()["id"]
    calls: list[tuple[str, Callable[[], Any]]] = [
        ("unknown-cart", lambda: stranger.get(f"/v1/carts/{cart}")),
        ("unknown-cart", lambda: stranger.put(f"/v1/carts/{cart}/lines/{item.sku}", {"quantity": 1})),
        ("unknown-cart", lambda: stranger.delete(f"/v1/carts/{cart}/lines/{item.sku}")),
        ("unknown-cart", lambda: stranger.delete(f"/v1/carts/{cart}/lines")),
    ]
    answer = await shopper.post("/v1/orders", order_body(store, 259_800))
    number = answer.json()["number"]
    calls += [
        ("unknown-order", lambda: stranger.get(f"/v1/orders/{number}")),
        ("unknown-order", lambda: stranger.get(f"/v1/orders/{number}/timeline")),
        ("unknown-order", lambda: stranger.post(f"/v1/orders/{number}/cancel", {"reason": "changed_mind"})),
        ("unknown-order", lambda: stranger.post(f"/v1/orders/{number}/pickup-code/renew")),
    ]
    for code, call in calls:
        async with refusing(db, 404, code) as refused:
            refused(await call())


async def test_the_fulfillment_of_another_store(shop: Shop, db: Database, filled: tuple[Client, Store, Item]) -> None:
    shopper, store, _ = filled
    other = await shop.store()
    number = (await shopper.post("/v1/orders", order_body(store, 259_800))).json()["fulfillments"][0]["number"]
    neighbour = await shop.staff("store_manager", other.code)
    for name, body in (
        ("accept", None), ("pick", {"scans": []}), ("pack", None), ("ready", None), ("cancel", {"reason": "out_of_stock"}),
        ("collect", {"code": "000000", "tenders": []}),
    ):  # fmt: skip
        async with refusing(db, 403, "not-allowed") as refused:
            refused(await step(neighbour, store, number, name, body))
        async with refusing(db, 403, "other-store") as refused:
            refused(await step(neighbour, other, number, name, body))


async def test_a_wrong_code_is_counted_and_the_sixth_is_not_asked(
    shop: Shop, db: Database, filled: tuple[Client, Store, Item]
) -> None:
    shopper, store, _item = filled
    order = (await shopper.post("/v1/orders", order_body(store, 259_800))).json()
    associate = await shop.staff("associate", store.code)
    number = await make_ready(associate, store, order)
    code = await pickup_code(shopper, order)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    for left in (4, 3, 2, 1, 0):
        async with refusing(db, 422, "wrong-pickup-code", changed=("fulfillment.fulfillments",)) as refused:
            body = refused(await step(associate, store, number, "collect", {"code": wrong, "tenders": [cash(259_800)]}))
            assert body["attempts_left"] == left
    async with refusing(db, 429, "pickup-code-locked") as refused:
        refused(await step(associate, store, number, "collect", {"code": code, "tenders": [cash(259_800)]}))
    assert (await shopper.post(f"/v1/orders/{order['number']}/pickup-code/renew")).status_code == 200
    fresh = await pickup_code(shopper, order)
    answer = await step(associate, store, number, "collect", {"code": fresh, "tenders": [cash(259_800)]})
    assert (answer.status_code, answer.json()["state"]) == (200, "collected")


async def test_money_that_does_not_add_up(shop: Shop, db: Database, filled: tuple[Client, Store, Item]) -> None:
    shopper, store, _ = filled
    order = (await shopper.post("/v1/orders", order_body(store, 259_800))).json()
    associate = await shop.staff("associate", store.code)
    number = await make_ready(associate, store, order)
    code = await pickup_code(shopper, order)
    async with refusing(db, 422, "wrong-tender") as refused:
        body = refused(await step(associate, store, number, "collect", {"code": code, "tenders": [cash(259_799)]}))
        assert (body["owed"], body["tendered"]) == (rub(259_800), rub(259_799))
    card = {"kind": "card_terminal", "amount": rub(259_800), "reference": "4111111111111111"}
    async with refusing(db, 422, "card-number-refused") as refused:
        assert "4111" not in str(
            refused(await step(associate, store, number, "collect", {"code": code, "tenders": [card]}))
        )


async def test_returns_that_are_not_accepted(shop: Shop, db: Database, filled: tuple[Client, Store, Item]) -> None:
    shopper, store, item = filled
    underwear = await shop.item(price=1_000, return_policy="underwear")
    await shop.stock(store, underwear, 1)
    await put(shopper, (underwear, 1))
    order = (await shopper.post("/v1/orders", order_body(store, 260_800))).json()
    associate = await shop.staff("associate", store.code)

    def back(sku: str, quantity: int) -> dict[str, Any]:
        line = {"sku": sku, "quantity": quantity, "ground": "change_of_mind", "condition": "sellable"}
        return {"order": order["number"], "lines": [line], "refund": {"tender": "cash"}}

    address = f"/v1/stores/{store.code}/returns"
    async with refusing(db, 409, "not-handed-over") as refused:
        assert refused(await associate.post(address, back(item.sku, 1)))["lines"] == [{"n": 1, "sku": item.sku}]
    number = await make_ready(associate, store, order)
    collect = {"code": await pickup_code(shopper, order), "tenders": [cash(260_800)]}
    assert (await step(associate, store, number, "collect", collect)).status_code == 200
    async with refusing(db, 409, "too-many-returned") as refused:
        body = refused(await associate.post(address, back(item.sku, 3)))
        assert body["lines"] == [{"n": 1, "sku": item.sku, "wanted": 3, "left": 2}]
    async with refusing(db, 422, "return-not-accepted") as refused:
        body = refused(await associate.post(address, back(underwear.sku, 1)))
        assert body["lines"][0]["reason"] == "excluded"
