"""What was lost, where and why: a report straight from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from uuid import UUID

from commerce import catalog, locations, stock
from commerce.counts.errors import BadPeriod, NotYourShrinkage
from commerce.counts.schemas import LocationShrinkage, ShrinkageRow, ShrinkageView, SkuShrinkage
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.money import MAX_MINOR, Money, line_amount, rounded_ratio

LONGEST_DAYS = 366
TOP = 20
SHARE = 10_000


async def report(
    tx: Tx, actor: Actor, *, since: date, until: date, location: str | None, currency: str
) -> ShrinkageView:  # fmt: skip
    """The losses of a period of business dates, at the locations whose stock the reader may approve, or at one of them.

    Values are at the moving average cost of now. Raises BadPeriod, NotYourShrinkage, UnknownLocation.
    """
    if since > until or (until - since).days >= LONGEST_DAYS:
        raise BadPeriod(days=LONGEST_DAYS)
    places = await _places(tx, actor, location)
    ids = sorted(places)
    losses = await stock.losses(tx, location_ids=ids, since=since, until=until)
    sold = await stock.units_sold(tx, location_ids=ids, since=since, until=until)
    variants = await catalog.variants(tx, sorted({loss.variant_id for loss in losses}))
    by_location: dict[UUID, list[stock.Loss]] = {}
    for loss in losses:
        by_location.setdefault(loss.location_id, []).append(loss)
    shown = sorted(set(by_location) | (set(sold) & set(places)), key=lambda location_id: places[location_id])
    units, units_sold = sum(loss.quantity for loss in losses), sum(sold.values())
    return ShrinkageView(
        since=since, until=until, units=units, at_cost=_worth(losses, variants, currency), units_sold=units_sold,
        per_ten_thousand_sold=_share(units, units_sold),
        locations=[
            _of_location(
                places[location_id], by_location.get(location_id, []), sold.get(location_id, 0), variants, currency
            )
            for location_id in shown
        ],
        skus=_top(losses, variants, currency),
    )  # fmt: skip


async def _places(tx: Tx, actor: Actor, location: str | None) -> dict[UUID, str]:
    """Codes of the locations that the reader may see, by id."""
    if location is not None:
        if not actor.may("stock.approve", location):
            raise NotYourShrinkage(location=location)
        return {(await locations.one(tx, location)).id: location}
    if actor.may("stock.approve", "*"):
        return {place.id: place.code for place in await locations.all_with_role(tx)}
    own = await locations.by_codes(tx, actor.permissions.get("stock.approve", ()))
    return {place.id: place.code for place in own.values()}


def _of_location(
    code: str, losses: Sequence[stock.Loss], units_sold: int, variants: Mapping[UUID, catalog.Variant], currency: str
) -> LocationShrinkage:
    by_reason: dict[tuple[str, str], list[stock.Loss]] = {}
    for loss in losses:
        by_reason.setdefault((loss.cause_kind, loss.reason or loss.cause_kind), []).append(loss)
    units = sum(loss.quantity for loss in losses)
    return LocationShrinkage(
        location=code,
        reasons=[
            ShrinkageRow(
                cause=cause, reason=reason, units=sum(loss.quantity for loss in some), at_cost=_worth(some, variants, currency),
                units_without_cost=sum(loss.quantity for loss in some if loss.unit_cost is None),
            )
            for (cause, reason), some in sorted(by_reason.items())
        ],
        units=units, at_cost=_worth(losses, variants, currency), units_sold=units_sold,
        per_ten_thousand_sold=_share(units, units_sold),
    )  # fmt: skip


def _worth(losses: Iterable[stock.Loss], variants: Mapping[UUID, catalog.Variant], currency: str) -> Money:
    amounts = (
        line_amount(loss.unit_cost, loss.quantity, variants[loss.variant_id].quantity_scale)
        for loss in losses
        if loss.unit_cost is not None
    )
    return Money(max(-MAX_MINOR, min(MAX_MINOR, sum(amounts))), currency)


def _share(units: int, units_sold: int) -> int | None:
    return rounded_ratio(units * SHARE, units_sold) if units_sold else None


def _top(
    losses: Sequence[stock.Loss], variants: Mapping[UUID, catalog.Variant], currency: str
) -> list[SkuShrinkage]:  # fmt: skip
    """The variants that cost most; among equals those of which most units are gone."""
    by_variant: dict[UUID, list[stock.Loss]] = {}
    for loss in losses:
        by_variant.setdefault(loss.variant_id, []).append(loss)
    views = [
        SkuShrinkage(
            sku=variants[variant_id].sku, variant_id=variant_id, title=variants[variant_id].title,
            units=sum(loss.quantity for loss in some),
            at_cost=None if some[0].unit_cost is None else _worth(some, variants, currency),
        )
        for variant_id, some in by_variant.items()
    ]  # fmt: skip
    lost = [view for view in views if view.units > 0]
    return sorted(lost, key=lambda view: (-(view.at_cost.amount if view.at_cost else 0), -view.units, view.sku))[:TOP]
