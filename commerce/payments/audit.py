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
        "every payment and every refund has its receipt",
        """
        SELECT order_id, sum(taken) AS taken, sum(receipted) AS receipted, sum(given_back) AS given_back,
               sum(refund_receipts) AS refund_receipts
        FROM (
            SELECT order_id, captured AS taken, 0 AS receipted, 0 AS given_back, 0 AS refund_receipts FROM payments.payments
            UNION ALL SELECT order_id, 0, 0, amount, 0 FROM payments.refunds WHERE state = 'succeeded'
            UNION ALL SELECT order_id, 0, total, 0, 0 FROM payments.receipts WHERE kind IN ('sale', 'prepayment')
            UNION ALL SELECT order_id, 0, 0, 0, total FROM payments.receipts WHERE kind = 'refund'
        ) facts
        GROUP BY order_id HAVING sum(taken) <> sum(receipted) OR sum(given_back) <> sum(refund_receipts)
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
]
