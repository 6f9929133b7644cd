"""A cart goes from one screen to another by a code, or an associate joins it: once, for two minutes, and everybody is told."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from commerce.carts import handing
from commerce.infra.db import Tx
from commerce.infra.tables import audit_records
from tests.auth.support import row_of
from tests.carts.test_cart_baskets import at_device, current, events_of, put
from tests.orders.story import rub
from tests.support import Client, Shop, clock

pytestmark = pytest.mark.usefixtures("audited")

CODE = re.compile(r"^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$")


async def asked(client: Client, mode: str = "move", cart: str = "current") -> str:
    answer = await client.post(f"/v1/carts/{cart}/hand-off", {"mode": mode})
    assert answer.status_code == 201, answer.text
    assert CODE.match(answer.json()["code"])
    assert answer.json()["qr"] == f"commerce:cart:{answer.json()['code']}"
    return str(answer.json()["code"])


async def claim(client: Client, code: str, **more: Any) -> Any:
    return await client.post("/v1/carts/claim", {"code": code, **more})


def kind(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


async def test_from_the_kiosk_to_the_phone(shop: Shop) -> None:
    store = await shop.store()
    kiosk, phone = await shop.device("kiosk", store.code), await shop.shopper("app", known=True)
    both, only = await shop.item(price=100), await shop.item(price=7)
    mine = await put(phone, both, 1)
    await put(kiosk, both, 2)
    basket = await put(kiosk, only, 3)
    await kiosk.put("/v1/carts/current/checkout", {"note": "Bag, please"})
    code = await asked(kiosk)
    answer = await claim(phone, code.lower().replace("-", " "))
    assert answer.status_code == 200, answer.text
    told = {line["sku"]: (line["outcome"], line["quantity"]) for line in answer.json()["lines"]}
    assert told == {both.sku: ("summed", 3), only.sku: ("added", 3)}
    cart = answer.json()["cart"]
    assert (cart["id"], cart["subtotal"], cart["checkout"]["note"]) == (mine["id"], rub(321), "Bag, please")
    assert {line["sku"]: line["added_channel"] for line in cart["lines"]} == {both.sku: "app", only.sku: "kiosk"}
    assert await current(phone) == cart
    assert (await current(kiosk))["id"] is None
    closed = (await kiosk.get(f"/v1/carts/{basket['id']}")).json()
    assert (closed["state"], closed["checkout"]) == ("merged", None)
    assert (await events_of(shop, basket["id"]))[-1] == ("cart.merged", 4)
    again = await claim(await shop.shopper(), code)
    assert (kind(again), again.json()["left"]) == ((422, "wrong-hand-off-code"), 4)

    async def stored(tx: Tx) -> Any:
        return await tx.one(
            "SELECT code_hash, claimed_by, into_cart_id FROM carts.hand_offs WHERE cart_id = :id", id=UUID(basket["id"])
        )

    row = await shop.db.read(stored)
    assert (row.claimed_by, str(row.into_cart_id)) == (phone.actor.subject, cart["id"])
    assert code.replace("-", "") not in row.code_hash


async def test_from_the_phone_to_the_kiosk_no_personal_data_is_left_on_screen(shop: Shop) -> None:
    store = await shop.store()
    kiosk, phone = await shop.device("kiosk", store.code), await shop.shopper("app")
    item = await shop.item(price=100)
    await shop.stock(store, item, 5)
    await put(phone, item, 2)
    said = {
        "contact": {"name": "Анна Иванова", "phone": "+79000000101", "email": "anna.ivanova@example.com"},
        "recipient": {"name": "Мария Сергеева", "phone": "+79000000102"}, "note": "Код 1234",
        "gift": {"wrap": True, "message": "Мамочке"}, "fulfillment": {"method": "collect", "location": store.code},
    }  # fmt: skip
    assert (await phone.put("/v1/carts/current/checkout", said)).status_code == 200
    wish = {
        "fulfillment": {"method": "deliver", "address": {"country": "RU", "city": "Казань", "street": "Баумана, 7"}}
    }
    path = f"/v1/carts/current/lines/{item.sku}/fulfillment"
    assert (await phone.put(path, wish | {"gift": {"message": "Тебе"}})).status_code == 200
    moved = await claim(kiosk, await asked(phone))
    assert moved.status_code == 200, moved.text
    screen = await kiosk.get("/v1/carts/current")
    for text in (moved.text, screen.text, (await kiosk.get("/v1/carts")).text):
        for secret in ("Иванова", "0101", "anna.ivanova", "Сергеева", "0102", "1234", "Мамочке", "Баумана", "Тебе"):
            assert secret not in text
        assert str(phone.actor.subject) not in text
    shown = screen.json()
    assert shown["checkout"] == {
        "fulfillment": {"method": "collect", "location": store.code},
        "contact": {"name": "Анна", "phone": "…01", "email": "a…@…"}, "recipient": {"name": "Мария"}, "note": None,
        "gift": {"wrap": True}, "discreet": True, "hidden": ["contact", "recipient", "note", "address", "gift_message"],
    }  # fmt: skip
    assert shown["customer"] == {"first_name": None, "named_by": "hand_off", "id": None}
    assert (await current(phone))["id"] is None

    # What is not shown is used: nothing is typed again, and the order is his.
    placed = await kiosk.post("/v1/orders", {"expected_total": rub(200), "pickup": {"location": store.code}})
    assert placed.status_code == 201, placed.text
    for secret in ("Иванова", "0101", "Сергеева", "1234", "Мамочке"):
        assert secret not in placed.text
    order = (await phone.get(f"/v1/orders/{placed.json()['number']}")).json()
    assert (order["contact"]["phone"], order["recipient"]["name"], order["note"]) == (
        "+79000000101", "Мария Сергеева", "Код 1234",
    )  # fmt: skip
    assert order["gift"] == {"wrap": True, "message": "Мамочке", "lines": {item.sku: {"message": "Тебе"}}}


async def test_what_is_typed_anew_at_the_kiosk_is_shown(shop: Shop) -> None:
    store = await shop.store()
    kiosk, phone = await shop.device("kiosk", store.code), await shop.shopper("app")
    await put(phone, await shop.item(), 1)
    await phone.put("/v1/carts/current/checkout", {"note": "Secret", "contact": {"name": "Анна Иванова"}})
    await claim(kiosk, await asked(phone))
    partly = await kiosk.put("/v1/carts/current/checkout", {"note": "Mine"})
    assert (partly.json()["checkout"]["discreet"], partly.json()["checkout"]["note"]) == (True, None)
    wholly = await kiosk.put("/v1/carts/current/checkout", {"note": "Mine", "contact": {"name": "Борис Б"}})
    assert (wholly.json()["checkout"]["note"], wholly.json()["checkout"]["contact"]) == ("Mine", {"name": "Борис Б"})


async def test_codes_that_are_no_good(shop: Shop) -> None:
    store = await shop.store()
    kiosk, phone = await shop.device("kiosk", store.code), await shop.shopper("app")
    assert kind(await kiosk.post("/v1/carts/current/hand-off", {"mode": "move"})) == (409, "nothing-to-hand-off")
    item = await shop.item()
    basket = await put(kiosk, item, 1)
    assert kind(await kiosk.post("/v1/carts/current/hand-off", {"mode": "join"})) == (409, "nothing-to-join")
    first, second = await asked(kiosk), await asked(kiosk)
    assert kind(await claim(phone, first)) == (422, "wrong-hand-off-code")
    assert kind(await claim(kiosk, second)) == (409, "own-cart")
    clock.travel(timedelta(minutes=2, seconds=1))
    assert kind(await claim(phone, second)) == (422, "wrong-hand-off-code")
    assert kind(await claim(phone, await asked(kiosk), policy="separate"))[0] == 400
    assert kind(await claim(await shop.staff("call_center"), await asked(kiosk))) == (422, "no-cart-here")
    code = await asked(kiosk)
    assert (await kiosk.delete("/v1/carts/current")).status_code == 200
    gone = await claim(phone, code)
    assert (kind(gone), gone.json()["state"]) == ((409, "cart-closed"), "expired")
    assert (await current(phone))["id"] is None
    assert (await kiosk.get(f"/v1/carts/{basket['id']}")).json()["state"] == "expired"


async def test_guessing_codes_has_an_end(shop: Shop) -> None:
    store = await shop.store()
    kiosk, phone = await shop.device("kiosk", store.code), await shop.shopper("app")
    basket = await put(kiosk, await shop.item(), 1)
    for left in (4, 3, 2, 1, 0):
        wrong = await claim(phone, "BBBB-BBBB")
        assert (kind(wrong), wrong.json()["left"]) == ((422, "wrong-hand-off-code"), left)
    code = await asked(kiosk)
    resting = await claim(phone, code)
    assert kind(resting) == (429, "too-many-claims")
    assert 0 < int(resting.headers["retry-after"]) <= handing.WINDOW.total_seconds() + 1
    assert await current(kiosk) == basket
    assert (await claim(await shop.shopper(), code)).status_code == 200
    clock.travel(handing.WINDOW + timedelta(seconds=1))
    await put(kiosk, await shop.item(), 1)
    assert (await claim(phone, await asked(kiosk))).status_code == 200


async def records_of(shop: Shop, target: str) -> list[tuple[str, UUID]]:
    """Who did what to it, as the audit record has it."""

    async def work(tx: Tx) -> Any:
        return await tx.rows(
            "SELECT action, subject FROM infra.audit_records WHERE target_id = :id ORDER BY id", id=target
        )

    return [(row.action, row.subject) for row in await shop.db.read(work)]


async def test_an_associate_joins_and_adds(shop: Shop) -> None:
    store = await shop.store()
    till, anna = await shop.device("till", store.code), await shop.shopper("app", known=True)
    associate, other = await at_device(shop, till), await shop.staff("associate", store.code, channel="app")
    hers, size = await shop.item(price=100), await shop.item(price=900)
    cart = await put(anna, hers, 1)
    await anna.put("/v1/carts/current/checkout", {"note": "Big bag"})
    assert kind(await claim(await shop.shopper(), await asked(anna, "join"))) == (403, "not-for-joining")
    joined = await claim(associate, await asked(anna, "join"))
    assert joined.status_code == 200, joined.text
    assert (joined.json()["mode"], joined.json()["lines"], joined.json()["version"]) == ("join", [], 3)
    assert joined.json()["cart"]["checkout"]["note"] == "Big bag"
    (guest,) = (await current(anna))["guests"]
    assert (guest["name"], guest["until_at"]) == ("Staff Member", joined.json()["until_at"])

    added = await associate.put(f"/v1/carts/{cart['id']}/lines/{size.sku}", {"quantity": 1})
    assert (added.status_code, added.json()["version"]) == (200, 4)
    shown = await current(anna)
    assert shown == added.json()
    by = {line["sku"]: line["added_by"] for line in shown["lines"]}
    assert by == {hers.sku: None, size.sku: str(associate.actor.subject)}
    record = await row_of(shop, audit_records, action="cart.changed", target_id=cart["id"])
    assert (record.subject, record.location, record.after["version"]) == (associate.actor.subject, store.code, 4)
    assert (await current(associate))["id"] is None
    path = f"/v1/carts/{cart['id']}"
    await associate.put(f"{path}/checkout", {"note": "Small bag"})
    await associate.put(f"{path}/checkout", {"note": "Big bag"})
    assert await records_of(shop, cart["id"]) == [
        ("cart.joined", associate.actor.subject), ("cart.changed", associate.actor.subject),
        ("cart.checkout_changed", associate.actor.subject), ("cart.checkout_changed", associate.actor.subject),
    ]  # fmt: skip
    assert kind(await other.get(path)) == (404, "unknown-cart")
    for answer in (
        await associate.delete(path),
        await associate.post(f"{path}/park", {}),
        await associate.post(f"{path}/hand-off", {"mode": "move"}),
        await associate.post("/v1/orders", {"expected_total": rub(1_000), "cart": cart["id"]}),
    ):
        assert kind(answer) == (403, "not-your-cart")
    assert kind(await anna.delete(f"{path}/guests/{UUID(int=1)}")) == (404, "unknown-guest")
    ended = await anna.delete(f"{path}/guests/{guest['id']}")
    assert (ended.json()["guests"], ended.json()["version"]) == ([], 7)
    for answer in (await associate.get(path), await associate.put(f"{path}/lines/{size.sku}", {"quantity": 2})):
        assert kind(answer) == (404, "unknown-cart")
    assert [name for name, _ in await events_of(shop, cart["id"])] == [
        "cart.changed", "cart.checkout_changed", "cart.joined", "cart.changed", "cart.checkout_changed", "cart.checkout_changed",
        "cart.left",
    ]  # fmt: skip


async def test_a_visit_ends_by_itself_and_with_the_cart(shop: Shop) -> None:
    store, anna = await shop.store(), await shop.shopper("app")
    item = await shop.item(price=100)
    await shop.stock(store, item, 5)
    associate, other = [await shop.staff("associate", store.code, channel="app") for _ in range(2)]
    cart = await put(anna, item, 1)
    path = f"/v1/carts/{cart['id']}"
    for visitor in (associate, other):
        assert (await claim(visitor, await asked(anna, "join"))).status_code == 200
    (first, second) = (await current(anna))["guests"]
    assert kind(await associate.delete(f"{path}/guests/{second['id']}")) == (403, "not-your-cart")
    assert (await associate.delete(f"{path}/guests/{first['id']}")).status_code == 200
    clock.travel(handing.VISIT + timedelta(seconds=1))
    assert kind(await other.get(path)) == (404, "unknown-cart")
    assert (await current(anna))["guests"] == []
    assert (await claim(other, await asked(anna, "join"))).status_code == 200
    assert (await other.get(path)).json()["guests"][0]["id"] == second["id"]
    body = {
        "expected_total": rub(100),
        "pickup": {"location": store.code},
        "contact": {"name": "A", "email": "a@example.com"},
    }
    assert (await anna.post("/v1/orders", body)).status_code == 201
    assert kind(await other.get(path)) == (404, "unknown-cart")


async def test_staff_see_which_carts_they_have_joined(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    till, anna, boris = await shop.device("till", store.code), await shop.shopper("app"), await shop.shopper("app")
    elsewhere, at_till = await shop.staff("associate", store.code, channel="app"), await at_device(shop, till)
    assert (await elsewhere.get("/v1/carts")).json() == {"items": []}
    hers, his = await put(anna, item, 1), await put(boris, item, 2)
    basket = await put(till, item, 3)
    until = {}
    for visitor in (elsewhere, at_till):
        for cart, owner in ((hers, anna), (his, boris)):
            joined = await claim(visitor, await asked(owner, "join"))
            until[visitor, cart["id"]] = joined.json()["until_at"]
            clock.travel(timedelta(minutes=1))

    async def listed(client: Client) -> list[tuple[str, bool, str | None, int]]:
        items = (await client.get("/v1/carts")).json()["items"]
        return [(one["id"], one["current"], one["joined_until"], one["line_count"]) for one in items]

    joined_by = {
        visitor: [(cart["id"], False, until[visitor, cart["id"]], 1) for cart in (his, hers)]
        for visitor in (elsewhere, at_till)
    }
    assert await listed(elsewhere) == joined_by[elsewhere]
    assert await listed(at_till) == [(basket["id"], True, None, 1), *joined_by[at_till]]
    assert await listed(till) == [(basket["id"], True, None, 1)]
    assert await listed(anna) == [(hers["id"], True, None, 1)]
    assert (await anna.delete("/v1/carts/current")).status_code == 200
    assert await listed(elsewhere) == joined_by[elsewhere][:1]
    clock.travel(handing.VISIT)
    assert await listed(elsewhere) == []


async def test_what_came_from_one_phone_does_not_go_to_another_by_way_of_a_kiosk(shop: Shop) -> None:
    store, item, other = await shop.store(), await shop.item(), await shop.item()
    kiosk, till = await shop.device("kiosk", store.code), await shop.device("till", store.code)
    anna, stranger = await shop.shopper("app", known=True), await shop.shopper("app")
    said = {"contact": {"name": "Анна Иванова", "phone": "+79000000101"}, "note": "Код 1234", "gift": {"wrap": True}}
    wish = {
        "fulfillment": {"method": "deliver", "address": {"country": "RU", "city": "Казань", "street": "Баумана, 7"}}
    }

    async def hers() -> None:
        await put(anna, item, 1)
        await anna.put("/v1/carts/current/checkout", said)
        await anna.put(f"/v1/carts/current/lines/{item.sku}/fulfillment", wish)

    await hers()
    assert (await claim(kiosk, await asked(anna))).status_code == 200
    taken = await claim(stranger, await asked(kiosk))
    assert taken.status_code == 200
    for secret in ("Иванова", "0101", "1234", "Баумана"):
        assert secret not in taken.text + (await stranger.get("/v1/carts/current")).text
    assert [line["sku"] for line in taken.json()["cart"]["lines"]] == [item.sku]
    assert taken.json()["cart"]["checkout"]["gift"] == {"wrap": True}

    # To her own phone it comes back whole.
    await hers()
    await claim(kiosk, await asked(anna))
    back = (await claim(anna, await asked(kiosk))).json()["cart"]
    assert (back["checkout"]["contact"]["phone"], back["checkout"]["note"]) == ("+79000000101", "Код 1234")
    assert back["lines"][0]["fulfillment"]["address"]["city"] == "Казань"

    # A basket that another is named on takes the goods alone.
    await put(stranger, other, 1)
    assert (await claim(till, await asked(stranger))).json()["cart"]["customer"]["named_by"] == "hand_off"
    beside = (await claim(till, await asked(anna))).json()["cart"]
    assert {line["sku"] for line in beside["lines"]} == {item.sku, other.sku}
    assert (beside["checkout"]["contact"], beside["checkout"]["hidden"], beside["checkout"]["discreet"]) == (
        None, [], False,
    )  # fmt: skip


async def test_baskets_that_are_given_up_or_ordered_at_a_till_are_in_the_record(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item(price=100)
    await shop.stock(store, item, 5)
    till = await shop.device("till", store.code)
    associate = await at_device(shop, till)
    dropped = await put(till, item, 2)
    assert (await associate.delete("/v1/carts/current")).status_code == 200
    assert await records_of(shop, dropped["id"]) == [("cart.dropped", associate.actor.subject)]
    await put(till, item, 1)
    contact = {"name": "Анна", "phone": "+79000000101"}
    body = {"expected_total": rub(100), "pickup": {"location": store.code}, "contact": contact}
    order = (await associate.post("/v1/orders", body)).json()
    assert await records_of(shop, order["id"]) == [("order.placed", associate.actor.subject)]

    # A customer's own acts are in his timeline alone.
    anna = await shop.shopper("app")
    hers = await put(anna, item, 1)
    own = (await anna.post("/v1/orders", body)).json()
    assert await records_of(shop, own["id"]) + await records_of(shop, hers["id"]) == []


async def test_staff_elsewhere_have_no_cart_to_change(shop: Shop) -> None:
    operator, item = await shop.staff("call_center"), await shop.item()
    for answer in (
        await operator.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": 1}),
        await operator.put("/v1/carts/current/lines", {"lines": [{"sku": item.sku, "quantity": 1}]}),
    ):
        assert kind(answer) == (422, "no-cart-here")


async def test_what_is_said_by_somebody_with_an_account_goes_to_no_other_shopper(shop: Shop) -> None:
    anna, nobody, boris = (
        await shop.shopper("app", known=True),
        await shop.shopper("app"),
        await shop.shopper(known=True),
    )
    item = await shop.item()
    said = {"contact": {"name": "Анна Иванова", "phone": "+79000000101"}, "gift": {"wrap": True, "message": "Маме"}}

    async def received(giver: Client, taker: Client) -> Any:
        await put(giver, item, 1)
        await giver.put("/v1/carts/current/checkout", said)
        taken = await claim(taker, await asked(giver))
        assert taken.status_code == 200, taken.text
        return taken.json()["cart"]["checkout"]

    goods_alone = await received(anna, boris)
    assert (goods_alone["contact"], goods_alone["gift"]) == (None, {"wrap": True})
    # Who has no account shows the code himself: it may well be his other screen.
    from_nobody = await received(nobody, anna)
    assert (from_nobody["contact"]["phone"], from_nobody["gift"]["message"]) == ("+79000000101", "Маме")
