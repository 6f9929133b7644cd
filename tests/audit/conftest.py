"""A shop of its own for the audit: nothing in its books but one small story, told through HTTP."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import asyncpg
import msgspec
import pytest
from litestar.testing import AsyncTestClient

from commerce import parts
from commerce.app import create_app
from commerce.infra import outbox
from commerce.infra.db import Database
from commerce.settings import Settings
from tests.orders.story import cash, make_ready, pickup_code, place, rub, step
from tests.orders.test_sales import sale
from tests.support import Client, Shop, clock, unique

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
    await shop.stock(store, cup, 12, unit_cost=400)
    await shop.stock(store, cup, 8, unit_cost=500)
    await shop.stock(store, plate, 20, unit_cost=None)
    staff, till = await shop.staff("store_manager", store.code), await shop.device("till", store.code)
    elsewhere = await shop.staff("store_manager", other.code)

    client = await shop.client("app")
    visitor = (await client.post("/v1/auth/anonymous", {})).json()
    anna = Client(shop.http, visitor["access_token"])
    account = {"email": f"{unique('anna')}@example.org", "password": "correct horse battery", "name": "Анна"}
    joined = await anna.post("/v1/auth/sign-up", account)
    assert joined.status_code == 201, joined.text
    anna = Client(shop.http, joined.json()["access_token"])
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
