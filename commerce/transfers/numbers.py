"""Transfer numbers: `TR-482-130-596`, eight random digits and a Luhn check digit, read aloud in threes."""

from __future__ import annotations

import re
import secrets

from stdnum import luhn

DIGITS = 8


def new_number() -> str:
    """A fresh number; random, so that it can be given out anywhere."""
    body = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    return _shown(body + str(luhn.calc_check_digit(body)))


def read_number(text: str) -> str | None:
    """The number as it is kept, whatever its dashes, spaces and letter case; None when it cannot be one."""
    digits = re.sub(r"[\s-]", "", text).upper().removeprefix("TR")
    if not re.fullmatch(r"[0-9]{9}", digits) or not luhn.is_valid(digits):
        return None
    return _shown(digits)


def _shown(digits: str) -> str:
    return f"TR-{digits[:3]}-{digits[3:6]}-{digits[6:]}"
