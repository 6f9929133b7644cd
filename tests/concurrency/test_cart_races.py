"""Two devices, one cart: whatever the order, no line is lost, no version skipped, and the audit is clean.

The requests run in this loop, beside each other: the client of the other tests waits for each answer before it sends the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from commerce import carts
from commerce.app import create_app
from commerce.carts import merging, service
from commerce.carts.schemas import MergeCarts
from commerce.infra.db import Database, Tx
from commerce.kernel.actor import Actor
from commerce.settings import Settings
from tests.support import Client, Item, Shop, clock

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


async def put(client: Client, item: Item, quantity: int, **kwargs: Any) -> Any:
    return await client.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": quantity}, **kwargs)


async def current(client: Client) -> Any:
    return (await client.get("/v1/carts/current")).json()


async def versions_of(db: Database, cart: str) -> list[int]:
    async def work(tx: Tx) -> list[int]:
        rows = await tx.rows(
            "SELECT version FROM infra.outbox WHERE aggregate = 'cart' AND aggregate_id = :cart ORDER BY version",
            cart=UUID(cart),
        )
        return [row.version for row in rows]

    return await db.read(work)


async def open_carts(db: Database, shopper: UUID) -> int:
    async def work(tx: Tx) -> int:
        count: int = await tx.scalar(
            "SELECT count(*) FROM carts.carts WHERE shopper_id = :shopper AND state = 'open'", shopper=shopper
        )
        return count

    return await db.read(work)


async def test_two_devices_put_at_once(racing: Shop) -> None:
    phone = await racing.shopper("app")
    laptop = await racing.shopper("site", person=phone.actor.subject)
    items = [await racing.item(price=100 + n) for n in range(12)]
    await put(phone, items[0], 1)
    answers = await asyncio.gather(*(put(phone if n % 2 else laptop, item, n + 1) for n, item in enumerate(items) if n))
    assert [answer.status_code for answer in answers] == [200] * 11
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 13))
    for answer in answers:
        # Each answer shows the cart with all changes up to its version.
        assert len(answer.json()["lines"]) == answer.json()["version"]
    cart = await current(phone)
    assert {line["sku"]: line["quantity"] for line in cart["lines"]} == {
        item.sku: n + 1 for n, item in enumerate(items)
    }
    assert cart["subtotal"]["amount"] == sum((100 + n) * (n + 1) for n in range(12))
    assert await versions_of(racing.db, cart["id"]) == list(range(1, 13))


async def test_the_same_line_at_once(racing: Shop) -> None:
    phone = await racing.shopper("app")
    laptop = await racing.shopper("site", person=phone.actor.subject)
    item = await racing.item()
    first = (await put(phone, item, 1)).json()
    answers = await asyncio.gather(*(put(phone if n % 2 else laptop, item, n) for n in range(2, 12)))
    assert [answer.status_code for answer in answers] == [200] * 10
    last = max((answer.json() for answer in answers), key=lambda view: int(view["version"]))
    cart = await current(phone)
    assert cart == last
    assert (cart["version"], len(cart["lines"])) == (11, 1)
    assert cart["lines"][0]["added_at"] == first["lines"][0]["added_at"]
    assert await versions_of(racing.db, cart["id"]) == list(range(1, 12))


async def test_put_and_remove_of_the_same_line_at_once(racing: Shop) -> None:
    client = await racing.shopper()
    item, other = await racing.item(), await racing.item()
    await put(client, other, 1)
    answers = await asyncio.gather(
        *(put(client, item, 2) if n % 2 else client.delete(f"/v1/carts/current/lines/{item.sku}") for n in range(10))
    )
    assert [answer.status_code for answer in answers] == [200] * 10
    last = max((answer.json() for answer in answers), key=lambda view: int(view["version"]))
    assert await current(client) == last
    assert last["version"] == 11
    assert other.sku in {line["sku"] for line in last["lines"]}


@pytest.mark.parametrize("known", [False, True])
async def test_the_first_put_twice_makes_one_cart(racing: Shop, known: bool) -> None:
    phone = await racing.shopper("app", known=known)
    laptop = await racing.shopper("site", person=phone.actor.subject, known=known)
    items = [await racing.item() for _ in range(6)]
    answers = await asyncio.gather(*(put(phone if n % 2 else laptop, item, 1) for n, item in enumerate(items)))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(answer.json()["version"] for answer in answers) == list(range(1, 7))
    assert await open_carts(racing.db, phone.actor.subject) == 1
    cart = await current(laptop)
    assert sorted(line["sku"] for line in cart["lines"]) == sorted(item.sku for item in items)


async def test_first_puts_of_merged_profiles_make_one_cart(racing: Shop) -> None:
    winner, loser = await racing.shopper(known=True), await racing.shopper(known=True)

    await racing.merge(loser, winner)
    items = [await racing.item() for _ in range(6)]
    answers = await asyncio.gather(*(put(winner if n % 2 else loser, item, 1) for n, item in enumerate(items)))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert await open_carts(racing.db, winner.actor.subject) == 1
    assert await open_carts(racing.db, loser.actor.subject) == 0
    assert await current(winner) == await current(loser)
    assert len((await current(winner))["lines"]) == 6


async def test_if_match_lets_one_of_two_through(racing: Shop) -> None:
    phone = await racing.shopper("app")
    laptop = await racing.shopper("site", person=phone.actor.subject)
    one, two, three = [await racing.item() for _ in range(3)]
    await put(phone, one, 1)
    answers = await asyncio.gather(
        put(phone, two, 1, headers={"If-Match": '"1"'}), put(laptop, three, 1, headers={"If-Match": '"1"'})
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412]
    done, refused = sorted(answers, key=lambda answer: answer.status_code)
    assert refused.json()["cart"] == done.json() == await current(phone)


async def test_put_waits_for_the_order_and_opens_a_new_cart(racing: Shop) -> None:
    client = await racing.shopper()
    one, two = await racing.item(), await racing.item()
    ordered = (await put(client, one, 1)).json()
    locked = asyncio.Event()

    async def order(tx: Tx) -> None:
        cart = await carts.lock_open(tx, client.actor)
        assert cart is not None
        assert [line.sku for line in cart.lines] == [one.sku]
        locked.set()
        await asyncio.sleep(0.1)
        await carts.close(tx, client.actor, cart.id)

    async def late() -> Any:
        await locked.wait()
        return await put(client, two, 1)

    _, answer = await asyncio.gather(racing.db.write(order), late())
    assert answer.status_code == 200
    view = answer.json()
    assert view["id"] != ordered["id"]
    assert (view["version"], [line["sku"] for line in view["lines"]]) == (1, [two.sku])


async def test_an_order_that_waits_for_a_put_sees_its_line(racing: Shop) -> None:
    client = await racing.shopper()
    one, two = await racing.item(), await racing.item()
    await put(client, one, 1)
    holding = asyncio.Event()

    async def slow_put(tx: Tx) -> None:
        await service.put(
            tx, client.actor, cart="current", sku=two.sku, command=carts.PutLine(quantity=3), currency="RUB"
        )
        holding.set()
        await asyncio.sleep(0.1)

    async def order() -> carts.OpenCart | None:
        await holding.wait()
        return await racing.db.write(carts.lock_open, client.actor)

    _, found = await asyncio.gather(racing.db.write(slow_put), order())
    assert found is not None
    assert (found.version, [(line.sku, line.quantity) for line in found.lines]) == (2, [(one.sku, 1), (two.sku, 3)])


async def test_merge_races_with_puts_on_both_sides(racing: Shop) -> None:
    for _ in range(4):
        anonymous, account = await racing.shopper("app"), await racing.shopper("site", known=True)
        mine, theirs, late_mine, late_theirs = [await racing.item(price=100) for _ in range(4)]
        await put(account, mine, 1)
        source = (await put(anonymous, theirs, 2)).json()
        merged, on_mine, on_theirs = await asyncio.gather(
            account.post("/v1/carts/merge", {"token": anonymous.token, "policy": "sum"}),
            put(account, late_mine, 3),
            put(anonymous, late_theirs, 4),
        )
        assert [answer.status_code for answer in (merged, on_mine, on_theirs)] == [200, 200, 200]
        ours, rest = await current(account), await current(anonymous)
        quantities = {line["sku"]: line["quantity"] for view in (ours, rest) for line in view["lines"]}
        assert quantities == {mine.sku: 1, theirs.sku: 2, late_mine.sku: 3, late_theirs.sku: 4}
        # A put that came first was merged; one that came after the merge opened a new anonymous cart.
        if on_theirs.json()["id"] == source["id"]:
            assert rest["id"] is None
        else:
            assert [line["sku"] for line in rest["lines"]] == [late_theirs.sku]
        assert ours["version"] == 3
        assert await versions_of(racing.db, ours["id"]) == [1, 2, 3]


async def test_one_anonymous_cart_merged_twice_at_once(racing: Shop) -> None:
    anonymous, account = await racing.shopper("app"), await racing.shopper("site", known=True)
    item = await racing.item()
    await put(anonymous, item, 2)
    answers = await asyncio.gather(
        *(account.post("/v1/carts/merge", {"token": anonymous.token, "policy": "sum"}) for _ in range(4))
    )
    assert [answer.status_code for answer in answers] == [200] * 4
    assert sorted(answer.json()["lines"][0]["outcome"] for answer in answers) == ["added"] + ["untouched"] * 3
    assert [line["quantity"] for line in (await current(account))["lines"]] == [2]


async def test_two_anonymous_carts_merged_into_each_other_at_once(racing: Shop) -> None:
    one, two = await racing.shopper(), await racing.shopper()
    left, right = await racing.item(), await racing.item()
    await put(one, left, 1)
    await put(two, right, 2)

    async def merge(actor: Actor, token: str | None) -> None:
        assert token is not None
        await racing.db.write(
            merging.merge, actor, command=MergeCarts(token=token, policy="sum"),
            secret_key=racing.settings.secret_key, currency="RUB",
        )  # fmt: skip

    await asyncio.gather(merge(one.actor, two.token), merge(two.actor, one.token))
    views = [await current(one), await current(two)]
    quantities = {line["sku"]: line["quantity"] for view in views for line in view["lines"]}
    assert quantities == {left.sku: 1, right.sku: 2}
    assert sorted(len(view["lines"]) for view in views) == [0, 2]
