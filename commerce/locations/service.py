"""Verbs of `locations`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import UNSET
from sqlalchemy.dialects.postgresql import insert

from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.locations import events, queries
from commerce.locations.errors import BadLocation, LocationChanged, LocationExists, OtherLocation, UnknownLocation
from commerce.locations.schemas import (
    ChangeLocation,
    CreateLocation,
    Hours,
    LegalEntityInput,
    LocationView,
)
from commerce.locations.tables import locations

UPSERT_LEGAL_ENTITIES = """
INSERT INTO locations.legal_entities (code, name, kind, tax_id, country)
SELECT e->>'code', e->'name', e->>'kind', e->>'tax_id', e->>'country' FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS e
ON CONFLICT (code) DO UPDATE SET name = excluded.name, kind = excluded.kind, tax_id = excluded.tax_id, country = excluded.country
"""
LEGAL_ENTITY = "SELECT 1 FROM locations.legal_entities WHERE code = :code"


async def upsert_legal_entities(tx: Tx, actor: Actor, *, entities: Sequence[LegalEntityInput]) -> None:
    """Make or change the owners of locations, by code."""
    await tx.execute(UPSERT_LEGAL_ENTITIES, rows=msgspec.json.encode(entities).decode())
    outbox.audit(tx, actor, "legal_entities.save", "legal_entities", ",".join(e.code for e in entities)[:200])


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


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(sorted(value) if isinstance(value, frozenset) else value)


def _stored(values: dict[str, Any]) -> dict[str, Any]:
    stored = dict(values)
    for name in ("address", "hours", "pickup_hours", "exceptions"):
        if name in stored:
            stored[name] = None if stored[name] is None else msgspec.to_builtins(stored[name])
    if "roles" in stored:
        stored["roles"] = sorted(set(stored["roles"]))
    return stored


async def _check(tx: Tx, values: dict[str, Any]) -> None:
    try:
        ZoneInfo(values["time_zone"])
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadLocation(field="time_zone", reason="not an IANA time zone, e.g. Europe/Moscow") from error
    if not values["name"]:
        raise BadLocation(field="name", reason="give it in at least one language")
    _check_week("hours", values["hours"])
    _check_week("pickup_hours", values["pickup_hours"] or ())
    for entry in values["exceptions"]:
        if entry.closed == (entry.opens is not None or entry.closes is not None) or (
            not entry.closed and (entry.opens is None or entry.closes is None or entry.closes <= entry.opens)
        ):
            raise BadLocation(
                field="exceptions", reason=f"{entry.on} must be either closed or open from an earlier to a later time"
            )
    closed_on = values["closed_on"]
    if closed_on is not None and closed_on <= values["opened_on"]:
        raise BadLocation(field="closed_on", reason="it must lie after opened_on")
    for name in ("paused_until",):
        if values[name] is not None and values[name].tzinfo is None:
            raise BadLocation(field=name, reason="give the moment with its offset, e.g. 2026-05-01T06:00:00Z")
    if (values["paused_until"] is None) != (values["paused_reason"] is None):
        raise BadLocation(field="paused_reason", reason="a pause has both a moment and a reason")
    if await tx.scalar(LEGAL_ENTITY, code=values["legal_entity"]) is None:
        raise BadLocation(field="legal_entity", reason="there is no legal entity with this code")


def _check_week(field: str, week: Sequence[Hours]) -> None:
    by_day: dict[int, list[Hours]] = {}
    for entry in week:
        if entry.closes <= entry.opens:
            raise BadLocation(field=field, reason="closing must be later than opening; split a night at 24:00")
        by_day.setdefault(entry.weekday, []).append(entry)
    for entries in by_day.values():
        entries.sort(key=lambda entry: entry.opens)
        if any(later.opens < earlier.closes for earlier, later in pairwise(entries)):
            raise BadLocation(field=field, reason="the openings of one weekday overlap")
