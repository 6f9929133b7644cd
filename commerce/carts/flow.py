"""Following a cart live: reads again and again between notices, each time in a transaction of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from time import monotonic
from typing import Literal

from msgspec import Struct

from commerce.carts import queries
from commerce.carts.errors import TooManyScreens, UnknownCart
from commerce.carts.schemas import Watched
from commerce.carts.service import topic
from commerce.infra.db import Database
from commerce.infra.live import Crowded, Listening, Live
from commerce.kernel.actor import Actor
from commerce.kernel.errors import Busy

POLL_SECONDS = 2.5
HEARTBEAT_SECONDS = 15.0
SCREENS = 10
"""Streams of one shopper that one process keeps open."""
LIFE_SECONDS = 600.0
"""A stream ends after the life of an access token: whoever goes on proves himself again."""


class Notice(Struct, frozen=True, kw_only=True):
    """One message to an open screen: `cart` has the cart's present version, `heartbeat` nothing, `bye` is the last one."""

    event: Literal["cart", "heartbeat", "bye"]
    cart: Watched | None = None
    reason: Literal["stopping", "reconnect", "signed_out", "left", "ordered", "merged", "expired"] | None = None
    """Why it is the last: the server stops; the stream is as old as a token may be; the session has ended; the caller no longer has
    to do with the cart; the cart (asked for by its id) is closed."""


def _always() -> bool:
    return True


async def follow(
    db: Database,
    live: Live,
    actor: Actor,
    *,
    cart: str,
    known: str | None = None,
    stands: Callable[[], bool] = _always,
    poll_seconds: float = POLL_SECONDS,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    life_seconds: float = LIFE_SECONDS,
) -> AsyncGenerator[Notice, None]:
    """The notices of the caller's cart: its version now, and whenever it changed. Raises UnknownCart, NoCartHere,
    TooManyScreens before the first.

    A notice carries the state that was read after the change, so whoever connects again has lost nothing; `known` is the last that he
    has (Last-Event-ID), which is not said again. `stands` says whether his credential is still good: within seconds the stream of one
    whose is not ends. While Valkey is away the version is asked for every `poll_seconds`; with every heartbeat it is asked for anyway.
    """
    first = await db.read(queries.watched, actor, cart=cart)
    try:
        place = live.listen(topic(first.owner), most=SCREENS)
    except Crowded as error:
        raise TooManyScreens(most=SCREENS, retry_after_seconds=int(heartbeat_seconds)) from error
    return _notices(
        db, live, actor, cart, first, place, known, stands, poll_seconds, heartbeat_seconds, monotonic() + life_seconds
    )


async def _notices(
    db: Database, live: Live, actor: Actor, cart: str, state: Watched, place: Listening | None, known: str | None,
    stands: Callable[[], bool], poll_seconds: float, heartbeat_seconds: float, end: float,
) -> AsyncGenerator[Notice, None]:  # fmt: skip
    sent = state if state.entity_tag == known else None
    heartbeat_at = monotonic() + heartbeat_seconds
    while not live.closing.is_set() and monotonic() < end:
        owner = state.owner
        try:
            listening, place = place or live.listen(topic(owner), most=SCREENS), None
        except Crowded:
            break
        with listening as changed:
            while state.owner == owner and not live.closing.is_set() and monotonic() < end:
                changed.clear()
                try:
                    state = await _present(db, actor, cart, state)
                except UnknownCart:
                    yield Notice(event="bye", reason="left")
                    return
                if state != sent:
                    yield Notice(event="cart", cart=state)
                    sent = state
                if state.state != "open":
                    yield Notice(event="bye", reason=state.state)
                    return
                while not await _set_within(changed, min(poll_seconds, heartbeat_seconds)):
                    if monotonic() >= end:
                        break
                    if not stands():
                        break
                    if monotonic() >= heartbeat_at:
                        heartbeat_at = monotonic() + heartbeat_seconds
                        yield Notice(event="heartbeat")
                        break
                    if not await live.ping():
                        break
                if not stands():
                    yield Notice(event="bye", reason="signed_out")
                    return
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
