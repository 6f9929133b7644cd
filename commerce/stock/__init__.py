"""Stock: levels, the movement ledger, reservations (DESIGN 6).

Owns how many units of a variant stand where, for whom they are set aside, and every movement that made it so.

Promises: a level always equals the sum of its movements and never goes below zero; what is set aside equals the open
reservations; nothing is promised twice; a cause is posted once, however often it is sent; physical facts always book.
Every verb is a fixed number of statements for any number of lines: one for receive, take_back, promise, reserve and sell
(three when something is short), two for commit, release, promise_again and hand_over (up to five when something is gone).
"""

from __future__ import annotations

from commerce.stock.errors import BelowZero, InsufficientStock, LevelTooHigh, ReservationShort, WrongDirection
from commerce.stock.events import BrokenLine, CountNeeded, MissingLine, PromiseBroken
from commerce.stock.queries import history, levels, lost, reservations_of, totals
from commerce.stock.schemas import (
    Cause,
    Demand,
    HandedOver,
    HistoryEntry,
    Level,
    Owner,
    ReceiptLine,
    Reservation,
    SaleLine,
    Short,
    TakeBackLine,
)
from commerce.stock.service import (
    adjust,
    commit,
    hand_over,
    promise,
    promise_again,
    receive,
    release,
    reserve,
    sell,
    sweep,
    take_back,
)

__all__ = [
    "BelowZero",
    "BrokenLine",
    "Cause",
    "CountNeeded",
    "Demand",
    "HandedOver",
    "HistoryEntry",
    "InsufficientStock",
    "Level",
    "LevelTooHigh",
    "MissingLine",
    "Owner",
    "PromiseBroken",
    "ReceiptLine",
    "Reservation",
    "ReservationShort",
    "SaleLine",
    "Short",
    "TakeBackLine",
    "WrongDirection",
    "adjust",
    "commit",
    "hand_over",
    "history",
    "levels",
    "lost",
    "promise",
    "promise_again",
    "receive",
    "release",
    "reservations_of",
    "reserve",
    "sell",
    "sweep",
    "take_back",
    "totals",
]
