"""Baskets, codes and visitors at the same time: one outcome each, no line lost, and the audit is clean."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from commerce.carts import baskets, expiry
from commerce.infra.db import Tx
from commerce.kernel.errors import Busy
from commerce.kernel.ids import uuid7
from tests.concurrency.test_cart_races import current, put, racing, versions_of
from tests.orders.story import order_body
from tests.support import Client, Shop

__all__ = ["racing"]
pytestmark = pytest.mark.usefixtures("audited")


async def code_of(client: Client, mode: str = "move") -> str:
    answer = await client.post("/v1/carts/current/hand-off", {"mode": mode})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["code"])


def kinds(answers: Any) -> list[str]:
    """Status, and the problem's name when there is one."""
    return sorted(
        f"{one.status_code} {one.json()['type'].removeprefix('/problems/')}" if one.status_code >= 400 else "200"
        for one in answers
    )


async def test_a_code_claimed_twice_at_once(racing: Shop) -> None:
    for _ in range(4):
        kiosk = await racing.device("kiosk", (await racing.store()).code)
        item = await racing.item()
        await put(kiosk, item, 2)
        code = await code_of(kiosk)
        phones = [await racing.shopper("app") for _ in range(4)]
        answers = await asyncio.gather(*(phone.post("/v1/carts/claim", {"code": code}) for phone in phones))
        assert kinds(answers) == ["200"] + ["422 wrong-hand-off-code"] * 3
        views = [await current(phone) for phone in phones]
        assert sorted(sum(line["quantity"] for line in view["lines"]) for view in views) == [0, 0, 0, 2]


async def test_the_same_phone_claims_and_puts_at_once(racing: Shop) -> None:
    kiosk, phone = await racing.device("kiosk", (await racing.store()).code), await racing.shopper("app")
    one, two, late = [await racing.item() for _ in range(3)]
    await put(phone, one, 1)
    await put(kiosk, two, 2)
    code = await code_of(kiosk)
    answers = await asyncio.gather(
        phone.post("/v1/carts/claim", {"code": code}), put(phone, late, 3), put(kiosk, late, 4)
    )
    assert kinds(answers) == ["200"] * 3
    quantities: dict[str, int] = {}
    for view in (await current(phone), await current(kiosk)):
        for line in view["lines"]:
            quantities[line["sku"]] = quantities.get(line["sku"], 0) + line["quantity"]
    # 3 when the kiosk's four had come already before the phone said how many there shall be
    assert quantities.pop(late.sku) in (3, 7)
    assert quantities == {one.sku: 1, two.sku: 2}


async def test_a_hand_off_races_with_the_order(racing: Shop) -> None:
    for _ in range(4):
        store = await racing.store()
        kiosk, phone = await racing.device("kiosk", store.code), await racing.shopper("app")
        item = await racing.item(price=100)
        await racing.stock(store, item, 5)
        basket = (await put(kiosk, item, 1)).json()
        code = await code_of(kiosk)
        ordered, claimed = await asyncio.gather(
            kiosk.post("/v1/orders", order_body(store, 100, cart=basket["id"])),
            phone.post("/v1/carts/claim", {"code": code}),
        )
        state = (await kiosk.get(f"/v1/carts/{basket['id']}")).json()["state"]
        lines = len((await current(phone))["lines"])
        if ordered.status_code == 201:
            assert (kinds([claimed]), state, lines) == (["409 cart-closed"], "ordered", 0)
        else:
            assert (kinds([ordered, claimed]), state, lines) == (["200", "409 cart-closed"], "merged", 1)


async def test_park_resume_open_and_put_at_once(racing: Shop) -> None:
    till = await racing.device("till", (await racing.store()).code)
    item = await racing.item()
    baskets = []
    for _ in range(3):
        baskets.append((await till.post("/v1/carts", {})).json()["id"])
    answers = await asyncio.gather(
        *(till.post(f"/v1/carts/{basket}/resume") for basket in baskets),
        till.post("/v1/carts", {}),
        till.post(f"/v1/carts/{baskets[0]}/park", {"label": "x"}),
        put(till, item, 1),
        put(till, item, 2),
    )
    assert set(kinds(answers)) <= {"200", "503 busy"}
    listed = (await till.get("/v1/carts")).json()["items"]
    assert sum(one["current"] for one in listed) <= 1
    assert len(listed) >= 4
    for one in listed:
        assert await versions_of(racing.db, one["id"]) == list(range(1, one["version"] + 1))


async def test_joining_and_ending_race_with_what_the_guest_puts(racing: Shop) -> None:
    store = await racing.store()
    for _ in range(3):
        anna = await racing.shopper("app")
        associate = await racing.staff("associate", store.code, channel="app")
        item, hers = await racing.item(), await racing.item()
        cart = (await put(anna, hers, 1)).json()["id"]
        joined = await associate.post("/v1/carts/claim", {"code": await code_of(anna, "join")})
        guest = joined.json()["cart"]["guests"][0]["id"]
        path = f"/v1/carts/{cart}/lines/{item.sku}"
        ended, *added = await asyncio.gather(
            anna.delete(f"/v1/carts/{cart}/guests/{guest}"),
            *(associate.put(path, {"quantity": n}) for n in range(1, 5)),
        )
        assert ended.status_code == 200
        done = [one for one in added if one.status_code == 200]
        assert {one.json()["type"] for one in added if one.status_code != 200} <= {"/problems/unknown-cart"}
        # Whoever came after the end was refused, so what he put has a version before it.
        assert all(one.json()["version"] < ended.json()["version"] for one in done)
        assert (await current(anna))["version"] == ended.json()["version"] == 3 + len(done)


async def test_one_cart_joined_twice_by_one_associate(racing: Shop) -> None:
    anna, store = await racing.shopper("app"), await racing.store()
    associate = await racing.staff("associate", store.code, channel="app")
    await put(anna, await racing.item(), 1)
    code = await code_of(anna, "join")
    answers = await asyncio.gather(*(associate.post("/v1/carts/claim", {"code": code}) for _ in range(3)))
    assert kinds(answers) == ["200"] + ["422 wrong-hand-off-code"] * 2
    assert len((await current(anna))["guests"]) == 1


async def test_expiry_races_with_a_put(racing: Shop) -> None:
    store = await racing.store()
    kiosks = [await racing.device("kiosk", store.code) for _ in range(4)]
    item, late = await racing.item(), await racing.item()
    before = [(await put(kiosk, item, 1)).json() for kiosk in kiosks]
    _, *answers = await asyncio.gather(
        racing.db.write(expiry.expire_kiosk_baskets, idle=timedelta(0)), *(put(kiosk, late, 2) for kiosk in kiosks)
    )
    assert kinds(answers) == ["200"] * 4
    for kiosk, old, answer in zip(kiosks, before, answers, strict=True):
        view = await current(kiosk)
        # A put that came first keeps the basket (or is expired with it), one that came later opens another.
        skus = {line["sku"] for line in view["lines"]}
        assert skus in ({late.sku}, {item.sku, late.sku}, set())
        state = (await kiosk.get(f"/v1/carts/{old['id']}")).json()["state"]
        assert (state == "open") == (view["id"] == old["id"])
        assert answer.json()["id"] in (view["id"], old["id"])


async def test_merging_aside_races_with_puts(racing: Shop) -> None:
    anonymous, account = await racing.shopper("app"), await racing.shopper("site", known=True)
    one, two = await racing.item(), await racing.item()
    await put(anonymous, one, 1)
    body = {"token": anonymous.token, "policy": "separate"}
    aside, again, late = await asyncio.gather(
        account.post("/v1/carts/merge", body), account.post("/v1/carts/merge", body), put(anonymous, two, 2)
    )
    assert kinds([aside, again, late]) == ["200"] * 3
    listed = (await account.get("/v1/carts")).json()["items"]
    theirs = (await anonymous.get("/v1/carts")).json()["items"]
    lines = 0
    for client, items in ((account, listed), (anonymous, theirs)):
        for entry in items:
            lines += len((await client.get(f"/v1/carts/{entry['id']}")).json()["lines"])
    assert lines == 2


async def test_two_people_claim_each_others_carts_at_once(racing: Shop) -> None:
    for _ in range(6):
        one, other = await racing.shopper("app", known=True), await racing.shopper("site")
        ones, others = await racing.item(), await racing.item()
        await put(one, ones, 1)
        await put(other, others, 2)
        of_one, of_other = await code_of(one), await code_of(other)
        answers = await asyncio.gather(
            one.post("/v1/carts/claim", {"code": of_other}), other.post("/v1/carts/claim", {"code": of_one})
        )
        assert kinds(answers) in (["200", "200"], ["200", "409 cart-closed"])
        # Whoever came second took what the first had gathered: nothing is lost, nothing is there twice.
        views = [await current(one), await current(other)]
        assert {line["sku"]: line["quantity"] for view in views for line in view["lines"]} == {
            ones.sku: 1,
            others.sku: 2,
        }
        assert sum(len(view["lines"]) for view in views) == 2


async def test_carts_of_merged_profiles_are_resumed_at_once(racing: Shop) -> None:
    winner, loser = await racing.shopper(known=True), await racing.shopper(known=True)
    item = await racing.item()
    carts = [(await put(client, item, 1)).json()["id"] for client in (winner, loser)]
    await racing.merge(loser, winner)
    for _ in range(4):
        answers = await asyncio.gather(
            *(client.post(f"/v1/carts/{cart}/resume") for client in (winner, loser) for cart in carts),
            winner.post("/v1/carts", {}), put(winner, item, 2), loser.post("/v1/carts", {}),
        )  # fmt: skip
        assert set(kinds(answers)) <= {"200", "503 busy"}
        listed = (await winner.get("/v1/carts")).json()["items"]
        assert sum(one["current"] for one in listed) == 1
        assert next(one["id"] for one in listed if one["current"]) == (await current(winner))["id"]
        for one in listed:
            assert await versions_of(racing.db, one["id"]) == list(range(1, one["version"] + 1))


async def test_a_name_races_with_what_comes_from_a_phone(racing: Shop) -> None:
    """Whichever comes first: another's basket never says whom the phone's owner wanted to be reached."""
    store = await racing.store()
    for _ in range(4):
        kiosk, anna = await racing.device("kiosk", store.code), await racing.shopper("app", known=True)
        boris = await racing.shopper("app", known=True)
        item = await racing.item()
        basket = (await put(kiosk, item, 1)).json()
        await put(anna, item, 1)
        said = {"contact": {"name": "Анна Иванова", "phone": "+79000000101"}}
        assert (await anna.put("/v1/carts/current/checkout", said)).status_code == 200
        code = await code_of(anna)
        answers = await asyncio.gather(
            kiosk.post("/v1/carts/claim", {"code": code}),
            kiosk.put("/v1/carts/current/customer", {"token": boris.token}, headers={"If-Match": "*"}),
        )
        assert kinds(answers) == ["200", "200"]
        view = await current(kiosk)
        assert (view["id"], view["customer"]["named_by"]) == (basket["id"], "token")
        assert view["checkout"] is None or not view["checkout"]["hidden"]


async def test_who_finds_another_at_hand_each_time_is_asked_to_come_again(racing: Shop) -> None:
    """The verb runs again while others are faster; that they are so every time is no failure of the server."""
    till = await racing.device("till", (await racing.store()).code)
    await put(till, await racing.item(), 1)
    tried = []

    async def late(tx: Tx) -> None:
        tried.append(tx.at)
        await tx.execute(baskets.OPEN, id=uuid7(), person=None, device=till.actor.subject, channel="till", at=tx.at)

    with pytest.raises(Busy):
        await racing.db.write(late)
    assert len(tried) == 3
