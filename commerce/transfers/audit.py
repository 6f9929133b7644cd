"""What must always be true of transfers (DESIGN 14). Invariants are read across rooms."""

from __future__ import annotations

from commerce.infra.audit import Invariant

ON_THE_WAY = """
SELECT s.destination_id, s.variant_id, s.on_the_way, coalesce(l.in_transit, 0) AS in_transit,
       coalesce(l.in_transit_committed, 0) AS in_transit_committed
FROM (
    SELECT t.destination_id, l.variant_id,
           sum(CASE WHEN t.state IN ('in_transit', 'partially_received')
                    THEN l.dispatched - l.received - l.quality_control - l.damaged - l.missing ELSE 0 END) AS on_the_way
    FROM transfers.transfers t JOIN transfers.lines l ON l.transfer_id = t.id
    GROUP BY t.destination_id, l.variant_id HAVING sum(l.dispatched) > 0
) s LEFT JOIN stock.levels l ON l.location_id = s.destination_id AND l.variant_id = s.variant_id
WHERE s.on_the_way <> coalesce(CAST(l.in_transit AS bigint) + l.in_transit_committed, 0)
"""
SENT = """
SELECT coalesce(d.step_id, m.cause_id) AS step_id, coalesce(d.variant_id, m.variant_id) AS variant_id, d.quantity, m.quantity AS moved
FROM (
    SELECT s.id AS step_id, t.source_id, t.destination_id, CAST(x ->> 'variant_id' AS uuid) AS variant_id,
           sum(CAST(x ->> 'quantity' AS bigint)) AS quantity
    FROM transfers.steps s JOIN transfers.transfers t ON t.id = s.transfer_id
    CROSS JOIN LATERAL jsonb_array_elements(s.data -> 'lines') AS x
    WHERE s.what = 'dispatched' GROUP BY s.id, t.source_id, t.destination_id, x ->> 'variant_id'
) d FULL JOIN (
    SELECT p.cause_id, m.from_location_id, m.to_location_id, m.variant_id, sum(m.quantity) AS quantity
    FROM stock.postings p JOIN stock.movements m ON m.posting_id = p.id
    WHERE p.cause_kind = 'transfer_dispatched' AND p.cause_id IN (SELECT id FROM transfers.steps)
      AND m.from_place = 'committed' AND m.to_place IN ('in_transit', 'in_transit_committed')
    GROUP BY p.cause_id, m.from_location_id, m.to_location_id, m.variant_id
) m ON m.cause_id = d.step_id AND m.variant_id = d.variant_id
   AND m.from_location_id = d.source_id AND m.to_location_id = d.destination_id
WHERE d.quantity IS DISTINCT FROM m.quantity
"""
ARRIVED = """
SELECT coalesce(d.step_id, m.cause_id) AS step_id, coalesce(d.variant_id, m.variant_id) AS variant_id, coalesce(d.fate, m.fate) AS fate,
       coalesce(d.sent, m.sent) AS sent, d.quantity, m.quantity AS moved
FROM (
    SELECT s.id AS step_id, t.destination_id, CAST(x ->> 'variant_id' AS uuid) AS variant_id, u.fate, u.sent, sum(u.quantity) AS quantity
    FROM transfers.steps s JOIN transfers.transfers t ON t.id = s.transfer_id
    CROSS JOIN LATERAL jsonb_array_elements(s.data -> 'lines') AS x
    CROSS JOIN LATERAL (
        SELECT key AS fate, true AS sent, CAST(value AS bigint) AS quantity FROM jsonb_each_text(x -> 'units')
        UNION ALL SELECT key, false, CAST(value AS bigint) FROM jsonb_each_text(x -> 'surplus')
    ) AS u
    WHERE s.what IN ('partially_received', 'received', 'closed')
    GROUP BY s.id, t.destination_id, x ->> 'variant_id', u.fate, u.sent
) d FULL JOIN (
    SELECT p.cause_id, coalesce(m.to_location_id, m.from_location_id) AS location_id, m.variant_id,
           CASE m.to_place WHEN 'committed' THEN 'available' ELSE m.to_place END AS fate, m.from_place <> 'loss' AS sent,
           sum(m.quantity) AS quantity
    FROM stock.postings p JOIN stock.movements m ON m.posting_id = p.id
    WHERE p.cause_kind = 'transfer_received' AND p.cause_id IN (SELECT id FROM transfers.steps)
      AND m.from_place IN ('in_transit', 'in_transit_committed', 'loss')
    GROUP BY p.cause_id, coalesce(m.to_location_id, m.from_location_id), m.variant_id, 4, 5
) m ON m.cause_id = d.step_id AND m.variant_id = d.variant_id AND m.location_id = d.destination_id AND m.fate = d.fate AND m.sent = d.sent
WHERE d.quantity IS DISTINCT FROM m.quantity
"""
ADDED_UP = """
SELECT t.number, l.n, l.dispatched, coalesce(s.dispatched, 0) AS left_in_steps,
       l.received, l.quality_control, l.damaged, l.missing, l.surplus, s.received AS received_in_steps
FROM transfers.lines l JOIN transfers.transfers t ON t.id = l.transfer_id
LEFT JOIN (
    SELECT CAST(x ->> 'line_id' AS uuid) AS line_id, s.transfer_id,
           sum(CAST(x ->> 'quantity' AS bigint)) FILTER (WHERE s.what = 'dispatched') AS dispatched,
           sum(coalesce(CAST(x -> 'units' ->> 'available' AS bigint), 0)) AS received,
           sum(coalesce(CAST(x -> 'units' ->> 'quality_control' AS bigint), 0)) AS quality_control,
           sum(coalesce(CAST(x -> 'units' ->> 'damaged' AS bigint), 0)) AS damaged,
           sum(coalesce(CAST(x -> 'units' ->> 'loss' AS bigint), 0)) AS missing,
           sum((SELECT coalesce(sum(CAST(value AS bigint)), 0) FROM jsonb_each_text(x -> 'surplus'))) AS surplus
    FROM transfers.steps s CROSS JOIN LATERAL jsonb_array_elements(s.data -> 'lines') AS x
    WHERE s.what IN ('dispatched', 'partially_received', 'received', 'closed')
    GROUP BY s.transfer_id, x ->> 'line_id'
) s ON s.line_id = l.id AND s.transfer_id = l.transfer_id
WHERE (l.dispatched, l.received, l.quality_control, l.damaged, l.missing, l.surplus)
    <> (coalesce(s.dispatched, 0), coalesce(s.received, 0), coalesce(s.quality_control, 0), coalesce(s.damaged, 0),
        coalesce(s.missing, 0), coalesce(s.surplus, 0))
"""
OPEN = """
SELECT t.number, t.state, s.wanted, s.dispatched, s.on_the_way
FROM transfers.transfers t LEFT JOIN (
    SELECT transfer_id, sum(quantity - cancelled) AS wanted, sum(dispatched) AS dispatched,
           sum(dispatched - received - quality_control - damaged - missing) AS on_the_way,
           sum(received + quality_control + damaged + missing + surplus) AS arrived
    FROM transfers.lines GROUP BY transfer_id
) s ON s.transfer_id = t.id
WHERE CASE t.state
    WHEN 'in_transit' THEN s.on_the_way = s.dispatched AND s.dispatched > 0 AND s.arrived = 0
    WHEN 'partially_received' THEN s.on_the_way > 0 AND s.arrived > 0
    WHEN 'received' THEN s.on_the_way = 0 AND s.dispatched > 0
    WHEN 'cancelled' THEN s.dispatched = 0
    ELSE s.dispatched = 0 AND s.wanted > 0 END IS NOT TRUE
"""
SET_ASIDE = """
SELECT coalesce(w.line_id, r.line_id) AS line_id, w.quantity, r.quantity AS set_aside
FROM (
    SELECT l.id AS line_id, t.id AS transfer_id, t.source_id, l.variant_id, CAST(l.quantity - l.cancelled AS bigint) AS quantity
    FROM transfers.lines l JOIN transfers.transfers t ON t.id = l.transfer_id WHERE t.state = 'ready' AND l.owner_id IS NULL
) w FULL JOIN (
    SELECT r.line_id, r.owner_id, r.location_id, r.variant_id, sum(r.quantity_open + r.quantity_lost) AS quantity
    FROM stock.reservations r JOIN transfers.transfers t ON t.id = r.owner_id
    WHERE r.owner_kind = 'transfer' AND r.quantity_open + r.quantity_lost > 0
    GROUP BY r.line_id, r.owner_id, r.location_id, r.variant_id
) r ON r.line_id = w.line_id AND r.owner_id = w.transfer_id AND r.location_id = w.source_id AND r.variant_id = w.variant_id
WHERE w.quantity IS DISTINCT FROM r.quantity
"""
PLANNED = """
SELECT coalesce(l.id, e.id) AS line_id, l.dispatched, e.quantity, l.received + l.quality_control + l.damaged AS came, e.received,
       l.missing, e.cancelled
FROM (
    SELECT l.*, t.destination_id FROM transfers.lines l JOIN transfers.transfers t ON t.id = l.transfer_id WHERE l.dispatched > 0
) l FULL JOIN (
    SELECT e.* FROM stock.expected e JOIN transfers.transfers t ON t.id = e.document_id WHERE e.kind = 'transfer'
) e ON e.id = l.id AND e.document_id = l.transfer_id AND e.location_id = l.destination_id AND e.variant_id = l.variant_id
WHERE (l.dispatched, l.received + l.quality_control + l.damaged, l.missing) IS DISTINCT FROM (e.quantity, e.received, e.cancelled)
"""
VERSIONS = """
SELECT t.number, t.version, s.steps, e.events
FROM transfers.transfers t
LEFT JOIN LATERAL (SELECT count(*) AS steps, max(version) AS last FROM transfers.steps WHERE transfer_id = t.id) s ON true
LEFT JOIN LATERAL (
    SELECT count(DISTINCT version) AS events, max(version) AS last, min(version) AS first FROM infra.outbox
    WHERE aggregate = 'transfer' AND aggregate_id = t.id
) e ON true
WHERE (s.steps, s.last) IS DISTINCT FROM (t.version::bigint, t.version)
   OR (e.events, e.last, e.first) IS DISTINCT FROM (t.version::bigint, t.version, 1)
"""
TOLD = """
SELECT t.number, s.version, s.what, w.type AS missing
FROM transfers.steps s JOIN transfers.transfers t ON t.id = s.transfer_id
LEFT JOIN (VALUES
    ('created', 'transfer.created'), ('changed', 'transfer.changed'), ('ready', 'transfer.ready'),
    ('dispatched', 'transfer.dispatched'), ('partially_received', 'transfer.received'), ('received', 'transfer.received'),
    ('closed', 'transfer.received'), ('given_up', 'transfer.given_up'), ('cancelled', 'transfer.cancelled')
) AS w(what, type) ON w.what = s.what
LEFT JOIN infra.outbox e ON e.aggregate = 'transfer' AND e.aggregate_id = s.transfer_id AND e.version = s.version
     AND (e.type = w.type OR s.what = 'opened' AND e.type IN ('transfer.created', 'transfer.ready'))
     AND (e.payload ->> 'number', CAST(e.payload ->> 'source_id' AS uuid), CAST(e.payload ->> 'destination_id' AS uuid))
         = (t.number, t.source_id, t.destination_id)
WHERE e.id IS NULL
"""
RECORDED = """
SELECT t.number, s.version, s.what FROM transfers.steps s JOIN transfers.transfers t ON t.id = s.transfer_id
WHERE s.actor ->> 'kind' IN ('staff', 'device') AND s.what NOT IN ('opened', 'given_up')
  AND NOT (s.what = 'cancelled' AND s.data ? 'fulfillment_id')
  AND NOT EXISTS (
    SELECT 1 FROM infra.audit_records r
    WHERE r.target = 'transfer' AND r.target_id = CAST(t.id AS text) AND r.occurred_at = s.occurred_at)
"""

INVARIANTS = [
    Invariant(
        1, "what stands in transit at a place is what open transfers have sent there and has not arrived", ON_THE_WAY
    ),
    Invariant(1, "every dispatch has moved its goods from its source to its destination", SENT),
    Invariant(1, "every arrival has moved its goods at its destination, into the buckets that it names", ARRIVED),
    Invariant(1, "a transfer's lines say what its steps add up to", ADDED_UP),
    Invariant(
        2, "what a ready transfer is to send is set aside for it, or known to be lost; nothing else is", SET_ASIDE
    ),
    Invariant(2, "what a transfer has sent is planned to arrive, less what is there or missing", PLANNED),
    Invariant(3, "a transfer is under way as long as something is", OPEN),
    Invariant(8, "each version of a transfer has its step and its events, without a gap", VERSIONS),
    Invariant(8, "every step of a transfer has published what it says, between the same places", TOLD),
    Invariant(8, "what staff does with a transfer has its audit record", RECORDED),
]
