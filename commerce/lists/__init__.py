"""What a shopper keeps for later: his wish list, named lists, what he saved out of a cart.

Owns lists and their lines. Promises: a shopper, anonymous or known, has one wish list and one list of what he saved for later, and at
most fifty lists of at most 500 lines; two devices that change one at once never lose a line; a line is in the cart or saved for later,
never in neither; a link that was revoked shows nothing. Prices and stock are read anew each time a list is shown.
"""

from commerce.lists.events import (
    ListChanged,
    ListClaimed,
    ListCreated,
    ListDeleted,
    ListMerged,
    ListRenamed,
    ListShared,
    ListUnshared,
)
from commerce.lists.moving import move_to_cart, save_for_later, shared_to_cart
from commerce.lists.schemas import ListView
from commerce.lists.service import create, delete, erase_person, export_person, merge, put_line, remove_line, share

__all__ = [
    "ListChanged",
    "ListClaimed",
    "ListCreated",
    "ListDeleted",
    "ListMerged",
    "ListRenamed",
    "ListShared",
    "ListUnshared",
    "ListView",
    "create",
    "delete",
    "erase_person",
    "export_person",
    "merge",
    "move_to_cart",
    "put_line",
    "remove_line",
    "save_for_later",
    "share",
    "shared_to_cart",
]
