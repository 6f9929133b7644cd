"""A person is taken out as one JSON, and forgotten everywhere; the books stay."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from sqlalchemy import Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from commerce.infra.db import Tx
from commerce.infra.tables import metadata
from commerce.people.rooms import erasers, exporters
from tests.auth.support import refused
from tests.orders.story import cash, make_ready, order_body, pickup_code, place, put, step
from tests.people.story import fresh_email, fresh_phone, merged, problem, records, rows, signed_up, talked, told
from tests.support import Client, Item, Shop, Store, clock, unique


async def everywhere(shop: Shop, *words: str) -> list[str]:
    """Columns of any table, personal or not, in which one of these words stands."""
    patterns = [f"%{word}%" for word in words]

    async def search(tx: Tx) -> list[str]:
        found = []
        for table in metadata.sorted_tables:
            assert isinstance(table, Table)
            for column in table.columns:
                if isinstance(column.type, Text | JSONB):
                    statement = (
                        f'SELECT count(*) FROM {table.fullname} WHERE CAST("{column.name}" AS text)'
                        " ILIKE ANY(CAST(:patterns AS text[]))"
                    )
                    if await tx.scalar(statement, patterns=patterns):
                        found.append(f"{table.fullname}.{column.name}")
        return found

    return await shop.db.read(search)


class Life:
    """A customer who left traces of himself wherever a customer can."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.name, self.old_name, self.street = unique("Аглая"), unique("Глафира"), unique("переулок")
        self.recipient, self.remark, self.device = unique("Тихон"), unique("у калитки"), unique("phone of mine")
        self.click, self.counter_note, self.said = unique("gclid"), unique("царапина"), unique("ищет шубу")
        self.email, self.phone, self.contact_phone = fresh_email(), fresh_phone(), fresh_phone()
        self.me: Client
        self.old: Client
        self.staff: Client

    @property
    def words(self) -> list[str]:
        return [
            self.name, self.old_name, self.street, self.recipient, self.remark, self.device, self.click, self.counter_note, self.said,
            self.email, self.phone, self.contact_phone,
        ]  # fmt: skip

    async def live(self, store: Store, item: Item) -> str:
        """The number of a completed order, one unit of which came back."""
        shop = self.shop
        self.staff = await shop.staff("admin", channel="back_office")
        self.me = await signed_up(shop, name=self.name, email=self.email, device_name=self.device)
        self.old = await signed_up(shop, name=self.old_name, phone=self.phone)
        await self.old.post("/v1/touches", {"click_id": self.click, "referrer": f"https://a.example/{self.click}"})
        await self.old.post("/v1/me/addresses", {"city": "Тверь", "street": self.street, "recipient": self.recipient})
        consent = {"channel": "sms", "purpose": "service", "granted": True, "text_version": "1"}
        await self.me.put("/v1/me/consents", {"items": [consent]})
        await self.me.patch("/v1/me", {"birthday": "1977-03-08"})
        await put(self.old, (item, 2))
        body = order_body(store, 2 * item.price, note=self.remark, recipient={"name": self.recipient})
        body["contact"] = {"name": self.old_name, "phone": self.contact_phone}
        answer = await self.old.post("/v1/orders", body)
        assert answer.status_code == 201, answer.text
        order = answer.json()
        await told(shop)
        number, code = await make_ready(self.staff, store, order), await pickup_code(self.old, order)
        done = await step(self.staff, store, number, "collect", {"code": code, "tenders": [cash(2 * item.price)]})
        assert done.status_code == 200, done.text
        line = {"n": 1, "quantity": 1, "ground": "defect", "condition": "defective", "note": self.counter_note}
        back = {"order": order["number"], "lines": [line], "refund": {"tender": "cash"}}
        returned = await self.staff.post(f"/v1/stores/{store.code}/returns", back)
        assert returned.status_code == 201, returned.text
        await merged(shop, self.old.actor.subject, self.me.actor.subject)
        changed = await self.staff.patch(f"/v1/customers/{self.me.actor.subject}", {"language": "en"})
        assert changed.json()["name"] == self.name
        await talked(shop, self.staff, self.me.actor.subject, self.said, subject=self.said)
        await put(self.me, (item, 1))
        return str(order["number"])


async def world(shop: Shop) -> tuple[Store, Item]:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 20)
    return store, item


async def test_the_export_holds_everything(shop: Shop, audited: None) -> None:
    life = Life(shop)
    number = await life.live(*await world(shop))
    mine = await life.me.get("/v1/me/export")
    assert (mine.status_code, mine.headers["cache-control"]) == (200, "no-store")
    found = mine.json()
    assert found["customer"] == str(life.me.actor.subject)
    assert found["ids"] == [str(life.me.actor.subject), str(life.old.actor.subject)]
    assert set(found["rooms"]) == {room for room, _ in exporters()} >= {
        "auth", "customers", "carts", "orders", "conversations", "returns", "people",
    }  # fmt: skip
    for word in life.words:
        assert word in mine.text, word
    assert [order["number"] for order in found["rooms"]["orders"]["orders"]] == [number]
    assert found["rooms"]["people"]["order_touches"][0]["first_touch"]["click_id"] == life.click
    assert found["rooms"]["customers"]["profiles"][0]["id"]
    taken = await life.staff.get(f"/v1/customers/{life.old.actor.subject}/export")
    assert taken.status_code == 200
    assert taken.json() | {"exported_at": ""} == found | {"exported_at": ""}
    (record,) = await records(shop, "customer.exported", life.me.actor.subject)
    assert record.subject == life.staff.actor.subject
    for caller in (await shop.staff("call_center"), await shop.staff("admin", "store-1")):
        assert problem(await caller.get(f"/v1/customers/{life.me.actor.subject}/export")) == (403, "not-allowed")
    nobody = "00000000-0000-7000-8000-000000000000"
    assert problem(await life.staff.get(f"/v1/customers/{nobody}/export")) == (404, "unknown-customer")


async def test_after_an_erasure_nothing_personal_is_anywhere_and_the_books_stay(shop: Shop, audited: None) -> None:
    life = Life(shop)
    number = await life.live(*await world(shop))
    kept = "SELECT number, state, total, version FROM orders.orders WHERE number = :n"
    paper = """
        SELECT r.register, r.number, r.lines, r.tenders, r.total FROM payments.receipts r
        JOIN orders.orders o ON o.id = r.order_id WHERE o.number = :n ORDER BY r.occurred_at
    """
    before = await rows(shop, kept, n=number), await rows(shop, paper, n=number)
    assert len(await everywhere(shop, *life.words)) >= 12
    where = f"/v1/customers/{life.old.actor.subject}/erase"
    assert problem(await (await shop.staff("call_center")).post(where, {"reason": "customer_asked"})) == (
        403,
        "not-allowed",
    )
    in_words = await life.staff.post(where, {"reason": "Анна Петрова просила"})
    assert problem(in_words) == (400, "bad-input"), "it would stay in the records for ever"
    erased = await life.staff.post(where, {"reason": "authority_asked"})
    assert erased.status_code == 200, erased.text
    assert erased.json()["customer"] == str(life.me.actor.subject)
    await told(shop)
    assert await everywhere(shop, *life.words) == []
    assert (await rows(shop, kept, n=number), await rows(shop, paper, n=number)) == before
    profiles = await rows(
        shop, "SELECT birthday, preferred_store, preferences FROM customers.profiles WHERE erased_at IS NOT NULL AND id = :id",
        id=life.me.actor.subject,
    )  # fmt: skip
    assert profiles == [{"birthday": None, "preferred_store": None, "preferences": {}}]
    (record,) = await records(shop, "customer.erased", life.me.actor.subject)
    assert (record.subject, record.reason) == (life.staff.actor.subject, "authority_asked")
    again = await life.staff.post(where, {"reason": "customer_asked"})
    assert (again.status_code, again.json()) == (200, erased.json())
    assert len(await records(shop, "customer.erased", life.me.actor.subject)) == 1
    for one in (life.me, life.old):
        assert problem(await life.staff.get(f"/v1/customers/{one.actor.subject}")) == (404, "unknown-customer")
        await refused(one, path="/v1/me")


async def test_who_has_just_signed_in_erases_himself(shop: Shop, audited: None) -> None:
    me = await signed_up(shop)
    answer = await me.post("/v1/me/erase", key="erase-me-for-good-1")
    assert answer.status_code == 200, answer.text
    again = await me.post("/v1/me/erase", key="erase-me-for-good-1")
    assert again.status_code in (200, 401, 403)
    events = await rows(
        shop, "SELECT type FROM infra.outbox WHERE aggregate_id = :id ORDER BY version", id=me.actor.subject
    )
    assert [event["type"] for event in events] == ["customer.signed_up", "customer.erased"]
    assert await rows(shop, "SELECT 1 FROM infra.idempotency_keys WHERE principal = :id", id=me.actor.subject) == []
    await refused(me, path="/v1/me")


async def test_an_old_proof_is_not_enough(shop: Shop) -> None:
    client, email = await shop.client(), fresh_email()
    challenge, code = await shop.code_for(client, email=email)
    tokens = (await client.post(f"/v1/auth/codes/{challenge}/sign-in", {"code": code})).json()
    clock.travel(timedelta(minutes=9))
    tokens = (await client.post("/v1/auth/refresh", {"refresh_token": tokens["refresh_token"]})).json()
    clock.travel(timedelta(minutes=2))
    me = Client(shop.http, tokens["access_token"])
    late = await me.post("/v1/me/erase")
    assert (problem(late), late.json()["minutes"]) == ((403, "fresh-sign-in-required"), 10)
    assert (await me.get("/v1/me")).json()["email"] == email
    forged = await shop.shopper(known=True)
    assert problem(await forged.post("/v1/me/erase")) == (403, "fresh-sign-in-required")


async def test_an_open_order_comes_first(shop: Shop, audited: None) -> None:
    store, item = await world(shop)
    me, old, admin = await signed_up(shop), await signed_up(shop), await shop.staff("admin")
    order = await place(old, store, (item, 1))
    await merged(shop, old.actor.subject, me.actor.subject)
    for answer in (
        await me.post("/v1/me/erase"),
        await admin.post(f"/v1/customers/{me.actor.subject}/erase", {"reason": "customer_asked"}),
    ):
        assert problem(answer) == (409, "open-orders")
        assert (answer.json()["orders"], answer.json()["returns"]) == ([order["number"]], [])
    assert (await me.get("/v1/me")).json()["name"] == "Ирина Соколова"
    assert (await old.get(f"/v1/orders/{order['number']}")).json()["contact"]["name"] == "Анна Иванова"
    assert (await old.post(f"/v1/orders/{order['number']}/cancel", {"reason": "changed_mind"})).status_code == 200
    assert (await me.post("/v1/me/erase")).status_code == 200


async def test_ordering_and_erasing_at_once_has_one_outcome(shop: Shop, audited: None) -> None:
    store, item = await world(shop)
    for _ in range(3):
        me = await signed_up(shop)
        await put(me, (item, 1))
        placed, erased = await asyncio.gather(
            me.post("/v1/orders", order_body(store, item.price)), me.post("/v1/me/erase")
        )
        assert sorted([placed.status_code // 100, erased.status_code // 100]) == [2, 4], (placed.text, erased.text)
        kept = await rows(shop, "SELECT contact FROM orders.orders WHERE customer_id = :id", id=me.actor.subject)
        assert len(kept) == (1 if placed.status_code == 201 else 0)
        assert all(one["contact"] for one in kept)


def test_every_room_with_something_personal_is_asked() -> None:
    kept = {
        str(table.schema)
        for table in metadata.tables.values()
        for column in table.columns
        if column.info.get("personal")
    }
    assert kept <= {room for room, _ in exporters()}
    assert kept <= {room for room, _ in erasers()}
    names = [room for room, _ in erasers()]
    assert names.index("carts") < names.index("orders") < names.index("returns"), "the order of the locks"


async def test_what_a_shopper_did_before_he_signed_up_is_his(shop: Shop, audited: None) -> None:
    client = await shop.client()
    token = (await client.post("/v1/auth/anonymous", {})).json()["access_token"]
    visitor, click = Client(shop.http, token), unique("click")
    await visitor.post("/v1/touches", {"click_id": click})
    me = await shop.signed_up(visitor)
    assert click in (await me.get("/v1/me/export")).text
    assert (await me.post("/v1/me/erase")).status_code == 200
    assert await everywhere(shop, click) == []
