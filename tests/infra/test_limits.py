"""Rate limits: headers and refusals, one limit over several processes, Valkey away and back, whose address it is."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient
from redis.connection import parse_url

from commerce.app import create_app
from commerce.infra import exchange
from commerce.infra import limits as module
from commerce.infra.exchange import Exchange
from commerce.infra.limits import Limits, Policy
from commerce.kernel.ids import uuid7
from commerce.settings import Settings, SettingsError
from tests.support import Client, Shop, clock, unique

CATEGORIES = "/v1/catalog/categories"
_windows = itertools.count(3600, -1)


def low(settings: Settings, **limits: Any) -> Settings:
    """Real limits, in a window of its own length: no test counts into another's, and none lives to see its end."""
    return msgspec.structs.replace(settings, rate_limits=1, limit_window_seconds=next(_windows), **limits)


@asynccontextmanager
async def process(settings: Settings) -> AsyncIterator[AsyncTestClient[Litestar]]:
    """One more process of the API."""
    async with AsyncTestClient(create_app(settings, clock=clock)) as http:
        yield http


def through(http: AsyncTestClient[Litestar], caller: Client) -> Client:
    return Client(http, caller.token)


async def test_the_headers_count_down_and_the_next_request_is_refused(shop: Shop, settings: Settings) -> None:
    strict = low(settings, limit_person=3)
    async with process(strict) as http:
        person, other = await shop.shopper(), await shop.shopper()
        caller = through(http, person)
        for left in (2, 1, 0):
            answer = await caller.get(CATEGORIES)
            assert answer.status_code == 200
            assert answer.headers["ratelimit-limit"] == "3"
            assert answer.headers["ratelimit-remaining"] == str(left)
            assert 0 < int(answer.headers["ratelimit-reset"]) <= strict.limit_window_seconds
            assert answer.headers["ratelimit-policy"] == f"3;w={strict.limit_window_seconds}"
        answer = await caller.get(CATEGORIES, headers={"accept-language": "ru"})
        assert answer.status_code == 429
        body = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert (body["type"], body["limit"], body["seconds"]) == (
            "/problems/too-many-requests", 3, strict.limit_window_seconds,
        )  # fmt: skip
        assert body["title"] == "Слишком много запросов"
        assert answer.headers["ratelimit-remaining"] == "0"
        assert abs(int(answer.headers["retry-after"]) - int(answer.headers["ratelimit-reset"])) <= 1
        assert (await through(http, other).get(CATEGORIES)).status_code == 200
        assert (await Client(http, None).get("/health/live")).headers.get("ratelimit-limit") is None


async def test_nothing_is_done_by_a_refused_request(shop: Shop, settings: Settings) -> None:
    async with process(low(settings, limit_person=1)) as http:
        caller = through(http, await shop.shopper())
        assert (await caller.get("/v1/auth/sessions")).status_code == 200
        answer = await caller.post("/v1/auth/sign-out")
        assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-requests")
    assert (await Client(shop.http, caller.token).get("/v1/auth/sessions")).status_code == 200


async def test_each_kind_of_caller_has_a_limit_of_its_own(shop: Shop, settings: Settings) -> None:
    store = await shop.store()
    async with process(low(settings, limit_staff=7, limit_server=6, limit_address=5, limit_client=3)) as http:
        for caller, limit in (
            (await shop.staff("associate"), "7"),
            (await shop.device("till", store.code), "7"),
            (await shop.server({"stock.read": ["*"]}), "6"),
            (shop.anybody(), "5"),
            (await shop.client(), "3"),
        ):
            answer = await through(http, caller).get(CATEGORIES)
            assert answer.headers["ratelimit-limit"] == limit
        assert (await Client(http, "pk_" + "x" * 32).get(CATEGORIES)).headers["ratelimit-limit"] == "5"


async def test_what_hands_out_tokens_is_limited_by_address_and_by_client(shop: Shop, settings: Settings) -> None:
    async with process(low(settings, limit_sensitive_address=2)) as http:
        one, other = through(http, await shop.client()), through(http, await shop.client())
        assert (await one.post("/v1/auth/anonymous", {})).headers["ratelimit-limit"] == "2"
        assert (await other.post("/v1/auth/anonymous", {})).status_code == 201
        answer = await one.post("/v1/auth/anonymous", {})
        assert (answer.status_code, answer.json()["limit"]) == (429, 2)
        assert (await one.get(CATEGORIES)).status_code == 200
    async with process(low(settings, limit_sensitive_client=1)) as http:
        assert (await through(http, one).post("/v1/auth/anonymous", {})).status_code == 201
        assert (await through(http, one).post("/v1/auth/anonymous", {})).status_code == 429
        assert (await through(http, other).post("/v1/auth/anonymous", {})).status_code == 201


async def test_shoppers_count_for_the_client_they_came_through(shop: Shop, settings: Settings) -> None:
    async with process(low(settings, limit_client=3)) as http:
        frontend = through(http, await shop.client())
        people = [
            Client(http, (await frontend.post("/v1/auth/anonymous", {})).json()["access_token"]) for _ in range(2)
        ]
        assert [(await person.get(CATEGORIES)).status_code for person in people] == [200, 429]


async def test_a_browsers_questions_are_counted_by_address_beside_its_requests(shop: Shop, settings: Settings) -> None:
    ours = f"https://{unique('shop')}.example"
    await shop.client(origins=[ours])
    asking = {"Origin": ours, "Access-Control-Request-Method": "PUT"}
    async with process(low(settings, limit_anonymous=2)) as http:
        for left in (1, 0):
            answer = await http.request("OPTIONS", CATEGORIES, headers=asking)
            assert (answer.status_code, answer.headers["ratelimit-remaining"]) == (204, str(left))
        answer = await http.request("OPTIONS", CATEGORIES, headers=asking)
        assert (answer.status_code, answer.json()["type"], answer.json()["limit"]) == (
            429,
            "/problems/too-many-requests",
            2,
        )
        assert 0 < int(answer.headers["retry-after"]) <= int(answer.headers["ratelimit-policy"].partition("w=")[2])
        assert answer.headers["access-control-allow-origin"] == ours, "the page may read why"
        assert (await http.request("OPTIONS", "/health/live", headers=asking)).status_code == 204
        caller = through(http, await shop.shopper())
        assert [(await caller.get(CATEGORIES)).status_code for _ in range(3)] == [200, 200, 429]
    async with process(msgspec.structs.replace(settings, rate_limits=0)) as http:
        answer = await http.request("OPTIONS", CATEGORIES, headers=asking)
        assert (answer.status_code, answer.headers.get("ratelimit-limit")) == (204, None)


async def test_tokens_of_nobody_are_counted_together_by_address(shop: Shop, settings: Settings) -> None:
    """Whoever has gathered anonymous tokens has no more of the shop than his address; who has signed in is counted by himself."""
    async with process(low(settings, limit_anonymous=2)) as http:
        people = [through(http, await shop.shopper()) for _ in range(3)]
        assert [(await person.get(CATEGORIES)).status_code for person in people] == [200, 200, 429]
        assert (await people[0].get(CATEGORIES)).json()["limit"] == 2
        assert (await through(http, await shop.shopper(known=True)).get(CATEGORIES)).status_code == 200


async def test_two_processes_share_a_limit_through_valkey(
    shop: Shop, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "EXCHANGE_SECONDS", 0.01)
    strict = low(settings, limit_person=10)
    person = await shop.shopper()
    async with process(strict) as one, process(strict) as two:
        here, there = through(one, person), through(two, person)
        for _ in range(6):
            assert (await here.get(CATEGORIES)).status_code == 200
        await asyncio.sleep(0.1)
        assert (await there.get(CATEGORIES)).status_code == 200
        await asyncio.sleep(0.1)
        answer = await there.get(CATEGORIES)
        assert answer.headers["ratelimit-remaining"] == "2"
        await asyncio.sleep(0.1)
        assert [(await there.get(CATEGORIES)).status_code for _ in range(3)] == [200, 200, 429]
        await asyncio.sleep(0.1)
        assert (await here.get(CATEGORIES)).status_code == 200  # has not heard of the others yet: at most one exchange
        await asyncio.sleep(0.1)
        assert (await here.get(CATEGORIES)).status_code == 429
        assert (await Client(one, None).get("/health/ready")).json()["limits"] == "shared"


async def test_the_api_serves_and_limits_while_valkey_is_away(shop: Shop, settings: Settings) -> None:
    away = msgspec.structs.replace(low(settings, limit_person=2), redis_url="redis://127.0.0.1:1")
    async with process(away) as http:
        caller = through(http, await shop.shopper())
        assert [(await caller.get(CATEGORIES)).status_code for _ in range(3)] == [200, 200, 429]
        answer = await Client(http, None).get("/health/ready")
        assert answer.status_code == 200
        body = answer.json()
        assert (body["status"], body["valkey"], body["limits"]) == ("degraded", False, "local")


async def test_limits_can_be_switched_off(shop: Shop, settings: Settings) -> None:
    off = msgspec.structs.replace(settings, rate_limits=0, limit_person=1)
    async with process(off) as http:
        caller = through(http, await shop.shopper())
        for _ in range(3):
            answer = await caller.get(CATEGORIES)
            assert answer.status_code == 200
            assert "ratelimit-limit" not in answer.headers
        assert (await Client(http, None).get("/health/ready")).json()["limits"] == "off"


class Wire:
    """A port that leads to Valkey while it is up."""

    def __init__(self, settings: Settings) -> None:
        known: Any = parse_url(settings.redis_url)  # type: ignore[no-untyped-call]
        self._host, self._port = known["host"], known["port"]
        self._server: asyncio.Server | None = None
        self._open: list[asyncio.StreamWriter] = []
        self._rest = settings.redis_url.rpartition(f":{self._port}")
        self.port = 0

    @property
    def url(self) -> str:
        return f"{self._rest[0]}:{self.port}{self._rest[2]}"

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.close()
        self._open.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(self._host, self._port)
        self._open += [writer, there_writer]
        await asyncio.gather(_pipe(reader, there_writer), _pipe(there_reader, writer))


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def until(reached: Any) -> None:
    for _ in range(1_000):
        if reached():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("not reached in twenty seconds")


async def test_counts_are_local_while_valkey_is_away_and_are_added_up_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "EXCHANGE_SECONDS", 0.01)
    monkeypatch.setattr(exchange, "AWAY_SECONDS", 0.02)
    wire, strict, who = Wire(settings), low(settings, limit_person=10), uuid7()
    await wire.up()
    here, there = Limits(strict), Limits(strict)
    exchanges = Exchange(here, wire.url), Exchange(there, settings.redis_url)
    for one in exchanges:
        await one.open()
    try:
        await until(lambda: here.shared and there.shared)
        await wire.down()
        now = time.time()
        assert here.take(here.person, who, now)[1] == 9
        await until(lambda: not here.shared)
        assert here.state(valkey=False) == "local"
        assert [here.take(here.person, who, now)[1] for _ in range(3)] == [8, 7, 6]
        assert there.take(there.person, who, now)[1] == 9
        await wire.up()
        await until(lambda: here.shared and here.person.counts[who].pending == 0)
        assert here.person.counts[who].known == 5
        assert here.state(valkey=True) == "shared"
        assert here.take(here.person, who, now)[1] == 4
    finally:
        for one in exchanges:
            await one.close()
        await wire.down()


async def test_a_process_keeps_to_itself_no_more_than_a_fiftieth(settings: Settings) -> None:
    limits = Limits(low(settings, limit_person=500))
    told = Exchange(limits, settings.redis_url)
    who, now = uuid7(), time.time()
    for _ in range(9):
        limits.take(limits.person, who, now)
    await told.turn()
    assert limits.person.counts[who].known == 0
    limits.take(limits.person, who, now)
    await told.turn()
    assert (limits.person.counts[who].known, limits.person.counts[who].pending) == (10, 0)
    await told.close()


def test_a_new_window_begins_at_nothing(settings: Settings) -> None:
    limits = Limits(low(settings, limit_person=2))
    who = uuid7()
    now = float(limits.seconds * 1000)
    assert [limits.take(limits.person, who, now + passed)[1] for passed in (0, 1, 2, limits.seconds)] == [1, 0, -1, 1]


def test_counts_do_not_grow_without_end(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 100)
    limits = Limits(low(settings))
    for n in range(1000):
        limits.take(limits.address, str(n), time.time())
        limits.address_of({"client": (f"10.0.{n // 250}.{n % 250}", 1), "headers": []})
    assert len(limits.address.counts) <= 100
    assert len(limits._addresses) <= 100


@pytest.mark.parametrize(
    ("peer", "said", "whose"),
    [
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),  # not one of our proxies: what it says is its own invention
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "nonsense", "10.0.0.1"),
        ("10.0.0.1", "192.0.2.66, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
        ("::ffff:198.51.100.1", "", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),  # a proxy that calls where both families are listened to
        ("10.0.0.1", "198.51.100.1, ::ffff:10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, 198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "192.0.2.66, [2001:db8:1:2::6]:4711", "2001:db8:1:2::/64"),
        ("testclient", "198.51.100.1", "testclient"),
    ],
)
def test_whose_address_it_is(settings: Settings, peer: str, said: str, whose: str) -> None:
    limits = Limits(msgspec.structs.replace(settings, trusted_proxies="10.0.0.0/8, 2001:db8:ffff::/48"))
    headers = [(b"x-forwarded-for", said.encode())] if said else []
    assert limits.address_of({"client": (peer, 50_000), "headers": headers}) == whose


def test_proxies_that_do_not_parse_are_refused_at_the_start() -> None:
    environment = {"DATABASE_URL": "x", "REDIS_URL": "y", "TRUSTED_PROXIES": "10.0.0.0/8, everybody"}
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES"):
        Settings.from_environment(environment)
    assert Settings.from_environment(environment | {"TRUSTED_PROXIES": "10.0.0.0/8"}).trusted_proxies == "10.0.0.0/8"


def test_in_development_one_machine_may_play_everybody() -> None:
    needed = {"DATABASE_URL": "x", "REDIS_URL": "y"}
    assert Settings.from_environment(needed).rate_limits == 100
    assert Settings.from_environment(needed | {"RATE_LIMITS": "0.5"}).rate_limits == 0.5
    assert Settings.from_environment(needed | {"ENVIRONMENT": "test"}).rate_limits == 1


def test_counting_costs_microseconds(settings: Settings) -> None:
    """In the way of each request are a few operations on a dict, and never a call."""
    limits = Limits(low(settings, limit_person=10_000_000))
    policy: Policy = limits.person
    people = [uuid7() for _ in range(1000)]
    now = time.time()
    started = time.process_time()
    for _ in range(20):
        for who in people:
            limits.take(policy, who, now)
    each = (time.process_time() - started) / 20_000
    assert each < 20e-6, f"{each * 1e6:.1f} microseconds"


async def test_behind_one_address_many_sessions_refresh(shop: Shop, settings: Settings) -> None:
    frontend = await shop.client()
    asked = [(await frontend.post("/v1/auth/anonymous", {})).json() for _ in range(6)]
    strict = low(
        settings,
        limit_address=1,
        limit_sensitive_address=2,
        limit_session=2,
        limit_sessions_address=14,
        limit_client=99,
    )
    async with process(strict) as http:
        caller = through(http, frontend)

        async def refresh(token: str) -> tuple[int, str]:
            answer = await caller.post("/v1/auth/refresh", {"refresh_token": token})
            return answer.status_code, answer.headers["ratelimit-limit"]

        for one in asked:
            answer = await caller.post("/v1/auth/refresh", {"refresh_token": one["refresh_token"]})
            assert (answer.status_code, answer.headers["ratelimit-remaining"]) == (200, "1"), answer.text
            one["refresh_token"] = answer.json()["refresh_token"]
        token = asked[0]["refresh_token"]
        assert await refresh(token) == (200, "2")
        assert await refresh(token) == (429, "2"), "each session has its own few"
        assert [await refresh(f"rt_{n}") for n in range(3)] == [(401, "2"), (401, "2"), (429, "2")]
        assert await refresh(asked[1]["refresh_token"]) == (200, "2"), "guesses of a neighbour rest nobody's session"
        assert (await refresh(asked[2]["refresh_token"]))[0] == 200
        assert await refresh(asked[3]["refresh_token"]) == (200, "14")
        assert await refresh(asked[4]["refresh_token"]) == (429, "14"), "nor is one address all of them"
        assert (await caller.post("/v1/auth/anonymous", {})).status_code == 429
