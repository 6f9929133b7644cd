""" "Call him back on Tuesday" reaches the right shop, is told when it is due, and ends once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from commerce.conversations.tasks import tell_late
from commerce.infra.db import Tx
from tests.conversations.talk import refusal, seen, team, told
from tests.conversations.test_staff import login_of, waits
from tests.support import Client, Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


async def facts(shop: Shop, step: str) -> list[str]:
    async def work(tx: Tx) -> list[str]:
        rows = await tx.rows(
            "SELECT type FROM infra.outbox WHERE aggregate_id = CAST(CAST(:id AS text) AS uuid) ORDER BY version",
            id=step,
        )
        return [row.type for row in rows]

    return await shop.db.read(work)


def in_days(days: float) -> str:
    return (clock() + timedelta(days=days)).isoformat()


async def steps_of(caller: Client, path: str) -> list[dict[str, Any]]:
    answer = await caller.get(path)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_it_reaches_the_right_shop(shop: Shop) -> None:
    here, there = await shop.store(), await shop.store()
    local = await team(shop, there)
    center, clerk, other = (
        await shop.staff("call_center"),
        await shop.staff("associate", there.code),
        await shop.staff("associate", here.code),
    )
    number = await waits(shop, await team(shop))
    body = {"what": "Перезвонить: пришёл ли 46", "due_at": in_days(2), "location": there.code}
    step = await told(center, f"/v1/conversations/{number}/next-steps", body, 201)
    assert {k: step[k] for k in ("conversation", "what", "location", "team", "state", "due", "version")} == {
        "conversation": number, "what": body["what"], "location": there.code, "team": local, "state": "open", "due": False, "version": 1,
    }  # fmt: skip
    assert await steps_of(clerk, "/v1/next-steps") == [step]
    assert await steps_of(clerk, f"/v1/stores/{there.code}/next-steps") == [step]
    assert await steps_of(other, "/v1/next-steps") == []
    assert refusal(await other.get(f"/v1/stores/{there.code}/next-steps")) == (403, "not-allowed")
    assert refusal(await other.post(f"/v1/next-steps/{step['id']}/done", {})) == (404, "unknown-next-step")
    done = await told(clerk, f"/v1/next-steps/{step['id']}/done", {"result": "Придёт в субботу"})
    assert (done["state"], done["result"], done["version"]) == ("done", "Придёт в субботу", 2)
    assert refusal(await clerk.post(f"/v1/next-steps/{step['id']}/drop", {})) == (409, "next-step-ended")
    assert await steps_of(clerk, "/v1/next-steps") == []
    assert [s["id"] for s in await steps_of(clerk, "/v1/next-steps?state=done")] == [step["id"]]
    assert (await seen(center, number))["next_steps"] == [done]
    assert await facts(shop, step["id"]) == ["next_step.planned", "next_step.done"]


async def test_it_may_be_one_persons(shop: Shop) -> None:
    store = await shop.store()
    center, clerk = await shop.staff("call_center"), await shop.staff("associate", store.code)
    number = await waits(shop, await team(shop))
    path = f"/v1/conversations/{number}/next-steps"
    body = {"what": "Написать", "due_at": in_days(1), "assignee": await login_of(shop, clerk)}
    step = await told(center, path, body, 201)
    assert await steps_of(clerk, "/v1/next-steps?assignee=me") == [step]
    dropped = await told(clerk, f"/v1/next-steps/{step['id']}/drop", {"result": "Уже купила"})
    assert (dropped["state"], dropped["result"]) == ("dropped", "Уже купила")
    assert refusal(await center.post(path, body | {"assignee": "nobody"})) == (404, "unknown-assignee")
    assert refusal(await center.post(path, body | {"team": "nothing"})) == (404, "unknown-team")
    assert refusal(await center.post(path, body | {"location": "nowhere"})) == (404, "unknown-location")
    assert refusal(await center.post(path, body | {"due_at": in_days(-1)})) == (422, "wrong-moment")
    assert refusal(await center.post(path, body | {"due_at": in_days(400)})) == (422, "wrong-moment")
    assert len((await seen(center, number))["next_steps"]) == 1


async def test_it_is_told_once_when_its_moment_comes(shop: Shop) -> None:
    center, desk = await shop.staff("call_center"), await team(shop)
    number = await waits(shop, desk)
    later, soon = [
        await told(center, f"/v1/conversations/{number}/next-steps", {"what": "x", "due_at": in_days(days)}, 201)
        for days in (3, 1)
    ]
    assert [s["id"] for s in await steps_of(center, f"/v1/next-steps?team={desk}")] == [soon["id"], later["id"]]
    clock.travel(timedelta(days=2))
    await tell_late(shop.db)
    await tell_late(shop.db)
    assert await facts(shop, soon["id"]) == ["next_step.planned", "next_step.due"]
    assert await facts(shop, later["id"]) == ["next_step.planned"]
    center = await shop.staff("call_center")
    until = clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [(s["id"], s["due"]) for s in await steps_of(center, f"/v1/next-steps?team={desk}&until={until}")] == [
        (soon["id"], True)
    ]
    await told(center, f"/v1/next-steps/{soon['id']}/done", {})
    assert await facts(shop, soon["id"]) == ["next_step.planned", "next_step.due", "next_step.done"]
