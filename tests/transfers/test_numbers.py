"""Numbers that are read aloud."""

from __future__ import annotations

import re

from stdnum import luhn

from commerce.transfers.numbers import new_number, read_number


def test_a_number_survives_how_it_is_written() -> None:
    for _ in range(50):
        number = new_number()
        assert re.fullmatch(r"TR-\d{3}-\d{3}-\d{3}", number)
        assert luhn.is_valid(number[2:].replace("-", ""))
        for written in (number, number.lower(), number.replace("-", ""), number[3:], number.replace("-", " ")):
            assert read_number(written) == number


def test_what_is_no_number() -> None:
    for written in (
        "",
        "TR",
        "TR-123-456-789",
        "TR-123-456-78",
        "1234567890123",
        "TR-12a-456-789",
        "TR-482-130-59\u0666",
    ):
        assert read_number(written) is None
