"""Verbs of `locations`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET
from sqlalchemy.dialects.postgresql import insert

from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.clock import in_utc
from commerce.kernel.ids import uuid7
from commerce.locations import events, queries
from commerce.locations.errors import BadLocation, LocationChanged, LocationExists, OtherLocation, UnknownLocation
from commerce.locations.schemas import (
    ChangeLocation,
    CreateLocation,
    Departure,
    Hours,
    LegalEntityInput,
    Link,
    LinksView,
    LocationView,
    SetLinks,
)
from commerce.locations.tables import locations

UPSERT_LEGAL_ENTITIES = """
INSERT INTO locations.legal_entities (code, name, kind, tax_id, country)
SELECT e->>'code', e->'name', e->>'kind', e->>'tax_id', e->>'country' FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS e
ON CONFLICT (code) DO UPDATE SET name = excluded.name, kind = excluded.kind, tax_id = excluded.tax_id, country = excluded.country
"""
OLD_LEGAL_ENTITIES = """
SELECT code, name, kind, tax_id, country FROM locations.legal_entities WHERE code = ANY(CAST(:codes AS text[])) ORDER BY code
"""
PUT_LINKS = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS g(
        source_id uuid, priority int, transit_hours int, departures jsonb, cost_amount bigint)
), gone AS (
    DELETE FROM locations.links WHERE location_id = :location AND source_id <> ALL (SELECT source_id FROM given)
)
INSERT INTO locations.links (location_id, source_id, priority, transit_hours, departures, cost_amount)
SELECT :location, source_id, priority, transit_hours, departures, cost_amount FROM given
ON CONFLICT (location_id, source_id) DO UPDATE SET priority = excluded.priority, transit_hours = excluded.transit_hours,
    departures = excluded.departures, cost_amount = excluded.cost_amount
"""
BUMP = "UPDATE locations.locations SET version = version + 1 WHERE id = :location"
LEGAL_ENTITY = "SELECT 1 FROM locations.legal_entities WHERE code = :code"


async def upsert_legal_entities(tx: Tx, actor: Actor, *, entities: Sequence[LegalEntityInput]) -> None:
    """Make or change the owners of locations, by code."""
    codes = [one.code for one in entities]
    before = [dict(row) for row in await tx.rows(OLD_LEGAL_ENTITIES, codes=codes)]
    await tx.execute(UPSERT_LEGAL_ENTITIES, rows=msgspec.json.encode(entities).decode())
    outbox.audit(
        tx, actor, "legal_entities.save", "legal_entities", ",".join(codes)[:200], before=before, after=entities
    )


async def create(tx: Tx, actor: Actor, *, command: CreateLocation) -> LocationView:
    """Open a new warehouse or store. Raises LocationExists, BadLocation."""
    if not actor.may("locations.write", "*"):
        raise OtherLocation(location=command.code)
    values = msgspec.structs.asdict(command)
    await _check(tx, values)
    row = {
        **_stored(values), "id": uuid7(), "external_ids": {}, "version": 1, "created_at": tx.at,
    }  # fmt: skip
    made = await tx.execute(insert(locations).values(row).on_conflict_do_nothing(index_elements=["code"]))
    if made == 0:
        raise LocationExists(location=command.code)
    outbox.record(tx, actor, events.LocationCreated(aggregate_id=row["id"], version=1, code=command.code))
    outbox.audit(tx, actor, "location.create", "location", row["id"], after=_plain(values))
    return queries.view_of((await queries.by_codes(tx, [command.code]))[command.code], tx)


async def change(tx: Tx, actor: Actor, *, code: str, command: ChangeLocation, if_match: int | None) -> LocationView:
    """Change what the command names. Raises UnknownLocation, LocationChanged, BadLocation."""
    if not actor.may("locations.write", code):
        raise OtherLocation(location=code)
    found = await tx.first(queries.LOCKED, code=code)
    if found is None:
        raise UnknownLocation(location=code)
    before = queries.location_of(found)
    if if_match is not None and if_match != before.version:
        raise LocationChanged(seen=if_match, version=before.version)
    current = {name: getattr(before, name) for name in CreateLocation.__struct_fields__}
    command = msgspec.structs.replace(command, roles=UNSET if command.roles is UNSET else sorted(set(command.roles)))
    changes = {
        name: value
        for name, value in msgspec.structs.asdict(command).items()
        if value is not UNSET and _plain(value) != _plain(current[name])
    }
    if not changes:
        return queries.view_of(before, tx)
    await _check(tx, {**current, **changes})
    await tx.execute(
        locations.update().where(locations.c.id == before.id).values(**_stored(changes), version=before.version + 1)
    )
    outbox.record(
        tx, actor,
        events.LocationChanged(aggregate_id=before.id, version=before.version + 1, code=code, fields=sorted(changes)),
    )  # fmt: skip
    outbox.audit(
        tx, actor, "location.change", "location", before.id,
        before=_plain({name: current[name] for name in changes}), after=_plain(changes),
    )  # fmt: skip
    return await queries.view(tx, code=code)


async def set_links(tx: Tx, actor: Actor, *, code: str, command: SetLinks, if_match: int | None = None) -> LinksView:
    """Say which places a location may draw on: the whole list. Two may draw on each other. The same list changes nothing.

    Raises UnknownLocation, LocationChanged, BadLocation, and OtherLocation for a place that the actor may not change.
    """
    given = {link.source: link for link in command.links}
    for place in (code, *given):
        if not actor.may("locations.write", place):
            raise OtherLocation(location=place)
    found = await tx.first(queries.LOCKED, code=code)
    if found is None:
        raise UnknownLocation(location=code)
    if if_match is not None and if_match != found.version:
        raise LocationChanged(seen=if_match, version=found.version)
    sources = await queries.by_codes(tx, list(given))
    for n, link in enumerate(command.links):
        if link.source == code:
            raise BadLocation(
                field=f"links[{n}].source",
                reason="a location does not draw on itself",
                reason_ru="место не пополняется само из себя",
            )
        if link.source not in sources:
            raise BadLocation(
                field=f"links[{n}].source",
                reason=f"there is no location {link.source}",
                reason_ru=f"нет места {link.source}",
            )
        if given[link.source] is not link:
            raise BadLocation(
                field=f"links[{n}].source",
                reason=f"{link.source} stands twice",
                reason_ru=f"{link.source} указано дважды",
            )
    before = (await queries.links_of(tx, [found.id])).get(found.id, [])
    after = sorted(
        (
            Link(
                location_id=found.id, source_id=sources[link.source].id, priority=link.priority,
                transit_hours=link.transit_hours, cost_amount=link.cost_amount,
                departures=None if link.departures is None else tuple(
                    Departure(weekday=weekday, at=at) for weekday, at in sorted({(d.weekday, d.at) for d in link.departures})
                ),
            )
            for link in command.links
        ),
        key=lambda link: (link.priority, link.source_id),
    )  # fmt: skip
    if after != before:
        await tx.execute(PUT_LINKS, location=found.id, rows=msgspec.json.encode(after).decode())
        await tx.execute(BUMP, location=found.id)
        outbox.record(
            tx, actor,
            events.LocationChanged(aggregate_id=found.id, version=found.version + 1, code=code, fields=["links"]),
        )  # fmt: skip
        outbox.audit(
            tx, actor, "location.links", "location", found.id, before=_plain({"links": before}), after=_plain({"links": after})
        )  # fmt: skip
    return await queries.links(tx, code=code)


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset | tuple):
        value = sorted(value) if isinstance(value, frozenset) else list(value)
    return msgspec.to_builtins(value)


def _stored(values: dict[str, Any]) -> dict[str, Any]:
    stored = dict(values)
    for name in ("address", "hours", "pickup_hours", "exceptions", "busy_hours"):
        if name in stored:
            stored[name] = None if stored[name] is None else msgspec.to_builtins(stored[name])
    if "roles" in stored:
        stored["roles"] = sorted(set(stored["roles"]))
    return stored


async def _check(tx: Tx, values: dict[str, Any]) -> None:
    try:
        ZoneInfo(values["time_zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadLocation(
            field="time_zone",
            reason="not an IANA time zone, e.g. Europe/Moscow",
            reason_ru="это не часовой пояс IANA, например Europe/Moscow",
        ) from error
    if not values["name"]:
        raise BadLocation(
            field="name", reason="give it in at least one language", reason_ru="укажите хотя бы на одном языке"
        )
    _check_week("hours", values["hours"])
    _check_week("pickup_hours", values["pickup_hours"] or ())
    _check_week("busy_hours", values["busy_hours"] or ())
    for entry in values["exceptions"]:
        if entry.closed == (entry.opens is not None or entry.closes is not None) or (
            not entry.closed and (entry.opens is None or entry.closes is None or entry.closes <= entry.opens)
        ):
            raise BadLocation(
                field="exceptions",
                reason=f"{entry.on} must be either closed or open from an earlier to a later time",
                reason_ru=f"{entry.on} либо закрыто, либо открыто с более раннего часа до более позднего",
            )
    closed_on = values["closed_on"]
    if closed_on is not None and closed_on <= values["opened_on"]:
        raise BadLocation(
            field="closed_on", reason="it must lie after opened_on", reason_ru="должно быть позже opened_on"
        )
    if values["paused_until"] is not None and not _is_moment(values["paused_until"]):
        raise BadLocation(
            field="paused_until",
            reason="give the moment with its offset, e.g. 2026-05-01T06:00:00Z",
            reason_ru="укажите момент со смещением, например 2026-05-01T06:00:00Z",
        )
    if (values["paused_until"] is None) != (values["paused_reason"] is None):
        raise BadLocation(
            field="paused_reason",
            reason="a pause has both a moment and a reason",
            reason_ru="у паузы есть и момент, и причина",
        )
    if await tx.scalar(LEGAL_ENTITY, code=values["legal_entity"]) is None:
        raise BadLocation(
            field="legal_entity",
            reason="there is no legal entity with this code",
            reason_ru="нет юридического лица с таким кодом",
        )


def _is_moment(given: datetime) -> bool:
    try:
        in_utc(given)
    except ValueError:
        return False
    return given.tzinfo is not None


def _check_week(field: str, week: Sequence[Hours]) -> None:
    by_day: dict[int, list[Hours]] = {}
    for entry in week:
        if entry.closes <= entry.opens:
            raise BadLocation(
                field=field,
                reason="closing must be later than opening; split a night at 24:00",
                reason_ru="закрытие должно быть позже открытия; ночь разделите в 24:00",
            )
        by_day.setdefault(entry.weekday, []).append(entry)
    for entries in by_day.values():
        entries.sort(key=lambda entry: entry.opens)
        if any(later.opens < earlier.closes for earlier, later in pairwise(entries)):
            raise BadLocation(
                field=field,
                reason="the openings of one weekday overlap",
                reason_ru="часы одного дня недели пересекаются",
            )
