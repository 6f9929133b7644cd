"""Carts that nobody comes back to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from commerce import carts, customers
from commerce.carts import expiry, tasks
from commerce.carts.service import topic
from commerce.infra.db import Tx
from commerce.infra.outbox import Aids
from commerce.kernel.actor import NIL
from commerce.kernel.ids import uuid7
from tests.carts.test_cart_baskets import current, events_of, put, with_card
from tests.people import story
from tests.support import Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


class Screens:
    """Aids of the tasks; what was announced."""

    def __init__(self, shop: Shop, **changed: Any) -> None:
        self.told: list[str] = []
        self.aids = Aids(msgspec.structs.replace(shop.settings, **changed), self.announce)

    async def announce(self, topic: str) -> None:
        self.told.append(topic)


async def told_of(shop: Shop, cart: str) -> list[tuple[int, Any]]:
    async def work(tx: Tx) -> list[tuple[int, Any]]:
        rows = await tx.rows(
            "SELECT version, payload FROM infra.outbox WHERE type = 'cart.abandoned' AND aggregate_id = :id ORDER BY version",
            id=UUID(cart),
        )
        return [(row.version, row.payload) for row in rows]

    return await shop.db.read(work)


async def test_a_kiosk_that_was_left_forgets(shop: Shop) -> None:
    store = await shop.store()
    kiosk, busy, till = [await shop.device(kind, store.code) for kind in ("kiosk", "kiosk", "till")]
    _, card = await with_card(shop)
    item = await shop.item()
    parked = await put(kiosk, item, 1)
    await kiosk.post("/v1/carts", {})
    basket = await put(kiosk, item, 2)
    await kiosk.put("/v1/carts/current/customer", {"loyalty_card": card})
    await kiosk.put("/v1/carts/current/checkout", {"contact": {"name": "Анна Иванова", "phone": "+79000000101"}})
    await put(till, item, 1)
    screens = Screens(shop, kiosk_idle_seconds=60)
    clock.travel(timedelta(seconds=61))
    await put(busy, item, 1)
    await tasks.expire_kiosk_baskets(shop.db, screens.aids)
    assert topic(kiosk.actor.subject) in screens.told
    assert topic(busy.actor.subject) not in screens.told
    assert (await current(kiosk))["id"] is None
    closed = (await kiosk.get(f"/v1/carts/{basket['id']}")).json()
    assert (closed["state"], closed["checkout"], closed["customer"]) == ("expired", None, None)
    assert [len((await current(device))["lines"]) for device in (busy, till)] == [1, 1]
    assert (await kiosk.get(f"/v1/carts/{parked['id']}")).json()["state"] == "open"
    assert (await events_of(shop, basket["id"]))[-1] == ("cart.expired", 5)
    await tasks.expire_kiosk_baskets(shop.db, screens.aids)
    assert (await kiosk.get(f"/v1/carts/{basket['id']}")).json()["version"] == closed["version"]

    clock.travel(timedelta(hours=24))
    await tasks.expire_baskets(shop.db, screens.aids)
    for device in (kiosk, busy, till):
        assert (await device.get("/v1/carts")).json()["items"] == []


async def test_what_is_parked_at_a_kiosk_keeps_the_goods_and_no_person(shop: Shop) -> None:
    store = await shop.store()
    kiosk, till = await shop.device("kiosk", store.code), await shop.device("till", store.code)
    _, card = await with_card(shop)
    item, other = await shop.item(), await shop.item()
    said = {
        "contact": {"name": "Анна Иванова", "phone": "+79000000101"}, "note": "Код 1234", "gift": {"wrap": True, "message": "Маме"},
        "fulfillment": {"method": "collect", "location": store.code},
    }  # fmt: skip
    address = {"country": "RU", "city": "Казань", "street": "Баумана, 7"}
    wish = {"fulfillment": {"method": "deliver", "address": address}, "gift": {"message": "Тебе"}}
    baskets = []
    for device in (kiosk, till):
        await put(device, item, 1)
        basket = await put(device, other, 2)
        await device.put("/v1/carts/current/customer", {"loyalty_card": card})
        await device.put("/v1/carts/current/checkout", said)
        await device.put(f"/v1/carts/current/lines/{item.sku}/fulfillment", wish)
        baskets.append((await device.post(f"/v1/carts/{basket['id']}/park", {"label": "red"})).json())
    at_kiosk, at_till = baskets
    screens = Screens(shop, kiosk_idle_seconds=60)
    clock.travel(timedelta(seconds=61))
    for _ in range(2):
        await tasks.expire_kiosk_baskets(shop.db, screens.aids)
        left = (await kiosk.get(f"/v1/carts/{at_kiosk['id']}")).json()
        assert (left["version"], left["label"], left["customer"], left["parked_at"]) == (
            at_kiosk["version"] + 1, "red", None, at_kiosk["parked_at"],
        )  # fmt: skip
        assert left["checkout"] == {
            "fulfillment": {"method": "collect", "location": store.code}, "contact": None, "recipient": None, "note": None,
            "gift": {"wrap": True}, "discreet": False, "hidden": [],
        }  # fmt: skip
        assert {line["sku"]: (line["quantity"], line["fulfillment"], line["gift"]) for line in left["lines"]} == {
            item.sku: (1, None, None), other.sku: (2, None, None),
        }  # fmt: skip
        assert (await till.get(f"/v1/carts/{at_till['id']}")).json() == at_till
    assert (await events_of(shop, at_kiosk["id"]))[-1] == ("cart.named", left["version"])
    assert topic(kiosk.actor.subject) in screens.told


async def test_anonymous_carts_expire_and_known_ones_wait(shop: Shop) -> None:
    anonymous, known, fresh = await shop.shopper(), await shop.shopper(known=True), await shop.shopper()
    item = await shop.item()
    left, kept = await put(anonymous, item, 1), await put(known, item, 1)
    clock.travel(timedelta(days=6))
    fresh = fresh_token(shop, fresh)
    young = await put(fresh, item, 1)
    clock.travel(timedelta(days=1, seconds=1))
    screens = Screens(shop)
    await forget_anonymous(shop, screens, days=7)
    assert topic(anonymous.actor.subject) in screens.told
    again = fresh_token(shop, anonymous)
    assert (await current(again))["id"] is None

    async def states(tx: Tx) -> list[tuple[Any, ...]]:
        rows = await tx.rows(
            "SELECT c.state, (SELECT count(*) FROM carts.lines l WHERE l.cart_id = c.id) AS lines FROM carts.carts c"
            " JOIN unnest(CAST(:ids AS uuid[])) WITH ORDINALITY w(id, n) ON w.id = c.id ORDER BY w.n",
            ids=[UUID(cart["id"]) for cart in (left, kept, young)],
        )
        return [tuple(row) for row in rows]

    assert await shop.db.read(states) == [("expired", 0), ("open", 1), ("open", 1)]
    await forget_anonymous(shop, screens, days=1)
    assert await shop.db.read(states) == [("expired", 0), ("open", 1), ("expired", 0)]


async def forget_anonymous(shop: Shop, screens: Screens, *, days: int) -> None:
    after: UUID | None = NIL
    while after is not None:
        done = await shop.db.write(
            carts.forget_anonymous, shop.system, before=clock() - timedelta(days=days), after=after, limit=500,
            announce=screens.announce,
        )  # fmt: skip
        after = done.last


def fresh_token(shop: Shop, client: Any) -> Any:
    """The same shopper with a token that is good now."""
    return shop._issue(client.actor)


async def test_abandoned_once_for_each_idleness(shop: Shop) -> None:
    known, anonymous, nobody, empty = (
        await shop.shopper(known=True), await shop.shopper(), await shop.shopper(), await shop.shopper(known=True),
    )  # fmt: skip
    item = await shop.item(price=129_900)
    cart, reachable, silent = await put(known, item, 2), await put(anonymous, item, 1), await put(nobody, item, 1)
    await anonymous.put("/v1/carts/current/checkout", {"contact": {"email": "anna@example.com"}})
    await put(empty, item, 1)
    bare = (await empty.delete("/v1/carts/current/lines")).json()
    screens = Screens(shop, cart_abandoned_minutes=30)
    await tasks.tell_abandoned(shop.db, screens.aids)
    assert await told_of(shop, cart["id"]) == []
    clock.travel(timedelta(minutes=31))
    for _ in range(2):
        await tasks.tell_abandoned(shop.db, screens.aids)
    ((version, payload),) = await told_of(shop, cart["id"])
    assert (version, payload["shopper_id"], payload["lines"]) == (
        1, str(known.actor.subject), [{"variant_id": str(item.id), "quantity": 2, "unit_price_seen": 129_900}],
    )  # fmt: skip
    assert "anna" not in str(await told_of(shop, reachable["id"]))
    assert [version for version, _ in await told_of(shop, reachable["id"])] == [2]
    assert [await told_of(shop, one["id"]) for one in (silent, bare)] == [[], []]
    assert await looked_at(shop) == [], "what was looked at once is not looked at each minute"
    changed = await put(known, item, 3)
    assert changed["version"] == 2
    await tasks.tell_abandoned(shop.db, screens.aids)
    assert len(await told_of(shop, cart["id"])) == 1
    clock.travel(timedelta(minutes=31))
    await tasks.tell_abandoned(shop.db, screens.aids)
    assert [version for version, _ in await told_of(shop, cart["id"])] == [1, 2]
    assert (await current(fresh_token(shop, known))) == changed


async def test_a_cart_left_before_its_shopper_signed_up(shop: Shop) -> None:
    """Nobody could be told of it then; he came back, signed up, and left again."""
    item, screens = await shop.item(), Screens(shop, cart_abandoned_minutes=30)
    anna, boris = await shop.shopper(), await shop.shopper()
    left, reached = await put(anna, item, 1), await put(boris, item, 1)
    await boris.put("/v1/carts/current/checkout", {"contact": {"email": "boris@example.com"}})
    clock.travel(timedelta(minutes=31))
    await tasks.tell_abandoned(shop.db, screens.aids)
    assert [len(await told_of(shop, cart["id"])) for cart in (left, reached)] == [0, 1]
    for shopper in (anna, boris):
        await shop.db.write(
            customers.create_profile, shop.system, principal=shopper.actor.subject, email=f"{uuid7().hex}@example.com"
        )
    await story.told(shop)
    await tasks.tell_abandoned(shop.db, screens.aids)
    assert [len(await told_of(shop, cart["id"])) for cart in (left, reached)] == [0, 1]
    clock.travel(timedelta(minutes=31))
    await tasks.tell_abandoned(shop.db, screens.aids)
    ((version, payload),) = await told_of(shop, left["id"])
    assert (version, payload["shopper_id"]) == (left["version"], str(anna.actor.subject))
    assert len(await told_of(shop, reached["id"])) == 1


async def looked_at(shop: Shop) -> list[Any]:
    """What the next round has to go through: all that stands in its index."""

    async def work(tx: Tx) -> list[Any]:
        found = await tx.rows(
            "SELECT id FROM carts.carts WHERE state = 'open' AND shopper_id IS NOT NULL"
            " AND looked_at_version IS DISTINCT FROM version AND changed_at < :before",
            before=tx.at - timedelta(minutes=30),
        )
        return [row.id for row in found]

    return await shop.db.read(work)


async def test_the_carts_of_a_person(shop: Shop) -> None:
    anna, card = await with_card(shop)
    kiosk = await shop.device("kiosk", (await shop.store()).code)
    item = await shop.item()
    own = await put(anna, item, 1)
    clock.travel(timedelta(minutes=1))
    basket = await put(kiosk, item, 1)
    await kiosk.put("/v1/carts/current/customer", {"loyalty_card": card})
    await put(await shop.shopper(), item, 1)
    ids = [anna.actor.subject, uuid7()]
    found = await shop.db.read(carts.of_people, ids, before=None, limit=10)
    assert [(str(one.id), one.lines, one.channel) for one in found] == [
        (basket["id"], 1, "kiosk"), (own["id"], 1, "site"),
    ]  # fmt: skip
    earlier = await shop.db.read(carts.of_people, ids, before=(found[0].changed_at, found[0].id), limit=10)
    assert [str(one.id) for one in earlier] == [own["id"]]


async def test_codes_that_nobody_used_are_forgotten(shop: Shop) -> None:
    client = await shop.shopper()
    cart = await put(client, await shop.item(), 1)
    await client.post("/v1/carts/current/hand-off", {"mode": "move"})

    async def left(tx: Tx) -> int:
        count: int = await tx.scalar("SELECT count(*) FROM carts.hand_offs WHERE cart_id = :id", id=UUID(cart["id"]))
        return count

    await tasks.forget_codes(shop.db)
    assert await shop.db.read(left) == 1
    clock.travel(timedelta(days=1, minutes=3))
    await tasks.forget_codes(shop.db)
    assert await shop.db.read(left) == 0


async def test_used_codes_and_visits_are_forgotten_a_month_later_in_chunks(shop: Shop) -> None:
    """The events and audit records that tell of them stay."""
    item, store = await shop.item(), await shop.store()
    cart_ids: list[UUID] = []
    for used in (True, True, False):
        anna, phone = await shop.shopper(), await shop.shopper("app")
        associate = await shop.staff("associate", store.code, channel="app")
        cart = await put(anna, item, 1)
        cart_ids.append(UUID(cart["id"]))
        code = (await anna.post("/v1/carts/current/hand-off", {"mode": "join"})).json()["code"]
        assert (await associate.post("/v1/carts/claim", {"code": code})).status_code == 200
        code = (await anna.post("/v1/carts/current/hand-off", {"mode": "move"})).json()["code"]
        if used:
            assert (await phone.post("/v1/carts/claim", {"code": code})).status_code == 200

    async def kept(tx: Tx) -> tuple[int, int, int]:
        row = await tx.one(
            """
            SELECT (SELECT count(*) FROM carts.hand_offs WHERE cart_id = ANY(CAST(:ids AS uuid[]))) AS codes,
                (SELECT count(*) FROM carts.guests WHERE cart_id = ANY(CAST(:ids AS uuid[]))) AS guests,
                (SELECT count(*) FROM infra.audit_records WHERE action = 'cart.joined' AND target_id = ANY(CAST(:texts AS text[]))) AS records
            """,
            ids=cart_ids, texts=[str(one) for one in cart_ids],
        )  # fmt: skip
        return row.codes, row.guests, row.records

    async def all_of_them(tx: Tx) -> tuple[int, int]:
        row = await tx.one(
            "SELECT (SELECT count(*) FROM carts.hand_offs) AS codes, (SELECT count(*) FROM carts.guests) AS guests"
        )
        return row.codes, row.guests

    assert await shop.db.read(kept) == (6, 3, 3)
    clock.travel(timedelta(days=2))
    await tasks.forget_codes(shop.db)
    assert await shop.db.read(kept) == (5, 3, 3)
    clock.travel(timedelta(days=27))
    await tasks.forget_codes(shop.db)
    assert await shop.db.read(kept) == (5, 3, 3)
    clock.travel(timedelta(days=1, hours=1))
    there = await shop.db.read(all_of_them)
    assert await shop.db.write(expiry.forget_codes, chunk=2) == 2
    assert await shop.db.read(all_of_them) == (there[0] - 2, there[1] - 2)
    await tasks.forget_codes(shop.db)
    assert await shop.db.read(kept) == (0, 0, 3)
    assert await shop.db.write(expiry.forget_codes) == 0
