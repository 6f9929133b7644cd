"""One open cart per shopper, the same in every channel; the baskets of tills and kiosks; carts that go from screen to screen.

Owns carts and their lines, the checkout so far, codes that hand a cart on, and who has joined one. Promises: an owner never has two
carts at hand; two devices that change one at once never lose a line; every change has its own version and its event; no price is
kept but the one the shopper saw; a closed cart keeps nothing of a person but his opaque id. Prices and stock are read anew each time
the cart is shown: nothing is set aside for a cart.
"""

from commerce.carts.adding import TakenLine, add, take_line
from commerce.carts.baskets import SoldBasket, close_sold
from commerce.carts.errors import CartClosed, NoCartHere, NotAnonymous, NotInCart, NotYourCart, StaleCart, UnknownCart
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
from commerce.carts.owners import forget_anonymous, of_people
from commerce.carts.pricing import Band, Goods, Offer, goods_of, offer_of, wish_of
from commerce.carts.queries import read
from commerce.carts.schemas import (
    Added,
    AddedLine,
    CartLine,
    CartName,
    CartOfPerson,
    CartView,
    Checkout,
    Chosen,
    Gift,
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
    "CartAbandoned",
    "CartChanged",
    "CartCheckoutChanged",
    "CartClosed",
    "CartExpired",
    "CartJoined",
    "CartLeft",
    "CartLine",
    "CartMerged",
    "CartName",
    "CartNamed",
    "CartOfPerson",
    "CartOpened",
    "CartOrdered",
    "CartParked",
    "CartResumed",
    "CartView",
    "Checkout",
    "Chosen",
    "Gift",
    "Goods",
    "NoCartHere",
    "NotAnonymous",
    "NotInCart",
    "NotYourCart",
    "Offer",
    "OpenCart",
    "PutLine",
    "PutLines",
    "PutSku",
    "SoldBasket",
    "StaleCart",
    "TakenLine",
    "UnknownCart",
    "add",
    "close",
    "close_sold",
    "erase_person",
    "export_person",
    "forget_anonymous",
    "goods_of",
    "lock_open",
    "of_people",
    "offer_of",
    "put_many",
    "read",
    "take_line",
    "wish_of",
]
