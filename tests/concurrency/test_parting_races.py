"""Two who were taken for one are parted while one of them comes in or changes by what he is known: he is himself, never the other.

The parting holds its locks until the request waits for them, so the order is always the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from commerce import customers
from commerce.auth import kiosk
from commerce.auth.schemas import ClaimPass
from commerce.auth.tables import passwords, principals, sessions
from commerce.customers.tables import identifiers
from commerce.infra.db import Tx
from commerce.people import service as people
from tests.auth.support import row_of
from tests.customers.support import fresh_email, fresh_phone, refusal, rows_of, sign_in
from tests.support import Client, Shop

pytestmark = pytest.mark.usefixtures("audited")

NEW = "klyukva-fonar-77"


@asynccontextmanager
async def held(shop: Shop, verb: Any, actor: Any, /, **named: Any) -> AsyncIterator[None]:
    """A verb that has done its work and not committed; it commits a moment after the block began to wait for it."""
    done, go = asyncio.Event(), asyncio.Event()

    async def work(tx: Tx) -> None:
        await verb(tx, actor, **named)
        done.set()
        await go.wait()

    async def release() -> None:
        await asyncio.sleep(0.3)
        go.set()

    running = asyncio.create_task(shop.db.write(work))
    await asyncio.wait({running, asyncio.create_task(done.wait())}, return_when=asyncio.FIRST_COMPLETED)
    releasing = asyncio.create_task(release())
    yield
    await asyncio.gather(running, releasing)


async def two_as_one(shop: Shop, **command: Any) -> tuple[Client, Client, str]:
    """An account, another that was merged into it by mistake, and the other's phone."""
    phone = fresh_phone()
    winner, loser = await shop.signed_up(), await shop.signed_up(phone=phone, **command)
    await shop.merge(loser, winner)
    return winner, loser, phone


async def parting(shop: Shop, loser: Client) -> Any:
    operator = await shop.staff("call_center")
    command = customers.UnmergeCustomer(reason="Two people")
    return held(shop, customers.unmerge, operator.actor, customer=loser.actor.subject, command=command)


async def live(shop: Shop, who: Client) -> list[Any]:
    return [row for row in await rows_of(shop, sessions, principal_id=who.actor.subject) if row.revoked_at is None]


async def test_who_comes_in_by_a_code_while_he_is_parted_comes_in_as_himself(racers: Shop) -> None:
    winner, loser, phone = await two_as_one(racers)
    client = await racers.client()
    challenge, code = await racers.code_for(client, phone=phone)
    async with await parting(racers, loser):
        answer = await sign_in(client, challenge, code)
    if answer.status_code == 503:
        answer = await sign_in(client, challenge, code)
    assert answer.status_code == 201, answer.text
    assert answer.json()["subject"] == str(loser.actor.subject)
    assert await live(racers, winner) == []


async def test_who_comes_in_by_a_password_while_he_is_parted_comes_in_as_himself(racers: Shop) -> None:
    winner, loser, phone = await two_as_one(racers, password=NEW)
    client, body = await racers.client(), {"phone": phone, "password": NEW}
    async with await parting(racers, loser):
        answer = await client.post("/v1/auth/sign-in", body)
    if answer.status_code == 503:
        answer = await client.post("/v1/auth/sign-in", body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["subject"] == str(loser.actor.subject)
    assert await live(racers, winner) == []


async def test_the_password_of_who_is_parted_is_not_the_others(racers: Shop) -> None:
    winner, loser, _ = await two_as_one(racers)
    async with await parting(racers, loser):
        answer = await loser.put("/v1/me/password", {"new_password": NEW})
    assert answer.status_code in (204, 403), answer.text
    assert await row_of(racers, passwords, principal_id=winner.actor.subject) is None


async def test_what_he_proves_while_he_is_parted_does_not_open_the_others_account(racers: Shop) -> None:
    winner, loser, _ = await two_as_one(racers)
    email = fresh_email()
    challenge, code = await racers.code_for(loser, verify=True, email=email)
    async with await parting(racers, loser):
        await loser.post("/v1/me/identifiers/verify", {"challenge_id": challenge, "code": code})
    assert await rows_of(racers, identifiers, profile_id=winner.actor.subject, value=email) == []


async def test_who_is_erased_while_he_comes_in_has_no_session(racers: Shop) -> None:
    phone = fresh_phone()
    me, client = await racers.signed_up(phone=phone, password=NEW), await racers.client()
    challenge, code = await racers.code_for(client, phone=phone)
    named = {"device_name": "Телефон Анны"}
    async with held(racers, people.erase, racers.system, customer=me.actor.subject):
        await client.post("/v1/auth/sign-in", {"phone": phone, "password": NEW} | named)
    assert (await row_of(racers, principals, id=me.actor.subject)).disabled_at is not None
    assert await live(racers, me) == []
    assert refusal(await client.post("/v1/auth/sign-in", {"phone": phone, "password": NEW})) == (401, "wrong-password")
    answer = await sign_in(client, challenge, code)
    assert answer.json()["subject"] != str(me.actor.subject), "somebody new, as the shop knows"


async def test_who_is_erased_when_he_has_just_come_to_a_kiosk_has_no_session(racers: Shop) -> None:
    me, store = await racers.signed_up(), await racers.store()
    device = await racers.device("kiosk", store.code)
    shown = (await me.post("/v1/auth/passes")).json()["code"]
    command = ClaimPass(code=shown, device_name="Киоск")
    secret = racers.settings.secret_key
    async with held(racers, kiosk.claim, device.actor, command=command, secret_key=secret, idle_seconds=120):
        await racers.db.write(people.erase, racers.system, customer=me.actor.subject)
    assert len(await rows_of(racers, sessions, principal_id=me.actor.subject)) == 2
    assert await live(racers, me) == []
