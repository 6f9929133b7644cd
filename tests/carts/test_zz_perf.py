import time, httpx, asyncio
from typing import Any
from commerce.carts import queries, service, PutLine
from tests.support import Shop
async def test_x(shop: Shop):
    first = await shop.item(price=100)
    items = [first] + [await shop.item(price=100, product=first.product_id) for _ in range(100)]
    store = await shop.store()
    for i in items: await shop.stock(store, i, 5)
    for n in (1, 100):
        c = await shop.shopper()
        await c.put("/v1/carts/current/lines", {"lines":[{"sku":i.sku,"quantity":1} for i in items[:n]]})
        for name, fn in (("read", lambda: shop.db.read(queries.read, c.actor, cart="current", currency="RUB")),
                         ("put", lambda: shop.db.write(service.put, c.actor, cart="current", sku=items[0].sku, command=PutLine(quantity=2), currency="RUB"))):
            await fn()
            t, w = time.process_time(), time.perf_counter()
            for _ in range(100): await fn()
            print(f"PERF {name} {n} lines: cpu {(time.process_time()-t)*10:.2f} ms wall {(time.perf_counter()-w)*10:.2f} ms", flush=True)
    assert 0
