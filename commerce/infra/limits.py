"""Rate limits: counted in each process, added up in Valkey beside the requests by `exchange` (decisions/0024).

Asking Valkey for each request would cost more than many a request. So a process counts in memory, in fixed windows, and tells
Valkey what it has counted whenever that is a fiftieth of a limit; the answer is the sum over all processes. A limit so holds
over all processes, but for a fiftieth of it per process and what passes during one exchange. When Valkey is away each process goes
on with its own count.

The headers are those of draft-ietf-httpapi-ratelimit-headers-06 (December 2022), the last with a field for each number.
"""

from __future__ import annotations

import asyncio
import re
import time
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, ClassVar, Literal
from uuid import UUID

import msgspec

from commerce.kernel.actor import Actor
from commerce.kernel.errors import TooMany
from commerce.settings import Network, Settings, networks

SHARE = 50
"""A process keeps to itself at most this part of a limit."""
REMEMBERED = 100_000
"""Counts of one policy in one process."""

SENSITIVE: dict[str, Any] = {"limit": "sensitive"}
"""`opt=SENSITIVE` of a route that hands out tokens or sends codes: stricter limits by address and by client."""
OF_SESSIONS: dict[str, Any] = {"limit": "session"}
"""`opt=OF_SESSIONS` of a route that goes on with a session by a secret of its own: its verb names the session (`admit_session`), and an
address has a wide limit, as a mobile operator's is that of thousands."""
UNLIMITED = ("/health/",)
WITH_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+):\d+|\[([0-9A-Fa-f:.]+)\](?::\d+)?", re.ASCII)
"""How some proxies say an address."""


class TooManyRequests(TooMany):
    code = "too-many-requests"
    title = "Too many requests"
    title_ru = "Слишком много запросов"
    detail = "More than {limit} requests in {seconds} seconds. Try again after the time in Retry-After."
    detail_ru = "Больше {limit} запросов за {seconds} с. Повторите через время из Retry-After."
    members_schema: ClassVar[dict[str, Any]] = {"limit": int, "seconds": int}


class Count(msgspec.Struct):
    """One caller's requests in one window: what Valkey knows of all processes, and what this one has not told yet."""

    window: int
    known: int
    pending: int


class Told(msgspec.Struct, frozen=True):
    """What is told of one count: its window, how many requests, and where Valkey adds them up."""

    count: Count
    window: int
    pending: int
    name: str
    key: str


class Policy:
    """So many requests in a window, for each key of one kind."""

    __slots__ = ("counts", "fields", "limit", "name", "seconds", "share")

    def __init__(self, name: str, limit: int, seconds: int) -> None:
        self.name = name
        self.limit = limit
        self.seconds = seconds
        self.share = max(1, limit // SHARE)
        self.counts: dict[Any, Count] = {}
        self.fields = ((b"ratelimit-limit", b"%d" % limit), (b"ratelimit-policy", b"%d;w=%d" % (limit, seconds)))
        """The header fields that are always the same: the quota, and the quota with its window."""


class Limits:
    """The counts of one process, and their exchange."""

    def __init__(self, settings: Settings) -> None:
        def policy(name: str, limit: int) -> Policy:
            return Policy(name, int(limit * settings.rate_limits), settings.limit_window_seconds)

        self.on = settings.rate_limits > 0
        self.seconds = settings.limit_window_seconds
        self.address = policy("address", settings.limit_address)
        self.person = policy("person", settings.limit_person)
        self.anonymous = policy("anonymous", settings.limit_anonymous)
        self.staff = policy("staff", settings.limit_staff)
        self.client = policy("client", settings.limit_client)
        self.server = policy("server", settings.limit_server)
        self.preflight = policy("preflight", settings.limit_anonymous)
        self.sensitive_address = policy("sensitive-address", settings.limit_sensitive_address)
        self.sensitive_client = policy("sensitive-client", settings.limit_sensitive_client)
        self.session = policy("session", settings.limit_session)
        self.sessions_address = policy("sessions-address", settings.limit_sessions_address)
        self.shared = False
        """Whether the last exchange reached Valkey."""
        self._proxies = networks(settings.trusted_proxies)
        self._addresses: dict[str, str] = {}
        self._waiting: set[tuple[Policy, Any]] = set()
        self.wake = asyncio.Event()
        """Set while something waits to be told."""

    # --- in the way of each request ---

    def admit(self, scope: Any, actor: Actor) -> None:
        """Count a request for everything it is limited by; what is nearest to its end goes into the answer's headers.

        Raises TooManyRequests; a refused request is not counted.
        """
        now = time.time()
        kind = actor.kind
        handler = scope.get("route_handler")
        strictness = handler.opt.get("limit") if handler is not None else None
        if kind == "shopper":
            one = self.take(self.person, actor.subject, now)
        elif kind in ("staff", "device"):
            one = self.take(self.staff, actor.subject, now)
        elif kind == "client" and actor.permissions:
            one = self.take(self.server, actor.subject, now)
        elif kind == "client" and strictness == "session":
            one = self.take(self.sessions_address, self.address_of(scope), now)
        else:
            one = self.take(self.address, self.address_of(scope), now)
        found = one
        if kind == "shopper" and not actor.known and actor.device is None:
            other = self.take(self.anonymous, self.address_of(scope), now)
            if other[1] < found[1]:
                found = other
        if actor.client is not None and not actor.permissions:
            other = self.take(self.client, actor.client, now)
            if other[1] < found[1]:
                found = other
        if strictness == "sensitive":
            found = self._strictly(scope, actor, found, now)
        self._answer(scope, found, now)

    def admit_session(self, scope: Any, actor: Actor, session: UUID | None) -> None:
        """Count a request that goes on with this session; with none, as its secret is none of ours, like one for new tokens.

        Raises TooManyRequests.
        """
        if not self.on:
            return
        now = time.time()
        found = scope["state"]["limit"]
        if session is None:
            found = self._strictly(scope, actor, found, now)
        else:
            other = self.take(self.session, session, now)
            if other[1] < found[1]:
                found = other
        self._answer(scope, found, now)

    def _strictly(self, scope: Any, actor: Actor, found: tuple[Policy, int], now: float) -> tuple[Policy, int]:
        """Count for tokens and codes, by address and by client; what is nearest to its end."""
        for policy, key in (
            (self.sensitive_address, self.address_of(scope)),
            (self.sensitive_client, actor.client or actor.device),
        ):
            other = self.take(policy, key, now)
            if other[1] < found[1]:
                found = other
        return found

    def _answer(self, scope: Any, found: tuple[Policy, int], now: float) -> None:
        scope["state"]["limit"] = found
        if found[1] < 0:
            raise TooManyRequests(retry_after_seconds=self._left(now), limit=found[0].limit, seconds=found[0].seconds)

    def admit_preflight(self, scope: Any) -> None:
        """Count a browser's question before its request, which says nothing of who asks: by address, beside the requests.

        Raises TooManyRequests; a refused one is not counted.
        """
        now = time.time()
        scope["state"]["limit"] = found = self.take(self.preflight, self.address_of(scope), now)
        if found[1] < 0:
            raise TooManyRequests(retry_after_seconds=self._left(now), limit=found[0].limit, seconds=found[0].seconds)

    def take(self, policy: Policy, key: Any, now: float) -> tuple[Policy, int]:
        """Count one request; the policy and how many more fit into the window: -1 when not even this one did."""
        window = int(now) // policy.seconds
        count = policy.counts.get(key)
        if count is None:
            if len(policy.counts) >= REMEMBERED:
                self._forget(policy, window)
            policy.counts[key] = count = Count(window, 0, 0)
        elif count.window != window:
            count.window, count.known, count.pending = window, 0, 0
        left = policy.limit - count.known - count.pending - 1
        if left < 0:
            return policy, -1
        count.pending += 1
        if count.pending >= policy.share:
            if not self._waiting:
                self.wake.set()
            self._waiting.add((policy, key))
        return policy, left

    def headers(self, found: tuple[Policy, int]) -> list[tuple[bytes, bytes]]:
        """The `RateLimit-…` fields of an answer."""
        policy, left = found
        return [
            *policy.fields,
            (b"ratelimit-remaining", b"%d" % max(0, left)),
            (b"ratelimit-reset", b"%d" % self._left(time.time())),
        ]

    def address_of(self, scope: Any) -> str:
        """The caller's address: the peer's, or what a trusted proxy says of it; of IPv6 the network (/64) that one caller has."""
        peer = (scope.get("client") or ("",))[0]
        if self._proxies and _within(peer, self._proxies):
            peer = self._forwarded(scope, peer)
        known = self._addresses.get(peer)
        if known is None:
            if len(self._addresses) >= REMEMBERED:
                self._addresses.clear()
            self._addresses[peer] = known = _whose(peer)
        return known

    def _forwarded(self, scope: Any, peer: str) -> str:
        """The last address in X-Forwarded-For that is no proxy of ours: what stands before it, the caller may have written himself."""
        said = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
        for part in reversed([part.strip() for part in said.split(",") if part.strip()]):
            match = WITH_PORT.fullmatch(part)
            address = match[1] or match[2] if match else part
            if not _is_address(address):
                return peer
            peer = address
            if not _within(address, self._proxies):
                return peer
        return peer

    def _left(self, now: float) -> int:
        return self.seconds - int(now) % self.seconds

    def _forget(self, policy: Policy, window: int) -> None:
        """Make room: past windows go, and everything when that is not enough; Valkey keeps what it was told."""
        policy.counts = {key: count for key, count in policy.counts.items() if count.window == window}
        if len(policy.counts) >= REMEMBERED:
            policy.counts = {}

    # --- beside the requests ---

    def state(self, valkey: bool) -> Literal["shared", "local", "off"]:
        """Over how many processes the limits hold, given whether Valkey answers."""
        if not self.on:
            return "off"
        return "shared" if valkey and self.shared else "local"

    def to_tell(self) -> list[Told]:
        """What has been counted here, is enough to be told, and Valkey does not know."""
        window = int(time.time()) // self.seconds
        told = []
        for policy, key in self._waiting:
            count = policy.counts.get(key)
            if count is not None and count.window == window and count.pending:
                name = f"commerce.limits.{policy.name}.{policy.seconds}.{window}"
                told.append(Told(count, window, count.pending, name, str(key)))
        return told

    def learn(self, told: list[Told], sums: list[int]) -> None:
        """Take over the sums of all processes, in the order of what was told; what was counted meanwhile waits for the next time."""
        for one, total in zip(told, sums, strict=True):
            if one.count.window == one.window:
                one.count.known = total
                one.count.pending -= one.pending
        self._waiting = {
            (policy, key) for policy, key in self._waiting
            if (count := policy.counts.get(key)) is not None and count.pending >= policy.share
        }  # fmt: skip
        if not self._waiting:
            self.wake.clear()


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _within(text: str, known: tuple[Network, ...]) -> bool:
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in known)


def _whose(peer: str) -> str:
    try:
        address = ip_address(peer)
    except ValueError:
        return peer
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Network((address, 64), strict=False))
    return str(address)
