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
        SELECT r.number, 'receipt line', coalesce(CAST(l.order_line_id AS text), l.sku)
        FROM (
            SELECT return_id, order_line_id, CASE WHEN order_line_id IS NULL THEN sku END AS sku, sum(quantity) AS quantity,
                   sum(refund_amount) AS amount, sum(tax_amount) AS tax
            FROM returns.lines GROUP BY 1, 2, 3
        ) l JOIN returns.returns r ON r.id = l.return_id AND r.state = 'closed' AND r.refund_total > 0
        LEFT JOIN (
            SELECT r.return_id, p.order_line_id, CASE WHEN p.order_line_id IS NULL THEN p.sku END AS sku,
                   sum(p.quantity) AS quantity, sum(p.total) AS amount, sum(p.tax) AS tax
            FROM payments.receipts r CROSS JOIN LATERAL
                 jsonb_to_recordset(r.lines) AS p(order_line_id uuid, sku text, quantity bigint, total bigint, tax bigint)
            WHERE r.kind = 'refund' GROUP BY 1, 2, 3
        ) p ON p.return_id = l.return_id AND (p.order_line_id = l.order_line_id OR p.sku = l.sku)
        WHERE (p.quantity, p.amount, p.tax) IS DISTINCT FROM (l.quantity, l.amount, l.tax)
        """,
    ),
    Invariant(
        3,
        "a return and its lines are of one order, or of none",
        """
        SELECT r.number, r.order_number, o.number AS order_of_return, CAST(NULL AS integer) AS n
        FROM returns.returns r JOIN orders.orders o ON o.id = r.order_id
        WHERE (r.order_number, r.customer_id) IS DISTINCT FROM (o.number, o.customer_id)
        UNION ALL
        SELECT r.number, r.order_number, NULL, l.n
        FROM returns.lines l JOIN returns.returns r ON r.id = l.return_id JOIN orders.lines o ON o.id = l.order_line_id
        WHERE (o.order_id, o.variant_id, o.n, o.sku, o.tax_basis_points)
              IS DISTINCT FROM (r.order_id, l.variant_id, l.order_line_n, l.sku, l.tax_basis_points)
        UNION ALL
        SELECT r.number, r.order_number, NULL, l.n
        FROM returns.lines l JOIN returns.returns r ON r.id = l.return_id
        WHERE (l.order_line_id IS NULL) <> (r.order_id IS NULL)
        """,
    ),
    Invariant(
        4,
        "without a sale no more was given back than the lowest price there was, with the tax in it",
        """
        SELECT r.number, l.n, l.unit_price, lowest.amount AS lowest, l.refund_amount, l.tax_amount
        FROM returns.lines l JOIN returns.returns r ON r.id = l.return_id AND r.order_id IS NULL AND r.state = 'closed'
        LEFT JOIN stock.postings p ON p.cause_kind = 'return' AND p.cause_id = r.id
        LEFT JOIN LATERAL (
            SELECT min(q.amount) AS amount FROM prices.prices q
            WHERE q.variant_id = l.variant_id AND q.currency = r.currency AND q.valid_from <= r.created_at
              AND q.recorded_at <= p.recorded_at
              AND q.valid_from >= coalesce((
                SELECT max(b.valid_from) FROM prices.prices b
                WHERE b.variant_id = l.variant_id AND b.valid_from <= r.priced_since AND b.recorded_at <= p.recorded_at), '-infinity')
        ) lowest ON true
        WHERE lowest.amount IS DISTINCT FROM l.unit_price
           OR l.refund_amount > div(2 * CAST(l.unit_price AS numeric) * l.quantity + power(10::numeric, l.quantity_scale),
                                    2 * power(10::numeric, l.quantity_scale))
           OR l.tax_amount <> div(2 * CAST(l.refund_amount AS numeric) * l.tax_basis_points + 10000 + l.tax_basis_points,
                                  2 * (10000 + l.tax_basis_points))
        """,
    ),
    Invariant(
        8,
        "who took goods back without a sale, and who allowed it, is the same in the refund, the event and the audit record",
        """
        SELECT r.number, r.accepted_by, r.approved_by, x.what
        FROM returns.returns r LEFT JOIN LATERAL (
            SELECT 'refund' AS what, p.given_by AS subject, p.approved_by FROM payments.refunds p WHERE p.return_id = r.id
            UNION ALL
            SELECT 'event', CAST(e.actor ->> 'subject' AS uuid), CAST(e.actor ->> 'approved_by' AS uuid) FROM infra.outbox e
            WHERE e.aggregate = 'return' AND e.aggregate_id = r.id AND e.version = 1
            UNION ALL
            SELECT 'audit record', a.subject, a.approved_by FROM infra.audit_records a
            WHERE a.target = 'return' AND a.target_id = CAST(r.id AS text) AND a.action IN ('return.accept', 'return.accept_blind')
        ) x ON true
        WHERE r.order_id IS NULL AND (x.subject, x.approved_by) IS DISTINCT FROM (r.accepted_by, r.approved_by)
        """,
    ),
    Invariant(
        1,
        "every return has moved its goods into its own store, line by line into the bucket that they were judged for",
        """
        SELECT r.number, CAST(l.order_line_id AS text) AS line, l.disposition, l.quantity, d.per_unit, coalesce(m.quantity, 0) AS moved
        FROM (
            SELECT return_id, order_line_id, disposition, sum(quantity) AS quantity FROM returns.lines
            WHERE order_line_id IS NOT NULL GROUP BY return_id, order_line_id, disposition
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
        UNION ALL
        SELECT r.number, CAST(coalesce(l.variant_id, m.variant_id) AS text), l.disposition, l.quantity, 1, coalesce(m.quantity, 0)
        FROM (
            SELECT l.return_id, coalesce(c.variant_id, l.variant_id) AS variant_id, l.disposition,
                   sum(CAST(l.quantity AS bigint) * coalesce(c.quantity, 1)) AS quantity
            FROM returns.lines l LEFT JOIN LATERAL jsonb_to_recordset(
                CASE WHEN jsonb_typeof(l.components) = 'array' THEN l.components END) AS c(variant_id uuid, quantity integer) ON true
            WHERE l.order_line_id IS NULL GROUP BY 1, 2, 3
        ) l FULL JOIN (
            SELECT p.cause_id, m.variant_id, m.to_location_id,
                   CASE m.to_place WHEN 'available' THEN 'restocked' ELSE m.to_place END AS fate,
                   sum(m.quantity) AS quantity, bool_or(m.line_id IS NOT NULL) AS of_order
            FROM stock.postings p JOIN stock.movements m ON m.posting_id = p.id AND m.from_place = 'customer'
            JOIN returns.returns r ON r.id = p.cause_id AND r.order_id IS NULL
            WHERE p.cause_kind = 'return' GROUP BY 1, 2, 3, 4
        ) m ON m.cause_id = l.return_id AND m.variant_id = l.variant_id AND m.fate = l.disposition
        JOIN returns.returns r ON r.id = coalesce(l.return_id, m.cause_id) AND r.state = 'closed'
        WHERE (l.quantity, r.location_id, false) IS DISTINCT FROM (m.quantity, m.to_location_id, m.of_order)
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
