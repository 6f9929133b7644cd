"""Money and quantity: integer minor units, integer steps, no floats anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", description="ISO 4217 code")]
MAX_MINOR = 10**15
Minor = Annotated[int, msgspec.Meta(ge=-MAX_MINOR, le=MAX_MINOR, description="Minor units of the currency")]


class Money(msgspec.Struct, frozen=True):
    """An amount in minor units of one currency: `{"amount": 129900, "currency": "RUB"}` is 1,299.00 roubles."""

    amount: Minor
    currency: Currency


def rounded_ratio(numerator: int, denominator: int) -> int:
    """`numerator / denominator` to the nearest integer, halves away from zero. Raises ZeroDivisionError."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return quotient if numerator >= 0 else -quotient


def line_amount(unit_price: int, quantity: int, scale: int = 0) -> int:
    """Price per whole unit times a count of steps of 10^-scale of it, rounded once (DESIGN 7)."""
    return rounded_ratio(unit_price * quantity, 10**scale) if scale else unit_price * quantity


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """Split an amount by weights with the largest-remainder method: the parts always add up to the amount.

    Weights are non-negative; all zero means equal parts. Ties go to the earlier part. Raises ValueError for
    no weights or a negative one.
    """
    if not weights or any(weight < 0 for weight in weights):
        raise ValueError("allocate needs at least one weight and none below zero")
    total = sum(weights)
    if total == 0:
        weights = [1] * len(weights)
        total = len(weights)
    sign = 1 if amount >= 0 else -1
    whole = abs(amount)
    parts = [whole * weight // total for weight in weights]
    remainders = sorted(range(len(weights)), key=lambda i: (-(whole * weights[i] % total), i))
    for i in remainders[: whole - sum(parts)]:
        parts[i] += 1
    return [sign * part for part in parts]


def paid_for(line_total: int, quantity: int, units: int) -> int:
    """What the first `units` of `quantity` cost when the line cost `line_total`: cumulative, so that the parts of any
    sequence of partial returns add up to the whole: refund of k more units = paid_for(returned + k) - paid_for(returned)."""
    if not 0 <= units <= quantity or quantity <= 0:
        raise ValueError("units must lie between 0 and the quantity")
    return rounded_ratio(line_total * units, quantity)


class Share(msgspec.Struct, frozen=True):
    """A part of a line: what it costs, and the tax contained in that; minor units."""

    gross: int
    tax: int


def share_of(line_total: int, quantity: int, rate_basis_points: int, *, before: int, units: int) -> Share:
    """The next `units` of a line's `quantity`, after `before` of them: hand-overs and returns in any number of parts.

    Both numbers are differences of cumulative ones, the tax of `tax_in` what the units so far cost: the parts add up to the line's
    total and its tax exactly, and the tax of a part lies between nothing and the part. Raises ValueError beyond the quantity.
    """
    paid, due = paid_for(line_total, quantity, before), paid_for(line_total, quantity, before + units)
    return Share(due - paid, tax_in(due, rate_basis_points) - tax_in(paid, rate_basis_points))


def tax_in(gross: int, rate_basis_points: int) -> int:
    """The tax contained in a tax-inclusive amount; a rate of 22 % is 2200 basis points."""
    return rounded_ratio(gross * rate_basis_points, 10_000 + rate_basis_points)
