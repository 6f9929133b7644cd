"""Stock: levels, the movement ledger, reservations, plans (DESIGN 6).

Owns how many units of a variant stand where, for whom they are set aside, what is announced to arrive, and every movement that
made it so.

Promises: a level always equals the sum of its movements and never goes below zero; what is set aside equals the open
reservations; nothing is promised twice; a cause is posted once, however often it is sent; physical facts always book.
Every verb is a fixed number of statements for any number of lines: one for receive, take_back, promise, reserve and sell
(three when something is short), two for commit, release, promise_again and hand_over (up to five when something is gone).
"""

from __future__ import annotations

from commerce.stock.closings import levels_as_of
from commerce.stock.errors import (
    BelowZero,
    BundleHasNoStock,
    InsufficientStock,
    LevelTooHigh,
    LocationCannotReceive,
    NotExpected,
    NotPast,
    ReservationShort,
    UnknownLine,
    UnknownSkus,
    WrongDirection,
)
from commerce.stock.events import (
    AdjustmentDecided,
    AdjustmentRequested,
    BrokenLine,
    CountNeeded,
    MissingLine,
    PromiseArrived,
    PromiseBroken,
)
from commerce.stock.expected import change_expected, expect, expected_of, inbound
from commerce.stock.facts import adjust, convert, count, move, receive, return_to_vendor, sell, take_back
from commerce.stock.queries import (
    average_costs,
    history,
    levels,
    losses,
    lost,
    reservations_of,
    shelf_at,
    totals,
    units_sold,
    whereabouts,
)
from commerce.stock.schemas import (
    Arrival,
    Cause,
    Counted,
    Demand,
    Expect,
    Expected,
    ExpectedChange,
    Freight,
    HandedOver,
    HistoryEntry,
    Level,
    Loss,
    Owner,
    Part,
    Portion,
    ReceiptLine,
    Regrade,
    Reservation,
    SaleLine,
    Short,
    TakeBackLine,
)
from commerce.stock.service import commit, hand_over, promise, promise_again, release, reserve, sweep
from commerce.stock.shelf import refuse_bundles
from commerce.stock.travel import arrive, dispatch

__all__ = [
    "AdjustmentDecided",
    "AdjustmentRequested",
    "Arrival",
    "BelowZero",
    "BrokenLine",
    "BundleHasNoStock",
    "Cause",
    "CountNeeded",
    "Counted",
    "Demand",
    "Expect",
    "Expected",
    "ExpectedChange",
    "Freight",
    "HandedOver",
    "HistoryEntry",
    "InsufficientStock",
    "Level",
    "LevelTooHigh",
    "LocationCannotReceive",
    "Loss",
    "MissingLine",
    "NotExpected",
    "NotPast",
    "Owner",
    "Part",
    "Portion",
    "PromiseArrived",
    "PromiseBroken",
    "ReceiptLine",
    "Regrade",
    "Reservation",
    "ReservationShort",
    "SaleLine",
    "Short",
    "TakeBackLine",
    "UnknownLine",
    "UnknownSkus",
    "WrongDirection",
    "adjust",
    "arrive",
    "average_costs",
    "change_expected",
    "commit",
    "convert",
    "count",
    "dispatch",
    "expect",
    "expected_of",
    "hand_over",
    "history",
    "inbound",
    "levels",
    "levels_as_of",
    "losses",
    "lost",
    "move",
    "promise",
    "promise_again",
    "receive",
    "refuse_bundles",
    "release",
    "reservations_of",
    "reserve",
    "return_to_vendor",
    "sell",
    "shelf_at",
    "sweep",
    "take_back",
    "totals",
    "whereabouts",
    "units_sold",
]
