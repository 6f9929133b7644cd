"""One person across all rooms: found by anything that is known of him, told as one timeline, exported, erased.

Owns what led to each order, and how long things are kept. Promises: whoever asks by any profile of a person gets all of him;
the export holds what every room keeps about him, and after an erasure no room keeps anything that tells who he was, while the
books stay; nothing is forgotten but by a rule that can be read and changed.
"""

from commerce.people.errors import FreshSignInRequired, OpenOrders, UnknownRetention
from commerce.people.queries import export_person
from commerce.people.service import erase, erase_person

__all__ = [
    "FreshSignInRequired",
    "OpenOrders",
    "UnknownRetention",
    "erase",
    "erase_person",
    "export_person",
]
