"""Who has it, from when, how far."""

from __future__ import annotations

from datetime import timedelta

from litestar import Litestar

from commerce.infra.db import Database
from tests.support import Shop, clock
from tests.support_statements import count_statements


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
    path = f"/v1/availability?sku={item.sku}&sku={stopped.sku}&near=55.76,37.62"
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


async def test_three_statements_for_any_number_of_skus(shop: Shop, app: Litestar) -> None:
    db: Database = app.state.db
    shopper, items = await shop.shopper(), [await shop.item() for _ in range(5)]
    path = "/v1/availability?" + "&".join(f"sku={item.sku}" for item in items)
    await shopper.get(path)
    async with count_statements(db) as counted:
        assert (await shopper.get(path)).status_code == 200
    assert len(counted) == 3
