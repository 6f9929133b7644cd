"""HTTP of `customers`: signing up and in, the own profile, and finding a customer."""

from __future__ import annotations

from litestar import get, patch, post
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody

from commerce import auth
from commerce.customers import flow, queries, service
from commerce.customers.errors import (
    AlreadySignedUp,
    BadEmail,
    BadPhone,
    ContactRequired,
    EmailTaken,
    OneIdentifier,
    PhoneTaken,
    StaleProfile,
    UnknownCustomer,
)
from commerce.customers.schemas import ChangeProfile, CustomerView, Email, Phone, ProfileView, SignIn, SignUp
from commerce.infra.db import Database, Once
from commerce.infra.http import StaleTag, problems, writes
from commerce.infra.limits import SENSITIVE
from commerce.kernel.actor import Actor
from commerce.settings import Settings

SECRET = CacheControlHeader(no_store=True)


@post(
    "/v1/auth/sign-up",
    operation_id="sign_up",
    tags=["auth"],
    guards=[auth.visitor],
    status_code=201,
    cache_control=SECRET,
    opt=SENSITIVE,
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
    opt=SENSITIVE,
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
    responses=writes(
        UnknownCustomer, StaleProfile, StaleTag, BadEmail, BadPhone, ContactRequired, EmailTaken, PhoneTaken
    ),
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


@get(
    "/v1/customers",
    operation_id="find_customer",
    tags=["store"],
    guards=[auth.staff("customers.read")],
    responses=problems(UnknownCustomer, OneIdentifier, BadEmail, BadPhone),
)
async def find_customer(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    email: FromQuery[Email | None] = None,
    phone: FromQuery[Phone | None] = None,
) -> CustomerView:
    """Find a customer by his e-mail or his phone; that somebody looked is recorded."""
    return await db.write(service.find, actor, email=email, phone=phone)


ROUTES = [sign_up, sign_in, read_me, change_me, find_customer]
