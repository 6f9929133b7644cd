"""What must always be true of orders (DESIGN 14)."""

from __future__ import annotations

from commerce.infra.audit import Invariant

INVARIANTS = [
    Invariant(
        3,
        "an order line's units are those of its fulfillments",
        """
        SELECT o.number, l.sku, l.quantity, l.handed_over, l.cancelled,
               w.quantity AS at_work, w.handed_over AS given, w.cancelled AS given_up, c.asked
        FROM orders.lines l JOIN orders.orders o ON o.id = l.order_id
        LEFT JOIN LATERAL (
            SELECT sum(f.quantity - f.passed_on) AS quantity, sum(f.handed_over) AS handed_over, sum(f.cancelled) AS cancelled
            FROM fulfillment.lines f WHERE f.order_line_id = l.id
        ) w ON true
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(CAST(c.units ->> CAST(l.id AS text) AS integer)), 0) AS asked,
                   coalesce(sum(CAST(c.units ->> CAST(l.id AS text) AS integer)) FILTER (WHERE c.state = 'cancelled'), 0) AS given_up
            FROM orders.choices c WHERE c.order_id = l.order_id AND c.state IN ('open', 'cancelled')
        ) c ON true
        WHERE (w.quantity + c.asked, w.handed_over, w.cancelled + c.given_up)
            IS DISTINCT FROM (l.quantity::bigint, l.handed_over::bigint, l.cancelled::bigint)
           OR l.returned > l.handed_over
        """,
    ),
    Invariant(
        3,
        "an order is open as long as something is outstanding",
        """
        SELECT o.number, o.state, sum(l.quantity - l.handed_over - l.cancelled) AS outstanding
        FROM orders.orders o JOIN orders.lines l ON l.order_id = o.id
        GROUP BY o.id
        HAVING (sum(l.quantity - l.handed_over - l.cancelled) > 0) <> (o.state IN ('placed', 'awaiting_payment'))
            OR (o.state = 'cancelled' AND sum(l.handed_over) > 0)
            OR (o.state = 'completed' AND sum(l.handed_over) = 0)
            OR (o.completed_at IS NULL) = (o.state = 'completed') OR (o.cancelled_at IS NULL) = (o.state = 'cancelled')
        """,
    ),
    Invariant(
        4,
        "what was handed over is paid, to the minor unit",
        """
        SELECT o.number, p.captured, w.owed, o.charge_total
        FROM orders.orders o
        LEFT JOIN LATERAL (
            SELECT sum(div(2 * total::numeric * handed_over + quantity, 2 * quantity)) AS owed
            FROM orders.lines WHERE order_id = o.id
        ) w ON true
        LEFT JOIN LATERAL (SELECT coalesce(sum(captured), 0) AS captured FROM payments.payments WHERE order_id = o.id) p ON true
        WHERE p.captured <> w.owed + CASE WHEN o.state = 'completed' THEN o.charge_total ELSE 0 END
        """,
    ),
    Invariant(
        5,
        "adjustments add up to their line's, lines to their order's; tax as the rate says",
        """
        SELECT o.number, o.subtotal, o.adjustment_total, o.total, o.tax_total
        FROM orders.orders o
        JOIN LATERAL (
            SELECT sum(l.subtotal) AS subtotal, sum(l.adjustment_total) AS adjustment_total, sum(l.total) AS total, sum(l.tax) AS tax,
                   bool_or(l.adjustment_total <> coalesce((SELECT sum(a.amount) FROM orders.adjustments a
                                                           WHERE a.order_id = o.id AND a.line_id = l.id), 0)) AS off,
                   bool_or(l.net + l.tax <> l.total) AS untaxed,
                   bool_or(l.tax <> div(2 * l.total::numeric * l.tax_basis_points + 10000 + l.tax_basis_points,
                                        2 * (10000 + l.tax_basis_points))) AS mistaxed
            FROM orders.lines l WHERE l.order_id = o.id
        ) s ON true
        LEFT JOIN LATERAL (
            SELECT coalesce(sum(amount), 0) AS amount, coalesce(sum(tax), 0) AS tax FROM orders.charges WHERE order_id = o.id
        ) c ON true
        WHERE (s.subtotal, s.adjustment_total, s.total + c.amount, s.tax + c.tax, c.amount)
              IS DISTINCT FROM (o.subtotal, o.adjustment_total, o.total, o.tax_total, o.charge_total)
           OR s.off OR s.untaxed OR s.mistaxed
        """,
    ),
    Invariant(
        7,
        "an order comes from a cart that is closed",
        """
        SELECT o.number, c.state FROM orders.orders o JOIN carts.carts c ON c.id = o.cart_id WHERE c.state <> 'ordered'
        """,
    ),
    Invariant(
        8,
        "each version of an order has its entry and its events, without a gap",
        """
        SELECT o.number, o.version, n.entries, e.events
        FROM orders.orders o
        LEFT JOIN LATERAL (SELECT count(*) AS entries, max(version) AS last FROM orders.entries WHERE order_id = o.id) n ON true
        LEFT JOIN LATERAL (
            SELECT count(DISTINCT version) AS events, min(version) AS first, max(version) AS last FROM infra.outbox
            WHERE aggregate = 'order' AND aggregate_id = o.id
        ) e ON true
        WHERE (n.entries, n.last) IS DISTINCT FROM (o.version::bigint, o.version)
           OR (e.events, e.first, e.last) IS DISTINCT FROM (o.version::bigint, 1, o.version)
        """,
    ),
    # Exact, as a price is in the list before its moment (`prices.LEAD`) and is never changed after it.
    Invariant(
        9,
        "every line's unit price is the list price at its moment",
        """
        SELECT o.number, l.sku, l.unit_price, p.amount AS listed
        FROM orders.lines l JOIN orders.orders o ON o.id = l.order_id
        LEFT JOIN LATERAL (
            SELECT amount, valid_from FROM prices.prices WHERE variant_id = l.variant_id AND valid_from <= o.placed_at
            ORDER BY valid_from DESC LIMIT 1
        ) p ON true
        WHERE (p.amount, p.valid_from) IS DISTINCT FROM (l.unit_price, l.price_valid_from)
        """,
    ),
]
