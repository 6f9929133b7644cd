"""Which stores near one that lacks something have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from msgspec import Struct

from commerce import locations, stock
from commerce.infra.db import Tx
from commerce.locations import Location

NEAR_STORES = 5
"""Stores that are named for each lack."""


class Lack(Struct, frozen=True):
    """What a store does not have enough of: as many steps of a variant as are wanted there."""

    variant_id: UUID
    quantity: int
    location_id: UUID


class Near(Struct, frozen=True, kw_only=True):
    """A store that has as many, and how far it is from the one that has not."""

    location: str
    name: dict[str, str]
    distance_metres: int


async def near_stores(
    tx: Tx, *, lacks: Sequence[Lack], places: Mapping[UUID, Location], bundles: Mapping[UUID, Sequence[stock.Part]]
) -> list[list[Near]]:
    """For each lack the nearest stores that hand out orders and have as many, at most five. Two statements, whatever the number.

    `places` has the location of every lack, `bundles` the parts of every bundle among the variants.
    """
    stores = [store for store in await locations.all_with_role(tx, "pickup") if store.may("pickup", tx.at)]
    variant_ids = sorted({lack.variant_id for lack in lacks})
    levels = await stock.levels(
        tx, variant_ids=variant_ids, location_ids=[store.id for store in stores],
        bundles={variant_id: parts for variant_id, parts in bundles.items() if variant_id in variant_ids},
    )  # fmt: skip
    ats = {(level.variant_id, level.location_id): level.ats for level in levels}
    return [
        sorted(
            (
                Near(location=store.code, name=store.name, distance_metres=_metres(places[lack.location_id], store))
                for store in stores
                if store.id != lack.location_id and ats.get((lack.variant_id, store.id), 0) >= lack.quantity
            ),
            key=lambda near: near.distance_metres,
        )[:NEAR_STORES]
        for lack in lacks
    ]


def _metres(one: Location, other: Location) -> int:
    return locations.distance_metres(one.latitude_e6, one.longitude_e6, other.latitude_e6, other.longitude_e6)
