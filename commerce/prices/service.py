"""Verbs of `prices`."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import msgspec

from commerce import catalog
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.prices import events
from commerce.prices.errors import PriceInPast, WrongCurrency
from commerce.prices.schemas import NewPrice, NewTaxRate, PricesSetView, SetPrices

SET_PRICES = """
WITH given AS (
    SELECT DISTINCT ON (variant_id, valid_from) variant_id, valid_from, amount
    FROM unnest(CAST(:variants AS uuid[]), CAST(:moments AS timestamptz[]), CAST(:amounts AS bigint[]))
         WITH ORDINALITY AS g(variant_id, valid_from, amount, n)
    ORDER BY variant_id, valid_from, n DESC
), put AS (
    INSERT INTO prices.prices AS p (variant_id, valid_from, amount, currency, set_by)
    SELECT variant_id, valid_from, amount, :currency, :set_by FROM given ORDER BY variant_id, valid_from
    ON CONFLICT (variant_id, valid_from) DO UPDATE
        SET amount = excluded.amount, currency = excluded.currency, set_by = excluded.set_by, recorded_at = clock_timestamp()
        WHERE p.valid_from >= :at AND (p.amount, p.currency) IS DISTINCT FROM (excluded.amount, excluded.currency)
    RETURNING p.variant_id, p.valid_from
)
SELECT g.variant_id, bool_or(p.variant_id IS NOT NULL AND p.amount <> g.amount AND p.valid_from < :at) AS past,
       count(put.variant_id) AS put
FROM given g
LEFT JOIN prices.prices p ON p.variant_id = g.variant_id AND p.valid_from = g.valid_from
LEFT JOIN put ON put.variant_id = g.variant_id AND put.valid_from = g.valid_from
GROUP BY g.variant_id
"""
SET_TAX_RATES = """
INSERT INTO prices.tax_rates (tax_class, zone, valid_from, basis_points)
SELECT * FROM unnest(CAST(:classes AS text[]), CAST(:zones AS text[]), CAST(:moments AS timestamptz[]), CAST(:rates AS int[]))
ON CONFLICT (tax_class, zone, valid_from) DO UPDATE SET basis_points = excluded.basis_points
"""


async def set_prices(tx: Tx, actor: Actor, *, prices: Sequence[NewPrice], currency: str) -> int:
    """Put prices into the list, each from its moment on; how many differ from what was there. One statement.

    A moment before now is refused, except from the system (imports, seed, replays); even they never rewrite a price that
    was already in force with another amount. Raises PriceInPast.
    """
    if not prices:
        return 0
    if actor.kind != "system":
        late = [price.variant_id for price in prices if price.valid_from < tx.at]
        if late:
            raise PriceInPast(variants=[str(variant_id) for variant_id in late])
    rows = await tx.rows(
        SET_PRICES, variants=[p.variant_id for p in prices], moments=[p.valid_from for p in prices],
        amounts=[p.amount for p in prices], currency=currency, set_by=actor.subject, at=tx.at,
    )  # fmt: skip
    rewritten = sorted(str(row.variant_id) for row in rows if row.past)
    if rewritten:
        raise PriceInPast(variants=rewritten)
    changed: list[UUID] = [row.variant_id for row in rows if row.put]
    if changed:
        change_id = uuid7()
        outbox.record(tx, actor, events.PricesSet(aggregate_id=change_id, version=1, variant_ids=changed))
        outbox.audit(
            tx, actor, "prices.set", "price_change", change_id,
            after=[
                {"variant": p.variant_id, "amount": p.amount, "from": p.valid_from}
                for p in prices if p.variant_id in set(changed)
            ] if actor.kind != "system" else {"variants": len(changed)},
        )  # fmt: skip
    return sum(row.put for row in rows)


async def change_prices(tx: Tx, actor: Actor, *, command: SetPrices, currency: str) -> PricesSetView:
    """A price change by SKU from the back office. Raises UnknownSku, PriceInPast, WrongCurrency."""
    if not actor.may("prices.write", "*"):
        raise catalog.WholeChainOnly(permission="prices.write")
    if command.currency != currency:
        raise WrongCurrency(currency=currency)
    variants = await catalog.by_skus(tx, [price.sku for price in command.prices])
    for price in command.prices:
        if price.sku not in variants:
            raise catalog.UnknownSku(sku=price.sku)
    late = [p.sku for p in command.prices if p.valid_from is not None and p.valid_from < tx.at]
    if late:
        raise PriceInPast(variants=late)
    prices = [
        NewPrice(variant_id=variants[p.sku].id, amount=p.amount, valid_from=p.valid_from or tx.at)
        for p in command.prices
    ]
    return PricesSetView(set=await set_prices(tx, actor, prices=prices, currency=currency))


async def set_tax_rates(tx: Tx, actor: Actor, *, rates: Sequence[NewTaxRate]) -> None:
    """Put tax rates, each of a class in a zone from a moment on."""
    await tx.execute(
        SET_TAX_RATES, classes=[r.tax_class for r in rates], zones=[r.zone for r in rates],
        moments=[r.valid_from for r in rates], rates=[r.basis_points for r in rates],
    )  # fmt: skip
    outbox.audit(tx, actor, "tax_rates.set", "tax_rates", "all", after=msgspec.to_builtins(list(rates)))
