"""HTTP of `auth`: sessions, and the back office's channels, clients, devices and staff."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from litestar import Request, delete, get, patch, post, put
from litestar.datastructures import CacheControlHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from commerce.auth import badges, clients, codes, flow, guards, invitations, kiosk, pairing, queries, roles, service
from commerce.auth.errors import (
    BadgeOrPin,
    BadgeTaken,
    ClientRevoked,
    CodeReserved,
    CodeTaken,
    MayNotGrant,
    NotAtThisStore,
    NotForThisKind,
    NotOfThisStore,
    NotYourLocation,
    PairingDenied,
    PairingExpired,
    PairingPending,
    PermissionNotHeld,
    PinTooSimple,
    RefreshTokenInvalid,
    RefreshTokenReused,
    RoleBuiltIn,
    RoleInUse,
    RoleKeepsPermission,
    ScopeBeyondYours,
    StaffShutOut,
    TooManyAttempts,
    TooManyKeys,
    UnknownBadge,
    UnknownChannel,
    UnknownClient,
    UnknownDevice,
    UnknownInvitation,
    UnknownKey,
    UnknownPairing,
    UnknownPermission,
    UnknownRole,
    UnknownRoles,
    UnknownSession,
    UnknownStaff,
    UsePinOrBadge,
    WrongBadge,
    WrongPass,
    WrongPassword,
    WrongPin,
    WrongUserCode,
)
from commerce.auth.schemas import (
    AcceptInvitation,
    BadgeView,
    ChangeClient,
    ChangeDevice,
    ChangePassword,
    ChangePin,
    ChannelView,
    ClaimPairing,
    ClaimPass,
    ClientView,
    Colleague,
    CreateClient,
    CreateDevice,
    CreateStaff,
    CurrentSession,
    DenyDevice,
    DevelopmentCode,
    DeviceSignIn,
    DeviceView,
    InvitationView,
    InviteStaff,
    IssueBadge,
    NewBadge,
    NewClient,
    NewClientKey,
    NewDevice,
    NewInvitation,
    PairDevice,
    Pairing,
    PermissionView,
    RefreshSession,
    RoleView,
    RotateKey,
    SaveRole,
    SetPin,
    SetRoles,
    ShopperPass,
    SignInAnonymously,
    SignInStaff,
    StaffView,
    StartPairing,
    Tokens,
)
from commerce.infra.db import Database, Once
from commerce.infra.http import problems, writes
from commerce.infra.limits import OF_SESSIONS, SENSITIVE, Limits
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
    opt=SENSITIVE,
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
    opt=SENSITIVE,
    responses=problems(WrongPassword, TooManyAttempts, NotAtThisStore, UsePinOrBadge),
)
async def sign_in_staff(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    data: JSONBody[SignInStaff],
) -> Tokens:
    """Sign in a member of staff by password: in the back office, and on a device of his store as long as he has neither PIN nor badge."""
    return await flow.sign_in_staff(db, settings, actor, command=data)


@post(
    "/v1/auth/refresh",
    operation_id="refresh_session",
    tags=["auth"],
    guards=[guards.client],
    status_code=200,
    cache_control=SECRET,
    opt=OF_SESSIONS,
    responses=problems(RefreshTokenInvalid, RefreshTokenReused),
)
async def refresh_session(
    request: Request[Any, Any, Any],
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    limits: NamedDependency[Limits],
    actor: NamedDependency[Actor],
    data: JSONBody[RefreshSession],
) -> Tokens:
    """Trade a refresh token for the next pair. Each works once; an old one shown again ends the session."""
    return await flow.refresh(
        db, settings, actor, command=data, admit=partial(limits.admit_session, request.scope, actor)
    )


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
    responses=writes(NotYourLocation, ScopeBeyondYours, CodeTaken, UnknownChannel, NotForThisKind, UnknownPermission),
)
async def create_client(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[CreateClient],
) -> NewClient:
    """Give a frontend its publishable key, or a server its secret one with scopes; it is shown this once."""
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
    """API clients by code with their keys (never the keys themselves), the revoked ones too."""
    return await db.read(queries.clients_page, limit=limit, cursor=cursor)


@patch(
    "/v1/clients/{client:str}",
    operation_id="change_client",
    tags=["back office"],
    guards=[guards.staff("clients.write")],
    responses=writes(UnknownClient, NotYourLocation, ScopeBeyondYours, NotForThisKind, UnknownPermission),
)
async def change_client(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    client: FromPath[Code],
    data: JSONBody[ChangeClient],
) -> ClientView:
    """Change a client's name, origins or scopes; it holds everywhere within 5 seconds."""
    return await db.write_once(once, ClientView, clients.change_client, actor, code=client, command=data)


@post(
    "/v1/clients/{client:str}/keys",
    operation_id="rotate_client_key",
    tags=["back office"],
    guards=[guards.staff("clients.write")],
    status_code=201,
    cache_control=SECRET,
    responses=writes(UnknownClient, NotYourLocation, ScopeBeyondYours, ClientRevoked, TooManyKeys),
)
async def rotate_client_key(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    client: FromPath[Code],
    data: JSONBody[RotateKey] = RotateKey(),  # noqa: B008
) -> NewClientKey:
    """Give a client a new key, shown this once; the old ones go on working for the overlap."""
    return await flow.rotate_key(db, settings, once, actor, client=client, command=data)


@delete(
    "/v1/clients/{client:str}/keys/{key_id:uuid}",
    operation_id="revoke_client_key",
    tags=["back office"],
    guards=[guards.staff("clients.write")],
    status_code=204,
    responses=writes(UnknownClient, UnknownKey, NotYourLocation),
)
async def revoke_client_key(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    client: FromPath[Code],
    key_id: FromPath[UUID],
) -> None:
    """Let one key open nothing any more within 5 seconds; the client's other keys go on working."""
    return await db.write_once(once, type(None), clients.revoke_key, actor, code=client, key_id=key_id)


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
    """Let all keys of a client open nothing any more."""
    return await db.write_once(once, ClientView, clients.revoke_client, actor, code=client)


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
    guards=[guards.staff("devices.pair")],
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
    guards=[guards.staff("devices.pair")],
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
    responses=writes(CodeTaken, UnknownRoles, MayNotGrant),
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
    responses=writes(UnknownStaff, UnknownRoles, MayNotGrant),
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
    responses=writes(UnknownStaff, UnknownRoles, MayNotGrant),
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
    responses=writes(UnknownStaff, UnknownRoles, MayNotGrant),
)
async def restore_staff(
    db: NamedDependency[Database], once: NamedDependency[Once], actor: NamedDependency[Actor], login: FromPath[Login]
) -> StaffView:
    """Let a member of staff in again, with the roles he had."""
    return await db.write_once(once, StaffView, service.restore_staff, actor, login=login)


# --- devices come in ---


@post(
    "/v1/auth/pairings", operation_id="start_pairing", tags=["auth"], guards=[guards.client], status_code=201,
    opt=SENSITIVE, cache_control=SECRET, responses=problems(),
)  # fmt: skip
async def start_pairing(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    data: JSONBody[StartPairing],
) -> Pairing:
    """A till or kiosk without a key asks to be let in: show `user_code`, keep `device_secret`, and poll the claim (RFC 8628)."""
    return await db.write(pairing.start, actor, command=data, secret_key=settings.secret_key)


@post(
    "/v1/auth/pairings/{pairing_id:uuid}/claim", operation_id="claim_pairing", tags=["auth"], guards=[guards.client],
    status_code=200, opt=SENSITIVE, cache_control=SECRET,
    responses=problems(UnknownPairing, PairingPending, PairingDenied, PairingExpired),
)  # fmt: skip
async def claim_pairing(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    pairing_id: FromPath[UUID],
    data: JSONBody[ClaimPairing],
) -> NewDevice:
    """Poll until a manager has decided; then the device with its key, again and again until the pairing expires."""
    return await db.read(pairing.claim, actor, pairing=pairing_id, command=data, secret_key=settings.secret_key)


@post(
    "/v1/stores/{code:str}/devices/pair", operation_id="pair_device", tags=["store"],
    guards=[guards.at_store("devices.pair")], status_code=201,
    responses=writes(WrongUserCode, TooManyAttempts, CodeReserved, CodeTaken, UnknownChannel),
)  # fmt: skip
async def pair_device(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    data: JSONBody[PairDevice],
) -> DeviceView:
    """Let a till or kiosk in at this store by the code that it shows."""
    return await db.write_once(
        flow.sealed_once(settings, once), DeviceView, pairing.approve, actor, location=code, command=data,
        secret_key=settings.secret_key,
    )  # fmt: skip


@post(
    "/v1/stores/{code:str}/devices/deny", operation_id="deny_device", tags=["store"],
    guards=[guards.at_store("devices.pair")], status_code=204, responses=writes(WrongUserCode, TooManyAttempts),
)  # fmt: skip
async def deny_device(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    data: JSONBody[DenyDevice],
) -> None:
    """Send a till or kiosk away by the code that it shows."""
    return await db.write_once(
        flow.sealed_once(settings, once), type(None), pairing.deny, actor, location=code, command=data,
        secret_key=settings.secret_key,
    )  # fmt: skip


@patch(
    "/v1/devices/{device:str}", operation_id="rename_device", tags=["back office"],
    guards=[guards.staff("devices.pair")], responses=writes(UnknownDevice, NotYourLocation),
)  # fmt: skip
async def rename_device(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    device: FromPath[Code],
    data: JSONBody[ChangeDevice],
) -> DeviceView:
    """Call a device otherwise."""
    return await db.write_once(once, DeviceView, service.rename_device, actor, code=device, name=data.name)


# --- people at devices ---


@get(
    "/v1/auth/session", operation_id="read_session", tags=["auth"], guards=[guards.signed_in],
    responses=problems(UnknownSession),
)  # fmt: skip
async def read_session(db: NamedDependency[Database], actor: NamedDependency[Actor]) -> CurrentSession:
    """The session that asks: until when it lives, so that a shared screen can count down."""
    return await db.read(queries.current_session, actor)


@post(
    "/v1/auth/passes", operation_id="create_pass", tags=["auth"], guards=[guards.himself], status_code=201,
    opt=SENSITIVE, cache_control=SECRET, responses=problems(),
)  # fmt: skip
async def create_pass(
    db: NamedDependency[Database], settings: NamedDependency[Settings], actor: NamedDependency[Actor]
) -> ShopperPass:
    """A code for a kiosk, shown on the telephone: good for two minutes, once."""
    return await db.write(kiosk.issue, actor, secret_key=settings.secret_key)


@post(
    "/v1/auth/passes/claim", operation_id="claim_pass", tags=["auth"], guards=[guards.device], status_code=201,
    opt=SENSITIVE, cache_control=SECRET, responses=problems(WrongPass, TooManyAttempts),
)  # fmt: skip
async def claim_pass(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    data: JSONBody[ClaimPass],
) -> Tokens:
    """The shopper who shows this code is at this kiosk now; whoever was there before him is signed out."""
    return await flow.claim_pass(db, settings, actor, command=data)


@post(
    "/v1/auth/staff/device-sign-in", operation_id="sign_in_on_device", tags=["auth"], guards=[guards.device],
    status_code=201, opt=SENSITIVE, cache_control=SECRET,
    responses=problems(BadgeOrPin, WrongPin, WrongBadge, TooManyAttempts, NotAtThisStore),
)  # fmt: skip
async def sign_in_on_device(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    data: JSONBody[DeviceSignIn],
) -> Tokens:
    """A member of staff at a till or kiosk of his store, by badge or by login and PIN; whoever of the staff was there is signed out.
    It ends when nobody refreshes it for a while; `POST /v1/auth/sign-out` locks at once."""
    return await flow.sign_in_on_device(db, settings, actor, command=data)


@get(
    "/v1/stores/{code:str}/staff", operation_id="list_store_staff", tags=["store"],
    guards=[guards.at_store("sales.book")], responses=problems(),
)  # fmt: skip
async def list_store_staff(db: NamedDependency[Database], code: FromPath[Code]) -> list[Colleague]:
    """Who has a role at this store, by name: to choose oneself on the screen of a till."""
    return await db.read(badges.colleagues, location=code)


@put(
    "/v1/auth/staff/pin", operation_id="change_own_pin", tags=["auth"], guards=[guards.staff_member], status_code=204,
    responses=writes(PinTooSimple, WrongPin, TooManyAttempts),
)  # fmt: skip
async def change_own_pin(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[ChangePin],
) -> None:
    """Choose one's own PIN, given the PIN or the password of now."""
    return await flow.change_pin(db, settings, once, actor, command=data)


@put(
    "/v1/auth/staff/password", operation_id="change_own_password", tags=["auth"], guards=[guards.staff_member],
    status_code=204, responses=writes(WrongPassword, TooManyAttempts),
)  # fmt: skip
async def change_own_password(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[ChangePassword],
) -> None:
    """Choose another password at work, given the one of now; one's other sessions end."""
    return await flow.change_password(db, settings, once, actor, command=data)


@post(
    "/v1/stores/{code:str}/staff/{login:str}/pin", operation_id="set_staff_pin", tags=["store"],
    guards=[guards.at_store("staff.pins")], status_code=204,
    responses=writes(PinTooSimple, UnknownStaff, NotOfThisStore, UnknownRoles, MayNotGrant),
)  # fmt: skip
async def set_staff_pin(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    code: FromPath[Code],
    login: FromPath[Login],
    data: JSONBody[SetPin],
) -> None:
    """Give a member of this store a PIN, or another one when he has forgotten it."""
    return await flow.set_pin(db, settings, once, actor, location=code, login=login, command=data)


@post(
    "/v1/staff/{login:str}/badges", operation_id="issue_badge", tags=["back office"],
    guards=[guards.staff("staff.pins")], status_code=201, cache_control=SECRET,
    responses=writes(UnknownStaff, UnknownRoles, MayNotGrant, BadgeTaken),
)  # fmt: skip
async def issue_badge(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    login: FromPath[Login],
    data: JSONBody[IssueBadge] = IssueBadge(),  # noqa: B008
) -> NewBadge:
    """Give a member a badge: the one scanned, or a new code, shown this once."""
    return await flow.issue_badge(db, settings, once, actor, login=login, command=data)


@get(
    "/v1/staff/{login:str}/badges", operation_id="list_badges", tags=["back office"],
    guards=[guards.staff("staff.pins")], responses=problems(UnknownStaff, MayNotGrant),
)  # fmt: skip
async def list_badges(
    db: NamedDependency[Database], actor: NamedDependency[Actor], login: FromPath[Login]
) -> list[BadgeView]:
    """A member's badges, the last first, the revoked ones too."""
    return await db.read(badges.listed, actor, login=login)


@post(
    "/v1/staff/{login:str}/badges/{badge_id:uuid}/revoke", operation_id="revoke_badge", tags=["back office"],
    guards=[guards.staff("staff.pins")], status_code=200,
    responses=writes(UnknownStaff, UnknownBadge, UnknownRoles, MayNotGrant),
)  # fmt: skip
async def revoke_badge(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    login: FromPath[Login],
    badge_id: FromPath[UUID],
) -> BadgeView:
    """Let a lost badge open nothing any more; its member's sessions on devices end."""
    return await db.write_once(once, BadgeView, badges.revoke, actor, login=login, badge=badge_id)


# --- invitations and roles ---


@post(
    "/v1/staff/invitations", operation_id="invite_staff", tags=["back office"], guards=[guards.staff("staff.write")],
    status_code=201, cache_control=SECRET, responses=writes(CodeTaken, UnknownRoles, MayNotGrant),
)  # fmt: skip
async def invite_staff(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    data: JSONBody[InviteStaff],
) -> NewInvitation:
    """Ask somebody to join the staff with roles at locations, or somebody shut out to return; he chooses his password himself. The token
    is shown this once."""
    return await flow.invite_staff(db, settings, once, actor, command=data)


@post(
    "/v1/staff/{login:str}/reset-password", operation_id="reset_staff_password", tags=["back office"],
    guards=[guards.staff("staff.write")], status_code=201, cache_control=SECRET,
    responses=writes(UnknownStaff, UnknownRoles, MayNotGrant, StaffShutOut),
)  # fmt: skip
async def reset_staff_password(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    login: FromPath[Login],
) -> NewInvitation:
    """Let a member who forgot his password choose another: an invitation for a day, whose token is shown this once. When he accepts it,
    his sessions end; until then everything stays as it is."""
    return await flow.reset_staff_password(db, settings, once, actor, login=login)


@get(
    "/v1/staff/invitations", operation_id="list_invitations", tags=["back office"],
    guards=[guards.staff("staff.write")], responses=problems(BadCursor),
)  # fmt: skip
async def list_invitations(
    db: NamedDependency[Database],
    actor: NamedDependency[Actor],
    limit: FromQuery[Limit] = 50,
    cursor: FromQuery[Cursor | None] = None,
) -> Page[InvitationView]:
    """Invitations to locations that the caller looks after, the last first."""
    return await db.read(invitations.listed, actor, limit=limit, cursor=cursor)


@post(
    "/v1/staff/invitations/{invitation_id:uuid}/revoke", operation_id="revoke_invitation", tags=["back office"],
    guards=[guards.staff("staff.write")], status_code=200, responses=writes(UnknownInvitation, MayNotGrant),
)  # fmt: skip
async def revoke_invitation(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    invitation_id: FromPath[UUID],
) -> InvitationView:
    """Take an invitation back that nobody has accepted."""
    return await db.write_once(once, InvitationView, invitations.revoke, actor, invitation=invitation_id)


@post(
    "/v1/auth/staff/invitations/accept", operation_id="accept_invitation", tags=["auth"], guards=[guards.client],
    status_code=201, opt=SENSITIVE, cache_control=SECRET, responses=problems(UnknownInvitation, CodeTaken, NotAtThisStore),
)  # fmt: skip
async def accept_invitation(
    db: NamedDependency[Database],
    settings: NamedDependency[Settings],
    actor: NamedDependency[Actor],
    data: JSONBody[AcceptInvitation],
) -> Tokens:
    """Join the staff with a password of one's own, return, or choose another password; and be signed in."""
    return await flow.accept_invitation(db, settings, actor, command=data)


@get("/v1/roles", operation_id="list_roles", tags=["back office"], guards=[guards.staff_member], responses=problems())
async def list_roles(db: NamedDependency[Database]) -> list[RoleView]:
    """What each role may do, the built-in ones first."""
    return await db.read(roles.listed)


@get(
    "/v1/permissions", operation_id="list_permissions", tags=["back office"], guards=[guards.staff_member],
    responses=problems(),
)  # fmt: skip
async def list_permissions(db: NamedDependency[Database]) -> list[PermissionView]:
    """Every permission in words, and the roles that hold it now."""
    return await db.read(roles.permissions)


@put(
    "/v1/roles/{role:str}", operation_id="save_role", tags=["back office"], guards=[guards.everywhere("roles.write")],
    responses=writes(UnknownPermission, PermissionNotHeld, RoleKeepsPermission),
)  # fmt: skip
async def save_role(
    db: NamedDependency[Database],
    once: NamedDependency[Once],
    actor: NamedDependency[Actor],
    role: FromPath[Code],
    data: JSONBody[SaveRole],
) -> RoleView:
    """Make a role, or say anew what it may do. What is taken away ends its holders' sessions; what is added comes with their refresh."""
    return await db.write_once(once, RoleView, roles.save, actor, code=role, command=data)


@delete(
    "/v1/roles/{role:str}", operation_id="remove_role", tags=["back office"], guards=[guards.everywhere("roles.write")],
    status_code=204, responses=writes(UnknownRole, RoleBuiltIn, RoleInUse, PermissionNotHeld),
)  # fmt: skip
async def remove_role(
    db: NamedDependency[Database], once: NamedDependency[Once], actor: NamedDependency[Actor], role: FromPath[Code]
) -> None:
    """Forget a role that nobody holds."""
    return await db.write_once(once, type(None), roles.remove, actor, code=role)


ROUTES = [
    sign_in_anonymously,
    sign_in_staff,
    refresh_session,
    sign_out,
    list_channels,
    create_client,
    list_clients,
    change_client,
    rotate_client_key,
    revoke_client_key,
    revoke_client,
    create_device,
    list_devices,
    revoke_device,
    create_staff,
    list_staff,
    set_staff_roles,
    revoke_staff,
    restore_staff,
    start_pairing,
    claim_pairing,
    pair_device,
    deny_device,
    rename_device,
    read_session,
    create_pass,
    claim_pass,
    sign_in_on_device,
    list_store_staff,
    change_own_pin,
    change_own_password,
    set_staff_pin,
    issue_badge,
    list_badges,
    revoke_badge,
    invite_staff,
    reset_staff_password,
    list_invitations,
    revoke_invitation,
    accept_invitation,
    list_roles,
    list_permissions,
    save_role,
    remove_role,
]
DEVELOPMENT_ROUTES = [show_code]
"""Mounted in development and tests only: `parts.development_routes`."""
