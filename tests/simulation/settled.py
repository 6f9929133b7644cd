"""What must hold once everything that waits is delivered: nothing and nobody waits for news that will never come.

Each is a statement that answers the rows that break it, like an invariant of the audit, which must hold at every moment.
"""

from __future__ import annotations

TO_SEND = """
SELECT l.owner_id, l.order_line_id, l.variant_id, t.source_id, sum(l.quantity - l.cancelled) AS units
FROM transfers.lines l JOIN transfers.transfers t ON t.id = l.transfer_id
WHERE l.owner_id IS NOT NULL AND t.state IN ('draft', 'ready') AND l.quantity > l.cancelled
GROUP BY l.owner_id, l.order_line_id, l.variant_id, t.source_id
"""
SETTLED: dict[str, str] = {
    "a fulfillment waits as long as something of it is still to come, and no longer": """
SELECT f.number, f.state, s.waits FROM fulfillment.fulfillments f CROSS JOIN LATERAL (
    SELECT CASE WHEN bool_or(r.bucket = 'promised') THEN 'scheduled'
        WHEN bool_or(r.bucket = 'in_transit_committed' OR r.location_id <> f.location_id) THEN 'awaiting_transfer' END AS waits
    FROM stock.reservations r WHERE r.owner_kind = 'fulfillment' AND r.owner_id = f.id AND r.quantity_open > 0
) s
WHERE f.closed_at IS NULL AND s.waits IS DISTINCT FROM CASE WHEN f.state IN ('scheduled', 'awaiting_transfer') THEN f.state END
""",
    "what stands elsewhere for a fulfillment is to be sent to its store": f"""
SELECT f.number, r.line_id, r.variant_id, r.units, w.units AS to_send
FROM (
    SELECT owner_id, line_id, variant_id, location_id, sum(quantity_open) AS units FROM stock.reservations
    WHERE owner_kind = 'fulfillment' AND quantity_open > 0 AND bucket IN ('committed', 'promised')
    GROUP BY owner_id, line_id, variant_id, location_id
) r JOIN fulfillment.fulfillments f ON f.id = r.owner_id AND f.location_id <> r.location_id
LEFT JOIN ({TO_SEND}) w
    ON (w.owner_id, w.order_line_id, w.variant_id, w.source_id) = (r.owner_id, r.line_id, r.variant_id, r.location_id)
WHERE r.units > coalesce(w.units, 0)
""",
    "what is to be sent for a fulfillment is still wanted": f"""
SELECT f.number, w.order_line_id, w.variant_id, w.units, r.units AS set_aside
FROM (SELECT owner_id, order_line_id, variant_id, sum(units) AS units FROM ({TO_SEND}) t GROUP BY owner_id, order_line_id, variant_id) w
JOIN fulfillment.fulfillments f ON f.id = w.owner_id
LEFT JOIN (
    SELECT owner_id, line_id, variant_id, sum(quantity_open + quantity_lost) AS units FROM stock.reservations
    WHERE owner_kind = 'fulfillment' GROUP BY owner_id, line_id, variant_id
) r ON (r.owner_id, r.line_id, r.variant_id) = (w.owner_id, w.order_line_id, w.variant_id)
WHERE w.units > coalesce(r.units, 0)
""",
    "an order's transfer waits as long as something of it is announced, and no longer": """
SELECT t.number, t.state FROM transfers.transfers t
WHERE t.state = 'draft' AND t.order_number IS NOT NULL AND NOT EXISTS (
    SELECT FROM transfers.lines l JOIN stock.reservations r ON r.owner_id = l.owner_id AND r.location_id = t.source_id
    WHERE l.transfer_id = t.id AND r.bucket = 'promised' AND r.quantity_open > 0)
""",
}
