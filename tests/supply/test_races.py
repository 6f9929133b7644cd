"""Several at once: two receivers, a receiver and a planner, the same reference twice. Every test ends with the audit.

The requests run in this loop, beside each other.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from commerce import stock
from commerce.app import create_app
from commerce.settings import Settings
from commerce.supply.tasks import tell_overdue
from tests.supply.story import (
    BACK,
    announced,
    body,
    came,
    counts,
    events_of,
    in_days,
    level,
    line_ids,
    plans,
    promised,
    receive,
    standing,
    supplier,
)
from tests.support import Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(scope="module")
async def racing(shop: Shop, settings: Settings) -> AsyncIterator[Shop]:
    """A shop whose callers' requests run at the same time."""
    app = create_app(settings, clock=clock)
    started, stop = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        # One task opens and closes: pytest may end a fixture in another one.
        async with app.lifespan():
            started.set()
            await stop.wait()

    serving = asyncio.create_task(serve())
    await started.wait()
    transport = httpx.ASGITransport(app=cast(Any, app))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
        racing = Shop(shop.db, cast(AsyncTestClient[Litestar], http), settings)
        racing.category = shop.category
        yield racing
    stop.set()
    await serving


async def test_two_receivers_of_one_delivery(racing: Shop) -> None:
    store, item = await racing.store(), await racing.item()
    office = await racing.staff("back_office")
    staff = [await racing.staff("associate", store.code) for _ in range(2)]
    number = (await announced(office, store, (item, 20, 100)))["number"]
    answers = await asyncio.gather(*(receive(staff[n % 2], store, number, came(item, 3)) for n in range(8)))
    # Six times three are eighteen; two more than that are not announced.
    assert Counter(answer.status_code for answer in answers) == {201: 6, 422: 2}
    assert sorted(answer.json()["version"] for answer in answers if answer.status_code == 201) == list(range(2, 8))
    assert await level(racing.db, store, item) == (18, 0, 0, 0)
    assert await plans(racing.db, racing, number) == [(20, 18, 0, 0, in_days(3))]


async def test_one_act_sent_many_times_is_booked_once(racing: Shop) -> None:
    store, item = await racing.store(), await racing.item()
    office, staff = await racing.staff("back_office"), await racing.staff("associate", store.code)
    number = (await announced(office, store, (item, 5, 100)))["number"]
    answers = await asyncio.gather(*(receive(staff, store, number, came(item, 5), key="pallet-one") for _ in range(6)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    done = [answer.json() for answer in answers if answer.status_code == 201]
    assert done
    assert all(answer == done[0] for answer in done)
    assert await level(racing.db, store, item) == (5, 0, 0, 0)
    assert await events_of(racing.db, number) == [
        (1, "supply.announced"), (2, "supply.received"), (2, "supply.closed"),
    ]  # fmt: skip


async def test_all_of_it_comes_twice(racing: Shop) -> None:
    store, item = await racing.store(), await racing.item()
    office, staff = await racing.staff("back_office"), await racing.staff("associate", store.code)
    number = (await announced(office, store, (item, 5, 100)))["number"]
    answers = await asyncio.gather(*(receive(staff, store, number, came(item, 5)) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert await level(racing.db, store, item) == (5, 0, 0, 0)


async def test_receiving_while_lines_are_added_and_the_rest_is_cancelled(racing: Shop) -> None:
    store, items = await racing.store(), [await racing.item() for _ in range(6)]
    office, staff = await racing.staff("back_office"), await racing.staff("associate", store.code)
    number = (await announced(office, store, *((item, 2, 100) for item in items)))["number"]
    add = {"reason": "more", "added": [{"sku": items[0].sku, "quantity": 1}]}
    works = [receive(staff, store, number, came(item, 1)) for item in items]
    works += [office.post(f"{BACK}/{number}/change", add) for _ in range(4)]
    works += [receive(staff, store, number, came(item, 1)) for item in reversed(items)]
    answers = await asyncio.gather(*works)
    assert {answer.status_code for answer in answers} == {200, 201}, [answer.text for answer in answers]
    shown = (await office.post(f"{BACK}/{number}/cancel", {"reason": "enough"})).json()
    assert (shown["state"], shown["version"]) == ("received", 18)
    assert [line[1] + line[5] for line in counts(shown)] == [2] * 6 + [1] * 4
    assert [len({line["n"] for line in shown["lines"]}), shown["lines"][-1]["n"]] == [10, 10]


async def test_a_promise_races_the_cancellation(racing: Shop) -> None:
    store, item = await racing.store(), await racing.item()
    office, staff = await racing.staff("back_office"), await racing.staff("associate", store.code)
    number = (await announced(office, store, (item, 10, 100)))["number"]
    [line] = await line_ids(racing.db, number)

    async def one() -> stock.Owner | None:
        try:
            return await promised(racing, store, item, 2, line)
        except stock.InsufficientStock:
            return None

    works: list[Any] = [one() for _ in range(4)]
    works += [receive(staff, store, number, came(item, 3)), office.post(f"{BACK}/{number}/cancel", {"reason": "no"})]
    works += [one() for _ in range(4)]
    *_, answer = found = await asyncio.gather(*works)
    del answer
    owners = [each for each in found if isinstance(each, stock.Owner)]
    kept = [each for owner in owners for each in await standing(racing.db, owner)]
    available, committed, _, _ = await level(racing.db, store, item)
    assert available + committed in (0, 3)
    assert sum(open_ for bucket, _, open_, _ in kept if bucket == "committed") == committed
    assert [each for each in kept if each[0] == "promised" and each[2]] == []
    assert [promised for *_, promised, _ in await plans(racing.db, racing, number)] == [0]


async def test_the_same_reference_twice_at_once(racing: Shop) -> None:
    store, item = await racing.store(), await racing.item()
    office = await racing.staff("back_office")
    same = body(store, await supplier(office), (item, 1, None))
    answers = await asyncio.gather(*(office.post(BACK, same) for _ in range(4)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 3}
    [number] = [answer.json()["number"] for answer in answers if answer.status_code == 201]
    assert {answer.json()["number"] for answer in answers} == {number}
    code = same["supplier"] + "-new"
    saved = await asyncio.gather(
        *(office.put(f"/v1/suppliers/{code}", {"name": {"en": "New"}, "lead_days": n}) for n in range(4))
    )
    assert sorted(answer.json()["version"] for answer in saved) == [1, 2, 3, 4]


async def test_two_workers_tell_what_is_late(racing: Shop) -> None:
    store, item = await racing.store(), await racing.item()
    office = await racing.staff("back_office")
    made = [(await announced(office, store, (item, 1, 100)))["number"] for _ in range(4)]
    clock.travel(in_days(5) - in_days(0))  # the day has passed everywhere, whatever the hour is now
    await asyncio.gather(tell_overdue(racing.db), tell_overdue(racing.db))
    for number in made:
        assert await events_of(racing.db, number) == [(1, "supply.announced"), (2, "supply.overdue")]
