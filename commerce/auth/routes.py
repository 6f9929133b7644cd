"""HTTP of `auth`: sessions, and the back office's channels, clients, devices and staff."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from litestar import get, post, put
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from commerce.auth import codes, flow, guards, queries, service
from commerce.auth.errors import (
    CodeReserved,
    CodeTaken,
    MayNotGrant,
    NotAtThisStore,
    NotYourLocation,
    RefreshTokenInvalid,
    RefreshTokenReused,
    TooManyAttempts,
    UnknownChannel,
    UnknownClient,
    UnknownDevice,
    UnknownStaff,
    WrongPassword,
)
from commerce.auth.schemas import (
    ChannelView,
    ClientView,
    CreateClient,
    CreateDevice,
    CreateStaff,
    DevelopmentCode,
    DeviceView,
    NewClient,
    NewDevice,
    RefreshSession,
    SetRoles,
    SignInAnonymously,
    SignInStaff,
    StaffView,
    Tokens,
)
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.kernel.actor import Actor
from commerce.kernel.paging import BadCursor, Cursor, Limit, Page
from commerce.kernel.text import Code
from commerce.settings import Settings

SECRET = CacheControlHeader(no_store=True)
"""Answers with tokens or keys (RFC 6749 section 5.1)."""

Login = Annotated[str, Meta(min_length=1, max_length=63, pattern=r"^[a-z0-9][a-z0-9._@-]{0,62}$")]


@post(
    "/v1/auth/anonymous",
    operation_id="sign_in_anonymously",
    tags=["auth"],
    guards=[guards.client],
    status_code=201,
    cache_control=SECRET,
    responses=problems(),
)
async def sign_in_anonymously(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    data: JSONBody[SignInAnonymously] = SignInAnonymously(),  # noqa: B008
) -> Tokens:
    """Get a shopper's token before anybody has said who he is, so that nothing is lost before he does."""
    return await flow.sign_in_anonymously(db, settings, actor, command=data)


@post(
    "/v1/auth/staff/sign-in",
    operation_id="sign_in_staff",
    tags=["auth"],
    guards=[guards.client],
    status_code=201,
    cache_control=SECRET,
    responses=problems(WrongPassword, TooManyAttempts, NotAtThisStore),
)
async def sign_in_staff(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    data: JSONBody[SignInStaff],
) -> Tokens:
    """Sign in a member of staff, through a client or on a device of his own store."""
    return await flow.sign_in_staff(db, settings, actor, command=data)


@post(
    "/v1/auth/refresh",
    operation_id="refresh_session",
    tags=["auth"],
    guards=[guards.client],
    status_code=200,
    cache_control=SECRET,
    responses=problems(RefreshTokenInvalid, RefreshTokenReused),
)
async def refresh_session(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    data: JSONBody[RefreshSession],
) -> Tokens:
    """Trade a refresh token for the next pair. Each works once; an old one shown again ends the session."""
    return await flow.refresh(db, settings, actor, command=data)


@post(
    "/v1/auth/sign-out",
    operation_id="sign_out",
    tags=["auth"],
    guards=[guards.signed_in],
    status_code=204,
    responses=writes(),
)
async def sign_out(db: NamedDependency[Database], once: NamedDependency[Once], actor: NamedDependency[Actor]) -> None:
    """End the session of this token; it opens nothing any more within 5 seconds."""
    return await db.write_once(once, type(None), service.sign_out, actor)


@get(
    "/v1/development/codes/{challenge_id:uuid}",
    guards=[guards.caller],
    include_in_schema=False,
    cache_control=SECRET,
)
async def show_code(
    db: NamedDependency[Database], settings: NamedDependency[Settings], challenge_id: FromPath[UUID]
) -> DevelopmentCode:
    """The one-time code of a challenge, for developers and tests."""
    return await db.read(codes.shown, challenge=challenge_id, secret_key=settings.secret_key)


@get(
    "/v1/channels",
    operation_id="list_channels",
    tags=["back office"],
    guards=[guards.staff_member],
    responses=problems(),
)
async def list_channels(db: NamedDependency[Database]) -> list[ChannelView]:
    """All channels by code."""
    return await db.read(queries.all_channels)


@post(
    "/v1/clients",
    operation_id="create_client",
    tags=["back office"],
    guards=[guards.staff("clients.write")],
    status_code=201,
    cache_control=SECRET,
    responses=writes(NotYourLocation, CodeTaken, UnknownChannel),
)
async def create_client(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[CreateClient],
) -> NewClient:
    """Give a frontend its publishable key; it is shown this once."""
    return await flow.create_client(db, settings, once, actor, command=data)


@get(
    "/v1/clients",
    operation_id="list_clients",
    tags=["back office"],
    guards=[guards.staff("clients.write")],
    responses=problems(BadCursor),
)
async def list_clients(
    db: NamedDependency[Database], limit: FromQuery[Limit] = 50, cursor: FromQuery[Cursor | None] = None
) -> Page[ClientView]:
    """API clients by code, the revoked ones too."""
    return await db.read(queries.clients_page, limit=limit, cursor=cursor)


@post(
    "/v1/clients/{client:str}/revoke",
    operation_id="revoke_client",
    tags=["back office"],
    guards=[guards.staff("clients.write")],
    status_code=200,
    responses=writes(UnknownClient, NotYourLocation),
)
async def revoke_client(
    db: NamedDependency[Database], once: NamedDependency[Once], actor: NamedDependency[Actor], client: FromPath[Code]
) -> ClientView:
    """Let a publishable key open nothing any more."""
    return await db.write_once(once, ClientView, service.revoke_client, actor, code=client)


@post(
    "/v1/devices",
    operation_id="create_device",
    tags=["back office"],
    guards=[guards.staff("devices.write")],
    status_code=201,
    cache_control=SECRET,
    responses=writes(NotYourLocation, CodeReserved, CodeTaken, UnknownChannel),
)
async def create_device(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[CreateDevice],
) -> NewDevice:
    """Give a till or kiosk its key; it is shown this once, and the device belongs to one location for good."""
    return await flow.create_device(db, settings, once, actor, command=data)


@get(
    "/v1/devices",
    operation_id="list_devices",
    tags=["back office"],
    guards=[guards.staff("devices.write")],
    responses=problems(BadCursor),
)
async def list_devices(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
    location: FromQuery[Code | None] = None,
) -> Page[DeviceView]:
    """Devices by code at the locations the caller looks after, or at one of them."""
    return await db.read(queries.devices_page, actor, limit=limit, cursor=cursor, location=location)


@post(
    "/v1/devices/{device:str}/revoke",
    operation_id="revoke_device",
    tags=["back office"],
    guards=[guards.staff("devices.write")],
    status_code=200,
    responses=writes(UnknownDevice, NotYourLocation),
)
async def revoke_device(
    db: NamedDependency[Database], once: NamedDependency[Once], actor: NamedDependency[Actor], device: FromPath[Code]
) -> DeviceView:
    """Let a device's key and every session on it open nothing any more."""
    return await db.write_once(once, DeviceView, service.revoke_device, actor, code=device)


@post(
    "/v1/staff",
    operation_id="create_staff",
    tags=["back office"],
    guards=[guards.staff("staff.write")],
    status_code=201,
    responses=writes(CodeTaken, MayNotGrant),
)
async def create_staff(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[CreateStaff],
) -> StaffView:
    """Let a member of staff in, with roles at locations; nobody hands out more than he holds."""
    return await flow.create_staff(db, settings, once, actor, command=data)


@get(
    "/v1/staff",
    operation_id="list_staff",
    tags=["back office"],
    guards=[guards.staff("staff.write")],
    responses=problems(BadCursor),
)
async def list_staff(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
    location: FromQuery[Code | None] = None,
) -> Page[StaffView]:
    """Staff by login with a role at the locations the caller looks after, or at one of them."""
    return await db.read(queries.staff_page, actor, limit=limit, cursor=cursor, location=location)


@put(
    "/v1/staff/{login:str}/roles",
    operation_id="set_staff_roles",
    tags=["back office"],
    guards=[guards.staff("staff.write")],
    responses=writes(UnknownStaff, MayNotGrant),
)
async def set_staff_roles(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    login: FromPath[Login],
    data: JSONBody[SetRoles],
) -> StaffView:
    """Replace a member's roles; his sessions end, so that nothing of the old ones is left."""
    return await db.write_once(once, StaffView, service.set_roles, actor, login=login, command=data)


@post(
    "/v1/staff/{login:str}/revoke",
    operation_id="revoke_staff",
    tags=["back office"],
    guards=[guards.staff("staff.write")],
    status_code=200,
    responses=writes(UnknownStaff, MayNotGrant),
)
async def revoke_staff(
    db: NamedDependency[Database], once: NamedDependency[Once], actor: NamedDependency[Actor], login: FromPath[Login]
) -> StaffView:
    """Shut a member of staff out of everything within 5 seconds."""
    return await db.write_once(once, StaffView, service.revoke_staff, actor, login=login)


@post(
    "/v1/staff/{login:str}/restore",
    operation_id="restore_staff",
    tags=["back office"],
    guards=[guards.staff("staff.write")],
    status_code=200,
    responses=writes(UnknownStaff, MayNotGrant),
)
async def restore_staff(
    db: NamedDependency[Database], once: NamedDependency[Once], actor: NamedDependency[Actor], login: FromPath[Login]
) -> StaffView:
    """Let a member of staff in again, with the roles he had."""
    return await db.write_once(once, StaffView, service.restore_staff, actor, login=login)


ROUTES = [
    sign_in_anonymously,
    sign_in_staff,
    refresh_session,
    sign_out,
    list_channels,
    create_client,
    list_clients,
    revoke_client,
    create_device,
    list_devices,
    revoke_device,
    create_staff,
    list_staff,
    set_staff_roles,
    revoke_staff,
    restore_staff,
]
DEVELOPMENT_ROUTES = [show_code]
"""Mounted in development and tests only: `parts.development_routes`."""
