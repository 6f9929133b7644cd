"""Who has it, from when, how far."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar

from commerce import stock
from commerce.catalog import tables as catalog_tables
from commerce.fulfillment import tables as fulfillment_tables
from commerce.fulfillment.availability import availability
from commerce.infra.db import Database, Tx
from commerce.kernel.ids import uuid7
from commerce.locations import tables as location_tables
from tests.support import Client, Item, Shop, Store, clock, unique
from tests.support_statements import count_statements


async def bundle_of(shop: Shop, *parts: tuple[Item, int]) -> Item:
    """A bundle of ordinary variants."""
    bundle = await shop.item(bundle=True)

    async def work(tx: Tx) -> None:
        for item, quantity in parts:
            tx.queue(catalog_tables.components, bundle_id=bundle.id, component_id=item.id, quantity=quantity)

    await shop.db.write(work)
    return bundle


@asynccontextmanager
async def orders_at(shop: Shop, store: Store, *states: str) -> AsyncIterator[None]:
    """Fulfillments of nobody's orders at a store, straight into the table, for as long as the block lasts."""
    ids = [uuid7() for _ in states]

    async def put(tx: Tx) -> None:
        for made, state in zip(ids, states, strict=True):
            tx.queue(
                fulfillment_tables.fulfillments, id=made, order_id=uuid7(), number=unique("F"), kind="pickup", location_id=store.id,
                state=state, at_risk=False, version=1, created_at=tx.at,
            )  # fmt: skip

    async def remove(tx: Tx) -> None:
        await tx.execute("DELETE FROM fulfillment.fulfillments WHERE id = ANY(CAST(:ids AS uuid[]))", ids=ids)

    await shop.db.write(put)
    try:
        yield
    finally:
        await shop.db.write(remove)


async def test_bands_distance_promise_and_order(shop: Shop) -> None:
    near = await shop.store(latitude_e6=55_760_000, longitude_e6=37_620_000)
    far = await shop.store(latitude_e6=59_934_300, longitude_e6=30_335_100)
    paused = await shop.store(paused_until=clock() + timedelta(days=1), paused_reason="Flooded")
    warehouse = await shop.store(roles=("ships",))
    item, stopped = await shop.item(), await shop.item(stop_sale_reason="Recalled")
    await shop.stock(near, item, 2)
    await shop.stock(far, item, 4)
    await shop.stock(paused, item, 4)
    await shop.stock(warehouse, item, 4)
    await shop.stock(near, stopped, 4)
    shopper = await shop.shopper()
    asked = "".join(f"&location={place.code}" for place in (near, far, paused, warehouse))
    path = f"/v1/availability?sku={item.sku}&sku={stopped.sku}&near=55.76,37.62{asked}"
    first, second = (await shopper.get(path)).json()["items"]
    assert (first["sku"], first["sellable"], second["sku"], second["sellable"]) == (item.sku, True, stopped.sku, False)
    found = {entry["location"]: entry for entry in first["locations"]}
    assert warehouse.code not in found
    assert (found[near.code]["band"], found[near.code]["left"], found[near.code]["distance_metres"]) == (
        "few_left",
        2,
        0,
    )
    assert (found[far.code]["band"], found[far.code]["left"]) == ("in_stock", None)
    assert found[far.code]["distance_metres"] == 632_770
    assert found[near.code]["pickup"] is not None
    assert found[paused.code]["pickup"] is None
    assert all(entry["buckets"] is None for entry in first["locations"])
    distances = [entry["distance_metres"] for entry in first["locations"]]
    assert distances == sorted(distances)
    assert {entry["pickup"] for entry in second["locations"] if entry["location"] == near.code} == {None}

    staff = await shop.staff("associate", near.code)
    seen = {entry["location"]: entry for entry in (await staff.get(path)).json()["items"][0]["locations"]}
    assert seen[near.code]["buckets"]["available"] == 2
    assert seen[far.code]["buckets"] is None


async def test_refusals(shop: Shop) -> None:
    item, shopper = await shop.item(), await shop.shopper()
    for query, status, kind in (
        ("sku=NO-SUCH", 404, "unknown-sku"),
        (f"sku={item.sku}&near=far", 400, "bad-near"),
        (f"sku={item.sku}&near=91,0", 400, "bad-near"),
        ("", 400, "bad-input"),
        ("&".join(f"sku=S{n}" for n in range(101)), 400, "bad-input"),
    ):
        answer = await shopper.get(f"/v1/availability?{query}")
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}"), answer.text
    assert (await shop.anybody().get(f"/v1/availability?sku={item.sku}")).status_code == 401


async def test_six_statements_for_any_number_of_skus_and_locations(shop: Shop, app: Litestar) -> None:
    db: Database = app.state.db
    shopper = await shop.shopper()
    items = [await shop.item() for _ in range(5)]
    for skus, limit, near in ((1, 1, ""), (5, 1, "&near=55,37"), (5, 300, "&near=55,37&on=2099-01-01")):
        path = f"/v1/availability?limit={limit}{near}" + "".join(f"&sku={item.sku}" for item in items[:skus])
        await shopper.get(path)
        async with count_statements(db) as counted:
            assert (await shopper.get(path)).status_code == 200
        assert len(counted) == 6


NOON = datetime(2026, 3, 10, 9, tzinfo=UTC)
"""12:00 in Moscow on a Tuesday."""


@pytest.fixture
def noon() -> Iterator[None]:
    """The clock stands at noon of a Tuesday in Moscow."""
    clock.stand_at(NOON)
    yield
    clock.back_to_present()


async def link(shop: Shop, store: Store, source: Store, *, transit_hours: int, priority: int = 0) -> None:
    async def work(tx: Tx) -> None:
        tx.queue(
            location_tables.links, location_id=store.id, source_id=source.id, priority=priority, transit_hours=transit_hours,
            departures=None, cost_amount=0,
        )  # fmt: skip

    await shop.db.write(work)


async def announce(shop: Shop, store: Store, item: Item, quantity: int, on: date) -> UUID:
    line = uuid7()
    await shop.db.write(
        stock.expect, shop.system, kind="supply", document_id=uuid7(), location_id=store.id, expected_on=on,
        lines=[stock.Expect(id=line, variant_id=item.id, quantity=quantity)],
    )  # fmt: skip
    return line


async def at(caller: Client, store: Store, item: Item | str, query: str = "") -> dict[str, Any]:
    """The entry of one SKU at one location."""
    sku = item if isinstance(item, str) else item.sku
    answer = await caller.get(f"/v1/availability?sku={sku}&location={store.code}{query}")
    assert answer.status_code == 200, answer.text
    ((entry,),) = [one["locations"] for one in answer.json()["items"]]
    return dict(entry)


def promise(begin: str, end: str) -> dict[str, str]:
    return {"from_at": begin, "until_at": end}


async def test_what_is_announced_and_what_can_be_promised_for_a_day(shop: Shop, noon: None) -> None:
    store, item = await shop.store(), await shop.item()
    await announce(shop, store, item, 5, date(2026, 3, 20))
    await announce(shop, store, item, 2, date(2026, 3, 12))
    shopper, staff = await shop.shopper(), await shop.staff("associate", store.code)
    seen = await at(shopper, store, item, "&on=2026-03-15")
    assert (seen["band"], seen["expected_on"], seen["expected_quantity"]) == ("expected", "2026-03-12", None)
    assert (seen["on_date"], seen["promisable"], seen["left"]) == ("few_left", 2, None)
    known = await at(staff, store, item, "&on=2026-03-20")
    assert (known["expected_on"], known["expected_quantity"], known["promisable"], known["left"]) == (
        "2026-03-12",
        2,
        7,
        0,
    )
    assert (known["on_date"], known["buckets"]) == ("in_stock", None)
    await shop.stock(store, item, 10)
    now = await at(shopper, store, item, "&on=2026-03-10")
    assert (now["band"], now["left"], now["on_date"], now["promisable"]) == ("in_stock", None, "in_stock", None)
    assert (await at(staff, store, item, "&on=2026-03-10"))["promisable"] == 10
    assert (await at(staff, store, item, "&on=2026-03-31"))["promisable"] == 17


async def test_what_was_promised_of_an_announcement_is_not_promised_again(shop: Shop, noon: None) -> None:
    store, item = await shop.store(), await shop.item()
    soon = await announce(shop, store, item, 2, date(2026, 3, 12))
    await announce(shop, store, item, 4, date(2026, 3, 14))
    await shop.db.write(
        stock.promise, shop.system, owner=stock.Owner("fulfillment", uuid7()), cause=stock.Cause("order_placed", uuid7()),
        demands=[stock.Demand(line_id=uuid7(), location_id=store.id, variant_id=item.id, quantity=2, expected_id=soon)],
    )  # fmt: skip
    staff = await shop.staff("associate", store.code)
    seen = await at(staff, store, item, "&on=2026-03-13")
    assert (seen["band"], seen["expected_on"], seen["expected_quantity"], seen["promisable"]) == (
        "expected",
        "2026-03-14",
        4,
        0,
    )


async def test_a_bundle_has_what_its_scarcest_component_makes(shop: Shop, noon: None) -> None:
    store, shirt, socks = await shop.store(), await shop.item(), await shop.item()
    bundle = await bundle_of(shop, (shirt, 1), (socks, 2))
    await shop.stock(store, shirt, 9)
    await shop.stock(store, socks, 5)
    staff = await shop.staff("associate", store.code)
    seen = await at(staff, store, bundle)
    assert (seen["band"], seen["left"], seen["buckets"]) == ("few_left", 2, None)
    assert seen["pickup"] == promise("2026-03-10T10:00:00Z", "2026-03-15T21:00:00Z")
    await announce(shop, store, socks, 1, date(2026, 3, 12))
    await announce(shop, store, socks, 6, date(2026, 3, 14))
    seen = await at(staff, store, bundle, "&on=2026-03-13")
    assert (seen["expected_on"], seen["expected_quantity"], seen["promisable"]) == ("2026-03-12", 1, 3)
    assert (await at(staff, store, bundle, "&on=2026-03-14"))["promisable"] == 6
    other = await shop.store()
    await shop.stock(other, shirt, 9)
    assert (await at(await shop.shopper(), other, bundle))["band"] == "out"


async def test_orders_that_wait_make_the_promise_later(shop: Shop, noon: None) -> None:
    store, item = await shop.store(backlog_minutes=15), await shop.item()
    await shop.stock(store, item, 100)
    shopper = await shop.shopper()
    assert (await at(shopper, store, item))["pickup"]["from_at"] == "2026-03-10T10:00:00Z"
    async with orders_at(shop, store, "open", "accepted", "picking", "packed", "ready_for_pickup", "awaiting_transfer"):
        assert (await at(shopper, store, item))["pickup"]["from_at"] == "2026-03-10T10:45:00Z"


async def test_ship_to_store_from_the_source_that_is_there_first(shop: Shop, noon: None) -> None:
    store, slow, quick, stranger = await shop.store(), await shop.store(), await shop.store(), await shop.store()
    item = await shop.item()
    await link(shop, store, slow, transit_hours=48)
    await link(shop, store, quick, transit_hours=5, priority=9)
    shopper = await shop.shopper()
    await shop.stock(stranger, item, 9)
    seen = await at(shopper, store, item)
    assert (seen["band"], seen["pickup"], seen["ship_to_store"]) == ("out", None, None), "a store is not a warehouse"
    await shop.stock(slow, item, 9)
    seen = await at(shopper, store, item)
    assert seen["ship_to_store"] == promise("2026-03-12T11:00:00Z", "2026-03-17T21:00:00Z")
    await shop.stock(quick, item, 9)
    seen = await at(shopper, store, item)
    assert seen["ship_to_store"] == promise("2026-03-10T16:00:00Z", "2026-03-15T21:00:00Z")
    await shop.stock(store, item, 1)
    seen = await at(shopper, store, item)
    assert seen["ship_to_store"] is None
    assert seen["pickup"] is not None


async def test_who_does_not_ship_sends_nothing_and_who_is_paused_takes_nothing(shop: Shop, noon: None) -> None:
    item = await shop.item()
    store, silent = await shop.store(), await shop.store(roles=("pickup",))
    paused = await shop.store(paused_until=NOON + timedelta(days=1), paused_reason="Flooded")
    source = await shop.store()
    for place in (store, paused):
        await link(shop, place, silent, transit_hours=1)
    await link(shop, paused, source, transit_hours=1)
    await shop.stock(silent, item, 9)
    await shop.stock(source, item, 9)
    shopper = await shop.shopper()
    assert (await at(shopper, store, item))["ship_to_store"] is None
    assert (await at(shopper, paused, item))["ship_to_store"] is None


async def test_deliveries_from_the_nearest_that_has_it(shop: Shop, noon: None) -> None:
    # a town of its own: 10 degrees north, where no other test has a store
    near = await shop.store(latitude_e6=10_000_000, longitude_e6=10_000_000)
    hub = await shop.store(roles=("ships",), latitude_e6=10_500_000, longitude_e6=10_000_000)
    item = await shop.item()
    office = await shop.staff("back_office", channel="back_office")
    local, post = unique("local"), unique("post")
    for code, bands, position in (
        (local, [{"up_to_km": 30, "days": 0}], 0),
        (post, [{"up_to_km": 30, "days": 1}, {"up_to_km": 9000, "days": 4}], 1),
    ):
        body = {"name": {"en": code}, "kind": "shipping", "bands": bands, "position": position, "cut_off": "18:00"}
        assert (await office.put(f"/v1/delivery-methods/{code}", body)).status_code == 200
    shopper = await shop.shopper()
    path = f"/v1/availability?sku={item.sku}&location={near.code}&near=10,10"

    async def offers() -> dict[str, dict[str, str]]:
        (entry,) = (await shopper.get(path)).json()["items"]
        return {o["method"]: o["promise"] for o in entry["deliveries"] if o["method"] in (local, post)}

    assert await offers() == {}
    await shop.stock(hub, item, 9)
    assert await offers() == {post: promise("2026-03-13T21:00:00Z", "2026-03-14T21:00:00Z")}
    await shop.stock(near, item, 9)
    assert await offers() == {
        local: promise("2026-03-10T15:00:00Z", "2026-03-10T21:00:00Z"),
        post: promise("2026-03-10T21:00:00Z", "2026-03-11T21:00:00Z"),
    }
    (without,) = (await shopper.get(f"/v1/availability?sku={item.sku}&location={near.code}")).json()["items"]
    assert without["deliveries"] == []
    stopped = await shop.item(stop_sale_reason="Recalled")
    await shop.stock(near, stopped, 9)
    (entry,) = (await shopper.get(path.replace(item.sku, stopped.sku))).json()["items"]
    assert (entry["sellable"], entry["deliveries"], entry["locations"][0]["pickup"]) == (False, [], None)


async def test_the_nearest_so_many_or_those_named(shop: Shop) -> None:
    places = [await shop.store(latitude_e6=-30_000_000, longitude_e6=n * 1_000_000) for n in (3, 1, 2)]
    warehouse = await shop.store(roles=("ships",))
    closed = await shop.store(closed_on=date(2020, 2, 1))
    item, shopper, staff = await shop.item(), await shop.shopper(), await shop.staff("back_office", "*")
    path = f"/v1/availability?sku={item.sku}&near=-30,0"

    async def found(caller: Client, query: str) -> list[str]:
        return [entry["location"] for entry in (await caller.get(path + query)).json()["items"][0]["locations"]]

    assert await found(shopper, "&limit=2") == [places[1].code, places[2].code]
    named = "".join(f"&location={place.code}" for place in (places[0], warehouse, closed))
    assert await found(shopper, named) == [places[0].code]
    assert await found(staff, named) == [places[0].code, *sorted([warehouse.code, closed.code])]
    unknown = await shopper.get(path + "&location=nowhere")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/unknown-location")


async def test_numbers_for_shoppers_when_so_configured(shop: Shop, noon: None) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 40)
    await announce(shop, store, item, 6, date(2026, 3, 12))
    shopper = await shop.shopper()
    assert (await at(shopper, store, item))["left"] is None
    shown = await shop.db.read(
        availability, shopper.actor, skus=[item.sku], codes=[store.code], on=date(2026, 3, 12), show_quantities=True
    )
    (entry,) = shown.items[0].locations
    assert (entry.left, entry.promisable, entry.expected_quantity, entry.buckets) == (40, 46, 6, None)


async def test_a_past_date_is_refused(shop: Shop, noon: None) -> None:
    item, shopper = await shop.item(), await shop.shopper()
    answer = await shopper.get(f"/v1/availability?sku={item.sku}&on=2026-03-08")
    assert (answer.status_code, answer.json()["type"], answer.json()["on"]) == (
        422,
        "/problems/date-is-past",
        "2026-03-08",
    )
    assert (await shopper.get(f"/v1/availability?sku={item.sku}&on=soon")).status_code == 400
