"""One open cart per shopper, the same in every channel.

Owns carts and their lines. Promises: a shopper never has two open carts; two devices that change one at once never lose a
line; every change has its own version and its event; no price is kept but the one the shopper saw. Prices and stock are read
anew each time the cart is shown: nothing is set aside for a cart.
"""

from commerce.carts.errors import CartClosed, UnknownCart
from commerce.carts.events import CartChanged, CartExpired, CartMerged, CartOrdered
from commerce.carts.owners import forget_anonymous, of_people
from commerce.carts.schemas import CartLine, CartOfPerson, CartView, OpenCart, PutLine, PutLines, PutSku
from commerce.carts.service import Announce, close, erase_person, export_person, lock_open, put_many

__all__ = [
    "Announce",
    "CartChanged",
    "CartClosed",
    "CartExpired",
    "CartLine",
    "CartMerged",
    "CartOfPerson",
    "CartOrdered",
    "CartView",
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
]
