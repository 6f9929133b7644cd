"""What came back, where, in which condition, and what was owed for it.

Owns returns and their lines. A thing bought anywhere comes back to any store that accepts returns, also without its order or receipt
(`blind`): then at most the lowest list price of the last days is given back, by or with somebody who may. Promises: never more comes
back than was handed over and has not come back yet; the refund is exactly what was paid for those units, taxed at the sale's
rate, and partial returns never lose a minor unit; the goods stand in the stock of the store that took them; a policy shuts out
a change of mind alone.
"""

from commerce.returns.blind import accept as accept_blind
from commerce.returns.blind import preview as preview_blind
from commerce.returns.errors import (
    BlindReturnTooDear,
    GoodsNotTaken,
    LineNotInOrder,
    NotHandedOver,
    RefundAboveLowest,
    ReturnApprovalNeeded,
    ReturnNotAccepted,
    SaleKnown,
    SaleNotNamed,
    StoreTakesNoReturns,
    TooManyReturned,
    UnknownReturn,
)
from commerce.returns.events import ReturnAccepted, ReturnReassigned
from commerce.returns.owners import follow, named, numbers_of, of_people, reassign, unsettled
from commerce.returns.queries import export_person
from commerce.returns.schemas import (
    AcceptBlindReturn,
    AcceptReturn,
    BlindLine,
    BlindReturnPreview,
    PreviewBlindReturn,
    PreviewReturn,
    RefundBy,
    ReturnLine,
    ReturnNumber,
    ReturnOfPerson,
    ReturnPreview,
    ReturnView,
)
from commerce.returns.service import accept, erase_person, preview

__all__ = [
    "AcceptBlindReturn",
    "AcceptReturn",
    "BlindLine",
    "BlindReturnPreview",
    "BlindReturnTooDear",
    "GoodsNotTaken",
    "LineNotInOrder",
    "NotHandedOver",
    "PreviewBlindReturn",
    "PreviewReturn",
    "RefundAboveLowest",
    "RefundBy",
    "ReturnAccepted",
    "ReturnApprovalNeeded",
    "ReturnLine",
    "ReturnNotAccepted",
    "ReturnNumber",
    "ReturnOfPerson",
    "ReturnPreview",
    "ReturnReassigned",
    "ReturnView",
    "SaleKnown",
    "SaleNotNamed",
    "StoreTakesNoReturns",
    "TooManyReturned",
    "UnknownReturn",
    "accept",
    "accept_blind",
    "erase_person",
    "export_person",
    "follow",
    "named",
    "numbers_of",
    "of_people",
    "preview",
    "preview_blind",
    "reassign",
    "unsettled",
]
