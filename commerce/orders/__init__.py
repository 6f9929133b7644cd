"""The promise to the customer: orders from every channel and till, their lines, adjustments, totals and timeline.

Owns orders; a step that also moves money or the promise (place, collect, cancel, book a sale) is a verb here that calls
fulfillment, payments and stock in one transaction. Promises: a line's unit price is the list price at its moment, changed only
by named adjustments; net + tax = gross on every line; handed over + cancelled + outstanding = ordered; every version of an
order has one timeline entry and its events; units are paid when they are handed over, never before.
"""

from commerce.orders.counter import cancel_at_store, collect
from commerce.orders.errors import UnknownOrder
from commerce.orders.events import (
    OrderCancelled,
    OrderCompleted,
    OrderHandedOver,
    OrderPlaced,
    OrderReturned,
    SaleBooked,
)
from commerce.orders.flow import book_sale
from commerce.orders.numbers import read_number
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
    OrderHeadline,
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
    "OrderCancelled",
    "OrderCompleted",
    "OrderForReturn",
    "OrderHandedOver",
    "OrderHeadline",
    "OrderPlaced",
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
    "headline",
    "place",
    "read_number",
    "record_return",
    "renew_code",
]
