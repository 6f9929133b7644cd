"""Merging the anonymous cart after sign-in: each policy tells what happened to each line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from commerce.auth import tokens
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from tests.support import Client, Item, Shop, clock, tag, unique

pytestmark = pytest.mark.usefixtures("audited")


async def put(client: Client, item: Item, quantity: int) -> Any:
    answer = await client.put(f"/v1/carts/current/lines/{item.sku}", {"quantity": quantity})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def merge(client: Client, other: Client, policy: str = "sum", **kwargs: Any) -> Any:
    return await client.post("/v1/carts/merge", {"token": other.token, "policy": policy}, **kwargs)


async def current(client: Client) -> Any:
    return (await client.get("/v1/carts/current")).json()


def told(answer: Any) -> list[tuple[str, str, int, int, int, bool]]:
    return [
        (
            line["sku"],
            line["outcome"],
            line["anonymous_quantity"],
            line["account_quantity"],
            line["quantity"],
            line["limited"],
        )
        for line in answer.json()["lines"]
    ]


@pytest.mark.parametrize(
    ("policy", "older", "newer"),
    [
        ("sum", ("summed", 2, 3, 5), ("summed", 4, 1, 5)),
        ("keep_newest", ("kept", 2, 3, 3), ("replaced", 4, 1, 4)),
        ("keep_account", ("kept", 2, 3, 3), ("kept", 4, 1, 1)),
    ],
)
async def test_each_policy(
    shop: Shop, policy: str, older: tuple[str, int, int, int], newer: tuple[str, int, int, int]
) -> None:
    anonymous, account = await shop.shopper("app"), await shop.shopper("site", known=True)
    both_older, both_newer, only_theirs, only_mine = [await shop.item(price=100) for _ in range(4)]
    await put(anonymous, both_older, 2)
    await put(account, both_newer, 1)
    clock.travel(timedelta(minutes=1))
    await put(account, both_older, 3)
    await put(account, only_mine, 7)
    source = await put(anonymous, both_newer, 4)
    source = await put(anonymous, only_theirs, 6)
    target = await current(account)
    answer = await merge(account, anonymous, policy)
    assert answer.status_code == 200, answer.text
    assert sorted(told(answer)) == sorted(
        [
            (both_older.sku, *older, False),
            (both_newer.sku, *newer, False),
            (only_theirs.sku, "added", 6, 0, 6, False),
            (only_mine.sku, "untouched", 0, 7, 7, False),
        ]
    )
    cart = answer.json()["cart"]
    assert (cart["id"], cart["version"]) == (target["id"], target["version"] + 1)
    assert answer.headers["etag"] == tag(cart)
    assert cart["subtotal"]["amount"] == 100 * (older[3] + newer[3] + 6 + 7)
    assert {line["sku"]: line["added_channel"] for line in cart["lines"]}[only_theirs.sku] == "app"
    assert await current(account) == cart
    assert (await current(anonymous))["id"] is None
    closed = (await anonymous.get(f"/v1/carts/{source['id']}")).json()
    assert (closed["state"], closed["version"], len(closed["lines"])) == ("merged", source["version"] + 1, 3)
    refused = await anonymous.put(f"/v1/carts/{source['id']}/lines/{only_mine.sku}", {"quantity": 1})
    assert (refused.status_code, refused.json()["type"], refused.json()["state"]) == (
        409, "/problems/cart-closed", "merged",
    )  # fmt: skip

    async def pointer(tx: Tx) -> Any:
        return await tx.scalar("SELECT merged_into FROM carts.carts WHERE id = :id", id=UUID(source["id"]))

    assert str(await shop.db.read(pointer)) == target["id"]


async def test_into_no_cart_yet_and_again(shop: Shop) -> None:
    anonymous, account = await shop.shopper(), await shop.shopper(known=True)
    item = await shop.item(price=250)
    await put(anonymous, item, 2)
    key = str(uuid7())
    first = await merge(account, anonymous, key=key)
    assert told(first) == [(item.sku, "added", 2, 0, 2, False)]
    assert (first.json()["cart"]["version"], first.json()["cart"]["subtotal"]["amount"]) == (1, 500)
    replay = await merge(account, anonymous, key=key)
    assert replay.json() == first.json()
    again = await merge(account, anonymous)
    assert told(again) == [(item.sku, "untouched", 0, 2, 2, False)]
    assert again.json()["cart"] == first.json()["cart"] == await current(account)


async def test_nothing_to_merge(shop: Shop) -> None:
    anonymous, account = await shop.shopper(), await shop.shopper(known=True)
    answer = await merge(account, anonymous)
    assert (answer.status_code, answer.json()["version"], answer.json()["cart"]["id"]) == (200, 0, None)
    assert told(answer) == []


async def test_with_oneself(shop: Shop) -> None:
    anonymous = await shop.shopper()
    item = await shop.item()
    cart = await put(anonymous, item, 2)
    signed_up = await shop.shopper(known=True, person=anonymous.actor.subject)
    answer = await merge(signed_up, anonymous)
    assert told(answer) == [(item.sku, "untouched", 0, 2, 2, False)]
    assert answer.json()["cart"] == cart


async def test_limits(shop: Shop) -> None:
    anonymous, account = await shop.shopper(), await shop.shopper(known=True)
    item = await shop.item(maximum_per_order=4)
    await put(anonymous, item, 3)
    await put(account, item, 2)
    assert told(await merge(account, anonymous)) == [(item.sku, "summed", 3, 2, 4, True)]
    assert [line["quantity"] for line in (await current(account))["lines"]] == [4]


async def test_a_full_cart_leaves_lines_out(shop: Shop) -> None:
    anonymous, account = await shop.shopper(), await shop.shopper(known=True)
    first = await shop.item(price=1)
    items = [first] + [await shop.item(price=1, product=first.product_id) for _ in range(499)]
    extra = await shop.item(price=1)
    body = {"lines": [{"sku": item.sku, "quantity": 1} for item in items]}
    assert (await account.put("/v1/carts/current/lines", body)).status_code == 200
    await put(anonymous, extra, 3)
    await put(anonymous, first, 1)
    answer = await merge(account, anonymous)
    lines = {line[0]: line[1:] for line in told(answer)}
    assert lines[extra.sku] == ("left_out", 3, 0, 0, False)
    assert lines[first.sku] == ("summed", 1, 1, 2, False)
    assert len(answer.json()["cart"]["lines"]) == 500


async def test_lines_that_are_no_longer_sold_come_along(shop: Shop) -> None:
    anonymous, account = await shop.shopper(), await shop.shopper(known=True)
    item = await shop.item(price=100)
    await put(anonymous, item, 1)

    async def recall(tx: Tx) -> None:
        await tx.execute(
            "UPDATE catalog.variants SET stop_sale_reason = 'recall', stop_sale_at = :at WHERE id = :id",
            at=tx.at, id=item.id,
        )  # fmt: skip

    await shop.db.write(recall)
    answer = await merge(account, anonymous)
    assert told(answer) == [(item.sku, "added", 1, 0, 1, False)]
    assert answer.json()["cart"]["messages"] == [{"code": "no_longer_sellable", "sku": item.sku, "reason": "stop_sale"}]
    assert answer.json()["cart"]["subtotal"]["amount"] == 0


async def test_only_the_token_of_an_anonymous_shopper(shop: Shop) -> None:
    account, victim, anonymous = await shop.shopper(known=True), await shop.shopper(known=True), await shop.shopper()
    cart = await put(victim, await shop.item(), 1)
    kept = await put(anonymous, await shop.item(), 1)
    staff = await shop.staff("admin")
    frontend = await shop.client()
    forged = tokens.issue(
        Actor(kind="shopper", subject=victim.actor.subject, channel="site"),
        secret_key="another-secret-key-another-secret-key-00", at=clock(), seconds=600,
    )  # fmt: skip
    expired = tokens.issue(
        Actor(kind="shopper", subject=anonymous.actor.subject, channel="site"),
        secret_key=shop.settings.secret_key, at=datetime(2026, 1, 1, tzinfo=UTC), seconds=600,
    )  # fmt: skip
    for token in (victim.token, staff.token, frontend.token, forged, expired, str(victim.actor.subject), "x"):
        answer = await account.post("/v1/carts/merge", {"token": token, "policy": "sum"})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/not-an-anonymous-token")
    assert (await current(account))["id"] is None
    assert await current(victim) == cart
    assert await current(anonymous) == kept
    for body, pointer in (
        ({"token": anonymous.token, "policy": "newest"}, "/policy"),
        ({"token": "", "policy": "sum"}, "/token"),
    ):
        answer = await account.post("/v1/carts/merge", body)
        assert answer.status_code == 400
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


@pytest.mark.parametrize("path", ["/v1/carts/merge", "/v1/lists/merge"])
async def test_a_token_whose_session_has_ended_brings_nothing(shop: Shop, path: str) -> None:
    """As one that nobody knows, at once: no process need have heard of it. So also one of somebody who has made an account since."""
    frontend, thief = await shop.client(), await shop.shopper(known=True)
    left, became = [shop.bearer(await frontend.post("/v1/auth/anonymous", {})) for _ in range(2)]
    kept = [await put(client, await shop.item(), 1) for client in (left, became)]
    assert (await left.post("/v1/auth/sign-out")).status_code == 204
    account = await shop.signed_up(became, email=f"{unique('anna')}@example.com")
    assert account.actor.subject == became.actor.subject
    for token in (left.token, became.token):
        answer = await thief.post(path, {"token": token})
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/not-an-anonymous-token")
    assert (await current(thief))["id"] is None
    assert (await current(account))["id"] == kept[1]["id"]
    own = await account.post(path, {"token": became.token})
    assert own.status_code == 200, own.text

    async def state(tx: Tx) -> Any:
        return await tx.scalar("SELECT state FROM carts.carts WHERE id = :id", id=UUID(kept[0]["id"]))

    assert await shop.db.read(state) == "open"


async def test_who_signs_in_at_a_kiosk_brings_what_he_put_there_before(shop: Shop) -> None:
    """Signing in ends the session before him at the device, which was his own; the next one there cannot bring it along."""
    kiosk, email = await shop.device("kiosk", (await shop.store()).code), f"{unique('anna')}@example.com"
    account = await shop.signed_up(await shop.client("app"), email=email, password="correct horse battery")
    item = await shop.item(price=100)
    before = shop.bearer(await kiosk.post("/v1/auth/anonymous", {}))
    await put(before, item, 2)
    here = shop.bearer(await kiosk.post("/v1/auth/sign-in", {"email": email, "password": "correct horse battery"}))
    assert here.actor.subject == account.actor.subject
    next_one = shop.bearer(await kiosk.post("/v1/auth/anonymous", {}))
    answer = await next_one.post("/v1/carts/merge", {"token": before.token})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/not-an-anonymous-token")
    again = shop.bearer(await kiosk.post("/v1/auth/sign-in", {"email": email, "password": "correct horse battery"}))
    assert (await again.post("/v1/carts/merge", {"token": before.token})).status_code == 422
    third = shop.bearer(await kiosk.post("/v1/auth/anonymous", {}))
    await put(third, item, 3)
    known = shop.bearer(await kiosk.post("/v1/auth/sign-in", {"email": email, "password": "correct horse battery"}))
    assert told(await merge(known, third)) == [(item.sku, "added", 3, 0, 3, False)]


@pytest.mark.parametrize("policy", ["sum", "keep_newest", "keep_account"])
@pytest.mark.parametrize("said_by", ["anonymous", "account"])
async def test_how_a_line_is_wanted_is_said_by_whoever_said_it(shop: Shop, policy: str, said_by: str) -> None:
    """Nothing is typed twice: a line that both have keeps the gift wish of the one that has one, whichever quantity stays."""
    anonymous, account = await shop.shopper("app"), await shop.shopper("site", known=True)
    item, newer = await shop.item(), await shop.item()
    for client in (anonymous, account):
        for one in (item, newer):
            await put(client, one, 1)
    clock.travel(timedelta(minutes=1))
    await put(anonymous, newer, 2)
    says = anonymous if said_by == "anonymous" else account
    for one in (item, newer):
        said = {"gift": {"wrap": True, "message": "С днём рождения"}}
        answer = await says.put(f"/v1/carts/current/lines/{one.sku}/fulfillment", said)
        assert answer.status_code == 200, answer.text
    answer = await merge(account, anonymous, policy)
    assert answer.status_code == 200, answer.text
    for cart in (answer.json()["cart"], await current(account)):
        assert [line["gift"] for line in cart["lines"]] == [{"wrap": True, "message": "С днём рождения"}] * 2


async def test_what_was_put_aside_before_signing_in_comes_along(shop: Shop) -> None:
    anonymous, account = await shop.shopper("app"), await shop.shopper("site", known=True)
    items = [await shop.item() for _ in range(3)]
    aside = []
    for item in items[:2]:
        aside.append((await put(anonymous, item, 2))["id"])
        assert (await anonymous.post("/v1/carts", {"label_parked": "Потом"})).status_code == 201
    await put(anonymous, items[2], 1)
    answer = await merge(account, anonymous)
    assert answer.status_code == 200, answer.text
    assert told(answer) == [(items[2].sku, "added", 1, 0, 1, False)]
    listed = (await account.get("/v1/carts")).json()["items"]
    assert (listed[0]["id"], listed[0]["current"]) == (answer.json()["cart"]["id"], True)
    assert sorted((one["id"], one["label"], one["line_count"]) for one in listed[1:]) == sorted(
        (cart, "Потом", 1) for cart in aside
    )
    assert (await anonymous.get("/v1/carts")).json()["items"] == []
    assert (await anonymous.get(f"/v1/carts/{aside[0]}")).status_code == 404
    back = await account.post(f"/v1/carts/{aside[0]}/resume")
    assert [line["sku"] for line in back.json()["lines"]] == [items[0].sku]
    again = await merge(account, anonymous)
    assert (again.status_code, len((await account.get("/v1/carts")).json()["items"])) == (200, 3)
