"""What scanners read."""

from __future__ import annotations

from decimal import Decimal

import pytest

from commerce.catalog import barcodes
from commerce.catalog.barcodes import Scan

GTIN13 = "4006381333931"
GTIN14 = "04006381333931"


@pytest.mark.parametrize(
    ("code", "kind", "kept"),
    [
        ("73513537", "gtin8", "00000073513537"),
        ("036000291452", "gtin12", "00036000291452"),
        (GTIN13, "gtin13", GTIN14),
        ("14006381333938", "gtin14", "14006381333938"),
        ("4006381333930", "internal", None),
        ("V26176714", "internal", None),
        ("٤٠٠٦٣٨١٣٣٣٩٣١", "internal", None),
    ],
)
def test_kinds_and_kept_forms(code: str, kind: str, kept: str | None) -> None:
    assert barcodes.kind_of(code) == kind
    assert barcodes.gtin14(code) == kept
    assert barcodes.shown(barcodes.stored(code, kind), kind) == code


@pytest.mark.parametrize(
    "data",
    [
        GTIN13, f" {GTIN13}\r\n", GTIN14, f"]E0{GTIN13}", f"01{GTIN14}", f"]C101{GTIN14}10ABC", f"(01){GTIN14}",
        f"(01){GTIN14}(17)270101(10)A1", f"]d201{GTIN14}17270101\x1d", f"https://id.example.com/01/{GTIN14}",
        f"https://example.com/shop/01/{GTIN13}/10/ABC?17=270101", f"https://example.com/gtin/{GTIN14}#top",
    ],
)  # fmt: skip
def test_every_carrier_of_a_gtin(data: str) -> None:
    read = barcodes.parse(data)
    assert (read.gtin, read.bad_check_digit) == (GTIN14, False)


def test_counts_and_measures_of_element_strings() -> None:
    assert barcodes.parse(f"02{GTIN14}3712").count == 12
    assert barcodes.parse(f"(01){GTIN14}(30)5").count == 5
    assert barcodes.parse(f"01{GTIN14}3103001250").measures == {"KGM": Decimal("1.250")}
    assert barcodes.parse(f"(01){GTIN14}(3112)000250").measures == {"MTR": Decimal("2.50")}


@pytest.mark.parametrize(
    "data",
    ["4006381333930", "73513538", "0104006381333930", "(01)04006381333930", "https://x.example/01/04006381333930"],
)
def test_wrong_check_digits(data: str) -> None:
    read = barcodes.parse(data)
    assert (read.gtin, read.bad_check_digit) == (None, True)


@pytest.mark.parametrize(
    "data", ["TEE101-BLK-46", "1234", "https://example.com/", "http://[", "]", "Ä", "12345678901234567890"]
)
def test_everything_else_stands_as_it_is(data: str) -> None:
    assert barcodes.parse(data) == Scan(gtin=None, text=data)
