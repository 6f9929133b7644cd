"""What `locations` takes in and answers."""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from commerce.kernel.money import MAX_MINOR
from commerce.kernel.text import NO_NUL, Code, LocalisedText, Reason, ShortText

Role = Literal["ships", "pickup", "accepts_returns", "sells", "receives"]
ROLES: tuple[Role, ...] = ("ships", "pickup", "accepts_returns", "sells", "receives")
Refusal = Literal["no_role", "not_open_yet", "closed", "paused"]
TimeOfDay = Annotated[
    str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Local time of the location, HH:MM")
]
ClosingTime = Annotated[
    str,
    Meta(pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", description="Local time HH:MM; 24:00 is midnight after"),
]
Microdegrees = Annotated[int, Meta(ge=-180_000_000, le=180_000_000, description="Millionths of a degree, WGS 84")]
ZoneName = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$", description="IANA time zone")
]


class Hours(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open from `opens` to `closes` on one ISO weekday (1 Monday … 7 Sunday); several a day make breaks."""

    weekday: Annotated[int, Meta(ge=1, le=7)]
    opens: TimeOfDay
    closes: ClosingTime


class HoursException(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One date that differs from the week: closed, or open from `opens` to `closes` instead."""

    on: date
    closed: bool = False
    opens: TimeOfDay | None = None
    closes: ClosingTime | None = None
    reason: Annotated[str, Meta(max_length=500, pattern=NO_NUL)] | None = None


class Address(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the door is. `country` is ISO 3166-1 alpha-2."""

    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")]
    city: ShortText
    street: ShortText
    region: ShortText | None = None
    city_en: ShortText | None = None
    postal_code: Annotated[str, Meta(max_length=16, pattern=NO_NUL)] | None = None


@lru_cache(maxsize=1024)
def _local_date(at: datetime, time_zone: str) -> date:
    """A page asks for the same moment in the same zone hundreds of times."""
    return at.astimezone(ZoneInfo(time_zone)).date()


class Location(Struct, frozen=True, kw_only=True):
    """A warehouse or store as other rooms see it. Coordinates in millionths of a degree, dates and hours local."""

    id: UUID
    code: str
    name: dict[str, str]
    kind: str
    legal_entity: str
    roles: frozenset[str]
    tax_zone: str
    latitude_e6: int
    longitude_e6: int
    address: dict[str, str | None]
    time_zone: str
    hours: tuple[Hours, ...]
    pickup_hours: tuple[Hours, ...] | None
    exceptions: tuple[HoursException, ...]
    preparation_minutes: int
    cut_off: str | None
    kept_days: int
    opened_on: date
    closed_on: date | None
    paused_until: datetime | None
    paused_reason: str | None
    priority: int = 0
    """The lower, the sooner it is asked for goods."""
    daily_capacity: int | None = None
    """Orders a day that it can prepare; null: no limit."""
    backlog_minutes: int = 0
    """Work minutes already waiting there; a promise adds them to `preparation_minutes`."""
    busy_hours: tuple[Hours, ...] | None = None
    """When its shoppers need its staff: other places are asked first."""
    version: int = 1

    @property
    def zone(self) -> ZoneInfo:
        """The IANA time zone."""
        return ZoneInfo(self.time_zone)

    def business_date(self, at: datetime) -> date:
        """The local calendar date at a moment."""
        return _local_date(at, self.time_zone)

    def refusal(self, role: str, at: datetime) -> Refusal | None:
        """Why the role cannot be used at a moment; None when it can. A pause stops new work, not work begun."""
        if role not in self.roles:
            return "no_role"
        today = self.business_date(at)
        if today < self.opened_on:
            return "not_open_yet"
        if self.closed_on is not None and today >= self.closed_on:
            return "closed"
        if self.paused_until is not None and at < self.paused_until:
            return "paused"
        return None

    def may(self, role: str, at: datetime) -> bool:
        """Whether it has the role and is opened, not closed for good and not paused."""
        return self.refusal(role, at) is None


class Departure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goods leave at `at` (local time of the source) on one ISO weekday (1 Monday … 7 Sunday)."""

    weekday: Annotated[int, Meta(ge=1, le=7)]
    at: TimeOfDay


class Link(Struct, frozen=True, kw_only=True):
    """`location_id` may draw on `source_id`; the lowest priority first. `departures` None: whenever something is ready.

    `transit_hours` from departure to arrival; `cost_amount` of one parcel in minor units of the house's currency.
    """

    location_id: UUID
    source_id: UUID
    priority: int
    transit_hours: int
    departures: tuple[Departure, ...] | None
    cost_amount: int


class LocationView(Struct, frozen=True, kw_only=True):
    """A location as clients see it. `paused_until` in the future means: no new orders until then."""

    code: str
    name: dict[str, str]
    kind: str
    legal_entity: str
    roles: list[str]
    tax_zone: str
    address: dict[str, str | None]
    latitude_e6: int
    longitude_e6: int
    time_zone: str
    hours: list[Hours]
    pickup_hours: list[Hours] | None
    exceptions: list[HoursException]
    preparation_minutes: int
    cut_off: str | None
    kept_days: int
    opened_on: date
    closed_on: date | None
    paused_until: datetime | None
    paused_reason: str | None
    priority: int
    daily_capacity: int | None
    backlog_minutes: int
    busy_hours: list[Hours] | None
    open_now: bool
    next_open_at: datetime | None
    """When its doors open next; null while they are open or when they stay closed."""
    version: int
    distance_metres: int | None = None


Kind = Code
Roles = Annotated[
    list[Role],
    Meta(
        max_length=len(ROLES),
        description="What may be done there. ships: sends parcels; pickup: hands orders over; accepts_returns: takes goods back; "
        "sells: has a till; receives: takes in deliveries of suppliers and transfers. Without `receives` no goods can be sent there.",
    ),
]
Week = Annotated[list[Hours], Meta(max_length=28)]
Exceptions = Annotated[list[HoursException], Meta(max_length=400)]
Minutes = Annotated[int, Meta(ge=0, le=10_080)]
Priority = Annotated[int, Meta(ge=0, le=1000, description="The lower, the sooner it is asked for goods")]
DailyCapacity = Annotated[
    int, Meta(ge=0, le=1_000_000, description="Orders a day that it can prepare; null: no limit; 0: none")
]
Backlog = Annotated[
    int,
    Meta(
        ge=0,
        le=10_080,
        description="Minutes that each order waiting there takes: a promise adds them to preparation_minutes",
    ),
]
Busy = Annotated[
    list[Hours], Meta(max_length=28, description="When its own shoppers need its staff: other places are asked first")
]
KeptDays = Annotated[int, Meta(ge=1, le=365)]


class LegalEntityInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who owns a location. `own` or `franchise`; receipts and refunds carry it."""

    code: Code
    name: LocalisedText
    kind: Literal["own", "franchise"]
    tax_id: ShortText
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")]


class CreateLocation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new warehouse or store."""

    code: Code
    name: LocalisedText
    kind: Kind
    legal_entity: Code
    roles: Roles
    address: Address
    latitude_e6: Annotated[int, Meta(ge=-90_000_000, le=90_000_000)]
    longitude_e6: Microdegrees
    time_zone: ZoneName
    hours: Week
    pickup_hours: Week | None = None
    exceptions: Exceptions = []
    preparation_minutes: Minutes = 60
    cut_off: TimeOfDay | None = None
    kept_days: KeptDays = 5
    opened_on: date
    closed_on: date | None = None
    paused_until: datetime | None = None
    paused_reason: Reason | None = None
    priority: Priority = 0
    daily_capacity: DailyCapacity | None = None
    backlog_minutes: Backlog = 0
    busy_hours: Busy | None = None
    tax_zone: Annotated[str, Meta(pattern="^[A-Z0-9-]{2,16}$")] = "RU"


class ChangeLocation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes; a member left out stays as it is. `paused_until: null` ends a pause."""

    name: LocalisedText | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET
    legal_entity: Code | UnsetType = UNSET
    roles: Roles | UnsetType = UNSET
    address: Address | UnsetType = UNSET
    latitude_e6: Annotated[int, Meta(ge=-90_000_000, le=90_000_000)] | UnsetType = UNSET
    longitude_e6: Microdegrees | UnsetType = UNSET
    time_zone: ZoneName | UnsetType = UNSET
    hours: Week | UnsetType = UNSET
    pickup_hours: Week | UnsetType | None = UNSET
    exceptions: Exceptions | UnsetType = UNSET
    preparation_minutes: Minutes | UnsetType = UNSET
    cut_off: TimeOfDay | UnsetType | None = UNSET
    kept_days: KeptDays | UnsetType = UNSET
    opened_on: date | UnsetType = UNSET
    closed_on: date | UnsetType | None = UNSET
    paused_until: datetime | UnsetType | None = UNSET
    paused_reason: Reason | UnsetType | None = UNSET
    priority: Priority | UnsetType = UNSET
    daily_capacity: DailyCapacity | UnsetType | None = UNSET
    backlog_minutes: Backlog | UnsetType = UNSET
    busy_hours: Busy | UnsetType | None = UNSET
    tax_zone: Annotated[str, Meta(pattern="^[A-Z0-9-]{2,16}$")] | UnsetType = UNSET


class LinkInput(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place that the location may draw on: the one with the lowest priority is asked first."""

    source: Code
    priority: Priority = 0
    transit_hours: Annotated[int, Meta(ge=0, le=2160, description="From departure to arrival")]
    departures: Annotated[list[Departure], Meta(min_length=1, max_length=200)] | None = None
    """When goods leave the source; null: whenever they are ready."""
    cost_amount: Annotated[
        int, Meta(ge=0, le=MAX_MINOR, description="Of one parcel, in minor units of the house's currency")
    ] = 0


class SetLinks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All places that the location may draw on; none of them: it lives on what it has."""

    links: Annotated[list[LinkInput], Meta(max_length=500)]


class LinkView(Struct, frozen=True, kw_only=True):
    """A place that the location may draw on."""

    source: str
    priority: int
    transit_hours: int
    departures: list[Departure] | None
    cost_amount: int


class LinksView(Struct, frozen=True, kw_only=True):
    """What a location may draw on, in the order in which it is asked. `version` is the location's."""

    location: str
    links: list[LinkView]
    version: int


class LegalEntityView(Struct, frozen=True, kw_only=True):
    """Who owns locations."""

    code: str
    name: dict[str, str]
    kind: str
    tax_id: str
    country: str


WEEK = msgspec.json.Decoder(tuple[Hours, ...])
DEPARTURES = msgspec.json.Decoder(tuple[Departure, ...])
EXCEPTIONS = msgspec.json.Decoder(tuple[HoursException, ...])
