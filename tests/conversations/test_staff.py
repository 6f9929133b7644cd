"""What staff do: the queue, answers by channel, notes, logging, joining, linking, closing, reopening; what other stores may not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from commerce.conversations.tasks import tell_late
from commerce.infra.db import Tx
from tests.conversations.talk import customer, deliver, events_of, phone, refusal, seen, source, team, told
from tests.orders.story import place
from tests.support import Client, Shop, clock, unique

pytestmark = pytest.mark.usefixtures("audited")

ANSWER = {"kind": "message_out", "text": "Добрый день!"}


async def waits(shop: Shop, desk: str, handle: str | None = None) -> str:
    """The number of a conversation in a messenger that waits for its first answer."""
    answer = await deliver(shop, await source(shop, desk), handle or unique("tg"))
    return str(answer.json()["number"])


async def queue(staff: Client, **wanted: str) -> list[str]:
    answer = await staff.get("/v1/conversations?" + "&".join(f"{name}={value}" for name, value in wanted.items()))
    assert answer.status_code == 200, answer.text
    return [one["number"] for one in answer.json()["items"]]


async def test_the_queue_is_in_the_order_of_promises(shop: Shop) -> None:
    slow, fast = await team(shop, minutes=240), await team(shop, minutes=5)
    staff = await shop.staff("call_center")
    first, second = await waits(shop, slow), await waits(shop, fast)
    both: list[str] = []
    cursor: str | None = ""
    while cursor is not None:  # other tests have conversations of their own
        page = (await staff.get(f"/v1/conversations?limit=200{cursor}")).json()
        both += [one["number"] for one in page["items"] if one["number"] in (first, second)]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert both == [second, first]
    assert await queue(staff, team=slow) == [first]
    assert await queue(staff, team=fast, overdue="only") == []
    clock.travel(timedelta(minutes=6))
    assert await queue(staff, team=fast, overdue="only") == [second]
    await told(staff, f"/v1/conversations/{second}/entries", ANSWER, 201)
    assert await queue(staff, team=fast, overdue="only") == []
    assert await queue(staff, team=fast, state="waiting") == [second]
    assert await queue(staff, team=fast, state="closed") == []
    refused = await staff.get("/v1/conversations?assignee=nobody")
    assert refusal(refused) == (404, "unknown-assignee")


async def test_pages_follow_each_other(shop: Shop) -> None:
    desk, staff = await team(shop), await shop.staff("call_center")
    numbers = [await waits(shop, desk) for _ in range(3)]
    one = (await staff.get(f"/v1/conversations?team={desk}&limit=2")).json()
    two = (await staff.get(f"/v1/conversations?team={desk}&limit=2&cursor={one['next_cursor']}")).json()
    assert [c["number"] for c in one["items"] + two["items"]] == numbers
    assert two["next_cursor"] is None


async def test_an_answer_stops_the_clock_once(shop: Shop) -> None:
    desk, staff = await team(shop), await shop.staff("call_center")
    code, handle = await source(shop, desk), unique("tg")
    number = (await deliver(shop, code, handle)).json()["number"]
    path = f"/v1/conversations/{number}/entries"
    first = await told(staff, path, ANSWER, 201)
    assert (first["state"], first["unanswered_since"], first["version"]) == ("waiting", None, 2)
    answered_at = first["first_answered_at"]
    assert [(p["answered_by"] is not None, p["first_answered_at"]) for p in first["parts"]] == [(True, answered_at)]
    await deliver(shop, code, handle, "Ещё вопрос")
    assert (await seen(staff, number))["state"] == "open"
    clock.travel(timedelta(minutes=1))
    again = await told(staff, path, ANSWER, 201)
    assert (again["state"], again["first_answered_at"]) == ("waiting", answered_at)
    assert await events_of(shop, number) == ["opened", "answered", "continued", "answered"]

    async def published(tx: Tx) -> Any:
        return await tx.rows(
            "SELECT payload FROM infra.outbox WHERE type = 'conversation.answered' AND payload ->> 'number' = :number ORDER BY version",
            number=number,
        )

    facts = [row.payload for row in await shop.db.read(published)]
    assert [(f["kind"], f["by"], f["source"], f["first"]) for f in facts] == [
        ("message_out", "messenger", code, True), ("message_out", "messenger", code, False),
    ]  # fmt: skip
    assert "Добрый" not in str(facts)


async def test_it_is_open_until_answered_in_the_channel_it_came_from(shop: Shop) -> None:
    staff = await shop.staff("call_center")
    shopper, _ = await customer(shop)
    number = (await told(shopper, "/v1/inquiries", {"kind": "call_back"}, 201))["number"]
    path = f"/v1/conversations/{number}/entries"
    mailed = await told(staff, path, {**ANSWER, "channel": "email"}, 201)
    assert (mailed["state"], mailed["first_answered_at"]) == ("open", None)
    nobody = await told(staff, path, {"kind": "call", "text": "Не берёт", "reached": False}, 201)
    assert (nobody["state"], nobody["first_answered_at"]) == ("open", None)
    called = await told(staff, path, {"kind": "call", "text": "Договорились"}, 201)
    assert called["state"] == "waiting"
    assert [(e["kind"], e["channel"], e["answers"]) for e in called["entries"]] == [
        ("call_back", "phone", False), ("message_out", "email", False), ("call", "phone", False), ("call", "phone", True),
    ]  # fmt: skip


async def test_a_form_is_answered_at_the_contact_in_it(shop: Shop) -> None:
    staff, shopper = await shop.staff("call_center"), await shop.shopper()
    body = {"kind": "form", "text": "?", "email": "anna@example.com"}
    number = (await told(shopper, "/v1/inquiries", body, 201))["number"]
    answered = await told(staff, f"/v1/conversations/{number}/entries", {**ANSWER, "channel": "email"}, 201)
    assert answered["state"] == "waiting"


async def test_one_persons_inquiries_are_joined_and_each_answered_in_its_channel(shop: Shop) -> None:
    desk = await team(shop, minutes=30)
    calls, chats = await source(shop, desk, "phone"), await source(shop, desk)
    known, number = await customer(shop)
    staff, handle = await shop.staff("call_center"), unique("tg")
    written = (await deliver(shop, chats, handle, "Где заказ?")).json()["number"]
    await told(staff, f"/v1/conversations/{written}/link", {"customer": str(known.actor.subject)})
    clock.travel(timedelta(minutes=10))
    called = (await deliver(shop, calls, number, None, kind="missed_call")).json()["number"]
    whole = await seen(staff, written)
    assert [(p["number"], p["channel"]) for p in whole["parts"]] == [(written, "messenger"), (called, "phone")]
    assert (whole["state"], (await seen(staff, called))["joined_into"]) == ("open", written)
    assert called not in await queue(staff, team=desk)
    chatted = await told(staff, f"/v1/conversations/{written}/entries", ANSWER, 201)
    assert chatted["state"] == "open"
    assert [p["first_answered_at"] is not None for p in chatted["parts"]] == [True, False]
    phoned = await told(staff, f"/v1/conversations/{written}/entries", {"kind": "call", "text": "Рассказали"}, 201)
    assert phoned["state"] == "waiting"
    assert {e["conversation"] for e in phoned["entries"] if e["kind"] == "call"} == {called}
    assert (await deliver(shop, chats, handle, "Спасибо")).json()["number"] == written
    await told(staff, f"/v1/conversations/{written}/entries", ANSWER, 201)
    assert (await deliver(shop, calls, number, None, kind="missed_call")).json()["number"] == called
    again = await seen(staff, written)
    assert (again["state"], again["unanswered_since"]) == ("open", None)
    assert await events_of(shop, called) == ["opened", "joined", "answered", "continued"]
    assert (await events_of(shop, written))[-1] == "reopened"
    closed = await told(staff, f"/v1/conversations/{written}/close", {"outcome": "resolved"})
    assert (closed["state"], [p["unanswered_since"] for p in closed["parts"]]) == ("closed", [None, None])


async def test_joining_by_hand_keeps_the_earliest_clock(shop: Shop) -> None:
    slow, fast = await team(shop, minutes=240), await team(shop, minutes=5)
    staff = await shop.staff("call_center")
    first, second = await waits(shop, slow), await waits(shop, fast)
    due = (await seen(staff, second))["first_answer_due_at"]
    third = await waits(shop, fast)
    await told(staff, f"/v1/conversations/{third}/join", {"into": second})
    whole = await told(staff, f"/v1/conversations/{second}/join", {"into": first})
    assert (whole["number"], whole["first_answer_due_at"]) == (first, due)
    assert {p["number"] for p in whole["parts"]} == {first, second, third}
    assert (await seen(staff, third))["joined_into"] == first
    for path, body, problem in (
        (f"/v1/conversations/{second}/join", {"into": first}, (409, "conversation-joined")),
        (f"/v1/conversations/{first}/join", {"into": second}, (422, "joined-into-itself")),
        (f"/v1/conversations/{first}/join", {"into": "Q-1"}, (404, "unknown-conversation")),
        (f"/v1/conversations/{second}/close", {"outcome": "spam"}, (409, "conversation-joined")),
    ):
        assert refusal(await staff.post(path, body)) == problem
    assert (await seen(staff, first))["version"] == whole["version"]


async def test_different_people_are_not_joined(shop: Shop) -> None:
    staff = await shop.staff("call_center")
    numbers = []
    for _ in range(2):
        shopper, _ = await customer(shop)
        numbers.append((await told(shopper, "/v1/inquiries", {"kind": "call_back"}, 201))["number"])
    answer = await staff.post(f"/v1/conversations/{numbers[0]}/join", {"into": numbers[1]})
    assert refusal(answer) == (409, "different-people")
    assert [(await seen(staff, number))["version"] for number in numbers] == [1, 1]


async def test_a_store_sees_its_own_and_what_is_given_to_it(shop: Shop) -> None:
    here, there = await shop.store(), await shop.store()
    local, far, chain = await team(shop, here), await team(shop, there), await team(shop)
    clerk, other = await shop.staff("associate", here.code), await shop.staff("associate", there.code)
    mine, central = await waits(shop, local), await waits(shop, chain)
    assert await queue(clerk) == [mine]
    assert await queue(other) == []
    before = await seen(await shop.staff("call_center"), mine)
    for method, path, body in (
        ("GET", "", None), ("POST", "/entries", ANSWER), ("POST", "/assign", {"priority": "high"}), ("POST", "/reopen", None),
        ("POST", "/close", {"outcome": "spam"}), ("POST", "/join", {"into": central}), ("POST", "/link", {"order": "1"}),
        ("POST", "/next-steps", {"what": "x", "due_at": (clock() + timedelta(days=1)).isoformat()}),
    ):  # fmt: skip
        answer = await other.request(method, f"/v1/conversations/{mine}{path}", json=body)
        assert refusal(answer) == (403, "other-stores-conversation"), path
    assert await seen(await shop.staff("call_center"), mine) == before
    await told(clerk, f"/v1/conversations/{mine}/assign", {"team": far})
    assert set(await queue(clerk)) == {mine}, "it still concerns this shop"
    assert set(await queue(other)) == {mine}
    await told(clerk, f"/v1/conversations/{mine}/assign", {"location": there.code})
    assert (await queue(clerk), await queue(other)) == ([], [mine])


async def test_it_is_given_to_somebody(shop: Shop) -> None:
    store, number = await shop.store(), await waits(shop, await team(shop))
    center, clerk = await shop.staff("call_center"), await shop.staff("associate", store.code)
    login = await login_of(shop, clerk)
    given = await told(center, f"/v1/conversations/{number}/assign", {"assignee": login, "priority": "high"})
    assert (given["assignee"], given["priority"], given["version"]) == (login, "high", 2)
    assert await queue(clerk, assignee="me") == [number]
    assert await queue(center, assignee=login) == [number]
    taken = await told(center, f"/v1/conversations/{number}/assign", {"assignee": None})
    assert (taken["assignee"], taken["priority"]) == (None, "high")
    assert await queue(clerk) == []
    path = f"/v1/conversations/{number}/assign"
    assert refusal(await center.post(path, {})) == (422, "nothing-to-assign")
    assert refusal(await center.post(path, {"assignee": "nobody"})) == (404, "unknown-assignee")
    assert refusal(await center.post(path, {"team": "nothing"})) == (404, "unknown-team")
    assert refusal(await center.post(path, {"priority": "high"}, headers={"If-Match": '"1"'})) == (
        412,
        "stale-conversation",
    )
    assert (await seen(center, number))["version"] == 3


async def login_of(shop: Shop, staff: Client) -> str:
    async def work(tx: Tx) -> str:
        found: str = await tx.scalar("SELECT login FROM auth.staff WHERE id = :id", id=staff.actor.subject)
        return found

    return await shop.db.read(work)


async def test_a_talk_in_the_shop_is_logged_in_one_call(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    local = await team(shop, store)
    await shop.stock(store, item, 5)
    known, _ = await customer(shop)
    order = await place(known, store, (item, 1))
    clerk = await shop.staff("associate", store.code)
    tuesday = (clock() + timedelta(days=2)).isoformat()
    logged = await told(
        clerk, "/v1/conversations",
        {
            "channel": "in_store", "summary": "Спрашивал чехол к заказу", "subject": "Чехол", "customer": str(known.actor.subject),
            "order": order["number"], "next_step": {"what": "Перезвонить во вторник", "due_at": tuesday},
            "outcome": {"outcome": "no_sale", "lost": [{"reason": "no_stock", "sku": item.sku, "quantity": 2}, {"reason": "price", "asked_for": "Чехол"}]},
        }, 201,
    )  # fmt: skip
    assert {k: logged[k] for k in ("state", "outcome", "team", "location", "order", "origin", "subject")} == {
        "state": "closed", "outcome": "no_sale", "team": local, "location": store.code, "order": order["number"],
        "origin": "walk_in", "subject": "Чехол",
    }  # fmt: skip
    assert [(e["kind"], e["by"], e["text"]) for e in logged["entries"]] == [
        ("visit", "staff", "Спрашивал чехол к заказу"), ("closed", "staff", None),
    ]  # fmt: skip
    assert [(s["what"], s["location"], s["team"], s["state"]) for s in logged["next_steps"]] == [
        ("Перезвонить во вторник", store.code, local, "open")
    ]
    assert logged["lost"] == [
        {"sku": item.sku, "asked_for": None, "quantity": 2, "reason": "no_stock"},
        {"sku": None, "asked_for": "Чехол", "quantity": 1, "reason": "price"},
    ]
    assert (await known.get("/v1/me/conversations")).json()["items"][0]["messages"][0]["text"] is None


async def test_what_nobody_took_is_logged_as_waiting_and_added_to_what_waits(shop: Shop) -> None:
    desk, staff, number = await team(shop), await shop.staff("call_center"), phone()
    body = {"channel": "phone", "summary": "Пропущенный", "answered": False, "handle": number, "team": desk}
    first = await told(staff, "/v1/conversations", body, 201)
    assert (first["state"], first["origin"], first["handle"]) == ("open", "missed_call", number)
    again = await told(staff, "/v1/conversations", body, 201)
    assert (again["number"], again["version"]) == (first["number"], 2)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"answered": False, "outcome": {"outcome": "spam"}}, (422, "outcome-details")),
        ({"answered": False, "direction": "outbound"}, (422, "outcome-details")),
        ({"outcome": {"outcome": "no_sale"}}, (422, "outcome-details")),
        ({"outcome": {"outcome": "no_sale", "lost": [{"reason": "size"}]}}, (422, "outcome-details")),
        (
            {"outcome": {"outcome": "resolved", "lost": [{"reason": "size", "asked_for": "x"}]}},
            (422, "outcome-details"),
        ),
        ({"outcome": {"outcome": "spam", "order": "4821-3059-1768"}}, (422, "outcome-details")),
        ({"outcome": {"outcome": "no_sale", "lost": [{"reason": "size", "sku": "NOTHING"}]}}, (404, "unknown-sku")),
        ({"team": "nothing"}, (404, "unknown-team")),
        ({"location": "nowhere"}, (404, "unknown-location")),
        ({"customer": "00000000-0000-7000-8000-000000000000"}, (404, "unknown-customer")),
        ({"order": "4821-3059-1768"}, (404, "unknown-order")),
        ({"assignee": "nobody"}, (404, "unknown-assignee")),
        ({"occurred_at": "2020-01-01T00:00:00Z"}, (422, "wrong-moment")),
        ({"next_step": {"what": "x", "due_at": "2020-01-01T00:00:00Z"}}, (422, "wrong-moment")),
    ],
)
async def test_what_does_not_fit_is_not_logged(shop: Shop, more: dict[str, Any], problem: tuple[int, str]) -> None:
    staff = await shop.staff("call_center")

    async def count(tx: Tx) -> int:
        found: int = await tx.scalar("SELECT count(*) FROM conversations.entries")
        return found

    before = await shop.db.read(count)
    answer = await staff.post("/v1/conversations", {"channel": "phone", "summary": "Звонок", **more})
    assert refusal(answer) == problem
    assert await shop.db.read(count) == before


async def test_staff_of_several_stores_say_which(shop: Shop) -> None:
    one, two, elsewhere = await shop.store(), await shop.store(), await shop.store()
    staff = await shop.staff("associate", one.code, two.code)
    body = {"channel": "in_store", "summary": "Зашёл спросить"}
    assert refusal(await staff.post("/v1/conversations", body)) == (403, "not-your-location")
    assert refusal(await staff.post("/v1/conversations", body | {"location": elsewhere.code})) == (
        403,
        "not-your-location",
    )
    assert (await told(staff, "/v1/conversations", body | {"location": two.code}, 201))["location"] == two.code


async def test_an_end_and_its_taking_back(shop: Shop) -> None:
    staff, number = await shop.staff("call_center"), await waits(shop, await team(shop))
    path = f"/v1/conversations/{number}"
    assert refusal(await staff.post(f"{path}/reopen")) == (409, "conversation-open")
    item = await shop.item()
    lost = {"outcome": "no_sale", "lost": [{"reason": "size", "sku": item.sku}], "note": "Нет 46"}
    closed = await told(staff, f"{path}/close", lost, headers={"If-Match": '"1"'})
    assert (closed["state"], closed["outcome"], len(closed["lost"]), closed["version"]) == ("closed", "no_sale", 1, 2)
    assert refusal(await staff.post(f"{path}/close", lost)) == (409, "conversation-closed")
    assert refusal(await staff.post(f"{path}/entries", ANSWER)) == (409, "conversation-closed")
    await told(staff, f"{path}/entries", {"kind": "note", "text": "Позвонить, когда придёт"}, 201)
    opened = await told(staff, f"{path}/reopen")
    assert (opened["state"], opened["outcome"], opened["lost"]) == ("open", None, [])
    answered = await told(staff, f"{path}/entries", ANSWER, 201)
    assert answered["state"] == "waiting"
    assert await events_of(shop, number) == ["opened", "closed", "noted", "reopened", "answered"]


async def test_a_sale_names_its_order(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    known, _ = await customer(shop)
    order = await place(known, store, (item, 1))
    staff, number = await shop.staff("call_center"), await waits(shop, await team(shop))
    closed = await told(staff, f"/v1/conversations/{number}/close", {"outcome": "sale", "order": order["number"]})
    assert (closed["outcome"], closed["outcome_order"], closed["order"]) == ("sale", order["number"], None)


async def test_somebody_who_waits_already_is_not_reopened(shop: Shop) -> None:
    staff, code, handle = await shop.staff("call_center"), await source(shop, await team(shop)), unique("tg")
    first = (await deliver(shop, code, handle)).json()["number"]
    await told(staff, f"/v1/conversations/{first}/close", {"outcome": "resolved"})
    second = (await deliver(shop, code, handle)).json()["number"]
    answer = await staff.post(f"/v1/conversations/{first}/reopen")
    assert (*refusal(answer), answer.json()["number"]) == (409, "another-conversation-waits", second)
    assert (await seen(staff, first))["state"] == "closed"


async def test_an_order_of_somebody_else_is_not_linked(shop: Shop) -> None:
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 5)
    (known, _), (other, _) = await customer(shop), await customer(shop)
    order = await place(other, store, (item, 1))
    staff, number = await shop.staff("call_center"), await waits(shop, await team(shop))
    path = f"/v1/conversations/{number}/link"
    assert refusal(await staff.post(path, {})) == (422, "nothing-to-link")
    linked = await told(staff, path, {"order": order["number"]})
    assert (linked["order"], linked["customer"]) == (order["number"], None)
    answer = await staff.post(path, {"customer": str(known.actor.subject), "order": order["number"]})
    assert refusal(answer) == (409, "other-persons-order")
    assert (await seen(staff, number))["customer"] is None


async def test_lateness_is_told_once(shop: Shop) -> None:
    staff, number = await shop.staff("call_center"), await waits(shop, await team(shop, minutes=5))
    await tell_late(shop.db)
    assert await events_of(shop, number) == ["opened"]
    clock.travel(timedelta(minutes=6))
    await tell_late(shop.db)
    await tell_late(shop.db)
    assert await events_of(shop, number) == ["opened", "first_answer_overdue"]
    late = await seen(staff, number)
    assert (late["overdue"], late["state"]) == (True, "open")
    assert datetime.fromisoformat(late["first_answer_due_at"]) < clock()


async def overdue(staff: Client, **params: str) -> list[str]:
    """Numbers of what is late in the queue."""
    query = "&".join(f"{name}={value}" for name, value in {**params, "overdue": "only"}.items())
    return [one["number"] for one in (await staff.get(f"/v1/conversations?{query}")).json()["items"]]


async def test_what_is_asked_after_an_answer_has_a_clock_of_its_own(shop: Shop) -> None:
    """By opening hours as the first one; told once, ended by the next answer. The report of the first answer stays."""
    clock.stand_at(datetime(2027, 3, 1, 9, tzinfo=UTC))
    day = [{"weekday": n, "opens": "10:00", "closes": "21:00"} for n in range(1, 8)]
    store = await shop.store(hours=day)
    desk, staff = await team(shop, store, minutes=30), await shop.staff("call_center")
    code, handle = await source(shop, desk), unique("tg")
    number = (await deliver(shop, code, handle)).json()["number"]
    path = f"/v1/conversations/{number}"
    answered = await told(staff, f"{path}/entries", ANSWER, 201)
    assert (answered["answer_due_at"], answered["parts"][0]["answer_due_at"]) == (None, None)
    clock.stand_at(datetime(2027, 3, 1, 17, 50, tzinfo=UTC))
    assert (await deliver(shop, code, handle, "Ещё вопрос")).json()["number"] == number
    other = await waits(shop, desk)
    clock.stand_at(datetime(2027, 3, 1, 17, 51, tzinfo=UTC))
    await deliver(shop, code, handle, "Ау?")
    staff = await shop.staff("call_center")
    found, due = await seen(staff, number), datetime(2027, 3, 2, 7, 20, tzinfo=UTC)
    assert (datetime.fromisoformat(found["answer_due_at"]), found["overdue"]) == (due, False)
    assert {found[key] == answered[key] for key in ("first_answer_due_at", "first_answered_at")} == {True}
    assert (await queue(staff, team=desk), await overdue(staff, team=desk)) == ([number, other], [])
    await tell_late(shop.db)
    clock.stand_at(due + timedelta(minutes=1))
    staff = await shop.staff("call_center")
    assert await overdue(staff, team=desk) == [number, other]
    await tell_late(shop.db)
    await tell_late(shop.db)
    assert await events_of(shop, number) == ["opened", "answered", "continued", "continued", "answer_overdue"]
    report = "/v1/conversations/summary?from=2027-03-01&until=2027-03-02"
    [mine] = [one for one in (await staff.get(report)).json()["teams"] if one["team"] == desk]
    assert (mine["overdue"], mine["answered"], mine["answered_late"]) == (2, 1, 0)
    again = await told(staff, f"{path}/entries", ANSWER, 201)
    assert (again["answer_due_at"], again["overdue"], again["first_answered_at"]) == (
        None,
        False,
        answered["first_answered_at"],
    )
    await deliver(shop, code, handle, "И ещё")
    clock.stand_at(due + timedelta(minutes=32))
    staff = await shop.staff("call_center")
    await tell_late(shop.db)
    assert (await events_of(shop, number))[-1] == "answer_overdue"
    closed = await told(staff, f"{path}/close", {"outcome": "resolved"})
    assert (closed["answer_due_at"], closed["overdue"]) == (None, False)
    reopened = await told(staff, f"{path}/reopen")
    assert datetime.fromisoformat(reopened["answer_due_at"]) == clock() + timedelta(minutes=30)


async def test_a_joined_channel_asked_again_makes_the_whole_late(shop: Shop) -> None:
    """Each has its own clock; the whole is due when the earliest of them is."""
    desk, staff = await team(shop, minutes=30), await shop.staff("call_center")
    code, one, two = await source(shop, desk), unique("tg"), unique("tg")
    first, second = [(await deliver(shop, code, handle)).json()["number"] for handle in (one, two)]
    await told(staff, f"/v1/conversations/{second}/join", {"into": first})
    for number in (first, second):
        await told(staff, f"/v1/conversations/{number}/entries", ANSWER, 201)
    dues = []
    for handle in (two, one):
        clock.travel(timedelta(minutes=10))
        await deliver(shop, code, handle, "Ещё")
        dues.append(clock() + timedelta(minutes=30))
    staff = await shop.staff("call_center")
    whole = await seen(staff, first)
    assert datetime.fromisoformat(whole["answer_due_at"]) - dues[0] < timedelta(seconds=5)
    clock.travel(timedelta(minutes=21))
    staff = await shop.staff("call_center")
    assert await overdue(staff, team=desk) == [first]
    await told(staff, f"/v1/conversations/{second}/entries", ANSWER, 201)
    assert await overdue(staff, team=desk) == []
    left = datetime.fromisoformat((await seen(staff, first))["answer_due_at"])
    assert timedelta(seconds=-5) < left - dues[1] < timedelta(seconds=5)
    clock.travel(timedelta(minutes=10))
    staff = await shop.staff("call_center")
    assert await overdue(staff, team=desk) == [first]
    await told(staff, f"/v1/conversations/{first}/entries", ANSWER, 201)
    assert ((await seen(staff, first))["state"], await overdue(staff, team=desk)) == ("waiting", [])


async def test_numbers_are_read_as_people_write_them(shop: Shop) -> None:
    staff, number = await shop.staff("call_center"), await waits(shop, await team(shop))
    assert (await seen(staff, number.replace("-", "").lower()))["number"] == number
    assert refusal(await staff.get("/v1/conversations/Q-1111-1111-1111")) == (404, "unknown-conversation")
