"""What must always be true of counts (DESIGN 14)."""

from __future__ import annotations

from commerce.infra.audit import Invariant

POSTED = """
SELECT coalesce(d.session_id, m.session_id) AS session_id, coalesce(d.variant_id, m.variant_id) AS variant_id, d.variance, m.delta
FROM (
    SELECT l.session_id, l.variant_id, l.variance FROM counts.lines l JOIN counts.sessions s ON s.id = l.session_id
    WHERE s.state = 'closed' AND l.variance <> 0 AND l.resolution IN ('posted', 'zeroed')
) d FULL JOIN (
    SELECT s.id AS session_id, m.variant_id, sum(CASE m.from_place WHEN 'loss' THEN m.quantity ELSE -m.quantity END) AS delta
    FROM counts.sessions s JOIN stock.postings p ON p.cause_kind = 'count' AND p.cause_id = s.id
    JOIN stock.movements m ON m.posting_id = p.id AND 'loss' IN (m.from_place, m.to_place)
        AND coalesce(m.from_location_id, m.to_location_id) = s.location_id
    GROUP BY s.id, m.variant_id
) m ON m.session_id = d.session_id AND m.variant_id = d.variant_id
WHERE d.variance IS DISTINCT FROM m.delta
"""
RECKONED = """
SELECT s.number, l.variant_id, l.round, l.counted, e.counted AS entered, l.expected, l.variance, l.resolution
FROM counts.lines l JOIN counts.sessions s ON s.id = l.session_id
LEFT JOIN (
    SELECT session_id, variant_id, round, sum(quantity) AS counted, max(counted_at) AS counted_at
    FROM counts.entries WHERE stands GROUP BY session_id, variant_id, round
) e ON e.session_id = l.session_id AND e.variant_id = l.variant_id AND e.round = l.round
WHERE (l.counted, l.counted_at) IS DISTINCT FROM (e.counted, e.counted_at)
    OR l.round > s.round
    OR l.variance IS DISTINCT FROM (CASE WHEN l.resolution = 'zeroed' THEN 0 ELSE l.counted END) - l.expected
    OR l.resolution IS DISTINCT FROM CASE
        WHEN s.state <> 'closed' THEN NULL
        WHEN l.counted IS NULL THEN CASE s.uncounted WHEN 'zero' THEN 'zeroed' ELSE 'left' END
        WHEN l.variance = 0 THEN 'agrees' ELSE 'posted' END
"""
MOMENTS = """
SELECT s.number, e.variant_id, e.round, e.counted_at, e.version
FROM counts.entries e JOIN counts.sessions s ON s.id = e.session_id
LEFT JOIN counts.lines l ON l.session_id = e.session_id AND l.variant_id = e.variant_id
LEFT JOIN counts.steps t ON t.session_id = e.session_id AND t.version = e.version AND t.what = 'entered'
WHERE l.session_id IS NULL OR t.id IS NULL OR e.counted_at NOT BETWEEN s.opened_at AND t.occurred_at OR e.round > s.round
"""
LIVE = """
SELECT s.number, s.state, l.variant_id, count(*) OVER (PARTITION BY l.location_id, l.variant_id, l.live) AS counts
FROM counts.lines l JOIN counts.sessions s ON s.id = l.session_id
WHERE l.live <> (s.state IN ('open', 'counted', 'recount')) OR l.location_id <> s.location_id
UNION ALL
SELECT NULL, NULL, variant_id, count(*) FROM counts.lines WHERE live GROUP BY location_id, variant_id HAVING count(*) > 1
"""
VERSIONS = """
SELECT s.number, s.version, t.steps, e.events
FROM counts.sessions s
LEFT JOIN LATERAL (SELECT count(*) AS steps, max(version) AS last FROM counts.steps WHERE session_id = s.id) t ON true
LEFT JOIN LATERAL (
    SELECT count(DISTINCT version) AS events, max(version) AS last, min(version) AS first FROM infra.outbox
    WHERE aggregate = 'count' AND aggregate_id = s.id
) e ON true
WHERE (t.steps, t.last) IS DISTINCT FROM (s.version::bigint, s.version)
    OR (e.events, e.last, e.first) IS DISTINCT FROM (s.version::bigint, s.version, 1)
"""
SAID = """
SELECT s.number, t.version, t.what, e.type
FROM counts.steps t JOIN counts.sessions s ON s.id = t.session_id
LEFT JOIN infra.outbox e ON e.aggregate = 'count' AND e.aggregate_id = t.session_id AND e.version = t.version
    AND e.type = 'count.' || t.what
WHERE e.id IS NULL
UNION ALL
SELECT s.number, s.version, s.state, w.what
FROM counts.sessions s
JOIN (VALUES ('closed', 'posted'), ('cancelled', 'cancelled'), ('counted', 'submitted')) AS w(state, what) ON w.state = s.state
JOIN counts.steps t ON t.session_id = s.id AND t.version = s.version WHERE t.what <> w.what
"""
TASKS = """
SELECT t.id, t.state, t.version, o.sources, e.events, t.quantity, o.quantity AS asked
FROM counts.tasks t
LEFT JOIN LATERAL (
    SELECT count(*) AS sources, least(sum(quantity), 2147483647) AS quantity, max(occurred_at) AS last
    FROM counts.task_sources WHERE task_id = t.id
) o ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS events, max(version) AS last, min(version) AS first,
        count(*) FILTER (WHERE type = 'count_task.' || t.state) AS closed
    FROM infra.outbox WHERE aggregate = 'count_task' AND aggregate_id = t.id
) e ON true
LEFT JOIN counts.sessions s ON s.id = t.session_id
WHERE (e.events, e.last, e.first) IS DISTINCT FROM (t.version::bigint, t.version, 1)
    OR o.sources <> t.version - CASE t.state WHEN 'open' THEN 0 ELSE 1 END
    OR (o.quantity, o.last) IS DISTINCT FROM (t.quantity, t.changed_at)
    OR t.state <> 'open' AND e.closed <> 1
    OR t.state = 'counted' AND (s.state, s.location_id) IS DISTINCT FROM ('closed', t.location_id)
    OR t.state = 'open' AND EXISTS (
        SELECT FROM counts.tasks o
        WHERE o.state = 'open' AND o.location_id = t.location_id AND o.variant_id = t.variant_id AND o.id <> t.id)
"""

INVARIANTS = [
    Invariant(1, "a closed count has moved its variances, and nothing else", POSTED),
    Invariant(1, "a count's variance is what was entered in its newest round less what the books said", RECKONED),
    Invariant(1, "what was counted is part of its count, and was counted while it ran", MOMENTS),
    Invariant(1, "a variant is in one live count of a location at most", LIVE),
    Invariant(8, "each version of a count has its step and its event, without a gap", VERSIONS),
    Invariant(8, "every step of a count has published what it says", SAID),
    Invariant(10, "a count task has its sources and events, and is the only open one for its variant there", TASKS),
]
