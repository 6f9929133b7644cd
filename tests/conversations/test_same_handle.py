"""One telephone under which two conversations wait: asked for by somebody whom nobody knew yet, and called from by whoever has it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from commerce.customers import tables
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from tests.conversations.talk import deliver, phone, seen, source, team, told
from tests.support import Client, Shop, clock

pytestmark = pytest.mark.usefixtures("audited")


async def verified(shop: Shop, who: Client, number: str) -> None:
    """The customer has proven that the telephone is his."""

    async def work(tx: Tx) -> None:
        tx.queue(
            tables.identifiers, id=uuid7(), profile_id=who.actor.subject, kind="phone", value=number, verified_at=tx.at,
            created_at=tx.at,
        )  # fmt: skip

    await shop.db.write(work)


async def call(shop: Shop, code: str, number: str) -> Any:
    clock.travel(timedelta(minutes=1))
    answer = await deliver(shop, code, number, None, kind="missed_call")
    assert answer.status_code == 202, answer.text
    return answer.json()["number"]


async def test_who_calls_again_after_he_has_proven_his_telephone(shop: Shop) -> None:
    anna, number, exchange = await shop.shopper(known=True), phone(), await source(shop, None, "phone")
    asked = (await told(anna, "/v1/inquiries", {"kind": "call_back", "phone": number}, 201))["number"]
    missed = await call(shop, exchange, number)
    assert missed != asked
    await verified(shop, anna, number)
    assert await call(shop, exchange, number) == asked
    staff = await shop.staff("call_center")
    found = await seen(staff, asked)
    assert [entry["kind"] for entry in found["entries"]] == ["call_back", "missed_call"]
    assert [(one["number"], one["same"]) for one in found["related"]] == [(missed, "handle")]


async def test_a_message_into_an_answered_conversation_beside_one_that_waits(shop: Shop) -> None:
    """Both were asked by the same person in the same channel, and came to be of one team: the one that waits goes on."""
    anna, staff = await shop.shopper(known=True), await shop.staff("call_center")
    store = await shop.store()
    desk, theirs = await team(shop), await team(shop, store)
    first = (await told(anna, "/v1/inquiries", {"kind": "message", "text": "Раз"}, 201))["number"]
    await told(staff, f"/v1/conversations/{first}/assign", {"team": desk})
    await told(staff, f"/v1/conversations/{first}/entries", {"kind": "message_out", "text": "Да"}, 201)
    body = {"kind": "message", "text": "Два", "location": store.code}
    second = (await told(anna, "/v1/inquiries", body, 201))["number"]
    assert second != first
    assert (await seen(staff, second))["team"] == theirs
    await told(staff, f"/v1/conversations/{second}/assign", {"team": desk})
    answer = await told(anna, f"/v1/me/conversations/{first}/messages", {"text": "Три"}, 201)
    assert (answer["number"], [one["text"] for one in answer["messages"]]) == (second, ["Два", "Три"])
    assert (await seen(staff, first))["unanswered_since"] is None
