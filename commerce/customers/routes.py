"""HTTP of `customers`: signing up and in, the own profile, and finding a customer."""

from __future__ import annotations

from uuid import UUID

from litestar import delete, get, patch, post, put
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from commerce import auth, locations
from commerce.customers import addresses, consents, flow, queries, service, touches
from commerce.customers.errors import (
    AlreadySignedUp,
    BadBirthday,
    BadEmail,
    BadPhone,
    BadPreferences,
    ContactRequired,
    EmailTaken,
    EmptyTouch,
    OneIdentifier,
    PhoneTaken,
    RepeatedConsent,
    StaleAddress,
    StaleProfile,
    TooManyAddresses,
    UnknownAddressOfCustomer,
    UnknownCustomer,
)
from commerce.customers.schemas import (
    AddressesView,
    AddressView,
    ChangeProfile,
    ConsentsView,
    ProfileView,
    RecordTouch,
    SaveAddress,
    SetConsents,
    SignIn,
    SignUp,
    TouchView,
)
from commerce.infra.db import Database, Once
from commerce.infra.http import StaleTag, problems, writes
from commerce.kernel.actor import Actor
from commerce.settings import Settings

SECRET = CacheControlHeader(no_store=True)
CHANGES = (
    UnknownCustomer, StaleProfile, StaleTag, BadEmail, BadPhone, ContactRequired, EmailTaken, PhoneTaken, BadBirthday, BadPreferences,
    locations.UnknownLocation,
)  # fmt: skip


@post(
    "/v1/auth/sign-up",
    operation_id="sign_up",
    tags=["auth"],
    guards=[auth.visitor],
    status_code=201,
    cache_control=SECRET,
    responses=problems(AlreadySignedUp, BadEmail, BadPhone, ContactRequired, EmailTaken, PhoneTaken),
)
async def sign_up(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    data: JSONBody[SignUp],
) -> auth.Tokens:
    """Make an account. With an anonymous shopper's token he stays the same and keeps his cart; with a client's key he is new."""
    return await flow.sign_up(db, settings, actor, command=data)


@post(
    "/v1/auth/sign-in",
    operation_id="sign_in",
    tags=["auth"],
    guards=[auth.visitor],
    status_code=201,
    cache_control=SECRET,
    responses=problems(auth.WrongPassword, auth.TooManyAttempts, BadEmail, BadPhone, OneIdentifier),
)
async def sign_in(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    data: JSONBody[SignIn],
) -> auth.Tokens:
    """Sign in with e-mail or phone and password. The cart of an anonymous shopper is merged by a request of its own."""
    return await flow.sign_in(db, settings, actor, command=data)


@get(
    "/v1/me",
    operation_id="read_me",
    tags=["shop"],
    guards=[auth.known_shopper],
    responses=problems(UnknownCustomer),
)
async def read_me(db: NamedDependency[Database], actor: NamedDependency[Actor]) -> ProfileView:
    """The caller's own profile."""
    return await db.read(queries.own_profile, actor)


@patch(
    "/v1/me",
    operation_id="change_me",
    tags=["shop"],
    guards=[auth.known_shopper],
    responses=writes(*CHANGES),
)
async def change_me(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    data: JSONBody[ChangeProfile],
) -> ProfileView:
    """Change the own profile: absent fields stay, null empties. With `If-Match`, only the version that was seen."""
    return await db.write_once(once, ProfileView, service.change_profile, actor, command=data, if_match=if_match)


@patch(
    "/v1/customers/{customer:uuid}", operation_id="change_customer", tags=["store"], guards=[auth.staff("customers.write")],
    responses=writes(*CHANGES),
)  # fmt: skip
async def change_customer(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    customer: FromPath[UUID],
    data: JSONBody[ChangeProfile],
) -> ProfileView:
    """Change a customer's profile for him: absent fields stay, null empties; which fields is recorded. With `If-Match`, only the version
    that was seen."""
    return await db.write_once(
        once, ProfileView, service.change_profile, actor, command=data, if_match=if_match, customer=customer
    )


@get(
    "/v1/me/addresses",
    operation_id="list_my_addresses",
    tags=["shop"],
    guards=[auth.known_shopper],
    responses=problems(),
)
async def list_my_addresses(db: NamedDependency[Database], actor: NamedDependency[Actor]) -> AddressesView:
    """The caller's addresses: the default, then the newest. Staff read and change a customer's while they act for him."""
    return await db.read(addresses.mine, actor)


@post(
    "/v1/me/addresses", operation_id="add_my_address", tags=["shop"], guards=[auth.known_shopper], status_code=201,
    responses=writes(UnknownCustomer, TooManyAddresses, BadPhone),
)  # fmt: skip
async def add_my_address(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[SaveAddress],
) -> AddressView:
    """One address more, of at most fifty; the first one is the default."""
    return await db.write_once(once, AddressView, addresses.add, actor, command=data)


@get(
    "/v1/me/addresses/{address:uuid}", operation_id="read_my_address", tags=["shop"], guards=[auth.known_shopper],
    responses=problems(UnknownAddressOfCustomer),
)  # fmt: skip
async def read_my_address(
    db: NamedDependency[Database], actor: NamedDependency[Actor], address: FromPath[UUID]
) -> AddressView:
    """One of the caller's addresses."""
    return await db.read(addresses.one_of_mine, actor, address=address)


@put(
    "/v1/me/addresses/{address:uuid}", operation_id="change_my_address", tags=["shop"], guards=[auth.known_shopper],
    responses=writes(UnknownCustomer, UnknownAddressOfCustomer, StaleAddress, StaleTag, BadPhone),
)  # fmt: skip
async def change_my_address(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    address: FromPath[UUID],
    data: JSONBody[SaveAddress],
) -> AddressView:
    """An address as it shall be: what is left out is empty. With `If-Match`, only the version that was seen."""
    return await db.write_once(
        once, AddressView, addresses.change, actor, address=address, command=data, if_match=if_match
    )


@delete(
    "/v1/me/addresses/{address:uuid}", operation_id="remove_my_address", tags=["shop"], guards=[auth.known_shopper],
    responses=writes(UnknownCustomer, UnknownAddressOfCustomer, StaleAddress, StaleTag),
)  # fmt: skip
async def remove_my_address(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    if_match: NamedDependency[int | None],
    address: FromPath[UUID],
) -> None:
    """Forget an address. With `If-Match`, only the version that was seen."""
    await db.write_once(once, type(None), addresses.remove, actor, address=address, if_match=if_match)


@get(
    "/v1/me/consents", operation_id="read_my_consents", tags=["shop"], guards=[auth.known_shopper], responses=problems()
)
async def read_my_consents(db: NamedDependency[Database], actor: NamedDependency[Actor]) -> ConsentsView:
    """What the caller consents to, and everything he has said about it before."""
    return await db.read(consents.mine, actor)


@put(
    "/v1/me/consents", operation_id="set_my_consents", tags=["shop"], guards=[auth.known_shopper],
    responses=writes(UnknownCustomer, RepeatedConsent),
)  # fmt: skip
async def set_my_consents(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[SetConsents],
) -> ConsentsView:
    """Give consents and take them back, each to the text that was read; what is not named stays."""
    return await db.write_once(once, ConsentsView, consents.give, actor, command=data)


@get(
    "/v1/customers/{customer:uuid}/consents", operation_id="read_consents", tags=["store"],
    guards=[auth.staff("customers.read")], responses=problems(UnknownCustomer),
)  # fmt: skip
async def read_consents(db: NamedDependency[Database], customer: FromPath[UUID]) -> ConsentsView:
    """What a customer consents to, and everything he has said about it before."""
    return await db.read(consents.of_customer, customer=customer)


@put(
    "/v1/customers/{customer:uuid}/consents", operation_id="set_consents", tags=["store"],
    guards=[auth.staff("customers.write")], responses=writes(UnknownCustomer, RepeatedConsent),
)  # fmt: skip
async def set_consents(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    customer: FromPath[UUID],
    data: JSONBody[SetConsents],
) -> ConsentsView:
    """Record what a customer has consented to in a store or on the phone, or taken back there."""
    return await db.write_once(once, ConsentsView, consents.give, actor, command=data, customer=customer)


@post(
    "/v1/touches", operation_id="record_touch", tags=["shop"], guards=[auth.shopper], status_code=201,
    responses=writes(EmptyTouch),
)  # fmt: skip
async def record_touch(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[RecordTouch],
) -> TouchView:
    """Keep what brought the shopper here: a campaign, a page that sent him, a QR code in a store. Also before he signs in."""
    return await db.write_once(once, TouchView, touches.record, actor, command=data)


ROUTES = [
    sign_up, sign_in, read_me, change_me, change_customer, list_my_addresses, add_my_address, read_my_address,
    change_my_address, remove_my_address, read_my_consents, set_my_consents, read_consents, set_consents, record_touch,
]  # fmt: skip
