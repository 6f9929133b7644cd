"""The backend of one retailer: one catalog, one price list, one stock, one cart, one order history, in every channel.

The map. A room imports only rooms below it, through the front door (`__init__`), with its own transaction:

    app : worker : cli                  composition roots; the only importers of routes and tasks
    people | storefront | events | books
                                        one person across all rooms: find, timeline, export, erasure, retention | what the shop window
                                        shows: read-only joins | the feed of facts for outside readers | the audit of the rooms' books
                                        against each other
    returns | conversations             what came back, where, in which condition, what is owed | what was said with customers, what is
                                        still to be answered
    orders | lists                      the promise to the customer; every step that also moves money | what is kept for later: wish lists
    carts | counts                      one open cart per shopper, in every channel | what is really on the shelves
    fulfillment | payments              work at one location and its promise | tenders, refunds, receipts
    supply | transfers                  what suppliers have announced | goods on their way between locations
    customers | stock                   one profile per person | levels, ledger, reservations, plans
    prices                              THE price list and the tax rates
    catalog | locations                 products and variants | warehouses and stores
    auth                                principals, credentials, sessions, devices, clients, guards
    infra                               the only code that touches the outside: db, outbox, http, log, audit, live
    kernel | settings                   pure values | what may differ between deployments

Every room has the same file names: tables, schemas, errors, events, service (verbs in a transaction), flow (verbs that span
transactions), queries (reads), routes, tasks, audit; and one extra noun where the domain has one.

Lock order, always: idempotency key, the limits of a contact's codes, person, list, cart, order, fulfillment, return, payment, wallet, then
stock levels by (location_id, variant_id); several of one kind by ascending id. Only `infra/db.py` commits.
"""

ROOMS = (
    "infra",
    "auth",
    "locations",
    "catalog",
    "prices",
    "customers",
    "stock",
    "supply",
    "transfers",
    "payments",
    "fulfillment",
    "carts",
    "counts",
    "lists",
    "orders",
    "conversations",
    "returns",
    "people",
    "storefront",
    "events",
    "books",
)
"""Every room, from the ground up. The composition roots and the migrations read this list."""
