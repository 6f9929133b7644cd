"""Coming in: passwords are hashed and checked in threads, outside the transaction; tokens are made after the commit.

Nothing that opens a door is stored: a repeated request makes its key again from the server key.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec import structs

from commerce.auth import queries, service, tokens
from commerce.auth.errors import RefreshTokenInvalid
from commerce.auth.passwords import hash_password, verify
from commerce.auth.schemas import (
    ClientView,
    CreateClient,
    CreateDevice,
    CreateStaff,
    DeviceView,
    NewClient,
    NewDevice,
    RefreshSession,
    SignInAnonymously,
    SignInStaff,
    StaffView,
    Tokens,
)
from commerce.auth.service import Started
from commerce.infra.db import Database, Once, Tx
from commerce.kernel.actor import Actor
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
    started = await db.write(service.sign_in_anonymously, actor, device_name=command.device_name)
    return tokens_of(settings, started)


async def sign_in_staff(db: Database, settings: Settings, actor: Actor, *, command: SignInStaff) -> Tokens:
    """Staff by password: the same answer after the same time whether or not the login exists.

    Raises WrongPassword (kept), TooManyAttempts, NotAtThisStore.
    """
    login = command.login.strip().lower()
    proof = await db.read(queries.proof_of_staff, identity=identity(settings, "staff", login), login=login)
    verified = await verify(settings, proof.hash, command.password)
    started = await db.write(
        service.sign_in_staff, actor, proof=proof, verified=verified, device_name=command.device_name
    )
    return tokens_of(settings, started)


async def refresh(db: Database, settings: Settings, actor: Actor, *, command: RefreshSession) -> Tokens:
    """The next pair for a refresh token. Raises RefreshTokenReused (kept), RefreshTokenInvalid."""
    found = tokens.read_refresh_token(settings.secret_key, command.refresh_token)
    if found is None:
        raise RefreshTokenInvalid
    started = await db.write(service.refresh, actor, session=found[0], number=found[1])
    return tokens_of(settings, started)


async def create_staff(
    db: Database, settings: Settings, once: Once, actor: Actor, *, command: CreateStaff
) -> StaffView:
    """Let a member of staff in. Raises CodeTaken, MayNotGrant.

    The claim keeps a hash of the input, and the password in it could be guessed from a plain one: it is keyed here.
    """
    password_hash = await hash_password(settings, command.password)
    claim = structs.replace(once, hash=sealed(settings, once.hash))
    return await db.write_once(
        claim, StaffView, service.create_staff, actor,
        login=command.login, name=command.name, password_hash=password_hash, roles=command.roles,
    )  # fmt: skip


async def create_client(
    db: Database, settings: Settings, once: Once, actor: Actor, *, command: CreateClient
) -> NewClient:
    """A frontend with its publishable key, shown now and to repetitions of this request. Raises CodeTaken, UnknownChannel."""
    key = tokens.derived_key(settings.secret_key, "pk", _seed(once))
    made = await db.write_once(once, ClientView, _client_without_key, actor, command=command, key=key)
    return NewClient(**structs.asdict(made), key=key)


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
    made = structs.asdict(await service.create_client(tx, actor, **structs.asdict(command), key=key))
    del made["key"]
    return ClientView(**made)


async def _device_without_key(tx: Tx, actor: Actor, *, command: CreateDevice, key: str) -> DeviceView:
    made = structs.asdict(await service.create_device(tx, actor, **structs.asdict(command), key=key))
    del made["key"]
    return DeviceView(**made)


def _seed(once: Once) -> str:
    return f"{once.principal} {once.operation} {once.key} {once.hash}"
