"""Locations through HTTP: make, change with a version, list near a point."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

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
