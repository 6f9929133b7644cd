"""Invariants of `prices`: the part of invariant 9 that the list itself can break."""

from __future__ import annotations

from commerce.infra.audit import Invariant

INVARIANTS = [
    Invariant(
        9,
        "the price list has one currency",
        "SELECT currency, count(*) AS prices FROM prices.prices GROUP BY currency"
        " HAVING (SELECT count(DISTINCT currency) FROM prices.prices) > 1",
    ),
    Invariant(
        9,
        "the tax class of every priced variant has a rate",
        """
        SELECT DISTINCT v.tax_class FROM catalog.variants v JOIN prices.prices p ON p.variant_id = v.id
        WHERE NOT EXISTS (SELECT 1 FROM prices.tax_rates t WHERE t.tax_class = v.tax_class)
        """,
    ),
]
