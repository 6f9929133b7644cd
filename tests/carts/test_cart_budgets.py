"""The number of statements of a cart request is fixed, whatever the number of lines (DESIGN 11)."""

from __future__ import annotations

import pytest
from litestar import Litestar

from tests.support import Client, Item, Shop
from tests.support_statements import count_statements

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(scope="module")
async def items(shop: Shop) -> list[Item]:
    first = await shop.item(price=100)
    items = [first] + [await shop.item(price=100, product=first.product_id) for _ in range(101)]
    store, other = await shop.store(), await shop.store()
    for item in items:
        await shop.stock(store, item, 10)
    for item in items[:10]:
        await shop.stock(other, item, 10)
    reader = await shop.shopper()
    await fill(reader, items)
    await reader.get("/v1/carts/current")
    return items


async def fill(client: Client, items: list[Item]) -> None:
    answer = await client.put("/v1/carts/current/lines", {"lines": [{"sku": i.sku, "quantity": 1} for i in items]})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("lines", [1, 100])
async def test_put_and_read(shop: Shop, app: Litestar, items: list[Item], lines: int, known: bool) -> None:
    client = await shop.shopper(known=known)
    await fill(client, items[:lines])
    async with count_statements(app.state.db) as put:
        answer = await client.put(f"/v1/carts/current/lines/{items[101].sku}", {"quantity": 2})
    assert answer.status_code == 200
    assert len(answer.json()["lines"]) == lines + 1
    assert len(put) == 6, put
    assert (put[0], put[-1]) == ("BEGIN;", "COMMIT;")
    async with count_statements(app.state.db) as again:
        await client.put(f"/v1/carts/current/lines/{items[101].sku}", {"quantity": 3})
    assert len(again) == 6, again
    async with count_statements(app.state.db) as many:
        await fill(client, items[:100])
    assert len(many) == 6, many
    async with count_statements(app.state.db) as removed:
        await client.delete(f"/v1/carts/current/lines/{items[101].sku}")
    assert len(removed) == 6, removed
    async with count_statements(app.state.db) as read:
        answer = await client.get("/v1/carts/current")
    assert len(answer.json()["lines"]) == 100
    assert len(read) == 2, read
    async with count_statements(app.state.db) as cleared:
        await client.delete("/v1/carts/current/lines")
    assert len(cleared) == 5, cleared


@pytest.mark.parametrize("lines", [1, 50])
async def test_what_is_near_costs_a_few_statements_more_only_when_it_is_needed(
    shop: Shop, app: Litestar, items: list[Item], lines: int
) -> None:
    store, empty = await shop.store(), await shop.store()
    out = [await shop.item(price=100, product=items[0].product_id) for _ in range(lines)]
    client = await shop.shopper()
    await fill(client, out)
    async with count_statements(app.state.db) as read:
        view = (await client.get("/v1/carts/current")).json()
    assert [len(message["instead"]) for message in view["messages"]] == [5] * lines
    assert len(read) == 4, read
    client = await shop.shopper()
    wanted = items[10 : 10 + lines]
    for item in wanted:
        await shop.stock(store, item, 5)
    await fill(client, wanted)
    for place, statements, near in ((store, 3, 0), (empty, 6, lines)):
        wish = {"fulfillment": {"method": "collect", "location": place.code}}
        assert (await client.put("/v1/carts/current/checkout", wish)).status_code == 200
        async with count_statements(app.state.db) as read:
            view = (await client.get("/v1/carts/current")).json()
        assert [message["code"] for message in view["messages"]] == ["not_at_store"] * near
        assert len(read) == statements, read


async def test_first_put(shop: Shop, app: Litestar, items: list[Item]) -> None:
    """One more for a known shopper, who might have a merged profile with a cart; one more for what the process has never read."""
    unread = [await shop.item(price=100) for _ in range(2)]
    for item in unread:
        await shop.stock(await shop.store(), item, 10)
    for known, item, budget in (
        (False, items[0], 6), (True, items[0], 7), (False, unread[0], 7), (True, unread[1], 8),
    ):  # fmt: skip
        await fill(await shop.shopper(known=known), items[:1])
        client = await shop.shopper(known=known)
        async with count_statements(app.state.db) as put:
            answer = await client.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": 2})
        assert answer.json()["version"] == 1
        assert len(put) == budget, put
