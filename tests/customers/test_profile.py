"""What a person says of himself: birthday, store, how he wants to be spoken to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.people.story import customer, problem, records, rows, signed_up
from tests.support import Shop, clock


async def test_a_person_says_when_he_was_born_where_he_collects_and_how_to_reach_him(shop: Shop, audited: None) -> None:
    me, store = await signed_up(shop), await shop.store()
    wish = {
        "birthday": "1988-04-12",
        "preferred_store": store.code,
        "preferences": {"contact_channel": "messenger", "unwanted_channels": ["phone"]},
    }
    answer = await me.patch("/v1/me", wish, headers={"If-Match": '"1"'})
    assert answer.status_code == 200, answer.text
    assert {name: answer.json()[name] for name in wish} == wish
    assert answer.headers["etag"] == '"2"'
    assert (await me.get("/v1/me")).json() == answer.json()
    assert (await me.patch("/v1/me", wish)).json()["version"] == 2
    (event,) = await rows(
        shop, "SELECT payload FROM infra.outbox WHERE aggregate_id = :id AND version = 2", id=me.actor.subject
    )
    assert event["payload"] == {"fields": ["birthday", "preferences", "preferred_store"]}
    emptied = await me.patch("/v1/me", {"birthday": None, "preferred_store": None})
    assert (emptied.json()["birthday"], emptied.json()["preferred_store"], emptied.json()["version"]) == (None, None, 3)


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        ({"birthday": "1899-12-31"}, (422, "bad-birthday")),
        ({"birthday": "tomorrow"}, (400, "bad-input")),
        ({"preferred_store": "nowhere"}, (404, "unknown-location")),
        ({"preferences": {"contact_channel": "phone", "unwanted_channels": ["phone"]}}, (422, "bad-preferences")),
        ({"preferences": {"contact_channel": "pigeon"}}, (400, "bad-input")),
    ],
)
async def test_what_cannot_be_is_refused(shop: Shop, wish: dict[str, object], refusal: tuple[int, str]) -> None:
    me = await signed_up(shop)
    before = (await me.get("/v1/me")).json()
    assert problem(await me.patch("/v1/me", wish)) == refusal
    assert (await me.get("/v1/me")).json() == before


async def test_nobody_is_born_tomorrow(shop: Shop) -> None:
    me = await signed_up(shop)
    today = clock().date()
    assert problem(await me.patch("/v1/me", {"birthday": str(today + timedelta(days=1))})) == (422, "bad-birthday")
    assert (await me.patch("/v1/me", {"birthday": str(today)})).status_code == 200


async def test_staff_change_a_profile_and_only_the_names_of_the_fields_are_recorded(shop: Shop, audited: None) -> None:
    known, operator = await customer(shop, name="Пётр"), await shop.staff("call_center", channel="call_center")
    address = f"/v1/customers/{known}"
    assert problem(await operator.patch(address, {"name": "Павел"}, headers={"If-Match": '"7"'})) == (
        412,
        "stale-profile",
    )
    answer = await operator.patch(address, {"name": "Павел", "language": "en"}, headers={"If-Match": '"1"'})
    assert (answer.status_code, answer.json()["name"], answer.json()["version"]) == (200, "Павел", 2)
    (record,) = await records(shop, "customer.changed", known)
    assert (record.subject, record.before, record.after) == (
        operator.actor.subject,
        {"version": 1},
        {"fields": ["language", "name"]},
    )
    associate = await shop.staff("back_office")
    assert problem(await associate.patch(address, {"name": "Нет"})) == (403, "not-allowed")
    nobody = "00000000-0000-7000-8000-000000000000"
    assert problem(await operator.patch(f"/v1/customers/{nobody}", {"name": "Нет"})) == (404, "unknown-customer")
