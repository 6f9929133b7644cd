"""Reads of `catalog`: rows straight into Structs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from commerce.catalog import barcodes, remembered
from commerce.catalog.errors import BadCheckDigit, UnknownCategory, UnknownCode, UnknownProduct, UnknownSku
from commerce.catalog.remembered import Remembered
from commerce.catalog.schemas import (
    BarcodeView,
    CategoryView,
    ComponentView,
    ProductView,
    QuantityUnit,
    ReturnPolicy,
    ScanView,
    Variant,
    VariantView,
    refusal_of,
)
from commerce.infra.connections import Row
from commerce.infra.db import Question, Tx
from commerce.kernel.actor import Actor

VARIANT = """
    SELECT v.id, v.product_id, v.sku, p.slug, p.title, v.options, v.option_texts, v.tax_class, v.return_policy,
           r.change_of_mind_days, r.defect_days, p.published, v.sellable_from, v.sellable_until, v.stop_sale_reason,
           v.maximum_per_order, v.quantity_unit, v.quantity_scale, p.media->0->>'url' AS media, c.path AS category_path,
           v.tracking, v.when_out, v.preorder_until, CASE WHEN v.bundle THEN (
               SELECT jsonb_agg(jsonb_build_object(
                   'variant_id', m.component_id, 'sku', own.sku, 'quantity', m.quantity, 'tracking', own.tracking,
                   'stopped', own.stop_sale_reason) ORDER BY own.sku)
               FROM catalog.components m JOIN catalog.variants own ON own.id = m.component_id WHERE m.bundle_id = v.id) END AS components
    FROM catalog.variants v
    JOIN catalog.products p ON p.id = v.product_id
    JOIN catalog.categories c ON c.id = p.category_id
    JOIN catalog.return_policies r ON r.code = v.return_policy
"""
OF_PRODUCTS = VARIANT + " WHERE v.product_id = ANY(CAST(:products AS uuid[])) ORDER BY v.position, v.sku"
STAMPED = f"""
    SELECT s.id, s.stamp, f.variant
    FROM (
        SELECT v.id, v.written_by || xidsend(p.xmin) || xidsend(c.xmin) || xidsend(r.xmin) AS stamp,
               substr(CAST(:stamps AS bytea), 16 * CAST(w.n AS int) - 15, 16) AS known
        FROM %s WITH ORDINALITY AS w(name, n)
        CROSS JOIN LATERAL (
            SELECT v.id, v.product_id, v.return_policy, xidsend(v.xmin) AS written_by FROM catalog.variants v WHERE %s = w.name OFFSET 0
        ) v
        JOIN catalog.products p ON p.id = v.product_id
        JOIN catalog.categories c ON c.id = p.category_id
        JOIN catalog.return_policies r ON r.code = v.return_policy
    ) s
    LEFT JOIN LATERAL (
        SELECT to_json(whole) AS variant FROM ({VARIANT} WHERE v.id = s.id AND s.stamp <> s.known) AS whole OFFSET 0
    ) f ON true
"""  # noqa: S608
"""Whole rows of those variants only that are not `known` by their present stamp: by which transactions each of its rows was written. The
variants are looked up one by one: of a small catalog the planner would read them all."""
VARIANTS = STAMPED % ("unnest(CAST(:names AS uuid[]))", "v.id")
BY_SKUS = STAMPED % ("unnest(CAST(:names AS text[]))", "v.sku")
ASKED = f"""
    SELECT count(*) AS found, string_agg(a.stamp, '') FILTER (WHERE a.variant IS NOT NULL) AS stamps,
           json_agg(a.variant) FILTER (WHERE a.variant IS NOT NULL) AS variants
    FROM ({VARIANTS.replace(":names", ":variant_ids")}) AS a
"""  # noqa: S608
VARIANTS_IN = """
    SELECT v.id FROM catalog.variants v
    JOIN catalog.products p ON p.id = v.product_id
    JOIN catalog.categories c ON c.id = p.category_id
    WHERE c.path && CAST(:codes AS text[]) AND NOT v.bundle ORDER BY v.id
"""


def tracking_of(variant_id: str) -> str:
    """SQL that reads the tracking of the variant whose id is in the column `variant_id`: for a verb that learns it in a statement of
    its own."""
    return f"(SELECT t.tracking FROM catalog.variants t WHERE t.id = {variant_id})"  # noqa: S608


def variant_of(values: dict[str, Any]) -> Variant:
    """A row of VARIANT, or its JSON. A recall of a component stops its bundles."""
    parts = values["components"]
    if parts is None:
        values["components"] = ()
    else:
        values["stop_sale_reason"] = values["stop_sale_reason"] or next(
            (p["stopped"] for p in parts if p["stopped"]), None
        )
    return msgspec.convert(values, Variant)


async def variants(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, Variant]:
    """Variants by id; unknown ids are absent. One statement."""
    names = list(dict.fromkeys(ids))
    known = remembered.of(tx)
    return {v.id: v for v in await _stamped(tx, VARIANTS, known, names, names)}


def asking(tx: Tx, ids: Sequence[UUID]) -> Question[dict[UUID, Variant] | None]:
    """The question that `variants` answers, of ids that each are named once, to be asked together with others. None when there
    is no variant of one of them."""
    known = remembered.of(tx)
    before = known.named(ids)

    def read(found: int, stamps: bytes | None, rows: list[dict[str, Any]] | None) -> dict[UUID, Variant] | None:
        if found != len(ids):
            return None
        fresh = {}
        for n, values in enumerate(rows or ()):
            one = variant_of(values)
            fresh[one.id] = one
            if stamps is not None and tx.reads_only and not one.components:
                known.keep(stamps[16 * n : 16 * n + 16], one)
        return {id_: fresh[id_] if id_ in fresh else before[id_][1] for id_ in ids}

    return Question(ASKED, 3, {"variant_ids": list(ids), "stamps": known.stamps(before, ids)}, read)


def id_known(tx: Tx, sku: str) -> UUID | None:
    """The id of a variant that this process has read before: a SKU never moves to another. No statement."""
    return remembered.of(tx).ids.get(sku)


def scales_known(tx: Tx, ids: Iterable[UUID]) -> list[int | None]:
    """The quantity scale of each variant, None where this process has not read it before: a SKU never changes its unit. No statement."""
    return remembered.of(tx).scales(ids)


async def of_products(tx: Tx, products: Sequence[UUID]) -> list[Variant]:
    """Every variant of the products, as they are shown. One statement."""
    return [variant_of(dict(row)) for row in await tx.rows(OF_PRODUCTS, products=list(products))]


async def by_skus(tx: Tx, skus: Sequence[str]) -> dict[str, Variant]:
    """Variants by exact SKU; unknown ones are absent. One statement."""
    names = list(dict.fromkeys(skus))
    known = remembered.of(tx)
    return {v.sku: v for v in await _stamped(tx, BY_SKUS, known, names, [known.ids.get(sku) for sku in names])}


async def _stamped(
    tx: Tx, statement: str, known: Remembered, names: Sequence[Any], ids: Sequence[UUID | None]
) -> list[Variant]:
    """What is as it was is not read again: its stamp, compared in this statement, proves it (decisions/0032)."""
    before = known.named(ids)
    found = []
    for variant_id, stamp, values in await tx.rows(statement, names=names, stamps=known.stamps(before, ids)):
        if values is None:
            found.append(before[variant_id][1])
            continue
        variant = variant_of(values)
        found.append(variant)
        if tx.reads_only and not variant.components:
            known.keep(stamp, variant)
    return found


async def variants_in(tx: Tx, category_codes: Sequence[str]) -> list[UUID]:
    """The variants that lie in any of the categories or below, published or not, by id; bundles are not among them. One statement."""
    return [row.id for row in await tx.rows(VARIANTS_IN, codes=list(category_codes))]


async def by_sku(tx: Tx, sku: str) -> Variant:
    """One variant by exact SKU. Raises UnknownSku."""
    found = await by_skus(tx, [sku])
    if sku not in found:
        raise UnknownSku(sku=sku)
    return found[sku]


STOPPED = """CASE WHEN v.bundle AND v.stop_sale_reason IS NULL THEN (
               SELECT min(own.stop_sale_reason) FROM catalog.components m JOIN catalog.variants own ON own.id = m.component_id
               WHERE m.bundle_id = v.id) ELSE v.stop_sale_reason END"""
"""A recall of a component stops its bundles."""
FULL = f"""
    SELECT v.id, v.sku, p.slug AS product, p.title, p.brand, v.options, v.option_texts, v.weight_grams, v.length_mm,
           v.width_mm, v.height_mm, v.tax_class, v.return_policy, r.change_of_mind_days, r.defect_days, p.published,
           v.sellable_from, v.sellable_until, {STOPPED} AS stop_sale_reason, v.maximum_per_order, v.quantity_unit, v.quantity_scale,
           v.tracking, v.when_out, v.preorder_until, CASE WHEN v.bundle THEN (
               SELECT jsonb_agg(jsonb_build_object('sku', own.sku, 'quantity', m.quantity) ORDER BY own.sku)
               FROM catalog.components m JOIN catalog.variants own ON own.id = m.component_id WHERE m.bundle_id = v.id) END AS components,
           p.media, v.version, coalesce((
               SELECT jsonb_agg(jsonb_build_object('code', b.code, 'kind', b.kind, 'quantity', b.quantity) ORDER BY b.quantity, b.code)
               FROM catalog.barcodes b WHERE b.variant_id = v.id), '[]') AS barcodes
    FROM catalog.variants v
    JOIN catalog.products p ON p.id = v.product_id
    JOIN catalog.return_policies r ON r.code = v.return_policy
"""  # noqa: S608
FULL_BY_SKU = FULL + " WHERE v.sku = :sku"
FULL_BY_PRODUCT = FULL + " WHERE v.product_id = :product ORDER BY v.position, v.sku"
FULL_BY_CODE = f"""
    SELECT full_row.*, hit.code AS hit_code, hit.kind AS hit_kind, hit.quantity AS hit_quantity
    FROM (
        SELECT variant_id, code, kind, quantity FROM catalog.barcodes WHERE code = ANY(CAST(:codes AS text[]))
        UNION ALL SELECT id, sku, 'sku', 1 FROM catalog.variants WHERE sku = :sku
    ) hit JOIN LATERAL ({FULL} WHERE v.id = hit.variant_id) full_row ON true
    ORDER BY hit.kind = 'sku', hit.kind = 'internal' LIMIT 1
"""  # noqa: S608
PRODUCT = """
    SELECT p.id, p.slug, p.brand, p.title, p.description, c.code AS category, p.options, p.media, p.published, p.version
    FROM catalog.products p JOIN catalog.categories c ON c.id = p.category_id WHERE p.slug = :slug
"""
VERSION = "SELECT version FROM catalog.products WHERE slug = :slug"
TREE = """
    SELECT c.code, c.name, c.path, coalesce(n.products, 0) AS products
    FROM catalog.categories c LEFT JOIN (
        SELECT a.code, count(*) AS products
        FROM catalog.products p JOIN catalog.categories own ON own.id = p.category_id, unnest(own.path) AS a(code)
        WHERE p.published GROUP BY a.code
    ) n ON n.code = c.code
    ORDER BY cardinality(c.path), c.position, c.code
"""


def view_of(row: Row, at: datetime) -> VariantView:
    """A row of FULL as clients see it at a moment."""
    refusal = refusal_of(row, at)
    unit = QuantityUnit(unit=row.quantity_unit, scale=row.quantity_scale) if row.quantity_unit else None
    return VariantView(
        sku=row.sku, product=row.product, title=row.title, brand=row.brand, options=row.options,
        option_texts=row.option_texts, weight_grams=row.weight_grams, length_mm=row.length_mm, width_mm=row.width_mm,
        height_mm=row.height_mm, tax_class=row.tax_class, return_policy=row.return_policy,
        change_of_mind_days=row.change_of_mind_days, defect_days=row.defect_days, sellable=refusal is None,
        refusal=refusal, sellable_from=row.sellable_from, sellable_until=row.sellable_until,
        stop_sale_reason=row.stop_sale_reason, maximum_per_order=row.maximum_per_order, quantity_unit=unit,
        tracking=row.tracking, when_out=row.when_out, preorder_until=row.preorder_until,
        components=[ComponentView(**component) for component in row.components or ()],
        media=row.media, version=row.version,
        barcodes=[
            BarcodeView(code=barcodes.shown(b["code"], b["kind"]), kind=b["kind"], quantity=b["quantity"])
            for b in row.barcodes
        ],
    )  # fmt: skip


async def variant(tx: Tx, *, sku: str) -> VariantView:
    """One variant by exact SKU. Raises UnknownSku."""
    row = await tx.first(FULL_BY_SKU, sku=sku)
    if row is None:
        raise UnknownSku(sku=sku)
    return view_of(row, tx.at)


async def product(tx: Tx, *, slug: str) -> ProductView:
    """A product with its variants, published or not. Raises UnknownProduct."""
    row = await tx.first(PRODUCT, slug=slug)
    if row is None:
        raise UnknownProduct(slug=slug)
    found = await tx.rows(FULL_BY_PRODUCT, product=row.id)
    return ProductView(
        slug=row.slug, brand=row.brand, title=row.title, description=row.description, category=row.category,
        options=row.options, media=row.media, published=row.published, version=row.version,
        variants=[view_of(each, tx.at) for each in found],
    )  # fmt: skip


async def version_of(tx: Tx, slug: str) -> int:
    """The version of a product; 0 when there is none."""
    return await tx.scalar(VERSION, slug=slug) or 0


async def tree(tx: Tx) -> list[CategoryView]:
    """All categories as a tree."""
    roots: list[CategoryView] = []
    by_code: dict[str, CategoryView] = {}
    for row in await tx.rows(TREE):
        node = CategoryView(code=row.code, name=row.name, products=row.products, children=[])
        by_code[row.code] = node
        (by_code[row.path[-2]].children if len(row.path) > 1 else roots).append(node)
    return roots


def hidden(row: Row, actor: Actor) -> bool:
    """Whether an unpublished product is kept from this caller: only staff, devices and servers with a scope see it."""
    return not row.published and actor.kind not in ("staff", "device", "system") and not actor.permissions


async def shown_variant(tx: Tx, actor: Actor, *, sku: str) -> VariantView:
    """One variant as this caller may see it. Raises UnknownSku."""
    row = await tx.first(FULL_BY_SKU, sku=sku)
    if row is None or hidden(row, actor):
        raise UnknownSku(sku=sku)
    return view_of(row, tx.at)


async def scan(tx: Tx, actor: Actor, *, data: str) -> ScanView:
    """What a scanner read. Raises BadCheckDigit, UnknownCode."""
    read = barcodes.parse(data)
    codes = [code for code in (read.gtin, read.text) if code]
    row = await tx.first(FULL_BY_CODE, codes=codes, sku=read.text)
    if row is None or hidden(row, actor):
        raise (BadCheckDigit if read.bad_check_digit else UnknownCode)(data=data)
    kind = row.hit_kind
    quantity = row.hit_quantity * (read.count or 1)
    measure = read.measures.get(row.quantity_unit or "")
    if measure is not None:
        quantity = int(measure.scaleb(row.quantity_scale)) or quantity
    return ScanView(
        sku=row.sku, quantity=quantity, understood_as=kind if kind in ("sku", "internal") else "gtin",
        gtin=row.hit_code if kind.startswith("gtin") else None, variant=view_of(row, tx.at),
    )  # fmt: skip


async def return_policies(tx: Tx, codes: Sequence[str]) -> dict[str, ReturnPolicy]:
    """Return policies by code, as a sale has noted them; unknown ones are absent. One statement."""
    rows = await tx.rows(
        "SELECT code, change_of_mind_days, defect_days FROM catalog.return_policies WHERE code = ANY(CAST(:codes AS text[]))",
        codes=list(codes),
    )
    return {row.code: ReturnPolicy(**row) for row in rows}


PATHS = """
SELECT v.id, c.path FROM catalog.variants v JOIN catalog.products p ON p.id = v.product_id
JOIN catalog.categories c ON c.id = p.category_id WHERE v.id = ANY(CAST(:ids AS uuid[]))
"""
KNOWN_CATEGORIES = "SELECT code FROM catalog.categories WHERE code = ANY(CAST(:codes AS text[]))"
OF_PRODUCT = "SELECT id FROM catalog.variants WHERE product_id = :product ORDER BY id"


async def category_paths(tx: Tx, variant_ids: Sequence[UUID]) -> dict[UUID, tuple[str, ...]]:
    """The codes of each variant's categories, from the root down to its own; unknown ids are absent. One statement."""
    return {row.id: tuple(row.path) for row in await tx.rows(PATHS, ids=list(variant_ids))}


async def check_categories(tx: Tx, codes: Sequence[str]) -> None:
    """One statement. Raises UnknownCategory for the first code that there is no category of."""
    known = {row.code for row in await tx.rows(KNOWN_CATEGORIES, codes=list(codes))}
    for code in codes:
        if code not in known:
            raise UnknownCategory(category=code)


async def variants_of_product(tx: Tx, product_id: UUID) -> list[UUID]:
    """The ids of a product's variants; none of an unknown one. One statement."""
    return [row.id for row in await tx.rows(OF_PRODUCT, product=product_id)]
