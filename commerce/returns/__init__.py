"""What came back, where, in which condition, and what was owed for it.

Owns returns and their lines. A thing bought anywhere comes back to any store that accepts returns. Promises: never more comes
back than was handed over and has not come back yet; the refund is exactly what was paid for those units, taxed at the sale's
rate, and partial returns never lose a minor unit; the goods stand in the stock of the store that took them; a policy shuts out
a change of mind alone.
"""

from commerce.returns.errors import (
    LineNotInOrder,
    NotHandedOver,
    ReturnNotAccepted,
    SaleNotNamed,
    StoreTakesNoReturns,
    TooManyReturned,
    UnknownReturn,
)
from commerce.returns.events import ReturnAccepted
from commerce.returns.owners import follow, of_people, unsettled
from commerce.returns.queries import export_person
from commerce.returns.schemas import (
    AcceptReturn,
    PreviewReturn,
    RefundBy,
    ReturnLine,
    ReturnOfPerson,
    ReturnPreview,
    ReturnView,
)
from commerce.returns.service import accept, erase_person, preview

__all__ = [
    "AcceptReturn",
    "LineNotInOrder",
    "NotHandedOver",
    "PreviewReturn",
    "RefundBy",
    "ReturnAccepted",
    "ReturnLine",
    "ReturnNotAccepted",
    "ReturnOfPerson",
    "ReturnPreview",
    "ReturnView",
    "SaleNotNamed",
    "StoreTakesNoReturns",
    "TooManyReturned",
    "UnknownReturn",
    "accept",
    "erase_person",
    "export_person",
    "follow",
    "of_people",
    "preview",
    "unsettled",
]
