"""Reads of `locations`: rows straight into Location."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from uuid import UUID

from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.paging import Page, decode_cursor, encode_cursor
from commerce.locations import schedule
from commerce.locations.errors import BadNear, UnknownLocation
from commerce.locations.schemas import (
    DEPARTURES,
    EXCEPTIONS,
    WEEK,
    Link,
    LinksView,
    LinkView,
    Location,
    LocationView,
)

COLUMNS = """
    id, code, name, kind, legal_entity, roles, tax_zone, latitude_e6, longitude_e6, address, time_zone, hours::text AS hours,
    pickup_hours::text AS pickup_hours, exceptions::text AS exceptions, preparation_minutes, cut_off, kept_days, opened_on,
    closed_on, paused_until, paused_reason, priority, daily_capacity, backlog_minutes, busy_hours::text AS busy_hours, version
"""
BY_CODES = f"SELECT {COLUMNS} FROM locations.locations WHERE code = ANY(CAST(:codes AS text[]))"  # noqa: S608
BY_IDS = f"SELECT {COLUMNS} FROM locations.locations WHERE id = ANY(CAST(:ids AS uuid[]))"  # noqa: S608
ALL = f"""
    SELECT {COLUMNS} FROM locations.locations
    WHERE (CAST(:role AS text) IS NULL OR CAST(:role AS text) = ANY(roles)) AND code > CAST(:after AS text) COLLATE "C"
    ORDER BY code COLLATE "C" LIMIT CAST(:most AS bigint)
"""  # noqa: S608
LOCKED = f"SELECT {COLUMNS} FROM locations.locations WHERE code = :code FOR NO KEY UPDATE"  # noqa: S608

LINKS = """
    SELECT location_id, source_id, priority, transit_hours, departures::text AS departures, cost_amount FROM locations.links
    WHERE location_id = ANY(CAST(:ids AS uuid[])) ORDER BY location_id, priority, source_id
"""


_week = lru_cache(maxsize=1024)(WEEK.decode)
_exceptions = lru_cache(maxsize=1024)(EXCEPTIONS.decode)
"""By their text: most locations of a chain keep the same hours."""


def location_of(row: Row) -> Location:
    """A row of COLUMNS as a Location."""
    values = dict(row)
    values["roles"] = frozenset(values["roles"])
    values["hours"] = _week(values["hours"])
    values["pickup_hours"] = None if values["pickup_hours"] in (None, "null") else _week(values["pickup_hours"])
    values["busy_hours"] = None if values["busy_hours"] in (None, "null") else _week(values["busy_hours"])
    values["exceptions"] = _exceptions(values["exceptions"])
    return Location(**values)


async def by_codes(tx: Tx, codes: Sequence[str]) -> dict[str, Location]:
    """Locations by code; unknown codes are absent. One statement."""
    return {row.code: location_of(row) for row in await tx.rows(BY_CODES, codes=list(codes))}


async def by_ids(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, Location]:
    """Locations by id; unknown ids are absent. One statement."""
    return {row.id: location_of(row) for row in await tx.rows(BY_IDS, ids=list(ids))}


def link_of(row: Row) -> Link:
    """A row of LINKS as a Link."""
    values = dict(row)
    departures = values["departures"]
    values["departures"] = None if departures in (None, "null") else DEPARTURES.decode(departures)
    return Link(**values)


async def links_of(tx: Tx, location_ids: Sequence[UUID]) -> dict[UUID, list[Link]]:
    """What each location may draw on, the lowest priority first, then by source; one that draws on nothing is absent. One statement."""
    found: dict[UUID, list[Link]] = {}
    for row in await tx.rows(LINKS, ids=list(location_ids)):
        found.setdefault(row.location_id, []).append(link_of(row))
    return found


async def one(tx: Tx, code: str) -> Location:
    """One location. Raises UnknownLocation."""
    row = await tx.first(BY_CODES, codes=[code])
    if row is None:
        raise UnknownLocation(location=code)
    return location_of(row)


async def all_with_role(tx: Tx, role: str | None = None) -> list[Location]:
    """Every location that has a role (every location without one), by code; whether it may be used now is `Location.may`."""
    return [location_of(row) for row in await tx.rows(ALL, role=role, after="", most=None)]


def distance_metres(a_latitude_e6: int, a_longitude_e6: int, b_latitude_e6: int, b_longitude_e6: int) -> int:
    """Great-circle distance between two points in metres, on a sphere of 6,371,008 m (haversine)."""
    a, b = math.radians(a_latitude_e6 / 1e6), math.radians(b_latitude_e6 / 1e6)
    half_width = math.radians((b_longitude_e6 - a_longitude_e6) / 1e6) / 2
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(half_width) ** 2
    return round(2 * 6_371_008 * math.asin(min(1.0, math.sqrt(h))))


def parse_near(near: str) -> tuple[int, int]:
    """Millionths of a degree from `55.7558,37.6173`. Raises BadNear."""
    try:
        latitude, longitude = (float(part) for part in near.split(","))
    except ValueError as error:
        raise BadNear from error
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise BadNear
    return round(latitude * 1e6), round(longitude * 1e6)


def view_of(location: Location, tx: Tx, near: tuple[int, int] | None = None) -> LocationView:
    """A location as clients see it at the transaction's time."""
    open_now = schedule.is_open(location, tx.at)
    distance = None
    if near is not None:
        distance = distance_metres(*near, location.latitude_e6, location.longitude_e6)
    return LocationView(
        code=location.code, name=location.name, kind=location.kind, legal_entity=location.legal_entity,
        roles=sorted(location.roles), tax_zone=location.tax_zone, address=location.address,
        latitude_e6=location.latitude_e6, longitude_e6=location.longitude_e6, time_zone=location.time_zone,
        hours=list(location.hours), exceptions=list(location.exceptions),
        pickup_hours=None if location.pickup_hours is None else list(location.pickup_hours),
        preparation_minutes=location.preparation_minutes, cut_off=location.cut_off, kept_days=location.kept_days,
        opened_on=location.opened_on, closed_on=location.closed_on, paused_until=location.paused_until,
        paused_reason=location.paused_reason, priority=location.priority, daily_capacity=location.daily_capacity,
        backlog_minutes=location.backlog_minutes,
        busy_hours=None if location.busy_hours is None else list(location.busy_hours), open_now=open_now,
        next_open_at=None if open_now else schedule.next_open(location, tx.at, pickup=False),
        version=location.version, distance_metres=distance,
    )  # fmt: skip


async def links(tx: Tx, *, code: str) -> LinksView:
    """What a location may draw on. Raises UnknownLocation."""
    location = await one(tx, code)
    drawn_on = (await links_of(tx, [location.id])).get(location.id, [])
    sources = await by_ids(tx, [link.source_id for link in drawn_on])
    return LinksView(
        location=code, version=location.version,
        links=[
            LinkView(
                source=sources[link.source_id].code, priority=link.priority, transit_hours=link.transit_hours,
                departures=None if link.departures is None else list(link.departures), cost_amount=link.cost_amount,
            )
            for link in drawn_on
        ],
    )  # fmt: skip


async def view(tx: Tx, *, code: str) -> LocationView:
    """One location. Raises UnknownLocation."""
    return view_of(await one(tx, code), tx)


async def listing(tx: Tx, *, near: str | None, role: str | None, limit: int, cursor: str | None) -> Page[LocationView]:
    """Locations by code, or by distance from `near`; a page. Raises BadNear, BadCursor."""
    if near is None:
        after = decode_cursor(cursor, str)[0] if cursor else ""
        rows = await tx.rows(ALL, role=role, after=after, most=limit + 1)
        shown = [view_of(location_of(row), tx) for row in rows[:limit]]
        return Page(items=shown, next_cursor=encode_cursor(shown[-1].code) if len(rows) > limit else None)
    point = parse_near(near)
    after_key: tuple[int, str] = decode_cursor(cursor, int, str) if cursor else (-1, "")
    ranked = sorted(
        (distance_metres(*point, location.latitude_e6, location.longitude_e6), location.code, location)
        for location in await all_with_role(tx, role)
    )
    later = [entry for entry in ranked if entry[:2] > after_key]
    views = [view_of(location, tx, point) for _, _, location in later[:limit]]
    more = len(later) > limit
    return Page(items=views, next_cursor=encode_cursor(*later[limit - 1][:2]) if more else None)
