"""A shop of its own for the audit: nothing in its books but one small story, told through HTTP."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from litestar.testing import AsyncTestClient

from commerce import conversations, customers, parts
from commerce.app import create_app
from commerce.carts import expiry
from commerce.infra import outbox
from commerce.infra.db import Database
from commerce.settings import Settings
from commerce.stock import closings
from tests.conversations.talk import deliver, phone, source, team
from tests.orders.story import cash, make_ready, pickup_code, place, rub, step
from tests.orders.test_plan import later, linked
from tests.orders.test_sales import sale
from tests.stock.shelves import settled
from tests.supply.story import announced, deliveries
from tests.support import Client, Item, Shop, Store, clock, unique
from tests.transfers.moves import create, ends, made_ready, sent, wanted
from tests.transfers.moves import step as moved

CARD = {"kind": "card_terminal", "reference": "slip 0042"}


@pytest.fixture(scope="session")
async def books(settings: Settings) -> AsyncIterator[Database]:
    """The database after the story, every event delivered."""
    base, template = os.environ["COMMERCE_TEST_DATABASE"].rsplit("/", 1)
    name = f"audit_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    admin = await asyncpg.connect(f"{base}/postgres")
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    own = msgspec.structs.replace(settings, database_url=f"{base}/{name}", write_connections=3, read_connections=2)
    db = Database.open(own, clock=clock, name="commerce-tests-audit")
    async with AsyncTestClient(create_app(own, clock=clock)) as http:
        shop = Shop(db, http, own)
        await shop.open()
        await tell(shop)
        await deliveries(shop)
        await outbox.drain(db, parts.subscribers())
    yield db
    await db.close()
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


async def tell(shop: Shop) -> None:
    """Collected in two parts and in one, sold at a till, brought back twice, cancelled by the customer and by the store, promised
    and broken, promised and waiting; paid in cash, by card and by both."""
    store, other = await shop.store(), await shop.store()
    cup, plate = await shop.item(price=1_000), await shop.item(price=777)
    for item, quantity, unit_cost in ((cup, 12, 400), (cup, 8, 500), (plate, 20, None)):
        await shop.stock(store, item, quantity, unit_cost=unit_cost)
        await closings.close(shop.db, until=clock())
    planner = await shop.staff("back_office", channel="back_office")
    rule = {"location": store.code, "sku": plate.sku, "quantity": 1}
    assert (await planner.put("/v1/stock/safety", {"rules": [rule]})).status_code == 200
    await settled(shop.db)
    staff, till = await shop.staff("store_manager", store.code), await shop.device("till", store.code)
    elsewhere = await shop.staff("store_manager", other.code)

    client = await shop.client("app")
    visitor = (await client.post("/v1/auth/anonymous", {})).json()
    anna = Client(shop.http, visitor["access_token"])
    anna = await shop.signed_up(anna, email=f"{unique('anna')}@example.org", name="Анна")
    order = await place(anna, store, (cup, 3), (plate, 3))
    number, code = await make_ready(staff, store, order), await pickup_code(anna, order)
    some = [{"sku": cup.sku, "quantity": 2}, {"sku": plate.sku, "quantity": 1}]
    done = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(2_777)], "lines": some})
    assert done.status_code == 200, done.text
    back = await staff.post(
        f"/v1/stores/{store.code}/returns",
        {
            "order": order["number"], "refund": {"tender": "cash"},
            "lines": [{"sku": cup.sku, "quantity": 1, "ground": "change_of_mind", "condition": "sellable"}],
        },
    )  # fmt: skip
    assert back.status_code == 201, back.text

    boris = await shop.shopper()
    order = await place(boris, store, (cup, 2), (plate, 2))
    number, code = await make_ready(staff, store, order), await pickup_code(boris, order)
    tenders = [cash(1_554), CARD | {"amount": rub(2_000)}]
    done = await step(staff, store, number, "collect", {"code": code, "tenders": tenders})
    assert done.status_code == 200, done.text

    clara = await shop.shopper()
    order = await place(clara, store, (cup, 1))
    assert (await clara.post(f"/v1/orders/{order['number']}/cancel", {"reason": "other"})).status_code == 200
    order = await place(clara, store, (plate, 2))
    number = order["fulfillments"][0]["number"]
    gone = {"reason": "out_of_stock", "lines": [{"sku": plate.sku, "quantity": 1}]}
    assert (await step(staff, store, number, "cancel", gone)).status_code == 200

    sold = await till.post(
        f"/v1/stores/{store.code}/sales",
        sale((cup, 2, 900), (plate, 3, 777), tenders=[cash(2_131), CARD | {"amount": rub(2_000)}]),
    )
    assert sold.status_code == 201, sold.text
    back = await elsewhere.post(
        f"/v1/stores/{other.code}/returns",
        {
            "order": sold.json()["order_number"], "refund": {"tender": "card_terminal", "reference": "slip 0043"},
            "lines": [{"sku": plate.sku, "quantity": 2, "ground": "defect", "condition": "damaged"}],
        },
    )  # fmt: skip
    assert back.status_code == 201, back.text

    scarce = await shop.item(price=5_000)
    await shop.stock(store, scarce, 4, unit_cost=2_000)
    await place(await shop.shopper(), store, (scarce, 3), (cup, 1))
    sold = await till.post(f"/v1/stores/{store.code}/sales", sale((scarce, 2, 5_000)))
    assert sold.status_code == 201, sold.text
    sold = await till.post(f"/v1/stores/{store.code}/sales", sale((await shop.item(price=300), 1, 300)))
    assert sold.status_code == 201, sold.text
    await correct(shop, store, staff)
    await send(shop)
    await count_shelves(shop)
    await name_units(shop)
    await plan(shop)
    await talk(shop)
    await know(shop)
    await remember(shop)
    await keep(shop)
    await carry(shop, store, plate)
    await turn_up(shop)


async def turn_up(shop: Shop) -> None:
    """Goods that nobody knows the sale of: for less than their price, of a bundle, with codes, for nothing; one that became another's."""
    store, scarf, lens = await shop.store(), await shop.item(price=1_200), await shop.item(price=700, tracking="serial")
    set_of_two, sample = await shop.bundle({scarf: 1, lens: 2}, price=2_500), await shop.item(price=0)
    admin, person, other = await shop.staff("admin"), await shop.signed_up(), await shop.signed_up()
    path = f"/v1/stores/{store.code}/returns/blind"
    line = {"quantity": 1, "ground": "change_of_mind", "condition": "sellable"}
    numbers = []
    for lines in (
        [
            {**line, "sku": scarf.sku, "quantity": 3, "refund": rub(3_000)},
            {**line, "sku": sample.sku, "condition": "opened"},
        ],
        [{**line, "sku": set_of_two.sku, "units": [{"sku": lens.sku, "codes": ["L1", "L2"]}], "condition": "damaged"}],
        [{**line, "sku": lens.sku, "codes": ["L3"], "ground": "defect", "condition": "defective"}],
        [{**line, "sku": sample.sku}],
    ):
        body = {"lines": lines, "reason": "gift", "refund": {"tender": "cash"}, "customer": str(person.actor.subject)}
        answer = await admin.post(path, body)
        assert answer.status_code == 201, answer.text
        numbers.append(answer.json()["number"])
    records = {"to": str(other.actor.subject), "returns": numbers[:1], "reason": "merged_in_error"}
    moved = await admin.post(f"/v1/customers/{person.actor.subject}/records", records)
    assert moved.status_code == 200, moved.text


async def carry(shop: Shop, store: Store, item: Item) -> None:
    """Carts: a till's baskets, one parked, one named; one moved to a phone by its code, one joined, one left idle for an hour."""
    till, kiosk = await shop.device("till", store.code), await shop.device("kiosk", store.code)
    anna = await shop.signed_up(name="Анна")
    line = f"/v1/carts/current/lines/{item.sku}"
    for device in (till, kiosk, anna):
        assert (await device.put(line, {"quantity": 1})).status_code == 200
    assert (await till.post("/v1/carts", {"label_parked": "Pram"})).status_code == 201
    assert (await till.put("/v1/carts/current/customer", {"token": anna.token})).status_code == 200
    code = (await kiosk.post("/v1/carts/current/hand-off", {"mode": "move"})).json()["code"]
    assert (await anna.post("/v1/carts/claim", {"code": code})).status_code == 200
    assert (await anna.put("/v1/carts/current/checkout", {"note": "Ring"})).status_code == 200
    code = (await anna.post("/v1/carts/current/hand-off", {"mode": "join"})).json()["code"]
    associate = await shop.staff("associate", store.code, channel="app")
    assert (await associate.post("/v1/carts/claim", {"code": code})).status_code == 200
    await shop.db.write(expiry.tell_abandoned, idle=timedelta(seconds=-1))


async def know(shop: Shop) -> None:
    """People: guests, one of whom turns out to be a customer; two merged, two merged and parted, a card, a code guessed at."""
    operator = await shop.staff("call_center", channel="call_center")
    phone, email = "+79010000001", f"{unique('guest')}@example.org"
    for contact in ({"phone": phone}, {"email": email}):
        guest = await shop.shopper()
        await shop.db.write(customers.note_guest, guest.actor, person=guest.actor.subject, name="Гость", **contact)
    await shop.signed_up(email=email)
    first, second, third = [await shop.signed_up(name="Вера") for _ in range(3)]
    card = {"kind": "loyalty_card", "value": unique("card")}
    for person in (first, second):
        path = f"/v1/customers/{person.actor.subject}"
        if person is first:
            assert (await operator.post(f"{path}/identifiers", card)).status_code == 201
        answer = await operator.post(f"{path}/merge", {"loser": str(third.actor.subject), "reason": "Same card"})
        assert answer.status_code == 200, answer.text
        if person is first:
            parted = await operator.post(f"/v1/customers/{third.actor.subject}/unmerge", {"reason": "A mistake"})
            assert parted.status_code == 200, parted.text
    site = await shop.client()
    challenge, code = await shop.code_for(site, phone="+79020000001")
    wrong = {"code": f"{(int(code) + 1) % 1_000_000:06d}"}
    assert (await site.post(f"/v1/auth/codes/{challenge}/sign-in", wrong)).status_code == 401
    assert (await shop.code_for(await shop.client(), phone="+79020000001"))[0] != challenge


async def remember(shop: Shop) -> None:
    """What is kept of people: consents, addresses, what led to an order; an order that was another's; one who is forgotten."""
    store, item = await shop.store(), await shop.item(price=500)
    await shop.stock(store, item, 9, unit_cost=100)
    admin = await shop.staff("admin", channel="back_office")
    gone, stays, other = [await shop.signed_up(name="Нина") for _ in range(3)]
    consent = {"channel": "sms", "purpose": "service", "granted": True, "text_version": "1"}
    placed = []
    for person in (gone, stays):
        for path, body in (("/v1/touches", {"source": "search"}), ("/v1/touches", {"source": "letter"})):
            assert (await person.post(path, body)).status_code == 201
        home = await person.post("/v1/me/addresses", {"city": "Тверь", "street": "Советская"})
        assert home.status_code == 201, home.text
        assert (await person.put("/v1/me/consents", {"items": [consent]})).status_code == 200
        placed.append(await place(person, store, (item, 1)))
        cancelled = await person.post(f"/v1/orders/{placed[-1]['number']}/cancel", {"reason": "other"})
        assert cancelled.status_code == 200, cancelled.text
    taken = await admin.put(f"/v1/customers/{stays.actor.subject}/consents", {"items": [consent | {"granted": False}]})
    assert taken.status_code == 200, taken.text
    erased = await admin.post(f"/v1/customers/{gone.actor.subject}/erase", {"reason": "customer_asked"})
    assert erased.status_code == 200, erased.text
    mine = await place(stays, store, (item, 1))
    records = {"to": str(other.actor.subject), "orders": [mine["number"]], "reason": "merged_in_error"}
    moved = await admin.post(f"/v1/customers/{stays.actor.subject}/records", records)
    assert moved.status_code == 200, moved.text
    assert (await admin.put("/v1/retention/touches", {"days": 700})).status_code == 200


async def keep(shop: Shop) -> None:
    """Lists of every kind and in every state: wished for, named, shared and not any more, saved out of a cart, merged, claimed, gone."""
    store, lamp, rug = await shop.store(), await shop.item(price=900), await shop.item(price=400)
    for item in (lamp, rug):
        await shop.stock(store, item, 5, unit_cost=100)
    stranger, dora = await shop.shopper("app"), await shop.shopper()

    async def told(client: Client, method: str, address: str, body: object = None) -> dict[str, Any]:
        answer = await client.request(method, address, json=body, headers={"If-Match": "*"})
        assert answer.is_success, answer.text
        return dict(answer.json()) if answer.content else {}

    for client in (stranger, dora):
        await told(client, "PUT", f"/v1/lists/wish/lines/{lamp.sku}", {"quantity": 2, "note": "For the hall"})
    await told(dora, "PUT", f"/v1/lists/wish/lines/{rug.sku}", {"quantity": 1})
    for name in ("Kitchen", "Garden"):
        made = await told(stranger, "POST", "/v1/lists", {"name": name})
        await told(stranger, "PUT", f"/v1/lists/{made['id']}/lines/{rug.sku}", {"quantity": 3})
        await told(stranger, "POST", f"/v1/lists/{made['id']}/share", {"show_name": True})
    await told(stranger, "PATCH", f"/v1/lists/{made['id']}", {"name": "Balcony"})
    await told(stranger, "DELETE", f"/v1/lists/{made['id']}/share")
    await told(dora, "POST", "/v1/lists/merge", {"token": stranger.token})
    await told(dora, "PUT", f"/v1/carts/current/lines/{rug.sku}", {"quantity": 2})
    await told(dora, "POST", f"/v1/carts/current/lines/{rug.sku}/save-for-later")
    await told(dora, "POST", "/v1/lists/wish/move-to-cart", {"skus": [rug.sku]})
    gone = await told(dora, "POST", "/v1/lists", {"name": "Attic"})
    await told(dora, "PUT", f"/v1/lists/{gone['id']}/lines/{lamp.sku}", {"quantity": 1})
    await told(dora, "DELETE", f"/v1/lists/{gone['id']}")


async def correct(shop: Shop, store: Store, manager: Client) -> None:
    """Goods corrected by hand: at once, with a manager's approval, against it, and still waiting for it."""
    vase = await shop.item(price=900_000)
    await shop.stock(store, vase, 20, unit_cost=600_000)
    associate = await shop.staff("associate", store.code)
    path = f"/v1/stores/{store.code}/adjustments"
    asked = {}
    for reason, delta in (("damage", -1), ("theft", -2), ("found", 3), ("lost", -4)):
        answer = await associate.post(path, {"sku": vase.sku, "delta": delta, "reason": reason})
        assert (answer.status_code, answer.json()["state"]) == (201, "booked" if delta == -1 else "waiting"), (
            answer.text
        )
        asked[reason] = f"{path}/{answer.json()['adjustment']}"
    assert (await manager.post(f"{asked['theft']}/approve", {"note": "Seen on the camera"})).status_code == 200
    assert (await manager.post(f"{asked['found']}/reject", {"note": "They belong to another store"})).status_code == 200


async def send(shop: Shop) -> None:
    """Transfers in every state: planned, ready, left in part, arrived in part with what differs, closed short, cancelled."""
    at, fork, spoon = await ends(shop), await shop.item(), await shop.item()
    for item in (fork, spoon):
        await shop.stock(at.source, item, 60, unit_cost=300)
    number = await create(at, (fork, 1))
    changed = await at.office.patch(f"/v1/transfers/{number}", {"lines": wanted((spoon, 2), (fork, 2))})
    assert changed.status_code == 200, changed.text
    await made_ready(at, (fork, 3), (spoon, 1))
    number = await made_ready(at, (fork, 6), (spoon, 5))
    some = {"lines": [{"sku": fork.sku, "quantity": 4}], "short_reason": "not_found"}
    left = await moved(at.sender, at.source, number, "dispatch", some)
    assert left.status_code == 200, left.text
    for last in (None, {"reason": "stolen"}, {"reason": "lost"}):
        number = await sent(at, (fork, 8), (spoon, 4))
        came = [
            {"sku": fork.sku, "received": 3, "quality_control": 1, "damaged": 1, "missing": 1, "reason": "lost"},
            {"sku": spoon.sku, "received": 5, "damaged": 1, "reason": "sent_too_many"},
        ]
        part = await moved(at.receiver, at.destination, number, "receive", {"lines": came})
        assert (part.status_code, part.json()["state"]) == (200, "partially_received"), part.text
        if last:
            closed = await moved(at.receiver, at.destination, number, "close", last)
            assert (closed.status_code, closed.json()["state"]) == (200, "received"), closed.text
    number = await made_ready(at, (fork, 2))
    gone = await at.office.post(f"/v1/transfers/{number}/cancel", {"reason": "not needed"})
    assert gone.status_code == 200, gone.text


async def plan(shop: Shop) -> None:
    """Orders whose goods come from elsewhere: on their way, still expected, passed on by a store, the customer asked; a bundle."""
    warehouse, store = await shop.store(), await shop.store()
    await linked(shop, store, warehouse)
    lamp, shade, bulb = await shop.item(price=3_000), await shop.item(price=700), await shop.item(price=90)
    kit, coming = await shop.bundle({shade: 1, bulb: 2}, price=800), await shop.item(price=50, when_out="backorder")
    for item in (lamp, shade, bulb):
        await shop.stock(warehouse, item, 20, unit_cost=30)
    office = await shop.staff("back_office", channel="back_office")
    await announced(office, warehouse, (coming, 9, None))
    manager = await shop.staff("store_manager", store.code)
    await place(await shop.shopper(), store, (lamp, 2), **later(store))
    await place(await shop.shopper(), store, (kit, 2), **later(store))
    await place(await shop.shopper(), store, (coming, 3), **later(store))
    for item, quantity in ((lamp, 1), (shade, 2), (bulb, 4)):
        await shop.stock(store, item, quantity, unit_cost=30)
    passed_on = await place(await shop.shopper(), store, (lamp, 1))
    for order in (passed_on, await place(await shop.shopper(), store, (kit, 1))):
        number = order["fulfillments"][0]["number"]
        gone = await step(manager, store, number, "reject", {"reason": "out_of_stock"})
        assert (gone.status_code, gone.json()["asked"]) == (200, False), gone.text
    alone = await shop.item(price=40)
    await shop.stock(store, alone, 2, unit_cost=30)
    asked = await place(await shop.shopper(), store, (alone, 2))
    gone = await step(manager, store, asked["fulfillments"][0]["number"], "reject", {"reason": "recalled"})
    assert gone.json()["asked"] is True
    till = await shop.device("till", store.code)
    sold = await till.post(f"/v1/stores/{store.code}/sales", sale((kit, 1, 800)))
    assert sold.status_code == 201, sold.text


async def talk(shop: Shop) -> None:
    """Conversations in every state: waiting, answered in two channels that were joined, closed with and without a sale, forgotten;
    next steps that are open, done and dropped."""
    store = await shop.store()
    desk = await team(shop, store, channels=["messenger"])
    chats, staff = await source(shop, desk), await shop.staff("call_center", channel="call_center")
    clerk = await shop.staff("associate", store.code)
    anna, boris = [await shop.signed_up(phone=phone()) for _ in range(2)]

    async def told(caller: Client, path: str, body: object = None) -> dict[str, Any]:
        answer = await caller.post(path, body)
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    async def wrote(word: str, handle: str) -> str:
        answer = await deliver(shop, chats, handle, word)
        assert answer.status_code == 202, answer.text
        return f"/v1/conversations/{answer.json()['number']}"

    answer = {"kind": "message_out", "text": "Добрый день"}
    asked = await told(anna, "/v1/inquiries", {"kind": "call_back", "location": store.code})
    form = await told(anna, "/v1/inquiries", {"kind": "form", "text": "Есть 46?", "location": store.code})
    assert form["number"] != asked["number"]
    path = f"/v1/conversations/{asked['number']}"
    await told(clerk, f"{path}/entries", {"kind": "call", "text": "Рассказала"})
    done = await told(clerk, f"/v1/conversations/{form['number']}/entries", {**answer, "channel": "email"})
    assert (done["number"], done["state"]) == (asked["number"], "waiting")
    await wrote("Ау", unique("tg"))
    lost = {"outcome": "no_sale", "lost": [{"reason": "size", "asked_for": "Пуховик 46"}]}
    path = await wrote("Пуховик?", unique("tg"))
    await told(clerk, f"{path}/entries", answer)
    await told(clerk, f"{path}/entries", {"kind": "note", "text": "Зайдёт"})
    due = (clock() + timedelta(days=1)).isoformat()
    steps = [await told(clerk, f"{path}/next-steps", {"what": "Перезвонить", "due_at": due}) for _ in range(3)]
    for planned, act in zip(steps, ("done", "drop"), strict=False):
        await told(clerk, f"/v1/next-steps/{planned['id']}/{act}", {})
    await told(clerk, f"{path}/close", lost)
    await told(boris, "/v1/inquiries", {"kind": "message", "text": "Забудьте меня"})
    await shop.db.write(conversations.erase_person, shop.system, ids=[boris.actor.subject])
    path = await wrote("Спасибо", unique("tg"))
    await told(staff, f"{path}/assign", {"priority": "high"})
    await told(staff, f"{path}/close", {"outcome": "resolved"})
    await told(staff, f"{path}/reopen")


async def count_shelves(shop: Shop) -> None:
    """Counts in every state: posted after a recount, closed with goods left uncounted, cancelled, waiting, open; tasks for them, one
    of which is dismissed and one still open."""
    store = await shop.store()
    manager, till = await shop.staff("store_manager", store.code), await shop.device("till", store.code)
    pen, ink, pad = [await shop.item(price=400) for _ in range(3)]
    unknown, known, asked = [await shop.item(price=100) for _ in range(3)]
    for item in (pen, ink, pad):
        await shop.stock(store, item, 10, unit_cost=100)
    for item in (unknown, known, unknown):
        sold = await till.post(f"/v1/stores/{store.code}/sales", sale((item, 1, 100)))
        assert sold.status_code == 201, sold.text
    await outbox.drain(shop.db, parts.subscribers())
    path = f"/v1/stores/{store.code}/counts"

    async def told(address: str, body: object = None) -> dict[str, Any]:
        answer = await manager.post(address, body)
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    async def opened(*items: Item, **more: object) -> str:
        number = (await told(path, {"scope": "list", "skus": [item.sku for item in items], **more}))["number"]
        return f"{path}/{number}"

    async def counted(count: str, item: Item, quantity: int, spot: str = "shelf") -> None:
        entry = {"sku": item.sku, "quantity": quantity, "spot": spot}
        await told(f"{count}/entries", {"entries": [entry]})

    tasks = (await manager.get(f"/v1/stores/{store.code}/count-tasks")).json()["items"]
    dismissed = next(task["id"] for task in tasks if task["sku"] == known.sku)
    await told(f"/v1/stores/{store.code}/count-tasks/{dismissed}/dismiss", {"reason": "Behind the till"})
    count = await opened(pen, ink, pad, tasks=True)
    await counted(count, pen, 3)
    await counted(count, pen, 4)
    await counted(count, pen, 5, "window")
    await counted(count, ink, 12)
    await counted(count, unknown, 1)
    await told(f"{count}/submit")
    await told(f"{count}/recount", {"skus": [ink.sku]})
    await counted(count, ink, 10)
    await told(f"{count}/submit")
    assert (await told(f"{count}/approve", {"uncounted": "zero"}))["variances"]["lines"] == 3
    count = await opened(pen, ink)
    await counted(count, pen, 8)
    await told(f"{count}/submit")
    await told(f"{count}/approve", {"uncounted": "leave"})
    await told(f"{await opened(pen)}/cancel", {"reason": "Too busy"})
    count = await opened(ink)
    await counted(count, ink, 9)
    await told(f"{count}/submit")
    await counted(await opened(pen), pen, 1)
    sold = await till.post(f"/v1/stores/{store.code}/sales", sale((asked, 2, 100)))
    assert sold.status_code == 201, sold.text


async def name_units(shop: Shop) -> None:
    """Units with codes of their own: on the shelf, sold at a till, brought back, collected, and in a box."""
    store, phone = await shop.store(), await shop.item(price=3_000, tracking="serial")
    staff = await shop.staff("store_manager", store.code)
    delivery = {"lines": [{"sku": phone.sku, "quantity": 6, "unit_cost": 1_000, "codes": ["A", "B", "C"]}]}
    answer = await staff.post(f"/v1/stores/{store.code}/receipts", delivery)
    assert answer.status_code == 201, answer.text
    bought = sale((phone, 2, 3_000))
    bought["lines"][0]["codes"] = ["A", "X"]
    sold = await staff.post(f"/v1/stores/{store.code}/sales", bought)
    assert sold.status_code == 201, sold.text
    line = {"sku": phone.sku, "quantity": 1, "ground": "defect", "condition": "defective", "codes": ["X"]}
    back = {"order": sold.json()["order_number"], "refund": {"tender": "cash"}, "lines": [line]}
    answer = await staff.post(f"/v1/stores/{store.code}/returns", back)
    assert answer.status_code == 201, answer.text
    for ready, code in ((True, "B"), (False, "Y")):
        shopper = await shop.shopper()
        order = await place(shopper, store, (phone, 1))
        number = order["fulfillments"][0]["number"]
        steps: list[tuple[str, Any]] = [("accept", None), ("pick", {"scans": [{"sku": phone.sku, "code": code}]})]
        for name, body in (*steps, *([("ready", None)] if ready else [])):
            answer = await step(staff, store, number, name, body)
            assert answer.status_code == 200, answer.text
        if ready:
            collected = {
                "code": await pickup_code(shopper, order), "tenders": [cash(3_000)], "units": [{"sku": phone.sku, "codes": [code]}],
            }  # fmt: skip
            answer = await step(staff, store, number, "collect", collected)
            assert answer.status_code == 200, answer.text
