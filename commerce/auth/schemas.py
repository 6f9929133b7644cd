"""Commands and views of `auth`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from commerce.auth.passwords import NewPassword, Password
from commerce.kernel.text import NO_NUL, Code, LocalisedText, ShortText

Login = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9._@-]{1,62}$", max_length=63, description="Lower-case name to sign in by")
]
LocationOrAll = Annotated[
    str, Meta(pattern=r"^(\*|[a-z0-9][a-z0-9_-]{0,62})$", max_length=63, description="Location code, or * for all")
]
Role = Literal["associate", "store_manager", "call_center", "back_office", "admin"]
DeviceKind = Literal["till", "kiosk"]
DeviceName = Annotated[
    str,
    Meta(min_length=1, max_length=120, pattern=NO_NUL, description="What the person calls the thing he signs in from"),
]


class Confidential(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command with a secret in it: it never shows its fields, so that none gets into a log."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class SignInAnonymously(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask for a shopper's token before anybody has said who he is."""

    device_name: DeviceName | None = None


class SignInStaff(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member of staff signs in."""

    login: Annotated[str, Meta(min_length=1, max_length=63, pattern=NO_NUL)]
    password: Password
    device_name: DeviceName | None = None


class RefreshSession(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Trade a refresh token for a new pair; each works once."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]


class Tokens(Struct, frozen=True, kw_only=True):
    """A pair of tokens: send `access_token` as the bearer; trade `refresh_token` at `/v1/auth/refresh` before it expires."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_at: datetime
    refresh_token: str
    refresh_expires_at: datetime
    session_id: UUID
    subject: UUID
    """Who it is: the shopper (the id of his profile once he has one) or the member of staff."""
    kind: Literal["shopper", "staff"]
    known: bool
    """A shopper with a profile, or staff."""

    def __repr__(self) -> str:
        return "Tokens(...)"


OneTimeCode = Annotated[str, Meta(pattern=r"^[0-9]{6}$", description="The six digits that were sent")]


class CodeSent(Struct, frozen=True, kw_only=True):
    """A code is on its way. The same answer whether or not the contact is anybody's."""

    challenge_id: UUID
    expires_at: datetime
    resend_after_seconds: int
    """Ask again after so many seconds for another code; the old one dies then."""
    attempts: int
    """How often this code may be tried."""


class DevelopmentCode(Struct, frozen=True, kw_only=True):
    """A one-time code, shown to developers."""

    code: str
    expires_at: datetime


class SignOutEverywhere(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """End all sessions."""

    keep_current: bool = False
    """Leave the one that asks."""


class SessionView(Struct, frozen=True, kw_only=True):
    """One sign-in that is still good."""

    id: UUID
    channel: str
    location: str | None
    device_name: str | None
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    current: bool
    """The one that asks."""


class ChannelView(Struct, frozen=True, kw_only=True):
    """A channel: a way in which customers meet the retailer."""

    code: str
    name: dict[str, str]
    created_at: datetime


class CreateChannel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open a channel."""

    code: Code
    name: LocalisedText


class CreateClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a frontend its publishable key."""

    code: Code
    channel: Code
    name: ShortText


class ClientView(Struct, frozen=True, kw_only=True):
    """A frontend that calls the API."""

    id: UUID
    code: str
    channel: str
    name: str
    created_at: datetime
    revoked_at: datetime | None


class NewClient(ClientView, frozen=True, kw_only=True):
    """A client just made; the key is shown this once."""

    key: str


class CreateDevice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a till or kiosk its key; it belongs to one location for good."""

    code: Code
    kind: DeviceKind
    location: Code
    name: ShortText
    channel: Code | None = None
    """The channel of the same code as the kind when absent."""


class DeviceView(Struct, frozen=True, kw_only=True):
    """A till or kiosk at a location."""

    id: UUID
    code: str
    kind: str
    channel: str
    location: str
    name: str
    created_at: datetime
    revoked_at: datetime | None


class NewDevice(DeviceView, frozen=True, kw_only=True):
    """A device just made; the key is shown this once."""

    key: str


class RoleGrant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role and where it holds."""

    role: Role
    locations: Annotated[list[LocationOrAll], Meta(min_length=1, max_length=50)]


class CreateStaff(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let a member of staff in."""

    login: Login
    name: ShortText
    password: NewPassword
    roles: Annotated[list[RoleGrant], Meta(min_length=1, max_length=5)]


class SetRoles(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All roles of a member of staff from now on."""

    roles: Annotated[list[RoleGrant], Meta(min_length=1, max_length=5)]


class StaffView(Struct, frozen=True, kw_only=True):
    """A member of staff."""

    id: UUID
    login: str
    name: str
    roles: list[RoleGrant]
    created_at: datetime
    disabled_at: datetime | None
