"""Where a person wants things brought to."""

from __future__ import annotations

import asyncio
from typing import Any

from commerce.customers.addresses import MAXIMUM
from tests.people.story import merged, parted, problem, rows, signed_up
from tests.support import Client, Shop

HOME = {
    "label": "Дом", "recipient": "Анна", "phone": "8 900 000-01-01", "country": "RU", "region": "Москва", "city": "Москва",
    "street": "Тверская улица", "house": "7", "postal_code": "125009", "entrance": "2", "floor": "5", "apartment": "12",
    "intercom": "12К", "comment": "Звонить заранее", "is_default": False,
}  # fmt: skip


async def listed(me: Client) -> list[tuple[str, bool]]:
    items = (await me.get("/v1/me/addresses")).json()["items"]
    return [(item["street"], item["is_default"]) for item in items]


async def add(me: Client, street: str, **more: Any) -> dict[str, Any]:
    answer = await me.post("/v1/me/addresses", {"city": "Москва", "street": street, **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def test_an_address_is_kept_changed_and_forgotten(shop: Shop, audited: None) -> None:
    me = await signed_up(shop)
    assert (await me.get("/v1/me/addresses")).json() == {"items": []}
    made = await me.post("/v1/me/addresses", HOME)
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    home = made.json()
    kept = HOME | {"phone": "+79000000101", "is_default": True}
    assert {name: home[name] for name in HOME} == kept
    assert home["customer_id"] == str(me.actor.subject)
    where = f"/v1/me/addresses/{home['id']}"
    assert (await me.get(where)).json() == home
    changed = await me.put(where, HOME | {"house": "9", "is_default": True}, headers={"If-Match": '"1"'})
    assert changed.json() == home | {"house": "9", "version": 2}
    assert (await me.put(where, HOME | {"house": "9", "is_default": True})).json()["version"] == 2
    stale = await me.put(where, HOME, headers={"If-Match": '"1"'})
    assert (problem(stale), stale.json()["current_version"]) == ((412, "stale-address"), 2)
    assert problem(await me.delete(where, headers={"If-Match": '"1"'})) == (412, "stale-address")
    assert (await me.get(where)).json() == changed.json()
    assert (await me.delete(where, headers={"If-Match": '"2"'})).status_code == 204
    assert problem(await me.get(where)) == (404, "unknown-customer-address")
    events = await rows(
        shop, "SELECT payload FROM infra.outbox WHERE aggregate_id = :id AND version > 1", id=me.actor.subject
    )
    assert [event["payload"] for event in events] == [{"fields": ["addresses"]}] * 3


async def test_one_is_the_default(shop: Shop, audited: None) -> None:
    me = await signed_up(shop)
    await add(me, "Первая")
    second = await add(me, "Вторая")
    assert await listed(me) == [("Первая", True), ("Вторая", False)]
    await add(me, "Третья", is_default=True)
    assert await listed(me) == [("Третья", True), ("Вторая", False), ("Первая", False)]
    await me.put(f"/v1/me/addresses/{second['id']}", {"city": "Москва", "street": "Вторая", "is_default": True})
    assert await listed(me) == [("Вторая", True), ("Третья", False), ("Первая", False)]


async def test_two_at_once_leave_one_default(shop: Shop, audited: None) -> None:
    me = await signed_up(shop)
    await asyncio.gather(*(add(me, f"Улица {n}", is_default=True) for n in range(6)))
    assert [default for _, default in await listed(me)] == [True] + [False] * 5


async def test_there_are_at_most_fifty(shop: Shop, audited: None) -> None:
    me = await signed_up(shop)
    await asyncio.gather(*(add(me, f"Улица {n}") for n in range(MAXIMUM)))
    refused = await me.post("/v1/me/addresses", HOME)
    assert (problem(refused), refused.json()["maximum"]) == ((409, "too-many-addresses"), MAXIMUM)
    assert len(await listed(me)) == MAXIMUM


async def test_addresses_survive_a_merge_and_the_winners_default_counts(shop: Shop, audited: None) -> None:
    winner, loser, stranger = await signed_up(shop), await signed_up(shop), await signed_up(shop)
    await add(winner, "Новая")
    old = await add(loser, "Старая")
    await merged(shop, loser.actor.subject, winner.actor.subject)
    for one in (winner, loser):
        assert await listed(one) == [("Новая", True), ("Старая", False)]
    where = f"/v1/me/addresses/{old['id']}"
    for act in (stranger.get(where), stranger.delete(where), stranger.put(where, HOME)):
        assert problem(await act) == (404, "unknown-customer-address")
    taken = await winner.put(where, {"city": "Москва", "street": "Старая", "is_default": True})
    assert (taken.status_code, taken.json()["customer_id"]) == (200, str(loser.actor.subject))
    assert await listed(loser) == [("Старая", True), ("Новая", False)]
    await parted(shop, loser.actor.subject)
    winner, loser = [await shop.shopper(known=True, person=one.actor.subject) for one in (winner, loser)]
    assert (await listed(winner), await listed(loser)) == ([("Новая", False)], [("Старая", True)])


async def test_a_wrong_phone_and_other_callers_are_refused(shop: Shop) -> None:
    me = await signed_up(shop)
    assert problem(await me.post("/v1/me/addresses", HOME | {"phone": "12345"})) == (422, "bad-phone")
    assert problem(await me.post("/v1/me/addresses", {"city": "Москва"})) == (400, "bad-input")
    assert problem(await (await shop.shopper()).post("/v1/me/addresses", HOME)) == (403, "not-allowed")
    assert await listed(me) == []
