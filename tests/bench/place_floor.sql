-- The floor of placing an order: the bare rows of a click-and-collect order of two lines as ONE data-modifying statement,
-- into the real tables with all their constraints and indexes. Run by pgbench with --protocol=prepared. The bench compares
-- the rows per table with those of a real order before it measures.
--
-- Given by the bench: first_cart, each, i, variants, stores, answer (a real order's stored answer). Ids follow from numbers
-- as in data.py.

\set i :i + 1
\set cart :first_cart + :client_id * :each + :i
\set one random(1, :variants)
\set two 1 + (:one - 1 + :variants / 2) % :variants
\set store random(1, :stores)
\set price_one random(50000, 900000)
\set price_two random(50000, 900000)

WITH new AS MATERIALIZED (
    SELECT clock_timestamp() AS at,
        CAST('0d000000-0000-7000-8000-' || lpad(CAST(:cart AS text), 12, '0') AS uuid) AS shopper_id,
        CAST('0e000000-0000-7000-8000-' || lpad(CAST(:cart AS text), 12, '0') AS uuid) AS cart_id,
        CAST('0c000000-0000-7000-8000-' || lpad(CAST(:store AS text), 12, '0') AS uuid) AS location_id,
        regexp_replace(lpad(CAST(:cart AS text), 12, '0'), '(....)(....)(....)', '\1-\2-\3') AS number,
        CAST(:price_one AS bigint) + CAST(:price_two AS bigint) AS total,
        uuidv7() AS order_id, uuidv7() AS fulfillment_id, uuidv7() AS posting_id,
        jsonb_build_object('kind', 'shopper', 'subject', uuidv7(), 'channel', 'site', 'device', NULL, 'location', NULL,
            'on_behalf_of', NULL, 'approved_by', NULL, 'reason', NULL, 'request_id', uuidv7()) AS actor
), line AS MATERIALIZED (
    SELECT l.n, l.price, CAST('0b000000-0000-7000-8000-' || lpad(CAST(l.variant AS text), 12, '0') AS uuid) AS variant_id,
        CAST('0a000000-0000-7000-8000-' || lpad(CAST((l.variant - 1) / 4 + 1 AS text), 12, '0') AS uuid) AS product_id,
        'BENCH-' || lpad(CAST(l.variant AS text), 5, '0') AS sku, uuidv7() AS id
    FROM (VALUES (1, CAST(:one AS int), CAST(:price_one AS bigint)), (2, CAST(:two AS int), CAST(:price_two AS bigint)))
        AS l(n, variant, price)
), key AS (
    INSERT INTO infra.idempotency_keys (principal, operation, key, hash, answer, claimed_at)
    SELECT shopper_id, 'place_order', CAST(uuidv7() AS text), encode(sha256(uuid_send(order_id)), 'hex'), CAST(:answer AS text), at
    FROM new
), cart AS (
    UPDATE carts.carts c SET state = 'ordered', version = c.version + 1, changed_at = new.at
    FROM new WHERE c.id = new.cart_id AND c.state = 'open'
), ordered AS (
    INSERT INTO orders.orders (id, number, kind, state, customer_id, cart_id, channel, sold, language, currency, subtotal,
        adjustment_total, charge_total, total, tax_total, contact, recipient, external_ids, placed_at)
    SELECT new.order_id, new.number, 'standard', 'placed', new.shopper_id, new.cart_id, 'site', 'distance', 'ru', 'RUB',
        new.total, 0, 0, new.total, new.total * 22 / 122,
        '{"name": "Анна Петрова", "email": "anna.petrova@example.com", "phone": "+79161234567"}', NULL, '{}', new.at
    FROM new
), order_lines AS (
    INSERT INTO orders.lines (id, order_id, n, variant_id, product_id, sku, title, options, option_texts, quantity, unit_price,
        price_valid_from, subtotal, adjustment_total, total, net, tax, tax_class, tax_basis_points, unit_cost, return_policy,
        fulfilled_location_id)
    SELECT line.id, new.order_id, line.n, line.variant_id, line.product_id, line.sku,
        '{"en": "Merino wool sweater", "ru": "Свитер из шерсти мериноса"}', '{"color": "black", "size": "M"}',
        '{"en": {"color": "Black", "size": "M"}, "ru": {"color": "Чёрный", "size": "M"}}', 1, line.price, new.at, line.price, 0, line.price, line.price - line.price * 22 / 122, line.price * 22 / 122, 'standard', 2200,
        NULL, 'standard', NULL
    FROM new, line
), entry AS (
    INSERT INTO orders.entries (id, order_id, version, what, actor, data, occurred_at)
    SELECT uuidv7(), order_id, 1, 'placed', actor, jsonb_build_object('total', total, 'cart_id', cart_id, 'location', 'bench-01'), at
    FROM new
), fulfillment AS (
    INSERT INTO fulfillment.fulfillments (id, order_id, number, kind, location_id, state, at_risk, promised_from,
        promised_until, created_at)
    SELECT fulfillment_id, order_id, number || '-1', 'pickup', location_id, 'open', false, at, at + interval '5 days', at FROM new
), fulfillment_lines AS (
    INSERT INTO fulfillment.lines (id, fulfillment_id, order_line_id, variant_id, quantity)
    SELECT uuidv7(), new.fulfillment_id, line.id, line.variant_id, 1 FROM new, line
), promise AS (
    INSERT INTO fulfillment.promises (fulfillment_id, n, promised_from, promised_until, reason, given_at)
    SELECT fulfillment_id, 1, at, at + interval '5 days', 'placed', at FROM new
), step AS (
    INSERT INTO fulfillment.steps (id, fulfillment_id, version, what, actor, data, occurred_at)
    SELECT uuidv7(), fulfillment_id, 1, 'opened', actor, '{}', at FROM new
), events AS (
    INSERT INTO infra.outbox (id, type, aggregate, aggregate_id, version, payload, actor, occurred_at)
    SELECT uuidv7(), e.type, e.aggregate, e.aggregate_id, e.version, e.payload, new.actor, new.at
    FROM new, LATERAL (VALUES
        ('fulfillment.opened', 'fulfillment', new.fulfillment_id, 1,
            jsonb_build_object('number', new.number, 'order_id', new.order_id, 'location_id', new.location_id)),
        ('order.placed', 'order', new.order_id, 1,
            jsonb_build_object('kind', 'standard', 'total', new.total, 'number', new.number, 'cart_id', new.cart_id,
                'currency', 'RUB', 'customer_id', new.shopper_id, 'location_id', new.location_id, 'lines', (
                    SELECT jsonb_agg(jsonb_build_object(
                        'total', line.price, 'line_id', line.id, 'quantity', 1, 'variant_id', line.variant_id)) FROM line))),
        ('cart.ordered', 'cart', new.cart_id, 2, jsonb_build_object('shopper_id', new.shopper_id))
    ) AS e(type, aggregate, aggregate_id, version, payload)
), posting AS (
    INSERT INTO stock.postings (id, cause_kind, cause_id, actor, occurred_at, business_date)
    SELECT posting_id, 'order_placed', fulfillment_id, actor, at, CAST(at AT TIME ZONE 'UTC' AS date) FROM new
), movements AS (
    INSERT INTO stock.movements (posting_id, n, variant_id, quantity, from_place, from_location_id, to_place, to_location_id,
        line_id, occurred_at)
    SELECT new.posting_id, line.n, line.variant_id, 1, 'available', new.location_id, 'committed', new.location_id, line.id, new.at
    FROM new, line
), reservations AS (
    INSERT INTO stock.reservations (id, owner_kind, owner_id, line_id, location_id, variant_id, bucket, state, quantity,
        quantity_open, created_at, changed_at)
    SELECT uuidv7(), 'fulfillment', new.fulfillment_id, line.id, new.location_id, line.variant_id, 'committed', 'committed',
        1, 1, new.at, new.at
    FROM new, line
), locked AS MATERIALIZED (
    SELECT l.location_id, l.variant_id
    FROM stock.levels l, new, line WHERE l.location_id = new.location_id AND l.variant_id = line.variant_id
    ORDER BY l.location_id, l.variant_id FOR NO KEY UPDATE OF l
)
UPDATE stock.levels l SET available = l.available - 1, committed = l.committed + 1
FROM locked WHERE l.location_id = locked.location_id AND l.variant_id = locked.variant_id;
