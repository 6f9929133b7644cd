"""Transfers that serve orders: the commitment travels with the goods, and the order hears what it gets and what it does not."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from commerce import parts, stock, transfers
from commerce.infra import outbox
from commerce.kernel.ids import uuid7
from tests.support import Item, Shop, clock
from tests.transfers.moves import Ends, ends, events, level, opened, promised, read, step, types, wanted

pytestmark = pytest.mark.usefixtures("audited")


async def standing(shop: Shop, owner: UUID) -> list[tuple[str, str, UUID, int, int]]:
    """What is set aside for a fulfillment: bucket, state, where, open, lost."""
    found = await shop.db.read(stock.reservations_of, stock.Owner("fulfillment", owner))
    return sorted(
        (one.bucket, one.state, one.location_id, one.quantity_open, one.quantity_lost)
        for one in found
        if one.quantity_open or one.quantity_lost
    )


async def for_order(shop: Shop, at: Ends, *lines: tuple[Item, int]) -> tuple[UUID, list[UUID], str]:
    """Goods set aside at the source and the transfer that is to bring them."""
    owner, line_ids = await promised(shop, at, *lines)
    return owner, line_ids, await opened(shop, at, owner, line_ids, *lines)


async def test_an_orders_goods_stay_committed_all_the_way(shop: Shop) -> None:
    at, cup, plate = await ends(shop), await shop.item(), await shop.item()
    await shop.stock(at.source, cup, 5)
    await shop.stock(at.source, plate, 5)
    owner, (cup_line, plate_line), number = await for_order(shop, at, (cup, 2), (plate, 1))
    found = await read(at, number)
    assert (found["state"], found["kind"], found["order_number"]) == ("ready", "ship_to_store", "4821-3059-1768")
    assert [line["order_line_id"] for line in found["lines"]] == [str(cup_line), str(plate_line)]
    assert await level(shop, at.source, cup) == {"available": 3, "committed": 2}

    left = await step(at.sender, at.source, number, "dispatch", {})
    assert left.status_code == 200, left.text
    assert await level(shop, at.source, cup) == {"available": 3}
    assert await level(shop, at.destination, cup) == {"in_transit_committed": 2}
    assert await standing(shop, owner) == [
        ("in_transit_committed", "committed", at.destination.id, 1, 0),
        ("in_transit_committed", "committed", at.destination.id, 2, 0),
    ]
    (way,) = await shop.db.read(transfers.of_owner, [owner, uuid7()])
    assert (way.number, way.state, way.owner_id, way.source_id, way.destination_id) == (
        number, "in_transit", owner, at.source.id, at.destination.id,
    )  # fmt: skip
    assert [(line.order_line_id, line.quantity, line.to_send, line.on_the_way, line.received) for line in way.lines] == [
        (cup_line, 2, 0, 2, 0), (plate_line, 1, 0, 1, 0),
    ]  # fmt: skip

    part = await step(at.receiver, at.destination, number, "receive", {"lines": [{"sku": cup.sku, "received": 2}]})
    assert part.json()["state"] == "partially_received"
    assert await level(shop, at.destination, cup) == {"committed": 2}
    rest = await step(at.receiver, at.destination, number, "receive", {"lines": [{"sku": plate.sku, "received": 1}]})
    assert rest.json()["state"] == "received"
    assert await standing(shop, owner) == [
        ("committed", "committed", at.destination.id, 1, 0),
        ("committed", "committed", at.destination.id, 2, 0),
    ]
    told = [(version, kind, payload["fulfillment_ids"]) for version, kind, payload in await events(shop, number)]
    assert told == [
        (1, "transfer.ready", [str(owner)]), (2, "transfer.dispatched", [str(owner)]), (3, "transfer.received", []),
        (4, "transfer.received", [str(owner)]),
    ]  # fmt: skip


async def test_the_order_hears_what_it_does_not_get(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 9)
    owner, (line,), number = await for_order(shop, at, (cup, 6))
    left = await step(
        at.sender, at.source, number, "dispatch",
        {"lines": [{"sku": cup.sku, "quantity": 5}], "short_reason": "not_found"},
    )  # fmt: skip
    assert left.status_code == 200, left.text
    assert await level(shop, at.source, cup) == {"available": 3, "committed": 1}
    came = {"lines": [{"sku": cup.sku, "received": 1, "damaged": 1, "quality_control": 1}]}
    assert (await step(at.receiver, at.destination, number, "receive", came)).status_code == 200
    assert await level(shop, at.destination, cup) == {
        "committed": 1, "quality_control": 1, "damaged": 1, "in_transit_committed": 2,
    }  # fmt: skip
    assert (
        await step(at.receiver, at.destination, number, "receive", {"lines": [{"sku": cup.sku, "received": 1}]})
    ).status_code == 200
    assert (await step(at.receiver, at.destination, number, "close", {"reason": "lost"})).status_code == 200
    assert await level(shop, at.destination, cup) == {"committed": 2, "quality_control": 1, "damaged": 1}
    found = await events(shop, number)
    short = [
        (version, [(entry["what"], entry["quantity"], entry["order_line_id"]) for entry in payload["lines"]])
        for version, kind, payload in found
        if kind == "transfer.fell_short"
    ]
    assert short == [
        (2, [("left_behind", 1, str(line))]),
        (3, [("quality_control", 1, str(line)), ("damaged", 1, str(line))]),
        (5, [("missing", 1, str(line))]),
    ]
    assert [payload["fulfillment_ids"] for _, kind, payload in found if kind == "transfer.received"] == [
        [],
        [],
        [str(owner)],
    ]
    lost = await shop.db.read(stock.lost, kind="fulfillment", ids=[owner])
    assert lost == {owner: {line: 3}}


async def test_a_transfer_carries_its_own_goods_beside_an_orders(shop: Shop) -> None:
    """What nobody waits for bears the loss, as long as the line is not the order's."""
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 9)
    owner, (line,) = await promised(shop, at, (cup, 3))
    number = await opened(shop, at, owner, [line, uuid7()], (cup, 2), (cup, 1))
    refused = await step(at.sender, at.source, number, "dispatch", {})
    assert (refused.status_code, refused.json()["lines"]) == (409, [{"sku": cup.sku, "wanted": 1, "left": 0}])


async def test_a_draft_waits_for_the_goods_of_its_order(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    document, plan = uuid7(), uuid7()
    day = (clock() + timedelta(days=2)).date()
    await shop.db.write(
        stock.expect, shop.system, kind="supply", document_id=document, location_id=at.source.id, expected_on=day,
        lines=[stock.Expect(id=plan, variant_id=cup.id, quantity=5)],
    )  # fmt: skip
    owner, line_ids = await promised(shop, at, (cup, 3), expected=plan)
    number = await opened(shop, at, owner, line_ids, (cup, 3), waits=True)
    refused = await step(at.sender, at.source, number, "ready")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/transfer-awaits-goods")
    for quantity, state in ((2, "draft"), (3, "ready")):
        await shop.db.write(
            stock.receive, shop.system, cause=stock.Cause("test_receipt", uuid7()), location_id=at.source.id,
            lines=[stock.ReceiptLine(variant_id=cup.id, quantity=quantity, expected_id=plan)],
        )  # fmt: skip
        await outbox.drain(shop.db, parts.subscribers())
        assert (await read(at, number))["state"] == state
    assert await level(shop, at.source, cup) == {"available": 2, "committed": 3}
    assert await types(shop, number) == [(1, "transfer.created"), (2, "transfer.ready")]
    assert (await step(at.sender, at.source, number, "dispatch", {})).status_code == 200
    assert await level(shop, at.destination, cup) == {"in_transit_committed": 3}


async def release(shop: Shop, owner: UUID, lines: dict[UUID, int] | None = None) -> None:
    await shop.db.write(
        stock.release, shop.system, owner=stock.Owner("fulfillment", owner), cause=stock.Cause("fulfillment_cancelled", uuid7()),
        lines=lines,
    )  # fmt: skip


async def test_an_order_gives_up_what_has_not_left(shop: Shop) -> None:
    at, cup, plate = await ends(shop), await shop.item(), await shop.item()
    await shop.stock(at.source, cup, 5)
    await shop.stock(at.source, plate, 5)
    owner, (cup_line, plate_line), number = await for_order(shop, at, (cup, 3), (plate, 1))
    some = [transfers.OrderFreight(order_line_id=cup_line, variant_id=cup.id, quantity=2)]
    given = await shop.db.write(transfers.cancel_for_order, shop.system, owner=owner, lines=some)
    assert given == some
    await release(shop, owner, {cup_line: 2})
    found = await read(at, number)
    assert (found["state"], found["version"]) == ("ready", 2)
    assert [(line["quantity"], line["cancelled"]) for line in found["lines"]] == [(3, 2), (1, 0)]
    (mine,) = await shop.db.read(transfers.of_owner, [owner])
    assert [(line.order_line_id, line.quantity, line.to_send) for line in mine.lines] == [
        (cup_line, 1, 1), (plate_line, 1, 1),
    ]  # fmt: skip
    given = await shop.db.write(transfers.cancel_for_order, shop.system, owner=owner)
    assert [(one.order_line_id, one.quantity) for one in given] == [(cup_line, 1), (plate_line, 1)]
    await release(shop, owner)
    found = await read(at, number)
    assert (found["state"], found["cancel_reason"]) == ("cancelled", "order")
    assert await shop.db.write(transfers.cancel_for_order, shop.system, owner=owner) == []
    assert await shop.db.read(transfers.of_owner, [owner]) == []
    assert await level(shop, at.source, cup) == {"available": 5}
    assert await types(shop, number) == [(1, "transfer.ready"), (2, "transfer.given_up"), (3, "transfer.cancelled")]


async def test_what_an_order_still_wants_leaves_after_it_gave_up_the_rest(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 5)
    owner, (line,), number = await for_order(shop, at, (cup, 3))
    some = [transfers.OrderFreight(order_line_id=line, variant_id=cup.id, quantity=1)]
    await shop.db.write(transfers.cancel_for_order, shop.system, owner=owner, lines=some)
    await release(shop, owner, {line: 1})
    left = await step(at.sender, at.source, number, "dispatch", {})
    assert (left.status_code, left.json()["lines"][0]["dispatched"]) == (200, 2)
    assert await level(shop, at.source, cup) == {"available": 3}
    for state in ("partially_received", "received"):
        came = await step(at.receiver, at.destination, number, "receive", {"lines": [{"sku": cup.sku, "received": 1}]})
        assert (came.status_code, came.json()["state"]) == (200, state)
    assert await level(shop, at.destination, cup) == {"committed": 2}
    assert await shop.db.read(stock.lost, kind="fulfillment", ids=[owner]) == {}


async def test_what_an_order_gives_up_on_its_way_travels_on_for_nobody(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 5)
    owner, (line,), number = await for_order(shop, at, (cup, 4))
    assert (await step(at.sender, at.source, number, "dispatch", {})).status_code == 200
    some = [transfers.OrderFreight(order_line_id=line, variant_id=cup.id, quantity=1)]
    assert await shop.db.write(transfers.cancel_for_order, shop.system, owner=owner, lines=some) == some
    await release(shop, owner, {line: 1})
    assert await level(shop, at.destination, cup) == {"in_transit": 1, "in_transit_committed": 3}
    (mine,) = await shop.db.read(transfers.of_owner, [owner])
    assert [(one.quantity, one.on_the_way) for one in mine.lines] == [(3, 3)]

    body = {"lines": [{"sku": cup.sku, "received": 2, "missing": 2, "reason": "lost"}]}
    came = await step(at.receiver, at.destination, number, "receive", body)
    assert (came.status_code, came.json()["state"]) == (200, "received")
    assert await level(shop, at.destination, cup) == {"committed": 2}
    short = [payload["lines"] for _, kind, payload in await events(shop, number) if kind == "transfer.fell_short"]
    assert [[(one["what"], one["quantity"]) for one in lines] for lines in short] == [[("missing", 1)]]


async def test_whole_orders_given_up_on_their_way_are_free_at_the_other_end(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 5)
    owner, _, number = await for_order(shop, at, (cup, 4))
    await step(at.sender, at.source, number, "dispatch", {})
    await shop.db.write(transfers.cancel_for_order, shop.system, owner=owner)
    await release(shop, owner)
    assert await level(shop, at.destination, cup) == {"in_transit": 4}
    assert (await step(at.receiver, at.destination, number, "receive", {})).json()["state"] == "received"
    assert await level(shop, at.destination, cup) == {"available": 4}
    told = [(kind, payload["fulfillment_ids"]) for _, kind, payload in await events(shop, number)]
    assert told[2:] == [("transfer.given_up", [str(owner)]), ("transfer.received", [])]


async def test_staff_cannot_change_the_lines_of_an_order_but_refuse_to_send_them(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 5)
    owner, (line,) = await promised(shop, at, (cup, 2))
    number = await opened(shop, at, owner, [line], (cup, 2), waits=True)
    refused = await at.office.patch(f"/v1/transfers/{number}", {"lines": wanted((cup, 1))})
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/transfer-serves-order")
    assert refused.json()["order_number"] == "4821-3059-1768"
    ready = await step(at.sender, at.source, number, "ready")
    assert (ready.status_code, ready.json()["state"]) == (200, "ready")
    assert await level(shop, at.source, cup) == {"available": 3, "committed": 2}
    done = await at.sender.post(f"/v1/transfers/{number}/cancel", {"reason": "broken"})
    assert done.status_code == 200, done.text
    assert await level(shop, at.source, cup) == {"available": 3, "committed": 2}
    told = [(kind, payload["fulfillment_ids"]) for _, kind, payload in await events(shop, number)]
    assert told[2:] == [("transfer.cancelled", [str(owner)]), ("transfer.fell_short", [str(owner)])]
