from tests.flows.test_refusals import *
async def test_dbg(shop, db, filled):
    shopper, store, item = filled
    order = (await shopper.post("/v1/orders", order_body(store, 259_800))).json()
    associate = await shop.staff("associate", store.code)
    number = await make_ready(associate, store, order)
    code = await pickup_code(shopper, order)
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    async def look(tx): return [tuple(r) for r in await tx.rows("select code_attempts, (select sum(hashtextextended(t::text,0)) from fulfillment.fulfillments t) from fulfillment.fulfillments where number=:n", n=number)]
    for _ in range(7):
        b=await step(associate, store, number, "collect", {"code": wrong, "tenders": [cash(259_800)]})
        print(b.status_code, b.json().get("attempts_left"), await db.read(look))
