"""What must always be true between rooms (DESIGN 14). Each statement reads its tables once and joins them by key.

`AGREEMENTS` begin at a document and look for what it says in the other rooms. `STRAYS` are facts without their document: a test that
knows one room only makes those, a shop never does.
"""

from __future__ import annotations

from commerce.infra.audit import Invariant

PARTS = """
SELECT l.id AS line_id, l.order_id, coalesce(c.variant_id, l.variant_id) AS variant_id, coalesce(c.quantity, 1) AS per_unit
FROM orders.lines l LEFT JOIN LATERAL jsonb_to_recordset(
    CASE WHEN jsonb_typeof(l.components) = 'array' THEN l.components END) AS c(variant_id uuid, quantity integer) ON true
"""
"""What an order line is made of: itself, or the components of the bundle as it was sold."""

SAFETY = """
WITH good AS (
    SELECT v.id AS variant_id, v.product_id, c.path FROM catalog.variants v
    JOIN catalog.products p ON p.id = v.product_id JOIN catalog.categories c ON c.id = p.category_id
), level AS (
    SELECT l.location_id, l.variant_id, l.safety_stock, g.product_id, g.path FROM stock.levels l JOIN good g ON g.variant_id = l.variant_id
), best AS (
    SELECT DISTINCT ON (location_id, variant_id) location_id, variant_id, quantity
    FROM (
        SELECT l.location_id, l.variant_id, 5 AS rank, 0 AS depth, r.quantity
        FROM stock.safety_rules r JOIN level l ON l.location_id = r.location_id AND l.variant_id = r.variant_id
        UNION ALL
        SELECT l.location_id, l.variant_id, 4, 0, r.quantity
        FROM stock.safety_rules r JOIN level l ON l.variant_id = r.variant_id WHERE r.location_id IS NULL
        UNION ALL
        SELECT l.location_id, l.variant_id, 3, array_position(l.path, r.category_code), r.quantity
        FROM stock.safety_rules r JOIN level l ON l.location_id = r.location_id AND r.category_code = ANY(l.path)
        UNION ALL
        SELECT l.location_id, l.variant_id, 2, array_position(l.path, r.category_code), r.quantity
        FROM stock.safety_rules r JOIN level l ON r.category_code = ANY(l.path) WHERE r.location_id IS NULL
        UNION ALL
        SELECT l.location_id, l.variant_id, 1, 0, r.quantity
        FROM stock.safety_rules r JOIN level l ON l.location_id = r.location_id WHERE r.variant_id IS NULL AND r.category_code IS NULL
    ) rules ORDER BY location_id, variant_id, rank DESC, depth DESC
)
SELECT l.location_id, l.variant_id, l.safety_stock, coalesce(b.quantity, 0) AS by_the_rules
FROM level l LEFT JOIN best b ON b.location_id = l.location_id AND b.variant_id = l.variant_id
WHERE l.safety_stock <> coalesce(b.quantity, 0)
  AND NOT EXISTS (
    SELECT FROM stock.safety_changes c
    WHERE c.kind = 'everything' OR c.scope @> to_jsonb(ARRAY[CAST(l.location_id AS text)])
        OR c.scope @> to_jsonb(ARRAY[CAST(l.variant_id AS text)])
        OR c.scope @> jsonb_build_array(jsonb_build_array(l.location_id, l.variant_id)))
  AND NOT EXISTS (
    SELECT FROM infra.outbox e LEFT JOIN infra.deliveries d ON d.event_id = e.id AND d.subscriber LIKE 'stock.safety_of_%'
    WHERE (e.published_no IS NULL OR d.delivered_at IS NULL AND d.event_id IS NOT NULL)
        AND (e.type = 'product.saved' AND e.aggregate_id = l.product_id OR e.type = 'category.moved'))
"""
"""What has been changed and is on its way to its levels is left out."""

GOODS = [
    Invariant(2, "the safety stock of every level is what the most specific rule says", SAFETY),
    Invariant(
        1,
        "what a fulfillment handed over has left its store with the customer",
        """
        SELECT f.order_line_id, f.location_id, f.handed_over, d.per_unit, m.quantity AS moved
        FROM (
            SELECT l.order_line_id, f.location_id, sum(l.handed_over) AS handed_over
            FROM fulfillment.lines l JOIN fulfillment.fulfillments f ON f.id = l.fulfillment_id
            GROUP BY l.order_line_id, f.location_id
        ) f JOIN ("""
        + PARTS
        + """) d ON d.line_id = f.order_line_id LEFT JOIN (
            SELECT m.line_id, m.variant_id, m.from_location_id AS location_id, sum(m.quantity) AS quantity
            FROM stock.movements m JOIN stock.postings p ON p.id = m.posting_id
            WHERE m.to_place = 'customer' AND p.cause_kind IN ('hand_over', 'till_sale')
            GROUP BY m.line_id, m.variant_id, m.from_location_id
        ) m ON m.line_id = f.order_line_id AND m.variant_id = d.variant_id AND m.location_id = f.location_id
        WHERE f.handed_over * d.per_unit <> coalesce(m.quantity, 0)
        """,
    ),
    Invariant(
        1,
        "every document that moves goods has its posting",
        """
        SELECT d.kind, d.id
        FROM (
            SELECT 'hand_over' AS kind, CAST(data ->> 'hand_over_id' AS uuid) AS id FROM fulfillment.steps
            WHERE what IN ('collected', 'partly_collected')
            UNION ALL SELECT 'till_sale', id FROM orders.orders WHERE kind = 'till_sale'
            UNION ALL SELECT 'order_placed', id FROM fulfillment.fulfillments WHERE kind <> 'carry_out'
            UNION ALL SELECT 'return', id FROM returns.returns WHERE state = 'closed'
        ) d LEFT JOIN stock.postings p ON p.cause_kind = d.kind AND p.cause_id = d.id
        WHERE p.id IS NULL
        """,
    ),
    Invariant(
        2,
        "what a fulfillment still owes is set aside for it at its store, or known to be lost there",
        """
        SELECT f.number, l.order_line_id, l.quantity, d.per_unit, r.began,
            l.quantity - l.handed_over - l.cancelled - l.passed_on AS outstanding,
            r.kept, r.elsewhere
        FROM fulfillment.lines l JOIN fulfillment.fulfillments f ON f.id = l.fulfillment_id AND f.kind <> 'carry_out'
        JOIN ("""
        + PARTS
        + """) d ON d.line_id = l.order_line_id
        LEFT JOIN (
            SELECT r.owner_id, r.line_id, r.variant_id, sum(r.quantity) AS began, sum(r.quantity_open + r.quantity_lost) AS kept,
                sum(r.quantity_open) FILTER (WHERE f.location_id <> r.location_id OR r.bucket <> 'committed') AS elsewhere
            FROM stock.reservations r JOIN fulfillment.fulfillments f ON f.id = r.owner_id
            WHERE r.owner_kind = 'fulfillment' GROUP BY r.owner_id, r.line_id, r.variant_id
        ) r ON r.owner_id = f.id AND r.line_id = l.order_line_id AND r.variant_id = d.variant_id
        WHERE (r.began, r.kept) IS DISTINCT FROM (
                CAST(l.quantity AS bigint) * d.per_unit,
                CAST(l.quantity - l.handed_over - l.cancelled - l.passed_on AS bigint) * d.per_unit)
           OR r.elsewhere > 0 AND f.state NOT IN ('scheduled', 'awaiting_transfer')
        """,
    ),
    Invariant(
        2,
        "a live fulfillment is at risk when it has lost goods, and only then, once it has been told",
        """
        WITH waiting AS (
            SELECT CAST(jsonb_array_elements_text(o.payload -> 'fulfillment_ids') AS uuid) AS id FROM infra.outbox o
            WHERE o.type = 'stock.promise_broken' AND (
                o.published_no IS NULL
                OR EXISTS (SELECT 1 FROM infra.deliveries d WHERE d.event_id = o.id AND d.delivered_at IS NULL))
        )
        SELECT f.number, f.state, f.at_risk, coalesce(r.lost, 0) AS lost
        FROM fulfillment.fulfillments f
        LEFT JOIN (
            SELECT owner_id, sum(quantity_lost) AS lost FROM stock.reservations
            WHERE owner_kind = 'fulfillment' AND quantity_lost > 0 GROUP BY owner_id
        ) r ON r.owner_id = f.id
        WHERE f.at_risk <> (r.lost IS NOT NULL AND f.closed_at IS NULL)
          AND (f.at_risk OR f.id NOT IN (SELECT id FROM waiting))
        """,
    ),
    Invariant(
        3,
        "no more units are with a customer than their order line handed over and did not get back",
        """
        SELECT u.line_id, u.variant_id, u.units, l.handed_over, l.returned, d.per_unit
        FROM (SELECT line_id, variant_id, count(*) AS units FROM stock.units WHERE place = 'customer' GROUP BY line_id, variant_id) u
        JOIN orders.lines l ON l.id = u.line_id
        LEFT JOIN ("""
        + PARTS
        + """) d ON d.line_id = u.line_id AND d.variant_id = u.variant_id
        WHERE u.units > coalesce((l.handed_over - l.returned) * d.per_unit, 0)
        """,
    ),
    Invariant(
        2,
        "a unit lies in the box of a fulfillment that still owes it",
        """
        SELECT u.picked_for, u.picked_line, u.variant_id, u.units, l.quantity, l.handed_over, l.cancelled, l.passed_on
        FROM (
            SELECT picked_for, picked_line, variant_id, count(*) AS units FROM stock.units WHERE picked_for IS NOT NULL
            GROUP BY picked_for, picked_line, variant_id
        ) u JOIN fulfillment.fulfillments f ON f.id = u.picked_for
        LEFT JOIN fulfillment.lines l ON l.fulfillment_id = u.picked_for AND l.order_line_id = u.picked_line
        LEFT JOIN ("""
        + PARTS
        + """) d ON d.line_id = u.picked_line AND d.variant_id = u.variant_id
        WHERE u.units > coalesce((l.quantity - l.handed_over - l.cancelled - l.passed_on) * d.per_unit, 0)
        """,
    ),
    Invariant(
        3,
        "a fulfillment's lines are units of the lines of its order",
        """
        SELECT f.number, l.id AS line_id, l.variant_id, f.order_id, o.order_id AS order_of_line, o.variant_id AS ordered
        FROM fulfillment.lines l JOIN fulfillment.fulfillments f ON f.id = l.fulfillment_id
        LEFT JOIN orders.lines o ON o.id = l.order_line_id
        WHERE (o.order_id, o.variant_id) IS DISTINCT FROM (f.order_id, l.variant_id)
        """,
    ),
    Invariant(
        3,
        "nothing is ready or handed over that was not picked",
        """
        SELECT f.number, f.state, l.quantity, l.picked, l.handed_over, l.cancelled
        FROM fulfillment.lines l JOIN fulfillment.fulfillments f ON f.id = l.fulfillment_id
        WHERE l.handed_over > l.picked
           OR f.state IN ('picked', 'packed', 'ready_for_pickup') AND l.picked < l.quantity - l.cancelled - l.passed_on
        """,
    ),
    Invariant(
        3,
        "an order line says when, where and at which cost its units left",
        """
        SELECT o.number, l.sku, l.handed_over, l.handed_over_at, m.moments, l.unit_cost, m.lowest, m.highest
        FROM orders.lines l JOIN orders.orders o ON o.id = l.order_id
        LEFT JOIN (
            SELECT line_id, array_agg(DISTINCT moment) AS moments, array_agg(DISTINCT place) AS places,
                   sum(lowest) FILTER (WHERE n = 1) AS lowest, sum(highest) FILTER (WHERE n = 1) AS highest, bool_or(unknown) AS unknown
            FROM (
                SELECT line_id, variant_id, occurred_at AS moment, from_location_id AS place,
                       per_unit * min(unit_cost) OVER (PARTITION BY line_id, variant_id) AS lowest,
                       per_unit * max(unit_cost) OVER (PARTITION BY line_id, variant_id) AS highest,
                       bool_or(unit_cost IS NULL) OVER (PARTITION BY line_id, variant_id) AS unknown,
                       row_number() OVER (PARTITION BY line_id, variant_id) AS n
                FROM stock.movements WHERE to_place = 'customer' AND line_id IS NOT NULL
            ) moved GROUP BY line_id
        ) m ON m.line_id = l.id
        WHERE (l.handed_over > 0) <> (l.handed_over_at IS NOT NULL)
           OR (l.handed_over > 0) <> (l.fulfilled_location_id IS NOT NULL)
           OR l.handed_over = 0 AND l.unit_cost IS NOT NULL
           OR l.handed_over > 0 AND coalesce(
                l.handed_over_at <> ALL (m.moments) OR l.fulfilled_location_id <> ALL (m.places)
                OR (l.unit_cost IS NULL) <> m.unknown OR l.unit_cost NOT BETWEEN m.lowest AND m.highest, m.line_id IS NULL)
        """,
    ),
]

SUPPLY = [
    Invariant(
        2,
        "what a supplier has announced is what stock plans for",
        """
        SELECT a.number, l.n, l.quantity, e.quantity AS planned, l.received, e.received AS arrived, l.cancelled,
               e.cancelled AS given_up, a.expected_on, e.expected_on AS planned_on
        FROM supply.lines l JOIN supply.announcements a ON a.id = l.announcement_id
        LEFT JOIN stock.expected e ON e.id = l.id AND e.kind = 'supply'
        WHERE NOT l.unannounced AND (
            (e.document_id, e.location_id, e.variant_id, e.quantity, e.received, e.cancelled, e.unit_cost)
                IS DISTINCT FROM (a.id, a.location_id, l.variant_id, l.quantity, l.received, l.cancelled, l.unit_cost)
            OR l.received + l.cancelled < l.quantity AND e.expected_on <> a.expected_on
        )
        """,
    ),
    Invariant(
        1,
        "every receipt of a delivery has its posting, with the units that came",
        """
        SELECT coalesce(r.id, m.id) AS receipt_id, coalesce(r.variant_id, m.variant_id) AS variant_id,
               coalesce(r.place, m.place) AS place, r.quantity, m.quantity AS moved
        FROM (
            SELECT t.receipt_id AS id, l.variant_id, a.location_id, t.bucket AS place, t.unit_cost, sum(t.quantity) AS quantity
            FROM supply.receipt_lines t JOIN supply.lines l ON l.id = t.line_id
            JOIN supply.announcements a ON a.id = l.announcement_id
            GROUP BY t.receipt_id, l.variant_id, a.location_id, t.bucket, t.unit_cost
        ) r FULL JOIN (
            SELECT p.cause_id AS id, m.variant_id, m.to_location_id AS location_id,
                   CASE m.to_place WHEN 'committed' THEN 'available' ELSE m.to_place END AS place, m.unit_cost,
                   sum(m.quantity) AS quantity
            FROM stock.postings p JOIN stock.movements m ON m.posting_id = p.id AND m.from_place = 'supplier'
            WHERE p.cause_kind = 'supply_receipt' GROUP BY 1, 2, 3, 4, 5
        ) m ON m.id = r.id AND m.variant_id = r.variant_id AND m.location_id = r.location_id AND m.place = r.place
           AND coalesce(m.unit_cost, -1) = coalesce(r.unit_cost, -1)
        WHERE r.quantity IS DISTINCT FROM m.quantity
        """,
    ),
]

MONEY = [
    Invariant(
        4,
        "an order, its payments, refunds, receipts and returns have one currency",
        """
        SELECT o.number, o.currency, x.what, x.id, x.currency AS other
        FROM (
            SELECT 'payment' AS what, id, order_id, currency FROM payments.payments
            UNION ALL SELECT 'refund', id, order_id, currency FROM payments.refunds
            UNION ALL SELECT 'receipt', id, order_id, currency FROM payments.receipts
            UNION ALL SELECT 'return', id, order_id, currency FROM returns.returns
        ) x JOIN orders.orders o ON o.id = x.order_id WHERE x.currency <> o.currency
        """,
    ),
    Invariant(
        4,
        "the units handed over stand on the order's receipts, at their price and tax",
        """
        SELECT o.number, l.sku, l.handed_over, r.quantity AS on_receipts, due.total AS due, r.total, due.tax AS due_tax, r.tax
        FROM orders.lines l JOIN orders.orders o ON o.id = l.order_id
        CROSS JOIN LATERAL (
            SELECT div(2 * CAST(l.total AS numeric) * l.handed_over + l.quantity, 2 * l.quantity) AS total
        ) paid
        CROSS JOIN LATERAL (
            SELECT paid.total, div(2 * paid.total * l.tax_basis_points + 10000 + l.tax_basis_points,
                                   2 * (10000 + l.tax_basis_points)) AS tax
        ) due
        LEFT JOIN (
            SELECT r.order_id, p.order_line_id, sum(p.quantity) AS quantity, sum(p.total) AS total, sum(p.tax) AS tax,
                   min(p.unit_price) AS lowest, max(p.unit_price) AS highest,
                   min(p.tax_basis_points) AS lowest_rate, max(p.tax_basis_points) AS highest_rate
            FROM payments.receipts r CROSS JOIN LATERAL jsonb_to_recordset(r.lines) AS p(
                order_line_id uuid, quantity bigint, unit_price bigint, total bigint, tax bigint, tax_basis_points integer)
            WHERE r.kind = 'sale' GROUP BY r.order_id, p.order_line_id
        ) r ON r.order_line_id = l.id AND r.order_id = l.order_id
        WHERE (coalesce(r.quantity, 0), coalesce(r.total, 0), coalesce(r.tax, 0)) <> (l.handed_over, due.total, due.tax)
           OR (r.lowest, r.highest, r.lowest_rate, r.highest_rate)
              <> (l.unit_price, l.unit_price, l.tax_basis_points, l.tax_basis_points)
        """,
    ),
    Invariant(
        5,
        "a line costs its unit price times its quantity, rounded once; a charge's tax is what its rate says",
        """
        SELECT o.number, l.sku AS what, l.subtotal AS amount
        FROM orders.lines l JOIN orders.orders o ON o.id = l.order_id
        WHERE l.subtotal <> div(2 * CAST(l.unit_price AS numeric) * l.quantity + power(10::numeric, l.quantity_scale),
                                2 * power(10::numeric, l.quantity_scale))
        UNION ALL
        SELECT o.number, c.kind, c.amount
        FROM orders.charges c JOIN orders.orders o ON o.id = c.order_id
        WHERE c.tax <> sign(c.amount) * div(2 * abs(CAST(c.amount AS numeric)) * c.tax_basis_points + 10000 + c.tax_basis_points,
                                            2 * (10000 + c.tax_basis_points))
        """,
    ),
]

EVENTS = [
    Invariant(
        8,
        "an order is still what it was when it was placed",
        """
        SELECT o.number, e.type
        FROM orders.orders o JOIN infra.outbox e ON e.aggregate = 'order' AND e.aggregate_id = o.id AND e.version = 1
             AND e.type IN ('order.placed', 'order.sale_booked')
        LEFT JOIN LATERAL (
            SELECT r.payload ->> 'customer_id' AS customer_id FROM infra.outbox r
            WHERE r.aggregate = 'order' AND r.aggregate_id = o.id AND r.type = 'order.reassigned' ORDER BY r.version DESC LIMIT 1
        ) given ON true
        WHERE (o.number, o.currency, o.total, o.customer_id) IS DISTINCT FROM
              (e.payload ->> 'number', e.payload ->> 'currency', CAST(e.payload ->> 'total' AS numeric),
               CAST(coalesce(given.customer_id, e.payload ->> 'customer_id') AS uuid))
           OR e.type = 'order.placed' AND o.cart_id IS DISTINCT FROM CAST(e.payload ->> 'cart_id' AS uuid)
           OR EXISTS (
                SELECT 1 FROM (SELECT id, variant_id, quantity, total FROM orders.lines WHERE order_id = o.id) l
                FULL JOIN jsonb_to_recordset(e.payload -> 'lines') AS t(line_id uuid, variant_id uuid, quantity integer, total bigint)
                  ON t.line_id = l.id
                WHERE (l.variant_id, l.quantity, l.total) IS DISTINCT FROM (t.variant_id, t.quantity, t.total))
        """,
    ),
    Invariant(
        8,
        "a fulfillment is still where and for which order it was opened",
        """
        SELECT f.number, e.type
        FROM fulfillment.fulfillments f JOIN infra.outbox e ON e.aggregate = 'fulfillment' AND e.aggregate_id = f.id
        WHERE (f.number, f.order_id, f.location_id) IS DISTINCT FROM
              (e.payload ->> 'number', CAST(e.payload ->> 'order_id' AS uuid), CAST(e.payload ->> 'location_id' AS uuid))
        """,
    ),
    Invariant(
        8,
        "every entry of an order has published what it says",
        """
        SELECT o.number, n.version, n.what, w.type AS missing
        FROM orders.entries n JOIN orders.orders o ON o.id = n.order_id
        JOIN (VALUES
            ('placed', 'order.placed'), ('sold', 'order.sale_booked'), ('sold', 'order.completed'),
            ('partly_collected', 'order.handed_over'), ('collected', 'order.handed_over'), ('collected', 'order.completed'),
            ('partly_cancelled', 'order.partly_cancelled'), ('cancelled', 'order.cancelled'), ('returned', 'order.returned'),
            ('pickup_code_renewed', 'order.pickup_code_renewed'), ('reassigned', 'order.reassigned')
        ) AS w(what, type) ON w.what = n.what
        LEFT JOIN infra.outbox e
          ON e.aggregate = 'order' AND e.aggregate_id = n.order_id AND e.version = n.version AND e.type = w.type
        WHERE e.id IS NULL
        UNION ALL
        SELECT o.number, o.version, o.state, 'order.' || o.state
        FROM orders.orders o LEFT JOIN (
            SELECT aggregate_id, type, count(*) AS times FROM infra.outbox
            WHERE aggregate = 'order' AND type IN ('order.completed', 'order.cancelled') GROUP BY aggregate_id, type
        ) e ON e.aggregate_id = o.id AND e.type = 'order.' || o.state
        WHERE o.state IN ('completed', 'cancelled') AND coalesce(e.times, 0) <> 1
        """,
    ),
    Invariant(
        8,
        "every step of a fulfillment has published what it says",
        """
        SELECT f.number, s.version, s.what, w.type AS missing
        FROM fulfillment.steps s JOIN fulfillment.fulfillments f ON f.id = s.fulfillment_id
        JOIN (VALUES
            ('opened', 'opened'), ('accepted', 'accepted'), ('picking', 'picking'), ('picked', 'picked'), ('packed', 'packed'),
            ('ready_for_pickup', 'ready_for_pickup'), ('pickup_code_renewed', 'pickup_code_renewed'), ('promised', 'promised'),
            ('at_risk', 'at_risk'), ('checked', 'at_risk'), ('safe', 'safe'), ('partly_collected', 'partly_collected'),
            ('collected', 'collected'), ('carried_out', 'collected'), ('partly_cancelled', 'partly_cancelled'),
            ('cancelled', 'cancelled'), ('rejected', 'rejected'), ('goods_arrived', 'goods_arrived'),
            ('passed_on', 'passed_on')
        ) AS w(what, type) ON w.what = s.what
        LEFT JOIN infra.outbox e ON e.aggregate = 'fulfillment' AND e.aggregate_id = s.fulfillment_id AND e.version = s.version
             AND e.type = 'fulfillment.' || w.type
        WHERE e.id IS NULL
        """,
    ),
    Invariant(
        8,
        "what staff and devices do with goods and money has its audit record",
        """
        SELECT d.target, d.id, d.what, d.occurred_at
        FROM (
            SELECT 'fulfillment' AS target, CAST(s.fulfillment_id AS text) AS id, CAST(f.order_id AS text) AS order_id, s.what,
                   s.occurred_at
            FROM fulfillment.steps s JOIN fulfillment.fulfillments f ON f.id = s.fulfillment_id
            WHERE s.actor ->> 'kind' IN ('staff', 'device') AND f.kind <> 'carry_out'
              AND s.what NOT IN ('opened', 'pickup_code_renewed')
            UNION ALL
            SELECT 'order', CAST(id AS text), NULL, 'sold', recorded_at FROM orders.orders WHERE kind = 'till_sale'
            UNION ALL
            SELECT 'return', CAST(id AS text), NULL, 'accepted', created_at FROM returns.returns
            UNION ALL
            SELECT 'count', CAST(session_id AS text), NULL, what, occurred_at FROM counts.steps
            WHERE actor ->> 'kind' IN ('staff', 'device')
        ) d
        WHERE NOT EXISTS (
            SELECT 1 FROM infra.audit_records r
            WHERE r.target = d.target AND r.target_id = d.id AND (d.target = 'order' OR r.occurred_at = d.occurred_at)
        ) AND NOT EXISTS (
            SELECT 1 FROM infra.audit_records r
            WHERE r.target = 'order' AND r.target_id = d.order_id AND r.occurred_at = d.occurred_at
        )
        """,
    ),
    Invariant(
        10,
        "no pickup code was tried more than five times",
        "SELECT number, code_attempts FROM fulfillment.fulfillments WHERE code_attempts > 5",
    ),
]

STRAYS = [
    Invariant(
        1,
        "every posting of a transfer has its step",
        """
        SELECT p.cause_kind, p.cause_id, p.id FROM stock.postings p
        WHERE p.cause_kind IN
              ('transfer_ready', 'transfer_dispatched', 'transfer_left_behind', 'transfer_received', 'transfer_cancelled')
          AND NOT EXISTS (
            SELECT FROM transfers.steps s WHERE s.id = p.cause_id AND CASE p.cause_kind
                WHEN 'transfer_ready' THEN s.what = 'ready'
                WHEN 'transfer_received' THEN s.what IN ('partially_received', 'received', 'closed')
                WHEN 'transfer_cancelled' THEN s.what = 'cancelled'
                ELSE s.what = 'dispatched' END)
        """,
    ),
    Invariant(
        2,
        "what is set aside elsewhere for a fulfillment is to be brought by a transfer, once the news was heard",
        """
        WITH waiting AS (
            SELECT CAST(jsonb_array_elements_text(o.payload -> 'fulfillment_ids') AS uuid) AS id FROM infra.outbox o
            WHERE o.type = 'transfer.fell_short' AND (
                o.published_no IS NULL
                OR EXISTS (SELECT 1 FROM infra.deliveries d WHERE d.event_id = o.id AND d.delivered_at IS NULL))
        )
        SELECT r.number, r.line_id, r.variant_id, r.location_id, r.units, t.to_send
        FROM (
            SELECT f.number, f.location_id AS destination_id, r.owner_id, r.line_id, r.variant_id, r.location_id,
                sum(r.quantity_open) AS units
            FROM stock.reservations r JOIN fulfillment.fulfillments f ON f.id = r.owner_id
            WHERE r.owner_kind = 'fulfillment' AND r.quantity_open > 0 AND r.location_id <> f.location_id
            GROUP BY f.number, f.location_id, r.owner_id, r.line_id, r.variant_id, r.location_id
        ) r LEFT JOIN (
            SELECT t.source_id, t.destination_id, l.owner_id, l.order_line_id, l.variant_id, sum(l.quantity - l.cancelled) AS to_send
            FROM transfers.transfers t JOIN transfers.lines l ON l.transfer_id = t.id
            WHERE t.state IN ('draft', 'ready') AND l.owner_id IS NOT NULL
            GROUP BY t.source_id, t.destination_id, l.owner_id, l.order_line_id, l.variant_id
        ) t ON t.owner_id = r.owner_id AND t.order_line_id = r.line_id AND t.variant_id = r.variant_id
            AND t.source_id = r.location_id AND t.destination_id = r.destination_id
        WHERE r.units > coalesce(t.to_send, 0) AND r.owner_id NOT IN (SELECT id FROM waiting)
        """,
    ),
    Invariant(
        2,
        "what stands in transit, is planned to, or is set aside for a transfer is on one of its lines",
        """
        SELECT 'level' AS what, l.location_id AS id, l.variant_id, l.in_transit + l.in_transit_committed AS quantity FROM stock.levels l
        WHERE l.in_transit + l.in_transit_committed > 0 AND NOT EXISTS (
            SELECT FROM transfers.lines x JOIN transfers.transfers t ON t.id = x.transfer_id
            WHERE t.destination_id = l.location_id AND x.variant_id = l.variant_id)
        UNION ALL
        SELECT 'plan', e.id, e.variant_id, e.quantity FROM stock.expected e
        WHERE e.kind = 'transfer' AND NOT EXISTS (
            SELECT FROM transfers.lines x WHERE x.id = e.id AND x.transfer_id = e.document_id)
        UNION ALL
        SELECT 'reservation', r.id, r.variant_id, r.quantity FROM stock.reservations r
        WHERE r.owner_kind = 'transfer' AND NOT EXISTS (
            SELECT FROM transfers.lines x WHERE x.id = r.line_id AND x.transfer_id = r.owner_id)
        """,
    ),
    Invariant(
        1,
        "every posting about a delivery has its receipt or its change",
        """
        SELECT p.cause_kind, p.cause_id, p.id FROM stock.postings p
        WHERE p.cause_kind IN ('supply_receipt', 'supply_changed')
          AND NOT EXISTS (SELECT 1 FROM supply.receipts r WHERE p.cause_kind = 'supply_receipt' AND r.id = p.cause_id)
          AND NOT EXISTS (SELECT 1 FROM supply.steps s WHERE p.cause_kind = 'supply_changed' AND s.id = p.cause_id)
        """,
    ),
    Invariant(
        2,
        "every plan of a delivery is a line that its supplier has announced",
        """
        SELECT e.id, e.document_id, e.variant_id, e.quantity FROM stock.expected e
        WHERE e.kind = 'supply' AND NOT EXISTS (
            SELECT 1 FROM supply.lines l WHERE l.id = e.id AND l.announcement_id = e.document_id)
        """,
    ),
    Invariant(
        1,
        "goods go to customers by an order's lines only, and come back by them or without a sale",
        """
        SELECT p.cause_kind, m.posting_id, m.n, m.line_id, m.quantity
        FROM stock.movements m JOIN stock.postings p ON p.id = m.posting_id
        WHERE (m.to_place = 'customer' AND p.cause_kind NOT IN ('hand_over', 'till_sale')
            OR m.from_place = 'customer' AND p.cause_kind <> 'return'
            OR 'customer' IN (m.from_place, m.to_place) AND NOT EXISTS (
                SELECT FROM ("""
        + PARTS
        + """) d WHERE d.line_id = m.line_id AND d.variant_id = m.variant_id)
               AND NOT (m.from_place = 'customer' AND m.line_id IS NULL AND EXISTS (
                SELECT FROM returns.returns r WHERE r.id = p.cause_id AND r.order_id IS NULL)))
        """,
    ),
    Invariant(
        1,
        "every posting of an order or a return has its document",
        """
        SELECT p.cause_kind, p.cause_id, p.id
        FROM stock.postings p LEFT JOIN (
            SELECT 'hand_over' AS kind, CAST(data ->> 'hand_over_id' AS uuid) AS id FROM fulfillment.steps
            WHERE what IN ('collected', 'partly_collected')
            UNION ALL SELECT 'till_sale', id FROM orders.orders
            UNION ALL SELECT 'order_placed', id FROM fulfillment.fulfillments
            UNION ALL SELECT 'return', id FROM returns.returns
            UNION ALL SELECT 'adjustment', id FROM stock.adjustments
            UNION ALL SELECT 'count', id FROM counts.sessions WHERE state = 'closed'
        ) d ON d.kind = p.cause_kind AND d.id = p.cause_id
        WHERE p.cause_kind IN ('hand_over', 'till_sale', 'order_placed', 'return', 'adjustment', 'count') AND d.id IS NULL
        """,
    ),
    Invariant(
        1,
        "every posting moves goods, but one that changes what was lost or announced",
        """
        SELECT p.id, p.cause_kind, p.cause_id FROM stock.postings p
        WHERE p.cause_kind NOT IN ('fulfillment_cancelled', 'supply_changed', 'transfer_cancelled', 'transfer_left_behind')
          AND NOT EXISTS (SELECT 1 FROM stock.movements m WHERE m.posting_id = p.id)
          AND NOT (p.cause_kind = 'order_placed' AND EXISTS (
              SELECT FROM stock.reservations r WHERE r.owner_id = p.cause_id AND r.expected_id IS NOT NULL))
        """,
    ),
    Invariant(
        1,
        "a unit is with the customer of an order, or in the box of a fulfillment",
        """
        SELECT u.variant_id, u.code, u.place, u.line_id, u.picked_for
        FROM stock.units u LEFT JOIN orders.lines l ON l.id = u.line_id LEFT JOIN fulfillment.fulfillments f ON f.id = u.picked_for
        WHERE u.place = 'customer' AND l.id IS NULL OR u.picked_for IS NOT NULL AND f.id IS NULL
        """,
    ),
    Invariant(
        2,
        "goods are set aside for lines of a fulfillment only",
        """
        SELECT r.id, r.owner_id, r.line_id, r.quantity_open, r.quantity_lost FROM stock.reservations r
        WHERE r.owner_kind = 'fulfillment' AND NOT EXISTS (
            SELECT 1 FROM fulfillment.lines l WHERE l.fulfillment_id = r.owner_id AND l.order_line_id = r.line_id)
        """,
    ),
    Invariant(
        4,
        "every money fact belongs to an order, and to one of its returns when it names one, or to a return without a sale",
        """
        SELECT x.what, x.id, x.order_id, x.return_id
        FROM (
            SELECT 'payment' AS what, id, order_id, CAST(NULL AS uuid) AS return_id FROM payments.payments
            UNION ALL SELECT 'refund', id, order_id, return_id FROM payments.refunds
            UNION ALL SELECT 'receipt', id, order_id, return_id FROM payments.receipts
        ) x LEFT JOIN orders.orders o ON o.id = x.order_id
        LEFT JOIN returns.returns r ON r.id = x.return_id AND r.order_id IS NOT DISTINCT FROM x.order_id
        WHERE x.order_id IS NOT NULL AND o.id IS NULL OR x.return_id IS NOT NULL AND r.id IS NULL
           OR x.order_id IS NULL AND x.return_id IS NULL
        """,
    ),
    Invariant(
        8,
        "every event is about something that there is",
        """
        SELECT e.aggregate, e.type, e.id, e.aggregate_id
        FROM infra.outbox e LEFT JOIN (
            SELECT 'order' AS aggregate, id FROM orders.orders
            UNION ALL SELECT 'fulfillment', id FROM fulfillment.fulfillments
            UNION ALL SELECT 'payment', id FROM payments.payments
            UNION ALL SELECT 'refund', id FROM payments.refunds
            UNION ALL SELECT 'receipt', id FROM payments.receipts
            UNION ALL SELECT 'return', id FROM returns.returns
            UNION ALL SELECT 'posting', id FROM stock.postings
            UNION ALL SELECT 'transfer', id FROM transfers.transfers
            UNION ALL SELECT 'adjustment', id FROM stock.adjustments
            UNION ALL SELECT 'count', id FROM counts.sessions
            UNION ALL SELECT 'count_task', id FROM counts.tasks
            UNION ALL SELECT 'customer', id FROM customers.profiles
            UNION ALL SELECT 'expected_receipt', id FROM supply.announcements
            UNION ALL SELECT 'supplier', id FROM supply.suppliers
            UNION ALL SELECT 'conversation', id FROM conversations.conversations
            UNION ALL SELECT 'next_step', id FROM conversations.next_steps
            UNION ALL SELECT 'conversation_team', id FROM conversations.teams
            UNION ALL SELECT 'conversation_source', id FROM conversations.sources
        ) x ON x.aggregate = e.aggregate AND x.id = e.aggregate_id
        WHERE e.aggregate IN (
                'order', 'fulfillment', 'payment', 'refund', 'receipt', 'return', 'posting', 'transfer', 'adjustment', 'customer',
                'expected_receipt', 'supplier', 'count', 'count_task', 'conversation', 'next_step',
                'conversation_team', 'conversation_source'
            ) AND x.id IS NULL
        """,
    ),
    Invariant(
        8,
        "every customer has signed up",
        """
        SELECT p.id, p.guest FROM customers.profiles p
        WHERE NOT EXISTS (
            SELECT 1 FROM infra.outbox e WHERE e.aggregate = 'customer' AND e.aggregate_id = p.id AND e.version = 1
              AND e.type IN ('customer.signed_up', 'customer.guest_noted')
        ) OR NOT p.guest AND NOT EXISTS (
            SELECT 1 FROM infra.outbox e WHERE e.aggregate = 'customer' AND e.aggregate_id = p.id AND e.type = 'customer.signed_up'
        )
        """,
    ),
]

AGREEMENTS = [*GOODS, *SUPPLY, *MONEY, *EVENTS]
INVARIANTS = [*AGREEMENTS, *STRAYS]
