"""Coming in: passwords are hashed and checked in threads, outside the transaction; tokens are made after the commit.

Nothing that opens a door is stored: a repeated request makes its key again from the server key.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from msgspec import structs

from commerce.auth import badges, clients, invitations, kiosk, queries, service, tokens
from commerce.auth.badges import PinProof
from commerce.auth.errors import BadgeOrPin, RefreshTokenInvalid
from commerce.auth.passwords import Verified, hash_password, verify
from commerce.auth.schemas import (
    AcceptInvitation,
    BadgeView,
    ChangePassword,
    ChangePin,
    ClaimPass,
    ClientKeyView,
    ClientView,
    CreateClient,
    CreateDevice,
    CreateStaff,
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
    RefreshSession,
    RotateKey,
    SetPin,
    SignInAnonymously,
    SignInStaff,
    StaffView,
    Tokens,
)
from commerce.auth.service import Started
from commerce.infra.db import Database, Once, Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7
from commerce.settings import Settings


def tokens_of(settings: Settings, started: Started) -> Tokens:
    """The pair of tokens of a session that has just been started or refreshed."""
    left = int((started.expires_at - started.at).total_seconds())
    seconds = min(settings.access_token_seconds, left)
    return Tokens(
        access_token=tokens.issue(started.actor, secret_key=settings.secret_key, at=started.at, seconds=seconds),
        token_type="Bearer",  # noqa: S106 - the scheme's name
        expires_at=started.at + timedelta(seconds=seconds),
        refresh_token=tokens.refresh_token(settings.secret_key, started.session, started.number),
        refresh_expires_at=started.expires_at,
        session_id=started.session,
        subject=started.actor.subject,
        kind="staff" if started.actor.kind == "staff" else "shopper",
        known=started.actor.known,
    )


def identity(settings: Settings, kind: str, value: str) -> str:
    """The keyed hash under which guesses at a login, e-mail or phone are counted."""
    return tokens.keyed_hash(settings.secret_key, f"identity {kind}", value)


def sealed(settings: Settings, text: str) -> str:
    """The keyed hash that stands for an input with a password in it, where a repetition must be known again."""
    return tokens.keyed_hash(settings.secret_key, "once", text)


async def sign_in_anonymously(db: Database, settings: Settings, actor: Actor, *, command: SignInAnonymously) -> Tokens:
    """A token before anybody has said who he is. One statement."""
    started = await db.write(
        service.sign_in_anonymously, actor, device_name=command.device_name, idle_seconds=settings.kiosk_idle_seconds
    )
    return tokens_of(settings, started)


async def sign_in_staff(db: Database, settings: Settings, actor: Actor, *, command: SignInStaff) -> Tokens:
    """Staff by password: the same answer after the same time whether or not the login exists.

    Raises WrongPassword (kept), TooManyAttempts, NotAtThisStore, UsePinOrBadge.
    """
    login = command.login.strip().lower()
    proof = await db.read(queries.proof_of_staff, identity=identity(settings, "staff", login), login=login)
    verified = await verify(settings, proof.hash, command.password)
    started = await db.write(
        service.sign_in_staff, actor, proof=proof, verified=verified, device_name=command.device_name,
        idle_seconds=settings.staff_idle_seconds,
    )  # fmt: skip
    return tokens_of(settings, started)


async def refresh(
    db: Database, settings: Settings, actor: Actor, *, command: RefreshSession, admit: Callable[[UUID | None], None]
) -> Tokens:
    """The next pair for a refresh token. `admit` refuses a session that asks too often; None: the token is none of ours.

    Raises RefreshTokenReused (kept), RefreshTokenInvalid, whatever `admit` does.
    """
    found = tokens.read_refresh_token(settings.secret_key, command.refresh_token)
    admit(found[0] if found is not None else None)
    if found is None:
        raise RefreshTokenInvalid
    started = await db.write(service.refresh, actor, session=found[0], number=found[1])
    return tokens_of(settings, started)


def sealed_once(settings: Settings, once: Once) -> Once:
    """The claim of a request with a secret in it: what is kept of its input says nothing without the server key."""
    return structs.replace(once, hash=tokens.keyed_hash(settings.secret_key, "once", once.hash))


async def create_staff(
    db: Database, settings: Settings, once: Once, actor: Actor, *, command: CreateStaff
) -> StaffView:
    """Let a member of staff in. Raises CodeTaken, MayNotGrant.

    The claim keeps a hash of the input, and the password in it could be guessed from a plain one: it is keyed here.
    """
    password_hash = await hash_password(settings, command.password)
    return await db.write_once(
        sealed_once(settings, once), StaffView, service.create_staff, actor,
        login=command.login, name=command.name, password_hash=password_hash, roles=command.roles,
    )  # fmt: skip


def _counted(settings: Settings, kind: str, *parts: object) -> str:
    return identity(settings, kind, "\0".join(map(str, parts)))


def pins_of_a_day(settings: Settings, login: str) -> str:
    """Under what a login's wrong PINs of a day are counted, wherever they are typed."""
    return _counted(settings, "pin of a day", login)


def pins_at_device(settings: Settings, device: UUID | None) -> str:
    """Under what the wrong PINs of everybody at a device are counted."""
    return _counted(settings, "pins at", device)


async def checked_pin(
    db: Database, settings: Settings, device: UUID | None, *, login: str, pin: str
) -> tuple[PinProof, Verified]:
    """A PIN that was typed at a device, checked in a thread; as long for nobody's. Raises TooManyAttempts."""
    login = login.strip().lower()
    proof = await db.read(
        badges.pin_proof,
        login=login,
        on_device=_counted(settings, "pin", login, device),
        in_a_day=pins_of_a_day(settings, login),
        at_device=pins_at_device(settings, device),
        at_device_a_day=_counted(settings, "pins of a day at", device),
    )
    return proof, await verify(settings, proof.hash, badges.peppered(settings.secret_key, proof.member, pin))


def shown_badge(settings: Settings, device: UUID | None, code: str) -> tuple[str, str]:
    """The keyed hash of a badge, and under what those that a device reads in vain are counted."""
    return badges.badge_hash(settings.secret_key, code), _counted(settings, "badge", device)


async def sign_in_on_device(db: Database, settings: Settings, actor: Actor, *, command: DeviceSignIn) -> Tokens:
    """A member of staff at a till or kiosk of his store, by badge or PIN; who was signed in there is signed out in the same act.

    Raises BadgeOrPin, WrongPin, WrongBadge (both kept), TooManyAttempts, NotAtThisStore.
    """
    idle = settings.staff_idle_seconds
    if command.badge is not None and command.login is None and command.pin is None:
        code_hash, on_device = shown_badge(settings, actor.device, command.badge)
        started = await db.write(
            badges.sign_in_by_badge, actor, code_hash=code_hash, on_device=on_device, idle_seconds=idle
        )
    elif command.badge is None and command.login is not None and command.pin is not None:
        proof, verified = await checked_pin(db, settings, actor.device, login=command.login, pin=command.pin)
        started = await db.write(badges.sign_in_by_pin, actor, proof=proof, verified=verified, idle_seconds=idle)
    else:
        raise BadgeOrPin
    return tokens_of(settings, started)


async def issue_badge(
    db: Database, settings: Settings, once: Once, actor: Actor, *, login: str, command: IssueBadge
) -> NewBadge:
    """A badge with the code that it carries, or a new one, shown now and to repetitions of this request.

    Raises UnknownStaff, MayNotGrant, BadgeTaken.
    """
    code = command.code or tokens.derived_key(settings.secret_key, "bg", _seed(once))
    made = await db.write_once(
        sealed_once(settings, once), BadgeView, badges.issue, actor, login=login,
        code_hash=badges.badge_hash(settings.secret_key, code),
    )  # fmt: skip
    return NewBadge(**structs.asdict(made), code=code)


async def set_pin(
    db: Database, settings: Settings, once: Once, actor: Actor, *, location: str, login: str, command: SetPin
) -> None:
    """A PIN for a member of this store. Raises PinTooSimple, UnknownStaff, NotOfThisStore, MayNotGrant."""
    badges.refuse_simple(command.pin)
    member = await db.read(badges.member_of, login=login)
    pin_hash = await hash_password(settings, badges.peppered(settings.secret_key, member, command.pin))
    return await db.write_once(
        sealed_once(settings, once), type(None), badges.set_pin, actor, location=location, login=login, member=member,
        pin_hash=pin_hash, in_a_day=pins_of_a_day(settings, login),
    )  # fmt: skip


async def change_pin(db: Database, settings: Settings, once: Once, actor: Actor, *, command: ChangePin) -> None:
    """One's own PIN, given the one or the password of now; both are checked, so that the time tells nothing.

    Raises PinTooSimple, WrongPin (kept), TooManyAttempts.
    """
    badges.refuse_simple(command.pin)
    login = await db.read(badges.own_login, actor)
    proof = await db.read(
        badges.own_proof, actor, own=_counted(settings, "own pin", actor.subject), in_a_day=pins_of_a_day(settings, login),
    )  # fmt: skip
    by_pin = await verify(settings, proof.pin, badges.peppered(settings.secret_key, actor.subject, command.current))
    by_password = await verify(settings, proof.password, command.current)
    pin_hash = await hash_password(settings, badges.peppered(settings.secret_key, actor.subject, command.pin))
    return await db.write_once(
        sealed_once(settings, once), type(None), badges.change_own_pin, actor, proof=proof,
        right=by_pin.right or by_password.right, pin_hash=pin_hash,
    )  # fmt: skip


async def change_password(
    db: Database, settings: Settings, once: Once, actor: Actor, *, command: ChangePassword
) -> None:
    """A member's own password, given the one of now. Raises WrongPassword (kept), TooManyAttempts."""
    own = _counted(settings, "own password", actor.subject)
    proof = await db.read(queries.proof_of, identity=own, candidates=[actor.subject])
    verified = await verify(settings, proof.hash, command.current)
    password_hash = await hash_password(settings, command.password)
    return await db.write_once(
        sealed_once(settings, once), type(None), service.change_own_password, actor, proof=proof, verified=verified,
        password_hash=password_hash,
    )  # fmt: skip


async def invite_staff(
    db: Database, settings: Settings, once: Once, actor: Actor, *, command: InviteStaff
) -> NewInvitation:
    """An invitation with its token, shown now and to repetitions of this request. Raises UnknownRoles, MayNotGrant, CodeTaken."""
    invitation, token_hash = _new_invitation(settings)
    made = await db.write_once(
        once, InvitationView, invitations.invite, actor, invitation=invitation, command=command, token_hash=token_hash
    )
    return _with_token(settings, made)


async def reset_staff_password(
    db: Database, settings: Settings, once: Once, actor: Actor, *, login: str
) -> NewInvitation:
    """An invitation for a member to choose another password, with its token. Raises as `invitations.invite_to_reset`."""
    invitation, token_hash = _new_invitation(settings)
    made = await db.write_once(
        once,
        InvitationView,
        invitations.invite_to_reset,
        actor,
        invitation=invitation,
        login=login,
        token_hash=token_hash,
    )
    return _with_token(settings, made)


def _new_invitation(settings: Settings) -> tuple[UUID, str]:
    """The id of an invitation to be, and what is stored of its token."""
    invitation = uuid7()
    return invitation, tokens.fingerprint(invitations.token_of(settings.secret_key, invitation))


def _with_token(settings: Settings, made: InvitationView) -> NewInvitation:
    """The token follows from the id, so a repetition shows the first one's."""
    return NewInvitation(**structs.asdict(made), token=invitations.token_of(settings.secret_key, made.id))


async def accept_invitation(db: Database, settings: Settings, actor: Actor, *, command: AcceptInvitation) -> Tokens:
    """Join the staff with a password of one's own, and be signed in. Raises UnknownInvitation, CodeTaken, NotAtThisStore."""
    token_hash = tokens.fingerprint(command.token)
    await db.read(invitations.refuse_unknown, token_hash=token_hash)
    password_hash = await hash_password(settings, command.password)
    started = await db.write(
        invitations.accept, actor, token_hash=token_hash, password_hash=password_hash, device_name=command.device_name,
        idle_seconds=settings.staff_idle_seconds,
    )  # fmt: skip
    return tokens_of(settings, started)


async def claim_pass(db: Database, settings: Settings, actor: Actor, *, command: ClaimPass) -> Tokens:
    """A shopper at a kiosk, by the code on his telephone. Raises WrongPass (kept), TooManyAttempts."""
    started = await db.write(
        kiosk.claim, actor, command=command, secret_key=settings.secret_key, idle_seconds=settings.kiosk_idle_seconds
    )
    return tokens_of(settings, started)


async def create_client(
    db: Database, settings: Settings, once: Once, actor: Actor, *, command: CreateClient
) -> NewClient:
    """A client with its first key, shown now and to repetitions of this request. Raises what `clients.create_client` does."""
    key = tokens.derived_key(settings.secret_key, clients.PREFIXES[command.kind], _seed(once))
    made = await db.write_once(once, ClientView, _client_without_key, actor, command=command, key=key)
    return NewClient(**structs.asdict(made), key=key)


async def rotate_key(
    db: Database, settings: Settings, once: Once, actor: Actor, *, client: str, command: RotateKey
) -> NewClientKey:
    """A client's next key, shown now and to repetitions of this request. Raises what `clients.rotate_key` does."""
    keys = {
        kind: tokens.derived_key(settings.secret_key, prefix, _seed(once)) for kind, prefix in clients.PREFIXES.items()
    }
    made = await db.write_once(
        once, ClientKeyView, clients.rotate_key, actor, code=client, overlap_seconds=command.overlap_seconds, keys=keys
    )
    return NewClientKey(**structs.asdict(made), key=keys[made.kind])


async def create_device(
    db: Database, settings: Settings, once: Once, actor: Actor, *, command: CreateDevice
) -> NewDevice:
    """A till or kiosk with its key, shown now and to repetitions of this request.

    Raises NotYourLocation, CodeReserved, CodeTaken, UnknownChannel.
    """
    key = tokens.derived_key(settings.secret_key, "dk", _seed(once))
    made = await db.write_once(once, DeviceView, _device_without_key, actor, command=command, key=key)
    return NewDevice(**structs.asdict(made), key=key)


async def _client_without_key(tx: Tx, actor: Actor, *, command: CreateClient, key: str) -> ClientView:
    made = structs.asdict(await clients.create_client(tx, actor, **structs.asdict(command), key=key))
    del made["key"]
    return ClientView(**made)


async def _device_without_key(tx: Tx, actor: Actor, *, command: CreateDevice, key: str) -> DeviceView:
    made = structs.asdict(await service.create_device(tx, actor, **structs.asdict(command), key=key))
    del made["key"]
    return DeviceView(**made)


def _seed(once: Once) -> str:
    return f"{once.principal} {once.operation} {once.key} {once.hash}"
