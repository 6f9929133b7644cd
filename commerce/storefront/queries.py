"""Reads of `storefront`: the only joins over tables of several rooms, one statement per list.

A list needs only a band of availability, so it reads at most FEW + 1 level rows with goods per product, however many stores there
are. Goods of an expired reservation count as free, swept or not (DESIGN 6).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from uuid import UUID

from commerce.catalog import QuantityUnit, UnknownProduct, UnknownSku, refusal_of
from commerce.infra.connections import Row
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.money import Money
from commerce.kernel.paging import Page, decode_cursor, page_of
from commerce.prices import NoPrice
from commerce.storefront.schemas import (
    FEW,
    Availability,
    CurrentPrice,
    ProductCard,
    ProductPage,
    StoreAvailability,
    VariantOffer,
)

QUERY = "(websearch_to_tsquery('russian', :q) || websearch_to_tsquery('english', :plain))"
EXCLUDED = re.compile(r"(^|\s)-(\"[^\"]*\"?|\S+)")
RANKED = "(websearch_to_tsquery('russian', :wanted) || websearch_to_tsquery('english', :wanted))"
CATEGORY = "c.path @> ARRAY[CAST(:category AS text)]"
BRAND = "p.brand = CAST(:brand AS text)"
SEARCH = f"p.search @@ {QUERY}"
AFTER = "p.id > CAST(:after AS uuid)"
AFTER_RANK = "(-r.rank, p.id) > (-CAST(:rank AS int), CAST(:after AS uuid))"
WHOLE = """count(*) = (SELECT count(*) FROM catalog.components WHERE bundle_id = v.id)
            AND min((l.available + coalesce(e.quantity, 0) - l.safety_stock) / m.quantity) > 0"""
"""A place has a bundle when it has all components of it."""
WAITING = """(v.when_out = 'backorder' OR v.when_out = 'preorder' AND v.preorder_until > :at)
      AND NOT x.inspect AND x.received + x.cancelled + x.promised < x.quantity"""
"""A variant may wait for what is announced, open and promised to nobody."""
SOONEST = "min(x.expected_on) FILTER (WHERE x.expected_on >= (:at AT TIME ZONE 'UTC')::date)"
"""A day that has passed without the goods tells nothing."""
CARDS = """
WITH page AS MATERIALIZED (
    SELECT p.id, p.slug, p.title, p.brand, p.media->0->>'url' AS media, c.code AS category, {rank} AS rank
    FROM catalog.products p JOIN catalog.categories c ON c.id = p.category_id {ranking}
    WHERE p.published {conditions} ORDER BY {order} LIMIT :most
), shut AS MATERIALIZED (
    SELECT ARRAY(
        SELECT id FROM locations.locations
        WHERE NOT roles && ARRAY['sells', 'ships', 'pickup'] OR opened_on > (:at AT TIME ZONE time_zone)::date
           OR closed_on <= (:at AT TIME ZONE time_zone)::date OR paused_until > :at
    ) AS ids
), expired AS MATERIALIZED (
    SELECT location_id, variant_id, sum(quantity_open) AS quantity FROM stock.reservations
    WHERE state = 'reserved' AND bucket = 'reserved' AND expires_at <= :at GROUP BY location_id, variant_id
)
SELECT page.*, offer.lowest, offer.highest, offer.currency, offer.variants, stock.ats, stock.step,
    CASE WHEN offer.bundled THEN (
        SELECT CAST(sum(found.bundles) AS bigint) FROM (
            SELECT min((l.available + coalesce(e.quantity, 0) - l.safety_stock) / m.quantity) AS bundles
            FROM catalog.variants v JOIN catalog.components m ON m.bundle_id = v.id
            JOIN catalog.variants own ON own.id = m.component_id JOIN stock.levels l ON l.variant_id = m.component_id
            LEFT JOIN expired e ON e.location_id = l.location_id AND e.variant_id = l.variant_id
            WHERE v.product_id = page.id AND v.stop_sale_reason IS NULL
              AND (v.sellable_from IS NULL OR v.sellable_from <= :at) AND (v.sellable_until IS NULL OR v.sellable_until > :at)
              AND l.location_id <> ALL ((SELECT ids FROM shut)::uuid[])
            GROUP BY v.id, l.location_id HAVING {whole} AND bool_and(own.stop_sale_reason IS NULL)
            LIMIT {rows}
        ) found
    ) END AS bundles,
    CASE WHEN offer.waits AND stock.ats IS NULL THEN (
        SELECT ARRAY[min(x.expected_on), {soonest}]
        FROM catalog.variants v JOIN stock.expected x ON x.variant_id = v.id
        WHERE v.product_id = page.id AND v.stop_sale_reason IS NULL
          AND (v.sellable_from IS NULL OR v.sellable_from <= :at) AND (v.sellable_until IS NULL OR v.sellable_until > :at)
          AND {waiting} AND x.location_id <> ALL ((SELECT ids FROM shut)::uuid[])
    ) END AS announced
FROM page
LEFT JOIN LATERAL (
    SELECT min(price.amount) AS lowest, max(price.amount) AS highest, min(price.currency) AS currency, count(*) AS variants,
           bool_or(v.bundle) AS bundled, bool_or(v.when_out <> 'deny') AS waits
    FROM catalog.variants v LEFT JOIN LATERAL (
        SELECT amount, currency FROM prices.prices
        WHERE variant_id = v.id AND valid_from <= :at ORDER BY valid_from DESC LIMIT 1
    ) price ON true
    WHERE v.product_id = page.id
) offer ON true
LEFT JOIN LATERAL (
    SELECT CAST(sum(found.ats) AS bigint) AS ats, max(found.step) AS step FROM (
        SELECT l.available + coalesce(e.quantity, 0) - l.safety_stock AS ats, 10 ^ v.quantity_scale AS step
        FROM catalog.variants v JOIN stock.levels l ON l.variant_id = v.id
        LEFT JOIN expired e ON e.location_id = l.location_id AND e.variant_id = l.variant_id
        WHERE v.product_id = page.id AND v.stop_sale_reason IS NULL AND (v.sellable_from IS NULL OR v.sellable_from <= :at)
          AND (v.sellable_until IS NULL OR v.sellable_until > :at)
          AND l.available + coalesce(e.quantity, 0) > l.safety_stock
          AND l.location_id <> ALL ((SELECT ids FROM shut)::uuid[])
        LIMIT {rows}
    ) found
) stock ON true
ORDER BY {outer}
"""


@lru_cache
def cards_statement(*, category: bool, brand: bool, search: bool, ranked: bool, later: bool) -> str:
    """The statement of a list with these filters: each combination has its own plan."""
    conditions = [
        text for text, wanted in ((CATEGORY, category), (BRAND, brand), (SEARCH, search), (AFTER, later and not ranked),
        (AFTER_RANK, later and ranked)) if wanted
    ]  # fmt: skip
    return CARDS.format(
        rank="r.rank" if ranked else "0",
        ranking=f"CROSS JOIN LATERAL (SELECT CAST(ts_rank(p.search, {RANKED}) * 1000000 AS int) AS rank) r"
        if ranked
        else "",
        conditions="".join(f" AND {condition}" for condition in conditions),
        order="r.rank DESC, p.id" if ranked else "p.id",
        outer="page.rank DESC, page.id" if ranked else "page.id",
        rows=FEW + 1, whole=WHOLE, soonest=SOONEST, waiting=WAITING,
    )  # fmt: skip


def band(available: int, step: int = 1, *, announced: bool = False) -> Availability:
    """`out`, `expected`, `few_left` or `in_stock` of a number of steps; one unit is so many steps."""
    if available <= 0:
        return "expected" if announced else "out"
    return "few_left" if available <= FEW * step else "in_stock"


def card_of(row: Row) -> ProductCard:
    """A row of CARDS."""
    price = None if row.lowest is None else Money(row.lowest, row.currency)
    step = int(row.step or 1)
    announced, soonest = row.announced or (None, None)
    return ProductCard(
        slug=row.slug, title=row.title, brand=row.brand, category=row.category, media=row.media, price=price,
        price_to=None if price is None or row.highest == row.lowest else Money(row.highest, row.currency),
        availability=band((row.ats or 0) + (row.bundles or 0) * step, step, announced=announced is not None),
        expected_on=soonest, variants=row.variants,
    )  # fmt: skip


async def products(
    tx: Tx, *, category: str | None, brand: str | None, q: str | None, limit: int, cursor: str | None
) -> Page[ProductCard]:
    """Published products of a category and those below it, of a brand, matching a text; in the order they were made. One statement."""
    statement = cards_statement(
        category=category is not None, brand=brand is not None, search=q is not None, ranked=False,
        later=cursor is not None,
    )  # fmt: skip
    after = decode_cursor(cursor, UUID)[0] if cursor is not None else None
    rows = await tx.rows(
        statement,
        _given(category=category, brand=brand, q=q, plain=plain(q), after=after) | {"at": tx.at, "most": limit + 1},
    )
    return page_of(rows, limit, card_of, lambda row: (row.id,))


async def search(tx: Tx, *, q: str, limit: int, cursor: str | None) -> Page[ProductCard]:
    """Published products that match a text in Russian or English, the best first. One statement."""
    statement = cards_statement(category=False, brand=False, search=True, ranked=True, later=cursor is not None)
    rank, after = decode_cursor(cursor, int, UUID) if cursor is not None else (None, None)
    rows = await tx.rows(
        statement,
        _given(q=q, plain=plain(q), wanted=EXCLUDED.sub(" ", q), rank=rank, after=after)
        | {"at": tx.at, "most": limit + 1},
    )
    return page_of(rows, limit, card_of, lambda row: (row.rank, row.id))


def plain(q: str | None) -> str | None:
    """The words to look up in English too: none when some are excluded, for what one language excludes the other would let in."""
    return "" if q is not None and EXCLUDED.search(q) else q


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


PRICE = """
    SELECT amount, currency, valid_from FROM prices.prices
    WHERE variant_id = v.id AND valid_from <= :at ORDER BY valid_from DESC LIMIT 1
"""
OPEN = """s.roles && ARRAY['sells', 'ships', 'pickup'] AND s.opened_on <= (:at AT TIME ZONE s.time_zone)::date
  AND (s.closed_on IS NULL OR s.closed_on > (:at AT TIME ZONE s.time_zone)::date)"""
"""Places that work."""
PRODUCT = f"""
SELECT v.sku, v.options, v.option_texts, v.sellable_from, v.sellable_until, v.maximum_per_order, v.quantity_unit, v.quantity_scale,
       v.bundle, price.amount, price.currency, coming.announced, coming.expected_on,
       CASE WHEN v.bundle AND v.stop_sale_reason IS NULL THEN (
           SELECT min(own.stop_sale_reason) FROM catalog.components m JOIN catalog.variants own ON own.id = m.component_id
           WHERE m.bundle_id = v.id) ELSE v.stop_sale_reason END AS stop_sale_reason,
       CASE WHEN v.n = 1 THEN p.title END AS title, CASE WHEN v.n = 1 THEN p.description END AS description,
       CASE WHEN v.n = 1 THEN p.options END AS product_options, CASE WHEN v.n = 1 THEN p.media END AS media,
       true AS published, p.brand, c.path
FROM catalog.products p
JOIN catalog.categories c ON c.id = p.category_id
JOIN LATERAL (
    SELECT *, row_number() OVER (ORDER BY position, sku) AS n FROM catalog.variants WHERE product_id = p.id
) v ON true
LEFT JOIN LATERAL ({PRICE}) price ON true
LEFT JOIN LATERAL (
    SELECT count(*) > 0 AS announced, {SOONEST} AS expected_on
    FROM stock.expected x JOIN locations.locations s ON s.id = x.location_id
    WHERE x.variant_id = v.id AND {WAITING} AND NOT coalesce(s.paused_until > :at, false) AND {OPEN}
) coming ON true
WHERE p.slug = :slug AND p.published ORDER BY v.n
"""  # noqa: S608
EXPIRED = """
    LEFT JOIN LATERAL (
        SELECT sum(quantity_open) AS quantity FROM stock.reservations r
        WHERE l.reserved > 0 AND r.location_id = l.location_id AND r.variant_id = l.variant_id AND r.quantity_open > 0
          AND r.state = 'reserved' AND r.bucket = 'reserved' AND r.expires_at <= :at
    ) e ON true
"""
GOODS = f"""
    SELECT l.location_id, jsonb_object_agg(v.sku, l.available + coalesce(e.quantity, 0) - l.safety_stock) AS available
    FROM catalog.products p JOIN catalog.variants v ON v.product_id = p.id JOIN stock.levels l ON l.variant_id = v.id {EXPIRED}
    WHERE p.slug = :slug AND l.available + coalesce(e.quantity, 0) > l.safety_stock GROUP BY l.location_id
"""  # noqa: S608
GOODS_AND_BUNDLES = f"""
    SELECT location_id, jsonb_object_agg(sku, available) AS available FROM (
        SELECT l.location_id, v.sku, l.available + coalesce(e.quantity, 0) - l.safety_stock AS available
        FROM catalog.products p JOIN catalog.variants v ON v.product_id = p.id JOIN stock.levels l ON l.variant_id = v.id {EXPIRED}
        WHERE p.slug = :slug AND NOT v.bundle AND l.available + coalesce(e.quantity, 0) > l.safety_stock
        UNION ALL
        SELECT l.location_id, v.sku, min((l.available + coalesce(e.quantity, 0) - l.safety_stock) / m.quantity)
        FROM catalog.products p JOIN catalog.variants v ON v.product_id = p.id JOIN catalog.components m ON m.bundle_id = v.id
        JOIN stock.levels l ON l.variant_id = m.component_id {EXPIRED}
        WHERE p.slug = :slug GROUP BY v.id, v.sku, l.location_id HAVING {WHOLE}
    ) made GROUP BY location_id
"""  # noqa: S608
STORES = """
WITH goods AS ({goods})
SELECT s.code, s.name, s.address->>'city' AS city, s.roles, s.latitude_e6, s.longitude_e6,
       coalesce(s.paused_until > :at, false) AS paused, coalesce(goods.available, '{{}}') AS available
FROM locations.locations s LEFT JOIN goods ON goods.location_id = s.id
WHERE {open}
ORDER BY s.code
"""
STORES_OF_GOODS = STORES.format(goods=GOODS, open=OPEN)
STORES_OF_BUNDLES = STORES.format(goods=GOODS_AND_BUNDLES, open=OPEN)


def shows_exactly(tx: Tx, actor: Actor) -> bool:
    """Whether a caller is told how many there are, however many: staff, whoever may read stock, and shoppers where the installation
    shows quantities."""
    return tx.show_quantities or actor.kind == "staff" or actor.may("stock.read")


async def product(tx: Tx, actor: Actor, *, slug: str) -> ProductPage:
    """A published product with its variants, prices and what every open place has of it: to shoppers up to the least that is not
    `few_left`, unless the installation shows quantities. Two statements. Raises UnknownProduct."""
    rows = await tx.rows(PRODUCT, slug=slug, at=tx.at)
    if not rows:
        raise UnknownProduct(slug=slug)
    totals: dict[str, int] = {}
    plenty = {} if shows_exactly(tx, actor) else {row.sku: FEW * 10**row.quantity_scale + 1 for row in rows}
    stores = []
    goods = STORES_OF_BUNDLES if any(row.bundle for row in rows) else STORES_OF_GOODS
    for row in await tx.rows(goods, slug=slug, at=tx.at):
        if not row.paused:
            for sku, quantity in row.available.items():
                totals[sku] = totals.get(sku, 0) + quantity
        available = row.available
        if plenty:
            available = {sku: min(quantity, plenty[sku]) for sku, quantity in available.items()}
        stores.append(
            StoreAvailability(
                code=row.code, name=row.name, city=row.city, pickup="pickup" in row.roles, sells="sells" in row.roles,
                ships="ships" in row.roles, paused=row.paused, latitude_e6=row.latitude_e6,
                longitude_e6=row.longitude_e6, available=available,
            )
        )  # fmt: skip
    head = rows[0]
    return ProductPage(
        slug=slug, title=head.title, description=head.description, brand=head.brand, category=head.path,
        options=head.product_options, media=head.media, stores=stores,
        variants=[_offer(row, tx, totals.get(row.sku, 0)) for row in rows],
    )  # fmt: skip


def _offer(row: Row, tx: Tx, available: int) -> VariantOffer:
    refusal = refusal_of(row, tx.at) or ("no_price" if row.amount is None else None)
    return VariantOffer(
        sku=row.sku, options=row.options, option_texts=row.option_texts,
        price=None if row.amount is None else Money(row.amount, row.currency), sellable=refusal is None, refusal=refusal,
        sellable_from=row.sellable_from,
        availability="out" if refusal else band(available, 10**row.quantity_scale, announced=row.announced),
        expected_on=None if refusal or available > 0 else row.expected_on,
        maximum_per_order=row.maximum_per_order, quantity_unit=_unit(row),
    )  # fmt: skip


def _unit(row: Row) -> QuantityUnit | None:
    return QuantityUnit(unit=row.quantity_unit, scale=row.quantity_scale) if row.quantity_unit else None


CURRENT_PRICE = f"""
SELECT v.quantity_unit, v.quantity_scale, price.amount, price.currency, price.valid_from
FROM catalog.variants v JOIN catalog.products p ON p.id = v.product_id LEFT JOIN LATERAL ({PRICE}) price ON true
WHERE v.sku = :sku AND p.published
"""  # noqa: S608


async def current_price(tx: Tx, *, sku: str) -> CurrentPrice:
    """What a variant costs now. Raises UnknownSku, NoPrice."""
    row = await tx.first(CURRENT_PRICE, sku=sku, at=tx.at)
    if row is None:
        raise UnknownSku(sku=sku)
    if row.amount is None:
        raise NoPrice(sku=sku)
    return CurrentPrice(
        sku=sku, price=Money(row.amount, row.currency), valid_from=row.valid_from, quantity_unit=_unit(row)
    )
