from __future__ import annotations
import asyncio
from tests.concurrency.test_acidrain import shelves, sale
from tests.concurrency.steps import Caller, outcome
async def test_zz(racers, observer):
    for at in range(3, 30):
        store, [item] = await shelves(racers, 9)
        till, body = await racers.device("till", store.code), sale((item, 2, 100))
        works = [till.post(f"/v1/stores/{store.code}/sales", body) for _ in range(2)]
        callers = [Caller(observer, outcome(work)) for work in works]
        l,o=callers
        print("at", at, flush=True)
        s = await l.stop()
        for _ in range(at):
            s = await l.step(); print("  L", s, l.statements[-1].strip()[:50], flush=True)
        print("  O", await asyncio.wait_for(o.run(),3), o.statements[-1].strip()[:60], flush=True)
        print("  L", await asyncio.wait_for(l.run(),3), l.statements[-1].strip()[:60], flush=True)
        print(await asyncio.wait_for(asyncio.gather(l.task, o.task), 5), flush=True)
        if s=="ended": break
