"""Return numbers: `R-4821-3059-1768`, eleven random digits and a Luhn check digit, read aloud in fours."""

from __future__ import annotations

import re
import secrets

from stdnum import luhn

DIGITS = 11


def new_number() -> str:
    """A fresh number; random, so that nobody can count our returns or guess a neighbour's."""
    body = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    digits = body + str(luhn.calc_check_digit(body))
    return f"R-{digits[:4]}-{digits[4:8]}-{digits[8:]}"


def read_number(text: str) -> str | None:
    """The number as it is kept, whatever its dashes, spaces and letter case; None when it cannot be one."""
    digits = re.sub(r"[\s-]", "", text).upper().removeprefix("R")
    if not re.fullmatch(r"[0-9]{12}", digits) or not luhn.is_valid(digits):
        return None
    return f"R-{digits[:4]}-{digits[4:8]}-{digits[8:]}"
