from __future__ import annotations
import pytest
from litestar import Litestar
from tests.orders.story import *
from tests.support import Shop, clock
from tests.support_statements import count_statements
from commerce.kernel.ids import uuid7

async def test_counts(shop: Shop, app: Litestar) -> None:
    db = app.state.db
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 50)
    staff = await shop.staff("associate", store.code)
    till = await shop.device("till", store.code)
    for i in range(2):
        buyer = await shop.shopper("app", known=True)
        await put(buyer, (item, 2))
        async with count_statements(db) as c:
            a = await buyer.post("/v1/orders", order_body(store, item.price*2))
        assert a.status_code == 201
        order = a.json()
        if i: print("place", len(c)); [print("   ", q[:110]) for q in c]
        number = await make_ready(staff, store, order)
        code = await pickup_code(buyer, order)
        async with count_statements(db) as c:
            a = await step(staff, store, number, "collect", {"code": code, "tenders": [cash(item.price*2)]})
        assert a.status_code == 200, a.text
        if i: print("collect", len(c)); [print("   ", q[:110]) for q in c]
        async with count_statements(db) as c:
            a = await till.post(f"/v1/stores/{store.code}/sales", {"id": str(uuid7()), "occurred_at": clock().isoformat(), "lines": [{"sku": item.sku, "quantity": 1, "unit_price": rub(item.price)}], "tenders": [cash(item.price)]})
        assert a.status_code == 201, a.text
        if i: print("sale", len(c)); [print("   ", q[:110]) for q in c]
        async with count_statements(db) as c:
            a = await buyer.get(f"/v1/availability?sku={item.sku}&near=55.7,37.6")
        assert a.status_code == 200, a.text
        if i: print("avail", len(c)); print(a.text[:600])
        async with count_statements(db) as c:
            a = await buyer.get(f"/v1/orders/{order['number']}")
        if i: print("view", len(c));
