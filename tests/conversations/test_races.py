"""Several at once: deliveries of one person, inquiries, answers, ends, joins. One outcome each; every test ends with the audit."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from commerce.app import create_app
from commerce.infra.db import Tx
from commerce.settings import Settings
from tests.conversations.talk import customer, deliver, events_of, refusal, seen, source, team, told
from tests.conversations.test_staff import ANSWER, waits
from tests.support import Shop, clock, unique

pytestmark = pytest.mark.usefixtures("audited")


@pytest.fixture(scope="module")
async def racing(shop: Shop, settings: Settings) -> AsyncIterator[Shop]:
    """A shop whose callers' requests run at the same time."""
    app = create_app(settings, clock=clock)
    started, stop = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        # One task opens and closes: pytest may end a fixture in another one.
        async with app.lifespan():
            started.set()
            await stop.wait()

    serving = asyncio.create_task(serve())
    await started.wait()
    transport = httpx.ASGITransport(app=cast(Any, app))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
        yield Shop(shop.db, cast(AsyncTestClient[Litestar], http), settings)
    stop.set()
    await serving


async def test_deliveries_of_one_handle_at_once_are_one_conversation(racing: Shop) -> None:
    code, handle = await source(racing, await team(racing)), unique("tg")
    answers = await asyncio.gather(*(deliver(racing, code, handle, f"Раз {n}") for n in range(8)))
    assert {answer.status_code for answer in answers} == {202}
    (number,) = {answer.json()["number"] for answer in answers}
    found = await seen(await racing.staff("call_center"), number)
    assert sorted(e["text"] for e in found["entries"]) == [f"Раз {n}" for n in range(8)]
    assert await events_of(racing, number) == ["opened", *["continued"] * 7]


async def test_one_delivery_many_times_at_once_is_taken_once(racing: Shop) -> None:
    code, handle, webhook, message = await source(racing, None), unique("tg"), unique("msg"), unique("m")
    answers = await asyncio.gather(
        *(deliver(racing, code, handle, webhook_id=webhook, message_id=message) for _ in range(6))
    )
    assert Counter(answer.json()["duplicate"] for answer in answers) == {True: 5, False: 1}
    (number,) = {answer.json()["number"] for answer in answers}
    assert await events_of(racing, number) == ["opened"]


async def test_one_shopper_asks_in_two_tabs(racing: Shop) -> None:
    shopper, _ = await customer(racing)
    answers = await asyncio.gather(
        *(told(shopper, "/v1/inquiries", {"kind": "call_back", "text": str(n)}, 201) for n in range(6))
    )
    assert len({answer["number"] for answer in answers}) == 1
    assert Counter(answer["appended"] for answer in answers) == {True: 5, False: 1}


async def test_two_channels_of_one_person_at_once_are_joined(racing: Shop) -> None:
    """A missed call and a call back asked for in the app are one; the form beside them is joined with it."""
    staff = await racing.staff("call_center")
    shopper, _ = await customer(racing)
    forms = {"kind": "form", "text": "?"}
    asked = await asyncio.gather(
        told(shopper, "/v1/inquiries", {"kind": "call_back"}, 201), told(shopper, "/v1/inquiries", forms, 201),
        told(shopper, "/v1/inquiries", {"kind": "message", "text": "?"}, 201),
    )  # fmt: skip
    found = [await seen(staff, one["number"]) for one in asked]
    assert Counter(one["state"] for one in found) == {"open": 1, "joined": 2}
    (head,) = [one["number"] for one in found if one["state"] == "open"]
    assert {one["joined_into"] for one in found} == {None, head}


async def test_two_answer_at_once(racing: Shop) -> None:
    first, second = await racing.staff("call_center"), await racing.staff("call_center")
    number = await waits(racing, await team(racing))
    seen_version = {"headers": {"If-Match": '"1"'}}
    answers = await asyncio.gather(
        *(who.post(f"/v1/conversations/{number}/entries", ANSWER, **seen_version) for who in (first, second))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 412]
    assert await events_of(racing, number) == ["opened", "answered"]


async def test_two_close_at_once(racing: Shop) -> None:
    staff, number = await racing.staff("call_center"), await waits(racing, await team(racing))
    ends = ({"outcome": "resolved"}, {"outcome": "no_sale", "lost": [{"reason": "price", "asked_for": "Зонт"}]})
    answers = await asyncio.gather(*(staff.post(f"/v1/conversations/{number}/close", end) for end in ends * 2))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert await events_of(racing, number) == ["opened", "closed"]


async def test_join_against_close(racing: Shop) -> None:
    staff, desk = await racing.staff("call_center"), await team(racing)
    for _ in range(4):
        one, other = await waits(racing, desk), await waits(racing, desk)
        answers = await asyncio.gather(
            staff.post(f"/v1/conversations/{one}/join", {"into": other}),
            staff.post(f"/v1/conversations/{one}/close", {"outcome": "resolved"}),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        state = (await seen(staff, one))["state"]
        assert state == ("joined" if answers[0].status_code == 200 else "closed")


async def test_crosswise_joins_end_in_one(racing: Shop) -> None:
    staff, desk = await racing.staff("call_center"), await team(racing)
    for _ in range(4):
        one, other = await waits(racing, desk), await waits(racing, desk)
        answers = await asyncio.gather(
            staff.post(f"/v1/conversations/{one}/join", {"into": other}),
            staff.post(f"/v1/conversations/{other}/join", {"into": one}),
        )
        refused = [refusal(answer) for answer in answers if answer.status_code != 200]
        assert refused in ([(409, "conversation-joined")], [(422, "joined-into-itself")])
        assert sorted([(await seen(staff, number))["state"] for number in (one, other)]) == ["joined", "open"]


async def test_a_message_against_its_end_is_never_lost(racing: Shop) -> None:
    staff, code = await racing.staff("call_center"), await source(racing, await team(racing))
    for _ in range(4):
        handle = unique("tg")
        number = (await deliver(racing, code, handle, "Первое")).json()["number"]
        delivered, closed = await asyncio.gather(
            deliver(racing, code, handle, "Второе"),
            staff.post(f"/v1/conversations/{number}/close", {"outcome": "resolved"}),
        )
        assert (delivered.status_code, closed.status_code) == (202, 200)
        where = await seen(staff, delivered.json()["number"])
        assert "Второе" in [e["text"] for e in where["entries"]]
        assert where["state"] == ("closed" if where["number"] == number else "open")


async def test_a_next_step_ends_once(racing: Shop) -> None:
    from datetime import timedelta

    staff, number = await racing.staff("call_center"), await waits(racing, await team(racing))
    due = (clock() + timedelta(days=1)).isoformat()
    step = await told(staff, f"/v1/conversations/{number}/next-steps", {"what": "x", "due_at": due}, 201)
    answers = await asyncio.gather(
        *(staff.post(f"/v1/next-steps/{step['id']}/{act}", {}) for act in ("done", "drop", "done", "drop"))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_a_channel_goes_to_one_team(racing: Shop) -> None:
    office = await racing.staff("back_office", channel="back_office")
    body = {"name": {"ru": "Команда"}, "first_answer_minutes": 5, "channels": ["social"]}
    codes = [unique("team") for _ in range(4)]
    answers = await asyncio.gather(*(office.put(f"/v1/conversation-teams/{code}", body) for code in codes))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]

    async def free(tx: Tx) -> int:
        return await tx.execute("DELETE FROM conversations.team_channels WHERE channel = 'social'")

    assert await racing.db.write(free) == 1
