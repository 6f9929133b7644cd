"""Commands and views of `auth`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct, UnsetType

from commerce.auth.passwords import NewPassword, Password
from commerce.kernel.text import NO_NUL, Code, LocalisedText, ShortText

Login = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9._@-]{1,62}$", max_length=63, description="Lower-case name to sign in by")
]
LocationOrAll = Annotated[
    str, Meta(pattern=r"^(\*|[a-z0-9][a-z0-9_-]{0,62})$", max_length=63, description="Location code, or * for all")
]
Role = Code
DeviceKind = Literal["till", "kiosk"]
Permission = Annotated[
    str, Meta(pattern=r"^[a-z_]+\.[a-z_]+$", max_length=63, description="As `GET /v1/permissions` lists them")
]
Pin = Annotated[str, Meta(pattern="^[0-9]{4,8}$", max_length=8, description="4 to 8 digits")]
BadgeCode = Annotated[
    str, Meta(pattern=r"^[!-~]{8,128}$", max_length=128, description="What the badge says when it is scanned")
]
LettersIn = Annotated[
    str,
    Meta(
        min_length=8, max_length=20, pattern=NO_NUL, description="8 letters; dashes, spaces and capitals do not matter"
    ),
]
Secret = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
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
    last_seen_at: datetime | None
    """When it was last used, to half a minute."""
    expires_at: datetime
    current: bool
    """The one that asks."""


class CurrentSession(SessionView, frozen=True, kw_only=True):
    """The session that asks, so that a shared screen can count down."""

    idle_seconds: int | None
    """Without a refresh for so long it ends; null: it does not end by idleness."""
    ends_at: datetime | None
    """It ends then in any case."""
    device: str | None
    """Code of the till or kiosk."""


class ChannelView(Struct, frozen=True, kw_only=True):
    """A channel: a way in which customers meet the retailer."""

    code: str
    name: dict[str, str]
    created_at: datetime


class CreateChannel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open a channel."""

    code: Code
    name: LocalisedText


ClientKind = Literal["frontend", "server"]
Origin = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9+.-]{0,30}://[a-z0-9.:\[\]-]{1,250}$",
        max_length=290,
        description="As a browser sends it: scheme, host and, unless it is the usual one, port; https://shop.example.com",
    ),
]
Origins = Annotated[list[Origin], Meta(max_length=20)]


class Scope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A permission and where it holds."""

    permission: Annotated[
        str, Meta(pattern=r"^[a-z_]+\.[a-z_]+$", max_length=63, description="A permission, such as orders.read")
    ]
    locations: Annotated[list[LocationOrAll], Meta(min_length=1, max_length=50)]


Scopes = Annotated[list[Scope], Meta(max_length=100)]


class CreateClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a frontend its publishable key, or a server its secret one."""

    code: Code
    channel: Code
    name: ShortText
    kind: ClientKind = "frontend"
    scopes: Scopes = []
    """What a server may do; nobody gives more than he holds. A frontend has none."""
    origins: Origins = []
    """Where a frontend's pages come from; none: no browser may use its key. A server has none."""


class ChangeClient(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes about a client; what is left out stays."""

    name: ShortText | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    origins: Origins | UnsetType = UNSET


class RotateKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a client a new key."""

    overlap_seconds: Annotated[int, Meta(ge=0, le=30 * 86_400)] = 86_400
    """How long the old keys go on working; 0: they end at once."""


class ClientKeyView(Struct, frozen=True, kw_only=True):
    """A key of a client, without the key."""

    id: UUID
    kind: ClientKind
    hint: str
    """The beginning of the key's SHA-256 in hexadecimal, to tell keys apart."""
    created_at: datetime
    created_by: UUID
    """The principal who asked for it; nil for the application itself."""
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    """To half a minute."""


class NewClientKey(ClientKeyView, frozen=True, kw_only=True):
    """A key just made; it is shown this once."""

    key: str

    def __repr__(self) -> str:
        return f"NewClientKey(id={self.id})"


class ClientView(Struct, frozen=True, kw_only=True):
    """A frontend or a server that calls the API."""

    id: UUID
    code: str
    channel: str
    name: str
    kind: ClientKind
    scopes: list[Scope]
    origins: list[str]
    created_at: datetime
    revoked_at: datetime | None
    keys: list[ClientKeyView]
    """The newest first."""


class NewClient(ClientView, frozen=True, kw_only=True):
    """A client just made; the key is shown this once."""

    key: str

    def __repr__(self) -> str:
        return f"NewClient(id={self.id})"


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
    last_seen_at: datetime | None = None
    """When its key was last used, to half a minute."""


class NewDevice(DeviceView, frozen=True, kw_only=True):
    """A device just made; the key is shown this once."""

    key: str

    def __repr__(self) -> str:
        return f"NewDevice(id={self.id})"


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


class ChangeDevice(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Call a device otherwise; its code, kind and location stay."""

    name: ShortText


class StartPairing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A till or kiosk that has no key yet asks to be let in."""

    kind: DeviceKind
    name: ShortText


class Pairing(Struct, frozen=True, kw_only=True):
    """What the device shows and keeps while it waits for a manager (RFC 8628)."""

    pairing_id: UUID
    user_code: str
    """Shown on the screen: the manager types it."""
    device_secret: str
    """Never shown: the device polls with it."""
    expires_at: datetime
    interval_seconds: int
    """Poll no more often."""

    def __repr__(self) -> str:
        return "Pairing(...)"


class ClaimPairing(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask whether the device has been let in."""

    device_secret: Secret


class PairDevice(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Let a device in at this store by the code that it shows."""

    user_code: LettersIn
    code: Code
    """Its code from now on; it names its register too."""
    name: ShortText | None = None
    """What the device called itself when absent."""


class DenyDevice(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Send a device away by the code that it shows."""

    user_code: LettersIn


class ShopperPass(Struct, frozen=True, kw_only=True):
    """A code for a kiosk, used once."""

    code: str
    qr: str
    """The same for a QR code."""
    expires_at: datetime

    def __repr__(self) -> str:
        return "ShopperPass(...)"


class ClaimPass(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The code that a shopper shows at the kiosk: typed, or as scanned."""

    code: Annotated[str, Meta(min_length=8, max_length=80, pattern=NO_NUL)]
    device_name: DeviceName | None = None


class DeviceSignIn(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A member of staff at a till or kiosk: by badge, or by login and PIN."""

    badge: BadgeCode | None = None
    login: Annotated[str, Meta(min_length=1, max_length=63, pattern=NO_NUL)] | None = None
    pin: Annotated[str, Meta(min_length=1, max_length=20, pattern=NO_NUL)] | None = None


class IssueBadge(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A badge for a member of staff: with the code that it carries already, or a new one to be put on it."""

    code: BadgeCode | None = None


class BadgeView(Struct, frozen=True, kw_only=True):
    """A badge of a member of staff; what it says is not kept."""

    id: UUID
    login: str
    issued_at: datetime
    revoked_at: datetime | None


class NewBadge(BadgeView, frozen=True, kw_only=True):
    """A badge just issued; the code is shown this once."""

    code: str

    def __repr__(self) -> str:
        return "NewBadge(...)"


class ChangePin(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One's own PIN from now on."""

    pin: Pin
    current: Password
    """The PIN or the password of now."""


class ChangePassword(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One's own password at work from now on."""

    password: NewPassword
    current: Password


class SetPin(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A PIN for a member of staff of this store, who chooses his own afterwards."""

    pin: Pin


class Colleague(Struct, frozen=True, kw_only=True):
    """Somebody with a role at the store, to be chosen on the screen of a till."""

    login: str
    name: str
    has_pin: bool
    has_badge: bool


class InviteStaff(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Ask somebody to join the staff: he chooses his password himself."""

    login: Login
    name: ShortText
    roles: Annotated[list[RoleGrant], Meta(min_length=1, max_length=5)]


class InvitationView(Struct, frozen=True, kw_only=True):
    """An invitation that waits to be accepted, or does no longer."""

    id: UUID
    login: str
    name: str
    roles: list[RoleGrant]
    purpose: Literal["join", "return", "reset"]
    """Somebody new, somebody who was shut out, or a member who chooses another password."""
    state: Literal["pending", "expired", "accepted", "revoked"]
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None


class NewInvitation(InvitationView, frozen=True, kw_only=True):
    """An invitation just made; the token is shown this once."""

    token: str

    def __repr__(self) -> str:
        return "NewInvitation(...)"


class AcceptInvitation(Confidential, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Join the staff."""

    token: Secret
    password: NewPassword
    device_name: DeviceName | None = None


class SaveRole(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a role is called and may do from now on."""

    name: LocalisedText
    permissions: Annotated[list[Permission], Meta(max_length=100)]


class RoleView(Struct, frozen=True, kw_only=True):
    """A role."""

    code: str
    name: dict[str, str]
    permissions: list[str]
    built_in: bool
    changed_at: datetime


class PermissionView(Struct, frozen=True, kw_only=True):
    """A permission in words, and the roles that hold it."""

    code: str
    name: dict[str, str]
    roles: list[str]


class OnBehalfToken(Struct, frozen=True, kw_only=True):
    """A bearer token with which the member of staff acts for the customer. It cannot be refreshed: ask for another."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_at: datetime
    customer: UUID
    reason: str

    def __repr__(self) -> str:
        return "OnBehalfToken(...)"
