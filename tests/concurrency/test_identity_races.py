"""Who comes in when many try at once: one outcome each, and the audit is clean.

The requests run in this loop, beside each other, on the pools of a real application.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import pytest

from commerce import auth, customers
from commerce.auth.tables import challenges, code_limits, principals, sessions
from commerce.customers.tables import identifiers, merges, profiles
from tests.auth.support import count, row_of
from tests.customers.support import fresh_email, fresh_phone, refusal, rows_of, sign_in, story_of, wrong
from tests.support import Client, Shop

pytestmark = pytest.mark.usefixtures("audited")

VERIFY = "/v1/me/identifiers/verify"


def tally(answers: Iterable[Any]) -> Counter[Any]:
    return Counter("in" if answer.is_success else refusal(answer)[1] for answer in answers)


async def test_of_many_guesses_at_a_code_five_are_judged(racers: Shop) -> None:
    client, phone = await racers.client(), fresh_phone()
    challenge, code = await racers.code_for(client, phone=phone)
    answers = await asyncio.gather(*(sign_in(client, challenge, wrong(code, n + 1)) for n in range(12)))
    assert tally(answers) == {"wrong-code": 5, "code-over": 7}
    assert sorted(a.json()["attempts_left"] for a in answers if "attempts_left" in a.json()) == [0, 1, 2, 3, 4]
    assert refusal(await sign_in(client, challenge, code)) == (401, "code-over")
    assert (await row_of(racers, challenges, id=UUID(challenge))).attempts == 5
    (limits,) = await rows_of(racers, code_limits, identity=auth.identity(racers.settings, "phone", phone))
    assert len(limits.misses) == 5
    assert await rows_of(racers, identifiers, value=phone) == []


async def test_of_many_guesses_at_a_contact_ten_are_judged_over_all_its_codes(racers: Shop) -> None:
    phone = fresh_phone()
    askers = [await racers.shopper() for _ in range(3)]
    asked = [(asker, *(await racers.code_for(asker, phone=phone))) for asker in askers]
    guesses = [sign_in(asker, challenge, wrong(code, n + 1)) for n in range(5) for asker, challenge, code in asked]
    answers = await asyncio.gather(*guesses)
    assert tally(answers) == {"wrong-code": 10, "too-many-attempts": 5}
    (limits,) = await rows_of(racers, code_limits, identity=auth.identity(racers.settings, "phone", phone))
    assert len(limits.misses) == 10


async def test_a_code_used_twice_at_once_opens_once(racers: Shop) -> None:
    client = await racers.client()
    before = await count(racers, sessions)
    challenge, code = await racers.code_for(client, phone=fresh_phone())
    answers = await asyncio.gather(*(sign_in(client, challenge, code) for _ in range(6)))
    assert tally(answers) == {"in": 1, "code-over": 5}
    assert await count(racers, sessions) == before + 1


async def test_two_new_devices_prove_one_phone_at_once_and_get_into_one_account(racers: Shop) -> None:
    for anonymous in (True, False):
        phone = fresh_phone()
        devices = [await (racers.shopper() if anonymous else racers.client()) for _ in range(4)]
        asked = [(device, *(await racers.code_for(device, phone=phone))) for device in devices]
        people = len(await rows_of(racers, principals, kind="shopper"))
        answers = await asyncio.gather(*(sign_in(*one) for one in asked))
        assert tally(answers) == {"in": 4}
        (owner,) = {answer.json()["subject"] for answer in answers}
        (kept,) = await rows_of(racers, identifiers, value=phone)
        assert (str(kept.profile_id), kept.verified_at is not None) == (owner, True)
        assert len(await rows_of(racers, principals, kind="shopper")) == people + (0 if anonymous else 1)
        assert await story_of(racers, UUID(owner)) == [("signed_up", 1)]
        for answer in answers:
            me = Client(racers.http, answer.json()["access_token"])
            assert (await me.get("/v1/me")).json()["phone"] == phone


async def test_one_signs_up_by_a_phone_while_another_adds_it(racers: Shop) -> None:
    """Whoever is judged first has it: the other comes into his account, or hears that it is elsewhere."""
    for _ in range(3):
        phone = fresh_phone()
        known, device = await racers.signed_up(email=fresh_email()), await racers.client()
        adding, add_code = await racers.code_for(known, verify=True, phone=phone)
        coming, code = await racers.code_for(device, phone=phone)
        added, came = await asyncio.gather(
            known.post(VERIFY, {"challenge_id": adding, "code": add_code}), sign_in(device, coming, code)
        )
        assert came.status_code == 201, came.text
        (kept,) = [row for row in await rows_of(racers, identifiers, value=phone) if row.verified_at is not None]
        assert str(kept.profile_id) == came.json()["subject"]
        if added.status_code == 200:
            assert kept.profile_id == known.actor.subject
        else:
            assert refusal(added) == (409, "identifier-elsewhere")
            assert (await known.get("/v1/me")).json()["phone"] is None


async def test_many_ask_for_a_code_at_once_and_one_is_sent(racers: Shop) -> None:
    client, phone = await racers.client(), fresh_phone()
    answers = await asyncio.gather(*(client.post("/v1/auth/codes", {"phone": phone}) for _ in range(8)))
    assert tally(answers) == {"in": 1, "too-many-codes": 7}
    identity = auth.identity(racers.settings, "phone", phone)
    assert len(await rows_of(racers, challenges, identity=identity)) == 1
    askers = [await racers.shopper() for _ in range(8)]
    answers = await asyncio.gather(*(asker.post("/v1/auth/codes", {"phone": phone}) for asker in askers))
    assert tally(answers) == {"in": 4, "too-many-codes": 4}


async def test_a_refresh_token_traded_by_many_is_traded_once_and_ends_the_session(racers: Shop) -> None:
    client = await racers.client()
    challenge, code = await racers.code_for(client, phone=fresh_phone())
    first = (await sign_in(client, challenge, code)).json()
    trade = {"refresh_token": first["refresh_token"]}
    answers = await asyncio.gather(*(client.post("/v1/auth/refresh", trade) for _ in range(8)))
    assert tally(answers) == {"in": 1, "refresh-token-reused": 7}
    kept = await row_of(racers, sessions, id=UUID(first["session_id"]))
    assert (kept.refresh_no, kept.revoked_reason, kept.proof) == (2, "refresh_token_reused", "code")


async def test_merged_twice_and_crosswise_at_once(racers: Shop) -> None:
    operator = await racers.staff("call_center")

    async def merge(winner: Client, loser: Client) -> Any:
        body = {"loser": str(loser.actor.subject), "reason": "One person"}
        return await operator.post(f"/v1/customers/{winner.actor.subject}/merge", body)

    for _ in range(2):
        a, b, c = [await racers.signed_up() for _ in range(3)]
        answers = await asyncio.gather(merge(a, b), merge(b, a), merge(a, b), merge(b, c), merge(c, a), merge(c, b))
        outcomes = tally(answers)
        assert outcomes["in"] + outcomes["already-merged"] == 6
        assert outcomes["in"] == 2, "three are one after two merges, whatever the order"
        family = [await racers.db.read(customers.ids_of, one.actor.subject) for one in (a, b, c)]
        assert {tuple(ids) for ids in family} == {tuple(family[0])}
        assert len(family[0]) == 3
        standing = [await row_of(racers, profiles, id=one.actor.subject) for one in (a, b, c)]
        assert sum(profile.merged_into is None for profile in standing) == 1
        assert sum([len(await rows_of(racers, merges, loser_id=one.actor.subject)) for one in (a, b, c)]) == 2


async def test_parted_by_two_at_once_while_its_owner_goes_on(racers: Shop) -> None:
    operator = await racers.staff("call_center")
    me, old = await racers.signed_up(), await racers.signed_up()
    body = {"loser": str(old.actor.subject), "reason": "One person"}
    assert (await operator.post(f"/v1/customers/{me.actor.subject}/merge", body)).status_code == 200
    part = f"/v1/customers/{old.actor.subject}/unmerge"
    *parted, changed = await asyncio.gather(
        *(operator.post(part, {"reason": "Two people"}) for _ in range(3)), me.patch("/v1/me", {"name": "Анна"})
    )
    assert tally(parted) == {"in": 1, "not-merged": 2}
    assert changed.status_code == 200, changed.text
    assert (await row_of(racers, profiles, id=me.actor.subject)).version == 4
    assert await racers.db.read(customers.ids_of, old.actor.subject) == [old.actor.subject]


async def test_two_accounts_of_one_person_each_take_the_other_at_once(racers: Shop) -> None:
    """Each proves the contact of the other and wants to merge: one wins, the other is told to try again or is merged already."""
    phone, email = fresh_phone(), fresh_email()
    one, two = await racers.signed_up(phone=phone), await racers.signed_up(email=email)
    first, first_code = await racers.code_for(one, verify=True, email=email)
    second, second_code = await racers.code_for(two, verify=True, phone=phone)
    answers = await asyncio.gather(
        one.post(VERIFY, {"challenge_id": first, "code": first_code, "merge": True}),
        two.post(VERIFY, {"challenge_id": second, "code": second_code, "merge": True}),
    )
    outcomes = tally(answers)
    assert outcomes["in"] >= 1
    assert outcomes["in"] + outcomes["busy"] == 2
    family = await racers.db.read(customers.ids_of, one.actor.subject)
    assert sorted(family) == sorted([one.actor.subject, two.actor.subject])
    assert sum([len(await rows_of(racers, merges, loser_id=who)) for who in family]) == 1


async def test_a_guest_is_noted_by_many_at_once(racers: Shop) -> None:
    guest, email, phone = await racers.shopper(), fresh_email(), fresh_phone()
    who = guest.actor.subject
    said: list[dict[str, str]] = [{"email": email}, {"phone": phone}, {"name": "Пётр", "email": email}] * 3
    await asyncio.gather(*(racers.db.write(customers.note_guest, guest.actor, person=who, **words) for words in said))
    profile = await row_of(racers, profiles, id=who)
    assert (profile.guest, profile.name) == (True, "Пётр")
    held = await rows_of(racers, identifiers, profile_id=who)
    assert sorted((row.kind, row.value) for row in held) == [("email", email), ("phone", phone)]
    assert len(await story_of(racers, who)) == profile.version
