"""Supply: what suppliers have announced, and what came of it (DESIGN 6).

Owns the announcements and their receiving: in parts, over, short or damaged, each with its reason. Promises: what is announced is a
plan that reservations may stand on (`stock.expected`), never a movement; what has arrived is one posting per receipt. An announced
line and its plan row have one id, and always the same counts; a discrepancy without a reason is refused, by the names of its lines.
"""

from __future__ import annotations

from commerce.supply.errors import (
    BadSupply,
    MoreThanAnnounced,
    NotAnnounced,
    ReasonNeeded,
    ReferenceTaken,
    SupplyOver,
    UnknownExpectedReceipt,
    UnknownSupplier,
)
from commerce.supply.schemas import (
    Announce,
    AnnouncedGoods,
    ArrivedGoods,
    CancelSupply,
    ChangeSupply,
    CloseSupply,
    ExpectedReceiptView,
    NewQuantity,
    ReceiveSupply,
    SaveSupplier,
    ShortReason,
    SupplierView,
    SupplyReceiptView,
)
from commerce.supply.service import announce, cancel, change, close, mark_overdue, receive, save_supplier

__all__ = [
    "Announce",
    "AnnouncedGoods",
    "ArrivedGoods",
    "BadSupply",
    "CancelSupply",
    "ChangeSupply",
    "CloseSupply",
    "ExpectedReceiptView",
    "MoreThanAnnounced",
    "NewQuantity",
    "NotAnnounced",
    "ReasonNeeded",
    "ReceiveSupply",
    "ReferenceTaken",
    "SaveSupplier",
    "ShortReason",
    "SupplierView",
    "SupplyOver",
    "SupplyReceiptView",
    "UnknownExpectedReceipt",
    "UnknownSupplier",
    "announce",
    "cancel",
    "change",
    "close",
    "mark_overdue",
    "receive",
    "save_supplier",
]
