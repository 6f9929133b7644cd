"""HTTP of `customers`: coming in by code or password, sessions, the own profile and what it is found by, customers for staff."""

from __future__ import annotations

from uuid import UUID

from litestar import delete, get, patch, post, put
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from commerce import auth, locations
from commerce.customers import acting, addresses, consents, flow, merging, proving, queries, service, touches
from commerce.customers.errors import (
    AlreadyMerged,
    AlreadySignedUp,
    BadBirthday,
    BadEmail,
    BadIdentifier,
    BadPhone,
    BadPreferences,
    EmptyTouch,
    FreshCodeRequired,
    FreshProofRequired,
    GuestCannotWin,
    IdentifierElsewhere,
    IdentifierTaken,
    LastContact,
    MergeIntoItself,
    NotMerged,
    OneIdentifier,
    OwnerOnly,
    ProofRequired,
    RepeatedConsent,
    StaleAddress,
    StaleProfile,
    TooManyAddresses,
    TooManyIdentifiers,
    UnknownAddressOfCustomer,
    UnknownCustomer,
    UnknownIdentifier,
)
from commerce.customers.schemas import (
    ActFor,
    AddContact,
    AddIdentifier,
    AddressesView,
    AddressView,
    AskCode,
    ChangeProfile,
    ConsentsView,
    CustomerView,
    IdentifierView,
    MergeCustomers,
    ProfileView,
    RecordTouch,
    SaveAddress,
    SetConsents,
    SetPassword,
    SignIn,
    SignInByCode,
    TouchView,
    UnmergeCustomer,
    VerifyContact,
)
from commerce.infra.db import Database, Once
from commerce.infra.delivery import DeliveryFailed, Post
from commerce.infra.http import StaleTag, problems, writes
from commerce.infra.limits import SENSITIVE
from commerce.kernel.actor import Actor
from commerce.kernel.paging import Page
from commerce.settings import Settings

SECRET = CacheControlHeader(no_store=True)
CHANGES = (UnknownCustomer, StaleProfile, StaleTag, BadBirthday, BadPreferences, locations.UnknownLocation)


@post(
    "/v1/auth/codes",
    operation_id="ask_code",
    tags=["auth"],
    guards=[auth.visitor],
    status_code=202,
    cache_control=SECRET,
    opt=SENSITIVE,
    responses=problems(OneIdentifier, BadEmail, BadPhone, auth.TooManyCodes, auth.TooManyAttempts, DeliveryFailed),
)
async def ask_code(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    delivery: NamedDependency[Post],
    actor: NamedDependency[Actor],
    data: JSONBody[AskCode],
) -> auth.CodeSent:
    """Have a one-time code sent to a phone or an e-mail, to sign in or up by. The answer does not tell whether there is an account.

    Asking for the same contact again sends another code under the same id; the old one dies.
    """
    return await flow.ask_code(db, settings, delivery, actor, command=data)


@post(
    "/v1/auth/codes/{challenge_id:uuid}/sign-in",
    operation_id="sign_in_by_code",
    tags=["auth"],
    guards=[auth.visitor],
    status_code=201,
    cache_control=SECRET,
    opt=SENSITIVE,
    responses=problems(auth.WrongCode, auth.CodeOver, auth.TooManyAttempts, AlreadySignedUp),
)
async def sign_in_by_code(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    challenge_id: FromPath[UUID],
    data: JSONBody[SignInByCode],
) -> auth.Tokens:
    """Sign in by the code that was sent; an account is made when the contact has none. An anonymous shopper who makes one stays the same
    and keeps his cart; the cart of one who has an account already is merged by a request of its own."""
    return await flow.sign_in_by_code(db, settings, actor, challenge=challenge_id, command=data)


@post(
    "/v1/auth/sign-in",
    operation_id="sign_in",
    tags=["auth"],
    guards=[auth.visitor],
    status_code=201,
    cache_control=SECRET,
    opt=SENSITIVE,
    responses=problems(auth.WrongPassword, auth.TooManyAttempts, BadEmail, BadPhone, OneIdentifier),
)
async def sign_in(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    data: JSONBody[SignIn],
) -> auth.Tokens:
    """Sign in with a verified e-mail or phone and the password, for who has set one."""
    return await flow.sign_in(db, settings, actor, command=data)


@get("/v1/auth/sessions", operation_id="list_sessions", tags=["auth"], guards=[auth.signed_in], responses=problems())
async def list_sessions(db: NamedDependency[Database], actor: NamedDependency[Actor]) -> Page[auth.SessionView]:
    """Where the caller is signed in, the last used first; with the sessions of profiles that were merged into his."""
    return await db.read(queries.own_sessions, actor)


@delete(
    "/v1/auth/sessions/{session_id:uuid}",
    operation_id="end_session",
    tags=["auth"],
    guards=[auth.signed_in],
    status_code=204,
    responses=writes(auth.UnknownSession),
)
async def end_session(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    session_id: FromPath[UUID],
) -> None:
    """End one of the caller's own sessions from another one: the lost telephone."""
    return await db.write_once(once, type(None), service.end_own_session, actor, session=session_id)


@post(
    "/v1/auth/sign-out-everywhere",
    operation_id="sign_out_everywhere",
    tags=["auth"],
    guards=[auth.signed_in],
    status_code=204,
    responses=writes(),
)
async def sign_out_everywhere(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[auth.SignOutEverywhere],
) -> None:
    """End all of the caller's sessions; they open nothing any more within 5 seconds. The one that asks may stay."""
    return await db.write_once(once, type(None), service.sign_out_everywhere, actor, command=data)


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
    """Change the own profile: absent fields stay, null empties. With `If-Match`, only the version that was seen. E-mail and phone are
    changed under `/v1/me/identifiers`."""
    return await db.write_once(once, ProfileView, service.change_profile, actor, command=data, if_match=if_match)


@put(
    "/v1/me/password",
    operation_id="set_my_password",
    tags=["auth"],
    guards=[auth.known_shopper],
    status_code=204,
    responses=writes(auth.WrongPassword, auth.TooManyAttempts, ProofRequired, OwnerOnly, UnknownCustomer),
)
async def set_my_password(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[SetPassword],
) -> None:
    """Set a password, or another one: with the current one, or within ten minutes of signing in by a code. Other sessions end."""
    return await flow.set_password(db, settings, once, actor, command=data)


@delete(
    "/v1/me/password",
    operation_id="remove_my_password",
    tags=["auth"],
    guards=[auth.known_shopper],
    status_code=204,
    responses=writes(OwnerOnly, UnknownCustomer),
)
async def remove_my_password(
    db: NamedDependency[Database], once: NamedDependency[Once], actor: NamedDependency[Actor]
) -> None:
    """Have no password any more and sign in by codes alone."""
    return await db.write_once(once, type(None), service.remove_password, actor)


@get(
    "/v1/me/identifiers",
    operation_id="list_my_identifiers",
    tags=["shop"],
    guards=[auth.known_shopper],
    responses=problems(UnknownCustomer),
)
async def list_my_identifiers(db: NamedDependency[Database], actor: NamedDependency[Actor]) -> Page[IdentifierView]:
    """What finds the caller: contacts, cards, devices, ids of other systems; verified ones and claims."""
    return await db.read(queries.own_identifiers, actor)


@post(
    "/v1/me/identifiers",
    operation_id="add_my_contact",
    tags=["shop"],
    guards=[auth.himself],
    status_code=202,
    cache_control=SECRET,
    opt=SENSITIVE,
    responses=problems(
        UnknownCustomer,
        FreshProofRequired,
        OneIdentifier,
        BadEmail,
        BadPhone,
        auth.TooManyCodes,
        auth.TooManyAttempts,
        DeliveryFailed,
    ),
)
async def add_my_contact(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    delivery: NamedDependency[Post],
    actor: NamedDependency[Actor],
    data: JSONBody[AddContact],
) -> auth.CodeSent:
    """Begin to add an e-mail or a phone, within ten minutes of signing in by a code or the password: a code is sent to it. Nothing
    changes before it is verified."""
    return await flow.add_contact(db, settings, delivery, actor, command=data)


@post(
    "/v1/me/identifiers/verify",
    operation_id="verify_my_contact",
    tags=["shop"],
    guards=[auth.himself],
    status_code=200,
    responses=writes(
        UnknownCustomer, auth.WrongCode, auth.CodeOver, auth.TooManyAttempts, IdentifierElsewhere, TooManyIdentifiers,
        AlreadySignedUp,
    ),
)  # fmt: skip
async def verify_my_contact(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[VerifyContact],
) -> ProfileView:
    """Add the contact whose code this is. When it is that of another account, `merge: true` makes both one: the code has proved both."""
    return await db.write_once(once, ProfileView, proving.verify, actor, command=data, secret_key=settings.secret_key)


@delete(
    "/v1/me/identifiers/{identifier:uuid}",
    operation_id="remove_my_identifier",
    tags=["shop"],
    guards=[auth.himself],
    status_code=200,
    responses=writes(UnknownCustomer, UnknownIdentifier, LastContact, FreshCodeRequired),
)
async def remove_my_identifier(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    identifier: FromPath[UUID],
) -> ProfileView:
    """Be found by this no more. The last verified e-mail or phone stays."""
    return await db.write_once(once, ProfileView, proving.remove_own, actor, identifier=identifier)


@post(
    "/v1/customers/{customer:uuid}/identifiers",
    operation_id="add_customer_identifier",
    tags=["store"],
    guards=[auth.staff("customers.write")],
    status_code=201,
    responses=writes(UnknownCustomer, BadIdentifier, BadEmail, BadPhone, IdentifierTaken, TooManyIdentifiers),
)
async def add_customer_identifier(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    customer: FromPath[UUID],
    data: JSONBody[AddIdentifier],
) -> CustomerView:
    """Give a customer a card, a device or an id of another system; or note an e-mail or phone that he has not verified yet."""
    return await db.write_once(once, CustomerView, proving.add, actor, customer=customer, command=data)


@post(
    "/v1/customers/{customer:uuid}/acting", operation_id="act_for_customer", tags=["store"],
    guards=[auth.staff("customers.act")], status_code=201, opt=SENSITIVE, cache_control=SECRET,
    responses=problems(UnknownCustomer, auth.UnknownSession, auth.NotWhileActing),
)  # fmt: skip
async def act_for_customer(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    customer: FromPath[UUID],
    data: JSONBody[ActFor],
) -> auth.OnBehalfToken:
    """Act for a customer in one's own name: the token does what he could, his cart and orders, and every record says for whom and why."""
    return await db.write(acting.act_for, actor, customer=customer, command=data, secret_key=settings.secret_key)


@delete(
    "/v1/customers/{customer:uuid}/identifiers/{identifier:uuid}",
    operation_id="remove_customer_identifier",
    tags=["store"],
    guards=[auth.staff("customers.write")],
    status_code=200,
    responses=writes(UnknownCustomer, UnknownIdentifier, LastContact),
)
async def remove_customer_identifier(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    customer: FromPath[UUID],
    identifier: FromPath[UUID],
) -> CustomerView:
    """Take an identifier from a customer; not his last verified e-mail or phone."""
    return await db.write_once(
        once, CustomerView, proving.remove_by_staff, actor, customer=customer, identifier=identifier
    )


@post(
    "/v1/customers/{customer:uuid}/merge",
    operation_id="merge_customers",
    tags=["store"],
    guards=[auth.staff("customers.merge")],
    status_code=200,
    responses=writes(UnknownCustomer, MergeIntoItself, AlreadyMerged, GuestCannotWin),
)
async def merge_customers(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    customer: FromPath[UUID],
    data: JSONBody[MergeCustomers],
) -> CustomerView:
    """Make the loser part of this customer: orders, carts and contacts of both are his from now on. It can be undone."""
    return await db.write_once(once, CustomerView, merging.merge, actor, customer=customer, command=data)


@post(
    "/v1/customers/{customer:uuid}/unmerge",
    operation_id="unmerge_customer",
    tags=["store"],
    guards=[auth.staff("customers.merge")],
    status_code=200,
    responses=writes(UnknownCustomer, NotMerged),
)
async def unmerge_customer(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    customer: FromPath[UUID],
    data: JSONBody[UnmergeCustomer],
) -> CustomerView:
    """Let a merged profile stand alone again; both sign in anew. What came after the merge is split by hand."""
    return await db.write_once(once, CustomerView, merging.unmerge, actor, customer=customer, command=data)


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
async def read_consents(
    db: NamedDependency[Database], actor: NamedDependency[Actor], customer: FromPath[UUID]
) -> ConsentsView:
    """What a customer consents to, and everything he has said about it before; who reads it is recorded."""
    return await flow.read_consents(db, actor, customer=customer)


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
    ask_code,
    sign_in_by_code,
    sign_in,
    list_sessions,
    end_session,
    sign_out_everywhere,
    read_me,
    change_me,
    set_my_password,
    remove_my_password,
    list_my_identifiers,
    add_my_contact,
    verify_my_contact,
    remove_my_identifier,
    add_customer_identifier,
    remove_customer_identifier,
    merge_customers,
    unmerge_customer,
    change_customer,
    list_my_addresses,
    add_my_address,
    read_my_address,
    change_my_address,
    remove_my_address,
    read_my_consents,
    set_my_consents,
    read_consents,
    set_consents,
    record_touch,
    act_for_customer,
]
