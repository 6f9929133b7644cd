"""What must always be true of expected receipts (DESIGN 14)."""

from __future__ import annotations

from commerce.infra.audit import Invariant

COUNTED = """
SELECT a.number, l.n, l.received, l.over, r.quantity, r.over AS over_of_receipts, l.quality_control, r.quality_control AS inspected,
    l.damaged, r.damaged AS broken
FROM supply.lines l JOIN supply.announcements a ON a.id = l.announcement_id LEFT JOIN (
    SELECT line_id, sum(quantity) AS quantity, sum(over) AS over,
        coalesce(sum(quantity) FILTER (WHERE bucket = 'quality_control'), 0) AS quality_control,
        coalesce(sum(quantity) FILTER (WHERE bucket = 'damaged'), 0) AS damaged
    FROM supply.receipt_lines GROUP BY line_id
) r ON r.line_id = l.id
WHERE (l.received::bigint + l.over, l.over::bigint, l.quality_control::bigint, l.damaged::bigint)
    IS DISTINCT FROM (coalesce(r.quantity, 0), coalesce(r.over, 0), coalesce(r.quality_control, 0), coalesce(r.damaged, 0))
"""
STATE = """
SELECT a.number, a.state, t.open, t.came FROM supply.announcements a LEFT JOIN (
    SELECT announcement_id, sum(quantity - received - cancelled) AS open, sum(received + over) AS came
    FROM supply.lines GROUP BY announcement_id
) t ON t.announcement_id = a.id
WHERE a.state IS DISTINCT FROM CASE
    WHEN t.open > 0 AND t.came = 0 THEN 'announced' WHEN t.open > 0 THEN 'partially_received' WHEN t.came > 0 THEN 'received'
    WHEN t.open = 0 THEN 'cancelled' END
"""
EXPLAINED = """
SELECT a.number, l.n, l.damaged, l.over, l.short FROM supply.lines l JOIN supply.announcements a ON a.id = l.announcement_id
WHERE l.reason IS NULL AND l.damaged + l.over + l.cancelled > 0
UNION ALL
SELECT a.number, l.n, r.quantity, r.over, 0 FROM supply.receipt_lines r JOIN supply.lines l ON l.id = r.line_id
JOIN supply.announcements a ON a.id = l.announcement_id
WHERE r.reason IS NULL AND (r.bucket = 'damaged' OR r.over > 0)
"""
VERSIONS = """
SELECT a.number, a.version, s.steps, e.events FROM supply.announcements a
LEFT JOIN (SELECT announcement_id, count(*) AS steps, max(version) AS last FROM supply.steps GROUP BY announcement_id) s
    ON s.announcement_id = a.id
LEFT JOIN (
    SELECT aggregate_id, count(DISTINCT version) AS events, max(version) AS last, min(version) AS first FROM infra.outbox
    WHERE aggregate = 'expected_receipt' GROUP BY aggregate_id
) e ON e.aggregate_id = a.id
WHERE (s.steps, s.last) IS DISTINCT FROM (a.version::bigint, a.version)
   OR (e.events, e.last, e.first) IS DISTINCT FROM (a.version::bigint, a.version, 1)
"""
SAID = """
SELECT a.number, s.version, s.what, w.type AS missing
FROM supply.steps s JOIN supply.announcements a ON a.id = s.announcement_id
JOIN (VALUES ('announced', 'supply.announced'), ('changed', 'supply.changed'), ('received', 'supply.received'),
    ('overdue', 'supply.overdue')) AS w(what, type) ON w.what = s.what
LEFT JOIN infra.outbox e ON e.aggregate = 'expected_receipt' AND e.aggregate_id = a.id AND e.version = s.version AND e.type = w.type
WHERE e.id IS NULL
UNION ALL
SELECT a.number, a.version, a.state, CASE a.state WHEN 'received' THEN 'supply.closed' ELSE 'supply.cancelled' END
FROM supply.announcements a LEFT JOIN infra.outbox e
    ON e.aggregate = 'expected_receipt' AND e.aggregate_id = a.id AND e.version = a.version
    AND e.type = CASE a.state WHEN 'received' THEN 'supply.closed' ELSE 'supply.cancelled' END
WHERE a.closed_at IS NOT NULL AND e.id IS NULL
"""
ACTS = """
SELECT a.number, coalesce(r.version, s.version) AS version, r.id AS receipt, s.id AS step
FROM supply.receipts r
FULL JOIN (SELECT * FROM supply.steps WHERE what = 'received') s
    ON s.announcement_id = r.announcement_id AND s.version = r.version AND s.data ->> 'receipt_id' = CAST(r.id AS text)
LEFT JOIN supply.announcements a ON a.id = coalesce(r.announcement_id, s.announcement_id)
WHERE r.id IS NULL OR s.id IS NULL OR NOT EXISTS (SELECT 1 FROM supply.receipt_lines l WHERE l.receipt_id = r.id)
"""
RECORDED = """
SELECT a.number, s.version, s.what FROM supply.steps s JOIN supply.announcements a ON a.id = s.announcement_id
WHERE NOT EXISTS (
    SELECT 1 FROM infra.audit_records r
    WHERE r.target = 'expected_receipt' AND r.target_id = CAST(s.announcement_id AS text) AND r.occurred_at = s.occurred_at)
"""
SUPPLIERS = """
SELECT s.code, s.version, e.events FROM supply.suppliers s LEFT JOIN (
    SELECT aggregate_id, count(*) AS events, max(version) AS last, min(version) AS first FROM infra.outbox
    WHERE aggregate = 'supplier' GROUP BY aggregate_id
) e ON e.aggregate_id = s.id
WHERE (e.events, e.last, e.first) IS DISTINCT FROM (s.version::bigint, s.version, 1)
"""

INVARIANTS = [
    Invariant(1, "a line of an expected receipt counts what its receipts brought", COUNTED),
    Invariant(2, "an expected receipt is open as long as something is to come", STATE),
    Invariant(2, "every discrepancy of an expected receipt has its reason", EXPLAINED),
    Invariant(8, "each version of an expected receipt has its step and its events, without a gap", VERSIONS),
    Invariant(8, "every step of an expected receipt has published what it says", SAID),
    Invariant(8, "every act of receiving has its step and its lines", ACTS),
    Invariant(8, "what is done about an expected receipt has its audit record", RECORDED),
    Invariant(8, "each version of a supplier has its event, without a gap", SUPPLIERS),
]
