"""The promise to the customer: orders from every channel and till, their lines, adjustments, totals and timeline.

Owns orders; a step that also moves money or the promise (place, collect, cancel, book a sale) is a verb here that calls
fulfillment, payments and stock in one transaction. Promises: a line's unit price is the list price at its moment, changed only
by named adjustments; net + tax = gross on every line; handed over + cancelled + outstanding = ordered; every version of an
order has one timeline entry and its events; units are paid when they are handed over, never before.
"""

from commerce.orders.counter import cancel_at_store, collect
from commerce.orders.errors import NoSuchCustomer, UnknownOrder
from commerce.orders.events import (
    OrderCancelled,
    OrderCompleted,
    OrderHandedOver,
    OrderPlaced,
    OrderReassigned,
    OrderReturned,
    SaleBooked,
)
from commerce.orders.flow import book_sale
from commerce.orders.numbers import read_number
from commerce.orders.owners import (
    head,
    heads,
    last_placed,
    numbers_of,
    numbers_of_lines,
    of_people,
    reassign,
    unsettled,
)
from commerce.orders.queries import headline
from commerce.orders.sales import book
from commerce.orders.schemas import (
    Amount,
    BookSale,
    CancelFulfillment,
    CancelOrder,
    Collect,
    Contact,
    HandOverView,
    LineForReturn,
    OrderForReturn,
    OrderHead,
    OrderHeadline,
    OrderOfPerson,
    OrderView,
    PickupChoice,
    PlaceOrder,
    SaleLineIn,
    SaleView,
    TenderIn,
    Units,
)
from commerce.orders.service import (
    Charged,
    cancel,
    erase_person,
    export_person,
    for_return,
    place,
    record_return,
    renew_code,
)

__all__ = [
    "Amount",
    "BookSale",
    "CancelFulfillment",
    "CancelOrder",
    "Charged",
    "Collect",
    "Contact",
    "HandOverView",
    "LineForReturn",
    "NoSuchCustomer",
    "OrderCancelled",
    "OrderCompleted",
    "OrderForReturn",
    "OrderHandedOver",
    "OrderHead",
    "OrderHeadline",
    "OrderOfPerson",
    "OrderPlaced",
    "OrderReassigned",
    "OrderReturned",
    "OrderView",
    "PickupChoice",
    "PlaceOrder",
    "SaleBooked",
    "SaleLineIn",
    "SaleView",
    "TenderIn",
    "Units",
    "UnknownOrder",
    "book",
    "book_sale",
    "cancel",
    "cancel_at_store",
    "collect",
    "erase_person",
    "export_person",
    "for_return",
    "head",
    "headline",
    "heads",
    "last_placed",
    "numbers_of",
    "numbers_of_lines",
    "of_people",
    "place",
    "read_number",
    "reassign",
    "record_return",
    "renew_code",
    "unsettled",
]
