"""What must always be true of returns (DESIGN 14, lines 3 and 4). Invariants are read across rooms."""

from __future__ import annotations

from commerce.infra.audit import Invariant

INVARIANTS = [
    Invariant(
        3,
        "returned <= handed over, and equals what the order line's returns say",
        """
        SELECT o.id AS order_line_id, o.handed_over, o.returned, coalesce(r.quantity, 0) AS came_back
        FROM orders.lines o
        LEFT JOIN (
            SELECT l.order_line_id, sum(l.quantity) AS quantity FROM returns.lines l
            JOIN returns.returns r ON r.id = l.return_id WHERE r.state IN ('received', 'inspected', 'closed')
            GROUP BY l.order_line_id
        ) r ON r.order_line_id = o.id
        WHERE o.returned > o.handed_over OR o.returned <> coalesce(r.quantity, 0)
        """,
    ),
    Invariant(
        4,
        "a return's total is the sum of its lines and of what was given back for it",
        """
        SELECT r.number, r.refund_total, l.amount AS lines, coalesce(p.amount, 0) AS refunds
        FROM returns.returns r
        LEFT JOIN (SELECT return_id, sum(refund_amount) AS amount FROM returns.lines GROUP BY return_id) l ON l.return_id = r.id
        LEFT JOIN (
            SELECT return_id, sum(amount) AS amount FROM payments.refunds WHERE state = 'succeeded' GROUP BY return_id
        ) p ON p.return_id = r.id
        WHERE r.state = 'closed' AND (r.refund_total IS DISTINCT FROM l.amount OR r.refund_total <> coalesce(p.amount, 0))
        """,
    ),
    Invariant(
        4,
        "no more came back in money than the order line had cost",
        """
        SELECT o.id AS order_line_id, o.total, sum(l.refund_amount) AS refunded, o.tax, sum(l.tax_amount) AS tax_refunded
        FROM returns.lines l JOIN orders.lines o ON o.id = l.order_line_id
        GROUP BY o.id, o.total, o.tax HAVING sum(l.refund_amount) > o.total OR sum(l.tax_amount) > o.tax
        """,
    ),
    Invariant(
        1,
        "every return has moved its goods into its own store, as many as its lines say",
        """
        SELECT r.number, l.quantity AS lines, coalesce(m.quantity, 0) AS moved
        FROM returns.returns r
        LEFT JOIN (SELECT return_id, sum(quantity) AS quantity FROM returns.lines GROUP BY return_id) l ON l.return_id = r.id
        LEFT JOIN (
            SELECT p.cause_id, m.to_location_id, sum(m.quantity) AS quantity FROM stock.postings p
            JOIN stock.movements m ON m.posting_id = p.id AND m.from_place = 'customer'
            WHERE p.cause_kind = 'return' GROUP BY p.cause_id, m.to_location_id
        ) m ON m.cause_id = r.id AND m.to_location_id = r.location_id
        WHERE r.state = 'closed' AND l.quantity IS DISTINCT FROM coalesce(m.quantity, 0)
        """,
    ),
]
