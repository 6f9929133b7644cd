"""What brought a shopper here: it cannot be rebuilt later."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from msgspec import convert, structs

from commerce.customers.errors import EmptyTouch
from commerce.customers.schemas import RecordTouch, Touches, TouchView
from commerce.customers.tables import touches
from commerce.infra.db import Tx
from commerce.kernel.actor import Actor
from commerce.kernel.ids import uuid7

KEPT = 1000
"""Touches of one shopper: the first for good, and the newest others."""
COLUMNS = "at, channel, source, medium, campaign, content, term, click_id, referrer, landing_path, store_qr"
SURPLUS = """
DELETE FROM customers.touches WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER (ORDER BY at, id) AS n, count(*) OVER () AS kept FROM customers.touches WHERE shopper_id = :shopper
    ) one WHERE n > 1 AND n <= kept - :room
)
"""
FIRST_AND_LAST = f"""
(SELECT {COLUMNS} FROM customers.touches
 WHERE shopper_id = ANY(CAST(:ids AS uuid[])) AND (CAST(:until AS timestamptz) IS NULL OR at <= CAST(:until AS timestamptz))
 ORDER BY at, id LIMIT 1)
UNION ALL
(SELECT {COLUMNS} FROM customers.touches
 WHERE shopper_id = ANY(CAST(:ids AS uuid[])) AND (CAST(:until AS timestamptz) IS NULL OR at <= CAST(:until AS timestamptz))
 ORDER BY at DESC, id DESC LIMIT 1)
"""  # noqa: S608
FORGET = """
DELETE FROM customers.touches WHERE id IN (
    SELECT id FROM customers.touches WHERE at < :before ORDER BY at LIMIT :limit FOR UPDATE SKIP LOCKED
)
"""


async def record(tx: Tx, actor: Actor, *, command: RecordTouch) -> TouchView:
    """Keep what brought the shopper here now. Of more than a thousand the first and the newest stay. Raises EmptyTouch."""
    values = _values(command)
    if not any(values.values()):
        raise EmptyTouch
    await tx.execute(SURPLUS, shopper=actor.person, room=KEPT - 2)
    tx.queue(touches, id=uuid7(), shopper_id=actor.person, at=tx.at, channel=actor.channel, **values)
    return TouchView(at=tx.at, channel=actor.channel, **values)


async def touches_of(tx: Tx, ids: Sequence[UUID], *, until: datetime | None = None) -> Touches:
    """The first and the last touch of a person given all his ids, up to and at a moment when one is named. One statement."""
    rows = await tx.rows(FIRST_AND_LAST, ids=list(ids), until=until)
    if not rows:
        return Touches()
    first, last = (convert(dict(row), TouchView) for row in rows)
    return Touches(first=first, last=last)


FOLLOW = """
WITH led AS MATERIALIZED (
    SELECT id FROM customers.touches
    WHERE shopper_id = :stranger AND NOT EXISTS (SELECT FROM customers.profiles WHERE id = :stranger)
), person AS MATERIALIZED (
    SELECT id FROM customers.profiles WHERE id = :person AND erased_at IS NULL AND EXISTS (SELECT FROM led) FOR SHARE
)
UPDATE customers.touches t SET shopper_id = person.id FROM led, person WHERE t.id = led.id
"""


async def follow(tx: Tx, actor: Actor, *, person: UUID) -> None:
    """The anonymous shopper who signs in turns out to be a customer: what had brought him here, had brought the customer. One statement.

    Who has a profile of his own, as guests have, keeps them: they count for whomever he is merged into.
    """
    if actor.kind == "shopper" and not actor.known and actor.subject != person:
        await tx.execute(FOLLOW, person=person, stranger=actor.subject)


async def forget_touches(tx: Tx, *, before: datetime, limit: int) -> int:
    """Forget a chunk of touches that are older; how many. What led to an order is kept with it."""
    return await tx.execute(FORGET, before=before, limit=limit)


def _values(command: RecordTouch) -> dict[str, Any]:
    values = structs.asdict(command)
    if command.referrer is not None:
        values["referrer"] = _without_query(command.referrer)
    if command.landing_path is not None:
        values["landing_path"] = _path_of(command.landing_path)
    return values


def _without_query(address: str) -> str | None:
    """Host and path of an address: what follows may hold anything about anybody."""
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        host = parts.hostname
    except ValueError:
        return None
    return f"{host}{parts.path}".rstrip("/") if host else None


def _path_of(address: str) -> str | None:
    try:
        return urlsplit(address).path or "/"
    except ValueError:
        return None
