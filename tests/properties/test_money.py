"""Money never loses a minor unit, whatever the numbers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce.kernel.money import MAX_MINOR, allocate, line_amount, paid_for, rounded_ratio, share_of, tax_in

amounts = st.integers(-MAX_MINOR, MAX_MINOR)
weights = st.lists(st.integers(0, 10**12), min_size=1, max_size=40)


@given(amounts, weights)
def test_allocated_parts_add_up_and_stay_close_to_their_share(amount: int, parts_of: list[int]) -> None:
    parts = allocate(amount, parts_of)
    assert sum(parts) == amount
    total = sum(parts_of)
    shares = [Fraction(amount * weight, total) if total else Fraction(amount, len(parts_of)) for weight in parts_of]
    assert all(abs(part - share) < 1 for part, share in zip(parts, shares, strict=True))
    if total:
        assert all(part == 0 for part, weight in zip(parts, parts_of, strict=True) if weight == 0)


@given(amounts, weights)
def test_a_heavier_part_never_gets_less_and_signs_mirror(amount: int, parts_of: list[int]) -> None:
    parts = allocate(abs(amount), parts_of)
    assert allocate(-abs(amount), parts_of) == [-part for part in parts]
    ordered = [part for _, part in sorted(zip(parts_of, parts, strict=True))]
    assert ordered == sorted(ordered)


def test_ties_go_to_the_earlier_part() -> None:
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(5, [0, 0]) == [3, 2]
    assert allocate(-1, [1, 1]) == [-1, 0]
    for wrong in ([], [1, -1]):
        with pytest.raises(ValueError, match="allocate needs"):
            allocate(1, wrong)


@given(st.integers(0, MAX_MINOR), st.integers(1, 10**6), st.lists(st.integers(1, 1000), max_size=20))
def test_any_sequence_of_partial_returns_adds_up(line_total: int, quantity: int, steps: list[int]) -> None:
    returned = refunded = 0
    for step in [*steps, quantity]:
        step = min(step, quantity - returned)  # noqa: PLW2901
        refund = paid_for(line_total, quantity, returned + step) - paid_for(line_total, quantity, returned)
        assert refund >= 0
        assert abs(refund - Fraction(line_total * step, quantity)) <= 1
        returned, refunded = returned + step, refunded + refund
    assert (returned, refunded) == (quantity, line_total)


@given(
    st.one_of(st.integers(0, 300), st.integers(0, MAX_MINOR)), st.integers(1, 10**6), st.integers(0, 10_000),
    st.lists(st.integers(1, 10**5), max_size=20),
)  # fmt: skip
def test_shares_of_a_line_add_up_and_hold_no_more_tax_than_money(
    line_total: int, quantity: int, rate: int, steps: list[int]
) -> None:
    gone = gross = tax = 0
    for step in [*steps, quantity]:
        units = min(step, quantity - gone)
        share = share_of(line_total, quantity, rate, before=gone, units=units)
        assert 0 <= share.tax <= share.gross
        assert abs(share.gross - Fraction(line_total * units, quantity)) <= 1
        gone, gross, tax = gone + units, gross + share.gross, tax + share.tax
    assert (gone, gross, tax) == (quantity, line_total, tax_in(line_total, rate))


def test_a_gram_of_something_cheap_costs_nothing_and_holds_no_tax() -> None:
    shares = [share_of(6, 100, 2200, before=before, units=units) for before, units in ((0, 49), (49, 1), (50, 50))]
    assert [(share.gross, share.tax) for share in shares] == [(3, 1), (0, 0), (3, 0)]
    with pytest.raises(ValueError, match="units must lie"):
        share_of(6, 100, 2200, before=60, units=41)


@given(amounts, st.integers(-(10**6), 10**6).filter(bool))
def test_rounded_to_the_nearest_halves_away_from_zero(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    rounded = rounded_ratio(numerator, denominator)
    assert abs(rounded - exact) <= Fraction(1, 2)
    if abs(rounded - exact) == Fraction(1, 2):
        assert abs(rounded) > abs(exact)
    assert rounded_ratio(-numerator, denominator) == rounded_ratio(numerator, -denominator) == -rounded


@given(st.integers(0, 10**9), st.integers(1, 10**6), st.integers(0, 6))
def test_a_line_is_rounded_once(price: int, quantity: int, scale: int) -> None:
    assert abs(line_amount(price, quantity, scale) - Fraction(price * quantity, 10**scale)) <= Fraction(1, 2)
    assert line_amount(price, quantity * 10**scale, scale) == price * quantity


@given(st.integers(0, MAX_MINOR), st.integers(0, 10_000))
def test_net_and_tax_make_the_gross(gross: int, rate: int) -> None:
    tax = tax_in(gross, rate)
    net = gross - tax
    assert 0 <= tax <= gross
    assert abs(tax - Fraction(net * rate, 10_000)) <= 1


def test_tax_of_known_amounts() -> None:
    assert tax_in(122_00, 2200) == 22_00
    assert tax_in(110_00, 1000) == 10_00
    assert tax_in(120_00, 2000) == 20_00
    assert tax_in(129_900, 2200) == 23_425
    assert tax_in(99, 0) == 0
