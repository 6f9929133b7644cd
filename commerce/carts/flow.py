"""Following a cart live: reads again and again between notices, each time in a transaction of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Literal

from msgspec import Struct

from commerce.carts import queries
from commerce.carts.errors import TooManyScreens
from commerce.carts.schemas import Watched
from commerce.carts.service import topic
from commerce.infra.db import Database
from commerce.infra.live import Live
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy

POLL_SECONDS = 5.0
HEARTBEAT_SECONDS = 15.0
SCREENS = 10
"""Streams of one shopper that one process keeps open."""
LIFE_SECONDS = 600.0
"""A stream ends after the life of an access token: whoever goes on proves himself again."""


class Notice(Struct, frozen=True, kw_only=True):
    """One message to an open screen: `cart` has the cart's present version, `heartbeat` nothing, `bye` is the last one."""

    event: Literal["cart", "heartbeat", "bye"]
    cart: Watched | None = None
    reason: Literal["stopping", "reconnect"] | None = None


async def follow(
    db: Database,
    live: Live,
    actor: Actor,
    *,
    cart: str,
    poll_seconds: float = POLL_SECONDS,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    life_seconds: float = LIFE_SECONDS,
) -> AsyncGenerator[Notice, None]:
    """The notices of the caller's cart: its version now, and whenever it changed. Raises UnknownCart, TooManyScreens before
    the first.

    A notice carries the state that was read after the change, so whoever connects again has lost nothing. While Valkey is
    away the version is asked for every `poll_seconds`; with every heartbeat it is asked for anyway.
    """
    first = await db.read(queries.watched, actor, cart=cart)
    if live.listeners(topic(first.owner)) >= SCREENS:
        raise TooManyScreens(most=SCREENS, retry_after_seconds=int(heartbeat_seconds))
    return _notices(db, live, actor, cart, first, poll_seconds, heartbeat_seconds, monotonic() + life_seconds)


async def _notices(
    db: Database, live: Live, actor: Actor, cart: str, state: Watched, poll_seconds: float, heartbeat_seconds: float,
    end: float,
) -> AsyncGenerator[Notice, None]:  # fmt: skip
    sent: Watched | None = None
    heartbeat_at = monotonic() + heartbeat_seconds
    while not live.closing.is_set() and monotonic() < end:
        owner = state.owner
        async with live.listen(topic(owner)) as changed:
            while state.owner == owner and not live.closing.is_set() and monotonic() < end:
                changed.clear()
                state = await _present(db, actor, cart, state)
                if state != sent:
                    yield Notice(event="cart", cart=state)
                    sent = state
                while not await _set_within(changed, min(poll_seconds, heartbeat_seconds)):
                    if monotonic() >= end:
                        break
                    if monotonic() >= heartbeat_at:
                        heartbeat_at = monotonic() + heartbeat_seconds
                        yield Notice(event="heartbeat")
                        break
                    if not await live.ping():
                        break
    yield Notice(event="bye", reason="stopping" if live.closing.is_set() else "reconnect")


async def _present(db: Database, actor: Actor, cart: str, last: Watched) -> Watched:
    try:
        return await db.read(queries.watched, actor, cart=cart)
    except Busy:
        return last


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
