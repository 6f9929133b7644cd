"""What must always be true of carts (DESIGN 14)."""

from __future__ import annotations

from commerce.infra.audit import Invariant

INVARIANTS = [
    Invariant(
        7,
        "a shopper has at most one open cart",
        """
        SELECT shopper_id, count(*) AS open_carts FROM carts.carts
        WHERE state = 'open' AND parked_at IS NULL AND shopper_id IS NOT NULL GROUP BY shopper_id HAVING count(*) > 1
        """,
    ),
    Invariant(
        7,
        "a device has at most one basket at hand",
        """
        SELECT device_id, count(*) AS open_carts FROM carts.carts
        WHERE state = 'open' AND parked_at IS NULL AND device_id IS NOT NULL GROUP BY device_id HAVING count(*) > 1
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
        "a code that moved a cart says where its lines went",
        """
        SELECT h.id AS hand_off_id, h.cart_id, h.into_cart_id, c.merged_into FROM carts.hand_offs h
        JOIN carts.carts c ON c.id = h.cart_id
        WHERE (h.claimed_at IS NULL) <> (h.into_cart_id IS NULL)
           OR h.claimed_at IS NOT NULL AND h.mode = 'move' AND c.merged_into IS DISTINCT FROM h.into_cart_id
           OR h.claimed_at IS NOT NULL AND h.mode = 'join' AND h.into_cart_id <> h.cart_id
           OR h.claimed_at > h.expires_at
        """,
    ),
    Invariant(
        7,
        "staff have joined open carts of shoppers only",
        """
        SELECT g.id AS guest_id, c.id AS cart_id, c.state FROM carts.guests g JOIN carts.carts c ON c.id = g.cart_id
        WHERE g.ended_at IS NULL AND c.state <> 'open' OR c.shopper_id IS NULL
        """,
    ),
    Invariant(
        7,
        "a closed cart keeps nothing of a checkout",
        """
        SELECT c.id AS cart_id, c.state FROM carts.carts c
        WHERE c.state <> 'open' AND (c.checkout IS NOT NULL OR c.label IS NOT NULL OR c.discreet OR EXISTS (
            SELECT FROM carts.lines l WHERE l.cart_id = c.id AND (l.wish IS NOT NULL OR l.gift IS NOT NULL)))
        """,
    ),
    Invariant(
        7,
        "only a device's basket names a customer, and none that has expired",
        """
        SELECT id AS cart_id, state, named_by FROM carts.carts
        WHERE customer_id IS NOT NULL AND (device_id IS NULL OR state = 'expired')
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
        FROM carts.carts c LEFT JOIN infra.outbox o
          ON o.aggregate = 'cart' AND o.aggregate_id = c.id AND o.type <> 'cart.abandoned'
        GROUP BY c.id, c.version
        HAVING count(o.id) <> c.version OR count(DISTINCT o.version) <> c.version OR max(o.version) <> c.version
        """,
    ),
    Invariant(
        8,
        "a cart is told of as abandoned at versions that it had and that are marked",
        """
        SELECT c.id AS cart_id, c.version, c.abandoned_version, max(o.version) AS told
        FROM carts.carts c JOIN infra.outbox o
          ON o.aggregate = 'cart' AND o.aggregate_id = c.id AND o.type = 'cart.abandoned'
        GROUP BY c.id, c.version, c.abandoned_version
        HAVING max(o.version) > coalesce(c.abandoned_version, 0) OR c.abandoned_version > c.version
        """,
    ),
]
