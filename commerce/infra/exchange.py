"""Adds up the processes' counts for the rate limits in Valkey, beside the requests."""

from __future__ import annotations

import asyncio
import contextlib

import redis.asyncio
import structlog
from redis.exceptions import RedisError

from commerce.infra.limits import Limits

log = structlog.get_logger()

EXCHANGE_SECONDS = 0.1
"""What comes together in this time travels in one call."""
AWAY_SECONDS = 1.0
"""Between two attempts to reach Valkey again."""

ADD = """
local sums = {}
for i = 2, #ARGV, 3 do
    sums[#sums + 1] = redis.call('HINCRBY', ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
for _, key in ipairs(KEYS) do
    redis.call('EXPIRE', key, ARGV[1], 'NX')
end
return sums
"""


class Exchange:
    """One per process. While Valkey is away it tries again each second, and the process goes on with its own counts."""

    def __init__(self, limits: Limits, redis_url: str) -> None:
        self._limits = limits
        self._redis = redis.asyncio.Redis.from_url(redis_url, socket_connect_timeout=1, socket_timeout=1)
        self._add = self._redis.register_script(ADD)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start to exchange counts."""
        if self._limits.on:
            self._task = asyncio.create_task(self._run(), name="limits")

    async def close(self) -> None:
        """Stop; what has not been told is lost with the process."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._redis.aclose()

    async def _run(self) -> None:
        limits = self._limits
        while True:
            try:
                if not limits.shared:
                    await self._redis.ping()
                    limits.shared = True
                await limits.wake.wait()
                await asyncio.sleep(EXCHANGE_SECONDS)
                await self.turn()
            except (RedisError, OSError, TimeoutError) as error:
                if limits.shared:
                    log.warning("limits.local", error=repr(error))
                limits.shared = False
                await asyncio.sleep(AWAY_SECONDS)

    async def turn(self) -> None:
        """Tell Valkey what has been counted here and learn the sums, in one call."""
        told = self._limits.to_tell()
        sums: list[int] = []
        if told:
            arguments: list[str | int] = [2 * self._limits.seconds]
            for one in told:
                arguments += (one.name, one.key, one.pending)
            sums = await self._add(keys=list({one.name for one in told}), args=arguments)
        self._limits.learn(told, sums)
