"""Signing up and in: the password is hashed or checked outside the transaction, tokens are made after the commit."""

from __future__ import annotations

from commerce import auth
from commerce.customers import identifiers, queries, service
from commerce.customers.errors import AlreadySignedUp
from commerce.customers.schemas import SignIn, SignUp
from commerce.infra.db import Database
from commerce.kernel.actor import Actor
from commerce.settings import Settings


async def sign_up(db: Database, settings: Settings, actor: Actor, *, command: SignUp) -> auth.Tokens:
    """An account and its first session. Raises as `service.sign_up`."""
    if actor.known:
        raise AlreadySignedUp
    password_hash = await auth.hash_password(settings, command.password)
    started = await db.write(
        service.sign_up,
        actor,
        email=command.email,
        phone=command.phone,
        name=command.name,
        language=command.language,
        password_hash=password_hash,
        device_name=command.device_name,
        idle_seconds=settings.kiosk_idle_seconds,
    )
    return auth.tokens_of(settings, started)


async def sign_in(db: Database, settings: Settings, actor: Actor, *, command: SignIn) -> auth.Tokens:
    """A session by e-mail or phone and password: the same answer after the same time whether or not there is an account.

    Raises auth.WrongPassword (kept), auth.TooManyAttempts, OneIdentifier, BadEmail, BadPhone.
    """
    kind, value = identifiers.only_one(email_text=command.email, phone_text=command.phone)
    found = await db.read(queries.sign_in_proof, kind=kind, value=value, identity=auth.identity(settings, kind, value))
    verified = await auth.verify(settings, found.proof.hash, command.password)
    started = await db.write(
        service.sign_in,
        actor,
        person=found.person,
        proof=found.proof,
        verified=verified,
        device_name=command.device_name,
        idle_seconds=settings.kiosk_idle_seconds,
    )
    return auth.tokens_of(settings, started)
