"""Order numbers that a person can read aloud: 11 random digits and a check digit, `4821-3059-1768`."""

from __future__ import annotations

import re
import secrets

from stdnum import luhn

from commerce.orders.errors import UnknownOrder

DIGITS = re.compile(r"[0-9]{12}")


def new_number() -> str:
    """A fresh order number; the database refuses one that is taken. Check digit by Luhn, ISO/IEC 7812-1 annex B."""
    digits = f"{secrets.randbelow(10**11):011d}"
    return grouped(digits + str(luhn.calc_check_digit(digits)))


def grouped(digits: str) -> str:
    """Twelve digits as they are written: 4-4-4 with dashes."""
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:]}"


def read_number(text: str) -> str:
    """The order number in what a person typed, with any dashes and spaces.

    Raises UnknownOrder with a hint when it has other than 12 digits or the check digit does not fit.
    """
    digits = re.sub(r"[\s‐-―-]", "", text)
    if not DIGITS.fullmatch(digits):
        raise UnknownOrder(number=text, hint="not_twelve_digits")
    if not luhn.is_valid(digits):
        raise UnknownOrder(number=text, hint="mistyped_digit")
    return grouped(digits)


def order_of_fulfillment(text: str) -> tuple[str, str]:
    """Order number and fulfillment number in `4821-3059-1768-1`. Raises UnknownOrder."""
    order_text, _, n = text.rpartition("-")
    number = read_number(order_text)
    return number, f"{number}-{n}"
