"""The audit notices what goes wrong in the books: a fault is put into them by SQL, and undone when it has been found."""

from __future__ import annotations

import pytest

from commerce import parts
from commerce.infra import audit
from commerce.infra.audit import Invariant
from commerce.infra.db import Database, Tx

INVARIANTS = {invariant.name: invariant for invariant in parts.invariants()}
ROOMS = (
    "infra", "customers", "stock", "supply", "transfers", "payments", "fulfillment", "carts", "counts", "lists",
    "orders", "conversations", "returns", "people", "books",
)  # fmt: skip
"""Rooms whose every invariant has a fault here."""

LEVELS = "every stock level equals the sum of its movements, no bucket is negative"
ALL_MOVEMENTS = "every stock level equals the sum of all movements there ever were"
CLOSED = "every closing equals the movements recorded up to it"
CLOSINGS = "closings are numbered from 1 without gaps, each later than the one before"
SAFETY = "the safety stock of every level is what the most specific rule says"
COST_CHANGES = "a variant's average cost is what its last change says"
NUMBERED_MOVEMENTS = "the movements of a posting are numbered from 1 without gaps"
COSTS = "a variant's average cost lies between the costs received, over all units received"
COST_AT_SALE = "goods leave at a cost between those received"
SET_ASIDE = "what is set aside equals the open reservations"
STANDS_ON = "what is promised of an announcement equals the open reservations that stand on it"
IN_TRANSIT = "what is in transit is what transfers say is on its way"
BUCKET = "a live reservation stands on the bucket of its state"
TOLD = "a physical fact that broke promises, or that the books did not know, was told"
ADJUSTED = "every booked adjustment has its posting, as of its request; one that waits or was rejected has none"
ADJUSTMENT_VERSIONS = "each version of an adjustment has its event, which says what it is"
ADJUSTMENT_RECORDS = "who asked for an adjustment and who decided it is in the audit records"
CLIENT_KEYS = "a client's keys are of its kind, and none works after the client"

LEFT = "what a fulfillment handed over has left its store with the customer"
DOCUMENTS = "every document that moves goods has its posting"
OWES = "what a fulfillment still owes is set aside for it at its store, or known to be lost there"
AT_RISK = "a live fulfillment is at risk when it has lost goods, and only then, once it has been told"
OF_ITS_ORDER = "a fulfillment's lines are units of the lines of its order"
PICKED = "nothing is ready or handed over that was not picked"
HOW_IT_LEFT = "an order line says when, where and at which cost its units left"
CURRENCY = "an order, its payments, refunds, receipts and returns have one currency"
ON_RECEIPTS = "the units handed over stand on the order's receipts, at their price and tax"
SUBTOTAL = "a line costs its unit price times its quantity, rounded once; a charge's tax is what its rate says"
AS_PLACED = "an order is still what it was when it was placed"
AS_OPENED = "a fulfillment is still where and for which order it was opened"
ENTRIES = "every entry of an order has published what it says"
STEPS = "every step of a fulfillment has published what it says"
RECORDS = "what staff and devices do with goods and money has its audit record"
CODES = "no pickup code was tried more than five times"
NO_LINE = "goods go to customers by an order's lines only, and come back by them or without a sale"
NO_DOCUMENT = "every posting of an order or a return has its document"
EMPTY_POSTING = "every posting moves goods, but one that changes what was lost or announced"
NO_OWNER = "goods are set aside for lines of a fulfillment only"
NO_ORDER = (
    "every money fact belongs to an order, and to one of its returns when it names one, or to a return without a sale"
)
NO_AGGREGATE = "every event is about something that there is"
LED_TO = "an order that was told of has what led to it"
LED_BEFORE = "what led to an order came before it"
FORGOTTEN = "an erased person has nothing personal left in any room"
FORGOTTEN_TOGETHER = "who was merged into an erased person is erased with him"
RETENTION_RECORDS = "who changed a retention rule is in the audit records"
CONSENT_EVENTS = "every word on a consent has its event"
THEIR_OWN = "addresses, consents and touches are of somebody whom they may be of"
SIGNED_UP = "every customer has signed up"

TALK_VERSIONS = "each version of a conversation has its entry and its event, without a gap"
TALK_OPEN = "a conversation is open as long as somebody waits in one of its channels"
TALK_DUE = "a conversation's clock is the earliest of those who wait in its channels"
TALK_ANSWERED = "a conversation's first answer is its first entry that answers"
TALK_JOINED = "a conversation is joined into one that goes on by itself, whose clock is the earliest"
TALK_LOST = "a conversation without a sale says what was not sold, and no other does"
TALK_RECORDS = "what staff did in a conversation has its audit record"
TALK_FORGOTTEN = "a forgotten conversation keeps no word and no handle"
NEXT_STEPS = "each version of a next step has its event, and it ends and is told of once"
DESK = "each version of a team and of a source of messages has its event"

PLANNED = "what a supplier has announced is what stock plans for"
ARRIVED = "every receipt of a delivery has its posting, with the units that came"
NO_DELIVERY = "every posting about a delivery has its receipt or its change"
NO_LINE_OF_PLAN = "every plan of a delivery is a line that its supplier has announced"

COUNTED = "a line of an expected receipt counts what its receipts brought"
STILL_TO_COME = "an expected receipt is open as long as something is to come"
EXPLAINED = "every discrepancy of an expected receipt has its reason"
SUPPLY_VERSIONS = "each version of an expected receipt has its step and its events, without a gap"
SUPPLY_STEPS = "every step of an expected receipt has published what it says"
SUPPLY_ACTS = "every act of receiving has its step and its lines"
SUPPLY_RECORDS = "what is done about an expected receipt has its audit record"
SUPPLIER_VERSIONS = "each version of a supplier has its event, without a gap"

OUTSTANDING = "a closed fulfillment has nothing outstanding, an open one has"
FULFILLMENT_VERSIONS = "each version of a fulfillment has its step and its event, without a gap"
PROMISES = "the first promise and every later one is on record; the last is in force"
UNITS = "an order line's units are those of its fulfillments"
ORDER_STATE = "an order is open as long as something is outstanding"
PAID = "what was handed over is paid, to the minor unit"
TOTALS = "adjustments add up to their line's, lines to their order's; tax as the rate says"
CLOSED_CART = "an order comes from a cart that is closed"
ORDER_VERSIONS = "each version of an order has its entry and its events, without a gap"
LIST_PRICE = "every line's unit price is the list price at its moment"

REFUNDED = "refunded <= captured <= authorized, and a payment's refunds add up to what it gave back"
RECEIPTED = "every payment and every refund has its receipt, in its tender, at its store"
REGISTER = "a register's receipts are numbered from 1 without gaps"
RECEIPT_TOTAL = "lines and tenders of a receipt add up to its total"
PAID_IN = "a refund is in the currency of its payment, of the same order"
DATED = "a receipt is dated by its store's calendar and comes from a register of that store"
MONEY_EVENTS = "every payment, refund and receipt has published its event, without a gap, and still is what that says"
CAME_BACK = "returned <= handed over, and equals what the order line's returns say"
RETURN_TOTAL = "a return's total is the sum of its lines and of what was given back for it"
RETURN_DUE = "what was given back for a line is what its returned units had cost, with the tax in it"
RETURN_PAPERS = "a return's refunds and receipt are its own: order, store, tender and amounts, line by line"
RETURN_ORDER = "a return and its lines are of one order, or of none"
RETURN_GOODS = (
    "every return has moved its goods into its own store, line by line into the bucket that they were judged for"
)
BLIND_DUE = "without a sale no more was given back than the lowest price there was, with the tax in it"
BLIND_WHO = (
    "who took goods back without a sale, and who allowed it, is the same in the refund, the event and the audit record"
)
BLIND_LINE = "order_line_id IS NULL"
RETURN_EVENTS = "every return has published its events, without a gap, and still is what they say"

FREE = "ALTER TABLE carts.carts DROP CONSTRAINT ck_carts_closed_forgets"
ONE_CART = "a shopper has at most one open cart"
MERGED = "a merged cart, and no other, points at the cart it went into"
ONE_BASKET = "a device has at most one basket at hand"
MOVED = "a code that moved a cart says where its lines went"
JOINED = "staff have joined open carts of shoppers only"
FORGETS = "a closed cart keeps nothing of a checkout"
NAMED = "only a device's basket names a customer, and none that has expired"
ABANDONED = "a cart is told of as abandoned at versions that it had and that are marked"
CART_LINES = "a cart has at most 500 lines"
CART_EVENTS = "every version of a cart has its event"
ONE_LIST = "a shopper has at most one wish list and one list of what he saved for later"
LISTS_COUNTED = "a shopper's lists are counted, and no more than fifty"
LIST_LINES = "a list has at most 500 lines, and none once it is gone"
LIST_GONE = "a list that is gone keeps no name and no link"
LIST_EVENTS = "every version of a list has its event, and every such event its list"
LIST_ENDS = "the last event of a list that is gone says so, and of no other"
CIRCLE = "no profile is merged in a circle"
MERGED_WHEN = "a merged profile says when"
STANDING = "a profile points at the winner of its standing merge, and no other does"
MERGE_RECORDS = "who staff merged, or parted again, is in the audit record"
GUESTS = "nothing that a guest says of himself counts as verified"
CARDS = "cards, devices and ids of other systems count as verified"
OF_NOBODY = "every identifier belongs to a profile that is not erased"
NAMELESS = "an erased profile keeps no name"
ONE_CODE = "an asker has one live code for a contact at most"
FEW_CODES = "a contact has no more codes than are sent in an hour, whoever asked"
CODE_LIMITS = "every code is under the limits of its contact"
PROFILE_EVENTS = "every change of a profile has its event, without a gap"
PUBLISHED = "published events are numbered from 1 without gaps"
PUBLISHED_FIRST = "only a published event is delivered"
ANSWERED = "every idempotency key has its answer"
DELIVERED = "every published event has a delivery to each of its subscribers"

ON_THE_WAY = "what stands in transit at a place is what open transfers have sent there and has not arrived"
TRANSFER_SENT = "every dispatch has moved its goods from its source to its destination"
TRANSFER_ARRIVED = "every arrival has moved its goods at its destination, into the buckets that it names"
TRANSFER_LINES = "a transfer's lines say what its steps add up to"
TRANSFER_GOODS = "what a ready transfer is to send is set aside for it, or known to be lost; nothing else is"
TRANSFER_PLANS = "what a transfer has sent is planned to arrive, less what is there or missing"
UNDER_WAY = "a transfer is under way as long as something is"
TRANSFER_VERSIONS = "each version of a transfer has its step and its events, without a gap"
TRANSFER_TOLD = "every step of a transfer has published what it says, between the same places"
TRANSFER_RECORDS = "what staff does with a transfer has its audit record"
NO_STEP = "every posting of a transfer has its step"
NOT_BROUGHT = "what is set aside elsewhere for a fulfillment is to be brought by a transfer, once the news was heard"
NO_TRANSFER = "what stands in transit, is planned to, or is set aside for a transfer is on one of its lines"

UNIT_LIVES = "a unit is where its life has brought it"
UNITS_MOVED = "a posting names no more units than it moves, and all that go to a customer"
UNITS_STANDING = "no more units stand at a location than goods, but for those that left it unseen"
UNITS_OUT = "no more units are with a customer than their order line handed over and did not get back"
UNITS_IN_BOXES = "a unit lies in the box of a fulfillment that still owes it"
UNITS_STRAY = "a unit is with the customer of an order, or in the box of a fulfillment"

SOLD = "(SELECT posting_id FROM stock.movements WHERE to_place = 'customer' ORDER BY posting_id LIMIT 1)"
OPEN = "(SELECT id FROM stock.reservations WHERE state = 'committed' ORDER BY id LIMIT 1)"
BACK_ON_THE_SHELF = f"""
WITH r AS (
    UPDATE stock.reservations SET state = 'released', quantity_open = 0 WHERE id = {OPEN} RETURNING id, location_id, variant_id, quantity
), b AS (
    SELECT id, location_id, variant_id, quantity_open AS quantity FROM stock.reservations WHERE id = {OPEN}
), l AS (
    UPDATE stock.levels l SET committed = l.committed - b.quantity, available = l.available + b.quantity
    FROM b WHERE l.location_id = b.location_id AND l.variant_id = b.variant_id
), p AS (
    INSERT INTO stock.postings (id, cause_kind, cause_id, actor, occurred_at, business_date)
    SELECT id, 'fulfillment_cancelled', id, '{{}}', now(), current_date FROM r
)
INSERT INTO stock.movements
    (posting_id, n, variant_id, quantity, from_place, from_location_id, to_place, to_location_id, occurred_at)
SELECT id, 1, variant_id, quantity, 'committed', location_id, 'available', location_id, now() FROM b
"""
STOLEN = """
WITH m AS (
    UPDATE stock.movements SET to_place = 'loss', line_id = NULL
    WHERE posting_id = (SELECT id FROM stock.postings WHERE cause_kind = 'hand_over' LIMIT 1) RETURNING posting_id
)
SELECT count(*) FROM m
"""
UNSOLD = """
WITH d AS (
    DELETE FROM stock.postings WHERE id = (SELECT id FROM stock.postings WHERE cause_kind = 'till_sale' ORDER BY id LIMIT 1)
    RETURNING id
), m AS (
    DELETE FROM stock.movements m USING d WHERE m.posting_id = d.id RETURNING m.variant_id, m.from_location_id, m.quantity
)
UPDATE stock.levels l SET available = l.available + m.quantity
FROM m WHERE l.location_id = m.from_location_id AND l.variant_id = m.variant_id
"""
OUT_OF_NOWHERE = """
WITH o AS (
    SELECT gen_random_uuid() AS id
), p AS (
    INSERT INTO payments.payments (id, order_id, tender, authorized, captured, currency, location_id, taken_by, taken_at)
    SELECT gen_random_uuid(), o.id, 'cash', 500, 500, 'RUB', g.location_id, o.id, now()
    FROM o, (SELECT location_id FROM payments.registers ORDER BY code LIMIT 1) g
), g AS (
    UPDATE payments.registers SET last_number = last_number + 1 WHERE code = (SELECT min(code) FROM payments.registers) RETURNING *
)
INSERT INTO payments.receipts
    (id, register, number, kind, order_id, legal_entity, location_id, business_date, total, currency, lines, tenders, occurred_at)
SELECT gen_random_uuid(), g.code, g.last_number, 'sale', o.id, 'own', g.location_id, current_date, 500, 'RUB',
    '[{"total": 500}]', '[{"kind": "cash", "amount": 500}]', now() FROM g, o
"""
CHARGED = """
WITH o AS (
    UPDATE orders.orders SET charge_total = 500, total = total + 500
    WHERE id = (SELECT id FROM orders.orders WHERE state = 'completed' LIMIT 1) RETURNING id
)
INSERT INTO orders.charges (id, order_id, kind, amount, net, tax, tax_basis_points)
SELECT gen_random_uuid(), id, 'service', 500, 500, 0, 0 FROM o
"""
UNTAXED_CHARGE = """
INSERT INTO orders.charges (id, order_id, kind, amount, net, tax, tax_basis_points)
SELECT gen_random_uuid(), id, 'cash_rounding', -122, -121, -1, 2200 FROM orders.orders LIMIT 1
"""
EXPLAINED_AWAY = """
WITH l AS (
    UPDATE orders.lines SET subtotal = subtotal + 10, adjustment_total = adjustment_total - 10
    WHERE id = (SELECT id FROM orders.lines ORDER BY id LIMIT 1) RETURNING *
), o AS (
    UPDATE orders.orders o SET subtotal = o.subtotal + 10, adjustment_total = o.adjustment_total - 10 FROM l WHERE o.id = l.order_id
)
INSERT INTO orders.adjustments (id, order_id, line_id, kind, amount, reason, actor_id)
SELECT gen_random_uuid(), order_id, id, 'staff', -10, 'x', id FROM l
"""
DEARER = """
WITH l AS (
    UPDATE orders.lines SET subtotal = subtotal + 122, total = total + 122, net = net + 100, tax = tax + 22
    WHERE id = (SELECT id FROM orders.lines WHERE handed_over = 0 ORDER BY id LIMIT 1) RETURNING *
)
UPDATE orders.orders o SET subtotal = o.subtotal + 122, total = o.total + 122, tax_total = o.tax_total + 22
FROM l WHERE o.id = l.order_id
"""
GIVEN_UP = """
WITH l AS (
    UPDATE orders.lines SET cancelled = cancelled + 1
    WHERE id = (SELECT id FROM orders.lines WHERE quantity - handed_over - cancelled > 1 LIMIT 1) RETURNING id
)
UPDATE fulfillment.lines f SET cancelled = f.cancelled + 1 FROM l WHERE f.order_line_id = l.id
"""
TOO_GENEROUS = """
WITH r AS (
    UPDATE payments.refunds SET amount = amount + 1 WHERE id = (SELECT id FROM payments.refunds WHERE payment_id IS NOT NULL LIMIT 1) RETURNING payment_id
)
UPDATE payments.payments p SET refunded = refunded + 1 FROM r WHERE p.id = r.payment_id
"""
SHORT_CHANGED = """
WITH l AS (
    UPDATE returns.lines SET refund_amount = refund_amount - 1 WHERE id = (SELECT id FROM returns.lines ORDER BY id LIMIT 1) RETURNING *
)
UPDATE returns.returns r SET refund_total = refund_total - 1 FROM l WHERE r.id = l.return_id
"""
OTHER_STORE = "(SELECT id FROM locations.locations x WHERE x.id <> {} LIMIT 1)"
OTHER_VARIANT = "(SELECT id FROM catalog.variants x WHERE x.id <> {} LIMIT 1)"

COUNT_POSTED = "a closed count has moved its variances, and nothing else"
COUNT_RECKONED = "a count's variance is what was entered in its newest round less what the books said"
COUNT_MOMENTS = "what was counted is part of its count, and was counted while it ran"
COUNT_LIVE = "a variant is in one live count of a location at most"
COUNT_VERSIONS = "each version of a count has its step and its event, without a gap"
COUNT_SAID = "every step of a count has published what it says"
TASK_SOURCES = "a count task has its sources and events, and is the only open one for its variant there"

GOODS = [
    ("a level is one higher", LEVELS, "UPDATE stock.levels SET available = available + 1"),
    ("a movement is deleted", LEVELS, f"DELETE FROM stock.movements WHERE posting_id = {SOLD}"),
    ("a movement of long ago is deleted", ALL_MOVEMENTS, "DELETE FROM stock.movements WHERE unit_cost = 400 AND from_place = 'supplier'"),
    ("a closed movement is deleted", CLOSED, "DELETE FROM stock.movements WHERE unit_cost = 400 AND from_place = 'supplier'"),
    ("a closing is one higher", CLOSED, "UPDATE stock.closing_levels SET available = available + 1 WHERE closing = 1"),
    ("a level begins at a wrong closing", LEVELS, "UPDATE stock.closing_levels SET available = available + 1 WHERE until IS NULL"),
    ("a closing lacks a level", CLOSED, "DELETE FROM stock.closing_levels WHERE closing = 3"),
    ("a closed level that nothing replaced", CLOSED, "UPDATE stock.closing_levels SET until = NULL WHERE until IS NOT NULL"),
    ("a closing before the one before", CLOSINGS, "UPDATE stock.closings SET position = position - interval '1 day' WHERE number = 2"),
    ("a closing is gone", CLOSINGS, "DELETE FROM stock.closings WHERE number = 1"),
    ("more is kept on the shelf", SAFETY, "UPDATE stock.levels SET safety_stock = safety_stock + 1"),
    ("a rule that reached no level", SAFETY, "UPDATE stock.safety_rules SET quantity = quantity + 1"),
    ("another cost than the last", COST_CHANGES, "UPDATE stock.cost_changes SET average = average + 1"),
    ("movements lose their first", NUMBERED_MOVEMENTS, "DELETE FROM stock.movements WHERE n = 1 AND to_place = 'committed'"),
    ("costs are dearer", COSTS, "UPDATE stock.costs SET average = average + 999"),
    ("units received are forgotten", COSTS, "UPDATE stock.costs SET received = received - 1"),
    ("sold for next to nothing", COST_AT_SALE, "UPDATE stock.movements SET unit_cost = 1 WHERE to_place = 'customer'"),
    ("sold at no known cost", HOW_IT_LEFT, "UPDATE stock.movements SET unit_cost = NULL WHERE to_place = 'customer'"),
    ("less is open", SET_ASIDE, "UPDATE stock.reservations SET quantity_open = quantity_open - 1 WHERE quantity_open > 1"),
    ("promised twice", STANDS_ON, "UPDATE stock.expected SET promised = promised - 1 WHERE promised > 0"),
    ("promised to nobody", STANDS_ON, "UPDATE stock.reservations SET expected_id = NULL, bucket = 'committed' WHERE bucket = 'promised'"),
    ("arrived on paper", IN_TRANSIT,
     "UPDATE stock.expected SET received = received + 1 WHERE kind = 'transfer' AND received + cancelled + promised < quantity"),
    ("a bundle handed over in part", LEFT, "UPDATE stock.movements SET quantity = quantity - 1 WHERE per_unit > 1 AND to_place = 'customer'"),
    ("a bundle set aside in part", OWES, "UPDATE stock.reservations SET quantity = quantity - 1, quantity_open = quantity_open - 1"
     " WHERE per_unit > 1 AND quantity_open > 1"),
    ("work on goods that are elsewhere", OWES, "UPDATE fulfillment.fulfillments SET state = 'open' WHERE state = 'awaiting_transfer'"),
    ("passed on twice", UNITS, "UPDATE fulfillment.lines SET passed_on = passed_on - 1 WHERE passed_on > 0"),
    ("a question nobody asked", UNITS, "UPDATE orders.choices SET state = 'moved', answered_at = now()"),
    ("reserved, not committed", BUCKET, f"UPDATE stock.reservations SET state = 'reserved' WHERE id = {OPEN}"),
    ("a broken promise nobody hears of", TOLD, "DELETE FROM infra.outbox WHERE type = 'stock.promise_broken'"),
    ("a count nobody hears of", TOLD, "DELETE FROM infra.outbox WHERE type = 'stock.count_needed'"),
    ("sold goods of no line", LEFT, "UPDATE stock.movements SET line_id = NULL WHERE to_place = 'customer'"),
    ("sold goods of a line that is not there", NO_LINE, "UPDATE stock.movements SET line_id = gen_random_uuid() WHERE to_place = 'customer'"),
    ("sold goods booked as stolen", LEFT, STOLEN),
    ("a sale without its goods", LEFT, UNSOLD),
    ("a sale without its posting", DOCUMENTS, UNSOLD),
    ("a hand-over of another act", DOCUMENTS, "UPDATE stock.postings SET cause_id = gen_random_uuid() WHERE cause_kind = 'hand_over'"),
    ("goods without a document", NO_DOCUMENT, "UPDATE stock.postings SET cause_id = gen_random_uuid() WHERE cause_kind = 'return'"),
    ("goods out by the back door", NO_LINE, "UPDATE stock.postings SET cause_kind = 'gift' WHERE cause_kind = 'till_sale'"),
    (
        "a posting of nothing", EMPTY_POSTING,
        "INSERT INTO stock.postings (id, cause_kind, cause_id, actor, occurred_at, business_date)"
        " VALUES (gen_random_uuid(), 'x', gen_random_uuid(), '{}', now(), current_date)",
    ),
    ("another handed it over", LEFT, f"UPDATE stock.movements m SET from_location_id = {OTHER_STORE.format('m.from_location_id')}"
     " WHERE to_place = 'customer'"),
    ("set aside for nobody", NO_OWNER, "UPDATE stock.reservations SET owner_id = gen_random_uuid() WHERE quantity_open > 0"),
    ("not set aside", OWES, "UPDATE stock.reservations SET owner_id = gen_random_uuid() WHERE quantity_open > 0"),
    ("put back on the shelf", OWES, BACK_ON_THE_SHELF),
    ("set aside elsewhere", OWES, f"UPDATE stock.reservations r SET location_id = {OTHER_STORE.format('r.location_id')}"),
    ("more was set aside", OWES, f"UPDATE stock.reservations SET quantity = quantity + 5 WHERE id = {OPEN}"),
    ("lost goods forgotten", OWES, "UPDATE stock.reservations SET quantity_lost = 0 WHERE quantity_lost > 0 AND quantity_open > 0"),
    ("nobody checks", AT_RISK, "UPDATE fulfillment.fulfillments SET at_risk = false WHERE at_risk"),
    ("a false alarm", AT_RISK, "UPDATE fulfillment.fulfillments SET at_risk = true WHERE NOT at_risk"),
]  # fmt: skip
WORK = [
    ("one line does two", UNITS, "UPDATE fulfillment.lines SET quantity = quantity + 1"),
    ("a unit given up in both rooms", OWES, GIVEN_UP),
    ("collected on paper", OUTSTANDING, "UPDATE fulfillment.fulfillments SET state = 'collected', closed_at = now() WHERE closed_at IS NULL"),
    ("at another store", LEFT, f"UPDATE fulfillment.fulfillments f SET location_id = {OTHER_STORE.format('f.location_id')}"),
    ("opened at another store", AS_OPENED, f"UPDATE fulfillment.fulfillments f SET location_id = {OTHER_STORE.format('f.location_id')}"),
    ("for another order", OF_ITS_ORDER, "UPDATE fulfillment.fulfillments SET order_id = gen_random_uuid()"),
    ("other goods", OF_ITS_ORDER, f"UPDATE fulfillment.lines l SET variant_id = {OTHER_VARIANT.format('l.variant_id')}"),
    ("handed over unpicked", PICKED, "UPDATE fulfillment.lines SET picked = 0 WHERE handed_over > 0"),
    ("ready unpicked", PICKED, "UPDATE fulfillment.lines SET picked = handed_over WHERE fulfillment_id IN"
     " (SELECT id FROM fulfillment.fulfillments WHERE state = 'ready_for_pickup')"),
    ("a step is gone", FULFILLMENT_VERSIONS, "DELETE FROM fulfillment.steps WHERE what = 'accepted'"),
    ("a later promise", PROMISES, "UPDATE fulfillment.fulfillments SET promised_until = promised_until + interval '1 day'"),
    ("a code guessed at", CODES, "UPDATE fulfillment.fulfillments SET code_attempts = 99"),
    ("a step that published something else", STEPS, "UPDATE infra.outbox SET type = 'fulfillment.packed' WHERE type = 'fulfillment.accepted'"),
    ("a step that nobody took", RECORDS, "DELETE FROM infra.audit_records WHERE action = 'fulfillment.picked'"),
    ("a sale that nobody made", RECORDS, "DELETE FROM infra.audit_records WHERE action = 'sale.book'"),
    ("a return that nobody took", RECORDS, "DELETE FROM infra.audit_records WHERE action = 'return.accept'"),
]  # fmt: skip
MONEY = [
    ("captured less", PAID, "UPDATE payments.payments SET captured = captured - 1 WHERE refunded = 0"),
    ("refunded more", REFUNDED, "UPDATE payments.payments SET refunded = refunded + 1 WHERE refunded < captured"),
    ("paid for another order", PAID, "UPDATE payments.payments SET order_id = gen_random_uuid()"),
    ("paid for no order", NO_ORDER, OUT_OF_NOWHERE),
    ("paid without a fact", MONEY_EVENTS, OUT_OF_NOWHERE),
    ("paid in dollars", CURRENCY, "UPDATE payments.payments SET currency = 'USD'"),
    ("refunded in dollars", PAID_IN, "UPDATE payments.refunds SET currency = 'USD'"),
    ("cash that was a card", RECEIPTED, "UPDATE payments.payments SET tender = 'card_terminal' WHERE tender = 'cash'"),
    ("paid at another store", RECEIPTED, f"UPDATE payments.payments p SET location_id = {OTHER_STORE.format('p.location_id')}"),
    ("a payment of many versions", MONEY_EVENTS, "UPDATE payments.payments SET version = version + 3"),
    ("payments never told", MONEY_EVENTS, "DELETE FROM infra.outbox WHERE aggregate = 'payment'"),
    ("refunds never told", MONEY_EVENTS, "DELETE FROM infra.outbox WHERE type = 'payment.refunded'"),
    ("receipts never told", MONEY_EVENTS, "DELETE FROM infra.outbox WHERE aggregate = 'receipt'"),
    ("told of more money", MONEY_EVENTS, """UPDATE infra.outbox SET payload = payload || '{"amount": 1}' WHERE type = 'payment.captured'"""),
    ("a refund that failed", REFUNDED, "UPDATE payments.refunds SET state = 'failed'"),
    ("a refund of no return", RETURN_TOTAL, "UPDATE payments.refunds SET return_id = NULL WHERE order_id IS NOT NULL"),
    ("a refund of an unknown return", NO_ORDER, "UPDATE payments.refunds SET return_id = gen_random_uuid()"),
    ("a refund in another tender", RETURN_PAPERS, "UPDATE payments.refunds SET tender = CASE tender WHEN 'cash' THEN 'card_terminal' ELSE 'cash' END"),
    ("a refund that is too high", RETURN_TOTAL, TOO_GENEROUS),
    ("a receipt over more", RECEIPT_TOTAL, "UPDATE payments.receipts SET total = total + 1"),
    (
        "a receipt over more in all its parts", RECEIPTED,
        "UPDATE payments.receipts SET total = total + 1,"
        " lines = jsonb_set(lines, '{0,total}', to_jsonb(CAST(lines -> 0 ->> 'total' AS bigint) + 1)),"
        " tenders = jsonb_set(tenders, '{0,amount}', to_jsonb(CAST(tenders -> 0 ->> 'amount' AS bigint) + 1))",
    ),
    ("another tax on the receipt", ON_RECEIPTS, "UPDATE payments.receipts SET lines = jsonb_set(lines, '{0,tax}', '7') WHERE kind = 'sale'"),
    ("another tax on the refund", RETURN_PAPERS, "UPDATE payments.receipts SET lines = jsonb_set(lines, '{0,tax}', '7') WHERE kind = 'refund'"),
    ("more units on the receipt", ON_RECEIPTS, "UPDATE payments.receipts SET lines = jsonb_set(lines, '{0,quantity}', '77') WHERE kind = 'sale'"),
    ("another price on the receipt", ON_RECEIPTS, "UPDATE payments.receipts SET lines = jsonb_set(lines, '{0,unit_price}', '1') WHERE kind = 'sale'"),
    ("a receipt is torn out", REGISTER, "DELETE FROM payments.receipts WHERE number = 1"),
    ("a number is left out", REGISTER, "UPDATE payments.registers SET last_number = last_number + 1"),
    ("a receipt for another order", RECEIPTED, "UPDATE payments.receipts SET order_id = gen_random_uuid()"),
    ("a receipt of no return", RETURN_PAPERS, "UPDATE payments.receipts SET return_id = NULL WHERE order_id IS NOT NULL"),
    ("a receipt of another day", DATED, "UPDATE payments.receipts SET business_date = '2001-01-01'"),
    ("a register that moved", DATED, f"UPDATE payments.registers g SET location_id = {OTHER_STORE.format('g.location_id')}"),
    ("a receipt in dollars", CURRENCY, "UPDATE payments.receipts SET currency = 'USD'"),
    ("a charge that nobody paid", PAID, CHARGED),
    ("a charge at another tax", SUBTOTAL, UNTAXED_CHARGE),
]  # fmt: skip
ORDERS = [
    ("handed over less", UNITS, "UPDATE orders.lines SET handed_over = handed_over - 1 WHERE handed_over > returned"),
    ("a line is dearer", TOTALS, "UPDATE orders.lines SET total = total + 1, net = net + 1, adjustment_total = adjustment_total + 1"),
    ("dearer, and explained away", SUBTOTAL, EXPLAINED_AWAY),
    ("dearer in all its parts", SUBTOTAL, DEARER),
    ("dearer than when it was placed", AS_PLACED, DEARER),
    ("untaxed", TOTALS, "UPDATE orders.lines SET tax_basis_points = 0, net = total, tax = 0"),
    ("at no list price", LIST_PRICE, "UPDATE orders.lines SET unit_price = unit_price + 1"),
    ("the list is rewritten", LIST_PRICE, "UPDATE prices.prices SET amount = amount + 1"),
    ("another cost", HOW_IT_LEFT, "UPDATE orders.lines SET unit_cost = 1 WHERE unit_cost IS NOT NULL"),
    ("handed over elsewhere", HOW_IT_LEFT,
     f"UPDATE orders.lines l SET fulfilled_location_id = {OTHER_STORE.format('l.fulfilled_location_id')} WHERE handed_over > 0"),
    ("handed over at no time", HOW_IT_LEFT, "UPDATE orders.lines SET handed_over_at = NULL WHERE handed_over > 0"),
    ("handed over at another time", HOW_IT_LEFT, "UPDATE orders.lines SET handed_over_at = handed_over_at - interval '1 day'"),
    ("a line came back on its own", CAME_BACK, "UPDATE orders.lines SET returned = returned + 1 WHERE returned < handed_over"),
    ("ordered something else", OF_ITS_ORDER, f"UPDATE orders.lines l SET variant_id = {OTHER_VARIANT.format('l.variant_id')}"),
    ("an order in dollars", AS_PLACED, "UPDATE orders.orders SET currency = 'USD' WHERE state = 'placed'"),
    ("another's order", AS_PLACED, "UPDATE orders.orders o SET customer_id = (SELECT id FROM auth.principals p WHERE p.id <> o.customer_id LIMIT 1)"),
    ("from another cart", AS_PLACED, "UPDATE orders.orders SET cart_id = NULL WHERE cart_id IS NOT NULL"),
    ("a version too many", ORDER_VERSIONS, "UPDATE orders.orders SET version = version + 1"),
    ("an entry is gone", ORDER_VERSIONS, "DELETE FROM orders.entries WHERE version = 1"),
    ("cancelled on paper", ORDER_STATE, "UPDATE orders.orders SET state = 'cancelled', cancelled_at = now() WHERE state = 'placed'"),
    ("an adjustment is gone", TOTALS, "DELETE FROM orders.adjustments"),
    ("never told that it was completed", ENTRIES, "DELETE FROM infra.outbox WHERE type = 'order.completed'"),
    ("never told that it was returned", ENTRIES, "DELETE FROM infra.outbox WHERE type = 'order.returned'"),
    ("its cart is not closed", CLOSED_CART, "UPDATE carts.carts SET state = 'expired' WHERE state = 'ordered'"),
    ("an order is gone", NO_AGGREGATE, "DELETE FROM orders.orders WHERE state = 'cancelled'"),
]  # fmt: skip
RETURNS = [
    ("a return of more money", RETURN_TOTAL, "UPDATE returns.returns SET refund_total = refund_total + 1"),
    ("a line of more money", RETURN_TOTAL, "UPDATE returns.lines SET refund_amount = refund_amount + 1"),
    ("less than it had cost", RETURN_DUE, SHORT_CHANGED),
    ("another tax came back", RETURN_DUE, "UPDATE returns.lines SET tax_amount = tax_amount - 1 WHERE tax_amount > 0"),
    ("judged otherwise", RETURN_GOODS, "UPDATE returns.lines SET disposition = 'quality_control'"),
    ("more came back", RETURN_GOODS, "UPDATE returns.lines SET quantity = quantity + 1"),
    ("to another store", RETURN_GOODS, f"UPDATE returns.returns r SET location_id = {OTHER_STORE.format('r.location_id')}"),
    ("only requested", CAME_BACK, "UPDATE returns.returns SET state = 'requested'"),
    ("never there", CAME_BACK, "WITH l AS (DELETE FROM returns.lines) DELETE FROM returns.returns"),
    ("never told", RETURN_EVENTS, "DELETE FROM infra.outbox WHERE aggregate = 'return'"),
    ("told otherwise", RETURN_EVENTS, """UPDATE infra.outbox SET payload = payload || '{"refund_total": 1}' WHERE aggregate = 'return'"""),
    ("of another order", RETURN_ORDER, "UPDATE returns.returns r SET order_id = (SELECT id FROM orders.orders o WHERE o.id <> r.order_id LIMIT 1)"
     " WHERE order_id IS NOT NULL"),
    ("of another line", RETURN_ORDER, "UPDATE returns.lines l SET order_line_id ="
     " (SELECT id FROM orders.lines o WHERE o.variant_id <> l.variant_id LIMIT 1) WHERE order_line_id IS NOT NULL"),
    ("another receipt", RETURN_PAPERS, "UPDATE returns.returns SET receipt_number = 4711"),
    ("no receipt", RETURN_PAPERS, "UPDATE returns.returns SET receipt_register = NULL, receipt_number = NULL"),
    ("more than its lowest price", BLIND_DUE, f"UPDATE returns.lines SET refund_amount = 4000, tax_amount = 721 WHERE refund_amount = 3000 AND {BLIND_LINE}"),
    ("no such price", BLIND_DUE, f"UPDATE returns.lines SET unit_price = unit_price + 1 WHERE {BLIND_LINE}"),
    ("a price of before", BLIND_DUE, "INSERT INTO prices.prices (variant_id, valid_from, amount, currency, set_by, recorded_at)"
     " SELECT l.variant_id, r.created_at - interval '89 days', 1, 'RUB', gen_random_uuid(), 'epoch' FROM returns.lines l"
     f" JOIN returns.returns r ON r.id = l.return_id WHERE {BLIND_LINE} AND unit_price = 1200"),
    ("another tax without a sale", BLIND_DUE, f"UPDATE returns.lines SET tax_amount = tax_amount - 1 WHERE tax_amount > 0 AND {BLIND_LINE}"),
    ("allowed by another", BLIND_WHO, "UPDATE returns.returns SET approved_by = accepted_by WHERE order_id IS NULL"),
    ("given by another", BLIND_WHO, "UPDATE payments.refunds SET given_by = gen_random_uuid() WHERE order_id IS NULL"),
    ("its refund allowed by another", BLIND_WHO, "UPDATE payments.refunds SET approved_by = given_by WHERE order_id IS NULL"),
    ("allowed on record by another", BLIND_WHO, "ALTER TABLE infra.audit_records DISABLE TRIGGER USER;"
     " UPDATE infra.audit_records SET approved_by = subject WHERE action = 'return.accept_blind'"),
    ("a line of no sale in a return of one", RETURN_ORDER, "UPDATE returns.lines l SET order_line_id = NULL, order_line_n = NULL, unit_price = 1,"
     " quantity_scale = 0 WHERE order_line_id IS NOT NULL AND ground = 'change_of_mind'"),
    ("fewer without a sale", RETURN_GOODS, f"UPDATE returns.lines SET quantity = quantity - 1 WHERE quantity > 1 AND {BLIND_LINE}"),
    ("judged otherwise without a sale", RETURN_GOODS, f"UPDATE returns.lines SET disposition = 'quality_control' WHERE {BLIND_LINE}"),
    ("another bundle without a sale", RETURN_GOODS, "UPDATE returns.lines SET components = jsonb_set(components, '{0,quantity}', '7')"
     " WHERE components IS NOT NULL"),
    ("more goods without a sale", RETURN_GOODS, "UPDATE stock.movements SET quantity = quantity + 1"
     " WHERE from_place = 'customer' AND line_id IS NULL"),
    ("another's goods without a sale", NO_LINE, "UPDATE stock.movements SET line_id = gen_random_uuid()"
     " WHERE from_place = 'customer' AND line_id IS NULL"),
    ("goods of no line of a sale", NO_LINE, "UPDATE stock.movements SET line_id = NULL WHERE from_place = 'customer'"),
    ("another receipt without a sale", RETURN_PAPERS, "UPDATE payments.receipts SET lines = jsonb_set(lines, '{0,tax}', '7') WHERE order_id IS NULL"),
    ("a refund without a sale at another store", RETURN_PAPERS,
     f"UPDATE payments.refunds p SET location_id = {OTHER_STORE.format('p.location_id')} WHERE order_id IS NULL"),
    ("a refund without a sale in dollars", RETURN_PAPERS, "UPDATE payments.refunds SET currency = 'USD' WHERE order_id IS NULL"),
    ("a refund without a sale that was not given", RECEIPTED, "UPDATE payments.refunds SET state = 'failed' WHERE order_id IS NULL"),
    ("a refund without a sale and without its return", NO_ORDER, "UPDATE payments.refunds SET return_id = gen_random_uuid() WHERE order_id IS NULL"),
    ("a refund without a sale never told", MONEY_EVENTS, "DELETE FROM infra.outbox WHERE type = 'refund.given'"),
    ("told of a greater refund", MONEY_EVENTS, """UPDATE infra.outbox SET payload = payload || '{"amount": 1}' WHERE type = 'refund.given'"""),
    ("told of another return's receipt", MONEY_EVENTS,
     """UPDATE infra.outbox SET payload = payload || '{"return_id": null}' WHERE type = 'receipt.issued'"""),
    ("a refund without a sale is gone", NO_AGGREGATE, "DELETE FROM payments.refunds WHERE order_id IS NULL"),
    ("another's return, and never told", RETURN_EVENTS, "DELETE FROM infra.outbox WHERE type = 'return.reassigned'"),
]  # fmt: skip
SUPPLY = [
    ("planned less than announced", PLANNED, "UPDATE stock.expected SET cancelled = cancelled + 1 WHERE received + cancelled + promised < quantity"),
    ("arrived in one book only", PLANNED, "UPDATE supply.lines SET received = received + 1 WHERE received + cancelled < quantity"),
    ("a delivery without its plan", PLANNED, "DELETE FROM stock.expected"),
    ("planned for another day", PLANNED, "UPDATE stock.expected SET expected_on = expected_on + 1"),
    ("planned at another price", PLANNED, "UPDATE stock.expected SET unit_cost = unit_cost + 1"),
    ("a receipt without its posting", ARRIVED, "DELETE FROM stock.postings WHERE cause_kind = 'supply_receipt'"),
    ("damaged on paper only", ARRIVED, "UPDATE supply.receipt_lines SET bucket = 'available' WHERE bucket = 'damaged'"),
    ("paid otherwise", ARRIVED, "UPDATE supply.receipt_lines SET unit_cost = 111 WHERE unit_cost = 110"),
    ("more moved than came", ARRIVED, "UPDATE stock.movements SET quantity = quantity + 1 WHERE posting_id IN (SELECT id FROM stock.postings WHERE cause_kind = 'supply_receipt')"),
    ("a posting without its receipt", NO_DELIVERY, "DELETE FROM supply.receipts"),
    ("a plan without its line", NO_LINE_OF_PLAN, "DELETE FROM supply.lines"),
    ("a supplier out of nowhere", NO_AGGREGATE, "DELETE FROM supply.suppliers"),
    ("over by miscounting", COUNTED, "UPDATE supply.lines SET over = over + 1 WHERE damaged > 0"),
    ("damaged less than received so", COUNTED, "UPDATE supply.lines SET damaged = 0 WHERE damaged > 0"),
    ("receipts are lost", COUNTED, "DELETE FROM supply.receipt_lines"),
    ("cancelled though it came", STILL_TO_COME, "UPDATE supply.announcements SET state = 'cancelled' WHERE state = 'received'"),
    ("waiting for nothing", STILL_TO_COME, "UPDATE supply.announcements SET state = 'announced', closed_at = NULL WHERE state = 'cancelled'"),
    ("damaged without a reason", EXPLAINED, "UPDATE supply.lines SET reason = NULL WHERE damaged > 0"),
    ("over without a reason", EXPLAINED, "UPDATE supply.receipt_lines SET reason = NULL WHERE over > 0"),
    ("a delivery of one version more", SUPPLY_VERSIONS, "UPDATE supply.announcements SET version = version + 1"),
    ("a delivery's step is lost", SUPPLY_VERSIONS, "DELETE FROM supply.steps WHERE version = 2"),
    ("never announced", SUPPLY_VERSIONS, "DELETE FROM infra.outbox WHERE type = 'supply.announced'"),
    ("closed in silence", SUPPLY_STEPS, "DELETE FROM infra.outbox WHERE type = 'supply.closed'"),
    ("overdue in silence", SUPPLY_STEPS, "DELETE FROM infra.outbox WHERE type = 'supply.overdue'"),
    ("an act without its step", SUPPLY_ACTS, "UPDATE supply.steps SET what = 'changed' WHERE what = 'received'"),
    ("an act of nothing", SUPPLY_ACTS, "DELETE FROM supply.receipt_lines"),
    ("received by nobody", SUPPLY_RECORDS, "DELETE FROM infra.audit_records WHERE action = 'expected_receipt.receive'"),
    ("a supplier of one version more", SUPPLIER_VERSIONS, "UPDATE supply.suppliers SET version = version + 1"),
]  # fmt: skip
UNITS_OF_THEIR_OWN = [
    ("a unit that nobody moved", UNIT_LIVES, "UPDATE stock.units SET place = 'damaged' WHERE place = 'available'"),
    ("a unit in another's box", UNIT_LIVES, "UPDATE stock.units SET picked_for = gen_random_uuid() WHERE picked_for IS NOT NULL"),
    ("a unit of no past", UNIT_LIVES, "DELETE FROM stock.unit_moves WHERE to_place = 'customer'"),
    ("a past of no unit", UNIT_LIVES, "DELETE FROM stock.units WHERE place = 'available'"),
    ("a gap in a unit's life", UNIT_LIVES, "UPDATE stock.unit_moves SET from_place = 'damaged' WHERE n = 2"),
    ("a unit with another customer", UNIT_LIVES, "UPDATE stock.units SET line_id = gen_random_uuid() WHERE place = 'customer'"),
    ("sold without its code", UNITS_MOVED, "DELETE FROM stock.unit_moves WHERE to_place = 'customer' AND code = 'X'"),
    ("more came than was delivered", UNITS_MOVED, "UPDATE stock.movements SET quantity = 2 WHERE posting_id = (SELECT posting_id"
     " FROM stock.unit_moves WHERE from_place = 'supplier' LIMIT 1)"),
    ("units that stand elsewhere", UNITS_STANDING, f"UPDATE stock.units u SET location_id = {OTHER_STORE.format('u.location_id')}"
     " WHERE location_id IS NOT NULL"),
    ("the shelf has less than its units", UNITS_STANDING, "UPDATE stock.levels l SET available = 0, quality_control = 0, committed = 0"
     " FROM stock.units u WHERE u.location_id = l.location_id AND u.variant_id = l.variant_id"),
    ("more units with a customer than he has", UNITS_OUT, "UPDATE orders.lines l SET returned = handed_over FROM stock.units u"
     " WHERE u.line_id = l.id AND u.place = 'customer'"),
    ("units of other goods with a customer", UNITS_OUT, "UPDATE stock.units u SET line_id = (SELECT id FROM orders.lines l"
     " WHERE l.variant_id <> u.variant_id LIMIT 1) WHERE place = 'customer'"),
    ("a box for what was given up", UNITS_IN_BOXES, "UPDATE fulfillment.lines l SET cancelled = l.quantity FROM stock.units u"
     " WHERE u.picked_line = l.order_line_id"),
    ("a box of a line that is not there", UNITS_IN_BOXES, "UPDATE stock.units SET picked_line = gen_random_uuid() WHERE picked_for IS NOT NULL"),
    ("a customer of no order", UNITS_STRAY, "UPDATE stock.units SET line_id = gen_random_uuid() WHERE place = 'customer'"),
    ("a box of no fulfillment", UNITS_STRAY, "UPDATE stock.units SET picked_for = gen_random_uuid() WHERE picked_for IS NOT NULL"),
]  # fmt: skip
PEOPLE = [
    ("merged in a circle", CIRCLE, "UPDATE customers.profiles p SET merged_into = m.id, merged_at = now() FROM customers.profiles m"
     " WHERE m.merged_into = p.id"),
    ("merged at no time", MERGED_WHEN, "UPDATE customers.profiles SET merged_at = NULL WHERE merged_into IS NOT NULL"),
    ("merged by nobody", STANDING, "DELETE FROM customers.merges WHERE undone_at IS NULL"),
    ("merged into another", STANDING, "UPDATE customers.merges SET winner_id = (SELECT id FROM customers.profiles p WHERE p.id <> winner_id"
     " AND p.id <> loser_id LIMIT 1) WHERE undone_at IS NULL"),
    ("parted, and still one", STANDING, "UPDATE customers.merges SET undone_at = now(), undone_by = loser_id WHERE undone_at IS NULL"),
    ("merged in silence", MERGE_RECORDS, "DELETE FROM infra.audit_records WHERE action = 'customer.merged'"),
    ("parted in silence", MERGE_RECORDS, "DELETE FROM infra.audit_records WHERE action = 'customer.unmerged'"),
    ("merged by another", MERGE_RECORDS, "UPDATE customers.merges SET merged_by = loser_id WHERE proof = 'staff'"),
    ("a guest with a contact of his own", GUESTS, "UPDATE customers.identifiers i SET verified_at = now() FROM customers.profiles p"
     " WHERE p.id = i.profile_id AND p.guest AND i.value = '+79010000001'"),
    ("a card that is only claimed", CARDS, "UPDATE customers.identifiers SET verified_at = NULL WHERE kind = 'loyalty_card'"),
    ("erased, but found", OF_NOBODY, "UPDATE customers.profiles SET erased_at = now(), name = NULL WHERE NOT guest"),
    ("erased, but named", NAMELESS, "UPDATE customers.profiles SET erased_at = now() WHERE name IS NOT NULL"),
    ("a guest out of nowhere", SIGNED_UP, "DELETE FROM infra.outbox WHERE type = 'customer.guest_noted'"),
    ("an account that never signed up", SIGNED_UP, "UPDATE customers.profiles SET guest = false WHERE guest"),
    ("two codes at once", ONE_CODE, "INSERT INTO auth.challenges (id, kind, identity, contact, purpose, principal_id, counter, attempts, created_at,"
     " sent_at, expires_at) SELECT gen_random_uuid(), kind, identity, contact, purpose, (SELECT id FROM auth.principals WHERE kind = 'shopper'"
     " LIMIT 1), 1, 0, created_at, sent_at, expires_at FROM auth.challenges, generate_series(1, 2) WHERE settled_at IS NULL"),
    ("six codes at once", FEW_CODES, "INSERT INTO auth.challenges (id, kind, identity, contact, purpose, counter, attempts, created_at,"
     " sent_at, expires_at) SELECT gen_random_uuid(), kind, identity, contact, purpose, 1, 0, created_at, sent_at, expires_at"
     " FROM auth.challenges, generate_series(1, 5) WHERE settled_at IS NULL"),
    ("codes without limits", CODE_LIMITS, "DELETE FROM auth.code_limits"),
    ("guesses forgotten", CODE_LIMITS, "UPDATE auth.code_limits SET misses = '{}', used_at = used_at - interval '1 hour'"),
]  # fmt: skip
REST = [
    ("two open carts", ONE_CART, "DROP INDEX carts.uq_carts_shopper_id; UPDATE carts.carts SET state = 'open',"
     " shopper_id = (SELECT shopper_id FROM carts.carts WHERE shopper_id IS NOT NULL LIMIT 1) WHERE shopper_id IS NOT NULL"),
    ("two baskets at hand", ONE_BASKET, "DROP INDEX carts.uq_carts_device_id; UPDATE carts.carts SET state = 'open', parked_at = NULL WHERE device_id IS NOT NULL"),
    ("a code that leads nowhere", MOVED, "UPDATE carts.hand_offs SET into_cart_id = NULL"),
    ("lines that went elsewhere", MOVED, "UPDATE carts.hand_offs SET into_cart_id = gen_random_uuid() WHERE mode = 'move'"),
    ("claimed too late", MOVED, "UPDATE carts.hand_offs SET claimed_at = expires_at + interval '1 s'"),
    ("joined what is closed", JOINED, f"{FREE}; UPDATE carts.carts SET state = 'expired' WHERE id IN (SELECT cart_id FROM carts.guests)"),
    ("joined a device", JOINED, "UPDATE carts.guests SET cart_id = (SELECT id FROM carts.carts WHERE device_id IS NOT NULL LIMIT 1)"),
    ("remembered too long", FORGETS, f"{FREE}; UPDATE carts.carts SET state = 'expired' WHERE checkout IS NOT NULL"),
    (
        "a gift of the past", FORGETS,
        "UPDATE carts.lines SET gift = '{}' WHERE cart_id IN (SELECT id FROM carts.carts WHERE state = 'ordered')",
    ),
    ("a name that stayed", NAMED, "UPDATE carts.carts SET state = 'expired' WHERE customer_id IS NOT NULL"),
    ("abandoned in the future", ABANDONED, "UPDATE carts.carts SET abandoned_version = version + 1 WHERE abandoned_version IS NOT NULL"),
    ("abandoned and not marked", ABANDONED, "UPDATE carts.carts SET abandoned_version = NULL"),
    ("merged into nothing", MERGED, f"{FREE}; UPDATE carts.carts SET state = 'merged'"),
    (
        "a cart without end", CART_LINES,
        "INSERT INTO carts.lines (cart_id, variant_id, sku, quantity, unit_price_seen, added_at, added_channel, changed_at)"
        " SELECT c.id, gen_random_uuid(), 'X', 1, 1, now(), 'site', now() FROM (SELECT id FROM carts.carts LIMIT 1) c,"
        " generate_series(1, 501)",
    ),
    ("a cart of one version more", CART_EVENTS, "UPDATE carts.carts SET version = version + 1"),
    ("a cart never told of", CART_EVENTS, "DELETE FROM infra.outbox WHERE aggregate = 'cart' AND version = 1"),
    ("two wish lists", ONE_LIST, "DROP INDEX lists.uq_lists_wish; UPDATE lists.lists SET kind = 'wish', name = NULL WHERE state = 'open'"),
    ("a list that is not counted", LISTS_COUNTED, "UPDATE lists.owners SET lists = lists + 1 WHERE lists > 0"),
    ("lists of nobody", LISTS_COUNTED, "DELETE FROM lists.owners"),
    (
        "more lists than there may be", LISTS_COUNTED,
        "ALTER TABLE lists.owners DROP CONSTRAINT ck_owners_lists; WITH o AS (SELECT shopper_id FROM lists.owners WHERE lists > 0 LIMIT 1), made AS ("
        " INSERT INTO lists.lists (id, shopper_id, kind, state, name, created_at, changed_at)"
        " SELECT gen_random_uuid(), shopper_id, 'named', 'open', 'X', now(), now() FROM o, generate_series(1, 51))"
        " UPDATE lists.owners SET lists = lists + 51 WHERE shopper_id = (SELECT shopper_id FROM o)",
    ),
    (
        "a list without end", LIST_LINES,
        "ALTER TABLE lists.lines DROP CONSTRAINT fk_lines_variant_id_variants;"
        " INSERT INTO lists.lines (list_id, variant_id, sku, quantity, added_at, added_channel)"
        " SELECT id, gen_random_uuid(), 'X', 1, now(), 'site' FROM (SELECT id FROM lists.lists WHERE state = 'open' LIMIT 1) l, generate_series(1, 501)",
    ),
    (
        "lines of a list that is gone", LIST_LINES,
        "UPDATE lists.lines SET list_id = (SELECT id FROM lists.lists WHERE state = 'deleted' LIMIT 1)"
        " WHERE list_id = (SELECT id FROM lists.lists WHERE kind = 'saved_for_later' LIMIT 1)",
    ),
    (
        "a link to a list that is gone", LIST_GONE,
        "ALTER TABLE lists.lists DROP CONSTRAINT ck_lists_shared; UPDATE lists.lists SET shared_at = now() WHERE state <> 'open'",
    ),
    ("a list of one version more", LIST_EVENTS, "UPDATE lists.lists SET version = version + 1"),
    ("a list never told of", LIST_EVENTS, "DELETE FROM infra.outbox WHERE aggregate = 'list' AND version = 1"),
    ("a list out of the books", LIST_EVENTS, "DELETE FROM lists.lists WHERE state = 'deleted'"),
    ("a list gone in silence", LIST_ENDS, "UPDATE infra.outbox SET type = 'list.changed' WHERE type IN ('list.deleted', 'list.merged')"),
    ("a profile of many versions", PROFILE_EVENTS, "UPDATE customers.profiles SET version = version + 1"),
    ("a customer out of nowhere", SIGNED_UP, "DELETE FROM infra.outbox WHERE aggregate = 'customer'"),
    ("a gap in the feed", PUBLISHED, "UPDATE infra.outbox SET published_no = published_no + 100000 WHERE published_no = 7"),
    ("published no more", PUBLISHED, "UPDATE infra.outbox SET published_no = NULL WHERE published_no = 3"),
    ("delivered before it was published", PUBLISHED_FIRST, "UPDATE infra.outbox SET published_no = NULL WHERE type = 'stock.promise_broken'"),
    ("never delivered", DELIVERED, "DELETE FROM infra.deliveries"),
    ("an answer is lost", ANSWERED, "UPDATE infra.idempotency_keys SET answer = NULL"),
]  # fmt: skip
ADJUSTMENTS = [
    ("an adjustment without its posting", ADJUSTED, "UPDATE stock.postings SET cause_id = gen_random_uuid() WHERE cause_kind = 'adjustment'"),
    ("adjusted by one more", ADJUSTED, "UPDATE stock.adjustments SET delta = delta - 1 WHERE state = 'booked'"),
    ("adjusted the other way", ADJUSTED, "UPDATE stock.adjustments SET delta = -delta WHERE state = 'booked'"),
    ("another bucket adjusted", ADJUSTED, "UPDATE stock.adjustments SET bucket = 'quality_control' WHERE state = 'booked'"),
    ("damaged, and not gone", ADJUSTED, "UPDATE stock.adjustments SET reason = 'lost' WHERE reason = 'damage'"),
    ("another variant adjusted", ADJUSTED,
     f"UPDATE stock.adjustments a SET variant_id = {OTHER_VARIANT.format('a.variant_id')} WHERE state = 'booked'"),
    ("adjusted elsewhere", ADJUSTED, f"UPDATE stock.adjustments a SET location_id = {OTHER_STORE.format('a.location_id')} WHERE state = 'booked'"),
    ("adjusted at another time", ADJUSTED, "UPDATE stock.postings SET occurred_at = occurred_at + interval '1 day' WHERE cause_kind = 'adjustment'"),
    ("booked while it waits", ADJUSTED,
     "UPDATE stock.adjustments SET state = 'waiting', decided_at = NULL, decided_by = NULL WHERE state = 'booked' AND version = 2"),
    ("booked though rejected", ADJUSTED, "UPDATE stock.adjustments SET state = 'rejected' WHERE state = 'booked'"),
    ("booked on paper", ADJUSTED, "UPDATE stock.adjustments SET state = 'booked' WHERE state = 'rejected'"),
    ("decided by nobody's event", ADJUSTMENT_VERSIONS, "DELETE FROM infra.outbox WHERE type = 'stock.adjustment_decided'"),
    ("asked for by nobody's event", ADJUSTMENT_VERSIONS, "DELETE FROM infra.outbox WHERE type = 'stock.adjustment_requested'"),
    ("told of another decision", ADJUSTMENT_VERSIONS, "UPDATE stock.adjustments SET state = 'booked' WHERE state = 'rejected'"),
    ("told of another value", ADJUSTMENT_VERSIONS, "UPDATE stock.adjustments SET value = value + 1"),
    ("told of another quantity", ADJUSTMENT_VERSIONS, "UPDATE stock.adjustments SET delta = delta + 10"),
    ("a version that nobody made", ADJUSTMENT_VERSIONS, "UPDATE stock.adjustments SET version = version + 1 WHERE state = 'waiting'"),
    ("nobody is on record for it", ADJUSTMENT_RECORDS, "DELETE FROM infra.audit_records WHERE target = 'adjustment'"),
    ("another decided it", ADJUSTMENT_RECORDS, "UPDATE stock.adjustments SET decided_by = requested_by WHERE version = 2"),
    ("decided at another time", ADJUSTMENT_RECORDS, "UPDATE stock.adjustments SET decided_at = decided_at + interval '1 day' WHERE version = 2"),
    ("asked for at another time", ADJUSTMENT_RECORDS, "UPDATE stock.adjustments SET requested_at = requested_at - interval '1 day'"),
    ("what waits for a manager is gone", NO_AGGREGATE, "DELETE FROM stock.adjustments WHERE state = 'waiting'"),
    ("a posting of no adjustment", NO_DOCUMENT, "DELETE FROM stock.adjustments WHERE state = 'booked'"),
]  # fmt: skip
TRANSFERS = [
    ("one more arrived on paper", ON_THE_WAY, "UPDATE transfers.lines SET received = received + 1 WHERE received + quality_control + damaged + missing < dispatched"),
    ("sent to another place", ON_THE_WAY, "UPDATE transfers.transfers SET source_id = destination_id, destination_id = source_id WHERE state = 'in_transit'"),
    ("goods that never arrive", ON_THE_WAY, "UPDATE stock.levels SET in_transit = in_transit + 1 WHERE in_transit > 0"),
    ("a dispatch without its posting", TRANSFER_SENT, "UPDATE stock.postings SET cause_id = gen_random_uuid() WHERE cause_kind = 'transfer_dispatched'"),
    ("more left than was noted", TRANSFER_SENT, "UPDATE stock.movements m SET quantity = m.quantity + 1 FROM stock.postings p"
     " WHERE p.id = m.posting_id AND p.cause_kind = 'transfer_dispatched'"),
    ("left from elsewhere", TRANSFER_SENT, "UPDATE transfers.transfers SET source_id = destination_id, destination_id = source_id WHERE state = 'received'"),
    ("a dispatch of other goods", TRANSFER_SENT, "UPDATE transfers.steps SET data = jsonb_set(data, '{lines,0,quantity}', '99') WHERE what = 'dispatched'"),
    ("an arrival without its posting", TRANSFER_ARRIVED, "UPDATE stock.postings SET cause_id = gen_random_uuid() WHERE cause_kind = 'transfer_received'"),
    ("damaged goods on the shelf", TRANSFER_ARRIVED, "UPDATE stock.movements m SET to_place = 'available' FROM stock.postings p"
     " WHERE p.id = m.posting_id AND p.cause_kind = 'transfer_received' AND m.to_place = 'damaged'"),
    ("found goods that were sent", TRANSFER_ARRIVED, "UPDATE stock.movements m SET from_place = 'in_transit', from_location_id = to_location_id"
     " FROM stock.postings p WHERE p.id = m.posting_id AND p.cause_kind = 'transfer_received' AND m.from_place = 'loss'"),
    ("a line that sent more", TRANSFER_LINES, "UPDATE transfers.lines SET dispatched = dispatched + 1, quantity = quantity + 1 WHERE dispatched > 0"),
    ("a line that got more", TRANSFER_LINES, "UPDATE transfers.lines SET surplus = surplus + 1 WHERE surplus > 0"),
    ("an arrival forgotten", TRANSFER_LINES, "DELETE FROM transfers.steps WHERE what = 'partially_received'"),
    ("ready, and nothing set aside", TRANSFER_GOODS, "UPDATE transfers.transfers SET state = 'ready' WHERE state = 'draft'"),
    ("cancelled, and still set aside", TRANSFER_GOODS, "UPDATE transfers.transfers SET state = 'cancelled', closed_at = now() WHERE state = 'ready'"),
    ("set aside for another line", TRANSFER_GOODS, "UPDATE stock.reservations SET line_id = gen_random_uuid() WHERE owner_kind = 'transfer' AND quantity_open > 0"),
    ("a plan of more", TRANSFER_PLANS, "UPDATE stock.expected SET quantity = quantity + 1 WHERE kind = 'transfer'"),
    ("a plan that is not told", TRANSFER_PLANS, "UPDATE stock.expected SET cancelled = cancelled - 1, received = received + 1 WHERE kind = 'transfer' AND cancelled > 0"),
    ("sent without a plan", TRANSFER_PLANS, "DELETE FROM stock.expected WHERE kind = 'transfer'"),
    ("received on paper", UNDER_WAY, "UPDATE transfers.transfers SET state = 'received', closed_at = now() WHERE state = 'partially_received'"),
    ("open for ever", UNDER_WAY, "UPDATE transfers.transfers SET state = 'in_transit', closed_at = NULL WHERE state = 'received'"),
    ("a transfer of nothing", UNDER_WAY, "DELETE FROM transfers.lines"),
    ("a transfer of one version more", TRANSFER_VERSIONS, "UPDATE transfers.transfers SET version = version + 1"),
    ("a transfer never told of", TRANSFER_VERSIONS, "DELETE FROM infra.outbox WHERE type = 'transfer.dispatched'"),
    ("a step of a transfer is gone", TRANSFER_VERSIONS, "DELETE FROM transfers.steps WHERE what = 'created'"),
    ("a transfer told otherwise", TRANSFER_TOLD, "UPDATE infra.outbox SET type = 'transfer.ready' WHERE type = 'transfer.cancelled'"),
    ("told of other places", TRANSFER_TOLD, "UPDATE transfers.transfers SET source_id = destination_id, destination_id = source_id"),
    ("sent by nobody", TRANSFER_RECORDS, "DELETE FROM infra.audit_records WHERE action = 'transfer.dispatch'"),
    ("goods moved by no step", NO_STEP, "UPDATE stock.postings SET cause_id = gen_random_uuid() WHERE cause_kind = 'transfer_left_behind'"),
    ("received by the sender", NO_STEP, "UPDATE stock.postings SET cause_kind = 'transfer_received' WHERE cause_kind = 'transfer_dispatched'"),
    ("nobody brings it", NOT_BROUGHT, "UPDATE transfers.transfers SET state = 'cancelled', closed_at = now(), cancel_reason = 'order'"
     " WHERE state = 'ready' AND order_number IS NOT NULL"),
    ("less is brought", NOT_BROUGHT, "UPDATE transfers.lines SET cancelled = 1 WHERE owner_id IS NOT NULL AND dispatched = 0"),
    ("brought from elsewhere", NOT_BROUGHT, "UPDATE transfers.transfers SET source_id = destination_id, destination_id = source_id"
     " WHERE order_number IS NOT NULL"),
    ("on the way by no transfer", NO_TRANSFER, "DELETE FROM transfers.lines"),
    ("planned by no transfer", NO_TRANSFER, "UPDATE stock.expected SET document_id = gen_random_uuid() WHERE kind = 'transfer'"),
    ("set aside for no transfer", NO_TRANSFER, "UPDATE stock.reservations SET owner_id = gen_random_uuid() WHERE owner_kind = 'transfer'"),
    ("a transfer is gone", NO_AGGREGATE, "DELETE FROM transfers.transfers WHERE state = 'cancelled'"),
]  # fmt: skip
COUNTS = [
    ("a count that moved more", COUNT_POSTED, "UPDATE stock.movements m SET quantity = m.quantity + 1 FROM stock.postings p"
     " WHERE p.id = m.posting_id AND p.cause_kind = 'count'"),
    ("a count posted for another", COUNT_POSTED, "UPDATE stock.postings SET cause_id = gen_random_uuid() WHERE cause_kind = 'count'"),
    ("a variance that is not posted", COUNT_POSTED, "UPDATE counts.lines SET resolution = 'left' WHERE resolution = 'zeroed'"),
    ("a loss of the neighbours", COUNT_POSTED, "UPDATE counts.lines SET variance = variance - 1, expected = expected + 1 WHERE resolution = 'posted'"),
    ("other books", COUNT_RECKONED, "UPDATE counts.lines SET expected = expected + 1 WHERE counted IS NOT NULL"),
    ("counted by nobody", COUNT_RECKONED, "DELETE FROM counts.entries"),
    ("an entry that stands again", COUNT_RECKONED, "UPDATE counts.entries SET stands = true WHERE NOT stands"),
    ("the older round", COUNT_RECKONED, "UPDATE counts.lines SET round = 1 WHERE round = 2"),
    ("unresolved", COUNT_RECKONED, "UPDATE counts.lines SET resolution = NULL WHERE resolution = 'left'"),
    ("counted before it began", COUNT_MOMENTS, "UPDATE counts.entries SET counted_at = counted_at - interval '1 day'"),
    ("counted after it was told", COUNT_MOMENTS, "UPDATE counts.entries SET counted_at = counted_at + interval '1 day'"),
    ("counted by the way", COUNT_MOMENTS, f"UPDATE counts.entries e SET variant_id = {OTHER_VARIANT.format('e.variant_id')}"),
    ("a cancelled count that goes on", COUNT_LIVE, "UPDATE counts.sessions SET state = 'open', closed_at = NULL WHERE state = 'cancelled'"),
    ("an open count without its goods", COUNT_LIVE, "UPDATE counts.lines SET live = false WHERE live"),
    ("counted elsewhere", COUNT_LIVE, f"UPDATE counts.lines l SET location_id = {OTHER_STORE.format('l.location_id')}"),
    ("a count of one version more", COUNT_VERSIONS, "UPDATE counts.sessions SET version = version + 1"),
    ("a step of a count is gone", COUNT_VERSIONS, "DELETE FROM counts.steps WHERE what = 'submitted'"),
    ("a count never told of", COUNT_VERSIONS, "DELETE FROM infra.outbox WHERE type = 'count.entered'"),
    ("a count told otherwise", COUNT_SAID, "UPDATE infra.outbox SET type = 'count.cancelled' WHERE type = 'count.posted'"),
    ("closed without a posting", COUNT_SAID, "UPDATE counts.sessions SET state = 'closed', closed_at = now() WHERE state = 'counted'"),
    ("asked for by nobody", TASK_SOURCES, "DELETE FROM counts.task_sources"),
    ("more in question", TASK_SOURCES, "UPDATE counts.tasks SET quantity = quantity + 1"),
    ("a task of one version more", TASK_SOURCES, "UPDATE counts.tasks SET version = version + 1"),
    ("dismissed in silence", TASK_SOURCES, "DELETE FROM infra.outbox WHERE type = 'count_task.dismissed'"),
    ("counted by another store", TASK_SOURCES, f"UPDATE counts.tasks t SET location_id = {OTHER_STORE.format('t.location_id')} WHERE state = 'counted'"),
    ("counted by nobody's hand", RECORDS, "DELETE FROM infra.audit_records WHERE target = 'count' AND action = 'count.approve'"),
    ("a posting of no count", NO_DOCUMENT, "UPDATE stock.postings SET cause_id = gen_random_uuid() WHERE cause_kind = 'count'"),
    ("a count that is gone", NO_AGGREGATE, "DELETE FROM counts.sessions"),
    ("a task that is gone", NO_AGGREGATE, "DELETE FROM counts.tasks"),
]  # fmt: skip
ERASED = "(SELECT id FROM customers.profiles WHERE erased_at IS NOT NULL)"
ACROSS_ROOMS = [
    ("an order of unknown origin", LED_TO, "DELETE FROM people.order_touches"),
    ("what led another here", LED_TO, "UPDATE people.order_touches SET customer_id = gen_random_uuid()"),
    ("it led to an order afterwards", LED_BEFORE, "UPDATE people.order_touches SET last_touch = jsonb_set(last_touch, '{at}', '\"2999-01-01T00:00:00Z\"')"
     " WHERE last_touch IS NOT NULL"),
    ("led to at another time", LED_BEFORE, "UPDATE people.order_touches SET at = at - interval '1 day'"),
    ("erased, but born", FORGOTTEN, f"UPDATE customers.profiles SET birthday = '1988-04-12' WHERE id IN {ERASED}"),
    ("erased, but at home", FORGOTTEN, f"UPDATE customers.addresses SET profile_id = (SELECT min(id::text)::uuid FROM {ERASED} x)"),
    ("erased, but lured", FORGOTTEN, f"UPDATE customers.touches SET shopper_id = (SELECT min(id::text)::uuid FROM {ERASED} x),"
     " at = at - interval '1 day'"),
    ("erased, but signed in", FORGOTTEN, f"UPDATE auth.sessions SET revoked_at = NULL WHERE principal_id IN {ERASED}"),
    ("erased, but on an order", FORGOTTEN, f"UPDATE orders.orders SET contact = '{{}}' WHERE customer_id IN {ERASED}"),
    ("erased, but led here", FORGOTTEN, "UPDATE people.order_touches SET first_touch = '{}', last_touch = '{}'"
     f" WHERE customer_id IN {ERASED}"),
    ("erased alone", FORGOTTEN_TOGETHER, "UPDATE customers.profiles SET erased_at = now()"
     " WHERE id IN (SELECT merged_into FROM customers.profiles)"),
    ("kept longer by nobody", RETENTION_RECORDS, "UPDATE people.retention_rules SET days = 9999 WHERE version > 1"),
    ("a consent in silence", CONSENT_EVENTS, "UPDATE customers.consents SET granted = true WHERE NOT granted"),
    ("a consent that is gone", CONSENT_EVENTS, "DELETE FROM customers.consents"),
    ("nobody's home", THEIR_OWN, "UPDATE customers.profiles SET erased_at = now() WHERE id IN (SELECT profile_id FROM customers.addresses)"),
    ("staff lured here", THEIR_OWN, "UPDATE customers.touches SET shopper_id = (SELECT id FROM auth.principals WHERE kind = 'staff' LIMIT 1)"),
    ("consented afterwards", THEIR_OWN, f"UPDATE customers.consents SET at = at + interval '1 day' WHERE profile_id IN {ERASED}"),
    ("given to another", AS_PLACED, "DELETE FROM infra.outbox WHERE type = 'order.reassigned'"),
]  # fmt: skip
TALKS = [
    ("a conversation of one version more", TALK_VERSIONS, "UPDATE conversations.conversations SET version = version + 1 WHERE state = 'open'"),
    ("a word is gone", TALK_VERSIONS, "DELETE FROM conversations.entries WHERE kind = 'message_out'"),
    ("said in silence", TALK_VERSIONS, "DELETE FROM infra.outbox WHERE type = 'conversation.joined'"),
    ("open though answered", TALK_OPEN, "UPDATE conversations.conversations SET state = 'open' WHERE state = 'waiting'"),
    ("nobody is seen to wait", TALK_OPEN, "UPDATE conversations.conversations SET unanswered_since = NULL, answer_due_at = NULL WHERE state = 'open'"),
    ("a joined one waits unseen", TALK_OPEN, "UPDATE conversations.conversations c SET unanswered_since = c.opened_at, answer_due_at = c.opened_at FROM conversations.conversations h"
     " WHERE h.id = c.joined_into AND h.state = 'waiting'"),
    ("nobody is ever late", TALK_DUE, "UPDATE conversations.conversations SET due_at = NULL WHERE state = 'open'"),
    ("a clock of what is answered", TALK_DUE, "UPDATE conversations.conversations SET due_at = opened_at WHERE state = 'waiting'"),
    ("answered earlier", TALK_ANSWERED, "UPDATE conversations.conversations SET first_answered_at = first_answered_at - interval '1 hour'"),
    ("answered by another", TALK_ANSWERED, "UPDATE conversations.conversations SET answered_by = gen_random_uuid() WHERE answered_by IS NOT NULL"),
    ("an answer that was none", TALK_ANSWERED, "UPDATE conversations.entries SET answers = false WHERE answers"),
    ("joined in a circle", TALK_JOINED, "UPDATE conversations.conversations h SET state = 'joined', joined_into = c.id, unanswered_since = NULL, answer_due_at = NULL"
     " FROM conversations.conversations c WHERE c.joined_into = h.id"),
    ("joined into another", TALK_JOINED, "UPDATE conversations.conversations c SET joined_into ="
     " (SELECT o.id FROM conversations.conversations o WHERE o.state = 'closed' LIMIT 1) WHERE c.joined_into IS NOT NULL"),
    ("the clock of the later", TALK_JOINED, "UPDATE conversations.conversations h SET first_answer_due_at = h.first_answer_due_at + interval '9 days'"
     " FROM conversations.conversations c WHERE c.joined_into = h.id"),
    ("no sale of nothing", TALK_LOST, "DELETE FROM conversations.lost_demands"),
    ("lost though sold", TALK_LOST, "UPDATE conversations.conversations SET outcome = 'resolved' WHERE outcome = 'no_sale'"),
    ("done in silence", NEXT_STEPS, "DELETE FROM infra.outbox WHERE type = 'next_step.done'"),
    ("done by itself", NEXT_STEPS, "UPDATE conversations.next_steps SET state = 'done', ended_at = due_at, ended_by = planned_by WHERE state = 'open'"),
    ("a next step of one version more", NEXT_STEPS, "UPDATE conversations.next_steps SET version = version + 1"),
    ("told before it was due", NEXT_STEPS, "UPDATE conversations.next_steps SET due_told_at = due_at WHERE due_told_at IS NULL"),
    ("a team of one version more", DESK, "UPDATE conversations.teams SET version = version + 1 WHERE code = 'general'"),
    ("a source made in silence", DESK, "DELETE FROM infra.outbox WHERE type = 'conversation_source.saved'"),
    ("closed by nobody", TALK_RECORDS, "DELETE FROM infra.audit_records WHERE action = 'conversation.closed'"),
    ("a word that was not forgotten", TALK_FORGOTTEN, "UPDATE conversations.entries e SET text = 'x' FROM conversations.conversations c"
     " WHERE c.id = e.conversation_id AND c.forgotten_at IS NOT NULL"),
    ("a handle that was not forgotten", TALK_FORGOTTEN, "UPDATE conversations.conversations SET handle = 'x' WHERE forgotten_at IS NOT NULL"),
    ("a conversation that is gone", NO_AGGREGATE, "DELETE FROM conversations.conversations WHERE state = 'closed'"),
    ("a next step that is gone", NO_AGGREGATE, "DELETE FROM conversations.next_steps"),
    ("a source that is gone", NO_AGGREGATE, "DELETE FROM conversations.sources"),
]  # fmt: skip
EDGE = [
    ("a key outlives its client", CLIENT_KEYS, "UPDATE auth.clients SET revoked_at = now()"),
    ("a key of another kind", CLIENT_KEYS, "UPDATE auth.client_keys SET kind = 'server'"),
]

FAULTS = [
    *EDGE,
    *ACROSS_ROOMS,
    *GOODS,
    *ADJUSTMENTS,
    *WORK,
    *MONEY,
    *ORDERS,
    *RETURNS,
    *PEOPLE,
    *SUPPLY,
    *REST,
    *TRANSFERS,
    *COUNTS,
    *TALKS,
    *UNITS_OF_THEIR_OWN,
]


class Undone(Exception):
    """Carries what was found out of a transaction that is rolled back."""


async def spoil(tx: Tx, fault: str, noticed_by: Invariant) -> None:
    """Put a fault into the books, whatever the references between tables say, and check."""
    await tx.execute("SET LOCAL session_replication_role = replica")
    touched = await tx.execute(fault)
    findings = await audit.check(tx, [noticed_by])
    raise Undone(touched, len(findings[0].offending))


async def test_the_books_are_right_before(books: Database) -> None:
    findings = await books.snapshot(audit.check, list(INVARIANTS.values()))
    assert [(finding.name, finding.offending[:2]) for finding in findings if finding.offending] == []


@pytest.mark.parametrize(("fault", "name", "statement"), FAULTS, ids=[fault[0] for fault in FAULTS])
async def test_a_fault_is_noticed(books: Database, fault: str, name: str, statement: str) -> None:
    with pytest.raises(Undone) as undone:
        await books.write(spoil, statement, INVARIANTS[name])
    touched, offending = undone.value.args
    assert touched > 0, "the story has nothing to spoil"
    assert offending > 0, f"{fault}: not noticed by {name!r}"


def test_every_invariant_has_a_fault() -> None:
    import importlib

    wanted = {
        invariant.name for room in ROOMS for invariant in importlib.import_module(f"commerce.{room}.audit").INVARIANTS
    }
    assert wanted - {name for _, name, _ in FAULTS} == set()
    assert len({fault for fault, _, _ in FAULTS}) == len(FAULTS)
