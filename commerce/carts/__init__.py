"""One open cart per shopper, the same in every channel.

Owns carts and their lines. Promises: a shopper never has two open carts; two devices that change one at once never lose a
line; every change has its own version and its event; no price is kept but the one the shopper saw. Prices and stock are read
anew each time the cart is shown: nothing is set aside for a cart.
"""

from commerce.carts.adding import TakenOut, add, take_out
from commerce.carts.errors import CartClosed, NotAnonymous, NotInCart, StaleCart, UnknownCart
from commerce.carts.events import CartChanged, CartExpired, CartMerged, CartOrdered
from commerce.carts.owners import forget_anonymous, of_people
from commerce.carts.pricing import Band, Goods, Offer, goods_of, offer_of
from commerce.carts.schemas import (
    Added,
    AddedLine,
    CartLine,
    CartName,
    CartOfPerson,
    CartView,
    OpenCart,
    PutLine,
    PutLines,
    PutSku,
)
from commerce.carts.service import Announce, close, erase_person, export_person, lock_open, put_many

__all__ = [
    "Added",
    "AddedLine",
    "Announce",
    "Band",
    "CartChanged",
    "CartClosed",
    "CartExpired",
    "CartLine",
    "CartMerged",
    "CartName",
    "CartOfPerson",
    "CartOrdered",
    "CartView",
    "Goods",
    "NotAnonymous",
    "NotInCart",
    "Offer",
    "OpenCart",
    "PutLine",
    "PutLines",
    "PutSku",
    "StaleCart",
    "TakenOut",
    "UnknownCart",
    "add",
    "close",
    "erase_person",
    "export_person",
    "forget_anonymous",
    "goods_of",
    "lock_open",
    "of_people",
    "offer_of",
    "put_many",
    "take_out",
]
