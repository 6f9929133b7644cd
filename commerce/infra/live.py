"""Live notices to open screens through Valkey pub/sub: lossy by design, beside the truth in PostgreSQL.

A notice says only that something has a new version; the listener reads the state. When Valkey is away, listeners fall back to
their own slow polling and writers go on.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType

import redis.asyncio
import structlog
from redis.exceptions import RedisError

log = structlog.get_logger()

TOPIC = "commerce.live"
PUBLISH_SECONDS = 0.5
GATHER_SECONDS = 0.02
"""What is changed within this time of a message leaves together, in the next one."""
WAITING = 10_000
"""Topics that wait to be said; more are lost, as they may be."""


class Crowded(Exception):
    """A topic has as many listeners as it may."""


class Listening:
    """A place among the listeners of a topic, from when it was taken until it is left, or nobody holds it any more: a stream that was
    never begun holds none."""

    def __init__(self, changed: asyncio.Event, leave: Callable[[], None]) -> None:
        self._changed, self._leave = changed, leave

    def __enter__(self) -> asyncio.Event:
        """An event that is set whenever the topic changed, and on closing. Clear it before reading the state."""
        return self._changed

    def __exit__(self, *raised: object) -> None:
        self._leave()

    def __del__(self) -> None:
        self._leave()


class Live:
    """One per process: publishes notices and fans incoming ones out to the streams of this process.

    Memory per listener is one flag: a slow listener sees only that its topic changed, never a backlog. Notices leave beside
    the requests that give them, those that come together in one message; a process without listeners does not subscribe.
    """

    def __init__(self, redis_url: str) -> None:
        self._redis = redis.asyncio.Redis.from_url(redis_url, socket_connect_timeout=1, socket_timeout=None)
        self._listeners: dict[str, set[asyncio.Event]] = {}
        self._changed: dict[str, None] = {}
        self._dirty = asyncio.Event()
        self._sender: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None
        self.closing = asyncio.Event()

    async def open(self) -> None:
        """Start to send; the first listener starts the listening."""
        self._sender = asyncio.create_task(self._send(), name="live-sender")

    def stop(self) -> None:
        """Tell every open stream to say its last word and end."""
        self.closing.set()
        for events in self._listeners.values():
            for event in events:
                event.set()

    async def close(self) -> None:
        """End every open stream and stop listening."""
        self.stop()
        for task in (self._sender, self._listener):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        await self._redis.aclose()

    async def ping(self) -> bool:
        """Whether Valkey answers within half a second."""
        try:
            async with asyncio.timeout(PUBLISH_SECONDS):
                return bool(await self._redis.ping())
        except (RedisError, OSError, TimeoutError):
            return False

    async def publish(self, topic: str) -> None:
        """Say that `topic` changed, soon; silently lost when Valkey is away. Does not wait."""
        if len(self._changed) < WAITING:
            self._changed[topic] = None
            self._dirty.set()

    async def _send(self) -> None:
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            topics, self._changed = self._changed, {}
            try:
                async with asyncio.timeout(PUBLISH_SECONDS):
                    await self._redis.publish(TOPIC, "\n".join(topics))
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("live.not_published", error=repr(error))
                await asyncio.sleep(PUBLISH_SECONDS)
            await asyncio.sleep(GATHER_SECONDS)

    @contextmanager
    def stopped_by_signal(self) -> Iterator[None]:
        """Inside this, SIGTERM and SIGINT end the streams at once, beside whatever else they do.

        The server says that the process stops only when its last connection has ended: without this, open streams are what
        it waits for until it is killed, and nobody hears the last word.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        earlier = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

        def heard(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.stop)
            before = earlier[signal.Signals(number)]
            if callable(before):
                before(number, frame)

        # The loop's own handlers are called through its wake-up descriptor, so these do not replace them.
        for number, before in earlier.items():
            if callable(before):
                signal.signal(number, heard)
        try:
            yield
        finally:
            for number, before in earlier.items():
                if callable(before):
                    signal.signal(number, before)

    def listen(self, topic: str, *, most: int | None = None) -> Listening:
        """Take a place among the listeners of a topic; of those who come at once no more than `most` get one. Raises Crowded."""
        listeners = self._listeners.setdefault(topic, set())
        if most is not None and len(listeners) >= most:
            raise Crowded
        if self._listener is None and self._sender is not None:
            self._listener = asyncio.create_task(self._listen(), name="live-listener")
        event = asyncio.Event()
        listeners.add(event)
        return Listening(event, partial(self._leave, topic, event))

    def _leave(self, topic: str, event: asyncio.Event) -> None:
        listeners = self._listeners.get(topic, set())
        listeners.discard(event)
        if not listeners:
            self._listeners.pop(topic, None)

    async def _listen(self) -> None:
        while True:
            try:
                async with self._redis.pubsub() as channel:
                    await channel.subscribe(TOPIC)
                    for events in self._listeners.values():
                        for event in events:
                            event.set()
                    async for message in channel.listen():
                        if message["type"] == "message":
                            for topic in message["data"].decode().split("\n"):
                                for event in self._listeners.get(topic, ()):
                                    event.set()
            except (RedisError, OSError) as error:
                log.warning("live.interrupted", error=repr(error))
                await asyncio.sleep(1)
