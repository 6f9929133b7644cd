"""Locations through HTTP: make, change with a version, list near a point."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from commerce import locations
from commerce.infra.db import Database
from tests.support import Shop, clock, unique


def command(**values: Any) -> dict[str, Any]:
    row = {
        "code": unique("loc"), "name": {"ru": "Магазин", "en": "Store"}, "kind": "store", "legal_entity": "own",
        "roles": ["sells", "pickup"], "address": {"country": "RU", "city": "Казань", "street": "Баумана, 1"},
        "latitude_e6": 55_790_000, "longitude_e6": 49_120_000, "time_zone": "Europe/Moscow",
        "hours": [{"weekday": 1, "opens": "10:00", "closes": "22:00"}], "opened_on": "2020-01-01",
    }  # fmt: skip
    return row | values


async def test_a_location_is_made_and_read(shop: Shop, db: Database) -> None:
    office = await shop.staff("back_office")
    made = await office.post("/v1/locations", wanted := command())
    assert made.status_code == 201
    assert made.headers["etag"] == '"1"'
    clock.stand_at(datetime(2026, 5, 4, 8, tzinfo=UTC))
    read = await (await shop.client()).get(f"/v1/locations/{wanted['code']}")
    body = read.json()
    assert body["roles"] == ["pickup", "sells"]
    assert (body["preparation_minutes"], body["kept_days"], body["tax_zone"], body["version"]) == (60, 5, "RU", 1)
    assert body["open_now"] is True
    assert body["next_open_at"] is None
    clock.stand_at(datetime(2026, 5, 5, 8, tzinfo=UTC))
    closed = (await (await shop.client()).get(f"/v1/locations/{wanted['code']}")).json()
    assert (closed["open_now"], closed["next_open_at"]) == (False, "2026-05-11T07:00:00Z")
    again = await office.post("/v1/locations", wanted)
    assert (again.status_code, again.json()["type"]) == (409, "/problems/location-exists")


async def test_a_change_needs_the_version_that_was_seen(shop: Shop, audited: None) -> None:
    office = await shop.staff("back_office")
    code = (await office.post("/v1/locations", command())).json()["code"]
    path = f"/v1/locations/{code}"
    pause = {"paused_until": "2027-01-01T00:00:00Z", "paused_reason": "Ремонт"}
    changed = await office.patch(path, pause, headers={"If-Match": '"1"'})
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert changed.json()["paused_reason"] == "Ремонт"
    stale = await office.patch(path, {"kept_days": 3}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/location-changed")
    assert (stale.json()["seen"], stale.json()["version"]) == (1, 2)
    same = await office.patch(path, {"roles": ["pickup", "sells"]}, headers={"If-Match": '"2"'})
    assert same.headers["etag"] == '"2"'
    resumed = await office.patch(path, {"paused_until": None, "paused_reason": None}, headers={"If-Match": '"2"'})
    assert (resumed.json()["version"], resumed.json()["kept_days"]) == (3, 5)


async def test_who_may_change_locations(shop: Shop) -> None:
    code = (await (await shop.staff("back_office")).post("/v1/locations", command())).json()["code"]
    local = await shop.staff("back_office", code)
    assert (await local.patch(f"/v1/locations/{code}", {"kept_days": 4})).json()["kept_days"] == 4
    other = await (await shop.staff("back_office", "elsewhere")).patch(f"/v1/locations/{code}", {"kept_days": 9})
    assert (other.status_code, other.json()["type"]) == (403, "/problems/other-location")
    new = await local.post("/v1/locations", command())
    assert (new.status_code, new.json()["type"]) == (403, "/problems/other-location")
    for caller in (await shop.staff("associate", code), await shop.shopper(), await shop.client()):
        assert (await caller.patch(f"/v1/locations/{code}", {"kept_days": 9})).status_code == 403
    assert (await shop.anybody().get(f"/v1/locations/{code}")).status_code == 401
    assert (await local.get(f"/v1/locations/{code}")).json()["kept_days"] == 4


async def test_contradictions_are_refused(shop: Shop) -> None:
    office = await shop.staff("back_office")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"time_zone": "Europe/Atlantis"}, "time_zone"),
        ({"hours": [{"weekday": 1, "opens": "22:00", "closes": "10:00"}]}, "hours"),
        ({"hours": [{"weekday": 1, "opens": "08:00", "closes": "12:00"}, {"weekday": 1, "opens": "11:00", "closes": "24:00"}]}, "hours"),
        ({"exceptions": [{"on": "2026-01-01"}]}, "exceptions"),
        ({"closed_on": "2019-01-01"}, "closed_on"),
        ({"paused_until": "2027-01-01T00:00:00Z"}, "paused_reason"),
        ({"paused_until": "2027-01-01T00:00:00", "paused_reason": "x"}, "paused_until"),
        ({"paused_until": "9999-12-31T23:59:59-12:00", "paused_reason": "x"}, "paused_until"),
        ({"legal_entity": "nobody"}, "legal_entity"),
        ({"name": {}}, "name"),
    ]  # fmt: skip
    for values, field in wrong:
        answer = await office.post("/v1/locations", command(**values))
        assert (answer.status_code, answer.json()["field"]) == (422, field), values
    malformed: list[dict[str, Any]] = [
        {"roles": ["flies"]},
        {"latitude_e6": 90_000_001},
        {"colour": "red"},
        {"code": "Ä"},
    ]
    for values in malformed:
        assert (await office.post("/v1/locations", command(**values))).status_code == 400, values
    unknown = await office.patch("/v1/locations/nowhere", {"kept_days": 3})
    assert (unknown.status_code, unknown.json()["location"]) == (404, "nowhere")


async def test_the_nearest_come_first_in_pages(shop: Shop) -> None:
    ships = ("ships",)
    far = await shop.store(latitude_e6=-40_000_000, longitude_e6=175_000_000, roles=ships)
    middle = await shop.store(latitude_e6=-45_000_000, longitude_e6=170_000_000, roles=ships)
    close = await shop.store(latitude_e6=-45_100_000, longitude_e6=170_000_000, roles=ships)
    reader = await shop.client()
    first = (await reader.get("/v1/locations?near=-45.2,170&role=ships&limit=2")).json()
    assert [(item["code"], item["distance_metres"]) for item in first["items"]] == [
        (close.code, 11_120),
        (middle.code, 22_239),
    ]
    second = (await reader.get(f"/v1/locations?near=-45.2,170&role=ships&limit=1&cursor={first['next_cursor']}")).json()
    assert [item["code"] for item in second["items"]] == [far.code]
    none = (await reader.get("/v1/locations?near=-45.2,170&role=accepts_returns&limit=200")).json()
    assert not {far.code, middle.code, close.code} & {item["code"] for item in none["items"]}
    assert (await reader.get("/v1/locations?near=95,170")).status_code == 400
    assert (await reader.get("/v1/locations?near=here")).status_code == 400


async def test_a_list_by_code_has_pages(shop: Shop) -> None:
    made = sorted([(await shop.store(code=unique("aaa"))).code for _ in range(3)])
    reader = await shop.client()
    seen: list[str] = []
    cursor = ""
    while cursor is not None and not set(made) <= set(seen):
        page = (await reader.get(f"/v1/locations?limit=2{cursor and f'&cursor={cursor}'}")).json()
        seen += [item["code"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == sorted(seen)
    assert (await reader.get("/v1/locations?cursor=abc")).json()["type"] == "/problems/bad-cursor"


async def test_what_a_place_can_prepare(shop: Shop, audited: None) -> None:
    office = await shop.staff("back_office")
    busy = [{"weekday": 6, "opens": "12:00", "closes": "18:00"}]
    plain = (await office.post("/v1/locations", command())).json()
    assert (plain["priority"], plain["daily_capacity"], plain["backlog_minutes"], plain["busy_hours"]) == (
        0,
        None,
        0,
        None,
    )
    wanted = command(priority=3, daily_capacity=40, backlog_minutes=25, busy_hours=busy)
    made = (await office.post("/v1/locations", wanted)).json()
    assert (made["priority"], made["daily_capacity"], made["backlog_minutes"], made["busy_hours"]) == (3, 40, 25, busy)
    path = f"/v1/locations/{made['code']}"
    changed = (await office.patch(path, {"daily_capacity": None, "backlog_minutes": 0, "busy_hours": []})).json()
    assert (changed["version"], changed["daily_capacity"], changed["backlog_minutes"], changed["busy_hours"]) == (
        2,
        None,
        0,
        [],
    )
    assert (await office.patch(path, {"priority": 3, "busy_hours": []})).json()["version"] == 2
    calm = (await office.patch(path, {"busy_hours": None})).json()
    assert (calm["version"], calm["busy_hours"], calm["priority"]) == (3, None, 3)
    for malformed in ({"daily_capacity": -1}, {"backlog_minutes": 10_081}, {"priority": -1}, {"priority": 1001}):
        assert (await office.patch(path, malformed)).status_code == 400
    refused = await office.patch(path, {"busy_hours": [{"weekday": 1, "opens": "12:00", "closes": "12:00"}]})
    assert (refused.status_code, refused.json()["field"]) == (422, "busy_hours")


async def test_links_are_set_as_a_whole(shop: Shop, db: Database, audited: None) -> None:
    office = await shop.staff("back_office")
    a, b, warehouse = [(await office.post("/v1/locations", command())).json()["code"] for _ in range(3)]
    path = f"/v1/locations/{a}/links"
    assert (await office.get(path)).json() == {"location": a, "links": [], "version": 1}
    wanted = {
        "links": [
            {"source": b, "priority": 2, "transit_hours": 3},
            {
                "source": warehouse, "priority": 1, "transit_hours": 14, "cost_amount": 35_000,
                "departures": [{"weekday": 5, "at": "18:00"}, {"weekday": 1, "at": "18:00"}, {"weekday": 5, "at": "18:00"}],
            },
        ]
    }  # fmt: skip
    shown = {
        "location": a, "version": 2,
        "links": [
            {
                "source": warehouse, "priority": 1, "transit_hours": 14, "cost_amount": 35_000,
                "departures": [{"weekday": 1, "at": "18:00"}, {"weekday": 5, "at": "18:00"}],
            },
            {"source": b, "priority": 2, "transit_hours": 3, "cost_amount": 0, "departures": None},
        ],
    }  # fmt: skip
    made = await office.put(path, wanted, headers={"If-Match": '"1"'})
    assert (made.status_code, made.json(), made.headers["etag"]) == (200, shown, '"2"')
    assert (await office.put(path, wanted)).json() == shown
    stale = await office.put(path, {"links": []}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["type"]) == (412, "/problems/location-changed")
    back = await office.put(f"/v1/locations/{b}/links", {"links": [{"source": a, "transit_hours": 3}]})
    assert back.status_code == 200
    found = await db.read(locations.by_codes, [a, b, warehouse])
    ids = {code: place.id for code, place in found.items()}
    links = await db.read(locations.links_of, list(ids.values()))
    assert links == {
        ids[a]: [
            locations.Link(
                location_id=ids[a], source_id=ids[warehouse], priority=1, transit_hours=14, cost_amount=35_000,
                departures=(locations.Departure(weekday=1, at="18:00"), locations.Departure(weekday=5, at="18:00")),
            ),
            locations.Link(
                location_id=ids[a], source_id=ids[b], priority=2, transit_hours=3, departures=None, cost_amount=0
            ),
        ],
        ids[b]: [
            locations.Link(location_id=ids[b], source_id=ids[a], priority=0, transit_hours=3, departures=None, cost_amount=0)
        ],
    }  # fmt: skip
    itself = await office.put(path, {"links": [{"source": a, "transit_hours": 1}]}, headers={"Accept-Language": "ru"})
    assert (itself.status_code, itself.json()["detail"]) == (
        422, "links[0].source: место не пополняется само из себя."
    )  # fmt: skip
    assert itself.json()["reason"] == "a location does not draw on itself"
    fewer = await office.put(path, {"links": wanted["links"][:1]})
    assert ([link["source"] for link in fewer.json()["links"]], fewer.json()["version"]) == ([b], 3)
    assert (await office.put(path, {"links": []})).json() == {"location": a, "links": [], "version": 4}
    assert (await office.get(f"/v1/locations/{a}")).json()["version"] == 4


async def test_links_that_cannot_be(shop: Shop) -> None:
    office = await shop.staff("back_office")
    a, b = [(await office.post("/v1/locations", command())).json()["code"] for _ in range(2)]
    path = f"/v1/locations/{a}/links"

    def link(source: str, **values: Any) -> dict[str, Any]:
        return {"source": source, "transit_hours": 1} | values

    for links, field, reason in (
        ([link(a)], "links[0].source", "a location does not draw on itself"),
        ([link(b), link("nowhere")], "links[1].source", "there is no location nowhere"),
        ([link(b), link(b, priority=2)], "links[0].source", f"{b} stands twice"),
    ):
        answer = await office.put(path, {"links": links})
        assert (answer.status_code, answer.json()["field"], answer.json()["reason"]) == (422, field, reason)
    wrong: list[dict[str, Any]] = [
        {"transit_hours": -1}, {"transit_hours": 2161}, {"cost_amount": -1}, {"departures": []},
        {"departures": [{"weekday": 8, "at": "10:00"}]}, {"departures": [{"weekday": 1, "at": "24:00"}]},
    ]  # fmt: skip
    for malformed in wrong:
        assert (await office.put(path, {"links": [link(b, **malformed)]})).status_code == 400
    assert (await office.put("/v1/locations/nowhere/links", {"links": []})).status_code == 404
    assert (await office.get("/v1/locations/nowhere/links")).status_code == 404
    local = await shop.staff("back_office", a)
    foreign = await local.put(path, {"links": [link(b)]})
    assert (foreign.status_code, foreign.json()["type"], foreign.json()["location"]) == (
        403,
        "/problems/other-location",
        b,
    )
    assert (await local.put(f"/v1/locations/{b}/links", {"links": []})).status_code == 403
    worker = await shop.staff("associate", a)
    assert (await worker.get(path)).json() == {"location": a, "links": [], "version": 1}
    assert (await worker.get(f"/v1/locations/{b}/links")).status_code == 403
    assert (await worker.put(path, {"links": []})).status_code == 403
