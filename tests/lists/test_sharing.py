"""A list shared by link: shown to whoever has it, until it is revoked; nothing of the link is stored."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

import pytest

from commerce.infra.db import Tx
from commerce.infra.http import logged_path
from commerce.kernel.ids import uuid7
from commerce.lists import sharing
from tests.lists.support import cart, code, events, held, read, run, told, wish
from tests.support import Client, Shop, tag

pytestmark = pytest.mark.usefixtures("audited")


async def share(client: Client, where: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"/v1/lists/{where}/share", body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_shown_by_its_link(shop: Shop) -> None:
    store, mug = await shop.store(), await shop.item(price=800)
    await shop.stock(store, mug, 9)
    anna, frontend, boris = await shop.shopper(known=True), await shop.client(), await shop.shopper()
    await run(shop, "UPDATE customers.profiles SET name = 'Анна Иванова' WHERE id = :id", id=anna.actor.subject)
    where = (await anna.post("/v1/lists", {"name": "День рождения"})).json()["id"]
    await wish(anna, mug, 2, where, note="Секрет")
    shared = await share(anna, where)
    assert (shared["version"], shared["show_name"]) == (3, False)
    shown = await frontend.get(f"/v1/shared-lists/{shared['token']}")
    assert shown.status_code == 200, shown.text
    assert (shown.json()["name"], shown.json()["kind"], shown.json()["from_name"]) == ("День рождения", "named", None)
    line = shown.json()["lines"][0]
    assert (line["sku"], line["quantity"], line["unit_price"]["amount"], line["availability"]) == (
        mug.sku, 2, 800, "in_stock",
    )  # fmt: skip
    for secret in ("Секрет", "Иванова", "Анна", where, str(anna.actor.subject)):
        assert secret not in shown.text
    assert await share(anna, where) == shared
    named = await share(anna, where, show_name=True)
    assert (named["token"], named["version"], named["show_name"]) == (shared["token"], 4, True)
    shown = await boris.get(f"/v1/shared-lists/{shared['token']}")
    assert (shown.json()["from_name"], "Иванова" in shown.text) == ("Анна", False)
    listed = await read(anna, where)
    assert (listed["shared"], listed["show_name"], shared["token"] in str(listed)) == (True, True, False)
    assert [kind for kind, _ in await events(shop, where)] == [
        "list.created", "list.changed", "list.shared", "list.shared",
    ]  # fmt: skip


async def test_into_somebodys_own_cart(shop: Shop) -> None:
    store, mug, bowl, gone = await shop.store(), await shop.item(), await shop.item(), await shop.item()
    for item in (mug, bowl):
        await shop.stock(store, item, 9)
    anna, boris = await shop.shopper(), await shop.shopper("app")
    for item, quantity in ((mug, 2), (bowl, 1), (gone, 1)):
        await wish(anna, item, quantity)
    link = f"/v1/shared-lists/{(await share(anna, 'wish'))['token']}"
    some = await boris.post(f"{link}/to-cart", {"skus": [mug.sku]})
    assert (told(some), some.headers["etag"]) == ([(mug.sku, "added", 2, 2, None)], tag(some.json()["cart"]))
    rest = await boris.post(f"{link}/to-cart", {})
    assert told(rest) == [
        (mug.sku, "already_there", 0, 2, None), (bowl.sku, "added", 1, 1, None), (gone.sku, "sold_out", 0, 0, None),
    ]  # fmt: skip
    assert await cart(boris) == {mug.sku: 2, bowl.sku: 1}
    assert await cart(anna) == {}
    assert held(await read(anna)) == {mug.sku: 2, bowl.sku: 1, gone.sku: 1}
    assert code(await boris.post(f"{link}/to-cart", {"skus": ["NOT-THERE"]})) == (422, "not-on-list")
    frontend = await shop.client()
    assert code(await frontend.post(f"{link}/to-cart", {})) == (403, "not-allowed")


async def test_revoked_is_revoked_for_good(shop: Shop) -> None:
    mug = await shop.item()
    anna, reader = await shop.shopper(), await shop.client()
    mine = await wish(anna, mug)
    first = (await share(anna, "wish"))["token"]
    revoked = await anna.delete("/v1/lists/wish/share")
    assert (revoked.status_code, revoked.json()["shared"], revoked.json()["version"]) == (200, False, 3)
    assert (await anna.delete("/v1/lists/wish/share")).json() == revoked.json()
    assert code(await reader.get(f"/v1/shared-lists/{first}")) == (404, "unknown-shared-list")
    assert code(await anna.post(f"/v1/shared-lists/{first}/to-cart", {})) == (404, "unknown-shared-list")
    second = (await share(anna, "wish"))["token"]
    assert second != first
    assert code(await reader.get(f"/v1/shared-lists/{first}")) == (404, "unknown-shared-list")
    assert (await reader.get(f"/v1/shared-lists/{second}")).status_code == 200
    assert (await anna.delete("/v1/lists/wish", headers={"If-Match": "*"})).status_code == 204
    assert code(await reader.get(f"/v1/shared-lists/{second}")) == (404, "unknown-shared-list")
    assert [kind for kind, _ in await events(shop, mine["id"])] == [
        "list.created", "list.shared", "list.unshared", "list.shared", "list.deleted",
    ]  # fmt: skip


async def test_a_link_cannot_be_guessed_or_made_of_an_id(shop: Shop) -> None:
    mug = await shop.item()
    anna, reader = await shop.shopper(), await shop.client()
    mine = await wish(anna, mug)
    token = (await share(anna, "wish"))["token"]
    body = base64.urlsafe_b64decode(token.removeprefix("sl_"))
    forged = [
        "x", "sl_", mine["id"], token[3:], token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), token + "AAAA",
        sharing.token_of("another-key", UUID(mine["id"]), 0),
        sharing.token_of(shop.settings.secret_key, UUID(mine["id"]), 1),
        sharing.token_of(shop.settings.secret_key, uuid7(), 0),
        "sl_" + base64.urlsafe_b64encode(body[:16] + bytes(4) + bytes(16)).decode(),
    ]  # fmt: skip
    for one in forged:
        assert code(await reader.get(f"/v1/shared-lists/{one}")) == (404, "unknown-shared-list"), one


async def test_the_token_is_stored_nowhere(shop: Shop) -> None:
    mug = await shop.item()
    anna = await shop.shopper()
    await wish(anna, mug)
    token = (await share(anna, "wish"))["token"]

    async def found(tx: Tx) -> int:
        count: int = await tx.scalar(
            """
            SELECT (SELECT count(*) FROM infra.idempotency_keys k WHERE k::text LIKE :like)
                 + (SELECT count(*) FROM infra.outbox o WHERE o::text LIKE :like)
                 + (SELECT count(*) FROM lists.lists l WHERE l::text LIKE :like)
            """,
            like=f"%{token[30:]}%",
        )
        return count

    assert await shop.db.read(found) == 0
    assert logged_path(f"/v1/shared-lists/{token}") == "/v1/shared-lists/…"
    assert logged_path(f"/v1/shared-lists/{token}/to-cart") == "/v1/shared-lists/…/to-cart"
    assert logged_path("/v1/lists/wish/share") == "/v1/lists/wish/share"
