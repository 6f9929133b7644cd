"""Numbers of conversations: `Q-4821-3059-1768`, eleven random digits and a Luhn check digit, read aloud in fours."""

from __future__ import annotations

import re
import secrets

from stdnum import luhn

DIGITS = 11


def new_number() -> str:
    """A fresh number; random, so that nobody can count our conversations or guess a neighbour's."""
    body = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    return _written(body + str(luhn.calc_check_digit(body)))


def read_number(text: str) -> str | None:
    """The number as it is kept, whatever its dashes, spaces and letter case; None when it cannot be one."""
    digits = re.sub(r"[\s-]", "", text).upper().removeprefix("Q")
    return _written(digits) if re.fullmatch(r"[0-9]{12}", digits) and luhn.is_valid(digits) else None


def _written(digits: str) -> str:
    return f"Q-{digits[:4]}-{digits[4:8]}-{digits[8:]}"
