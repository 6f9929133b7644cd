"""Reads of `catalog`: rows straight into Structs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Row

from commerce.catalog import barcodes
from commerce.catalog.errors import BadCheckDigit, UnknownCode, UnknownProduct, UnknownSku
from commerce.catalog.schemas import CategoryView, ProductView, ScanView, Variant, VariantView
from commerce.infra.db import Tx

VARIANT = """
    SELECT v.id, v.product_id, v.sku, p.slug, p.title, v.options, v.option_texts, v.tax_class, v.return_policy,
           r.change_of_mind_days, r.defect_days, p.published, v.sellable_from, v.sellable_until, v.stop_sale_reason,
           v.maximum_per_order, v.quantity_unit, v.quantity_scale, p.media->0->>'url' AS media
    FROM catalog.variants v
    JOIN catalog.products p ON p.id = v.product_id
    JOIN catalog.return_policies r ON r.code = v.return_policy
"""
VARIANTS = VARIANT + " WHERE v.id = ANY(CAST(:ids AS uuid[]))"
BY_SKUS = VARIANT + " WHERE v.sku = ANY(CAST(:skus AS text[]))"


async def variants(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, Variant]:
    """Variants by id; unknown ids are absent. One statement."""
    return {row.id: Variant(**row._mapping) for row in await tx.rows(VARIANTS, ids=list(ids))}


async def by_skus(tx: Tx, skus: Sequence[str]) -> dict[str, Variant]:
    """Variants by exact SKU; unknown ones are absent. One statement."""
    return {row.sku: Variant(**row._mapping) for row in await tx.rows(BY_SKUS, skus=list(skus))}


async def by_sku(tx: Tx, sku: str) -> Variant:
    """One variant by exact SKU. Raises UnknownSku."""
    found = await by_skus(tx, [sku])
    if sku not in found:
        raise UnknownSku(sku=sku)
    return found[sku]
