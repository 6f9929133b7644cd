"""Callers and calls of the tests of conversations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx
import msgspec

from commerce import conversations
from commerce.conversations import signatures
from commerce.conversations.schemas import CreateSource, SaveTeam
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from tests.support import Client, Shop, Store, clock, unique

_phones = iter(range(79_100_000_000, 79_199_999_999))


def phone() -> str:
    """A phone that nobody else has."""
    return f"+{next(_phones)}"


async def customer(shop: Shop, *, verified: bool = True, number: str | None = None) -> tuple[Client, str]:
    """A known shopper with a phone in his profile."""
    from commerce.customers import tables

    who, number = await shop.shopper(known=True), number or phone()

    async def work(tx: Tx) -> None:
        tx.queue(
            tables.identifiers, id=uuid7(), profile_id=who.actor.subject, kind="phone", value=number,
            verified_at=tx.at if verified else None, created_at=tx.at,
        )  # fmt: skip

    await shop.db.write(work)
    return who, number


async def team(shop: Shop, store: Store | None = None, *, minutes: int = 30, channels: Any = ()) -> str:
    """A team, of a store or of the chain."""
    code = unique("team")
    command = SaveTeam(
        name={"ru": "Команда"},
        first_answer_minutes=minutes,
        location=store.code if store else None,
        channels=list(channels),
    )
    await shop.db.write(conversations.save_team, shop.system, code=code, command=command)
    return code


async def source(shop: Shop, team_code: str | None, channel: str = "messenger", location: str | None = None) -> str:
    """A source of messages."""
    code = unique("source")
    command = msgspec.convert({"code": code, "channel": channel, "team": team_code, "location": location}, CreateSource)
    await shop.db.write(conversations.create_source, shop.system, command=command)
    return code


def secret(shop: Shop, code: str, version: int = 1) -> str:
    return signatures.secret(shop.settings.secret_key, code, version)


async def deliver(
    shop: Shop,
    code: str,
    handle: str,
    text: str | None = "Добрый день",
    *,
    kind: str = "message",
    webhook_id: str | None = None,
    message_id: str | None = None,
    signed_with: str | None = None,
    signature: str | None = None,
    timestamp: int | None = None,
    body: bytes | None = None,
    occurred_at: datetime | None = None,
    name: str | None = None,
    verified_phone: str | None = None,
) -> httpx.Response:
    """One webhook, signed by the source's first secret unless another is given."""
    webhook_id = webhook_id or unique("msg")
    if body is None:
        message: dict[str, Any] = {
            "message_id": message_id or unique("m"), "from": {"handle": handle}, "kind": kind,
            "occurred_at": (occurred_at or clock()).isoformat(),
        }  # fmt: skip
        message |= {"text": text} if text is not None else {}
        message["from"] |= {"name": name} if name else {}
        message["from"] |= {"phone": verified_phone} if verified_phone else {}
        body = msgspec.json.encode(message)
    stamp = str(timestamp if timestamp is not None else int(clock().timestamp()))
    if signature is None:
        signature = signatures.sign(
            signed_with or secret(shop, code), webhook_id=webhook_id, timestamp=stamp, body=body
        )
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": stamp,
        "webhook-signature": signature,
        "content-type": "application/json",
    }
    return await shop.http.post(f"/v1/webhooks/messages/{code}", content=body, headers=headers)


async def told(caller: Client, path: str, body: Any = None, status: int = 200, **kwargs: Any) -> dict[str, Any]:
    """A POST that ends with the status."""
    answer = await caller.post(path, body, **kwargs)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def seen(caller: Client, number: str) -> dict[str, Any]:
    answer = await caller.get(f"/v1/conversations/{number}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


async def events_of(shop: Shop, number: str) -> list[str]:
    """The types of a conversation's events, by version."""

    async def work(tx: Tx) -> list[str]:
        rows = await tx.rows(
            "SELECT type FROM infra.outbox WHERE aggregate = 'conversation' AND payload ->> 'number' = :number ORDER BY version",
            number=number,
        )
        return [row.type.removeprefix("conversation.") for row in rows]

    return await shop.db.read(work)
