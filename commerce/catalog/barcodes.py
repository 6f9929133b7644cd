"""What a scanner reads: GTINs with their check digit, GS1 element strings, Digital Links, internal codes. Pure.

GS1 General Specifications: a GTIN-8, -12, -13 and -14 are the same number padded with zeros to 14 digits, so all of them
are kept and looked up as 14 digits; element strings carry it in AI 01, logistic contents in 02 with 37; a Digital Link
carries it as `…/01/<gtin>` in the path of any address (GS1 Digital Link 1.2).
"""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from stdnum import ean, gs1_128
from stdnum.exceptions import ValidationError

from commerce.catalog.schemas import BarcodeKind

LENGTHS: dict[int, BarcodeKind] = {8: "gtin8", 12: "gtin12", 13: "gtin13", 14: "gtin14"}
SYMBOLOGY = re.compile(r"^\][A-Za-z][0-9A-Za-z]")
LINK_KEYS = ("01", "gtin")
MEASURES = {"310": "KGM", "311": "MTR", "314": "MTK", "315": "LTR", "316": "MTQ"}
"""Net measures of GS1 element strings and their unit (UN/ECE Recommendation 20)."""
SEPARATOR = "\x1d"
MARKED = re.compile(r"^01([0-9]{14})21([!-~]{1,20})(?:\x1d.*)?$", re.DOTALL)
"""A unit's own code: GTIN, serial number of up to 20 characters, then whatever else the label carries."""
UNSEPARATED = re.compile(r"^01([0-9]{14})21([!-~]{1,20}?)91[!-~]{4}92[!-~]{44,88}$")
"""The same with its verification key and signature, read by a scanner that leaves the group separators out."""


class Scan(Struct, frozen=True, kw_only=True):
    """How scanned data are to be looked up: as a GTIN of 14 digits, and as they stand."""

    gtin: str | None
    """14 digits with a right check digit."""
    text: str
    bad_check_digit: bool = False
    count: int | None = None
    """Items named by the code itself (AI 30 or 37)."""
    measures: dict[str, Decimal] = {}
    """Unit -> net measure named by the code itself."""


def gtin14(code: str) -> str | None:
    """The 14 digits of a GTIN-8, -12, -13 or -14 with a right check digit; None for anything else."""
    if len(code) in LENGTHS and code.isascii() and code.isdigit() and ean.is_valid(code):
        return code.zfill(14)
    return None


def kind_of(code: str) -> BarcodeKind:
    """`gtin8` … `gtin14` when the digits say so, else `internal`."""
    return LENGTHS[len(code)] if gtin14(code) is not None else "internal"


def stored(code: str, kind: str) -> str:
    """The code as it is kept: GTINs as 14 digits."""
    return code if kind == "internal" else code.zfill(14)


def shown(code: str, kind: str) -> str:
    """The code as it is printed on the goods, from its kept form."""
    return code if kind == "internal" else code[14 - int(kind.removeprefix("gtin")) :]


def parse(data: str) -> Scan:
    """Understand what a scanner or a camera read."""
    text = SYMBOLOGY.sub("", data.strip(" \r\n\t")).strip("\x1d")
    if "://" in text:
        return _link(text)
    found = gtin14(text)
    if found is not None:
        return Scan(gtin=found, text=text)
    elements = _elements(text)
    if elements is not None:
        return elements
    looks_like_gtin = len(text) in LENGTHS and text.isascii() and text.isdigit()
    return Scan(gtin=None, text=text, bad_check_digit=looks_like_gtin)


def unit_code(data: str) -> str:
    """The code of one unit, the same however its label was read: `01<gtin>21<serial>` when it names both, else as it stands."""
    return unit_on_label(data) or SYMBOLOGY.sub("", data.strip(" \r\n\t")).replace(SEPARATOR, "") or data


def unit_on_label(data: str) -> str | None:
    """`01<gtin>21<serial>` of a label that names a GTIN and a serial number; None for any other.

    GS1 element strings (with or without what follows the serial number, e.g. the signature of marked goods; also as printed below the
    symbol, with brackets) and Digital Links `…/01/<gtin>/21/<serial>` are understood.
    """
    text = SYMBOLOGY.sub("", data.strip(" \r\n\t")).strip(SEPARATOR)
    found = _linked(text) if "://" in text else _printed(text) or _marked(text)
    return f"01{found[0]}21{found[1]}" if found else None


def _marked(text: str) -> tuple[str, str] | None:
    match = MARKED.match(text) or UNSEPARATED.match(text)
    return (match[1], match[2]) if match and gtin14(match[1]) else None


def _printed(text: str) -> tuple[str, str] | None:
    fields = dict(re.findall(r"\(([0-9]{2,4})\)([^(]*)", text)) if text.startswith("(") else {}
    gtin, serial = fields.get("01", ""), fields.get("21", "")
    return (gtin, serial) if len(gtin) == 14 and gtin14(gtin) and serial else None


def _linked(text: str) -> tuple[str, str] | None:
    try:
        parts = [unquote(part) for part in urlsplit(text).path.split("/")]
    except ValueError:
        return None
    named = dict(pairwise(parts))
    gtin = gtin14(named.get("01", "")) or gtin14(named.get("gtin", ""))
    serial = named.get("21") or named.get("ser")
    return (gtin, serial) if gtin and serial else None


def _link(text: str) -> Scan:
    try:
        path = urlsplit(text).path
    except ValueError:
        return Scan(gtin=None, text=text)
    parts = [unquote(part) for part in path.split("/")]
    for key, value in pairwise(parts):
        if key in LINK_KEYS and value.isdigit() and len(value) in LENGTHS:
            found = gtin14(value)
            return Scan(gtin=found, text=text, bad_check_digit=found is None)
    return Scan(gtin=None, text=text)


def _elements(text: str) -> Scan | None:
    bare = text.replace("(", "").replace(")", "")
    if not re.match(r"^[0-9]{16}", bare):
        return None
    try:
        fields: dict[str, Any] = gs1_128.info(text, separator="\x1d")
    except (ValidationError, ValueError, ArithmeticError, AttributeError, IndexError, TypeError):
        starts_with_gtin = bare[:2] in ("01", "02") and gtin14(bare[2:16]) is None
        return Scan(gtin=None, text=text, bad_check_digit=True) if starts_with_gtin else None
    gtin = fields.get("01") or fields.get("02")
    if not isinstance(gtin, str):
        return None
    count = fields.get("37") if "02" in fields else fields.get("30")
    measures = {
        MEASURES[ai[:3]]: value for ai, value in fields.items() if ai[:3] in MEASURES and isinstance(value, Decimal)
    }
    return Scan(gtin=gtin14(gtin), text=text, count=count if isinstance(count, int) else None, measures=measures)
