"""From the draft to the shelf at the other end, through HTTP; levels, timeline and events after each step."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from commerce import stock
from commerce.infra.db import Tx
from commerce.locations import tables as location_tables
from tests.fulfillment.test_store_steps import barcode
from tests.support import Item, Shop
from tests.transfers.moves import (
    create,
    ends,
    events,
    id_of,
    level,
    made_ready,
    read,
    sent,
    step,
    today,
    types,
    wanted,
)

pytestmark = pytest.mark.usefixtures("audited")


async def test_goods_travel_from_draft_to_the_other_shelf(shop: Shop) -> None:
    at, cup, plate = await ends(shop), await shop.item(), await shop.item()
    await shop.stock(at.source, cup, 10)
    await shop.stock(at.source, plate, 5)
    made = await at.office.post(
        "/v1/transfers",
        {
            "source": at.source.code, "destination": at.destination.code, "kind": "rebalancing", "note": "spring",
            "lines": [*wanted((cup, 3), (plate, 5)), *wanted((cup, 1))],
        },
    )  # fmt: skip
    assert made.status_code == 201, made.text
    draft = made.json()
    number = draft["number"]
    assert number.startswith("TR-")
    assert (draft["state"], draft["kind"], draft["note"], draft["version"]) == ("draft", "rebalancing", "spring", 1)
    assert (draft["source"], draft["destination"], draft["order_number"]) == (at.source.code, at.destination.code, None)
    assert [(line["n"], line["sku"], line["quantity"]) for line in draft["lines"]] == [
        (1, cup.sku, 4),
        (2, plate.sku, 5),
    ]
    assert draft["lines"][0]["title"] == {"en": "Thing", "ru": "Вещь"}
    assert draft["expected_on"] == (date.fromisoformat(today()) + timedelta(days=1)).isoformat()
    assert made.headers["etag"] == '"1"'
    assert await level(shop, at.source, cup) == {"available": 10}

    ready = await step(at.sender, at.source, number, "ready")
    assert (ready.status_code, ready.json()["state"], ready.json()["version"]) == (200, "ready", 2)
    assert ready.json()["ready_at"] is not None
    assert await level(shop, at.source, cup) == {"available": 6, "committed": 4}
    assert await level(shop, at.source, plate) == {"committed": 5}

    left = await step(at.sender, at.source, number, "dispatch", {})
    assert (left.status_code, left.json()["state"]) == (200, "in_transit")
    assert [(line["dispatched"], line["on_the_way"]) for line in left.json()["lines"]] == [(4, 4), (5, 5)]
    assert await level(shop, at.source, cup) == {"available": 6}
    assert await level(shop, at.destination, cup) == {"in_transit": 4}
    plans = await shop.db.read(stock.expected_of, document_ids=[await id_of(shop, number)])
    assert sorted((plan.variant_id, plan.open, plan.kind) for plan in plans) == sorted(
        [(cup.id, 4, "transfer"), (plate.id, 5, "transfer")]
    )

    part = await step(
        at.receiver, at.destination, number, "receive",
        {"lines": [{"sku": cup.sku, "received": 2, "quality_control": 1}, {"sku": plate.sku, "damaged": 1}]},
    )  # fmt: skip
    assert (part.status_code, part.json()["state"], part.json()["version"]) == (200, "partially_received", 4)
    assert await level(shop, at.destination, cup) == {"available": 2, "quality_control": 1, "in_transit": 1}
    assert await level(shop, at.destination, plate) == {"damaged": 1, "in_transit": 4}

    rest = await step(at.receiver, at.destination, number, "receive", {})
    assert (rest.status_code, rest.json()["state"], rest.json()["version"]) == (200, "received", 5)
    assert rest.json()["closed_at"] is not None
    shown = [
        {name: line[name] for name in ("received", "quality_control", "damaged", "missing", "surplus", "on_the_way")}
        for line in rest.json()["lines"]
    ]
    assert shown == [
        {"received": 3, "quality_control": 1, "damaged": 0, "missing": 0, "surplus": 0, "on_the_way": 0},
        {"received": 4, "quality_control": 0, "damaged": 1, "missing": 0, "surplus": 0, "on_the_way": 0},
    ]
    assert await level(shop, at.destination, cup) == {"available": 3, "quality_control": 1}
    assert await level(shop, at.destination, plate) == {"available": 4, "damaged": 1}

    found = await read(at, number)
    assert found == rest.json()
    assert [(one["version"], one["what"]) for one in found["steps"]] == [
        (1, "created"), (2, "ready"), (3, "dispatched"), (4, "partially_received"), (5, "received"),
    ]  # fmt: skip
    assert found["steps"][1]["actor"]["subject"] == str(at.sender.actor.subject)
    assert await types(shop, number) == [
        (1, "transfer.created"), (2, "transfer.ready"), (3, "transfer.dispatched"), (4, "transfer.received"), (5, "transfer.received"),
    ]  # fmt: skip
    payloads = [payload for _, _, payload in await events(shop, number)]
    assert [payload["fulfillment_ids"] for payload in payloads] == [[], [], [], [], []]
    assert [payload["state"] for payload in payloads[3:]] == ["partially_received", "received"]
    assert [[line["quantity"] for line in payload["lines"]] for payload in payloads[2:]] == [[4, 5], [3, 1], [1, 4]]


async def test_what_stays_behind_is_free_again_and_has_a_reason(shop: Shop) -> None:
    at, cup, plate, fork = await ends(shop), await shop.item(), await shop.item(), await shop.item()
    for item in (cup, plate, fork):
        await shop.stock(at.source, item, 6)
    number = await made_ready(at, (cup, 6), (plate, 4), (fork, 2))
    some = {"lines": [{"sku": cup.sku, "quantity": 5, "note": "box 7"}, {"sku": plate.sku, "quantity": 4}]}
    refused = await step(at.sender, at.source, number, "dispatch", some)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/short-reason-missing")
    assert refused.json()["lines"] == [{"sku": cup.sku, "quantity": 1}, {"sku": fork.sku, "quantity": 2}]
    assert await level(shop, at.source, cup) == {"committed": 6}
    assert (await read(at, number))["version"] == 2

    some["lines"][0]["short_reason"] = "damaged"
    left = await step(at.sender, at.source, number, "dispatch", some | {"short_reason": "not_found"})
    assert left.status_code == 200, left.text
    shown = [(line["dispatched"], line["short_reason"], line["note"]) for line in left.json()["lines"]]
    assert shown == [(5, "damaged", "box 7"), (4, None, None), (0, "not_found", None)]
    assert await level(shop, at.source, cup) == {"available": 1}
    assert await level(shop, at.source, plate) == {"available": 2}
    assert await level(shop, at.source, fork) == {"available": 6}
    assert await level(shop, at.destination, cup) == {"in_transit": 5}
    assert await level(shop, at.destination, fork) == {}
    data = left.json()["steps"][-1]["data"]
    assert [(one["quantity"], one["reason"]) for one in data["left_behind"]] == [(1, "damaged"), (2, "not_found")]
    arrived = await step(at.receiver, at.destination, number, "receive", {})
    assert arrived.json()["state"] == "received"
    assert await level(shop, at.destination, cup) == {"available": 5}


async def test_a_box_is_scanned_at_both_ends(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await barcode(shop, cup, f"box-{cup.sku}", 6)
    await shop.stock(at.source, cup, 14)
    number = await made_ready(at, (cup, 13))
    scans = {"lines": [{"barcode": f"box-{cup.sku}", "quantity": 2}, {"sku": cup.sku}]}
    left = await step(at.sender, at.source, number, "dispatch", scans)
    assert (left.status_code, left.json()["lines"][0]["dispatched"]) == (200, 13)
    came = {"lines": [{"barcode": f"box-{cup.sku}", "received": 1, "damaged": 1}]}
    part = await step(at.receiver, at.destination, number, "receive", came)
    assert (part.status_code, part.json()["state"]) == (200, "partially_received")
    assert await level(shop, at.destination, cup) == {"available": 6, "damaged": 6, "in_transit": 1}


async def test_what_is_missing_and_what_is_found(shop: Shop) -> None:
    at, cup, plate = await ends(shop), await shop.item(), await shop.item()
    await shop.stock(at.source, cup, 10)
    await shop.stock(at.source, plate, 3)
    number = await sent(at, (cup, 4), (plate, 3))
    for line, kind in (
        ({"received": 5}, "discrepancy-unexplained"),
        ({"received": 3, "missing": 1}, "discrepancy-unexplained"),
        ({"received": 4, "missing": 1, "reason": "lost"}, "missing-too-many"),
    ):
        refused = await step(at.receiver, at.destination, number, "receive", {"lines": [{"sku": cup.sku, **line}]})
        assert (refused.status_code, refused.json()["type"]) == (422, f"/problems/{kind}")
        total = sum(units for units in line.values() if isinstance(units, int))
        assert refused.json()["lines"] == [{"sku": cup.sku, "wanted": total, "left": 4}]
    assert await level(shop, at.destination, cup) == {"in_transit": 4}

    body = {
        "lines": [
            {"sku": cup.sku, "received": 5, "damaged": 1, "reason": "sent_too_many", "note": "one more in the box"},
            {"sku": plate.sku, "received": 1, "missing": 1, "reason": "lost"},
        ]
    }
    part = await step(at.receiver, at.destination, number, "receive", body)
    assert part.status_code == 200, part.text
    cups, plates = part.json()["lines"]
    assert (cups["received"], cups["damaged"], cups["surplus"]) == (4, 0, 2)
    assert (cups["discrepancy_reason"], cups["note"]) == ("sent_too_many", "one more in the box")
    assert (plates["received"], plates["missing"], plates["on_the_way"], plates["discrepancy_reason"]) == (
        1,
        1,
        1,
        "lost",
    )
    assert await level(shop, at.destination, cup) == {"available": 5, "damaged": 1}
    assert await level(shop, at.destination, plate) == {"available": 1, "in_transit": 1}

    closed = await step(at.receiver, at.destination, number, "close", {"reason": "stolen", "note": "seal broken"})
    assert (closed.status_code, closed.json()["state"]) == (200, "received")
    assert (closed.json()["lines"][1]["missing"], closed.json()["lines"][1]["discrepancy_reason"]) == (2, "stolen")
    assert closed.json()["steps"][-1]["what"] == "closed"
    assert await level(shop, at.destination, plate) == {"available": 1}
    gone = [
        (entry.quantity, entry.from_place, entry.to_place)
        for entry in (await shop.db.read(stock.history, plate.id, [at.destination.id])).items
        if entry.to_place == "loss"
    ]
    assert gone == [(1, "in_transit", "loss"), (1, "in_transit", "loss")]
    told = [payload for _, kind, payload in await events(shop, number) if kind == "transfer.received"]
    assert [[(line["variant_id"], line["quantity"]) for line in payload["missing"]] for payload in told] == [
        [(str(plate.id), 1)],
        [(str(plate.id), 1)],
    ]
    assert [[line["quantity"] for line in payload["lines"]] for payload in told] == [[6, 1], []]
    again = await step(at.receiver, at.destination, number, "close", {"reason": "lost"})
    assert (again.status_code, again.json()["type"], again.json()["state"]) == (
        409,
        "/problems/transfer-wrong-step",
        "received",
    )


async def test_a_draft_changes_until_it_is_ready(shop: Shop) -> None:
    at, cup, plate = await ends(shop), await shop.item(), await shop.item()
    await shop.stock(at.source, cup, 9)
    await shop.stock(at.source, plate, 9)
    number = await create(at, (cup, 3))
    address = f"/v1/transfers/{number}"
    same = await at.office.patch(address, {"lines": wanted((cup, 3))})
    assert (same.status_code, same.json()["version"]) == (200, 1)
    soon = (date.fromisoformat(today()) + timedelta(days=9)).isoformat()
    body = {"lines": wanted((plate, 2), (cup, 5)), "expected_on": soon, "note": "with the van"}
    changed = await at.receiver.patch(address, body, headers={"If-Match": '"1"'})
    assert changed.status_code == 200, changed.text
    found = changed.json()
    assert (found["version"], found["expected_on"], found["note"]) == (2, soon, "with the van")
    assert [(line["sku"], line["quantity"]) for line in found["lines"]] == [(plate.sku, 2), (cup.sku, 5)]
    assert found["steps"][-1]["data"] == {"fields": ["lines", "expected_on", "note"]}
    assert await read(at, number) == found
    stale = await at.office.patch(address, {"note": None}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["type"], stale.json()["version"]) == (412, "/problems/transfer-changed", 2)

    assert (await step(at.sender, at.source, number, "ready", headers={"If-Match": '"1"'})).status_code == 412
    assert (await step(at.sender, at.source, number, "ready", headers={"If-Match": '"2"'})).status_code == 200
    assert await level(shop, at.source, cup) == {"available": 4, "committed": 5}
    refused = await at.office.patch(address, {"lines": wanted((cup, 1))})
    assert (refused.status_code, refused.json()["needed"]) == (409, "draft")
    later = await at.office.patch(address, {"note": None})
    assert (later.status_code, later.json()["note"], later.json()["state"]) == (200, None, "ready")
    await step(at.sender, at.source, number, "dispatch", {})
    refused = await at.office.patch(address, {"note": "x"})
    assert (refused.status_code, refused.json()["state"], refused.json()["needed"]) == (
        409,
        "in_transit",
        "draft, ready",
    )


async def test_it_is_cancelled_until_it_leaves(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 5)
    draft = await create(at, (cup, 5))
    done = await at.receiver.post(f"/v1/transfers/{draft}/cancel", {"reason": "not needed"})
    assert (done.status_code, done.json()["state"], done.json()["cancel_reason"]) == (200, "cancelled", "not needed")
    ready = await made_ready(at, (cup, 4))
    assert await level(shop, at.source, cup) == {"available": 1, "committed": 4}
    done = await at.sender.post(f"/v1/transfers/{ready}/cancel", {"reason": "sold here"})
    assert (done.status_code, done.json()["state"]) == (200, "cancelled")
    assert await level(shop, at.source, cup) == {"available": 5}
    assert await types(shop, ready) == [(1, "transfer.created"), (2, "transfer.ready"), (3, "transfer.cancelled")]
    again = await at.sender.post(f"/v1/transfers/{ready}/cancel", {"reason": "sold here"})
    assert (again.status_code, again.json()["type"]) == (409, "/problems/transfer-wrong-step")
    way = await sent(at, (cup, 5))
    refused = await at.office.post(f"/v1/transfers/{way}/cancel", {"reason": "too late"})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/transfer-on-its-way")
    assert await level(shop, at.destination, cup) == {"in_transit": 5}


async def test_a_store_asks_for_goods(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 2)

    async def link(tx: Tx) -> None:
        tx.queue(
            location_tables.links,
            location_id=at.destination.id,
            source_id=at.source.id,
            priority=1,
            transit_hours=72,
            cost_amount=0,
        )

    await shop.db.write(link)
    address = f"/v1/stores/{at.destination.code}/transfers"
    asked = await at.receiver.post(address, {"source": at.source.code, "lines": wanted((cup, 2))})
    assert asked.status_code == 201, asked.text
    assert (asked.json()["source"], asked.json()["destination"]) == (at.source.code, at.destination.code)
    assert asked.json()["expected_on"] == (date.fromisoformat(today()) + timedelta(days=3)).isoformat()
    number = asked.json()["number"]
    incoming = (await at.receiver.get(f"{address}?direction=incoming&state=draft")).json()["items"]
    assert [(one["number"], one["lines"], one["units"], one["on_the_way"], one["late"]) for one in incoming] == [
        (number, 1, 2, 0, False)
    ]
    assert (await at.receiver.get(f"{address}?direction=outgoing")).json()["items"] == []
    outgoing = (await at.sender.get(f"/v1/stores/{at.source.code}/transfers?direction=outgoing")).json()["items"]
    assert [one["number"] for one in outgoing] == [number]
    seen = await at.sender.get(f"/v1/stores/{at.source.code}/transfers/{number.lower().replace('-', ' ')}")
    assert (seen.status_code, seen.json()["number"]) == (200, number)


async def test_the_lists_are_paged_and_filtered(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 50)
    numbers = [await create(at, (cup, n)) for n in (1, 2, 3)]
    await step(at.sender, at.source, numbers[0], "ready")
    address = f"/v1/transfers?location={at.source.code}"
    page = (await at.office.get(f"{address}&limit=2")).json()
    assert [one["number"] for one in page["items"]] == [numbers[2], numbers[1]]
    rest = (await at.office.get(f"{address}&limit=2&cursor={page['next_cursor']}")).json()
    assert ([one["number"] for one in rest["items"]], rest["next_cursor"]) == ([numbers[0]], None)
    ready = (await at.office.get(f"{address}&state=ready&state=received")).json()["items"]
    assert [one["number"] for one in ready] == [numbers[0]]
    own = (await at.sender.get("/v1/transfers")).json()["items"]
    assert [one["number"] for one in own] == numbers[::-1]
    refused = await at.receiver.get(address)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/transfer-not-yours")
    assert (await at.office.get("/v1/transfers?location=nowhere")).status_code == 404


async def test_the_same_request_again_moves_nothing_twice(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 5)
    body = {"source": at.source.code, "destination": at.destination.code, "lines": wanted((cup, 4))}
    made = [await at.office.post("/v1/transfers", body, key="make-once-4") for _ in range(2)]
    assert made[0].json() == made[1].json()
    number = made[0].json()["number"]
    for client, store, name, sent_body in (
        (at.sender, at.source, "ready", None),
        (at.sender, at.source, "dispatch", {}),
        (at.receiver, at.destination, "receive", {"lines": [{"sku": cup.sku, "received": 1}]}),
        (at.receiver, at.destination, "close", {"reason": "lost"}),
    ):
        twice = [await step(client, store, number, name, sent_body, key=f"once-{name}-{number}") for _ in range(2)]
        assert [answer.status_code for answer in twice] == [200, 200]
        assert twice[0].json() == twice[1].json()
    assert (await read(at, number))["version"] == 5
    assert await level(shop, at.source, cup) == {"available": 1}
    assert await level(shop, at.destination, cup) == {"available": 1}


async def test_goods_that_were_sold_meanwhile_cannot_leave(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 4)
    number = await made_ready(at, (cup, 4))
    await _sold(shop, at.source.id, cup, 3)
    refused = await step(at.sender, at.source, number, "dispatch", {})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/transfer-goods-not-set-aside")
    assert refused.json()["lines"] == [{"sku": cup.sku, "wanted": 4, "left": 1}]
    left = await step(
        at.sender, at.source, number, "dispatch",
        {"lines": [{"sku": cup.sku, "quantity": 1, "short_reason": "out_of_stock"}]},
    )  # fmt: skip
    assert (left.status_code, left.json()["lines"][0]["dispatched"]) == (200, 1)
    assert await level(shop, at.source, cup) == {}
    assert await level(shop, at.destination, cup) == {"in_transit": 1}


async def _sold(shop: Shop, location: object, item: Item, quantity: int) -> None:
    from uuid import UUID

    from commerce.kernel.ids import uuid7

    assert isinstance(location, UUID)
    await shop.db.write(
        stock.adjust, shop.system, cause=stock.Cause("test_theft", uuid7()), location_id=location, variant_id=item.id, delta=-quantity,
        reason="theft",
    )  # fmt: skip
