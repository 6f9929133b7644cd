"""Passwords: argon2id in threads of their own, so that neither the event loop nor a transaction waits for it.

The argon2-cffi defaults (RFC 9106, second recommended option), in development too; only tests and the invented people of the
demonstration take the cheapest, because they make hundreds at once. A cheap hash is made anew at the next sign-in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Annotated, ParamSpec, TypeVar

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from commerce.kernel.errors import Busy
from commerce.kernel.text import NO_NUL
from commerce.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")

NewPassword = Annotated[
    str, msgspec.Meta(min_length=8, max_length=200, pattern=NO_NUL, description="8 to 200 characters of any kind")
]
"""Length only, no rules of composition (NIST SP 800-63B, 5.1.1.2)."""
Password = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=NO_NUL)]

THREADS = 2
"""One hash takes 64 MiB and tens of milliseconds; more threads than cores only take more memory."""
LONGEST_QUEUE = 64

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="passwords")
_waiting = 0


class Verified(msgspec.Struct, frozen=True):
    """Whether a password is right, and its hash anew when the stored one is cheaper than what is asked for today."""

    right: bool
    rehashed: str | None = None


@lru_cache
def hasher(environment: str) -> PasswordHasher:
    """The hasher of a deployment."""
    if environment == "test":
        return PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    return PasswordHasher()


@lru_cache
def nobody(environment: str) -> str:
    """A hash of the deployment's cost that no password has: checking it takes as long as checking a real one."""
    cost = hasher(environment)
    costs = f"m={cost.memory_cost},t={cost.time_cost},p={cost.parallelism}"
    return f"$argon2id$v=19${costs}${'A' * 22}${'A' * 43}"


async def hash_password(settings: Settings, password: str) -> str:
    """The argon2id hash of a new password. Call it before `db.write`. Raises Busy when too many wait."""
    return await _aside(_hash, settings.environment, password)


async def verify(settings: Settings, stored: str | None, password: str) -> Verified:
    """Whether a password is right; takes as long when nothing is stored. Raises Busy when too many wait."""
    return await _aside(_verify, settings.environment, stored, password)


def _hash(environment: str, password: str) -> str:
    return hasher(environment).hash(password)


def _verify(environment: str, stored: str | None, password: str) -> Verified:
    cost = hasher(environment)
    try:
        cost.verify(stored or nobody(environment), password)
    except (VerificationError, InvalidHashError):
        return Verified(False)
    stale = stored is not None and cost.check_needs_rehash(stored)
    return Verified(stored is not None, cost.hash(password) if stale else None)


async def _aside(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    global _waiting  # noqa: PLW0603 - one queue of one process
    if _waiting >= LONGEST_QUEUE:
        raise Busy(retry_after_seconds=1)
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_pool, partial(work, *args, **kwargs))
    finally:
        _waiting -= 1
