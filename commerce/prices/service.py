"""Verbs of `prices`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from commerce import catalog
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy
from commerce.kernel.ids import uuid7
from commerce.prices import events
from commerce.prices.errors import PriceInPast, WrongCurrency
from commerce.prices.schemas import NewPrice, NewTaxRate, PricesSetView, SetPrices

LEAD = timedelta(seconds=10)
"""How far ahead a price comes into force at the earliest.

An order reads its prices after the moment that it is placed at. A price that came into force at the moment it was set would be seen
only by those who read after its commit, and the orders in between would stand in the books at a price that the list never had
then. With the lead every price is committed before its moment, so that the newest price from a moment on or before is what
everybody saw at that moment (invariant 9). It also covers clocks that differ from machine to machine, by less than the rest of it.
"""
SPARE = timedelta(seconds=7)
"""What the rest of the transaction may take after the list is written: one more statement (5 s by `statement_timeout`), the commit."""
GIVEN = """
given AS (
    SELECT DISTINCT ON (variant_id, valid_from) variant_id, valid_from, amount
    FROM unnest(CAST(:variants AS uuid[]), CAST(:moments AS timestamptz[]), CAST(:amounts AS bigint[]))
         WITH ORDINALITY AS g(variant_id, valid_from, amount, n)
    ORDER BY variant_id, valid_from, n DESC
), late AS (
    SELECT g.variant_id, g.valid_from FROM given g
    WHERE g.valid_from < :earliest
      AND EXISTS (SELECT 1 FROM prices.prices p WHERE p.variant_id = g.variant_id AND p.valid_from <= g.valid_from)
      AND NOT EXISTS (
          SELECT 1 FROM prices.prices p
          WHERE p.variant_id = g.variant_id AND p.valid_from = g.valid_from AND (p.amount, p.currency) = (g.amount, :currency)
      )
)
"""
"""The prices to set, and those of them that would change what was in force at a moment of the past."""
LATE = f"WITH {GIVEN} SELECT variant_id, valid_from FROM late"  # noqa: S608
SET_PRICES = f"""
WITH {GIVEN}, put AS (
    INSERT INTO prices.prices AS p (variant_id, valid_from, amount, currency, set_by)
    SELECT variant_id, valid_from, amount, :currency, :set_by FROM given ORDER BY variant_id, valid_from
    ON CONFLICT (variant_id, valid_from) DO UPDATE
        SET amount = excluded.amount, currency = excluded.currency, set_by = excluded.set_by, recorded_at = clock_timestamp()
        WHERE p.valid_from >= :earliest AND (p.amount, p.currency) IS DISTINCT FROM (excluded.amount, excluded.currency)
    RETURNING p.variant_id, p.valid_from
)
SELECT g.variant_id, bool_or(late.variant_id IS NOT NULL) AS late, count(put.variant_id) AS put,
       (array_agg(old.amount ORDER BY g.valid_from))[1] AS before,
       clock_timestamp() - transaction_timestamp() AS taken
FROM given g
LEFT JOIN late ON late.variant_id = g.variant_id AND late.valid_from = g.valid_from
LEFT JOIN put ON put.variant_id = g.variant_id AND put.valid_from = g.valid_from
LEFT JOIN LATERAL (
    SELECT p.amount FROM prices.prices p WHERE p.variant_id = g.variant_id AND p.valid_from <= g.valid_from
    ORDER BY p.valid_from DESC LIMIT 1
) old ON true
GROUP BY g.variant_id
"""  # noqa: S608
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('prices of the past', 0))"
"""Two that put first prices into the past at once would not see each other's."""
OLD_TAX_RATES = """
SELECT g.tax_class, g.zone, g.valid_from, (
    SELECT r.basis_points FROM prices.tax_rates r
    WHERE r.tax_class = g.tax_class AND r.zone = g.zone AND r.valid_from <= g.valid_from ORDER BY r.valid_from DESC LIMIT 1
) AS basis_points
FROM unnest(CAST(:classes AS text[]), CAST(:zones AS text[]), CAST(:moments AS timestamptz[])) AS g(tax_class, zone, valid_from)
"""
SET_TAX_RATES = """
INSERT INTO prices.tax_rates (tax_class, zone, valid_from, basis_points)
SELECT * FROM unnest(CAST(:classes AS text[]), CAST(:zones AS text[]), CAST(:moments AS timestamptz[]), CAST(:rates AS int[]))
ON CONFLICT (tax_class, zone, valid_from) DO UPDATE SET basis_points = excluded.basis_points
"""


async def late_prices(tx: Tx, actor: Actor, *, prices: Sequence[NewPrice], currency: str) -> set[tuple[UUID, datetime]]:
    """Which of the prices `set_prices` would refuse, by variant and moment. Two statements at most."""
    earliest = tx.at + LEAD
    past = [price for price in prices if price.valid_from < earliest]
    if actor.kind != "system":
        return {(price.variant_id, price.valid_from) for price in past}
    if not past:
        return set()
    await tx.execute(ONE_AT_A_TIME)
    rows = await tx.rows(LATE, **_columns(past), currency=currency, earliest=earliest)
    return {(row.variant_id, row.valid_from) for row in rows}


async def set_prices(tx: Tx, actor: Actor, *, prices: Sequence[NewPrice], currency: str) -> int:
    """Put prices into the list, each from its moment on; how many differ from what was there. One statement.

    A moment less than LEAD away is refused, except from the system (imports, seed, replays), which may tell the past of a variant
    that had no price at that moment or before: nobody has bought it. That is one statement more. Raises PriceInPast; Busy when
    the transaction has been under way for so long that a price might be seen only after its moment.
    """
    if not prices:
        return 0
    earliest = tx.at + LEAD
    ahead = [price.valid_from for price in prices if price.valid_from >= earliest]
    if len(ahead) < len(prices):
        if actor.kind != "system":
            raise PriceInPast(variants=[str(p.variant_id) for p in prices if p.valid_from < earliest])
        await tx.execute(ONE_AT_A_TIME)
    rows = await tx.rows(
        SET_PRICES, **_columns(prices), currency=currency, set_by=actor.subject, earliest=earliest
    )  # fmt: skip
    late = sorted(str(row.variant_id) for row in rows if row.late)
    if late:
        raise PriceInPast(variants=late)
    if ahead and max(row.taken for row in rows) > min(ahead) - tx.at - SPARE:
        raise Busy(retry_after_seconds=1)
    changed: list[UUID] = [row.variant_id for row in rows if row.put]
    if changed:
        change_id = uuid7()
        outbox.record(tx, actor, events.PricesSet(aggregate_id=change_id, version=1, variant_ids=changed))
        outbox.audit(
            tx, actor, "prices.set", "price_change", change_id,
            before=[{"variant": row.variant_id, "amount": row.before} for row in rows if row.put] if actor.kind != "system" else None,
            after=[
                {"variant": p.variant_id, "amount": p.amount, "from": p.valid_from}
                for p in prices if p.variant_id in set(changed)
            ] if actor.kind != "system" else {"variants": len(changed)},
        )  # fmt: skip
    return sum(row.put for row in rows)


def _columns(prices: Sequence[NewPrice]) -> dict[str, Any]:
    return {
        "variants": [p.variant_id for p in prices],
        "moments": [p.valid_from for p in prices],
        "amounts": [p.amount for p in prices],
    }


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
    earliest = tx.at + LEAD
    late = [p.sku for p in command.prices if p.valid_from is not None and p.valid_from < earliest]
    if late:
        raise PriceInPast(variants=late)
    prices = [
        NewPrice(variant_id=variants[p.sku].id, amount=p.amount, valid_from=p.valid_from or earliest)
        for p in command.prices
    ]
    return PricesSetView(set=await set_prices(tx, actor, prices=prices, currency=currency), valid_from=earliest)


async def set_tax_rates(tx: Tx, actor: Actor, *, rates: Sequence[NewTaxRate]) -> None:
    """Put tax rates, each of a class in a zone from a moment on; the record says which one was in force at that moment before."""
    named: dict[str, Any] = {
        "classes": [r.tax_class for r in rates], "zones": [r.zone for r in rates], "moments": [r.valid_from for r in rates],
    }  # fmt: skip
    before = [dict(row) for row in await tx.rows(OLD_TAX_RATES, **named)]
    await tx.execute(SET_TAX_RATES, **named, rates=[r.basis_points for r in rates])
    outbox.audit(tx, actor, "tax_rates.set", "tax_rates", "all", before=before, after=msgspec.to_builtins(list(rates)))
