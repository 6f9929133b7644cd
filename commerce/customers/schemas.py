"""Commands and views of `customers`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from commerce import auth
from commerce.kernel.text import NO_NUL, Code, Reason

Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=NO_NUL, description="anna@example.com")]
Phone = Annotated[
    str, Meta(min_length=3, max_length=32, pattern=NO_NUL, description="+79000000101, or as dialled at home")
]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
ProfileLanguage = Literal["ru", "en"]


IdentifierKind = Literal["email", "phone", "loyalty_card", "device", "external"]
IdentifierText = Annotated[
    str,
    Meta(
        min_length=1, max_length=254, pattern=NO_NUL, description="As written on the card, or known to the other system"
    ),
]


class AskCode(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a one-time code to exactly one of e-mail and phone."""

    email: Email | None = None
    phone: Phone | None = None
    language: ProfileLanguage = "ru"
    """Of the message."""


class SignInByCode(auth.Confidential, frozen=True, kw_only=True):
    """Sign in by the code that was sent. Name, language and password are for a new account; who has one keeps his."""

    code: auth.OneTimeCode
    name: Name | None = None
    language: ProfileLanguage = "ru"
    password: auth.NewPassword | None = None
    device_name: auth.DeviceName | None = None


class AddContact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further e-mail or phone, exactly one: a code is sent to it."""

    email: Email | None = None
    phone: Phone | None = None


class VerifyContact(auth.Confidential, frozen=True, kw_only=True):
    """The code that was sent to the new e-mail or phone."""

    challenge_id: UUID
    code: auth.OneTimeCode
    merge: bool = False
    """The other account that has this contact becomes part of this one."""


class SetPassword(auth.Confidential, frozen=True, kw_only=True):
    """A password to sign in with, beside one-time codes."""

    new_password: auth.NewPassword
    current_password: auth.Password | None = None


class AddIdentifier(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What staff know a customer by: a card, a device or an id of another system counts at once; an e-mail or phone is a claim only."""

    kind: IdentifierKind
    value: IdentifierText
    system: Code | None = None
    """The system whose id it is, of kind `external` alone."""


class MergeCustomers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """This customer and the loser are one person."""

    loser: UUID
    reason: Reason


class UnmergeCustomer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """They are two after all."""

    reason: Reason


class SignIn(auth.Confidential, frozen=True, kw_only=True):
    """Sign in with exactly one of e-mail and phone."""

    password: auth.Password
    email: Email | None = None
    phone: Phone | None = None
    device_name: auth.DeviceName | None = None


class ChangeProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different; absent stays, null empties."""

    name: Name | UnsetType | None = UNSET
    language: ProfileLanguage | UnsetType = UNSET


class IdentifierView(Struct, frozen=True, kw_only=True):
    """Something that finds a person."""

    id: UUID
    kind: str
    system: str | None
    value: str
    verified_at: datetime | None
    """Null: a claim that nobody has verified. It opens nothing."""
    created_at: datetime


class ProfileView(Struct, frozen=True, kw_only=True):
    """A person's profile. `email` and `phone` are the verified ones, the newest of several."""

    id: UUID
    name: str | None
    language: str
    email: str | None
    email_verified_at: datetime | None
    phone: str | None
    phone_verified_at: datetime | None
    identifiers: list[IdentifierView]
    version: int
    created_at: datetime


class CustomerView(ProfileView, frozen=True, kw_only=True):
    """A customer as staff see him."""

    guest: bool
    """Known by what he said only: no account, nothing verified."""
    merged_ids: list[UUID]
    """Profiles that have been merged into this one; carts and orders of any of them are his."""


class Contact(Struct, frozen=True, kw_only=True):
    """How to reach a person: snapshot it where it must stay as it was."""

    name: str | None
    email: str | None
    phone: str | None
    language: str
