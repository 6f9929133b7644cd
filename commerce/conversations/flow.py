"""What comes signed from outside, and the secrets for it: made again from the server key whenever they are needed. And what staff read of
a conversation, which is recorded before they are answered."""

from __future__ import annotations

from msgspec import Struct, structs

from commerce.conversations import desk, queries, service, signatures
from commerce.conversations.errors import WrongSignature
from commerce.conversations.schemas import (
    ConversationView,
    CreateSource,
    InboundMessage,
    MessageSourceView,
    ReceivedView,
    SourceSecret,
)
from commerce.infra import outbox
from commerce.infra.db import Database, Once
from commerce.kernel.actor import Actor, system
from commerce.settings import Settings


class Signed(Struct, frozen=True):
    """The headers and the bytes that a signature is about."""

    webhook_id: str | None
    timestamp: str | None
    signature: str | None
    body: bytes


async def receive(
    db: Database, settings: Settings, actor: Actor, *, code: str, signed: Signed, message: InboundMessage
) -> ReceivedView:
    """A message from a source, once its signature is right by the present secret, or the one before for 24 hours.

    Raises WrongSignature and as `service.receive`.
    """
    source = await db.read(queries.valid_source, code=code)
    if (
        source is None
        or not signed.webhook_id
        or not signed.timestamp
        or not signed.signature
        or not signatures.is_fresh(signed.timestamp, db.clock())
        or not signatures.is_genuine(
            settings.secret_key, code, source.versions, webhook_id=signed.webhook_id, timestamp=signed.timestamp,
            signature=signed.signature, body=signed.body,
        )
    ):  # fmt: skip
        raise WrongSignature
    machine = structs.replace(system(), request_id=actor.request_id)
    return await db.write(
        service.receive, machine, source=source, webhook_id=signed.webhook_id, message=message,
        secret_key=settings.secret_key,
    )  # fmt: skip


async def create_source(
    db: Database, settings: Settings, once: Once, actor: Actor, *, command: CreateSource
) -> SourceSecret:
    """A source and its secret. Raises as `desk.create_source`."""
    made = await db.write_once(once, MessageSourceView, desk.create_source, actor, command=command)
    return _with_secret(settings, made)


async def rotate_source(db: Database, settings: Settings, once: Once, actor: Actor, *, code: str) -> SourceSecret:
    """A source and its next secret. Raises as `desk.rotate_source`."""
    return _with_secret(settings, await db.write_once(once, MessageSourceView, desk.rotate_source, actor, code=code))


def _with_secret(settings: Settings, made: MessageSourceView) -> SourceSecret:
    secret = signatures.secret(settings.secret_key, made.code, made.secret_version)
    return SourceSecret(**structs.asdict(made), secret=secret)


async def read(db: Database, actor: Actor, *, number: str) -> ConversationView:
    """A conversation, once it is recorded who reads it. Raises what `queries.read` raises."""
    view = await db.read(queries.read, actor, number=number)
    await db.write(outbox.note_read, actor, "conversation.read", "conversation", view.id, view.customer)
    return view
