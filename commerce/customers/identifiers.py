"""What finds a person: e-mail and phone in the one form in which they are kept and compared."""

from __future__ import annotations

import unicodedata
from typing import Literal

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from commerce.customers.errors import BadEmail, BadIdentifier, BadPhone, OneIdentifier

HOME_REGION = "RU"
"""A number without a country code is read as dialled here; `+` reads any country's."""

Kind = Literal["email", "phone"]


def email(text: str, *, field: str = "email") -> str:
    """An e-mail address checked by its syntax, not by DNS, in lower case and NFC. Raises BadEmail, which names the field of the request
    that it came in.

    RFC 5321 lets the local part differ by case; no provider in use does, and people type it in either.
    """
    try:
        checked = validate_email(text.strip(), check_deliverability=False)
    except EmailNotValidError as error:
        raise BadEmail(field=field) from error
    return unicodedata.normalize("NFC", checked.normalized.lower())


def phone(text: str, *, field: str = "phone") -> str:
    """A phone number in E.164: `+79000000101`. Checked by its length only, because new ranges open faster than lists of them.

    Raises BadPhone, which names the field of the request that it came in.
    """
    try:
        number = phonenumbers.parse(text, HOME_REGION)
    except phonenumbers.NumberParseException as error:
        raise BadPhone(field=field) from error
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise BadPhone(field=field)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def card(text: str) -> str:
    """The number of a loyalty card as a scanner reads it: without the blanks that are printed between its groups."""
    return "".join(text.split())


def only_one(*, email_text: str | None, phone_text: str | None) -> tuple[Kind, str]:
    """The identifier of a command that names exactly one. Raises OneIdentifier, BadEmail, BadPhone."""
    if email_text is not None and phone_text is None:
        return "email", email(email_text)
    if phone_text is not None and email_text is None:
        return "phone", phone(phone_text)
    raise OneIdentifier


def of_kind(*, kind: str, value: str, system: str | None, field: str | None = None) -> tuple[str, str]:
    """System and value of an identifier as kept: contacts and cards in their one form, the rest without blanks around. `field` of the
    request, when it is not named as the kind is.

    Raises BadIdentifier, BadEmail, BadPhone.
    """
    if (kind == "external") != (system is not None):
        raise BadIdentifier(kind=kind)
    if kind == "email":
        return "", email(value, field=field or kind)
    if kind == "phone":
        return "", phone(value, field=field or kind)
    kept = card(value) if kind == "loyalty_card" else value.strip()
    if not kept:
        raise BadIdentifier(kind=kind)
    return system or "", kept
