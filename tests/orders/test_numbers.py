"""Order numbers that a person can read aloud."""

from __future__ import annotations

import pytest

from commerce.orders.errors import UnknownOrder
from commerce.orders.numbers import new_number, order_of_fulfillment, read_number


def test_a_new_number_reads_back() -> None:
    numbers = {new_number() for _ in range(200)}
    assert len(numbers) == 200
    for number in numbers:
        assert read_number(number) == number
        assert [len(part) for part in number.split("-")] == [4, 4, 4]


@pytest.mark.parametrize(
    "typed", ["482130591761", "4821-3059-1761", " 4821 3059 1761 ", "4821–3059—1761", "48-2130-591761"]
)
def test_any_dashes_and_spaces(typed: str) -> None:
    assert read_number(typed) == "4821-3059-1761"


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("4821-3059-1766", "mistyped_digit"),
        ("4812-3059-1761", "mistyped_digit"),
        ("4821-3059-176", "not_twelve_digits"),
        ("4821-3059-1761-1", "not_twelve_digits"),
        ("order", "not_twelve_digits"),
        ("٤٨٢١٣٠٥٩١٧٦١", "not_twelve_digits"),
    ],
)
def test_a_mistake_is_a_404_with_a_hint(typed: str, hint: str) -> None:
    with pytest.raises(UnknownOrder) as refused:
        read_number(typed)
    assert refused.value.members == {"number": typed, "hint": hint}


def test_the_order_in_a_fulfillments_number() -> None:
    assert order_of_fulfillment("482130591761-1") == ("4821-3059-1761", "4821-3059-1761-1")
