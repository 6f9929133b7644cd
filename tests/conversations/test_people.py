"""What other rooms ask of it: the timeline of a person, splitting by hand, export, erasure, retention; and the reports."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from commerce import conversations, customers
from commerce.conversations import queries
from commerce.infra.db import Tx
from commerce.kernel.ids import uuid7
from tests.conversations.talk import customer, deliver, events_of, phone, refusal, seen, source, team, told
from tests.conversations.test_staff import ANSWER, waits
from tests.orders.story import place
from tests.people import story
from tests.support import Client, Shop, clock, unique

pytestmark = pytest.mark.usefixtures("audited")


async def history(shop: Shop, staff: Client, desk: str) -> tuple[Client, str, str]:
    """A known customer with a closed talk in a shop and an open message with a next step."""
    known, _ = await customer(shop)
    talk = await told(
        staff, "/v1/conversations",
        {
            "channel": "in_store", "summary": "Примеряла", "subject": "Пуховик", "customer": str(known.actor.subject), "team": desk,
            "outcome": {"outcome": "no_sale", "lost": [{"reason": "size", "asked_for": "Пуховик 46"}], "note": "Жаль"},
        }, 201,
    )  # fmt: skip
    clock.travel(timedelta(minutes=1))
    number = (await deliver(shop, await source(shop, desk), unique("tg"), "Пришёл?")).json()["number"]
    await told(staff, f"/v1/conversations/{number}/link", {"customer": str(known.actor.subject)})
    due = (clock() + timedelta(days=1)).isoformat()
    await told(staff, f"/v1/conversations/{number}/next-steps", {"what": "Ответить Анне", "due_at": due}, 201)
    return known, talk["number"], number


async def test_the_timeline_of_a_person(shop: Shop) -> None:
    staff, desk = await shop.staff("call_center"), await team(shop)
    known, talk, number = await history(shop, staff, desk)
    ids = [known.actor.subject]

    async def work(tx: Tx, /, **more: Any) -> list[conversations.PersonConversation]:
        return await conversations.of_people(tx, await customers.ids_of(tx, ids[0]), **more)

    found = await shop.db.read(work)
    assert [(c.number, c.channel, c.state, c.summary, c.next_step, c.outcome) for c in found] == [
        (number, "messenger", "open", "Пришёл?", "Ответить Анне", None), (talk, "in_store", "closed", "Жаль", None, "no_sale"),
    ]  # fmt: skip
    assert [c.number for c in await shop.db.read(work, before=found[0].opened_at)] == [talk]
    assert [c.number for c in await shop.db.read(work, limit=1)] == [number]


async def test_export_and_erasure(shop: Shop) -> None:
    staff, desk = await shop.staff("call_center"), await team(shop)
    known, talk, number = await history(shop, staff, desk)
    other, _ = await customer(shop)
    kept = (await told(other, "/v1/inquiries", {"kind": "message", "text": "Моё"}, 201))["number"]
    ids = [known.actor.subject]
    found = await shop.db.read(conversations.export_person, ids=ids)
    assert [(c["number"], c["subject"]) for c in found["conversations"]] == [(talk, "Пуховик"), (number, None)]
    assert found["conversations"][1]["handle"].startswith("tg-")
    assert [e["text"] for e in found["entries"] if e["text"]] == ["Примеряла", "Жаль", "Пришёл?"]
    assert [s["task"] for s in found["next_steps"]] == ["Ответить Анне"]
    assert [d["asked_for"] for d in found["lost_demands"]] == ["Пуховик 46"]
    for _ in range(2):
        await shop.db.write(conversations.erase_person, shop.system, ids=ids)
    after = await shop.db.read(conversations.export_person, ids=ids)
    text = str(after)
    assert [word for word in ("Примеряла", "Жаль", "Пришёл", "Анне", "Пуховик", "tg-") if word in text] == []
    assert [(c["number"], c["state"], c["outcome"]) for c in after["conversations"]] == [
        (talk, "closed", "no_sale"), (number, "closed", "erased"),
    ]  # fmt: skip
    assert [s["state"] for s in after["next_steps"]] == ["dropped"]
    assert await events_of(shop, talk) == ["opened", "closed", "forgotten"]
    assert await events_of(shop, number) == ["opened", "linked", "forgotten"]
    for path, body in (("entries", {"kind": "note", "text": "x"}), ("reopen", None), ("link", {"order": "1"})):
        assert refusal(await staff.post(f"/v1/conversations/{number}/{path}", body)) == (409, "conversation-closed")
    assert [e["text"] for e in (await seen(staff, kept))["entries"]] == ["Моё"]
    assert (await known.get("/v1/me/conversations")).json()["items"] == []


async def test_a_joined_one_is_erased_and_the_other_goes_on(shop: Shop) -> None:
    staff, desk = await shop.staff("call_center"), await team(shop)
    (anna, _), (boris, _) = await customer(shop), await customer(shop)
    code = await source(shop, desk)
    first, second = [(await deliver(shop, code, unique("tg"), word)).json()["number"] for word in ("Раз", "Два")]
    await told(staff, f"/v1/conversations/{first}/join", {"into": second})
    found = {
        c["number"]: c
        for c in (await staff.get(f"/v1/conversations?team={desk}&state=open&state=joined")).json()["items"]
    }
    for number, who in ((first, anna), (second, boris)):
        await shop.db.write(
            conversations.reassign, shop.system, conversation=found[number]["id"], person=who.actor.subject
        )
    await told(staff, f"/v1/conversations/{second}/entries", ANSWER, 201)
    assert (await seen(staff, second))["state"] == "open"
    await shop.db.write(conversations.erase_person, shop.system, ids=[anna.actor.subject])
    whole = await seen(staff, second)
    assert whole["state"] == "waiting"
    assert [e["text"] for e in whole["entries"] if e["kind"] == "message_in"] == [None, "Два"]


async def test_by_hand_to_another_person(shop: Shop) -> None:
    staff, desk = await shop.staff("call_center"), await team(shop)
    (anna, _), (boris, _) = await customer(shop), await customer(shop)
    number = (await told(anna, "/v1/inquiries", {"kind": "message", "text": "?"}, 201))["number"]
    found = await seen(staff, number)
    await shop.db.write(conversations.reassign, shop.system, conversation=found["id"], person=boris.actor.subject)
    assert (await seen(staff, number))["customer"] == str(boris.actor.subject)
    assert (await anna.get("/v1/me/conversations")).json()["items"] == []
    with pytest.raises(customers.UnknownCustomer):
        await shop.db.write(conversations.reassign, shop.system, conversation=found["id"], person=found["id"])
    with pytest.raises(conversations.UnknownConversation):
        await shop.db.write(
            conversations.reassign, shop.system, conversation=boris.actor.subject, person=boris.actor.subject
        )
    assert desk


async def test_what_was_closed_long_ago_is_forgotten(shop: Shop) -> None:
    staff, desk = await shop.staff("call_center"), await team(shop)
    clock.travel(timedelta(days=-800))
    old = await waits(shop, desk)
    await told(staff, f"/v1/conversations/{old}/close", {"outcome": "resolved", "note": "Хорошо"})
    clock.back_to_present()
    young = await waits(shop, desk)
    await told(staff, f"/v1/conversations/{young}/close", {"outcome": "resolved", "note": "Хорошо"})
    before = clock() - timedelta(days=730)
    assert await shop.db.write(conversations.forget_before, shop.system, before=before) == 1
    assert await shop.db.write(conversations.forget_before, shop.system, before=before) == 0
    assert {e["text"] for e in (await seen(staff, old))["entries"]} == {None}
    assert [e["text"] for e in (await seen(staff, young))["entries"]] == ["Добрый день", "Хорошо"]


async def test_how_the_teams_answer(shop: Shop) -> None:
    store = await shop.store()
    desk = await team(shop, store, minutes=30)
    staff, clerk = await shop.staff("call_center"), await shop.staff("associate", store.code)
    numbers = [await waits(shop, desk) for _ in range(4)]
    for minutes, number in zip((10, 10, 20), numbers[:3], strict=True):
        clock.travel(timedelta(minutes=minutes))
        await told(staff, f"/v1/conversations/{number}/entries", ANSWER, 201)
    await told(staff, f"/v1/conversations/{numbers[0]}/close", {"outcome": "resolved"})
    today = clock().date()
    period = f"from={today - timedelta(days=1)}&until={today}"
    for who in (staff, clerk):
        found = (await who.get(f"/v1/conversations/summary?{period}")).json()
        mine = next(one for one in found["teams"] if one["team"] == desk)
        median = mine.pop("median_first_answer_seconds")
        assert 20 * 60 <= median < 20 * 60 + 60
        assert mine == {
            "team": desk, "open": 1, "overdue": 1, "opened": 4, "answered": 3, "answered_late": 1, "outcomes": {"resolved": 1},
        }  # fmt: skip
    assert [one["team"] for one in found["teams"]] == [desk]
    wrong = await staff.get(f"/v1/conversations/summary?from={today}&until={today - timedelta(days=1)}")
    assert refusal(wrong) == (422, "wrong-moment")


async def test_lost_demand_is_added_up(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    desk, staff = await team(shop, store), await shop.staff("call_center")
    for quantity in (1, 4):
        number = await waits(shop, desk)
        lost = [
            {"reason": "no_stock", "sku": item.sku, "quantity": quantity},
            {"reason": "other", "asked_for": f"Зонт {item.sku}"},
        ]
        await told(staff, f"/v1/conversations/{number}/close", {"outcome": "no_sale", "lost": lost})
    office = await shop.staff("back_office", channel="back_office")
    day = clock().date()
    path = f"/v1/lost-demands?from={day}&until={day}&location={store.code}"
    found = (await office.get(path)).json()["lines"]
    assert found == [
        {
            "sku": item.sku,
            "asked_for": None,
            "reason": "no_stock",
            "location": store.code,
            "quantity": 5,
            "conversations": 2,
        },
        {
            "sku": None,
            "asked_for": f"Зонт {item.sku}",
            "reason": "other",
            "location": store.code,
            "quantity": 2,
            "conversations": 2,
        },
    ]
    assert len((await office.get(f"{path}&sku={item.sku}")).json()["lines"]) == 1
    assert len((await office.get(f"{path}&reason=price")).json()["lines"]) == 0
    clerk = await shop.staff("associate", store.code)
    assert refusal(await clerk.get(path)) == (403, "not-allowed")


async def test_what_two_profiles_wait_for_is_joined_when_they_are_one(shop: Shop) -> None:
    staff, desk = await shop.staff("call_center"), await team(shop)
    (anna, number), (same, other) = await customer(shop), await customer(shop)
    exchange, mail = await source(shop, desk, "phone"), await source(shop, desk)
    first = (await deliver(shop, exchange, number, None, kind="missed_call")).json()["number"]
    clock.travel(timedelta(minutes=1))
    second = (await deliver(shop, mail, unique("tg"), "Перезвоните", verified_phone=other)).json()["number"]
    clock.travel(timedelta(minutes=1))
    third = (await deliver(shop, exchange, other, None, kind="missed_call")).json()["number"]
    assert (first != second, (await seen(staff, third))["joined_into"]) == (True, second)
    await shop.merge(same, anna)
    await story.told(shop)
    found = await seen(staff, first)
    assert (found["state"], sorted(part["number"] for part in found["parts"])) == (
        "open",
        sorted([first, second, third]),
    )
    assert [(await seen(staff, one))["joined_into"] for one in (second, third)] == [first, first]
    listed = (await staff.get(f"/v1/conversations?team={desk}")).json()["items"]
    assert [one["number"] for one in listed] == [first]
    assert await events_of(shop, first) == ["opened", "absorbed"]


async def test_the_summary_reads_what_is_open_and_the_period(shop: Shop) -> None:
    """However many years of conversations there are."""
    now = clock()

    async def plan(tx: Tx) -> str:
        await tx.execute("SET LOCAL enable_seqscan = off")  # the tables of a test are small
        rows = await tx.rows(
            f"EXPLAIN {queries.SUMS}", since=now - timedelta(days=1), until=now, at=now, reach=[uuid7()]
        )
        return "\n".join(row[0] for row in rows)

    found = await shop.db.write(plan)
    assert "Seq Scan on conversations" not in found
    for index in ("state_first_answer_due_at_id", "opened_at", "first_answered_at"):
        assert f"Bitmap Index Scan on ix_conversations_{index}" in found, found


async def test_who_only_said_that_a_telephone_is_his_reads_nothing_of_its_owners(shop: Shop) -> None:
    """Between the owner's signing in and the end of the stranger's token, and whatever becomes of that token."""
    await team(shop)
    number, spy = phone(), await shop.shopper()
    await shop.db.write(customers.note_guest, spy.actor, person=spy.actor.subject, phone=number)
    own = (await told(spy, "/v1/inquiries", {"kind": "message", "text": "Чужое"}, 201))["number"]
    owner, _ = await customer(shop, number=number)
    asked = (await told(owner, "/v1/inquiries", {"kind": "message", "text": "Моя тайна"}, 201))["number"]
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 1)
    bought = (await place(owner, store, (item, 1)))["number"]
    command = customers.MergeCustomers(loser=spy.actor.subject, reason="The telephone is his")
    operator = await shop.staff("call_center")
    await shop.db.write(customers.merge, operator.actor, customer=owner.actor.subject, command=command)
    assert {one["number"] for one in (await owner.get("/v1/me/conversations")).json()["items"]} >= {own, asked}
    items = (await spy.get("/v1/me/conversations")).json()["items"]
    assert [(one["number"], [said["text"] for said in one["messages"]]) for one in items] == [(own, ["Чужое"])]
    with pytest.raises(conversations.UnknownConversation):
        await shop.db.read(queries.mine, spy.actor, number=asked)
    sent = await spy.post(f"/v1/me/conversations/{asked}/messages", {"text": "Что там?"})
    assert refusal(sent) == (404, "unknown-conversation")
    body = {"kind": "message", "text": "О заказе", "order": bought}
    assert refusal(await spy.post("/v1/inquiries", body)) == (404, "unknown-order")
    more = await told(spy, "/v1/inquiries", {"kind": "message", "text": "Ещё"}, 201)
    assert (more["number"], more["appended"]) == (own, True)
