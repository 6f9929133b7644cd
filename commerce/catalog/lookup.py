"""Many articles at once, by SKU or by what a scanner read: for tills and picking, where one statement serves all lines."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from commerce.catalog import barcodes
from commerce.catalog.queries import VARIANT, variant_of
from commerce.catalog.schemas import Variant
from commerce.infra.db import Tx

ARTICLES = f"""
SELECT a.*, NULL AS code, 1 AS stands_for FROM ({VARIANT} WHERE v.sku = ANY(CAST(:skus AS text[]))) a
UNION ALL
SELECT a.*, b.code, b.quantity FROM catalog.barcodes b
CROSS JOIN LATERAL ({VARIANT} WHERE v.id = b.variant_id) a
WHERE b.code = ANY(CAST(:codes AS text[]))
"""  # noqa: S608


class Article(Struct, frozen=True, kw_only=True):
    """A variant, and the quantity (steps of its unit) that what was read stands for."""

    variant: Variant
    quantity: int


async def articles(
    tx: Tx, *, skus: Sequence[str], scans: Sequence[str]
) -> tuple[dict[str, Article], dict[str, Article]]:
    """Articles by exact SKU, and by scanned data (a barcode first, else a SKU); unknown ones are absent. One statement."""
    read = {data: barcodes.parse(data) for data in scans}
    codes = {code for scan in read.values() for code in (scan.gtin, scan.text) if code}
    by_sku: dict[str, Article] = {}
    by_code: dict[str, Article] = {}
    wanted = sorted({*skus, *(scan.text for scan in read.values())})
    for row in await tx.rows(ARTICLES, skus=wanted, codes=sorted(codes)):
        values = dict(row)
        code, stands_for = values.pop("code"), values.pop("stands_for")
        article = Article(variant=variant_of(values), quantity=stands_for)
        if code is None:
            by_sku[article.variant.sku] = article
        else:
            by_code[code] = article
    by_scan: dict[str, Article] = {}
    for data, scan in read.items():
        found = by_code.get(scan.gtin or "") or by_code.get(scan.text)
        if found is not None:
            quantity = found.quantity * (scan.count or 1)
            measure = scan.measures.get(found.variant.quantity_unit or "")
            if measure is not None:
                quantity = int(measure.scaleb(found.variant.quantity_scale)) or quantity
            by_scan[data] = Article(variant=found.variant, quantity=quantity)
        elif scan.text in by_sku:
            by_scan[data] = by_sku[scan.text]
    return by_sku, by_scan
