"""Coming in: codes leave after the commit, passwords are hashed or checked outside the transaction, tokens are made after it. And what
staff read, which is recorded before they are answered."""

from __future__ import annotations

from uuid import UUID

from msgspec import structs

from commerce import auth
from commerce.customers import consents, identifiers, proving, queries, service
from commerce.customers.schemas import AddContact, AskCode, ConsentsView, SetPassword, SignIn, SignInByCode
from commerce.infra import outbox
from commerce.infra.db import Database, Once
from commerce.infra.delivery import DeliveryFailed, Message, Post
from commerce.kernel.actor import Actor
from commerce.settings import Settings


async def ask_code(
    db: Database, settings: Settings, delivery: Post, actor: Actor, *, command: AskCode
) -> auth.CodeSent:
    """Send a code to sign in by: the same work and answer whether or not the contact is anybody's.

    Raises OneIdentifier, BadEmail, BadPhone, auth.TooManyCodes, auth.TooManyAttempts, DeliveryFailed.
    """
    kind, value = identifiers.only_one(email_text=command.email, phone_text=command.phone)
    return await _send(
        db, settings, delivery, actor, kind=kind, value=value, purpose="sign_in", language=command.language
    )


async def add_contact(
    db: Database, settings: Settings, delivery: Post, actor: Actor, *, command: AddContact
) -> auth.CodeSent:
    """Send a code to a further contact of the caller's. Raises as `ask_code`, and UnknownCustomer, FreshProofRequired."""
    kind, value = identifiers.only_one(email_text=command.email, phone_text=command.phone)
    profile = await db.read(queries.freshly_proven, actor)
    return await _send(
        db, settings, delivery, actor, kind=kind, value=value, purpose="verify", language=profile.language
    )


async def _send(
    db: Database,
    settings: Settings,
    delivery: Post,
    actor: Actor,
    *,
    kind: str,
    value: str,
    purpose: auth.Purpose,
    language: str,
) -> auth.CodeSent:
    asked = await db.write(
        auth.ask_code, actor, kind=kind, contact=value, identity=auth.identity(settings, kind, value), purpose=purpose
    )
    code = auth.derived_code(settings.secret_key, asked.id, asked.counter)
    try:
        await delivery.send(Message(to=value, kind=kind, template=purpose, code=code, language=language))
    except DeliveryFailed:
        await db.write(auth.not_sent, actor, challenge=asked.id, counter=asked.counter)
        raise
    return asked.sent


async def sign_in_by_code(
    db: Database, settings: Settings, actor: Actor, *, challenge: UUID, command: SignInByCode
) -> auth.Tokens:
    """A session for the code, and an account when nobody has verified the contact yet. Raises as `proving.sign_in_by_code`."""
    password_hash = await auth.hash_password(settings, command.password) if command.password is not None else None
    started = await db.write(
        proving.sign_in_by_code, actor, challenge=challenge, code=command.code, secret_key=settings.secret_key,
        name=command.name, language=command.language, password_hash=password_hash, device_name=command.device_name,
        idle_seconds=settings.kiosk_idle_seconds,
    )  # fmt: skip
    return auth.tokens_of(settings, started)


async def sign_in(db: Database, settings: Settings, actor: Actor, *, command: SignIn) -> auth.Tokens:
    """A session by verified e-mail or phone and password: the same answer after the same time whether or not there is an account.

    Raises auth.WrongPassword (kept), auth.TooManyAttempts, OneIdentifier, BadEmail, BadPhone.
    """
    kind, value = identifiers.only_one(email_text=command.email, phone_text=command.phone)
    found = await db.read(queries.sign_in_proof, kind=kind, value=value, identity=auth.identity(settings, kind, value))
    verified = await auth.verify(settings, found.hash, command.password)
    started = await db.write(
        service.sign_in,
        actor,
        kind=kind,
        value=value,
        proof=found,
        verified=verified,
        device_name=command.device_name,
        idle_seconds=settings.kiosk_idle_seconds,
    )
    return auth.tokens_of(settings, started)


async def set_password(db: Database, settings: Settings, once: Once, actor: Actor, *, command: SetPassword) -> None:
    """Give the caller a password, or another one. Raises as `service.set_password`.

    The claim keeps a hash of the input, and the password in it could be guessed from a plain one: it is keyed here.
    """
    proof = verified = None
    if command.current_password is not None:
        identity = auth.identity(settings, "person", str(actor.subject))
        proof = await db.read(queries.password_proof, actor, identity=identity)
        verified = await auth.verify(settings, proof.hash, command.current_password)
    password_hash = await auth.hash_password(settings, command.new_password)
    claim = structs.replace(once, hash=auth.sealed(settings, once.hash))
    return await db.write_once(
        claim, type(None), service.set_password, actor, proof=proof, verified=verified, password_hash=password_hash
    )


async def read_consents(db: Database, actor: Actor, *, customer: UUID) -> ConsentsView:
    """What a customer consents to, once it is recorded who reads it. Raises UnknownCustomer."""
    person, view = await db.read(consents.of_customer, customer=customer)
    await db.write(outbox.note_read, actor, "customer.consents_read", "customer", person, person)
    return view
