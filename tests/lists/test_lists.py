"""Wish lists and named lists through HTTP: exact lines, prices, versions, refusals."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from commerce.auth import tokens
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.tags import mark_of
from tests.lists.support import ANY, code, events, held, read, run, wish
from tests.support import Client, Shop, clock, tag

pytestmark = pytest.mark.usefixtures("audited")


async def test_the_first_line_begins_the_wish_list(shop: Shop) -> None:
    store, mug = await shop.store(), await shop.item(price=700)
    await shop.stock(store, mug, 3)
    app = await shop.shopper("app")
    site = await shop.shopper("site", person=app.actor.subject)
    empty = await app.get("/v1/lists/wish")
    assert (empty.status_code, empty.headers["etag"]) == (200, '"0"')
    assert (empty.json()["id"], empty.json()["version"], empty.json()["lines"]) == (None, 0, [])
    answer = await app.put(
        f"/v1/lists/wish/lines/{mug.sku}", {"quantity": 2, "note": "Синяя"}, headers={"If-Match": '"0"'}
    )
    assert (answer.status_code, answer.headers["etag"]) == (200, tag(answer.json())), answer.text
    seen = await read(site)
    assert seen == answer.json()
    line = seen["lines"][0]
    assert (seen["kind"], seen["name"], seen["shared"], line["sku"], line["quantity"], line["note"]) == (
        "wish", None, False, mug.sku, 2, "Синяя",
    )  # fmt: skip
    assert (line["unit_price"], line["unit_price_when_added"], line["price_change"]) == (
        {"amount": 700, "currency": "RUB"}, {"amount": 700, "currency": "RUB"}, None,
    )  # fmt: skip
    assert (line["sellable"], line["reason"], line["availability"], line["available"], line["added_channel"]) == (
        True, None, "few", 3, "app",
    )  # fmt: skip
    listed = (await site.get("/v1/lists")).json()["items"]
    assert [(one["id"], one["kind"], one["lines"], one["version"]) for one in listed] == [(seen["id"], "wish", 1, 1)]
    assert await events(shop, seen["id"]) == [("list.created", 1)]


async def test_a_line_is_set_kept_and_taken_off(shop: Shop) -> None:
    mug, bowl = await shop.item(), await shop.item()
    anna = await shop.shopper()
    first = await wish(anna, mug, 1, note="Для мамы")
    await wish(anna, bowl, 4)
    again = await wish(anna, mug, 3)
    assert (again["version"], held(again), again["lines"][0]["note"]) == (3, {mug.sku: 3, bowl.sku: 4}, "Для мамы")
    assert again["lines"][0]["added_at"] == first["lines"][0]["added_at"]
    same = await wish(anna, mug, 3)
    assert same == again
    without = await wish(anna, mug, 3, note=None)
    assert (without["version"], without["lines"][0]["note"]) == (4, None)
    gone = await anna.delete(f"/v1/lists/wish/lines/{mug.sku}", headers={"If-Match": tag(without)})
    assert (gone.status_code, gone.json()["version"], held(gone.json())) == (200, 5, {bowl.sku: 4})
    nothing = await anna.delete(f"/v1/lists/wish/lines/{mug.sku}", headers=ANY)
    assert nothing.json() == gone.json()
    assert [kind for kind, _ in await events(shop, first["id"])] == ["list.created"] + ["list.changed"] * 4


async def test_changes_say_what_they_have_seen(shop: Shop) -> None:
    mug = await shop.item()
    anna = await shop.shopper()
    path = f"/v1/lists/wish/lines/{mug.sku}"
    assert code(await anna.put(path, {"quantity": 1})) == (428, "version-required")
    assert code(await anna.put(path, {"quantity": 1}, headers={"If-Match": "seven"})) == (400, "bad-if-match")
    refused = await anna.put(path, {"quantity": 1}, headers={"If-Match": '"3"'})
    assert code(refused) == (412, "stale-list")
    assert (refused.json()["seen"], refused.json()["version"], refused.json()["list"]["lines"]) == (3, 0, [])
    assert (await read(anna))["version"] == 0
    before = await wish(anna, mug, 2)
    for method, address, body in (
        ("PUT", path, {"quantity": 5}), ("DELETE", path, None), ("DELETE", "/v1/lists/wish", None),
        ("POST", "/v1/lists/wish/move-to-cart", {}),
    ):  # fmt: skip
        assert code(await anna.request(method, address, json=body)) == (428, "version-required")
        stale = await anna.request(method, address, json=body, headers={"If-Match": '"7"'})
        assert (code(stale), stale.json()["list"]) == ((412, "stale-list"), before)
    assert await read(anna) == before
    other = f'"1.{mark_of(uuid7())}"'
    assert code(await anna.put(path, {"quantity": 5}, headers={"If-Match": other})) == (412, "stale-list")
    made = (await anna.post("/v1/lists", {"name": "Кухня"})).json()
    address = f"/v1/lists/{made['id']}"
    assert code(await anna.patch(address, {"name": "Дом"})) == (428, "version-required")
    assert code(await anna.patch(address, {"name": "Дом"}, headers={"If-Match": '"2"'})) == (412, "stale-list")
    assert (await read(anna, made["id"]))["name"] == "Кухня"


async def test_named_lists(shop: Shop) -> None:
    mug = await shop.item()
    anna = await shop.shopper()
    made = await anna.post("/v1/lists", {"name": "Кухня"})
    assert (made.status_code, made.json()["name"], made.json()["kind"], made.headers["etag"]) == (
        201, "Кухня", "named", tag(made.json()),
    )  # fmt: skip
    other = (await anna.post("/v1/lists", {"name": "Дача"})).json()
    where = made.json()["id"]
    await wish(anna, mug, 2, where)
    await wish(anna, mug, 1)
    renamed = await anna.patch(f"/v1/lists/{where}", {"name": "Новая кухня"}, headers={"If-Match": '"2"'})
    assert (renamed.json()["name"], renamed.json()["version"], held(renamed.json())) == ("Новая кухня", 3, {mug.sku: 2})
    assert (await anna.patch(f"/v1/lists/{where}", {"name": "Новая кухня"}, headers=ANY)).json() == renamed.json()
    listed = (await anna.get("/v1/lists")).json()["items"]
    assert [(one["kind"], one["name"], one["lines"]) for one in listed] == [
        ("wish", None, 1), ("named", "Дача", 0), ("named", "Новая кухня", 1),
    ]  # fmt: skip
    assert code(await anna.patch("/v1/lists/wish", {"name": "X"}, headers=ANY)) == (422, "list-without-name")
    assert code(await anna.patch("/v1/lists/saved", {"name": "X"}, headers=ANY)) == (422, "list-without-name")
    gone = await anna.delete(f"/v1/lists/{where}", headers={"If-Match": '"3"'})
    assert (gone.status_code, gone.content) == (204, b"")
    assert code(await anna.get(f"/v1/lists/{where}")) == (404, "unknown-list")
    assert code(await anna.delete(f"/v1/lists/{where}", headers=ANY)) == (404, "unknown-list")
    assert [one["name"] for one in (await anna.get("/v1/lists")).json()["items"]] == [None, "Дача"]
    assert [kind for kind, _ in await events(shop, where)] == [
        "list.created", "list.changed", "list.renamed", "list.deleted",
    ]  # fmt: skip
    assert await events(shop, other["id"]) == [("list.created", 1)]


async def test_what_is_sold_out_may_be_wished_for_and_what_was_never_shown_is_unknown(shop: Shop) -> None:
    sold_out, hidden = await shop.item(price=500), await shop.item(published=False)
    unpriced, later = await shop.item(price=None), await shop.item(sellable_from=clock() + timedelta(days=9))
    anna = await shop.shopper()
    for item in (sold_out, unpriced, later):
        await wish(anna, item)
    lines = {line["sku"]: line for line in (await read(anna))["lines"]}
    assert [(lines[one.sku]["sellable"], lines[one.sku]["reason"]) for one in (sold_out, unpriced, later)] == [
        (True, None), (False, "no_price"), (False, "not_yet"),
    ]  # fmt: skip
    assert lines[sold_out.sku]["availability"] == "sold_out"
    assert lines[unpriced.sku]["unit_price_when_added"] is None
    for sku in (hidden.sku, "NO-SUCH"):
        answer = await anna.put(f"/v1/lists/wish/lines/{sku}", {"quantity": 1}, headers=ANY)
        assert code(answer) == (404, "unknown-sku")
    assert len((await read(anna))["lines"]) == 3
    await run(shop, "UPDATE catalog.products SET published = false WHERE id = :id", id=sold_out.product_id)
    line = next(line for line in (await read(anna))["lines"] if line["sku"] == sold_out.sku)
    assert (line["sellable"], line["reason"]) == (False, "unpublished")


async def test_the_price_then_and_now(shop: Shop) -> None:
    cheaper, dearer = await shop.item(price=1_000), await shop.item(price=1_000)
    anna = await shop.shopper()
    for item in (cheaper, dearer):
        await wish(anna, item)
    for item, amount in ((cheaper, 900), (dearer, 1_100)):
        await run(shop, "UPDATE prices.prices SET amount = :amount WHERE variant_id = :id", amount=amount, id=item.id)
    lines = (await read(anna))["lines"]
    assert [
        (line["unit_price"]["amount"], line["unit_price_when_added"]["amount"], line["price_change"]) for line in lines
    ] == [(900, 1_000, "lower"), (1_100, 1_000, "higher")]


async def test_another_shoppers_list_is_unknown(shop: Shop) -> None:
    mug = await shop.item()
    anna, boris = await shop.shopper(known=True), await shop.shopper(known=True)
    mine = await wish(anna, mug)
    path = f"/v1/lists/{mine['id']}"
    for method, address, body in (
        ("GET", path, None), ("PATCH", path, {"name": "X"}), ("DELETE", path, None),
        ("PUT", f"{path}/lines/{mug.sku}", {"quantity": 9}), ("DELETE", f"{path}/lines/{mug.sku}", None),
        ("POST", f"{path}/move-to-cart", {}), ("POST", f"{path}/share", {}), ("DELETE", f"{path}/share", None),
    ):  # fmt: skip
        assert code(await boris.request(method, address, json=body, headers=ANY)) == (404, "unknown-list"), address
    assert await read(anna, mine["id"]) == mine
    assert (await boris.get("/v1/lists")).json() == {"items": []}


async def test_no_more_than_fifty_lists_of_five_hundred_lines(shop: Shop) -> None:
    mug = await shop.item()
    anna = await shop.shopper()
    first = (await anna.post("/v1/lists", {"name": "0"})).json()["id"]
    await run(
        shop,
        """
        WITH made AS (
            INSERT INTO lists.lists (id, shopper_id, kind, state, name, created_at, changed_at)
            SELECT gen_random_uuid(), :shopper, 'named', 'open', 'n' || i, :at, :at FROM generate_series(1, 49) i RETURNING id
        ), told AS (
            INSERT INTO infra.outbox (id, type, aggregate, aggregate_id, version, payload, actor, occurred_at)
            SELECT gen_random_uuid(), 'list.created', 'list', id, 1, '{}', '{"channel": "site"}', :at FROM made
        ) UPDATE lists.owners SET lists = 50 WHERE shopper_id = :shopper
        """,
        shopper=anna.actor.subject, at=clock(),
    )  # fmt: skip
    assert code(await anna.post("/v1/lists", {"name": "51"})) == (422, "too-many-lists")
    begun = await anna.put(f"/v1/lists/wish/lines/{mug.sku}", {"quantity": 1}, headers=ANY)
    assert (code(begun), begun.json()["maximum"]) == ((422, "too-many-lists"), 50)
    assert len((await anna.get("/v1/lists")).json()["items"]) == 50
    await run(
        shop,
        """
        WITH product AS (SELECT * FROM catalog.variants WHERE id = :like), made AS (
            INSERT INTO catalog.variants
                (id, product_id, sku, options, option_texts, tax_class, return_policy, external_ids, created_at, updated_at)
            SELECT gen_random_uuid(), product_id, sku || '-' || i, '{}', '{}', tax_class, return_policy, '{}', :at, :at
            FROM product, generate_series(1, 500) i RETURNING id, sku
        ) INSERT INTO lists.lines (list_id, variant_id, sku, quantity, added_at, added_channel)
        SELECT CAST(:list AS uuid), id, sku, 1, :at, 'site' FROM made
        """,
        like=mug.id, list=first, at=clock(),
    )  # fmt: skip
    full = await anna.put(f"/v1/lists/{first}/lines/{mug.sku}", {"quantity": 1}, headers=ANY)
    assert (code(full), full.json()["maximum"]) == ((422, "list-full"), 500)
    assert len((await read(anna, first))["lines"]) == 500
    assert (await anna.delete(f"/v1/lists/{first}", headers=ANY)).status_code == 204
    assert (await wish(anna, mug))["version"] == 1


async def test_merged_profiles_share_their_lists(shop: Shop) -> None:
    mug, bowl = await shop.item(), await shop.item()
    old, new = await shop.shopper(known=True), await shop.shopper(known=True)
    before = await wish(old, mug, 2)
    named = (await old.post("/v1/lists", {"name": "Дача"})).json()
    await shop.merge(old, new)
    assert await read(new) == before
    after = await wish(new, bowl)
    assert (after["id"], held(after)) == (before["id"], {mug.sku: 2, bowl.sku: 1})
    made = (await old.post("/v1/lists", {"name": "Кухня"})).json()
    listed = (await new.get("/v1/lists")).json()["items"]
    assert {one["id"] for one in listed} == {before["id"], named["id"], made["id"]}
    assert (await old.get("/v1/lists")).json()["items"] == listed
    operator = await shop.staff("call_center", channel="call_center")
    parted = await operator.post(f"/v1/customers/{old.actor.subject}/unmerge", {"reason": "A mistake"})
    assert parted.status_code == 200, parted.text
    assert {one["id"] for one in (await new.get("/v1/lists")).json()["items"]} == {made["id"]}


async def test_staff_acting_for_a_customer_leave_a_record(shop: Shop) -> None:
    mug, bowl = await shop.item(), await shop.item()
    anna = await shop.shopper(known=True)
    mine = await wish(anna, mug)
    staff = await shop.staff("call_center", channel="call_center")
    acting = msgspec.structs.replace(staff.actor, on_behalf_of=anna.actor.subject, reason="She asked on the phone")
    operator = Client(
        shop.http, tokens.issue(acting, secret_key=shop.settings.secret_key, at=clock(), seconds=600), acting
    )
    after = await wish(operator, bowl)
    assert (after["id"], held(await read(anna))) == (mine["id"], {mug.sku: 1, bowl.sku: 1})

    async def records(tx: object) -> list[tuple[str, object, object]]:
        rows = await tx.rows(  # type: ignore[attr-defined]
            "SELECT action, on_behalf_of, after FROM infra.audit_records WHERE target = 'list' AND subject = :staff",
            staff=staff.actor.subject,
        )
        return [(row.action, row.on_behalf_of, row.after) for row in rows]

    assert await shop.db.read(records) == [("list.changed", anna.actor.subject, None)]
    stranger = Actor(kind="staff", subject=uuid7(), channel="call_center")
    alone = Client(shop.http, tokens.issue(stranger, secret_key=shop.settings.secret_key, at=clock(), seconds=600))
    assert code(await alone.get("/v1/lists")) == (403, "not-allowed")
