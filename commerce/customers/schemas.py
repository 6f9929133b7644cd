"""Commands and views of `customers`."""

from __future__ import annotations

from datetime import date, datetime
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
ContactChannel = Literal["email", "sms", "push", "messenger", "phone", "post"]
ConsentPurpose = Literal["marketing", "service", "analytics", "personalization"]


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


class Preferences(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a person wants to be spoken to: "write to the messenger, don't call"."""

    contact_channel: ContactChannel | None = None
    """The one he likes best."""
    unwanted_channels: Annotated[tuple[ContactChannel, ...], Meta(max_length=6)] = ()
    """Those he does not want to be reached by at all."""


class ChangeProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different; absent stays, null empties."""

    name: Name | UnsetType | None = UNSET
    language: ProfileLanguage | UnsetType = UNSET
    birthday: date | UnsetType | None = UNSET
    preferred_store: Code | UnsetType | None = UNSET
    preferences: Preferences | UnsetType = UNSET


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
    birthday: date | None
    preferred_store: str | None
    """Code of the store he likes to collect from."""
    preferences: Preferences
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


AddressText = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
ShortAddressText = Annotated[str, Meta(min_length=1, max_length=32, pattern=NO_NUL)]
Country = Annotated[str, Meta(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2 code")]


class SaveAddress(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An address as it shall be from now on."""

    city: AddressText
    street: AddressText
    country: Country = "RU"
    region: AddressText | None = None
    house: ShortAddressText | None = None
    postal_code: ShortAddressText | None = None
    entrance: ShortAddressText | None = None
    floor: ShortAddressText | None = None
    apartment: ShortAddressText | None = None
    intercom: ShortAddressText | None = None
    label: AddressText | None = None
    """What its owner calls it."""
    recipient: AddressText | None = None
    """Who takes things in there, when it is not he."""
    phone: Phone | None = None
    comment: Annotated[str, Meta(min_length=1, max_length=1000, pattern=NO_NUL)] | None = None
    is_default: bool = False


class AddressView(Struct, frozen=True, kw_only=True):
    """Where a person wants things brought to."""

    id: UUID
    customer_id: UUID
    label: str | None
    recipient: str | None
    phone: str | None
    country: str
    region: str | None
    city: str
    street: str
    house: str | None
    postal_code: str | None
    entrance: str | None
    floor: str | None
    apartment: str | None
    intercom: str | None
    comment: str | None
    is_default: bool
    created_at: datetime
    version: int


class AddressesView(Struct, frozen=True, kw_only=True):
    """All addresses of a person: the default first, then the newest."""

    items: list[AddressView]


class GiveConsent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A consent given or taken back, and the version of the text that was read."""

    channel: ContactChannel
    purpose: ConsentPurpose
    granted: bool
    text_version: Annotated[str, Meta(min_length=1, max_length=64, pattern=NO_NUL)]


class SetConsents(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Consents as they shall be from now on; what is not named stays."""

    items: Annotated[tuple[GiveConsent, ...], Meta(min_length=1, max_length=24)]


class ConsentView(Struct, frozen=True, kw_only=True):
    """What was said about one channel and purpose, when, where and to which text."""

    id: UUID
    channel: ContactChannel
    purpose: ConsentPurpose
    granted: bool
    at: datetime
    source: str
    """The channel in which it was said."""
    device: UUID | None
    actor: UUID
    """Who recorded it: the person himself, or a member of staff."""
    text_version: str


class ConsentsView(Struct, frozen=True, kw_only=True):
    """What is consented to now, and everything that was said before, newest first (at most 500)."""

    items: list[ConsentView]
    history: list[ConsentView]


TouchText = Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
TouchAddress = Annotated[str, Meta(min_length=1, max_length=2000, pattern=NO_NUL)]


class RecordTouch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What brought the shopper here: the marks of the address he came by. Queries of addresses are not kept."""

    source: TouchText | None = None
    medium: TouchText | None = None
    campaign: TouchText | None = None
    content: TouchText | None = None
    term: TouchText | None = None
    click_id: TouchText | None = None
    referrer: TouchAddress | None = None
    """The address of the page that sent him: its host and path are kept."""
    landing_path: TouchAddress | None = None
    """The page he came to."""
    store_qr: Code | None = None
    """Code on the poster or shelf that he scanned."""


class TouchView(Struct, frozen=True, kw_only=True):
    """One time when something brought a shopper here."""

    at: datetime
    channel: str
    source: str | None
    medium: str | None
    campaign: str | None
    content: str | None
    term: str | None
    click_id: str | None
    referrer: str | None
    landing_path: str | None
    store_qr: str | None


class Touches(Struct, frozen=True, kw_only=True):
    """What brought somebody here first, and what last; the same when there was one."""

    first: TouchView | None = None
    last: TouchView | None = None


class MergeRecord(Struct, frozen=True, kw_only=True):
    """Two profiles were found to be one person's, or, when `undone`, not to be."""

    id: UUID
    winner: UUID
    loser: UUID
    undone: bool
    proof: str
    by: UUID
    at: datetime


ActingReason = Literal["customer_asked", "in_store_help", "complaint", "correction"]


class ActFor(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a member of staff acts for a customer."""

    reason: ActingReason
