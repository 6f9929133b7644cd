"""One form of e-mail and phone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce.customers import BadEmail, BadPhone, email, phone


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Anna.B@Example.COM", "anna.b@example.com"),
        ("  anna@example.com ", "anna@example.com"),
        ("anna+shop@example.com", "anna+shop@example.com"),
        ("Анна@Почта.рф", "анна@почта.рф"),
    ],
)
def test_email(text: str, kept: str) -> None:
    assert email(text) == kept
    assert email(kept) == kept


@pytest.mark.parametrize("text", ["", "anna", "anna@", "@example.com", "anna@example", "a b@example.com", "a@b@c.ru"])
def test_not_an_email(text: str) -> None:
    with pytest.raises(BadEmail):
        email(text)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("+7 900 000-01-01", "+79000000101"),
        ("8 (900) 000-01-01", "+79000000101"),
        ("9000000101", "+79000000101"),
        ("+44 20 7946 0958", "+442079460958"),
        ("+375 29 123-45-67", "+375291234567"),
    ],
)
def test_phone(text: str, kept: str) -> None:
    assert phone(text) == kept
    assert phone(kept) == kept


@pytest.mark.parametrize("text", ["", "12", "call me", "+", "+7900", "+7 900 000-01-01-1", "0"])
def test_not_a_phone(text: str) -> None:
    with pytest.raises(BadPhone):
        phone(text)


@given(st.text(max_size=40))
def test_any_text_is_kept_in_one_form_or_refused(text: str) -> None:
    for read, refusal in ((email, BadEmail), (phone, BadPhone)):
        try:
            kept = read(text)
        except refusal:
            continue
        assert read(kept) == kept
