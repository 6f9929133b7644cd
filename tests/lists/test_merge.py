"""After signing in: the anonymous shopper's lists become the account's, and nothing is lost. A person's lists are exported and erased."""

from __future__ import annotations

from typing import Any

import pytest

from commerce import lists
from tests.lists.support import ANY, as_gift, cart, code, events, held, into_cart, read, run, wish
from tests.support import Client, Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


async def merge(client: Client, other: Client, **kwargs: Any) -> Any:
    return await client.post("/v1/lists/merge", {"token": other.token}, **kwargs)


async def save(client: Client, sku: str) -> None:
    answer = await client.post(f"/v1/carts/current/lines/{sku}/save-for-later", headers=ANY)
    assert answer.status_code == 200, answer.text


async def test_kind_by_kind(shop: Shop) -> None:
    store, both, theirs, mine = await shop.store(), await shop.item(), await shop.item(), await shop.item()
    for item in (both, theirs, mine):
        await shop.stock(store, item, 99)
    anonymous, anna = await shop.shopper("app"), await shop.shopper(known=True)
    await wish(anna, both, 2)
    target = await wish(anna, mine, 1)
    await wish(anonymous, both, 5, note="Большую")
    source = await wish(anonymous, theirs, 1)
    for client, quantity in ((anna, 3), (anonymous, 4)):
        await into_cart(client, both, quantity)
        if client is anonymous:
            await as_gift(client, both, "Ему")
        await save(client, both.sku)
    named = (await anonymous.post("/v1/lists", {"name": "Дача"})).json()
    answer = await merge(anna, anonymous)
    assert answer.status_code == 200, answer.text
    saved = (await read(anna, "saved"))["id"]
    assert sorted((one["kind"], one["outcome"], one["id"], one["lines_left_out"]) for one in answer.json()["merged"]) == [
        ("named", "claimed", named["id"], 0), ("saved_for_later", "merged", saved, 0), ("wish", "merged", target["id"], 0),
    ]  # fmt: skip
    after = await read(anna)
    assert (after["version"], held(after)) == (3, {both.sku: 5, mine.sku: 1, theirs.sku: 1})
    assert after["lines"][0]["note"] == "Большую"
    assert held(await read(anna, "saved")) == {both.sku: 7}
    assert (await read(anna, "saved"))["lines"][0]["gift"] == {"message": "Ему"}
    assert (await read(anna, named["id"]))["name"] == "Дача"
    assert (await anna.get("/v1/lists")).json()["items"] == answer.json()["lists"]
    assert (await anonymous.get("/v1/lists")).json() == {"items": []}
    assert await events(shop, source["id"]) == [("list.created", 1), ("list.changed", 2), ("list.merged", 3)]
    assert await events(shop, named["id"]) == [("list.created", 1), ("list.claimed", 2)]
    again = await merge(anna, anonymous)
    assert (again.json()["merged"], await read(anna)) == ([], after)


async def test_lists_that_the_account_lacks_are_claimed_with_their_link(shop: Shop) -> None:
    mug = await shop.item()
    anonymous, anna, reader = await shop.shopper(), await shop.shopper(known=True), await shop.client()
    mine = await wish(anonymous, mug, 2)
    token = (await anonymous.post("/v1/lists/wish/share", {})).json()["token"]
    first = await merge(anna, anonymous, key="merge-lists-0001")
    again = await merge(anna, anonymous, key="merge-lists-0001")
    assert again.json() == first.json()
    after = await read(anna)
    assert (after["id"], after["version"], held(after), after["shared"]) == (mine["id"], 3, {mug.sku: 2}, True)
    assert (await reader.get(f"/v1/shared-lists/{token}")).status_code == 200


async def test_whose_token_it_must_be(shop: Shop) -> None:
    mug = await shop.item()
    anna, boris = await shop.shopper(known=True), await shop.shopper(known=True)
    mine = await wish(boris, mug)
    assert code(await merge(anna, boris)) == (422, "not-an-anonymous-token")
    assert code(await anna.post("/v1/lists/merge", {"token": "nonsense"})) == (422, "not-an-anonymous-token")
    assert (await anna.get("/v1/lists")).json() == {"items": []}
    assert await read(boris) == mine
    anonymous = await shop.shopper()
    own = await wish(anonymous, mug)
    assert (await merge(anonymous, anonymous)).json()["merged"] == []
    assert await read(anonymous) == own


async def test_what_does_not_fit_stays_and_is_told(shop: Shop) -> None:
    mug, bowl = await shop.item(), await shop.item()
    anonymous, anna = await shop.shopper(), await shop.shopper(known=True)
    target = await wish(anna, mug, 1)
    await wish(anonymous, mug, 3)
    source = await wish(anonymous, bowl, 1)
    await anonymous.post("/v1/lists", {"name": "Дача"})
    await run(
        shop,
        """
        WITH product AS (SELECT * FROM catalog.variants WHERE id = :like), made AS (
            INSERT INTO catalog.variants
                (id, product_id, sku, options, option_texts, tax_class, return_policy, external_ids, created_at, updated_at)
            SELECT gen_random_uuid(), product_id, sku || '-' || i, '{}', '{}', tax_class, return_policy, '{}', :at, :at
            FROM product, generate_series(1, 499) i RETURNING id, sku
        ), filled AS (
            INSERT INTO lists.lines (list_id, variant_id, sku, quantity, added_at, added_channel)
            SELECT CAST(:list AS uuid), id, sku, 1, :at, 'site' FROM made
        ), named AS (
            INSERT INTO lists.lists (id, shopper_id, kind, state, name, created_at, changed_at)
            SELECT gen_random_uuid(), :shopper, 'named', 'open', 'n' || i, :at, :at FROM generate_series(1, 49) i RETURNING id
        ), told AS (
            INSERT INTO infra.outbox (id, type, aggregate, aggregate_id, version, payload, actor, occurred_at)
            SELECT gen_random_uuid(), 'list.created', 'list', id, 1, '{}', '{"channel": "site"}', :at FROM named
        ) UPDATE lists.owners SET lists = 50 WHERE shopper_id = :shopper
        """,
        like=mug.id, list=target["id"], shopper=anna.actor.subject, at=clock(),
    )  # fmt: skip
    told = (await merge(anna, anonymous)).json()["merged"]
    assert sorted((one["kind"], one["outcome"], one["lines_left_out"]) for one in told) == [
        ("named", "left_out", 0), ("wish", "left_out", 1),
    ]  # fmt: skip
    assert held(await read(anna))[mug.sku] == 3
    left = await read(anonymous)
    assert (left["id"], held(left)) == (source["id"], {bowl.sku: 1})
    assert [one["name"] for one in (await anonymous.get("/v1/lists")).json()["items"]] == [None, "Дача"]


async def test_a_person_is_exported_and_erased(shop: Shop) -> None:
    mug = await shop.item(price=500)
    old, anna, other = await shop.shopper(known=True), await shop.shopper(known=True), await shop.shopper()
    named = (await old.post("/v1/lists", {"name": "Дача"})).json()["id"]
    await wish(old, mug, 2, named, note="Для дяди")
    await into_cart(old, mug, 1)
    await as_gift(old, mug, "Дяде")
    await save(old, mug.sku)
    await shop.merge(old, anna)
    mine = await wish(anna, mug)
    token = (await anna.post("/v1/lists/wish/share", {"show_name": True})).json()["token"]
    kept = await wish(other, mug)
    ids = [anna.actor.subject, old.actor.subject]
    told = await shop.db.read(lists.export_person, ids=ids)
    assert [(one["kind"], one["name"], len(one["lines"])) for one in told["lists"]] == [
        ("named", "Дача", 1),
        ("saved_for_later", None, 1),
        ("wish", None, 1),
    ]
    assert told["lists"][1]["lines"][0]["gift"] == {"message": "Дяде"}
    line = told["lists"][0]["lines"][0]
    assert (line["sku"], line["quantity"], line["unit_price_seen"], line["note"]) == (mug.sku, 2, 500, "Для дяди")
    for _ in range(2):
        await shop.db.write(lists.erase_person, shop.system, ids=ids)
    assert await shop.db.read(lists.export_person, ids=ids) == {"lists": []}
    assert (await anna.get("/v1/lists")).json() == {"items": []}
    assert code(await other.get(f"/v1/shared-lists/{token}")) == (404, "unknown-shared-list")
    assert await read(other) == kept
    assert [kind for kind, _ in await events(shop, mine["id"])] == ["list.created", "list.shared", "list.deleted"]
    assert await cart(anna) == {}
    assert (await wish(anna, mug))["version"] == 1
