"""Warehouses and stores: where goods are, when the doors are open, what may be done there.

Owns locations, which of them may draw on which, and the legal entities behind them. Promises: roles, hours and pauses are
data of the location, never of a channel; one statement per read, whatever the number of codes.
"""

from commerce.locations import schedule
from commerce.locations.errors import BadNear, UnknownLocation
from commerce.locations.queries import all_with_role, by_codes, by_ids, distance_metres, links_of, one, parse_near
from commerce.locations.schemas import (
    Address,
    CreateLocation,
    Departure,
    LegalEntityInput,
    Link,
    LinkInput,
    Location,
    SetLinks,
)
from commerce.locations.service import create, set_links, upsert_legal_entities

__all__ = [
    "Address",
    "BadNear",
    "CreateLocation",
    "Departure",
    "LegalEntityInput",
    "Link",
    "LinkInput",
    "Location",
    "SetLinks",
    "UnknownLocation",
    "all_with_role",
    "by_codes",
    "by_ids",
    "create",
    "distance_metres",
    "links_of",
    "one",
    "parse_near",
    "schedule",
    "set_links",
    "upsert_legal_entities",
]
