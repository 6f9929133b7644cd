"""Numbers of expected receipts: `S-4821-3059-1768`, eleven random digits and a Luhn check digit, read aloud in fours."""

from __future__ import annotations

import re
import secrets

from stdnum import luhn

from commerce.supply.errors import UnknownExpectedReceipt

DIGITS = 11


def new_number() -> str:
    """A fresh number; the database refuses one that is taken, and another is drawn."""
    body = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    digits = body + str(luhn.calc_check_digit(body))
    return f"S-{digits[:4]}-{digits[4:8]}-{digits[8:]}"


def read_number(text: str) -> str:
    """The number as it is kept, whatever its dashes, spaces and letter case. Raises UnknownExpectedReceipt when it cannot be one."""
    digits = re.sub(r"[\s-]", "", text).upper().removeprefix("S")
    if not re.fullmatch(r"[0-9]{12}", digits) or not luhn.is_valid(digits):
        raise UnknownExpectedReceipt(number=text)
    return f"S-{digits[:4]}-{digits[4:8]}-{digits[8:]}"
