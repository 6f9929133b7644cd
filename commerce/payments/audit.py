"""What must always be true of money and its papers (DESIGN 14, line 4)."""

from __future__ import annotations

from commerce.infra.audit import Invariant

INVARIANTS = [
    Invariant(
        4,
        "refunded <= captured <= authorized, and a payment's refunds add up to what it gave back",
        """
        SELECT p.id AS payment_id, p.authorized, p.captured, p.refunded, coalesce(r.amount, 0) AS refunds
        FROM payments.payments p
        LEFT JOIN (SELECT payment_id, sum(amount) AS amount FROM payments.refunds WHERE state = 'succeeded' GROUP BY payment_id) r
          ON r.payment_id = p.id
        WHERE NOT (p.refunded <= p.captured AND p.captured <= p.authorized) OR p.refunded <> coalesce(r.amount, 0)
        """,
    ),
    Invariant(
        4,
        "every payment and every refund has its receipt, in its tender, at its store",
        """
        SELECT order_id, way, return_id, location_id, tender, currency, sum(moved) AS moved, sum(receipted) AS receipted
        FROM (
            SELECT order_id, 'in' AS way, CAST(NULL AS uuid) AS return_id, location_id, tender, currency, captured AS moved, 0 AS receipted
            FROM payments.payments
            UNION ALL
            SELECT order_id, 'back', return_id, location_id, tender, currency, amount, 0 FROM payments.refunds WHERE state = 'succeeded'
            UNION ALL
            SELECT r.order_id, CASE r.kind WHEN 'refund' THEN 'back' ELSE 'in' END, r.return_id, r.location_id, t.kind, r.currency,
                   0, t.amount
            FROM payments.receipts r CROSS JOIN LATERAL jsonb_to_recordset(r.tenders) AS t(kind text, amount bigint)
            WHERE r.kind IN ('sale', 'prepayment', 'refund')
        ) facts
        GROUP BY order_id, way, return_id, location_id, tender, currency HAVING sum(moved) <> sum(receipted)
        """,
    ),
    Invariant(
        4,
        "a register's receipts are numbered from 1 without gaps",
        """
        SELECT g.code AS register, g.last_number, count(r.id) AS receipts, min(r.number) AS first, max(r.number) AS last
        FROM payments.registers g LEFT JOIN payments.receipts r ON r.register = g.code
        GROUP BY g.code, g.last_number
        HAVING count(r.id) <> g.last_number OR coalesce(min(r.number), 1) <> 1 OR coalesce(max(r.number), 0) <> g.last_number
        """,
    ),
    Invariant(
        4,
        "lines and tenders of a receipt add up to its total",
        """
        SELECT r.register, r.number, r.total,
               (SELECT coalesce(sum((line ->> 'total')::bigint), 0) FROM jsonb_array_elements(r.lines) line) AS lines,
               (SELECT coalesce(sum((tender ->> 'amount')::bigint), 0) FROM jsonb_array_elements(r.tenders) tender) AS tenders
        FROM payments.receipts r
        WHERE r.total <> (SELECT coalesce(sum((line ->> 'total')::bigint), 0) FROM jsonb_array_elements(r.lines) line)
           OR r.total <> (SELECT coalesce(sum((tender ->> 'amount')::bigint), 0) FROM jsonb_array_elements(r.tenders) tender)
        """,
    ),
    Invariant(
        4,
        "a refund is in the currency of its payment, of the same order",
        """
        SELECT r.id AS refund_id, r.order_id, r.currency, p.order_id AS paid_for, p.currency AS paid_in
        FROM payments.refunds r LEFT JOIN payments.payments p ON p.id = r.payment_id
        WHERE (r.order_id IS NOT NULL OR r.payment_id IS NOT NULL)
          AND (p.order_id, p.currency) IS DISTINCT FROM (r.order_id, r.currency)
        """,
    ),
    Invariant(
        4,
        "a receipt is dated by its store's calendar and comes from a register of that store",
        """
        SELECT r.register, r.number, r.business_date, CAST(r.occurred_at AT TIME ZONE l.time_zone AS date) AS local_date,
               r.location_id, g.location_id AS register_at
        FROM payments.receipts r JOIN payments.registers g ON g.code = r.register LEFT JOIN locations.locations l ON l.id = r.location_id
        WHERE r.business_date IS DISTINCT FROM CAST(r.occurred_at AT TIME ZONE l.time_zone AS date)
           OR r.location_id IS DISTINCT FROM g.location_id
        """,
    ),
    Invariant(
        8,
        "every payment, refund and receipt has published its event, without a gap, and still is what that says",
        """
        SELECT 'payment' AS what, p.id, p.version, e.events
        FROM payments.payments p LEFT JOIN (
            SELECT aggregate_id, count(*) AS events, min(version) AS first, max(version) AS last,
                   count(*) FILTER (WHERE type = 'payment.refunded') AS refunds
            FROM infra.outbox WHERE aggregate = 'payment' GROUP BY aggregate_id
        ) e ON e.aggregate_id = p.id
        WHERE (e.events, e.first, e.last, e.refunds) IS DISTINCT FROM
              (CAST(p.version AS bigint), 1, p.version, CAST(p.version - 1 AS bigint))
        UNION ALL
        SELECT 'captured', p.id, p.version, NULL
        FROM payments.payments p LEFT JOIN infra.outbox e
          ON e.aggregate = 'payment' AND e.aggregate_id = p.id AND e.type = 'payment.captured'
        WHERE (p.order_id, p.tender, p.captured, p.currency) IS DISTINCT FROM
              (CAST(e.payload ->> 'order_id' AS uuid), e.payload ->> 'tender', CAST(e.payload ->> 'amount' AS numeric),
               e.payload ->> 'currency')
        UNION ALL
        SELECT 'refunded', coalesce(r.id, e.refund_id), NULL, NULL
        FROM (SELECT * FROM payments.refunds WHERE order_id IS NOT NULL) r FULL JOIN (
            SELECT CAST(payload ->> 'refund_id' AS uuid) AS refund_id, aggregate_id, payload FROM infra.outbox
            WHERE aggregate = 'payment' AND type = 'payment.refunded'
        ) e ON e.refund_id = r.id
        WHERE (r.payment_id, r.order_id, r.return_id, r.tender, r.amount, r.currency) IS DISTINCT FROM
              (e.aggregate_id, CAST(e.payload ->> 'order_id' AS uuid), CAST(e.payload ->> 'return_id' AS uuid), e.payload ->> 'tender',
               CAST(e.payload ->> 'amount' AS numeric), e.payload ->> 'currency')
        UNION ALL
        SELECT 'given', coalesce(r.id, e.aggregate_id), NULL, NULL
        FROM (SELECT * FROM payments.refunds WHERE order_id IS NULL) r FULL JOIN (
            SELECT aggregate_id, version, payload FROM infra.outbox WHERE aggregate = 'refund' AND type = 'refund.given'
        ) e ON e.aggregate_id = r.id
        WHERE (1, r.return_id, r.tender, r.amount, r.currency) IS DISTINCT FROM
              (e.version, CAST(e.payload ->> 'return_id' AS uuid), e.payload ->> 'tender', CAST(e.payload ->> 'amount' AS numeric),
               e.payload ->> 'currency')
        UNION ALL
        SELECT 'receipt', r.id, NULL, NULL
        FROM payments.receipts r LEFT JOIN infra.outbox e ON e.aggregate = 'receipt' AND e.aggregate_id = r.id AND e.version = 1
        WHERE (r.order_id, r.register, r.number, r.kind) IS DISTINCT FROM
              (CAST(e.payload ->> 'order_id' AS uuid), e.payload ->> 'register', CAST(e.payload ->> 'number' AS numeric),
               e.payload ->> 'kind')
           OR r.order_id IS NULL AND r.return_id IS DISTINCT FROM CAST(e.payload ->> 'return_id' AS uuid)
        """,
    ),
]
