"""Why the books are corrected by hand: the reason codes and what each may do, as data."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from commerce.stock.errors import WrongDirection
from commerce.stock.schemas import AdjustmentReason, Place, ShelfBucket, WriteOffReason


class Rule(msgspec.Struct, frozen=True):
    """Where the goods go that an adjustment for this reason takes away (null: it takes none), and whether it may bring goods in."""

    loses_to: Literal["damaged", "loss"] | None
    gains: bool = False


RULES: dict[AdjustmentReason, Rule] = {
    "damage": Rule("damaged"),
    "theft": Rule("loss"),
    "lost": Rule("loss"),
    "expired": Rule("loss"),
    "sample": Rule("loss"),
    "internal_use": Rule("loss"),
    "write_off": Rule("loss"),
    "found": Rule(None, gains=True),
    "count": Rule("loss", gains=True),
    "correction": Rule("loss", gains=True),
}
LOSES: dict[AdjustmentReason, Place] = {
    reason: rule.loses_to for reason, rule in RULES.items() if rule.loses_to is not None
}
"""Where goods go that an adjustment takes away."""
GAINS: frozenset[AdjustmentReason] = frozenset(reason for reason, rule in RULES.items() if rule.gains)
"""Reasons that can bring goods into the books."""
WRITES_OFF: tuple[WriteOffReason, ...] = get_args(WriteOffReason)
"""Reasons for which goods are given up for good, by a manager."""


def check(reason: AdjustmentReason, delta: int, bucket: ShelfBucket) -> None:
    """Whether an adjustment for this reason may go in this direction, out of or into this bucket. Raises WrongDirection."""
    if delta == 0:
        raise WrongDirection(reason=reason, rule="moves at least one unit")
    if delta > 0 and reason not in GAINS:
        raise WrongDirection(reason=reason, rule="takes goods away: give a negative delta")
    if delta < 0 and reason not in LOSES:
        raise WrongDirection(reason=reason, rule="brings goods in: give a positive delta")
    if delta < 0 and LOSES[reason] == bucket:
        raise WrongDirection(reason=reason, rule="cannot take from the bucket it fills")
