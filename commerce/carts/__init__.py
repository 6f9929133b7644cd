"""One open cart per shopper, the same in every channel; the baskets of tills and kiosks; carts that go from screen to screen.

Owns carts and their lines, the checkout so far, codes that hand a cart on, and who has joined one. Promises: an owner never has two
carts at hand; two devices that change one at once never lose a line; every change has its own version and its event; no price is
kept but the one the shopper saw; a closed cart keeps nothing of a person but his opaque id. Prices and stock are read anew each time
the cart is shown: nothing is set aside for a cart.
"""

from commerce.carts.errors import CartClosed, NoCartHere, NotYourCart, UnknownCart
from commerce.carts.events import (
    CartAbandoned,
    CartChanged,
    CartCheckoutChanged,
    CartExpired,
    CartJoined,
    CartLeft,
    CartMerged,
    CartNamed,
    CartOpened,
    CartOrdered,
    CartParked,
    CartResumed,
)
from commerce.carts.expiry import CartEntry, forget_anonymous, of_people
from commerce.carts.pricing import wish_of
from commerce.carts.schemas import CartLine, CartView, Checkout, Chosen, Gift, OpenCart, PutLine, PutLines, PutSku
from commerce.carts.service import Announce, close, erase_person, export_person, lock_open, put_many

__all__ = [
    "Announce",
    "CartAbandoned",
    "CartChanged",
    "CartCheckoutChanged",
    "CartClosed",
    "CartEntry",
    "CartExpired",
    "CartJoined",
    "CartLeft",
    "CartLine",
    "CartMerged",
    "CartNamed",
    "CartOpened",
    "CartOrdered",
    "CartParked",
    "CartResumed",
    "CartView",
    "Checkout",
    "Chosen",
    "Gift",
    "NoCartHere",
    "NotYourCart",
    "OpenCart",
    "PutLine",
    "PutLines",
    "PutSku",
    "UnknownCart",
    "close",
    "erase_person",
    "export_person",
    "forget_anonymous",
    "lock_open",
    "of_people",
    "put_many",
    "wish_of",
]
