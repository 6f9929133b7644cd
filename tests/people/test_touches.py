"""What brought a shopper here, and what had led to each order."""

from __future__ import annotations

from datetime import timedelta

from commerce import customers
from commerce.customers.touches import KEPT
from commerce.infra.db import Tx
from tests.orders.story import place
from tests.people.story import PASSWORD, fresh_email, fresh_phone, merged, problem, rows, signed_up, told
from tests.support import Shop, clock


async def test_first_and_last_are_kept_without_queries(shop: Shop, audited: None) -> None:
    shopper = await shop.shopper()
    answer = await shopper.post(
        "/v1/touches",
        {
            "source": "yandex",
            "medium": "cpc",
            "campaign": "coats",
            "click_id": "yclid-1",
            "referrer": "https://user:secret@Yandex.ru/search/?text=анна+иванова&phone=1",
            "landing_path": "/coats?utm_source=yandex#top",
        },
        key="touch-of-this-test-1",
    )
    assert answer.status_code == 201, answer.text
    first = answer.json()
    assert (first["referrer"], first["landing_path"], first["channel"]) == ("yandex.ru/search", "/coats", "site")
    again = await shopper.post("/v1/touches", {"source": "other"}, key="touch-of-this-test-1")
    assert problem(again) == (409, "idempotency-key-reused")
    last = (await shopper.post("/v1/touches", {"store_qr": "poster-7"})).json()
    kept = await shop.db.read(customers.touches_of, [shopper.actor.subject])
    assert kept.first is not None
    assert kept.last is not None
    assert (kept.first.source, kept.last.store_qr) == ("yandex", "poster-7")
    assert last["referrer"] is None
    assert problem(await shopper.post("/v1/touches", {})) == (422, "empty-touch")
    assert problem(await shopper.post("/v1/touches", {"referrer": "http://[::1"})) == (422, "empty-touch")
    assert problem(await (await shop.client()).post("/v1/touches", {"source": "x"})) == (403, "not-allowed")


async def test_of_a_thousand_the_first_and_the_newest_stay(shop: Shop) -> None:
    shopper = await shop.shopper()

    async def fill(tx: Tx) -> None:
        await tx.execute(
            """
            INSERT INTO customers.touches (id, shopper_id, at, channel, source)
            SELECT uuidv7(), :shopper, CAST(:at AS timestamptz) - n * interval '1 minute', 'site', 'n' || n
            FROM generate_series(1, CAST(:kept AS integer)) n
            """,
            shopper=shopper.actor.subject, at=tx.at, kept=KEPT,
        )  # fmt: skip

    await shop.db.write(fill)
    assert (await shopper.post("/v1/touches", {"source": "newest"})).status_code == 201
    kept = await rows(
        shop, "SELECT source FROM customers.touches WHERE shopper_id = :s ORDER BY at, id", s=shopper.actor.subject
    )
    assert len(kept) == KEPT
    assert [kept[0]["source"], kept[1]["source"], kept[-1]["source"]] == [f"n{KEPT}", f"n{KEPT - 2}", "newest"]


async def test_an_order_keeps_what_had_led_to_it(shop: Shop, audited: None) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    me, operator = await signed_up(shop), await shop.staff("call_center")
    await me.post("/v1/touches", {"source": "search"})
    await me.post("/v1/touches", {"source": "letter"})
    order = await place(me, store, (item, 1))
    clock.travel(timedelta(minutes=1))
    await me.post("/v1/touches", {"source": "too late"})
    where = f"/v1/orders/{order['number']}/touches"
    assert (await operator.get(where)).json() == {"number": order["number"], "first": None, "last": None}
    await told(shop)
    kept = (await operator.get(where)).json()
    assert (kept["first"]["source"], kept["last"]["source"]) == ("search", "letter")
    await shop.db.write(customers.forget_touches, before=clock() + timedelta(days=1), limit=10_000)
    assert (await operator.get(where)).json() == kept
    assert problem(await me.get(where)) == (403, "not-allowed")
    assert problem(await operator.get("/v1/orders/4821-3059-1768/touches")) == (404, "unknown-order")


async def test_what_a_merged_profile_came_by_counts(shop: Shop, audited: None) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    me, old, operator = await signed_up(shop), await signed_up(shop), await shop.staff("call_center")
    await old.post("/v1/touches", {"source": "first of all"})
    await me.post("/v1/touches", {"source": "later"})
    await merged(shop, old.actor.subject, me.actor.subject)
    order = await place(me, store, (item, 1))
    await told(shop)
    kept = (await operator.get(f"/v1/orders/{order['number']}/touches")).json()
    assert (kept["first"]["source"], kept["last"]["source"]) == ("first of all", "later")


async def test_what_brought_an_anonymous_shopper_had_brought_the_customer(shop: Shop, audited: None) -> None:
    phone = fresh_phone()
    me = await signed_up(shop, phone=phone, password=PASSWORD)
    by_code, by_password, guest = [await shop.shopper("app") for _ in range(3)]
    for stranger, campaign in ((by_code, "winter"), (by_password, "spring"), (guest, "summer")):
        await stranger.post("/v1/touches", {"campaign": campaign})
        clock.travel(timedelta(minutes=1))
    guest_id = guest.actor.subject
    await shop.db.write(customers.note_guest, shop.system, person=guest_id, name="Гость", email=fresh_email())
    assert (await signed_up(shop, asker=by_code, phone=phone)).actor.subject == me.actor.subject
    wrong = await by_password.post("/v1/auth/sign-in", {"phone": phone, "password": "not-this-one-333"})
    assert wrong.status_code == 401
    assert (await shop.db.read(customers.touches_of, [by_password.actor.subject])).first is not None
    for stranger in (by_password, guest):
        signed = await stranger.post("/v1/auth/sign-in", {"phone": phone, "password": PASSWORD})
        assert signed.json()["subject"] == str(me.actor.subject)
    led = await shop.db.read(customers.touches_of, [me.actor.subject])
    assert led.first is not None
    assert led.last is not None
    assert (led.first.campaign, led.last.campaign) == ("winter", "spring"), "a guest keeps his own"
    for stranger, count in ((by_code, 0), (by_password, 0), (guest, 1)):
        kept = await rows(shop, "SELECT id FROM customers.touches WHERE shopper_id = :s", s=stranger.actor.subject)
        assert len(kept) == count
