"""Reads of `prices`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from commerce import catalog
from commerce.infra.db import Question, Tx
from commerce.kernel.actor import NIL
from commerce.kernel.money import Money
from commerce.prices.schemas import ListPrice, LowestPrice, Price, PriceEntry, PriceHistory, State

QUOTE = """
SELECT w.variant_id, p.amount, p.currency, p.valid_from, t.basis_points AS tax_basis_points
FROM unnest(CAST(:variants AS uuid[]), CAST(:classes AS text[])) AS w(variant_id, tax_class)
JOIN LATERAL (
    SELECT amount, currency, valid_from FROM prices.prices
    WHERE variant_id = w.variant_id AND valid_from <= :at ORDER BY valid_from DESC LIMIT 1
) p ON true
JOIN LATERAL (
    SELECT basis_points FROM prices.tax_rates
    WHERE tax_class = w.tax_class AND zone = :zone AND valid_from <= :at ORDER BY valid_from DESC LIMIT 1
) t ON true
"""
LISTED = """
SELECT w.variant_id, p.amount, p.currency
FROM unnest(CAST(:variant_ids AS uuid[])) AS w(variant_id)
JOIN LATERAL (
    SELECT amount, currency FROM prices.prices
    WHERE variant_id = w.variant_id AND valid_from <= :at ORDER BY valid_from DESC LIMIT 1
) p ON true
"""
LISTED_IN_ROW = f"""
SELECT array_agg(q.variant_id) AS priced, array_agg(q.amount) AS amounts, array_agg(q.currency) AS currencies
FROM ({LISTED}) AS q
"""  # noqa: S608
LOWEST = """
SELECT w.variant_id, l.amount, p.currency, t.basis_points AS tax_basis_points
FROM unnest(CAST(:variants AS uuid[]), CAST(:classes AS text[])) AS w(variant_id, tax_class)
JOIN LATERAL (
    SELECT currency FROM prices.prices WHERE variant_id = w.variant_id AND valid_from <= :at ORDER BY valid_from DESC LIMIT 1
) p ON true
JOIN LATERAL (
    SELECT min(amount) AS amount FROM prices.prices
    WHERE variant_id = w.variant_id AND currency = p.currency AND valid_from <= :at AND valid_from >= coalesce(
        (SELECT max(valid_from) FROM prices.prices WHERE variant_id = w.variant_id AND valid_from <= CAST(:since AS timestamptz)),
        '-infinity')
) l ON true
JOIN LATERAL (
    SELECT basis_points FROM prices.tax_rates
    WHERE tax_class = w.tax_class AND zone = :zone AND valid_from <= :at ORDER BY valid_from DESC LIMIT 1
) t ON true
"""
"""The price in force when the time began counts as well as every later one."""
HISTORY = """
SELECT p.amount, p.currency, p.valid_from, p.set_by,
       row_number() OVER (PARTITION BY p.valid_from <= :at ORDER BY p.valid_from DESC) = 1 AND p.valid_from <= :at AS current
FROM prices.prices p WHERE p.variant_id = :variant ORDER BY p.valid_from DESC LIMIT 1000
"""


async def listed(tx: Tx, variant_ids: Sequence[UUID], *, at: datetime) -> dict[UUID, ListPrice]:
    """The list price of each variant at a moment: what a shopper sees before it is known where he takes it. One statement.

    A variant without a price is absent.
    """
    return {
        variant_id: ListPrice(variant_id=variant_id, amount=amount, currency=currency)
        for variant_id, amount, currency in await tx.rows(LISTED, variant_ids=list(variant_ids), at=at)
    }


def listing(variant_ids: Sequence[UUID], *, at: datetime) -> Question[dict[UUID, ListPrice]]:
    """The question that `listed` answers, to be asked together with another."""
    return Question(LISTED_IN_ROW, 3, {"variant_ids": list(variant_ids), "at": at}, _listing)


def _listing(ids: list[UUID] | None, amounts: list[int], currencies: list[str]) -> dict[UUID, ListPrice]:
    if ids is None:
        return {}
    return {
        variant_id: ListPrice(variant_id=variant_id, amount=amount, currency=currency)
        for variant_id, amount, currency in zip(ids, amounts, currencies, strict=True)
    }


async def quote(
    tx: Tx, variant_ids: Sequence[UUID], *, at: datetime, tax_classes: Sequence[str], zone: str
) -> dict[UUID, Price]:
    """The price and tax rate of each variant at a moment in a tax zone; `tax_classes` in the order of `variant_ids`.

    A variant without a price, or of a class without a rate, is absent: it cannot be sold. One statement.
    """
    rows = await tx.rows(QUOTE, variants=list(variant_ids), classes=list(tax_classes), at=at, zone=zone)
    return {
        variant_id: Price(
            variant_id=variant_id, amount=amount, currency=currency, valid_from=valid_from, tax_basis_points=tax
        )
        for variant_id, amount, currency, valid_from, tax in rows
    }


async def lowest(
    tx: Tx, variant_ids: Sequence[UUID], *, since: datetime, at: datetime, tax_classes: Sequence[str], zone: str
) -> dict[UUID, LowestPrice]:
    """The lowest price that was in force at any moment from `since` to `at`, with the tax rate at `at` in a tax zone; `tax_classes` in
    the order of `variant_ids`. One statement.

    A variant without a price at `at`, or of a class without a rate, is absent: it cannot have been sold.
    """
    rows = await tx.rows(LOWEST, variants=list(variant_ids), classes=list(tax_classes), since=since, at=at, zone=zone)
    return {
        variant_id: LowestPrice(variant_id=variant_id, amount=amount, currency=currency, tax_basis_points=tax)
        for variant_id, amount, currency, tax in rows
    }


async def history(tx: Tx, *, sku: str) -> PriceHistory:
    """Every price of a variant, newest first. Raises UnknownSku."""
    variant = await catalog.by_sku(tx, sku)
    entries = []
    for row in await tx.rows(HISTORY, variant=variant.id, at=tx.at):
        state: State = "scheduled" if row.valid_from > tx.at else "current" if row.current else "past"
        entries.append(
            PriceEntry(
                price=Money(row.amount, row.currency), valid_from=row.valid_from, state=state,
                set_by=None if row.set_by == NIL else row.set_by,
            )
        )  # fmt: skip
    return PriceHistory(sku=sku, prices=entries)
