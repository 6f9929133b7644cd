"""What shoppers ask: to be called, a form, a message; what is added to what; what they see of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tests.conversations.talk import customer, deliver, events_of, phone, refusal, seen, source, team, told
from tests.conversations.test_staff import login_of
from tests.orders.story import place
from tests.support import Shop, clock, unique

pytestmark = pytest.mark.usefixtures("audited")

NOON = datetime(2027, 3, 1, 9, tzinfo=UTC)
"""A Monday, 12:00 in Moscow."""


async def test_a_call_back_goes_to_the_shop_with_a_promise_in_its_opening_hours(shop: Shop) -> None:
    clock.stand_at(NOON + timedelta(hours=8, minutes=50))
    hours = [{"weekday": day, "opens": "10:00", "closes": "21:00"} for day in range(1, 8)]
    store = await shop.store(hours=hours)
    code = await team(shop, store, minutes=30)
    shopper, number = await customer(shop)
    asked = await told(shopper, "/v1/inquiries", {"kind": "call_back", "location": store.code}, 201)
    assert datetime.fromisoformat(asked["answer_by"]) == datetime(2027, 3, 2, 7, 20, tzinfo=UTC)
    assert asked["appended"] is False
    found = await seen(await shop.staff("associate", store.code), asked["number"])
    assert {
        key: found[key] for key in ("channel", "origin", "direction", "state", "team", "location", "handle", "overdue", "version")
    } == {
        "channel": "phone", "origin": "call_back_request", "direction": "inbound", "state": "open", "team": code,
        "location": store.code, "handle": number, "overdue": False, "version": 1,
    }  # fmt: skip
    assert (found["customer"], found["profile"]["phone"]) == (str(shopper.actor.subject), number)
    assert [(e["kind"], e["by"], e["text"]) for e in found["entries"]] == [("call_back", "customer", None)]
    assert await events_of(shop, asked["number"]) == ["opened"]


async def test_without_a_location_minutes_are_of_the_clock_and_general_takes_it(shop: Shop) -> None:
    clock.stand_at(NOON)
    shopper = await shop.shopper()
    body = {"kind": "form", "text": "Есть ли подарочная упаковка?", "email": "Anna@Example.com"}
    asked = await told(shopper, "/v1/inquiries", body, 201)
    assert datetime.fromisoformat(asked["answer_by"]) == NOON + timedelta(minutes=60)
    found = await seen(await shop.staff("call_center"), asked["number"])
    assert (found["team"], found["channel"], found["handle"]) == ("general", "form", "anna@example.com")


async def test_the_same_shopper_in_the_same_channel_is_one_conversation(shop: Shop) -> None:
    shopper, number = await customer(shop)
    first = await told(shopper, "/v1/inquiries", {"kind": "call_back"}, 201)
    again = await told(shopper, "/v1/inquiries", {"kind": "call_back", "text": "Жду!", "phone": number}, 201)
    assert (again["number"], again["appended"], again["answer_by"]) == (first["number"], True, first["answer_by"])
    found = await seen(await shop.staff("call_center"), first["number"])
    assert [(e["n"], e["text"]) for e in found["entries"]] == [(1, None), (2, "Жду!")]
    assert await events_of(shop, first["number"]) == ["opened", "continued"]


async def test_another_shop_is_another_conversation(shop: Shop) -> None:
    here, there = await shop.store(), await shop.store()
    await team(shop, here)
    await team(shop, there)
    shopper, _ = await customer(shop)
    numbers = {
        (await told(shopper, "/v1/inquiries", {"kind": "call_back", "location": store.code}, 201))["number"]
        for store in (here, there)
    }
    assert len(numbers) == 2


async def test_somebody_elses_phone_joins_nothing_and_shows_nothing(shop: Shop) -> None:
    owner, number = await customer(shop)
    first = await told(owner, "/v1/inquiries", {"kind": "call_back", "text": "Перезвоните"}, 201)
    stranger = await shop.shopper()
    other = await told(stranger, "/v1/inquiries", {"kind": "call_back", "phone": number}, 201)
    assert other["number"] != first["number"]
    assert other["appended"] is False
    mine = (await stranger.get("/v1/me/conversations")).json()["items"]
    assert [one["number"] for one in mine] == [other["number"]]
    answer = await stranger.post(f"/v1/me/conversations/{first['number']}/messages", {"text": "?"})
    assert refusal(answer) == (404, "unknown-conversation")
    found = await seen(await shop.staff("call_center"), first["number"])
    assert [(r["number"], r["same"]) for r in found["related"]] == [(other["number"], "handle")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kind": "call_back"}, "call-back-needs-phone"),
        ({"kind": "call_back", "email": "anna@example.com"}, "call-back-needs-phone"),
        ({"kind": "call_back", "phone": "123"}, "bad-phone"),
        ({"kind": "form", "text": "?"}, "form-needs-contact"),
        ({"kind": "form", "text": "?", "email": "anna"}, "bad-email"),
        ({"kind": "form", "email": "anna@example.com"}, "text-needed"),
        ({"kind": "message"}, "text-needed"),
        ({"kind": "message", "text": "?", "location": "nowhere"}, "unknown-location"),
        ({"kind": "message", "text": "?", "order": "4821-3059-1768"}, "unknown-order"),
        ({"kind": "message", "text": "?", "preferred_at": "2020-01-01T00:00:00Z"}, "wrong-moment"),
    ],
)
async def test_what_cannot_be_answered_is_refused(shop: Shop, body: dict[str, str], code: str) -> None:
    shopper = await shop.shopper()
    answer = await shopper.post("/v1/inquiries", body)
    assert refusal(answer)[1] == code
    assert (await shopper.get("/v1/me/conversations")).json()["items"] == []


async def test_about_ones_own_order_only(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    buyer, stranger = await shop.shopper(), await shop.shopper()
    order = await place(buyer, store, (item, 1))
    body = {"kind": "message", "text": "Где заказ?", "order": order["number"]}
    asked = await told(buyer, "/v1/inquiries", body, 201)
    found = await seen(await shop.staff("call_center"), asked["number"])
    assert (found["order"], found["channel"]) == (order["number"], "chat")
    assert refusal(await stranger.post("/v1/inquiries", body)) == (404, "unknown-order")


async def test_he_may_say_when(shop: Shop) -> None:
    clock.stand_at(NOON)
    shopper = await shop.shopper()
    wanted = NOON + timedelta(days=1)
    body = {"kind": "call_back", "phone": phone(), "preferred_at": wanted.isoformat()}
    asked = await told(shopper, "/v1/inquiries", body, 201)
    assert datetime.fromisoformat(asked["answer_by"]) == wanted + timedelta(minutes=60)


async def test_the_shopper_sees_messages_and_not_the_notes(shop: Shop) -> None:
    shopper, staff = await shop.shopper(), await shop.staff("call_center")
    number = (await told(shopper, "/v1/inquiries", {"kind": "message", "text": "Есть 46?"}, 201))["number"]
    path = f"/v1/conversations/{number}/entries"
    await told(staff, path, {"kind": "note", "text": "Капризный"}, 201)
    await told(staff, path, {"kind": "message_out", "text": "Да, есть"}, 201)
    await told(staff, path, {"kind": "call", "text": "Не берёт трубку", "reached": False}, 201)
    mine = (await shopper.get("/v1/me/conversations")).json()["items"]
    assert [(m["by"], m["kind"], m["text"]) for m in mine[0]["messages"]] == [
        ("me", "message_in", "Есть 46?"), ("shop", "message_out", "Да, есть"), ("shop", "call", None),
    ]  # fmt: skip
    assert (mine[0]["state"], mine[0]["answer_by"]) == ("waiting", None)
    after = await told(shopper, f"/v1/me/conversations/{number}/messages", {"text": "Отложите"}, 201)
    assert (after["state"], [m["text"] for m in after["messages"]]) == (
        "open",
        ["Есть 46?", "Да, есть", None, "Отложите"],
    )
    await told(staff, f"/v1/conversations/{number}/close", {"outcome": "resolved"})
    answer = await shopper.post(f"/v1/me/conversations/{number}/messages", {"text": "Ещё"})
    assert refusal(answer) == (409, "conversation-closed")


async def test_an_inquiry_is_made_once_for_a_key(shop: Shop) -> None:
    shopper = await shop.shopper()
    body, key = {"kind": "message", "text": "?"}, "inquiry-of-one-key"
    first = await told(shopper, "/v1/inquiries", body, 201, key=key)
    assert await told(shopper, "/v1/inquiries", body, 201, key=key) == first
    assert await events_of(shop, first["number"]) == ["opened"]


async def test_a_shops_team_answers_when_the_shop_is_open(shop: Shop) -> None:
    """Asked at night by a channel that a shop's team takes: the hour begins when it opens."""
    clock.stand_at(NOON.replace(hour=0))
    day = [{"weekday": n, "opens": "10:00", "closes": "22:00"} for n in range(1, 8)]
    store = await shop.store(hours=day)
    code = await source(shop, await team(shop, store, minutes=60), "social")
    number = (await deliver(shop, code, unique("vk"), "Открыты?")).json()["number"]
    found = await seen(await shop.staff("call_center"), number)
    assert datetime.fromisoformat(found["first_answer_due_at"]) == NOON.replace(hour=8)


async def test_what_is_said_when_asking_again_is_kept(shop: Shop) -> None:
    """He asks once more, and says when; a colleague notes his second call, whose it is and that it is urgent."""
    clock.stand_at(NOON)
    shopper, number = await customer(shop)
    staff, boris = await shop.staff("call_center"), await shop.staff("call_center")
    first = (await told(shopper, "/v1/inquiries", {"kind": "call_back"}, 201))["number"]
    at = (NOON + timedelta(days=1)).isoformat()
    again = await told(shopper, "/v1/inquiries", {"kind": "call_back", "preferred_at": at}, 201)
    assert (again["number"], again["appended"]) == (first, True)
    assert datetime.fromisoformat((await seen(staff, first))["preferred_at"]) == NOON + timedelta(days=1)
    login = await login_of(shop, boris)
    noted = {
        "channel": "phone", "summary": "Звонил ещё раз", "subject": "Чайник", "handle": number, "answered": False,
        "customer": str(shopper.actor.subject), "assignee": login, "priority": "high",
    }  # fmt: skip
    found = await told(staff, "/v1/conversations", noted, 201)
    assert (found["number"], found["assignee"], found["priority"], found["subject"]) == (first, login, "high", "Чайник")
    assert datetime.fromisoformat(found["preferred_at"]) == NOON + timedelta(days=1)


@pytest.mark.parametrize("moment", ["2027-03-02T10:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_moment_without_a_zone_or_beyond_the_calendar_does_not_parse(shop: Shop, moment: str) -> None:
    """It would be of the zone of the machine."""
    clock.stand_at(NOON)
    shopper, staff = await shop.shopper(), await shop.staff("call_center")
    number = (await told(shopper, "/v1/inquiries", {"kind": "message", "text": "?"}, 201))["number"]
    path = f"/v1/conversations/{number}"
    code = await source(shop, None)
    message = {"message_id": unique("m"), "from": {"handle": unique("tg")}, "occurred_at": moment, "text": "?"}
    for answer in (
        await shopper.post("/v1/inquiries", {"kind": "call_back", "phone": phone(), "preferred_at": moment}),
        await staff.post(f"{path}/next-steps", {"what": "Позвонить", "due_at": moment}),
        await staff.post(f"{path}/entries", {"kind": "note", "text": "?", "occurred_at": moment}),
        await staff.post("/v1/conversations", {"channel": "phone", "summary": "?", "occurred_at": moment}),
        await deliver(shop, code, "", body=msgspec.json.encode(message)),
    ):
        assert refusal(answer) == (400, "bad-input"), answer.text
    assert (await seen(staff, number))["version"] == 1


async def test_asked_again_after_an_answer_is_no_promise_of_the_past(shop: Shop) -> None:
    clock.stand_at(NOON)
    shopper, staff = await shop.shopper(), await shop.staff("call_center")
    body = {"kind": "message", "text": "Есть 46?"}
    first = await told(shopper, "/v1/inquiries", body, 201)
    minutes = datetime.fromisoformat(first["answer_by"]) - NOON
    await told(staff, f"/v1/conversations/{first['number']}/entries", {"kind": "message_out", "text": "Да"}, 201)
    clock.stand_at(NOON + timedelta(minutes=9))
    again = await told(shopper, "/v1/inquiries", body, 201)
    assert (again["number"], again["appended"]) == (first["number"], True)
    assert datetime.fromisoformat(again["answer_by"]) == NOON + timedelta(minutes=9) + minutes
