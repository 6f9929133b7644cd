"""Refusals: one code each, texts in both languages, members as promised."""

from __future__ import annotations

import re
import string
from collections import Counter

import pytest

from commerce.kernel.errors import Problem
from tests.house.source import problems

KEPT = {
    "wrong-pickup-code", "wrong-password", "refresh-token-reused", "wrong-pin", "wrong-badge", "wrong-approval", "wrong-user-code",
    "wrong-pass", "wrong-code", "wrong-hand-off-code",
}  # fmt: skip
"""Refusals that keep the verb's own record (an attempt counter, a revoked session). Nothing else is written before them."""


def test_codes_are_unique() -> None:
    codes = Counter(kind.code for kind in problems())
    assert {code: n for code, n in codes.items() if n > 1} == {}


@pytest.mark.parametrize("kind", problems(), ids=lambda kind: f"{kind.__module__.split('.')[1]}-{kind.__name__}")
def test_a_problem_says_what_happened_and_what_to_do(kind: type[Problem]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", kind.code)
    assert 400 <= kind.status < 600
    for part in ("title", "title_ru", "detail", "detail_ru"):
        text = vars(kind).get(part)
        assert isinstance(text, str), f"{kind.__name__} has its own {part}"
        assert text.strip() == text != ""
    assert not kind.title.endswith(".")
    assert re.search("[а-яё]", kind.title_ru.lower()), "the Russian title is in Russian"
    assert re.search("[а-яё]", kind.detail_ru.lower()) or kind.detail_ru == kind.detail
    used = {
        name.split(".")[0].split("[")[0]
        for text in (kind.title, kind.title_ru, kind.detail, kind.detail_ru)
        for _, name, _, _ in string.Formatter().parse(text)
        if name
    }
    assert used <= set(kind.members_schema), "a text names only members that the class declares"


def test_kept_refusals_are_these() -> None:
    assert {kind.code for kind in problems() if kind.kept} <= KEPT
