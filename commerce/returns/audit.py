"""What must always be true of returns (DESIGN 14). Invariants are read across rooms."""

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
        "what was given back for a line is what its returned units had cost, with the tax in it",
        """
        SELECT o.id AS order_line_id, b.quantity, b.amount AS refunded, due.total AS due, b.tax AS tax_refunded, due.tax AS tax_due
        FROM (
            SELECT l.order_line_id, sum(l.quantity) AS quantity, sum(l.refund_amount) AS amount, sum(l.tax_amount) AS tax
            FROM returns.lines l JOIN returns.returns r ON r.id = l.return_id WHERE r.state = 'closed' GROUP BY l.order_line_id
        ) b JOIN orders.lines o ON o.id = b.order_line_id
        CROSS JOIN LATERAL (SELECT div(2 * CAST(o.total AS numeric) * b.quantity + o.quantity, 2 * o.quantity) AS total) paid
        CROSS JOIN LATERAL (
            SELECT paid.total, div(2 * paid.total * o.tax_basis_points + 10000 + o.tax_basis_points,
                                   2 * (10000 + o.tax_basis_points)) AS tax
        ) due
        WHERE (b.amount, b.tax) <> (due.total, due.tax)
        """,
    ),
    Invariant(
        4,
        "a return's refunds and receipt are its own: order, store, tender and amounts, line by line",
        """
        SELECT r.number, 'refund' AS what, CAST(p.id AS text) AS id
        FROM payments.refunds p JOIN returns.returns r ON r.id = p.return_id
        WHERE (p.order_id, p.tender, p.currency, p.location_id) IS DISTINCT FROM (r.order_id, r.tender, r.currency, r.location_id)
        UNION ALL
        SELECT r.number, 'receipt', r.receipt_register || ' ' || r.receipt_number
        FROM returns.returns r LEFT JOIN payments.receipts p ON p.register = r.receipt_register AND p.number = r.receipt_number
        WHERE r.state = 'closed' AND CASE
            WHEN r.refund_total = 0 THEN r.receipt_number IS NOT NULL
            ELSE (p.kind, p.return_id, p.order_id, p.location_id, p.total, p.currency) IS DISTINCT FROM
                 ('refund', r.id, r.order_id, r.location_id, r.refund_total, r.currency) END
        UNION ALL
        SELECT r.number, 'receipt line', CAST(l.order_line_id AS text)
        FROM (
            SELECT return_id, order_line_id, sum(quantity) AS quantity, sum(refund_amount) AS amount, sum(tax_amount) AS tax
            FROM returns.lines GROUP BY return_id, order_line_id
        ) l JOIN returns.returns r ON r.id = l.return_id AND r.state = 'closed' AND r.refund_total > 0
        LEFT JOIN (
            SELECT r.return_id, p.order_line_id, sum(p.quantity) AS quantity, sum(p.total) AS amount, sum(p.tax) AS tax
            FROM payments.receipts r CROSS JOIN LATERAL
                 jsonb_to_recordset(r.lines) AS p(order_line_id uuid, quantity bigint, total bigint, tax bigint)
            WHERE r.kind = 'refund' GROUP BY r.return_id, p.order_line_id
        ) p ON p.return_id = l.return_id AND p.order_line_id = l.order_line_id
        WHERE (p.quantity, p.amount, p.tax) IS DISTINCT FROM (l.quantity, l.amount, l.tax)
        """,
    ),
    Invariant(
        3,
        "a return and its lines are of one order",
        """
        SELECT r.number, r.order_number, o.number AS order_of_return, CAST(NULL AS integer) AS n
        FROM returns.returns r JOIN orders.orders o ON o.id = r.order_id
        WHERE (r.order_number, r.customer_id) IS DISTINCT FROM (o.number, o.customer_id)
        UNION ALL
        SELECT r.number, r.order_number, NULL, l.n
        FROM returns.lines l JOIN returns.returns r ON r.id = l.return_id JOIN orders.lines o ON o.id = l.order_line_id
        WHERE (o.order_id, o.variant_id, o.n, o.sku, o.tax_basis_points)
              <> (r.order_id, l.variant_id, l.order_line_n, l.sku, l.tax_basis_points)
        """,
    ),
    Invariant(
        1,
        "every return has moved its goods into its own store, line by line into the bucket that they were judged for",
        """
        SELECT r.number, l.order_line_id, l.disposition, l.quantity, d.per_unit, coalesce(m.quantity, 0) AS moved
        FROM (
            SELECT return_id, order_line_id, disposition, sum(quantity) AS quantity FROM returns.lines
            GROUP BY return_id, order_line_id, disposition
        ) l JOIN returns.returns r ON r.id = l.return_id AND r.state = 'closed'
        JOIN (
            SELECT o.id AS line_id, coalesce(c.variant_id, o.variant_id) AS variant_id, coalesce(c.quantity, 1) AS per_unit
            FROM orders.lines o LEFT JOIN LATERAL jsonb_to_recordset(
                CASE WHEN jsonb_typeof(o.components) = 'array' THEN o.components END) AS c(variant_id uuid, quantity integer) ON true
        ) d ON d.line_id = l.order_line_id
        LEFT JOIN (
            SELECT p.cause_id, m.line_id, m.variant_id, m.to_location_id, m.to_place, sum(m.quantity) AS quantity
            FROM stock.postings p JOIN stock.movements m ON m.posting_id = p.id AND m.from_place = 'customer'
            WHERE p.cause_kind = 'return' GROUP BY p.cause_id, m.line_id, m.variant_id, m.to_location_id, m.to_place
        ) m ON m.cause_id = r.id AND m.line_id = l.order_line_id AND m.variant_id = d.variant_id AND m.to_location_id = r.location_id
           AND m.to_place = CASE l.disposition WHEN 'restocked' THEN 'available' ELSE l.disposition END
        WHERE l.quantity * d.per_unit IS DISTINCT FROM m.quantity
        """,
    ),
    Invariant(
        8,
        "every return has published its events, without a gap, and still is what they say",
        """
        SELECT r.number, r.version, e.events
        FROM returns.returns r LEFT JOIN (
            SELECT aggregate_id, count(DISTINCT version) AS events, min(version) AS first, max(version) AS last
            FROM infra.outbox WHERE aggregate = 'return' GROUP BY aggregate_id
        ) e ON e.aggregate_id = r.id
        WHERE (e.events, e.first, e.last) IS DISTINCT FROM (CAST(r.version AS bigint), 1, r.version)
        UNION ALL
        SELECT r.number, e.version, NULL
        FROM returns.returns r JOIN infra.outbox e
          ON e.aggregate = 'return' AND e.aggregate_id = r.id AND e.type = 'return.accepted'
        WHERE (r.number, r.order_id, r.order_number, r.refund_total, r.currency) IS DISTINCT FROM
              (e.payload ->> 'number', CAST(e.payload ->> 'order_id' AS uuid), e.payload ->> 'order_number',
               CAST(e.payload ->> 'refund_total' AS numeric), e.payload ->> 'currency')
        """,
    ),
]
