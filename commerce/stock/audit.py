"""Invariants 1 and 2 of DESIGN 14: the levels and costs against the ledger, the buckets against the reservations."""

from __future__ import annotations

from commerce.infra.audit import Invariant
from commerce.stock.closings import ENDS
from commerce.stock.ledger import BUCKETS

NAMES = ", ".join(BUCKETS)
SUMS = ", ".join(f"coalesce(sum(e.quantity) FILTER (WHERE e.place = '{bucket}'), 0) AS {bucket}" for bucket in BUCKETS)
COMPARED = f"""
SELECT coalesce(l.location_id, s.location_id) AS location_id, coalesce(l.variant_id, s.variant_id) AS variant_id,
    {", ".join(f"l.{bucket}, s.{bucket} AS moved_{bucket}" for bucket in BUCKETS)}
FROM stock.levels l FULL JOIN ({{counted}}) s ON s.location_id = l.location_id AND s.variant_id = l.variant_id
WHERE ({", ".join(f"coalesce(l.{bucket}, 0)" for bucket in BUCKETS)})
    IS DISTINCT FROM ({", ".join(f"coalesce(s.{bucket}, 0)" for bucket in BUCKETS)})
    OR least({", ".join(f"l.{bucket}" for bucket in BUCKETS)}) < 0
"""
LEVELS_EQUAL_MOVEMENTS = COMPARED.format(
    counted=f"""
    WITH base AS MATERIALIZED (
        SELECT number, position FROM stock.closings WHERE made_at IS NOT NULL ORDER BY number DESC LIMIT 1
    )
    SELECT location_id, variant_id, {", ".join(f"sum({bucket}) AS {bucket}" for bucket in BUCKETS)}
    FROM (
        SELECT c.location_id, c.variant_id, {", ".join(f"c.{bucket}" for bucket in BUCKETS)}
        FROM base JOIN stock.closing_levels c ON c.closing <= base.number AND (c.until IS NULL OR c.until > base.number)
        UNION ALL
        SELECT e.location_id, m.variant_id, {SUMS}
        FROM stock.movements m {ENDS}
        WHERE m.recorded_at > (SELECT coalesce(max(position), '-infinity') FROM base) AND e.location_id IS NOT NULL
        GROUP BY e.location_id, m.variant_id
    ) parts GROUP BY location_id, variant_id
    """
)
"""The newest closing, and what was moved since; that the closing itself is right is what a full audit checks."""
LEVELS_EQUAL_ALL_MOVEMENTS = COMPARED.format(
    counted=f"""
    SELECT e.location_id, m.variant_id, {SUMS}
    FROM stock.movements m {ENDS} WHERE e.location_id IS NOT NULL GROUP BY e.location_id, m.variant_id
    """
)
CLOSINGS_EQUAL_MOVEMENTS = f"""
WITH made AS MATERIALIZED (
    SELECT coalesce(array_agg(position ORDER BY number), '{{}}') AS positions FROM stock.closings WHERE made_at IS NOT NULL
), moved AS (
    SELECT e.location_id, m.variant_id, width_bucket(m.recorded_at - interval '1 microsecond', made.positions) + 1 AS closing, {SUMS}
    FROM made, stock.movements m {ENDS} WHERE e.location_id IS NOT NULL GROUP BY 1, 2, 3
), standing AS (
    SELECT location_id, variant_id, closing, {", ".join(f"sum({bucket}) OVER so_far AS {bucket}" for bucket in BUCKETS)},
        lead(closing) OVER so_far AS until
    FROM moved WHERE closing <= (SELECT cardinality(positions) FROM made)
    WINDOW so_far AS (PARTITION BY location_id, variant_id ORDER BY closing)
)
SELECT coalesce(c.closing, s.closing) AS closing, coalesce(c.location_id, s.location_id) AS location_id,
    coalesce(c.variant_id, s.variant_id) AS variant_id, c.until, s.until AS moved_until,
    {", ".join(f"c.{bucket}, s.{bucket} AS moved_{bucket}" for bucket in BUCKETS)}
FROM (
    SELECT l.location_id, l.variant_id, l.closing, CASE WHEN l.until <= cardinality(made.positions) THEN l.until END AS until, {NAMES}
    FROM made, stock.closing_levels l WHERE l.closing <= cardinality(made.positions)
) c FULL JOIN standing s ON s.location_id = c.location_id AND s.variant_id = c.variant_id AND s.closing = c.closing
WHERE (c.until, {", ".join(f"c.{bucket}" for bucket in BUCKETS)})
    IS DISTINCT FROM (s.until, {", ".join(f"s.{bucket}" for bucket in BUCKETS)})
"""
"""One being made is left out: closings are numbered without gaps, so those that are made are the first so many."""
CLOSINGS_IN_ORDER = """
SELECT number, position, before FROM (
    SELECT number, position, made_at, row_number() OVER by_number AS n, count(*) OVER () AS closings, lag(position) OVER by_number AS before
    FROM stock.closings WINDOW by_number AS (ORDER BY number)
) c WHERE number <> n OR position <= before OR (made_at IS NULL AND n < closings)
"""
BUCKETS_EQUAL_RESERVATIONS = """
SELECT coalesce(l.location_id, s.location_id) AS location_id, coalesce(l.variant_id, s.variant_id) AS variant_id,
    l.reserved, s.reserved AS open_reserved, l.committed, s.committed AS open_committed,
    l.in_transit_committed, s.in_transit_committed AS open_in_transit_committed
FROM (
    SELECT location_id, variant_id, reserved, committed, in_transit_committed FROM stock.levels
    WHERE reserved <> 0 OR committed <> 0 OR in_transit_committed <> 0
) l FULL JOIN (
    SELECT location_id, variant_id,
        coalesce(sum(quantity_open) FILTER (WHERE bucket = 'reserved'), 0) AS reserved,
        coalesce(sum(quantity_open) FILTER (WHERE bucket = 'committed'), 0) AS committed,
        coalesce(sum(quantity_open) FILTER (WHERE bucket = 'in_transit_committed'), 0) AS in_transit_committed
    FROM stock.reservations WHERE quantity_open > 0 GROUP BY location_id, variant_id
) s ON s.location_id = l.location_id AND s.variant_id = l.variant_id
WHERE (coalesce(l.reserved, 0), coalesce(l.committed, 0), coalesce(l.in_transit_committed, 0))
    IS DISTINCT FROM (coalesce(s.reserved, 0), coalesce(s.committed, 0), coalesce(s.in_transit_committed, 0))
"""
STATE_AND_BUCKET = """
SELECT id, state, bucket, quantity, quantity_open FROM stock.reservations
WHERE quantity_open > 0 AND (state = 'reserved') <> (bucket = 'reserved')
"""
PROMISED = """
SELECT e.id, e.location_id, e.variant_id, e.promised, r.units
FROM stock.expected e FULL JOIN (
    SELECT expected_id, location_id, variant_id, sum(quantity_open) AS units FROM stock.reservations
    WHERE quantity_open > 0 AND bucket IN ('promised', 'in_transit_committed') GROUP BY expected_id, location_id, variant_id
) r ON r.expected_id = e.id AND r.location_id = e.location_id AND r.variant_id = e.variant_id
WHERE coalesce(e.promised, 0) <> coalesce(r.units, 0)
"""
IN_TRANSIT = """
SELECT coalesce(l.location_id, e.location_id) AS location_id, coalesce(l.variant_id, e.variant_id) AS variant_id, l.travelling, e.units
FROM (
    SELECT location_id, variant_id, in_transit::bigint + in_transit_committed AS travelling FROM stock.levels
    WHERE in_transit > 0 OR in_transit_committed > 0
) l FULL JOIN (
    SELECT location_id, variant_id, sum(quantity - received - cancelled) AS units FROM stock.expected
    WHERE kind = 'transfer' AND received + cancelled < quantity GROUP BY location_id, variant_id
) e ON e.location_id = l.location_id AND e.variant_id = l.variant_id
WHERE coalesce(l.travelling, 0) <> coalesce(e.units, 0)
"""
NUMBERED = """
SELECT posting_id, count(*) AS movements, max(n) AS last FROM stock.movements GROUP BY posting_id HAVING count(*) <> max(n) OR min(n) <> 1
"""
COSTS = """
SELECT coalesce(c.variant_id, r.variant_id) AS variant_id, c.average, r.lowest, r.highest, c.received, r.quantity
FROM stock.costs c FULL JOIN (
    SELECT variant_id, sum(quantity) AS quantity, min(unit_cost) AS lowest, max(unit_cost) AS highest
    FROM stock.movements WHERE from_place IN ('supplier', 'conversion') AND unit_cost IS NOT NULL GROUP BY variant_id
) r ON r.variant_id = c.variant_id
WHERE c.received IS DISTINCT FROM r.quantity OR c.average NOT BETWEEN r.lowest AND r.highest
"""
COST_AT_SALE = """
SELECT m.posting_id, m.n, m.variant_id, m.unit_cost, r.lowest, r.highest
FROM stock.movements m LEFT JOIN (
    SELECT variant_id, min(unit_cost) AS lowest, max(unit_cost) AS highest
    FROM stock.movements WHERE from_place IN ('supplier', 'conversion') AND unit_cost IS NOT NULL GROUP BY variant_id
) r ON r.variant_id = m.variant_id
WHERE m.to_place = 'customer' AND m.unit_cost IS NOT NULL AND coalesce(m.unit_cost NOT BETWEEN r.lowest AND r.highest, true)
"""
TOLD = """
SELECT DISTINCT m.posting_id, w.type AS missing
FROM (
    SELECT posting_id, variant_id,
        bool_or(from_place IN ('reserved', 'committed') AND to_place = 'available') AS broken,
        bool_or(from_place = 'loss' AND to_place = 'available') AS unknown
    FROM stock.movements GROUP BY posting_id, variant_id
    HAVING bool_or(from_place = 'available' AND to_place IN ('customer', 'loss', 'damaged', 'quality_control'))
) m JOIN (VALUES ('stock.promise_broken'), ('stock.count_needed')) AS w(type)
    ON (w.type = 'stock.promise_broken' AND m.broken) OR (w.type = 'stock.count_needed' AND m.unknown)
LEFT JOIN infra.outbox e ON e.aggregate = 'posting' AND e.aggregate_id = m.posting_id AND e.type = w.type
WHERE e.id IS NULL
"""
ADJUSTED = """
SELECT a.id, a.state, a.delta, p.id AS posting_id, m.quantity, p.occurred_at
FROM stock.adjustments a
LEFT JOIN stock.postings p ON p.cause_kind = 'adjustment' AND p.cause_id = a.id
LEFT JOIN LATERAL (
    SELECT sum(m.quantity) AS quantity FROM stock.movements m
    WHERE m.posting_id = p.id AND m.variant_id = a.variant_id
        AND (m.from_place, m.from_location_id, m.to_place, m.to_location_id) IS NOT DISTINCT FROM (
            CASE WHEN a.delta > 0 THEN 'loss' ELSE a.bucket END,
            CASE WHEN a.delta < 0 THEN a.location_id END,
            CASE WHEN a.delta > 0 THEN a.bucket WHEN a.reason = 'damage' THEN 'damaged' ELSE 'loss' END,
            CASE WHEN a.delta > 0 OR a.reason = 'damage' THEN a.location_id END)
) m ON true
WHERE CASE WHEN a.state = 'booked'
    THEN (m.quantity, p.occurred_at) IS DISTINCT FROM (abs(a.delta)::bigint, a.requested_at)
    ELSE p.id IS NOT NULL END
"""
ADJUSTMENT_VERSIONS = """
SELECT a.id, a.state, a.version, e.events, e.told
FROM stock.adjustments a LEFT JOIN LATERAL (
    SELECT count(*) AS events, min(o.version) AS first, max(o.version) AS last,
        string_agg(CASE o.type WHEN 'stock.adjustment_decided' THEN o.payload ->> 'state'
                               WHEN 'stock.adjustment_requested' THEN 'waiting' END, ' ' ORDER BY o.version) AS told,
        bool_and((CAST(o.payload ->> 'location_id' AS uuid), CAST(o.payload ->> 'variant_id' AS uuid),
                  CAST(o.payload ->> 'delta' AS integer), o.payload ->> 'bucket', o.payload ->> 'reason',
                  CAST(o.payload ->> 'worth' AS bigint))
             IS NOT DISTINCT FROM (a.location_id, a.variant_id, a.delta, a.bucket, a.reason, a.value)) AS same
    FROM infra.outbox o WHERE o.aggregate = 'adjustment' AND o.aggregate_id = a.id
) e ON true
WHERE (e.events, e.first, e.last) IS DISTINCT FROM (a.version::bigint, 1, a.version)
   OR e.told IS DISTINCT FROM CASE WHEN a.version > 1 THEN 'waiting ' || a.state ELSE a.state END
   OR e.same IS DISTINCT FROM true
   OR (a.state = 'waiting' AND a.version <> 1) OR (a.state = 'rejected' AND a.version <> 2)
"""
ADJUSTMENT_RECORDS = """
SELECT a.id, a.state, d.what, d.occurred_at
FROM stock.adjustments a CROSS JOIN LATERAL (
    VALUES ('requested', a.requested_by, a.requested_at), ('decided', a.decided_by, a.decided_at)
) AS d(what, actor, occurred_at)
LEFT JOIN infra.audit_records r ON r.target = 'adjustment' AND r.target_id = CAST(a.id AS text) AND r.occurred_at = d.occurred_at
    AND r.subject = CAST(d.actor ->> 'subject' AS uuid)
WHERE d.occurred_at IS NOT NULL AND r.id IS NULL
"""
UNIT_LIVES = """
SELECT coalesce(u.variant_id, m.variant_id) AS variant_id, coalesce(u.code, m.code) AS code, u.version, m.moves, u.place, m.to_place
FROM stock.units u FULL JOIN (
    SELECT variant_id, code, count(*) AS moves, max(n) AS last,
        (array_agg(to_place ORDER BY n DESC))[1] AS to_place, (array_agg(to_location_id ORDER BY n DESC))[1] AS to_location_id,
        (array_agg(posting_id ORDER BY n DESC))[1] AS posting_id, (array_agg(picked_for ORDER BY n DESC))[1] AS picked_for,
        (array_agg(line_id ORDER BY n DESC) FILTER (WHERE to_place = 'customer'))[1] AS left_with,
        bool_or(n > 1 AND (from_place, from_location_id) IS DISTINCT FROM (before_place, before_location_id)) AS broken
    FROM (
        SELECT *, lag(to_place) OVER life AS before_place, lag(to_location_id) OVER life AS before_location_id
        FROM stock.unit_moves WINDOW life AS (PARTITION BY variant_id, code ORDER BY n)
    ) moves GROUP BY variant_id, code
) m ON m.variant_id = u.variant_id AND m.code = u.code
WHERE (u.version, u.version, u.place, u.location_id, u.posting_id, u.picked_for) IS DISTINCT FROM
      (CAST(m.moves AS integer), m.last, m.to_place, m.to_location_id, m.posting_id, m.picked_for)
   OR m.broken OR u.place = 'customer' AND u.line_id IS DISTINCT FROM m.left_with
"""
UNITS_OF_POSTINGS = """
SELECT u.posting_id, u.variant_id, u.place, u.units, coalesce(m.quantity, 0) AS moved
FROM (
    SELECT posting_id, variant_id, to_place AS place, line_id, count(*) AS units FROM stock.unit_moves
    WHERE posting_id IS NOT NULL AND to_location_id IS NULL GROUP BY posting_id, variant_id, to_place, line_id
) u LEFT JOIN (
    SELECT posting_id, variant_id, to_place AS place, line_id, sum(quantity) AS quantity FROM stock.movements
    WHERE to_location_id IS NULL GROUP BY posting_id, variant_id, to_place, line_id
) m ON m.posting_id = u.posting_id AND m.variant_id = u.variant_id AND m.place = u.place AND m.line_id IS NOT DISTINCT FROM u.line_id
WHERE u.units > coalesce(m.quantity, 0) OR u.place = 'customer' AND u.units < m.quantity
UNION ALL
SELECT u.posting_id, u.variant_id, 'stock', u.units, coalesce(m.quantity, 0)
FROM (
    SELECT posting_id, variant_id, line_id, count(*) AS units FROM stock.unit_moves
    WHERE posting_id IS NOT NULL AND to_location_id IS NOT NULL AND from_place IS NOT NULL AND from_location_id IS NULL
    GROUP BY posting_id, variant_id, line_id
) u LEFT JOIN (
    SELECT posting_id, variant_id, line_id, sum(quantity) AS quantity FROM stock.movements
    WHERE from_location_id IS NULL GROUP BY posting_id, variant_id, line_id
) m ON m.posting_id = u.posting_id AND m.variant_id = u.variant_id AND m.line_id IS NOT DISTINCT FROM u.line_id
WHERE u.units > coalesce(m.quantity, 0)
"""
UNITS_STANDING = """
WITH standing AS (
    SELECT location_id, variant_id, count(*) AS units FROM stock.units WHERE location_id IS NOT NULL GROUP BY location_id, variant_id
), gone AS (
    SELECT m.from_location_id AS location_id, m.variant_id, sum(m.quantity) AS quantity
    FROM stock.movements m JOIN standing s ON s.location_id = m.from_location_id AND s.variant_id = m.variant_id
    WHERE m.from_place NOT IN ('in_transit', 'in_transit_committed')
      AND (m.to_location_id IS DISTINCT FROM m.from_location_id OR m.to_place IN ('in_transit', 'in_transit_committed'))
    GROUP BY m.from_location_id, m.variant_id
), seen_going AS (
    SELECT m.from_location_id AS location_id, m.variant_id, count(*) AS units
    FROM stock.unit_moves m WHERE m.from_location_id IS NOT NULL AND m.to_location_id IS DISTINCT FROM m.from_location_id
    GROUP BY m.from_location_id, m.variant_id
), found AS (
    SELECT m.to_location_id AS location_id, m.variant_id, count(*) AS units
    FROM stock.unit_moves m WHERE m.to_location_id IS NOT NULL AND m.from_location_id IS DISTINCT FROM m.to_location_id
      AND (m.posting_id IS NULL OR NOT EXISTS (
            SELECT FROM stock.movements v WHERE v.posting_id = m.posting_id AND v.variant_id = m.variant_id
                AND v.to_location_id = m.to_location_id AND v.from_location_id IS NULL))
    GROUP BY m.to_location_id, m.variant_id
)
SELECT s.location_id, s.variant_id, s.units, l.on_hand, coalesce(g.quantity, 0) - coalesce(o.units, 0) AS gone_unseen,
    coalesce(f.units, 0) AS found
FROM standing s LEFT JOIN (
    SELECT location_id, variant_id, available::bigint + reserved + committed + quality_control + damaged AS on_hand FROM stock.levels
) l ON l.location_id = s.location_id AND l.variant_id = s.variant_id
LEFT JOIN gone g ON g.location_id = s.location_id AND g.variant_id = s.variant_id
LEFT JOIN seen_going o ON o.location_id = s.location_id AND o.variant_id = s.variant_id
LEFT JOIN found f ON f.location_id = s.location_id AND f.variant_id = s.variant_id
WHERE s.units > coalesce(l.on_hand, 0) + coalesce(g.quantity, 0) - coalesce(o.units, 0) + coalesce(f.units, 0)
"""
"""Units follow the goods lazily: those that left a location without being named still stand there by their rows (`gone_unseen`), and some
were seen where no goods arrived (`found`)."""

COST_CHANGES = """
SELECT coalesce(c.variant_id, h.variant_id) AS variant_id, c.average, h.average AS changed_to
FROM stock.costs c FULL JOIN (
    SELECT DISTINCT ON (variant_id) variant_id, average FROM stock.cost_changes ORDER BY variant_id, recorded_at DESC, posting_id DESC
) h ON h.variant_id = c.variant_id
WHERE h.variant_id IS NOT NULL AND c.average IS DISTINCT FROM h.average
"""

INVARIANTS = [
    Invariant(1, "every stock level equals the sum of its movements, no bucket is negative", LEVELS_EQUAL_MOVEMENTS),
    Invariant(1, "closings are numbered from 1 without gaps, each later than the one before", CLOSINGS_IN_ORDER),
    Invariant(
        1, "every stock level equals the sum of all movements there ever were", LEVELS_EQUAL_ALL_MOVEMENTS, full=True
    ),
    Invariant(1, "every closing equals the movements recorded up to it", CLOSINGS_EQUAL_MOVEMENTS, full=True),
    Invariant(1, "the movements of a posting are numbered from 1 without gaps", NUMBERED),
    Invariant(1, "a variant's average cost lies between the costs received, over all units received", COSTS),
    Invariant(1, "a variant's average cost is what its last change says", COST_CHANGES),
    Invariant(1, "goods leave at a cost between those received", COST_AT_SALE),
    Invariant(2, "what is set aside equals the open reservations", BUCKETS_EQUAL_RESERVATIONS),
    Invariant(2, "a live reservation stands on the bucket of its state", STATE_AND_BUCKET),
    Invariant(2, "what is promised of an announcement equals the open reservations that stand on it", PROMISED),
    Invariant(1, "what is in transit is what transfers say is on its way", IN_TRANSIT),
    Invariant(1, "a unit is where its life has brought it", UNIT_LIVES),
    Invariant(1, "a posting names no more units than it moves, and all that go to a customer", UNITS_OF_POSTINGS),
    Invariant(1, "no more units stand at a location than goods, but for those that left it unseen", UNITS_STANDING),
    Invariant(8, "a physical fact that broke promises, or that the books did not know, was told", TOLD),
    Invariant(
        1,
        "every booked adjustment has its posting, as of its request; one that waits or was rejected has none",
        ADJUSTED,
    ),
    Invariant(8, "each version of an adjustment has its event, which says what it is", ADJUSTMENT_VERSIONS),
    Invariant(8, "who asked for an adjustment and who decided it is in the audit records", ADJUSTMENT_RECORDS),
]
