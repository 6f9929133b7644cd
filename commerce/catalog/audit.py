"""Invariants of `catalog`."""

from __future__ import annotations

from commerce.infra.audit import Invariant

INVARIANTS = [
    Invariant(
        9,
        "a category's path is its parent's path and itself",
        """
        SELECT c.code, c.path, p.path AS parent_path FROM catalog.categories c
        LEFT JOIN catalog.categories p ON p.id = c.parent_id
        WHERE c.path <> coalesce(p.path, '{}') || c.code
        """,
    ),
    Invariant(
        9,
        "a GTIN is kept as 14 digits whose check digit is right",
        """
        SELECT b.code, b.kind FROM catalog.barcodes b
        WHERE b.kind <> 'internal' AND (b.code !~ '^[0-9]{14}$' OR (
            SELECT sum(CAST(substr(b.code, n, 1) AS int) * CASE WHEN n % 2 = 1 THEN 3 ELSE 1 END) % 10
            FROM generate_series(1, 14) AS n) <> 0)
        """,
    ),
    Invariant(
        9,
        "a bundle is made of ordinary variants, and nothing else is made of anything",
        """
        SELECT b.sku, c.component_id, own.bundle AS of_bundle FROM catalog.variants b
        LEFT JOIN catalog.components c ON c.bundle_id = b.id LEFT JOIN catalog.variants own ON own.id = c.component_id
        WHERE b.bundle <> (c.bundle_id IS NOT NULL) OR own.bundle
        """,
    ),
]
