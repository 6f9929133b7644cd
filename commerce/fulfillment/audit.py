"""What must always be true of fulfillments (DESIGN 14)."""

from __future__ import annotations

from commerce.infra.audit import Invariant

INVARIANTS = [
    Invariant(
        3,
        "a closed fulfillment has nothing outstanding, an open one has",
        """
        SELECT f.number, f.state, sum(l.quantity - l.handed_over - l.cancelled - l.passed_on) AS outstanding
        FROM fulfillment.fulfillments f JOIN fulfillment.lines l ON l.fulfillment_id = f.id
        GROUP BY f.id
        HAVING (sum(l.quantity - l.handed_over - l.cancelled - l.passed_on) = 0)
                <> (f.state IN ('collected', 'delivered', 'cancelled', 'rejected'))
            OR (f.state = 'cancelled' AND sum(l.handed_over) > 0)
            OR (f.closed_at IS NULL) = (f.state IN ('collected', 'delivered', 'cancelled', 'rejected'))
        """,
    ),
    Invariant(
        8,
        "each version of a fulfillment has its step and its event, without a gap",
        """
        SELECT f.number, f.version, s.steps, e.events
        FROM fulfillment.fulfillments f
        LEFT JOIN LATERAL (SELECT count(*) AS steps, max(version) AS last FROM fulfillment.steps WHERE fulfillment_id = f.id) s ON true
        LEFT JOIN LATERAL (
            SELECT count(DISTINCT version) AS events, max(version) AS last, min(version) AS first FROM infra.outbox
            WHERE aggregate = 'fulfillment' AND aggregate_id = f.id
        ) e ON true
        WHERE (s.steps, s.last) IS DISTINCT FROM (f.version::bigint, f.version)
           OR (e.events, e.last, e.first) IS DISTINCT FROM (f.version::bigint, f.version, 1)
        """,
    ),
    Invariant(
        8,
        "the first promise and every later one is on record; the last is in force",
        """
        SELECT f.number, f.promised_from, p.promised_from AS recorded
        FROM fulfillment.fulfillments f
        LEFT JOIN LATERAL (
            SELECT promised_from, promised_until FROM fulfillment.promises WHERE fulfillment_id = f.id ORDER BY n DESC LIMIT 1
        ) p ON true
        WHERE (f.promised_from, f.promised_until) IS DISTINCT FROM (p.promised_from, p.promised_until)
        """,
    ),
]
