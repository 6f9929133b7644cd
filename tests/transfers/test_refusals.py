"""What is refused: clear answers, and nothing has changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from tests.support import Shop, clock
from tests.transfers.moves import create, ends, level, made_ready, read, sent, step, today, wanted

pytestmark = pytest.mark.usefixtures("audited")


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


async def test_what_cannot_be_planned(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    bundle = await shop.bundle({cup: 2})
    cannot, closed = await shop.store(roles=("sells",)), await shop.store(closed_on=date(2024, 1, 1))
    paused = await shop.store(paused_until=clock() + timedelta(days=1), paused_reason="repairs")
    planned = await shop.store(opened_on=date(2099, 1, 1))
    body = {"source": at.source.code, "destination": at.destination.code, "lines": wanted((cup, 1))}
    yesterday = (date.fromisoformat(today()) - timedelta(days=1)).isoformat()

    async def refuse(**more: Any) -> httpx.Response:
        return await at.office.post("/v1/transfers", body | more)

    same = await refuse(destination=at.source.code)
    assert told(same) == (422, "transfer-to-itself")
    assert same.json()["location"] == at.source.code
    for place, reason in ((cannot, "no_role"), (closed, "closed"), (paused, "paused"), (planned, "not_open_yet")):
        refused = await refuse(destination=place.code)
        assert told(refused) == (422, "destination-cannot-receive")
        assert (refused.json()["location"], refused.json()["reason"]) == (place.code, reason)
    for end in ("source", "destination"):
        refused = await refuse(**{end: "nowhere"})
        assert told(refused) == (404, "unknown-location")
        assert refused.json()["location"] == "nowhere"
    refused = await refuse(lines=[*wanted((cup, 1)), {"sku": "NO-1", "quantity": 1}, {"sku": "NO-2", "quantity": 1}])
    assert told(refused) == (404, "unknown-skus")
    assert refused.json()["lines"] == [
        {"pointer": "/lines/1/sku", "sku": "NO-1"},
        {"pointer": "/lines/2/sku", "sku": "NO-2"},
    ]
    refused = await refuse(lines=wanted((bundle, 1)))
    assert told(refused) == (422, "bundle-has-no-stock")
    assert refused.json()["lines"][0]["sku"] == bundle.sku
    refused = await refuse(expected_on=yesterday)
    assert told(refused) == (422, "transfer-in-past")
    assert (refused.json()["expected_on"], refused.json()["today"]) == (yesterday, today())
    refused = await refuse(lines=wanted((cup, 1_000_000), (cup, 1)))
    assert told(refused) == (422, "transfer-too-much")
    assert refused.json()["lines"] == [{"sku": cup.sku, "quantity": 1_000_001}]
    for lines in (
        [],
        wanted((cup, 0)),
        wanted((cup, -1)),
        wanted((cup, 2**31)),
        [{"sku": cup.sku, "quantity": 1, "x": 1}],
    ):
        assert told(await refuse(lines=lines)) == (400, "bad-input")
    assert told(await refuse(expected_on="31.12.2099")) == (400, "bad-input")
    assert (await at.office.get(f"/v1/transfers?location={at.source.code}")).json()["items"] == []


async def test_a_day_that_nobody_lives_to_see(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item(when_out="backorder")
    await shop.stock(at.source, cup, 2)
    latest = (date.fromisoformat(today()) + timedelta(days=3650)).isoformat()
    body = {"source": at.source.code, "destination": at.destination.code, "lines": wanted((cup, 1))}
    refused = await at.office.post("/v1/transfers", body | {"expected_on": "9999-12-31"})
    assert told(refused) == (422, "transfer-too-far-off")
    assert (refused.json()["expected_on"], refused.json()["latest"]) == ("9999-12-31", latest)
    number = await made_ready(at, (cup, 2), expected_on=latest)
    refused = await step(at.sender, at.source, number, "dispatch", {"expected_on": "9999-12-31"})
    assert told(refused) == (422, "transfer-too-far-off")
    assert (await read(at, number))["state"] == "ready"
    assert (await step(at.sender, at.source, number, "dispatch", {})).status_code == 200
    order = {"lines": [{"sku": cup.sku, "quantity": 1}], "pickup": at.destination.code}
    planned = await at.office.post("/v1/sourcing/dry-run", order)
    assert (planned.status_code, planned.json()["allocations"][0]["expected_on"]) == (200, latest)


async def test_the_day_is_that_of_the_destination(shop: Shop) -> None:
    clock.stand_at(datetime(2027, 3, 1, 22, 30, tzinfo=UTC))
    at, cup = await ends(shop), await shop.item()
    body = {"source": at.source.code, "destination": at.destination.code, "lines": wanted((cup, 1))}
    refused = await at.office.post("/v1/transfers", body | {"expected_on": "2027-03-01"})
    assert (told(refused), refused.json()["today"]) == ((422, "transfer-in-past"), "2027-03-02")
    made = await at.office.post("/v1/transfers", body | {"expected_on": "2027-03-02"})
    assert (made.status_code, made.json()["expected_on"]) == (201, "2027-03-02")
    clock.stand_at(datetime(2027, 3, 4, 9, 0, tzinfo=UTC))
    at = msgspec.structs.replace(
        at, sender=await shop.staff("store_manager", at.source.code), office=await shop.staff("back_office")
    )
    (late,) = (await at.office.get(f"/v1/transfers?location={at.source.code}")).json()["items"]
    assert late["late"] is True
    await shop.stock(at.source, cup, 1)
    number = made.json()["number"]
    assert (await step(at.sender, at.source, number, "ready")).status_code == 200
    refused = await step(at.sender, at.source, number, "dispatch", {"expected_on": "2027-03-03"})
    assert told(refused) == (422, "transfer-in-past")
    left = await step(at.sender, at.source, number, "dispatch", {})
    assert left.json()["expected_on"] == "2027-03-05"
    clock.back_to_present()


async def test_not_enough_sets_nothing_aside(shop: Shop) -> None:
    at, cup, plate = await ends(shop), await shop.item(), await shop.item()
    await shop.stock(at.source, cup, 5)
    await shop.stock(at.source, plate, 1)
    number = await create(at, (cup, 5), (plate, 3))
    refused = await step(at.sender, at.source, number, "ready")
    assert told(refused) == (409, "insufficient-stock")
    assert refused.json()["lines"] == [
        {"sku": plate.sku, "location": at.source.code, "wanted": 3, "left": 1, "near": []}
    ]
    assert refused.json()["detail"].startswith(f"{plate.sku}: 1 left at {at.source.code}, 3 wanted.")
    assert await level(shop, at.source, cup) == {"available": 5}
    assert (await read(at, number))["version"] == 1


async def test_each_step_needs_its_predecessor(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 5)
    number = await create(at, (cup, 2))
    bodies: dict[str, Any] = {"dispatch": {}, "receive": {}, "close": {"reason": "lost"}, "ready": None}

    async def refused(*names: str) -> dict[str, str]:
        found = {}
        for name in names:
            sends = name in ("ready", "dispatch")
            client, store = (at.sender, at.source) if sends else (at.receiver, at.destination)
            answer = await step(client, store, number, name, bodies[name])
            assert told(answer) == (409, "transfer-wrong-step")
            found[name] = f"{answer.json()['state']} {answer.json()['needed']}"
        return found

    on_the_way = "in_transit, partially_received"
    assert await refused("dispatch", "receive", "close") == {
        "dispatch": "draft ready", "receive": f"draft {on_the_way}", "close": f"draft {on_the_way}",
    }  # fmt: skip
    await step(at.sender, at.source, number, "ready")
    assert await refused("ready", "receive") == {"ready": "ready draft", "receive": f"ready {on_the_way}"}
    await step(at.sender, at.source, number, "dispatch", {})
    assert await refused("ready", "dispatch") == {"ready": "in_transit draft", "dispatch": "in_transit ready"}
    await step(at.receiver, at.destination, number, "receive", {})
    assert await refused("receive", "close", "dispatch") == {
        "receive": f"received {on_the_way}", "close": f"received {on_the_way}", "dispatch": "received ready",
    }  # fmt: skip


async def test_what_cannot_leave(shop: Shop) -> None:
    at, cup, other = await ends(shop), await shop.item(), await shop.item()
    await shop.stock(at.source, cup, 9)
    number = await made_ready(at, (cup, 4))

    async def refuse(*lines: dict[str, Any], **more: Any) -> httpx.Response:
        return await step(at.sender, at.source, number, "dispatch", {"lines": list(lines), **more})

    refused = await refuse({"sku": cup.sku, "quantity": 5})
    assert told(refused) == (422, "dispatched-too-many")
    assert refused.json()["lines"] == [{"sku": cup.sku, "wanted": 5, "left": 4}]
    refused = await refuse(
        {"sku": other.sku}, {"barcode": "nothing"}, {"sku": cup.sku, "barcode": cup.sku}, {"quantity": 1}
    )
    assert told(refused) == (422, "not-in-transfer")
    assert [line["sku"] for line in refused.json()["lines"]] == [other.sku, "nothing", cup.sku, ""]
    assert told(await refuse({"sku": cup.sku, "quantity": 0}, short_reason="not_needed")) == (422, "nothing-leaves")
    many = [{"sku": cup.sku, "quantity": 1_000_000}, {"sku": cup.sku, "quantity": 1}]
    assert told(await refuse(*many)) == (422, "transfer-too-much")
    assert told(await refuse({"sku": cup.sku, "quantity": 2**31})) == (400, "bad-input")
    assert told(await refuse({"sku": cup.sku, "short_reason": "because"})) == (400, "bad-input")
    assert await level(shop, at.source, cup) == {"available": 5, "committed": 4}
    assert (await read(at, number))["version"] == 2


async def test_what_cannot_arrive(shop: Shop) -> None:
    at, cup, other = await ends(shop), await shop.item(), await shop.item()
    await shop.stock(at.source, cup, 4)
    number = await sent(at, (cup, 4))

    async def refuse(*lines: dict[str, Any]) -> httpx.Response:
        return await step(at.receiver, at.destination, number, "receive", {"lines": list(lines)})

    assert told(await refuse({"sku": other.sku, "received": 1})) == (422, "not-in-transfer")
    assert told(await refuse({"sku": cup.sku})) == (422, "nothing-arrives")
    assert told(await refuse({"sku": cup.sku, "received": 1_000_000}, {"sku": cup.sku, "received": 1})) == (
        422, "transfer-too-much",
    )  # fmt: skip
    assert told(await refuse({"sku": cup.sku, "missing": 5, "reason": "lost"})) == (422, "missing-too-many")
    assert told(await refuse({"sku": cup.sku, "received": -1})) == (400, "bad-input")
    assert await level(shop, at.destination, cup) == {"in_transit": 4}
    assert (await read(at, number))["version"] == 3


async def test_each_end_takes_its_own_steps(shop: Shop) -> None:
    at, cup, stranger = await ends(shop), await shop.item(), await shop.store()
    outsider = await shop.staff("store_manager", stranger.code)
    associate = await shop.staff("associate", at.destination.code)
    await shop.stock(at.source, cup, 4)
    number = await create(at, (cup, 2))
    address = f"/v1/transfers/{number}"
    for answer in (
        await step(at.receiver, at.destination, number, "ready"),
        await step(at.receiver, at.destination, number, "dispatch", {}),
    ):
        assert told(answer) == (403, "transfer-elsewhere")
        assert answer.json()["location"] == at.source.code
    refused = await step(at.sender, at.source, number, "receive", {})
    assert (told(refused), refused.json()["location"]) == ((403, "transfer-elsewhere"), at.destination.code)
    assert told(await step(outsider, stranger, number, "ready")) == (404, "unknown-transfer")
    assert told(await outsider.get(f"/v1/stores/{stranger.code}/transfers/{number}")) == (404, "unknown-transfer")
    assert told(await step(outsider, at.source, number, "ready")) == (403, "not-allowed")
    for answer in (
        await outsider.get(address),
        await outsider.patch(address, {"note": "x"}),
        await outsider.post(f"{address}/cancel", {"reason": "x"}),
        await outsider.post(
            "/v1/transfers", {"source": at.source.code, "destination": at.destination.code, "lines": wanted((cup, 1))}
        ),
    ):
        assert told(answer) == (403, "transfer-not-yours")
        assert (answer.json()["source"], answer.json()["destination"]) == (at.source.code, at.destination.code)
    assert told(await associate.post(f"{address}/cancel", {"reason": "x"})) == (403, "not-allowed")
    seen = await associate.get(f"/v1/stores/{at.destination.code}/transfers/{number}")
    assert seen.status_code == 200
    await step(at.sender, at.source, number, "ready")
    await step(at.sender, at.source, number, "dispatch", {})
    assert (await step(associate, at.destination, number, "receive", {})).json()["state"] == "received"
    for wrong in ("TR-000-000-001", "nonsense", "TR-482-130-59٦"):
        assert told(await at.office.get(f"/v1/transfers/{wrong}")) == (404, "unknown-transfer")


async def test_a_destination_that_closed_meanwhile_gets_nothing(shop: Shop) -> None:
    at, cup = await ends(shop), await shop.item()
    await shop.stock(at.source, cup, 4)
    number = await create(at, (cup, 2))
    changed = await (await shop.staff("admin")).patch(f"/v1/locations/{at.destination.code}", {"roles": ["sells"]})
    assert changed.status_code == 200, changed.text
    assert told(await step(at.sender, at.source, number, "ready")) == (422, "destination-cannot-receive")
    assert await level(shop, at.source, cup) == {"available": 4}
