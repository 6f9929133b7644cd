"""Verbs of `catalog`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import Struct

from commerce.catalog import barcodes, bundles, events, queries
from commerce.catalog.errors import (
    BadProduct,
    BarcodeElsewhere,
    ProductChanged,
    SkuElsewhere,
    WholeChainOnly,
)
from commerce.catalog.schemas import (
    CategoryInput,
    ProductData,
    ProductInput,
    ProductView,
    ResumeSale,
    ReturnPolicyInput,
    StopSale,
    TaxClassInput,
    Upserted,
    VariantInput,
    VariantView,
)
from commerce.infra import outbox
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Problem
from commerce.kernel.ids import uuid7

WRITING = "SELECT pg_advisory_xact_lock(0x636174616c6f67)"
"""One writer of the catalog at a time: writing is rare, and SKUs, slugs and barcodes are unique across it."""

SET_TAX_CLASSES = """
INSERT INTO catalog.tax_classes (code, name) SELECT e->>'code', e->'name' FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS e
ON CONFLICT (code) DO UPDATE SET name = excluded.name
"""
SET_RETURN_POLICIES = """
INSERT INTO catalog.return_policies (code, name, change_of_mind_days, defect_days)
SELECT e->>'code', e->'name', CAST(e->>'change_of_mind_days' AS int), CAST(e->>'defect_days' AS int)
FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS e
ON CONFLICT (code) DO UPDATE SET name = excluded.name, change_of_mind_days = excluded.change_of_mind_days,
    defect_days = excluded.defect_days
"""
OLD_TAX_CLASSES = "SELECT code, name FROM catalog.tax_classes WHERE code = ANY(CAST(:codes AS text[])) ORDER BY code"
OLD_RETURN_POLICIES = """
SELECT code, name, change_of_mind_days, defect_days FROM catalog.return_policies WHERE code = ANY(CAST(:codes AS text[])) ORDER BY code
"""
CATEGORIES = """
SELECT c.code, c.id, c.path, c.name, c.position, p.code AS parent FROM catalog.categories c
LEFT JOIN catalog.categories p ON p.id = c.parent_id ORDER BY c.code
"""
UPSERT_CATEGORIES = """
INSERT INTO catalog.categories AS c (id, code, parent_id, path, name, position)
SELECT g.id, g.code, g.parent_id, ARRAY(SELECT jsonb_array_elements_text(g.path)), g.name, g.position
FROM jsonb_to_recordset(CAST(:rows AS jsonb))
     AS g(id uuid, code text, parent_id uuid, path jsonb, name jsonb, position int, n int)
ORDER BY g.n
ON CONFLICT (code) DO UPDATE SET parent_id = excluded.parent_id, path = excluded.path, name = excluded.name,
    position = excluded.position, version = c.version + CASE WHEN c.path = excluded.path THEN 0 ELSE 1 END
RETURNING c.id, c.code, c.version
"""
FAULTS = """
SELECT 'category' AS what, g.code AS key, NULL AS other FROM unnest(CAST(:categories AS text[])) AS g(code)
WHERE NOT EXISTS (SELECT 1 FROM catalog.categories c WHERE c.code = g.code)
UNION ALL
SELECT 'tax_class', g.code, NULL FROM unnest(CAST(:tax_classes AS text[])) AS g(code)
WHERE NOT EXISTS (SELECT 1 FROM catalog.tax_classes c WHERE c.code = g.code)
UNION ALL
SELECT 'return_policy', g.code, NULL FROM unnest(CAST(:policies AS text[])) AS g(code)
WHERE NOT EXISTS (SELECT 1 FROM catalog.return_policies c WHERE c.code = g.code)
UNION ALL
SELECT 'sku', g.sku, p.slug
FROM unnest(CAST(:skus AS text[]), CAST(:slugs AS text[])) AS g(sku, slug)
JOIN catalog.variants v ON v.sku = g.sku JOIN catalog.products p ON p.id = v.product_id WHERE p.slug <> g.slug
UNION ALL
SELECT 'quantity_unit', g.sku, concat_ws(' ', v.quantity_unit, v.quantity_scale)
FROM unnest(CAST(:skus AS text[]), CAST(:units AS text[]), CAST(:scales AS int[])) AS g(sku, unit, scale)
JOIN catalog.variants v ON v.sku = g.sku WHERE (v.quantity_unit, v.quantity_scale) IS DISTINCT FROM (g.unit, g.scale)
UNION ALL
SELECT CASE WHEN v.bundle THEN 'bundle' ELSE 'ordinary' END, g.sku, NULL
FROM unnest(CAST(:skus AS text[]), CAST(:bundles AS boolean[])) AS g(sku, bundle)
JOIN catalog.variants v ON v.sku = g.sku WHERE v.bundle <> g.bundle
UNION ALL
SELECT 'preorder_until', g.sku, NULL FROM unnest(CAST(:preorder_skus AS text[]), CAST(:preorder_until AS timestamptz[])) AS g(sku, until)
WHERE g.until <= :at AND NOT EXISTS (SELECT 1 FROM catalog.variants v WHERE v.sku = g.sku AND v.preorder_until = g.until)
UNION ALL
SELECT 'component', g.sku, CASE WHEN v.bundle THEN 'bundle' ELSE 'unknown' END FROM unnest(CAST(:components AS text[])) AS g(sku)
LEFT JOIN catalog.variants v ON v.sku = g.sku WHERE v.bundle IS NOT false
UNION ALL
SELECT 'barcode', b.code, v.sku
FROM unnest(CAST(:barcodes AS text[]), CAST(:barcode_skus AS text[])) AS g(code, sku)
JOIN catalog.barcodes b ON b.code = g.code JOIN catalog.variants v ON v.id = b.variant_id WHERE v.sku <> g.sku
"""
PUT_PRODUCTS = """
WITH given AS (
    SELECT g.*, c.id AS category_id FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS g(
        id uuid, slug text, brand text, title jsonb, description jsonb, category text, options jsonb, media jsonb, published boolean
    ) JOIN catalog.categories c ON c.code = g.category
), put AS (
    INSERT INTO catalog.products AS p
        (id, slug, brand, title, description, category_id, options, media, published, external_ids, created_at, updated_at)
    SELECT id, slug, brand, title, description, category_id, options, media, published, '{}', :at, :at FROM given ORDER BY id
    ON CONFLICT (slug) DO UPDATE SET brand = excluded.brand, title = excluded.title, description = excluded.description,
        category_id = excluded.category_id, options = excluded.options, media = excluded.media, published = excluded.published
    WHERE (p.brand, p.title, p.description, p.category_id, p.options, p.media, p.published) IS DISTINCT FROM
        (excluded.brand, excluded.title, excluded.description, excluded.category_id, excluded.options, excluded.media,
         excluded.published)
    RETURNING p.id, p.slug
)
SELECT g.slug, coalesce(old.id, g.id) AS id, old.id IS NULL AS created, put.id IS NOT NULL AS changed, old.version
FROM given g LEFT JOIN put ON put.slug = g.slug LEFT JOIN catalog.products old ON old.slug = g.slug
"""
PUT_VARIANTS = """
WITH given AS (
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS g(
        id uuid, product_id uuid, sku text, position int, options jsonb, option_texts jsonb, weight_grams int, length_mm int,
        width_mm int, height_mm int, tax_class text, return_policy text, sellable_from timestamptz, sellable_until timestamptz,
        stop_sale_reason text, maximum_per_order int, quantity_unit text, quantity_scale int, tracking text, when_out text,
        preorder_until timestamptz, bundle boolean
    )
), put AS (
    INSERT INTO catalog.variants AS v
        (id, product_id, sku, position, options, option_texts, weight_grams, length_mm, width_mm, height_mm, tax_class,
         return_policy, sellable_from, sellable_until, stop_sale_reason, stop_sale_at, maximum_per_order, quantity_unit,
         quantity_scale, tracking, when_out, preorder_until, bundle, external_ids, created_at, updated_at)
    SELECT id, product_id, sku, position, options, option_texts, weight_grams, length_mm, width_mm, height_mm, tax_class,
           return_policy, sellable_from, sellable_until, stop_sale_reason,
           CASE WHEN stop_sale_reason IS NOT NULL THEN CAST(:at AS timestamptz) END, maximum_per_order, quantity_unit,
           quantity_scale, tracking, when_out, preorder_until, bundle, '{}', :at, :at
    FROM given ORDER BY id
    ON CONFLICT (sku) DO UPDATE SET position = excluded.position, options = excluded.options,
        option_texts = excluded.option_texts, weight_grams = excluded.weight_grams, length_mm = excluded.length_mm,
        width_mm = excluded.width_mm, height_mm = excluded.height_mm, tax_class = excluded.tax_class,
        return_policy = excluded.return_policy, sellable_from = excluded.sellable_from,
        sellable_until = excluded.sellable_until, maximum_per_order = excluded.maximum_per_order,
        tracking = excluded.tracking, when_out = excluded.when_out, preorder_until = excluded.preorder_until,
        stop_sale_reason = coalesce(v.stop_sale_reason, excluded.stop_sale_reason),
        stop_sale_at = coalesce(v.stop_sale_at, excluded.stop_sale_at), version = v.version + 1, updated_at = :at
    WHERE (v.position, v.options, v.option_texts, v.weight_grams, v.length_mm, v.width_mm, v.height_mm, v.tax_class,
           v.return_policy, v.sellable_from, v.sellable_until, v.maximum_per_order, v.tracking, v.when_out,
           v.preorder_until) IS DISTINCT FROM
        (excluded.position, excluded.options, excluded.option_texts, excluded.weight_grams, excluded.length_mm,
         excluded.width_mm, excluded.height_mm, excluded.tax_class, excluded.return_policy, excluded.sellable_from,
         excluded.sellable_until, excluded.maximum_per_order, excluded.tracking, excluded.when_out, excluded.preorder_until)
        OR (v.stop_sale_reason IS NULL AND excluded.stop_sale_reason IS NOT NULL)
    RETURNING v.id, v.product_id
)
SELECT g.sku, coalesce(old.id, g.id) AS id, g.product_id, put.id IS NOT NULL AS changed
FROM given g LEFT JOIN catalog.variants old ON old.sku = g.sku LEFT JOIN put ON put.id = coalesce(old.id, g.id)
"""
PUT_BARCODES = """
WITH given AS (
    SELECT * FROM unnest(CAST(:codes AS text[]), CAST(:variants AS uuid[]), CAST(:kinds AS text[]), CAST(:quantities AS int[]))
        AS g(code, variant_id, kind, quantity)
), gone AS (
    DELETE FROM catalog.barcodes b WHERE b.variant_id = ANY(CAST(:of AS uuid[]))
        AND NOT EXISTS (SELECT 1 FROM given g WHERE g.code = b.code) RETURNING b.variant_id
), put AS (
    INSERT INTO catalog.barcodes AS b (code, variant_id, kind, quantity) SELECT code, variant_id, kind, quantity FROM given
    ON CONFLICT (code) DO UPDATE SET kind = excluded.kind, quantity = excluded.quantity
    WHERE (b.kind, b.quantity) IS DISTINCT FROM (excluded.kind, excluded.quantity)
    RETURNING b.variant_id
)
SELECT DISTINCT variant_id FROM (SELECT variant_id FROM gone UNION ALL SELECT variant_id FROM put) AS touched
"""
PUT_COMPONENTS = """
WITH given AS (
    SELECT g.bundle_id, v.id AS component_id, g.quantity
    FROM unnest(CAST(:bundles AS uuid[]), CAST(:skus AS text[]), CAST(:quantities AS int[])) AS g(bundle_id, sku, quantity)
    JOIN catalog.variants v ON v.sku = g.sku
), gone AS (
    DELETE FROM catalog.components c WHERE c.bundle_id = ANY(CAST(:bundles AS uuid[]))
        AND NOT EXISTS (SELECT 1 FROM given g WHERE (g.bundle_id, g.component_id) = (c.bundle_id, c.component_id))
    RETURNING c.bundle_id
), put AS (
    INSERT INTO catalog.components AS c (bundle_id, component_id, quantity) SELECT bundle_id, component_id, quantity FROM given
    ON CONFLICT (bundle_id, component_id) DO UPDATE SET quantity = excluded.quantity WHERE c.quantity <> excluded.quantity
    RETURNING c.bundle_id
)
SELECT bundle_id FROM gone UNION SELECT bundle_id FROM put
"""
INDEX_PRODUCTS = """
UPDATE catalog.products p SET
    search = setweight(to_tsvector('russian', coalesce(p.title->>'ru', '')), 'A')
        || setweight(to_tsvector('english', coalesce(p.title->>'en', '')), 'A')
        || setweight(to_tsvector('russian', coalesce(p.brand, '')), 'B')
        || setweight(to_tsvector('russian', w.ru), 'C') || setweight(to_tsvector('english', w.en), 'C')
        || setweight(to_tsvector('russian', w.skus), 'C')
        || setweight(to_tsvector('russian', coalesce(p.description->>'ru', '')), 'D')
        || setweight(to_tsvector('english', coalesce(p.description->>'en', '')), 'D'),
    version = p.version + CASE WHEN p.id = ANY(CAST(:created AS uuid[])) THEN 0 ELSE 1 END, updated_at = :at
FROM (
    SELECT v.product_id, string_agg(DISTINCT v.sku, ' ') AS skus,
           coalesce(string_agg(DISTINCT o.value, ' '), '') || ' ' || coalesce(string_agg(DISTINCT ru.value, ' '), '') AS ru,
           coalesce(string_agg(DISTINCT en.value, ' '), '') AS en
    FROM catalog.variants v
    LEFT JOIN LATERAL jsonb_each_text(v.options) o ON true
    LEFT JOIN LATERAL jsonb_each_text(v.option_texts->'ru') ru ON ru.key = o.key
    LEFT JOIN LATERAL jsonb_each_text(v.option_texts->'en') en ON en.key = o.key
    WHERE v.product_id = ANY(CAST(:changed AS uuid[])) GROUP BY v.product_id
) w
WHERE p.id = w.product_id RETURNING p.id, p.slug, p.version
"""
STOP_SALE = """
UPDATE catalog.variants SET stop_sale_reason = CAST(:reason AS text), version = version + 1, updated_at = :at,
    stop_sale_at = CASE WHEN CAST(:reason AS text) IS NOT NULL THEN CAST(:at AS timestamptz) END
WHERE sku = :sku AND (stop_sale_reason IS NULL) = (CAST(:reason AS text) IS NOT NULL)
RETURNING id, version, old.stop_sale_reason AS was
"""


async def lock(tx: Tx) -> None:
    """Be the one writer of the catalog until the commit."""
    await tx.execute(WRITING)


def allow(actor: Actor) -> None:
    """Raises WholeChainOnly: the catalog is the same everywhere."""
    if not actor.may("catalog.write", "*"):
        raise WholeChainOnly(permission="catalog.write")


class Fault(Struct, frozen=True, kw_only=True):
    """Why a product or one of its variants cannot be taken."""

    slug: str
    sku: str | None
    field: str
    reason: str
    kind: Literal["bad", "sku_elsewhere", "barcode_elsewhere"] = "bad"
    other: str = ""

    def problem(self) -> Problem:
        """The refusal that says so."""
        if self.kind == "sku_elsewhere":
            return SkuElsewhere(sku=self.sku, slug=self.other)
        if self.kind == "barcode_elsewhere":
            return BarcodeElsewhere(barcode=self.field, sku=self.other)
        return BadProduct(sku=self.sku or "", field=self.field, reason=self.reason)


async def set_tax_classes(tx: Tx, actor: Actor, *, classes: Sequence[TaxClassInput]) -> None:
    """Make or rename tax classes, by code."""
    codes = [one.code for one in classes]
    before = [dict(row) for row in await tx.rows(OLD_TAX_CLASSES, codes=codes)]
    await tx.execute(SET_TAX_CLASSES, rows=msgspec.json.encode(classes).decode())
    outbox.audit(tx, actor, "tax_classes.save", "tax_classes", ",".join(codes)[:200], before=before, after=classes)


async def set_return_policies(tx: Tx, actor: Actor, *, policies: Sequence[ReturnPolicyInput]) -> None:
    """Make or change return policies, by code. Orders keep the policy code; the days are those of today."""
    codes = [one.code for one in policies]
    before = [dict(row) for row in await tx.rows(OLD_RETURN_POLICIES, codes=codes)]
    await tx.execute(SET_RETURN_POLICIES, rows=msgspec.json.encode(policies).decode())
    outbox.audit(
        tx, actor, "return_policies.save", "return_policies", ",".join(codes)[:200], before=before, after=policies
    )


async def upsert_categories(tx: Tx, actor: Actor, *, categories: Sequence[CategoryInput]) -> None:
    """Make or change categories, by code; a parent exists or stands earlier in the set. Raises BadProduct."""
    await lock(tx)
    there = await tx.rows(CATEGORIES)
    known = {row.code: (row.id, list(row.path)) for row in there}
    rows: dict[str, dict[str, Any]] = {}
    before = {code: path for code, (_, path) in known.items()}
    for n, category in enumerate(categories):
        parent_id: UUID | None = None
        parent_path: list[str] = []
        if category.parent is not None:
            if category.parent not in known:
                raise BadProduct(sku="", field="parent", reason=f"there is no category {category.parent} yet")
            parent_id, parent_path = known[category.parent]
        if category.code in parent_path:
            raise BadProduct(sku="", field="parent", reason=f"{category.code} would lie below itself")
        own_id, old_path = known.get(category.code, (uuid7(), None))
        path = [*parent_path, category.code]
        if old_path is not None and old_path != path and any(
            code != category.code and category.code in other for code, (_, other) in known.items()
        ):  # fmt: skip
            raise BadProduct(sku="", field="parent", reason=f"{category.code} has sub-categories: move them first")
        known[category.code] = (own_id, path)
        rows[category.code] = {
            "id": own_id, "code": category.code, "parent_id": parent_id, "path": path, "name": category.name,
            "position": category.position, "n": n,
        }  # fmt: skip
    for row in await tx.rows(UPSERT_CATEGORIES, rows=msgspec.json.encode(list(rows.values())).decode()):
        if before.get(row.code, rows[row.code]["path"]) != rows[row.code]["path"]:
            outbox.record(tx, actor, events.CategoryMoved(aggregate_id=row.id, version=row.version, code=row.code))
    outbox.audit(
        tx, actor, "categories.save", "categories", ",".join(c.code for c in categories)[:200],
        before=[
            {"code": row.code, "parent": row.parent, "name": row.name, "position": row.position} for row in there if row.code in rows
        ],
        after=categories,
    )  # fmt: skip


def faults_within(products: Sequence[ProductInput]) -> list[Fault]:
    """What contradicts itself in the products given, without looking at what is there."""
    found: list[Fault] = []
    skus: set[str] = set()
    slugs: set[str] = set()
    codes: dict[str, str] = {}

    def bad(product: ProductInput, sku: str | None, field: str, reason: str) -> None:
        found.append(Fault(slug=product.slug, sku=sku, field=field, reason=reason))

    for product in products:
        if product.slug in slugs:
            bad(product, None, "slug", f"{product.slug} stands twice in one set")
        slugs.add(product.slug)
        if not any(product.title.values()):
            bad(product, None, "title", "give it in at least one language")
        options = {option.code for option in product.options}
        for variant in product.variants:
            if variant.sku in skus:
                bad(product, variant.sku, "sku", f"{variant.sku} stands twice in one set")
            skus.add(variant.sku)
            _faults_of_variant(product, variant, options, codes, bad)
    made_of = {
        variant.sku: [component.sku for component in variant.components]
        for product in products for variant in product.variants if variant.components is not None
    }  # fmt: skip
    for product in products:
        for variant in product.variants:
            chain = bundles.chain(variant.sku, made_of) if variant.components is not None else None
            if chain is not None:
                bad(product, variant.sku, "components", f"a bundle is made of ordinary variants alone: {chain}")
    return found


def _faults_of_variant(
    product: ProductInput, variant: VariantInput, options: set[str], codes: dict[str, str], bad: Any
) -> None:
    unknown = variant.options.keys() - options
    if unknown:
        bad(product, variant.sku, "options", f"{min(unknown)} is not among the options of the product")
    for name in ("sellable_from", "sellable_until"):
        moment = getattr(variant, name)
        if moment is not None and moment.tzinfo is None:
            bad(product, variant.sku, name, "give the moment with its offset, e.g. 2026-05-01T06:00:00Z")
            return
    if (
        variant.sellable_from is not None
        and variant.sellable_until is not None
        and variant.sellable_until <= variant.sellable_from
    ):
        bad(product, variant.sku, "sellable_until", "it must lie after sellable_from")
    wrong = bundles.contradiction(variant)
    if wrong is not None:
        bad(product, variant.sku, *wrong)
    for barcode in variant.barcodes or ():
        kind = barcode.kind or barcodes.kind_of(barcode.code)
        if kind != "internal" and barcodes.LENGTHS.get(len(barcode.code)) != kind:
            bad(product, variant.sku, "barcodes", f"{barcode.code} has not the length of a {kind}")
        elif kind != "internal" and barcodes.gtin14(barcode.code) is None:
            bad(product, variant.sku, "barcodes", f"the check digit of {barcode.code} is wrong")
        elif (
            barcode.kind is None
            and kind == "internal"
            and barcode.code.isdigit()
            and len(barcode.code) in barcodes.LENGTHS
        ):
            bad(
                product,
                variant.sku,
                "barcodes",
                f"the check digit of {barcode.code} is wrong; say kind internal if it is none",
            )
        key = barcodes.stored(barcode.code, kind)
        if key in codes:
            bad(product, variant.sku, "barcodes", f"{barcode.code} stands for {codes[key]} already")
        codes[key] = variant.sku


async def faults_against(tx: Tx, products: Sequence[ProductInput]) -> list[Fault]:
    """What of the products given does not fit what is there. One statement."""
    pairs = [(product, variant) for product in products for variant in product.variants]
    codes = [
        (barcodes.stored(b.code, b.kind or barcodes.kind_of(b.code)), b.code, product, variant)
        for product, variant in pairs
        for b in variant.barcodes or ()
    ]
    waiting = [(product, variant) for product, variant in pairs if variant.preorder_until is not None]
    rows = await tx.rows(
        FAULTS,
        categories=sorted({product.category for product in products}),
        tax_classes=sorted({variant.tax_class for _, variant in pairs}),
        policies=sorted({variant.return_policy for _, variant in pairs}),
        skus=[variant.sku for _, variant in pairs], slugs=[product.slug for product, _ in pairs],
        units=[variant.quantity_unit.unit if variant.quantity_unit else None for _, variant in pairs],
        scales=[variant.quantity_unit.scale if variant.quantity_unit else 0 for _, variant in pairs],
        bundles=[variant.components is not None for _, variant in pairs],
        components=sorted({component.sku for _, variant in pairs for component in variant.components or ()}),
        preorder_skus=[variant.sku for _, variant in waiting], preorder_until=[v.preorder_until for _, v in waiting],
        at=tx.at, barcodes=[key for key, *_ in codes], barcode_skus=[variant.sku for *_, variant in codes],
    )  # fmt: skip
    if not rows:
        return []
    wrong: dict[tuple[str, str], str] = {(row.what, row.key): row.other or "" for row in rows}
    found: list[Fault] = []
    for product in products:
        if ("category", product.category) in wrong:
            found.append(
                Fault(slug=product.slug, sku=None, field="category", reason=f"there is no category {product.category}")
            )
    for product, variant in pairs:
        for field, code, noun in (
            ("tax_class", variant.tax_class, "tax class"),
            ("return_policy", variant.return_policy, "return policy"),
        ):
            if (field, code) in wrong:
                found.append(
                    Fault(slug=product.slug, sku=variant.sku, field=field, reason=f"there is no {noun} {code}")
                )
        elsewhere = wrong.get(("sku", variant.sku))
        if elsewhere is not None:
            found.append(
                Fault(
                    slug=product.slug, sku=variant.sku, field="sku", kind="sku_elsewhere", other=elsewhere,
                    reason=f"{variant.sku} is a variant of {elsewhere}",
                )
            )  # fmt: skip
        elif ("quantity_unit", variant.sku) in wrong:
            found.append(
                Fault(
                    slug=product.slug, sku=variant.sku, field="quantity_unit",
                    reason="the unit of a variant never changes: stock and orders count in it",
                )
            )  # fmt: skip
    found += _faults_of_bundles(pairs, wrong)
    for key, code, product, variant in codes:
        owner = wrong.get(("barcode", key))
        if owner is not None:
            found.append(
                Fault(
                    slug=product.slug, sku=variant.sku, field=code, kind="barcode_elsewhere", other=owner,
                    reason=f"the barcode {code} stands for {owner}",
                )
            )  # fmt: skip
    return found


def _faults_of_bundles(
    pairs: Sequence[tuple[ProductInput, VariantInput]], wrong: Mapping[tuple[str, str], str]
) -> list[Fault]:
    """What does not fit of waiting and of components, given the rows of FAULTS."""
    found: list[Fault] = []
    given = {variant.sku: variant.components is not None for _, variant in pairs}

    def bad(product: ProductInput, sku: str, field: str, reason: str) -> None:
        found.append(Fault(slug=product.slug, sku=sku, field=field, reason=reason))

    for product, variant in pairs:
        sku = variant.sku
        if ("preorder_until", sku) in wrong:
            bad(product, sku, "preorder_until", "it must lie ahead")
        if ("ordinary", sku) in wrong:
            bad(
                product, sku, "components", f"{sku} has stock of its own and stays so: give the bundle a SKU of its own"
            )
            continue
        refused = bundles.of_a_bundle(variant) if ("bundle", sku) in wrong else None
        if refused is not None:
            bad(product, sku, *refused)
        for component in variant.components or ():
            known = wrong.get(("component", component.sku))
            if known == "unknown" and component.sku not in given:
                bad(product, sku, "components", f"there is no variant {component.sku}")
                break
            if known == "bundle" and not given.get(component.sku):
                chain = bundles.ARROW.join((sku, component.sku))
                bad(product, sku, "components", f"a bundle is made of ordinary variants alone: {chain}")
                break
    return found


def faults_of_the_left_out(products: Sequence[ProductInput], found: Sequence[Fault]) -> list[Fault]:
    """Bundles of variants that are left out because of a fault of their own."""
    wrong = {(fault.slug, fault.sku) for fault in found}
    left_out = {
        variant.sku
        for product in products for variant in product.variants
        if not wrong.isdisjoint({(product.slug, None), (product.slug, variant.sku)})
    }  # fmt: skip
    return [
        Fault(slug=product.slug, sku=variant.sku, field="components", reason=f"its component {component.sku} has a fault")
        for product in products for variant in product.variants if variant.sku not in left_out
        for component in variant.components or () if component.sku in left_out
    ]  # fmt: skip


async def upsert_products(tx: Tx, actor: Actor, *, products: Sequence[ProductInput]) -> Upserted:
    """Make or change products by slug and their variants by SKU, all or nothing; at most some thousand variants at once.

    A product that stays the same keeps its version. Seven statements, whatever the number, and one more for
    bundles. Raises BadProduct, SkuElsewhere, BarcodeElsewhere for the first fault.
    """
    await lock(tx)
    for fault in faults_within(products) or await faults_against(tx, products):
        raise fault.problem()
    return await put_products(tx, actor, products)


async def put_products(tx: Tx, actor: Actor, products: Sequence[ProductInput]) -> Upserted:
    """Write products that have been checked, under the catalog's lock."""
    rows = await tx.rows(
        PUT_PRODUCTS, at=tx.at,
        rows=msgspec.json.encode([
            {
                "id": uuid7(), "slug": p.slug, "brand": p.brand, "title": p.title, "description": p.description,
                "category": p.category, "options": p.options, "media": p.media, "published": p.published,
            }
            for p in products
        ]).decode(),
    )  # fmt: skip
    by_slug = {row.slug: row for row in rows}
    pairs = [(by_slug[p.slug].id, n, variant) for p in products for n, variant in enumerate(p.variants)]
    rows = await tx.rows(
        PUT_VARIANTS, at=tx.at,
        rows=msgspec.json.encode([_variant_row(product_id, n, variant) for product_id, n, variant in pairs]).decode(),
    )  # fmt: skip
    ids: dict[str, UUID] = {row.sku: row.id for row in rows}
    changed = {row.id for row in by_slug.values() if row.changed} | {row.product_id for row in rows if row.changed}
    product_of = {row.id: row.product_id for row in rows}
    labels = [
        (ids[variant.sku], b.code, b.kind or barcodes.kind_of(b.code), b.quantity)
        for _, _, variant in pairs for b in variant.barcodes or ()
    ]  # fmt: skip
    touched = await tx.rows(
        PUT_BARCODES, codes=[barcodes.stored(code, kind) for _, code, kind, _ in labels],
        variants=[label[0] for label in labels], kinds=[label[2] for label in labels],
        quantities=[label[3] for label in labels],
        of=[ids[variant.sku] for _, _, variant in pairs if variant.barcodes is not None],
    )  # fmt: skip
    changed |= {product_of[row.variant_id] for row in touched}
    parts = [(ids[variant.sku], part) for _, _, variant in pairs for part in variant.components or ()]
    if parts:
        touched = await tx.rows(
            PUT_COMPONENTS, bundles=[bundle for bundle, _ in parts], skus=[part.sku for _, part in parts],
            quantities=[part.quantity for _, part in parts],
        )  # fmt: skip
        changed |= {product_of[row.bundle_id] for row in touched}
    created = {row.id for row in by_slug.values() if row.created}
    if changed:
        saved = await tx.rows(INDEX_PRODUCTS, changed=list(changed), created=list(created), at=tx.at)
        for row in saved:
            outbox.record(tx, actor, events.ProductSaved(aggregate_id=row.id, version=row.version, slug=row.slug))
            outbox.audit(
                tx, actor, "product.save", "product", row.id,
                before=None if row.id in created else {"version": row.version - 1}, after={"slug": row.slug, "version": row.version},
            )  # fmt: skip
    return Upserted(
        products_created=len(created), products_changed=len(changed - created),
        products_unchanged=len(by_slug) - len(changed | created), variants=len(pairs), variant_ids=ids,
    )  # fmt: skip


def _variant_row(product_id: UUID, position: int, variant: VariantInput) -> dict[str, Any]:
    unit = variant.quantity_unit
    return {
        "id": uuid7(), "product_id": product_id, "sku": variant.sku, "position": position, "options": variant.options,
        "option_texts": variant.option_texts, "weight_grams": variant.weight_grams, "length_mm": variant.length_mm,
        "width_mm": variant.width_mm, "height_mm": variant.height_mm, "tax_class": variant.tax_class,
        "return_policy": variant.return_policy, "sellable_from": variant.sellable_from,
        "sellable_until": variant.sellable_until, "stop_sale_reason": variant.stop_sale_reason,
        "maximum_per_order": variant.maximum_per_order, "quantity_unit": unit.unit if unit else None,
        "quantity_scale": unit.scale if unit else 0, "tracking": variant.tracking, "when_out": variant.when_out,
        "preorder_until": variant.preorder_until, "bundle": variant.components is not None,
    }  # fmt: skip


async def save_product(tx: Tx, actor: Actor, *, slug: str, command: ProductData, if_match: int | None) -> ProductView:
    """Make or change one product with its variants. Raises ProductChanged, BadProduct, SkuElsewhere, BarcodeElsewhere."""
    allow(actor)
    await lock(tx)
    if if_match is not None:
        version = await queries.version_of(tx, slug)
        if version != if_match:
            raise ProductChanged(seen=if_match, version=version)
    product = ProductInput(slug=slug, **{name: getattr(command, name) for name in ProductData.__struct_fields__})
    for fault in faults_within([product]) or await faults_against(tx, [product]):
        raise fault.problem()
    await put_products(tx, actor, [product])
    return await queries.product(tx, slug=slug)


async def stop_sale(tx: Tx, actor: Actor, *, sku: str, command: StopSale) -> VariantView:
    """Recall a variant: from now on no channel sells it. A second recall changes nothing. Raises UnknownSku."""
    allow(actor)
    row = await tx.first(STOP_SALE, sku=sku, reason=command.reason, at=tx.at)
    if row is not None:
        outbox.record(tx, actor, events.SaleStopped(aggregate_id=row.id, version=row.version, sku=sku))
        outbox.audit(
            tx, actor, "variant.stop_sale", "variant", row.id,
            before={"sku": sku, "stopped": row.was}, after={"sku": sku, "reason": command.reason},
        )  # fmt: skip
    return await queries.variant(tx, sku=sku)


async def resume_sale(tx: Tx, actor: Actor, *, sku: str, command: ResumeSale) -> VariantView:
    """Lift a recall. Resuming what is not stopped changes nothing. Raises UnknownSku."""
    allow(actor)
    row = await tx.first(STOP_SALE, sku=sku, reason=None, at=tx.at)
    if row is not None:
        outbox.record(tx, actor, events.SaleResumed(aggregate_id=row.id, version=row.version, sku=sku))
        outbox.audit(
            tx, actor, "variant.resume_sale", "variant", row.id,
            before={"sku": sku, "stopped": row.was}, after={"sku": sku, "reason": command.reason},
        )  # fmt: skip
    return await queries.variant(tx, sku=sku)


__all__ = [
    "Fault",
    "faults_against",
    "faults_of_the_left_out",
    "faults_within",
    "lock",
    "put_products",
    "resume_sale",
    "save_product",
    "set_return_policies",
    "set_tax_classes",
    "stop_sale",
    "upsert_categories",
    "upsert_products",
]
