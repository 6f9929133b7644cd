"""Invariants 1 and 2 of DESIGN 14: the levels and costs against the ledger, the buckets against the reservations."""

from __future__ import annotations

from commerce.infra.audit import Invariant

LEVELS_EQUAL_MOVEMENTS = """
SELECT coalesce(l.location_id, s.location_id) AS location_id, coalesce(l.variant_id, s.variant_id) AS variant_id,
    l.available, s.available AS moved_available, l.reserved, s.reserved AS moved_reserved,
    l.committed, s.committed AS moved_committed, l.quality_control, s.quality_control AS moved_quality_control,
    l.damaged, s.damaged AS moved_damaged, l.in_transit, s.in_transit AS moved_in_transit,
    l.in_transit_committed, s.in_transit_committed AS moved_in_transit_committed
FROM stock.levels l FULL JOIN (
    SELECT e.location_id, m.variant_id,
        coalesce(sum(e.quantity) FILTER (WHERE e.place = 'available'), 0) AS available,
        coalesce(sum(e.quantity) FILTER (WHERE e.place = 'reserved'), 0) AS reserved,
        coalesce(sum(e.quantity) FILTER (WHERE e.place = 'committed'), 0) AS committed,
        coalesce(sum(e.quantity) FILTER (WHERE e.place = 'quality_control'), 0) AS quality_control,
        coalesce(sum(e.quantity) FILTER (WHERE e.place = 'damaged'), 0) AS damaged,
        coalesce(sum(e.quantity) FILTER (WHERE e.place = 'in_transit'), 0) AS in_transit,
        coalesce(sum(e.quantity) FILTER (WHERE e.place = 'in_transit_committed'), 0) AS in_transit_committed
    FROM stock.movements m CROSS JOIN LATERAL (
        VALUES (m.to_location_id, m.to_place, m.quantity::bigint), (m.from_location_id, m.from_place, -m.quantity::bigint)
    ) AS e(location_id, place, quantity)
    WHERE e.location_id IS NOT NULL GROUP BY e.location_id, m.variant_id
) s ON s.location_id = l.location_id AND s.variant_id = l.variant_id
WHERE (coalesce(l.available, 0), coalesce(l.reserved, 0), coalesce(l.committed, 0), coalesce(l.quality_control, 0),
       coalesce(l.damaged, 0), coalesce(l.in_transit, 0), coalesce(l.in_transit_committed, 0))
    IS DISTINCT FROM (coalesce(s.available, 0), coalesce(s.reserved, 0), coalesce(s.committed, 0), coalesce(s.quality_control, 0),
       coalesce(s.damaged, 0), coalesce(s.in_transit, 0), coalesce(s.in_transit_committed, 0))
    OR least(l.available, l.reserved, l.committed, l.quality_control, l.damaged, l.in_transit, l.in_transit_committed) < 0
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
    HAVING bool_or(from_place = 'available' AND to_place IN ('customer', 'loss', 'damaged'))
) m JOIN (VALUES ('stock.promise_broken'), ('stock.count_needed')) AS w(type)
    ON (w.type = 'stock.promise_broken' AND m.broken) OR (w.type = 'stock.count_needed' AND m.unknown)
LEFT JOIN infra.outbox e ON e.aggregate = 'posting' AND e.aggregate_id = m.posting_id AND e.type = w.type
WHERE e.id IS NULL
"""

INVARIANTS = [
    Invariant(1, "every stock level equals the sum of its movements, no bucket is negative", LEVELS_EQUAL_MOVEMENTS),
    Invariant(1, "the movements of a posting are numbered from 1 without gaps", NUMBERED),
    Invariant(1, "a variant's average cost lies between the costs received, over all units received", COSTS),
    Invariant(1, "goods leave at a cost between those received", COST_AT_SALE),
    Invariant(2, "what is set aside equals the open reservations", BUCKETS_EQUAL_RESERVATIONS),
    Invariant(2, "a live reservation stands on the bucket of its state", STATE_AND_BUCKET),
    Invariant(2, "what is promised of an announcement equals the open reservations that stand on it", PROMISED),
    Invariant(1, "what is in transit is what transfers say is on its way", IN_TRANSIT),
    Invariant(8, "a physical fact that broke promises, or that the books did not know, was told", TOLD),
]
