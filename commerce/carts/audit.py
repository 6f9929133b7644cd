"""What must always be true of carts (DESIGN 14)."""

from __future__ import annotations

from commerce.infra.audit import Invariant

INVARIANTS = [
    Invariant(
        7,
        "a shopper has at most one open cart",
        """
        SELECT shopper_id, count(*) AS open_carts FROM carts.carts
        WHERE state = 'open' AND device_id IS NULL GROUP BY shopper_id HAVING count(*) > 1
        """,
    ),
    Invariant(
        7,
        "a merged cart, and no other, points at the cart it went into",
        """
        SELECT id AS cart_id, state, merged_into FROM carts.carts
        WHERE (state = 'merged') <> (merged_into IS NOT NULL) OR merged_into = id
        """,
    ),
    Invariant(
        7,
        "a cart has at most 500 lines",
        "SELECT cart_id, count(*) AS lines FROM carts.lines GROUP BY cart_id HAVING count(*) > 500",
    ),
    Invariant(
        8,
        "every version of a cart has its event",
        """
        SELECT c.id AS cart_id, c.version, count(o.id) AS events, max(o.version) AS last_event
        FROM carts.carts c LEFT JOIN infra.outbox o ON o.aggregate = 'cart' AND o.aggregate_id = c.id
        GROUP BY c.id, c.version HAVING count(o.id) <> c.version OR max(o.version) <> c.version
        """,
    ),
]
