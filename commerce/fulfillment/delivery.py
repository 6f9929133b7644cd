"""Ways to bring goods to a customer: which there are, how far they go, and by when. The promise is pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from commerce.fulfillment import events, promises
from commerce.fulfillment.errors import BadDeliveryMethod, DeliveryMethodChanged
from commerce.fulfillment.schemas import Promise
from commerce.infra import outbox
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.kernel.text import LocalisedText
from commerce.locations import Location, schedule

MethodKind = Literal["shipping", "local_delivery", "pickup_point"]
Kilometres = Annotated[int, Meta(ge=1, le=20_040, description="Great-circle distance from the sending location")]
Weekday = Annotated[int, Meta(ge=1, le=7, description="ISO weekday: 1 Monday … 7 Sunday")]
TimeOfDay = Annotated[
    str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Local time of the sending location, HH:MM")
]
METHODS = """
SELECT id, code, name, kind, bands, max_km, weekdays, cut_off, published, position, version FROM fulfillment.delivery_methods
WHERE published OR CAST(:all AS boolean) ORDER BY position, code COLLATE "C"
"""
LOCKED = """
SELECT id, code, name, kind, bands, max_km, weekdays, cut_off, published, position, version FROM fulfillment.delivery_methods
WHERE code = :code FOR NO KEY UPDATE
"""
PUT = """
INSERT INTO fulfillment.delivery_methods AS m
    (id, code, name, kind, bands, max_km, weekdays, cut_off, published, position, version, changed_at)
VALUES (:id, :code, CAST(:name AS jsonb), :kind, CAST(:bands AS jsonb), :max_km, CAST(:weekdays AS jsonb), :cut_off, :published,
    :position, 1, :at)
ON CONFLICT (code) DO UPDATE SET name = excluded.name, kind = excluded.kind, bands = excluded.bands, max_km = excluded.max_km,
    weekdays = excluded.weekdays, cut_off = excluded.cut_off, published = excluded.published, position = excluded.position,
    version = m.version + 1, changed_at = excluded.changed_at
RETURNING id, version
"""


class DistanceBand(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Up to so many kilometres the carrier takes so many days; 0: the same day."""

    up_to_km: Kilometres
    days: Annotated[int, Meta(ge=0, le=365)]


class DeliveryMethod(Struct, frozen=True, kw_only=True):
    """A way to bring goods to a customer. It goes `max_km` far, or to the end of its last band."""

    code: str
    name: dict[str, str]
    kind: MethodKind
    bands: tuple[DistanceBand, ...]
    max_km: int | None
    weekdays: tuple[int, ...]
    cut_off: str | None
    published: bool
    position: int
    version: int = 1

    def days_to(self, distance_metres: int) -> int | None:
        """Carrier days for a distance; None when it does not reach that far."""
        reach = self.bands[-1].up_to_km if self.max_km is None else self.max_km
        if distance_metres > reach * 1000:
            return None
        return next((band.days for band in self.bands if distance_metres <= band.up_to_km * 1000), self.bands[-1].days)


class SaveDeliveryMethod(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A way to bring goods to a customer: the whole of it."""

    name: LocalisedText
    kind: MethodKind
    bands: Annotated[list[DistanceBand], Meta(min_length=1, max_length=20)]
    """By distance, the nearest first."""
    max_km: Kilometres | None = None
    """How far it goes; left out, to the end of the last band. Beyond that band its days hold."""
    weekdays: Annotated[tuple[Weekday, ...], Meta(min_length=1, max_length=7)] = (1, 2, 3, 4, 5, 6, 7)
    """On which it leaves the sending location."""
    cut_off: TimeOfDay | None = None
    """What is prepared by then leaves the same day; left out, it leaves when it is ready."""
    published: bool = True
    position: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class DeliveryMethodView(Struct, frozen=True, kw_only=True):
    """A way to bring goods to a customer, as it is set."""

    code: str
    name: dict[str, str]
    kind: MethodKind
    bands: list[DistanceBand]
    max_km: int | None
    weekdays: list[int]
    cut_off: str | None
    published: bool
    position: int
    version: int


class DeliveryMethodList(Struct, frozen=True, kw_only=True):
    """All of them, in the order of their positions."""

    items: list[DeliveryMethodView]


class DeliveryOffer(Struct, frozen=True, kw_only=True):
    """When a method would bring it, if it were ordered now."""

    method: str
    promise: Promise


def delivery_promise(
    method: DeliveryMethod, location: Location, distance_metres: int, at: datetime, waiting: int = 0
) -> Promise | None:
    """From … until … for goods that a location is asked for at a moment; None when the method does not reach that far.

    They are prepared in its opening hours, leave on the next weekday that the method runs and the location opens (that day, when they
    are prepared by its cut-off), and are delivered so many calendar days later, within that day of the sending location's zone.
    """
    days = method.days_to(distance_metres)
    ready = None if days is None else promises.prepared_at(location, at, waiting)
    return None if ready is None or days is None else carried(method, location, days, ready)


def carried(method: DeliveryMethod, location: Location, days: int, ready: datetime) -> Promise | None:
    """From … until … for goods that are prepared at a moment and take so many days."""
    zone, first = location.zone, location.business_date(ready)
    for ahead in range(schedule.HORIZON_DAYS):
        day = first + timedelta(days=ahead)
        if day.isoweekday() not in method.weekdays or schedule.opening(location, day) is None:
            continue
        leaves = schedule.moment(day, method.cut_off or "00:00", zone)
        if ready > leaves and (method.cut_off is not None or ahead > 0):
            continue
        arrives = day + timedelta(days=days)
        begin = datetime.combine(arrives, time(0), tzinfo=zone).astimezone(UTC)
        end = datetime.combine(arrives + timedelta(days=1), time(0), tzinfo=zone).astimezone(UTC)
        return Promise(from_at=max(begin, leaves, ready), until_at=end)
    return None


def method_of(row: Row | dict[str, Any]) -> DeliveryMethod:
    """A row of METHODS."""
    return msgspec.convert({name: row[name] for name in DeliveryMethod.__struct_fields__}, DeliveryMethod)


def _view(method: DeliveryMethod) -> DeliveryMethodView:
    values = {name: getattr(method, name) for name in DeliveryMethodView.__struct_fields__}
    return DeliveryMethodView(**values | {"bands": list(method.bands), "weekdays": list(method.weekdays)})


async def methods(tx: Tx, *, unpublished: bool = False) -> list[DeliveryMethod]:
    """The published methods (or all) in the order of their positions. One statement."""
    return [method_of(row) for row in await tx.rows(METHODS, all=unpublished)]


async def listing(tx: Tx, actor: Actor) -> DeliveryMethodList:
    """The published methods; all of them for who sets them."""
    may_set = actor.may("sourcing.write", "*")
    return DeliveryMethodList(items=[_view(method) for method in await methods(tx, unpublished=may_set)])


async def save(
    tx: Tx, actor: Actor, *, code: str, command: SaveDeliveryMethod, if_match: int | None = None
) -> DeliveryMethodView:
    """Make or change a method. The same again changes nothing. Raises BadDeliveryMethod, DeliveryMethodChanged."""
    _check(command)
    row = await tx.first(LOCKED, code=code)
    before = None if row is None else method_of(row)
    if if_match is not None and if_match != (before.version if before else 0):
        raise DeliveryMethodChanged(seen=if_match, version=before.version if before else 0)
    after = DeliveryMethod(
        code=code, name=command.name, kind=command.kind, bands=tuple(command.bands), max_km=command.max_km,
        weekdays=tuple(sorted(command.weekdays)), cut_off=command.cut_off, published=command.published,
        position=command.position, version=before.version if before else 1,
    )  # fmt: skip
    if after == before:
        return _view(after)
    made = await tx.one(
        PUT, id=row.id if row else uuid7(), code=code, name=_json(after.name), kind=after.kind, bands=_json(after.bands),
        max_km=after.max_km, weekdays=_json(after.weekdays), cut_off=after.cut_off, published=after.published,
        position=after.position, at=tx.at,
    )  # fmt: skip
    method_id: UUID = made.id
    outbox.record(tx, actor, events.DeliveryMethodSaved(aggregate_id=method_id, version=made.version, code=code))
    outbox.audit(
        tx, actor, "delivery_method.save", "delivery_method", code,
        before=None if before is None else msgspec.to_builtins(before), after=msgspec.to_builtins(after),
    )  # fmt: skip
    return _view(msgspec.structs.replace(after, version=made.version))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _check(command: SaveDeliveryMethod) -> None:
    if not command.name:
        raise BadDeliveryMethod(
            field="name", reason="give it in at least one language", reason_ru="укажите хотя бы на одном языке"
        )
    if any(later.up_to_km <= earlier.up_to_km for earlier, later in pairwise(command.bands)):
        raise BadDeliveryMethod(
            field="bands", reason="each must reach further than the one before it",
            reason_ru="каждая зона должна быть дальше предыдущей",
        )  # fmt: skip
    if len(set(command.weekdays)) < len(command.weekdays):
        raise BadDeliveryMethod(
            field="weekdays", reason="name each weekday once", reason_ru="назовите каждый день недели один раз"
        )
