"""Commands and views of `customers`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from commerce import auth
from commerce.kernel.text import NO_NUL

Email = Annotated[str, Meta(min_length=3, max_length=254, pattern=NO_NUL, description="anna@example.com")]
Phone = Annotated[
    str, Meta(min_length=3, max_length=32, pattern=NO_NUL, description="+79000000101, or as dialled at home")
]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
ProfileLanguage = Literal["ru", "en"]


class SignUp(auth.Confidential, frozen=True, kw_only=True):
    """Make an account, with an e-mail, a phone or both."""

    password: auth.NewPassword
    email: Email | None = None
    phone: Phone | None = None
    name: Name | None = None
    language: ProfileLanguage = "ru"
    device_name: auth.DeviceName | None = None


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
    email: Email | UnsetType | None = UNSET
    phone: Phone | UnsetType | None = UNSET


class ProfileView(Struct, frozen=True, kw_only=True):
    """A person's profile."""

    id: UUID
    name: str | None
    language: str
    email: str | None
    email_verified_at: datetime | None
    phone: str | None
    phone_verified_at: datetime | None
    version: int
    created_at: datetime


class CustomerView(ProfileView, frozen=True, kw_only=True):
    """A customer as staff see him."""

    merged_ids: list[UUID]
    """Profiles that have been merged into this one; carts and orders of any of them are his."""


class Contact(Struct, frozen=True, kw_only=True):
    """How to reach a person: snapshot it where it must stay as it was."""

    name: str | None
    email: str | None
    phone: str | None
    language: str


ActingReason = Literal["customer_asked", "in_store_help", "complaint", "correction"]


class ActFor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a member of staff acts for a customer."""

    reason: ActingReason
